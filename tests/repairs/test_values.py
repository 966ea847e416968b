"""Relabelling: other numbers for the same voxels; names and scores go by the old ones."""

from __future__ import annotations

import itertools
import json
import math
import re
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.errors import RepairRefused
from nifti_kit.repairs import Repair
from tests.support.builders import SHAPE, write_nifti, write_planes
from tests.support.handmade import write_array

MASK = "CT/seg.nii"


def boxes(values: tuple[float, ...], dtype: str = "i4") -> np.ndarray:
    """Return a map with a block of its own size for each value."""
    array = np.zeros(SHAPE, dtype)
    for number, value in enumerate(values):
        array[number, 1:5, 1 : 3 + number] = value
    return array


def source(folder: Path, values: tuple[float, ...], dtype: str = "i4") -> Path:
    write_nifti(folder / "CT.nii")
    write_nifti(folder / MASK, boxes(values, dtype))
    return folder


def upload(repair: Repair, folder: Path) -> dict[str, Any]:
    """Land a repaired dataset, prove it, and return the project's classes by name."""
    target = nk.ProjectFolder(folder, dataset="d")
    receipt = nk.upload(nk.plan(repair.dataset), target, on_progress=lambda _: None)
    proof = nk.verify(receipt, target)
    assert proof.ok
    meta = json.loads((folder / "meta.json").read_text())
    return {found["title"]: found["description"] for found in meta["classes"]}


def table(repair: Repair) -> list[tuple[Any, int]]:
    frame = repair.table
    return list(zip(frame["old"].tolist(), frame["new"].tolist(), strict=True))


IDS = (997, 1089, 614454277)


@pytest.mark.parametrize(
    ("values", "dtype", "numbers"),
    [
        (IDS, "u4", [1, 2, 3]),
        ((-1, 1, 2), "i2", [1, 2, 3]),
        ((2, -5, -1), "i4", [3, 1, 2]),
        ((2**40, 7), "i8", [2, 1]),
        ((2**63, 2**64 - 1, 5), "u8", [2, 3, 1]),
        ((70000.0, 1.0), "f4", [2, 1]),
        ((1e15, 3.0), "f8", [2, 1]),
    ],
)
def test_without_a_mapping_all_values_are_numbered_in_rising_order(
    values: tuple[float, ...], dtype: str, numbers: list[int], tmp_path: Path
) -> None:
    dataset = nk.scan(source(tmp_path / "in", values, dtype), segmentation="semantic")
    errors = nk.check(dataset).errors
    repair = nk.repairs.relabel(dataset, errors)
    pairs = sorted(zip(map(int, values), numbers, strict=True), key=lambda pair: pair[1])
    assert table(repair) == pairs
    saved = {path.name: path for path in repair.save(tmp_path / "out")}
    written = np.asanyarray(nib.load(saved["seg.nii"]).dataobj)
    np.testing.assert_array_equal(written, boxes(tuple(numbers), "u1"))
    classes = upload(repair, tmp_path / "p")
    assert classes == {
        f"Segment_{old}": f"Mask pixel value: {new}\nValue in the source: {old}"
        for old, new in pairs
    }


def test_no_voxel_changes_its_label_and_the_proof_has_the_same_measures(tmp_path: Path) -> None:
    dataset = nk.scan(source(tmp_path / "in", IDS), segmentation="semantic")
    repair = nk.repairs.relabel(dataset, MASK)
    assert [change.value for change in repair.labels] == [1, 2, 3]
    for change in repair.labels:
        assert change.before is not None
        assert change.after is not None
        assert change.before.voxels == change.after.voxels == 4 * (1 + change.value)
        assert change.moved_mm == pytest.approx(0)
    (found,) = nk.check(repair.dataset).by_code()["repaired"]
    assert "997 -> 1, 1089 -> 2, 614454277 -> 3" in found.message
    assert "value 3 (614454277 in the source)" in repr(nk.plan(repair.dataset))


def test_the_source_is_as_it_was(tmp_path: Path) -> None:
    folder = source(tmp_path / "in", IDS)
    before = (folder / MASK).read_bytes()
    dataset = nk.scan(folder, segmentation="semantic")
    nk.repairs.relabel(dataset, MASK)
    assert (folder / MASK).read_bytes() == before
    assert not dataset.mended


def test_a_value_is_the_same_number_in_all_files(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for name, values in (("A", (997, 5_000_000)), ("B", (5_000_000, 70000))):
        write_nifti(folder / f"{name}.nii")
        write_nifti(folder / name / "seg.nii", boxes(values))
    dataset = nk.scan(folder, segmentation="semantic")
    repair = nk.repairs.relabel(dataset, nk.check(dataset).errors)
    rows = {tuple(row) for row in repair.table.itertuples(index=False)}
    assert rows == {
        ("A/seg.nii", 997, 1),
        ("A/seg.nii", 5_000_000, 3),
        ("B/seg.nii", 70000, 2),
        ("B/seg.nii", 5_000_000, 3),
    }
    assert len(upload(repair, tmp_path / "p")) == 3


def test_values_that_other_masks_have_keep_their_numbers_and_give_them_to_none(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "in"
    write_nifti(folder / "A.nii")
    write_nifti(folder / "A" / "seg.nii", boxes((1, 3, -1), "i2"))
    write_nifti(folder / "B.nii")
    write_nifti(folder / "B" / "seg.nii", boxes((2, 1), "u1"))
    dataset = nk.scan(folder, segmentation="semantic")
    repair = nk.repairs.relabel(dataset, "A/seg.nii")
    assert sorted(table(repair)) == [(-1, 3), (1, 1), (3, 4)]
    assert upload(repair, tmp_path / "p") == {
        "Segment_1": "Mask pixel value: 1\nValue in the source: 1",
        "Segment_-1": "Mask pixel value: 3\nValue in the source: -1",
        "Segment_3": "Mask pixel value: 4\nValue in the source: 3",
        "Segment_2": "Mask pixel value: 2",
    }


def test_with_a_mapping_the_values_go_where_it_says_and_the_others_stay(tmp_path: Path) -> None:
    dataset = nk.scan(source(tmp_path / "in", (2, 255, -1), "i2"), segmentation="semantic")
    repair = nk.repairs.relabel(dataset, MASK, {255: 1, -1: 0})
    saved = {path.name: path for path in repair.save(tmp_path / "out")}
    written = np.asanyarray(nib.load(saved["seg.nii"]).dataobj)
    np.testing.assert_array_equal(written, boxes((2, 1, 0), "u1"))
    assert [(change.value, change.after is None) for change in repair.lost] == [(-1, True)]
    assert sorted(table(repair)) == [(-1, 0), (2, 2), (255, 1)]
    assert list(upload(repair, tmp_path / "p")) == ["Segment_1", "Segment_2"]


def test_255_stays_a_value_like_any_other(tmp_path: Path) -> None:
    dataset = nk.scan(source(tmp_path / "in", (1, 255), "u1"), segmentation="semantic")
    assert nk.check(dataset).ok
    assert [planned.value for planned in nk.plan(dataset).objects] == [1, 255]


def test_labels_that_become_one_are_said_to(tmp_path: Path) -> None:
    dataset = nk.scan(source(tmp_path / "in", (1, 255), "u1"), segmentation="semantic")
    repair = nk.repairs.relabel(dataset, MASK, {255: 1})
    assert repair.files[0].what == "values renumbered: 255 -> 1; several became one: 1"
    assert upload(repair, tmp_path / "p") == {
        "Segment_1": "Mask pixel value: 1\nValue in the source: 1 and 255"
    }


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_no_numbers_can_be_background(value: float, tmp_path: Path) -> None:
    dataset = nk.scan(source(tmp_path / "in", (1, value), "f4"), segmentation="semantic")
    repair = nk.repairs.relabel(dataset, MASK, {value: 0})
    assert [planned.value for planned in nk.plan(repair.dataset).objects] == [1]
    with pytest.raises(RepairRefused, match="values would be left that are no labels"):
        nk.repairs.relabel(dataset, MASK)


REFUSED: dict[str, tuple[tuple[float, ...], str, Any, str, str]] = {
    "a value that no file has": ((1, 2), "u1", {3: 1}, "no voxel has", "1, 2; none of 3"),
    "what would still be no label": ((-1, -2), "i2", {-1: 0}, "values would be left", "-2"),
    "a negative number": ((1,), "u1", {1: -1}, "no change of a label value", "1: -1"),
    "too large a number": ((1,), "u1", {1: 65536}, "no change of a label value", "1: 65536"),
    "a fraction": ((1,), "u1", {1: 1.5}, "no change of a label value", "1: 1.5"),
    "a list": ((1,), "u1", [1, 2], "says not which value becomes which", "list"),
    "nothing": ((1,), "u1", {}, "says not which value becomes which", "no value"),
    "background": ((1,), "u1", {0: 5, 1: 2}, "0 is background", "{0: 5}"),
    "fractions in the file": ((0.5, 1), "f4", {1: 2}, "values would be left", "0.5"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=list(REFUSED))
def test_what_would_not_make_labels_is_refused(case: Any, tmp_path: Path) -> None:
    values, dtype, mapping, message, found = case
    dataset = nk.scan(source(tmp_path, values, dtype), segmentation="semantic")
    with pytest.raises(RepairRefused, match=message) as caught:
        nk.repairs.relabel(dataset, MASK, mapping)
    assert caught.value.found == found


# Names: of the class map by the old value


def named(folder: Path, lines: str, values: tuple[float, ...] = IDS) -> Any:
    source(folder, values)
    (folder / "colours.txt").write_text(lines)
    return nk.scan(folder, segmentation="semantic")


def test_classes_go_by_the_old_values(tmp_path: Path) -> None:
    lines = "997 root 1 2 3\n614454277 SSp-un\n1 TMv\n2 SSp-m6b\n"
    dataset = named(tmp_path / "in", lines)
    repair = nk.repairs.relabel(dataset, MASK)
    classes = upload(repair, tmp_path / "p")
    assert list(classes) == ["root", "Segment_1089", "SSp-un"]
    missing = nk.check(repair.dataset).by_code()["value-without-class"]
    assert [f.message for f in missing] == ["value 2 (12 voxels) has no class: Segment_1089"]
    unused = nk.check(repair.dataset).by_code()["class-without-value"]
    assert "1 TMv, 2 SSp-m6b" in unused[0].message


def test_a_saved_repair_has_its_classes_by_the_new_values(tmp_path: Path) -> None:
    lines = "997 root 1 2 3\n614454277 SSp-un\n1 TMv\n2 SSp-m6b\n"
    repair = nk.repairs.relabel(named(tmp_path / "in", lines), MASK)
    repair.save(tmp_path / "out")
    again = nk.scan(tmp_path / "out", segmentation="semantic")
    assert [(entry.value, entry.name) for entry in again.classes] == [
        (1, "root"),
        (2, "Segment_1089"),
        (3, "SSp-un"),
    ]
    assert again.classes[1].color == (1, 2, 3)
    ours, theirs = (nk.plan(dataset).objects for dataset in (repair.dataset, again))
    assert [o.class_name for o in ours] == [o.class_name for o in theirs]
    (unused,) = nk.check(again).by_code()["file-unused"]
    assert "old and new label values" in unused.message
    text = (tmp_path / "out" / "relabelled.tsv").read_text()
    assert text.splitlines() == [
        "file\told\tnew",
        "CT/seg.nii\t997\t1",
        "CT/seg.nii\t1089\t2",
        "CT/seg.nii\t614454277\t3",
    ]


def test_in_the_table_of_values_no_name_is_a_formula(tmp_path: Path) -> None:
    write_nifti(tmp_path / "in" / "=a.nii")
    write_nifti(tmp_path / "in" / "=a" / "seg.nii", boxes((997, 1089)))
    nk.repairs.relabel(nk.scan(tmp_path / "in"), "=a/seg.nii").save(tmp_path / "out")
    lines = (tmp_path / "out" / "relabelled.tsv").read_text().splitlines()
    assert {line.split("\t")[0] for line in lines[1:]} == {"'=a/seg.nii"}


def test_a_number_that_a_person_gives_is_asked_for_in_the_class_map(tmp_path: Path) -> None:
    dataset = named(tmp_path, "1 Femur\n", (255, -1))
    repair = nk.repairs.relabel(dataset, MASK, {255: 1, -1: 0})
    assert [planned.class_name for planned in nk.plan(repair.dataset).objects] == ["Femur"]


def test_a_number_that_the_class_map_has_not_keeps_the_old_class(tmp_path: Path) -> None:
    dataset = named(tmp_path, "614454277 SSp-un\n", (614454277,))
    repair = nk.repairs.relabel(dataset, MASK, {614454277: 3})
    (planned,) = nk.plan(repair.dataset).objects
    assert (planned.class_name, planned.value) == ("SSp-un", 3)


def test_two_classes_for_one_number_are_refused(tmp_path: Path) -> None:
    dataset = named(tmp_path, "997 root\n1 TMv\n", (997,))
    with pytest.raises(RepairRefused, match="two classes are possible") as caught:
        nk.repairs.relabel(dataset, MASK, {997: 1})
    assert caught.value.found == "1 is TMv in the class map, and what becomes 1 is root"
    repair = nk.repairs.relabel(dataset, MASK, {997: 3})  # the remedy, to the letter
    assert [planned.class_name for planned in nk.plan(repair.dataset).objects] == ["root"]


def test_the_same_ids_take_the_same_classes_of_a_project(tmp_path: Path) -> None:
    first = nk.repairs.relabel(
        nk.scan(source(tmp_path / "a", (997, 70000)), segmentation="semantic"), MASK
    )
    upload(first, tmp_path / "p")
    second = nk.repairs.relabel(
        nk.scan(source(tmp_path / "b", (70000, 1)), segmentation="semantic"), MASK
    )
    plan = nk.plan(second.dataset, target=nk.ProjectFolder(tmp_path / "p", dataset="e"))
    # 997 is described as pixel value 1 there: it is not the class of what was 1 here.
    assert [planned.class_name for planned in plan.objects] == ["Segment_1", "Segment_70000"]


# Scores: Label-N is the value in the file as it was


def scored(folder: Path, header: str, values: tuple[float, ...] = (-1, 1, 2)) -> Any:
    for plane in ("axl", "cor", "sag"):
        write_nifti(folder / f"{plane}_anatomic.nii")
    write_nifti(folder / "axl_inference.nii", boxes(values, "i2"))
    (folder / "axl_score.csv").write_text(f"{header}\n2,0.9,0.8\n3,0.7,\n")
    return nk.scan(folder)


def scores(plan: Any) -> dict[str, list[str]]:
    return {
        planned.class_name: [s["score"] for s in planned.scores["0-0-1"].values()]
        for planned in plan.objects
        if planned.scores
    }


def test_scores_stay_with_their_labels(tmp_path: Path) -> None:
    dataset = scored(tmp_path / "in", "Layer,Label-1,Label-2")
    repair = nk.repairs.relabel(dataset, "axl_inference.nii")
    assert [planned.value for planned in nk.plan(repair.dataset).objects] == [1, 2, 3]
    expected = {"Segment_1": ["0.90", "0.70"], "Segment_2": ["0.80"]}
    assert scores(nk.plan(repair.dataset)) == expected
    repair.save(tmp_path / "out")
    assert scores(nk.plan(nk.scan(tmp_path / "out"))) == expected


@pytest.mark.parametrize(
    ("header", "mapping", "found"),
    [
        ("Layer,Label-1,Label-2", {2: 1, -1: 0}, "columns Label-1, Label-2, whose values become"),
        ("Layer,Label-1,Label-9", {2: 9, -1: 0}, "columns Label-9, whose values the mask does not"),
    ],
)
def test_columns_that_would_be_mixed_up_are_refused(
    header: str, mapping: dict[float, int], found: str, tmp_path: Path
) -> None:
    dataset = scored(tmp_path, header)
    with pytest.raises(RepairRefused, match="would be mixed up") as caught:
        nk.repairs.relabel(dataset, "axl_inference.nii", mapping)
    assert str(caught.value.found).startswith(found)


def test_an_item_is_its_masks(tmp_path: Path) -> None:
    dataset = nk.scan(source(tmp_path, IDS), segmentation="semantic")
    assert table(nk.repairs.relabel(dataset, dataset.items[0])) == [
        (997, 1),
        (1089, 2),
        (614454277, 3),
    ]
    assert table(nk.repairs.relabel(dataset, dataset.items)) == [
        (997, 1),
        (1089, 2),
        (614454277, 3),
    ]


# Chains, and remedies to the letter


def test_a_chain_keeps_what_the_values_were_at_first(tmp_path: Path) -> None:
    dataset = nk.scan(source(tmp_path, IDS), segmentation="semantic")
    first = nk.repairs.relabel(dataset, MASK)
    second = nk.repairs.relabel(first.dataset, MASK, {1: 10})
    third = nk.repairs.reorient(second.dataset, MASK)
    assert sorted(table(third)) == [(997, 10), (1089, 2), (614454277, 3)]
    names = [planned.class_name for planned in nk.plan(third.dataset).objects]
    assert names == ["Segment_1089", "Segment_614454277", "Segment_10"]


CALL = re.compile(r"nk\.repairs\.relabel\(dataset, '[^']*'(?:, \{[^}]*\})?\)")


@pytest.mark.parametrize(
    ("values", "dtype", "calls"),
    [
        ((-1, 1), "i2", 2),
        ((-1, -2, -3, 1), "i2", 2),
        ((-1, 70000, 1), "i4", 1),
        (IDS, "u4", 1),
        ((1, math.nan), "f4", 1),
        ((-1.0, 1.0), "f8", 2),
        ((-1e300, 1.0), "f8", 2),
    ],
)
def test_each_remedy_can_be_pasted_and_ends_right(
    values: tuple[float, ...], dtype: str, calls: int, tmp_path: Path
) -> None:
    dataset = nk.scan(source(tmp_path / "in", values, dtype), segmentation="semantic")
    (error,) = nk.check(dataset).errors
    found = CALL.findall(error.remedy)
    assert len(found) == calls
    for number, call in enumerate(found):
        if values == (-1e300, 1.0) and "{" not in call:
            continue
        repair = eval(call, {"nk": nk, "dataset": dataset, "float": float})
        assert upload(repair, tmp_path / f"p{number}")


def test_ids_that_float32_cannot_hold_are_said_to_be_others_perhaps(tmp_path: Path) -> None:
    dataset = nk.scan(source(tmp_path, (614454277, 2), "f4"), segmentation="semantic")
    (error,) = nk.check(dataset).errors
    assert "float32 holds no odd numbers above 16,777,216" in error.message
    repair = nk.repairs.relabel(dataset, MASK)
    assert "ids above 16,777,216 may have become their neighbours" in repair.files[0].what


def test_too_many_values_are_a_picture(tmp_path: Path) -> None:
    shape = (60, 60, 60)
    write_nifti(tmp_path / "CT.nii", np.zeros(shape, "i2"))
    write_nifti(tmp_path / MASK, np.arange(216_000, dtype="i4").reshape(shape) - 5)
    with pytest.raises(RepairRefused, match="too many different values"):
        nk.repairs.relabel(nk.scan(tmp_path), MASK)


def test_more_values_than_numbers_are_refused(tmp_path: Path) -> None:
    shape = (60, 60, 20)
    write_nifti(tmp_path / "CT.nii", np.zeros(shape, "i2"))
    write_nifti(tmp_path / MASK, np.arange(72_000, dtype="i4").reshape(shape) + 1)
    with pytest.raises(RepairRefused, match="more values than numbers") as caught:
        nk.repairs.relabel(nk.scan(tmp_path), MASK)
    assert caught.value.found == "72,000 values"


# Scaled integers


@pytest.mark.parametrize("values", list(itertools.product((1, 2, 3, 5), (4, 7))))
@pytest.mark.parametrize("slope", [5 / 7, 0.9, 0.5, 1 / 3, 0.0039])
def test_scaled_integers_with_steps_below_1_are_the_labels_that_were_saved(
    slope: float, values: tuple[int, int], tmp_path: Path
) -> None:
    labels = boxes(values, "f8")
    stored = np.rint(labels / np.float32(slope)).astype("i2")
    write_nifti(tmp_path / "CT.nii")
    write_array(tmp_path / MASK, stored, scl_slope=slope)
    dataset = nk.scan(tmp_path, segmentation="semantic")
    plan = nk.plan(dataset)
    assert not plan.blockers
    found = {planned.value: planned.voxels for planned in plan.objects}
    assert found == {value: int((labels == value).sum()) for value in values}


@pytest.mark.parametrize("slope", [1.5, 1.7, 3.92])
def test_scaled_integers_in_larger_steps_are_not_rounded(slope: float, tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii")
    write_array(tmp_path / MASK, boxes((1, 3), "u1"), scl_slope=slope)
    dataset = nk.scan(tmp_path)
    (error,) = nk.check(dataset).errors
    assert f"in steps of {slope:g} (scl_slope)" in error.message
    assert "what has merged cannot be had back" in error.remedy
    with pytest.raises(nk.errors.BadLabels, match="rounding does not bring them back"):
        nk.repairs.round_labels(dataset, MASK)
    assert nk.repairs.round_labels(dataset, MASK, threshold=2).labels


@pytest.mark.parametrize("slope", [2.0, 7.5, 10.0, -3.0])
def test_scaled_integers_in_larger_steps_block_even_where_all_values_are_whole(
    slope: float, tmp_path: Path
) -> None:
    write_nifti(tmp_path / "CT.nii")
    step = 2 if slope == 7.5 else 1
    sign = int(np.sign(slope))
    write_array(tmp_path / MASK, sign * boxes((step, 2 * step), "i2"), scl_slope=slope)
    values = [int(abs(slope) * step), int(abs(slope) * 2 * step)]
    dataset = nk.scan(tmp_path, segmentation="semantic")
    (error,) = nk.plan(dataset).blockers
    assert (error.code, error.path) == ("labels-merged", MASK)
    assert f"in steps of {abs(slope):g} (scl_slope)" in error.message
    assert f"found {values[0]}, {values[1]}" in error.message
    accepted = nk.plan(dataset, waive=[("labels-merged", MASK)])
    assert not accepted.blockers
    assert [o.value for o in accepted.objects] == values
    assert not accepted.left_out
    for repair in (
        nk.repairs.round_labels,
        nk.repairs.relabel,
        nk.repairs.drop_specks,
        nk.repairs.resample,
        lambda d, f: nk.repairs.take_header(d, f, order="RAS"),
        lambda d, f: nk.repairs.relabel(d, f, {values[0]: 1}),
    ):
        with pytest.raises(RepairRefused, match="became one"):
            repair(dataset, MASK)
    said = nk.repairs.relabel(dataset, MASK, {value: value for value in values})
    plan = nk.plan(said.dataset)
    assert not plan.blockers
    assert [o.value for o in plan.objects] == values
    assert [o.voxels for o in plan.objects] == [o.voxels for o in accepted.objects]
    assert [c.name for c in plan.classes] == [c.name for c in accepted.classes]


def test_labels_that_merged_to_nothing_block_too(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii")
    write_array(tmp_path / MASK, 0 * boxes((1, 2), "u1"), scl_slope=7.98)
    (error,) = nk.check(nk.scan(tmp_path)).errors
    assert error.code == "labels-merged"
    assert "found no label" in error.message


def test_labels_of_which_one_alone_is_still_whole_block(tmp_path: Path) -> None:
    """As nilearn saves 1, 2 and 2035 like a reference of bytes: 2035 is left."""
    write_nifti(tmp_path / "CT.nii")
    write_array(tmp_path / MASK, boxes((255,), "u1"), scl_slope=2035 / 255)
    (error,) = nk.check(nk.scan(tmp_path)).errors
    assert error.code == "labels-merged"
    assert "found 2035" in error.message


def test_merged_labels_are_neither_aligned_nor_merged_as_channels(tmp_path: Path) -> None:
    ct = write_nifti(tmp_path / "CT.nii")
    channels = np.stack([boxes((1, 2), "u1") == value for value in (1, 2)], axis=-1)
    mask = write_array(tmp_path / MASK, 255 * channels.astype("u1"), scl_slope=2035 / 255)
    dataset = nk.scan(tmp_path, segmentation="semantic")
    with pytest.raises(RepairRefused, match="became one") as caught:
        nk.repairs.merge_frames(dataset, MASK)
    assert "threshold=1" in caught.value.remedy
    plan = nk.plan(nk.repairs.merge_frames(dataset, MASK, threshold=1).dataset)
    assert not plan.blockers
    assert [o.voxels for o in plan.objects] == channels.sum((0, 1, 2)).tolist()
    write_array(mask, boxes((1, 2), "u1"), scl_slope=2)
    with pytest.raises(RepairRefused, match="became one"):
        nk.align_mask(mask, ct)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"axl": {1: 5}}, "1 is Femur here"),
        ({"axl": {1: 5}, "cor": {2: 6}}, "is (Femur|Tibia) here"),
        ({"axl": {1: 5}, "cor": {2: 5}}, "is (Femur|Tibia) here"),
    ],
)
def test_a_save_whose_class_map_would_lose_a_class_is_refused(
    tmp_path: Path, changes: dict[str, dict[int, int]], found: str
) -> None:
    source = write_planes(tmp_path / "in")
    (source / "cls_color_map.txt").write_text("1 Femur 9 8 7\n2 Tibia 1 2 3\n")
    dataset = nk.scan(source)
    for plane, values in changes.items():
        repair = nk.repairs.relabel(dataset, f"{plane}_inference.nii.gz", values)
        dataset = repair.dataset
    with pytest.raises(RepairRefused, match=found):
        repair.save(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_save_that_would_give_a_value_without_a_class_that_of_another_is_refused(
    tmp_path: Path,
) -> None:
    source = write_planes(tmp_path / "in")
    (source / "cls_color_map.txt").write_text("1 Femur 9 8 7\n2 Tibia 1 2 3\n")
    five = np.zeros(SHAPE, np.uint8)
    five[1:3, 1:3, 1] = 5
    for plane in ("cor", "sag"):
        write_nifti(source / f"{plane}_inference.nii.gz", five)
    repair = nk.repairs.relabel(nk.scan(source), "axl_inference.nii.gz", {1: 5})
    with pytest.raises(RepairRefused, match="5 is Segment_5 here"):
        repair.save(tmp_path / "out")


@pytest.mark.parametrize("outside", [False, True])
def test_classes_that_were_given_are_saved_beside_the_files(tmp_path: Path, outside: bool) -> None:
    source = write_planes(tmp_path / "in")
    given = tmp_path / "classes.txt"
    given.write_text("1 Femur 9 8 7\n2 Tibia 1 2 3\n")
    classes = given if outside else {1: "Femur", 2: "Tibia"}
    write_nifti(source / "axl_inference.nii.gz", np.ones(SHAPE, np.uint8), np.eye(4))
    dataset = nk.scan(source, classes=classes)
    repair = nk.repairs.take_header(dataset, "axl_inference.nii.gz")
    repair.save(tmp_path / "out")
    saved = nk.scan(tmp_path / "out")
    assert [(e.value, e.name, e.color) for e in saved.classes] == [
        (e.value, e.name, e.color) for e in dataset.classes
    ]
    assert [entry.name for entry in saved.classes] == ["Femur", "Tibia"]


def test_a_save_that_would_lose_the_classes_by_file_is_refused(tmp_path: Path) -> None:
    source = write_planes(tmp_path / "in")
    files = [f"{plane}_inference.nii.gz" for plane in ("axl", "cor", "sag")]
    dataset = nk.scan(source, classes=dict.fromkeys(files, "Patella"))
    repair = nk.repairs.relabel(dataset, files[0], {1: 5})
    with pytest.raises(RepairRefused, match="Patella"):
        repair.save(tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert {o.class_name for item in nk.plan(repair.dataset).items for o in item.objects} == {
        "Patella"
    }


def test_masks_that_are_relabelled_alike_keep_their_classes_when_saved(tmp_path: Path) -> None:
    source = write_planes(tmp_path / "in")
    (source / "cls_color_map.txt").write_text("1 Femur 9 8 7\n2 Tibia 1 2 3\n")
    files = [f"{plane}_inference.nii.gz" for plane in ("axl", "cor", "sag")]
    repair = nk.repairs.relabel(nk.scan(source), files, {1: 5})
    repair.save(tmp_path / "out")
    landed = [
        [(o.class_name, o.value, o.voxels) for item in nk.plan(ds).items for o in item.objects]
        for ds in (repair.dataset, nk.scan(tmp_path / "out"))
    ]
    assert landed[0] == landed[1]
    assert {name for name, *_ in landed[0]} == {"Femur", "Tibia"}
