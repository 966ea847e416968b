"""The dialects of label tables: how each tool writes which value is what."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from nifti_kit.formats.class_maps.columns import NO_VALUE, OUTSIDE, SPLITS, columns_of, reading_as
from nifti_kit.formats.class_maps.entries import Color
from nifti_kit.formats.class_maps.lines import (
    AAL_CODE,
    MOST,
    RGB,
    Collector,
    Reading,
    Row,
    Table,
    color_of,
    fractions,
    hex_color,
    whole,
)


@dataclass(frozen=True)
class Dialect:
    """A way to write a label table."""

    title: str  # what it is called in messages
    # Returns a table as this dialect reads it, or None where it cannot.
    read: Callable[[Table], Reading | None]


_ITK_SNAP = re.compile(
    r"\s*(\d{1,9})\s+(\d{1,9})\s+(\d{1,9})\s+(\d{1,9})\s+[\d.eE+-]+\s+[01]\s+[01]\s+\"(.*)\"\s*"
)
"""Value, colour, opacity, visibility twice, name in quotes, which may hold ``#``."""


def itk_snap(table: Table) -> Reading | None:
    """Return a label description file of ITK-SNAP; None where most lines are no such."""
    collector, count, fits = Collector(), 0, 0
    for number, raw in table.raw:
        if raw.lstrip().startswith("#"):
            continue
        count += 1
        match = _ITK_SNAP.fullmatch(raw)
        fits += match is not None
        if match is None:
            collector.take(number, raw, "it is no line of an ITK-SNAP table")
            continue
        color = color_of(match.group(2, 3, 4))
        found: Row | str = (int(match[1]), " ".join(match[5].split()), color)
        collector.take(number, raw, OUTSIDE if color is None else found)
    return collector.reading("itk-snap") if fits > MOST * count else None


_KEY_AND_COLOR = re.compile(r"\s*-?\d{1,9}(\s+\d{1,3}){4}\s*")


def workbench(table: Table) -> Reading | None:
    """Return a label list of Workbench: a line with the name, one with key, colour and opacity."""
    names, keys = table.raw[::2], table.raw[1::2]
    if not keys or len(names) != len(keys):
        return None
    fits = [_KEY_AND_COLOR.fullmatch(raw) is not None for _, raw in keys]
    like_keys = [_KEY_AND_COLOR.fullmatch(raw) is not None for _, raw in names]
    if sum(fits) <= MOST * len(fits) or any(like_keys):
        return None
    collector = Collector()
    for (_, name), (number, raw) in zip(names, keys, strict=True):
        cells = raw.split()
        value, color = whole(cells[0]), color_of(cells[1 : 1 + RGB])
        row: Row | str = NO_VALUE if value is None else (value, " ".join(name.split()), color)
        collector.take(number, raw, OUTSIDE if color is None else row)
    return collector.reading("workbench")


def aal_of_names(table: Table) -> Reading | None:
    """Return AAL with its value behind two names: ``FAG Precentral_L 2001``."""
    for line in table.lines:
        code = whole(line.cells[-1]) if len(line.cells) == len(("short", "long", "code")) else None
        if code is None or code < AAL_CODE or line.value is not None:
            return None
    return reading_as("aal-codes", table) if table.lines else None


_VALUES = ("labelvalue", "pixelvalue", "value", "index", "labelid", "labelindex", "labelnumber",
           "id", "idx", "roi", "roiid", "roiindex", "key", "intensity", "number", "no", "nr", "num",
           "code", "label", "class", "classid")  # fmt: skip
_NAMES = ("name", "labelname", "classname", "structure", "structurename", "region", "regionname",
          "roiname", "fullname", "longname", "title", "anatomy", "organ", "label", "class", "roi",
          "description", "abbreviation")  # fmt: skip
_COLORS = ("color", "colour", "hex", "hexcolor", "hexcolour", "rgb", "colorhex")
_CHANNELS = tuple(
    (letter, word, f"color{letter}", f"colour{letter}", f"{letter}color")
    for letter, word in (("r", "red"), ("g", "green"), ("b", "blue"))
)
"""The columns of tables with a head, without case, blanks and signs; the surest words first."""

_MEANINGS = ("typemodifiercodemeaning", "typecodemeaning", "regionmodifiercodemeaning",
             "regioncodemeaning")  # fmt: skip
"""Slicer's terminology, which stands for a name that is left out."""


@dataclass(frozen=True)
class Headed:
    """A table whose first line names its columns."""

    # Where each column stands, by its name without case, blanks and signs.
    columns: Mapping[str, int]
    rows: Sequence[tuple[int, Sequence[str]]]  # (Number of the line from 1, cells)

    def cell(self, row: Sequence[str], names: Sequence[str]) -> str:
        """Return the cell of the first of some columns that is there; empty where none is."""
        at = next((self.columns[name] for name in names if name in self.columns), len(row))
        return row[at].strip() if at < len(row) else ""

    def values(self) -> list[str]:
        """Return the columns that may hold the value: whole numbers in most lines."""

        def share(name: str) -> float:
            found = [whole(self.cell(row, (name,))) for _, row in self.rows]
            return sum(value is not None for value in found) / len(found)

        return [name for name in _VALUES if name in self.columns and share(name) > MOST]


def headed_table(table: Table) -> Headed | None:
    """Return a table by the names of its columns; None where its first line names none."""
    for separator in "\t,;":
        lines = [line for line in table.text.splitlines() if line.strip()]
        first = next((line for line in lines if not line.lstrip().startswith("#")), "")
        if separator not in first:
            continue
        try:
            rows = [
                (reader.line_num, row)
                for reader in [csv.reader(table.text.splitlines(), delimiter=separator)]
                for row in reader
                if any(cell.strip() for cell in row) and not row[0].lstrip().startswith("#")
            ]
        except csv.Error:
            return None
        if not rows:  # nothing but separators
            continue
        names = [re.sub(r"[^a-z0-9]", "", cell.casefold()) for cell in rows[0][1]]
        found = Headed({name: at for at, name in reversed([*enumerate(names)])}, rows[1:])
        values = found.values() if len(rows) > 1 else []
        if values and {*names} & {*_NAMES, *_MEANINGS} - {values[0]}:
            return found
    return None


_WEAK = ("id", "key", "intensity", "number", "no", "nr", "num", "code", "class", "classid")
"""Columns that count as much else as labels: cases, persons, rows."""

COLUMN = "column "
"""The dialect of a table with a head by one of its columns: ``column label``."""


def with_head(table: Table, dialect: str = "", value: str = "") -> Reading | None:
    """Return a table with a line that names its columns: BIDS, Slicer's ``.csv``, and others.

    ``value`` is the column that holds the pixel value; the surest one by default.
    """
    found = headed_table(table)
    if found is None or (value and value not in found.columns):
        return None
    value = value or found.values()[0]
    collector = Collector()
    for number, row in found.rows:
        collector.take(number, ",".join(row), _headed_row(found, row, value))
    if not dialect:
        dialect = "slicer-csv" if value == "labelvalue" else "headed"
        if value in _WEAK:
            dialect = "list"
        elif value == "index" and "name" in found.columns and "\t" in table.text:
            dialect = "bids"
    return collector.reading(dialect)


def _by_head(table: Table) -> list[Reading]:
    """Return the readings of a table with a head; several where several columns number it."""
    found = headed_table(table)
    if found is None:
        return []
    first, *others = found.values()
    readings = [with_head(table)]
    if first != "labelvalue":  # Slicer's own word
        readings += [
            with_head(table, COLUMN + other, other) for other in others if other not in _WEAK
        ]
    told = _told_apart([reading for reading in readings if reading and reading.entries])
    if len(told) > 1:
        told[0] = replace(told[0], dialect=COLUMN + first)
    return told


def _headed_row(found: Headed, row: Sequence[str], value: str) -> Row | str:
    number = whole(found.cell(row, (value,)))
    if number is None:
        return NO_VALUE
    name = found.cell(row, [column for column in _NAMES if column != value])
    if not name:
        words = [found.cell(row, (meaning,)) for meaning in _MEANINGS]
        what, where = (" ".join(filter(None, part)) for part in (words[:2], words[2:]))
        name = f"{what} ({where})" if what and where else what
    return number, " ".join(name.split()), _headed_color(found, row)


def _headed_color(found: Headed, row: Sequence[str]) -> Color | None:
    cells = [found.cell(row, names) for names in _CHANNELS]
    if not all(cells):
        text = found.cell(row, _COLORS).strip("()[]")
        cells = re.split(r"[\s,;]+", text)
        if len(cells) != RGB:
            return hex_color(f"#{text.lstrip('#')}") if text else None
    return fractions(cells) if any("." in cell for cell in cells) else color_of(cells)


def json_table(table: Table, dialect: str = "") -> Reading | None:
    """Return the labels of a ``dataset.json`` (nnU-Net, MSD), or of ``class2idx.json``."""
    try:
        content = json.loads(table.text.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or not content:
        return None
    inside = isinstance(content.get("labels"), dict)
    labels = content["labels"] if inside else content
    collector = Collector()
    if not inside and any(str(key).casefold().endswith((".nii", ".nii.gz")) for key in labels):
        return None  # a mapping of files to volumes
    by_number = all(whole(str(key)) is not None for key in labels)
    for key, given in labels.items():
        name, value = (given, key) if by_number else (key, given)
        _take_label(collector, name, value)
    if not dialect:
        dialect = ("msd" if by_number else "nnunet") if inside else "class2idx"
    return collector.reading(dialect)


def _take_label(collector: Collector, name: Any, value: Any) -> None:
    shown = f"{name!r}: {value!r}"
    if isinstance(value, list) and len(value) > 1:
        collector.regions.append(f"{name} ({', '.join(map(str, value))})")
        return
    value = value[0] if isinstance(value, list) and value else value
    number = whole(str(value)) if not isinstance(value, bool) else None
    fine = number is not None and isinstance(name, str)
    row: Row | str = (number or 0, " ".join(name.split()), None) if fine else NO_LABEL
    collector.take(0, shown, row, "label")


NO_LABEL = "it is no name with a whole number"

_TITLES = {
    "specification": "table of values, names and colours",
    "names": "table of values and names, without the numbers behind them",
    "freesurfer": "FreeSurfer table",
    "slicer": "Slicer colour table",
    "rgba": "table of red, green, blue and opacity",
    "freesurfer-tissue": "FreeSurfer table with tissue types",
    "mrtrix": "MRtrix table",
    "aal": "AAL table",
    "aal-codes": "AAL table by its codes",
    "fsleyes": "FSLeyes table",
}

DIALECTS: dict[str, Dialect] = {
    "itk-snap": Dialect("ITK-SNAP table", itk_snap),
    "workbench": Dialect("Workbench label list", workbench),
    "bids": Dialect("BIDS table", partial(with_head, dialect="bids")),
    "slicer-csv": Dialect("Slicer terminology table", partial(with_head, dialect="slicer-csv")),
    "headed": Dialect("table with named columns", partial(with_head, dialect="headed")),
    "list": Dialect("list of numbers and names", partial(with_head, dialect="list")),
    "nnunet": Dialect("nnU-Net dataset.json", partial(json_table, dialect="nnunet")),
    "msd": Dialect("dataset.json (MSD, nnU-Net v1)", partial(json_table, dialect="msd")),
    "class2idx": Dialect("class2idx.json", partial(json_table, dialect="class2idx")),
    **{key: Dialect(title, partial(reading_as, key)) for key, title in _TITLES.items()},
}
"""Every dialect by its key: what it is called, and who reads it."""

assert set(_TITLES) == set(SPLITS)


def recognise(table: Table) -> tuple[list[Reading], list[Reading]]:
    """Return how a table is read, and its readings by other numbers.

    The first list has one reading, or several where nobody can know; the second is for tables
    that number their lines twice, and only the masks can say which numbers count.
    """
    if table.text.lstrip("\ufeff \t\r\n").startswith("{"):
        return [found for found in [json_table(table)] if found is not None], []
    for of_whole_file in (workbench, itk_snap):
        if found := of_whole_file(table):
            return [found], []
    if headed := _by_head(table):
        return headed, []
    if found := aal_of_names(table):
        return [found], []
    keys = columns_of(table)
    others = [reading_as("aal-codes", table)] if keys == ("aal",) else []
    readings = _told_apart([reading_as(key, table) for key in keys])
    return readings, _told_apart([*readings, *others])[len(readings) :]


def read_as(dialect: str, table: Table) -> Reading | None:
    """Return a table as a dialect reads it, or None where it cannot."""
    if dialect.startswith(COLUMN):
        return with_head(table, dialect, dialect.removeprefix(COLUMN))
    return DIALECTS[dialect].read(table)


def title_of(dialect: str) -> str:
    """Return what a dialect is called in messages."""
    if dialect.startswith(COLUMN):
        return f"table with named columns, by its {dialect}"
    return DIALECTS[dialect].title


def _told_apart(readings: Sequence[Reading]) -> list[Reading]:
    """Return readings whose classes differ, the first of each."""
    seen: dict[Any, Reading] = {}
    for reading in readings:
        rows = tuple((entry.value, entry.name, entry.color) for entry in reading.entries)
        seen.setdefault(rows, reading)
    return list(seen.values())
