"""The app ``Workbench``: one data set with the tabs Inspect, Mend, Scores, Match, Upload."""

from __future__ import annotations

import os
from typing import Any

import ipywidgets as w

from nifti_kit.datasets.dataset import Dataset
from nifti_kit.errors import NiftiKitError
from nifti_kit.targets.target import Target
from nifti_kit.widgets.inspect.view import InspectView
from nifti_kit.widgets.mapping.view import MatchingView
from nifti_kit.widgets.mending.findings_view import FindingsView
from nifti_kit.widgets.parts.views import (
    Gated,
    SourcePickerView,
    TaskView,
    action,
    exchange,
    heading,
    notice,
    paragraph,
    say,
    shared_style,
    styles,
)
from nifti_kit.widgets.scores.view import ScoreView
from nifti_kit.widgets.upload.view import UploadView
from nifti_kit.widgets.workbench.model import TABS, WorkbenchModel

TITLES = {tab: tab.capitalize() for tab in TABS}

LEFT = {"mend": "to mend", "match": "open"}
"""What stands behind a number in the title of a tab."""

PathLike = str | os.PathLike[str]


class Workbench(w.VBox):
    """Shows one data set from its folder to its proof: inspect, mend, score, match, upload.

    What one tab does, the others see: a mended file, a corrected table, a mapping, what is
    accepted. The line above the tabs says what is next.

    Parameters
    ----------
    source
        A folder, an archive, a NIfTI file, one score table (its folder is read), or a data set; it
        is read at once, in a thread.
    target
        Where it lands; a path is that of a project folder. Chosen in the app if None.
    tab
        Which tab is in front: ``inspect``, ``mend``, ``scores``, ``match`` or ``upload``.
    options
        ``mapping``, ``pairing``, ``existing``, ``waive``, ``table``, ``steps``, ``look``, ``out``,
        and those of :func:`nifti_kit.scan`: see ``model``.

    Attributes
    ----------
    model
        The :class:`nifti_kit.widgets.workbench.model.WorkbenchModel`: what the mouse does is one of
        its methods.
    """

    def __init__(
        self,
        source: PathLike | Dataset = "",
        target: Target | PathLike | None = None,
        *,
        tab: str = "inspect",
        **options: Any,
    ) -> None:
        model = self.model = WorkbenchModel(source, target, **options)
        self._next = action("", self._go, "nk-onward", primary=True)
        self._said = say("", "nk-onward-said")
        self._message = notice(kind="note")
        self._made: dict[str, Any] = {}
        plain = shared_style(w.Layout)
        self._tabs = w.Tab(
            [w.VBox(layout=plain) for _ in TABS],
            titles=tuple(TITLES.values()),
            selected_index=TABS.index(tab) if tab in TABS else 0,
            _dom_classes=("nk-bench-tabs",),
        )
        bar = w.HBox([self._said, self._next], layout={"align_items": "center", "grid_gap": "8px"})
        picker = SourcePickerView(model.source, model.scan)
        parts = [styles(), heading("Workbench"), picker, bar, self._message, self._tabs]
        super().__init__(parts, _dom_classes=("nk-app", "nk-workbench"))
        self._link()
        model.turn(tab)
        self._turn_to()
        if source:
            model.scan()

    def _link(self) -> None:
        model, upload = self.model, self.model.upload
        self._tabs.observe(self._turned, "selected_index")
        model.observe(self._turn_to, "tab")
        model.observe(self._show, ["message", "decisions"])
        model.source.observe(self._show, "dataset")
        model.findings.observe(self._show, "findings")
        model.target.observe(self._show, "target")
        upload.observe(self._show, ["planned", "receipt", "proof", "plan_blockers"])
        for task in (model.source.task, model.matching_task, model.inspect.task):
            task.observe(self._show, "state")
        self._show()

    def _go(self) -> None:
        _, tab = self.model.next
        if tab:
            self.model.turn(tab)

    def _turned(self, change: Any) -> None:
        tab = TABS[change["new"] or 0]
        if tab != self.model.tab:
            self.model.turn(tab)

    def _turn_to(self, _: Any = None) -> None:
        """Bring the model's tab to the front; it is made when it is first opened."""
        at = TABS.index(self.model.tab)
        if self.model.tab not in self._made:
            made = getattr(self, f"_{self.model.tab}")()
            self._made[self.model.tab] = made
            self._tabs.children[at].children = [made]
        self._tabs.selected_index = at
        self._show()
        self._choose_first()

    def _choose_first(self) -> None:
        """Choose a finding where none is: first sight is a picture, and what can be done."""
        findings = self.model.findings
        rows = findings.table.found
        if self.model.tab == "mend" and rows and findings.selected is None:
            findings.table.select(rows[0].key)

    def _inspect(self) -> Any:
        parts = ("items", "classes", "board")
        return InspectView(self.model.inspect, self.model.out, parts=parts)

    def _mend(self) -> Any:
        model = self.model
        path = model.out / "findings.html"
        reading = TaskView(model.inspect.task, quiet=True)
        view = FindingsView(model.findings, model.jump, path, model.mending)
        return w.VBox([reading, view])

    def _scores(self) -> Any:
        return ScoreView(self.model.scores)

    def _match(self) -> Any:
        return _Matching(self.model)

    def _upload(self) -> Any:
        return UploadView(self.model.upload, foot=[_Handed(self.model)])

    def _show(self, _: Any = None) -> None:
        model = self.model
        text, tab = model.next
        self._said.value = paragraph(text)
        is_elsewhere = bool(tab) and tab != model.tab
        self._next.description = f"Go to {TITLES[tab]}" if is_elsewhere else ""
        self._next.layout.display = "" if is_elsewhere else "none"
        self._message.say([model.message] if model.message else ())
        left = model.open
        for at, name in enumerate(TABS):
            count = left.get(name, 0)
            self._tabs.set_title(at, TITLES[name] + (f" ({count} {LEFT[name]})" if count else ""))


class _Handed(w.VBox):
    """A field for what another notebook saved, made when there is a source that could take it."""

    def __init__(self, model: WorkbenchModel) -> None:
        self.model = model
        self._path: Any = None
        super().__init__((), layout={"display": "none"}, _dom_classes=("nk-handed",))
        model.observe(self._show, "tab")
        model.source.observe(self._show, "dataset")
        self._show()

    def _build(self) -> None:
        self._path = w.Combobox(
            description="From another notebook:",
            placeholder="a mapping (.json), or a corrected score table (.csv)",
            layout={"width": "min(100%, 40rem)"},
            style={"description_width": "initial"},
            _dom_classes=("nk-path",),
        )
        self._take = Gated(
            "Take it", self._do, lambda: self.model.take_blockers(self._path.value), "nk-take-file"
        )
        self._error = notice(kind="error")
        row = w.HBox([self._path, self._take], layout={"flex_flow": "row wrap"})
        self.children = [row, self._error]
        self._path.observe(self._take.refresh, "value")

    def _do(self) -> None:
        self._error.say(())
        try:
            self.model.take_file(self._path.value)
            self._path.value = ""
        except NiftiKitError as error:
            self._error.say([str(error)])

    def _show(self, _: Any = None) -> None:
        if self.model.tab != "upload":
            return
        takes = self.model.takes_files
        self.layout.display = "" if takes else "none"
        if takes and self._path is None:
            self._build()
        if takes:
            self._error.say(())
            self._path.options = self.model.found_files
            self._take.refresh()


class _Matching(w.VBox):
    """The matching with the target's volumes; without one, why there is none."""

    def __init__(self, model: WorkbenchModel) -> None:
        self.model = model
        self._why = Gated(
            "Match", model.match, lambda: model.match_blockers, "nk-match", primary=True
        )
        self._place = w.VBox()
        super().__init__([self._why, TaskView(model.matching_task, quiet=True), self._place])
        model.matching_task.observe(self._show, "state")
        model.source.observe(self._show, "dataset")
        model.target.observe(self._show, "target")
        self._show()

    def _show(self, _: Any = None) -> None:
        self._why.refresh()
        matching = self.model.matching
        self._why.layout.display = "" if matching is None else "none"
        shown = [view.model for view in self._place.children]
        if shown == [matching] or (matching is None and not shown):
            return
        exchange(self._place, [] if matching is None else [MatchingView(matching)])
