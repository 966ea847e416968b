"""Which volume of a target an annotation file belongs to: by folder, name and place in space."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nifti_kit as nk
from nifti_kit.core.geometry import Grid
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.errors import BadSource
from nifti_kit.formats.mappings import Mapping
from nifti_kit.plans import matching
from nifti_kit.targets.records import VolumeRef
from tests.support.builders import AFFINE, SHAPE, labels, write_nifti, write_planes
from tests.support.landings import land, quiet, tree, write_foreign
from tests.support.properties import untimed

EXACT, CASE, ONLY = "exact name", "case identifiers", "only candidate of that plane"


def affine(by: float = 0.0) -> np.ndarray:
    """Return the affine of the tests, moved along x (mm)."""
    matrix = np.array(AFFINE)
    matrix[0, 3] += by
    return matrix


def annotations(folder: Path, *names: str, **places: float) -> Dataset:
    """Write annotation files, some of them moved (by the name's first word); scan them."""
    for name in names:
        by = places.get(Path(name).name.split("_")[0], 0.0)
        write_nifti(folder / name, labels(), affine(by))
    return nk.scan(folder)


def volumes(*names: str, **places: float) -> list[VolumeRef]:
    """Return volumes ``dataset/name``, with ids from 1, each at its place (``n2=5``: id 2)."""
    return [
        VolumeRef(
            number,
            format(number, "032x"),
            f"{name.rsplit('/', 1)[-1]}.nrrd",
            name.rsplit("/", 1)[0] if "/" in name else "d",
            Grid(SHAPE, affine(places.get(f"n{number}", 0.0))),
        )
        for number, name in enumerate(names, start=1)
    ]


def matched(mapping: Mapping) -> dict[str, tuple[int | None, str]]:
    return {str(row.annotation): (row.volume, row.rule) for row in mapping}


def whys(mapping: Mapping) -> dict[str, str]:
    assert all((row.volume is None) == bool(row.why) == (not row.rule) for row in mapping)
    return {str(row.annotation): row.why for row in mapping.unmatched}


# Names


NAMES = {
    "the specification's": ("axl_anatomic", "axl_inference_1.nii", EXACT),
    "without an index": ("axl_anatomic", "axl_mask.nii.gz", EXACT),
    "with case words": ("anna_knee_axl_anatomic", "anna_knee_axl_ann_2.nii", EXACT),
    "in another case": ("Anna_AXL_Anatomic", "anna_axl_inference.nii", EXACT),
    "with the volume's own number": ("axl_anatomic_7", "axl_inference_7.nii", EXACT),
    "with number and index": ("axl_anatomic_7", "axl_inference_7_2.nii", EXACT),
    "with its folder's name in front": ("item_1_axl_anatomic", "item_1/axl_mask_2.nii", EXACT),
    "with its folders' names in front": ("a_b_axl_anatomic", "a/b/axl_mask.nii", EXACT),
    "without its folder's name": ("axl_anatomic", "item_1/axl_inference.nii", EXACT),
    "without the word anatomic": ("axl_knee", "axl_knee_mask.nii", EXACT),
    "with the plane elsewhere": ("axl_anna_anatomic", "anna_inference_axl.nii", CASE),
    "with another number": ("anna_axl_anatomic_7", "anna_axl_inference_2.nii", CASE),
    "with more words": ("anna_axl_anatomic", "anna_model3_axl_inference.nii", CASE),
    "with fewer words": ("anna_20240131_axl_anatomic", "anna_axl_inference.nii", CASE),
    "with its folder as a case": ("axl_anna_anatomic", "anna/axl_inference.nii", CASE),
    "with its folder as a part of it": ("axl_anna_x_anatomic", "anna/axl_inference.nii", CASE),
    "without case words": ("anna_axl_anatomic", "axl_inference.nii", ONLY),
    "without the volume's": ("axl_anatomic", "anna_axl_inference.nii", ONLY),
    "a volume without a plane": ("CTChest", "ctchest_axl_mask.nii", CASE),
    "a part of one without a plane": ("CTChest_anna", "ctchest_axl_mask.nii", CASE),
}


@pytest.mark.parametrize(("volume", "name", "rule"), NAMES.values(), ids=list(NAMES))
def test_a_volume_is_found_by_the_first_rule_that_fits(
    volume: str, name: str, rule: str, tmp_path: Path
) -> None:
    there = volumes("cor_anatomic", volume, "sag_anatomic")
    mapping = nk.match(annotations(tmp_path, name), there)
    assert matched(mapping) == {name: (2, rule)}
    assert mapping.rows[0].candidates == (2,)
    assert mapping.names[2] == f"d/{volume}.nrrd"


STRICTER = {
    "the name before its part": (("anna_axl_anatomic", "axl_anatomic"), "axl_inference.nii", 2),
    "the folder before none": (
        ("axl_anatomic", "item_1_axl_anatomic"),
        "item_1/axl_inference.nii",
        2,
    ),
    "equal words before some": (("anna_b_axl_anatomic", "axl_b_anatomic"), "b_axl_mask.nii", 2),
    "the number before others": (("axl_anatomic_1", "axl_anatomic_2"), "axl_inference_2.nii", 2),
    "a plane before none": (("anna", "x_anna_axl_anatomic"), "anna_axl_inference.nii", 1),
}


@pytest.mark.parametrize(("there", "name", "expected"), STRICTER.values(), ids=list(STRICTER))
def test_a_stricter_fit_goes_before_a_looser_one(
    there: tuple[str, ...], name: str, expected: int, tmp_path: Path
) -> None:
    mapping = nk.match(annotations(tmp_path, name), volumes(*there))
    assert matched(mapping)[name][0] == expected


def test_all_instance_files_of_a_volume_go_to_it(tmp_path: Path) -> None:
    names = ("axl_inference_1.nii", "axl_inference_2.nii", "cor_inference_1.nii")
    mapping = nk.match(annotations(tmp_path, *names), volumes("axl_anatomic", "cor_anatomic"))
    assert matched(mapping) == dict(zip(names, [(1, EXACT), (1, EXACT), (2, EXACT)], strict=True))
    assert (mapping.faults, mapping.project) == ((), False)


def test_cases_go_to_their_own_volumes_and_never_to_anothers(tmp_path: Path) -> None:
    names = ("caseA_axl_inference_1.nii", "caseB_axl_inference_1.nii", "caseC_axl_inference_1.nii")
    there = volumes("caseB_axl_anatomic", "caseA_axl_anatomic")
    mapping = nk.match(annotations(tmp_path, *names), there)
    assert matched(mapping) == {names[0]: (2, EXACT), names[1]: (1, EXACT), names[2]: (None, "")}
    assert whys(mapping) == {
        names[2]: (
            "2 volumes fit by its plane: d/caseA_axl_anatomic.nrrd (id 2), "
            "d/caseB_axl_anatomic.nrrd (id 1)"
        )
    }
    alone = nk.match(nk.scan(tmp_path), there[:1])
    assert matched(alone)[names[1]] == (1, EXACT)
    why = "caseB_axl_inference_1.nii fits d/caseB_axl_anatomic.nrrd (id 1) better"
    assert whys(alone) == {names[0]: why, names[2]: why}


def test_a_file_of_another_case_goes_to_the_only_volume_of_its_plane_with_a_warning(
    tmp_path: Path,
) -> None:
    there = volumes("bert_axl_anatomic", "bert_cor_anatomic")
    dataset = annotations(tmp_path, "anna_axl_inference.nii")
    mapping = nk.match(dataset, there)
    assert matched(mapping) == {"anna_axl_inference.nii": (1, ONLY)}
    (found,) = mapping.faults
    assert (found.code, found.path) == ("annotation-name-differs", "anna_axl_inference.nii")
    assert found.message == (
        "its name says 'anna', that of d/bert_axl_anatomic.nrrd (id 1) 'bert'; it is the only "
        "volume of plane axl"
    )
    assert found in nk.plan(dataset, mapping=mapping).findings.warnings
    assert mapping.with_volume("anna_axl_inference.nii", 1).faults == ()


def test_two_that_fit_equally_leave_a_file_unmatched_with_both(tmp_path: Path) -> None:
    there = volumes("left_knee_axl_anatomic", "right_knee_axl_anatomic", "knee_cor_anatomic")
    dataset = annotations(tmp_path, "knee_axl_inference.nii")
    mapping = nk.match(dataset, there)
    assert whys(mapping) == {
        "knee_axl_inference.nii": (
            "2 volumes fit by case identifiers: d/left_knee_axl_anatomic.nrrd (id 1), "
            "d/right_knee_axl_anatomic.nrrd (id 2)"
        )
    }
    assert mapping.rows[0].candidates == (1, 2)
    (blocker,) = nk.plan(dataset, mapping=mapping).blockers
    assert (blocker.code, blocker.message) == ("annotation-unmatched", mapping.rows[0].why)
    assert blocker.remedy == (
        "Say which it is: mapping = mapping.with_volume('knee_axl_inference.nii', 1). "
        "Or leave it out: waive=[('annotation-unmatched', 'knee_axl_inference.nii')]."
    )


def test_files_of_two_folders_that_fit_one_volume_equally_stay_unmatched(tmp_path: Path) -> None:
    names = ("a/axl_inference.nii", "b/axl_inference.nii")
    mapping = nk.match(annotations(tmp_path, *names), volumes("axl_anatomic"))
    assert whys(mapping) == {
        names[0]: "b/axl_inference.nii fits d/axl_anatomic.nrrd (id 1) as well",
        names[1]: "a/axl_inference.nii fits d/axl_anatomic.nrrd (id 1) as well",
    }
    assert [row.candidates for row in mapping] == [(1,), (1,)]


def test_files_of_several_planes_may_go_to_a_volume_without_one(tmp_path: Path) -> None:
    names = [f"ctchest_{plane}_mask.nii" for plane in ("axl", "cor", "sag")]
    mapping = nk.match(annotations(tmp_path, *names), volumes("CTChest"))
    assert matched(mapping) == dict.fromkeys(names, (1, CASE))


def test_files_without_a_plane_go_by_their_words(tmp_path: Path) -> None:
    for name in ("CTChest_mask.nii", "spine_mask_2.nii", "other_mask.nii"):
        write_nifti(tmp_path / name, labels())
    dataset = nk.scan(tmp_path, layout="annotations")
    mapping = nk.match(dataset, volumes("CTChest", "Spine"))
    assert matched(mapping) == {
        "CTChest_mask.nii": (1, EXACT),
        "other_mask.nii": (None, ""),
        "spine_mask_2.nii": (2, EXACT),
    }
    assert whys(mapping) == {"other_mask.nii": "dataset d has no volume with such a name"}


ABSENT = {
    "another plane": (("cor_anatomic",), "dataset d has no volume of plane axl"),
    "of two datasets": (("a/cor_anatomic", "b/cor"), "the target has no volume of plane axl"),
    "no volumes": ((), "the target has no volumes"),
    "without a plane": (("CTChest",), "dataset d has no volume of plane axl"),
}


@pytest.mark.parametrize(("there", "why"), ABSENT.values(), ids=list(ABSENT))
def test_where_no_volume_is_of_its_plane_a_file_stays_unmatched(
    there: tuple[str, ...], why: str, tmp_path: Path
) -> None:
    mapping = nk.match(annotations(tmp_path, "axl_inference.nii"), volumes(*there))
    assert whys(mapping) == {"axl_inference.nii": why}


# Numbers


CASES = [f"P{number:02}_{plane}_anatomic" for number in (1, 2, 12) for plane in ("axl", "cor")]


@pytest.mark.parametrize("said", ["patient02", "2", "02", "pat_2", "knee_P002"])
def test_a_case_is_meant_by_its_number(said: str, tmp_path: Path) -> None:
    name = f"{said}_cor_mask.nii"
    mapping = nk.match(annotations(tmp_path, name), volumes(*CASES))
    assert matched(mapping) == {name: (4, CASE)}


def test_a_file_is_never_for_the_case_of_another_number(tmp_path: Path) -> None:
    dataset = annotations(tmp_path, "patient02_axl_mask.nii")
    mapping = nk.match(dataset, volumes("P01_axl_anatomic", "P02_cor_anatomic"))
    assert whys(mapping) == {
        "patient02_axl_mask.nii": (
            "by its plane it is for d/P01_axl_anatomic.nrrd (id 1), but its number is 2, not 1"
        )
    }
    mapping = nk.match(dataset, volumes("P01_axl_x", "P03_axl_x", n1=5.0))
    assert whys(mapping)["patient02_axl_mask.nii"].startswith("2 volumes fit by its plane")
    swapped = annotations(tmp_path / "swapped", "sub-01_ses-02_axl_mask.nii")
    mapping = nk.match(swapped, volumes("sub-02_ses-01_axl"))
    assert mapping.rows[0].why.endswith("but its number is 1, not 2")
    there = volumes("sub-02_ses-01_a_axl", "sub-02_ses-01_b_axl", n2=5.0)
    mapping = nk.match(swapped, there)  # the place alone says nothing against the numbers
    assert mapping.rows[0].why.startswith("2 volumes fit by case identifiers")


def test_the_number_of_another_thing_is_no_case(tmp_path: Path) -> None:
    names = ("lesion_1_axl_mask.nii", "lesion_2_axl_mask.nii")
    dataset = annotations(tmp_path, *names)
    mapping = nk.match(dataset, volumes("P01_axl_anatomic", "P02_axl_anatomic"))
    assert whys(mapping)[names[1]] == (
        "by its number it may be for d/P02_axl_anatomic.nrrd (id 2), but that is the number of "
        "'lesion'"
    )
    assert [row.candidates for row in mapping] == [(1,), (2,)]
    two = nk.match(dataset, volumes("P01_axl_a", "P01_axl_b", n2=5.0))
    assert two.rows[0].volume is None
    same = nk.match(dataset, volumes("lesion1_axl", "P02_lesion_axl"))
    assert matched(same)[names[1]] == (2, CASE)


def test_volumes_of_the_files_number_come_first_among_its_candidates(tmp_path: Path) -> None:
    there = volumes("P01_knee_axl", "P02_a_axl", "P02_b_axl", "MR2_axl", n2=5.0, n3=5.0, n4=5.0)
    mapping = nk.match(annotations(tmp_path, "patient02_knee_axl_mask.nii"), there)
    assert mapping.rows[0].candidates == (2, 3, 1, 4)
    only = [ref for ref in volumes("P03_axl", "P02_axl", "P01_axl") if ref.id]
    indexed = nk.match(annotations(tmp_path / "b", "axl_mask_02.nii"), only)
    assert indexed.rows[0].candidates == (2, 3, 1)


def test_a_number_that_is_the_volumes_own_may_be_no_class_index(tmp_path: Path) -> None:
    names = ("axl_inference_1.nii", "axl_inference_2.nii")
    dataset = annotations(tmp_path, *names)
    there = volumes("axl_anatomic_1", "axl_anatomic_2")
    mapping = nk.match(dataset, there)
    assert matched(mapping) == {names[0]: (1, EXACT), names[1]: (2, EXACT)}
    assert [(found.code, found.path) for found in mapping.faults] == [
        ("annotation-number-shared", name) for name in names
    ]
    assert mapping.faults[0].message == (
        "its number 1 was read as a class index; but it is that of its volume "
        "d/axl_anatomic_1.nrrd (id 1)"
    )
    semantic = nk.scan(tmp_path, segmentation="semantic")
    mapping = nk.match(semantic, there)
    assert matched(mapping) == {names[0]: (1, EXACT), names[1]: (2, EXACT)}
    assert mapping.faults == ()
    plan = nk.plan(semantic, mapping=mapping)
    assert plan.blockers.ok
    assert [[o.class_name for o in item.objects] for item in plan.items] == [
        ["Segment_1", "Segment_2"]
    ] * 2


@pytest.mark.parametrize(
    "names", [("axl_inference_1_1.nii",), ("axl_mask_1.nii", "axl_mask_2.nii")]
)
def test_a_number_behind_the_volumes_own_or_beside_others_is_an_index(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    mapping = nk.match(annotations(tmp_path, *names), volumes("axl_anatomic_1"))
    assert [row.volume for row in mapping] == [1] * len(names)
    assert mapping.faults == ()


# Datasets


def test_same_names_in_several_folders_go_each_to_the_dataset_of_its_folder(
    tmp_path: Path,
) -> None:
    names = [f"{d}/{p}_inference_1.nii" for d in ("hip", "knee", "wrist") for p in ("axl", "cor")]
    there = volumes(
        *(f"{d}/{p}_anatomic" for d in ("wrist", "hip", "knee") for p in ("axl", "cor"))
    )
    mapping = nk.match(annotations(tmp_path, *names), there)
    ids = (3, 4, 5, 6, 1, 2)
    assert matched(mapping) == {n: (i, EXACT) for n, i in zip(names, ids, strict=True)}
    assert mapping.to_dict() == dict(zip(names, ids, strict=True))
    assert mapping.project is True


FOLDERS = {
    "nested": ("a/b/axl_mask.nii", 3),
    "a nested one by its own name": ("b/axl_mask.nii", 3),
    "the parent of a nested one": ("a/axl_mask.nii", 2),
    "a folder inside a dataset": ("a/x/axl_mask.nii", 2),
    "in another case": ("KNEE/axl_mask.nii", 1),
    "below another folder": ("import/knee/axl_mask.nii", 1),
}


@pytest.mark.parametrize(("name", "expected"), FOLDERS.values(), ids=list(FOLDERS))
def test_a_folder_names_a_dataset(name: str, expected: int, tmp_path: Path) -> None:
    there = volumes("knee/axl_anatomic", "a/axl_anatomic", "a/b/axl_anatomic", "c/axl_anatomic")
    assert matched(nk.match(annotations(tmp_path, name), there)) == {name: (expected, EXACT)}


NOWHERE = {
    "no such dataset": (
        "hip/axl_mask.nii",
        "no dataset is named like its folder hip (there are: Knee, a/b, c/b, knee)",
        (),
    ),
    "in two cases": (
        "KNEE/axl_mask.nii",
        "its folder KNEE is like Knee, knee: which one?",
        (2, 1),
    ),
    "nested in two": ("b/axl_mask.nii", "its folder b is like a/b, c/b: which one?", (3, 4)),
}


@pytest.mark.parametrize(("name", "why", "candidates"), NOWHERE.values(), ids=list(NOWHERE))
def test_a_folder_that_names_no_dataset_or_several_goes_nowhere(
    name: str, why: str, candidates: tuple[int, ...], tmp_path: Path
) -> None:
    there = volumes(
        "knee/axl_anatomic", "Knee/axl_anatomic", "a/b/axl_anatomic", "c/b/axl_anatomic"
    )
    mapping = nk.match(annotations(tmp_path, name), there)
    assert whys(mapping) == {name: why}
    assert mapping.rows[0].candidates == candidates


def test_where_one_folder_names_the_only_dataset_the_others_do_not_go_to_it(
    tmp_path: Path,
) -> None:
    dataset = annotations(tmp_path, "hip/axl_mask.nii", "knee/axl_mask.nii")
    mapping = nk.match(dataset, volumes("knee/axl_anatomic"))
    assert matched(mapping)["knee/axl_mask.nii"] == (1, EXACT)
    assert whys(mapping) == {
        "hip/axl_mask.nii": "no dataset is named like its folder hip (there are: knee)"
    }


def test_a_file_outside_all_folders_may_go_to_any_dataset(tmp_path: Path) -> None:
    there = volumes("hip/axl_anatomic", "knee/axl_anatomic", "knee/cor_anatomic")
    mapping = nk.match(annotations(tmp_path, "axl_mask.nii", "cor_mask.nii"), there)
    assert matched(mapping) == {"axl_mask.nii": (None, ""), "cor_mask.nii": (3, EXACT)}
    assert mapping.rows[0].candidates == (1, 2)


# Places in space


def test_a_volume_of_the_right_name_in_another_place_is_not_taken(tmp_path: Path) -> None:
    dataset = annotations(tmp_path, "axl_inference.nii", axl=10.0)
    mapping = nk.match(dataset, volumes("axl_anatomic", "other_axl", "cor_anatomic", n2=10.0))
    assert whys(mapping) == {
        "axl_inference.nii": (
            "by its name it is for d/axl_anatomic.nrrd (id 1), but its grid is not: translated, "
            "by up to 10 mm (5 voxels); it fits d/other_axl.nrrd (id 2)"
        )
    }
    assert mapping.rows[0].candidates == (1, 2)


def test_a_volume_of_another_shape_is_not_taken(tmp_path: Path) -> None:
    write_nifti(tmp_path / "axl_inference.nii", labels((6, 6, 7)))
    mapping = nk.match(nk.scan(tmp_path), volumes("axl_anatomic"))
    assert whys(mapping) == {
        "axl_inference.nii": (
            "by its name it is for d/axl_anatomic.nrrd (id 1), but its grid is not: resampled"
        )
    }


def test_the_only_volume_of_its_plane_is_not_taken_in_another_place(tmp_path: Path) -> None:
    dataset = annotations(tmp_path, "axl_inference.nii", axl=10.0)
    mapping = nk.match(dataset, volumes("anna_axl_anatomic"))
    assert mapping.rows[0].why.startswith("by its plane it is for d/anna_axl_anatomic.nrrd (id 1)")
    assert mapping.rows[0].volume is None


def test_grids_are_compared_after_reorientation(tmp_path: Path) -> None:
    lps = np.array(AFFINE)[:, [2, 0, 1, 3]]
    lps[:3, 3] += lps[:3, 0] * 6
    lps[:3, 0] *= -1
    write_nifti(tmp_path / "axl_inference.nii", labels().transpose(2, 0, 1)[::-1], lps)
    mapping = nk.match(nk.scan(tmp_path), volumes("axl_anatomic"))
    assert matched(mapping) == {"axl_inference.nii": (1, EXACT)}


def test_of_several_that_a_name_leaves_open_the_one_on_which_it_lands_is_taken(
    tmp_path: Path,
) -> None:
    there = volumes("anna_axl", "bert_axl", "carl_axl", n1=10.0, n3=20.0)
    mapping = nk.match(annotations(tmp_path, "axl_inference.nii"), there)
    assert matched(mapping) == {"axl_inference.nii": (2, ONLY)}
    assert mapping.rows[0].candidates == (2, 1, 3)


def test_place_alone_does_not_go_against_a_name(tmp_path: Path) -> None:
    there = volumes("bert_axl", "carl_axl", n1=10.0)
    mapping = nk.match(annotations(tmp_path, "anna_axl_inference.nii"), there)
    assert whys(mapping) == {
        "anna_axl_inference.nii": (
            "2 volumes fit by its plane: d/carl_axl.nrrd (id 2), d/bert_axl.nrrd (id 1)"
        )
    }
    assert mapping.rows[0].candidates == (2, 1)


def test_where_it_lands_on_none_of_several_that_is_said(tmp_path: Path) -> None:
    there = volumes(*(f"p{n}_axl" for n in range(1, 7)))
    mapping = nk.match(annotations(tmp_path, "axl_mask.nii", axl=99.0), there)
    assert whys(mapping) == {
        "axl_mask.nii": (
            "6 volumes fit by its plane: d/p1_axl.nrrd (id 1), d/p2_axl.nrrd (id 2), "
            "d/p3_axl.nrrd (id 3), d/p4_axl.nrrd (id 4) and 2 more; "
            "its grid is that of none of them"
        )
    }
    assert mapping.rows[0].candidates == (1, 2, 3, 4, 5, 6)


def test_of_two_folders_that_fit_a_volume_equally_the_one_that_lands_goes_to_it(
    tmp_path: Path,
) -> None:
    write_nifti(tmp_path / "a/axl_mask.nii", labels(), affine(10.0))
    write_nifti(tmp_path / "b/axl_mask.nii", labels())
    mapping = nk.match(nk.scan(tmp_path), volumes("axl_anatomic"))
    assert matched(mapping) == {"a/axl_mask.nii": (None, ""), "b/axl_mask.nii": (1, EXACT)}
    assert "its grid is not: translated" in mapping.rows[0].why


# Many


def test_of_many_volumes_a_row_lists_the_likeliest_and_counts_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "CANDIDATES", 3)
    there = volumes(*(f"p{n}_axl" for n in range(1, 8)), n7=5.0)
    mapping = nk.match(annotations(tmp_path, "x_axl_mask.nii", x=5.0), there)
    (row,) = mapping.rows
    assert (row.candidates, row.further) == ((7, 1, 2), 4)
    assert row.why == (
        "7 volumes fit by its plane: d/p7_axl.nrrd (id 7), d/p1_axl.nrrd (id 1), "
        "d/p2_axl.nrrd (id 2) and 4 more"
    )
    assert "2 (d/p2_axl.nrrd) and 4 more" in mapping._repr_html_()


@pytest.mark.parametrize("count", [2, 3, 7])
def test_of_many_files_that_claim_one_volume_some_are_named(count: int, tmp_path: Path) -> None:
    files = [f"f{n}/axl_mask.nii" for n in range(count)]
    mapping = nk.match(annotations(tmp_path, *files), volumes("axl_anatomic"))
    for row in mapping:
        others = [file for file in files if file != str(row.annotation)]
        more = f" and {len(others) - 4} more" if len(others) > 4 else ""
        fit = "fits" if len(others) == 1 else "fit"
        named = f"{', '.join(others[:4])}{more}"
        assert row.why == f"{named} {fit} d/axl_anatomic.nrrd (id 1) as well"


# Whatever there is


WORDS = st.sampled_from(["anna", "bert", "knee", "1", "2", "x"])
VOLUME_NAMES = st.builds(
    "{}/{}_{}_anatomic".format,
    st.sampled_from(["d", "e", "d/f"]),
    st.lists(WORDS, max_size=2).map("_".join),
    st.sampled_from(["axl", "cor"]),
)
FILE_NAMES = st.builds(
    "{}{}_{}_mask{}.nii".format,
    st.sampled_from(["", "d/", "e/", "anna/", "d/f/"]),
    st.lists(WORDS, max_size=2).map("_".join),
    st.sampled_from(["axl", "cor"]),
    st.sampled_from(["", "_1", "_2", "_1_2"]),
)


@untimed
@given(
    st.lists(VOLUME_NAMES, max_size=6, unique=True),
    st.lists(FILE_NAMES, min_size=1, max_size=6, unique=True),
    st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_what_is_matched_is_of_its_plane_lands_and_is_not_shared(
    tmp_path_factory: pytest.TempPathFactory,
    names: list[str],
    files: list[str],
    moved: list[bool],
) -> None:
    folder = tmp_path_factory.mktemp("source")
    dataset = annotations(folder, *files)
    there = volumes(*names, **{f"n{n}": 10.0 * far for n, far in enumerate(moved, start=1)})
    mapping = nk.match(dataset, there)
    assert sorted(str(row.annotation) for row in mapping) == sorted(files)
    whys(mapping)
    owners: dict[int, set[str]] = {}
    items = {mask.relative: item.name for item in dataset.items for mask in item.masks}
    for row in mapping:
        assert set(row.candidates) <= {ref.id for ref in there}
        if row.volume is None:
            continue
        ref = there[row.volume - 1]
        assert ("axl" in row.annotation.name) == ("axl" in ref.name)
        assert not moved[row.volume - 1]
        assert row.candidates[0] == row.volume
        owners.setdefault(row.volume, set()).add(items[row.annotation])
    assert all(len(own) == 1 for own in owners.values())
    again = nk.match(dataset, list(reversed(there)))
    assert matched(again) == matched(mapping)


# Other sources


def test_a_source_with_volumes_is_not_matched(tmp_path: Path) -> None:
    with pytest.raises(BadSource) as caught:
        nk.match(nk.scan(write_planes(tmp_path)), [])
    assert "Found: the layout by_plane." in str(caught.value)
    assert caught.value.remedy == "scan(..., layout='annotations')"


# From files to a project and back


DATASETS = ("hip", "knee", "wrist")


def write_project(folder: Path) -> nk.ProjectFolder:
    """Land three datasets with the same names, each elsewhere in space; return the project."""
    path = folder / "project"
    for number, name in enumerate(DATASETS):
        source = folder / "in" / name
        for plane in ("axl", "cor", "sag"):
            write_nifti(source / f"{plane}_anatomic.nii.gz", affine=affine(50.0 * number))
            write_nifti(source / f"{plane}_inference.nii.gz", labels(), affine(50.0 * number))
        (source / "color_map.txt").write_text("1 Femur 255 0 0\n2 Tibia 0 255 0\n")
        land(source, nk.ProjectFolder(path, dataset=name))
    return nk.ProjectFolder(path)


def write_again(folder: Path, *datasets: str, semantic: bool = True) -> Path:
    """Write new annotations for the three datasets: a voxel more of value 1 in each dataset."""
    for number, name in enumerate(DATASETS):
        if datasets and name not in datasets:
            continue
        for plane in ("axl", "cor", "sag"):
            mask = labels()
            mask[4, : number + 1, 6] = 1
            files = [(f"{plane}_inference.nii", mask)]
            if not semantic:
                files = [(f"{plane}_inference_{v}.nii", (mask == v) * np.uint8(1)) for v in (1, 2)]
            for file, array in files:
                write_nifti(folder / name / file, array, affine(50.0 * number))
    return folder


def counts(target: nk.ProjectFolder) -> dict[str, list[tuple[str, int]]]:
    """Return the class and the voxels of every object, by volume."""
    return {
        f"{ref.dataset}/{ref.name}": [
            (found.class_name, int(target.mask(found)[0].sum())) for found in target.objects(ref.id)
        ]
        for ref in target.volumes()
    }


@pytest.mark.parametrize("semantic", [True, False], ids=["semantic", "instance"])
@pytest.mark.parametrize("by", ["match", "saved", "source"])
def test_annotations_of_three_datasets_replace_those_that_are_there(
    by: str, semantic: bool, tmp_path: Path
) -> None:
    target = write_project(tmp_path)
    source = write_again(tmp_path / "again", semantic=semantic)
    dataset = nk.scan(source)
    mapping = nk.match(dataset, target.volumes())
    assert {row.rule for row in mapping} == {EXACT}
    if by != "match":
        saved = (source if by == "source" else tmp_path) / "mapping.json"
        mapping.save(saved)
        assert json.loads(saved.read_text()) == mapping.to_dict()
        assert all(key.split("/")[0] in DATASETS for key in mapping.to_dict())
        dataset = nk.scan(source)
        mapping = nk.read_mapping(saved, dataset) if by == "saved" else None
    plan = nk.plan(dataset, mapping=mapping, target=target)
    assert plan.blockers.ok
    assert [found.name for found in plan.classes] == ["Femur", "Tibia"]
    receipt = nk.upload(plan, target, existing="replace", on_progress=quiet)
    assert nk.verify(receipt, target).ok
    assert counts(target) == {
        f"{name}/{plane}_anatomic.nrrd": [("Femur", 6 + number), ("Tibia", 5)]
        for number, name in enumerate(DATASETS)
        for plane in ("axl", "cor", "sag")
    }


def test_annotations_of_one_dataset_leave_the_others_as_they_are(tmp_path: Path) -> None:
    target = write_project(tmp_path)
    before = counts(target)
    source = write_again(tmp_path / "again", "knee")
    for scope, folder in (
        (target, source),
        (nk.ProjectFolder(target.path, "knee"), source / "knee"),
    ):
        dataset = nk.scan(folder)
        mapping = nk.match(dataset, scope.volumes())
        assert {row.rule for row in mapping} == {EXACT}
        keys = {f"{plane}_inference.nii" for plane in ("axl", "cor", "sag")}
        prefix = "knee/" if scope is target else ""
        assert set(mapping.to_dict()) == {prefix + key for key in keys}
        plan = nk.plan(dataset, mapping=mapping, target=scope)
        receipt = nk.upload(plan, scope, existing="replace", on_progress=quiet)
        assert nk.verify(receipt, scope).ok
        knee = {
            f"knee/{p}_anatomic.nrrd": [("Femur", 7), ("Tibia", 5)] for p in ("axl", "cor", "sag")
        }
        assert counts(target) == before | knee


def test_scores_and_the_class_map_go_with_the_annotations(tmp_path: Path) -> None:
    target = write_project(tmp_path)
    source = write_again(tmp_path / "again", "knee", "wrist")
    (source / "cls_color_map.txt").write_text("1 Femur 255 0 0\n2 Patella 0 255 255\n")
    (source / "knee" / "axl_score.csv").write_text("Layer, Label-1, Label-2\n3, 0.80, 0.90\n")
    (source / "wrist" / "axl_score.csv").write_text("Layer, Label-1\n3, 0.10\n")
    dataset = nk.scan(source)
    plan = nk.plan(dataset, mapping=nk.match(dataset, target.volumes()), target=target)
    assert [found.name for found in plan.classes] == ["Femur", "Patella"]
    receipt = nk.upload(plan, target, existing="replace", on_progress=quiet)
    assert nk.verify(receipt, target).ok
    scores = {
        f"{ref.dataset} {found.class_name}": found.scores["0-0-1"]["2"]["score"]
        for ref in target.volumes()
        for found in target.objects(ref.id)
        if found.scores
    }
    assert scores == {"knee Femur": "0.80", "knee Patella": "0.90", "wrist Femur": "0.10"}


def test_grids_reveal_annotations_in_the_folders_of_each_other(tmp_path: Path) -> None:
    target = write_project(tmp_path)
    before = tree(target.path)
    source = write_again(tmp_path / "again")
    (source / "hip").rename(source / "x")
    (source / "knee").rename(source / "hip")
    (source / "x").rename(source / "knee")
    dataset = nk.scan(source)
    mapping = nk.match(dataset, target.volumes())
    assert [row.volume is None for row in mapping] == [True] * 6 + [False] * 3
    assert mapping.rows[0].why == (
        "by its name it is for hip/axl_anatomic.nrrd (id 1), but its grid is not: translated, "
        "by up to 50 mm (25 voxels)"
    )
    plan = nk.plan(dataset, mapping=mapping)
    assert len(plan.blockers.by_code()["annotation-unmatched"]) == 6
    with pytest.raises(nk.errors.PlanBlocked, match="annotation-unmatched"):
        nk.upload(plan, target, existing="replace")
    # A person who insists is told so again, by the upload.
    for row in mapping.unmatched:
        mapping = mapping.with_volume(row.annotation, row.candidates[0])
    with pytest.raises(nk.errors.PlanBlocked, match="mask-translated"):
        nk.upload(nk.plan(dataset, mapping=mapping), target, existing="replace")
    assert tree(target.path) == before


def test_files_outside_the_folders_go_by_their_place(tmp_path: Path) -> None:
    target = write_project(tmp_path)
    write_again(tmp_path / "again", "knee")
    dataset = nk.scan(tmp_path / "again" / "knee")
    mapping = nk.match(dataset, target.volumes())
    there = {ref.id: ref for ref in target.volumes()}
    assert [there[row.volume or 0].dataset for row in mapping] == ["knee"] * 3
    assert {row.rule for row in mapping} == {ONLY}


def test_a_project_of_another_writer_is_matched_by_its_words(tmp_path: Path) -> None:
    target = nk.ProjectFolder(write_foreign(tmp_path / "project"))
    for name in ("one/V_axl_mask.nii", "one/child/W_axl_mask.nii", "two/X_axl_mask.nii"):
        write_nifti(tmp_path / "in" / name, labels(values=(1,)))
    dataset = nk.scan(tmp_path / "in")
    mapping = nk.match(dataset, target.volumes())
    assert sorted(row.volume or 0 for row in mapping) == [1, 2, 3]
    assert {row.rule for row in mapping} == {CASE}
    receipt = nk.upload(nk.plan(dataset, mapping=mapping), target, on_progress=quiet)
    assert nk.verify(receipt, target).ok
