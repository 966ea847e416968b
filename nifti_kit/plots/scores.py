"""A score table as a heat map: layers by labels."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.datasets.surveys import ItemSurvey, survey_item
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.scores import ScoreTable
from nifti_kit.plots.figure import (
    FAINT,
    INK,
    LINE,
    MARGIN,
    PLAIN,
    Picture,
    count,
    shortened,
    width_of,
    write,
)

COLORS = "cividis"
"""From dark blue (0) to yellow (1): in order of brightness for every kind of colour vision."""

TALLEST = 9.0
"""What the rows together may take (inches): with more of them they get thinner."""

ROW_HIGH, COLUMN_WIDE = 0.24, 0.62
"""A row's height and a column's width (inches), where there is room."""

WIDEST = 8.0
"""What the columns together may take (inches)."""

READABLE = (0.15, 0.4)
"""A row as high and a column as wide (inches) has room for a number; else colour has to do."""

LABELLED = 0.16
"""Rows and columns thinner than this (inches) are named one in several."""

NARROWEST = 7.4
"""What the words below need (inches)."""

LONGEST_NAME = 24
"""Letters of a label's name at its column."""

FAULTY = "#ff5c8a"
"""The hatched frame of a cell that does not land, or lands with a value that is no score."""

DARK = 0.55
"""Cells below this value are dark: their numbers are white."""

_SMALL: dict[str, Any] = {"size": 8}


@dataclass(frozen=True)
class _Cell:
    """One cell that has something in it; ``value`` is None where it is no number."""

    row: int
    column: int
    text: str
    value: float | None
    is_faulty: bool


def score_map(
    table: ScoreTable,
    *,
    slices: Mapping[int, int] | None = None,
    names: Mapping[int, str] | None = None,
    unmatched: Collection[int] = (),
    title: str = "",
) -> Picture:
    """Return the scores of a table as colours: a row for each frame, a column for each label.

    A cell without a score is blank. A cell is hatched if its score is outside 0 to 1 or no number,
    if the file has no such frame, or if its label is unmatched. Frames between the first and the
    last that are scored have a row too: a gap is seen.

    Parameters
    ----------
    table
        What :func:`nifti_kit.read_scores` returned.
    slices
        For each frame of the file (from 1) the RAS+ slice (from 0) that it becomes; rows name it.
        Frames that are not in it are outside of the file. None: not known.
    names
        Class names by label value.
    unmatched
        Label values that no mask has.
    title
        A line above it, such as the file's name.

    Raises
    ------
    NiftiKitError
        If the table has no cell that could be drawn.
    """
    found = [*(cell.frame for cell in table.scores), *(cell.frame for cell in table.unread)]
    frames = range(min(found), max(found) + 1) if found else range(0)
    values = list(table.values)
    if not frames or not values:
        raise NiftiKitError(
            "there is no score to draw",
            path=table.path,
            found=f"{count(len(table), 'score')} in {count(len(values), 'column')}",
            remedy="The table's faults say what could not be read: table.faults.",
        )
    cells = _cells(table, frames, values, slices, unmatched)
    heads = [_head(value, names or {}, value in set(unmatched)) for value in values]
    rows = [_row(frame, slices) for frame in frames]
    words = " ".join(title.split()) or "Scores"
    figure, axes = _sheet(words, rows, heads)
    _draw(figure, axes, cells, (len(rows), len(heads)))
    faulty = sum(cell.is_faulty for cell in cells)
    scored = sum(cell.value is not None for cell in cells)
    figure.description = (
        f"{words}; {count(scored, 'score')} of frames {frames[0]} to {frames[-1]} and "
        f"{count(len(values), 'label')}; {count(faulty, 'cell')} hatched"
    )
    return figure


def _cells(
    table: ScoreTable,
    frames: range,
    values: Sequence[int],
    slices: Mapping[int, int] | None,
    unmatched: Collection[int],
) -> list[_Cell]:
    columns = {value: at for at, value in enumerate(values)}
    lost = set(unmatched)

    def lands(frame: int, value: int) -> bool:
        return value not in lost and (slices is None or frame in slices)

    cells = []
    for score in table.scores:
        if score.score is None:
            continue
        number = Decimal(score.score)
        at = score.frame - frames.start, columns[score.value]
        fine = lands(score.frame, score.value) and 0 <= number <= 1
        cells.append(_Cell(*at, score.score, float(number), not fine))
    for cell in table.unread:
        at = cell.frame - frames.start, columns[cell.value]
        cells.append(_Cell(*at, shortened(cell.text, 7), None, True))
    return cells


def _head(value: int, names: Mapping[int, str], is_unmatched: bool) -> str:
    name = f" {shortened(names[value], LONGEST_NAME)}" if value in names else ""
    return f"Label-{value}{name}{' (no mask)' if is_unmatched else ''}"


def _row(frame: int, slices: Mapping[int, int] | None) -> str:
    if slices is None:
        return f"frame {frame}"
    return f"frame {frame}, slice {slices[frame]}" if frame in slices else f"frame {frame}, none"


def _sheet(title: str, rows: Sequence[str], heads: Sequence[str]) -> tuple[Picture, Axes]:
    """Return the figure with the names of rows and columns."""
    high = min(ROW_HIGH, TALLEST / len(rows))
    wide = min(COLUMN_WIDE, WIDEST / len(heads))
    left = MARGIN + max(width_of(row, **_SMALL) for row in rows) + 0.15
    slanted = max(width_of(head, **_SMALL) for head in heads)
    top = MARGIN + 1.6 * LINE + 0.71 * slanted + 0.15  # slanted by 45 degrees
    body = wide * len(heads), high * len(rows)
    sheet = max(left + body[0] + 0.71 * slanted + MARGIN, NARROWEST)
    tall = top + body[1] + 3.4 * LINE + MARGIN
    figure = Picture.of(sheet, tall, title)
    axes = figure.axes_at(left, top, *body, facecolor="#2a2e33")
    axes.set(xlim=(0, len(heads)), ylim=(len(rows), 0))
    _name(axes, rows, heads, (math.ceil(LABELLED / high), math.ceil(LABELLED / wide)))
    legend = (
        "Blank: no score. Hatched: outside 0 to 1, no number, no such frame, or no such label.\n"
        f"Colour: {COLORS}, from 0 (dark blue) to 1 (yellow). Frames from 1, RAS+ slices from 0."
    )
    lines: dict[str, Any] = {"color": FAINT, "linespacing": 1.5, **_SMALL}
    write(figure, MARGIN, top + body[1] + LINE, legend, **lines)
    return figure, axes


def _name(axes: Axes, rows: Sequence[str], heads: Sequence[str], steps: tuple[int, int]) -> None:
    """Write the names of rows and columns, one in so many of each."""
    look: dict[str, Any] = {"color": INK, **_SMALL, **PLAIN}
    slant: dict[str, Any] = {"rotation": 45, "ha": "left", "rotation_mode": "anchor", **look}
    axes.xaxis.tick_top()
    for ticks, names, step, style in (
        (axes.set_yticks, rows, steps[0], look),
        (axes.set_xticks, heads, steps[1], slant),
    ):
        ticks([at + 0.5 for at in range(0, len(names), step)], names[::step], **style)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _draw(figure: Picture, axes: Axes, cells: Sequence[_Cell], shape: tuple[int, int]) -> None:
    grid: npt.NDArray[np.float64] = np.full(shape, np.nan)
    for cell in cells:
        grid[cell.row, cell.column] = np.nan if cell.value is None else cell.value
    rows, columns = shape
    extent = (0, columns, rows, 0)
    axes.imshow(grid, cmap=COLORS, vmin=0, vmax=1, extent=extent, aspect="auto")
    box = axes.get_position()
    width, height = figure.get_size_inches()
    high, wide = box.height * height / rows, box.width * width / columns
    has_room = high >= READABLE[0] and wide >= READABLE[1]
    for cell in cells:
        if cell.is_faulty:
            _hatch(axes, cell)
        if has_room:
            _write_number(axes, cell)


def _hatch(axes: Axes, cell: _Cell) -> None:
    inset = 0.04
    frame = Rectangle(
        (cell.column + inset, cell.row + inset),
        1 - 2 * inset,
        1 - 2 * inset,
        facecolor="none" if cell.value is not None else "#2a2e33",
        edgecolor=FAULTY,
        hatch="////",
        linewidth=1.2,
    )
    axes.add_patch(frame)


def _write_number(axes: Axes, cell: _Cell) -> None:
    dark = cell.value is None or cell.value < DARK
    red, green, blue, _ = colormaps[COLORS](0.0 if cell.value is None else cell.value)
    under = {"facecolor": (red, green, blue), "edgecolor": "none", "pad": 0.8}
    axes.text(
        cell.column + 0.5,
        cell.row + 0.5,
        cell.text,
        color="white" if dark else "black",
        size=7,
        ha="center",
        va="center_baseline",
        bbox=under if cell.is_faulty else None,  # or the hatching would run through the digits
        **PLAIN,
    )


# The score table of an item against its masks


def scored(dataset: Dataset, item: Item | str, table: int = 0) -> Picture:
    """Return a score table of an item as :func:`score_map`, against the item's masks.

    Parameters
    ----------
    dataset
        What :func:`nifti_kit.scan` returned.
    item
        One of ``dataset.items``, or its name.
    table
        Which of its tables, from 0, of those that can be read.

    Raises
    ------
    NiftiKitError
        If there is no such item or table, or no cell that could be drawn.
    """
    chosen = next((there for there in dataset.items if item in (there, there.name)), None)
    if chosen is None:
        known = ", ".join(there.name for there in dataset.items)
        raise NiftiKitError("the dataset has no such item", found=repr(item), expected=known)
    survey = survey_item(dataset, chosen)
    if not 0 <= table < len(survey.tables):
        raise NiftiKitError(
            f"{chosen.name} has no such score table",
            found=f"table {table}",
            expected=f"{count(len(survey.tables), 'table')}, counted from 0",
            remedy="nk.check names the tables that cannot be read.",
        )
    found = survey.tables[table]
    unmatched = [value for value in found.read.values if not found.targets.get(value)]
    if chosen.is_scores_alone:
        unmatched = []  # what they score is on the target
    entries = [dataset.classes.by_value(value) for value in found.read.values]
    names = {entry.value: entry.name for entry in entries if entry is not None}
    return score_map(
        found.read,
        slices=_slices(survey),
        names=names if chosen.segmentation == "semantic" else None,
        unmatched=unmatched,
        title=str(found.table.relative),
    )


def _slices(survey: ItemSurvey) -> dict[int, int] | None:
    """Return the RAS+ slice (from 0) of each frame (from 1); None where no mask tells it."""
    for mask in survey.masks:
        if slices := mask.slices(survey.item.plane):
            return dict(enumerate(slices, 1))
    return None
