"""Tasks: long work in a thread of its own, with progress, that can be cancelled and waited for."""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from itertools import accumulate
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Float, HasTraits, Unicode

from nifti_kit.core.parallel import heard, seconds_left
from nifti_kit.core.text import left_text, size_text
from nifti_kit.errors import NiftiKitError

SHOWN_EVERY_S = 0.1
"""Progress is passed on ten times a second at most: each time costs a message to the browser."""

PAGE = threading.Event()
"""Set where a page can take new widgets.

Voilà serves a page when all cells have run. A widget that a thread makes while the page reads those
that are there has parts that the page does not know yet, and is broken in it for ever (voila 0.5,
jupyterlab_widgets 3.0): work begins when the page is there, or when somebody waits for the work.
"""
if not os.environ.get("SERVER_SOFTWARE", "").startswith("voila"):
    PAGE.set()

PAGE_SECONDS = 20
"""How long work waits for a page: a tab that is closed at once never tells."""


class Cancelled(Exception):
    """A person cancelled the work."""


class Ticket:
    """What work is given: it tells how far it is, and learns here that it is to end."""

    def __init__(self, show: Callable[[float, str], None]) -> None:
        self._show = show
        self._cancelled = threading.Event()
        self._shown = 0.0

    def tell(self, fraction: float, text: str = "") -> None:
        """Say how far the work is (0 to 1); raises Cancelled if a person wants it to end."""
        self.check()
        now = time.monotonic()
        if now - self._shown >= SHOWN_EVERY_S or fraction >= 1:
            self._shown = now
            self._show(min(max(fraction, 0.0), 1.0), text)

    def check(self) -> None:
        """Raise :class:`Cancelled` if a person wants the work to end."""
        if self._cancelled.is_set():
            raise Cancelled

    def inside(self) -> AbstractContextManager[None]:
        """Return what lets the work within end wherever it reads or writes voxels."""
        return heard(lambda _: self.check())

    def cancel(self) -> None:
        """Let the next ``tell`` or ``check`` end the work."""
        self._cancelled.set()


class BySize:
    """Tells how many bytes of things of some ``sizes`` are done, and what is done with each."""

    def __init__(self, ticket: Ticket, sizes: Iterable[int], doing: Callable[[Any], str]) -> None:
        self.ticket, self._doing = ticket, doing
        self._before = [0, *accumulate(sizes)]
        self._done, self._end, self._said = 0, 0, ""

    def __call__(self, at: int, thing: Any) -> None:
        """Tell that a thing begins, by its place (from 0)."""
        self._done, self._end, self._said = *self._before[at : at + 2], self._doing(thing)
        self.more(0)

    def more(self, size: int) -> None:
        """Tell that so many more bytes of it are done."""
        self._done = min(self._done + size, self._end)
        total = self._before[-1]
        said = f"{self._said}: {size_text(self._done, total)} ..."
        self.ticket.tell(self._done / max(1, total), said)


class Task(HasTraits):
    """One piece of work at a time."""

    # ``idle``, ``running``, ``cancelling``, ``done``, ``cancelled`` or ``failed``.
    state = Unicode("idle")
    # How far it is (0 to 1), and what it says about it; the error's text where it failed.
    fraction = Float(0.0)
    text = Unicode()
    result = AnyTrait()  # what the work returned; None while there is nothing
    error = AnyTrait()  # what it raised; None where it did not fail

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._thread: threading.Thread | None = None
        self._ticket: Ticket | None = None
        self._begun = 0.0
        # A person may cancel, or other work begin, at the moment at which this ends in its thread.
        self._turn = threading.RLock()

    @property
    def is_running(self) -> bool:
        """Whether work is under way, also while it is being cancelled."""
        return self.state in ("running", "cancelling")

    @property
    def left(self) -> str:
        """How long the rest takes at the speed so far, in words; empty while that is not known."""
        if self.state != "running":
            return ""
        seconds = seconds_left(self.fraction, 1.0, time.monotonic() - self._begun)
        return "" if seconds is None else left_text(seconds)

    def start(
        self, work: Callable[[Ticket], Any], *, then: Callable[[Any], None] | None = None
    ) -> None:
        """Begin work in a thread; nothing happens while other work is under way.

        ``then`` is called in the same thread with what the work returned, before ``state`` is
        ``done``.
        """
        with self._turn:
            if self.is_running:
                return
            self.result = self.error = None
            self.fraction, self.text, self.state = 0.0, "", "running"
            self._begun = time.monotonic()
            self._ticket = ticket = Ticket(self._show)
            self._thread = threading.Thread(
                target=self._run, args=(work, then, ticket), name="nifti_kit task", daemon=False
            )
            self._thread.start()

    def cancel(self) -> None:
        """Ask the work to end; it does so the next time that it tells how far it is."""
        with self._turn:
            if self.state == "running" and self._ticket is not None:
                self.state, self.text = "cancelling", "Ending at the next safe point ..."
                self._ticket.cancel()

    def forget(self) -> None:
        """Let go of what ended work said: it is about something else now."""
        with self._turn:
            if not self.is_running:
                self.result = self.error = None
                self.fraction, self.text, self.state = 0.0, "", "idle"

    def join(self, timeout: float | None = None) -> Any:
        """Wait for the work, and return what it returned; None where it was cancelled.

        It raises whatever the work raised, and TimeoutError if that is not over after so many
        seconds: a run without a person (nbmake, papermill) ends with this.
        """
        PAGE.set()
        with self._turn:
            thread = self._thread
        if thread is not None:
            thread.join(timeout)
            if thread.is_alive():
                raise TimeoutError(f"the work is not over after {timeout} s")
        if self.error is not None:
            raise self.error
        return self.result

    def _show(self, fraction: float, text: str) -> None:
        self.fraction = fraction
        if text:
            self.text = text

    def _run(
        self, work: Callable[[Ticket], Any], then: Callable[[Any], None] | None, ticket: Ticket
    ) -> None:
        try:
            PAGE.wait(PAGE_SECONDS)
            ticket.check()
            result = work(ticket)
            self.result = result
            if then is not None:
                then(result)
        except Cancelled:
            self._end("cancelled", "Cancelled.")
        except NiftiKitError as error:
            self.error = error
            self._end("failed", str(error))
        except BaseException as error:  # noqa: BLE001  (a fault of ours: shown, kept, raised by join)
            self.error = error
            self._end("failed", "".join(traceback.format_exception_only(error)).strip())
        else:
            self.fraction = 1.0
            self._end("done", self.text if self.state == "running" else "Done.")

    def _end(self, state: str, text: str) -> None:
        with self._turn:
            self.text, self.state = text, state
