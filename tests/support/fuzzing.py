"""Cases for the fuzz tests: small sound sets of files, and steps that damage them.

A case is a seed and some steps, all plain tuples, so that a failing one can be read and typed in
again. Files are kept as ``{path: content}``, both bytes: a name need not be UTF-8.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import math
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from nibabel.nifti1 import header_dtype as nifti1
from nibabel.nifti2 import header_dtype as nifti2

from tests.support import handmade
from tests.support.builders import AFFINE

SHAPE = (3, 4, 5)
GZIP = b"\x1f\x8b"
TYPES = tuple(handmade.DATATYPES)
NIFTI_ENDINGS = (b".nii", b".nii.gz")
TEXT_ENDINGS = (b".csv", b".txt", b".json")


@dataclass(frozen=True)
class Link:
    """A symbolic link to this path, relative to its own folder."""

    target: bytes


Files = dict[bytes, Any]
"""Relative path to content, or to a :class:`Link`."""

Step = tuple[Any, ...]


# Sound files


@cache
def nifti(what: str, dtype: str, order: str, version: int, packed: bool, turned: bool) -> bytes:
    """Return a sound file: a ramp (``volume``) or two labels, of any type and byte order."""
    array = np.zeros(SHAPE)
    if what == "volume":
        array = np.arange(array.size).reshape(SHAPE) % 100
    else:
        array[0, 1:3, 2], array[1, 1, 2:5] = 1, 2
    affine = AFFINE[[1, 0, 2, 3]] @ np.diag([-1, 1, 1, 1]) if turned else AFFINE
    rows = {f"srow_{name}": row for name, row in zip("xyz", affine, strict=False)}
    header = handmade.header_bytes(
        SHAPE,
        version=version,
        order=order,
        datatype=handmade.DATATYPES[dtype],
        sform_code=2,
        **rows,
    )
    content = header + array.astype(f"{order}{dtype}").tobytes(order="F")
    return gzip.compress(content, mtime=0) if packed else content


CLASS_MAP = b"1 Femoral cartilage 255 0 0\n2 Tibia 0 255 0\n3 No color\n"
SCORES = b"Layer, Label-1, Label-2\n3, 0.80, 0.9\n4, , 0.5\n"

SEEDS = ("by_plane", "instance", "by_volume", "annotations", "one", "two_sets")

Seed = tuple[str, str, str, str, int, bool, bool]
"""Name, type of volumes, type of masks, byte order, NIfTI version, gzip, turned axes."""

seeds: st.SearchStrategy[Seed] = st.tuples(
    st.sampled_from(SEEDS),
    st.sampled_from(TYPES),
    st.sampled_from(TYPES),
    st.sampled_from("<>"),
    st.sampled_from([1, 2]),
    st.booleans(),
    st.booleans(),
)


def files_of(seed: Seed) -> Files:
    """Return the sound files of a seed."""
    name, volume_type, mask_type, *rest = seed
    volume, mask = nifti("volume", volume_type, *rest), nifti("mask", mask_type, *rest)
    end = ".nii.gz" if seed[5] else ".nii"
    return {path.encode(): content for path, content in _SETS[name](volume, mask, end).items()}


def _by_plane(volume: bytes, mask: bytes, end: str, folder: str = "") -> dict[str, bytes]:
    files = {f"{folder}{plane}_anatomic{end}": volume for plane in ("axl", "cor", "sag")}
    files |= {f"{folder}{plane}_inference{end}": mask for plane in ("axl", "cor", "sag")}
    return files | {f"{folder}axl_score.csv": SCORES, f"{folder}cls_color_map.txt": CLASS_MAP}


def _instance(volume: bytes, mask: bytes, end: str) -> dict[str, bytes]:
    files = _by_plane(volume, mask, end)
    return files | {f"axl_inference_2{end}": mask, "axl_score_2.csv": SCORES}


def _by_volume(volume: bytes, mask: bytes, end: str) -> dict[str, bytes]:
    names = (f"{case}/{organ}{end}" for case in ("ct1", "ct2") for organ in ("liver", "lung"))
    masks = dict.fromkeys(names, mask)
    classes = {"class_map.txt": b"1 liver 255 0 0\n2 lung\n"}
    return {f"ct1{end}": volume, f"ct2{end}": volume} | masks | classes


def _annotations(_: bytes, mask: bytes, end: str) -> dict[str, bytes]:
    names = [f"axl_inference{end}", f"case2/cor_inference{end}", f"case2/sag_mask{end}"]
    mapping = json.dumps({name: 101 + at for at, name in enumerate(names)}).encode()
    texts = {"mapping.json": mapping, "axl_score.csv": SCORES, "color_map.txt": CLASS_MAP}
    return dict.fromkeys(names, mask) | texts


_SETS: dict[str, Callable[[bytes, bytes, str], dict[str, bytes]]] = {
    "by_plane": _by_plane,
    "instance": _instance,
    "by_volume": _by_volume,
    "annotations": _annotations,
    "one": lambda volume, _, end: {f"brain{end}": volume},
    "two_sets": lambda *kind: _by_plane(*kind, "a/") | _by_plane(*kind, "b/"),
}


# Steps: each takes the files and its arguments; positions are taken modulo what there is.


def changed(files: Files, steps: list[Step]) -> Files:
    """Return the files after some steps; a step without anything to act on does nothing."""
    files = dict(files)
    for name, *arguments in steps:
        if files:
            _STEPS[name](files, *arguments)
    return files


def _pick(files: Files, at: int, endings: tuple[bytes, ...] = ()) -> bytes | None:
    """Return the path of a plain file, of these endings where some are given."""
    paths = [p for p in files if p.endswith(endings or b"") and isinstance(files[p], bytes)]
    return paths[at % len(paths)] if paths else None


def _unpacked(content: bytes) -> bytes | None:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        return None


def _edit(files: Files, at: int, inner: bool, edit: Callable[[bytes], bytes]) -> None:
    """Change the bytes of a file; of a gzip file with ``inner`` those that it holds."""
    path = _pick(files, at)
    if path is None:
        return
    content = files[path]
    held = _unpacked(content) if inner and content[:2] == GZIP else None
    files[path] = edit(content) if held is None else gzip.compress(edit(held), mtime=0)


def _put(files: Files, at: int, inner: bool, place: int, what: bytes) -> None:
    def edit(content: bytes) -> bytes:
        start = place % (len(content) + 1)
        return content[:start] + what + content[start + len(what) :]

    _edit(files, at, inner, edit)


def _insert(files: Files, at: int, inner: bool, place: int, what: bytes) -> None:
    def edit(content: bytes) -> bytes:
        start = place % (len(content) + 1)
        return content[:start] + what + content[start:]

    _edit(files, at, inner, edit)


def _delete(files: Files, at: int, inner: bool, place: int, count: int) -> None:
    def edit(content: bytes) -> bytes:
        start = place % (len(content) + 1)
        return content[:start] + content[start + count :]

    _edit(files, at, inner, edit)


def _cut(files: Files, at: int, inner: bool, place: int) -> None:
    _edit(files, at, inner, lambda content: content[: place % (len(content) + 1)])


def _field(files: Files, at: int, name: str, index: int, value: float) -> None:
    """Set a header field by its name, to the nearest value that it can hold."""
    path = _pick(files, at, NIFTI_ENDINGS)
    if path is None:
        return
    content, is_packed = files[path], files[path][:2] == GZIP
    held = _unpacked(content) if is_packed else content
    layout = None if held is None else header_layout(held)
    if held is None or layout is None or name not in (layout.names or ()):
        return
    header = np.frombuffer(bytearray(held[: layout.itemsize]), dtype=layout)
    cells = header[name].reshape(-1)
    if cells.dtype.kind == "S":
        return
    with np.errstate(over="ignore"):
        cells[index % len(cells)] = _nearest(value, cells.dtype)
    held = header.tobytes() + held[layout.itemsize :]
    files[path] = gzip.compress(held, mtime=0) if is_packed else held


def header_layout(content: bytes) -> np.dtype[Any] | None:
    """Return the layout of a file's header, by its first number; None where it is no NIfTI."""
    for order in "<>":
        for layout in (nifti1, nifti2):
            if content[:4] == struct.pack(f"{order}i", layout.itemsize):
                return layout.newbyteorder(order) if len(content) >= layout.itemsize else None
    return None


def _nearest(value: float, dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "f":
        return value
    limits = np.iinfo(dtype)
    if math.isnan(value):
        return 0
    return max(limits.min, min(limits.max, int(max(-(2.0**70), min(2.0**70, value)))))


def _repack(files: Files, at: int, how: str) -> None:
    path = _pick(files, at)
    if path is not None:
        content = files[path]
        files[path] = PACKINGS[how](_unpacked(content) or content)


def _flagged(content: bytes) -> bytes:
    """Return a gzip file whose header has an extra field, a name, a comment and a checksum."""
    head = b"\x1f\x8b\x08\x1e" + bytes(4) + b"\0\xff" + b"\x02\0ab" + b"name\0" + b"said\0"
    head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    return head + gzip.compress(content, mtime=0)[10:]


def _zipped(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.nii", content)
    return stream.getvalue()


def _members(content: bytes) -> bytes:
    half = len(content) // 2
    return gzip.compress(content[:half], mtime=0) + gzip.compress(content[half:], mtime=0)


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda content: content,
    "gzip": lambda content: gzip.compress(content, mtime=0),
    "stored": lambda content: gzip.compress(content, 0, mtime=0),
    "twice": lambda content: gzip.compress(gzip.compress(content, mtime=0), mtime=0),
    "members": _members,
    "same again": lambda content: 2 * gzip.compress(content, mtime=0),
    "empty member": lambda content: gzip.compress(b"") + gzip.compress(content, mtime=0),
    "zeros behind": lambda content: gzip.compress(content, mtime=0) + bytes(700),
    "rubbish behind": lambda content: gzip.compress(content, mtime=0) + b"rubbish" * 99,
    "magic behind": lambda content: gzip.compress(content, mtime=0) + GZIP,
    "wrong checksum": lambda content: gzip.compress(content, mtime=0)[:-8] + b"abcd" + bytes(4),
    "wrong size": lambda content: gzip.compress(content, mtime=0)[:-4] + b"\xff\xff\xff\x7f",
    "no trailer": lambda content: gzip.compress(content, mtime=0)[:-8],
    "flagged": _flagged,
    "bzip2": bz2.compress,
    "zlib": zlib.compress,
    "zip": _zipped,
    "nothing": lambda _: b"",
    "zeros": lambda content: bytes(len(content)),
    "header": lambda content: content[:348],
    "longer": lambda content: content + bytes(5000),
}


def _rename(files: Files, at: int, name: bytes) -> None:
    path = list(files)[at % len(files)]
    _store(files, (*path.split(b"/")[:-1], name), files.pop(path))


def _extend(files: Files, at: int, name: bytes) -> None:
    """Put a text before the name of a file, which stays what it is."""
    path = list(files)[at % len(files)]
    *folders, last = path.split(b"/")
    _store(files, (*folders, name[: 255 - len(last)] + last), files.pop(path))


def _folder(files: Files, at: int, name: bytes) -> None:
    path = list(files)[at % len(files)]
    _store(files, (name, *path.split(b"/")), files.pop(path))


def _copy(files: Files, at: int, name: bytes) -> None:
    path = list(files)[at % len(files)]
    _store(files, (*path.split(b"/")[:-1], name), files[path])


def _store(files: Files, parts: tuple[bytes, ...], content: Any) -> None:
    """Add a file, unless its place is taken by a file or a folder."""
    path = b"/".join(parts)
    above = {b"/".join(parts[:count]) for count in range(1, len(parts))}
    is_folder = any(other.startswith(path + b"/") for other in files)
    if path not in files and not is_folder and not above & set(files):
        files[path] = content


def _swap(files: Files, at: int, other: int) -> None:
    first, second = list(files)[at % len(files)], list(files)[other % len(files)]
    files[first], files[second] = files[second], files[first]


def _append(files: Files, at: int, other: int) -> None:
    first, second = _pick(files, at), _pick(files, other)
    if first is not None and second is not None:
        files[first] += files[second]


def _text(files: Files, at: int, content: bytes) -> None:
    path = _pick(files, at, TEXT_ENDINGS)
    if path is not None:
        files[path] = content


def _drop(files: Files, at: int) -> None:
    del files[list(files)[at % len(files)]]


def _link(files: Files, at: int, target: bytes) -> None:
    files[list(files)[at % len(files)]] = Link(target)


_STEPS: dict[str, Callable[..., None]] = {
    "put": _put,
    "insert": _insert,
    "delete": _delete,
    "cut": _cut,
    "field": _field,
    "repack": _repack,
    "rename": _rename,
    "extend": _extend,
    "folder": _folder,
    "copy": _copy,
    "swap": _swap,
    "append": _append,
    "text": _text,
    "drop": _drop,
    "link": _link,
}


# What hypothesis chooses

positions = st.integers(0, 15)
places = st.one_of(st.integers(0, 20), st.integers(0, 360), st.integers(0, 5000))
FIELDS = sorted({*(nifti1.names or ()), *(nifti2.names or ())} - {"magic", "eol_check"})
numbers = st.one_of(
    st.sampled_from([0, -1, 1, 2, 3, 4, 7, 8, 1e-3, 0.5, -0.5, 1 + 1e-6, 300, 352, 354.5, 512]),
    st.sampled_from([32767, 32768, 65535, 2**31 - 1, 2**31, 2**62, 2**63 - 1, -(2**63), 1e18]),
    st.sampled_from([float("nan"), float("inf"), float("-inf"), 1e-45, 3.4e38, -3.4e38, 1e-30]),
    st.sampled_from([1e10, 1e20, 1e154, 1e300, -1e300, 5e-324]),
    st.sampled_from([16, 32, 64, 128, 256, 512, 768, 1024, 1280, 1536, 2048, 2304]),
    st.floats(-10, 10, width=32),
)

NASTY_NAMES = (
    b"<img src=x onerror=alert(1)>", b"<script>alert(1)<", b"a\nb", b"a\rb", b"a\tb", b"\x1b[31m",
    b"\x00"[:0] + b"\x7f", b"\xff\xfe", b"caf\xe9", "café".encode(), "cafe\u0301".encode(),
    "\u202etxt".encode(), "\u2028".encode(), "\u200b".encode(), "\ufeff".encode(), b"\xed\xa0\x80",
    "\U0001f9e0".encode(), b"'", b'"', b"`", b"&amp;", b"$HOME", b"%s%n{0}", b"{}", b"a b", b" ",
    b"-rf", b"~", b"*", b"?", b"[a]", b"\\", b"C:", b"..x", b".hidden", b"__MACOSX", b"CON",
    b"._axl_anatomic", b"axl", b"axl_anatomic", b"axl_anatomic_mask", b"cor_inference_7", b"sag_",
    b"axl_cor_inference", b"axl_inference_99999999999999999999999", b"axl_score_1", b"1", b"00",
    "axl_inference_\u0662".encode(), "axl_inference_\u00b2".encode(), b"AXL_ANATOMIC",
    "axl_\u0130nference".encode(), b"ct1", b"color_map", b"mapping", b"=1+1", b"a" * 255,
    "\u00df".encode() * 120, b"9" * 250, b"_" * 250, b"ann" * 80,
)  # fmt: skip
ENDINGS = (
    b".nii", b".nii.gz", b".NII.GZ", b".Nii", b".gz", b".hdr", b".img", b".csv", b".CSV", b".txt",
    b".json", b".zip", b".nrrd", b".dcm", b".nii.nii", b".nii.gz.gz", b".nii.csv", b"", b".",
)  # fmt: skip


def _file_name(start: bytes, end: bytes) -> bytes:
    name = (start[: 255 - len(end)] + end).replace(b"/", b"").replace(b"\0", b"")
    return name if name not in (b"", b".", b"..") else b"x"


starts = st.one_of(
    st.sampled_from(NASTY_NAMES),
    st.sampled_from(NASTY_NAMES),
    st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.binary(max_size=12),
)
names = st.builds(_file_name, starts, st.sampled_from(ENDINGS))
bare_names = st.builds(_file_name, starts, st.just(b""))
some_bytes = st.binary(min_size=1, max_size=8)

byte_steps: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("put"), positions, st.booleans(), places, some_bytes),
    st.tuples(st.just("put"), positions, st.just(True), st.integers(0, 360), some_bytes),
    st.tuples(st.just("insert"), positions, st.booleans(), places, some_bytes),
    st.tuples(st.just("delete"), positions, st.booleans(), places, st.integers(1, 400)),
    st.tuples(st.just("cut"), positions, st.booleans(), places),
    st.tuples(st.just("append"), positions, positions),
)
field_steps: st.SearchStrategy[Step] = st.tuples(
    st.just("field"), positions, st.sampled_from(FIELDS), positions, numbers
)
GEOMETRY = (
    "dim", "pixdim", "datatype", "bitpix", "vox_offset", "scl_slope", "scl_inter", "xyzt_units",
    "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y",
    "srow_x", "srow_y", "srow_z",
)  # fmt: skip
geometry_steps: st.SearchStrategy[Step] = st.tuples(
    st.just("field"), positions, st.sampled_from(GEOMETRY), positions, numbers
)
gzip_steps: st.SearchStrategy[Step] = st.tuples(
    st.just("repack"), positions, st.sampled_from(sorted(PACKINGS))
)
name_steps: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("rename"), positions, names),
    st.tuples(st.just("extend"), positions, bare_names),
    st.tuples(st.just("folder"), positions, bare_names),
    st.tuples(st.just("copy"), positions, names),
)
set_steps: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("swap"), positions, positions),
    st.tuples(st.just("drop"), positions),
    st.tuples(st.just("link"), positions, st.sampled_from([b".", b"..", b"none", b"/dev/null"])),
    st.tuples(st.just("link"), positions, st.sampled_from([b"axl_anatomic.nii", b"ct1", b"../in"])),
    name_steps,
)

# Texts

cells = st.one_of(
    st.sampled_from(
        ["Layer", "Label-1", "Label-2", "Label-0", "Label-65536", "Comment-1", "label 1"]
    ),
    st.sampled_from(
        ["Label-1", "Label-01", "Label--1", "Label-", "Label-1.0", "Label-\u0661", "Slice"]
    ),
    st.sampled_from(["", " ", "0", "1", "3", "4", "-1", "0.8", "1.5", "-0.2", "0,8", "3.0", "1e0"]),
    st.sampled_from(
        ["NaN", "inf", "-inf", "1e400", "1e-400", "1_0", "\u0663", "\u00b2", "0x10", "+1"]
    ),
    st.sampled_from(["9" * 30, "9" * 5000, "0." + "1" * 5000, "1e99999999999", '"', '"a', "a\nb"]),
    st.sampled_from(["<img src=x onerror=alert(1)>", "=1+1", "\0", "\ufeff", "sep=;", "#", "'"]),
    st.integers(-2, 8).map(str),
    st.text(max_size=6),
)
lines = st.builds(
    lambda start, found, mark: mark.join([*start, *found]),
    st.sampled_from([(), (), ("1",), ("3",), ("Layer",), ("Layer", "Label-1", "Label-2")]),
    st.lists(cells, max_size=4),
    st.sampled_from([",", ", ", ";", "\t", " "]),
)
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252", "utf-32")


def _encoded(text: str, encoding: str) -> bytes:
    # What an encoding cannot write becomes other letters; surrogates become bytes that are none.
    known = encoding.startswith("utf")
    return text.encode(encoding, "surrogatepass" if known else "replace")


def _joined(found: list[str], end: str, encoding: str, head: str) -> bytes:
    return _encoded(end.join([*([head] if head else []), *found]), encoding)


line_ends = st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\u2028"])
encodings = st.sampled_from([*ENCODINGS, *["utf-8"] * 7])
tables = st.builds(
    _joined,
    st.lists(lines, max_size=6),
    line_ends,
    encodings,
    st.sampled_from(["", "Layer,Label-1,Label-2", "Layer; Label-1", "Layer, Label-2, Comment-2"]),
)
class_lines = st.builds(
    " ".join,
    st.lists(
        st.one_of(
            cells,
            st.sampled_from(
                ["1", "2", "liver", "255", "256", "0", "#", "//", "ff0000", "rgb(1,2,3)"]
            ),
        ),
        max_size=6,
    ),
)
class_maps = st.builds(
    _joined,
    st.lists(class_lines, max_size=6),
    line_ends,
    encodings,
    st.sampled_from(["", "1 Femur 255 0 0", "# classes"]),
)
KEYS = ("axl_inference.nii.gz", "axl_inference.nii", "case2/cor_inference.nii", "../x", "", "\0")
ids = st.one_of(
    st.sampled_from([101, 0, -1, 2**70, 1.5, "7", True, None, float("nan"), [], {}, 10**400]),
    st.integers(),
)
values = st.recursive(
    ids,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
NASTY_JSON = (
    b"", b"null", b"{", b"[]", b"{}", b"[" * 100_000, b'{"a":' * 50_000, b'{"a": NaN}', b"1e999",
    b'{"axl_inference.nii": 1, "axl_inference.nii": 2}', b"9" * 5000,
    b'{"a": ' + b"9" * 5000 + b"}",
    b'{"a": 1}x', b"\xef\xbb\xbf{}", b'{"\\ud800": 1}', b"'", b'{"a": -Infinity}',
)  # fmt: skip
mappings = st.one_of(
    st.sampled_from(NASTY_JSON),
    st.builds(
        lambda keyed, encoding: _encoded(json.dumps(keyed, ensure_ascii=False), encoding),
        st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), ids, max_size=4) | values,
        encodings,
    ),
)
text_steps: st.SearchStrategy[Step] = st.tuples(
    st.just("text"), positions, st.one_of(tables, class_maps, mappings)
)


# Archives


def archive_of(files: Files, kind: str) -> bytes:
    """Return an archive of the files; links are left out."""
    stream = io.BytesIO()
    plain = {os.fsdecode(path): found for path, found in files.items() if isinstance(found, bytes)}
    if kind == ".zip":
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, content in plain.items():
                name = path.encode("utf-8", "replace").decode()
                archive.writestr(zipfile.ZipInfo(name), content)
        return stream.getvalue()
    with tarfile.open(fileobj=stream, mode="w" if kind == ".tar" else "w:gz") as opened:
        for path, content in plain.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def write(folder: Path, files: Files) -> None:
    """Write the files below a folder.

    Raises
    ------
    OSError
        If the file system takes no such name.
    """
    folder.mkdir()
    for path, content in files.items():
        target = folder / os.fsdecode(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            target.symlink_to(os.fsdecode(content.target))
        else:
            target.write_bytes(content)


def label_counts(content: bytes) -> dict[int, int]:
    """Return each label value of a sound mask and its voxels, by the letter of the standard."""
    held = gzip.decompress(content) if content[:2] == GZIP else content
    layout = header_layout(held)
    assert layout is not None
    header = np.frombuffer(held, layout, 1)[0]
    kinds = {code: name for name, code in handmade.DATATYPES.items()}
    dtype = np.dtype(kinds[int(header["datatype"])]).newbyteorder(layout["dim"].base.byteorder)
    rank = int(header["dim"][0])
    count = int(np.prod([int(size) for size in header["dim"][1 : rank + 1]]))
    offset = int(header["vox_offset"]) or layout.itemsize + 4
    voxels = np.frombuffer(held, dtype, count, offset).astype(np.float64)
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope and np.isfinite(slope) and np.isfinite(intercept):
        voxels = voxels * slope + intercept
    values, counts = np.unique(np.rint(voxels).astype(np.int64), return_counts=True)
    return {v: n for v, n in zip(values.tolist(), counts.tolist(), strict=True) if v}
