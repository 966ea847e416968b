"""Score sheets: the text cells of a score table, what stands around them, and edits of cells."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import NamedTuple

from nifti_kit.core.text import listed, unguarded_cell
from nifti_kit.errors import BadScores
from nifti_kit.formats.scores.cells import HEADER_LINES, decimal, line_cells, rows_of

LAYER = "Layer"
"""The header of the column that says which frame a row is."""

SHOWN = 60
"""Letters of a text that a message repeats."""

SHOWN_CELLS = 5
"""Cells that a message lists before it counts the rest."""

_SEPARATOR = re.compile(r'\s*"?sep=(\\t|[^\r\n"\w ])[^\r\n\w]*(?=[\r\n]|$)', re.IGNORECASE)
"""Excel's own line: it says what separates the cells of the lines that follow."""

_NUMBERED = re.compile(r"(label|comment)[\s_-]*(\d{1,9})", re.IGNORECASE)
_NAMED = re.compile(
    r"(label|comment)[\s_-]*(\d{1,9})(?:\s*[(\[:=]\s*|[\s_-]+)([^\W\d_].*)", re.IGNORECASE
)
_REMARKS = re.compile(r"comment|remark|note", re.IGNORECASE)
"""A column of a label with such a word holds no scores."""

_COMMENT = re.compile(r"Comment-\d+")

_UNNAMED = re.compile(r"(unnamed: ?\d+(\.\d+)?)?", re.IGNORECASE)
"""The header of a row index that pandas wrote, or that it wrote and read again."""


class SheetRow(NamedTuple):
    """A row: the line in the file that it stands in (from 1), and its cells as they are written.

    Comments are without the apostrophe that stands before a formula in a saved table.
    """

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class ScoreSheet:
    """A score table as text."""

    # The names of the columns, each once; those that are read are ``Layer``, ``Label-N``,
    # ``Comment-N``, what else there is stands as it is written.
    header: tuple[str, ...]
    rows: tuple[SheetRow, ...]  # in the order of the file; none is blank
    line: int = 1  # the line of the header, from 1
    # The number of the first column, from 1; above 1 where a row index stands before it.
    first: int = 1
    passed: tuple[str, ...] = field(default=(), compare=False)  # what was passed over, in words
    # Whether it is in the form of the platform's exporter: ``Layer,Label-1,Label-2`` in rising
    # order, commas alone, no blank cell, nothing around it.
    exported: bool = field(default=False, compare=False)

    @classmethod
    def of(cls, text: str, shown: str) -> ScoreSheet:
        """Return the sheet of a file's text; ``shown`` is what the file is called.

        Fine are, and named in ``passed``: Excel's line ``sep=;``, a title above the header, a
        row index of pandas, words behind ``Label-1``.

        Raises BadScores if it is no table, has no ``Layer`` or no ``Label-N`` column, or it is not
        certain what is to be passed over.
        """
        said = _SEPARATOR.match(text)
        # Its line ends stay, so that lines keep their numbers.
        body = text if said is None else re.sub(r"[^\r\n]", "", said[0]) + text[said.end() :]
        separator = None if said is None else said[1].replace("\\t", "\t")
        lines = rows_of(body, shown, separator or _delimiter(body))
        at = next((n for n, (_, cells) in enumerate(lines[:HEADER_LINES]) if _is_header(cells)), 0)
        above, (line, names), rows = lines[:at], (lines or [(1, [])])[at], lines[at + 1 :]
        _refuse_other(names, said, shown)
        passed = [] if said is None else [f"line {len(said[0].splitlines())}: {said[0].strip()!r}"]
        passed += [f"line {n}: {_title(cells, n, shown)!r}, above the header" for n, cells in above]
        first = 1 + _index_columns(names, rows, shown)
        cut = first - 1
        passed += [f"column {n}: a row index without a name" for n in range(1, first)]
        header, wordy = _known(names[cut:], shown)
        passed += [f"column {first + n}: the words of {names[cut + n]!r}" for n in wordy]
        plain = [name for _, name in sorted((value_of(n) or 0, n) for n in header[1:])]
        compact = body.splitlines()[line - 1 : line] == [",".join((LAYER, *plain))]
        filled = all(len(cells) == len(header) and all(cells) for _, cells in rows)
        comments = [at for at, name in enumerate(header) if _COMMENT.fullmatch(name)]
        kept = tuple(SheetRow(n, _unguarded(cells[cut:], comments)) for n, cells in rows)
        exported = compact and filled and not passed and tuple(names) == header
        return cls(header, kept, line, first, tuple(passed), exported)

    @cached_property
    def values(self) -> tuple[int, ...]:
        """The pixel values that have a column, in rising order."""
        found = (value_of(name) for name in self.header)
        return tuple(sorted(value for value in found if value is not None))

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: at for at, name in enumerate(self.header) if name}

    @cached_property
    def heads(self) -> dict[str, tuple[int, int]]:
        """The name of each column to (line, column) of its header, each from 1."""
        return {name: (self.line, self.first + at) for name, at in self._places.items()}

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of what stands beside the layers: labels by value, then what is not read.

        A comment column of a label that is there is none of them.
        """
        labels = [f"Label-{value}" for value in self.values]
        comments = [f"Comment-{value}" for value in self.values]
        known = {"", LAYER, *labels, *comments}
        return (*labels, *(name for name in self.header if name not in known))

    def row(self, number: int) -> SheetRow:
        """Return the row of a line of the file; raises BadScores if there is none."""
        for row in self.rows:
            if row.number == number:
                return row
        raise BadScores("the table has no such row", found=f"line {number}")

    def cell(self, row: SheetRow, name: str) -> str:
        """Return a row's cell in a column, as it is written; ``""`` where there is none."""
        column = self._places.get(name, len(row.cells))
        return row.cells[column] if column < len(row.cells) else ""

    def beyond(self, row: SheetRow) -> list[str]:
        """Return the cells of a row that have no header."""
        names = [*self.header, *[""] * (len(row.cells) - len(self.header))]
        return [cell for cell, name in zip(row.cells, names, strict=False) if cell and not name]

    def with_cell(self, number: int, name: str, text: str) -> ScoreSheet:
        """Return the sheet with other text in a cell; a column that is not there is added."""
        sheet = self if name in self.header else replace(self, header=(*self.header, name))
        column = sheet.header.index(name)
        row = sheet.row(number)
        cells = [*row.cells, *[""] * (column + 1 - len(row.cells))]
        cells[column] = text
        changed = SheetRow(number, tuple(cells))
        rows = (changed if row.number == number else row for row in sheet.rows)
        return replace(sheet, rows=tuple(rows))

    def with_row(self, layer: str) -> ScoreSheet:
        """Return the sheet with one more row, at the end, that has only its Layer."""
        cells = tuple(layer if name == LAYER else "" for name in self.header)
        return replace(self, rows=(*self.rows, SheetRow(self.next_number, cells)))

    @property
    def next_number(self) -> int:
        """The line that one more row gets."""
        return max((row.number for row in self.rows), default=self.line) + 1

    def without_row(self, number: int) -> ScoreSheet:
        """Return the sheet without a row."""
        gone = self.row(number)
        return replace(self, rows=tuple(row for row in self.rows if row != gone))

    def without_column(self, name: str) -> ScoreSheet:
        """Return the sheet without a column."""
        at = self.header.index(name)
        rows = tuple(row._replace(cells=_without(row.cells, at)) for row in self.rows)
        return replace(self, header=_without(self.header, at), rows=rows)

    def renamed(self, name: str, other: str) -> ScoreSheet:
        """Return the sheet with another header for a column."""
        header = tuple(other if there == name else there for there in self.header)
        return replace(self, header=header)


@lru_cache(maxsize=4096)
def value_of(name: str) -> int | None:
    """Return the pixel value that a column scores; None where it scores none."""
    match = re.fullmatch(r"Label-(\d{1,9})", name)
    return int(match[1]) if match else None


@lru_cache(maxsize=4096)
def comment_name(name: str) -> str:
    """Return the column of a label's comments; ``""`` where it can have none."""
    value = value_of(name)
    return "" if value is None else f"Comment-{value}"


def _unguarded(cells: Sequence[str], comments: Iterable[int]) -> tuple[str, ...]:
    """Return a row's cells, its comments without the apostrophes that saving put before them."""
    texts = list(cells)
    for at in comments:
        texts[at : at + 1] = map(unguarded_cell, texts[at : at + 1])
    return tuple(texts)


def _without(cells: tuple[str, ...], at: int) -> tuple[str, ...]:
    return cells[:at] + cells[at + 1 :]


def _delimiter(text: str) -> str:
    """Return what separates cells in the header; in the first line where there is no header."""
    lines = [line for line in text.splitlines() if line.strip()][:HEADER_LINES]
    for line in lines:
        for sign in sorted(",;\t", key=line.count, reverse=True):
            if _is_header(line_cells(line, sign)):
                return sign
    return max(",;\t", key=lines[0].count) if lines else ","


def _is_header(cells: Sequence[str]) -> bool:
    """Say whether a line names the layers and a label."""
    layer = any(cell.casefold() == LAYER.casefold() for cell in cells)
    return layer and any(_numbered(cell)[0].startswith("Label") for cell in cells)


def _refuse_other(names: Sequence[str], said: re.Match[str] | None, shown: str) -> None:
    """Refuse a table whose header names no layers, or no label."""
    if _is_header(names):
        return
    remedy = "Correct the header line."
    if said is not None:
        line = said[0].strip()
        remedy = f"Remove the line {line!r} if that is not what separates cells; or: {remedy}"
    layer = any(name.casefold() == LAYER.casefold() for name in names)
    raise BadScores(
        "no column is a label" if layer else "the table has no 'Layer' column",
        path=shown,
        found=", ".join(names) or "an empty file",
        expected="a header such as 'Layer, Label-1, Label-2'",
        remedy=remedy,
    )


def _title(cells: Sequence[str], line: int, shown: str) -> str:
    """Return the text of a line above the header; one that may be a row of scores is refused."""
    texts = [cell for cell in cells if cell]
    if len(texts) > 1 and all(decimal(text) is not None for text in texts):
        raise BadScores(
            "a line above the header may be a row of scores",
            path=shown,
            found=f"line {line}: {', '.join(texts)}",
            expected="the header in the first line",
            remedy="Move the line below the header, or remove it.",
        )
    return ", ".join(texts)[:SHOWN]


def _index_columns(names: Sequence[str], rows: Sequence[tuple[int, list[str]]], shown: str) -> int:
    """Return how many columns in front are a row index; one that may be more is refused."""
    found = 0
    while found < len(names) and _UNNAMED.fullmatch(names[found]):
        cells = [row[found] for _, row in rows if found < len(row) and row[found]]
        if not cells and not names[found]:
            return found  # a blank column is no index
        if not _are_whole(cells):
            raise BadScores(
                "the table's first column has no name, and is no row index of whole numbers",
                path=shown,
                found=listed(map(repr, cells), SHOWN_CELLS),
                remedy="Name the column; or save without a row index: to_csv(..., index=False).",
            )
        found += 1
    # Read with the index in front, the second cell is the Layer.
    longer = [len(row) == len(names) + 1 and _are_whole(row[:2]) for _, row in rows]
    if longer and all(longer) and all(names) and any(row[-1] for _, row in rows):
        raise BadScores(
            "every row has one cell more than the header names",
            path=shown,
            found=f"line {rows[0][0]}: {', '.join(rows[0][1])}",
            expected=", ".join(names),
            remedy="A row index in front: save without it (pandas: to_csv(..., index=False); R: "
            "row.names=FALSE). A column at the end: name it.",
        )
    return found


def _are_whole(cells: Sequence[str]) -> bool:
    """Say whether all cells are whole numbers."""
    numbers = [decimal(cell) for cell in cells]
    return all(number is not None and number == int(number) for number in numbers)


def _numbered(name: str) -> tuple[str, str]:
    """Return ``Label-2`` or ``Comment-2`` for a header that says so, and the words behind it."""
    if match := _NUMBERED.fullmatch(name):
        return f"{match[1].title()}-{int(match[2])}", ""
    match = _NAMED.fullmatch(name)
    if match is None or (match[1].casefold() == "label" and _REMARKS.search(match[3])):
        return "", ""
    return f"{match[1].title()}-{int(match[2])}", match[3]


def _once(name: str, times: Counter[str]) -> str:
    """Return a header as it is, or numbered where it stands again; a blank one stays blank.

    ``times`` counts the headers so far: thousands may have one name.
    """
    key = name
    while key and times[key]:
        times[name] += 1
        key = f"{name} (again {times[name]})"
    times[key] += 1
    return key


def _known(names: Sequence[str], shown: str) -> tuple[tuple[str, ...], list[int]]:
    """Return headers as they are read, each once, and where words behind a number are not.

    Of headers that stand twice the first one counts; one without words comes before one with.
    """
    plain = {key for key, words in map(_numbered, names) if key and not words}
    worded: dict[str, str] = {}
    times: Counter[str] = Counter()
    header: list[str] = []
    wordy = []
    for at, name in enumerate(names):
        key, words = _numbered(name)
        if words and key in worded:
            raise BadScores(
                "two columns name one label",
                path=shown,
                found=f"{worded[key]!r} and {name!r}",
                expected=f"one column {key}",
                remedy="Rename the one that holds other numbers; a name without Label is not used.",
            )
        if words and key in plain:
            key = name
        elif words:
            worded[key] = name
            wordy.append(at)
        key = key or (LAYER if name.casefold() == LAYER.casefold() else name)
        header.append(_once(key, times))
    return tuple(header), wordy
