"""The view of the mapping editor: it shows the model, and its buttons call it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ipywidgets as w
import pytest

from nifti_kit import widgets
from nifti_kit.widgets.mapping.rows import Suggestion
from tests.support.loosely_named import write_annotations, write_project
from tests.widgets.test_mapping_model import KNEES, OPEN, SURE, target, written

MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture
def editor(tmp_path: Path) -> Any:
    there = target(*KNEES, "other_sag_anatomic", n4=5)
    source = written(tmp_path / "in", OPEN, SURE)
    return widgets.MappingEditor(source, there, path=tmp_path / "mapping.json")


def parts(widget: Any) -> list[Any]:
    """A widget and all that is in it."""
    return [widget, *(part for child in getattr(widget, "children", ()) for part in parts(child))]


def named(editor: Any, name: str) -> Any:
    """The part with a CSS class."""
    (found,) = (part for part in parts(editor) if name in getattr(part, "_dom_classes", ()))
    return found


def shown(editor: Any, name: str) -> str:
    """The text of a part as HTML, without what is not displayed."""
    found = [part for part in parts(named(editor, name)) if isinstance(part, w.HTML)]
    return "".join(part.value for part in found)


def is_hidden(widget: Any) -> bool:
    return widget.layout.display == "none"


def test_buttons_say_why_they_are_disabled(editor: Any) -> None:
    undo, accept_sure = named(editor, "nk-undo"), named(editor, "nk-accept-sure")
    assert undo.disabled
    assert "Nothing was changed yet." in shown(editor, "nk-mapping")
    assert (accept_sure.disabled, accept_sure.description) == (False, "Accept all that are sure")
    accept_sure.click()
    assert accept_sure.disabled
    assert not undo.disabled
    assert "1 sure file accepted." in shown(editor, "nk-good")
    undo.click()
    assert undo.disabled
    assert "1 matched, 1 unmatched" in shown(editor, "nk-summary")


def test_the_tables_are_those_of_the_model(editor: Any) -> None:
    editor.model.table.select(OPEN)
    files, candidates = named(editor, "nk-files"), named(editor, "nk-candidates")
    assert (files.model, candidates.model) == (editor.model.table, editor.model.candidates)
    assert files.label == "Annotation files"


def test_the_part_for_a_file_is_there_while_one_is_selected(editor: Any) -> None:
    selected = named(editor, "nk-selected")
    assert is_hidden(selected)
    editor.model.table.select(SURE)
    assert not is_hidden(selected)
    assert f"<h4>Candidates for {SURE}</h4>" in shown(editor, "nk-selected")
    text = "d/knee_cor_anatomic.nrrd (id 3): same grid; matched."
    assert text in shown(editor, "nk-selected")
    editor.model.table.select("")
    assert is_hidden(selected)


def test_its_buttons_are_about_the_selected_file(editor: Any) -> None:
    editor.model.table.select(OPEN)
    assert named(editor, "nk-accept").disabled
    assert "The file has no volume: choose one first." in shown(editor, "nk-selected")
    assert "The file has no volume." in shown(editor, "nk-selected")
    editor.model.table.select(SURE)
    named(editor, "nk-accept").click()
    assert editor.model.standing(SURE).state == "accepted"
    named(editor, "nk-leave").click()
    assert editor.model.standing(SURE).state == "left out"
    assert named(editor, "nk-leave").disabled


def test_a_preview_is_a_viewer_that_goes_with_its_file(editor: Any) -> None:
    editor.model.table.select(SURE)
    named(editor, "nk-preview").click()
    editor.model.task.join()
    (viewer,) = named(editor, "nk-picture").children
    assert viewer.model is editor.model.picture
    assert f"{SURE} over d/knee_cor_anatomic.nrrd: same grid" in shown(editor, "nk-picture")
    editor.model.table.select(OPEN)
    assert named(editor, "nk-picture").children == ()


def test_a_suggestion_is_listed_until_it_is_taken_or_dropped(tmp_path: Path) -> None:
    there = target("left_axl_anatomic", "right_axl_anatomic", "left_cor_anatomic")
    source = written(tmp_path / "in", "x_axl_mask.nii", "x_cor_mask.nii")
    editor = widgets.MappingEditor(source, there, path=tmp_path / "mapping.json")
    box = named(editor, "nk-suggestion")
    assert is_hidden(box)
    for name, by_person in (("nk-drop-suggestion", ""), ("nk-take-suggestion", "chosen")):
        editor.model.choose("x_axl_mask.nii", 1)
        editor.model.suggestion = same_case_by_hand(editor.model)
        assert not is_hidden(box)
        assert "<li>x_cor_mask.nii: d/left_cor_anatomic.nrrd (id 3), same grid</li>" in shown(
            editor, "nk-suggestion"
        )
        named(editor, name).click()
        assert is_hidden(box)
        assert editor.model.standing("x_cor_mask.nii").row.by_person == by_person


def same_case_by_hand(model: Any) -> Suggestion:
    row = model.standing("x_cor_mask.nii").row
    return Suggestion("1 more file", {"x_cor_mask.nii": row.chosen(3)})


def test_picked_rows_are_decided_by_buttons(editor: Any) -> None:
    accept, leave = named(editor, "nk-accept-picked"), named(editor, "nk-leave-picked")
    assert accept.disabled
    assert repr(editor).startswith("MappingEditor(")
    assert "Pick files first." in shown(editor, "nk-matching")
    named(editor, "nk-pick-found").click()
    accept.click()
    assert editor.model.standing(SURE).state == "accepted"
    leave.click()
    assert editor.model.standing(OPEN).state == "left out"


def test_a_volume_is_marked_taken_and_the_next_file_follows(editor: Any) -> None:
    editor.model.table.select(SURE)
    assert "Marked: d/knee_cor_anatomic.nrrd (id 3)" in shown(editor, "nk-selected")
    named(editor, "nk-take").click()
    assert editor.model.standing(SURE).state == "accepted"
    assert editor.model.table.selected == OPEN
    editor.model.candidates.select("")
    assert named(editor, "nk-take").disabled
    assert "Mark a volume in the list first." in shown(editor, "nk-selected")


def test_candidates_are_drawn_once_for_a_file(editor: Any) -> None:
    editor.model.table.select(OPEN)
    drawn: list[Any] = []
    named(editor, "nk-candidates").observe(drawn.append, "shown")
    editor.model.table.select(SURE)
    assert len(drawn) == 1


def test_the_keyboard_goes_to_the_first_button_after_a_row_was_chosen(
    editor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Any] = []
    editor.model.table.select(OPEN)
    monkeypatch.setattr(named(editor, "nk-take"), "focus", lambda: said.append("focus"))
    files = named(editor, "nk-files")
    files._handle_custom_msg({"do": "search", "value": ""}, [])
    assert said == []
    files._handle_custom_msg({"do": "select", "key": SURE}, [])
    named(editor, "nk-candidates")._handle_custom_msg({"do": "select", "key": "1"}, [])
    assert said == ["focus"] * 2
    editor.model.table.select("")
    files._handle_custom_msg("no message of ours", [])
    assert said == ["focus"] * 2


def test_what_a_mapping_would_replace_is_shown_until_it_changes(tmp_path: Path) -> None:
    there = write_project(tmp_path)
    source = write_annotations(tmp_path / "in")
    editor = widgets.MappingEditor(source, there, path=tmp_path / "mapping.json")
    named(editor, "nk-compare").click()
    editor.model.comparing.join()
    assert "added" in shown(editor, "nk-replaced")
    editor.model.table.select(editor.model.table.rows[0].key)
    assert named(editor, "nk-follows").value
    editor.model.task.join()
    editor.model.accept_sure()
    assert "added" not in shown(editor, "nk-replaced")


def test_saving_is_blocked_with_the_reason_until_it_is_possible(editor: Any) -> None:
    save = named(editor, "nk-save")
    assert not save.disabled
    editor.model.choose(OPEN, 3)
    assert save.disabled
    assert "1 file is doubtful." in shown(editor, "nk-save-part")
    editor.model.choose(OPEN, 2)
    save.click()
    saved = Path(editor.model.path)
    assert json.loads(saved.read_text()) == {OPEN: 2, SURE: 3}
    assert f"Saved the volumes of 2 files to {saved}." in shown(editor, "nk-good")
    assert "kept as mapping.1.json" in shown(editor, "nk-where")


def test_path_and_form_are_linked(editor: Any) -> None:
    named(named(editor, "nk-save-part"), "nk-path").value = "mapping.txt"
    assert editor.model.path == "mapping.txt"
    assert "must end in .json" in shown(editor, "nk-save-part")
    named(editor, "nk-form").value = "project"
    assert editor.model.form == "project"
    assert f"but {SURE} lies in none" in shown(editor, "nk-save-part")


def test_an_error_is_told_and_goes_with_the_next_act(editor: Any, tmp_path: Path) -> None:
    named(named(editor, "nk-save-part"), "nk-path").value = str(tmp_path / "none.json")
    named(editor, "nk-load").click()
    assert "none.json" in shown(named(editor, "nk-matching"), "nk-error")
    assert not is_hidden(named(named(editor, "nk-matching"), "nk-error"))
    editor.model.accept_sure()
    assert is_hidden(named(named(editor, "nk-matching"), "nk-error"))


def test_a_file_is_loaded_with_its_faults_as_findings(editor: Any, tmp_path: Path) -> None:
    (tmp_path / "mapping.json").write_text(json.dumps({OPEN: 1, "gone_axl_mask.nii": 2}))
    named(editor, "nk-load").click()
    assert editor.model.mapping.to_dict() == {OPEN: 1}
    assert "mapping-key" in shown(editor, "nk-findings")
    named(editor, "nk-match-rest").click()
    assert editor.model.mapping.to_dict() == {OPEN: 1, SURE: 3}


def test_markup_in_names_is_text(tmp_path: Path) -> None:
    source = written(tmp_path / "in", f"{MARKUP}_axl_mask.nii")
    there = target(f"{MARKUP}_axl_anatomic", f"{MARKUP}_left_axl_anatomic")
    editor = widgets.MappingEditor(source, there, path=tmp_path / f"{MARKUP}.json")
    (row,) = editor.model.table.rows
    editor.model.table.select(row.key)
    editor.model.choose(row.key, 2)
    editor.model.leave_out(row.key)
    editor.model.choose(row.key, 1)
    named(editor, "nk-save").click()
    editor.model.preview(row.key)
    editor.model.task.join()
    values = [part.value for part in parts(editor) if isinstance(part, w.HTML)]
    assert sum("&lt;img src=x onerror=alert(1)&gt;" in value for value in values) >= 5
    assert not [value for value in values if "<img src=x" in value]


def test_source_and_target_are_picked_where_they_are_not_given(tmp_path: Path) -> None:
    editor = widgets.MappingEditor(path=tmp_path / "mapping.json")
    start = named(editor, "nk-start")
    assert start.selected_index == 0
    assert editor.model is None
    assert named(editor, "nk-begin").disabled
    editor.start.source.path = str(written(tmp_path / "in", OPEN, SURE))
    editor.start.source.scan()
    editor.start.source.join()
    editor.start.target.given, editor.start.target.kind = target(*KNEES), "given"
    named(editor, "nk-begin").click()
    editor.start.task.join()
    assert start.selected_index is None
    assert editor.model.mapping.to_dict() == {SURE: 3}
    assert named(editor, "nk-files").model is editor.model.table
