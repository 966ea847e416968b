"""Components: the parts and the profiles of every label of a label map, for a closer look.

One pass over the frames. A frame is cut into runs (neighbours along i of one value); runs that
touch make the pieces of a frame, and pieces that touch from frame to frame make the parts of a
label. Runs take far less memory than voxels, and no step goes label by label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nifti_kit.formats.labels import label_frames
from nifti_kit.formats.nifti import ImageFile

MAX_PIECES = 250_000
"""Above this many pieces (noise, a gradient) parts are no longer kept: they would fill memory."""

MAX_PROFILES = 4096
"""Above this many values profiles are no longer kept: some 10 kB each, 40 MB in all."""

SPECK_VOXELS = 10
"""Fewer voxels than this are rather a slip of the brush than a structure: 10 mm3 at 1 mm."""

Box = tuple[slice, slice, slice]
Indices = npt.NDArray[np.int64]
Profiles = tuple[Indices, Indices, Indices]


@dataclass(frozen=True)
class Part:
    """Voxels of one value that hang together by faces, edges or corners (26 neighbours).

    Attributes
    ----------
    voxels
        How many they are.
    box
        The smallest box that holds them: a slice for each file axis.
    seed
        One of them: (i, j, k) from 0, in file order.
    """

    voxels: int
    box: Box
    seed: tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class ShapeSurvey:
    """How the labels of a label file are spread.

    Attributes
    ----------
    profiles
        For each value its voxels per index along each file axis; three arrays of the lengths of
        the shape. Empty where there are more than ``MAX_PROFILES`` values.
    parts
        For each value its connected parts, largest first. Empty where the map falls into more
        than ``MAX_PIECES`` pieces.
    equal_neighbours
        The share of neighbours, both labelled, that have one value: along i and j, within
        frames. 1.0 where there are none.
    """

    profiles: dict[int, Profiles]
    parts: dict[int, tuple[Part, ...]]
    equal_neighbours: float


def survey_shapes(image: ImageFile) -> ShapeSurvey:
    """Return the parts and profiles of every label of a file; the volume is never held.

    Raises
    ------
    BadLabels
        If a value is no integer from 0 to 65535.
    UnreadableFile
        If the file is damaged.
    """
    profiles, parts, neighbours = _Profiles(image.shape), _Pieces(image.shape[0]), _Neighbours()
    for k, frame in enumerate(label_frames(image)):
        neighbours.add(frame)
        runs = _runs_of(frame)
        profiles.add(runs, k)
        parts.add(runs, k)
    return ShapeSurvey(profiles.by_value, parts.result(), neighbours.share())


class _Runs(NamedTuple):
    """Neighbours along i of one value in one frame; stop is exclusive. In the order of (j, i)."""

    value: Indices
    column: Indices
    start: Indices
    stop: Indices


def _runs_of(frame: npt.NDArray[Any]) -> _Runs:
    flat, rows = frame.ravel(order="F"), frame.shape[0]
    edge = np.ones(flat.size + 1, dtype=bool)
    np.not_equal(flat[1:], flat[:-1], out=edge[1:-1])
    edge[::rows] = True
    edges = np.flatnonzero(edge)
    value = flat[edges[:-1]].astype(np.int64)
    labelled = value > 0
    start, stop = edges[:-1][labelled], edges[1:][labelled]
    column = start // rows
    return _Runs(value[labelled], column, start - column * rows, stop - column * rows)


def _touching(first: _Runs, second: _Runs, shift: int, rows: int) -> tuple[Indices, Indices]:
    """Return the pairs of runs of one value that touch, corners too, by their positions.

    ``shift`` is what the second one's column lies beyond the first one's.
    """
    stride = rows + 2  # a run that ends a column does not touch the one that begins the next
    here = (first.column + shift) * stride
    low = np.searchsorted(second.column * stride + second.stop, here + first.start, "left")
    high = np.searchsorted(second.column * stride + second.start, here + first.stop, "right")
    count = high - low
    one = np.repeat(np.arange(len(count)), count)
    other = np.arange(len(one)) + np.repeat(low - (np.cumsum(count) - count), count)
    same = first.value[one] == second.value[other]
    return one[same], other[same]


def _groups(count: int, one: Indices, other: Indices) -> tuple[int, Indices]:
    """Return how many groups the pairs make of ``count`` things, and the group of each."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    pairs = coo_matrix((np.ones(len(one), dtype=bool), (one, other)), shape=(count, count))
    groups, group = connected_components(pairs, directed=False)
    return int(groups), group.astype(np.int64)


class _Table(NamedTuple):
    """Pieces, or parts: one row each. Boxes as the first and the last index (exclusive)."""

    value: Indices
    voxels: Indices
    low: Indices
    high: Indices
    seed: Indices

    def merged(self, count: int, group: Indices) -> _Table:
        """Return one row for each group."""
        order = np.argsort(group, kind="stable")
        first = np.searchsorted(group[order], np.arange(count))
        return _Table(
            self.value[order][first],
            np.add.reduceat(self.voxels[order], first),
            np.minimum.reduceat(self.low[order], first, axis=0),
            np.maximum.reduceat(self.high[order], first, axis=0),
            self.seed[order][first],
        )


def _as_table(runs: _Runs, k: int) -> _Table:
    depth = np.full_like(runs.start, k)
    low = np.stack([runs.start, runs.column, depth], axis=1)
    high = np.stack([runs.stop, runs.column + 1, depth + 1], axis=1)
    return _Table(runs.value, runs.stop - runs.start, low, high, low)


class _Pieces:
    """Collects the pieces of frames that come in the order of k, and which of them touch."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._count = 0
        self._tables: list[_Table] = []
        self._links: list[tuple[Indices, Indices]] = []
        self._last: tuple[_Runs, Indices] | None = None

    def add(self, runs: _Runs, k: int) -> None:
        if self._count > MAX_PIECES:
            return
        if not len(runs.value):
            self._last = None
            return
        count, group = _groups(len(runs.value), *_touching(runs, runs, 1, self._rows))
        self._tables.append(_as_table(runs, k).merged(count, group))
        piece = group + self._count
        if self._last is not None:
            self._link(*self._last, runs, piece)
        self._last = runs, piece
        self._count += count
        if self._count > MAX_PIECES:
            self._tables, self._links, self._last = [], [], None

    def _link(self, before: _Runs, old: Indices, runs: _Runs, new: Indices) -> None:
        span = int(new.max()) + 1  # two positions as one number: that sorts much faster
        for shift in (-1, 0, 1):
            one, other = _touching(before, runs, shift, self._rows)
            pairs = np.unique(old[one] * span + new[other])
            self._links.append((pairs // span, pairs % span))

    def result(self) -> dict[int, tuple[Part, ...]]:
        if not self._tables:
            return {}
        pieces = _Table(*(np.concatenate(column) for column in zip(*self._tables, strict=True)))
        none = np.zeros(0, dtype=np.int64)
        one, other = (
            np.concatenate([none, *(link[side] for link in self._links)]) for side in (0, 1)
        )
        return _parts_of(pieces.merged(*_groups(self._count, one, other)))


def _parts_of(table: _Table) -> dict[int, tuple[Part, ...]]:
    """Return the rows as parts: by rising value, then from large to small."""
    parts: dict[int, list[Part]] = {}
    for row in np.lexsort((-table.voxels, table.value)).tolist():
        low, high, seed = (table[at][row].tolist() for at in (2, 3, 4))
        box = (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))
        part = Part(int(table.voxels[row]), box, (seed[0], seed[1], seed[2]))
        parts.setdefault(int(table.value[row]), []).append(part)
    return {value: tuple(found) for value, found in parts.items()}


class _Profiles:
    """Counts the voxels of each value per index along each axis."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self._shape = shape
        self._full = False
        self.by_value: dict[int, Profiles] = {}

    def add(self, runs: _Runs, k: int) -> None:
        if self._full:
            return
        values, at = np.unique(runs.value, return_inverse=True)
        for value in values.tolist():
            if value not in self.by_value:
                i, j, depth = (np.zeros(size, dtype=np.int64) for size in self._shape)
                self.by_value[value] = (i, j, depth)
        self._full = len(self.by_value) > MAX_PROFILES
        if self._full:
            self.by_value = {}
        elif len(values):
            self._count(values, at.ravel(), runs, k)

    def _count(self, values: Indices, at: Indices, runs: _Runs, k: int) -> None:
        rows, columns, _ = self._shape
        stride, total = rows + 1, len(values)
        begun = np.bincount(at * stride + runs.start, minlength=total * stride)
        ended = np.bincount(at * stride + runs.stop, minlength=total * stride)
        along_i = np.cumsum((begun - ended).reshape(total, stride), axis=1)[:, :rows]
        along_j = np.zeros((total, columns), dtype=np.int64)
        np.add.at(along_j, (at, runs.column), runs.stop - runs.start)
        for row, value in enumerate(values.tolist()):
            i, j, depth = self.by_value[value]
            i += along_i[row]
            j += along_j[row]
            depth[k] = along_j[row].sum()


class _Neighbours:
    """Counts neighbours within frames, both labelled, and those of one value."""

    def __init__(self) -> None:
        self._pairs = self._equal = 0

    def add(self, frame: npt.NDArray[Any]) -> None:
        for one, other in ((frame[1:], frame[:-1]), (frame[:, 1:], frame[:, :-1])):
            labelled = (one > 0) & (other > 0)
            self._pairs += int(np.count_nonzero(labelled))
            self._equal += int(np.count_nonzero(labelled & (one == other)))

    def share(self) -> float:
        return self._equal / self._pairs if self._pairs else 1.0
