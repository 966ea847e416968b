"""The picture of a viewer and its legend: what ipywidgets has no mouse, wheel and keys for."""

from __future__ import annotations

from typing import Any

import anywidget
from traitlets import Bytes, Int, List, Unicode

from nifti_kit.core.geometry import PLANES
from nifti_kit.core.wording import counted
from nifti_kit.render.picture import Look
from nifti_kit.widgets.parts.views import classed, front
from nifti_kit.widgets.viewer.model import ViewerModel

__all__ = ["Legend", "Stage"]

HINT = (
    "Click or drag: crosshair. Wheel: slices, once the picture is clicked. "
    "Keys: arrows, PageUp, PageDown, Home, End: slices of the blue plane; 1, 2, 3: choose it; "
    "Shift and arrows: crosshair; + and -: zoom. Shift or right button and drag: window."
)

MOST_ROWS = 300
"""Of the legend: more cost the browser time, and are found by searching."""


class Stage(anywidget.AnyWidget):
    """Shows the picture of a model, one JPEG, and passes on what a person does on it.

    The script sends one message at a time, such as ``{"number": 7, "step": ["axl", -2]}``, and
    the next one when the picture for it has arrived.
    """

    _esm = front("stage.js")
    _css = front("stage.css")
    frame = Bytes().tag(sync=True)
    panes: Any = List().tag(sync=True)
    active = Unicode().tag(sync=True)
    description = Unicode().tag(sync=True)
    reading = Unicode().tag(sync=True)
    hint = Unicode(HINT).tag(sync=True)
    answered = Int().tag(sync=True)

    def __init__(self, model: ViewerModel) -> None:
        super().__init__()
        self.model = model
        self._drawn: Look | None = None
        classed(self, "nk-viewer-stage")
        self._draw()
        model.observe(self._draw, ["revision"])
        model.observe(self._read, ["hovered", "position"])
        self.on_msg(self._received)

    def _draw(self, _: Any = None) -> None:
        # Several traits that change at once are one picture.
        look = self.model.look
        if look == self._drawn:
            return
        self._drawn = look
        with self.hold_sync():
            self.frame = self.model.jpeg()
            self.panes = [
                {
                    "plane": next(
                        code for code, axis in PLANES.items() if axis == pane.plane.normal
                    ),
                    "left": pane.left,
                    "top": pane.top,
                    "width": pane.width,
                    "height": pane.height,
                }
                for pane in self.model.sheet.panes
            ]
            self.active = self.model.active
            self.description = self.model.description
        self._read()

    def _read(self, _: Any = None) -> None:
        self.reading = self.model.reading.text

    def _received(self, _: Any, content: dict[str, Any], __: Any) -> None:
        """Do what a person did, and let the script send what came since."""
        model = self.model
        with self.hold_sync():
            try:
                with model.hold_trait_notifications():
                    for what, value in content.items():
                        self._do(what, value)
            finally:
                self.answered = int(content.get("number", 0))

    def _do(self, what: str, value: Any) -> None:
        model = self.model
        if what == "step":
            model.step(*value)
        elif what == "pick":
            model.pick(*value)
        elif what == "nudge":
            model.nudge(*value)
        elif what == "window":
            model.drag_window(*value)
        elif what == "magnify":
            model.magnify(value)
        elif what == "active":
            model.active = value
        elif what == "hover":
            model.leave() if value is None else model.hover(*value)


class Legend(anywidget.AnyWidget):
    """Shows the classes of a model, with check boxes, search, and ways to one of them."""

    _esm = front("legend.js")
    _css = front("legend.css")
    rows: Any = List().tag(sync=True)
    count = Unicode().tag(sync=True)
    search = Unicode().tag(sync=True)

    def __init__(self, model: ViewerModel) -> None:
        super().__init__()
        self.model = model
        classed(self, "nk-legend")
        model.observe(self._show, ["hidden", "search"])
        self.on_msg(self._received)
        self._show()

    def _show(self, _: Any = None) -> None:
        model = self.model
        found = model.matching()
        with self.hold_sync():
            self.rows = [
                {
                    "name": one.name,
                    "color": list(one.color),
                    "mark": one.mark,
                    "voxels": counted(one.voxels, "voxel"),
                    "shown": one.name not in model.hidden,
                }
                for one in found[:MOST_ROWS]
            ]
            self.search = model.search
            self.count = self._counted(len(found))

    def _counted(self, listed: int) -> str:
        whole = len(self.model.classes)
        text = f"{whole - len(self.model.hidden)} of {counted(whole, 'class')} shown"
        if listed < whole:
            text += f", {listed} found"
        return f"{text}, {MOST_ROWS} listed" if listed > MOST_ROWS else text

    def _received(self, _: Any, content: dict[str, Any], __: Any) -> None:
        model = self.model
        if "show" in content:
            model.show(content["show"], on=bool(content["on"]))
        elif "only" in content:
            model.show_only(content["only"])
        elif "find" in content:
            model.find(content["find"])
        elif "search" in content:
            model.search = content["search"]
        elif "all" in content:
            model.show_all()
        elif "none" in content:
            model.show_none()
