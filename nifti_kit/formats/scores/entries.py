"""The entries of score tables, and what is to be said of single ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from nifti_kit.core.findings import Finding, finding
from nifti_kit.formats.scores.cells import in_ranges

__all__ = ["SHOWN_CELLS", "Score", "Unread", "cell_faults"]

SHOWN_CELLS = 5
"""Cells that a finding about many of them lists before it counts the rest."""


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
        Where it stands in the file, from 1; 0 where it was set by ``with_score``.
    written
        The text as it stands in the file.
    """

    frame: int
    value: int
    score: str | None
    comment: str | None
    row: int
    column: int
    written: str = field(default="", compare=False, repr=False)


class Unread(NamedTuple):
    """A cell whose text is no number: its frame (from 1), its value, and where it stands."""

    frame: int
    value: int
    row: int
    column: int
    text: str


def cell_faults(
    path: str, unread: Iterable[Unread], scores: Iterable[Score], empty: Iterable[int]
) -> Iterator[Finding]:
    """Yield what single cells give rise to: one finding for each column and text."""
    texts: defaultdict[tuple[int, int, str], list[int]] = defaultdict(list)
    for cell in unread:
        texts[cell.column, cell.value, cell.text].append(cell.row)
    for (column, value, text), rows in texts.items():
        which = f"row{'s' * (len(rows) > 1)} {in_ranges(rows)}"
        message = f"{which}, column {column} (Label-{value}): {text!r} is no number"
        yield finding("scores-cell", path, message)
    outside: defaultdict[tuple[int, int], list[Score]] = defaultdict(list)
    for score in scores:
        if score.score is not None and not 0 <= Decimal(score.score) <= 1:
            outside[score.column, score.value].append(score)
    for (column, value), cells in outside.items():
        yield finding("scores-range", path, _outside(column, value, cells))
    blank = [f"Label-{value}" for value in empty]
    if blank:
        yield finding("scores-column-empty", path, f"no score in {', '.join(blank)}")


def _outside(column: int, value: int, cells: list[Score]) -> str:
    """Return the message for the scores of a column that are outside 0 to 1."""
    name = f"column {column} (Label-{value})" if column else f"Label-{value}"
    places = [f"row {cell.row}" if cell.row else f"frame {cell.frame}" for cell in cells]
    if len(cells) == 1:
        return f"{places[0]}, {name}: {cells[0].written} is outside 0 to 1"
    pairs = zip(cells[:SHOWN_CELLS], places[:SHOWN_CELLS], strict=True)
    shown = ", ".join(f"{cell.written} in {place}" for cell, place in pairs)
    more = f" and {len(cells) - SHOWN_CELLS} more" if len(cells) > SHOWN_CELLS else ""
    return f"{name}: {len(cells)} scores are outside 0 to 1: {shown}{more}"
