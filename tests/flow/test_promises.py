"""The three promises: nothing is lost silently, right in space, never guess."""

from __future__ import annotations

import filecmp
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.errors import PlanBlocked
from tests.support import oracle
from tests.support.builders import SAMPLES

SAMPLE = SAMPLES / "scores"


def land(source: Path, out: Path) -> tuple:
    plan = nk.plan(nk.scan(source))
    target = nk.ProjectFolder(out, dataset="d")
    receipt = nk.upload(plan, target, on_progress=lambda _: None)
    return plan, receipt, nk.verify(receipt, target)


def plant(folder: Path) -> tuple[int, int]:
    """Add a stray file, an unknown label value and a score for an absent value."""
    shutil.copytree(SAMPLE, folder)
    (folder / "notes from the scanner.pdf").write_bytes(b"%PDF-1.4")
    (folder / "cls_color_map.txt").write_text(
        "1 Bone 255 0 0\n2 Fat 0 255 0\n3 Cord 0 0 255\n4 Muscle 9 9 9\n"
    )
    mask = folder / "axl_inference.nii.gz"
    image = nib.load(mask)
    data = np.asanyarray(image.dataobj).copy()
    background = tuple(np.argwhere(data == 0)[7])
    data[background] = 77
    nib.save(nib.Nifti1Image(data, image.affine, image.header), mask)
    table = folder / "axl_score.csv"
    lines = table.read_text().splitlines()
    lines[0] += ", Label-55"
    lines[1] += ", 0.31"
    lines[2:] = [line + ", " for line in lines[2:]]
    table.write_text("\n".join(lines) + "\n")
    return background, data.shape


def test_what_does_not_fit_is_named_and_nothing_else_changes(tmp_path: Path) -> None:
    clean = tmp_path / "clean"
    shutil.copytree(SAMPLE, clean)
    (clean / "cls_color_map.txt").write_text(
        "1 Bone 255 0 0\n2 Fat 0 255 0\n3 Cord 0 0 255\n4 Muscle 9 9 9\n"
    )
    plant(tmp_path / "planted")
    _, before, _ = land(clean, tmp_path / "before")
    plan, receipt, proof = land(tmp_path / "planted", tmp_path / "after")
    assert proof.ok
    assert not before.findings

    found = {finding.code: finding for finding in receipt.findings}
    assert set(found) == {"file-unused", "value-without-class", "scores-without-value"}
    assert found["file-unused"].path == "notes from the scanner.pdf"
    assert found["value-without-class"].path == "axl_inference.nii.gz"
    assert "value 77 (1 voxel)" in found["value-without-class"].message
    assert found["scores-without-value"].path == "axl_score.csv"
    assert "Label-55" in found["scores-without-value"].message
    assert "1 scores" in found["scores-without-value"].message
    assert list(plan.findings) == list(receipt.findings)
    assert [path.name for path in nk.scan(tmp_path / "planted").unused] == [
        "notes from the scanner.pdf"
    ]

    old, new = (oracle.read_project(tmp_path / name, "d") for name in ("before", "after"))
    assert old.keys == new.keys
    extra = [landed for landed in new.objects if landed.class_name == "Segment_77"]
    assert [landed.positions.shape for landed in extra] == [(1, 3)]
    kept = [landed for landed in new.objects if landed.class_name != "Segment_77"]
    for ours, theirs in zip(old.objects, kept, strict=True):
        assert (ours.volume, ours.class_name, ours.color) == (
            theirs.volume,
            theirs.class_name,
            theirs.color,
        )
        np.testing.assert_array_equal(ours.positions, theirs.positions)
        assert ours.custom_data == theirs.custom_data
    for path in (tmp_path / "before" / "d" / "volume").iterdir():
        assert filecmp.cmp(path, tmp_path / "after" / "d" / "volume" / path.name, shallow=False)


def test_the_source_is_left_as_it_was(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "multi_item", tmp_path / "in")
    before = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in (tmp_path / "in").rglob("*")}
    land(tmp_path / "in", tmp_path / "out")
    after = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in (tmp_path / "in").rglob("*")}
    assert after == before


def test_an_error_blocks_until_a_person_waives_it_by_name(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "by_plane_semantic", tmp_path / "in")
    (tmp_path / "in" / "sag_anatomic.nii.gz").unlink()
    (tmp_path / "in" / "sag_inference.nii.gz").unlink()
    dataset = nk.scan(tmp_path / "in")
    plan = nk.plan(dataset)
    assert list(plan.blockers.by_code()) == ["planes-incomplete"]
    target = nk.ProjectFolder(tmp_path / "out", dataset="d")
    with pytest.raises(PlanBlocked, match="no volume of plane sag"):
        nk.upload(plan, target)
    assert not (tmp_path / "out").exists()

    waived = nk.plan(dataset, waive="planes-incomplete")
    receipt = nk.upload(waived, target, on_progress=lambda _: None)
    assert [finding.code for finding in receipt.findings.waived] == ["planes-incomplete"]
    assert sorted(oracle.read_project(tmp_path / "out", "d").volumes) == [
        "axl_anatomic.nrrd",
        "cor_anatomic.nrrd",
    ]


def test_a_damaged_mask_blocks_the_upload_and_is_named(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "by_plane_semantic", tmp_path / "in")
    mask = tmp_path / "in" / "cor_inference.nii.gz"
    mask.write_bytes(mask.read_bytes()[:-200])
    plan = nk.plan(nk.scan(tmp_path / "in"))
    assert [(f.code, f.path) for f in plan.blockers] == [
        ("file-unreadable", "cor_inference.nii.gz")
    ]


def test_check_reads_volumes_too_and_finds_a_damaged_one(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "by_plane_semantic", tmp_path / "in")
    volume = tmp_path / "in" / "cor_anatomic.nii.gz"
    volume.write_bytes(volume.read_bytes()[:-200])
    dataset = nk.scan(tmp_path / "in")
    assert nk.check(dataset, voxels=False).ok
    assert [(f.code, f.path) for f in nk.check(dataset).errors] == [
        ("file-unreadable", "cor_anatomic.nii.gz")
    ]
