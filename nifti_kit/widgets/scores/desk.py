"""The desk: the score tables of a source, one of which is open; and the reading of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import HasTraits, Int, Tuple, Unicode

from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item, TableFile
from nifti_kit.errors import BadScores
from nifti_kit.widgets.parts.sources import SourcePicker
from nifti_kit.widgets.parts.table import Table
from nifti_kit.widgets.parts.tasks import Task, Ticket
from nifti_kit.widgets.scores.evidence import Remark
from nifti_kit.widgets.scores.listing import COLUMNS, key_of, rows_of
from nifti_kit.widgets.scores.opened import OpenTable

__all__ = ["ScoreDesk"]

CSV = ".csv"
"""A source of this ending is one table: its folder is read, and the table chosen."""


class ScoreDesk(HasTraits):
    """Score tables of a source, one of which is open.

    Attributes
    ----------
    source
        What is read, and how.
    table
        The chosen table, relative to the source; ``""`` where there is none.
    open
        It with its masks' labels, or None while it is read.
    current
        The cell that a person is at: (key of the row, name of the column).
    remarks
        The rows: one for each cell, row or column that something is wrong with.
    path
        Where the table is to be saved.
    message
        What the last act did.
    revision
        Counts the changes of whatever is shown.
    task
        The reading of a table and its masks.
    """

    table = Unicode()
    open = AnyTrait()
    current = Tuple(Unicode(), Unicode(), default_value=("", ""))
    path = Unicode()
    message = Unicode()
    revision = Int()

    def __init__(
        self,
        source: Dataset | str | os.PathLike[str] = "",
        *,
        table: str = "",
        base: int | None = None,
        out: str | os.PathLike[str] = "out",
        **choices: Any,
    ) -> None:
        """Take a source: a dataset, what :func:`nifti_kit.scan` takes, or one CSV.

        Nothing is read yet: :meth:`scan` begins.

        ``base`` is what layers count from (by default the dataset's, else 1); ``out`` is the
        folder to save in at first; ``choices`` are those of :func:`nifti_kit.scan`.
        """
        super().__init__()
        self.out, self._base, self._wanted = Path(out), base, table
        self.task = Task()
        self.task.observe(self._read_on, "state")
        self.remarks = Table(COLUMNS, on_press=lambda key, _: self._repair(self._remark(key)))
        self.remarks.observe(lambda change: self.jump(change["new"]), "selected")
        self._opened: dict[str, OpenTable] = {}
        self._lost: list[str] = []
        self._given = source if isinstance(source, Dataset) else None
        path = "" if isinstance(source, Dataset) else self._folder_of(os.fspath(source))
        self.source = SourcePicker(path, **choices)
        self.source.observe(lambda change: self._take(change["new"]), "dataset")

    def _folder_of(self, path: str) -> str:
        if path.casefold().endswith(CSV):
            self._wanted = Path(path).name
            return str(Path(path).parent)
        return path

    @property
    def tables(self) -> list[str]:
        """The score tables that belong to an item, relative to the source."""
        return list(self._files())

    def _files(self) -> dict[str, tuple[Item, TableFile]]:
        items = self.source.dataset.items if self.source.dataset else ()
        return {str(table.relative): (item, table) for item in items for table in item.tables}

    def scan(self) -> None:
        """Begin to read the source, then its first table, or the one that was asked for."""
        if self._given is not None and not self.source.path:
            self.source.dataset = None
            self.source.dataset = self._given
        else:
            self.source.scan()

    def choose(self, table: str) -> None:
        """Begin to read a table and its masks; one that was edited is as it was left.

        Raises
        ------
        BadScores
            If there is no such table, or no single one of that name.
        """
        found = [name for name in self.tables if name == table]
        found = found or [name for name in self.tables if name.endswith(f"/{table}")]
        if len(found) != 1:
            message = "there are several such tables" if found else "there is no such table"
            raise BadScores(message, found=repr(table), expected=", ".join(self.tables) or "none")
        name = found[0]
        with self.hold_trait_notifications():
            self.open, self.current = None, ("", "")
            self.table, self.path, self.message = name, str(self.out / name), ""
        self.remarks.rows = ()
        if name in self._opened:
            self._show(self._opened[name])
        else:
            self.task.start(self._read_tables)
        self.revision += 1

    def _list(self) -> None:
        self.remarks.rows = rows_of(self.open.remarks, self.open.draft)

    def _take(self, dataset: Dataset | None) -> None:
        """Take what was scanned, and open its first table, or the one that was asked for."""
        self._lost += [name for name, found in self._opened.items() if found.changes]
        self._opened.clear()
        self.open, self.table, self.current = None, "", ("", "")
        self.remarks.rows = ()
        if dataset is not None and self.tables:
            wanted, self._wanted = self._wanted, ""
            self.choose(wanted or self.tables[0])
            if self._lost:
                self.message = f"Read anew: what was changed in {', '.join(self._lost)} is gone."
            self._lost.clear()
        self.revision += 1

    def _read_tables(self, ticket: Ticket) -> None:
        """Read tables until the one that is chosen by then is there."""
        while self.table and self.open is None:
            name, dataset = self.table, self.source.dataset
            ticket.tell(0.0, f"Reading {name} and its masks")
            item, table = self._files()[name]
            base = dataset.score_base if self._base is None else self._base
            found = OpenTable(dataset, item, table, base)
            if name == self.table and dataset is self.source.dataset:
                self._opened[name] = found
                self._show(found)

    def _read_on(self, change: Any) -> None:
        """Read what a person chose at the moment at which the last table was there."""
        if change["new"] == "done" and self.table and self.open is None:
            self.task.start(self._read_tables)

    def _show(self, found: OpenTable) -> None:
        self.open = found
        self._list()
        first = next((remark for remark in found.remarks if remark.row), None)
        self.current = (first.row, first.column) if first else ("", "")
        self.revision += 1

    def go(self, key: str, column: str) -> None:
        """Go to a cell of the grid, by the key of its row (``L12`` is layer 12) and its column."""
        self.current = (key, column)
        chosen = self.remarks.selected
        remark = self._remark(chosen) if chosen else None
        if remark is not None and (remark.row, remark.column) != self.current:
            self.remarks.selected = ""  # so that choosing it again leads there again

    def jump(self, key: str) -> None:
        """Go to the cell that a row of ``remarks`` is about."""
        remark = self._remark(key)
        if remark is not None and remark.row:
            self.go(remark.row, remark.column)

    def _remark(self, key: str) -> Remark | None:
        remarks: tuple[Remark, ...] = () if self.open is None else self.open.remarks
        return next((remark for remark in remarks if key_of(remark) == key), None)

    def _repair(self, remark: Remark | None) -> None:
        raise NotImplementedError
