"""Distances of surfaces: those of a published implementation, and of a search through all pairs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from nifti_kit.comparisons.surfaces import largest_slice, measured
from nifti_kit.core.geometry import Grid


class Pair(NamedTuple):
    name: str
    a: np.ndarray
    b: np.ndarray
    voxel: tuple[float, float, float]


def ball(shape: tuple[int, int, int], middle: tuple[float, ...], radius: float) -> np.ndarray:
    away = np.indices(shape) - np.array(middle)[:, None, None, None]
    return np.asarray((away**2).sum(axis=0) <= radius**2)


def box(shape: tuple[int, int, int], *sides: slice) -> np.ndarray:
    inside = np.zeros(shape, bool)
    inside[sides] = True
    return inside


def pairs() -> Iterator[Pair]:
    """Twenty pairs of masks: sizes, places and voxels as they come."""
    big, low = (40, 36, 30), (30, 30, 6)
    middle = (20, 18, 15)
    yield Pair("the same", ball(big, middle, 9), ball(big, middle, 9), (1, 1, 1))
    yield Pair("moved", ball(big, middle, 9), ball(big, (21, 18, 15), 9), (1, 1, 1))
    yield Pair("moved far", ball(big, (9, 9, 9), 6), ball(big, (30, 26, 20), 6), (1, 1, 1))
    yield Pair("larger", ball(big, middle, 6), ball(big, middle, 11), (0.7, 0.7, 0.7))
    yield Pair("inside", ball(big, middle, 2), ball(big, middle, 12), (1, 1, 3))
    yield Pair("thick", ball(low, (15, 15, 3), 9), ball(low, (17, 15, 2), 8), (0.5, 0.5, 8))
    yield Pair("anisotropic", ball(big, middle, 8), ball(big, (22, 15, 15), 9), (0.3, 1.1, 4.7))
    yield Pair("micrometres", ball(big, middle, 8), ball(big, (19, 18, 16), 8), (1e-3, 1e-3, 3e-3))
    one, two = (slice(3, 4),) * 3, (slice(3, 4), slice(7, 8), slice(5, 6))
    yield Pair("one voxel", box(big, *one), box(big, *two), (2, 3, 5))
    yield Pair(
        "one voxel in a ball", box(big, *[slice(15, 16)] * 3), ball(big, middle, 9), (1, 2, 3)
    )
    yield Pair("apart", box(big, slice(0, 4)), box(big, slice(30, 40)), (1, 1, 2))
    yield Pair("touching", box(big, slice(0, 10)), box(big, slice(10, 20)), (1.5, 1, 1))
    yield Pair("at the border", ball(big, (0, 0, 0), 9), ball(big, (1, 0, 0), 9), (1, 1, 2))
    yield Pair("all", np.ones(big, bool), box(big, slice(5, 40)), (1, 1, 1))
    yield Pair("one slice", box(low, ..., slice(2, 3)), box(low, ..., slice(3, 4)), (1, 1, 5))
    yield Pair(
        "a line", box(big, slice(5, 30), slice(4, 5), slice(4, 5)), box(big, *one), (1, 2, 3)
    )
    random = np.random.default_rng(4)
    for number, sigma in enumerate((0.0, 0.8, 1.5, 3.0)):
        smooth = [gaussian_filter(random.normal(size=(24, 31, 17)), sigma) for _ in "ab"]
        voxel = tuple(float(size) for size in random.uniform(0.4, 5, 3))
        yield Pair(f"noise {number}", smooth[0] > 0, smooth[1] > 0, voxel)  # type: ignore[arg-type]


PAIRS = list(pairs())


def test_there_are_twenty_pairs() -> None:
    assert len(PAIRS) == 20


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_distances_are_those_of_a_published_implementation(pair: Pair) -> None:
    published = pytest.importorskip("medpy.metric.binary", reason="MedPy is not installed")
    grid = Grid(pair.a.shape, np.diag([*pair.voxel, 1]))
    for a, b in ((pair.a, pair.b), (np.asfortranarray(pair.a), pair.b)):
        found = measured(a, b, grid)
        assert found.dice == pytest.approx(published.dc(a, b), abs=1e-6)
        assert found.hd95_mm == pytest.approx(published.hd95(a, b, pair.voxel), abs=1e-6)
        assert found.mean_mm == pytest.approx(published.assd(a, b, pair.voxel), abs=1e-6)


def surface(inside: np.ndarray) -> np.ndarray:
    """Return the voxels with a neighbour outside, looked at one by one."""
    padded = np.pad(inside, 1)
    steps = np.vstack([np.eye(3), -np.eye(3)]).astype(int)
    return np.array(
        [
            index
            for index in np.argwhere(inside)
            if not all(padded[tuple(index + 1 + step)] for step in steps)
        ]
    )


@pytest.mark.parametrize("sheared", [False, True])
def test_distances_are_those_between_all_voxels_in_space(sheared: bool) -> None:
    affine = np.array([[1.5, 0.3, 0.0, 7], [-0.2, 2.0, 0.1, 1], [0.0, 0.0, 4.0, 9], [0, 0, 0, 1]])
    affine[0, 2] = 2.0 if sheared else 0.0
    shape = (12, 11, 9)
    a, b = ball(shape, (5, 5, 4), 4), ball(shape, (7, 5, 4), 3)
    points = [surface(one) @ affine[:3, :3].T for one in (a, b)]
    away = np.linalg.norm(points[0][:, None] - points[1][None], axis=2)
    both = np.concatenate([away.min(axis=1), away.min(axis=0)])
    found = measured(a, b, Grid(shape, affine))
    assert found.hd95_mm == pytest.approx(np.percentile(both, 95), abs=1e-9)
    assert found.mean_mm == pytest.approx(both.mean(), abs=1e-9)
    shift = np.linalg.norm(affine[:3, :3] @ (np.argwhere(a).mean(0) - np.argwhere(b).mean(0)))
    assert found.shift_mm == pytest.approx(shift, abs=1e-9)


@pytest.mark.parametrize("length", [1, 7, 63, 64, 65, 127, 128, 130])
@pytest.mark.parametrize("order", ["C", "F"])
def test_lines_of_any_length_are_gone_through_whole(length: int, order: str) -> None:
    """Bits are looked at 64 at a time: masks reach over the seams, and to both ends."""
    rng = np.random.default_rng(length)
    shape = (3, 4, length) if order == "C" else (length, 4, 3)
    a, b = (np.asarray(rng.random(shape) < 0.6, order=order) for _ in range(2))
    a[0, 0, 0] = b[-1, -1, -1] = True
    affine = np.diag([1.5, 2.0, 0.5, 1])
    points = [surface(one) @ affine[:3, :3].T for one in (a, b)]
    away = np.linalg.norm(points[0][:, None] - points[1][None], axis=2)
    found = measured(a, b, Grid(shape, affine))
    both = np.concatenate([away.min(axis=1), away.min(axis=0)])
    assert found.mean_mm == pytest.approx(both.mean(), abs=1e-9)
    assert found.differing == np.count_nonzero(a != b)
    assert found.dice == pytest.approx(2 * np.count_nonzero(a & b) / (a.sum() + b.sum()))
    shift = np.linalg.norm(affine[:3, :3] @ (np.argwhere(a).mean(0) - np.argwhere(b).mean(0)))
    assert found.shift_mm == pytest.approx(shift, abs=1e-9)
    areas = {
        (axis, at): np.count_nonzero((a != b).take(at, axis)) / affine[axis, axis]
        for axis in range(3)
        for at in range(shape[axis])
    }
    assert areas[found.axis, found.position] == pytest.approx(max(areas.values()))


def test_labels_of_two_maps_are_the_masks_that_they_stand_for() -> None:
    a, b = ball((20, 20, 20), (9, 9, 9), 5), ball((20, 20, 20), (10, 9, 9), 5)
    grid = Grid(a.shape, np.eye(4))
    maps = np.where(a, 3, 1).astype(np.uint8), np.where(b, 300, 3).astype(np.uint16)
    assert measured(*maps, grid, (3, 300)) == measured(a, b, grid)


def test_slabs_are_joined_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = PAIRS[6]
    grid = Grid(pair.a.shape, np.diag([*pair.voxel, 1]))
    whole = measured(pair.a, pair.b, grid)
    monkeypatch.setattr("nifti_kit.comparisons.surfaces.SLAB_VOXELS", 1)
    assert measured(pair.a, pair.b, grid) == pytest.approx(whole)


def test_the_worst_slice_is_that_of_the_largest_area_in_mm() -> None:
    a, b = np.zeros((6, 6, 6), bool), np.zeros((6, 6, 6), bool)
    a[1:5, 1:5, 2] = b[1:5, 1:5, 3] = True
    a[2, 1:5, 2:4] = True
    flat = measured(a, b, Grid((6, 6, 6), np.diag([1, 1, 1, 1])))
    assert (flat.axis, flat.position) == (2, 2)
    tall = measured(a, b, Grid((6, 6, 6), np.diag([1, 1, 9, 1])))
    assert tall.axis != 2
    assert largest_slice(a.astype(np.uint8), 1, Grid((6, 6, 6), np.eye(4))) == (2, 2)
