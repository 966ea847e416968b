"""Changes: what an upload would replace, or what people have changed since one, as a table."""

from __future__ import annotations

from typing import Any

from traitlets import Any as AnyTrait
from traitlets import HasTraits

from nifti_kit.comparisons import Change, Changes, changes
from nifti_kit.plans.plan import Plan
from nifti_kit.targets.target import Target
from nifti_kit.transfer.landed import LandedItem
from nifti_kit.transfer.receipt import Receipt
from nifti_kit.widgets.parts.table import Column, Row, Table, Tone
from nifti_kit.widgets.parts.tasks import Task, Ticket

ROWS = 10
"""Of a page: what was asked, and the button below, stay in sight."""

COLUMNS = (
    Column("change", "Change", filtered=True),
    Column("volume", "Volume", filtered=True),
    Column("class", "Class", filtered=True),
    Column("objects", "Before -> after"),
    Column("voxels", "Voxels before -> after"),
    Column("dice", "Dice", "number"),
    Column("what", "What"),
)

TONES: dict[str, Tone] = {"removed": "warning", "edited": "note", "added": "good"}
"""What goes is seen first."""

DIGITS = 4
"""Of Dice: more are noise."""


class ChangesPanel(HasTraits):
    """What would change, or has changed; looked for in a thread when it is asked for."""

    # What :func:`nifti_kit.changes` returned; None before, and as soon as it is about something
    # else.
    found = AnyTrait()

    def __init__(self) -> None:
        super().__init__()
        self.table, self.task = Table(COLUMNS, page_size=ROWS), Task()
        self._asked: tuple[Plan | Receipt, Target] | None = None
        self._seen: tuple[Plan | Receipt, Target] | None = None
        self.task.observe(self._go_on, "state")

    def ask(self, before: Plan | Receipt, target: Target) -> Task:
        """Begin to look for what a plan would change, or what was changed since an upload."""
        self.forget()
        self._asked = (before, target)
        self.task.start(self._look, then=self._keep)
        return self.task

    def forget(self) -> None:
        """Let go of what was found: it is about something else now."""
        self._asked = None
        self.task.cancel()
        self.table.rows = ()
        self.found = None

    @property
    def summary(self) -> str:
        """What was found, in a line for each class."""
        if self.found is None:
            return ""
        return "\n".join([f"{self.found.title()}.", *self.found.lines()])

    def _look(self, ticket: Ticket) -> Changes | None:
        asked = self._seen = self._asked
        if asked is None:
            return None
        before, target = asked
        total = max(1, len(before.items))

        def told(at: int, item: Any) -> None:
            name = item.volume.name if isinstance(item, LandedItem) else item.name
            ticket.tell(at / total, f"Comparing {name} with what is there ...")

        return changes(before, target, on_item=told)

    def _keep(self, found: Changes | None) -> None:
        if found is not None and self._seen is self._asked:
            self.table.rows = tuple(change_row(at, one) for at, one in enumerate(found.changes))
            self.found = found

    def _go_on(self, change: Any) -> None:
        """Look for what was asked for while something else was looked for."""
        is_new = self._asked is not None and self._asked is not self._seen
        if not self.task.is_running and change["new"] != "idle" and is_new:
            self.task.start(self._look, then=self._keep)


def change_row(at: int, one: Change) -> Row:
    """Return a change as a row; its key is its place (from 0)."""
    found = one.difference
    is_object = any(found.voxels)
    cells = {
        "change": one.kind,
        "volume": found.volume,
        "class": found.class_name,
        "objects": " -> ".join(name or "none" for name in found.objects) if is_object else "",
        "voxels": " -> ".join(f"{count:,}" for count in found.voxels) if is_object else "",
        "dice": None if found.dice is None else round(found.dice, DIGITS),
        "what": found.what,
    }
    return Row(str(at), cells, tone=TONES[one.kind])
