"""One mask in two places: what the figure draws, and what it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.contour import ContourSet

from nifti_kit.checks.pictures import ASSUMED, OWN
from nifti_kit.core.geometry import Grid, Orientation
from nifti_kit.errors import NiftiKitError
from nifti_kit.plots.alignment import distance_text, two_places
from nifti_kit.plots.figure import Picture

GRID = Grid((20, 24, 10), np.diag([2.0, 2.0, 4.0, 1.0]))
GREY = np.arange(20 * 24 * 10, dtype=np.int16).reshape(GRID.shape)
INSIDE = np.zeros(GRID.shape, dtype=np.uint8)
INSIDE[6:12, 8:14, 4:7] = 3


def moved(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Grid:
    affine = GRID.affine.copy()
    affine[:3, 3] += [x, y, z]
    return Grid(GRID.shape, affine)


def drawn(other: Grid, **choices: Any) -> Picture:
    return two_places(GREY, GRID, INSIDE, {"one": other, "two": GRID}, **choices)


def outlines(figure: Picture) -> list[ContourSet]:
    return [found for found in figure.axes[0].collections if isinstance(found, ContourSet)]


def edges(found: ContourSet) -> list[float]:
    """Left, right, bottom and top of an outline (mm; x runs to the patient's left)."""
    points = np.concatenate([path.vertices for path in found.get_paths()])
    (left, bottom), (right, top) = points.min(axis=0), points.max(axis=0)
    return [left, right, bottom, top]


def texts(figure: Picture) -> list[str]:
    return [text.get_text() for text in figure.texts]


def legend(figure: Picture) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_the_title_says_how_far_apart_they_are() -> None:
    assert texts(drawn(moved(x=3, y=4), title="Liver"))[0] == "Liver: 5.00 mm apart"
    assert texts(drawn(moved(x=0.25)))[0] == "0.25 mm apart"
    assert texts(drawn(moved()))[0] == "The same place (within 0.0001 mm)"


def test_the_mean_is_told_where_voxels_move_by_different_lengths() -> None:
    assert distance_text(np.array([1.0, 2.0, 3.0])) == "up to 3.00 mm apart, 2.00 mm on average"
    assert distance_text(np.array([1200.0, 1200.0])) == "1,200.0 mm apart"
    assert distance_text(np.array([0.004, 0.004])) == "0.0040 mm apart"
    assert distance_text(np.array([9e-5])) == "the same place (within 0.0001 mm)"


def test_outlines_lie_where_the_grids_put_them_to_a_tenth_of_a_voxel() -> None:
    figure = drawn(moved(x=-0.4, y=1.0), at=("axl", 5))
    own, assumed = outlines(figure)
    # Voxels 6 to 11 of 2 mm along R: 11 to 23 mm; x is the other way round.
    assert edges(assumed) == pytest.approx([-23, -11, 15, 27], abs=0.1)
    assert edges(own) == pytest.approx([-22.6, -10.6, 16, 28], abs=0.1)


def test_the_two_are_told_apart_by_colour_and_by_dashes() -> None:
    own, assumed = outlines(drawn(moved(x=3)))
    assert own.get_edgecolor()[0][:3] == pytest.approx(np.array(OWN) / 255)
    assert assumed.get_edgecolor()[0][:3] == pytest.approx(np.array(ASSUMED) / 255)
    assert [bool(found.get_linestyle()[0][1]) for found in (own, assumed)] == [False, True]
    assert legend(drawn(moved(x=3))) == ["Red, solid: one", "Cyan, dashed: two"]


def test_the_order_in_which_files_are_stored_changes_nothing() -> None:
    turn = Orientation((2, 0, 1), (True, False, True))
    first = drawn(moved(x=3), at=("axl", 5))
    other = two_places(
        turn.apply(GREY),
        GRID.reoriented(turn),
        turn.apply(INSIDE),
        {"one": moved(x=3).reoriented(turn), "two": GRID.reoriented(turn)},
        at=("axl", 5),
    )
    assert other.description == first.description
    for one, two in zip(outlines(first), outlines(other), strict=True):
        assert edges(one) == pytest.approx(edges(two), abs=0.01)
    images = [figure.axes[0].get_images()[0].get_array() for figure in (first, other)]
    assert np.array_equal(*images)


def test_the_axial_slice_with_most_of_both_is_shown() -> None:
    where = texts(drawn(moved(x=3)))[-1]
    assert where == "Axial slice 5 (0 to 9) at S 20.0 mm; radiological view"


def test_a_displacement_through_axial_slices_is_seen_from_the_side() -> None:
    where = texts(drawn(moved(y=1, z=20)))[-1]
    assert where.startswith("Sagittal slice ")


def test_a_place_that_the_slice_does_not_cut_is_said_to_be_elsewhere() -> None:
    figure = drawn(moved(z=20), at=("axl", 5))
    assert legend(figure) == ["Red, solid: one (not on this slice)", "Cyan, dashed: two"]
    assert len(outlines(figure)) == 1


def test_a_mask_outside_of_the_volume_is_in_the_picture() -> None:
    figure = drawn(moved(x=200), at=("axl", 5))
    left, _ = figure.axes[0].get_xlim()
    assert left < -223
    assert len(outlines(figure)) == 2


def test_a_zoom_shows_so_many_millimetres_around_the_rightmost_edge() -> None:
    figure = drawn(moved(x=0.4), at=("axl", 5), zoom_mm=6)
    left, right = figure.axes[0].get_xlim()
    assert (left + right) / 2 == pytest.approx(-23)
    assert right - left == pytest.approx(6)
    assert np.ptp(figure.axes[0].get_ylim()) == pytest.approx(6)


def test_a_scale_bar_has_a_round_length() -> None:
    notes = [note.get_text() for note in drawn(moved(x=3)).axes[0].texts]
    assert "5 mm" in notes
    notes = [note.get_text() for note in drawn(moved(x=3), zoom_mm=1).axes[0].texts]
    assert "0.2 mm" in notes


def test_pictures_have_true_proportions() -> None:
    for other in (moved(x=200), moved(z=90), moved(x=1)):
        figure = drawn(other)
        box = figure.axes[0].get_window_extent()
        across = np.ptp(figure.axes[0].get_xlim()) / box.width
        assert np.ptp(figure.axes[0].get_ylim()) / box.height == pytest.approx(across)


def test_names_are_no_formulas_and_stay_on_one_line() -> None:
    places = {"cost$^$\n<img src=x>": moved(x=3), "\\frac{": GRID}
    figure = two_places(GREY, GRID, INSIDE, places, title="a$^$\nb_" + "long" * 60)
    FigureCanvasAgg(figure).draw()
    assert legend(figure) == ["Red, solid: cost$^$ <img src=x>", "Cyan, dashed: \\frac{"]
    assert texts(figure)[0].startswith("a$^$ b_long")
    assert "…" in texts(figure)[0]


def test_the_picture_says_in_words_what_it_shows() -> None:
    assert drawn(moved(x=3), title="Liver").description == (
        "Liver: 3.00 mm apart; Red, solid: one; Cyan, dashed: two; "
        "Axial slice 5 (0 to 9) at S 20.0 mm; radiological view"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"places": {"one": GRID}}, r"in two places Found: 1: one\. Expected: two grids"),
        ({"inside": np.zeros(GRID.shape)}, "no labelled voxel"),
        ({"inside": INSIDE[1:]}, "one shape"),
        ({"volume": GREY[1:]}, "the volume has another shape"),
        ({"at": ("top", None)}, r"no such plane Found: 'top'\. Expected: axl, cor or sag"),
        ({"at": ("axl", 10)}, r"no such slice Found: slice 10\. Expected: 0 to 9"),
        ({"zoom_mm": 0}, "a zoom needs a length above 0 mm"),
        ({"zoom_mm": float("nan")}, "a zoom needs a length"),
        (
            {"places": {"one": Grid(GRID.shape, np.zeros((4, 4))), "two": GRID}},
            "'one' cannot be drawn Found: the affine has an axis of length 0",
        ),
    ],
    ids=lambda value: None if isinstance(value, dict) else value[:20],
)
def test_what_cannot_be_drawn_is_refused(change: dict[str, Any], message: str) -> None:
    known = {
        "volume": GREY,
        "grid": GRID,
        "inside": INSIDE,
        "places": {"one": moved(x=3), "two": GRID},
    }
    with pytest.raises(NiftiKitError, match=message):
        two_places(**{**known, **change})
