"""Mending: offers of the chosen finding, looked at, taken, undone, saved, replayed."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.errors import NiftiKitError
from nifti_kit.repairs import masks
from nifti_kit.widgets.inspect.model import InspectModel
from nifti_kit.widgets.mending.model import told
from tests.repairs.test_steps import on_other_grids
from tests.support.builders import labels, volume, write_nifti, write_planes
from tests.support.messy import NEW_CLASS, unlike, write_delivery
from tests.support.oracle import read_project

MASKS = ("A/lung.nii", "B/lung.nii")


@pytest.fixture
def model(tmp_path: Path) -> InspectModel:
    """Two volumes, each with a mask that has lost its header; every voxel is read."""
    for name in ("A", "B"):
        write_nifti(tmp_path / "in" / f"{name}.nii", volume() + ord(name))
        write_nifti(tmp_path / "in" / name / "lung.nii", labels(values=(1,)), np.eye(4))
    found = InspectModel(tmp_path / "in")
    found.scan()
    found.join()
    return found


def select(model: InspectModel, code: str) -> None:
    model.findings.select(model.findings.findings.by_code()[code][0])


def take(model: InspectModel, offer: str | int = 0, **typed: Any) -> None:
    mending = model.mending
    mending.choose(offer)
    for name, value in typed.items():
        mending.fill(name, value)
    mending.look().join()
    mending.take()
    model.join()


def test_what_is_taken_is_what_the_app_shows_from_then_on(model: InspectModel) -> None:
    model.look_closer()
    model.join()
    model.choose("B.nrrd")
    select(model, "mask-header-lost")
    mending = model.mending
    assert mending.offers[0].kind == "repair"
    assert mending.take_blockers == ["Choose what to do."]
    mending.choose("Take the volume's header")
    assert mending.take_blockers == ["Look at before and after first."]
    with pytest.raises(NiftiKitError, match="before and after"):
        mending.take()
    mending.look().join()
    assert mending.seen.title() == "Repair: 1 file, 1 label"
    assert list(told(mending.seen)) == [
        (
            "A/lung.nii: took the header of A.nii. Before: header lost: 5 x 6 x 7 voxels, "
            "35.81 mm. After: same: 5 x 6 x 7 voxels, 0 mm."
        ),
        "1 label: each has the voxels that it had; centres move by 21.7 mm.",
    ]
    assert [one is not None for one in mending.pictures] == [True, True]
    first = model.dataset
    mending.take()
    model.join()
    assert model.dataset is not first
    assert [f.path for f in model.findings.findings.errors] == [MASKS[1]]
    assert model.item == "B.nrrd"
    assert "every voxel read" in model.summary
    assert mending.message == ("Done: take header (order='header'): A/lung.nii.",)
    assert model.findings.selected.path == MASKS[1]  # the next one is at hand


def test_all_of_a_code_are_mended_at_once_and_undone(model: InspectModel) -> None:
    select(model, "mask-header-lost")
    model.mending.choose(0)
    model.mending.for_every(True)
    model.mending.look().join()
    assert len(model.mending.seen.files) == 2
    model.mending.take()
    model.join()
    assert not model.findings.findings.errors
    before = model.dataset
    model.mending.undo()
    assert len(model.findings.findings.errors) == 2
    assert model.dataset is not before
    assert model.mending.undo_blockers == ["Nothing was done yet."]
    assert len(model.mending.steps) == 0


def test_another_choice_takes_what_was_seen_off(model: InspectModel) -> None:
    select(model, "mask-header-lost")
    mending = model.mending
    for change in (
        lambda: mending.choose(1),
        lambda: mending.for_every(True),
        lambda: mending.fill("order", "RAS"),
        lambda: model.findings.select(1),
    ):
        model.findings.select(0)
        mending.choose(0)
        mending.look().join()
        assert mending.seen is not None
        change()
        assert (mending.seen, mending.pictures) == (None, ())
    with pytest.raises(NiftiKitError, match="that is not offered"):
        mending.choose("Remove it")


def test_what_is_filled_in_while_something_else_is_looked_at_is_not_taken_for_it(
    model: InspectModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mask must not land on the volume that was looked at when another one is chosen by then."""
    other_volume = "It belongs to another volume"
    changes = (
        (0, {}, lambda mending: mending.fill("order", "stored")),
        (0, {}, lambda mending: mending.for_every(True)),
        (other_volume, {"volume": "B.nii"}, lambda mending: mending.fill("volume", None)),
    )
    mending = model.mending
    for offer, typed, change in changes:
        waits, goes_on = threading.Event(), threading.Event()

        def held(*_: Any, waits: Any = waits, goes_on: Any = goes_on) -> Any:
            waits.set()
            assert goes_on.wait(60)
            return ()

        monkeypatch.setattr("nifti_kit.widgets.mending.model._pictures", held)
        select(model, "mask-header-lost")
        mending.choose(offer)
        for name, value in typed.items():
            mending.fill(name, value)
        task = mending.look()
        assert waits.wait(60)
        with pytest.raises(NiftiKitError, match="under way"):
            mending.add(nk.Step("leave_out", (MASKS[0],)))
        change(mending)
        goes_on.set()
        task.join()
        assert mending.seen is None
        assert mending.take_blockers
        mending.choose(None)


@pytest.mark.parametrize("is_replayed", [False, True])
def test_a_repair_is_cancelled_inside_and_nothing_is_half_done(
    model: InspectModel, monkeypatch: pytest.MonkeyPatch, is_replayed: bool
) -> None:
    mending, before, file_of = model.mending, model.dataset, masks.read_labels
    read: list[str] = []
    select(model, "mask-header-lost")
    mending.choose(0)
    mending.for_every(True)

    def cancelled_at_the_second(image: Any) -> Any:
        read.append(str(image.relative))
        if len(read) == 2:
            mending.task.cancel()
        return file_of(image)

    monkeypatch.setattr(masks, "read_labels", cancelled_at_the_second)
    if is_replayed:
        mending.replay(nk.Steps([nk.Step("take_header", MASKS, finding="mask-header-lost")]))
    else:
        mending.look()
    assert mending.task.join() is None
    assert mending.task.state == "cancelled"
    assert read == list(MASKS)
    assert (mending.seen, mending.steps, model.dataset) == (None, nk.Steps(), before)
    mending.look().join()
    assert len(mending.seen.files) == 2


def test_to_accept_needs_a_reason_which_stays(model: InspectModel, tmp_path: Path) -> None:
    select(model, "mask-header-lost")
    mending = model.mending
    mending.choose("Accept as it is")
    assert mending.look_blockers == ["Fill in: Why it is right as it is."]
    mending.fill("reason", "a phantom")
    mending.look().join()
    mending.take()
    key = ("mask-header-lost", MASKS[0])
    assert model.findings.reasons == {key: "a phantom"}
    assert model.findings.waive == (key,)
    assert [row.cells["waived"] for row in model.findings.table.rows] == ["a phantom", ""]
    mending.save(tmp_path / "steps.json")
    mending.undo()
    assert model.findings.waive == ()
    assert mending.load(tmp_path / "steps.json") == ()
    assert model.findings.waive == (key,)


def test_a_file_that_was_accepted_can_be_left_out_for_something_else(model: InspectModel) -> None:
    model.look_closer()
    model.join()
    select(model, "mask-header-lost")
    take(model, "Accept as it is", reason="a phantom")
    others = [f for f in model.findings.open if f.path == MASKS[0]]
    model.findings.select(others[0])
    take(model, "Leave this file out")
    assert [f.path for f in model.findings.findings.errors] == [MASKS[1]]
    assert model.findings.waive == ()
    model.mending.undo()
    model.join()
    assert model.findings.reasons == {("mask-header-lost", MASKS[0]): "a phantom"}


def test_a_step_in_the_middle_is_undone_and_the_others_stay(model: InspectModel) -> None:
    for path in MASKS:
        model.findings.select(0)
        assert model.findings.selected.path == path
        take(model)
    assert [row.cells["number"] for row in model.mending.table.rows] == [1, 2]
    model.mending.table.press("0", "undo")
    model.join()
    assert [step.files for step in model.mending.steps] == [(MASKS[1],)]
    assert [f.path for f in model.findings.findings.errors] == [MASKS[0]]
    model.mending.undo()
    assert len(model.findings.findings.errors) == 2


def test_another_source_forgets_the_steps_and_what_was_accepted(
    model: InspectModel, tmp_path: Path
) -> None:
    select(model, "mask-header-lost")
    take(model, "Accept as it is", reason="known")
    select(model, "mask-header-lost")
    model.source.path = str(write_planes(tmp_path / "other", ("axl", "cor")))
    model.scan()
    model.join()
    assert len(model.mending.steps) == 0
    assert (model.mending.offers, model.mending.message, model.findings.waive) == ((), (), ())
    assert model.mending.undo_blockers


def test_what_is_looked_at_while_another_source_is_read_is_not_taken(
    model: InspectModel, tmp_path: Path
) -> None:
    select(model, "mask-header-lost")
    model.mending.choose(0)
    task = model.mending.look()
    model.source.path = str(write_planes(tmp_path / "other", ("axl", "cor")))
    model.source.scan()
    task.join()
    model.join()
    assert model.mending.seen is None
    assert model.mending.take_blockers == ["Choose what to do."]


def test_a_source_that_is_gone_leaves_nothing_to_look_through(model: InspectModel) -> None:
    select(model, "mask-header-lost")
    model.mending.choose(0)
    model.mending.look().join()
    assert model.mending.changed_items
    asked: list[bool] = []

    def ask(_: Any) -> None:
        asked.append(bool(model.mending.through_blockers or model.mending.changed_items))

    model.mending.observe(ask)
    model.source.path = "/nowhere"
    model.source.scan()
    with pytest.raises(nk.errors.BadSource):
        model.source.join()
    assert asked
    assert (model.mending.seen, model.mending.changed_items) == (None, ())


def test_ten_messy_patients_by_buttons_and_replayed_on_the_next_delivery(tmp_path: Path) -> None:
    truth = write_delivery(tmp_path / "first")
    model = InspectModel(tmp_path / "first")
    model.scan()
    model.join()
    model.look_closer()
    model.join()
    while True:
        found = model.findings.findings
        open_ = [*found.errors, *found.by_code().get("value-without-class", ())]
        if not open_:
            break
        model.findings.select(open_[0])
        take(model, 0, **({"name": NEW_CLASS} if open_[0].severity == "warning" else {}))
    model.mending.save(tmp_path / "steps.json")
    next_truth = write_delivery(tmp_path / "second", 2)
    other = InspectModel(tmp_path / "second")
    other.scan()
    other.join()
    assert other.mending.load(tmp_path / "steps.json") == ()
    for name, (one, meant) in enumerate(((model, truth), (other, next_truth))):
        target = nk.ProjectFolder(tmp_path / f"p{name}", dataset="d")
        receipt = nk.upload(nk.plan(one.dataset), target, on_progress=lambda _: None)
        assert nk.verify(receipt, target).ok
        assert unlike(meant, read_project(tmp_path / f"p{name}", "d")) == []


def read_whole(folder: Path) -> InspectModel:
    found = InspectModel(folder)
    found.scan()
    found.join()
    found.look_closer()
    found.join()
    return found


def test_a_class_is_named_and_coloured_as_a_step_and_saved_as_a_class_map(tmp_path: Path) -> None:
    source = write_planes(tmp_path / "s")
    (source / "color_map.txt").write_text("1 Liver 10 20 30\n2 Spleen 1 2 3\n")
    model = read_whole(source)
    model.classes.edit("Liver", "class", "Hepar")
    model.join()
    model.classes.edit("Hepar", "color", "#FF8000")
    model.join()
    assert model.class_table()[["class", "color"]].to_numpy().tolist() == [
        ["Hepar", "#FF8000"],
        ["Spleen", "#010203"],
    ]
    assert [step.do for step in model.mending.steps] == ["classes", "classes"]
    model.save_classes(tmp_path / "map.txt")
    assert nk.read_classes(tmp_path / "map.txt") == model.dataset.classes
    model.mending.undo()
    model.mending.undo()
    model.join()
    assert model.class_table()["class"].to_list() == ["Liver", "Spleen"]


@pytest.mark.parametrize(
    ("column", "text", "said"),
    [
        ("color", "reddish", "it is no colour"),
        ("color", "1 2 300", "it is no colour"),
        ("class", " ", "a class needs a name"),
    ],
)
def test_an_edit_that_cannot_be_is_told(tmp_path: Path, column: str, text: str, said: str) -> None:
    model = read_whole(write_planes(tmp_path))
    model.classes.edit("Segment_1", column, text)
    assert said in model.class_error
    assert len(model.mending.steps) == 0


def test_classes_of_files_are_not_named_by_value(tmp_path: Path) -> None:
    write_nifti(tmp_path / "ct.nii.gz")
    write_nifti(tmp_path / "ct" / "liver.nii.gz", labels())
    model = read_whole(tmp_path)
    assert {column.kind for column in model.classes.columns} == {"text", "number"}
    with pytest.raises(NiftiKitError, match="named by its file"):
        model.rename_class(1, "Liver")


def test_the_script_reads_the_source_as_the_app_does(tmp_path: Path) -> None:
    write_planes(tmp_path / "in", ("axl", "cor"))
    model = InspectModel(tmp_path / "in", segmentation="semantic", score_base=0)
    model.scan()
    model.join()
    select(model, "planes-incomplete")
    take(model)
    names: dict[str, Any] = {}
    exec(model.mending.code, names)
    assert "segmentation='semantic', score_base=0" in model.mending.code
    assert names["dataset"].choices == model.dataset.choices


def test_what_lies_on_another_volume_is_not_mended_along(tmp_path: Path) -> None:
    model = InspectModel("")
    model.source.dataset = on_other_grids(tmp_path)
    model.look_closer()
    model.join()
    first, second = model.findings.findings.errors
    model.findings.select(second)
    model.mending.choose("Put it on the volume's grid")
    assert model.mending.every_offer is None  # the other one is of another volume
    model.findings.select(first)
    model.mending.choose("Put it on the volume's grid")
    assert model.mending.every_offer is None
