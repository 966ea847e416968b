"""Comparisons of two annotation sets: what differs is found, named and measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.core.geometry import Orientation
from tests.flow.test_orientations import ORDERS, stored
from tests.support.builders import AFFINE, SAMPLES, volume, write_nifti

SHAPE = (9, 10, 11)


def blocks() -> np.ndarray:
    """Two blocks of one class each, which do not touch."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[1:4, 2:6, 3:8] = 1
    labels[6:8, 1:4, 2:5] = 2
    return labels


def write_set(folder: Path, labels: Any = None, affine: Any = AFFINE, name: str = "case") -> Path:
    """Write a volume with one semantic map of the classes Left and Right."""
    shape = SHAPE if labels is None else labels.shape
    write_nifti(folder / f"axl_anatomic_{name}.nii.gz", volume(shape), affine)
    write_nifti(
        folder / f"axl_inference_{name}.nii.gz", blocks() if labels is None else labels, affine
    )
    (folder / "cls_color_map.txt").write_text("1 Left 255 0 0\n2 Right 0 255 0\n")
    return folder


def found(a: Any, b: Any, **options: Any) -> tuple:
    return nk.compare(a, b, **options).differences


@pytest.mark.parametrize("name", ["by_volume", "by_plane_instance", "annotations_dataset"])
def test_two_identical_sets_give_no_row(name: str) -> None:
    compared = nk.compare(SAMPLES / name, SAMPLES / name)
    assert compared.ok
    assert not list(compared.rows())


def test_a_mask_moved_by_one_voxel_is_named_with_its_distance(tmp_path: Path) -> None:
    moved = np.where(blocks() == 2, 2, np.roll(blocks() == 1, 1, axis=1)).astype(np.uint8)
    (one,) = found(write_set(tmp_path / "a"), write_set(tmp_path / "b", moved))
    assert (one.class_name, one.kinds) == ("Left", ("voxels", "moved"))
    assert one.what == "30 of 75 voxels differ; the same in another place, 1 voxel to A"
    assert (one.shift_mm, one.dice) == pytest.approx((3.0, 0.75))
    assert (one.axis, one.slice_index) == (1, 2)


def test_the_48_orders_of_one_map_are_the_same(tmp_path: Path) -> None:
    a = nk.scan(write_set(tmp_path / "a"))
    for number, order in enumerate(ORDERS):
        folder = tmp_path / str(number)
        matrix = Orientation(order[0], tuple(step < 0 for step in order[1])).index_map(SHAPE)
        write_set(folder, np.ascontiguousarray(stored(blocks(), order)), AFFINE @ matrix)
        assert nk.compare(a, folder).ok, order
