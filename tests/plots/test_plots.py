"""Pictures: where colours, letters, numbers and names are in them."""

from __future__ import annotations

import base64
import io
import itertools
import json
import re
import subprocess
import sys
from html import escape

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.text import Annotation
from PIL import Image

import nifti_kit as nk
from nifti_kit import plots
from nifti_kit.core.geometry import Grid, Orientation
from nifti_kit.errors import NiftiKitError
from nifti_kit.plots import Mask, three_planes
from nifti_kit.plots.figure import noticed
from tests.support.builders import AFFINE, SAMPLES, SHAPE, labels, volume, write_nifti
from tests.support.landings import write_scored_planes

RED, BLUE = (255, 0, 0), (40, 80, 255)
GRID = Grid((8, 10, 6), np.array([[2.0, 0, 0, -9], [0, 3.0, 0, 4], [0, 0, 5.0, 7], [0, 0, 0, 1]]))
WINDOW = (100, 200)
GREY = np.full(GRID.shape, 80, dtype=np.int16)
"""Drawn with WINDOW, every pixel without a mask is 0.4 of white."""

BLOCK = (slice(4, 7), slice(1, 5), slice(2, 6))
"""Not in the middle of any axis: a picture that is reversed shows it elsewhere."""

PLANES = {"Sagittal": (0, 1, 2), "Coronal": (1, 0, 2), "Axial": (2, 0, 1)}
"""The RAS+ axes: normal, the one drawn to the left, the one drawn upward."""

SAMPLE_ITEMS = {"by_volume": 3, "by_plane_semantic": 3, "by_plane_instance": 3, "multi_item": 9}


def block(name="tumour", color=RED, box=BLOCK, grid=GRID):
    inside = np.zeros(grid.shape, dtype=np.uint8)
    inside[box] = 1
    return Mask(name, color, inside, grid)


def axes_of(figure):
    return {axes.get_title().split(",")[0]: axes for axes in figure.axes}


def images_of(figure):
    return {name: axes.get_images()[0].get_array() for name, axes in axes_of(figure).items()}


def rendered(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3] / 255


def pixel(figure, plane, voxel):
    """The rendered colour at a voxel's centre: found by counting from the picture's edges."""
    drawn = rendered(figure)
    _, across, up = PLANES[plane]
    box = axes_of(figure)[plane].get_window_extent()
    x = box.x1 - box.width * (voxel[across] + 0.5) / GRID.shape[across]
    y = box.y0 + box.height * (voxel[up] + 0.5) / GRID.shape[up]
    return drawn[drawn.shape[0] - 1 - int(y), int(x)]


def legend_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def footer_of(figure):
    return figure.texts[-1].get_text()


def stored_as(array, grid, axes, flips):
    """The same image, stored in another order of axes."""
    orientation = Orientation(axes, flips)
    return orientation.apply(array), grid.reoriented(orientation)


def turned(degrees):
    angle = np.radians(degrees)
    rotation = np.eye(4)
    rotation[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return Grid(GRID.shape, rotation @ GRID.affine)


FLIPS = [(False, False, False), (True, False, False), (False, True, True), (True, True, True)]


# Where things are


@pytest.mark.parametrize("plane", PLANES)
def test_a_mask_has_its_colour_where_its_voxels_are(plane):
    centre = (5, 3, 3)
    figure = three_planes(GREY, GRID, [block()], at=centre, window=WINDOW)
    _, across, up = PLANES[plane]
    inside, outside = np.array(centre), np.array(centre)
    inside[[across, up]] = [BLOCK[across].start, BLOCK[up].stop - 1]
    outside[[across, up]] = [BLOCK[across].start - 1, BLOCK[up].start - 1]
    assert pixel(figure, plane, inside) == pytest.approx([0.6 * 0.4 + 0.4, 0.24, 0.24], abs=0.02)
    assert pixel(figure, plane, outside) == pytest.approx([0.4, 0.4, 0.4], abs=0.02)


@pytest.mark.parametrize("plane", PLANES)
def test_grey_values_are_where_their_voxels_are(plane):
    array = GREY.copy()
    array[1, 8, 4] = 200
    figure = three_planes(array, GRID, at=(1, 8, 4), window=WINDOW)
    shown = images_of(figure)[plane][..., 0]
    _, across, up = PLANES[plane]
    row, column = np.argwhere(shown == 255)[0]
    assert np.count_nonzero(shown == 255) == 1
    assert row == (1, 8, 4)[up]
    assert column == GRID.shape[across] - 1 - (1, 8, 4)[across]


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))), ids=str)
def test_the_order_in_which_files_are_stored_changes_nothing(axes):
    ramp = volume(GRID.shape)
    second = block("cyst", BLUE, (slice(0, 3), slice(3, 9), slice(1, 3)))
    expected = three_planes(ramp, GRID, [block(), second])
    for flips in FLIPS:
        masks = [
            Mask(mask.name, mask.color, *stored_as(mask.inside, mask.grid, axes, flips))
            for mask in (block(), second)
        ]
        figure = three_planes(*stored_as(ramp, GRID, axes, flips), masks)
        assert figure.description == expected.description
        for plane, image in images_of(figure).items():
            assert np.array_equal(image, images_of(expected)[plane])


def test_a_mask_on_another_grid_is_drawn_where_its_affine_puts_it():
    moved = Grid(GRID.shape, GRID.affine + np.array([[0, 0, 0, -4.0], *np.zeros((3, 4))]))
    figure = three_planes(GREY, GRID, [block(grid=moved)], at=(4, 4, 2), window=WINDOW)
    same = three_planes(
        GREY, GRID, [block(box=(slice(2, 5), *BLOCK[1:]))], at=(4, 4, 2), window=WINDOW
    )
    for plane, image in images_of(figure).items():
        assert np.array_equal(image, images_of(same)[plane])


def test_a_finer_mask_covers_the_same_place():
    finer = GRID.affine @ np.diag([0.5, 0.5, 0.5, 1.0])
    finer[:3, 3] = GRID.world([-0.25, -0.25, -0.25])
    inside = block().inside.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    fine = Mask("tumour", RED, inside, Grid(inside.shape, finer))
    figure = three_planes(GREY, GRID, [fine], at=(4, 4, 2), window=WINDOW)
    same = three_planes(GREY, GRID, [block()], at=(4, 4, 2), window=WINDOW)
    for plane, image in images_of(figure).items():
        assert np.array_equal(image, images_of(same)[plane])


def test_the_outline_runs_along_the_edges_of_the_voxels():
    one = block(box=(slice(4, 5), slice(4, 5), slice(2, 3)))
    axes = axes_of(three_planes(GREY, GRID, [one]))["Axial"]
    lines = [found for found in axes.collections if isinstance(found, LineCollection)]
    corners = {tuple(point) for line in lines[-1].get_segments() for point in line}
    # Voxel 4 of 8 along R begins 3 voxels of 2 mm from the left, 4 along A 4 voxels of 3 mm up.
    assert corners == {(6.0, 12.0), (8.0, 12.0), (6.0, 15.0), (8.0, 15.0)}
    assert tuple(lines[-1].get_colors()[0][:3]) == (1, 0, 0)


@pytest.mark.parametrize(
    ("plane", "expected"),
    [("Sagittal", "APSI"), ("Coronal", "RLSI"), ("Axial", "RLAP")],
)
def test_letters_at_the_edges_say_left_right_top_and_bottom(plane, expected):
    found = {
        note.xy: note.get_text()
        for note in axes_of(three_planes(GREY, GRID))[plane].texts
        if isinstance(note, Annotation) and note.xycoords == "axes fraction"
    }
    assert found == dict(zip([(0, 0.5), (1, 0.5), (0.5, 1), (0.5, 0)], expected, strict=True))


@pytest.mark.parametrize(
    "shape",
    [(8, 10, 6), (117, 87, 37), (60, 60, 2), (3, 50, 50), (40, 2, 90), (1, 1, 1)],
    ids=str,
)
def test_pictures_have_true_proportions_and_one_scale(shape):
    grid = Grid(shape, GRID.affine)
    figure = three_planes(np.zeros(shape), grid, at=(0, 0, 0))
    inches = figure.dpi_scale_trans.inverted()
    scales = []
    for plane, axes in axes_of(figure).items():
        _, across, up = PLANES[plane]
        mm = shape[across] * grid.voxel_size[across], shape[up] * grid.voxel_size[up]
        box = axes.get_window_extent().transformed(inches)
        assert axes.get_images()[0].get_extent() == [0, mm[0], 0, mm[1]]
        scales += [box.width / mm[0], box.height / mm[1]]
    assert scales == pytest.approx([scales[0]] * 6)


def test_pictures_stand_in_line_with_what_they_share():
    axes = axes_of(three_planes(GREY, GRID))
    coronal, sagittal, axial = (
        axes[plane].get_position() for plane in ("Coronal", "Sagittal", "Axial")
    )
    assert (coronal.x0, coronal.x1) == (axial.x0, axial.x1)
    assert (coronal.y0, coronal.y1) == pytest.approx((sagittal.y0, sagittal.y1))


# Which slices


def test_captions_give_index_and_millimetres():
    figure = three_planes(GREY, GRID, at=(2, 0, 5))
    assert [axes.get_title() for axes in axes_of(figure).values()] == [
        "Coronal, A 4.0 mm\nslice 0 (0 to 9)",
        "Sagittal, L 5.0 mm\nslice 2 (0 to 7)",
        "Axial, S 32.0 mm\nslice 5 (0 to 5)",
    ]


def test_dashed_lines_show_where_the_other_slices_cut():
    lines = axes_of(three_planes(GREY, GRID, at=(2, 0, 5)))["Axial"].lines
    # Slice 2 of 8 along R is 5.5 voxels of 2 mm from the left, slice 0 along A half of 3 mm up.
    assert [lines[0].get_xdata()[0], lines[1].get_ydata()[0]] == [11.0, 1.5]


def test_without_masks_the_middle_is_shown():
    figure = three_planes(GREY, GRID)
    assert "sagittal slice 4 (0 to 7)" in figure.description
    assert "0 classes" in figure.description
    assert not figure.legends


def test_the_default_position_lies_in_a_mask():
    figure = three_planes(GREY, GRID, [block()])
    found = [int(part.split()[0]) for part in figure.description.split("slice ")[1:]]
    assert block().inside[tuple(found)]


@pytest.mark.parametrize("voxel", [(0, 0, 0), (7, 9, 5)])
def test_a_mask_in_the_corner_is_found(voxel):
    figure = three_planes(GREY, GRID, [block(box=voxel)])
    assert f"sagittal slice {voxel[0]} " in figure.description
    assert f"coronal slice {voxel[1]} " in figure.description
    assert f"axial slice {voxel[2]} " in figure.description
    assert legend_of(figure) == ["1  tumour, 1 voxel"]


def test_the_default_position_shows_classes_that_one_slice_could_not():
    first = block("first", RED, (slice(0, 2), slice(0, 2), slice(0, 6)))
    second = block("second", BLUE, (slice(6, 8), slice(8, 10), slice(5, 6)))
    figure = three_planes(GREY, GRID, [first, second])
    assert "axial slice 5 " in figure.description
    assert "faint" not in footer_of(figure)


def test_some_slices_may_be_chosen_and_others_not():
    figure = three_planes(GREY, GRID, [block()], at=(None, None, 0))
    assert "axial slice 0 " in figure.description
    assert "sagittal slice 5 " in figure.description


@pytest.mark.parametrize("at", [(8, 0, 0), (0, -1, 0), (0, 0), (0, 0, 0, 0)])
def test_a_slice_that_is_not_there_is_refused(at):
    with pytest.raises(NiftiKitError, match=r"no such slice.*below \(8, 10, 6\)"):
        three_planes(GREY, GRID, at=at)


def test_arrays_must_have_the_shape_of_their_grid():
    with pytest.raises(NiftiKitError, match=r"the volume has another shape.*\(8, 10, 5\)"):
        three_planes(GREY[..., :5], GRID)
    with pytest.raises(NiftiKitError, match="the mask of 'tumour' has another shape"):
        three_planes(GREY, GRID, [Mask("tumour", RED, GREY[:3], GRID)])


# Grey values


def test_a_window_is_centre_and_width():
    figure = three_planes(GREY, GRID, window=(60, 80))
    assert "grey values 20 to 100" in footer_of(figure)
    assert images_of(figure)["Axial"][0, 0].tolist() == [191, 191, 191]


def test_the_default_window_leaves_out_single_hot_voxels():
    array = np.random.default_rng(1).uniform(0, 100, (30, 30, 30))
    array[3, 4, 5] = 1e6
    shown = footer_of(three_planes(array, Grid(array.shape, np.eye(4))))
    low, high = (float(part) for part in shown.split("grey values ")[1].split()[:3:2])
    assert (low, high) == pytest.approx((1, 99), abs=0.5)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (GREY, "grey values 80 to 81"),
        (np.where(block().inside, 5, 0), "grey values 0 to 5"),
        (np.full(GRID.shape, np.nan), "grey values 0 to 1"),
        (np.where(block().inside, np.nan, 7.0), "grey values 7 to 8"),
        (np.where(block(box=(0, 0, 0)).inside, 9, 2), "grey values 2 to 9"),
    ],
    ids=["constant", "two values", "all NaN", "NaN", "one voxel"],
)
def test_images_without_contrast_are_drawn(array, expected):
    figure = three_planes(array, GRID)
    assert expected in footer_of(figure)
    assert np.isfinite(rendered(figure)).all()


@pytest.mark.parametrize("window", [(40, 0), (40, -1), (40, float("nan"))])
def test_a_window_without_width_is_refused(window):
    with pytest.raises(NiftiKitError, match="needs a width"):
        three_planes(GREY, GRID, window=window)


# Words


def test_the_legend_names_classes_objects_and_voxels():
    masks = [block("rib"), block("aorta", BLUE), block("rib", RED, (0, slice(0, 2), 0))]
    figure = three_planes(GREY, GRID, masks)
    assert legend_of(figure) == ["1  rib, 2 objects, 50 voxels", "2  aorta, 48 voxels"]
    colors = [patch.get_facecolor()[:3] for patch in figure.legends[0].get_patches()]
    assert colors == [(1, 0, 0), pytest.approx(np.array(BLUE) / 255)]


def test_numbers_in_the_pictures_are_those_of_the_legend():
    masks = [block("first"), block("second", BLUE, (slice(0, 3), slice(6, 9), slice(0, 3)))]
    figure = three_planes(GREY, GRID, masks, at=(1, 3, 3))
    numbers = {
        plane: [note.get_text() for note in axes.texts if note.get_text().isdigit()]
        for plane, axes in axes_of(figure).items()
    }
    assert numbers == {"Coronal": ["1"], "Sagittal": ["2"], "Axial": ["1"]}


def test_a_number_stands_beside_a_section_that_is_too_thin():
    wide = Grid((200, 200, 20), np.eye(4))
    thin = block(box=(slice(50, 51), slice(40, 160), slice(5, 15)), grid=wide)
    notes = axes_of(three_planes(np.zeros(wide.shape), wide, [thin]))["Axial"].texts
    assert [note.xyann for note in notes if note.get_text() == "1"] == [(-9, 9)]


def test_classes_on_other_slices_are_faint_and_hollow():
    masks = [block("seen"), block("elsewhere", BLUE, (0, 9, 0))]
    figure = three_planes(GREY, GRID, masks, at=(5, 3, 3))
    seen, elsewhere = figure.legends[0].get_texts()
    assert seen.get_color() != elsewhere.get_color()
    assert [patch.get_facecolor()[3] > 0 for patch in figure.legends[0].get_patches()] == [
        True,
        False,
    ]
    assert "faint: not on these slices" in footer_of(figure)


def test_a_mask_that_lies_outside_is_said_to():
    away = Grid(GRID.shape, GRID.affine + np.array([[0, 0, 0, 900.0], *np.zeros((3, 4))]))
    figure = three_planes(GREY, GRID, [block(grid=away)])
    assert legend_of(figure) == ["1  tumour, 48 voxels, outside the volume"]


@pytest.mark.parametrize("shape", [GRID.shape, (0, 0, 0)], ids=str)
def test_an_empty_mask_is_in_the_legend(shape):
    empty = Mask("nothing", RED, np.zeros(shape), Grid(shape, GRID.affine))
    assert legend_of(three_planes(GREY, GRID, [empty])) == ["1  nothing, 0 voxels"]


def forty(name="class {}", box=BLOCK):
    return [block(name.format(n), (6 * n, 255 - 6 * n, 128), box) for n in range(40)]


def test_a_long_legend_is_cut_and_says_so():
    masks = [block("elsewhere", BLUE, (0, 9, 0)), *forty()]
    found = legend_of(three_planes(GREY, GRID, masks, at=(5, 3, 3)))
    assert len(found) == 30
    assert found[0] == "\N{FIGURE SPACE}2  class 0, 48 voxels"
    assert found[-1] == "and 12 more classes"


@pytest.mark.parametrize("shape", [(8, 10, 6), (90, 80, 3), (5, 5, 90), (200, 2, 3)], ids=str)
@pytest.mark.parametrize("name", ["class {}", "W" * 60 + "{}", "t" * 60 + "{}"])
def test_everything_that_is_written_is_on_the_sheet(shape, name):
    grid = Grid(shape, turned(3).affine)
    whole = (slice(None),) * 3
    masks = [Mask(m.name, m.color, np.ones(shape), grid) for m in forty(name, whole)]
    figure = three_planes(np.zeros(shape), grid, masks, title=name * 5)
    written = [figure.legends[0], *figure.texts]
    written += [text for axes in figure.axes for text in (axes.title, *axes.texts)]
    for dpi in (100, 144):
        figure.set_dpi(dpi)
        figure.draw_without_rendering()  # what is written finds its place; no pixel is needed
        sheet = figure.bbox
        for box in (text.get_window_extent() for text in written):
            assert sheet.x0 <= box.x0 < box.x1 <= sheet.x1
            assert sheet.y0 <= box.y0 < box.y1 <= sheet.y1


def test_the_legend_covers_no_picture():
    figure = three_planes(GREY, GRID, forty())
    rendered(figure)
    legend = figure.legends[0].get_window_extent()
    assert not [axes for axes in figure.axes if axes.get_window_extent().overlaps(legend)]


@pytest.mark.parametrize("name", ["cost$^$", "_hidden", "<b>x</b>", r"\frac{", "a\nb\tc", "%s {0}"])
def test_names_are_written_as_they_are(name):
    figure = three_planes(GREY, GRID, [block(name)], title=name)
    plain = " ".join(name.split())
    rendered(figure)
    assert legend_of(figure) == [f"1  {plain}, 48 voxels"]
    assert figure.texts[0].get_text() == plain


def test_long_names_keep_their_ends():
    name = "left_" + "very_" * 20 + "inferior"
    (found,) = legend_of(three_planes(GREY, GRID, [block(name)]))
    assert found.startswith("1  left_very")
    assert "…" in found
    assert "inferior, 48 voxels" in found


def test_an_oblique_volume_is_said_to_be():
    figure = three_planes(GREY, turned(11), [block(grid=turned(11))], at=(4, 4, 2), window=WINDOW)
    straight = three_planes(GREY, GRID, [block()], at=(4, 4, 2), window=WINDOW)
    assert "oblique by 11.0 degrees" in footer_of(figure)
    assert "oblique" not in footer_of(straight)
    for plane, image in images_of(figure).items():
        assert np.array_equal(image, images_of(straight)[plane])


def test_the_position_of_an_oblique_slice_is_that_of_the_cross():
    figure = three_planes(GREY, turned(11), at=(4, 4, 2))
    mm = turned(11).world([4, 4, 2])
    assert axes_of(figure)["Sagittal"].get_title().startswith(f"Sagittal, L {-mm[0]:.1f} mm")
    assert axes_of(figure)["Coronal"].get_title().startswith(f"Coronal, A {mm[1]:.1f} mm")


# How it is shown


def test_a_notebook_shows_it_once_as_an_image_with_a_text_beside():
    from IPython.core.formatters import DisplayFormatter

    figure = three_planes(GREY, GRID, title="a & b")
    data, metadata = DisplayFormatter().format(figure)
    assert sorted(data) == ["text/html", "text/plain"]
    assert f"alt='{escape(figure.description, quote=True)}'" in data["text/html"]
    assert f"width='{round(96 * figure.get_size_inches()[0])}'" in data["text/html"]
    assert data["text/plain"] == f"<Picture: {figure.description}>" == str(figure)
    assert metadata == {}


def test_a_notebook_gets_every_dot_of_it_in_less_than_half_of_a_png():
    figure = three_planes(GREY, GRID, [block()])
    said = figure._repr_mimebundle_()["text/html"]
    packed = base64.b64decode(re.search("data:image/webp;base64,([^']+)", said)[1])
    shown, drawn = (Image.open(io.BytesIO(file)).convert("RGB") for file in (packed, figure.png()))
    assert np.array_equal(shown, drawn)
    assert len(packed) < len(figure.png()) / 2


def test_it_can_be_saved(tmp_path):
    three_planes(GREY, GRID).savefig(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_settings_of_a_notebook_do_not_move_it():
    expected = three_planes(GREY, GRID, [block()]).png()
    settings = {"savefig.bbox": "tight", "figure.autolayout": True, "axes.grid": True}
    with mpl.rc_context({**settings, "image.origin": "upper", "image.cmap": "jet"}):
        assert three_planes(GREY, GRID, [block()]).png() == expected


def test_pyplot_is_never_imported():
    script = (
        "import sys, numpy as np\n"
        "from nifti_kit import plots\n"
        "from nifti_kit.core.geometry import Grid\n"
        "plots.three_planes(np.zeros((2, 3, 4)), Grid((2, 3, 4), np.eye(4))).png()\n"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


# From plans and targets


@pytest.fixture
def chest(tmp_path):
    """A plan, and the target that it landed on."""
    plan = nk.plan(nk.scan(SAMPLES / "by_plane_semantic"))
    target = nk.ProjectFolder(tmp_path / "project", dataset="chest")
    nk.upload(plan, target, on_progress=str)
    return plan, target


@pytest.mark.parametrize("sample", SAMPLE_ITEMS)
def test_what_landed_looks_like_what_was_planned(sample, tmp_path):
    plan = nk.plan(nk.scan(SAMPLES / sample))
    target = nk.ProjectFolder(tmp_path / "project", dataset="all")
    receipt = nk.upload(plan, target, on_progress=str)
    assert len(receipt.items) == SAMPLE_ITEMS[sample]
    for at, item in enumerate(receipt.items):
        before, after = plots.planned(plan, at), plots.landed(target, item.volume)
        assert before.description.split(";")[1:] == after.description.split(";")[1:]
        for plane, image in images_of(before).items():
            assert np.array_equal(image, images_of(after)[plane])
        if item.objects:
            assert legend_of(before) == legend_of(after)


def test_an_item_is_found_by_place_name_or_itself(chest):
    plan, _ = chest
    expected = plots.planned(plan, plan.items[1]).description
    assert expected.startswith("cor_anatomic.nrrd as planned, from cor_anatomic.nii.gz; ")
    assert plots.planned(plan, 1).description == expected
    assert plots.planned(plan, "cor_anatomic.nrrd").description == expected


def test_a_volume_is_found_by_id_name_or_itself(chest):
    _, target = chest
    ref = target.volumes()[1]
    expected = plots.landed(target, ref).description
    assert expected.startswith(
        f"{ref.name} as landed, read back from dataset chest, volume {ref.id}"
    )
    assert plots.landed(target, ref.id).description == expected
    assert plots.landed(target, ref.name).description == expected


@pytest.mark.parametrize("item", [3, -1, "cor_anatomic"])
def test_an_unknown_item_is_named_with_those_there_are(chest, item):
    with pytest.raises(NiftiKitError, match=r"no such item.*1 \(cor_anatomic.nrrd\)"):
        plots.planned(chest[0], item)


def test_an_unknown_volume_is_named_with_those_there_are(chest):
    with pytest.raises(NiftiKitError, match=r"no volumes.*2 \(chest/cor_anatomic.nrrd\)"):
        plots.landed(chest[1], 99)


def test_two_volumes_of_one_name_need_an_id(chest, tmp_path):
    plan, _ = chest
    nk.upload(plan, nk.ProjectFolder(tmp_path / "project", dataset="other"), on_progress=str)
    project = nk.ProjectFolder(tmp_path / "project")
    with pytest.raises(NiftiKitError, match=r"2 volumes.*Give the id"):
        plots.landed(project, "cor_anatomic.nrrd")
    assert "dataset other" in plots.landed(project, project.volumes()[-1].id).description


def test_an_empty_target_says_so(tmp_path):
    with pytest.raises(NiftiKitError, match="nothing, for there is none"):
        plots.landed(nk.ProjectFolder(tmp_path / "none", dataset="x"), 1)


@pytest.mark.parametrize("sample", ["annotations_dataset", "annotations_project"])
def test_annotations_alone_are_drawn_on_their_own_grid_and_say_so(sample):
    plan = nk.plan(nk.scan(SAMPLES / sample))
    for at, item in enumerate(plan.items):
        figure = plots.planned(plan, at)
        title = f"{item.name} as planned; the volume {item.volume_id} is on the target"
        assert figure.description.startswith(f"{title}; sagittal slice ")
        assert figure.description.endswith("; no image: the masks alone, on their own grid")
        shape = item.objects[0].mask.grid.to_ras().shape
        assert f"{' x '.join(map(str, shape))} voxels" in footer_of(figure)
        assert "no image: the masks alone, on their own grid" in footer_of(figure)
        assert "grey values" not in footer_of(figure)
        assert [line.split()[1].rstrip(",") for line in legend_of(figure)] == list(
            dict.fromkeys(planned.class_name for planned in item.objects)
        )


def test_where_no_mask_is_a_figure_without_an_image_is_black(tmp_path):
    write_nifti(tmp_path / "axl_mask.nii", labels(values=(1,)))
    (tmp_path / "mapping.json").write_text('{"axl_mask.nii": 5}')
    i, j, k = map(int, np.argwhere(labels() == 1)[0])
    figure = plots.planned(nk.plan(nk.scan(tmp_path)), at=(i, j, k))
    there = three_planes(np.zeros(SHAPE), Grid(SHAPE, AFFINE), [], at=(i, j, k))
    inside = {"Sagittal": labels()[i], "Coronal": labels()[:, j], "Axial": labels()[:, :, k]}
    for plane, image in images_of(figure).items():
        assert np.array_equal(images_of(there)[plane], np.zeros(image.shape))
        mask = (inside[plane] == 1)[::-1].T
        assert np.array_equal(image.any(axis=2), mask)
        assert mask.any()


def scores_alone(folder, target, text="Layer,Label-1\n3,0.5\n4,0.25\n"):
    folder.mkdir()
    (folder / "axl_score.csv").write_text(text)
    dataset = nk.scan(folder, score_frames="ras")
    return nk.plan(dataset, mapping=nk.match(dataset, target.volumes()), target=target)


def said_in(figure):
    return [text.get_text() for text in figure.texts]


@pytest.fixture
def scored(tmp_path):
    """A project with scores: of the femur on axial slice 2, of the tibia on 2 and 4."""
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    nk.upload(nk.plan(nk.scan(write_scored_planes(tmp_path / "in"))), target, on_progress=str)
    return target


def test_scores_alone_are_told_in_words(scored, tmp_path):
    plan = scores_alone(tmp_path / "scores", scored, "Layer,Label-2\n3,0.5\n4,0.25\n")
    figure = plots.planned(plan)
    (update,) = plan.updates
    assert said_in(figure) == [
        f"axl_score.nrrd: scores alone; the volume {update.volume_id} is on the target",
        f"Tibia (object {update.object_id}): 2 scores on plane 0-0-1, 2 there <- axl_score.csv",
        "    slice 2: 0.90 -> 0.50",
        "    slice 3: nothing -> 0.25",
        "    slice 4: 0.70 there, not in the table",
    ]
    assert figure.description == "; ".join(text.strip() for text in said_in(figure))
    assert figure.png().startswith(b"\x89PNG")
    assert figure.axes == []


def test_masks_with_scores_for_another_object_say_both(scored, tmp_path):
    (number,) = (ref.id for ref in scored.volumes() if ref.name == "axl_anatomic.nrrd")
    write_nifti(tmp_path / "both" / "axl_mask.nii", labels(values=(7,)))
    (tmp_path / "both" / "x_axl_score.csv").write_text("Layer,Label-1\n3,0.5\n")
    names = ("axl_mask.nii", "x_axl_score.csv")
    (tmp_path / "both" / "mapping.json").write_text(json.dumps(dict.fromkeys(names, number)))
    plan = nk.plan(nk.scan(tmp_path / "both", score_frames="ras"), target=scored)
    assert (len(plan.items), len(plan.objects), len(plan.updates)) == (1, 1, 1)
    assert plots.planned(plan).description.startswith(
        f"axl_mask.nrrd as planned (and 1 score update); the volume {number} is on the target; sag"
    )


def test_a_mask_that_cannot_land_is_told_in_words(tmp_path):
    write_nifti(tmp_path / "axl_mask.nii", labels() * np.float32(0.5))
    (tmp_path / "mapping.json").write_text('{"axl_mask.nii": 5}')
    plan = nk.plan(nk.scan(tmp_path))
    assert [len(item.objects) for item in plan.items] == [0]
    assert said_in(plots.planned(plan)) == [
        "axl_mask.nrrd: no object lands; the volume 5 is on the target",
        "The findings say why.",
    ]


def test_a_plan_of_nothing_says_why(tmp_path):
    (tmp_path / "axl_score.csv").write_text("Layer,Label-1\n3,0.5\n")
    title, *lines = said_in(plots.planned(nk.plan(nk.scan(tmp_path, score_frames="ras"))))
    assert title == "Nothing is planned"
    assert lines[0].startswith("ERROR [")
    (tmp_path / "axl_score.csv").unlink()
    title, *lines = said_in(plots.planned(nk.plan(nk.scan(tmp_path), waive="source-empty")))
    assert title == "Nothing is planned"
    assert lines[0].startswith("ERROR [plan-empty]")


def test_a_long_notice_is_wrapped_and_counted():
    figure = noticed("a title " * 20, [f"line {number} " + "$x$ " * 30 for number in range(30)])
    shown = said_in(figure)
    assert len(shown) == 1 + 40
    assert shown[-1] == "and 21 more lines"
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    width, height = figure.bbox.width, figure.bbox.height
    for text in figure.texts:
        box = text.get_window_extent(canvas.get_renderer())
        assert 0 < box.x0 < box.x1 < width
        assert 0 < box.y0 < box.y1 < height


def test_a_blocked_plan_shows_where_the_mask_really_lies(tmp_path):
    write_nifti(tmp_path / "a.nii")
    moved = AFFINE + np.array([[0, 0, 0, 2.0], *np.zeros((3, 4))])
    write_nifti(tmp_path / "a" / "lung.nii", labels(), moved)
    plan = nk.plan(nk.scan(tmp_path))
    assert plan.blockers
    whole = tuple(slice(0, size) for size in SHAPE)
    there = Mask("lung", plan.classes[0].color, labels()[whole], Grid(SHAPE, moved))
    expected = three_planes(volume(), Grid(SHAPE, AFFINE), [there], at=(1, 1, 2))
    for plane, image in images_of(plots.planned(plan, at=(1, 1, 2))).items():
        assert np.array_equal(image, images_of(expected)[plane])
