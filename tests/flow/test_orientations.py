"""One asymmetric volume with mask and scores, stored in all 48 axis orders: it lands the same."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import nifti_kit as nk
from tests.support import oracle
from tests.support.builders import write_nifti

SHAPE = (5, 6, 7)
VOXEL = (2.0, 3.0, 5.0)
ORIGIN = (-13.25, 7.625, 41.3125)
ORDERS = [
    (axes, flips)
    for axes in itertools.permutations((0, 1, 2))
    for flips in itertools.product((1, -1), repeat=3)
]
FORMS = {"sform": (2, 0), "qform": (0, 1), "both": (1, 1)}
SCORED = {"axl": 5, "cor": 1, "sag": 3}
"""The RAS slice that carries the score, by plane: none is in the middle of its axis."""


def rotation(oblique: bool) -> np.ndarray:
    if not oblique:
        return np.eye(3)
    turns = nib.eulerangles.euler2mat(z=0.21, y=-0.13, x=0.17)
    return np.asarray(turns)


def base_affine(oblique: bool) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = rotation(oblique) @ np.diag(VOXEL)
    affine[:3, 3] = ORIGIN
    return affine


def base_labels() -> np.ndarray:
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[1:4, 1, 5] = 3
    labels[3, 1:5, 5] = 3
    labels[3, 1, 1:6] = 3
    labels[0, 5, 6] = 9
    return labels


def stored(array: np.ndarray, order: tuple) -> np.ndarray:
    """Return the array as a file with this axis order holds it."""
    axes, flips = order
    steps = tuple(slice(None, None, step) for step in flips)
    return array.transpose(axes)[steps]


def stored_affine(affine: np.ndarray, order: tuple) -> np.ndarray:
    """Return the affine of the stored array: its columns are reordered, its origin moved."""
    axes, flips = order
    moved = affine.copy()
    for new, (old, step) in enumerate(zip(axes, flips, strict=True)):
        moved[:3, new] = step * affine[:3, old]
        if step < 0:
            moved[:3, 3] += affine[:3, old] * (SHAPE[old] - 1)
    return moved


def frame_of(slice_index: int, plane: str, order: tuple) -> int:
    """Return the frame (from 1) of the stored file that shows a RAS slice.

    An array that holds the slice index of each voxel goes through the same storing.
    """
    ras = oracle.RAS_AXIS[plane]
    numbered = np.broadcast_to(
        np.arange(SHAPE[ras]).reshape([-1 if axis == ras else 1 for axis in range(3)]), SHAPE
    )
    held = stored(numbered, order)
    axis = order[0].index(ras)
    other = [a for a in range(3) if a != axis]
    profile = held.transpose([axis, *other])[:, 0, 0]
    return int(np.flatnonzero(profile == slice_index)[0]) + 1


def write_case(folder: Path, order: tuple, oblique: bool, forms: str) -> None:
    sform, qform = FORMS[forms]
    affine = stored_affine(base_affine(oblique), order)
    volume = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    for plane, scored in SCORED.items():
        for role, array in (("anatomic", volume), ("inference", base_labels())):
            write_nifti(
                folder / f"{plane}_{role}.nii",
                stored(array, order),
                affine,
                sform=sform,
                qform=qform,
            )
        frame = frame_of(scored, plane, order)
        (folder / f"{plane}_score.csv").write_text(f"Layer, Label-3, Label-9\n{frame}, 0.7, \n")


@pytest.mark.parametrize("forms", FORMS)
@pytest.mark.parametrize("oblique", [False, True], ids=["plain", "oblique"])
@pytest.mark.parametrize("order", ORDERS, ids=[f"{a}{b}{c}-{f}" for (a, b, c), f in ORDERS])
def test_every_axis_order_lands_at_the_same_place(
    order: tuple, oblique: bool, forms: str, tmp_path: Path
) -> None:
    write_case(tmp_path / "in", order, oblique, forms)
    plan = nk.plan(nk.scan(tmp_path / "in"))
    target = nk.ProjectFolder(tmp_path / "out", dataset="d")
    nk.upload(plan, target, on_progress=lambda _: None)
    project = oracle.read_project(tmp_path / "out", "d")

    affine = base_affine(oblique)
    volume = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    labels = base_labels()
    for plane, scored in SCORED.items():
        name = f"{plane}_anatomic.nrrd"
        data, landed_affine = project.volumes[name]
        np.testing.assert_array_equal(data, volume)
        np.testing.assert_allclose(landed_affine, affine, atol=1e-4)
        found = {landed.class_name: landed for landed in project.of(name)}
        assert set(found) == {"Segment_3", "Segment_9"}
        for value in (3, 9):
            meant = oracle.positions(labels == value, affine)
            landed = found[f"Segment_{value}"].positions
            assert landed.shape == meant.shape
            assert np.abs(landed - meant).max() < 1e-4
        score = {str(scored): {"score": "0.70", "comment": None}}
        assert found["Segment_3"].custom_data == {oracle.NORMAL[plane]: score}
        assert found["Segment_9"].custom_data == {}


@pytest.mark.parametrize("order", ORDERS[::5], ids=str)
def test_a_mask_in_another_axis_order_than_its_volume_lands_on_it(
    order: tuple, tmp_path: Path
) -> None:
    affine = base_affine(True)
    write_nifti(
        tmp_path / "in" / "knee.nii",
        stored(base_labels() * 7, ORDERS[13]),
        stored_affine(affine, ORDERS[13]),
    )
    write_nifti(
        tmp_path / "in" / "knee" / "bone.nii.gz",
        stored(base_labels(), order),
        stored_affine(affine, order),
    )
    plan = nk.plan(nk.scan(tmp_path / "in"))
    assert not plan.blockers
    target = nk.ProjectFolder(tmp_path / "out", dataset="d")
    receipt = nk.upload(plan, target, on_progress=lambda _: None)
    assert nk.verify(receipt, target).ok
    project = oracle.read_project(tmp_path / "out", "d")
    meant = [oracle.positions(base_labels() == value, affine) for value in (3, 9)]
    for landed, wanted in zip(project.objects, meant, strict=True):
        assert np.abs(landed.positions - wanted).max() < 1e-4
        assert landed.shape == SHAPE


def test_the_same_slice_is_scored_when_a_file_axis_is_reversed(tmp_path: Path) -> None:
    """Frame 2 of 7 from below and frame 6 of 7 from above are one slice: index 1."""
    for folder, order, frame in (("up", ORDERS[0], 2), ("down", ORDERS[1], 6)):
        write_case(tmp_path / folder, order, False, "sform")
        (tmp_path / folder / "axl_score.csv").write_text(f"Layer,Label-3\n{frame},0.5\n")
        plan = nk.plan(nk.scan(tmp_path / folder))
        axial = next(item for item in plan.items if item.name == "axl_anatomic.nrrd")
        assert json.loads(json.dumps(axial.objects[0].scores)) == {
            "0-0-1": {"1": {"score": "0.50", "comment": None}}
        }
