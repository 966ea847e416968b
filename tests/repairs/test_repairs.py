"""Repairs: what they do, what they refuse, what they prove; the source is never touched."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
from pathlib import Path, PurePosixPath

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import apply_orientation, inv_ornt_aff

import nifti_kit as nk
from nifti_kit.core.geometry import compare_grids
from nifti_kit.errors import BadLabels, BadScores, RepairRefused, UnreadableFile, UnsupportedImage
from nifti_kit.formats.nifti import read_header
from nifti_kit.repairs import Measure, Repair
from nifti_kit.transfer.proof import Proof
from tests.support.builders import AFFINE, SAMPLES, SHAPE, labels, volume, write_nifti, write_planes

MASK = "axl_inference.nii.gz"


def moved(*shift: float) -> np.ndarray:
    affine = np.array(AFFINE)
    affine[:3, 3] += shift
    return affine


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_planes(tmp_path / "in")


def alignment(repair: Repair, name: str = MASK) -> str:
    """Return a mask's verdict in the repaired dataset."""
    for item in repair.dataset.items:
        for mask in item.masks:
            if mask.relative.name == name:
                assert item.volume is not None
                return compare_grids(mask.grid, item.volume.grid).verdict
    raise AssertionError(name)


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def landed(repair: Repair, folder: Path, waive: tuple[str, ...] = ()) -> Proof:
    """Land a repaired dataset and return the proof; nothing may be in the way."""
    target = nk.ProjectFolder(folder, dataset="d")
    receipt = nk.upload(nk.plan(repair.dataset, waive=waive), target, on_progress=lambda _: None)
    proof = nk.verify(receipt, target)
    assert proof.ok
    return proof


# The header


def test_take_header_puts_a_mask_where_its_volume_is(source: Path) -> None:
    write_nifti(source / MASK, labels(), moved(10, 0, 0))
    repair = nk.repairs.take_header(nk.scan(source), MASK)
    assert alignment(repair) == "same"
    assert nk.check(repair.dataset).ok
    (change,) = repair.files
    assert change.what == "took the header of axl_anatomic.nii.gz"
    assert change.before == "translated: 5 x 6 x 7 voxels, 10 mm"
    assert change.after == "same: 5 x 6 x 7 voxels, 0 mm"


def test_the_proof_has_voxels_volume_and_centroid_of_every_label(source: Path) -> None:
    write_nifti(source / MASK, labels(), moved(10, 0, 0))
    repair = nk.repairs.take_header(nk.scan(source), MASK)
    assert [change.value for change in repair.labels] == [1, 2]
    for change in repair.labels:
        points = np.argwhere(labels() == change.value)
        centre = points.mean(axis=0) @ AFFINE[:3, :3] + AFFINE[:3, 3]
        after, before = change.after, change.before
        assert after is not None
        assert before is not None
        assert after.voxels == len(points)
        assert after.mm3 == pytest.approx(30.0 * len(points))
        assert after.centroid == pytest.approx(centre)
        assert before.centroid == pytest.approx(centre + np.array([10, 0, 0]))
        assert change.moved_mm == pytest.approx(10.0)


def test_take_header_refuses_another_shape(source: Path) -> None:
    write_nifti(source / MASK, labels((5, 6, 8)), AFFINE)
    with pytest.raises(RepairRefused, match="another shape than its volume") as caught:
        nk.repairs.take_header(nk.scan(source), MASK)
    assert caught.value.found == (5, 6, 8)
    assert caught.value.expected == (5, 6, 7)


def test_take_header_mends_a_mask_whose_own_header_is_of_no_use(source: Path) -> None:
    (source / MASK).unlink()
    name = "axl_inference.nii"
    content = bytearray(write_nifti(source / name, labels()).read_bytes())
    content[280:284] = bytes(4)  # srow_x[0]: an axis of length 0
    (source / name).write_bytes(content)
    dataset = nk.scan(source)
    assert "grid-unusable" in nk.check(dataset).by_code()
    with pytest.raises(RepairRefused, match="no place in space"):
        nk.repairs.resample(dataset, name)
    assert alignment(nk.repairs.take_header(dataset, name), name) == "same"


# The order

ORDERS = ["".join(codes) for codes in itertools.permutations("RAS")] + ["LPI", "SRA", "PIL"]


def stored_as(array: np.ndarray, codes: str, affine: np.ndarray = AFFINE) -> nib.Nifti1Image:
    """Return an image of the same voxels in the same places, stored in another order."""
    start = nib.io_orientation(affine)
    change = nib.orientations.ornt_transform(start, nib.orientations.axcodes2ornt(codes))
    turned = apply_orientation(array, change)
    return nib.Nifti1Image(turned, affine @ inv_ornt_aff(change, array.shape), dtype=array.dtype)


@pytest.mark.parametrize("codes", ORDERS)
def test_reorient_brings_a_mask_into_its_volumes_order_to_the_voxel(
    codes: str, source: Path
) -> None:
    nib.save(stored_as(labels(), codes), source / MASK)
    repair = nk.repairs.reorient(nk.scan(source), MASK)
    assert alignment(repair) == "same"
    (item,) = (item for item in repair.dataset.items if item.plane == "axl")
    assert item.masks[0].grid.shape == SHAPE
    for change in repair.labels:
        assert change.before is not None
        assert change.after is not None
        assert change.before.voxels == change.after.voxels
        assert change.moved_mm == pytest.approx(0, abs=1e-4)


def test_reorient_keeps_a_mask_on_another_grid_where_it_is(source: Path) -> None:
    nib.save(stored_as(labels(), "LPI", moved(10, 0, 0)), source / MASK)
    repair = nk.repairs.reorient(nk.scan(source), MASK)
    assert alignment(repair) == "translated"
    assert [change.moved_mm for change in repair.labels] == pytest.approx([0, 0], abs=1e-4)


# The grid


def ball(
    shape: tuple[int, int, int], affine: np.ndarray, centre: np.ndarray, mm: float
) -> np.ndarray:
    """Return a label map with a ball in world space."""
    points = np.stack(np.indices(shape), axis=-1) @ affine[:3, :3].T + affine[:3, 3]
    return (np.linalg.norm(points - centre, axis=-1) <= mm).astype(np.uint8)


def oblique(size: float, origin: tuple[float, float, float], degrees: float) -> np.ndarray:
    turn = np.radians(degrees)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    affine[:3, :3] *= size
    affine[:3, 3] = origin
    return affine


@pytest.mark.parametrize(("size", "degrees"), [(0.7, 0), (0.9, 20), (1.3, -35)])
def test_resample_keeps_a_smooth_organ_within_two_percent(
    size: float, degrees: float, tmp_path: Path
) -> None:
    grid, other = np.diag([1.0, 1, 1, 1]), oblique(size, (-15.0, -15.0, -1.0), degrees)
    organ = ball((90, 90, 60), other, np.array([20.0, 20, 20]), 14)
    write_nifti(tmp_path / "CT.nii.gz", volume((40, 40, 40)), grid)
    write_nifti(tmp_path / "CT" / "organ.nii.gz", organ, other)
    dataset = nk.scan(tmp_path)
    assert "mask-resampled" in nk.check(dataset, voxels=False).by_code()
    repair = nk.repairs.resample(dataset, "CT/organ.nii.gz")
    assert alignment(repair, "organ.nii.gz") in ("same", "rounding")
    (change,) = repair.labels
    assert change.before is not None
    assert change.after is not None
    assert change.after.mm3 == pytest.approx(change.before.mm3, rel=0.02)
    assert change.moved_mm == pytest.approx(0, abs=0.1)


def gathered(mask: np.ndarray, affine: np.ndarray, shape: tuple, target: np.ndarray) -> np.ndarray:
    """Return nearest neighbours, voxel by voxel: another way than the product's."""
    out = np.zeros(shape, mask.dtype)
    inverse = np.linalg.inv(affine)
    for index in np.ndindex(*shape):
        world = target @ [*index, 1.0]
        at = np.floor((inverse @ world)[:3] + 0.5).astype(int)
        if ((at >= 0) & (at < mask.shape)).all():
            out[index] = mask[tuple(at)]
    return out


def test_resample_takes_the_voxel_that_holds_each_centre_sheared_masks_too(source: Path) -> None:
    other = np.array([[1.9, 0.3, 0, -11.1], [0, 2.7, 0.2, 3.9], [0, 0, 4.1, 6.9], [0, 0, 0, 1]])
    mask = np.random.default_rng(3).integers(0, 5, (6, 7, 8)).astype(np.uint8)
    write_nifti(source / MASK, mask, other)
    repair = nk.repairs.resample(nk.scan(source), MASK)
    saved = repair.save(source.parent / "out")
    path = next(path for path in saved if path.name == MASK)
    expected = gathered(mask, nib.load(source / MASK).affine, SHAPE, AFFINE)
    np.testing.assert_array_equal(np.asanyarray(nib.load(path).dataobj), expected)
    assert alignment(repair) == "same"


def test_a_label_that_falls_between_the_voxels_is_named_as_lost(source: Path) -> None:
    fine = np.diag([0.5, 0.75, 1.25, 1.0])
    fine[:3, 3] = AFFINE[:3, 3]
    mask = np.zeros((20, 24, 28), np.uint8)
    mask[4:12, 4:12, 4:12] = 1
    mask[1, 1, 1] = 7  # no centre of the volume lies in it
    write_nifti(source / MASK, mask, fine)
    repair = nk.repairs.resample(nk.scan(source), MASK)
    assert [change.value for change in repair.lost] == [7]
    assert repair.files[0].what.endswith("; no voxel is left of 7")
    assert "1 label LOST" in repr(repair)
    assert "no voxel is left of 7" in str(nk.plan(repair.dataset).findings)


def test_resample_refuses_a_mask_that_lies_elsewhere(source: Path) -> None:
    write_nifti(source / MASK, labels(), moved(500, 0, 0))
    with pytest.raises(RepairRefused, match="nothing of the mask lies in its volume"):
        nk.repairs.resample(nk.scan(source), MASK)


# The values


def test_round_labels_takes_each_value_to_the_nearest_whole_number(source: Path) -> None:
    array = labels().astype(np.float32)
    array[array == 1] = 1.2
    array[array == 2] = 2.0
    write_nifti(source / MASK, array)
    dataset = nk.scan(source)
    assert "labels-unusable" in nk.check(dataset).by_code()
    repair = nk.repairs.round_labels(dataset, nk.check(dataset).by_code()["labels-unusable"])
    count = int((labels() == 1).sum())
    first, second = repair.labels
    assert (first.value, first.before) == (1, None)
    assert first.after is not None
    assert first.after.voxels == count
    assert second.before == second.after
    landed(repair, source.parent / "p")


def test_a_threshold_makes_a_mask_of_a_probability_map(source: Path) -> None:
    array = np.linspace(0, 1, 210, dtype=np.float32).reshape(SHAPE)
    write_nifti(source / MASK, array)
    repair = nk.repairs.round_labels(nk.scan(source), MASK, threshold=0.75)
    (change,) = repair.labels
    assert change.after is not None
    assert change.after.voxels == int((array >= 0.75).sum())


@pytest.mark.parametrize(
    ("value", "found"),
    [(-1.4, "values from -1.4 to 0"), (70000.0, "values from 0 to 70000"), (np.nan, "NaN")],
)
def test_rounding_refuses_what_is_no_label(value: float, found: str, source: Path) -> None:
    array = np.zeros(SHAPE, np.float32)
    array[1, 2, 3] = value
    write_nifti(source / MASK, array)
    with pytest.raises(RepairRefused) as caught:
        nk.repairs.round_labels(nk.scan(source), MASK)
    assert caught.value.found == f"{found} in frame 4"


def test_drop_specks_removes_small_parts_and_nothing_else(source: Path) -> None:
    array = np.zeros(SHAPE, np.uint8)
    array[0:3, 0:4, 0:3] = 2  # 36 voxels
    array[4, 5, 6] = 2
    array[4, 0:2, 6] = 3  # all of 3
    write_nifti(source / MASK, array)
    repair = nk.repairs.drop_specks(nk.scan(source), MASK, fewer_than=10)
    path = next(p for p in repair.save(source.parent / "out") if p.name == MASK)
    expected = array.copy()
    expected[4] = 0
    np.testing.assert_array_equal(np.asanyarray(nib.load(path).dataobj), expected)
    assert repair.files[0].what == "dropped 2 specks (3 voxels); no voxel is left of 3"


def test_a_part_within_the_box_of_a_speck_stays(source: Path) -> None:
    array = np.zeros((9, 9, 3), np.uint8)
    array[range(7), range(7), 1] = 1  # a speck across: its box is 7 x 7
    array[0:2, 5:7, 0:3] = 1  # 12 voxels in a corner of that box
    for plane in ("axl", "cor", "sag"):
        write_nifti(source / f"{plane}_anatomic.nii.gz", volume((9, 9, 3)))
    write_nifti(source / MASK, array)
    repair = nk.repairs.drop_specks(nk.scan(source), MASK)
    (change,) = repair.labels
    assert change.after is not None
    assert change.after.voxels == 12


def test_a_part_of_just_as_many_voxels_is_no_speck(source: Path) -> None:
    array = np.zeros(SHAPE, np.uint8)
    array[0:2, 0:5, 0] = 1  # 10 voxels
    array[4, 0:3, 0:3] = 1  # 9 voxels
    write_nifti(source / MASK, array)
    repair = nk.repairs.drop_specks(nk.scan(source), MASK, fewer_than=10)
    assert repair.files[0].what == "dropped 1 speck (9 voxels)"


def test_dropping_specks_where_there_are_none_is_refused(source: Path) -> None:
    array = np.zeros(SHAPE, np.uint8)
    array[0:3, 0:4, 0:3] = 1
    write_nifti(source / MASK, array)
    with pytest.raises(RepairRefused, match="no part of fewer than 10 voxels"):
        nk.repairs.drop_specks(nk.scan(source), MASK)


# Frames


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("frame", [1, 3])
def test_pick_frame_makes_an_item_of_a_4d_volume_bit_for_bit(
    frame: int, packed: bool, tmp_path: Path
) -> None:
    name = "MR.nii.gz" if packed else "MR.nii"
    array = np.random.default_rng(1).integers(-9, 9, (*SHAPE, 3)).astype(">i2")
    header = nib.Nifti1Header(endianness=">")
    nib.save(nib.Nifti1Image(array, AFFINE, header, dtype=">i2"), tmp_path / name)
    write_nifti(tmp_path / "MR" / "organ.nii.gz", labels())
    dataset = nk.scan(tmp_path)
    assert not dataset.items
    repair = nk.repairs.pick_frame(dataset, name, frame)
    (item,) = repair.dataset.items
    assert item.volume is not None
    assert (item.volume.shape, item.name, len(item.masks)) == (SHAPE, "MR.nrrd", 1)
    assert repair.files[0].before == "not usable"
    path = next(p for p in repair.save(tmp_path.parent / f"{tmp_path.name}_out") if p.name == name)
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == packed
    picked = nib.load(path)
    np.testing.assert_array_equal(picked.get_fdata(), array[..., frame - 1])
    np.testing.assert_allclose(picked.affine, AFFINE)
    (left,) = nk.plan(repair.dataset).blockers
    assert left.code == "frames-left"
    others = ", ".join(str(number) for number in (1, 2, 3) if number != frame)
    assert left.message == f"frames {others} of 3 do not land"
    landed(repair, tmp_path.parent / f"{tmp_path.name}_p", waive=("frames-left",))


@pytest.mark.parametrize("frame", [0, 4, -1])
def test_a_frame_that_is_not_there_is_refused(frame: int, tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.zeros((*SHAPE, 3), np.uint8), AFFINE), tmp_path / "MR.nii")
    with pytest.raises(UnsupportedImage, match="no such frame") as caught:
        nk.repairs.pick_frame(nk.scan(tmp_path), "MR.nii", frame)
    assert caught.value.expected == "a frame from 1 to 3"


def test_a_4d_file_that_is_cut_short_is_named(tmp_path: Path) -> None:
    path = tmp_path / "MR.nii"
    nib.save(nib.Nifti1Image(np.zeros((*SHAPE, 3), np.uint8), AFFINE), path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(UnreadableFile, match="ends before the frame's last voxel"):
        nk.repairs.pick_frame(nk.scan(tmp_path), "MR.nii", 3)


# Tables


def write_scores(source: Path, text: str) -> None:
    (source / "axl_score.csv").write_text(text)


def test_rebase_layers_reads_a_table_that_counts_from_0(source: Path) -> None:
    write_scores(source, "Layer,Label-1\n2,0.9\n0,0.5\n")
    dataset = nk.scan(source)
    codes = [found.code for found in nk.check(dataset).errors]
    assert codes == ["scores-base-unsaid", "scores-layer-zero"]
    repair = nk.repairs.rebase_layers(dataset, "axl_score.csv", base=0)
    plan = nk.plan(repair.dataset)
    assert not plan.blockers
    (scored,) = (planned.scores for planned in plan.objects if planned.scores)
    assert scored == {
        "0-0-1": {
            "0": {"score": "0.50", "comment": None},
            "2": {"score": "0.90", "comment": None},
        }
    }
    assert repair.files[0].before == "1 score on layers 2; 1 finding"
    assert repair.files[0].after == "2 scores on layers 1, 3"


def test_a_rebased_table_counts_from_1_whatever_the_dataset_was_scanned_with(source: Path) -> None:
    write_scores(source, "Layer,Label-1\n2,0.9\n")
    dataset = nk.scan(source, score_base=0)
    plan = nk.plan(nk.repairs.rebase_layers(dataset, "axl_score.csv", base=1).dataset)
    assert [list(o.scores["0-0-1"]) for o in plan.objects if o.scores] == [["1"]]


def test_a_reversed_table_is_turned_round(source: Path) -> None:
    write_scores(source, "Layer,Label-1\n1,0.1\n3,0.3\n")
    repair = nk.repairs.rebase_layers(nk.scan(source), "axl_score.csv", base=1, reverse=True)
    scores = [o.scores["0-0-1"] for o in nk.plan(repair.dataset).objects if o.scores]
    assert {k: v["score"] for k, v in scores[0].items()} == {"6": "0.10", "4": "0.30"}
    saved = {p.name: p for p in repair.save(source.parent / "out")}
    assert saved["axl_score.csv"].read_text() == "Layer,Label-1\n5,0.30\n7,0.10\n"


def test_a_table_without_masks_is_not_reversed_but_scanned_so(tmp_path: Path) -> None:
    write_scores(tmp_path, "Layer,Label-1\n0,0.1\n3,0.3\n")
    dataset = nk.scan(tmp_path)
    with pytest.raises(RepairRefused) as caught:
        nk.repairs.rebase_layers(dataset, "axl_score.csv", base=0, reverse=True)
    assert caught.value.message == "a table without masks does not say how many frames there are"
    assert caught.value.path == "axl_score.csv"
    assert caught.value.remedy == (
        "nk.scan(..., score_frames='reversed') counts from the last slice of the volume on the "
        "target; or give a dataset that has the volume and its masks with the table."
    )
    again = nk.scan(tmp_path, score_frames="reversed")
    repair = nk.repairs.rebase_layers(again, "axl_score.csv", base=0)
    assert repair.files[0].after == "2 scores on layers 1, 4"
    assert repair.dataset.choices.score_frames == "reversed"


def test_a_table_with_faulty_cells_is_refused_unless_they_may_go(source: Path) -> None:
    write_scores(source, "Layer,Label-1\n1,high\n2,0.4\n")
    dataset = nk.scan(source)
    with pytest.raises(BadScores, match="'high'"):
        nk.repairs.rebase_layers(dataset, "axl_score.csv", base=1)
    repair = nk.repairs.rebase_layers(dataset, "axl_score.csv", base=1, drop_faulty=True)
    assert repair.files[0].after == "1 score on layers 2"


@pytest.mark.parametrize("reverse", [False, True])
def test_layers_that_the_masks_do_not_have_go_with_the_faulty_cells(
    reverse: bool, source: Path
) -> None:
    write_scores(source, "Layer,Label-1\n1,high\n2,0.4\n8,0.5\n9,80%\n")
    repair = nk.repairs.rebase_layers(
        nk.scan(source), "axl_score.csv", base=1, reverse=reverse, drop_faulty=True
    )
    assert repair.files[0].after == f"1 score on layers {6 if reverse else 2}"
    assert not nk.plan(repair.dataset).blockers


# What all of them share


def test_the_source_is_never_touched(source: Path) -> None:
    write_nifti(source / MASK, labels(), moved(10, 0, 0))
    before = contents(source)
    repair = nk.repairs.take_header(nk.scan(source), MASK)
    landed(repair, source.parent / "p")
    repair.save(source.parent / "out")
    assert contents(source) == before


def test_the_dataset_that_was_given_is_as_it_was(source: Path) -> None:
    write_nifti(source / MASK, labels(), moved(10, 0, 0))
    dataset = nk.scan(source)
    found = nk.check(dataset)
    nk.repairs.take_header(dataset, MASK)
    assert nk.check(dataset) == found
    assert dataset.mended == ()


def test_a_repair_is_on_record_in_findings_plan_and_receipt(source: Path) -> None:
    write_nifti(source / MASK, labels(), moved(10, 0, 0))
    repair = nk.repairs.take_header(nk.scan(source), MASK)
    target = nk.ProjectFolder(source.parent / "p", dataset="d")
    plan = nk.plan(repair.dataset)
    receipt = nk.upload(plan, target, on_progress=lambda _: None)
    for findings in (nk.check(repair.dataset), plan.findings, receipt.findings):
        (found,) = findings.by_code()["repaired"]
        assert (found.path, found.severity) == (MASK, "note")
        assert found.message == "took the header of axl_anatomic.nii.gz"


def test_repairs_follow_one_another_and_all_stay_on_record(source: Path) -> None:
    write_nifti(source / MASK, labels().astype(np.float32) * 1.1, moved(10, 0, 0))
    first = nk.repairs.round_labels(nk.scan(source), MASK)
    second = nk.repairs.take_header(first.dataset, MASK)
    (found,) = nk.check(second.dataset).by_code()["repaired"]
    assert found.message == (
        "rounded to the nearest whole number; took the header of axl_anatomic.nii.gz"
    )
    landed(second, source.parent / "p")


def test_a_plan_of_a_repaired_dataset_is_another_plan(source: Path) -> None:
    write_nifti(source / MASK, labels(), moved(10, 0, 0))
    dataset = nk.scan(source)
    repair = nk.repairs.take_header(dataset, MASK)
    assert nk.plan(dataset).digest != nk.plan(repair.dataset).digest


def test_what_is_not_repaired_is_not_read_again(source: Path) -> None:
    write_nifti(source / MASK, labels(), moved(10, 0, 0))
    dataset = nk.scan(source)
    nk.plan(dataset)
    repair = nk.repairs.take_header(dataset, MASK)
    for name in ("cor_inference.nii.gz", "sag_inference.nii.gz"):
        (source / name).write_bytes(b"gone")
    assert len(nk.plan(repair.dataset).objects) == 6


def test_findings_name_the_files_to_repair(source: Path) -> None:
    for plane in ("axl", "cor"):
        write_nifti(source / f"{plane}_inference.nii.gz", labels(), moved(10, 0, 0))
    dataset = nk.scan(source)
    wrong = nk.check(dataset).by_code()["mask-translated"]
    repair = nk.repairs.take_header(dataset, wrong)
    assert nk.check(repair.dataset).ok
    assert len(repair.files) == 2
    assert nk.check(nk.repairs.take_header(dataset, wrong[0]).dataset).errors == wrong[1:]


@pytest.mark.parametrize("form", [str, Path, PurePosixPath])
@pytest.mark.parametrize("absolute", [True, False])
def test_a_file_may_be_named_in_any_way(form: type, absolute: bool, source: Path) -> None:
    name = form(source / MASK if absolute else MASK)
    repair = nk.repairs.reorient(nk.scan(source), name)
    assert repair.files[0].file == MASK


def test_a_name_that_means_several_files_or_none_is_refused(tmp_path: Path) -> None:
    for item in ("one", "two"):
        write_planes(tmp_path / item)
    dataset = nk.scan(tmp_path)
    with pytest.raises(RepairRefused, match="several such files") as caught:
        nk.repairs.reorient(dataset, MASK)
    assert caught.value.found == f"one/{MASK}, two/{MASK}"
    assert nk.repairs.reorient(dataset, f"one/{MASK}").files[0].file == f"one/{MASK}"
    for files in ("other.nii.gz", "", []):
        with pytest.raises(RepairRefused):
            nk.repairs.reorient(dataset, files)
    with pytest.raises(RepairRefused, match="that is no file"):
        nk.repairs.reorient(dataset, 3)


def test_a_volume_is_no_mask(source: Path) -> None:
    with pytest.raises(RepairRefused, match="no mask of this dataset"):
        nk.repairs.reorient(nk.scan(source), "axl_anatomic.nii.gz")
    with pytest.raises(RepairRefused, match="no score table"):
        nk.repairs.rebase_layers(nk.scan(source), MASK)


def test_what_is_of_another_kind_is_refused_with_what_is_expected(source: Path) -> None:
    write_scores(source, "Layer,Label-1\n1,0.1\n")
    dataset = nk.scan(source)
    with pytest.raises(RepairRefused) as caught:
        nk.repairs.drop_specks(dataset, "axl_score.csv")
    assert str(caught.value) == (
        "axl_score.csv: it is no mask of this dataset Expected: an annotation file of an item. "
        "Remedy: The findings say why it is not used."
    )
    with pytest.raises(RepairRefused) as caught:
        nk.repairs.rebase_layers(dataset, MASK)
    assert str(caught.value) == (
        f"{MASK}: it is no score table of this dataset Expected: a table of an item. "
        "Remedy: The findings say why it is not used."
    )


def test_a_file_of_a_dataset_is_found_by_itself(source: Path) -> None:
    write_scores(source, "Layer,Label-1\n1,0.1\n")
    dataset = nk.scan(source)
    (item,) = (item for item in dataset.items if item.tables)
    repair = nk.repairs.rebase_layers(dataset, item.tables[0], base=1)
    assert [change.file for change in repair.files] == ["axl_score.csv"]
    for given in (item.masks[0], item.masks[0].image, [MASK, item.masks[0]]):
        assert [c.file for c in nk.repairs.reorient(dataset, given).files] == [MASK]


def test_a_damaged_mask_cannot_be_repaired(source: Path) -> None:
    shape = (64, 64, 32)
    write_nifti(source / "axl_anatomic.nii.gz", volume(shape))
    noise = np.random.default_rng(5).integers(0, 9, shape).astype(np.uint8)
    path = write_nifti(source / MASK, noise)
    path.write_bytes(path.read_bytes()[:-8] + b"checksum")
    dataset = nk.scan(source)
    for repair in (nk.repairs.take_header, nk.repairs.drop_specks, nk.repairs.round_labels):
        with pytest.raises(UnreadableFile):
            repair(dataset, MASK)


def test_a_mask_of_fractions_needs_rounding_first(source: Path) -> None:
    write_nifti(source / MASK, labels() * np.float32(0.5))
    with pytest.raises(BadLabels):
        nk.repairs.take_header(nk.scan(source), MASK)


def test_annotations_are_repaired_against_a_volume_of_the_target(
    source: Path, tmp_path: Path
) -> None:
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    nk.upload(nk.plan(nk.scan(source)), target, on_progress=lambda _: None)
    (ref,) = (ref for ref in target.volumes() if ref.name == "axl_anatomic.nrrd")
    folder = tmp_path / "again"
    write_nifti(folder / MASK, labels(), moved(10, 0, 0))
    (folder / "mapping.json").write_text(json.dumps({MASK: ref.id}))
    dataset = nk.scan(folder)
    with pytest.raises(RepairRefused, match="no volume in this dataset"):
        nk.repairs.take_header(dataset, MASK)
    repair = nk.repairs.take_header(dataset, MASK, volume=ref)
    assert repair.files[0].what == "took the header of axl_anatomic.nrrd"
    plan = nk.plan(repair.dataset)
    receipt = nk.upload(plan, target, existing="replace", on_progress=lambda _: None)
    assert nk.verify(receipt, target).ok


def test_save_writes_the_whole_set_and_the_class_map(tmp_path: Path) -> None:
    source = tmp_path / "in"
    for item in ("one", "two"):
        write_planes(source / item)
    (source / "cls_color_map.txt").write_text("1 Femur\n2 Tibia\n")
    write_nifti(source / "one" / MASK, labels(), moved(10, 0, 0))
    repair = nk.repairs.take_header(nk.scan(source), f"one/{MASK}")
    written = repair.save(tmp_path / "out")
    assert sorted(contents(tmp_path / "out")) == sorted(
        [*(f"one/{name}" for name in contents(source / "one")), "cls_color_map.txt"]
    )
    assert set(written) == {tmp_path / "out" / name for name in contents(tmp_path / "out")}
    again = nk.scan(tmp_path / "out")
    assert not nk.plan(again).findings
    assert read_header(tmp_path / "out" / "one" / MASK).is_packed


def test_save_refuses_the_source_and_folders_that_are_not_empty(source: Path) -> None:
    repair = nk.repairs.reorient(nk.scan(source), MASK)
    with pytest.raises(RepairRefused, match="never touched"):
        repair.save(source / "new")
    (source.parent / "full").mkdir()
    (source.parent / "full" / "a.txt").write_text("mine")
    with pytest.raises(RepairRefused, match="not empty"):
        repair.save(source.parent / "full")
    assert contents(source.parent / "full").keys() == {"a.txt"}


def test_an_archive_is_repaired_too(source: Path) -> None:
    write_nifti(source / MASK, labels(), moved(10, 0, 0))
    archive = shutil.make_archive(str(source.parent / "set"), "zip", source)
    repair = nk.repairs.take_header(nk.scan(archive), MASK)
    landed(repair, source.parent / "p")


def test_names_are_escaped_and_the_table_has_every_label(tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>"
    write_nifti(tmp_path / "CT.nii.gz")
    write_nifti(tmp_path / "CT" / f"{name}.nii.gz", labels(), moved(10, 0, 0))
    repair = nk.repairs.take_header(nk.scan(tmp_path), f"CT/{name}.nii.gz")
    assert "<img" not in repair._repr_html_()
    frame = repair.to_frame()
    assert frame["value"].tolist() == [1, 2]
    assert frame["moved (mm)"].tolist() == ["10.000", "10.000"]
    assert "value 1: 5 voxels as before, 150.0 -> 150.0 mm3, centre moved 10.000 mm" in repr(repair)


def test_a_volume_that_was_given_is_named_by_its_file_or_not_at_all(tmp_path: Path) -> None:
    name = "<b>odd\x1b[31m\nname.nii.gz"
    write_nifti(tmp_path / "in" / MASK, labels(), moved(10, 0, 0))
    file = write_nifti(tmp_path / name)
    dataset = nk.scan(tmp_path / "in")
    shown = r"took the header of <b>odd\x1b[31m\nname.nii.gz"
    for given in (file, str(file)):
        repair = nk.repairs.take_header(dataset, MASK, volume=given)
        assert repair.files[0].what == shown
        assert len(repr(repair).splitlines()) == 6
        assert "&lt;b&gt;odd" in repair._repr_html_()
    for given in (np.array(AFFINE), read_header(file).grid):
        repair = nk.repairs.take_header(dataset, MASK, volume=given)
        assert repair.files[0].what == "took the header of the given volume"


def test_a_label_on_one_side_only_has_not_moved() -> None:
    change = nk.repairs.LabelChange("a.nii", 1, None, Measure(3, 4.0, (0.0, 0.0, 0.0)))
    assert change.moved_mm is None


# The samples, with faults planted


SAMPLE_MASK = "axl_inference.nii.gz"


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAMPLES / "by_plane_semantic", tmp_path / "sample"))


def plant(sample: Path, array: np.ndarray, affine: np.ndarray) -> None:
    image = nib.Nifti1Image(array, affine, dtype=array.dtype)
    nib.save(image, sample / SAMPLE_MASK)


@pytest.mark.parametrize("fault", ["flip", "shift", "header", "grid"])
def test_a_fault_planted_in_a_sample_is_mended(fault: str, sample: Path, tmp_path: Path) -> None:
    image = nib.load(sample / SAMPLE_MASK)
    array, affine = np.asanyarray(image.dataobj), np.array(image.affine)
    if fault == "flip":
        mirror = np.diag([-1.0, 1, 1, 1])
        mirror[0, 3] = array.shape[0] - 1
        plant(sample, array[::-1], affine @ mirror)
        repair = nk.repairs.reorient(nk.scan(sample), SAMPLE_MASK)
    elif fault in ("shift", "header"):
        wrong = np.eye(4) if fault == "header" else affine + np.eye(4, k=3) * 12
        plant(sample, array, wrong)
        repair = nk.repairs.take_header(nk.scan(sample), SAMPLE_MASK)
    else:
        fine = affine @ np.diag([0.5, 0.5, 0.5, 1])
        fine[:3, 3] = (affine @ [-0.25, -0.25, -0.25, 1])[:3]
        plant(sample, array.repeat(2, 0).repeat(2, 1).repeat(2, 2), fine)
        repair = nk.repairs.resample(nk.scan(sample), SAMPLE_MASK)
    assert alignment(repair) in ("same", "rounding")
    counts = {change.value: change.after.voxels for change in repair.labels if change.after}
    values, voxels = np.unique(array[array > 0], return_counts=True)
    assert counts == dict(zip(values.tolist(), voxels.tolist(), strict=True))
    landed(repair, tmp_path / "p")


@pytest.mark.parametrize("column", [np.nan, 0.0], ids=["not finite", "flat"])
@pytest.mark.parametrize("repair", ["relabel", "drop_specks", "round_labels", "merge_frames"])
def test_a_repair_of_values_says_that_a_mask_has_no_place_in_space(
    repair: str, column: float, tmp_path: Path
) -> None:
    write_nifti(tmp_path / "CT.nii")
    array = labels()
    array[0, 0, 0] = 3
    if repair == "merge_frames":
        array = np.stack([array == 1, array == 2], axis=-1).astype("u1")
    path = write_nifti(tmp_path / "CT" / "lung.nii", array)
    content = bytearray(path.read_bytes())
    for row in range(3):
        content[280 + 16 * row : 284 + 16 * row] = np.float32(column).tobytes()
    path.write_bytes(bytes(content))
    dataset = nk.scan(tmp_path, segmentation="semantic")
    more = ({1: 4},) if repair == "relabel" else ()
    with pytest.raises(RepairRefused, match="no place in space") as caught:
        getattr(nk.repairs, repair)(dataset, "CT/lung.nii", *more)
    assert caught.value.path == "CT/lung.nii"
    assert "nk.repairs.take_header(dataset, 'CT/lung.nii')" in caught.value.remedy
