"""An export of an instance is that of a folder with the same content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.core.geometry import Grid
from nifti_kit.formats.nrrd import box_bytes
from tests.platform import Platform
from tests.platform.endpoints import call
from tests.support.builders import SAMPLES
from tests.support.landings import land, tree
from tests.support.uploads import api, new_dataset, new_project, new_target
from tests.support.worlds import draw


def written(folder: Path) -> dict[str, bytes]:
    """The files of an export but the mapping, which has other ids."""
    return {name: content for name, content in tree(folder).items() if name != "mapping.json"}


@pytest.mark.parametrize(("sample", "layout"), [("by_volume", "by_volume"), ("scores", "by_plane")])
def test_an_instance_is_exported_as_a_folder_is(
    sample: str, layout: str, platform: Platform, tmp_path: Path
) -> None:
    target, folder = new_target(platform), nk.ProjectFolder(tmp_path / "project", dataset="d")
    for one in (target, folder):
        land(SAMPLES / sample, one)
    export = nk.export(target, tmp_path / "live", layout=layout)
    assert export.ok
    nk.export(folder, tmp_path / "disk", layout=layout)
    assert written(tmp_path / "live") == written(tmp_path / "disk")


def test_requests_do_not_grow_with_the_masks(platform: Platform, tmp_path: Path) -> None:
    target = new_target(platform)
    land(SAMPLES / "by_volume", target)
    before = len(platform.requests)
    nk.export(target, tmp_path / "export")
    masks = platform.count("figures.bulk.download.geometry")
    assert masks <= len(target.volumes())
    assert platform.count("volumes.download") == len(target.volumes())
    assert len(platform.requests) - before < 12 * len(target.volumes())


def test_a_project_of_an_instance_with_what_people_drew(platform: Platform, tmp_path: Path) -> None:
    project = new_project(platform)
    numbers = [new_dataset(platform, project, name) for name in ("first", "second")]
    receipts = [land(SAMPLES / "by_volume", nk.Instance(api(platform), one)) for one in numbers]
    volume = receipts[1].items[0].volume
    part = np.ones((2, 3, 1), np.uint8)
    grid = Grid(volume.grid.shape, volume.grid.affine)
    mask = box_bytes(grid, (slice(0, 2), slice(1, 4), slice(5, 6)), part)
    draw(platform, numbers[1], volume.id, "new", mask)
    drawn(platform, numbers[1], volume.id)
    drawn(platform, numbers[1], volume.id, "mesh", "closed_surface_mesh")
    target = nk.Instance(api(platform), project_id=project)
    export = nk.export(target, tmp_path / "export", volumes=[volume.id])
    assert [(one.what, one.name) for one in export.not_exported] == [
        ("figure", "mesh"),
        ("figure", "line"),
    ]
    plan = nk.plan(nk.scan(tmp_path / "export" / "second"))
    (one,) = (planned for planned in plan.objects if planned.class_name == "new")
    assert (one.voxels, one.box) == (6, (slice(0, 2), slice(1, 4), slice(5, 6)))


def drawn(
    platform: Platform,
    dataset_id: int,
    volume_id: int,
    title: str = "line",
    shape: str = "polygon",
) -> None:
    """Draw a figure that is no mask, as a person does: on a slice by default."""
    state = platform.state
    project = state.datasets.rows[dataset_id]["projectId"]
    meta = call(state, "projects.meta", {"id": project})
    meta["classes"].append({"title": title, "shape": shape, "color": "#102030"})
    meta = call(state, "projects.meta.update", {"id": project, "meta": meta})
    (kind,) = (one["id"] for one in meta["classes"] if one["title"] == title)
    new: dict[str, Any] = {"classId": kind, "entityId": volume_id}
    (made,) = call(
        state, "annotation-objects.bulk.add", {"datasetId": dataset_id, "annotationObjects": [new]}
    )
    where = {"sliceIndex": 3, "normal": {"x": 0, "y": 0, "z": 1}}
    meta = where if shape == "polygon" else {}
    figure = {"objectId": made["id"], "geometryType": shape, "meta": meta}
    call(state, "figures.bulk.add", {"entityId": volume_id, "figures": [figure]})
