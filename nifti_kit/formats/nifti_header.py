"""NIfTI headers: what the fields of NIfTI-1 and NIfTI-2 say, by the letter of the standards."""

from __future__ import annotations

import math
from pathlib import PurePosixPath
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nifti_kit.core.imports import whole_nibabel
from nifti_kit.errors import SeveralFrames, UnreadableFile, UnsupportedImage

SUPPORTED_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8",
    256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
"""NIfTI datatype codes that hold one real number per voxel, and numpy's name of each."""

UNSUPPORTED_TYPES = {
    1: "single bits", 32: "complex numbers", 128: "RGB colours", 1536: "128-bit floats",
    1792: "complex numbers", 2048: "complex numbers", 2304: "RGBA colours",
}  # fmt: skip

MAX_RANK = 7
"""The NIfTI header has room for seven dimensions."""

NO_ROTATION = 1e-7
"""Below this 1 - (b2 + c2 + d2) is rounding, and a is 0 (nifti1_io, nifti_quatern_to_mat44)."""

NIFTI1_BYTES, NIFTI2_BYTES = 348, 540
"""The sizes of the headers of NIfTI-1 and NIfTI-2."""

UNITS_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
"""``xyzt_units`` & 7 to millimetres: unknown, metre, millimetre, micron."""


def unreadable(relative: PurePosixPath, message: str, **facts: Any) -> UnreadableFile:
    """Return the error for a file that is damaged, or not what it claims to be."""
    remedy = "Copy or export the file again from where it came from."
    return UnreadableFile(message, path=str(relative), remedy=facts.pop("remedy", remedy), **facts)


def layout_of(start: bytes, relative: PurePosixPath) -> tuple[Any, int, np.dtype[Any]]:
    """Return the header's fields, its length in bytes, and the type of the voxels on disk."""
    version, order = _identify(start, relative)
    whole_nibabel()
    from nibabel.nifti1 import header_dtype as nifti1
    from nibabel.nifti2 import header_dtype as nifti2

    layout = (nifti1 if version == 1 else nifti2).newbyteorder(order)
    header = np.frombuffer(start, dtype=layout, count=1)[0]
    return header, layout.itemsize, _dtype(header, relative).newbyteorder(order)


def _identify(start: bytes, relative: PurePosixPath) -> tuple[int, Literal["<", ">"]]:
    """Return the NIfTI version and the byte order, or say what the file is instead."""
    orders: tuple[Literal["<", ">"], ...] = ("<", ">")
    for version, length in ((1, NIFTI1_BYTES), (2, NIFTI2_BYTES)):
        for order in orders:
            if start[:4] == length.to_bytes(4, "little" if order == "<" else "big"):
                if len(start) < length:
                    raise unreadable(relative, "the file ends within its header", found=len(start))
                magic = start[344:348] if version == 1 else start[4:8]
                if magic[:3] != b"n+" + str(version).encode():
                    raise _separate_voxels(relative)
                return version, order
    raise unreadable(
        relative, "it is no NIfTI file", found=_describe(start), expected="a NIfTI-1 header"
    )


def _separate_voxels(relative: PurePosixPath) -> UnreadableFile:
    return unreadable(
        relative,
        "it is no single-file NIfTI",
        found="a header whose voxels are in a separate .img file (.hdr/.img or ANALYZE)",
        remedy="Convert it to .nii or .nii.gz first.",
    )


def _describe(start: bytes) -> str:
    if not start:
        return "an empty file"
    if not start.strip(b"\0"):
        return "only zero bytes"
    return f"a file that begins with {start[:8]!r}"


def offset_of(header: Any, relative: PurePosixPath) -> int:
    """Return where the voxels begin, in bytes.

    0 means "right after the header", as nibabel reads it too (NIfTI-1: 352, NIfTI-2: 544).
    """
    given, length = float(header["vox_offset"]), header.dtype.itemsize
    if given == 0:
        return int(length) + 4
    if not length <= given < math.inf:
        raise unreadable(
            relative,
            "the header gives its voxels a place where they cannot be",
            found=f"vox_offset {given:g}",
            expected=f"{length + 4} or more",
        )
    return int(given)


def shape_of(header: Any, relative: PurePosixPath) -> tuple[int, int, int]:
    """Return the number of voxels along i, j, k.

    Raises UnreadableFile if the dimensions are impossible. Raises UnsupportedImage if there are
    fewer than three, or more that are not of length 1.
    """
    rank = int(header["dim"][0])
    if not 1 <= rank <= MAX_RANK:
        raise UnreadableFile(
            "the header's number of dimensions is impossible",
            path=str(relative),
            found=rank,
            expected="3",
            remedy="Write the file again.",
        )
    sizes = [int(size) for size in header["dim"][1 : rank + 1]]
    if min(sizes) < 1:
        raise UnreadableFile(
            "the header has a dimension without voxels",
            path=str(relative),
            found=sizes,
            remedy="Write the file again.",
        )
    if rank < len("ijk") or any(size > 1 for size in sizes[3:]):
        several = rank > len("ijk")
        raise (SeveralFrames if several else UnsupportedImage)(
            f"the image has {rank} dimensions",
            path=str(relative),
            found=" x ".join(map(str, sizes)),
            expected="3 dimensions",
            remedy=_remedy_of_frames(relative) if several else _STACK,
        )
    return (sizes[0], sizes[1], sizes[2])


_STACK = "Stack the pictures into one 3D image."


def _remedy_of_frames(relative: PurePosixPath) -> str:
    name = str(relative)
    return (
        f"To land each frame as a volume: nk.repairs.split_frames(dataset, {name!r}). To land one "
        f"of them: nk.repairs.pick_frame(dataset, {name!r}, 1); the others are named then."
    )


def _dtype(header: Any, relative: PurePosixPath) -> np.dtype[Any]:
    code = int(header["datatype"])
    if code in SUPPORTED_TYPES:
        return np.dtype(SUPPORTED_TYPES[code])
    raise UnsupportedImage(
        "its voxels are not one real number each",
        path=str(relative),
        found=UNSUPPORTED_TYPES.get(code, f"datatype code {code}"),
        expected="integers or floats",
        remedy="Convert it to a 3D image of numbers.",
    )


def scaling_of(header: Any) -> tuple[float, float, str]:
    """Return slope, intercept, and why they are not used where they should be.

    A slope of 0 means no scaling at all (NIfTI-1), and so does one that is no number (nibabel
    writes NaN for it).
    """
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or math.isnan(slope):
        return 1.0, 0.0, ""
    if not math.isfinite(slope) or not math.isfinite(intercept):
        return 1.0, 0.0, f"scl_slope {slope:g} with scl_inter {intercept:g}"
    return slope, intercept, ""


def unit_of(header: Any) -> float:
    """Return the unit of length in mm; 1 where the header names none."""
    return UNITS_MM.get(int(header["xyzt_units"]) & 7, 1.0)


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is named by the grid
def affines_of(header: Any) -> tuple[Any, Any, npt.NDArray[np.float64]]:
    """Return sform, qform (None where not set) and the affine in force, in RAS+ mm.

    NIfTI-1: method 3 where sform_code > 0, else method 2 where qform_code > 0, else method 1. An
    sform of nothing but zeros is no place, whatever its code: with a qform that is one it counts
    as not set.
    """
    unit = unit_of(header)
    scale = np.diag([unit, unit, unit, 1.0])
    sform = qform = None
    if int(header["sform_code"]) > 0:
        rows = [header["srow_x"], header["srow_y"], header["srow_z"], [0, 0, 0, 1]]
        sform = scale @ np.array([np.asarray(row, dtype=np.float64) for row in rows])
    if int(header["qform_code"]) > 0:
        qform = scale @ _quaternion_affine(header)
    if sform is not None and not sform[:3].any() and _is_place(qform):
        sform = None
    if sform is not None:
        return sform, qform, sform
    if qform is not None:
        return sform, qform, qform
    sizes = np.abs(np.asarray(header["pixdim"][1:4], dtype=np.float64))
    return None, None, scale @ np.diag([*sizes, 1.0])


def _is_place(affine: npt.NDArray[np.float64] | None) -> bool:
    """Say whether there is an affine, and it takes voxels to different places."""
    if affine is None or not np.isfinite(affine).all():
        return False
    return abs(float(np.linalg.det(affine))) > 0


def _quaternion_affine(header: Any) -> npt.NDArray[np.float64]:
    """Return the affine of NIfTI-1 method 2.

    Where b, c, d are of length 1 but for rounding, a is 0 and they are normalised, as the
    reference implementation does (nifti1_io, nifti_quatern_to_mat44).
    """
    b, c, d = (float(header[name]) for name in ("quatern_b", "quatern_c", "quatern_d"))
    rest = 1.0 - (b * b + c * c + d * d)
    if rest < NO_ROTATION:
        length = math.sqrt(b * b + c * c + d * d)
        a, b, c, d = 0.0, b / length, c / length, d / length
    else:
        a = math.sqrt(rest)
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    pixdim = np.asarray(header["pixdim"], dtype=np.float64)
    sizes = np.abs(pixdim[1:4]) * [1, 1, -1 if pixdim[0] < 0 else 1]
    affine = np.eye(4)
    affine[:3, :3] = rotation * sizes
    affine[:3, 3] = [header["qoffset_x"], header["qoffset_y"], header["qoffset_z"]]
    return affine
