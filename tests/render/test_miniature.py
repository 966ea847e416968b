"""Miniatures: one slice in true proportions, with the patient's sides at its edges."""

from __future__ import annotations

import numpy as np
import pytest

from nifti_kit.core.geometry import Grid
from nifti_kit.render import Artist, Look
from nifti_kit.render.miniature import miniature
from nifti_kit.render.paint import Pixels, stamp
from nifti_kit.render.picture import INSET, LETTER_SIZE
from nifti_kit.render.scene import BY_NORMAL, DIRECTIONS, Plane

GRID = Grid((40, 40, 10), np.diag([1.0, 1, 2, 1]))


@pytest.mark.parametrize("plane", BY_NORMAL)
def test_letters_say_where_the_patients_sides_are(plane: Plane) -> None:
    artist = Artist(np.zeros(GRID.shape, np.int16), GRID, [], [])
    drawn = miniature(artist, plane, Look((0, 0, 0), (0, 1)), 160)
    height, width = drawn.shape[:2]
    assert width / height == pytest.approx(1 if plane.normal == 2 else 2)
    expected: Pixels = np.zeros((height, width, 4), np.uint8)
    left, right = DIRECTIONS[plane.across]
    stamp(expected, left, (INSET, height / 2), LETTER_SIZE, anchor=(0, 0.5))
    stamp(expected, right, (width - INSET, height / 2), LETTER_SIZE, anchor=(1, 0.5))
    for side in (slice(0, 30), slice(-30, None)):
        assert (drawn[:, side] == expected[:, side, :3]).all()
        assert drawn[:, side].any()
