"""Alignment: how the grid of a mask lies against that of its volume, in world space (RAS+ mm)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry.grids import SHEAR_COSINE, Cutout, Grid, Orientation, ras_orientation

SAME_MM = 1e-4
"""Two grids are the same below this corner displacement: the promise the toolkit makes (mm)."""

ROUNDING_MM = 1e-3
"""Up to here a displacement is the rounding of a header, not a difference (mm)."""

LATTICE_VOXELS = 0.01
"""Up to here (in voxels) too: digits of decimals, and quaternions in float32, lose so much."""

NEAREST_VOXELS = 0.5
"""Beyond it another voxel is nearer, however little that is in mm: never the rounding of a header.

Two forms of one header that are not further apart are two roundings of one place."""

CLEAR_COSINE = 0.9
"""An axis that runs within 26 degrees of another is its counterpart, and no other can be."""

NEAR_SIZES, NEAR_DEGREES, NEAR_SHARE = 0.01, 1.0, 0.02
"""Voxel sizes within this part, axes within these degrees, and corners within this part of the
diagonal: two converters of one series differ so, by cosines of six digits (0.005 mm) or by the
slice distance of the first two slices in place of the mean (1.19 mm of 150 mm)."""


@dataclass(frozen=True)
class Placement:
    """Where the voxels of a grid are among those of another, whose lattice they share.

    Attributes
    ----------
    orientation
        The exact reordering into the other's voxel order.
    first
        The index there of its first voxel, after that; outside of the other where it is beyond.
    shape
        Its number of voxels, after that.
    mm, voxels
        How far its corners lie from whole voxels: rounding.
    """

    orientation: Orientation
    first: tuple[int, int, int]
    shape: tuple[int, int, int]
    mm: float
    voxels: float

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """What it fills of the other, whose voxels may end before."""
        i, j, k = (slice(at, at + n) for at, n in zip(self.first, self.shape, strict=True))
        return (i, j, k)

    def is_inside(self, shape: tuple[int, ...]) -> bool:
        """Say whether all its voxels are voxels of the other, whose shape is given."""
        sides = zip(self.first, self.shape, shape, strict=True)
        return all(at >= 0 and at + n <= size for at, n, size in sides)


def placed_on(grid: Grid, reference: Grid) -> Placement | None:
    """Return where a grid's voxels are on the lattice of another.

    None when they are not on it: another spacing or direction, or a place between its voxels.
    """
    if grid.problem or reference.problem:
        return None
    to_reference = np.linalg.inv(reference.affine) @ grid.affine
    orientation = _orientation_of(np.rint(to_reference[:3, :3]))
    if orientation is None:
        return None
    ordered = grid.reoriented(orientation)
    corners = ordered.corners()
    away = ordered.world(corners) - reference.origin
    indices = np.linalg.solve(reference.affine[:3, :3], away.T).T
    i, j, k = (int(index) for index in np.rint(indices[0]))
    first = np.array([i, j, k])
    moved = np.abs(indices - corners - first).max()
    beside = ordered.world(corners) - reference.world(corners + first)
    mm = float(np.linalg.norm(beside, axis=1).max())
    if not _is_rounding(mm, moved, grid, reference):
        return None
    return Placement(orientation, (i, j, k), ordered.shape, mm, float(moved))


def _orientation_of(steps: npt.NDArray[np.float64]) -> Orientation | None:
    """Return the reordering that a matrix of 0, 1 and -1 stands for; None where it is no such."""
    absolute = np.abs(steps)
    if (absolute.sum(axis=0) != 1).any() or (absolute.sum(axis=1) != 1).any():
        return None
    axes = tuple(int(axis) for axis in absolute.argmax(axis=1))
    flips = tuple(bool(steps[row, axis] < 0) for row, axis in enumerate(axes))
    return Orientation(axes, flips)  # type: ignore[arg-type]


def _is_rounding(mm: float, voxels: float, *grids: Grid) -> bool:
    """Say whether corners that lie so far apart are one place in two headers."""
    if voxels <= LATTICE_VOXELS:
        return True
    return voxels < NEAREST_VOXELS and mm <= max(ROUNDING_MM, *map(float32_step, grids))


def float32_step(grid: Grid) -> float:
    """Return the distance of neighbouring float32 numbers at a grid's coordinates (mm)."""
    reach = np.abs(grid.affine[:3, :3]) @ grid.shape + np.abs(grid.origin)
    return float(np.linalg.norm(np.spacing(reach.astype(np.float32))))


def lattice_orientation(grid: Grid, reference: Grid) -> Orientation | None:
    """Return the reordering that brings ``grid`` into the voxel order of ``reference``.

    None when they do not have the same voxels: another size, spacing, direction or place.
    """
    found = placed_on(grid, reference)
    same = found is not None and found.shape == reference.shape and not any(found.first)
    return found.orientation if found is not None and same else None


def nearest_order(grid: Grid, reference: Grid) -> Orientation | None:
    """Return the reordering that brings a usable grid's axes nearest to those of another.

    None where that is not clear: the grids are turned against each other.
    """
    cosines = np.linalg.solve(reference.directions, grid.directions)
    return _orientation_of(np.where(np.abs(cosines) >= CLEAR_COSINE, np.sign(cosines), 0))


def axis_orders(
    shape: tuple[int, ...], wanted: tuple[int, ...]
) -> tuple[tuple[int, int, int], ...]:
    """Return the orders of three axes in which a shape is the wanted one, as numpy.transpose.

    The complete reversal, of an array that was saved in z, y, x, comes first.

    >>> axis_orders((20, 30, 30), (30, 30, 20))
    ((2, 1, 0), (1, 2, 0))
    """
    orders = ((i, j, k) for i, j, k in itertools.permutations((2, 1, 0)))
    return tuple(o for o in orders if tuple(shape[axis] for axis in o) == tuple(wanted))


@dataclass(frozen=True)
class Alignment:
    """How a mask's grid lies against its volume's.

    Attributes
    ----------
    verdict
        ``same``, ``rounding``, ``flipped``, ``permuted`` (the same voxels in another order),
        ``cropped`` (some of the voxels), ``other form`` (the voxels by the form of the volume's
        header that is not in force, which differs by less than half a voxel); and what does not
        land: ``axes exchanged``, ``header lost``, ``translated``, ``resampled``, ``apart`` or
        ``unusable``.
    displacement_mm, displacement_voxels
        The largest displacement of a corner voxel, after the axes were put in the same order;
        infinite where the shapes differ.
    orientation
        Where it lands: the exact reordering into the volume's voxel order; else None.
    overlap
        The share of the mask's field of view that lies inside the volume's: 0 to 1.
    box
        The part of the volume, in its voxel order, that a mask with fewer voxels fills.
    is_near
        For ``resampled``: as many voxels, and nearly the volume's place, as another converter of
        the same series gives; so they are the volume's by index.
    fits_other_form
        Where it does not land: it would by the form of the volume's header that is not in force.
    """

    verdict: str
    displacement_mm: float
    displacement_voxels: float
    orientation: Orientation | None
    overlap: float = 0.0
    box: tuple[slice, slice, slice] | None = None
    is_near: bool = False
    fits_other_form: bool = False

    @property
    def lands(self) -> bool:
        """True when every voxel of the mask is a voxel of the volume, without interpolation."""
        return self.orientation is not None

    def into_ras(self, volume: Grid) -> Orientation:
        """Return the reordering into RAS+ of a mask that lands, through its volume's order.

        A grid turned by 45 degrees is equally near to two orders; the volume decides for both.
        """
        assert self.orientation is not None
        return self.orientation.then(ras_orientation(volume))

    def cutout(self, volume: Grid) -> Cutout | None:
        """Return where a part lies in its volume, in RAS+ order; None where it is no part."""
        if self.box is None:
            return None
        i, j, k = ras_orientation(volume).apply_box(self.box, volume.shape)
        return Cutout(volume.to_ras().shape, (i.start, j.start, k.start))


def compare_grids(mask: Grid, volume: Grid, other_form: Grid | None = None) -> Alignment:
    """Return how a mask's grid lies against its volume's, compared in world space (RAS+ mm).

    ``other_form`` is the volume's grid by the form of its header that is not in force.
    """
    if mask.problem or volume.problem:
        return Alignment("unusable", float("inf"), float("inf"), None)
    found = _landing(mask, volume)
    if found is not None:
        return found
    by_other = None if other_form is None else _landing(mask, other_form)
    if by_other is None or other_form is None:
        return _misaligned(mask, volume)
    mm, voxels = _corner_distance(other_form, volume)
    if voxels < NEAREST_VOXELS:
        verdict = "other form"
        return replace(by_other, verdict=verdict, displacement_mm=mm, displacement_voxels=voxels)
    return replace(_misaligned(mask, volume), fits_other_form=True)


def _landing(mask: Grid, volume: Grid) -> Alignment | None:
    """Return the alignment of a mask all of whose voxels are voxels of its volume."""
    found = placed_on(mask, volume)
    if found is None or not found.is_inside(volume.shape):
        return None
    if found.shape == volume.shape:
        verdict = _order_verdict(found)
        return Alignment(verdict, found.mm, found.voxels, found.orientation, 1.0)
    if is_bare(mask):  # a part that was saved without its header lies at 0 too
        return None
    return Alignment("cropped", found.mm, found.voxels, found.orientation, 1.0, found.box)


def _order_verdict(found: Placement) -> str:
    if found.orientation.axes != (0, 1, 2):
        return "permuted"
    if any(found.orientation.flips):
        return "flipped"
    return "same" if found.mm <= SAME_MM and found.voxels <= LATTICE_VOXELS else "rounding"


def _misaligned(mask: Grid, volume: Grid) -> Alignment:
    """Return the verdict for grids that do not share their voxels."""
    order = nearest_order(mask, volume)
    ordered = mask if order is None else mask.reoriented(order)
    overlap = share_inside(mask, volume)
    bare = is_bare(mask)
    if bare and _may_be_of(mask, volume):
        return Alignment("header lost", *_corner_distance(mask, volume), None, overlap)
    mm, voxels = _corner_distance(ordered, volume)
    its_own = ordered.shape == volume.shape and not bare
    if not its_own and mask.shape != volume.shape and axis_orders(mask.shape, volume.shape):
        return Alignment("axes exchanged", float("inf"), float("inf"), None, overlap)
    if order is not None and _is_translated(ordered, volume):
        return Alignment("translated", mm, voxels, None, overlap)
    if not fields_meet(mask, volume):
        return Alignment("apart", mm, voxels, None, overlap)
    near = order is not None and _is_near(ordered, volume)
    return Alignment("resampled", mm, voxels, None, overlap, is_near=near)


def _may_be_of(mask: Grid, volume: Grid) -> bool:
    """Say whether a mask without a header may hold the volume's voxels, or some of them at 0."""
    if mask.shape == volume.shape:
        return True
    found = placed_on(mask, volume)
    return found is not None and found.is_inside(volume.shape)


def _corner_distance(grid: Grid, reference: Grid) -> tuple[float, float]:
    """Return how far equal corner indices lie apart: in mm, and in voxels of ``reference``."""
    if grid.shape != reference.shape:
        return float("inf"), float("inf")
    moved = grid.world(grid.corners()) - reference.world(grid.corners())
    in_voxels = np.linalg.solve(reference.affine[:3, :3], moved.T)
    return float(np.linalg.norm(moved, axis=1).max()), float(np.abs(in_voxels).max())


def _is_translated(ordered: Grid, volume: Grid) -> bool:
    """Say whether all corners are moved alike, but for rounding."""
    if ordered.shape != volume.shape:
        return False
    shift = ordered.world([0, 0, 0]) - volume.world([0, 0, 0])
    back = ordered.affine.copy()
    back[:3, 3] -= shift
    mm, voxels = _corner_distance(Grid(ordered.shape, back), volume)
    return _is_rounding(mm, voxels, ordered, volume)


def _is_near(ordered: Grid, volume: Grid) -> bool:
    """Say whether a grid is nearly the volume's: as two converters of one series write it."""
    if ordered.shape != volume.shape:
        return False
    sizes = np.array(ordered.voxel_size) / volume.voxel_size
    cosines = np.abs((ordered.directions * volume.directions).sum(axis=0))
    diagonal = np.linalg.norm(np.array(volume.voxel_size) * volume.shape)
    return bool(
        np.abs(sizes - 1).max() <= NEAR_SIZES
        and cosines.min() >= np.cos(np.radians(NEAR_DEGREES))
        and _corner_distance(ordered, volume)[0] <= NEAR_SHARE * diagonal
    )


def is_bare(grid: Grid) -> bool:
    """Say whether an affine looks like a header that a tool dropped: unit directions, no place.

    The rotation is diagonal, and the origin is 0 or the first voxel is the far corner of 1 mm
    voxels around 0: what arrays saved without their affine have.
    """
    rotation = grid.affine[:3, :3]
    diagonal = np.allclose(rotation, np.diag(np.diag(rotation)), atol=1e-6)
    unit = np.allclose(np.abs(np.diag(rotation)), 1.0, atol=1e-6)
    centred = unit and np.allclose(grid.world((np.array(grid.shape) - 1) / 2), 0.0, atol=1e-6)
    return bool(diagonal and (centred or np.allclose(grid.origin, 0.0)))


# Fields of view: whether two grids meet, how much of one is in another, how far apart


OVERLAP_POINTS = 40
"""Points along each axis of a field of view that an overlap is counted on: exact to 2 %."""

TOUCHING_MM = 1e-6
"""Fields of view that share less than this depth only touch (mm)."""


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
