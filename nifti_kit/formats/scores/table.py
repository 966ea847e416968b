"""Score tables in memory: what they say, how they are mended, and how they are written."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from nifti_kit.core.files import write_bytes
from nifti_kit.core.findings import Finding, finding
from nifti_kit.core.text import counted, is_formula, listed
from nifti_kit.errors import BadScores, TargetError
from nifti_kit.formats.scores.cells import NO_SCORE, as_written, csv_text, decimal, in_ranges
from nifti_kit.formats.scores.sheet import SHOWN_CELLS


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
    path: str, unread: Iterable[Unread], scores: Iterable[Score], *, each: bool = False
) -> Iterator[Finding]:
    """Yield what single cells give rise to: a finding for each column and text, or each cell."""
    texts: defaultdict[tuple[int, ...], dict[str, list[int]]] = defaultdict(dict)
    for cell in unread:
        place = (cell.column, cell.value, cell.row if each else 0)
        texts[place].setdefault(cell.text, []).append(cell.row)
    for (column, value, _), found in texts.items():
        for text, rows in found.items():
            which = f"row{'s' * (len(rows) > 1)} {in_ranges(rows)}"
            message = f"{which}, column {column} (Label-{value}): {text!r} is no number"
            code = "scores-cell" if text.casefold() in NO_SCORE else "scores-cell-text"
            yield finding(code, path, message, cell=(rows[0], column))
    outside: defaultdict[tuple[int, ...], list[Score]] = defaultdict(list)
    for score in scores:
        if score.score is not None and not 0 <= Decimal(score.score) <= 1:
            outside[score.column, score.value, score.frame if each else 0].append(score)
    for (column, value, _), cells in outside.items():
        at = (cells[0].row, column) if column else None
        yield finding("scores-range", path, _outside(column, value, cells), cell=at)


def _formulas(path: str, scores: Iterable[Score], *, each: bool) -> Iterator[Finding]:
    """Yield a finding for the comments of a label, or each one, that would be formulas."""
    comments: defaultdict[tuple[int, ...], list[Score]] = defaultdict(list)
    for score in scores:
        if score.comment is not None and is_formula(score.comment):
            comments[score.value, score.frame if each else 0].append(score)
    for (value, _), cells in comments.items():
        first = cells[0]
        places = listed((_place(cell) for cell in cells), SHOWN_CELLS)
        said = f"{first.comment!r:.{MAX_SHOWN}}"
        message = f"{places}, Comment-{value}: begins like a formula: {said}"
        at = (first.row, first.column) if first.row else None
        yield finding("scores-comment-formula", path, message, cell=at)


def _place(cell: Score) -> str:
    return f"row {cell.row}" if cell.row else f"frame {cell.frame}"


def _outside(column: int, value: int, cells: list[Score]) -> str:
    """Return the message for the scores of a column that are outside 0 to 1."""
    name = f"column {column} (Label-{value})" if column else f"Label-{value}"
    places = list(map(_place, cells))
    if len(cells) == 1:
        return f"{places[0]}, {name}: {cells[0].written} is outside 0 to 1"
    pairs = zip(cells, places, strict=True)
    shown = listed((f"{cell.written} in {place}" for cell, place in pairs), SHOWN_CELLS)
    return f"{name}: {len(cells)} scores are outside 0 to 1: {shown}"


MAX_VALUE = 999_999_999
"""The largest number that the header of a column is read with."""

MAX_SHOWN = 60
"""Letters of a comment that an error shows."""

MAX_COMMENT = 131_072
"""A longer cell (characters) is refused by readers of CSV."""


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
    unread
        The cells that are no number.
    empty
        The pixel values whose column is blank.
    heads
        The name of each column to (line, column) of its header in the file, each from 1.
    exported
        Whether it is in the form in which the platform's exporter writes tables.
    """

    path: str
    base: int
    values: tuple[int, ...]
    scores: tuple[Score, ...]
    faults: tuple[Finding, ...]
    unread: tuple[Unread, ...] = field(default=(), repr=False)
    empty: tuple[int, ...] = field(default=(), repr=False)
    heads: dict[str, tuple[int, int]] = field(default_factory=dict, repr=False, compare=False)
    exported: bool = field(default=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[Score]:
        return iter(self.scores)

    def cell_faults(self, *, each: bool = False) -> Iterator[Finding]:
        """Yield what its cells give rise to: a finding for each column and text, or each cell."""
        yield from cell_faults(self.path, self.unread, self.scores, each=each)
        yield from _formulas(self.path, self.scores, each=each)
        groups = [[value] for value in self.empty] if each else [list(self.empty)]
        for names in ([f"Label-{value}" for value in group] for group in groups if group):
            message = f"no score in {', '.join(names)}"
            place = self.heads.get(names[0])
            yield finding("scores-column-empty", self.path, message, cell=place)

    @property
    def each_fault(self) -> tuple[Finding, ...]:
        """Its faults, one for each cell."""
        derived = set(self.cell_faults())
        rest = (fault for fault in self.faults if fault not in derived)
        return (*rest, *self.cell_faults(each=True))

    @property
    def cells(self) -> dict[tuple[int, int], tuple[str | None, str | None]]:
        """(frame from 1, pixel value) to (score, comment): what the table says."""
        return {(cell.frame, cell.value): (cell.score, cell.comment) for cell in self.scores}

    def moved(self, by: int) -> ScoreTable:
        """Return the table with every frame moved ``by`` frames.

        Raises
        ------
        BadScores
            If a frame would be below 1.
        """
        return self._replaced(lambda frame: frame + by, f"moved by {by}")

    def reversed(self, count: int) -> ScoreTable:
        """Return the table counted from the other end of ``count`` frames: f is count + 1 - f.

        Raises
        ------
        BadScores
            If a frame is above ``count``.
        """
        return self._replaced(lambda frame: count + 1 - frame, f"reversed in {count} frames")

    def within(self, count: int) -> ScoreTable:
        """Return the table without the scores beyond ``count`` frames."""
        scores = tuple(cell for cell in self.scores if cell.frame <= count)
        unread = tuple(cell for cell in self.unread if cell.frame <= count)
        return replace(self, scores=scores, unread=unread)

    def _replaced(self, place: Callable[[int], int], how: str) -> ScoreTable:
        below = sorted({cell.frame for cell in self.scores if place(cell.frame) < 1})
        if below:
            raise BadScores(
                f"a table {how} has frames below 1",
                path=self.path,
                found=f"frames {in_ranges(below)} as read",
                expected="frames from 1",
            )
        return replace(
            self,
            scores=tuple(replace(cell, frame=place(cell.frame)) for cell in self.scores),
            unread=tuple(cell._replace(frame=place(cell.frame)) for cell in self.unread),
        )

    def with_score(
        self, frame: int, value: int, score: Any, comment: str | None = None
    ) -> ScoreTable:
        """Return the table with one cell set, or removed.

        Parameters
        ----------
        frame
            The frame in the NIfTI file, from 1.
        value
            The pixel value; it gets a column if it has none.
        score
            A number, or a text that is one; it is kept as written. None: no score.
        comment
            A text, or None. Where both are None the cell is removed.

        Raises
        ------
        BadScores
            If the frame or value is no whole number in range, the score is no finite number, or
            the comment is no text that a file can hold.
        """
        _check_whole("frame", frame, 1, None, self.path)
        _check_whole("value", value, 0, MAX_VALUE, self.path)
        written = "" if score is None else str(score).strip()
        text = None if score is None else _checked_score(score, written, self.path)
        remark = _checked_comment(comment, self.path)
        cell = Score(int(frame), int(value), text, remark, 0, 0, written)
        scores = [s for s in self.scores if (s.frame, s.value) != (frame, value)]
        if cell.score is not None or cell.comment is not None:
            scores.append(cell)
        derived = set(self.cell_faults())
        changed = replace(
            self,
            values=tuple(sorted({*self.values, cell.value})),
            scores=tuple(scores),
            faults=tuple(fault for fault in self.faults if fault not in derived),
            unread=tuple(u for u in self.unread if (u.frame, u.value) != (frame, value)),
            empty=tuple(v for v in self.empty if text is None or v != value),
        )
        return replace(changed, faults=(*changed.faults, *changed.cell_faults()))

    def save(
        self, path: str | os.PathLike[str], *, overwrite: bool = False, drop_faulty: bool = False
    ) -> None:
        """Write the table as CSV: ``Layer`` from 1, ``Label-N``, ``Comment-N``; UTF-8, LF, commas.

        Rows go by frame, scores are as written. Columns that are not used (``scores-column``) are
        not in it. Before a comment that a spreadsheet would take for a formula stands an
        apostrophe (``scores-comment-formula`` in ``faults`` names such), which is left out where
        the table is read. The file is written beside its place first, then renamed.

        Parameters
        ----------
        path
            The file to write.
        overwrite
            Whether a file that is there is replaced.
        drop_faulty
            Whether rows and cells that could not be read are left out; else they are refused.

        Raises
        ------
        BadScores
            If a row or a cell could not be read.
        TargetError
            If the file is there, or cannot be written.
        """
        content = self.to_csv(drop_faulty=drop_faulty)
        file = Path(path)
        if file.exists() and not overwrite:
            remedy = "Choose another name, or replace the file: save(..., overwrite=True)."
            raise TargetError("there is such a file already", path=path, remedy=remedy)
        try:
            write_bytes(file, content.encode())
        except OSError as error:
            raise TargetError("the table cannot be written", path=path, found=error) from error

    def to_csv(self, *, drop_faulty: bool = False) -> str:
        """Return the text that ``save`` writes.

        Raises
        ------
        BadScores
            If a row or a cell could not be read, and ``drop_faulty`` does not leave it out.
        """
        if not drop_faulty:
            self._refuse_faulty()
        return csv_text(self._rows())

    def _rows(self) -> Iterator[list[str]]:
        """Yield the header and a row for each frame, as texts."""
        commented = sorted({cell.value for cell in self.scores if cell.comment is not None})
        scores = [f"Label-{value}" for value in self.values]
        yield ["Layer", *scores, *(f"Comment-{value}" for value in commented)]
        by_frame: defaultdict[int, dict[int, Score]] = defaultdict(dict)
        for cell in self.scores:
            by_frame[cell.frame][cell.value] = cell
        for frame, row in sorted(by_frame.items()):
            texts = [row[value].score if value in row else None for value in self.values]
            texts += [row[value].comment if value in row else None for value in commented]
            yield [str(frame), *(text or "" for text in texts)]

    def _refuse_faulty(self) -> None:
        errors = [fault.message for fault in self.faults if fault.severity == "error"]
        if errors:
            raise BadScores(
                f"{counted(len(errors), 'fault')} of the table would be missing in the saved file",
                path=self.path,
                found=listed(errors, SHOWN_CELLS, "; "),
                remedy="Correct the table, or leave them out: save(..., drop_faulty=True).",
            )


def check_base(base: int, path: str | os.PathLike[str]) -> None:
    """Refuse what layers cannot count from."""
    if base not in (0, 1):
        raise BadScores("layers count from 0 or from 1", path=path, found=base, expected="0 or 1")


def _check_whole(what: str, number: Any, low: int, high: int | None, path: str) -> None:
    """Refuse what is no whole number from low to high; numpy's integers are fine."""
    whole = hasattr(number, "__index__") and not isinstance(number, bool)
    if not whole or number < low or (high is not None and number > high):
        expected = f"a whole number from {low}" + (f" to {high}" if high is not None else "")
        raise BadScores(
            f"there is no such {what}", path=path, found=repr(number), expected=expected
        )


def _checked_score(score: Any, written: str, path: str) -> str:
    number = None if isinstance(score, bool) else decimal(written)
    if number is None:
        expected = "a number, usually from 0 to 1"
        raise BadScores("the score is no number", path=path, found=repr(score), expected=expected)
    return as_written(number)


def _checked_comment(comment: str | None, path: str) -> str | None:
    """Return a comment without blanks around; None where nothing is left."""
    fine = comment is None or isinstance(comment, str)
    text = (comment or "").strip() if fine else ""
    unwritable = "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text)
    if not fine or unwritable or len(text) > MAX_COMMENT:
        expected = f"a text of up to {MAX_COMMENT} letters"
        found = repr(comment)[:MAX_SHOWN]
        raise BadScores("a file cannot hold the comment", path=path, found=found, expected=expected)
    return text or None
