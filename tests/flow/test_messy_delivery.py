"""Ten messy patients: what is offered for each finding, in order, ends in the right project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nifti_kit as nk
from tests.support.messy import FROM_ZERO, LOST, NEW_CLASS, NO_SAG, Truth, unlike, write_delivery
from tests.support.oracle import read_project


def quiet(*_: Any) -> None:
    """No bar."""


def landed(dataset: Any, folder: Path, truth: dict[str, Truth], waive: Any = ()) -> list[str]:
    """Upload a data set and prove it; return what differs from what should have landed."""
    target = nk.ProjectFolder(folder, dataset="d")
    plan = nk.plan(dataset, waive=waive)
    receipt = nk.upload(plan, target, on_progress=quiet)
    proof = nk.verify(receipt, target)
    assert proof.ok
    assert not receipt.accepted
    return unlike(truth, read_project(folder, "d"))


def mended(dataset: Any) -> tuple[Any, Any]:
    """Take the first thing that is offered, finding by finding; return the steps and what came."""
    steps = nk.Steps()
    while True:
        open_ = [f for f in nk.check(dataset) if f.severity == "error"]
        open_ += nk.check(dataset).by_code().get("value-without-class", ())
        if not open_:
            return steps, dataset
        offer = nk.offers(dataset, open_[0])[0]
        assert offer.kind != "accept"
        typed = {"name": NEW_CLASS} if any(one.name == "name" for one in offer.options) else {}
        steps, done = steps.take(dataset, offer.step(**typed))
        dataset = done.dataset


def test_first_offers_end_in_the_right_project_and_replay_on_the_next_delivery(
    tmp_path: Path,
) -> None:
    truth = write_delivery(tmp_path / "first")
    first = nk.scan(tmp_path / "first")
    steps, dataset = mended(first)
    assert len(steps) == 9
    assert landed(dataset, tmp_path / "p1", truth) == []
    steps.save(tmp_path / "steps.json")
    again = nk.read_steps(tmp_path / "steps.json")
    assert again == steps
    names: dict[str, Any] = {}
    exec(steps.code(tmp_path / "first"), names)
    assert [str(one) for one in names["plan"].items] == [str(one) for one in nk.plan(dataset).items]
    truth = write_delivery(tmp_path / "second", 2)
    replayed = again.apply(nk.scan(tmp_path / "second"))
    assert replayed.undone == ()
    assert not replayed.waive
    assert landed(replayed.dataset, tmp_path / "p2", truth) == []


def test_a_script_of_fifteen_lines_does_the_same(tmp_path: Path) -> None:
    truth = write_delivery(tmp_path / "in")
    script = f"""
dataset = nk.scan("in", classes={{42: {NEW_CLASS!r}}}, score_base=0, incomplete="{NO_SAG}",
    volumes={{"patient_04/axl_inference.nii.gz": "patient_09/AXL_ANATOMIC.NII.GZ"}})
dataset = nk.repairs.merge_frames(dataset, "patient_10/axl_inference.nii.gz").dataset
found = nk.check(dataset).by_code()
dataset = nk.repairs.take_header(dataset, found["mask-header-lost"]).dataset
dataset = nk.repairs.take_header(dataset, found["mask-mirrored"], order="stored").dataset
dataset = nk.repairs.resample(dataset, found["mask-resampled"]).dataset
dataset = nk.repairs.reorder_axes(dataset, found["mask-axes-exchanged"]).dataset
plan = nk.plan(dataset)
target = nk.ProjectFolder("project", dataset="d")
receipt = nk.upload(plan, target)
proof = nk.verify(receipt, target)
"""
    assert len(script.strip().splitlines()) <= 15
    names: dict[str, Any] = {"nk": nk}
    exec(
        script.replace('"in"', repr(str(tmp_path / "in"))).replace(
            '"project"', repr(str(tmp_path / "p"))
        ),
        names,
    )
    assert names["proof"].ok
    assert unlike(truth, read_project(tmp_path / "p", "d")) == []


def test_unmended_nothing_lands_and_every_fault_is_named(tmp_path: Path) -> None:
    write_delivery(tmp_path / "in")
    plan = nk.plan(nk.scan(tmp_path / "in"))
    assert {one.path.split("/")[0] for one in plan.blockers} >= {LOST, NO_SAG, FROM_ZERO}
    assert len({one.path.split("/")[0] for one in plan.blockers}) == 8
    assert "value-without-class" in plan.findings.by_code()
