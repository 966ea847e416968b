"""Receipts: what landed, object by object, in every form it is shown in."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace

import pytest

import nifti_kit as nk
from tests.support.builders import labels, write_nifti
from tests.support.landings import (
    KEYS,
    land,
    write_annotations,
    write_foreign,
    write_scored_planes,
    write_volumes,
)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def target(tmp_path):
    return nk.ProjectFolder(tmp_path / "p", dataset="d")


@pytest.fixture
def receipt(tmp_path, target):
    return land(write_scored_planes(tmp_path / "in"), target)


def test_a_receipt_has_the_volumes_in_the_order_of_the_plan(receipt, target):
    assert [item.volume.name for item in receipt.items] == [
        "axl_anatomic.nrrd",
        "cor_anatomic.nrrd",
        "sag_anatomic.nrrd",
    ]
    assert receipt.target == repr(target)
    assert [item.volume for item in receipt.items] == list(target.volumes())
    assert [o.ref for o in receipt.items[0].objects] == list(target.objects(1))
    assert len(list(receipt.objects)) == 6
    assert receipt.backup is None


def test_a_receipt_shows_its_counts_and_objects(tmp_path, receipt):
    place = f"ProjectFolder({str(tmp_path / 'p')!r}, dataset='d')"
    assert repr(receipt).splitlines() == [
        f"Landed on {place}: 3 volumes, 6 objects, 3 scores",
        "  1 axl_anatomic.nrrd: Femur, Tibia",
        "  2 cor_anatomic.nrrd: Femur, Tibia",
        "  3 sag_anatomic.nrrd: Femur, Tibia",
    ]


def test_several_objects_of_a_class_are_counted_and_none_is_said(tmp_path, target):
    text = repr(land(write_volumes(tmp_path / "in"), target))
    assert text.splitlines()[1:] == [
        "  1 A.nrrd: liver x 2, lung",
        "  2 B.nrrd: liver",
        "  3 C.nrrd: no objects",
    ]


def test_what_was_there_and_what_was_replaced_is_said(tmp_path, target):
    source = write_volumes(tmp_path / "in", {"A": {"liver": (1,)}})
    land(source, target)
    kept = land(source, target, existing="skip")
    assert "1 volume, 1 object (1 were there already), 0 scores" in repr(kept)
    replaced = land(source, target, existing="replace")
    assert f"1 object (1 replaced, kept in {replaced.backup}), 0 scores" in repr(replaced)


def test_a_finding_is_shown_with_the_receipt(tmp_path, target):
    source = write_volumes(tmp_path / "in", {"A": {"liver": (1,)}})
    (source / "notes.pdf").write_bytes(b"x")
    receipt = land(source, target)
    assert "WARNING [file-unused] notes.pdf" in repr(receipt)
    assert "notes.pdf" in receipt._repr_html_()
    assert json.loads(receipt.to_json())["findings"][0]["path"] == "notes.pdf"


def test_a_receipt_is_a_table_with_a_row_for_each_object(receipt):
    frame = receipt.to_frame()
    assert list(frame.columns) == [
        "volume id", "volume", "object id", "class", "value", "voxels", "scores", "from",
    ]  # fmt: skip
    assert len(frame) == 6
    assert frame.iloc[1].tolist() == [
        1, "axl_anatomic.nrrd", 2, "Tibia", 2, 5, 2, "axl_inference.nii.gz",
    ]  # fmt: skip


def test_letters_beyond_ascii_stay_readable(tmp_path, target):
    source = write_volumes(tmp_path / "in", {"Schädel": {"größe": (1,)}})
    receipt = land(source, target)
    receipt.save(tmp_path / "receipt.json")
    text = (tmp_path / "receipt.json").read_text("utf-8")
    assert '"class": "größe"' in text
    assert '"name": "Schädel.nrrd"' in text


def test_an_empty_receipt_is_an_empty_table(tmp_path, target):
    frame = land(write_volumes(tmp_path / "in", {"A": {}}), target).to_frame()
    assert frame.shape == (0, 8)


def test_a_receipt_is_json_that_names_every_source(tmp_path, target, receipt):
    receipt.save(tmp_path / "receipt.json")
    content = json.loads((tmp_path / "receipt.json").read_text("utf-8"))
    assert (content["target"], content["backup"], content["findings"]) == (repr(target), None, [])
    volume = content["volumes"][0]
    first = receipt.items[0].objects[0].ref
    assert volume["objects"][0] == {
        "id": 1,
        "key": first.key,
        "figure_id": 1,
        "figure_key": first.figure_key,
        "class": "Femur",
        "color": "#FF0000",
        "value": 1,
        "voxels": int((labels() == 1).sum()),
        "source": "axl_inference.nii.gz",
        "sha256": sha256(tmp_path / "in/axl_inference.nii.gz"),
        "scores": {"0-0-1": {"2": {"score": "0.80", "comment": None}}},
        "added": True,
    }
    del volume["objects"]
    assert volume == {
        "id": 1,
        "key": receipt.items[0].volume.key,
        "name": "axl_anatomic.nrrd",
        "dataset": "d",
        "added": True,
        "replaced": 0,
        "source": "axl_anatomic.nii.gz",
        "sha256": sha256(tmp_path / "in/axl_anatomic.nii.gz"),
        "shape": list(receipt.items[0].volume.grid.shape),
        "voxel_size_mm": list(receipt.items[0].volume.grid.voxel_size),
        "updates": [],
    }


def test_a_receipt_for_volumes_that_were_there_has_no_source_for_them(tmp_path):
    path = write_foreign(tmp_path / "p")
    source = write_annotations(tmp_path / "in", 1)
    (source / "cls_color_map.txt").write_text("1 old\n")
    receipt = land(source, nk.ProjectFolder(path), existing="replace")
    content = json.loads(receipt.to_json())
    assert content["backup"] == str(receipt.backup)
    assert [(v["key"], v["source"], v["added"]) for v in content["volumes"]] == [
        (KEYS["V"], None, False)
    ]


def test_a_receipt_in_a_notebook_is_escaped(tmp_path, target):
    name = "<b>liver</b> & more"
    source = tmp_path / "in"
    write_nifti(source / "A.nii.gz")
    write_nifti(source / "A" / "x.nii.gz", labels())
    (source / "A" / "x.nii.gz").rename(source / "A" / f"{name.replace('/', '_')}.nii.gz")
    shown = land(source, target)._repr_html_()
    assert "&lt;b&gt;liver&lt;_b&gt; &amp; more" in shown
    assert "<b>liver" not in shown


def test_the_receipt_keeps_an_unpacked_archive_for_the_proof(tmp_path, target):
    write_volumes(tmp_path / "in", {"A": {"liver": (1,)}})
    archive = shutil.make_archive(str(tmp_path / "data"), "zip", tmp_path / "in")
    shutil.rmtree(tmp_path / "in")
    receipt = land(archive, target)
    assert nk.verify(receipt, target).ok


def test_what_is_kept_is_named_once(tmp_path, target):
    source = write_volumes(tmp_path / "in", {"A": {"liver": (1,)}, "B": {"liver": (2,)}})
    assert land(source, target).backup is None
    receipt = land(source, target, existing="replace")
    assert json.loads(receipt.to_json())["backup"] == str(receipt.backup)
    replaced = replace(receipt, items=tuple(replace(one, replaced=0) for one in receipt.items))
    for one in (receipt, replaced):  # the second: of an earlier try
        assert repr(one).count(str(receipt.backup)) == 1
        assert one._repr_html_().count(str(receipt.backup)) == 1


def test_names_that_turn_the_direction_are_escapes_in_the_text_of_a_receipt(tmp_path, target):
    receipt = land(write_volumes(tmp_path / "in", {"A": {"li\u202ever": (1,)}}), target)
    assert "li\\u202ever" in repr(receipt)
    assert "\u202e" not in repr(receipt) + repr(nk.verify(receipt, target))
