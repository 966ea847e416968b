"""The view of mending: offers as buttons, before and after, and the list of what was done."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import ipywidgets as w

from nifti_kit.core import html
from nifti_kit.core.text import counted
from nifti_kit.repairs.offers import Option
from nifti_kit.widgets.mending.model import Mending, told
from nifti_kit.widgets.mending.scenes import Scenes
from nifti_kit.widgets.parts.table_view import TableView
from nifti_kit.widgets.parts.views import (
    Gated,
    Prose,
    SaveRow,
    TaskView,
    action,
    classed,
    discard,
    exchange,
    heading,
    notice,
    paragraph,
    say,
)
from nifti_kit.widgets.viewer.view import LinkedViewers, Viewer

ROW = {"flex_flow": "row wrap", "grid_gap": "6px"}


class MendingView(w.VBox):
    """Shows what can be done about the chosen finding: choose, look at before and after, take.

    Its parts are made when there is something to offer: opening an app stays quick.
    """

    def __init__(self, model: Mending) -> None:
        self.model, self._is_built = model, False
        super().__init__([], _dom_classes=("nk-mending",))
        model.observe(self._offer_all, "offers")
        model.observe(self._show_offer, "offer")
        model.observe(self._show, ["offer", "values", "every", "seen", "message"])
        model.task.observe(self._show, "state")
        self._offer_all()

    def _build(self) -> None:
        model = self.model
        self._title = heading("What can be done", 4)
        self._offers = w.HBox(layout=ROW, _dom_classes=("nk-offers",))
        self._what = say("", "nk-offer-what")
        self._fields = w.VBox(_dom_classes=("nk-offer-fields",))
        self._every = w.Checkbox(indent=False, _dom_classes=("nk-every",), layout={"width": "auto"})
        self._look = Gated(
            "Show before and after", model.look, lambda: model.look_blockers, "nk-look-offer"
        )
        self._proof = Prose(_dom_classes=("nk-text", "nk-offer-proof"))
        self._take = Gated(
            "Take it", model.take, lambda: model.take_blockers, "nk-take", primary=True
        )
        self._through = Gated(
            "Look through the slices",
            self._look_through,
            lambda: model.through_blockers,
            "nk-look-through",
        )
        self._item = w.Dropdown(description="of:", layout={"width": "auto"})
        self._item.style.description_width = "initial"
        self._slices = w.HBox([self._through, classed(self._item, "nk-through-item")], layout=ROW)
        self._error, self._message = notice(kind="error"), notice(kind="good")
        task = TaskView(model.task, quiet=True)
        acts = w.HBox([self._look, self._take], layout=ROW)
        seen = [task, self._proof, self._slices]
        self._chosen = w.VBox([self._what, self._fields, self._every, acts, *seen])
        model.opening.observe(self._through.refresh, "state")
        self._every.observe(self._mean_every, "value")
        self._is_built = True
        self.children = (self._title, self._offers, self._chosen, self._error, self._message)

    def _mean_every(self, change: Any) -> None:
        if change["new"] != self.model.every:
            self.model.for_every(change["new"])
            self._look_at_once()

    def _choose(self, at: int) -> None:
        self.model.choose(at)
        self._look_at_once()

    def _fill(self, name: str, change: Any) -> None:
        self.model.fill(name, change["new"])
        if isinstance(change["owner"], w.Dropdown):  # else a person is typing
            self._look_at_once()

    def _look_through(self) -> None:
        self.model.look_through(self._item.value or "")

    def _look_at_once(self) -> None:
        """Show before and after without another press, where nothing is missing."""
        if not self.model.look_blockers:
            self.model.look()

    def _offer_all(self, _: Any = None) -> None:
        """Show a button for each offer, in their order."""
        if not self._is_built:
            if not self.model.offers:
                return
            self._build()
        buttons = [
            action(
                offer.title,
                partial(self._choose, at),
                "nk-offer",
                f"nk-offer-{offer.kind.replace(' ', '-')}",
                hint=offer.what,
            )
            for at, offer in enumerate(self.model.offers)
        ]
        exchange(self._offers, buttons)
        shown = "" if self.model.offers else "none"
        self._title.layout.display = self._offers.layout.display = shown
        self._show_offer()

    def _show_offer(self, _: Any = None) -> None:
        """Show the fields of the chosen offer."""
        if not self._is_built:
            return
        offer = self.model.offer
        options = offer.options if offer is not None else ()
        exchange(self._fields, [self._field(option) for option in options])
        self._what.value = paragraph(offer.what if offer is not None else "")
        every = self.model.every_offer
        self._every.value = False
        self._every.layout.display = "none" if every is None else ""
        if every is not None:
            self._every.description = f"For all {counted(len(every.files), 'file')} of this finding"
        for button, one in zip(self._offers.children, self.model.offers, strict=True):
            button.button_style = "info" if one is offer else ""
        self._show()

    def _field(self, option: Option) -> Any:
        """Return the field of an option."""
        look = {"description": f"{option.label}:", "layout": {"width": "min(100%, 34rem)"}}
        look |= {"style": {"description_width": "initial"}, "_dom_classes": ("nk-option",)}
        value = self.model.values.get(option.name)
        field: Any
        if option.kind == "choice":
            rest = [("choose ...", None)] if value is None else []
            options = [*rest, *((words, choice) for choice, words in option.choices)]
            field = w.Dropdown(options=options, value=value, **look)
        elif option.kind == "flag":
            field = w.Checkbox(value=bool(value), **look)
        else:
            text = "" if value is None else str(value)
            field = w.Text(value=text, continuous_update=True, **look)
        field.observe(partial(self._fill, option.name), "value")
        return field

    def _show(self, _: Any = None) -> None:
        if not self._is_built:
            return
        model = self.model
        self._chosen.layout.display = "none" if model.offer is None else ""
        self._look.refresh()
        self._take.refresh()
        self._proof.value = "" if model.seen is None else _proof(model)
        self._show_items()
        failed = model.task.state == "failed"
        self._error.say([model.task.text] if failed else ())
        self._message.say(model.message)

    def _show_items(self) -> None:
        """Offer to look through the items that would change."""
        names = self.model.changed_items
        self._slices.layout.display = "none" if self.model.seen is None else ""
        self._through.refresh()
        if self._item.options != names:
            self._item.options = names
        self._item.layout.display = "" if len(names) > 1 else "none"


class SlicesView(w.VBox):
    """Shows an item before and after in two viewers that move together; nothing until it is asked.

    They stand side by side where their app is wide, one under the other where it is not.
    """

    def __init__(self, model: Mending) -> None:
        self.model, self._place, self._is_built = model, w.VBox(), False
        super().__init__([], _dom_classes=("nk-slices",))
        model.opening.observe(self._build, "state")
        model.observe(self._show, "scenes")

    def _build(self, _: Any) -> None:
        if not self._is_built:
            self._is_built = True
            self.children = (TaskView(self.model.opening, quiet=True), self._place)

    def _show(self, change: Any) -> None:
        exchange(self._place, [] if change["new"] is None else self._sides(change["new"]))

    def _sides(self, scenes: Scenes) -> list[Any]:
        said = [say(side, "nk-unseen") for side in scenes if isinstance(side, str)]
        first, *rest = scenes.viewers
        viewers = [Viewer(first, part="leads"), *(Viewer(one, part="follows") for one in rest)]
        shown = [LinkedViewers(*viewers)] if rest else viewers
        title = heading("Before and after, slice by slice", 4)
        take = action("Take it", self._take, "nk-take-seen", primary=True)
        close = action("Close the slices", self.model.close_slices, "nk-close-slices")
        row = {**ROW, "align_items": "center"}
        return [w.HBox([title, take, close], layout=row), *said, *shown]

    def _take(self) -> None:
        if not self.model.take_blockers:  # else it says why where the offer is
            self.model.take()


def _proof(model: Mending) -> html.Markup:
    """Return what an offer would change: two pictures side by side, in words, and all labels."""
    figures = [
        html.element("div", html.element("b", word), html.figure(picture))
        for word, picture in zip(("Before", "After"), model.pictures, strict=False)
        if picture is not None
    ]
    beside = html.element("div", *figures, kind="nk-before-after")
    words = [html.element("p", line) for line in told(model.seen)]
    whole = html.details("Each file and label", html.Markup(model.seen._repr_html_()))
    return html.element("div", beside, *words, whole)


class StepsView(w.VBox):
    """Shows what was done: each step can be undone, all can be saved, replayed and copied.

    Its parts are made when a step was taken, or when a person wants to replay some.
    """

    def __init__(self, model: Mending, path: str | os.PathLike[str] = "steps.json") -> None:
        self.model, self._path, self._is_built = model, path, False
        self._open = action("Steps: replay saved ones", self._build, "nk-replay")
        super().__init__([self._open], _dom_classes=("nk-steps",))
        model.observe(self._show, "steps")
        model.task.observe(self._show, "state")

    def _build(self) -> None:
        model = self.model
        self._table = classed(TableView(model.table, "Steps"), "nk-steps-table")
        self._undo = Gated("Undo the last step", model.undo, lambda: model.undo_blockers, "nk-undo")
        self._code = Prose(_dom_classes=("nk-text", "nk-steps-code"))
        saving = SaveRow("Steps", self._path, model.save, model.load)
        self._done = w.VBox([self._table, self._undo, self._code])
        self._is_built = True
        self.children = (heading("Steps: what was done", 4), self._done, saving)
        discard(self._open)
        self._show()

    def _show(self, _: Any = None) -> None:
        done = len(self.model.steps)
        if not self._is_built:
            if done:
                self._build()
            return
        self._done.layout.display = "" if done else "none"
        self._undo.refresh()
        code = html.element("pre", html.element("code", self.model.code)) if done else ""
        summary = html.element("summary", "The same as code")
        self._code.value = html.element("details", summary, code) if done else ""
