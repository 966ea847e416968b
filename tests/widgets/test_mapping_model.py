"""The state of the mapping editor: what it knows, what a person decides, what is in the way."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.core.geometry import Grid
from nifti_kit.errors import BadMapping, BadSource, NiftiKitError
from nifti_kit.targets.records import VolumeRef
from nifti_kit.widgets.mapping.model import MappingModel
from tests.platform import Platform
from tests.support.builders import AFFINE, SHAPE, labels, volume, write_nifti, write_planes
from tests.support.landings import quiet
from tests.support.uploads import api, new_dataset, new_project

OPEN = "knee_axl_mask.nii"
"""Fits two volumes."""

SURE = "knee_cor_mask.nii"
"""Fits one."""


def affine(by: float = 0.0) -> np.ndarray:
    matrix = np.array(AFFINE)
    matrix[0, 3] += by
    return matrix


def target(*names: str, project: bool = False, **places: float) -> Any:
    """A target with volumes ``dataset/name``, with ids from 1, each at its place (``n2=5``)."""
    refs = [
        VolumeRef(
            number,
            format(number, "032x"),
            f"{name.rsplit('/', 1)[-1]}.nrrd",
            name.rsplit("/", 1)[0] if "/" in name else "d",
            Grid(SHAPE, affine(places.get(f"n{number}", 0.0))),
        )
        for number, name in enumerate(names, start=1)
    ]

    def pages(_: int) -> Iterator[np.ndarray]:
        for k in range(SHAPE[2]):
            yield volume()[:, :, k]

    return SimpleNamespace(volumes=lambda: refs, iter_volume=pages, project=project)


def written(folder: Path, *names: str) -> Path:
    for name in names:
        write_nifti(folder / name, labels())
    return folder


KNEES = ("left_knee_axl_anatomic", "right_knee_axl_anatomic", "knee_cor_anatomic")


@pytest.fixture
def model(tmp_path: Path) -> MappingModel:
    """One open file, one sure one, and a volume at another place."""
    source = written(tmp_path / "in", OPEN, SURE)
    there = target(*KNEES, "other_sag_anatomic", n4=5)
    return MappingModel(source, there, path=tmp_path / "out" / "mapping.json")


def cells(model: MappingModel, key: str) -> dict[str, str]:
    row = model.table.row(key)
    assert row is not None
    return {name: text for name, text in row.cells.items() if name != "pick"}


def states(model: MappingModel) -> dict[str, str]:
    return {row.key: row.cells["state"] for row in model.table.rows}


# What it shows


def test_a_row_says_volume_rule_place_and_state(model: MappingModel) -> None:
    assert cells(model, SURE) == {
        "file": SURE,
        "volume": "d/knee_cor_anatomic.nrrd (id 3)",
        "rule": "exact name",
        "place": "same grid",
        "state": "matched",
        "note": "",
    }


def test_an_open_file_says_why_and_offers_its_candidates_first(model: MappingModel) -> None:
    assert cells(model, OPEN) == {
        "file": OPEN,
        "volume": "not matched",
        "rule": "nothing",
        "place": "",
        "state": "unmatched",
        "note": (
            "2 volumes fit by case identifiers: d/left_knee_axl_anatomic.nrrd (id 1), "
            "d/right_knee_axl_anatomic.nrrd (id 2)"
        ),
    }
    row = model.table.row(OPEN)
    assert row is not None
    assert list(row.choices["volume"]) == [
        "not matched",
        "d/left_knee_axl_anatomic.nrrd (id 1)",
        "d/right_knee_axl_anatomic.nrrd (id 2)",
        "d/knee_cor_anatomic.nrrd (id 3)",
        "d/other_sag_anatomic.nrrd (id 4)",
    ]
    assert {row.key: row.tone for row in model.table.rows} == {OPEN: "warning", SURE: ""}


def test_rows_are_filtered_by_state(model: MappingModel) -> None:
    model.table.filter_by("state", "unmatched")
    assert [row.key for row in model.table.found] == [OPEN]


def test_the_summary_counts_states(model: MappingModel) -> None:
    expected = "Annotation files with a volume: 1 of 2 (1 matched, 1 unmatched)."
    assert model.rows.summary == expected


def test_a_selected_row_shows_all_volumes_the_likeliest_first(model: MappingModel) -> None:
    model.table.select(OPEN)
    assert [row.key for row in model.candidates.rows] == ["1", "2", "3", "4"]
    assert model.candidates.rows[0].cells == {
        "volume": "d/left_knee_axl_anatomic.nrrd (id 1)",
        "both": "knee axl",
        "one": "left",
        "place": "same grid",
        "now": "",
        "choose": "Choose",
    }
    assert model.candidates.rows[3].cells["place"] == "translated by 5 mm (2.5 voxels)"
    assert [row.tone for row in model.candidates.rows] == ["good", "good", "good", ""]
    model.table.select("")
    assert model.candidates.rows == ()


def test_a_target_may_be_the_path_of_a_project_folder(tmp_path: Path) -> None:
    model = MappingModel(written(tmp_path / "in", OPEN), tmp_path / "project")
    assert cells(model, OPEN)["note"] == "the target has no volumes"
    assert model.rows.summary == "Annotation files with a volume: 0 of 1 (1 unmatched)."


def test_a_source_with_its_volumes_is_refused(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii")
    with pytest.raises(BadSource, match="only annotations without their volumes are matched"):
        MappingModel(tmp_path, target())


def test_a_source_without_files_has_no_rows(tmp_path: Path) -> None:
    model = MappingModel(nk.scan(tmp_path, layout="annotations"), target("axl_anatomic"))
    assert model.rows.summary == "Annotation files with a volume: 0 of 0."
    assert model.save_blockers[0] == "No file has a volume yet: there is nothing to save."


# What a person does


def test_choosing_a_volume_changes_the_row_and_the_mapping(model: MappingModel) -> None:
    model.choose(OPEN, 2)
    assert cells(model, OPEN)["volume"] == "d/right_knee_axl_anatomic.nrrd (id 2)"
    assert cells(model, OPEN)["rule"] == "your choice"
    assert cells(model, OPEN)["note"] == ""
    assert states(model) == {OPEN: "chosen", SURE: "matched"}
    assert model.mapping.to_dict() == {OPEN: 2, SURE: 3}
    assert model.message == f"{OPEN}: d/right_knee_axl_anatomic.nrrd (id 2) chosen."
    assert [row.rule for row in model.mapping] == ["chosen", "exact name"]


def test_a_cell_of_the_table_does_the_same(model: MappingModel) -> None:
    model.table.edit(OPEN, "volume", "d/right_knee_axl_anatomic.nrrd (id 2)")
    assert states(model)[OPEN] == "chosen"
    model.table.edit(OPEN, "volume", "not matched")
    assert states(model)[OPEN] == "left out"
    revision = model.revision
    model.table.edit(OPEN, "volume", "not matched")
    assert model.revision == revision


def test_a_button_of_the_candidates_does_the_same(model: MappingModel) -> None:
    model.table.select(OPEN)
    model.candidates.press("2", "choose")
    assert states(model)[OPEN] == "chosen"
    now = {row.key: (row.cells["now"], row.cells["choose"]) for row in model.candidates.rows}
    assert now["2"] == ("its volume", "")
    assert now["1"] == ("", "Choose")


def test_the_candidates_of_a_file_are_worked_out_once(
    model: MappingModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.table.select(OPEN)
    before = model.candidates.rows
    monkeypatch.setattr(model.candidates, "_row", None)
    model.choose(OPEN, 2)
    same = [one is other for one, other in zip(before, model.candidates.rows, strict=True)]
    assert same == [True, False, True, True]
    model.choose(OPEN, 4)
    now = {row.key: row.cells["now"] for row in model.candidates.rows}
    assert now == {"1": "", "2": "", "3": "", "4": "its volume"}


def test_other_candidates_begin_with_the_first_page_and_without_a_search(
    model: MappingModel,
) -> None:
    model.table.select(OPEN)
    model.candidates.search = "right"
    model.choose(OPEN, 1)
    assert model.candidates.search == "right"
    model.table.select(SURE)
    assert (model.candidates.search, model.candidates.page) == ("", 0)


def test_a_volume_that_is_not_there_is_refused(model: MappingModel) -> None:
    with pytest.raises(BadMapping, match="the target has no such volume Found: 99"):
        model.choose(OPEN, 99)
    assert states(model)[OPEN] == "unmatched"


def test_a_file_is_meant_by_as_much_of_its_end_as_tells_it_apart(tmp_path: Path) -> None:
    source = written(tmp_path, "a/x/axl_mask.nii", "b/axl_mask.nii", "b/cor_mask.nii")
    model = MappingModel(source, target("a/axl_anatomic", "b/axl_anatomic", "b/cor_anatomic"))
    model.leave_out("cor_mask.nii")
    assert states(model)["b/cor_mask.nii"] == "left out"
    assert model.standing("x/axl_mask.nii").annotation.key == "a/x/axl_mask.nii"
    with pytest.raises(BadMapping, match=r"Expected: a/x/axl_mask.nii, b/axl_mask.nii\."):
        model.choose("axl_mask.nii", 1)
    with pytest.raises(BadMapping, match="no annotation file, or more than one, is meant Found"):
        model.choose("nothing.nii", 1)


def test_a_choice_is_a_decision_even_where_the_two_do_not_lie_together(
    model: MappingModel,
) -> None:
    model.choose(OPEN, 4)
    assert cells(model, OPEN)["place"] == "translated by 5 mm (2.5 voxels)"
    assert cells(model, OPEN)["state"] == "chosen"
    assert cells(model, OPEN)["note"] == "it does not lie on this volume"
    assert model.save_blockers == []
    (found,) = model.findings  # it still blocks an upload
    assert (found.code, found.path) == ("mask-translated", OPEN)
    row = model.table.row(OPEN)
    assert row is not None
    assert row.tone == "error"


def test_a_pair_of_a_file_that_does_not_lie_together_is_doubtful_until_it_is_accepted(
    model: MappingModel, tmp_path: Path
) -> None:
    other = tmp_path / "other.json"
    other.write_text(json.dumps({OPEN: 4}))
    model.load(other)
    assert cells(model, OPEN)["state"] == "doubtful"
    assert model.save_blockers == [
        "1 file is doubtful. For each: accept it, choose another volume, or leave it out."
    ]
    with pytest.raises(BadMapping, match="saving is not possible: 1 file is doubtful"):
        model.save()
    model.accept(OPEN)
    assert cells(model, OPEN)["state"] == "accepted"
    assert model.save_blockers == []
    assert "mask-translated" in [found.code for found in model.findings]


def test_a_volume_that_two_planes_have_is_doubtful_where_nobody_chose_it(
    model: MappingModel,
) -> None:
    model.choose(OPEN, 3)
    assert states(model) == {OPEN: "chosen", SURE: "doubtful"}
    note = "the volume is also that of {}, of another plane or case"
    assert cells(model, OPEN)["note"] == note.format(SURE)
    assert cells(model, SURE)["note"] == note.format(OPEN)
    assert model.save_blockers[0].startswith("1 file is doubtful.")
    assert [found.code for found in model.findings] == ["mapping-id-shared"]
    row = model.table.row(OPEN)
    assert row is not None
    assert row.tone == "warning"
    model.choose(OPEN, 1)
    assert states(model) == {OPEN: "chosen", SURE: "matched"}


def test_many_files_of_one_volume_are_counted(tmp_path: Path) -> None:
    names = [f"{name}_axl_mask.nii" for name in ("a", "b", "c", "d", "e")]
    model = MappingModel(written(tmp_path, *names), target("axl_anatomic"))
    for name in names:
        model.choose(name, 1)
    assert cells(model, names[0])["note"] == (
        "the volume is also that of b_axl_mask.nii, c_axl_mask.nii, d_axl_mask.nii and 1 more, "
        "of another plane or case"
    )


def test_instance_files_of_one_volume_are_not_doubtful(tmp_path: Path) -> None:
    source = written(tmp_path, "axl_inference_1.nii", "axl_inference_2.nii")
    model = MappingModel(source, target("axl_anatomic"))
    assert set(states(model).values()) == {"matched"}


def test_what_matching_doubts_is_doubtful_until_a_person_decides(tmp_path: Path) -> None:
    model = MappingModel(written(tmp_path / "in", "anna_axl_mask.nii"), target("bert_axl_anatomic"))
    (row,) = model.table.rows
    assert (row.cells["rule"], row.cells["state"]) == ("only one of its plane", "doubtful")
    assert row.cells["note"].startswith("its name says 'anna', that of d/bert_axl_anatomic.nrrd")
    assert [found.code for found in model.findings] == ["annotation-name-differs"]
    model.accept("anna_axl_mask.nii")
    assert states(model) == {"anna_axl_mask.nii": "accepted"}
    assert cells(model, "anna_axl_mask.nii")["note"] == ""
    assert list(model.findings) == []
    assert [found.code for found in model.mapping.faults] == ["annotation-name-differs"]


def test_all_that_are_sure_are_accepted_at_once(model: MappingModel) -> None:
    assert model.sure_blockers == []
    assert model.accept_sure() == 1
    assert states(model) == {OPEN: "unmatched", SURE: "accepted"}
    assert model.message == "1 sure file accepted."
    assert model.sure_blockers == ["No file is left that is sure and not accepted."]
    revision = model.revision
    assert model.accept_sure() == 0
    assert model.revision == revision


def test_what_was_left_out_stays_out(model: MappingModel) -> None:
    model.leave_out(SURE)
    assert states(model)[SURE] == "left out"
    assert cells(model, SURE)["note"] == "you left it out"
    assert model.mapping.to_dict() == {}
    assert model.match_rest() == 0
    assert model.save_blockers == ["No file has a volume yet: there is nothing to save."]
    assert model.leave_blockers(SURE) == ["The file has no volume."]
    assert model.accept_blockers(SURE) == ["The file has no volume: choose one first."]


def test_every_change_can_be_undone(model: MappingModel) -> None:
    assert model.undo_blockers == ["Nothing was changed yet."]
    with pytest.raises(BadMapping, match="undoing is not possible: Nothing was changed yet"):
        model.undo()
    before = [dict(row.cells) for row in model.table.rows]
    model.choose(OPEN, 3)
    model.leave_out(SURE)
    model.accept_sure()
    model.undo()
    assert model.message == f"Undone: {SURE} left without a volume."
    model.undo()
    assert [dict(row.cells) for row in model.table.rows] == before
    assert model.undo_blockers == ["Nothing was changed yet."]


def test_what_was_accepted_or_chosen_is_not_accepted_again(model: MappingModel) -> None:
    assert model.accept_blockers("") == ["Choose a file first."]
    assert model.leave_blockers("") == ["Choose a file first."]
    assert model.accept_blockers(SURE) == []
    model.accept(SURE)
    assert model.accept_blockers(SURE) == ["It is accepted already."]
    model.choose(OPEN, 1)
    with pytest.raises(BadMapping, match="deciding is not possible: It is chosen already"):
        model.accept(OPEN)


# Files


def test_it_begins_with_the_sources_own_mapping(tmp_path: Path) -> None:
    source = written(tmp_path, OPEN, SURE)
    (source / "mapping.json").write_text(json.dumps({OPEN: 2, "none.nii": 1}))
    model = MappingModel(source, target(*KNEES))
    assert cells(model, OPEN)["rule"] == "mapping file, words in common"
    assert cells(model, SURE)["note"] == "the mapping has no volume for it"
    codes = [found.code for found in model.findings]
    assert codes == ["annotation-unmatched", "mapping-key"]
    assert model.rest_blockers == []
    assert model.match_rest() == 1
    assert states(model) == {OPEN: "matched", SURE: "matched"}
    assert model.message == "1 file matched by name and place."
    assert model.rest_blockers == ["No unmatched file has a name and a place that fit one volume."]


def test_it_begins_with_a_mapping_that_was_matched_and_chosen(tmp_path: Path) -> None:
    dataset, there = nk.scan(written(tmp_path, OPEN, SURE)), target(*KNEES)
    mapping = nk.match(dataset, there.volumes()).with_volume(OPEN, 1)
    model = MappingModel(dataset, there, mapping)
    assert states(model) == {OPEN: "chosen", SURE: "matched"}


def test_a_mapping_of_other_files_leaves_the_rest_open(tmp_path: Path) -> None:
    other = nk.match(nk.scan(written(tmp_path / "b", SURE)), target(*KNEES).volumes())
    model = MappingModel(written(tmp_path / "a", OPEN), target(*KNEES), other)
    assert cells(model, OPEN)["note"] == "the mapping has no volume for it"


def test_it_begins_with_a_file(tmp_path: Path) -> None:
    given = tmp_path / "given.json"
    given.write_text(json.dumps({OPEN: 1}))
    model = MappingModel(written(tmp_path / "in", OPEN, SURE), target(*KNEES), given)
    assert model.mapping.to_dict() == {OPEN: 1}


def test_a_mapping_is_saved_and_loaded(model: MappingModel) -> None:
    model.choose(OPEN, 2)
    saved = model.save()
    assert json.loads(saved.read_text()) == {OPEN: 2, SURE: 3}
    assert model.message == f"Saved the volumes of 2 files to {saved}."
    rules = [cells(model, key)["rule"] for key in (OPEN, SURE)]
    assert rules == ["your choice", "exact name"]
    model.load(saved)  # what is so already stays as it was decided
    assert [cells(model, key)["rule"] for key in (OPEN, SURE)] == rules
    model.leave_out(OPEN)
    model.load(saved)
    rules = [cells(model, key)["rule"] for key in (OPEN, SURE)]
    assert rules == ["mapping file, words in common", "exact name"]
    assert model.mapping.to_dict() == {OPEN: 2, SURE: 3}
    assert model.message == f"{saved} loaded."
    model.undo()
    assert model.mapping.to_dict() == {SURE: 3}


def test_a_file_that_is_there_is_kept(model: MappingModel) -> None:
    saved = model.save()
    model.save()
    assert [path.name for path in saved.parent.iterdir()] == ["mapping.json"]
    model.choose(OPEN, 1)
    model.save()
    assert model.message == (
        f"Saved the volumes of 2 files to {saved}. What was there is kept as mapping.1.json."
    )
    assert json.loads(saved.with_name("mapping.1.json").read_text()) == {SURE: 3}


def test_files_without_a_volume_are_told_when_saving(model: MappingModel) -> None:
    saved = model.save()
    expected = f"Saved the volumes of 1 file to {saved}. 1 file without a volume: not in it."
    assert model.message == expected


def test_the_project_form_has_the_datasets_folder(tmp_path: Path) -> None:
    source = written(tmp_path / "in", "a/axl_mask.nii")
    model = MappingModel(source, target("a/axl_anatomic"), path=tmp_path / "m.json")
    assert json.loads(model.save().read_text()) == {"a/axl_mask.nii": 1}
    assert json.loads(model.save(form="dataset").read_text()) == {"axl_mask.nii": 1}
    assert model.form == "dataset"
    assert json.loads(model.save(tmp_path / "p.json", form="project").read_text()) == {
        "a/axl_mask.nii": 1
    }
    assert model.path == str(tmp_path / "p.json")


def test_what_is_in_the_way_of_saving_is_an_error_with_its_reason(model: MappingModel) -> None:
    with pytest.raises(BadMapping, match="saving is not possible: The name of the file must end"):
        model.save("mapping.txt")


def test_faults_of_a_loaded_file_are_findings_until_it_is_undone(
    model: MappingModel, tmp_path: Path
) -> None:
    other = tmp_path / "other.json"
    other.write_text(json.dumps({OPEN: "1", SURE: 99}))
    model.load(other)
    assert {found.code: found.message for found in model.findings} == {
        "annotation-unmatched": "the mapping has no volume for it",
        "mapping-id": f"key {OPEN!r}: the id is '1'",
    } | {"annotation-unmatched": "the target has no volume with id 99"}
    assert cells(model, SURE) == {
        "file": SURE,
        "volume": "id 99, not on the target",
        "rule": "mapping file",
        "place": "the target has no such volume",
        "state": "doubtful",
        "note": "the target has no volume with id 99",
    }
    assert model.accept_blockers(SURE) == ["Its volume is not on the target: choose another one."]
    expected = ["The file has no volume on the target: choose one first."]
    assert model.preview_blockers(SURE) == expected
    model.undo()
    assert [found.code for found in model.findings] == ["annotation-unmatched"]


def test_a_file_that_is_no_mapping_is_refused_and_changes_nothing(
    model: MappingModel, tmp_path: Path
) -> None:
    (tmp_path / "bad.json").write_text("[1]")
    revision = model.revision
    with pytest.raises(BadMapping, match="the mapping cannot be read"):
        model.load(tmp_path / "bad.json")
    with pytest.raises(NiftiKitError):
        model.load(tmp_path / "none.json")
    assert model.revision == revision


# Previews


def test_a_preview_is_drawn_in_a_task(model: MappingModel) -> None:
    model.preview(OPEN, 2)
    model.task.join()
    assert model.picture.title == f"{OPEN} over d/right_knee_axl_anatomic.nrrd: same grid"
    assert model.task.text == "The picture is below."
    model.table.select(SURE)
    assert model.picture is None


def test_a_preview_marks_its_candidate(model: MappingModel) -> None:
    model.table.select(OPEN)
    model.preview(OPEN, 2)
    assert model.candidates.selected == "2"
    model.task.join()
    model.preview(OPEN, 1)
    model.task.join()
    assert "over d/left_knee_axl_anatomic.nrrd" in model.picture.title


def test_no_second_preview_begins_while_one_is_made(model: MappingModel) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def waiting(_: int) -> Iterator[np.ndarray]:
        begun.set()
        go_on.wait(30)
        for k in range(SHAPE[2]):
            yield volume()[:, :, k]

    model.target.iter_volume = waiting
    model.table.select(SURE)
    model.preview(SURE)
    assert begun.wait(30)
    try:
        assert model.preview_blockers(SURE) == ["Another preview is being made."]
        with pytest.raises(BadMapping, match="a preview is not possible: Another preview"):
            model.preview(SURE)
    finally:
        go_on.set()
    model.task.join()
    assert "over d/knee_cor_anatomic.nrrd" in model.picture.title


def test_a_score_table_has_no_preview_and_is_not_sure(tmp_path: Path) -> None:
    (tmp_path / "axl_score.csv").write_text("Layer,Label-1\n1,0.8\n")
    model = MappingModel(tmp_path, target("axl_anatomic"))
    assert cells(model, "axl_score.csv")["place"] == "a score table has no place"
    assert model.preview_blockers("axl_score.csv") == ["A score table has no voxels to draw."]
    assert model.preview_blockers("") == ["Choose a file first."]
    assert model.accept_sure() == 0
    model.table.select("axl_score.csv")
    assert model.candidates.rows[0].tone == ""
    assert [found.code for found in model.findings] == []


def test_a_live_instance_sends_a_volume_only_for_a_preview(
    platform: Platform, tmp_path: Path
) -> None:
    scans = write_planes(tmp_path / "volumes")
    there = nk.Instance(api(platform), new_dataset(platform, new_project(platform), "knee"))
    nk.upload(nk.plan(nk.scan(scans)), there, on_progress=quiet)
    names = {ref.id: ref.name for ref in there.volumes()}
    model = MappingModel(written(tmp_path / "in", "axl_mask.nii"), there, path=tmp_path / "m.json")
    (number,) = model.mapping.to_dict().values()
    assert names[number] == "axl_anatomic.nrrd"
    model.choose("axl_mask.nii", number)
    model.save()
    before = sum("download" in one.method for one in platform.requests)
    assert before == 0
    model.preview("axl_mask.nii")
    model.task.join()
    assert sum("download" in one.method for one in platform.requests) > 0
    np.testing.assert_array_equal(model.picture.image.voxels, volume())
