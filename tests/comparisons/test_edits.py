"""What people changed on a target since an upload, and what a plan would change there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nrrd
import pytest

import nifti_kit as nk
from nifti_kit.errors import WrongArgument
from tests.support.landings import (
    THREE,
    edit_json,
    land,
    write_annotations,
    write_scored_planes,
    write_volumes,
)


@pytest.fixture
def landed(tmp_path: Path) -> tuple[Any, nk.ProjectFolder]:
    target = nk.ProjectFolder(tmp_path / "project", "d")
    return land(write_volumes(tmp_path / "source"), target), target


def annotation(target: nk.ProjectFolder, name: str) -> Path:
    return target.path / "d" / "ann" / f"{name}.nrrd.json"


def draw(target: nk.ProjectFolder, ref: Any, change: Any) -> None:
    """Change the voxels of an object, as a person does with a brush."""
    path = target.mask_path(target.volume(ref.volume_id), ref.figure_key)
    voxels, header = nrrd.read(str(path))
    change(voxels)
    nrrd.write(str(path), voxels, header)


def told(found: Any) -> list[tuple[str, str, str]]:
    return [(one.kind, one.difference.volume, one.difference.class_name) for one in found.changes]


def test_what_nobody_touched_is_no_change(landed: Any) -> None:
    found = nk.changes(*landed)
    assert found.ok
    assert found.title() == "Changes since the upload: none"


def test_a_brush_a_removal_and_a_new_object_are_each_named(landed: Any) -> None:
    receipt, target = landed
    liver, gone, _ = (one.ref for one in receipt.items[0].objects)
    draw(target, liver, lambda voxels: voxels.__setitem__((4, 4, 4), 1))

    def edit(content: Any) -> None:
        content["objects"] = [one for one in content["objects"] if one["key"] != gone.key]
        kept = [one for one in content["spatialFigures"] if one["objectKey"] != gone.key]
        own = next(one for one in kept if one["objectKey"] == liver.key)
        content["objects"].append({"key": "f" * 32, "classTitle": "lung", "tags": []})
        content["spatialFigures"] = [*kept, own | {"key": "e" * 32, "objectKey": "f" * 32}]

    edit_json(annotation(target, "A"), edit)
    folder = target.path / "d" / "mask" / "A.nrrd"
    (folder / f"{'e' * 32}.nrrd").write_bytes((folder / f"{liver.figure_key}.nrrd").read_bytes())
    found = nk.changes(receipt, target)
    assert sorted(told(found)) == [
        ("added", "A.nrrd", "lung"), ("edited", "A.nrrd", "liver"), ("removed", "A.nrrd", "liver"),
    ]  # fmt: skip
    edited = next(one.difference for one in found.changes if one.kind == "edited")
    assert edited.voxels[1] == edited.voxels[0] + 1
    assert found.by_class()["liver"] == {"edited": 1, "removed": 1}


def test_another_class_and_another_score_are_named(tmp_path: Path) -> None:
    target = nk.ProjectFolder(tmp_path / "project", "d")
    receipt = land(write_scored_planes(tmp_path / "source"), target)
    scored = next(one.ref for one in receipt.objects if one.ref.scores)

    def edit(content: Any) -> None:
        for one in content["objects"]:
            if one["key"] == scored.key:
                one["classTitle"] = "Tibia"
        for figure in content["spatialFigures"]:
            if figure["key"] == scored.figure_key:
                figure["customData"]["0-0-1"]["2"]["score"] = "0.10"

    edit_json(annotation(target, "axl_anatomic"), edit)
    (one,) = nk.changes(receipt, target).changes
    assert one.kind == "edited"
    assert one.difference.kinds == ("other class", "scores")
    assert one.difference.what == (
        "it is Tibia in the target; scores differ on 1 slice: axl slice 2: 0.80 -> 0.10"
    )


def test_a_tag_and_a_figure_on_a_slice_are_named_before_they_are_replaced(landed: Any) -> None:
    receipt, target = landed
    tagged, drawn, _ = (one.ref for one in receipt.items[0].objects)
    figure = {"key": "f" * 32, "objectKey": drawn.key, "geometryType": "polygon", "geometry": {}}

    def edit(content: Any) -> None:
        next(one for one in content["objects"] if one["key"] == tagged.key)["tags"] = [
            {"name": "t"}
        ]
        content["planes"][0]["slices"] = [{"index": 2, "figures": [figure]}]

    edit_json(annotation(target, "A"), edit)
    draw(target, tagged, lambda voxels: voxels.__setitem__((4, 4, 4), 1))
    since = nk.changes(receipt, target)
    replaced = nk.changes(nk.plan(nk.scan(receipt.source.root), target=target), target)
    for found, said in ((since, "the upload did not give it"), (replaced, "would go with it")):
        assert found.by_class() == {"liver": {"edited": 2}}
        texts = {one.difference.what: one.difference.kinds for one in found.changes}
        tag, polygon = sorted(texts, key=lambda text: "polygon" in text)
        assert texts[tag] == ("voxels", "tags")
        assert f"1 tag of an object that {said}" in tag
        assert polygon.startswith(f"polygon on slice 2 of the sagittal plane that {said}")


def test_a_volume_that_is_gone_is_named(landed: Any) -> None:
    receipt, target = landed
    annotation(target, "B").unlink()
    found = nk.changes(receipt, target)
    assert told(found) == [("removed", "B.nrrd", "")]
    assert "the volume is gone, or in another dataset; 1 object with it" in repr(found)


def test_a_source_that_has_changed_tells_nothing_until_it_is_restored(landed: Any) -> None:
    receipt, target = landed
    path = receipt.objects[0].planned.mask.path
    before = path.read_bytes()
    path.write_bytes(before + b"x")
    found = nk.changes(receipt, target)
    assert not found.changes
    assert "2 objects of A/liver.nii.gz: its file has changed since the upload" in repr(found)
    path.write_bytes(before)
    assert nk.changes(receipt, target).ok


def test_objects_that_were_there_before_are_no_changes(tmp_path: Path, landed: Any) -> None:
    _, target = landed
    one = next(ref.id for ref in target.volumes() if ref.name == "A.nrrd")
    receipt = land(write_annotations(tmp_path / "more", one), target)
    found = nk.changes(receipt, target)
    assert found.ok
    assert found.notes == ("A.nrrd: 3 objects that were there before this upload",)


def test_a_plan_tells_what_replacing_would_change(tmp_path: Path, landed: Any) -> None:
    _, target = landed
    again = nk.plan(nk.scan(tmp_path / "source"), target=target)
    assert nk.changes(again, target).ok
    volumes = {**THREE, "A": {"liver": (2, 7), "lung": (1,)}, "D": {"liver": (1,)}}
    changed = nk.plan(nk.scan(write_volumes(tmp_path / "new", volumes)), target=target)
    before = {path: path.read_bytes() for path in target.path.rglob("*") if path.is_file()}
    found = nk.changes(changed, target)
    assert told(found)[0] == ("added", "D.nrrd", "")
    assert {path: path.read_bytes() for path in target.path.rglob("*") if path.is_file()} == before


def test_a_path_is_neither_receipt_nor_plan(landed: Any) -> None:
    with pytest.raises(WrongArgument, match="neither a receipt nor a plan"):
        nk.changes("receipt.json", landed[1])
