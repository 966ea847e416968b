"""The app ``Compare``: two sets in; what differs, its numbers and its pictures out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ipywidgets as w

from nifti_kit.core import html
from nifti_kit.widgets.compare.model import CompareModel, numbers_of
from nifti_kit.widgets.compare.sides import SidePicker
from nifti_kit.widgets.parts.table_view import TableView
from nifti_kit.widgets.parts.target_view import FolderView, InstanceView, PlaceView, folder_text
from nifti_kit.widgets.parts.views import (
    Gated,
    Prose,
    SaveRow,
    SourcePickerView,
    TaskView,
    beside,
    classed,
    exchange,
    heading,
    notice,
    paragraph,
    say,
    styles,
)
from nifti_kit.widgets.viewer.view import Viewer

KIND_TITLES = {
    "source": "a folder of files",
    "folder": "a project folder on disk",
    "instance": "a live instance of Supervisely",
    "given": "what was given",
}

BESIDE = {"flex_flow": "row wrap", "grid_gap": "12px"}


class Compare(w.VBox):
    """Shows what differs between two annotation sets.

    Parameters
    ----------
    a, b
        A path, or what :func:`nifti_kit.compare` takes: a dataset, a plan, a target. Where both
        are given they are compared at once, in a thread.
    out
        The folder in which the comparison is saved at first.
    start
        False waits for the button.

    Attributes
    ----------
    model
        The :class:`nifti_kit.widgets.compare.model.CompareModel`: what the mouse does is one of
        its methods.
    """

    def __init__(
        self,
        a: Any = "",
        b: Any = "",
        *,
        out: str | os.PathLike[str] = "out",
        start: bool = True,
        api: Callable[[], Any] | None = None,
    ) -> None:
        self.model = model = CompareModel(a, b, api=api)
        sides = [SideView("a", model.a), SideView("b", model.b)]
        self._button = Gated(
            "Compare", model.compare, lambda: model.blockers, "nk-run-compare", primary=True
        )
        self._summary = say("", "nk-summary")
        self._lines = notice(kind="note")
        self._saving = SaveRow(
            "Comparison",
            Path(out, "comparison.html"),
            model.save,
            blockers=lambda: model.save_blockers,
        )
        parts = [
            styles(),
            heading("Compare"),
            w.HBox(sides, layout=BESIDE),
            self._button,
            TaskView(model.comparing, quiet=True),
            self._summary,
            self._lines,
            DifferencesView(model),
            self._saving,
        ]
        super().__init__(parts, _dom_classes=("nk-app", "nk-compare"))
        model.observe(self._show, ["comparison", "blockers"])
        self._show()
        if start and not model.blockers:
            model.compare()

    def _show(self, _: Any = None) -> None:
        model = self.model
        self._button.refresh()
        self._saving.refresh()
        self._summary.value = paragraph(model.summary)
        self._lines.say(model.lines)


class SideView(PlaceView):
    """Shows one side: its kind, and the choice of a place."""

    def __init__(self, word: str, model: SidePicker) -> None:
        places = {
            "source": SourcePickerView(model.source, folds=False),
            "folder": FolderView(model.folder),
            "instance": InstanceView(model.instance, reads=True),
        }
        above = [heading(f"Side {word}", 4)]
        super().__init__(model, f"{word} is", KIND_TITLES, places, above, word)
        self.layout = w.Layout(flex="1 1 28rem", min_width="0")
        classed(self, "nk-side", f"nk-side-{word}")

    def given_text(self) -> str:
        """Return the name of what the code gave."""
        return self.model.name if self.model.given is not None else ""

    def filled_text(self) -> str:
        """Return what is compared."""
        model = self.model
        if model.blockers:
            return ""
        return folder_text(model.folder) if model.kind == "folder" else model.name

    def shown_blockers(self) -> Sequence[str]:
        """Return what is in the way of a folder: a source says its own beside its button."""
        return self.model.blockers if self.model.kind == "folder" else ()


class DifferencesView(w.VBox):
    """Shows the differences, and of the chosen one its numbers and both sides."""

    def __init__(self, model: CompareModel) -> None:
        self.model = model
        self._detail = classed(Prose(), "nk-detail", "nk-text")
        self._error = notice()
        listed = classed(TableView(model.table, "Differences"), "nk-list")
        self._viewer = w.VBox()
        opening = TaskView(model.opening, quiet=True)
        chosen = w.VBox([self._detail, self._error, opening, self._viewer])
        super().__init__([beside(listed, chosen)], _dom_classes=("nk-differences",))
        model.observe(self._show, ["comparison", "chosen", "viewer_error"])
        model.observe(self._show_viewer, "viewer")
        self._show()

    def _show(self, _: Any = None) -> None:
        model = self.model
        self.layout.display = "" if model.table.rows else "none"
        self._detail.value = _detail(model) if model.chosen is not None else ""
        self._error.say([model.viewer_error] if model.viewer_error else ())

    def _show_viewer(self, _: Any = None) -> None:
        viewer = self.model.viewer
        exchange(self._viewer, [] if viewer is None else [Viewer(viewer)])


def _detail(model: CompareModel) -> html.Markup:
    """Return the chosen difference: what it is about, what differs, its numbers."""
    found = model.chosen
    rows = (
        html.element("tr", html.element("th", name), html.element("td", text))
        for name, text in numbers_of(found)
    )
    title = " · ".join(part for part in (found.class_name, found.volume) if part)
    parts = [
        html.element("h4", title),
        html.element("p", found.what),
        html.element("table", html.element("tbody", *rows), kind="nk-fields"),
    ]
    return html.element("div", *parts, kind="nk-finding")
