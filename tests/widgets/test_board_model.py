"""Board: marks, pages, pictures drawn in a thread, and the CSV of the marks."""

from __future__ import annotations

import threading

import pytest

from nifti_kit.core.html import Illustration
from nifti_kit.errors import NiftiKitError
from nifti_kit.widgets.inspect.board import Board

NAMES = ("a.nrrd", "b.nrrd", "c.nrrd")
EVIL = "<img src=x onerror=alert(1)>,\n.nrrd"


def picture(name):
    return Illustration(name.encode(), f"picture of {name}", 1, 1)


def numbered(count):
    return tuple(f"{at:02}" for at in range(count))


def test_items_are_marked_and_marks_taken_away():
    board = Board(NAMES)
    board.mark("a.nrrd", "pass")
    board.mark("b.nrrd", "?")
    board.mark("a.nrrd", "fail")
    assert board.marks == {"b.nrrd": "?", "a.nrrd": "fail"}
    assert board.counts == {"pass": 0, "fail": 1, "?": 1, "unmarked": 1}
    board.mark("a.nrrd", "")
    assert board.marks == {"b.nrrd": "?"}


@pytest.mark.parametrize(
    ("name", "mark", "message"),
    [
        ("d.nrrd", "pass", "there is no such item Found: 'd.nrrd'."),
        ("a.nrrd", "good", "there is no such mark Found: 'good'. Expected: 'pass', 'fail', '?'."),
    ],
)
def test_there_are_no_other_items_and_marks(name, mark, message):
    with pytest.raises(NiftiKitError) as caught:
        Board(NAMES).mark(name, mark)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("only", "left"),
    [
        ("", ["a.nrrd", "b.nrrd", "c.nrrd"]),
        ("pass", ["a.nrrd"]),
        ("fail", []),
        ("?", ["c.nrrd"]),
        ("unmarked", ["b.nrrd"]),
    ],
)
def test_items_of_one_mark_are_shown_alone(only, left):
    board = Board(NAMES, marks={"a.nrrd": "pass", "c.nrrd": "?"})
    board.only = only
    assert board.found == left


def test_pages_end_where_the_items_end():
    board = Board(numbered(30))
    assert board.page_count == 3
    board.turn(9)
    assert board.shown == ["24", "25", "26", "27", "28", "29"]
    board.turn(-1)
    assert board.page == 1
    board.only = "unmarked"
    assert board.page == 0


def test_a_page_whose_last_item_is_marked_away_is_left():
    board = Board(numbered(13))
    board.only = "unmarked"
    board.turn(1)
    board.mark("12", "pass")
    assert (board.page, board.page_count) == (0, 1)


def test_the_pictures_of_the_page_are_drawn_in_a_thread():
    threads = []
    board = Board(numbered(14), lambda _: threads.append(threading.current_thread()))
    board.draw()
    board.task.join(20)
    assert list(board.pictures) == list(numbered(12))
    assert set(board.pictures.values()) == {None}
    assert threading.current_thread() not in threads
    assert board.draw_blockers == ["All pictures of this page are drawn."]


def test_after_the_first_page_the_next_is_drawn_by_turning():
    board = Board(numbered(14), picture)
    board.turn(1)
    assert board.task.state == "idle"
    board.draw()
    board.task.join(20)
    board.turn(-1)
    board.task.join(20)
    assert len(board.pictures) == 14
    assert board.pictures["03"].caption == "picture of 03"


def test_a_page_that_is_turned_to_meanwhile_is_drawn_instead():
    begun, go, drawn = threading.Event(), threading.Event(), []

    def slow(name):
        drawn.append(name)
        begun.set()
        assert go.wait(20)

    board = Board(numbered(14), slow)
    board.draw()
    assert begun.wait(20)
    assert board.draw_blockers == ["The pictures are being drawn."]
    board.turn(1)
    go.set()
    board.task.join(20)
    assert drawn == ["00", "12", "13"]


def test_a_page_that_is_turned_to_at_the_very_end_is_drawn_too():
    board = Board(numbered(14), picture)
    turned = []

    def turn_once(change):
        if change["new"] == 1.0 and not turned:
            turned.append(True)
            board.page = 1

    board.task.observe(turn_once, "fraction")
    board.draw()
    while board.task.is_running or len(board.pictures) < 14:
        board.task.join(20)
    assert len(board.pictures) == 14


def test_cancelled_drawing_does_not_go_on_by_turning():
    begun, go = threading.Event(), threading.Event()
    board = Board(numbered(14), lambda _: begun.set() or go.wait(20))
    board.draw()
    assert begun.wait(20)
    board.task.cancel()
    go.set()
    board.task.join(20)
    board.turn(1)
    assert list(board.pictures) == ["00"]
    assert board.task.state == "cancelled"
    board.draw()
    board.task.join(20)
    assert list(board.pictures) == ["00", "12", "13"]


def test_a_picture_of_a_source_that_is_gone_is_not_kept():
    begun, go = threading.Event(), threading.Event()

    def slow(name):
        begun.set()
        assert go.wait(20)
        return picture(name)

    board = Board(("old",), slow)
    board.draw()
    assert begun.wait(20)
    board.show(("new",), picture)
    go.set()
    board.task.join(20)
    assert list(board.pictures) == ["new"]


def test_nothing_is_drawn_without_items_or_a_way_to_draw():
    assert Board().draw_blockers == ["There are no items to draw."]
    board = Board(NAMES)
    board.draw()
    assert board.task.state == "idle"


def test_other_items_keep_the_marks_of_those_that_are_still_there():
    board = Board(NAMES, picture, marks={"a.nrrd": "pass", "b.nrrd": "fail"})
    board.selected, board.pictures = "a.nrrd", {"a.nrrd": None}
    board.show(("b.nrrd", "z.nrrd"), picture)
    assert board.marks == {"b.nrrd": "fail"}
    assert (board.selected, board.pictures) == ("", {})


def test_marks_are_saved_and_loaded_again(tmp_path):
    board = Board((*NAMES, EVIL))
    board.mark(EVIL, "fail")
    board.mark("b.nrrd", "?")
    board.save(tmp_path / "new" / "marks.csv")
    again = Board((*NAMES, EVIL), marks={"c.nrrd": "pass", "b.nrrd": "pass"})
    assert again.load(tmp_path / "new" / "marks.csv") == ()
    assert again.marks == {"b.nrrd": "?", EVIL: "fail"}
    text = (tmp_path / "new" / "marks.csv").read_text("utf-8")
    assert text.startswith("item,mark\na.nrrd,\nb.nrrd,?\nc.nrrd,\n")


def test_a_name_that_is_a_formula_is_saved_as_text_and_loaded_as_it_was(tmp_path):
    names = ("=a.nrrd", "'-b.nrrd", "-1")
    board = Board(names, marks=dict.fromkeys(names, "fail"))
    board.save(tmp_path / "marks.csv")
    text = (tmp_path / "marks.csv").read_text("utf-8")
    assert text == "item,mark\n'=a.nrrd,fail\n''-b.nrrd,fail\n-1,fail\n"
    again = Board(names)
    assert again.load(tmp_path / "marks.csv") == ()
    assert again.marks == board.marks


def test_marks_of_items_that_are_not_here_are_named_and_not_lost(tmp_path):
    path = tmp_path / "marks.csv"
    path.write_text(
        "\ufeffitem;mark;note\n".replace(";", ",") + "gone.nrrd,fail,x\na.nrrd,pass,\n", "utf-8"
    )
    board = Board(NAMES, marks={"c.nrrd": "?"})
    assert board.load(path) == ("gone.nrrd",)
    assert board.marks == {"a.nrrd": "pass", "c.nrrd": "?"}
    board.save(path)
    assert path.read_text("utf-8").splitlines()[-2:] == ["c.nrrd,?", "gone.nrrd,fail"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "it is no file of marks Found: an empty file."),
        ("name,mark\n", "it is no file of marks Found: name, mark."),
        ("item,mark\na.nrrd,pass\nb.nrrd,good\n", "line 3 has no such mark Found: 'good'."),
    ],
)
def test_a_file_of_other_content_is_refused_and_changes_nothing(content, message, tmp_path):
    path = tmp_path / "marks.csv"
    path.write_text(content)
    board = Board(NAMES, marks={"a.nrrd": "?"})
    with pytest.raises(NiftiKitError) as caught:
        board.load(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert board.marks == {"a.nrrd": "?"}


def test_a_line_without_a_mark_says_nothing_of_its_item(tmp_path):
    path = tmp_path / "marks.csv"
    path.write_text("item,mark\na.nrrd\n")
    board = Board(NAMES, marks={"a.nrrd": "?"})
    board.load(path)
    assert board.marks == {}


def test_it_is_told_why_there_is_nothing_to_save(tmp_path):
    board = Board(NAMES)
    assert board.save_blockers == ["No item is marked yet."]
    board.mark("a.nrrd", "pass")
    assert board.save_blockers == []
    with pytest.raises(NiftiKitError, match="marks cannot be saved as this kind of file"):
        board.save(tmp_path / "marks.xlsx")
