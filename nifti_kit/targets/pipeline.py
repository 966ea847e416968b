"""Work that goes on in threads while its results are taken one by one, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

__all__ = ["ahead", "bounded", "together"]

T = TypeVar("T")
R = TypeVar("R")
S = TypeVar("S", bound=Sized)
K = TypeVar("K")


def ahead(
    pool: ThreadPoolExecutor, function: Callable[[T], R], items: Iterable[T], width: int
) -> Iterator[R]:
    """Yield what a function returns for each item, in order, while a pool works on the next ones.

    At most ``width`` items are under way or wait to be taken, so that a slow taker bounds the
    memory; and where the taker ends early, no more than these are still waited for.
    """
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) == width:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def together(
    items: Iterable[T],
    submit: Callable[[T], Future[R]],
    size_of: Callable[[T], int],
    *,
    width: int,
    size: int,
) -> Iterator[R]:
    """Yield results as they come, of at most ``width`` items at a time.

    What is under way together has at most ``size`` bytes; what is larger by itself goes alone.
    Where an error ends it, others are still under way.
    """
    waiting = deque(items)
    running: dict[Future[R], int] = {}
    while waiting or running:
        while waiting and len(running) < width:
            wanted = size_of(waiting[0])
            if running and sum(running.values()) + wanted > size:
                break
            running[submit(waiting.popleft())] = wanted
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            del running[future]
            yield future.result()


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
