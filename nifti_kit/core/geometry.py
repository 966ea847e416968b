"""Grids of voxels in space: affines, reorientation to RAS+, comparison, frames and slices.

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

from nifti_kit.errors import NiftiKitError

Affine = npt.NDArray[np.float64]

SAME_MM = 1e-4
"""Two grids are the same below this corner displacement: the promise the toolkit makes (mm)."""

ROUNDING_MM = 1e-3
"""Up to here a displacement is the rounding of a float32 header, not a difference (mm)."""

SHEAR_COSINE = 1e-3
"""Two axes whose cosine is above this are not perpendicular: 0.06 degrees, where ITK refuses."""

LATTICE_VOXELS = 0.01
"""How far (in voxels) corners may lie from whole voxels of the other grid to be its lattice."""

OVERLAP_POINTS = 40
"""Points along each axis of a field of view that an overlap is counted on: exact to 2 %."""

TOUCHING_MM = 1e-6
"""Fields of view that share less than this depth only touch (mm)."""

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

    def to_ras(self) -> Grid:
        """Return the grid with its axes in the order and direction nearest to R, A, S."""
        return self.reoriented(ras_orientation(self))


def ras_orientation(grid: Grid) -> Orientation:
    """Return the reordering of axes that brings a grid nearest to RAS+.

    The pairing of file axes with R, A, S is nibabel's (>= 5.4), which agrees with ITK's.
    """
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


def lattice_orientation(grid: Grid, reference: Grid) -> Orientation | None:
    """Return the reordering that brings ``grid`` into the voxel order of ``reference``.

    None when they are not the same lattice: another size, spacing, direction or place.
    """
    if grid.problem or reference.problem:
        return None
    to_reference = np.linalg.inv(reference.affine) @ grid.affine
    steps = np.rint(to_reference[:3, :3])
    if not _is_signed_permutation(steps):
        return None
    axes = tuple(int(axis) for axis in np.abs(steps).argmax(axis=1))
    flips = tuple(bool(steps[row, axis] < 0) for row, axis in enumerate(axes))
    orientation = Orientation(axes, flips)  # type: ignore[arg-type]
    candidate = grid.reoriented(orientation)
    if candidate.shape != reference.shape:
        return None
    return orientation if _corner_distance(candidate, reference)[1] <= LATTICE_VOXELS else None


def _is_signed_permutation(steps: npt.NDArray[np.float64]) -> bool:
    absolute = np.abs(steps)
    return bool((absolute.sum(axis=0) == 1).all() and (absolute.sum(axis=1) == 1).all())


def _corner_distance(grid: Grid, reference: Grid) -> tuple[float, float]:
    """Return how far equal corner indices lie apart: in mm, and in voxels of ``reference``."""
    moved = grid.world(grid.corners()) - reference.world(grid.corners())
    in_mm = float(np.linalg.norm(moved, axis=1).max())
    in_voxels = np.linalg.solve(reference.affine[:3, :3], moved.T)
    return in_mm, float(np.abs(in_voxels).max())


@dataclass(frozen=True)
class Alignment:
    """How a mask's grid lies against its volume's.

    Attributes
    ----------
    verdict
        ``same``, ``rounding``, ``flipped``, ``permuted`` (the same voxels in another order),
        ``header lost``, ``translated``, ``resampled``, ``apart`` or ``unusable``.
    displacement_mm, displacement_voxels
        The largest displacement of a corner voxel, after the axes were put in the same order;
        infinite where the shapes differ.
    orientation
        For the first four: the exact reordering into the volume's voxel order; else None.
    overlap
        The share of the mask's field of view that lies inside the volume's: 0 to 1.
    """

    verdict: str
    displacement_mm: float
    displacement_voxels: float
    orientation: Orientation | None
    overlap: float = 0.0

    @property
    def lands(self) -> bool:
        """True when every voxel of the mask is a voxel of the volume, without interpolation."""
        return self.orientation is not None


def compare_grids(mask: Grid, volume: Grid) -> Alignment:
    """Return how a mask's grid lies against its volume's, compared in world space (RAS+ mm)."""
    if mask.problem or volume.problem:
        return Alignment("unusable", float("inf"), float("inf"), None)
    orientation = lattice_orientation(mask, volume)
    if orientation is not None:
        mm, voxels = _corner_distance(mask.reoriented(orientation), volume)
        if mm <= ROUNDING_MM:
            return Alignment(_lattice_verdict(orientation, mm), mm, voxels, orientation, 1.0)
    return _misaligned(mask, volume)


def _lattice_verdict(orientation: Orientation, mm: float) -> str:
    if orientation.axes != (0, 1, 2):
        return "permuted"
    if any(orientation.flips):
        return "flipped"
    return "same" if mm <= SAME_MM else "rounding"


def _misaligned(mask: Grid, volume: Grid) -> Alignment:
    """Return the verdict for grids that do not share their voxels."""
    ordered, reference = mask.to_ras(), volume.to_ras()
    mm = voxels = float("inf")
    if ordered.shape == reference.shape:
        mm, voxels = _corner_distance(ordered, reference)
    overlap = share_inside(mask, volume)
    if mask.shape == volume.shape and _is_bare(mask) and not _is_bare(volume):
        mm, voxels = _corner_distance(mask, volume)
        return Alignment("header lost", mm, voxels, None, overlap)
    if np.isfinite(mm) and np.allclose(ordered.affine[:3, :3], reference.affine[:3, :3], atol=1e-4):
        return Alignment("translated", mm, voxels, None, overlap)
    verdict = "resampled" if fields_meet(mask, volume) else "apart"
    return Alignment(verdict, mm, voxels, None, overlap)


def _is_bare(grid: Grid) -> bool:
    """Say whether an affine looks like a header that a tool dropped: unit directions, no place.

    The rotation is diagonal, and the origin is 0 or the first voxel is the far corner of 1 mm
    voxels around 0: what arrays saved without their affine have.
    """
    rotation = grid.affine[:3, :3]
    diagonal = np.allclose(rotation, np.diag(np.diag(rotation)), atol=1e-6)
    unit = np.allclose(np.abs(np.diag(rotation)), 1.0, atol=1e-6)
    centred = unit and np.allclose(grid.world((np.array(grid.shape) - 1) / 2), 0.0, atol=1e-6)
    return bool(diagonal and (centred or np.allclose(grid.origin, 0.0)))


def fields_meet(first: Grid, second: Grid) -> bool:
    """Say whether the fields of view of two usable grids share a part of space, however turned.

    Two boxes are apart exactly where they are along a normal of one of their faces, or along a
    line perpendicular to an edge of each (separating axis theorem).
    """
    (corner, edges), (other_corner, other_edges) = first.field_of_view(), second.field_of_view()
    unit, other_unit = first.directions, second.directions
    sides = [np.cross(one[:, a], one[:, b]) for one in (unit, other_unit) for a, b in _PAIRS]
    sides += [np.cross(unit[:, a], other_unit[:, b]) for a in range(3) for b in range(3)]
    between = other_corner + other_edges.sum(axis=1) / 2 - corner - edges.sum(axis=1) / 2
    for side in sides:
        length = np.linalg.norm(side)
        if length < SHEAR_COSINE**2:  # two parallel edges span no direction
            continue
        reach = (np.abs(side @ edges).sum() + np.abs(side @ other_edges).sum()) / 2
        if abs(side @ between) > reach - TOUCHING_MM * length:
            return False
    return True


_PAIRS = ((0, 1), (1, 2), (2, 0))


def share_inside(inner: Grid, outer: Grid) -> float:
    """Return the share (0 to 1) of a usable grid's field of view that lies inside another's.

    It is counted on a regular lattice of points.
    """
    (corner, edges), (outer_corner, outer_edges) = inner.field_of_view(), outer.field_of_view()
    # Along each edge of the outer box, from 0 to 1: where the inner one begins, and its edges.
    start = np.linalg.solve(outer_edges, corner - outer_corner)
    along = np.linalg.solve(outer_edges, edges)
    steps = (np.arange(OVERLAP_POINTS) + 0.5) / OVERLAP_POINTS
    inside = np.ones((OVERLAP_POINTS,) * 3, dtype=bool)
    for first, (i, j, k) in zip(start, along, strict=True):
        places = first + i * steps[:, None, None] + j * steps[:, None] + k * steps
        inside &= (places >= 0) & (places <= 1)
    return float(inside.mean())


def gap_mm(first: Grid, second: Grid) -> float:
    """Return the shortest distance between the fields of view of two usable grids (mm).

    0 where they meet. Points of both boxes are moved along their edges until they are nearest.
    """
    if fields_meet(first, second):
        return 0.0
    from scipy.optimize import lsq_linear

    (corner, edges), (other_corner, other_edges) = first.field_of_view(), second.field_of_view()
    along = np.hstack([edges, -other_edges])
    # The default method may stop millimetres short; this one ends at a corner, edge or face.
    nearest = lsq_linear(along, other_corner - corner, bounds=(0, 1), method="bvls")
    return float(np.linalg.norm(nearest.fun))


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
