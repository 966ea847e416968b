"""Glyphs: short texts on a picture, white with a dark edge, drawn once and stamped often."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from nifti_kit.render.scene import Color

__all__ = ["INK", "Pixels", "blend", "stamp", "text_size"]

Pixels = npt.NDArray[np.uint8]
"""(lines, columns, 4): red, green, blue, and a fourth byte that is not used."""

INK, EDGE = (240, 240, 240), (12, 13, 15)
"""Of text: light on dark, whatever is below."""

EDGE_WIDTH = 2
"""Of the dark edge around a letter (pixels)."""

MOST_GLYPHS = 1024
"""Texts that are kept: slice numbers come and go."""


Shape = npt.NDArray[np.float32]
"""(lines, columns, 1): how much of each pixel is covered, 0 to 1."""


@lru_cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size)


@lru_cache(maxsize=MOST_GLYPHS)
def _glyph(text: str, size: int, edge: int) -> tuple[Shape, Shape]:
    """Return the shapes of a text with its edge, and of the text alone."""
    font = _font(size)
    left, top, right, bottom = font.getbbox(text, stroke_width=edge)
    # All texts of a size have one line height, or they would dance up and down.
    line = font.getbbox("Ag|", stroke_width=edge)
    top, bottom = min(top, line[1]), max(bottom, line[3])
    extent = (max(1, math.ceil(right - left)), max(1, math.ceil(bottom - top)))
    shapes: list[Shape] = []
    for stroke in (edge, 0):
        picture = Image.new("L", extent)
        ImageDraw.Draw(picture).text((-left, -top), text, 255, font, stroke_width=stroke)
        covered: Shape = np.asarray(picture).astype(np.float32)
        shapes.append(covered[..., None] / np.float32(255))
    return shapes[0], shapes[1]


def text_size(text: str, size: int) -> tuple[int, int]:
    """Return the width and height of a text with its edge (pixels)."""
    height, width = _glyph(text, size, EDGE_WIDTH)[0].shape[:2]
    return width, height


def stamp(
    pixels: Pixels,
    text: str,
    place: tuple[float, float],
    size: int,
    *,
    anchor: tuple[float, float] = (0.0, 0.0),
    ink: Color = INK,
    edge: int = EDGE_WIDTH,
) -> None:
    """Write a text on a picture; what passes its edges is cut.

    ``place`` is a pixel (column, line), ``anchor`` the part of the text that comes there: (0, 0)
    its top left, (0.5, 0.5) its middle. ``edge`` is the width of its dark edge (pixels).
    """
    around, letters = _glyph(text, size, edge)
    height, width = letters.shape[:2]
    left, top = round(place[0] - anchor[0] * width), round(place[1] - anchor[1] * height)
    lines, columns = pixels.shape[:2]
    rows = slice(max(top, 0), max(min(top + height, lines), 0))
    cols = slice(max(left, 0), max(min(left + width, columns), 0))
    part = (slice(rows.start - top, rows.stop - top), slice(cols.start - left, cols.stop - left))
    below = pixels[rows, cols, :3]
    if edge:
        blend(below, EDGE, around[part])
    blend(below, ink, letters[part])


def blend(pixels: npt.NDArray[np.uint8], color: Color, share: npt.NDArray[np.float32]) -> None:
    """Put a colour over pixels (..., 3); ``share`` of it, 0 to 1."""
    pixels[...] = pixels * (1 - share) + np.array(color, dtype=np.float32) * share
