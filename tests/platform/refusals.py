"""What the platform refuses, and the JSON that says so."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """A request that the platform does not carry out.

    Parameters
    ----------
    status
        Of the HTTP answer.
    message
        What is wrong.
    details
        Further fields of ``details``, such as the type ``NONUNIQUE``.
    """

    def __init__(self, status: int, message: str, **details: Any) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details

    def to_json(self) -> dict[str, Any]:
        """Return the body of the answer; the SDK reads ``error`` and ``details.message``."""
        return {"error": self.message, "details": {"message": self.message, **self.details}}


def wrong(message: str) -> Refused:
    """Return a refusal for a request that cannot be carried out as it is."""
    return Refused(400, message, type="VALIDATION")


def missing(message: str) -> Refused:
    """Return a refusal for something that was asked for and does not exist; for the SDK, None."""
    return Refused(404, message, type="NOT_FOUND")


def not_unique(message: str, taken: list[dict[str, Any]]) -> Refused:
    """Return a refusal for names that are taken, with the id and the name of who has them."""
    errors = [{"id": row["id"], "name": row["name"]} for row in taken]
    return Refused(400, message, type="NONUNIQUE", errors=errors)


def need(data: dict[str, Any], field: str, kind: type | tuple[type, ...] = int) -> Any:
    """Return a field of a request that must be there and of this type."""
    value = data.get(field) if isinstance(data, dict) else None
    if not isinstance(value, kind):
        raise wrong(f'"{field}" is required, not {value!r}')
    return value
