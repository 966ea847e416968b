"""Drafts: a score table while it is edited, and how its layers are counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property

from nifti_kit.core.text import read_text
from nifti_kit.datasets.items import TableFile
from nifti_kit.errors import BadScores
from nifti_kit.formats.scores import ScoreTable, read_scores
from nifti_kit.formats.scores.table import check_base
from nifti_kit.widgets.scores.sheets import LAYER, ScoreSheet, SheetRow, number_of

__all__ = ["FRAMES", "Draft", "open_draft"]

FRAMES = ("file", "ras", "reversed")
"""What layers count along, as :func:`nifti_kit.scan` has it."""


@dataclass(frozen=True)
class Draft:
    """A score table as it is now.

    Attributes
    ----------
    table
        Its file.
    sheet
        Its rows and cells as they are written.
    base
        What its layers count from: 1, or 0.
    frames
        ``file``: from the first frame of the NIfTI file; ``reversed``: from the last one. For a
        table without masks the choices of :func:`nifti_kit.scan`.
    count
        How many frames there are; None where nothing says it.
    """

    table: TableFile
    sheet: ScoreSheet
    base: int
    frames: str
    count: int | None

    @cached_property
    def faults(self) -> dict[int, str]:
        """The code of what is wrong with the Layer of a row, by the row's line in the file."""
        numbers = {row.number: self._whole(row) for row in self.sheet.rows}
        times = Counter(numbers.values())
        found = {}
        for line, layer in numbers.items():
            if layer is None:
                found[line] = "scores-layer"
            elif layer < self.base:
                found[line] = "scores-layer-zero" if layer == 0 else "scores-layer-outside"
            elif times[layer] > 1:
                found[line] = "scores-layer-repeated"
        return found

    @cached_property
    def rows(self) -> dict[int, SheetRow]:
        """The rows that have a layer of their own, by it."""
        found = {}
        for row in self.sheet.rows:
            layer = self._whole(row)
            if layer is not None and row.number not in self.faults:
                found[layer] = row
        return dict(sorted(found.items()))

    @property
    def layers(self) -> list[int]:
        """The layers that there are: those of every frame, and those of rows; in rising order."""
        every = set(self.rows)
        if self.count is not None:
            every |= set(range(self.base, self.base + self.count))
        return sorted(every)

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
        """The table as it is read, by frames of the NIfTI file.

        Raises
        ------
        BadScores
            If layers count from the last frame, and one is beyond the first.
        """
        found = read_scores(
            self.table.path,
            base=self.base,
            relative=str(self.table.relative),
            content=self.sheet.text.encode("utf-8", "surrogatepass"),
        )
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
        """Return the draft with a row for a layer, and the row's line; it is added if missing.

        Raises
        ------
        BadScores
            If several rows have that layer, or the volume has no such frame.
        """
        if layer in self.rows:
            return self, self.rows[layer].number
        lines = [row.number for row in self.sheet.rows if self._whole(row) == layer]
        if len(lines) > 1:
            shown = ", ".join(map(str, lines))
            raise BadScores(f"Layer {layer} stands in lines {shown}: correct their layers first")
        if self.frame_of(layer) is None:
            last = "" if self.count is None else f" to {self.base + self.count - 1}"
            message = f"there is no layer {layer}"
            raise BadScores(message, expected=f"layers from {self.base}{last}")
        return self.with_sheet(self.sheet.with_row(str(layer))), self.sheet.next_number

    def _whole(self, row: SheetRow) -> int | None:
        number = number_of(self.sheet.cell(row, LAYER))
        return None if number is None or number != int(number) else int(number)


def open_draft(table: TableFile, base: int, frames: str, count: int | None) -> Draft:
    """Return the draft of a score table as its file is.

    Raises
    ------
    NiftiKitError
        If the file is no score table.
    """
    check_base(base, table.path)
    text = read_text(table.path, table.content)
    # What a repair wrote counts from 1, along the file.
    base = base if table.content is None else 1
    return Draft(table, ScoreSheet.of(text, str(table.relative)), base, frames, count)
