"""Evidence: what is wrong in a score table, cell by cell: the findings of ``check``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from nifti_kit.checks.geometry import scores_of_cutouts
from nifti_kit.checks.scores import (
    LabelScores,
    Profile,
    Shapes,
    Target,
    base_unsaid,
    label_profile,
    label_scores,
    other_readings,
)
from nifti_kit.core.findings import Finding, finding
from nifti_kit.core.text import counted
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item, TableFile
from nifti_kit.datasets.surveys import (
    ItemSurvey,
    MaskSurvey,
    place_scores,
    survey_item,
    table_survey,
    targets_of,
)
from nifti_kit.errors import BadScores
from nifti_kit.formats.scores.cells import decimal
from nifti_kit.formats.scores.sheet import LAYER, value_of
from nifti_kit.widgets.parts.table import Tone
from nifti_kit.widgets.scores import edits
from nifti_kit.widgets.scores.edits import Draft, Edited
from nifti_kit.widgets.viewer.loading import chosen_item


@dataclass(frozen=True, eq=False)
class Reference:
    """What a score table is held against."""

    item: Item
    table: TableFile
    survey: ItemSurvey  # what the item's files hold
    # For each value that a column may name: (position of the mask in the item, pixel value) of
    # everything that it scores. Empty for a table without masks.
    targets: dict[int, list[Target]]
    # For each of these values its voxels on every frame; values whose masks cannot be read are not
    # in it.
    voxels: dict[int, Profile]
    slices: tuple[int, ...]  # for each frame of the file the RAS+ slice (from 0) that it becomes
    names: dict[int, str]  # class names by value

    @property
    def count(self) -> int | None:
        """How many frames the masks have; None where nothing says it."""
        return len(self.slices) or None

    def slice_of(self, frame: int | None) -> int | None:
        """Return the RAS+ slice (from 0) of a frame (from 1); None where there is no such frame."""
        if frame is None or not 1 <= frame <= len(self.slices):
            return None
        return self.slices[frame - 1]

    def voxels_at(self, value: int, frame: int | None) -> int | None:
        """Return how many voxels a label has on a frame; None where that is not known."""
        if value not in self.voxels or frame is None or frame > len(self.voxels[value]):
            return None
        return int(self.voxels[value][frame - 1])


def reference_of(dataset: Dataset, item: Item, table: TableFile, shapes: Shapes) -> Reference:
    """Return what a table of an item is held against; its masks are read, each once.

    ``shapes``: gives the profiles of a label file; None where it cannot be read.
    """
    survey = survey_item(dataset, item)
    targets = targets_of(item, survey.masks, table)
    profiles = {v: label_profile(survey, found, shapes) for v, found in targets.items()}
    voxels = {value: profile for value, profile in profiles.items() if profile is not None}
    scored = sorted({at for found in targets.values() for at, _ in found})
    masks = [survey.masks[at] for at in scored] or list(survey.masks)
    slices, names = _slices(masks, item.plane), _names(dataset, survey, targets)
    return Reference(item, table, survey, targets, voxels, slices, names)


def _slices(masks: Iterable[MaskSurvey], plane: str | None) -> tuple[int, ...]:
    """Return the RAS+ slice of each frame; nothing where masks differ in it, or there is none."""
    found = {slices for mask in masks if (slices := mask.slices(plane))}
    return found.pop() if len(found) == 1 else ()


def _names(
    dataset: Dataset, survey: ItemSurvey, targets: dict[int, list[Target]]
) -> dict[int, str]:
    """Return the class of each value, as it will land."""
    if not targets:
        return {}
    positions = {survey.masks[at].mask.relative: at for at in range(len(survey.masks))}
    planned = chosen_item(dataset, survey.item).objects
    classes = {(positions[one.mask.relative], one.value): one.class_name for one in planned}
    return {
        value: classes[target]
        for value, found in targets.items()
        for target in reversed(found)
        if target in classes
    }


HEAD = "head"
"""The key of the row that names the columns."""

SEVERITIES = ("error", "warning", "note")
"""In the order in which a person wants to see them."""


@dataclass(frozen=True)
class Remark:
    """Something that is wrong with a cell, a row, a column or the table."""

    finding: Finding  # what ``check`` says of it
    # The key of the row: ``L12`` (layer 12), ``R5`` (line 5 of the file, which has no layer of its
    # own), ``head``; ``""`` for the table as a whole.
    row: str = ""
    # The name of the column, such as ``Label-2``; ``""`` for the row or table as a whole.
    column: str = ""

    @property
    def code(self) -> str:
        """That of the finding."""
        return self.finding.code

    @property
    def severity(self) -> Tone:
        """``error``, ``warning`` or ``note``."""
        found: Tone = self.finding.severity  # type: ignore[assignment]
        return found

    @property
    def message(self) -> str:
        """What was found; the place is said by ``where``."""
        _, _, what = self.finding.message.partition(": ")
        return what if self.finding.cell and what else self.finding.message

    @property
    def remedy(self) -> str:
        """What to do."""
        return self.finding.remedy

    @property
    def where(self) -> str:
        """The place in words."""
        column = {LAYER: "", "": ""}.get(self.column, self.column)
        row = {"": "", HEAD: ""}.get(self.row, f"Layer {self.row[1:]}")
        if self.row.startswith("R"):
            row = f"line {self.row[1:]}"
        return ", ".join(part for part in (row, column) if part) or "the table"


def layer_key(layer: int) -> str:
    """Return the key of the row of a layer."""
    return f"L{layer}"


def line_key(line: int) -> str:
    """Return the key of a row that has no layer of its own, by its line in the file."""
    return f"R{line}"


def remarks_of(
    dataset: Dataset, draft: Draft, reference: Reference, shapes: Shapes
) -> tuple[Remark, ...]:
    """Return what :func:`nifti_kit.check` finds in the table, for each cell, errors first.

    The rules are those of ``check``; no file is read.
    """
    item, survey = reference.item, reference.survey
    own = table_survey(item, survey.masks, reference.table, draft.read)
    relative = reference.table.relative
    tables = (*(one for one in survey.tables if one.table.relative != relative), own)
    columns = list(label_scores(replace(survey, tables=tables), own, shapes))
    found = [one for one in scores_of_cutouts(item) if one.path == own.read.path]
    if item.is_scores_alone and draft.frames == "file":
        message = "no mask says in which direction the layers count"
        found.append(finding("scores-frames-unknown", relative, message))
    if not draft.said:
        found += base_unsaid(dataset, replace(survey, tables=(own,)))
    if draft.frames == "file":  # turned round, its messages would be the wrong way round
        found += other_readings(own, columns)
    found += [
        one for one in place_scores(item, survey.masks, tables)[1] if one.path == own.read.path
    ]
    remarks = [_remark(one, draft) for one in [*found, *own.read.each_fault]]
    once = dict.fromkeys([*remarks, *_slice_remarks(draft, columns)])
    return tuple(sorted(once, key=lambda remark: SEVERITIES.index(remark.severity)))


def base_is_said(dataset: Dataset, draft: Draft, reference: Reference) -> bool:
    """Say whether it is known what the layers of a table count from, as it is scanned."""
    own = table_survey(reference.item, reference.survey.masks, reference.table, draft.read)
    return not any(base_unsaid(dataset, replace(reference.survey, tables=(own,))))


def _remark(found: Finding, draft: Draft) -> Remark:
    """Return a finding with the place of its cell in the grid."""
    if found.cell is None:
        return Remark(found)
    (line, column), sheet = found.cell, draft.sheet
    name = sheet.header[column - sheet.first]
    if line == sheet.line:
        return Remark(found, HEAD, name)
    layer = draft.layer_at(line)
    return Remark(found, line_key(line) if layer is None else layer_key(layer), name)


def _slice_remarks(draft: Draft, columns: Iterable[LabelScores]) -> Iterator[Remark]:
    """Yield a remark for each slice that has a label and no score, or a score and no label."""
    path = str(draft.table.relative)
    for column in columns:
        value, name = column.value, f"Label-{column.value}"
        for frame in sorted(column.empty):
            layer = draft.layer_of(frame)
            message = f"{draft.written(layer, value)}, but no voxel of the label is here"
            yield Remark(finding("scores-slice-empty", path, message), layer_key(layer), name)
        for frame in sorted(column.missing):
            layer = draft.layer_of(frame)
            if draft.written(layer, value):
                continue  # there is text: that is the fault
            message = (
                f"no score, but {counted(int(column.voxels[frame - 1]), 'voxel')} of the label"
            )
            yield Remark(finding("scores-slice-missing", path, message), layer_key(layer), name)


# Countings: what each way to count the layers of a score table would mean

DIRECTIONS = {"file": "from the first frame", "reversed": "from the last frame"}

ALONE = {
    "file": "along the NIfTI file (which is not here)",
    "ras": "along the slices on the platform",
    "reversed": "along these slices, from the last one",
}


@dataclass(frozen=True)
class Counting:
    """One way to count layers."""

    # As :func:`nifti_kit.scan` has them in ``score_base`` and ``score_frames``.
    base: int
    frames: str
    # Scores (other than 0) that are then on slices that have their label; None without masks.
    on_label: int | None = None
    beside: int = 0  # scores that are then on slices without it
    outside: int = 0  # scores that then have no frame
    alone: bool = False  # whether the table has no masks

    @property
    def total(self) -> int:
        """The scores (other than 0) of labels that are known."""
        return (self.on_label or 0) + self.beside + self.outside

    @property
    def text(self) -> str:
        """It in words, with what it would mean."""
        direction = (ALONE if self.alone else DIRECTIONS)[self.frames]
        how = f"Layers count from {self.base}, {direction}"
        if self.on_label is None:
            return f"{how}: nobody can tell how well that fits"
        said = f"{how}: {self.on_label} of {counted(self.total, 'score')} on slices with the label"
        return said + (f", {self.outside} outside of the file" if self.outside else "")


def countings_of(draft: Draft, reference: Reference) -> tuple[Counting, ...]:
    """Return every way to count the layers of a table, with what it would mean."""
    if reference.item.is_scores_alone:
        return tuple(Counting(base, frames, alone=True) for frames in ALONE for base in (1, 0))
    if reference.count is None:
        return tuple(Counting(base, "file") for base in (1, 0))
    return tuple(
        _counted(replace(draft, base=base, frames=frames), reference)
        for frames in DIRECTIONS
        for base in (1, 0)
    )


def _counted(draft: Draft, reference: Reference) -> Counting:
    on_label = beside = outside = 0
    for value in set(draft.sheet.values) & set(reference.voxels):
        for row in draft.sheet.rows:
            number = decimal(draft.sheet.cell(row, f"Label-{value}"))
            layer = decimal(draft.sheet.cell(row, "Layer"))
            if not number or layer is None or layer != int(layer):
                continue
            voxels = reference.voxels_at(value, draft.frame_of(int(layer)))
            on_label += bool(voxels)
            beside += voxels == 0
            outside += voxels is None
    return Counting(draft.base, draft.frames, on_label, beside, outside)


# Fixes: what can be done by one press about what is wrong in a score table

CLEAR, ROW, COLUMN = "Clear the cell", "Remove the row", "Remove the column"
BASE = "Count from {base}"
TURN = "Count from the last frame"

_CELLS = frozenset(
    ("scores-cell", "scores-cell-text", "scores-slice-empty", "scores-layer-repeated")
)
_COLUMNS = frozenset(("scores-column", "scores-column-empty", "scores-without-value"))
_ROWS = frozenset(("scores-layer", "scores-layer-outside", "scores-layer-repeated"))
_BASES = frozenset(("scores-base-suspect", "scores-base-unsaid", "scores-layer-zero"))


def fix_of(remark: Remark, draft: Draft) -> str:
    """Return what can be done about a remark by one press, in words; ``""`` for nothing."""
    code, column = remark.code, remark.column
    offers = {
        BASE.format(base=1 - draft.base): code in _BASES,
        TURN: code == "scores-reversed-suspect",
        CLEAR: code in _CELLS and value_of(column) is not None,
        ROW: code in _ROWS and column == LAYER,
        COLUMN: code in _COLUMNS and column in draft.sheet.columns,
    }
    return next((text for text, fits in offers.items() if fits), "")


def fixed(remark: Remark, draft: Draft) -> Edited:
    """Do what :func:`fix_of` says; raises BadScores where that is nothing, or cannot be done."""
    fix = fix_of(remark, draft)
    if fix == CLEAR:
        return edits.scored(draft, remark.row, remark.column, "")
    if fix == ROW:
        return edits.row_removed(draft, remark.row)
    if fix == COLUMN:
        return edits.column_removed(draft, remark.column)
    if fix == TURN:
        return edits.counted_anew(draft, draft.base, "reversed")
    if fix:
        return edits.counted_anew(draft, 1 - draft.base, draft.frames)
    raise BadScores("nothing can be done about it by one press", found=remark.message)
