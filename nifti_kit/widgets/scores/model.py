"""The model: score tables held against their masks, corrected cell by cell, saved as new files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Bool, HasTraits, Instance, Int, Tuple, Unicode, observe

from nifti_kit.core.geometry import PLANES
from nifti_kit.core.html import Illustration
from nifti_kit.core.text import counted
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item, TableFile
from nifti_kit.errors import BadScores
from nifti_kit.formats.scores.sheet import LAYER
from nifti_kit.render.miniature import sketch
from nifti_kit.render.scene import BY_NORMAL
from nifti_kit.repairs.steps import Step, Steps
from nifti_kit.widgets.parts.acts import join, path_blockers, refuse
from nifti_kit.widgets.parts.sources import SourcePicker
from nifti_kit.widgets.parts.table import Table
from nifti_kit.widgets.parts.tasks import Task, Ticket
from nifti_kit.widgets.scores import edits
from nifti_kit.widgets.scores.edits import Draft, Edited, column_of
from nifti_kit.widgets.scores.evidence import HEAD, SEVERITIES, Remark, fixed, layer_key, line_key
from nifti_kit.widgets.scores.grid import COLUMNS, CellInfo, key_of, rows_of
from nifti_kit.widgets.scores.opened import (
    OpenTable,
    faults_in_the_way,
    saved,
    show_slice,
    steps_of,
)
from nifti_kit.widgets.viewer.model import ViewerModel

LONGEST = 320
"""The longer side of a table's first picture (pixels): an app is opened with it."""

CSV = ".csv"
"""A source of this ending is one table: its folder is read, and the table chosen."""


class ScoreModel(HasTraits):
    """Score tables of a source, one of which is chosen, checked and corrected.

    Edits are checked at once, and can be undone; one that is refused raises
    :class:`nifti_kit.errors.BadScores`, and nothing changes.
    Parameters are those of :class:`nifti_kit.widgets.ScoreEditor`.
    """

    table = Unicode()  # the chosen table, relative to the source; ``""`` where there is none
    open = AnyTrait()  # it with its masks' labels, or None while it is read
    # The cell that a person is at: (key of the row, name of the column).
    current = Tuple(Unicode(), Unicode(), default_value=("", ""))
    path = Unicode()  # where the table is to be saved
    message = Unicode()  # what the last act did
    revision = Int()  # counts the changes of whatever is shown
    drop_faulty = Bool(False)  # whether rows and cells that cannot be read are left out on saving
    viewer = AnyTrait()  # the chosen item in three planes; None before a slice is looked at
    picture = AnyTrait()  # the first sight of a table, before anybody asked for a slice; or None
    opening = Instance(Task, ())  # the reading of its volume

    def __init__(
        self,
        source: Dataset | SourcePicker | str | os.PathLike[str] = "",
        *,
        table: str = "",
        base: int | None = None,
        out: str | os.PathLike[str] = "out",
        **choices: Any,
    ) -> None:
        """Take a source: a dataset, what :func:`nifti_kit.scan` takes, one CSV, or a picker.

        Nothing is read yet: :meth:`scan` begins. ``base`` is what layers count from (by default the
        dataset's, else 1); ``out`` the folder to save in at first; ``choices`` those of the scan.
        """
        super().__init__()
        self.out, self._base, self._wanted = Path(out), base, table
        self.task = Task()  # the reading of a table and its masks
        self.task.observe(self._read_on, "state")
        # The rows: one for each cell, row or column that something is wrong with.
        self.remarks = Table(COLUMNS, on_press=lambda key, _: self._repair(self._remark(key)))
        self.remarks.observe(lambda change: self.jump(change["new"]), "selected")
        self._opened: dict[str, OpenTable] = {}
        self._before: dict[str, OpenTable] = {}
        self._handed: set[str] = set()
        self._lost: list[str] = []
        self._is_asked = False  # whether a person asked for a slice of the table
        self._given = source if isinstance(source, Dataset) else None
        if isinstance(source, SourcePicker):
            self.source = source
        else:
            path, named = ("", "") if isinstance(source, Dataset) else folder_of(source)
            self._wanted = named or table
            self.source = SourcePicker(path, **choices)
        self.source.observe(lambda change: self._take(change["new"]), "dataset")
        if self.source.dataset is not None:  # a picker that several apps share
            self._take(self.source.dataset)

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

        Raises BadScores if there is no such table, or no single one of that name.
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
        opened = {name: found for name, found in self._opened.items() if found.changes}
        changed, at = {**self._before, **opened}, self.table
        files = {} if dataset is None else self._files()
        # A step elsewhere leaves tables as they are: what was changed in them stays.
        self._before = {
            name: found
            for name, found in changed.items()
            if name in files and files[name][1] == found.draft.table
        }
        self._lost += [name for name in changed if name not in {*self._before, *self._handed}]
        self._opened.clear()
        self.open, self.table, self.current = None, "", ("", "")
        self.path = self.message = ""
        self.remarks.rows = ()
        if dataset is not None and self.tables:
            wanted, self._wanted = self._wanted, ""
            self._begin(wanted, at if at in files else self.tables[0])
            if self._lost:
                self.message = f"Read anew: what was changed in {', '.join(self._lost)} is gone."
            self._lost.clear()
        self.revision += 1

    def _begin(self, wanted: str, usual: str) -> None:
        """Open the table that was asked for; where there is none, say so, and open the usual."""
        try:
            self.choose(wanted or usual)
        except BadScores as error:
            self.choose(usual)
            self.message = str(error)

    def _read_tables(self, ticket: Ticket) -> None:
        """Read tables until the one that is chosen by then is there."""
        while self.table and self.open is None:
            name, dataset = self.table, self.source.dataset
            ticket.tell(0.0, f"Reading {name} and its masks")
            item, table = self._files()[name]
            found = OpenTable(dataset, item, table, self._base)
            if name in self._before:
                found.go_on_from(self._before[name])
            if name == self.table and dataset is self.source.dataset:
                self._opened[name] = found
                self._before.pop(name, None)
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

    # Edits

    def put(self, layer: int, label: int | str, text: Any) -> None:
        """Give a cell a score, as it is to be written; ``""`` or None removes it."""
        self.type(layer_key(layer), column_of(label), "" if text is None else str(text))

    def note(self, layer: int, label: int | str, comment: str) -> None:
        """Give a cell a comment; ``""`` removes it."""
        self.remark_on(layer_key(layer), column_of(label), comment)

    def place_line(self, line: int, layer: int | str) -> None:
        """Give the row in a line of the file another layer."""
        self._edit(lambda draft: edits.placed(draft, _key_of(draft, line), str(layer)))

    def remove_line(self, line: int) -> None:
        """Remove the row in a line of the file."""
        self._edit(lambda draft: edits.row_removed(draft, _key_of(draft, line)))

    def move_column(self, label: int | str, to: int | str) -> None:
        """Give the scores of a column, with their comments, to another label."""
        self._edit(lambda draft: edits.column_moved(draft, _name(draft, label), to))

    def remove_column(self, label: int | str) -> None:
        """Remove a column, with its comments."""
        self._edit(lambda draft: edits.column_removed(draft, _name(draft, label)))

    def count_from(self, base: int, frames: str = "file") -> None:
        """Count the layers from 1 or 0, and from the first or (``reversed``) the last frame.

        For a table without masks ``frames`` is what :func:`nifti_kit.scan` has as
        ``score_frames``.
        """
        self._edit(lambda draft: edits.counted_anew(draft, base, frames))

    def rebase(self) -> None:
        """Count the layers from the other number: 0 instead of 1, or 1 instead of 0."""
        self._edit(lambda draft: edits.counted_anew(draft, 1 - draft.base, draft.frames))

    def reverse(self) -> None:
        """Count the layers from the other end."""
        ends = {"reversed": "file"}
        self._edit(
            lambda draft: edits.counted_anew(draft, draft.base, ends.get(draft.frames, "reversed"))
        )

    def shift(self, by: int) -> None:
        """Move every row by some layers."""
        self._edit(lambda draft: edits.shifted(draft, by))

    def fix(self, remark: Remark) -> None:
        """Do what is offered about a remark: clear the cell, remove the row, and the like."""
        self._edit(lambda draft: fixed(remark, draft))

    def type(self, key: str, column: str, text: str) -> None:
        """Type into a cell of the grid: a score, a row's layer, or the name of a column."""
        if key == HEAD:
            self._edit(lambda draft: edits.column_moved(draft, column, text), (HEAD, column))
        elif column == LAYER:
            self._edit(lambda draft: edits.placed(draft, key, text), (key, column))
        else:
            self._edit(lambda draft: edits.scored(draft, key, column, text), (key, column))

    def remark_on(self, key: str, column: str, comment: str) -> None:
        """Type a comment beside a cell of the grid."""
        self._edit(lambda draft: edits.commented(draft, key, column, comment), (key, column))

    # What is shown

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

        Raises BadScores if a table has what cannot be read, and that is not left out
        (``drop_faulty``).
        """
        if self.source.dataset is None:
            raise BadScores(self.edit_blockers[0])
        return Steps(self.steps).apply(self.source.dataset).dataset

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that put the edited tables in the place of those that were read.

        Raises BadScores: as :attr:`dataset` does.
        """
        changed = [
            found.draft
            for found in {**self._before, **self._opened}.values()
            if found.is_changed or (self.drop_faulty and found.is_faulty)
        ]
        return tuple(steps_of(changed, self.drop_faulty))

    def hand_over(self, take: Callable[[Step], Any]) -> int:
        """Give the steps of the edited tables to ``take``, and return how many tables it took.

        Raises BadScores: as :attr:`dataset` does; nothing is given then.
        """
        steps = self.steps
        self._handed = {file for step in steps for file in step.files}
        try:
            for step in steps:
                take(step)
            return len(self._handed)
        finally:
            self._handed = set()

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
        faults = faults_in_the_way(self.open.draft, self.drop_faulty)
        return [*faults, *path_blockers(self.source.dataset, self.path, CSV)]

    @property
    def picture_blockers(self) -> list[str]:
        """Why the volume cannot be shown."""
        if self.open is None:
            return self.edit_blockers
        if self.open.reference.item.volume is None:
            return ["Its volume is on the target, not among these files."]
        return []

    @property
    def look_blockers(self) -> list[str]:
        """Why the slice of the cell cannot be shown."""
        if not self.picture_blockers and self.place.slice is None:
            return ["Choose a cell on a layer that the file has."]
        return self.picture_blockers

    # Waiting, looking, saving

    def join(self) -> None:
        """Wait for all that is under way, and raise what failed: for runs without a person."""
        join(self.source.task, self.task, self.opening)

    def undo(self) -> None:
        """Take the last edit of the table back; raises BadScores if nothing was changed."""
        if self.undo_blockers:
            raise BadScores(self.undo_blockers[0])
        self._changed(f"Undone: {self.open.undo()}.")

    def look(self, layer: int | None = None, label: int | str = "") -> None:
        """Show the slice of a cell with its label; by default of the cell that one is at.

        The volume is read first, in ``opening``. Raises BadScores: see ``look_blockers``.
        """
        if layer is not None:
            self.go(layer_key(layer), f"Label-{str(label).removeprefix('Label-')}")
        if self.look_blockers:
            raise BadScores(self.look_blockers[0])
        self._is_asked = True
        if self.viewer is not None:
            self._aim(self.viewer)
        elif not self.opening.is_running:
            self.opening.start(self._read_volumes)

    def draw(self) -> None:
        """Begin to draw ``picture``: the slice of the cell that one is at, where it has one."""
        if self.opening.is_running or self.picture_blockers or self.viewer or self.picture:
            return
        self._is_asked = False
        self.opening.start(self._read_volumes)

    @property
    def _is_seen(self) -> bool:
        return self.viewer is not None or (self.picture is not None and not self._is_asked)

    def save(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write the table as a new CSV, and return where; a file that is there is kept beside it.

        Raises NiftiKitError if something is in the way (``save_blockers``), or the file cannot be
        written.
        """
        self.path = self.path if path is None else os.fspath(path)
        refuse(self.save_blockers, "saving", BadScores)
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
        self.viewer, self.picture = None, None

    @observe("current")
    def _forget_picture(self, _: Any) -> None:
        self.picture = None  # it is of the cell that one was at

    def _read_volumes(self, ticket: Ticket) -> None:
        """Read volumes until that of the table that is chosen by then is there."""
        while not self._is_seen and not self.picture_blockers:
            found = self.open
            ticket.tell(0.0, f"Opening {found.reference.item.name}")
            with ticket.inside():  # cancelled, it shows what was read
                viewer = ViewerModel.of_item(self.source.dataset, found.reference.item)
            if found is self.open:
                at = self.current
                self._aim(viewer)
                if self._is_asked:
                    self.viewer = viewer
                else:
                    picture = _drawn(viewer)
                    self.picture = picture if self.current == at else None

    def _aim(self, viewer: ViewerModel) -> None:
        place = self.place
        plane = self.open.reference.item.plane
        if place.slice is not None and plane is not None:
            show_slice(viewer, plane, place.slice, place.class_name)


def folder_of(source: str | os.PathLike[str]) -> tuple[str, str]:
    """Return what is to be read, and the table to begin with: of one CSV its folder, and it."""
    path = os.fspath(source)
    if not path.casefold().endswith(CSV):
        return path, ""
    return str(Path(path).parent), Path(path).name


def _drawn(viewer: ViewerModel) -> Illustration:
    """Return the plane of a viewer that the scores are about."""
    plane = BY_NORMAL[PLANES[viewer.active]]
    return sketch(viewer.pane(plane, LONGEST), viewer.description)


def _key_of(draft: Draft, line: int) -> str:
    """Return the key of the row in a line of the file."""
    for layer, row in draft.rows.items():
        if row.number == line:
            return layer_key(layer)
    return line_key(line)


def _name(draft: Draft, label: int | str) -> str:
    """Return the column that is meant: one that has no label by its own name."""
    return str(label) if label in draft.sheet.columns else column_of(label)
