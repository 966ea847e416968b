"""Files written so that a crash never leaves half of one: beside their place, then renamed.

And what is no regular file: a pipe is named, and never opened.
"""

from __future__ import annotations

import json
import os
import stat
import warnings
from collections.abc import Callable, Iterator, Mapping
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

    Raises
    ------
    OSError
        If there is no such path.
    """
    mode = Path(path).stat().st_mode
    regular = stat.S_ISREG(mode) or stat.S_ISDIR(mode)
    return "" if regular else SPECIAL_KINDS.get(stat.S_IFMT(mode), "no regular file")


def refuse_special(path: str | os.PathLike[str]) -> None:
    """Refuse to read a named pipe, a socket or a device; call it before a path is opened.

    Raises
    ------
    UnreadableFile
        If it is one.
    OSError
        If there is no such path.
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


@contextmanager
def write_beside(path: Path, *, private: bool = False) -> Iterator[IO[bytes]]:
    """Give a file to write; at the end it takes its place, on an error it goes.

    The file beside begins with a dot and ends in ``.part``, so that no reader of the folder takes
    it for data. What is ``private`` is its owner's alone, and so are the folders that are made.
    """
    if private:
        _made(path.parent)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if private:
            beside.unlink(missing_ok=True)
            beside.touch(_OWNERS_FILE)
        with beside.open("wb") as out:
            yield out
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file whole."""
    with write_beside(path, private=private) as out:
        out.write(content)


def write_json(path: Path, content: Any, *, private: bool = False) -> None:
    """Write a JSON file, UTF-8, indented as the SDK does it."""
    text = json.dumps(content, ensure_ascii=False, indent=4)
    write_bytes(path, text.encode(), private=private)


def save_as(
    path: str | os.PathLike[str], what: str, forms: Mapping[str, Callable[[], str]]
) -> None:
    """Write a text in the form that the file's ending asks for, whole.

    ``what`` is that which is saved, in the plural; ``forms`` gives the text of each ending.

    Raises
    ------
    NiftiKitError
        If the name has another ending, or the file cannot be written.
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


def private_folder(path: Path) -> Path:
    """Return a folder that only its owner may enter: it is made, or closed to others.

    What is missing above it is made so too; what is there above it stays as it is.

    Raises
    ------
    TargetError
        If it cannot be made.
    """
    with written(path):
        _made(path)
        _close(path)
    return path


def private_file(path: Path) -> Path:
    """Return a file that only its owner may read: it is made, empty, or closed to others.

    Raises
    ------
    TargetError
        If it cannot be made.
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

    Raises
    ------
    TargetError
        If the disk is full, or the folder may not be written to.
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
def land_beside(path: Path, *, private: bool = False) -> Iterator[IO[bytes]]:
    """Give a file to write, as :func:`nifti_kit.core.files.write_beside`."""
    with written(path), write_beside(path, private=private) as out:
        yield out


def land_bytes(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file whole."""
    with written(path):
        write_bytes(path, content, private=private)


def land_json(path: Path, content: Any, *, private: bool = False) -> None:
    """Write a JSON file, UTF-8, indented as the SDK does it."""
    with written(path):
        write_json(path, content, private=private)


def read_json(path: Path) -> Any:
    """Return the content of a JSON file of the project.

    Raises
    ------
    TargetError
        If it cannot be read: the project was damaged.
    """
    try:
        refuse_special(path)
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise TargetError(
            "a file of the project cannot be read",
            path=path,
            found=str(error),
            expected="JSON",
            remedy="Restore the file, or upload to a new project folder.",
        ) from error
