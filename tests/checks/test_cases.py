"""Whose a mask is: names and voxels that speak against its volume are warnings, and no other."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

import nifti_kit as nk
from nifti_kit.checks.cases import Words, case_doubt, name_doubt
from nifti_kit.core.findings import Findings
from tests.support.builders import AFFINE, labels, volume, write_nifti

APART = {
    ("P01/P02_axl_mask.nii", "P01/axl_anatomic.nii"): "'P02_axl_mask' says 2",
    ("P01/t2_axl_mask.nii", "P01/t1/axl_anatomic.nii"): "'t2_axl_mask' says t2",
    ("out/sub-02/axl_mask.nii", "in/sub-01/axl_anatomic.nii"): "'sub-02' says 2",
    ("a/right_axl_mask.nii", "a/left_axl_anatomic.nii"): "its name says right",
    ("a/R_axl_mask.nii", "a/axl_left_anatomic.nii"): "its name says right",
    ("Berg/Meer_axl_mask.nii", "Berg/axl_anatomic.nii"): "its name says 'meer'",
    ("ses-2/axl_mask.nii", "ses-1/axl_anatomic.nii"): "'ses-2' says ses2",
}
ALIKE = (
    ("P01/axl_mask.nii", "P01/axl_anatomic.nii"),
    ("P01/axl_mask_2.nii", "P01/axl_anatomic.nii"),  # an index
    ("P01/P01_axl_mask.nii", "P01/axl_anatomic_7.nii"),
    ("2024/P01_axl_mask.nii", "2024/axl_anatomic.nii"),  # a year
    ("P1/patient_01_axl_mask.nii", "P1/axl_anatomic.nii"),
    ("a/left_right_axl_mask.nii", "a/left_axl_anatomic.nii"),
    ("P01/20240101_axl_mask.nii", "P01/20231231_axl_anatomic.nii"),  # when it was drawn
    ("masks/v3/P01_axl_mask.nii", "images/P01_axl_anatomic.nii"),
    ("Berg/knee_axl_mask.nii", "Berg/axl_anatomic.nii"),
)
OTHERS = Words(PurePosixPath(one) for one in ("Berg/axl_anatomic.nii", "Meer/axl_anatomic.nii"))


@pytest.mark.parametrize(("pair", "said"), APART.items(), ids=" ".join)
def test_names_that_speak_against_each_other(pair: tuple[str, str], said: str) -> None:
    assert case_doubt(*map(PurePosixPath, pair), OTHERS).startswith(said)


@pytest.mark.parametrize("pair", ALIKE, ids=" ".join)
def test_names_that_do_not(pair: tuple[str, str]) -> None:
    assert case_doubt(*map(PurePosixPath, pair), OTHERS) == ""


@pytest.mark.parametrize(
    ("file", "volume", "said"),
    [
        ("axl_mask_P01_right", "axl_anatomic_P01", "says 'right'"),
        ("axl_mask_P01_followup", "axl_anatomic_P01", "says 'followup'"),
        ("axl_mask_P01_v2", "axl_anatomic_P01", "says 'v2'"),
        ("axl_mask_P01_2021", "axl_anatomic_P01_2020", "says 2021"),
        ("axl_mask_20210101", "axl_anatomic_20200101", "says 20210101"),
        ("axl_mask_bert", "axl_anatomic", "says 'bert'"),
        ("axl_mask_bert", "axl_anatomic_anna", "says 'bert'"),
        ("axl_mask", "axl_anatomic_anna", ""),
        ("axl_mask_anna_2", "axl_anatomic_anna", ""),
        ("axl_mask_P01_20210101_20230505", "axl_anatomic_P01_20210101", ""),
        ("axl_mask_P01_left", "axl_anatomic_P01_L", ""),
    ],
)  # fmt: skip
def test_a_name_without_its_folder_is_held_against_all_of_its_volumes(
    file: str, volume: str, said: str
) -> None:
    found = name_doubt(f"{file}.nii", f"{volume}.nrrd", by_name=False)
    assert (said in found) if said else not found


@pytest.mark.parametrize(
    ("name", "is_apart"),
    [("L2", False), ("S1", False), ("2", False), ("left_lung", False), ("s02_liver", True),
     ("liver_P02", True), ("patient 2", True)],
)  # fmt: skip
def test_numbers_of_classes_are_of_the_body_unless_they_say_patient(
    name: str, is_apart: bool
) -> None:
    file, own = PurePosixPath(f"P01/{name}.nii"), PurePosixPath("P01_right.nii")
    assert bool(case_doubt(file, own, is_class=True)) == is_apart


def two(folder: Path, second: str, *, values: tuple[int, ...] = (1, 2)) -> Findings:
    """Return the findings of two patients; the mask of the second is in a file of its own name."""
    other = AFFINE.copy()
    other[:3, 3] += 40
    for at, (patient, mask) in enumerate((("P01", "axl_inference"), ("P02", second))):
        affine = other if at else AFFINE
        own = labels(values=values if at else (1, 2))
        write_nifti(folder / patient / "axl_anatomic.nii", volume() + at, affine)
        write_nifti(folder / patient / f"{mask}.nii", own, affine)
    return nk.plan(nk.scan(folder)).findings


def test_a_name_of_another_patient_is_a_warning_of_a_plan(tmp_path: Path) -> None:
    found = two(tmp_path, "P01_axl_inference", values=(2, 1)).by_code()
    (one,) = found["case-differs"]
    assert (one.path, one.severity) == ("P02/P01_axl_inference.nii", "warning")
    assert "masks-alike" not in found


def test_a_mask_that_was_copied_to_another_patient_is_found_whatever_its_header(
    tmp_path: Path,
) -> None:
    found = two(tmp_path, "axl_inference").by_code()
    assert [one.path for one in found["masks-alike"]] == [
        "P01/axl_inference.nii",
        "P02/axl_inference.nii",
    ]
    assert "case-differs" not in found


def test_masks_of_images_of_one_patient_may_be_alike(tmp_path: Path) -> None:
    for name in ("T1", "T2"):
        write_nifti(tmp_path / f"P01/{name}.nii", volume())
        write_nifti(tmp_path / f"P01/{name}/liver.nii", labels())
    assert "masks-alike" not in nk.plan(nk.scan(tmp_path)).findings.by_code()
