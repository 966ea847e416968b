"""Work that goes on in threads while its results are taken one by one."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence, Sized
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")
S = TypeVar("S", bound=Sized)
K = TypeVar("K")


def ahead(
    pool: ThreadPoolExecutor, function: Callable[[T], R], items: Iterable[T], width: int
) -> Generator[R]:
    """Yield what a function returns for each item, in order, while a pool works on the next ones.

    At most ``width`` items are under way or wait to be taken, so that a slow taker bounds the
    memory; and where the taker ends early, no more than these are still waited for.
    """
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            # Each with what is heard here: see `heard`.
            waiting.append(pool.submit(copy_context().run, function, item))
            if len(waiting) == width:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        _ended(waiting)


def together(
    items: Iterable[T],
    submit: Callable[[T], Future[R]],
    *,
    width: int,
    stop: Callable[[], object] | None = None,
    cancels: bool = True,
) -> Generator[R]:
    """Yield results as they come, of at most ``width`` items at a time.

    Where it ends early, what is under way is waited for; ``stop`` is called before that. Futures
    that have not begun are cancelled, unless ``cancels`` is false: all are waited for then.
    """
    source, running = iter(items), set[Future[R]]()
    try:
        while True:
            with suppress(StopIteration):
                while len(running) < width:
                    running.add(submit(next(source)))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    finally:
        if running and stop is not None:
            stop()
        if cancels:
            _ended(running)
        else:
            wait(running)


def _ended(futures: Iterable[Future[R]]) -> None:
    """Take back what has not begun, and wait for the rest."""
    wait([future for future in futures if not future.cancel()])


class MemoryBudget:
    """Memory that threads share, by its bytes: each takes what it needs before it reads.

    What is larger than the whole room is let in alone. Who comes first is let in first, so that
    something large does not wait for ever.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._taken = 0
        self._line: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Wait until there is room for so many bytes, and give it back at the end."""
        place = object()
        with self._changed:
            self._line.append(place)
            try:
                self._changed.wait_for(lambda: self._line[0] is place and self._fits(size))
                self._taken += size
            finally:
                self._line.remove(place)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._taken -= size
                self._changed.notify_all()

    def _fits(self, size: int) -> bool:
        return self._taken == 0 or self._taken + size <= self.size


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of at most ``size``."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def bounded(pairs: Iterable[tuple[K, S]], *, count: int, size: int) -> Iterator[list[tuple[K, S]]]:
    """Yield pairs in order in batches of at most ``count``, whose contents have ``size`` bytes.

    What is larger by itself is a batch of its own.
    """
    batch: list[tuple[K, S]] = []
    total = 0
    for key, content in pairs:
        if batch and (len(batch) == count or total + len(content) > size):
            yield batch
            batch, total = [], 0
        batch.append((key, content))
        total += len(content)
    if batch:
        yield batch


SURE_AFTER_S = 1.0
"""Before that the speed says little of what is to come (seconds)."""


def seconds_left(done: float, total: float, passed_s: float) -> float | None:
    """Return how long the rest takes at the speed so far; None while that is not known.

    >>> seconds_left(25, 100, 10.0)
    30.0
    """
    if passed_s < SURE_AFTER_S or done <= 0:
        return None
    return max(0.0, (total - done) * passed_s / done)


# Work that can be ended inside, wherever it reads or writes voxels

_HEARD: ContextVar[Callable[[str], object] | None] = ContextVar("heard", default=None)


@contextmanager
def heard(listener: Callable[[str], object]) -> Iterator[None]:
    """Let a listener hear of all voxels that are read or written within; also those of `ahead`.

    It is called with the file that is opened, or with ``""`` while one is read; what it raises ends
    the work. Nobody has to pass it on from function to function.
    """
    before = _HEARD.set(listener)
    try:
        yield
    finally:
        _HEARD.reset(before)


def going_on(file: object = "") -> None:
    """Tell whoever hears it that work goes on; raises what they raise to end it."""
    listener = _HEARD.get()
    if listener is not None:
        listener(str(file))


# Long work on many things: told of, or shown as a bar; side by side where a disk is slow

BAR_AFTER_S = 2
"""Work that is done sooner shows no bar (seconds)."""

TRIED = 16
"""Things after which it is known whether there is much waiting."""

WAITED_S = 0.001
"""Waiting for a thing, without computing, above which others are worked on meanwhile (seconds)."""

AT_A_TIME = 8


def with_progress(
    things: Sequence[T], on_thing: Callable[[int, T], Any] | None, doing: str, unit: str
) -> Iterator[T]:
    """Yield things; tell of each before, or show a bar of what is done.

    ``on_thing``: called with the place (from 0) of each thing and the thing; what it raises ends
    the work. None shows a bar where the work takes long.
    ``doing``, ``unit``: what the bar says.
    """
    if on_thing is None:
        yield from _with_bar(things, doing, unit)
        return
    for at, thing in enumerate(things):
        on_thing(at, thing)
        yield thing


def _with_bar(things: Sequence[T], doing: str, unit: str) -> Iterator[T]:
    """Yield things; make a bar when it takes long: in a notebook it is eleven widgets."""
    begun, bar = time.monotonic(), None
    try:
        for at, thing in enumerate(things):
            if bar is None and time.monotonic() - begun >= BAR_AFTER_S:
                from tqdm.auto import tqdm

                # No name in the bar's text: notebooks show it as HTML.
                bar = tqdm(total=len(things), initial=at, desc=doing, unit=unit, leave=False)
            yield thing
            if bar is not None:
                bar.update()
    finally:
        if bar is not None:
            bar.close()


def in_order(function: Callable[[T], R], things: Sequence[T]) -> Generator[R]:
    """Yield what a function returns for each thing, in order.

    Where the first ones are waited for, as with files on a network disk, the others are worked on
    side by side. Where they are not, threads would only wait for each other (Python's lock).
    """
    waited = 0.0
    for thing in things[:TRIED]:
        start = time.perf_counter() - time.thread_time()
        result = function(thing)
        waited += time.perf_counter() - time.thread_time() - start
        yield result
    rest = things[TRIED:]
    if waited <= WAITED_S * TRIED:
        yield from map(function, rest)
        return
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        yield from pool.map(function, rest)


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
