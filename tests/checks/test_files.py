"""Rules about files as such: every volume can be read to its end."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.checks.files import (
    analyze_pairs,
    file_packing,
    volume_voxels,
    volumes_named_masks,
)
from tests.support.builders import AFFINE, SHAPE, labels, volume, write_nifti
from tests.support.handmade import write_array

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
    dataset = nk.scan(tmp_path)
    (item,) = dataset.items
    assert list(volume_voxels(dataset, item)) == []


def test_annotations_alone_have_no_volume_to_read(tmp_path: Path) -> None:
    write_nifti(tmp_path / "axl_mask.nii", labels())
    dataset = nk.scan(tmp_path)
    (item,) = dataset.items
    assert list(volume_voxels(dataset, item)) == []


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


def test_a_mask_whose_image_is_known_has_the_proposal_as_its_remedy(tmp_path: Path) -> None:
    write_nifti(tmp_path / "img" / "a.nii")
    write_nifti(tmp_path / "gt" / "a.nii", labels())
    (warning,) = volumes_named_masks(nk.scan(tmp_path))
    assert warning.path == "gt/a.nii"
    assert "layout='pairs'" in warning.remedy


def test_a_volume_with_its_own_masks_or_a_plain_name_is_not_taken_for_one(tmp_path: Path) -> None:
    write_nifti(tmp_path / "label_study.nii")
    write_nifti(tmp_path / "label_study" / "lung.nii", labels())
    write_nifti(tmp_path / "imagesTr" / "case_001.nii.gz")
    write_nifti(tmp_path / "unmasked" / "hannah.nii.gz")
    assert list(volumes_named_masks(nk.scan(tmp_path))) == []


# Images in two files.


def test_an_image_in_two_files_is_one_error_for_the_pair(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii")
    (tmp_path / "old").mkdir()
    nib.save(nib.Nifti1Pair(volume(), AFFINE), tmp_path / "old" / "Head.hdr")
    nib.save(nib.AnalyzeImage(volume(), AFFINE), tmp_path / "old" / "Knee.img")
    (tmp_path / "old" / "Knee.img").rename(tmp_path / "old" / "Knee.IMG")
    dataset = nk.scan(tmp_path)
    found = list(analyze_pairs(dataset))
    assert [(f.code, f.severity, f.path, f.message) for f in found] == [
        *[
            (
                "analyze-pair",
                "error",
                "old/Head.hdr",
                "an image in two files: Head.hdr and Head.img",
            ),
            (
                "analyze-pair",
                "error",
                "old/Knee.hdr",
                "an image in two files: Knee.hdr and Knee.IMG",
            ),
        ]
    ]
    assert len(dataset.unused) == 4
    assert [f.code for f in dataset.findings] == []


@pytest.mark.parametrize(
    ("name", "other"), [("CT.hdr", "img"), ("CT.img.gz", "hdr")], ids=["hdr", "img"]
)
def test_half_a_pair_is_a_file_without_use(name: str, other: str, tmp_path: Path) -> None:
    write_nifti(tmp_path / "MR.nii")
    (tmp_path / name).write_bytes(b"a")
    dataset = nk.scan(tmp_path)
    assert list(analyze_pairs(dataset)) == []
    assert [(f.code, f.message) for f in dataset.findings] == [
        ("file-unused", f"half of an image in two files: its .{other} is not there")
    ]


# Names and packing.


@pytest.mark.parametrize(
    ("name", "packed", "message"),
    [
        (
            "CT.nii",
            True,
            "its bytes are gzip, but its name ends in .nii: nibabel and ITK refuse it",
        ),
        (
            "CT.NII.GZ",
            False,
            "its name ends in .gz, but its bytes are not gzip: nibabel refuses it",
        ),
        ("CT.nii", False, ""),
        ("CT.nii.GZ", True, ""),
    ],
)
def test_a_name_that_belies_the_packing_is_noted_and_the_file_is_read(
    name: str, packed: bool, message: str, tmp_path: Path
) -> None:
    raw = write_nifti(tmp_path / "raw.nii").read_bytes()
    (tmp_path / "raw.nii").unlink()
    (tmp_path / name).write_bytes(gzip.compress(raw) if packed else raw)
    dataset = nk.scan(tmp_path)
    (item,) = dataset.items
    expected = [("file-name-packing", "note", name, message)] if message else []
    assert [(f.code, f.severity, f.path, f.message) for f in file_packing(item)] == expected
    assert list(volume_voxels(dataset, item)) == []


def test_what_is_unusual_but_right_is_no_finding(tmp_path: Path) -> None:
    write_nifti(tmp_path / "two.nii.gz", image_class=nib.Nifti2Image)
    (tmp_path / "two.nii.gz").rename(tmp_path / "TWO.NII.GZ")
    write_array(tmp_path / "big.Nii", volume() + np.int16(1), order=">")
    write_array(tmp_path / "big" / "lung.nii.gz", labels(), order=">", packed=True)
    dataset = nk.scan(tmp_path)
    assert {item.name: len(item.masks) for item in dataset.items} == {"big.nrrd": 1, "TWO.nrrd": 0}
    assert all(item.volume and item.volume.shape == SHAPE for item in dataset.items)
    assert {f.code for f in nk.check(dataset)} <= {"label-specks"}
    assert [found for item in dataset.items for found in file_packing(item)] == []
