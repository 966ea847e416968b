"""The view of headers: what a file says of its place, and how masks lie on their volume."""

from __future__ import annotations

from typing import Any

import ipywidgets as w

from nifti_kit.core import html
from nifti_kit.widgets.inspect.tables import HeaderPanel
from nifti_kit.widgets.parts.table_view import TableView
from nifti_kit.widgets.parts.views import classed, heading, say

__all__ = ["HeaderView"]


class HeaderView(w.VBox):
    """Shows the headers of an item, and the alignment of its masks."""

    def __init__(self, model: HeaderPanel) -> None:
        self.model = model
        self._file = classed(w.Dropdown(description="Header of:"), "nk-file")
        self._file.layout.width = "min(100%, 44rem)"
        self._file.style.description_width = "initial"
        self._fields = classed(w.HTML(), "nk-fields", "nk-text")
        self._alignments = w.VBox(
            [
                heading("Masks against their volume", 4),
                say("Compared in the patient's space (mm), not by the headers' numbers."),
                classed(TableView(model.alignments, "Alignment of masks"), "nk-alignments"),
            ]
        )
        super().__init__([self._file, self._fields, self._alignments])
        classed(self, "nk-headers")
        self._file.observe(self._choose, "value")
        model.observe(self._show, ["item", "file"])
        self._show()

    def _choose(self, change: Any) -> None:
        if change["new"]:
            self.model.file = change["new"]

    def _show(self, _: Any = None) -> None:
        model = self.model
        if tuple(model.files) != tuple(self._file.options):
            self._file.options = model.files
        if model.file in model.files:
            self._file.value = model.file
        rows = (
            html.element("tr", html.element("th", name), html.element("td", text))
            for name, text in model.fields
        )
        self._fields.value = html.element("table", html.element("tbody", *rows))
        self.layout.display = "" if model.files else "none"
        has_volume = model.item is not None and model.item.volume is not None
        self._alignments.layout.display = "" if has_volume and model.item.masks else "none"
