"""Mappings that were written as a table: what pandas makes of the columns file and id."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from nifti_kit.core.text import listed
from nifti_kit.errors import BadMapping

PLAIN_FORM = (
    'Write one object, {"annotation file name": volume id, ...}. With pandas, for the columns file '
    "and volume_id: table.set_index('file')['volume_id'].to_json('mapping.json')"
)

SHOWN = 5
"""Columns, or readings, that a message lists before it counts the rest."""

_LABELS = "the row labels"


class Pairs(list[tuple[str, Any]]):
    """The pairs of a JSON object; a dict would drop repeated keys without a word."""


_Table = dict[str, list[Any]]
"""Columns by their names; each has a cell for every row."""

_Reading = tuple[str, list[tuple[str, Any]]]
"""How a table is read, in words, and the pairs of file and id that it gives."""


class MappingTable:
    """A JSON content that is no plain mapping, as the tables that it may be.

    ``content``: what was parsed; each of its objects is a :class:`Pairs`.
    ``files_of``: gives the annotation files that a key means.
    ``is_id``: says whether a value is a volume's id.
    """

    def __init__(
        self,
        content: Any,
        files_of: Callable[[str], Sequence[PurePosixPath]],
        is_id: Callable[[Any], bool],
    ) -> None:
        self._content, self._files_of, self._is_id = content, files_of, is_id

    def pairs(self, shown: str) -> _Reading:
        """Return how it is read, and the pairs, where one reading alone is possible.

        Raises BadMapping if it is no table, or can be read in no way, or in several; ``shown``
        names the file.
        """
        tables = [table for table in _tables(self._content) if table]
        readings = [*(one for table in tables for one in self._readings(table)), *self._nested()]
        distinct = {
            frozenset((self._files_of(key)[0], value) for key, value in pairs)
            for _, pairs in readings
        }
        if len(distinct) == 1:
            return readings[0]
        kind = "object" if isinstance(self._content, Pairs) else type(self._content).__name__
        found = f"a JSON {kind}"
        if readings:
            ways = listed((how for how, _ in readings), SHOWN, "; ")
            found += f" that can be read in several ways: {ways}"
        elif tables:
            found += f", a table without {self._lacking(tables[0])}"
        raise BadMapping(
            "the mapping cannot be read",
            path=shown,
            found=found,
            expected='an object such as {"axl_inference_1.nii": 123}',
            remedy=PLAIN_FORM,
        )

    def _readings(self, table: _Table) -> Iterator[_Reading]:
        for names, keys in table.items():
            for ids, values in table.items():
                if self._are_files(keys, whole=names == _LABELS) and all(map(self._is_id, values)):
                    how = f"a table: the files are in {names}, their volumes' ids in {ids}"
                    yield how, list(zip(keys, values, strict=True))

    def _nested(self) -> Iterator[_Reading]:
        """Yield the reading of objects within an object, whose keys are folders."""
        content = self._content
        if not isinstance(content, Pairs) or not all(isinstance(v, Pairs) for _, v in content):
            return
        pairs = [(f"{folder}/{key}", value) for folder, own in content for key, value in own]
        if self._are_files([key for key, _ in pairs], whole=True) and all(
            self._is_id(value) for _, value in pairs
        ):
            yield "an object for each folder, of files and ids", pairs

    def _are_files(self, cells: Sequence[Any], *, whole: bool) -> bool:
        """Say whether each cell names one file, and each another one; ``whole``: by its path.

        What stands within another name (a column's, or a folder's) might be of another folder.
        """
        found = [self._files_of(cell) if isinstance(cell, str) else () for cell in cells]
        if not all(len(one) == 1 for one in found) or len({one[0] for one in found}) < len(found):
            return False
        return not whole or all(
            PurePosixPath(cell) == one[0] for cell, one in zip(cells, found, strict=True)
        )

    def _lacking(self, table: _Table) -> str:
        """Return which kind of column a table does not have, and where the nearest one fails."""

        def is_file(cell: Any) -> bool:
            return isinstance(cell, str) and len(self._files_of(cell)) == 1

        files = any(self._are_files(cells, whole=name == _LABELS) for name, cells in table.items())
        what = "a column of volume ids, whole numbers above 0"
        if not files:
            what = "a column of annotation files that are there, each once"
        fits = self._is_id if files else is_file
        faults = {name: [not fits(cell) for cell in cells] for name, cells in table.items()}
        name = min(faults, key=lambda name: sum(faults[name]) / len(faults[name]))
        if all(faults[name]) or not any(faults[name]):
            own = [f"{name}, such as {cells[0]!r:.40}" for name, cells in table.items()]
            return f"{what} (its columns: {listed(own, SHOWN, '; ')})"
        row = faults[name].index(True)
        return f"{what}: row {row + 1} of {name} is {table[name][row]!r:.60}"


def is_table(content: Any) -> bool:
    """Say whether a JSON content is no plain mapping of names to values."""
    if not isinstance(content, Pairs):
        return True
    inner = [isinstance(value, list) for _, value in content]
    return _is_split(content) or (bool(inner) and all(inner))


def _is_split(content: Pairs) -> bool:
    """Say whether an object is pandas' ``split`` or ``table`` form."""
    keys = {key for key, _ in content}
    return "data" in keys and bool(keys & {"columns", "schema"})


def _tables(content: Any) -> Iterator[_Table]:
    """Yield the ways in which a JSON content may be a table, as pandas writes them."""
    if not isinstance(content, Pairs):
        if isinstance(content, list):
            yield _of_records(content, None)
        return
    given = dict(content)
    if _is_split(content):
        if isinstance(given["data"], list):
            yield from _split(given)
    elif all(isinstance(value, Pairs) for value in given.values()):
        columns = {key: dict(value) for key, value in content}
        if len({tuple(column) for column in columns.values()}) == 1:
            labels = list(next(iter(columns.values())))
            yield {_LABELS: labels} | {key: list(own.values()) for key, own in columns.items()}
        yield _of_records(list(given.values()), list(given))


def _split(given: dict[str, Any]) -> Iterator[_Table]:
    rows, names, labels = given["data"], given.get("columns"), given.get("index")
    if not isinstance(names, list) or isinstance(names, Pairs):
        yield _of_records(rows, None)
    elif all(isinstance(row, list) and len(row) == len(names) for row in rows):
        table = {str(name): [row[at] for row in rows] for at, name in enumerate(names)}
        if isinstance(labels, list) and len(labels) == len(rows):
            # What pandas counts rows with is no id.
            table[_LABELS] = [label if isinstance(label, str) else None for label in labels]
        yield table if rows else {}


def _of_records(rows: Sequence[Any], labels: list[str] | None) -> _Table:
    """Return the table of rows that are objects, or lists; empty where they are not alike."""
    if rows and all(isinstance(row, list) and not isinstance(row, Pairs) for row in rows):
        rows = [Pairs((f"column {at}", v) for at, v in enumerate(row, start=1)) for row in rows]
    names = [tuple(key for key, _ in row) if isinstance(row, Pairs) else () for row in rows]
    first = names[0] if names else ()
    alike = all(sorted(own) == sorted(set(first)) for own in names)
    if not first or not alike:
        return {}
    columns = {name: [dict(row)[name] for row in rows] for name in first}
    return columns if labels is None else {_LABELS: labels, **columns}
