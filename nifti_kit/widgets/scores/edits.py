"""Edits of score tables: each takes a draft, and returns what was done with the new draft."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import NamedTuple

from nifti_kit.core.text import read_text
from nifti_kit.datasets.items import TableFile
from nifti_kit.errors import BadScores
from nifti_kit.formats.scores import ScoreTable, read_scores
from nifti_kit.formats.scores.cells import csv_text, decimal, rows_of
from nifti_kit.formats.scores.table import MAX_VALUE, check_base

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


# Drafts: a score table while it is edited, and how its layers are counted

FRAMES = ("file", "ras", "reversed")
"""What layers count along, as :func:`nifti_kit.scan` has it."""


@dataclass(frozen=True)
class Draft:
    """A score table as it is now.

    Attributes
    ----------
    table
        Its file.
    sheet
        Its rows and cells as they are written.
    base
        What its layers count from: 1, or 0.
    frames
        ``file``: from the first frame of the NIfTI file; ``reversed``: from the last one. For a
        table without masks the choices of :func:`nifti_kit.scan`.
    count
        How many frames there are; None where nothing says it.
    """

    table: TableFile
    sheet: ScoreSheet
    base: int
    frames: str
    count: int | None

    @cached_property
    def faults(self) -> dict[int, str]:
        """The code of what is wrong with the Layer of a row, by the row's line in the file."""
        numbers = {row.number: self._whole(row) for row in self.sheet.rows}
        times = Counter(numbers.values())
        found = {}
        for line, layer in numbers.items():
            if layer is None:
                found[line] = "scores-layer"
            elif layer < self.base:
                found[line] = "scores-layer-zero" if layer == 0 else "scores-layer-outside"
            elif times[layer] > 1:
                found[line] = "scores-layer-repeated"
        return found

    @cached_property
    def rows(self) -> dict[int, SheetRow]:
        """The rows that have a layer of their own, by it."""
        found = {}
        for row in self.sheet.rows:
            layer = self._whole(row)
            if layer is not None and row.number not in self.faults:
                found[layer] = row
        return dict(sorted(found.items()))

    @property
    def layers(self) -> list[int]:
        """The layers that there are: those of every frame, and those of rows; in rising order."""
        every = set(self.rows)
        if self.count is not None:
            every |= set(range(self.base, self.base + self.count))
        return sorted(every)

    def frame_of(self, layer: int) -> int | None:
        """Return the frame in the NIfTI file (from 1) of a layer; None where there is no such."""
        position = layer - self.base + 1
        if position < 1 or (self.count is not None and position > self.count):
            return None
        if self.count is not None and self.frames == "reversed":
            return self.count + 1 - position
        return position

    @cached_property
    def read(self) -> ScoreTable:
        """The table as it is read, by frames of the NIfTI file.

        Raises
        ------
        BadScores
            If layers count from the last frame, and one is beyond the first.
        """
        found = read_scores(
            self.table.path,
            base=self.base,
            relative=str(self.table.relative),
            content=self.sheet.text.encode("utf-8", "surrogatepass"),
        )
        if self.count is not None and self.frames == "reversed":
            return found.reversed(self.count)
        return found

    def written(self, layer: int, value: int) -> str:
        """Return what stands in a cell; ``""`` where nothing does."""
        row = self.rows.get(layer)
        return self.sheet.cell(row, f"Label-{value}") if row else ""

    def with_sheet(self, sheet: ScoreSheet) -> Draft:
        """Return the draft with other rows and cells."""
        return replace(self, sheet=sheet)

    def row_for(self, layer: int) -> tuple[Draft, int]:
        """Return the draft with a row for a layer, and the row's line; it is added if missing.

        Raises
        ------
        BadScores
            If several rows have that layer, or the volume has no such frame.
        """
        if layer in self.rows:
            return self, self.rows[layer].number
        lines = [row.number for row in self.sheet.rows if self._whole(row) == layer]
        if len(lines) > 1:
            shown = ", ".join(map(str, lines))
            raise BadScores(f"Layer {layer} stands in lines {shown}: correct their layers first")
        if self.frame_of(layer) is None:
            last = "" if self.count is None else f" to {self.base + self.count - 1}"
            message = f"there is no layer {layer}"
            raise BadScores(message, expected=f"layers from {self.base}{last}")
        return self.with_sheet(self.sheet.with_row(str(layer))), self.sheet.next_number

    def _whole(self, row: SheetRow) -> int | None:
        number = number_of(self.sheet.cell(row, LAYER))
        return None if number is None or number != int(number) else int(number)


def open_draft(table: TableFile, base: int, frames: str, count: int | None) -> Draft:
    """Return the draft of a score table as its file is.

    Raises
    ------
    NiftiKitError
        If the file is no score table.
    """
    check_base(base, table.path)
    text = read_text(table.path, table.content)
    # What a repair wrote counts from 1, along the file.
    base = base if table.content is None else 1
    return Draft(table, ScoreSheet.of(text, str(table.relative)), base, frames, count)


SHOWN = 40
"""Letters of a text that a message repeats."""


class Edited(NamedTuple):
    """What an edit did, in words, and the draft after it."""

    what: str
    draft: Draft


def column_of(label: int | str) -> str:
    """Return the column of a label: 2, ``"2"`` and ``"Label-2"`` are one.

    Raises
    ------
    BadScores
        If it names no pixel value.
    """
    text = str(label).strip()
    text = text[6:] if text.casefold().startswith("label-") else text
    if not (text.isascii() and text.isdigit() and int(text) <= MAX_VALUE):
        raise BadScores("that names no label", found=repr(label), expected="such as Label-2")
    return f"Label-{int(text)}"


def key_parts(key: str) -> tuple[int | None, int | None]:
    """Return (layer, None) or (None, line) of a row's key.

    Raises
    ------
    BadScores
        If it is no such key.
    """
    kind, number = key[:1], key[1:]
    if kind not in ("L", "R") or not number.isdigit():
        raise BadScores("that is no row", found=repr(key))
    return (int(number), None) if kind == "L" else (None, int(number))


def scored(draft: Draft, key: str, name: str, text: str) -> Edited:
    """Put a text into a cell; a score has to be a number, ``""`` removes it.

    Raises
    ------
    BadScores
        If it is no number, or there is no such row.
    """
    text = text.strip()
    if value_of(name) is not None and text and number_of(text) is None:
        raise BadScores(
            "the score is no number",
            found=repr(text[:SHOWN]),
            expected="a number, usually from 0 to 1; nothing for no score",
        )
    return _put(draft, key, name, text)


def commented(draft: Draft, key: str, name: str, text: str) -> Edited:
    """Put a comment beside a score; ``""`` removes it.

    Raises
    ------
    BadScores
        If a file cannot hold it, or the column has no scores.
    """
    value = value_of(name)
    if value is None:
        raise BadScores("only a label has comments", found=name or "no column")
    draft.read.with_score(1, value, None, text)  # refuses what a file cannot hold
    return _put(draft, key, comment_name(name), text.strip())


def _put(draft: Draft, key: str, name: str, text: str) -> Edited:
    layer, line = key_parts(key)
    shown = f"Layer {layer}" if layer is not None else f"line {line}"
    if layer is not None:
        if not text and layer not in draft.rows:
            return Edited("", draft)
        draft, line = draft.row_for(layer)
    assert line is not None
    before = draft.sheet.cell(draft.sheet.row(line), name)
    if before == text:
        return Edited("", draft)
    what = f"{shown}, {name}: {_shown(before)} is now {_shown(text)}"
    return Edited(what, draft.with_sheet(draft.sheet.with_cell(line, name, text)))


def _shown(text: str) -> str:
    return repr(text[:SHOWN]) if text else "blank"


def placed(draft: Draft, key: str, text: str) -> Edited:
    """Give a row another layer.

    Raises
    ------
    BadScores
        If it is no whole number, there is no such layer, or it has a row already.
    """
    line = _line(draft, key)
    number = number_of(text.strip())
    if number is None or number != int(number):
        raise BadScores("a layer is a whole number", found=repr(text[:SHOWN]))
    layer = int(number)
    if layer in draft.rows and draft.rows[layer].number != line:
        raise BadScores(f"Layer {layer} has a row already: line {draft.rows[layer].number}")
    if draft.frame_of(layer) is None:
        draft.row_for(layer)  # says which layers there are
    what = f"line {line} is now Layer {layer}"
    return Edited(what, draft.with_sheet(draft.sheet.with_cell(line, LAYER, str(layer))))


def _line(draft: Draft, key: str) -> int:
    layer, line = key_parts(key)
    if layer is not None:
        if layer not in draft.rows:
            raise BadScores(f"Layer {layer} has no row yet: give one of its labels a score")
        line = draft.rows[layer].number
    assert line is not None
    return draft.sheet.row(line).number


def row_removed(draft: Draft, key: str) -> Edited:
    """Remove a row with all its scores.

    Raises
    ------
    BadScores
        If there is none.
    """
    line = _line(draft, key)
    return Edited(f"line {line} removed", draft.with_sheet(draft.sheet.without_row(line)))


def column_moved(draft: Draft, name: str, label: int | str) -> Edited:
    """Give a column, with its comments, to another label.

    Raises
    ------
    BadScores
        If there is no such column, or that label has one.
    """
    _need(draft, name)
    other = column_of(label)
    if other == name:
        return Edited("", draft)
    if other in draft.sheet.header:
        raise BadScores(f"{other} has a column already: remove or move that one first")
    sheet = draft.sheet.renamed(name, other)
    if comment_name(name) in sheet.header and comment_name(name):
        if comment_name(other) in sheet.header:
            raise BadScores(f"{comment_name(other)} is there already: remove that column first")
        sheet = sheet.renamed(comment_name(name), comment_name(other))
    return Edited(f"column {name} is now {other}", draft.with_sheet(sheet))


def column_removed(draft: Draft, name: str) -> Edited:
    """Remove a column, with its comments.

    Raises
    ------
    BadScores
        If there is none, or it is the only one with scores.
    """
    _need(draft, name)
    if draft.sheet.values == (value_of(name),):
        raise BadScores(f"{name} is the only label of the table: it stays")
    sheet = draft.sheet.without_column(name)
    if comment_name(name) in sheet.header and comment_name(name):
        sheet = sheet.without_column(comment_name(name))
    return Edited(f"column {name} removed", draft.with_sheet(sheet))


def _need(draft: Draft, name: str) -> None:
    if name not in draft.sheet.columns:
        expected = ", ".join(draft.sheet.columns)
        raise BadScores("the table has no such column", found=repr(name), expected=expected)


def counted_anew(draft: Draft, base: int, frames: str) -> Edited:
    """Count the layers from another number, or from the other end.

    Raises
    ------
    BadScores
        If there is no such way, or a layer would have no frame.
    """
    after = replace(draft, base=base, frames=frames)
    _ = after.read  # refuses a layer beyond the first frame, where they count from the last one
    if after == draft:
        return Edited("", draft)
    end = {"file": "first frame on", "reversed": "last frame on", "ras": "platform's slices"}
    return Edited(f"layers now count from {base}, along the {end[frames]}", after)


def shifted(draft: Draft, by: int) -> Edited:
    """Move every row by some layers.

    Raises
    ------
    BadScores
        If a row would come before the first frame, or behind the last one.
    """
    sheet = draft.sheet
    for layer, row in draft.rows.items():
        if draft.frame_of(layer + by) is None:
            raise BadScores(f"Layer {layer} would be {layer + by}: there is no such layer")
        sheet = sheet.with_cell(row.number, LAYER, str(layer + by))
    if not by or not draft.rows:
        return Edited("", draft)
    return Edited(f"every row moved by {by:+d}", draft.with_sheet(sheet))
