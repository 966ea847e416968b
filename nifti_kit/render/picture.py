"""The picture: draws what a viewer shows, and keeps what a next picture has in common with it."""

from __future__ import annotations

import io
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from nifti_kit.core.geometry import Grid
from nifti_kit.render.layers import Layer, Numbers
from nifti_kit.render.paint import (
    FIRMER,
    Grey,
    Palette,
    Pixels,
    blend,
    grey_pane,
    outline_of,
    stamp,
    write_marks,
)
from nifti_kit.render.panes import TITLE, Layout, Pane
from nifti_kit.render.scene import DIRECTIONS, Color, Plane

BACKGROUND = (21, 23, 26)
"""A dark sheet, as viewers have it: it goes with the light and the dark theme of a notebook."""

LINE, LINE_SHARE = (255, 214, 64), 0.7
"""Of the crosshair, and how much of it covers what is below."""

HOLE = 7
"""Around the crosshair's middle nothing is drawn (pixels): what it points at stays visible."""

ACTIVE, PASSIVE = (130, 190, 255), (196, 200, 206)
"""Of the title and edge of the plane that the keyboard moves, and of the other two."""

TITLE_SIZE, LETTER_SIZE, SCALE_SIZE = 13, 15, 11
"""Of texts (pixels)."""

INSET = 3
"""Of a letter from its edge (pixels)."""

NARROW = 56
"""A pane that is less wide or high (pixels) gets no letters there: they would cover it."""

LENGTHS = tuple(n * 10.0**p for p in range(-3, 4) for n in (1, 2, 5))
"""Of the scale (mm): round numbers."""

SCALE_SHARE = 0.3
"""Of a pane's width, which the scale takes at most."""


class Frame(NamedTuple):
    """What is told around the panes."""

    position: tuple[int, int, int]  # RAS+ indices from 0
    active: int  # the normal of the plane that the keyboard moves
    titles: tuple[str, ...]  # of the rows; empty where there is one


def draw_frame(
    sheet: Layout, grid: Grid, panes: Iterable[tuple[Pane, Pixels]], frame: Frame
) -> Pixels:
    """Return the whole picture, with the given pixels in the panes."""
    packed = np.array((*BACKGROUND, 0), dtype=np.uint8).view(np.uint32)
    whole = np.full((sheet.height, sheet.width), packed)
    picture: Pixels = whole.view(np.uint8).reshape(*whole.shape, 4)
    for pane, pixels in panes:
        part = picture[pane.top : pane.top + pane.height, pane.left : pane.left + pane.width]
        part[:] = pixels
        _cross(part, *pane.pixel(frame.position))
        write_sides(part, pane.plane)
        _scale(part, pane, grid)
        _edge(picture, pane, is_active=pane.plane.normal == frame.active)
    for pane in sheet.panes:
        _title(picture, pane, sheet, grid, frame)
    return picture


def _cross(part: Pixels, column: int, line: int) -> None:
    height, width = part.shape[:2]
    share = np.full(1, LINE_SHARE, dtype=np.float32)
    if 0 <= line < height:
        blend(part[line, : max(0, column - HOLE)][:, :3], LINE, share)
        blend(part[line, max(0, column + HOLE + 1) :][:, :3], LINE, share)
    if 0 <= column < width:
        blend(part[: max(0, line - HOLE), column][:, :3], LINE, share)
        blend(part[max(0, line + HOLE + 1) :, column][:, :3], LINE, share)


def write_sides(part: Pixels, plane: Plane) -> None:
    """Write where the patient's sides are."""
    (left, right), (top, bottom) = DIRECTIONS[plane.across], DIRECTIONS[plane.up]
    height, width = part.shape[:2]
    middle_x, middle_y = width / 2, height / 2
    if width >= NARROW:
        stamp(part, left, (INSET, middle_y), LETTER_SIZE, anchor=(0, 0.5))
        stamp(part, right, (width - INSET, middle_y), LETTER_SIZE, anchor=(1, 0.5))
    if height >= NARROW:
        stamp(part, top, (middle_x, INSET), LETTER_SIZE, anchor=(0.5, 0))
        stamp(part, bottom, (middle_x, height - INSET), LETTER_SIZE, anchor=(0.5, 1))


def _scale(part: Pixels, pane: Pane, grid: Grid) -> None:
    """Draw how long some millimetres are, at the bottom on the left."""
    height, width = part.shape[:2]
    per_mm = width / (pane.across.length * grid.voxel_size[pane.plane.across])
    fitting = [mm for mm in LENGTHS if mm * per_mm <= SCALE_SHARE * width]
    if min(height, width) < 2 * NARROW or not fitting:
        return
    length = max(1, round(fitting[-1] * per_mm))
    part[height - 9 : height - 5, 7 : 9 + length, :3] = (12, 13, 15)
    part[height - 8 : height - 6, 8 : 8 + length, :3] = (240, 240, 240)
    place = (8, height - 10)
    stamp(part, f"{fitting[-1]:g} mm", place, SCALE_SIZE, anchor=(0, 1))


def _edge(picture: Pixels, pane: Pane, *, is_active: bool) -> None:
    color = ACTIVE if is_active else (70, 74, 80)
    top, left = pane.top - 1, pane.left - 1
    bottom, right = pane.top + pane.height, pane.left + pane.width
    picture[[top, bottom], left : right + 1, :3] = color
    picture[top : bottom + 1, [left, right], :3] = color


def _title(picture: Pixels, pane: Pane, sheet: Layout, grid: Grid, frame: Frame) -> None:
    normal = pane.plane.normal
    text = f"{pane.plane.title} {frame.position[normal]} (0 to {grid.shape[normal] - 1})"
    ink = ACTIVE if normal == frame.active else PASSIVE
    tops = [other.top for other in sheet.panes if other.row == pane.row]
    place = (pane.left + pane.width / 2, min(tops) - TITLE / 2)
    stamp(picture, text, place, TITLE_SIZE, anchor=(0.5, 0.5), ink=ink, edge=0)
    if frame.titles and pane == next(one for one in sheet.panes if one.row == pane.row):
        row = (pane.left, min(tops) - 1.5 * TITLE)
        stamp(picture, frame.titles[pane.row], row, TITLE_SIZE, anchor=(0, 0.5))


Made = TypeVar("Made")

QUALITY = 85
"""Of the JPEG, 0 to 95: beyond it files grow, and nothing more is seen."""

FULL_COLOR = 0
"""JPEG's setting to keep the colour of every pixel: thin lines would fade into grey."""


@dataclass(frozen=True)
class Look:
    """Everything that a picture depends on, besides the image and its layers."""

    position: tuple[int, int, int]  # RAS+ indices from 0
    limits: tuple[float, float]  # the values that become black and white
    opacity: float = 0.4  # of masks: 0 to 1
    outline: bool = False  # whether masks are outlines with letters, not filled
    hidden: frozenset[int] = frozenset()  # numbers of classes that are not shown
    # How much is magnified (from 1), around which RAS+ indices.
    zoom: float = 1.0
    focus: tuple[float, float, float] = (0.0, 0.0, 0.0)
    active: int = 2  # the normal of the plane that the keyboard moves
    # Whether that plane alone is shown, once for each overlay, from left to right.
    beside: bool = False
    # How much more opaque the outline of what is filled is: 0 where another one is drawn over it.
    firmer: float = FIRMER


class Artist:
    """Draws an image with its overlays.

    ``volume``, ``grid``: grey values in RAS+ order, and where they are (RAS+ mm).
    ``overlays``: each a title and layers from the bottom to the top; there is a row of panes for
    each.
    ``colors``: of the classes, from number 1 on.
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
        shown = (look.zoom, look.focus)
        normal = look.active if look.beside else None
        return self._once("sheet", (*shown, normal), lambda: self._layout(normal, *shown))

    def _layout(self, normal: int | None, zoom: float, focus: Sequence[float]) -> Layout:
        count = len(self.overlays)
        if normal is None:
            return Layout.of(self.grid, count, zoom, focus)
        return Layout.beside(self.grid, count, normal, zoom, focus)

    def replace(self, row: int, layers: Sequence[Layer]) -> None:
        """Draw other layers in a row, from 0."""
        titles = [title for title, _ in self.overlays]
        every = [kept for _, kept in self.overlays]
        every[row] = layers
        self.overlays = tuple(zip(titles, every, strict=True))

    def jpeg(self, look: Look) -> bytes:
        """Return the picture as the content of a JPEG file."""
        out = io.BytesIO()
        self._image(look).save(out, "JPEG", quality=QUALITY, subsampling=FULL_COLOR)
        return out.getvalue()

    def png(self, look: Look) -> bytes:
        """Return the picture as the content of a PNG file: every pixel as it was drawn."""
        out = io.BytesIO()
        self._image(look).convert("RGB").save(out, "PNG")
        return out.getvalue()

    def _image(self, look: Look) -> Image.Image:
        pixels = self.draw(look)
        height, width = pixels.shape[:2]
        return Image.frombuffer("RGBX", (width, height), pixels, "raw", "RGBX", 0, 1)

    def draw(self, look: Look) -> Pixels:
        """Return the picture (lines, columns, red-green-blue-unused)."""
        sheet = self.sheet(look)
        panes = [(pane, self.pane(pane, look)) for pane in sheet.panes]
        titles = [title for title, _ in self.overlays] if len(self.overlays) > 1 else []
        frame = Frame(look.position, look.active, tuple(titles))
        return draw_frame(sheet, self.grid, panes, frame)

    def pane(self, pane: Pane, look: Look) -> Pixels:
        """Return the pixels of a pane, of whatever size, without the lines that cross it."""
        index = look.position[pane.plane.normal]
        key = (pane, index, self.overlays[pane.row][1], look.limits, *_palette_key(look))
        return self._once(("pixels", pane.row, pane.plane), key, lambda: self._paint(pane, look))

    def _paint(self, pane: Pane, look: Look) -> Pixels:
        index, palette = look.position[pane.plane.normal], self._palette(look)
        grey = self._grey(pane, index, look.limits)
        shown = [palette.shown[numbers] for numbers in self.sections(pane, index)]
        lowest = shown[0] if shown else np.zeros(grey.shape, dtype=np.uint16)
        pixels = palette.paint(grey, lowest, outline_of(lowest))
        for numbers in shown[1:]:
            palette.add(pixels, numbers, outline_of(numbers))
        if look.outline and look.opacity:
            for numbers in shown:
                write_marks(pixels, numbers)
        return pixels

    def _palette(self, look: Look) -> Palette:
        hidden, opacity, outline, firmer = key = _palette_key(look)
        return self._once(
            "palette",
            key,
            lambda: Palette.of(self.colors, hidden, opacity, outline=outline, firmer=firmer),
        )

    def _grey(self, pane: Pane, index: int, limits: tuple[float, float]) -> Grey:
        # Rows show the same slices.
        key = (pane.plane, pane.width, pane.height, pane.across, pane.up, index, limits)
        return self._once(
            ("grey", pane.plane), key, lambda: grey_pane(self.volume, pane, index, limits)
        )

    def sections(self, pane: Pane, index: int) -> list[Numbers]:
        """Return the numbers under a pane's pixels (lines, columns), of each layer."""
        _, layers = self.overlays[pane.row]
        return self._once(
            ("sections", pane.row, pane.plane),
            (pane, index, layers),
            lambda: [layer.section(self.grid, pane, index) for layer in layers],
        )

    def _once(self, what: Hashable, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what was made last time, if it is for the same key."""
        if what not in self._kept or self._kept[what][0] != key:
            self._kept[what] = (key, make())
        made: Made = self._kept[what][1]
        return made


def _palette_key(look: Look) -> tuple[frozenset[int], float, bool, float]:
    return look.hidden, look.opacity, look.outline, look.firmer
