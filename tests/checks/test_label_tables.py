"""What label tables name is said, held against the masks, and lands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.checks.classes import class_names_alike
from nifti_kit.core.findings import Findings
from tests.support.builders import labels, volume, write_nifti, write_planes
from tests.support.header_tables import ORGANS, extension, write_with, xml

FREESURFER = "1 Femur 200 10 20 0\n2 Tibia 10 220 30 0\n3 Patella 1 200 3 0\n"
CODES = (
    "class-table-read", "class-table-ambiguous", "class-table-zero", "class-name-repeated",
    "names-in-header", "names-in-header-unused", "value-without-class", "class-names-alike",
)  # fmt: skip


def found(findings: Findings) -> list[tuple[str, str, str]]:
    return [(f.code, f.path, f.message) for f in findings if f.code in CODES]


def check(folder: Path, **choices: Any) -> list[tuple[str, str, str]]:
    return found(nk.check(nk.scan(folder, **choices)))


def landed(folder: Path, **choices: Any) -> dict[str, int]:
    """Return the classes that would land, with the values of their objects."""
    planned = nk.plan(nk.scan(folder, **choices))
    assert planned.blockers.ok
    return {one.class_name: one.value for one in planned.objects}


def by_value(folder: Path, text: str, values: tuple[int, ...] = (1, 2)) -> Path:
    """Write a set by plane whose masks have these values, and a label table."""
    for plane in ("axl", "cor", "sag"):
        write_nifti(folder / f"{plane}_anatomic.nii.gz")
        array = labels().astype(np.uint16)
        for before, after in zip((2, 1), reversed(values), strict=True):
            array[labels() == before] = after
        write_nifti(folder / f"{plane}_inference.nii.gz", array)
    (folder / "lut.txt").write_text(text)
    return folder


def test_what_was_recognised_is_said_with_how_many_values_it_names(tmp_path: Path) -> None:
    by_value(tmp_path, FREESURFER, (1, 7))
    assert check(tmp_path)[-1] == (
        "class-table-read",
        "lut.txt",
        "FreeSurfer table, names 1 of the 2 values",
    )
    assert landed(tmp_path) == {"Femur": 1, "Segment_7": 7}


def test_what_was_recognised_is_said_where_classes_are_file_names(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii")
    write_nifti(tmp_path / "CT" / "Femur.nii", labels())
    (tmp_path / "lut.txt").write_text(FREESURFER)
    assert check(tmp_path) == [("class-table-read", "lut.txt", "FreeSurfer table, 3 classes")]
    plan = nk.plan(nk.scan(tmp_path))
    assert [(one.name, one.color) for one in plan.classes] == [("Femur", (200, 10, 20))]


def test_the_file_indices_of_instances_are_held_against_the_table(tmp_path: Path) -> None:
    for plane in ("axl", "cor", "sag"):
        write_nifti(tmp_path / f"{plane}_anatomic.nii")
    for number in (1, 3):
        write_nifti(tmp_path / f"axl_inference_{number}.nii", labels())
    (tmp_path / "lut.txt").write_text(FREESURFER)
    message = "FreeSurfer table, names 2 of the 2 values"
    assert check(tmp_path) == [("class-table-read", "lut.txt", message)]


def test_the_specifications_own_table_needs_no_word(tmp_path: Path) -> None:
    by_value(tmp_path, "1 Femur 255 0 0\n2 Tibia 0 255 0\n")
    assert check(tmp_path) == []


def test_a_table_that_names_more_values_by_other_numbers_is_an_error(tmp_path: Path) -> None:
    by_value(tmp_path, "1 Femur 2001\n2 Tibia 2002\n", (2001, 2002))
    (error,) = nk.check(nk.scan(tmp_path)).errors
    assert error.code == "class-table-ambiguous"
    assert error.message == (
        "as AAL table it names 0 of the 2 values of the masks, as AAL table by its codes 2"
    )
    call = error.remedy.split("classes=")[1].split("), or")[0]
    classes = eval(call, {"nk": nk, "dataset": nk.scan(tmp_path)})  # code of ours
    assert landed(tmp_path, classes=classes) == {"Femur": 2001, "Tibia": 2002}
    assert all(code != "class-table-ambiguous" for code, *_ in check(tmp_path, classes=classes))


def test_a_table_whose_first_numbers_fit_is_not_doubted(tmp_path: Path) -> None:
    by_value(tmp_path, "1 Femur 2001\n2 Tibia 2002\n")
    assert check(tmp_path) == [
        ("class-table-read", "lut.txt", "AAL table, names 2 of the 2 values")
    ]
    assert landed(tmp_path) == {"Femur": 1, "Tibia": 2}


def test_a_table_that_counts_from_0_is_named_and_its_remedy_lands_right(tmp_path: Path) -> None:
    by_value(tmp_path, "0 Femur\n1 Tibia\n")
    (warning,) = nk.check(nk.scan(tmp_path)).by_code()["class-table-zero"]
    assert "'Femur'" in warning.message
    call = warning.remedy.split("classes=")[1].split(").")[0]
    classes = eval(call, {"nk": nk, "dataset": nk.scan(tmp_path)})  # code of ours
    assert landed(tmp_path, classes=classes) == {"Femur": 1, "Tibia": 2}
    assert check(tmp_path, classes=classes) == []


def test_values_of_one_name_are_named_where_the_masks_have_them(tmp_path: Path) -> None:
    text = "1 Bone 200 10 20 0\n2 Bone 10 220 30 0\n3 Fat 200 1 1 0\n4 Fat 220 1 1 0\n"
    by_value(tmp_path, text)
    assert [row for row in check(tmp_path) if row[0] == "class-name-repeated"] == [
        ("class-name-repeated", "lut.txt", "values 1, 2 are all 'Bone': they land as one class")
    ]


def test_names_alike_count_only_where_a_mask_has_the_class(tmp_path: Path) -> None:
    text = "1 Left-Lung 200 10 20 0\n2 Heart 10 220 30 0\n3 Left_Lung 200 1 1 0\n"
    dataset = nk.scan(by_value(tmp_path, text))
    assert list(class_names_alike(dataset)) == []
    assert list(class_names_alike(dataset, ())) == []
    (tmp_path / "lut.txt").write_text(text.replace("2 Heart", "4 Heart").replace("3 L", "2 L"))
    dataset = nk.scan(tmp_path)
    assert [f.path for f in class_names_alike(dataset)] == ["lut.txt"]
    assert list(class_names_alike(dataset, ())) == []
    assert "class-names-alike" in nk.check(dataset).by_code()
    assert "class-names-alike" not in nk.check(dataset, voxels=False).by_code()


# Names in the headers of masks.


def named(path: Path, names: dict[int, str] = ORGANS, array: Any = None) -> Path:
    array = labels() if array is None else array
    return write_with(path, array, extensions=extension(xml(names), 0))


def planes(folder: Path, names: dict[int, str] = ORGANS, mask: str = "inference") -> Path:
    for plane in ("axl", "cor", "sag"):
        write_nifti(folder / f"{plane}_anatomic.nii.gz")
    named(folder / f"axl_{mask}.nii.gz", names)
    return folder


USED = "its header names 2 of the 2 values: 1 spleen, 2 kidney_right"


def test_by_plane_the_names_of_a_header_are_used(tmp_path: Path) -> None:
    planes(tmp_path)
    assert check(tmp_path) == [("names-in-header", "axl_inference.nii.gz", USED)]
    plan = nk.plan(nk.scan(tmp_path))
    assert [(one.name, one.color, one.value) for one in plan.classes] == [
        ("spleen", (64, 128, 255), 1),
        ("kidney_right", (128, 128, 255), 2),
    ]


def test_by_volume_the_names_of_a_header_are_used_where_each_value_is_a_class(
    tmp_path: Path,
) -> None:
    write_nifti(tmp_path / "ct.nii.gz")
    named(tmp_path / "ct" / "total.nii.gz")
    message = (
        "its header names 2 of the 2 values (1 spleen, 2 kidney_right), but its values are read "
        "as objects"
    )
    assert check(tmp_path) == [("names-in-header-unused", "ct/total.nii.gz", message)]
    assert landed(tmp_path) == {"total": 2}
    choice = {"segmentation": "semantic"}
    assert check(tmp_path, **choice) == [("names-in-header", "ct/total.nii.gz", USED)]
    assert landed(tmp_path, **choice) == {"spleen": 1, "kidney_right": 2}


def test_annotations_alone_take_the_names_of_their_headers(tmp_path: Path) -> None:
    named(tmp_path / "axl_inference.nii.gz")
    assert check(tmp_path) == [("names-in-header", "axl_inference.nii.gz", USED)]


def test_a_file_of_one_structure_that_says_its_own_name_is_no_matter(tmp_path: Path) -> None:
    write_nifti(tmp_path / "ct.nii.gz")
    named(tmp_path / "ct" / "Kidney right.nii.gz", {1: "kidney_right"}, labels(values=(1,)))
    assert check(tmp_path) == []


def test_each_mask_has_the_names_of_its_own_header(tmp_path: Path) -> None:
    planes(tmp_path)
    named(tmp_path / "cor_inference.nii.gz", {1: "heart", 2: "aorta"})
    plan = nk.plan(nk.scan(tmp_path))
    assert {(one.mask.relative.name[:3], one.value, one.class_name) for one in plan.objects} == {
        ("axl", 1, "spleen"),
        ("axl", 2, "kidney_right"),
        ("cor", 1, "heart"),
        ("cor", 2, "aorta"),
    }


def test_a_value_that_a_header_does_not_name_is_a_warning(tmp_path: Path) -> None:
    planes(tmp_path, {1: "Segment_2"})
    assert check(tmp_path) == [
        (
            "value-without-class",
            "axl_inference.nii.gz",
            "value 2 (5 voxels) has no class: Segment_2",
        ),
        (
            "names-in-header",
            "axl_inference.nii.gz",
            "its header names 1 of the 2 values: 1 Segment_2",
        ),
    ]
    assert landed(tmp_path) == {"Segment_2": 1, "Segment_2_unnamed": 2}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("1 spleen\n2 Kidney right\n", ""),
        (
            "1 liver\n2 kidney right\n",
            "its header says otherwise than map.txt, and is not used: 1 spleen",
        ),
        (
            "1 spleen\n",
            "its header says otherwise than map.txt, and is not used: 2 kidney_right",
        ),
    ],
    ids=["the same", "another name", "a value less"],
)
def test_where_a_table_is_there_the_header_is_named_if_it_says_otherwise(
    table: str, message: str, tmp_path: Path
) -> None:
    planes(tmp_path)
    (tmp_path / "map.txt").write_text(table)
    rows = [row for row in check(tmp_path) if row[0].startswith("names")]
    assert rows == (
        [("names-in-header-unused", "axl_inference.nii.gz", message)] if message else []
    )
    assert set(landed(tmp_path)) & {"liver", "spleen"} == {table.split("\n", maxsplit=1)[0][2:]}
    assert landed(tmp_path, classes={}) == {"spleen": 1, "kidney_right": 2}


def test_classes_that_a_person_gives_go_before_the_header(tmp_path: Path) -> None:
    planes(tmp_path)
    classes = {1: "Milz", 2: "Niere"}
    assert landed(tmp_path, classes=classes) == {"Milz": 1, "Niere": 2}
    message = (
        "its header says otherwise than the classes that were given, and is not used: "
        "1 spleen, 2 kidney_right"
    )
    assert check(tmp_path, classes=classes) == [
        ("names-in-header-unused", "axl_inference.nii.gz", message)
    ]


def test_instance_files_name_what_their_headers_say(tmp_path: Path) -> None:
    planes(tmp_path, mask="inference_1")
    named(tmp_path / "axl_inference_2.nii.gz")
    assert [code for code, *_ in check(tmp_path)] == ["names-in-header-unused"] * 2
    assert set(landed(tmp_path)) == {"Segment_1", "Segment_2"}


def test_a_repair_that_loses_the_names_says_so_and_how_to_keep_them(tmp_path: Path) -> None:
    planes(tmp_path)
    array = labels().astype("f4") + np.float32(0.25) * (labels() > 0)
    named(tmp_path / "axl_inference.nii.gz", array=array)
    mended = nk.repairs.round_labels(nk.scan(tmp_path), "axl_inference.nii.gz").dataset
    (warning,) = nk.check(mended).by_code()["names-in-header-unused"]
    assert warning.message == (
        "its header named 2 of the 2 values before it was repaired: 1 spleen, 2 kidney_right"
    )
    assert "classes={1: 'spleen', 2: 'kidney_right'}" in warning.remedy


def test_the_project_says_what_neither_map_nor_header_does(tmp_path: Path) -> None:
    planes(tmp_path / "in", {1: "spleen"})
    first = nk.scan(write_planes(tmp_path / "first"), classes={1: "Milz", 2: "Niere"})
    target = nk.ProjectFolder(tmp_path / "out", dataset="d")
    nk.upload(nk.plan(first), target)
    plan = nk.plan(nk.scan(tmp_path / "in"), target=target)
    assert {one.class_name: one.value for one in plan.objects} == {"spleen": 1, "Niere": 2}
    assert "class-differs" in plan.findings.by_code()
    assert "value-without-class" not in plan.findings.by_code()
    assert "value-without-class" in nk.plan(nk.scan(tmp_path / "in")).findings.by_code()


def test_a_volume_that_names_values_is_no_matter_here(tmp_path: Path) -> None:
    named(tmp_path / "ct.nii.gz", array=volume())
    assert check(tmp_path) == []


def test_a_repaired_set_takes_every_table_with_it(tmp_path: Path) -> None:
    planes(tmp_path / "in", {})
    array = labels().astype("f4") + np.float32(0.25) * (labels() > 0)
    write_nifti(tmp_path / "in" / "axl_inference.nii.gz", array)
    (tmp_path / "in" / "dataset.json").write_text('{"labels": {"bg": 0, "Femur": 1}}')
    (tmp_path / "in" / "lut.txt").write_text(FREESURFER)
    repair = nk.repairs.round_labels(nk.scan(tmp_path / "in"), "axl_inference.nii.gz")
    repair.save(tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").rglob("*.*")}
    assert {"dataset.json", "lut.txt"} <= names
    assert len(nk.scan(tmp_path / "out").classes) == 3
