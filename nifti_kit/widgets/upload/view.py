"""The app ``Uploader``: source, target, plan, upload, receipt, proof."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import ipywidgets as w

from nifti_kit.core import html
from nifti_kit.core.text import counted
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.widgets.mending.findings_view import FindingsView
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
    heading,
    notice,
    paragraph,
    say,
    shared_style,
    styles,
)
from nifti_kit.widgets.upload.changes import ChangesPanel
from nifti_kit.widgets.upload.model import UploadModel
from nifti_kit.widgets.upload.planning import PAIRINGS
from nifti_kit.widgets.upload.tables import EXISTING_HELP, ReceiptTables, first_line

TITLES = ("Volumes", "Objects", "Classes", "Findings")
"""Of the tabs of a plan, in their order; each is made when it is first opened."""


class UploadView(w.VBox):
    """Shows an upload from its target to its proof.

    ``head`` stands above, ``foot`` below the plan; ``source`` is the view of a picker of its own.
    """

    def __init__(
        self,
        model: UploadModel,
        head: Iterable[Any] = (),
        source: Any | None = None,
        foot: Iterable[Any] = (),
    ) -> None:
        self.model = model
        evidence = EvidenceView(model)
        acts = [
            heading("What is there already", 4),
            ExistingView(model),
            heading("Upload", 4),
            LandingView(model),
            heading("Receipt and proof", 4),
            evidence,
        ]
        plan = w.VBox([heading("What will land", 4), PlanView(model), *foot])
        place = w.VBox([heading("Target", 4), TargetPickerView(model.target)])
        if source is not None:
            place = beside(w.VBox([heading("Source", 4), source]), place)
        super().__init__([*head, place, beside(plan, w.VBox(acts)), *evidence.lists])
        classed(self, "nk-uploader")


class Uploader(UploadView):
    """Shows an upload from its source to its proof.

    Parameters
    ----------
    source
        A path, or a dataset that :func:`nifti_kit.scan` or a repair returned.
    target
        Such as :class:`nifti_kit.ProjectFolder`; chosen in the app if None.
    options
        ``mapping``, ``existing``, ``waive``, ``out``: see ``model``.

    Attributes
    ----------
    model
        The :class:`nifti_kit.widgets.upload.model.UploadModel`: what the mouse does is one of its
        methods.
    """

    def __init__(
        self, source: str | os.PathLike[str] | Dataset = "", target: Any = None, **options: Any
    ) -> None:
        model = UploadModel(source, target, **options)
        super().__init__(model, [styles(), heading("Upload")], SourcePickerView(model.source))
        classed(self, "nk-app")


class PlanView(w.VBox):
    """Shows what will land, and what was found."""

    def __init__(self, model: UploadModel) -> None:
        self.model = model
        self._pairing = classed(
            w.Dropdown(
                options=[(text, name) for name, text in PAIRINGS.items()], value=model.pairing
            ),
            "nk-pairing",
        )
        self._pairing.layout.width = "min(100%, 44rem)"
        label = say("Which volume an annotation belongs to is said by")
        self._paired = w.HBox([label, self._pairing])
        self._button = Gated(
            "Make the plan", model.plan, lambda: model.plan_blockers, "nk-plan", primary=True
        )
        self._summary = say("", "nk-summary")
        plain = shared_style(w.Layout)
        self._tabs = w.Tab(
            [w.VBox(layout=plain) for _ in TITLES],
            titles=TITLES,
            layout={"display": "none"},
            _dom_classes=("nk-plan-parts",),
        )
        task = TaskView(model.planning, quiet=True)
        super().__init__([self._paired, self._button, task, self._summary, self._tabs])
        classed(self, "nk-planning")
        self._pairing.observe(lambda change: setattr(model, "pairing", change["new"]), "value")
        self._tabs.observe(self._open, "selected_index")
        model.observe(self._show, ["planned", "plan_blockers", "blockers", "pairing"])
        model.source.observe(self._show, "dataset")
        self._show()

    def _open(self, _: Any = None) -> None:
        """Make the tab that is in front, unless it was made."""
        at = self._tabs.selected_index or 0
        place = self._tabs.children[at]
        if not place.children:
            place.children = [self._findings() if at == len(TITLES) - 1 else self._table(at)]

    def _table(self, at: int) -> Any:
        tables = self.model.plan_tables
        table, name = (
            (tables.items, "nk-items"),
            (tables.objects, "nk-objects"),
            (tables.classes, "nk-classes"),
        )[at]
        return classed(TableView(table, f"{TITLES[at]} that will land"), name)

    def _findings(self) -> Any:
        model = self.model
        return FindingsView(
            model.findings,
            path=os.path.join(model.out or ".", "findings.html"),  # noqa: PTH118
            mending=model.mending if model.mending.findings is model.findings else None,
        )

    def _show(self, _: Any = None) -> None:
        model, planned = self.model, self.model.planned
        self._paired.layout.display = "" if model.is_annotations else "none"
        self._pairing.value = model.pairing
        self._button.refresh()
        self._tabs.layout.display = "" if planned is not None else "none"
        if planned is None:
            old = "The plan was for another choice: make it again." if model.is_stale else ""
            self._summary.value = paragraph(old)
            return
        blocked = counted(len(planned.blockers), "error") if planned.blockers else ""
        way = f" {blocked} in the way: see Findings." if blocked else ""
        self._summary.value = paragraph(f"{model.summary}.{way}")
        shown = (planned.items, planned.objects, planned.classes, planned.findings)
        titles = [f"{name} ({len(part)})" for name, part in zip(TITLES, shown, strict=True)]
        mark = "\N{HEAVY MULTIPLICATION X} " if planned.blockers else ""
        self._tabs.titles = (*titles[:-1], f"{mark}{titles[-1]}")
        self._open()


class ExistingView(w.VBox):
    """Shows what is on the target already, and what shall become of it."""

    def __init__(self, model: UploadModel) -> None:
        self.model = model
        options = [(f"{name}: {text}", name) for name, text in EXISTING_HELP.items()]
        self._choice = classed(w.RadioButtons(options=options, value=model.existing), "nk-existing")
        self._choice.layout.width = "auto"
        self._there = notice(kind="note")
        self._none = say("", "nk-there")
        self._changes = Gated(
            "Show what replacing would change",
            model.show_changes,
            lambda: model.changes_blockers,
            "nk-show-changes",
        )
        changes = ChangesView(model.replacing, "What replacing would change", "nk-replacing")
        super().__init__([self._none, self._there, self._choice, self._changes, changes])
        classed(self, "nk-there-already")
        self._choice.observe(lambda change: setattr(model, "existing", change["new"]), "value")
        model.observe(self._show, ["planned", "existing", "blockers"])
        self._show()

    def _show(self, _: Any = None) -> None:
        model = self.model
        self._choice.value = model.existing
        self._changes.refresh()
        self._changes.layout.display = "" if model.there else "none"
        self._there.say(model.there)
        said = "The plan says what is there." if model.planned is None else ""
        if model.planned is not None and not model.there:
            said = "Nothing of this was there when the plan was made: all choices do the same."
        self._none.value = paragraph(said)


class ChangesView(w.VBox):
    """Shows what would change, or has changed: in words by class, and object by object."""

    _table: Any = None

    def __init__(self, model: ChangesPanel, label: str, name: str) -> None:
        self.model = model
        self._said, self._label = notice(kind="note"), label
        self._told = (TaskView(model.task, quiet=True), self._said)
        super().__init__(self._told)
        classed(self, name)
        model.observe(self._show, "found")
        self._show()

    def _show(self, _: Any = None) -> None:
        self._said.say(self.model.summary.splitlines())
        rows = self.model.table.rows
        if rows and self._table is None:  # most uploads have none: no page has its parts
            self._table = classed(TableView(self.model.table, self._label), "nk-changed")
            self.children = (*self._told, self._table)
        if self._table is not None:
            self._table.layout.display = "" if rows else "none"


class LandingView(w.VBox):
    """Shows the upload: its button, its progress, what it came to."""

    def __init__(self, model: UploadModel) -> None:
        self.model = model
        self._button = action("Upload", model.upload, "nk-upload", primary=True)
        self._blockers, self._resumes = notice(), notice(kind="note")
        self._outcome, self._closing = notice(), notice(kind="note")
        task = TaskView(model.landing)
        row = w.HBox([self._button])
        parts = [self._blockers, self._resumes, row, task, self._closing, self._outcome]
        super().__init__(parts)
        classed(self._closing, "nk-closing")
        classed(self, "nk-landing")
        classed(self._blockers, "nk-upload-blockers")
        classed(self._outcome, "nk-outcome")
        model.observe(self._show, ["blockers", "outcome", "planned", "saved"])
        self._show()

    def _show(self, _: Any = None) -> None:
        model = self.model
        self._button.disabled = bool(model.blockers)
        self._closing.say([model.closing] if model.closing else [])
        self._blockers.say(model.blockers)
        self._outcome.say(model.outcome)
        self._resumes.say(model.going_on)


class EvidenceView(w.VBox):
    """Shows receipt and proof, where they are kept, and where the project is.

    ``lists``: what landed, and how it compares, object by object; they want a page's width.
    """

    def __init__(self, model: UploadModel) -> None:
        self.model, self.receipt_tables = model, ReceiptTables()
        self._receipt, self._proof = say("", "nk-receipt"), say("", "nk-proof")
        self._link = classed(Prose(), "nk-link", "nk-text")
        self._landed = classed(TableView(self.receipt_tables.landed, "What landed"), "nk-landed")
        self._proved = classed(TableView(self.receipt_tables.proved, "Comparison"), "nk-proved")
        self._saved = classed(notice(kind="note"), "nk-saved")
        self._verify = Gated(
            "Verify", model.verify, lambda: model.verify_blockers, "nk-verify", primary=True
        )
        self.lists = (
            w.VBox([heading("What landed, object by object", 4), self._landed]),
            w.VBox([heading("What was read back, object by object", 4), self._proved]),
        )
        parts = [self._receipt, self._link, self._verify, TaskView(model.checking)]
        self._since = Gated(
            "What has changed since the upload?",
            model.show_changes_since,
            lambda: model.since_blockers,
            "nk-show-since",
        )
        changes = ChangesView(model.since, "What has changed since the upload", "nk-since")
        super().__init__([*parts, self._proof, self._saved, self._since, changes])
        classed(self, "nk-evidence")
        model.observe(self._show, ["receipt", "proof", "saved", "verify_blockers"])
        self._show()

    def _show(self, change: Any = None) -> None:
        model, name = self.model, change and change["name"]
        if name in (None, "receipt"):
            self.receipt_tables.show_receipt(model.receipt)
            self._state(self._receipt, "nk-receipt", model.receipt)
            self._link.value = _link(model.link) if model.receipt is not None else ""
        if name in (None, "proof"):
            self.receipt_tables.show_proof(model.proof)
            self._state(self._proof, "nk-proof", model.proof)
        tables = (self.receipt_tables.landed, self.receipt_tables.proved)
        for part, table in zip(self.lists, tables, strict=True):
            part.layout.display = "" if table.rows else "none"
        self._saved.say([f"Saved: {path}" for path in model.saved])
        self._verify.refresh()
        self._since.refresh()
        self._since.layout.display = "none" if model.receipt is None else ""

    def _state(self, line: Any, name: str, result: Any) -> None:
        """Show the title of a receipt or a proof, marked by how it stands."""
        tone = result.tone if result is not None else ""
        line._dom_classes = ("nk-text", name, *(("nk-notice", f"nk-{tone}") if tone else ()))
        line.value = paragraph(first_line(result))


def _link(link: str) -> html.Markup:
    """Return where the project is: a link into the web, or the path of a folder."""
    if link.startswith(("http://", "https://")):
        address = html.text(link)
        shown = html.Markup(
            f"<a href='{address}' target='_blank' rel='noopener noreferrer'>{address}</a>"
        )
    else:
        shown = html.element("code", link)
    return html.element("div", "The project: ", shown)
