"""Journals: what was begun and done is there after a crash, whatever the crash cut off."""

from __future__ import annotations

import json
import re

import pytest

from nifti_kit.errors import TargetError
from nifti_kit.transfer.journal import Journal

HEAD = {"plan": "p", "target": "t"}


def lines(path):
    return [json.loads(line) for line in path.read_text("ascii").splitlines() if line]


def begin(item, keys, *, made=False, source="", fresh=True):
    return {"begin": item, "keys": keys, "made": made, "source": source, "fresh": fresh}


def keys_of(journal, item):
    begun = journal.begun(item, "")
    return None if begun is None else list(begun.marks)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sub" / "upload.journal"


def test_a_new_journal_is_a_head_and_then_a_line_for_each_step(path):
    journal = Journal(path, "p", "t")
    journal.begin("a.nrrd", ["k1", "k2"], made=True)
    journal.done("a.nrrd")
    journal.begin("volume 7", [], source="s")
    assert lines(path) == [
        HEAD | {"session": journal.session},
        begin("a.nrrd", ["k1", "k2"], made=True),
        {"done": "a.nrrd"},
        begin("volume 7", [], source="s"),
    ]
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{12}", journal.session)


def test_nothing_is_written_before_the_first_item_begins(path):
    journal = Journal(path, "p", "t")
    assert not path.parent.exists()
    journal.begin("a", [])
    assert len(lines(path)) == 2


@pytest.mark.parametrize("kept", [True, False], ids=["file", "memory"])
def test_what_was_noted_is_known_at_once(path, kept):
    journal = Journal(path if kept else None, "p", "t")
    assert (keys_of(journal, "a"), journal.is_done("a"), journal.made("a")) == (None, False, False)
    journal.begin("a", ("k",), made=True)
    assert (keys_of(journal, "a"), journal.is_done("a"), journal.made("a")) == (["k"], False, True)
    journal.done("a")
    assert journal.is_done("a")
    assert not journal.is_done("b")
    assert path.exists() is kept


def test_the_same_upload_finds_all_of_it_again(path):
    first = Journal(path, "p", "t")
    first.begin("a", ["k"], made=True)
    first.done("a")
    first.begin("b", [])
    again = Journal(path, "p", "t")
    assert again.session == first.session
    assert (keys_of(again, "a"), keys_of(again, "b"), keys_of(again, "c")) == (["k"], [], None)
    assert (again.is_done("a"), again.is_done("b")) == (True, False)
    assert (again.made("a"), again.made("b")) == (True, False)


def test_what_an_item_made_first_it_still_made_when_it_begins_again(path):
    Journal(path, "p", "t").begin("a", ["k"], made=True)
    again = Journal(path, "p", "t")
    again.begin("a", ["k"], made=False)
    assert again.made("a")
    assert Journal(path, "p", "t").made("a")


@pytest.mark.parametrize(
    ("plan", "target", "name", "found", "expected"),
    [("q", "t", "plan", "p", "q"), ("p", "u", "target", "t", "u")],
)
def test_the_journal_of_another_upload_is_refused_and_left_as_it_is(
    path, plan, target, name, found, expected
):
    Journal(path, "p", "t").begin("a", ["k"])
    before = path.read_bytes()
    with pytest.raises(TargetError) as caught:
        Journal(path, plan, target)
    assert str(caught.value) == (
        f"{path}: the journal is that of another {name} Found: {found}. Expected: {expected}. "
        "Remedy: Give another journal file, or delete this one to begin anew."
    )
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [b"hello\n", b"[1, 2]\n", b'{"a": 1}\n', b'"text"', b"\xff\xfe\x00binary", b'{"planet": 3'],
    ids=["text", "list", "json", "string", "binary", "cut json"],
)
def test_a_file_that_is_no_journal_is_refused_and_left_as_it_is(tmp_path, content):
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(TargetError, match="the journal is that of another plan"):
        Journal(path, "p", "t")
    assert path.read_bytes() == content


def test_a_folder_is_no_journal(tmp_path):
    with pytest.raises(TargetError) as caught:
        Journal(tmp_path, "p", "t")
    assert (caught.value.message, caught.value.path) == (
        "the journal cannot be read",
        str(tmp_path),
    )
    assert caught.value.remedy == "Give another file."


def test_a_crash_at_any_byte_loses_only_the_line_it_cut(path):
    """Names with letters beyond ASCII, with line breaks, and with bytes that are no text."""
    names = ["Knie_läsion.nrrd", "a\u2028b\x85c.nrrd", 'quote"\n.nrrd', "\udcff.nrrd"]
    journal = Journal(path, "p", "t")
    ends = {}
    for count, name in enumerate(names, start=1):
        journal.begin(name, [f"k{count}"])
        journal.done(name)
        ends[count] = path.stat().st_size
    whole = path.read_bytes()
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        again = Journal(path, "p", "t")
        known = [name for name in names if again.is_done(name)]
        # A line counts from its last brace on; the break behind it is not needed.
        assert known == names[: sum(length >= end - 1 for end in ends.values())]
        again.begin("next", ["k"])
        again.done("next")
        reread = Journal(path, "p", "t")
        assert reread.is_done("next")
        assert [name for name in names if reread.is_done(name)] == known
        assert reread.session == again.session


def test_a_line_that_says_nothing_known_is_passed_over(path):
    journal = Journal(path, "p", "t")
    journal.begin("a", [])
    with path.open("a") as out:
        out.write('\n{"future": 1}\n3\nnull\n')
    journal.done("a")
    assert Journal(path, "p", "t").is_done("a")


# What proves that something is of this run


def test_notes_come_back_with_the_item_and_the_last_of_a_name_counts(path):
    journal = Journal(path, "p", "t")
    journal.begin("a", ["k"], source="s")
    note = journal.noting("a")
    note({"volume": 3, "slices": False})
    note({"slices": True})
    journal.noting("b")({"volume": 9})
    begun = Journal(path, "p", "t").begun("a", "s")
    assert (begun.session, begun.marks, begun.changed) == (journal.session, ("k",), False)
    assert begun.facts == {"volume": 3, "slices": True}


def test_a_note_reaches_only_the_journal_of_its_run(path):
    journal = Journal(path, "p", "t")
    note = journal.noting("a")
    note({"volume": 1})
    assert not path.exists()  # nothing has begun
    journal.begin("a", [])
    path.write_text(path.read_text().replace(journal.session, "another"))
    note({"volume": 1})
    assert Journal(path, "p", "t").begun("a", "").facts == {}


def test_an_item_whose_files_hold_something_else_now_is_told_to_have_changed(path):
    journal = Journal(path, "p", "t")
    journal.begin("a", [], source="old")
    journal.done("a")
    again = Journal(path, "p", "t")
    assert again.begun("a", "new").changed
    assert (again.is_done("a"), again.is_done("a", "old"), again.is_done("a", "new")) == (
        True,
        True,
        False,
    )


@pytest.mark.parametrize("forgotten", [True, False])
def test_an_item_that_begins_afresh_has_no_notes_of_before(path, forgotten):
    journal = Journal(path, "p", "t")
    journal.begin("a", [], source="s")
    journal.noting("a")({"volume": 3})
    again = Journal(path, "p", "t")
    if forgotten:
        again.forget("a")
    again.begin("a", [], source="s" if forgotten else "other")
    assert Journal(path, "p", "t").begun("a", "s").facts == {}


@pytest.mark.parametrize(
    "line",
    [
        {"begin": 3, "keys": []},
        {"begin": "a", "keys": "text"},
        {"begin": "a"},
        {"begin": "a", "keys": [1, 2]},
        {"begin": "a", "keys": [], "source": 5},
        {"note": "a"},
        {"note": "a", "facts": [1]},
        {"note": {}, "facts": {}},
        {"done": None},
        {"done": "a", "record": [1]},
    ],
)
def test_a_journal_with_content_that_no_upload_writes_is_one_error(path, line):
    Journal(path, "p", "t").begin("a", [])
    with path.open("a") as out:
        out.write(json.dumps(line) + "\n")
    before = path.read_bytes()
    with pytest.raises(TargetError, match="content that no upload writes") as caught:
        Journal(path, "p", "t")
    assert caught.value.path == str(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("session", ["../../x", "a/b", "", 7, None, "a b"])
def test_the_name_of_a_run_is_never_a_path(path, session):
    path.parent.mkdir()
    path.write_text(json.dumps(HEAD | {"session": session}))
    with pytest.raises(TargetError, match="content that no upload writes"):
        Journal(path, "p", "t")


def test_one_call_at_a_time_uses_a_journal(path):
    with Journal(path, "p", "t").held():
        second = Journal(path, "p", "t").held()
        with pytest.raises(TargetError, match="is under way already") as told, second:
            pass
        assert told.value.found == "this process"
        with Journal(path.with_name("other"), "p", "t").held():
            pass
    with Journal(path, "p", "t").held():
        pass


def test_a_journal_that_another_call_has_ended_meanwhile_is_a_new_one(path):
    Journal(path, "p", "t").begin("a", ["k"])
    waiting = Journal(path, "p", "t")
    other = Journal(path, "p", "t")
    other.done("a")
    other.close()
    waiting.read()
    assert (waiting.begun("a", ""), waiting.is_done("a")) == (None, False)
    waiting.begin("b", [])
    assert Journal(path, "p", "t").begun("b", "").session == waiting.session
