"""Classes by words: several annotation files of a plane without an index."""

from __future__ import annotations

from pathlib import Path

import pytest

import nifti_kit as nk
from nifti_kit.datasets.layouts.by_plane import group_by_plane
from nifti_kit.datasets.layouts.grouping import Grouping
from tests.support.builders import labels, write_nifti
from tests.support.layout_files import files, owned

VOLUMES = tuple(f"{plane}_anatomic.nii" for plane in ("axl", "cor", "sag"))


def group(*names: str, segmentation: str = "auto") -> Grouping:
    return group_by_plane(files(*VOLUMES, *names, segmentation=segmentation))


def by_words(grouping: Grouping) -> list[str]:
    return [f.path for f in grouping.findings if f.code == "class-by-words"]


CLASSES = {
    "two words": (("axl_inference_femur.nii", "axl_inference_tibia.nii"), ["femur", "tibia"]),
    "as they are written": (
        ("axl_Femoral-Cartilage_mask.nii", "axl_Tibia_mask.nii"),
        ["Femoral_Cartilage", "Tibia"],
    ),
    "one within the other": (
        ("axl_femur_seg.nii", "axl_femur_cartilage_seg.nii"),
        ["femur", "femur_cartilage"],
    ),
    "a version is none": (
        ("axl_inference_femur_v2.nii", "axl_inference_tibia_v2.1.nii"),
        ["femur", "tibia"],
    ),
    "a UID is none": (
        ("1.2.840.7_axl_mask_femur.nii", "1.2.840.8_axl_mask_tibia.nii"),
        ["femur", "tibia"],
    ),
}


@pytest.mark.parametrize(("names", "classes"), CLASSES.values(), ids=list(CLASSES))
def test_the_words_that_tell_files_apart_are_their_classes(
    names: tuple[str, ...], classes: list[str]
) -> None:
    grouping = group(*names)
    found = owned(grouping)["axl_anatomic.nrrd"]
    assert sorted(found) == sorted(zip(names, classes, strict=True))
    assert {item.segmentation for item in grouping.items if item.masks} == {"instance"}
    assert sorted(by_words(grouping)) == sorted(names)
    assert {f.severity for f in grouping.findings} == {"note", "warning"}


def test_a_class_is_written_in_one_way_in_every_plane() -> None:
    names = (
        "axl_mask_Femur.nii",
        "axl_mask_Tibia.nii",
        "cor_mask_femur.nii",
        "sag_mask_patella.nii",
    )
    assert owned(group(*names)) == {
        "axl_anatomic.nrrd": [("axl_mask_Femur.nii", "Femur"), ("axl_mask_Tibia.nii", "Tibia")],
        "cor_anatomic.nrrd": [("cor_mask_femur.nii", "Femur")],
        "sag_anatomic.nrrd": [("sag_mask_patella.nii", "patella")],
    }


def test_the_words_of_the_volume_are_no_class() -> None:
    volumes = [f"patient7_{plane}_anatomic.nii" for plane in ("axl", "cor", "sag")]
    names = ["patient7_axl_mask_femur.nii", "axl_mask_tibia.nii"]
    grouping = group_by_plane(files(*volumes, *names))
    assert dict(owned(grouping)["patient7_axl_anatomic.nrrd"]) == {
        "patient7_axl_mask_femur.nii": "femur",
        "axl_mask_tibia.nii": "tibia",
    }


NONE = {
    "an index each": (("axl_mask_femur_1.nii", "axl_mask_tibia_2.nii"), [1, 2], False),
    "the same index": (("axl_mask_femur_1.nii", "axl_mask_tibia_1.nii"), [1, 1], True),
    "no words of one": (("axl_mask.nii", "axl_mask_femur.nii"), [1, 1], True),
    "the same words": (("axl_mask_femur.nii", "axl_seg_femur.nii"), [1, 1], True),
    "the same words in one plane": (
        ("axl_mask_femur.nii", "axl_seg_femur.nii", "cor_mask_tibia.nii"),
        [1, 1, 1],
        True,
    ),
    "versions": (("axl_mask_v1.nii", "axl_mask_v2.nii"), [1, 1], True),
    "who drew them": (("axl_mask_manual.nii", "axl_mask_nnunet.nii"), [1, 1], True),
    "one file": (("axl_mask_femur.nii",), [None], False),
    "a plane each": (("axl_mask_femur.nii", "cor_mask_tibia.nii"), [None, None], False),
}


@pytest.mark.parametrize(("names", "indices", "refused"), NONE.values(), ids=list(NONE))
def test_words_are_no_class_where_they_say_no_class(
    names: tuple[str, ...], indices: list[int | None], refused: bool
) -> None:
    grouping = group(*names)
    masks = [mask for item in grouping.items for mask in item.masks]
    assert [mask.index for mask in masks] == indices
    assert all(mask.class_name is None for mask in masks)
    codes = {f.code for f in grouping.findings if f.severity != "note"}
    assert codes == ({"annotation-repeated"} if refused else set())


def test_where_semantic_is_chosen_two_files_of_a_plane_are_an_error() -> None:
    grouping = group("axl_mask_femur.nii", "axl_mask_tibia.nii", segmentation="semantic")
    assert not by_words(grouping)
    assert "annotation-repeated" in {f.code for f in grouping.findings}


def knee(folder: Path, *more: str) -> Path:
    for name in VOLUMES:
        write_nifti(folder / name)
    for name in ("axl_mask_femur.nii", "axl_mask_tibia.nii", *more):
        write_nifti(folder / name, labels())
    return folder


def test_a_table_of_the_same_words_scores_the_objects_of_that_file(tmp_path: Path) -> None:
    knee(tmp_path)
    (tmp_path / "axl_score_tibia.csv").write_text("Layer,Label-2\n3,0.8\n")
    plan = nk.plan(nk.scan(tmp_path))
    scored = {(o.class_name, o.value): o.score_count for item in plan.items for o in item.objects}
    assert scored == {("femur", 1): 0, ("femur", 2): 0, ("tibia", 1): 0, ("tibia", 2): 1}
    assert not plan.blockers


def test_classes_by_words_are_held_against_the_class_map(tmp_path: Path) -> None:
    knee(tmp_path)
    (tmp_path / "color_map.txt").write_text("1 Femur 255 0 0\n2 Patella 0 255 0\n")
    plan = nk.plan(nk.scan(tmp_path))
    assert {(c.name, c.color) for c in plan.classes if c.color_is_given} == {("femur", (255, 0, 0))}
    assert {c.name for c in plan.classes} == {"femur", "tibia"}
    found = [(f.path, f.message) for f in plan.findings if f.code == "value-without-class"]
    assert found == [("axl_mask_tibia.nii", "its words 'tibia' are no class of the class map")]
    assert not plan.blockers


def test_an_index_instead_of_words_ends_the_warning(tmp_path: Path) -> None:
    knee(tmp_path)
    for number, word in enumerate(("femur", "tibia"), start=1):
        (tmp_path / f"axl_mask_{word}.nii").rename(tmp_path / f"axl_mask_{number}.nii")
    plan = nk.plan(nk.scan(tmp_path, classes={1: "Femur", 2: "Tibia"}))
    assert {c.name for c in plan.classes} == {"Femur", "Tibia"}
    assert not [f for f in plan.findings if f.severity != "note"]
