"""Drawings: numbers on an axis, as pictures of a few lines of SVG within a page.

Lines and letters have the colour of the text around them, so that they are seen on a light and on
a dark page, in a notebook and on paper.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from nifti_kit.core.html import Markup, text
from nifti_kit.render.scene import Color

WIDTH, HEIGHT, INSET = 260, 20, 24
"""Of a strip (pixels), and what is left free at both ends: labels of ticks stand there."""

RADIUS = 3.2
"""Of a dot (pixels)."""

MOST_DOTS = 60
"""Dots of a strip: more of them are one bar, whose quartiles say more."""

FEWEST_FOR_BOX = 5
"""Numbers from which on quartiles say anything."""

MOST_TICKS = 6


@dataclass(frozen=True)
class Axis:
    """Where numbers stand in a strip."""

    # The numbers at the left and right end.
    low: float
    high: float
    is_log: bool = False  # whether equal steps are equal factors

    @classmethod
    def decades(cls, numbers: Iterable[float]) -> Axis:
        """Return the logarithmic axis of whole decades that holds all positive numbers."""
        present = [number for number in numbers if number > 0] or [1.0]
        low, high = math.floor(math.log10(min(present))), math.ceil(math.log10(max(present)))
        return cls(10.0**low, 10.0 ** max(high, low + 1), is_log=True)

    @classmethod
    def linear(cls, numbers: Iterable[float]) -> Axis:
        """Return the linear axis that holds all numbers."""
        present = list(numbers) or [0.0]
        low, high = min(present), max(present)
        return cls(low, high if high > low else low + 1.0)

    def at(self, number: float) -> float:
        """Return where a number stands (pixels); beyond an end at that end."""
        if self.is_log:
            share = math.log(max(number, self.low) / self.low) / math.log(self.high / self.low)
        else:
            # Halves: of the largest numbers there are, a difference would be infinite.
            share = (number / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return INSET + min(max(share, 0.0), 1.0) * (WIDTH - 2 * INSET)

    @property
    def ticks(self) -> list[float]:
        """The numbers that stand below the axis."""
        if not self.is_log:
            return [self.low, self.low / 2 + self.high / 2, self.high]
        low, high = round(math.log10(self.low)), round(math.log10(self.high))
        step = math.ceil((high - low) / (MOST_TICKS - 1))
        return [10.0**power for power in range(low, high + 1, step)]


def scale(axis: Axis, unit: str) -> Markup:
    """Return the numbers of an axis, to stand above its strips."""
    letters = [
        f"<text x='{axis.at(tick):.1f}' y='12' text-anchor='middle'>{text(short(tick))}</text>"
        for tick in axis.ticks
    ]
    named = ", ".join(short(tick) for tick in axis.ticks)
    return _svg(letters, f"Axis: {named} {unit}")


def strip(axis: Axis, numbers: Sequence[float], color: Color | None, label: str) -> Markup:
    """Return numbers on an axis: their range, quartiles, median, and a dot for each of not many."""
    parts = _ticks(axis)
    if numbers:
        ends = [float(n) for n in np.percentile(numbers, (0, 25, 50, 75, 100))]
        low, first, middle, third, high = (axis.at(number) for number in ends)
        parts.append(_line(low, high, HEIGHT / 2, 1, 0.6))
        if len(numbers) >= FEWEST_FOR_BOX:
            parts.append(
                f"<rect x='{first:.1f}' y='3' width='{max(third - first, 1):.1f}' "
                f"height='{HEIGHT - 6}' fill='{_fill(color)}' fill-opacity='.4' "
                "stroke='currentColor' stroke-opacity='.5'/>"
            )
        parts += [_dot(axis.at(one), color) for one in numbers] * (len(numbers) <= MOST_DOTS)
        parts.append(_upright(middle, 1, HEIGHT - 1, 2, 0.95))
    return _svg(parts, label)


def span(axis: Axis, numbers: tuple[float, float, float], label: str) -> Markup:
    """Return a low, a middle and a high number on an axis, as a bar with a mark."""
    low, middle, high = (axis.at(number) for number in numbers)
    bar = (
        f"<rect x='{low:.1f}' y='6' width='{max(high - low, 1.5):.1f}' height='{HEIGHT - 12}' "
        "rx='2' fill='currentColor' fill-opacity='.35'/>"
    )
    return _svg([*_ticks(axis), bar, _upright(middle, 3, HEIGHT - 3, 2, 0.95)], label)


def _ticks(axis: Axis) -> list[str]:
    return [_upright(axis.at(tick), 0, HEIGHT, 1, 0.15) for tick in axis.ticks]


def _upright(x: float, top: float, bottom: float, width: float, opacity: float) -> str:
    return (
        f"<path d='M{x:.1f} {top:.1f}V{bottom:.1f}' stroke='currentColor' stroke-width='{width}' "
        f"stroke-opacity='{opacity}'/>"
    )


def _line(left: float, right: float, y: float, width: float, opacity: float) -> str:
    return (
        f"<path d='M{left:.1f} {y:.1f}H{right:.1f}' stroke='currentColor' stroke-width='{width}' "
        f"stroke-opacity='{opacity}'/>"
    )


def _fill(color: Color | None) -> str:
    return "currentColor" if color is None else "rgb({},{},{})".format(*map(int, color))


def _dot(x: float, color: Color | None) -> str:
    return (
        f"<circle cx='{x:.1f}' cy='{HEIGHT / 2}' r='{RADIUS}' fill='{_fill(color)}' "
        "fill-opacity='.8' "
        "stroke='currentColor' stroke-width='.6'/>"
    )


def _svg(parts: Iterable[str], label: str) -> Markup:
    return Markup(
        f"<svg class='strip' role='img' aria-label='{text(label)}' viewBox='0 0 {WIDTH} {HEIGHT}' "
        f"width='{WIDTH}' height='{HEIGHT}' style='font:10px system-ui,sans-serif' "
        f"fill='currentColor'>{''.join(parts)}</svg>"
    )


def short(number: float) -> str:
    """Return a number in few letters: 0.01, 20, 1,200, 3e+08."""
    if number == int(number) and abs(number) < MOST_WRITTEN_OUT:
        return f"{int(number):,}"
    return f"{number:.3g}"


MOST_WRITTEN_OUT = 10_000_000
"""Beyond it a number's digits are too many for a tick."""
