"""Classes that a person gives to single annotation files."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.errors import BadClassMap
from tests.support.builders import labels, write_nifti

PLANES = ("axl", "cor", "sag")


def planes(folder: Path, *masks: str) -> Path:
    for plane in PLANES:
        write_nifti(folder / f"{plane}_anatomic.nii")
    for name in masks:
        write_nifti(folder / f"{name}.nii", labels())
    return folder


def objects(source: Path, **choices: Any) -> list[tuple[str, int, str]]:
    plan = nk.plan(nk.scan(source, **choices))
    assert plan.blockers.ok
    return [(one.mask.relative.name, one.value, one.class_name) for one in plan.objects]


def test_each_value_of_a_file_is_an_object_of_the_class_that_is_given(tmp_path: Path) -> None:
    planes(tmp_path / "ds", "axl_inference", "cor_inference", "cor_inference_2")
    classes = {
        "ds/axl_inference.nii": "Femur",
        PurePosixPath("ds/cor_inference.nii"): " Tibia ",
        "cor_inference_2.nii": "Femur",
    }
    assert objects(tmp_path, classes=classes) == [
        ("axl_inference.nii", 1, "Femur"),
        ("axl_inference.nii", 2, "Femur"),
        ("cor_inference.nii", 1, "Tibia"),
        ("cor_inference.nii", 2, "Tibia"),
        ("cor_inference_2.nii", 1, "Femur"),
        ("cor_inference_2.nii", 2, "Femur"),
    ]


def test_the_colour_is_that_of_the_class_map_which_stays(tmp_path: Path) -> None:
    planes(tmp_path, "axl_inference_1", "axl_inference_2")
    (tmp_path / "cls_color_map.txt").write_text("1 Femur 9 8 7\n2 Tibia 1 2 3\n")
    plan = nk.plan(nk.scan(tmp_path, classes={"axl_inference_1.nii": "Tibia"}))
    assert [(one.name, one.color) for one in plan.classes] == [("Tibia", (1, 2, 3))]


def test_classes_by_value_and_by_file_may_be_given_together(tmp_path: Path) -> None:
    planes(tmp_path, "axl_inference_1", "axl_inference_2")
    given = {2: ("Tibia", (1, 2, 3)), "axl_inference_1.nii": "Patella"}
    assert {one[2] for one in objects(tmp_path, classes=given)} == {"Patella", "Tibia"}


def test_a_set_is_read_as_instance_where_one_of_its_files_got_a_class(tmp_path: Path) -> None:
    planes(tmp_path / "a", "axl_inference", "cor_inference")
    planes(tmp_path / "b", "axl_inference")
    dataset = nk.scan(tmp_path, classes={"a/axl_inference.nii": "Femur"})
    kinds = {str(item.masks[0].relative): item.segmentation for item in dataset.items if item.masks}
    assert kinds == {
        "a/axl_inference.nii": "instance",
        "a/cor_inference.nii": "instance",
        "b/axl_inference.nii": "semantic",
    }
    assert [(one.code, one.path) for one in nk.plan(dataset).blockers] == [
        ("instance-classes-unknown", "a/cor_inference.nii")
    ]


def test_by_volume_a_file_gets_the_class_instead_of_its_name(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii")
    write_nifti(tmp_path / "CT" / "seg1.nii", labels())
    assert {one[2] for one in objects(tmp_path, classes={"CT/seg1.nii": "Lung"})} == {"Lung"}


def test_a_repair_keeps_the_classes(tmp_path: Path) -> None:
    planes(tmp_path, "axl_inference")
    (tmp_path / "axl_score.csv").write_text("Layer,Label-1\n1,0.5\n")
    dataset = nk.scan(tmp_path, classes={"axl_inference.nii": "Femur"})
    repaired = nk.repairs.rebase_layers(dataset, "axl_score.csv", base=1).dataset
    assert {one.class_name for one in nk.plan(repaired).objects} == {"Femur"}


REFUSED = {
    "a typing error": (
        "a/cor_inferance.nii",
        "there is no such annotation file",
        "a/cor_inference.nii",
    ),
    "without its ending": (
        "cor_inference",
        "there is no such annotation file",
        "a/cor_inference.nii",
    ),
    "a volume": ("a/axl_anatomic.nii", "there is no such annotation file", "a/axl_inference.nii"),
    "in two folders": (
        "axl_inference.nii",
        "several annotation files have that name",
        "a/axl_inference.nii, b/axl_inference.nii",
    ),
}


@pytest.mark.parametrize(("key", "message", "expected"), REFUSED.values(), ids=list(REFUSED))
def test_a_key_that_names_no_file_is_an_error_that_shows_the_nearest(
    key: str, message: str, expected: str, tmp_path: Path
) -> None:
    planes(tmp_path / "a", "axl_inference", "cor_inference")
    planes(tmp_path / "b", "axl_inference")
    with pytest.raises(BadClassMap, match=message) as caught:
        nk.scan(tmp_path, classes={key: "Femur"})
    assert caught.value.found == repr(key)
    assert str(caught.value.expected).startswith(expected)


@pytest.mark.parametrize("given", ["", " ", ("Femur", (1, 2, 3)), None])
def test_the_class_of_a_file_is_a_name(given: Any, tmp_path: Path) -> None:
    planes(tmp_path, "axl_inference")
    with pytest.raises(BadClassMap, match="the class of a file is no name"):
        nk.scan(tmp_path, classes={"axl_inference.nii": given})


def test_a_number_in_quotes_is_no_file(tmp_path: Path) -> None:
    planes(tmp_path, "axl_inference")
    with pytest.raises(BadClassMap, match="a class is in no known form"):
        nk.scan(tmp_path, classes={"1": "Femur"})
