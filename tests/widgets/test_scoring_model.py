"""The model of the score editor, without a browser."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.errors import BadScores, NiftiKitError
from nifti_kit.widgets.scores import opened
from nifti_kit.widgets.scores.model import ScoreModel
from tests.support.builders import write_nifti
from tests.support.cases_scores import CASES, FRAMES, FULL, TWO_FILES, label_map, rows

SAMPLE = Path(__file__).parents[2] / "data_samples" / "scores"
FAULTY = "Layer,Label-1,Label-9,Comment-1,Remark\n3,0.8,,sharp,x\n0,0.7,,,\n4,n/a,0.5,,\n5,,,,\n"


def dataset_of(folder, table=FULL, spans=None, masks=("axl_inference.nii",), more=None):
    array = label_map(spans or {1: (3, 7)})
    write_nifti(folder / "axl_anatomic.nii", np.ones(array.shape, np.int16))
    for mask in masks:
        write_nifti(folder / mask, array)
    for name, text in {"axl_score.csv": table, **(more or {})}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def editor(tmp_path):
    """A function that opens a table against a mask with value 1 in frames 3 to 7 of 12."""

    def make(table=FULL, **choices):
        kept = {name: choices.pop(name) for name in ("spans", "masks", "more") if name in choices}
        folder = dataset_of(tmp_path / "source", table, **kept)
        model = scoring(folder, out=tmp_path / "out", **choices)
        model.join()
        return model

    return make


def scoring(*given, **choices):
    """A model that has begun to read."""
    model = ScoreModel(*given, **choices)
    model.scan()
    return model


def told(model):
    return [(found.code, found.where) for found in model.open.remarks]


def cell(model, key, name):
    grid = model.open.grid
    column = [column["name"] for column in grid["columns"]].index(name)
    return next(row for row in grid["rows"] if row["key"] == key)["cells"][column]


# What is found


@pytest.mark.parametrize("fires", [0, 1], ids=["fires", "near neighbour"])
@pytest.mark.parametrize("code", [code for code in CASES if code.startswith("scores-")])
def test_it_finds_what_check_finds(code, fires, tmp_path):
    findings = CASES[code][fires](tmp_path / "source")
    # as the case has it; nothing is said of a table of the exporter
    said = {("scores-layer-zero", 1): 0, ("scores-base-unsaid", 0): None}
    model = scoring(tmp_path / "source", base=said.get((code, fires), 1))
    if code == "scores-unreadable" and not fires:
        with pytest.raises(BadScores, match="no 'Layer' column"):
            model.join()
        assert "no 'Layer' column" in model.edit_blockers[0]
        return
    model.join()
    name = model.table
    expected = {one.code for one in findings if one.path == name and one.code.startswith("scores-")}
    assert {one.code for one in model.open.remarks} == expected


def test_each_cell_is_named_and_errors_come_first(editor):
    model = editor(FAULTY)
    assert told(model) == [
        ("scores-layer-zero", "line 3"),
        ("scores-cell", "Layer 4, Label-1"),
        ("scores-without-value", "Label-9"),
        ("scores-column", "Remark"),
        ("scores-slice-missing", "Layer 5, Label-1"),
        ("scores-slice-missing", "Layer 6, Label-1"),
        ("scores-slice-missing", "Layer 7, Label-1"),
    ]
    assert model.summary == "2 errors, 2 warnings, 3 notes. 0 changes."
    assert model.current == ("R3", "Layer")
    row = model.remarks.rows[1]
    assert dict(row.cells) == {
        "severity": "error",
        "where": "Layer 4, Label-1",
        "message": "'n/a' is no number",
        "code": "scores-cell",
        "fix": "Clear the cell",
    }


def test_the_grid_has_every_frame_and_rows_without_a_layer_come_first(editor):
    grid = editor(FAULTY).open.grid
    assert [row["key"] for row in grid["rows"]] == ["R3", *(f"L{n}" for n in range(1, FRAMES + 1))]
    assert [row["slice"] for row in grid["rows"]] == ["line 3", *map(str, range(FRAMES))]
    assert [column["name"] for column in grid["columns"]] == ["Label-1", "Label-9", "Remark"]
    assert [column["title"] for column in grid["columns"]] == ["Segment_1", "", ""]
    assert [column["tone"] for column in grid["columns"]] == ["", "warning", "warning"]


def test_a_cell_tells_score_label_fault_and_comment(editor):
    model = editor(FAULTY)
    assert cell(model, "L3", "Label-1") == ["0.8", 0.8, 1, "", "", "sharp"]
    assert cell(model, "L4", "Label-1") == [
        "n/a", None, 1, "error", "error: 'n/a' is no number", ""
    ]  # fmt: skip
    note = "note: no score, but 1 voxel of the label"
    assert cell(model, "L5", "Label-1") == ["", None, 1, "note", note, ""]
    assert cell(model, "L3", "Remark") == ["x", None, 0, "", "", ""]
    assert cell(model, "L9", "Label-1") == ""


def test_scores_beyond_0_and_1_keep_the_colours_of_the_ends(editor):
    model = editor("Layer,Label-1\n3,1.4\n4,-2\n5,0.5\n6,0.5\n7,0.5\n")
    assert cell(model, "L3", "Label-1")[:4] == ["1.4", 1.0, 1, "warning"]
    assert cell(model, "L4", "Label-1")[:4] == ["-2", 0.0, 1, "warning"]


def test_cells_without_a_header_are_named(editor):
    model = editor(f"{FULL}\n8,,0.4,0.5\n")
    assert told(model) == [("scores-cell-unheaded", "Layer 8")]
    assert model.open.remarks[0].message == "cells without a header: 0.4, 0.5"


def test_comments_without_their_label_are_named_and_can_be_removed(editor):
    model = editor("Layer,Label-1,Comment-4\n" + "".join(f"{n},0.5,x\n" for n in range(3, 8)))
    assert told(model) == [("scores-column", "Comment-4")]
    model.fix(model.open.remarks[0])
    assert told(model) == []


def test_another_table_of_the_item_counts(editor):
    more = {"axl_score_1.csv": rows(3, 9)}
    model = editor(rows(3, 4, 5, 6), more=more, segmentation="semantic")
    assert model.tables == ["axl_score.csv", "axl_score_1.csv"]
    assert ("scores-layer-repeated", "Layer 3, Label-1") in told(model)
    model.fix(next(one for one in model.open.remarks if one.code == "scores-layer-repeated"))
    assert model.open.changes == ["Layer 3, Label-1: '0.5' is now blank"]
    # the other table scores it still
    assert ("scores-slice-missing", "Layer 3, Label-1") not in told(model)


def test_columns_may_name_class_indices(editor):
    model = editor(rows(*range(3, 8), values=(1, 2)), masks=TWO_FILES)
    assert told(model) == [("scores-by-class", "the table")]
    model.move_column(2, 5)
    assert ("scores-without-value", "Label-5") in told(model)
    assert "no annotation file has index 5" in model.open.remarks[1].message


def test_a_table_whose_mask_is_missing_lands_nowhere(editor):
    model = editor(rows(3), masks=TWO_FILES, more={"axl_score_3.csv": rows(3)})
    model.choose("axl_score_3.csv")
    model.join()
    assert told(model) == [("scores-without-value", "the table")]
    assert model.open.countings[0].text.startswith("Layers count from 1")


# How layers count


def test_what_each_way_to_count_would_mean_is_told(editor):
    model = editor(rows(2, 3, 4, 5, 6))
    assert [(one.base, one.frames, one.on_label, one.beside) for one in model.open.countings] == [
        (1, "file", 4, 1),
        (0, "file", 5, 0),
        (1, "reversed", 1, 4),
        (0, "reversed", 2, 3),
    ]
    assert model.open.countings[0].text == (
        "Layers count from 1, from the first frame: 4 of 5 scores on slices with the label"
    )
    assert told(model)[0] == ("scores-base-suspect", "the table")
    model.fix(model.open.remarks[0])
    assert told(model) == []
    assert model.open.draft.base == 0
    assert model.message == "Layers now count from 0, along the first frame on."


def test_layers_outside_are_counted(editor):
    model = editor(rows(3, 12, 13))
    counting = model.open.countings[0]
    assert counting.text.endswith("1 of 3 scores on slices with the label, 1 outside of the file")
    assert ("scores-layer-outside", "Layer 13") in told(model)
    model.go("L13", "Label-1")
    assert model.place.where == "Layer 13: there is no such frame"
    assert model.look_blockers == ["Choose a cell on a layer that the file has."]
    with pytest.raises(BadScores, match="reversed in 12 frames has frames below 1"):
        model.reverse()
    assert model.open.draft.frames == "file"


def test_layers_may_count_from_the_last_frame(editor):
    model = editor(rows(6, 7, 8, 9, 10))
    assert told(model)[0] == ("scores-reversed-suspect", "the table")
    model.fix(model.open.remarks[0])
    assert told(model) == []
    model.go("L6", "Label-1")
    assert model.place.where == (
        "Layer 6 = frame 7 of the file (from 1) = RAS slice 6 of plane axial (0-0-1)"
    )
    saved = model.save()
    assert saved.read_text() == FULL.replace(",0.5", ",0.50") + "\n"
    model.reverse()
    assert model.open.draft == model.open.opened
    model.count_from(1, "file")
    assert model.message == "Nothing changed."


def test_every_row_can_be_moved(editor):
    model = editor(rows(2, 3, 4, 5, 6))
    model.shift(1)
    assert told(model) == []
    assert model.message == "Every row moved by +1."
    with pytest.raises(BadScores, match="Layer 3 would be -1: there is no such layer"):
        model.shift(-4)
    model.shift(0)
    assert model.message == "Nothing changed."


FILLED = "Layer,Label-1,Label-2\n4,0.80,0.0\n5,0.70,0.60\n"
"""As the platform's exporter writes it: both ways to count lie inside the labels."""


@pytest.mark.parametrize("base", [0, 1])
def test_what_a_table_of_the_exporter_counts_from_is_to_be_chosen(editor, base):
    model = editor(FILLED, spans={1: (3, 7), 2: (3, 7)})
    assert told(model)[0] == ("scores-base-unsaid", "the table")
    assert model.remarks.rows[0].cells["fix"] == "Count from 0"
    assert model.save_blockers[0].startswith("Choose first what its layers count from")
    model.put(4, 1, "0.9")
    with pytest.raises(BadScores, match="Choose first what its layers count from"):
        _ = model.dataset
    model.undo()
    model.count_from(base, "file")
    assert "scores-base-unsaid" not in {found.code for found in model.open.remarks}
    assert model.save_blockers == []
    plan = nk.plan(model.dataset, waive=["planes-incomplete"])
    assert plan.blockers.ok
    assert list(plan.objects[0].scores["0-0-1"]) == [str(4 - base), str(5 - base)]
    model.undo()
    assert told(model)[0] == ("scores-base-unsaid", "the table")


@pytest.mark.parametrize("choices", [{"base": 1}, {"score_base": "1"}])
def test_a_base_that_is_given_is_said(editor, choices):
    model = editor(FILLED, spans={1: (3, 7), 2: (3, 7)}, **choices)
    assert "scores-base-unsaid" not in {found.code for found in model.open.remarks}
    assert model.save_blockers == []
    assert nk.plan(model.dataset, waive=["planes-incomplete"]).blockers.ok


# Edits


def test_a_score_stays_as_it_is_written(editor):
    model = editor("Layer;Label-1\n3;0,80\n4;0,9\n5;1\n6;0,123\n7;0,5\n")
    model.put(7, 1, "0.850")
    model.put(6, "Label-1", "0,70")
    assert cell(model, "L3", "Label-1")[0] == "0,80"
    assert model.save().read_text() == "Layer,Label-1\n3,0.80\n4,0.90\n5,1.00\n6,0.70\n7,0.850\n"


def test_a_layer_without_a_row_gets_one(editor):
    model = editor(rows(3, 4, 5, 6))
    assert told(model) == [("scores-slice-missing", "Layer 7, Label-1")]
    model.put(7, 1, 0.25)
    assert told(model) == []
    assert model.current == ("L7", "Label-1")
    assert model.place.line == 6
    assert model.message == "Layer 7, Label-1: blank is now '0.25'."
    model.put(8, 1, None)
    assert model.message == "Nothing changed."


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda model: model.put(3, 1, "high"), "the score is no number Found: 'high'"),
        (lambda model: model.put(13, 1, "0.5"), "there is no layer 13"),
        (lambda model: model.put(0, 1, "0.5"), "there is no layer 0"),
        (lambda model: model.put(3, "liver", "0.5"), "that names no label"),
        (lambda model: model.note(3, 1, "a\0b"), "a file cannot hold the comment"),
        (lambda model: model.remark_on("L3", "Layer", "x"), "only a label has comments"),
        (lambda model: model.type("L3", "Layer", "4"), "Layer 4 has a row already: line 3"),
        (lambda model: model.type("L3", "Layer", "3.5"), "a layer is a whole number"),
        (lambda model: model.type("L3", "Layer", "20"), "there is no layer 20"),
        (lambda model: model.type("L9", "Layer", "3"), "Layer 9 has no row yet"),
        (lambda model: model.type("X9", "Label-1", "3"), "that is no row"),
        (lambda model: model.remove_line(40), "the table has no such row"),
        (lambda model: model.remove_column(1), "Label-1 is the only label of the table"),
        (lambda model: model.remove_column(8), "the table has no such column"),
        (lambda model: model.undo(), "Nothing was changed yet."),
        (lambda model: model.count_from(2), "layers count from 0 or from 1"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(editor, act, said):
    model = editor()
    before = model.open.draft
    with pytest.raises(BadScores) as caught:
        act(model)
    assert said in str(caught.value)
    assert model.open.draft is before
    assert model.open.changes == []


def test_a_row_gets_its_layer(editor):
    model = editor(FAULTY)
    model.type("R3", "Layer", "6")
    assert model.current == ("L6", "Layer")
    assert model.message == "Line 3 is now Layer 6."
    assert cell(model, "L6", "Label-1")[0] == "0.7"
    model.place_line(3, 7)
    assert cell(model, "L7", "Label-1")[0] == "0.7"
    model.remove_line(3)
    assert cell(model, "L7", "Label-1")[3] == "note"
    model.undo()
    assert model.message == "Undone: line 3 removed."
    assert cell(model, "L7", "Label-1")[0] == "0.7"


def test_of_rows_with_one_layer_each_can_be_chosen(editor):
    model = editor(rows(3, 4, 4, 5, 6, 7))
    assert [found.row for found in model.open.remarks[:2]] == ["R3", "R4"]
    with pytest.raises(BadScores, match="Layer 4 stands in lines 3, 4: correct their layers first"):
        model.put(4, 1, "0.9")
    model.go("R4", "Label-1")
    assert model.place.where == "Line 4 of the file: it has no layer"
    model.type("R4", "Label-1", "0.9")
    assert model.open.changes == ["line 4, Label-1: '0.5' is now '0.9'"]
    model.fix(next(found for found in model.open.remarks if found.row == "R3"))
    assert told(model) == []
    assert model.current == ("L4", "Label-1")
    model.undo()
    model.go("R3", "Layer")
    model.fix(next(found for found in model.open.remarks if found.row == "R3"))
    assert model.place.lines == []


def test_comments_are_seen_and_edited(editor):
    model = editor(FAULTY)
    model.go("L3", "Label-1")
    assert model.place.comment == "sharp"
    model.note(3, 1, "not sharp")
    model.note(5, 1, "cut off")
    assert cell(model, "L3", "Label-1")[5] == "not sharp"
    assert model.open.changes[1] == "Layer 5, Comment-1: blank is now 'cut off'"
    model.fix(model.open.remarks[0])  # counts from 0
    assert cell(model, "L3", "Label-1")[5] == "not sharp"


def test_a_column_is_given_to_another_label_with_its_comments(editor):
    table = "Layer,Label-5,Comment-5\n" + "".join(f"{n},0.5,c\n" for n in range(3, 8))
    model = editor(table)
    assert told(model) == [("scores-without-value", "Label-5")]
    model.type("head", "Label-5", "Label-1")
    assert told(model) == []
    assert model.current == ("head", "Label-1")
    assert model.place.where == "Column Label-1"
    assert model.open.draft.sheet.header == ("Layer", "Label-1", "Comment-1")
    model.move_column(1, 1)
    assert model.message == "Nothing changed."


def test_a_column_is_not_put_over_another(editor):
    table = "Layer,Label-1,Label-5,Comment-5,Comment-7\n3,0.5,0.5,c,d\n"
    model = editor(table)
    with pytest.raises(BadScores, match="Label-1 has a column already"):
        model.move_column(5, 1)
    with pytest.raises(BadScores, match="Comment-7 is there already"):
        model.move_column(5, 7)
    model.remove_column(5)
    assert model.open.draft.sheet.header == ("Layer", "Label-1", "Comment-7")
    model.move_column("Comment-7", 3)
    assert model.open.draft.sheet.values == (1, 3)


def test_a_column_that_is_no_label_can_become_one(editor):
    model = editor("Layer,Label-5,Liver\n3,0.5,0.6\n")
    model.go("head", "Liver")
    said = "'Liver' is not used"
    remedy = "Rename it, if it holds scores."
    assert model.place.lines == ["Column Liver", f"warning: {said}. {remedy}"]
    model.move_column("Liver", 1)
    assert model.place.column == "Label-1"
    assert cell(model, "L3", "Label-1")[:3] == ["0.6", 0.6, 1]
    model.go("head", "Label-5")
    model.remove_column(5)
    assert model.current == ("", "")


def test_a_header_that_stands_twice_is_not_used(editor):
    model = editor("Layer,Label-1,label 1,Layer\n3,0.5,0.6,9\n")
    assert model.open.draft.sheet.header == (
        "Layer", "Label-1", "Label-1 (again 2)", "Layer (again 2)"
    )  # fmt: skip


def test_masks_are_read_once_whatever_is_edited(editor, monkeypatch):
    model = editor(rows(3, 4, 5, 6))
    monkeypatch.setattr(opened, "shapes_of", lambda _: pytest.fail("a mask is read again"))
    model.put(7, 1, "0.5")
    model.rebase()
    model.undo()
    assert told(model) == []


def test_remarks_keep_their_keys_while_others_go(editor):
    model = editor(FAULTY)
    key = model.remarks.rows[-1].key
    model.remarks.select(key)
    assert model.current == ("L7", "Label-1")
    model.remarks.press(model.remarks.rows[1].key, "fix")
    assert model.message == "Layer 4, Label-1: 'n/a' is now blank."
    assert model.remarks.rows[-1].key == key
    model.jump("no such row")
    assert model.current == ("L7", "Label-1")


def test_what_is_about_the_whole_table_leads_to_no_cell(editor):
    model = editor(rows(2, 3, 4, 5, 6))
    before = model.current
    model.jump(model.remarks.rows[0].key)
    assert model.current == before
    last = model.open.remarks[-1]
    with pytest.raises(BadScores, match="nothing can be done about it by one press"):
        model.fix(last)


# Saving, planning


def test_why_it_cannot_be_saved_is_told_in_plain_words(editor, tmp_path):
    model = editor(FAULTY)
    said = (
        "2 cells or rows cannot be read (row 3: Layer 0, but layers count from 1): correct them, "
        "or leave them out."
    )
    assert model.save_blockers == [said]
    with pytest.raises(BadScores, match="saving is not possible: 2 cells or rows"):
        model.save()
    with pytest.raises(BadScores, match="2 faults of the table would be missing"):
        _ = (model.put(5, 1, "0.5"), model.dataset)
    model.drop_faulty = True
    assert model.save_blockers == []
    model.path = " "
    assert model.save_blockers == ["Give the name of the file to save."]
    model.path = str(tmp_path / "a.txt")
    assert model.save_blockers == ["The name of the file must end in .csv, not in '.txt'."]
    (tmp_path / "b.csv").mkdir()
    model.path = str(tmp_path / "b.csv")
    assert model.save_blockers == [
        f"{tmp_path / 'b.csv'} is a folder: give the name of a file in it."
    ]
    model.path = str(tmp_path / "source" / "axl_score.csv")
    (blocker,) = model.save_blockers
    assert blocker == (
        "The file would lie in the source folder, which is never written to: save it elsewhere, "
        "and copy it there yourself if you want it there."
    )


def test_what_is_to_be_left_out_is_at_once(editor):
    model = editor(f"{rows(3, 4, 5, 6)}\n7,80%\nx,0.4\n13,0.5\n", more={"axl_score_9.csv": ""})
    assert model.dataset.mended == ()
    model.drop_faulty = True
    waive = ["planes-incomplete", "scores-unreadable", "scores-without-value"]
    plan = nk.plan(model.dataset, waive=waive)
    assert plan.blockers.ok
    assert list(plan.objects[0].scores["0-0-1"]) == ["2", "3", "4", "5"]
    assert model.save().read_text().splitlines()[-1] == "6,0.50"
    model.drop_faulty = False
    assert model.dataset.mended == ()


def test_one_fault_is_one(editor):
    model = editor(f"{rows(3, 4, 5, 6)}\n7,n/a")
    assert model.save_blockers[0].startswith("1 cell or row cannot be read (row 6, column 2")


def test_a_file_that_is_there_is_kept(editor, tmp_path):
    model = editor()
    first = model.save()
    assert model.message == f"Saved 5 scores to {first}."
    model.save()
    assert model.message == f"Saved 5 scores to {first}."
    model.put(3, 1, "0.9")
    model.save()
    assert model.message == f"Saved 5 scores to {first}. What was there is kept as axl_score.1.csv."
    assert (tmp_path / "out" / "axl_score.1.csv").read_text().splitlines()[1] == "3,0.50"
    assert model.save(tmp_path / "x.csv").read_text().splitlines()[1] == "3,0.90"


def test_a_comment_that_is_a_formula_is_told_of_saved_as_text_and_lands_as_it_is(editor):
    model = editor(spans={1: (3, 4)}, table=rows(3, 4))
    model.note(4, 1, "=1+1")
    assert ("scores-comment-formula", "Layer 4, Label-1") in told(model)
    first = model.save()
    assert model.message == (
        f"Saved 2 scores to {first}. An apostrophe stands before what a spreadsheet would take "
        "for a formula (Layer 4, Comment-1); it is no part of the comment."
    )
    assert first.read_text().splitlines()[1:] == ["3,0.50,", "4,0.50,'=1+1"]
    dataset = model.dataset
    (planned,) = nk.plan(dataset, waive="planes-incomplete").objects
    assert planned.scores["0-0-1"]["3"] == {"score": "0.50", "comment": "=1+1"}
    again = ScoreModel(dataset)
    again.scan()
    again.join()
    assert again.open.draft.read.cells == model.open.draft.read.cells


def test_a_device_that_is_there_is_neither_opened_nor_replaced(editor, tmp_path):
    (tmp_path / "null.csv").symlink_to(os.devnull)
    with pytest.raises(NiftiKitError, match="no regular file Found: a device"):
        editor().save(tmp_path / "null.csv")
    assert (tmp_path / "null.csv").is_symlink()


def test_a_folder_that_cannot_be_made_is_named(editor, tmp_path):
    model = editor()
    (tmp_path / "file").touch()
    with pytest.raises(BadScores, match="Save elsewhere"):
        model.save(tmp_path / "file" / "x.csv")


def test_the_dataset_has_the_edits_and_can_be_planned(editor, tmp_path):
    model = editor()
    assert model.dataset.mended == ()
    model.put(7, 1, "0.95")
    plan = nk.plan(model.dataset, waive=["planes-incomplete"])
    assert plan.objects[0].scores["0-0-1"]["6"] == {"score": "0.95", "comment": None}
    anew = scoring(model.dataset, base=0, out=tmp_path)
    anew.join()
    assert anew.open.draft.base == 1  # what a repair wrote counts from 1
    assert anew.open.draft.written(7, 1) == "0.95"


# Tables, sources, slices


def test_another_base_than_the_datasets_is_a_change(editor):
    model = editor(rows(2, 3, 4, 5, 6), base=0)
    assert told(model) == []
    assert model.open.changes == []
    assert model.dataset.mended[0].content.decode() == FULL.replace(",0.5", ",0.50") + "\n"


def test_reading_the_source_anew_says_what_is_gone(editor):
    model = editor()
    model.put(3, 1, "0.9")
    model.scan()
    model.join()
    assert model.message == "Read anew: what was changed in axl_score.csv is gone."
    assert model.open.draft.written(3, 1) == "0.5"


def test_a_finding_can_be_chosen_again(editor):
    model = editor(FAULTY)
    key = model.remarks.rows[-1].key
    model.remarks.select(key)
    model.go("L3", "Label-1")
    assert model.remarks.selected == ""
    model.remarks.select(key)
    assert model.current == ("L7", "Label-1")


def test_several_tables_keep_their_edits():
    model = scoring(SAMPLE)
    model.join()
    assert model.tables == ["axl_score.csv", "cor_score.csv", "sag_score.csv"]
    model.put(1, 2, "0.11")
    model.choose("cor_score.csv")
    model.join()
    assert model.open.subject == [
        "Table: cor_score.csv: 11 rows, 2 labels",
        "Item: cor_anatomic.nrrd, plane coronal (0-1-0)",
        "Masks: cor_inference.nii.gz (26 frames)",
        "Volume: cor_anatomic.nii.gz",
    ]
    model.choose("axl_score.csv")
    assert model.open.changes == ["Layer 1, Label-2: blank is now '0.11'"]
    assert len(model.dataset.mended) == 1
    with pytest.raises(BadScores, match="there is no such table"):
        model.choose("x.csv")


def test_a_table_is_found_by_its_name_in_a_folder(tmp_path):
    for name in ("a", "b"):
        dataset_of(tmp_path / "source" / name)
    model = scoring(tmp_path / "source", table="a/axl_score.csv", out=tmp_path)
    model.join()
    assert model.table == "a/axl_score.csv"
    assert model.path == str(tmp_path / "a" / "axl_score.csv")
    with pytest.raises(BadScores, match="there are several such tables"):
        model.choose("axl_score.csv")


def test_one_csv_is_a_source():
    model = scoring(str(SAMPLE / "sag_score.csv"))
    model.join()
    assert model.table == "sag_score.csv"
    assert model.source.path == str(SAMPLE)


def test_nothing_can_be_done_before_there_is_a_table():
    model = ScoreModel()
    assert model.edit_blockers == model.save_blockers == model.undo_blockers
    assert model.edit_blockers == model.look_blockers == ["Read a source first."]
    assert model.summary == "Read a source first."
    assert model.subject == ["Read a source first."]
    assert model.place.lines == []
    for act in (lambda: model.put(1, 1, "1"), model.save, lambda: model.dataset, model.look):
        with pytest.raises(BadScores, match="Read a source first"):
            act()


def test_why_a_source_is_not_read_is_told(tmp_path):
    model = scoring(tmp_path / "missing")
    with pytest.raises(NiftiKitError):
        model.join()
    assert "missing" in model.edit_blockers[0]


def test_a_source_without_tables_says_so(tmp_path):
    dataset_of(tmp_path)
    (tmp_path / "axl_score.csv").unlink()
    model = scoring(tmp_path)
    model.join()
    assert model.edit_blockers == [
        "No score table of the source belongs to a volume or an annotation."
    ]


def test_a_slice_is_shown_with_its_label_alone():
    model = scoring(SAMPLE, table="cor_score.csv")
    model.join()
    model.look(20, "Label-4")
    model.join()
    assert model.place.lines == [
        "Layer 20 = frame 20 of the file (from 1) = RAS slice 6 of plane coronal (0-1-0)",
        "Label-4 (Segment_4): 0.92; 378 voxels of the label here",
    ]
    viewer = model.viewer
    assert viewer.position[1] == 6
    assert viewer.active == "cor"
    assert viewer.hidden == {"Segment_1", "Segment_2", "Segment_3"}
    assert viewer.reading.classes[0][1] == ("Segment_4",)
    model.look(1, 4)
    assert model.viewer is viewer
    assert viewer.position[1] == 25
    model.go("L3", "Layer")
    model.look()
    assert viewer.hidden == frozenset()
    model.choose("axl_score.csv")
    assert model.viewer is None


def test_a_table_that_is_chosen_while_another_is_read_is_read_next(monkeypatch):
    model = scoring(SAMPLE)
    model.join()
    chosen = []

    class Slow(opened.OpenTable):
        def __init__(self, dataset, item, table, base):
            super().__init__(dataset, item, table, base)
            if not chosen:
                chosen.append(table)
                model.choose("sag_score.csv")

    monkeypatch.setattr("nifti_kit.widgets.scores.model.OpenTable", Slow)
    model.choose("cor_score.csv")
    model.join()
    assert model.open.reference.table.relative.name == "sag_score.csv"


def test_what_is_chosen_as_the_last_reading_ends_is_read_too():
    model = scoring(SAMPLE)
    model.join()
    model.open = None
    model.task.state = "running"
    assert model.edit_blockers == ["The table and its masks are being read."]
    model.task.state = "done"
    model.join()
    assert model.open.reference.table.relative.name == "axl_score.csv"


def test_a_slice_is_not_shown_of_what_is_gone(monkeypatch):
    model = scoring(SAMPLE)
    model.join()
    model.look(2, 2)
    model.join()
    model.choose("cor_score.csv")
    model.join()
    viewers = []
    real = opened_viewer()

    def slow(dataset, item):
        viewers.append(item.name)
        if len(viewers) == 1:
            model.choose("axl_score.csv")
            model.go("L2", "Label-2")
        return real(dataset, item)

    monkeypatch.setattr("nifti_kit.widgets.scores.model.ViewerModel.of_item", slow)
    model.look(20, 4)
    model.join()
    assert viewers == ["cor_anatomic.nrrd", "axl_anatomic.nrrd"]
    assert model.viewer.title == "axl_anatomic.nrrd"


def opened_viewer():
    from nifti_kit.widgets.viewer.model import ViewerModel

    return ViewerModel.of_item


def test_masks_without_a_volume_count_their_own_slices(tmp_path):
    write_nifti(tmp_path / "axl_inference.nii", label_map({1: (3, 7)}))
    (tmp_path / "axl_score.csv").write_text(FULL)
    model = scoring(tmp_path)
    model.join()
    assert model.open.subject[-1] == "Volume: on the target; slices are those of the masks"
    model.go("L3", "Label-1")
    assert model.place.slice == 2
    assert model.look_blockers == ["Its volume is on the target, not among these files."]


def test_a_mask_beside_its_volume_is_named(tmp_path):
    dataset_of(tmp_path)
    shifted = np.diag([1.0, 1, 1, 1])
    shifted[:3, 3] = 50
    write_nifti(tmp_path / "axl_inference.nii", label_map({1: (3, 7)}), shifted)
    model = scoring(tmp_path)
    model.join()
    assert model.open.subject[-1] == (
        "Not on the volume's voxels: axl_inference.nii. Repair it first"
    )


def test_scores_alone_are_counted_as_a_person_says(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "axl_score.csv").write_text("Layer,Label-1\n2,0.5\nx,0.6\n")
    model = scoring(source, out=tmp_path / "out")
    model.join()
    assert told(model) == [("scores-frames-unknown", "the table"), ("scores-layer", "line 3")]
    how, doubt = (
        "along the slices on the platform",
        "nobody can tell how well that fits",
    )
    assert [one.text for one in model.open.countings[2:4]] == [
        f"Layers count from {base}, {how}: {doubt}" for base in (1, 0)
    ]
    assert model.open.subject[2] == "Masks: none with this table"
    model.remove_line(3)
    model.count_from(0, "ras")
    assert told(model) == []
    model.go("L2", "Label-1")
    said = "Layer 2 = RAS slice 2 of plane axial (0-0-1) on the platform"
    assert model.place.lines == [said, "Label-1: 0.5"]
    assert model.dataset.choices.score_frames == "ras"
    model.save()
    assert model.message.endswith("Without masks it is to be scanned with score_frames='ras'.")


def test_sources_are_never_written_to(editor, tmp_path):
    model = editor(FAULTY)
    before = (tmp_path / "source" / "axl_score.csv").read_bytes()
    model.drop_faulty = True
    model.put(5, 1, "0.5")
    model.save()
    assert (tmp_path / "source" / "axl_score.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("frames", "where"),
    [
        ("file", "frame 2 of a file that is not here: nobody can tell which slice it becomes"),
        ("reversed", "1 before the last RAS slice of plane axial (0-0-1) on the platform"),
    ],
)
def test_what_a_layer_without_masks_is_follows_from_the_choice(tmp_path, frames, where):
    (tmp_path / "axl_score.csv").write_text("Layer,Label-1\n2,0.5\n")
    model = scoring(tmp_path, score_frames=frames)
    model.join()
    model.go("L2", "Label-1")
    assert model.place.where == f"Layer 2 = {where}"


def test_labels_of_another_length_have_no_common_frames(tmp_path):
    dataset_of(tmp_path, rows(3, 9, values=(1, 2)), masks=TWO_FILES[:1])
    write_nifti(tmp_path / TWO_FILES[1], label_map({1: (3, 7)})[:, :, :8])
    model = scoring(tmp_path)
    model.join()
    assert model.open.subject[2] == (
        "Masks: axl_inference_1.nii, axl_inference_2.nii (how many frames they have is not known)"
    )
    assert model.open.reference.count is None
    assert [one.text for one in model.open.countings] == [
        f"Layers count from {base}, from the first frame: nobody can tell how well that fits"
        for base in (1, 0)
    ]
    with pytest.raises(BadScores, match="there is no layer 0"):
        model.put(0, 1, "0.5")


def test_a_mask_that_cannot_be_read_says_nothing_of_its_labels(tmp_path):
    dataset_of(tmp_path)
    write_nifti(tmp_path / "axl_inference.nii", label_map({1: (3, 7)}) * 0.5)
    model = scoring(tmp_path)
    model.join()
    assert told(model) == [("scores-without-value", "Label-1")]
    assert cell(model, "L3", "Label-1")[2] == 0


def test_what_was_said_of_a_table_goes_with_its_source(editor, tmp_path):
    model = editor()
    model.save()
    assert model.message
    (tmp_path / "empty").mkdir()
    model.source.path = str(tmp_path / "empty")
    model.scan()
    model.join()
    assert (model.message, model.path, model.remarks.rows) == ("", "", ())
