"""The app ``ScoreEditor``: score tables against their masks, corrected, saved as new files."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import ipywidgets as w

from nifti_kit.datasets.dataset import Dataset
from nifti_kit.errors import NiftiKitError
from nifti_kit.widgets.parts.table_view import TableView
from nifti_kit.widgets.parts.views import classed, heading, notice, paragraph, say, styles
from nifti_kit.widgets.parts.widgets_saving import Gated, SaveRow
from nifti_kit.widgets.parts.widgets_sources import SourcePickerView
from nifti_kit.widgets.parts.widgets_tasks import TaskView
from nifti_kit.widgets.scores.heat import HeatMap
from nifti_kit.widgets.scores.model import ScoreModel
from nifti_kit.widgets.scores.score_cell import ScoreCell
from nifti_kit.widgets.viewer.viewer import Viewer

__all__ = ["ScoreEditor"]

WRAPPED = {"flex_flow": "row wrap", "align_items": "flex-start", "grid_gap": "4px 16px"}


class ScoreEditor(w.VBox):
    """Shows score tables, layers by labels, and lets a person correct them.

    Parameters
    ----------
    source
        A dataset, a folder, an archive, or one CSV file (its folder is read too, for the masks);
        it is read at once, in a thread.
    table
        The table to begin with; by default the first.
    base
        What layers count from: 1 or 0; by default what the dataset says, else 1.
    out
        The folder in which tables are saved at first.
    choices
        Those of :func:`nifti_kit.scan`: ``layout``, ``segmentation``, ``score_frames``.

    Attributes
    ----------
    model
        The :class:`nifti_kit.widgets.scores.model.ScoreModel`: what mouse and keyboard do is one of
        its methods.
    """

    def __init__(
        self,
        source: Dataset | str | os.PathLike[str] = "",
        *,
        table: str = "",
        base: int | None = None,
        out: str | os.PathLike[str] = "out",
        **choices: Any,
    ) -> None:
        self.model = ScoreModel(source, table=table, base=base, out=out, **choices)
        self._error = classed(notice(kind="error"), "nk-refused")
        self._message = classed(notice(kind="good"), "nk-done")
        self._reason = ""
        super().__init__(
            [
                styles(),
                heading("Check scores"),
                SourcePickerView(self.model.source, self.model.scan),
                _Chosen(self.model, self.do),
                TaskView(self.model.task, quiet=True),
                self._editing(),
                self._saving(),
            ]
        )
        classed(self, "nk-app", "nk-scoring")
        self.model.observe(self._show, ["revision", "current", "path", "drop_faulty"])
        self.model.observe(self._show_viewer, "viewer")
        for task in (self.model.task, self.model.source.task):
            task.observe(self._show, "state")
        self._show()
        if source:
            self.model.scan()

    def do(self, act: Callable[[], Any]) -> None:
        """Do what a person asks for; what is refused is said."""
        self._refused("")
        try:
            act()
        except NiftiKitError as error:
            self._refused(str(error))
        self._show()

    def _refused(self, reason: str) -> None:
        self._reason = reason
        self._error.say([reason] if reason else ())
        self._show_message()

    def _show_message(self) -> None:
        """Say what the last act did, unless one was refused since."""
        message = "" if self._reason else self.model.message
        self._message.say([message] if message else ())

    def _editing(self) -> Any:
        model = self.model
        self._summary = say("", "nk-summary")
        self._heat = HeatMap(model, self._refused)
        self._undo = Gated(
            "Undo", lambda: self.do(model.undo), lambda: model.undo_blockers, "nk-undo"
        )
        left = w.VBox([self._heat, self._undo])
        left.layout = w.Layout(flex="2 1 34rem", min_width="0")
        self._cell = ScoreCell(model, self.do)
        self._cell.layout = w.Layout(flex="1 1 20rem", min_width="0")
        listed = classed(TableView(model.remarks, "What is wrong"), "nk-remarks")
        model.remarks.observe(self._jumped, "selected")
        self._parts = w.VBox(
            [
                w.HBox([left, self._cell], layout=WRAPPED),
                self._message,
                self._error,
                *self._slices(),
                heading("What is wrong, cell by cell", 4),
                self._summary,
                listed,
            ]
        )
        return self._parts

    def _jumped(self, change: Any) -> None:
        if change["new"]:
            self._heat.take_focus()

    def _slices(self) -> list[Any]:
        self._hint = say("Click a cell, or press Enter on it: its slice is shown here.")
        self._viewer = classed(w.VBox(), "nk-score-slice")
        title = heading("The slice of the chosen cell", 4)
        return [title, self._hint, TaskView(self.model.opening, quiet=True), self._viewer]

    def _saving(self) -> Any:
        model = self.model
        self._dropping = classed(
            w.Checkbox(
                value=model.drop_faulty,
                description="Leave out rows and cells that cannot be read",
                indent=False,
            ),
            "nk-drop-faulty",
        )
        self._dropping.layout.width = "auto"
        self._dropping.observe(lambda change: setattr(model, "drop_faulty", change["new"]), "value")
        self._save = SaveRow("Scores", model.path, model.save, blockers=lambda: model.save_blockers)
        self._save.path.observe(lambda change: setattr(model, "path", change["new"]), "value")
        said = say(
            "A new CSV with layers from 1. The source is never written to; of a file that is "
            "there a copy is kept."
        )
        self._kept = w.VBox([heading("Save", 4), said, self._dropping, self._save])
        return self._kept

    def _show(self, _: Any = None) -> None:
        model = self.model
        self._summary.value = paragraph(model.summary)
        self._show_message()
        self._undo.refresh()
        self._dropping.value = model.drop_faulty
        if self._save.path.value != model.path:
            self._save.path.value = model.path
        self._save.refresh()
        for part in (self._parts, self._kept):
            part.layout.display = "none" if model.open is None else ""

    def _show_viewer(self, _: Any = None) -> None:
        for old in self._viewer.children:
            old.close()
        viewer = self.model.viewer
        self._viewer.children = () if viewer is None else (Viewer(viewer),)
        self._hint.layout.display = "" if viewer is None else "none"


class _Chosen(w.VBox):
    """Which table it is, what it is held against, and how its layers are counted."""

    def __init__(self, model: ScoreModel, do: Callable[[Callable[[], Any]], None]) -> None:
        self.model, self._do = model, do
        self._table = classed(w.Dropdown(description="Table:"), "nk-score-table")
        self._table.layout.width = "min(100%, 36rem)"
        self._subject = say("", "nk-subject")
        self._why = notice(kind="note")
        self._counting = classed(w.RadioButtons(), "nk-countings")
        self._counting.layout.width = "auto"
        self._how = heading("How do its layers count?", 4)
        super().__init__([self._table, self._why, self._subject, self._how, self._counting])
        self._table.observe(self._choose, "value")
        self._counting.observe(self._count, "value")
        model.observe(self._show, ["revision", "open"])
        for task in (model.task, model.source.task):
            task.observe(self._show, "state")
        self._showing = False
        self._show()

    def _choose(self, change: Any) -> None:
        if change["new"] and change["new"] != self.model.table:
            self._do(lambda: self.model.choose(change["new"]))

    def _count(self, change: Any) -> None:
        if not self._showing and change["new"] is not None:
            self._do(lambda: self.model.count_from(*change["new"]))
            self._show()

    def _show(self, _: Any = None) -> None:
        model, found = self.model, self.model.open
        self._showing = True
        try:
            names = model.tables
            if list(self._table.options) != names:
                self._table.options = names
            self._table.value = model.table if model.table in names else None
            self._table.layout.display = "" if names else "none"
            self._why.say(model.edit_blockers)
            self._subject.value = paragraph("\n".join(found.subject) if found else "")
            ways = found.countings if found else ()
            self._counting.options = [(one.text, (one.base, one.frames)) for one in ways]
            self._counting.value = (found.draft.base, found.draft.frames) if found else None
            for part in (self._how, self._counting):
                part.layout.display = "" if found else "none"
        finally:
            self._showing = False
