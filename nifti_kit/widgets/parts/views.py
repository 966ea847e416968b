"""What every view is made of: escaped text, headings, notices, buttons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as w

from nifti_kit.core import html

__all__ = [
    "FRONT",
    "action",
    "classed",
    "discard",
    "front",
    "heading",
    "notice",
    "paragraph",
    "say",
    "styles",
]

FRONT = Path(__file__).parents[1] / "front"
"""The scripts and styles of the views; they load nothing from elsewhere."""


def front(name: str) -> str:
    """Return a script or style of the views.

    anywidget is given the text: of a path it keeps every widget, with its model, for ever.
    """
    return (FRONT / name).read_text("utf-8")


def classed(widget: Any, *names: str) -> Any:
    """Return a widget with CSS classes, by which styles and tests find it."""
    for name in names:
        widget.add_class(name)
    return widget


def say(text: object = "", *names: str) -> Any:
    """Return a line of plain text, in which markup is shown as it is written."""
    return classed(w.HTML(paragraph(text)), "nk-text", *names)


def discard(widget: Any) -> None:
    """Close a widget and all within it; ipywidgets keeps others, and their models, for ever."""
    for child in getattr(widget, "children", ()):
        discard(child)
    for part in (getattr(widget, "layout", None), getattr(widget, "style", None), widget):
        if part is not None:
            part.close()


def heading(text: object, level: int = 3) -> Any:
    """Return a heading; screen readers jump from one to the next."""
    return classed(w.HTML(html.element(f"h{level}", str(text))), "nk-heading")


class notice(w.VBox):  # noqa: N801  (used as a builder, like the functions beside it)
    """Lines that tell why something cannot be done; empty and invisible where nothing is wrong.

    Screen readers announce it when it changes.
    """

    def __init__(self, lines: Iterable[str] = (), kind: str = "warning") -> None:
        self._lines = w.HTML()
        super().__init__([self._lines])
        classed(self, "nk-notice", f"nk-{kind}")
        self.say(lines)

    def say(self, lines: Iterable[str]) -> None:
        """Show these lines instead."""
        texts = [str(line) for line in lines]
        entries = [html.element("li", line) for line in texts]
        text = html.element("ul", *entries) if entries else ""
        self._lines.value = f"<div role='status'>{text}</div>"
        self.layout.display = "" if texts else "none"


def action(
    text: str, do: Callable[[], Any], *names: str, primary: bool = False, hint: str = ""
) -> Any:
    """Return a button that calls a function."""
    button = w.Button(
        description=text, button_style="primary" if primary else "", tooltip=hint or text
    )
    button.layout.width = "max-content"
    button.on_click(lambda _: do())
    return classed(button, "nk-action", *names)


class _Front(anywidget.AnyWidget):
    _esm = front("app.js")
    _css = front("nifti_kit.css")


def styles() -> Any:
    """Return what every app has among its parts: its styles, and the keyboard kept to itself.

    It shows nothing.
    """
    return classed(_Front(), "nk-styles")


def paragraph(text: object) -> html.Markup:
    """Return text as safe HTML, for the value of what :func:`say` returned."""
    lines: Sequence[str] = str(text).splitlines() or [""]
    return html.join(html.element("div", line) for line in lines)
