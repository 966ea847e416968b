"""Open tables: a score table with its masks' labels, what is wrong in it, and what was changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item, TableFile
from nifti_kit.datasets.surveys import shapes_of
from nifti_kit.errors import BadScores
from nifti_kit.formats.components import ShapeSurvey
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.widgets.scores.countings import Counting, countings_of
from nifti_kit.widgets.scores.drafts import Draft, open_draft
from nifti_kit.widgets.scores.edits import Edited
from nifti_kit.widgets.scores.evidence import layer_key, remarks_of
from nifti_kit.widgets.scores.grid import CellInfo, place_of, subject_of
from nifti_kit.widgets.scores.grids import grid_of
from nifti_kit.widgets.scores.references import Reference, reference_of
from nifti_kit.widgets.scores.sheets import LAYER

__all__ = ["OpenTable"]


class OpenTable:
    """A score table that is checked and edited.

    Its masks are read once, when it is opened; every check after an edit uses what was found.

    Attributes
    ----------
    reference
        What it is held against.
    draft
        The table as it is now.
    remarks
        What is wrong in it, errors first.
    """

    def __init__(self, dataset: Dataset, item: Item, table: TableFile, base: int) -> None:
        self._dataset = dataset
        self._shapes: dict[ImageFile, ShapeSurvey | None] = {}
        # The file first: what is no score table needs no mask.
        frames = dataset.choices.score_frames if item.is_scores_alone else "file"
        opened = open_draft(table, base, frames, None)
        self.reference: Reference = reference_of(dataset, item, table, self._profiles)
        self.opened = Draft(table, opened.sheet, opened.base, frames, self.reference.count)
        # What the dataset reads it as: another base is a change too.
        self._scanned = open_draft(table, dataset.score_base, frames, self.reference.count)
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
        """Make an edit, check again, and return what was done; ``""`` where nothing changed.

        Raises
        ------
        BadScores
            If it is refused; nothing changes then.
        """
        what, draft = edit(self.draft)
        before = self.draft
        if draft == before:
            return ""
        self._set(draft)
        self._history.append((what, before))
        return what

    def undo(self) -> str:
        """Take the last edit back, and return what it was.

        Raises
        ------
        BadScores
            If there is none.
        """
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
