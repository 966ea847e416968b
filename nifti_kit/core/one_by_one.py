"""Long work on many things: told of, or shown as a bar; side by side where a disk is slow."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["in_order", "one_by_one"]

T = TypeVar("T")
R = TypeVar("R")

BAR_AFTER_S = 2
"""Work that is done sooner shows no bar (seconds)."""

TRIED = 16
"""Things after which it is known whether there is much waiting."""

WAITED_S = 0.001
"""Waiting for a thing, without computing, above which others are worked on meanwhile (seconds)."""

AT_A_TIME = 8


def one_by_one(
    things: Sequence[T], on_thing: Callable[[int, T], Any] | None, doing: str, unit: str
) -> Iterator[T]:
    """Yield things; tell of each before, or show a bar of what is done.

    Parameters
    ----------
    things
        What is worked on.
    on_thing
        Called with the place (from 0) of each thing and the thing; what it raises ends the work.
        None shows a bar where the work takes long.
    doing, unit
        What the bar says.
    """
    if on_thing is None:
        from tqdm.auto import tqdm

        # No name in the bar's text: notebooks show it as HTML.
        bar: Iterable[T] = tqdm(things, desc=doing, unit=unit, delay=BAR_AFTER_S, leave=False)
        yield from bar
        return
    for at, thing in enumerate(things):
        on_thing(at, thing)
        yield thing


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
