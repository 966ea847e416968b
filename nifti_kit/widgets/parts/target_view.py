"""The view of a target picker: a project folder, or a place on a live instance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as w

from nifti_kit.widgets.parts.targets import (
    STEPS,
    WHOLE_PROJECT,
    FolderPlace,
    InstancePlace,
    TargetPicker,
)
from nifti_kit.widgets.parts.views import (
    Folded,
    Gated,
    TaskView,
    action,
    classed,
    notice,
    paragraph,
    say,
    show_choices,
)

KIND_TITLES = {
    "folder": "a project folder on disk",
    "instance": "a live instance of Supervisely",
    "given": "the target that was given",
}

ROW = {"flex_flow": "row wrap", "align_items": "center"}

TOKEN = (
    "Address and token come from SERVER_ADDRESS and API_TOKEN in the environment, or from "
    "~/supervisely.env. Nothing is sent before you press Connect; the token is never shown or kept."
)


class FolderView(w.VBox):
    """Shows a project folder and the dataset in it."""

    def __init__(self, model: FolderPlace) -> None:
        self.model = model
        self._path = _wide(w.Text(description="Folder:", continuous_update=True), "nk-path")
        self._dataset = _wide(
            w.Combobox(description="Dataset:", continuous_update=True, ensure_option=False),
            "nk-dataset",
        )
        one = "one that is there" if model.reads else "a new name, or one that is there"
        self._dataset.placeholder = f"{one}; empty for the whole project"
        self._said = say("", "nk-said")
        super().__init__([self._path, self._dataset, self._said], _dom_classes=("nk-folder",))
        self._show()
        self._path.observe(lambda change: setattr(model, "path", change["new"].strip()), "value")
        self._dataset.observe(
            lambda change: setattr(model, "dataset", change["new"].strip()), "value"
        )
        model.observe(self._show, ["path", "dataset", "datasets", "blockers", "target"])

    def _show(self, _: Any = None) -> None:
        model = self.model
        # What is being typed stays as it is: only a change from elsewhere is shown.
        if self._path.value.strip() != model.path:
            self._path.value = model.path
        if self._dataset.value.strip() != model.dataset:
            self._dataset.value = model.dataset
        self._dataset.options = model.datasets
        self._said.value = paragraph(model.said)


class InstanceView(w.VBox):
    """Shows the places of an instance, each to be chosen, or made unless it ``reads`` only."""

    def __init__(
        self, model: InstancePlace, connect: Callable[[], Any] | None = None, *, reads: bool = False
    ) -> None:
        self.model, self._reads = model, reads
        self._filling = False
        self._connect = action("Connect", connect or model.connect, "nk-connect", primary=True)
        self._address = say("", "nk-address")
        self._boxes = {step: self._box(step) for step in STEPS}
        self._names = {step: self._name(step) for step in STEPS[2:]}
        self._makes = {
            "project": self._make("project", model.make_project),
            "dataset": self._make("dataset", model.make_dataset),
        }
        self._places = w.VBox([self._row(step) for step in STEPS])
        head = w.HBox([self._connect, self._address], layout=ROW)
        super().__init__([say(TOKEN), head, TaskView(model.task, quiet=True), self._places])
        classed(self, "nk-instance")
        model.observe(self._show, ["address", "target", *STEPS, *(f"{step}s" for step in STEPS)])
        model.task.observe(self._show, "state")
        self._show()

    def _box(self, step: str) -> Any:
        box = _wide(w.Dropdown(description=f"{step.title()}:"), f"nk-{step}")
        box.observe(lambda change: self._choose(step, change["new"]), "value")
        return box

    def _name(self, step: str) -> Any:
        text = classed(w.Text(continuous_update=True), f"nk-new-{step}")
        text.placeholder = f"a new {step}'s name"
        text.observe(self._show, "value")
        return text

    def _make(self, step: str, make: Callable[[str], None]) -> Gated:
        name = self._names[step]
        return Gated(
            f"Make {step}",
            lambda: make(name.value),
            lambda: self.model.make_blockers(step, name.value),
            f"nk-make-{step}",
        )

    def _row(self, step: str) -> Any:
        makes = step in self._names and not self._reads
        new = [self._names[step], self._makes[step]] if makes else []
        return w.HBox([self._boxes[step], *new], layout=ROW)

    def _choose(self, step: str, number: int | None) -> None:
        if not self._filling and number is not None:
            self.model.choose(step, number)

    def _show(self, _: Any = None) -> None:
        model, running = self.model, self.model.task.is_running
        self._connect.disabled = running
        self._connect.description = "Connect again" if model.address else "Connect"
        self._address.value = paragraph(f"Connected to {model.address}" if model.address else "")
        self._places.layout.display = "" if model.address else "none"
        self._filling = True  # what the lists say while they are filled is nobody's choice
        try:
            for step, box in self._boxes.items():
                options = _options(model, step, reads=self._reads)
                show_choices(box, options, getattr(model, step))
                box.disabled = running or len(options) == 1
        finally:
            self._filling = False
        for made in self._makes.values():
            made.refresh()


class PlaceView(w.VBox):
    """Shows one place of several kinds: the choice of a kind, and below it what that kind asks.

    The model has ``kind``, ``kinds``, ``given`` and ``blockers``; ``titles`` are its kinds in
    words, ``places`` what each asks. Once it is filled in, its line begins with ``title``.
    """

    def __init__(
        self,
        model: Any,
        asks: str,
        titles: Mapping[str, str],
        places: Mapping[str, Any],
        above: Sequence[Any] = (),
        title: str = "Target",
    ) -> None:
        self.model, self._titles = model, titles
        self._kind = classed(w.RadioButtons(description=asks), "nk-kind")
        self._kind.layout.width = "auto"
        self._given = say("", "nk-given")
        self._places: dict[str, Any] = {**places, "given": self._given}
        self._blockers = notice()
        self._form = Folded(title, [self._kind, *self._places.values()])
        super().__init__([*above, self._form, self._blockers])
        self._show()
        text = self.filled_text()
        self._form.say(text, fold=bool(text))  # what a person fills in stays open
        self._kind.observe(self._take, "value")
        told = ("kind", "given", "target", "blockers")
        model.observe(self._show, [name for name in told if model.has_trait(name)])

    def given_text(self) -> str:
        """Return what the code gave, in words."""
        raise NotImplementedError

    def filled_text(self) -> str:
        """Return what is chosen, in one line; ``""`` while something is missing."""
        raise NotImplementedError

    def shown_blockers(self) -> Sequence[str]:
        """Return what is in the way, as far as it is said here."""
        raise NotImplementedError

    def _take(self, change: Any) -> None:
        if change["new"]:
            self.model.kind = change["new"]

    def _show(self, _: Any = None) -> None:
        model = self.model
        options = tuple((self._titles[kind], kind) for kind in model.kinds)
        if self._kind.options != options:
            kind = model.kind
            self._kind.options = options
            model.kind = kind
        self._kind.value = model.kind
        for kind, place in self._places.items():
            place.layout.display = "" if kind == model.kind else "none"
        self._given.value = paragraph(self.given_text())
        self._blockers.say(self.shown_blockers())
        self._form.say(self.filled_text())


class TargetPickerView(PlaceView):
    """Shows where things land."""

    def __init__(self, model: TargetPicker) -> None:
        places = {
            "folder": FolderView(model.folder),
            "instance": InstanceView(model.instance, model.connect),
        }
        super().__init__(model, "Land in:", KIND_TITLES, places)
        classed(self, "nk-target")

    def given_text(self) -> str:
        """Return what the code gave, as it shows itself."""
        return f"{self.model.given!r}"

    def filled_text(self) -> str:
        """Return the folder and its dataset, or what the code gave."""
        if self.model.target is None:
            return ""
        if self.model.kind != "folder":
            return f"{self.model.target!r}"
        return folder_text(self.model.folder)

    def shown_blockers(self) -> Sequence[str]:
        """Return all that is in the way."""
        blockers: Sequence[str] = self.model.blockers
        return blockers


def folder_text(folder: FolderPlace) -> str:
    """Return a project folder and its dataset in one line."""
    return f"{folder.path}, dataset {folder.dataset}" if folder.dataset else folder.path


def _options(model: InstancePlace, step: str, *, reads: bool) -> tuple[tuple[str, int], ...]:
    found = [(f"{place.name} (id {place.id})", place.id) for place in getattr(model, f"{step}s")]
    whole = [(f"the whole project{'' if reads else ' (annotations only)'}", WHOLE_PROJECT)]
    more = whole if step == "dataset" and model.project else []
    return (("choose ...", 0), *found, *more)


def _wide(widget: Any, *names: str) -> Any:
    widget.layout.width = "min(100%, 40rem)"
    return classed(widget, *names)
