"""A plan of what goes wrong, and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

RESET_BEFORE, RESET_AFTER = "reset before", "reset after"
SLOW, DEATH = "slow", "death"
KINDS = (RESET_BEFORE, RESET_AFTER, SLOW, DEATH)

ODD = {
    "html": ("text/html; charset=utf-8", b"<!DOCTYPE html>\n<html><body>Sign in</body></html>"),
    "empty": ("application/json", b""),
    "null": ("application/json", b"null"),
    "text": ("text/plain", b"it works"),
}
"""Types and bodies of answers with the status 200 that do not say what was asked: those of a
gateway before the server, and of a server whose own answer was lost on the way."""

HALF = "half"
"""Such an answer too: its header promises the rest, and the connection ends."""

DONE, NOT = "done ", "not "
"""Before an answer: the request was carried out, or was not."""

SILENT = ("500", "503", "504", HALF, *ODD)
"""Answers that do not say whether a request was carried out."""

CARRIED_OUT = (RESET_AFTER, *(DONE + answer for answer in SILENT))
NOT_CARRIED_OUT = (
    RESET_BEFORE,
    *(answer if answer.isdigit() else NOT + answer for answer in SILENT),
)
UNKNOWN = (*CARRIED_OUT, *NOT_CARRIED_OUT)
"""The faults after which a client does not know whether its request was carried out."""


@dataclass
class Fault:
    """Something that goes wrong with some requests.

    Parameters
    ----------
    kind
        Whether a request is carried out, and what is answered. A status such as ``"500"``,
        ``"503"`` or ``"429"``: answered without carrying anything out; ``"done 500"``: carried
        out, and answered so. ``"done html"`` and ``"not html"``: the same with a login page and
        status 200; also ``empty`` (no body), ``null``, ``text`` (no JSON) and ``half`` (the first
        half of an answer). ``"reset before"``: the connection is reset before the body is read.
        ``"reset after"``: the request is carried out, then the connection is reset without an
        answer. ``"slow"``: it is carried out and answered later. ``"death"``: the server is gone,
        until ``restart()``.
    times
        How many requests it befalls.
    skip
        How many fitting requests it spares first.
    retry_after
        Seconds, for the header ``Retry-After``.
    seconds
        How much later a slow answer comes.
    meanwhile
        What somebody else does before the answer comes, and after the request was carried out.
    method
        The one that it befalls; any by default.
    number
        The first request that it may befall, from 1.
    """

    kind: str
    times: int = 1
    skip: int = 0
    retry_after: float | None = None
    seconds: float = 0.0
    meanwhile: Callable[[], Any] | None = None
    method: str | None = None
    number: int = 0

    def __post_init__(self) -> None:
        answer = self.answer
        odd = answer in (HALF, *ODD) and self.kind in (DONE + answer, NOT + answer)
        status = answer.isdigit() and self.kind in (answer, DONE + answer)
        if not (odd or status or self.kind in KINDS):
            raise ValueError(f"unknown kind of fault {self.kind!r}")

    @property
    def is_carried_out(self) -> bool:
        """Whether the request that it befalls is carried out."""
        return self.kind.startswith(DONE) or self.kind in (RESET_AFTER, SLOW)

    @property
    def answer(self) -> str:
        """What is answered: a status, ``half``, one of ``ODD``; else nothing of its own."""
        return self.kind.removeprefix(DONE).removeprefix(NOT)

    def others_work(self) -> None:
        """Do what somebody else does meanwhile."""
        if self.meanwhile is not None:
            self.meanwhile()

    def befalls(self, number: int, method: str) -> bool:
        """Return whether this request is struck; counts it."""
        if self.times == 0 or number < self.number or self.method not in (None, method):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


@dataclass
class Faults:
    """What goes wrong; of several that fit, the one that was planned first."""

    planned: list[Fault] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock, repr=False)

    def at(self, number: int, kind: str, *, times: int = 1, **how: Any) -> None:
        """Strike from the request with this number on, from 1 since the server's first start."""
        self._plan(Fault(kind, times, number=number, **how))

    def on(self, method: str, kind: str, *, times: int = 1, skip: int = 0, **how: Any) -> None:
        """Strike requests of a method."""
        self._plan(Fault(kind, times, skip, method=method, **how))

    def clear(self) -> None:
        """Plan nothing."""
        with self.lock:
            self.planned.clear()

    def strike(self, number: int, method: str) -> Fault | None:
        """Return what befalls a request."""
        with self.lock:
            return next((one for one in self.planned if one.befalls(number, method)), None)

    def _plan(self, fault: Fault) -> None:
        with self.lock:
            self.planned.append(fault)
