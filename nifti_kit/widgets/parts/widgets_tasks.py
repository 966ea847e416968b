"""The view of a task: a bar, what it says, and a button to cancel it."""

from __future__ import annotations

from typing import Any

import ipywidgets as w

from nifti_kit.widgets.parts.tasks import Task
from nifti_kit.widgets.parts.views import action, classed, paragraph, say

__all__ = ["TaskView"]

_STYLES = {"done": "success", "failed": "danger", "cancelled": "warning"}


class TaskView(w.VBox):
    """Shows a task; invisible until it is started, and if ``quiet`` after it is done."""

    def __init__(self, model: Task, *, quiet: bool = False) -> None:
        self.model = model
        self._hidden = ("idle", "done") if quiet else ("idle",)
        self._bar = w.FloatProgress(min=0.0, max=1.0, layout={"width": "20rem"})
        self._state = say("", "nk-task-state")
        self._text = say("", "nk-task-text")
        self._cancel = action("Cancel", model.cancel, "nk-cancel")
        row = w.HBox([self._bar, self._cancel, self._state], layout={"align_items": "center"})
        super().__init__([row, self._text])
        classed(self, "nk-task")
        model.observe(self._show, ["state", "fraction", "text"])
        self._show()

    def _show(self, _: Any = None) -> None:
        task = self.model
        self.layout.display = "none" if task.state in self._hidden else ""
        self._bar.value = task.fraction
        self._bar.bar_style = _STYLES.get(task.state, "info")
        self._state.value = paragraph(f"{task.state}, {task.fraction:.0%}")
        self._text.value = paragraph(task.text)
        self._cancel.disabled = task.state != "running"
        self._cancel.layout.display = "" if task.is_running else "none"
