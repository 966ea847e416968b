"""The unmodified SDK makes, fills, lists and downloads a volume project on the stand-in."""

from __future__ import annotations

import io
import json
from collections.abc import Coroutine
from pathlib import Path
from types import ModuleType
from typing import Any

import nrrd
import numpy as np
import pytest
import requests

import nifti_kit as nk
from tests.platform import Platform, running_platform
from tests.platform.seeds import META, SHAPE, Seed, nrrd_bytes, voxels
from tests.platform.state import hash_of
from tests.support import uploads
from tests.support.builders import SAMPLES

pytestmark = pytest.mark.sly

SCORES = {"0-0-1": {"2": {"score": "0.80", "comment": None}}}

SPACE = {
    "space": "right-anterior-superior",
    "space directions": [[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 3.0]],
    "space origin": [4.0, 5.0, 6.0],  # whole millimetres: the SDK rounds it
}
"""The header of a mask."""


state, seed = uploads.state, uploads.seed
platform = uploads.platform_of_state


@pytest.fixture
def api(platform: Platform, sly: ModuleType) -> Any:
    """A connection of the SDK that tries twice and does not wait in between."""
    return sly.Api(
        platform.address, platform.token, retry_count=2, retry_sleep_sec=0, ignore_task_id=True
    )


def finished(sly: ModuleType, api: Any, work: Coroutine[Any, Any, Any]) -> Any:
    """Return what the SDK's work gives, and close the connections that it leaves open."""

    async def run() -> Any:
        answer = await work
        await api.async_httpx_client.aclose()
        return answer

    return sly.run_coroutine(run())


def masks() -> list[np.ndarray]:
    return [np.random.default_rng(seed).random(SHAPE) > 0.6 for seed in (2, 3)]


def voxels_in(content: bytes) -> np.ndarray:
    file = io.BytesIO(content)
    return nrrd.read_data(nrrd.read_header(file), file)


def test_the_sdk_knows_the_version_and_whose_token_it_is(platform: Platform, api: Any) -> None:
    team = platform.state.team["id"]
    assert api.instance_version == "6.15.0"
    assert api.user.get_my_info().login == "tester"
    assert [one.name for one in api.team.get_list()] == ["team"]
    assert api.team.get_info_by_id(team).id == team
    assert [one.name for one in api.workspace.get_list(team)] == ["workspace"]
    assert api.workspace.create(team, "second").team_id == team
    assert api.workspace.get_info_by_id(platform.state.workspace["id"]).name == "workspace"
    assert platform.unknown == []


def test_the_sdk_makes_finds_changes_and_removes_projects_and_datasets(
    platform: Platform, api: Any, sly: ModuleType
) -> None:
    workspace = platform.state.workspace["id"]
    project = api.project.create(workspace, "knees", sly.ProjectType.VOLUMES)
    other = api.project.create(
        workspace, "knees", sly.ProjectType.VOLUMES, change_name_if_conflict=True
    )
    assert (project.type, other.name) == ("volumes", "knees_001")
    api.project.update_custom_data(project.id, {"source": {"folder": "in"}})
    assert api.project.get_custom_data(project.id) == {"source": {"folder": "in"}}

    top = api.dataset.create(project.id, "top")
    child = api.dataset.create(project.id, "child", parent_id=top.id, custom_data={"a": 1})
    grandchild = api.dataset.create(project.id, "child", parent_id=child.id)
    assert [one.name for one in api.dataset.get_list(project.id)] == ["top"]
    every = api.dataset.get_list(project.id, recursive=True)
    assert [one.id for one in every] == [top.id, child.id, grandchild.id]
    assert [one.id for one in api.dataset.get_list(project.id, parent_id=child.id)] == [
        grandchild.id
    ]
    assert [path for path, _ in api.dataset.tree(project.id)] == [[], ["top"], ["top", "child"]]
    assert api.dataset.get_info_by_id(child.id).parent_id == top.id
    assert api.dataset.get_info_by_name(project.id, "child", parent_id=top.id).id == child.id
    listed = api.dataset.get_list(project.id, recursive=True, include_custom_data=True)
    assert [one.custom_data for one in (every[1], listed[1])] == [None, {"a": 1}]
    assert api.project.get_info_by_id(project.id).datasets_count == 3

    api.dataset.remove(top.id)
    api.project.remove(project.id)
    assert len(platform.state.datasets) == 0
    assert api.project.get_info_by_id(project.id) is None
    assert [one.id for one in api.project.get_list(workspace)] == [other.id]
    assert platform.unknown == []


def test_a_meta_keeps_the_ids_of_its_classes(platform: Platform, api: Any, sly: ModuleType) -> None:
    project = api.project.create(platform.state.workspace["id"], "p", sly.ProjectType.VOLUMES).id
    bone, skin = (sly.ObjClass(name, sly.Mask3D, description="d") for name in ("bone", "skin"))
    first = api.project.update_meta(project, sly.ProjectMeta([bone]))
    second = api.project.update_meta(project, first.add_obj_class(skin))
    read = sly.ProjectMeta.from_json(api.project.get_meta(project, with_settings=True))
    assert [one.name for one in read.obj_classes] == ["bone", "skin"]
    assert read.get_obj_class("bone").sly_id == first.get_obj_class("bone").sly_id
    assert read.get_obj_class("skin").sly_id == second.get_obj_class("skin").sly_id
    assert api.object_class.get_name_to_id_map(project) == {
        one.name: one.sly_id for one in read.obj_classes
    }
    assert read.project_type == "volumes"
    assert platform.unknown == []


def test_volumes_come_back_from_arrays_and_from_files(
    platform: Platform, api: Any, sly: ModuleType, tmp_path: Path
) -> None:
    project = api.project.create(platform.state.workspace["id"], "p", sly.ProjectType.VOLUMES).id
    dataset = api.dataset.create(project, "d").id
    path = tmp_path / "file.nrrd"
    path.write_bytes(nrrd_bytes())
    array, meta = sly.volume.read_nrrd_serie_volume_np(str(path))
    np.testing.assert_array_equal(array, voxels())
    first = api.volume.upload_np(dataset, "array.nrrd", array, meta)
    second = api.volume.upload_nrrd_series_paths(
        dataset, ["file.nrrd"], [str(path)], log_progress=False
    )[0]
    by_name = {one.name: one for one in api.volume.get_list(dataset)}
    assert by_name == {"array.nrrd": first, "file.nrrd": second}
    assert api.volume.get_list(project_id=project) == [first, second]
    assert api.volume.get_info_by_name(dataset, "file.nrrd").id == second.id
    assert first.meta["dimensionsIJK"] == {"x": 12, "y": 10, "z": 8}
    assert first.meta["IJK2WorldMatrix"] == [1, 0, 0, 4, 0, 2, 0, 5, 0, 0, 3, 6.5, 0, 0, 0, 1]
    assert first.file_meta["sizes"] == list(SHAPE)
    assert api.dataset.get_info_by_id(dataset).items_count == 2

    for number, info in enumerate((first, second)):
        out = tmp_path / f"{number}.nrrd"
        api.volume.download_path(info.id, str(out))
        assert hash_of(out.read_bytes()) == info.hash
        assert out.stat().st_size == info.sizeb
        np.testing.assert_array_equal(nrrd.read(str(out))[0], voxels())
    finished(sly, api, api.volume.download_path_async(first.id, str(tmp_path / "checked.nrrd")))
    assert hash_of((tmp_path / "checked.nrrd").read_bytes()) == first.hash

    assert api.volume.rename(first.id, "new.nrrd").name == "new.nrrd"
    api.volume.remove(first.id)
    assert api.volume.get_info_by_id(first.id) is None
    assert {row["volumeId"] for row in platform.state.slices} == {second.id}
    assert platform.unknown == []


def test_every_slice_of_the_three_planes_is_there_once(
    platform: Platform, api: Any, sly: ModuleType
) -> None:
    project = api.project.create(platform.state.workspace["id"], "p", sly.ProjectType.VOLUMES).id
    dataset = api.dataset.create(project, "d").id
    api.volume.upload_np(dataset, "array.nrrd", voxels(), dict(META))
    for axis, letter in enumerate("xyz"):
        rows = platform.state.slices.where(axis=letter)
        assert [row["sliceIndex"] for row in rows] == list(range(SHAPE[axis]))
        for row in rows:
            shown = voxels_in(platform.state.blobs[row["hash"]])
            np.testing.assert_array_equal(shown, voxels().take(row["sliceIndex"], axis))


def test_an_annotation_comes_back_with_masks_scores_and_tags(
    platform: Platform, api: Any, sly: ModuleType, tmp_path: Path
) -> None:
    project = api.project.create(platform.state.workspace["id"], "p", sly.ProjectType.VOLUMES).id
    dataset = api.dataset.create(project, "d").id
    classes = [sly.ObjClass(name, sly.Mask3D) for name in ("bone", "skin")]
    tag_meta = sly.TagMeta("side", sly.TagValueType.ANY_STRING)
    meta = api.project.update_meta(project, sly.ProjectMeta(classes, [tag_meta]))
    info = api.volume.upload_np(dataset, "v.nrrd", voxels(), dict(META))
    tags = sly.VolumeTagCollection([sly.VolumeTag(tag_meta, "left")])
    sent_masks = [sly.Mask3D(mask, volume_header=SPACE) for mask in masks()]
    objects = [
        sly.VolumeObject(kind, tags=tags, mask_3d=mask, custom_data=scores)
        for kind, mask, scores in zip(classes, sent_masks, (SCORES, None), strict=True)
    ]
    figures = [item.figure for item in objects]
    collection = sly.VolumeObjectCollection(objects)
    sent = sly.VolumeAnnotation(info.meta, collection, tags=tags, spatial_figures=figures)
    keys = sly.KeyIdMap()
    api.volume.annotation.append(info.id, sent, keys)

    ids = sly.KeyIdMap()
    json_back = api.volume.annotation.download(info.id)
    back = sly.VolumeAnnotation.from_json(json_back, meta, ids)
    assert [item.obj_class.name for item in back.objects] == ["bone", "skin"]
    assert [tag.value for tag in back.tags] == ["left"]
    assert [[tag.value for tag in item.tags] for item in back.objects] == [["left"], ["left"]]
    figure_ids = [ids.get_figure_id(one.key()) for one in back.spatial_figures]
    assert figure_ids == [keys.get_figure_id(one.key()) for one in figures]
    for figure, mask in zip(back.spatial_figures, masks(), strict=True):
        api.volume.figure.load_sf_geometry(figure, ids)
        np.testing.assert_array_equal(figure.geometry.data, mask)
    paths = [str(tmp_path / f"{one}.nrrd") for one in figure_ids]
    api.volume.figure.download_sf_geometries(figure_ids, paths)
    for path, one in zip(paths, figure_ids, strict=True):
        assert Path(path).read_bytes() == platform.state.geometries[one]

    listed = api.volume.figure.download(dataset, [info.id])[info.id]
    assert [one.custom_data for one in listed] == [SCORES, {}]
    again = finished(sly, api, api.volume.figure.download_async(dataset, log_progress=False))
    assert again[info.id] == listed
    assert [one.class_id for one in api.volume.object.get_list(dataset)] == [
        one.class_id for one in listed
    ]
    refreshed = api.volume.get_info_by_id(info.id)
    assert (refreshed.objects_count, refreshed.figures_count) == (2, 2)
    assert platform.unknown == []


def test_custom_data_of_a_figure_is_merged_or_replaced(api: Any, seed: Seed) -> None:
    update = api.volume.figure.update_custom_data
    update(seed.figure, SCORES)
    update(seed.figure, {"0-0-1": {"3": {"score": "1"}}, "1-0-0": {}})
    row = seed.state.figures.rows[seed.figure]
    assert row["customData"] == {
        "0-0-1": {"2": {"score": "0.80", "comment": None}, "3": {"score": "1"}},
        "1-0-0": {},
    }
    update(seed.figure, {"a": "b"}, "replace")
    assert row["customData"] == {"a": "b"}
    assert api.volume.figure.get_by_ids(seed.dataset, [seed.figure])[0].custom_data == {"a": "b"}
    # What the SDK does not ask for is not in the answer.
    assert api.volume.figure.get_info_by_id(seed.figure).custom_data is None


def test_objects_and_figures_are_removed_with_what_hangs_on_them(api: Any, seed: Seed) -> None:
    second = seed.add_figure(seed.object)
    seed.state.geometries.update({seed.figure: b"one", second: b"two"})
    api.volume.figure.remove(second)
    assert seed.state.geometries == {seed.figure: b"one"}
    api.volume.object.remove_batch([seed.object])
    assert (len(seed.state.objects), len(seed.state.figures)) == (0, 0)
    assert seed.state.geometries == {}
    assert api.volume.annotation.download(seed.volume)["spatialFigures"] == []


def test_a_figure_on_a_slice_stands_in_its_plane(api: Any, seed: Seed, sly: ModuleType) -> None:
    item = seed.add_object(seed.outline)
    polygon = sly.Polygon([[1, 1], [1, 4], [5, 4]])
    figure = api.volume.figure.create(seed.volume, item, "coronal", 7, polygon.to_json(), "polygon")
    answer = api.volume.annotation.download(seed.volume)
    meta = sly.ProjectMeta.from_json(api.project.get_meta(seed.project))
    back = sly.VolumeAnnotation.from_json(answer, meta, sly.KeyIdMap())
    assert [one.geometry.to_json() for one in back.plane_coronal.get(7).figures] == [
        {**polygon.to_json(), "id": figure}
    ]
    assert len(back.figures) == len(back.spatial_figures) == 1


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder as we write it."""
    out = tmp_path_factory.mktemp("instance") / "project"
    for name in ("by_plane_instance", "scores"):
        plan = nk.plan(nk.scan(SAMPLES / name))
        nk.upload(plan, nk.ProjectFolder(out, dataset=name), on_progress=lambda _: None)
    return out


def landed(folder: Path) -> dict[tuple[str, str], list[Any]]:
    """Return, per volume of a project folder: class, custom data and voxels of each object."""
    found = {}
    for path in sorted(folder.glob("*/ann/*.json")):
        annotation = json.loads(path.read_text())
        volume, dataset = path.name.removesuffix(".json"), path.parents[1]
        titles = {one["key"]: one["classTitle"] for one in annotation["objects"]}
        items = []
        for figure in annotation["spatialFigures"]:
            data, _ = nrrd.read(str(dataset / "mask" / volume / f"{figure['key']}.nrrd"))
            title = titles[figure["objectKey"]]
            place = np.argwhere(data).tolist()
            items.append((title, figure.get("customData") or {}, data.shape, place))
        found[dataset.name, volume] = items
    return found


def test_a_project_folder_goes_up_and_comes_down_with_the_sdk(
    platform: Platform, api: Any, sly: ModuleType, project: Path, tmp_path: Path
) -> None:
    workspace = platform.state.workspace["id"]
    number, name = sly.upload_volume_project(str(project), api, workspace, log_progress=False)
    assert name == "project"
    down = tmp_path / "down"
    sly.download_volume_project(api, number, str(down), log_progress=True)
    before, after = landed(project), landed(down)
    assert len(before) == 6
    assert after == before
    assert any(scores for items in before.values() for _, scores, _, _ in items)
    metas = [json.loads((folder / "meta.json").read_text()) for folder in (project, down)]
    kept = ("title", "shape", "color", "description")
    classes = [[[one[key] for key in kept] for one in meta["classes"]] for meta in metas]
    assert classes[1] == classes[0]
    for dataset, volume in before:
        old, new = (nrrd.read(str(top / dataset / "volume" / volume))[0] for top in (project, down))
        np.testing.assert_array_equal(new, old)
    assert platform.unknown == []


def test_the_sdk_reads_lists_of_several_pages(platform: Platform, api: Any, seed: Seed) -> None:
    platform.state.page_size = 2
    ids = [seed.figure, *(seed.add_figure(seed.object) for _ in range(4))]
    names = ["knee.nrrd", *(f"{n}.nrrd" for n in range(4))]
    for name in names[1:]:
        seed.add_volume(name)
    assert [one.name for one in api.volume.get_list(seed.dataset)] == names
    found = api.volume.figure.download(seed.dataset)[seed.volume]
    assert [one.id for one in found] == ids


def test_the_sdk_tries_again_after_a_status_and_after_a_reset(platform: Platform, api: Any) -> None:
    for kind in ("500", "429", "reset before"):
        platform.faults.on("teams.list", kind)
        assert [one.name for one in api.team.get_list()] == ["team"]
    platform.faults.on("workspaces.add", "reset after")
    with pytest.raises(requests.HTTPError, match="'new' already exists"):
        api.workspace.create(platform.state.team["id"], "new")
    platform.faults.on("teams.list", "503", times=2)
    with pytest.raises(requests.exceptions.RetryError):
        api.team.get_list()


def test_the_second_attempt_of_the_sdk_at_a_form_sends_no_body(seed: Seed, sly: ModuleType) -> None:
    with running_platform(state=seed.state, patience=1) as platform:
        api = sly.Api(platform.address, platform.token, retry_count=3, retry_sleep_sec=0)
        platform.faults.on("images.bulk.upload", "500")
        with pytest.raises(requests.exceptions.RetryError):
            api.volume.upload_np(seed.dataset, "new.nrrd", voxels(), dict(META))
        sent = [one for one in platform.requests if one.method == "images.bulk.upload"]
        assert [one.status for one in sent] == [500, 408, 408]


def test_the_sdk_swallows_slices_that_are_refused(platform: Platform, api: Any, seed: Seed) -> None:
    platform.faults.on("volumes.slices.bulk.add", "400", times=2)
    info = api.volume.upload_np(seed.dataset, "new.nrrd", voxels(), dict(META))
    assert api.volume.get_info_by_id(info.id) == info
    assert {row["axis"] for row in platform.state.slices} == {"z"}
