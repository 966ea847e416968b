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
    SourcePickerView,
    TaskView,
    action,
    classed,
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


class MatchingView(w.VBox):
    """Shows which volume each annotation file belongs to, and lets a person decide."""

    def __init__(self, model: MappingModel) -> None:
        self.model = model
        self._summary = classed(say(), "nk-summary")
        self._message = notice((), "good")
        self._error = notice((), "error")
        parts = [
            self._summary,
            self._tools(),
            self._message,
            self._error,
            classed(TableView(model.table, "Annotation files"), "nk-files"),
            _Selected(model, self._do),
            _Faults(model),
            _Saving(model, self._do),
        ]
        super().__init__(parts)
        classed(self, "nk-matching")
        model.observe(self._show, "revision")
        self._show()

    def _tools(self) -> Any:
        model = self.model
        self._buttons = [
            Gated(
                "Accept all that are sure",
                lambda: self._do(model.accept_sure),
                lambda: model.sure_blockers,
                "nk-accept-sure",
            ),
            Gated(
                "Match the unmatched by name and place",
                lambda: self._do(model.match_rest),
                lambda: model.rest_blockers,
                "nk-match-rest",
            ),
            Gated("Undo", lambda: self._do(model.undo), lambda: model.undo_blockers, "nk-undo"),
        ]
        return w.VBox(self._buttons)

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
        for button in self._buttons:
            button.refresh()


class _Selected(w.VBox):
    """The file that is selected: its candidates, and what can be done with it."""

    def __init__(self, model: MappingModel, do: Callable[[Callable[[], Any]], None]) -> None:
        self.model = model
        self._name = classed(w.HTML(), "nk-heading")
        self._said = say()
        self._buttons = [
            self._gated("Accept", model.accept, model.accept_blockers, do, "nk-accept"),
            self._gated("Leave out", model.leave_out, model.leave_blockers, do, "nk-leave"),
            self._gated("Preview", model.preview, model.preview_blockers, do, "nk-preview"),
        ]
        self._picture = classed(w.VBox(), "nk-picture")
        self._candidates = TableView(model.candidates, "Volumes for the selected file")
        super().__init__(
            [
                self._name,
                self._said,
                w.HBox(self._buttons, layout={"flex_flow": "row wrap"}),
                classed(self._candidates, "nk-candidates"),
                TaskView(model.task),
                self._picture,
            ]
        )
        classed(self, "nk-selected")
        model.table.observe(self._show, "selected")
        model.observe(self._show, "revision")
        model.observe(self._show_picture, "picture")
        model.task.observe(self._show, "state")
        self._show()

    def _gated(
        self,
        text: str,
        act: Callable[[str], Any],
        blockers: Callable[[str], list[str]],
        do: Callable[[Callable[[], Any]], None],
        name: str,
    ) -> Gated:
        """Return a button that does something with the selected file."""
        table = self.model.table
        return Gated(
            text, lambda: do(lambda: act(table.selected)), lambda: blockers(table.selected), name
        )

    def _show(self, _: Any = None) -> None:
        model, key = self.model, self.model.table.selected
        standing = model.rows.get(key)
        self.layout.display = "" if standing else "none"
        if standing is None:
            return
        row = standing.decision.row
        self._name.value = html.element("h4", f"Candidates for {key}")
        place = f"{standing.place.text}; " if standing.place else ""
        doubts = "; ".join(standing.doubts) or row.why
        volume = model.volumes.label(row.volume)
        self._said.value = paragraph(f"{volume}: {place}{standing.state}. {doubts}".strip())
        for button in self._buttons:
            button.refresh()

    def _show_picture(self, _: Any = None) -> None:
        picture = self.model.picture
        for old in self._picture.children:
            old.close()
        self._picture.children = [Viewer(picture)] if picture else []


class _Faults(w.VBox):
    """What is wrong with the mapping as it is."""

    def __init__(self, model: MappingModel) -> None:
        self.model = model
        self._found = classed(w.HTML(), "nk-findings")
        super().__init__([self._found])
        model.observe(self._show, "revision")
        self._show()

    def _show(self, _: Any = None) -> None:
        self._found.value = self.model.findings._repr_html_()


class _Saving(w.VBox):
    """Where the mapping is saved to and loaded from, in which form, and what is in the way."""

    def __init__(self, model: MappingModel, do: Callable[[Callable[[], Any]], None]) -> None:
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
        super().__init__(
            [
                heading("Save it, or load another one", 4),
                self._path,
                self._form,
                w.HBox([load, self._save], layout={"flex_flow": "row wrap"}),
                self._where,
            ]
        )
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
        for old in self._matching.children:
            old.close()
        found = self.start.matching
        self._matching.children = [MatchingView(found)] if found else []
        self._pickers.selected_index = None if found else 0
