"""What may be of another patient is told by receipt and proof, and is never plain green."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.core import html
from nifti_kit.widgets.upload.model import UploadModel
from tests.platform import Platform
from tests.support.bodies import exchanged, usual, write_bodies
from tests.support.builders import labels, volume, write_nifti, write_planes
from tests.support.uploads import api, new_dataset, new_project

MASK = "P01/P02_axl_inference.nii"


def landed(folder: Path, mask: str) -> tuple[nk.Receipt, nk.Proof]:
    write_nifti(folder / "in/P01/axl_anatomic.nii", volume())
    write_nifti(folder / "in" / mask, labels())
    plan = nk.plan(nk.scan(folder / "in"), waive=["planes-incomplete"])
    target = nk.ProjectFolder(folder / "p", dataset="d")
    receipt = nk.upload(plan, target, on_progress=lambda _: None)
    return receipt, nk.verify(receipt, target)


def test_a_doubt_is_in_title_lines_and_tone(tmp_path: Path) -> None:
    receipt, proof = landed(tmp_path, MASK)
    assert proof.ok
    for result in (receipt, proof):
        assert "; 2 objects may be of another patient (case-differs)" in result.title()
        assert result.tone == "warning"
        assert f"Doubtful: case-differs, {MASK}: 'P02_axl_inference' says 2" in repr(result)
        assert html.TONES["warning"] in result._repr_html_()
        (doubt,) = json.loads(result.to_json())["doubts"]
        assert (doubt["code"], doubt["path"]) == ("case-differs", MASK)


def test_without_a_doubt_nothing_is_said(tmp_path: Path) -> None:
    receipt, proof = landed(tmp_path, "P01/P01_axl_inference.nii")
    for result in (receipt, proof):
        assert "another patient" not in repr(result)
        assert json.loads(result.to_json())["doubts"] == []


@pytest.mark.parametrize("existing", ["skip", "append"])
def test_what_stays_of_a_class_that_landed_is_told(tmp_path: Path, existing: str) -> None:
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    for place in (1, 2):
        source = tmp_path / f"in{place}"
        write_nifti(source / "CT.nii", volume())
        write_nifti(source / "CT/liver.nii", labels(values=(0,) * (place - 1) + (1,)))
        plan = nk.plan(nk.scan(source), target=target)
        receipt = nk.upload(plan, target, existing=existing, on_progress=lambda _: None)
        proof = nk.verify(receipt, target)
        assert proof.ok
        assert proof.tone == ("good" if place == 1 else "warning")
    assert "; 1 object of others on these volumes (1 of a class that landed)" in proof.title()
    assert "a 3D figure, which was there before and stayed" in repr(proof)


def test_what_stands_out_is_told_where_the_voxels_were_looked_at(tmp_path: Path) -> None:
    dataset = nk.scan(write_bodies(tmp_path / "in", usual(7, 5), {3: exchanged}))
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    model = UploadModel(dataset, target, waive=["planes-incomplete"])
    model.plan()
    model.planning.join()
    assert "outlier-place" not in {found.code for found in model.planned.findings}
    nk.check(dataset)
    assert "outlier-place" in {found.code for found in nk.plan(dataset).findings}
    model.upload()
    model.landing.join()
    assert "may be of another patient (outlier-place)" in model.receipt.title()
    assert "may be of another patient (outlier-place)" in nk.verify(model.receipt, target).title()


def seen(folder: Path, *steps: nk.Step, looks: bool = True) -> tuple[nk.Receipt, nk.Proof]:
    """Land a folder after steps, as a rule with every voxel looked at, and prove it."""
    dataset = nk.scan(folder)
    for step in steps:
        dataset = nk.Steps().preview(dataset, step).dataset
    if looks:
        nk.check(dataset)
    number = len(list(folder.parent.iterdir()))
    target = nk.ProjectFolder(folder.with_name(f"p{number}"), dataset="d")
    receipt = nk.upload(nk.plan(dataset, target=target), target, on_progress=lambda _: None)
    return receipt, nk.verify(receipt, target)


def told(results: tuple[nk.Receipt, nk.Proof], words: str) -> None:
    assert results[1].ok
    for result in results:
        assert words in result.title()
        assert result.tone == "warning"


@pytest.mark.parametrize("looks", [True, False])
def test_scores_that_seem_to_count_from_the_other_number_are_told(
    tmp_path: Path, looks: bool
) -> None:
    folder = write_planes(tmp_path / "in")
    (folder / "axl_score.csv").write_text("Layer, Label-1\n2, 0.5\n3, 0.5\n4, 0.5\n")
    words = "; 1 score table may have scores on other slices (scores-base-suspect"
    told(seen(folder, looks=looks), words)


@pytest.mark.parametrize("do", ["rebase_layers", "score_base"])
def test_a_table_that_says_nothing_beside_one_from_0_is_told(tmp_path: Path, do: str) -> None:
    folder = write_planes(tmp_path / "in")
    filled = np.zeros((5, 6, 7), np.uint8)
    filled[1:4, 1:4, :] = 1
    for plane in ("axl", "cor"):
        write_nifti(folder / f"{plane}_inference.nii.gz", filled)
    (folder / "axl_score.csv").write_text("Layer, Label-1\n0, 0.5\n1, 0.5\n")
    (folder / "cor_score.csv").write_text("Layer, Label-1\n3, 0.5\n")
    one, every = nk.Step("rebase_layers", ("axl_score.csv",), {"base": 0}), {"score_base": 0}
    results = seen(folder, one if do == "rebase_layers" else nk.Step(do, values=every))
    told(results, "; 1 score table may have scores on other slices (scores-base-suspect)")
    assert [one.path for one in results[0].doubts] == ["cor_score.csv"]


def test_a_table_with_scores_on_other_slices_is_a_persons_word(tmp_path: Path) -> None:
    folder = write_planes(tmp_path / "in")
    (folder / "axl_score.csv").write_text("Layer, Label-1\n3, 0.5\n4, 0.5\n")
    same = nk.Step("replace_table", ("axl_score.csv",), {"text": "Layer,Label-1\n3,0.7\n4,0.5\n"})
    assert seen(folder, same)[1].tone == "good"
    other = nk.Step("replace_table", ("axl_score.csv",), {"text": "Layer,Label-1\n4,0.5\n5,0.5\n"})
    words = "1 score table lies where a person put it (replace_table: axl_score.csv)"
    told(seen(folder, other), words)


def test_a_kind_that_was_chosen_for_one_set_is_told_of_the_others(tmp_path: Path) -> None:
    write_planes(tmp_path / "in/a")
    (tmp_path / "in/map.txt").write_text("1 Femur\n2 Tibia\n")
    for plane in ("axl", "cor", "sag"):
        write_nifti(tmp_path / f"in/b/{plane}_anatomic.nii")
        write_nifti(tmp_path / f"in/b/{plane}_inference_2.nii", labels())
    chosen = nk.Step("segmentation", values={"segmentation": "instance"})
    told(seen(tmp_path / "in", chosen), "; 6 objects may have another class (segmentation-ambig")


def test_rounded_values_are_a_persons_word(tmp_path: Path) -> None:
    folder = write_planes(tmp_path / "in")
    write_nifti(folder / "axl_inference.nii.gz", labels() * np.float32(0.9))
    rounded = nk.Step("round_labels", ("axl_inference.nii.gz",))
    told(seen(folder, rounded), "2 objects lie where a person put them (round_labels: axl")


def test_two_values_of_one_class_are_told(tmp_path: Path) -> None:
    folder = write_planes(tmp_path / "in")
    (folder / "map.txt").write_text("1 Femur\n")
    named = nk.Step("classes", values={"2": "Femur"})
    told(seen(folder, named), "may have another class (class-name-repeated)")


def test_a_class_that_two_got_by_hand_is_told(tmp_path: Path) -> None:
    steps = [nk.Step("classes", values={value: "Femur"}) for value in ("1", "2")]
    told(seen(write_planes(tmp_path / "values"), *steps), "another class (class-name-repeated)")
    write_nifti(tmp_path / "files/CT.nii")
    write_nifti(tmp_path / "files/CT/liver.nii", labels(values=(1,)))
    write_nifti(tmp_path / "files/CT/spleen.nii", labels(values=(0, 1)))
    named = nk.Step("classes", ("CT/spleen.nii",), {"name": "liver"})
    told(seen(tmp_path / "files", named), "1 object may have another class (class-name-repeated)")


def test_values_that_were_objects_before_others_were_left_out_are_told(tmp_path: Path) -> None:
    folder = write_planes(tmp_path / "in")
    for plane in ("axl", "cor", "sag"):
        write_nifti(folder / f"{plane}_inference_2.nii.gz", labels(values=(0, 1)))
    others = tuple(f"{plane}_inference_2.nii.gz" for plane in ("axl", "cor", "sag"))
    out = nk.Step("leave_out", others)
    told(seen(folder, out), "; 6 objects may have another class (segmentation-ambiguous)")
    dataset = nk.scan(folder, leave_out=others, segmentation="semantic")
    assert "segmentation-ambiguous" not in nk.plan(dataset).findings.by_code()


def test_a_copy_of_the_volume_of_another_patient_is_told(tmp_path: Path) -> None:
    for at, name in enumerate(("anna", "bert")):
        write_nifti(tmp_path / f"in/{name}/CT.nii")
        write_nifti(tmp_path / f"in/{name}/CT/liver.nii", labels(values=(0,) * at + (1,)))
    told(seen(tmp_path / "in"), "1 volume may be of another patient (volumes-alike)")


def test_a_mask_that_others_could_own_before_they_were_left_out_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for plane in ("axl", "cor", "sag"):
        for at, name in enumerate(("anna", "bert")):
            write_nifti(folder / f"{plane}_anatomic_{name}.nii", volume() + at)
    write_nifti(folder / "axl_inference.nii", labels())
    gone = tuple(f"{plane}_anatomic_anna.nii" for plane in ("axl", "cor", "sag"))
    results = seen(folder, nk.Step("leave_out", gone))
    told(results, "2 objects may be of another patient (case-differs)")


def test_a_mask_that_is_put_to_each_frame_is_a_persons_word(tmp_path: Path) -> None:
    write_nifti(tmp_path / "in/MR.nii", np.stack([volume(), volume() + 1], axis=3))
    write_nifti(tmp_path / "in/MR/liver.nii", labels(values=(1,)))
    words = "2 objects lie where a person put them (split_frames: MR_0/liver.nii"
    told(seen(tmp_path / "in", nk.Step("split_frames", ("MR.nii",))), words)


def test_the_folder_of_a_lost_volume_is_not_taken_without_a_word(tmp_path: Path) -> None:
    write_nifti(tmp_path / "in/anna/CT/liver.nii", labels(values=(1,)))
    write_nifti(tmp_path / "in/bert/CT.nii", volume())
    told(seen(tmp_path / "in"), "; 1 object may be of another patient (case-differs)")


def test_frames_are_classes_by_a_persons_word(tmp_path: Path) -> None:
    folder = write_planes(tmp_path / "in")
    frames = np.stack([labels() == 2, labels() == 1], axis=3).astype(np.uint8)
    write_nifti(folder / "axl_inference.nii.gz", frames)
    merged = nk.Step("merge_frames", ("axl_inference.nii.gz",))
    told(seen(folder, merged), "2 objects lie where a person put them (merge_frames: axl")


@pytest.mark.parametrize("how", ["by hand", "by hand, live", "by a file"])
def test_a_volume_that_no_name_speaks_for_is_told(
    tmp_path: Path, how: str, platform: Platform
) -> None:
    target: Any = nk.ProjectFolder(tmp_path / "p", dataset="d")
    if how == "by hand, live":
        target = nk.Instance(api(platform), new_dataset(platform, new_project(platform), "d"))
    for at, name in enumerate(("anna", "bert")):
        write_nifti(tmp_path / f"in/axl_anatomic_{name}.nii", volume() + at)
    plan = nk.plan(nk.scan(tmp_path / "in"), waive=["planes-incomplete"])
    nk.upload(plan, target, on_progress=lambda _: None)
    write_nifti(tmp_path / "masks/axl_mask.nii", labels())
    dataset = nk.scan(tmp_path / "masks")
    mapping = nk.match(dataset, target.volumes())
    mapping = mapping.with_volume("axl_mask.nii", target.volumes()[1].id)
    words = "; 2 objects lie where a person put them (mapping: axl_mask.nii)"
    if how == "by a file":
        mapping = nk.read_mapping(mapping.to_dict(), dataset)
        words = "; 2 objects may be of another patient (annotation-name-differs)"
    plan = nk.plan(dataset, mapping=mapping, target=target)
    receipt = nk.upload(plan, target, existing="append", on_progress=lambda _: None)
    told((receipt, nk.verify(receipt, target)), words)
