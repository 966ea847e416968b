"""The app ``Inspect``: a folder in; its items, findings, classes, pictures and headers out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import ipywidgets as w

from nifti_kit.widgets.inspect.headers import HeaderView
from nifti_kit.widgets.inspect.model import PARTS, InspectModel
from nifti_kit.widgets.inspect.widgets_board import BoardView
from nifti_kit.widgets.parts.table_view import TableView
from nifti_kit.widgets.parts.views import classed, discard, heading, notice, paragraph, say, styles
from nifti_kit.widgets.parts.widgets_findings import FindingsView
from nifti_kit.widgets.parts.widgets_saving import Gated
from nifti_kit.widgets.parts.widgets_sources import SourcePickerView
from nifti_kit.widgets.parts.widgets_tasks import TaskView
from nifti_kit.widgets.viewer.viewer import Viewer

__all__ = ["Inspect"]

TITLES = {"items": "Items", "findings": "Findings", "classes": "Classes", "board": "Board"}


class Inspect(w.VBox):
    """Shows what a source holds.

    Parameters
    ----------
    source
        A folder, an archive or one NIfTI file; its headers are read at once, in a thread.
    waive
        Codes of findings that are accepted.
    out
        The folder in which marks and findings are saved at first.
    choices
        Those of :func:`nifti_kit.scan`: ``layout``, ``segmentation``, ``score_frames``.

    Attributes
    ----------
    model
        The :class:`nifti_kit.widgets.inspect.model.InspectModel`: what the mouse does is one of its
        methods.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] = "",
        *,
        waive: Iterable[str] = (),
        out: str | os.PathLike[str] = "out",
        **choices: Any,
    ) -> None:
        self.model = InspectModel(source, waive=waive, **choices)
        self._summary = say("", "nk-summary")
        self._look = Gated(
            "Read every voxel",
            self.model.look_closer,
            lambda: self.model.look_blockers,
            "nk-look",
            primary=True,
        )
        self._tabs = classed(w.Tab(self._parts(Path(out))), "nk-parts")
        super().__init__(
            [
                styles(),
                heading("Inspect"),
                SourcePickerView(self.model.source, self.model.scan),
                self._summary,
                self._look,
                TaskView(self.model.task, quiet=True),
                self._tabs,
            ]
        )
        classed(self, "nk-app", "nk-inspect")
        self._link()
        if self.model.source.path:
            self.model.scan()

    def _parts(self, out: Path) -> list[Any]:
        model = self.model
        items = w.VBox(
            [
                classed(TableView(model.items, "Items"), "nk-items"),
                _ChosenItem(model),
            ]
        )
        findings = FindingsView(model.findings, model.jump, out / "findings.html")
        self._no_classes = say("", "nk-no-classes")
        classes = w.VBox(
            [self._no_classes, classed(TableView(model.classes, "Classes"), "nk-classes")]
        )
        return [items, findings, classes, BoardView(model.board, out / "marks.csv")]

    def _link(self) -> None:
        model = self.model
        self._tabs.observe(self._turn, "selected_index")
        model.observe(self._show, ["part", "item"])
        model.source.observe(self._show, "dataset")
        model.source.task.observe(self._show, "state")
        model.findings.observe(self._show, "findings")
        model.classes.observe(self._show, "rows")
        model.task.observe(self._show, "state")
        self._show()

    def _turn(self, change: Any) -> None:
        self.model.part = PARTS[change["new"] or 0]
        if self.model.part == "board":
            self.model.draw_board()

    def _show(self, _: Any = None) -> None:
        model = self.model
        self._summary.value = paragraph(model.summary)
        self._look.refresh()
        self._tabs.layout.display = "" if model.dataset else "none"
        counts = {"items": len(model.items.rows), "findings": len(model.findings.findings)}
        for at, part in enumerate(PARTS):
            count = f" ({counts[part]})" if part in counts else ""
            self._tabs.set_title(at, TITLES[part] + count)
        self._tabs.selected_index = PARTS.index(model.part)
        known = "" if model.classes.rows else "Read every voxel to count them."
        self._no_classes.value = paragraph(known)


class _ChosenItem(w.VBox):
    """The chosen item: its planes and its headers."""

    def __init__(self, model: InspectModel) -> None:
        self.model = model
        self._title = heading("")
        self._error = notice(kind="warning")
        self._viewer = w.VBox()
        headers = [heading("Header and alignment", 4), HeaderView(model.header)]
        parts = [
            self._title,
            self._error,
            TaskView(model.opening, quiet=True),
            self._viewer,
            *headers,
        ]
        super().__init__(parts)
        classed(self, "nk-chosen")
        model.observe(self._show, ["item", "viewer", "viewer_error"])
        self._show()

    def _show(self, _: Any = None) -> None:
        model = self.model
        self.layout.display = "" if model.item else "none"
        self._title.value = heading(model.item).value
        self._title.layout.display = "" if model.viewer is None else "none"  # it has its own
        self._error.say([model.viewer_error] if model.viewer_error else ())
        shown = [child.model for child in self._viewer.children]
        if shown == [model.viewer]:
            return
        old = self._viewer.children
        self._viewer.children = [Viewer(model.viewer)] if model.viewer is not None else []
        for view in old:
            discard(view)  # with its volume
