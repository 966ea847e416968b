"""Files by what their names say; indices and kinds."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from nifti_kit.datasets.items import TableFile
from nifti_kit.datasets.layouts.grouping import (
    Grouping,
    Link,
    NamedFile,
    is_instance,
    linked_masks,
    named_tables,
    sorted_by_role,
    table_files,
)
from nifti_kit.datasets.names import parse_name
from tests.support.layout_files import codes, files, image, unused


def named(name: str) -> NamedFile:
    path = PurePosixPath(name)
    return NamedFile(parse_name(path.name), path, image(name))


def link(name: str, index: int | None = None) -> Link:
    return Link(named(name), index, extends=False)


def test_files_are_volumes_annotations_or_others() -> None:
    grouping = Grouping()
    names = [
        *("axl_anatomic.nii", "axl_mask.nii", "knee_mask.nii", "axl_t1.nii", "b.nii"),
        *("axl_anatomic_mask.nii", "x/cor_anatomical.nii"),
    ]
    volumes, annotations, others = sorted_by_role(files(*names), grouping)
    assert [str(v.relative) for v in volumes] == ["axl_anatomic.nii", "x/cor_anatomical.nii"]
    assert [str(a.relative) for a in annotations] == ["axl_mask.nii"]
    assert [str(other.relative) for other in others] == ["knee_mask.nii", "axl_t1.nii", "b.nii"]
    assert unused(grouping) == {"axl_anatomic_mask.nii": ""}
    assert codes(grouping) == [("role-ambiguous", "axl_anatomic_mask.nii")]
    assert grouping.findings[0].message == "its name says both volume and annotation"
    assert grouping.findings[0].severity == "error"


def test_a_set_is_a_folder_and_a_case() -> None:
    assert named("x/y/caseA_axl_mask_1.nii").set_key == ("x/y", "casea")
    assert named("axl_mask.nii").set_key == (".", "")


def test_tables_need_a_plane_and_the_word_score() -> None:
    grouping = Grouping()
    paths = ["axl_score.csv", "score.csv", "axl_notes.csv", "x/KneeSagScores_2.csv"]
    found = named_tables([(Path(path), PurePosixPath(path)) for path in paths], grouping)
    assert [(str(table.relative), table.name.plane) for table in found] == [
        ("axl_score.csv", "axl"),
        ("x/KneeSagScores_2.csv", "sag"),
    ]
    reason = "its name has no 'score' and no plane (axl, cor or sag)"
    assert unused(grouping) == {"score.csv": reason, "axl_notes.csv": reason}


@pytest.mark.parametrize(
    ("links", "answer"),
    [
        ([], False),
        ([[]], False),
        ([[link("axl_mask.nii")]], False),
        ([[link("axl_mask.nii")], [link("cor_mask.nii")]], False),
        ([[link("axl_mask.nii"), link("axl_seg.nii")]], True),
        ([[link("axl_mask.nii")], [link("cor_mask_1.nii", 1)]], True),
    ],
    ids=["no volume", "no file", "one", "one each", "several of a plane", "an index"],
)
def test_a_set_is_instance_if_a_plane_has_several_files_or_an_index(
    links: list[list[Link]], answer: bool
) -> None:
    assert is_instance(links, "auto") is answer
    assert is_instance(links, "semantic") is False
    assert is_instance(links, "instance") is True


def test_masks_are_sorted_by_their_index_whatever_the_order_of_the_folder() -> None:
    links = [link(f"axl_mask_{n}.nii", n) for n in (10, 2, 1)]
    masks = linked_masks(links, (), instance=True, grouping=Grouping())
    assert [(mask.relative.name, mask.index) for mask in masks] == [
        ("axl_mask_1.nii", 1),
        ("axl_mask_2.nii", 2),
        ("axl_mask_10.nii", 10),
    ]


INDICES = {
    "none is 1": ([link("axl_mask.nii")], (), [1]),
    "none beside 2": ([link("axl_mask.nii"), link("axl_mask_2.nii", 2)], (), [1, 2]),
    "its own number": ([link("axl_mask_5.nii")], (5,), [5]),
    "a number that is not its own": ([link("axl_mask_5.nii")], (), [1]),
    "no number beside a number": ([link("axl_mask.nii")], (5,), [1]),
}


@pytest.mark.parametrize(("links", "own", "indices"), INDICES.values(), ids=list(INDICES))
def test_the_index_of_an_instance_file_is_its_class(
    links: list[Link], own: tuple[int, ...], indices: list[int]
) -> None:
    grouping = Grouping()
    masks = linked_masks(links, own, instance=True, grouping=grouping)
    assert [mask.index for mask in masks] == indices
    assert not grouping.findings


def test_a_semantic_file_has_no_index() -> None:
    (mask,) = linked_masks([link("axl_mask_3.nii", 3)], (), instance=False, grouping=Grouping())
    assert mask.index is None


@pytest.mark.parametrize(
    ("instance", "message"),
    [
        (True, "axl_mask_1.nii is class index 1 too"),
        (False, "axl_mask_1.nii is the semantic label map too"),
    ],
)
def test_two_files_of_one_class_are_an_error(instance: bool, message: str) -> None:
    grouping = Grouping()
    links = [link("axl_mask_1.nii", 1), link("axl_seg_1.nii", 1)]
    masks = linked_masks(links, (), instance=instance, grouping=grouping)
    assert len(masks) == 2
    (found,) = grouping.findings
    assert (found.code, found.severity) == ("annotation-repeated", "error")
    assert (found.path, found.message) == ("axl_seg_1.nii", message)


def test_a_link_without_an_image_is_no_mask() -> None:
    table = NamedFile(parse_name("axl_score.csv"), PurePosixPath("axl_score.csv"))
    links = [Link(table, None, extends=False)]
    assert linked_masks(links, (), instance=False, grouping=Grouping()) == ()


def test_tables_keep_their_index() -> None:
    path = Path("/in/axl_score_2.csv")
    table = NamedFile(parse_name(path.name), PurePosixPath(path.name), None, path)
    assert table_files([Link(table, 2, extends=False)]) == (
        TableFile(path, PurePosixPath("axl_score_2.csv"), 2),
    )
