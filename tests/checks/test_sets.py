"""Rules about files that belong together, or look as if they did."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.checks import files
from nifti_kit.checks.files import content_repeated, names_alike, planes_apart
from nifti_kit.core.findings import Finding
from tests.support.builders import AFFINE, SHAPE, labels, volume, write_nifti, write_planes
from tests.support.cases_files import CASES


@pytest.mark.parametrize("code", CASES)
def test_a_code_is_found_where_it_should_be_and_not_in_its_near_neighbour(
    code: str, tmp_path: Path
) -> None:
    fires, near = CASES[code]
    for name in ("fires", "near"):
        (tmp_path / name).mkdir()
    assert code in fires(tmp_path / "fires").by_code()
    assert code not in near(tmp_path / "near").by_code()


def said(findings: Any) -> list[tuple[str, str, str, str]]:
    return [(f.code, f.severity, f.path, f.message) for f in findings]


# Planes.


def place(folder: Path, plane: str, *, x: float = 0, name: str = "", scale: float = 1) -> None:
    affine = AFFINE @ np.diag([scale, scale, scale, 1])
    affine[0, 3] += x
    write_nifti(folder / f"{plane}_anatomic{name}.nii", affine=affine)


def test_planes_of_one_region_are_no_finding(tmp_path: Path) -> None:
    assert list(planes_apart(nk.scan(write_planes(tmp_path)))) == []


def test_planes_that_hardly_meet_or_do_not_are_one_warning_for_the_set(tmp_path: Path) -> None:
    # A field of view is 10 mm along x: 8 mm apart 20 % are shared, 30 mm apart 20 mm are between.
    place(tmp_path / "knee", "axl")
    place(tmp_path / "knee", "cor", x=8)
    place(tmp_path / "knee", "sag", x=30)
    pairs = (
        "axl_anatomic.nii and cor_anatomic.nii: 20 % of the smaller lies in the other",
        "axl_anatomic.nii and sag_anatomic.nii: 20 mm between them",
        "cor_anatomic.nii and sag_anatomic.nii: 12 mm between them",
    )
    assert said(planes_apart(nk.scan(tmp_path))) == [
        ("planes-apart", "warning", "knee", "; ".join(pairs)),
    ]


def test_a_small_field_of_view_inside_a_large_one_covers_its_region(tmp_path: Path) -> None:
    place(tmp_path, "axl")
    place(tmp_path, "cor", scale=0.1)
    place(tmp_path, "sag")
    assert list(planes_apart(nk.scan(tmp_path))) == []


def test_other_folders_cases_and_numbers_are_other_sets(tmp_path: Path) -> None:
    for number, x in (("_1", 0), ("_2", 500)):
        for plane in ("axl", "cor", "sag"):
            place(tmp_path / "a", plane, name=number, x=x)
    for plane in ("axl", "cor", "sag"):
        place(tmp_path / "b", plane, x=1000)
        place(tmp_path / "b", plane, name="_hip", x=1500)
    dataset = nk.scan(tmp_path)
    assert len(dataset.items) == 12
    assert list(planes_apart(dataset)) == []


def test_annotations_alone_have_no_planes_to_compare(tmp_path: Path) -> None:
    for number, plane in enumerate(("axl", "cor", "sag")):
        write_nifti(
            tmp_path / f"{plane}_mask.nii", labels(), AFFINE @ np.diag([1, 1, 1 + number, 1])
        )
    assert list(planes_apart(nk.scan(tmp_path))) == []


# Names.


def test_volumes_whose_names_differ_in_case_or_packing_are_named_once(tmp_path: Path) -> None:
    for name in ("CT.nii", "CT.nii.gz", "ct.NII", "MR.nii", "deep/CT.nii"):
        write_nifti(tmp_path / "x.nii").rename(tmp_path / "x")
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / "x").rename(tmp_path / name)
    assert said(names_alike(nk.scan(tmp_path))) == [
        (
            *("names-alike", "warning", "CT.nii"),
            "its name is that of ct.NII, CT.nii.gz, but for case and packing",
        )
    ]


def test_masks_of_one_class_by_their_names_are_an_error_already(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii")
    write_nifti(tmp_path / "CT" / "lung.nii", labels())
    write_nifti(tmp_path / "CT" / "Lung.nii.gz", labels())
    dataset = nk.scan(tmp_path)
    assert [f.code for f in dataset.findings] == ["annotation-repeated"]
    assert list(names_alike(dataset)) == []


# Content.


def repeated(folder: Path) -> list[tuple[str, str]]:
    found: list[Finding] = list(content_repeated(nk.scan(folder)))
    assert all((f.code, f.severity) == ("content-repeated", "warning") for f in found)
    return [(f.path, f.message) for f in found]


def test_a_volume_that_is_there_twice_is_named_whatever_its_packing(tmp_path: Path) -> None:
    raw = write_nifti(tmp_path / "a.nii").read_bytes()
    (tmp_path / "b.nii").write_bytes(raw)
    (tmp_path / "c.nii.gz").write_bytes(gzip.compress(raw, 1, mtime=1))
    (tmp_path / "d.nii.gz").write_bytes(gzip.compress(raw, 9, mtime=2))
    (tmp_path / "e.nii").write_bytes(raw)
    write_nifti(tmp_path / "f.nii", volume() + np.int16(1))
    assert repeated(tmp_path) == [
        ("a.nii", "it has the same content as b.nii, c.nii.gz, d.nii.gz and 1 more")
    ]


def test_content_of_one_checksum_is_compared_by_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nifti_kit.checks.files._checksum", lambda _: 0)
    write_nifti(tmp_path / "a.nii")
    write_nifti(tmp_path / "b.nii.gz", volume() + np.int16(1))
    assert repeated(tmp_path) == []


def test_a_mask_of_two_volumes_is_named(tmp_path: Path) -> None:
    for name in ("CT", "MR"):
        write_nifti(tmp_path / f"{name}.nii", volume() + np.int16(len(name) + (name == "MR")))
        write_nifti(tmp_path / name / "lung.nii.gz", labels())
    assert repeated(tmp_path) == [("CT/lung.nii.gz", "it has the same content as MR/lung.nii.gz")]


def test_empty_masks_may_be_alike_but_an_empty_volume_is_named(tmp_path: Path) -> None:
    empty = np.zeros(SHAPE, np.uint8)
    write_nifti(tmp_path / "CT.nii")
    write_nifti(tmp_path / "CT" / "left.nii", empty)
    write_nifti(tmp_path / "CT" / "right.nii", empty)
    assert repeated(tmp_path) == []
    write_nifti(tmp_path / "MR.nii", empty)
    write_nifti(tmp_path / "PT.nii", empty)
    assert repeated(tmp_path) == [("MR.nii", "it has the same content as PT.nii")]


@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
def test_a_file_that_is_damaged_or_gone_is_compared_with_nothing(
    ending: str, tmp_path: Path
) -> None:
    noise = np.random.default_rng(1).integers(0, 999, (20, 20, 20)).astype("i2")
    for name in "abc":
        write_nifti(tmp_path / f"{name}.{ending}", noise)
    dataset = nk.scan(tmp_path)
    if ending == "nii.gz":  # in the middle: header and trailer are as they were
        content = bytearray((tmp_path / "a.nii.gz").read_bytes())
        content[5000:5100] = bytes(100)
        (tmp_path / "a.nii.gz").write_bytes(content)
    else:
        (tmp_path / "a.nii").unlink()
    (found,) = content_repeated(dataset)
    assert (found.path, found.message) == (
        f"b.{ending}",
        f"it has the same content as c.{ending}",
    )


def test_of_files_with_the_same_bytes_one_is_unpacked_and_of_empty_masks_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = write_nifti(tmp_path / "a.nii").read_bytes()
    for name in "bcd":
        (tmp_path / f"{name}.nii.gz").write_bytes(gzip.compress(raw, 1, mtime=1))
    for name in "xyz":
        write_nifti(tmp_path / "a" / f"{name}.nii.gz", np.zeros(SHAPE, np.uint8))
    unpacked: list[str] = []
    digest = files._digest
    monkeypatch.setattr(files, "_digest", lambda one: unpacked.append(one.path.name) or digest(one))
    assert repeated(tmp_path) == [
        ("a.nii", "it has the same content as b.nii.gz, c.nii.gz, d.nii.gz")
    ]
    assert unpacked == ["b.nii.gz"]
