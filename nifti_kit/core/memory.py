"""Memory that is free goes back to the system."""

from __future__ import annotations

import ctypes
import math
import mmap
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

LEAST_MAPPED = 2**18
"""Bytes of an array below which it is not worth pages of its own."""

SHELF = 2**20
"""Bytes of pages that a shelf takes at a time; only those that are written are there."""


def give_back() -> None:
    """Give memory that this process has freed back to the system, where it would keep it.

    The C library of Linux (glibc) keeps freed memory for each thread that had some, so that a
    process with a few threads seems to need more and more. Elsewhere nothing is done.
    """
    with suppress(AttributeError, OSError, TypeError):  # no glibc; on Windows no such handle
        _c_library().malloc_trim(0)


@cache
def _c_library() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def mapped_array(shape: Sequence[int], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return an array of zeros in Fortran order, with pages of its own where it is large.

    These go back to the system with the array. What the C library of Linux gives in a thread
    stays with that thread's heap instead, and `give_back` does not reach its top.
    """
    kind = np.dtype(dtype)
    size = math.prod(shape)
    if size * kind.itemsize < LEAST_MAPPED:
        return np.zeros(shape, kind, order="F")
    pages = np.frombuffer(_pages(size * kind.itemsize), kind)
    return pages.reshape(shape, order="F")


class PageBuffer:
    """Keeps bytes in pages of its own, which go back to the system with the last of them.

    Many packed pieces among what was needed to pack them would leave a heap full of holes.
    """

    def __init__(self) -> None:
        self._free = memoryview(bytearray())

    def keep(self, content: bytes) -> memoryview:
        """Return a copy of some bytes."""
        size = len(content)
        if size > len(self._free):
            self._free = memoryview(_pages(max(size, SHELF)))
        kept, self._free = self._free[:size], self._free[size:]
        kept[:] = content
        return kept


def _pages(size: int) -> mmap.mmap:
    if hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return mmap.mmap(-1, size)  # Windows: private to the process anyway
