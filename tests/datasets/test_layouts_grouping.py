"""What every layout shares: folders, prefixed names, and that no file gets lost."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nifti_kit.datasets.layouts import LAYOUTS, Files, Grouping, group_files
from nifti_kit.datasets.layouts.grouping import folder_of, note_prefixed_names
from tests.support.layout_files import files, image, places
from tests.support.properties import untimed


@pytest.mark.parametrize(
    ("path", "folder"), [("a.nii", ""), ("x/a.nii", "x"), ("x/y/a.nii", "x/y")]
)
def test_the_folder_of_the_source_itself_is_empty(path: str, folder: str) -> None:
    assert folder_of(PurePosixPath(path)) == folder


def test_volumes_that_do_not_have_their_own_name_are_noted() -> None:
    grouping = Grouping()
    images = [image("x/axl.nii.gz"), image("cor.nii")]
    note_prefixed_names(images, ["x_axl.nrrd", "cor.nrrd"], grouping)
    (found,) = grouping.findings
    assert (found.code, found.severity) == ("name-prefixed", "note")
    assert (found.path, found.message) == ("x/axl.nii.gz", "it is named x_axl.nrrd")


FOLDER = st.sampled_from(["", "x", "y", "x/axl_anatomic", "axl_anatomic", "x/lung", "axl"])
NAME = st.builds(
    "_".join,
    st.lists(
        st.sampled_from(
            [
                *("axl", "axl", "cor", "sag", "kneeaxl", "anatomic", "anatomic", "inference"),
                *("mask", "score", "caseA", "1", "2", "lung"),
            ]
        ),
        min_size=1,
        max_size=4,
    ),
)
FILE = st.builds(
    lambda folder, name, ending: str(PurePosixPath(folder, name + ending)),
    FOLDER,
    NAME,
    st.sampled_from([".nii", ".nii", ".nii.gz", ".csv"]),
)


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(untimed, max_examples=300)
@given(
    names=st.lists(FILE, unique=True, max_size=14),
    segmentation=st.sampled_from(["auto", "semantic", "instance"]),
)
def test_every_file_has_exactly_one_place_or_a_reason(
    layout: str, names: list[str], segmentation: str
) -> None:
    grouping = group_files(layout, files(*names, segmentation=segmentation))
    assert places(grouping) == sorted(names)
    found = {finding.path for finding in grouping.findings}
    for path, reason in grouping.unused.items():
        assert reason or str(path) in found


@pytest.mark.parametrize("layout", LAYOUTS)
@untimed
@given(names=st.lists(FILE, unique=True, max_size=10).flatmap(
    lambda names: st.tuples(st.just(names), st.permutations(names))
))  # fmt: skip
def test_the_grouping_does_not_depend_on_the_order_in_which_a_folder_is_listed(
    layout: str, names: tuple[list[str], list[str]]
) -> None:
    first, second = (group_files(layout, in_natural_order(order)) for order in names)
    assert [repr(item) for item in first.items] == [repr(item) for item in second.items]
    assert first.unused == second.unused
    assert first.findings == second.findings


def in_natural_order(names: list[str]) -> Files:
    """Give the files as scan does."""
    from nifti_kit.datasets.names import natural_key

    return files(*sorted(names, key=natural_key))
