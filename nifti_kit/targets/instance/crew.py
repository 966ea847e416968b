"""Threads and memory that the items of an upload share in one process."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

from nifti_kit.core.parallel import MemoryBudget, cores

ENCODERS = min(4, cores())
"""Files of a large volume, or masks, encoded at a time."""

SENDERS = 4
"""Requests with files under way at a time."""

SENT_AHEAD = 3
"""Of these, those of one item: so many batches of it are in memory."""

VOXEL_BYTES = 2**22
"""Voxels in memory of all items side by side: 4 MB, or one volume that is larger. What takes time
with small volumes is to wait for answers, and then there are no voxels in memory."""


class Encoders:
    """What encodes and sends for all items of an upload, however many there are.

    Its threads are there within ``with``, which may be nested. A worker in another process has one
    of its own: a crew that is sent there arrives as a new one.
    """

    room: MemoryBudget
    senders: ThreadPoolExecutor
    asks: bool
    """Whether the instance is asked which files of a small volume it has: it had some so far."""
    _encoders: ThreadPoolExecutor
    _encoder: ThreadPoolExecutor

    def __init__(self) -> None:
        self._users = 0
        self._lock = threading.Lock()

    def encoders(self, size: int) -> ThreadPoolExecutor:
        """Return what encodes voxels of so many bytes.

        Small volumes have one thread for all: others would wait for Python's lock, and each keeps
        memory of its own that it does not give back.
        """
        return self._encoder if size <= VOXEL_BYTES else self._encoders

    def __reduce__(self) -> tuple[Any, ...]:
        return (Encoders, ())

    def __enter__(self) -> Encoders:
        with self._lock:
            if not self._users:
                self.room = MemoryBudget(VOXEL_BYTES)
                self._encoders = ThreadPoolExecutor(ENCODERS)
                self._encoder = ThreadPoolExecutor(1)
                self.senders = ThreadPoolExecutor(SENDERS)
                self.asks = True
            self._users += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._encoders.shutdown()
                self._encoder.shutdown()
                self.senders.shutdown()
