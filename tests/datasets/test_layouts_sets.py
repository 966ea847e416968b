"""Sets by folder: the folder decides, and words only tell volumes of one plane apart."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import NamedTuple

import pytest

from nifti_kit.datasets.layouts.by_plane import group_by_plane
from nifti_kit.datasets.layouts.grouping import Files, Grouping
from nifti_kit.datasets.names import natural_key
from tests.support.layout_files import files, unused

PLANES = ("axl", "cor", "sag")
UID = "1.2.840.113619.2.55.3"


def group(*names: str, unreadable: tuple[str, ...] = ()) -> Grouping:
    given = files(*sorted(names, key=natural_key))
    return group_by_plane(
        Files(given.images, given.tables, "auto", tuple(map(PurePosixPath, unreadable)))
    )


def by_volume(grouping: Grouping) -> dict[str, list[str]]:
    """Return the masks and tables of each volume that has any."""
    return {
        str(item.volume.relative): [str(f.relative) for f in (*item.masks, *item.tables)]
        for item in grouping.items
        if item.volume and item.masks
    }


def errors(grouping: Grouping) -> dict[str, str]:
    return {f.path: f.message for f in grouping.findings if f.severity == "error"}


def notes(grouping: Grouping) -> dict[str, str]:
    return {f.path: f.message for f in grouping.findings if f.code == "words-differ"}


class Set(NamedTuple):
    """Three volumes by plane, an annotation of the first, and whether their words differ."""

    volumes: tuple[str, str, str]
    annotation: str
    differs: bool = True


ONE_SET = {
    "words of each series": Set(
        ("t2_tse_axl_anatomic", "pd_fs_cor_anatomic", "t1_sag_anatomic"), "t2_tse_axl_mask", False
    ),
    "words of each series, not of the mask": Set(
        ("t2_tse_axl_anatomic", "pd_fs_cor_anatomic", "t1_sag_anatomic"), "axl_inference"
    ),
    "words of another series of the set": Set(
        ("t2_axl_anatomic", "pd_cor_anatomic", "t1_sag_anatomic"), "pd_axl_inference"
    ),
    "a series UID in front": Set(
        (f"{UID}.1_axl_anatomic", f"{UID}.2_cor_anatomic", f"{UID}.3_sag_anatomic"),
        f"{UID}.9_axl_inference",
    ),
    "a series UID at the end": Set(
        (f"axl_anatomic_{UID}.1", f"cor_anatomic_{UID}.2", f"sag_anatomic_{UID}.3"),
        f"axl_inference_{UID}.9",
    ),
    "a series UID with other separators": Set(
        ("axl_anatomic_1_2_840_113619_2_1", "cor_anatomic_1_2_840_113619_2_2", "sag_anatomic"),
        "axl_inference_1_2_840_113619_2_9",
    ),
    "a patient in the volumes": Set(
        ("patient7_axl_anatomic", "patient7_cor_anatomic", "patient7_sag_anatomic"),
        "axl_inference",
    ),
    "a network and its version": Set(
        ("patient7_axl_anatomic", "patient7_cor_anatomic", "patient7_sag_anatomic"),
        "patient7_axl_inference_nnunet_v2",
    ),
    "a version of two numbers": Set(
        ("axl_anatomic", "cor_anatomic", "sag_anatomic"), "axl_inference_nnunet_v2.1"
    ),
    "a date": Set(("axl_anatomic", "cor_anatomic", "sag_anatomic"), "axl_inference_2024.01.31"),
    "upper case and other separators": Set(
        ("Knee AXL-ANATOMIC", "Knee COR-ANATOMIC", "Knee SAG-ANATOMIC"), "axl.mask.KNEE", False
    ),
    "words within words": Set(
        ("kneeAxlAnatomic", "kneeCoronalAnatomic", "kneeSagittalAnatomic"), "kneeaxlmask", False
    ),
}


@pytest.mark.parametrize("folder", ["", "deep/er/item_1/"], ids=["root", "nested"])
@pytest.mark.parametrize("one", ONE_SET.values(), ids=list(ONE_SET))
def test_one_volume_per_plane_is_one_set_whatever_the_words(one: Set, folder: str) -> None:
    volumes = [f"{folder}{name}.nii" for name in one.volumes]
    annotation = f"{folder}{one.annotation}.nii.gz"
    grouping = group(*volumes, annotation)
    assert by_volume(grouping) == {volumes[0]: [annotation]}
    assert len({item.set_key for item in grouping.items}) == 1
    assert [item.segmentation for item in grouping.items if item.masks] == ["semantic"]
    assert [f.code for f in grouping.findings] == ["words-differ"] * one.differs
    assert not grouping.unused


def test_the_note_says_which_words_differ() -> None:
    volumes = [f"patient7_{plane}_anatomic.nii" for plane in PLANES]
    grouping = group(*volumes, "axl_inference_nnunet_v2.nii", "cor_inference.nii", "cor_score.csv")
    assert notes(grouping) == {
        "axl_inference_nnunet_v2.nii": (
            "it belongs to patient7_axl_anatomic.nii of its folder; nnunet, v2 in its name alone; "
            "patient7 in the volume's alone"
        ),
        "cor_inference.nii": (
            "it belongs to patient7_cor_anatomic.nii of its folder; patient7 in the volume's alone"
        ),
        "cor_score.csv": (
            "it belongs to patient7_cor_anatomic.nii of its folder; patient7 in the volume's alone"
        ),
    }


def test_semantic_or_instance_is_decided_once_though_each_plane_has_its_own_words() -> None:
    volumes = ["t2_tse_axl_anatomic.nii", "pd_fs_cor_anatomic.nii", "t1_sag_anatomic.nii"]
    grouping = group(*volumes, "axl_mask.nii", "pd_fs_cor_mask.nii", "t1_sag_mask_2.nii")
    assert {item.plane: item.segmentation for item in grouping.items} == dict.fromkeys(
        PLANES, "instance"
    )
    indices = {item.plane: [mask.index for mask in item.masks] for item in grouping.items}
    assert indices == {"axl": [1], "cor": [1], "sag": [2]}


# Several volumes of a plane in a folder.

TWO = [f"{case}_{plane}_anatomic.nii" for case in ("caseA", "caseB") for plane in PLANES]


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("caseA_axl_inference.nii", "caseA"),
        ("axl_inference_CASEB_2.nii", "caseB"),
        ("caseB_nnunet_axl_mask.nii", "caseB"),
    ],
)
def test_two_cases_in_a_folder_are_told_apart_by_their_words(name: str, owner: str) -> None:
    grouping = group(*TWO, name)
    assert by_volume(grouping) == {f"{owner}_axl_anatomic.nii": [name]}
    assert not errors(grouping)
    keys = {item.set_key for item in grouping.items}
    assert keys == {(".", "casea"), (".", "caseb")}


@pytest.mark.parametrize(
    "name", ["axl_inference.nii", "caseC_axl_mask.nii", "caseA_caseB_axl_mask.nii", "axl_score.csv"]
)
def test_what_two_cases_could_own_is_an_error_that_names_both(name: str) -> None:
    grouping = group(*TWO, name)
    assert not by_volume(grouping)
    assert errors(grouping) == {
        name: (
            "2 volumes of plane axl could own it, and its words and number do not say which: "
            "caseA_axl_anatomic.nii, caseB_axl_anatomic.nii"
        )
    }
    assert unused(grouping) == {name: ""}


def test_cases_are_told_apart_though_each_series_has_its_own_words() -> None:
    series = {"axl": "t2_tse", "cor": "pd", "sag": "t1"}
    volumes = [f"{c}_{series[p]}_{p}_anatomic.nii" for c in ("caseA", "caseB") for p in PLANES]
    grouping = group(*volumes, "caseA_axl_mask.nii", "caseB_axl_nnunet_mask.nii")
    assert by_volume(grouping) == {
        "caseA_t2_tse_axl_anatomic.nii": ["caseA_axl_mask.nii"],
        "caseB_t2_tse_axl_anatomic.nii": ["caseB_axl_nnunet_mask.nii"],
    }
    assert not errors(grouping)


def test_a_plane_that_only_one_of_two_cases_has_is_not_the_other_s() -> None:
    volumes = [name for name in TWO if name != "caseB_cor_anatomic.nii"]
    grouping = group(*volumes, "caseB_cor_inference.nii")
    assert not by_volume(grouping)
    assert errors(grouping) == {
        "": (
            "case 'caseb'; no volume of plane cor "
            "(there are caseB_axl_anatomic.nii, caseB_sag_anatomic.nii)"
        ),
        "caseB_cor_inference.nii": (
            "its words are those of caseB_axl_anatomic.nii, caseB_sag_anatomic.nii, not of "
            "caseA_cor_anatomic.nii beside it"
        ),
    }
    keys = {item.set_key for item in grouping.items if "caseA" in item.name}
    assert keys == {(".", "casea")}


ONE_PLANE_ALONE = {
    "words of its series": (("caseA_t2", "caseB_t2"), "caseA_pd", "casea"),
    "the words of one": (("knee", "knee_left"), "knee", ""),
    "words of neither": (("caseA", "caseB"), "caseC", "casec"),
}


@pytest.mark.parametrize(
    ("axial", "coronal", "key"), ONE_PLANE_ALONE.values(), ids=list(ONE_PLANE_ALONE)
)
def test_a_volume_that_is_alone_in_its_plane_is_of_the_set_whose_words_it_has(
    axial: tuple[str, str], coronal: str, key: str
) -> None:
    grouping = group(*(f"{case}_axl_anatomic.nii" for case in axial), f"{coronal}_cor_anatomic.nii")
    (found,) = (item.set_key for item in grouping.items if item.plane == "cor")
    assert found == (".", key)


def test_the_same_words_with_other_numbers_are_another_case() -> None:
    volumes = [
        f"sub-{sub}_ses-{ses}_{plane}_anatomic.nii"
        for sub, ses in ((1, 2), (2, 1))
        for plane in PLANES
    ]
    grouping = group(*volumes, "sub-2_ses-1_axl_nnunet_mask.nii", "sub-1_axl_ses-2_mask.nii")
    assert by_volume(grouping) == {
        "sub-1_ses-2_axl_anatomic.nii": ["sub-1_axl_ses-2_mask.nii"],
        "sub-2_ses-1_axl_anatomic.nii": ["sub-2_ses-1_axl_nnunet_mask.nii"],
    }
    assert not errors(grouping)
    assert len({item.set_key for item in grouping.items}) == 2


# The words of another case.


@pytest.mark.parametrize(
    ("volume", "other", "name"),
    [
        ("caseA_{}_anatomic", "caseB_{}_anatomic", "caseB_axl_inference_1.nii"),
        ("caseA_knee_{}_anatomic", "caseB_knee_{}_anatomic", "caseB_knee_axl_mask.nii"),
        ("caseA_{}_anatomic", "caseB_{}_anatomic", "caseB_nnunet_axl_mask.nii"),
        ("patient_7_{}_anatomic", "patient_8_{}_anatomic", "patient_8_axl_mask.nii"),
        ("caseA_{}_anatomic", "caseB_{}_anatomic", "caseB_axl_score.csv"),
    ],
)
def test_a_file_with_another_case_s_words_is_an_error_that_names_it(
    volume: str, other: str, name: str
) -> None:
    mine = [f"a/{volume.format(plane)}.nii" for plane in PLANES]
    others = [f"b/x/{other.format(plane)}.nii" for plane in PLANES]
    grouping = group(*mine, *others, "a/axl_mask_7.nii", f"a/{name}")
    assert by_volume(grouping) == {mine[0]: ["a/axl_mask_7.nii"]}
    assert errors(grouping) == {
        f"a/{name}": f"its words are those of {others[0]}, not of {mine[0]} beside it"
    }


def test_words_of_another_folder_s_volumes_do_not_matter_where_they_are_the_own_ones_too() -> None:
    knee = [f"{folder}/knee_{plane}_anatomic.nii" for folder in ("a", "b") for plane in PLANES]
    grouping = group(*knee, "a/axl_mask.nii", "b/knee_nnunet_axl_mask.nii")
    assert by_volume(grouping) == {
        "a/knee_axl_anatomic.nii": ["a/axl_mask.nii"],
        "b/knee_axl_anatomic.nii": ["b/knee_nnunet_axl_mask.nii"],
    }


def test_where_a_folder_has_no_volume_of_the_plane_the_one_elsewhere_is_named() -> None:
    grouping = group("a/knee_axl_anatomic.nii", "b/knee_cor_anatomic.nii", "b/knee_axl_mask.nii")
    assert errors(grouping)["b/knee_axl_mask.nii"] == (
        "its folder has no volume of plane axl (there are b/knee_cor_anatomic.nii); elsewhere "
        "there is a/knee_axl_anatomic.nii"
    )


# Files that cannot be read.


def test_what_belongs_to_a_volume_that_cannot_be_read_is_not_another_s() -> None:
    readable = [name for name in TWO if name != "caseB_axl_anatomic.nii"]
    names = ("caseA_axl_mask.nii", "caseB_axl_mask.nii", "axl_score.csv")
    grouping = group(*readable, *names, unreadable=("caseB_axl_anatomic.nii",))
    assert by_volume(grouping) == {"caseA_axl_anatomic.nii": ["caseA_axl_mask.nii"]}
    found = errors(grouping)
    assert found["caseB_axl_mask.nii"] == "its volume caseB_axl_anatomic.nii cannot be used"
    assert found["axl_score.csv"].startswith("2 volumes of plane axl could own it")
    assert "no volume of plane axl; caseB_axl_anatomic.nii cannot be used" in found[""]


def test_a_mask_that_cannot_be_read_still_says_that_a_set_is_instance() -> None:
    volumes = [f"{plane}_anatomic.nii" for plane in PLANES]
    grouping = group(*volumes, "axl_mask.nii", unreadable=("axl_mask_2.nii",))
    assert [mask.index for mask in grouping.items[0].masks] == [1]
    assert grouping.items[0].segmentation == "instance"
    assert not grouping.findings


def test_many_folders_are_grouped_at_once() -> None:
    names = [f"{n:04}/uid{n}{p}_{p}_anatomic.nii" for n in range(1000) for p in PLANES]
    names += [f"{n:04}/uid{n}x{p}_knee_{p}_mask.nii" for n in range(1000) for p in PLANES]
    grouping = group(*names)
    assert len(by_volume(grouping)) == 3000
    assert not errors(grouping)
