"""NIfTI files written in pieces: what another reader finds in them."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from nifti_kit.core.geometry import Grid
from nifti_kit.formats.nifti import read_header, read_voxels
from nifti_kit.formats.nifti_output import (
    head_of,
    label_map_bytes,
    relabelled_pieces,
    stored_number,
    volume_pieces,
)
from tests.support.builders import AFFINE, SHAPE, labels, volume, write_nifti

GRID = Grid(SHAPE, AFFINE)


@pytest.mark.parametrize("kind", ["i2", "u1", "f4", "f8", "i8", "u4"])
@pytest.mark.parametrize("packed", [True, False])
def test_a_volume_is_read_by_others(kind: str, packed: bool, tmp_path: Path) -> None:
    array, path = volume().astype(kind), tmp_path / ("v.nii.gz" if packed else "v.nii")
    pages = (array[:, :, k] for k in range(SHAPE[2]))
    path.write_bytes(b"".join(volume_pieces(GRID, array.dtype, pages, packed=packed)))
    image = nib.load(path)
    np.testing.assert_array_equal(np.asarray(image.dataobj), array)
    assert image.get_data_dtype() == array.dtype
    for form in (image.get_sform(), image.get_qform(), image.affine):
        np.testing.assert_allclose(form, AFFINE, atol=1e-5)
    assert image.header.get_xyzt_units()[0] == "mm"


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_label_map_is_read_by_others_whatever_its_box(kind: type, tmp_path: Path) -> None:
    array = np.asfortranarray(labels().astype(kind) * 100)
    box = (slice(0, 2), slice(1, 4), slice(2, 5))
    for name, sides in (("box", box), ("whole", tuple(slice(0, n) for n in SHAPE))):
        path = tmp_path / f"{name}.nii.gz"
        path.write_bytes(label_map_bytes(GRID, array, sides))
        np.testing.assert_array_equal(np.asarray(nib.load(path).dataobj), array)
    nothing = (slice(0, 0), slice(0, 0), slice(0, 0))
    path.write_bytes(label_map_bytes(GRID, np.zeros(SHAPE, np.uint8), nothing))
    assert not np.asarray(nib.load(path).dataobj).any()


def test_what_float32_would_move_is_nifti_2(tmp_path: Path) -> None:
    far = AFFINE.copy()
    far[0, 3] = 123_456.785
    assert int.from_bytes(head_of(GRID, np.dtype("u1"))[:4], "little") == 348
    path = tmp_path / "far.nii.gz"
    path.write_bytes(label_map_bytes(Grid(SHAPE, far), labels(), tuple(slice(0, n) for n in SHAPE)))
    image = nib.load(path)
    assert isinstance(image, nib.Nifti2Image)
    np.testing.assert_allclose(image.affine, far, atol=1e-9)


def test_labels_that_stay_keep_their_stored_numbers(tmp_path: Path) -> None:
    stored = labels().astype("<f4")
    stored[stored == 1] += 0.0005
    image = read_header(write_nifti(tmp_path / "m.nii", stored))
    changed = labels().copy()
    changed[4, 5, 6] = 2
    (tmp_path / "new.nii").write_bytes(b"".join(relabelled_pieces(image, changed)))
    expected = stored.copy()
    expected[4, 5, 6] = 2
    found = read_header(tmp_path / "new.nii")
    np.testing.assert_array_equal(read_voxels(found), expected)
    assert (tmp_path / "new.nii").read_bytes()[:352] == (tmp_path / "m.nii").read_bytes()[:352]


def test_a_type_holds_only_what_reads_back(tmp_path: Path) -> None:
    small = read_header(write_nifti(tmp_path / "m.nii", labels().astype(np.int8)))
    assert stored_number(small, 127) == 127
    assert stored_number(small, 128) is None
    half = read_header(write_nifti(tmp_path / "h.nii", labels(), slope=2.0, intercept=1.0))
    assert stored_number(half, 7) == 3
    assert stored_number(half, 8) is None
