"""Maps: the objects of two sets as numbers on one grid, and the voxels that they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nifti_kit.comparisons.sides import SideObject
from nifti_kit.core.geometry import Cutout, Grid, Placement, placed_on
from nifti_kit.core.memory import mapped_array
from nifti_kit.core.parallel import ahead, cores
from nifti_kit.datasets.items import MaskFile
from nifti_kit.errors import BadLabels, UnreadableFile
from nifti_kit.formats.labels import Box, common_box, read_box
from nifti_kit.render import Mask
from nifti_kit.render.layers import Numbers, blocks, meet, renumbered
from nifti_kit.targets.reading import boxed
from nifti_kit.targets.records import ObjectRef, PlannedObject
from nifti_kit.targets.target import NoMask, Target

READERS = 2
"""Files that are read side by side for one set: more of them are more voxels in memory."""

MOST_COUNTED = 2**20
"""Pairs of numbers that are counted in a table of their own; those of more are sorted."""

OTHER_GRID = (
    "its mask is on another grid: nk.repairs.resample brings it onto the grid of its volume"
)
OUTSIDE = "its mask reaches beyond its volume"


class Numbered(NamedTuple):
    """An object, its place in its set (from 0), and the number that it is drawn with."""

    place: int
    number: int
    object: SideObject


@dataclass(eq=False)
class Drawn:
    """The objects of one set, drawn on a grid that both sets have."""

    # Label maps with the objects' numbers; several where objects overlap.
    layers: list[Numbers] = field(default_factory=list)
    # By an object's number, which of the layers it is in.
    levels: dict[int, int] = field(default_factory=dict)
    # By its number, the box of the grid that holds it, and how many voxels it has.
    boxes: dict[int, Box] = field(default_factory=dict)
    voxels: dict[int, int] = field(default_factory=dict)
    faults: dict[int, str] = field(default_factory=dict)  # by its number, why it is not drawn

    def map_of(self, number: int) -> Numbers:
        """Return the label map that an object is in."""
        return self.layers[self.levels[number]]


def common_grid(whole: Grid, sets: Sequence[Sequence[Numbered]]) -> Box:
    """Return the part of a grid's lattice, from its first voxel on, that holds all objects.

    Where a mask is on a target its volume's grid stands for it: nothing is read.
    """
    boxes = [box for found in sets for box in _boxes(found, whole)]
    return common_box(boxes) if boxes else (slice(0, 0),) * 3


def _boxes(found: Iterable[Numbered], whole: Grid) -> Iterator[Box]:
    for one in found:
        if isinstance(one.object.source, PlannedObject):
            grid = one.object.source.mask.grid
            place = placed_on(grid, whole)
            box = one.object.source.label.box
        else:
            grid = one.object.grid
            place = placed_on(grid, whole)
            i, j, k = grid.shape
            box = (slice(0, i), slice(0, j), slice(0, k))
        if place is not None:
            yield _moved(place, box, grid.shape)


def _moved(place: Placement, box: Box, shape: tuple[int, int, int]) -> Box:
    """Return where a box of a grid of ``shape`` lies in the one that it is placed on."""
    return Cutout(place.shape, place.first).moved(place.orientation.apply_box(box, shape))


def drawn(objects: Sequence[Numbered], grid: Grid, count: int, target: Target | None) -> Drawn:
    """Return the objects of one set on a grid; their files are read, or a target is.

    Besides the layers as many label maps are in memory as are read side by side.

    ``objects``: with their numbers, from 1 to ``count``.
    ``grid``: where they are drawn (RAS+ mm); see :func:`common_grid`.
    ``target``: where they are read back from; None for objects of files.
    """
    easel = _Easel(grid, count)
    if target is None:
        easel.draw_files(objects)
    else:
        easel.draw_landed(objects, target)
    return easel.drawn


class _Easel:
    def __init__(self, grid: Grid, count: int) -> None:
        self.grid, self.drawn = grid, Drawn()
        self.dtype = np.dtype(np.uint8 if count <= np.iinfo(np.uint8).max else np.uint16)

    def draw_files(self, objects: Sequence[Numbered]) -> None:
        """Draw the objects of files, each of which is read once."""
        groups = [list(group) for _, group in groupby(objects, key=_mask_of)]
        is_alone = len(groups) == 1

        def read(group: list[Numbered]) -> tuple[Numbers, Grid] | str:
            try:
                return self._of_file(group, is_alone=is_alone)
            except (BadLabels, UnreadableFile) as error:
                return str(error)

        with ThreadPoolExecutor(READERS) as pool:
            for group, found in zip(groups, ahead(pool, read, groups, READERS), strict=True):
                if isinstance(found, str):
                    self.drawn.faults |= dict.fromkeys((one.number for one in group), found)
                    continue
                self._add(*found, [one.number for one in group])

    def _of_file(self, group: list[Numbered], *, is_alone: bool) -> tuple[Numbers, Grid] | str:
        """Return the numbers of a file's objects, and where they are; or why not."""
        mask = _mask_of(group[0])
        place = placed_on(mask.grid, self.grid)
        if place is None:
            return OTHER_GRID
        labels = [one.object.source.label for one in group]  # type: ignore[union-attr]
        box = common_box(label.box for label in labels)
        if is_alone:  # what fills the whole grid becomes a layer, and is not copied into one
            box = common_box((box, _seen(place, mask.grid.shape, self.grid)))
        values = read_box(mask.image, box)
        most = max(int(values.max(initial=0)), *(label.value for label in labels), 1)
        table = np.zeros(most + 1, self.dtype)
        for one, label in zip(group, labels, strict=True):
            table[label.value] = one.number
            self.drawn.boxes[one.number] = _moved(place, label.box, mask.grid.shape)
            self.drawn.voxels[one.number] = label.voxels
        return renumbered(values, table), mask.grid.cropped(box)

    def draw_landed(self, objects: Sequence[Numbered], target: Target) -> None:
        """Draw the objects of a target, one after the other."""
        for one in objects:
            assert isinstance(one.object.source, ObjectRef)
            try:
                grid, pages = target.drawn(one.object.source)
                found = boxed(pages)
            except (NoMask, UnreadableFile) as error:
                self.drawn.faults[one.number] = str(error)
                continue
            self._draw_boxed(one.number, grid, *found)

    def _draw_boxed(self, number: int, grid: Grid, inside: npt.NDArray[np.bool_], box: Box) -> None:
        place = placed_on(grid, self.grid)
        if place is None or not _fits(moved := _moved(place, box, grid.shape), self.grid):
            self.drawn.faults[number] = OTHER_GRID if place is None else OUTSIDE
            return
        self.drawn.boxes[number] = moved
        self.drawn.voxels[number] = int(np.count_nonzero(inside))
        self._add(inside * self.dtype.type(number), grid.cropped(box), [number])

    def _add(self, numbers: Numbers, grid: Grid, own: Iterable[int]) -> None:
        """Put numbers into the first layer in which nothing is where they are."""
        place = placed_on(grid, self.grid)
        assert place is not None
        piece, box = place.orientation.apply(numbers), place.box
        layers = self.drawn.layers
        free = (at for at, there in enumerate(layers) if not meet(piece, there[box]))
        level = next(free, len(layers))
        self.drawn.levels |= dict.fromkeys(own, level)
        if level == len(layers) and piece.shape == self.grid.shape:
            layers.append(piece)
            return
        if level == len(layers):
            layers.append(mapped_array(self.grid.shape, self.dtype))
        for above, below in blocks(piece, layers[level][box]):
            np.copyto(below, above, where=above != 0)


def _seen(place: Placement, shape: tuple[int, int, int], grid: Grid) -> Box:
    """Return the part of a file, in its own order, that fills all it can of a grid."""
    sides = [slice(0, size) for size in shape]
    axes = zip(place.orientation.axes, place.orientation.flips, strict=True)
    for new, (old, flip) in enumerate(axes):
        first = max(0, -place.first[new])
        last = min(place.shape[new], grid.shape[new] - place.first[new])
        size = shape[old]
        sides[old] = slice(size - last, size - first) if flip else slice(first, last)
    i, j, k = sides
    return i, j, k


def _fits(box: Box, grid: Grid) -> bool:
    return all(
        side.start >= 0 and side.stop <= size for side, size in zip(box, grid.shape, strict=True)
    )


def _mask_of(one: Numbered) -> MaskFile:
    assert isinstance(one.object.source, PlannedObject)
    return one.object.source.mask


def boxed_mask(one: SideObject, target: Target | None) -> Mask:
    """Return an object's mask within the box that holds it, read from its file or target.

    Raises UnreadableFile or BadLabels or NoMask if it cannot be read.
    """
    if isinstance(one.source, PlannedObject):
        mask, label = one.source.mask, one.source.label
        inside = read_box(mask.image, label.box) == label.value
        return Mask(one.class_name, one.color, inside, mask.grid.cropped(label.box))
    assert target is not None
    grid, pages = target.drawn(one.source)
    inside, box = boxed(pages)
    return Mask(one.class_name, one.color, inside, grid.cropped(box))


# The voxels that objects of two sets share

Shared = Counter[tuple[int, int]]
"""How many voxels a number of ``a`` and one of ``b`` share."""


def shared(a: Drawn, b: Drawn) -> Shared:
    """Return which objects of two sets share how many voxels, by their numbers.

    Only what differs is counted voxel by voxel: where each set has the same number, as most voxels
    of two versions of one map have, their number is what is left of the object.
    """
    found: Shared = Counter()
    pairs = [(one, other) for one in a.layers for other in b.layers]
    for one, other in pairs:
        differing = _differing(one, other)
        found.update({(n, m): count for (n, m), count in differing.items() if n and m})
        lost: Counter[int] = Counter()
        for (n, _), count in differing.items():
            lost[n] += count
        for number, level in a.levels.items():
            if a.layers[level] is one and number in b.levels:
                found[number, number] += a.voxels[number] - lost[number]
    return +found


def _differing(one: Numbers, other: Numbers) -> Shared:
    """Return how often two maps have which two numbers where they are not the same."""
    found: Shared = Counter()
    size = int(max(one.max(initial=0), other.max(initial=0))) + 1
    with ThreadPoolExecutor(cores()) as pool:
        parts = ahead(pool, lambda pair: _counts(*pair, size), blocks(one, other), 2 * cores())
        for codes, counts in parts:
            pairs = zip((codes // size).tolist(), (codes % size).tolist(), strict=True)
            for pair, count in zip(pairs, counts.tolist(), strict=True):
                found[pair] += count
    return found


def _counts(one: Numbers, other: Numbers, size: int) -> tuple[Any, Any]:
    """Return codes ``n * size + m`` of pairs of numbers that differ, and how often they are."""
    differ = one != other
    if not differ.any():
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    codes = one[differ].astype(np.int64) * size + other[differ]
    if size * size > MOST_COUNTED:
        return np.unique(codes, return_counts=True)
    counts = np.bincount(codes)
    occurring = np.flatnonzero(counts)
    return occurring, counts[occurring]
