"""What the platform's exporter writes imports to what was exported."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from tests.support import oracle
from tests.support.builders import SAMPLES, write_planes
from tests.support.exporter import export


def land(source: Path, out: Path, **choices: Any) -> nk.verify:
    waive = choices.pop("waive", ())
    plan = nk.plan(nk.scan(source, **choices), waive=waive)
    target = nk.ProjectFolder(out, dataset="d")
    nk.upload(plan, target, on_progress=lambda _: None)
    return plan


def comparable(project: oracle.Project) -> list[tuple]:
    return sorted(
        (o.volume, o.class_name, o.color, len(o.positions), o.positions[0].round(2).tolist())
        for o in project.objects
    )


def assert_same(first: Path, second: Path) -> None:
    """Same volumes, classes, colours, objects, voxels and places."""
    ours, theirs = oracle.read_project(first, "d"), oracle.read_project(second, "d")
    assert set(ours.volumes) == set(theirs.volumes)
    for name, (data, affine) in ours.volumes.items():
        np.testing.assert_array_equal(theirs.volumes[name][0], data)
        np.testing.assert_allclose(theirs.volumes[name][1], affine, atol=1e-4)
    assert [row[:4] for row in comparable(ours)] == [row[:4] for row in comparable(theirs)]
    left = list(theirs.objects)
    for one in ours.objects:
        twins = [
            other
            for other in left
            if (other.volume, other.class_name) == (one.volume, one.class_name)
            and other.positions.shape == one.positions.shape
            and np.abs(other.positions - one.positions).max() < 2e-4
        ]
        assert twins, one.class_name
        left.remove(twins[0])


@pytest.mark.parametrize("sample", ["by_plane_semantic", "multi_item"])
def test_a_semantic_export_by_plane_imports_to_what_was_exported(
    sample: str, tmp_path: Path
) -> None:
    land(SAMPLES / sample, tmp_path / "first")
    folder = export(tmp_path / "first", "d", tmp_path / "export", "semantic")
    assert (tmp_path / "export" / "color_map.txt").is_file()
    assert not list(folder.glob("*.txt"))
    plan = land(folder, tmp_path / "again")
    assert [finding.code for finding in plan.findings] == ["class-map-above"]
    assert_same(tmp_path / "first", tmp_path / "again")


def test_an_export_scanned_from_above_imports_too(tmp_path: Path) -> None:
    land(SAMPLES / "by_plane_semantic", tmp_path / "first")
    export(tmp_path / "first", "d", tmp_path / "export", "semantic")
    plan = land(tmp_path / "export", tmp_path / "again")
    assert not plan.findings
    assert_same(tmp_path / "first", tmp_path / "again")


@pytest.mark.parametrize("segmentation", ["semantic", "instance"])
def test_an_export_by_volume_imports_to_what_was_exported(
    segmentation: str, tmp_path: Path
) -> None:
    land(SAMPLES / "by_volume", tmp_path / "first")
    folder = export(tmp_path / "first", "d", tmp_path / "export", segmentation)
    land(folder, tmp_path / "again")
    if segmentation == "instance":
        ours = oracle.read_project(tmp_path / "first", "d")
        colors = {name: found["color"] for name, found in ours.classes.items()}
        assert set(colors) == set(oracle.read_project(tmp_path / "again", "d").classes)
        assert_same(tmp_path / "first", tmp_path / "again")
    else:
        merged = oracle.read_project(tmp_path / "again", "d")
        assert len(merged.objects) == 23  # one for each class of each volume
        total = sum(len(o.positions) for o in oracle.read_project(tmp_path / "first", "d").objects)
        assert sum(len(o.positions) for o in merged.objects) == total


def test_instance_files_of_an_export_ask_for_their_classes(tmp_path: Path) -> None:
    land(SAMPLES / "by_plane_instance", tmp_path / "first")
    folder = export(tmp_path / "first", "d", tmp_path / "export", "instance")
    assert (folder / "cor_inference_3.nii.gz").is_file()
    blockers = nk.plan(nk.scan(folder)).blockers
    every = {path.name for path in folder.glob("*inference*")}
    assert {(f.code, f.path) for f in blockers} == {
        ("instance-classes-unknown", name) for name in every
    }
    first = oracle.read_project(tmp_path / "first", "d")
    colors = {
        name: tuple(bytes.fromhex(found["color"][1:])) for name, found in first.classes.items()
    }
    classes = {
        number: (name, colors[name])
        for number, name in enumerate(("Lung lobe", "Vertebra", "Rib"), start=1)
    }
    land(folder, tmp_path / "again", classes=classes)
    assert_same(tmp_path / "first", tmp_path / "again")


def test_exported_scores_count_from_0_and_are_read_so_when_told(tmp_path: Path) -> None:
    sample = tmp_path / "sample"
    sample.mkdir()
    for path in (SAMPLES / "scores").iterdir():
        (sample / path.name).write_bytes(path.read_bytes())
    # The axial file is stored LAS: its first frame is slice 0.
    table = sample / "axl_score.csv"
    table.write_text("Layer, Label-2, Label-4\n1, 0.8, 0.9\n7, 0.7, \n")
    land(sample, tmp_path / "first")
    folder = export(tmp_path / "first", "d", tmp_path / "export", "semantic")
    rows = (folder / "axl_score.csv").read_text().splitlines()
    assert rows == ["Layer,Label-2,Label-4", "0,0.80,0.90", "6,0.70,0.0"]

    blockers = nk.plan(nk.scan(folder)).blockers
    assert [(f.code, f.path) for f in blockers] == [
        *(("scores-base-unsaid", f"{plane}_score.csv") for plane in ("axl", "cor", "sag")),
        ("scores-layer-zero", "axl_score.csv"),
    ]
    assert all("score_base=0" in found.remedy for found in blockers)

    land(folder, tmp_path / "again", score_base=0)
    ours, theirs = (oracle.read_project(tmp_path / n, "d") for n in ("first", "again"))
    for one, other in zip(ours.objects, theirs.objects, strict=True):
        assert (one.volume, one.class_name) == (other.volume, other.class_name)
        assert without_zeros(other.custom_data) == one.custom_data
    assert_same(tmp_path / "first", tmp_path / "again")


def without_zeros(custom: dict[str, Any]) -> dict[str, Any]:
    """Drop what the exporter wrote as 0.0 because there was no score."""
    kept = copy.deepcopy(custom)
    for plane, slices in list(kept.items()):
        kept[plane] = {k: cell for k, cell in slices.items() if cell["score"] != "0.00"}
        if not kept[plane]:
            del kept[plane]
    return kept


def relabelled(folder: Path, keep: tuple[str, ...]) -> None:
    """Leave only the objects of some classes in a project, as though no others were there."""
    for path in (folder / "d" / "ann").glob("*.json"):
        content = json.loads(path.read_text())
        kept = {one["key"] for one in content["objects"] if one["classTitle"] in keep}
        content["spatialFigures"] = [
            one for one in content["spatialFigures"] if one["objectKey"] in kept
        ]
        path.write_text(json.dumps(content))


INSTANCE_CLASSES = {
    "axl_inference.nii.gz": "Lung lobe",
    "axl_inference_2.nii.gz": "Vertebra",
    "cor_inference.nii.gz": "Lung lobe",
    "cor_inference_2.nii.gz": "Vertebra",
    "cor_inference_3.nii.gz": "Rib",
    "sag_inference.nii.gz": "Lung lobe",
}


@pytest.mark.parametrize("above", [False, True], ids=["of the dataset", "from above"])
def test_instance_files_of_an_export_get_their_classes_by_file(above: bool, tmp_path: Path) -> None:
    land(SAMPLES / "by_plane_instance", tmp_path / "first")
    folder = export(tmp_path / "first", "d", tmp_path / "export", "instance")
    assert {path.name for path in folder.glob("*inference*")} == set(INSTANCE_CLASSES)
    classes = INSTANCE_CLASSES
    if above:
        classes = {f"d/{name}": title for name, title in classes.items()}
    land(folder.parent if above else folder, tmp_path / "again", classes=classes)
    assert_same(tmp_path / "first", tmp_path / "again")


def test_a_file_without_a_class_of_its_own_is_still_asked_for(tmp_path: Path) -> None:
    land(SAMPLES / "by_plane_instance", tmp_path / "first")
    folder = export(tmp_path / "first", "d", tmp_path / "export", "instance")
    rest = {n: t for n, t in INSTANCE_CLASSES.items() if n != "cor_inference_2.nii.gz"}
    blockers = nk.plan(nk.scan(folder, classes=rest)).blockers
    assert [(f.code, f.path) for f in blockers] == [
        ("instance-classes-unknown", "cor_inference_2.nii.gz")
    ]


@pytest.mark.parametrize("segmentation", ["auto", "instance"])
def test_one_exported_file_for_each_plane_is_not_taken_for_classes(
    segmentation: str, tmp_path: Path
) -> None:
    """Two objects of one class in a file, and a class map that knows one class."""
    land(SAMPLES / "by_plane_instance", tmp_path / "first")
    relabelled(tmp_path / "first", ("Lung lobe",))
    meta = json.loads((tmp_path / "first" / "meta.json").read_text())
    meta["classes"] = [one for one in meta["classes"] if one["title"] == "Lung lobe"]
    (tmp_path / "first" / "meta.json").write_text(json.dumps(meta))
    folder = export(tmp_path / "first", "d", tmp_path / "export", "instance")
    names = sorted(path.name for path in folder.glob("*inference*"))
    assert names == [f"{plane}_inference.nii.gz" for plane in ("axl", "cor", "sag")]
    blockers = nk.plan(nk.scan(folder, segmentation=segmentation)).blockers
    code = "segmentation-unknown" if segmentation == "auto" else "instance-classes-unknown"
    assert {found.code for found in blockers} == {code}
    classes = dict.fromkeys(names, "Lung lobe")
    land(folder, tmp_path / "again", segmentation=segmentation, classes=classes)
    assert_same(tmp_path / "first", tmp_path / "again")


def test_where_an_export_may_be_of_classes_or_of_objects_a_warning_says_so(tmp_path: Path) -> None:
    """Values 1, 2, 3 of one class; the class map has four classes."""
    land(SAMPLES / "by_plane_instance", tmp_path / "first")
    relabelled(tmp_path / "first", ("Lung lobe",))
    folder = export(tmp_path / "first", "d", tmp_path / "export", "instance")
    with (tmp_path / "export" / "color_map.txt").open("a") as file:
        file.write("\n4 Heart 1 2 3")
    found = nk.plan(nk.scan(folder)).findings.by_code()["segmentation-ambiguous"]
    assert [one.path for one in found] == ["axl_inference.nii.gz"]
    assert "segmentation='semantic'" in found[0].remedy
    assert (
        "segmentation-ambiguous"
        not in nk.plan(nk.scan(folder, segmentation="semantic")).findings.by_code()
    )


def test_an_export_of_instances_is_one_for_all_its_sets(tmp_path: Path) -> None:
    """A set with a file for each plane beside one with several: a class map knows all values."""
    export_folder = tmp_path / "export"
    land(SAMPLES / "by_plane_instance", tmp_path / "first")
    export(tmp_path / "first", "d", export_folder, "instance")
    relabelled(tmp_path / "first", ("Lung lobe",))
    alone = export(tmp_path / "first", "d", tmp_path / "alone", "instance")
    alone.rename(export_folder / "e")
    blockers = nk.plan(nk.scan(export_folder)).blockers
    assert ("segmentation-unknown", "e/axl_inference.nii.gz") in {
        (found.code, found.path) for found in blockers
    }


def test_exported_scores_between_both_ways_to_count_are_asked_for(tmp_path: Path) -> None:
    """Without a Layer 0, and inside the labels whichever way layers count."""
    write_planes(tmp_path / "sample")
    (tmp_path / "sample" / "axl_score.csv").write_text("Layer, Label-1\n3, 0.8\n4, 0.7\n")
    land(tmp_path / "sample", tmp_path / "first")
    folder = export(tmp_path / "first", "d", tmp_path / "export", "semantic")
    blockers = nk.plan(nk.scan(folder)).blockers
    assert [(f.code, f.path) for f in blockers] == [("scores-base-unsaid", "axl_score.csv")]
    with pytest.raises(nk.errors.PlanBlocked):
        nk.upload(nk.plan(nk.scan(folder)), nk.ProjectFolder(tmp_path / "no", dataset="d"))
    land(folder, tmp_path / "again", score_base=0)
    first, again = (oracle.read_project(tmp_path / n, "d").objects for n in ("first", "again"))
    assert [one.custom_data for one in again] == [one.custom_data for one in first]
