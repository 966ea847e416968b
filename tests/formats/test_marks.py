"""Marks: where a file has labels, frame by frame, as long as there is room."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nifti_kit.formats.marks import Marks, MarksKept, Room, extents_of
from nifti_kit.formats.runs import runs_of
from tests.support.properties import untimed

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6))
FEW_BYTES = 40


def kept(array: np.ndarray, room: Room, together: int = 1) -> Marks | None:
    found = MarksKept(array.shape, room)
    for first in range(0, array.shape[2], together):
        runs = runs_of(np.asfortranarray(array[:, :, first : first + together]), first)
        if runs is not None:
            found.add(runs)
    return found.result()


def painted(extents: tuple[np.ndarray, np.ndarray], size: int) -> np.ndarray:
    frame = np.zeros(size, dtype=int)
    for start, stop in zip(*(ends.tolist() for ends in extents), strict=True):
        frame[start:stop] += 1
    return frame


@untimed
@given(
    array=arrays(np.uint8, SHAPES, elements=st.sampled_from([0, 0, 1, 2])),
    together=st.integers(1, 3),
)
def test_marks_are_where_labels_are_and_nothing_is_marked_twice(array, together):
    marks = kept(array, Room(2**20), together)
    assert marks is not None
    for k in range(array.shape[2]):
        expected = (array[:, :, k] > 0).ravel(order="F").astype(int)
        assert painted(marks.frame(k), expected.size).tolist() == expected.tolist()
        assert painted(extents_of(array[:, :, k]), expected.size).tolist() == expected.tolist()


def test_what_finds_no_room_gives_its_own_back():
    room = Room(FEW_BYTES)
    checkered = np.indices((8, 2, 4)).sum(axis=0).astype(np.uint8) % 2
    assert kept(checkered, room) is None  # 16 bytes a frame
    assert room.takes(FEW_BYTES)
    assert not room.takes(1)


def test_an_empty_map_takes_no_room():
    marks = kept(np.zeros((3, 2, 2), np.uint8), Room(0))
    assert marks is not None
    assert [len(ends) for ends in marks.frame(1)] == [0, 0]
