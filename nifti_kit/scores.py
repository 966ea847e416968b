"""Score tables: CSV files with a ``Layer`` column and a ``Label-N`` column for each pixel value.

``Layer`` is the frame number in the NIfTI file, counted from 1 (specification). The platform's
exporter counts from 0; that is read with ``base=0``.
"""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from nifti_kit.errors import BadScores
from nifti_kit.findings import Finding, finding
from nifti_kit.texts import read_text

__all__ = ["Score", "ScoreTable", "read_scores"]

MIN_DECIMALS = 2
"""The platform shows scores with two decimals; more are kept as written."""

_LABEL = re.compile(r"label[\s_-]*(\d{1,9})", re.IGNORECASE)
_COMMENT = re.compile(r"comment[\s_-]*(\d{1,9})", re.IGNORECASE)


@dataclass(frozen=True)
class Score:
    """One cell of a score table.

    Attributes
    ----------
    frame
        The frame in the NIfTI file, from 1, whatever the base of the table.
    value
        The pixel value that the column names.
    score
        As it was written, with at least two decimals; None where there is only a comment.
    comment
        The text of the ``Comment-N`` column, or None.
    row, column
        Where it stands in the file, from 1.
    """

    frame: int
    value: int
    score: str | None
    comment: str | None
    row: int
    column: int


@dataclass(frozen=True)
class ScoreTable:
    """The scores of one file, and the faults of its cells.

    Attributes
    ----------
    path
        The file.
    base
        What its layers count from: 1, or 0.
    values
        The pixel values that have a column.
    scores
        Every cell that can be read.
    faults
        Every cell, row or column that cannot.
    """

    path: str
    base: int
    values: tuple[int, ...]
    scores: tuple[Score, ...]
    faults: tuple[Finding, ...]

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[Score]:
        return iter(self.scores)


def read_scores(path: str | os.PathLike[str], *, base: int = 1, relative: str = "") -> ScoreTable:
    """Return the scores of a CSV file; what cannot be read is in its ``faults``.

    Fine are: spaces around cells, a byte order mark, any line ends, ``;`` or tabs between cells
    (then with decimal commas), empty cells (no score), ``Comment-N`` columns.

    Parameters
    ----------
    path
        The file.
    base
        What the ``Layer`` column counts from: 1 (specification) or 0 (the platform's exporter).
    relative
        The name for people; the path by default.

    Raises
    ------
    BadScores
        If there is no ``Layer`` column or no ``Label-N`` column.
    UnreadableFile
        If the file is no text.
    """
    if base not in (0, 1):
        raise BadScores("layers count from 0 or from 1", path=path, found=base, expected="0 or 1")
    shown = relative or str(path)
    rows = _rows(read_text(path), shown)
    header, body = (rows[0][1], rows[1:]) if rows else ([], [])
    columns = _Columns.of(header)
    if columns.layer is None or not columns.labels:
        raise BadScores(
            "the table has no 'Layer' column" if columns.layer is None else "no column is a label",
            path=shown,
            found=", ".join(header) or "an empty file",
            expected="a header such as 'Layer, Label-1, Label-2'",
            remedy="Correct the header line.",
        )
    return _Table(shown, base, columns, body).read()


def _rows(text: str, shown: str) -> list[tuple[int, list[str]]]:
    """Return (line number, stripped cells) of every line that is not blank."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    lines = io.StringIO(text, newline="")
    # strict: a quote that is never closed would take all following rows into its cell.
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    rows = []
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                rows.append((reader.line_num, stripped))
    except csv.Error as error:
        raise BadScores(
            "the table cannot be read",
            path=shown,
            found=f"{error} in line {reader.line_num}",
            remedy="Save it as CSV again.",
        ) from error
    return rows


@dataclass(frozen=True)
class _Columns:
    layer: int | None
    labels: dict[int, int]  # value: column
    comments: dict[int, int]
    unknown: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, header: list[str]) -> _Columns:
        layer, unknown = None, []
        labels: dict[int, int] = {}
        comments: dict[int, int] = {}
        for column, name in enumerate(header):
            if name.casefold() == "layer" and layer is None:
                layer = column
            elif (match := _LABEL.fullmatch(name)) and int(match[1]) not in labels:
                labels[int(match[1])] = column
            elif (match := _COMMENT.fullmatch(name)) and int(match[1]) not in comments:
                comments[int(match[1])] = column
            elif name:
                unknown.append((column, name))
        return cls(layer, labels, comments, tuple(unknown))


class _Table:
    """Reads the body of one table, cell by cell."""

    def __init__(
        self, shown: str, base: int, columns: _Columns, body: list[tuple[int, list[str]]]
    ) -> None:
        self.shown, self.base, self.columns, self.body = shown, base, columns, body
        self.faults: list[Finding] = []
        self.scores: list[Score] = []

    def fault(self, code: str, message: str) -> None:
        self.faults.append(finding(code, self.shown, message))

    def read(self) -> ScoreTable:
        for column, name in self.columns.unknown:
            self.fault("scores-column", f"column {column + 1}: {name!r} is not used")
        self._orphan_comments()
        layers = [(row, cells, self._layer(row, cells)) for row, cells in self.body]
        counts = Counter(layer for _, _, layer in layers if layer is not None)
        for row, cells, layer in layers:
            if layer is None:
                continue
            if counts[layer] > 1:
                self.fault("scores-layer-repeated", f"row {row}: Layer {layer} stands twice")
                continue
            self._read_row(row, cells, layer - self.base + 1)
        values = tuple(sorted(self.columns.labels))
        return ScoreTable(self.shown, self.base, values, tuple(self.scores), tuple(self.faults))

    def _orphan_comments(self) -> None:
        for value, column in self.columns.comments.items():
            if value not in self.columns.labels:
                message = f"column {column + 1}: Comment-{value} has no Label-{value} beside it"
                self.fault("scores-column", message)

    def _layer(self, row: int, cells: list[str]) -> int | None:
        assert self.columns.layer is not None
        text = cells[self.columns.layer] if self.columns.layer < len(cells) else ""
        number = _decimal(text)
        if number is None or number != int(number):
            self.fault("scores-layer", f"row {row}, column Layer: {text!r} is no whole number")
            return None
        if number == 0 and self.base == 1:
            self.fault("scores-layer-zero", f"row {row}: Layer 0, but layers count from 1")
            return None
        if number < self.base:
            self.fault("scores-layer-outside", f"row {row}: Layer {text} is below {self.base}")
            return None
        return int(number)

    def _read_row(self, row: int, cells: list[str], frame: int) -> None:
        headed = self._headed()
        beyond = [cell for column, cell in enumerate(cells) if cell and column not in headed]
        if beyond:
            self.fault("scores-cell", f"row {row}: cells without a header: {', '.join(beyond)}")
        for value, column in sorted(self.columns.labels.items()):
            text = cells[column] if column < len(cells) else ""
            comment = self._comment(cells, value)
            score = self._score(row, column, value, text) if text else None
            if score is not None or comment is not None:
                self.scores.append(Score(frame, value, score, comment, row, column + 1))

    def _headed(self) -> set[int | None]:
        columns = self.columns
        unknown = (column for column, _ in columns.unknown)
        return {columns.layer, *columns.labels.values(), *columns.comments.values(), *unknown}

    def _comment(self, cells: list[str], value: int) -> str | None:
        column = self.columns.comments.get(value)
        if column is None or column >= len(cells):
            return None
        return cells[column] or None

    def _score(self, row: int, column: int, value: int, text: str) -> str | None:
        number = _decimal(text)
        if number is None:
            where = f"row {row}, column {column + 1} (Label-{value})"
            self.fault("scores-cell", f"{where}: {text!r} is no number")
            return None
        if not 0 <= number <= 1:
            where = f"row {row}, column {column + 1} (Label-{value})"
            self.fault("scores-range", f"{where}: {text} is outside 0 to 1")
        return _as_written(number)


def _decimal(text: str) -> Decimal | None:
    """Return a finite number as it was written, or None; a decimal comma is fine."""
    try:
        number = Decimal(text.replace(",", ".").replace("_", "x"))
    except InvalidOperation:
        return None
    # An exponent beyond a float's would be written out as that many digits.
    return number if number.is_finite() and math.isfinite(float(number)) else None


def _as_written(number: Decimal) -> str:
    """Return the digits as written, with at least two decimals: 0.8 is '0.80', 1 is '1.00'."""
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    if exponent > -MIN_DECIMALS:
        return f"{number:.{MIN_DECIMALS}f}"
    return f"{number:f}"
