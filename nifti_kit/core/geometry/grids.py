"""Grids of voxels in space: affines, reorientation to RAS+, frames and slices.

Conventions: an affine is a 4 x 4 float64 matrix that takes voxel indices (i, j, k), counted from
0 at the voxel's centre, to RAS+ millimetres (x to the right, y to anterior, z to superior), as
NIfTI-1 and nibabel have it. NRRD and ITK count in LPS+; that is turned at their edges only.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.imports import whole_nibabel
from nifti_kit.errors import NiftiKitError

Affine = npt.NDArray[np.float64]

SHEAR_COSINE = 1e-3
"""Two axes whose cosine is above this are not perpendicular: 0.06 degrees, where ITK refuses."""

SMALLEST_MM = 1e-9
"""A shorter axis is a fault: electron microscopes have voxels of 1e-6 (mm)."""

FARTHEST_MM = 1e9
"""What is further than a thousand kilometres has no place, and no digits for 1e-4 mm (mm)."""

PLANES = {"sag": 0, "cor": 1, "axl": 2}
"""The RAS+ axis that is the normal of each plane: sagittal R, coronal A, axial S."""

NORMALS = {"sag": "1-0-0", "cor": "0-1-0", "axl": "0-0-1"}
"""The platform's names of the planes in a figure's custom data."""


@dataclass(frozen=True)
class Orientation:
    """A reordering of axes: output axis ``a`` is input axis ``axes[a]``, reversed if ``flips[a]``.

    It is exact: no voxel is interpolated.
    """

    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    def apply(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a view of a 3D array in the new order."""
        steps = tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)
        return array.transpose(self.axes)[steps]

    def index_map(self, shape: tuple[int, ...]) -> Affine:
        """Return the 4 x 4 matrix from new indices to old ones, for an *old* shape."""
        matrix = np.zeros((4, 4))
        matrix[3, 3] = 1
        for new, (old, flip) in enumerate(zip(self.axes, self.flips, strict=True)):
            matrix[old, new] = -1 if flip else 1
            matrix[old, 3] = shape[old] - 1 if flip else 0
        return matrix

    def apply_box(
        self, box: tuple[slice, slice, slice], shape: tuple[int, ...]
    ) -> tuple[slice, slice, slice]:
        """Return where a box of an array of ``shape`` (old order) lies in the new order."""
        moved = []
        for old, flip in zip(self.axes, self.flips, strict=True):
            start, stop = box[old].start, box[old].stop
            size = shape[old]
            moved.append(slice(size - stop, size - start) if flip else slice(start, stop))
        return (moved[0], moved[1], moved[2])

    def then(self, other: Orientation) -> Orientation:
        """Return the one orientation that does this one and then ``other``."""
        axes = tuple(self.axes[axis] for axis in other.axes)
        flips = tuple(
            self.flips[axis] ^ flip for axis, flip in zip(other.axes, other.flips, strict=True)
        )
        return Orientation(axes, flips)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Cutout:
    """Where a grid that was cut out of a larger one lies in it.

    Attributes
    ----------
    shape
        Number of voxels of the larger grid along its axes.
    first
        The index there (from 0) of the cut-out's first voxel; the axes run alike.
    """

    shape: tuple[int, int, int]
    first: tuple[int, int, int]

    def moved(self, box: Sequence[slice]) -> tuple[slice, slice, slice]:
        """Return where a box of the cut-out lies in the larger grid."""
        i, j, k = (
            slice(first + side.start, first + side.stop)
            for first, side in zip(self.first, box, strict=True)
        )
        return (i, j, k)


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the voxels of a 3D image are.

    Attributes
    ----------
    shape
        Number of voxels along i, j, k.
    affine
        (4, 4) float64, voxel indices to RAS+ mm.
    """

    shape: tuple[int, int, int]
    affine: Affine

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "shape", tuple(int(size) for size in self.shape))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Grid):
            return NotImplemented
        return self.shape == other.shape and bool(np.array_equal(self.affine, other.affine))

    def __hash__(self) -> int:
        # -0.0 equals 0.0, but has other bytes: adding 0.0 makes them alike.
        return hash((self.shape, (self.affine + 0.0).tobytes()))

    @cached_property
    def voxel_size(self) -> tuple[float, float, float]:
        """The distance between neighbouring voxel centres along i, j, k (mm)."""
        with np.errstate(over="ignore", invalid="ignore"):  # ``problem`` names what comes of it
            sizes = np.linalg.norm(self.affine[:3, :3], axis=0)
        return (float(sizes[0]), float(sizes[1]), float(sizes[2]))

    @property
    def origin(self) -> npt.NDArray[np.float64]:
        """The RAS+ position of the centre of voxel (0, 0, 0) (mm)."""
        return self.affine[:3, 3]

    @property
    def directions(self) -> npt.NDArray[np.float64]:
        """(3, 3): column a is the unit vector of axis a in RAS+."""
        return np.asarray(self.affine[:3, :3] / np.array(self.voxel_size))

    @cached_property
    def problem(self) -> str:
        """Why the grid cannot be used: not finite, of no size that an image has, or flat."""
        if not np.isfinite(self.affine).all():
            return "the affine has a value that is not finite"
        if not np.isfinite(self.voxel_size).all():
            return "the affine has an axis of endless length"
        if min(self.voxel_size) < SMALLEST_MM:
            return f"the affine has an axis of length {min(self.voxel_size):.3g}"
        if np.abs(self.world(self.corners())).max() > FARTHEST_MM:
            farthest = np.abs(self.world(self.corners())).max()
            return f"the affine places voxels {farthest:.3g} mm from the scanner"
        if abs(np.linalg.det(self.directions)) < SHEAR_COSINE:
            return "the axes of the affine lie in one plane"
        return ""

    @cached_property
    def shear_degrees(self) -> float:
        """The largest deviation of two axes from a right angle (degrees)."""
        cosines = self.directions.T @ self.directions
        off_diagonal = np.abs(cosines[np.triu_indices(3, 1)]).max()
        return float(np.degrees(np.arcsin(min(1.0, off_diagonal))))

    @property
    def is_sheared(self) -> bool:
        """True when the axes are not perpendicular: ITK and the platform refuse such a grid."""
        return self.shear_degrees > float(np.degrees(np.arcsin(SHEAR_COSINE)))

    @cached_property
    def axis_codes(self) -> str:
        """The nearest anatomical direction in which i, j, k grow, such as ``LPS``."""
        orientation = ras_orientation(self)
        codes = [""] * 3
        for ras, (axis, flip) in enumerate(zip(orientation.axes, orientation.flips, strict=True)):
            codes[axis] = ("RL", "AP", "SI")[ras][flip]
        return "".join(codes)

    def world(self, indices: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the RAS+ positions (mm) of voxel indices of shape (..., 3)."""
        points = np.asarray(indices, dtype=np.float64)
        return points @ self.affine[:3, :3].T + self.affine[:3, 3]

    def corners(self) -> npt.NDArray[np.float64]:
        """Return (8, 3): the indices of the corner voxels."""
        ends = [(0, size - 1) for size in self.shape]
        return np.array(list(itertools.product(*ends)), dtype=np.float64)

    def field_of_view(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the box that the voxels fill, to their outer faces (RAS+ mm).

        (3,): its corner before the first voxel; (3, 3): column a is its edge along axis a.
        """
        return self.world([-0.5, -0.5, -0.5]), self.affine[:3, :3] * np.array(self.shape)

    def reoriented(self, orientation: Orientation) -> Grid:
        """Return the grid of ``orientation.apply(array)``: the same voxels, in the new order."""
        shape = tuple(self.shape[axis] for axis in orientation.axes)
        return Grid(shape, self.affine @ orientation.index_map(self.shape))  # type: ignore[arg-type]

    def cropped(self, box: Sequence[slice]) -> Grid:
        """Return the grid of ``array[box]``: the voxels in a box, where they are."""
        i, j, k = (side.stop - side.start for side in box)
        affine = self.affine.copy()
        affine[:3, 3] = self.world([side.start for side in box])
        return Grid((i, j, k), affine)

    def uncropped(self, cutout: Cutout) -> Grid:
        """Return the larger grid that this one was cut out of: no voxel moves."""
        affine = self.affine.copy()
        affine[:3, 3] = self.world([-first for first in cutout.first])
        return Grid(cutout.shape, affine)

    def to_ras(self) -> Grid:
        """Return the grid with its axes in the order and direction nearest to R, A, S."""
        return self.reoriented(ras_orientation(self))


def ras_orientation(grid: Grid) -> Orientation:
    """Return the reordering of axes that brings a grid nearest to RAS+.

    The pairing of file axes with R, A, S is nibabel's (>= 5.4), which agrees with ITK's.
    """
    whole_nibabel()
    from nibabel.orientations import io_orientation

    pairs = io_orientation(grid.affine)  # row: file axis; columns: RAS axis, +1 or -1
    axes, flips = [0, 0, 0], [False, False, False]
    for file_axis, (ras_axis, direction) in enumerate(pairs):
        axes[int(ras_axis)] = file_axis
        flips[int(ras_axis)] = bool(direction < 0)
    return Orientation(tuple(axes), tuple(flips))  # type: ignore[arg-type]


def plane_axis(grid: Grid, plane: str, orientation: Orientation | None = None) -> tuple[int, bool]:
    """Return the file axis nearest to a plane's normal, and whether RAS+ reverses it."""
    orientation = orientation or ras_orientation(grid)
    ras_axis = PLANES[plane]
    return orientation.axes[ras_axis], orientation.flips[ras_axis]


def frame_to_slice(
    grid: Grid, plane: str, frame: int, orientation: Orientation | None = None
) -> int:
    """Return the RAS+ slice index (from 0) of a frame (from 1) of the file.

    The frame counts along the file axis nearest to the normal of ``plane`` (``axl``, ``cor`` or
    ``sag``); where reorientation reverses that axis of n voxels, frame f becomes slice n - f.
    ``orientation`` is the reordering into RAS+ that was really used; the grid's own by default.

    Raises
    ------
    ValueError
        If the file has no such frame.
    """
    axis, reversed_ = plane_axis(grid, plane, orientation)
    count = grid.shape[axis]
    if not 1 <= frame <= count:
        raise ValueError(f"frame {frame} is outside 1 to {count}")
    return count - frame if reversed_ else frame - 1


def displacements(inside: npt.NDArray[Any], grid: Grid, other: Grid) -> npt.NDArray[np.float64]:
    """Return how far each labelled voxel lies from itself when another grid places it (mm).

    Parameters
    ----------
    inside
        (i, j, k), not zero where the mask is.
    grid, other
        The two places of voxel (i, j, k) (RAS+ mm).

    Returns
    -------
    ndarray
        (n,), one for each labelled voxel.

    Raises
    ------
    NiftiKitError
        If the shapes differ, or no voxel is labelled.
    """
    _check_shapes(inside.shape, grid.shape, other.shape)
    indices = np.argwhere(inside)
    if not len(indices):
        raise NiftiKitError("the mask has no labelled voxel", remedy="Choose another label.")
    moved = indices @ (other.affine - grid.affine)[:3, :3].T + (other.origin - grid.origin)
    return np.asarray(np.linalg.norm(moved, axis=1))


def corner_displacement(grid: Grid, other: Grid) -> float:
    """Return how far the farthest corner voxel lies from itself when another grid places it (mm).

    Raises
    ------
    NiftiKitError
        If the shapes differ.
    """
    _check_shapes(grid.shape, other.shape)
    moved = other.world(grid.corners()) - grid.world(grid.corners())
    return float(np.linalg.norm(moved, axis=1).max())


def _check_shapes(*shapes: tuple[int, ...]) -> None:
    if len(set(shapes)) > 1:
        found = " and ".join(map(str, dict.fromkeys(shapes)))
        raise NiftiKitError("a mask and its two places need one shape", found=found)
