"""Plans, receipts and proofs of many objects: a repr shows the first, and says where the rest is.

What is saved is whole.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.plans.left_out import LeftOut, left_out_lines
from nifti_kit.plans.plan import Plan
from nifti_kit.transfer.receipt import Receipt
from tests.support.builders import write_nifti
from tests.support.landings import land, quiet

VALUES = 30
"""Objects of the one volume that is written."""


@pytest.fixture
def landed(tmp_path: Path) -> tuple[Plan, Receipt]:
    """Return a plan of one volume with 30 objects, and the receipt."""
    write_nifti(tmp_path / "in/CT.nii.gz", np.zeros((4, 4, 4), "i2"))
    mask = np.arange(64, dtype="u1").reshape(4, 4, 4) % (VALUES + 1)
    write_nifti(tmp_path / "in/CT/organs.nii.gz", mask)
    plan = nk.plan(nk.scan(tmp_path / "in"))
    return plan, nk.upload(plan, nk.ProjectFolder(tmp_path / "p", "d"), on_progress=quiet)


def times(shown: Any, count: int) -> Any:
    """Return a plan or a receipt that has its items so many times."""
    return replace(shown, items=shown.items * count)


def saved(receipt: Receipt, folder: Path) -> str:
    receipt.save(folder / "receipt.html")
    return (folder / "receipt.html").read_text("utf-8")


@pytest.mark.parametrize("count", [20, 21])
def test_beyond_the_rows_of_a_repr_objects_are_counted(
    count: int, landed: tuple[Plan, Receipt], tmp_path: Path
) -> None:
    plan, receipt = (times(one, count) for one in landed)
    for shown in (plan, receipt):
        markup = shown._repr_html_()
        # The header of each table, and a row each for 500 objects of 600 or 630.
        assert markup.count("<tr>") == count + 500
        assert markup.count("<details") == count
        assert "<p>... and 10 more objects; all are in to_frame()</p>" in markup
        assert markup.count("... and 30 more objects") == count - 17
        assert len(shown.to_frame()) == VALUES * count
    assert repr(plan).count("organs: value") == 500
    assert repr(plan).count("    ... and 30 more objects; all are in to_frame()") == count - 17
    assert saved(receipt, tmp_path).count("<tr>") == (VALUES + 1) * count
    (volume, *_) = json.loads(receipt.to_json())["volumes"]
    assert len(volume["objects"]) == VALUES


def test_beyond_the_volumes_of_a_repr_they_are_counted(
    landed: tuple[Plan, Receipt], tmp_path: Path
) -> None:
    plan, receipt = (times(one, 203) for one in landed)
    for shown, noun in ((plan, "items"), (receipt, "volumes")):
        rest = f"... and 3 more {noun}; all are in items and to_frame()"
        assert shown._repr_html_().count("<details") == 200
        assert f"<p>{rest}</p>" in shown._repr_html_()
        assert f"  {rest}" in repr(shown).splitlines()
    page = saved(receipt, tmp_path)
    assert page.count("<details") == 203
    assert "more" not in page


def test_no_more_than_fits_is_as_it_was(landed: tuple[Plan, Receipt], tmp_path: Path) -> None:
    plan, receipt = landed
    for shown in (plan, receipt):
        assert "... and" not in shown._repr_html_() + repr(shown)
    assert receipt._repr_html_() in saved(receipt, tmp_path)


def test_ten_thousand_objects_are_half_a_megabyte(landed: tuple[Plan, Receipt]) -> None:
    plan, receipt = landed
    count = 10_000 // VALUES + 1
    one_each = [replace(plan, items=(replace(one, objects=one.objects[:1]),)) for one in plan.items]
    for shown in (times(plan, count), times(receipt, count), times(one_each[0], 10_000)):
        assert len(shown._repr_html_()) + len(repr(shown)) < 500_000


def test_files_that_do_not_land_are_counted_beyond_some(
    landed: tuple[Plan, Receipt], tmp_path: Path
) -> None:
    lost = tuple(LeftOut(f"f{n:02}.nii", "mask-empty", "empty") for n in range(53))
    receipt = replace(landed[1], left_out=lost)
    for lines in (receipt._repr_html_(), repr(receipt)):
        assert lines.count("Left out: ") == 50
        assert "... and 3 more files; all are in left_out" in lines
    assert saved(receipt, tmp_path).count("Left out: ") == 53
    proof = nk.transfer.proof.Proof((), lost)
    assert proof._repr_html_().count("Left out: ") == 50
    assert "... and 33 more files; all are in left_out" in repr(proof)
    proof.save(tmp_path / "proof.html")
    assert (tmp_path / "proof.html").read_text("utf-8").count("Left out: ") == 53
    assert left_out_lines(lost[:50]) == [f"Left out: {one}" for one in lost[:50]]


def test_the_rows_of_updates_are_counted_too(tmp_path: Path) -> None:
    source = tmp_path / "in"
    write_nifti(source / "axl_anatomic.nii.gz", np.zeros((4, 4, 4), "i2"))
    mask = np.arange(64, dtype="u1").reshape(4, 4, 4) % 4
    write_nifti(source / "axl_inference.nii.gz", mask)
    target = nk.ProjectFolder(tmp_path / "p", "d")
    land(source, target, waive="planes-incomplete")
    table = tmp_path / "scores" / "axl_score.csv"
    table.parent.mkdir()
    table.write_text("Layer,Label-1,Label-2,Label-3\n1,0.1,0.2,0.3\n")
    plan = nk.plan(nk.scan(table.parent, score_frames="ras"), target=target)
    receipt = nk.upload(plan, target, on_progress=quiet)
    assert len(plan.updates) == 3
    for shown in (times(plan, 180), times(receipt, 180)):
        found = shown.findings._repr_html_().count("<tr>")
        assert shown._repr_html_().count("<tr>") == 180 + 500 + found
        assert "<p>... and 1 more row; all are in to_frame()</p>" in shown._repr_html_()
