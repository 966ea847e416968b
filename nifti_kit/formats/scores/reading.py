"""Score tables from files: every cell is a score, or is named in a fault."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass

from nifti_kit.core.findings import Finding, finding
from nifti_kit.core.text import read_text
from nifti_kit.errors import BadScores
from nifti_kit.formats.scores.cells import as_written, decimal, rows_of
from nifti_kit.formats.scores.table import Score, ScoreTable, Unread, cell_faults, check_base

TWICE = 2
"""What is said in one word of a layer that is repeated."""

_LABEL = re.compile(r"label[\s_-]*(\d{1,9})", re.IGNORECASE)
_COMMENT = re.compile(r"comment[\s_-]*(\d{1,9})", re.IGNORECASE)


def read_scores(
    path: str | os.PathLike[str],
    *,
    base: int = 1,
    relative: str = "",
    content: bytes | None = None,
) -> ScoreTable:
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
    content
        The file's bytes where they are in memory, in place of those at ``path``.

    Raises
    ------
    BadScores
        If there is no ``Layer`` column or no ``Label-N`` column.
    UnreadableFile
        If the file is no text.
    """
    check_base(base, path)
    return _parsed(read_text(path, content), relative or str(path), base)


def _parsed(text: str, shown: str, base: int) -> ScoreTable:
    rows = rows_of(text, shown)
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
        self.unread: list[Unread] = []

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
                times = "twice" if counts[layer] == TWICE else f"{counts[layer]} times"
                self.fault("scores-layer-repeated", f"row {row}: Layer {layer} stands {times}")
                continue
            self._read_row(row, cells, layer - self.base + 1)
        values = tuple(sorted(self.columns.labels))
        empty = tuple(value for value in values if self._is_blank(self.columns.labels[value]))
        self.faults += cell_faults(self.shown, self.unread, self.scores, empty)
        scores, faults, unread = tuple(self.scores), tuple(self.faults), tuple(self.unread)
        return ScoreTable(self.shown, self.base, values, scores, faults, unread, empty)

    def _is_blank(self, column: int) -> bool:
        return not any(cells[column] for _, cells in self.body if column < len(cells))

    def _orphan_comments(self) -> None:
        for value, column in self.columns.comments.items():
            if value not in self.columns.labels:
                message = f"column {column + 1}: Comment-{value} has no Label-{value} beside it"
                self.fault("scores-column", message)

    def _layer(self, row: int, cells: list[str]) -> int | None:
        assert self.columns.layer is not None
        text = cells[self.columns.layer] if self.columns.layer < len(cells) else ""
        number = decimal(text)
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
            number = decimal(text)
            score = None if number is None else as_written(number)
            if text and score is None:
                self.unread.append(Unread(frame, value, row, column + 1, text))
            if score is not None or comment is not None:
                self.scores.append(Score(frame, value, score, comment, row, column + 1, text))

    def _headed(self) -> set[int | None]:
        columns = self.columns
        unknown = (column for column, _ in columns.unknown)
        return {columns.layer, *columns.labels.values(), *columns.comments.values(), *unknown}

    def _comment(self, cells: list[str], value: int) -> str | None:
        column = self.columns.comments.get(value)
        if column is None or column >= len(cells):
            return None
        return cells[column] or None
