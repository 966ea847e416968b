"""The view of a matching: annotation files on one side, the target's volumes on the other."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import ipywidgets as w

from nifti_kit.core import html
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.mappings import Mapping
from nifti_kit.targets.target import Target
from nifti_kit.widgets.mapping.files import where_text
from nifti_kit.widgets.mapping.model import MappingModel, MappingStart
from nifti_kit.widgets.parts.table_view import TableView
from nifti_kit.widgets.parts.target_view import TargetPickerView
from nifti_kit.widgets.parts.views import (
    Gated,
    Prose,
    SourcePickerView,
    TaskView,
    action,
    beside,
    classed,
    exchange,
    heading,
    notice,
    paragraph,
    say,
    styles,
)
from nifti_kit.widgets.viewer.view import Viewer

FORMS = {
    "as the folders ask for": "auto",
    "dataset: file names alone": "dataset",
    "project: dataset folder and file name": "project",
}


Do = Callable[[Callable[[], Any]], None]
"""Does what a person asks for, and says what came of it."""


class MatchingView(w.VBox):
    """Shows which volume each annotation file belongs to, and lets a person decide."""

    def __init__(self, model: MappingModel) -> None:
        self.model = model
        self._summary = classed(say(), "nk-summary")
        self._message = notice((), "good")
        self._error = notice((), "error")
        self._selected = _Selected(model, self._do)
        self._suggested = _Suggested(model, self._do, self._selected.take_focus)
        files = classed(TableView(model.table, "Annotation files"), "nk-files")
        files.on_msg(self._selected.follow_keys)
        self._found = classed(Prose(), "nk-findings")
        parts = [
            self._summary,
            self._tools(),
            self._message,
            self._error,
            self._suggested,
            beside(files, self._selected),
            self._found,
            _Replaced(model, self._do),
            _Saving(model, self._do),
        ]
        super().__init__(parts, _dom_classes=("nk-matching",))
        model.observe(self._show, "revision")
        self._show()

    def _tools(self) -> Any:
        model = self.model
        rows = (
            (
                ("Accept all that are sure", model.accept_sure, "sure", "accept-sure"),
                ("Match the unmatched by name and place", model.match_rest, "rest", "match-rest"),
                ("Suggest by place alone", self._suggest, "place", "by-place"),
                ("Undo", model.undo, "undo", "undo"),
            ),
            (
                ("Pick all that are shown, or none", model.pick_found, "", "pick-found"),
                (
                    "Accept the picked",
                    lambda: model.accept(*model.picked),
                    "picked",
                    "accept-picked",
                ),
                (
                    "Leave out the picked",
                    lambda: model.leave_out(*model.picked),
                    "picked",
                    "leave-picked",
                ),
            ),
        )
        made = [[self._button(*spec) for spec in row] for row in rows]
        self._buttons = [*made[0], *made[1]]
        return w.VBox([w.HBox(row, layout={"flex_flow": "row wrap"}) for row in made])

    def _button(self, text: str, act: Callable[[], Any], gate: str, name: str) -> Gated:
        """Return a button whose reasons are the model's ``<gate>_blockers``."""
        reasons = f"{gate}_blockers"
        return Gated(
            text,
            lambda: self._do(act),
            lambda: getattr(self.model, reasons) if gate else (),
            f"nk-{name}",
        )

    def _suggest(self) -> None:
        self.model.suggest_by_place()
        if self.model.suggestion:
            self._suggested.take.focus()

    def _do(self, act: Callable[[], Any]) -> None:
        """Do what a person asks for, and say what came of it."""
        self._error.say(())
        try:
            act()
        except NiftiKitError as error:
            self._error.say([str(error)])

    def _show(self, _: Any = None) -> None:
        model = self.model
        self._error.say(())
        self._message.say([model.message] if model.message else ())
        self._summary.value = paragraph(model.rows.summary)
        self._found.value = model.findings._repr_html_()
        for button in self._buttons:
            button.refresh()


class _Suggested(w.VBox):
    """Rows that would change together, with a button to take them and one to drop them.

    ``after`` is called after either: the button that had the focus is gone then.
    """

    def __init__(self, model: MappingModel, do: Do, after: Callable[[], None]) -> None:
        self.model, self._after, self._do_it = model, after, do
        self._said: Any = None
        self.take: Any = None
        hidden, names = {"display": "none"}, ("nk-notice", "nk-suggestion")
        super().__init__((), layout=hidden, _dom_classes=names)
        model.observe(self._show, "suggestion")

    def _decide(self, act: Callable[[], Any]) -> None:
        self._do_it(act)
        self._after()

    def _build(self) -> None:
        model = self.model
        self._said = say()
        self.take = action(
            "Take these", lambda: self._decide(model.take_suggestion), "nk-take-suggestion"
        )
        drop = action("No", lambda: self._decide(model.drop_suggestion), "nk-drop-suggestion")
        self.children = [self._said, w.HBox([self.take, drop])]

    def _show(self, _: Any = None) -> None:
        found = self.model.suggestion
        if found and not self.children:  # most mappings have no suggestion: no page has its parts
            self._build()
        self.layout.display = "" if found else "none"
        if found:
            lines = html.join(html.element("li", line) for line in self.model.suggested_lines)
            said = html.join([paragraph(f"{found.title}:"), html.element("ul", lines)])
            self._said.value = f"<div role='status'>{said}</div>"


class _Selected(w.VBox):
    """The file that is selected: its candidates, and what can be done with it."""

    def __init__(self, model: MappingModel, do: Do) -> None:
        self.model, self._do_it = model, do
        super().__init__((), _dom_classes=("nk-selected",))
        for part in (model.table, model.candidates):
            part.observe(self._show, "selected")
        model.observe(self._show, "revision")
        model.observe(self._show_picture, "picture")
        model.task.observe(self._show, "state")
        self._show()

    def _build(self) -> None:
        """Make the parts when the first file is selected: a page without one has none."""
        model = self.model
        self._name, self._said = classed(Prose(), "nk-heading"), say()
        self._buttons = [
            self._gated("Take the marked volume and go on", lambda _: model.take(), "take"),
            self._gated("Go on", lambda _: model.go_on(), "go_on"),
            self._gated("Accept", model.accept, "accept"),
            self._gated("Leave out", model.leave_out, "leave"),
            self._gated("Preview", lambda key: model.preview(key, self._marked), "preview"),
        ]
        self._buttons[0].button.button_style = "primary"
        follows = w.Checkbox(
            model.follows,
            description="Draw each volume that is marked",
            indent=False,
            _dom_classes=("nk-follows",),
        )
        w.link((model, "follows"), (follows, "value"))
        # Beside each other where there is room: the picture is seen with the list.
        beside, wrapped = {"flex": "1 1 32rem", "min_width": "0"}, {"flex_flow": "row wrap"}
        self._picture = w.VBox(layout={**beside, "display": "none"}, _dom_classes=("nk-picture",))
        candidates = TableView(model.candidates, "Volumes for the selected file")
        candidates.on_msg(self.follow_keys)
        listed = [classed(candidates, "nk-candidates"), follows, TaskView(model.task, quiet=True)]
        self.children = [
            self._name,
            self._said,
            w.HBox(self._buttons, layout=wrapped),
            w.HBox([w.VBox(listed, layout=beside), self._picture], layout=wrapped),
        ]

    def _gated(self, text: str, act: Callable[[str], Any], gate: str) -> Gated:
        """Return a button for the selected file; the model's ``<gate>_blockers`` hold it back."""
        model, table = self.model, self.model.table

        def blockers() -> list[str]:
            if gate in ("take", "go_on"):
                return getattr(model, f"{gate}_blockers")  # type: ignore[no-any-return]
            more = [self._marked] if gate == "preview" else []
            return getattr(model, f"{gate}_blockers")(table.selected, *more)  # type: ignore[no-any-return]

        name = f"nk-{gate.replace('_', '-')}"
        return Gated(text, lambda: self._do_it(lambda: act(table.selected)), blockers, name)

    def take_focus(self) -> None:
        """Give the keyboard to the first button, where it can be pressed."""
        if self.model.table.selected:
            self._buttons[0].button.focus()

    def follow_keys(self, _: Any, content: Any, __: Any) -> None:
        """Give the keyboard to the first button after a row was chosen in a table."""
        if isinstance(content, dict) and content.get("do") == "select":
            self.take_focus()

    @property
    def _marked(self) -> int | None:
        marked = self.model.candidates.selected
        return int(marked) if marked else None

    def _show(self, _: Any = None) -> None:
        model, key = self.model, self.model.table.selected
        pair = model.rows.get(key)
        self.layout.display = "" if pair else "none"
        if pair is None:
            return
        if not self.children:
            self._build()
        self._name.value = html.element("h4", f"Candidates for {key}")
        place = f"{pair.place.text}; " if pair.place else ""
        doubts = "; ".join(pair.doubts) or pair.row.why
        lines = [f"{model.volumes.label(pair.row.volume)}: {place}{pair.state}. {doubts}".strip()]
        if self._marked is not None:
            lines.append(f"Marked: {model.volumes.label(self._marked)}")
        self._said.value = paragraph("\n".join(lines))
        for button in self._buttons:
            button.refresh()

    def _show_picture(self, _: Any = None) -> None:
        picture = self.model.picture
        if not self.children:  # drawn by code, for no file that is selected
            self._build()
        exchange(self._picture, [Viewer(picture)] if picture else [])
        self._picture.layout.display = "" if picture else "none"


class _Replaced(w.VBox):
    """What the mapping would replace on the target."""

    def __init__(self, model: MappingModel, do: Do) -> None:
        self.model = model
        self._ask = Gated(
            "Show what replacing would change",
            lambda: do(self._ask_for_it),
            lambda: model.compare_blockers,
            "nk-compare",
        )
        self._said: Any = None
        super().__init__([self._ask], _dom_classes=("nk-replaced",))
        model.observe(self._show, ["replaced", "revision"])
        model.comparing.observe(self._ask.refresh, "state")

    def _ask_for_it(self) -> None:
        if self._said is None:  # what is not asked for has no parts in the page
            self._said = say()
            self.children = [self._ask, TaskView(self.model.comparing, quiet=True), self._said]
        self.model.compare()

    def _show(self, _: Any = None) -> None:
        found = self.model.replaced
        if self._said is not None:
            self._said.value = "" if found is None else found._repr_html_()
        self._ask.refresh()


class _Saving(w.VBox):
    """Where the mapping is saved to and loaded from, in which form, and what is in the way."""

    def __init__(self, model: MappingModel, do: Do) -> None:
        self.model = model
        wide = {"width": "32rem"}
        self._path = w.Text(model.path, description="JSON file", layout=wide)
        self._form = w.Dropdown(options=FORMS, value=model.form, description="Form", layout=wide)
        self._save = Gated(
            "Save", lambda: do(model.save), lambda: model.save_blockers, "nk-save", primary=True
        )
        load = action("Load", lambda: do(lambda: model.load(model.path)), "nk-load")
        self._where = classed(say(), "nk-where")
        classed(self._path, "nk-path")
        classed(self._form, "nk-form")
        title = heading("Save it, or load another one", 4)
        row = w.HBox([load, self._save], layout={"flex_flow": "row wrap"})
        super().__init__([title, self._path, self._form, row, self._where])
        classed(self, "nk-save-part")
        w.link((model, "path"), (self._path, "value"))
        w.link((model, "form"), (self._form, "value"))
        model.observe(self._show, ["revision", "path", "form"])
        self._show()

    def _show(self, _: Any = None) -> None:
        self._where.value = paragraph(where_text(self.model.path))
        self._save.refresh()


# The app ``MappingEditor``: which volume of a target each annotation file belongs to


class MappingEditor(w.VBox):
    """Matches annotation files with the volumes of a target, and lets a person decide.

    Parameters
    ----------
    source
        A dataset of the ``annotations`` layout, or the path of one; picked in the app if empty.
    target
        Where the volumes are, such as :class:`nifti_kit.ProjectFolder`, or a project's folder;
        picked in the app if None.
    mapping
        What to begin with: a mapping, or the path of a JSON file. By default the source's own
        ``mapping.json``, else what names and grids say (:func:`nifti_kit.match`).
    path
        Where the mapping is to be saved.

    Attributes
    ----------
    start
        The :class:`nifti_kit.widgets.mapping.model.MappingStart`: source and target.
    """

    def __init__(
        self,
        source: Dataset | str | os.PathLike[str] = "",
        target: Target | str | os.PathLike[str] | None = None,
        mapping: Mapping | str | os.PathLike[str] | None = None,
        *,
        path: str | os.PathLike[str] = "out/mapping.json",
    ) -> None:
        self.start = MappingStart(source, target, mapping, path=path)
        self._pickers = w.Accordion([self._picked()], titles=("Annotations and target",))
        self._matching = w.VBox()
        super().__init__(
            [
                styles(),
                heading("Which volume does each annotation belong to?"),
                classed(self._pickers, "nk-start"),
                self._matching,
            ]
        )
        classed(self, "nk-app", "nk-mapping")
        self.start.observe(self._show, "matching")
        self._show()

    @property
    def model(self) -> MappingModel:
        """The matching that is shown: whatever the mouse does is one of its methods.

        None while source or target are still to be picked.
        """
        found: MappingModel = self.start.matching
        return found

    def _picked(self) -> Any:
        start = self.start
        begin = Gated("Match", start.begin, lambda: start.begin_blockers, "nk-begin", primary=True)
        start.source.observe(begin.refresh, "dataset")
        start.target.observe(begin.refresh, ["target", "blockers"])
        start.task.observe(begin.refresh, "state")
        return w.VBox(
            [
                heading("Annotations", 4),
                SourcePickerView(start.source),
                heading("Target: where their volumes are", 4),
                TargetPickerView(start.target),
                begin,
                TaskView(start.task, quiet=True),
            ]
        )

    def _show(self, _: Any = None) -> None:
        found = self.start.matching
        exchange(self._matching, [MatchingView(found)] if found else [])
        self._pickers.selected_index = None if found else 0
