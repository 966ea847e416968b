"""The view of a board: pictures with marks, by mouse or by the keys p, f and ?."""

from __future__ import annotations

import os
from typing import Any

import anywidget
import ipywidgets as w
from traitlets import Dict, Unicode

from nifti_kit.errors import NiftiKitError
from nifti_kit.widgets.inspect.board import Board
from nifti_kit.widgets.parts.views import classed, front
from nifti_kit.widgets.parts.widgets_saving import Gated, SaveRow
from nifti_kit.widgets.parts.widgets_tasks import TaskView

__all__ = ["BoardCards", "BoardView"]


class BoardCards(anywidget.AnyWidget):
    """Shows a page of a board.

    The script gets names and marks as plain data and pictures as bytes, and sends back what a
    person does: ``{"do": "mark", "key": ..., "value": "pass"}`` and the like.
    """

    _esm = front("board.js")
    _css = front("board.css")
    label = Unicode("Items").tag(sync=True)
    shown = Dict().tag(sync=True)
    pictures = Dict().tag(sync=True)

    def __init__(self, model: Board) -> None:
        super().__init__()
        self.model = model
        classed(self, "nk-board")
        model.observe(self._show, ["names", "marks", "pictures", "only", "page", "selected"])
        self.on_msg(self._received)
        self._show()

    def _show(self, _: Any = None) -> None:
        board = self.model
        drawn = {name: board.pictures[name] for name in board.shown if name in board.pictures}
        pngs = {name: picture.png for name, picture in drawn.items() if picture is not None}
        if pngs != self.pictures:
            self.pictures = pngs
        self.shown = {
            "items": [self._item(name, drawn) for name in board.shown],
            "counts": board.counts,
            "only": board.only,
            "page": board.page,
            "pages": board.page_count,
            "total": len(board.names),
        }

    def _item(self, name: str, drawn: dict[str, Any]) -> dict[str, Any]:
        picture = drawn.get(name)
        return {
            "name": name,
            "mark": self.model.marks.get(name, ""),
            "caption": "" if picture is None else picture.caption,
            "drawn": name in drawn,
            "selected": name == self.model.selected,
        }

    def _received(self, _: Any, content: Any, __: Any) -> None:
        """Do what a person did; messages of another form are passed over."""
        if not isinstance(content, dict):
            return
        board, key, value = self.model, str(content.get("key", "")), content.get("value")
        try:
            match content.get("do"):
                case "mark":
                    board.mark(key, str(value))
                case "select" if key in board.names:
                    board.selected = key
                case "only":
                    board.only = str(value)
                case "turn":
                    board.turn(1 if value == 1 else -1)
        except NiftiKitError:
            self._show()  # an item that is gone meanwhile: what is there is shown


class BoardView(w.VBox):
    """Shows a board with its drawing, and saves and loads its marks."""

    def __init__(self, model: Board, path: str | os.PathLike[str] = "marks.csv") -> None:
        self.model = model
        draw = Gated("Draw pictures", model.draw, lambda: model.draw_blockers, "nk-draw")
        saving = SaveRow(
            "Marks", path, model.save, model.load, blockers=lambda: model.save_blockers
        )
        super().__init__([draw, TaskView(model.task, quiet=True), BoardCards(model), saving])
        classed(self, "nk-board-view")
        model.observe(draw.refresh, ["names", "pictures", "page", "only", "marks"])
        model.task.observe(draw.refresh, "state")
        model.observe(saving.refresh, "marks")
