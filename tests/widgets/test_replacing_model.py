"""What replacing would change, and what people changed since an upload, without a browser."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.errors import PlanBlocked
from nifti_kit.widgets.upload import changes as panels
from nifti_kit.widgets.upload.model import UploadModel
from tests.support.builders import AFFINE, SHAPE, labels, write_nifti
from tests.support.landings import land, write_volumes

PATIENCE_S = 30
"""How long a test waits for what another thread does before it fails."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Volumes A and B; of A the liver (objects 1 and 2) and the lung, of B the liver (3)."""
    return write_volumes(tmp_path / "source")


@pytest.fixture
def target(source: Path, tmp_path: Path) -> nk.ProjectFolder:
    """The source as it landed, before its lung was moved."""
    found = nk.ProjectFolder(tmp_path / "project", "knees")
    land(source, found)
    write_nifti(source / "A" / "lung.nii.gz", np.roll(labels(SHAPE, (1,)), 2, axis=1), AFFINE)
    return found


@pytest.fixture
def app(source: Path, target: nk.ProjectFolder) -> UploadModel:
    found = UploadModel(source, target)
    found.plan().join(PATIENCE_S)
    return found


def rows(panel: panels.ChangesPanel) -> list[tuple[Any, ...]]:
    names = ("change", "volume", "class")
    return [tuple(row.cells[name] for name in names) for row in panel.table.rows]


LUNG = [("edited", "A.nrrd", "lung")]


def test_the_button_says_what_replacing_would_change(app: UploadModel) -> None:
    assert app.changes_blockers == []
    app.show_changes().join(PATIENCE_S)
    assert rows(app.replacing) == LUNG
    assert app.replacing.summary.splitlines() == [
        "What existing='replace' would change: 1 edited.",
        "lung: 1 edited",
    ]


def test_choosing_to_replace_asks_by_itself(app: UploadModel, source: Path) -> None:
    app.existing = "skip"
    assert app.replacing.task.state == "idle"
    app.existing = "replace"
    app.join()
    assert rows(app.replacing) == LUNG
    again = UploadModel(source, app.target.target, existing="replace")
    again.plan().join(PATIENCE_S)
    again.join()
    assert rows(again.replacing) == LUNG


def test_without_a_plan_or_where_nothing_is_there_it_is_refused(
    source: Path, tmp_path: Path
) -> None:
    app = UploadModel(source, nk.ProjectFolder(tmp_path / "new", "knees"), existing="replace")
    assert app.changes_blockers == ["Make the plan first."]
    with pytest.raises(PlanBlocked, match="Make the plan first"):
        app.show_changes()
    app.plan().join(PATIENCE_S)
    assert app.changes_blockers == ["Nothing of this was there when the plan was made."]
    assert app.replacing.task.state == "idle"


def test_what_would_change_is_gone_as_soon_as_the_plan_is_old(app: UploadModel) -> None:
    app.show_changes().join(PATIENCE_S)
    app.target.folder.dataset = "hips"
    assert (app.replacing.found, app.replacing.table.rows) == (None, ())
    assert app.changes_blockers == ["Make the plan again: it is for another choice."]
    app.target.folder.dataset = "knees"
    app.plan().join(PATIENCE_S)
    app.show_changes().join(PATIENCE_S)
    assert rows(app.replacing) == LUNG
    app.plan().join(PATIENCE_S)
    assert app.replacing.found is None


def test_an_upload_ends_it(app: UploadModel) -> None:
    app.existing = "replace"
    app.join()
    app.upload().join(PATIENCE_S)
    assert (app.replacing.found, app.replacing.table.rows) == (None, ())
    assert app.receipt.items[0].replaced


class Held:
    """``nk.changes`` that waits at the first volume until the test lets it go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.come, self.go = Event(), Event()
        monkeypatch.setattr(panels, "changes", self.changes)

    def changes(self, before: Any, target: Any, on_item: Any) -> Any:
        def told(at: int, item: Any) -> None:
            self.come.set()
            assert self.go.wait(PATIENCE_S)
            on_item(at, item)

        return nk.changes(before, target, on_item=told)


def test_it_can_be_cancelled(app: UploadModel, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(monkeypatch)
    task = app.show_changes()
    assert held.come.wait(PATIENCE_S)
    app.cancel()
    held.go.set()
    task.join(PATIENCE_S)
    assert (task.state, app.replacing.found) == ("cancelled", None)
    app.show_changes().join(PATIENCE_S)
    assert rows(app.replacing) == LUNG


def test_what_is_asked_for_meanwhile_is_looked_for_next(
    app: UploadModel, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    app.show_changes()
    assert held.come.wait(PATIENCE_S)
    other = nk.ProjectFolder(tmp_path / "other", "knees")
    app.replacing.ask(land(source, other), other)
    held.go.set()
    app.join()
    assert app.replacing.found.title() == "Changes since the upload: none"


def test_what_has_ended_after_it_was_let_go_is_dropped(
    app: UploadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(before: Any, target: Any, on_item: Any) -> Any:
        found = nk.changes(before, target, on_item=on_item)
        app.replacing.forget()
        return found

    monkeypatch.setattr(panels, "changes", late)
    app.show_changes().join(PATIENCE_S)
    assert (app.replacing.found, app.replacing.table.rows) == (None, ())


# Since the upload


def test_what_people_changed_since_the_upload_is_told(app: UploadModel) -> None:
    assert app.since_blockers == ["Nothing has been uploaded yet."]
    app.existing = "replace"
    app.upload().join(PATIENCE_S)
    app.show_changes_since().join(PATIENCE_S)
    assert app.since.summary == "Changes since the upload: none."
    target = app.target.target
    (mask, *_) = sorted((target.path / "knees" / "mask" / "A.nrrd").iterdir())
    annotation = target.path / "knees" / "ann" / "A.nrrd.json"
    text = annotation.read_text()
    assert mask.stem in text
    annotation.write_text(_without(text, mask.stem))
    app.show_changes_since().join(PATIENCE_S)
    assert [row[0] for row in rows(app.since)] == ["removed"]
    app.plan().join(PATIENCE_S)
    assert not rows(app.since)  # of a receipt that is no longer shown


def _without(text: str, figure: str) -> str:
    content = json.loads(text)
    (gone,) = [one for one in content["spatialFigures"] if one["key"] == figure]
    content["spatialFigures"].remove(gone)
    content["objects"] = [one for one in content["objects"] if one["key"] != gone["objectKey"]]
    return json.dumps(content)
