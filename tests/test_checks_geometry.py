"""Rules about space: a usable place, and a mask on the voxels of its volume."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from builders import SHAPE, labels, write_nifti

import nifti_kit as nk
from nifti_kit.checks.geometry import misaligned
from nifti_kit.geometry import Alignment

VOLUME = np.array([[2.0, 0, 0, 10], [0, 2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]])
"""RAS+, voxels of 2 mm."""


def moved(matrix: Any, offset: Any = (10, 0, 0)) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = matrix
    affine[:3, 3] = offset
    return affine


class Case(NamedTuple):
    """A mask's affine and shape, and what is found."""

    affine: np.ndarray
    shape: tuple[int, int, int] = SHAPE
    code: str = ""
    severity: str = ""
    message: str = ""


FLIPPED = moved(np.diag([-2, 2, 2]), (18, 0, 0))
"""The first axis of 5 voxels backwards: it begins at 10 + 4 * 2 mm."""

PERMUTED = moved([[0, 2, 0], [2, 0, 0], [0, 0, 2]])

CASES = {
    "the same": Case(VOLUME),
    "a rounded header": Case(moved(np.diag([2, 2, 2]), (10.0005, 0, 0))),
    "flipped": Case(FLIPPED, SHAPE, "mask-reoriented", "note", "stored LAS, its volume RAS"),
    "permuted": Case(PERMUTED, (6, 5, 7), "mask-reoriented", "note", "stored ARS, its volume RAS"),
    "header lost": Case(
        np.eye(4),
        SHAPE,
        "mask-header-lost",
        "error",
        # At the far corner (4, 5, 6): 14, 5 and 6 mm; the root of 257 is 16.03.
        "header lost: up to 16.03 mm (7 voxels) from its volume CT.nii",
    ),
    "translated": Case(
        moved(np.diag([2, 2, 2]), (10, 3, 0)),
        SHAPE,
        "mask-translated",
        "error",
        "translated: up to 3 mm (1.5 voxels) from its volume CT.nii",
    ),
    "resampled to as many voxels": Case(
        moved(np.diag([2, 2, 2.5])),
        SHAPE,
        "mask-resampled",
        "error",
        "resampled: up to 3 mm (1.5 voxels) from its volume CT.nii",
    ),
    "resampled to other voxels": Case(
        moved(np.diag([1, 2, 2])),
        (10, 6, 7),
        "mask-resampled",
        "error",
        "resampled: 10 x 6 x 7 voxels, other than its volume CT.nii",
    ),
    "apart": Case(
        moved(np.diag([2, 2, 2]), (500, 0, 0)),
        (4, 4, 4),
        "mask-apart",
        "error",
        "apart: 4 x 4 x 4 voxels, other than its volume CT.nii",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
@pytest.mark.parametrize("voxels", [True, False], ids=["voxels", "headers only"])
def test_a_mask_is_held_against_its_volume(case: Case, voxels: bool, tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii", affine=VOLUME)
    write_nifti(tmp_path / "CT" / "lung.nii", labels(case.shape), case.affine)
    found = nk.check(nk.scan(tmp_path), voxels=voxels)
    expected = [(case.code, case.severity, "CT/lung.nii", case.message)] if case.code else []
    assert [(f.code, f.severity, f.path, f.message) for f in found] == expected


def test_annotations_alone_are_held_against_nothing(tmp_path: Path) -> None:
    write_nifti(tmp_path / "axl_mask.nii", labels(), np.eye(4))
    dataset = nk.scan(tmp_path)
    assert "mask-header-lost" not in nk.check(dataset).by_code()


def test_an_alignment_that_lands_is_no_finding(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii")
    (item,) = nk.scan(tmp_path).items
    assert item.volume is not None
    assert list(misaligned(Alignment("same", 0, 0, None), item.volume, "MR.nii")) == []


def patch(path: Path, **fields: tuple[int, Any]) -> Path:
    """Write float32 or int16 numbers at their place in the header."""
    content = bytearray(path.read_bytes())
    for offset, value in fields.values():
        packed = np.array(value).tobytes()
        content[offset : offset + len(packed)] = packed
    path.write_bytes(bytes(content))
    return path


def found_in_volume(tmp_path: Path) -> list[tuple[str, str, str]]:
    found = nk.check(nk.scan(tmp_path))
    assert all(finding.path == "CT.nii" for finding in found)
    return [(finding.code, finding.severity, finding.message) for finding in found]


def test_a_plain_header_is_no_finding(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii", sform=1, qform=1)
    assert found_in_volume(tmp_path) == []


UNUSABLE = {
    "no finite number": (280, np.float32(np.nan), "the affine has a value that is not finite"),
    "an axis of length 0": (280, np.zeros(1, "f4"), "the affine has an axis of length 0"),
    "flat": (
        280,
        np.array([2, 2, 0, 0, 0, 0, 0, 0], "f4"),
        "the axes of the affine lie in one plane",
    ),
}


@pytest.mark.parametrize(("offset", "value", "message"), UNUSABLE.values(), ids=list(UNUSABLE))
def test_a_grid_that_cannot_be_used_is_an_error(
    offset: int, value: Any, message: str, tmp_path: Path
) -> None:
    path = write_nifti(tmp_path / "CT.nii", affine=np.diag([2.0, 2, 2, 1]))
    patch(path, number=(offset, value))
    assert found_in_volume(tmp_path) == [("grid-unusable", "error", message)]


def test_a_mask_with_such_a_grid_is_named_once(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii")
    path = write_nifti(tmp_path / "CT" / "lung.nii", labels())
    patch(path, number=(280, np.zeros(1, "f4")))
    found = nk.check(nk.scan(tmp_path))
    assert [(f.code, f.path) for f in found] == [("grid-unusable", "CT/lung.nii")]


@pytest.mark.parametrize(
    ("degrees", "findings"),
    [
        (
            5.0,
            [("grid-sheared", "error", "its axes deviate from right angles by up to 5.00 degrees")],
        ),
        (0.05, []),
    ],
)
def test_a_sheared_grid_is_an_error(
    degrees: float, findings: list[tuple[str, str, str]], tmp_path: Path
) -> None:
    turned = np.radians(degrees)
    affine = moved([[2, 2 * np.sin(turned), 0], [0, 2 * np.cos(turned), 0], [0, 0, 2]])
    write_nifti(tmp_path / "CT.nii")
    patch(tmp_path / "CT.nii", sform=(280, affine[:3].astype("f4")))
    assert found_in_volume(tmp_path) == findings


@pytest.mark.parametrize(
    ("shift", "findings"),
    [
        (
            1.5,
            [("affine-forms-disagree", "warning", "sform and qform place a corner 1.50 mm apart")],
        ),
        (0.05, []),
    ],
)
def test_forms_that_disagree_are_a_warning(
    shift: float, findings: list[tuple[str, str, str]], tmp_path: Path
) -> None:
    path = write_nifti(tmp_path / "CT.nii", affine=VOLUME, sform=1, qform=1)
    patch(path, qoffset_x=(268, np.float32(10 + shift)))
    assert found_in_volume(tmp_path) == findings


def test_a_file_without_any_form_is_a_warning(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "CT.nii", affine=VOLUME)
    patch(path, codes=(252, np.zeros(2, "i2")))
    assert found_in_volume(tmp_path) == [
        ("affine-missing", "warning", "neither sform nor qform is set: voxel size only")
    ]
