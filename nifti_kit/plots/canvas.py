"""What is shown of a mask in two places: the plane, the slice, and the part of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import PLANES, Grid
from nifti_kit.errors import NiftiKitError
from nifti_kit.render.scene import AXIAL, CORONAL, SAGITTAL, Plane, Scene

__all__ = ["Canvas", "indices_in", "telling_slice"]

Points = npt.NDArray[np.float64]

LONGEST, SHORTEST = 5.6, 2.8
"""Sides of the picture (inches): the longer one, and the least that the other one has."""

DOTS = 600
"""Points along the longer side that an outline is followed on: a tenth of a voxel is seen."""

AROUND = 0.12
"""Of what both masks take, is shown around them."""

AROUND_MM = 8.0
"""But so much at least (mm): a mask of three voxels needs its surroundings."""

MAX_POINTS = 100_000
"""Labelled voxels from which plane and slice are chosen, evenly spread."""

_PLANES = {plane.normal: plane for plane in (SAGITTAL, CORONAL, AXIAL)}


def indices_in(ras: Grid, inside: npt.NDArray[Any], place: Grid) -> Points:
    """Return where labelled voxels are in indices of the volume (n, 3), not rounded."""
    indices = np.argwhere(inside)
    chosen = indices[:: max(1, math.ceil(len(indices) / MAX_POINTS))]
    inverse = np.linalg.inv(ras.affine[:3, :3])
    return np.asarray((place.world(chosen) - ras.origin) @ inverse.T)


def telling_slice(
    scene: Scene, clouds: Sequence[Points], at: tuple[str, int | None] | None
) -> tuple[Scene, Plane]:
    """Return the scene cut where two places are seen best, or where a person says; its plane.

    Parameters
    ----------
    clouds
        For each place what :func:`indices_in` returned.
    at
        A plane (``axl``, ``cor``, ``sag``) and a RAS+ slice index from 0, either of them or both.

    Raises
    ------
    NiftiKitError
        If there is no such plane or slice.
    """
    name, index = at or (None, None)
    if name is not None and name not in PLANES:
        raise NiftiKitError("there is no such plane", found=repr(name), expected="axl, cor or sag")
    plane = _PLANES[PLANES[name]] if name else _telling(clouds, scene.grid)
    count = scene.grid.shape[plane.normal]
    index = _fullest(clouds, scene.grid, plane) if index is None else index
    if not 0 <= index < count:
        found, expected = f"slice {index}", f"0 to {count - 1}"
        raise NiftiKitError("there is no such slice", found=found, expected=expected)
    position = list(scene.position)
    position[plane.normal] = index
    return replace(scene, position=(position[0], position[1], position[2])), plane


def _telling(clouds: Sequence[Points], ras: Grid) -> Plane:
    """Return the axial plane, or the one that shows a displacement through axial slices."""
    moved = np.abs(clouds[0] - clouds[1]).mean(axis=0) * ras.voxel_size
    if moved[AXIAL.normal] <= max(moved[AXIAL.across], moved[AXIAL.up]):
        return AXIAL
    return _PLANES[int(moved.argmin())]


def _fullest(clouds: Sequence[Points], ras: Grid, plane: Plane) -> int:
    """Return the slice that shows most of both places; the middle if none is in the volume."""
    size = ras.shape[plane.normal]
    shares = []
    for cloud in clouds:
        at = np.rint(cloud[:, plane.normal])
        counts = np.bincount(at[(at >= 0) & (at < size)].astype(int), minlength=size)
        shares.append(counts / max(1, counts.max()))
    merit = shares[0] + shares[1] + 2 * np.minimum(*shares)
    best = np.flatnonzero(merit >= merit.max() - 1e-9)
    return int(best[len(best) // 2])


class Box(NamedTuple):
    """Millimetres across (to R or A) and up, from the centre of the slice's first pixel."""

    low: Points
    high: Points


@dataclass(frozen=True)
class Canvas:
    """The part of the plane that is shown, also beyond the volume.

    ``fine`` is its grid: points near enough to each other to follow the edges of voxels.
    """

    plane: Plane
    box: Box
    fine: Grid

    @classmethod
    def of(
        cls, scene: Scene, plane: Plane, clouds: Sequence[Points], zoom_mm: float | None
    ) -> Canvas:
        """Return what is shown of two places; made wider or higher where it is too narrow.

        Raises
        ------
        NiftiKitError
            If the zoom is no length.
        """
        box = _shown(clouds, scene, plane, zoom_mm)
        sides = box.high - box.low
        sides = np.maximum(sides, sides.max() * SHORTEST / LONGEST)
        middle = (box.low + box.high) / 2
        wide = Box(middle - sides / 2, middle + sides / 2)
        return cls(plane, wide, _fine(scene, plane, wide))

    @property
    def inches(self) -> tuple[float, float]:
        """Width and height of the picture."""
        sides = self.box.high - self.box.low
        width, height = (sides / sides.max() * LONGEST).tolist()
        return width, height


def _shown(clouds: Sequence[Points], scene: Scene, plane: Plane, zoom_mm: float | None) -> Box:
    """Return what is shown: both masks and what is around them, or a piece of an edge."""
    axes, size = [plane.across, plane.up], np.array(scene.pixel_size(plane))
    if zoom_mm is not None:
        if not 0 < zoom_mm < float("inf"):
            raise NiftiKitError("a zoom needs a length above 0 mm", found=f"zoom_mm={zoom_mm}")
        middle = _edge(clouds[1], scene, plane)[axes] * size
        return Box(middle - zoom_mm / 2, middle + zoom_mm / 2)
    points = np.concatenate(clouds)[:, axes] * size
    low, high = points.min(axis=0) - size / 2, points.max(axis=0) + size / 2
    around = max(AROUND_MM, AROUND * float((high - low).max()))
    return Box(low - around, high + around)


def _edge(cloud: Points, scene: Scene, plane: Plane) -> Points:
    """Return the edge of a mask in the slice, or near to it, that is drawn leftmost."""
    away = np.abs(cloud[:, plane.normal] - scene.position[plane.normal])
    near = cloud[away <= away.min() + 0.5]
    edge: Points = near[near[:, plane.across].argmax()].copy()
    edge[plane.across] += 0.5
    return edge


def _fine(scene: Scene, plane: Plane, box: Box) -> Grid:
    sides = box.high - box.low
    step = float(sides.max()) / DOTS
    counts = np.ceil(sides / step).astype(int)
    size = np.array(scene.pixel_size(plane))
    start = np.zeros(3)
    start[plane.normal] = scene.position[plane.normal]
    start[[plane.across, plane.up]] = (box.low + step / 2) / size
    affine = np.eye(4)
    affine[:3, :3] = scene.grid.directions * step
    affine[:3, 3] = scene.grid.world(start)
    shape = [1, 1, 1]
    shape[plane.across], shape[plane.up] = counts.tolist()
    return Grid((shape[0], shape[1], shape[2]), affine)
