"""Surveys: what the files of an item really hold, and how they fit together.

Each file is read once; the survey of an item is kept with its dataset. Checks and plans are both
made from it, so that they cannot disagree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy.typing as npt

from nifti_kit.core.findings import Finding, describe, finding
from nifti_kit.core.geometry import (
    PLANES,
    Alignment,
    Cutout,
    Orientation,
    frame_to_slice,
    plane_axis,
)
from nifti_kit.core.geometry import ras_orientation as to_ras
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item, MaskFile, TableFile
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.components import CloserLook, ShapeSurvey, look_closer, survey_shapes
from nifti_kit.formats.fingerprint import Fingerprint, Stored, fingerprint
from nifti_kit.formats.labels import LabelSurvey, survey_labels
from nifti_kit.formats.marks import Room
from nifti_kit.formats.nifti import ImageFile, iter_blocks
from nifti_kit.formats.scores import Score, ScoreTable, read_scores
from nifti_kit.formats.scores.sheet import LAYER

MIN_OBJECTS = 2
"""A file with one object has one reading: its value is the object."""


@dataclass(frozen=True)
class MaskSurvey:
    """What an annotation file holds, and how it lies against its volume."""

    mask: MaskFile
    # Its values with counts and boxes; None where the voxels could not be used.
    labels: LabelSurvey | None
    error: NiftiKitError | None  # why they could not
    alignment: Alignment | None  # its grid against its volume's; None without a volume
    # The exact reordering of its voxels into RAS+; None where the grid is unusable.
    orientation: Orientation | None
    # Where it lies in its volume, in RAS+ order, if it covers a part of it.
    cutout: Cutout | None = None

    def slices(self, plane: str | None) -> tuple[int, ...]:
        """Return the volume's RAS+ slice (from 0) that each frame along a plane's normal is.

        Empty where there is no plane, or the grid is unusable.
        """
        if self.orientation is None or plane is None:
            return ()
        grid = self.mask.grid
        first = 0 if self.cutout is None else self.cutout.first[PLANES[plane]]
        frames = range(1, grid.shape[plane_axis(grid, plane, self.orientation)[0]] + 1)
        return tuple(first + frame_to_slice(grid, plane, f, self.orientation) for f in frames)


@dataclass(frozen=True)
class SliceScore:
    """A score where it lands: the RAS+ slice index (from 0) along the plane's normal."""

    slice_index: int
    score: str | None
    comment: str | None


Scored = dict[tuple[int, int], tuple[SliceScore, ...]]
"""(position of the mask in its item, pixel value) to its scores."""


@dataclass(frozen=True)
class TableSurvey:
    """A score table that was read."""

    table: TableFile
    read: ScoreTable
    # For each value that has a column: (position of the mask in its item, pixel value) of
    # everything that the column scores.
    targets: dict[int, list[tuple[int, int]]]


@dataclass(frozen=True)
class ItemSurvey:
    """What the masks and score tables of an item hold."""

    item: Item
    masks: tuple[MaskSurvey, ...]
    scores: Scored
    score_findings: tuple[Finding, ...]
    tables: tuple[TableSurvey, ...] = ()


def volume_fault(dataset: Dataset, image: ImageFile) -> NiftiKitError | None:
    """Return why a volume cannot be read to its end, or None; it is read once for a dataset."""
    key = ("volume", image)
    if key not in dataset.memory:
        read_volume(dataset, image, lambda _: None)
    found: NiftiKitError | None = dataset.memory[key]
    return found


def read_volume(
    dataset: Dataset, image: ImageFile, take: Callable[[npt.NDArray[Any]], object]
) -> NiftiKitError | None:
    """Read a volume to its end; return why that cannot be, or None, and remember it.

    ``take`` gets its blocks (:func:`nifti_kit.formats.nifti.iter_blocks`) on the way.
    """
    fingerprint_of(dataset, image)
    fault: NiftiKitError | None = None
    try:
        for block in iter_blocks(image):
            take(block)
    except NiftiKitError as error:
        fault = error.with_traceback(None)
    dataset.memory["volume", image] = fault
    return fault


def fingerprint_of(dataset: Dataset, image: Stored) -> Fingerprint | None:
    """Return what a file held when it was read first; None if it cannot be read."""
    key = ("fingerprint", image)
    if key not in dataset.memory:
        try:
            dataset.memory[key] = fingerprint(image)
        except NiftiKitError:  # the survey of the same file names the fault
            dataset.memory[key] = None
    found: Fingerprint | None = dataset.memory[key]
    return found


def survey_item(dataset: Dataset, item: Item) -> ItemSurvey:
    """Return the survey of an item; each of its files is read once in a dataset's life."""
    if item not in dataset.memory:
        masks = tuple(survey_mask(dataset, item, mask) for mask in item.masks)
        tables, faults = _read_tables(dataset, item, masks)
        scores, findings = place_scores(item, masks, tables)
        dataset.memory[item] = ItemSurvey(item, masks, scores, (*faults, *findings), tuple(tables))
    survey: ItemSurvey = dataset.memory[item]
    return survey


def survey_mask(dataset: Dataset, item: Item, mask: MaskFile) -> MaskSurvey:
    """Return the survey of one annotation file."""
    if mask not in dataset.memory:
        labels, error = labels_of(dataset, mask.image)
        alignment = mask.image.aligned_to(item.volume) if item.volume else None
        orientation = _into_ras(item, mask, alignment)
        cutout = alignment.cutout(item.volume.grid) if alignment and item.volume else None
        dataset.memory[mask] = MaskSurvey(mask, labels, error, alignment, orientation, cutout)
    survey: MaskSurvey = dataset.memory[mask]
    return survey


def class_is_name(dataset: Dataset, item: Item, survey: MaskSurvey) -> bool:
    """Say whether a mask's class is its file's name, not its values.

    Of pairs, where nobody chose, that is so for a mask of one value whose name says a class.
    """
    if survey.mask.class_name is None or item.segmentation != "semantic":
        return survey.mask.class_name is not None
    if dataset.layout != "pairs" or dataset.choices.segmentation != "auto":
        return False
    return survey.labels is not None and len(survey.labels.labels) <= 1


def labels_of(
    dataset: Dataset, image: ImageFile
) -> tuple[LabelSurvey | None, NiftiKitError | None]:
    """Return what a label map holds, or why it cannot be used; it is read once for a dataset."""
    key = ("labels", image)
    if key not in dataset.memory:
        fingerprint_of(dataset, image)
        try:
            dataset.memory[key] = (survey_labels(image), None)
        except NiftiKitError as fault:
            # Without its traceback, which would hold the buffers of the reading.
            dataset.memory[key] = (None, fault.with_traceback(None))
    labels, error = dataset.memory[key]
    return labels, error


def look_at(dataset: Dataset, image: ImageFile, room: Room) -> CloserLook | None:
    """Return a closer look at a label map; None where it cannot be used.

    The same reading gives what :func:`labels_of` returns, where that is not known yet.

    Raises NiftiKitError if it could be used when it was read before, and cannot any more.
    """
    key = ("labels", image)
    if key in dataset.memory and dataset.memory[key][0] is None:
        return None
    fingerprint_of(dataset, image)
    try:
        labels, look = look_closer(image, room)
    except NiftiKitError as fault:
        if key in dataset.memory:  # it was read before: no survey says what has become of it
            raise
        dataset.memory[key] = (None, fault.with_traceback(None))
        return None
    dataset.memory.setdefault(key, (labels, None))
    return look


def shapes_of(image: ImageFile) -> ShapeSurvey | None:
    """Return the parts and profiles of a label map's values; None where it cannot be read.

    They are not kept with the dataset: those of a thousand masks would fill memory.
    """
    try:
        return survey_shapes(image)
    except NiftiKitError:  # the label survey of the same file names the fault
        return None


def _into_ras(item: Item, mask: MaskFile, alignment: Alignment | None) -> Orientation | None:
    """Return the reordering into RAS+, through the volume's voxel order where they share it."""
    if mask.grid.problem:
        return None
    if item.volume is not None and alignment is not None and alignment.lands:
        return alignment.into_ras(item.volume.grid)
    return to_ras(mask.grid)


def _read_tables(
    dataset: Dataset, item: Item, masks: tuple[MaskSurvey, ...]
) -> tuple[list[TableSurvey], list[Finding]]:
    """Return the score tables of an item that can be read, and what is wrong in their cells."""
    tables, findings = [], []
    for table in item.tables:
        # What a repair wrote counts from 1.
        base = dataset.score_base if table.content is None else 1
        shown = str(table.relative)
        fingerprint_of(dataset, table)
        try:
            read = read_scores(table.path, base=base, relative=shown, content=table.content)
        except NiftiKitError as error:
            found = finding("scores-unreadable", shown, describe(error), remedy=error.remedy)
            findings.append(found)
            continue
        findings += read.faults
        tables.append(table_survey(item, masks, table, read))
    return tables, findings


def table_survey(
    item: Item, masks: Sequence[MaskSurvey], table: TableFile, read: ScoreTable
) -> TableSurvey:
    """Return a table that was read, with what its columns score."""
    targets = targets_of(item, masks, table)
    return TableSurvey(table, read, {value: targets.get(value, []) for value in read.values})


def targets_of(
    item: Item, masks: Sequence[MaskSurvey], table: TableFile
) -> dict[int, list[tuple[int, int]]]:
    """Return what a column ``Label-N`` of a score table scores, for each N that scores something.

    Parameters
    ----------
    item
        The item that the table belongs to.
    masks
        The surveys of its annotation files, in their order.
    table
        The table.

    Returns
    -------
    dict
        N to (position of the mask in the item, pixel value) of everything that it scores: where
        the table speaks of one file, N is its pixel value; where of several, their class index.
    """
    positions = _masks_of(item, masks, table)
    targets: dict[int, list[tuple[int, int]]] = {}
    for position in positions:
        survey = masks[position]
        for pixel in survey.labels.values if survey.labels else ():
            number = pixel if len(positions) == 1 else survey.mask.index
            if number is not None:
                targets.setdefault(number, []).append((position, pixel))
    return targets


def _masks_of(item: Item, masks: Sequence[MaskSurvey], table: TableFile) -> list[int]:
    """Return the positions of the masks that a table speaks of."""
    every = list(range(len(masks)))
    if table.class_name is not None:
        return [at for at in every if masks[at].mask.class_name == table.class_name]
    if table.index is None:
        return every
    own = [at for at in every if masks[at].mask.index == table.index]
    return own or (every if len(every) == 1 and item.segmentation == "semantic" else [])


def place_scores(
    item: Item, masks: Sequence[MaskSurvey], tables: Iterable[TableSurvey]
) -> tuple[Scored, list[Finding]]:
    """Return the scores of an item's tables on their slices, and what does not land.

    Tables without masks are left out: a plan places them, on the figures of the target.
    """
    scoring = _Scoring(item, masks)
    for table in () if item.is_scores_alone else tables:
        scoring.place(table)
    placed = scoring.placed
    return {key: tuple(found[k] for k in sorted(found)) for key, found in placed.items()}, (
        scoring.findings
    )


class _Scoring:
    """Brings the cells of an item's score tables to labels and slices."""

    def __init__(self, item: Item, masks: Sequence[MaskSurvey]) -> None:
        self.item, self.masks = item, masks
        self.findings: list[Finding] = []
        self.placed: dict[tuple[int, int], dict[int, SliceScore]] = {}
        # Once for each mask: a table may have a million cells, and a mask thousands of frames.
        self._slices = cache(lambda position: masks[position].slices(item.plane))

    def _find(
        self, code: str, table: TableSurvey, message: str, cell: tuple[int, int] | None = None
    ) -> None:
        self.findings.append(finding(code, table.table.relative, message, cell=cell))

    def place(self, table: TableSurvey) -> None:
        positions = _masks_of(self.item, self.masks, table.table)
        if not positions:
            index, count = table.table.index, len(table.read)
            message = f"no annotation file has index {index}; {count} scores unused"
            self._find("scores-without-value", table, message)
            return
        if said := self._two_readings(table, positions):
            self._find("scores-by-class", table, said)
        counts = Counter(score.value for score in table.read)
        for value, targets in table.targets.items():
            if not targets:
                self._name_absent(table, value, counts[value], len(positions) > 1)
        for score in table.read:
            for position, pixel in table.targets.get(score.value, ()):
                self._put(table, score, position, pixel)

    def _two_readings(self, table: TableSurvey, positions: Sequence[int]) -> str:
        """Return what ``Label-N`` is read as beside instance files, and what else it could be."""
        names = {at: self.masks[at].mask.relative.name for at in positions}
        held = {at: found.values for at in positions if (found := self.masks[at].labels)}
        if len(positions) > 1:
            first = next((value for value, found in table.targets.items() if found), 0)
            own = ", ".join(sorted({names[at] for at, _ in table.targets.get(first, ())}))
            other = ", ".join(names[at] for at, values in held.items() if first in values)
            one = f" (Label-{first}: every object of {own})" if own else ""
            two = f" (Label-{first}: value {first} of {other})" if own and other else ""
            return (
                f"Label-N is read as the class index of the annotation files{one}; it could be "
                f"the object value N of each file{two}"
            )
        index, values = self.masks[positions[0]].mask.index, held.get(positions[0], ())
        alike = self.item.segmentation != "instance" or table.table.index is not None
        if alike or len(values) < MIN_OBJECTS or table.read.values != (index,):
            return ""
        return (
            f"Label-{index} is read as object value {index} of {names[positions[0]]}; it could be "
            f"the class index {index}: every object of the file"
        )

    def _name_absent(self, table: TableSurvey, value: int, count: int, by_class: bool) -> None:
        what = f"no annotation file has index {value}" if by_class else f"no voxel is {value}"
        message = f"column Label-{value}: {what}; its {count} scores do not land"
        place = table.read.heads.get(f"Label-{value}")
        self._find("scores-without-value", table, message, place)

    def _put(self, table: TableSurvey, score: Score, position: int, pixel: int) -> None:
        survey = self.masks[position]
        slices = self._slices(position)
        if not slices:
            return
        layer = score.frame - 1 + table.read.base
        if score.frame > len(slices):
            name = survey.mask.relative.name
            message = f"row {score.row}: Layer {layer}, but {name} has {len(slices)} frames"
            place = (score.row, table.read.heads.get(LAYER, (0, 1))[1])
            self._find("scores-layer-outside", table, message, place)
            return
        slice_index = slices[score.frame - 1]
        by_slice = self.placed.setdefault((position, pixel), {})
        if slice_index in by_slice:
            message = f"row {score.row}: another table scores Layer {layer} of {pixel} too"
            self._find("scores-layer-repeated", table, message, (score.row, score.column))
            return
        by_slice[slice_index] = SliceScore(slice_index, score.score, score.comment)
