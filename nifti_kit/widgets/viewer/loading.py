"""Overlays: the masks of plans, datasets, targets and arrays as layers of class numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import Grid, fields_meet
from nifti_kit.formats.label_parts import common_box
from nifti_kit.formats.labels import Box, read_box
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.render.layers import Layer, Stack
from nifti_kit.render.paint import mark_of
from nifti_kit.render.scene import Color, Mask
from nifti_kit.targets.records import PlannedItem
from nifti_kit.targets.target import ObjectRef, Target

__all__ = ["Drawing", "Overlay", "Piece", "ViewClass", "drawn", "landed", "planned"]


@dataclass(frozen=True)
class ViewClass:
    """A class of a legend.

    Attributes
    ----------
    number
        Its place in the legend, from 1; what layers hold.
    name, color
        As they land; RGB of 0 to 255.
    mark
        The letter that stands for it on outlines.
    voxels
        How many it has, in its own files.
    """

    number: int
    name: str
    color: Color
    mark: str
    voxels: int


@dataclass(frozen=True, eq=False)
class Overlay:
    """Masks that are drawn together: a title, layers from the bottom to the top, and notes."""

    title: str
    layers: tuple[Layer, ...]
    notes: tuple[str, ...]


class Named(NamedTuple):
    """A mask's part in the legend: class, colour, voxels."""

    name: str
    color: Color
    voxels: int


@dataclass(frozen=True, eq=False)
class Piece:
    """A label map that is about to be drawn.

    Attributes
    ----------
    origin
        What it is called: its file, or its class.
    parts
        The classes in it, by value.
    grid
        Where its voxels are (RAS+ mm).
    read
        Gives the values, (i, j, k) in the order of the grid.
    """

    origin: str
    parts: dict[int, Named]
    grid: Grid
    read: Callable[[], npt.NDArray[Any]]

    @property
    def voxels(self) -> int:
        """How many have a class."""
        return sum(part.voxels for part in self.parts.values())


class Drawing(NamedTuple):
    """The legend, and the overlays that it speaks of."""

    classes: tuple[ViewClass, ...]
    overlays: tuple[Overlay, ...]


def drawn(image: Grid, sets: Sequence[tuple[str, Sequence[Piece]]]) -> Drawing:
    """Return the legend and layers of sets of label maps, each with a title.

    Of label maps that lie on one another the one with fewer voxels is on top: a lesion stays
    visible on its organ. One label map is in memory at a time, besides the layers.

    Parameters
    ----------
    image
        The image's grid in RAS+ order.
    sets
        Overlays to be; classes of the same name are one class of the legend.
    """
    classes = _legend(sets)
    numbers = {found.name: found.number for found in classes}
    overlays = (_overlay(image, title, pieces, numbers) for title, pieces in sets)
    return Drawing(classes, tuple(overlays))


def _legend(sets: Sequence[tuple[str, Sequence[Piece]]]) -> tuple[ViewClass, ...]:
    """Return the classes in the order in which they are met; the first set counts the voxels."""
    colors: dict[str, Color] = {}
    voxels: dict[str, int] = {}
    for _, pieces in sets:
        counts: dict[str, int] = {}
        for part in (part for piece in pieces for part in piece.parts.values()):
            colors.setdefault(part.name, part.color)
            counts[part.name] = counts.get(part.name, 0) + part.voxels
        voxels = {**counts, **voxels}
    return tuple(
        ViewClass(number, name, color, mark_of(number), voxels[name])
        for number, (name, color) in enumerate(colors.items(), start=1)
    )


def _overlay(image: Grid, title: str, pieces: Sequence[Piece], numbers: dict[str, int]) -> Overlay:
    stack, notes = Stack(image, len(numbers)), []
    for piece in sorted(pieces, key=lambda piece: -piece.voxels):
        values = piece.read()
        # Values without a class are background.
        most = max((int(values.max(initial=0)), *piece.parts))
        table = np.zeros(most + 1, dtype=stack.dtype)
        for value, part in piece.parts.items():
            table[value] = numbers[part.name]
        fits = stack.add(table[values], piece.grid)
        if not fields_meet(piece.grid, image):
            notes.append(f"{piece.origin} lies outside the volume")
        elif not fits:
            notes.append(f"{piece.origin} is not on the volume's voxels: drawn where it lies")
    return Overlay(title, stack.layers, tuple(notes))


def planned(item: PlannedItem) -> list[Piece]:
    """Return the label maps of a planned item; they are read when they are drawn."""
    pieces = []
    for mask, objects in groupby(item.objects, key=lambda planned: planned.mask):
        found = list(objects)
        box = common_box(one.label.box for one in found)
        parts = {one.value: Named(one.class_name, one.color, one.voxels) for one in found}

        def read(image: ImageFile = mask.image, box: Box = box) -> npt.NDArray[Any]:
            return read_box(image, box)

        pieces.append(Piece(str(mask.relative), parts, mask.grid.cropped(box), read))
    return pieces


def landed(target: Target, objects: Iterable[ObjectRef]) -> list[Piece]:
    """Return the masks of a target's objects, read back; only the voxels around each are kept."""
    colors = {found.name: found.color for found in target.classes()}
    return [
        of_mask(_landed_mask(target, found, colors[found.class_name]))
        for found in objects
        if found.has_figure  # an object without a 3D figure has nothing to draw
    ]


def _landed_mask(target: Target, found: ObjectRef, color: Color) -> Mask:
    inside = np.stack([page != 0 for page in target.iter_mask(found)], axis=2)
    box = (_extent(inside, 0), _extent(inside, 1), _extent(inside, 2))
    grid = target.mask_grid(found).cropped(box)
    return Mask(found.class_name, color, inside[box].copy(), grid)


def of_mask(mask: Mask) -> Piece:
    """Return a mask of one class as a piece."""

    def read() -> npt.NDArray[Any]:
        return np.asarray(mask.inside != 0).view(np.uint8)

    part = Named(mask.name, mask.color, int(np.count_nonzero(mask.inside)))
    return Piece(mask.name, {1: part}, mask.grid, read)


def _extent(inside: npt.NDArray[Any], axis: int) -> slice:
    others = tuple(other for other in range(3) if other != axis)
    at = np.flatnonzero(inside.any(axis=others))
    return slice(int(at[0]), int(at[-1]) + 1) if len(at) else slice(0, 0)
