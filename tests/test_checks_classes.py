"""Rules about which class a label is."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import labels, write_nifti, write_planes

import nifti_kit as nk

MAP = "1 Femur\n3 Patella\n"


def found(source: Path, **choices: str) -> list[tuple[str, str, str, str]]:
    return [
        (f.code, f.severity, f.path, f.message)
        for f in nk.check(nk.scan(source, **choices))
        if f.code in ("value-without-class", "instance-classes-unknown")
    ]


def test_a_value_that_the_class_map_does_not_have_is_a_warning(tmp_path: Path) -> None:
    write_planes(tmp_path)
    (tmp_path / "colours.txt").write_text(MAP)
    assert found(tmp_path) == [
        (
            "value-without-class",
            "warning",
            f"{plane}_inference.nii.gz",
            "value 2 (5 voxels) has no class: Segment_2",
        )
        for plane in ("axl", "cor", "sag")
    ]


def test_without_a_class_map_no_value_is_missing_in_it(tmp_path: Path) -> None:
    assert found(write_planes(tmp_path)) == []


def instance(folder: Path, *names: str) -> Path:
    for plane in ("axl", "cor", "sag"):
        write_nifti(folder / f"{plane}_anatomic.nii")
    for name in names:
        write_nifti(folder / name, labels(values=(1, 2)))
    return folder


def test_an_index_that_the_class_map_does_not_have_is_a_warning(tmp_path: Path) -> None:
    instance(tmp_path, "axl_inference_1.nii", "axl_inference_2.nii", "cor_inference_3.nii")
    (tmp_path / "colours.txt").write_text(MAP)
    assert found(tmp_path) == [
        (
            "value-without-class",
            "warning",
            "axl_inference_2.nii",
            "index 2 has no class: Segment_2",
        )
    ]


@pytest.mark.parametrize(
    ("segmentation", "findings"),
    [
        ("instance", []),
        (
            "semantic",
            [
                (
                    "value-without-class",
                    "warning",
                    "CT/lung.nii",
                    "value 2 (5 voxels) has no class: Segment_2",
                )
            ],
        ),
    ],
)
def test_by_volume_the_file_name_is_the_class_unless_semantic_was_chosen(
    segmentation: str, findings: list[tuple[str, str, str, str]], tmp_path: Path
) -> None:
    write_nifti(tmp_path / "CT.nii")
    write_nifti(tmp_path / "CT" / "lung.nii", labels())
    (tmp_path / "colours.txt").write_text(MAP)
    assert found(tmp_path, segmentation=segmentation) == findings


def test_labels_that_cannot_be_read_miss_no_class(tmp_path: Path) -> None:
    instance(tmp_path)
    write_nifti(tmp_path / "axl_inference.nii", labels() - 0.5)
    (tmp_path / "colours.txt").write_text(MAP)
    assert found(tmp_path) == []


UNKNOWN = "an exported instance file; its number is no class of color_map.txt"


@pytest.mark.parametrize(
    ("names", "map_name", "unknown"),
    [
        (
            ("axl_inference.nii", "axl_inference_2.nii"),
            "color_map.txt",
            ["axl_inference.nii"],
        ),
        (("axl_inference.nii", "axl_inference_2.nii"), "cls_color_map.txt", []),
        (("axl_inference_1.nii", "axl_inference_2.nii"), "color_map.txt", []),
        (("axl_inference.nii", "cor_inference.nii"), "color_map.txt", []),
    ],
    ids=["an export", "another map", "numbered from 1", "semantic"],
)
def test_the_classes_of_exported_instance_files_are_asked_for(
    names: tuple[str, ...], map_name: str, unknown: list[str], tmp_path: Path
) -> None:
    instance(tmp_path, *names)
    (tmp_path / map_name).write_text("1 Femur\n2 Tibia\n")
    assert found(tmp_path) == [
        ("instance-classes-unknown", "error", name, UNKNOWN) for name in unknown
    ]


@pytest.mark.parametrize(
    ("names", "unknown"),
    [
        (("axl_inference_5.nii", "axl_inference_5_2.nii"), ["axl_inference_5.nii"]),
        (("axl_inference_5.nii", "axl_inference_2.nii"), []),
        (("axl_inference_1.nii", "axl_inference_2.nii"), []),
    ],
    ids=["an export", "its own number as index", "numbered from 1"],
)
def test_the_number_of_the_volume_is_no_number_of_an_exported_file(
    names: tuple[str, ...], unknown: list[str], tmp_path: Path
) -> None:
    for plane in ("axl", "cor", "sag"):
        write_nifti(tmp_path / f"{plane}_anatomic_5.nii")
    for name in names:
        write_nifti(tmp_path / name, labels())
    (tmp_path / "color_map.txt").write_text("1 Femur\n2 Tibia\n5 Patella\n")
    assert found(tmp_path) == [
        ("instance-classes-unknown", "error", name, UNKNOWN) for name in unknown
    ]


def test_annotations_alone_without_a_number_are_asked_for_too(tmp_path: Path) -> None:
    for name in ("axl_inference.nii", "axl_inference_2.nii"):
        write_nifti(tmp_path / name, labels())
    (tmp_path / "color_map.txt").write_text("1 Femur\n2 Tibia\n")
    assert found(tmp_path) == [("instance-classes-unknown", "error", "axl_inference.nii", UNKNOWN)]


def test_by_volume_an_exported_map_is_no_reason_to_ask(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii")
    write_nifti(tmp_path / "CT" / "lung.nii", labels())
    (tmp_path / "color_map.txt").write_text("1 lung\n")
    assert found(tmp_path) == []
