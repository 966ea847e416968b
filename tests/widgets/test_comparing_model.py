"""Two sets compared step by step, without a browser: rows, pictures, what is never stale."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.errors import NiftiKitError
from nifti_kit.render.layers import Layer
from nifti_kit.widgets.compare import drawing
from nifti_kit.widgets.compare import model as comparing
from nifti_kit.widgets.compare.drawing import BOTH, CHOSEN, worst_place
from nifti_kit.widgets.compare.model import CompareModel, numbers_of
from nifti_kit.widgets.parts import tasks
from tests.platform import Platform
from tests.support.builders import AFFINE, volume, write_nifti
from tests.support.landings import land
from tests.support.uploads import api, new_dataset, new_project

PATIENCE_S = 30
"""How long a test waits for what another thread does before it fails."""

SHAPE = (9, 10, 11)


def block(*firsts: int, value: int = 1) -> np.ndarray:
    """Blocks of 2 x 3 x 4 voxels that begin at these sagittal slices, with rising values."""
    inside = np.zeros(SHAPE, np.uint8)
    for number, first in enumerate(firsts):
        inside[first : first + 2, 2:5, 3:7] = value + number
    return inside


FIRST = {"P": {"liver": block(1), "spleen": block(5)}, "Q": {"liver": block(2)}}
SECOND = {"P": {"liver": block(2), "spleen": block(5)}, "Q": {"liver": block(2), "lung": block(6)}}


def written(folder: Path, sets: dict[str, dict[str, np.ndarray]]) -> Path:
    """A by-volume source; its volumes lie 100 mm from each other."""
    for number, (name, masks) in enumerate(sets.items()):
        affine = np.array(AFFINE)
        affine[0, 3] += 100 * number
        write_nifti(folder / f"{name}.nii.gz", volume(SHAPE), affine)
        for mask, inside in masks.items():
            write_nifti(folder / name / f"{mask}.nii.gz", inside, affine)
    return folder


@pytest.fixture
def a(tmp_path: Path) -> Path:
    return written(tmp_path / "a", FIRST)


@pytest.fixture
def b(tmp_path: Path) -> Path:
    """The liver of P moved by a voxel to the right, and a lung in Q."""
    return written(tmp_path / "b", SECOND)


@pytest.fixture
def app(a: Path, b: Path) -> CompareModel:
    return CompareModel(a, b)


def compared(app: CompareModel) -> CompareModel:
    app.compare().join(PATIENCE_S)
    app.join()
    return app


def rows(app: CompareModel) -> list[tuple[Any, ...]]:
    names = ("volume", "class", "objects", "kinds")
    return [tuple(row.cells[name] for name in names) for row in app.table.rows]


# Rows


def test_each_difference_is_a_row_and_the_worst_is_shown(app: CompareModel) -> None:
    assert app.summary == "Nothing is compared yet."
    compared(app)
    assert rows(app) == [
        ("Q.nrrd", "lung", "none | value 1", "only in b"),
        ("P.nrrd", "liver", "value 1 | value 1", "voxels, moved"),
    ]
    assert app.summary == "Comparison of 2 volumes: 2 differences."
    assert app.lines == []
    assert app.chosen is app.comparison.differences[0]
    assert app.table.rows[1].cells["dice"] == 0.5


def test_the_progress_says_which_volume_is_compared(
    app: CompareModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "SHOWN_EVERY_S", 0)
    told = []
    app.comparing.observe(
        lambda change: told.append((app.comparing.fraction, change["new"])), "text"
    )
    compared(app)
    assert (0.5, "Comparing Q.nrrd (volume 2 of 2 at most) ...") in told


def test_what_cannot_be_paired_is_said(a: Path, b: Path) -> None:
    (b / "P" / "liver.nii.gz").write_bytes(b"damaged")
    app = compared(CompareModel(a, b))
    assert any(line.startswith("Not compared: b, P/liver.nii.gz") for line in app.lines)


def test_numbers_are_told_in_words(app: CompareModel) -> None:
    said = dict(numbers_of(compared(app).comparison.differences[1]))
    assert said["In a"] == said["In b"] == "value 1: 24 voxels, 720.0 mm³"
    assert (said["Dice"], said["Shift of the centroid"]) == ("0.5000", "2.00 mm")
    assert "HD95" in said


def test_scores_that_differ_are_told_slice_by_slice() -> None:
    entries = {"score": "0.80", "comment": None}, {"score": "0.70", "comment": "blurred"}
    scores = [nk.comparisons.ScoreDifference("0-0-1", at, *entries) for at in range(10)]
    found = nk.comparisons.Difference(
        "P.nrrd", "liver", ("value 1", "id 4"), ("scores",), "", scores=tuple(scores)
    )
    said = numbers_of(found)
    line = ("Score, plane 0-0-1, slice 0", "0.80 in a, 0.70, blurred in b")
    assert line in said
    assert said[-1] == ("Scores", "... and 2 more slices")


# Pictures


def seen(app: CompareModel) -> dict[str, int]:
    return {one.name: one.voxels for one in app.viewer.classes if one.name not in app.viewer.hidden}


def test_a_row_shows_both_objects_at_its_worst_slice(app: CompareModel) -> None:
    compared(app).choose(1)
    app.join()
    found = app.chosen
    assert app.viewer.title == "P.nrrd"
    assert app.viewer.position[found.axis] == found.slice_index
    assert app.viewer.active == "sag"
    assert seen(app) == {"liver": 24, CHOSEN[0]: 24, CHOSEN[1]: 24}
    assert [overlay.title for overlay in app.viewer.overlays][:BOTH] == ["a", "b"]
    # The crosshair is where one of them is, and the other is not.
    here = dict(app.viewer.reading.classes)
    assert (here["a"] == ("liver",)) != (here["b"] == ("liver",))


def test_rows_of_one_volume_share_its_viewer(a: Path, b: Path) -> None:
    write_nifti(b / "P" / "spleen.nii.gz", block(6), AFFINE)
    app = compared(CompareModel(a, b))
    app.choose(1)
    app.join()
    viewer, window = app.viewer, (7.0, 9.0)
    viewer.window, viewer.zoom = window, 2.0
    app.choose(2)
    app.join()
    assert app.viewer is viewer
    assert (viewer.window, viewer.zoom) == (window, 2.0)
    assert set(seen(app)) == {app.chosen.class_name, *CHOSEN}
    app.choose(0)
    app.join()
    assert app.viewer is not viewer
    assert app.viewer.title == "Q.nrrd"


def test_one_volume_is_let_go_before_the_next_is_read(
    app: CompareModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared(app)
    before = weakref.ref(app.viewer.image)
    seen = []

    def opened(pair: Any) -> Any:
        gc.collect()
        seen.append(before())
        return drawing.opened(pair)

    monkeypatch.setattr(comparing, "opened", opened)
    app.choose(1)
    app.join()
    assert seen == [None]


def test_an_object_of_one_side_only_is_shown_alone(app: CompareModel) -> None:
    assert seen(compared(app)) == {"lung": 24, CHOSEN[0]: 0, CHOSEN[1]: 24}


def test_a_label_of_another_class_shows_both_classes(a: Path, b: Path) -> None:
    for name in ("liver", "spleen"):
        other = {"liver": 5, "spleen": 1}[name]
        write_nifti(b / "P" / f"{name}.nii.gz", block(other), AFFINE)
    app = compared(CompareModel(a, b))
    app.choose(1)
    app.join()
    assert {"liver", "spleen"} <= set(seen(app))


def test_a_volume_of_one_side_only_has_no_picture_and_says_why(a: Path, b: Path) -> None:
    (b / "Q.nii.gz").unlink()
    shutil.rmtree(b / "Q")
    app = compared(CompareModel(a, b))
    assert app.chosen.what == "the volume is only in a"
    assert (app.viewer, app.viewer_error) == (None, comparing.NOT_IN_BOTH)


def test_a_file_that_is_gone_leaves_the_row_and_says_so(app: CompareModel, b: Path) -> None:
    compared(app)
    (b / "P" / "liver.nii.gz").unlink()
    app.choose(1)
    app.join()
    assert app.viewer is None
    assert "liver.nii.gz" in app.viewer_error


def test_a_file_that_is_gone_from_a_volume_that_is_open_says_so(a: Path, b: Path) -> None:
    write_nifti(b / "P" / "spleen.nii.gz", block(6), AFFINE)
    app = compared(CompareModel(a, b))
    app.choose(1)
    app.join()
    (b / "P" / "spleen.nii.gz").unlink()
    app.choose(2)
    app.join()
    assert app.viewer is None
    assert "value 1 in b cannot be read" in app.viewer_error


def test_the_place_in_a_slice_is_one_that_differs(app: CompareModel) -> None:
    liver = compared(app).comparison.differences[1]
    across = replace(liver, axis=1, slice_index=3)
    layers = [Layer(mask.inside, mask.grid) for mask in app.comparison.masks_of(liver) if mask]
    i, j, _ = worst_place(across, layers, liver.pair.a.grid)
    assert j == 3
    assert i in (1, 3)  # slice 2 has both


def test_masks_alone_stand_on_black(tmp_path: Path) -> None:
    for side, first in (("a", 1), ("b", 2)):
        write_nifti(tmp_path / side / "axl_inference.nii.gz", block(first), AFFINE)
    app = compared(CompareModel(tmp_path / "a", tmp_path / "b"))
    assert "on black" in app.viewer.title
    assert not app.viewer.image.voxels.any()


def test_a_row_that_there_is_not_is_refused(app: CompareModel) -> None:
    with pytest.raises(NiftiKitError, match="no such difference"):
        app.choose(0)
    with pytest.raises(NiftiKitError, match="0 to 1"):
        compared(app).choose(2)


# Sides


def test_every_kind_of_side_gives_the_same_rows(app: CompareModel, a: Path, b: Path) -> None:
    expected = [row[:2] for row in rows(compared(app))]
    project = b.parent / "project"
    land(b, nk.ProjectFolder(project, "knees"))
    plan = nk.plan(nk.scan(b))
    for given in (nk.scan(b), plan, project, nk.ProjectFolder(project, "knees")):
        other = CompareModel(a, given)
        assert [row[:2] for row in rows(compared(other))] == expected, given


def test_a_side_on_an_instance_is_chosen_step_by_step(
    app: CompareModel, a: Path, b: Path, platform: Platform
) -> None:
    project = new_project(platform, "knees")
    target = nk.Instance(api(platform), new_dataset(platform, project, "left"))
    land(b, target)
    other = CompareModel(a, api=lambda: api(platform))
    other.b.kind = "instance"
    other.b.instance.connect()
    other.b.instance.choose("project", "knees")
    other.b.instance.choose("dataset", "left")
    other.b.instance.wait()
    assert [row[:2] for row in rows(compared(other))] == [row[:2] for row in rows(compared(app))]
    other.choose(1)
    other.join()
    assert seen(other) == {"liver": 24, CHOSEN[0]: 24, CHOSEN[1]: 24}
    other.b.instance.choose("dataset", 0)
    other.join()
    assert (other.comparison, other.blockers) == (None, ["b: Choose a dataset."])


def test_a_side_says_what_is_missing(a: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    land(a, nk.ProjectFolder(project, "knees"))
    app = CompareModel(a)
    assert app.blockers == ["b: Give the path of a folder, an archive or a NIfTI file."]
    app.b.source.path = str(project)
    assert app.blockers == ["b: This is a Supervisely project: choose 'a project folder on disk'."]
    app.b.kind = "folder"
    app.b.folder.choose(project, "hips")
    assert app.blockers == ["b: The project has no dataset 'hips': knees."]
    app.b.folder.dataset = "knees"
    assert app.blockers == []
    assert app.b.name == f"ProjectFolder({str(project)!r}, dataset='knees')"
    app.b.kind = "instance"
    assert app.blockers == ["b: Connect to the instance."]
    with pytest.raises(NiftiKitError, match="Connect to the instance"):
        app.compare()


def test_a_source_that_cannot_be_read_fails_the_comparison_in_words(a: Path, b: Path) -> None:
    app = CompareModel(a, b)
    shutil.rmtree(b)
    with pytest.raises(NiftiKitError, match="there is no such"):
        app.compare().join(PATIENCE_S)
    assert app.comparing.state == "failed"


# Nothing stale


def changes_of(app: CompareModel, a: Path) -> list[Callable[[], Any]]:
    return [
        lambda: setattr(app.b.source, "path", str(a)),
        lambda: setattr(app.a.source, "layout", "by_volume"),
        lambda: setattr(app.a, "kind", "folder"),
        app.b.source.scan,
        lambda: app.b.choose(nk.scan(a)),
    ]


@pytest.mark.parametrize("number", range(5))
def test_what_was_found_is_gone_as_soon_as_a_side_changes(
    app: CompareModel, a: Path, number: int
) -> None:
    compared(app)
    changes_of(app, a)[number]()
    assert (app.comparison, app.viewer, app.chosen, app.table.rows) == (None, None, None, ())
    assert app.save_blockers == ["There is no comparison yet."]
    app.join()
    assert app.comparison is None


class Held:
    """``nk.compare`` that waits at the first volume until the test lets it go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.come, self.go = Event(), Event()
        monkeypatch.setattr(comparing, "compare", self.compare)

    def compare(self, a: Any, b: Any, on_volume: Callable[[int, Any], Any]) -> Any:
        def told(at: int, pair: Any) -> None:
            self.come.set()
            assert self.go.wait(PATIENCE_S)
            on_volume(at, pair)

        return nk.compare(a, b, on_volume=told)


def test_a_comparison_is_cancelled_before_the_next_volume(
    app: CompareModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    task = app.compare()
    assert held.come.wait(PATIENCE_S)
    assert app.blockers == ["The comparison is under way."]
    app.cancel()
    held.go.set()
    assert task.join(PATIENCE_S) is None
    assert (task.state, app.comparison, app.table.rows) == ("cancelled", None, ())
    assert rows(compared(app))


def test_a_comparison_of_a_side_that_has_changed_is_never_shown(
    app: CompareModel, a: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    app.compare()
    assert held.come.wait(PATIENCE_S)
    app.b.source.path = str(a)
    held.go.set()
    app.join()
    assert (app.comparing.state, app.comparison, app.table.rows) == ("cancelled", None, ())
    assert compared(app).comparison.ok


def test_one_that_has_ended_after_a_change_is_dropped(
    app: CompareModel, a: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*sides: Any, **options: Any) -> Any:
        found = nk.compare(*sides, **options)
        app.b.source.path = str(a)
        return found

    monkeypatch.setattr(comparing, "compare", late)
    app.compare().join(PATIENCE_S)
    assert (app.comparison, app.table.rows) == (None, ())


# Files


@pytest.mark.parametrize("ending", ["html", "csv", "json"])
def test_a_comparison_is_saved_as_the_ending_says(
    app: CompareModel, tmp_path: Path, ending: str
) -> None:
    path = tmp_path / "out" / f"comparison.{ending}"
    with pytest.raises(NiftiKitError, match="no comparison yet"):
        app.save(path)
    compared(app).save(path)
    text = path.read_text("utf-8")
    assert "lung" in text
    assert text.count("data:image") == (2 if ending == "html" else 0)
    if ending == "json":
        assert len(json.loads(text)["rows"]) == 2
