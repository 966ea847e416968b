"""Where a class is seen best: as a slow search of all voxels finds it, whatever the order."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from nifti_kit.core.geometry import Grid, Orientation
from nifti_kit.render import position
from nifti_kit.render.layers import Layer
from nifti_kit.render.position import Scene, best_slice, labelled, position_of
from nifti_kit.render.scene import Mask


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


def test_the_slice_that_shows_most_is_in_the_middle_of_equal_ones_and_small_things_count() -> None:
    large, small = np.array([0, 90, 90, 90, 30, 0]), np.array([0, 0, 0, 0, 1, 3])
    assert best_slice([large], 6) == 2
    assert best_slice([large, small], 6) == 4  # some of both, by the roots of their areas
    assert best_slice([], 6) == best_slice([np.zeros(6)], 6) == 3


@pytest.mark.parametrize("order", "FC")
def test_voxels_are_spread_evenly_over_a_mask(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(position, "MAX_POINTS", 7)
    inside = np.zeros((6, 5, 4), np.uint8, order=order)
    inside[1:5, :, 1:3] = 7
    points, step = labelled(Mask("one", (1, 2, 3), inside, Grid(inside.shape, np.eye(4))))
    assert (step, len(points)) == (6, 7)
    assert (inside[tuple(points.T)] == 7).all()
    assert np.bincount(points[:, 2]).tolist() == [0, 4, 3]


def test_a_scene_counts_the_masks_of_a_class_and_keeps_each_voxel_in_its_layers() -> None:
    grid = Grid((6, 5, 4), np.diag([1.0, 2.0, 3.0, 1.0]))
    boxes = (slice(0, 3), slice(2, 6), slice(0, 1))
    masks = []
    for name, box in zip(("one", "two", "one"), boxes, strict=True):
        inside = np.zeros(grid.shape, np.uint8)
        inside[box] = 1
        masks.append(Mask(name, (9, 9, 9), inside, grid))
    scene = Scene.of(np.zeros(grid.shape), grid, masks)
    assert [(c.name, c.objects, c.voxels) for c in scene.classes] == [
        ("one", 2, 80),
        ("two", 1, 80),
    ]
    assert scene.classes[0].areas[0].tolist() == [40, 20, 20, 0, 0, 0]
    held = [int(np.count_nonzero(layer.numbers == 2)) for layer in scene.layers]
    assert sum(held) == 80
