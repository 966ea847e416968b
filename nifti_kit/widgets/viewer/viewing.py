"""Viewing: what a viewer shows, and the picture and the words of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from traitlets import Enum, Float, HasTraits, Instance, Int, Tuple, Unicode, observe, validate

from nifti_kit.core.geometry import PLANES
from nifti_kit.core.text import counted
from nifti_kit.errors import NiftiKitError
from nifti_kit.render.layers import Layer
from nifti_kit.render.miniature import miniature
from nifti_kit.render.paint import Pixels
from nifti_kit.render.panes import Layout, span_of
from nifti_kit.render.picture import Artist, Look
from nifti_kit.render.position import CUSTOM, Position, Window
from nifti_kit.render.scene import AXIAL, CORONAL, DIRECTIONS, SAGITTAL, Plane
from nifti_kit.widgets.viewer.loading import Drawing, Overlay, RasImage, ViewClass

DIGITS = 6
"""Of a grey value with fractions."""


@dataclass(frozen=True)
class Reading:
    """What there is at a voxel: its indices from 0 in RAS+ and in the file's order, RAS+ mm, value.

    For each overlay the title, and the names of the classes there, the top one first.
    """

    index: Position
    stored: Position
    world: tuple[float, float, float]
    value: float
    classes: tuple[tuple[str, tuple[str, ...]], ...]
    hidden: frozenset[str] = frozenset()

    @property
    def place(self) -> str:
        """Where it is, such as ``L 12.3 mm, A 4.0 mm, S 100.2 mm``."""
        return ", ".join(
            f"{letters[mm < 0]} {abs(mm):.1f} mm"
            for letters, mm in zip(DIRECTIONS, self.world, strict=True)
        )

    @property
    def text(self) -> str:
        """All of it on one line."""
        parts = [f"value {self.value:.{DIGITS}g}", self._named, self.place]
        parts.append(f"voxel {', '.join(map(str, self.index))} in RAS+")
        if self.stored != self.index:
            parts.append(f"{', '.join(map(str, self.stored))} in the file")
        return " · ".join(parts)

    @property
    def _named(self) -> str:
        told = [(title, ", ".join(map(self._seen, names))) for title, names in self.classes]
        return "; ".join(
            f"{title}: {names or 'no class'}" if title else names or "no class"
            for title, names in told
        )

    def _seen(self, name: str) -> str:
        return f"{name} (hidden)" if name in self.hidden else name


def reading_at(
    image: RasImage, overlays: Sequence[Overlay], classes: Sequence[ViewClass], index: Position
) -> Reading:
    """Return what there is at a voxel (RAS+ indices from 0), hidden classes too."""
    x, y, z = (float(mm) for mm in image.grid.world(index))
    names = [(overlay.title, _names(image, overlay.layers, classes, index)) for overlay in overlays]
    value: Any = np.asarray(image.voxels[index]).item()
    return Reading(index, image.stored(index), (x, y, z), value, tuple(names))


def _names(
    image: RasImage, layers: Sequence[Layer], classes: Sequence[ViewClass], index: Position
) -> tuple[str, ...]:
    numbers = [layer.at(image.grid, index) for layer in reversed(layers)]
    return tuple(dict.fromkeys(classes[number - 1].name for number in numbers if number))


MOST_ZOOM = 16.0
"""Beyond it a voxel fills a good part of a pane."""

_PICTURED = (
    "position", "window", "opacity", "mode", "hidden", "zoom", "focus", "active", "arrangement",
    "overlays",
)  # fmt: skip


class Viewing(HasTraits):
    """A volume with its masks, and how it is looked at."""

    # Of the crosshair: RAS+ slice indices from 0 (sagittal, coronal, axial).
    position = Tuple(Int(), Int(), Int())
    window = Tuple(Float(), Float())  # (centre, width) of the grey values that are shown
    opacity = Float(0.4, min=0, max=1)  # of masks
    mode = Enum(("fill", "outline"), "fill")  # letters tell classes apart in outlines
    # Three planes, and overlays below each other; or the active plane alone, and overlays beside.
    arrangement = Enum(("planes", "beside"), "planes")
    hidden = Instance(frozenset, args=())  # names of the classes that are not shown
    zoom = Float(1.0, min=1, max=MOST_ZOOM)  # 1: the whole image
    focus = Tuple(Float(), Float(), Float())  # the RAS+ indices in the middle of the panes
    search = Unicode()  # what the legend is searched for
    active = Enum(tuple(PLANES), "axl")  # the plane that the keyboard moves
    # The voxel under the pointer, or None; it is another one when the picture below moves.
    hovered: Any = Tuple(Int(), Int(), Int(), allow_none=True, default_value=None)
    overlays = Tuple()  # the masks (``Overlay``), a row of panes each
    classes = Tuple()  # those of the masks (``ViewClass``), as in the legend
    revision = Int()  # counts whatever changes the picture: a view draws anew when it changes

    def __init__(self, image: RasImage, drawing: Drawing, title: str = "") -> None:
        self.image, self.title = image, title or image.name
        classes, overlays, position = drawing
        self.presets = image.presets
        layers = [(overlay.title, overlay.layers) for overlay in overlays]
        colors = [found.color for found in classes]
        self._artist = Artist(image.voxels, image.grid, layers, colors)
        self._framed: tuple[float, ...] = position
        self._pointer: tuple[float, float] | None = None
        window = tuple(next(iter(self.presets.values())))
        shown = {"classes": classes, "overlays": overlays}
        super().__init__(position=position, focus=position, window=window, **shown)

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
        # A focus that somebody chose stays; else it is where the crosshair is, or goes to.
        if self.focus == self._framed and change["name"] in ("zoom", "position"):
            self.focus = self._followed(change)
        self._framed = self.focus
        self._point()
        self.revision += 1

    def picked(self, x: float, y: float) -> tuple[str, Position] | None:
        """Return the plane and the voxel (RAS+ indices) at a pixel of the picture, or None."""
        pane = self.sheet.pane_at(x, y)
        if pane is None:
            return None
        return pane.plane.code, pane.voxel(x, y, self.position)

    def _followed(self, change: Any) -> tuple[float, ...]:
        """Return the focus with the crosshair, along each axis in which it would leave the sight.

        Only where it moved: who looks beside the crosshair goes on looking there.
        """
        if change["name"] == "zoom":
            return tuple(self.position)
        found, shape = list(self.focus), self.image.grid.shape
        old = change["old"] or change["new"]  # there is none when the viewer is made
        for axis, (before, after) in enumerate(zip(old, change["new"], strict=True)):
            seen = span_of(shape[axis], self.zoom, found[axis])
            if before != after and not seen.low <= after + 0.5 < seen.high:
                found[axis] = float(after)
        return tuple(found)

    def _point(self) -> None:
        """Look again which voxel is under the pointer: slice, zoom or panes may be others."""
        if self._pointer is not None:
            found = self.picked(*self._pointer)
            self.hovered = None if found is None else found[1]

    def replace(self, row: int, overlay: Overlay, voxels: Mapping[str, int]) -> None:
        """Draw other masks in a row of panes (from 0).

        Their classes are in the legend already; ``voxels`` says how many some of them have now.
        """
        self._artist.replace(row, overlay.layers)
        self.classes = tuple(
            dataclasses.replace(found, voxels=voxels.get(found.name, found.voxels))
            for found in self.classes
        )
        self.overlays = (*self.overlays[:row], overlay, *self.overlays[row + 1 :])

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
            self.focus,
            PLANES[self.active],
            self.arrangement == "beside",
        )

    @property
    def sheet(self) -> Layout:
        """Where the panes stand in the picture (pixels)."""
        return self._artist.sheet(self.look)

    def jpeg(self) -> bytes:
        """Return the picture as it is now: the content of a JPEG file."""
        return self._artist.jpeg(self.look)

    def png(self) -> bytes:
        """Return the picture as it is now, pixel by pixel: the content of a PNG file."""
        return self._artist.png(self.look)

    def pane(self, plane: Plane, longest: int) -> Pixels:
        """Return one plane (lines, columns, red-green-blue), its longer side of so many pixels."""
        return miniature(self._artist, plane, self.look, longest)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the picture: masks that lie elsewhere, or are not shown."""
        named = [(overlay.title, note) for overlay in self.overlays for note in overlay.notes]
        return tuple(f"{title}: {note}" if title else note for title, note in named)

    @property
    def reading(self) -> Reading:
        """What there is under the pointer; at the crosshair while it is elsewhere."""
        at = self.position if self.hovered is None else self.hovered
        found = reading_at(self.image, self.overlays, self.classes, at)
        return dataclasses.replace(found, hidden=self.hidden)

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
