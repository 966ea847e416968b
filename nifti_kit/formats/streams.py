"""Compressed streams read into buffers, without a copy of the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.formats import deflate

__all__ = ["CHUNK", "MAX_DEFLATE_RATIO", "STREAM_FAULTS", "fill", "skip"]

CHUNK = 2**17
"""Bytes asked of a stream at once: a gzip stream copies what it is asked for."""

MAX_DEFLATE_RATIO = 1032
"""Deflate's best: a gzip stream cannot hold more than this many bytes for each of its own."""

STREAM_FAULTS = deflate.FAULTS
"""How a damaged file shows itself while it is read."""


def skip(stream: Any, count: int) -> None:
    """Read over ``count`` bytes.

    Raises
    ------
    EOFError
        If the stream ends before.
    """
    while count > 0:
        skipped = len(stream.read(min(count, CHUNK)))
        if not skipped:
            raise EOFError("the file ends before its voxels")
        count -= skipped


def fill(stream: Any, flat: npt.NDArray[Any], short: str) -> None:
    """Read a flat array full.

    Raises
    ------
    EOFError
        With the text ``short``, if the stream ends before.
    """
    view = memoryview(flat.view(np.uint8))
    done = 0
    while done < len(view):
        count = stream.readinto(view[done : done + CHUNK])
        if not count:
            raise EOFError(short)
        done += count
