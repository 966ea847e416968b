"""check: every rule on every file, errors first; what a person waives does not block."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders import labels, write_nifti, write_planes

import nifti_kit as nk
from nifti_kit import checks
from nifti_kit.findings import Findings


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
    ("value-without-class", "axl_inference.nii.gz"),
    ("value-without-class", "cor_inference.nii.gz"),
]


def test_every_rule_is_applied_errors_first(tmp_path: Path) -> None:
    found = nk.check(nk.scan(faulty(tmp_path)))
    assert isinstance(found, Findings)
    assert [(f.code, f.path) for f in found] == FOUND
    assert found.summary() == "2 errors, 5 warnings"


def test_headers_alone_show_what_needs_no_voxels(tmp_path: Path) -> None:
    found = nk.check(nk.scan(faulty(tmp_path)), voxels=False)
    assert [(f.code, f.path) for f in found] == [FOUND[0], FOUND[2]]


def test_no_voxel_is_read_for_the_headers(tmp_path: Path) -> None:
    dataset = nk.scan(write_planes(tmp_path))
    for path in tmp_path.iterdir():
        path.unlink()
    assert nk.check(dataset, voxels=False).ok
    assert [f.code for f in nk.check(dataset)] == ["file-unreadable"] * 6


def test_a_plan_reads_no_volume(tmp_path: Path) -> None:
    dataset = nk.scan(write_planes(tmp_path))
    for plane in ("axl", "cor", "sag"):
        path = tmp_path / f"{plane}_anatomic.nii.gz"
        path.write_bytes(bytes(path.stat().st_size))
    assert nk.plan(dataset).findings == Findings()


@pytest.mark.parametrize(
    "waive",
    [["scores-layer-outside", "mask-translated"], ("mask-translated", "scores-layer-outside")],
)
def test_what_is_waived_is_kept_and_does_not_block(waive: list[str], tmp_path: Path) -> None:
    found = nk.check(nk.scan(faulty(tmp_path)), waive=waive)
    assert found.ok
    assert [(f.code, f.path) for f in found.waived] == FOUND[:2]
    assert len(found) == len(FOUND)


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


def test_check_and_plan_find_the_same(tmp_path: Path) -> None:
    dataset = nk.scan(faulty(tmp_path))
    assert nk.plan(dataset).findings == Findings(checks.findings_of(dataset, voxels=True))
    assert nk.plan(dataset).findings == nk.check(dataset)


def test_sound_data_have_no_findings(tmp_path: Path) -> None:
    write_planes(tmp_path)
    (tmp_path / "cls_color_map.txt").write_text("1 Femur\n2 Tibia")
    (tmp_path / "axl_score.csv").write_text("Layer,Label-1\n1,0.5\n")
    assert nk.check(nk.scan(tmp_path)) == Findings()
