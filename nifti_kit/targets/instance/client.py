"""Requests to an instance: time-outs, retries with back-off, and plain errors.

The SDK's own ``api.post`` has no time-out on a dead server and sends an empty body when it tries a
multipart request again (6.74), so requests are made here; methods and bodies are the SDK's.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import requests

from nifti_kit.errors import TargetError, visible
from nifti_kit.targets.instance.credentials import Address, Secret, token_here
from nifti_kit.targets.instance.wire import (
    LOOK_BETWEEN,
    MOST_SAID,
    Asked,
    Body,
    Bytes,
    FormFile,
    FormText,
    Limit,
    Trouble,
    bytes_in,
    field,
    form_body,
    form_in,
    json_body,
    json_in,
    of_shape,
    records,
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


def refusal(address: str, method: str, answer: requests.Response, secret: Secret) -> Refused:
    """Return the error for an answer that refuses; no secret shows in it."""
    said = _clean(_said(answer), secret)
    status = answer.status_code
    if status == _FORBIDDEN and "token is not valid" in said:
        status = _UNAUTHORIZED
    message, remedy = _REFUSALS.get(status, ("the instance refuses a request", "See what it says."))
    found = f"status {answer.status_code} to {method}: {said}"
    kind = NotThere if answer.status_code == _NOT_FOUND else Refused
    return kind(message, path=address, found=found, remedy=remedy)


def redirection(address: str, method: str, answer: requests.Response, secret: Secret) -> Refused:
    """Return the error for an answer that points elsewhere, where no token goes."""
    url, found = _target_of(answer), f"status {answer.status_code} to {method}"
    if url is None:
        return Refused(_POINTS, path=address, found=f"{found}, without an address",
                       remedy=LOOK_BETWEEN)  # fmt: skip
    place, path = f"{url.scheme}://{url.netloc.rpartition('@')[2]}", url.path.rstrip("/")
    remedy = LOOK_BETWEEN
    if path.endswith(f"{API}{method}"):  # the same instance, by another name
        at = f"{place}{path.removesuffix(f'{API}{method}')}"
        remedy = f"If you trust it, set SERVER_ADDRESS to {_clean(at, secret)}"
    return Refused(_POINTS, path=address, found=f"{found}: {_clean(place, secret)}", remedy=remedy)


_POINTS = "the instance points to another address, and the token is not sent there"


def _target_of(answer: requests.Response) -> SplitResult | None:
    """Return where an answer points to; None where it does not say so in a way that is read."""
    try:
        url = urlsplit(urljoin(answer.url, answer.headers["Location"]))
    except (KeyError, ValueError):
        return None
    return url if url.netloc else None


def _clean(text: str, secret: Secret) -> str:
    """Return a text of a server, to be shown; hidden before it is cut, where half would stay."""
    return visible(secret.hidden(text))[:MOST_SAID]


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
    """Return what an answer says, as it is: not yet to be shown."""
    content = json_in(answer)
    if isinstance(content, Trouble):
        return str(answer.reason or "")
    if not isinstance(content, dict):
        return str(content)
    details = content.get("details")
    said = str(content.get("error", ""))
    return f"{said} {details}" if details else said


CONNECT_S, ANSWER_S = 5.0, 30.0
"""How long to wait for a connection and for each piece that is sent; and between two pieces of an
answer."""

PATIENCE_S = 45.0
"""Tries of one request end after this time (s): a dead server is clear within a minute."""

FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 8.0
"""Between two tries; doubled each time."""

PER_PAGE = 500
"""Entities asked for at once, where the instance allows it."""

_OPEN = (408, 500, 502, 503, 504, *range(520, 528))
"""Answers of an instance, or of a gateway before it (from 520 on: Cloudflare), to a request that
may have been carried out. Another try may change them."""

_TOO_MANY = (429, 503)
"""What says that there are too many requests. A 429 is given before anything is carried out."""

_ELSEWHERE = range(300, 400)
"""What says that the answer is elsewhere; nothing follows it there."""

PUZZLED_TRIES = 3
"""How often an answer is asked for anew that is none of the instance: a proxy that starts again has
a page for some moments, a login page stays."""

MOST_PAGES = 2000
"""Of a list: a million entries, 500 at a time. No project has so many; an instance that has more is
one that does not end."""

API = "/public/api/v3/"
"""Before each method."""


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

    ``address``: such as ``https://app.supervisely.com``.
    ``token``: the API token; None takes it from the environment when it is first needed, as a
    worker in another process does: the token is never sent there.
    """

    def __init__(self, address: str, token: str | None, *, patience: float = PATIENCE_S) -> None:
        place = Address(address)
        self._secret = None if token is None else Secret(token, place.login)
        del address, token  # the traceback of an error shows what is local
        self.address = str(place.checked())
        """The address as it is shown and kept, without what a login in it says."""
        self.site = place.site  # the address without a login: where requests and browsers go
        if self._secret is not None:
            self._secret.checked(self.address)
            place.warn_if_open()
        self.patience = patience
        self._idle: list[_Session] = []
        self._limit = Limit()
        self._counted = threading.Lock()
        self.sent = 0  # bytes of the bodies of requests that were answered

    def counting(self) -> Connection:
        """Return a connection to the same instance that counts its own bytes from 0.

        They share what is open, and how many requests may be on their way.
        """
        other = Connection(self.address, None, patience=self.patience)
        other._secret, other._idle, other._limit = self._secret, self._idle, self._limit
        return other

    def __repr__(self) -> str:
        return f"<Connection {self.address}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave the token out: a worker takes it from its own environment."""
        return (_connected_here, (self.address, self.patience))

    def post(self, method: str, data: Any, *, repeatable: bool = True) -> Any:
        """Return the JSON that a method answers.

        ``method``: such as ``volumes.list``.
        ``repeatable``: false where doing it twice does harm: then a lost answer is an
        :class:`AnswerLost`.
        Raises AnswerLost if it may have been carried out, and must not be sent again. Raises
        TargetError if the instance refuses, is not there, or something else answers.
        """
        return self._asked(method, data, json_in, repeatable)

    def send(
        self, method: str, fields: Sequence[FormText | FormFile], *, repeatable: bool = True
    ) -> Any:
        """Return the JSON that a method answers to a form, as :meth:`post`.

        The fields keep their order, and may repeat.
        """
        return self._answer(method, repeatable, form_body(fields), json_in)

    def record(self, method: str, data: Any, *, repeatable: bool = True) -> dict[str, Any]:
        """Return the object that a method answers, as :meth:`post`; nothing else is taken."""
        return of_shape(self.post(method, data, repeatable=repeatable), dict, self.asked(method))

    def bytes_of(self, method: str, data: Any) -> bytes:
        """Return the bytes that a method answers: a file, not a page."""
        content: bytes = self._asked(method, data, bytes_in)
        return content

    def parts_of(self, method: str, data: Any) -> dict[str, bytes]:
        """Return the parts of the form that a method answers, by name."""
        parts: dict[str, bytes] = self._asked(method, data, form_in)
        return parts

    def entities(self, method: str, data: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return all entities of a list, page by page; each has an id.

        Raises TargetError if the list repeats itself, or does not end.
        """
        asked = self.asked(method)
        found: dict[int, dict[str, Any]] = {}
        for page in range(1, MOST_PAGES + 1):
            answer = self.post(method, {**data, "page": page, "per_page": PER_PAGE})
            rows = {field(row, "id", int, asked): row for row in records(answer, asked, "entities")}
            if rows and rows.keys() <= found.keys():
                raise self._endless(method, f"nothing new on page {page}")
            found |= rows
            last = answer.get("pagesCount") or 1
            if not rows or page >= of_shape(last, int, asked, "pagesCount"):
                return list(found.values())
        raise self._endless(method, f"{MOST_PAGES} pages, and more to come")

    def asked(self, method: str) -> Asked:
        """Return what names a method in the error for an answer of another shape."""
        return Asked(method, self.address)

    def _asked(
        self, method: str, data: Any, read: Callable[[requests.Response], Any],
        repeatable: bool = True,
    ) -> Any:  # fmt: skip
        return self._answer(method, repeatable, json_body(data), read, _asked_for(method, data))

    def _answer(
        self,
        method: str,
        repeatable: bool,
        body: Body,
        read: Callable[[requests.Response], Any],
        about: str = "",
    ) -> Any:
        """Return what is read in the answer to a request.

        ``about`` says in an error what was asked for. What raises here has left every function
        below: their variables, and those of the libraries, hold the token.
        """
        patience = _Patience(self.patience, self._limit)
        puzzled = 0
        while True:
            came = self._tried(method, body, patience)
            if isinstance(came, requests.Response):
                if not came.ok or came.status_code in _ELSEWHERE:
                    raise self._refused(f"{method}{about}", came)
                came = read(came)
            if not isinstance(came, Trouble):
                return came
            if came.lost and not repeatable:
                raise AnswerLost(
                    f"the answer to {method} was lost", path=self.address, found=came.found
                )
            _LOG.info("%s: %s; trying again", method, came.found)
            puzzled += bool(came.expected)
            if puzzled >= PUZZLED_TRIES or not patience.pause(came.pause):
                raise self._gone(method, came)

    def _tried(self, method: str, body: Body, patience: _Patience) -> requests.Response | Trouble:
        """Send once; return the answer, or what came in its place."""
        if self._secret is None:
            self._secret = token_here(self.address)
        try:
            answer = self._sent(method, body, patience)
        except requests.RequestException as error:
            return Trouble(plain(error), lost=not never_sent(error))
        except TimeoutError as error:
            raise self._gone(method, Trouble(str(error), lost=False)) from None
        status = answer.status_code
        if status not in (*_OPEN, *_TOO_MANY):
            return answer
        return Trouble(f"status {status}", status in _OPEN, retry_after(answer, self.patience))

    def _sent(self, method: str, body: Body, patience: _Patience) -> requests.Response:
        """Send once, when there is a turn; count the bytes of what is answered."""
        with self._limit.turn(method, len(body), self.patience) as turn, self._session() as session:
            answer = session.post(
                f"{self.site}{API}{method}",
                headers={"Content-Type": body.kind},
                auth=self._secret,
                timeout=(CONNECT_S, patience.left()),
                data=body,
                allow_redirects=False,
            )
            if answer.status_code in _TOO_MANY:
                turn.refused(retry_after(answer, self.patience))
            else:
                turn.answered()
        with self._counted:
            self.sent += len(body)
        return answer

    @contextmanager
    def _session(self) -> Iterator[_Session]:
        """Give a session that nobody else has; it keeps its connection open for the next one.

        Threads come and go with each item: a session of each would be a new connection each time.
        """
        try:
            session = self._idle.pop()
        except IndexError:
            session = _Session()
        try:
            yield session
        except BaseException:
            session.close()
            raise
        self._idle.append(session)

    def _refused(self, method: str, answer: requests.Response) -> Refused:
        assert self._secret is not None
        told = redirection if answer.status_code in _ELSEWHERE else refusal
        return told(self.address, method, answer, self._secret)

    def _gone(self, method: str, came: Trouble) -> TargetError:
        if came.expected:
            return TargetError(
                f"the instance answers with something else than {came.expected}",
                path=self.address,
                found=f"{came.found} to {method}",
                expected=came.expected,
                remedy=LOOK_BETWEEN,
            )
        return TargetError(
            "the instance does not answer",
            path=self.address,
            found=f"{came.found} at {method}, for {self.patience:g} s",
            remedy="Check the address and the network. What has landed is in the journal: the "
            "same call goes on from there.",
        )

    def _endless(self, method: str, found: str) -> TargetError:
        return TargetError(
            f"the list of {method} does not end",
            path=self.address,
            found=found,
            expected=f"{MOST_PAGES} pages at most, each with something new",
            remedy=LOOK_BETWEEN,
        )


class _Session(requests.Session):
    """A session that goes nowhere else, and takes no text of an instance for an address."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None: nothing points anywhere."""


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
