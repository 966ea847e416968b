"""Which dataset a folder is named like, and whether folders are datasets at all."""

from __future__ import annotations

import pytest

from nifti_kit.plans.name_rules import DatasetFolders

PROJECT = ("knee", "Hip", "a", "a/b", "c/b", "c/d")


def of(folder: str, *datasets: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    parts = tuple(folder.split("/")) if folder else ()
    named, inner, why = DatasetFolders(datasets or PROJECT, [parts]).of(parts)
    assert bool(why) == (len(named) != 1 and bool(parts))
    return named, inner


FOLDERS = {
    "the name": ("knee", ("knee",), ()),
    "another case": ("hip", ("Hip",), ()),
    "a nested one": ("a/b", ("a/b",), ()),
    "its parent": ("a/x", ("a",), ("x",)),
    "its own name": ("d", ("c/d",), ()),
    "its own name in another case": ("D/x", ("c/d",), ("x",)),
    "its own name twice": ("b", ("a/b", "c/b"), ()),
    "inside others": ("x/y/knee/z", ("knee",), ("z",)),
    "the outer of two": ("knee/Hip", ("knee",), ("Hip",)),
    "none": ("x", (), ()),
    "no folder": ("", tuple(sorted(PROJECT)), ()),
}


@pytest.mark.parametrize(("folder", "named", "inner"), FOLDERS.values(), ids=list(FOLDERS))
def test_a_folder_is_named_like_a_dataset(
    folder: str, named: tuple[str, ...], inner: tuple[str, ...]
) -> None:
    assert of(folder) == (named, inner)


def test_the_only_dataset_takes_all_folders_if_none_is_named_like_it() -> None:
    folders = DatasetFolders({"knee"}, [("x",), ("y", "z")])
    assert not folders.in_force
    assert folders.of(("x",)) == (("knee",), ("x",), "")
    assert folders.of(()) == (("knee",), (), "")


def test_one_folder_that_is_named_like_the_only_dataset_makes_them_all_datasets() -> None:
    folders = DatasetFolders({"knee"}, [("x",), ("knee", "z")])
    assert folders.in_force
    assert folders.of(("knee", "z")) == (("knee",), ("z",), "")
    assert folders.of(("x",)) == (
        (),
        (),
        "no dataset is named like its folder x (there are: knee)",
    )


def test_of_many_datasets_the_first_few_are_listed() -> None:
    folders = DatasetFolders([f"d{number}" for number in range(6)], [])
    assert folders.of(("x",))[2] == (
        "no dataset is named like its folder x (there are: d0, d1, d2, d3 and 2 more)"
    )


def test_without_datasets_there_is_nowhere_to_go() -> None:
    assert DatasetFolders((), [("x",)]).of(("x",)) == ((), ("x",), "")
