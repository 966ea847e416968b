"""Annotations alone: an item without a volume for each folder, case and plane."""

from __future__ import annotations

import pytest

from nifti_kit.datasets.layouts import Grouping
from nifti_kit.datasets.layouts.annotations import group_annotations
from tests.support.layout_files import codes, files, masks, owned, tables, unused

DATASET = (
    *("axl_inference_1.nii", "axl_inference_2.nii"),
    *("cor_inference_1.nii", "cor_inference_3.nii"),
)


def group(*names: str, segmentation: str = "auto") -> Grouping:
    return group_annotations(files(*names, segmentation=segmentation))


def kinds(grouping: Grouping) -> list[str | None]:
    return [item.segmentation for item in grouping.items]


def test_the_example_of_a_dataset_is_grouped() -> None:
    grouping = group(*DATASET)
    assert owned(grouping) == {
        "axl_inference_1.nrrd": [("axl_inference_1.nii", 1), ("axl_inference_2.nii", 2)],
        "cor_inference_1.nrrd": [("cor_inference_1.nii", 1), ("cor_inference_3.nii", 3)],
    }
    assert [(item.volume, item.plane, item.case, item.folder) for item in grouping.items] == [
        (None, "axl", "", ""),
        (None, "cor", "", ""),
    ]
    assert kinds(grouping) == ["instance", "instance"]
    assert not grouping.unused
    assert not grouping.findings


def test_the_example_of_a_project_keeps_the_same_names_of_three_datasets() -> None:
    inside = ("axl_inference_1.nii", "axl_inference_2.nii", "cor_inference_3.nii")
    grouping = group(*(f"dataset_name_{n}/{name}" for n in (1, 2, 3) for name in inside))
    assert [(item.name, len(item.masks), item.folder) for item in grouping.items] == [
        found
        for n in (1, 2, 3)
        for found in (
            (f"dataset_name_{n}_axl_inference_1.nrrd", 2, f"dataset_name_{n}"),
            (f"dataset_name_{n}_cor_inference_3.nrrd", 1, f"dataset_name_{n}"),
        )
    ]


def test_files_without_an_index_are_semantic() -> None:
    grouping = group("axl_inference.nii", "cor_mask.nii", "sag_ann.nii")
    assert kinds(grouping) == ["semantic"] * 3
    assert masks(grouping.items[0]) == [("axl_inference.nii", None)]


def test_an_index_in_one_plane_makes_the_whole_case_instance() -> None:
    grouping = group("A_axl_mask.nii", "A_cor_mask_2.nii", "B_axl_mask.nii")
    assert owned(grouping) == {
        "A_axl_mask.nrrd": [("A_axl_mask.nii", 1)],
        "A_cor_mask_2.nrrd": [("A_cor_mask_2.nii", 2)],
        "B_axl_mask.nrrd": [("B_axl_mask.nii", None)],
    }
    assert kinds(grouping) == ["instance", "instance", "semantic"]


def test_numbers_before_the_index_are_part_of_the_case() -> None:
    grouping = group("axl_mask_1_1.nii", "axl_mask_1_2.nii", "axl_mask_2_1.nii")
    assert owned(grouping) == {
        "axl_mask_1_1.nrrd": [("axl_mask_1_1.nii", 1), ("axl_mask_1_2.nii", 2)],
        "axl_mask_2_1.nrrd": [("axl_mask_2_1.nii", 1)],
    }


@pytest.mark.parametrize(
    ("segmentation", "index"), [("semantic", None), ("instance", 3)], ids=["semantic", "instance"]
)
def test_the_kind_may_be_chosen(segmentation: str, index: int | None) -> None:
    grouping = group("axl_mask_3.nii", segmentation=segmentation)
    assert owned(grouping) == {"axl_mask_3.nrrd": [("axl_mask_3.nii", index)]}
    assert kinds(grouping) == [segmentation]


def test_the_numbers_of_semantic_files_tell_their_volumes_apart() -> None:
    names = ("axl_mask_1.nii", "axl_mask_2.nii", "axl_score_2.csv")
    grouping = group(*names, segmentation="semantic")
    assert owned(grouping) == {
        "axl_mask_1.nrrd": [("axl_mask_1.nii", None)],
        "axl_mask_2.nrrd": [("axl_mask_2.nii", None)],
    }
    assert [tables(item) for item in grouping.items] == [[], [("axl_score_2.csv", 2)]]
    assert codes(grouping) == []


def test_annotations_without_a_plane_are_for_volumes_without_one() -> None:
    grouping = group("CTChest_mask.nii", "spine_mask_2.nii")
    assert [(item.name, item.plane, item.case) for item in grouping.items] == [
        ("CTChest_mask.nrrd", None, "ctchest"),
        ("spine_mask_2.nrrd", None, "spine"),
    ]


def test_files_without_plane_or_role_are_annotations_since_a_person_says_so() -> None:
    grouping = group("case_001.nii", "case_002.nii", "knee_axl_pred.nii")
    assert owned(grouping) == {
        "case_001.nrrd": [("case_001.nii", None)],
        "case_002.nrrd": [("case_002.nii", None)],
        "knee_axl_pred.nrrd": [("knee_axl_pred.nii", None)],
    }
    assert kinds(grouping) == ["semantic"] * 3
    assert not grouping.unused


def test_the_volume_of_a_folder_of_masks_is_no_annotation() -> None:
    grouping = group("CT.nii", "CT/lung.nii")
    assert list(owned(grouping)) == ["lung.nrrd"]
    assert unused(grouping) == {"CT.nii": "a volume among annotations"}


def test_scores_go_with_the_annotations_of_their_folder_case_and_plane() -> None:
    grouping = group("x/axl_mask.nii", "x/axl_score.csv", "y/axl_mask_1.nii", "y/axl_score_1.csv")
    assert [tables(item) for item in grouping.items] == [
        [("x/axl_score.csv", None)],
        [("y/axl_score_1.csv", 1)],
    ]


def test_each_score_table_without_an_annotation_of_its_plane_and_case_is_an_item() -> None:
    grouping = group("axl_mask.nii", "axl_score.csv", "cor_score_1.csv", "cor_score_2.csv")
    assert [(item.name, item.plane, item.segmentation) for item in grouping.items] == [
        ("cor_score_1.nrrd", "cor", None),
        ("cor_score_2.nrrd", "cor", None),
        ("axl_mask.nrrd", "axl", "semantic"),
    ]
    assert [tables(item) for item in grouping.items] == [
        [("cor_score_1.csv", 1)],
        [("cor_score_2.csv", 2)],
        [("axl_score.csv", None)],
    ]
    assert [item.is_scores_alone for item in grouping.items] == [True, True, False]


def test_the_number_of_a_table_alone_is_no_index_where_semantic_is_chosen() -> None:
    grouping = group("cor_score_1.csv", segmentation="semantic")
    assert tables(grouping.items[0]) == [("cor_score_1.csv", None)]


def test_files_of_no_use_are_named() -> None:
    grouping = group("axl_mask.nii", "cor_anatomic.nii", "table.csv")
    assert unused(grouping) == {
        "cor_anatomic.nii": "a volume among annotations",
        "table.csv": "its name has no 'score' and no plane (axl, cor or sag)",
    }


def test_two_files_of_one_class_are_an_error() -> None:
    grouping = group("axl_mask_1.nii", "axl_seg_1.nii")
    assert codes(grouping) == [("annotation-repeated", "axl_seg_1.nii")]
