"""Freed memory goes back to the system where the C library can, and nothing happens elsewhere."""

from __future__ import annotations

import ctypes

import pytest

from nifti_kit.memory import give_back


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
