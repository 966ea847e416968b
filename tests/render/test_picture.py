"""The picture of a viewer: places, layers, greys, colours, letters."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from nifti_kit.core.geometry import Grid
from nifti_kit.errors import NiftiKitError
from nifti_kit.render.layers import MOST_SHARED, Layer, Stack
from nifti_kit.render.paint import (
    Palette,
    grey_pane,
    mark_of,
    outline_of,
    stamp,
    text_size,
    windowed,
    write_marks,
)
from nifti_kit.render.panes import MARGIN, SMALLEST, WIDEST, Layout, Pane, Span
from nifti_kit.render.picture import ACTIVE, BACKGROUND, Artist, Look
from nifti_kit.render.scene import AXIAL, CORONAL, SAGITTAL

SHAPE = (8, 10, 12)
GRID = Grid(SHAPE, np.array([[2.0, 0, 0, -7], [0, 3, 0, 4], [0, 0, 5, 1], [0, 0, 0, 1]]))
MIDDLE = (4.0, 5.0, 6.0)
RED, GREEN = (255, 0, 0), (0, 255, 0)


def labels(shape=SHAPE, count: int = 3) -> np.ndarray:
    """Return a label map without symmetry."""
    return np.random.default_rng(5).integers(0, count + 1, shape).astype(np.uint8)


def seen(section: np.ndarray) -> np.ndarray:
    """Return a section (lines, columns) as (across, up) indices."""
    return section.T[::-1, ::-1]


# Sheets


def test_the_planes_stand_in_a_row_with_one_scale_in_mm() -> None:
    sheet = Layout.of(GRID, 1, 1.0, MIDDLE)
    # 16 x 30 x 60 mm: 60 mm take the 400 pixels of a row.
    sizes = [(pane.plane.title, pane.width, pane.height) for pane in sheet.panes]
    assert sizes == [("Axial", 107, 200), ("Coronal", 107, 400), ("Sagittal", 200, 400)]
    assert [pane.left for pane in sheet.panes] == [8 + 21, 8 + 150 + 10 + 21, 8 + 2 * (150 + 10)]
    assert sheet.width == 150 + 150 + 200 + 2 * 10 + 2 * MARGIN


def test_a_wide_image_takes_no_more_than_the_sheet_has() -> None:
    sheet = Layout.of(Grid((512, 512, 20), np.diag([1, 1, 5, 1])), 1, 1.0, (0, 0, 0))
    assert sheet.width <= WIDEST
    assert all(pane.left + pane.width <= sheet.width for pane in sheet.panes)


def test_a_pane_that_would_be_too_small_gets_its_own_scale() -> None:
    sheet = Layout.of(Grid((10, 10, 200), np.diag([1, 1, 5, 1])), 1, 1.0, (0, 0, 0))
    assert (sheet.panes[0].width, sheet.panes[0].height) == (SMALLEST, SMALLEST)


def test_two_rows_show_the_same_planes_below_each_other() -> None:
    panes = Layout.of(GRID, 2, 1.0, MIDDLE).panes
    assert [pane.row for pane in panes] == [0, 0, 0, 1, 1, 1]
    assert all(
        lower.top > upper.top + upper.height
        for upper, lower in zip(panes[:3], panes[3:], strict=True)
    )
    assert [pane.plane for pane in panes[:3]] == [pane.plane for pane in panes[3:]]


def test_one_plane_of_each_overlay_stands_side_by_side() -> None:
    sheet = Layout.beside(GRID, 3, 1, 2.0, MIDDLE)
    assert [(pane.plane.title, pane.row) for pane in sheet.panes] == [
        ("Coronal", row) for row in range(3)
    ]
    assert {(pane.top, pane.width, pane.height) for pane in sheet.panes} == {(52, 107, 400)}
    lefts = [pane.left for pane in sheet.panes]
    assert np.diff(lefts).tolist() == [160, 160]
    assert sheet.width == 3 * 150 + 2 * 10 + 2 * MARGIN
    assert {pane.across for pane in sheet.panes} == {Span(2.5, 6.5)}


def test_a_row_that_is_given_other_layers_shows_them_and_the_others_stay() -> None:
    layers = [Layer(np.full(SHAPE, number, np.uint8), GRID) for number in (1, 2)]
    artist = Artist(labels(), GRID, [("a", layers[:1]), ("b", layers[:1])], [RED, GREEN])
    look = Look((4, 5, 6), (0, 3), opacity=1.0, beside=True)
    before = artist.draw(look)
    artist.replace(1, layers[1:])
    after = artist.draw(look)
    (one, other) = (pane.pixel((2, 2, 6)) for pane in artist.sheet(look).panes)
    first, second = artist.sheet(look).panes
    at = [(p.top + y, p.left + x) for p, (x, y) in ((first, one), (second, other))]
    assert [tuple(before[place][:3]) for place in at] == [RED, RED]
    assert [tuple(after[place][:3]) for place in at] == [RED, GREEN]


@pytest.mark.parametrize("zoom", [1.0, 2.5])
def test_the_middle_of_a_voxel_is_found_again_at_its_pixel(zoom: float) -> None:
    sheet = Layout.of(GRID, 1, zoom, MIDDLE)
    for pane in sheet.panes:
        x, y = pane.pixel((4, 5, 6))
        assert pane.voxel(pane.left + x, pane.top + y, (4, 5, 6)) == (4, 5, 6)
        assert sheet.pane_at(pane.left + x, pane.top + y) is pane


def test_right_is_left_anterior_is_left_in_sagittal_and_superior_is_up() -> None:
    axial, coronal, sagittal = Layout.of(GRID, 1, 1.0, MIDDLE).panes
    assert axial.voxel(axial.left, axial.top, (0, 0, 3)) == (7, 9, 3)
    assert coronal.voxel(coronal.left, coronal.top, (0, 2, 0)) == (7, 2, 11)
    assert sagittal.voxel(sagittal.left, sagittal.top, (1, 0, 0)) == (1, 9, 11)


def test_a_pixel_outside_of_a_pane_is_brought_to_its_edge() -> None:
    pane = Layout.of(GRID, 1, 1.0, MIDDLE).panes[0]
    assert pane.voxel(-100, 10_000, (0, 0, 6)) == (7, 0, 6)


def test_zoom_shows_less_of_each_axis_and_never_beyond_the_image() -> None:
    pane = Layout.of(GRID, 1, 2.0, (0.0, 5.0, 11.0)).panes[0]
    assert pane.across == Span(0, 4)
    assert pane.up == Span(3, 8)
    assert Layout.of(GRID, 1, 2.0, (0.0, 5.0, 11.0)).panes[1].up == Span(6, 12)


def test_between_panes_there_is_no_plane() -> None:
    assert Layout.of(GRID, 1, 1.0, MIDDLE).pane_at(0, 0) is None


# Layers


@pytest.mark.parametrize("plane", [SAGITTAL, CORONAL, AXIAL])
def test_a_section_on_the_images_own_voxels_is_exact(plane) -> None:
    numbers = labels()
    section = Layer(numbers, GRID).section(GRID, Pane.whole(GRID, plane), 4)
    np.testing.assert_array_equal(seen(section), numbers.take(4, axis=plane.normal))


@pytest.mark.parametrize("plane", [SAGITTAL, CORONAL, AXIAL])
def test_a_turned_layer_has_under_each_pixel_the_voxel_that_holds_its_middle(plane) -> None:
    cosine, sine = np.cos(0.3), np.sin(0.3)
    turn = np.array([[cosine, -sine, 0, 2], [sine, cosine, 0, -3], [0, 0, 1.1, 4], [0, 0, 0, 1]])
    numbers, grid = labels(), Grid(SHAPE, turn @ GRID.affine)
    section = seen(Layer(numbers, grid).section(GRID, Pane.whole(GRID, plane), 4))
    assert section.any()
    for across, up in np.ndindex(section.shape):
        indices = np.zeros(3)
        indices[[plane.normal, plane.across, plane.up]] = 4, across, up
        at = np.rint(np.linalg.solve(grid.affine, [*GRID.world(indices), 1])[:3]).astype(int)
        is_inside = ((at >= 0) & (at < SHAPE)).all()
        assert section[across, up] == (numbers[tuple(at)] if is_inside else 0)


def test_a_pane_may_reach_beyond_the_image_and_has_nothing_there() -> None:
    pane = Pane(AXIAL, 0, 0, 0, 2 * SHAPE[0], SHAPE[1], Span(-4, SHAPE[0] + 4), Span(0, SHAPE[1]))
    pixels = Layer(labels(), GRID).section(GRID, pane, 4)
    whole = np.zeros((2 * SHAPE[0], SHAPE[1]), np.uint8)
    whole[4:-4] = labels()[:, :, 4]
    np.testing.assert_array_equal(seen(pixels), whole)


def test_a_pane_of_a_whole_slice_has_true_proportions_or_a_pixel_for_each_voxel() -> None:
    pane = Pane.whole(GRID, CORONAL)
    assert (pane.width, pane.height, pane.across, pane.up) == (8, 12, Span(0, 8), Span(0, 12))
    pane = Pane.whole(GRID, CORONAL, 240)  # 16 x 60 mm
    assert (pane.width, pane.height, pane.across, pane.up) == (64, 240, Span(0, 8), Span(0, 12))


def test_a_layer_far_away_is_not_seen() -> None:
    far = Grid(SHAPE, GRID.affine + np.array([[0, 0, 0, 1e8 + 0.3]] + [[0] * 4] * 3))
    layer = Layer(labels(), far)
    assert not layer.section(GRID, Pane.whole(GRID, AXIAL), 4).any()
    assert layer.at(GRID, (4, 4, 4)) == 0
    assert len(layer.points(GRID)[0]) == 0


def test_a_cropped_layer_lies_at_its_own_place() -> None:
    numbers = labels((2, 3, 4))
    grid = Grid(
        (2, 3, 4), GRID.affine @ np.array([[1, 0, 0, 5], [0, 1, 0, 6], [0, 0, 1, 7], [0, 0, 0, 1]])
    )
    layer, whole = Layer(numbers, grid), np.zeros(SHAPE, np.uint8)
    whole[5:7, 6:9, 7:11] = numbers
    np.testing.assert_array_equal(
        seen(layer.section(GRID, Pane.whole(GRID, AXIAL), 8)), whole[:, :, 8]
    )
    assert not layer.section(GRID, Pane.whole(GRID, AXIAL), 6).any()
    assert layer.at(GRID, (5, 6, 7)) == numbers[0, 0, 0]
    points, found = layer.points(GRID)
    np.testing.assert_array_equal(points, np.argwhere(whole))
    np.testing.assert_array_equal(found, whole[whole != 0])


def test_masks_in_any_order_of_axes_share_one_layer() -> None:
    numbers = labels()
    flipped = numbers.transpose(2, 0, 1)[::-1]
    matrix = np.array([[0, 1, 0, 0], [0, 0, 1, 0], [-1, 0, 0, SHAPE[2] - 1], [0, 0, 0, 1]])
    stack = Stack(GRID, 3)
    assert stack.add(np.where(numbers == 1, numbers, 0), GRID)
    assert stack.add(np.where(flipped == 2, flipped, 0), Grid(flipped.shape, GRID.affine @ matrix))
    (layer,) = stack.layers
    np.testing.assert_array_equal(layer.numbers, np.where(numbers == 3, 0, numbers))


def test_what_is_added_later_lies_on_top_and_nothing_is_lost() -> None:
    stack = Stack(GRID, 3)
    for number in (1, 2, 3):
        piece = np.zeros(SHAPE, np.uint8)
        piece[: 9 - number] = number
        stack.add(piece, GRID)
    assert [int(layer.numbers.max()) for layer in stack.layers] == [1, 2, 3]
    assert [np.count_nonzero(layer.numbers) for layer in stack.layers] == [960, 840, 720]


def test_what_lies_on_very_many_gets_a_layer_of_its_own_size() -> None:
    stack = Stack(GRID, 300)
    for number in range(1, MOST_SHARED + 2):
        piece = np.zeros(SHAPE, np.uint16)
        piece[2, 3, 4] = number
        stack.add(piece[2:3, 3:4, 4:5], Grid((1, 1, 1), _moved((2, 3, 4))))
    assert len(stack.layers) == MOST_SHARED + 1
    top = stack.layers[-1]
    assert (top.numbers.shape, top.at(GRID, (2, 3, 4))) == ((1, 1, 1), MOST_SHARED + 1)
    assert top.numbers.dtype == np.uint16


def _moved(by: tuple[int, int, int]) -> np.ndarray:
    affine = GRID.affine.copy()
    affine[:3, 3] = GRID.world(by)
    return affine


def test_a_mask_that_reaches_out_of_the_image_is_cut_at_its_faces() -> None:
    stack = Stack(GRID, 1)
    assert stack.add(np.ones(SHAPE, np.uint8), Grid(SHAPE, _moved((6, -7, 20))))
    assert stack.layers == ()
    assert stack.add(np.ones(SHAPE, np.uint8), Grid(SHAPE, _moved((6, -7, 0))))
    assert np.count_nonzero(stack.layers[0].numbers) == 2 * 3 * 12


def test_a_mask_on_another_grid_keeps_it_and_lies_on_top() -> None:
    stack = Stack(GRID, 1)
    assert not stack.add(np.ones(SHAPE, np.uint8), Grid(SHAPE, GRID.affine * 1.1))
    assert stack.add(np.ones(SHAPE, np.uint8), GRID)
    assert stack.layers[-1].grid.voxel_size == pytest.approx((2.2, 3.3, 5.5))


def test_an_empty_mask_adds_nothing() -> None:
    stack = Stack(GRID, 1)
    assert stack.add(np.zeros((0, 3, 3), np.uint8), Grid((0, 3, 3), GRID.affine))
    assert stack.layers == ()


def test_a_label_map_must_have_the_shape_of_its_grid() -> None:
    with pytest.raises(NiftiKitError, match="another shape than its grid"):
        Stack(GRID, 1).add(np.zeros((2, 2, 2), np.uint8), GRID)


# Greys


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "f4"])
def test_every_type_of_values_has_the_same_greys(dtype: str) -> None:
    values = np.array([[0, 50, 75], [100, 120, 25]], dtype=dtype)
    assert windowed(values, (50.0, 100.0)).tolist() == [[0, 0, 128], [255, 255, 0]]


def test_what_is_no_number_is_black_and_what_is_endless_is_white() -> None:
    values = np.array([np.nan, np.inf, -np.inf], dtype=np.float32)
    assert windowed(values, (0.0, 1.0)).tolist() == [0, 255, 0]


def test_a_pane_with_a_pixel_for_each_voxel_shows_their_greys() -> None:
    volume = np.arange(960, dtype=np.int16).reshape(SHAPE) % 256
    grey = grey_pane(
        volume[::-1, :, ::-1][::-1, :, ::-1], Pane.whole(GRID, CORONAL), 3, (0.0, 255.0)
    )
    np.testing.assert_array_equal(seen(grey), volume[:, 3])


def test_a_magnified_pane_shows_its_part_of_the_slice() -> None:
    volume = np.zeros(SHAPE, dtype=np.int16)
    volume[:4] = 100
    pane = Pane(AXIAL, 0, 0, 0, 40, 50, Span(4, 8), Span(0, 5))
    grey = grey_pane(volume, pane, 0, (0.0, 100.0))
    assert (grey.shape, int(grey[:, :30].max())) == ((50, 40), 0)


# Palettes


def test_fill_mixes_the_colour_with_the_grey_and_hidden_classes_leave_it() -> None:
    palette = Palette.of([RED, GREEN], {2}, 0.5, outline=False)
    grey = np.full((1, 3), 100, np.uint8)
    numbers = palette.shown[np.array([[0, 1, 2]])]
    pixels = palette.paint(grey, numbers, np.zeros((1, 3), bool))
    assert pixels[0, :, :3].tolist() == [[100, 100, 100], [178, 50, 50], [100, 100, 100]]


def test_outline_mode_leaves_the_inside_and_draws_a_firm_line() -> None:
    palette = Palette.of([RED], (), 0.6, outline=True)
    numbers, edge = np.ones((1, 2), np.uint16), np.array([[True, False]])
    pixels = palette.paint(np.full((1, 2), 100, np.uint8), numbers, edge)
    assert pixels[0, :, :3].tolist() == [[255, 0, 0], [100, 100, 100]]


def test_without_opacity_nothing_of_a_mask_is_seen() -> None:
    palette = Palette.of([RED], (), 0.0, outline=True)
    ones = np.ones((1, 1), np.uint16)
    pixels = palette.paint(np.full((1, 1), 9, np.uint8), ones, ones > 0)
    assert pixels[0, 0, :3].tolist() == [9, 9, 9]


def test_a_further_layer_is_mixed_with_what_is_below() -> None:
    palette = Palette.of([RED, GREEN], (), 0.5, outline=False)
    pixels = palette.paint(
        np.zeros((1, 2), np.uint8), np.ones((1, 2), np.uint16), np.zeros((1, 2), bool)
    )
    palette.add(pixels, np.array([[2, 0]], np.uint16), np.zeros((1, 2), bool))
    assert pixels[0, :, :3].tolist() == [[64, 127, 0], [128, 0, 0]]


def test_an_outline_is_inside_of_its_class_and_not_at_the_panes_edge() -> None:
    numbers = np.zeros((5, 5), np.uint16)
    numbers[1:4, 1:] = 1
    expected = numbers != 0
    expected[2, 2:] = False
    assert outline_of(numbers).tolist() == expected.tolist()


# Marks and texts


@pytest.mark.parametrize(
    ("number", "mark"), [(1, "B"), (2, "C"), (20, "Z"), (21, "B2"), (40, "Z2"), (104, "E6")]
)
def test_marks_are_letters_and_then_letters_with_numbers(number: int, mark: str) -> None:
    assert mark_of(number) == mark


def test_no_mark_is_a_side_of_the_patient() -> None:
    assert not {mark_of(number)[0] for number in range(1, 200)} & set("RLAPSI")
    assert len({mark_of(number) for number in range(1, 200)}) == 199


def marked(numbers: np.ndarray) -> np.ndarray:
    """Return where letters were written, as a picture of booleans."""
    pixels = np.full((*numbers.shape, 4), 128, np.uint8)
    write_marks(pixels, numbers)
    return (pixels[..., :3] != 128).any(axis=-1)


def test_every_part_of_a_class_gets_its_letter_on_its_outline() -> None:
    numbers = np.zeros((120, 200), np.uint16)
    numbers[40:100, 20:60] = 1
    numbers[40:100, 120:160] = 1
    ink = marked(numbers)
    assert ink[30:50, 10:70].any()
    assert ink[30:50, 110:170].any()
    assert not ink[60:].any()


def test_a_speck_gets_a_letter_only_where_its_class_has_no_other() -> None:
    numbers = np.zeros((120, 200), np.uint16)
    numbers[40:100, 20:60] = 1
    numbers[60:63, 150:153] = 1
    numbers[100, 150:153] = 2
    ink = marked(numbers)
    assert not ink[50:75, 140:165].any()
    assert ink[90:110, 140:165].any()


def test_letters_make_room_for_each_other() -> None:
    numbers = np.zeros((120, 200), np.uint16)
    numbers[20:100, 20:26] = 1
    numbers[20:100, 26:32] = 2
    ink = marked(numbers)
    assert ink[10:30].any()
    assert ink[90:110].any()
    assert not ink[30:90].any()


def test_a_class_without_room_is_named_all_the_same() -> None:
    numbers = np.zeros((8, 8), np.uint16)
    numbers[2:4, 2:6], numbers[4:6, 2:6] = 1, 2
    assert marked(numbers).any()


def test_a_section_without_classes_gets_no_letter() -> None:
    assert not marked(np.zeros((20, 20), np.uint16)).any()


def test_a_text_that_passes_an_edge_is_cut() -> None:
    pixels = np.zeros((10, 10, 4), np.uint8)
    stamp(pixels, "Ag", (0, 0), 14, anchor=(0.5, 0.5))
    assert pixels[..., :3].any()
    before = pixels.copy()
    stamp(pixels, "Ag", (-100, 300), 14)
    np.testing.assert_array_equal(pixels, before)


def test_texts_of_one_size_have_one_height() -> None:
    assert text_size("a", 13)[1] == text_size("Ag|", 13)[1] == text_size("(", 13)[1]


# The artist


def artist(rows: int = 1) -> Artist:
    volume = np.arange(960, dtype=np.int16).reshape(SHAPE)
    masks = np.zeros(SHAPE, np.uint8)
    masks[2:6, 2:8, 2:9] = 1
    masks[3:5, 3:6, 3:7] = 2
    overlays = [(f"row {row}", [Layer(masks, GRID)]) for row in range(rows)]
    return Artist(volume, GRID, overlays, [RED, GREEN])


LOOK = Look((4, 5, 6), (0.0, 960.0), focus=MIDDLE)


def test_the_jpeg_is_the_picture() -> None:
    drawn, one = artist().draw(LOOK), artist()
    picture = Image.open(io.BytesIO(one.jpeg(LOOK)))
    assert (picture.format, picture.size) == (
        "JPEG",
        (one.sheet(LOOK).width, one.sheet(LOOK).height),
    )
    away = np.abs(np.asarray(picture).astype(int) - drawn[..., :3])
    assert away.mean() < 3


@pytest.mark.parametrize(
    "other",
    [
        Look((5, 5, 6), (0.0, 960.0), focus=MIDDLE),
        Look((4, 5, 6), (0.0, 500.0), focus=MIDDLE),
        Look((4, 5, 6), (0.0, 960.0), opacity=0.9, focus=MIDDLE),
        Look((4, 5, 6), (0.0, 960.0), outline=True, focus=MIDDLE),
        Look((4, 5, 6), (0.0, 960.0), hidden=frozenset({2}), focus=MIDDLE),
        Look((4, 5, 6), (0.0, 960.0), zoom=2.0, focus=MIDDLE),
        Look((4, 5, 6), (0.0, 960.0), active=0, focus=MIDDLE),
    ],
)
def test_whatever_changes_the_look_changes_the_picture_and_back(other: Look) -> None:
    one = artist()
    first = one.draw(LOOK)
    changed = one.draw(other)
    assert (changed != first).any()
    np.testing.assert_array_equal(changed, artist().draw(other))
    np.testing.assert_array_equal(one.draw(LOOK), first)


def test_the_crosshair_crosses_the_voxel_and_leaves_a_hole() -> None:
    one = Artist(np.zeros(SHAPE, np.uint8), GRID, [], [])
    pane = one.sheet(LOOK).panes[1]
    pixels, (x, y) = one.draw(LOOK), pane.pixel(LOOK.position)
    line, column = pane.top + y, pane.left + x
    assert pixels[line, pane.left + 30, 0] > 150
    assert pixels[pane.top + 40, column, 0] > 150
    assert pixels[line, column, :3].tolist() == [0, 0, 0]


def test_the_active_plane_has_a_bright_edge() -> None:
    one = artist()
    axial, coronal, _ = one.sheet(LOOK).panes
    pixels = one.draw(LOOK)
    assert tuple(pixels[axial.top - 1, axial.left, :3]) == ACTIVE
    assert tuple(pixels[coronal.top - 1, coronal.left, :3]) == (70, 74, 80)
    assert tuple(pixels[0, 0, :3]) == BACKGROUND


def test_two_overlays_make_two_rows_over_the_same_greys() -> None:
    one = artist(rows=2)
    upper, lower = one.sheet(LOOK).panes[0], one.sheet(LOOK).panes[3]
    pixels = one.draw(LOOK)
    parts = [
        pixels[pane.top : pane.top + pane.height, pane.left : pane.left + pane.width]
        for pane in (upper, lower)
    ]
    np.testing.assert_array_equal(*parts)


def test_a_crosshair_outside_of_a_magnified_pane_is_not_drawn() -> None:
    one = Artist(np.zeros(SHAPE, np.uint8), GRID, [], [])
    look = Look((0, 0, 0), (0.0, 1.0), zoom=4.0, focus=(7.0, 9.0, 11.0))
    pane = one.sheet(look).panes[0]
    part = one.draw(look)[pane.top + 60 : pane.top + 80, pane.left + 30 : pane.left + 70, :3]
    assert not part.any()
