"""Marks: letters that tell classes apart without colour, set on their outlines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.render.glyphs import Pixels, stamp, text_size
from nifti_kit.render.layers import Numbers

__all__ = ["mark_of", "write_marks"]

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
