"""Files written so that a crash never leaves half of one: beside their place, then renamed.

And what is no regular file: a pipe is named, and never opened.
"""

from __future__ import annotations

import json
import os
import platform
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from platformdirs import user_state_path

from nifti_kit.errors import NiftiKitError, TargetError, UnreadableFile, visible

try:
    import fcntl
except ImportError:  # Windows has none: there, only this process is guarded against
    fcntl = None  # type: ignore[assignment]

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
def write_beside(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write; at the end it takes its place, on an error it goes.

    The file beside begins with a dot and ends in ``.part``, so that no reader of the folder takes
    it for data.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as out:
            yield out
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole."""
    with write_beside(path) as out:
        out.write(content)


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, UTF-8, indented as the SDK does it."""
    write_bytes(path, json.dumps(content, ensure_ascii=False, indent=4).encode())


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


def state_folder() -> Path:
    """Return the user's folder for what is remembered of uploads; it may not be there yet."""
    earlier = Path("~/.local/state/nifti_kit").expanduser()  # on every system, once
    here = user_state_path("nifti_kit")
    return earlier if earlier.exists() and not here.exists() else here


# One at a time: what two processes, or two threads, must not do side by side


@contextmanager
def held(path: Path, doing: str) -> Iterator[None]:
    """Be the only one who holds a lock file for the time of ``with``; the system frees it.

    The file is made, and removed at the end. It holds who has it: a process that dies has it no
    longer, and its workers (forked with all that it had open) do not have it either.

    Parameters
    ----------
    doing
        What is done meanwhile, for the error: ``"an upload of this plan"``.

    Raises
    ------
    TargetError
        If another one holds it, or the file cannot be made.
    """
    key = os.path.realpath(path)
    with _holding:
        if key in _held:
            raise _is_held(path, doing, "this process")
        _held.add(key)
    try:
        with _locked(path, doing):
            yield
    finally:
        with _holding:
            _held.discard(key)


_holding = threading.Lock()
_held: set[str] = set()
"""What this process holds: the system's locks are those of a whole process."""


@contextmanager
def _locked(path: Path, doing: str) -> Iterator[None]:
    with written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with written(path):
            lock = path.open("a+b")
        with lock:
            try:
                _lock(lock)
            except OSError:
                raise _is_held(path, doing, _holder(lock)) from None
            if not _is_at(lock, path):  # the one who had it has removed it meanwhile
                continue
            try:
                lock.truncate(0)
                lock.write(f"process {os.getpid()} of {platform.node() or 'this machine'}".encode())
                lock.flush()
                yield
                return
            finally:
                path.unlink(missing_ok=True)


def _lock(lock: IO[bytes]) -> None:
    """Lock an open file for this process, or raise OSError; it is free when the process ends."""
    if fcntl is not None:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_at(lock: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _holder(lock: IO[bytes]) -> str:
    lock.seek(0)
    return visible(lock.read(_MOST_OF_A_HOLDER).decode(errors="replace")) or "another process"


_MOST_OF_A_HOLDER = 200
"""Bytes of a lock file that an error shows."""


def _is_held(path: Path, doing: str, holder: str) -> TargetError:
    return TargetError(
        f"{doing} is under way already",
        path=path,
        found=holder,
        expected="one at a time",
        remedy="Wait until it has ended, then make the same call again.",
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
def land_beside(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write, as :func:`nifti_kit.core.files.write_beside`."""
    with written(path), write_beside(path) as out:
        yield out


def land_bytes(path: Path, content: bytes) -> None:
    """Write a file whole."""
    with written(path):
        write_bytes(path, content)


def land_json(path: Path, content: Any) -> None:
    """Write a JSON file, UTF-8, indented as the SDK does it."""
    with written(path):
        write_json(path, content)


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
