"""Surveys: what the files of an item really hold, and how they fit together.

Each file is read once; the survey of an item is kept with its dataset. Checks and plans are both
made from it, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

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
from nifti_kit.formats.components import ShapeSurvey, survey_shapes
from nifti_kit.formats.labels import LabelSurvey, survey_labels
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.formats.scores import Score, ScoreTable, read_scores


@dataclass(frozen=True)
class MaskSurvey:
    """What an annotation file holds, and how it lies against its volume.

    Attributes
    ----------
    labels
        Its values with counts and boxes; None where the voxels could not be used.
    error
        Why they could not.
    alignment
        Its grid against its volume's; None without a volume.
    orientation
        The exact reordering of its voxels into RAS+; None where the grid is unusable.
    cutout
        Where it lies in its volume, in RAS+ order, if it covers a part of it.
    """

    mask: MaskFile
    labels: LabelSurvey | None
    error: NiftiKitError | None
    alignment: Alignment | None
    orientation: Orientation | None
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
    """A score table that was read.

    Attributes
    ----------
    targets
        For each value that has a column: (position of the mask in its item, pixel value) of
        everything that the column scores.
    """

    table: TableFile
    read: ScoreTable
    targets: dict[int, list[tuple[int, int]]]


@dataclass(frozen=True)
class ItemSurvey:
    """What the masks and score tables of an item hold."""

    item: Item
    masks: tuple[MaskSurvey, ...]
    scores: Scored
    score_findings: tuple[Finding, ...]
    tables: tuple[TableSurvey, ...] = ()


def survey_item(dataset: Dataset, item: Item) -> ItemSurvey:
    """Return the survey of an item; each of its files is read once in a dataset's life."""
    if item not in dataset.memory:
        masks = tuple(survey_mask(dataset, item, mask) for mask in item.masks)
        scoring = _Scoring(item, masks, dataset.score_base)
        scores, findings = scoring.place()
        tables = tuple(scoring.tables)
        dataset.memory[item] = ItemSurvey(item, masks, scores, tuple(findings), tables)
    survey: ItemSurvey = dataset.memory[item]
    return survey


def survey_mask(dataset: Dataset, item: Item, mask: MaskFile) -> MaskSurvey:
    """Return the survey of one annotation file."""
    if mask not in dataset.memory:
        labels, error = _labels_of(dataset, mask.image)
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


def _labels_of(
    dataset: Dataset, image: ImageFile
) -> tuple[LabelSurvey | None, NiftiKitError | None]:
    key = ("labels", image)
    if key not in dataset.memory:
        try:
            dataset.memory[key] = (survey_labels(image), None)
        except NiftiKitError as fault:
            # Without its traceback, which would hold the buffers of the reading.
            dataset.memory[key] = (None, fault.with_traceback(None))
    labels, error = dataset.memory[key]
    return labels, error


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


class _Scoring:
    """Brings the cells of an item's score tables to labels and slices."""

    def __init__(self, item: Item, masks: tuple[MaskSurvey, ...], base: int) -> None:
        self.item, self.masks, self.base = item, masks, base
        self.findings: list[Finding] = []
        self.tables: list[TableSurvey] = []
        self.placed: dict[tuple[int, int], dict[int, SliceScore]] = {}

    def place(self) -> tuple[Scored, list[Finding]]:
        for table in self.item.tables:
            # What a repair wrote counts from 1.
            base = self.base if table.content is None else 1
            try:
                read = read_scores(
                    table.path, base=base, relative=str(table.relative), content=table.content
                )
            except NiftiKitError as error:
                code = "scores-unreadable"
                found = finding(code, table.relative, describe(error), remedy=error.remedy)
                self.findings.append(found)
                continue
            self.findings += read.faults
            self._place_table(table, read)
        return {
            key: tuple(by_slice[k] for k in sorted(by_slice))
            for key, by_slice in self.placed.items()
        }, self.findings

    def _place_table(self, table: TableFile, read: ScoreTable) -> None:
        if self.item.is_scores_alone:  # a plan places them, on the figures of the target
            self.tables.append(TableSurvey(table, read, {}))
            return
        positions = self._masks_of(table)
        if not positions:
            message = f"no annotation file has index {table.index}; {len(read)} scores unused"
            self.findings.append(finding("scores-without-value", table.relative, message))
            return
        by_class = len(positions) > 1
        if by_class:
            message = "Label-N is read as the class index of the annotation files"
            self.findings.append(finding("scores-by-class", table.relative, message))
        targets = {value: self._targets(value, positions, by_class) for value in read.values}
        self.tables.append(TableSurvey(table, read, targets))
        for value in read.values:
            if not targets[value]:
                self._name_absent(table, read, value, by_class)
        for score in read:
            for position, pixel in targets.get(score.value, ()):
                self._put(table, score, position, pixel)

    def _masks_of(self, table: TableFile) -> list[int]:
        """Return the positions of the masks that a table speaks of."""
        every = list(range(len(self.masks)))
        if table.class_name is not None:
            return [at for at in every if self.masks[at].mask.class_name == table.class_name]
        if table.index is None:
            return every
        own = [at for at in every if self.masks[at].mask.index == table.index]
        return own or (every if len(every) == 1 and self.item.segmentation == "semantic" else [])

    def _targets(
        self, value: int, positions: Iterable[int], by_class: bool
    ) -> list[tuple[int, int]]:
        """Return (mask position, pixel value) of everything that ``Label-value`` scores."""
        targets = []
        for position in positions:
            survey = self.masks[position]
            present = survey.labels.values if survey.labels else ()
            if by_class and survey.mask.index == value:
                targets += [(position, pixel) for pixel in present]
            elif not by_class and value in present:
                targets.append((position, value))
        return targets

    def _name_absent(self, table: TableFile, read: ScoreTable, value: int, by_class: bool) -> None:
        count = sum(score.value == value for score in read)
        what = f"no annotation file has index {value}" if by_class else f"no voxel is {value}"
        message = f"column Label-{value}: {what}; its {count} scores do not land"
        self.findings.append(finding("scores-without-value", table.relative, message))

    def _put(self, table: TableFile, score: Score, position: int, pixel: int) -> None:
        survey = self.masks[position]
        slices = survey.slices(self.item.plane)
        if not slices:
            return
        if score.frame > len(slices):
            layer = score.frame - 1 + self.base
            message = (
                f"row {score.row}: Layer {layer}, but {survey.mask.relative.name} has "
                f"{len(slices)} frames"
            )
            self.findings.append(finding("scores-layer-outside", table.relative, message))
            return
        slice_index = slices[score.frame - 1]
        by_slice = self.placed.setdefault((position, pixel), {})
        if slice_index in by_slice:
            layer = score.frame - 1 + self.base
            message = f"row {score.row}: another table scores Layer {layer} of {pixel} too"
            self.findings.append(finding("scores-layer-repeated", table.relative, message))
            return
        by_slice[slice_index] = SliceScore(slice_index, score.score, score.comment)
