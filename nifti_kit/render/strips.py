"""Strips: how one number lies among others, as a row of dots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

HEIGHT = 56
"""Height of a strip (pixels): a line of letters, the dots, a line of letters."""

INSET = 12
"""From the sides to the outermost dots (pixels)."""

LETTER = 11
"""Height of a letter (pixels)."""

DOT, OWN_DOT, TICK = 3, 5, 8
"""Radius of the dots of the others, of the marked one, and half the line at the median (pixels)."""

INK, FAINT, PAPER, OWN = (240, 240, 240), (150, 156, 164), (24, 27, 31), (255, 59, 48)
"""Letters and the median, the others, the ground, the marked one."""


def strip(
    others: Sequence[float],
    own: float,
    names: tuple[str, str],
    width: int,
    *,
    by_ratio: bool = False,
) -> Image:
    """Return the picture of one number among others: they are grey dots, it is a red one.

    ``others``: at least one number, in rising order; a line stands at their median.
    ``own``: the number that is marked.
    ``names``: what stands above the marked number, and what below the others.
    ``width``: of the picture (pixels).
    ``by_ratio``: whether equal ratios are equally far (all numbers are above 0), not equal
    differences.
    """
    from PIL.Image import new
    from PIL.ImageDraw import Draw
    from PIL.ImageFont import load_default

    picture = new("RGB", (width, HEIGHT), PAPER)
    draw, font, y = Draw(picture), load_default(LETTER), HEIGHT / 2
    *places, at = _places([*others, own], width, by_ratio=by_ratio)
    middle = (places[(len(places) - 1) // 2] + places[len(places) // 2]) / 2
    draw.line((INSET, y, width - INSET, y), fill=FAINT)
    for x in places:
        draw.ellipse((x - DOT, y - DOT, x + DOT, y + DOT), fill=FAINT)
    draw.line((middle, y - TICK, middle, y + TICK), fill=INK, width=2)
    draw.ellipse((at - OWN_DOT, y - OWN_DOT, at + OWN_DOT, y + OWN_DOT), fill=OWN, outline=INK)
    lines = ((names[0], at, 2, "la", OWN), (names[1], middle, HEIGHT - 3, "ld", INK))
    for text, x, top, anchor, ink in lines:
        length = font.getlength(text)
        left = max(2.0, min(x - length / 2, width - 2 - length))  # within the picture
        draw.text((left, top), text, ink, font, anchor)
    return picture


def _places(numbers: Sequence[float], width: int, *, by_ratio: bool) -> list[float]:
    """Return where numbers stand between the sides of a picture (pixels)."""
    scaled = [math.log(number) if by_ratio else number for number in numbers]
    low, high = min(scaled), max(scaled)
    step = (width - 2 * INSET) / (high - low) if high > low else 0.0
    return [INSET + (number - low) * step for number in scaled]
