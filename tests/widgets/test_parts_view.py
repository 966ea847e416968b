"""Parts that all views share: buttons with reasons, and boxes of choices."""

from __future__ import annotations

from typing import Any

import ipywidgets as w

from nifti_kit.errors import NiftiKitError
from nifti_kit.widgets.parts.views import Gated, show_choices


def said(gate: Gated) -> str:
    return str(gate.children[1].value)


def test_a_press_that_comes_too_late_does_nothing_and_says_why() -> None:
    blockers: list[str] = []
    done: list[int] = []
    gate = Gated("Take it", lambda: done.append(1), lambda: blockers, "nk-take")
    blockers.append("Choose <what> to do.")  # while the press is on its way
    gate.button.click()
    assert done == []
    assert gate.button.disabled
    assert "Choose &lt;what&gt; to do." in said(gate)


def test_what_is_refused_is_said_beside_its_button_and_can_be_tried_again() -> None:
    faults = ["the disk is full"]

    def act() -> None:
        if faults:
            raise NiftiKitError(faults.pop())

    gate = Gated("Save", act, tuple)
    gate.button.click()
    assert "the disk is full" in said(gate)
    assert not gate.button.disabled
    gate.button.click()
    assert "the disk is full" not in said(gate)


def test_choices_that_another_thread_has_replaced_stay() -> None:
    box: Any = w.Dropdown(options=["a"], value="a")

    def newer(_: Any) -> None:
        box.unobserve(newer, "options")
        box.options = ["c", "d"]

    box.observe(newer, "options")
    show_choices(box, ["a", "b"], "b")
    assert (box.options, box.value) == (("c", "d"), "c")
    show_choices(box, ["c", "d"], "d")
    assert box.value == "d"
