"""Evidence: what is wrong in a score table, cell by cell, by the codes of the findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.checks.scores import score_evidence
from nifti_kit.core.catalog import lookup
from nifti_kit.core.geometry import plane_axis
from nifti_kit.core.text import counted
from nifti_kit.datasets.dataset import Dataset, rescan
from nifti_kit.datasets.items import Item, TableFile
from nifti_kit.datasets.scanning import Mended
from nifti_kit.datasets.surveys import ItemSurvey, MaskSurvey, TableSurvey, survey_item
from nifti_kit.errors import BadScores
from nifti_kit.formats.components import ShapeSurvey
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.formats.scores.cells import csv_text
from nifti_kit.widgets.parts.table import Tone
from nifti_kit.widgets.scores import edits
from nifti_kit.widgets.scores.edits import LAYER, Draft, Edited, SheetRow, number_of, value_of
from nifti_kit.widgets.viewer.loading import chosen_item

Shapes = Callable[[ImageFile], ShapeSurvey | None]
Target = tuple[int, int]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Reference:
    """What a score table is held against.

    Attributes
    ----------
    item, table
        Its item, and its file.
    survey
        What the item's files hold.
    targets
        For each value that a column may name: (position of the mask in the item, pixel value) of
        everything that it scores. Empty for a table without masks.
    voxels
        For each of these values its voxels on every frame; values whose masks cannot be read are
        not in it.
    slices
        For each frame of the file the RAS+ slice (from 0) that it becomes.
    names
        Class names by value.
    others
        For each value the frames that other tables of the item score.
    """

    item: Item
    table: TableFile
    survey: ItemSurvey
    targets: dict[int, list[Target]]
    voxels: dict[int, Counts]
    slices: tuple[int, ...]
    names: dict[int, str]
    others: dict[int, frozenset[int]]

    @property
    def count(self) -> int | None:
        """How many frames the masks have; None where nothing says it."""
        return len(self.slices) or None

    @property
    def has_masks(self) -> bool:
        """Whether there is a mask that says which labels there are."""
        return bool(self.targets)

    @property
    def by_class(self) -> bool:
        """Whether columns name the class index of annotation files, not a pixel value."""
        return any(found.code == "scores-by-class" for found in self._findings)

    @property
    def _findings(self) -> Iterable[Any]:
        path = str(self.table.relative)
        return (found for found in self.survey.score_findings if found.path == path)

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

    Parameters
    ----------
    shapes
        Gives the profiles of a label file; None where it cannot be read.
    """
    survey, targets = _targets(dataset, item, table)
    scored = {target for found in targets.values() for target in found}
    profiles = {target: _profile(survey, target, shapes) for target in sorted(scored)}
    masks = [survey.masks[at] for at in sorted({at for at, _ in scored})] or list(survey.masks)
    return Reference(
        item,
        table,
        survey,
        targets,
        _summed(targets, profiles),
        _slices(masks, item.plane),
        _names(dataset, survey, targets),
        _others(survey, table, targets),
    )


def _targets(
    dataset: Dataset, item: Item, table: TableFile
) -> tuple[ItemSurvey, dict[int, list[Target]]]:
    """Return the item's survey, and what a column of any value would score.

    It is asked with a table that has a column for every value there is, and no row: so the rule
    stands in one place.
    """
    survey = survey_item(dataset, item)
    values = {value for mask in survey.masks if mask.labels for value in mask.labels.values}
    values |= {mask.mask.index for mask in survey.masks if mask.mask.index is not None}
    if not values:
        return survey, {}
    header = csv_text([["Layer", *(f"Label-{value}" for value in sorted(values))]])
    anew = rescan(dataset, [Mended(table.relative, header.encode(), "asked for its columns")])
    again = next(found for found in anew.items if found.name == item.name)
    for found in survey_item(anew, again).tables:
        if found.table.relative == table.relative:
            return survey, {value: targets for value, targets in found.targets.items() if targets}
    return survey, {}


def _profile(survey: ItemSurvey, target: Target, shapes: Shapes) -> Counts | None:
    """Return the voxels of a label on each frame; None where they are not known."""
    position, pixel = target
    mask, plane = survey.masks[position], survey.item.plane
    found = shapes(mask.mask.image)
    if plane is None or mask.orientation is None or found is None or pixel not in found.profiles:
        return None
    return found.profiles[pixel][plane_axis(mask.mask.grid, plane, mask.orientation)[0]]


def _summed(
    targets: dict[int, list[Target]], profiles: dict[Target, Counts | None]
) -> dict[int, Counts]:
    summed = {}
    for value, found in targets.items():
        known = [profile for target in found if (profile := profiles[target]) is not None]
        if len(known) == len(found) and len({len(profile) for profile in known}) == 1:
            summed[value] = np.sum(known, axis=0)
    return summed


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


def _others(
    survey: ItemSurvey, table: TableFile, targets: dict[int, list[Target]]
) -> dict[int, frozenset[int]]:
    """Return the frames that other tables of the item score, for each value of this one."""
    scored: dict[Target, set[int]] = {}
    for other in survey.tables:
        if other.table.relative == table.relative:
            continue
        for score in other.read:
            for target in other.targets.get(score.value, ()) if score.score is not None else ():
                scored.setdefault(target, set()).add(score.frame)
    return {
        value: frozenset().union(*(scored.get(target, set()) for target in found))
        for value, found in targets.items()
    }


HEAD = "head"
"""The key of the row that names the columns."""

SUSPECTS = ("scores-base-suspect", "scores-reversed-suspect")
"""Codes about how the layers of a whole table are counted."""

SEVERITIES = ("error", "warning", "note")
"""In the order in which a person wants to see them."""


@dataclass(frozen=True)
class Remark:
    """Something that is wrong with a cell, a row, a column or the table.

    Attributes
    ----------
    code
        That of the finding.
    row
        The key of the row: ``L12`` (layer 12), ``R5`` (line 5 of the file, which has no layer of
        its own), ``head``; ``""`` for the table as a whole.
    column
        The name of the column, such as ``Label-2``; ``""`` for the row or table as a whole.
    message
        What was found.
    """

    code: str
    row: str
    column: str
    message: str

    @property
    def severity(self) -> Tone:
        """``error``, ``warning`` or ``note``."""
        found: Tone = lookup(self.code).severity  # type: ignore[assignment]
        return found

    @property
    def remedy(self) -> str:
        """What to do."""
        return lookup(self.code).remedy

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
    """Return what is wrong in a table, errors first; no file is read.

    It finds what :func:`nifti_kit.check` finds in the saved table, but for each cell.
    """
    found = [
        *_table(dataset, draft, reference, shapes),
        *_columns(draft, reference),
        *_rows(draft),
        *_cells(draft, reference),
    ]
    once = dict.fromkeys(found)
    return tuple(sorted(once, key=lambda remark: SEVERITIES.index(remark.severity)))


def _table(
    dataset: Dataset, draft: Draft, reference: Reference, shapes: Shapes
) -> Iterator[Remark]:
    if reference.item.is_scores_alone:
        if draft.frames == "file":
            message = "no mask says in which direction the layers count"
            yield Remark("scores-frames-unknown", "", "", message)
        return
    if not reference.has_masks:
        message = "no annotation file that belongs to the table can be read: nothing lands"
        yield Remark("scores-without-value", "", "", message)
        return
    if reference.by_class:
        message = "Label-N is read as the class index of the annotation files"
        yield Remark("scores-by-class", "", "", message)
    if draft.frames == "file":  # turned round, its messages would be the wrong way round
        own = TableSurvey(reference.table, draft.read, _scored(draft, reference))
        survey = replace(reference.survey, tables=(*_other_tables(reference), own))
        based = replace(dataset, score_base=draft.base)
        for finding in score_evidence(based, survey, shapes):
            if finding.code in SUSPECTS and finding.path == str(reference.table.relative):
                yield Remark(finding.code, "", "", finding.message)


def _scored(draft: Draft, reference: Reference) -> dict[int, list[tuple[int, int]]]:
    return {value: reference.targets.get(value, []) for value in draft.sheet.values}


def _other_tables(reference: Reference) -> list[TableSurvey]:
    relative = reference.table.relative
    return [found for found in reference.survey.tables if found.table.relative != relative]


def _columns(draft: Draft, reference: Reference) -> Iterator[Remark]:
    sheet = draft.sheet
    for name in sheet.header:
        if not name or name == LAYER:
            continue
        kind, _, number = name.partition("-")
        if kind == "Comment" and number.isdigit():
            if f"Label-{number}" not in sheet.header:
                message = f"there is no Label-{number} beside it: it is not used"
                yield Remark("scores-column", HEAD, name, message)
        elif kind == "Label" and number.isdigit():
            yield from _label(draft, reference, name, int(number))
        else:
            message = "it is no Label-N: it is not used, and not in the saved table"
            yield Remark("scores-column", HEAD, name, message)


def _label(draft: Draft, reference: Reference, name: str, value: int) -> Iterator[Remark]:
    texts = [draft.sheet.cell(row, name) for row in draft.sheet.rows]
    if not any(texts):
        yield Remark("scores-column-empty", HEAD, name, "it has no score")
    if reference.has_masks and value not in reference.targets:
        what = "no annotation file has this index" if reference.by_class else "no voxel has it"
        count = sum(bool(text) for text in texts)
        message = f"{what}; scores that do not land: {count}"
        yield Remark("scores-without-value", HEAD, name, message)


_LAYER_FAULTS = {
    "scores-layer": "{text!r} is no whole number",
    "scores-layer-zero": "Layer 0, but layers count from 1",
    "scores-layer-outside": "Layer {text} is below the first one",
    "scores-layer-repeated": "Layer {text} stands more than once",
}


def _rows(draft: Draft) -> Iterator[Remark]:
    for line, code in draft.faults.items():
        text = draft.sheet.cell(draft.sheet.row(line), LAYER)
        yield Remark(code, line_key(line), LAYER, _LAYER_FAULTS[code].format(text=text))
    for layer, row in draft.rows.items():
        if draft.frame_of(layer) is None and any(_texts(draft, row)):
            message = f"the masks have {draft.count} frames"
            yield Remark("scores-layer-outside", layer_key(layer), LAYER, message)
    places = {row.number: layer_key(layer) for layer, row in draft.rows.items()}
    for row in draft.sheet.rows:
        if beyond := draft.sheet.beyond(row):
            key = places.get(row.number, line_key(row.number))
            message = f"cells without a header: {', '.join(beyond)}"
            yield Remark("scores-cell", key, LAYER, message)


def _texts(draft: Draft, row: SheetRow) -> list[str]:
    return [draft.sheet.cell(row, f"Label-{value}") for value in draft.sheet.values]


def _cells(draft: Draft, reference: Reference) -> Iterator[Remark]:
    for value in draft.sheet.values:
        known = set(reference.others.get(value, ()))
        for layer in draft.rows:
            text = draft.written(layer, value)
            if text:
                yield from _cell(draft, reference, layer, value, text)
                if number_of(text) is not None:
                    known.add(draft.frame_of(layer) or 0)
        if known:
            yield from _missing(draft, reference, value, known)


def _cell(
    draft: Draft, reference: Reference, layer: int, value: int, text: str
) -> Iterator[Remark]:
    place, number = (layer_key(layer), f"Label-{value}"), number_of(text)
    frame = draft.frame_of(layer)
    if number is None:
        yield Remark("scores-cell", *place, f"{text!r} is no number")
        return
    if not 0 <= number <= 1:
        yield Remark("scores-range", *place, f"{text} is outside 0 to 1")
    if number != 0 and reference.voxels_at(value, frame) == 0:
        yield Remark("scores-slice-empty", *place, f"{text}, but no voxel of the label is here")
    if frame in reference.others.get(value, ()):
        yield Remark("scores-layer-repeated", *place, "another table scores it too")


def _missing(draft: Draft, reference: Reference, value: int, known: set[int]) -> Iterator[Remark]:
    for layer in draft.layers:
        frame = draft.frame_of(layer)
        voxels = reference.voxels_at(value, frame)
        if voxels and frame not in known:
            message = f"no score, but {counted(voxels, 'voxel')} of the label"
            if draft.written(layer, value):
                continue  # there is text: that is the fault
            yield Remark("scores-slice-missing", layer_key(layer), f"Label-{value}", message)


# Countings: what each way to count the layers of a score table would mean

DIRECTIONS = {
    "file": "from the first frame",
    "reversed": "from the last frame",
}

ALONE = {
    "file": "along the NIfTI file (which is not here)",
    "ras": "along the slices on the platform",
    "reversed": "along these slices, from the last one",
}


@dataclass(frozen=True)
class Counting:
    """One way to count layers.

    Attributes
    ----------
    base, frames
        As :func:`nifti_kit.scan` has them in ``score_base`` and ``score_frames``.
    on_label
        Scores (other than 0) that are then on slices that have their label; None without masks.
    beside
        Scores that are then on slices without it.
    outside
        Scores that then have no frame.
    alone
        Whether the table has no masks.
    """

    base: int
    frames: str
    on_label: int | None = None
    beside: int = 0
    outside: int = 0
    alone: bool = False

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
            number = number_of(draft.sheet.cell(row, f"Label-{value}"))
            layer = number_of(draft.sheet.cell(row, "Layer"))
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

_CELLS = frozenset(("scores-cell", "scores-slice-empty", "scores-layer-repeated"))
_COLUMNS = frozenset(("scores-column", "scores-column-empty", "scores-without-value"))
_ROWS = frozenset(("scores-layer", "scores-layer-outside", "scores-layer-repeated"))
_BASES = frozenset(("scores-base-suspect", "scores-layer-zero"))


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
    """Do what :func:`fix_of` says.

    Raises
    ------
    BadScores
        If nothing can be done by one press, or it cannot be done.
    """
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
