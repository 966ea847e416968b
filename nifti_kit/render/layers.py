"""Layers: label maps that hold the numbers of classes, each where its own affine puts it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import Grid, Orientation, placed_on, ras_orientation
from nifti_kit.core.memory import mapped_array
from nifti_kit.errors import NiftiKitError
from nifti_kit.render.panes import Pane
from nifti_kit.render.scene import Mask

Numbers = npt.NDArray[Any]
"""Numbers of classes from 1, uint8 or uint16; 0 is background."""

MOST_SHARED = 8
"""Layers of the image's full size; what lies on top of as many others gets one of its own size."""


@dataclass(frozen=True, eq=False)
class Layer:
    """A label map with the numbers of classes."""

    numbers: Numbers  # (i, j, k) in RAS+ order; it may be smaller than the image
    grid: Grid  # where they are (RAS+ mm)

    @classmethod
    def of_mask(cls, mask: Mask) -> Layer:
        """Return a mask alone, with the number 1; its axes may be in any order."""
        return cls(np.asarray(mask.inside != 0).view(np.uint8), mask.grid)

    def section(self, image: Grid, pane: Pane, index: int) -> Numbers:
        """Return the numbers under a pane's pixels (lines, columns), for a slice of an image.

        On the image's own voxels it is exact; else each pixel takes the voxel that holds it.
        """
        across, up = pane.columns(), pane.lines()
        place = self._offset(image)
        if place is None:
            return self._turned(image, pane, index, across - 0.5, up - 0.5)
        axes = (pane.plane.across, pane.plane.up)
        at = index - place[pane.plane.normal]
        columns, lines = (
            np.floor(side).astype(np.intp) - place[axis]  # a pane may reach beyond the image
            for side, axis in zip((across, up), axes, strict=True)
        )
        return _cut(self.numbers, pane.plane.normal, at, columns, lines)

    def at(self, image: Grid, indices: npt.ArrayLike) -> int:
        """Return the number at a voxel of the image (RAS+ indices); 0 outside."""
        there = self._matrix(image) @ np.append(np.asarray(indices, np.float64), 1)
        voxel = np.rint(there[:3]).astype(np.int64)
        if (voxel < 0).any() or (voxel >= self.numbers.shape).any():
            return 0
        return int(self.numbers[tuple(voxel)])

    def points(self, image: Grid, step: int = 1) -> tuple[npt.NDArray[np.int64], Numbers]:
        """Return the image's voxels (n, 3) that hold the layer's, and the number of each.

        With a step only every so many voxels along each axis are visited.
        """
        thinned = self.numbers[::step, ::step, ::step]
        own = np.argwhere(thinned)
        matrix = np.linalg.inv(image.affine) @ self.grid.affine
        moved = np.rint(own * step @ matrix[:3, :3].T + matrix[:3, 3]).astype(np.int64)
        inside = ((moved >= 0) & (moved < image.shape)).all(axis=1)
        return moved[inside], thinned[tuple(own[inside].T)]

    @cached_property
    def _matrices(self) -> dict[Grid, npt.NDArray[np.float64]]:
        return {}

    def _matrix(self, image: Grid) -> npt.NDArray[np.float64]:
        """Return the 4 x 4 matrix from the image's voxels to the layer's."""
        if image not in self._matrices:
            self._matrices[image] = np.linalg.inv(self.grid.affine) @ image.affine
        return self._matrices[image]

    def _offset(self, image: Grid) -> tuple[int, int, int] | None:
        """Return the layer's first voxel as one of the image's; None on another lattice."""
        place = placed_on(self.grid, image)
        if place is None or place.orientation != Orientation((0, 1, 2), (False, False, False)):
            return None
        return place.first

    def _turned(
        self,
        image: Grid,
        pane: Pane,
        index: int,
        across: npt.NDArray[np.float64],
        up: npt.NDArray[np.float64],
    ) -> Numbers:
        """Return the section where the layer's axes are not the image's."""
        matrix, plane = self._matrix(image), pane.plane
        start = matrix[:3, plane.normal] * index + matrix[:3, 3]
        flat = np.zeros((len(up), len(across)), dtype=np.int64)
        inside = np.ones(flat.shape, dtype=bool)
        for axis, size in enumerate(self.numbers.shape):
            # Clipped while it is a float: a far index is no int64.
            lines = matrix[axis, plane.up] * up[:, None] + start[axis]
            voxel = np.rint(np.clip(lines + matrix[axis, plane.across] * across, -1, size))
            inside &= (voxel >= 0) & (voxel < size)
            flat = flat * size + np.clip(voxel, 0, size - 1).astype(np.int64)
        section = self.numbers[np.unravel_index(flat, self.numbers.shape)]
        section[~inside] = 0
        return section


def _cut(
    numbers: Numbers,
    normal: int,
    index: int,
    columns: npt.NDArray[np.intp],
    lines: npt.NDArray[np.intp],
) -> Numbers:
    """Return a slice (lines, columns) at the given indices; 0 where there is no such voxel."""
    section = np.zeros((len(lines), len(columns)), dtype=numbers.dtype)
    if not 0 <= index < numbers.shape[normal]:
        return section
    piece = numbers[(slice(None),) * normal + (index,)]
    fits = [(side >= 0) & (side < n) for side, n in zip((columns, lines), piece.shape, strict=True)]
    across, up = columns[fits[0]], lines[fits[1]]
    section[np.ix_(fits[1], fits[0])] = piece[across[:, None], up].T
    return section


class Stack:
    """Collects label maps into as few layers as there are voxels on top of each other.

    What is added later lies on top. Label maps on the image's own voxels share layers of its
    size; any other keeps its own grid, and lies on top of those.

    ``image``: the image's grid, in RAS+ order.
    ``classes``: how many there are; it decides the type of the numbers.
    """

    def __init__(self, image: Grid, classes: int) -> None:
        self.image = image
        self.dtype = np.dtype(np.uint8 if classes <= np.iinfo(np.uint8).max else np.uint16)
        self._shared: list[Numbers] = []
        self._apart: list[Layer] = []

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, from the bottom to the top."""
        return (*(Layer(numbers, self.image) for numbers in self._shared), *self._apart)

    def add(self, numbers: Numbers, grid: Grid) -> bool:
        """Put a label map on top; say whether its voxels are voxels of the image.

        ``numbers``: (i, j, k), axes in any order; it may be cropped. The array is the stack's from
        then on: one of the image's size becomes a layer, and others are written into it.
        ``grid``: where they are (RAS+ mm).
        Raises NiftiKitError if the shape is not that of the grid.
        """
        check_shape("label map", numbers, grid)
        if not numbers.size:
            return True
        numbers = numbers.astype(self.dtype, copy=False)
        place = placed_on(grid, self.image)
        if place is None:
            orientation = ras_orientation(grid)
            self._apart.append(Layer(orientation.apply(numbers), grid.reoriented(orientation)))
            return False
        self._merge(place.orientation.apply(numbers), place.first)
        return True

    def _merge(self, piece: Numbers, first: tuple[int, int, int]) -> None:
        """Write a piece into the lowest layer above all that it lies on."""
        sizes = zip(first, piece.shape, self.image.shape, strict=True)
        ends = [(max(at, 0), min(at + length, size)) for at, length, size in sizes]
        box = tuple(slice(low, max(low, high)) for low, high in ends)
        piece = piece[
            tuple(slice(s.start - at, s.stop - at) for s, at in zip(box, first, strict=True))
        ]
        if not any(frame.any() for frame, _ in blocks(piece, piece)):
            return
        under = [at for at, there in enumerate(self._shared) if meet(piece, there[box])]
        level = under[-1] + 1 if under else 0
        if level == MOST_SHARED:
            affine = self.image.affine.copy()
            affine[:3, 3] = self.image.world([part.start for part in box])
            self._apart.append(Layer(piece, Grid(piece.shape, affine)))
            return
        if level == len(self._shared):
            if piece.shape == self.image.shape and piece.flags.writeable:
                self._shared.append(piece)
                return
            self._shared.append(mapped_array(self.image.shape, self.dtype))
        for above, below in blocks(piece, self._shared[level][box]):
            np.copyto(below, above, where=above != 0)


def meet(one: Numbers, other: Numbers) -> bool:
    """Say whether two label maps of one shape have a voxel in common."""
    return any(np.logical_and(a, b).any() for a, b in blocks(one, other))


BLOCK_VOXELS = 2**19
"""Voxels that are held against each other at a time: what a processor has at hand."""


def blocks(one: Numbers, other: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
    """Yield two arrays of one shape in parts, in the order of the first one's memory.

    What is worked out of all voxels at once would take as much memory as they do.
    """
    axis = max(range(one.ndim), key=lambda axis: abs(one.strides[axis]))
    lined_up = [np.moveaxis(numbers, axis, 0) for numbers in (one, other)]
    pages = max(1, BLOCK_VOXELS * len(lined_up[0]) // max(1, one.size))
    for first in range(0, len(lined_up[0]), pages):
        a, b = (numbers[first : first + pages] for numbers in lined_up)
        yield a, b


def check_shape(what: str, array: npt.NDArray[Any], grid: Grid) -> None:
    """Refuse an array that has another shape than its grid; ``what`` says what it is."""
    if array.shape != grid.shape:
        message = f"the {what} has another shape than its grid"
        raise NiftiKitError(message, found=array.shape, expected=grid.shape)


def renumbered(values: Numbers, table: Numbers) -> Numbers:
    """Return a label map with the number of each value in its place, of the table's type.

    Where it can be, that is in the same memory: a large map is in memory once.

    ``values``: (i, j, k), none of them beyond the table.
    ``table``: (n,): the number of each value; that of 0 is 0.
    """
    dtype, most = table.dtype, len(table) - 1
    if values.dtype == dtype and np.array_equal(table, np.arange(most + 1)):
        return values
    if most == 1 and values.dtype == dtype:
        values *= table[1]
        return values
    found = values if values.dtype == dtype else np.empty_like(values, dtype=dtype)
    for before, after in blocks(values, found):
        after[...] = table[before]
    return found
