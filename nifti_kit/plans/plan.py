"""Plans: what will land on a target, before anything is written."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from nifti_kit.checks import findings_of
from nifti_kit.checks.classes import segmentation_ambiguous, values_without_class
from nifti_kit.checks.mapping import shared_ids
from nifti_kit.core import html
from nifti_kit.core.arguments import a_target, of_kind
from nifti_kit.core.findings import Finding, Findings, finding
from nifti_kit.core.one_by_one import one_by_one
from nifti_kit.core.wording import counted
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.datasets.sources import Source
from nifti_kit.datasets.surveys import survey_item
from nifti_kit.formats.mappings import Mapping, read_mapping
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.plans import outlines
from nifti_kit.plans.planner import ItemPlanner
from nifti_kit.plans.project import Holdings, ThereObject
from nifti_kit.plans.reuse import ProjectClasses
from nifti_kit.plans.score_updates import ScoreUpdate, updates_text
from nifti_kit.targets.records import CustomData, PlannedClass, PlannedItem, PlannedObject

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CustomData",
    "Plan",
    "PlannedClass",
    "PlannedItem",
    "PlannedObject",
    "ThereObject",
    "plan",
]


@dataclass(eq=False)
class Plan:
    """What will land: items, objects, classes, scores; and what stands in the way.

    Attributes
    ----------
    items
        The volumes with their objects.
    classes
        The classes, in the order in which they are met.
    findings
        Everything that was found, waived findings included.
    waive
        The codes that a person accepts.
    """

    items: tuple[PlannedItem, ...]
    classes: tuple[PlannedClass, ...]
    findings: Findings
    waive: tuple[str, ...]
    source: Source
    kinds: dict[str, str] = field(default_factory=dict)
    """For people: ``semantic`` or ``instance``, by the item's name."""

    @property
    def blockers(self) -> Findings:
        """The errors that nobody waived: :func:`nifti_kit.upload` refuses while there are any."""
        return self.findings.errors

    @property
    def objects(self) -> tuple[PlannedObject, ...]:
        """Every object of every item."""
        return tuple(planned for item in self.items for planned in item.objects)

    @property
    def updates(self) -> tuple[ScoreUpdate, ...]:
        """The scores for figures that are there, of every item."""
        return tuple(update for item in self.items for update in item.updates)

    @property
    def there(self) -> tuple[ThereObject, ...]:
        """The objects of the same classes that are on the volumes already, of every item."""
        return tuple(found for item in self.items for found in item.there)

    @property
    def digest(self) -> str:
        """A text that is the same for the same plan: what a journal is kept for."""
        facts = [
            [item.name, item.volume_id, _identity(item.volume), _object_facts(item)]
            + [update.facts for update in item.updates]
            for item in self.items
        ]
        text = json.dumps(facts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_frame(self) -> pd.DataFrame:
        """Return a :class:`pandas.DataFrame`, one row per object and update of scores."""
        import pandas as pd

        rows = [row for item in self.items for row in outlines.rows(item)]
        return pd.DataFrame(rows, columns=outlines.COLUMNS)

    def _title(self) -> str:
        objects = self.objects
        scores = sum(planned.score_count for planned in objects)
        volumes = sum(item.volume is not None for item in self.items)
        there = f"; {counted(len(self.there), 'object')} there already" if self.there else ""
        blocked = f"; BLOCKED by {counted(len(self.blockers), 'error')}" if self.blockers else ""
        return (
            f"Plan: {counted(volumes, 'volume')}, {counted(len(objects), 'object')}, "
            f"{counted(len(self.classes), 'class')}, {counted(scores, 'score')}"
            f"{updates_text(self.updates)}{there}{blocked}"
        )

    def __repr__(self) -> str:
        lines = [self._title()]
        for item in self.items:
            lines += outlines.lines(item, self.kinds.get(item.name, ""))
        if self.findings:
            lines.append(repr(self.findings))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        colors = {found.name: found.color for found in self.classes}
        parts = [html.title(self._title())]
        for position, item in enumerate(self.items):
            kind = self.kinds.get(item.name, "")
            parts.append(outlines.markup(item, kind, colors, unfolded=position == 0))
        if self.findings:
            parts.append(html.Markup(self.findings._repr_html_()))
        return html.join(parts)


def _identity(image: ImageFile | None) -> list[Any] | None:
    if image is None:
        return None
    if image.content is not None:
        return [str(image.relative), hashlib.sha256(image.content).hexdigest()]
    return [str(image.relative), image.path.stat().st_size]


def _object_facts(item: PlannedItem) -> list[Any]:
    return [
        [o.class_name, o.value, o.voxels, _identity(o.mask.image), o.scores] for o in item.objects
    ]


def plan(
    dataset: Dataset,
    *,
    mapping: Mapping | str | os.PathLike[str] | MappingABC[str, int] | None = None,
    waive: Iterable[str] = (),
    target: Any = None,
    on_item: Callable[[int, Item], Any] | None = None,
) -> Plan:
    """Return what will land, and what stands in the way; data faults raise nothing.

    Each mask is read once for its values; no volume is read.

    Parameters
    ----------
    dataset
        What :func:`nifti_kit.scan` returned.
    mapping
        For the ``annotations`` layout: which volume each file belongs to, as a JSON file, a
        dictionary, or what :func:`nifti_kit.match` or :func:`nifti_kit.read_mapping` returned;
        the source's own ``mapping.json`` by default.
    waive
        Codes of findings that a person accepts: they are kept in the plan and the receipt, and
        do not block.
    target
        Where it is to land, such as :class:`nifti_kit.ProjectFolder`: a value that the class map
        does not have takes the project's class that is described by it
        (``Mask pixel value: N``), and classes that cannot hold masks are not in the way. Score
        tables without masks need it: they update figures that are there. What the volumes hold
        of the same classes is shown (``Plan.there``); it is asked for once for each volume
        concerned, and changes nothing of the plan or its digest.
    on_item
        Called with the place (from 0) of each item and the item before its masks are read; what
        it raises ends the work. A bar by default.

    Raises
    ------
    KeyError
        If ``waive`` has a code that the catalogue does not know.
    BadMapping, UnreadableFile
        If ``mapping`` is none, or its file cannot be read.
    WrongArgument
        If ``dataset`` is no dataset, or ``target`` no target.
    """
    of_kind(dataset, Dataset, "nk.scan(...)")
    if target is not None:
        a_target(target)
    codes = (waive,) if isinstance(waive, str) else tuple(waive)
    Findings((), codes)  # an unknown code ends it before the work
    if mapping is not None and not isinstance(mapping, Mapping):
        mapping = read_mapping(mapping, dataset)
    for item in one_by_one(dataset.items, on_item, "Reading masks", "item"):
        survey_item(dataset, item)
    findings = findings_of(dataset, voxels=True)
    project = ProjectClasses(() if target is None else target.classes(), dataset.classes)
    holdings = None if target is None else Holdings(target)
    given = dataset.mapping if mapping is None else mapping
    planner = ItemPlanner(dataset, given, project, holdings)
    if target is not None:
        findings = _with_project(dataset, project, findings)
    if dataset.layout == "annotations":
        items = planner.annotations()
        if mapping is not None and mapping is not dataset.mapping:
            findings = [*map(_of_other_mapping, findings), *mapping.faults]
            findings += shared_ids(dataset, mapping)
    else:
        items = tuple(planner.volume(item) for item in dataset.items)
        if mapping is not None:
            what = f"a mapping is for annotations alone; the layout is {dataset.layout}"
            remedy = "Leave it out, or read the masks alone: scan(..., layout='annotations')."
            findings = [*findings, finding("file-unused", mapping.path, what, remedy=remedy)]
    return Plan(
        items,
        planner.classes(),
        Findings([*findings, *planner.every_finding()], codes),
        codes,
        dataset.source,
        {item.name: item.segmentation or "" for item in dataset.items},
    )


def _of_other_mapping(found: Finding) -> Finding:
    """Waive the faults of the source's own mapping, because a person gave another one."""
    return replace(found, waived=True) if found.code.startswith("mapping-") else found


def _with_project(
    dataset: Dataset, project: ProjectClasses, findings: Iterable[Finding]
) -> list[Finding]:
    """Return findings in which the values that have a class in the project have a class."""
    if not dataset.classes:
        return list(findings)
    together = replace(dataset, classes=project.known)
    found = [one for one in findings if one.code not in _ABOUT_THE_MAP]
    surveys = [survey_item(dataset, item) for item in dataset.items]
    for survey in surveys:
        for mask in survey.masks:
            found += values_without_class(together, survey.item, mask)
    return [*found, *segmentation_ambiguous(together, surveys)]


_ABOUT_THE_MAP = ("value-without-class", "segmentation-ambiguous")
