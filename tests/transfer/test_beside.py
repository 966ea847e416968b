"""What is too much on a target is a fault; what others drew is named; sources stay as planned."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.errors import TargetError
from nifti_kit.formats.labels import LabelParts
from nifti_kit.targets.folder import ProjectFolder
from nifti_kit.targets.instance import Instance
from nifti_kit.transfer import verification
from nifti_kit.transfer.proof import ExtraObject
from tests.platform import Platform
from tests.platform.endpoints import call
from tests.support import livers
from tests.support.builders import labels, volume, write_nifti
from tests.support.history_sources import masks_of_persons
from tests.support.landings import edit_json, land, write_annotations, write_volumes
from tests.support.livers import LIVERS, problems
from tests.support.uploads import api
from tests.support.worlds import draw

source, target, folder = livers.source, livers.target, livers.folder


# On an instance


def geometry_of(platform: Platform, ref: Any) -> bytes:
    return platform.state.geometries[ref.figure_id]


def figure_of(platform: Platform, object_id: int) -> int:
    return next(row["id"] for row in platform.state.figures if row["objectId"] == object_id)


def add_figure(platform: Platform, receipt: Any, object_id: int) -> int:
    """Make a figure without geometry, as an upload that was interrupted there."""
    (item,) = receipt.items
    figure = {"objectId": object_id, "geometryType": "mask_3d", "entityId": item.volume.id}
    data = {"entityId": item.volume.id, "figures": [figure]}
    (made,) = call(platform.state, "figures.bulk.add", data)
    return int(made["id"])


def drawn(platform: Platform, receipt: Any, content: bytes, title: str = "liver") -> int:
    """Draw an object on the volume of a receipt; return its id."""
    (item,) = receipt.items
    target = nk.Instance(api(platform), platform.state.volumes.rows[item.volume.id]["datasetId"])
    return draw(platform, target.dataset_id, item.volume.id, title, content)


@pytest.mark.parametrize("title", ["liver", "Bone"])
def test_a_figure_without_geometry_is_found(
    title: str, source: Path, platform: Platform, target: Instance
) -> None:
    receipt = land(source, target)
    other = drawn(platform, receipt, b"x", title)
    figure = figure_of(platform, other)
    del platform.state.geometries[figure]
    proof = nk.verify(receipt, target)
    text = f"the figure {figure} of object {other} has no geometry"
    assert problems(proof) == [("surplus", title, text)]
    assert proof.extra == ()
    assert f"  A.nrrd {title}: {text}" in repr(proof)


def test_the_same_object_of_another_upload_is_named_so_and_is_no_fault(
    source: Path, platform: Platform, target: Instance
) -> None:
    """Who uploads the same files beside ours makes the same."""
    receipt = land(source, target)
    first, second = receipt.objects
    twin = drawn(platform, receipt, geometry_of(platform, second.ref))
    proof = nk.verify(receipt, target)
    assert proof.ok
    same = f"the same as object {second.ref.id}"
    assert proof.extra == (ExtraObject("A.nrrd", twin, "liver", same),)
    assert first.ref.id != second.ref.id


@pytest.mark.parametrize("differs", ["voxels", "class", "scores"])
def test_an_object_that_a_person_drew_is_named_and_is_no_fault(
    differs: str, source: Path, platform: Platform, target: Instance
) -> None:
    receipt = land(source, target)
    same = geometry_of(platform, receipt.objects[0].ref)
    content = masks_of_persons()[0] if differs == "voxels" else same
    title = "Bone" if differs == "class" else "liver"
    other = drawn(platform, receipt, content, title)
    if differs == "scores":
        row = platform.state.figures.rows[figure_of(platform, other)]
        row["customData"] = {"0-0-1": {"1": {"score": "0.30", "comment": None}}}
    proof = nk.verify(receipt, target)
    assert proof.ok
    assert proof.extra == (ExtraObject("A.nrrd", other, title, "a 3D figure"),)


def test_what_only_its_maker_can_read_is_of_others(
    source: Path, platform: Platform, target: Instance
) -> None:
    receipt = land(source, target)
    other = drawn(platform, receipt, b"a surface of a person")
    proof = nk.verify(receipt, target)
    assert proof.ok
    assert [(one.object_id, one.what) for one in proof.extra] == [(other, "a 3D figure")]


def test_an_object_without_a_figure_is_of_others(
    source: Path, platform: Platform, target: Instance
) -> None:
    receipt = land(source, target)
    (item,) = receipt.items
    kind = next(row["id"] for row in platform.state.classes)
    one = {"classId": kind, "entityId": item.volume.id}
    data = {"datasetId": target.dataset_id, "annotationObjects": [one]}
    (made,) = call(platform.state, "annotation-objects.bulk.add", data)
    proof = nk.verify(receipt, target)
    assert proof.ok
    assert proof.extra == (ExtraObject("A.nrrd", made["id"], "liver", "no 3D figure"),)


def test_an_object_of_ours_with_a_second_figure_is_found(
    source: Path, platform: Platform, target: Instance
) -> None:
    receipt = land(source, target)
    ours = receipt.objects[0].ref.id
    figure = add_figure(platform, receipt, ours)
    text = f"object {ours} has a figure ({figure}) that nobody planned"
    assert problems(nk.verify(receipt, target)) == [("surplus", "liver", text)]


def test_an_object_of_ours_whose_figure_is_gone_is_found(
    source: Path, platform: Platform, target: Instance
) -> None:
    receipt = land(source, target)
    figure = receipt.objects[0].ref.figure_id
    call(platform.state, "figures.bulk.remove", {"figureIds": [figure]})
    text = "it is on the target without its figure"
    assert problems(nk.verify(receipt, target)) == [("object", "liver", text)]


def test_an_object_of_ours_that_a_person_removed_is_found(
    source: Path, platform: Platform, target: Instance
) -> None:
    receipt = land(source, target)
    call(platform.state, "annotation-objects.bulk.remove", [receipt.objects[0].ref.id])
    text = "it is not on the target"
    assert problems(nk.verify(receipt, target)) == [("object", "liver", text)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [("mask", "voxels differ"), ("class", "class or colour differ"), ("scores", "scores differ")],
)
def test_an_object_of_ours_that_a_person_changed_is_found(
    change: str, reason: str, source: Path, platform: Platform, target: Instance
) -> None:
    receipt = land(source, target)
    other = drawn(platform, receipt, b"x", "Bone")
    state, ref = platform.state, receipt.objects[0].ref
    if change == "mask":
        state.geometries[ref.figure_id] = geometry_of(platform, receipt.objects[1].ref)
    elif change == "class":
        bone = state.objects.rows[other]["classId"]
        state.objects.rows[ref.id]["classId"] = bone
        state.figures.rows[ref.figure_id]["classId"] = bone
    else:
        state.figures.rows[ref.figure_id]["customData"] = {"0-0-1": {"1": {"score": "0.3"}}}
    (row,) = nk.verify(receipt, target).failures
    assert (row.name, row.value) == ("liver", 1)
    assert reason in row.why


@pytest.mark.parametrize("masks", [LIVERS, {"A": {}}])
def test_a_volume_that_is_gone_is_found(
    masks: Any, tmp_path: Path, platform: Platform, target: Instance
) -> None:
    receipt = land(write_volumes(tmp_path / "in", masks), target)
    call(platform.state, "images.bulk.remove", {"imageIds": [receipt.items[0].volume.id]})
    proof = nk.verify(receipt, target)
    assert not proof.ok
    assert all(row.problem for row in proof.rows)
    assert [row.kind for row in proof.failures][:1] == ["volume"]


def test_a_volume_whose_objects_cannot_be_listed_is_not_proved(
    tmp_path: Path, folder: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = land(write_volumes(tmp_path / "in", {"A": {}}), folder)
    assert nk.verify(receipt, folder).ok

    def refused(*_: Any) -> Any:
        raise TargetError("the annotation is damaged")

    monkeypatch.setattr(ProjectFolder, "objects", refused)
    text = "what else is on it cannot be seen: the annotation is damaged"
    assert problems(nk.verify(receipt, folder)) == [("surplus", "", text)]


# On a volume that was there before


@pytest.mark.parametrize("added", [True, False])
def test_an_identical_object_on_a_volume_that_was_there_is_named_and_is_no_fault(
    added: bool, source: Path, target: Instance
) -> None:
    theirs = land(source, target)
    ours = land(source, target, existing="append" if added else "skip")
    assert [one.added for one in ours.objects] == [added, added]
    proof = nk.verify(ours, target)
    assert proof.ok
    own = [one.ref.id for one in ours.objects]
    before = [one.ref.id for one in theirs.objects]
    expected = [
        ExtraObject("A.nrrd", other, "liver", f"the same as object {one}")
        for other, one in zip(before, own, strict=True)
    ]
    assert list(proof.extra) == (expected if added else [])


def test_a_second_figure_of_an_object_that_was_there_is_no_fault(
    source: Path, platform: Platform, target: Instance
) -> None:
    land(source, target)
    kept = land(source, target, existing="skip")
    figure = add_figure(platform, kept, kept.objects[0].ref.id)
    platform.state.geometries[figure] = masks_of_persons()[0]
    proof = nk.verify(kept, target)
    assert proof.ok
    assert proof.extra == ()  # the object is that of the receipt


# In a folder


def twice(folder: ProjectFolder, receipt: Any, change: Any) -> list[tuple[str, str, str]]:
    """Change an annotation; return what a proof says of it, by a new target."""
    edit_json(folder.annotation_path(receipt.items[0].volume), change)
    return problems(nk.verify(receipt, nk.ProjectFolder(folder.path, "d")))


@pytest.mark.parametrize("name", ["objects", "spatialFigures"])
def test_a_key_that_is_there_twice_in_a_folder_is_a_fault_of_its_file(
    name: str, source: Path, folder: ProjectFolder
) -> None:
    receipt = land(source, folder)
    found = twice(folder, receipt, lambda c: c[name].append(c[name][0]))
    assert [kind for kind, _, _ in found] == ["volume", "object", "object"]
    for _, _, problem in found:
        assert f"{name}[2].key" in problem
        assert "one that no other has" in problem


@pytest.mark.parametrize("other_key", [False, True])
def test_what_a_target_lists_under_keys_of_ours_once_more_is_found(
    other_key: bool, source: Path, folder: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = land(source, folder)
    there = folder.objects(receipt.items[0].volume.id)
    again = replace(there[0], id=12, key="f" * 32) if other_key else there[0]
    monkeypatch.setattr(ProjectFolder, "objects", lambda *_: (*there, again))
    text = "twice: there is one more object or figure under the keys of object 1"
    if other_key:
        text = "twice: object 12 has the figure of object 1"
    assert problems(nk.verify(receipt, folder)) == [("surplus", "liver", text)]


def double(folder: ProjectFolder, receipt: Any, *, mask: bool = True) -> Any:
    """Return a change that puts the first object into an annotation again, under other keys."""
    item = receipt.items[0]

    def change(content: Any) -> None:
        content["objects"].append({**content["objects"][0], "key": "e" * 32})
        figure = {**content["spatialFigures"][0], "key": "d" * 32, "objectKey": "e" * 32}
        content["spatialFigures"].append(figure)
        if mask:
            ours = folder.mask_path(item.volume, item.objects[0].ref.figure_key)
            shutil.copy(ours, folder.mask_path(item.volume, "d" * 32))

    return change


def test_the_same_object_under_other_keys_in_a_folder_is_named_so(
    source: Path, folder: ProjectFolder
) -> None:
    receipt = land(source, folder)
    assert twice(folder, receipt, double(folder, receipt)) == []
    (found,) = nk.verify(receipt, folder).extra
    assert found.what == f"the same as object {receipt.objects[0].ref.id}"


def test_a_figure_without_a_file_is_found_in_a_folder(source: Path, folder: ProjectFolder) -> None:
    receipt = land(source, folder)
    ((kind, _, problem),) = twice(folder, receipt, double(folder, receipt, mask=False))
    assert kind == "surplus"
    assert "has no geometry" in problem


# What a source held when the plan was made


def test_a_mask_that_changed_since_the_plan_is_named_with_its_voxels(
    source: Path, folder: ProjectFolder
) -> None:
    receipt = land(source, folder)
    changed = labels((5, 6, 7), (1, 2))
    changed[4, 5, 6] = 1
    write_nifti(source / "A" / "liver.nii.gz", changed)
    before = receipt.objects[0].planned.voxels
    rows = nk.verify(receipt, folder).failures
    assert len(rows) == 2  # both labels are of the file
    assert rows[0].problem == (
        f"the source has changed since the plan was made: {before} voxels planned, {before + 1} "
        "in it now; as many as planned have landed"
    )
    assert "voxels differ" in rows[0].why


@pytest.mark.parametrize("known", [True, False])
def test_a_file_is_not_compared_with_itself(
    known: bool, source: Path, folder: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What landed is what the file holds now, but not what it held when the plan was made."""
    plan = nk.plan(nk.scan(source))
    changed = labels((5, 6, 7), (1, 2))
    changed[tuple(np.argwhere(changed == 1)[0])] = 0
    write_nifti(source / "A" / "liver.nii.gz", changed)
    monkeypatch.setattr(nk.targets.records.PlannedItem, "changed_files", lambda _: [])
    if not known:
        for item in plan.items:
            object.__setattr__(item, "fingerprints", {})
    receipt = nk.upload(plan, folder, on_progress=lambda _: None)
    rows = nk.verify(receipt, folder).failures
    assert [row.differing for row in rows] == [0, 0] if known else [0]
    planned = receipt.objects[0].planned.voxels
    text = f"{planned} voxels planned, {planned - 1} in it now; {planned - 1} have landed"
    assert rows[0].problem == f"the source has changed since the plan was made: {text}"


def test_a_volume_that_changed_since_the_plan_is_named(source: Path, folder: ProjectFolder) -> None:
    receipt = land(source, folder)
    image = receipt.items[0].planned.volume
    write_nifti(source / "A.nii.gz", volume() + 1, image.grid.affine)
    (row,) = nk.verify(receipt, folder).failures
    assert (row.kind, row.problem) == ("volume", "the source has changed since the plan was made")
    assert "voxels differ" in row.why


def test_a_file_that_was_written_again_with_the_same_content_has_not_changed(
    source: Path, folder: ProjectFolder
) -> None:
    receipt = land(source, folder)
    for path in source.rglob("*.nii.gz"):
        os.utime(path, (0, 0))
    assert nk.verify(receipt, folder).ok


def test_a_source_that_changed_is_read_once(
    source: Path, folder: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = []

    def counted(image: Any, *args: Any, **options: Any) -> LabelParts:
        readings.append(image.relative.name)
        return LabelParts(image, *args, **options)

    monkeypatch.setattr(verification, "LabelParts", counted)
    receipt = land(source, folder)
    write_nifti(source / "A" / "liver.nii.gz", np.roll(labels((5, 6, 7), (1, 2)), 1, axis=0))
    assert not nk.verify(receipt, folder).ok
    assert readings == ["liver.nii.gz"]


# What it costs, and how it is shown


def test_a_proof_asks_for_all_masks_at_once_and_for_little_else(
    tmp_path: Path, platform: Platform, target: Instance
) -> None:
    source = write_volumes(tmp_path / "in", {"A": {"liver": tuple(range(1, 21))}}, (30, 6, 7))
    receipt = land(source, target, waive=())
    before = len(platform.requests)
    assert nk.verify(receipt, target).ok
    asked = Counter(one.method for one in platform.requests[before:])
    assert asked == {
        "projects.meta": 1,
        "datasets.list": 1,
        "volumes.list": 1,
        "volumes.download": 1,
        "volumes.annotations.bulk.info": 1,
        "figures.list": 1,
        "figures.bulk.download.geometry": 1,
    }


@pytest.mark.parametrize(("others", "readings"), [(0, 2), (1, 5)])
def test_masks_are_read_again_only_where_something_may_be_twice(
    others: int,
    readings: int,
    source: Path,
    folder: ProjectFolder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With one more object of the class: each of ours for its digest too, and that one."""
    receipt = land(source, folder)
    if others:
        twice(folder, receipt, double(folder, receipt))
    read, masks = ProjectFolder.drawn, []

    def counted(self: ProjectFolder, found: Any) -> Any:
        masks.append(found)
        return read(self, found)

    monkeypatch.setattr(ProjectFolder, "drawn", counted)
    assert len(nk.verify(receipt, folder).extra) == others
    assert len(masks) == readings


def test_objects_of_others_are_in_every_form_of_a_proof(
    source: Path, platform: Platform, target: Instance, tmp_path: Path
) -> None:
    receipt = land(source, target)
    one, two = (drawn(platform, receipt, masks_of_persons()[0], "B\u202ene") for _ in range(2))
    proof = nk.verify(receipt, target)
    text = repr(proof)
    assert text.splitlines()[0].endswith("; 2 objects of others on these volumes")
    assert f"  Of others: A.nrrd: object {one} of B\\u202ene, a 3D figure" in text
    assert json.loads(proof.to_json())["extra"] == [
        {"volume": "A.nrrd", "object_id": n, "class_name": "B\u202ene", "what": "a 3D figure"}
        for n in (one, two)
    ]
    proof.save(tmp_path / "proof.html")
    for page in (proof._repr_html_(), (tmp_path / "proof.html").read_text("utf-8")):
        assert "<details><summary>2 objects of others</summary>" in page
        assert f"object {two} of B\\u202ene, a 3D figure" in page
        assert "\u202e" not in page
    assert "\u202e" not in text


def test_annotations_name_what_was_there(tmp_path: Path, target: Instance) -> None:
    base = land(write_volumes(tmp_path / "base", {"A": {"liver": (1,)}}), target)
    again = write_annotations(tmp_path / "again", base.items[0].volume.id)
    proof = nk.verify(land(again, target), target)
    assert proof.ok
    assert [one.class_name for one in proof.extra] == ["liver"]
