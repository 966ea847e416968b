"""Tables: rows that are searched, filtered, sorted and paged, whose cells may be edited."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from traitlets import Dict as DictTrait
from traitlets import HasTraits, Int, Tuple, Unicode, observe

from nifti_kit.core.report import Summary

if TYPE_CHECKING:
    import pandas as pd

PAGE_SIZE = 25
"""Rows of a page. More of them cost the browser seconds, and nobody reads them at once."""

Kind = Literal["text", "number", "choice", "edit", "button", "check"]
Tone = Literal["", "error", "warning", "note", "good"]

EDITABLE: frozenset[Kind] = frozenset(("choice", "edit", "check"))
"""Kinds of cells that a person can change."""


Shown = TypeVar("Shown")


class Pages(HasTraits, Generic[Shown]):
    """What was found, some of it at a time."""

    page = Int()  # from 0
    page_size = Int()  # how much is shown at a time

    @property
    def found(self) -> Sequence[Shown]:
        """All that there is to show, in order."""
        raise NotImplementedError

    @property
    def page_count(self) -> int:
        """How many pages there are; at least one."""
        return max(1, -(-len(self.found) // self.page_size))

    @property
    def shown(self) -> Sequence[Shown]:
        """What is on the page."""
        first = self.page * self.page_size
        return self.found[first : first + self.page_size]

    def turn(self, pages: int) -> None:
        """Go forward or back by pages, as far as there are any."""
        self.page = min(max(self.page + pages, 0), self.page_count - 1)


@dataclass(frozen=True)
class Column:
    """A column."""

    name: str  # the key of its cells in a row
    title: str  # what stands above it
    # ``text``, ``number`` (aligned to the right, sorted as one), ``choice`` (one of a row's
    # ``choices``), ``edit`` (free text), ``button`` (an action), ``check`` (true or false). A cell
    # without a value has no button, and None no check box.
    kind: Kind = "text"
    filtered: bool = False  # whether a person can choose one of its values to be shown alone
    # Left out where the table has little room: what is chosen shows it beside the table.
    minor: bool = False


@dataclass(frozen=True)
class Row:
    """A row."""

    key: str  # what it is known by; unique in its table
    cells: Mapping[str, Any]  # its values by column
    # For cells of the kind ``choice``: what can be chosen, by column.
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    # What it means: ``error``, ``warning``, ``note``, ``good`` or nothing. The view shows it as a
    # word and a colour.
    tone: Tone = ""
    # RGB (0 to 255) of a patch before the text of a cell, by column.
    colors: Mapping[str, Sequence[int]] = field(default_factory=dict)
    # More about a cell, by column; it is shown on hovering and read to those who do not see.
    hints: Mapping[str, str] = field(default_factory=dict)


def columns_of(
    report: type[Summary], numbers: Collection[str], filtered: Collection[str], **titles: str
) -> tuple[Column, ...]:
    """Return the columns of a report: which hold numbers, which are filtered, other titles."""
    return tuple(
        Column(
            name,
            titles.get(name, name.capitalize()),
            "number" if name in numbers else "text",
            name in filtered,
        )
        for name in report.columns
    )


class Table(Pages[Row]):
    """Rows, and which of them are shown."""

    columns = Tuple()
    rows = Tuple()
    # Words that a row must have, each in any of its cells; upper and lower case are alike.
    search = Unicode()
    filters = DictTrait()  # values that a column must have, by the column's name; none means any
    # The column by which rows are ordered, with ``-`` before it for falling order; ``""`` keeps the
    # order of ``rows``.
    sort = Unicode()
    selected = Unicode()  # the key of the row that a person has chosen, or ``""``
    page_size = Int(PAGE_SIZE)

    def __init__(
        self,
        columns: Iterable[Column],
        rows: Iterable[Row] = (),
        *,
        on_edit: Callable[[str, str, Any], None] | None = None,
        on_press: Callable[[str, str], None] | None = None,
        **traits: Any,
    ) -> None:
        """Keep what is called when a cell is edited, or a button pressed, with key and column."""
        self._found: list[Row] = []
        self._found_of: tuple[Any, ...] | None = None
        super().__init__(**traits)
        self.columns, self.rows = tuple(columns), tuple(rows)
        self._on_edit, self._on_press = on_edit, on_press

    def to_frame(self) -> pd.DataFrame:
        """Return a :class:`pandas.DataFrame` with every row, whether it is shown or not."""
        import pandas as pd

        cells = [dict(row.cells) for row in self.rows]
        return pd.DataFrame(cells, columns=[column.name for column in self.columns])

    @property
    def found(self) -> list[Row]:
        """The rows that search and filters leave, in order; worked out once for each state."""
        state = (self.rows, self.columns, self.search, dict(self.filters), self.sort)
        if state != self._found_of:
            self._found_of, self._found = state, self._left_in_order()
        return self._found

    def _left_in_order(self) -> list[Row]:
        words = self.search.casefold().split()
        left = [row for row in self.rows if self._fits(row, words)]
        name = self.sort.removeprefix("-")
        if not any(column.name == name for column in self.columns):
            return left
        filled = [row for row in left if not _is_nothing(row.cells.get(name))]
        empty = [row for row in left if _is_nothing(row.cells.get(name))]
        filled.sort(key=lambda row: _rank(row.cells.get(name)), reverse=self.sort.startswith("-"))
        return filled + empty

    def values_of(self, name: str) -> list[str]:
        """Return the different values of a column, sorted: what can be filtered by."""
        values = {_text(value): value for row in self.rows for value in [row.cells.get(name)]}
        return sorted((text for text in values if text), key=lambda text: _rank(values[text]))

    def row(self, key: str) -> Row | None:
        """Return the row of a key, or None."""
        return next((row for row in self.rows if row.key == key), None)

    def filter_by(self, name: str, value: str) -> None:
        """Show only rows with a value in a column; ``""`` shows any."""
        others = {column: kept for column, kept in self.filters.items() if column != name}
        self.filters = {**others, name: value} if value else others

    def sort_by(self, name: str) -> None:
        """Order by a column; the second time in falling order, the third as it was."""
        self.sort = {name: f"-{name}", f"-{name}": ""}.get(self.sort, name)

    def select(self, key: str) -> None:
        """Choose a row, and turn to the page that it is on; an unknown key chooses none."""
        places = [at for at, row in enumerate(self.found) if row.key == key]
        if places:
            self.page = places[0] // self.page_size
        self.selected = key if self.row(key) else ""

    def edit(self, key: str, name: str, value: Any) -> None:
        """Give a cell a value that a person chose; what is no choice is passed over."""
        row = self.row(key)
        column = next((column for column in self.columns if column.name == name), None)
        if row is None or column is None or column.kind not in EDITABLE:
            return
        if column.kind == "choice" and value not in row.choices.get(name, ()):
            return
        if self._on_edit is not None:
            self._on_edit(key, name, value)

    def press(self, key: str, name: str) -> None:
        """Press the button in a cell."""
        if self.row(key) is not None and self._on_press is not None:
            self._on_press(key, name)

    @observe("rows", "search", "filters", "sort", "page_size")
    def _stay_on_a_page(self, change: Any) -> None:
        if change["name"] in ("search", "filters", "sort"):
            self.page = 0
        self.page = min(self.page, self.page_count - 1)
        if self.selected and self.row(self.selected) is None:
            self.selected = ""

    def _fits(self, row: Row, words: Sequence[str]) -> bool:
        for name, value in self.filters.items():
            if value and _text(row.cells.get(name)) != value:
                return False
        if not words:
            return True
        text = " ".join(_text(value) for value in row.cells.values()).casefold()
        return all(word in text for word in words)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _is_nothing(value: Any) -> bool:
    """Say whether a cell is empty, or no number: such cells come last in either order."""
    return _text(value) == "" or (isinstance(value, float) and math.isnan(value))


def _rank(value: Any) -> tuple[bool, float, str]:
    """Return what a cell is ordered by: numbers by their size, before texts."""
    if isinstance(value, int | float):
        return False, float(value), ""
    return True, 0.0, _text(value).casefold()
