"""Objects read from a target, and put into label maps; no voxel of another one is overwritten."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import Grid, Orientation, Placement, corner_displacement, placed_on
from nifti_kit.core.memory import mapped_array
from nifti_kit.formats.labels import Box
from nifti_kit.targets.reading import Page, pages_of
from nifti_kit.targets.records import ObjectRef
from nifti_kit.targets.target import Target

OVERLAPS = "it overlaps another object of the same file"
OUTSIDE = "it has voxels outside of the file's grid"
ELSEWHERE = "its grid is not on the voxels of the file's"

FEW = np.iinfo(np.uint8).max
"""The highest value of a label map of one byte a voxel."""


@dataclass(frozen=True, eq=False)
class Drawing:
    """The voxels of an object on a target."""

    ref: ObjectRef  # the object
    grid: Grid  # where its mask lies (RAS+ mm)
    pages: tuple[Page, ...]  # what is drawn, by slices

    @property
    def voxels(self) -> int:
        """How many voxels it has."""
        return sum(int(np.count_nonzero(page.inside)) for page in self.pages)

    def runs(self) -> dict[str, Any]:
        """Return it as JSON: shape, affine, and runs ``[first, length]`` of voxels.

        Voxels are counted from 0, with i running fastest.
        """
        columns, rows, _ = self.grid.shape
        runs = [
            [(page.k * rows + page.first[1] + j) * columns + page.first[0] + start, stop - start]
            for page in self.pages
            for j in range(page.inside.shape[1])
            for start, stop in _runs(page.inside[:, j])
        ]
        return {"shape": list(self.grid.shape), "affine": self.grid.affine.tolist(), "runs": runs}


def _runs(row: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(row.astype(np.int8), prepend=0, append=0)).tolist()
    yield from zip(edges[::2], edges[1::2], strict=True)


def read_drawing(target: Target, ref: ObjectRef) -> Drawing:
    """Return the voxels of an object; only the parts of slices that are drawn on are kept.

    Raises NoMask if it has none. Raises UnreadableFile if its file is damaged.
    """
    grid, drawn = target.drawn(ref)
    return Drawing(ref, grid, tuple(pages_of(drawn)))


class LabelMap:
    """A label map that objects are put into, in the voxel order of its file.

    Its memory is that of the rows that are drawn on.

    ``grid``: where the file's voxels are (RAS+ mm).
    ``most``: the highest value that will be in it.
    ``volume``: where the voxels of its volume are on the target (RAS+ mm); by default on that grid.
    """

    def __init__(self, grid: Grid, most: int, volume: Grid | None = None) -> None:
        self.grid, self._volume = grid, (volume or grid).to_ras()
        self.voxels = mapped_array(grid.shape, np.uint8 if most <= FEW else np.uint16)
        self._low = np.array(grid.shape)
        self._high = np.zeros(3, dtype=int)
        self.off_mm = 0.0  # how far a mask's header was off that was taken voxel by voxel

    @classmethod
    def of(cls, grid: Grid, voxels: npt.NDArray[Any]) -> LabelMap:
        """Return the label map of a file; nothing is put into it."""
        made = cls(grid, 0)
        made.voxels = voxels
        return made

    @property
    def box(self) -> Box:
        """What is drawn on, in file order; empty where nothing is."""
        low = np.minimum(self._low, self._high)
        i, j, k = (slice(int(a), int(b)) for a, b in zip(low, self._high, strict=True))
        return (i, j, k)

    def add(self, drawing: Drawing, value: int) -> str:
        """Put an object in with a value; return why it cannot be, or nothing.

        All of it is in then, or none of it.
        """
        place = self._place(drawing.grid)
        if place is None:
            return ELSEWHERE
        view = place.orientation.apply(self.voxels)
        parts = []
        for page in drawing.pages:
            part = _part(view, page, place.first)
            if part is None:
                return OUTSIDE
            if np.any(part, where=page.inside):
                return OVERLAPS
            parts.append(part)
        for page, part in zip(drawing.pages, parts, strict=True):
            np.copyto(part, value, where=page.inside)
        self._grow(drawing.pages, place)
        return ""

    def values_under(self, drawing: Drawing) -> dict[int, int]:
        """Return the values under an object, and how many of its voxels have each."""
        place = self._place(drawing.grid)
        found: dict[int, int] = {}
        if place is None:
            return found
        view = place.orientation.apply(self.voxels)
        for page in drawing.pages:
            part = _part(view, page, place.first)
            if part is not None:
                counts = np.bincount(part[page.inside].ravel())
                for value in np.flatnonzero(counts).tolist():
                    found[value] = found.get(value, 0) + int(counts[value])
        found.pop(0, None)
        return found

    def _place(self, grid: Grid) -> Placement | None:
        """Return where this map's voxels are among those of a mask.

        The platform holds a mask of its volume's shape against it voxel by voxel, whatever its
        header says: the SDK rounds a mask's origin to whole millimetres.
        """
        found = placed_on(self.grid, grid)
        if found is not None:
            return found
        if self._volume.shape != grid.shape:
            return None
        place = placed_on(self.grid, self._volume)
        if place is not None:
            self.off_mm = max(self.off_mm, corner_displacement(self._volume, grid))
        return place

    def _grow(self, pages: Sequence[Page], place: Placement) -> None:
        if not pages:
            return
        first = np.array([[*page.first, page.k] for page in pages])
        size = np.array([[*page.inside.shape, 1] for page in pages])
        low, high = first.min(axis=0), (first + size).max(axis=0)
        box = tuple(
            slice(int(a - at), int(b - at)) for a, b, at in zip(low, high, place.first, strict=True)
        )
        for axis, side in enumerate(_in_file_order(box, place.orientation, self.grid.shape)):
            self._low[axis] = min(self._low[axis], side.start)
            self._high[axis] = max(self._high[axis], side.stop)


def _in_file_order(
    box: Sequence[slice], orientation: Orientation, shape: tuple[int, ...]
) -> list[slice]:
    """Return where a box of a reordered array lies in the array itself."""
    sides = [slice(0, 0)] * 3
    for side, axis, flip in zip(box, orientation.axes, orientation.flips, strict=True):
        size = shape[axis]
        sides[axis] = slice(size - side.stop, size - side.start) if flip else side
    return sides


def _part(
    view: npt.NDArray[Any], page: Page, first: tuple[int, int, int]
) -> npt.NDArray[Any] | None:
    """Return what lies under a page; None where it is not all there."""
    i, j, k = page.first[0] - first[0], page.first[1] - first[1], page.k - first[2]
    ends = (i + page.inside.shape[0], j + page.inside.shape[1], k + 1)
    if min(i, j, k) < 0 or any(e > n for e, n in zip(ends, view.shape, strict=True)):
        return None
    return view[i : ends[0], j : ends[1], k]
