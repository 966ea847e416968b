"""Reports: one way from what a result knows to text, HTML, frame, JSON and files."""

from __future__ import annotations

import json
import math
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from nifti_kit.core import html
from nifti_kit.core.files import save_as
from nifti_kit.core.text import REPR_LINES, REPR_ROWS, and_more, guarded_cell
from nifti_kit.errors import visible

if TYPE_CHECKING:
    import pandas as pd

TEXT_ROWS = 20
"""Rows of a repr in text: a screen."""

Row = Sequence[object]
"""The cells of a row, in the order of the columns."""


class Summary(ABC):
    """What people read of a result: text, HTML and a frame of its title, its rows and its lines.

    A repr shows the first rows and counts the others; a frame has all of them. What is kept in
    files too is a :class:`Result`; and a :class:`Report`, where it has no records of its own.
    """

    columns: ClassVar[tuple[str, ...]]
    """The names of the cells of a row."""
    head: ClassVar[tuple[str, ...]] = ()
    """The names over the cells that HTML shows, where these are others."""
    row_word: ClassVar[str] = "row"
    """What a row is, to be counted."""
    text_rows: ClassVar[int] = TEXT_ROWS
    html_rows: ClassVar[int] = REPR_ROWS
    """Rows that a repr shows."""

    @abstractmethod
    def title(self) -> str:
        """Return the result in one line."""

    @abstractmethod
    def cells(self) -> Iterable[Row]:
        """Yield the cells of every row: plain values, ``None`` for what is not known."""

    @property
    def tone(self) -> str:
        """How it stands: ``good``, ``warning``, ``error``, or empty where that is no question."""
        return ""

    def lines(self) -> Sequence[str]:
        """Return what is to be said beside the rows."""
        return ()

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield every row as a dictionary: its cells by their columns."""
        return (dict(zip(self.columns, row, strict=True)) for row in self.cells())

    def shown(self, cell: object) -> object:
        """Return a cell as it stands in text and HTML; numbers to four digits by default."""
        if isinstance(cell, float):
            return f"{cell:.4g}"
        return "" if cell is None else cell

    def shown_rows(self) -> Iterable[Row]:
        """Yield the rows as HTML has them, under ``head``."""
        return ([self.shown(cell) for cell in row] for row in self.cells())

    def told(self) -> Iterable[str]:
        """Yield a line of text for each row: what is there, by its column."""
        for row in self.cells():
            cells = zip(self.columns, map(self.shown, row), strict=True)
            yield ", ".join(f"{column} {cell}" for column, cell in cells if cell != "")

    def _said(self, most: int) -> Iterable[str]:
        """Return so many of the lines, and how many more there are."""
        lines = self.lines()
        return [*lines[:most], *and_more(len(lines) - most, "line", "lines()")]

    def to_frame(self) -> pd.DataFrame:
        """Return a :class:`pandas.DataFrame` with every row."""
        import pandas as pd

        return pd.DataFrame([list(row) for row in self.cells()], columns=list(self.columns))

    def body(self, most_rows: int, most_lines: int) -> Iterator[html.Markup]:
        """Yield what stands below the title: so many rows, so many lines, the others counted."""
        rows = list(islice(self.shown_rows(), most_rows))
        if rows:
            yield html.table(self.head or self.columns, rows)
        for line in self._rest(len(rows), self.shown_rows()):
            yield html.element("p", line)
        yield from self._notes(most_lines)

    def _notes(self, most: int) -> Iterator[html.Markup]:
        """Yield so many of the lines as HTML."""
        return (html.element("p", line) for line in self._said(most))

    def _rest(self, seen: int, rows: Iterable[Any] | None = None) -> list[str]:
        """Return the line that counts the rows that are not seen."""
        left = sum(1 for _ in (self.cells() if rows is None else rows)) - seen
        return and_more(left, self.row_word, "to_frame()")

    def __repr__(self) -> str:
        told = list(islice(self.told(), self.text_rows))
        rest = self._rest(len(told), self.told())
        lines = (f"  {line}" for line in (*told, *rest, *self._said(TEXT_ROWS)))
        return "\n".join(map(visible, (self.title(), *lines)))

    def _repr_html_(self) -> str:
        title = html.title(self.title(), self.tone)
        return html.join([title, *self.body(self.html_rows, REPR_LINES)])


class Result(Summary):
    """What people keep and go on with, too: JSON and files have every row and every line."""

    word: ClassVar[str]
    """What it is, such as ``comparison``: the name of its page, and in errors."""

    def facts(self) -> dict[str, Any]:
        """Return what JSON has besides the rows."""
        return {}

    def content(self) -> Any:
        """Return what JSON has: the facts, and ``rows``, one object each."""
        return {**self.facts(), "rows": list(self.records())}

    def pictures(self) -> Iterable[html.Markup]:
        """Yield what a saved page shows beside the table."""
        return ()

    def to_json(self) -> str:
        """Return everything as JSON. What is no finite number is ``null``."""
        return json.dumps(_plain(self.content()), ensure_ascii=False, indent=1, allow_nan=False)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file: ``.json``, ``.csv`` (the rows), or ``.html``, a page by itself.

        In a table an apostrophe stands before a text that a spreadsheet would take for a formula.
        A file that is there is replaced.

        Raises
        ------
        NiftiKitError
            If the name has another ending, or the file cannot be written.
        """
        save_as(path, self.word, self.forms())

    def forms(self) -> dict[str, Callable[[], str]]:
        """Return what gives the text of each ending."""
        return {".html": self._page, ".json": self.to_json, ".csv": self._csv}

    def _csv(self) -> str:
        frame = self.to_frame()
        for column in frame.columns:
            frame[column] = [
                guarded_cell(cell) if isinstance(cell, str) else cell for cell in frame[column]
            ]
        return str(frame.to_csv(index=False))

    def _page(self) -> str:
        """Return the page that is saved: with every row, and the pictures."""
        title = html.title(self.title(), self.tone)
        body = html.join(self.body(sys.maxsize, sys.maxsize))
        return html.page(self.word.capitalize(), title, body, *self.pictures())


class Report(Result):
    """A result whose rows are cells, and no records of their own."""

    @abstractmethod
    def rows(self) -> Iterable[Row]:
        """Yield every row: plain values, ``None`` for what is not known."""

    def cells(self) -> Iterable[Row]:
        """Yield the rows."""
        return self.rows()


def _plain(value: Any) -> Any:
    """Return a value in which no number is infinite or none: JSON has no word for them."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
