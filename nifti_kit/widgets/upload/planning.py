"""Planning: a source and a target become a plan, whose findings a person judges."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Enum, HasTraits, List, Unicode

from nifti_kit.core.findings import Findings
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.errors import PlanBlocked
from nifti_kit.formats.mappings import Mapping
from nifti_kit.plans.matching import match
from nifti_kit.plans.plan import Plan, plan
from nifti_kit.widgets.parts.findings import FindingsTable
from nifti_kit.widgets.parts.models_targets import TargetPicker
from nifti_kit.widgets.parts.sources import SourcePicker
from nifti_kit.widgets.parts.tasks import Task, Ticket
from nifti_kit.widgets.upload.tables import PlanTables, title

__all__ = ["PAIRINGS", "Planning", "refuse"]

PAIRINGS = {
    "auto": "the mapping that was given, else mapping.json of the source, else names and grids",
    "source": "mapping.json of the source",
    "match": "names and grids",
}
"""What says which volume of the target an annotation belongs to."""


class Planning(HasTraits):
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
        Codes of findings that are accepted.
    api
        Returns a ``supervisely.Api`` when a person connects; that of the environment by default.

    Attributes
    ----------
    source, target, findings, outlook
        The parts that make choices and show them.
    pairing
        For annotations alone: one of ``PAIRINGS``.
    planned
        What :func:`nifti_kit.plan` returned, with what is accepted; None until then.
    digest
        What a journal knows the plan by; it does not depend on what is accepted.
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
        waive: Iterable[str] = (),
        api: Callable[[], Any] | None = None,
        **traits: Any,
    ) -> None:
        super().__init__(**traits)
        self.source = _picker(source)
        self.target = TargetPicker(target, api=api)
        self.findings = FindingsTable(waive=waive)
        self.outlook = PlanTables()
        self.planning = Task()
        self.mapping = mapping or None
        self._read = self._choices if isinstance(source, Dataset) else ()
        self._basis: tuple[Any, ...] = ()
        self._made: Plan | None = None
        self.digest = ""
        self._watch()
        self._refresh()

    def _watch(self) -> None:
        self.source.observe(self._refresh, ["path", "layout", "segmentation", "score_frames"])
        self.source.observe(self._note_read, "dataset")
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
        refuse("no plan can be made", self.plan_blockers)
        self.planned, self._made, self._basis = None, None, ()
        self.findings.show(())
        self.outlook.show(None)
        self.planning.start(self._plan, then=self._show)
        return self.planning

    def waive(self, *codes: str) -> None:
        """Accept the findings of some codes: they stay on record, and block no more."""
        for code in codes:
            self.findings.set_waived(code, True)

    def take_back(self, *codes: str) -> None:
        """Accept the findings of some codes no longer."""
        for code in codes:
            self.findings.set_waived(code, False)

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
        self.outlook.show(made)
        self._accept()

    def _accept(self, _: Any = None) -> None:
        """Put what a person accepts into the plan; nothing is read again."""
        if self._made is not None:
            codes = self.findings.waive
            known = Findings(self._made.findings, codes)
            self.planned = replace(self._made, findings=known, waive=codes)
        self._refresh()

    def _note_read(self, change: Any) -> None:
        self._read = () if change["new"] is None else self._choices
        self._refresh()

    @property
    def _choices(self) -> tuple[str, ...]:
        source = self.source
        return source.path, source.layout, source.segmentation, source.score_frames

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


def refuse(what: str, blockers: list[str]) -> None:
    """Raise what a disabled button would say.

    Raises
    ------
    PlanBlocked
        If there is anything in the way.
    """
    if blockers:
        raise PlanBlocked(what, found=" ".join(blockers))


def _picker(source: str | os.PathLike[str] | Dataset) -> SourcePicker:
    if not isinstance(source, Dataset):
        return SourcePicker(source)
    picker = SourcePicker(source.source.given)
    picker.dataset = source
    return picker
