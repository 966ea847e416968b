"""How apps are laid out: list and picture side by side, forms that fold once they are filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit import widgets
from nifti_kit.widgets.parts.sources import SourcePicker
from nifti_kit.widgets.parts.views import Folded, SourcePickerView, say
from tests.support.builders import SAMPLES, write_planes

APPS = {
    "Compare": (lambda: widgets.Compare(SAMPLES / "by_volume", SAMPLES / "by_volume"), "nk-list"),
    "Inspect": (lambda: widgets.Inspect(SAMPLES / "by_volume"), "nk-items"),
    "ScoreEditor": (lambda: widgets.ScoreEditor(SAMPLES / "scores"), "nk-heat"),
    "Uploader": (lambda: widgets.Uploader(SAMPLES / "by_volume"), "nk-plan-parts"),
}


def parts(widget: Any) -> list[Any]:
    """Return a widget and all within it."""
    inner = [part for child in getattr(widget, "children", ()) for part in parts(child)]
    return [widget, *inner]


def named(widget: Any, name: str) -> list[Any]:
    return [part for part in parts(widget) if name in part._dom_classes]


def is_shown(widget: Any) -> bool:
    return widget.layout.display != "none"


@pytest.mark.parametrize("name", APPS)
def test_the_list_is_left_and_what_is_chosen_right(name: str) -> None:
    make, listed = APPS[name]
    app = make()
    getattr(app.model, "join", lambda: None)()
    left, right = next(one for one in named(app, "nk-beside") if named(one, listed)).children
    assert named(left, listed)
    assert not named(right, listed)


def line_of(form: Folded) -> Any:
    return named(form, "nk-fold")[0]


def test_a_form_folds_to_a_line_by_which_a_person_opens_it() -> None:
    inner = say("inner")
    form = Folded("Source", [inner])
    inside = form.children[1]
    assert (is_shown(line_of(form)), is_shown(inside)) == (False, True)
    form.say("", fold=True)  # nothing is filled in: it stays open
    assert (is_shown(line_of(form)), is_shown(inside)) == (False, True)
    form.say("by_volume", fold=True)
    assert (is_shown(line_of(form)), is_shown(inside)) == (True, False)
    assert line_of(form).description == "Source: by_volume (change)"
    line_of(form).click()
    form.say("other\u202e")
    assert (is_shown(line_of(form)), is_shown(inside)) == (True, True)
    assert line_of(form).description == "Source: other\\u202e (close)"
    line_of(form).click()
    assert not is_shown(inside)


def test_a_source_folds_when_it_is_read_and_opens_when_it_cannot_be(tmp_path: Path) -> None:
    picker = SourcePicker(write_planes(tmp_path / "knees"))
    view = SourcePickerView(picker)
    path, line = named(view, "nk-path")[0], named(view, "nk-fold")[0]
    form = view.children[0].children[1]
    assert path in parts(form)
    assert is_shown(form)
    picker.scan()
    picker.join()
    assert line.description == "Source: knees (change)"
    assert not is_shown(form)
    picker.path = str(tmp_path / "none")
    picker.scan()
    with pytest.raises(nk.errors.NiftiKitError):
        picker.join()
    assert is_shown(form)
    assert not is_shown(line)


def test_a_target_that_is_given_is_folded_until_something_is_missing(tmp_path: Path) -> None:
    target = nk.ProjectFolder(tmp_path / "project", "knees")
    app = widgets.Uploader(write_planes(tmp_path / "in"), target)
    place = named(app, "nk-target")[0]
    line = named(place, "nk-fold")[0]
    assert line.description == f"Target: {tmp_path / 'project'}, dataset knees (change)"
    form = next(one for one in parts(place) if isinstance(one, Folded)).children[1]
    assert not is_shown(form)
    app.model.target.folder.choose("", "")
    assert (is_shown(form), is_shown(line)) == (True, False)


def test_a_target_stays_open_under_the_hands_of_who_fills_it_in(tmp_path: Path) -> None:
    app = widgets.Uploader(write_planes(tmp_path / "in"))
    place = named(app, "nk-target")[0]
    form = next(one for one in parts(place) if isinstance(one, Folded)).children[1]
    app.model.target.folder.choose(str(tmp_path / "other"), "")
    line = named(place, "nk-fold")[0]
    assert (is_shown(form), is_shown(line)) == (True, True)
