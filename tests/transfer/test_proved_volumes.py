"""Proofs: a volume that is there twice or moved away; masks, and sources, that nearly are ours."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.targets.folder import ProjectFolder
from nifti_kit.targets.instance import Instance
from nifti_kit.transfer import beside
from tests.platform import Platform
from tests.platform.endpoints import call
from tests.support import livers
from tests.support.builders import labels, volume, write_nifti
from tests.support.history_sources import masks_of_persons
from tests.support.landings import land, write_annotations, write_volumes
from tests.support.livers import problems
from tests.support.uploads import api
from tests.support.worlds import draw

CHANGED = "the source has changed since the plan was made"


source, target, folder = livers.source, livers.target, livers.folder


# Volumes


def another_dataset(platform: Platform, target: Instance) -> int:
    data = {"projectId": target.project_id, "name": "other", "parentId": None}
    return int(call(platform.state, "datasets.add", data)["id"])


def test_a_volume_that_was_moved_to_another_dataset_is_found(
    source: Path, platform: Platform, target: Instance
) -> None:
    receipt = land(source, target)
    row = platform.state.volumes.rows[receipt.items[0].volume.id]
    row["datasetId"] = another_dataset(platform, target)
    text = "the target does not list it any more: it was removed, or moved"
    assert problems(nk.verify(receipt, target)) == [("volume", "", text)]
    whole = nk.Instance(api(platform), project_id=target.project_id)
    assert nk.verify(receipt, whole).ok


@pytest.mark.parametrize("on", ["instance", "folder"])
def test_the_volume_of_annotations_that_is_gone_is_found(
    on: str, tmp_path: Path, platform: Platform, target: Instance, folder: ProjectFolder
) -> None:
    place: Any = target if on == "instance" else folder
    (item,) = land(write_volumes(tmp_path / "base", {"A": {}}), place).items
    receipt = land(write_annotations(tmp_path / "again", item.volume.id), place)
    if on == "instance":
        call(platform.state, "images.bulk.remove", {"imageIds": [item.volume.id]})
    else:
        folder.annotation_path(item.volume).unlink()
    rows = nk.verify(receipt, place).failures
    assert [row.kind for row in rows] == ["volume", "object", "object"]
    assert "was removed, or moved" in rows[0].problem


@pytest.mark.parametrize("elsewhere", [True, False])
def test_a_second_volume_of_a_name_is_found_in_the_same_dataset(
    elsewhere: bool, source: Path, platform: Platform, target: Instance
) -> None:
    """The instance refuses to make it: that it is there all the same is what is looked for."""
    receipt = land(source, target)
    ours = receipt.items[0].volume.id
    facts = {k: v for k, v in platform.state.volumes.rows[ours].items() if k != "id"}
    if elsewhere:
        facts["datasetId"] = another_dataset(platform, target)
    twin = platform.state.volumes.add(**facts)["id"]
    whole = nk.Instance(api(platform), project_id=target.project_id)
    text = f"twice: the dataset has the name of volume {ours} again (id {twin})"
    expected = [] if elsewhere else [("surplus", "", text)]
    assert problems(nk.verify(receipt, whole)) == expected


def test_volumes_that_cannot_be_listed_are_told(
    source: Path, platform: Platform, target: Instance
) -> None:
    receipt = land(source, target)
    platform.faults.on("volumes.list", "403", times=2)  # one to ask ahead, one to tell
    proof = nk.verify(receipt, target)
    (row,) = proof.failures
    assert row.problem.startswith("it cannot be seen whether a volume is there twice: ")
    assert f"  The target: {row.problem}" in repr(proof).splitlines()


def test_a_copy_of_a_volume_with_its_keys_is_found_in_a_folder(
    source: Path, folder: ProjectFolder
) -> None:
    receipt = land(source, folder)
    dataset = folder.path / "d"
    shutil.copy(dataset / "ann" / "A.nrrd.json", dataset / "ann" / "B.nrrd.json")
    shutil.copy(dataset / "volume" / "A.nrrd", dataset / "volume" / "B.nrrd")
    shutil.copytree(dataset / "mask" / "A.nrrd", dataset / "mask" / "B.nrrd")
    text = "twice: d/A.nrrd, d/B.nrrd have the same key"
    found = problems(nk.verify(receipt, nk.ProjectFolder(folder.path, "d")))
    assert found == [("surplus", "", text)]


def test_damage_to_what_others_have_in_a_folder_is_no_fault_of_ours(
    source: Path, folder: ProjectFolder
) -> None:
    receipt = land(source, folder)
    dataset = folder.path / "d"
    content = json.loads((dataset / "ann" / "A.nrrd.json").read_text())
    content |= {"key": "c" * 32, "objects": [], "spatialFigures": [], "volumeId": 77}
    (dataset / "ann" / "X.nrrd.json").write_text(json.dumps(content))
    (dataset / "volume" / "X.nrrd").write_bytes(b"no volume")
    assert nk.verify(receipt, nk.ProjectFolder(folder.path, "d")).ok


# Masks that nearly are ours


def test_the_same_voxels_in_another_place_are_not_the_same_object(
    source: Path, platform: Platform, target: Instance
) -> None:
    receipt = land(source, target)
    (item,) = receipt.items
    mask = platform.state.geometries[receipt.objects[0].ref.figure_id]
    place = b"space origin: (-10.5,4.25,7.125)"
    assert place in mask
    moved = mask.replace(place, b"space origin: (-10.5,4.25,7.625)")
    draw(platform, target.dataset_id, item.volume.id, "liver", moved)
    proof = nk.verify(receipt, target)
    assert proof.ok
    assert [one.what for one in proof.extra] == ["a 3D figure"]


def test_a_figure_that_a_person_drew_in_place_of_ours_is_no_figure_of_ours(
    source: Path, platform: Platform, target: Instance
) -> None:
    receipt = land(source, target)
    (item,), ref = receipt.items, receipt.objects[0].ref
    call(platform.state, "figures.bulk.remove", {"figureIds": [ref.figure_id]})
    figure = {"objectId": ref.id, "geometryType": "mask_3d", "entityId": item.volume.id}
    data = {"entityId": item.volume.id, "figures": [figure]}
    (made,) = call(platform.state, "figures.bulk.add", data)
    platform.state.geometries[made["id"]] = masks_of_persons()[0]
    assert problems(nk.verify(receipt, target)) == [
        ("object", "liver", "it is not on the target"),
        ("surplus", "liver", f"object {ref.id} has a figure ({made['id']}) that nobody planned"),
    ]


# What it costs


@pytest.mark.parametrize("others", [0, 1, 300])
def test_what_is_alike_is_looked_up_and_not_searched_for(
    others: int, source: Path, folder: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A volume may have thousands of objects: each is looked at a few times, whoever made it."""
    receipt = land(source, folder)
    (item,) = receipt.items
    first, mask = item.objects[0], beside.Drawn(folder.mask_grid(item.objects[0].ref), b"voxels")
    keys = [str(number) for number in range(1, 301)]
    ours = [replace(first.ref, key=key, figure_key=f"f{key}") for key in keys]
    theirs = [replace(first.ref, key=f"o{n}", figure_key=f"p{n}") for n in range(others)]
    looks: Counter[str] = Counter()

    def counting(name: str) -> None:
        real = getattr(beside, name)
        monkeypatch.setattr(beside, name, lambda *a: looks.update([name]) or real(*a))

    monkeypatch.setattr(beside, "drawn", lambda *_: mask)
    for name in ("figure_of", "kind_of", "is_same_grid"):
        counting(name)
    landed = replace(item, objects=tuple(replace(first, ref=ref) for ref in ours))
    around = beside.Beside(folder, landed, [*ours, *theirs])
    for ref in ours:
        if around.may_be_twice(ref):
            around.keep(ref)
    assert len(list(around.seen(4))) == others
    assert max(looks.values()) < 5 * (len(ours) + others)


# Sources that nearly are as planned


def test_a_count_shows_a_change_that_size_and_time_do_not(
    source: Path, folder: ProjectFolder
) -> None:
    receipt = land(source, folder)
    path, known = source / "A" / "liver.nii.gz", receipt.items[0].planned.fingerprints
    before = path.stat()
    changed = labels()
    changed[4, 5, 6] = 1
    write_nifti(path, changed, receipt.objects[0].planned.mask.grid.affine)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    name = str(receipt.objects[0].planned.mask.image.relative)
    known[name] = replace(known[name], size=path.stat().st_size)
    (row,) = nk.verify(receipt, folder).failures
    assert (row.value, row.differing) == (1, 1)
    assert row.problem.startswith(f"{CHANGED}: 5 voxels planned, 6 in it now; as many as planned")


@pytest.mark.parametrize("shape", [(5, 6, 3), (7, 7, 9)])
def test_a_source_that_has_another_shape_by_now_is_named_without_a_traceback(
    shape: tuple[int, int, int], source: Path, folder: ProjectFolder
) -> None:
    receipt = land(source, folder)
    write_nifti(source / "A" / "liver.nii.gz", labels(shape))
    write_nifti(source / "A.nii.gz", volume(shape))
    failures = nk.verify(receipt, folder).failures
    assert [row.kind for row in failures] == ["volume", "object", "object"]
    assert all(row.problem.startswith(CHANGED) for row in failures)
    assert all("as many as planned have landed" in row.problem for row in failures[1:])
