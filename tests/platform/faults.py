"""A plan of what goes wrong, and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

RESET_BEFORE, RESET_AFTER = "reset before", "reset after"
SLOW, DEATH = "slow", "death"
KINDS = (RESET_BEFORE, RESET_AFTER, SLOW, DEATH)


@dataclass
class Fault:
    """Something that goes wrong with some requests.

    Parameters
    ----------
    kind
        A status such as ``"500"``, ``"503"`` or ``"429"``: answered without carrying anything
        out. ``"reset before"``: the connection is reset before the body is read. ``"reset after"``:
        the request is carried out, then the connection is reset without an answer. ``"slow"``: it
        is carried out and answered later. ``"death"``: the server is gone, until ``restart()``.
    times
        How many requests it befalls.
    skip
        How many fitting requests it spares first.
    retry_after
        Seconds, for the header ``Retry-After``.
    seconds
        How much later a slow answer comes.
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
    method: str | None = None
    number: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS and not self.kind.isdigit():
            raise ValueError(f"unknown kind of fault {self.kind!r}")

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

    def at(self, number: int, kind: str, *, times: int = 1, **how: float) -> None:
        """Strike from the request with this number on, from 1 since the server's first start."""
        self._plan(Fault(kind, times, number=number, **how))

    def on(self, method: str, kind: str, *, times: int = 1, skip: int = 0, **how: float) -> None:
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
