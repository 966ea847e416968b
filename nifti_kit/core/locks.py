"""Locks: what two processes, or two threads, must not do side by side."""

from __future__ import annotations

import os
import platform
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from nifti_kit.core.files import digest, private_folder, state_folder, written
from nifti_kit.errors import TargetError, visible

try:
    import fcntl
except ImportError:  # Windows has none: there, only this process is guarded against
    fcntl = None  # type: ignore[assignment]


@contextmanager
def held(path: Path, doing: str) -> Iterator[None]:
    """Be the only one who holds a lock file for the time of ``with``; the system frees it.

    The file is made, and removed at the end. It holds who has it: a process that dies has it no
    longer, and its workers (forked with all that it had open) do not have it either.

    ``doing``: what is done meanwhile, for the error: ``"an upload of this plan"``.
    Raises TargetError if another one holds it, or the file cannot be made.
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
        with _opened(path, doing) as lock:
            try:
                _lock(lock)
            except OSError:
                raise _is_held(path, doing, _holder(lock)) from None
            if not _is_at(lock, path):  # the one who had it has removed it meanwhile
                continue
            try:
                lock.truncate(0)
                lock.write(f"process {os.getpid()} of {_node()}".encode())
                lock.flush()
                yield
                return
            finally:
                with suppress(PermissionError):  # where only its owner may remove a file
                    path.unlink(missing_ok=True)


def _opened(path: Path, doing: str) -> IO[bytes]:
    """Open a lock file; who else may write to its folder may use it, too."""
    with written(path):
        try:
            lock = open(path, "a+b", opener=_itself)  # noqa: SIM115 - closed by the caller
        except PermissionError:
            if not path.exists():
                raise
            remedy = "Wait until it has ended; where nobody uploads any more, remove the file."
            raise _is_held(path, doing, "a file of another user", remedy) from None
        with suppress(OSError):  # it is another user's, who has seen to it
            os.chmod(lock.fileno(), path.parent.stat().st_mode & _WRITABLE)  # noqa: PTH101
    return lock


_WRITABLE = 0o666
"""A lock holds nothing that others may not see; of these rights it has those of its folder."""


def _itself(path: str, flags: int) -> int:
    """Open a file, and none that a link of its name points to."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), _WRITABLE)


def is_held(path: Path) -> bool:
    """Say whether a lock file is held now, as far as can be seen: by this machine's processes.

    Nothing is locked to find it out: that could refuse one who begins at the same moment.
    """
    with _holding:  # who closes the file frees what this process has of it: nobody begins meanwhile
        if os.path.realpath(path) in _held:
            return True
        try:
            found = _HOLDER.fullmatch(path.read_text(errors="replace"))
        except OSError:
            return False
    if found is None or os.name != "posix" or found["node"] != _node():
        return False
    return int(found["process"]) != os.getpid() and _is_alive(int(found["process"]))


_HOLDER = re.compile(r"process (?P<process>\d{1,9}) of (?P<node>.+)")
"""What a lock file says of who has it."""


def _node() -> str:
    return platform.node() or "this machine"


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        return True
    return True


def lock_of(path: Path) -> Path:
    """Return the lock of something, in the user's own folder: not beside it, where it may show."""
    return private_folder(state_folder() / "locks") / f".{digest(os.path.realpath(path))}.lock"


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


def _is_held(
    path: Path,
    doing: str,
    holder: str,
    remedy: str = "Wait until it has ended, then make the same call again.",
) -> TargetError:
    return TargetError(
        f"{doing} is under way already",
        path=path,
        found=holder,
        expected="one at a time",
        remedy=remedy,
    )
