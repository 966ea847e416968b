"""The view of a source picker: a path, the samples, and how it is to be read."""

from __future__ import annotations

from typing import Any

import ipywidgets as w

from nifti_kit.widgets.parts.sources import CHOICES, SourcePicker
from nifti_kit.widgets.parts.views import classed, notice
from nifti_kit.widgets.parts.widgets_saving import Gated
from nifti_kit.widgets.parts.widgets_tasks import TaskView

__all__ = ["SourcePickerView"]

TITLES = {"layout": "Layout", "segmentation": "Segmentation", "score_frames": "Score layers"}

NO_CHOICE = "-"


class SourcePickerView(w.VBox):
    """Shows what is to be read; ``read`` is called by the button (by default the model's scan)."""

    def __init__(self, model: SourcePicker, read: Any = None) -> None:
        self.model = model
        self._path = classed(w.Text(description="Source:", continuous_update=True), "nk-path")
        self._path.layout.width = "min(100%, 40rem)"
        self._path.style.description_width = "initial"
        self._path.placeholder = "a folder, an archive or a NIfTI file"
        self._known = classed(w.Dropdown(description="or one of:"), "nk-samples")
        self._choices = {name: self._choice(name) for name in CHOICES}
        self._read = Gated(
            "Read", read or model.scan, lambda: model.scan_blockers, "nk-read", primary=True
        )
        self._error = notice(kind="error")
        row = {"flex_flow": "row wrap", "align_items": "center"}
        parts = [
            w.HBox([self._path, self._known], layout=row),
            w.HBox([*self._choices.values(), self._read], layout=row),
            self._error,
            TaskView(model.task, quiet=True),
        ]
        super().__init__(parts)
        classed(self, "nk-source")
        self._link()

    def _choice(self, name: str) -> Any:
        box = w.Dropdown(options=CHOICES[name], description=f"{TITLES[name]}:")
        box.style.description_width = "initial"
        box.layout.width = "auto"
        return classed(box, f"nk-{name.replace('_', '-')}")

    def _link(self) -> None:
        model = self.model
        self._path.value = model.path
        for name, box in self._choices.items():
            box.value = getattr(model, name)
        self._path.observe(lambda change: setattr(model, "path", change["new"]), "value")
        for name, box in self._choices.items():
            box.observe(lambda change, name=name: setattr(model, name, change["new"]), "value")
        self._known.observe(self._pick, "value")
        model.observe(self._show, ["path", "recent", *CHOICES])
        model.task.observe(self._show, "state")
        self._show()

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
        if tuple(options) != self._known.options:
            self._known.options = options
        there = [path for _, path in options]
        self._known.value = model.path if model.path in there else NO_CHOICE
        self._known.layout.display = "" if len(options) > 1 else "none"
        self._error.say([model.error] if model.error else ())
        self._read.refresh()
