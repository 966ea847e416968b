"""The viewer: a volume with its masks in three linked planes, and what a person does with it.

Each thing that mouse, keyboard or a control can do is one method or trait of :class:`ViewerModel`.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from traitlets import Enum, Float, HasTraits, Instance, Int, Tuple, Unicode, observe, validate

from nifti_kit.core.geometry import PLANES, Grid
from nifti_kit.core.text import counted
from nifti_kit.datasets.dataset import Dataset, scan
from nifti_kit.datasets.items import Item
from nifti_kit.errors import NiftiKitError
from nifti_kit.plans.plan import Plan
from nifti_kit.render.layers import Layer
from nifti_kit.render.miniature import miniature
from nifti_kit.render.paint import Pixels
from nifti_kit.render.panes import Layout, Pane
from nifti_kit.render.picture import Artist, Look
from nifti_kit.render.position import CUSTOM, Window, position_of
from nifti_kit.render.scene import AXIAL, CORONAL, DIRECTIONS, SAGITTAL, Mask, Plane
from nifti_kit.targets.reading import chosen_volume
from nifti_kit.targets.records import PlannedItem, VolumeRef
from nifti_kit.targets.target import Target
from nifti_kit.widgets.viewer.loading import (
    Drawing,
    Overlay,
    Piece,
    RasImage,
    ViewClass,
    drawn,
    landed,
    of_mask,
)
from nifti_kit.widgets.viewer.opening import TITLES, open_item

DIGITS = 6
"""Of a grey value with fractions."""


@dataclass(frozen=True)
class Reading:
    """What there is at a voxel.

    Attributes
    ----------
    index
        RAS+ indices from 0.
    stored
        Indices from 0 in the order of the file.
    world
        RAS+ mm.
    value
        The grey value.
    classes
        For each overlay: title, and names of the classes there, the top one first.
    """

    index: tuple[int, int, int]
    stored: tuple[int, int, int]
    world: tuple[float, float, float]
    value: float
    classes: tuple[tuple[str, tuple[str, ...]], ...]

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
        return "; ".join(
            f"{title}: {', '.join(names) or 'no class'}"
            if title
            else ", ".join(names) or "no class"
            for title, names in self.classes
        )


def reading_at(
    image: RasImage,
    overlays: Sequence[Overlay],
    classes: Sequence[ViewClass],
    index: tuple[int, int, int],
) -> Reading:
    """Return what there is at a voxel (RAS+ indices from 0), hidden classes too."""
    x, y, z = (float(mm) for mm in image.grid.world(index))
    names = [(overlay.title, _names(image, overlay.layers, classes, index)) for overlay in overlays]
    value: Any = np.asarray(image.voxels[index]).item()
    return Reading(index, image.stored(index), (x, y, z), value, tuple(names))


def _names(
    image: RasImage,
    layers: Sequence[Layer],
    classes: Sequence[ViewClass],
    index: tuple[int, int, int],
) -> tuple[str, ...]:
    numbers = [layer.at(image.grid, index) for layer in reversed(layers)]
    return tuple(dict.fromkeys(classes[number - 1].name for number in numbers if number))


# The state of a viewer: what it shows, and the picture and the words of it

Position = tuple[int, int, int]

MOST_ZOOM = 16.0
"""Beyond it a voxel fills a good part of a pane."""

_PICTURED = (
    "position", "window", "opacity", "mode", "hidden", "zoom", "active", "arrangement", "overlays"
)  # fmt: skip


def code_of(pane: Pane) -> str:
    """Return the plane of a pane: ``axl``, ``cor`` or ``sag``."""
    return next(code for code, axis in PLANES.items() if axis == pane.plane.normal)


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
    arrangement
        ``planes``: three planes, and overlays below each other. ``beside``: the active plane
        alone, and overlays side by side.
    hidden
        Names of the classes that are not shown.
    zoom
        1 (the whole image) to 16.
    search
        What the legend is searched for.
    active
        The plane that the keyboard moves: ``axl``, ``cor`` or ``sag``.
    hovered
        The voxel under the pointer, or None; it is another one when the picture below moves.
    overlays
        The masks (:class:`nifti_kit.widgets.viewer.loading.Overlay`), a row of panes each.
    classes
        Those of the masks (:class:`nifti_kit.widgets.viewer.loading.ViewClass`), as in the legend.
    revision
        Counts whatever changes the picture: a view draws anew when it changes.
    """

    position = Tuple(Int(), Int(), Int())
    window = Tuple(Float(), Float())
    opacity = Float(0.4, min=0, max=1)
    mode = Enum(("fill", "outline"), "fill")
    arrangement = Enum(("planes", "beside"), "planes")
    hidden = Instance(frozenset, args=())
    zoom = Float(1.0, min=1, max=MOST_ZOOM)
    search = Unicode()
    active = Enum(tuple(PLANES), "axl")
    hovered: Any = Tuple(Int(), Int(), Int(), allow_none=True, default_value=None)
    overlays = Tuple()
    classes = Tuple()
    revision = Int()

    def __init__(self, image: RasImage, drawing: Drawing, title: str = "") -> None:
        self.image, self.title = image, title or image.name
        classes, overlays, position = drawing
        self.presets = image.presets
        layers = [(overlay.title, overlay.layers) for overlay in overlays]
        colors = [found.color for found in classes]
        self._artist = Artist(image.voxels, image.grid, layers, colors)
        self._focus: tuple[float, float, float] = position
        self._pointer: tuple[float, float] | None = None
        window = tuple(next(iter(self.presets.values())))
        shown = {"classes": classes, "overlays": overlays}
        super().__init__(position=position, window=window, **shown)

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
        self._point()
        self.revision += 1

    def picked(self, x: float, y: float) -> tuple[str, Position] | None:
        """Return the plane and the voxel (RAS+ indices) at a pixel of the picture, or None."""
        pane = self.sheet.pane_at(x, y)
        if pane is None:
            return None
        return code_of(pane), pane.voxel(x, y, self.position)

    def _point(self) -> None:
        """Look again which voxel is under the pointer: slice, zoom or panes may be others."""
        if self._pointer is not None:
            found = self.picked(*self._pointer)
            self.hovered = None if found is None else found[1]

    def _is_in_sight(self) -> bool:
        panes = self.sheet.panes[:3]
        places = [pane.pixel(self.position) for pane in panes]
        return all(
            0 <= x < pane.width and 0 <= y < pane.height
            for pane, (x, y) in zip(panes, places, strict=True)
        )

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
            self._focus,
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


NARROWEST = 1e-4
"""Dragging changes a window by steps of this share of all values; it is no narrower."""

DRAG = 300
"""Pixels of dragging that change a window by its whole width."""


class ViewerModel(Viewing):
    """A volume with its masks, and what a person does to look at it.

    Its state and traits are those of :class:`nifti_kit.widgets.viewer.model.Viewing`.
    """

    @classmethod
    def of(cls, source: Any, item: Any = None, **choices: Any) -> ViewerModel:
        """Return the viewer of an item of a plan, dataset or folder, or of a target's volume.

        By default of the first item, or of the only volume; ``choices`` are those of
        :meth:`of_item`. A viewer is returned as it is.

        Raises
        ------
        NiftiKitError
            If it is none of these, or has no such item or volume.
        """
        if isinstance(source, ViewerModel):
            return source
        if isinstance(source, (str, os.PathLike)):
            source = scan(source)
        if isinstance(source, (Plan, Dataset)):
            return cls.of_item(source, 0 if item is None else item, **choices)
        if isinstance(source, Target):
            return cls.of_target(source, item)
        raise NiftiKitError(
            "there is nothing to view in this",
            found=type(source).__name__,
            expected="a folder, a dataset, a plan or a target",
        )

    @classmethod
    def of_item(
        cls,
        source: Plan | Dataset,
        item: PlannedItem | Item | str | int = 0,
        *,
        target: Target | None = None,
        volume: VolumeRef | str | int | None = None,
        compare: Plan | Dataset | None = None,
        titles: tuple[str, str] = TITLES,
    ) -> ViewerModel:
        """Return the viewer of an item, from its source files.

        Parameters
        ----------
        source
            What :func:`nifti_kit.plan` or :func:`nifti_kit.scan` returned.
        item
            One of its items, its name, or its place (from 0).
        target, volume
            For annotations whose volume is on a target: that target and, where the plan does not
            name it, the volume (its reference, id or name).
        compare
            The same with other masks, such as ``repair.dataset``: they are shown below.
        titles
            Of the two rows.

        Raises
        ------
        NiftiKitError
            If there is no such item or volume, or a file is damaged.
        """
        opened = open_item(
            source, item, target=target, volume=volume, compare=compare, titles=titles
        )
        return cls(*opened)

    @classmethod
    def of_target(cls, target: Target, volume: VolumeRef | str | int | None = None) -> ViewerModel:
        """Return the viewer of a volume as it landed, read back with its objects.

        The volume is given by its reference, id or name; the only one by default.

        Raises
        ------
        NiftiKitError
            If there is no such volume, or several of that name.
        """
        ref = chosen_volume(target, volume)
        pieces = landed(target, target.objects(ref.id))
        image = RasImage.of_target(target, ref)
        return cls(image, drawn(image.grid, [("", pieces)]), f"{ref.name}, as it landed")

    @classmethod
    def of_arrays(
        cls,
        volume: npt.NDArray[Any],
        grid: Grid,
        masks: Iterable[Mask] = (),
        *,
        compare: Iterable[Mask] | None = None,
        titles: tuple[str, str] = TITLES,
        title: str = "",
    ) -> ViewerModel:
        """Return the viewer of an array (axes in any order) with masks on their own grids."""
        image = RasImage.of_array(title or "volume", volume, grid)
        pieces = [of_mask(mask) for mask in masks]
        sets: list[tuple[str, list[Piece]]] = [("", pieces)]
        if compare is not None:
            sets = [(titles[0], pieces), (titles[1], [of_mask(mask) for mask in compare])]
        return cls(image, drawn(image.grid, sets))

    # The crosshair

    def go(self, plane: str, index: int) -> None:
        """Show a slice (RAS+ index from 0) of ``axl``, ``cor`` or ``sag``; the nearest there is."""
        axis = PLANES[plane]
        position = list(self.position)
        position[axis] = min(max(index, 0), self.image.grid.shape[axis] - 1)
        with self.hold_trait_notifications():
            self.active = plane
            self.position = tuple(position)

    def step(self, plane: str, slices: int) -> None:
        """Show the slice so many further (RAS+); the last one at the end."""
        self.go(plane, self.position[PLANES[plane]] + slices)

    def nudge(self, right: int, up: int) -> None:
        """Move the crosshair by voxels within the active plane, as it is seen."""
        plane = (SAGITTAL, CORONAL, AXIAL)[PLANES[self.active]]
        position = list(self.position)
        for axis, by in ((plane.across, -right), (plane.up, up)):
            position[axis] = min(max(position[axis] + by, 0), self.image.grid.shape[axis] - 1)
        self.position = tuple(position)

    def pick(self, x: float, y: float, plane: str | None = None) -> None:
        """Put the crosshair where a pixel of the picture is; with a plane, at its nearest voxel.

        The plane is given while the mouse is dragged, which may leave the pane.
        """
        pane = self._pane(x, y, plane)
        if pane is not None:
            with self.hold_trait_notifications():
                self.active = code_of(pane)
                self.position = pane.voxel(x, y, self.position)

    def hover(self, x: float, y: float) -> None:
        """Read what is under a pixel of the picture; the crosshair stays."""
        self._pointer = (x, y)
        self._point()

    def leave(self) -> None:
        """Read what is at the crosshair: the pointer is elsewhere."""
        self._pointer = self.hovered = None

    def _pane(self, x: float, y: float, plane: str | None) -> Pane | None:
        if plane is None:
            return self.sheet.pane_at(x, y)
        panes = [pane for pane in self.sheet.panes if code_of(pane) == plane]
        return min(panes, key=lambda pane: pane.distance(x, y))

    # The window

    def choose_window(self, name: str) -> None:
        """Take one of the presets; ``Custom`` keeps the window as it is."""
        if name != CUSTOM:
            self.window = tuple(self.presets[name])

    def drag_window(self, right: float, down: float) -> None:
        """Change the window by pixels of dragging: to the right widens, downward brightens."""
        least = NARROWEST * self.presets["All values"].width
        if self.image.voxels.dtype.kind in "iu":
            least = max(1.0, least)
        centre, width = self.window
        step = max(width, DRAG * least) / DRAG
        # Whole steps of what can be told apart: 470, not 470.7828.
        centre = round((centre - down * step) / least) * least
        width = max(1, round((width + right * step) / least)) * least
        self.window = (float(f"{centre:.6g}"), float(f"{width:.6g}"))

    # The legend

    def matching(self) -> tuple[ViewClass, ...]:
        """Return the classes whose name holds what is searched for, in any case."""
        wanted = self.search.strip().casefold()
        return tuple(found for found in self.classes if wanted in found.name.casefold())

    def show(self, name: str, *, on: bool = True) -> None:
        """Show a class, or hide it."""
        self.hidden = self.hidden - {name} if on else self.hidden | {name}

    def show_only(self, name: str) -> None:
        """Show one class, and hide all others."""
        self.hidden = frozenset(found.name for found in self.classes) - {name}

    def show_all(self) -> None:
        """Show the classes that the legend lists: all, unless it is searched."""
        self.hidden = self.hidden - {found.name for found in self.matching()}

    def show_none(self) -> None:
        """Hide the classes that the legend lists: all, unless it is searched."""
        self.hidden = self.hidden | {found.name for found in self.matching()}

    def magnify(self, times: float) -> None:
        """Zoom so much nearer, or away from it: 1 shows the whole image."""
        self.zoom = min(max(self.zoom * times, 1.0), MOST_ZOOM)

    def find(self, name: str) -> bool:
        """Show a class and go to its middle; say whether any of it lies in the volume."""
        self.show(name)
        number = {found.name: found.number for found in self.classes}[name]
        for overlay in self.overlays:
            position = position_of(self.image.grid, overlay.layers, number)
            if position is not None:
                self.position = position
                return True
        return False
