"""Freed memory goes back to the system where the C library can, and nothing happens elsewhere."""

from __future__ import annotations

import ctypes
import mmap
import threading
from pathlib import Path

import numpy as np
import pytest

from nifti_kit.core import memory
from nifti_kit.core.memory import LEAST_MAPPED, SHELF, PageBuffer, give_back, mapped_array


@pytest.fixture(autouse=True)
def library_asked_for_anew():
    memory._c_library.cache_clear()
    yield
    memory._c_library.cache_clear()


class Library:
    def __init__(self, calls):
        self.calls = calls

    def malloc_trim(self, keep):
        self.calls.append(keep)


def test_the_library_of_the_process_is_asked(monkeypatch):
    calls = []
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library(calls) if name is None else None)
    give_back()
    assert calls == [0]


@pytest.mark.parametrize("error", [OSError, TypeError, AttributeError])
def test_other_libraries_are_left_alone(monkeypatch, error):
    def missing(name):
        raise error(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    give_back()


SHAPES = [(3, 4, 5), (LEAST_MAPPED // 4 - 1,), (LEAST_MAPPED // 4,), (65, 66, 67), (0, 4, 4)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", ["u1", "<i2", ">f8"])
def test_a_mapped_array_is_one_like_any_other(shape, kind):
    array = mapped_array(shape, kind)
    assert (array.shape, array.dtype) == (shape, np.dtype(kind))
    assert array.flags.f_contiguous
    assert not array.any()
    array[...] = 1
    assert array.sum() == array.size


def resident() -> int:
    """The memory of this process (bytes)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read there")
def test_the_pages_of_arrays_of_a_thread_go_back_with_them():
    size, seen = 2**23, []

    def work():
        del_me = np.ones(3 * size, np.uint8)  # from now on the C library keeps such sizes in a heap
        del del_me
        before = resident()
        arrays = [mapped_array((size,), np.uint8) for _ in range(4)]
        for array in arrays:
            array[:] = 1
        behind = np.ones(2**15, np.uint8)  # what stands behind them would keep them in it
        seen.append(resident() - before)
        del array, arrays
        seen.append(resident() - before)
        assert behind.all()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen[0] > 0.9 * 4 * size
    assert seen[1] < 0.1 * 4 * size


def test_what_is_kept_stays_as_it_was():
    random = np.random.default_rng(5)
    sizes = [0, 1, 7, SHELF - 8, 1, SHELF, SHELF + 1, 3 * SHELF, 12, *random.integers(0, 2**17, 40)]
    contents = [random.bytes(int(size)) for size in sizes]
    shelf = PageBuffer()
    kept = [shelf.keep(content) for content in contents]
    del shelf
    assert [bytes(one) for one in kept] == contents
    assert b"".join(kept) == b"".join(contents)


def test_small_pieces_share_pages():
    shelf = PageBuffer()
    kept = [shelf.keep(bytes(1000)) for _ in range(2 * SHELF // 1000)]
    assert len({id(one.obj) for one in kept}) == 3


def test_where_pages_are_private_anyway_no_flags_are_given(monkeypatch):
    monkeypatch.delattr(mmap, "MAP_PRIVATE", raising=False)
    assert bytes(PageBuffer().keep(b"abc")) == b"abc"
