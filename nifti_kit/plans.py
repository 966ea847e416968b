"""Plans: what will land on a target, before anything is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from nifti_kit import html
from nifti_kit.checks import findings_of
from nifti_kit.checks.classes import segmentation_ambiguous, values_without_class
from nifti_kit.checks.mapping import shared_ids
from nifti_kit.classes import ClassEntry, Color, free_color
from nifti_kit.datasets import Dataset
from nifti_kit.findings import Finding, Findings, finding
from nifti_kit.geometry import NORMALS, Orientation
from nifti_kit.images import ImageFile
from nifti_kit.items import Item, MaskFile
from nifti_kit.labels import Label
from nifti_kit.mappings import Mapping
from nifti_kit.reuse import ProjectClasses
from nifti_kit.sources import Source
from nifti_kit.surveys import ItemSurvey, MaskSurvey, SliceScore, survey_item
from nifti_kit.updates import ScorePlanner, ScoreUpdate, landing_too, updates_text
from nifti_kit.wording import counted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Plan", "PlannedClass", "PlannedItem", "PlannedObject", "plan"]

CustomData = dict[str, dict[str, dict[str, "str | None"]]]

PIXEL_VALUE = "Mask pixel value: "
"""What the platform's exporter looks for in a class's description."""


@dataclass(frozen=True)
class PlannedClass:
    """A class as it will be on the platform.

    Attributes
    ----------
    name, color
        Its name, and RGB of 0 to 255.
    description
        ``Mask pixel value: N``, which the platform's exporter reads back.
    value
        That N.
    color_is_given
        Whether the class map chose the colour.
    """

    name: str
    color: Color
    value: int
    color_is_given: bool

    @property
    def description(self) -> str:
        """The text that carries the pixel value."""
        return f"{PIXEL_VALUE}{self.value}"


@dataclass(frozen=True, eq=False)
class PlannedObject:
    """An object (with its one figure) as it will land.

    Attributes
    ----------
    class_name, color, color_is_given
        Its class; whether the class map chose the colour.
    value
        Its pixel value in the source mask.
    mask
        The source mask.
    voxels
        How many voxels it has.
    label
        Value, count and box in file order.
    orientation
        The exact reordering of the file's axes into RAS+.
    scores
        The figure's custom data: ``{"0-0-1": {"2": {"score": "0.80", "comment": None}}}``, with
        RAS+ slice indices from 0.
    """

    class_name: str
    color: Color
    color_is_given: bool
    mask: MaskFile
    label: Label
    orientation: Orientation
    scores: CustomData

    @property
    def value(self) -> int:
        """The pixel value in the source mask."""
        return self.label.value

    @property
    def voxels(self) -> int:
        """How many voxels it has."""
        return self.label.voxels

    @property
    def score_count(self) -> int:
        """How many slices carry a score or a comment."""
        return sum(len(slices) for slices in self.scores.values())

    def __repr__(self) -> str:
        scores = f", {self.score_count} scores" if self.scores else ""
        return f"<{self.class_name}: {self.voxels} voxels{scores}, {self.mask.relative.name}>"


@dataclass(frozen=True, eq=False)
class PlannedItem:
    """A volume with its objects, or the objects for a volume that is on the target.

    Attributes
    ----------
    name
        The volume's name on the target.
    volume
        The image to land; None where the volume is there.
    volume_id
        The id of the volume that is there; None where it is to be made.
    objects
        What will land on it.
    updates
        Scores for figures that are there.
    """

    name: str
    volume: ImageFile | None
    volume_id: int | None
    objects: tuple[PlannedObject, ...]
    updates: tuple[ScoreUpdate, ...] = ()

    def __repr__(self) -> str:
        where = self.name if self.volume_id is None else f"volume {self.volume_id}"
        return f"<{where}: {len(self.objects)} objects{updates_text(self.updates)}>"


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

        rows = [_row(item, planned) for item in self.items for planned in item.objects]
        rows += [_update_row(item, update) for item in self.items for update in item.updates]
        return pd.DataFrame(rows, columns=_COLUMNS)

    def _title(self) -> str:
        objects = self.objects
        scores = sum(planned.score_count for planned in objects)
        volumes = sum(item.volume is not None for item in self.items)
        blocked = f"; BLOCKED by {counted(len(self.blockers), 'error')}" if self.blockers else ""
        return (
            f"Plan: {counted(volumes, 'volume')}, {counted(len(objects), 'object')}, "
            f"{counted(len(self.classes), 'class')}, {counted(scores, 'score')}"
            f"{updates_text(self.updates)}{blocked}"
        )

    def __repr__(self) -> str:
        lines = [self._title()]
        for item in self.items:
            where = f" (volume {item.volume_id})" if item.volume_id is not None else ""
            kind = f" [{self.kinds[item.name]}]" if self.kinds.get(item.name) else ""
            lines.append(f"  {item.name}{where}{kind}")
            for planned in item.objects:
                scores = f", {planned.score_count} scores" if planned.scores else ""
                lines.append(
                    f"    {planned.class_name}: value {planned.value}, {planned.voxels} voxels"
                    f"{scores} <- {planned.mask.relative}"
                )
            lines += [f"    {update.text}" for update in item.updates]
        if self.findings:
            lines.append(repr(self.findings))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = [html.title(self._title())]
        colors = {found.name: found.color for found in self.classes}
        for position, item in enumerate(self.items):
            where = f" (volume {item.volume_id})" if item.volume_id is not None else ""
            kind = f" - {self.kinds[item.name]}" if self.kinds.get(item.name) else ""
            summary = f"{item.name}{where}: {counted(len(item.objects), 'object')}"
            summary += f"{updates_text(item.updates)}{kind}"
            rows = [
                (
                    html.join([html.swatch(colors[planned.class_name]), html.text(name)]),
                    *rest,
                )
                for planned in item.objects
                for _, name, *rest in [_row(item, planned).values()]
            ]
            rows += [
                (html.text(update.class_name), *list(_update_row(item, update).values())[2:])
                for update in item.updates
            ]
            table = html.table(_COLUMNS[1:], rows)
            parts.append(html.details(summary, table, unfolded=position == 0))
        if self.findings:
            parts.append(html.Markup(self.findings._repr_html_()))
        return html.join(parts)


_COLUMNS = ["item", "class", "value", "voxels", "scores", "from"]


def _row(item: PlannedItem, planned: PlannedObject) -> dict[str, Any]:
    cells = (
        item.name,
        planned.class_name,
        planned.value,
        planned.voxels,
        planned.score_count,
        str(planned.mask.relative),
    )
    return dict(zip(_COLUMNS, cells, strict=True))


def _update_row(item: PlannedItem, update: ScoreUpdate) -> dict[str, Any]:
    """Return the row of an update, for which no voxel lands."""
    table = str(update.table.relative)
    cells = (item.name, update.class_name, update.value, 0, len(update.new), table)
    return dict(zip(_COLUMNS, cells, strict=True))


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
    mapping: Mapping | None = None,
    waive: Iterable[str] = (),
    target: Any = None,
) -> Plan:
    """Return what will land, and what stands in the way; data faults raise nothing.

    Each mask is read once for its values; no volume is read.

    Parameters
    ----------
    dataset
        What :func:`nifti_kit.scan` returned.
    mapping
        For the ``annotations`` layout: which volume each file belongs to; the source's own
        ``mapping.json`` by default.
    waive
        Codes of findings that a person accepts: they are kept in the plan and the receipt, and
        do not block.
    target
        Where it is to land, such as :class:`nifti_kit.ProjectFolder`: a value that the class map
        does not have takes the project's class that is described by it
        (``Mask pixel value: N``), and classes that cannot hold masks are not in the way. Score
        tables without masks need it: they update figures that are there.

    Raises
    ------
    KeyError
        If ``waive`` has a code that the catalogue does not know.
    """
    codes = (waive,) if isinstance(waive, str) else tuple(waive)
    findings = findings_of(dataset, voxels=True)
    project = ProjectClasses(() if target is None else target.classes(), dataset.classes)
    planner = _Planner(dataset, dataset.mapping if mapping is None else mapping, project, target)
    if target is not None:
        findings = _with_project(dataset, project, findings)
    if dataset.layout == "annotations":
        items = planner.annotations()
        if mapping is not None and mapping is not dataset.mapping:
            findings = [*map(_of_other_mapping, findings), *mapping.faults]
            findings += shared_ids(dataset, mapping)
    else:
        items = tuple(planner.volume(item) for item in dataset.items)
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


class _Planner:
    """Makes objects of surveys, and collects the classes they need."""

    def __init__(
        self, dataset: Dataset, mapping: Mapping | None, project: ProjectClasses, target: Any
    ) -> None:
        self.dataset, self.mapping, self.project = dataset, mapping, project
        self.scores = ScorePlanner(dataset, project, target)
        self.findings: list[Finding] = []
        self._classes: dict[str, PlannedClass] = {}
        self._taken = {entry.color for entry in dataset.classes if entry.color is not None}
        self._taken |= set(project.colors)

    def classes(self) -> tuple[PlannedClass, ...]:
        return tuple(self._classes.values())

    def every_finding(self) -> list[Finding]:
        return [*self.findings, *self.scores.findings, *self.project.findings]

    def volume(self, item: Item) -> PlannedItem:
        survey = survey_item(self.dataset, item)
        objects = [
            planned
            for position in range(len(survey.masks))
            for planned in self._objects(survey, position)
        ]
        return PlannedItem(item.name, item.volume, None, tuple(objects))

    def annotations(self) -> tuple[PlannedItem, ...]:
        """Return one item for each volume that the mapping names."""
        by_volume: dict[int, list[PlannedObject]] = {}
        updates: dict[int, list[ScoreUpdate]] = {}
        names: dict[int, str] = {}
        for item in self.dataset.items:
            if item.is_scores_alone:
                volume_id = self._volume_id(item.tables[0].relative)
                for update in self.scores.updates(item, volume_id):
                    updates.setdefault(update.volume_id, []).append(update)
                    names.setdefault(update.volume_id, item.name)
                continue
            survey = survey_item(self.dataset, item)
            for position, mask in enumerate(survey.masks):
                volume_id = self._volume_id(mask.mask.relative)
                if volume_id is not None:
                    objects = by_volume.setdefault(volume_id, [])
                    objects += self._objects(survey, position)
                    names.setdefault(volume_id, item.name)
        for volume_id, objects in by_volume.items():
            landing = {planned.class_name: planned.mask.relative for planned in objects}
            self.findings += landing_too(updates.get(volume_id, ()), landing)
        return tuple(
            PlannedItem(
                names[volume_id],
                None,
                volume_id,
                tuple(by_volume.get(volume_id, ())),
                tuple(updates.get(volume_id, ())),
            )
            for volume_id in dict.fromkeys((*by_volume, *updates))
        )

    def _volume_id(self, relative: PurePosixPath) -> int | None:
        row = None if self.mapping is None else self.mapping.row_of(relative)
        if row is not None and row.volume is not None:
            return row.volume
        what = "the mapping has no volume for it"
        if self.mapping is None:
            what = "there is no mapping"
        elif row is not None and row.why:
            what = row.why
        self.findings.append(finding("annotation-unmatched", relative, what))
        return None

    def _objects(self, survey: ItemSurvey, position: int) -> Iterator[PlannedObject]:
        mask = survey.masks[position]
        if mask.labels is None or mask.orientation is None:
            return
        for label in mask.labels.labels:
            planned = self._class(survey.item, mask, label)
            scores = survey.scores.get((position, label.value), ())
            yield PlannedObject(
                planned.name,
                planned.color,
                planned.color_is_given,
                mask.mask,
                label,
                mask.orientation,
                _custom_data(survey.item.plane, scores),
            )

    def _class(self, item: Item, mask: MaskSurvey, label: Label) -> PlannedClass:
        """Return the class of a label: by file name, by file index, or by value."""
        known = self.dataset.classes
        name = mask.mask.class_name
        if name is not None and item.segmentation != "semantic":
            entry = known.by_name(name)
            number = entry.value if entry else label.value
        else:
            number = label.value if item.segmentation == "semantic" else mask.mask.index or 1
            entry = self.project.by_value(number)
            name = entry.name if entry else self._unnamed(number)
        if name not in self._classes:
            self._classes[name] = self._new_class(name, entry, number)
        return self._classes[name]

    def _unnamed(self, number: int) -> str:
        """Return the name of a class that the map does not have; one that the map has not taken."""
        name = f"Segment_{number}"
        while self.project.known.by_name(name) is not None:
            name += "_unnamed"
        return name

    def _new_class(self, name: str, entry: ClassEntry | None, number: int) -> PlannedClass:
        given = None if entry is None else entry.color
        name = self.project.landing_name(name, number, {c.name for c in self.classes()})
        there = self.project.color_of(name, given)
        if there is not None:
            return PlannedClass(name, there, number, given == there)
        if given is not None:
            return PlannedClass(name, given, number, True)
        color = free_color(self._taken)
        self._taken.add(color)
        return PlannedClass(name, color, number, False)


def _custom_data(plane: str | None, scores: Iterable[SliceScore]) -> CustomData:
    slices = {
        str(score.slice_index): {"score": score.score, "comment": score.comment} for score in scores
    }
    return {NORMALS[plane]: slices} if plane and slices else {}
