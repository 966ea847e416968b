"""Where an instance is, and what opens it: no text form of these shows a password or a token."""

from __future__ import annotations

import base64
import ipaddress
import os
import re
import warnings
from functools import cache
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote, urlsplit

import requests
from dotenv import dotenv_values
from requests.auth import AuthBase, HTTPBasicAuth
from requests.utils import get_netrc_auth

from nifti_kit.errors import TargetError, visible

SDK_FILE = "~/supervisely.env"
"""Where the SDK keeps address and token; the environment goes before it."""

HIDDEN = "***"
"""What stands in place of a secret."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
"""RFC 3986; what else stands before ``://`` may be a part of a login, which is not shown."""

_RESERVED = "/?#\\"
"""What ends the host for some programs and not for others: a login with one of them unescaped is
read in two ways."""


class Address:
    """The address of an instance, and the login for a proxy that may stand in it.

    Nothing is checked before :meth:`checked`: an error's traceback shows the variables of each
    function on its way, and this object is all that they hold.
    """

    def __init__(self, text: str) -> None:
        text = text.strip()
        scheme, slashes, rest = text.partition("://")
        if not slashes or not _SCHEME.fullmatch(scheme):
            scheme, rest = "https", text
        self._login, self._at, place = rest.rpartition("@")
        self._scheme, self._place = scheme.casefold(), place.rstrip("/")

    def __repr__(self) -> str:
        return f"<Address {self}>"

    def __str__(self) -> str:
        """Return the address as it is shown and kept: with what is before the host hidden."""
        return f"{self._scheme}://{HIDDEN if self._at else ''}{self._at}{self._place}"

    @property
    def site(self) -> str:
        """The address without a login: where requests and browsers go."""
        return f"{self._scheme}://{self._place}"

    @property
    def login(self) -> Login | None:
        """User and password, where the address has them."""
        return Login(self._login) if self._at else None

    def checked(self) -> Address:
        """Return the address, which requests can go to.

        Raises TargetError if it is none, or of another kind than ``http://`` and ``https://``.
        """
        if problem := self._problem():
            raise TargetError(
                "this is no address of an instance",
                path=visible(self),
                found=problem,
                expected="such as https://app.supervisely.com",
                remedy="Set SERVER_ADDRESS to the address that the instance is opened with.",
            )
        return self

    def _problem(self) -> str:
        whole = f"{self._scheme}://{self._login}{self._at}{self._place}"
        if visible(whole) != whole or " " in whole:
            return "a space, a line end or another character that cannot be seen"
        if self._scheme not in ("http", "https"):
            return f"{self._scheme}://, to which no token is sent"
        if set(self._login) & set(_RESERVED):
            return f"one of {' '.join(_RESERVED)} before the @; write it as % and two digits"
        if set(self._place) & set("?#\\") or "//" in self._place:
            return "more than scheme, host, port and path"
        return "" if _can_be_asked(self.site) else "a host or port that there cannot be"

    def warn_if_open(self) -> None:
        """Warn once of an address that sends the token unencrypted to another machine."""
        if self._scheme == "http" and not _is_here(urlsplit(self.site).hostname or ""):
            _warn_open(str(self))


def _can_be_asked(url: str) -> bool:
    """Say whether requests takes an address."""
    try:
        requests.PreparedRequest().prepare_url(url, None)
    except (requests.RequestException, ValueError):
        return False
    parts = urlsplit(url)
    return bool(parts.hostname) and not parts.netloc.endswith(":")


def _is_here(host: str) -> bool:
    """Say whether a host is this very machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return False


_TO_THE_CALLER = 5
"""Calls from the warning up to who makes an ``Instance``: a notebook shows the line."""


@cache
def _warn_open(address: str) -> None:
    warnings.warn(
        f"{address}: the token and the images go over the network unencrypted. "
        "Set SERVER_ADDRESS to the https:// address of the instance, if it has one.",
        stacklevel=_TO_THE_CALLER,
    )


class Login:
    """User and password of an address."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return HIDDEN

    def auth(self) -> HTTPBasicAuth:
        """Return what puts it into a request; as UTF-8, which holds every letter (RFC 7617)."""
        user, _, password = self._text.partition(":")
        return HTTPBasicAuth(unquote(user).encode(), unquote(password).encode())

    def forms(self) -> list[str]:
        """Return the texts that would give the password away."""
        password = self._text.partition(":")[2]
        packed = base64.b64encode(unquote(self._text).encode()).decode("ascii")
        return [packed, unquote(password), password]


class Unshown(str):
    """A text that is not shown with the variables of a function: libraries keep headers in some.

    Who stops the kernel while an answer is awaited stops in one of those.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return HIDDEN


class Secret(AuthBase):
    """A token, and the login before it. They come into a request when it goes out, not earlier."""

    __slots__ = ("_login", "_token")

    def __init__(self, token: str, login: Login | None = None) -> None:
        self._token, self._login = str(token).strip(), login

    def __repr__(self) -> str:
        return HIDDEN

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token is sent to no other process")

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Return a request that bears the token."""
        request.headers["x-api-key"] = Unshown(self._token)
        known = get_netrc_auth(request.url or "")  # as requests does where nothing is given
        auth = self._login.auth() if self._login else known and HTTPBasicAuth(*known)
        if auth:
            auth(request)
            request.headers["Authorization"] = Unshown(request.headers["Authorization"])
        return request

    def checked(self, address: str) -> Secret:
        """Return the secret, which can be sent.

        Raises TargetError if the token is empty, or has characters that no token has; it is not
        shown.
        """
        whole = self._token.isascii() and self._token.isprintable() and " " not in self._token
        if self._token and whole:
            return self
        inside = "spaces, line ends or letters beyond ASCII inside"
        raise TargetError(
            "the token cannot be sent",
            path=address,
            found=inside if self._token else "an empty token",
            remedy="Set API_TOKEN to the token as the page of your account shows it.",
        )

    def hidden(self, text: str) -> str:
        """Return a text without the secrets that it may repeat."""
        for form in (self._token, *(self._login.forms() if self._login else ())):
            text = text.replace(form, HIDDEN) if form else text
        return text


# Where a worker in another process or on another machine takes its token from


def token_here(address: str) -> Secret:
    """Return the token that this process has for an instance, given by its shown address.

    Raises TargetError if it has none, or one for another instance.
    """
    there, secret = _environment()
    if there is not None and secret is not None and str(there) == address:
        return secret.checked(address)
    raise TargetError(
        "a worker has no token for the instance: tokens are not sent to workers",
        path=address,
        found="no SERVER_ADDRESS" if there is None else f"SERVER_ADDRESS is {visible(there)}",
        expected=f"SERVER_ADDRESS and API_TOKEN in the worker's environment, or in {SDK_FILE}",
        remedy="Set both where the workers are started.",
    )


def _environment() -> tuple[Address | None, Secret | None]:
    """Return what the environment says, else the SDK's file."""
    named = ("SERVER_ADDRESS", "API_TOKEN")
    known = os.environ if all(map(os.environ.get, named)) else {**_sdk_file(), **os.environ}
    server, token = map(known.get, named)
    there = Address(server) if server else None
    return there, Secret(token, there.login if there else None) if token else None


def _sdk_file() -> dict[str, str | None]:
    try:
        return dotenv_values(Path(SDK_FILE).expanduser())
    except (OSError, UnicodeDecodeError) as error:
        found = getattr(error, "strerror", None) or "bytes that are no UTF-8"
    raise TargetError(  # here, where no frame below holds the file's text
        "the SDK's file cannot be read",
        path=SDK_FILE,
        found=found,
        remedy="Set SERVER_ADDRESS and API_TOKEN in the environment, or save the file as text.",
    )
