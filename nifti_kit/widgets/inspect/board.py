"""Board: one picture per item, each marked pass, fail or ? by a person; the marks as a CSV."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable
from typing import Any

from traitlets import Dict as DictTrait
from traitlets import Int, Tuple, Unicode, observe

from nifti_kit.checks.pictures import Illustrator
from nifti_kit.core.files import save_as
from nifti_kit.core.findings import Finding
from nifti_kit.core.geometry import PLANES
from nifti_kit.core.html import Illustration
from nifti_kit.core.text import guarded_cell, listed, read_text, unguarded_cell
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.errors import NiftiKitError
from nifti_kit.render.miniature import illustration
from nifti_kit.render.scene import BY_NORMAL
from nifti_kit.targets.records import PlannedItem
from nifti_kit.widgets.parts.table import Pages
from nifti_kit.widgets.parts.tasks import Task, Ticket
from nifti_kit.widgets.viewer.model import ViewerModel
from nifti_kit.widgets.viewer.opening import open_item

MARKS = ("pass", "fail", "?")
"""What a person can say of an item; nothing is said by ``""``."""

EXPECTED = ", ".join(map(repr, MARKS))

PAGE_SIZE = 12
"""Pictures of a page: two rows on a wide screen, drawn in a few seconds."""

UNMARKED = "unmarked"

COLUMNS = ("item", "mark")


class Board(Pages[str]):
    """Pictures and marks of items; ``task`` draws those of the page."""

    names = Tuple()  # the items, in order
    marks = DictTrait()  # by name: ``pass``, ``fail`` or ``?``; an item without one is not in it
    pictures = DictTrait()  # by name: what was drawn so far; None where there is nothing to see
    only = (
        Unicode()
    )  # ``""`` shows all items; ``pass``, ``fail``, ``?`` or ``unmarked`` those alone
    selected = Unicode()  # the name of the item that was chosen, or ``""``
    page_size = Int(PAGE_SIZE)

    _is_wanted = False

    def __init__(
        self,
        names: Iterable[str] = (),
        draw: Callable[[str], Illustration | None] | None = None,
        **traits: Any,
    ) -> None:
        """``draw`` makes the picture of an item; it is called in the task's thread."""
        super().__init__(**traits)
        self.task = Task()
        self._make = draw
        self._elsewhere: dict[str, str] = {}
        self.names = tuple(names)
        self.task.observe(self._go_on, "state")

    def show(self, names: Iterable[str], draw: Callable[[str], Illustration | None]) -> None:
        """Show other items; marks of items that are there no longer are forgotten."""
        self._make = draw
        self.pictures, self.page, self.selected = {}, 0, ""
        self.names = tuple(names)
        self.marks = {name: mark for name, mark in self.marks.items() if name in self.names}

    @property
    def found(self) -> list[str]:
        """The names that ``only`` leaves."""
        return [name for name in self.names if self._fits(name)]

    @property
    def counts(self) -> dict[str, int]:
        """How many items have each mark, and ``unmarked``."""
        given = list(self.marks.values())
        counts = {mark: given.count(mark) for mark in MARKS}
        return {**counts, UNMARKED: len(self.names) - len(given)}

    @property
    def draw_blockers(self) -> list[str]:
        """Why no pictures can be drawn now."""
        if not self.names:
            return ["There are no items to draw."]
        if self.task.is_running:
            return ["The pictures are being drawn."]
        return [] if self._next() else ["All pictures of this page are drawn."]

    @property
    def save_blockers(self) -> list[str]:
        """Why the marks cannot be saved now."""
        return [] if self.marks else ["No item is marked yet."]

    def draw(self) -> None:
        """Begin to draw the pictures of the page that are not drawn yet.

        From then on a page that is turned to is drawn too, until a person cancels.
        """
        self._is_wanted = True
        if not self.draw_blockers:
            self.task.start(self._draw)

    def mark(self, name: str, mark: str) -> None:
        """Say ``pass``, ``fail`` or ``?`` of an item; ``""`` takes its mark away.

        Raises NiftiKitError if there is no such item or mark.
        """
        if name not in self.names:
            raise NiftiKitError("there is no such item", found=repr(name))
        if mark not in (*MARKS, ""):
            raise NiftiKitError("there is no such mark", found=repr(mark), expected=EXPECTED)
        others = {known: given for known, given in self.marks.items() if known != name}
        self.marks = {**others, name: mark} if mark else others

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the marks to a ``.csv``: every item with its mark, an empty one where it has none.

        Marks of items that are not here, but were in a file that was loaded, are kept behind.
        Before a name that a spreadsheet would take for a formula stands an apostrophe. Raises
        NiftiKitError if the name has another ending, or the file cannot be written.
        """
        save_as(path, "marks", {".csv": self._csv})

    def load(self, path: str | os.PathLike[str]) -> tuple[str, ...]:
        """Take the marks of a file; return its items that are not here.

        Items that the file does not name keep their marks. Raises NiftiKitError if the file cannot
        be read, has no columns ``item`` and ``mark``, or another mark.
        """
        marks = _read(path)
        self.marks = {
            name: mark for name in self.names if (mark := marks.get(name, self.marks.get(name, "")))
        }
        others = {name: mark for name, mark in marks.items() if name not in self.names}
        self._elsewhere |= others
        return tuple(others)

    @observe("names", "only", "marks", "page_size")
    def _stay_on_a_page(self, change: Any) -> None:
        self.page = 0 if change["name"] == "only" else min(self.page, self.page_count - 1)

    def _fits(self, name: str) -> bool:
        mark = self.marks.get(name, "")
        return self.only in ("", mark) or (self.only == UNMARKED and not mark)

    def _next(self) -> str:
        """Return the first item of the page without a picture; a page may be turned meanwhile."""
        missing = (name for name in self.shown if name not in self.pictures)
        return next(missing, "") if self._make is not None else ""

    def _draw(self, ticket: Ticket) -> None:
        while name := self._next():
            drawn = sum(one in self.pictures for one in self.shown)
            ticket.tell(drawn / len(self.shown), f"Drawing {name}")
            make, names = self._make, self.names
            picture = None if make is None else make(name)
            if self.names is names:  # another source was not read meanwhile
                self.pictures = {**self.pictures, name: picture}

    def _go_on(self, change: Any) -> None:
        """Draw the page that a person turned to at the moment at which the last one was done."""
        if change["new"] == "cancelling":
            self._is_wanted = False
        if change["new"] == "done":
            self._draw_on()

    @observe("names", "page", "only")
    def _draw_on(self, _: Any = None) -> None:
        if self._is_wanted and self._next():
            self.draw()

    def _csv(self) -> str:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        there = [(name, self.marks.get(name, "")) for name in self.names]
        others = [pair for pair in self._elsewhere.items() if pair[0] not in self.names]
        writer.writerows((guarded_cell(name), mark) for name, mark in (*there, *others))
        return out.getvalue()


def _read(path: str | os.PathLike[str]) -> dict[str, str]:
    rows = csv.DictReader(io.StringIO(read_text(path)))
    if not set(COLUMNS) <= set(rows.fieldnames or ()):
        raise NiftiKitError(
            "it is no file of marks",
            path=path,
            found=", ".join(rows.fieldnames or ()) or "an empty file",
            expected="a table with the columns item and mark",
        )
    marks = {}
    for row in rows:
        mark = (row["mark"] or "").strip()
        if mark not in (*MARKS, ""):
            message = f"line {rows.line_num} has no such mark"
            raise NiftiKitError(message, path=path, found=repr(mark), expected=EXPECTED)
        marks[unguarded_cell(row["item"] or "")] = mark
    return marks


# Miniatures: one small picture of an item, with its masks in the colours they will have

LONGEST = 240
"""The longer side (pixels), as pictures of findings have it."""

NAMED = 6
"""Classes that a caption names before it counts the rest."""


def miniature(dataset: Dataset, item: Item | PlannedItem) -> Illustration | None:
    """Return the slice of an item that shows most of its classes; None where nothing can be seen.

    It is of the item's own plane, else axial; without a volume the first mask is drawn alone.
    """
    item_of = {found.name: found for found in dataset.items}
    source = item_of[item.name]
    if source.volume is None:
        alone = [str(mask.relative) for mask in source.masks]
        return Illustrator(dataset)(Finding("", "note", alone[0], "", "")) if alone else None
    try:
        # Not kept: the item that a person looks at stays at hand.
        viewer = ViewerModel(*open_item(dataset, item, is_kept=False))
    except NiftiKitError:
        return None  # a finding says what is wrong with the file
    return _cut_out(viewer, source.plane or "axl")


def _cut_out(viewer: ViewerModel, plane: str) -> Illustration:
    """Return one plane of a viewer as a small picture."""
    axis = PLANES[plane]
    shown = BY_NORMAL[axis]
    names = listed((found.name for found in viewer.classes), NAMED)
    caption = (
        f"{shown.title} slice {viewer.position[axis]} "
        f"(0 to {viewer.image.grid.shape[axis] - 1}) with "
        f"{names or 'no masks'}."
    )
    caption = " ".join([caption, *(f"{note}." for note in viewer.notes)])
    return illustration(viewer.pane(shown, LONGEST), caption)
