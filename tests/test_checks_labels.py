"""Rules about the values of label maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from builders import SHAPE, labels, write_nifti

import nifti_kit as nk

ONE_FRAME = (
    "the file holds values that are no labels; found {} in frame 4 of 7; "
    "expected integers from 0 to 65535"
)
FRACTION = (
    "the file holds values that are no labels: a probability map or a resampled mask?; "
    "found the value {} in frame 4 of 7; expected integers from 0 to 65535"
)


def with_value(value: Any, dtype: str) -> np.ndarray:
    """Return a map of one odd value in the fourth frame."""
    array = np.zeros(SHAPE, dtype)
    array[1, 2, 3] = value
    return array


class Case(NamedTuple):
    """A label map and what is found."""

    array: np.ndarray
    code: str = ""
    severity: str = ""
    message: str = ""
    slope: float | None = None


CASES = {
    "integers": Case(labels()),
    "floats that are integers": Case(labels().astype("f4")),
    "the largest label": Case(with_value(65535, "u2")),
    "a fraction": Case(
        with_value(0.9882, "f4"), "labels-unusable", "error", FRACTION.format("0.9882")
    ),
    "NaN": Case(
        with_value(np.nan, "f4"),
        "labels-unusable",
        "error",
        ONE_FRAME.format("values that are not finite (NaN or infinite)"),
    ),
    "negative": Case(
        with_value(-1, "i2"), "labels-unusable", "error", ONE_FRAME.format("the negative value -1")
    ),
    "too large": Case(
        with_value(65536, "i4"), "labels-unusable", "error", ONE_FRAME.format("the value 65536")
    ),
    "rounded": Case(with_value(2.0004, "f4"), "labels-rounded", "note", "1 voxels were rounded"),
    "scaled": Case(labels(), "labels-scaled", "note", "scl_slope 2, scl_inter 0", 2.0),
    "empty": Case(np.zeros(SHAPE, "u1"), "mask-empty", "warning", "no voxel is labelled"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_the_values_of_a_label_map_are_checked(case: Case, tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii")
    write_nifti(tmp_path / "CT" / "lung.nii", case.array, slope=case.slope)
    dataset = nk.scan(tmp_path)
    found = nk.check(dataset)
    expected = [(case.code, case.severity, "CT/lung.nii", case.message)] if case.code else []
    assert [(f.code, f.severity, f.path, f.message) for f in found] == expected
    assert not nk.check(nk.scan(tmp_path), voxels=False)


def test_a_probability_map_is_an_error_and_asks_for_a_threshold(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii")
    write_nifti(tmp_path / "CT" / "lung.nii", np.linspace(0, 1, 210, dtype="f4").reshape(SHAPE))
    (error,) = nk.check(nk.scan(tmp_path)).errors
    assert error.code == "labels-unusable"
    assert "a probability map or a resampled mask?" in error.message
    assert error.remedy == (
        "Save the label map with integers; a probability map needs a threshold first."
    )


def test_a_mask_that_is_cut_short_is_an_error(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii")
    noise = np.random.default_rng(7).integers(0, 5, (40, 40, 40)).astype("u1")
    path = write_nifti(tmp_path / "CT" / "lung.nii.gz", noise)
    path.write_bytes(path.read_bytes()[:-20])
    found = nk.check(nk.scan(tmp_path)).by_code()["file-unreadable"]
    assert [(f.severity, f.path) for f in found] == [("error", "CT/lung.nii.gz")]
    assert found[0].message.startswith("its voxels cannot be read to the end; found ")
