"""The picture of a viewer and its legend: what ipywidgets has no mouse, wheel and keys for."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Literal

import anywidget
import ipywidgets as w
import numpy as np
import numpy.typing as npt
from traitlets import Bool, Bytes, Int, List, Unicode

from nifti_kit.core.geometry import Grid
from nifti_kit.core.text import counted
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.nifti import encode_image
from nifti_kit.render.layers import Layer
from nifti_kit.render.paint import windowed
from nifti_kit.render.picture import Look
from nifti_kit.render.position import CUSTOM, Window
from nifti_kit.render.scene import AXIAL, CORONAL, DIRECTIONS, SAGITTAL, Plane
from nifti_kit.widgets.parts.views import (
    action,
    classed,
    exchange,
    front,
    heading,
    paragraph,
    say,
    styles,
)
from nifti_kit.widgets.viewer.linking import Link
from nifti_kit.widgets.viewer.model import ViewerModel
from nifti_kit.widgets.viewer.viewing import MOST_ZOOM

HINT = (
    "Click or drag: crosshair. Wheel, once the picture is clicked: slices, with Ctrl zoom. "
    "Right button and drag: zoom; middle button, or Space, and drag: pan; Shift and drag: window. "
    "Alt and click, or H: hide or show what is there. "
    "Keys: arrows, PageUp, PageDown, Home, End: slices of the blue plane; 1, 2, 3: choose it; "
    "L: one plane or three; C: play the slices, or stop; Shift and arrows: crosshair; "
    "+ and -: zoom; R: reset."
)

MOST_ROWS = 300
"""Of the legend: more cost the browser time, and are found by searching."""

CALLS = {
    "step": "step",
    "pick": "pick",
    "nudge": "nudge",
    "window": "drag_window",
    "magnify": "magnify",
    "zoom": "zoom_at",
    "pan": "pan",
    "toggle": "toggle",
    "toggleAt": "toggle_at",
    "turn": "turn",
    "advance": "advance",
    "reset": "reset",
}
"""What the script says, and the method of the model that it means; values are its arguments."""


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
    seeks = Bool().tag(sync=True)

    def __init__(self, model: ViewerModel, **look: Any) -> None:
        super().__init__(**look)
        self.model = model
        self._drawn: tuple[Look, Any] | None = None
        classed(self, "nk-viewer-stage")
        self._draw()
        model.observe(self._draw, ["revision"])
        model.observe(self._read, ["hovered"])  # all else is a new picture, too
        self.on_msg(self._received)

    def _draw(self, _: Any = None) -> None:
        # Several traits that change at once are one picture.
        drawn = (self.model.look, self.model.overlays)
        if drawn == self._drawn:
            return
        self._drawn = drawn
        with self.hold_sync():
            self.frame = self.model.jpeg()
            self.panes = [
                {
                    "plane": pane.plane.code,
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
        if what == "active":
            model.active = value
        elif what == "hover":
            model.leave() if value is None else model.hover(*value)
        elif what in CALLS:
            getattr(model, CALLS[what])(*value)


class Legend(anywidget.AnyWidget):
    """Shows the classes of a model, with check boxes, search, and ways to one of them."""

    _esm = front("legend.js")
    _css = front("legend.css")
    rows: Any = List().tag(sync=True)
    count = Unicode().tag(sync=True)
    notes: Any = List().tag(sync=True)
    search = Unicode().tag(sync=True)

    def __init__(self, model: ViewerModel) -> None:
        super().__init__(_dom_classes=("nk-legend",))
        self.model = model
        model.observe(self._show, ["hidden", "search", "classes", "overlays"])
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
            self.notes = list(model.notes)
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


# The panel in three dimensions beside a viewer; only where ipyniivue is installed

MOST_VOXELS = 4_000_000
"""Of an image in the panel: graphics cards and the way to the browser are small."""

HEIGHT = 480
"""Of the panel (pixels)."""


def has_volume_panel() -> bool:
    """Say whether ipyniivue is installed (the extra ``viewer``)."""
    try:
        return find_spec("ipyniivue") is not None
    except ValueError:  # a module that was taken out of reach
        return False


def volume_panel(model: ViewerModel) -> Any | None:
    """Return the volume and its masks in three dimensions; None where ipyniivue is not installed.

    The voxels are those of the model, thinned out where they are many, and travel to the browser
    in memory; nothing is loaded from a network. Of two overlays it shows the second one. Classes
    are shown and hidden with the legend; none is thinned away.
    """
    if not has_volume_panel():
        return None
    from ipyniivue import NiiVue, SliceType

    image = model.image
    limits = Window(*model.window).limits
    grey = windowed(np.ascontiguousarray(_thinned(image.voxels, image.voxels)), limits)
    volumes = [_volume("volume", grey, _thinned_grid(image.grid, image.voxels), colormap="gray")]
    layers = [layer for overlay in model.overlays[-1:] for layer in overlay.layers]
    volumes += [_volume(f"masks_{at}", *_labels(layer)) for at, layer in enumerate(layers)]
    panel = NiiVue(height=HEIGHT)
    panel.load_volumes(volumes)
    panel.set_slice_type(SliceType.RENDER)

    def color(_: Any = None) -> None:
        for volume in panel.volumes[1:]:
            volume.set_colormap_label(_colors(model))

    def end(_: Any) -> None:
        model.unobserve(color, ["hidden"])
        for volume in panel.volumes:
            volume.close()  # with its voxels, which ipywidgets would keep

    color()
    model.observe(color, ["hidden"])
    panel.observe(end, "comm")  # it is closed
    return classed(panel, "nk-volume-panel")


def _step(voxels: npt.NDArray[Any]) -> int:
    return max(1, int(np.ceil((voxels.size / MOST_VOXELS) ** (1 / 3))))


def _thinned(voxels: npt.NDArray[Any], like: npt.NDArray[Any]) -> npt.NDArray[Any]:
    step = _step(like)
    return voxels[::step, ::step, ::step]


def _thinned_grid(grid: Grid, voxels: npt.NDArray[Any]) -> Grid:
    step = _step(voxels)
    affine = grid.affine.copy()
    affine[:3, :3] *= step
    i, j, k = (-(-size // step) for size in grid.shape)
    return Grid((i, j, k), affine)


def _labels(layer: Layer) -> tuple[npt.NDArray[Any], Grid]:
    """Return a layer thinned out, in which each class still has a voxel."""
    numbers, step = layer.numbers, _step(layer.numbers)
    few = np.array(_thinned(numbers, numbers))
    lost = np.bincount(few.ravel(), minlength=np.iinfo(numbers.dtype).max + 1) == 0
    axis = max(range(numbers.ndim), key=lambda axis: abs(numbers.strides[axis]))
    frames = np.moveaxis(numbers, axis, 0) if step > 1 else ()
    for k, frame in enumerate(frames):
        at = np.argwhere((frame != 0) & lost[frame])  # few, or they would not be lost
        near = np.rint(np.insert(at, axis, k, axis=1) / step).astype(int)
        few[tuple(np.minimum(near, np.subtract(few.shape, 1)).T)] = frame[tuple(at.T)]
    return few, _thinned_grid(layer.grid, numbers)


def _volume(name: str, voxels: npt.NDArray[Any], grid: Grid, **look: Any) -> dict[str, Any]:
    # The name is ours: the browser tells the format by its ending.
    return {"name": f"{name}.nii.gz", "data": encode_image(voxels, grid), **look}


def _colors(model: ViewerModel) -> dict[str, list[int]]:
    """Return the colour table of the class numbers; hidden ones cannot be seen."""
    colors = [(0, 0, 0), *(found.color for found in model.classes)]
    opaque = [0, *(255 * (found.name not in model.hidden) for found in model.classes)]
    red, green, blue = (list(channel) for channel in zip(*colors, strict=True))
    return {"R": red, "G": green, "B": blue, "A": opaque, "I": list(range(len(colors)))}


# The viewer in a notebook: the picture, sliders, window, opacity, legend

LABEL = {"description_width": "5.5rem"}
WIDE = {"width": "22rem"}
NARROW = {"width": "11rem"}

ZOOM_BASE, ZOOM_STEP = MOST_ZOOM ** (1 / 4), 0.25
"""The zoom's slider counts powers of the base: equal steps look equal."""

PICTURES = "pictures"
"""The folder in which pictures are saved, unless a person names another."""


def _labelled(text: str, control: Any) -> Any:
    label = w.Label(text, layout={"width": "5.5rem", "justify_content": "flex-end"})
    return w.HBox([label, control])


class Viewer(w.VBox):
    """Shows a volume with its masks in three linked planes.

    Parameters
    ----------
    source
        A plan, a dataset, a folder of files, a target, or a
        :class:`nifti_kit.widgets.viewer.model.ViewerModel`.
    item
        One of the items, its name or place (from 0), the first by default; for a target a volume.
    part
        ``alone``; or of two that move together the one that ``leads``, with the sliders of both,
        to which the page goes when it appears, or the one that ``follows``.
    choices
        Those of :meth:`nifti_kit.widgets.viewer.model.ViewerModel.of_item`, such as ``compare=``.

    Attributes
    ----------
    model
        What is shown, and all that can be done with it.
    """

    def __init__(
        self,
        source: Any,
        item: Any = None,
        *,
        part: Literal["alone", "leads", "follows"] = "alone",
        **choices: Any,
    ) -> None:
        self.model = ViewerModel.of(source, item, **choices)
        hint = "" if part == "follows" else HINT
        self.stage = Stage(self.model, hint=hint, seeks=part == "leads")
        self.legend = Legend(self.model)
        side = [self.legend, self._snapshot()]
        if part != "follows":
            sliders = [self._slider(plane) for plane in (AXIAL, CORONAL, SAGITTAL)]
            controls = classed(w.VBox([*sliders, *self._looks()]), "nk-viewer-controls")
            side.insert(0 if part == "alone" else 1, controls)
        wrapped = {"flex_flow": "row wrap"}
        beside = w.Box(side, layout=wrapped, _dom_classes=("nk-viewer-side",))
        body = w.Box([self.stage, beside], layout=wrapped, _dom_classes=("nk-viewer-body",))
        super().__init__([styles(), heading(self.model.title), body, *self._panel()])
        classed(self, "nk-viewer")

    @staticmethod
    def linked(one: Any, other: Any) -> LinkedViewers:
        """Return two viewers side by side that show the same place.

        Each is given as a viewer, or as what a viewer is made of. Where one goes, in RAS+ mm, the
        other goes too.

        Examples
        --------
        >>> import nifti_kit as nk
        >>> dataset = nk.scan("data_samples/by_plane_semantic")
        >>> both = Viewer.linked(dataset, ViewerModel.of(dataset, 1))
        >>> both.viewers[0].model.go("axl", 3)
        >>> both.link.apart < 5  # mm: half a voxel of the other, which is 9 mm wide
        True
        """
        return LinkedViewers(one, other)

    def _snapshot(self) -> Any:
        """Return the button that saves the picture in a folder, with what came of it."""
        folder = w.Text(PICTURES, description="Folder", layout=WIDE, style=LABEL)
        said = say("", "nk-viewer-saved")

        def save() -> None:
            try:
                said.value = paragraph(f"Saved: {self.model.snapshot(folder.value.strip())}")
            except NiftiKitError as error:
                said.value = paragraph(error)

        button = action("Save picture", save, "nk-viewer-snapshot", hint="As a PNG file, as it is")
        return w.VBox([w.HBox([folder, button], layout={"flex_flow": "row wrap"}), said])

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

        def forget(_: Any) -> None:
            switch.value = False
            exchange(place, ())

        switch.observe(switched, "value")
        self.model.observe(forget, "overlays")
        return [switch, place]

    def _slider(self, plane: Plane) -> Any:
        """Return the slider of a plane, with the sides of the patient at its ends."""
        model, last = self.model, self.model.image.grid.shape[plane.normal] - 1
        code = plane.code
        end, start = DIRECTIONS[plane.normal]
        place = {"min": 0, "max": last}
        slider = w.IntSlider(**place, description=f"{plane.title}  {start}", style=LABEL)
        slider.readout, slider.layout.width = False, "16.5rem"
        number = w.BoundedIntText(**place, tooltip=f"{plane.title} slice, 0 to {last}")
        number.layout.width = "4.5rem"
        for control in (slider, number):
            self._link(
                control,
                "position",
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
        self._link(preset, "window", lambda: model.preset, model.choose_window)
        centre = w.FloatText(description="Centre", layout=NARROW, style=LABEL)
        self._link(centre, "window", lambda: model.window[0], self._set_centre)
        width = w.BoundedFloatText(min=0, max=1e12, description="Width", layout=NARROW, style=LABEL)
        self._link(width, "window", lambda: model.window[1], self._set_width)
        opacity = w.FloatSlider(
            min=0, max=1, step=0.05, description="Opacity", layout=WIDE, style=LABEL
        )
        self._link(opacity, "opacity")
        mode = w.ToggleButtons(options=["fill", "outline"])
        mode.tooltips = ["Coloured areas", "Outlines with the letters of the legend"]
        mode.style.button_width, mode.layout.width = "6.5rem", "auto"
        self._link(mode, "mode")
        zoom = w.FloatLogSlider(
            min=0, max=4, base=ZOOM_BASE, step=ZOOM_STEP, description="Zoom", layout=WIDE
        )
        zoom.style, zoom.readout_format = LABEL, ".1f"
        self._link(zoom, "zoom", write=self._set_zoom)
        named = {"window": preset, "centre": centre, "width": width}
        named |= {"opacity": opacity, "mode": mode, "zoom": zoom}
        for name, control in named.items():
            classed(control, f"nk-viewer-{name}")
        masks = _labelled("Masks", mode)
        return [preset, w.HBox([centre, width]), masks, opacity, zoom, self._arrangement()]

    def _arrangement(self) -> Any:
        """Return the choice between three planes and the active one, larger."""
        several = len(self.model.overlays) > 1
        one = "side by side" if several else "one plane"
        choice = w.ToggleButtons(options=[(one, "beside"), ("three planes", "planes")])
        choice.tooltips = [
            "The active plane of each, side by side" if several else "The active plane, larger",
            "The three planes of each" if several else "All three",
        ]
        choice.style.button_width, choice.layout.width = "6.5rem", "auto"
        self._link(choice, "arrangement")
        return _labelled("Shown", classed(choice, "nk-viewer-arrangement"))

    def _link(
        self,
        control: Any,
        name: str,
        read: Callable[[], Any] | None = None,
        write: Callable[[Any], None] | None = None,
    ) -> None:
        """Keep a control and a trait together; what the model refuses is shown as it is."""
        model = self.model
        read = read or (lambda: getattr(model, name))
        write = write or (lambda value: setattr(model, name, value))

        def follow(_: Any = None) -> None:
            control.value = read()

        def changed(change: Any) -> None:
            if change["new"] != read():
                write(change["new"])

        follow()
        control.observe(changed, "value")
        model.observe(follow, name)

    def _set_zoom(self, zoom: float) -> None:
        # The browser rounds what it is told to the slider's steps, and answers with that: no wish
        # of a person's, and it would take the zoom away from where the pointer is.
        if abs(math.log(zoom / self.model.zoom, ZOOM_BASE)) > ZOOM_STEP / 2 + 1e-9:
            self.model.zoom = zoom

    def _set_centre(self, centre: float) -> None:
        self.model.window = (centre, self.model.window[1])

    def _set_width(self, width: float) -> None:
        if width > 0:  # while a number is typed there may be none
            self.model.window = (self.model.window[0], width)


class LinkedViewers(w.VBox):
    """Shows two viewers side by side, below each other on a narrow page, at the same place."""

    def __init__(self, one: Any, other: Any) -> None:
        self.viewers = tuple(
            found if isinstance(found, Viewer) else Viewer(found) for found in (one, other)
        )
        models = [viewer.model for viewer in self.viewers]
        self.link = Link(models[0], models[1])
        self._note = say("", "nk-linked-note")
        row = w.Box(self.viewers, layout={"flex_flow": "row wrap"}, _dom_classes=("nk-linked",))
        super().__init__([row, self._note])
        for model in models:
            model.observe(self._told, "position")
        self._told()

    def _told(self, _: Any = None) -> None:
        self._note.value = paragraph(self.link.note)
