"""A proposal of pairs in Inspect and Uploader: shown with its reasons, taken by a button."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ipywidgets as w
import pytest

import nifti_kit as nk
from nifti_kit import widgets
from nifti_kit.widgets.parts.sources import SourcePicker
from nifti_kit.widgets.parts.views import ProposalView
from tests.support.builders import write_planes
from tests.support.trees import label_map, write_tree

EVIL = "<img src=x onerror=alert(1)>"


def parts(view: Any) -> Any:
    yield view
    for child in getattr(view, "children", ()):
        yield from parts(child)


def part(view: Any, name: str) -> Any:
    return next(found for found in parts(view) if name in getattr(found, "_dom_classes", ()))


def press(view: Any) -> None:
    part(view, "nk-take-proposal").click()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {"imagesTr/a_0000.nii": None, "labelsTr/a.nii": label_map()}
    return write_tree(tmp_path / "in", files)


def test_inspect_shows_the_proposal_with_its_reasons_and_takes_it(folder: Path) -> None:
    app = widgets.Inspect(folder)
    app.model.join()
    view = part(app, "nk-proposal")
    assert view.layout.display == ""
    text = part(view, "nk-proposal-text").value
    assert "nnU-Net: 1 mask for 1 image" in text
    assert "label maps in labelsTr" in text
    assert "imagesTr/a_0000.nii" in text
    press(view)
    app.model.join()
    assert view.layout.display == "none"
    assert part(app, "nk-layout").value == "pairs"
    assert [len(item.masks) for item in app.model.dataset.items] == [1]


def test_the_uploader_takes_the_proposal_and_uploads_it(folder: Path, tmp_path: Path) -> None:
    app = widgets.Uploader(folder, nk.ProjectFolder(tmp_path / "out", dataset="d"))
    model = app.model
    model.plan()
    model.planning.join()
    assert [f.code for f in model.planned.blockers] == ["volume-label-map"]
    view = part(app, "nk-proposal")
    assert view.layout.display == ""
    press(view)
    model.source.join()
    assert model.is_stale
    model.plan()
    model.planning.join()
    assert not model.planned.blockers
    assert len(model.planned.objects) == 3
    model.upload()
    model.landing.join()
    model.checking.join()
    assert model.receipt is not None


def test_nothing_is_shown_where_there_is_no_proposal(tmp_path: Path) -> None:
    app = widgets.Inspect(write_planes(tmp_path))
    app.model.join()
    assert part(app, "nk-proposal").layout.display == "none"


def test_the_button_says_why_it_is_disabled_and_names_are_escaped(tmp_path: Path) -> None:
    files = {f"imagesTr/{EVIL}_0000.nii": None, f"labelsTr/{EVIL}.nii": label_map()}
    picker = SourcePicker(write_tree(tmp_path / "in", files))
    view = ProposalView(picker)
    picker.scan()
    picker.join()
    shown = [found.value for found in parts(view) if isinstance(found, w.HTML)]
    assert not any("<img" in value for value in shown)
    assert not part(view, "nk-take-proposal").disabled
    picker.path = str(tmp_path / "gone")
    assert part(view, "nk-take-proposal").disabled
    assert "There is no such file" in part(view, "nk-blockers").value
