"""Rules about which class a label is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.checks import classes
from nifti_kit.checks.classes import (
    class_names_alike,
    class_without_value,
    segmentation_ambiguous,
)
from nifti_kit.datasets.surveys import survey_item
from tests.support.builders import labels, volume, write_nifti, write_planes

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
            "axl_inference.nii.gz",
            (
                "value 2 (15 voxels in 3 files) has no class: Segment_2; it is in "
                "axl_inference.nii.gz, cor_inference.nii.gz, sag_inference.nii.gz"
            ),
        )
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
            ["axl_inference.nii", "axl_inference_2.nii"],
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
        (
            ("axl_inference_5.nii", "axl_inference_5_2.nii"),
            ["axl_inference_5.nii", "axl_inference_5_2.nii"],
        ),
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
    assert found(tmp_path) == [
        ("instance-classes-unknown", "error", name, UNKNOWN)
        for name in ("axl_inference.nii", "axl_inference_2.nii")
    ]


def test_by_volume_an_exported_map_is_no_reason_to_ask(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii")
    write_nifti(tmp_path / "CT" / "lung.nii", labels())
    (tmp_path / "color_map.txt").write_text("1 lung\n")
    assert found(tmp_path) == []


def test_each_value_without_a_class_is_a_finding_up_to_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classes, "MOST_UNNAMED", 2)
    write_planes(tmp_path, ("cor", "sag"))
    write_nifti(tmp_path / "axl_anatomic.nii", volume((9, 6, 7)))
    write_nifti(tmp_path / "axl_inference.nii", labels((9, 6, 7), values=(1, 2, 4, 5, 6, 7)))
    (tmp_path / "colours.txt").write_text("1 Femur\n2 Tibia\n")
    assert [one[2:] for one in found(tmp_path)] == [
        ("", "2 more values have no class: 6, 7"),
        ("axl_inference.nii", "value 4 (5 voxels) has no class: Segment_4"),
        ("axl_inference.nii", "value 5 (5 voxels) has no class: Segment_5"),
    ]


def rule(name: str, folder: Path, **choices: Any) -> list[tuple[str, str]]:
    """Return (path, message) of what a rule about a whole dataset finds."""
    dataset = nk.scan(folder, **choices)
    surveys = [survey_item(dataset, item) for item in dataset.items]
    given = {
        "unused": lambda: class_without_value(dataset, surveys),
        "alike": lambda: class_names_alike(dataset),
        "ambiguous": lambda: segmentation_ambiguous(dataset, surveys),
    }[name]()
    return [(f.path, f.message) for f in given]


def by_volume(folder: Path, *names: str) -> Path:
    for name in names:
        case, _, mask = name.partition("/")
        write_nifti(folder / f"{case}.nii")
        write_nifti(folder / case / f"{mask}.nii", labels())
    return folder


def test_classes_that_no_mask_has_are_one_note(tmp_path: Path) -> None:
    write_planes(tmp_path)
    (tmp_path / "colours.txt").write_text("1 Femur\n2 Tibia\n3 Patella\n4 Meniscus\n")
    message = "2 of its 4 classes are in no annotation file: 3 Patella, 4 Meniscus"
    assert rule("unused", tmp_path) == [("colours.txt", message)]


def test_many_unused_classes_are_counted(tmp_path: Path) -> None:
    write_planes(tmp_path)
    classes = {value: f"C{value}" for value in range(1, 10)}
    ((path, message),) = rule("unused", tmp_path, classes=classes)
    assert path == ""
    assert message.endswith(": 3 C3, 4 C4, 5 C5, 6 C6, 7 C7 and 2 more")


def test_by_volume_a_class_is_used_by_its_name(tmp_path: Path) -> None:
    by_volume(tmp_path, "CT/left_lung")
    (tmp_path / "colours.txt").write_text("1 Left lung\n2 Heart\n")
    message = "1 of its 2 classes is in no annotation file: 2 Heart"
    assert rule("unused", tmp_path) == [("colours.txt", message)]


def test_in_instance_files_a_class_is_used_by_its_index(tmp_path: Path) -> None:
    instance(tmp_path, "axl_inference_1.nii", "axl_inference_3.nii")
    write_nifti(tmp_path / "axl_inference_2.nii", 0 * labels())
    (tmp_path / "colours.txt").write_text("1 Femur\n2 Tibia\n3 Patella\n")
    message = "1 of its 3 classes is in no annotation file: 2 Tibia"
    assert rule("unused", tmp_path) == [("colours.txt", message)]


def test_without_masks_or_with_one_that_cannot_be_read_no_class_is_unused(tmp_path: Path) -> None:
    instance(tmp_path / "none")
    instance(tmp_path / "faulty")
    write_nifti(tmp_path / "faulty" / "axl_inference.nii", labels() - 0.5)
    for folder in ("none", "faulty"):
        assert rule("unused", tmp_path / folder, classes={1: "Femur"}) == []


def test_class_names_that_differ_in_case_only_are_named_with_their_files(tmp_path: Path) -> None:
    by_volume(tmp_path, "CT1/Lung", "CT2/lung", "CT3/Lung", "CT4/left lung", "CT5/Left-Lung")
    assert rule("alike", tmp_path) == [
        (
            "CT2/lung.nii",
            (
                "class 'lung' (CT2/lung.nii) and class 'Lung' (CT1/Lung.nii and 1 other file) "
                "land as two classes"
            ),
        ),
        (
            "CT5/Left-Lung.nii",
            (
                "class 'Left-Lung' (CT5/Left-Lung.nii) and class 'left lung' (CT4/left lung.nii) "
                "land as two classes"
            ),
        ),
    ]


def test_class_names_that_differ_in_more_are_not_alike(tmp_path: Path) -> None:
    by_volume(tmp_path, "CT1/disc_L1-2", "CT2/disc_L12", "CT3/_", "CT4/-", "CT5/lung")
    assert rule("alike", tmp_path) == []


def test_names_in_the_class_map_are_compared_where_they_are_used(tmp_path: Path) -> None:
    (tmp_path / "colours.txt").write_text("1 Left lung\n2 left-lung\n")
    by_volume(tmp_path, "CT/left_lung")
    assert rule("alike", tmp_path) == []
    message = (
        "class 'left-lung' (colours.txt) and class 'Left lung' (colours.txt) land as two classes"
    )
    assert rule("alike", tmp_path, segmentation="semantic") == [("colours.txt", message)]


MAY_BE_SEMANTIC = (
    "read as instance, because of the number at the end of its name; but it is the only "
    "annotation file of its plane, and values 1, 2 all have a class: it may be semantic"
)
MAY_BE_INSTANCES = (
    "read as semantic, as the only annotation file of its plane; but of its values 1, 2 only 1 "
    "can have a class in the class map: they may be instances"
)


@pytest.mark.parametrize(
    ("names", "classes", "expected"),
    [
        (("axl_inference_1.nii", "cor_inference_1.nii"), {1: "A", 2: "B"}, MAY_BE_SEMANTIC),
        (("axl_inference_1.nii", "axl_inference_2.nii"), {1: "A", 2: "B"}, ""),
        (("axl_inference_1.nii",), {1: "A"}, ""),
        (("axl_inference_1.nii",), None, ""),
        (("axl_inference.nii",), {1: "A"}, MAY_BE_INSTANCES),
        (("axl_inference.nii",), {9: "A"}, MAY_BE_INSTANCES),
        (("axl_inference.nii",), {1: "A", 2: "B"}, ""),
        (("axl_inference.nii",), None, ""),
    ],
    ids=[
        "all values have a class",
        "several files",
        "a value has none",
        "no map",
        "only 1 has a class",
        "no value has a class",
        "semantic",
        "semantic without a map",
    ],
)
def test_what_may_be_read_in_two_ways_is_said(
    names: tuple[str, ...], classes: dict[int, str] | None, expected: str, tmp_path: Path
) -> None:
    instance(tmp_path, *names)
    findings = [(names[0], expected)] if expected else []
    assert rule("ambiguous", tmp_path, classes=classes) == findings


def test_values_with_gaps_are_no_count_of_objects(tmp_path: Path) -> None:
    instance(tmp_path)
    write_nifti(tmp_path / "axl_inference.nii", labels(values=(1, 3)))
    assert rule("ambiguous", tmp_path, classes={1: "A"}) == []


def test_one_value_says_nothing_of_its_kind(tmp_path: Path) -> None:
    instance(tmp_path)
    write_nifti(tmp_path / "axl_inference_1.nii", labels(values=(1,)))
    assert rule("ambiguous", tmp_path, classes={1: "A", 2: "B"}) == []


def test_sets_of_one_folder_are_told_apart_by_their_volumes_numbers(tmp_path: Path) -> None:
    for number in (1, 2):
        for plane in ("axl", "cor", "sag"):
            write_nifti(tmp_path / f"{plane}_anatomic_{number}.nii")
    write_nifti(tmp_path / "axl_inference_1_4.nii", labels())
    write_nifti(tmp_path / "axl_inference_2_4.nii", labels())
    found_ = rule("ambiguous", tmp_path, classes={1: "A", 2: "B"})
    assert found_ == [
        ("axl_inference_1_4.nii", MAY_BE_SEMANTIC),
        ("axl_inference_2_4.nii", MAY_BE_SEMANTIC),
    ]


def test_a_volumes_own_number_is_no_reason_to_doubt_a_choice(tmp_path: Path) -> None:
    for plane in ("axl", "cor", "sag"):
        write_nifti(tmp_path / f"{plane}_anatomic_1.nii")
    write_nifti(tmp_path / "axl_inference_1.nii", labels())
    choice = {"classes": {1: "A", 2: "B"}, "segmentation": "instance"}
    assert rule("ambiguous", tmp_path, **choice) == []


def test_by_volume_files_are_named_by_their_class_and_never_ambiguous(tmp_path: Path) -> None:
    by_volume(tmp_path, "CT/lung_1")
    assert rule("ambiguous", tmp_path, classes={1: "A", 2: "B"}) == []
