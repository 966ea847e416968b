"""The model of ``Inspect``: a source with its items, findings, classes, pictures and headers."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from traitlets import Any as AnyTrait
from traitlets import Enum, HasTraits, Unicode

from nifti_kit.checks import check
from nifti_kit.core.files import save_as
from nifti_kit.core.findings import Finding, Findings, Waiver
from nifti_kit.core.html import Illustration
from nifti_kit.core.text import counted
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.class_maps import Color
from nifti_kit.repairs.steps import Step
from nifti_kit.widgets.inspect.board import Board, miniature
from nifti_kit.widgets.inspect.tables import (
    CLASS_COLUMNS,
    FIXED_COLUMNS,
    ClassCount,
    HeaderPanel,
    class_counts,
    class_map_text,
    class_rows,
    color_of,
)
from nifti_kit.widgets.mending.model import Mending
from nifti_kit.widgets.parts.acts import join, refuse
from nifti_kit.widgets.parts.findings import SEVERITIES, FindingsTable
from nifti_kit.widgets.parts.sources import SourcePicker
from nifti_kit.widgets.parts.table import Column, Row, Table
from nifti_kit.widgets.parts.tasks import Task, Ticket
from nifti_kit.widgets.viewer.model import ViewerModel

if TYPE_CHECKING:
    import pandas as pd

Tell = Callable[[float, str], None]

COUNTING = 0.3
"""About the share of counting labels in the work; the rest is volumes, parts and overlaps."""


class CloserLook(NamedTuple):
    """What the voxels say: the same findings as ``nk.check(dataset)``, and the classes."""

    findings: Findings
    classes: list[ClassCount]


def look_closer(dataset: Dataset, waive: Iterable[Waiver], tell: Tell) -> CloserLook:
    """Return what the voxels of a dataset say.

    ``tell`` is called before each item with how much is done (0 to 1), and a line about it; what it
    raises ends the work.
    """
    classes = class_counts(dataset, lambda done, text: tell(done * COUNTING, text))

    def told(at: int, item: Item) -> None:
        tell(COUNTING + (1 - COUNTING) * at / len(dataset.items), f"Checking {item.name}")

    return CloserLook(check(dataset, waive=waive, on_item=told), classes)


# Item rows: what a table says of each item, with its worst finding

ITEMS_SHOWN = 12
"""Rows of a page: the picture of the chosen one is seen with them, and below them where an app is
narrow."""

ITEM_COLUMNS = (
    Column("name", "Item"),
    Column("plane", "Plane", filtered=True),
    Column("shape", "Shape", minor=True),
    Column("voxel_size", "Voxel size (mm)", minor=True),
    Column("axes", "Axes", minor=True),
    Column("masks", "Masks", "number"),
    Column("scores", "Scores"),
    Column("findings", "Findings", "number"),
)


def item_rows(dataset: Dataset, findings: FindingsTable) -> tuple[Row, ...]:
    """Return a row for each item; its tone is the worst of its findings that is not accepted."""
    about: dict[str, Counter[str]] = {item.name: Counter() for item in dataset.items}
    for found in findings.findings:
        item = None if found.waived else findings.item_of(found)
        if item is not None:
            about[item.name][found.severity] += 1
    told = zip(dataset.items, dataset.records(), strict=True)
    return tuple(_row(item, facts, about[item.name]) for item, facts in told)


def _row(item: Item, facts: Mapping[str, Any], severities: Counter[str]) -> Row:
    cells = {
        "name": item.name,
        "plane": facts["plane"],
        "shape": facts["shape"],
        "voxel_size": facts["voxel size (mm)"],
        "axes": facts["axes"],
        "masks": len(item.masks),
        "scores": ", ".join(table.relative.name for table in item.tables),
        "findings": severities.total(),
    }
    tone: Any = next((severity for severity in SEVERITIES if severities[severity]), "")
    return Row(item.name, cells, tone=tone)


PARTS = ("items", "findings", "classes", "board")
"""What can be looked at, in the order of reading."""

NAMED = 5
"""Items that an error names."""

CLASSES_BY_FILE = "Here a class is named by its file, not by its value."

NO_VOLUME = "Its volume is on the target, not among these files. The board shows its mask alone."


class InspectModel(HasTraits):
    """A source as a person looks through it.

    ``source`` is what is read, and how; ``items`` and ``classes`` are tables with a row for each.
    ``findings`` are by headers alone until :meth:`look_closer` has read the voxels; ``mending`` is
    what can be done about them, and what was done: ``dataset`` is the mended one. ``board`` has a
    picture of each item, with marks; ``header`` the headers of the chosen item. ``task`` is the
    closer look, ``opening`` the reading of the chosen item's volume.
    """

    item = Unicode()  # the name of the chosen item, or ``""``
    part = Enum(PARTS, "items")  # which of ``PARTS`` is in front
    viewer = AnyTrait()  # the chosen item in three planes; None where there is none to show
    viewer_error = Unicode()  # why its volume cannot be shown
    class_error = Unicode()  # why the last edit of a class was not taken

    def __init__(
        self,
        source: str | os.PathLike[str] | SourcePicker = "",
        *,
        waive: Iterable[Waiver] = (),
        **choices: Any,
    ) -> None:
        """Take a source, or a picker that several apps share. Nothing is read yet.

        ``choices`` are those of :func:`nifti_kit.scan`.
        """
        super().__init__()
        self.source = SourcePicker.of(source, **choices)
        self.items = Table(ITEM_COLUMNS, page_size=ITEMS_SHOWN)
        self.findings = FindingsTable(waive=waive)
        self.mending = Mending(self.source, self.findings)
        self.classes = Table(CLASS_COLUMNS, on_edit=self._edit_class)
        self.board = Board()
        self.header = HeaderPanel()
        self.task, self.opening = Task(), Task()
        self._look: CloserLook | None = None
        self._opened = ""
        self._is_wanted = self._is_due = False
        self.opening.observe(self._open_on, "state")
        self.task.observe(self._look_on, "state")
        self.source.observe(self._take, "dataset")
        self.items.observe(lambda change: self._open(change["new"]), "selected")
        self.board.observe(self._choose_pictured, "selected")
        self.findings.observe(self._show_items, "findings")

    @property
    def dataset(self) -> Dataset | None:
        """What was scanned; None while nothing is."""
        found: Dataset | None = self.source.dataset
        return found

    @property
    def summary(self) -> str:
        """What there is, in a line or two."""
        if self.dataset is None:
            return "Nothing is read yet."
        read = "every voxel read" if self.is_looked else "headers read, no voxel yet"
        items = counted(len(self.dataset.items), "item")
        unused = counted(len(self.dataset.unused), "file")
        return (
            f"Layout {self.dataset.layout}: {items}, {unused} unused. "
            f"Findings ({read}): {self.findings.summary}."
        )

    @property
    def look_blockers(self) -> list[str]:
        """Why the voxels cannot be read now."""
        if self.dataset is None:
            return ["Read a source first."]
        if self.task.is_running:
            return ["The voxels are being read."]
        return ["Every voxel is read."] if self._look else []

    @property
    def is_looked(self) -> bool:
        """Whether every voxel was read."""
        return self._look is not None

    @property
    def is_reading(self) -> bool:
        """Whether voxels are read, or will be as soon as those of the data set before are left."""
        return self._is_due or self._is_wanted or self.task.is_running

    def scan(self) -> None:
        """Begin to read names and headers."""
        self.task.cancel()
        self.source.scan()

    def look_closer(self) -> None:
        """Begin to read every voxel: for all findings, and the class table."""
        dataset = self.dataset
        if dataset is not None and not self.look_blockers:
            self._is_wanted = False
            self.task.start(lambda ticket: self._looked(dataset, ticket), then=self._keep)

    def _look_on(self, _: Any = None) -> None:
        """Read the voxels of a mended data set, as soon as those of the one before are left."""
        if self._is_wanted and not self.task.is_running:
            self.look_closer()

    def join(self) -> None:
        """Wait for all that is under way, and raise what failed: for runs without a person."""
        join(self.source.task, self.mending.task, self.task, self.opening, self.board.task)

    def choose(self, item: str | Item | int) -> None:
        """Choose an item, by its name or its place (from 0): its volume and headers are shown.

        Raises NiftiKitError if there is no such item.
        """
        found = self._item(item)
        self.items.select(found.name)

    def jump(self, finding: Finding) -> None:
        """Choose the item that a finding is about, and bring it to the front."""
        item = self.findings.item_of(finding)
        if item is not None:
            self.choose(item)
            self.part = "items"

    def waive(self, accepted: Waiver, waived: bool = True) -> None:
        """Accept the findings of a code, or of (code, file); with False no longer."""
        self.findings.set_waived(accepted, waived)

    def rename_class(self, value: int, name: str, color: Color | None = None) -> None:
        """Name the class of a pixel value, and give its colour (RGB, 0 to 255): a step as others.

        The other lines of the source's class map stay. Raises NiftiKitError if it has no name, or
        its classes are not by value.
        """
        refuse(self.class_blockers, "naming a class", NiftiKitError)
        if not name.strip():
            raise NiftiKitError("a class needs a name", remedy=f"Name the class of value {value}.")
        given = [name.strip(), list(color)] if color is not None else name.strip()
        self.mending.add(Step("classes", values={str(value): given}))

    @property
    def class_blockers(self) -> list[str]:
        """Why classes cannot be named here."""
        if self.dataset is None:
            return ["Read a source first."]
        return [] if self.dataset.layout != "by_volume" else [CLASSES_BY_FILE]

    def save_classes(self, path: str | os.PathLike[str]) -> None:
        """Write the classes as a class map (``.txt``), which :func:`nifti_kit.read_classes` reads.

        Raises NiftiKitError if the classes are not known yet, or not by value, or the file cannot
        be written.
        """
        known = [] if self._look else ["Read every voxel to count them."]
        refuse(self.class_blockers or known, "saving the class map", NiftiKitError)
        counts = self._look.classes if self._look else []
        save_as(path, "class map", {".txt": lambda: class_map_text(counts)})

    def _edit_class(self, key: str, column: str, value: Any) -> None:
        """Take a name or a colour that was written into the table; what is wrong is told there."""
        self.class_error = ""
        found = next(one for one in self._look.classes if one.name == key)  # type: ignore[union-attr]
        try:
            name = str(value) if column == "class" else found.name
            color = color_of(str(value)) if column == "color" else found.color
            if (name.strip(), color) != (found.name, found.color):
                self.rename_class(found.value, name, color)
        except NiftiKitError as error:
            self.class_error = str(error)

    def mark(self, item: str | Item | int, mark: str) -> None:
        """Say ``pass``, ``fail`` or ``?`` of an item; ``""`` takes its mark away."""
        self.board.mark(self._item(item).name, mark)

    def save_marks(self, path: str | os.PathLike[str]) -> None:
        """Write the marks of all items to a ``.csv``."""
        self.board.save(path)

    def load_marks(self, path: str | os.PathLike[str]) -> tuple[str, ...]:
        """Take the marks of a ``.csv``; return its items that are not here."""
        return self.board.load(path)

    def save_findings(self, path: str | os.PathLike[str]) -> None:
        """Write the findings to ``.html`` (a report with pictures), ``.json`` or ``.csv``."""
        self.findings.save(path)

    def class_table(self) -> pd.DataFrame:
        """Return a :class:`pandas.DataFrame` of the classes; empty before the closer look."""
        return self.classes.to_frame()

    def item_table(self) -> pd.DataFrame:
        """Return a :class:`pandas.DataFrame` of the items, as they are listed."""
        return self.items.to_frame()

    def _item(self, item: str | Item | int) -> Item:
        items = self.dataset.items if self.dataset else ()
        found = [one for at, one in enumerate(items) if item in (one, one.name, at)]
        if not found:
            names = ", ".join(repr(one.name) for one in items[:NAMED])
            raise NiftiKitError(
                "there is no such item",
                found=repr(item),
                expected=names or None,
                remedy="" if items else "The source has no items: its findings say why.",
            )
        return found[0]

    def _take(self, change: Any) -> None:
        """Show a source that was read; called in the thread that read it."""
        dataset: Dataset | None = change["new"]
        kept, looked = "", False
        if self.mending.is_taking:
            kept, looked = self.item, self._look is not None or self.task.is_running
        self._is_due = looked
        self.task.cancel()
        self._look = None
        self.items.selected = self._opened = ""
        self.classes.rows, self.class_error = (), ""
        self.classes.columns = FIXED_COLUMNS if self.class_blockers else CLASS_COLUMNS
        self.header.show(None)
        names = [item.name for item in dataset.items] if dataset else []
        self.board.show(names, self._miniature)
        found = check(dataset, voxels=False) if dataset else Findings()
        self.findings.show(found, dataset)
        self._show_items()  # the findings may be the same as before: none
        if dataset and dataset.items:
            self.choose(kept if kept in names else 0)
        self._is_wanted = looked
        self._look_on()
        self._is_due = False

    def _show_items(self, _: Any = None) -> None:
        dataset = self.dataset
        self.items.rows = () if dataset is None else item_rows(dataset, self.findings)

    def _open(self, name: str) -> None:
        """Read the chosen item's volume in a thread; the headers are there at once."""
        self.item = name
        self.viewer, self.viewer_error = None, ""
        if name:
            self.header.show(self._item(name))
            self.board.selected = name
            self.opening.start(self._read_volumes)

    def _read_volumes(self, ticket: Ticket) -> None:
        """Read volumes until the one that is chosen by then is there."""
        while self.item and self._opened != self.item:
            name, dataset = self.item, self.dataset
            ticket.tell(0.0, f"Opening {name}")
            self._opened = name
            with ticket.inside():  # cancelled, it shows what was read
                viewer, error = self._viewed(dataset, self._item(name))
            if name == self.item and dataset is self.dataset:  # its namesake may be chosen by now
                self.viewer_error, self.viewer = error, viewer

    def _open_on(self, change: Any) -> None:
        """Open what a person chose at the moment at which the last volume was there."""
        is_over = change["new"] in ("done", "cancelled")
        if is_over and self.item and self._opened != self.item:
            self.opening.start(self._read_volumes)

    def _viewed(self, dataset: Any, item: Item) -> tuple[ViewerModel | None, str]:
        """Return the viewer of an item, or why there is none."""
        if item.volume is None:
            return None, NO_VOLUME
        try:
            return ViewerModel.of_item(dataset, item), ""
        except NiftiKitError as error:
            return None, str(error)

    def _choose_pictured(self, change: Any) -> None:
        if change["new"] and change["new"] != self.item:
            self.choose(change["new"])

    def _miniature(self, name: str) -> Illustration | None:
        return None if self.dataset is None else miniature(self.dataset, self._item(name))

    def _looked(self, dataset: Dataset, ticket: Ticket) -> tuple[Dataset, CloserLook]:
        # What steps accepted is applied when findings are shown: a later step may have cured it.
        given = [one for one in self.findings.waive if one not in self.findings.reasons]
        return dataset, look_closer(dataset, given, ticket.tell)

    def _keep(self, done: tuple[Dataset, CloserLook]) -> None:
        dataset, look = done
        if dataset is not self.dataset:
            return  # another source was read meanwhile
        self._look = look
        self.classes.rows = class_rows(look.classes)
        self.findings.show(look.findings, dataset)
