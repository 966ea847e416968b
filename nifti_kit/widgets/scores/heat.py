"""The view of a score table: a grid of layers by labels for mouse and keyboard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget
from traitlets import Dict, Int, Unicode

from nifti_kit.errors import NiftiKitError
from nifti_kit.widgets.parts.views import classed, front
from nifti_kit.widgets.scores.model import ScoreModel

__all__ = ["HeatMap"]


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
        self._refused("")
        self._asked = [str(content.get("row", "")), str(content.get("column", ""))]
        with self.hold_sync():
            try:
                self._do(content)
            except NiftiKitError as error:
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
