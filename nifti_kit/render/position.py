"""What is shown at first: grey values (windows), and the slices that show most.

Everything is in RAS+ order, whatever the order of the file. Each mask is put where its own affine
puts it, so a mask that does not fit its volume is seen where it really lies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import Grid, ras_orientation
from nifti_kit.errors import NiftiKitError
from nifti_kit.render.layers import Layer, Numbers, Stack, check_shape
from nifti_kit.render.picture import Artist
from nifti_kit.render.scene import AXIAL, BY_NORMAL, DIRECTIONS, Color, Mask, Plane

PERCENTILES = (1, 99)
"""Grey values shown by default: single hot or dead voxels do not decide the contrast."""

CUSTOM = "Custom"
"""What a window is called that is no preset."""

MAX_SAMPLES = 1_000_000
"""Voxels from which percentiles are worked out, evenly spread."""

AIR_HU = -900
"""A volume with values this low holds Hounsfield units: air is -1000, and MR has none below 0."""


class Window(NamedTuple):
    """The middle and the distance of the values that become black and white."""

    centre: float
    width: float

    @property
    def limits(self) -> tuple[float, float]:
        """The values that become black and white."""
        return self.centre - self.width / 2, self.centre + self.width / 2


CT = {
    "CT soft tissue": Window(40, 400),
    "CT bone": Window(400, 1800),
    "CT lung": Window(-600, 1500),
    "CT brain": Window(40, 80),
}
"""What radiology departments use, in Hounsfield units."""


def presets_of(volume: npt.NDArray[Any]) -> dict[str, Window]:
    """Return the windows to choose from, by name; the first one is shown at the beginning.

    For a volume that holds Hounsfield units that is soft tissue, for any other its percentiles.
    """
    values = finite_sample(volume)
    values = values if values.size else np.zeros(1)
    low, high = PERCENTILES
    of_volume = {
        f"Percentiles {low} to {high}": _between(*_limits(values)),
        "All values": _between(values.min(), values.max()),
    }
    is_ct = volume.dtype.kind in "if" and float(values.min()) <= AIR_HU
    return {**CT, **of_volume} if is_ct else {**of_volume, **CT}


def finite_sample(volume: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return values of evenly spread voxels (n,), those that are numbers."""
    # The same step along each axis: a step through the flat array could meet one column only.
    step = max(1, int(np.ceil((volume.size / MAX_SAMPLES) ** (1 / 3))))
    values = volume[::step, ::step, ::step].astype(np.float64)
    return np.asarray(values[np.isfinite(values)])


def _limits(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return what becomes black and white: percentiles, all values where those are the same."""
    if not values.size:
        return 0.0, 1.0
    low, high = (float(limit) for limit in np.percentile(values, PERCENTILES))
    if low == high:
        low, high = float(values.min()), float(values.max())
    return (low, high) if low < high else (low, low + 1.0)


def _between(low: Any, high: Any) -> Window:
    """Return the window from one value to another; where they are the same, of width 1."""
    low, high = float(low), float(high)
    width = high - low if high > low else 1.0
    return Window((low + high) / 2, width)


# Places: where a viewer looks first, and where a class is seen best

MAX_VOXELS = 2_000_000
"""Of a layer, evenly spread, from which the first position is worked out."""

MAX_POINTS = 200_000
"""Voxels of a mask from which it is worked out where it is seen best, evenly spread."""

Position = tuple[int, int, int]
Points = npt.NDArray[np.float64]


def best_position(grid: Grid, layers: Iterable[Layer]) -> Position:
    """Return the slices (RAS+ indices) that show most classes well; the middle without masks."""
    areas: tuple[list[npt.NDArray[Any]], ...] = ([], [], [])
    for layer in layers:
        step = max(1, math.ceil((layer.numbers.size / MAX_VOXELS) ** (1 / 3)))
        points, numbers = layer.points(grid, step)
        rows, row = np.unique(numbers, return_inverse=True)
        for axis, size in enumerate(grid.shape):
            flat = np.bincount(row * size + points[:, axis], minlength=len(rows) * size)
            areas[axis].extend(flat.reshape(len(rows), size))
    return _best(grid, areas)


def _best(grid: Grid, areas: Sequence[Sequence[npt.NDArray[Any]]]) -> Position:
    i, j, k = (best_slice(found, size) for found, size in zip(areas, grid.shape, strict=True))
    return i, j, k


def best_slice(areas: Iterable[npt.NDArray[Any]], size: int) -> int:
    """Return the slice that shows most of several things well; the middle where there is none.

    Of slices that are equally good it is the one in their middle.

    ``areas``: for each thing how many of its voxels lie in each slice. It counts by the root of its
    area over its largest: a small one counts too, and a sliver of a large one counts little.
    ``size``: how many slices there are.
    """
    merit = np.zeros(size)
    for area in areas:
        merit += np.sqrt(area / max(area.max(initial=0), 1))
    best = np.flatnonzero(merit >= merit.max() - 1e-9)
    return int(best[len(best) // 2]) if merit.any() else size // 2


def labelled(mask: Mask) -> tuple[npt.NDArray[np.int64], int]:
    """Return indices of a mask's voxels (n, 3), evenly spread, and of how many each is one.

    They are looked for frame by frame: the array is large where it is a whole file.
    """
    rows = max(1, mask.inside.shape[0])
    step = max(1, math.ceil(np.count_nonzero(mask.inside) / MAX_POINTS))
    pieces, seen = [np.empty((0, 3), dtype=np.int64)], 0
    for k in range(mask.inside.shape[2]):
        flat = np.flatnonzero(mask.inside[:, :, k].T)
        chosen = flat[-seen % step :: step]
        pieces.append(np.stack([chosen % rows, chosen // rows, np.full_like(chosen, k)], axis=1))
        seen += len(flat)
    return np.concatenate(pieces), step


def indices_in(grid: Grid, world: Points) -> Points:
    """Return RAS+ positions (mm) as voxel indices of a grid (..., 3), not rounded."""
    inverse = np.linalg.inv(grid.affine[:3, :3])
    return np.asarray((world - grid.origin) @ inverse.T)


def within(indices: Points, grid: Grid) -> npt.NDArray[np.int64]:
    """Return those of the indices (n, 3), rounded, that are voxels of a grid."""
    whole = np.rint(indices)
    return whole[((whole >= 0) & (whole < grid.shape)).all(axis=-1)].astype(np.int64)


def telling_plane(usual: Plane, grid: Grid, places: Sequence[Points]) -> Plane:
    """Return a plane in which two places of a mask lie apart: the usual one if it shows that.

    ``places`` are indices of a grid in RAS+ order (n, 3), in the same order of voxels.
    """
    apart = np.abs(places[0] - places[1]).mean(axis=0) * grid.voxel_size
    if apart[usual.normal] <= max(apart[usual.across], apart[usual.up]):
        return usual
    return BY_NORMAL[int(apart.argmin())]


@dataclass(eq=False)
class SceneClass:
    """The masks of one name."""

    name: str
    color: Color
    # For each RAS+ axis: how many of its voxels lie in each slice of the image, about.
    areas: tuple[npt.NDArray[np.int64], ...]
    # How many masks, and how many voxels in their own files.
    objects: int = 0
    voxels: int = 0

    @property
    def is_outside(self) -> bool:
        """True when it has voxels, and none of them in the image."""
        return self.voxels > 0 and not self.areas[0].any()

    def add(self, mask: Mask, image: Grid) -> None:
        """Count another mask of the class."""
        points, step = labelled(mask)
        seen = within(indices_in(image, mask.grid.world(points)), image)
        for axis, size in enumerate(image.shape):
            self.areas[axis][:] += step * np.bincount(seen[:, axis], minlength=size)
        self.objects += 1
        self.voxels += int(np.count_nonzero(mask.inside))


@dataclass(frozen=True, eq=False)
class Scene:
    """An image in RAS+ order: what of it becomes black and white, where it is cut, its masks."""

    # Grey values (i, j, k), and where they are (RAS+ mm).
    volume: npt.NDArray[Any]
    grid: Grid
    limits: tuple[float, float]  # the grey values that become black and white
    position: Position  # RAS+ slice indices from 0: sagittal, coronal, axial
    # In the order in which they were given; their numbers in the layers count from 1.
    classes: tuple[SceneClass, ...] = ()
    layers: tuple[Layer, ...] = ()  # from the bottom to the top

    @classmethod
    def of(
        cls,
        volume: npt.NDArray[Any],
        grid: Grid,
        masks: Iterable[Mask] = (),
        at: Sequence[int | None] | None = None,
        window: tuple[float, float] | None = None,
    ) -> Scene:
        """Return the scene of an image whose axes may be in any order; so may those of masks.

        ``at``: slices; those that show most classes well where there is none.
        ``window``: grey values as (centre, width); by default those between the percentiles 1 and
        99.
        Raises NiftiKitError if a shape is not that of its grid, there is no such slice, or a window
        has no width.
        """
        check_shape("volume", volume, grid)
        if window is not None and not window[1] > 0:
            raise NiftiKitError("a window needs a width above 0", found=f"window={window}")
        orientation, ras = ras_orientation(grid), grid.to_ras()
        wanted = _wanted(at, ras)
        ordered = orientation.apply(volume)
        limits = _limits(finite_sample(ordered)) if window is None else Window(*window).limits
        classes, layers = _layered(masks, ras)
        best = _best(ras, [[found.areas[axis] for found in classes] for axis in range(3)])
        i, j, k = (b if w is None else w for w, b in zip(wanted, best, strict=True))
        return cls(ordered, ras, limits, (i, j, k), classes, layers)

    @property
    def artist(self) -> Artist:
        """What draws it; it remembers what its pictures have in common."""
        colors = [found.color for found in self.classes]
        return Artist(self.volume, self.grid, [("", self.layers)], colors)

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

    def slice_text(self, plane: Plane) -> str:
        """Return which slice of a plane is shown, such as ``slice 5 (0 to 9)``."""
        last = self.grid.shape[plane.normal] - 1
        return f"slice {self.position[plane.normal]} (0 to {last})"


def _wanted(at: Sequence[int | None] | None, grid: Grid) -> tuple[int | None, ...]:
    wanted = (None, None, None) if at is None else tuple(at)
    if len(wanted) == len(grid.shape) and all(
        index is None or 0 <= index < size for index, size in zip(wanted, grid.shape, strict=True)
    ):
        return wanted
    raise NiftiKitError(
        "there is no such slice",
        found=f"at={wanted}",
        expected=f"three RAS+ indices from 0, below {grid.shape}, or None",
    )


def _layered(
    masks: Iterable[Mask], image: Grid
) -> tuple[tuple[SceneClass, ...], tuple[Layer, ...]]:
    """Return the classes of masks, and layers with the classes' numbers; masks are not kept."""
    classes: dict[str, SceneClass] = {}
    stack = Stack(image, np.iinfo(np.uint16).max)
    for mask in masks:
        check_shape(f"mask of {mask.name!r}", mask.inside, mask.grid)
        if mask.name not in classes:
            nowhere = tuple(np.zeros(size, np.int64) for size in image.shape)
            classes[mask.name] = SceneClass(mask.name, mask.color, nowhere)
        classes[mask.name].add(mask, image)
        number = stack.dtype.type([*classes].index(mask.name) + 1)
        stack.add(np.where(mask.inside != 0, number, stack.dtype.type(0)), mask.grid)
    return tuple(classes.values()), stack.layers


def position_of(grid: Grid, layers: Iterable[Layer], number: int) -> Position | None:
    """Return a voxel of a class, in the middle of its largest axial section.

    None where none of its voxels lies in the image.
    """
    found = [_AxialAreas.of(grid, layer, number) for layer in layers]
    areas = np.sum([one.areas for one in found], axis=0) if found else np.zeros(1)
    if not areas.any():
        return None
    largest = int(areas.argmax())
    section = np.concatenate([one.points(largest) for one in found])
    away = np.abs(section - section.mean(axis=0)).sum(axis=1)
    i, j, k = section[away.argmin()].tolist()
    return i, j, k


class _AxialAreas(NamedTuple):
    """A class in one layer: how many voxels of each axial slice it has, and which of one."""

    areas: npt.NDArray[np.int64]
    points: Callable[[int], npt.NDArray[np.int64]]

    @classmethod
    def of(cls, grid: Grid, layer: Layer, number: int) -> _AxialAreas:
        if layer.grid == grid:
            return cls(_areas(layer.numbers, number), partial(_points, layer.numbers, number))
        alone = Layer((layer.numbers == number).view(np.uint8), layer.grid)
        points = alone.points(grid)[0]
        areas = np.bincount(points[:, 2], minlength=grid.shape[2])
        return cls(areas, lambda k: points[points[:, 2] == k])


def _areas(numbers: Numbers, number: int) -> npt.NDArray[np.int64]:
    """Return how many voxels of each axial slice have a number; frame by frame, as memory has it.

    A person waits for it: of a gigabyte no more is written than a frame at a time.
    """
    slowest = max(range(numbers.ndim), key=lambda axis: abs(numbers.strides[axis]))
    # Forwards, wherever the order does not count: backwards it takes six times longer.
    forwards = tuple(
        slice(None, None, -1 if stride < 0 and axis not in (slowest, AXIAL.normal) else 1)
        for axis, stride in enumerate(numbers.strides)
    )
    frames = np.moveaxis(numbers[forwards], slowest, 0)
    if slowest == AXIAL.normal:
        return np.array([np.count_nonzero(frame == number) for frame in frames], dtype=np.int64)
    areas = np.zeros(numbers.shape[AXIAL.normal], dtype=np.int64)
    for frame in frames:
        areas += np.count_nonzero(frame == number, axis=0)
    return areas


def _points(numbers: Numbers, number: int, k: int) -> npt.NDArray[np.int64]:
    """Return which voxels (n, 3) of an axial slice have a number."""
    i, j = np.nonzero(numbers[:, :, k] == number)
    return np.stack([i, j, np.full_like(i, k)], axis=1)
