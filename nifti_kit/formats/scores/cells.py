"""The cells of CSV text: rows, numbers as they were written, whole numbers in a few words."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from nifti_kit.errors import BadScores

MIN_DECIMALS = 2
"""The platform shows scores with two decimals; more are kept as written."""

MAX_DIGITS = 400
"""More digits than any float has; an exponent beyond would be written out as that many zeros."""

PAIR = 2
"""Two numbers in a row are written one by one; only more are a range."""


def rows_of(text: str, shown: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """Return (line number, stripped cells) of every line that is not blank."""
    lines = io.StringIO(text, newline="")
    # strict: a quote that is never closed would take all following rows into its cell.
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    rows = []
    try:
        if "\0" in text:  # some versions of csv take it, others do not
            raise csv.Error("a zero byte")
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


def line_cells(line: str, delimiter: str) -> list[str]:
    """Return the stripped cells of one line by itself; none where it cannot be read."""
    try:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return []
    return [cell.strip() for cell in cells]


def csv_text(rows: Iterable[Iterable[str]]) -> str:
    """Return rows as CSV with commas and LF.

    (``csv.writer`` leaves a carriage return without quotes in some versions of Python.)
    """
    return "".join(",".join(map(_quoted, cells)) + "\n" for cells in rows)


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
