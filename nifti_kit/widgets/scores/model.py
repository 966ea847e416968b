"""The model: score tables held against their masks, corrected cell by cell, saved as new files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Bool, default, observe

from nifti_kit.core.wording import counted
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.errors import BadScores
from nifti_kit.widgets.parts.tasks import Task, Ticket
from nifti_kit.widgets.scores.acts import ScoreActs
from nifti_kit.widgets.scores.desk import ScoreDesk
from nifti_kit.widgets.scores.drafts import Draft
from nifti_kit.widgets.scores.edits import Edited
from nifti_kit.widgets.scores.evidence import SEVERITIES, Remark, layer_key
from nifti_kit.widgets.scores.grid import CellInfo
from nifti_kit.widgets.scores.looks import show_slice
from nifti_kit.widgets.scores.saving import faults_in_the_way, path_blockers, saved, with_drafts
from nifti_kit.widgets.viewer.model import ViewerModel

__all__ = ["ScoreModel"]


class ScoreModel(ScoreActs, ScoreDesk):
    """Score tables of a source, one of which is chosen, checked and corrected.

    Attributes
    ----------
    drop_faulty
        Whether rows and cells that cannot be read are left out on saving.
    viewer
        The chosen item in three planes; None before a slice is looked at.
    opening
        The reading of its volume.
    """

    drop_faulty = Bool(False)
    viewer = AnyTrait()

    opening = AnyTrait()

    @default("opening")
    def _no_volume(self) -> Task:
        return Task()

    @property
    def summary(self) -> str:
        """What is wrong, and how much was changed, in a line."""
        if self.open is None:
            return self.edit_blockers[0]
        found = [remark.severity for remark in self.open.remarks]
        said = ", ".join(counted(found.count(name), name) for name in SEVERITIES)
        return f"{said}. {counted(len(self.open.changes), 'change')}."

    @property
    def subject(self) -> list[str]:
        """What the table is held against, a line each; or why there is none."""
        return self.edit_blockers if self.open is None else self.open.subject

    @property
    def place(self) -> CellInfo:
        """The cell that a person is at."""
        return CellInfo() if self.open is None else self.open.place(self.current)

    @property
    def dataset(self) -> Dataset:
        """The dataset with the edited tables in it: what :func:`nifti_kit.plan` takes.

        Raises
        ------
        BadScores
            If a table has what cannot be read, and that is not left out (``drop_faulty``).
        """
        if self.source.dataset is None:
            raise BadScores(self.edit_blockers[0])
        changed = [found.draft for found in self._opened.values() if found.is_changed]
        return with_drafts(self.source.dataset, changed, self.drop_faulty)

    # Why something cannot be done

    @property
    def edit_blockers(self) -> list[str]:
        """Why there is nothing to edit."""
        if self.open is not None:
            return []
        if self.source.task.is_running or self.task.is_running:
            return ["The table and its masks are being read."]
        if self.source.dataset is None:
            return [self.source.error or "Read a source first."]
        if not self.tables:
            return ["No score table of the source belongs to a volume or an annotation."]
        return [self.task.text if self.task.state == "failed" else "Choose a table."]

    @property
    def undo_blockers(self) -> list[str]:
        """Why nothing can be taken back."""
        if self.open is None:
            return self.edit_blockers
        return [] if self.open.changes else ["Nothing was changed yet."]

    @property
    def save_blockers(self) -> list[str]:
        """Why the table cannot be saved."""
        if self.open is None:
            return self.edit_blockers
        faults = [] if self.drop_faulty else faults_in_the_way(self.open.draft)
        return [*faults, *path_blockers(self.source.dataset, self.path)]

    @property
    def look_blockers(self) -> list[str]:
        """Why the slice of the cell cannot be shown."""
        if self.open is None:
            return self.edit_blockers
        if self.open.reference.item.volume is None:
            return ["Its volume is on the target, not among these files."]
        if self.place.slice is None:
            return ["Choose a cell on a layer that the file has."]
        return []

    # What a person does; edits are in ScoreActs, going and choosing in ScoreDesk

    def join(self) -> None:
        """Wait for all that is under way; raises what went wrong.

        A run without a person ends with this, so that a failure is not lost.
        """
        tasks = (self.source.task, self.task, self.opening)
        for task in tasks:
            task.join()
        if any(task.is_running for task in tasks):  # one began what is left of another
            self.join()

    def undo(self) -> None:
        """Take the last edit of the table back.

        Raises
        ------
        BadScores
            If nothing was changed.
        """
        if self.undo_blockers:
            raise BadScores(self.undo_blockers[0])
        self._changed(f"Undone: {self.open.undo()}.")

    def look(self, layer: int | None = None, label: int | str = "") -> None:
        """Show the slice of a cell with its label; by default of the cell that one is at.

        The volume is read first, in ``opening``.

        Raises
        ------
        BadScores
            If it cannot be shown (``look_blockers``).
        """
        if layer is not None:
            self.go(layer_key(layer), f"Label-{str(label).removeprefix('Label-')}")
        if self.look_blockers:
            raise BadScores(self.look_blockers[0])
        if self.viewer is not None:
            self._aim(self.viewer)
        elif not self.opening.is_running:
            self.opening.start(self._read_volumes)

    def save(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write the table as a new CSV, and return where; a file that is there is kept beside it.

        Raises
        ------
        NiftiKitError
            If something is in the way (``save_blockers``), or the file cannot be written.
        """
        self.path = self.path if path is None else os.fspath(path)
        if self.save_blockers:
            raise BadScores(f"saving is not possible: {self.save_blockers[0]}")
        place, self.message = saved(self.open.draft, self.path, self.drop_faulty)
        self.revision += 1
        return place

    def _edit(self, edit: Callable[[Draft], Edited], at: tuple[str, str] | None = None) -> None:
        if self.open is None:
            raise BadScores(self.edit_blockers[0])
        before = self.open.place(self.current if at is None else at)
        what = self.open.apply(edit)
        self.current = self.open.moved(before)
        self._changed(f"{what[:1].upper()}{what[1:]}." if what else "Nothing changed.")

    def _changed(self, message: str) -> None:
        self.message = message
        self._list()
        self.revision += 1

    def _repair(self, remark: Remark | None) -> None:
        if remark is not None:
            self.fix(remark)

    @observe("open")
    def _forget_viewer(self, _: Any) -> None:
        self.viewer = None

    def _read_volumes(self, ticket: Ticket) -> None:
        """Read volumes until that of the table that is chosen by then is there."""
        while self.viewer is None and not self.look_blockers:
            found = self.open
            ticket.tell(0.0, f"Opening {found.reference.item.name}")
            viewer = ViewerModel.of_item(self.source.dataset, found.reference.item)
            if found is self.open:
                self._aim(viewer)
                self.viewer = viewer

    def _aim(self, viewer: ViewerModel) -> None:
        place = self.place
        plane = self.open.reference.item.plane
        if place.slice is not None and plane is not None:
            show_slice(viewer, plane, place.slice, place.class_name)
