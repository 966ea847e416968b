"""The views of the score editor: they follow the model, and call it."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from tests.support.builders import write_nifti
from tests.support.cases_scores import FULL, label_map

pytest.importorskip("anywidget")

from nifti_kit.widgets import ScoreEditor
from nifti_kit.widgets.viewer.model import ViewerModel

SAMPLE = Path(__file__).parents[2] / "data_samples" / "scores"
MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture
def source(tmp_path):
    array = label_map({1: (3, 7)})
    write_nifti(tmp_path / "source" / "axl_anatomic.nii", np.ones(array.shape, np.int16))
    write_nifti(tmp_path / "source" / "axl_inference.nii", array)
    (tmp_path / "source" / "axl_score.csv").write_text(f"{FULL}\n8,n/a\n")
    return tmp_path / "source"


@pytest.fixture
def editor(source, tmp_path):
    made = ScoreEditor(source, out=tmp_path / "out")
    made.model.join()
    return made


def every(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from every(child)


def part(editor, name):
    """The only part of the app with a CSS class."""
    found = [one for one in every(editor) if name in getattr(one, "_dom_classes", ())]
    assert len(found) == 1
    return found[0]


def sent(editor, **content):
    """What the script of the grid would send."""
    part(editor, "nk-heat")._received(None, content, None)


def test_the_grid_follows_the_model(editor):
    heat = part(editor, "nk-heat")
    assert heat.label == "Scores of axl_score.csv: layers by labels"
    assert heat.grid == editor.model.open.grid
    assert heat.at.pop("number") > 0
    assert heat.at == {"row": "L8", "column": "Label-1", "grab": False, "asked": []}
    editor.model.put(8, 1, "")
    assert heat.grid == editor.model.open.grid
    editor.model.go("L3", "Layer")
    assert (heat.at["row"], heat.at["column"]) == ("L3", "Layer")


def test_what_is_typed_in_the_grid_is_an_edit(editor):
    heat, model = part(editor, "nk-heat"), editor.model
    sent(editor, do="type", row="L8", column="Label-1", text="0.4")
    assert model.open.changes == ["Layer 8, Label-1: 'n/a' is now '0.4'"]
    assert heat.answered == 1
    assert heat.at["asked"] == ["L8", "Label-1"]
    sent(editor, do="undo", row="L8", column="Label-1")
    assert model.open.changes == []
    sent(editor, do="nothing known")
    heat._received(None, "no message", None)
    assert heat.answered == 3


def test_where_the_script_goes_is_not_told_back(editor):
    heat = part(editor, "nk-heat")
    before = heat.at
    sent(editor, do="go", row="L4", column="Label-1")
    assert editor.model.current == ("L4", "Label-1")
    assert heat.at == before


def test_what_is_refused_is_said(editor):
    refused = part(editor, "nk-refused")
    assert refused.layout.display == "none"
    sent(editor, do="type", row="L8", column="Label-1", text=MARKUP)
    assert refused.layout.display == ""
    assert "the score is no number" in refused.children[0].value
    assert MARKUP not in refused.children[0].value
    assert part(editor, "nk-done").layout.display == "none"
    sent(editor, do="go", row="L4", column="Label-1")
    assert refused.layout.display == "none"


def test_the_slice_of_a_cell_is_opened_once(editor):
    model, viewer = editor.model, part(editor, "nk-score-slice")
    sent(editor, do="open", row="L4", column="Label-1")
    model.join()
    assert model.viewer.position[2] == 3
    assert [child.model for child in viewer.children] == [model.viewer]
    sent(editor, do="open", row="head", column="Label-1")
    assert model.current == ("head", "Label-1")
    assert model.viewer.position[2] == 3


def test_the_first_faulty_cell_is_drawn_until_a_slice_is_asked_for(editor):
    model, first = editor.model, part(editor, "nk-first-slice")
    assert model.viewer is None
    assert "data:image/webp" in first.value
    assert "axial slice 7 (0 to" in first.value  # of layer 8, the first with a fault
    place = model.current
    model.go("L5", "Label-1")
    assert first.value == ""  # it was of another cell
    model.go(*place)
    model.draw()
    model.join()
    assert "axial slice 7 (0 to" in first.value
    sent(editor, do="open", row="L4", column="Label-1")
    model.join()
    assert first.value == ""
    assert model.viewer is not None


def test_a_table_without_a_volume_has_no_first_picture(source):
    (source / "axl_anatomic.nii").unlink()
    made = ScoreEditor(source)
    made.model.join()
    assert part(made, "nk-first-slice").value == ""


def test_the_cell_beside_the_grid_is_typed_into(editor):
    model = editor.model
    text, comment = part(editor, "nk-cell-text"), part(editor, "nk-cell-comment")
    assert (text.value, text.description) == ("n/a", "Score:")
    text.value = "0.4"
    comment.value = "seen"
    assert model.open.changes == [
        "Layer 8, Label-1: 'n/a' is now '0.4'",
        "Layer 8, Comment-1: blank is now 'seen'",
    ]
    text.value = "high"
    assert text.value == "0.4"
    assert "the score is no number" in part(editor, "nk-refused").children[0].value
    model.go("L8", "Layer")
    assert (text.value, text.description) == ("8", "Layer:")
    text.value = "9"
    assert model.current == ("L9", "Layer")
    model.go("head", "Label-1")
    assert (text.value, text.description) == ("Label-1", "Column:")
    assert comment.layout.display == "none"
    assert "Line 7 is now Layer 9." in part(editor, "nk-done").children[0].value


def test_rows_and_columns_are_removed_beside_the_grid(editor):
    model = editor.model
    row, column = part(editor, "nk-remove-row"), part(editor, "nk-remove-col")
    row.click()
    assert model.open.changes == ["line 7 removed"]
    assert row.disabled
    assert not column.disabled
    column.click()
    assert "the only label of the table" in part(editor, "nk-refused").children[0].value
    part(editor, "nk-undo").click()
    assert model.open.changes == []


def test_a_way_to_count_is_chosen(editor):
    counting = part(editor, "nk-countings")
    assert counting.value == (1, "file")
    counting.value = (0, "file")
    assert editor.model.open.draft.base == 0
    assert len(counting.options) == 4
    counting.value = (0, "reversed")
    assert editor.model.open.draft.frames == "reversed"
    editor.model.count_from(1)
    assert counting.value == (1, "file")


def test_no_way_to_count_is_chosen_where_a_person_is_to_say_it(source):
    (source / "axl_score.csv").write_text("Layer,Label-1\n3,0.80\n4,0.0\n5,0.70\n")
    editor = ScoreEditor(source)
    editor.model.join()
    counting = part(editor, "nk-countings")
    assert counting.value is None
    counting.value = (1, "file")
    assert editor.model.open.draft.said
    assert counting.value == (1, "file")


def test_a_way_that_is_refused_is_not_shown_as_chosen(source):
    (source / "axl_score.csv").write_text(f"{FULL}\n13,0.5\n")
    editor = ScoreEditor(source)
    editor.model.join()
    counting = part(editor, "nk-countings")
    counting.value = (1, "reversed")
    assert counting.value == (1, "file")
    assert "has frames below 1" in part(editor, "nk-refused").children[0].value


def test_save_is_disabled_with_its_reason_until_the_fault_is_left_out(editor, tmp_path):
    save = part(editor, "nk-save")
    assert save.disabled
    part(editor, "nk-drop-faulty").value = True
    assert not save.disabled
    save.click()
    assert (tmp_path / "out" / "axl_score.csv").read_text().splitlines()[-1] == "7,0.50"
    editor.model.path = str(tmp_path / "x.txt")
    assert save.disabled


def test_a_table_is_chosen_by_name():
    editor = ScoreEditor(SAMPLE)
    editor.model.join()
    table = part(editor, "nk-score-table")
    assert table.options == ("axl_score.csv", "cor_score.csv", "sag_score.csv")
    table.value = "sag_score.csv"
    editor.model.join()
    assert editor.model.open.reference.item.plane == "sag"
    assert part(editor, "nk-heat").grid == editor.model.open.grid
    assert "sag_score.csv" in part(editor, "nk-subject").value


def test_a_finding_that_is_chosen_takes_the_focus_to_its_cell(editor):
    editor.model.go("L3", "Label-1")
    editor.model.remarks.select(editor.model.remarks.rows[0].key)
    at = part(editor, "nk-heat").at
    assert (at["row"], at["column"], at["grab"]) == ("L8", "Label-1", True)


def test_without_a_source_it_says_what_to_do():
    editor = ScoreEditor()
    assert part(editor, "nk-countings").layout.display == "none"
    assert part(editor, "nk-heat").grid == {"columns": [], "rows": []}
    assert "Choose a cell." in part(editor, "nk-place").value
    part(editor, "nk-remove-row").click()
    texts = [one.value for one in every(editor) if isinstance(getattr(one, "value", None), str)]
    assert any("Read a source first." in text for text in texts)


def test_markup_in_a_table_is_shown_as_text(source):
    (source / "axl_score.csv").write_text(f"Layer,Label-1,{MARKUP}\n{MARKUP},0.5,{MARKUP}\n")
    editor = ScoreEditor(source)
    editor.model.join()
    editor.model.go("head", MARKUP)
    html = [one.value for one in every(editor) if type(one).__name__ == "HTML"]
    assert not [text for text in html if "<img" in text]
    assert "Column &lt;img" in part(editor, "nk-place").value


def test_what_is_refused_stays_when_its_own_cell_is_told_late(editor):
    """A click says with a pause where a person is: after what was typed there, on a slow page."""
    refused = part(editor, "nk-refused")
    here = {"row": "L8", "column": "Label-1"}
    sent(editor, do="type", text="good", **here)
    for _ in range(2):
        sent(editor, do="go", **here)
        assert refused.layout.display == ""
    sent(editor, do="go", row="L4", column="Label-1")
    assert refused.layout.display == "none"


def test_two_threads_show_how_layers_count_one_after_the_other(editor):
    """A table that is read shows itself, while the page still shows that it was chosen."""
    counting = part(editor, "nk-countings")
    found, editor.model.open = editor.model.open, None
    other = threading.Thread(target=lambda: setattr(editor.model, "open", None))

    def meanwhile(change):
        if change["new"] and not other.is_alive():
            other.start()
            other.join(0.1)  # it waits, or it has taken the choices away

    counting.observe(meanwhile, "options")
    editor.model.open = found
    other.join()
    assert counting.options == ()


def test_a_table_that_is_chosen_while_another_is_drawn_is_drawn_too(editor, monkeypatch):
    model, first = editor.model, part(editor, "nk-first-slice")
    real, opened = ViewerModel.of_item, []

    def interrupted(dataset, item):
        opened.append(item.name)
        if len(opened) == 1:
            model.open = None
        return real(dataset, item)

    monkeypatch.setattr("nifti_kit.widgets.scores.model.ViewerModel.of_item", interrupted)
    now, model.open = model.open, None
    assert first.value == ""
    model.open = now
    model.draw()
    model.opening.join()
    assert first.value == ""  # nothing is open
    model.open = now
    model.opening.state = "running"
    model.opening.state = "done"
    model.opening.join()
    assert "data:image/webp" in first.value
