"""Reports: one way from what a result knows to text, HTML, frame, JSON and files."""

from __future__ import annotations

import json
import math
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
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


class Report(ABC):
    """A result that people read, keep, and go on with.

    A kind of report says its title, its columns and its rows; where it says more, its lines and
    its facts. A repr shows the first rows and counts the others; a frame, JSON and a file that is
    saved have all of them.
    """

    word: ClassVar[str]
    """What it is, such as ``comparison``: the name of its page, and in errors."""
    columns: ClassVar[tuple[str, ...]]
    """The names of the cells of a row."""
    row_word: ClassVar[str] = "row"
    """What a row is, to be counted."""

    @abstractmethod
    def title(self) -> str:
        """Return the result in one line."""

    @abstractmethod
    def rows(self) -> Iterable[Row]:
        """Yield every row: plain values, ``None`` for what is not known."""

    def lines(self) -> Sequence[str]:
        """Return what is to be said beside the rows."""
        return ()

    def facts(self) -> dict[str, Any]:
        """Return what JSON has besides the rows."""
        return {}

    def shown(self, cell: object) -> object:
        """Return a cell as it stands in text and HTML; numbers to four digits by default."""
        if isinstance(cell, float):
            return f"{cell:.4g}"
        return "" if cell is None else cell

    def pictures(self) -> Iterable[html.Markup]:
        """Yield what a saved page shows beside the table."""
        return ()

    def to_frame(self) -> pd.DataFrame:
        """Return a :class:`pandas.DataFrame` with every row."""
        import pandas as pd

        return pd.DataFrame([list(row) for row in self.rows()], columns=list(self.columns))

    def to_json(self) -> str:
        """Return everything as JSON: ``rows``, one object each, and what else it knows.

        What is no finite number is ``null``.
        """
        rows = [dict(zip(self.columns, row, strict=True)) for row in self.rows()]
        content = _plain({**self.facts(), "rows": rows})
        return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file: ``.json``, ``.csv`` (the rows), or ``.html``, a page by itself.

        In a table an apostrophe stands before a text that a spreadsheet would take for a formula.
        A file that is there is replaced.

        Raises
        ------
        NiftiKitError
            If the name has another ending, or the file cannot be written.
        """
        save_as(path, self.word, {".html": self._page, ".json": self.to_json, ".csv": self._csv})

    def _csv(self) -> str:
        frame = self.to_frame()
        for column in frame.columns:
            frame[column] = [_guarded(cell) for cell in frame[column]]
        return str(frame.to_csv(index=False))

    def _page(self) -> str:
        title = html.title(self.title())
        body = html.join(self.body(sys.maxsize, sys.maxsize))
        return html.page(self.word.capitalize(), title, body, *self.pictures())

    def body(self, most_rows: int, most_lines: int) -> Iterator[html.Markup]:
        """Yield what stands below the title: so many rows, so many lines, the others counted."""
        rows = list(islice(self.rows(), most_rows))
        if rows:
            cells = [[self.shown(cell) for cell in row] for row in rows]
            yield html.table(self.columns, cells)
        for line in (*self._rest(len(rows)), *self._said(most_lines)):
            yield html.element("p", line)

    def _rest(self, seen: int) -> list[str]:
        left = sum(1 for _ in self.rows()) - seen
        return and_more(left, self.row_word, "to_frame()")

    def _said(self, most: int) -> list[str]:
        lines = self.lines()
        return [*lines[:most], *and_more(len(lines) - most, "line", "to_json()")]

    def __repr__(self) -> str:
        shown = list(islice(self.rows(), TEXT_ROWS))
        texts = [", ".join(self._cells(row)) for row in shown]
        lines = [*texts, *self._rest(len(shown)), *self._said(TEXT_ROWS)]
        return "\n".join(visible(line) for line in (self.title(), *(f"  {one}" for one in lines)))

    def _cells(self, row: Row) -> Iterator[str]:
        """Yield the cells of a row in text: what is there, by its column."""
        for column, cell in zip(self.columns, row, strict=True):
            said = str(self.shown(cell))
            if said:
                yield f"{column} {said}"

    def _repr_html_(self) -> str:
        return html.join([html.title(self.title()), *self.body(REPR_ROWS, REPR_LINES)])


def _guarded(cell: Any) -> Any:
    return guarded_cell(cell) if isinstance(cell, str) else cell


def _plain(value: Any) -> Any:
    """Return a value in which no number is infinite or none: JSON has no word for them."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
