"""What an instance says when it refuses, in words that tell what to do."""

from __future__ import annotations

import requests

from nifti_kit.errors import TargetError

__all__ = ["NotThere", "Refused", "never_sent", "plain", "refusal", "retry_after"]

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
