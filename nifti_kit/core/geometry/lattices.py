"""Lattices: which of many grids have the very voxels of another one, found without comparing all.

Two grids whose voxels are the same have as many along their axes, in some order, and fill the same
box in space but for rounding. So grids are kept by their sides, sorted by where their boxes begin;
what is near is compared at once, and only what is then in doubt one by one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
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

SURE_VOXELS = LATTICE_VOXELS / 2
"""Corners that lie so near to those of another grid are certainly on them (voxels)."""

Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]


class Lattices:
    """The grids of volumes, by where their voxels are, in whatever order.

    ``grids``: those that are asked for; what is found of them is told in their order.
    """

    def __init__(self, grids: Sequence[Grid]) -> None:
        self._count = len(grids)
        positions: defaultdict[Grid, list[int]] = defaultdict(list)
        for position, grid in enumerate(grids):
            positions[grid].append(position)
        alike: defaultdict[tuple[int, ...], list[Grid]] = defaultdict(list)
        for grid in positions:
            if not grid.problem:
                alike[tuple(sorted(grid.shape))].append(grid)
        self._shelves = {sides: _Shelf(some, positions) for sides, some in alike.items()}
        self.same_as = lru_cache(maxsize=REMEMBERED)(self._same_as)

    def _same_as(self, grid: Grid) -> npt.NDArray[np.bool_]:
        """Return which of the grids have the voxels of another: (n,), not to be written to."""
        same = np.zeros(self._count, bool)
        shelf = self._shelves.get(tuple(sorted(grid.shape)))
        if shelf is not None and not grid.problem:
            for positions in shelf.same_as(grid):
                same[positions] = True
        return same


class _Shelf:
    """Usable grids with as many voxels along their sides, sorted by where their boxes begin.

    What is found of each are its ``positions``.
    """

    def __init__(self, grids: Sequence[Grid], positions: Mapping[Grid, list[int]]) -> None:
        boxes = np.array([_box(grid) for grid in grids])
        order = np.argsort(boxes[:, 0])
        self._boxes = boxes[order]
        self._grids = [grids[position] for position in order]
        self._positions = [positions[grid] for grid in self._grids]
        self._slack = np.array([_slack(grid) for grid in self._grids])
        self._shapes = np.array([grid.shape for grid in self._grids])
        self._inverses = np.linalg.inv([grid.affine for grid in self._grids])

    def same_as(self, grid: Grid) -> Iterator[list[int]]:
        """Yield the positions of each that has the voxels of another."""
        near = self._near(grid)
        for place, is_sure in zip(near.tolist(), self._are_sure(grid, near).tolist(), strict=True):
            if is_sure or lattice_orientation(grid, self._grids[place]) is not None:
                yield self._positions[place]

    def _are_sure(self, grid: Grid, near: Positions) -> npt.NDArray[np.bool_]:
        """Say which grids certainly have the voxels of another: (n,)."""
        into = self._inverses[near] @ grid.affine
        steps, sides, corners = np.rint(into[:, :3, :3]), self._shapes[near], grid.corners().T
        axes = np.abs(steps)
        is_order = (axes.sum(axis=1) == 1).all(axis=1) & (axes.sum(axis=2) == 1).all(axis=1)
        is_order &= (axes @ np.array(grid.shape) == sides).all(axis=1)
        first = np.where(steps.sum(axis=2) < 0, sides - 1, 0)
        whole = steps @ corners + first[:, :, np.newaxis]
        found = into[:, :3, :3] @ corners + into[:, :3, 3:]
        away = np.abs(found - whole).max(axis=(1, 2))
        sure: npt.NDArray[np.bool_] = is_order & (away <= SURE_VOXELS)
        return sure

    def _near(self, grid: Grid) -> Positions:
        """Return where the boxes may be that of a grid but for rounding, and of few others."""
        box, slack = _box(grid), _slack(grid)
        widest = slack + self._slack.max()
        starts = self._boxes[:, 0]
        first = int(np.searchsorted(starts, box[0] - widest))
        stop = int(np.searchsorted(starts, box[0] + widest, side="right"))
        away = np.abs(self._boxes[first:stop] - box).max(axis=1)
        return np.flatnonzero(away <= slack + self._slack[first:stop]) + first


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
