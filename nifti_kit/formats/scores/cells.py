"""The cells of CSV text: rows, numbers as they were written, whole numbers in a few words."""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from nifti_kit.core.text import guarded_cell, read_text
from nifti_kit.errors import BadScores

MIN_DECIMALS = 2
"""The platform shows scores with two decimals; more are kept as written."""

MAX_DIGITS = 400
"""More digits than any float has; an exponent beyond would be written out as that many zeros."""

MAX_BYTES = 16 * 2**20
"""Of a score table. A whole-body scan of 2,000 slices with 117 labels and their comments has 10 MB
at most; the size is looked at before a file is read."""

MAX_ROWS = 32_767
"""Of a score table, a row a slice: the header of NIfTI-1 counts no more (16 bits with a sign)."""

HEADER_LINES = 20
"""Lines among which the header is: the others above it are a title."""

MAX_CELLS = 500_000
"""Of a score table: 2,000 slices of 117 labels with comments are 470,000, and take 1 s; where none
of so many is a number, each is a fault, and they take 4 s."""

PAIR = 2
"""Two numbers in a row are written one by one; only more are a range."""


def table_text(path: str | os.PathLike[str], content: bytes | None = None) -> str:
    """Return the text of a score table; raises as :func:`nifti_kit.core.text.read_text`."""
    return read_text(path, content, most=MAX_BYTES, what="score table")


def rows_of(text: str, shown: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """Return (line number, stripped cells) of every line that is not blank.

    Raises BadScores if it is no table, or has more rows or cells than any.
    """
    lines = io.StringIO(text, newline="")
    # strict: a quote that is never closed would take all following rows into its cell.
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    rows, count = [], 0
    try:
        if "\0" in text:  # some versions of csv take it, others do not
            raise csv.Error("a zero byte")
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                rows.append((reader.line_num, stripped))
                count += len(stripped)
                _refuse_flood(len(rows), count, shown)
    except csv.Error as error:
        raise BadScores(
            "the table cannot be read",
            path=shown,
            found=f"{error} in line {reader.line_num}",
            remedy="Save it as CSV again.",
        ) from error
    return rows


def _refuse_flood(rows: int, cells: int, shown: str) -> None:
    """Refuse a table as soon as it has more rows or cells than any."""
    if rows > MAX_ROWS + HEADER_LINES or cells > MAX_CELLS:
        raise BadScores(
            "the table is larger than any score table",
            path=shown,
            found=f"more than {MAX_ROWS:,} rows" if rows > MAX_ROWS else f"{cells:,} cells or more",
            expected=f"a row for each slice: at most {MAX_ROWS:,} rows and {MAX_CELLS:,} cells",
            remedy="Give the right file; or save a table of this volume's scores alone.",
        )


def line_cells(line: str, delimiter: str) -> list[str]:
    """Return the stripped cells of one line by itself; none where it cannot be read."""
    try:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return []
    return [cell.strip() for cell in cells]


def csv_text(rows: Iterable[Iterable[str]]) -> str:
    """Return rows as CSV with commas and LF; before a formula stands an apostrophe.

    (``csv.writer`` leaves a carriage return without quotes in some versions of Python.)
    """
    return "".join(",".join(_quoted(guarded_cell(cell)) for cell in cells) + "\n" for cells in rows)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if re.search('[",\r\n]', text) else text


NO_SCORE = frozenset(("nan", "na", "n/a", "#n/a", "null", "none", "nil", "-", "--", ".", "?"))
"""What tools and people write where there is no score; in any case."""


@lru_cache(maxsize=65_536)
def decimal(text: str) -> Decimal | None:
    """Return a finite number as it was written, or None; a decimal comma is fine."""
    try:
        number = Decimal(text.replace(",", ".").replace("_", "x"))
    except InvalidOperation:
        return None
    # An exponent far beyond the digits themselves would be written out as that many zeros.
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > max(MAX_DIGITS, len(text)):
        return None
    return number if math.isfinite(float(number)) else None


def as_written(number: Decimal) -> str:
    """Return the digits as written, with at least two decimals: 0.8 is '0.80', 1 is '1.00'."""
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    if exponent > -MIN_DECIMALS:
        return f"{number:.{MIN_DECIMALS}f}"
    return f"{number:f}"


def in_ranges(numbers: Iterable[int], most: int | None = None) -> str:
    """Return whole numbers in a few words: ``1-3, 7`` for 7, 3, 1, 2; two in a row are ``4, 5``.

    At most ``most`` numbers and ranges are shown, and the numbers that are left are counted.
    """
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    pieces = [piece for run in runs for piece in ([run] if len(run) > PAIR else [[n] for n in run])]
    shown = [f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in pieces[:most]]
    left = sum(map(len, pieces[len(shown) :]))
    return ", ".join(shown) + (f" and {left} more" if left else "")
