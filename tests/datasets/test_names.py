"""What file names say: plane, role, case, index; unique names on the platform."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nifti_kit as nk
from nifti_kit.datasets.names import (
    further_words,
    is_nifti,
    natural_key,
    pair_key,
    parse_name,
    planes_meant,
    stem,
    unique_names,
    why_unused,
)
from tests.support.builders import write_nifti
from tests.support.landings import quiet
from tests.support.properties import untimed


class Case(NamedTuple):
    """A file name and what it says."""

    name: str
    plane: str | None
    role: str | None
    case: str = ""
    tail: tuple[int, ...] = ()


SPECIFICATION = [
    Case("axl_anatomic.nii", "axl", "volume"),
    Case("cor_inference.nii.gz", "cor", "annotation"),
    Case("sag_inference_1.nii", "sag", "annotation", tail=(1,)),
    Case("sag_mask_2.nii", "sag", "annotation", tail=(2,)),
    Case("cor_ann.nii", "cor", "annotation"),
    Case("axl_score.csv", "axl", "score"),
    Case("P07_axl_anatomical.nii.gz", "axl", "volume", "p07"),
]

ROLES = [
    Case(f"axl_{word}.nii", "axl", "annotation")
    for word in (
        *("inference", "label", "annotation", "ann", "mask", "segmentation", "seg"),
        *("inferences", "labels", "annotations", "anns", "masks", "segmentations", "segs"),
        *("labelmap", "dseg"),
    )
] + [
    Case("axl_anatomics.nii", "axl", "volume"),
    Case("axl_anatomicals.nii", "axl", "volume"),
    Case("axl_scores.csv", "axl", "score"),
    Case("axl_anatomic_seg.nii", "axl", "ambiguous"),
    Case("brain_mask_axl_anatomical.nii", "axl", "ambiguous", "brain"),
    Case("axl_hannah_anatomic.nii", "axl", "volume", "hannah"),
    Case("axl_hannah.nii", "axl", None, "hannah"),
    Case("axl_passeggio.nii", "axl", None, "passeggio"),
    Case("axl_masked_anatomic.nii", "axl", "volume", "masked"),
    Case("kneemask_axl.nii", "axl", "annotation", "knee"),
    Case("axl_mask_label.nii", "axl", "annotation", "mask"),
    Case("axl.nii", "axl", None),
    Case("anatomic.nii", None, "volume"),
]

SEPARATORS = [
    Case("KNEE-COR-ANATOMIC.NII.GZ", "cor", "volume", "knee"),
    Case("AXL_INFERENCE_1.NII", "axl", "annotation", tail=(1,)),
    Case("Knee.COR.Inference.02.nii.gz", "cor", "annotation", "knee", (2,)),
    Case("knee cor mask 3.nii", "cor", "annotation", "knee", (3,)),
    Case("(axl)[mask].nii", "axl", "annotation"),
    Case("anatomic_knee_left_sag.nii", "sag", "volume", "knee_left"),
    Case("axl--axl_anatomic.nii", "axl", "volume"),
]

PLANES = [
    Case("kneeAxlAnatomic.nii", "axl", "volume", "knee"),
    Case("kneecor_inference_1.nii", "cor", "annotation", "knee", (1,)),
    Case("axlanatomic.nii", "axl", "volume"),
    Case("axlscore.csv", "axl", "score"),
    Case("coronal_anatomic.nii", "cor", "volume"),
    Case("sagittal_inference_2.nii", "sag", "annotation", tail=(2,)),
    Case("axl_cortex_anatomic.nii", "axl", "volume", "cortex"),
    Case("sag_corpus_mask.nii", "sag", "annotation", "corpus"),
    Case("corsag_anatomic.nii", None, "volume", "corsag"),
    Case("axl_cor_anatomic.nii", None, "volume", "axl_cor"),
    Case("knee_anatomic.nii", None, "volume", "knee"),
    Case("cortex.nii.gz", None, None, "cortex"),
    Case("corpus_callosum.nii.gz", None, None, "corpus_callosum"),
    Case("sagittal_sinus.nii.gz", None, None, "sagittal_sinus"),
    Case("score.csv", None, "score"),
    Case("knee_score.csv", None, "score", "knee"),
    Case("axl_notes.csv", "axl", None, "notes"),
    Case("axl_score.nii", "axl", None, "score"),
]

NUMBERS = [
    Case("axl_inference_1_2.nii", "axl", "annotation", tail=(1, 2)),
    Case("axl_inference_007.nii", "axl", "annotation", tail=(7,)),
    Case("axl_inference2.nii", "axl", "annotation", tail=(2,)),
    Case("axl_mask12_3.nii", "axl", "annotation", tail=(12, 3)),
    Case("axl_anatomic1.nii", "axl", "volume", tail=(1,)),
    Case("axl_score2.csv", "axl", "score", tail=(2,)),
    Case("axl_inference2_knee.nii", "axl", "annotation", "knee"),
    Case("axl_T2_anatomic.nii", "axl", "volume", "t2"),
    Case("axl_anatomic_T2.nii", "axl", "volume", "t2"),
    Case("axl_1_inference.nii", "axl", "annotation", "1"),
    Case("1_axl_anatomic.nii", "axl", "volume", "1"),
    Case("axl_anatomic_2024.nii", "axl", "volume", tail=(2024,)),
    Case("axl_inference_20240131.nii", "axl", "annotation", "20240131"),
    Case("axl_20240131_inference_1.nii", "axl", "annotation", "20240131", (1,)),
    Case("axl_inference_٣.nii", "axl", "annotation", "٣"),
    Case("item_1_axl_inference_2.nii.gz", "axl", "annotation", "item_1", (2,)),
    Case("axl_mask_20240131_2.nii", "axl", "annotation", "20240131", (2,)),
]

IDS = [
    Case("1.2.840.113619.2.55_axl_mask.nii", "axl", "annotation", "1.2.840.113619.2.55"),
    Case("axl_mask_1.2.840.113619.2.55.nii", "axl", "annotation", "1.2.840.113619.2.55"),
    Case("axl_mask_1.2.840.7_3.nii.gz", "axl", "annotation", "1.2.840.7", (3,)),
    Case("axl.mask.1.2.840.113619.2.55.nii", "axl", "annotation", "1.2.840.113619.2.55"),
    Case("axl_mask_1_2_840_7_2_55.nii", "axl", "annotation", "1_2_840_7_2_55"),
    Case("axl_mask_2024.01.31.nii", "axl", "annotation", "2024.01.31"),
    Case("axl_mask_nnunet_v2.nii", "axl", "annotation", "nnunet_v2"),
    Case("axl_mask_v2.1.nii", "axl", "annotation", "v2.1"),
    Case("axl_mask_nnUNetv2.1_1.nii", "axl", "annotation", "nnunetv2.1", (1,)),
    Case("axl.mask.1.nii", "axl", "annotation", tail=(1,)),
    Case("axl.mask.1.2.nii", "axl", "annotation", tail=(1, 2)),
    Case("axl.mask.v2.1.nii", "axl", "annotation", "v2", (1,)),
    Case("axl.mask.2024.1.31.nii", "axl", "annotation", tail=(2024, 1, 31)),
]
"""UIDs, dates and versions are one word; where dots are the only separators, UIDs alone."""


@pytest.mark.parametrize(
    "case",
    SPECIFICATION + ROLES + SEPARATORS + PLANES + NUMBERS + IDS,
    ids=lambda case: case.name,
)
def test_a_name_says_plane_role_case_and_numbers(case: Case) -> None:
    said = parse_name(case.name)
    assert Case(case.name, said.plane, said.role, said.case, said.tail) == case


FURTHER = [
    Case("axl_gt.nii", "axl", "annotation"),
    Case("axl_GT_2.nii", "axl", "annotation", tail=(2,)),
    Case("axl_gts.nii", "axl", "annotation"),
    Case("axl_gt2.nii", "axl", "annotation", tail=(2,)),
    Case("axlgt.nii", "axl", "annotation"),
    Case("gtCor.nii", "cor", "annotation"),
    Case("axl_length.nii", "axl", None, "length"),
    Case("kneepredictionaxl.nii", "axl", "annotation", "knee"),
    Case("knee_axl_ground_truth.nii", "axl", "annotation", "knee"),
    Case("knee_axl_Ground-Truth_1.nii", "axl", "annotation", "knee", (1,)),
    Case("knee_axl_groundtruth.nii", "axl", "annotation", "knee"),
    Case("axl_background_truths.nii", "axl", None, "background_truths"),
    Case("axl_rater1.nii", "axl", "annotation"),
    Case("axl_anatomic_gt.nii", "axl", "ambiguous"),
    Case("axl_gt_mask.nii", "axl", "annotation", "gt"),
    Case("axl_anatomic.nii", "axl", "volume"),
    Case("axl_mask.nii", "axl", "annotation"),
]


@pytest.mark.parametrize("case", FURTHER, ids=lambda case: case.name)
def test_further_type_words_say_annotation_too(case: Case) -> None:
    words = further_words(["GT", "Prediction", "ground_truth", "rater1", "gt"])
    assert words == ("gt", "prediction", "ground_truth", "rater1")
    said = parse_name(case.name, words)
    assert Case(case.name, said.plane, said.role, said.case, said.tail) == case


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("axial_anatomic.nii", ("axl", "axial")),
        ("T2_TRANSVERSAL.nii", ("axl", "TRANSVERSAL")),
        ("coronal_pred.nii", ("cor", "coronal")),
        ("Sagittal2_pred.nii", ("sag", "Sagittal2")),
        ("sagittal_sinus.nii", ("sag", "sagittal")),
        ("cortex_transfer.nii", (None, "")),
        ("maxillary.nii", (None, "")),
    ],
)
def test_other_words_for_a_plane_are_known(name: str, meant: tuple[str | None, str]) -> None:
    assert planes_meant(parse_name(name)) == meant


@pytest.mark.parametrize(
    ("name", "plane"),
    [("kneeaxl_mask.nii", "axl"), ("axlsag_mask.nii", None), ("record_mask.nii", "cor")],
)
def test_a_plane_inside_a_word_counts_only_if_exactly_one_fits(
    name: str, plane: str | None
) -> None:
    assert parse_name(name).plane == plane


def test_the_stem_keeps_the_case_of_its_letters() -> None:
    assert parse_name("Knee_AXL_Anatomic.nii.gz").stem == "Knee_AXL_Anatomic"


WORDS = st.sampled_from(
    ["axl", "cor", "sag", "Anatomic", "inference", "mask", "score", "1", "02", "knee", "", "٣", "²"]
)


@untimed
@given(name=st.one_of(st.text(max_size=30), st.lists(WORDS).map("_".join)))
def test_any_name_can_be_read(name: str) -> None:
    said = parse_name(name)
    assert said.plane in ("axl", "cor", "sag", None)
    assert said.role in ("volume", "annotation", "score", "ambiguous", None)
    assert all(number >= 0 for number in said.tail)
    assert said.case == said.case.casefold()


@pytest.mark.parametrize(
    ("name", "root"),
    [
        ("a.nii", "a"),
        ("a.nii.gz", "a"),
        ("A.NII.GZ", "A"),
        ("a.b.nii", "a.b"),
        ("a.nrrd", "a"),
        ("a.csv", "a"),
        ("a", "a"),
        ("a.nii.txt", "a.nii"),
    ],
)
def test_the_stem_is_the_name_without_its_ending(name: str, root: str) -> None:
    assert stem(name) == root


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("a.nii", True),
        ("a.nii.gz", True),
        ("A.NiI.gZ", True),
        ("a.nii.zip", False),
        ("a.gz", False),
        ("anii", False),
        ("a.nii.gz.txt", False),
    ],
)
def test_nifti_files_end_in_nii_or_nii_gz_in_any_case(name: str, answer: bool) -> None:
    assert is_nifti(name) is answer


def test_numbers_in_names_are_sorted_as_numbers() -> None:
    names = ["item_10", "item_9", "Item_1", "item", "item_1b", "log1", "log", "1²2", "²"]
    assert sorted(names, key=natural_key) == [
        *("1²2", "item", "Item_1", "item_1b", "item_9", "item_10", "log", "log1", "²")
    ]


NAMES = st.lists(st.text(st.one_of(st.characters(), st.sampled_from("0123456789²٣_."))))


@untimed
@given(orders=NAMES.flatmap(lambda names: st.tuples(st.just(names), st.permutations(names))))
def test_any_names_have_one_order(orders: tuple[list[str], list[str]]) -> None:
    first, second = orders
    assert sorted(first, key=natural_key) == sorted(second, key=natural_key)


UNIQUE = {
    "alone": (["axl.nii.gz"], ["axl.nrrd"]),
    "different names": (["a/axl.nii", "b/cor.nii"], ["axl.nrrd", "cor.nrrd"]),
    "folders tell them apart": (
        ["item_1/axl_anatomic.nii", "item_2/axl_anatomic.nii"],
        ["item_1_axl_anatomic.nrrd", "item_2_axl_anatomic.nrrd"],
    ),
    "the nearest folder is enough": (["a/x/v.nii", "b/y/v.nii"], ["x_v.nrrd", "y_v.nrrd"]),
    "the nearest folder is not enough": (
        ["a/x/v.nii", "b/x/v.nii"],
        ["a_x_v.nrrd", "b_x_v.nrrd"],
    ),
    "only those that are alike": (
        ["a/x/v.nii", "b/x/v.nii", "c/y/v.nii"],
        ["a_x_v.nrrd", "b_x_v.nrrd", "y_v.nrrd"],
    ),
    "one without a folder": (["v.nii", "a/v.nii"], ["v.nrrd", "a_v.nrrd"]),
    "alike but for the case": (["a/V.nii", "b/v.nii"], ["a_V.nrrd", "b_v.nrrd"]),
    "no folder tells them apart": (["v.nii", "v.nii.gz"], ["v.nrrd", "v_2.nrrd"]),
    "the number is taken": (
        ["v.nii", "v.nii.gz", "v_2.nii"],
        ["v.nrrd", "v_3.nrrd", "v_2.nrrd"],
    ),
    "the prefixed name is taken": (
        ["a/v.nii", "b/v.nii", "a_v.nii"],
        ["a_v.nrrd", "b_v.nrrd", "a_v_2.nrrd"],
    ),
    "none": ([], []),
}


@pytest.mark.parametrize(("paths", "names"), UNIQUE.values(), ids=list(UNIQUE))
def test_alike_names_get_the_shortest_folders_that_tell_them_apart(
    paths: list[str], names: list[str]
) -> None:
    assert unique_names([PurePosixPath(path) for path in paths]) == names


PARTS = st.sampled_from(["a", "A", "b", "a_b", "v", "1"])
FILES = st.sampled_from(["v.nii", "v.nii.gz", "V.nii", "a_v.nii", "v_2.nii", "b.nii", "a_b_v.nii"])


@untimed
@given(
    paths=st.lists(
        st.builds(
            lambda folders, name: PurePosixPath(*folders, name),
            st.lists(PARTS, max_size=3),
            FILES,
        ),
        unique=True,
        max_size=12,
    )
)
def test_unique_names_are_unique_in_any_case_and_end_in_nrrd(paths: list[PurePosixPath]) -> None:
    names = unique_names(paths)
    assert len(names) == len(paths)
    assert len({name.casefold() for name in names}) == len(names)
    for path, name in zip(paths, names, strict=True):
        root = path.name.removesuffix(".gz").removesuffix(".nii")
        assert name.endswith(".nrrd")
        assert root in name


def test_a_word_that_holds_both_roles_is_ambiguous() -> None:
    assert parse_name("axl_anatomicmask.nii").role == "ambiguous"
    assert parse_name("axl_anatomicx.nii").role == "volume"


# Files of other kinds.

PLAIN = "neither a NIfTI file nor a score table, class map or mapping"
REASONS = {
    "scan.pdf": PLAIN,
    "log": PLAIN,
    "CT.nrrd": "an image in another format (NRRD): convert it to .nii.gz",
    "CT.MHA": "an image in another format (MetaImage): convert it to .nii.gz",
    "brain.mgz": "an image in another format (FreeSurfer MGH): convert it to .nii.gz",
    "0001.dcm": "an image in another format (DICOM): convert it to .nii.gz",
    "CT.nii.zip": "a NIfTI file packed as .zip: unpack it, or convert it to .nii.gz",
    "CT.nii.BZ2": "a NIfTI file packed as .bz2: unpack it, or convert it to .nii.gz",
    "CT.nii.xz": "a NIfTI file packed as .xz: unpack it, or convert it to .nii.gz",
    "more.zip": "an archive inside the source is not unpacked",
    "more.tar.bz2": "an archive inside the source is not unpacked",
    "CT.hdr": "half of an image in two files: its .img is not there",
    "deep/CT.img.gz": "half of an image in two files: its .hdr is not there",
}


@pytest.mark.parametrize(("name", "reason"), REASONS.items(), ids=list(REASONS))
def test_a_file_of_no_use_has_a_reason_that_says_what_it_is(name: str, reason: str) -> None:
    assert why_unused(PurePosixPath(name)) == reason


def test_the_two_files_of_an_image_have_a_finding_of_their_own() -> None:
    pair = [PurePosixPath("a/CT.hdr"), PurePosixPath("a/CT.IMG.gz")]
    keys = frozenset(map(pair_key, pair))
    assert [why_unused(file, keys) for file in pair] == ["", ""]
    assert why_unused(PurePosixPath("b/CT.hdr"), keys) != ""


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("a/CT.v2.hdr", ("a/CT.v2", "hdr")),
        ("CT.Img.GZ", ("CT", "img")),
        ("CT.nii", None),
        ("CT.hdr.txt", None),
    ],
)
def test_a_pair_is_known_by_path_and_ending(name: str, key: tuple[str, str] | None) -> None:
    assert pair_key(PurePosixPath(name)) == key


@pytest.mark.parametrize("name", [".nii", ".nii.gz", ".NII.GZ"])
def test_a_file_whose_name_is_all_ending_lands_where_it_is_seen(tmp_path: Path, name: str) -> None:
    assert stem(name) == name
    write_nifti(tmp_path / name)
    dataset = nk.scan(tmp_path / name)
    assert [item.name for item in dataset.items] == [f"{name[1:]}.nrrd"]
    target = nk.ProjectFolder(tmp_path / "out", "d")
    assert nk.verify(nk.upload(nk.plan(dataset), target, on_progress=quiet), target).ok
