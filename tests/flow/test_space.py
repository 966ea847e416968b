"""Masks in 48 voxel orders, moved, cut out, axes exchanged: in place, or blocked.

Each mask holds the labels of one world; what its file says of their place is sound or faulty. A
mask lands where its own file places it, to 1e-4 mm, or not at all; and the remedy, followed to the
letter, puts it where it was made.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.core.findings import Findings
from tests.flow.test_orientations import ORDERS, SHAPE, base_affine, base_labels, stored
from tests.flow.test_orientations import stored_affine as affine_in
from tests.support import oracle
from tests.support.builders import write_nifti

PAIRS = [(ORDERS[at], ORDERS[(at * 7 + 5) % 48]) for at in range(48)]
"""The voxel orders of a volume and of its mask: each of the 48 on either side."""

MASK = "knee/bone.nii.gz"


class Stored(NamedTuple):
    """A mask as its file has it."""

    labels: np.ndarray
    affine: np.ndarray


def sound(order: tuple, oblique: bool) -> Stored:
    """Return the labels of the world in a voxel order, with the affine of their place."""
    return Stored(stored(base_labels(), order), affine_in(base_affine(oblique), order))


def shifted(mask: Stored, voxels: float, axis: int) -> Stored:
    """Return a mask that its header places so many of its voxels further along an axis."""
    affine = mask.affine.copy()
    affine[:3, 3] += voxels * affine[:3, axis]
    return Stored(mask.labels, affine)


def part_of(mask: Stored) -> Stored:
    """Return what is left of a mask without some planes at its ends: all its labels."""
    box = tuple(slice(int(found.min()), int(found.max()) + 1) for found in np.nonzero(mask.labels))
    affine = mask.affine.copy()
    affine[:3, 3] = (mask.affine @ [*(side.start for side in box), 1])[:3]
    return Stored(mask.labels[box], affine)


def write(folder: Path, volume_order: tuple, mask: Stored, oblique: bool) -> nk.Dataset:
    volume = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    affine = affine_in(base_affine(oblique), volume_order)
    write_nifti(folder / "knee.nii", stored(volume, volume_order), affine)
    write_nifti(folder / MASK, mask.labels, mask.affine)
    return nk.scan(folder)


def landed(dataset: nk.Dataset, folder: Path) -> dict[int, np.ndarray]:
    """Return the world positions of the voxels of each value, as pynrrd and nibabel read them."""
    plan = nk.plan(dataset)
    assert not plan.blockers
    target = nk.ProjectFolder(folder, dataset="d")
    receipt = nk.upload(plan, target, on_progress=lambda _: None)
    assert nk.verify(receipt, target).ok
    objects = oracle.read_project(folder, "d").objects
    assert {found.shape for found in objects} == {SHAPE}
    values = [planned.value for planned in plan.objects]
    return {v: found.positions for v, found in zip(values, objects, strict=True)}


def in_place(found: dict[int, np.ndarray], mask: Stored) -> None:
    """Every voxel of every value lies where an affine places it, to 1e-4 mm."""
    assert sorted(found) == [3, 9]
    for value, places in found.items():
        meant = oracle.positions(mask.labels == value, mask.affine)
        assert places.shape == meant.shape
        assert np.abs(places - meant).max() < 1e-4


def errors(dataset: nk.Dataset) -> Findings:
    return nk.check(dataset, voxels=False).errors


both = pytest.mark.parametrize("oblique", [False, True], ids=["plain", "oblique"])
every = pytest.mark.parametrize(("volume_order", "order"), PAIRS, ids=range(48))


@both
@every
def test_a_mask_a_hair_off_lands_where_its_own_file_places_it(
    volume_order: tuple, order: tuple, oblique: bool, tmp_path: Path
) -> None:
    mask = shifted(sound(order, oblique), 0.0099, PAIRS.index((volume_order, order)) % 3)
    dataset = write(tmp_path / "in", volume_order, mask, oblique)
    assert "mask-rounded" in nk.check(dataset, voxels=False).by_code()
    in_place(landed(dataset, tmp_path / "out"), mask)


@both
@every
def test_a_mask_of_a_part_lands_where_it_was(
    volume_order: tuple, order: tuple, oblique: bool, tmp_path: Path
) -> None:
    mask = part_of(sound(order, oblique))
    assert mask.labels.size < base_labels().size
    in_place(landed(write(tmp_path / "in", volume_order, mask, oblique), tmp_path / "out"), mask)


@both
@every
def test_a_shifted_mask_is_blocked_and_the_volumes_header_mends_it_in_any_order(
    volume_order: tuple, order: tuple, oblique: bool, tmp_path: Path
) -> None:
    shift = 0.011 if order in ORDERS[::2] else -3
    mask = shifted(sound(order, oblique), shift, 1)
    dataset = write(tmp_path / "in", volume_order, mask, oblique)
    assert list(errors(dataset).by_code()) == ["mask-translated"]
    repair = nk.repairs.take_header(dataset, errors(dataset))
    in_place(landed(repair.dataset, tmp_path / "out"), sound(order, oblique))


@both
@every
def test_a_mask_of_another_converter_is_mended_by_index(
    volume_order: tuple, order: tuple, oblique: bool, tmp_path: Path
) -> None:
    right = sound(order, oblique)
    affine = right.affine.copy()
    affine[:3, 0] *= 1.009
    affine[:3, 2] *= 0.992
    dataset = write(tmp_path / "in", volume_order, Stored(right.labels, affine), oblique)
    found = errors(dataset).by_code()
    assert list(found) == ["mask-header-inexact"]
    assert "resample" not in found["mask-header-inexact"][0].remedy
    repair = nk.repairs.take_header(dataset, found["mask-header-inexact"])
    in_place(landed(repair.dataset, tmp_path / "out"), right)


@both
@every
def test_a_lost_header_is_blocked_and_the_stated_order_mends_it(
    volume_order: tuple, order: tuple, oblique: bool, tmp_path: Path
) -> None:
    """``order`` is that of the mask's voxels, which only a person can know."""
    right = sound(order, oblique)
    dataset = write(tmp_path / "in", volume_order, Stored(right.labels, np.eye(4)), oblique)
    (found,) = errors(dataset)
    if order[0] == volume_order[0]:
        assert found.code == "mask-header-lost"
    else:
        assert found.code == "mask-axes-exchanged"
    codes = codes_of(right.affine)
    repair = nk.repairs.take_header(dataset, found, order=codes)
    in_place(landed(repair.dataset, tmp_path / "out"), right)


def codes_of(affine: np.ndarray) -> str:
    """Return the directions of the axes, by the largest part of each."""
    at = np.abs(affine[:3, :3]).argmax(axis=0)
    signs = [affine[row, axis] > 0 for axis, row in enumerate(at)]
    return "".join(("LR", "PA", "IS")[row][int(sign)] for row, sign in zip(at, signs, strict=True))


EXCHANGES = [axes for axes in itertools.permutations((0, 1, 2)) if axes != (0, 1, 2)]


@both
@pytest.mark.parametrize("axes", EXCHANGES, ids=str)
@pytest.mark.parametrize("volume_order", ORDERS[::9], ids=range(6))
@pytest.mark.parametrize("header", ["the volume's", "none", "sizes alone"])
def test_exchanged_axes_are_blocked_and_put_in_the_volumes_order(
    axes: tuple, volume_order: tuple, header: str, oblique: bool, tmp_path: Path
) -> None:
    right = sound(volume_order, oblique)
    array = right.labels.transpose(axes)
    sizes = np.linalg.norm(right.affine[:3, :3], axis=0)[list(axes)]
    affines = {
        "the volume's": right.affine,
        "none": np.eye(4),
        "sizes alone": np.diag([*sizes, 1]),
    }
    dataset = write(tmp_path / "in", volume_order, Stored(array, affines[header]), oblique)
    (found,) = errors(dataset)
    assert found.code == "mask-axes-exchanged"
    assert "resample" not in found.remedy
    repair = nk.repairs.reorder_axes(dataset, found)
    in_place(landed(repair.dataset, tmp_path / "out"), right)


@pytest.mark.parametrize(("volume_order", "order"), PAIRS[::3])
def test_a_mask_between_the_voxels_never_lands_as_it_is(
    volume_order: tuple, order: tuple, tmp_path: Path
) -> None:
    for number, axis in enumerate((0, 1, 2)):
        mask = shifted(part_of(sound(order, True)), 0.4, axis)
        dataset = write(tmp_path / str(number), volume_order, mask, True)
        assert list(errors(dataset).by_code()) == ["mask-resampled"]
        assert nk.plan(dataset).blockers


# Written by other tools


@both
def test_a_part_that_itk_cut_out_lands_where_it_was(oblique: bool, tmp_path: Path) -> None:
    sitk = pytest.importorskip("SimpleITK")
    right = sound(ORDERS[3], oblique)
    write(tmp_path / "in", ORDERS[3], right, oblique)
    image = sitk.ReadImage(str(tmp_path / "in" / MASK))
    part = sitk.RegionOfInterest(image, [size - 1 for size in image.GetSize()], [0, 1, 1])
    sitk.WriteImage(part, str(tmp_path / "in" / MASK))
    labels = right.labels.copy()
    labels[-1], labels[:, 0], labels[:, :, 0] = 0, 0, 0
    dataset = nk.scan(tmp_path / "in")
    assert "mask-cropped" in nk.check(dataset, voxels=False).by_code()
    found = landed(dataset, tmp_path / "out")
    for value, places in found.items():
        meant = oracle.positions(labels == value, right.affine)
        assert np.abs(places - meant).max() < 1e-4


@both
@pytest.mark.parametrize("volume_order", ORDERS[::9], ids=range(6))
def test_an_array_of_itk_under_the_volumes_header_has_its_axes_exchanged(
    volume_order: tuple, oblique: bool, tmp_path: Path
) -> None:
    """ITK hands out arrays in z, y, x; people save them with the header of nibabel."""
    sitk = pytest.importorskip("SimpleITK")
    right = sound(volume_order, oblique)
    write(tmp_path / "in", volume_order, right, oblique)
    array = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "in" / MASK)))
    write_nifti(tmp_path / "in" / MASK, array, right.affine)
    dataset = nk.scan(tmp_path / "in")
    repair = nk.repairs.reorder_axes(dataset, errors(dataset))
    in_place(landed(repair.dataset, tmp_path / "out"), right)


@both
@pytest.mark.parametrize("volume_order", ORDERS[::9], ids=range(6))
def test_a_slice_of_nibabel_lands_where_it_was(
    volume_order: tuple, oblique: bool, tmp_path: Path
) -> None:
    nib = pytest.importorskip("nibabel")
    right = sound(volume_order, oblique)
    dataset = write(tmp_path / "in", volume_order, right, oblique)
    (file,) = (mask.image.path for item in dataset.items for mask in item.masks)
    box = tuple(slice(int(at.min()), int(at.max()) + 1) for at in np.nonzero(right.labels))
    part = nib.load(file).slicer[box]
    content = np.asanyarray(part.dataobj).copy()
    write_nifti(file, content, part.affine)
    in_place(landed(nk.scan(tmp_path / "in"), tmp_path / "out"), right)
