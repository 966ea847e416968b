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
from gzip import GzipFile
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt

from nifti_kit.core.files import refuse_special
from nifti_kit.core.geometry import Alignment, Grid, compare_grids
from nifti_kit.core.imports import whole_nibabel
from nifti_kit.core.memory import mapped_array
from nifti_kit.core.parallel import going_on
from nifti_kit.errors import RepairRefused, UnreadableFile, UnsupportedImage, visible
from nifti_kit.formats import deflate
from nifti_kit.formats.deflate import MAX_DEFLATE_RATIO, STREAM_FAULTS, fill, skip
from nifti_kit.formats.nifti_header import (
    MAX_RANK,
    NIFTI1_BYTES,
    affines_of,
    layout_of,
    offset_of,
    scaling_of,
    shape_of,
    unit_of,
    unreadable,
)

GZIP_MAGIC = b"\x1f\x8b"
HEADER_BYTES = 544
"""The longer of the two headers (NIfTI-2: 540) and its extension flag."""

EXTENSION_FLAG_BYTES = 4
"""Behind the header; all 0: no extension follows."""

READ_AT_ONCE = 2**17
"""Bytes of small frames that are read together: more of them would be new pages each time."""


@dataclass(frozen=True, eq=False)
class ImageFile:
    """A NIfTI file by its header."""

    path: Path  # the file
    relative: PurePosixPath  # its path below the scanned source, for people
    # Shape and affine (RAS+ mm), by the NIfTI-1 rules: sform, else qform, else voxel size.
    grid: Grid
    dtype: np.dtype[Any]  # the type on disk, with its byte order
    # ``scl_slope`` and ``scl_inter`` where they are to be used, else 1 and 0.
    slope: float
    intercept: float
    # The two affines where their codes are above 0, else None (RAS+ mm).
    sform: npt.NDArray[np.float64] | None
    qform: npt.NDArray[np.float64] | None
    offset: int  # where the voxels begin, in the uncompressed file
    version: int  # 1 or 2
    codes: tuple[int, int] = (0, 0)  # ``sform_code`` and ``qform_code`` as they stand
    # ``pixdim[1:4]`` as it stands, without its unit.
    pixdim: tuple[float, float, float] = (1.0, 1.0, 1.0)
    # The header's unit of length (``xyzt_units``) in mm; 1 where it names none.
    unit_mm: float = 1.0
    is_packed: bool = False  # whether the bytes are gzip, whatever the name says
    # Why a scaling that the header gives is not used; empty where it is, or there is none.
    scaling_fault: str = ""
    # The file's bytes where they are in memory (a repair), in place of those at ``path``.
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

    def aligned_to(self, volume: ImageFile) -> Alignment:
        """Return how this mask's grid lies against a volume's, whose other form counts too."""
        other = None if volume.sform is None else volume.qform
        by_other = None if other is None else Grid(volume.shape, other)
        return compare_grids(self.grid, volume.grid, by_other)

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.shape))
        spacing = " x ".join(f"{mm:g}" for mm in self.grid.voxel_size)
        codes = self.grid.axis_codes if not self.grid.problem else "?"
        return f"<{visible(self.relative)}: {size}, {self.dtype.name}, {spacing} mm, {codes}>"


def open_stream(path: Path, content: bytes | None = None) -> IO[bytes]:
    """Return the uncompressed content of a file, gzip or not, whatever its name says.

    ``content`` stands for the file's bytes where they are in memory.

    Raises UnreadableFile if it is a named pipe, a socket or a device: it is not opened. Raises
    OSError if it cannot be opened.
    """
    if content is None:
        refuse_special(path)
    raw = path.open("rb") if content is None else io.BytesIO(content)
    if raw.read(2) != GZIP_MAGIC:
        raw.seek(0)
        return raw
    raw.close()
    packed = path if content is None else io.BytesIO(content)
    return cast("IO[bytes]", deflate.open_gzip(packed))


def read_header(
    path: Path, relative: PurePosixPath | None = None, content: bytes | None = None
) -> ImageFile:
    """Return an image by its header; no voxel is read.

    ``content`` stands for the file's bytes where they are in memory.

    Raises UnreadableFile if the file is damaged, or no NIfTI file. Raises UnsupportedImage if it is
    a sound image that is not 3D with one real number per voxel.
    """
    relative = relative or PurePosixPath(path.name)
    try:
        start, is_packed, size = _first_bytes(path, content)
        most = size * MAX_DEFLATE_RATIO if is_packed else size
        image = _parse(start, path, relative, most)
        return replace(image, is_packed=is_packed, content=content)
    except STREAM_FAULTS as error:
        raise unreadable(relative, f"it cannot be read: {error}") from error


def _first_bytes(path: Path, content: bytes | None) -> tuple[bytes, bool, int]:
    """Return the start of the uncompressed content, whether it is packed, and the file's size."""
    size = path.stat().st_size if content is None else len(content)
    with open_stream(path, content) as stream:
        return stream.read(HEADER_BYTES), isinstance(stream, GzipFile), size


def _parse(start: bytes, path: Path, relative: PurePosixPath, most: int) -> ImageFile:
    header, _, dtype = layout_of(start, relative)
    version = 1 if header.dtype.itemsize == NIFTI1_BYTES else 2
    shape = shape_of(header, relative)
    offset = offset_of(header, relative)
    end = offset + math.prod(shape) * dtype.itemsize
    if end > most:
        raise unreadable(
            relative,
            "the file is too short for the voxels that its header promises",
            found=f"at most {most} bytes",
            expected=f"{end} bytes",
        )
    sform, qform, affine = affines_of(header)
    slope, intercept, scaling_fault = scaling_of(header)
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
        unit_of(header),
        scaling_fault=scaling_fault,
    )


def read_voxels(image: ImageFile) -> npt.NDArray[Any]:
    """Return the stored numbers, (i, j, k), Fortran order, native byte order, without scaling.

    One array of the size of the data is all that is taken. The file is read to its end, so that
    a gzip checksum that does not fit is found.

    Raises UnreadableFile if the file is cut short or damaged.
    """
    flat = mapped_array((math.prod(image.shape),), image.dtype)
    with _Reader(image) as reader:
        reader.fill(flat)
        reader.finish()
    native = flat.byteswap(inplace=True).view(flat.dtype.newbyteorder("=")) if _swapped(
        image.dtype
    ) else flat  # fmt: skip
    return native.reshape(image.shape, order="F")


def iter_blocks(image: ImageFile) -> Iterator[npt.NDArray[Any]]:
    """Yield the stored numbers in blocks of whole frames, (i, j, n), along the file's last axis.

    A block is one large frame or several small ones. The same buffer is filled again for each.
    Raises as :func:`read_voxels`.
    """
    rows, columns, frames = image.shape
    size = rows * columns
    together = max(1, READ_AT_ONCE // (size * image.dtype.itemsize))
    flat = np.empty(size * min(together, frames), dtype=image.dtype)
    with _Reader(image) as reader:
        for first in range(0, frames, together):
            count = min(together, frames - first)
            part = flat[: count * size]
            reader.fill(part)
            native = part.astype(part.dtype.newbyteorder("=")) if _swapped(image.dtype) else part
            yield native.reshape((rows, columns, count), order="F")
        reader.finish()


def iter_frames(image: ImageFile) -> Iterator[npt.NDArray[Any]]:
    """Yield the stored numbers frame by frame, (i, j) each, along the file's last axis.

    The same buffer is filled again after some frames. Raises as :func:`read_voxels`.
    """
    for block in iter_blocks(image):
        yield from np.moveaxis(block, 2, 0)


def iter_scaled_frames(image: ImageFile) -> Iterator[npt.NDArray[Any]]:
    """Yield the values (stored number x slope + intercept) frame by frame, as float64."""
    for frame in iter_frames(image):
        yield frame.astype(np.float64) * image.slope + image.intercept


def encode_image(voxels: npt.NDArray[Any], grid: Grid, name: object = "") -> bytes:
    """Return a NIfTI-1 file, gzip, of a 3D array at its place; the same bytes each time.

    sform and qform say the same (code 1), but a sheared grid has only a sform: a quaternion has
    no shear. NIfTI-1 keeps both as float32. A grid that cannot be used is refused; ``name`` is the
    file that has it.
    """
    whole_nibabel()
    from nibabel.nifti1 import Nifti1Image

    if grid.problem:
        raise RepairRefused(
            "its header gives it no place in space",
            path=str(name) or None,
            found=grid.problem,
            remedy="First give it a place: of a mask in its volume's voxel order "
            f"nk.repairs.take_header(dataset, {str(name)!r}).",
        )
    going_on(name)
    image = Nifti1Image(voxels, grid.affine, dtype=voxels.dtype)
    image.header.set_xyzt_units("mm")
    set_forms(image, grid.affine, sheared=grid.is_sheared)
    return deflate.pack(image.to_bytes())


def set_forms(header: Any, affine: npt.NDArray[np.float64], *, sheared: bool) -> None:
    """Let sform and qform of a header say the same; a sheared grid has only a sform."""
    header.set_sform(affine, code=1)
    header.set_qform(None if sheared else affine, code=0 if sheared else 1)


def with_form(image: ImageFile, affine: npt.NDArray[np.float64], *, sheared: bool) -> bytes:
    """Return a file, gzip, whose sform and qform are an affine (RAS+ mm); all else bit for bit.

    A sheared one has only a sform: a quaternion has no shear. Raises as :func:`read_voxels`.
    """
    try:
        with open_stream(image.path, image.content) as stream:
            content = bytearray(stream.read())
    except STREAM_FAULTS as error:
        raise unreadable(image.relative, f"it cannot be read: {error}") from error
    whole_nibabel()
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    kind: Any = Nifti1Header if image.version == 1 else Nifti2Header
    fields = kind(bytes(content[: kind.template_dtype.itemsize]), check=False)
    set_forms(fields, np.diag([*[1 / image.unit_mm] * 3, 1.0]) @ affine, sheared=sheared)
    content[: kind.template_dtype.itemsize] = fields.binaryblock
    return deflate.pack(bytes(content))


@dataclass(frozen=True, eq=False)
class Frames:
    """The 3D frames of an image of four or more dimensions, or of three: one then.

    Dimensions above the fourth are counted through, the fourth first.

    ``path``, ``relative``, ``content``: as for :class:`ImageFile`.
    """

    path: Path
    relative: PurePosixPath
    shape: tuple[int, int, int]  # number of voxels of a frame along i, j, k
    count: int  # how many frames there are
    dtype: np.dtype[Any]  # the type on disk, with its byte order
    _header: Any = field(repr=False)
    content: bytes | None = field(default=None, repr=False)

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        """Yield the stored bytes of each frame; the same buffer is filled again.

        Raises UnreadableFile if the file is cut short or damaged.
        """
        voxels = np.empty(math.prod(self.shape) * self.dtype.itemsize, dtype=np.uint8)
        try:
            with open_stream(self.path, self.content) as stream:
                skip(stream, offset_of(self._header, self.relative))
                for _ in range(self.count):
                    fill(stream, voxels, "the file ends before the frame's last voxel")
                    yield voxels
                deflate.finish(stream)
        except STREAM_FAULTS as error:
            raise unreadable(self.relative, f"its voxels cannot be read: {error}") from error

    def values(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the values of a frame of stored bytes, (i, j, k), scaling included."""
        numbers = stored.view(self.dtype).reshape(self.shape, order="F")
        slope, intercept, _ = scaling_of(self._header)
        numbers = numbers.astype(self.dtype.newbyteorder("="), copy=False)
        return numbers if (slope, intercept) == (1.0, 0.0) else numbers * slope + intercept

    def file(self, stored: npt.NDArray[Any]) -> bytes:
        """Return a frame of stored bytes as a 3D NIfTI file, gzip, bit for bit.

        Header fields are kept, extensions are not.
        """
        single = self._header.copy()
        single["dim"][0], single["dim"][4:] = 3, 1
        single["vox_offset"] = self._header.dtype.itemsize + EXTENSION_FLAG_BYTES
        if single["intent_code"] == VECTOR_INTENT:
            single["intent_code"] = 0
        return deflate.pack(single.tobytes() + bytes(EXTENSION_FLAG_BYTES) + stored.tobytes())


VECTOR_INTENT = 1007
"""``intent_code`` of an image whose fifth dimension counts the parts of a vector (ITK)."""


def open_frames(path: Path, relative: PurePosixPath, content: bytes | None = None) -> Frames:
    """Return the frames of an image by its header; no voxel is read.

    Raises UnreadableFile if the file is damaged. Raises UnsupportedImage if it has fewer than three
    dimensions, or not one real number per voxel.
    """
    try:
        start, is_packed, size = _first_bytes(path, content)
    except STREAM_FAULTS as error:
        raise unreadable(relative, f"it cannot be read: {error}") from error
    header, _, dtype = layout_of(start, relative)
    rank = min(max(int(header["dim"][0]), 1), MAX_RANK)
    sizes = [int(size) for size in header["dim"][1 : rank + 1]]
    if len(sizes) < len("ijk") or min(sizes) < 1:
        raise UnsupportedImage(
            "the image has no frames of three dimensions",
            path=str(relative),
            found=" x ".join(map(str, sizes)),
        )
    i, j, k = sizes[:3]
    if i * j * k * dtype.itemsize > size * (MAX_DEFLATE_RATIO if is_packed else 1):
        raise unreadable(relative, "the file ends before the frame's last voxel", found=size)
    return Frames(path, relative, (i, j, k), math.prod(sizes[3:]), dtype, header, content)


def pick_frame(
    path: Path, relative: PurePosixPath, frame: int, content: bytes | None = None
) -> bytes:
    """Return one frame (from 1) of a 4D image as a 3D NIfTI file, gzip, bit for bit.

    Raises UnreadableFile if the file is damaged. Raises UnsupportedImage if it has no such frame,
    or not one real number per voxel.
    """
    frames = open_frames(path, relative, content)
    for number, stored in enumerate(frames, start=1):
        if number == frame:
            return frames.file(stored)
    raise UnsupportedImage(
        "the image has no such frame",
        path=str(relative),
        found=f"{' x '.join(map(str, (*frames.shape, frames.count)))} voxels, frame {frame} asked "
        "for",
        expected=f"a frame from 1 to {frames.count}",
    )


def _swapped(dtype: np.dtype[Any]) -> bool:
    return not dtype.isnative


class _Reader:
    """Reads a file's voxels into buffers and turns every fault into an error that names it."""

    def __init__(self, image: ImageFile) -> None:
        self._image = image

    def __enter__(self) -> _Reader:
        going_on(self._image.relative)
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
        """Read what is left, to the checksum."""
        try:
            deflate.finish(self._stream)
        except STREAM_FAULTS as error:
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> UnreadableFile:
        return unreadable(
            self._image.relative,
            "its voxels cannot be read to the end",
            found=str(error) or type(error).__name__,
        )
