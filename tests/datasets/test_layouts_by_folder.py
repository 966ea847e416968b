"""Mixed trees: folders by plane and folders by volume side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

import nifti_kit as nk
from nifti_kit.datasets.layouts import Grouping, group_files
from nifti_kit.datasets.names import natural_key
from tests.support.builders import labels, write_nifti, write_planes
from tests.support.layout_files import files, owned, places, unused

PLANES = ("axl", "cor", "sag")
SET = tuple(f"item_1/{plane}_anatomic.nii" for plane in PLANES)


def group(*names: str, unreadable: tuple[str, ...] = ()) -> Grouping:
    given = replace(files(*sorted(names, key=natural_key)), by_folder=True)
    lost = tuple(map(PurePosixPath, unreadable))
    return group_files("by_plane", replace(given, unreadable=lost))


def errors(grouping: Grouping) -> list[tuple[str, str]]:
    return [(f.code, f.path) for f in grouping.findings if f.severity == "error"]


def masks(grouping: Grouping) -> dict[str, list[str]]:
    return {name: [file for file, _ in own] for name, own in owned(grouping).items() if own}


BESIDE = {
    "in the root": (("CT.nii.gz", "CT/lung.nii.gz"), {"CT.nrrd": ["CT/lung.nii.gz"]}),
    "in a folder": (("b/CT.nii.gz", "b/CT/lung.nii"), {"CT.nrrd": ["b/CT/lung.nii"]}),
    "in the same folder": (
        ("item_1/CT.nii", "item_1/CT/lung.nii"),
        {"CT.nrrd": ["item_1/CT/lung.nii"]},
    ),
    "elsewhere": (("images/CT.nii", "masks/CT/lung.nii"), {"CT.nrrd": ["masks/CT/lung.nii"]}),
    "without masks": (("ct/CT.nii", "MR.nii"), {}),
    "class names of planes": (
        ("b/brain.nii", "b/brain/cor_mask.nii", "b/brain/axl.nii"),
        {"brain.nrrd": ["b/brain/axl.nii", "b/brain/cor_mask.nii"]},
    ),
    "in the folder of its name": (("s1/s1.nii", "s1/lung.nii"), {"s1.nrrd": ["s1/lung.nii"]}),
}


@pytest.mark.parametrize(("names", "owned_by"), BESIDE.values(), ids=list(BESIDE))
def test_both_land(names: tuple[str, ...], owned_by: dict[str, list[str]]) -> None:
    grouping = group(*SET, "item_1/axl_mask.nii", *names)
    expected = {"axl_anatomic.nrrd": ["item_1/axl_mask.nii"], **owned_by}
    assert masks(grouping) == expected
    assert not errors(grouping)
    assert not grouping.unused
    planes = {item.name: item.plane for item in grouping.items}
    assert planes["axl_anatomic.nrrd"] == "axl"
    assert all(planes[name] is None for name in owned_by)


def test_names_are_unique_over_both() -> None:
    by_volume = ("axl/knee_anatomic.nii", "c/knee_anatomic.nii", "c/knee_anatomic/a.nii")
    grouping = group("item_1/axl_knee_anatomic.nii", *SET[1:], *by_volume)
    by_name = {item.name: item for item in grouping.items}
    assert set(by_name) == {
        *("item_1_axl_knee_anatomic.nrrd", "axl_knee_anatomic.nrrd", "c_knee_anatomic.nrrd"),
        *("cor_anatomic.nrrd", "sag_anatomic.nrrd"),
    }
    noted = {f.path for f in grouping.findings if f.code == "name-prefixed"}
    assert noted == {"item_1/axl_knee_anatomic.nii", "axl/knee_anatomic.nii", "c/knee_anatomic.nii"}
    assert by_name["c_knee_anatomic.nrrd"].set_key == ("c", "c_knee_anatomic.nrrd")


STRAYED = {
    "a mask by plane elsewhere": ("x/axl_mask.nii", "annotation-without-volume"),
    "a mask in the folder of a volume's name": (
        "item_1/axl_anatomic/femur.nii",
        "annotation-without-volume",
    ),
    "a mask below it": ("item_1/axl_anatomic/deep/femur.nii", "annotation-without-volume"),
    "another word for axl": ("x/axial_mask.nii", "plane-unknown"),
    "an unknown type word elsewhere": ("x/axl_gt.nii", "type-word-unknown"),
    "both roles": ("x/axl_anatomic_mask.nii", "role-ambiguous"),
    "no plane beside a set": ("item_1/knee_mask.nii", "plane-unknown"),
    "an unknown type word beside a set": ("item_1/axl_gt.nii", "type-word-unknown"),
    "a table elsewhere": ("x/axl_score.csv", "annotation-without-volume"),
}


@pytest.mark.parametrize(("name", "code"), STRAYED.values(), ids=list(STRAYED))
def test_what_belongs_to_a_set_never_lands_as_a_volume(name: str, code: str) -> None:
    grouping = group(*SET, "b/CT.nii", "b/CT/lung.nii", name)
    assert errors(grouping) == [(code, name)]
    assert unused(grouping) == {name: ""}
    assert masks(grouping) == {"CT.nrrd": ["b/CT/lung.nii"]}
    assert places(grouping) == sorted([*SET, "b/CT.nii", "b/CT/lung.nii", name])


def test_the_masks_of_a_volume_that_cannot_be_read_do_not_land() -> None:
    grouping = group(*SET, "item_1/CT/lung.nii", unreadable=("item_1/CT.nii",))
    assert errors(grouping) == [("annotation-without-volume", "item_1/CT/lung.nii")]


def test_a_chosen_layout_is_for_every_folder(tmp_path: Path) -> None:
    write_planes(tmp_path / "item_1")
    write_nifti(tmp_path / "item_1" / "axl_anatomic" / "femur.nii", labels())
    write_nifti(tmp_path / "CT.nii")
    mixed = nk.scan(tmp_path)
    assert (mixed.layout, len(mixed.items)) == ("by_plane", 4)
    (fault,) = nk.plan(mixed).blockers
    assert "scan(..., layout='by_volume')" in fault.remedy
    by_volume = nk.scan(tmp_path, layout="by_volume")
    assert {str(m.relative) for item in by_volume.items for m in item.masks} == {
        "item_1/axl_anatomic/femur.nii"
    }
    by_plane = nk.scan(tmp_path, layout="by_plane")
    assert len(by_plane.items) == 3
    assert {f.path for f in by_plane.findings if f.code == "plane-unknown"} == {
        "CT.nii",
        "item_1/axl_anatomic/femur.nii",
    }


def test_a_mixed_tree_lands_and_is_proved(tmp_path: Path) -> None:
    write_planes(tmp_path / "in" / "knee")
    write_nifti(tmp_path / "in" / "CT.nii.gz")
    write_nifti(tmp_path / "in" / "CT" / "lung.nii.gz", labels(values=(1, 2, 3)))
    target = nk.ProjectFolder(tmp_path / "out", dataset="d")
    receipt = nk.upload(nk.plan(nk.scan(tmp_path / "in")), target, on_progress=lambda *_: None)
    assert nk.verify(receipt, target).ok
    landed = {v.name: len(target.objects(v.id)) for v in target.volumes()}
    assert landed == {"CT.nrrd": 3, **{f"{plane}_anatomic.nrrd": 2 for plane in PLANES}}
