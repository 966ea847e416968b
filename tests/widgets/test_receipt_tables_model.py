"""Receipt and proof as tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.core.findings import Findings, finding
from nifti_kit.transfer.proof import ExtraObject, Proof, ProofRow
from nifti_kit.widgets.upload.tables import ReceiptTables, first_line
from tests.support.landings import land, write_volumes


@pytest.fixture
def target(tmp_path: Path) -> nk.ProjectFolder:
    return nk.ProjectFolder(tmp_path / "project", "knees")


@pytest.fixture
def receipt(tmp_path: Path, target: nk.ProjectFolder) -> Any:
    return land(write_volumes(tmp_path / "source", {"A": {"femur": (1, 2)}}), target)


def test_each_object_that_landed_is_a_row(receipt: Any) -> None:
    evidence = ReceiptTables()
    evidence.show_receipt(receipt)
    first, second = evidence.landed.rows
    assert first.cells == {
        "volume id": 1,
        "volume": "A.nrrd",
        "object id": 1,
        "class": "femur",
        "value": 1,
        "voxels": 5,
        "scores": 0,
        "from": "A/femur.nii.gz",
    }
    assert second.cells["value"] == 2
    evidence.show_receipt(None)
    assert evidence.landed.rows == ()


def test_each_comparison_is_a_row_with_a_verdict(receipt: Any, target: nk.ProjectFolder) -> None:
    evidence = ReceiptTables()
    evidence.show_proof(nk.verify(receipt, target))
    kinds = [(row.cells["kind"], row.cells["name"], row.tone) for row in evidence.proved.rows]
    assert kinds == [("volume", "", "good"), *[("object", "femur", "good")] * 2]
    assert {row.cells["verdict"] for row in evidence.proved.rows} == {"as meant"}
    evidence.show_proof(None)
    assert evidence.proved.rows == ()


def test_a_row_with_accepted_errors_is_as_meant_and_not_good(
    receipt: Any, target: nk.ProjectFolder
) -> None:
    error = finding("mask-translated", "A/femur.nii.gz", "moved")
    proof = nk.verify(receipt, target)
    proof.accepted = (error,)
    evidence = ReceiptTables()
    evidence.show_proof(proof)
    rows = [(row.cells["kind"], row.cells["verdict"], row.tone) for row in evidence.proved.rows]
    accepted = ("object", "as meant, with accepted errors", "warning")
    assert rows == [accepted, accepted, ("volume", "as meant", "good")]
    assert evidence.proved.rows[0].cells["problem"] == "accepted: mask-translated"
    receipt.findings = Findings([error], ["mask-translated"])
    receipt.provenance = replace(receipt.provenance, waivers=("mask-translated",))
    evidence.show_receipt(receipt)
    assert [row.tone for row in evidence.landed.rows] == ["warning", "warning"]


def test_what_differs_comes_first_with_its_reason() -> None:
    facts: tuple[Any, ...] = ("object", "A.nrrd", "femur", 1, "f.nii", 10, 0, 0.0)
    good = ProofRow(*facts, class_ok=True, scores_ok=True)
    other = ProofRow(*facts, class_ok=False, scores_ok=False)
    gone = ProofRow(*facts[:5], problem="it is not on the target")
    evidence = ReceiptTables()
    evidence.show_proof(Proof((good, other, gone)))
    assert [(row.cells["problem"], row.tone) for row in evidence.proved.rows] == [
        ("class or colour differ; scores differ", "error"),
        ("it is not on the target", "error"),
        ("", "good"),
    ]
    assert evidence.proved.rows[0].cells["verdict"] == "NOT as meant"


def test_objects_of_others_come_last_and_are_no_problem() -> None:
    facts: tuple[Any, ...] = ("object", "A.nrrd", "femur", 1, "f.nii", 10, 0, 0.0)
    good = ProofRow(*facts, class_ok=True, scores_ok=True)
    surplus = ProofRow("surplus", "A.nrrd", "femur", None, "", problem="twice")
    extra = ExtraObject("A.nrrd", 12, "Bone", "a 3D figure")
    evidence = ReceiptTables()
    evidence.show_proof(Proof((good, surplus), extra=(extra,)))
    shown = [(r.cells["verdict"], r.cells["problem"], r.tone) for r in evidence.proved.rows]
    assert shown == [
        ("NOT as meant", "twice", "error"),
        ("as meant", "", "good"),
        ("of others", "", ""),
    ]
    last = evidence.proved.rows[-1].cells
    assert (last["kind"], last["name"]) == ("object 12, a 3D figure", "Bone")


def test_a_title_is_the_first_line(receipt: Any) -> None:
    assert first_line(receipt).endswith("1 volume, 2 objects, 0 scores")
    assert first_line(None) == ""
