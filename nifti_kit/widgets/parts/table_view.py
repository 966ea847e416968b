"""The view of a table: a real HTML table with search, filters, pages and cells to edit."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import anywidget
import ipywidgets as w
from traitlets import Dict, Unicode

from nifti_kit.core import html
from nifti_kit.core.findings import Finding
from nifti_kit.core.html import Markup
from nifti_kit.core.text import counted
from nifti_kit.widgets.parts.findings import SEVERITIES, FindingsTable
from nifti_kit.widgets.parts.table import EDITABLE, Column, Row, Table
from nifti_kit.widgets.parts.views import Gated, SaveRow, classed, front, heading, paragraph, say

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
            case "turn":
                table.turn(1 if value == 1 else -1)
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
        "filter": table.filters.get(column.name, ""),
        "values": _choices(table, column) if column.filtered else None,
    }


def _choices(table: Table, column: Column) -> list[str]:
    """Return what a column can be filtered by; the filter in force too, if no row has it now."""
    values, chosen = table.values_of(column.name), table.filters.get(column.name, "")
    return values if not chosen or chosen in values else [*values, chosen]


def _row(table: Table, row: Row) -> dict[str, Any]:
    cells = []
    for column in table.columns:
        value = row.cells.get(column.name)
        cells.append(
            {
                "value": value if column.kind == "check" else _shown(value),
                "choices": list(row.choices.get(column.name, ())),
                "color": list(row.colors[column.name]) if column.name in row.colors else None,
                "hint": row.hints.get(column.name, ""),
                "edited": column.kind in EDITABLE and value is not None,
            }
        )
    return {"key": row.key, "tone": row.tone, "cells": cells}


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= LARGE else f"{value:.6g}"
    return "" if value is None else str(value)


# The view of findings: what is wrong, where, what to do, and what a person accepts

NONE = "No findings: nothing is wrong as far as it was read."


class FindingsView(w.VBox):
    """Shows findings.

    Parameters
    ----------
    model
        The findings.
    jump
        Called with the chosen finding by the button "Show the item"; without it there is none.
    path
        Where findings are saved at first; ``.html`` is a report with pictures.
    """

    def __init__(
        self,
        model: FindingsTable,
        jump: Callable[[Finding], Any] | None = None,
        path: str | os.PathLike[str] = "findings.html",
    ) -> None:
        self.model, self._jump = model, jump
        self._counts = say("", "nk-counts")
        self._detail = classed(w.HTML(), "nk-detail", "nk-text")
        self._show_item = Gated("Show the item", self._go, self._jump_blockers, "nk-jump")
        self._show_item.layout.display = "" if jump else "none"
        listed = classed(TableView(model.table, "Findings"), "nk-list")
        # Beside each other where there is room: the chosen finding is seen with the list.
        listed.layout = w.Layout(flex="3 1 32rem", min_width="0")
        chosen = w.VBox([self._detail, self._show_item])
        chosen.layout = w.Layout(flex="1 1 17rem", min_width="0")
        self._lists = w.VBox(
            [
                heading("By code", 4),
                say(
                    "Accept a code, or below it one finding, and it no longer blocks; it stays on "
                    "record. A file that cannot land is left out, and named."
                ),
                classed(TableView(model.codes, "Codes of findings"), "nk-codes"),
                heading("One by one", 4),
                w.HBox([listed, chosen], layout={"flex_flow": "row wrap", "grid_gap": "12px"}),
            ]
        )
        saving = SaveRow("Findings", path, model.save)
        super().__init__([self._counts, self._lists, saving])
        classed(self, "nk-findings")
        model.observe(self._show, "findings")
        model.observe(self._show_chosen, "selected")
        self._show()

    def _show(self, _: Any = None) -> None:
        counts = self.model.counts
        said = ", ".join(counted(counts[name], name) for name in SEVERITIES)
        said += f", {counts['waived']} accepted"
        self._counts.value = paragraph(said if self.model.findings else NONE)
        self._lists.layout.display = "" if self.model.findings else "none"
        self._show_chosen()

    def _show_chosen(self, _: Any = None) -> None:
        chosen = self.model.selected
        self._detail.value = _detail(self.model, chosen) if chosen else ""
        self._detail.layout.display = "" if chosen else "none"
        self._show_item.refresh()

    def _jump_blockers(self) -> list[str]:
        chosen = self.model.selected
        if chosen is None:
            return ["Choose a finding in the list."] if self.model.findings else []
        if self.model.item_of(chosen) is None:
            return ["This finding is about no single item."]
        return []

    def _go(self) -> None:
        if self._jump is not None and self.model.selected is not None:
            self._jump(self.model.selected)


def _detail(model: FindingsTable, found: Finding) -> Markup:
    """Return a finding whole: what, where, what to do, and its picture."""
    parts = [
        html.element("h4", f"{found.severity}: {found.code}"),
        html.element("p", found.path or "The source as a whole", kind="nk-where"),
        html.element("p", found.message),
    ]
    if found.voxel is not None:
        parts.append(html.element("p", "At voxel {}, {}, {} (from 0).".format(*found.voxel)))
    if found.waived:
        parts.append(html.element("p", "Accepted: it does not block."))
    if found.remedy:
        parts.append(html.element("p", html.element("b", "What to do: "), found.remedy))
    picture = model.picture_of(found)
    if picture is not None:
        parts.append(html.figure(picture))
    return html.element("div", *parts, kind="nk-finding")
