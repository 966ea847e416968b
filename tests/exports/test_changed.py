"""What people changed on the platform, in the original files: nothing is lost without a word."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.errors import NiftiKitError
from tests.exports.test_others import GRID, A, B, C, Project, box
from tests.support.builders import labels, volume, write_nifti
from tests.support.landings import land, quiet, tree, write_scored_planes


def source_of(folder: Path, layout: str, affine: Any = GRID.affine) -> Path:
    """One volume with a bone (value 3), in LPS order: by volume, or by plane."""
    turned = affine @ np.diag([-1, -1, 1, 1])
    turned[:3, 3] = affine[:3, :3] @ (5, 4, 0) + affine[:3, 3]
    array = np.zeros(GRID.shape, np.uint8)
    array[A] = 3
    names = {
        "by_volume": ("v.nii.gz", "v/bone.nii.gz"),
        "semantic": ("axl_anatomic.nii.gz", "axl_inference.nii.gz"),
        "instance": ("axl_anatomic.nii.gz", "axl_inference_3.nii.gz"),
    }[layout]
    write_nifti(folder / names[0], volume(GRID.shape)[::-1, ::-1], turned)
    write_nifti(folder / names[1], array[::-1, ::-1], turned)
    if layout != "by_volume":
        (folder / "cls_color_map.txt").write_text("3 bone 255 0 0\n")
    return folder


def project_of(folder: Path, name: str, *drawn: tuple[str, tuple[slice, ...]]) -> nk.ProjectFolder:
    made = Project(folder)
    made.classes("bone", description="Mask pixel value: 3")
    made.classes(*{title for title, _ in drawn} - {"bone"})
    made.volume("d", name)
    for title, where in drawn:
        made.mask("d", name, title, where)
    return made.write()


def exported(layout: str, tmp_path: Path, *drawn: tuple[str, tuple[slice, ...]]) -> Any:
    source = source_of(tmp_path / "source", layout)
    name = "v.nrrd" if layout == "by_volume" else "axl_anatomic.nrrd"
    target = project_of(tmp_path / "project", name, *drawn)
    return nk.export(target, tmp_path / "export", like=source)


def landed(export: Any) -> list[tuple[str, int]]:
    plan = nk.plan(nk.scan(export.folder), waive="planes-incomplete")
    assert not plan.blockers
    return sorted((o.class_name, o.voxels) for o in plan.objects)


@pytest.mark.parametrize("layout", ["by_volume", "semantic", "instance"])
def test_a_new_class_gets_a_place_in_the_grid_of_the_others(layout: str, tmp_path: Path) -> None:
    export = exported(layout, tmp_path, ("bone", A), ("new", C))
    assert export.ok
    assert landed(export) == [("bone", 8), ("new", 8)]
    for path in (tmp_path / "export").rglob("*.nii.gz"):
        assert nib.aff2axcodes(nib.load(path).affine) == ("L", "P", "S")


@pytest.mark.parametrize("layout", ["by_volume", "instance"])
def test_a_new_object_of_a_class_gets_a_new_value_of_its_file(layout: str, tmp_path: Path) -> None:
    export = exported(layout, tmp_path, ("bone", C), ("bone", A), ("bone", B))
    assert export.ok
    assert landed(export) == [("bone", 8)] * 3
    (path,) = (p for p in export.files if p.name in ("bone.nii.gz", "axl_inference_3.nii.gz"))
    array = np.asarray(nib.load(path).dataobj)[::-1, ::-1]
    assert (array[A] == 3).all()
    assert (array[C] == 4).all()


def test_what_a_semantic_map_has_no_room_for_is_named_with_its_voxels(tmp_path: Path) -> None:
    export = exported("semantic", tmp_path, ("bone", A), ("bone", C), ("new", B))
    assert [(one.what, one.name) for one in export.not_exported] == [
        ("object", "bone"),
        ("object", "new"),
    ]
    kept = json.loads((tmp_path / "export" / "not_exported.json").read_text())
    first, length = kept[0]["content"]["runs"][0]
    assert (first, length) == (4 + 6 * (3 + 5 * 2), 2)
    assert sum(run[1] for run in kept[0]["content"]["runs"]) == 8
    assert landed(export) == [("bone", 8)]


def test_what_lies_beyond_a_cropped_original_moves_its_file_to_the_volumes_grid(
    tmp_path: Path,
) -> None:
    source = tmp_path / "source"
    write_nifti(source / "v.nii.gz", volume(GRID.shape), GRID.affine)
    write_nifti(source / "v" / "bone.nii.gz", np.full((3, 3, 3), 3, np.uint8), GRID.affine)
    target = project_of(tmp_path / "project", "v.nrrd", ("bone", A), ("bone", C))
    export = nk.export(target, tmp_path / "export", like=source)
    assert export.ok
    assert landed(export) == [("bone", 8)] * 2
    (entry,) = (one for one in export.entries if one.what == "mask")
    assert "outside" in entry.remark


def test_masks_alone_come_back_with_their_mapping_and_changed_scores(tmp_path: Path) -> None:
    target = nk.ProjectFolder(tmp_path / "project", dataset="d")
    land(write_scored_planes(tmp_path / "volumes"), target)
    source = shutil.copytree(tmp_path / "volumes", tmp_path / "source")
    for path in source.glob("*anatomic*"):
        path.unlink()
    export = nk.export(target, tmp_path / "export", like=source)
    assert export.ok
    theirs, ours = tree(source), tree(tmp_path / "export")
    assert ours.keys() - theirs.keys() == {"mapping.json"}
    assert ours["axl_score.csv"] == theirs["axl_score.csv"]
    plan = nk.plan(nk.scan(export.folder), target=target)
    assert not plan.blockers
    receipt = nk.upload(plan, target, existing="skip", on_progress=quiet)
    assert not any(one.added for one in receipt.objects)


@pytest.mark.parametrize("alone", [False, True])
def test_the_masks_of_an_export_go_back_by_its_mapping(alone: bool, tmp_path: Path) -> None:
    target = nk.ProjectFolder(tmp_path / "project", dataset="d")
    land(write_scored_planes(tmp_path / "source"), target)
    export = nk.export(target, tmp_path / "export", layout="by_plane")
    for path in (tmp_path / "export").glob("*anatomic*") if alone else ():
        path.unlink()
    dataset = nk.scan(export.folder, layout="auto" if alone else "annotations")
    assert dataset.layout == "annotations"
    plan = nk.plan(dataset, target=target)
    assert not plan.blockers
    receipt = nk.upload(plan, target, existing="skip", on_progress=quiet)
    assert len(receipt.objects) == 6
    assert not any(one.added for one in receipt.objects)


def test_one_map_of_several_images_is_written_once_while_it_is_one(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("a", "b"):
        write_nifti(source / "images" / f"{name}.nii.gz", volume() + len(name))
    write_nifti(source / "masks" / "m.nii.gz", labels())
    pairs = {"masks/m.nii.gz": ["images/a.nii.gz", "images/b.nii.gz"]}
    dataset = nk.scan(source, pairs=pairs)
    target = nk.ProjectFolder(tmp_path / "project", dataset="d")
    nk.upload(nk.plan(dataset), target, on_progress=quiet)
    export = nk.export(target, tmp_path / "export", like=dataset)
    assert export.ok
    assert {path.name for path in export.files} >= {"a.nii.gz", "b.nii.gz", "m.nii.gz"}
    path = tmp_path / "project" / "d" / "ann" / "b.nrrd.json"
    content = json.loads(path.read_text())
    content["objects"].pop()
    content["spatialFigures"].pop()
    path.write_text(json.dumps(content))
    other = nk.export(target, tmp_path / "other", like=dataset)
    masks = [one for one in other.entries if one.what == "mask"]
    assert [one.path for one in masks] == ["masks/m.nii.gz", "masks/m_b.nii.gz"]
    assert "several volumes" in masks[1].remark


def test_files_that_changed_since_the_upload_are_no_originals(tmp_path: Path) -> None:
    source = source_of(tmp_path / "source", "by_volume")
    target = nk.ProjectFolder(tmp_path / "project", dataset="d")
    receipt = land(source, target)
    write_nifti(source / "v" / "bone.nii.gz", np.ones(GRID.shape, np.uint8), GRID.affine)
    with pytest.raises(nk.errors.NiftiKitError, match="have changed"):
        nk.export(target, tmp_path / "export", like=receipt)
    assert nk.export(target, tmp_path / "export", like=nk.scan(source)).ok


def test_a_class_that_was_changed_leaves_its_file(tmp_path: Path) -> None:
    source = source_of(tmp_path / "source", "by_volume")
    target = nk.ProjectFolder(tmp_path / "project", dataset="d")
    receipt = land(source, target)
    meta = json.loads((tmp_path / "project" / "meta.json").read_text())
    meta["classes"].append({**meta["classes"][0], "title": "rib"})
    (tmp_path / "project" / "meta.json").write_text(json.dumps(meta))
    path = tmp_path / "project" / "d" / "ann" / "v.nrrd.json"
    path.write_text(path.read_text().replace('"bone"', '"rib"'))
    export = nk.export(target, tmp_path / "export", like=receipt)
    assert export.ok
    assert landed(export) == [("rib", 8)]
    assert not np.asarray(nib.load(tmp_path / "export" / "v" / "bone.nii.gz").dataobj).any()


@pytest.mark.parametrize(
    ("choices", "error", "said"),
    [
        ({"layout": "by_slice"}, nk.errors.WrongArgument, "by_plane"),
        ({"like": 3}, nk.errors.WrongArgument, "receipt"),
        ({"like": "nowhere"}, nk.errors.BadSource, "nowhere"),
        ({"layout": "by_plane"}, nk.errors.NiftiKitError, "by_volume"),
        ({"volumes": ["x.nrrd"]}, nk.errors.NiftiKitError, "v.nrrd"),
        ({"target": "out"}, nk.errors.WrongArgument, "ProjectFolder"),
        ({"folder": 3}, nk.errors.WrongArgument, "path"),
    ],
)
def test_wrong_use_is_told_and_makes_nothing(
    choices: dict[str, Any], error: Any, said: str, tmp_path: Path
) -> None:
    target = project_of(tmp_path / "project", "v.nrrd", ("bone", A))
    given = {"target": target, "folder": tmp_path / "export", **choices}
    with pytest.raises(error, match=said):
        nk.export(given.pop("target"), given.pop("folder"), **given)
    assert not (tmp_path / "export").exists()


def test_an_object_without_voxels_is_named(tmp_path: Path) -> None:
    export_folder = tmp_path / "export"
    target = project_of(
        tmp_path / "project", "v.nrrd", ("bone", A), ("bone", box((0, 1), (0, 1), (0, 1)))
    )
    masks = sorted((tmp_path / "project" / "d" / "mask" / "v.nrrd").iterdir())
    masks[0].write_bytes(masks[0].read_bytes()[:300])
    export = nk.export(target, export_folder)
    assert [one.what for one in export.not_exported] == ["object"]
    assert "cannot be read" in export.not_exported[0].why


def test_an_export_goes_neither_into_the_project_nor_into_the_originals(tmp_path: Path) -> None:
    source = source_of(tmp_path / "source", "by_volume")
    target = nk.ProjectFolder(tmp_path / "project", dataset="d")
    receipt = land(source, target)
    for folder, like in (("project/out", None), ("source/out", receipt), ("source/out", source)):
        with pytest.raises(nk.errors.TargetError, match="does not go into"):
            nk.export(target, tmp_path / folder, like=like)
        assert not (tmp_path / folder).exists()


def test_originals_of_several_volumes_are_told_apart_by_a_receipt(tmp_path: Path) -> None:
    source = source_of(tmp_path / "source", "by_volume")
    project = tmp_path / "project"
    for name in ("first", "second"):
        receipt = land(source, nk.ProjectFolder(project, dataset=name))
    target = nk.ProjectFolder(project)
    with pytest.raises(nk.errors.NiftiKitError, match="like=receipt"):
        nk.export(target, tmp_path / "export", like=source)
    export = nk.export(target, tmp_path / "export", like=receipt)
    assert export.ok
    names = {path.relative_to(tmp_path / "export").as_posix() for path in export.files}
    assert names >= {"v.nii.gz", "v/bone.nii.gz", "first/v.nii.gz", "first/v/bone.nii.gz"}
    assert "without an original" in export.notes[0]


def test_a_map_without_labels_and_a_volume_without_masks_come_back(tmp_path: Path) -> None:
    source = source_of(tmp_path / "source", "by_volume")
    write_nifti(source / "v" / "nothing.nii", np.zeros(GRID.shape, np.int16), GRID.affine)
    write_nifti(source / "alone.nii.gz", volume(), GRID.affine)
    target = nk.ProjectFolder(tmp_path / "project", dataset="d")
    land(source, target)
    export = nk.export(target, tmp_path / "export", like=source)
    assert export.ok
    ours, theirs = tree(tmp_path / "export"), tree(source)
    assert ours["v/nothing.nii"] == theirs["v/nothing.nii"]
    assert ours["alone.nii.gz"] == theirs["alone.nii.gz"]


def test_an_archive_is_the_original_while_it_is_exported(tmp_path: Path) -> None:
    source = source_of(tmp_path / "source", "by_volume")
    archive = shutil.make_archive(str(tmp_path / "source"), "zip", source)
    target = project_of(tmp_path / "project", "v.nrrd", ("bone", A))
    assert nk.export(target, tmp_path / "export", like=archive).ok
    assert nk.compare(archive, tmp_path / "export").ok


def test_files_of_another_image_take_nothing_from_the_volume_that_is_there(tmp_path: Path) -> None:
    other = GRID.affine @ np.diag([3, 3, 3, 1])
    source = source_of(tmp_path / "source", "by_volume", other)
    target = project_of(tmp_path / "project", "v.nrrd", ("bone", A), ("new", B))
    export = nk.export(target, tmp_path / "export", like=source)
    assert export.ok
    assert landed(export) == [("bone", 8), ("new", 8)]
    assert nk.compare(export.folder, target).ok


def test_the_receipt_of_another_project_is_refused(tmp_path: Path) -> None:
    source = source_of(tmp_path / "source", "by_volume")
    receipt = land(source, nk.ProjectFolder(tmp_path / "one", dataset="d"))
    with pytest.raises(NiftiKitError, match="the receipt is of another project"):
        nk.export(project_of(tmp_path / "two", "w.nrrd"), tmp_path / "export", like=receipt)
    assert not (tmp_path / "export").exists()
