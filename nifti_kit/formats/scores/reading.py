"""Score tables from sheets: every cell is a score, or is named in a fault."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from nifti_kit.core.findings import Finding, finding
from nifti_kit.formats.scores.cells import as_written, decimal, table_text
from nifti_kit.formats.scores.sheet import LAYER, ScoreSheet, SheetRow, value_of
from nifti_kit.formats.scores.table import Score, ScoreTable, Unread, check_base

TWICE = 2
"""What is said in one word of a layer that is repeated."""


def read_scores(
    path: str | os.PathLike[str],
    *,
    base: int = 1,
    relative: str = "",
    content: bytes | None = None,
) -> ScoreTable:
    """Return the scores of a CSV file; what cannot be read is in its ``faults``.

    Fine are: spaces around cells, a byte order mark, any line ends, ``;`` or tabs between cells
    (then with decimal commas), empty cells (no score), ``Comment-N`` columns. Passed over, and
    named in a note, are Excel's line ``sep=;``, a title above the header, a row index, and words
    behind ``Label-1``.

    Parameters
    ----------
    path
        The file.
    base
        What the ``Layer`` column counts from: 1 (specification) or 0 (the platform's exporter).
    relative
        The name for people; the path by default.
    content
        The file's bytes where they are in memory, in place of those at ``path``.

    Raises
    ------
    BadScores
        If there is no ``Layer`` column or no ``Label-N`` column, or it is not certain how the
        table is to be read, or it has more rows than a volume has slices.
    UnreadableFile
        If the file is no text, or is larger than any score table.
    """
    check_base(base, path)
    shown = relative or str(path)
    return read_sheet(ScoreSheet.of(table_text(path, content), shown), shown, base)


def read_sheet(sheet: ScoreSheet, shown: str, base: int) -> ScoreTable:
    """Return the scores of a sheet; what cannot be read is in its ``faults``.

    ``base``: what its layers count from: 1, or 0.
    """
    check_base(base, shown)
    layers, lost = layers_of(sheet, shown, base)
    faults = [finding("scores-passed", shown, said) for said in sheet.passed]
    faults += [*_columns(sheet, shown), *lost]
    scores: list[Score] = []
    unread: list[Unread] = []
    places = _places(sheet)
    for row in sheet.rows:
        if row.number not in layers:
            continue
        if beyond := sheet.beyond(row):
            message = f"row {row.number}: cells without a header: {', '.join(beyond)}"
            faults.append(_fault("scores-cell-unheaded", shown, message, sheet, row))
        cells = list(_cells(row, places, layers[row.number] - base + 1))
        scores += [cell for cell in cells if isinstance(cell, Score)]
        unread += [cell for cell in cells if isinstance(cell, Unread)]
    table = ScoreTable(
        shown,
        base,
        sheet.values,
        tuple(scores),
        tuple(faults),
        tuple(unread),
        tuple(place.value for place in places if not _has_any(sheet, place.score)),
        sheet.heads,
        sheet.exported,
    )
    return replace(table, faults=(*faults, *table.cell_faults()))


def layers_of(sheet: ScoreSheet, shown: str, base: int) -> tuple[dict[int, int], list[Finding]]:
    """Return the layer of each row that has one of its own, by its line, and what others have."""
    numbers = {row.number: _whole(sheet.cell(row, LAYER)) for row in sheet.rows}
    times = Counter(numbers.values())
    layers, faults = {}, []
    for row in sheet.rows:
        layer, text = numbers[row.number], sheet.cell(row, LAYER)
        code, what = "scores-layer", f", column Layer: {text!r} is no whole number"
        if layer == 0 and base == 1:
            code, what = "scores-layer-zero", ": Layer 0, but layers count from 1"
        elif layer is not None and layer < base:
            code, what = "scores-layer-outside", f": Layer {text} is below {base}"
        elif layer is not None and times[layer] > 1:
            often = "twice" if times[layer] == TWICE else f"{times[layer]} times"
            code, what = "scores-layer-repeated", f": Layer {layer} stands {often}"
        elif layer is not None:
            layers[row.number] = layer
            continue
        faults.append(_fault(code, shown, f"row {row.number}{what}", sheet, row))
    return layers, faults


def _whole(text: str) -> int | None:
    number = decimal(text)
    return None if number is None or number != int(number) else int(number)


def _fault(code: str, shown: str, message: str, sheet: ScoreSheet, row: SheetRow) -> Finding:
    """Return a finding about a row, in the cell of its Layer."""
    return finding(code, shown, message, cell=(row.number, sheet.heads[LAYER][1]))


def _columns(sheet: ScoreSheet, shown: str) -> Iterator[Finding]:
    """Yield a finding for each column that is not read."""
    for name, (line, column) in sheet.heads.items():
        comment = re.fullmatch(r"Comment-(\d+)", name)
        if name == LAYER or value_of(name) is not None:
            continue
        what = f"{re.sub(r' .again [0-9]+.$', '', name)!r} is not used"
        if comment is not None:
            if f"Label-{comment[1]}" in sheet.heads:
                continue
            what = f"{name} has no Label-{comment[1]} beside it"
        message = f"column {column}: {what}"
        yield finding("scores-column", shown, message, cell=(line, column))


def _has_any(sheet: ScoreSheet, at: int) -> bool:
    """Say whether a column has any text."""
    return any(at < len(row.cells) and row.cells[at] for row in sheet.rows)


class _Place(NamedTuple):
    """Where the cells of a value stand in a row, from 0; ``head`` is as the sheet counts it."""

    value: int
    score: int
    comment: int
    head: int


def _places(sheet: ScoreSheet) -> list[_Place]:
    """Return where each value has its cells: once for a sheet, which may have a million."""
    at = {name: place for place, name in enumerate(sheet.header)}
    nowhere = sys.maxsize
    return [
        _Place(value, at[name], at.get(f"Comment-{value}", nowhere), sheet.heads[name][1])
        for value, name in ((value, f"Label-{value}") for value in sheet.values)
    ]


def _cells(row: SheetRow, places: Iterable[_Place], frame: int) -> Iterator[Score | Unread]:
    """Yield what stands in a row's cells: scores, comments, and texts that are no number."""
    cells, count = row.cells, len(row.cells)
    for value, at, beside, column in places:
        text = cells[at] if at < count else ""
        comment = (cells[beside] or None) if beside < count else None
        score = _written(text)
        if text and score is None:
            yield Unread(frame, value, row.number, column, text)
        if score is not None or comment is not None:
            yield Score(frame, value, score, comment, row.number, column, text)


@lru_cache(maxsize=65_536)
def _written(text: str) -> str | None:
    """Return a number as it is written; None for what is none."""
    number = decimal(text)
    return None if number is None else as_written(number)
