"""Files that were read back: each thread has its own, and they go when nobody needs them."""

from __future__ import annotations

import gc
import pickle
import threading
from pathlib import Path

import pytest

from nifti_kit.targets.instance.reading import Scratch


class Fetched:
    """Gives bytes, and counts how often."""

    def __init__(self, content):
        self.content, self.count = content, 0

    def __call__(self):
        self.count += 1
        return self.content


def folder_of(scratch):
    return scratch.file("x", lambda: b"").parent


def test_the_last_file_is_fetched_once_and_the_one_before_goes():
    scratch = Scratch()
    first, second = Fetched(b"1"), Fetched(b"2")
    one = scratch.file("a", first)
    assert scratch.file("a", first) == one
    assert (one.read_bytes(), first.count) == (b"1", 1)
    two = scratch.file("b", second)
    assert (two.read_bytes(), second.count) == (b"2", 1)
    assert not one.exists()
    assert scratch.file("a", first).read_bytes() == b"1"
    assert first.count == 2


def test_threads_do_not_take_each_others_files_away():
    scratch = Scratch()
    mine = scratch.file("a", lambda: b"mine")
    there = []

    def other():
        there.append(scratch.file("a", lambda: b"theirs"))
        there.append(scratch.file("b", lambda: b"b"))
        assert there[1].read_bytes() == b"b"
        there.append("read")

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert mine.read_bytes() == b"mine"
    assert mine not in there
    assert there[2:] == ["read"]


def test_what_cannot_be_fetched_leaves_nothing_and_is_asked_for_again():
    def fails():
        raise OSError("no network")

    scratch = Scratch()
    kept = scratch.file("a", lambda: b"a")
    with pytest.raises(OSError, match="no network"):
        scratch.file("b", fails)
    assert not kept.exists()
    assert scratch.file("a", lambda: b"a again").read_bytes() == b"a again"
    assert scratch.file("b", lambda: b"b").read_bytes() == b"b"
    assert len(list(folder_of(scratch).iterdir())) == 1


def test_the_folder_goes_with_it_and_another_process_has_its_own():
    scratch = Scratch()
    folder = folder_of(scratch)
    other = pickle.loads(pickle.dumps(scratch))
    assert folder_of(other) != folder
    del scratch
    gc.collect()
    assert not folder.exists()
    assert folder_of(other).exists()


def test_what_a_thread_has_fetched_goes_with_the_thread():
    scratch = Scratch()
    mine = scratch.file("a", lambda: b"mine")
    thread = threading.Thread(target=scratch.file, args=("a volume", lambda: b"large"))
    thread.start()
    thread.join()
    assert list(mine.parent.iterdir()) == [mine]


def test_a_file_that_cannot_be_written_is_not_left_in_part(monkeypatch):
    def full(path, content):
        with path.open("wb") as file:
            file.write(content[:1])
        raise OSError("no space left")

    scratch = Scratch()
    with monkeypatch.context() as broken:
        broken.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="no space left"):
            scratch.file("a", lambda: b"a")
    gc.collect()
    assert len(list(folder_of(scratch).iterdir())) == 1
    assert scratch.file("a", lambda: b"a").read_bytes() == b"a"
