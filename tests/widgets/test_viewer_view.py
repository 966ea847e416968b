"""The viewer's widgets: they show the model, and call it; the browser is tested elsewhere."""

from __future__ import annotations

import gzip
import io
import re
import sys
from typing import Any

import ipywidgets
import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from nifti_kit import widgets
from nifti_kit.core.geometry import Grid
from nifti_kit.render.scene import Mask
from nifti_kit.widgets.parts.views import FRONT, discard
from nifti_kit.widgets.viewer import model as models
from nifti_kit.widgets.viewer import view as views
from nifti_kit.widgets.viewer.loading import Named, Piece, RasImage, drawn
from nifti_kit.widgets.viewer.view import MOST_ROWS, Legend, Stage, volume_panel
from tests.support.builders import AFFINE, SHAPE, labels, volume

GRID = Grid(SHAPE, AFFINE)
MARKUP = "<img src=x onerror=alert(1)>"


def model(*names: str, **choices: Any) -> models.ViewerModel:
    masks = []
    for at, name in enumerate(names):
        inside = np.zeros(SHAPE, np.uint8)
        inside[at % SHAPE[0], 1:4, 2:5] = 1
        masks.append(Mask(name, (200, 10 * at % 256, 30), inside, GRID))
    return models.ViewerModel.of_arrays(volume(), GRID, masks, **choices)


@pytest.fixture
def shown() -> models.ViewerModel:
    found = model("liver", "spleen")
    found.position = (2, 2, 2)
    return found


def part(view: Any, name: str) -> Any:
    """Return the part of a view with a CSS class."""
    found = [one for one in parts(view) if name in getattr(one, "_dom_classes", ())]
    assert len(found) == 1, name
    return found[0]


def parts(view: Any) -> list[Any]:
    return [view, *(one for child in getattr(view, "children", ()) for one in parts(child))]


def told(widget: Any, **content: Any) -> None:
    """Pass on a message as the browser sends it."""
    widget._handle_custom_msg(content, [])


# The stage


def test_the_stage_shows_the_models_picture_and_words(shown: models.ViewerModel) -> None:
    stage = Stage(shown)
    assert stage.frame == shown.jpeg()
    assert (stage.description, stage.reading) == (shown.description, shown.reading.text)
    assert [pane["plane"] for pane in stage.panes] == ["axl", "cor", "sag"]
    picture = Image.open(io.BytesIO(stage.frame))
    assert all(pane["left"] + pane["width"] <= picture.width for pane in stage.panes)


@pytest.mark.parametrize(
    ("content", "name", "value"),
    [
        ({"step": ["axl", -1]}, "position", (2, 2, 1)),
        ({"nudge": [-1, 1]}, "position", (3, 3, 2)),
        ({"active": "sag"}, "active", "sag"),
        ({"magnify": [1.25]}, "zoom", 1.25),
        ({"turn": []}, "arrangement", "beside"),
        ({"advance": [3]}, "position", (2, 2, 5)),
    ],
)
def test_each_message_is_one_call_of_the_model(
    shown: models.ViewerModel, content: dict, name: str, value: Any
) -> None:
    stage = Stage(shown)
    before = stage.frame
    told(stage, number=7, **content)
    assert getattr(shown, name) == value
    assert (stage.answered, stage.frame != before) == (7, True)


def test_a_click_with_alt_hides_what_is_there_and_space_drags_the_image(
    shown: models.ViewerModel,
) -> None:
    stage = Stage(shown)
    shown.position = (0, 2, 3)
    sagittal = shown.sheet.panes[2]
    x, y = sagittal.pixel(shown.position)
    at = [sagittal.left + x, sagittal.top + y]
    told(stage, number=1, toggleAt=at)
    assert (shown.hidden, "liver (hidden)" in stage.reading) == ({"liver"}, True)
    told(stage, number=2, toggle=[])
    assert shown.hidden == frozenset()
    told(stage, number=3, zoom=[4.0, *at])
    before = shown.focus
    assert shown.zoom == 4.0
    told(stage, number=4, pan=[5, 0, "sag"])
    assert shown.focus[1] > before[1]
    told(stage, number=5, reset=[])
    assert (shown.zoom, stage.answered) == (1.0, 5)


def test_the_zoom_that_a_slider_rounds_stays_where_the_pointer_is(
    shown: models.ViewerModel,
) -> None:
    view = widgets.Viewer(shown)
    axial = shown.sheet.panes[0]
    shown.zoom_at(2.44, axial.left + 1, axial.top + 1)
    before = (shown.zoom, shown.focus)
    part(view, "nk-viewer-zoom").value = 2**1.25  # as the browser answers
    assert (shown.zoom, shown.focus) == before
    part(view, "nk-viewer-zoom").value = 2**1.5
    assert shown.zoom == 2**1.5


def test_a_picture_is_saved_and_a_folder_that_is_a_file_is_told(
    shown: models.ViewerModel, tmp_path
) -> None:
    view = widgets.Viewer(shown)
    folder = next(one for one in parts(view) if getattr(one, "description", "") == "Folder")
    folder.value = str(tmp_path / "pictures")
    part(view, "nk-viewer-snapshot").click()
    (path,) = (tmp_path / "pictures").iterdir()
    assert str(path) in part(view, "nk-viewer-saved").value
    folder.value = str(path)
    part(view, "nk-viewer-snapshot").click()
    assert "the picture cannot be saved here" in part(view, "nk-viewer-saved").value


def test_a_drag_with_shift_changes_the_window(shown: models.ViewerModel) -> None:
    stage = Stage(shown)
    shown.window = (100.0, 600.0)
    told(stage, number=1, window=[10, 5])
    assert shown.window == (90.0, 620.0)


def test_the_pointer_is_read_without_a_new_picture(shown: models.ViewerModel) -> None:
    stage = Stage(shown)
    before, coronal = stage.frame, shown.sheet.panes[1]
    told(stage, number=1, hover=[coronal.left + 1, coronal.top + 1])
    assert (shown.hovered, stage.frame is before) == ((4, 2, 6), True)
    assert stage.reading == shown.reading.text
    told(stage, number=2, hover=None)
    assert (shown.hovered, stage.answered) == (None, 2)


def test_a_slider_moves_the_reading_under_the_pointer_too(shown: models.ViewerModel) -> None:
    view = widgets.Viewer(shown)
    axial = shown.sheet.panes[0]
    told(view.stage, number=1, hover=[axial.left + 1, axial.top + 1])
    before = view.stage.reading
    part(view, "nk-slice-axl").value = 5
    assert shown.hovered[2] == 5
    assert view.stage.reading == shown.reading.text != before


def test_what_comes_together_is_one_picture(shown: models.ViewerModel) -> None:
    stage, frames = Stage(shown), []
    stage.observe(lambda change: frames.append(change["new"]), "frame")
    axial = shown.sheet.panes[0]
    told(stage, number=9, pick=[axial.left, axial.top, "axl"], window=[5, 5], step=["cor", -1])
    assert shown.position == (4, 4, 2)
    assert len(frames) == 1


def test_a_click_moves_slice_and_plane_in_one_picture(shown: models.ViewerModel) -> None:
    stage, frames = Stage(shown), []
    stage.observe(lambda change: frames.append(change["new"]), "frame")
    shown.go("sag", 0)
    assert (len(frames), stage.active) == (1, "sag")


def test_a_message_that_fails_is_answered_all_the_same(shown: models.ViewerModel) -> None:
    stage = Stage(shown)
    with pytest.raises(KeyError):
        stage._received(stage, {"number": 3, "step": ["oblique", 1]}, [])
    assert stage.answered == 3


# The legend


def test_the_legend_lists_names_letters_colours_and_voxels(shown: models.ViewerModel) -> None:
    shown.show("spleen", on=False)
    legend = Legend(shown)
    assert legend.rows == [
        {"name": "liver", "color": [200, 0, 30], "mark": "B", "voxels": "9 voxels", "shown": True},
        {
            "name": "spleen",
            "color": [200, 10, 30],
            "mark": "C",
            "voxels": "9 voxels",
            "shown": False,
        },
    ]
    assert legend.count == "1 of 2 classes shown"


@pytest.mark.parametrize(
    ("content", "hidden"),
    [
        ({"show": "liver", "on": False}, {"liver"}),
        ({"only": "liver"}, {"spleen"}),
        ({"none": True}, {"liver", "spleen"}),
        ({"all": True}, set()),
        ({"find": "liver"}, set()),
    ],
)
def test_each_button_of_the_legend_is_one_call(
    shown: models.ViewerModel, content: dict, hidden: set
) -> None:
    legend = Legend(shown)
    told(legend, **content)
    assert shown.hidden == hidden
    assert [row["name"] for row in legend.rows if not row["shown"]] == sorted(hidden)


def test_a_search_lists_what_it_finds(shown: models.ViewerModel) -> None:
    legend = Legend(shown)
    told(legend, search="SPL")
    assert [row["name"] for row in legend.rows] == ["spleen"]
    assert (shown.search, legend.count) == ("SPL", "2 of 2 classes shown, 1 found")


def test_very_many_classes_are_listed_in_part() -> None:
    legend = Legend(model(*(f"class {n}" for n in range(MOST_ROWS + 5))))
    assert len(legend.rows) == MOST_ROWS
    assert legend.count == "305 of 305 classes shown, 300 listed"


# The whole view


def test_sliders_move_the_model_and_follow_it(shown: models.ViewerModel) -> None:
    view = widgets.Viewer(shown)
    slider = part(view, "nk-slice-cor")
    slider.value = 5
    assert (shown.position, shown.active) == ((2, 5, 2), "cor")
    shown.step("cor", -2)
    assert (slider.value, slider.min, slider.max) == (3, 0, 5)
    ends = [part(view, f"nk-slice-{code}").description for code in ("axl", "cor", "sag")]
    assert ends == ["Axial  I", "Coronal  P", "Sagittal  L"]
    labels = [one.value for one in parts(view) if isinstance(one, ipywidgets.Label)]
    assert labels == ["S", "A", "R", "Masks", "Shown"]


def test_window_masks_and_zoom_move_the_model_and_follow_it(shown: models.ViewerModel) -> None:
    view = widgets.Viewer(shown)
    preset, centre, width = (part(view, f"nk-viewer-{n}") for n in ("window", "centre", "width"))
    preset.value = "CT bone"
    assert (centre.value, width.value) == (400, 1800)
    centre.value = 300
    width.value = 0
    assert (shown.window, preset.value) == ((300, 1800), "Custom")
    width.value = 500
    assert shown.window == (300, 500)
    for name, value in (("opacity", 0.75), ("mode", "outline"), ("zoom", 2.0)):
        part(view, f"nk-viewer-{name}").value = value
        assert getattr(shown, name) == value
    shown.magnify(2)
    assert part(view, "nk-viewer-zoom").value == 4.0


def test_a_view_is_made_of_a_source_at_once(tmp_path) -> None:
    import nifti_kit as nk
    from tests.support.builders import write_planes

    dataset = nk.scan(write_planes(tmp_path))
    view = widgets.Viewer(dataset, "cor_anatomic.nrrd")
    assert view.model.title == "cor_anatomic.nrrd"


def test_names_with_markup_are_text_everywhere() -> None:
    view = widgets.Viewer(model(MARKUP, title=MARKUP))
    texts = [one.value for one in parts(view) if isinstance(one, ipywidgets.HTML)]
    assert any("&lt;img" in text for text in texts)
    assert not any("<img" in text for text in texts)
    for script in ("stage.js", "legend.js"):
        source = (FRONT / script).read_text()
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacent|document\.write|https?://", source
        )


def test_masks_that_lie_elsewhere_are_told() -> None:
    far = Grid(SHAPE, AFFINE + np.array([[0, 0, 0, 900.0]] + [[0] * 4] * 3))
    mask = Mask("far", (1, 2, 3), np.ones(SHAPE, np.uint8), far)
    view = widgets.Viewer(models.ViewerModel.of_arrays(volume(), GRID, [mask]))
    assert view.legend.notes == ["far lies outside the volume"]


# Three dimensions


def test_without_ipyniivue_there_is_no_trace_of_it(monkeypatch, shown: models.ViewerModel) -> None:
    monkeypatch.setitem(sys.modules, "ipyniivue", None)
    view = widgets.Viewer(shown)
    assert not [one for one in parts(view) if "nk-viewer-three" in one._dom_classes]
    assert volume_panel(shown) is None


def test_the_panel_gets_volume_and_masks_in_memory(shown: models.ViewerModel) -> None:
    niivue = pytest.importorskip("ipyniivue")
    view = widgets.Viewer(shown)
    switch = part(view, "nk-viewer-three")
    assert not [one for one in parts(view) if isinstance(one, niivue.NiiVue)]
    switch.value = True
    panel = part(view, "nk-volume-panel")
    grey, masks = panel.volumes
    assert (grey.name, masks.name) == ("volume.nii.gz", "masks_0.nii.gz")
    assert (grey.data[:2], grey.url, grey.path) == (b"\x1f\x8b", None, None)
    assert masks.colormap_label.lut[:12] == [0, 0, 0, 0, 200, 0, 30, 255, 200, 10, 30, 255]
    shown.show("liver", on=False)
    assert masks.colormap_label.lut[4:8] == [200, 0, 30, 0]
    switch.value = False
    assert part(view, "nk-volume-panel") is panel


TURNED = np.eye(4)
TURNED[:3, :3] = Rotation.from_euler("xyz", (20, -15, 30), degrees=True).as_matrix() * (1, 2, 3)
TURNED[:3, 3] = 4.5, -20.25, 7


def test_the_panel_has_each_class_where_it_is_and_lets_go_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An oblique volume with a label map of its own grid, thinned out: a speck of a class stays."""
    pytest.importorskip("ipyniivue")
    monkeypatch.setattr(views, "MOST_VOXELS", 60)
    numbers = np.zeros((9, 8, 7), np.uint8)
    numbers[2:7, 1:6, 2:5], numbers[4:8, 4:7, 3:6], numbers[7, 1, 5] = 1, 2, 3
    fine = Grid((9, 8, 7), TURNED)
    parts_of = {at: Named(f"class {at}", (at, 2 * at, 3 * at), 9) for at in (1, 2, 3)}
    cut = Piece("cut", parts_of, fine, numbers.copy)
    other = Piece("other", {1: Named("other", (9, 8, 7), 1)}, GRID, lambda: labels(values=(1,)))
    image = RasImage.of_array("mr", np.arange(9 * 8 * 7).reshape(9, 8, 7), fine)
    shown = models.ViewerModel(image, drawn(image.grid, [("", [cut, other])]))
    panel = volume_panel(shown)
    grey, masks, apart = (
        nib.Nifti1Image.from_bytes(gzip.decompress(v.data)) for v in panel.volumes
    )
    assert np.allclose(grey.affine @ (1, 1, 1, 0), masks.affine @ (1, 1, 1, 0), atol=1e-4)
    assert np.allclose(masks.affine[:3, 3], TURNED[:3, 3], atol=1e-4)
    assert masks.shape == grey.shape == (3, 3, 3)
    seen = np.asarray(masks.dataobj)
    assert set(np.unique(seen)) == {0, 1, 2, 3}
    assert masks.affine @ (*np.argwhere(seen == 3)[0], 1) == pytest.approx(
        TURNED @ (7, 1, 5, 1), abs=np.linalg.norm([1, 2, 3]) * 1.5
    )
    assert np.allclose(apart.affine[:3, 3], AFFINE[:3, 3], atol=1e-4)
    for volume_of in panel.volumes[1:]:
        assert volume_of.colormap_label.lut[4:12] == [1, 2, 3, 255, 2, 4, 6, 255]
        assert volume_of.colormap_label.lut[16:20] == [9, 8, 7, 255]
    held = panel.volumes
    discard(panel)
    assert [one.comm for one in held] == [None] * 3
    shown.show("other", on=False)  # nobody listens any more
    assert held[1].colormap_label.lut[16:20] == [9, 8, 7, 255]


def test_overlays_stand_side_by_side_or_in_three_planes() -> None:
    shown = model("femur", compare=[])
    view = widgets.Viewer(shown)
    before = view.stage.frame
    part(view, "nk-viewer-arrangement").value = "beside"
    assert shown.arrangement == "beside"
    assert view.stage.frame != before
    shown.arrangement = "planes"
    assert part(view, "nk-viewer-arrangement").value == "planes"


def test_other_masks_are_drawn_and_counted_at_once() -> None:
    shown = model("femur", compare=[])
    view = widgets.Viewer(shown)
    before = view.stage.frame
    shown.replace(1, shown.overlays[0], {"femur": 7})
    assert view.stage.frame != before
    assert [row["voxels"] for row in view.legend.rows] == ["7 voxels"]
