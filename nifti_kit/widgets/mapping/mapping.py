"""The app ``MappingEditor``: which volume of a target each annotation file belongs to."""

from __future__ import annotations

import os
from typing import Any

import ipywidgets as w

from nifti_kit.datasets.dataset import Dataset
from nifti_kit.formats.mappings import Mapping
from nifti_kit.targets.target import Target
from nifti_kit.widgets.mapping.mapping_start import MappingStart
from nifti_kit.widgets.mapping.model import MappingModel
from nifti_kit.widgets.mapping.view import MatchingView
from nifti_kit.widgets.parts.target_view import TargetPickerView
from nifti_kit.widgets.parts.views import classed, heading, styles
from nifti_kit.widgets.parts.widgets_saving import Gated
from nifti_kit.widgets.parts.widgets_sources import SourcePickerView
from nifti_kit.widgets.parts.widgets_tasks import TaskView

__all__ = ["MappingEditor"]


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
        The :class:`nifti_kit.widgets.mapping.mapping_start.MappingStart`: source and target.
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
