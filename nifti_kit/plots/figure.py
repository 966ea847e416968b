"""Figures: a sheet that shows itself, plain text, outlines, letters.

Nothing here touches pyplot: no global state, and no figure that stays open.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from matplotlib.textpath import TextToPath
from PIL import Image

from nifti_kit.core import html
from nifti_kit.core.html import Illustration
from nifti_kit.render.scene import DIRECTIONS, Color, Plane

BACKGROUND, INK, FAINT = "#15171a", "#f0f0f0", "#a0a0a0"
"""A dark sheet, as viewers have it: it goes with the light and the dark theme of a notebook."""

MARGIN, GAP, LINE, ROW = 0.2, 0.55, 0.2, 0.178
"""Around the sheet, between two pictures, a line of text, and one of the legend (inches)."""

MAX_NAME = 40
"""Letters of a name in the legend; a longer one is cut in its middle: its ends tell it apart."""

DARK = 0.3
"""A colour of less luminance (0 to 1) gets a white edge, others a black one."""

HINTING = 1.05
"""How much longer a text gets, at most, when its letters are moved to whole dots."""

SCREEN_DPI, PNG_DPI = 96, 144
"""Dots per inch that a picture is shown with, and that it has: sharp on dense screens."""

WEBP_METHOD = 2
"""From 0 (quick) to 6 (small): from here on a figure gets no smaller, and 0 is twice as large."""

PLAIN: dict[str, Any] = {"parse_math": False, "usetex": False}
"""For all text: names such as ``cost$^$`` are no formulas."""


TITLE: dict[str, Any] = {"size": 11, "weight": "bold"}
"""Of the line above a figure."""


class Picture(Figure):
    """A matplotlib figure that shows itself in a notebook, once, without pyplot.

    Attributes
    ----------
    description
        What it shows, in words; also its ``repr``, for terminals.
    """

    description = ""

    @classmethod
    def of(cls, width: float, height: float, title: str = "") -> Picture:
        """Return a dark sheet of so many inches, with a title that is cut where it is too long."""
        sheet = cls(figsize=(width, height), facecolor=BACKGROUND)
        sheet.set_layout_engine("none")  # the places are ours, whatever a person has set
        if title:
            write(sheet, MARGIN, MARGIN, fitted(title, width - 2 * MARGIN, **TITLE), **TITLE)
        return sheet

    def axes_at(self, left: float, top: float, width: float, height: float, **look: Any) -> Axes:
        """Return axes at a place in inches from the left and from the top."""
        wide, high = self.get_size_inches()
        place = (left / wide, 1 - (top + height) / high, width / wide, height / high)
        return self.add_axes(place, **look)

    def panel(self, left: float, top: float, width: float, height: float) -> Axes:
        """Return black axes for an image, with an edge around it and no numbers."""
        axes = self.axes_at(left, top, width, height, facecolor="black")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_color("#555555")
        return axes

    def key(self, left: float, top: float, handles: Sequence[Artist], **look: Any) -> list[Text]:
        """Draw a legend at a place in inches from the left and from the top; return its texts."""
        wide, high = self.get_size_inches()
        drawn = self.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(left / wide, 1 - top / high),
            prop={"size": 9},
            frameon=False,
            borderpad=0,
            borderaxespad=0,
            labelspacing=0.4,
            **look,
        )
        for text in drawn.get_texts():
            text.set(color=INK, **PLAIN)
        return drawn.get_texts()

    def __repr__(self) -> str:
        return f"<Picture: {self.description}>"

    __str__ = __repr__

    def png(self) -> bytes:
        """Return the content of a PNG file, as the notebook shows it."""
        out = io.BytesIO()
        with rc_context({"savefig.bbox": "standard"}):  # a person's own setting may cut it
            self.savefig(out, format="png", dpi=PNG_DPI, facecolor=self.get_facecolor())
        return out.getvalue()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Return it as HTML: JupyterLab and Voilà know alt texts of HTML only.

        It stands in the notebook's file once, as a WebP without loss: a third of two PNGs.
        """
        width, height = (round(inches * SCREEN_DPI) for inches in self.get_size_inches())
        packed = io.BytesIO()
        with Image.open(io.BytesIO(self.png())) as drawn:
            drawn.convert("RGB").save(packed, "WEBP", lossless=True, method=WEBP_METHOD)
        shown = Illustration(packed.getvalue(), self.description, width, height)
        return {"text/html": html.image(shown), "text/plain": repr(self)}


def write(figure: Figure, left: float, top: float, text: str, **style: Any) -> None:
    """Write a text whose corner is so many inches from the left and from the top."""
    width, height = figure.get_size_inches()
    look = {"color": INK, "va": "top", **style, **PLAIN}
    figure.text(left / width, 1 - top / height, text, **look)


def count(number: int, word: str) -> str:
    """Return a number with its noun, such as ``1,234 voxels``."""
    ending = "" if number == 1 else "es" if word.endswith("s") else "s"
    return f"{number:,} {word}{ending}"


def shortened(name: str, most: int = MAX_NAME) -> str:
    """Return a name on one line, cut in its middle where it is long."""
    plain = " ".join(name.split())
    half = (most - 1) // 2
    return plain if len(plain) <= most else f"{plain[:half]}…{plain[-half:]}"


def width_of(text: str, **font: Any) -> float:
    """Return how long a text on one line is (inches)."""
    points = TextToPath().get_text_width_height_descent(text, FontProperties(**font), ismath=False)
    return HINTING * float(points[0]) / 72


def fitted(text: str, room: float, **font: Any) -> str:
    """Return a text on one line that is cut in its middle until it fits (inches)."""
    short, most = shortened(text, len(text)), len(text)
    while most > MAX_NAME and width_of(short, **font) > room:
        most -= max(1, most // 20)
        short = shortened(text, most)
    return short


def outline(
    axes: Axes, inside: npt.NDArray[np.bool_], size: tuple[float, float], color: Color
) -> None:
    """Draw the edges between voxels (to the right, up) inside and outside: exact, not smoothed."""
    padded = np.pad(inside, 1).astype(np.int8)
    x, y = np.nonzero(np.diff(padded, axis=0)[:, 1:-1])
    upright = np.stack([np.stack([x, y], -1), np.stack([x, y + 1], -1)], axis=1)
    x, y = np.nonzero(np.diff(padded, axis=1)[1:-1])
    level = np.stack([np.stack([x, y], -1), np.stack([x + 1, y], -1)], axis=1)
    segments = np.concatenate([upright, level]) * np.array(size)
    rgb = np.array(color) / 255
    edge = "white" if rgb @ (0.299, 0.587, 0.114) < DARK else "black"
    for width, tone in ((1.7, edge), (0.9, tuple(rgb))):
        lines = LineCollection(segments, colors=[tone], linewidths=width, capstyle="projecting")
        axes.add_collection(lines, autolim=False)


def letters(axes: Axes, plane: Plane) -> None:
    """Write outside of each edge which side of the patient it is nearest to."""
    (left, right), (top, bottom) = DIRECTIONS[plane.across], DIRECTIONS[plane.up]
    places = ((left, -1, 0), (right, 1, 0), (top, 0, 1), (bottom, 0, -1))
    for letter, x, y in places:
        axes.annotate(
            letter,
            ((1 + x) / 2, (1 + y) / 2),
            xycoords="axes fraction",
            xytext=(10 * x, 10 * y),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=10,
            fontweight="bold",
            color="#ffe680",
        )


# Notices: what has no image to draw, in words on a figure

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
    figure = Picture.of(WIDTH, height)
    write(figure, MARGIN, MARGIN, "\n".join(heading), **TITLE)
    for at, line in enumerate(shown):
        write(figure, MARGIN, below + at * LINE, line, size=9, color=FAINT)
    figure.description = "; ".join([title, *map(str.strip, lines)])
    return figure
