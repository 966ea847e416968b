"""Scenes: what three planes through an image show, without knowledge of how it is drawn.

Everything is in RAS+ order, whatever the order of the file. Each mask is put where its own affine
puts it, so a mask that does not fit its volume is seen where it really lies.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import Grid, ras_orientation
from nifti_kit.errors import NiftiKitError

Color = tuple[int, int, int]
Section = npt.NDArray[np.bool_]
Profiles = tuple[npt.NDArray[np.float64], ...]
Window = tuple[float, float]

PERCENTILES = (1, 99)
"""Grey values shown by default: single hot or dead voxels do not decide the contrast."""

MAX_SAMPLES = 1_000_000
"""Voxels of an image from which the percentiles are worked out, evenly spread."""

MAX_POINTS = 200_000
"""Voxels of a mask from which its profiles are worked out, evenly spread."""

MAX_CANDIDATES = 20_000
"""Voxels of masks among which the default position is looked for."""

DIRECTIONS = (("R", "L"), ("A", "P"), ("S", "I"))
"""The letters of each RAS+ axis: where it grows to, and where it comes from."""


class Plane(NamedTuple):
    """A plane's RAS+ axes: its normal, the one drawn from right to left, the one drawn upward.

    This is the radiological convention: the patient's right is on the left of coronal and axial
    pictures, anterior on the left of sagittal ones.
    """

    title: str
    normal: int
    across: int
    up: int


SAGITTAL, CORONAL, AXIAL = (
    Plane("Sagittal", 0, 1, 2),
    Plane("Coronal", 1, 0, 2),
    Plane("Axial", 2, 0, 1),
)
BY_NORMAL = (SAGITTAL, CORONAL, AXIAL)
"""By the RAS+ axis that is a plane's normal."""


@dataclass(frozen=True, eq=False)
class Mask:
    """The voxels of one object.

    Attributes
    ----------
    name, color
        Its class, and RGB of 0 to 255. Masks of the same name are one entry of the legend.
    inside
        (i, j, k), not zero where the object is; it may be cropped.
    grid
        Where the voxels of ``inside`` are (RAS+ mm).
    """

    name: str
    color: Color
    inside: npt.NDArray[Any]
    grid: Grid


@dataclass(frozen=True, eq=False)
class SceneClass:
    """The masks of one name.

    Attributes
    ----------
    number
        Its place in the legend, from 1.
    name, color
        As its first mask has them.
    masks
        Its objects.
    profiles
        For each RAS+ axis: how many of its voxels lie in each slice of the image, about.
    """

    number: int
    name: str
    color: Color
    masks: tuple[Mask, ...]
    profiles: Profiles

    @cached_property
    def voxels(self) -> int:
        """How many voxels it has, in its own files."""
        return sum(int(np.count_nonzero(mask.inside)) for mask in self.masks)

    @property
    def is_outside(self) -> bool:
        """True when it has voxels, and none of them in the image."""
        return self.voxels > 0 and not self.profiles[0].any()

    def visibility(self) -> Profiles:
        """Return, for each slice, the root of the class's area over its largest: 0 to 1.

        The root lets a small class count, and a sliver of a large one count little.
        """
        return tuple(np.sqrt(profile / max(profile.max(), 1.0)) for profile in self.profiles)


@dataclass(frozen=True, eq=False)
class Scene:
    """An image in RAS+ order, where it is cut, and its classes.

    Attributes
    ----------
    volume, grid
        Grey values (i, j, k), and where they are (RAS+ mm).
    classes
        In the order in which they were given.
    position
        RAS+ slice indices from 0: sagittal, coronal, axial.
    limits
        The grey values that become black and white.
    """

    volume: npt.NDArray[Any]
    grid: Grid
    classes: tuple[SceneClass, ...]
    position: tuple[int, int, int]
    limits: Window

    @classmethod
    def of(
        cls,
        volume: npt.NDArray[Any],
        grid: Grid,
        masks: Iterable[Mask],
        at: Sequence[int | None] | None,
        window: Window | None,
    ) -> Scene:
        """Return the scene of an image whose axes may be in any order.

        Raises
        ------
        NiftiKitError
            If a shape is not that of its grid, there is no such slice, or a window has no width.
        """
        ordered, ras = _ordered("volume", volume, grid)
        # Masks too: what is seen may not depend on the order in which a file was stored.
        turned = [
            Mask(mask.name, mask.color, *_ordered(f"mask of {mask.name!r}", mask.inside, mask.grid))
            for mask in masks
        ]
        classes = _classes(turned, ras)
        position = _position(classes, ras, at)
        return cls(ordered, ras, classes, position, _limits(ordered, window))

    @property
    def oblique_degrees(self) -> float:
        """How far an axis is turned away from that of the patient, at most (degrees)."""
        return math.degrees(math.acos(min(1.0, float(np.diag(self.grid.directions).min()))))

    def place(self, axis: int) -> str:
        """Return where the position is along a RAS+ axis, such as ``L 12.3 mm``."""
        mm = float(self.grid.world(self.position)[axis])
        return f"{DIRECTIONS[axis][mm < 0]} {abs(mm):.1f} mm"

    def pixel_size(self, plane: Plane) -> tuple[float, float]:
        """Return the voxel size across and up (mm)."""
        return self.grid.voxel_size[plane.across], self.grid.voxel_size[plane.up]

    def grey(self, plane: Plane) -> npt.NDArray[np.float64]:
        """Return the slice (across, up), 0 for black to 1 for white; NaN is black."""
        # A view: np.take would copy a whole volume that is not in C order. The two axes that are
        # left are in rising order, as across and up are in every plane.
        piece = self.volume[(slice(None),) * plane.normal + (self.position[plane.normal],)]
        low, high = self.limits
        grey = np.clip((piece.astype(np.float64) - low) / (high - low), 0, 1)
        return np.asarray(np.nan_to_num(grey))

    def section(self, found: SceneClass, plane: Plane) -> Section:
        """Return where the slice (across, up) cuts a class."""
        section = np.zeros((self.grid.shape[plane.across], self.grid.shape[plane.up]), dtype=bool)
        for mask in found.masks:
            _mark(section, mask, self.grid, plane, self.position[plane.normal])
        return section

    def is_cut(self, found: SceneClass) -> bool:
        """Say whether one of the three slices meets a class."""
        return any(self.section(found, plane).any() for plane in (SAGITTAL, CORONAL, AXIAL))


def section_of(mask: Mask, grid: Grid, plane: Plane, index: int) -> Section:
    """Return where a mask lies in a slice (across, up) of a grid in RAS+ order; index from 0."""
    section = np.zeros((grid.shape[plane.across], grid.shape[plane.up]), dtype=bool)
    _mark(section, mask, grid, plane, index)
    return section


def _ordered(what: str, array: npt.NDArray[Any], grid: Grid) -> tuple[npt.NDArray[Any], Grid]:
    """Return an image in RAS+ order: a view of it, and its grid."""
    if array.shape != grid.shape:
        message = f"the {what} has another shape than its grid"
        raise NiftiKitError(message, found=array.shape, expected=grid.shape)
    orientation = ras_orientation(grid)
    return orientation.apply(array), grid.reoriented(orientation)


def _classes(masks: Iterable[Mask], grid: Grid) -> tuple[SceneClass, ...]:
    named: dict[str, list[Mask]] = {}
    for mask in masks:
        named.setdefault(mask.name, []).append(mask)
    return tuple(
        SceneClass(number, name, group[0].color, tuple(group), _profiles(group, grid))
        for number, (name, group) in enumerate(named.items(), start=1)
    )


def _profiles(masks: Iterable[Mask], grid: Grid) -> Profiles:
    profiles = tuple(np.zeros(size) for size in grid.shape)
    for mask in masks:
        indices, step = _indices(mask, grid, MAX_POINTS)
        for axis, size in enumerate(grid.shape):
            profiles[axis][:] += step * np.bincount(indices[:, axis], minlength=size)
    return profiles


def _indices(mask: Mask, grid: Grid, most: int) -> tuple[npt.NDArray[np.int64], int]:
    """Return which voxels of the grid a mask's voxels lie in, (n, 3): of each ``step`` one."""
    flat = np.flatnonzero(mask.inside)
    step = max(1, math.ceil(len(flat) / most))
    points = np.stack(np.unravel_index(flat[::step], mask.inside.shape), axis=-1)
    indices = np.rint(_moved(mask.grid, grid, points)).astype(np.int64)
    return indices[((indices >= 0) & (indices < grid.shape)).all(axis=1)], step


def _moved(source: Grid, other: Grid, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the voxel indices of another grid (..., 3), not rounded, for those of a source."""
    matrix = np.linalg.inv(other.affine) @ source.affine
    moved: npt.NDArray[np.float64] = (
        np.asarray(points, np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
    )
    return moved


def _position(
    classes: Sequence[SceneClass], grid: Grid, at: Sequence[int | None] | None
) -> tuple[int, int, int]:
    wanted = (None, None, None) if at is None else tuple(at)
    fits = len(wanted) == len(grid.shape) and all(
        index is None or 0 <= index < size for index, size in zip(wanted, grid.shape, strict=True)
    )
    if not fits:
        raise NiftiKitError(
            "there is no such slice",
            found=f"at={wanted}",
            expected=f"three RAS+ indices from 0, below {grid.shape}, or None",
        )
    candidates = _candidates(classes, grid)
    for axis, index in enumerate(wanted):
        if index is not None:
            candidates[:, axis] = index
    i, j, k = candidates[_best(candidates, classes)].tolist()
    return i, j, k


def _candidates(classes: Sequence[SceneClass], grid: Grid) -> npt.NDArray[np.int64]:
    """Return voxels of masks (n, 3), as many of each; the middle of the image if there is none."""
    masks = [mask for found in classes for mask in found.masks]
    share = max(1, MAX_CANDIDATES // max(1, len(masks)))
    middle = np.array([[size // 2 for size in grid.shape]])
    found = [_indices(mask, grid, share)[0] for mask in masks]
    return np.concatenate([piece for piece in found if len(piece)] or [middle])


def _best(candidates: npt.NDArray[np.int64], classes: Iterable[SceneClass]) -> int:
    """Return which position shows most classes well in at least one plane.

    In how many planes they are seen counts half; of equally good positions the one nearest to
    their mean is taken.
    """
    merit = np.zeros(len(candidates))
    for found in classes:
        seen = np.stack([v[candidates[:, axis]] for axis, v in enumerate(found.visibility())])
        merit += seen.max(axis=0) + seen.mean(axis=0) / 2
    best = np.flatnonzero(merit >= merit.max() - 1e-9)
    away = np.linalg.norm(candidates[best] - candidates[best].mean(axis=0), axis=1)
    return int(best[away.argmin()])


def _limits(volume: npt.NDArray[Any], window: Window | None) -> Window:
    if window is not None:
        centre, width = window
        if not width > 0:
            raise NiftiKitError("a window needs a width above 0", found=f"window={window}")
        return centre - width / 2, centre + width / 2
    # The same step along each axis: a step through the flat array could meet one column only.
    step = max(1, math.ceil((volume.size / MAX_SAMPLES) ** (1 / 3)))
    values = volume[::step, ::step, ::step].astype(np.float64)
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = (float(limit) for limit in np.percentile(values, PERCENTILES))
    if low == high:
        low, high = float(values.min()), float(values.max())
    return (low, high) if low < high else (low, low + 1.0)


def _mark(section: Section, mask: Mask, grid: Grid, plane: Plane, index: int) -> None:
    """Set the pixels whose centres lie in a voxel of a mask; only its box is visited."""
    if not mask.inside.size:
        return
    ends = _moved(mask.grid, grid, _outer_corners(mask.grid))
    # Clipped while they are floats: a far index is no int64.
    low = np.clip(np.floor(ends.min(axis=0)), 0, grid.shape).astype(int)
    high = np.clip(np.ceil(ends.max(axis=0)) + 1, 0, grid.shape).astype(int)
    if not low[plane.normal] <= index < high[plane.normal]:
        return
    part = section[low[plane.across] : high[plane.across], low[plane.up] : high[plane.up]]
    points = np.empty((*part.shape, 3))
    points[..., plane.normal] = index
    points[..., plane.across] = np.arange(low[plane.across], high[plane.across])[:, None]
    points[..., plane.up] = np.arange(low[plane.up], high[plane.up])
    at = np.clip(np.rint(_moved(grid, mask.grid, points)), -1, mask.inside.shape).astype(int)
    within = ((at >= 0) & (at < mask.inside.shape)).all(axis=-1)
    i, j, k = at[within].T
    part[within] |= mask.inside[i, j, k] != 0


def _outer_corners(grid: Grid) -> npt.NDArray[np.float64]:
    """Return (8, 3): the corners of the box, half a voxel outside of the corner voxels."""
    ends = [(-0.5, size - 0.5) for size in grid.shape]
    return np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3)
