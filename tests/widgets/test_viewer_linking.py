"""Two viewers that are linked show the same place in mm, whatever their voxels are."""

from __future__ import annotations

import numpy as np
import pytest

from nifti_kit import widgets
from nifti_kit.core.geometry import Grid
from nifti_kit.widgets.viewer.linking import Link
from nifti_kit.widgets.viewer.model import ViewerModel

FINE = Grid((40, 50, 60), np.diag([1.0, 1.0, 1.0, 1.0]))
# Twice as coarse, stored from left to right the other way round, and begun elsewhere.
COARSE = Grid((20, 20, 30), np.array([[-2.0, 0, 0, 42], [0, 2, 0, 4], [0, 0, 2, 0], [0, 0, 0, 1]]))


def viewer(grid: Grid, title: str = "") -> ViewerModel:
    return ViewerModel.of_arrays(np.zeros(grid.shape, np.uint8), grid, title=title)


@pytest.fixture
def both() -> tuple[ViewerModel, ViewerModel]:
    return viewer(FINE), viewer(COARSE)


def world(found: ViewerModel) -> list[float]:
    return found.image.grid.world(found.position).tolist()


def test_one_moves_the_other_by_mm_and_not_by_index(both) -> None:
    link = Link(*both)
    both[0].position = (10, 20, 30)
    assert world(both[1]) == [10, 20, 30]
    assert both[1].position != both[0].position
    both[1].step("axl", 2)
    assert world(both[0]) == world(both[1]) == [10, 20, 34]
    assert (link.apart, link.note) == (0, "")


def test_a_place_between_voxels_stays_where_it_was_chosen(both) -> None:
    link = Link(*both)
    both[0].position = (11, 21, 31)
    assert both[0].position == (11, 21, 31)
    assert link.apart <= np.sqrt(3)


def test_where_the_other_image_ends_it_is_told(both) -> None:
    link = Link(*both)
    both[0].position = (10, 0, 30)
    assert world(both[1]) == [10, 4, 30]
    assert link.note.startswith("The crosshairs are 4.0 mm apart")


def test_plane_layout_and_zoom_go_along_until_the_link_is_cut(both) -> None:
    link = Link(*both)
    both[0].position = (10, 20, 30)
    both[1].active, both[1].arrangement = "sag", "beside"
    both[1].magnify(4)
    assert (both[0].active, both[0].arrangement, both[0].zoom) == ("sag", "beside", 4)
    one, other = (found.image.grid.world(found.focus).tolist() for found in both)
    assert one == pytest.approx(other)
    link.cut()
    both[0].position = (0, 0, 0)
    assert world(both[1]) == [10, 20, 30]


def test_two_widgets_stand_side_by_side_and_say_how_far_apart_they_are() -> None:
    shown = widgets.Viewer.linked(viewer(FINE, "one"), viewer(COARSE, "other"))
    one, other = shown.viewers
    before = other.stage.frame
    one.model.position = (10, 0, 30)
    assert other.stage.frame != before
    assert "4.0 mm apart" in shown.children[1].value
