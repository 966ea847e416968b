"""Requests to an instance: time-outs, retries with back-off, and plain errors.

The SDK's own ``api.post`` has no time-out on a dead server and sends an empty body when it tries a
multipart request again (6.74), so requests are made here; methods and bodies are the SDK's.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import random
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from dotenv import dotenv_values

from nifti_kit.errors import TargetError
from nifti_kit.targets.instance.wire import (
    Body,
    Bytes,
    FormFile,
    FormText,
    Limit,
    form_body,
    json_body,
    parts_in,
)

_LOG = logging.getLogger("nifti_kit.targets")

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404

_REFUSALS = {
    401: ("the instance does not accept the token", "Set API_TOKEN to a valid token."),
    403: (
        "the token has no permission for this, or the plan's quota is full",
        "Ask for access to the project (annotator rights are not enough), or free some space.",
    ),
    404: (
        "the instance does not know what was asked for",
        "Check the ids of project, dataset and volumes; an archived project cannot be used.",
    ),
    402: ("the quota of the plan is full", "Free some space, or extend the plan."),
    413: ("the instance refuses a body of this size", "Ask its administrator for the limit."),
}


class Refused(TargetError):
    """The instance has answered, and refuses."""


class NotThere(Refused):
    """The instance does not have what was asked for."""


def refusal(address: str, method: str, answer: requests.Response, hide: str) -> TargetError:
    """Return the error for an answer that refuses; ``hide`` (the token) never shows in it."""
    said = _said(answer)
    said = said.replace(hide, "***") if hide else said
    status = answer.status_code
    if status == _FORBIDDEN and "token is not valid" in said:
        status = _UNAUTHORIZED
    message, remedy = _REFUSALS.get(status, ("the instance refuses a request", "See what it says."))
    found = f"status {answer.status_code} to {method}: {said}"
    kind = NotThere if answer.status_code == _NOT_FOUND else Refused
    return kind(message, path=address, found=found, remedy=remedy)


def retry_after(answer: requests.Response, most: float) -> float:
    """Return the seconds that the instance asks to wait for; 0 where it says nothing."""
    try:
        seconds = float(answer.headers.get("Retry-After", 0))
    except ValueError:  # a date: our own waiting is as good
        return 0.0
    return min(seconds, most) if seconds > 0 else 0.0


def never_sent(error: requests.RequestException) -> bool:
    """Say whether a request cannot have reached the instance."""
    return isinstance(error, requests.ConnectTimeout) or "NewConnectionError" in repr(error)


def plain(error: requests.RequestException) -> str:
    """Return what went wrong without the request's own text, which has headers."""
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if "NewConnectionError" in repr(error) or "NameResolution" in repr(error):
        return "no connection"
    return f"the connection broke ({type(error).__name__})"


def _said(answer: requests.Response) -> str:
    try:
        content = answer.json()
    except ValueError:
        return answer.reason or ""
    if not isinstance(content, dict):
        return str(content)[:_MOST]
    details = content.get("details")
    said = str(content.get("error", ""))
    return (f"{said} {details}" if details else said)[:_MOST]


_MOST = 300
"""Characters of an instance's answer that an error shows."""


# Credentials: where a worker in another process or on another machine takes its token from

SDK_FILE = "~/supervisely.env"
"""Where the SDK keeps address and token; the environment goes before it."""


def clean_address(address: str) -> str:
    """Return an address with its scheme, and without a slash at its end."""
    address = address.strip().rstrip("/")
    return address if "://" in address else f"https://{address}"


def token_here(address: str) -> str:
    """Return the token that this process has for an instance.

    Raises
    ------
    TargetError
        If it has none, or one for another instance.
    """
    known = {**dotenv_values(Path(SDK_FILE).expanduser()), **os.environ}
    server, token = known.get("SERVER_ADDRESS"), known.get("API_TOKEN")
    if server and token and clean_address(server) == address:
        return token
    raise TargetError(
        "a worker has no token for the instance: tokens are not sent to workers",
        path=address,
        found=f"SERVER_ADDRESS is {clean_address(server)}" if server else "no SERVER_ADDRESS",
        expected=f"SERVER_ADDRESS and API_TOKEN in the worker's environment, or in {SDK_FILE}",
        remedy="Set both where the workers are started.",
    )


CONNECT_S, ANSWER_S = 5.0, 30.0
"""How long to wait for a connection and for each piece that is sent; and between two pieces of an
answer."""

PATIENCE_S = 45.0
"""Tries of one request end after this time (s): a dead server is clear within a minute."""

FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 8.0
"""Between two tries; doubled each time."""

PER_PAGE = 500
"""Entities asked for at once, where the instance allows it."""

_BUSY = (429, 500, 502, 503, 504)
"""Answers that another try may change."""

_TOO_MANY = (429, 503)
"""Of these, what says that there are too many requests."""

_GATEWAY = (502, 504)
"""Of these, what a proxy says who has no answer: the instance may have carried it out."""


class AnswerLost(TargetError):
    """A request was sent, and its answer did not come: it may have been carried out."""


def hash_of(content: Iterable[Bytes]) -> str:
    """Return the hash by which the platform keeps a file, given in pieces: SHA-256, base64."""
    hashed = hashlib.sha256()
    for piece in content:
        hashed.update(piece)
    return base64.b64encode(hashed.digest()).decode("ascii")


class Connection:
    """Requests to the public API of one instance. Its text forms never show the token.

    Parameters
    ----------
    address
        Such as ``https://app.supervisely.com``.
    token
        The API token; None takes it from the environment when it is first needed, as a worker in
        another process does: the token is never sent there.
    """

    def __init__(self, address: str, token: str | None, *, patience: float = PATIENCE_S) -> None:
        self.address = clean_address(address)
        self.patience = patience
        self._token: str | None = token
        self._idle: list[requests.Session] = []
        self._limit = Limit()
        self._counted = threading.Lock()
        self.sent = 0
        """Bytes of the bodies of requests that were answered."""

    def counting(self) -> Connection:
        """Return a connection to the same instance that counts its own bytes from 0.

        They share what is open, and how many requests may be on their way.
        """
        other = Connection(self.address, self._token, patience=self.patience)
        other._idle, other._limit = self._idle, self._limit
        return other

    def __repr__(self) -> str:
        return f"<Connection {self.address}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave the token out: a worker takes it from its own environment."""
        return (_connected_here, (self.address, self.patience))

    def post(self, method: str, data: Any, *, repeatable: bool = True) -> Any:
        """Return the JSON that a method answers.

        Parameters
        ----------
        method
            Such as ``volumes.list``.
        data
            The body, as JSON.
        repeatable
            False where doing it twice does harm: then a lost answer is an :class:`AnswerLost`.

        Raises
        ------
        AnswerLost
            If it may have been carried out, and must not be sent again.
        TargetError
            If the instance refuses, or is not there.
        """
        return self._asked(method, data, repeatable).json()

    def send(
        self, method: str, fields: Sequence[FormText | FormFile], *, repeatable: bool = True
    ) -> Any:
        """Return the JSON that a method answers to a form, as :meth:`post`.

        The fields keep their order, and may repeat.
        """
        return self._answer(method, repeatable, form_body(fields)).json()

    def bytes_of(self, method: str, data: Any) -> bytes:
        """Return the bytes that a method answers."""
        return self._asked(method, data).content

    def parts_of(self, method: str, data: Any) -> dict[str, bytes]:
        """Return the parts of the form that a method answers, by name."""
        answer = self._asked(method, data)
        return dict(parts_in(answer.headers.get("Content-Type", ""), answer.content))

    def entities(self, method: str, data: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return all entities of a list, page by page."""
        found: list[dict[str, Any]] = []
        page = 1
        while True:
            answer = self.post(method, {**data, "page": page, "per_page": PER_PAGE})
            found += answer["entities"]
            if page >= int(answer.get("pagesCount") or 1):
                return found
            page += 1

    def _asked(self, method: str, data: Any, repeatable: bool = True) -> requests.Response:
        return self._answer(method, repeatable, json_body(data), _asked_for(method, data))

    def _answer(
        self, method: str, repeatable: bool, body: Body, about: str = ""
    ) -> requests.Response:
        """Return the answer to a request; ``about`` says in an error what was asked for."""
        url = f"{self.address}/public/api/v3/{method}"
        if self._token is None:
            self._token = token_here(self.address)
        headers = {"x-api-key": self._token, "Content-Type": body.kind}
        patience = _Patience(self.patience, self._limit)
        while True:
            asked = 0.0
            try:
                answer = self._sent(method, url, headers, body, patience)
                if answer.ok:
                    return answer
                if answer.status_code not in _BUSY:
                    raise refusal(self.address, f"{method}{about}", answer, hide=self._token)
                trouble, asked = f"status {answer.status_code}", retry_after(answer, self.patience)
                if not repeatable and answer.status_code in _GATEWAY:
                    raise self._lost(method, trouble)
            except requests.RequestException as error:
                trouble = plain(error)
                if not repeatable and not never_sent(error):
                    raise self._lost(method, trouble) from None
            except TimeoutError as error:
                raise self._gone(method, str(error)) from None
            _LOG.info("%s: %s; trying again", method, trouble)
            if not patience.pause(asked):
                raise self._gone(method, trouble)

    def _sent(
        self, method: str, url: str, headers: dict[str, str], body: Body, patience: _Patience
    ) -> requests.Response:
        """Send once, when there is a turn; count the bytes of what is answered."""
        with self._limit.turn(method, len(body), self.patience) as turn, self._session() as session:
            times = (CONNECT_S, patience.left())
            answer = session.post(url, headers=headers, timeout=times, data=body)
            if answer.status_code in _TOO_MANY:
                turn.refused(retry_after(answer, self.patience))
            else:
                turn.answered()
        with self._counted:
            self.sent += len(body)
        return answer

    @contextmanager
    def _session(self) -> Iterator[requests.Session]:
        """Give a session that nobody else has; it keeps its connection open for the next one.

        Threads come and go with each item: a session of each would be a new connection each time.
        """
        try:
            session = self._idle.pop()
        except IndexError:
            session = requests.Session()
        try:
            yield session
        except BaseException:
            session.close()
            raise
        self._idle.append(session)

    def _lost(self, method: str, trouble: str) -> AnswerLost:
        return AnswerLost(f"the answer to {method} was lost", path=self.address, found=trouble)

    def _gone(self, method: str, trouble: str) -> TargetError:
        return TargetError(
            "the instance does not answer",
            path=self.address,
            found=f"{trouble} at {method}, for {self.patience:g} s",
            remedy="Check the address and the network. What has landed is in the journal: the "
            "same call goes on from there.",
        )


class _Patience:
    """How long one request is tried, and how long it waits in between."""

    def __init__(self, seconds: float, limit: Limit) -> None:
        self._seconds, self._limit = seconds, limit
        self._begun = time.monotonic()
        self._end: float | None = None
        self._wait = FIRST_WAIT_S

    @property
    def end(self) -> float:
        """The last moment. What it waited for its first turn while others were answered is free."""
        if self._end is None:
            self._end = max(self._begun, self._limit.answered_at) + self._seconds
        return self._end

    def left(self) -> float:
        """Return the time-out of the next answer (s)."""
        return min(ANSWER_S, max(CONNECT_S, self.end - time.monotonic()))

    def pause(self, asked: float) -> bool:
        """Wait before the next try, as long as asked or longer; False where no time is left."""
        pause = max(asked, self._wait * random.uniform(0.5, 1.0))
        if time.monotonic() + pause > self.end:
            return False
        time.sleep(pause)
        self._wait = min(2 * self._wait, LONGEST_WAIT_S)
        return True


def _connected_here(address: str, patience: float) -> Connection:
    return Connection(address, None, patience=patience)


def _asked_for(method: str, data: Any) -> str:
    """Return which project, dataset or volume a request names, such as `` (project 3)``."""
    if not isinstance(data, dict):
        return ""
    kind = method.split(".", maxsplit=1)[0].removesuffix("s")
    named = {(kind if key == "id" else key.removesuffix("Id")): data[key]
             for key in ("id", "projectId", "datasetId", "volumeId") if key in data}  # fmt: skip
    return f" ({', '.join(f'{what} {number}' for what, number in named.items())})" if named else ""
