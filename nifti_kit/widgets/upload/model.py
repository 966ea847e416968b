"""The model of ``Uploader``: plan, upload, receipt and proof, as a person goes through them."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Bool, Enum, List, Tuple, Unicode

from nifti_kit.core.findings import Findings
from nifti_kit.core.text import counted, listed
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.errors import NiftiKitError
from nifti_kit.plans.plan import Plan, origin_of
from nifti_kit.targets.records import PlannedItem
from nifti_kit.targets.target import EXISTING, Target
from nifti_kit.transfer.journal import Unfinished, unfinished
from nifti_kit.transfer.landed import LandedItem
from nifti_kit.transfer.proof import Proof
from nifti_kit.transfer.receipt import Receipt
from nifti_kit.transfer.saved_receipt import read_receipt
from nifti_kit.transfer.upload import own_journal, upload
from nifti_kit.transfer.verification import verify
from nifti_kit.transfer.workers import Progress
from nifti_kit.widgets.parts.acts import join, path_of
from nifti_kit.widgets.parts.sources import SourcePicker
from nifti_kit.widgets.parts.tasks import BySize, Task, Ticket
from nifti_kit.widgets.upload.changes import ChangesPanel
from nifti_kit.widgets.upload.planning import PlanModel, refuse
from nifti_kit.widgets.upload.tables import there_lines

# What an upload leaves besides data: its receipt and proof, and what to say of it

FORMS = (".json", ".html")
"""A receipt is kept for programs and for people."""

RECEIPTS = "nifti_kit_receipts"
"""The folder for receipts, in the current one, where the target is none on disk."""


def landed_text(progress: Progress | None) -> str:
    """Return what has landed when an upload ended before its end, and what to do."""
    again = "Press Upload again: it goes on from there, nothing lands twice."
    if progress is None or not progress.items_done:
        return f"No volume has landed whole. {again}"
    one = progress.items_done == 1
    volumes = f"{progress.items_done:,} of {counted(progress.items_total, 'volume')}"
    return f"{volumes} {'has' if one else 'have'} landed whole, and stay{'s' * one}. {again}"


def save_both(
    result: Receipt | Proof, what: str, digest: str, target: Target, out: str
) -> tuple[list[str], list[str]]:
    """Save a receipt or a proof as JSON and as a page; return the paths, and what went wrong.

    The name is that of the plan: the same plan again replaces its own receipt only.
    """
    saved: list[str] = []
    trouble: list[str] = []
    for form in FORMS:
        file = receipt_path(what, digest, target, out).with_suffix(form)
        try:
            result.save(file)
        except NiftiKitError as error:
            trouble.append(f"The {what} was not saved: {error}")
        else:
            saved.append(str(file))
    return saved, trouble


def receipt_path(what: str, digest: str, target: Target, out: str) -> Path:
    """Return where a receipt or a proof of a plan is saved, as JSON."""
    folder = path_of(out) if out else Path(RECEIPTS)
    if not out and target.path is not None:
        whole = target.path.resolve()
        folder = whole.with_name(f"{whole.name}.receipts")
    return folder / f"{what}_{digest}.json"


def verify_by_item(landed: Receipt | Plan, target: Any, ticket: Ticket) -> Proof:
    """Return the proof of a receipt, or of a plan that landed earlier, volume by volume."""
    items = [one.planned if isinstance(one, LandedItem) else one for one in landed.items]
    told = BySize(ticket, map(_size, items), lambda item: f"Comparing {_name(item)}")
    proof = verify(landed, target, on_item=told, on_voxels=told.more)
    ticket.tell(1.0, f"Compared {counted(len(items), 'volume')} with the source.")
    return proof


def _name(item: LandedItem | PlannedItem) -> str:
    name = item.volume.name if isinstance(item, LandedItem) else item.name
    return f"{name} with its source"


def _size(item: PlannedItem) -> int:
    """Return how many bytes are compared of an item, unpacked: its volume, and its masks' files."""
    return sum(image.nbytes for image in item.images)


KEEP_OPEN = (
    "Keep this page open until the upload has ended. Should it close before, open the same "
    "notebook again: the upload goes on, and nothing lands twice."
)

SHOWN_FILES = 3
"""Files that a line names before it counts the rest."""

ELSEWHERE = "This is of the source and target before: those above have changed since."
"""What is said of work that ended under other choices than those that it began with."""

SHOWN_CODES = 6
"""Codes in the way that are named one by one before the rest is counted."""


class UploadModel(PlanModel):
    """An upload, step by step; each button of the view is one of the methods.

    Parameters
    ----------
    source, target
        As :class:`nifti_kit.widgets.upload.model.PlanModel` has them.
    existing
        What to do with what is there: see ``nifti_kit.widgets.upload.tables.EXISTING_HELP``.
    out
        The folder for receipts and proofs; by default one beside the project.
    looking
        The look at every voxel that is waited for, where there is one.
    options
        ``mapping``, ``waive``, ``api``: as ``PlanModel`` has them.

    Attributes
    ----------
    receipt, proof
        What :func:`nifti_kit.upload` and :func:`nifti_kit.verify` returned; None until then, and
        as soon as source, target or mapping are others.
    """

    existing = Enum(EXISTING, "error")
    out = Unicode()
    progress = AnyTrait()  # how far the upload is, or was when it ended
    receipt = AnyTrait()
    proof = AnyTrait()
    has_landed = Bool()  # whether all of the plan is on the target
    # Why the buttons are disabled.
    blockers = List(Unicode())
    verify_blockers = List(Unicode())
    outcome = List(Unicode())  # what an upload came to that did not end well, in sentences
    saved = Tuple()  # the files of receipt and proof

    def __init__(
        self,
        source: str | os.PathLike[str] | Dataset | SourcePicker = "",
        target: Any = None,
        *,
        existing: str = "error",
        out: str | os.PathLike[str] = "",
        looking: Task | None = None,
        **options: Any,
    ) -> None:
        self.landing, self.checking = Task(), Task()  # upload and verification
        self.looking = looking or Task()  # what reads every voxel: an upload waits for it
        # What ``existing="replace"`` would change, and what was changed since the upload.
        self.replacing, self.since = ChangesPanel(), ChangesPanel()
        self._landed_on: Any = None
        self._landed_of: tuple[Any, ...] = ()
        self._kept_receipt: tuple[Any, str] = (None, "")
        self._digest = ""
        super().__init__(source, target, existing=existing, out=os.fspath(out), **options)

    def _watch(self) -> None:
        super()._watch()
        self.looking.observe(self._refresh, "state")
        self.landing.observe(self._ended, "state")
        self.checking.observe(self._ended, "state")
        self.observe(self._refresh, ["planned", "receipt"])
        self.observe(self._ask, "existing")

    def upload(self) -> Task:
        """Land the plan, in a thread; after a cancel or a failure the same call goes on.

        Raises PlanBlocked if something is in the way: see ``blockers``.
        """
        refuse("the upload cannot begin", self.blockers)
        self._accept()
        self.replacing.forget()
        self._forget()
        self._landed_on, self._digest = self.target.target, self.digest
        self._landed_of = self._basis_now()
        land = partial(self._land, self.planned, self.existing)
        self.landing.start(land, then=partial(self._ended_well, "receipt"))
        return self.landing

    def cancel(self) -> None:
        """End what is under way at the next safe point; what has landed stays."""
        for task in self._tasks:
            task.cancel()

    def show_changes(self) -> Task:
        """Look for what ``existing="replace"`` would change, object by object, in a thread.

        Raises PlanBlocked if there is nothing to look at: see ``changes_blockers``.
        """
        refuse("nothing can be compared", self.changes_blockers)
        return self.replacing.ask(self.planned, self.target.target)

    def show_changes_since(self) -> Task:
        """Look for what people have changed on the target since the upload, in a thread.

        Raises PlanBlocked if nothing has landed: see ``since_blockers``.
        """
        refuse("nothing can be compared", self.since_blockers)
        return self.since.ask(self.receipt, self._landed_on)

    @property
    def changes_blockers(self) -> list[str]:
        """Why it cannot be said now what would be replaced."""
        if self.is_stale:
            return ["Make the plan again: it is for another choice."]
        if self.planned is None:
            return ["Make the plan first."]
        if self.landing.is_running:
            return ["An upload is under way."]
        return [] if self.there else ["Nothing of this was there when the plan was made."]

    @property
    def since_blockers(self) -> list[str]:
        """Why it cannot be said now what was changed since the upload."""
        if self.landing.is_running:
            return ["An upload is under way."]
        return [] if self.receipt is not None else ["Nothing has been uploaded yet."]

    def verify(self) -> Task:
        """Read everything back and compare it with the source, voxel by voxel, in a thread.

        Raises PlanBlocked if there is nothing to verify: see ``verify_blockers``.
        """
        refuse("nothing can be verified", self.verify_blockers)
        self.proof = None
        if self.receipt is None:  # it landed before this page was opened
            self._landed_on, self._digest = self.target.target, self.digest
            self._landed_of = self._basis_now()
        compare = partial(verify_by_item, self.receipt or self.planned, self._landed_on)
        self.checking.start(compare, then=partial(self._ended_well, "proof"))
        return self.checking

    def join(self) -> None:
        """Wait for all that is under way, and raise what failed: for runs without a person."""
        join(self.source.task, self.target.task, *self._tasks)

    @property
    def there(self) -> list[str]:
        """What is on the target already, and what ``existing`` makes of it."""
        return [] if self.planned is None else there_lines(self.planned, self.existing)

    @property
    def link(self) -> str:
        """Where what has landed can be looked at: a web address, or the project's folder."""
        return "" if self.receipt is None else str(self._landed_on.where)

    @property
    def closing(self) -> str:
        """Whether the page can be closed; empty where nothing has been begun."""
        if self.landing.is_running:
            return KEEP_OPEN
        if self.checking.is_running:
            return "All has landed: this page can be closed. The proof would be made anew then."
        if self.receipt is None:
            return ""
        if self.saved:
            return "This page can be closed: all has landed, and the receipt is saved."
        return "All has landed. The receipt is on this page alone: save it before you close it."

    @property
    def unfinished(self) -> Unfinished | None:
        """The earlier upload of this source to this target that has not ended; None for none.

        The plan need not be made: a notebook that is opened again says it at once.
        """
        target, place = self.target.target, self.source.place
        known = getattr(target, "journals", None)  # of no target, and where none are kept: None
        if known is None or not place or self.landing.is_running:
            return None
        journal = own_journal(target, origin_of(Path(place)))
        return None if journal is None else unfinished(journal)

    @property
    def resumes(self) -> bool:
        """Whether an earlier upload of this source to this target has not ended."""
        return self.unfinished is not None

    @property
    def going_on(self) -> list[str]:
        """What is to be known of earlier uploads of this source to this target."""
        left = self.unfinished
        if left is not None and not self.outcome:
            first = "" if self.planned is not None else "make the plan, then "
            return [f"{left}: {first}Upload goes on from there, and nothing lands twice."]
        if self.earlier is not None:
            return [f"This plan has landed here before ({self.earlier}). Verify reads it back."]
        return []

    @property
    def earlier(self) -> Path | None:
        """The saved receipt of an earlier upload of this plan to this target; None for none."""
        if self.planned is None or self.receipt is not None or self.landing.is_running:
            return None
        file = receipt_path("receipt", self.digest, self.target.target, self.out)
        return file if self._target_in(file) == repr(self.target.target) else None

    def _target_in(self, file: Path) -> str:
        """Return the target that a saved receipt names, read once; empty where there is none."""
        try:
            stamp = (file, file.stat().st_mtime_ns)
            if self._kept_receipt[0] != stamp:
                self._kept_receipt = stamp, read_receipt(file).target
        except (NiftiKitError, OSError):
            return ""
        return self._kept_receipt[1]

    @property
    def _tasks(self) -> tuple[Task, ...]:
        own = (self.mending.task, self.planning, self.landing, self.checking)
        return (*own, self.replacing.task, self.since.task)

    def _show(self, made: Plan) -> None:
        super()._show(made)
        self._ask()

    def _ask(self, _: Any = None) -> None:
        """Say what would go, as soon as a person chooses that it goes."""
        if (
            self.existing == "replace"
            and not self.changes_blockers
            and self.replacing.found is None
        ):
            self.show_changes()

    def _land(self, planned: Plan, existing: str, ticket: Ticket) -> Receipt:
        ticket.tell(0.0, "Looking at what is there ...")

        def told(progress: Progress) -> None:
            self.progress = progress
            said = replace(progress, seconds_left=None)  # the task says how long it takes
            ticket.tell(progress.share, f"{said} ...")

        return upload(planned, self._landed_on, existing=existing, on_progress=told)

    def _ended_well(self, what: str, result: Receipt | Proof) -> None:
        """Keep a receipt or a proof on disk; show it where it is of what is chosen by now."""
        paths, trouble = save_both(result, what, self._digest, self._landed_on, self.out)
        if self._is_elsewhere:
            kept = [f"Saved: {path}" for path in paths]
            self.outcome = [f"{result.title()}. {ELSEWHERE}", *kept, *trouble]
            return
        setattr(self, what, result)
        self.has_landed |= what == "receipt"
        self.saved = (*self.saved, *paths)
        self.outcome = [*self.outcome, *trouble]

    @property
    def _is_elsewhere(self) -> bool:
        """Whether what was uploaded is of other choices than those of now."""
        return self._landed_of != self._basis_now()

    def _forget(self) -> None:
        """Take off the page what was made of other choices; what is on disk stays."""
        super()._forget()
        self.since.forget()
        self.receipt = self.proof = None
        self.saved, self.outcome, self.has_landed = (), [], False
        for task in (self.landing, self.checking):
            task.forget()
        if not self.landing.is_running:
            self.progress = None

    def _ended(self, change: Any) -> None:
        task = change["owner"]
        if task is self.landing and change["new"] in ("cancelled", "failed"):
            there = f" {ELSEWHERE}" * self._is_elsewhere
            self.outcome = [f"{landed_text(self.progress)}{there}"]
        if not task.is_running:
            self.target.folder.look()
            if self._is_elsewhere:
                task.forget()
        self._refresh()

    @property
    def _busy(self) -> list[str]:
        if self.landing.is_running:
            return ["An upload is under way."]
        if self.checking.is_running:
            return ["What has landed is being read back."]
        return super()._busy

    def _refresh(self, change: Any = None) -> None:
        super()._refresh(change)
        if self.planned is None:
            self.replacing.forget()
        self.blockers = self._busy or self._upload_blockers
        is_there = self.receipt is not None or self.earlier is not None
        nothing = [] if is_there else ["Nothing has been uploaded yet."]
        self.verify_blockers = self._busy or nothing

    @property
    def _upload_blockers(self) -> list[str]:
        planned = self.planned
        if self.is_stale:
            return [
                *self.plan_blockers,
                "Make the plan again: source, target or mapping have changed since.",
            ]
        if planned is None:
            return [*self.plan_blockers, "Make the plan first."]
        if self.has_landed:
            return ["This plan has landed. To upload once more, make the plan again."]
        if self.looking.is_running:
            return ["Every voxel is being read: what it says belongs to what lands. Wait for it."]
        left = self.unfinished
        if left is not None and left.is_running:
            return [f"{left}, in this or another notebook: wait until it has ended."]
        empty = ["The plan is empty: nothing would land."] if planned.is_empty else []
        there = [*self.target.blockers, *_in_the_way(planned), *empty]
        return there or _no_dataset(planned, self.target.target)


def _in_the_way(planned: Plan) -> list[str]:
    """Name the codes and files of the errors that nobody accepted."""
    groups = planned.findings.errors.by_code()
    said = [
        f"{code}: {counted(len(group), 'error')} in the way. {_way_on(group)}"
        for code, group in groups.items()
    ]
    more = len(said) - SHOWN_CODES
    return said[:SHOWN_CODES] + [f"... and {counted(more, 'more code')}"] * (more > 0)


def _way_on(group: Findings) -> str:
    """Return which files errors of a code are in, and what can be done."""
    files = dict.fromkeys(found.path for found in group if found.path)
    if not files:
        return f"{group[0].message}. {group[0].remedy}"
    return f"{listed(files, SHOWN_FILES)}. Mend the files, or accept code or file."


def _no_dataset(planned: Plan, target: Target) -> list[str]:
    """Say that new volumes need a dataset, where the target is a whole project."""
    if not target.has_dataset and any(item.volume_id is None for item in planned.items):
        return ["New volumes need a dataset: name one at the target."]
    return []
