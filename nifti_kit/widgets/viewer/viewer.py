"""The viewer in a notebook: the picture, sliders, window, opacity, legend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w

from nifti_kit.core.geometry import PLANES
from nifti_kit.render.position import CUSTOM
from nifti_kit.render.scene import AXIAL, CORONAL, DIRECTIONS, SAGITTAL, Plane
from nifti_kit.widgets.parts.views import classed, heading, notice, styles
from nifti_kit.widgets.viewer.model import ViewerModel
from nifti_kit.widgets.viewer.panels import has_volume_panel, volume_panel
from nifti_kit.widgets.viewer.view import Legend, Stage
from nifti_kit.widgets.viewer.viewing import MOST_ZOOM

__all__ = ["Viewer"]

LABEL = {"description_width": "5.5rem"}
WIDE = {"width": "22rem"}
NARROW = {"width": "11rem"}


class Viewer(w.VBox):
    """Shows a volume with its masks in three linked planes.

    Parameters
    ----------
    source
        A plan, a dataset, a folder of files, a target, or a
        :class:`nifti_kit.widgets.viewer.model.ViewerModel`.
    item
        One of the items, its name or place (from 0), the first by default; for a target a volume.
    choices
        Those of :meth:`nifti_kit.widgets.viewer.model.ViewerModel.of_item`, such as ``compare=``.

    Attributes
    ----------
    model
        What is shown, and all that can be done with it.
    """

    def __init__(self, source: Any, item: Any = None, **choices: Any) -> None:
        self.model = ViewerModel.of(source, item, **choices)
        self.stage, self.legend = Stage(self.model), Legend(self.model)
        controls = classed(w.VBox([*self._sliders(), *self._looks()]), "nk-viewer-controls")
        self.legend.layout = w.Layout(flex="1 1 20rem", min_width="16rem", max_width="38rem")
        self.legend.layout.margin = "2px 0 2px 1rem"
        below = w.HBox([controls, self.legend], layout=w.Layout(flex_flow="row wrap"))
        parts = [styles(), heading(self.model.title), notice(self.model.notes), self.stage, below]
        super().__init__([*parts, *self._panel()])
        classed(self, "nk-viewer")

    def _panel(self) -> list[Any]:
        """Return the switch of the view in three dimensions, where that is installed."""
        if not has_volume_panel():
            return []
        switch = classed(w.ToggleButton(description="3-D view"), "nk-viewer-three")
        place = w.VBox()

        def switched(change: Any) -> None:
            # Made when it is asked for: it takes the browser seconds.
            if change["new"] and not place.children:
                place.children = (volume_panel(self.model),)
            place.layout.display = "" if change["new"] else "none"

        switch.observe(switched, "value")
        return [switch, place]

    def _sliders(self) -> list[Any]:
        """Return a slider for each plane, with the sides of the patient at its ends."""
        return [self._slider(plane) for plane in (AXIAL, CORONAL, SAGITTAL)]

    def _slider(self, plane: Plane) -> Any:
        model, last = self.model, self.model.image.grid.shape[plane.normal] - 1
        code = next(code for code, axis in PLANES.items() if axis == plane.normal)
        end, start = DIRECTIONS[plane.normal]
        place = {"min": 0, "max": last}
        slider = w.IntSlider(**place, description=f"{plane.title}  {start}", style=LABEL)
        slider.readout, slider.layout.width = False, "16.5rem"
        number = w.BoundedIntText(**place, tooltip=f"{plane.title} slice, 0 to {last}")
        number.layout.width = "4.5rem"
        for control in (slider, number):
            self._link(
                control,
                ["position"],
                lambda: model.position[plane.normal],
                lambda index: model.go(code, index),
            )
        classed(slider, f"nk-slice-{code}")
        return classed(w.HBox([slider, w.Label(end), number]), "nk-slice")

    def _looks(self) -> list[Any]:
        """Return the controls of window, masks and zoom."""
        model = self.model
        preset = w.Dropdown(
            options=[*model.presets, CUSTOM], description="Window", layout=WIDE, style=LABEL
        )
        self._link(preset, ["window"], lambda: model.preset, model.choose_window)
        centre = w.FloatText(description="Centre", layout=NARROW, style=LABEL)
        self._link(centre, ["window"], lambda: model.window[0], self._set_centre)
        width = w.BoundedFloatText(min=0, max=1e12, description="Width", layout=NARROW, style=LABEL)
        self._link(width, ["window"], lambda: model.window[1], self._set_width)
        opacity = w.FloatSlider(
            min=0, max=1, step=0.05, description="Opacity", layout=WIDE, style=LABEL
        )
        self._link(opacity, ["opacity"], lambda: model.opacity, self._setter("opacity"))
        mode = w.ToggleButtons(options=["fill", "outline"])
        mode.tooltips = ["Coloured areas", "Outlines with the letters of the legend"]
        mode.style.button_width, mode.layout.width = "6.5rem", "auto"
        self._link(mode, ["mode"], lambda: model.mode, self._setter("mode"))
        zoom = w.FloatLogSlider(
            min=0, max=4, base=MOST_ZOOM ** (1 / 4), step=0.25, description="Zoom", layout=WIDE
        )
        zoom.style, zoom.readout_format = LABEL, ".1f"
        self._link(zoom, ["zoom"], lambda: model.zoom, self._setter("zoom"))
        named = {"window": preset, "centre": centre, "width": width}
        named |= {"opacity": opacity, "mode": mode, "zoom": zoom}
        for name, control in named.items():
            classed(control, f"nk-viewer-{name}")
        label = w.Label("Masks", layout={"width": "5.5rem", "justify_content": "flex-end"})
        return [preset, w.HBox([centre, width]), w.HBox([label, mode]), opacity, zoom]

    def _link(
        self,
        control: Any,
        names: list[str],
        read: Callable[[], Any],
        write: Callable[[Any], None],
    ) -> None:
        """Keep a control and the model together; what the model refuses is shown as it is."""

        def follow(_: Any = None) -> None:
            control.value = read()

        def changed(change: Any) -> None:
            if change["new"] != read():
                write(change["new"])

        follow()
        control.observe(changed, "value")
        self.model.observe(follow, names)

    def _setter(self, name: str) -> Callable[[Any], None]:
        return lambda value: setattr(self.model, name, value)

    def _set_centre(self, centre: float) -> None:
        self.model.window = (centre, self.model.window[1])

    def _set_width(self, width: float) -> None:
        if width > 0:  # while a number is typed there may be none
            self.model.window = (self.model.window[0], width)
