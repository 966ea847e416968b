"""The state of a viewer: what it shows, and the picture and the words of it."""

from __future__ import annotations

from typing import Any

from traitlets import Enum, Float, HasTraits, Instance, Int, Tuple, Unicode, observe, validate

from nifti_kit.core.geometry import PLANES
from nifti_kit.core.wording import counted
from nifti_kit.errors import NiftiKitError
from nifti_kit.render.panes import Layout
from nifti_kit.render.picture import Artist, Look
from nifti_kit.render.places import best_position
from nifti_kit.render.position import CUSTOM, Window, presets_of
from nifti_kit.render.scene import AXIAL, CORONAL, SAGITTAL
from nifti_kit.widgets.viewer.images import RasImage
from nifti_kit.widgets.viewer.loading import Drawing
from nifti_kit.widgets.viewer.readings import Reading, reading_at

__all__ = ["MOST_ZOOM", "Position", "Viewing"]

Position = tuple[int, int, int]

MOST_ZOOM = 16.0
"""Beyond it a voxel fills a good part of a pane."""

_PICTURED = ("position", "window", "opacity", "mode", "hidden", "zoom", "active")


class Viewing(HasTraits):
    """A volume with its masks, and how it is looked at.

    Attributes
    ----------
    position
        Of the crosshair: RAS+ slice indices from 0 (sagittal, coronal, axial).
    window
        (centre, width) of the grey values that are shown.
    opacity
        Of masks, 0 to 1.
    mode
        ``fill``, or ``outline``, in which letters tell the classes apart.
    hidden
        Names of the classes that are not shown.
    zoom
        1 (the whole image) to 16.
    search
        What the legend is searched for.
    active
        The plane that the keyboard moves: ``axl``, ``cor`` or ``sag``.
    hovered
        The voxel under the pointer, or None.
    revision
        Counts whatever changes the picture: a view draws anew when it changes.
    """

    position = Tuple(Int(), Int(), Int())
    window = Tuple(Float(), Float())
    opacity = Float(0.4, min=0, max=1)
    mode = Enum(("fill", "outline"), "fill")
    hidden = Instance(frozenset, args=())
    zoom = Float(1.0, min=1, max=MOST_ZOOM)
    search = Unicode()
    active = Enum(tuple(PLANES), "axl")
    hovered: Any = Tuple(Int(), Int(), Int(), allow_none=True, default_value=None)
    revision = Int()

    def __init__(self, image: RasImage, drawing: Drawing, title: str = "") -> None:
        self.image, self.title = image, title or image.name
        self.classes, self.overlays = drawing
        self.presets = presets_of(image.voxels)
        layers = [(overlay.title, overlay.layers) for overlay in self.overlays]
        colors = [found.color for found in self.classes]
        self._artist = Artist(image.voxels, image.grid, layers, colors)
        every = [layer for overlay in self.overlays for layer in overlay.layers]
        position = best_position(image.grid, every)
        self._focus: tuple[float, float, float] = position
        super().__init__(position=position, window=tuple(next(iter(self.presets.values()))))

    @validate("position")
    def _has_slices(self, proposal: Any) -> Position:
        position: Position = proposal["value"]
        shape = self.image.grid.shape
        if any(not 0 <= at < size for at, size in zip(position, shape, strict=True)):
            raise NiftiKitError(
                "there is no such slice",
                found=f"position {position}",
                expected=f"three RAS+ indices from 0, below {shape}",
            )
        return position

    @validate("window")
    def _has_width(self, proposal: Any) -> tuple[float, float]:
        window: tuple[float, float] = proposal["value"]
        if not window[1] > 0:
            raise NiftiKitError("a window needs a width above 0", found=f"width {window[1]:g}")
        return window

    @validate("hidden")
    def _are_classes(self, proposal: Any) -> frozenset[str]:
        hidden: frozenset[str] = proposal["value"]
        unknown = sorted(hidden - {found.name for found in self.classes})
        if unknown:
            raise NiftiKitError("there is no such class", found=", ".join(map(repr, unknown)))
        return hidden

    @observe(*_PICTURED)
    def _revise(self, change: Any) -> None:
        # What is shown of a magnified image moves only when the crosshair would leave it.
        if change["name"] == "zoom" or not self._is_in_sight():
            self._focus = self.position
        self.revision += 1

    def _is_in_sight(self) -> bool:
        panes = self.sheet.panes[:3]
        places = [pane.pixel(self.position) for pane in panes]
        return all(
            0 <= x < pane.width and 0 <= y < pane.height
            for pane, (x, y) in zip(panes, places, strict=True)
        )

    @property
    def look(self) -> Look:
        """Everything that the picture depends on."""
        numbers = {found.name: found.number for found in self.classes}
        return Look(
            self.position,
            Window(*self.window).limits,
            self.opacity,
            self.mode == "outline",
            frozenset(numbers[name] for name in self.hidden),
            self.zoom,
            self._focus,
            PLANES[self.active],
        )

    @property
    def sheet(self) -> Layout:
        """Where the panes stand in the picture (pixels)."""
        return self._artist.sheet(self.look)

    def jpeg(self) -> bytes:
        """Return the picture as it is now: the content of a JPEG file."""
        return self._artist.jpeg(self.look)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the picture: masks that lie elsewhere."""
        named = [(overlay.title, note) for overlay in self.overlays for note in overlay.notes]
        return tuple(f"{title}: {note}" if title else note for title, note in named)

    @property
    def reading(self) -> Reading:
        """What there is under the pointer; at the crosshair while it is elsewhere."""
        at = self.position if self.hovered is None else self.hovered
        return reading_at(self.image, self.overlays, self.classes, at)

    @property
    def description(self) -> str:
        """The picture in words."""
        planes = ", ".join(
            f"{plane.title.lower()} slice {self.position[plane.normal]} "
            f"(0 to {self.image.grid.shape[plane.normal] - 1})"
            for plane in (AXIAL, CORONAL, SAGITTAL)
        )
        here = reading_at(self.image, self.overlays, self.classes, self.position)
        shown = len(self.classes) - len(self.hidden)
        return (
            f"{self.title}: {planes}. At the crosshair: {here.text}. "
            f"{self.preset} (centre {self.window[0]:g}, width {self.window[1]:g}). "
            f"{shown} of {counted(len(self.classes), 'class')} shown."
        )

    @property
    def preset(self) -> str:
        """The name of the window that is chosen, or ``Custom``."""
        names = [name for name, window in self.presets.items() if tuple(window) == self.window]
        return names[0] if names else CUSTOM
