"""The label table that a NIfTI file carries itself."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from nifti_kit.formats.class_maps import ClassMap, names_in_header
from nifti_kit.formats.labels import survey_labels
from nifti_kit.formats.nifti import read_header
from tests.support.builders import labels, write_nifti
from tests.support.header_tables import ORGANS, extension, write_with, xml

Row = tuple[int, str, "tuple[int, int, int] | None"]

COLORED: list[Row] = [(1, "spleen", (64, 128, 255)), (2, "kidney_right", (128, 128, 255))]
NAMED: list[Row] = [(1, "spleen", None), (2, "kidney_right", None)]


def rows(found: ClassMap) -> list[Row]:
    return [(entry.value, entry.name, entry.color) for entry in found]


def names(path: Path) -> ClassMap:
    return names_in_header(read_header(path))


@pytest.mark.parametrize("code", [0, 30], ids=["TotalSegmentator", "Workbench"])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_table_in_an_extension_is_read(
    code: int, name: str, kind: Any, order: str, tmp_path: Path
) -> None:
    content = extension(xml(ORGANS, zero="???"), code, order)
    path = write_with(tmp_path / name, labels(), extensions=content, kind=kind, order=order)
    found = names(path)
    assert rows(found) == COLORED
    assert (found.path, found.faults) == (name, ())
    assert survey_labels(read_header(path)).values == (1, 2)


def test_the_extension_that_nibabel_writes_is_read(tmp_path: Path) -> None:
    image = nib.Nifti1Image(labels(), np.eye(4))
    image.header.extensions.append(nib.nifti1.Nifti1Extension(6, b"a comment"))
    image.header.extensions.append(nib.nifti1.Nifti1Extension(0, xml(ORGANS)))
    nib.save(image, tmp_path / "a.nii.gz")
    assert rows(names(tmp_path / "a.nii.gz")) == COLORED


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"1 spleen\n2 kidney_right\n\0", NAMED),
        (b"1\tspleen\r\n2\tkidney_right", NAMED),
        (b"0 Unknown\n1 spleen\n2 kidney_right\n", NAMED),
        (b"1 spleen 64 128 255 0\n2 kidney_right 128 128 255 0\n", COLORED),
    ],
    ids=["lines", "tabs", "background", "colours"],
)
def test_lines_of_text_before_the_voxels_are_read(
    kind: Any, text: bytes, expected: list[Row], tmp_path: Path
) -> None:
    path = write_with(tmp_path / "a.nii.gz", labels(), text=text, kind=kind)
    assert rows(names(path)) == expected
    assert survey_labels(read_header(path)).values == (1, 2)


HUGE = extension(b"<LabelTable" + b" " * 2**22, 0) + extension(xml(ORGANS), 0)

NO_NAMES: dict[str, dict[str, bytes]] = {
    "another extension": {"extensions": extension(b"<AFNI_attributes/>", 4)},
    "XML without a table": {"extensions": extension(b"<CaretExtension/>", 30)},
    "a size of 0": {"extensions": struct.pack("<ii", 0, 0) + xml(ORGANS)},
    "a negative size": {"extensions": struct.pack("<ii", -16, 0) + xml(ORGANS)},
    "a size beyond the voxels": {"extensions": struct.pack("<ii", 2**30, 0) + xml(ORGANS)},
    "zeros": {"text": b"\0" * 64},
    "prose": {"text": b"written by hand\non a rainy day\n"},
    "numbers": {"text": b"1 0.5\n2 0.7\n"},
    "bytes": {"text": bytes(range(128, 256))},
}


@pytest.mark.parametrize("parts", NO_NAMES.values(), ids=list(NO_NAMES))
def test_what_is_no_table_names_nothing(parts: dict[str, bytes], tmp_path: Path) -> None:
    found = names(write_with(tmp_path / "a.nii", labels(), **parts))
    assert (rows(found), found.faults) == ([], ())


def test_a_plain_file_names_nothing(tmp_path: Path) -> None:
    assert not names(write_nifti(tmp_path / "a.nii", labels()))


def test_a_table_behind_a_huge_extension_is_found(tmp_path: Path) -> None:
    assert rows(names(write_with(tmp_path / "a.nii.gz", labels(), extensions=HUGE))) == COLORED


BROKEN = {
    "no end": xml(ORGANS).replace(b"</LabelTable>", b""),
    "entities": xml(ORGANS, before='<!DOCTYPE a [<!ENTITY b "c">]>'),
    "another encoding": xml(ORGANS).replace(b"UTF-8", b"x-none"),
    "a label twice": xml(ORGANS).replace(b'Key="2"', b'Key="1"'),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=list(BROKEN))
def test_a_table_that_cannot_be_read_is_named(content: bytes, tmp_path: Path) -> None:
    found = names(write_with(tmp_path / "a.nii", labels(), extensions=extension(content, 0)))
    (fault,) = found.faults
    assert (fault.code, fault.path) == ("names-in-header-unused", "a.nii")
    assert fault.message.startswith("its header has a label table that cannot be read: ")


def test_text_of_two_readings_is_named_and_not_used(tmp_path: Path) -> None:
    text = b"1 spleen 12\n2 kidney 15\n"
    found = names(write_with(tmp_path / "a.nii", labels(), text=text))
    assert rows(found) == []
    assert "table of values, names and colours or a" in found.faults[0].message


def test_a_structure_at_0_is_named(tmp_path: Path) -> None:
    content = extension(xml(ORGANS, zero="liver"), 0)
    found = names(write_with(tmp_path / "a.nii", labels(), extensions=content))
    assert rows(found) == COLORED
    (fault,) = found.faults
    assert (fault.code, fault.severity) == ("class-table-zero", "warning")
    assert "names 0 'liver'" in fault.message


def test_a_file_that_ends_early_names_nothing_here(tmp_path: Path) -> None:
    path = write_with(tmp_path / "a.nii", labels(), extensions=extension(xml(ORGANS), 0))
    image = read_header(path)
    path.write_bytes(path.read_bytes()[:400])
    assert not names_in_header(image)
    path.unlink()
    assert not names_in_header(image)
