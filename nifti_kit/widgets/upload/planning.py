"""The model of a plan in the making: source, target, what was found, what is accepted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Enum, HasTraits, List, Unicode

from nifti_kit.checks.measures import told_before
from nifti_kit.core.findings import Findings, Waiver
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.errors import PlanBlocked
from nifti_kit.formats.mappings import Mapping
from nifti_kit.plans.matching import match
from nifti_kit.plans.plan import Plan, plan
from nifti_kit.widgets.mending.model import Mending
from nifti_kit.widgets.parts.findings import FindingsTable
from nifti_kit.widgets.parts.sources import CHOICES, SourcePicker
from nifti_kit.widgets.parts.targets import TargetPicker
from nifti_kit.widgets.parts.tasks import BySize, Task, Ticket
from nifti_kit.widgets.upload.tables import PlanTables, title

PAIRINGS = {
    "auto": "the mapping that was given, else mapping.json of the source, else names and grids",
    "source": "mapping.json of the source",
    "match": "names and grids",
}
"""What says which volume of the target an annotation belongs to."""


class PlanModel(HasTraits):
    """A plan in the making.

    ``source``: a path, a dataset that :func:`nifti_kit.scan` or a repair returned, or a picker that
    several apps share.
    ``target``: where to land, such as :class:`nifti_kit.ProjectFolder`; chosen in the view if None.
    ``mending``: what was done to the source, where several apps share it.
    ``mapping``: for annotations alone: a mapping, or the path of a ``mapping.json``.
    ``waive``: what is accepted: codes of findings, or pairs of a code and a file.
    ``api``: returns a ``supervisely.Api`` when a person connects; that of the environment by
    default.
    """

    # For annotations alone: one of ``PAIRINGS``, and the mapping that was given, or None.
    pairing = Enum(tuple(PAIRINGS), "auto")
    mapping = AnyTrait()
    # What :func:`nifti_kit.plan` returned, with what is accepted; None until then, and while
    # source, target or mapping are others than those that it is for.
    planned = AnyTrait()
    plan_blockers = List(Unicode())  # why no plan can be made now

    def __init__(
        self,
        source: str | os.PathLike[str] | Dataset | SourcePicker = "",
        target: Any = None,
        *,
        mending: Mending | None = None,
        mapping: Mapping | str | os.PathLike[str] | None = None,
        waive: Iterable[Waiver] = (),
        api: Callable[[], Any] | None = None,
        **traits: Any,
    ) -> None:
        super().__init__(mapping=mapping or None, **traits)
        self.source = SourcePicker.of(source)
        self.target = TargetPicker(target, api=api)
        self.findings = FindingsTable(waive=waive)
        self.mending = mending or Mending(self.source, self.findings)
        self.plan_tables = PlanTables()
        self.planning = Task()  # the task
        self._basis: tuple[Any, ...] = ()
        self._made: Plan | None = None
        # What receipts of the plan are named by; it does not depend on what is accepted.
        self.digest = ""
        self._watch()
        self._refresh()

    def _watch(self) -> None:
        self.source.observe(self._chosen, ["path", *CHOICES, "dataset"])
        self.mending.observe(self._plan_anew, "steps")
        self.target.observe(self._chosen, "target")
        self.target.observe(self._refresh, "blockers")
        self.findings.observe(self._accept, "waive")
        self.observe(self._chosen, ["pairing", "mapping"])
        for task in (self.source.task, self.planning):
            task.observe(self._refresh, "state")

    def plan(self) -> Task:
        """Work out what will land, in a thread; the source is read first where it was not.

        Raises PlanBlocked if something is missing: see ``plan_blockers``.
        """
        refuse("no plan can be made", self.plan_blockers)
        self._forget()
        self._made, self._basis = None, ()
        self._present()
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
        return self._made is not None and self._basis != self._basis_now()

    def _plan(self, ticket: Ticket) -> Plan:
        if not self.source.is_read:
            ticket.tell(0.0, "Reading names and headers ...")
            self.source.scan()
            self.source.join()
        ticket.check()
        dataset, target = self.source.dataset, self.target.target
        basis = self.source.read, dataset, target, self.pairing, self.mapping
        ticket.tell(0.0, "Reading the masks, and what is on the target ...")

        sizes = (sum(mask.image.nbytes for mask in item.masks) for item in dataset.items)
        told = BySize(ticket, sizes, lambda item: f"Reading the masks of {item.name}")
        mapping = self.begin_of(dataset, target)
        made = plan(dataset, mapping=mapping, target=target, on_item=told)
        ticket.check()
        self._basis, self.digest = basis, made.digest
        return made

    def begin_of(self, dataset: Dataset, target: Any) -> Any:
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
        self._present()

    def _present(self) -> None:
        """Show the plan; none while it is for something else than what is chosen."""
        made = None if self.is_stale else self._made
        self.plan_tables.show(made)
        if made is None:
            self.findings.show(())
            self.planned = None
        else:
            self.findings.show(made.findings, self.source.dataset)
            self._accept()

    def _accept(self, _: Any = None) -> None:
        """Put what a person accepts into the plan; nothing is read again."""
        if self._made is not None and not self.is_stale:
            accepted = self.findings.waive
            told = self._made.findings
            # The voxels may have been looked at since the plan was made.
            since = [one for one in told_before(self.source.dataset) or () if one not in told]
            known = Findings([*told, *since], accepted)
            reasons = dict(self.findings.reasons)
            origin = replace(self._made.provenance, waivers=accepted, reasons=reasons)
            self.planned = replace(self._made, findings=known, waive=accepted, provenance=origin)
        self._refresh()

    def _chosen(self, _: Any = None) -> None:
        """Take off the page what was made of another source, target or mapping.

        A plan comes back with the choices that it is for: a letter too many costs nothing.
        """
        self._forget()
        if self._made is not None and self.is_stale == (self.planned is not None):
            self._present()
        self._refresh()

    def _plan_anew(self, _: Any) -> None:
        """Make the plan of a mended data set at once: what is left to do is seen in it."""
        if self.mending.is_taking and self.is_stale and not self.plan_blockers:
            self.plan()

    def _forget(self) -> None:
        """Let go of what was said of other choices."""
        self.planning.forget()

    def _basis_now(self) -> tuple[Any, ...]:
        source = self.source
        return source.chosen, source.dataset, self.target.target, self.pairing, self.mapping

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
        return [] if self.source.is_read else self.source.scan_blockers


def refuse(what: str, blockers: list[str]) -> None:
    """Raise what a disabled button would say: all that is in the way."""
    if blockers:
        raise PlanBlocked(what, found=" ".join(blockers).removesuffix("."))
