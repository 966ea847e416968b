"""The app ``ScoreEditor``: score tables against their masks, corrected, saved as new files."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

import anywidget
import ipywidgets as w
from traitlets import Dict, Int, Unicode

from nifti_kit.core import html
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.scores.sheet import LAYER, value_of
from nifti_kit.widgets.parts.table_view import TableView
from nifti_kit.widgets.parts.views import (
    Gated,
    Prose,
    SaveRow,
    SourcePickerView,
    TaskView,
    action,
    beside,
    classed,
    exchange,
    front,
    heading,
    notice,
    paragraph,
    say,
    show_choices,
    styles,
)
from nifti_kit.widgets.scores.evidence import HEAD
from nifti_kit.widgets.scores.model import ScoreModel
from nifti_kit.widgets.viewer.view import Viewer

NARROW = {"width": "min(100%, 22rem)"}


class ScoreCell(w.VBox):
    """Shows the cell that a person is at; ``do`` calls an act and says what is refused."""

    def __init__(self, model: ScoreModel, do: Callable[[Callable[[], Any]], None]) -> None:
        self.model, self._do = model, do
        self._told = say("", "nk-place")
        self._text = self._box("Score:", "nk-cell-text", model.type)
        self._comment = self._box("Comment:", "nk-cell-comment", model.remark_on)
        self._look = Gated(
            "Show the slice", lambda: do(model.look), lambda: model.look_blockers, "nk-look"
        )
        self._row = action("Remove the row", lambda: do(self._remove_row), "nk-remove-row")
        self._column = action(
            "Remove the column",
            lambda: do(lambda: model.remove_column(model.current[1])),
            "nk-remove-col",
        )
        tools = w.HBox([self._row, self._column], layout={"flex_flow": "row wrap"})
        fields = [self._text, self._comment, self._look]
        super().__init__([heading("The chosen cell", 4), self._told, *fields, tools])
        classed(self, "nk-score-cell")
        model.observe(self._show, ["revision", "current"])
        self._showing = False
        self._show()

    def _box(self, title: str, name: str, act: Callable[[str, str, str], Any]) -> Any:
        box = classed(w.Text(description=title, continuous_update=False, layout=NARROW), name)

        def changed(change: Any) -> None:
            if not self._showing:
                key, column = self.model.current
                self._do(lambda: act(key, column, change["new"]))
                self._show()  # what was refused is as it was

        box.observe(changed, "value")
        return box

    def _remove_row(self) -> None:
        line = self.model.place.line
        if line is not None:
            self.model.remove_line(line)

    def _show(self, _: Any = None) -> None:
        place = self.model.place
        is_label = value_of(place.column) is not None and place.key != HEAD
        self._showing = True
        try:
            lines = place.lines or ["Choose a cell."]
            self._told.value = f"<div role='status'>{paragraph(chr(10).join(lines))}</div>"
            self._text.description = _title(place.key, place.column)
            self._text.value, self._text.disabled = place.text, not place.key
            self._comment.value = place.comment
            self._comment.layout.display = "" if is_label else "none"
            self._row.disabled = place.line is None
            self._column.disabled = place.column not in self._columns()
            self._look.refresh()
        finally:
            self._showing = False

    def _columns(self) -> tuple[str, ...]:
        found = self.model.open
        return () if found is None else found.draft.sheet.columns


def _title(key: str, column: str) -> str:
    if key == HEAD:
        return "Column:"
    return "Layer:" if column == LAYER else "Score:"


# The view of a score table: a grid of layers by labels for mouse and keyboard


class HeatMap(anywidget.AnyWidget):
    """Shows the chosen table of a model; only the rows in view are drawn.

    The script sends what a person does, such as ``{"do": "type", "row": "L12", "column":
    "Label-2", "text": "0.85"}``; what is refused is passed to ``refused``.
    """

    _esm = front("heat.js")
    _css = front("heat.css")
    grid = Dict().tag(sync=True)
    at = Dict().tag(sync=True)
    label = Unicode().tag(sync=True)
    answered = Int().tag(sync=True)

    def __init__(self, model: ScoreModel, refused: Callable[[str], Any]) -> None:
        super().__init__()
        self.model, self._refused = model, refused
        self._refused_at: list[str] = []
        self._going = False
        self._asked: list[str] = []
        classed(self, "nk-heat")
        model.observe(self._show, "revision")
        model.observe(self._move, "current")
        self.on_msg(self._received)
        self._show()

    def _show(self, _: Any = None) -> None:
        found = self.model.open
        self.label = f"Scores of {self.model.table}: layers by labels"
        self.grid = {"columns": [], "rows": []} if found is None else found.grid
        self._move()

    def _move(self, _: Any = None, *, grab: bool = False) -> None:
        if self._going:
            return  # the script knows: it said so
        row, column = self.model.current
        if row:
            number = int(self.at.get("number", 0)) + 1
            # An answer to a person who is elsewhere by now is not to bring them back.
            there = {"row": row, "column": column, "grab": grab, "asked": self._asked}
            self.at = {**there, "number": number}

    def take_focus(self) -> None:
        """Bring the cell that a person is at into view, with the keyboard's focus."""
        self._move(grab=True)

    def _received(self, _: Any, content: Any, __: Any) -> None:
        """Do what a person did; messages of another form are passed over."""
        if not isinstance(content, dict):
            return
        self._asked = [str(content.get("row", "")), str(content.get("column", ""))]
        # That a person is where something was refused comes with a pause, and may come after it.
        if content.get("do") != "go" or self._asked != self._refused_at:
            self._refused("")
            self._refused_at = []
        with self.hold_sync():
            try:
                self._do(content)
            except NiftiKitError as error:
                self._refused_at = self._asked
                self._refused(str(error))
            finally:
                self.answered += 1
                self._asked = []

    def _do(self, content: dict[str, Any]) -> None:
        model = self.model
        row, column = str(content.get("row", "")), str(content.get("column", ""))
        match content.get("do"):
            case "go":
                self._go(row, column)
            case "open":
                self._go(row, column)
                if not model.look_blockers:
                    model.look()
            case "type":
                self._go(row, column)
                model.type(row, column, str(content.get("text", "")))
            case "undo":
                model.undo()

    def _go(self, row: str, column: str) -> None:
        self._going = True
        try:
            self.model.go(row, column)
        finally:
            self._going = False


class ScoreView(w.VBox):
    """Shows the score tables of a model, and lets a person correct them; ``head`` stands above."""

    def __init__(self, model: ScoreModel, head: Iterable[Any] = ()) -> None:
        self.model = model
        self._error = classed(notice(kind="error"), "nk-refused")
        self._message = classed(notice(kind="good"), "nk-done")
        self._reason = ""
        self._looked_at: Any = None
        super().__init__([*head, self._editing(), self._saving()])
        classed(self, "nk-scoring")
        model.observe(self._show, ["revision", "current", "path", "drop_faulty"])
        model.observe(self._show_viewer, ["viewer", "picture"])
        model.observe(self._look_first, "revision")
        model.opening.observe(self._look_on, "state")
        for task in (model.task, model.source.task):
            task.observe(self._show, "state")
        self._show_viewer()
        self._look_first()
        self._show()

    def _look_first(self, _: Any = None) -> None:
        """Draw a table that was opened: first sight is a picture; later on a person asks."""
        if self.model.open is not self._looked_at:
            self._looked_at = self.model.open
            self.model.draw()

    def _look_on(self, change: Any) -> None:
        """Draw the table that was opened at the moment at which the last reading ended."""
        if change["new"] == "done":
            self.model.draw()

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
        self._cell = ScoreCell(model, self.do)
        listed = classed(TableView(model.remarks, "What is wrong"), "nk-remarks")
        model.remarks.observe(self._jumped, "selected")
        grid = w.VBox([self._heat, self._undo, self._message, self._error])
        cell = w.VBox([self._cell, *self._slices()])
        wrong = w.VBox([heading("What is wrong, cell by cell", 4), self._summary, listed])
        self._parts = (grid, cell, wrong)
        reading = TaskView(model.task, quiet=True)
        left = w.VBox([_Chosen(model, self.do), reading, grid])
        return w.VBox([beside(left, cell), wrong])

    def _jumped(self, change: Any) -> None:
        if change["new"]:
            self._heat.take_focus()

    def _slices(self) -> list[Any]:
        hint = say("Click a cell, or press Enter on it: its slice is shown here.")
        self._viewer = classed(w.VBox(), "nk-score-slice")
        self._first = Prose(_dom_classes=("nk-text", "nk-first-slice"))
        return [hint, TaskView(self.model.opening, quiet=True), self._first, self._viewer]

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
        for part in (*self._parts, self._kept):
            part.layout.display = "none" if model.open is None else ""

    def _show_viewer(self, _: Any = None) -> None:
        viewer, picture = self.model.viewer, self.model.picture
        is_first = viewer is None and picture is not None
        self._first.value = html.figure(picture) if is_first else ""
        exchange(self._viewer, [] if viewer is None else [Viewer(viewer)])


class ScoreEditor(ScoreView):
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
        Those of :func:`nifti_kit.scan`, such as ``layout`` or ``annotation_words``.

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
        model = ScoreModel(source, table=table, base=base, out=out, **choices)
        picker = SourcePickerView(model.source, model.scan)
        super().__init__(model, [styles(), heading("Check scores"), picker])
        classed(self, "nk-app")
        if source:
            model.scan()


class _Chosen(w.VBox):
    """Which table it is, what it is held against, and how its layers are counted."""

    def __init__(self, model: ScoreModel, do: Callable[[Callable[[], Any]], None]) -> None:
        self.model, self._do = model, do
        self._table = classed(w.Dropdown(description="Table:"), "nk-score-table")
        self._table.layout.width = "min(100% - 4px, 36rem)"
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
        self._turn = threading.RLock()  # a table that is read shows itself from its own thread
        self._show()

    def _choose(self, change: Any) -> None:
        if not self._showing and change["new"] and change["new"] != self.model.table:
            self._do(lambda: self.model.choose(change["new"]))

    def _count(self, change: Any) -> None:
        if not self._showing and change["new"] is not None:
            self._do(lambda: self.model.count_from(*change["new"]))
            self._show()

    def _show(self, _: Any = None) -> None:
        model, found = self.model, self.model.open
        self._table.layout.display = "" if model.tables else "none"
        self._why.say(model.edit_blockers)
        self._subject.value = paragraph("\n".join(found.subject) if found else "")
        with self._turn:
            self._show_choices()

    def _show_choices(self) -> None:
        found, names, name = self.model.open, self.model.tables, self.model.table
        self._showing = True
        try:
            show_choices(self._table, names, name if name in names else None)
            countings = found.countings if found is not None else ()
            ways = [(one.text, (one.base, one.frames)) for one in countings]
            said = found is not None and found.draft.said  # else a person is to choose
            chosen = (found.draft.base, found.draft.frames) if said else None
            show_choices(self._counting, ways, chosen)
        finally:
            self._showing = False
        for part in (self._how, self._counting):
            part.layout.display = "" if found else "none"
