"""The platform as a test holds it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition, Event, Thread

from tests.platform.faults import Faults
from tests.platform.http import Server
from tests.platform.state import State

PATIENCE = 30
"""Seconds that a test waits for a request before it fails."""


@dataclass
class Request:
    """A request in the log.

    ``number`` counts from 1; ``size`` is the length of the body in bytes; ``status`` is None where
    no answer was sent; ``fault`` is what befell it; ``content`` is the same for the same body, and
    empty where none was read.
    """

    number: int
    method: str
    size: int
    status: int | None = None
    fault: str | None = None
    content: str = ""


class Platform:
    """A running server with its state and its log.

    Parameters
    ----------
    state
        What it knows; empty but for a team and a workspace by default.
    latency
        Seconds that every request takes.
    patience
        Seconds that it waits for a client that sends nothing; then 408, or it hangs up.
    """

    def __init__(self, state: State, latency: float, patience: float) -> None:
        self.state = state
        self.latency = latency
        self.patience = patience
        self.token = "token-of-the-test"
        self.faults = Faults()
        self.requests: list[Request] = []
        self.unknown: list[str] = []
        self.errors: list[str] = []
        self.most_at_once = 0
        self.capacity: int | None = None
        """Requests at a time; what comes beyond is answered with 429."""
        self.gone = Event()
        self._now = 0
        self._change = Condition()
        self._start(0)

    @property
    def address(self) -> str:
        """What the SDK takes as the server's address."""
        return f"http://127.0.0.1:{self._port}"

    def count(self, method: str) -> int:
        """Return how many requests of a method came, whatever became of them."""
        return sum(one.method == method for one in self.requests)

    def wait_for(self, number: int) -> None:
        """Wait until this many requests have arrived."""
        with self._change:
            assert self._change.wait_for(lambda: len(self.requests) >= number, PATIENCE)

    @contextmanager
    def request(self, method: str, size: int) -> Iterator[Request]:
        """Log a request from its arrival to its end."""
        with self._change:
            record = Request(len(self.requests) + 1, method, size)
            self.requests.append(record)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            self._change.notify_all()
        try:
            yield record
        finally:
            with self._change:
                self._now -= 1

    def is_full(self) -> bool:
        """Say whether there are more requests than it takes at a time."""
        with self._change:
            return self.capacity is not None and self._now > self.capacity

    def die(self) -> None:
        """Be gone: open connections end, new ones are refused, the state stays as it is.

        Of the requests under way, those that still wait (``latency``, ``slow``) are not carried
        out.
        """
        self.gone.set()
        self._server.hang_up()

    def restart(self) -> None:
        """Be back at the same address with the same state."""
        self.stop()
        self._start(self._port)

    def stop(self) -> None:
        """End the server and wait for its threads."""
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()

    def _start(self, port: int) -> None:
        self.gone.clear()
        self._server = Server(self, port)
        self._port = self._server.server_port
        # It looks for a wish to stop this often, in seconds; the default makes every test wait.
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()


@contextmanager
def running_platform(
    *, state: State | None = None, latency: float = 0.0, patience: float = 5.0
) -> Iterator[Platform]:
    """Run a platform; at the end, fail if it failed itself."""
    platform = Platform(state or State(), latency, patience)
    try:
        yield platform
    finally:
        platform.stop()
    assert platform.errors == []
