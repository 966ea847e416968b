"""Score tables of an export: layers count from 1 in the frames of the exported mask's file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from nifti_kit.core.geometry import NORMALS, PLANES, Grid, frame_to_slice, placed_on, plane_axis
from nifti_kit.errors import BadScores
from nifti_kit.exports.masks import Placed
from nifti_kit.formats.scores.cells import decimal
from nifti_kit.formats.scores.reading import read_scores
from nifti_kit.formats.scores.table import ScoreTable
from nifti_kit.targets.records import CustomData, ObjectRef

OTHER_PLANE = "on another plane than that of its volume's name"
NO_FRAME = "on a slice that the file does not have"
NO_SCORE = "what is there is neither a score nor a comment that a table can hold"


@dataclass
class Cells:
    """The scores of some objects as cells of one table."""

    # (frame from 1, pixel value) to (score, comment).
    cells: dict[tuple[int, int], tuple[str | None, str | None]] = field(default_factory=dict)
    # Why, and what of it (by plane and slice) is in no cell, for each object.
    left: list[tuple[ObjectRef, str, CustomData]] = field(default_factory=list)


def frames_of(file: Grid, volume: Grid, plane: str) -> dict[int, int]:
    """Return the frame (from 1) of a file that each RAS+ slice (from 0) of a volume is.

    Frames count along the file's axis nearest to the plane's normal.
    """
    place = placed_on(file, volume)
    if place is None:
        return {}
    count = file.shape[plane_axis(file, plane, place.orientation)[0]]
    first = place.first[PLANES[plane]]
    return {
        first + frame_to_slice(file, plane, frame, place.orientation): frame
        for frame in range(1, count + 1)
    }


def cells_of(placed: Iterable[Placed], plane: str, frames: dict[int, int]) -> Cells:
    """Return the scores of objects as cells; ``frames`` as :func:`frames_of` has them."""
    found = Cells()
    for one in placed:
        for normal, slices in one.ref.scores.items():
            if normal not in NORMALS.values():
                continue  # no scores: it is named with what others keep there
            for index, entry in _entries(slices):
                why = _put(found, one, frames, index, entry, is_own=normal == NORMALS[plane])
                if why:
                    found.left.append((one.ref, why, {normal: {index: entry}}))
    return found


def _entries(slices: Any) -> Iterable[tuple[str, Any]]:
    """Return the entries of a plane by slice; what is none is one of no slice."""
    return slices.items() if isinstance(slices, dict) else [("", slices)]


def _put(
    found: Cells, one: Placed, frames: dict[int, int], index: str, entry: Any, *, is_own: bool
) -> str:
    """Put a slice's entry into its cell; return why it cannot be, or nothing."""
    if not is_own:
        return OTHER_PLANE
    frame = frames.get(int(index)) if index.isdecimal() else None
    if frame is None:
        return NO_FRAME
    if not isinstance(entry, dict) or set(entry) - {"score", "comment"}:
        return NO_SCORE
    score, comment = entry.get("score"), entry.get("comment")
    if not isinstance(comment, str | None):
        return NO_SCORE
    found.cells[frame, one.value] = (None if score is None else str(score), comment)
    return ""


def table_of(cells: Cells, values: Sequence[int], path: str) -> str:
    """Return a table as CSV; what it cannot hold goes from ``cells.cells``.

    Its header has a blank behind each comma, as the specification's example: that tells it from
    the tables of the platform's exporter, whose layers count from 0.
    """
    table = ScoreTable(path, 1, tuple(values), (), ())
    for (frame, value), (score, comment) in sorted(cells.cells.items()):
        try:
            table = table.with_score(frame, value, score, comment)
        except BadScores:
            continue
    first, _, rest = table.to_csv(drop_faulty=True).partition("\n")
    return f"{first.replace(',', ', ')}\n{rest}"


@dataclass(frozen=True)
class WrongCell:
    """A cell that a table does not read back as it is on the target."""

    # Its frame (from 1) and pixel value.
    frame: int
    value: int
    entry: tuple[str | None, str | None]  # the score and the comment on the target
    is_same_number: bool  # whether it is the same in other digits: ``0.5`` is read back as ``0.50``


def wrong_cells(cells: Cells, text: str, path: str) -> Iterator[WrongCell]:
    """Yield each cell that a table does not read back as it is."""
    read = read_scores(path, content=text.encode()).cells
    for (frame, value), entry in cells.cells.items():
        found = read.get((frame, value), (None, None))
        if found != entry:
            numbers = [decimal(score or "") for score in (found[0], entry[0])]
            same = numbers[0] is not None and numbers[0] == numbers[1] and found[1] == entry[1]
            yield WrongCell(frame, value, entry, same)
