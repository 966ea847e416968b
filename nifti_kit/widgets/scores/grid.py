"""The grid: a cell of a score table, and what the table is held against, in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nifti_kit.core.geometry import NORMALS
from nifti_kit.core.text import counted
from nifti_kit.errors import BadScores
from nifti_kit.formats.scores.cells import decimal
from nifti_kit.formats.scores.sheet import LAYER, SheetRow, comment_name, value_of
from nifti_kit.widgets.parts.table import Column, Row
from nifti_kit.widgets.scores.edits import Draft, key_parts
from nifti_kit.widgets.scores.evidence import (
    HEAD,
    SEVERITIES,
    Reference,
    Remark,
    fix_of,
    layer_key,
    line_key,
)

PLANES = {"axl": "axial", "cor": "coronal", "sag": "sagittal"}


def plane_text(plane: str | None) -> str:
    """Return a plane with the normal by which the platform knows it: ``axial (0-0-1)``."""
    return "unknown" if plane is None else f"{PLANES[plane]} ({NORMALS[plane]})"


_ALONE = {
    "file": "frame {self.frame} of a file that is not here: nobody can tell which slice it becomes",
    "ras": "RAS slice {last} of plane {self.plane} on the platform",
    "reversed": "{last} before the last RAS slice of plane {self.plane} on the platform",
}
"""What a layer is in a table without masks."""


@dataclass(frozen=True)
class CellInfo:
    """A cell."""

    # Of its row, and the name of its column.
    key: str = ""
    column: str = ""
    # As the table counts; in the NIfTI file (from 1); RAS+ (from 0). None: there is no such.
    layer: int | None = None
    frame: int | None = None
    slice: int | None = None
    line: int | None = None  # the row's line in the file; None where the table has no such row
    plane: str = ""  # in words
    text: str = ""
    comment: str = ""
    voxels: int | None = None  # how many the label has there; None where that is not known
    class_name: str = ""  # what the label is; ``""`` where that is not known
    remarks: tuple[Remark, ...] = ()  # what is wrong there
    alone: str = ""  # for a table without masks what its layers count along; else ``""``

    @property
    def where(self) -> str:
        """Which slice it is."""
        if self.key == HEAD:
            return f"Column {self.column}"
        if self.layer is None:
            return f"Line {self.line} of the file: it has no layer" if self.line else ""
        if self.frame is None:
            return f"Layer {self.layer}: there is no such frame"
        if self.alone:
            return (
                f"Layer {self.layer} = {_ALONE[self.alone].format(self=self, last=self.frame - 1)}"
            )
        said = f"Layer {self.layer} = frame {self.frame} of the file (from 1)"
        if self.slice is None:
            return said
        return f"{said} = RAS slice {self.slice} of plane {self.plane}"

    @property
    def what(self) -> str:
        """What stands in it, and whether its label is there."""
        if value_of(self.column) is None or self.key == HEAD:
            return ""
        name = f" ({self.class_name})" if self.class_name else ""
        said = f"{self.column}{name}: {self.text or 'no score'}"
        if self.voxels is None:
            return said
        return f"{said}; {counted(self.voxels, 'voxel')} of the label here"

    @property
    def lines(self) -> list[str]:
        """All of it, a line each."""
        told = [f"{one.severity}: {one.message}. {one.remedy}" for one in self.remarks]
        return [line for line in (self.where, self.what, *told) if line]


def place_of(
    draft: Draft, reference: Reference, current: tuple[str, str], remarks: Iterable[Remark]
) -> CellInfo:
    """Return a cell by the key of its row and the name of its column."""
    key, column = current
    if not key:
        return CellInfo()
    told = tuple(one for one in remarks if (one.row, one.column) == current)
    plane = plane_text(reference.item.plane)
    value = value_of(column)
    name = "" if value is None else reference.names.get(value, "")
    if key == HEAD:
        return CellInfo(key, column, plane=plane, text=column, class_name=name, remarks=told)
    layer, line = key_parts(key)
    frame = None if layer is None else draft.frame_of(layer)
    try:
        row = draft.rows.get(layer) if layer is not None else draft.sheet.row(line or 0)
    except BadScores:  # the row was removed, or has got a layer
        return CellInfo()
    text = draft.sheet.cell(row, column) if row else ""
    if column == LAYER and row is None:
        text = str(layer)
    comment = draft.sheet.cell(row, comment_name(column)) if row else ""
    return CellInfo(
        key,
        column,
        layer,
        frame,
        reference.slice_of(frame),
        row.number if row else None,
        plane,
        text,
        comment,
        None if value is None else reference.voxels_at(value, frame),
        name,
        told,
        draft.frames if reference.item.is_scores_alone else "",
    )


def subject_of(draft: Draft, reference: Reference) -> list[str]:
    """Return what a table is held against, a line each."""
    item = reference.item
    rows, labels = counted(len(draft.sheet.rows), "row"), counted(len(draft.sheet.values), "label")
    lines = [
        f"Table: {reference.table.relative}: {rows}, {labels}",
        f"Item: {item.name}, plane {plane_text(item.plane)}",
    ]
    frames = "how many frames they have is not known"
    if reference.count is not None:
        frames = counted(reference.count, "frame")
    masks = ", ".join(str(mask.relative) for mask in item.masks)
    lines.append(f"Masks: {masks} ({frames})" if masks else "Masks: none with this table")
    if item.volume is None:
        lines.append("Volume: on the target; slices are those of the masks")
    else:
        lines.append(f"Volume: {item.volume.relative}")
    beside = [
        str(mask.mask.relative)
        for mask in reference.survey.masks
        if mask.alignment is not None and not mask.alignment.lands
    ]
    if beside:
        lines.append(f"Not on the volume's voxels: {', '.join(beside)}. Repair it first")
    return lines


# Score grids: layers by labels as a view draws them, as plain data

Places = dict[tuple[str, str], list[Remark]]


def grid_of(draft: Draft, reference: Reference, remarks: Iterable[Remark]) -> dict[str, Any]:
    """Return a table as rows of cells: every frame has a row, rows without a layer come first.

    A cell is ``""`` where there is nothing to show, else a list: the text as it is written, the
    score (or None), 1 where the label has voxels, the severity of what is wrong (or ``""``), what
    is wrong, the comment.
    """
    places: Places = defaultdict(list)
    for remark in remarks:
        places[remark.row, remark.column].append(remark)
    sheet = draft.sheet
    return {
        "columns": [_column(name, reference, places) for name in sheet.columns],
        "rows": [
            *(_lost_row(draft, row, places) for row in draft.lost),
            *(_layer_row(draft, reference, layer, places) for layer in draft.layers),
        ],
    }


def _column(name: str, reference: Reference, places: Places) -> dict[str, Any]:
    value = value_of(name)
    title = "" if value is None else reference.names.get(value, "")
    tone, hint = _told(places.get((HEAD, name), ()))
    return {"name": name, "title": title, "tone": tone, "hint": hint}


def _told(remarks: Iterable[Remark]) -> tuple[str, str]:
    """Return the worst severity of remarks, and what they say."""
    found = list(remarks)
    worst = min((SEVERITIES.index(one.severity) for one in found), default=None)
    tone = "" if worst is None else SEVERITIES[worst]
    return tone, "; ".join(f"{one.severity}: {one.message}" for one in found)


def _row(key: str, layer: str, place: str, places: Places, cells: list[Any]) -> dict[str, Any]:
    tone, hint = _told(places.get((key, LAYER), ()))
    return {"key": key, "layer": layer, "slice": place, "tone": tone, "hint": hint, "cells": cells}


def _lost_row(draft: Draft, row: SheetRow, places: Places) -> dict[str, Any]:
    sheet, key = draft.sheet, line_key(row.number)
    cells = [
        _cell(name, sheet.cell(row, name), sheet.cell(row, comment_name(name)), False, ())
        for name in sheet.columns
    ]
    return _row(key, sheet.cell(row, LAYER) or "(none)", f"line {row.number}", places, cells)


def _layer_row(draft: Draft, reference: Reference, layer: int, places: Places) -> dict[str, Any]:
    key, frame = layer_key(layer), draft.frame_of(layer)
    row = draft.rows.get(layer)
    cells = []
    for name in draft.sheet.columns:
        value = value_of(name)
        is_here = value is not None and bool(reference.voxels_at(value, frame))
        text = draft.sheet.cell(row, name) if row else ""
        comment = draft.sheet.cell(row, comment_name(name)) if row else ""
        cells.append(_cell(name, text, comment, is_here, places.get((key, name), ())))
    at = reference.slice_of(frame)
    return _row(key, str(layer), "" if at is None else str(at), places, cells)


def _cell(name: str, text: str, comment: str, is_here: bool, remarks: Iterable[Remark]) -> Any:
    tone, hint = _told(remarks)
    if not (text or comment or is_here or tone):
        return ""
    number = decimal(text) if value_of(name) is not None else None
    shade = None if number is None else round(min(max(float(number), 0.0), 1.0), 3)
    return [text, shade, int(is_here), tone, hint, comment]


# The list of what is wrong in a score table: a row for each remark, with its repair

COLUMNS = (
    Column("severity", "Severity", filtered=True),
    Column("where", "Where"),
    Column("message", "What was found"),
    Column("code", "Code", filtered=True),
    Column("fix", "Repair", "button"),
)


def key_of(remark: Remark) -> str:
    """Return what a remark is known by: it stays the same while the rest is edited."""
    return f"{remark.code}|{remark.row}|{remark.column}|{remark.message}"


def rows_of(remarks: Iterable[Remark], draft: Draft) -> tuple[Row, ...]:
    """Return the rows, in the order of the remarks."""
    return tuple(
        Row(
            key_of(remark),
            {
                "severity": remark.severity,
                "where": remark.where,
                "message": remark.message,
                "code": remark.code,
                "fix": fix_of(remark, draft),
            },
            tone=remark.severity,
            hints={"message": remark.remedy},
        )
        for remark in remarks
    )
