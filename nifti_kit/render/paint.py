"""Paint: grey windows, palettes, letters and outlines, as bytes of pictures."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from nifti_kit.render.layers import Numbers
from nifti_kit.render.panes import Pane
from nifti_kit.render.scene import Color, Plane

Grey = npt.NDArray[np.uint8]
Limits = tuple[float, float]

WHITE = 255
TABLE_BYTES = 2
"""Integers of up to so many bytes are looked up in a table of all their values."""


def grey_pane(volume: npt.NDArray[Any], pane: Pane, index: int, limits: Limits) -> Grey:
    """Return a slice of a volume (RAS+ order) as a pane shows it, (lines, columns).

    ``limits`` are the values that become black and white. Between voxels it is interpolated, and
    where several share a pixel they are averaged: it is a picture to look at, not to measure.
    """
    plane = pane.plane
    grey = windowed(_slice(volume, plane, index), limits)
    height, width = grey.shape
    box = (
        width - pane.across.high,
        height - pane.up.high,
        width - pane.across.low,
        height - pane.up.low,
    )
    picture = Image.fromarray(grey)
    size = (pane.width, pane.height)
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR, _within(box, width, height)))


def _within(
    box: tuple[float, float, float, float], width: int, height: int
) -> tuple[float, float, float, float]:
    """Return a box that does not pass the picture's edges by a rounding error, as Pillow asks."""
    left, top, right, bottom = box
    return max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height))


def _slice(volume: npt.NDArray[Any], plane: Plane, index: int) -> npt.NDArray[Any]:
    """Return a slice as it is looked at: lines downward, columns to the right."""
    piece = volume[(slice(None),) * plane.normal + (index,)]
    return np.ascontiguousarray(piece.T[::-1, ::-1])


def windowed(values: npt.NDArray[Any], limits: Limits) -> Grey:
    """Return values as greys; those that are no number are black."""
    if values.dtype.kind in "iu" and values.dtype.itemsize <= TABLE_BYTES:
        code = f"u{values.dtype.itemsize}"
        table: Grey = _grey_table(values.dtype.str, limits)[values.view(code)]
        return table
    return _grey(values, limits)


@lru_cache(maxsize=8)
def _grey_table(kind: str, limits: Limits) -> Grey:
    """Return the grey of every bit pattern of an integer type."""
    dtype = np.dtype(kind)
    patterns = np.arange(2 ** (8 * dtype.itemsize), dtype=f"u{dtype.itemsize}")
    return _grey(patterns.view(dtype), limits)


def _grey(values: npt.NDArray[Any], limits: Limits) -> Grey:
    low, high = limits
    share = (values.astype(np.float64) - low) / (high - low)
    return np.rint(np.nan_to_num(np.clip(share, 0, 1)) * WHITE).astype(np.uint8)


# Glyphs: short texts on a picture, white with a dark edge, drawn once and stamped often

Pixels = npt.NDArray[np.uint8]
"""(lines, columns, 4): red, green, blue, and a fourth byte that is not used."""

INK, EDGE = (240, 240, 240), (12, 13, 15)
"""Of text: light on dark, whatever is below."""

EDGE_WIDTH = 2
"""Of the dark edge around a letter (pixels)."""

MOST_GLYPHS = 1024
"""Texts that are kept: slice numbers come and go."""


Shape = npt.NDArray[np.float32]
"""(lines, columns, 1): a share of each pixel, 0 to 1; or (lines, columns, 3): a colour."""


@lru_cache(maxsize=MOST_GLYPHS)
def _glyph(text: str, size: int, edge: int, ink: Color) -> tuple[Shape, Shape]:
    """Return how much of the pixels below stays, and the colour that is added to it."""
    font: Any = ImageFont.load_default(size)
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
    around, letters = shapes if edge else (np.zeros_like(shapes[0]), shapes[1])
    dark, bright = (np.array(color, dtype=np.float32) for color in (EDGE, ink))
    return (1 - around) * (1 - letters), dark * around * (1 - letters) + bright * letters


def text_size(text: str, size: int) -> tuple[int, int]:
    """Return the width and height of a text with its edge (pixels)."""
    height, width = _glyph(text, size, EDGE_WIDTH, INK)[0].shape[:2]
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
    stays, added = _glyph(text, size, edge, ink)
    height, width = stays.shape[:2]
    left, top = round(place[0] - anchor[0] * width), round(place[1] - anchor[1] * height)
    lines, columns = pixels.shape[:2]
    rows = slice(max(top, 0), max(min(top + height, lines), 0))
    cols = slice(max(left, 0), max(min(left + width, columns), 0))
    part = (slice(rows.start - top, rows.stop - top), slice(cols.start - left, cols.stop - left))
    pixels[rows, cols, :3] = pixels[rows, cols, :3] * stays[part] + added[part]


def blend(pixels: npt.NDArray[np.uint8], color: Color, share: npt.NDArray[np.float32]) -> None:
    """Put a colour over pixels (..., 3); ``share`` of it, 0 to 1."""
    pixels[...] = pixels * (1 - share) + np.array(color, dtype=np.float32) * share


# Palettes: the colour of a pixel by its grey, its class, and whether it is on an outline

FIRMER = 0.4
"""How much more opaque an outline is than what it is around, of 0 to 1: it stays a crisp line."""

GREYS = 256


@dataclass(frozen=True, eq=False)
class Palette:
    """What each class looks like."""

    # (classes + 1,) the number of each class, and 0 for one that is hidden and for background.
    shown: npt.NDArray[np.uint16]
    colors: npt.NDArray[np.float32]  # (classes + 1, 3) of 0 to 255; the first is background's
    # How much of its colour a pixel inside and one on the outline gets: 0 to 1.
    fill: float
    line: float
    # (2 x (classes + 1) x 256,) packed pixels, by outline, class and grey.
    table: npt.NDArray[np.uint32]

    @classmethod
    def of(
        cls,
        colors: Sequence[Color],
        hidden: Collection[int],
        opacity: float,
        *,
        outline: bool,
        firmer: float = FIRMER,
    ) -> Palette:
        """Return the palette for the classes' colours, from number 1 on.

        ``opacity`` is 0 (masks are not seen) to 1 (the image is not seen under them); outlines
        have ``firmer`` more.
        """
        shown = np.arange(len(colors) + 1, dtype=np.uint16)
        shown[list(hidden)] = 0
        fill = 0.0 if outline else opacity
        line = min(1.0, opacity + firmer) if opacity else 0.0
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


# Marks: letters that tell classes apart without colour, set on their outlines

LETTERS = "BCDEFGHJKMNOQTUVWXYZ"
"""The alphabet without A, I, L, P, R and S, which are the sides of the patient."""

SIZE = 12
"""Of a letter on an outline (pixels)."""

SMALL_PART = 60
"""Of a part of a class (pixels): a smaller one gets a letter only if no other part has one."""

ROOM = 0.8
"""How far letters keep apart, in parts of their own size: closer than that they run together."""


def mark_of(number: int) -> str:
    """Return the letter of a class (from 1): B to Z, then B2 to Z2, B3 ..."""
    turn, letter = divmod(number - 1, len(LETTERS))
    return LETTERS[letter] + (str(turn + 1) if turn else "")


def write_marks(pixels: Pixels, numbers: Numbers) -> None:
    """Write each part's letter on its outline: at its top, or where there is room."""
    taken: list[tuple[int, int]] = []
    marked: set[int] = set()
    for number, is_small, places in _parts(numbers):
        if is_small and number in marked:
            continue
        width, height = text_size(mark_of(number), SIZE)
        apart = (ROOM * width, ROOM * height)
        place = next((place for place in places if _is_free(place, taken, apart)), None)
        if place is None and number in marked:
            continue
        # Where there is no room at all the letter is written all the same: it names the class.
        place = place or places[0]
        stamp(pixels, mark_of(number), place, SIZE, anchor=(0.5, 0.5))
        taken.append(place)
        marked.add(number)


def _is_free(
    place: tuple[int, int], taken: Sequence[tuple[int, int]], apart: tuple[float, float]
) -> bool:
    for x, y in taken:
        if abs(place[0] - x) < apart[0] and abs(place[1] - y) < apart[1]:
            return False
    return True


def _parts(numbers: Numbers) -> Iterator[tuple[int, bool, Sequence[tuple[int, int]]]]:
    """Yield the parts of all classes, large ones first: number, smallness, ends (column, line)."""
    from scipy.ndimage import label

    apart = numbers != 0
    # Classes that touch are cut apart: without its last line and column a part is on its own.
    apart[:, :-1] &= numbers[:, :-1] == numbers[:, 1:]
    apart[:-1] &= numbers[:-1] == numbers[1:]
    parts, count = label(apart)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    ends = _ends(parts, count)
    for part in (np.argsort(-sizes[1:], kind="stable") + 1).tolist():
        places = [(int(x), int(y)) for x, y in ends[part]]
        x, y = places[0]
        yield int(numbers[y, x]), bool(sizes[part] < SMALL_PART), places
    thin = np.where(apart, 0, numbers)
    left = _ends(thin, int(thin.max(initial=0)))
    for number in np.unique(thin[thin > 0]).tolist():
        yield number, True, [(int(x), int(y)) for x, y in left[number]]


def _ends(parts: npt.NDArray[Any], count: int) -> npt.NDArray[np.int64]:
    """Return (count + 1, 4, 2): the top, bottom, left and right pixel of each part."""
    height, width = parts.shape
    ends = np.zeros((count + 1, 4, 2), dtype=np.int64)
    for first, pixels, length in ((0, parts, width), (2, np.ascontiguousarray(parts.T), height)):
        flat = pixels.ravel()
        there = np.flatnonzero(flat)
        found = np.zeros((count + 1, 2), dtype=np.int64)
        # Of several values for one place the last is kept.
        found[flat[there[::-1]], 0] = there[::-1]
        found[flat[there], 1] = there
        slow, fast = np.divmod(found, length)
        by = (fast, slow) if first == 0 else (slow, fast)
        ends[:, first : first + 2] = np.stack(by, axis=-1)
    return ends
