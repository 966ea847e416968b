"""The model of ``Uploader``: plan, upload, receipt and proof, as a person goes through them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Bool, Enum, HasTraits, List, Tuple, Unicode

from nifti_kit.core.findings import Findings, Waiver
from nifti_kit.core.text import counted
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.errors import NiftiKitError, PlanBlocked
from nifti_kit.formats.mappings import Mapping
from nifti_kit.plans.matching import match
from nifti_kit.plans.plan import Plan, plan
from nifti_kit.targets.target import EXISTING, Target
from nifti_kit.transfer.landed import LandedItem
from nifti_kit.transfer.proof import Proof
from nifti_kit.transfer.receipt import Receipt
from nifti_kit.transfer.upload import own_journal, upload
from nifti_kit.transfer.verification import verify
from nifti_kit.transfer.workers import Progress
from nifti_kit.widgets.parts.acts import join
from nifti_kit.widgets.parts.findings import FindingsTable
from nifti_kit.widgets.parts.mending import Mending
from nifti_kit.widgets.parts.sources import CHOICES, SourcePicker
from nifti_kit.widgets.parts.targets import TargetPicker
from nifti_kit.widgets.parts.tasks import Task, Ticket
from nifti_kit.widgets.upload.changes import ChangesPanel
from nifti_kit.widgets.upload.tables import PlanTables, there_lines, title

PAIRINGS = {
    "auto": "the mapping that was given, else mapping.json of the source, else names and grids",
    "source": "mapping.json of the source",
    "match": "names and grids",
}
"""What says which volume of the target an annotation belongs to."""


class PlanModel(HasTraits):
    """A plan in the making.

    Parameters
    ----------
    source
        A path, or a dataset that :func:`nifti_kit.scan` or a repair returned.
    target
        Where to land, such as :class:`nifti_kit.ProjectFolder`; chosen in the view if None.
    mapping
        For annotations alone: a mapping, or the path of a ``mapping.json``.
    waive
        What is accepted: codes of findings, or pairs of a code and a file.
    api
        Returns a ``supervisely.Api`` when a person connects; that of the environment by default.

    Attributes
    ----------
    source, target, findings, plan_tables
        The parts that make choices and show them.
    pairing
        For annotations alone: one of ``PAIRINGS``.
    planned
        What :func:`nifti_kit.plan` returned, with what is accepted; None until then.
    digest
        What receipts of the plan are named by; it does not depend on what is accepted.
    planning
        The task.
    plan_blockers
        Why no plan can be made now.
    """

    pairing = Enum(tuple(PAIRINGS), "auto")
    planned = AnyTrait()
    plan_blockers = List(Unicode())

    def __init__(
        self,
        source: str | os.PathLike[str] | Dataset = "",
        target: Any = None,
        *,
        mapping: Mapping | str | os.PathLike[str] | None = None,
        waive: Iterable[Waiver] = (),
        api: Callable[[], Any] | None = None,
        **traits: Any,
    ) -> None:
        super().__init__(**traits)
        self.source = _picker(source)
        self.target = TargetPicker(target, api=api)
        self.findings = FindingsTable(waive=waive)
        self.mending = Mending(self.source, self.findings)
        self.plan_tables = PlanTables()
        self.planning = Task()
        self.mapping = mapping or None
        self._read = self._choices if isinstance(source, Dataset) else ()
        self._basis: tuple[Any, ...] = ()
        self._made: Plan | None = None
        self.digest = ""
        self._watch()
        self._refresh()

    def _watch(self) -> None:
        self.source.observe(self._refresh, ["path", *CHOICES])
        self.source.observe(self._note_read, "dataset")
        self.mending.observe(self._plan_anew, "steps")
        self.target.observe(self._refresh, ["target", "blockers"])
        self.findings.observe(self._accept, "waive")
        self.observe(self._refresh, "pairing")
        for task in (self.source.task, self.planning):
            task.observe(self._refresh, "state")

    def plan(self) -> Task:
        """Work out what will land, in a thread; the source is read first where it was not.

        Raises
        ------
        PlanBlocked
            If something is missing: see ``plan_blockers``.
        """
        _refuse("no plan can be made", self.plan_blockers)
        self.planned, self._made, self._basis = None, None, ()
        self.findings.show(())
        self.plan_tables.show(None)
        self.planning.start(self._plan, then=self._show)
        return self.planning

    def waive(self, *accepted: Waiver) -> None:
        """Accept findings, by code or by (code, file): they stay on record, and block no more."""
        for one in accepted:
            self.findings.set_waived(one, True)

    def take_back(self, *accepted: Waiver) -> None:
        """Accept some findings no longer."""
        for one in accepted:
            self.findings.set_waived(one, False)

    @property
    def summary(self) -> str:
        """What will land, in one line."""
        return "" if self.planned is None else title(self.planned)

    @property
    def is_annotations(self) -> bool:
        """Whether the source holds annotations for volumes that are on the target."""
        dataset = self.source.dataset
        return dataset is not None and dataset.layout == "annotations"

    @property
    def is_stale(self) -> bool:
        """Whether source, target or mapping have changed since the plan was made."""
        return self.planned is not None and self._basis != self._basis_now()

    def _plan(self, ticket: Ticket) -> Plan:
        if self._read != self._choices:
            ticket.tell(0.0, "Reading names and headers ...")
            self.source.scan()
            self.source.join()
        ticket.check()
        dataset, target = self.source.dataset, self.target.target
        basis = self._basis_now()
        ticket.tell(0.0, "Reading the masks, and what is on the target ...")

        def told(at: int, item: Item) -> None:
            ticket.tell(at / len(dataset.items), f"Reading the masks of {item.name} ...")

        mapping = self._mapping(dataset, target)
        made = plan(dataset, mapping=mapping, target=target, on_item=told)
        ticket.check()
        self._basis, self.digest = basis, made.digest
        self.findings.show(made.findings, dataset)
        return made

    def _mapping(self, dataset: Dataset, target: Any) -> Any:
        """Return which volume each annotation belongs to; None leaves it to the source's file."""
        if dataset.layout != "annotations" or self.pairing == "source":
            return None
        if self.pairing == "auto" and self.mapping is not None:
            return self.mapping
        if self.pairing == "auto" and dataset.mapping is not None:
            return None
        return match(dataset, target.volumes())

    def _show(self, made: Plan) -> None:
        self._made = made
        self.plan_tables.show(made)
        self._accept()

    def _accept(self, _: Any = None) -> None:
        """Put what a person accepts into the plan; nothing is read again."""
        if self._made is not None:
            accepted = self.findings.waive
            known = Findings(self._made.findings, accepted)
            origin = replace(
                self._made.provenance, waivers=accepted, reasons=dict(self.findings.reasons)
            )
            self.planned = replace(self._made, findings=known, waive=accepted, provenance=origin)
        self._refresh()

    def _plan_anew(self, _: Any) -> None:
        """Make the plan of a mended data set at once: what is left to do is seen in it."""
        if self.mending.is_taking and self.is_stale and not self.plan_blockers:
            self.plan()

    def _note_read(self, change: Any) -> None:
        self._read = () if change["new"] is None else self._choices
        self._refresh()

    @property
    def _choices(self) -> tuple[str, ...]:
        source = self.source
        return source.path, *(getattr(source, name) for name in CHOICES)

    def _basis_now(self) -> tuple[Any, ...]:
        return self._choices, self.source.dataset, self.target.target, self.pairing

    @property
    def _busy(self) -> list[str]:
        """Say what is under way."""
        if self.planning.is_running:
            return ["The plan is being made."]
        return ["The source is being read."] if self.source.task.is_running else []

    def _refresh(self, _: Any = None) -> None:
        self.plan_blockers = self._busy or [*self._source_blockers, *self.target.blockers]

    @property
    def _source_blockers(self) -> list[str]:
        return [] if self._read == self._choices else self.source.scan_blockers


def _refuse(what: str, blockers: list[str]) -> None:
    """Raise what a disabled button would say: all that is in the way."""
    if blockers:
        raise PlanBlocked(what, found=" ".join(blockers))


def _picker(source: str | os.PathLike[str] | Dataset) -> SourcePicker:
    if not isinstance(source, Dataset):
        return SourcePicker(source)
    picker = SourcePicker(source.source.given)
    picker.dataset = source
    return picker


# What an upload leaves besides data: its receipt and proof, and what to say of it

FORMS = (".json", ".html")
"""A receipt is kept for programs and for people."""

RECEIPTS = "nifti_kit_receipts"
"""The folder for receipts, in the current one, where the target is none on disk."""


def share_done(progress: Progress) -> float:
    """Return how much of an upload is done (0 to 1), volumes and objects alike."""
    total = progress.items_total + progress.objects_total
    return (progress.items_done + progress.objects_done) / total if total else 1.0


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
    folder = Path(os.path.expanduser(out)) if out else Path(RECEIPTS)  # noqa: PTH111  (Path's raises)
    if not out and target.path is not None:
        folder = _beside(target.path, "receipts")
    saved: list[str] = []
    trouble: list[str] = []
    for form in FORMS:
        file = folder / f"{what}_{digest}{form}"
        try:
            result.save(file)
        except NiftiKitError as error:
            trouble.append(f"The {what} was not saved: {error}")
        else:
            saved.append(str(file))
    return saved, trouble


def verify_by_item(receipt: Receipt, target: Any, ticket: Ticket) -> Proof:
    """Return the proof of a receipt, made volume by volume: it can be cancelled between two."""
    total = len(receipt.items)

    def told(at: int, item: LandedItem) -> None:
        ticket.tell(at / total, f"Comparing {item.volume.name} with its source ...")

    proof = verify(receipt, target, on_item=told)
    ticket.tell(1.0, f"Compared {counted(total, 'volume')} with the source.")
    return proof


def _beside(path: Path, what: str) -> Path:
    whole = path.resolve()
    return whole.with_name(f"{whole.name}.{what}")


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
    options
        ``mapping``, ``waive``, ``api``: as ``PlanModel`` has them.

    Attributes
    ----------
    receipt, proof
        What :func:`nifti_kit.upload` and :func:`nifti_kit.verify` returned; None until then.
    progress
        How far the upload is, or was when it ended.
    landing, checking
        The tasks: upload and verification.
    replacing, since
        What ``existing="replace"`` would change, and what was changed since the upload
        (:class:`nifti_kit.widgets.upload.changes.ChangesPanel`).
    has_landed
        Whether all of the plan is on the target.
    blockers, verify_blockers
        Why the buttons are disabled.
    outcome
        What an upload came to that did not end well, in sentences.
    saved
        The files of receipt and proof.
    """

    existing = Enum(EXISTING, "error")
    out = Unicode()
    progress = AnyTrait()
    receipt = AnyTrait()
    proof = AnyTrait()
    has_landed = Bool()
    blockers = List(Unicode())
    verify_blockers = List(Unicode())
    outcome = List(Unicode())
    saved = Tuple()

    def __init__(
        self,
        source: str | os.PathLike[str] | Dataset = "",
        target: Any = None,
        *,
        existing: str = "error",
        out: str | os.PathLike[str] = "",
        **options: Any,
    ) -> None:
        self.landing, self.checking = Task(), Task()
        self.replacing, self.since = ChangesPanel(), ChangesPanel()
        self._landed_on: Any = None
        self._digest = ""
        super().__init__(source, target, existing=existing, out=os.fspath(out), **options)

    def _watch(self) -> None:
        super()._watch()
        self.landing.observe(self._ended, "state")
        self.checking.observe(self._refresh, "state")
        self.observe(self._refresh, ["planned", "receipt"])
        self.observe(self._ask, "existing")

    def plan(self) -> Task:
        """Work out what will land, in a thread; the source is read first where it was not."""
        task = super().plan()
        self.has_landed, self.outcome = False, []
        return task

    def upload(self) -> Task:
        """Land the plan, in a thread; after a cancel or a failure the same call goes on.

        Raises
        ------
        PlanBlocked
            If something is in the way: see ``blockers``.
        """
        _refuse("the upload cannot begin", self.blockers)
        self.replacing.forget()
        self.since.forget()
        self.receipt = self.proof = self.progress = None
        self.saved, self.outcome = (), []
        self._landed_on, self._digest = self.target.target, self.digest
        self.landing.start(partial(self._land, self.planned), then=self._landed)
        return self.landing

    def cancel(self) -> None:
        """End what is under way at the next safe point; what has landed stays."""
        for task in self._tasks:
            task.cancel()

    def show_changes(self) -> Task:
        """Look for what ``existing="replace"`` would change, object by object, in a thread.

        Raises
        ------
        PlanBlocked
            If there is nothing to look at: see ``changes_blockers``.
        """
        _refuse("nothing can be compared", self.changes_blockers)
        return self.replacing.ask(self.planned, self.target.target)

    def show_changes_since(self) -> Task:
        """Look for what people have changed on the target since the upload, in a thread.

        Raises
        ------
        PlanBlocked
            If nothing has landed: see ``since_blockers``.
        """
        _refuse("nothing can be compared", self.since_blockers)
        return self.since.ask(self.receipt, self._landed_on)

    @property
    def changes_blockers(self) -> list[str]:
        """Why it cannot be said now what would be replaced."""
        if self.planned is None:
            return ["Make the plan first."]
        if self.is_stale:
            return ["Make the plan again: it is for another choice."]
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

        Raises
        ------
        PlanBlocked
            If there is nothing to verify: see ``verify_blockers``.
        """
        _refuse("nothing can be verified", self.verify_blockers)
        self.proof = None
        compare = partial(verify_by_item, self.receipt, self._landed_on)
        self.checking.start(compare, then=self._proved)
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
        return "" if self._landed_on is None else self._landed_on.where

    @property
    def resumes(self) -> bool:
        """Whether an earlier upload of this source to this target has not ended."""
        if self.planned is None or self.target.target is None:
            return False
        journal = own_journal(self.target.target, self.planned)
        return journal is not None and journal.exists()

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

    def _land(self, planned: Plan, ticket: Ticket) -> Receipt:
        ticket.tell(0.0, "Looking at what is there ...")

        def told(progress: Progress) -> None:
            self.progress = progress
            ticket.tell(share_done(progress), str(progress))

        return upload(planned, self._landed_on, existing=self.existing, on_progress=told)

    def _landed(self, receipt: Receipt) -> None:
        self.receipt, self.has_landed = receipt, True
        self._save("receipt", receipt)

    def _proved(self, proof: Proof) -> None:
        self.proof = proof
        self._save("proof", proof)

    def _save(self, what: str, result: Receipt | Proof) -> None:
        paths, trouble = save_both(result, what, self._digest, self._landed_on, self.out)
        self.saved = (*self.saved, *paths)
        self.outcome = [*self.outcome, *trouble]

    def _ended(self, change: Any) -> None:
        if change["new"] in ("cancelled", "failed"):
            self.outcome = [landed_text(self.progress)]
        if not self.landing.is_running:
            self.target.folder.look()
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
        if self.planned is None or self.is_stale:
            self.replacing.forget()
        self.blockers = self._busy or self._upload_blockers
        nothing = [] if self.receipt is not None else ["Nothing has been uploaded yet."]
        self.verify_blockers = self._busy or nothing

    @property
    def _upload_blockers(self) -> list[str]:
        planned = self.planned
        if planned is None:
            return [*self.plan_blockers, "Make the plan first."]
        if self.is_stale:
            return [
                *self.plan_blockers,
                "Make the plan again: source, target or mapping have changed since.",
            ]
        if self.has_landed:
            return ["This plan has landed. To upload once more, make the plan again."]
        return [*self.target.blockers, *_in_the_way(planned), *_nothing_to_land(planned)] or (
            _no_dataset(planned, self.target.target)
        )


def _in_the_way(planned: Plan) -> list[str]:
    """Name the codes of the errors that nobody accepted."""
    groups = planned.findings.errors.by_code()
    said = [
        f"{code}: {counted(len(group), 'error')} in the way. "
        "Mend the files, or accept code or file."
        for code, group in groups.items()
    ]
    more = len(said) - SHOWN_CODES
    return said[:SHOWN_CODES] + [f"... and {counted(more, 'more code')}"] * (more > 0)


def _nothing_to_land(planned: Plan) -> list[str]:
    return ["The plan is empty: nothing would land."] if planned.is_empty else []


def _no_dataset(planned: Plan, target: Target) -> list[str]:
    """Say that new volumes need a dataset, where the target is a whole project."""
    if not target.has_dataset and any(item.volume_id is None for item in planned.items):
        return ["New volumes need a dataset: name one at the target."]
    return []
