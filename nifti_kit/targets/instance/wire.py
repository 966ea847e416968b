"""What goes over the wire: bodies in pieces, answers that are checked, how many at a time."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from email.message import Message
from typing import Any, NamedTuple, TypeVar

import requests

from nifti_kit.errors import TargetError, visible

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
    """Yield name and bytes of each part of a form, whose content type is ``kind``.

    Raises TargetError if it is no form, or was cut off.
    """
    header = Message()
    header["Content-Type"] = kind
    boundary = header.get_param("boundary")
    if not isinstance(boundary, str) or not boundary.isascii():
        raise _no_form(kind)
    *parts, end = content.split(b"--" + boundary.encode("ascii"))
    if not parts or not end.startswith(b"--"):
        raise _no_form("a form that is cut off")
    for part in parts[1:]:
        head, _, body = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = re.search(rb'[;\s]name="([^"]*)"', head)
        if name:
            yield name[1].decode(errors="replace"), body.removesuffix(b"\r\n")


def _no_form(found: str) -> TargetError:
    return TargetError(
        "the instance answers in another form",
        found=visible(found)[:MOST_SAID],
        expected="a form",
        remedy=LOOK_BETWEEN,
    )


# Answers: what came, or what came in its place

LOOK_BETWEEN = (
    "Check SERVER_ADDRESS, and what lies between here and the instance (a proxy, a login page)."
)
"""What to do where something else answers than the instance."""

MOST_SAID = 300
"""Characters of what an instance says that an error shows."""


class Trouble(NamedTuple):
    """What came in place of an answer."""

    found: str  # what that is, in words
    lost: bool  # whether the request may have been carried out
    pause: float = 0.0  # how long the instance asks to wait (s)
    expected: str = ""  # of an answer of another kind: what it should have been


def json_in(answer: requests.Response) -> Any:
    """Return the JSON of an answer, or the trouble: that is no JSON, or says nothing."""
    try:
        content = answer.json()
    except (ValueError, RecursionError):  # no JSON, no text, or JSON that is nested without end
        return Trouble(_instead(answer), lost=True, expected="JSON")
    return Trouble("null", lost=True, expected="JSON") if content is None else content


def bytes_in(answer: requests.Response) -> bytes | Trouble:
    """Return the file that an answer is, or the trouble: no file."""
    if _is_page(answer) or not answer.content:
        return Trouble(_instead(answer), lost=True, expected="a file")
    return answer.content


def form_in(answer: requests.Response) -> dict[str, bytes] | Trouble:
    """Return the parts of the form that an answer is, by name, or the trouble: no form."""
    try:
        return dict(parts_in(answer.headers.get("Content-Type", ""), answer.content))
    except TargetError as error:
        other = _is_page(answer) or not answer.content
        found = _instead(answer) if other else str(error.found)
        return Trouble(found, lost=True, expected="a form")


def _is_page(answer: requests.Response) -> bool:
    start = answer.content[:_MARKUP_WITHIN].lstrip().lower()
    kind = answer.headers.get("Content-Type", "").lower()
    return "text/html" in kind or start.startswith((b"<!doctype html", b"<html"))


_MARKUP_WITHIN = 200
"""Bytes at whose beginning a page says that it is one."""


def _instead(answer: requests.Response) -> str:
    """Return what an answer is that is not what it should be; nothing of its text."""
    if not answer.content.strip():
        return "an empty body"
    if _is_page(answer):
        return "an HTML page (a login page?)"
    half = answer.content.lstrip()[:1] in (b"{", b"[")
    return "JSON that is cut off or damaged" if half else "something that is no JSON"


class Asked(NamedTuple):
    """What an answer is one to, a method; and where it comes from: an instance, or a kept file."""

    method: str
    address: str = ""

    def odd(self, found: str, expected: str) -> TargetError:
        """Return the error for an answer of another shape."""
        return TargetError(
            f"the answer to {self.method} has another form",
            path=self.address or None,
            found=found,
            expected=expected,
            remedy=LOOK_BETWEEN,
        )


T = TypeVar("T")

_KINDS: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "a whole number",
    float: "a number with a fraction",
    bool: "true or false",
    type(None): "null",
}
"""What JSON holds, in words."""


def of_shape(value: Any, kind: type[T], asked: Asked, name: str = "") -> T:
    """Return a value of an answer, which is of a kind of JSON; ``name`` is that of its field.

    A whole number may come as text: an id of 64 bits does.

    Raises TargetError if it is of another kind.
    """
    if kind is int and isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    of = f" in {name!r}" if name else ""
    raise asked.odd(f"{_KINDS.get(type(value), 'nothing')}{of}", f"{_KINDS[kind]}{of}")


_WHOLE = re.compile(r"-?[0-9]{1,19}")
"""Up to 64 bits."""


def field(record: Any, name: str, kind: type[T], asked: Asked) -> T:
    """Return a field of an object of an answer.

    Raises TargetError if there is no such field, or it is of another kind; the error names method
    and field.
    """
    there = of_shape(record, dict, asked)
    if name not in there:
        raise asked.odd(f"no {name!r}", f"{_KINDS[kind]} in {name!r}")
    return of_shape(there[name], kind, asked, name)


def records(value: Any, asked: Asked, name: str = "") -> list[dict[str, Any]]:
    """Return a list of objects of an answer; ``name`` is the field of ``value`` that it is in.

    Raises TargetError if it is no list of objects.
    """
    rows = field(value, name, list, asked) if name else of_shape(value, list, asked)
    return [of_shape(row, dict, asked, name) for row in rows]


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
        self.answered_at = 0.0  # when the instance last answered anything
        self._under_way = 0
        self._cut_at = self._paused_until = 0.0
        self._changed = threading.Condition()

    @contextmanager
    def turn(self, method: str, size: int, patience: float) -> Iterator[Turn]:
        """Wait for a turn to ask, and take it for the time of one request.

        Raises TimeoutError if none comes, and nothing is answered, for so long (s).
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
