"""Many rows of the mapping editor at once: picked, suggested, taken one after the other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.errors import BadMapping
from nifti_kit.widgets.mapping.model import MappingModel
from nifti_kit.widgets.parts.acts import join
from nifti_kit.widgets.upload.model import UploadModel
from tests.support.loosely_named import names_of, truth, write_annotations, write_project
from tests.widgets.test_mapping_model import KNEES, OPEN, SURE, states, target, written

PLACED = [name for plane in ("axl", "cor", "sag") for name in names_of(5, plane)]
ASKED = [name for plane in ("axl", "cor", "sag") for name in names_of(3, plane)]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[nk.ProjectFolder, Path]:
    folder = tmp_path_factory.mktemp("study")
    return write_project(folder), write_annotations(folder / "in")


@pytest.fixture
def model(study: tuple[nk.ProjectFolder, Path], tmp_path: Path) -> MappingModel:
    there, source = study
    return MappingModel(source, there, path=tmp_path / "mapping.json")


@pytest.fixture
def knees(tmp_path: Path) -> MappingModel:
    source = written(tmp_path / "in", OPEN, SURE)
    return MappingModel(source, target(*KNEES), path=tmp_path / "mapping.json")


def test_thirty_loosely_named_files_find_their_fifteen_volumes(
    study: tuple[nk.ProjectFolder, Path], tmp_path: Path
) -> None:
    there, source = study
    model = MappingModel(source, there, path=tmp_path / "mapping.json")
    expected = truth(there)
    assert model.rows.summary == (
        "Annotation files with a volume: 18 of 30 (18 matched, 12 unmatched)."
    )
    model.suggest_by_place()
    assert sorted(model.suggestion.rows) == sorted(PLACED)
    assert model.take_suggestion() == 6
    assert {model.standing(name).rule for name in PLACED} == {"by place"}
    model.choose(ASKED[0], expected[ASKED[0]])
    assert sorted(model.suggestion.rows) == sorted(ASKED[1:])
    assert states(model)[ASKED[1]] == "unmatched"  # offered, and not yet so
    assert model.take_suggestion() == 5
    assert model.mapping.to_dict() == expected
    assert model.save_blockers == []
    assert model.go_on_blockers == ["No file is open."]
    uploader = UploadModel(source, there, mapping=model.save(), out=tmp_path / "out")
    uploader.plan().join()
    uploader.upload().join()
    proof = uploader.verify().join()
    assert proof.ok
    assert len(uploader.receipt.objects) == 30
    model.compare().join()
    assert model.replaced.changes == ()
    axl = names_of(5, "axl")[0]
    model.choose(axl, expected[names_of(4, "axl")[0]])
    assert model.replaced is None
    model.compare().join()
    kinds = {kind for count in model.replaced.by_class().values() for kind in count}
    assert kinds == {"added"}


def test_each_row_says_why_it_was_matched_after_a_mapping_was_loaded(model: MappingModel) -> None:
    model.suggest_by_place()
    model.take_suggestion()
    model.choose(ASKED[0], truth(model.target)[ASKED[0]])
    saved = model.save()
    again = MappingModel(model.dataset, model.target, saved)
    rules = {row.key: row.cells["rule"] for row in again.table.rows}
    assert rules[names_of(2, "axl")[0]] == "mapping file, case words"
    assert rules[PLACED[0]] == rules[ASKED[0]] == "mapping file, by place"
    before = [(row.cells["rule"], row.cells["state"]) for row in model.table.rows]
    model.load(saved)
    assert [(row.cells["rule"], row.cells["state"]) for row in model.table.rows] == before


def test_where_nothing_is_suggested_that_is_said(knees: MappingModel) -> None:
    knees.suggest_by_place()
    assert knees.suggestion is None
    assert knees.message == "No unmatched file lies on one volume alone."
    with pytest.raises(BadMapping, match="taking it is not possible: Nothing is suggested"):
        knees.take_suggestion()


def test_the_planes_of_a_case_are_offered_together_where_nobody_decided(tmp_path: Path) -> None:
    names = [f"{plane}_mask.nii" for plane in ("axl", "cor", "sag")]
    volumes = [f"{case}_{p}_anatomic" for case in ("P1", "P2") for p in ("axl", "cor", "sag")]
    model = MappingModel(written(tmp_path, *names), target(*volumes))
    model.leave_out("cor_mask.nii")
    model.choose("axl_mask.nii", 1)
    assert {key: row.volume for key, row in model.suggestion.rows.items()} == {"sag_mask.nii": 3}
    assert model.suggested_lines == ["sag_mask.nii: d/P1_sag_anatomic.nrrd (id 3), same grid"]
    assert model.suggestion.title == (
        "1 more file of the same case as axl_mask.nii, for the volumes of "
        "d/P1_axl_anatomic.nrrd (id 1)"
    )
    model.undo()
    assert model.suggestion is None
    elsewhere = MappingModel(tmp_path, target(*volumes, n3=5.0, n6=5.0))
    elsewhere.choose("axl_mask.nii", 1)
    assert list(elsewhere.suggestion.rows) == ["cor_mask.nii"]


def test_a_file_of_another_number_is_not_suggested_by_its_place(tmp_path: Path) -> None:
    there = target("P01_axl_anatomic", "P02_axl_anatomic", "cor_anatomic", n1=5.0)
    model = MappingModel(written(tmp_path, "3_axl_mask.nii", "x_axl_mask.nii"), there)
    model.suggest_by_place()
    assert list(model.suggestion.rows) == ["x_axl_mask.nii"]
    model.take_suggestion()
    model.suggest_by_place()
    assert model.suggestion is None


def test_two_cases_on_one_volume_are_not_suggested(tmp_path: Path) -> None:
    there = target("left_axl_anatomic", "right_axl_anatomic", n1=5.0)
    model = MappingModel(written(tmp_path, "x_axl_mask.nii", "y_axl_mask.nii"), there)
    model.suggest_by_place()
    assert model.suggestion is None


def test_picked_rows_are_decided_together(knees: MappingModel) -> None:
    assert knees.picked_blockers == ["Pick files first."]
    with pytest.raises(BadMapping, match="deciding is not possible: Pick files first"):
        knees.accept(*knees.picked)
    knees.pick_found()
    assert [row.cells["pick"] for row in knees.table.rows] == [True, True]
    assert knees.accept(*knees.picked) == 1
    assert knees.message == "1 file accepted, 1 other cannot be."
    assert states(knees) == {OPEN: "unmatched", SURE: "accepted"}
    assert knees.picked == [OPEN]
    with pytest.raises(BadMapping, match="deciding is not possible: The file has no volume"):
        knees.accept(*knees.picked)
    knees.table.edit(SURE, "pick", True)
    assert knees.leave_out(*knees.picked) == 2
    assert knees.message == "2 files left without a volume."
    assert set(states(knees).values()) == {"left out"}
    knees.undo()
    assert states(knees) == {OPEN: "unmatched", SURE: "accepted"}


def test_only_what_is_shown_is_picked_and_picked_again_is_none(knees: MappingModel) -> None:
    knees.table.filter_by("state", "unmatched")
    knees.pick_found()
    assert knees.picked == [OPEN]
    knees.pick_found()
    assert knees.picked == []


def test_the_marked_volume_is_taken_and_the_next_open_file_follows(tmp_path: Path) -> None:
    names = ["a_axl_mask.nii", "b_axl_mask.nii", "knee_cor_mask.nii"]
    there = target("left_axl_anatomic", "right_axl_anatomic", "knee_cor_anatomic")
    model = MappingModel(written(tmp_path, *names), there)
    assert model.take_blockers == ["Choose a file first."]
    model.go_on()
    assert (model.table.selected, model.candidates.selected) == (names[0], "1")
    model.candidates.select("2")
    model.take()
    assert (model.standing(names[0]).row.volume, model.table.selected) == (2, names[1])
    model.take()
    assert (model.standing(names[1]).row.volume, model.table.selected) == (1, names[1])
    model.table.select(names[2])
    model.take()
    assert states(model)[names[2]] == "accepted"
    model.take()  # once more changes nothing
    assert states(model)[names[2]] == "accepted"


def test_without_a_candidate_nothing_is_marked(tmp_path: Path) -> None:
    there = target("left_anatomic", "right_anatomic")
    (tmp_path / "a").mkdir()
    model = MappingModel(nk.scan(written(tmp_path, "z_mask.nii"), layout="annotations"), there)
    model.table.select("z_mask.nii")
    assert model.candidates.selected == ""
    assert model.take_blockers == ["Mark a volume in the list first."]


def test_each_marked_volume_is_drawn_where_pictures_follow(
    model: MappingModel, knees: MappingModel
) -> None:
    assert (model.follows, knees.follows) == (True, False)  # no volume is sent for by itself
    model.table.select(PLACED[0])
    model.task.join()
    assert f"{PLACED[0]} over study/P05_axl_anatomic.nrrd: same grid" in model.picture.title
    first = model.candidates.rows[1].key
    model.candidates.select(first)
    model.task.join()
    assert model.volumes.label(int(first)).split(" (id")[0] in model.picture.title
    model.follows = False
    model.table.select(PLACED[1])
    assert model.picture is None


def test_a_picture_that_nobody_waits_for_any_more_ends(
    model: MappingModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, read = threading.Event(), threading.Event(), model.target.iter_volume

    def slowly(volume_id: int) -> Iterator[Any]:
        begun.set()
        go_on.wait(30)
        yield from read(volume_id)

    monkeypatch.setattr(model.target, "iter_volume", slowly)
    drawn: list[str] = []
    model.observe(
        lambda change: drawn.append(change["new"].title if change["new"] else ""), "picture"
    )
    model.table.select(PLACED[0])
    assert begun.wait(30)
    model.table.select(PLACED[2])
    assert model.task.state == "cancelling"
    go_on.set()
    join(model.task)
    assert f"{PLACED[2]} over study/P05_cor_anatomic.nrrd" in model.picture.title
    assert not any(title.startswith(PLACED[0]) for title in drawn)


def test_what_is_shown_of_the_target_goes_with_the_next_change(
    model: MappingModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.compare().join()
    assert model.replaced is not None
    model.leave_out(names_of(2, "axl")[0])
    assert model.replaced is None

    def meanwhile(*given: Any, **how: Any) -> Any:
        model.leave_out(names_of(2, "cor")[0])
        return nk.changes(*given, **how)

    monkeypatch.setattr("nifti_kit.widgets.mapping.model.changes", meanwhile)
    model.compare().join()
    assert model.replaced is None
