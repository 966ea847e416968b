"""Marks: where a label map has labels, whichever; small enough to be kept for many files."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.formats.runs import Runs, runs_of

Extents = tuple[npt.NDArray[Any], npt.NDArray[Any]]
"""Where labels begin and end (exclusive) in one frame, in rising order; i runs fastest."""

NOTHING: Extents = (np.zeros(0, dtype=np.uint8), np.zeros(0, dtype=np.uint8))


class Marks:
    """Where labels begin and end in each frame of a label map."""

    def __init__(self, firsts: list[int], start: npt.NDArray[Any], stop: npt.NDArray[Any]) -> None:
        self._firsts, self._start, self._stop = firsts, start, stop

    def frame(self, k: int) -> Extents:
        """Return where labels begin and end in a frame."""
        first, last = self._firsts[k], self._firsts[k + 1]
        return self._start[first:last], self._stop[first:last]


def extents_of(frame: npt.NDArray[Any]) -> Extents:
    """Return where labels begin and end in a frame, (i, j)."""
    runs = runs_of(frame[:, :, np.newaxis])
    return NOTHING if runs is None else in_frame(runs, frame.shape[0])


def in_frame(runs: Runs, rows: int) -> Extents:
    """Return where runs of one frame begin and end in it."""
    before = runs.column * rows
    return before + runs.start, before + runs.stop


class Room:
    """Memory that files which are read side by side share for what is kept of them (bytes)."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._lock = threading.Lock()

    def takes(self, size: int) -> bool:
        """Take so many bytes, which may be negative; say whether there was room."""
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True


class MarksKept:
    """Collects marks from the runs of a label map, as long as there is room for them."""

    def __init__(self, shape: tuple[int, int, int], room: Room) -> None:
        self._rows, self._room = shape[0], room
        # Half the memory of the indices of runs, for all but frames of gigabytes.
        self._kind = np.min_scalar_type(shape[0] * shape[1])
        self._counts = np.zeros(shape[2] + 1, dtype=np.int64)
        self._size = 0
        self._kept: list[Extents] | None = []

    def add(self, runs: Runs) -> None:
        """Take the runs of whole frames, which come in their order."""
        if self._kept is None:
            return
        size = 2 * runs.total * self._kind.itemsize
        if self._room.takes(size):
            self._size += size
            start, stop = in_frame(runs, self._rows)
            self._kept.append((start.astype(self._kind), stop.astype(self._kind)))
            np.add.at(self._counts, runs.frame + 1, 1)
        else:
            self._room.takes(-self._size)
            self._kept = None

    def result(self) -> Marks | None:
        """Return the marks; None where there was no room for all of them."""
        if self._kept is None:
            return None
        start, stop = map(np.concatenate, zip(NOTHING, *self._kept, strict=True))
        return Marks(self._counts.cumsum().tolist(), start, stop)
