"""Lattices: which of many grids have the very voxels of another one, found without comparing all.

Two grids whose voxels are the same have as many along their axes, in some order, and fill the same
box in space but for rounding. So grids are kept by their sides, sorted by where their boxes begin;
what is near is compared exactly.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import (
    LATTICE_VOXELS,
    ROUNDING_MM,
    Grid,
    float32_step,
    lattice_orientation,
)

REMEMBERED = 256
"""Grids whose answers are kept: the files of one case have one grid, and stand together."""

Floats = npt.NDArray[np.float64]


class Lattices:
    """The grids of volumes, by where their voxels are, in whatever order.

    Parameters
    ----------
    grids
        Those that are asked for; what is found of them is told in their order.
    """

    def __init__(self, grids: Sequence[Grid]) -> None:
        self._count = len(grids)
        self._positions: defaultdict[Grid, list[int]] = defaultdict(list)
        for position, grid in enumerate(grids):
            self._positions[grid].append(position)
        alike: defaultdict[tuple[int, ...], list[Grid]] = defaultdict(list)
        for grid in self._positions:
            if not grid.problem:
                alike[tuple(sorted(grid.shape))].append(grid)
        self._shelves = {sides: _Shelf(some) for sides, some in alike.items()}
        self.same_as = lru_cache(maxsize=REMEMBERED)(self._same_as)

    def _same_as(self, grid: Grid) -> npt.NDArray[np.bool_]:
        """Return which of the grids have the voxels of another: (n,), not to be written to."""
        same = np.zeros(self._count, bool)
        shelf = self._shelves.get(tuple(sorted(grid.shape)))
        for there in () if shelf is None or grid.problem else shelf.near(grid):
            if lattice_orientation(grid, there) is not None:
                same[self._positions[there]] = True
        return same


class _Shelf:
    """Usable grids with as many voxels along their sides, sorted by where their boxes begin."""

    def __init__(self, grids: Sequence[Grid]) -> None:
        boxes = np.array([_box(grid) for grid in grids])
        order = np.argsort(boxes[:, 0])
        self._boxes = boxes[order]
        self._grids = [grids[position] for position in order]
        self._slack = np.array([_slack(grid) for grid in self._grids])

    def near(self, grid: Grid) -> list[Grid]:
        """Return those whose boxes may be that of a grid but for rounding, and few others."""
        box, slack = _box(grid), _slack(grid)
        widest = slack + self._slack.max()
        starts = self._boxes[:, 0]
        first = int(np.searchsorted(starts, box[0] - widest))
        stop = int(np.searchsorted(starts, box[0] + widest, side="right"))
        away = np.abs(self._boxes[first:stop] - box).max(axis=1)
        found = np.flatnonzero(away <= slack + self._slack[first:stop]) + first
        return [self._grids[position] for position in found]


def _box(grid: Grid) -> Floats:
    """Return (6,): the least and the largest coordinates of the corner voxels (RAS+ mm).

    The order and direction of the axes is nothing to it; it moves no further than a corner does.
    """
    corners = grid.world(grid.corners())
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)])


def _slack(grid: Grid) -> float:
    """Return how far a corner may be from that of another grid, as one of a pair, at most (mm).

    What :func:`nifti_kit.core.geometry.placed_on` takes for rounding, of both grids, and in sum:
    so no pair is lost, and the comparison itself decides.
    """
    return LATTICE_VOXELS * sum(grid.voxel_size) + ROUNDING_MM + float32_step(grid)
