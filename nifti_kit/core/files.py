"""Files written so that a crash never leaves half of one: beside their place, then renamed.

And what is no regular file: a pipe is named, and never opened.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import shutil
import stat
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from platformdirs import user_state_path

from nifti_kit.errors import NiftiKitError, TargetError, UnreadableFile, visible

SPECIAL_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
"""What is no data: reading a pipe waits until somebody writes into it, a device may never end."""


def special_kind(path: str | os.PathLike[str]) -> str:
    """Return what a path is in place of a file or folder, links followed; ``""`` where it is one.

    It is not opened.

    Raises OSError if there is no such path.
    """
    mode = Path(path).stat().st_mode
    regular = stat.S_ISREG(mode) or stat.S_ISDIR(mode)
    return "" if regular else SPECIAL_KINDS.get(stat.S_IFMT(mode), "no regular file")


def refuse_special(path: str | os.PathLike[str]) -> None:
    """Refuse to read a named pipe, a socket or a device; call it before a path is opened.

    Raises UnreadableFile if it is one. Raises OSError if there is no such path.
    """
    kind = special_kind(path)
    if kind:
        raise UnreadableFile(
            "it is no regular file, and is not opened",
            path=path,
            found=kind,
            expected="a regular file",
            remedy="Save the data as a file, and give the path of that.",
        )


LONGEST_NAME = 255
"""Bytes of a name that file systems take."""

Whole = Callable[[Path], Any]
"""Is told of a file that is written to its end, and closed, before it takes its place."""


@contextmanager
def write_beside(
    path: Path, whole: Whole | None = None, *, private: bool = False
) -> Iterator[IO[bytes]]:
    """Give a file to write; at the end it takes its place, on an error it goes.

    The file beside begins with a dot and ends in ``.part``, so that no reader of the folder takes
    it for data. ``whole`` is called with it before it takes its place. What is ``private`` is its
    owner's alone, and so are the folders that are made.
    """
    if private:
        _made(path.parent)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(_part_name(path.name))
    try:
        if private:
            beside.unlink(missing_ok=True)
            beside.touch(_OWNERS_FILE)
        with beside.open("wb") as out:
            yield out
        if whole is not None:
            whole(beside)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _part_name(name: str) -> str:
    """Return the name of a file while it is written; a short one where it would be too long."""
    ending = f".{os.getpid()}.part"
    whole = f".{name}{ending}"
    return whole if name_size(whole) <= LONGEST_NAME else f".{digest(name)}{ending}"


def digest(text: str) -> str:
    """Return 16 hex digits, which no other text has."""
    return hashlib.sha256(_encoded(text)).hexdigest()[:16]


MOST_OF_A_NAME = 250
"""Bytes of a volume's name in a project: that of its annotation ends in ``.json`` besides."""


def name_size(name: str) -> int:
    """Return how many bytes a name has on disk."""
    return len(_encoded(name))


def _encoded(name: str) -> bytes:
    """Return a name's bytes; also of one that is none, half a pair of UTF-16."""
    try:
        return os.fsencode(name)
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogatepass")


def write_bytes(
    path: Path, content: bytes, whole: Whole | None = None, *, private: bool = False
) -> None:
    """Write a file whole."""
    with write_beside(path, whole, private=private) as out:
        out.write(content)


def json_bytes(content: Any) -> bytes:
    """Return JSON, UTF-8, indented as the SDK does it."""
    # Half a pair of UTF-16 is no letter: it stays the escape that it was.
    text = json.dumps(content, ensure_ascii=False, indent=4)
    return text.encode("utf-8", "backslashreplace")


def write_json(path: Path, content: Any, *, private: bool = False) -> None:
    """Write a JSON file, UTF-8, indented as the SDK does it."""
    write_bytes(path, json_bytes(content), private=private)


# Names that others gave, made into paths


def path_part(name: str) -> str:
    """Return a name if it can be that of one file or folder, whoever gave it.

    Raises TargetError if it would lead elsewhere (``..``, ``a/b``), or no file system takes it.
    """
    if not name.strip(" .") or any(one in name for one in NOT_IN_A_NAME):
        raise _no_name(name, "a name without '/' that is not '..'")
    if name_size(name) > LONGEST_NAME:
        raise _no_name(name, f"at most {LONGEST_NAME} bytes")
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        raise _no_name(name, "letters that can be written") from None
    return name


def not_in_a_name(system: str) -> str:
    """Return what parts a path, or a drive from it, on a system such as ``os.name``."""
    return "\0/\\:" if system == "nt" else "\0/"


NOT_IN_A_NAME = not_in_a_name(os.name)
"""What no name has that becomes a part of a path."""


def _no_name(name: str, expected: str) -> TargetError:
    shown = visible(name if len(name) <= _MOST_OF_A_NAME else f"{name[:_MOST_OF_A_NAME]}...")
    return TargetError(
        "a name cannot become that of a file or folder",
        found=f"'{shown}' ({name_size(name)} bytes)",
        expected=expected,
        remedy="Choose another name where it was given.",
    )


_MOST_OF_A_NAME = 80
"""Letters of a name that an error shows."""


def inside(folder: Path, *names: str) -> Path:
    """Return the path that names lead to within a folder, each of them one part of it.

    Raises TargetError if a name is none of a file, or a link on the way leads out of the folder.
    """
    path = folder.joinpath(*map(path_part, names))
    real, end = os.path.realpath(folder), os.path.realpath(path)
    if end != real and not Path(end).is_relative_to(real):
        raise TargetError(
            "a link leads out of the folder",
            path=path,
            found=visible(end),
            expected=f"something within {visible(real)}",
            remedy="Put the file or folder itself there.",
        )
    return path


def short_name(name: str, ending: str = "") -> str:
    """Return the name with its ending; where that is too long, a shorter one of its own.

    The same name becomes the same each time.
    """
    whole = f"{name}{ending}"
    if name_size(whole) <= LONGEST_NAME:
        return whole
    behind = f"~{digest(name)}{ending}"
    kept = _encoded(name)[: LONGEST_NAME - name_size(behind)]
    return kept.decode(errors="ignore") + behind


def save_as(
    path: str | os.PathLike[str], what: str, forms: Mapping[str, Callable[[], str]]
) -> None:
    """Write a text in the form that the file's ending asks for, whole.

    ``what`` is that which is saved, in the plural; ``forms`` gives the text of each ending.

    Raises NiftiKitError if the name has another ending, or the file cannot be written.
    """
    target = Path(path)
    form = forms.get(target.suffix.casefold())
    if form is None:
        raise NiftiKitError(
            f"{what} cannot be saved as this kind of file",
            path=target,
            found=repr(target.suffix),
            expected=" or ".join(forms),
            remedy=f"Give the name one of these endings, such as {what}{next(iter(forms))}.",
        )
    # A file name may hold bytes that are no letters; they are written as their codes.
    content = form().encode("utf-8", "backslashreplace")
    try:
        write_bytes(target, content)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise NiftiKitError("the file cannot be written", path=target, found=reason) from error


# What is kept of people's work: in one folder, readable by its owner only

_OWNERS_FOLDER, _OWNERS_FILE, _OTHERS = 0o700, 0o600, 0o077
"""Modes of POSIX: what the owner may do, and what all others. Windows keeps a user's own folder
from others by itself."""


def state_folder() -> Path:
    """Return the folder in which uploads remember what they do; it need not be there."""
    here = user_state_path("nifti_kit")
    if "XDG_STATE_HOME" in os.environ:
        return here
    earlier = Path("~/.local/state/nifti_kit").expanduser()  # on every system, once
    return earlier if earlier.exists() and not here.exists() else here


def clean_path(given: str) -> str:
    """Return a path without the blanks and quotes that are pasted along; one that is there as is.

    >>> clean_path(' "/data/my knees" ')
    '/data/my knees'
    """
    if os.path.exists(given):  # noqa: PTH110  (it never raises)
        return given
    found = given.strip()
    while len(found) > 1 and found[0] == found[-1] and found[0] in "\"'`":
        found = found[1:-1].strip()
    return found


def private_folder(path: Path) -> Path:
    """Return a folder that only its owner may enter: it is made, or closed to others.

    What is missing above it is made so too; what is there above it stays as it is.

    Raises TargetError if it cannot be made.
    """
    with written(path):
        _made(path)
        _close(path)
    return path


def private_file(path: Path) -> Path:
    """Return a file that only its owner may read: it is made, empty, or closed to others.

    Raises TargetError if it cannot be made.
    """
    with written(path):
        _made(path.parent)
        path.touch(_OWNERS_FILE)
        _close(path)
    return path


def _made(folder: Path) -> None:
    """Make a folder and what is missing above it, all for their owner only."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(_OWNERS_FOLDER, exist_ok=True)


def _close(path: Path) -> None:
    """Take from group and others what they may do; say so where the disk does not allow it."""
    mode = path.stat().st_mode & 0o7777
    if os.name != "posix" or not mode & _OTHERS:
        return
    try:
        path.chmod(mode & ~_OTHERS)
    except OSError as error:
        warnings.warn(
            f"{visible(path)} may be read by others: {os.strerror(error.errno or 0)}", stacklevel=3
        )


# Files that a target writes; a disk that refuses one is told in words


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Turn what the system says while a file is written into an error that says what to do.

    Raises TargetError if the disk is full, or the folder may not be written to.
    """
    try:
        yield
    except NiftiKitError:
        raise
    except OSError as error:
        raise TargetError(
            "the file cannot be written",
            path=path,
            found=os.strerror(error.errno) if error.errno else type(error).__name__,
            remedy="Free some space or get the right to write there, or choose another folder. "
            "With a journal the same call goes on where this one ended.",
        ) from error


@contextmanager
def land_beside(
    path: Path, whole: Whole | None = None, *, private: bool = False
) -> Iterator[IO[bytes]]:
    """Give a file to write, as :func:`nifti_kit.core.files.write_beside`."""
    with written(path), write_beside(path, whole, private=private) as out:
        yield out


def land_bytes(
    path: Path, content: bytes, whole: Whole | None = None, *, private: bool = False
) -> None:
    """Write a file whole, as :func:`nifti_kit.core.files.write_beside`."""
    with written(path):
        write_bytes(path, content, whole, private=private)


def land_copy(source: Path, path: Path, content: bytes | None = None) -> None:
    """Write a file that holds what another one holds, whole.

    ``content`` stands for the bytes of that where they are in memory.
    """
    with land_beside(path) as out:
        if content is not None:
            out.write(content)
            return
        refuse_special(source)
        with source.open("rb") as stream:
            shutil.copyfileobj(stream, out)


def land_json(path: Path, content: Any, *, private: bool = False) -> None:
    """Write a JSON file, UTF-8, indented as the SDK does it."""
    with written(path):
        write_json(path, content, private=private)


def read_json(path: Path) -> Any:
    """Return the content of a JSON file of the project.

    Raises TargetError if it cannot be read, or not in one way alone: the project was damaged.
    """
    remedy = "Restore the file, or upload to a new project folder."
    try:
        refuse_special(path)
        raw = path.read_bytes()
        if raw.startswith(codecs.BOM_UTF8):
            remedy = "Save the file as UTF-8 without a byte order mark."
            raise ValueError("a byte order mark in front")
        content = json.loads(raw.decode(), object_pairs_hook=_each_once)
        _refuse_deep(content)
    except (OSError, ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        raise TargetError(
            "a file of the project cannot be read",
            path=path,
            found=_TOO_DEEP if deep else visible(error),
            expected="JSON",
            remedy=remedy,
        ) from error
    return content


DEEPEST = 100
"""Levels of lists and objects; the platform's own have about ten. What is deeper could be read, but
not be written again."""

_TOO_DEEP = f"more than {DEEPEST} levels within each other"


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; refuse one of whose fields only the last would be kept."""
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the field {twice!r} twice in one object")
    return content


def _refuse_deep(content: Any) -> None:
    level = _containers([content])
    for _ in range(DEEPEST):
        if not level:
            return
        inner = (one.values() if isinstance(one, dict) else one for one in level)
        level = [found for things in inner for found in _containers(things)]
    raise ValueError(_TOO_DEEP)


def _containers(things: Iterable[Any]) -> list[Any]:
    return [one for one in things if isinstance(one, dict | list)]
