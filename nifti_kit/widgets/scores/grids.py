"""Score grids: layers by labels as a view draws them, as plain data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from nifti_kit.widgets.scores.drafts import Draft
from nifti_kit.widgets.scores.evidence import HEAD, SEVERITIES, Remark, layer_key, line_key
from nifti_kit.widgets.scores.references import Reference
from nifti_kit.widgets.scores.sheets import LAYER, SheetRow, comment_name, number_of, value_of

__all__ = ["grid_of"]

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
    lost = [row for row in sheet.rows if row.number in draft.faults]
    return {
        "columns": [_column(name, reference, places) for name in sheet.columns],
        "rows": [
            *(_lost_row(draft, row, places) for row in lost),
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
    number = number_of(text) if value_of(name) is not None else None
    shade = None if number is None else round(min(max(float(number), 0.0), 1.0), 3)
    return [text, shade, int(is_here), tone, hint, comment]
