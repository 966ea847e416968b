"""Images in RAS+ order: the values of a volume, the file of a mask."""

from __future__ import annotations

import tracemalloc

import nibabel as nib
import nrrd
import numpy as np
import pytest

from nifti_kit.core.geometry import Grid, Orientation, ras_orientation
from nifti_kit.errors import UnreadableFile
from nifti_kit.formats import volumes
from nifti_kit.formats.labels import read_labels
from nifti_kit.formats.nifti import read_header
from nifti_kit.formats.volumes import iter_pages, mask_bytes, open_volume, value_dtype
from tests.support.builders import AFFINE, SHAPE, labels, volume, write_nifti
from tests.support.handmade import DATATYPES, write_array

ORDERS = {
    "RAS": AFFINE,
    "LPS": np.diag([-1, -1, 1, 1]) @ AFFINE,
    "permuted": AFFINE[:, [2, 0, 1, 3]],
    "oblique": np.array(
        [[-0.3, 1.9, 0.2, 10.3], [2.8, 0.4, -0.6, -20.7], [-0.5, 0, -4.9, 30.1], [0, 0, 0, 1]]
    ),
}


@pytest.mark.parametrize("affine", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
def test_a_volume_is_the_closest_canonical_of_nibabel(tmp_path, affine, order):
    path = write_array(tmp_path / "a.nii.gz", volume(), order=order, affine=affine)
    canonical = nib.as_closest_canonical(nib.Nifti1Image(volume(), affine))
    opened = open_volume(read_header(path))
    np.testing.assert_array_equal(opened.array(), canonical.dataobj)
    np.testing.assert_array_equal(np.stack(list(opened.slices()), axis=2), canonical.dataobj)
    np.testing.assert_allclose(opened.grid.affine, canonical.affine, rtol=0, atol=1e-5)
    assert opened.grid.shape == canonical.shape
    assert opened.dtype == np.int16


VALUE_TYPES = [
    # stored, slope, inter, type of the values
    *[(kind, 1, 0, kind) for kind in DATATYPES],
    ("u1", 1, -1024, "i2"),
    ("i2", 1, -1024, "i4"),
    ("i2", 2, 0, "i4"),
    ("i2", -1, -1, "i2"),
    ("u1", 1, 32700, "i4"),
    ("u2", 1, -1024, "i4"),
    ("i4", -3, 7, "i8"),
    ("i1", -1, 0, "i2"),
    ("i8", 2, 0, "f8"),
    ("u8", 1, -1, "f8"),
    ("i2", 0.5, 0, "f4"),
    ("u1", 1, 0.5, "f4"),
    ("i4", 0.5, 0, "f8"),
    ("f4", 2, 1, "f4"),
    ("f8", 2, 1, "f8"),
]


@pytest.mark.parametrize(("stored", "slope", "inter", "values"), VALUE_TYPES)
def test_the_values_get_the_smallest_type_that_holds_them(tmp_path, stored, slope, inter, values):
    array = (volume() % 100).astype(stored)
    path = write_array(tmp_path / "a.nii", array, scl_slope=slope, scl_inter=inter, order=">")
    image = read_header(path)
    assert value_dtype(image) == np.dtype(values)
    opened = open_volume(image)
    expected = nib.load(path).get_fdata()
    assert opened.array().dtype == np.dtype(values)
    np.testing.assert_array_equal(opened.array(), expected)
    for k, piece in enumerate(opened.slices()):
        assert piece.dtype == np.dtype(values)
        np.testing.assert_array_equal(piece, expected[:, :, k])


@pytest.mark.parametrize(
    ("stored", "inter"), [("u1", -1024), ("i1", 900), ("i2", 32767), ("u2", -65535), ("i4", -9)]
)
def test_the_ends_of_a_stored_type_survive_a_whole_intercept(tmp_path, stored, inter):
    ends = np.iinfo(stored)
    array = np.array([ends.min, ends.max], stored).reshape(2, 1, 1)
    path = write_array(tmp_path / "a.nii", array, scl_inter=inter)
    values = open_volume(read_header(path)).array()
    assert values.ravel().tolist() == [ends.min + inter, ends.max + inter]


def test_a_damaged_volume_is_unreadable(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz")
    image = read_header(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UnreadableFile):
        open_volume(image)


@pytest.mark.parametrize("affine", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("value", [1, 2, 3])
def test_a_masks_file_has_its_voxels_in_ras_order_at_their_places(tmp_path, affine, value):
    array = labels(values=(1, 2, 3))
    image = read_header(write_nifti(tmp_path / "a.nii", array, affine))
    whole = read_labels(image)
    label = next(found for found in whole.survey.labels if found.value == value)
    path = tmp_path / "mask.nrrd"
    path.write_bytes(
        mask_bytes(whole.voxels[label.box], image.grid, label, ras_orientation(image.grid))
    )
    data, header = nrrd.read(str(path))
    assert set(np.unique(data).tolist()) == {0, 1}
    landed = np.argwhere(data) @ header["space directions"] + header["space origin"]
    source = nib.affines.apply_affine(
        nib.load(tmp_path / "a.nii").affine, np.argwhere(array == value)
    )
    order = [np.lexsort(points.round(3).T) for points in (landed, source)]
    np.testing.assert_allclose(landed[order[0]], source[order[1]], rtol=0, atol=1e-4)
    axes = nib.aff2axcodes(
        np.vstack([np.c_[header["space directions"].T, [0, 0, 0]], [0, 0, 0, 1]])
    )
    assert axes == ("R", "A", "S")


def test_another_orientation_than_the_nearest_is_obeyed(tmp_path):
    image = read_header(write_nifti(tmp_path / "a.nii", labels()))
    whole = read_labels(image)
    label = whole.survey.labels[0]
    turned = ras_orientation(Grid(SHAPE, ORDERS["permuted"]))
    content = mask_bytes(whole.voxels[label.box], image.grid, label, turned)
    (tmp_path / "mask.nrrd").write_bytes(content)
    data, _ = nrrd.read(str(tmp_path / "mask.nrrd"))
    np.testing.assert_array_equal(data, turned.apply(labels() == 1))


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("order", ["F", "C"])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("cache", [0, 2**22])
def test_pages_are_the_slices_along_an_axis(
    axis: int, order: str, turned: bool, cache: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volumes, "CACHE_BYTES", cache)
    voxels = np.asarray(np.arange(40 * 39 * 41, dtype=np.int32).reshape(40, 39, 41), order=order)
    if turned:
        voxels = voxels[::-1, :, ::-1].transpose(2, 0, 1)
    for start, stop in ((0, voxels.shape[axis]), (3, 5), (30, 37), (0, 33)):
        pages = list(iter_pages(voxels, axis, start, stop))
        expected = np.take(voxels, range(start, stop), axis=axis)
        assert np.array_equal(np.stack(pages, axis=axis), expected)


@pytest.mark.parametrize(("slope", "inter"), [(1, 0), (0.5, 3), (2, -1)])
@pytest.mark.parametrize("affine", ORDERS.values(), ids=ORDERS)
def test_a_volumes_pages_and_its_other_orders_are_those_of_the_whole(
    tmp_path, affine, slope, inter
):
    path = write_array(
        tmp_path / "a.nii", volume(), affine=affine, scl_slope=slope, scl_inter=inter
    )
    opened = open_volume(read_header(path))
    whole = opened.array()
    assert whole.dtype == opened.dtype
    for axis, count in enumerate(whole.shape):
        pages = np.stack(list(opened.pages(axis, 1, count)), axis=axis)
        np.testing.assert_array_equal(pages, np.moveaxis(np.moveaxis(whole, axis, 0)[1:], 0, axis))
    turned = Orientation((2, 0, 1), (True, False, True))
    other = opened.reordered(turned)
    np.testing.assert_array_equal(other.array(), turned.apply(whole))
    assert other.grid == opened.grid.reoriented(turned)


def test_a_scaled_volume_takes_no_more_than_its_values_and_what_is_stored(tmp_path):
    path = write_array(tmp_path / "a.nii", np.ones((64, 64, 64), np.int16), scl_slope=0.5)
    opened = open_volume(read_header(path))
    tracemalloc.start()
    values = opened.array()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert values.nbytes <= peak < 1.2 * values.nbytes
