"""What may be of another patient is told by receipt and proof, and is never plain green."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import nifti_kit as nk
from nifti_kit.core import html
from nifti_kit.widgets.upload.model import UploadModel
from tests.support.bodies import exchanged, usual, write_bodies
from tests.support.builders import labels, volume, write_nifti

MASK = "P01/P02_axl_inference.nii"


def landed(folder: Path, mask: str) -> tuple[nk.Receipt, nk.Proof]:
    write_nifti(folder / "in/P01/axl_anatomic.nii", volume())
    write_nifti(folder / "in" / mask, labels())
    plan = nk.plan(nk.scan(folder / "in"), waive=["planes-incomplete"])
    target = nk.ProjectFolder(folder / "p", dataset="d")
    receipt = nk.upload(plan, target, on_progress=lambda _: None)
    return receipt, nk.verify(receipt, target)


def test_a_doubt_is_in_title_lines_and_tone(tmp_path: Path) -> None:
    receipt, proof = landed(tmp_path, MASK)
    assert proof.ok
    for result in (receipt, proof):
        assert "; 2 objects may be of another patient (case-differs)" in result.title()
        assert result.tone == "warning"
        assert f"Doubtful: case-differs, {MASK}: 'P02_axl_inference' says 2" in repr(result)
        assert html.TONES["warning"] in result._repr_html_()
        (doubt,) = json.loads(result.to_json())["doubts"]
        assert (doubt["code"], doubt["path"]) == ("case-differs", MASK)


def test_without_a_doubt_nothing_is_said(tmp_path: Path) -> None:
    receipt, proof = landed(tmp_path, "P01/P01_axl_inference.nii")
    for result in (receipt, proof):
        assert "another patient" not in repr(result)
        assert json.loads(result.to_json())["doubts"] == []


@pytest.mark.parametrize("existing", ["skip", "append"])
def test_what_stays_of_a_class_that_landed_is_told(tmp_path: Path, existing: str) -> None:
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    for place in (1, 2):
        source = tmp_path / f"in{place}"
        write_nifti(source / "CT.nii", volume())
        write_nifti(source / "CT/liver.nii", labels(values=(0,) * (place - 1) + (1,)))
        plan = nk.plan(nk.scan(source), target=target)
        receipt = nk.upload(plan, target, existing=existing, on_progress=lambda _: None)
        proof = nk.verify(receipt, target)
        assert proof.ok
        assert proof.tone == ("good" if place == 1 else "warning")
    assert "; 1 object of others on these volumes (1 of a class that landed)" in proof.title()
    assert "a 3D figure, which was there before and stayed" in repr(proof)


def test_what_stands_out_is_told_where_the_voxels_were_looked_at(tmp_path: Path) -> None:
    dataset = nk.scan(write_bodies(tmp_path / "in", usual(7, 5), {3: exchanged}))
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    model = UploadModel(dataset, target, waive=["planes-incomplete"])
    model.plan()
    model.planning.join()
    assert "outlier-place" not in {found.code for found in model.planned.findings}
    nk.check(dataset)
    assert "outlier-place" in {found.code for found in nk.plan(dataset).findings}
    model.upload()
    model.landing.join()
    assert "may be of another patient (outlier-place)" in model.receipt.title()
    assert "may be of another patient (outlier-place)" in nk.verify(model.receipt, target).title()
