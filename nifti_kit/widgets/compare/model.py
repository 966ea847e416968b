"""The model of ``Compare``: two annotation sets, what differs, and the worst place of each row."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import RLock
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import HasTraits, Int, List, Unicode

from nifti_kit.comparisons import Comparison, Difference, VolumePair, compare
from nifti_kit.core.text import counted
from nifti_kit.errors import NiftiKitError
from nifti_kit.targets.target import Volumes
from nifti_kit.widgets.compare.drawing import opened, show
from nifti_kit.widgets.compare.sides import SidePicker
from nifti_kit.widgets.parts.acts import join, path_of, refuse
from nifti_kit.widgets.parts.table import Column, Row, Table
from nifti_kit.widgets.parts.tasks import Task, Ticket
from nifti_kit.widgets.viewer.model import ViewerModel

ROWS = 10
"""Of a page: the numbers and the pictures of a row are seen with it."""

COLUMNS = (
    Column("volume", "Volume", filtered=True),
    Column("class", "Class", filtered=True),
    Column("objects", "Object in a | b", minor=True),
    Column("kinds", "What differs", filtered=True),
    Column("dice", "Dice", "number"),
    Column("hd95", "HD95, mm", "number"),
    Column("shift", "Shift, mm", "number"),
    Column("a", "mm³ in a", "number", minor=True),
    Column("b", "mm³ in b", "number", minor=True),
)

NOT_IN_BOTH = "There is no picture: this is not about a volume that both sides have."


def difference_row(at: int, found: Difference) -> Row:
    """Return a difference as a row; its key is its place (from 0)."""
    cells = {
        "volume": found.volume,
        "class": found.class_name,
        "objects": " | ".join(one or "none" for one in found.objects) if any(found.objects) else "",
        "kinds": ", ".join(found.kinds),
        "dice": _rounded(found.dice, 4),
        "hd95": _rounded(found.hd95_mm, 2),
        "shift": _rounded(found.shift_mm, 2),
        "a": _rounded(found.mm3[0], 1) if found.objects[0] else None,
        "b": _rounded(found.mm3[1], 1) if found.objects[1] else None,
    }
    return Row(str(at), cells, hints={"kinds": found.what})


def numbers_of(found: Difference) -> tuple[tuple[str, str], ...]:
    """Return the numbers of a difference with what they are, in words; only what is known."""
    sides = [found.objects[side] for side in (0, 1)]
    said = [
        (
            f"In {word}",
            f"{name}: {counted(found.voxels[side], 'voxel')}, {found.mm3[side]:,.1f} mm³",
        )
        for side, (word, name) in enumerate(zip("ab", sides, strict=True))
        if name
    ]
    measured = (
        ("Dice", found.dice, "{:.4f}"),
        ("HD95", found.hd95_mm, "{:.2f} mm"),
        ("Mean surface distance", found.mean_mm, "{:.2f} mm"),
        ("Shift of the centroid", found.shift_mm, "{:.2f} mm"),
    )
    said += [(name, form.format(value)) for name, value, form in measured if value is not None]
    return (*said, *_score_lines(found))


SHOWN_SCORES = 8
"""Slices whose scores are shown before the rest is counted."""


def _score_lines(found: Difference) -> list[tuple[str, str]]:
    said = [
        (
            f"Score, plane {one.plane}, slice {one.slice_index}",
            f"{_entry(one.a)} in a, {_entry(one.b)} in b",
        )
        for one in found.scores[:SHOWN_SCORES]
    ]
    more = len(found.scores) - SHOWN_SCORES
    return said + [("Scores", f"... and {counted(more, 'more slice')}")] * (more > 0)


def _entry(entry: dict[str, str | None] | None) -> str:
    if entry is None:
        return "none"
    said = [entry.get("score") or "no score", entry.get("comment") or ""]
    return ", ".join(part for part in said if part)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _volume_count(side: Any) -> int:
    """Return how many volumes a data set, a plan or a target has."""
    return len(side.volumes() if isinstance(side, Volumes) else side.items)


class CompareModel(HasTraits):
    """A comparison, step by step; each button of the view is one of the methods.

    ``a`` and ``b`` are those of :class:`nifti_kit.widgets.Compare`; ``api`` returns a
    ``supervisely.Api`` when a person connects, by default that of the environment.
    """

    # What :func:`nifti_kit.compare` returned; None until then, and as soon as a side changes.
    comparison = AnyTrait()
    chosen = AnyTrait()  # the difference that is shown, or None
    # Both sides of the chosen row, at its worst place; None where there is no picture.
    viewer = AnyTrait()
    viewer_error = Unicode()  # why there is none
    blockers = List(Unicode())  # why no comparison can be made now
    revision = Int()  # counts the changes of the sides

    def __init__(self, a: Any = "", b: Any = "", *, api: Callable[[], Any] | None = None) -> None:
        super().__init__()
        # What is compared (:class:`nifti_kit.widgets.compare.sides.SidePicker`).
        self.a, self.b = SidePicker(a, api=api), SidePicker(b, api=api)
        # A row for each difference, worst first; choosing one shows its pictures.
        self.table = Table(COLUMNS, page_size=ROWS)
        # The tasks: the comparison, and the reading of a row's volume.
        self.comparing, self.opening = Task(), Task()
        self._turn = RLock()
        self._basis = (0, 0)
        self._shown: Difference | None = None
        self._pair: VolumePair | None = None
        for side in (self.a, self.b):
            side.observe(self._forget, "revision")
            side.observe(self._refresh, "blockers")
        self.comparing.observe(self._refresh, "state")
        self.opening.observe(self._open_on, "state")
        self.table.observe(self._choose, "selected")
        self._refresh()

    def compare(self) -> Task:
        """Compare the two sides, in a thread; files are read first where they were not.

        Raises NiftiKitError if something is missing: see ``blockers``.
        """
        refuse(self.blockers, "the comparison", NiftiKitError)
        self._clear()
        self.comparing.start(self._compared, then=self._keep)
        return self.comparing

    def cancel(self) -> None:
        """End what is under way before the next volume."""
        for task in (self.comparing, self.opening):
            task.cancel()

    def choose(self, row: int) -> None:
        """Show a difference by its place (from 0, worst first), as a click on its row does.

        Raises NiftiKitError if there is no such difference.
        """
        count = len(self.table.rows)
        if not 0 <= row < count:
            raise NiftiKitError(
                "there is no such difference",
                found=row,
                expected=f"0 to {count - 1}" if count else "none, for there is no difference",
            )
        self.table.select(str(row))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the comparison: ``.html`` (a page with pictures), ``.csv`` or ``.json``.

        Raises NiftiKitError if there is none yet, or the file cannot be written.
        """
        refuse(self.save_blockers, "saving", NiftiKitError)
        self.comparison.save(path_of(os.fspath(path)))

    def join(self) -> None:
        """Wait for all that is under way, and raise what failed: for runs without a person."""
        join(*self.a.tasks, *self.b.tasks, self.comparing, self.opening)

    @property
    def save_blockers(self) -> list[str]:
        """Why there is nothing to save."""
        return [] if self.comparison is not None else ["There is no comparison yet."]

    @property
    def summary(self) -> str:
        """What came of it, in one line."""
        if self.comparison is None:
            return "" if self.comparing.is_running else "Nothing is compared yet."
        return f"{self.comparison.title()}."

    @property
    def lines(self) -> list[str]:
        """What could not be paired or compared, in words; and what else is to be known."""
        found = self.comparison
        if found is None:
            return []
        return [*(f"Not compared: {line}" for line in found.incomplete), *found.notes]

    def _compared(self, ticket: Ticket) -> Comparison:
        self._basis = self._revisions
        sides = [side.taken(ticket) for side in (self.a, self.b)]
        ticket.tell(0.0, "Pairing the volumes ...")
        most = max(1, min(map(_volume_count, sides)))

        def told(at: int, pair: VolumePair) -> None:
            said = f"Comparing {pair.name} (volume {at + 1} of {most} at most) ..."
            ticket.tell(at / most, said)

        return compare(*sides, on_volume=told)

    def _keep(self, found: Comparison) -> None:
        with self._turn:
            if self._basis != self._revisions:
                return  # a side has changed meanwhile
            self.table.rows = tuple(
                difference_row(place, one) for place, one in enumerate(found.differences)
            )
            self.comparison = found
            if found.differences:
                self.choose(0)

    @property
    def _revisions(self) -> tuple[int, int]:
        return self.a.revision, self.b.revision

    def _forget(self, _: Any = None) -> None:
        """Let go of what was found: a side has changed."""
        self.cancel()
        self._clear()
        self.revision += 1

    def _clear(self) -> None:
        with self._turn:
            self.table.rows = ()
            self.comparison = self.chosen = self.viewer = None
            self._shown = self._pair = None
            self.viewer_error = ""

    def _refresh(self, _: Any = None) -> None:
        busy = ["The comparison is under way."] * self.comparing.is_running
        sides = [
            f"{word}: {blocker}"
            for word, side in (("a", self.a), ("b", self.b))
            for blocker in side.blockers
        ]
        self.blockers = busy or sides

    # The pictures of a row

    def _choose(self, change: Any) -> None:
        comparison, key = self.comparison, change["new"]
        found = comparison.differences[int(key)] if comparison is not None and key else None
        self.chosen, self.viewer_error = found, ""
        if found is not None:
            self.opening.start(self._open)

    def _open(self, ticket: Ticket) -> None:
        """Show differences until the one that is chosen by then is there."""
        while (found := self.chosen) is not None and found is not self._shown:
            self._shown = found
            ticket.tell(0.0, f"Opening {found.volume} ...")
            error = self._viewed(found)
            if found is self.chosen:
                self.viewer_error = error

    def _viewed(self, found: Difference) -> str:
        """Bring a difference into the viewer; return why that is not possible."""
        comparison = self.comparison
        if found.pair is None or comparison is None:
            self.viewer = self._pair = None
            return NOT_IN_BOTH
        try:
            if found.pair is not self._pair:
                self.viewer = self._pair = None  # before the next one is read
            viewer: ViewerModel = self.viewer or opened(found.pair)
            show(viewer, comparison, found)
        except NiftiKitError as error:
            self.viewer = self._pair = None
            return str(error)
        with self._turn:
            if self.comparison is not None and found.pair in self.comparison.pairs:
                self.viewer, self._pair = viewer, found.pair
        return ""

    def _open_on(self, change: Any) -> None:
        """Show what a person chose at the moment at which the last row was there."""
        left = self.chosen is not None and self.chosen is not self._shown
        if change["new"] in ("done", "cancelled") and left:
            self.opening.start(self._open)
