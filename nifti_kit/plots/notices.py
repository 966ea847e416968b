"""Notices: what has no image to draw, in words on a figure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from nifti_kit.plots.figure import BACKGROUND, FAINT, INK, LINE, MARGIN, Picture, write

__all__ = ["noticed"]

WIDTH = 8.6
"""Of the sheet (inches): that of the narrowest picture of three planes."""

LETTERS = 88
"""Letters on a line: what fits the sheet in the font's usual width."""

MAX_LINES = 40
"""Lines that are written before the rest is counted: the figure stays on a screen."""


def noticed(title: str, lines: Sequence[str]) -> Picture:
    """Return a figure that says something in words: a title, and lines that are wrapped.

    Nothing in them is taken for a formula.
    """
    heading = textwrap.wrap(title, LETTERS - 16)
    wrapped = [
        piece for line in lines for piece in textwrap.wrap(line, LETTERS, subsequent_indent="    ")
    ]
    shown = wrapped[:MAX_LINES]
    if len(wrapped) > MAX_LINES:
        shown = [*wrapped[: MAX_LINES - 1], f"and {len(wrapped) - MAX_LINES + 1} more lines"]
    below = MARGIN + LINE * 1.3 * len(heading) + LINE / 2
    height = below + LINE * len(shown) + MARGIN
    figure = Picture(figsize=(WIDTH, height), facecolor=BACKGROUND)
    figure.set_layout_engine("none")
    write(figure, MARGIN, MARGIN, "\n".join(heading), size=11, weight="bold", color=INK)
    for at, line in enumerate(shown):
        write(figure, MARGIN, below + at * LINE, line, size=9, color=FAINT)
    figure.description = "; ".join([title, *map(str.strip, lines)])
    return figure
