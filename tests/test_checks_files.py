"""Rules about files as such: every volume can be read to its end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders import labels, write_nifti

import nifti_kit as nk
from nifti_kit.checks.files import volume_voxels, volumes_named_masks

NOISE = np.random.default_rng(7).integers(0, 999, (40, 40, 40)).astype("i2")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def change_checksum(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-8] ^= 0xFF
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("damage", [cut, change_checksum])
def test_a_damaged_volume_is_an_error_when_its_voxels_are_read(
    damage: object, tmp_path: Path
) -> None:
    damage(write_nifti(tmp_path / "CT.nii.gz", NOISE))  # type: ignore[operator]
    write_nifti(tmp_path / "MR.nii.gz", NOISE)
    dataset = nk.scan(tmp_path)
    assert nk.check(dataset, voxels=False).ok
    (error,) = nk.check(dataset)
    assert (error.code, error.severity, error.path) == ("file-unreadable", "error", "CT.nii.gz")
    assert error.message.startswith("its voxels cannot be read to the end; found ")


def test_a_sound_volume_is_no_finding(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii.gz", NOISE)
    (item,) = nk.scan(tmp_path).items
    assert list(volume_voxels(item)) == []


def test_annotations_alone_have_no_volume_to_read(tmp_path: Path) -> None:
    write_nifti(tmp_path / "axl_mask.nii", labels())
    (item,) = nk.scan(tmp_path).items
    assert list(volume_voxels(item)) == []


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("labelsTr/case_001.nii.gz", "its name or folder says annotation"),
        ("s1/segmentations/liver.nii.gz", "its name or folder says annotation"),
        ("s1/ct_mask.nii.gz", "its name or folder says annotation"),
        ("ctchest/lung.nii.gz", "its folder is named like CTChest.nii"),
    ],
)
def test_a_volume_that_may_be_a_mask_is_named(path: str, message: str, tmp_path: Path) -> None:
    write_nifti(tmp_path / "CTChest.nii")
    write_nifti(tmp_path / path, labels())
    dataset = nk.scan(tmp_path)
    (warning,) = volumes_named_masks(dataset)
    assert (warning.code, warning.severity) == ("volume-named-mask", "warning")
    assert (warning.path, warning.message) == (path, f"it lands as a volume, though {message}")
    assert warning in list(nk.check(dataset, voxels=False))


def test_a_volume_with_its_own_masks_or_a_plain_name_is_not_taken_for_one(tmp_path: Path) -> None:
    write_nifti(tmp_path / "label_study.nii")
    write_nifti(tmp_path / "label_study" / "lung.nii", labels())
    write_nifti(tmp_path / "imagesTr" / "case_001.nii.gz")
    write_nifti(tmp_path / "unmasked" / "hannah.nii.gz")
    assert list(volumes_named_masks(nk.scan(tmp_path))) == []
