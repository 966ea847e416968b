"""Sources: a folder, an archive or one file, listed without ever writing to it.

Archives are unpacked to a temporary folder of ours, with checks of paths, links and sizes; the
folder goes when nothing refers to the source any more.
"""

from __future__ import annotations

import lzma
import os
import re
import shutil
import stat
import struct
import tarfile
import tempfile
import unicodedata
import weakref
import zipfile
import zlib
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO, Any

from nifti_kit.core.files import clean_path, special_kind
from nifti_kit.core.findings import Finding, finding
from nifti_kit.errors import BadSource, a_path

ARCHIVE_ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz")

MIN_UNPACKED_BYTES = 256 * 2**20
"""An archive may always unpack to this much."""

MAX_UNPACK_RATIO = 100
"""Beyond the minimum, an archive may unpack to this many times its size: a bomb's is 1,000."""

MAX_MEMBERS = 200_000
"""More members than any data set has; listing them costs memory before a byte is unpacked."""

MAX_ENTRIES = 500_000
"""Files and folders that are listed in a source. Each is held in memory (some 2 KB, with a finding
if it has no use); the largest public sets have about 150,000 (a mask of each of 117 organs)."""

MAX_DEPTH = 100
"""Folders within folders of an archive: more than people make, less than recursion takes."""

MAX_NAME_BYTES = 2**20
"""Longest header extension of a tar member: it holds a name, and is read into memory whole."""

MAX_NAME = 255
"""Bytes of a file's name that file systems take."""

_SHOWN_OF_NAME = 60
"""Letters of an endless name that a message shows."""

_CHUNK = 2**20

_UNPRINTABLE = ("Cc", "Zl", "Zp")
"""Unicode's categories of control characters and of line and paragraph ends."""

_ZIP_MAGIC = b"PK\x03\x04"
"""How a zip begins. Its table is at the end, so a tar whose last file is a zip has one too."""

_UNPACK_FAULTS = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    IndexError,  # zipfile's for a member without a name
    struct.error,
    RuntimeError,  # zipfile's word for "encrypted" and for unknown compression methods
    ValueError,
)


@dataclass(eq=False)
class Source:
    """What was given to ``scan``."""

    given: Path  # the path as given
    root: Path  # the folder that paths are relative to (a temporary one for an archive)
    # Every file below the root, relative, with ``/``, sorted; without hidden ones and those whose
    # name cannot be written down.
    files: tuple[PurePosixPath, ...]
    findings: tuple[Finding, ...] = ()  # what was passed over, and why
    is_archive: bool = False
    """True when the files were unpacked from an archive, to a folder that goes with this."""
    original: Source | None = field(default=None, repr=False)
    """The source as it was listed, where repairs took files out and put others in."""

    def holds(self, path: str | os.PathLike[str]) -> bool:
        """Say whether a path is the folder that was given, or lies in it: none is written to."""
        given, place = self.given.resolve(), Path(path).resolve()
        return given.is_dir() and given in (place, *place.parents)


def open_source(source: str | os.PathLike[str]) -> Source:
    """Return the listing of a folder, an archive (.zip, .tar, .tar.gz, .tgz) or one file.

    Raises BadSource if there is no such path, it is a named pipe, a socket or a device, its name is
    not UTF-8, it holds more than any data set, or the archive is damaged or hostile. Raises
    WrongArgument if it is no path at all.
    """
    a_path(source)
    given = Path(clean_path(os.fspath(source))).expanduser()
    _refuse_address(os.fspath(source), given)
    if not _is_utf8(str(given)):
        raise BadSource(
            "the path is not UTF-8: no report could name it",
            path=_escaped(str(given)),
            remedy="Rename the file or folder.",
        )
    if not given.exists():
        raise BadSource(
            "there is no such file or folder",
            path=given,
            remedy=f"Check the path; the current folder is {Path.cwd()}.",
        )
    kind = special_kind(given)
    if kind:
        raise BadSource(
            "the source is no regular file, and is not opened",
            path=given,
            found=kind,
            expected="a folder, an archive or a NIfTI file",
            remedy="Save the data as a file, and give the path of that.",
        )
    if given.is_dir():
        return _listed(given, given)
    if is_archive(given.name):
        return _unpacked(given)
    fault = _name_fault(given.name)
    if fault:
        return Source(given, given.parent, (), (_unnameable(PurePosixPath(given.name), fault),))
    return Source(given, given.parent, (PurePosixPath(given.name),))


_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
"""The scheme of an address (s3, gs, https, ...), before // or, as Path has it, /. Drives have one
letter."""


def _refuse_address(text: str, given: Path) -> None:
    """Raise BadSource where an address of something elsewhere was given."""
    scheme = _ADDRESS.match(text)
    if scheme is None or given.exists():
        return
    remedy = "Copy or download it first, and give the path of the local folder or archive."
    if scheme[1].casefold() == "file":
        remedy = "Leave 'file://' off: give the path alone."
    raise BadSource(
        "only local files are read, and this is an address",
        path=text,
        found=f"{scheme[1]}://",
        expected="the path of a folder, an archive or a NIfTI file on this machine",
        remedy=remedy,
    )


def is_archive(name: str) -> bool:
    """Say whether a file name is that of an archive that can be scanned."""
    return name.casefold().endswith(ARCHIVE_ENDINGS)


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
    listing = _Listing(root)
    listing.walk()
    findings = sorted(listing.findings, key=lambda found: found.path)
    files = sorted(listing.files, key=lambda file: (str(file).casefold(), str(file)))
    return Source(given, root, tuple(files), tuple(findings))


class _Listing:
    """The files below a root, and what was passed over.

    Folders wait in a list: those of an unpacked archive may be deeper than Python can recurse.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: list[PurePosixPath] = []
        self.findings: list[Finding] = []
        self._linked: set[str] = set()
        self._real = os.path.realpath(root)
        self._store = _annex_store(self._real)
        self._left = MAX_ENTRIES
        self._waiting: list[tuple[PurePosixPath, tuple[str, ...]]] = [
            (PurePosixPath(), (self._real,))
        ]

    def walk(self) -> None:
        while self._waiting:
            folder, above = self._waiting.pop()
            try:
                with os.scandir(self.root / folder) as entries:
                    found = list(islice(entries, self._left + 1))
                    self._left -= len(found)
                    self._refuse_flood()
                    for entry in sorted(found, key=lambda entry: entry.name):
                        self._take(entry, folder / entry.name, above)
            except OSError as error:
                reason = error.strerror or str(error)
                message = f"the folder cannot be listed: {reason}"
                self.findings.append(finding("file-unreadable", folder, message))

    def _refuse_flood(self) -> None:
        if self._left < 0:
            raise BadSource(
                "the source holds more files and folders than any data set",
                path=self.root,
                found=f"more than {MAX_ENTRIES:,}",
                expected=f"at most {MAX_ENTRIES:,} (nifti_kit.datasets.sources.MAX_ENTRIES)",
                remedy="Scan the folder that holds the data; of a larger set one folder at a time.",
            )

    def _take(self, entry: os.DirEntry[str], path: PurePosixPath, above: tuple[str, ...]) -> None:
        """Sort one entry; ``above`` are the real paths of the folders that it lies in."""
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            self._pass_over("file-hidden", path, "hidden, passed over")
            return
        kind, fault = _kind(entry), _name_fault(entry.name)
        if fault:
            self.findings.append(_unnameable(path, fault, is_folder=kind == "folder"))
            return
        if kind not in ("folder", "file"):
            if kind == _BROKEN:
                lies = "/annex/objects/" in os.readlink(entry.path)  # noqa: PTH115 (any bytes)
                self._pass_over("file-unreadable", path, kind, _GET * lies)
            else:
                remedy = "Save its data as a file in its place, or move it out of the source."
                self._pass_over("file-unreadable", path, f"{kind}: it is not opened", remedy)
            return
        real = f"{above[-1]}{os.sep}{entry.name}"
        if entry.is_symlink():
            real = os.path.realpath(entry.path)
            if not self._follows(path, kind, real, above):
                return
        if kind == "folder":
            self._waiting.append((path, (*above, real)))
        else:
            self.files.append(path)

    def _follows(self, path: PurePosixPath, kind: str, real: str, above: tuple[str, ...]) -> bool:
        """Say whether a link is followed to ``real``; one that is not is named."""
        is_folder = kind == "folder"
        if is_folder and real in above:
            self._pass_over("file-unused", path, "a link back into this tree")
        # Folders full of links to each other would have more paths than can be listed.
        elif is_folder and real in self._linked:
            message = f"a second link to {_escaped(real)}, whose files are listed already"
            self._pass_over("file-unused", path, message)
        elif not self._is_inside(real, is_folder=is_folder):
            self._pass_over("link-outside", path, *_outside(path, kind, real))
        else:
            if is_folder:
                self._linked.add(real)
            return True
        return False

    def _is_inside(self, real: str, *, is_folder: bool) -> bool:
        """Say whether a real path is in the source, or is content of its own git-annex."""
        in_store = bool(self._store) and not is_folder and _is_below(real, self._store)
        return in_store or _is_below(real, self._real)

    def _pass_over(self, code: str, path: PurePosixPath, message: str, remedy: str = "") -> None:
        self.findings.append(finding(code, _escaped(str(path)), message, remedy=remedy))


def _outside(path: PurePosixPath, kind: str, real: str) -> tuple[str, str]:
    """Return what is said of a link out of the source, and what to do about it."""
    where = _escaped(real)
    message = f"a link to the {kind} {where}, outside the source; it is not followed"
    remedy = f"Put the {kind} itself in place of the link (a copy of {where})"
    if kind == "folder":
        remedy += f"; or scan it on its own: scan({real!r})"
    waiver = ("link-outside", _escaped(str(path)))
    return message, f"{remedy}. If it is no data: remove the link, or waive=[{waiver}]."


def _annex_store(root: str) -> str:
    """Return where the git repository that a folder lies in keeps what its links lead to.

    git-annex and DataLad keep the content of each file there, by its checksum, and a link at its
    place. Empty where the folder lies in no such repository.
    """
    for folder in (Path(root), *Path(root).parents):
        store = folder / ".git" / "annex" / "objects"
        if store.is_dir():
            return os.path.realpath(store)
    return ""


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


def _is_utf8(text: str) -> bool:
    """Say whether a text can be written as UTF-8: names of other bytes hold lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _name_fault(name: str) -> str:
    """Return why a name cannot be written in a report or a project; empty where it can."""
    if not _is_utf8(name):
        return "its name is not UTF-8"
    if any(unicodedata.category(letter) in _UNPRINTABLE for letter in name):
        return "its name has control characters or line ends"
    return ""


def _escaped(text: str) -> str:
    """Return a text that can be written: other bytes and control characters as escapes."""
    try:
        printable = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        printable = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(
        letter.encode("unicode_escape").decode("ascii")
        if unicodedata.category(letter) in _UNPRINTABLE
        else letter
        for letter in printable
    )


def _unnameable(path: PurePosixPath, fault: str, *, is_folder: bool = False) -> Finding:
    what = "; nothing in this folder is taken" if is_folder else ""
    return finding("file-name", _escaped(str(path)), f"{fault}{what}")


_BROKEN = "a broken link"

_GET = "git-annex has no content of it here: datalad get, or git annex get, brings it."


def _kind(entry: os.DirEntry[str]) -> str:
    """Return ``folder``, ``file``, or what else the entry is."""
    try:
        known = "folder" if entry.is_dir() else "file" if entry.is_file() else ""
        return known or special_kind(entry.path)
    except OSError:  # links that lead nowhere, or point at each other
        return _BROKEN if entry.is_symlink() else "no regular file"


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

    def __init__(self, archive: Path, folder: Path) -> None:
        self.archive = archive
        size = archive.stat().st_size
        self._left = self._limit = max(MIN_UNPACKED_BYTES, MAX_UNPACK_RATIO * size)
        self._folders = {folder}

    def members(self, count: int) -> None:
        if count > MAX_MEMBERS:
            raise self._refused(f"over {MAX_MEMBERS} members")

    def folder(self, folder: Path) -> None:
        """Count a folder and those above it: each member may have a hundred of its own."""
        while folder not in self._folders:
            self._folders.add(folder)
            folder = folder.parent
        if len(self._folders) > MAX_MEMBERS:
            raise self._refused(f"over {MAX_MEMBERS} folders")

    def promised(self, size: int) -> None:
        """Refuse a member by the size that it claims, before a byte of it is unpacked."""
        if size > self._left:
            raise self._refused(f"more than {self._limit} bytes of content")

    def spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise self._refused(f"more than {self._limit} bytes of content")

    def _refused(self, found: str) -> BadSource:
        return BadSource(
            "the archive unpacks to far more than its size",
            path=self.archive,
            found=found,
            expected=f"at most {self._limit} bytes",
            remedy="If it is yours, unpack it yourself and scan the folder.",
        )


def _unpack_zip(archive: Path, folder: Path) -> None:
    budget = _Budget(archive, folder)
    with zipfile.ZipFile(archive) as opened:
        infos = opened.infolist()
        budget.members(len(infos))
        for info in infos:
            if stat.S_ISLNK(info.external_attr >> 16):
                raise _hostile(archive, info.filename, "a link")
            if not info.is_dir():
                target = _inside(archive, folder, info.filename)
                budget.promised(info.file_size)
                with opened.open(info) as stream:
                    _copy(stream, target, budget, info.filename)


def _unpack_tar(archive: Path, folder: Path) -> None:
    budget = _Budget(archive, folder)
    with tarfile.open(archive, "r:*", tarinfo=_Member) as opened:
        for count, member in enumerate(opened, start=1):
            budget.members(count)
            if member.isdir():
                continue
            if not member.isfile():
                raise _hostile(archive, member.name, "a link or a special file")
            budget.promised(member.size)
            stream = opened.extractfile(member)
            assert stream is not None  # a plain file has one
            _copy(stream, _inside(archive, folder, member.name), budget, member.name)
        _finish_tar(opened, _Budget(archive, folder))


class _Member(tarfile.TarInfo):
    """A member whose header extensions are of a size that names can have.

    tarfile reads an extension (a long name, attributes) into memory before its member is seen; a
    packed one of zeros would take a thousand times the size of the archive.
    """

    _EXTENSIONS = (
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
    )

    def _proc_member(self, opened: tarfile.TarFile) -> Any:
        if self.type in self._EXTENSIONS and self.size > MAX_NAME_BYTES:
            raise ValueError(f"a header extension of {self.size} bytes")
        return super()._proc_member(opened)  # type: ignore[misc]


def _finish_tar(opened: tarfile.TarFile, budget: _Budget) -> None:
    """Read a tar to its end, so that a checksum that does not fit is found.

    Behind its last member stands a block of zeros. tarfile stops without a word at anything else
    that is no header: at the end of a file that is cut short, and at a damaged header.
    """
    assert opened.fileobj is not None
    opened.fileobj.seek(opened.offset)
    if opened.fileobj.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
        raise tarfile.ReadError(f"no member and no end of the archive at byte {opened.offset}")
    while rest := opened.fileobj.read(_CHUNK):
        budget.spend(len(rest))


def _inside(archive: Path, folder: Path, name: str) -> Path:
    """Return where a member goes; refuse absolute paths and paths that leave the folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    longest = max((len(part.encode("utf-8", "surrogateescape")) for part in path.parts), default=0)
    if longest > MAX_NAME:
        raise ValueError(
            f"a name of {longest} bytes, {MAX_NAME} at most: {name[:_SHOWN_OF_NAME]}..."
        )
    if path.is_absolute() or ".." in path.parts or ":" in (path.parts or ("",))[0]:
        raise _hostile(archive, name, "a path that leaves the archive")
    if len(path.parts) > MAX_DEPTH:
        found = f"a path of {len(path.parts)} folders"
        raise _hostile(archive, f"{name[:_SHOWN_OF_NAME]}...", found)
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


def _copy(stream: IO[bytes] | Any, target: Path, budget: _Budget, name: str) -> None:
    budget.folder(target.parent)
    try:
        out = target.open("xb")
    except FileExistsError as error:
        if target.is_dir():
            raise
        raise BadSource(
            "the archive has a member twice: which one is meant?",
            path=budget.archive,
            found=repr(name),
            expected="each file once",
            remedy="Make the archive again with one of them, or unpack it and scan the folder.",
        ) from error
    with out:
        while chunk := stream.read(_CHUNK):
            budget.spend(len(chunk))
            out.write(chunk)
