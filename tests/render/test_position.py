"""Where a class is seen best: as a slow search of all voxels finds it, whatever the order."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from nifti_kit.core.geometry import Grid, Orientation
from nifti_kit.render.layers import Layer
from nifti_kit.render.position import position_of


def slowly(grid: Grid, layers: list[Layer], number: int) -> tuple[int, ...] | None:
    """Return a voxel in the middle of the largest axial section, from the list of all voxels."""
    found = []
    for layer in layers:
        alone = Layer((layer.numbers == number).astype(np.uint8), layer.grid)
        found.append(alone.points(grid)[0])
    points = np.concatenate(found)
    if not len(points):
        return None
    largest = np.bincount(points[:, 2]).argmax()
    section = points[points[:, 2] == largest]
    away = np.abs(section - section.mean(axis=0)).sum(axis=1)
    return tuple(section[away.argmin()].tolist())


ORDERS = [
    Orientation(axes, flips)
    for axes in permutations(range(3))
    for flips in product((False, True), repeat=3)
]


@pytest.mark.parametrize("seed", range(8))
def test_a_class_is_found_where_a_slow_search_finds_it(seed: int) -> None:
    random = np.random.default_rng(seed)
    grid = Grid((7, 9, 11), np.diag([1.0, 1.5, 2.0, 1.0]))
    small = np.diag([1.1, 1.5, 2.0, 1.0])
    small[:3, 3] = 0.3, 1.0, 2.0
    for orientation in ORDERS:
        stored = np.zeros([grid.shape[axis] for axis in np.argsort(orientation.axes)], np.uint8)
        stored[random.random(stored.shape) < 0.2] = random.integers(1, 5)
        stored[random.random(stored.shape) < 0.1] = random.integers(1, 5)
        layers = [Layer(orientation.apply(np.asfortranarray(stored)), grid)]
        assert layers[0].numbers.shape == grid.shape
        if seed % 2:
            other = random.integers(0, 5, (5, 6, 7)).astype(np.uint8)
            layers.append(Layer(other, Grid(other.shape, small)))
        for number in range(1, 6):
            assert position_of(grid, layers, number) == slowly(grid, layers, number)


def test_without_layers_no_class_is_found() -> None:
    assert position_of(Grid((2, 2, 2), np.eye(4)), [], 1) is None
