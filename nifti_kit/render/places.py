"""Places: where a viewer looks first, and where a class is seen best."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import Grid
from nifti_kit.render.layers import Layer

__all__ = ["best_position", "position_of"]

MAX_VOXELS = 2_000_000
"""Of a layer, evenly spread, from which the first position is worked out."""

Position = tuple[int, int, int]


def best_position(grid: Grid, layers: Iterable[Layer]) -> Position:
    """Return the slices (RAS+ indices) that show most classes well; the middle without masks.

    A class counts by the root of its area over its largest, so that a small one counts too.
    """
    merits = [np.zeros(size) for size in grid.shape]
    for layer in layers:
        step = max(1, math.ceil((layer.numbers.size / MAX_VOXELS) ** (1 / 3)))
        points, numbers = layer.points(grid, step)
        for axis, size in enumerate(grid.shape):
            merits[axis] += _merit(points[:, axis], numbers, size)
    i, j, k = (_middle_of_best(merit) for merit in merits)
    return i, j, k


def _merit(
    slices: npt.NDArray[np.int64], numbers: npt.NDArray[np.integer], size: int
) -> npt.NDArray[np.float64]:
    rows, row = np.unique(numbers, return_inverse=True)
    areas = np.bincount(row * size + slices, minlength=len(rows) * size).reshape(len(rows), size)
    shares = areas / np.maximum(areas.max(axis=1, initial=1, keepdims=True), 1)
    return np.asarray(np.sqrt(shares).sum(axis=0))


def _middle_of_best(merit: npt.NDArray[np.float64]) -> int:
    best = np.flatnonzero(merit >= merit.max() - 1e-9)
    return (
        int(best[np.abs(best - (len(merit) - 1) / 2).argmin()]) if merit.any() else len(merit) // 2
    )


def position_of(grid: Grid, layers: Iterable[Layer], number: int) -> Position | None:
    """Return a voxel of a class, in the middle of its largest axial section.

    None where none of its voxels lies in the image.
    """
    found = []
    for layer in layers:
        alone = Layer((layer.numbers == number).view(np.uint8), layer.grid)
        found.append(alone.points(grid)[0])
    points = np.concatenate(found) if found else np.zeros((0, 3), dtype=np.int64)
    if not len(points):
        return None
    largest = np.bincount(points[:, 2]).argmax()
    section = points[points[:, 2] == largest]
    away = np.abs(section - section.mean(axis=0)).sum(axis=1)
    i, j, k = section[away.argmin()].tolist()
    return i, j, k
