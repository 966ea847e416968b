"""Runs: neighbours along i of one value, and what is known of many of them at once.

A label map has far fewer runs than voxels, so that what is asked of its labels (how many voxels,
which box, which parts) is worked out from these, for many frames at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Values = npt.NDArray[Any]
"""Labels: uint8 or uint16."""


class Runs(NamedTuple):
    """Neighbours along i of one value, in the order of (frame, column, start).

    ``start`` and ``stop`` (exclusive) are indices along i, ``column`` along j, ``frame`` along k.
    """

    value: Values
    frame: Indices
    column: Indices
    start: Indices
    stop: Indices

    @property
    def total(self) -> int:
        """How many runs there are."""
        return len(self.value)

    def chosen(self, which: Any) -> Runs:
        """Return some of them, by a slice, a mask or indices."""
        return Runs(*(each[which] for each in self))

    def moved(self, i: int, j: int, k: int) -> Runs:
        """Return them so many voxels further along each axis."""
        frame, column = self.frame + k, self.column + j
        return Runs(self.value, frame, column, self.start + i, self.stop + i)

    def table(self) -> Table:
        """Return them as a table of one row each."""
        low = np.stack([self.start, self.column, self.frame])
        high = np.stack([self.stop, self.column + 1, self.frame + 1])
        return Table(self.value, self.stop - self.start, low, high, low)


def runs_of(block: npt.NDArray[Any], first: int = 0) -> Runs | None:
    """Return the runs of labels in whole frames, (i, j, n), Fortran order; None where none is.

    ``first`` is the first frame's index.
    """
    rows, columns, _ = block.shape
    flat = block.ravel(order="F")
    if not flat.max(initial=0):  # most frames of most masks
        return None
    edge = np.empty(flat.size + 1, dtype=bool)
    np.not_equal(flat[1:], flat[:-1], out=edge[1:-1])
    edge[::rows] = True
    edges = np.flatnonzero(edge)
    values = flat[edges[:-1]]
    labelled = np.flatnonzero(values)
    start, stop = edges[labelled], edges[labelled + 1]
    line = start // rows
    before = line * rows
    frame = line // columns
    column = line - frame * columns
    return Runs(values[labelled], frame + first, column, start - before, stop - before)


def joined(parts: Sequence[Runs]) -> Runs:
    """Return runs as one; there is at least one part."""
    return parts[0] if len(parts) == 1 else Runs(*map(np.concatenate, zip(*parts, strict=True)))


class Table(NamedTuple):
    """Pieces of labels: one row each.

    ``low`` and ``high`` (exclusive) are the ends of their boxes, ``seed`` one of their voxels:
    (3, rows), along i, j and k.
    """

    value: Values
    voxels: Indices
    low: Indices
    high: Indices
    seed: Indices

    def merged(self, count: int, group: Indices) -> Table:
        """Return one row for each group; what is first in it gives value and seed."""
        first = np.full(count, len(group))
        np.minimum.at(first, group, np.arange(len(group)))  # sorting would take ten times longer
        voxels = np.zeros(count, dtype=np.int64)
        np.add.at(voxels, group, self.voxels)
        low, high = self.low[:, first], self.high[:, first]
        for axis in range(len(low)):
            np.minimum.at(low[axis], group, self.low[axis])
            np.maximum.at(high[axis], group, self.high[axis])
        return Table(self.value[first], voxels, low, high, self.seed[:, first])

    def by_value(self) -> Table:
        """Return one row for each value, in rising order."""
        values, group = coded(self.value)
        return self.merged(len(values), group)

    def box(self, row: int) -> tuple[slice, slice, slice]:
        """Return the box of a row."""
        low, high = self.low[:, row].tolist(), self.high[:, row].tolist()
        return slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2])


def stacked(tables: Sequence[Table]) -> Table:
    """Return tables as one; there is at least one."""
    return Table(*(np.concatenate(column, axis=-1) for column in zip(*tables, strict=True)))


def coded(values: Values) -> tuple[Values, Indices]:
    """Return which values there are, in rising order, and for each voxel or run its place there."""
    found = np.flatnonzero(np.bincount(values))
    places = np.zeros(int(found[-1]) + 1, dtype=np.int64)
    places[found] = np.arange(len(found))
    return found.astype(values.dtype), places[values]
