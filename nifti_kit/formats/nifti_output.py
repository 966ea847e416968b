"""NIfTI files written in pieces: volumes slice by slice, label maps by their rows that hold labels.

Facts from the NIfTI-1 and NIfTI-2 standards. sform and qform say the same (code 1), but a sheared
grid has only a sform: a quaternion has no shear.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import PurePath
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import SAME_MM, Grid, corner_displacement
from nifti_kit.core.imports import whole_nibabel
from nifti_kit.formats import deflate
from nifti_kit.formats.deflate import STREAM_FAULTS, SparseGzip, file_order, skip
from nifti_kit.formats.labels import Box, label_frames
from nifti_kit.formats.nifti import ImageFile, iter_blocks, open_stream, set_forms
from nifti_kit.formats.nifti_header import unreadable

MOST_OF_A_SIDE = 32_767
"""Voxels along an axis that NIfTI-1 can count (int16)."""


def head_of(grid: Grid, dtype: np.dtype[Any]) -> bytes:
    """Return header and extension flag of a file whose voxels follow at once.

    It is NIfTI-1, or NIfTI-2 where an axis is too long for that, or a corner voxel would lie more
    than 1e-4 mm off: NIfTI-1 keeps places as float32.
    """
    whole_nibabel()
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    rounded = Grid(grid.shape, grid.affine.astype(np.float32).astype(np.float64))
    fits = max(grid.shape) <= MOST_OF_A_SIDE and corner_displacement(grid, rounded) <= SAME_MM
    kind: Any = Nifti1Header if fits else Nifti2Header
    header = kind(endianness="<")
    header.set_data_dtype(dtype)
    header.set_data_shape(grid.shape)
    header.set_xyzt_units("mm")
    set_forms(header, grid.affine, sheared=grid.is_sheared)
    header["scl_slope"], header["scl_inter"] = 1.0, 0.0
    header["magic"] = header.single_magic
    header["vox_offset"] = header.single_vox_offset
    block: bytes = header.binaryblock
    return block + bytes(header.single_vox_offset - len(block))


def is_packed(path: PurePath) -> bool:
    """Say whether a file of that name is to be gzip."""
    return path.name.casefold().endswith(".gz")


def volume_pieces(
    grid: Grid, dtype: np.dtype[Any], slices: Iterable[npt.NDArray[Any]], *, packed: bool = True
) -> Iterator[bytes | memoryview]:
    """Return a volume's file, gzip or not, in pieces, from its slices (i, j) in the order of k."""
    little = dtype.newbyteorder("<")
    voxels = (file_order(piece, little) for piece in slices)
    pieces: Iterator[bytes | memoryview] = chain([head_of(grid, little)], voxels)
    return deflate.packed(pieces) if packed else pieces


def label_map_bytes(grid: Grid, voxels: npt.NDArray[Any], box: Box) -> bytes:
    """Return a label map's file, gzip; only the rows (along i) of ``box`` are gone through.

    ``voxels`` is in the order of the grid, uint8 or uint16, and 0 outside of the box.
    """
    dtype = voxels.dtype.newbyteorder("<")
    _, up, through = box
    pages = (file_order(voxels[:, up, k], dtype) for k in range(through.start, through.stop))
    packed = SparseGzip()
    packed.add(head_of(grid, dtype))
    packed.add_box(grid.shape, box, grid.shape[0] * dtype.itemsize, pages)
    return packed.finish()


def stored_number(image: ImageFile, value: int) -> float | int | None:
    """Return the number that stands for a label value in a file; None where none does."""
    number = (value - image.intercept) / image.slope
    dtype = image.dtype.newbyteorder("=")
    if dtype.kind == "f":
        return number
    whole, info = round(number), np.iinfo(dtype)
    fits = info.min <= whole <= info.max
    return whole if fits and round(whole * image.slope + image.intercept) == value else None


def relabelled_pieces(image: ImageFile, voxels: npt.NDArray[Any]) -> Iterator[bytes | memoryview]:
    """Return a label file with other labels, in pieces; all else in it is there bit for bit.

    A voxel whose label stays keeps its stored number. Raises as
    :func:`nifti_kit.formats.nifti.read_voxels`.

    ``voxels``: (i, j, k) in file order: the labels; :func:`stored_number` has one for each of them.
    """
    pieces = _relabelled(image, voxels)
    return deflate.packed(pieces) if image.is_packed else pieces


def _relabelled(image: ImageFile, voxels: npt.NDArray[Any]) -> Iterator[bytes | memoryview]:
    yield _read(image, 0, image.offset)
    table = {int(value): stored_number(image, int(value)) for value in np.unique(voxels)}
    numbers = np.zeros(max(table) + 1, image.dtype.newbyteorder("="))
    for value, number in table.items():
        numbers[value] = number
    done, labels = 0, label_frames(image).blocks()
    for stored, before in zip(iter_blocks(image), labels, strict=True):
        after = voxels[:, :, done : done + stored.shape[2]]
        yield file_order(np.where(before == after, stored, numbers[after]), image.dtype)
        done += stored.shape[2]
    yield _read(image, image.offset + image.nbytes, None)


def _read(image: ImageFile, start: int, stop: int | None) -> bytes:
    """Return the bytes of the unpacked file from a place to another, or to its end."""
    try:
        with open_stream(image.path, image.content) as stream:
            skip(stream, start)
            return stream.read() if stop is None else stream.read(stop - start)
    except STREAM_FAULTS as error:
        raise unreadable(image.relative, f"it cannot be read: {error}") from error
