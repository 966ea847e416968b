"""Statistics of outliers: what is far out of the others is found, what varies is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nifti_kit.checks.outliers import (
    Places,
    Usual,
    limit,
    middle,
    part_outliers,
    place_outliers,
    volume_outliers,
)
from tests.support.properties import untimed

CENTRES = np.array([[60, 10, 0], [-80, -20, 10], [-60, -40, -60], [60, -40, -70], [-10, 20, 120.0]])
MM3 = np.array([1.5e6, 2e5, 1.6e5, 1.6e5, 6e5])
VARY = np.array([0.2, 0.4, 0.2, 0.2, 0.2])
LIVER, SPLEEN, LEFT, RIGHT, HEART = range(5)


def volumes_of(count: int, seed: int = 0, scales: np.ndarray | None = None) -> np.ndarray:
    """Return volumes of organs as they vary (mm3)."""
    rng = np.random.default_rng(seed)
    found = MM3 * np.exp(rng.normal(0, 1, (count, 5)) * VARY)
    return found if scales is None else found * scales[:, np.newaxis] ** 3


def places_of(count: int, seed: int = 0, scales: np.ndarray | None = None) -> Places:
    """Return places of organs as they vary, anywhere in the scanner."""
    rng = np.random.default_rng(seed)
    scales = np.exp(rng.normal(0, 0.05, count)) if scales is None else scales
    body = (CENTRES + rng.normal(0, 10, (count, 5, 3))) * scales[:, np.newaxis, np.newaxis]
    centres = rng.normal(0, 300, (count, 3))
    return Places(
        body + centres[:, np.newaxis] + rng.normal(0, 10, (count, 1, 3)),
        centres,
        np.full((count, 3), 400.0),
        np.tile(np.eye(3), (count, 1, 1)),
        (6 * MM3 / np.pi) ** (1 / 3),
        3.0,
    )


def with_centroids(places: Places, row: int, centroids: np.ndarray) -> Places:
    changed = places.centroids.copy()
    changed[row] = centroids
    return replace(places, centroids=changed)


def test_the_median_leaves_out_what_is_not_there():
    values = np.array([[3.0, np.nan], [1.0, np.nan], [np.nan, np.nan], [8.0, np.nan]])
    assert middle(values)[0] == 3.0
    assert np.isnan(middle(values)[1])
    assert middle(values[:2], axis=1).tolist() == [3.0, 1.0]
    assert np.isnan(middle(np.empty((2, 0)), axis=1)).all()


def test_fewer_numbers_must_be_further_out():
    limits = [limit(count) for count in range(6, 40)]
    assert limits == sorted(limits, reverse=True)
    assert (limits[0], limits[-1]) == (8.0, 5.0)


def test_equal_numbers_and_one_that_differs_by_a_rounding_do_not_shout():
    values = np.array([1000.0] * 5 + [1000.0 + 1e-6])
    usual = Usual.of(np.log(values), 0.2)
    assert not usual.is_far(np.log(values)).any()
    assert abs(usual.z(np.log(values[-1]))) < 1e-6
    assert not list(volume_outliers(values[:, np.newaxis]))


@pytest.mark.parametrize("count", [6, 7, 30])
def test_a_liver_of_20_ml_is_found_with_its_numbers(count):
    volumes = volumes_of(count)
    volumes[2, LIVER] = 20e3
    (found,) = volume_outliers(volumes)
    assert (found.row, found.column, found.value) == (2, LIVER, 20e3)
    assert found.others.tolist() == sorted(np.delete(volumes[:, LIVER], 2))
    assert found.median == np.median(found.others)
    assert found.z < -limit(count)


def test_of_five_items_nothing_is_said():
    volumes = volumes_of(5)
    volumes[2, LIVER] = 20e3
    assert not list(volume_outliers(volumes))
    assert not list(part_outliers(np.array([[0.0], [0.0], [0.0], [0.0], [0.9]])))
    few = places_of(5)
    assert not list(place_outliers(with_centroids(few, 0, few.centroids[0] * [-1, 1, 1])))


def test_a_class_that_is_in_five_items_only_says_nothing():
    volumes = volumes_of(12)
    volumes[:7, LIVER] = np.nan
    volumes[8, LIVER] = 20e3
    assert not list(volume_outliers(volumes))


def test_the_organs_of_a_child_are_small_together_and_one_of_them_alone_is_not():
    scales = np.ones(12)
    scales[3] = 0.45
    volumes = volumes_of(12, scales=scales)
    assert volumes[3, LIVER] < MM3[LIVER] / 8
    assert not list(volume_outliers(volumes))
    volumes[3, LEFT] /= 10
    assert [(one.row, one.column) for one in volume_outliers(volumes)] == [(3, LEFT)]


def test_what_every_fourth_item_has_is_a_kind_of_its_own():
    volumes = volumes_of(20)
    volumes[::4, LIVER] /= 20
    assert not list(volume_outliers(volumes))
    volumes = volumes_of(20)
    volumes[[3, 9], LIVER] /= 20
    assert [one.row for one in volume_outliers(volumes)] == [3, 9]


def test_a_tumour_of_any_size_is_none():
    rng = np.random.default_rng(0)
    sizes = np.exp(rng.normal(8, 1.5, (40, 1)))
    assert sizes.max() / sizes.min() > 100
    assert not list(volume_outliers(sizes))


def test_a_class_in_far_parts_is_found_where_the_others_hang_together():
    astray = np.zeros((8, 2))
    astray[5, 0] = 0.3
    astray[:, 1] = [0, 0.4, 0, 0.3, 0, 0.5, 0.2, 0]  # lesions
    (found,) = part_outliers(astray)
    assert (found.row, found.column, found.value) == (5, 0, 0.3)


@pytest.mark.parametrize("count", [6, 8, 30])
def test_a_left_and_a_right_that_are_exchanged_are_found_and_named(count):
    places = places_of(count, seed=1)
    order = [LIVER, SPLEEN, RIGHT, LEFT, HEART]
    (found,) = place_outliers(with_centroids(places, 1, places.centroids[1, order]))
    assert {one.row for one in found.outliers} == {1}
    assert {(one.column, one.axis) for one in found.outliers} == {(LEFT, 0), (RIGHT, 0)}
    assert sorted(found.exchanged) == [LEFT, RIGHT]
    assert found.mirrored is None
    left = next(one for one in found.outliers if one.column == LEFT)
    assert left.value > 0 > left.others.max()
    assert left.z > limit(count)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_masks_that_are_mirrored_along_an_axis_of_their_grid_are_found(axis):
    places = places_of(12, seed=2)
    cosine, sine = np.cos(0.3), np.sin(0.3)
    turn = np.array([[0, cosine, -sine], [0, sine, cosine], [-1, 0, 0]])  # an oblique grid, S first
    directions = places.directions.copy()
    directions[4] = turn.T
    places = replace(places, directions=directions)
    along = (places.centroids[4] - places.centres[4]) @ turn[:, axis]
    mirrored = places.centroids[4] - 2 * along[:, np.newaxis] * turn[:, axis]
    (found,) = place_outliers(with_centroids(places, 4, mirrored))
    assert {one.row for one in found.outliers} == {4}
    assert found.mirrored == axis


def test_one_class_that_is_astray_is_told_and_not_the_others():
    places = places_of(10, seed=4)
    centroids = places.centroids[0].copy()
    centroids[SPLEEN] += [0, 0, -200]
    (found,) = place_outliers(with_centroids(places, 0, centroids))
    (one,) = found.outliers
    assert (one.row, one.column, one.axis, one.beside) == (0, SPLEEN, 2, "classes")
    assert one.value == pytest.approx(one.median - 200, abs=50)


def test_a_mask_of_which_all_lies_elsewhere_in_the_image_is_found():
    places = places_of(10, seed=5)
    (found,) = place_outliers(with_centroids(places, 7, places.centroids[7] + [0, 120, 0]))
    (one,) = found.outliers
    assert (one.row, one.column, one.axis, one.beside) == (7, 5, 1, "image")
    assert one.value == pytest.approx(one.median + 120, abs=40)


def test_one_class_alone_is_placed_in_its_image():
    places = places_of(10, seed=6)
    alone = replace(places, centroids=places.centroids[:, :1], diameters=places.diameters[:1])
    assert not list(place_outliers(alone))
    moved = alone.centroids[3] * 1.0
    moved[:, 0] = 2 * alone.centres[3, 0] - moved[:, 0]
    (found,) = place_outliers(with_centroids(alone, 3, moved))
    assert [(one.row, one.column, one.beside) for one in found.outliers] == [(3, 0, "image")]
    assert found.mirrored == 0


def test_a_longer_image_is_no_reference():
    places = places_of(10, seed=7)
    alone = replace(places, centroids=places.centroids[:, :1], diameters=places.diameters[:1])
    centres, lengths = alone.centres.copy(), alone.lengths.copy()
    centres[2, 2] -= 300  # the legs are in the image too
    assert list(place_outliers(replace(alone, centres=centres)))
    lengths[2, 2] += 600
    assert not list(place_outliers(replace(alone, centres=centres, lengths=lengths)))


def test_without_images_classes_are_placed_beside_each_other():
    places = places_of(10, seed=8)
    nowhere = np.full((10, 3), np.nan)
    places = replace(places, centres=nowhere, lengths=nowhere)
    assert not list(place_outliers(places))
    order = [LIVER, SPLEEN, RIGHT, LEFT, HEART]
    (found,) = place_outliers(with_centroids(places, 1, places.centroids[1, order]))
    assert sorted(found.exchanged) == [LEFT, RIGHT]


def test_where_classes_are_missing_hardly_an_item_stands_out():
    found = 0
    for seed in range(10):
        places = places_of(20, seed=seed)
        centroids = places.centroids.copy()
        centroids[np.random.default_rng(seed).random((20, 5)) < 0.2] = np.nan
        found += len(list(place_outliers(replace(places, centroids=centroids))))
    assert found <= 2  # of 200 items


@settings(untimed, max_examples=8)
@given(seed=st.integers(0, 10_000), count=st.integers(6, 60), share=st.floats(0, 0.3))
def test_of_adults_and_children_as_they_vary_hardly_one_stands_out(seed, count, share):
    rng = np.random.default_rng(seed)
    children = rng.random(count) < share
    scales = np.where(children, rng.uniform(0.5, 0.8, count), np.exp(rng.normal(0, 0.05, count)))
    rows = {one.row for one in volume_outliers(volumes_of(count, seed, scales))}
    found = place_outliers(places_of(count, seed, scales))
    rows |= {one.outliers[0].row for one in found}
    assert len(rows) <= 1 + count // 50
