"""check: every rule on every file, errors first; what a person waives does not block."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit import checks
from nifti_kit.core.findings import Findings
from tests.support.builders import SHAPE, labels, volume, write_nifti, write_planes


def faulty(folder: Path) -> Path:
    """Write a set with a fault of scanning, of a header, of labels, of classes and of scores."""
    write_planes(folder)
    (folder / "notes.pdf").write_bytes(b"%PDF")
    moved = np.diag([2.0, 3, 5, 1])
    moved[:3, 3] = (-10.5, 4.25, 99)
    write_nifti(folder / "cor_inference.nii.gz", labels(), moved)
    write_nifti(folder / "sag_inference.nii.gz", np.zeros((5, 6, 7), "u1"))
    (folder / "color_map.txt").write_text("1 Femur\n")
    (folder / "axl_score.csv").write_text("Layer,Label-1,Label-9\n1,0.5,\n99,0.6,\n")
    return folder


FOUND = [
    ("mask-translated", "cor_inference.nii.gz"),
    ("scores-layer-outside", "axl_score.csv"),
    ("file-unused", "notes.pdf"),
    ("mask-empty", "sag_inference.nii.gz"),
    ("scores-without-value", "axl_score.csv"),
    ("segmentation-ambiguous", "axl_inference.nii.gz"),
    ("value-without-class", "axl_inference.nii.gz"),
    ("scores-column-empty", "axl_score.csv"),
]


CLOSER = [
    ("content-repeated", "axl_anatomic.nii.gz"),
    ("label-specks", "axl_inference.nii.gz"),
    ("label-specks", "cor_inference.nii.gz"),
    ("scores-slice-empty", "axl_score.csv"),
    ("scores-slice-missing", "axl_score.csv"),
]
"""What a closer look finds: the planes have one volume, few voxels, none of them in frame 1."""


def test_every_rule_is_applied_errors_first(tmp_path: Path) -> None:
    found = nk.check(nk.scan(faulty(tmp_path)))
    assert isinstance(found, Findings)
    seen = [(f.code, f.path) for f in found]
    assert [each for each in seen if each not in CLOSER] == FOUND
    assert {each for each in seen if each not in FOUND} == set(CLOSER)
    order = {"error": 0, "warning": 1, "note": 2}
    assert seen == [(f.code, f.path) for f in sorted(found, key=lambda f: order[f.severity])]


def test_headers_alone_show_what_needs_no_voxels(tmp_path: Path) -> None:
    found = nk.check(nk.scan(faulty(tmp_path)), voxels=False)
    assert [(f.code, f.path) for f in found] == [FOUND[0], FOUND[2]]


def test_no_voxel_is_read_for_the_headers(tmp_path: Path) -> None:
    dataset = nk.scan(write_planes(tmp_path))
    for path in tmp_path.iterdir():
        path.unlink()
    assert nk.check(dataset, voxels=False).ok
    assert [f.code for f in nk.check(dataset)] == ["file-unreadable"] * 6


def test_a_plan_sees_the_damaged_volumes_that_check_sees(tmp_path: Path) -> None:
    dataset = nk.scan(write_planes(tmp_path))
    for plane in ("axl", "cor", "sag"):
        path = tmp_path / f"{plane}_anatomic.nii.gz"
        path.write_bytes(bytes(path.stat().st_size))
    plan = nk.plan(dataset)
    assert plan.blockers == nk.check(dataset).errors
    assert [(f.code, f.path) for f in plan.blockers] == [
        ("file-unreadable", f"{plane}_anatomic.nii.gz") for plane in ("axl", "cor", "sag")
    ]


def test_what_check_has_read_is_not_read_again_for_the_plan(tmp_path: Path) -> None:
    dataset = nk.scan(write_planes(tmp_path))
    nk.check(dataset)
    for path in tmp_path.glob("*.nii.gz"):
        path.write_bytes(b"")
    assert nk.plan(dataset).findings == Findings()


@pytest.mark.parametrize(
    "waive",
    [["scores-layer-outside", "mask-translated"], ("mask-translated", "scores-layer-outside")],
)
def test_what_is_waived_is_kept_and_does_not_block(waive: list[str], tmp_path: Path) -> None:
    found = nk.check(nk.scan(faulty(tmp_path)), waive=waive)
    assert found.ok
    assert [(f.code, f.path) for f in found.waived] == FOUND[:2]
    assert len(found) == len(nk.check(nk.scan(tmp_path)))


def test_one_code_may_be_waived_by_its_name_alone(tmp_path: Path) -> None:
    found = nk.check(nk.scan(faulty(tmp_path)), waive="mask-translated")
    assert [f.code for f in found.errors] == ["scores-layer-outside"]


def test_waiving_an_unknown_code_raises(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="Did you mean planes-incomplete"):
        nk.check(nk.scan(write_planes(tmp_path)), waive="plane-incomplete")


def test_a_missing_plane_can_be_waived(tmp_path: Path) -> None:
    dataset = nk.scan(write_planes(tmp_path, ("axl", "cor")))
    assert [f.code for f in nk.check(dataset).errors] == ["planes-incomplete"]
    assert nk.check(dataset, waive="planes-incomplete").ok


def test_checking_twice_finds_the_same(tmp_path: Path) -> None:
    dataset = nk.scan(faulty(tmp_path))
    assert nk.check(dataset) == nk.check(dataset)
    assert dataset.findings == nk.scan(tmp_path).findings


def test_a_plan_has_what_check_finds_without_a_closer_look(tmp_path: Path) -> None:
    dataset = nk.scan(faulty(tmp_path))
    planned, checked = nk.plan(dataset).findings, nk.check(dataset)
    own = [one for one in planned if one.code != "scores-slice-empty"]  # the boxes say so too
    assert own == list(Findings(checks.findings_of(dataset, voxels=True)))
    assert [(f.code, f.path) for f in own] == FOUND
    assert len(planned) == len(own) + 1
    assert set(planned) < set(checked)
    assert planned.errors == checked.errors


def test_sound_data_have_no_findings(tmp_path: Path) -> None:
    for number, plane in enumerate(("axl", "cor", "sag")):
        mask = np.zeros(SHAPE, np.uint8)
        mask[0:2, 0:5, 2:4] = 1
        mask[2 + number // 2 : 5, 1:6, 3 : 5 + number] = 2
        write_nifti(tmp_path / f"{plane}_anatomic.nii.gz", volume() + np.int16(number))
        write_nifti(tmp_path / f"{plane}_inference.nii.gz", mask)
    (tmp_path / "cls_color_map.txt").write_text("1 Femur\n2 Tibia")
    (tmp_path / "axl_score.csv").write_text("Layer,Label-1\n3,0.5\n4,0.6\n")
    assert nk.check(nk.scan(tmp_path)) == Findings()
