"""Lines of a label table: what comments, cells, colours and names are in any dialect."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from nifti_kit.errors import BadClassMap
from nifti_kit.formats.class_maps.entries import ClassEntry, Color, plain_name

RGB, RGBA = len("rgb"), len("rgba")

MAX_LINES = 100_000
"""Of a label table: a mask has at most 65,535 values, and the largest table known 2,600 lines."""

MOST = 0.5
"""The share of the lines of a file from which on they are most of them."""

AAL_CODE = 1000
"""The codes of AAL begin at 2001; numbers below this may as well be part of a name."""

_COMMENT = re.compile(r'"[^"]*"|^\s*(?:#|//).*$|\s(?:#|//)\s.*$')
_HEX_COLOR = re.compile(r"#([0-9a-fA-F]{6})(?:[0-9a-fA-F]{2})?")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_VALUE = re.compile(r"\+?[0-9]{1,9}")
_CHANNEL = re.compile(r"[+-]?[0-9]{1,9}")
_NOTHING = re.compile(
    r"background.*|bkgd?|bg|unknown|clear[ _-]*label|none|nothing|void|unlabel+ed|no[ _-]*label"
    r"|not[ _-]*labell?ed|unassigned|undefined|unclassified|unsegmented|empty|outside|zero|null"
    r"|black|\W*|n/?a",
    re.IGNORECASE,
)
"""What tables call 0: Slicer background or black, FreeSurfer Unknown, Workbench ???, ITK-SNAP
Clear Label."""


@dataclass(frozen=True)
class Line:
    """A line that is neither blank nor a comment."""

    number: int  # where it stands in the file, from 1
    raw: str  # as it is written
    text: str  # without comments and blanks at its ends
    # Its columns: words, or what tabs, commas or semicolons separate in the whole file.
    cells: tuple[str, ...] = ()

    @property
    def value(self) -> int | None:
        """The whole number at its beginning, or None."""
        return whole(self.cells[0]) if self.cells else None

    @property
    def rest(self) -> tuple[str, ...]:
        """The cells behind the value."""
        return self.cells[1:]

    @cached_property
    def tail(self) -> int:
        """How many of its last cells are numbers."""
        count = 0
        while count < len(self.rest) and is_number(self.rest[-1 - count]):
            count += 1
        return count


@dataclass(frozen=True)
class Table:
    """The text of a file, by its lines."""

    text: str  # the whole text
    # The lines that are not blank, comments too: (number from 1, line).
    raw: tuple[tuple[int, str], ...]
    lines: tuple[Line, ...]  # those that are no comments
    head: str  # the comments in front of the first of them, joined


def table_of(text: str, shown: str = "") -> Table:
    """Return a text as a table: comments are apart, and the cells of each line are known.

    Raises BadClassMap if it has more lines than any label table; ``shown`` names the file.
    """
    raw = [(at, line) for at, line in enumerate(text.splitlines(), start=1) if line.strip()]
    # A JSON file has a line for each case that it lists.
    if len(raw) > MAX_LINES and not text.lstrip("\ufeff \t\r\n").startswith("{"):
        raise BadClassMap(
            "the class map has more lines than any",
            path=shown or None,
            found=f"{len(raw):,} lines",
            expected=f"a line for each class: at most {MAX_LINES:,}",
            remedy="Give the right file; or write one that holds only the classes of these masks.",
        )
    lines, comments = [], []
    for number, line in raw:
        bare = _COMMENT.sub(lambda found: found[0] if found[0][0] == '"' else "", line).strip()
        if bare:
            lines.append(Line(number, line, bare))
        elif not lines:
            comments.append(line)
    return Table(text, tuple(raw), _with_cells(lines), "\n".join(comments))


def _with_cells(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Return lines with their cells: split where the whole file says so, else at blanks."""
    for separator in "\t,;":
        cells = [cells_of(line.text, separator) for line in lines]
        counts = {len(found) for found in cells}
        values = [found for found in cells if whole(found[0]) is not None]
        if len(values) > MOST * len(lines) and _are_columns(values, counts):
            break
    else:
        cells = [_words(line.text) for line in lines]
    return tuple(
        Line(line.number, line.raw, line.text, tuple(found))
        for line, found in zip(lines, cells, strict=True)
    )


def _are_columns(cells: Sequence[Sequence[str]], counts: set[int]) -> bool:
    """Say whether what a separator parts are columns: as many in each line, one thing in each."""
    if min(counts) < len(("value", "name")) or len(counts) > len(("with", "without colours")):
        return False
    several = [found for found in cells if _holds_columns(found[-1].split())]
    return len(several) <= MOST * len(cells)  # '1 <tab> Femur 255 0 0' has words behind its tab


def _holds_columns(words: Sequence[str]) -> bool:
    """Say whether the last cell of a line is a name with more behind it than a small number."""
    if len(words) == 1 or not is_number(words[-1]):
        return False
    return "." in words[-1] or float(words[-1]) >= AAL_CODE or all(map(is_number, words[-RGB:]))


def cells_of(text: str, separator: str) -> list[str]:
    """Return the cells of a line, without quotes and blanks around them; none behind the last."""
    try:
        found = next(csv.reader([text], delimiter=separator), [""])
    except csv.Error:  # a field of more than 128 KB
        found = text.split(separator)
    cells = [cell.strip() for cell in found]
    while len(cells) > 1 and not cells[-1]:
        cells.pop()
    return cells


_TUPLE = re.compile(r"[(\[{]?\s*([0-9]{1,3}(?:\s*,\s*[0-9]{1,3}){2}(?:\s*,\s*[0-9.]+)?)\s*[)\]}]?$")
"""A colour with commas at the end of a line: ``255,0,0`` or ``(255, 0, 0)``."""


def _words(text: str) -> list[str]:
    """Return the words of a line; what stands in quotes after its value is one word."""
    text = _TUPLE.sub(lambda match: f" {match[1].replace(',', ' ')}", text)
    match = re.fullmatch(r'(\S+)\s+"([^"]+)"((?:\s+\S+)*)', text)
    return [match[1], match[2], *match[3].split()] if match else text.split()


def is_number(text: str) -> bool:
    """Say whether a cell is a number, whole or not."""
    return _NUMBER.fullmatch(text) is not None


def whole(text: str) -> int | None:
    """Return a cell as a pixel value (0 or more, nine digits at most), or None."""
    return int(text) if _VALUE.fullmatch(text) else None


def hex_color(text: str) -> Color | None:
    """Return the colour that ``#rrggbb`` says (a fourth pair is passed over), or None."""
    match = _HEX_COLOR.fullmatch(text)
    if match is None:
        return None
    red, green, blue = bytes.fromhex(match[1])
    return (red, green, blue)


def channels(cells: Sequence[str]) -> tuple[int, ...] | None:
    """Return whole numbers as they stand, in range or not; None where one is none."""
    if not all(_CHANNEL.fullmatch(cell) for cell in cells):
        return None
    return tuple(map(int, cells))


def color_of(cells: Sequence[str]) -> Color | None:
    """Return a colour of three whole numbers of 0 to 255, or None."""
    found = channels(cells)
    if found is None or len(found) != RGB or not all(0 <= part < 256 for part in found):  # noqa: PLR2004
        return None
    return (found[0], found[1], found[2])


def fractions(cells: Sequence[str]) -> Color | None:
    """Return a colour of three numbers of 0 to 1, or None."""
    if len(cells) != RGB or not all(is_number(cell) and 0 <= float(cell) <= 1 for cell in cells):
        return None
    red, green, blue = (round(255 * float(cell)) for cell in cells)
    return (red, green, blue)


def is_nothing(name: str) -> bool:
    """Say whether a name is one of those that tables give to 0: background, Unknown, ..."""
    return _NOTHING.fullmatch(name.strip(" ()[]<>")) is not None


Row = tuple[int, str, "Color | None"]
"""Value, name and colour of a line."""


@dataclass(frozen=True)
class Reading:
    """A file as one dialect reads it."""

    dialect: str  # which one, a key of ``DIALECTS``
    entries: tuple[ClassEntry, ...]  # what it names, 0 left out
    faults: tuple[str, ...] = ()  # the lines that are no entries: what is wrong with each
    zero: ClassEntry | None = None  # what it calls 0, where that is a structure; else None
    regions: tuple[str, ...] = ()  # names that stand for several values together: no classes


@dataclass
class Collector:
    """Takes the lines of a file one by one, and makes a reading of them.

    The specification's table has a name once (``once``); tables of other tools have entries for
    more than the masks at hand, so what is told twice there is a matter of the values in use.
    """

    once: bool = False
    faults: list[str] = field(default_factory=list)
    regions: list[str] = field(default_factory=list)
    _entries: dict[int, ClassEntry] = field(default_factory=dict)
    _names: dict[str, int] = field(default_factory=dict)
    _zero: ClassEntry | None = None

    def take(self, number: int, raw: str, found: Row | str, where: str = "line {}") -> None:
        """Take a line as its row, or as what is wrong with it."""
        place = where.format(number)
        fault = found if isinstance(found, str) else ""
        if not isinstance(found, str):
            value, name, color = found
            before = self._entries.get(value)
            if value == 0:
                if name and not is_nothing(name):
                    self._zero = ClassEntry(0, name, color, number)
                return
            if not name:
                fault = "it has no class name"
            elif before is not None:
                if (before.name, before.color) == (name, color) and not self.once:
                    return
                fault = f"the value {value} stands in {where.format(before.line)} too"
            elif self.once and plain_name(name) in self._names:
                fault = f"the name {name!r} stands in line {self._names[plain_name(name)]} too"
            else:
                self._entries[value] = ClassEntry(value, name, color, number)
                self._names.setdefault(plain_name(name), number)
        if fault:
            self.faults.append(f"{place}: {fault}: {raw!r}")

    def reading(self, dialect: str) -> Reading:
        """Return what was taken."""
        entries = tuple(self._entries.values())
        return Reading(dialect, entries, tuple(self.faults), self._zero, tuple(self.regions))


def collected(
    dialect: str, lines: Sequence[Line], split: Callable[[Line], Row | str], *, once: bool = False
) -> Reading:
    """Return the reading of lines by how a dialect splits one of them."""
    collector = Collector(once)
    for line in lines:
        collector.take(line.number, line.raw, split(line))
    return collector.reading(dialect)
