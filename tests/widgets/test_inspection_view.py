"""The app Inspect and its parts: what is said, what is disabled and why, what is escaped."""

from __future__ import annotations

import gc
import threading
import weakref

import ipywidgets as w
import numpy as np
import pytest

from nifti_kit.widgets import Inspect
from nifti_kit.widgets.inspect.board import Board
from nifti_kit.widgets.inspect.view import BoardCards
from nifti_kit.widgets.mending.findings_view import FindingsView
from nifti_kit.widgets.parts.findings import FindingsTable
from nifti_kit.widgets.parts.table import Table
from nifti_kit.widgets.parts.table_view import TableView
from nifti_kit.widgets.parts.tasks import Task
from nifti_kit.widgets.parts.views import FRONT, Gated, SaveRow, TaskView, discard, notice, styles
from tests.support.builders import SAMPLES, labels, write_nifti, write_planes

EVIL = "<img src=x onerror=alert(1)>"


def parts(widget):
    """A widget and all within it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts(child)


def part(widget, name):
    """The first part with a CSS class."""
    return next(found for found in parts(widget) if name in getattr(found, "_dom_classes", ()))


def texts(widget):
    return "\n".join(found.value for found in parts(widget) if isinstance(found, w.HTML))


def inspect(source, tab="items", **more):
    """An app that has read its source, with a tab in front: the others have no parts yet."""
    app = Inspect(source, **more)
    app.model.join()
    app.model.part = tab
    return app


def faulty(folder):
    """Three planes; the axial mask has lost its header."""
    write_planes(folder)
    write_nifti(folder / "axl_inference.nii.gz", labels(), np.eye(4))
    return folder


def test_a_source_is_read_at_once(tmp_path):
    app = inspect(write_planes(tmp_path))
    assert "Layout by_plane: 3 items" in part(app, "nk-summary").value
    assert part(app, "nk-parts").titles == ("Items (3)", "Findings (0)", "Classes", "Board")
    assert len(part(app, "nk-viewer").model.classes) == 2
    assert [len(place.children) for place in part(app, "nk-parts").children] == [1, 0, 0, 0]


def test_without_a_source_there_is_one_to_be_given():
    app = inspect("")
    assert "Nothing is read yet." in part(app, "nk-summary").value
    assert part(app, "nk-parts").layout.display == "none"
    assert part(app, "nk-read").disabled
    assert part(app, "nk-look").disabled
    assert "Give the path of a folder" in texts(part(app, "nk-source"))


def test_the_button_reads_every_voxel(tmp_path):
    app = inspect(write_planes(tmp_path), tab="classes")
    assert "Read every voxel to count them." in part(app, "nk-no-classes").value
    part(app, "nk-look").click()
    app.model.join()
    assert "every voxel read" in part(app, "nk-summary").value
    assert part(app, "nk-look").disabled
    assert part(app, "nk-no-classes").value == "<div></div>"
    assert [row["key"] for row in part(app, "nk-classes").shown["rows"]] == [
        "Segment_1",
        "Segment_2",
    ]


def test_path_and_choices_go_to_the_model_and_back(tmp_path):
    app = inspect(write_planes(tmp_path))
    source = part(app, "nk-source")
    part(source, "nk-path").value = str(SAMPLES / "by_volume")
    part(source, "nk-layout").value = "by_volume"
    part(source, "nk-score-frames").value = "ras"
    picker = app.model.source
    assert (picker.path, picker.layout, picker.score_frames) == (
        str(SAMPLES / "by_volume"),
        "by_volume",
        "ras",
    )
    picker.layout = "auto"
    assert part(source, "nk-layout").value == "auto"
    part(source, "nk-read").click()
    app.model.join()
    assert app.model.dataset.layout == "by_volume"
    part(source, "nk-samples").value = str(tmp_path)  # a recent one
    assert picker.path == str(tmp_path)


def test_a_wrong_path_disables_the_button_and_says_why(tmp_path):
    app = inspect(write_planes(tmp_path))
    part(app, "nk-path").value = str(tmp_path / EVIL)
    assert part(app, "nk-read").disabled
    said = texts(part(app, "nk-source"))
    assert "There is no such file or folder: " in said
    assert "&lt;img src=x onerror=alert(1)&gt;" in said


def test_what_could_not_be_read_is_said(tmp_path):
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 no zip")
    app = Inspect(tmp_path / "bad.zip")
    with pytest.raises(ValueError, match="archive"):
        app.model.join()
    error = next(found for found in parts(app) if isinstance(found, notice))
    assert "bad.zip" in texts(error)
    assert error.layout.display == ""


def test_tabs_and_the_model_turn_together(tmp_path):
    app = inspect(write_planes(tmp_path))
    tabs = part(app, "nk-parts")
    tabs.selected_index = 2
    assert app.model.part == "classes"
    app.model.part = "findings"
    assert tabs.selected_index == 1
    assert app.model.board.task.state == "idle"
    tabs.selected_index = 3
    app.model.join()
    assert len(app.model.board.pictures) == 3


def test_a_finding_leads_to_its_item(tmp_path):
    app = inspect(faulty(tmp_path))
    app.model.choose(1)
    app.model.part = "findings"
    jump = part(app, "nk-jump")
    assert jump.disabled
    app.model.findings.select(0)
    assert not jump.disabled
    jump.click()
    app.model.join()
    assert (app.model.item, app.model.part) == ("axl_anatomic.nrrd", "items")


def test_a_finding_is_told_with_its_remedy_and_its_picture(tmp_path):
    app = inspect(faulty(tmp_path), tab="findings")
    app.model.findings.select(0)
    detail = part(app, "nk-detail").value
    assert "What to do: " in detail
    picture = part(app, "nk-picture").value
    assert "Cyan, dashed: where it would be with the volume" in picture
    app.model.waive("mask-header-lost")
    assert "Accepted: it does not block." in part(app, "nk-detail").value
    assert "0 errors" in part(app, "nk-counts").value
    assert "1 accepted" in part(app, "nk-counts").value


def test_a_finding_of_no_item_leads_nowhere_and_says_so(tmp_path):
    app = inspect(write_planes(tmp_path, ("axl",)), tab="findings")
    app.model.findings.select(0)
    assert part(app, "nk-jump").disabled
    assert "This finding is about no single item." in texts(part(app, "nk-findings"))


def test_no_findings_are_said_and_no_empty_tables_shown():
    view = FindingsView(FindingsTable())
    assert "No findings: nothing is wrong as far as it was read." in texts(view)
    lists = next(found for found in view.children if isinstance(found, w.VBox))
    assert lists.layout.display == "none"


def test_findings_are_saved_where_the_path_says(tmp_path):
    app = inspect(faulty(tmp_path / "s"), out=tmp_path / "out", tab="findings")
    saving = part(part(app, "nk-findings"), "nk-saving")
    saving.save()
    assert (tmp_path / "out" / "findings.html").exists()
    assert "Saved: " in texts(saving)
    saving.path.value = str(tmp_path / "x.doc")
    saving.save()
    assert "cannot be saved as this kind of file" in texts(saving)
    saving.path.value = " "
    assert part(saving, "nk-save").disabled
    assert "Give a path." in texts(saving)


def test_headers_follow_the_item_and_the_file(tmp_path):
    app = inspect(write_planes(tmp_path))
    headers = part(app, "nk-headers")
    part(headers, "nk-file").value = "axl_inference.nii.gz"
    assert "uint8" in part(headers, "nk-fields").value
    app.model.choose(2)
    app.model.join()
    assert part(headers, "nk-file").value == "sag_anatomic.nii.gz"
    assert "sag_anatomic.nii.gz" in part(headers, "nk-fields").value


def test_an_item_without_a_volume_says_why_nothing_is_drawn():
    app = inspect(SAMPLES / "annotations_dataset")
    assert "Its volume is on the target" in texts(part(app, "nk-chosen"))
    assert not [found for found in parts(app) if "nk-viewer" in getattr(found, "_dom_classes", ())]


@pytest.mark.parametrize(
    "made", [lambda: TableView(Table(()), "Rows"), lambda: BoardCards(Board()), styles]
)
def test_a_view_that_was_discarded_is_not_kept_with_its_model(made):
    view = w.VBox([made()])
    seen = weakref.ref(view.children[0])
    discard(view)
    del view
    gc.collect()
    assert seen() is None


def test_the_view_of_an_item_that_was_left_is_closed(tmp_path):
    app = inspect(write_planes(tmp_path))
    view = part(app, "nk-viewer")
    app.model.choose(1)
    app.model.join()
    assert {found.comm for found in parts(view)} == {None}
    assert part(app, "nk-viewer").model is app.model.viewer


def test_names_with_markup_are_escaped_everywhere(tmp_path):
    write_nifti(tmp_path / f"{EVIL}.nii")
    write_nifti(tmp_path / EVIL / f"{EVIL}.nii", labels(), np.eye(4))
    (tmp_path / f"{EVIL}.pdf").touch()
    app = inspect(tmp_path)
    app.model.look_closer()
    app.model.join()
    for at in range(len(app.model.findings.findings)):
        app.model.findings.select(at)
        assert "<img src=x" not in texts(app)
    assert "&lt;img src=x" in texts(app)


def test_cards_show_marks_and_pictures_and_do_what_a_person_did():
    board = Board(("a", EVIL))
    cards = BoardCards(board)
    cards._handle_custom_msg({"do": "mark", "key": EVIL, "value": "fail"}, [])
    assert board.marks == {EVIL: "fail"}
    assert cards.shown["items"][1]["mark"] == "fail"
    cards._handle_custom_msg({"do": "select", "key": "a"}, [])
    assert cards.shown["items"][0]["selected"]
    cards._handle_custom_msg({"do": "only", "value": "fail"}, [])
    assert [item["name"] for item in cards.shown["items"]] == [EVIL]
    cards._handle_custom_msg({"do": "turn", "value": 1}, [])
    assert cards.shown["page"] == 0


@pytest.mark.parametrize(
    "message",
    [
        "text",
        {"do": "mark", "key": "gone", "value": "pass"},
        {"do": "mark", "key": "a", "value": "perfect"},
        {"do": "select", "key": "gone"},
        {"do": "no such thing"},
    ],
)
def test_cards_pass_over_what_cannot_be(message):
    board = Board(("a",))
    cards = BoardCards(board)
    cards._handle_custom_msg(message, [])
    assert (board.marks, board.selected) == ({}, "")


def test_a_page_of_the_board_can_be_turned():
    board = Board([f"{at:02}" for at in range(30)])
    cards = BoardCards(board)
    cards._handle_custom_msg({"do": "turn", "value": 1}, [])
    assert (cards.shown["page"], cards.shown["pages"]) == (1, 3)
    cards._handle_custom_msg({"do": "turn", "value": -1}, [])
    assert board.page == 0


def test_marks_that_belong_elsewhere_are_named_on_loading(tmp_path):
    path = tmp_path / "marks.csv"
    path.write_text("item,mark\ngone <b>,pass\naxl_anatomic.nrrd,?\n")
    app = inspect(write_planes(tmp_path / "s"), out=tmp_path, tab="board")
    saving = part(part(app, "nk-board-view"), "nk-saving")
    assert part(saving, "nk-save").disabled
    part(saving, "nk-load").click()
    assert "Not here: gone &lt;b&gt;." in texts(saving)
    assert not part(saving, "nk-save").disabled
    path.unlink()
    part(saving, "nk-load").click()
    assert "marks.csv" in texts(saving)


def test_a_row_that_only_saves_has_nothing_to_load():
    row = SaveRow("Things", "x.csv", lambda _: None)
    row.load()
    assert not [found for found in parts(row) if "nk-load" in getattr(found, "_dom_classes", ())]


def test_a_button_says_what_is_in_its_way():
    reasons = ["First this.", "Then <that>."]
    gated = Gated("Go", reasons.clear, lambda: reasons)
    assert gated.button.disabled
    assert "First this. Then &lt;that&gt;." in texts(gated)
    reasons.clear()
    gated.refresh()
    assert not gated.button.disabled


def test_a_notice_without_lines_is_not_seen():
    told = notice()
    assert told.layout.display == "none"
    told.say([EVIL])
    assert told.layout.display == ""
    assert texts(told) == (
        "<div role='status'><ul><li>&lt;img src=x onerror=alert(1)&gt;</li></ul></div>"
    )


def test_a_task_is_shown_while_it_runs_and_can_be_cancelled():
    task, begun, go = Task(), threading.Event(), threading.Event()
    view, quiet = TaskView(task), TaskView(task, quiet=True)
    assert (view.layout.display, quiet.layout.display) == ("none", "none")

    def work(ticket):
        ticket.tell(0.25, f"Reading {EVIL}")
        begun.set()
        go.wait(20)
        ticket.check()

    task.start(work)
    assert begun.wait(20)
    assert "running, 25%" in texts(view)
    assert "Reading &lt;img" in texts(view)
    assert (view.layout.display, quiet.layout.display) == ("", "")
    part(view, "nk-cancel").click()
    assert part(view, "nk-cancel").disabled
    go.set()
    task.join(20)
    assert "cancelled" in texts(view)
    task.start(lambda _: None)
    task.join(20)
    assert "done, 100%" in texts(view)
    assert (view.layout.display, quiet.layout.display) == ("", "none")


@pytest.mark.parametrize("name", ["table.js", "board.js", "app.js"])
def test_scripts_set_text_and_never_markup_and_load_nothing(name):
    script = (FRONT / name).read_text("utf-8")
    for word in ("innerHTML", "insertAdjacentHTML", "outerHTML", "http:", "https:", "import("):
        assert word not in script


def test_the_volume_of_an_item_that_is_no_longer_shown_is_let_go(tmp_path):
    app = inspect(write_planes(tmp_path))
    app.model.choose(0)
    app.model.join()
    image = weakref.ref(app.model.viewer.image)
    app.model.choose(1)
    app.model.join()
    gc.collect()
    assert image() is None
