"""The contact sheet: a small picture of each item, with its name and its masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import nifti_kit as nk
from nifti_kit.core.geometry import Grid
from nifti_kit.errors import NiftiKitError
from nifti_kit.plots.boards import Tile, contact_sheet, planned_sheet, tile_of
from nifti_kit.plots.figure import Picture
from nifti_kit.render.scene import Mask
from nifti_kit.targets.records import PlannedItem
from tests.support.builders import SAMPLES, write_nifti, write_planes

RED, BLUE = (255, 0, 0), (40, 80, 255)
GRID = Grid((8, 10, 6), np.diag([2.0, 3.0, 5.0, 1.0]))
GREY = np.zeros(GRID.shape, dtype=np.int16)


def block(name: str, color: tuple[int, int, int], k: int, j: int = 1) -> Mask:
    inside = np.zeros(GRID.shape, dtype=np.uint8)
    inside[2:5, j : j + 3, k] = 1
    return Mask(name, color, inside, GRID)


def texts(figure: Picture) -> list[str]:
    return [text.get_text() for text in figure.texts]


def hues(tile: Tile) -> set[tuple[bool, ...]]:
    """Which of red, green and blue its coloured pixels have."""
    assert tile.pixels is not None
    colored = tile.pixels[np.ptp(tile.pixels, axis=2) > 60]
    return {tuple(pixel > pixel.mean()) for pixel in colored.astype(int)}


def test_each_tile_has_its_name_its_picture_and_a_note() -> None:
    tiles = [Tile.of("first.nrrd", GREY, GRID), Tile("second.nrrd", "it is damaged")]
    figure = contact_sheet(tiles, title="Board")
    assert texts(figure) == [
        "Board",
        "first.nrrd",
        "axial slice 3",
        "second.nrrd",
        "it is damaged",
    ]
    assert [len(axes.get_images()) for axes in figure.axes] == [1, 0]
    assert figure.description == "Board; 2 items, 1 of them without a picture"


def test_masks_are_outlined_in_their_colours_on_the_slice_that_shows_most() -> None:
    masks = [block("a", RED, 4), block("b", BLUE, 4, 6), block("c", (0, 255, 0), 1)]
    tile = Tile.of("x", GREY, GRID, masks)
    assert tile.note == "axial slice 4, 2 of 3 classes"
    assert hues(tile) == {(True, False, False), (False, False, True)}


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((2, 2, 5), "axial"),
        ((2, 5, 2), "coronal"),
        ((5, 2, 2), "sagittal"),
        ((3, 3, 3), "axial"),
        ((3, 3.1, 3), "axial"),
        ((3.2, 3.2, 3), "axial"),
    ],
)
def test_the_plane_is_that_in_which_the_image_was_taken(
    size: tuple[float, ...], expected: str
) -> None:
    tile = Tile.of("x", GREY, Grid(GRID.shape, np.diag([*size, 1.0])))
    assert tile.note.startswith(expected)


def test_tiles_stand_five_in_a_row_with_true_proportions() -> None:
    figure = contact_sheet([Tile.of(f"{at}", GREY, GRID) for at in range(7)])
    lefts = sorted({round(axes.get_position().x0, 4) for axes in figure.axes})
    tops = sorted({round(axes.get_position().y1, 4) for axes in figure.axes})
    assert (len(lefts), len(tops)) == (5, 2)
    assert texts(figure)[0] == "7 items"
    for axes in figure.axes:
        box = axes.get_window_extent()
        assert np.ptp(axes.get_xlim()) / box.width == pytest.approx(
            np.ptp(axes.get_ylim()) / box.height
        )
        _, wide, _, high = axes.get_images()[0].get_extent()
        assert wide / high == pytest.approx(16 / 30, abs=0.01)


def test_names_are_no_formulas_and_fit_their_tile() -> None:
    name = "cost$^$\n<img src=x onerror=alert(1)>_" + "long" * 30 + "_7.nrrd"
    figure = contact_sheet([Tile.of(name, GREY, GRID), Tile("y", "a$^$ fault " * 20)])
    FigureCanvasAgg(figure).draw()
    assert texts(figure)[1].startswith("cost$^$ <img")
    assert texts(figure)[1].endswith(".nrrd")
    assert texts(figure)[4].endswith("…")
    assert len(texts(figure)[4]) < 60


def test_a_board_without_items_is_refused() -> None:
    with pytest.raises(NiftiKitError, match="there is no item to draw"):
        contact_sheet([])


def test_a_plan_gives_a_tile_for_each_item() -> None:
    plan = nk.plan(nk.scan(SAMPLES / "multi_item"))
    figure = planned_sheet(plan)
    assert texts(figure)[0] == "9 items, page 1 of 1"
    assert texts(figure)[1::2] == [item.name for item in plan.items]
    assert "axial slice 1, 5 of 6 classes" in texts(figure)


def test_items_are_paged() -> None:
    plan = nk.plan(nk.scan(SAMPLES / "multi_item"))
    figure = planned_sheet(plan, page=3, per_page=4)
    assert texts(figure)[0] == "9 items, page 3 of 3"
    assert texts(figure)[1::2] == [plan.items[8].name]


@pytest.mark.parametrize(("page", "per_page"), [(0, 4), (4, 4), (1, 0)])
def test_a_page_that_is_not_there_is_refused(page: int, per_page: int) -> None:
    plan = nk.plan(nk.scan(SAMPLES / "multi_item"))
    with pytest.raises(NiftiKitError, match="there is no such page"):
        planned_sheet(plan, page=page, per_page=per_page)


def test_a_plan_without_items_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(NiftiKitError, match="the plan has no items to draw"):
        planned_sheet(nk.plan(nk.scan(tmp_path)))


def test_a_damaged_file_has_its_fault_on_its_tile_and_others_their_picture(tmp_path: Path) -> None:
    folder = write_planes(tmp_path)
    plan = nk.plan(nk.scan(folder))
    broken = folder / "cor_anatomic.nii.gz"
    broken.write_bytes(broken.read_bytes()[:200])
    figure = planned_sheet(plan)
    assert [len(axes.get_images()) for axes in figure.axes] == [1, 0, 1]
    assert "its voxels cannot be read to the end" in " ".join(texts(figure)).replace("…", "")


def test_annotations_for_a_target_are_drawn_on_black() -> None:
    plan = nk.plan(nk.scan(SAMPLES / "annotations_dataset"))
    tile = tile_of(plan.items[0])
    assert tile.pixels is not None
    assert (tile.pixels.sum(axis=2) == 0).mean() > 0.5
    assert hues(tile)


def test_a_volume_without_masks_has_a_tile(tmp_path: Path) -> None:
    write_nifti(tmp_path / "Cord.nii.gz")
    tile = tile_of(nk.plan(nk.scan(tmp_path)).items[0])
    assert (tile.name, hues(tile)) == ("Cord.nrrd", set())
    assert tile.note == "axial slice 3"


def test_an_item_on_the_target_without_objects_says_so() -> None:
    tile = tile_of(PlannedItem("axl.nrrd", None, 7, ()))
    assert (tile.name, tile.note, tile.pixels) == ("axl.nrrd", "no object lands", None)
