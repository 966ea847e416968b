"""Data sets as they come: recognised where the whole tree fits, shown, taken when it is said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.core.geometry import Grid
from nifti_kit.datasets.proposals import Proposal
from nifti_kit.datasets.scanning import Mended, Scanner
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.nifti import encode_image
from tests.support.builders import AFFINE, write_nifti, write_planes
from tests.support.trees import label_map, landed, scan_like, write_tree

ONE = label_map((1,))
MAP = label_map()
BRAIN = "BraTS-GLI-00000-000"

TREES: dict[str, tuple[str, dict[str, Any], dict[str, Any], list[str]]] = {
    "nnU-Net": (
        "nnU-Net",
        {
            "imagesTr/a_0000.nii.gz": None,
            "imagesTr/a_0001.nii.gz": None,
            "imagesTr/a_0002.nii.gz": None,
            "imagesTr/a_0003.nii.gz": None,
            "labelsTr/a.nii.gz": MAP,
            "imagesTs/b_0000.nii.gz": None,
            "dataset.json": {"labels": {"background": 0, "femur": 1, "tibia": 2, "patella": 3}},
        },
        {"labelsTr/a.nii.gz": [f"imagesTr/a_000{n}.nii.gz" for n in range(4)]},
        ["imagesTs/b_0000.nii.gz"],
    ),
    "nnU-Net with test labels, below a folder": (
        "nnU-Net",
        {
            "Dataset001_Knee/imagesTr/a_0000.nii.gz": None,
            "Dataset001_Knee/labelsTr/a.nii.gz": MAP,
            "Dataset001_Knee/imagesTs/a_0000.nii.gz": None,
            "Dataset001_Knee/labelsTs/a.nii.gz": label_map(shift=1),
            "Dataset001_Knee/imagesVal/v_0000.nii.gz": None,
            "Dataset001_Knee/labelsVal/v.nii.gz": label_map(shift=2),
        },
        {
            f"Dataset001_Knee/labels{part}/{case}.nii.gz": (
                f"Dataset001_Knee/images{part}/{case}_0000.nii.gz"
            )
            for part, case in (("Tr", "a"), ("Ts", "a"), ("Val", "v"))
        },
        [],
    ),
    "Decathlon": (
        "Medical Segmentation Decathlon",
        {
            "imagesTr/liver_1.nii.gz": None,
            "labelsTr/liver_1.nii.gz": MAP,
            "dataset.json": {"labels": {"0": "background", "1": "femur", "2": "b", "3": "c"}},
        },
        {"labelsTr/liver_1.nii.gz": "imagesTr/liver_1.nii.gz"},
        [],
    ),
    "TotalSegmentator": (
        "TotalSegmentator",
        {
            "s1/ct.nii.gz": None,
            "s1/segmentations/aorta.nii.gz": ONE,
            "s1/segmentations/lung_left.nii.gz": label_map((1,), 1),
            "s2/mri.nii.gz": None,
            "s2/segmentations/aorta.nii.gz": label_map((1,), 2),
            "s3/ct.nii.gz": None,
        },
        {
            "s1/segmentations/aorta.nii.gz": "s1/ct.nii.gz",
            "s1/segmentations/lung_left.nii.gz": "s1/ct.nii.gz",
            "s2/segmentations/aorta.nii.gz": "s2/mri.nii.gz",
        },
        ["s3/ct.nii.gz"],
    ),
    "BraTS 2020": (
        "BraTS",
        {**{f"P/P_{kind}.nii": None for kind in ("flair", "t1", "t1ce", "t2")}, "P/P_seg.nii": MAP},
        {"P/P_seg.nii": [f"P/P_{kind}.nii" for kind in ("flair", "t1", "t1ce", "t2")]},
        [],
    ),
    "BraTS 2023": (
        "BraTS",
        {
            **{f"{BRAIN}/{BRAIN}-{kind}.nii.gz": None for kind in ("t1c", "t1n", "t2f", "t2w")},
            f"{BRAIN}/{BRAIN}-seg.nii.gz": MAP,
            "V/V-t1n.nii.gz": None,
        },
        {
            f"{BRAIN}/{BRAIN}-seg.nii.gz": [
                f"{BRAIN}/{BRAIN}-{kind}.nii.gz" for kind in ("t1c", "t1n", "t2f", "t2w")
            ]
        },
        ["V/V-t1n.nii.gz"],
    ),
    "BIDS": (
        "BIDS",
        {
            "sub-01/anat/sub-01_T1w.nii.gz": None,
            "sub-02/anat/sub-02_T1w.nii.gz": None,
            "derivatives/x/sub-01/anat/sub-01_desc-brain_mask.nii.gz": ONE,
            "derivatives/x/sub-01/anat/sub-01_dseg.nii.gz": MAP,
            "derivatives/x/sub-01/anat/sub-01_label-GM_probseg.nii.gz": ONE.astype("f4") / 3,
            "derivatives/x/sub-02/anat/sub-02_desc-preproc_T1w.nii.gz": None,
            "derivatives/x/sub-02/anat/sub-02_dseg.nii.gz": label_map(shift=1),
        },
        {
            "derivatives/x/sub-01/anat/sub-01_desc-brain_mask.nii.gz": (
                "sub-01/anat/sub-01_T1w.nii.gz"
            ),
            "derivatives/x/sub-01/anat/sub-01_dseg.nii.gz": "sub-01/anat/sub-01_T1w.nii.gz",
            "derivatives/x/sub-02/anat/sub-02_dseg.nii.gz": (
                "derivatives/x/sub-02/anat/sub-02_desc-preproc_T1w.nii.gz"
            ),
        },
        ["sub-02/anat/sub-02_T1w.nii.gz"],
    ),
    "ACDC": (
        "ACDC",
        {
            "patient001/patient001_4d.nii.gz": np.zeros((4, 4, 4, 3), "i2"),
            "patient001/patient001_frame01.nii.gz": None,
            "patient001/patient001_frame01_gt.nii.gz": MAP,
            "patient001/patient001_frame12.nii.gz": None,
            "patient001/patient001_frame12_gt.nii.gz": label_map(shift=1),
            "patient001/Info.cfg": "ED: 1",
        },
        {
            f"patient001/patient001_frame{n}_gt.nii.gz": f"patient001/patient001_frame{n}.nii.gz"
            for n in ("01", "12")
        },
        [],
    ),
    "image and masks": (
        "image and masks",
        {
            "c1/image.nii.gz": None,
            "c1/mask_liver.nii.gz": ONE,
            "c1/mask_left_kidney.nii.gz": label_map((1,), 1),
            "c2/image.nii.gz": None,
            "c2/mask.nii.gz": label_map(shift=2),
        },
        {
            "c1/mask_left_kidney.nii.gz": "c1/image.nii.gz",
            "c1/mask_liver.nii.gz": "c1/image.nii.gz",
            "c2/mask.nii.gz": "c2/image.nii.gz",
        },
        [],
    ),
    "KiTS": (
        "image and masks",
        {"case_00000/imaging.nii.gz": None, "case_00000/segmentation.nii.gz": MAP},
        {"case_00000/segmentation.nii.gz": "case_00000/imaging.nii.gz"},
        [],
    ),
    "img and gt": (
        "images and label maps by name",
        {"img/a.nii.gz": None, "img/b.nii.gz": None, "gt/a.nii.gz": MAP},
        {"gt/a.nii.gz": "img/a.nii.gz"},
        ["img/b.nii.gz"],
    ),
    "img0001 and label0001 (BTCV)": (
        "images and label maps by name",
        {"img/img0001.nii.gz": None, "label/label0001.nii.gz": MAP},
        {"label/label0001.nii.gz": "img/img0001.nii.gz"},
        [],
    ),
    "volume-0 and segmentation-0 (LiTS)": (
        "images and label maps by name",
        {
            "volume-0.nii": None,
            "segmentation-0.nii": MAP,
            "volume-1.nii": None,
            "segmentation-1.nii": label_map(shift=1),
        },
        {"segmentation-0.nii": "volume-0.nii", "segmentation-1.nii": "volume-1.nii"},
        [],
    ),
    "case_roi": (
        "images and label maps by name",
        {"a.nii": None, "a_roi.nii": ONE, "b.nii": None, "b_roi_liver.nii": label_map((1,), 1)},
        {"a_roi.nii": "a.nii", "b_roi_liver.nii": "b.nii"},
        [],
    ),
}


@pytest.mark.parametrize("tree", TREES)
def test_a_tree_of_a_known_make_is_proposed_and_taken_when_it_is_said(
    tree: str, tmp_path: Path
) -> None:
    name, files, pairs, images = TREES[tree]
    folder = write_tree(tmp_path / "in", files)
    proposal = nk.scan(folder).proposal
    assert proposal is not None
    assert (proposal.name, dict(proposal.pairs), list(proposal.images)) == (name, pairs, images)
    assert len(proposal.reasons) >= 2
    dataset = nk.scan(folder, layout="pairs")
    assert dataset.layout == "pairs"
    assert dataset.proposal == proposal
    owned = {str(m.relative): [] for i in dataset.items for m in i.masks}
    for item in dataset.items:
        for mask in item.masks:
            owned[str(mask.relative)].append(str(item.volume.relative))
    assert owned == proposal.masks_of
    assert {str(i.volume.relative) for i in dataset.items if not i.masks} == set(images)
    assert not nk.plan(dataset).blockers
    landed(dataset, tmp_path / "out")


@pytest.mark.parametrize("tree", TREES)
def test_a_saved_proposal_is_replayed(tree: str, tmp_path: Path) -> None:
    folder = write_tree(tmp_path / "in", TREES[tree][1])
    proposal = nk.scan(folder).proposal
    assert proposal is not None
    proposal.save(tmp_path / "pairs.json")
    taken = nk.scan(folder, layout="pairs")
    for pairs in (tmp_path / "pairs.json", proposal):
        again = nk.scan(folder, pairs=pairs)
        assert [repr(item) for item in again.items] == [repr(item) for item in taken.items]
        assert again.unused == taken.unused


@pytest.mark.parametrize("tree", TREES)
def test_a_file_that_does_not_fit_ends_the_proposal(tree: str, tmp_path: Path) -> None:
    files = TREES[tree][1]
    mask = next(iter(TREES[tree][2]))
    stray = str(Path(mask).with_name("stray_mask_of_nobody.nii.gz"))
    if tree in ("TotalSegmentator", "image and masks", "KiTS"):
        stray = "elsewhere/stray_mask_of_nobody.nii.gz"
    folder = write_tree(tmp_path, {**files, stray: label_map((1, 2))})
    assert nk.scan(folder).proposal is None


def test_classes_are_those_of_dataset_json_or_of_the_files(tmp_path: Path) -> None:
    expected = {
        "nnU-Net": ["femur", "patella", "tibia"],
        "Decathlon": ["b", "c", "femur"],
        "TotalSegmentator": ["aorta", "lung_left"],
        "image and masks": ["left_kidney", "liver"],
        "BraTS 2020": ["Segment_1", "Segment_2", "Segment_3"],
        "BIDS": ["Segment_1", "Segment_2", "Segment_3", "brain"],
        "case_roi": ["Segment_1"],
    }
    for number, (tree, classes) in enumerate(expected.items()):
        folder = write_tree(tmp_path / f"in{number}", TREES[tree][1])
        found = landed(nk.scan(folder, layout="pairs"), tmp_path / f"out{number}")
        assert classes in found.values(), tree


def test_what_belongs_to_no_pair_is_named_with_its_reason(tmp_path: Path) -> None:
    folder = write_tree(tmp_path, TREES["ACDC"][1])
    dataset = nk.scan(folder, layout="pairs")
    unused = {f.path: f.message for f in dataset.findings if f.code == "file-unused"}
    assert unused["patient001/patient001_4d.nii.gz"].startswith("the whole series")
    assert "patient001/Info.cfg" in unused
    assert "image-unsupported" not in [f.code for f in dataset.findings]


NOT_WHOLE = {
    "a label map without its image": {"imagesTr/a_0000.nii": None, "labelsTr/b.nii": MAP},
    "two images of one case": {
        "imagesTr/a.nii": None,
        "imagesTr/a_0000.nii": None,
        "labelsTr/a.nii": MAP,
    },
    "two images in a case folder": {
        "c/image.nii": None,
        "c/volume.nii": None,
        "c/mask.nii": MAP,
    },
    "no label map": {"imagesTr/a_0000.nii": None, "imagesTs/b_0000.nii": None},
    "by volume already": {"a.nii": None, "a/liver_mask.nii": MAP},
    "a number of an image before, and of another behind": {
        "ct_1.nii": None,
        "ct_2.nii": None,
        "seg_1_2.nii": MAP,
    },
    "channels that do not count from 0": {
        "imagesTr/knee_0001.nii": None,
        "imagesTr/knee_0002.nii": None,
        "labelsTr/knee.nii": MAP,
    },
    "sessions by their folders, and a label map of neither": {
        "sub-1/ses-1/sub-1_T1w.nii": None,
        "sub-1/ses-2/sub-1_T1w.nii": None,
        "derivatives/sub-1_dseg.nii": MAP,
    },
    "one of two subjects": {"sub-1_T1w.nii": None, "sub-2_dseg.nii": MAP},
    "nothing": {"readme.txt": "nothing"},
}


@pytest.mark.parametrize("tree", NOT_WHOLE)
def test_a_tree_that_is_not_whole_or_read_so_already_has_no_proposal(
    tree: str, tmp_path: Path
) -> None:
    assert nk.scan(write_tree(tmp_path, NOT_WHOLE[tree])).proposal is None


def test_planes_have_no_proposal(tmp_path: Path) -> None:
    assert nk.scan(write_planes(tmp_path / "set")).proposal is None
    files = {"imagesTr/axl_anatomic_0000.nii": None, "labelsTr/axl_anatomic.nii": MAP}
    dataset = nk.scan(write_tree(tmp_path / "more", files))
    assert (dataset.layout, dataset.proposal) == ("by_plane", None)


def test_names_alone_do_not_pair_what_lies_apart(tmp_path: Path) -> None:
    write_nifti(tmp_path / "img" / "a.nii", scan_like())
    write_nifti(tmp_path / "gt" / "a.nii", MAP, AFFINE @ np.diag([2, 2, 2, 1]))
    assert nk.scan(tmp_path).proposal is None


def test_a_mask_off_the_grid_of_its_image_is_told_in_the_reasons(tmp_path: Path) -> None:
    folder = write_tree(tmp_path, {"imagesTr/a_0000.nii": None})
    write_nifti(folder / "labelsTr" / "a.nii", MAP, AFFINE @ np.diag([2, 2, 2, 1]))
    proposal = nk.scan(folder).proposal
    assert proposal is not None
    assert "Not on the grid of its image: labelsTr/a.nii." in proposal.reasons
    blockers = nk.plan(nk.scan(folder, layout="pairs")).blockers
    assert [(f.code, f.path) for f in blockers] == [("mask-resampled", "labelsTr/a.nii")]


def test_an_image_of_several_contrasts_in_one_file_is_paired_by_its_name(tmp_path: Path) -> None:
    files = {"imagesTr/a.nii": np.zeros((4, 5, 6, 2), "i2"), "labelsTr/a.nii": MAP}
    dataset = nk.scan(write_tree(tmp_path, files), layout="pairs")
    codes = {(f.code, f.path) for f in nk.plan(dataset).blockers}
    assert ("image-unsupported", "imagesTr/a.nii") in codes
    assert ("annotation-without-volume", "labelsTr/a.nii") in codes


def test_markup_in_names_is_escaped_and_long_lists_are_cut() -> None:
    evil = "<img src=x onerror=alert(1)>"
    pairs = {f"labels/{evil}{n}.nii": f"images/{n}.nii" for n in range(22)}
    shown = Proposal(evil, pairs, (evil,))._repr_html_()
    assert "<img" not in shown
    assert "and 2 more masks" in shown
    assert "and 2 more masks" in repr(Proposal("x", pairs, ()))


def test_it_is_saved_whole_and_shown_as_a_table(tmp_path: Path) -> None:
    proposal = Proposal("x", {"m.nii": ["a.nii", "b.nii"]}, ("why",), ("c.nii",))
    proposal.save(tmp_path / "pairs.json")
    assert json.loads((tmp_path / "pairs.json").read_text()) == {
        "m.nii": ["a.nii", "b.nii"],
        "": ["c.nii"],
    }
    assert proposal.to_frame().to_dict("records") == [{"mask": "m.nii", "images": "a.nii, b.nii"}]
    assert proposal.summary == "x: 1 mask for 2 images, 1 image without a mask"
    with pytest.raises(NiftiKitError, match="cannot be saved"):
        proposal.save(tmp_path / "pairs.csv")


@pytest.mark.parametrize(
    "choice", [{"layout": "pairs"}, {"pairs": "labelsTr/{c}.nii -> imagesTr/{c}.nii"}]
)
def test_the_frames_of_an_image_stand_in_its_place_and_one_map_serves_all(
    choice: dict[str, str], tmp_path: Path
) -> None:
    files = {"imagesTr/a.nii": np.zeros((4, 5, 6, 2), "i2"), "labelsTr/a.nii": MAP}
    dataset = nk.scan(write_tree(tmp_path, files), **choice)
    image = PurePosixPath("imagesTr/a.nii")
    frames = [image.with_name(f"a_{number}.nii") for number in range(2)]
    mended = {image: Mended(image, None, "split")}  # type: ignore[arg-type]
    for number, frame in enumerate(frames):
        content = encode_image(scan_like(number), Grid(MAP.shape, AFFINE))
        mended[frame] = Mended(frame, content, "a frame")
    there = replace(dataset.source, files=(*frames, PurePosixPath("labelsTr/a.nii")))
    items = Scanner(there, dataset.choices, mended).grouping.items
    assert [(str(i.volume.relative), [str(m.relative) for m in i.masks]) for i in items] == [
        (str(frame), ["labelsTr/a.nii"]) for frame in frames
    ]
