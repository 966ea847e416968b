"""Data-set cards: what landed in a page of Markdown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import nifti_kit as nk
from nifti_kit.core.findings import Findings
from nifti_kit.transfer.card import escaped
from nifti_kit.transfer.receipt import Receipt
from tests.support.builders import labels
from tests.support.landings import land, quiet, write_scored_planes, write_volumes
from tests.transfer.test_provenance import moved_mask, sha256


@pytest.fixture
def target(tmp_path: Path) -> nk.ProjectFolder:
    return nk.ProjectFolder(tmp_path / "home" / "knees", dataset="d")


def section(card: str, heading: str) -> str:
    """Return what stands below a heading."""
    return card.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of a table's rows, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [re.split(r"(?<!\\) \| ", line[2:-2]) for line in lines[2:]]


def test_a_card_says_what_it_is_and_how_much(tmp_path: Path, target: nk.ProjectFolder) -> None:
    receipt = land(write_scored_planes(tmp_path / "home" / "knee"), target)
    card = receipt.to_card()
    assert card.startswith("# Data set: knee\n\n3 volumes with 6 objects, from NIfTI files, ")
    assert "landed on the project knees on 20" in card
    facts = {name: cell for name, *cell in rows(card.partition("\n## ")[0])}
    assert facts["Scores"] == ["3 on slices"]
    assert facts["Datasets"] == ["d (3 volumes)"]
    voxels = int((labels() == 1).sum()) * 3
    ml = sum(one.planned.mm3 for one in receipt.objects if one.planned.value == 1) / 1000
    assert rows(section(card, "Classes"))[0] == [
        "Femur", "\\#FF0000", "3", str(voxels), f"{ml:.4g}",
    ]  # fmt: skip
    (mask,) = [
        row for row in rows(section(card, "Made with")) if row[0] == "sag\\_inference.nii.gz"
    ]
    assert mask[1] == sha256(tmp_path / "home/knee/sag_inference.nii.gz")


def test_voxel_sizes_are_those_of_the_volumes_and_counted(
    tmp_path: Path, target: nk.ProjectFolder
) -> None:
    receipt = land(write_volumes(tmp_path / "in"), target)
    size = " x ".join(f"{mm:.3g}" for mm in receipt.items[0].volume.grid.voxel_size)
    assert f"| {size} (3 volumes) |" in receipt.to_card()


def test_no_folder_is_named(tmp_path: Path, target: nk.ProjectFolder) -> None:
    source = write_volumes(tmp_path / "home" / "in", {"A": {"liver": (1,)}})
    (source / "A" / "lung.nii.gz").write_bytes(b"\x1f\x8b cut")
    land(source, target, waive="file-unreadable")
    receipt = land(source, target, waive="file-unreadable", existing="replace")
    assert receipt.backup is not None
    card = receipt.to_card()
    assert str(tmp_path) not in card
    assert "home" not in card


def test_what_was_decided_is_on_the_card(tmp_path: Path, target: nk.ProjectFolder) -> None:
    source = moved_mask(tmp_path / "in")
    (source / "A" / "lung.nii.gz").write_bytes(b"\x1f\x8b cut")
    waive = ["mask-translated", ("file-unreadable", "A/lung.nii.gz")]
    card = land(source, target, waive=waive).to_card()
    assert rows(section(card, "Left out"))[0][:2] == ["A/lung.nii.gz", "file-unreadable"]
    accepted = rows(section(card, "Landed with accepted errors"))
    assert [row[:2] for row in accepted] == [["A/liver.nii.gz", "mask-translated"]]
    assert [row[:2] for row in rows(section(card, "Waivers"))] == [
        ["all", "mask-translated"],
        ["A/lung.nii.gz", "file-unreadable"],
    ]
    assert section(card, "Repairs").strip() == "None."


def test_a_repair_is_on_the_card(tmp_path: Path, target: nk.ProjectFolder) -> None:
    repair = nk.repairs.take_header(nk.scan(moved_mask(tmp_path / "in")), "A/liver.nii.gz")
    card = nk.upload(nk.plan(repair.dataset), target, on_progress=quiet).to_card()
    (row,) = rows(section(card, "Repairs"))
    assert row[:2] == ["A/liver.nii.gz", escaped(repair.dataset.mended[0].what)]


def test_names_are_no_markup(tmp_path: Path, target: nk.ProjectFolder) -> None:
    names = {"<img src=x>|`a` [b](c)": (1,), "$x$ **bold** @me\u202e": (1,)}
    card = land(write_volumes(tmp_path / "in", {"# head": names}), target).to_card()
    bare = re.sub(r"\\[^\w\s]", "", card).replace("<details><summary>", "")
    bare = bare.replace("</summary>", "").replace("</details>", "")
    assert not re.search(r"[<>`\[\]$*@\u202e]", bare)
    table = [line for line in card.splitlines() if "img" in line]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {6, 4}


def test_it_is_saved_by_its_ending(tmp_path: Path, target: nk.ProjectFolder) -> None:
    receipt = land(write_volumes(tmp_path / "in"), target)
    receipt.save(tmp_path / "card.md")
    assert (tmp_path / "card.md").read_text("utf-8") == receipt.to_card()


def test_of_nothing_it_says_so() -> None:
    card = Receipt("a target", (), Findings()).to_card()
    assert "0 volumes with 0 objects" in card
    assert "Classes" not in card
