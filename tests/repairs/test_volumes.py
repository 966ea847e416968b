"""Volumes put straight with their masks, and headers whose other form is the right one."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.core.geometry import Grid
from nifti_kit.errors import RepairRefused
from nifti_kit.formats.labels import read_labels
from nifti_kit.repairs import Repair
from tests.support.builders import labels, write_nifti, write_planes

SHAPE = (12, 14, 10)


def smooth(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Return values that rise evenly along each index: linear interpolation is exact on them."""
    i, j, k = np.indices(shape)
    return (100 + 3 * i + 5 * j + 7 * k).astype(np.int16)


def organ(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    array = np.zeros(shape, np.uint8)
    array[3:8, 4:9, 2:8] = 1
    array[4:6, 5:7, 3:5] = 2
    return array


def sheared(degrees: float, axes: tuple[int, int] = (1, 2), turn: float = 0.0) -> np.ndarray:
    """Return an affine whose second axis given leans towards the first one."""
    affine = np.diag([0.7, 0.8, 3.0, 1.0])
    lean, slices = axes
    affine[lean, slices] = affine[slices, slices] * np.tan(np.deg2rad(degrees))
    a = np.deg2rad(turn)
    rotation = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    affine[:3, :3] = rotation @ affine[:3, :3]
    affine[:3, 3] = [-8.5, -9.25, 20.125]
    return affine


def by_voxels(steps: int) -> np.ndarray:
    """Return an affine of which each slice lies so many voxels further along j."""
    affine = np.diag([0.7, 0.8, 3.0, 1.0])
    affine[1, 2] = 0.8 * steps
    affine[:3, 3] = [-8.5, -9.25, 20.125]
    return affine


def source(folder: Path, affine: np.ndarray, **more: Any) -> Path:
    write_nifti(folder / "CT.nii.gz", smooth(), affine, **more)
    write_nifti(folder / "CT" / "organ.nii.gz", organ(), affine, **more)
    return folder


def land(repair: Repair, folder: Path) -> None:
    target = nk.ProjectFolder(folder, dataset="d")
    receipt = nk.upload(nk.plan(repair.dataset), target, on_progress=lambda _: None)
    assert nk.verify(receipt, target).ok


def saved(repair: Repair, folder: Path) -> dict[str, Any]:
    return {path.name: nib.load(path) for path in repair.save(folder)}


AFFINES = {
    "a tilted gantry": sheared(15),
    "the other way": sheared(-25),
    "along the other axis": sheared(10, (0, 2)),
    "slices along i": sheared(12, (1, 0)),
    "within the slices": sheared(8, (0, 1)),
    "turned too": sheared(20, turn=30),
    "to the left": sheared(15) @ np.diag([-1, 1, 1, 1]),
    "directions of two digits": np.round(
        nib.affines.from_matvec(
            nib.eulerangles.euler2mat(0.1, 0.05, 0.2147) @ np.diag([0.7, 0.7, 3]), [-80, -90, 20]
        ),
        2,
    ),
}


@pytest.mark.parametrize("affine", AFFINES.values(), ids=list(AFFINES))
def test_a_sheared_volume_and_its_masks_are_put_straight_together(
    affine: np.ndarray, tmp_path: Path
) -> None:
    dataset = nk.scan(source(tmp_path / "in", affine))
    errors = nk.check(dataset).errors
    assert {error.code for error in errors} == {"grid-sheared"}
    repair = nk.repairs.straighten(dataset, errors)
    assert nk.check(repair.dataset).ok
    (item,) = repair.dataset.items
    assert item.volume is not None
    straight = item.volume.grid
    assert straight.shear_degrees < 1e-3
    assert np.linalg.det(straight.affine[:3, :3]) == pytest.approx(
        np.linalg.det(affine[:3, :3]), rel=1e-5
    )
    inside = np.linalg.solve(straight.affine, affine @ np.append(corners().T, [[1] * 8], axis=0))
    assert (inside[:3].min(axis=1) > -0.01).all()  # float32 headers
    assert (inside[:3].max(axis=1) < np.array(straight.shape) - 0.99).all()
    for change in repair.labels:
        assert change.before is not None
        assert change.after is not None
        assert change.after.voxels == change.before.voxels  # each row moves as a whole
        assert change.after.mm3 == pytest.approx(change.before.mm3, rel=1e-5)
        assert change.moved_mm is not None
        assert change.moved_mm < 0.4
    land(repair, tmp_path / "p")


def corners() -> np.ndarray:
    return Grid(SHAPE, np.eye(4)).corners()


@pytest.mark.parametrize("affine", AFFINES.values(), ids=list(AFFINES))
def test_values_stay_where_they_are_in_space(affine: np.ndarray, tmp_path: Path) -> None:
    repair = nk.repairs.straighten(nk.scan(source(tmp_path / "in", affine)), "CT.nii.gz")
    images = saved(repair, tmp_path / "out")
    straight = images["CT.nii.gz"]
    data = np.asanyarray(straight.dataobj)
    index = np.argwhere(np.ones(data.shape, bool))
    there = np.linalg.solve(affine, straight.affine @ np.c_[index, np.ones(len(index))].T)[:3].T
    inner = ((there >= 0) & (there <= np.array(SHAPE) - 1)).all(axis=1)
    expected = 100 + there[inner] @ [3, 5, 7]
    assert inner.sum() > 0.5 * np.prod(SHAPE)
    assert np.abs(data[tuple(index[inner].T)] - expected).max() <= 0.51  # rounded to int16
    outside = ((there <= -1) | (there >= np.array(SHAPE))).any(axis=1)
    assert set(data[tuple(index[outside].T)].tolist()) <= {100}


def test_masks_take_the_nearest_voxel_and_it_is_said_how_far_that_is(tmp_path: Path) -> None:
    affine = sheared(18.6)
    repair = nk.repairs.straighten(nk.scan(source(tmp_path / "in", affine)), "CT.nii.gz")
    straight = saved(repair, tmp_path / "out")["organ.nii.gz"]
    data = np.asanyarray(straight.dataobj)
    farthest = 0.0
    for index in np.ndindex(*data.shape):
        world = straight.affine @ [*index, 1.0]
        at = np.floor(np.linalg.solve(affine, world)[:3] + 0.5).astype(int)
        fits = ((at >= 0) & (at < SHAPE)).all()
        assert data[index] == (organ()[tuple(at)] if fits else 0)
        if data[index]:
            farthest = max(farthest, float(np.linalg.norm(affine @ [*at, 1.0] - world)))
    volume, mask = repair.files
    assert "linear interpolation, rounded to whole numbers; what lay outside is 100" in volume.what
    assert f"nearest neighbours, from {farthest:.3g} mm away at most" in mask.what
    assert 0.3 < farthest <= 0.401  # half a voxel of 0.8 mm


@pytest.mark.parametrize("steps", [1, -2, 3])
def test_where_slices_move_by_whole_voxels_nothing_is_interpolated(
    steps: int, tmp_path: Path
) -> None:
    repair = nk.repairs.straighten(nk.scan(source(tmp_path / "in", by_voxels(steps))), "CT.nii.gz")
    assert all("whole voxels, nothing interpolated" in change.what for change in repair.files)
    images = saved(repair, tmp_path / "out")
    shape = (12, 14 + 9 * abs(steps), 10)
    expected, mask = np.full(shape, 100, np.int16), np.zeros(shape, np.uint8)
    for k in range(SHAPE[2]):
        first = k * steps if steps > 0 else (9 - k) * -steps
        expected[:, first : first + 14, k] = smooth()[:, :, k]
        mask[:, first : first + 14, k] = organ()[:, :, k]
    np.testing.assert_array_equal(np.asanyarray(images["CT.nii.gz"].dataobj), expected)
    np.testing.assert_array_equal(np.asanyarray(images["organ.nii.gz"].dataobj), mask)
    for change in repair.labels:
        assert change.before is not None
        assert change.after is not None
        assert change.before.voxels == change.after.voxels
        assert change.moved_mm == pytest.approx(0, abs=1e-4)


def test_a_label_that_falls_between_the_voxels_is_named(tmp_path: Path) -> None:
    folder = source(tmp_path, sheared(15))
    fine = sheared(15) @ np.diag([0.5, 0.5, 1, 1])  # a mask of half the voxel size
    mask = np.zeros((24, 28, 10), np.uint8)
    mask[6:16, 8:18, 2:8] = 1
    mask[8:12, 9, 4] = range(10, 14)
    write_nifti(folder / "CT" / "organ.nii.gz", mask, fine)
    repair = nk.repairs.straighten(nk.scan(folder), "CT.nii.gz")
    assert repair.lost
    named = ", ".join(str(change.value) for change in repair.lost)
    assert repair.files[1].what.endswith(f"; no voxel is left of {named}")


@pytest.mark.parametrize(("slope", "inter"), [(2.0, -1024.0), (0.5, 0.25)])
def test_scaled_volumes_keep_their_values(slope: float, inter: float, tmp_path: Path) -> None:
    affine = by_voxels(1)
    write_nifti(tmp_path / "CT.nii", smooth(), affine, slope=slope, intercept=inter)
    repair = nk.repairs.straighten(nk.scan(tmp_path), "CT.nii")
    image = saved(repair, tmp_path.parent / f"{tmp_path.name}_out")["CT.nii"]
    np.testing.assert_allclose(image.get_fdata()[:, :14, 0], smooth()[:, :, 0] * slope + inter)


def test_by_plane_each_volume_takes_its_own_masks(tmp_path: Path) -> None:
    folder = write_planes(tmp_path / "in")
    write_nifti(folder / "cor_anatomic.nii.gz", smooth(), sheared(15))
    write_nifti(folder / "cor_inference.nii.gz", organ(), sheared(15))
    dataset = nk.scan(folder)
    repair = nk.repairs.straighten(dataset, nk.check(dataset).errors)
    names = [change.file for change in repair.files]
    assert names == ["cor_anatomic.nii.gz", "cor_inference.nii.gz"]
    land(repair, tmp_path / "p")


def test_what_is_not_sheared_is_refused_with_the_way_through(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write_nifti(folder / "CT.nii.gz", smooth(), by_voxels(0))
    write_nifti(folder / "CT" / "organ.nii.gz", organ(), sheared(15))
    dataset = nk.scan(folder)
    (error,) = nk.check(dataset).by_code()["grid-sheared"]
    with pytest.raises(RepairRefused, match="its axes are perpendicular"):
        nk.repairs.straighten(dataset, error)
    land(pasted(error.remedy, dataset), tmp_path / "p")


CALL = re.compile(r"nk\.repairs\.\w+\(dataset, '[^']*'(?:, '[^']*')?\)")


def pasted(text: str, dataset: Any) -> Repair:
    call = CALL.search(text)
    assert call is not None
    repair: Repair = eval(call[0], {"nk": nk, "dataset": dataset})
    return repair


def test_the_remedies_of_a_sheared_volume_and_its_mask_end_right(tmp_path: Path) -> None:
    dataset = nk.scan(source(tmp_path / "in", sheared(15)))
    for number, error in enumerate(nk.check(dataset).errors):
        land(pasted(error.remedy, dataset), tmp_path / f"p{number}")


def test_a_shear_that_no_scan_has_is_refused(tmp_path: Path) -> None:
    dataset = nk.scan(source(tmp_path, sheared(89.7)))
    with pytest.raises(RepairRefused, match="too far from perpendicular"):
        nk.repairs.straighten(dataset, "CT.nii.gz")


# Forms


def two_forms(path: Path, array: np.ndarray, shift: float, edit: Any = None) -> None:
    """Write a file whose sform lies elsewhere than its qform, by ``shift`` mm along x."""
    affine = np.diag([-0.8, -0.9, 2.0, 1.0])
    affine[:3, 3] = [10, 12, -5]
    image = nib.Nifti1Image(array, affine, dtype=array.dtype)
    image.set_qform(affine, code=1)
    moved = affine.copy()
    moved[0, 3] += shift
    image.set_sform(moved, code=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = bytearray(image.to_bytes())
    if edit:
        edit(content)
    path.write_bytes(bytes(content))


def empty(content: bytearray) -> None:
    content[280:328] = bytes(48)


def no_first_row(content: bytearray) -> None:
    content[280:296] = bytes(16)


def forms(folder: Path, shift: float = 30, edit: Any = None) -> Path:
    two_forms(folder / "MR.nii", smooth(), shift, edit)
    two_forms(folder / "MR" / "seg.nii", organ(), shift, edit)
    return folder


@pytest.mark.parametrize(("form", "x"), [("qform", 10.0), ("sform", 40.0)])
def test_the_form_that_a_person_names_places_volume_and_masks(
    form: str, x: float, tmp_path: Path
) -> None:
    dataset = nk.scan(forms(tmp_path / "in"))
    repair = nk.repairs.use_form(dataset, "MR.nii", form)
    assert [change.file for change in repair.files] == ["MR.nii", "MR/seg.nii"]
    moved = "a corner moves by 30 mm" if form == "qform" else "as before"
    assert all(change.what.endswith(moved) for change in repair.files)
    assert "affine-forms-disagree" not in nk.check(repair.dataset).by_code()
    for image in saved(repair, tmp_path / "out").values():
        assert image.get_sform()[0, 3] == image.get_qform()[0, 3] == x
        assert (image.header["sform_code"], image.header["qform_code"]) == (1, 1)
    original = nib.load(tmp_path / "in" / "MR.nii")
    np.testing.assert_array_equal(
        np.asanyarray(nib.load(tmp_path / "out" / "MR.nii").dataobj),
        np.asanyarray(original.dataobj),
    )
    assert [round(change.moved_mm or 0) for change in repair.labels] == [
        0 if form == "sform" else 30
    ] * 2
    land(repair, tmp_path / "p")


def test_a_mask_with_another_header_stays_where_it_is(tmp_path: Path) -> None:
    folder = forms(tmp_path)
    two_forms(folder / "MR" / "seg.nii", organ(), 0)
    repair = nk.repairs.use_form(nk.scan(folder), "MR.nii", "qform")
    assert [change.file for change in repair.files] == ["MR.nii"]
    assert nk.check(repair.dataset).ok


def test_a_mask_alone_can_be_placed(tmp_path: Path) -> None:
    folder = forms(tmp_path)
    two_forms(folder / "MR.nii", smooth(), 0)
    dataset = nk.scan(folder)
    assert [error.code for error in nk.check(dataset).errors] == ["mask-translated"]
    repair = nk.repairs.use_form(dataset, "MR/seg.nii", "qform")
    assert nk.check(repair.dataset).ok


def test_an_empty_sform_is_no_place_and_the_qform_is_used(tmp_path: Path) -> None:
    dataset = nk.scan(forms(tmp_path / "in", 0, empty))
    findings = nk.check(dataset)
    assert findings.ok
    found = findings.by_code()["affine-forms-disagree"]
    assert [f.path for f in found] == ["MR.nii", "MR/seg.nii"]
    assert "the sform is all zeros, which is no place: the qform is used" in found[0].message
    assert dataset.items[0].volume is not None
    assert dataset.items[0].volume.grid.origin.tolist() == [10, 12, -5]
    repair = nk.repairs.use_form(dataset, found)  # only one form can be meant
    assert nib.load(repair.save(tmp_path / "out")[0]).get_sform()[0, 3] == 10
    land(repair, tmp_path / "p")


def test_an_empty_sform_without_a_qform_is_unusable(tmp_path: Path) -> None:
    def neither(content: bytearray) -> None:
        empty(content)
        struct.pack_into("<h", content, 252, 0)

    dataset = nk.scan(forms(tmp_path, 0, neither))
    errors = nk.check(dataset).errors
    assert {error.code for error in errors} == {"grid-unusable"}
    with pytest.raises(RepairRefused, match="neither form gives a place"):
        nk.repairs.use_form(dataset, errors)


def test_the_remedy_of_an_sform_that_is_no_place_ends_right(tmp_path: Path) -> None:
    dataset = nk.scan(forms(tmp_path / "in", 0, no_first_row))
    errors = nk.check(dataset).errors
    assert {error.code for error in errors} == {"grid-unusable"}
    land(pasted(errors[0].remedy, dataset), tmp_path / "p")
    land(nk.repairs.use_form(dataset, errors), tmp_path / "q")


def test_the_remedy_of_forms_that_disagree_ends_right(tmp_path: Path) -> None:
    dataset = nk.scan(forms(tmp_path / "in"))
    warning = nk.check(dataset).by_code()["affine-forms-disagree"][0]
    land(pasted(warning.remedy, dataset), tmp_path / "p")


@pytest.mark.parametrize(
    ("form", "message"),
    [(None, "it is not said which form is meant"), ("xform", "there is no such form")],
)
def test_a_form_that_is_not_known_is_asked_for(
    form: str | None, message: str, tmp_path: Path
) -> None:
    with pytest.raises(RepairRefused, match=message):
        nk.repairs.use_form(nk.scan(forms(tmp_path)), "MR.nii", form)


def test_a_form_that_is_not_there_is_refused(tmp_path: Path) -> None:
    write_nifti(tmp_path / "MR.nii", smooth(), sheared(0))
    with pytest.raises(RepairRefused, match="the header has no qform that can be used") as caught:
        nk.repairs.use_form(nk.scan(tmp_path), "MR.nii", "qform")
    assert "'sform'" in caught.value.remedy


@pytest.mark.parametrize("unit", [1, 3])
@pytest.mark.parametrize("version", [nib.Nifti1Image, nib.Nifti2Image])
def test_units_and_versions_of_the_header_stay(unit: int, version: Any, tmp_path: Path) -> None:
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    image = version(smooth(), affine, dtype=np.int16)
    image.set_sform(affine, code=1)
    moved = affine.copy()
    moved[0, 3] = 5
    image.set_qform(moved, code=1)
    image.header["xyzt_units"] = unit
    nib.save(image, tmp_path / "MR.nii")
    dataset = nk.scan(tmp_path)
    repair = nk.repairs.use_form(dataset, "MR.nii", "qform")
    (item,) = repair.dataset.items
    assert item.volume is not None
    factor = {1: 1000, 3: 0.001}[unit]
    assert item.volume.grid.origin[0] == pytest.approx(5 * factor)
    written = nib.load(repair.save(tmp_path.parent / f"{tmp_path.name}_out")[0])
    assert written.header["xyzt_units"] == unit
    assert isinstance(written, version)


def moved_affine(x_mm: float) -> np.ndarray:
    affine = np.array(SHEARED_BESIDE)
    affine[0, 3] += x_mm
    return affine


SHEARED_BESIDE = [[2, 0, 0, -9], [0, 2, 0.8, 4], [0, 0, 3, 1], [0, 0, 0, 1]]

MISPLACED = {
    "its axes are exchanged": (lambda a: a.transpose(2, 1, 0), 0.0, nk.repairs.reorder_axes),
    "it was moved": (lambda a: a, 5.0, nk.repairs.take_header),
    "its header is lost": (lambda a: a, None, nk.repairs.take_header),
    "both": (lambda a: a.transpose(2, 1, 0), None, nk.repairs.reorder_axes),
}


@pytest.mark.parametrize("case", MISPLACED.values(), ids=list(MISPLACED))
def test_a_sheared_volume_is_not_straightened_with_a_mask_that_lies_elsewhere(
    case: Any, tmp_path: Path
) -> None:
    """Straight it would land where nobody put it, and its own finding would be gone."""
    order, moved, first = case
    array = labels((9, 8, 7))
    write_nifti(tmp_path / "CT.nii", np.arange(504, dtype="i2").reshape(9, 8, 7), moved_affine(0))
    affine = np.eye(4) if moved is None else moved_affine(moved)
    write_nifti(tmp_path / "CT/o.nii", np.ascontiguousarray(order(array)), affine)
    dataset = nk.scan(tmp_path, segmentation="semantic")
    with pytest.raises(RepairRefused, match="does not lie in its volume") as caught:
        nk.repairs.straighten(dataset, "CT.nii")
    assert f"nk.repairs.{first.__name__}(dataset, 'CT/o.nii')" in caught.value.remedy
    mended = nk.repairs.straighten(first(dataset, "CT/o.nii").dataset, "CT.nii").dataset
    write_nifti(tmp_path / "CT/o.nii", array, moved_affine(0))
    right = nk.repairs.straighten(nk.scan(tmp_path, segmentation="semantic"), "CT.nii").dataset
    ours, theirs = (read_labels(d.items[0].masks[0].image).voxels for d in (mended, right))
    assert np.array_equal(ours, theirs)
    assert not nk.plan(mended).blockers
