"""Palettes: the colour of a pixel by its grey, its class, and whether it is on an outline."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nifti_kit.render.glyphs import Pixels
from nifti_kit.render.greys import Grey
from nifti_kit.render.layers import Numbers
from nifti_kit.render.scene import Color

__all__ = ["Palette", "outline_of"]

FIRMER = 0.4
"""How much more opaque an outline is than what it is around, of 0 to 1: it stays a crisp line."""

GREYS = 256


@dataclass(frozen=True, eq=False)
class Palette:
    """What each class looks like.

    Attributes
    ----------
    shown
        (classes + 1,) the number of each class, and 0 for one that is hidden and for background.
    colors
        (classes + 1, 3) of 0 to 255; the first is background's.
    fill, line
        How much of its colour a pixel inside and one on the outline gets: 0 to 1.
    table
        (2 x (classes + 1) x 256,) packed pixels, by outline, class and grey.
    """

    shown: npt.NDArray[np.uint16]
    colors: npt.NDArray[np.float32]
    fill: float
    line: float
    table: npt.NDArray[np.uint32]

    @classmethod
    def of(
        cls, colors: Sequence[Color], hidden: Collection[int], opacity: float, *, outline: bool
    ) -> Palette:
        """Return the palette for the classes' colours, from number 1 on.

        ``opacity`` is 0 (masks are not seen) to 1 (the image is not seen under them).
        """
        shown = np.arange(len(colors) + 1, dtype=np.uint16)
        shown[list(hidden)] = 0
        fill = 0.0 if outline else opacity
        line = min(1.0, opacity + FIRMER) if opacity else 0.0
        rgb = np.zeros((len(colors) + 1, 3), dtype=np.float32)
        rgb[1:] = np.reshape(colors, (-1, 3))
        return cls(shown, rgb, fill, line, _color_table(rgb, (fill, line)))

    def paint(self, grey: Grey, numbers: Numbers, outline: npt.NDArray[np.bool_]) -> Pixels:
        """Return a pane's pixels: its greys, with the first layer over them."""
        entry = (outline * np.intp(len(self.shown)) + numbers) * GREYS + grey
        pixels: Pixels = self.table[entry].view(np.uint8).reshape(*grey.shape, 4)
        return pixels

    def add(self, pixels: Pixels, numbers: Numbers, outline: npt.NDArray[np.bool_]) -> None:
        """Paint a further layer over a pane's pixels."""
        there = numbers != 0
        share = np.where(outline[there], self.line, self.fill).astype(np.float32)[:, None]
        pixels[there, :3] = pixels[there, :3] * (1 - share) + self.colors[numbers[there]] * share


def _color_table(
    colors: npt.NDArray[np.float32], shares: Sequence[float]
) -> npt.NDArray[np.uint32]:
    greys = np.arange(GREYS, dtype=np.float32)[:, None]
    table = np.zeros((len(shares), len(colors), GREYS, 4), dtype=np.uint8)
    for level, share in enumerate(shares):
        table[level, 0, :, :3] = greys
        table[level, 1:, :, :3] = np.rint(greys * (1 - share) + colors[1:, None] * share)
    return table.view(np.uint32).ravel()


def outline_of(numbers: Numbers) -> npt.NDArray[np.bool_]:
    """Return the pixels (lines, columns) of a class that have a neighbour of another number."""
    padded = np.pad(numbers, 1, mode="edge")
    middle = padded[1:-1, 1:-1]
    differs = (middle != padded[:-2, 1:-1]) | (middle != padded[2:, 1:-1])
    differs |= (middle != padded[1:-1, :-2]) | (middle != padded[1:-1, 2:])
    outline: npt.NDArray[np.bool_] = differs & (middle != 0)
    return outline
