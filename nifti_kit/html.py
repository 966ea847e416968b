"""Escaped HTML for notebook reprs: plain string builders without knowledge of what they show.

Everything that comes from a file name, a class name or a table cell passes :func:`text`, because
a file may be named ``<img src=x onerror=...>.nii.gz``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["Markup", "details", "join", "swatch", "table", "text", "title"]

_CELL = "text-align:left;padding:2px 10px 2px 0;vertical-align:top"


class Markup(str):
    """HTML that is already safe; any other string is escaped when it is put into a builder."""

    __slots__ = ()


def text(value: object) -> Markup:
    """Return ``value`` as escaped HTML; :class:`Markup` passes unchanged."""
    return value if isinstance(value, Markup) else Markup(escape(str(value), quote=True))


def title(value: object) -> Markup:
    """Return a small heading."""
    return Markup(f"<p style='margin:6px 0'><b>{text(value)}</b></p>")


def swatch(color: Sequence[int]) -> Markup:
    """Return a coloured square for an RGB triple of 0 to 255."""
    red, green, blue = (int(channel) for channel in color)
    return Markup(
        "<span aria-hidden='true' style='display:inline-block;width:0.9em;height:0.9em;"
        "border:1px solid #888;margin-right:0.4em;"
        f"background:rgb({red},{green},{blue})'></span>"
    )


def table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> Markup:
    """Return a table; each cell is escaped unless it is :class:`Markup`."""
    head = "".join(f"<th scope='col' style='{_CELL}'>{text(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td style='{_CELL}'>{text(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return Markup(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def details(summary: object, content: Markup, *, unfolded: bool = False) -> Markup:
    """Return ``content`` under ``summary``, which folds and unfolds it."""
    state = " open" if unfolded else ""
    return Markup(f"<details{state}><summary>{text(summary)}</summary>{content}</details>")


def join(parts: Iterable[Markup]) -> Markup:
    """Return the parts, one after the other."""
    return Markup("".join(parts))
