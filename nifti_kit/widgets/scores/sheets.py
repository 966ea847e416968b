"""Sheets: the rows and cells of a score table as they are written, and edits of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import NamedTuple

from nifti_kit.errors import BadScores
from nifti_kit.formats.scores.cells import csv_text, decimal, rows_of

__all__ = ["LAYER", "ScoreSheet", "SheetRow", "comment_name", "number_of", "value_of"]

LAYER = "Layer"
"""The header of the column that says which frame a row is."""

HEADER_SEPARATORS = ";\t"
"""In a header they could be taken for what separates cells: readers count them there."""

_NUMBERED = re.compile(r"(label|comment)[\s_-]*(\d{1,9})", re.IGNORECASE)
"""As :func:`nifti_kit.read_scores` reads headers; a test holds both to the same."""


class SheetRow(NamedTuple):
    """A row: the line in the file that it stands in (from 1), and its cells as they are written."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class ScoreSheet:
    """A score table as text.

    Attributes
    ----------
    header
        The names of the columns; those that are read are written ``Layer``, ``Label-N``,
        ``Comment-N``.
    rows
        In the order of the file; none is blank.
    """

    header: tuple[str, ...]
    rows: tuple[SheetRow, ...]

    @classmethod
    def of(cls, text: str, shown: str) -> ScoreSheet:
        """Return the sheet of a file's text; ``shown`` is what the file is called.

        Raises
        ------
        BadScores
            If it has no ``Layer`` or no ``Label-N`` column, or is no table.
        """
        lines = rows_of(text, shown)
        header = tuple(_known(name) for name in lines[0][1]) if lines else ()
        if LAYER not in header or all(value_of(name) is None for name in header):
            raise BadScores(
                "the table has no 'Layer' column or no 'Label-N' column",
                path=shown,
                found=", ".join(header) or "an empty file",
                expected="a header such as 'Layer, Label-1, Label-2'",
                remedy="Correct the header line.",
            )
        return cls(_once(header), tuple(SheetRow(at, tuple(cells)) for at, cells in lines[1:]))

    @property
    def text(self) -> str:
        """The table as CSV with commas; each row stands in the line of its number."""
        lines = csv_text([self.header])
        for row in self.rows:
            written = csv_text([row.cells])
            gap = row.number - lines.count("\n") - written.count("\n")
            lines += "\n" * max(gap, 0) + written
        return lines

    @cached_property
    def values(self) -> tuple[int, ...]:
        """The pixel values that have a column, in rising order."""
        found = (value_of(name) for name in self.header)
        return tuple(sorted(value for value in found if value is not None))

    @cached_property
    def _places(self) -> dict[str, int]:
        # Backwards: of names that stand twice the first one counts.
        return {name: at for at, name in reversed(list(enumerate(self.header))) if name}

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
        """Return the row of a line of the file.

        Raises
        ------
        BadScores
            If there is none.
        """
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
        named = [bool(name) for name in self.header]
        return [
            cell
            for at, cell in enumerate(row.cells)
            if cell and not (at < len(named) and named[at])
        ]

    def with_cell(self, number: int, name: str, text: str) -> ScoreSheet:
        """Return the sheet with other text in a cell; a column that is not there is added."""
        sheet = self if name in self.header else replace(self, header=(*self.header, name))
        column = sheet.header.index(name)
        row = sheet.row(number)
        cells = [*row.cells, *[""] * (column + 1 - len(row.cells))]
        cells[column] = text
        return sheet._with(replace_row(sheet.rows, SheetRow(number, tuple(cells))))

    def with_row(self, layer: str) -> ScoreSheet:
        """Return the sheet with one more row, at the end, that has only its Layer."""
        cells = tuple(layer if name == LAYER else "" for name in self.header)
        return self._with((*self.rows, SheetRow(self.next_number, cells)))

    @property
    def next_number(self) -> int:
        """The line that one more row gets."""
        return max((row.number for row in self.rows), default=1) + 1

    def without_row(self, number: int) -> ScoreSheet:
        """Return the sheet without a row."""
        gone = self.row(number)
        return self._with(tuple(row for row in self.rows if row != gone))

    def without_column(self, name: str) -> ScoreSheet:
        """Return the sheet without a column."""
        at = self.header.index(name)
        rows = tuple(row._replace(cells=_without(row.cells, at)) for row in self.rows)
        return replace(self, header=_without(self.header, at), rows=rows)

    def renamed(self, name: str, other: str) -> ScoreSheet:
        """Return the sheet with another header for a column."""
        header = tuple(other if there == name else there for there in self.header)
        return replace(self, header=header)

    def _with(self, rows: tuple[SheetRow, ...]) -> ScoreSheet:
        return replace(self, rows=rows)


def replace_row(rows: Iterable[SheetRow], changed: SheetRow) -> tuple[SheetRow, ...]:
    """Return rows with another one in the place of that of the same number."""
    return tuple(changed if row.number == changed.number else row for row in rows)


def _known(name: str) -> str:
    """Return a header as it is read: ``label 2`` is ``Label-2``."""
    if name.casefold() == LAYER.casefold():
        return LAYER
    if match := _NUMBERED.fullmatch(name):
        return f"{match[1].title()}-{int(match[2])}"
    return name.translate({ord(sign): "," for sign in HEADER_SEPARATORS})


def _once(header: Sequence[str]) -> tuple[str, ...]:
    """Return a header in which what stands twice is marked the second time: only one is read."""
    seen: set[str] = set()
    names = []
    for name in header:
        names.append(f"{name} (again)" if name and name in seen else name)
        seen.add(name)
    return tuple(names)


@lru_cache(maxsize=65_536)
def number_of(text: str) -> Decimal | None:
    """Return the number that a cell holds, or None; every edit asks for all of them again."""
    return decimal(text)


@lru_cache(maxsize=4096)
def value_of(name: str) -> int | None:
    """Return the pixel value that a column scores; None where it scores none."""
    match = _NUMBERED.fullmatch(name)
    return int(match[2]) if match and match[1] == "Label" else None


@lru_cache(maxsize=4096)
def comment_name(name: str) -> str:
    """Return the column of a label's comments; ``""`` where it can have none."""
    value = value_of(name)
    return "" if value is None else f"Comment-{value}"


def _without(cells: tuple[str, ...], at: int) -> tuple[str, ...]:
    return cells[:at] + cells[at + 1 :]
