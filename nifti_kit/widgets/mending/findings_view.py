"""The view of findings: what is wrong, where, and what can be done about it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets as w

from nifti_kit.core import html
from nifti_kit.core.findings import Finding
from nifti_kit.core.html import Markup
from nifti_kit.core.text import counted
from nifti_kit.widgets.mending.model import Mending
from nifti_kit.widgets.mending.view import MendingView, SlicesView, StepsView
from nifti_kit.widgets.parts.findings import SEVERITIES, FindingsTable
from nifti_kit.widgets.parts.table_view import TableView
from nifti_kit.widgets.parts.views import (
    Gated,
    Prose,
    SaveRow,
    beside,
    classed,
    heading,
    paragraph,
    say,
)

NONE = "No findings: nothing is wrong as far as it was read."


class FindingsView(w.VBox):
    """Shows findings: what ``mending`` can do about them, and by ``jump`` the item of one.

    ``path`` is where they are saved at first; ``.html`` is a report with pictures.
    """

    def __init__(
        self,
        model: FindingsTable,
        jump: Callable[[Finding], Any] | None = None,
        path: str | os.PathLike[str] = "findings.html",
        mending: Mending | None = None,
    ) -> None:
        self.model, self._jump = model, jump
        self._counts = say("", "nk-counts")
        self._detail = classed(Prose(), "nk-detail", "nk-text")
        self._picture = classed(Prose(), "nk-picture", "nk-finding", "nk-text")
        self._show_item = Gated("Show the item", self._go, self._jump_blockers, "nk-jump")
        self._show_item.layout.display = "" if jump else "none"
        listed = classed(TableView(model.table, "Findings"), "nk-list")
        parts = [] if mending is None else [MendingView(mending)]
        chosen = w.VBox([self._detail, self._show_item, *parts, self._picture])
        classed(chosen, "nk-chosen")
        codes = classed(TableView(model.codes, "Codes of findings"), "nk-codes")
        slices = [] if mending is None else [SlicesView(mending)]
        self._lists = w.VBox([beside(listed, chosen), *slices, heading("By code", 4), codes])
        saving = SaveRow("Findings", path, model.save)
        done = [] if mending is None else [StepsView(mending, Path(path).with_name("steps.json"))]
        super().__init__([self._counts, self._lists, *done, saving])
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
        self._detail.value = _told(chosen) if chosen else ""
        picture = self.model.picture_of(chosen) if chosen else None
        self._picture.value = html.figure(picture) if picture else ""
        for part in (self._detail, self._picture):
            part.layout.display = "" if chosen else "none"
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


def _told(found: Finding) -> Markup:
    """Return a finding in words: what, where, and what to do."""
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
    return html.element("div", *parts, kind="nk-finding")
