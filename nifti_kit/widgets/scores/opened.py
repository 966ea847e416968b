"""Open tables: a score table with its masks' labels, what is wrong in it, and what was changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nifti_kit.core.geometry import PLANES
from nifti_kit.core.text import counted, is_formula, listed
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item, TableFile
from nifti_kit.datasets.surveys import shapes_of
from nifti_kit.errors import BadScores
from nifti_kit.formats.components import ShapeSurvey
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.formats.scores import ScoreTable
from nifti_kit.formats.scores.sheet import LAYER, SHOWN_CELLS
from nifti_kit.formats.scores.table import check_base
from nifti_kit.render.panes import Layout
from nifti_kit.repairs.steps import Step
from nifti_kit.widgets.parts.acts import kept_aside, path_of
from nifti_kit.widgets.scores.edits import Draft, Edited, open_draft
from nifti_kit.widgets.scores.evidence import (
    Counting,
    Reference,
    base_is_said,
    countings_of,
    layer_key,
    reference_of,
    remarks_of,
)
from nifti_kit.widgets.scores.grid import CellInfo, grid_of, place_of, subject_of
from nifti_kit.widgets.viewer.model import ViewerModel


class OpenTable:
    """A score table that is checked and edited.

    Its masks are read once, when it is opened; every check after an edit uses what was found.
    ``remarks`` are what is wrong in it, errors first.
    """

    def __init__(self, dataset: Dataset, item: Item, table: TableFile, base: int | None) -> None:
        self._dataset = dataset
        self._shapes: dict[ImageFile, ShapeSurvey | None] = {}
        # The file first: what is no score table needs no mask.
        frames = dataset.choices.score_frames if item.is_scores_alone else "file"
        scanned = open_draft(table, dataset.score_base, frames, None)
        self.reference: Reference = reference_of(dataset, item, table, self._profiles)
        # What the dataset reads it as: another base is a change too.
        self._scanned = replace(
            scanned, count=self.reference.count, said=base_is_said(dataset, scanned, self.reference)
        )
        self.opened = self._scanned
        if base is not None:
            check_base(base, table.path)
            self.opened = replace(
                self._scanned, base=base if table.content is None else 1, said=True
            )
        self._history: list[tuple[str, Draft]] = []
        self._set(self.opened)

    def _profiles(self, image: ImageFile) -> ShapeSurvey | None:
        """Return the profiles of a mask, read once; its parts are not kept."""
        if image not in self._shapes:
            found = shapes_of(image)
            small = None if found is None else ShapeSurvey(found.profiles, {}, 1.0)
            self._shapes[image] = small
        return self._shapes[image]

    def _set(self, draft: Draft) -> None:
        # Before the draft is taken: what cannot be read is refused, and all stays as it was.
        remarks = remarks_of(self._dataset, draft, self.reference, self._profiles)
        self.draft, self.remarks = draft, remarks

    def apply(self, edit: Callable[[Draft], Edited]) -> str:
        """Make an edit, check again, and return what was done; ``""`` where nothing changed."""
        what, draft = edit(self.draft)
        before = self.draft
        if draft == before:
            return ""
        self._set(draft)
        self._history.append((what, before))
        return what

    def go_on_from(self, other: OpenTable) -> None:
        """Take over what was changed in the same table when its masks were others."""
        count = self.reference.count
        self._set(replace(other.draft, count=count))
        self._history = [(what, replace(draft, count=count)) for what, draft in other._history]

    def undo(self) -> str:
        """Take the last edit back, and return what it was; raises BadScores if there is none."""
        if not self._history:
            raise BadScores("nothing was changed yet")
        what, before = self._history.pop()
        self._set(before)
        return what

    @property
    def changes(self) -> list[str]:
        """What was done so far, the first first."""
        return [what for what, _ in self._history]

    @property
    def is_changed(self) -> bool:
        """Whether it is anything else than what the dataset holds."""
        return self.draft != self._scanned

    @property
    def is_faulty(self) -> bool:
        """Whether it has rows or cells that do not land."""
        return any(remark.severity == "error" for remark in self.remarks)

    @property
    def grid(self) -> dict[str, Any]:
        """It as a view draws it."""
        return grid_of(self.draft, self.reference, self.remarks)

    @property
    def countings(self) -> tuple[Counting, ...]:
        """The ways to count its layers, with what each would mean."""
        return countings_of(self.draft, self.reference)

    @property
    def subject(self) -> list[str]:
        """What it is held against, a line each."""
        return subject_of(self.draft, self.reference)

    def place(self, current: tuple[str, str]) -> CellInfo:
        """Return a cell by the key of its row and the name of its column."""
        return place_of(self.draft, self.reference, current, self.remarks)

    def moved(self, before: CellInfo) -> tuple[str, str]:
        """Return where a cell is after an edit: its row or column may have another name."""
        column = before.column
        if column not in (LAYER, *self.draft.sheet.columns):
            column = self._renamed(column)
        if not column:
            return "", ""
        rows = self.draft.rows
        layer = next((at for at, row in rows.items() if row.number == before.line), None)
        return (before.key if layer is None else layer_key(layer)), column

    def _renamed(self, column: str) -> str:
        """Return the name that a column got by the last edit; ``""`` where it is gone."""
        if not self._history:
            return ""
        old, new = self._history[-1][1].sheet.header, self.draft.sheet.header
        there = column in old and len(old) == len(new)
        return new[old.index(column)] if there else ""


# Saving score tables: where to, what is in the way, and what becomes of a file that is there


def faults_in_the_way(draft: Draft, drop_faulty: bool) -> list[str]:
    """Return what a saved table would lack, or say wrongly, in plain words."""
    if not draft.said:
        return ["Choose first what its layers count from: it may be a table of the exporter."]
    errors = [fault for fault in draft.read.faults if fault.severity == "error"]
    if not errors or drop_faulty:
        return []
    what = "cell or row" if len(errors) == 1 else "cells or rows"
    first = errors[0].message
    return [f"{len(errors)} {what} cannot be read ({first}): correct them, or leave them out."]


def _kept(draft: Draft, drop_faulty: bool) -> ScoreTable:
    """Return the table to be written: where faults are left out, without layers beyond the file."""
    if drop_faulty and draft.count is not None:
        return draft.read.within(draft.count)
    return draft.read


def saved(draft: Draft, path: str, drop_faulty: bool) -> tuple[Path, str]:
    """Write a table; return where, and in words what became of a file that was there."""
    place = path_of(path)
    table = _kept(draft, drop_faulty)
    text = table.to_csv(drop_faulty=drop_faulty)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = "the folder cannot be made"
        raise BadScores(message, path=place, found=reason, remedy="Save elsewhere.") from error
    spare = kept_aside(place, text.encode(), BadScores)
    table.save(place, overwrite=True, drop_faulty=drop_faulty)
    kept = f" What was there is kept as {spare.name}." if spare else ""
    said = f"Saved {counted(len(table), 'score')} to {place}.{kept}{_guarded(table)}"
    if draft.frames != "file" and draft.count is None:
        said += f" Without masks it is to be scanned with score_frames={draft.frames!r}."
    return place, said


def _guarded(table: ScoreTable) -> str:
    """Return which comments got an apostrophe in the saved table; empty where none did."""
    cells = [cell for cell in table if cell.comment is not None and is_formula(cell.comment)]
    if not cells:
        return ""
    places = listed((f"Layer {cell.frame}, Comment-{cell.value}" for cell in cells), SHOWN_CELLS)
    return (
        f" An apostrophe stands before what a spreadsheet would take for a formula ({places}); it "
        "is no part of the comment."
    )


def steps_of(drafts: Iterable[Draft], drop_faulty: bool) -> Iterator[Step]:
    """Yield the steps that put drafts in the place of their tables; nothing is read again."""
    for draft in drafts:
        file = str(draft.table.relative)
        if not draft.said:
            raise BadScores(faults_in_the_way(draft, drop_faulty)[0], path=file)
        if draft.count is None:
            yield Step("score_frames", values={"score_frames": draft.frames})
        text = _kept(draft, drop_faulty).to_csv(drop_faulty=drop_faulty)
        yield Step("replace_table", (file,), {"text": text})


# Looks: where a viewer shows the label of a score best


def show_slice(viewer: ViewerModel, plane: str, index: int, name: str) -> None:
    """Show a slice (RAS+ index from 0), with one class alone where there is such.

    The crosshair goes to a voxel of the class near its middle on that slice; on the other axes it
    stays where it is if the class is not on that slice.
    """
    numbers = {found.name: found.number for found in viewer.classes}
    with viewer.hold_trait_notifications():
        viewer.search = ""
        viewer.show_all()
        if name in numbers:
            viewer.show_only(name)
            viewer.position = _middle(viewer, PLANES[plane], index, numbers[name])
        viewer.go(plane, index)


def _middle(viewer: ViewerModel, axis: int, index: int, number: int) -> tuple[int, int, int]:
    """Return where the class is on a slice, to the pixel of a picture; else the crosshair."""
    grid = viewer.image.grid
    pane = next(
        pane for pane in Layout.of(grid, 1, 1.0, viewer.position).panes if pane.plane.normal == axis
    )
    for overlay in viewer.overlays:
        for layer in overlay.layers:
            lines, columns = np.nonzero(layer.section(grid, pane, index) == number)
            if len(lines):
                away = np.abs(lines - lines.mean()) + np.abs(columns - columns.mean())
                x, y = int(columns[away.argmin()]), int(lines[away.argmin()])
                return pane.voxel(pane.left + x, pane.top + y, viewer.position)
    return viewer.position
