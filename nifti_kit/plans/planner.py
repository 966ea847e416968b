"""The planner: objects and classes of what the files of an item really hold."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingABC
from dataclasses import replace
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from nifti_kit.checks.cases import Words, case_doubt, name_doubt
from nifti_kit.checks.geometry import misaligned
from nifti_kit.core.findings import Finding, finding
from nifti_kit.core.geometry import NORMALS, PLANES, compare_grids
from nifti_kit.core.text import counted, listed
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.header_names import classes_of
from nifti_kit.datasets.items import Item, MaskFile
from nifti_kit.datasets.names import parse_name
from nifti_kit.datasets.plain_names import plain_name
from nifti_kit.datasets.surveys import (
    ItemSurvey,
    MaskSurvey,
    SliceScore,
    TableSurvey,
    class_is_name,
    fingerprint_of,
    survey_item,
    volume_fault,
)
from nifti_kit.formats.class_maps import ClassEntry, ClassMap, free_color
from nifti_kit.formats.fingerprint import Fingerprint
from nifti_kit.formats.labels import Label
from nifti_kit.formats.mappings import Mapping, unmatched_remedy
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.formats.scores import Score
from nifti_kit.plans.left_out import LeftOut, of_mask, of_volume
from nifti_kit.plans.name_rules import CASE, EXACT
from nifti_kit.plans.project import ProjectClasses, ProjectContent
from nifti_kit.targets.records import (
    CustomData,
    ObjectRef,
    PlannedClass,
    PlannedItem,
    PlannedObject,
    ScoreUpdate,
    SliceScores,
    ThereObject,
    VolumeRef,
)

# Scores from tables without masks, for figures that are on the target already


SHOWN_OBJECTS = 8
"""Ids of objects that a message lists before it counts the rest."""


def landing_too(
    updates: Iterable[ScoreUpdate], landing: MappingABC[str, PurePosixPath]
) -> Iterator[Finding]:
    """No object of an updated class lands on the same volume (``landing``: class to mask)."""
    for update in updates:
        if update.class_name in landing:
            message = (
                f"column Label-{update.value}: {update.class_name} is object {update.object_id}, "
                f"but one lands from {landing[update.class_name]} too"
            )
            yield finding("scores-object-ambiguous", update.table.relative, message)


class ScorePlanner:
    """Finds the figure and the slices of each column of tables without masks."""

    def __init__(
        self, dataset: Dataset, project: ProjectClasses, target: ProjectContent | None
    ) -> None:
        self.dataset, self.project, self.target = dataset, project, target
        self.findings: list[Finding] = []
        self._taken: dict[tuple[int, str, str], ScoreUpdate] = {}

    def updates(self, item: Item, volume_id: int | None) -> Iterator[ScoreUpdate]:
        """Yield the updates of an item without masks; what does not land is in the findings.

        ``volume_id``: the volume that its table belongs to; None where there is none.
        """
        for table in survey_item(self.dataset, item).tables:
            if self.target is None:
                message = f"{counted(len(table.read), 'score')} for figures that are there"
                self._find("scores-need-target", table, message)
            elif volume_id is not None:
                yield from self._on_volume(self.target, item, table, volume_id)

    def _find(self, code: str, table: TableSurvey, message: str) -> None:
        self.findings.append(finding(code, table.table.relative, message))

    def _on_volume(
        self, target: ProjectContent, item: Item, table: TableSurvey, volume_id: int
    ) -> Iterator[ScoreUpdate]:
        volume = target.volume(volume_id)
        if volume is None:
            self._find("annotation-unmatched", table, f"the target has no volume {volume_id}")
            return
        if self._may_be_class_index(table, volume):
            message = (
                f"its number {table.table.index} may be a class index, and then Label-N are "
                f"objects of that class; the volume {volume.name} has no such number"
            )
            self._find("scores-object-ambiguous", table, message)
            return
        for value in table.read.values:
            cells = [score for score in table.read if score.value == value]
            found = self._object(target, table, volume, value, len(cells)) if cells else None
            if found is not None:
                yield from self._placed(item, table, volume, found, cells)

    def _may_be_class_index(self, table: TableSurvey, volume: VolumeRef) -> bool:
        """Say whether the number at the end of a table's name is not known to be its volume's."""
        if table.table.index is None:
            return False
        own = parse_name(table.table.relative.name).tail
        chosen = self.dataset.choices.segmentation == "instance"
        return chosen or own != parse_name(volume.name).tail

    def _object(
        self, target: ProjectContent, table: TableSurvey, volume: VolumeRef, value: int, cells: int
    ) -> ObjectRef | None:
        """Return the one object of a value's class on a volume."""
        entry = self.project.by_value(value)
        what = f"no class has the pixel value {value}"
        if entry is not None:
            own = [one for one in target.objects(volume.id) if one.class_name == entry.name]
            found = [one for one in own if one.has_figure]
            if len(found) == 1:
                return found[0]
            if found:
                ids = listed((one.id for one in found), SHOWN_OBJECTS)
                message = (
                    f"column Label-{value}: the volume {volume.name} has {len(found)} objects of "
                    f"{entry.name}: {ids}"
                )
                self._find("scores-object-ambiguous", table, message)
                return None
            what = f"the volume {volume.name} has no object of {entry.name}"
        message = f"column Label-{value}: {what}; its {cells} scores do not land"
        self._find("scores-without-value", table, message)
        return None

    def _placed(
        self,
        item: Item,
        table: TableSurvey,
        volume: VolumeRef,
        found: ObjectRef,
        cells: Sequence[Score],
    ) -> Iterator[ScoreUpdate]:
        """Yield the update of one object, on the slices of the volume."""
        assert item.plane is not None
        if self.dataset.choices.score_frames == "file":
            return  # scores-frames-unknown names the table
        plane = NORMALS[item.plane]
        new = self._slices(item.plane, table, volume, cells)
        old = found.scores.get(plane, {})
        update = ScoreUpdate(
            volume.id,
            found.id,
            found.key,
            found.figure_id,
            found.figure_key,
            found.class_name,
            cells[0].value,
            plane,
            dict(old),
            new,
            table.table,
        )
        first = self._taken.setdefault((volume.id, found.figure_key, plane), update)
        if first is not update:
            message = (
                f"column Label-{update.value}: {first.table.relative} (Label-{first.value}) scores "
                f"{found.class_name} of the volume {volume.name} on the same plane"
            )
            self._find("scores-layer-repeated", table, message)
        elif new:
            yield update

    def _slices(
        self, plane: str, table: TableSurvey, volume: VolumeRef, cells: Sequence[Score]
    ) -> SliceScores:
        """Return scores by RAS+ slice index; layers outside the volume are in the findings."""
        count = volume.grid.shape[PLANES[plane]]
        backwards = self.dataset.choices.score_frames == "reversed"
        slices: dict[int, dict[str, str | None]] = {}
        for cell in cells:
            if cell.frame > count:
                message = (
                    f"row {cell.row}: Layer {cell.frame - 1 + table.read.base}, but the volume "
                    f"{volume.name} has {count} slices of plane {plane}"
                )
                found = finding("scores-layer-outside", table.table.relative, message)
                if found not in self.findings:  # once for a row, whatever its columns
                    self.findings.append(found)
                continue
            index = count - cell.frame if backwards else cell.frame - 1
            slices[index] = {"score": cell.score, "comment": cell.comment}
        return {str(index): slices[index] for index in sorted(slices)}


SHOWN = 4
"""Volumes of the target that a message lists before it counts the rest."""


# Objects and classes


class ItemPlanner:
    """Makes objects of surveys, and collects the classes they need."""

    def __init__(
        self,
        dataset: Dataset,
        mapping: Mapping | None = None,
        project: ProjectClasses | None = None,
        target: ProjectContent | None = None,
    ) -> None:
        self.dataset, self.mapping, self.target = dataset, mapping, target
        self.project = project or ProjectClasses((), dataset.classes)
        self.scores = ScorePlanner(dataset, self.project, target)
        self.findings: list[Finding] = []
        self.losses: dict[str, LeftOut] = {}
        """What goes with the files that cannot land, by their paths."""
        self._classes: dict[str, PlannedClass] = {}
        self._taken = {entry.color for entry in dataset.classes if entry.color is not None}
        self._taken |= set(self.project.colors)

    def classes(self) -> tuple[PlannedClass, ...]:
        """Return the classes of what was planned so far, in the order in which they were met."""
        return tuple(self._classes.values())

    def every_finding(self) -> list[Finding]:
        """Return what was found while planning."""
        return [*self.findings, *self.scores.findings, *self.project.findings]

    def lands(self, item: Item) -> bool:
        """Say whether a volume can land: it is read to its end, and has a place in space."""
        assert item.volume is not None
        if not item.volume.grid.problem and volume_fault(self.dataset, item.volume) is None:
            return True
        self.losses[str(item.volume.relative)] = of_volume(survey_item(self.dataset, item))
        return False

    def volume(self, item: Item) -> PlannedItem:
        """Return a volume with its objects, and what is in its place already."""
        objects = self.objects(item)
        there = None if self.target is None else self.target.named(item.name)
        return PlannedItem(
            item.name,
            item.volume,
            None,
            tuple(objects),
            there=() if there is None else self._there(there.id, objects),
            volume_there=None if there is None else there.id,
            fingerprints=self._fingerprints(item.volume, objects),
        )

    def objects(self, item: Item) -> list[PlannedObject]:
        """Return the objects of an item; its masks are surveyed, its volume is not read."""
        survey = survey_item(self.dataset, item)
        return [
            planned
            for position in range(len(survey.masks))
            for planned in self._objects(survey, position)
        ]

    def _fingerprints(
        self, volume: ImageFile | None, objects: Sequence[PlannedObject]
    ) -> dict[str, Fingerprint]:
        """Return what the files of an item held when they were read, by their paths."""
        images = dict.fromkeys([volume, *(planned.mask.image for planned in objects)])
        known = {i: fingerprint_of(self.dataset, i) for i in images if i is not None}
        return {str(image.relative): found for image, found in known.items() if found is not None}

    def _there(self, volume_id: int, objects: Sequence[PlannedObject]) -> tuple[ThereObject, ...]:
        """Return the objects of the same classes that a volume of the target has."""
        if self.target is None:
            return ()
        return self.target.of_classes(volume_id, {planned.class_name for planned in objects})

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
                volume_id = self._there_is(mask.mask)
                if volume_id is None:
                    self.losses[str(mask.mask.relative)] = of_mask(survey, position)
                else:
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
                self._there(volume_id, by_volume.get(volume_id, ())),
                fingerprints=self._fingerprints(None, by_volume.get(volume_id, ())),
            )
            for volume_id in dict.fromkeys((*by_volume, *updates))
        )

    def _there_is(self, mask: MaskFile) -> int | None:
        """Return the volume that an annotation file is for, if the target (where known) has it.

        How their grids lie against each other is found too.
        """
        relative = mask.relative
        volume_id = self._volume_id(relative)
        if volume_id is None or self.target is None:
            return volume_id
        volume = self.target.volume(volume_id)
        if volume is not None:
            self.findings += self._whose(relative, volume)
            if not volume.grid.problem:
                place = compare_grids(mask.grid, volume.grid)
                self.findings += misaligned(place, mask.image, f"{volume.dataset}/{volume.name}")
            return volume_id
        there = listed(map(str, self.target.volumes()), SHOWN) or "none"
        where = "the mapping" if self.mapping is None else self.mapping.path or "the mapping"
        remedy = (
            f"Correct the id of {relative} in {where}, or choose the right project and dataset; "
            f"or leave the file out: waive=[('mapping-id-unknown', {str(relative)!r})]."
        )
        message = f"the target has no volume {volume_id}; there are: {there}"
        self.findings.append(finding("mapping-id-unknown", relative, message, remedy=remedy))
        return None

    def _whose(self, relative: PurePosixPath, volume: VolumeRef) -> Iterator[Finding]:
        """Yield what the names of a file and of its volume say against each other."""
        faults = () if self.mapping is None else self.mapping.faults
        path, code = str(relative), "annotation-name-differs"
        if any((found.path, found.code) == (path, code) for found in faults):
            return
        there = PurePosixPath(volume.dataset, volume.name)
        row = None if self.mapping is None else self.mapping.row_of(relative)
        by_name = row is not None and row.rule in (EXACT, CASE)
        said = case_doubt(relative, there, self._names)
        said = said or name_doubt(relative.name, volume.name, by_name=by_name)
        if not said and row is not None and not by_name and self._alike[_lattice(volume)] > 1:
            own, other = plain_name("_".join(relative.parts)), plain_name(volume.name)
            if other.case and own.numbered.isdisjoint(other.numbered):
                others = counted(self._alike[_lattice(volume)] - 1, "volume")
                said = f"no word of its name is of {there}, and {others} more has that grid"
        if said:
            yield finding(code, relative, said)

    @cached_property
    def _names(self) -> Words:
        return Words(() if self.target is None else self.target.paths())

    @cached_property
    def _alike(self) -> Counter[Lattice]:
        """How many volumes of the target have one plane and grid."""
        return Counter(map(_lattice, () if self.target is None else self.target.every_volume()))

    def _volume_id(self, relative: PurePosixPath) -> int | None:
        row = None if self.mapping is None else self.mapping.row_of(relative)
        if row is not None and row.volume is not None:
            return row.volume
        what = "the mapping has no volume for it"
        if self.mapping is None:
            what = "there is no mapping"
        elif row is not None and row.why:
            what = row.why
        remedy = unmatched_remedy(self.mapping, relative)
        self.findings.append(finding("annotation-unmatched", relative, what, remedy=remedy))
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
                mask.cutout,
            )

    def _class(self, item: Item, mask: MaskSurvey, label: Label) -> PlannedClass:
        """Return the class of a label: by file name, by file index, or by value."""
        known = self.dataset.classes
        name, was = mask.mask.class_name, ""
        if name is not None and class_is_name(self.dataset, item, mask):
            entry = known.by_name(name)
            number = entry.value if entry else label.value
        elif item.segmentation == "semantic" and label.value in mask.mask.origins:
            number, origin = label.value, mask.mask.origins[label.value]
            was = origin.text
            entry = known.by_name(origin.name) or self.project.by_origin(origin.asked)
            name = origin.name or (entry.name if entry else self._unnamed(origin.asked, known))
        else:
            number = label.value if item.segmentation == "semantic" else mask.mask.index or 1
            own = classes_of(self.dataset, item, mask.mask)
            entry = self.project.by_value(number, own.by_value(number))
            name = entry.name if entry else self._unnamed(number, own)
        if name not in self._classes:
            self._classes[name] = replace(self._new_class(name, entry, number), was=was)
        return self._classes[name]

    def _unnamed(self, number: int, own: ClassMap) -> str:
        """Return the name of a class that no map has; one that no map has taken."""
        name = f"Segment_{number}"
        while self.project.known.by_name(name) or own.by_name(name):
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


Lattice = tuple[str | None, tuple[int, ...], bytes]


def _lattice(volume: VolumeRef) -> Lattice:
    """Return the plane of a volume, and its grid to a thousandth of a mm."""
    place = np.round(volume.grid.affine, 3).tobytes()
    return plain_name(volume.name).plane, volume.grid.shape, place


def _custom_data(plane: str | None, scores: Iterable[SliceScore]) -> CustomData:
    slices = {
        str(score.slice_index): {"score": score.score, "comment": score.comment} for score in scores
    }
    return {NORMALS[plane]: slices} if plane and slices else {}


SCORES_SINCE = (6, 13, 8)
"""The version of an instance from which on it shows scores (specification, example 4)."""


def instance_too_old(items: Iterable[PlannedItem], target: Any) -> Iterator[Finding]:
    """The instance is new enough to show the scores that are to land; it is asked only then."""
    scored = any(item.updates or any(o.scores for o in item.objects) for item in items)
    version = getattr(target, "version", "") if scored else ""
    numbers = tuple(int(part) for part in re.findall(r"[0-9]+", version)[: len(SCORES_SINCE)])
    if numbers and numbers < SCORES_SINCE:
        least = ".".join(map(str, SCORES_SINCE))
        message = f"the instance is version {version}; it shows scores from {least} on"
        yield finding("scores-instance-old", "", message)
