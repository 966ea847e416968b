"""Files to a target and back: zero voxels, classes, scores differ, or it is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from tests.flow.test_orientations import (
    ORDERS,
    SHAPE,
    base_affine,
    base_labels,
    stored,
    stored_affine,
)
from tests.flow.test_space import Stored, part_of, sound
from tests.platform import Platform
from tests.support import exporter, oracle, round_trips
from tests.support.builders import SAMPLES, write_nifti
from tests.support.handmade import write_array
from tests.support.landings import land, quiet, write_volumes
from tests.support.trees import label_map, write_tree
from tests.support.uploads import new_target

LAYOUTS = {
    "by_volume": "by_volume",
    "by_plane_semantic": "by_plane",
    "by_plane_instance": "by_plane",
    "multi_item": "by_plane",
    "scores": "by_plane",
}


def target_of(kind: str, folder: Path, platform: Platform) -> Any:
    if kind == "instance":
        return new_target(platform)
    return nk.ProjectFolder(folder / "project", dataset="d")


def scanned(export: Any, **choices: Any) -> Any:
    """Return the plan of an export; nothing of it blocks."""
    waive = ("planes-incomplete", "labels-merged")
    plan = nk.plan(nk.scan(export.folder, **choices), waive=waive)
    assert not plan.blockers, plan
    return plan


def again(export: Any, folder: Path, **choices: Any) -> round_trips.Content:
    """Return what a project holds that an export was uploaded to."""
    target = nk.ProjectFolder(folder, dataset="d")
    receipt = nk.upload(scanned(export, **choices), target, on_progress=quiet)
    assert nk.verify(receipt, target).ok
    return round_trips.of_project(folder)


@pytest.mark.parametrize("kind", ["folder", "instance"])
@pytest.mark.parametrize("sample", LAYOUTS)
def test_a_sample_comes_back(sample: str, kind: str, tmp_path: Path, platform: Platform) -> None:
    target = target_of(kind, tmp_path, platform)
    land(SAMPLES / sample, target)
    export = nk.export(target, tmp_path / "out", layout=LAYOUTS[sample])
    assert export.ok
    before, after = (round_trips.of_files(one) for one in (SAMPLES / sample, tmp_path / "out"))
    assert len(before.objects) > 10
    assert round_trips.differences(before, after, empty_classes=False) == []
    there = again(export, tmp_path / "again")
    assert round_trips.differences(after, there) == []


# All 48 voxel orders


KINDS: list[dict[str, Any]] = [
    {"dtype": "u1"}, {"dtype": "i2"}, {"dtype": "f4"}, {"dtype": "u2", "order": ">"},
    {"dtype": "i4", "scl_slope": 3.0}, {"dtype": "f8", "order": ">"},
    {"dtype": "u1", "scl_slope": 0.5},
]  # fmt: skip
"""Types, byte orders and scalings of label maps."""


def write_mask(path: Path, mask: Stored, number: int) -> None:
    """Write a mask in one of several types, with form codes and a description of its own."""
    kind = dict(KINDS[number % len(KINDS)])
    stored_as = mask.labels / kind.get("scl_slope", 1.0)
    write_array(
        path,
        stored_as.astype(kind.pop("dtype")),
        affine=mask.affine,
        packed=path.name.endswith("gz"),
        descrip=f"mask {number}".encode(),
        sform_code=1 + number % 4,
        xyzt_units=10,
        **kind,
    )


def write_orders(folder: Path) -> None:
    """Write 48 volumes, one in each voxel order, with a mask in another one; some are parts."""
    ramp = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    for number, order in enumerate(ORDERS):
        oblique = number % 2 == 1
        affine = stored_affine(base_affine(oblique), order)
        forms = {"sform": (2, 0, 1)[number % 3], "qform": (0, 1, 1)[number % 3]}
        write_nifti(folder / f"v{number}.nii.gz", stored(ramp + number, order), affine, **forms)
        mask = sound(ORDERS[(number * 7 + 5) % 48], oblique)
        mask = part_of(mask) if number % 5 == 0 else mask
        ending = ".nii" if number % 4 == 0 else ".nii.gz"
        write_mask(folder / f"v{number}" / f"bone{ending}", mask, number)


def like_of(kind: str, dataset: Any, receipt: Any) -> Any:
    return {"dataset": dataset, "receipt": receipt, "folder": dataset.root}[kind]


def test_masks_in_all_voxel_orders_come_back_onto_their_files(tmp_path: Path) -> None:
    source = tmp_path / "in"
    write_orders(source)
    dataset = nk.scan(source)
    target = nk.ProjectFolder(tmp_path / "project", dataset="d")
    plan = nk.plan(dataset, waive="labels-merged")
    receipt = nk.upload(plan, target, on_progress=quiet)
    before = round_trips.of_files(source)
    assert len(before.objects) == 96
    for kind in ("dataset", "receipt", "folder"):
        out = tmp_path / kind
        export = nk.export(target, out, like=like_of(kind, dataset, receipt))
        assert export.ok
        for path in source.rglob("*.nii*"):
            assert round_trips.unlike(path, out / path.relative_to(source)) == [], path
        assert round_trips.differences(before, round_trips.of_files(out)) == []
    export = nk.export(target, tmp_path / "ras")
    assert export.ok
    assert round_trips.differences(before, round_trips.of_files(tmp_path / "ras")) == []
    assert round_trips.differences(before, again(export, tmp_path / "again")) == []


# Scores, in all voxel orders


def write_scored(folder: Path, orders: Sequence[Any]) -> None:
    """Write sets of three planes in these voxel orders, with scores, comments and blank cells."""
    ramp = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    for number, order in enumerate(orders):
        plane = ("axl", "cor", "sag")[number % 3]
        place = folder / f"set_{number // 3}"
        affine = stored_affine(base_affine(number % 4 > 1), order)
        write_nifti(place / f"{plane}_anatomic.nii.gz", stored(ramp + number, order), affine)
        write_nifti(place / f"{plane}_inference.nii.gz", stored(base_labels(), order), affine)
        rows = [
            "Layer, Label-3, Comment-3, Label-9, Comment-9",
            f"1, 0.{number:02}, , , \n2, , not sure, 0.5, ",
            '5, 0.123, "two, or ""three""", 1, ß\n4, , , , Label-3 is above',
        ]
        (place / f"{plane}_score.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "cls_color_map.txt").write_text(
        "3 Knee cap 1 2 3\n9 Rib 9 254 255 0\n12 None 7 7 7\n"
    )


@pytest.mark.parametrize("kind", ["folder", "instance"])
def test_scores_in_all_voxel_orders_come_back_on_their_slices(
    kind: str, tmp_path: Path, platform: Platform
) -> None:
    source = tmp_path / "in"
    orders = ORDERS if kind == "folder" else ORDERS[::4]
    write_scored(source, orders)
    target = target_of(kind, tmp_path, platform)
    land(source, target)
    before = round_trips.of_files(source)
    assert sum(len(one.scores) for one in before.objects) == len(orders) * 6
    for name, like in (("ras", None), ("like", source)):
        export = nk.export(target, tmp_path / name, layout="by_plane", like=like)
        assert export.ok
        after = round_trips.of_files(tmp_path / name)
        assert round_trips.differences(before, after, empty_classes=like is not None) == []
        if like is None:
            there = again(export, tmp_path / "again")
            assert round_trips.differences(after, there, empty_classes=False) == []
    for path in source.rglob("*.nii*"):
        assert round_trips.unlike(path, tmp_path / "like" / path.relative_to(source)) == [], path


# Data sets of other tools, and what the platform's exporter wrote


TREES: dict[str, dict[str, Any]] = {
    "nnU-Net": {
        "dataset.json": {
            "labels": {"background": 0, "liver": 1, "tumour": 2, "cyst": 3},
            "channel_names": {"0": "CT"},
            "numTraining": 2,
            "file_ending": ".nii.gz",
        },
        "imagesTr/a_0000.nii.gz": None,
        "imagesTr/b_0000.nii.gz": None,
        "labelsTr/a.nii.gz": label_map(),
        "labelsTr/b.nii.gz": label_map((1, 3)),
    },
    "TotalSegmentator": {
        "s1/ct.nii.gz": None,
        "s1/segmentations/liver.nii.gz": label_map((1,)),
        "s1/segmentations/lung.nii.gz": label_map((1,), 2),
        "s1/segmentations/none.nii.gz": label_map(()),
    },
}


@pytest.mark.parametrize("tool", TREES)
def test_a_data_set_of_another_tool_comes_back_onto_its_files(tool: str, tmp_path: Path) -> None:
    source = write_tree(tmp_path / "in", TREES[tool])
    dataset = nk.scan(source, layout="pairs")
    target = nk.ProjectFolder(tmp_path / "project", dataset="d")
    nk.upload(nk.plan(dataset), target, on_progress=quiet)
    with pytest.raises(nk.errors.NiftiKitError, match="which mask belongs") as refused:
        nk.export(target, tmp_path / "out", like=source)
    assert "layout='pairs'" in refused.value.remedy
    export = nk.export(target, tmp_path / "out", like=dataset)
    assert export.ok
    assert not export.notes
    for path in source.rglob("*.nii.gz"):
        assert round_trips.unlike(path, tmp_path / "out" / path.relative_to(source)) == [], path
    nk.export(target, tmp_path / "ras")
    before = round_trips.of_project(tmp_path / "project")
    assert round_trips.differences(before, round_trips.of_files(tmp_path / "ras")) == []


def test_volumes_without_original_files_are_counted(tmp_path: Path) -> None:
    target = nk.ProjectFolder(tmp_path / "project", dataset="d")
    land(write_volumes(tmp_path / "in"), target)
    others = write_volumes(tmp_path / "others", {"A": {"liver": (1, 2)}})
    export = nk.export(target, tmp_path / "out", like=others)
    assert export.notes == ("2 volumes without an original: written anew",)


@pytest.mark.parametrize(
    ("sample", "kind", "choices"),
    [("multi_item", "semantic", {}), ("scores", "semantic", {"score_base": 0})],
)
def test_what_the_platform_exported_comes_back_in_our_form(
    sample: str, kind: str, choices: dict[str, Any], tmp_path: Path
) -> None:
    land(SAMPLES / sample, nk.ProjectFolder(tmp_path / "first", dataset="d"))
    theirs = exporter.export(tmp_path / "first", "d", tmp_path / "theirs", kind)
    target = nk.ProjectFolder(tmp_path / "second", dataset="d")
    plan = nk.plan(nk.scan(theirs, **choices), waive="planes-incomplete")
    nk.upload(plan, target, on_progress=quiet)
    assert nk.export(target, tmp_path / "ours", layout="by_plane").ok
    before, after = (round_trips.of_files(one) for one in (SAMPLES / sample, tmp_path / "ours"))
    found = round_trips.differences(before, after, empty_classes=False)
    # The exporter writes 0.0 for what has no score; a set without a class map has chosen colours.
    assert [one for one in found if "was None and is (Decimal('0.0" not in one.words] == []


@pytest.mark.parametrize("scope", ["dataset", "project"])
@pytest.mark.parametrize("layout", ["by_plane", "by_volume"])
def test_annotations_that_were_added_come_back_with_what_was_there(
    scope: str, layout: str, tmp_path: Path
) -> None:
    path = tmp_path / "project"
    land(SAMPLES / "by_plane_semantic", nk.ProjectFolder(path, dataset="chest"))
    target, datasets = nk.ProjectFolder(path, dataset="chest"), ["chest"]
    if scope == "project":
        land(SAMPLES / "scores", nk.ProjectFolder(path, dataset="scores"))
        target, datasets = nk.ProjectFolder(path), ["chest", "scores"]
    land(SAMPLES / f"annotations_{scope}", target)
    before = round_trips.of_project(path, datasets)
    export = nk.export(target, tmp_path / "out", layout=layout)
    after = round_trips.of_files(tmp_path / "out", by_volume=layout == "by_volume")
    found = round_trips.differences(before, after)
    assert round_trips.unnamed(found, tmp_path / "out") == []
    assert {one.what for one in found} == {one.what for one in export.not_exported}
    assert {one.what for one in found} <= ({"scores"} if layout == "by_volume" else set())
    plan = scanned(export, layout=layout)
    assert len(plan.objects) == len(before.objects)


def test_annotations_alone_come_back_onto_their_files(tmp_path: Path) -> None:
    """What else is on their volumes has no file among them: it is named."""
    path = tmp_path / "project"
    target = nk.ProjectFolder(path, dataset="chest")
    land(SAMPLES / "by_plane_semantic", target)
    there = Counter(("object", one.class_name) for one in _on(path, "axl", "cor"))
    source = SAMPLES / "annotations_dataset"
    receipt = land(source, target)
    volumes = ["axl_anatomic.nrrd", "cor_anatomic.nrrd"]
    planned = nk.plan(nk.scan(source), target=target).objects
    for name, like in (("folder", source), ("receipt", receipt)):
        out = tmp_path / name
        nk.export(target, out, layout="by_plane", like=like, volumes=volumes)
        for file in source.glob("*.nii.gz"):
            assert round_trips.unlike(file, out / file.name) == [], (name, file)
        left = round_trips.left_out(out)
        assert Counter((one["what"], one["class"]) for one in left) == there
        plan = nk.plan(nk.scan(out), target=target)
        assert not plan.blockers
        assert [(one.class_name, one.voxels) for one in plan.objects] == [
            (one.class_name, one.voxels) for one in planned
        ]


def _on(path: Path, *planes: str) -> list[Any]:
    return [
        one for plane in planes for one in oracle.read_project(path, "chest").of(
            f"{plane}_anatomic.nrrd"
        )
    ]  # fmt: skip
