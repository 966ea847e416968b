"""NIfTI files that name their values themselves, written byte by byte as the tools do it."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from tests.support.builders import AFFINE

ORGANS = {1: "spleen", 2: "kidney_right"}


def xml(names: dict[int, str], before: str = "", zero: str = "") -> bytes:
    """Return the label table that TotalSegmentator and Workbench write."""
    labels = "".join(
        f'<Label Key="{key}" Red="{key / 4}" Green="0.5" Blue="1" Alpha="1">'
        f"<![CDATA[{name}]]></Label>"
        for key, name in {**({0: zero} if zero else {}), **names}.items()
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{before}<CaretExtension>'
        f'<VolumeInformation Index="0"><LabelTable>{labels}</LabelTable></VolumeInformation>'
        "</CaretExtension>"
    ).encode()


def extension(content: bytes, code: int, order: str = "<") -> bytes:
    """Return an extension, padded to 16 bytes."""
    size = -(-(8 + len(content)) // 16) * 16
    return struct.pack(f"{order}ii", size, code) + content.ljust(size - 8, b"\0")


def write_with(
    path: Path,
    array: Any,
    *,
    extensions: bytes = b"",
    text: bytes = b"",
    kind: Any = nib.Nifti1Image,
    order: str = "<",
) -> Path:
    """Write an array with extensions, or with text right behind an empty extension flag."""
    array = np.asarray(array)
    array = array.astype(array.dtype.newbyteorder(order))
    image = kind(array, AFFINE, kind.header_class(endianness=order), dtype=array.dtype)
    image.set_sform(AFFINE, code=1)
    length = len(image.header.binaryblock)
    middle = (b"\1\0\0\0" + extensions) if extensions else (b"\0\0\0\0" + text)
    head = image.header.copy()
    head["vox_offset"] = length + len(middle)
    head["intent_code"] = 1002
    head["magic"] = b"n+1" if length == 348 else b"n+2"
    body = head.binaryblock + middle + array.tobytes(order="F")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(body, 1) if path.name.endswith(".gz") else body)
    return path
