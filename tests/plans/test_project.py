"""The classes of a project: taken by pixel value, renamed around, kept in their colours."""

from __future__ import annotations

from pathlib import Path

import pytest

import nifti_kit as nk
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.formats.class_maps import ClassEntry, ClassMap
from nifti_kit.plans.project import ProjectClasses
from nifti_kit.targets.records import ClassRef
from tests.support.builders import labels, write_nifti, write_planes
from tests.support.landings import land, quiet, write_foreign

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def ref(name: str, value: object = None, color: tuple = RED, shape: str = "mask_3d") -> ClassRef:
    return ClassRef(name, color, "" if value is None else f"Mask pixel value: {value}", shape)


def project(*found: ClassRef, **given: int) -> ProjectClasses:
    entries = tuple(ClassEntry(value, name, None) for name, value in given.items())
    return ProjectClasses(found, ClassMap(entries, "map.txt"))


def said(classes: ProjectClasses) -> list[tuple[str, str, str]]:
    return [(found.code, found.path, found.message) for found in classes.findings]


# By pixel value


DESCRIPTIONS = {
    "ours": ("Mask pixel value: 3", True),
    "without a space": ("Mask pixel value:3", True),
    "among other words": ("The thigh bone. Mask pixel value: 3. Checked.", True),
    "another value": ("Mask pixel value: 33", False),
    "no number": ("Mask pixel value: three", False),
    "other words": ("Value: 3", False),
    "none": ("", False),
}


@pytest.mark.parametrize(("text", "taken"), DESCRIPTIONS.values(), ids=list(DESCRIPTIONS))
def test_the_value_of_a_class_is_in_its_description(text: str, taken: bool) -> None:
    classes = project(ClassRef("Femur", GREEN, text, "any"))
    assert classes.by_value(3) == (ClassEntry(3, "Femur", GREEN) if taken else None)
    assert said(classes) == []


def test_a_class_that_cannot_hold_a_mask_is_not_taken() -> None:
    assert project(ref("Femur", 3, shape="rectangle")).by_value(3) is None


def test_the_class_map_goes_before_the_project_and_says_so_once() -> None:
    classes = project(ref("Bone", 1), ref("Tibia", 2), Femur=1, Tibia=2)
    for _ in range(2):
        assert [found.name for v in (1, 2) if (found := classes.by_value(v))] == ["Femur", "Tibia"]
    message = "value 1 is Femur in the class map; in the project value 1 is Bone"
    assert said(classes) == [("class-differs", "map.txt", message)]


def test_a_class_of_the_map_that_has_another_value_in_the_project_is_named() -> None:
    classes = project(ref("Femur", 3), ref("Bone", 1), Femur=1)
    assert classes.by_value(1) == ClassEntry(1, "Femur", None)
    message = (
        "value 1 is Femur in the class map; in the project value 1 is Bone and Femur is value 3"
    )
    assert said(classes) == [("class-differs", "map.txt", message)]


def test_of_several_classes_of_one_value_none_is_taken() -> None:
    classes = project(ref("Femur", 1), ref("Bone", 1))
    assert classes.by_value(1) is None
    assert said(classes) == [
        ("class-value-repeated", "map.txt", "value 1: Femur, Bone; none of them is taken")
    ]
    assert said(project(ref("Femur", 1), ref("Bone", 1))) == []
    told = project(ref("Femur", 1), ref("Bone", 1), Bone=1)
    assert told.by_value(1) == ClassEntry(1, "Bone", None)
    assert said(told) == []


# Names and colours


NAMES = {
    "free": ((), set(), "Femur"),
    "there with a mask": ((ref("Femur"),), set(), "Femur"),
    "there for anything": ((ref("Femur", shape="any"),), set(), "Femur"),
    "there as a rectangle": ((ref("Femur", shape="rectangle"),), set(), "Femur_1"),
    "there twice": (
        (ref("Femur", shape="rectangle"), ref("Femur_1", shape="polygon")),
        set(),
        "Femur_2",
    ),
    "renamed earlier": ((ref("Femur", shape="rectangle"), ref("Femur_1")), set(), "Femur_1"),
    "renamed earlier for another value": (
        (ref("Femur", shape="rectangle"), ref("Femur_1", 7)),
        set(),
        "Femur_2",
    ),
    "next to a planned one": ((ref("Femur", shape="rectangle"),), {"Femur_1"}, "Femur_2"),
    "that of another renamed one": ((), {"Femur"}, "Femur_1"),
}


@pytest.mark.parametrize(("found", "taken", "expected"), NAMES.values(), ids=list(NAMES))
def test_a_class_lands_under_its_name_or_the_next_free_one(
    found: tuple[ClassRef, ...], taken: set[str], expected: str
) -> None:
    classes = project(*found)
    assert classes.landing_name("Femur", 1, taken) == expected
    assert [code for code, _, _ in said(classes)] == ["class-renamed"] * (expected != "Femur")


def test_a_renamed_class_does_not_take_the_name_of_another_of_the_map() -> None:
    classes = project(ref("Femur", shape="rectangle"), Femur=1, Femur_1=2)
    assert classes.landing_name("Femur", 1, set()) == "Femur_2"
    assert said(classes) == [
        (
            "class-renamed",
            "map.txt",
            "a class Femur is there as rectangle: this one is named Femur_2",
        )
    ]


def test_a_class_that_is_there_keeps_its_colour() -> None:
    classes = project(ref("Femur", color=RED))
    assert classes.color_of("Femur", None) == RED
    assert classes.color_of("Femur", RED) == RED
    assert classes.color_of("Tibia", GREEN) is None
    assert said(classes) == []
    assert classes.color_of("Femur", GREEN) == RED
    assert said(classes) == [
        (
            "class-differs",
            "map.txt",
            "Femur keeps its colour (255, 0, 0) of the project; the class map has (0, 255, 0)",
        )
    ]


# In a plan


@pytest.fixture
def target(tmp_path: Path) -> nk.ProjectFolder:
    """A project whose values 1 and 2 are Femur and Tibia, and a volume for each plane."""
    source = write_planes(tmp_path / "first")
    (source / "color_map.txt").write_text("1 Femur 255 0 0\n2 Tibia 0 255 0\n")
    found = nk.ProjectFolder(tmp_path / "project", dataset="d")
    land(source, found)
    return found


def again(folder: Path, values: tuple[int, ...] = (1, 2), color_map: str = "") -> Dataset:
    """Write an annotation for the axial volume of the project; scan it."""
    write_nifti(folder / "axl_inference.nii", labels(values=values))
    if color_map:
        (folder / "color_map.txt").write_text(color_map)
    return nk.scan(folder)


def test_a_reimport_uses_the_classes_of_the_project(
    tmp_path: Path, target: nk.ProjectFolder
) -> None:
    dataset = again(tmp_path / "again", (1, 2, 3))
    mapping = nk.match(dataset, target.volumes())
    alone = nk.plan(dataset, mapping=mapping)
    assert [found.name for found in alone.classes] == ["Segment_1", "Segment_2", "Segment_3"]
    plan = nk.plan(dataset, mapping=mapping, target=target)
    assert [(found.name, found.value) for found in plan.classes] == [
        ("Femur", 1),
        ("Tibia", 2),
        ("Segment_3", 3),
    ]
    assert [found.color for found in plan.classes][:2] == [RED, GREEN]
    assert plan.classes[2].color not in (RED, GREEN)
    assert plan.findings.ok
    receipt = nk.upload(plan, target, existing="replace", on_progress=quiet)
    assert [item.replaced for item in receipt.items] == [2]
    assert nk.verify(receipt, target).ok
    assert [found.name for found in target.classes()] == ["Femur", "Tibia", "Segment_3"]


def test_instance_files_take_the_class_of_their_index(
    tmp_path: Path, target: nk.ProjectFolder
) -> None:
    for index in (1, 2):
        write_nifti(tmp_path / f"in/axl_inference_{index}.nii", labels(values=(1, 5)))
    dataset = nk.scan(tmp_path / "in")
    plan = nk.plan(dataset, mapping=nk.match(dataset, target.volumes()), target=target)
    assert [(o.class_name, o.value) for o in plan.objects] == [
        ("Femur", 1),
        ("Femur", 5),
        ("Tibia", 1),
        ("Tibia", 5),
    ]


def test_the_class_map_of_a_reimport_goes_before_the_project(
    tmp_path: Path, target: nk.ProjectFolder
) -> None:
    dataset = again(tmp_path / "again", (1, 2, 3), "1 Bone 0 0 255\n")
    plan = nk.plan(dataset, mapping=nk.match(dataset, target.volumes()), target=target)
    assert [found.name for found in plan.classes] == ["Bone", "Tibia", "Segment_3"]
    assert [(found.code, found.message) for found in plan.findings] == [
        ("value-without-class", "value 3 (5 voxels) has no class: Segment_3"),
        ("class-differs", "value 1 is Bone in the class map; in the project value 1 is Femur"),
    ]
    receipt = nk.upload(plan, target, existing="append", on_progress=quiet)
    assert nk.verify(receipt, target).ok


def test_a_class_in_another_colour_is_verified_in_that_of_the_project(
    tmp_path: Path, target: nk.ProjectFolder
) -> None:
    dataset = again(tmp_path / "again", (1,), "1 Femur 0 0 255\n")
    plan = nk.plan(dataset, mapping=nk.match(dataset, target.volumes()), target=target)
    assert [(found.name, found.color) for found in plan.classes] == [("Femur", RED)]
    assert [found.code for found in plan.findings] == ["class-differs"]
    receipt = nk.upload(plan, target, existing="replace", on_progress=quiet)
    assert nk.verify(receipt, target).ok


def test_a_value_does_not_take_the_class_of_another_by_its_name(tmp_path: Path) -> None:
    source = write_planes(tmp_path / "first")
    target = nk.ProjectFolder(tmp_path / "project", dataset="d")
    (source / "color_map.txt").write_text("1 Segment_2\n")
    land(source, target)
    dataset = again(tmp_path / "again", (2, 3))
    plan = nk.plan(dataset, mapping=nk.match(dataset, target.volumes()), target=target)
    assert [found.name for found in plan.classes] == ["Segment_2_unnamed", "Segment_3"]


def test_a_class_of_another_shape_is_not_in_the_way(tmp_path: Path) -> None:
    target = nk.ProjectFolder(write_foreign(tmp_path / "project"), dataset="new")
    source = write_planes(tmp_path / "in")
    (source / "color_map.txt").write_text("1 flat 1 2 3\n2 old 4 5 6\n")
    dataset = nk.scan(source)
    with pytest.raises(nk.errors.TargetError, match="there with another shape"):
        nk.upload(nk.plan(dataset), target, on_progress=quiet)
    plan = nk.plan(dataset, target=target)
    assert [(found.name, found.color) for found in plan.classes] == [
        ("flat_1", (1, 2, 3)),
        ("old", (10, 11, 12)),
    ]
    assert {found.code: found.message for found in plan.findings} == {
        "class-renamed": "a class flat is there as rectangle: this one is named flat_1",
        "class-differs": (
            "old keeps its colour (10, 11, 12) of the project; the class map has (4, 5, 6)"
        ),
    }
    receipt = nk.upload(plan, target, on_progress=quiet)
    assert nk.verify(receipt, target).ok
    second = nk.plan(dataset, target=target)
    assert [found.name for found in second.classes] == ["flat_1", "old"]
