"""Images in RAS+ order: volumes slice by slice, masks as boxes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import Cutout, Grid, Orientation, ras_orientation
from nifti_kit.formats.labels import Box, Label
from nifti_kit.formats.nifti import ImageFile, read_voxels
from nifti_kit.formats.nrrd import box_bytes

CACHE_BYTES = 2**22
"""What a processor has at hand, about."""

PAGES_TOGETHER = 32
"""Slices that are copied together: 64 bytes of int16, what a processor reads at once."""


@dataclass(frozen=True, eq=False)
class RasVolume:
    """A volume in RAS+ order."""

    grid: Grid  # its grid in RAS+ order (mm)
    dtype: np.dtype[Any]  # the type of its values
    _stored: npt.NDArray[Any]
    _image: ImageFile

    def slices(self) -> Iterator[npt.NDArray[Any]]:
        """Yield the values slice by slice, (i, j) each, in the order of k (inferior first)."""
        for k in range(self._stored.shape[2]):
            yield _values(self._stored[:, :, k], self._image, self.dtype)

    def pages(self, axis: int, start: int, stop: int) -> Iterator[npt.NDArray[Any]]:
        """Yield the slices from ``start`` to below ``stop`` along an axis; see `iter_pages`."""
        for page in iter_pages(self._stored, axis, start, stop):
            yield _values(page, self._image, self.dtype)

    def array(self) -> npt.NDArray[Any]:
        """Return the values whole, (i, j, k)."""
        if not self._image.is_scaled:
            return self._stored
        # Slice by slice: what they are worked out in is wider than they are.
        values = np.empty_like(self._stored, self.dtype)
        for k, page in enumerate(self.slices()):
            values[:, :, k] = page
        return values

    def reordered(self, orientation: Orientation) -> RasVolume:
        """Return the same voxels in another order."""
        grid = self.grid.reoriented(orientation)
        return replace(self, grid=grid, _stored=orientation.apply(self._stored))


def open_volume(image: ImageFile) -> RasVolume:
    """Return a volume in RAS+ order; its stored numbers are read once, and only viewed anew.

    Raises UnreadableFile if the file is cut short or damaged.
    """
    orientation = ras_orientation(image.grid)
    stored = orientation.apply(read_voxels(image))
    return RasVolume(image.grid.reoriented(orientation), value_dtype(image), stored, image)


def iter_pages(
    voxels: npt.NDArray[Any], axis: int, start: int, stop: int
) -> Iterator[npt.NDArray[Any]]:
    """Yield the slices (2D) of an array from ``start`` to below ``stop`` along an axis.

    Where neighbours in memory belong to different slices, and there are more voxels than a
    processor keeps at hand, some slices are copied together, so that each part of memory is read
    once; else they are views.
    """
    lined_up = np.moveaxis(voxels, axis, 0)
    across = abs(lined_up.strides[0]) == min(map(abs, lined_up.strides))
    if not across or voxels.nbytes <= CACHE_BYTES:
        yield from lined_up[start:stop]
        return
    for first in range(start, stop, PAGES_TOGETHER):
        part = lined_up[first : min(first + PAGES_TOGETHER, stop)]
        pages = np.empty((len(part), part.shape[2], part.shape[1]), part.dtype)
        for k in range(part.shape[2]):
            pages[:, k] = part[:, :, k]
        yield from pages.transpose(0, 2, 1)


def slice_box(grid: Grid, axis: int, index: int) -> Box:
    """Return where a slice along a RAS+ axis (index from 0) lies in an array, in its own order."""
    orientation = ras_orientation(grid)
    own, sides = orientation.axes[axis], [slice(0, size) for size in grid.shape]
    at = grid.shape[own] - 1 - index if orientation.flips[axis] else index
    sides[own] = slice(at, at + 1)
    return sides[0], sides[1], sides[2]


def read_slices(
    frames: Iterable[npt.NDArray[Any]], grid: Grid, boxes: Sequence[Box]
) -> list[tuple[npt.NDArray[np.float64], Grid]]:
    """Return the stored numbers in boxes (i, j, k) of an image, and where they are (RAS+ mm).

    Nothing else is kept; no frame is read behind the last that is needed.

    ``frames``: (i, j) each, in the order of k; a buffer may be filled again.
    ``grid``: where the voxels are (RAS+ mm).
    ``boxes``: such as :func:`slice_box` gives.
    """
    parts = [grid.cropped(box) for box in boxes]
    found = [np.zeros(part.shape) for part in parts]
    last = max((box[2].stop for box in boxes), default=0)
    for at, frame in enumerate(islice(frames, last)):
        for (i, j, k), values in zip(boxes, found, strict=True):
            if k.start <= at < k.stop:
                values[:, :, at - k.start] = frame[i, j]
    return list(zip(found, parts, strict=True))


def voxel_bytes(image: ImageFile) -> int:
    """Return the bytes that an image's voxels take, unpacked, as they land."""
    return math.prod(image.shape) * value_dtype(image).itemsize


def value_dtype(image: ImageFile) -> np.dtype[Any]:
    """Return the smallest type that holds an image's values, scaling included.

    Without scaling it is the stored type. Integers with a whole slope and intercept stay
    integers; all else becomes float32, or float64 where the stored type has more digits.
    """
    native = image.dtype.newbyteorder("=")
    if not image.is_scaled:
        return native
    if native.kind in "iu" and image.slope.is_integer() and image.intercept.is_integer():
        info = np.iinfo(native)
        ends = [int(image.slope) * int(end) + int(image.intercept) for end in (info.min, info.max)]
        for candidate in (np.int16, np.int32, np.int64):
            fits = np.iinfo(candidate)
            if fits.min <= min(ends) and max(ends) <= fits.max:
                return np.dtype(candidate)
    few_digits = np.dtype(np.int16).itemsize
    exact = native.itemsize <= few_digits or native == np.dtype(np.float32)
    return np.dtype(np.float32 if exact else np.float64)


def _values(stored: npt.NDArray[Any], image: ImageFile, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    if not image.is_scaled:
        return stored
    wide = np.dtype(np.int64) if dtype.kind == "i" else np.dtype(np.float64)
    slope, intercept = wide.type(image.slope), wide.type(image.intercept)
    scaled: npt.NDArray[Any] = (stored.astype(wide) * slope + intercept).astype(dtype)
    return scaled


def mask_bytes(
    part: npt.NDArray[Any],
    grid: Grid,
    label: Label,
    orientation: Orientation,
    cutout: Cutout | None = None,
) -> bytes:
    """Return the NRRD file of one label: uint8, 1 inside, in RAS+ order, at its own place.

    It has the shape of the volume: the platform holds a mask against its volume voxel by voxel.

    ``part``: the voxels of the label map in the label's box, (i, j, k) in file order.
    ``grid``: the label map's grid (RAS+ mm).
    ``label``: which value, and the box that holds it.
    ``orientation``: the exact reordering of the file's axes into RAS+.
    ``cutout``: for a label map that covers a part of its volume: where it lies in it (RAS+ order).
    Zeros are put around it.
    """
    box: Box = orientation.apply_box(label.box, grid.shape)
    landed = grid.reoriented(orientation)
    if cutout is not None:
        box, landed = cutout.moved(box), landed.uncropped(cutout)
    return box_bytes(landed, box, orientation.apply(part), label.value)
