"""Files beside volumes by plane without a plane, or without a type word that is known."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pytest

import nifti_kit as nk
from nifti_kit.core.findings import Finding
from nifti_kit.datasets.dataset import with_mended
from nifti_kit.datasets.layouts.by_plane import group_by_plane
from nifti_kit.datasets.names import parse_name
from nifti_kit.datasets.scanning import Mended
from nifti_kit.errors import BadSource
from tests.support.builders import labels, write_nifti
from tests.support.layout_files import files, owned, unused

VOLUMES = tuple(f"patient7_{plane}_anatomic.nii" for plane in ("axl", "cor", "sag"))


def found(*names: str, words: tuple[str, ...] = ()) -> dict[str, Finding]:
    grouping = group_by_plane(files(*VOLUMES, *names, words=words))
    errors = {f.path: f for f in grouping.findings if f.severity == "error"}
    assert set(unused(grouping)) == set(errors)
    return errors


TYPE_WORDS = {
    "axl_prediction.nii": "prediction",
    "patient7_cor_pred.nii": "pred",
    "AXL-GT.nii.gz": "gt",
    "sag_gt_2.nii": "gt",
    "sag_gt2.nii": "gt",
    "axl_gt_nnunet_v2.nii": "gt",
    "nnunet_axl_pred_1.nii": "pred",
    "axl_outcome.nii": "outcome",
    "coronal_groundtruth.nii": "groundtruth",
    "axlpred.nii": "pred",
    "gtsag.nii": "gt",
}


@pytest.mark.parametrize(("name", "word"), TYPE_WORDS.items(), ids=list(TYPE_WORDS))
def test_an_unknown_type_word_is_an_error_that_says_how_it_is_made_known(
    name: str, word: str
) -> None:
    fault = found(name)[name]
    assert (fault.code, fault.severity) == ("type-word-unknown", "error")
    assert f'scan(..., annotation_words=("{word}",))' in fault.remedy
    grouping = group_by_plane(files(*VOLUMES, name, words=(word,)))
    assert [[file for file, _ in own] for own in owned(grouping).values() if own] == [[name]]
    assert not [f for f in grouping.findings if f.severity != "note"]


def test_the_remedy_has_the_words_that_were_given_and_those_of_other_files() -> None:
    faults = found("axl_pred.nii", "cor_gt.nii", "sag_outcome.nii", words=("mine",))
    given = {path: fault.remedy.split("words=")[1].split(")")[0] for path, fault in faults.items()}
    assert given == {
        "axl_pred.nii": '("mine", "gt", "pred"',
        "cor_gt.nii": '("mine", "gt", "pred"',
        "sag_outcome.nii": '("mine", "outcome"',
    }


def test_a_name_of_a_plane_alone_has_no_word_to_make_known() -> None:
    fault = found("axl.nii")["axl.nii"]
    assert fault.code == "type-word-unknown"
    assert "annotation_words" not in fault.remedy
    assert "'inference'" in fault.remedy


OTHER_PLANES = {
    "axial_anatomic.nii": "axl_anatomic.nii",
    "Patient7-AXIAL-anatomic.nii": "Patient7-axl-anatomic.nii",
    "transversal_mask.nii": "axl_mask.nii",
    "knee_tra_mask_1.nii": "knee_axl_mask_1.nii",
    "ax_mask.nii": "axl_mask.nii",
}


@pytest.mark.parametrize(("name", "renamed"), OTHER_PLANES.items(), ids=list(OTHER_PLANES))
def test_another_word_for_axl_is_an_error_that_shows_the_name_it_should_have(
    name: str, renamed: str
) -> None:
    fault = found(name)[name]
    assert (fault.code, fault.remedy) == ("plane-unknown", f"Rename it with axl: {renamed}.")
    assert "which is no plane (axl, cor or sag)" in fault.message
    assert parse_name(renamed).plane == "axl"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("CT.nii", "its name has no plane (axl, cor or sag), and no type word that is known"),
        ("knee_mask.nii", "its name has no plane (axl, cor or sag)"),
        ("axl_cor_mask.nii", "its name says several planes: axl, cor"),
        ("corsag_anatomic.nii", "its name says several planes: cor, sag"),
    ],
)
def test_a_file_without_one_plane_is_an_error(name: str, message: str) -> None:
    fault = found(name)[name]
    assert (fault.code, fault.message) == ("plane-unknown", message)


# The parameter.


def knee(folder: Path, *annotations: str) -> Path:
    for name in VOLUMES:
        write_nifti(folder / name)
    for name in annotations:
        write_nifti(folder / name, labels())
    return folder


def test_the_remedies_followed_to_the_letter_end_right(tmp_path: Path) -> None:
    source = knee(tmp_path, "axl_pred_1.nii", "cor_gt.nii")
    (source / "patient7_axl_anatomic.nii").rename(source / "patient7_axial_anatomic.nii")
    first = nk.plan(nk.scan(source)).blockers.by_code()
    (name,) = [f.remedy.split(": ")[1].rstrip(".") for f in first["plane-unknown"]]
    (source / "patient7_axial_anatomic.nii").rename(source / name)
    fault = nk.plan(nk.scan(source)).blockers[0]
    words = re.findall('"(.+?)"', fault.remedy)
    dataset = nk.scan(source, annotation_words=words)
    plan = nk.plan(dataset)
    assert not plan.blockers
    assert [item.segmentation for item in dataset.items] == ["instance", "instance", None]
    assert {str(o.mask.relative) for o in plan.objects} == {"axl_pred_1.nii", "cor_gt.nii"}


def test_further_type_words_make_annotations_of_a_folder_of_such_alone(tmp_path: Path) -> None:
    for name in ("knee_axl_pred_1.nii", "knee_cor_pred_2.nii"):
        write_nifti(tmp_path / "in" / name, labels())
    dataset = nk.scan(tmp_path / "in", annotation_words="pred")
    assert (dataset.layout, dataset.choices.annotation_words) == ("annotations", ("pred",))
    assert [(item.case, [m.index for m in item.masks]) for item in dataset.items] == [
        ("knee", [1]),
        ("knee", [2]),
    ]


def test_further_type_words_are_no_case_words_where_volumes_are_matched(tmp_path: Path) -> None:
    target = nk.ProjectFolder(tmp_path / "out", dataset="d")
    source = knee(tmp_path / "volumes")
    nk.upload(nk.plan(nk.scan(source)), target, on_progress=lambda *_: None)
    for name in ("patient7_axl_ground-truth_1.nii", "cor_ground-truth_1.nii"):
        write_nifti(tmp_path / "masks" / name, labels())
    dataset = nk.scan(tmp_path / "masks", annotation_words=["ground_truth"])
    mapping = nk.match(dataset, target.volumes())
    rules = {str(row.annotation): row.rule for row in mapping}
    assert rules == {
        "patient7_axl_ground-truth_1.nii": "exact name",
        "cor_ground-truth_1.nii": "only candidate of that plane",
    }
    assert not mapping.faults


def test_a_repair_keeps_further_type_words(tmp_path: Path) -> None:
    source = knee(tmp_path, "axl_gt.nii")
    dataset = nk.scan(source, annotation_words=("gt",))
    write_nifti(tmp_path / "mended.nii", labels(values=(3,)))
    content = (tmp_path / "mended.nii").read_bytes()
    (tmp_path / "mended.nii").unlink()
    anew = with_mended(dataset, [Mended(PurePosixPath("axl_gt.nii"), content, "mended")])
    assert {o.value for o in nk.plan(anew).objects} == {3}


@pytest.mark.parametrize(
    "words", ["", "axl", "coronal", "anatomic", "scores", "a.b", ("gt", 1), ("gt", None), 7, "a b."]
)
def test_what_is_no_type_word_is_refused(words: object, tmp_path: Path) -> None:
    with pytest.raises(BadSource, match="annotation_words has no such choice"):
        nk.scan(knee(tmp_path), annotation_words=words)  # type: ignore[arg-type]
