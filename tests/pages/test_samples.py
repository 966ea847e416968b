"""Samples: every so many voxels at their places, and grey values of all of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.errors import UnreadableFile
from nifti_kit.formats import nifti
from nifti_kit.pages import samples
from nifti_kit.pages.samples import sample_labels, sample_volume
from tests.support.builders import labels, write_nifti

SHAPE = (19, 23, 29)


def scanned(path, array, **more):
    write_nifti(path / "V.nii.gz" if not more else path / "V.nii", array, **more)
    dataset = nk.scan(path)
    return dataset, dataset.items[0].volume


@pytest.mark.parametrize("most", [1, 4, 7, 29, 100])
def test_a_sample_has_every_so_many_voxels_where_they_are(tmp_path, monkeypatch, most):
    monkeypatch.setattr(samples, "MOST_ALONG", most)
    monkeypatch.setattr(nifti, "READ_AT_ONCE", 5 * 2 * SHAPE[0] * SHAPE[1])  # blocks of 5 frames
    array = np.random.default_rng(0).integers(-500, 500, SHAPE).astype(np.int16)
    dataset, image = scanned(tmp_path, array)
    _, sample = sample_volume(dataset, image)
    steps = [math.ceil(size / most) for size in SHAPE]
    i, j, k = steps
    assert np.array_equal(sample.voxels, array[::i, ::j, ::k])
    assert max(sample.voxels.shape) <= most
    last = np.subtract(sample.voxels.shape, 1)
    assert np.allclose(sample.grid.world(last), image.grid.world(last * steps))


def test_a_sample_of_labels_has_labels(tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "MOST_ALONG", 3)
    path = write_nifti(tmp_path / "V.nii.gz")
    write_nifti(tmp_path / "V" / "a.nii.gz", labels() * np.float32(150))
    image = nk.scan(path.parent).items[0].masks[0].image
    i, j, k = (math.ceil(size / 3) for size in image.shape)
    expected = labels()[::i, ::j, ::k] * 150.0
    assert np.array_equal(sample_labels(image).voxels, expected)


def test_grey_values_are_those_of_all_voxels_and_scaled(tmp_path):
    array = np.random.default_rng(0).integers(-500, 500, SHAPE).astype(np.int16)
    dataset, image = scanned(tmp_path, array, slope=-0.5, intercept=10)
    greys, sample = sample_volume(dataset, image)
    values = array * -0.5 + 10
    assert (greys.lowest, greys.highest) == (values.min(), values.max())
    expected = np.percentile(values, (1, 50, 99))
    assert np.allclose((greys.low, greys.middle, greys.high), expected)
    assert np.array_equal(sample.voxels, values)


def test_what_is_no_number_is_counted_and_left_out(tmp_path):
    array = np.full(SHAPE, 3.0, dtype=np.float32)
    array[0, 0, :4] = np.nan, np.inf, -np.inf, 7
    dataset, image = scanned(tmp_path, array)
    greys, _ = sample_volume(dataset, image)
    assert (greys.lowest, greys.highest, greys.undefined) == (3.0, 7.0, 3)


def test_a_volume_of_no_numbers_at_all_has_no_grey_values(tmp_path):
    dataset, image = scanned(tmp_path, np.full(SHAPE, np.nan, dtype=np.float32))
    assert sample_volume(dataset, image)[0] is None


def test_a_damaged_volume_has_none_and_is_remembered_as_damaged(tmp_path):
    noise = np.random.default_rng(0).integers(0, 9999, SHAPE).astype(np.int16)
    path = write_nifti(tmp_path / "V.nii.gz", noise)
    path.write_bytes(path.read_bytes()[:-20])
    dataset = nk.scan(tmp_path)
    image = dataset.items[0].volume
    assert sample_volume(dataset, image) is None
    assert isinstance(dataset.memory["volume", image], UnreadableFile)
