"""Rules about files as such: every volume can be read to its end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders import labels, write_nifti

import nifti_kit as nk
from nifti_kit.checks.files import volume_voxels

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
