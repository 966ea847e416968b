"""The artist: draws what a viewer shows, and keeps what a next picture has in common with it."""

from __future__ import annotations

import io
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from nifti_kit.core.geometry import Grid
from nifti_kit.render.frames import Frame, draw_frame
from nifti_kit.render.glyphs import Pixels
from nifti_kit.render.greys import Grey, grey_pane
from nifti_kit.render.layers import Layer, Numbers
from nifti_kit.render.paint import write_marks
from nifti_kit.render.palettes import Palette, outline_of
from nifti_kit.render.panes import Layout, Pane
from nifti_kit.render.scene import Color

__all__ = ["Artist", "Look"]

Made = TypeVar("Made")

QUALITY = 85
"""Of the JPEG, 0 to 95: beyond it files grow, and nothing more is seen."""

FULL_COLOR = 0
"""JPEG's setting to keep the colour of every pixel: thin lines would fade into grey."""


@dataclass(frozen=True)
class Look:
    """Everything that a picture depends on, besides the image and its layers.

    Attributes
    ----------
    position
        RAS+ indices from 0.
    limits
        The values that become black and white.
    opacity
        Of masks: 0 to 1.
    outline
        Whether masks are outlines with letters, not filled.
    hidden
        Numbers of classes that are not shown.
    zoom, focus
        How much is magnified (from 1), around which RAS+ indices.
    active
        The normal of the plane that the keyboard moves.
    """

    position: tuple[int, int, int]
    limits: tuple[float, float]
    opacity: float = 0.4
    outline: bool = False
    hidden: frozenset[int] = frozenset()
    zoom: float = 1.0
    focus: tuple[float, float, float] = (0.0, 0.0, 0.0)
    active: int = 2


class Artist:
    """Draws an image with its overlays.

    Parameters
    ----------
    volume, grid
        Grey values in RAS+ order, and where they are (RAS+ mm).
    overlays
        Each a title and layers from the bottom to the top; there is a row of panes for each.
    colors
        Of the classes, from number 1 on.
    """

    def __init__(
        self,
        volume: npt.NDArray[Any],
        grid: Grid,
        overlays: Sequence[tuple[str, Sequence[Layer]]],
        colors: Sequence[Color],
    ) -> None:
        self.volume, self.grid, self.colors = volume, grid, tuple(colors)
        self.overlays = tuple(overlays) or (("", ()),)
        self._kept: dict[Any, tuple[Any, Any]] = {}

    def sheet(self, look: Look) -> Layout:
        """Return where the panes are."""
        key = (look.zoom, look.focus)
        return self._once(
            "sheet", key, lambda: Layout.of(self.grid, len(self.overlays), look.zoom, look.focus)
        )

    def jpeg(self, look: Look) -> bytes:
        """Return the picture as the content of a JPEG file."""
        pixels = self.draw(look)
        height, width = pixels.shape[:2]
        out = io.BytesIO()
        picture = Image.frombuffer("RGBX", (width, height), pixels, "raw", "RGBX", 0, 1)
        picture.save(out, "JPEG", quality=QUALITY, subsampling=FULL_COLOR)
        return out.getvalue()

    def draw(self, look: Look) -> Pixels:
        """Return the picture (lines, columns, red-green-blue-unused)."""
        sheet = self.sheet(look)
        panes = [(pane, self._pane(pane, look)) for pane in sheet.panes]
        titles = [title for title, _ in self.overlays] if len(self.overlays) > 1 else []
        frame = Frame(look.position, look.active, tuple(titles))
        return draw_frame(sheet, self.grid, panes, frame)

    def _pane(self, pane: Pane, look: Look) -> Pixels:
        """Return a pane's pixels, without the lines that cross it."""
        index = look.position[pane.plane.normal]
        key = (pane, index, look.limits, look.hidden, look.opacity, look.outline)
        return self._once(("pixels", pane.row, pane.plane), key, lambda: self._paint(pane, look))

    def _paint(self, pane: Pane, look: Look) -> Pixels:
        index, palette = look.position[pane.plane.normal], self._palette(look)
        grey = self._grey(pane, index, look.limits)
        shown = [palette.shown[numbers] for numbers in self._sections(pane, index)]
        lowest = shown[0] if shown else np.zeros(grey.shape, dtype=np.uint16)
        pixels = palette.paint(grey, lowest, outline_of(lowest))
        for numbers in shown[1:]:
            palette.add(pixels, numbers, outline_of(numbers))
        if look.outline and look.opacity:
            for numbers in shown:
                write_marks(pixels, numbers)
        return pixels

    def _palette(self, look: Look) -> Palette:
        key = (look.hidden, look.opacity, look.outline)
        return self._once(
            "palette",
            key,
            lambda: Palette.of(self.colors, look.hidden, look.opacity, outline=look.outline),
        )

    def _grey(self, pane: Pane, index: int, limits: tuple[float, float]) -> Grey:
        # Rows show the same slices.
        key = (pane.plane, pane.across, pane.up, index, limits)
        return self._once(
            ("grey", pane.plane), key, lambda: grey_pane(self.volume, pane, index, limits)
        )

    def _sections(self, pane: Pane, index: int) -> list[Numbers]:
        _, layers = self.overlays[pane.row]
        return self._once(
            ("sections", pane.row, pane.plane),
            (pane, index),
            lambda: [layer.section(self.grid, pane, index) for layer in layers],
        )

    def _once(self, what: Hashable, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what was made last time, if it is for the same key."""
        if what not in self._kept or self._kept[what][0] != key:
            self._kept[what] = (key, make())
        made: Made = self._kept[what][1]
        return made
