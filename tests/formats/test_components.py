from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from nifti_kit.errors import BadLabels
from nifti_kit.formats import components, labels, nifti
from nifti_kit.formats.components import Part, ShapeSurvey, survey_shapes
from nifti_kit.formats.nifti import read_header
from tests.support.builders import write_nifti
from tests.support.properties import untimed


def surveyed(folder: Path, array: np.ndarray) -> ShapeSurvey:
    return survey_shapes(read_header(write_nifti(folder / "mask.nii", array)))


def empty(*shape: int) -> np.ndarray:
    return np.zeros(shape, dtype=np.uint8)


def reference_parts(array: np.ndarray, value: int) -> list[tuple[int, tuple[slice, ...]]]:
    """Return (voxels, box) of each part, by scipy on the whole volume."""
    marked, count = ndimage.label(array == value, np.ones((3, 3, 3)))
    sizes = np.bincount(marked.ravel(), minlength=count + 1)[1:]
    return [(int(s), box) for s, box in zip(sizes, ndimage.find_objects(marked), strict=True)]


def in_order(parts: list[tuple[int, tuple[slice, ...]]]) -> list[tuple[int, str]]:
    return sorted((voxels, str(box)) for voxels, box in parts)


SHAPES = st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 7))
VALUES = st.sampled_from([0, 0, 0, 1, 2, 300])


@untimed
@given(
    array=arrays(np.uint16, SHAPES, elements=VALUES),
    block=st.sampled_from([1, 200, 2**17]),
    runs=st.sampled_from([1, 6, 2**16]),
)
def test_parts_and_profiles_are_those_of_the_whole_volume(tmp_path_factory, array, block, runs):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nifti, "READ_AT_ONCE", block)
        patch.setattr(labels, "RUNS_AT_ONCE", runs)
        survey = surveyed(tmp_path_factory.mktemp("shapes"), array)
    values = sorted(set(array.ravel().tolist()) - {0})
    assert list(survey.parts) == values
    assert sorted(survey.profiles) == values
    for value in values:
        parts = survey.parts[value]
        assert in_order([(p.voxels, p.box) for p in parts]) == in_order(
            reference_parts(array, value)
        )
        assert [p.voxels for p in parts] == sorted((p.voxels for p in parts), reverse=True)
        for part in parts:
            assert array[part.seed] == value
            assert all(s.start <= at < s.stop for at, s in zip(part.seed, part.box, strict=True))
        for axis, profile in enumerate(survey.profiles[value]):
            others = tuple({0, 1, 2} - {axis})
            assert profile.dtype == np.int64
            assert profile.tolist() == (array == value).sum(axis=others).tolist()


@untimed
@given(
    arrays(np.uint8, SHAPES, elements=VALUES.filter(lambda value: value < 256)),
    st.sampled_from([1, 6, 2**16]),
)
def test_equal_neighbours_are_counted_within_frames(tmp_path_factory, array, runs):
    pairs = [
        (one, other)
        for a, b in ((array[1:], array[:-1]), (array[:, 1:], array[:, :-1]))
        for one, other in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True)
        if one and other
    ]
    expected = sum(one == other for one, other in pairs) / len(pairs) if pairs else 1.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labels, "RUNS_AT_ONCE", runs)
        found = surveyed(tmp_path_factory.mktemp("shapes"), array)
    assert found.equal_neighbours == expected


def test_corners_connect_and_two_steps_do_not(tmp_path):
    array = empty(5, 5, 5)
    array[0, 0, 0] = array[1, 1, 1] = 7
    array[3, 3, 3] = 7
    assert surveyed(tmp_path, array).parts == {
        7: (
            Part(2, (slice(0, 2), slice(0, 2), slice(0, 2)), (0, 0, 0)),
            Part(1, (slice(3, 4), slice(3, 4), slice(3, 4)), (3, 3, 3)),
        )
    }


def test_the_end_of_a_column_does_not_touch_the_start_of_the_next(tmp_path):
    array = empty(4, 2, 2)
    array[3, 0, 0] = array[0, 1, 0] = array[0, 1, 1] = 1
    assert [part.voxels for part in surveyed(tmp_path, array).parts[1]] == [2, 1]


def test_two_branches_that_meet_in_a_later_frame_are_one_part(tmp_path):
    array = empty(5, 1, 3)
    array[0, 0, :] = array[4, 0, :] = 1
    array[:, 0, 2] = 1
    assert [part.voxels for part in surveyed(tmp_path, array).parts[1]] == [9]


def test_an_empty_frame_separates_parts(tmp_path):
    array = empty(2, 2, 3)
    array[0, 0, 0] = array[0, 0, 2] = 1
    assert [part.seed for part in surveyed(tmp_path, array).parts[1]] == [(0, 0, 0), (0, 0, 2)]


def test_a_map_without_labels_has_no_parts(tmp_path):
    survey = surveyed(tmp_path, empty(2, 3, 4))
    assert (survey.parts, survey.profiles, survey.equal_neighbours) == ({}, {}, 1.0)


def test_a_single_voxel_is_a_part(tmp_path):
    survey = surveyed(tmp_path, np.full((1, 1, 1), 3, dtype=np.uint8))
    assert survey.parts == {3: (Part(1, (slice(0, 1),) * 3, (0, 0, 0)),)}
    assert [profile.tolist() for profile in survey.profiles[3]] == [[1], [1], [1]]


def test_parts_are_given_up_above_the_limit_and_neighbours_are_not(tmp_path, monkeypatch):
    monkeypatch.setattr(components, "MAX_PIECES", 3)
    array = empty(5, 1, 3)
    array[::2] = 1
    survey = surveyed(tmp_path, array)
    assert survey.parts == {}
    assert survey.profiles[1][0].tolist() == [3, 0, 3, 0, 3]
    assert survey.equal_neighbours == 1.0


def test_profiles_are_given_up_above_the_limit_and_parts_are_not(tmp_path, monkeypatch):
    monkeypatch.setattr(components, "MAX_PROFILES", 2)
    array = empty(4, 1, 2)
    array[:, 0, 0] = array[:, 0, 1] = [1, 2, 3, 0]
    survey = surveyed(tmp_path, array)
    assert survey.profiles == {}
    assert {value: parts[0].voxels for value, parts in survey.parts.items()} == {1: 2, 2: 2, 3: 2}


def test_values_above_the_limit_take_no_memory_for_profiles(tmp_path, monkeypatch):
    monkeypatch.setattr(components, "MAX_PROFILES", 100)
    array = np.zeros((5000, 1, 1), dtype=np.uint16)
    array[:1000, 0, 0] = np.arange(1, 1001)
    tracemalloc.start()
    try:
        assert surveyed(tmp_path, array).profiles == {}
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < array.size * 8 * 200  # of 1,000 profiles no more than the limit, and what else is


def test_values_that_are_no_labels_are_refused(tmp_path):
    with pytest.raises(BadLabels):
        surveyed(tmp_path, np.full((2, 2, 2), 0.5, dtype=np.float32))
