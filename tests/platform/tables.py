"""Rows of one kind, and the filters and pages of the platform's lists."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

from tests.platform.refusals import missing, wrong

Row = dict[str, Any]
"""A thing of the platform: its fields under the names of the API."""


class Table:
    """Things of one kind by id, in the order in which they were made."""

    def __init__(self, kind: str, ids: Iterator[int]) -> None:
        self.kind = kind
        self.rows: dict[int, Row] = {}
        self._ids = ids

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(list(self.rows.values()))

    def __contains__(self, id: int) -> bool:  # noqa: A002 - the word of the API
        return id in self.rows

    def add(self, **fields: Any) -> Row:
        """Return a new row with an id and the time."""
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        row = {"id": next(self._ids), **fields, "createdAt": now, "updatedAt": now}
        self.rows[row["id"]] = row
        return row

    def asked(self, id: Any) -> Row:  # noqa: A002
        """Return the row that a request asks for; 404 where there is none."""
        if id not in self.rows:
            raise missing(f"{self.kind} with id {id} does not exist")
        return self.rows[id]

    def named(self, id: Any) -> Row:  # noqa: A002
        """Return the row that a request builds upon; 400 where there is none."""
        if id not in self.rows:
            raise wrong(f"{self.kind} with id {id} does not exist")
        return self.rows[id]

    def where(self, **fields: Any) -> list[Row]:
        """Return the rows that have these values."""
        return [row for row in self if all(row[key] == value for key, value in fields.items())]

    def one(self, **fields: Any) -> Row:
        """Return the only row that has these values."""
        rows = self.where(**fields)
        assert len(rows) == 1, f"{len(rows)} of {self.kind} have {fields}"
        return rows[0]


def _in(value: str, wanted: Any) -> bool:
    return value in [str(one) for one in wanted]


OPERATORS: dict[str, Callable[[str, Any], bool]] = {
    "=": lambda value, wanted: value == str(wanted),
    "!=": lambda value, wanted: value != str(wanted),
    "in": _in,
    "!in": lambda value, wanted: not _in(value, wanted),
}
"""Comparisons of a filter; both sides as text, since the SDK's examples give ids as text."""


def filtered(rows: list[Row], filters: Any) -> list[Row]:
    """Return the rows that pass all filters ``{"field", "operator", "value"}``."""
    for one in filters or []:
        field, operator = one.get("field"), one.get("operator", "=")
        if operator not in OPERATORS:
            raise wrong(f"unknown operator {operator!r}")
        if rows and field not in rows[0]:
            raise wrong(f"unknown field {field!r}")
        rows = [row for row in rows if OPERATORS[operator](str(row[field]), one.get("value"))]
    return rows


def page(rows: list[Row], data: dict[str, Any], size: int) -> dict[str, Any]:
    """Return one page (from 1) of the rows that pass the request's filters, sorted as it asks."""
    rows = filtered(rows, data.get("filter"))
    if rows and (key := data.get("sort", "id")) in rows[0]:
        rows = sorted(rows, key=lambda row: row[key], reverse=data.get("sort_order") == "desc")
    size = int(data.get("per_page", size))
    first = (int(data.get("page", 1)) - 1) * size
    return {
        "total": len(rows),
        "perPage": size,
        "pagesCount": max(1, math.ceil(len(rows) / size)),
        "entities": rows[first : first + size],
    }
