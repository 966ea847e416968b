"""NIfTI files: headers without voxels, voxels without copies.

Facts from the NIfTI-1 and NIfTI-2 standards. Files are told apart by their bytes, not by their
names: gzip by its magic number, NIfTI by ``sizeof_hdr`` and ``magic``, either byte order.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal, cast

import numpy as np
import numpy.typing as npt
from isal import igzip

from nifti_kit.errors import UnreadableFile, UnsupportedImage
from nifti_kit.geometry import Grid
from nifti_kit.streams import CHUNK, MAX_DEFLATE_RATIO, STREAM_FAULTS, fill, skip

__all__ = [
    "ImageFile",
    "encode_image",
    "iter_frames",
    "iter_scaled_frames",
    "pick_frame",
    "read_header",
    "read_voxels",
]

GZIP_MAGIC = b"\x1f\x8b"
HEADER_BYTES = 544
"""The longer of the two headers (NIfTI-2: 540) and its extension flag."""

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

NIFTI1_BYTES = 348
"""The size of a NIfTI-1 header; NIfTI-2 has 540."""

EXTENSION_FLAG_BYTES = 4
"""Behind the header; all 0: no extension follows."""

PACKING_LEVEL = 1
"""Of isal's 0 to 3: as fast as 0, and label maps get no smaller beyond it."""

UNITS_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
"""``xyzt_units`` & 7 to millimetres: unknown, metre, millimetre, micron."""


@dataclass(frozen=True, eq=False)
class ImageFile:
    """A NIfTI file by its header.

    Attributes
    ----------
    path
        The file.
    relative
        Its path below the scanned source, for people.
    grid
        Shape and affine (RAS+ mm), by the NIfTI-1 rules: sform, else qform, else voxel size.
    dtype
        The type on disk, with its byte order.
    slope, intercept
        ``scl_slope`` and ``scl_inter`` where they are to be used, else 1 and 0.
    sform, qform
        The two affines where their codes are above 0, else None (RAS+ mm).
    offset
        Where the voxels begin, in the uncompressed file.
    version
        1 or 2.
    codes
        ``sform_code`` and ``qform_code`` as they stand.
    pixdim
        ``pixdim[1:4]`` as it stands, without its unit.
    unit_mm
        The header's unit of length (``xyzt_units``) in mm; 1 where it names none.
    is_packed
        Whether the bytes are gzip, whatever the name says.
    scaling_fault
        Why a scaling that the header gives is not used; empty where it is, or there is none.
    content
        The file's bytes where they are in memory (a repair), in place of those at ``path``.
    """

    path: Path
    relative: PurePosixPath
    grid: Grid
    dtype: np.dtype[Any]
    slope: float
    intercept: float
    sform: npt.NDArray[np.float64] | None
    qform: npt.NDArray[np.float64] | None
    offset: int
    version: int
    codes: tuple[int, int] = (0, 0)
    pixdim: tuple[float, float, float] = (1.0, 1.0, 1.0)
    unit_mm: float = 1.0
    is_packed: bool = False
    scaling_fault: str = ""
    content: bytes | None = field(default=None, repr=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along i, j, k."""
        return self.grid.shape

    @property
    def is_scaled(self) -> bool:
        """True when stored numbers are not the values themselves."""
        return (self.slope, self.intercept) != (1.0, 0.0)

    @property
    def nbytes(self) -> int:
        """The size of the decoded voxels."""
        return math.prod(self.shape) * self.dtype.itemsize

    @cached_property
    def form_distance_mm(self) -> float:
        """How far apart sform and qform place a corner voxel (mm); 0 where one is missing."""
        if self.sform is None or self.qform is None:
            return 0.0
        corners = self.grid.corners()
        ends = [Grid(self.shape, form).world(corners) for form in (self.sform, self.qform)]
        return float(np.linalg.norm(ends[0] - ends[1], axis=1).max())

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.shape))
        spacing = " x ".join(f"{mm:g}" for mm in self.grid.voxel_size)
        codes = self.grid.axis_codes if not self.grid.problem else "?"
        return f"<{self.relative}: {size}, {self.dtype.name}, {spacing} mm, {codes}>"


def open_stream(path: Path, content: bytes | None = None) -> IO[bytes]:
    """Return the uncompressed content of a file, gzip or not, whatever its name says.

    ``content`` stands for the file's bytes where they are in memory.
    """
    raw = path.open("rb") if content is None else io.BytesIO(content)
    if raw.read(2) != GZIP_MAGIC:
        raw.seek(0)
        return raw
    raw.close()
    packed = path if content is None else io.BytesIO(content)
    return cast("IO[bytes]", igzip.open(packed, "rb"))


def read_header(
    path: Path, relative: PurePosixPath | None = None, content: bytes | None = None
) -> ImageFile:
    """Return an image by its header; no voxel is read.

    ``content`` stands for the file's bytes where they are in memory.

    Raises
    ------
    UnreadableFile
        If the file is damaged, or no NIfTI file.
    UnsupportedImage
        If it is a sound image that is not 3D with one real number per voxel.
    """
    relative = relative or PurePosixPath(path.name)
    try:
        start, is_packed, size = _first_bytes(path, content)
        most = size * MAX_DEFLATE_RATIO if is_packed else size
        image = _parse(start, path, relative, most)
        return replace(image, is_packed=is_packed, content=content)
    except STREAM_FAULTS as error:
        raise _unreadable(relative, f"it cannot be read: {error}") from error


def _first_bytes(path: Path, content: bytes | None) -> tuple[bytes, bool, int]:
    """Return the start of the uncompressed content, whether it is packed, and the file's size."""
    size = path.stat().st_size if content is None else len(content)
    with open_stream(path, content) as stream:
        return stream.read(HEADER_BYTES), isinstance(stream, igzip.IGzipFile), size


def _unreadable(relative: PurePosixPath, message: str, **facts: Any) -> UnreadableFile:
    remedy = "Copy or export the file again from where it came from."
    return UnreadableFile(message, path=str(relative), remedy=facts.pop("remedy", remedy), **facts)


def _parse(start: bytes, path: Path, relative: PurePosixPath, most: int) -> ImageFile:
    header, _, dtype = _layout(start, relative)
    version = 1 if header.dtype.itemsize == NIFTI1_BYTES else 2
    shape = _shape(header, relative)
    offset = _offset(header, relative)
    end = offset + math.prod(shape) * dtype.itemsize
    if end > most:
        raise _unreadable(
            relative,
            "the file is too short for the voxels that its header promises",
            found=f"at most {most} bytes",
            expected=f"{end} bytes",
        )
    sform, qform, affine = _affines(header)
    slope, intercept, scaling_fault = _scaling(header)
    i, j, k = (float(size) for size in header["pixdim"][1:4])
    return ImageFile(
        path,
        relative,
        Grid(shape, affine),
        dtype,
        slope,
        intercept,
        sform,
        qform,
        offset,
        version,
        (int(header["sform_code"]), int(header["qform_code"])),
        (i, j, k),
        _unit_mm(header),
        scaling_fault=scaling_fault,
    )


def _layout(start: bytes, relative: PurePosixPath) -> tuple[Any, int, np.dtype[Any]]:
    """Return the header's fields, its length in bytes, and the type of the voxels on disk."""
    version, order = _identify(start, relative)
    from nibabel.nifti1 import header_dtype as nifti1
    from nibabel.nifti2 import header_dtype as nifti2

    layout = (nifti1 if version == 1 else nifti2).newbyteorder(order)
    header = np.frombuffer(start, dtype=layout, count=1)[0]
    return header, layout.itemsize, _dtype(header, relative).newbyteorder(order)


def _identify(start: bytes, relative: PurePosixPath) -> tuple[int, Literal["<", ">"]]:
    """Return the NIfTI version and the byte order, or say what the file is instead."""
    orders: tuple[Literal["<", ">"], ...] = ("<", ">")
    for version, length in ((1, 348), (2, 540)):
        for order in orders:
            if start[:4] == length.to_bytes(4, "little" if order == "<" else "big"):
                if len(start) < length:
                    raise _unreadable(relative, "the file ends within its header", found=len(start))
                magic = start[344:348] if version == 1 else start[4:8]
                if magic[:3] != b"n+" + str(version).encode():
                    raise _separate_voxels(relative)
                return version, order
    raise _unreadable(
        relative, "it is no NIfTI file", found=_describe(start), expected="a NIfTI-1 header"
    )


def _separate_voxels(relative: PurePosixPath) -> UnreadableFile:
    return _unreadable(
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


def _offset(header: Any, relative: PurePosixPath) -> int:
    """Return where the voxels begin, in bytes.

    0 means "right after the header", as nibabel reads it too (NIfTI-1: 352, NIfTI-2: 544).
    """
    given, length = float(header["vox_offset"]), header.dtype.itemsize
    if given == 0:
        return int(length) + 4
    if not length <= given < math.inf:
        raise _unreadable(
            relative,
            "the header gives its voxels a place where they cannot be",
            found=f"vox_offset {given:g}",
            expected=f"{length + 4} or more",
        )
    return int(given)


def _shape(header: Any, relative: PurePosixPath) -> tuple[int, int, int]:
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
        text = " x ".join(map(str, sizes))
        remedy = "Pick one frame and save it as a 3D image."
        raise UnsupportedImage(
            f"the image has {rank} dimensions",
            path=str(relative),
            found=text,
            expected="3 dimensions",
            remedy=remedy if rank > len("ijk") else "Stack the pictures into one 3D image.",
        )
    return (sizes[0], sizes[1], sizes[2])


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


def _scaling(header: Any) -> tuple[float, float, str]:
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


def _unit_mm(header: Any) -> float:
    return UNITS_MM.get(int(header["xyzt_units"]) & 7, 1.0)


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is named by the grid
def _affines(header: Any) -> tuple[Any, Any, npt.NDArray[np.float64]]:
    """Return sform, qform (None where not set) and the affine in force, in RAS+ mm.

    NIfTI-1: method 3 where sform_code > 0, else method 2 where qform_code > 0, else method 1.
    """
    unit = _unit_mm(header)
    scale = np.diag([unit, unit, unit, 1.0])
    sform = qform = None
    if int(header["sform_code"]) > 0:
        rows = [header["srow_x"], header["srow_y"], header["srow_z"], [0, 0, 0, 1]]
        sform = scale @ np.array([np.asarray(row, dtype=np.float64) for row in rows])
    if int(header["qform_code"]) > 0:
        qform = scale @ _quaternion_affine(header)
    if sform is not None:
        return sform, qform, sform
    if qform is not None:
        return sform, qform, qform
    sizes = np.abs(np.asarray(header["pixdim"][1:4], dtype=np.float64))
    return None, None, scale @ np.diag([*sizes, 1.0])


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


def read_voxels(image: ImageFile) -> npt.NDArray[Any]:
    """Return the stored numbers, (i, j, k), Fortran order, native byte order, without scaling.

    One array of the size of the data is all that is taken. The file is read to its end, so that
    a gzip checksum that does not fit is found.

    Raises
    ------
    UnreadableFile
        If the file is cut short or damaged.
    """
    flat = np.empty(math.prod(image.shape), dtype=image.dtype)
    with _Reader(image) as reader:
        reader.fill(flat)
        reader.finish()
    native = flat.byteswap(inplace=True).view(flat.dtype.newbyteorder("=")) if _swapped(
        image.dtype
    ) else flat  # fmt: skip
    return native.reshape(image.shape, order="F")


def iter_frames(image: ImageFile) -> Iterator[npt.NDArray[Any]]:
    """Yield the stored numbers frame by frame, (i, j) each, along the file's last axis.

    The same buffer is filled again for each frame. Raises as :func:`read_voxels`.
    """
    rows, columns, frames = image.shape
    flat = np.empty(rows * columns, dtype=image.dtype)
    with _Reader(image) as reader:
        for _ in range(frames):
            reader.fill(flat)
            frame = flat.astype(flat.dtype.newbyteorder("=")) if _swapped(image.dtype) else flat
            yield frame.reshape((rows, columns), order="F")
        reader.finish()


def iter_scaled_frames(image: ImageFile) -> Iterator[npt.NDArray[Any]]:
    """Yield the values (stored number x slope + intercept) frame by frame, as float64."""
    for frame in iter_frames(image):
        yield frame.astype(np.float64) * image.slope + image.intercept


def encode_image(voxels: npt.NDArray[Any], grid: Grid) -> bytes:
    """Return a NIfTI-1 file, gzip, of a 3D array at its place; the same bytes each time.

    sform and qform say the same (code 1), but a sheared grid has only a sform: a quaternion has
    no shear. NIfTI-1 keeps both as float32.
    """
    from nibabel.nifti1 import Nifti1Image

    image = Nifti1Image(voxels, grid.affine, dtype=voxels.dtype)
    image.header.set_xyzt_units("mm")
    image.set_sform(grid.affine, code=1)
    image.set_qform(None if grid.is_sheared else grid.affine, code=0 if grid.is_sheared else 1)
    return _packed(image.to_bytes())


def _packed(content: bytes) -> bytes:
    return igzip.compress(content, PACKING_LEVEL, mtime=0)


def pick_frame(
    path: Path, relative: PurePosixPath, frame: int, content: bytes | None = None
) -> bytes:
    """Return one frame (from 1) of a 4D image as a 3D NIfTI file, gzip, bit for bit.

    Dimensions above the fourth are counted through, the fourth first. Header fields are kept,
    extensions are not.

    Raises
    ------
    UnreadableFile
        If the file is damaged.
    UnsupportedImage
        If it has no such frame, or not one real number per voxel.
    """
    try:
        start, _, _ = _first_bytes(path, content)
        header, length, dtype = _layout(start, relative)
        sizes = [int(size) for size in header["dim"][1 : int(header["dim"][0]) + 1]]
        count = math.prod(sizes[3:])
        if len(sizes) < len("ijk") or min(sizes) < 1 or not 1 <= frame <= count:
            text = " x ".join(map(str, sizes))
            raise UnsupportedImage(
                "the image has no such frame",
                path=str(relative),
                found=f"{text} voxels, frame {frame} asked for",
                expected=f"a frame from 1 to {count}",
            )
        size = math.prod(sizes[:3]) * dtype.itemsize
        with open_stream(path, content) as stream:
            skip(stream, _offset(header, relative) + (frame - 1) * size)
            voxels = np.empty(size, dtype=np.uint8)
            fill(stream, voxels, "the file ends before the frame's last voxel")
    except STREAM_FAULTS as error:
        raise _unreadable(relative, f"its voxels cannot be read: {error}") from error
    single = header.copy()
    single["dim"][0], single["dim"][4:] = 3, 1
    single["vox_offset"] = length + EXTENSION_FLAG_BYTES
    return _packed(single.tobytes() + bytes(EXTENSION_FLAG_BYTES) + voxels.tobytes())


def _swapped(dtype: np.dtype[Any]) -> bool:
    return not dtype.isnative


class _Reader:
    """Reads a file's voxels into buffers and turns every fault into an error that names it."""

    def __init__(self, image: ImageFile) -> None:
        self._image = image

    def __enter__(self) -> _Reader:
        try:
            self._stream = open_stream(self._image.path, self._image.content)
        except OSError as error:
            raise self._broken(error) from error
        try:
            skip(self._stream, self._image.offset)
        except STREAM_FAULTS as error:
            self._stream.close()
            raise self._broken(error) from error
        return self

    def __exit__(self, *exc: object) -> None:
        self._stream.close()

    def fill(self, flat: npt.NDArray[Any]) -> None:
        try:
            fill(self._stream, flat, "the file ends before its last voxel")
        except STREAM_FAULTS as error:
            raise self._broken(error) from error

    def finish(self) -> None:
        """Read what is left, so that the checksum at the end of a gzip stream is compared."""
        try:
            while self._stream.read(CHUNK):
                pass
        except STREAM_FAULTS as error:
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> UnreadableFile:
        return _unreadable(
            self._image.relative,
            "its voxels cannot be read to the end",
            found=str(error) or type(error).__name__,
        )
