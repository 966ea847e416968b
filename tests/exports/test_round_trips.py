"""Files to a target and back: zero voxels, classes, scores differ, or it is named."""

from __future__ import annotations

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
from tests.support import round_trips
from tests.support.builders import SAMPLES, write_nifti
from tests.support.handmade import write_array
from tests.support.landings import land, quiet
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


def write_scored(folder: Path) -> None:
    """Write 16 sets of three planes in 48 voxel orders, with scores, comments and blank cells."""
    ramp = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    for number, order in enumerate(ORDERS):
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
    write_scored(source)
    target = target_of(kind, tmp_path, platform)
    land(source, target)
    before = round_trips.of_files(source)
    assert sum(len(one.scores) for one in before.objects) == 48 * 6
    for name, like in (("ras", None), ("like", source)):
        export = nk.export(target, tmp_path / name, layout="by_plane", like=like)
        assert export.ok
        after = round_trips.of_files(tmp_path / name)
        assert round_trips.differences(before, after, empty_classes=like is not None) == []
        there = again(export, tmp_path / f"{name} again")
        assert round_trips.differences(after, there, empty_classes=False) == []
    for path in source.rglob("*.nii*"):
        assert round_trips.unlike(path, tmp_path / "like" / path.relative_to(source)) == [], path
