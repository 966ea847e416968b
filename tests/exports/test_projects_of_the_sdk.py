"""A project that the SDK wrote: other geometries, tags, no scores; what has no form is named."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import nrrd
import numpy as np
import pytest

import nifti_kit as nk
from tests.support import round_trips

SHAPE = (8, 9, 10)
AFFINE = np.array([[2.0, 0, 0, -10.25], [0, 3.0, 0, 4.5], [0, 0, 5.0, 7.125], [0, 0, 0, 1]])
HEADER = {
    "space": "right-anterior-superior",
    "space directions": AFFINE[:3, :3].T,
    "space origin": AFFINE[:3, 3],
}


def annotation(sly: ModuleType, kinds: list[Any], tag: Any, meta: dict[str, Any]) -> Any:
    """Return a mask of 4 x 3 x 2 voxels, a polygon and a rectangle on slices, and two tags."""
    inside = np.zeros(SHAPE, dtype=bool)
    inside[1:5, 2:5, 6:8] = True
    tags = sly.VolumeTagCollection([sly.VolumeTag(tag, value="good")])
    organ, outline, box = objects = [
        sly.VolumeObject(kind, tags=tags if at == 0 else None) for at, kind in enumerate(kinds)
    ]
    corners = [sly.PointLocation(*corner) for corner in ((1, 1), (1, 5), (4, 4))]
    axial = sly.VolumeFigure(outline, sly.Polygon(corners), sly.Plane.AXIAL, 3)
    coronal = sly.VolumeFigure(box, sly.Rectangle(1, 1, 3, 4), sly.Plane.CORONAL, 2)
    return sly.VolumeAnnotation(
        meta,
        objects=sly.VolumeObjectCollection(objects),
        plane_axial=sly.Plane(sly.Plane.AXIAL, items=[sly.Slice(3, [axial])], volume_meta=meta),
        plane_coronal=sly.Plane(
            sly.Plane.CORONAL, items=[sly.Slice(2, [coronal])], volume_meta=meta
        ),
        tags=tags,
        spatial_figures=[sly.VolumeFigure(organ, sly.Mask3D(inside), None, None)],
    )


def write_project(sly: ModuleType, folder: Path) -> Path:
    """Write a project with one volume in a dataset by the SDK; its mask by pynrrd."""
    kinds = [
        sly.ObjClass("Organ", sly.Mask3D, color=[9, 8, 7]),
        sly.ObjClass("Outline", sly.Polygon, color=[1, 2, 3]),
        sly.ObjClass("Box", sly.Rectangle, color=[4, 5, 6]),
    ]
    tag = sly.TagMeta("quality", sly.TagValueType.ANY_STRING)
    project = sly.VolumeProject(str(folder), sly.OpenMode.CREATE)
    collections = sly.ObjClassCollection(kinds), sly.TagMetaCollection([tag])
    project.set_meta(sly.ProjectMeta(*collections, project_type=sly.ProjectType.VOLUMES.value))
    dataset = project.create_dataset("reading room")
    file = folder.with_suffix(".nrrd")
    nrrd.write(str(file), np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE), HEADER)
    _, meta = sly.volume.read_nrrd_serie_volume_np(str(file))
    ann = annotation(sly, kinds, tag, meta)
    dataset.add_item_file("v.nrrd", str(file), ann=ann, _validate_item=False)
    for figure in ann.spatial_figures:
        mask = Path(dataset.get_mask_path("v.nrrd", figure))
        mask.parent.mkdir(parents=True, exist_ok=True)
        nrrd.write(str(mask), figure.geometry.data.astype(np.uint8), HEADER)
    return folder


@pytest.mark.sly
def test_a_project_of_the_sdk_comes_back_and_the_rest_is_named(
    sly: ModuleType, tmp_path: Path
) -> None:
    path = write_project(sly, tmp_path / "project")
    before = round_trips.of_project(path, ["reading room"])
    export = nk.export(nk.ProjectFolder(path), tmp_path / "out")
    found = round_trips.differences(before, round_trips.of_files(tmp_path / "out"))
    # What no mask can have has no number either.
    assert {(one.what, one.name) for one in found} == {("class", "Outline"), ("class", "Box")}
    named = sorted((one["what"], one["class"]) for one in round_trips.left_out(tmp_path / "out"))
    assert named == [
        ("figure", "Box"), ("figure", "Outline"), ("tags", "Organ"), ("tags", "v.nrrd")
    ]  # fmt: skip
    assert len(export.not_exported) == 4
    (planned,) = nk.plan(nk.scan(tmp_path / "out")).objects
    assert (planned.class_name, planned.color, planned.voxels) == ("Organ", (9, 8, 7), 24)
