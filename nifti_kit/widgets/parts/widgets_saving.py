"""What apps save and do with reasons: a button with what is in its way, a row that saves a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import ipywidgets as w

from nifti_kit.errors import NiftiKitError
from nifti_kit.widgets.parts.views import action, classed, notice, paragraph, say

__all__ = ["Gated", "SaveRow"]


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
        self.button = action(text, do, *names, primary=primary)
        self._blockers = blockers
        self._said = say("", "nk-blockers")
        super().__init__([self.button, self._said])
        self.layout.align_items = "center"
        self.layout.flex_flow = "row wrap"
        self.refresh()

    def refresh(self, _: Any = None) -> None:
        """Look again what is in the way."""
        reasons = list(self._blockers())
        self.button.disabled = bool(reasons)
        self._said.value = paragraph(" ".join(reasons))


class SaveRow(w.VBox):
    """A path with a button to save something there, and one to load it where that can be done.

    Parameters
    ----------
    what
        What is saved, such as ``Marks``.
    path
        What the path is at first.
    save, load
        Called with the path; what ``load`` returns are names that it could not place.
    blockers
        Why it cannot be saved now.
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
        super().__init__([bar, self._done, self._error])
        classed(self, "nk-saving")
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
