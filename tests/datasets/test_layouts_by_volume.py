"""By volume: a volume, and beside it a folder of its name with a file for each class."""

from __future__ import annotations

from pathlib import Path

import pytest

import nifti_kit as nk
from nifti_kit.datasets.layouts.by_volume import group_by_volume
from tests.support.builders import labels, write_nifti
from tests.support.layout_files import codes, files, owned, unused

SPECIFICATION = (
    *("CTChest/lung.nii.gz", "CTChest/tumor.nii.gz", "CTChest.nii.gz", "Spine.nii.gz"),
)


def test_the_example_of_the_specification_is_grouped() -> None:
    grouping = group_by_volume(files(*SPECIFICATION))
    assert owned(grouping) == {
        "CTChest.nrrd": [("CTChest/lung.nii.gz", "lung"), ("CTChest/tumor.nii.gz", "tumor")],
        "Spine.nrrd": [],
    }
    chest, spine = grouping.items
    assert (chest.plane, chest.case, chest.folder) == (None, "", "")
    assert (chest.segmentation, spine.segmentation) == ("instance", None)
    assert not grouping.unused
    assert not grouping.findings


@pytest.mark.parametrize(
    ("segmentation", "kind"),
    [("auto", "instance"), ("instance", "instance"), ("semantic", "semantic")],
)
def test_the_kind_may_be_chosen(segmentation: str, kind: str) -> None:
    grouping = group_by_volume(files(*SPECIFICATION, segmentation=segmentation))
    assert [item.segmentation for item in grouping.items] == [kind, None]


def test_endings_and_depth_do_not_matter() -> None:
    grouping = group_by_volume(files("x/y/CT.nii", "x/y/CT/lung.NII.GZ", "x/y/CT/liver.nii"))
    assert owned(grouping) == {
        "CT.nrrd": [("x/y/CT/lung.NII.GZ", "lung"), ("x/y/CT/liver.nii", "liver")]
    }
    assert grouping.items[0].folder == "x/y"


@pytest.mark.parametrize(
    "name", ["cortex", "corpus_callosum", "sagittal_sinus", "score", "axl", "cor_mask"]
)
def test_a_plane_in_the_name_of_a_class_changes_nothing(name: str) -> None:
    grouping = group_by_volume(files("brain.nii.gz", f"brain/{name}.nii.gz"))
    assert owned(grouping) == {"brain.nrrd": [(f"brain/{name}.nii.gz", name)]}


def test_every_volume_has_its_own_folder_though_the_classes_are_alike() -> None:
    grouping = group_by_volume(
        files("a/CT.nii", "a/CT/lung.nii", "b/CT.nii", "b/CT/lung.nii", "b/CT/liver.nii")
    )
    assert owned(grouping) == {
        "a_CT.nrrd": [("a/CT/lung.nii", "lung")],
        "b_CT.nrrd": [("b/CT/lung.nii", "lung"), ("b/CT/liver.nii", "liver")],
    }
    assert codes(grouping) == [("name-prefixed", "a/CT.nii"), ("name-prefixed", "b/CT.nii")]


def test_a_folder_elsewhere_counts_if_it_is_the_only_one() -> None:
    grouping = group_by_volume(files("images/CT.nii", "masks/CT/lung.nii"))
    assert owned(grouping) == {"CT.nrrd": [("masks/CT/lung.nii", "lung")]}
    (found,) = grouping.findings
    assert (found.code, found.severity, found.path) == (
        "annotation-elsewhere",
        "note",
        "images/CT.nii",
    )
    assert found.message == "its annotations are taken from masks/CT"


def test_a_folder_elsewhere_does_not_count_beside_another_one() -> None:
    grouping = group_by_volume(files("images/CT.nii", "x/CT/lung.nii", "y/CT/liver.nii"))
    assert owned(grouping) == {"CT.nrrd": [], "lung.nrrd": [], "liver.nrrd": []}


def test_a_folder_elsewhere_does_not_count_for_two_volumes_of_its_name() -> None:
    grouping = group_by_volume(files("a/CT.nii", "b/CT.nii", "masks/CT/lung.nii"))
    assert owned(grouping) == {"a_CT.nrrd": [], "b_CT.nrrd": [], "lung.nrrd": []}


def test_a_folder_elsewhere_does_not_count_for_a_volume_that_has_its_own() -> None:
    grouping = group_by_volume(files("CT.nii", "CT/lung.nii", "old/CT/liver.nii"))
    assert owned(grouping) == {"CT.nrrd": [("CT/lung.nii", "lung")], "liver.nrrd": []}


def test_a_volume_in_the_folder_of_its_own_name_is_not_its_own_annotation() -> None:
    grouping = group_by_volume(
        files("sub01/sub01.nii.gz", "sub01/lung.nii.gz", "sub02/sub02.nii.gz", "sub02/lung.nii.gz")
    )
    assert owned(grouping) == {
        "sub01.nrrd": [("sub01/lung.nii.gz", "lung")],
        "sub02.nrrd": [("sub02/lung.nii.gz", "lung")],
    }
    assert codes(grouping) == [
        ("annotation-elsewhere", "sub01/sub01.nii.gz"),
        ("annotation-elsewhere", "sub02/sub02.nii.gz"),
    ]


def test_a_volume_alone_in_the_folder_of_its_own_name_has_no_annotations() -> None:
    grouping = group_by_volume(files("sub01/sub01.nii.gz", "sub02/sub02.nii.gz"))
    assert owned(grouping) == {"sub01.nrrd": [], "sub02.nrrd": []}
    assert not grouping.findings
    assert [item.segmentation for item in grouping.items] == [None, None]


def test_files_below_an_annotation_folder_but_not_in_it_are_named() -> None:
    grouping = group_by_volume(files("CT.nii", "CT/lung.nii", "CT/old/lung.nii"))
    assert owned(grouping) == {"CT.nrrd": [("CT/lung.nii", "lung")]}
    assert unused(grouping) == {
        "CT/old/lung.nii": "it lies below the annotation folder CT, not directly in it"
    }


def test_masks_whose_volume_is_a_mask_itself_are_named() -> None:
    grouping = group_by_volume(files("study.nii", "study/ct.nii", "study/ct/lung.nii"))
    assert owned(grouping) == {"study.nrrd": [("study/ct.nii", "ct")]}
    assert unused(grouping) == {
        "study/ct/lung.nii": "its volume study/ct.nii is itself in an annotation folder"
    }


def test_two_volumes_with_one_annotation_folder_are_an_error() -> None:
    grouping = group_by_volume(files("CT.nii", "CT.nii.gz", "CT/lung.nii"))
    assert owned(grouping) == {"CT.nrrd": [("CT/lung.nii", "lung")], "CT_2.nrrd": []}
    assert codes(grouping) == [
        ("annotation-repeated", "CT.nii.gz"),
        ("name-prefixed", "CT.nii.gz"),
    ]
    assert grouping.findings[0].severity == "error"
    assert grouping.findings[0].message == "CT.nii has the same annotation folder"


def test_two_files_of_one_class_are_an_error() -> None:
    grouping = group_by_volume(files("CT.nii", "CT/Lung.nii", "CT/lung.nii.gz"))
    assert owned(grouping) == {"CT.nrrd": [("CT/Lung.nii", "Lung"), ("CT/lung.nii.gz", "lung")]}
    (found,) = grouping.findings
    assert (found.code, found.severity, found.path) == (
        "annotation-repeated",
        "error",
        "CT/lung.nii.gz",
    )
    assert found.message == "Lung.nii has the same class"


def test_score_tables_have_no_use() -> None:
    grouping = group_by_volume(files("CT.nii", "CT_score.csv"))
    assert unused(grouping) == {"CT_score.csv": "score tables belong to volumes by plane"}


def test_many_volumes_are_grouped_at_once() -> None:
    names = [f"s{n:05}/s{n:05}.nii" for n in range(3000)] + [
        f"s{n:05}/lung.nii" for n in range(3000)
    ]
    grouping = group_by_volume(files(*names))
    assert len(grouping.items) == 3000
    assert all(len(item.masks) == 1 for item in grouping.items)


def test_the_masks_of_a_volume_that_cannot_be_read_do_not_become_volumes(tmp_path: Path) -> None:
    (tmp_path / "CT.nii.gz").write_bytes(b"no image")
    write_nifti(tmp_path / "CT" / "lung.nii", labels())
    write_nifti(tmp_path / "MR.nii")
    dataset = nk.scan(tmp_path)
    assert [item.name for item in dataset.items] == ["MR.nrrd"]
    found = {(f.code, f.path): f.message for f in nk.check(dataset).errors}
    assert found.keys() == {
        ("file-unreadable", "CT.nii.gz"),
        ("annotation-without-volume", "CT/lung.nii"),
    }
    message = found["annotation-without-volume", "CT/lung.nii"]
    assert message == "its volume CT.nii.gz cannot be used"


def test_a_readable_volume_of_the_same_name_keeps_its_masks(tmp_path: Path) -> None:
    (tmp_path / "CT.nii").write_bytes(b"no image")
    write_nifti(tmp_path / "CT.nii.gz")
    write_nifti(tmp_path / "CT" / "lung.nii", labels())
    (item,) = nk.scan(tmp_path).items
    assert [mask.class_name for mask in item.masks] == ["lung"]
