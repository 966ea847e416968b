"""Sources: a folder, an archive or one file, listed without ever writing to it.

Archives are unpacked to a temporary folder of ours, with checks of paths, links and sizes; the
folder goes when nothing refers to the source any more.
"""

from __future__ import annotations

import lzma
import os
import shutil
import stat
import tarfile
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from nifti_kit.errors import BadSource
from nifti_kit.findings import Finding, finding

__all__ = ["Source", "open_source"]

ARCHIVE_ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz")

MIN_UNPACKED_BYTES = 256 * 2**20
"""An archive may always unpack to this much."""

MAX_UNPACK_RATIO = 100
"""Beyond the minimum, an archive may unpack to this many times its size: a bomb's is 1,000."""

MAX_MEMBERS = 200_000
"""More members than any data set has; listing them costs memory before a byte is unpacked."""

_CHUNK = 2**20

_ZIP_MAGIC = b"PK\x03\x04"
"""How a zip begins. Its table is at the end, so a tar whose last file is a zip has one too."""

_UNPACK_FAULTS = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,  # zipfile's word for "encrypted" and for unknown compression methods
    ValueError,
)


@dataclass(eq=False)
class Source:
    """What was given to ``scan``.

    Attributes
    ----------
    given
        The path as given.
    root
        The folder that paths are relative to (a temporary one for an archive).
    files
        Every file below the root, relative, with ``/``, sorted; hidden ones excluded.
    findings
        What was passed over, and why.
    """

    given: Path
    root: Path
    files: tuple[PurePosixPath, ...]
    findings: tuple[Finding, ...] = ()
    is_archive: bool = False
    """True when the files were unpacked from an archive, to a folder that goes with this."""


def open_source(source: str | os.PathLike[str]) -> Source:
    """Return the listing of a folder, an archive (.zip, .tar, .tar.gz, .tgz) or one file.

    Raises
    ------
    BadSource
        If there is no such path, or the archive is damaged or hostile.
    """
    given = Path(source).expanduser()
    if not given.exists():
        raise BadSource(
            "there is no such file or folder",
            path=given,
            remedy=f"Check the path; the current folder is {Path.cwd()}.",
        )
    if given.is_dir():
        return _listed(given, given)
    if given.name.lower().endswith(ARCHIVE_ENDINGS):
        return _unpacked(given)
    return Source(given, given.parent, (PurePosixPath(given.name),))


def _unpacked(given: Path) -> Source:
    folder = Path(tempfile.mkdtemp(prefix="nifti_kit-"))
    try:
        _unpack(given, folder)
        source = _listed(given, folder)
    except _UNPACK_FAULTS as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise _bad_archive(given, error) from error
    source.is_archive = True
    weakref.finalize(source, shutil.rmtree, folder, ignore_errors=True)
    return source


def _listed(given: Path, root: Path) -> Source:
    findings: list[Finding] = []
    files = list(_walk(root, PurePosixPath(), {os.path.realpath(root)}, findings))
    return Source(given, root, tuple(sorted(files, key=_natural)), tuple(findings))


def _natural(path: PurePosixPath) -> tuple[str, str]:
    return (str(path).casefold(), str(path))


def _walk(
    root: Path, folder: PurePosixPath, seen: set[str], findings: list[Finding]
) -> Iterator[PurePosixPath]:
    """Yield the files below ``root / folder``; name hidden entries, broken and looping links."""
    try:
        entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
    except OSError as error:
        findings.append(finding("file-unreadable", folder, f"the folder cannot be listed: {error}"))
        return
    for entry in entries:
        path = folder / entry.name
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            findings.append(finding("file-hidden", path, "hidden, passed over"))
            continue
        kind = _kind(entry)
        if kind == "folder":
            real = os.path.realpath(entry.path)
            if entry.is_symlink() and real in seen:
                findings.append(finding("file-unused", path, "a link back into this tree"))
                continue
            yield from _walk(root, path, seen | {real}, findings)
        elif kind == "file":
            yield path
        else:
            findings.append(finding("file-unreadable", path, kind))


def _kind(entry: os.DirEntry[str]) -> str:
    """Return ``folder``, ``file``, or what else the entry is."""
    try:
        known = "folder" if entry.is_dir() else "file" if entry.is_file() else ""
    except OSError:  # links that point at each other
        known = ""
    return known or ("a broken link" if entry.is_symlink() else "not a regular file")


def _bad_archive(given: Path, error: Exception) -> BadSource:
    if isinstance(error, BadSource):
        return error
    return BadSource(
        "the archive cannot be unpacked",
        path=given,
        found=f"{type(error).__name__}: {error}",
        expected="an undamaged .zip, .tar, .tar.gz or .tgz without a password",
        remedy="Unpack it yourself and scan the folder, or make the archive again.",
    )


def _unpack(archive: Path, folder: Path) -> None:
    with archive.open("rb") as opened:
        start = opened.read(len(_ZIP_MAGIC))
    if start == _ZIP_MAGIC or (zipfile.is_zipfile(archive) and not tarfile.is_tarfile(archive)):
        _unpack_zip(archive, folder)
    else:
        _unpack_tar(archive, folder)


class _Budget:
    """Counts unpacked bytes and refuses beyond what the archive's own size makes plausible."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        size = archive.stat().st_size
        self._left = self._limit = max(MIN_UNPACKED_BYTES, MAX_UNPACK_RATIO * size)

    def members(self, count: int) -> None:
        if count > MAX_MEMBERS:
            raise self._refused(f"over {MAX_MEMBERS} members")

    def spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise self._refused(f"more than {self._limit} bytes of content")

    def _refused(self, found: str) -> BadSource:
        return BadSource(
            "the archive unpacks to far more than its size",
            path=self._archive,
            found=found,
            expected=f"at most {self._limit} bytes",
            remedy="If it is yours, unpack it yourself and scan the folder.",
        )


def _unpack_zip(archive: Path, folder: Path) -> None:
    budget = _Budget(archive)
    with zipfile.ZipFile(archive) as opened:
        infos = opened.infolist()
        budget.members(len(infos))
        for info in infos:
            if stat.S_ISLNK(info.external_attr >> 16):
                raise _hostile(archive, info.filename, "a link")
            if not info.is_dir():
                target = _inside(archive, folder, info.filename)
                with opened.open(info) as stream:
                    _copy(stream, target, budget)


def _unpack_tar(archive: Path, folder: Path) -> None:
    budget = _Budget(archive)
    with tarfile.open(archive, "r:*") as opened:
        for count, member in enumerate(opened, start=1):
            budget.members(count)
            if member.isdir():
                continue
            if not member.isfile():
                raise _hostile(archive, member.name, "a link or a special file")
            stream = opened.extractfile(member)
            assert stream is not None  # a plain file has one
            _copy(stream, _inside(archive, folder, member.name), budget)
        _finish_tar(opened)


def _finish_tar(opened: tarfile.TarFile) -> None:
    """Read a tar to its end, so that a checksum that does not fit is found.

    Behind its last member stands a block of zeros. tarfile stops without a word at anything else
    that is no header: at the end of a file that is cut short, and at a damaged header.
    """
    assert opened.fileobj is not None
    opened.fileobj.seek(opened.offset)
    if opened.fileobj.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
        raise tarfile.ReadError(f"no member and no end of the archive at byte {opened.offset}")
    while opened.fileobj.read(_CHUNK):
        pass


def _inside(archive: Path, folder: Path, name: str) -> Path:
    """Return where a member goes; refuse absolute paths and paths that leave the folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in (path.parts or ("",))[0]:
        raise _hostile(archive, name, "a path that leaves the archive")
    target = folder.joinpath(*path.parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _hostile(archive: Path, member: str, what: str) -> BadSource:
    return BadSource(
        "the archive has a member that must not be unpacked",
        path=archive,
        found=f"{what}: {member!r}",
        expected="plain files with relative paths",
        remedy="Make the archive again from plain files.",
    )


def _copy(stream: IO[bytes] | Any, target: Path, budget: _Budget) -> None:
    with target.open("xb") as out:
        while chunk := stream.read(_CHUNK):
            budget.spend(len(chunk))
            out.write(chunk)
