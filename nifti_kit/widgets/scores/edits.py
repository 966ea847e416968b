"""Edits of score tables: each takes a draft, and returns what was done with the new draft.

One that cannot be made raises :class:`nifti_kit.errors.BadScores`, which says why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from nifti_kit.core.findings import Finding
from nifti_kit.datasets.items import TableFile
from nifti_kit.errors import BadScores
from nifti_kit.formats.scores import ScoreSheet, ScoreTable
from nifti_kit.formats.scores.cells import decimal, table_text
from nifti_kit.formats.scores.reading import layers_of, read_sheet
from nifti_kit.formats.scores.sheet import LAYER, SheetRow, comment_name, value_of
from nifti_kit.formats.scores.table import MAX_VALUE, check_base


@dataclass(frozen=True)
class Draft:
    """A score table as it is now."""

    table: TableFile  # its file
    sheet: ScoreSheet  # its rows and cells as they are written
    base: int  # what its layers count from: 1, or 0
    # ``file``: from the first frame of the NIfTI file; ``reversed``: from the last one. For a table
    # without masks the choices of :func:`nifti_kit.scan`.
    frames: str
    count: int | None  # how many frames there are; None where nothing says it
    said: bool = True  # whether it is known what its layers count from

    @cached_property
    def _placed(self) -> tuple[dict[int, int], list[Finding]]:
        """The layer of each row by its line, and what is wrong with those of the other rows."""
        return layers_of(self.sheet, str(self.table.relative), self.base)

    @cached_property
    def rows(self) -> dict[int, SheetRow]:
        """The rows that have a layer of their own, by it."""
        layers, _ = self._placed
        found = {layers[row.number]: row for row in self.sheet.rows if row.number in layers}
        return dict(sorted(found.items()))

    @property
    def lost(self) -> list[SheetRow]:
        """The rows that have no layer of their own."""
        return [row for row in self.sheet.rows if row.number not in self._placed[0]]

    def layer_at(self, line: int) -> int | None:
        """Return the layer of the row in a line of the file; None where it has none of its own."""
        return self._placed[0].get(line)

    @property
    def layers(self) -> list[int]:
        """The layers that there are: those of every frame, and those of rows; in rising order."""
        every = set(self.rows)
        if self.count is not None:
            every |= set(range(self.base, self.base + self.count))
        return sorted(every)

    def layer_of(self, frame: int) -> int:
        """Return the layer of a frame in the NIfTI file (from 1)."""
        position = frame
        if self.count is not None and self.frames == "reversed":
            position = self.count + 1 - frame
        return position + self.base - 1

    def frame_of(self, layer: int) -> int | None:
        """Return the frame in the NIfTI file (from 1) of a layer; None where there is no such."""
        position = layer - self.base + 1
        if position < 1 or (self.count is not None and position > self.count):
            return None
        if self.count is not None and self.frames == "reversed":
            return self.count + 1 - position
        return position

    @cached_property
    def read(self) -> ScoreTable:
        """The table as it is read, by frames of the NIfTI file; a layer beyond them is refused."""
        found = read_sheet(self.sheet, str(self.table.relative), self.base)
        if self.count is not None and self.frames == "reversed":
            return found.reversed(self.count)
        return found

    def written(self, layer: int, value: int) -> str:
        """Return what stands in a cell; ``""`` where nothing does."""
        row = self.rows.get(layer)
        return self.sheet.cell(row, f"Label-{value}") if row else ""

    def with_sheet(self, sheet: ScoreSheet) -> Draft:
        """Return the draft with other rows and cells."""
        return replace(self, sheet=sheet)

    def row_for(self, layer: int) -> tuple[Draft, int]:
        """Return the draft with a row for a layer, and the row's line; it is added if missing."""
        if layer in self.rows:
            return self, self.rows[layer].number
        lines = [
            row.number for row in self.sheet.rows if decimal(self.sheet.cell(row, LAYER)) == layer
        ]
        if len(lines) > 1:
            shown = ", ".join(map(str, lines))
            raise BadScores(f"Layer {layer} stands in lines {shown}: correct their layers first")
        if self.frame_of(layer) is None:
            last = "" if self.count is None else f" to {self.base + self.count - 1}"
            message = f"there is no layer {layer}"
            raise BadScores(message, expected=f"layers from {self.base}{last}")
        return self.with_sheet(self.sheet.with_row(str(layer))), self.sheet.next_number


def open_draft(table: TableFile, base: int, frames: str, count: int | None) -> Draft:
    """Return the draft of a score table as its file is; another file is refused."""
    check_base(base, table.path)
    text = table_text(table.path, table.content)
    # What a repair wrote counts from 1, along the file.
    base = base if table.content is None else 1
    return Draft(table, ScoreSheet.of(text, str(table.relative)), base, frames, count)


SHOWN = 40
"""Letters of a text that a message repeats."""


class Edited(NamedTuple):
    """What an edit did, in words, and the draft after it."""

    what: str
    draft: Draft


def column_of(label: int | str) -> str:
    """Return the column of a label: 2, ``"2"`` and ``"Label-2"`` are one."""
    text = str(label).strip()
    text = text[6:] if text.casefold().startswith("label-") else text
    if not (text.isascii() and text.isdigit() and int(text) <= MAX_VALUE):
        raise BadScores("that names no label", found=repr(label), expected="such as Label-2")
    return f"Label-{int(text)}"


def key_parts(key: str) -> tuple[int | None, int | None]:
    """Return (layer, None) or (None, line) of a row's key."""
    kind, number = key[:1], key[1:]
    if kind not in ("L", "R") or not number.isdigit():
        raise BadScores("that is no row", found=repr(key))
    return (int(number), None) if kind == "L" else (None, int(number))


def scored(draft: Draft, key: str, name: str, text: str) -> Edited:
    """Put a text into a cell; a score has to be a number, ``""`` removes it."""
    text = text.strip()
    if value_of(name) is not None and text and decimal(text) is None:
        raise BadScores(
            "the score is no number",
            found=repr(text[:SHOWN]),
            expected="a number, usually from 0 to 1; nothing for no score",
        )
    return _put(draft, key, name, text)


def commented(draft: Draft, key: str, name: str, text: str) -> Edited:
    """Put a comment beside a score; ``""`` removes it."""
    value = value_of(name)
    if value is None:
        raise BadScores("only a label has comments", found=name or "no column")
    draft.read.with_score(1, value, None, text)  # refuses what a file cannot hold
    return _put(draft, key, comment_name(name), text.strip())


def _put(draft: Draft, key: str, name: str, text: str) -> Edited:
    layer, line = key_parts(key)
    shown = f"Layer {layer}" if layer is not None else f"line {line}"
    if layer is not None:
        if not text and layer not in draft.rows:
            return Edited("", draft)
        draft, line = draft.row_for(layer)
    assert line is not None
    before = draft.sheet.cell(draft.sheet.row(line), name)
    if before == text:
        return Edited("", draft)
    what = f"{shown}, {name}: {_shown(before)} is now {_shown(text)}"
    return Edited(what, draft.with_sheet(draft.sheet.with_cell(line, name, text)))


def _shown(text: str) -> str:
    return repr(text[:SHOWN]) if text else "blank"


def placed(draft: Draft, key: str, text: str) -> Edited:
    """Give a row another layer, which is there and has no row yet."""
    line = _line(draft, key)
    number = decimal(text.strip())
    if number is None or number != int(number):
        raise BadScores("a layer is a whole number", found=repr(text[:SHOWN]))
    layer = int(number)
    if layer in draft.rows and draft.rows[layer].number != line:
        raise BadScores(f"Layer {layer} has a row already: line {draft.rows[layer].number}")
    if draft.frame_of(layer) is None:
        draft.row_for(layer)  # says which layers there are
    what = f"line {line} is now Layer {layer}"
    return Edited(what, draft.with_sheet(draft.sheet.with_cell(line, LAYER, str(layer))))


def _line(draft: Draft, key: str) -> int:
    layer, line = key_parts(key)
    if layer is not None:
        if layer not in draft.rows:
            raise BadScores(f"Layer {layer} has no row yet: give one of its labels a score")
        line = draft.rows[layer].number
    assert line is not None
    return draft.sheet.row(line).number


def row_removed(draft: Draft, key: str) -> Edited:
    """Remove a row with all its scores."""
    line = _line(draft, key)
    return Edited(f"line {line} removed", draft.with_sheet(draft.sheet.without_row(line)))


def column_moved(draft: Draft, name: str, label: int | str) -> Edited:
    """Give a column, with its comments, to another label, which has none yet."""
    _need(draft, name)
    other = column_of(label)
    if other == name:
        return Edited("", draft)
    if other in draft.sheet.header:
        raise BadScores(f"{other} has a column already: remove or move that one first")
    sheet = draft.sheet.renamed(name, other)
    if comment_name(name) in sheet.header and comment_name(name):
        if comment_name(other) in sheet.header:
            raise BadScores(f"{comment_name(other)} is there already: remove that column first")
        sheet = sheet.renamed(comment_name(name), comment_name(other))
    return Edited(f"column {name} is now {other}", draft.with_sheet(sheet))


def column_removed(draft: Draft, name: str) -> Edited:
    """Remove a column, with its comments; the only one with scores stays."""
    _need(draft, name)
    if draft.sheet.values == (value_of(name),):
        raise BadScores(f"{name} is the only label of the table: it stays")
    sheet = draft.sheet.without_column(name)
    if comment_name(name) in sheet.header and comment_name(name):
        sheet = sheet.without_column(comment_name(name))
    return Edited(f"column {name} removed", draft.with_sheet(sheet))


def _need(draft: Draft, name: str) -> None:
    if name not in draft.sheet.columns:
        expected = ", ".join(draft.sheet.columns)
        raise BadScores("the table has no such column", found=repr(name), expected=expected)


def counted_anew(draft: Draft, base: int, frames: str) -> Edited:
    """Count the layers from another number, or from the other end; each needs a frame."""
    after = replace(draft, base=base, frames=frames, said=True)
    _ = after.read  # refuses a layer beyond the first frame, where they count from the last one
    if after == draft:
        return Edited("", draft)
    end = {"file": "first frame on", "reversed": "last frame on", "ras": "platform's slices"}
    return Edited(f"layers now count from {base}, along the {end[frames]}", after)


def shifted(draft: Draft, by: int) -> Edited:
    """Move every row by some layers; each needs a frame."""
    sheet = draft.sheet
    for layer, row in draft.rows.items():
        if draft.frame_of(layer + by) is None:
            raise BadScores(f"Layer {layer} would be {layer + by}: there is no such layer")
        sheet = sheet.with_cell(row.number, LAYER, str(layer + by))
    if not by or not draft.rows:
        return Edited("", draft)
    return Edited(f"every row moved by {by:+d}", draft.with_sheet(sheet))
