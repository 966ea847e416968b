"""What every view is made of: escaped text, headings, notices, buttons."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as w
from ipywidgets.widgets.widget_string import HTMLStyle
from traitlets import TraitError, default

from nifti_kit.core import html
from nifti_kit.errors import NiftiKitError, visible
from nifti_kit.widgets.parts.sources import CHOICES, SourcePicker
from nifti_kit.widgets.parts.tasks import PAGE, Task

FRONT = Path(__file__).parents[1] / "front"
"""The scripts and styles of the views; they load nothing from elsewhere."""


def front(name: str) -> str:
    """Return a script or style of the views.

    anywidget is given the text: of a path it keeps every widget, with its model, for ever. It
    sends the text with each widget, so that comments and indents are left out.
    """
    files = ("dom.js", name) if name.endswith(".js") else (name,)
    text = "\n".join((FRONT / file).read_text("utf-8") for file in files)
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def classed(widget: Any, *names: str) -> Any:
    """Return a widget with CSS classes, by which styles and tests find it.

    In one message: each is one that a busy server may drop.
    """
    widget._dom_classes = tuple(dict.fromkeys((*widget._dom_classes, *names)))
    return widget


_SHARED: dict[type, Any] = {}
"""One style or layout for all that never change theirs: a message less for each."""


def shared_style(kind: type) -> Any:
    """Return the style, or layout, that all of a kind share; nobody changes it, or closes it."""
    if kind not in _SHARED or _SHARED[kind].comm is None:  # a person may close all widgets
        _SHARED[kind] = kind()
    return _SHARED[kind]


class Prose(w.HTML):
    """Text as HTML."""

    @default("style")
    def _default_style(self) -> Any:
        return shared_style(HTMLStyle)


class Pressed(w.Button):
    """A button."""

    @default("style")
    def _default_style(self) -> Any:
        return shared_style(w.ButtonStyle)


def say(text: object = "", *names: str) -> Any:
    """Return a line of plain text, in which markup is shown as it is written."""
    return Prose(paragraph(text), _dom_classes=("nk-text", *names))


def beside(left: Any, right: Any) -> Any:
    """Return two parts side by side where their app is wide, one under the other where it is not.

    Left is what a person chooses from, right what is chosen and done with it; the app's own width
    counts, not the window's.
    """
    return w.VBox([left, right], _dom_classes=("nk-beside",))


class Folded(w.VBox):
    """A form that folds to one line once it is filled in: ``Source: by_volume (change)``.

    First sight is what came of it then. A person opens and closes it by its line.
    """

    def __init__(self, title: str, parts: Sequence[Any]) -> None:
        self._title, self._text, self._folded = title, "", False
        self._form = w.VBox(parts)
        self._line = action("", self.toggle, "nk-fold")
        self._line.layout.display = "none"
        super().__init__([self._line, self._form])

    def say(self, text: str, *, fold: bool | None = None) -> None:
        """Say what it is filled in with: ``""`` where something is missing, and it stays open.

        ``fold`` folds or opens it; None leaves it as a person has it.
        """
        self._text = text
        self._folded = self._folded if fold is None else fold
        self._show()

    def toggle(self) -> None:
        """Open it, or close it again."""
        self._folded = not self._folded
        self._show()

    def _show(self) -> None:
        folded = bool(self._text) and self._folded
        self._form.layout.display = "none" if folded else ""
        self._line.layout.display = "" if self._text else "none"
        todo = "change" if folded else "close"
        self._line.description = f"{self._title}: {visible(self._text)} ({todo})"


def discard(widget: Any) -> None:
    """Close a widget and all within it; ipywidgets keeps others, and their models, for ever."""
    for child in getattr(widget, "children", ()):
        discard(child)
    for part in (getattr(widget, "layout", None), getattr(widget, "style", None), widget):
        if part is not None and part not in _SHARED.values():
            part.close()


def exchange(box: Any, widgets: Sequence[Any]) -> None:
    """Show other widgets in a box; those that were there leave memory, with their volumes."""
    before, box.children = box.children, widgets
    for widget in before:
        discard(widget)


def heading(text: object, level: int = 3) -> Any:
    """Return a heading; screen readers jump from one to the next."""
    return Prose(html.element(f"h{level}", str(text)), _dom_classes=("nk-heading",))


class notice(w.VBox):  # noqa: N801  (used as a builder, like the functions beside it)
    """Lines that tell why something cannot be done; empty and invisible where nothing is wrong.

    Screen readers announce it when it changes.
    """

    def __init__(self, lines: Iterable[str] = (), kind: str = "warning") -> None:
        self._lines = Prose(layout=shared_style(w.Layout))
        classes = ("nk-notice", f"nk-{kind}")
        super().__init__([self._lines], layout={"display": "none"}, _dom_classes=classes)
        self.say(lines)

    def say(self, lines: Iterable[str]) -> None:
        """Show these lines instead."""
        texts = [str(line) for line in lines]
        entries = [html.element("li", line) for line in texts]
        text = html.element("ul", *entries) if entries else ""
        self._lines.value = f"<div role='status'>{text}</div>"
        self.layout.display = "" if texts else "none"


def action(
    text: str, do: Callable[[], Any], *names: str, primary: bool = False, hint: str = ""
) -> Any:
    """Return a button that calls a function."""
    button = Pressed(
        description=text,
        button_style="primary" if primary else "",
        tooltip=hint or text,
        layout={"width": "max-content"},
        _dom_classes=("nk-action", *names),
    )
    button.on_click(lambda _: do())
    return button


def show_choices(box: Any, options: Sequence[Any], value: Any) -> None:
    """Show what can be chosen, and what is.

    Work ends in threads of its own: where another one shows something newer meanwhile, that stays.
    """
    with suppress(TraitError):
        if tuple(box.options) != tuple(options):
            box.options = options
        box.value = value


class _Front(anywidget.AnyWidget):
    _esm = front("app.js")
    _css = front("nifti_kit.css")

    def __init__(self) -> None:
        super().__init__()
        self.on_msg(lambda *_: PAGE.set())  # it says one thing only: that it is there


def styles() -> Any:
    """Return what every app has among its parts: its styles, and the keyboard kept to itself.

    It shows nothing.
    """
    return classed(_Front(), "nk-styles")


def paragraph(text: object) -> html.Markup:
    """Return text as safe HTML, for the value of what :func:`say` returned."""
    lines: Sequence[str] = str(text).splitlines() or [""]
    return html.join(html.element("div", line) for line in lines)


# The view of a task: a bar, what it says, and a button to cancel it

_STYLES = {"failed": "danger", "cancelled": "warning"}
"""Work that is done is no green: whether its result is good, the result says."""


class TaskView(w.VBox):
    """Shows a task; invisible until it is started, and if ``quiet`` after it is done."""

    def __init__(self, model: Task, *, quiet: bool = False) -> None:
        self.model = model
        self._hidden = ("idle", "done") if quiet else ("idle",)
        self._bar = w.FloatProgress(bar_style="info", max=1.0, layout={"width": "20rem"})
        plain = shared_style(w.Layout)
        self._state = Prose(layout=plain, _dom_classes=("nk-text", "nk-task-state"))
        self._text = Prose(layout=plain, _dom_classes=("nk-text", "nk-task-text"))
        self._cancel = action("Cancel", model.cancel, "nk-cancel")
        row = w.HBox([self._bar, self._cancel, self._state], layout={"align_items": "center"})
        hidden = {"display": "none"} if model.state in self._hidden else {}
        super().__init__([row, self._text], layout=hidden, _dom_classes=("nk-task",))
        model.observe(self._show, ["state", "fraction", "text"])
        self._show()

    def _show(self, _: Any = None) -> None:
        task = self.model
        self.layout.display = "none" if task.state in self._hidden else ""
        self._bar.value = task.fraction
        self._bar.bar_style = _STYLES.get(task.state, "info")
        left = f", {task.left}" if task.left else ""
        self._state.value = paragraph(f"{task.state}, {task.fraction:.0%}{left}")
        self._text.value = paragraph(task.text)
        self._cancel.disabled = task.state != "running"
        self._cancel.layout.display = "" if task.is_running else "none"


# What apps save and do with reasons: a button with what is in its way, a row that saves a file


class Gated(w.HBox):
    """A button that is disabled while something is in its way, with the reasons beside it."""

    def __init__(
        self,
        text: str,
        do: Callable[[], Any],
        blockers: Callable[[], Iterable[str]],
        *names: str,
        primary: bool = False,
    ) -> None:
        self.button = action(text, lambda: self._press(do), *names, primary=primary)
        self._blockers = blockers
        names = ("nk-text", "nk-blockers")
        self._said = Prose(layout=shared_style(w.Layout), _dom_classes=names)
        row = {"flex_flow": "row wrap", "align_items": "center"}
        super().__init__([self.button, self._said], layout=row)
        self.refresh()

    def refresh(self, _: Any = None) -> None:
        """Look again what is in the way."""
        reasons = list(self._blockers())
        self.button.disabled = bool(reasons)
        self._said.value = paragraph(" ".join(reasons))

    def _press(self, do: Callable[[], Any]) -> None:
        """Do it; what came in its way while the press was on its way is said, and ends nothing."""
        self.refresh()
        if not self.button.disabled:
            try:
                do()
            except NiftiKitError as error:
                self._said.value = paragraph(error)


class SaveRow(w.VBox):
    """A path with a button to save something there, and one to load it where that can be done.

    ``what`` is saved, such as ``Marks``; ``load`` returns the names that it could not place.
    """

    def __init__(
        self,
        what: str,
        path: str | os.PathLike[str],
        save: Callable[[str], Any],
        load: Callable[[str], Sequence[str]] | None = None,
        *,
        blockers: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._what, self._save, self._load = what, save, load
        self.path = classed(
            w.Text(os.fspath(path), description=f"{what} to:", continuous_update=True), "nk-path"
        )
        self.path.layout.width = "32rem"
        self.path.style.description_width = "initial"
        self._own = blockers
        self._button = Gated("Save", self.save, self._reasons, "nk-save")
        self._done, self._error = notice(kind="good"), notice(kind="error")
        row = [self.path, self._button]
        if load is not None:
            row.insert(1, action("Load", self.load, "nk-load", hint=f"Load {what.lower()}"))
        bar = w.HBox(row, layout={"flex_flow": "row wrap", "align_items": "center"})
        super().__init__([bar, self._done, self._error], _dom_classes=("nk-saving",))
        self.path.observe(self.refresh, "value")

    def refresh(self, _: Any = None) -> None:
        """Look again what is in the way."""
        self._button.refresh()

    def save(self) -> None:
        """Save to the path, and say so."""
        self._try(lambda: self._save(self.path.value), lambda _: f"Saved: {self.path.value}")

    def load(self) -> None:
        """Load from the path, and say what could not be placed."""
        if self._load is not None:
            self._try(lambda: self._load(self.path.value), self._loaded)  # type: ignore[misc]

    def _loaded(self, unknown: Sequence[str]) -> str:
        said = f"Loaded: {self.path.value}."
        return f"{said} Not here: {', '.join(unknown)}." if unknown else said

    def _reasons(self) -> list[str]:
        return [*self._own(), *([] if self.path.value.strip() else ["Give a path."])]

    def _try(self, do: Callable[[], Any], said: Callable[[Any], str]) -> None:
        self._done.say(())
        self._error.say(())
        try:
            self._done.say([said(do())])
        except NiftiKitError as error:
            self._error.say([str(error)])


# The view of a source picker: a path, the samples, and how it is to be read

TITLES = {
    "layout": "Layout",
    "segmentation": "Segmentation",
    "score_frames": "Score layers",
    "score_base": "Layers count from",
}

NO_CHOICE = "-"


class ProposalView(w.VBox):
    """Shows which mask would go to which image, and why; a button takes it."""

    def __init__(self, model: SourcePicker) -> None:
        self.model = model
        self._shown = classed(Prose(), "nk-text", "nk-proposal-text")
        self._take = Gated(
            "Take these pairs",
            model.take_proposal,
            lambda: model.proposal_blockers,
            "nk-take-proposal",
        )
        title = heading("Masks and images that seem to belong together", 4)
        super().__init__([title, self._shown, self._take], _dom_classes=("nk-proposal",))
        model.observe(self._show, "dataset")
        model.task.observe(self._take.refresh, "state")
        model.observe(self._take.refresh, "path")
        self._show()

    def _show(self, _: Any = None) -> None:
        proposal = self.model.proposal
        self.layout.display = "none" if proposal is None else ""
        self._shown.value = "" if proposal is None else proposal._repr_html_()
        self._take.refresh()


class SourcePickerView(w.VBox):
    """Shows what is to be read; ``read`` is called by the button (by default the model's scan).

    It folds once it is read, unless ``folds`` is False.
    """

    def __init__(self, model: SourcePicker, read: Any = None, *, folds: bool = True) -> None:
        self.model = model
        self._path = w.Text(
            description="Source:",
            placeholder="a folder, an archive or a NIfTI file",
            layout={"width": "min(100%, 40rem)"},
            style={"description_width": "initial"},
            _dom_classes=("nk-path",),
        )
        self._known = classed(w.Dropdown(description="or one of:"), "nk-samples")
        self._choices = {name: self._choice(name) for name in CHOICES}
        self._read = Gated(
            "Read", read or model.scan, lambda: model.scan_blockers, "nk-read", primary=True
        )
        self._error = notice(kind="error")
        row = {"flex_flow": "row wrap", "align_items": "center"}
        form = [
            w.HBox([self._path, self._known], layout=row),
            w.HBox([*self._choices.values(), self._read], layout=row),
        ]
        shown = [Folded("Source", form)] if folds else form
        task = TaskView(model.task, quiet=True)
        super().__init__([*shown, self._error, task, ProposalView(model)])
        classed(self, "nk-source")
        self._link()
        if folds:
            model.observe(self._fold, "dataset")
            self._fold()

    def _choice(self, name: str) -> Any:
        return w.Dropdown(
            options=CHOICES[name],
            description=f"{TITLES[name]}:",
            layout={"width": "auto"},
            style={"description_width": "initial"},
            _dom_classes=(f"nk-{name.replace('_', '-')}",),
        )

    def _link(self) -> None:
        model = self.model
        self._path.value = model.path
        for name, box in self._choices.items():
            box.value = getattr(model, name)
            box.observe(lambda change, name=name: setattr(model, name, change["new"]), "value")
        self._path.observe(lambda change: setattr(model, "path", change["new"]), "value")
        self._known.observe(self._pick, "value")
        model.observe(self._show, ["path", "recent", *CHOICES])
        model.task.observe(self._show, "state")
        self._show()

    def _fold(self, _: Any = None) -> None:
        found = self.model.dataset
        given = "" if found is None else os.fspath(found.source.given)
        self.children[0].say(Path(given).name or given, fold=True)

    def _pick(self, change: Any) -> None:
        if change["new"] and change["new"] != NO_CHOICE:
            self.model.path = change["new"]

    def _show(self, _: Any = None) -> None:
        model = self.model
        self._path.value = model.path
        for name, box in self._choices.items():
            box.value = getattr(model, name)
        named = [(f"sample {name}", path) for name, path in model.samples.items()]
        known = [
            (f"recent {path}", path) for path in model.recent if path not in model.samples.values()
        ]
        options = [("choose ...", NO_CHOICE), *known, *named]
        there = [path for _, path in options]
        show_choices(self._known, options, model.path if model.path in there else NO_CHOICE)
        self._known.layout.display = "" if len(options) > 1 else "none"
        self._error.say([model.error] if model.error else ())
        self._read.refresh()
