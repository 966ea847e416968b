"""Requests to an instance: time-outs, retries with back-off, and plain errors.

The SDK's own ``api.post`` has no time-out on a dead server and sends an empty body when it tries a
multipart request again (6.74), so requests are made here; methods and bodies are the SDK's.
"""

from __future__ import annotations

import base64
import hashlib
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import requests

from nifti_kit.errors import TargetError
from nifti_kit.targets.instance.credentials import clean_address, token_here
from nifti_kit.targets.instance.forms import (
    Body,
    FormFile,
    FormText,
    form_body,
    json_body,
    parts_in,
)

__all__ = ["AnswerLost", "Connection", "NotThere", "Refused", "hash_of"]

CONNECT_S, ANSWER_S = 5.0, 30.0
"""How long to wait for a connection and for each piece that is sent; and between two pieces of an
answer."""

PATIENCE_S = 45.0
"""Tries of one request end after this time (s): a dead server is clear within a minute."""

FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 8.0
"""Between two tries; doubled each time."""

PER_PAGE = 500
"""Entities asked for at once, where the instance allows it."""

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404

_BUSY = (429, 500, 502, 503, 504)
"""Answers that another try may change."""

_GATEWAY = (502, 504)
"""Of these, what a proxy says who has no answer: the instance may have carried it out."""

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


class AnswerLost(TargetError):
    """A request was sent, and its answer did not come: it may have been carried out."""


def hash_of(content: Sequence[bytes]) -> str:
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
        self._counted = threading.Lock()
        self.sent = 0
        """Bytes of the bodies of requests that were answered."""

    def counting(self) -> Connection:
        """Return a connection to the same instance that counts its own bytes from 0.

        They share what is open.
        """
        other = Connection(self.address, self._token, patience=self.patience)
        other._idle = self._idle
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

    def send(self, method: str, fields: Sequence[FormText | FormFile]) -> Any:
        """Return the JSON that a method answers to a form; it may be sent again.

        The fields keep their order, and may repeat.
        """
        return self._answer(method, True, form_body(fields)).json()

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
        end = time.monotonic() + self.patience
        wait, trouble = FIRST_WAIT_S, ""
        while True:
            asked = 0.0
            try:
                left = min(ANSWER_S, max(CONNECT_S, end - time.monotonic()))
                times = (CONNECT_S, left)
                with self._session() as session:
                    answer = session.post(url, headers=headers, timeout=times, data=body)
                with self._counted:
                    self.sent += len(body)
                if answer.ok:
                    return answer
                if answer.status_code not in _BUSY:
                    raise self._refused(f"{method}{about}", answer)
                trouble = f"status {answer.status_code}"
                if not repeatable and answer.status_code in _GATEWAY:
                    raise self._lost(method, trouble)
                asked = _retry_after(answer)
            except requests.RequestException as error:
                trouble = _plain(error)
                if not repeatable and not _never_sent(error):
                    raise self._lost(method, trouble) from None
            pause = max(asked, wait * random.uniform(0.5, 1.0))
            if time.monotonic() + pause > end:
                raise self._gone(method, trouble)
            time.sleep(pause)
            wait = min(2 * wait, LONGEST_WAIT_S)

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

    def _refused(self, method: str, answer: requests.Response) -> TargetError:
        said = self._without_token(_said(answer))
        status = answer.status_code
        if status == _FORBIDDEN and "token is not valid" in said:
            status = _UNAUTHORIZED
        message, remedy = _REFUSALS.get(
            status, ("the instance refuses a request", "See what it says.")
        )
        found = f"status {answer.status_code} to {method}: {said}"
        kind = NotThere if answer.status_code == _NOT_FOUND else Refused
        return kind(message, path=self.address, found=found, remedy=remedy)

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

    def _without_token(self, text: str) -> str:
        return text.replace(self._token, "***") if self._token else text


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


def _retry_after(answer: requests.Response) -> float:
    """Return the seconds that the instance asks to wait for; 0 where it says nothing."""
    try:
        return min(max(float(answer.headers.get("Retry-After", 0)), 0.0), PATIENCE_S)
    except ValueError:  # a date: our own waiting is as good
        return 0.0


def _never_sent(error: requests.RequestException) -> bool:
    """Say whether a request cannot have reached the instance."""
    return isinstance(error, requests.ConnectTimeout) or "NewConnectionError" in repr(error)


def _plain(error: requests.RequestException) -> str:
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
