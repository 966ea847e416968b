"""Before and after of a step, looked through slice by slice: at the same place, and never stale."""

from __future__ import annotations

import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.errors import NiftiKitError
from nifti_kit.widgets.inspect.model import InspectModel
from nifti_kit.widgets.mending import model as mending_models
from nifti_kit.widgets.mending.findings_view import FindingsView
from nifti_kit.widgets.mending.scenes import UNSEEN, before_and_after, changed_items
from tests.support.builders import AFFINE, SAMPLES, labels, volume, write_nifti

MOVED = AFFINE.copy()
MOVED[0, 3] += 4  # two voxels to the left of the patient


@pytest.fixture
def model(tmp_path: Path) -> InspectModel:
    """Volumes with masks: one lies elsewhere, two lost their header, one has frames."""
    for name, affine in (("A", MOVED), ("B", np.eye(4)), ("C", AFFINE), ("D", np.eye(4))):
        write_nifti(tmp_path / f"{name}.nii", volume() + ord(name))
        write_nifti(tmp_path / name / "lung.nii", labels(values=(1,)), affine)
    both = np.stack([labels() == 1, labels() == 2], axis=3).astype(np.uint8)
    write_nifti(tmp_path / "C" / "lung.nii", both)
    found = InspectModel(tmp_path)
    found.scan()
    found.join()
    return found


def look(model: InspectModel, path: str, offer: str, **filled: Any) -> Any:
    every = model.findings.findings
    model.findings.select(next(f for f in every.errors if f.path == path))
    mending = model.mending
    mending.choose(offer)
    for name, value in filled.items():
        mending.fill(name, value)
    mending.look().join()
    return mending


def seen(mending: Any, item: str = "") -> list[Any]:
    mending.look_through(item).join()
    return list(mending.scenes.viewers)


def world(viewer: Any) -> list[float]:
    return viewer.image.grid.world(viewer.position).tolist()


def classes_at(viewer: Any) -> list[str]:
    return [name for _, names in viewer.reading.classes for name in names]


def test_both_begin_where_the_picture_is_on_one_volume(model: InspectModel) -> None:
    mending = look(model, "A/lung.nii", "Take the volume's header")
    plane, mm = mending.pictures[0].at
    before, after = seen(mending)
    assert before.active == after.active == plane
    assert world(before) == world(after) == pytest.approx(mm)
    assert (before.title, after.title) == ("Before: A.nrrd", "After: A.nrrd")
    assert before.image is after.image  # in memory once
    assert classes_at(before) == ["lung"]  # the middle of the mask where it lies now
    assert classes_at(after) == []
    assert before.notes == ()
    in_code = before_and_after(model.dataset, mending.seen, "A.nrrd", (plane, mm))
    assert [one.jpeg() for one in in_code.viewers] == [before.jpeg(), after.jpeg()]


def test_for_all_files_one_of_them_is_picked(model: InspectModel) -> None:
    mending = look(model, "D/lung.nii", "Take the volume's header")
    mending.for_every(True)
    mending.look().join()
    assert mending.changed_items == ("D.nrrd", "B.nrrd")  # the chosen finding's first
    assert [one.title for one in seen(mending)] == ["Before: D.nrrd", "After: D.nrrd"]
    assert [one.title for one in seen(mending, "B.nrrd")] == ["Before: B.nrrd", "After: B.nrrd"]
    with pytest.raises(NiftiKitError, match="it is not changed"):
        mending.look_through("C.nrrd")


def test_frames_that_are_merged_were_not_there_before_and_it_is_said(model: InspectModel) -> None:
    mending = look(model, "C/lung.nii", "A class in each frame")
    before, after = seen(mending)
    assert before.notes == ("C/lung.nii is not shown: it was not usable",)
    assert (len(before.classes), len(after.classes)) == (0, 2)
    assert classes_at(after)


def test_a_mask_that_is_given_to_another_volume_is_seen_on_both(model: InspectModel) -> None:
    other = {"volume": "C.nii"}
    mending = look(model, "A/lung.nii", "It belongs to another volume", **other)
    before, after = seen(mending)
    assert (before.title, after.title) == ("Before: A.nrrd", "After: C.nrrd")
    assert before.image is not after.image
    assert world(before) == world(after)


@pytest.mark.parametrize(
    ("offer", "filled", "why"),
    [
        ("Leave this file out", {}, "is not there afterwards"),
        ("Accept as it is", {"reason": "a phantom"}, UNSEEN),
    ],
)
def test_where_nothing_is_to_be_seen_it_is_said(
    model: InspectModel, offer: str, filled: Any, why: str
) -> None:
    mending = look(model, "A/lung.nii", offer, **filled)
    assert why in mending.through_blockers[0]
    with pytest.raises(NiftiKitError, match=why):
        mending.look_through()


def test_a_class_is_seen_by_its_name_before_and_after_and_a_table_not_at_all() -> None:
    dataset = nk.scan(SAMPLES / "scores")
    named = nk.Steps().preview(dataset, nk.Step("classes", values={"1": "Heart"}))
    (item, *_) = changed_items(dataset, named)
    before, after = before_and_after(dataset, named, item).viewers
    assert "Heart" in [one.name for one in after.classes]
    assert "Heart" not in [one.name for one in before.classes]
    counted = nk.Steps().preview(dataset, nk.Step("score_base", values={"score_base": 0}))
    assert changed_items(dataset, counted) == ()


def test_a_side_that_cannot_be_shown_says_so_and_the_other_is_there(tmp_path: Path) -> None:
    write_nifti(tmp_path / "MR.nii", np.stack([volume(), volume() + 1], axis=3))
    dataset = nk.scan(tmp_path)
    done = nk.repairs.split_frames(dataset, "MR.nii")
    name = changed_items(dataset, done)[0]
    scenes = before_and_after(dataset, done, name)
    assert scenes.before.startswith("Before: there was no volume")
    assert scenes.viewers == (scenes.after,)


def parts(view: Any) -> list[Any]:
    return [view, *(one for child in getattr(view, "children", ()) for one in parts(child))]


def test_the_viewers_go_with_the_choice_and_leave_nothing(model: InspectModel) -> None:
    view, mending = FindingsView(model.findings, mending=model.mending), model.mending
    for change in (
        lambda: mending.choose("Leave this file out"),
        lambda: mending.fill("order", "stored"),
        lambda: model.findings.select(model.findings.findings.errors[0]),
        mending.close_slices,
        mending.take,
    ):
        look(model, "A/lung.nii", "Take the volume's header")
        viewers = [weakref.ref(one) for one in seen(mending)]
        stages = [one for one in parts(view) if "nk-viewer-stage" in one._dom_classes]
        assert len(stages) == 2
        frame = stages[1].frame
        viewers[0]().step("axl", 1)
        assert stages[1].frame != frame  # both move
        del stages
        change()
        model.join()
        assert mending.scenes is None
        assert not [one for one in parts(view) if "nk-viewer-stage" in one._dom_classes]
        gc.collect()
        assert [ref() for ref in viewers] == [None, None]


def test_what_is_read_for_another_choice_is_not_shown(
    model: InspectModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, goes_on = threading.Event(), threading.Event()
    read = mending_models.before_and_after

    def held(*given: Any) -> Any:
        waits.set()
        assert goes_on.wait(60)
        return read(*given)

    monkeypatch.setattr(mending_models, "before_and_after", held)
    mending = look(model, "A/lung.nii", "Take the volume's header")
    task = mending.look_through()
    assert waits.wait(60)
    assert mending.through_blockers == ["The volumes are being read."]
    mending.choose("Leave this file out")
    goes_on.set()
    task.join()
    assert mending.scenes is None
