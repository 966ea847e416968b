"""Remarks: what is wrong in a score table, cell by cell, by the codes of the findings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from nifti_kit.checks.scores import score_evidence
from nifti_kit.core.catalog import lookup
from nifti_kit.core.wording import counted
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.surveys import TableSurvey
from nifti_kit.widgets.parts.table import Tone
from nifti_kit.widgets.scores.drafts import Draft
from nifti_kit.widgets.scores.references import Reference, Shapes
from nifti_kit.widgets.scores.sheets import LAYER, SheetRow, number_of

__all__ = ["HEAD", "Remark", "layer_key", "line_key", "remarks_of"]

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
