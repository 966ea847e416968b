"""Projects that others made: other figures, tags, odd names, overlaps, several datasets."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.core.geometry import Grid
from nifti_kit.formats.nrrd import box_bytes, volume_pieces

GRID = Grid((6, 5, 4), np.diag([1.5, 2.0, 3.0, 1.0]) + np.array([[0, 0, 0, 7.3]] * 3 + [[0] * 4]))


class Project:
    """A project in a folder, written by hand as the SDK lays it out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.meta: dict[str, Any] = {"classes": [], "tags": [], "projectType": "volumes"}
        self.anns: dict[tuple[str, str], dict[str, Any]] = {}

    def volume(self, dataset: str, name: str) -> dict[str, Any]:
        place = self.place(dataset)
        (place / "volume").mkdir(parents=True, exist_ok=True)
        voxels = np.arange(120, dtype=np.int16).reshape(GRID.shape)
        pages = (voxels[:, :, k] for k in range(GRID.shape[2]))
        content = b"".join(volume_pieces(GRID, voxels.dtype, pages))
        (place / "volume" / name).write_bytes(content)
        planes = [{"name": "axial", "normal": {"x": 0, "y": 0, "z": 1}, "slices": []}]
        ann = {"key": uuid.uuid4().hex, "tags": [], "objects": [], "spatialFigures": []}
        return self.anns.setdefault((dataset, name), {**ann, "volumeMeta": {}, "planes": planes})

    def place(self, dataset: str) -> Path:
        first, *rest = dataset.split("/")
        return self.folder.joinpath(first, *(part for one in rest for part in ("datasets", one)))

    def classes(self, *titles: str, shape: str = "mask_3d", description: str = "") -> None:
        for number, title in enumerate(titles, start=len(self.meta["classes"]) + 1):
            color = f"#{number:02X}8040"
            new = {"title": title, "shape": shape, "color": color, "description": description}
            self.meta["classes"].append(new)

    def mask(
        self, dataset: str, name: str, title: str, box: tuple[slice, ...], **custom: Any
    ) -> dict[str, Any]:
        ann, key, figure_key = self.anns[dataset, name], uuid.uuid4().hex, uuid.uuid4().hex
        grid = custom.pop("grid", GRID)
        one = {"key": key, "classTitle": title, "tags": []}
        ann["objects"].append(one)
        figure = {"key": figure_key, "objectKey": key, "geometryType": "mask_3d", "geometry": {}}
        ann["spatialFigures"].append({**figure, "customData": custom.get("custom", {})})
        path = self.place(dataset) / "mask" / name / f"{figure_key}.nrrd"
        path.parent.mkdir(parents=True, exist_ok=True)
        part = np.ones([side.stop - side.start for side in box], np.uint8)
        path.write_bytes(box_bytes(grid, box, part))
        return one

    def write(self) -> nk.ProjectFolder:
        (self.folder / "meta.json").write_text(json.dumps(self.meta))
        for (dataset, name), ann in self.anns.items():
            place = self.place(dataset) / "ann"
            place.mkdir(exist_ok=True)
            (place / f"{name}.json").write_text(json.dumps(ann))
        return nk.ProjectFolder(self.folder)


def box(*sides: tuple[int, int]) -> tuple[slice, ...]:
    return tuple(slice(*side) for side in sides)


A, B, C = box((0, 2), (0, 2), (0, 2)), box((1, 3), (1, 3), (1, 3)), box((4, 6), (3, 5), (2, 4))
"""Two boxes that overlap in a voxel, and one apart from them."""


def landed(export: Any, layout: str = "auto") -> list[tuple[str, str, int]]:
    plan = nk.plan(nk.scan(export.folder, layout=layout), waive="planes-incomplete")
    assert not plan.blockers
    return sorted((i.name, o.class_name, o.voxels) for i in plan.items for o in i.objects)


def test_what_has_no_form_is_named_and_kept(tmp_path: Path) -> None:
    made = Project(tmp_path / "project")
    made.classes("bone")
    made.classes("outline", shape="polygon")
    ann = made.volume("d", "v.nrrd")
    made.mask("d", "v.nrrd", "bone", A, custom={"reader": {"name": "X"}})["tags"] = [{"name": "t"}]
    ann["tags"] = [{"name": "quality", "value": 3}]
    ann["objects"].append({"key": "o1", "classTitle": "outline", "tags": []})
    ann["objects"].append({"key": "o2", "classTitle": "bone", "tags": []})
    ann["objects"].append({"key": "o3", "classTitle": "bone", "tags": []})
    line = {"key": "f1", "objectKey": "o1", "geometryType": "polygon", "geometry": {"points": {}}}
    ann["planes"][0]["slices"] = [{"index": 2, "figures": [line]}]
    mesh = {"key": "f2", "objectKey": "o2", "geometryType": "closed_surface_mesh"}
    ann["spatialFigures"].append({**mesh, "geometry": {}})
    export = nk.export(made.write(), tmp_path / "export")
    assert not export.ok
    found = sorted((left.what, left.name) for left in export.not_exported)
    assert found == [
        ("custom data", "bone"), ("figure", "bone"), ("figure", "outline"), ("object", "bone"),
        ("tags", "bone"), ("tags", "v.nrrd"),
    ]  # fmt: skip
    kept = json.loads((tmp_path / "export" / "not_exported.json").read_text())
    (custom,) = (one["content"] for one in kept if one["what"] == "custom data")
    assert custom["customData"] == {"reader": {"name": "X"}}
    assert landed(export) == [("v.nrrd", "bone", 8)]


def test_objects_of_one_class_that_overlap_come_back_from_two_files(tmp_path: Path) -> None:
    made = Project(tmp_path / "project")
    made.classes("bone", "1 Rib 2")
    made.volume("d", "v.nrrd")
    for title, where in (("bone", A), ("bone", B), ("bone", C), ("1 Rib 2", B)):
        made.mask("d", "v.nrrd", title, where)
    export = nk.export(made.write(), tmp_path / "export")
    assert export.ok
    assert (tmp_path / "export" / "d" / "v" / "bone~2.nii.gz").is_file()
    expected = [("v.nrrd", "1 Rib 2", 8), *[("v.nrrd", "bone", 8)] * 3]
    assert landed(export) == expected


@pytest.mark.parametrize("twice", [False, True])
def test_a_set_of_planes_that_overlaps_becomes_instance_as_a_whole(
    twice: bool, tmp_path: Path
) -> None:
    made = Project(tmp_path / "project")
    made.classes("bone", "skin", description="")
    for plane in ("axl", "cor", "sag"):
        made.volume("d", f"{plane}_anatomic.nrrd")
        made.mask("d", f"{plane}_anatomic.nrrd", "bone", A)
    made.mask("d", "cor_anatomic.nrrd", "skin", B)
    if twice:
        made.mask("d", "sag_anatomic.nrrd", "bone", B)
    export = nk.export(made.write(), tmp_path / "export", layout="by_plane")
    assert export.ok
    names = {path.name for path in export.files}
    assert "axl_inference.nii.gz" not in names
    expected = [
        ("axl_anatomic.nrrd", "bone", 8), ("cor_anatomic.nrrd", "bone", 8),
        ("cor_anatomic.nrrd", "skin", 8), *[("sag_anatomic.nrrd", "bone", 8)] * (1 + twice),
    ]  # fmt: skip
    assert landed(export) == expected
    on_disk = {path.name for path in (tmp_path / "export").rglob("*.nii.gz")}
    assert on_disk == {name for name in names if name.endswith(".nii.gz")}


NAMES = [
    "Liver", "liver", "LIVER", "a/b", "a b", "a_b", "T 1 2 3", "x:y", "50%", "..", "c~2", "Größe",
    "left lung 255 0 0", "#1", "background", "x" * 240, "y" * 240 + "1", "y" * 240 + "2",
]  # fmt: skip


def test_any_class_name_comes_back(tmp_path: Path) -> None:
    made = Project(tmp_path / "project")
    made.classes(*NAMES)
    made.volume("d", "v.nrrd")
    for name in NAMES:
        made.mask("d", "v.nrrd", name, A)
    export = nk.export(made.write(), tmp_path / "export")
    assert not export.not_exported
    plan = nk.plan(nk.scan(export.folder))
    assert not plan.blockers
    assert sorted(one.name for one in plan.classes) == sorted(NAMES)
    colors = {one["title"]: one["color"] for one in made.meta["classes"]}
    found = {one.name: "#{:02X}{:02X}{:02X}".format(*one.color) for one in plan.classes}
    assert found == colors


def test_each_dataset_is_a_folder_and_none_is_that_of_masks(tmp_path: Path) -> None:
    made = Project(tmp_path / "project")
    made.classes("bone")
    for dataset, name in (("a", "v.nrrd"), ("a", "b.nrrd"), ("a/b", "v.nrrd"), ("b", "x.nrrd")):
        made.volume(dataset, name)
        made.mask(dataset, name, "bone", C)
    export = nk.export(made.write(), tmp_path / "export")
    assert export.ok
    assert {str(path.parent.relative_to(tmp_path / "export")) for path in export.files} >= {
        "a", "a/b_dataset", "b_dataset"
    }  # fmt: skip
    assert [(name, voxels) for _, name, voxels in landed(export)] == [("bone", 8)] * 4


def test_a_mask_whose_origin_was_rounded_is_taken_voxel_by_voxel(tmp_path: Path) -> None:
    made = Project(tmp_path / "project")
    made.classes("bone")
    made.volume("d", "v.nrrd")
    rounded = GRID.affine.copy()
    rounded[:3, 3] = np.round(rounded[:3, 3])
    made.mask("d", "v.nrrd", "bone", C, grid=Grid(GRID.shape, rounded))
    export = nk.export(made.write(), tmp_path / "export")
    assert export.ok
    assert "mm off" in next(one.remark for one in export.entries if one.what == "mask")
    (planned,) = nk.plan(nk.scan(export.folder)).objects
    assert planned.box == C
    np.testing.assert_allclose(planned.grid.affine, GRID.affine, atol=1e-4)
