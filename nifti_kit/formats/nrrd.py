"""NRRD files: written by slices at full precision, read back by slices.

Facts from the NRRD format, version 5 (``NRRD0005``). The SDK's ``Mask3D`` rounds its origin to
whole millimetres, so that a mask lies up to 0.87 mm off; hence our own header, in which every
number is written with all its digits.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nifti_kit.core.files import refuse_special
from nifti_kit.core.geometry import Grid
from nifti_kit.errors import UnreadableFile
from nifti_kit.formats import deflate
from nifti_kit.formats.deflate import (
    MAX_DEFLATE_RATIO,
    STREAM_FAULTS,
    SparseGzip,
    file_order,
    fill,
    sparse_pieces,
)

SMALLEST_FILE = 10_240
"""A mask's file is padded to this size (bytes) with comment lines: the SDK's ``Mask3D.from_bytes``
reads a temporary file that it has not flushed, and fails on anything below about 8 KB."""

MAX_HEADER_BYTES = 2**20
"""A header has some hundred bytes, with the comments that fill up a small mask 10 KB; an endless
line would be read into memory whole."""

_SHOWN = 60
"""Letters of a field that a message repeats."""

_TYPES = {
    "i1": "int8", "u1": "uint8", "i2": "int16", "u2": "uint16", "i4": "int32", "u4": "uint32",
    "i8": "int64", "u8": "uint64", "f4": "float", "f8": "double",
}  # fmt: skip
_TO_RAS = {
    "right-anterior-superior": (1.0, 1.0, 1.0), "ras": (1.0, 1.0, 1.0),
    "left-anterior-superior": (-1.0, 1.0, 1.0), "las": (-1.0, 1.0, 1.0),
    "left-posterior-superior": (-1.0, -1.0, 1.0), "lps": (-1.0, -1.0, 1.0),
}  # fmt: skip
_FAULTS = (*STREAM_FAULTS, ValueError, KeyError)


def header_of(grid: Grid) -> dict[str, Any]:
    """Return the header fields of a grid as pynrrd and the SDK have them.

    ``space`` is right-anterior-superior; ``space directions`` (3, 3) has one row per axis (mm);
    ``space origin`` is the centre of voxel (0, 0, 0) (RAS+ mm).
    """
    return {
        "dimension": 3,
        "space": "right-anterior-superior",
        "sizes": np.array(grid.shape),
        "space directions": grid.affine[:3, :3].T.copy(),
        "kinds": ["domain", "domain", "domain"],
        "endian": "little",
        "encoding": "gzip",
        "space origin": grid.origin.copy(),
    }


def grid_from_header(header: Mapping[str, Any], name: str) -> Grid:
    """Return the grid (RAS+ mm) that an NRRD header describes; ``name`` is for the error.

    Raises UnreadableFile if the header has no orientation, or one of an unknown space, or is not
    that of 3D voxels.
    """
    try:
        signs = np.array(_TO_RAS[str(header["space"]).casefold()])
        directions = np.asarray(header["space directions"], dtype=np.float64).reshape(3, 3)
        origin = np.asarray(header["space origin"], dtype=np.float64)
        sizes = _sizes(header)
        affine = np.eye(4)
        affine[:3, :3] = directions.T * signs[:, None]
        affine[:3, 3] = origin * signs
        return Grid(sizes, affine)
    except (KeyError, ValueError, TypeError) as error:
        raise UnreadableFile(
            "the NRRD header does not say where the image lies",
            path=name,
            found={key: header.get(key) for key in _PLACE},
            expected="3 sizes, a RAS, LAS or LPS space, 3 x 3 space directions and a space origin",
            remedy="Write the file again with its orientation.",
        ) from error


_PLACE = ("space", "sizes", "space directions", "space origin")


def _sizes(header: Mapping[str, Any]) -> tuple[int, int, int]:
    i, j, k = (int(size) for size in header["sizes"])
    if min(i, j, k) < 1:
        raise ValueError(f"sizes {i} {j} {k}")
    return i, j, k


def _header_bytes(grid: Grid, dtype: np.dtype[Any], comment: str = "") -> bytes:
    kind = dtype.str[1:]
    vectors = [_vector(row) for row in grid.affine[:3, :3].T]
    lines = [
        "NRRD0005",
        "# Complete NRRD file format specification at:",
        "# http://teem.sourceforge.net/nrrd/format.html",
        *([f"# {comment}"] if comment else []),
        f"type: {_TYPES[kind]}",
        "dimension: 3",
        "space: right-anterior-superior",
        f"sizes: {' '.join(map(str, grid.shape))}",
        f"space directions: {' '.join(vectors)}",
        "kinds: domain domain domain",
        "endian: little",
        "encoding: gzip",
        f"space origin: {_vector(grid.origin)}",
    ]
    return ("\n".join(lines) + "\n").encode("ascii")


def _vector(values: Iterable[float]) -> str:
    # repr of a float is the shortest text that reads back as the same float.
    return "(" + ",".join(repr(float(value) + 0.0) for value in values) + ")"


def volume_pieces(
    grid: Grid, dtype: np.dtype[Any], slices: Iterable[npt.NDArray[Any]], comment: str = ""
) -> Iterator[bytes]:
    """Yield a volume's file in pieces, from its slices (i, j) in the order of k, one at a time.

    ``grid`` is in the order of the slices; nothing is reordered here. ``comment`` is a line (ASCII)
    for its header: see :func:`comments_of`.
    """
    little = dtype.newbyteorder("<")
    yield _header_bytes(grid, dtype, comment) + b"\n"
    yield from deflate.packed(file_order(piece, little) for piece in slices)


def page_bytes(page: npt.NDArray[Any]) -> bytes:
    """Return a 2D image (i, j) as an NRRD file, as the SDK writes the slices of a volume."""
    dtype = page.dtype.newbyteorder("<")
    lines = [
        "NRRD0005",
        f"type: {_TYPES[dtype.str[1:]]}",
        "dimension: 2",
        f"sizes: {page.shape[0]} {page.shape[1]}",
        *(["endian: little"] if dtype.itemsize > 1 else []),
        "encoding: gzip",
    ]
    data = deflate.packed([file_order(page, dtype)])
    return b"".join([("\n".join(lines) + "\n\n").encode("ascii"), *data])


def box_bytes(
    grid: Grid, box: tuple[slice, ...], part: npt.NDArray[Any], value: complex = 1
) -> bytes:
    """Return a mask's NRRD file: uint8, 1 where ``part`` has a value within ``box``, 0 elsewhere.

    Only the rows of the box are laid out and packed, so that a small organ in a large volume costs
    what the organ costs.
    """
    across, up, _ = box
    page = np.zeros((up.stop - up.start, grid.shape[0]), dtype=bool)

    def pages() -> Iterator[memoryview]:
        for k in range(part.shape[2]):
            np.equal(part[:, :, k].T, value, out=page[:, across])
            yield memoryview(page.view(np.uint8)).cast("B")

    packed = SparseGzip()
    packed.add_box(grid.shape, box, grid.shape[0], pages())
    return _padded(_header_bytes(grid, np.dtype("u1")), packed.finish())


def _padded(header: bytes, data: bytes) -> bytes:
    missing = SMALLEST_FILE - len(header) - len(data)
    line = b"#" + b" " * 78 + b"\n"
    return header + line * max(0, math.ceil(missing / len(line))) + b"\n" + data


def comments_of(path: Path) -> list[str]:
    """Return the comments in a file's header, a line each, without ``#``; none of a broken file."""
    comments = []
    with path.open("rb") as stream:
        for raw in islice(stream, MOST_LINES):
            line = raw.rstrip(b"\r\n")
            if not line:
                break
            if line.startswith(b"#"):
                comments.append(line[1:].strip().decode("ascii", errors="replace"))
    return comments


MOST_LINES = 1000
"""Lines of a header that are looked at; a mask's padding has about a hundred."""


def read_grid(path: Path) -> Grid:
    """Return the grid (RAS+ mm) of an NRRD file; only its header is read.

    Raises UnreadableFile if it is no NRRD file, says nothing of its orientation, or points to other
    files.
    """
    return grid_from_header(_read_header(path), str(path))


def _read_header(path: Path) -> Mapping[str, Any]:
    """Return the fields of a header; one that points to other files is refused: none is opened."""
    import nrrd

    try:
        refuse_special(path)
        with path.open("rb") as stream:
            return nrrd.read_header(_header_lines(path, stream))  # type: ignore[no-any-return]
    except StopIteration as error:
        raise _broken(path, EOFError("the file is empty")) from error
    except (*_FAULTS, nrrd.NRRDError) as error:
        if isinstance(error, UnreadableFile):
            raise
        raise _broken(path, error) from error


def _header_lines(path: Path, stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file, as many as a header may have, until it points to other files."""
    left = MAX_HEADER_BYTES
    while line := stream.readline(left):
        is_first = left == MAX_HEADER_BYTES
        left -= len(line)
        if not left:
            raise EOFError(f"no end of the header within {MAX_HEADER_BYTES:,} bytes")
        if line.startswith(b"#") and not is_first:
            continue  # a mask's file is filled up with a hundred comments
        field, _, value = line.decode("ascii", "ignore").partition(":")  # as pynrrd reads it
        if "".join(field.split()).casefold() == "datafile":
            raise UnreadableFile(
                "the NRRD header points to other files, and none of them is opened",
                path=path,
                found=f"{field.strip()}: {value.lstrip('=').strip()[:_SHOWN]!r}",
                expected="the voxels in the same file, behind the header",
                remedy="Write it as one file (attached header).",
            )
        yield line


def _broken(path: Path, error: Exception) -> UnreadableFile:
    return UnreadableFile(
        "the NRRD file cannot be read to the end",
        path=path,
        found=f"{type(error).__name__}: {error}",
        expected="a 3D NRRD file",
        remedy="Write or download it again.",
    )


def iter_slices(path: Path) -> Iterator[npt.NDArray[Any]]:
    """Yield an NRRD volume slice by slice, (i, j) each, in the order of k.

    Files with gzip or raw data behind their header are streamed; other encodings are read whole
    by pynrrd. The buffer is used again for each slice.

    Raises UnreadableFile if the file is damaged, or its header points to other files.
    """
    with _named(path):
        yield from _slices(path, _layout_of(_read_header(path)))


Drawn = Iterator[tuple[int, npt.NDArray[Any]]]
"""Index (from 0) and values (i, j) of slices in the order of k; those left out are zeros."""


def read_drawn(path: Path) -> tuple[Grid, Drawn]:
    """Return the grid (RAS+ mm) of an NRRD mask, and its slices that have something drawn in them.

    The zeros of a mask that :func:`box_bytes` made are known by their packed bytes; all else is
    read slice by slice. Raises as :func:`read_grid`, and going through the slices as
    :func:`iter_slices`.
    """
    header = _read_header(path)
    return grid_from_header(header, str(path)), _drawn(path, header)


def _drawn(path: Path, header: Mapping[str, Any]) -> Drawn:
    with _named(path):
        layout = _layout_of(header)
        drawn = None if layout is None else _sparse(path, layout)
        if drawn is None:
            pages = enumerate(_slices(path, layout))
            drawn = ((k, page) for k, page in pages if page.any())
        yield from drawn


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn what a damaged file raises into an error that names it."""
    try:
        yield
    except _FAULTS as error:
        if isinstance(error, UnreadableFile):
            raise
        raise _broken(path, error) from error


class _Layout(NamedTuple):
    """How the data lie behind a header, where they can be streamed."""

    opener: Callable[[IO[bytes]], Any]
    dtype: np.dtype[Any]
    sizes: tuple[int, int, int]


def _layout_of(header: Mapping[str, Any]) -> _Layout | None:
    names = {name: kind for kind, name in _TYPES.items()}
    kind = names.get(str(header["type"]))
    openers: dict[str, Callable[[IO[bytes]], Any]] = {
        "gzip": deflate.open_gzip,
        "gz": deflate.open_gzip,
        "raw": lambda raw: raw,
    }
    opener = openers.get(str(header["encoding"]))
    skips = "line skip" in header or "byte skip" in header
    if kind is None or opener is None or skips or len(header["sizes"]) != len("ijk"):
        return None
    order = ">" if header.get("endian") == "big" else "<"
    return _Layout(opener, np.dtype(order + kind), _sizes(header))


def _slices(path: Path, layout: _Layout | None) -> Iterator[npt.NDArray[Any]]:
    return _whole(path) if layout is None else _streamed(path, *layout)


def _streamed(
    path: Path,
    opener: Callable[[IO[bytes]], Any],
    dtype: np.dtype[Any],
    sizes: tuple[int, int, int],
) -> Iterator[npt.NDArray[Any]]:
    # Before memory is taken: a header may promise what its file cannot hold.
    if math.prod(sizes) * dtype.itemsize > path.stat().st_size * MAX_DEFLATE_RATIO:
        raise EOFError("the data end before the last slice")
    page = np.empty(sizes[0] * sizes[1], dtype=dtype)
    with path.open("rb") as raw:
        _skip_header(raw)
        data = opener(raw)
        for _ in range(sizes[2]):
            fill(data, page, "the data end before the last slice")
            yield page.reshape((sizes[0], sizes[1]), order="F")
        data.read(1)  # at the end of the stream the gzip checksum is compared


def _skip_header(raw: IO[bytes]) -> None:
    while (line := raw.readline()).strip():
        if not line.endswith(b"\n"):
            raise EOFError("the file ends within its header")


MOST_PACKED, MOST_DRAWN = 2**22, 2**24
"""Bytes of a mask's file, and of what is drawn in it, that are in memory at once: those of a large
organ in a CT. What has more is streamed."""


def _sparse(path: Path, layout: _Layout) -> Drawn | None:
    """Return the slices of a mask that has long runs of zeros; None for all other files."""
    if layout.dtype != np.uint8 or layout.opener is not deflate.open_gzip:
        return None
    with path.open("rb") as raw:
        if os.fstat(raw.fileno()).st_size > MOST_PACKED:
            return None
        _skip_header(raw)
        content = raw.read()
    pieces = sparse_pieces(content, math.prod(layout.sizes), MOST_DRAWN)
    return None if pieces is None else _drawn_pages(pieces, *layout.sizes[:2])


def _drawn_pages(pieces: Iterable[bytes | int], columns: int, rows: int) -> Drawn:
    size, at, is_drawn = columns * rows, 0, False
    page = np.zeros(size, np.uint8)
    for piece in pieces:
        if isinstance(piece, int):  # zeros
            if is_drawn and at % size + piece >= size:
                yield at // size, page.reshape((columns, rows), order="F")
                page[:], is_drawn = 0, False
            at += piece
            continue
        values = np.frombuffer(piece, np.uint8)
        while values.size:
            start = at % size
            part, values = np.split(values, [size - start])
            page[start : start + part.size], is_drawn = part, True
            at += part.size
            if at % size == 0:
                yield at // size - 1, page.reshape((columns, rows), order="F")
                page[:], is_drawn = 0, False


def _whole(path: Path) -> Iterator[npt.NDArray[Any]]:
    import nrrd

    try:
        data, _ = nrrd.read(str(path))
    except nrrd.NRRDError as error:
        raise _broken(path, error) from error
    if data.ndim != len("ijk"):
        raise ValueError(f"{data.ndim} dimensions")
    for k in range(data.shape[2]):
        yield data[:, :, k]
