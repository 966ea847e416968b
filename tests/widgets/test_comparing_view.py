"""The widgets of ``Compare``, and of changes: they show the model, their buttons call it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit import widgets
from nifti_kit.widgets.parts.views import Gated, SaveRow
from nifti_kit.widgets.upload.changes import ChangesPanel
from nifti_kit.widgets.upload.view import ChangesView
from nifti_kit.widgets.viewer.view import Viewer
from tests.support.builders import AFFINE, write_nifti
from tests.support.landings import land
from tests.widgets.test_comparing_model import FIRST, SECOND, block, written

MARKUP = "<img src=x onerror=alert(1)>"
ESCAPED = "&lt;img src=x onerror=alert(1)&gt;"


@pytest.fixture
def a(tmp_path: Path) -> Path:
    return written(tmp_path / "a", FIRST)


@pytest.fixture
def b(tmp_path: Path) -> Path:
    return written(tmp_path / "b", SECOND)


def all_parts(view: Any) -> list[Any]:
    return [view, *(one for child in getattr(view, "children", ()) for one in all_parts(child))]


def part(view: Any, name: str) -> Any:
    """The part of a view with a CSS class."""
    (found,) = [one for one in all_parts(view) if name in getattr(one, "_dom_classes", ())]
    return found


def viewers(view: Any) -> list[Any]:
    return [one for one in all_parts(view) if isinstance(one, Viewer)]


def test_both_sides_are_compared_at_once_unless_it_waits_for_the_button(a: Path, b: Path) -> None:
    waiting = widgets.Compare(a, b, start=False)
    assert waiting.model.comparing.state == "idle"
    assert part(waiting, "nk-differences").layout.display == "none"
    view = widgets.Compare(a, b)
    view.model.join()
    assert "2 differences" in part(view, "nk-summary").value
    assert part(view, "nk-differences").layout.display == ""
    assert "lung" in part(view, "nk-detail").value
    assert widgets.Compare(a).model.comparing.state == "idle"


def test_another_volume_is_another_viewer_and_the_old_one_is_closed(a: Path, b: Path) -> None:
    view = widgets.Compare(a, b)
    view.model.join()
    (first,) = viewers(view)
    view.model.choose(1)
    view.model.join()
    (second,) = viewers(view)
    assert second is not first
    assert first.comm is None
    view.model.b.source.path = str(a)
    assert viewers(view) == []
    assert part(view, "nk-differences").layout.display == "none"


def test_the_reasons_stand_beside_the_buttons(a: Path, b: Path) -> None:
    view = widgets.Compare(a)
    compare, save = (
        next(
            one
            for one in all_parts(view)
            if isinstance(one, Gated) and one.button.description == text
        )
        for text in ("Compare", "Save")
    )
    assert compare.button.disabled
    assert save.button.disabled
    view.model.b.choose(b)
    assert not compare.button.disabled
    view.model.compare()
    view.model.join()
    assert not save.button.disabled
    assert any(isinstance(one, SaveRow) for one in all_parts(view))


def test_each_kind_of_side_shows_its_own_part(a: Path) -> None:
    view = widgets.Compare(a, nk.plan(nk.scan(a)), start=False)
    side = part(view, "nk-side-b")
    kind = part(side, "nk-kind")
    assert (kind.value, len(kind.options)) == ("given", 4)
    assert "Plan" in part(side, "nk-given").value
    kind.value = "folder"
    assert view.model.b.kind == "folder"
    assert part(side, "nk-folder").layout.display == ""
    assert part(side, "nk-given").layout.display == "none"
    assert len(part(part(view, "nk-side-a"), "nk-kind").options) == 3


def test_names_with_markup_are_text(tmp_path: Path) -> None:
    sides = [
        written(tmp_path / side, {MARKUP: {MARKUP: block(first)}})
        for side, first in (("a", 1), ("b", 2))
    ]
    view = widgets.Compare(*sides)
    view.model.join()
    shown = [str(getattr(one, "value", "")) for one in all_parts(view)]
    assert ESCAPED in part(view, "nk-detail").value
    assert not [text for text in shown if "<img src=x" in text]


def test_changes_are_told_by_class_and_object_by_object(a: Path, tmp_path: Path) -> None:
    target = nk.ProjectFolder(tmp_path / "project", "knees")
    land(a, target)
    write_nifti(a / "P" / "liver.nii.gz", block(2), AFFINE)
    panel = ChangesPanel()
    view = ChangesView(panel, "Changes", "nk-replacing")
    assert not [one for one in all_parts(view) if "nk-changed" in one._dom_classes]
    panel.ask(nk.plan(nk.scan(a)), target).join()
    table = part(view, "nk-changed")
    assert table.layout.display == ""
    assert "liver: 1 edited" in all_parts(part(view, "nk-notice"))[1].value
    panel.forget()
    assert table.layout.display == part(view, "nk-notice").layout.display == "none"
