"""What may be of another patient is told by receipt and proof, and is never plain green."""

from __future__ import annotations

import json
from pathlib import Path

import nifti_kit as nk
from nifti_kit.core import html
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
