"""Class names as names of files, and back."""

from __future__ import annotations

import pytest

from nifti_kit.formats.class_maps import ClassEntry, ClassMap
from nifti_kit.formats.class_maps.stems import class_of_stem, class_stems, further_stem

NAMES = [
    "Femur", "femur", "FEMUR", "a/b", "a\\b", "50%", "a~2", ".hidden", "end.", "tab\there", "Größe",
    "x" * 300, "x" * 300 + "y", "left lung", "left_lung",
]  # fmt: skip


def entries(*names: str) -> ClassMap:
    return ClassMap(tuple(ClassEntry(n, name, None) for n, name in enumerate(names, start=1)))


def test_every_name_has_a_file_of_its_own_and_comes_back() -> None:
    stems, classes = class_stems(NAMES), entries(*NAMES)
    assert len({stem.casefold() for stem in stems.values()}) == len(NAMES)
    for name, stem in stems.items():
        assert not {"/", "\\", "\t"} & {*stem}
        assert len(f"{stem}~2.nii.gz".encode()) < 255
        assert (class_of_stem(stem, classes) or stem) == name
        assert class_of_stem(further_stem(stem, 2), classes) == name


@pytest.mark.parametrize(
    ("stem", "known", "meant"),
    [
        ("T1%2FT2", ["T1/T2"], "T1/T2"),
        ("T1%2FT2", ["T1%2FT2", "T1/T2"], None),
        ("T1%2FT2", ["other"], None),
        ("Femur~2", ["Femur"], "Femur"),
        ("Femur~2", ["Femur~2", "Femur"], None),
        ("Femur~2", [], None),
        ("Femur", ["Femur"], None),
        ("femur", ["Femur"], None),
    ],
)
def test_a_file_stands_for_another_name_only_where_a_class_map_has_it(
    stem: str, known: list[str], meant: str | None
) -> None:
    assert class_of_stem(stem, entries(*known)) == meant


def test_a_name_that_is_written_just_so_comes_first() -> None:
    classes = entries("Lung", "lung", "left_lung", "left lung")
    for entry in classes:
        assert classes.by_name(entry.name) is entry
    assert classes.by_name("LUNG") is classes[1]
