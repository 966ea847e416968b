"""What is shown at first: grey values (windows), and the slices that show most."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import Grid
from nifti_kit.render.layers import Layer, Numbers
from nifti_kit.render.scene import AXIAL, PERCENTILES

CUSTOM = "Custom"
"""What a window is called that is no preset."""

MAX_SAMPLES = 1_000_000
"""Voxels from which percentiles are worked out, evenly spread."""

AIR_HU = -900
"""A volume with values this low holds Hounsfield units: air is -1000, and MR has none below 0."""


class Window(NamedTuple):
    """The middle and the distance of the values that become black and white."""

    centre: float
    width: float

    @property
    def limits(self) -> tuple[float, float]:
        """The values that become black and white."""
        return self.centre - self.width / 2, self.centre + self.width / 2


CT = {
    "CT soft tissue": Window(40, 400),
    "CT bone": Window(400, 1800),
    "CT lung": Window(-600, 1500),
    "CT brain": Window(40, 80),
}
"""What radiology departments use, in Hounsfield units."""


def presets_of(volume: npt.NDArray[Any]) -> dict[str, Window]:
    """Return the windows to choose from, by name; the first one is shown at the beginning.

    For a volume that holds Hounsfield units that is soft tissue, for any other its percentiles.
    """
    values = _sampled(volume)
    low, high = PERCENTILES
    of_volume = {
        f"Percentiles {low} to {high}": _between(*np.percentile(values, PERCENTILES)),
        "All values": _between(values.min(), values.max()),
    }
    is_ct = volume.dtype.kind in "if" and float(values.min()) <= AIR_HU
    return {**CT, **of_volume} if is_ct else {**of_volume, **CT}


def _sampled(volume: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    # The same step along each axis: a step through the flat array could meet one column only.
    step = max(1, int(np.ceil((volume.size / MAX_SAMPLES) ** (1 / 3))))
    values = volume[::step, ::step, ::step].astype(np.float64)
    values = values[np.isfinite(values)]
    return values if values.size else np.zeros(1)


def _between(low: Any, high: Any) -> Window:
    """Return the window from one value to another; where they are the same, of width 1."""
    low, high = float(low), float(high)
    width = high - low if high > low else 1.0
    return Window((low + high) / 2, width)


# Places: where a viewer looks first, and where a class is seen best

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
    found = [_AxialAreas.of(grid, layer, number) for layer in layers]
    areas = np.sum([one.areas for one in found], axis=0) if found else np.zeros(1)
    if not areas.any():
        return None
    largest = int(areas.argmax())
    section = np.concatenate([one.points(largest) for one in found])
    away = np.abs(section - section.mean(axis=0)).sum(axis=1)
    i, j, k = section[away.argmin()].tolist()
    return i, j, k


class _AxialAreas(NamedTuple):
    """A class in one layer: how many voxels of each axial slice it has, and which of one."""

    areas: npt.NDArray[np.int64]
    points: Callable[[int], npt.NDArray[np.int64]]

    @classmethod
    def of(cls, grid: Grid, layer: Layer, number: int) -> _AxialAreas:
        if layer.grid == grid:
            return cls(_areas(layer.numbers, number), partial(_points, layer.numbers, number))
        alone = Layer((layer.numbers == number).view(np.uint8), layer.grid)
        points = alone.points(grid)[0]
        areas = np.bincount(points[:, 2], minlength=grid.shape[2])
        return cls(areas, lambda k: points[points[:, 2] == k])


def _areas(numbers: Numbers, number: int) -> npt.NDArray[np.int64]:
    """Return how many voxels of each axial slice have a number; frame by frame, as memory has it.

    A person waits for it: of a gigabyte no more is written than a frame at a time.
    """
    slowest = max(range(numbers.ndim), key=lambda axis: abs(numbers.strides[axis]))
    # Forwards, wherever the order does not count: backwards it takes six times longer.
    forwards = tuple(
        slice(None, None, -1 if stride < 0 and axis not in (slowest, AXIAL.normal) else 1)
        for axis, stride in enumerate(numbers.strides)
    )
    frames = np.moveaxis(numbers[forwards], slowest, 0)
    if slowest == AXIAL.normal:
        return np.array([np.count_nonzero(frame == number) for frame in frames], dtype=np.int64)
    areas = np.zeros(numbers.shape[AXIAL.normal], dtype=np.int64)
    for frame in frames:
        areas += np.count_nonzero(frame == number, axis=0)
    return areas


def _points(numbers: Numbers, number: int, k: int) -> npt.NDArray[np.int64]:
    """Return which voxels (n, 3) of an axial slice have a number."""
    i, j = np.nonzero(numbers[:, :, k] == number)
    return np.stack([i, j, np.full_like(i, k)], axis=1)
