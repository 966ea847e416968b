"""Requests that change something: none is sent a second time before it is asked what is there.

Their answers may be lost, or say nothing, so that it is open whether they were carried out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from nifti_kit.errors import TargetError
from nifti_kit.targets.instance.client import AnswerLost, Connection
from nifti_kit.targets.instance.wire import field, of_shape

_LOG = logging.getLogger("nifti_kit.targets")

TRIES = 10
"""How often a step is begun anew whose answer was lost."""


def once(
    connection: Connection,
    method: str,
    data: Any,
    ask: Callable[[], list[int]],
    *,
    expected: int,
) -> list[int]:
    """Return the ids of what a method made, which is never made twice.

    Where the answer is lost, ``ask`` says what is there of it: all of it, or nothing, and only then
    the request is sent again.
    """
    for _ in range(TRIES):
        try:
            made = _ids(connection.post(method, data, repeatable=False), method, connection)
        except AnswerLost:
            made = ask()
            _LOG.info("%s: answer lost; %d of %d are there", method, len(made), expected)
            if not made:
                continue
        if len(made) != expected:
            raise TargetError(
                f"the instance made another number of entries at {method}",
                path=connection.address,
                found=len(made),
                expected=expected,
                remedy="Make the same call again: it goes on with what it knows to be its own.",
            )
        return made
    raise lost_each_time(connection, method)


def _ids(answer: Any, method: str, connection: Connection) -> list[int]:
    """Return the ids in an answer; one without any says nothing of what was made."""
    asked = connection.asked(method)
    try:
        return [field(row, "id", int, asked) for row in of_shape(answer, list, asked)]
    except TargetError as error:
        raise AnswerLost(
            f"the answer to {method} has no ids", path=connection.address, found=error.found
        ) from None


def settled(
    connection: Connection,
    method: str,
    send: Callable[[], Any],
    is_done: Callable[[], bool],
) -> None:
    """Send what changes something until it is carried out.

    Where the answer is lost, ``is_done`` asks whether it was, before it is sent again.
    """
    for _ in range(TRIES):
        try:
            send()
            return
        except AnswerLost:
            if is_done():
                _LOG.info("%s: answer lost; it was carried out", method)
                return
    raise lost_each_time(connection, method)


def remove(
    connection: Connection,
    method: str,
    ids: Sequence[int],
    body: Callable[[list[int]], Any],
    ask: Callable[[], list[int]],
    look: Callable[[], Any],
) -> None:
    """Remove what has these ids.

    ``look`` sees first that it may go. The instance refuses to remove what is gone, so that a
    request whose answer is lost is not sent again before ``ask`` has said what is still there, and
    ``look`` has seen that it still may go: people work on it meanwhile.
    """
    left = list(ids)
    look()

    def are_gone() -> bool:
        there = set(ask())
        left[:] = [number for number in left if number in there]
        if left:
            look()
        return not left

    def send() -> None:
        connection.post(method, body(left), repeatable=False)

    settled(connection, method, send, are_gone)


def lost_each_time(connection: Connection, method: str) -> TargetError:
    """Return the error for a step that was begun anew too often."""
    return TargetError(
        f"the answer to {method} is lost each time",
        path=connection.address,
        remedy="Check the network; the same call goes on where this one ended.",
    )
