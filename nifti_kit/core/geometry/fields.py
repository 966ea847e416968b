"""Fields of view: whether two grids meet, how much of one is in another, how far apart."""

from __future__ import annotations

import numpy as np

from nifti_kit.core.geometry.grids import SHEAR_COSINE, Grid

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
