"""Annotations on their own for a live instance: matched by names, into classes that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.targets.instance import Instance
from tests.platform import Platform
from tests.platform.endpoints import call
from tests.support.builders import AFFINE, labels, write_nifti, write_planes
from tests.support.landings import quiet
from tests.support.uploads import api, new_dataset, new_project

DATASETS = ("knee", "hip", "spine")
PLANES = ("axl", "cor", "sag")


@pytest.fixture
def whole(platform: Platform, tmp_path: Path) -> Instance:
    """A project whose three datasets hold volumes of the same names, each elsewhere in space."""
    project = new_project(platform)
    for number, name in enumerate(DATASETS):
        affine = AFFINE.copy()
        affine[0, 3] += 100 * number
        folder = tmp_path / "volumes" / name
        for plane in PLANES:
            write_nifti(folder / f"{plane}_anatomic.nii.gz", affine=affine)
        target = nk.Instance(api(platform), new_dataset(platform, project, name))
        nk.upload(nk.plan(nk.scan(folder)), target, on_progress=quiet)
    return nk.Instance(api(platform), project_id=project)


def write_masks(folder: Path) -> Path:
    for number, name in enumerate(DATASETS):
        affine = AFFINE.copy()
        affine[0, 3] += 100 * number
        for plane in PLANES:
            write_nifti(folder / name / f"{plane}_inference.nii.gz", labels(), affine)
    return folder


def test_the_same_names_in_three_datasets_go_each_to_their_own(
    whole: Instance, tmp_path: Path
) -> None:
    dataset = nk.scan(write_masks(tmp_path / "masks"))
    mapping = nk.match(dataset, whole.volumes())
    assert not mapping.unmatched
    names = {ref.id: (ref.dataset, ref.name) for ref in whole.volumes()}
    for row in mapping:
        assert row.volume is not None
        folder, plane = row.annotation.parts[0], row.annotation.name[:3]
        assert names[row.volume] == (folder, f"{plane}_anatomic.nrrd")
    receipt = nk.upload(nk.plan(dataset, mapping=mapping), whole, on_progress=quiet)
    proof = nk.verify(receipt, whole)
    assert proof.ok, proof
    assert [len(whole.objects(ref.id)) for ref in whole.volumes()] == [2] * 9


def test_the_saved_mapping_does_the_same(whole: Instance, tmp_path: Path) -> None:
    folder = write_masks(tmp_path / "masks")
    nk.match(nk.scan(folder), whole.volumes()).save(folder / "mapping.json")
    receipt = nk.upload(nk.plan(nk.scan(folder)), whole, on_progress=quiet)
    assert nk.verify(receipt, whole).ok
    assert len(receipt.objects) == 18


def test_folders_that_were_exchanged_are_found_by_the_grids(
    whole: Instance, tmp_path: Path
) -> None:
    folder = write_masks(tmp_path / "masks")
    (folder / "knee").rename(folder / "x")
    (folder / "hip").rename(folder / "knee")
    (folder / "x").rename(folder / "hip")
    mapping = nk.match(nk.scan(folder), whole.volumes())
    assert {row.annotation.parts[0] for row in mapping.unmatched} == {"knee", "hip"}
    assert all(row.why for row in mapping.unmatched)


def test_values_take_the_classes_that_the_project_has_for_them(
    platform: Platform, tmp_path: Path
) -> None:
    project = new_project(platform)
    classes = [
        {"title": name, "shape": "mask_3d", "color": color, "description": f"Mask pixel value: {n}"}
        for n, (name, color) in enumerate((("Femur", "#010203"), ("Tibia", "#040506")), start=1)
    ]
    data: dict[str, Any] = {"id": project, "meta": {"classes": classes, "tags": []}}
    call(platform.state, "projects.meta.update", data)
    target = nk.Instance(api(platform), new_dataset(platform, project))
    plan = nk.plan(nk.scan(write_planes(tmp_path / "in")), target=target)
    assert {(o.value, o.class_name) for o in plan.objects} == {(1, "Femur"), (2, "Tibia")}
    receipt = nk.upload(plan, target, on_progress=quiet)
    assert nk.verify(receipt, target).ok
    assert {found.name: found.color for found in target.classes()} == {
        "Femur": (1, 2, 3),
        "Tibia": (4, 5, 6),
    }


def test_a_class_of_another_shape_is_not_in_the_way(platform: Platform, tmp_path: Path) -> None:
    project = new_project(platform)
    outline = {"title": "Femur", "shape": "polygon", "color": "#010203", "description": ""}
    data: dict[str, Any] = {"id": project, "meta": {"classes": [outline], "tags": []}}
    call(platform.state, "projects.meta.update", data)
    target = nk.Instance(api(platform), new_dataset(platform, project))
    folder = write_planes(tmp_path / "in")
    (folder / "cls_color_map.txt").write_text("1 Femur 255 0 0\n2 Tibia 0 255 0\n")
    plan = nk.plan(nk.scan(folder), target=target)
    assert "class-renamed" in plan.findings.by_code()
    receipt = nk.upload(plan, target, on_progress=quiet)
    assert nk.verify(receipt, target).ok
    assert {found.name for found in target.classes()} == {"Femur", "Femur_1", "Tibia"}
