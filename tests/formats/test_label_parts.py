"""The labels of a file in the box around them all are those of the whole file."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nifti_kit.errors import UnreadableFile
from nifti_kit.formats.labels import LabelParts, add_counts, common_box, survey_labels
from nifti_kit.formats.nifti import read_header
from tests.support.builders import write_nifti

SHAPE = (9, 8, 7)


@pytest.fixture
def array():
    found = np.zeros(SHAPE, np.uint16)
    found[1:3, 4:6, 2:4] = 1
    found[2:5, 3:5, 3:6] = 2
    found[8, 0, 0] = 300
    return found


def image_and_labels(folder, array):
    image = read_header(write_nifti(folder / "a.nii.gz", array))
    return image, {label.value: label for label in survey_labels(image).labels}


@pytest.mark.parametrize("values", [(1,), (2,), (300,), (1, 2), (2, 300), (300, 2, 1)], ids=str)
def test_each_part_is_that_of_the_whole(tmp_path, array, values):
    image, labels = image_and_labels(tmp_path, array)
    parts = LabelParts(image, [labels[value] for value in values], counted=True)
    for value in values:
        np.testing.assert_array_equal(parts[labels[value]], array[labels[value].box])
    assert parts.counts == {value: np.count_nonzero(array == value) for value in values}


def test_voxels_outside_of_the_boxes_are_counted_too(tmp_path, array):
    _, labels = image_and_labels(tmp_path, array)
    array[8, 7, 6] = array[0, 0, 6] = 1
    changed = read_header(write_nifti(tmp_path / "a.nii.gz", array))
    assert LabelParts(changed, [labels[1]], counted=True).counts == {1: labels[1].voxels + 2}


@given(
    st.tuples(*[st.integers(1, 9)] * 3),
    st.sampled_from([np.uint8, np.uint16]),
    st.lists(st.tuples(st.integers(0, 728), st.integers(0, 255)), max_size=9),
)
def test_a_block_is_counted_as_if_each_voxel_were_looked_at(shape, kind, spots):
    block = np.zeros(shape, kind, order="F")
    for at, value in spots:
        block.flat[at % block.size] = value
    counts = np.ones(65_536, np.int64)
    add_counts(block, counts)
    np.testing.assert_array_equal(counts - 1, np.bincount(block.ravel(), minlength=65_536))


def test_nothing_is_counted_unasked_and_only_the_common_box_is_kept(tmp_path, array):
    image, labels = image_and_labels(tmp_path, array)
    parts = LabelParts(image, [labels[1], labels[2]])
    assert parts.counts == {}
    assert parts[labels[1]].base.size == 4 * 3 * 4


def test_a_file_that_is_gone_is_unreadable(tmp_path, array):
    image, labels = image_and_labels(tmp_path, array)
    (tmp_path / "a.nii.gz").unlink()
    with pytest.raises(UnreadableFile):
        LabelParts(image, [labels[1]])


def test_the_common_box_is_the_smallest_that_holds_all():
    boxes = [np.s_[1:3, 5:6, 2:9], np.s_[2:4, 0:2, 3:4]]
    assert common_box(boxes) == np.s_[1:4, 0:6, 2:9]
    assert common_box(boxes[:1]) == boxes[0]


boxes_ = st.tuples(
    *[st.tuples(st.integers(0, 9), st.integers(0, 9)).map(lambda ends: slice(*sorted(ends)))] * 3
)


@given(st.lists(boxes_, min_size=1))
def test_no_side_of_the_common_box_can_be_moved_in(boxes):
    for axis, side in enumerate(common_box(boxes)):
        sides = [box[axis] for box in boxes]
        assert side.start in [one.start for one in sides]
        assert side.stop in [one.stop for one in sides]
        assert all(side.start <= one.start and one.stop <= side.stop for one in sides)
