"""The view of a table: a real HTML table with search, filters, pages and cells to edit."""

from __future__ import annotations

from typing import Any

import anywidget
from traitlets import Dict, Unicode

from nifti_kit.widgets.parts.table import EDITABLE, Column, Row, Table
from nifti_kit.widgets.parts.views import classed, front

LARGE = 1e5
"""From here on a number has no decimals, and is never written as a power of ten."""


class TableView(anywidget.AnyWidget):
    """Shows a page of a table.

    The script gets the page as plain data, puts it into cells as text (never as markup), and
    sends back what a person does: ``{"do": "select", "key": ...}`` and the like.
    """

    _esm = front("table.js")
    _css = front("table.css")
    label = Unicode().tag(sync=True)
    shown = Dict().tag(sync=True)

    def __init__(self, model: Table, label: str) -> None:
        """``label`` says what the table lists; it is read to those who do not see it."""
        super().__init__(label=label)
        self.model = model
        self._edits = 0
        classed(self, "nk-table")
        names = ["columns", "rows", "search", "filters", "sort", "page", "selected", "page_size"]
        model.observe(self._show, names)
        self.on_msg(self._received)
        self._show()

    def _show(self, _: Any = None) -> None:
        table = self.model
        found = table.found
        self.shown = {
            "columns": [_column(table, column) for column in table.columns],
            "rows": [_row(table, row) for row in table.shown],
            "page": table.page,
            "pages": table.page_count,
            "found": len(found),
            "total": len(table.rows),
            "search": table.search,
            "selected": table.selected,
            "sort": table.sort,
            # Something new after each edit: an edit that was refused is drawn as it was before.
            "edits": self._edits,
        }

    def _received(self, _: Any, content: Any, __: Any) -> None:
        """Do what a person did; messages of another form are passed over."""
        if not isinstance(content, dict):
            return
        table, key = self.model, str(content.get("key", ""))
        name, value = str(content.get("column", "")), content.get("value")
        match content.get("do"):
            case "search":
                table.search = str(value)
            case "filter":
                table.filter_by(name, str(value))
            case "sort":
                table.sort_by(name)
            case "turn" if isinstance(value, int):
                table.turn(value)
            case "select":
                table.select(key)
            case "press":
                table.press(key, name)
            case "edit":
                self._edits += 1
                table.edit(key, name, value)
                self._show()


def _column(table: Table, column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "title": column.title,
        "kind": column.kind,
        "minor": column.minor,
        "filter": table.filters.get(column.name, ""),
        "values": _choices(table, column) if column.filtered else None,
    }


def _choices(table: Table, column: Column) -> list[str]:
    """Return what a column can be filtered by; the filter in force too, if no row has it now."""
    values, chosen = table.values_of(column.name), table.filters.get(column.name, "")
    return values if not chosen or chosen in values else [*values, chosen]


def _row(table: Table, row: Row) -> dict[str, Any]:
    """Return a row; of a cell only what there is: a page of a table is 200 cells and more."""
    cells = []
    for column in table.columns:
        name, value = column.name, row.cells.get(column.name)
        cell = {
            "value": value if column.kind == "check" else _shown(value),
            "choices": list(row.choices.get(name, ())),
            "color": list(row.colors.get(name, ())),
            "hint": row.hints.get(name, ""),
            "edited": column.kind in EDITABLE and value is not None,
        }
        cells.append({key: part for key, part in cell.items() if part or key == "value"})
    return {"key": row.key, "tone": row.tone, "cells": cells}


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= LARGE else f"{value:.6g}"
    return "" if value is None else str(value)
