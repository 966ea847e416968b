"""Tables that begin with a value: which of the other columns are name and colour.

That is decided over the whole file: ``2 Left-Caudate 122 186 220 0`` is a name, a colour and a
fourth column where all lines are so, and a name that ends in a number where only this one is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from nifti_kit.formats.class_maps.entries import Color
from nifti_kit.formats.class_maps.lines import (
    AAL_CODE,
    MOST,
    RGB,
    RGBA,
    Line,
    Reading,
    Row,
    Table,
    channels,
    collected,
    color_of,
    fractions,
    hex_color,
    is_nothing,
    is_number,
    whole,
)

EXTRA = RGBA + 1
"""Red, green, blue, a fourth column, and the tissue type that newer FreeSurfer tables have."""

SAME_AS_VALUE = 10
"""So many lines whose last number is their value again (AAL3) are no chance."""

COUNTED = 100
"""Numbers above this number no structures (vertebrae, lesions, segments)."""

MOST_ALPHA = 0.9
"""The share of lines with 0 or 255 from which on a fourth column is one of opacity."""

_RGB_HEAD = re.compile(
    r"\bR(?:ed)?\b\W+G(?:reen)?\b\W+B(?:lue)?\b(?P<alpha>\W+A(?:lpha)?\b)?", re.IGNORECASE
)
_TWO_NAMES = re.compile(r"short\b.*\blong\b", re.IGNORECASE)
_SLICER = re.compile(r"^\s*#\s*color table file", re.IGNORECASE | re.MULTILINE)
_ABBREVIATION = re.compile(r"[A-Z0-9?]+(?:[._][A-Za-z0-9_.?-]+)*")

Split = Callable[[Line], "Row | str"]


def by_tail(width: int) -> Split:
    """Return how a line is split whose last columns are a colour and ``width - 3`` more."""

    def split(line: Line) -> Row | str:
        value = line.value
        if value is None:
            return NO_VALUE
        rest = line.rest
        if line.tail == 0:
            return value, " ".join(rest), None
        if line.tail < width or len(rest) <= width:
            return f"it ends in {line.tail} numbers, most other lines in {width}"
        color = color_of(rest[-width:][:RGB])
        if color is None and value:
            return OUTSIDE
        return value, " ".join(rest[:-width]), color

    return split


NO_VALUE = "it does not begin with a pixel value"
OUTSIDE = "a colour is outside 0 to 255"


def as_written(line: Line) -> Row | str:
    """Split a line as the specification has it: value, name, and a colour where there is one."""
    value, rest = line.value, line.rest
    if value is None:
        return NO_VALUE
    if rest and (color := hex_color(rest[-1])):
        return value, " ".join(rest[:-1]), color
    numbers = channels(rest[-RGB:]) if len(rest) >= RGB else None
    if numbers is None:
        return value, " ".join(rest), None
    if not (color := color_of(rest[-RGB:])) and value:
        return OUTSIDE
    return value, " ".join(rest[:-RGB]), color


def without_numbers(line: Line) -> Row | str:
    """Split a line as the specification has it, but numbers at its end are no part of the name."""
    found = as_written(line)
    if isinstance(found, str):
        return found
    return found[0], " ".join(_bare(found[1].split())), found[2]


def _bare(words: Sequence[str]) -> tuple[str, ...]:
    """Return a name's words without the numbers at their end."""
    end = len(words)
    while end and is_number(words[end - 1]):
        end -= 1
    return tuple(words[:end])


def of_two_names(line: Line) -> Row | str:
    """Split a line of MRtrix: value, short name, long name, red, green, blue, opacity."""
    found = by_tail(RGBA)(line)
    if isinstance(found, str) or len(line.rest) <= RGBA + 1:
        return found
    return found[0], " ".join(line.rest[1:-RGBA]), found[2]


def of_code(line: Line) -> Row | str:
    """Split a line of AAL: value, name, code."""
    if line.value is None:
        return NO_VALUE
    end = len(line.rest) - (line.tail > 0)
    return line.value, " ".join(line.rest[:end]), None


def by_code(line: Line) -> Row | str:
    """Split a line of AAL by its code: a number in front, name, value; or two names, value."""
    value = whole(line.cells[-1])
    if value is None or len(line.cells) < len(("number", "name", "code")):
        return "it does not end in a pixel value behind a name"
    return value, " ".join(line.cells[1:-1]), None


def color_first(read: Callable[[Sequence[str]], Color | None]) -> Split:
    """Return how a line of FSLeyes is split: value, red, green, blue, name."""

    def split(line: Line) -> Row | str:
        if line.value is None:
            return NO_VALUE
        if len(line.rest) <= RGB:
            return "it has no class name behind its colour"
        color = read(line.rest[:RGB])
        if color is None and line.value:
            return OUTSIDE
        return line.value, " ".join(line.rest[RGB:]), color

    return split


SPLITS: dict[str, Split] = {
    "specification": as_written,
    "names": without_numbers,
    "freesurfer": by_tail(RGBA),
    "slicer": by_tail(RGBA),
    "rgba": by_tail(RGBA),
    "freesurfer-tissue": by_tail(EXTRA),
    "mrtrix": of_two_names,
    "aal": of_code,
    "aal-codes": by_code,
    "fsleyes": color_first(fractions),
}
"""How each dialect splits a line."""


def reading_as(dialect: str, table: Table) -> Reading:
    """Return a table as one of these dialects reads it."""
    lines = table.lines
    if lines and lines[0].value is None and _is_head(lines[0]):
        lines = lines[1:]
    split = SPLITS[dialect]
    if dialect == "fsleyes" and not _most(lines, lambda line: fractions(line.rest[:RGB])):
        split = color_first(color_of)
    return collected(dialect, lines, split, once=dialect == "specification")


def columns_of(table: Table) -> tuple[str, ...]:
    """Return the dialect of a table by its columns; two of them where both may be meant."""
    lines, head = list(table.lines), table.head
    if lines and lines[0].value is None and _is_head(lines[0]):
        head = f"{head}\n{lines.pop(0).text}"
    rows = [line for line in lines if line.value or _is_structure(line)]
    rows = rows or [line for line in lines if line.value is not None]
    if not rows:
        return ("specification",)
    if _has_color_first(rows):
        return ("fsleyes",)
    found = _by_colors(rows, head)
    return found if found != ("specification",) else _by_names(rows, head)


def _is_structure(line: Line) -> bool:
    """Say whether a line for 0 names a structure; the columns of background say nothing."""
    words = [cell for cell in line.rest if not is_number(cell)]
    return line.value == 0 and bool(words) and not is_nothing(" ".join(words))


def _is_head(line: Line) -> bool:
    """Say whether a first line without a value names columns: ``No Name R G B A``."""
    return bool(_RGB_HEAD.search(line.text) or _TWO_NAMES.search(line.text)) or (
        len(line.cells) > 1 and {cell.casefold() for cell in line.cells} <= _HEAD_WORDS
    )


_HEAD_WORDS = {
    "index", "idx", "id", "no", "no.", "value", "label", "key", "name", "label_name", "code",
    "structure", "region",
}  # fmt: skip


def _most(rows: Sequence[Line], fits: Callable[[Line], object], share: float = MOST) -> bool:
    return sum(bool(fits(row)) for row in rows) > share * len(rows)


def _has_color_first(rows: Sequence[Line]) -> bool:
    """Say whether most lines have a colour in front of a name that has letters."""

    def fits(row: Line) -> bool:
        front, name = row.rest[:RGB], row.rest[RGB:]
        if not name or not (fractions(front) or color_of(front)):
            return False
        return any(map(str.isalpha, "".join(name))) or any("." in cell for cell in front)

    return _most(rows, fits)


def _by_colors(rows: Sequence[Line], head: str) -> tuple[str, ...]:
    """Return the dialect whose colour columns fit; the specification's where it has three."""
    said = [match for match in map(_RGB_HEAD.search, head.splitlines()) if match]
    is_slicer = _SLICER.search(head) is not None
    has_alpha = is_slicer or bool(said and said[-1]["alpha"])
    widths = [width for width in (EXTRA, RGBA) if _has_columns(rows, width, sure=has_alpha)]
    if not widths:
        return ("specification",)
    width = RGBA if is_slicer else widths[0]
    narrower = "specification" if width == widths[-1] else _with_alpha(rows, RGBA)
    dialect = _with_alpha(rows, width, is_slicer=is_slicer)
    if not (has_alpha and width == widths[-1]) and _may_count(rows, width):
        # Names that repeat without the numbers: these are parts of them.
        names = [row.rest[:-width] for row in rows if row.tail >= width]
        return (narrower,) if _repeated(names) else (dialect, narrower)
    return (dialect,) if is_slicer else _or_two_names(rows, head, dialect)


def _has_columns(rows: Sequence[Line], width: int, *, sure: bool) -> bool:
    """Say whether most lines end in a colour and an opacity (0 or 255), and what is behind it."""

    def fits(row: Line) -> bool:
        enough = row.tail >= width and len(row.rest) > width
        return enough and color_of(row.rest[-width:][:RGB]) is not None

    fitting = [row for row in rows if fits(row)]
    if len(fitting) <= MOST * len(rows):
        return False
    if sure and width == RGBA:
        return True
    return _most(fitting, lambda row: _is_alpha(row.rest[RGB - width]), MOST_ALPHA)


def _is_alpha(cell: str) -> bool:
    return cell in ("0", "255") or ("." in cell and 0 <= float(cell) <= 1)


def _with_alpha(rows: Sequence[Line], width: int, *, is_slicer: bool = False) -> str:
    """Return the dialect of lines with a fourth column: opaque is 0 for FreeSurfer."""
    if width == EXTRA:
        return "freesurfer-tissue"
    alphas = {row.rest[-1] for row in rows if row.tail >= width}
    if is_slicer or "255" in alphas:
        return "slicer"
    return "freesurfer" if alphas == {"0"} else "rgba"


def _may_count(rows: Sequence[Line], width: int) -> bool:
    """Say whether the first of the last numbers may count structures, as a part of their names."""
    numbers = [whole(row.rest[-width]) for row in rows if row.tail >= width]
    return all(number is not None and number <= COUNTED for number in numbers)


def _repeated(names: Sequence[tuple[str, ...]]) -> bool:
    return len(set(names)) < len(names)


def _or_two_names(rows: Sequence[Line], head: str, dialect: str) -> tuple[str, ...]:
    """Return MRtrix where each line has a short and a long name, both where that is not sure."""
    if dialect == "freesurfer-tissue":
        return (dialect,)
    pairs = [row.rest[:-RGBA] for row in rows if row.tail >= RGBA]
    if _TWO_NAMES.search(head):
        return ("mrtrix",)
    if len(pairs) < len(("one", "another")) or any(len(pair) != len("12") for pair in pairs):
        return (dialect,)
    shorts, longs = zip(*pairs, strict=True)
    if len(set(shorts)) < len(pairs) or len(set(longs)) < len(pairs):
        return (dialect,)
    short = sum(_ABBREVIATION.fullmatch(name) is not None for name in shorts)
    joined = sum(re.search(r"[-_.]", name) is not None for name in longs)
    if short > MOST * len(pairs) and joined > MOST * len(pairs):
        return ("mrtrix",)
    return dialect, "mrtrix"


def _by_names(rows: Sequence[Line], head: str) -> tuple[str, ...]:
    """Return AAL where codes stand behind names, or two dialects where names end in numbers."""
    names = [_name_cells(row) for row in rows]
    ends = [name for name in names if len(name) > 1 and is_number(name[-1])]
    if len(ends) <= MOST * len(rows) or _RGB_HEAD.search(head):
        return ("specification",)
    if len(ends) == len(rows) and _has_codes(rows):
        return ("aal",)
    if len(ends) == 1 or _repeated([_bare(name) for name in ends]):
        return ("specification",)
    return "specification", "names"


def _name_cells(row: Line) -> tuple[str, ...]:
    """Return the cells of a line's name, as the specification has it."""
    colored = len(row.rest) > RGB and channels(row.rest[-RGB:]) is not None
    return row.rest[:-RGB] if colored else row.rest


def _has_codes(rows: Sequence[Line]) -> bool:
    """Say whether one number stands behind each name: a code of AAL, or the value again."""
    codes = [whole(row.rest[-1]) for row in rows]
    coded = all(code is not None and code >= AAL_CODE for code in codes)
    again = codes == [row.value for row in rows] and len(rows) >= SAME_AS_VALUE
    alone = all(row.tail == 1 for row in rows)
    return alone and (coded or again) and not _repeated([row.rest[:-1] for row in rows])
