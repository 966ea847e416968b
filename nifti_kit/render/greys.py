"""Greys: slices of a volume through a window, from black (0) to white (255)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from nifti_kit.render.panes import Pane
from nifti_kit.render.scene import Plane

__all__ = ["Grey", "grey_pane", "windowed"]

Grey = npt.NDArray[np.uint8]
Limits = tuple[float, float]

WHITE = 255
TABLE_BYTES = 2
"""Integers of up to so many bytes are looked up in a table of all their values."""


def grey_pane(volume: npt.NDArray[Any], pane: Pane, index: int, limits: Limits) -> Grey:
    """Return a slice of a volume (RAS+ order) as a pane shows it, (lines, columns).

    ``limits`` are the values that become black and white. Between voxels it is interpolated, and
    where several share a pixel they are averaged: it is a picture to look at, not to measure.
    """
    plane = pane.plane
    grey = windowed(_slice(volume, plane, index), limits)
    height, width = grey.shape
    box = (
        width - pane.across.high,
        height - pane.up.high,
        width - pane.across.low,
        height - pane.up.low,
    )
    picture = Image.fromarray(grey)
    size = (pane.width, pane.height)
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR, _within(box, width, height)))


def _within(
    box: tuple[float, float, float, float], width: int, height: int
) -> tuple[float, float, float, float]:
    """Return a box that does not pass the picture's edges by a rounding error, as Pillow asks."""
    left, top, right, bottom = box
    return max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height))


def _slice(volume: npt.NDArray[Any], plane: Plane, index: int) -> npt.NDArray[Any]:
    """Return a slice as it is looked at: lines downward, columns to the right."""
    piece = volume[(slice(None),) * plane.normal + (index,)]
    return np.ascontiguousarray(piece.T[::-1, ::-1])


def windowed(values: npt.NDArray[Any], limits: Limits) -> Grey:
    """Return values as greys; those that are no number are black."""
    if values.dtype.kind in "iu" and values.dtype.itemsize <= TABLE_BYTES:
        code = f"u{values.dtype.itemsize}"
        table: Grey = _grey_table(values.dtype.str, limits)[values.view(code)]
        return table
    return _grey(values, limits)


@lru_cache(maxsize=8)
def _grey_table(kind: str, limits: Limits) -> Grey:
    """Return the grey of every bit pattern of an integer type."""
    dtype = np.dtype(kind)
    patterns = np.arange(2 ** (8 * dtype.itemsize), dtype=f"u{dtype.itemsize}")
    return _grey(patterns.view(dtype), limits)


def _grey(values: npt.NDArray[Any], limits: Limits) -> Grey:
    low, high = limits
    share = (values.astype(np.float64) - low) / (high - low)
    return np.rint(np.nan_to_num(np.clip(share, 0, 1)) * WHITE).astype(np.uint8)
