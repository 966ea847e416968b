"""Label maps: every value with its count and box, and nothing that is no label."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nifti_kit.errors import BadLabels, UnreadableFile
from nifti_kit.formats.labels import Label, label_frames, read_box, read_labels, survey_labels
from nifti_kit.formats.nifti import iter_frames, read_header
from tests.support.builders import SHAPE, labels, write_nifti
from tests.support.handmade import DATATYPES, write_array


def by_numpy(array):
    """Value, count and box of every label, one value after the other."""
    found = []
    for value in np.unique(array[array != 0]).tolist():
        places = np.argwhere(array == value)
        low, high = places.min(axis=0).tolist(), (places.max(axis=0) + 1).tolist()
        box = tuple(slice(start, stop) for start, stop in zip(low, high, strict=True))
        found.append(Label(int(value), len(places), box))
    return tuple(found)


@st.composite
def label_maps(draw):
    kind = draw(st.sampled_from(sorted(DATATYPES)))
    shape = draw(st.tuples(*[st.integers(1, 6)] * 3))
    most = 127 if kind == "i1" else 255 if kind == "u1" else 32767 if kind == "i2" else 65535
    values = st.one_of(st.just(0), st.integers(1, 5), st.integers(1, most))
    array = draw(arrays.arrays(np.int64, shape, elements=values, fill=st.just(0)))
    return array.astype(kind)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(array=label_maps(), order=st.sampled_from("<>"), packed=st.booleans())
def test_the_survey_is_that_of_numpy_for_every_type_and_byte_order(tmp_path, array, order, packed):
    path = write_array(tmp_path / "a.nii", array, order=order, packed=packed)
    image = read_header(path)
    survey = survey_labels(image)
    assert survey.labels == by_numpy(array)
    assert survey.values == tuple(label.value for label in by_numpy(array))
    assert (survey.rounded, survey.scaled) == (0, False)
    whole = read_labels(image)
    assert whole.survey == survey
    assert whole.voxels.dtype in (np.uint8, np.uint16)
    np.testing.assert_array_equal(whole.voxels, array)


@pytest.mark.parametrize(
    ("kind", "frames", "expected"),
    [
        ("i4", [0, 255, 1], np.uint8),
        ("i4", [0, 256, 1], np.uint16),
        ("i4", [300, 2, 65535], np.uint16),
        ("u1", [0, 255, 1], np.uint8),
        ("f8", [1, 2, 300], np.uint16),
    ],
)
def test_a_label_map_is_kept_as_small_as_its_values_allow(tmp_path, kind, frames, expected):
    array = np.zeros((2, 3, 3), kind)
    array[1, 2] = frames
    whole = read_labels(read_header(write_array(tmp_path / "a.nii", array)))
    assert whole.voxels.dtype == expected
    np.testing.assert_array_equal(whole.voxels, array)
    assert whole.survey.labels == by_numpy(array)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(array=label_maps(), packed=st.booleans(), data=st.data())
def test_the_voxels_of_a_box_are_those_of_the_whole(tmp_path, array, packed, data):
    image = read_header(write_array(tmp_path / "a.nii", array, packed=packed))
    ends = [data.draw(st.tuples(*[st.integers(0, size)] * 2).map(sorted)) for size in array.shape]
    box = tuple(slice(start, stop) for start, stop in ends)
    part = read_box(image, box)
    assert part.dtype in (np.uint8, np.uint16)
    np.testing.assert_array_equal(part, array[box])
    counts = np.zeros(65536, np.int64)
    again = read_box(image, box, counts)
    np.testing.assert_array_equal(again, part)
    np.testing.assert_array_equal(counts, np.bincount(array.ravel().astype(int), minlength=65536))


def test_a_box_of_a_map_of_several_blocks_is_read(tmp_path):
    array = np.random.default_rng(3).integers(0, 300, (130, 120, 40)).astype(np.uint16)
    image = read_header(write_nifti(tmp_path / "a.nii.gz", array))
    for box in (np.s_[3:99, 0:120, 7:8], np.s_[129:130, 5:6, 0:40], np.s_[0:130, 0:120, 0:40]):
        counts = np.zeros(65536, np.int64)
        np.testing.assert_array_equal(read_box(image, box, counts), array[box])
        np.testing.assert_array_equal(counts, np.bincount(array.ravel(), minlength=65536))


def test_a_damaged_end_is_found_though_the_box_ends_before_it(tmp_path):
    array = np.random.default_rng(3).integers(0, 9, (60, 60, 60)).astype(np.uint8)
    path = write_nifti(tmp_path / "a.nii.gz", array)
    content = bytearray(path.read_bytes())
    content[-6] ^= 1  # the checksum
    path.write_bytes(content)
    with pytest.raises(UnreadableFile):
        read_box(read_header(path), np.s_[0:2, 0:2, 0:2])


@pytest.mark.parametrize("value", [0, 7])
def test_a_map_of_one_value_is_surveyed(tmp_path, value):
    array = np.full(SHAPE, value, np.uint8)
    survey = survey_labels(read_header(write_nifti(tmp_path / "a.nii", array)))
    assert survey.labels == by_numpy(array)
    assert len(survey.labels) == (value > 0)


@pytest.mark.parametrize(
    ("stored", "value"),
    [(1.0000001, 1), (7014.9999, 7015), (0.9991, 1), (2.001, 2), (-0.0004, 0), (65535.0004, 65535)],
)
def test_a_float_next_to_an_integer_is_that_integer_and_is_counted(tmp_path, stored, value):
    array = np.zeros(SHAPE, np.float64)
    array[1, 2:4, 3] = stored
    array[0, 0, 0] = 4
    image = read_header(write_array(tmp_path / "a.nii", array))
    expected = np.zeros(SHAPE, np.int64)
    expected[1, 2:4, 3] = value
    expected[0, 0, 0] = 4
    survey = survey_labels(image)
    assert survey.labels == by_numpy(expected)
    assert survey.rounded == 2
    np.testing.assert_array_equal(read_labels(image).voxels, expected)


@pytest.mark.parametrize("kind", ["f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
def test_whole_floats_are_not_counted_as_rounded(tmp_path, kind, order):
    image = read_header(write_array(tmp_path / "a.nii", labels().astype(kind), order=order))
    survey = survey_labels(image)
    assert (survey.values, survey.rounded, survey.scaled) == ((1, 2), 0, False)


NO_LABELS = "the file holds values that are no labels"
PROBABILITY = (
    f"{NO_LABELS}: it looks like a probability map (of its 1 value other than 0, 100% lie "
    "between 0 and 1, 0% are whole)"
)
NEITHER = (
    f"{NO_LABELS}: it looks like neither a mask nor a probability map (of its 1 value other "
    "than 0, 0% lie between 0 and 1, 0% are whole)"
)
REMEDY = "Save the label map with integers; a probability map needs a threshold first."
THRESHOLD = (
    "Choose a threshold: nk.repairs.round_labels(dataset, 'a.nii', threshold=0.5), or save the "
    "mask anew."
)
IDS = (
    "If the values are ids of classes: nk.repairs.relabel(dataset, 'a.nii') numbers them from 1, "
    "and keeps a table of which is which."
)
NAN = (
    "If NaN means background: nk.repairs.relabel(dataset, 'a.nii', {float('nan'): 0}). Of a "
    "probability map: save it again with numbers everywhere."
)


def few(value):
    return (
        f"If {value} means 'not annotated': nk.repairs.relabel(dataset, 'a.nii', {{{value}: 0}}). "
        "If it is a class: nk.repairs.relabel(dataset, 'a.nii') numbers all values of the file "
        "from 1, and keeps a table of which is which; or give a number of your own in place of 0."
    )


@pytest.mark.parametrize(
    ("kind", "value", "message", "found", "remedy"),
    [
        ("f4", 0.5, PROBABILITY, "the value 0.5", THRESHOLD),
        ("f8", 1.0011, NEITHER, "the value 1.0011", REMEDY),
        ("f4", 0.9882353, PROBABILITY, "the value 0.988235", THRESHOLD),
        ("f8", -0.25, NEITHER, "the value -0.25", REMEDY),
        ("f4", np.nan, NO_LABELS, "values that are not finite (NaN or infinite)", NAN),
        ("f8", np.inf, NO_LABELS, "values that are not finite (NaN or infinite)", REMEDY),
        ("f8", -1.0, NO_LABELS, "the negative value -1", few(-1)),
        ("i1", -1, NO_LABELS, "the negative value -1", few(-1)),
        ("i2", -3, NO_LABELS, "the negative value -3", few(-3)),
        ("i8", -(2**40), NO_LABELS, f"the negative value {-(2**40)}", few(-(2**40))),
        ("i4", 65536, NO_LABELS, "the value 65536", IDS),
        ("u4", 65536, NO_LABELS, "the value 65536", IDS),
        ("i8", 2**40, NO_LABELS, f"the value {2**40}", IDS),
        ("u8", 2**64 - 1, NO_LABELS, f"the value {2**64 - 1}", IDS),
        ("f4", 65536.0, NO_LABELS, "the value 65536", IDS),
        ("f8", 1e300, NO_LABELS, "the value 1e+300", REMEDY),
        ("f8", -1e300, NO_LABELS, "the negative value -1e+300", few(-1e300)),
        ("i8", -(2**63), NO_LABELS, f"the negative value {-(2**63)}", few(-(2**63))),
    ],
)
@pytest.mark.parametrize("read", [survey_labels, read_labels])
def test_what_is_no_label_is_refused_and_named(tmp_path, kind, value, message, found, remedy, read):
    array = np.zeros(SHAPE, kind)
    array[4, 5, 2] = value
    image = read_header(write_array(tmp_path / "a.nii", array))
    with pytest.raises(BadLabels) as caught:
        read(image)
    error = caught.value
    assert error.message == message
    assert error.found == f"{found} in frame 3 of 7"
    assert error.expected == "integers from 0 to 65535"
    assert error.remedy == remedy


def test_the_value_that_is_furthest_from_an_integer_is_named(tmp_path):
    array = np.zeros(SHAPE, np.float32)
    array[0, 0, 0], array[1, 0, 0], array[2, 0, 0] = 0.1, 0.45, 0.2
    with pytest.raises(BadLabels, match=r"Found: the value 0\.45 in frame 1 of 7"):
        survey_labels(read_header(write_array(tmp_path / "a.nii", array)))


@pytest.mark.parametrize(
    ("slope", "inter", "stored", "value"),
    [(2, 0, 3, 6), (1, -10, 13, 3), (0.5, 1, 4, 3), (0.1, 0, 30, 3), (1000, 0, 60, 60000)],
)
def test_a_scaled_label_file_has_its_scaled_values(tmp_path, slope, inter, stored, value):
    array = np.full(SHAPE, np.int16(-inter / slope))  # background: scaled it is 0
    array[1, 2, 3:5] = stored
    path = write_array(tmp_path / "a.nii", array, scl_slope=slope, scl_inter=inter)
    survey = survey_labels(read_header(path))
    assert survey.labels == (Label(value, 2, (slice(1, 2), slice(2, 3), slice(3, 5))),)
    assert survey.scaled is True


def test_a_slope_that_makes_fractions_is_refused(tmp_path):
    path = write_array(tmp_path / "a.nii", labels(), scl_slope=1 / 255)
    with pytest.raises(BadLabels, match="it looks like a probability map"):
        survey_labels(read_header(path))


def refused(path):
    with pytest.raises(BadLabels) as caught:
        survey_labels(read_header(path))
    return caught.value


def test_a_mask_that_was_resampled_with_interpolation_is_told_from_a_probability_map(tmp_path):
    array = np.zeros((9, 9, 9), np.float32)
    array[2:7, 2:7, 1:8], array[1, 2:7, 1:8] = 3, 1.5
    error = refused(write_array(tmp_path / "a.nii", array))
    assert error.message == (
        f"{NO_LABELS}: it looks like a mask resampled with interpolation (of its 210 values other "
        "than 0, 0% lie between 0 and 1, 83.3% are whole)"
    )
    assert error.remedy == (
        "Resample the original mask with nearest neighbours (nk.repairs.resample). A mask of one "
        "label can be rounded: nk.repairs.round_labels(dataset, 'a.nii'); of several, that makes "
        "labels between them."
    )


def test_a_share_is_all_or_none_only_where_it_is_exactly_that(tmp_path):
    array = np.ones((20, 20, 20), np.float32)
    array[0, 0, 0] = 0.5
    assert "(of its 8,000 values other than 0, 100% lie between 0 and 1, 99.9% are whole)" in (
        refused(write_array(tmp_path / "a.nii", array)).message
    )


def test_infinite_values_beyond_a_fraction_count_for_nothing(tmp_path):
    array = np.zeros(SHAPE, np.float32)
    array[0, 0, 0], array[0, 0, 1] = 0.5, np.inf
    assert "(of its 1 value other than 0, 100%" in (
        refused(write_array(tmp_path / "a.nii", array)).message
    )


def test_a_slope_that_makes_values_too_large_for_a_float_is_refused(tmp_path):
    path = write_array(tmp_path / "a.nii", np.full(SHAPE, 1e300), scl_slope=1e38)
    assert refused(path).found == "values that are not finite (NaN or infinite) in frame 1 of 7"


def test_the_frames_can_be_gone_through_again(tmp_path):
    array = labels().astype(np.float32)
    array[0, 0, 0] = 1.0004
    frames = label_frames(read_header(write_array(tmp_path / "a.nii", array)))
    first, second = ([frame.copy() for frame in frames] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert frames.rounded == 1


def test_an_intercept_without_a_slope_is_ignored(tmp_path):
    path = write_array(tmp_path / "a.nii", labels(), scl_slope=0, scl_inter=7)
    survey = survey_labels(read_header(path))
    assert survey.labels == by_numpy(labels())
    assert survey.scaled is False


@pytest.mark.parametrize("read", [survey_labels, read_labels])
def test_a_damaged_label_file_is_unreadable(tmp_path, read):
    path = write_nifti(tmp_path / "a.nii.gz", labels((60, 60, 60)))
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(UnreadableFile):
        read(read_header(path))


def test_a_file_of_fractions_is_read_once_more_to_say_what_it_looks_like(tmp_path, monkeypatch):
    array = np.zeros((4, 4, 20), np.float32)
    array[1, 1, 12:] = 0.5
    image = read_header(write_array(tmp_path / "a.nii", array))
    readings = []

    def counted(opened):
        readings.append(opened)
        return iter_frames(opened)

    monkeypatch.setattr("nifti_kit.formats.labels.iter_frames", counted)
    with pytest.raises(BadLabels, match="in frame 13 of 20"):
        survey_labels(image)
    assert len(readings) == 1
