"""Requests that must not be carried out twice: where an answer is lost, what is there is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from nifti_kit.errors import TargetError
from nifti_kit.targets.instance.client import AnswerLost, Connection

__all__ = ["TRIES", "batched", "lost_each_time", "once", "remove"]

TRIES = 10
"""How often a step is begun anew whose answer was lost."""

T = TypeVar("T")


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of at most ``size``."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def once(
    connection: Connection,
    method: str,
    data: Any,
    ask: Callable[[], list[dict[str, Any]]],
    *,
    expected: int,
) -> list[dict[str, Any]]:
    """Return what a method made, which is never made twice.

    Where the answer is lost, ``ask`` says what is there: all of it, or nothing, and only then the
    request is sent again.
    """
    for _ in range(TRIES):
        try:
            answer: list[dict[str, Any]] = connection.post(method, data, repeatable=False)
        except AnswerLost:
            answer = ask()
            if not answer:
                continue
        if len(answer) != expected:
            raise TargetError(
                f"the instance made another number of entries at {method}",
                path=connection.address,
                found=len(answer),
                expected=expected,
                remedy="Look at the volume on the instance; existing='replace' makes it anew.",
            )
        return answer
    raise lost_each_time(connection, method)


def remove(
    connection: Connection,
    method: str,
    ids: Sequence[int],
    body: Callable[[list[int]], Any],
    ask: Callable[[], list[int]],
) -> None:
    """Remove what has these ids.

    The instance refuses to remove what is gone, so that a request whose answer is lost is not
    sent again before ``ask`` has said what is still there.
    """
    left = list(ids)
    for _ in range(TRIES):
        try:
            connection.post(method, body(left), repeatable=False)
            return
        except AnswerLost:
            there = set(ask())
            left = [number for number in left if number in there]
            if not left:
                return
    raise lost_each_time(connection, method)


def lost_each_time(connection: Connection, method: str) -> TargetError:
    """Return the error for a step that was begun anew too often."""
    return TargetError(
        f"the answer to {method} is lost each time",
        path=connection.address,
        remedy="Check the network; the same call goes on where this one ended.",
    )
