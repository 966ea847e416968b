"""The app ``Inspect``: a folder in; its items, findings, classes, pictures and headers out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as w
from traitlets import Dict, Unicode

from nifti_kit.core import html
from nifti_kit.core.findings import Waiver
from nifti_kit.errors import NiftiKitError
from nifti_kit.widgets.inspect.board import Board
from nifti_kit.widgets.inspect.model import PARTS, InspectModel
from nifti_kit.widgets.inspect.tables import HeaderPanel
from nifti_kit.widgets.mending.findings_view import FindingsView
from nifti_kit.widgets.parts.table_view import TableView
from nifti_kit.widgets.parts.views import (
    Gated,
    Prose,
    SaveRow,
    SourcePickerView,
    TaskView,
    beside,
    classed,
    exchange,
    front,
    heading,
    notice,
    paragraph,
    say,
    shared_style,
    show_choices,
    styles,
)
from nifti_kit.widgets.viewer.view import Viewer


class BoardCards(anywidget.AnyWidget):
    """Shows a page of a board.

    The script gets names and marks as plain data and pictures as bytes, and sends back what a
    person does: ``{"do": "mark", "key": ..., "value": "pass"}`` and the like.
    """

    _esm = front("board.js")
    _css = front("board.css")
    label = Unicode("Items").tag(sync=True)
    shown = Dict().tag(sync=True)
    pictures = Dict().tag(sync=True)

    def __init__(self, model: Board) -> None:
        super().__init__(_dom_classes=("nk-board",))
        self.model = model
        model.observe(self._show, ["names", "marks", "pictures", "only", "page", "selected"])
        self.on_msg(self._received)
        self._show()

    def _show(self, _: Any = None) -> None:
        board = self.model
        drawn = {name: board.pictures[name] for name in board.shown if name in board.pictures}
        pngs = {name: picture.png for name, picture in drawn.items() if picture is not None}
        if pngs != self.pictures:
            self.pictures = pngs
        self.shown = {
            "items": [self._item(name, drawn) for name in board.shown],
            "counts": board.counts,
            "only": board.only,
            "page": board.page,
            "pages": board.page_count,
            "total": len(board.names),
        }

    def _item(self, name: str, drawn: dict[str, Any]) -> dict[str, Any]:
        picture = drawn.get(name)
        return {
            "name": name,
            "mark": self.model.marks.get(name, ""),
            "caption": "" if picture is None else picture.caption,
            "drawn": name in drawn,
            "selected": name == self.model.selected,
        }

    def _received(self, _: Any, content: Any, __: Any) -> None:
        """Do what a person did; messages of another form are passed over."""
        if not isinstance(content, dict):
            return
        board, key, value = self.model, str(content.get("key", "")), content.get("value")
        try:
            match content.get("do"):
                case "mark":
                    board.mark(key, str(value))
                case "select" if key in board.names:
                    board.selected = key
                case "only":
                    board.only = str(value)
                case "turn":
                    board.turn(1 if value == 1 else -1)
        except NiftiKitError:
            self._show()  # an item that is gone meanwhile: what is there is shown


class BoardView(w.VBox):
    """Shows a board with its drawing, and saves and loads its marks."""

    def __init__(self, model: Board, path: str | os.PathLike[str] = "marks.csv") -> None:
        self.model = model
        draw = Gated("Draw pictures", model.draw, lambda: model.draw_blockers, "nk-draw")
        saving = SaveRow(
            "Marks", path, model.save, model.load, blockers=lambda: model.save_blockers
        )
        super().__init__([draw, TaskView(model.task, quiet=True), BoardCards(model), saving])
        classed(self, "nk-board-view")
        model.observe(draw.refresh, ["names", "pictures", "page", "only", "marks"])
        model.task.observe(draw.refresh, "state")
        model.observe(saving.refresh, "marks")


# The view of headers: what a file says of its place, and how masks lie on their volume


class HeaderView(w.VBox):
    """Shows the headers of an item, and the alignment of its masks."""

    def __init__(self, model: HeaderPanel) -> None:
        self.model = model
        self._file = classed(w.Dropdown(description="Header of:"), "nk-file")
        self._file.layout.width = "min(100%, 44rem)"
        self._file.style.description_width = "initial"
        self._fields = classed(Prose(), "nk-fields", "nk-text")
        self._alignments = w.VBox(
            [
                heading("Masks against their volume", 4),
                say("Compared in the patient's space (mm), not by the headers' numbers."),
                classed(TableView(model.alignments, "Alignment of masks"), "nk-alignments"),
            ]
        )
        super().__init__([self._file, self._fields, self._alignments], _dom_classes=("nk-headers",))
        self._file.observe(self._choose, "value")
        model.observe(self._show, ["item", "file"])
        self._show()

    def _choose(self, change: Any) -> None:
        if change["new"]:
            self.model.file = change["new"]

    def _show(self, _: Any = None) -> None:
        model = self.model
        files, file = model.files, model.file
        show_choices(self._file, files, file if file in files else None)
        rows = (
            html.element("tr", html.element("th", name), html.element("td", text))
            for name, text in model.fields
        )
        self._fields.value = html.element("table", html.element("tbody", *rows))
        self.layout.display = "" if model.files else "none"
        has_volume = model.item is not None and model.item.volume is not None
        self._alignments.layout.display = "" if has_volume and model.item.masks else "none"


TITLES = {"items": "Items", "findings": "Findings", "classes": "Classes", "board": "Board"}


class InspectView(w.VBox):
    """Shows what a source holds: those of ``PARTS`` that are given, below a head.

    ``out`` is the folder in which marks and findings are saved at first.
    """

    def __init__(
        self,
        model: InspectModel,
        out: str | os.PathLike[str] = "out",
        *,
        parts: Sequence[str] = PARTS,
        head: Iterable[Any] = (),
    ) -> None:
        self.model, self._shown = model, tuple(parts)
        self._out, self._saves_classes = Path(out), False
        self._class_place: Any = None
        self._summary = say("", "nk-summary")
        self._look = Gated(
            "Read every voxel",
            self.model.look_closer,
            lambda: self.model.look_blockers,
            "nk-look",
            primary=True,
        )
        self._made = self._parts(Path(out))
        plain = shared_style(w.Layout)
        self._tabs = w.Tab([w.VBox(layout=plain) for _ in parts], _dom_classes=("nk-parts",))
        task = TaskView(self.model.task, quiet=True)
        super().__init__([*head, self._summary, self._look, task, self._tabs])
        self._link()

    def _parts(self, out: Path) -> dict[str, Callable[[], Any]]:
        """Return what makes each part: nothing is made of one before it is opened."""
        model = self.model
        return {
            "items": self._items,
            "findings": lambda: FindingsView(
                model.findings, model.jump, out / "findings.html", model.mending
            ),
            "classes": self._classes,
            "board": lambda: BoardView(model.board, out / "marks.csv"),
        }

    def _items(self) -> Any:
        listed = classed(TableView(self.model.items, "Items"), "nk-items")
        return beside(listed, _ChosenItem(self.model))

    def _classes(self) -> Any:
        model = self.model
        self._no_classes = say("", "nk-no-classes")
        self._class_error = notice(kind="error")
        table = classed(TableView(model.classes, "Classes"), "nk-classes")
        self._class_place = w.VBox([self._no_classes, self._class_error, table])
        return self._class_place

    def _link(self) -> None:
        model = self.model
        self._tabs.observe(self._turn, "selected_index")
        model.observe(self._show, ["part", "item", "class_error"])
        model.source.observe(self._show, "dataset")
        model.source.task.observe(self._show, "state")
        model.findings.observe(self._show, "findings")
        model.classes.observe(self._show, "rows")
        model.task.observe(self._show, "state")
        self._open()

    def _turn(self, change: Any) -> None:
        self._open()
        self.model.part = self._shown[change["new"] or 0]
        if self.model.part == "board":
            self.model.board.draw()

    def _open(self) -> None:
        """Make the part that is in front, unless it was made."""
        at = self._tabs.selected_index or 0
        place = self._tabs.children[at]
        if not place.children:
            place.children = [self._made[self._shown[at]]()]
            self._show()

    def _show(self, _: Any = None) -> None:
        model = self.model
        self._summary.value = paragraph(model.summary)
        self._look.refresh()
        self._look.layout.display = "none" if model.is_looked else ""
        self._tabs.layout.display = "" if model.dataset else "none"
        counts = {"items": len(model.items.rows), "findings": len(model.findings.findings)}
        for at, part in enumerate(self._shown):
            count = f" ({counts[part]})" if part in counts else ""
            self._tabs.set_title(at, TITLES[part] + count)
        if model.part in self._shown:
            self._tabs.selected_index = self._shown.index(model.part)
        if self._class_place is not None:
            self._show_classes()

    def _show_classes(self) -> None:
        model = self.model
        known = "" if model.classes.rows else "Read every voxel to count them."
        self._no_classes.value = paragraph(known)
        self._class_error.say([model.class_error] if model.class_error else ())
        if model.classes.rows and not model.class_blockers and not self._saves_classes:
            self._saves_classes = True
            saving = SaveRow("Class map", self._out / "class_map.txt", model.save_classes)
            self._class_place.children = (*self._class_place.children, saving)


class Inspect(InspectView):
    """Shows what a source holds.

    Parameters
    ----------
    source
        A folder, an archive or one NIfTI file; its headers are read at once, in a thread.
    waive
        What is accepted: codes of findings, or pairs of a code and a file.
    out
        The folder in which marks and findings are saved at first.
    choices
        Those of :func:`nifti_kit.scan`, such as ``layout`` or ``annotation_words``.

    Attributes
    ----------
    model
        The :class:`nifti_kit.widgets.inspect.model.InspectModel`: what the mouse does is one of its
        methods.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] = "",
        *,
        waive: Iterable[Waiver] = (),
        out: str | os.PathLike[str] = "out",
        **choices: Any,
    ) -> None:
        model = InspectModel(source, waive=waive, **choices)
        picker = SourcePickerView(model.source, model.scan)
        super().__init__(model, out, head=[styles(), heading("Inspect"), picker])
        classed(self, "nk-app", "nk-inspect")
        if model.source.path:
            model.scan()


class _ChosenItem(w.VBox):
    """The chosen item: its planes and its headers."""

    def __init__(self, model: InspectModel) -> None:
        self.model = model
        self._title = heading("")
        self._error = notice(kind="warning")
        self._viewer = w.VBox()
        headers = [heading("Header and alignment", 4), HeaderView(model.header)]
        task = TaskView(model.opening, quiet=True)
        super().__init__([self._title, self._error, task, self._viewer, *headers])
        classed(self, "nk-chosen")
        model.observe(self._show, ["item", "viewer", "viewer_error"])
        self._show()

    def _show(self, _: Any = None) -> None:
        model = self.model
        self.layout.display = "" if model.item else "none"
        self._title.value = heading(model.item).value
        self._title.layout.display = "" if model.viewer is None else "none"  # it has its own
        self._error.say([model.viewer_error] if model.viewer_error else ())
        shown = [child.model for child in self._viewer.children]
        if shown == [model.viewer]:
            return
        exchange(self._viewer, [] if model.viewer is None else [Viewer(model.viewer)])
