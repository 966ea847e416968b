"""A disk whose changes are counted: at one of them the process dies, or the disk is full."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from tests.support.uploads import Killed

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT

_REMOVALS = frozenset({"os.remove", "os.rmdir"})

_CHANGES = _REMOVALS | {"os.rename", "os.mkdir"}
"""Events of the interpreter besides ``open``; the first argument of each is a path."""


@dataclass
class Watch:
    """The changes below some folders: each file that is opened to write, moved or removed.

    Parameters
    ----------
    folders
        Where changes count.
    first
        The first one, from 1, that does not happen.
    last
        The last one that does not; None for all that follow, as of a process that is dead.
    error
        What the caller meets in their place.
    spared
        Events that do not count: a full disk removes what it is told to.
    """

    folders: tuple[Path, ...]
    first: int
    last: int | None
    error: Callable[[], BaseException]
    spared: frozenset[str] = frozenset()
    seen: int = 0
    lock: Lock = field(default_factory=Lock)

    def count(self, event: str, path: Any) -> None:
        """Count a change, or raise in its place."""
        if event in self.spared or not isinstance(path, str | bytes | os.PathLike):
            return
        name = os.fsdecode(path)
        if not any(name.startswith(f"{folder}{os.sep}") for folder in self.folders):
            return
        with self.lock:
            self.seen += 1
            number = self.seen
        if number >= self.first and (self.last is None or number <= self.last):
            raise self.error()


_watching: list[Watch] = []
"""One at most. A hook of the interpreter cannot be taken away: it does nothing without a watch."""

_hooked: list[bool] = []


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _watching:
        return
    if event in _CHANGES or (event == "open" and isinstance(args[2], int) and args[2] & _WRITES):
        _watching[0].count(event, args[0])


@contextmanager
def watched(watch: Watch) -> Iterator[Watch]:
    """Watch changes of files for the time of ``with``."""
    if not _hooked:
        sys.addaudithook(_hook)
        _hooked.append(True)
    _watching.append(watch)
    try:
        yield watch
    finally:
        _watching.remove(watch)


def killed_at(folders: tuple[Path, ...], number: int) -> Watch:
    """Return a watch at whose change with a number the process dies; nothing changes any more."""
    return Watch(folders, number, None, Killed)


def full_at(folders: tuple[Path, ...], number: int, count: int) -> Watch:
    """Return a watch of a disk that is full for so many changes."""
    last = number + count - 1
    return Watch(folders, number, last, lambda: OSError(errno.ENOSPC, "full"), _REMOVALS)
