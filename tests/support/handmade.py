"""NIfTI files by their bytes: headers with exactly the given fields, nothing checked or mended."""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from tests.support.builders import AFFINE, SHAPE

DATATYPES = {
    "u1": 2, "i2": 4, "i4": 8, "f4": 16, "f8": 64,
    "i1": 256, "u2": 512, "u4": 768, "i8": 1024, "u8": 1280,
}  # fmt: skip
"""NIfTI datatype codes by numpy's name."""


def header_bytes(
    shape: tuple[int, ...] = SHAPE, *, version: int = 1, order: str = "<", **fields: Any
) -> bytes:
    """Return a header (int16, no sform, no qform, 2 x 3 x 5 mm) with the given fields changed."""
    kind = nib.Nifti1Header if version == 1 else nib.Nifti2Header
    header = kind(endianness=order)
    header["dim"] = [len(shape), *shape, *[1] * (7 - len(shape))]
    header["pixdim"] = [1, 2, 3, 5, 1, 1, 1, 1]
    header["datatype"], header["bitpix"] = DATATYPES["i2"], 16
    header["magic"] = f"n+{version}".encode()
    header["vox_offset"] = 352 if version == 1 else 544
    header["scl_slope"] = 1
    for name, value in fields.items():
        header[name] = value
    return bytes(header.binaryblock) + b"\0\0\0\0"


def voxel_bytes(order: str = "<", dtype: str = "i2", shape: tuple[int, ...] = SHAPE) -> bytes:
    """Return 0, 1, 2, ... as they lie in a file: i runs fastest."""
    return np.arange(math.prod(shape)).astype(f"{order}{dtype}").tobytes()


def ramp(dtype: str = "i2") -> np.ndarray:
    """Return the array of ``voxel_bytes``."""
    return np.arange(math.prod(SHAPE)).astype(dtype).reshape(SHAPE, order="F")


def write_raw(
    path: Path, shape: tuple[int, ...] = SHAPE, *, data: bytes | None = None, **fields: Any
) -> Path:
    """Write a header and voxels (those of ``voxel_bytes`` by default); return the path."""
    order = fields.get("order", "<")
    path.write_bytes(header_bytes(shape, **fields) + (data or voxel_bytes(order)))
    return path


def write_array(
    path: Path,
    array: Any,
    *,
    order: str = "<",
    affine: Any = AFFINE,
    packed: bool = False,
    **fields: Any,
) -> Path:
    """Write an array of any type in any byte order, with an sform; return the path."""
    array = np.asarray(array)
    rows = {f"srow_{name}": row for name, row in zip("xyz", np.asarray(affine), strict=False)}
    fields = {"sform_code": 2, **rows, "datatype": DATATYPES[array.dtype.str[1:]], **fields}
    voxels = array.astype(array.dtype.newbyteorder(order)).tobytes(order="F")
    content = header_bytes(array.shape, order=order, **fields) + voxels
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if packed else content)
    return path
