"""Grids with the very voxels of another: what is found without comparing all is what all say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nifti_kit.core.geometry import (
    LATTICE_VOXELS,
    ROUNDING_MM,
    Grid,
    Orientation,
    axis_orders,
    compare_grids,
    float32_step,
    lattice_orientation,
    lattices,
)
from nifti_kit.core.geometry.lattices import Lattices
from tests.support.properties import untimed

SHAPES = ((4, 5, 6), (5, 5, 4), (6, 4, 5), (1, 4, 4))


@st.composite
def bases(draw: st.DrawFn) -> Grid:
    """Return a grid: voxels of any size, straight or turned, near to the scanner or far."""
    size = draw(st.sampled_from([1e-3, 0.05, 0.1, 1.0, 5.0, 100.0]))
    turned = draw(st.sampled_from([0.0, 1e-4, 0.3, np.pi / 4]))
    cosine, sine = np.cos(turned), np.sin(turned)
    affine = np.eye(4)
    affine[:3, :3] = [[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 2]]
    affine[:3, :3] *= size
    far = draw(st.sampled_from([1.0, 100.0, 1e5]))
    affine[:3, 3] = [far * draw(st.integers(-2, 2)) for _ in range(3)]
    return Grid(draw(st.sampled_from(SHAPES)), affine)


@st.composite
def variants(draw: st.DrawFn, grid: Grid) -> Grid:
    """Return a grid mirrored and with its axes in any order, then moved, resized or cropped."""
    order = draw(st.sampled_from(axis_orders((3, 3, 3), (3, 3, 3))))
    flips = draw(st.tuples(st.booleans(), st.booleans(), st.booleans()))
    grid = grid.reoriented(Orientation(order, flips))
    how = draw(st.sampled_from(["whole", "moved", "resized", "cropped", "unusable"]))
    affine = grid.affine.copy()
    # Of a border, what is just within, just beyond, and on it as far as floats can say.
    share = draw(st.sampled_from([0.5, 0.99, 1 - 1e-9, 1.0, 1 + 1e-9, 1.01, 2.0]))
    axis, way = draw(st.integers(0, 2)), draw(st.sampled_from([-1, 1]))
    if how == "moved":
        voxel = LATTICE_VOXELS * grid.affine[:3, axis]
        aside = np.eye(3)[axis]
        steps = [voxel, voxel * 2**0.5, aside * ROUNDING_MM, aside * float32_step(grid)]
        affine[:3, 3] += way * share * draw(st.sampled_from([aside * 1e-4, *steps]))
    if how == "resized":  # the last voxel moves, the first does not
        affine[:3, axis] *= 1 + way * share * LATTICE_VOXELS / max(1, grid.shape[axis] - 1)
    if how == "cropped" and grid.shape[axis] > 1:
        box = [slice(0, size) for size in grid.shape]
        box[axis] = slice(1, grid.shape[axis])
        return grid.cropped(box)
    if how == "unusable":
        affine[0, 0] = draw(st.sampled_from([np.nan, np.inf, 1e300]))
    return Grid(grid.shape, affine)


@st.composite
def crowds(draw: st.DrawFn) -> list[Grid]:
    """Return grids many of which are nearly alike."""
    few = draw(st.lists(bases(), min_size=1, max_size=3))
    some = st.sampled_from(few).flatmap(variants)
    return few + draw(st.lists(some, min_size=1, max_size=12))


def same(mask: Grid, there: Grid) -> bool:
    """Say whether two grids have the same voxels, by comparing them in both ways that there are."""
    lands = lattice_orientation(mask, there) is not None
    assert not lands or compare_grids(mask, there).lands
    return lands


@untimed
@given(crowds())
def test_no_grid_is_missed_and_none_is_too_much(crowd: list[Grid]) -> None:
    known = Lattices(crowd)
    for mask in crowd:
        assert known.same_as(mask).tolist() == [same(mask, there) for there in crowd]


def test_a_part_is_not_the_whole() -> None:
    whole = Grid((4, 5, 6), np.eye(4))
    part = whole.cropped((slice(0, 4), slice(0, 5), slice(1, 6)))
    assert Lattices([whole, part, whole]).same_as(whole).tolist() == [True, False, True]


def moved(grid: Grid, x: float) -> Grid:
    """Return a grid elsewhere: ``x`` is in mm."""
    affine = grid.affine.copy()
    affine[0, 3] += x
    return Grid(grid.shape, affine)


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Grid, Grid]]:
    """Return the list of grids that are compared one by one."""
    pairs: list[tuple[Grid, Grid]] = []
    exactly = lattices.lattice_orientation
    monkeypatch.setattr(
        lattices, "lattice_orientation", lambda *pair: pairs.append(pair) or exactly(*pair)
    )
    return pairs


def test_few_of_many_are_compared(compared: list[tuple[Grid, Grid]]) -> None:
    grids = []
    for place in range(200):
        affine = np.diag([1.0, 1, 2, 1])
        affine[:3, 3] = (place % 10, place // 10, 0)
        grids.append(Grid((4, 5, 6), affine))
    known = Lattices(grids)
    for aside, one_by_one in ((0.0, 0), (0.8 * LATTICE_VOXELS, 200)):
        asked = [moved(grid, aside) for grid in grids]
        assert [np.flatnonzero(known.same_as(grid)).tolist() for grid in asked] == [
            [place] for place in range(200)
        ]
        assert len(compared) == one_by_one
    assert not Lattices([]).same_as(grids[0]).any()


def test_many_that_differ_by_rounding_are_not_compared_one_by_one(
    compared: list[tuple[Grid, Grid]],
) -> None:
    base = Grid((4, 5, 6), np.diag([1.0, -1, 2, 1]))
    grids = [moved(base, place * 1e-5) for place in range(100)]
    turned = base.reoriented(Orientation((2, 0, 1), (True, False, True)))
    assert Lattices(grids).same_as(moved(turned, 3e-5)).all()
    assert compared == []
