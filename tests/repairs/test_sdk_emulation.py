"""The emulation of the SDK's calls does what the SDK does."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from nifti_kit.core.geometry import Grid, Orientation, corner_displacement, displacements
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.nifti import read_header
from nifti_kit.formats.nrrd import grid_from_header
from nifti_kit.repairs.sdk_emulation import as_converted, as_mask3d
from tests.support.builders import SAMPLES, write_nifti

SHAPE = (5, 6, 7)
ORDERS = {
    "RAS": Orientation((0, 1, 2), (False, False, False)),
    "LPS": Orientation((0, 1, 2), (True, True, False)),
    "LSP": Orientation((0, 2, 1), (True, False, True)),
    "PSL": Orientation((1, 2, 0), (True, False, True)),
    "IAR": Orientation((2, 1, 0), (True, False, False)),
}
MASKS = [
    "by_volume/CTChest/liver.nii.gz",
    "by_volume/Abdomen/liver.nii",
    "by_plane_semantic/cor_inference.nii.gz",
    "by_plane_semantic/sag_inference.nii.gz",
    "multi_item/study_b/visit_2/item_2/axl_inference.nii.gz",
    "multi_item/study_b/visit_2/item_2/cor_inference.nii.gz",
]


def grid(degrees: float = 0.0, order: str = "RAS", origin: Any = (-10.4, 3.5, 7.3)) -> Grid:
    """A grid turned about two axes, stored in any order."""
    a, b = np.radians([degrees, degrees / 2])
    about_z = [[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]
    about_x = [[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]]
    affine = np.eye(4)
    affine[:3, :3] = np.array(about_z) @ about_x * [2.0, 3.0, 5.0]
    affine[:3, 3] = origin
    return Grid(SHAPE, affine).reoriented(ORDERS[order])


def lps_header(place: Grid) -> dict[str, Any]:
    """The header of a NRRD file as 3D Slicer writes it."""
    signs = [-1, -1, 1]
    return {
        "space": "left-posterior-superior",
        "space directions": place.affine[:3, :3].T * signs,
        "space origin": place.origin * signs,
    }


def ras_header(place: Grid) -> dict[str, Any]:
    return {
        "space": "right-anterior-superior",
        "space directions": place.affine[:3, :3].T,
        "space origin": place.origin,
    }


def positions(geometry: Any, data: np.ndarray) -> np.ndarray:
    """Where a Mask3D has the voxels of an array (RAS+ mm), whatever it made of their order."""
    found = Grid(
        geometry.data.shape,
        grid_from_header(
            {
                "space": geometry.space,
                "sizes": geometry.data.shape,
                "space directions": geometry.space_directions,
                "space origin": geometry.space_origin,
            },
            "mask",
        ).affine,
    )
    return found.world(np.argwhere(geometry.data)) if data.any() else np.empty((0, 3))


def test_mask3d_rounds_the_origin_to_whole_millimetres() -> None:
    place = grid(origin=(-10.4, 3.6, 7.5))
    rounded = as_mask3d(place)
    assert rounded.origin.tolist() == [-10.0, 4.0, 8.0]
    np.testing.assert_array_equal(rounded.affine[:3, :3], place.affine[:3, :3])
    inside = np.ones(SHAPE, dtype=bool)
    moved = displacements(inside, place, rounded)
    assert moved == pytest.approx([np.sqrt(0.4**2 + 0.4**2 + 0.5**2)] * inside.size)


def test_half_millimetres_are_rounded_to_even_ones_as_python_does() -> None:
    assert as_mask3d(grid(origin=(0.5, 1.5, -2.5))).origin.tolist() == [0.0, 2.0, -2.0]


@pytest.mark.parametrize("order", ORDERS)
def test_the_conversion_is_right_for_straight_files(order: str) -> None:
    place = grid(order=order)
    np.testing.assert_allclose(as_converted(place).affine, place.to_ras().affine, atol=1e-12)


def test_the_conversion_tilts_oblique_files_the_other_way() -> None:
    place = Grid(SHAPE, grid().affine)
    angle = np.radians(10)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    tilted = Grid(SHAPE, turn @ place.affine)
    back = as_converted(tilted)
    np.testing.assert_allclose(back.directions, turn[:3, :3].T, atol=1e-12)
    np.testing.assert_array_equal(back.origin, tilted.origin)


def test_a_turn_within_the_axial_plane_survives_the_conversion() -> None:
    angle = np.radians(10)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turned = Grid(SHAPE, turn @ grid().affine)
    np.testing.assert_allclose(as_converted(turned).affine, turned.affine, atol=1e-12)


def test_an_lps_header_sends_an_array_to_another_place() -> None:
    place = Grid((4, 4, 4), np.diag([-1.0, -1.0, 1.0, 1.0]))  # LPS in the file, origin 0
    moved = as_mask3d(place, header_space="LPS")
    # i should have been reversed with j; k was.
    assert moved.world([0, 0, 0]).tolist() == [-3.0, 0.0, 3.0]
    assert moved.world([1, 0, 0]).tolist() == [-2.0, 0.0, 3.0]
    assert moved.world([0, 0, 1]).tolist() == [-3.0, 0.0, 2.0]


def test_displacements_are_those_of_the_labelled_voxels_only() -> None:
    place = Grid((3, 1, 1), np.eye(4))
    stretched = Grid((3, 1, 1), np.diag([2.0, 1.0, 1.0, 1.0]))
    inside = np.array([0, 5, 5]).reshape(3, 1, 1)
    assert displacements(inside, place, stretched).tolist() == [1.0, 2.0]


def test_displacements_need_one_shape_and_a_label() -> None:
    place = Grid((3, 1, 1), np.eye(4))
    with pytest.raises(NiftiKitError, match=r"one shape Found: \(2, 1, 1\) and \(3, 1, 1\)\."):
        displacements(np.ones((2, 1, 1)), place, place)
    with pytest.raises(NiftiKitError, match="no labelled voxel"):
        displacements(np.zeros((3, 1, 1)), place, place)


def test_the_farthest_corner_tells_how_far_a_whole_image_is_off() -> None:
    place = Grid((3, 1, 2), np.eye(4))
    stretched = Grid((3, 1, 2), np.diag([2.0, 1.0, 1.5, 1.0]))
    assert corner_displacement(place, stretched) == pytest.approx(np.hypot(2.0, 0.5))
    with pytest.raises(NiftiKitError, match="one shape"):
        corner_displacement(place, Grid((3, 2, 1), np.eye(4)))


@pytest.mark.sly
@pytest.mark.parametrize("name", MASKS)
def test_the_sdk_converts_the_samples_as_emulated(name: str, sly: ModuleType) -> None:
    path = SAMPLES / name
    data, header = sly.volume.volume.convert_3d_nifti_to_nrrd(str(path))
    expected = as_converted(read_header(path).grid)
    assert data.shape == expected.shape
    np.testing.assert_allclose(grid_from_header(header, name).affine, expected.affine, atol=1e-4)


@pytest.mark.sly
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("degrees", [0, 8, 20])
def test_the_sdk_converts_every_order_as_emulated(
    order: str, degrees: float, sly: ModuleType, tmp_path: Path
) -> None:
    place = grid(degrees, order)
    path = write_nifti(tmp_path / "mask.nii", np.ones(place.shape, np.uint8), place.affine)
    data, header = sly.volume.volume.convert_3d_nifti_to_nrrd(str(path))
    expected = as_converted(place)
    assert data.shape == expected.shape
    np.testing.assert_allclose(grid_from_header(header, "m").affine, expected.affine, atol=1e-4)


@pytest.mark.sly
@pytest.mark.parametrize("space", ["RAS", "LPS"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("degrees", [0, 8])
def test_mask3d_of_the_sdk_places_every_voxel_as_emulated(
    degrees: float, order: str, space: Any, sly: ModuleType
) -> None:
    place = grid(degrees, order)
    expected = as_mask3d(place, header_space=space)
    header = (ras_header if space == "RAS" else lps_header)(place)
    for voxel in [(0, 0, 0), (1, 2, 3), (4, 0, 4), tuple(np.array(place.shape) - 1)]:
        data = np.zeros(place.shape, dtype=bool)
        data[voxel] = True
        found = positions(sly.Mask3D(data, volume_header=dict(header)), data)
        np.testing.assert_allclose(found, [expected.world(voxel)], atol=1e-6)
