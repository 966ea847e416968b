"""Score tables alone: they update figures that are on the target, or say why they cannot."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.errors import BadSource, PlanBlocked, TargetError
from nifti_kit.plans.matching import ONLY
from nifti_kit.plans.name_rules import EXACT
from nifti_kit.plans.plan import Plan
from nifti_kit.targets.instance import client
from nifti_kit.targets.records import SliceScores
from tests.platform import running_platform
from tests.support.builders import labels, write_nifti
from tests.support.landings import edit_json, quiet, tree, write_scored_planes
from tests.support.targets import set_scores
from tests.support.uploads import Killed, api, impatience, new_dataset, new_project

Make = Callable[[], Any]

FLIPPED = np.array([[2.0, 0, 0, -10.5], [0, 3.0, 0, 4.25], [0, 0, -5.0, 37.125], [0, 0, 0, 1]])
"""An axial volume of 7 slices whose frames count down: on the platform they are the other way."""

CORONAL, AXIAL = "0-1-0", "0-0-1"
FIRST = {"2": {"score": "0.80", "comment": None}}
"""What the axial table of ``write_scored_planes`` says of the femur."""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    impatience(monkeypatch)


@pytest.fixture(params=["folder", "instance"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """A function that opens the target, which has three planes: axial with scores."""
    if request.param == "folder":
        yield filled(tmp_path, lambda: nk.ProjectFolder(tmp_path / "p", dataset="d"))
        return
    with running_platform() as platform:
        dataset = new_dataset(platform, new_project(platform))
        yield filled(tmp_path, lambda: nk.Instance(api(platform), dataset))
        assert platform.unknown == []


@pytest.fixture
def folder(tmp_path: Path) -> Make:
    return filled(tmp_path, lambda: nk.ProjectFolder(tmp_path / "p", dataset="d"))


def filled(tmp_path: Path, make: Make) -> Make:
    plan = nk.plan(nk.scan(write_scored_planes(tmp_path / "planes")))
    nk.upload(plan, make(), on_progress=quiet)
    return make


def volume_id(target: Any, name: str) -> int:
    (found,) = (ref.id for ref in target.volumes() if ref.name == name)
    return int(found)


def write_table(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder


def planned(source: Path, target: Any, **options: Any) -> Plan:
    """Plan tables, matched by their names; layers count along the platform's slices."""
    dataset = nk.scan(source, **{"score_frames": "ras", **options})
    mapping = dataset.mapping or nk.match(dataset, target.volumes())
    return nk.plan(dataset, mapping=mapping, target=target)


def scores_of(target: Any, name: str = "axl_anatomic.nrrd", plane: str = AXIAL) -> Any:
    """Return the scores of a plane by class."""
    refs = target.objects(volume_id(target, name))
    return {ref.class_name: ref.scores[plane] for ref in refs if plane in ref.scores}


def entry(score: str | None, comment: str | None = None) -> dict[str, str | None]:
    return {"score": score, "comment": comment}


def found(plan: Plan, code: str) -> list[str]:
    return [each.message for each in plan.findings if each.code == code]


# Scan


def test_a_source_of_score_tables_alone_is_annotations(tmp_path: Path) -> None:
    source = write_table(tmp_path / "in", "axl_score.csv", "Layer,Label-1\n1,0.5\n")
    dataset = nk.scan(source)
    assert dataset.layout == "annotations"
    assert [(item.name, item.volume, item.masks) for item in dataset.items] == [
        ("axl_score.nrrd", None, ())
    ]
    assert [(f.code, f.path) for f in dataset.findings] == [
        ("scores-frames-unknown", "axl_score.csv")
    ]
    assert list(map(str, dataset.annotation_paths)) == ["axl_score.csv"]
    assert repr(dataset).startswith(
        "in: layout annotations, 1 item, 0 mask files, 1 score table alone, 0 classes"
    )
    row = dataset.to_frame().iloc[0]
    assert (row["shape"], row["axes"], row["scores"]) == ("", "", "axl_score.csv")
    assert "axl_score.nrrd" in dataset._repr_html_()
    assert [f.code for f in nk.check(nk.scan(source, score_frames="ras"))] == []


def test_a_source_of_other_tables_is_empty(tmp_path: Path) -> None:
    source = write_table(tmp_path / "in", "score.csv", "Layer,Label-1\n1,0.5\n")
    assert [f.code for f in nk.scan(source).findings] == ["source-empty", "file-unused"]


def test_an_unknown_reading_of_frames_is_refused(tmp_path: Path) -> None:
    source = write_table(tmp_path / "in", "axl_score.csv", "Layer,Label-1\n1,0.5\n")
    with pytest.raises(BadSource, match="score_frames has no such choice"):
        nk.scan(source, score_frames="file order")


def test_a_table_of_a_damaged_annotation_file_does_not_stand_alone(tmp_path: Path) -> None:
    source = write_table(tmp_path / "in", "axl_score.csv", "Layer,Label-1\n1,0.5\n")
    (source / "axl_mask.nii").write_bytes(b"no image")
    dataset = nk.scan(source)
    assert dataset.items == ()
    assert {f.path for f in dataset.findings if f.code == "file-unused"} == {"axl_score.csv"}


# Plan


def test_a_plan_names_each_update_with_what_is_there(tmp_path: Path, make: Make) -> None:
    target = make()
    source = write_table(tmp_path / "in", "axl_score.csv", "Layer,Label-1,Label-2\n1,0.5,0.25\n")
    plan = planned(source, target)
    assert not plan.blockers
    assert [(u.class_name, u.plane, u.old, u.new) for u in plan.updates] == [
        ("Femur", AXIAL, FIRST, {"0": entry("0.50")}),
        ("Tibia", AXIAL, scores_of(target)["Tibia"], {"0": entry("0.25")}),
    ]
    assert repr(plan).startswith("Plan: 0 volumes, 0 objects, 0 classes, 0 scores, 2 score updates")
    number = plan.updates[0].object_id
    assert f"Femur (object {number}): 1 score on plane 0-0-1, 1 there <- axl_score.csv" in repr(
        plan
    )
    frame = plan.to_frame()
    assert list(frame["class"]) == ["Femur", "Tibia"]
    assert list(frame["value"]) == [1, 2]
    assert list(frame["from"]) == ["axl_score.csv"] * 2
    assert "Femur" in plan._repr_html_()
    assert repr(plan.items[0]).endswith(": 0 objects, 2 score updates>")


def test_a_plan_shows_the_scores_that_go_old_and_new(tmp_path: Path, make: Make) -> None:
    target = make()
    source = write_table(
        tmp_path / "in", "axl_score.csv", "Layer,Label-1,Label-2,Comment-2\n3,0.5,0.9,blurred\n"
    )
    plan = planned(source, target)
    femur, tibia = plan.updates
    assert femur.overwritten == {"2": (entry("0.80"), entry("0.50"))}
    assert femur.only_there == {}
    assert tibia.overwritten == {"2": (entry("0.90"), entry("0.90", "blurred"))}
    assert tibia.only_there == {"4": entry("0.70")}
    choices = (
        "existing='replace' and 'append' (which keeps what the table leaves blank) take the new; "
        "'skip' keeps the old; 'error' refuses."
    )
    said = [
        f"On the target already, old -> new: slice 2: 0.80 -> 0.50. {choices}",
        f"On the target already, old -> new: slice 2: 0.90 -> 0.90 ('blurred'). {choices}",
        (
            "On the target alone: slice 4: 0.70. existing='replace' takes them away and keeps "
            "them aside; the others leave them."
        ),
    ]
    assert [line.strip() for line in repr(plan).splitlines() if "On the target" in line] == said
    markup = plan._repr_html_()
    assert f"<p>Femur (object {femur.object_id}). On the target already, old -&gt; new:" in markup
    assert f"<p>Tibia (object {tibia.object_id}). On the target alone: slice 4: 0.70." in markup


def test_many_slices_are_counted(tmp_path: Path, folder: Make) -> None:
    rows = [f"{layer},0.{layer}" for layer in range(1, 8)]
    text = "\n".join(["Layer,Label-1", *rows])
    plan = planned(write_table(tmp_path / "in", "axl_score.csv", text), folder())
    nk.upload(plan, folder(), on_progress=quiet, existing="append")
    write_table(tmp_path / "in", "axl_score.csv", text.replace("0.", "0.0"))
    again = repr(planned(tmp_path / "in", folder()))
    assert "slice 5: 0.60 -> 0.06 and 1 more. existing=" in again
    assert planned(tmp_path / "in", folder(), score_frames="ras").updates[0].only_there == {}


def test_the_digest_is_that_of_the_table_not_of_what_is_there(tmp_path: Path, folder: Make) -> None:
    source = write_table(tmp_path / "in", "axl_score.csv", "Layer,Label-1\n1,0.5\n")
    plan = planned(source, folder())
    nk.upload(plan, folder(), on_progress=quiet, existing="replace")
    assert planned(source, folder()).digest == plan.digest
    write_table(source, "axl_score.csv", "Layer,Label-1\n1,0.6\n")
    assert planned(source, folder()).digest != plan.digest


def test_without_a_target_there_is_nothing_to_update(tmp_path: Path, folder: Make) -> None:
    target = folder()
    source = write_table(tmp_path / "in", "axl_score.csv", "Layer,Label-1\n1,0.5\n")
    dataset = nk.scan(source, score_frames="ras")
    plan = nk.plan(dataset, mapping=nk.match(dataset, target.volumes()))
    assert [f.code for f in plan.blockers] == ["scores-need-target"]
    assert plan.items == ()


@pytest.mark.parametrize(("frames", "slices"), [("ras", "0 4"), ("reversed", "6 2")])
def test_layers_count_along_the_slices_as_chosen(
    frames: str, slices: str, tmp_path: Path, folder: Make
) -> None:
    source = write_table(tmp_path / "in", "axl_score.csv", "Layer,Label-1\n1,0.5\n5,0.7\n")
    (update,) = planned(source, folder(), score_frames=frames).updates
    first, fifth = slices.split()
    assert update.new == {first: entry("0.50"), fifth: entry("0.70")}


def test_layers_may_count_from_0_as_the_exporter_writes_them(tmp_path: Path, folder: Make) -> None:
    source = write_table(tmp_path / "in", "cor_score.csv", "Layer,Label-1\n0,0.5\n5,0.7\n")
    (update,) = planned(source, folder(), score_base=0).updates
    assert (update.plane, sorted(update.new)) == (CORONAL, ["0", "5"])


def test_reversed_is_what_a_file_of_the_other_direction_says(tmp_path: Path) -> None:
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    volume = tmp_path / "in"
    write_nifti(volume / "axl_anatomic.nii.gz", affine=FLIPPED)
    write_nifti(volume / "axl_mask.nii.gz", labels(), FLIPPED)
    write_table(volume, "axl_score.csv", "Layer,Label-1\n1,0.5\n3,0.7\n")
    nk.upload(nk.plan(nk.scan(volume), waive="planes-incomplete"), target, on_progress=quiet)
    ((_, by_file),) = scores_of(target).items()
    alone = write_table(tmp_path / "alone", "axl_score.csv", "Layer,Label-1\n1,0.5\n3,0.7\n")
    (update,) = planned(alone, target, score_frames="reversed").updates
    assert update.new == by_file == {"4": entry("0.70"), "6": entry("0.50")}


def test_a_layer_outside_the_volume_is_an_error(tmp_path: Path, folder: Make) -> None:
    source = write_table(tmp_path / "in", "axl_score.csv", "Layer,Label-1,Label-2\n8,0.5,0.6\n")
    plan = planned(source, folder())
    assert found(plan, "scores-layer-outside") == [
        "row 2: Layer 8, but the volume axl_anatomic.nrrd has 7 slices of plane axl"
    ]
    assert plan.updates == ()


def test_a_column_without_a_class_or_an_object_is_named(tmp_path: Path, folder: Make) -> None:
    target = folder()
    edit_json(
        tmp_path / "p" / "d" / "ann" / "axl_anatomic.nrrd.json",
        lambda content: [content["objects"].pop(), content["spatialFigures"].pop()],
    )
    source = write_table(tmp_path / "in", "axl_score.csv", "Layer,Label-2,Label-9\n1,0.5,0.6\n")
    plan = planned(source, target)
    assert found(plan, "scores-without-value") == [
        (
            "column Label-2: the volume axl_anatomic.nrrd has no object of Tibia; "
            "its 1 scores do not land"
        ),
        "column Label-9: no class has the pixel value 9; its 1 scores do not land",
    ]
    assert plan.items == ()


def test_the_class_map_goes_before_the_classes_of_the_project(tmp_path: Path, folder: Make) -> None:
    source = write_table(tmp_path / "in", "axl_score.csv", "Layer,Label-7\n1,0.5\n")
    (source / "color_map.txt").write_text("7 Tibia 0 255 0\n")
    (update,) = planned(source, folder()).updates
    assert (update.class_name, update.value) == ("Tibia", 7)


def test_several_objects_of_a_class_are_ambiguous(tmp_path: Path, make: Make) -> None:
    target = make()
    again = tmp_path / "again"
    write_nifti(again / "axl_mask.nii.gz", labels(values=(1,)))
    dataset = nk.scan(again)
    plan = nk.plan(dataset, mapping=nk.match(dataset, target.volumes()), target=target)
    nk.upload(plan, target, on_progress=quiet, existing="append")
    ids = [
        ref.id
        for ref in target.objects(volume_id(target, "axl_anatomic.nrrd"))
        if ref.class_name == "Femur"
    ]
    source = write_table(tmp_path / "in", "axl_score.csv", "Layer,Label-1\n1,0.5\n")
    blocked = planned(source, target)
    assert found(blocked, "scores-object-ambiguous") == [
        f"column Label-1: the volume axl_anatomic.nrrd has 2 objects of Femur: {ids[0]}, {ids[1]}"
    ]
    with pytest.raises(PlanBlocked):
        nk.upload(blocked, target, on_progress=quiet)


def test_a_number_that_is_not_the_volumes_may_be_a_class_index(
    tmp_path: Path, folder: Make
) -> None:
    source = write_table(tmp_path / "in", "axl_score_1.csv", "Layer,Label-1\n1,0.5\n")
    plan = planned(source, folder())
    assert found(plan, "scores-object-ambiguous") == [
        (
            "its number 1 may be a class index, and then Label-N are objects of that class; the "
            "volume axl_anatomic.nrrd has no such number"
        )
    ]
    assert len(planned(source, folder(), segmentation="semantic").updates) == 1


def test_two_tables_of_one_figure_and_plane_are_an_error(tmp_path: Path, folder: Make) -> None:
    source = write_table(tmp_path / "in", "A_axl_score.csv", "Layer,Label-1\n1,0.5\n")
    write_table(source, "B_axl_score.csv", "Layer,Label-1\n1,0.6\n")
    number = volume_id(folder(), "axl_anatomic.nrrd")
    mapping = {"A_axl_score.csv": number, "B_axl_score.csv": number}
    (source / "mapping.json").write_text(json.dumps(mapping))
    plan = planned(source, folder())
    assert found(plan, "scores-layer-repeated") == [
        (
            "column Label-1: A_axl_score.csv (Label-1) scores Femur of the volume "
            "axl_anatomic.nrrd on the same plane"
        )
    ]
    assert [f.code for f in plan.findings.warnings] == ["mapping-id-shared"]


def test_a_class_that_lands_on_the_same_volume_as_well_is_ambiguous(
    tmp_path: Path, folder: Make
) -> None:
    number = volume_id(folder(), "axl_anatomic.nrrd")
    source = write_table(tmp_path / "in", "cor_score.csv", "Layer,Label-1\n1,0.5\n")
    write_nifti(source / "axl_mask.nii", labels(values=(1,)))
    (source / "mapping.json").write_text(
        json.dumps({"cor_score.csv": number, "axl_mask.nii": number})
    )
    plan = planned(source, folder())
    assert found(plan, "scores-object-ambiguous") == [
        (
            f"column Label-1: Femur is object {plan.updates[0].object_id}, but one lands from "
            "axl_mask.nii too"
        )
    ]


# Which volume


def test_a_mapping_may_name_tables(tmp_path: Path, folder: Make) -> None:
    number = volume_id(folder(), "cor_anatomic.nrrd")
    source = write_table(tmp_path / "in", "x_axl_score.csv", "Layer,Label-1\n1,0.5\n")
    (source / "mapping.json").write_text(json.dumps({"x_axl_score.csv": number}))
    (update,) = planned(source, folder()).updates
    assert (update.volume_id, update.plane) == (number, AXIAL)


def test_a_mapping_to_no_volume_of_the_target_is_an_error(tmp_path: Path, folder: Make) -> None:
    source = write_table(tmp_path / "in", "axl_score.csv", "Layer,Label-1\n1,0.5\n")
    (source / "mapping.json").write_text('{"axl_score.csv": 999}')
    plan = planned(source, folder())
    assert [(f.code, f.message) for f in plan.blockers] == [
        ("annotation-unmatched", "the target has no volume 999")
    ]


def test_tables_are_matched_by_their_names_alone(tmp_path: Path, folder: Make) -> None:
    source = write_table(tmp_path / "in", "axl_score.csv", "Layer,Label-1\n1,0.5\n")
    write_table(source, "anna_cor_score.csv", "Layer,Label-1\n1,0.5\n")
    target = folder()
    rows = nk.match(nk.scan(source), target.volumes()).rows
    assert [(str(row.annotation), row.volume, row.rule) for row in rows] == [
        ("anna_cor_score.csv", volume_id(target, "cor_anatomic.nrrd"), ONLY),
        ("axl_score.csv", volume_id(target, "axl_anatomic.nrrd"), EXACT),
    ]


def test_a_table_of_another_case_is_not_matched_by_its_plane(tmp_path: Path) -> None:
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    write_nifti(tmp_path / "bert" / "bert_axl_anatomic.nii")
    plan = nk.plan(nk.scan(tmp_path / "bert"), waive="planes-incomplete")
    nk.upload(plan, target, on_progress=quiet)
    source = write_table(tmp_path / "in", "anna_axl_score.csv", "Layer,Label-1\n1,0.5\n")
    (row,) = nk.match(nk.scan(source), target.volumes()).rows
    assert row.volume is None
    assert row.why == (
        f"by its plane it is for d/bert_axl_anatomic.nrrd (id {row.candidates[0]}), but its name "
        "is not, and it has no grid"
    )


# Upload


TABLE = "Layer,Label-1\n3,0.9\n5,0.7\n"
"""Slice 2 has a score already, slice 4 has none."""

LANDED: dict[str, SliceScores] = {
    "skip": {"2": entry("0.80"), "4": entry("0.70")},
    "replace": {"2": entry("0.90"), "4": entry("0.70")},
    "append": {"2": entry("0.90"), "4": entry("0.70")},
}


@pytest.mark.parametrize("existing", LANDED)
def test_scores_land_as_chosen_and_verify(existing: str, tmp_path: Path, make: Make) -> None:
    source = write_table(tmp_path / "in", "axl_score.csv", TABLE)
    tibia = scores_of(make())["Tibia"]
    receipt = nk.upload(planned(source, make()), make(), on_progress=quiet, existing=existing)
    assert scores_of(make()) == {"Femur": LANDED[existing], "Tibia": tibia}
    proof = nk.verify(receipt, make())
    assert proof.ok
    assert [(row.kind, row.name, row.source) for row in proof.rows] == [
        ("scores", "Femur", "axl_score.csv")
    ]
    assert "0 objects and 1 score update, 0 voxels compared" in repr(proof)
    (change,) = receipt.updates
    assert change.landed == LANDED[existing]
    assert change.before == FIRST
    assert (receipt.backup is not None) == (existing != "skip")


@pytest.mark.parametrize("existing", ["replace", "append"])
def test_a_slice_that_the_table_does_not_have_goes_or_stays(
    existing: str, tmp_path: Path, make: Make
) -> None:
    source = write_table(tmp_path / "in", "axl_score.csv", "Layer,Label-1\n5,0.7\n")
    nk.upload(planned(source, make()), make(), on_progress=quiet, existing=existing)
    new: SliceScores = {"4": entry("0.70")}
    expected = new if existing == "replace" else {**FIRST, **new}
    assert scores_of(make())["Femur"] == expected


def test_a_comment_stays_where_the_table_has_none(tmp_path: Path, make: Make) -> None:
    source = write_table(tmp_path / "in", "axl_score.csv", "Layer,Label-1,Comment-1\n3,0.8,odd\n")
    nk.upload(planned(source, make()), make(), on_progress=quiet, existing="append")
    write_table(source, "axl_score.csv", "Layer,Label-1\n3,0.9\n")
    nk.upload(planned(source, make()), make(), on_progress=quiet, existing="append")
    assert scores_of(make())["Femur"] == {"2": entry("0.90", "odd")}


def test_what_is_replaced_is_kept(tmp_path: Path, make: Make) -> None:
    source = write_table(tmp_path / "in", "axl_score.csv", TABLE)
    receipt = nk.upload(planned(source, make()), make(), on_progress=quiet, existing="replace")
    assert receipt.backup is not None
    kept = json.loads((receipt.backup / "scores/d/axl_anatomic.nrrd.json").read_text())
    ref = receipt.updates[0].ref
    assert kept == [
        {
            "object": ref.id,
            "figure": ref.figure_id,
            "figure_key": ref.figure_key,
            "class": "Femur",
            "plane": AXIAL,
            "scores": FIRST,
        }
    ]
    assert f"1 score update (1 earlier score kept in {receipt.backup})" in repr(receipt)


@pytest.mark.parametrize("content", ["", "5", '{"plane": 1}', '[{"figure_key": "x"}]', "[1]"])
def test_damaged_scores_of_an_earlier_try_are_named_and_stay(
    content: str, tmp_path: Path, make: Make
) -> None:
    source = write_table(tmp_path / "in", "axl_score.csv", TABLE)
    options = {"journal": tmp_path / "journal", "existing": "replace", "on_progress": quiet}
    receipt = nk.upload(planned(source, make()), make(), **options)
    assert receipt.backup is not None
    kept = receipt.backup / "scores/d/axl_anatomic.nrrd.json"
    kept.write_text(content)
    before = scores_of(make())
    with pytest.raises(TargetError, match="has kept cannot be read") as told:
        nk.upload(planned(source, make()), make(), **options)
    assert (told.value.path, kept.read_text()) == (str(kept), content)
    assert scores_of(make()) == before
    assert "Move the file away" in told.value.remedy
    kept.rename(tmp_path / "away")
    assert nk.verify(nk.upload(planned(source, make()), make(), **options), make()).ok


def test_other_scores_are_refused_and_nothing_is_touched(tmp_path: Path, folder: Make) -> None:
    source = write_table(tmp_path / "in", "axl_score.csv", TABLE)
    write_table(source, "cor_score.csv", "Layer,Label-1\n1,0.4\n")
    before = tree(tmp_path / "p")
    plan = planned(source, folder())
    with pytest.raises(
        TargetError, match=r"Femur \(object \d+\) .* has other scores already"
    ) as at:
        nk.upload(plan, folder(), on_progress=quiet)
    assert "on slices 2 of plane 0-0-1" in str(at.value)
    assert tree(tmp_path / "p") == before
    assert not (tmp_path / "p.replaced").exists()


def test_other_scores_are_refused_by_an_instance(tmp_path: Path, make: Make) -> None:
    source = write_table(tmp_path / "in", "axl_score.csv", TABLE)
    with pytest.raises(TargetError, match="has other scores already"):
        nk.upload(planned(source, make()), make(), on_progress=quiet)
    assert scores_of(make())["Femur"] == FIRST


def test_the_same_scores_again_and_new_slices_are_no_error(tmp_path: Path, make: Make) -> None:
    source = write_table(tmp_path / "in", "axl_score.csv", "Layer,Label-1\n3,0.8\n5,0.7\n")
    for _ in range(2):
        receipt = nk.upload(planned(source, make()), make(), on_progress=quiet)
        assert receipt.backup is None
        assert scores_of(make())["Femur"] == {**FIRST, "4": entry("0.70")}


def test_a_source_may_have_masks_for_one_plane_and_a_table_for_another(
    tmp_path: Path, make: Make
) -> None:
    source = write_table(tmp_path / "in", "axl_score.csv", TABLE)
    write_nifti(source / "cor_mask.nii", labels())
    write_table(source, "cor_score.csv", "Layer,Label-1\n1,0.4\n")
    plan = planned(source, make())
    assert (len(plan.objects), len(plan.updates)) == (2, 1)
    receipt = nk.upload(plan, make(), on_progress=quiet, existing="replace")
    assert nk.verify(receipt, make()).ok
    assert scores_of(make())["Femur"] == LANDED["replace"]
    cor = scores_of(make(), "cor_anatomic.nrrd", CORONAL)
    assert cor == {"Femur": {"0": entry("0.40")}}


def test_the_scores_of_another_plane_stay(tmp_path: Path, make: Make) -> None:
    source = write_table(tmp_path / "in", "cor_score.csv", "Layer,Label-1\n1,0.4\n")
    number = volume_id(make(), "axl_anatomic.nrrd")
    (source / "mapping.json").write_text(json.dumps({"cor_score.csv": number}))
    nk.upload(planned(source, make()), make(), on_progress=quiet, existing="replace")
    assert scores_of(make())["Femur"] == FIRST
    assert scores_of(make(), plane=CORONAL) == {"Femur": {"0": entry("0.40")}}


def test_an_object_that_is_gone_since_is_named(tmp_path: Path, folder: Make) -> None:
    source = write_table(tmp_path / "in", "axl_score.csv", TABLE)
    plan = planned(source, folder())
    edit_json(
        tmp_path / "p" / "d" / "ann" / "axl_anatomic.nrrd.json",
        lambda content: [content["objects"].clear(), content["spatialFigures"].clear()],
    )
    with pytest.raises(TargetError, match="is no longer on the volume"):
        nk.upload(plan, folder(), on_progress=quiet)


def test_a_proof_names_scores_that_are_others(tmp_path: Path, make: Make) -> None:
    source = write_table(tmp_path / "in", "axl_score.csv", TABLE)
    receipt = nk.upload(planned(source, make()), make(), on_progress=quiet, existing="replace")
    ref = receipt.updates[0].ref
    set_scores(make(), ref, {AXIAL: FIRST})
    proof = nk.verify(receipt, make())
    assert not proof.ok
    assert "axl_anatomic.nrrd Femur <- axl_score.csv: scores differ" in repr(proof)


def test_a_receipt_has_the_updates(tmp_path: Path, make: Make) -> None:
    source = write_table(tmp_path / "in", "axl_score.csv", TABLE)
    receipt = nk.upload(planned(source, make()), make(), on_progress=quiet, existing="replace")
    ref = receipt.updates[0].ref
    (volume,) = json.loads(receipt.to_json())["volumes"]
    assert volume["updates"] == [
        {
            "id": ref.id,
            "key": ref.key,
            "figure_id": ref.figure_id,
            "figure_key": ref.figure_key,
            "class": "Femur",
            "value": 1,
            "source": "axl_score.csv",
            "sha256": hashlib.sha256((source / "axl_score.csv").read_bytes()).hexdigest(),
            "plane": AXIAL,
            "before": FIRST,
            "scores": LANDED["replace"],
        }
    ]
    assert (
        f"    Femur (object {ref.id}): scores on 2 slices of plane 0-0-1 (1 before, 1 of them "
        "gone) <- axl_score.csv"
    ) in repr(receipt).splitlines()
    (row,) = receipt.to_frame().to_dict("records")
    assert (row["object id"], row["scores"], row["from"]) == (ref.id, 2, "axl_score.csv")
    assert "1 score update" in receipt._repr_html_()


# Interruptions


BOTH = "Layer,Label-1,Label-2\n3,0.9,0.1\n5,0.7,0.2\n"


@pytest.mark.parametrize("existing", ["replace", "append", "skip"])
def test_an_upload_that_is_killed_at_any_request_is_finished_by_the_same_call(
    existing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = client.Connection._answer
    source = write_table(tmp_path / "in", "axl_score.csv", BOTH)
    write_table(source, "cor_score.csv", "Layer,Label-1\n1,0.4\n")
    ends = []
    for number in range(1, 100):
        with running_platform() as platform:
            dataset = new_dataset(platform, new_project(platform, f"p{number}"))
            make = filled(tmp_path, lambda d=dataset, p=platform: nk.Instance(api(p), d))
            plan, count = planned(source, make()), 0

            def dying(self: Any, *args: Any, number: int = number, **body: Any) -> Any:
                nonlocal count
                count += 1
                answer = real(self, *args, **body)
                if count >= number:  # carried out, but nobody hears of it
                    raise Killed
                return answer

            target = make()
            monkeypatch.setattr(client.Connection, "_answer", dying)
            try:
                nk.upload(plan, target, on_progress=quiet, existing=existing)
                killed = False
            except Killed:
                killed = True
            monkeypatch.setattr(client.Connection, "_answer", real)
            again = planned(source, make())
            receipt = nk.upload(again, make(), on_progress=quiet, existing=existing)
            assert nk.verify(receipt, make()).ok
            ends.append((scores_of(make()), scores_of(make(), "cor_anatomic.nrrd", CORONAL)))
            if killed and existing == "replace":
                assert receipt.backup is not None
                assert receipt.updates[0].before == FIRST
            if not killed:
                break
    assert len(ends) > 8
    assert all(end == ends[-1] for end in ends)


def test_a_project_whose_upload_ended_between_two_volumes_is_finished(
    tmp_path: Path, folder: Make
) -> None:
    source = write_table(tmp_path / "in", "axl_score.csv", BOTH)
    write_table(source, "cor_score.csv", "Layer,Label-1\n1,0.4\n")

    def dying(_: Any) -> None:
        raise Killed

    options = {"existing": "replace", "journal": tmp_path / "journal"}
    with pytest.raises(Killed):
        nk.upload(planned(source, folder()), folder(), on_progress=dying, **options)
    assert scores_of(folder(), "cor_anatomic.nrrd", CORONAL) == {}
    receipt = nk.upload(planned(source, folder()), folder(), on_progress=quiet, **options)
    assert scores_of(folder(), "cor_anatomic.nrrd", CORONAL) == {"Femur": {"0": entry("0.40")}}
    assert next(change.before for change in receipt.updates) == FIRST
    assert receipt.backup is not None
    assert nk.verify(receipt, folder()).ok


# Bytes


@pytest.mark.parametrize("workers", [None, 3])
def test_the_bytes_of_each_item_are_those_of_its_requests(
    workers: int | None, tmp_path: Path
) -> None:
    with running_platform() as platform:
        target = nk.Instance(api(platform), new_dataset(platform, new_project(platform)))
        write = target.write
        begun: list[int] = []

        def noting(job: Any, **options: Any) -> Any:
            begun.append(len(platform.requests))
            return write(job, **options)

        target.write = noting  # type: ignore[method-assign]
        seen: list[int] = []
        plan = nk.plan(nk.scan(write_scored_planes(tmp_path / "three")))
        with ThreadPoolExecutor(workers or 1) as pool:
            nk.upload(
                plan,
                target,
                on_progress=lambda progress: seen.append(progress.bytes_done),
                executor=pool if workers else None,
            )
        assert seen[-1] == sum(one.size for one in platform.requests[min(begun) :])
        assert seen == sorted(seen)
        assert 0 < seen[0] < seen[-1]


# A person who gives scores while the call runs


CORONAL = "0-1-0"
THEIRS: SliceScores = {"1": entry("0.30", "a person's")}


def scoring(target: Any, plane: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the scored figure of the axial volume scores, once a call has looked at it."""
    kind = type(target)
    write = kind.write

    def writing(self: Any, job: Any, *args: Any, **options: Any) -> Any:
        monkeypatch.setattr(kind, "write", write)
        other = next(ref for ref in self.objects(job.volume.id) if ref.class_name == "Femur")
        set_scores(self, other, {**other.scores, plane: THEIRS})
        return write(self, job, *args, **options)

    monkeypatch.setattr(kind, "write", writing)


@pytest.mark.parametrize("existing", ["skip", "replace", "append"])
def test_scores_that_a_person_gives_on_another_plane_meanwhile_stay(
    existing: str, tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_table(tmp_path / "in", "axl_score.csv", TABLE)
    target = make()
    plan = planned(source, target)
    scoring(target, CORONAL, monkeypatch)
    receipt = nk.upload(plan, target, on_progress=quiet, existing=existing)
    assert scores_of(make(), plane=CORONAL)["Femur"] == THEIRS
    assert scores_of(make())["Femur"] == receipt.updates[0].landed


@pytest.mark.parametrize("existing", ["skip", "replace", "append"])
def test_scores_that_a_person_gives_on_the_same_plane_meanwhile_are_not_written_over(
    existing: str, tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_table(tmp_path / "in", "axl_score.csv", TABLE)
    target = make()
    plan = planned(source, target)
    scoring(target, AXIAL, monkeypatch)
    with pytest.raises(TargetError, match="were changed meanwhile"):
        nk.upload(plan, target, on_progress=quiet, existing=existing)
    assert scores_of(make())["Femur"] == THEIRS
    nk.upload(plan, target, on_progress=quiet, existing=existing)
    kept = scores_of(make())["Femur"].get("1")
    assert kept == (None if existing == "replace" else THEIRS["1"])
