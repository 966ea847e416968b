"""Bodies of requests, sent in pieces; and forms (multipart/form-data), both ways."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from email.message import Message
from typing import Any, NamedTuple

from nifti_kit.errors import TargetError

PIECE = 1 << 16
"""Bytes handed to the socket at once. Its time-out (some seconds) is for the whole of a piece: a
volume in one piece would never arrive over a slow line."""


Bytes = bytes | memoryview
"""Content, wherever it is kept."""


class FormText(NamedTuple):
    """A text in a form: its field, which may occur more than once, and the text."""

    field: str
    text: str


class FormFile(NamedTuple):
    """A file in a form: its field, its file name, and its bytes, in pieces."""

    field: str
    name: str
    content: Sequence[Bytes]
    kind: str = "application/octet-stream"


class Body:
    """A body of known length that can be sent any number of times: each time from its start.

    Its parts are not all joined: that would be a second copy of a volume. Small ones are, up to a
    piece: each call of the socket gives Python's lock to another thread, and waits to have it back.
    """

    def __init__(self, parts: Sequence[Bytes], kind: str) -> None:
        self.parts, self.kind = parts, kind

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def __iter__(self) -> Iterator[bytes]:
        small: list[Bytes] = []
        size = 0
        for part in self.parts:
            if size + len(part) > PIECE and small:
                yield b"".join(small)
                small, size = [], 0
            if len(part) > PIECE:
                yield from (bytes(part[at : at + PIECE]) for at in range(0, len(part), PIECE))
            else:
                small.append(part)
                size += len(part)
        if size:
            yield b"".join(small)


def json_body(data: Any) -> Body:
    """Return JSON as a body."""
    return Body([json.dumps(data, allow_nan=False).encode()], "application/json")


def form_body(fields: Sequence[FormText | FormFile]) -> Body:
    """Return a form as a body; its fields keep their order, and may repeat."""
    boundary = uuid.uuid4().hex
    parts: list[Bytes] = []
    for one in fields:
        parts.append(f"--{boundary}\r\n{_head(one)}\r\n\r\n".encode())
        parts += [one.text.encode()] if isinstance(one, FormText) else one.content
        parts.append(b"\r\n")
    parts.append(f"--{boundary}--\r\n".encode())
    return Body(parts, f"multipart/form-data; boundary={boundary}")


def _head(field: FormText | FormFile) -> str:
    head = f'Content-Disposition: form-data; name="{field.field}"'
    if isinstance(field, FormText):
        return head
    return f'{head}; filename="{field.name}"\r\nContent-Type: {field.kind}'


def parts_in(kind: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of each part of a form, whose content type is ``kind``."""
    header = Message()
    header["Content-Type"] = kind
    boundary = header.get_param("boundary")
    if not isinstance(boundary, str):
        raise TargetError("the instance answers in another form", found=kind, expected="a form")
    for part in content.split(b"--" + boundary.encode("ascii"))[1:-1]:
        head, _, body = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = re.search(rb'[;\s]name="([^"]*)"', head)
        if name:
            yield name[1].decode(), body.removesuffix(b"\r\n")


# How many requests are on their way at a time: more while all goes well, fewer when it is busy

FIRST, MOST = 6, 16
"""Requests at a time, at first and at most."""

SLOWER, SLOWER_S = 3.0, 0.3
"""So many times, and seconds, slower than the quickest answer of its kind: the instance is busy."""

AFTER_SLOW, AFTER_REFUSAL = 0.75, 0.5
"""What is left of the limit."""


class Turn:
    """One request on its way."""

    def __init__(self, limit: Limit, kind: tuple[str, int]) -> None:
        self._limit, self._kind = limit, kind
        self._begun = limit.clock()

    def answered(self) -> None:
        """Count an answer: a little more at a time, or less where it took long."""
        limit = self._limit
        seconds = limit.clock() - self._begun
        quickest = limit.quickest.setdefault(self._kind, seconds)
        limit.quickest[self._kind] = min(quickest, seconds)
        if seconds > SLOWER * quickest + SLOWER_S:
            limit.cut(AFTER_SLOW, self._begun)
        else:
            limit.widen()

    def refused(self, pause: float) -> None:
        """Count a refusal because of too many requests; nobody asks for so long (s)."""
        self._limit.cut(AFTER_REFUSAL, self._begun, pause)


class Limit:
    """How many requests may be on their way to an instance.

    Additive increase, multiplicative decrease, as in TCP's congestion control. All connections of
    an upload share one; workers in other processes have their own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.width = float(FIRST)
        self.quickest: dict[tuple[str, int], float] = {}
        """The shortest time (s) to an answer, by method and size of the body (powers of two)."""
        self.answered_at = 0.0
        """When the instance last answered anything."""
        self._under_way = 0
        self._cut_at = self._paused_until = 0.0
        self._changed = threading.Condition()

    @contextmanager
    def turn(self, method: str, size: int, patience: float) -> Iterator[Turn]:
        """Wait for a turn to ask, and take it for the time of one request.

        Raises
        ------
        TimeoutError
            If none comes, and nothing is answered, for so long (s).
        """
        begun = self.clock()
        with self._changed:
            while not self._is_free():
                left = max(begun, self.answered_at) + patience - self.clock()
                if left <= 0:
                    raise TimeoutError("other requests are not answered either")
                pause = self._paused_until - self.clock()
                self._changed.wait(min(left, pause) if pause > 0 else left)
            self._under_way += 1
        try:
            yield Turn(self, (method, size.bit_length()))
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def widen(self) -> None:
        """Let one more go at a time after as many good answers as go now."""
        with self._changed:
            self.answered_at = self.clock()
            if self._under_way >= int(self.width):  # else it is not the limit that holds them
                self.width = min(float(MOST), self.width + 1 / self.width)
                self._changed.notify_all()

    def cut(self, share: float, begun: float, pause: float = 0.0) -> None:
        """Let fewer go at a time. What was on its way at the last cut changes nothing."""
        with self._changed:
            now = self.answered_at = self.clock()
            self._paused_until = max(self._paused_until, now + pause)
            if begun >= self._cut_at:
                self.width, self._cut_at = max(1.0, self.width * share), now

    def _is_free(self) -> bool:
        return self._under_way < int(self.width) and self.clock() >= self._paused_until
