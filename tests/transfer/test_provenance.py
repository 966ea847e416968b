"""What receipt and proof say of where things came from, in the form that is published."""

from __future__ import annotations

import hashlib
import json
import platform as python
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

import nifti_kit as nk
from nifti_kit.core import html
from nifti_kit.errors import NiftiKitError
from nifti_kit.plans import provenance
from tests.support.builders import AFFINE, SHAPE, labels, write_nifti
from tests.support.landings import (
    land,
    quiet,
    write_annotations,
    write_scored_planes,
    write_volumes,
)
from tests.support.schemas import faults, schema

WORDS = "receipt", "proof"


@pytest.fixture
def target(tmp_path: Path) -> nk.ProjectFolder:
    return nk.ProjectFolder(tmp_path / "p", dataset="d")


def content(result: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.to_json())
    return found


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def moved_mask(folder: Path) -> Path:
    """Write a source whose one mask lies 50 mm beside its volume."""
    write_volumes(folder, {"A": {"lung": (1,)}})
    affine = np.array(AFFINE)
    affine[0, 3] += 50
    write_nifti(folder / "A" / "liver.nii.gz", labels(values=(1, 2)), affine)
    return folder


def test_the_checksum_of_every_file_that_was_read_is_in_receipt_and_proof(
    tmp_path: Path, target: nk.ProjectFolder
) -> None:
    source = write_scored_planes(tmp_path / "knee")
    receipt = land(source, target)
    for result in (receipt, nk.verify(receipt, target)):
        made_of = content(result)["source"]
        assert made_of["name"] == "knee"
        known = {one["path"]: (one["sha256"], one["size"]) for one in made_of["files"]}
        files = {path.name: (sha256(path), path.stat().st_size) for path in source.iterdir()}
        assert known == files
        assert {"axl_score.csv", "cls_color_map.txt", "sag_inference.nii.gz"} <= set(known)


def test_versions_and_times_are_those_of_the_run(tmp_path: Path, target: nk.ProjectFolder) -> None:
    begin = datetime.now(timezone.utc).replace(microsecond=0)
    receipt = land(write_scored_planes(tmp_path / "in"), target)
    proof = nk.verify(receipt, target)
    times = []
    for result in (receipt, proof):
        found = content(result)
        assert found["versions"] == {
            "nifti_kit": nk.__version__,
            "python": python.python_version(),
            "numpy": np.__version__,
            "supervisely": version("supervisely"),
        }
        times += [datetime.fromisoformat(found[name]) for name in ("begun", "ended")]
    assert times == sorted(times)
    made, compared = receipt.provenance, proof.provenance
    assert made.begun < made.ended <= compared.begun < compared.ended
    assert times[0] >= begin
    assert {time.utcoffset() for time in times} == {timedelta(0)}


def test_an_sdk_that_is_not_there_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "BESIDE", ("no-such-package",))
    assert provenance.versions()["no-such-package"] is None


def test_what_a_person_chose_is_kept_beside_what_was_taken(
    tmp_path: Path, target: nk.ProjectFolder
) -> None:
    source = write_scored_planes(tmp_path / "in")
    (source / "cls_color_map.txt").unlink()
    dataset = nk.scan(source, segmentation="semantic", classes={1: "Bone", 2: "Cup"}, score_base=0)
    waive = ["planes-incomplete", ("content-repeated", "axl_anatomic.nii.gz")]
    receipt = nk.upload(nk.plan(dataset, waive=waive), target, existing="skip", on_progress=quiet)
    found = content(receipt)
    assert {
        "layout": "by_plane",
        "layout_asked": "auto",
        "segmentation": "semantic",
        "score_base": 0,
        "score_base_asked": 0,
        "existing": "skip",
    }.items() <= found["choices"].items()
    assert found["choices"]["class_map"] == {
        "is_given": True,
        "files": [],
        "entries": [
            {"value": 1, "name": "Bone", "color": None},
            {"value": 2, "name": "Cup", "color": None},
        ],
    }
    unasked = nk.plan(nk.scan(source)).provenance.choices
    assert (unasked["score_base"], unasked["score_base_asked"]) == (1, None)
    assert found["waivers"] == [
        {"code": "planes-incomplete", "path": None},
        {"code": "content-repeated", "path": "axl_anatomic.nii.gz"},
    ]


def test_a_class_map_from_elsewhere_is_named_without_its_folder(tmp_path: Path) -> None:
    source = write_volumes(tmp_path / "in", {"A": {"liver": (1,)}})
    (tmp_path / "mine.txt").write_text("1 liver 255 0 0\n")
    plan = nk.plan(nk.scan(source, classes=tmp_path / "mine.txt"))
    assert plan.provenance.choices["class_map"]["files"] == ["mine.txt"]
    assert plan.provenance.sha256("mine.txt") == sha256(tmp_path / "mine.txt")
    assert str(tmp_path) not in plan.to_json()


def test_the_mapping_that_was_in_force_is_a_choice(
    tmp_path: Path, target: nk.ProjectFolder
) -> None:
    land(write_volumes(tmp_path / "in", {"A": {}}), target)
    source = write_annotations(tmp_path / "masks", 1)
    (source / "cls_color_map.txt").write_text("1 liver\n")
    found = content(land(source, target))
    rows = [{"path": "axl_inference_1.nii.gz", "volume": 1, "rule": "mapping"}]
    assert found["choices"]["mapping"] == rows
    assert "mapping.json" in [one["path"] for one in found["source"]["files"]]


def test_a_repaired_file_is_named_with_what_it_was(
    tmp_path: Path, target: nk.ProjectFolder
) -> None:
    source = moved_mask(tmp_path / "in")
    repair = nk.repairs.take_header(nk.scan(source), "A/liver.nii.gz")
    receipt = nk.upload(nk.plan(repair.dataset), target, on_progress=quiet)
    (mended,) = repair.dataset.mended
    for result in (receipt, nk.verify(receipt, target)):
        (found,) = content(result)["repairs"]
        assert found == {
            "file": "A/liver.nii.gz",
            "what": mended.what,
            "left": "",
            "sha256_before": sha256(source / "A/liver.nii.gz"),
            "sha256_after": hashlib.sha256(mended.content or b"").hexdigest(),
            "placed": "take_header",
        }
        files = {one["path"]: one["sha256"] for one in content(result)["source"]["files"]}
        assert files["A/liver.nii.gz"] == found["sha256_after"]


def test_files_that_a_repair_made_and_took_away_have_one_checksum(tmp_path: Path) -> None:
    write_nifti(tmp_path / "in/A.nii.gz", np.zeros((*SHAPE, 2), "i2"))
    repair = nk.repairs.split_frames(nk.scan(tmp_path / "in"), "A.nii.gz")
    gone, *made = nk.plan(repair.dataset).provenance.repairs
    before = sha256(tmp_path / "in/A.nii.gz")
    assert (gone.file, gone.sha256_before, gone.sha256_after) == ("A.nii.gz", before, None)
    assert [(one.file, one.sha256_before) for one in made] == [
        ("A_0.nii.gz", None),
        ("A_1.nii.gz", None),
    ]
    assert all(one.sha256_after for one in made)


# Accepted errors


def test_what_landed_with_accepted_errors_is_counted_and_named(
    tmp_path: Path, target: nk.ProjectFolder
) -> None:
    receipt = land(moved_mask(tmp_path / "in"), target, waive="mask-translated")
    proof = nk.verify(receipt, target)
    assert proof.ok
    said = "; 2 objects landed with accepted errors (mask-translated)"
    assert repr(proof).startswith(f"Proof: verified{said}; 1 volume and 3 objects")
    assert said in repr(receipt).splitlines()[0]
    for result in (receipt, proof):
        (found,) = content(result)["accepted"]
        assert (found["code"], found["path"]) == ("mask-translated", "A/liver.nii.gz")
        assert said in result._repr_html_()


def test_what_landed_with_accepted_errors_is_never_plain_good(
    tmp_path: Path, target: nk.ProjectFolder
) -> None:
    receipt = land(moved_mask(tmp_path / "in"), target, waive="mask-translated")
    proof = nk.verify(receipt, target)
    assert (receipt.tone, proof.tone) == ("warning", "warning")
    assert "\n  Accepted: mask-translated, A/liver.nii.gz: " in repr(proof)
    proof.save(tmp_path / "proof.html")
    page = (tmp_path / "proof.html").read_text("utf-8")
    for shown in (proof._repr_html_(), page):
        assert html.TONES["warning"] in shown
        assert html.TONES["good"] not in shown
        assert "Accepted: mask-translated, A/liver.nii.gz: " in shown
    assert html.TONES["warning"] in receipt._repr_html_()


def test_what_is_as_meant_is_good_and_what_is_not_an_error(
    tmp_path: Path, target: nk.ProjectFolder
) -> None:
    receipt = land(write_volumes(tmp_path / "in", {"A": {"liver": (1,)}}), target)
    assert (receipt.tone, nk.verify(receipt, target).tone) == ("", "good")
    next((tmp_path / "p").glob("*/mask/*/*.nrrd")).unlink()
    assert nk.verify(receipt, target).tone == "error"


def test_an_error_of_a_folder_is_one_of_all_that_is_in_it(
    tmp_path: Path, target: nk.ProjectFolder
) -> None:
    source = write_scored_planes(tmp_path / "in")
    (source / "cor_anatomic.nii.gz").unlink()
    (source / "cor_inference.nii.gz").unlink()
    proof = nk.verify(land(source, target, waive="planes-incomplete"), target)
    said = "2 volumes and 4 objects landed with accepted errors (planes-incomplete)"
    assert f"verified; {said}; " in repr(proof)


def test_a_file_that_is_left_out_did_not_land_with_an_error(
    tmp_path: Path, target: nk.ProjectFolder
) -> None:
    source = write_volumes(tmp_path / "in", {"A": {"liver": (1,)}})
    (source / "A" / "lung.nii.gz").write_bytes(b"\x1f\x8b cut")
    receipt = land(source, target, waive="file-unreadable")
    assert receipt.left_out
    assert (receipt.accepted, nk.verify(receipt, target).accepted) == ((), ())
    assert "accepted" not in repr(nk.verify(receipt, target)).splitlines()[0]


# The published form


@pytest.mark.parametrize("word", WORDS)
def test_the_form_is_a_schema_in_which_everything_is_told(word: str) -> None:
    form = schema(word)
    Draft202012Validator.check_schema(form)
    assert form["$id"] == f"urn:nifti-kit:{word}:1"
    untold = [
        name
        for part in _parts(form)
        for name, own in part.get("properties", {}).items()
        if "description" not in own and "$ref" not in own
    ]
    assert untold == []


def _parts(part: Any) -> list[dict[str, Any]]:
    own = [part] if isinstance(part, dict) else []
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return own + [found for one in inner for found in _parts(one)]


@pytest.mark.parametrize("word", WORDS)
def test_a_key_that_is_missing_or_unknown_breaks_the_form(
    word: str, tmp_path: Path, target: nk.ProjectFolder
) -> None:
    receipt = land(write_scored_planes(tmp_path / "in"), target)
    whole = content(receipt if word == "receipt" else nk.verify(receipt, target))
    (rows,) = (whole[name] for name in ("volumes", "rows") if name in whole)
    assert faults(json.dumps(whole), word) == []
    rows[0]["colour"] = "red"
    assert len(faults(json.dumps(whole), word)) == 1
    del rows[0]["colour"], rows[1]["source"], whole["versions"]
    assert len(faults(json.dumps(whole), word)) == 2


# Saved receipts

OLD = Path(__file__).parent / "receipts_0_1"


def test_a_saved_receipt_says_what_landed(tmp_path: Path, target: nk.ProjectFolder) -> None:
    receipt = land(write_scored_planes(tmp_path / "in"), target)
    receipt.save(tmp_path / "receipt.json")
    saved = nk.read_receipt(tmp_path / "receipt.json")
    assert list(saved.rows()) == list(receipt.rows())
    assert (saved.target, saved.columns) == (receipt.target, receipt.columns)
    assert [one.key for one in saved.volumes] == [item.volume.key for item in receipt.items]
    for one, landed in zip(saved.objects, receipt.objects, strict=True):
        assert (one.id, one.key, one.figure_key) == (
            landed.ref.id,
            landed.ref.key,
            landed.ref.figure_key,
        )
        assert one.scores == landed.ref.scores
        assert one.sha256 == sha256(tmp_path / "in" / one.source)
    assert json.loads(saved.to_json()) == content(receipt)


def test_a_receipt_of_release_0_1_is_still_read() -> None:
    saved = nk.read_receipt(OLD / "replaced.json")
    assert repr(saved).splitlines()[0] == (
        "Receipt: 2 volumes, 3 objects on ProjectFolder('out2', dataset='d'), kept by release 0.1"
    )
    a, b = saved.volumes
    assert (a.id, a.name, a.source, a.sha256, a.added) == (1, "A.nrrd", "A.nii.gz", None, False)
    assert [(one.id, one.class_name, one.value, one.voxels) for one in a.objects] == [
        (4, "liver", 1, 5),
        (5, "liver", 2, 5),
    ]
    assert b.objects[0].color is None
    assert saved.content()["left_out"][0]["path"] == "C.nii.gz"


def test_updates_of_scores_of_release_0_1_are_still_read() -> None:
    saved = nk.read_receipt(OLD / "updated.json")
    assert [(one.class_name, one.plane) for one in saved.updates] == [
        ("Femur", "0-0-1"),
        ("Tibia", "0-0-1"),
    ]
    assert saved.updates[0].before == {"2": {"score": "0.80", "comment": None}}
    assert saved.to_frame()["scores"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda r: r.pop("target"), "the file has no 'target'"),
        (lambda r: r.update(schema="urn:nifti-kit:proof:1"), "urn:nifti-kit:proof:1"),
        (lambda r: r.update(version=2), "version 2"),
        (lambda r: r.update(volumes={}), "'volumes' of the file is of the type dict"),
        (lambda r: r.update(volumes=[3]), r"volumes\[0\] is no JSON object"),
        (lambda r: r["volumes"][0]["objects"][0].update(id="4"), r"'id' of objects\[0\]"),
        (lambda r: r["volumes"][0]["objects"][0].update(scores={"self": {"1": 2}}), "type int"),
        (lambda r: r["volumes"][1].pop("updates"), r"volumes\[1\] has no 'updates'"),
    ],
)
def test_what_is_no_receipt_is_refused_with_what_is_wrong(
    change: Any, found: str, tmp_path: Path
) -> None:
    whole = json.loads((OLD / "replaced.json").read_text())
    change(whole)
    (tmp_path / "r.json").write_text(json.dumps(whole))
    with pytest.raises(NiftiKitError, match=found) as caught:
        nk.read_receipt(tmp_path / "r.json")
    assert "receipt.save('receipt.json')" in str(caught.value)


@pytest.mark.parametrize("text", ["[]", "{", "[" * 100_000, "null", ""])
def test_a_text_that_is_no_json_object_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(NiftiKitError, match="no receipt"):
        nk.read_receipt(tmp_path / "r.json")
