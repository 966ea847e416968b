"""By plane: three volumes in a folder and case, with annotations and scores of the same name."""

from __future__ import annotations

import pytest

from nifti_kit.datasets.layouts import Grouping
from nifti_kit.datasets.layouts.by_plane import group_by_plane
from tests.support.layout_files import codes, files, masks, owned, tables, unused

PLANES = ("axl", "cor", "sag")
VOLUMES = tuple(f"{plane}_anatomic.nii" for plane in PLANES)


def group(*names: str, segmentation: str = "auto") -> Grouping:
    return group_by_plane(files(*names, segmentation=segmentation))


def kinds(grouping: Grouping) -> list[str | None]:
    return [item.segmentation for item in grouping.items]


def messages(grouping: Grouping) -> list[tuple[str, str, str]]:
    return [(found.code, found.path, found.message) for found in grouping.findings]


# The examples of the specification.


def test_the_semantic_example_is_grouped() -> None:
    grouping = group(*VOLUMES, *(f"{plane}_inference.nii" for plane in PLANES))
    assert owned(grouping) == {
        f"{plane}_anatomic.nrrd": [(f"{plane}_inference.nii", None)] for plane in PLANES
    }
    assert kinds(grouping) == ["semantic"] * 3
    assert [(item.plane, item.case, item.folder) for item in grouping.items] == [
        *(("axl", "", ""), ("cor", "", ""), ("sag", "", ""))
    ]
    assert not grouping.unused
    assert not grouping.findings


INSTANCE_FILES = (
    *("axl_inference_1.nii", "axl_inference_2.nii"),
    *("cor_inference_1.nii", "cor_inference_2.nii", "cor_inference_3.nii"),
    "sag_inference_1.nii",
)


@pytest.mark.parametrize("order", [INSTANCE_FILES, INSTANCE_FILES[::-1]])
def test_the_instance_example_is_grouped_whatever_the_order_of_the_folder(
    order: tuple[str, ...],
) -> None:
    grouping = group(*VOLUMES, *order)
    assert owned(grouping) == {
        "axl_anatomic.nrrd": [("axl_inference_1.nii", 1), ("axl_inference_2.nii", 2)],
        "cor_anatomic.nrrd": [
            *(("cor_inference_1.nii", 1), ("cor_inference_2.nii", 2), ("cor_inference_3.nii", 3))
        ],
        "sag_anatomic.nrrd": [("sag_inference_1.nii", 1)],
    }
    assert kinds(grouping) == ["instance"] * 3
    assert not grouping.findings


def test_the_example_of_several_items_is_grouped_by_folder() -> None:
    inside = (
        *("axl_inference_1.nii", "axl_inference_2.nii", "cor_inference_1.nii"),
        "cor_inference_3.nii",
    )
    folders = ("item_1", "item_2", "deep/er/item_2")
    names = [f"{folder}/{name}" for folder in folders for name in VOLUMES + inside]
    grouping = group(*names)
    assert [item.name for item in grouping.items] == [
        *(f"item_1_{plane}_anatomic.nrrd" for plane in PLANES),
        *(f"item_2_{plane}_anatomic.nrrd" for plane in PLANES),
        *(f"er_item_2_{plane}_anatomic.nrrd" for plane in PLANES),
    ]
    assert masks(grouping.items[1]) == [
        ("item_1/cor_inference_1.nii", 1),
        ("item_1/cor_inference_3.nii", 3),
    ]
    assert masks(grouping.items[8]) == []
    assert kinds(grouping) == ["instance", "instance", None] * 3
    assert {code for code, _ in codes(grouping)} == {"name-prefixed"}


def test_the_example_with_scores_is_grouped() -> None:
    scores = [f"{plane}_score.csv" for plane in PLANES]
    grouping = group(*VOLUMES, "axl_inference.nii", "cor_inference.nii", *scores)
    assert [tables(item) for item in grouping.items] == [
        [("axl_score.csv", None)],
        [("cor_score.csv", None)],
        [],
    ]
    assert unused(grouping) == {"sag_score.csv": "sag_anatomic.nii has no annotation to score"}


# Folder, case and plane.


def test_annotations_never_land_on_another_folder() -> None:
    grouping = group(*(f"x/{name}" for name in VOLUMES), "y/axl_inference.nii")
    assert all(not item.masks for item in grouping.items)
    assert messages(grouping) == [
        (
            "annotation-without-volume",
            "y/axl_inference.nii",
            "its folder has no volume of plane axl",
        )
    ]


def test_two_cases_in_a_folder_are_two_sets() -> None:
    names = [f"{case}_{plane}_anatomic.nii" for case in ("caseA", "caseB") for plane in PLANES]
    annotations = ["caseA_axl_mask.nii", "caseB_axl_mask_1.nii", "caseB_axl_mask_2.nii"]
    scores = ["caseA_axl_score.csv", "caseB_axl_score_2.csv"]
    grouping = group(*names, *annotations, *scores)
    by_name = {item.name: item for item in grouping.items}
    assert masks(by_name["caseA_axl_anatomic.nrrd"]) == [("caseA_axl_mask.nii", None)]
    assert masks(by_name["caseB_axl_anatomic.nrrd"]) == [
        ("caseB_axl_mask_1.nii", 1),
        ("caseB_axl_mask_2.nii", 2),
    ]
    assert by_name["caseA_axl_anatomic.nrrd"].segmentation == "semantic"
    assert by_name["caseB_axl_anatomic.nrrd"].segmentation == "instance"
    assert tables(by_name["caseA_axl_anatomic.nrrd"]) == [("caseA_axl_score.csv", None)]
    assert tables(by_name["caseB_axl_anatomic.nrrd"]) == [("caseB_axl_score_2.csv", 2)]
    assert not grouping.findings


def test_the_words_of_a_case_count_in_any_place() -> None:
    grouping = group(
        "knee_axl_anatomic.nii",
        "knee-cor-anatomic.nii",
        "sag_anatomic_knee.nii",
        "AXL_KNEE_SEG.nii",
    )
    assert owned(grouping)["knee_axl_anatomic.nrrd"] == [("AXL_KNEE_SEG.nii", None)]
    assert not grouping.findings


# Exactly three volumes.


def test_a_missing_plane_is_an_error() -> None:
    grouping = group("x/axl_anatomic.nii", "x/cor_anatomic.nii")
    assert messages(grouping) == [
        (
            "planes-incomplete",
            "x",
            "no volume of plane sag (there are axl_anatomic.nii, cor_anatomic.nii)",
        )
    ]
    assert grouping.findings[0].severity == "error"


def test_two_missing_planes_are_one_error_that_names_the_case() -> None:
    grouping = group("caseA_axl_anatomic.nii")
    assert messages(grouping) == [
        (
            "planes-incomplete",
            "",
            (
                "case 'casea'; no volume of plane cor; no volume of plane sag "
                "(there are caseA_axl_anatomic.nii)"
            ),
        )
    ]


def test_a_plane_twice_is_an_error() -> None:
    grouping = group(*VOLUMES, "axl_anatomic.nii.gz", "axl_mask.nii")
    twice = (
        "several volumes of plane axl (there are axl_anatomic.nii, cor_anatomic.nii, "
        "sag_anatomic.nii, axl_anatomic.nii.gz)"
    )
    assert ("planes-incomplete", "", twice) in messages(grouping)
    assert (
        "annotation-without-volume",
        "axl_mask.nii",
        (
            "2 volumes of plane axl could own it, and its words and number do not say which: "
            "axl_anatomic.nii, axl_anatomic.nii.gz"
        ),
    ) in messages(grouping)
    assert {found.severity for found in grouping.findings} == {"error", "note"}
    assert set(owned(grouping)) >= {"axl_anatomic.nrrd", "axl_anatomic_2.nrrd"}


def test_each_folder_needs_its_own_three_volumes() -> None:
    grouping = group("x/axl_anatomic.nii", "y/cor_anatomic.nii", "y/caseA_sag_anatomic.nii")
    assert codes(grouping) == [("planes-incomplete", "x"), ("planes-incomplete", "y")]


# Numbers at the end.


def numbered(*numbers: int) -> list[str]:
    return [f"{plane}_anatomic_{number}.nii" for number in numbers for plane in PLANES]


def test_several_numbered_volumes_of_a_plane_are_several_sets() -> None:
    annotations = ["axl_mask_1.nii", "axl_mask_2.nii", "cor_mask_2_1.nii", "cor_mask_2_2.nii"]
    grouping = group(*numbered(1, 2), *annotations, "axl_score_2.csv")
    found = owned(grouping)
    assert found["axl_anatomic_1.nrrd"] == [("axl_mask_1.nii", None)]
    assert found["axl_anatomic_2.nrrd"] == [("axl_mask_2.nii", 1)]
    assert found["cor_anatomic_1.nrrd"] == []
    assert found["cor_anatomic_2.nrrd"] == [("cor_mask_2_1.nii", 1), ("cor_mask_2_2.nii", 2)]
    kinds_of = {item.name: item.segmentation for item in grouping.items}
    assert kinds_of["axl_anatomic_1.nrrd"] == "semantic"
    assert kinds_of["axl_anatomic_2.nrrd"] == "instance"
    assert [tables(item) for item in grouping.items if item.tables] == [[("axl_score_2.csv", None)]]
    assert not grouping.findings


def test_the_number_of_its_volume_is_no_index() -> None:
    grouping = group(*numbered(7), *(f"{plane}_inference_07.nii" for plane in PLANES))
    assert kinds(grouping) == ["semantic"] * 3
    assert not grouping.findings


def test_another_number_than_its_volume_has_is_an_index() -> None:
    grouping = group(*numbered(7), "axl_inference_1.nii", "axl_inference_2.nii")
    assert owned(grouping)["axl_anatomic_7.nrrd"] == [
        ("axl_inference_1.nii", 1),
        ("axl_inference_2.nii", 2),
    ]
    assert kinds(grouping) == ["instance", None, None]


def test_an_annotation_without_a_number_belongs_to_the_only_volume_of_its_plane() -> None:
    grouping = group(*numbered(7), "axl_inference.nii", "axl_score.csv")
    assert owned(grouping)["axl_anatomic_7.nrrd"] == [("axl_inference.nii", None)]
    assert tables(grouping.items[0]) == [("axl_score.csv", None)]
    assert kinds(grouping) == ["semantic", None, None]


@pytest.mark.parametrize("name", ["axl_inference.nii", "axl_inference_3.nii", "axl_mask_3_1.nii"])
def test_a_number_that_fits_no_volume_of_several_is_an_error(name: str) -> None:
    grouping = group(*numbered(1, 2), name)
    assert messages(grouping) == [
        (
            "annotation-without-volume",
            name,
            (
                "2 volumes of plane axl could own it, and its words and number do not say which: "
                "axl_anatomic_1.nii, axl_anatomic_2.nii"
            ),
        )
    ]


def test_of_two_numbers_behind_the_only_volume_the_last_is_the_index() -> None:
    grouping = group(*VOLUMES, "axl_inference_5_2.nii")
    assert owned(grouping)["axl_anatomic.nrrd"] == [("axl_inference_5_2.nii", 2)]
    assert messages(grouping) == [
        (
            "words-differ",
            "axl_inference_5_2.nii",
            "it belongs to axl_anatomic.nii of its folder; the numbers 5 in its name",
        )
    ]


def test_numbers_within_the_role_word_count_too() -> None:
    grouping = group(*VOLUMES, "axl_inference1.nii", "axl_inference2.nii", "axl_score2.csv")
    assert owned(grouping)["axl_anatomic.nrrd"] == [
        ("axl_inference1.nii", 1),
        ("axl_inference2.nii", 2),
    ]
    assert tables(grouping.items[0]) == [("axl_score2.csv", 2)]


def test_the_instance_files_of_the_exporter_have_their_order_as_index() -> None:
    volumes = [f"item_1_{plane}_anatomic_5.nii.gz" for plane in PLANES]
    grouping = group(
        *volumes,
        "item_1_axl_inference_5.nii.gz",
        "item_1_axl_inference_5_2.nii.gz",
        "item_1_axl_inference_5_3.nii.gz",
        "item_1_cor_inference_5.nii.gz",
    )
    assert owned(grouping)["item_1_axl_anatomic_5.nrrd"] == [
        ("item_1_axl_inference_5.nii.gz", 1),
        ("item_1_axl_inference_5_2.nii.gz", 2),
        ("item_1_axl_inference_5_3.nii.gz", 3),
    ]
    assert owned(grouping)["item_1_cor_anatomic_5.nrrd"] == [("item_1_cor_inference_5.nii.gz", 1)]
    assert not grouping.findings


# Semantic or instance.


def test_one_annotation_with_an_index_makes_its_set_instance() -> None:
    grouping = group(*VOLUMES, "axl_inference.nii", "cor_inference.nii", "sag_inference_1.nii")
    assert owned(grouping) == {
        "axl_anatomic.nrrd": [("axl_inference.nii", 1)],
        "cor_anatomic.nrrd": [("cor_inference.nii", 1)],
        "sag_anatomic.nrrd": [("sag_inference_1.nii", 1)],
    }
    assert kinds(grouping) == ["instance"] * 3


def test_a_lone_annotation_with_an_index_is_instance() -> None:
    grouping = group(*VOLUMES, "sag_inference_1.nii")
    assert owned(grouping)["sag_anatomic.nrrd"] == [("sag_inference_1.nii", 1)]
    assert kinds(grouping) == [None, None, "instance"]


def test_several_annotations_of_a_plane_without_an_index_are_an_error() -> None:
    grouping = group(*VOLUMES, "axl_inference.nii", "axl_mask.nii")
    assert kinds(grouping) == ["instance", None, None]
    assert messages(grouping) == [
        ("annotation-repeated", "axl_mask.nii", "axl_inference.nii is class index 1 too")
    ]


def test_the_kind_may_be_chosen() -> None:
    names = [*VOLUMES, "axl_inference_3.nii"]
    semantic = group(*names, segmentation="semantic")
    assert owned(semantic)["axl_anatomic.nrrd"] == [("axl_inference_3.nii", None)]
    assert kinds(semantic) == ["semantic", None, None]
    instance = group(*VOLUMES, "axl_inference.nii", segmentation="instance")
    assert owned(instance)["axl_anatomic.nrrd"] == [("axl_inference.nii", 1)]
    assert kinds(instance) == ["instance", None, None]


def test_several_annotations_of_a_plane_cannot_be_semantic() -> None:
    grouping = group(*VOLUMES, *INSTANCE_FILES[:2], segmentation="semantic")
    assert messages(grouping) == [
        (
            "annotation-repeated",
            "axl_inference_2.nii",
            "axl_inference_1.nii is the semantic label map too",
        )
    ]


# What has no use.


def test_files_without_plane_or_role_are_errors() -> None:
    grouping = group(*VOLUMES, "CTChest.nii", "axl_t1.nii", "axl_anatomic_seg.nii")
    assert set(unused(grouping)) == {"CTChest.nii", "axl_t1.nii", "axl_anatomic_seg.nii"}
    assert codes(grouping) == [
        ("role-ambiguous", "axl_anatomic_seg.nii"),
        ("plane-unknown", "CTChest.nii"),
        ("type-word-unknown", "axl_t1.nii"),
    ]
    assert {found.severity for found in grouping.findings} == {"error"}


def test_tables_that_are_none_of_a_plane_are_named() -> None:
    grouping = group(*VOLUMES, "axl_mask.nii", "axl_notes.csv")
    reason = "its name has no 'score' and no plane (axl, cor or sag)"
    assert unused(grouping) == {"axl_notes.csv": reason}


@pytest.mark.parametrize(
    "names",
    [
        ("AXL_ANATOMIC.NII", "COR_ANATOMIC.NII", "SAG_ANATOMIC.NII", "AXL_INFERENCE.NII"),
        ("axl-anatomic.nii", "cor-anatomic.nii", "sag-anatomic.nii", "axl-ann.nii"),
        ("axl anatomic.nii", "cor.anatomic.nii", "sag__anatomic.nii", "axl.seg.nii.gz"),
        ("anatomicAxl.nii", "anatomicCor.nii", "anatomicSag.nii", "maskAxl.nii"),
        ("axl_anatomical.nii", "coronal_anatomical.nii", "sagittal_anatomical.nii", "axl_ann.nii"),
    ],
    ids=["upper case", "dashes", "other separators", "one word", "long words"],
)
def test_sets_are_found_whatever_the_spelling(names: tuple[str, ...]) -> None:
    grouping = group(*names)
    assert [item.plane for item in grouping.items] == ["axl", "cor", "sag"]
    assert masks(grouping.items[0]) == [(names[3], None)]
    assert not grouping.findings
    assert not grouping.unused
