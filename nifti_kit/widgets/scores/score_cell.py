"""The view of one cell of a score table: which slice it is, its score and comment, its row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w

from nifti_kit.widgets.parts.views import action, classed, heading, paragraph, say
from nifti_kit.widgets.parts.widgets_saving import Gated
from nifti_kit.widgets.scores.evidence import HEAD
from nifti_kit.widgets.scores.model import ScoreModel
from nifti_kit.widgets.scores.sheets import LAYER, value_of

__all__ = ["ScoreCell"]

NARROW = {"width": "min(100%, 22rem)"}


class ScoreCell(w.VBox):
    """Shows the cell that a person is at; ``do`` calls an act and says what is refused."""

    def __init__(self, model: ScoreModel, do: Callable[[Callable[[], Any]], None]) -> None:
        self.model, self._do = model, do
        self._told = say("", "nk-place")
        self._text = self._box("Score:", "nk-cell-text", self._type)
        self._comment = self._box("Comment:", "nk-cell-comment", self._note)
        self._look = Gated(
            "Show the slice", lambda: do(model.look), lambda: model.look_blockers, "nk-look"
        )
        self._row = action("Remove the row", lambda: do(self._remove_row), "nk-remove-row")
        self._column = action("Remove the column", lambda: do(self._remove_column), "nk-remove-col")
        tools = w.HBox([self._row, self._column], layout={"flex_flow": "row wrap"})
        super().__init__(
            [
                heading("The chosen cell", 4),
                self._told,
                self._text,
                self._comment,
                self._look,
                tools,
            ]
        )
        classed(self, "nk-score-cell")
        model.observe(self._show, ["revision", "current"])
        self._showing = False
        self._show()

    def _box(self, title: str, name: str, act: Callable[[str], Any]) -> Any:
        box = classed(w.Text(description=title, continuous_update=False, layout=NARROW), name)

        def changed(change: Any) -> None:
            if not self._showing:
                self._do(lambda: act(change["new"]))
                self._show()  # what was refused is as it was

        box.observe(changed, "value")
        return box

    def _type(self, text: str) -> None:
        key, column = self.model.current
        self.model.type(key, column, text)

    def _note(self, text: str) -> None:
        key, column = self.model.current
        self.model.remark_on(key, column, text)

    def _remove_row(self) -> None:
        line = self.model.place.line
        if line is not None:
            self.model.remove_line(line)

    def _remove_column(self) -> None:
        self.model.remove_column(self.model.current[1])

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
