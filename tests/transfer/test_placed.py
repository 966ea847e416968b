"""What lies where a person put it is told by receipt and proof, and is never plain green."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.core import html
from tests.support.builders import AFFINE, labels, volume, write_nifti

MASK = "A/<b>lung.nii"


@pytest.fixture
def target(tmp_path: Path) -> nk.ProjectFolder:
    return nk.ProjectFolder(tmp_path / "p", dataset="d")


def two_volumes(folder: Path, affine: Any = AFFINE) -> Any:
    """Return a data set: A with a mask, and B 193 mm away."""
    far = AFFINE.copy()
    far[0, 3] += 193
    write_nifti(folder / "A.nii", volume())
    write_nifti(folder / "B.nii", volume() + 1, far)
    write_nifti(folder / MASK, labels(), affine)
    return nk.scan(folder)


def landed(dataset: Any, target: nk.ProjectFolder) -> tuple[nk.Receipt, nk.Proof]:
    receipt = nk.upload(nk.plan(dataset), target, on_progress=lambda _: None)
    return receipt, nk.verify(receipt, target)


def test_a_mask_that_took_a_header_is_named_in_the_title(
    tmp_path: Path, target: nk.ProjectFolder
) -> None:
    lost = two_volumes(tmp_path / "in", np.eye(4))
    dataset = nk.repairs.relabel(nk.repairs.take_header(lost, MASK).dataset, MASK, {1: 5}).dataset
    receipt, proof = landed(dataset, target)
    said = f"; 2 objects lie where a person put them (take_header: {MASK})"
    assert proof.ok
    assert proof.title().startswith(f"Proof: verified{said}; ")
    assert receipt.title().endswith(said)
    assert (receipt.tone, proof.tone) == ("warning", "warning")
    for result in (receipt, proof):
        assert f"Put by a person: {MASK}: took the header of A.nii; " in repr(result)
        shown = result._repr_html_()
        assert html.TONES["warning"] in shown
        assert "<b>lung" not in shown
        assert json.loads(result.to_json())["repairs"][0]["placed"] == "take_header"


@pytest.mark.parametrize("with_header", [False, True])
def test_a_mask_that_was_given_to_a_volume_is_named(
    tmp_path: Path, target: nk.ProjectFolder, with_header: bool
) -> None:
    dataset = nk.rescan(two_volumes(tmp_path / "in"), volumes={MASK: "B.nii"})
    if with_header:
        dataset = nk.repairs.take_header(dataset, MASK).dataset
    else:  # its own volume speaks for it
        dataset = nk.rescan(dataset, volumes={MASK: "A.nii"})
    receipt, proof = landed(dataset, target)
    step = "volumes, take_header" if with_header else "volumes"
    said = f"2 objects lie where a person put them ({step}: {MASK})"
    assert said in proof.title()
    assert said in receipt.title()
    assert (receipt.tone, proof.tone) == ("warning", "warning")
    name = "B.nii" if with_header else "A.nii"
    assert f"of the volume {name}, as was chosen" in receipt.to_card()


def test_axes_and_forms_are_a_persons_word_too(tmp_path: Path, target: nk.ProjectFolder) -> None:
    write_nifti(tmp_path / "in/A.nii", volume())
    write_nifti(tmp_path / "in/A/lung.nii", np.ascontiguousarray(labels().transpose(2, 1, 0)))
    dataset = nk.repairs.reorder_axes(nk.scan(tmp_path / "in"), "A/lung.nii").dataset
    dataset = nk.repairs.use_form(dataset, "A.nii", "sform").dataset
    _, proof = landed(dataset, target)
    said = "; 1 volume and 2 objects lie where a person put them ("
    assert said in proof.title()
    assert "reorder_axes: A/lung.nii" in proof.title()
    assert "use_form: A.nii" in proof.title()


def test_what_was_left_out_after_it_lies_nowhere(tmp_path: Path, target: nk.ProjectFolder) -> None:
    dataset = nk.repairs.take_header(two_volumes(tmp_path / "in", np.eye(4)), MASK).dataset
    receipt, proof = landed(nk.rescan(dataset, leave_out=MASK), target)
    assert "a person put" not in proof.title() + receipt.title()
    assert (receipt.tone, proof.tone) == ("", "good")


def test_one_that_lies_where_its_own_file_says_is_plain(
    tmp_path: Path, target: nk.ProjectFolder
) -> None:
    dataset = two_volumes(tmp_path / "in")
    dataset = nk.repairs.relabel(dataset, MASK, {1: 5}).dataset
    receipt, proof = landed(dataset, target)
    assert "a person put" not in proof.title() + receipt.title()
    assert (receipt.tone, proof.tone) == ("", "good")


@pytest.mark.parametrize(("move", "is_word"), [(10.0, True), (0.0, False)])
def test_a_mask_that_lies_beside_its_volume_is_put_there_by_a_word(
    tmp_path: Path, target: nk.ProjectFolder, move: float, is_word: bool
) -> None:
    fine = AFFINE @ np.diag([0.5, 0.5, 0.5, 1])
    fine[:3, 3] = (AFFINE @ [-0.25, -0.25, -0.25, 1])[:3]
    fine[2, 3] += move
    small = labels().repeat(2, 0).repeat(2, 1).repeat(2, 2)
    write_nifti(tmp_path / "in/A.nii", volume())
    write_nifti(tmp_path / "in/A/lung.nii", small, fine)
    dataset = nk.repairs.resample(nk.scan(tmp_path / "in"), "A/lung.nii").dataset
    _, proof = landed(dataset, target)
    assert ("a person put them (resample: A/lung.nii)" in proof.title()) == is_word
    assert proof.tone == ("warning" if is_word else "good")
