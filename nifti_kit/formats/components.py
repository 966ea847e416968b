"""Components: the parts and the profiles of every label of a label map, for a closer look.

One pass over the frames, which are cut into runs (neighbours along i of one value); runs that
touch make the pieces of a frame, and pieces that touch from frame to frame make the parts of a
label. Runs take far less memory than voxels, and no step goes label by label or frame by frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nifti_kit.formats.labels import Box, LabelSurvey, survey_labels
from nifti_kit.formats.marks import Marks, MarksKept, Room
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.formats.runs import Indices, Runs, Table, coded, stacked

MAX_PIECES = 250_000
"""Above this many pieces (noise, a gradient) parts are no longer kept: they would fill memory."""

MAX_PROFILES = 4096
"""Above this many values profiles are no longer kept: some 10 kB each, 40 MB in all."""

SPECK_VOXELS = 10
"""Fewer voxels than this are rather a slip of the brush than a structure: 10 mm3 at 1 mm."""

Profiles = tuple[Indices, Indices, Indices]


@dataclass(frozen=True)
class Part:
    """Voxels of one value that hang together by faces, edges or corners (26 neighbours)."""

    voxels: int  # how many they are
    box: Box  # the smallest box that holds them: a slice for each file axis
    seed: tuple[int, int, int]  # one of them: (i, j, k) from 0, in file order


@dataclass(frozen=True, eq=False)
class ShapeSurvey:
    """How the labels of a label file are spread."""

    # For each value its voxels per index along each file axis; three arrays of the lengths of the
    # shape. Empty where there are more than ``MAX_PROFILES`` values.
    profiles: dict[int, Profiles]
    # For each value its connected parts, largest first. Empty where the map falls into more than
    # ``MAX_PIECES`` pieces.
    parts: dict[int, tuple[Part, ...]]
    # The share of neighbours, both labelled, that have one value: along i and j, within frames. 1.0
    # where there are none.
    equal_neighbours: float


def survey_shapes(image: ImageFile) -> ShapeSurvey:
    """Return the parts and profiles of every label of a file; the volume is never held.

    Raises BadLabels if a value is no integer from 0 to 65535. Raises UnreadableFile if the file is
    damaged.
    """
    shapes = Shapes(image.shape)
    survey_labels(image, shapes.add)
    return shapes.result()


@dataclass(frozen=True, eq=False)
class CloserLook:
    """What a closer look at a label file tells beside its labels."""

    shapes: ShapeSurvey  # how its labels are spread
    marks: Marks | None  # where it has labels; None where there was no room to keep that


def look_closer(image: ImageFile, room: Room) -> tuple[LabelSurvey, CloserLook]:
    """Return the labels of a file and a closer look at them, of one reading.

    ``room`` is what the marks of all files that are compared with it may take. Raises as
    :func:`survey_shapes`.
    """
    shapes, marks = Shapes(image.shape), MarksKept(image.shape, room)

    def take(runs: Runs) -> None:
        shapes.add(runs)
        marks.add(runs)

    labels = survey_labels(image, take)
    return labels, CloserLook(shapes.result(), marks.result())


class Shapes:
    """Collects what a :class:`ShapeSurvey` tells, from the runs of a label map of this shape."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self._places = _Places(shape)
        self._profiles, self._neighbours = _Profiles(shape), _Neighbours()
        self._pieces = _Pieces(self._places)

    def add(self, runs: Runs) -> None:
        """Take the runs of whole frames, which come in their order."""
        extents = self._places.of(runs)
        beside = _touching(extents, extents, self._places.column)
        self._neighbours.add(runs, extents, beside)
        self._profiles.add(runs)
        self._pieces.add(runs, extents, _alike(runs, runs, beside))

    def result(self) -> ShapeSurvey:
        """Return what they tell."""
        profiles, parts = self._profiles.by_value, self._pieces.result()
        return ShapeSurvey(profiles, parts, self._neighbours.share())


Pairs = tuple[Indices, Indices]
"""Positions in one list and in another, side by side."""


class _Extents(NamedTuple):
    """Where runs begin and end (exclusive), as one number for all three axes."""

    start: Indices
    stop: Indices


class _Places:
    """Makes one number of a place: what ends a column or a frame does not touch the next."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.column = shape[0] + 2
        self.frame = self.column * (shape[1] + 1)

    def of(self, runs: Runs) -> _Extents:
        before = runs.frame * self.frame + runs.column * self.column
        return _Extents(before + runs.start, before + runs.stop)


def _touching(first: _Extents, second: _Extents, ahead: int) -> Pairs:
    """Return the pairs of runs that touch, corners too, where the second ones are so far ahead."""
    low = np.searchsorted(second.stop, first.start + ahead, "left")
    high = np.searchsorted(second.start, first.stop + ahead, "right")
    count = high - low
    one = np.repeat(np.arange(len(count)), count)
    other = np.arange(len(one)) + (low - (np.cumsum(count) - count))[one]
    return one, other


def _alike(first: Runs, second: Runs, pairs: Pairs) -> Pairs:
    """Return the pairs of one value."""
    one, other = pairs
    same = first.value[one] == second.value[other]
    return one[same], other[same]


def _groups(count: int, one: Indices, other: Indices) -> tuple[int, Indices]:
    """Return how many groups the pairs make of ``count`` things, and the group of each."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    pairs = coo_matrix((np.ones(len(one), dtype=bool), (one, other)), shape=(count, count))
    groups, group = connected_components(pairs, directed=False)
    return int(groups), group.astype(np.int64)


class _Pieced(NamedTuple):
    """Runs with their places, and the piece of a frame that each is of."""

    runs: Runs
    extents: _Extents
    piece: Indices

    def last_frame(self) -> _Pieced:
        last = self.runs.frame == self.runs.frame[-1]
        extents = _Extents(self.extents.start[last], self.extents.stop[last])
        return _Pieced(self.runs.chosen(last), extents, self.piece[last])


class _Pieces:
    """Collects the pieces of frames that come in the order of k, and which of them touch."""

    def __init__(self, places: _Places) -> None:
        self._places = places
        self._count = 0
        self._tables: list[Table] = []
        self._links: list[Pairs] = []
        self._last: _Pieced | None = None

    def add(self, runs: Runs, extents: _Extents, beside: Pairs) -> None:
        """Take the runs of whole frames, and the pairs that are one piece of a frame."""
        if self._count > MAX_PIECES:
            return
        count, group = _groups(runs.total, *beside)
        self._tables.append(runs.table().merged(count, group))
        found = _Pieced(runs, extents, group + self._count)
        if self._last is not None:
            self._link(self._last, found)
        self._link(found, found)
        self._last = found.last_frame()
        self._count += count
        if self._count > MAX_PIECES:
            self._tables, self._links, self._last = [], [], None

    def _link(self, before: _Pieced, after: _Pieced) -> None:
        """Add which pieces touch from frame to frame."""
        span = int(after.piece.max()) + 1  # two positions as one number: that sorts much faster
        for shift in (-1, 0, 1):
            ahead = self._places.frame + shift * self._places.column
            touching = _touching(before.extents, after.extents, ahead)
            one, other = _alike(before.runs, after.runs, touching)
            pairs = np.unique(before.piece[one] * span + after.piece[other])
            self._links.append((pairs // span, pairs % span))

    def result(self) -> dict[int, tuple[Part, ...]]:
        if not self._tables:
            return {}
        one, other = map(np.concatenate, zip(*self._links, strict=True))
        return _parts_of(stacked(self._tables).merged(*_groups(self._count, one, other)))


def _parts_of(table: Table) -> dict[int, tuple[Part, ...]]:
    """Return the rows as parts: by rising value, then from large to small."""
    parts: dict[int, list[Part]] = {}
    for row in np.lexsort((-table.voxels, table.value)).tolist():
        i, j, k = table.seed[:, row].tolist()
        part = Part(int(table.voxels[row]), table.box(row), (i, j, k))
        parts.setdefault(int(table.value[row]), []).append(part)
    return {value: tuple(found) for value, found in parts.items()}


class _Profiles:
    """Counts the voxels of each value per index along each axis."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self._shape = shape
        self._full = False
        self.by_value: dict[int, Profiles] = {}

    def add(self, runs: Runs) -> None:
        if self._full:
            return
        values, at = coded(runs.value)
        new = [value for value in values.tolist() if value not in self.by_value]
        self._full = len(self.by_value) + len(new) > MAX_PROFILES
        if self._full:
            self.by_value = {}
            return
        for value in new:
            i, j, k = (np.zeros(size, dtype=np.int64) for size in self._shape)
            self.by_value[value] = (i, j, k)
        self._count(values.tolist(), at, runs)

    def _count(self, values: list[int], at: Indices, runs: Runs) -> None:
        rows, columns, frames = self._shape
        begun = _spread(at, runs.start, len(values), rows + 1)
        ended = _spread(at, runs.stop, len(values), rows + 1)
        along_i = np.cumsum(begun - ended, axis=1)[:, :rows]
        voxels = runs.stop - runs.start
        along_j = _spread(at, runs.column, len(values), columns, voxels)
        along_k = _spread(at, runs.frame, len(values), frames, voxels)
        for row, value in enumerate(values):
            i, j, k = self.by_value[value]
            i += along_i[row]
            j += along_j[row]
            k += along_k[row]


def _spread(
    row: Indices, column: Indices, rows: int, columns: int, weights: Indices | None = None
) -> Indices:
    """Return how often each place of a table is named, or what is put there in all."""
    counts = np.bincount(row * columns + column, weights, minlength=rows * columns)
    return counts.astype(np.int64, copy=False).reshape(rows, columns)


class _Neighbours:
    """Counts neighbours within frames, both labelled, and those of one value."""

    def __init__(self) -> None:
        self._pairs = self._equal = 0

    def add(self, runs: Runs, extents: _Extents, beside: Pairs) -> None:
        """Take the runs of whole frames, and the pairs that touch from column to column."""
        inside = int((runs.stop - runs.start - 1).sum())
        in_row = int(np.count_nonzero(extents.start[1:] == extents.stop[:-1]))
        one, other = beside
        low = np.maximum(runs.start[one], runs.start[other])
        shared = np.maximum(np.minimum(runs.stop[one], runs.stop[other]) - low, 0)
        alike = runs.value[one] == runs.value[other]
        self._pairs += inside + in_row + int(shared.sum())
        self._equal += inside + int(shared[alike].sum())

    def share(self) -> float:
        return self._equal / self._pairs if self._pairs else 1.0
