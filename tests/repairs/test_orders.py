"""Repairs of headers and of the order of voxels: what is known is used, what is not is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.core.geometry import Grid
from nifti_kit.errors import RepairRefused
from nifti_kit.repairs import Repair
from tests.support import oracle
from tests.support.builders import AFFINE, SHAPE, labels, volume, write_nifti
from tests.support.handmade import write_raw

MIRROR = np.array([[-1, 0, 0, SHAPE[0] - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
"""From indices along a reversed first axis to those along the volume's."""

MASK = "CT/lung.nii.gz"


def moved(affine: np.ndarray, *shift: float) -> np.ndarray:
    matrix = np.array(affine)
    matrix[:3, 3] += shift
    return matrix


def turned(degrees: float) -> np.ndarray:
    """Return the volume's affine, turned around its first voxel in the axial plane."""
    angle = np.radians(degrees)
    turn = [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    matrix = np.array(AFFINE)
    matrix[:3, :3] = np.array(turn) @ AFFINE[:3, :3]
    return matrix


def case(
    folder: Path, array: np.ndarray, affine: np.ndarray, at: np.ndarray = AFFINE
) -> nk.Dataset:
    shape = array.shape if array.shape == SHAPE[::-1] and at is not AFFINE else SHAPE
    write_nifti(folder / "CT.nii.gz", volume(shape), at)
    write_nifti(folder / MASK, array, affine)
    return nk.scan(folder)


def in_volume(repair: Repair, folder: Path) -> np.ndarray:
    """Land a repaired dataset; return the indices of its voxels of value 1 in the volume."""
    target = nk.ProjectFolder(folder, dataset="d")
    plan = nk.plan(repair.dataset)
    receipt = nk.upload(plan, target, on_progress=lambda _: None)
    assert nk.verify(receipt, target).ok
    first = oracle.read_project(folder, "d").objects[0]
    (item,) = repair.dataset.items
    inverse = np.linalg.inv(item.volume.grid.affine)
    indices = first.positions @ inverse[:3, :3].T + inverse[:3, 3]
    np.testing.assert_allclose(indices, np.rint(indices), atol=1e-4)
    return np.array(sorted(map(tuple, np.rint(indices).astype(int))))


ONE = np.argwhere(labels() == 1)
"""Where value 1 is, in the volume's voxel order."""


def test_a_flipped_mask_a_little_off_is_not_mirrored(tmp_path: Path) -> None:
    """Its own header says that its first axis runs the other way: by index it would be mirrored."""
    dataset = case(tmp_path / "in", labels()[::-1], moved(AFFINE @ MIRROR, 0.03, 0, 0))
    (found,) = nk.check(dataset).errors
    assert found.code == "mask-translated"
    repair = nk.repairs.take_header(dataset, found)
    assert repair.files[0].what == (
        "put into the voxel order of CT.nii.gz; took the header of CT.nii.gz"
    )
    np.testing.assert_array_equal(in_volume(repair, tmp_path / "out"), ONE)


@pytest.mark.parametrize("change", [1, -1])
def test_no_label_gets_or_loses_a_voxel(change: int, tmp_path: Path) -> None:
    dataset = case(tmp_path, labels()[::change], moved(AFFINE, 10, 0, 0))
    for repair in (
        nk.repairs.take_header(dataset, MASK),
        nk.repairs.take_header(dataset, MASK, order="LAS"),
    ):
        assert [(c.value, c.before.voxels) for c in repair.labels if c.before] == [
            (c.value, c.after.voxels) for c in repair.labels if c.after
        ]


UNKNOWN = {
    "turned by 40 degrees": (turned(40), AFFINE, "it is turned against its volume"),
    "a volume without a header": (
        AFFINE @ MIRROR,
        np.diag([2.0, 3, 5, 1]),
        "CT.nii.gz has the header of an array",
    ),
}


@pytest.mark.parametrize(("affine", "at", "why"), UNKNOWN.values(), ids=list(UNKNOWN))
def test_an_order_that_nobody_can_know_is_refused_and_can_be_stated(
    affine: np.ndarray, at: np.ndarray, why: str, tmp_path: Path
) -> None:
    dataset = case(tmp_path / "in", labels(), affine, at)
    with pytest.raises(RepairRefused, match="nobody can know the order") as caught:
        nk.repairs.take_header(dataset, MASK)
    assert why in caught.value.message
    assert "order='stored'" in caught.value.remedy
    repair = nk.repairs.take_header(dataset, MASK, order="stored")
    np.testing.assert_array_equal(in_volume(repair, tmp_path / "out"), ONE)


def test_a_volume_without_a_header_is_no_matter_where_the_orders_agree(tmp_path: Path) -> None:
    dataset = case(tmp_path / "in", labels(), AFFINE, np.diag([2.0, 3, 5, 1]))
    repair = nk.repairs.take_header(dataset, MASK)
    np.testing.assert_array_equal(in_volume(repair, tmp_path / "out"), ONE)


def test_a_slight_turn_leaves_no_doubt(tmp_path: Path) -> None:
    array = labels()[::-1]
    dataset = case(tmp_path / "in", array, turned(20) @ MIRROR)
    repair = nk.repairs.take_header(dataset, MASK)
    np.testing.assert_array_equal(in_volume(repair, tmp_path / "out"), ONE)


@pytest.mark.parametrize("order", ["LAS", "las", "XYZ", "RL", "RRS", "", "mirrored"])
def test_a_stated_order_is_three_directions(order: str, tmp_path: Path) -> None:
    dataset = case(tmp_path / "in", labels()[::-1], np.eye(4))
    if order != "LAS":
        with pytest.raises(RepairRefused, match="order has no such choice"):
            nk.repairs.take_header(dataset, MASK, order=order)
        return
    repair = nk.repairs.take_header(dataset, MASK, order=order)
    np.testing.assert_array_equal(in_volume(repair, tmp_path / "out"), ONE)


BARE = {
    "identity": np.eye(4),
    "identity of ITK": np.diag([-1.0, -1, 1, 1]),
    "sizes alone": np.diag([2.0, 3, 5, 1]),
    "centred": np.array([[-1, 0, 0, 2], [0, 1, 0, -2.5], [0, 0, 1, -3], [0, 0, 0, 1]]),
}


@pytest.mark.parametrize("affine", BARE.values(), ids=list(BARE))
def test_a_header_that_says_nothing_reorders_nothing(affine: np.ndarray, tmp_path: Path) -> None:
    """Its axes seem to run another way than the volume's (LPS); but nobody has written that."""
    backward = np.diag([-2.0, -3, 5, 1])
    backward[:3, 3] = [8.5, 17.25, 7.125]
    dataset = case(tmp_path / "in", labels(), affine, backward)
    (found,) = nk.check(dataset).errors
    assert found.code == "mask-header-lost"
    repair = nk.repairs.take_header(dataset, found)
    np.testing.assert_array_equal(in_volume(repair, tmp_path / "out"), ONE)


def test_slices_that_a_tool_reversed_are_put_right_as_the_finding_says(tmp_path: Path) -> None:
    """A left-handed volume (LAS), and a mask without a header whose slices run downward."""
    left = np.diag([-2.0, 3, 5, 1])
    left[:3, 3] = [8, 4.25, 7.125]
    dataset = case(tmp_path / "in", labels()[:, :, ::-1], np.eye(4), left)
    (found,) = nk.check(dataset).errors
    assert "left-handed (LAS)" in found.message
    assert "slices reversed" in found.message
    assert "nk.plots.planned(nk.plan(repair.dataset))" in found.remedy
    assert "order='LAI'" in found.remedy
    repair = nk.repairs.take_header(dataset, found, order="LAI")
    np.testing.assert_array_equal(in_volume(repair, tmp_path / "out"), ONE)


FORM = {"sform_code": 1, "srow_x": AFFINE[0], "srow_y": AFFINE[1], "srow_z": AFFINE[2]}


def two_forms(path: Path, flip: bool, away: float) -> None:
    """Write a volume whose qform is its sform, moved by mm along x, or mirrored there too."""
    x, y, z = AFFINE[:3, 3]
    fields = {"qform_code": 1, "qoffset_x": x + away, "qoffset_y": y, "qoffset_z": z}
    if flip:  # half a turn around y, with the third axis back: the first axis is reversed
        fields |= {"quatern_c": 1.0, "pixdim": [-1, 2, 3, 5, 1, 1, 1, 1]}
        fields["qoffset_x"] = x + away + 2 * (SHAPE[0] - 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_raw(path, **FORM, **fields)


@pytest.mark.parametrize("flip", [False, True])
def test_a_mask_on_the_volumes_other_form_is_brought_along_by_index(
    flip: bool, tmp_path: Path
) -> None:
    two_forms(tmp_path / "in" / "CT.nii", flip, 30.0)
    affine = moved(AFFINE @ MIRROR if flip else AFFINE, 30, 0, 0)
    write_nifti(tmp_path / "in" / MASK, labels(), affine)
    dataset = nk.scan(tmp_path / "in")
    (found,) = nk.check(dataset).errors
    assert "by the volume's qform it lies on its voxels" in found.message
    assert "nk.repairs.use_form(dataset, 'CT.nii', 'qform')" in found.remedy
    repair = nk.repairs.take_header(dataset, found)
    np.testing.assert_array_equal(in_volume(repair, tmp_path / "out"), ONE)


def test_a_mask_whose_own_forms_disagree_of_its_axes_is_refused(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii", affine=moved(AFFINE, 0, 0, 99))
    two_forms(tmp_path / "CT" / "lung.nii", True, 30.0)
    with pytest.raises(RepairRefused, match="the forms of the two headers"):
        nk.repairs.take_header(nk.scan(tmp_path), "lung.nii")


def test_a_mask_on_its_volume_by_its_own_qform_is_told_so(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii", affine=moved(AFFINE, 30, 0, 0))
    two_forms(tmp_path / "CT" / "lung.nii", False, 30.0)
    (found,) = nk.check(nk.scan(tmp_path)).errors
    assert found.message.endswith("by its own qform it lies on the volume's voxels")
    assert "nk.repairs.use_form(dataset, 'CT/lung.nii', 'qform')" in found.remedy


# The order of the axes


CUBE = (6, 6, 4)


def exchanged(folder: Path, axes: tuple[int, int, int]) -> nk.Dataset:
    """Write a volume with two axes of one length, and its mask with the axes in another order."""
    write_nifti(folder / "CT.nii.gz", volume(CUBE), AFFINE)
    write_nifti(folder / MASK, square().transpose(axes), AFFINE)
    return nk.scan(folder)


def square() -> np.ndarray:
    array = np.zeros(CUBE, np.uint8)
    array[0:2, 3:6, 1] = array[0, 3, 1:4] = 1
    return array


@pytest.mark.parametrize("axes", [(2, 1, 0), (2, 0, 1)], ids=["z y x", "z x y"])
def test_an_order_that_is_ambiguous_is_shown_and_chosen(
    axes: tuple[int, int, int], tmp_path: Path
) -> None:
    dataset = exchanged(tmp_path / "in", axes)
    (found,) = nk.check(dataset).errors
    assert found.code == "mask-axes-exchanged"
    assert found.message.endswith("it is 6 x 6 x 4 with axes=(2, 1, 0) or axes=(1, 2, 0)")
    with pytest.raises(RepairRefused, match="several orders") as caught:
        nk.repairs.reorder_axes(dataset, found)
    assert caught.value.expected == "axes=(2, 1, 0) or axes=(1, 2, 0)"
    back = tuple(int(axis) for axis in np.argsort(axes))
    repair = nk.repairs.reorder_axes(dataset, found, axes=back)
    indices = in_volume(repair, tmp_path / "out")
    np.testing.assert_array_equal(indices, np.argwhere(square()))
    assert repair.files[0].what == f"axes put in the order {back}; took the header of CT.nii.gz"


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ((0, 1, 2), "not this order of the mask's axes"),
        ((2, 2, 0), "not this order of the mask's axes"),
        ((3, 1, 0), "not this order of the mask's axes"),
    ],
)
def test_an_order_that_does_not_fit_is_refused(
    axes: tuple[int, int, int], message: str, tmp_path: Path
) -> None:
    with pytest.raises(RepairRefused, match=message):
        nk.repairs.reorder_axes(exchanged(tmp_path, (2, 1, 0)), MASK, axes=axes)


def test_axes_that_may_be_in_order_are_exchanged_only_as_a_person_says(tmp_path: Path) -> None:
    """Two axes of one length: the shape cannot tell whether they are exchanged."""
    dataset = exchanged(tmp_path / "in", (1, 0, 2))
    assert nk.check(dataset).ok
    with pytest.raises(RepairRefused, match="may be in order") as caught:
        nk.repairs.reorder_axes(dataset, MASK)
    assert caught.value.remedy == "If they are exchanged: axes=(1, 0, 2)."
    repair = nk.repairs.reorder_axes(dataset, MASK, axes=(1, 0, 2))
    np.testing.assert_array_equal(in_volume(repair, tmp_path / "out"), np.argwhere(square()))


def test_axes_that_are_in_order_stay(tmp_path: Path) -> None:
    with pytest.raises(RepairRefused, match="may be in order") as caught:
        nk.repairs.reorder_axes(case(tmp_path, labels(), AFFINE), MASK)
    assert caught.value.remedy == "nk.check says how it lies."


def test_a_shape_that_no_order_makes_the_volumes_is_refused(tmp_path: Path) -> None:
    dataset = case(tmp_path, labels((5, 6, 8)), AFFINE)
    with pytest.raises(RepairRefused, match="no order of the mask's axes"):
        nk.repairs.reorder_axes(dataset, MASK)


def test_what_has_its_axes_exchanged_is_not_resampled_and_has_no_header_to_take(
    tmp_path: Path,
) -> None:
    dataset = case(tmp_path, labels().T, AFFINE)
    for repair in (nk.repairs.resample, nk.repairs.take_header):
        with pytest.raises(RepairRefused) as caught:
            repair(dataset, MASK)
        assert "nk.repairs.reorder_axes" in caught.value.remedy


def test_exchanged_axes_are_mended_for_a_volume_of_the_target_too(tmp_path: Path) -> None:
    write_nifti(tmp_path / "axl_inference.nii.gz", labels().T, AFFINE)
    grid = Grid(SHAPE, moved(AFFINE, 5, 0, 0))
    repair = nk.repairs.reorder_axes(nk.scan(tmp_path), "axl_inference.nii.gz", volume=grid)
    (item,) = repair.dataset.items
    np.testing.assert_allclose(item.masks[0].grid.affine, grid.affine)
