"""Panes: where the panes of a picture stand, and which voxel is under which pixel.

Pixels count from 0 at the top left. Along an axis of the image voxel ``i`` reaches from ``i`` to
``i + 1``, so that 0 and n are its outer faces. Across and up both count against the pixels: the
patient's right is on the left of the picture, superior (or anterior) is at the top.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import Grid
from nifti_kit.render.scene import AXIAL, BY_NORMAL, CORONAL, SAGITTAL, Plane

ORDER = (AXIAL, CORONAL, SAGITTAL)
"""From left to right."""

WIDEST = 1080
"""Of the whole picture (pixels): about what a notebook has room for."""

TALLEST = (400, 290)
"""Of a row of panes (pixels), where there is one row and where there are two."""

TALLEST_ALONE = 640
"""Of a pane that is the only one (pixels): with its titles it fits on a screen."""

SMALLEST = 150
"""The longer side of a pane (pixels): one that would be smaller gets a scale of its own."""

NARROWEST = 150
"""What a pane's title needs (pixels): a narrower pane stands in a cell of this width."""

MARGIN, GAP, TITLE = 8, 10, 22
"""Around the panes, between two of them, and for a line of text above them (pixels)."""


class Span(NamedTuple):
    """The part of an axis that is shown, in voxels: from ``low`` to ``high``."""

    low: float
    high: float

    @property
    def length(self) -> float:
        """How many voxels it is long."""
        return self.high - self.low


@dataclass(frozen=True)
class Pane:
    """A plane's place in the picture."""

    plane: Plane  # which
    # Which overlay it shows, from 0; overlays stand below each other, or from left to right.
    row: int
    # Pixels.
    left: int
    top: int
    width: int
    height: int
    # What is shown of the two axes.
    across: Span
    up: Span

    @classmethod
    def whole(cls, grid: Grid, plane: Plane, longest: int | None = None) -> Pane:
        """Return the pane of a whole slice, alone: with a pixel for each voxel, in any proportions.

        With ``longest``, its longer side has so many pixels, and a pixel is as wide as high in mm.
        """
        width, height = across, up = grid.shape[plane.across], grid.shape[plane.up]
        if longest is not None:
            wide, high = across * grid.voxel_size[plane.across], up * grid.voxel_size[plane.up]
            width, height = (max(1, round(longest * s / max(wide, high))) for s in (wide, high))
        return cls(plane, 0, 0, 0, width, height, Span(0, across), Span(0, up))

    def columns(self) -> npt.NDArray[np.float64]:
        """Return where each column of pixels lies across, in voxels."""
        steps = (np.arange(self.width) + 0.5) / self.width
        return self.across.high - steps * self.across.length

    def lines(self) -> npt.NDArray[np.float64]:
        """Return where each line of pixels lies up, in voxels."""
        steps = (np.arange(self.height) + 0.5) / self.height
        return self.up.high - steps * self.up.length

    def holds(self, x: float, y: float) -> bool:
        """Say whether a pixel of the picture is in the pane."""
        return 0 <= x - self.left < self.width and 0 <= y - self.top < self.height

    def distance(self, x: float, y: float) -> float:
        """Return how far a pixel of the picture is from the middle of the pane (pixels)."""
        return math.hypot(self.left + self.width / 2 - x, self.top + self.height / 2 - y)

    def voxel(self, x: float, y: float, position: Sequence[int]) -> tuple[int, int, int]:
        """Return the RAS+ indices under a pixel; one outside is brought to the nearest inside."""
        column = min(max(int(x) - self.left, 0), self.width - 1)
        line = min(max(int(y) - self.top, 0), self.height - 1)
        indices = list(position)
        indices[self.plane.across] = int(self.columns()[column])
        indices[self.plane.up] = int(self.lines()[line])
        return indices[0], indices[1], indices[2]

    def pixel(self, position: Sequence[int]) -> tuple[int, int]:
        """Return the column and line of the pane at the middle of a voxel; it may be outside."""
        across, up = position[self.plane.across] + 0.5, position[self.plane.up] + 0.5
        x = (self.across.high - across) / self.across.length * self.width
        y = (self.up.high - up) / self.up.length * self.height
        return int(np.floor(x)), int(np.floor(y))


@dataclass(frozen=True)
class Layout:
    """The picture's size (pixels) and its panes, row by row."""

    width: int
    height: int
    panes: tuple[Pane, ...]

    @classmethod
    def of(cls, grid: Grid, rows: int, zoom: float, focus: Sequence[float]) -> Layout:
        """Return the sheet for an image in RAS+ order.

        The three planes have one scale in mm. Zoom (from 1) shows that much less of each axis,
        around the focus (RAS+ indices).
        """
        lengths = np.multiply(grid.shape, grid.voxel_size)
        sides = [(float(lengths[plane.across]), float(lengths[plane.up])) for plane in ORDER]
        spans = [span_of(n, zoom, at) for n, at in zip(grid.shape, focus, strict=True)]
        sizes = _sizes(sides, TALLEST[rows > 1])
        cells = [max(width, NARROWEST) for width, _ in sizes]
        tall = max(height for _, height in sizes)
        panes, top = [], MARGIN
        for row in range(rows):
            top += TITLE * (1 + (rows > 1))
            left = MARGIN
            for plane, (width, height), cell in zip(ORDER, sizes, cells, strict=True):
                at = left + (cell - width) // 2, top + (tall - height) // 2
                shown = spans[plane.across], spans[plane.up]
                panes.append(Pane(plane, row, *at, width, height, *shown))
                left += cell + GAP
            top += tall + GAP
        whole = sum(cells) + GAP * (len(cells) - 1) + 2 * MARGIN
        return cls(whole, top - GAP + MARGIN, tuple(panes))

    @classmethod
    def beside(
        cls, grid: Grid, count: int, normal: int, zoom: float, focus: Sequence[float]
    ) -> Layout:
        """Return the sheet with one plane, by its normal, so many times from left to right."""
        plane = BY_NORMAL[normal]
        lengths = np.multiply(grid.shape, grid.voxel_size)
        side = float(lengths[plane.across]), float(lengths[plane.up])
        (width, height), *_ = _sizes([side] * count, TALLEST[0] if count > 1 else TALLEST_ALONE)
        shown = [span_of(grid.shape[axis], zoom, focus[axis]) for axis in (plane.across, plane.up)]
        cell, top = max(width, NARROWEST), MARGIN + 2 * TITLE
        lefts = [MARGIN + at * (cell + GAP) + (cell - width) // 2 for at in range(count)]
        panes = [Pane(plane, at, left, top, width, height, *shown) for at, left in enumerate(lefts)]
        whole = count * cell + GAP * (count - 1) + 2 * MARGIN
        return cls(whole, top + height + MARGIN, tuple(panes))

    def pane_at(self, x: float, y: float) -> Pane | None:
        """Return the pane under a pixel, or None."""
        return next((pane for pane in self.panes if pane.holds(x, y)), None)


def span_of(size: int, zoom: float, focus: float) -> Span:
    """Return what is shown of an axis; never beyond the image."""
    length = size / zoom
    low = min(max(focus + 0.5 - length / 2, 0.0), size - length)
    return Span(low, low + length)


def _sizes(sides: Sequence[tuple[float, float]], tallest: int) -> list[tuple[int, int]]:
    """Return the panes' sizes (pixels) for sides in mm."""
    room = WIDEST - 2 * MARGIN - GAP * (len(sides) - 1)
    scale = min(room / sum(width for width, _ in sides), tallest / max(max(s[1:]) for s in sides))
    sizes = []
    for width, height in sides:
        most = min(tallest / height, room / len(sides) / width)
        own = max(scale, min(most, SMALLEST / max(width, height)))
        sizes.append((max(1, round(width * own)), max(1, round(height * own))))
    return sizes
