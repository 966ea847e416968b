"""The viewer's state and actions, without a browser."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

import nifti_kit as nk
from nifti_kit import plots
from nifti_kit.core.geometry import Grid
from nifti_kit.errors import NiftiKitError
from nifti_kit.render.position import CT, CUSTOM, Window, presets_of
from nifti_kit.render.scene import Mask
from nifti_kit.widgets.viewer.loading import RasImage, drawn
from nifti_kit.widgets.viewer.model import ViewerModel
from tests.support.builders import AFFINE, SAMPLES, SHAPE, labels, volume, write_nifti
from tests.support.uploads import land, new_target

GRID = Grid(SHAPE, AFFINE)
RED, GREEN = (255, 0, 0), (0, 255, 0)


def box(*sides: slice) -> np.ndarray:
    """Return a mask of the ramp volume's shape that is 1 in a box."""
    inside = np.zeros(SHAPE, np.uint8)
    inside[sides] = 1
    return inside


BIG = Mask("big", RED, box(slice(1, 4), slice(1, 5), slice(1, 6)), GRID)
SMALL = Mask("small", GREEN, box(slice(2, 3), slice(2, 4), slice(2, 4)), GRID)


def two_masks(**choices) -> ViewerModel:
    return ViewerModel.of_arrays(volume(), GRID, [SMALL, BIG], **choices)


@pytest.fixture
def viewer() -> ViewerModel:
    return two_masks()


@pytest.fixture
def by_plane(tmp_path: Path) -> Path:
    """One LPS volume by plane, two labels, and a class map that names one of them."""
    source, affine = tmp_path / "in", np.diag([-2.0, -3.0, 5.0, 1.0])
    write_nifti(source / "axl_anatomic.nii.gz", affine=affine)
    write_nifti(source / "axl_inference.nii.gz", labels(), affine)
    (source / "cls_color_map.txt").write_text("1 Femur 1 2 3\n")
    return source


# Where it comes from


def test_an_item_of_a_dataset_has_the_classes_of_the_plan(by_plane: Path) -> None:
    dataset = nk.scan(by_plane)
    viewers = [ViewerModel.of_item(dataset), ViewerModel.of_item(nk.plan(dataset))]
    for viewer in viewers:
        assert [(one.name, one.voxels, one.mark) for one in viewer.classes] == [
            ("Femur", 5, "B"),
            ("Segment_2", 5, "C"),
        ]
        assert viewer.classes[0].color == (1, 2, 3)
    assert viewers[0].classes == viewers[1].classes


@pytest.mark.parametrize("item", [0, "axl_anatomic.nrrd"])
def test_an_item_is_named_by_its_place_or_name_or_given(by_plane: Path, item) -> None:
    dataset = nk.scan(by_plane)
    assert ViewerModel.of(dataset, item).title == "axl_anatomic.nrrd"
    assert ViewerModel.of(dataset, dataset.items[0]).title == "axl_anatomic.nrrd"
    assert ViewerModel.of(nk.plan(dataset), nk.plan(dataset).items[0]).title == "axl_anatomic.nrrd"


def test_an_item_that_is_not_there_is_refused_with_those_that_are(by_plane: Path) -> None:
    with pytest.raises(NiftiKitError) as refused:
        ViewerModel.of_item(nk.scan(by_plane), "other")
    assert str(refused.value) == (
        "there is no such item Found: 'other'. Expected: 'axl_anatomic.nrrd'."
    )


def test_an_item_of_a_dataset_needs_its_dataset(by_plane: Path) -> None:
    dataset = nk.scan(by_plane)
    with pytest.raises(NiftiKitError, match="looked up in a dataset"):
        ViewerModel.of_item(nk.plan(dataset), dataset.items[0])


def test_a_viewer_is_returned_as_it_is(viewer: ViewerModel) -> None:
    assert ViewerModel.of(viewer) is viewer


def test_what_landed_is_shown_as_what_was_planned(by_plane: Path, tmp_path: Path) -> None:
    plan = nk.plan(nk.scan(by_plane), waive="planes-incomplete")
    target = nk.ProjectFolder(tmp_path / "out", dataset="ct")
    nk.upload(plan, target)
    (ref,) = target.volumes()
    before = ViewerModel.of(plan)
    for chosen in (ref, ref.id, ref.name, None):
        after = ViewerModel.of(target, chosen)
        assert after.title == "axl_anatomic.nrrd, as it landed"
        assert after.classes == before.classes
        np.testing.assert_array_equal(after.image.voxels, before.image.voxels)
        np.testing.assert_array_equal(
            after.overlays[0].layers[0].numbers, before.overlays[0].layers[0].numbers
        )
    with pytest.raises(NiftiKitError, match="the target has no volumes of this id or name"):
        ViewerModel.of_target(target, "other")
    nk.upload(plan, nk.ProjectFolder(tmp_path / "out", dataset="more"))
    whole = nk.ProjectFolder(tmp_path / "out")
    with pytest.raises(NiftiKitError, match=r"the target has 2 volumes Expected: .*/axl_anatomic"):
        ViewerModel.of(whole)


@pytest.mark.parametrize("fault", ["gone", "cut short", "gone on an instance"])
def test_a_landed_mask_that_cannot_be_read_is_named_beside_the_others(
    by_plane: Path, tmp_path: Path, fault: str, request: pytest.FixtureRequest
) -> None:
    target: Any = nk.ProjectFolder(tmp_path / "out", dataset="ct")
    platform = request.getfixturevalue("platform") if fault.endswith("instance") else None
    if platform is not None:
        target = new_target(platform)
    land(by_plane, target)
    (ref,) = target.volumes()
    bad, *_ = target.objects(ref.id)
    if platform is not None:
        del platform.state.geometries[bad.figure_id]
    else:
        path = target.mask_path(ref, bad.figure_key)
        content = path.read_bytes()
        path.unlink() if fault == "gone" else path.write_bytes(content[: len(content) // 2])
    viewer = ViewerModel.of(target, ref)
    (note,) = viewer.notes
    assert note.startswith(f"{bad.class_name} (object {bad.id}) is not shown: ")
    assert [found.name for found in viewer.classes] == ["Segment_2"]
    assert viewer.overlays[0].layers[0].numbers.any()
    with pytest.raises(NiftiKitError) as caught:  # a figure has no legend for it
        plots.landed(target, ref)
    assert caught.value.message in note


def test_annotations_are_shown_on_a_volume_of_the_target(by_plane: Path, tmp_path: Path) -> None:
    target = nk.ProjectFolder(tmp_path / "out", dataset="ct")
    nk.upload(nk.plan(nk.scan(by_plane), waive="planes-incomplete"), target)
    alone = tmp_path / "alone"
    write_nifti(alone / "axl_inference_1.nii.gz", labels(), np.diag([-2.0, -3.0, 5.0, 1.0]))
    dataset = nk.scan(alone)
    viewer = ViewerModel.of_item(dataset, target=target, volume="axl_anatomic.nrrd")
    assert viewer.image.name == "axl_anatomic.nrrd"
    assert sum(one.voxels for one in viewer.classes) == 10
    with pytest.raises(NiftiKitError, match="is on the target, not in the source"):
        ViewerModel.of_item(dataset)


def test_own_header_and_repair_are_two_rows(by_plane: Path) -> None:
    write_nifti(by_plane / "axl_inference.nii.gz", labels(), np.diag([-2.2, -3.0, 5.0, 1.0]))
    dataset = nk.scan(by_plane)
    repair = nk.repairs.take_header(dataset, ["axl_inference.nii.gz"])
    viewer = ViewerModel.of_item(dataset, compare=repair.dataset)
    assert [overlay.title for overlay in viewer.overlays] == ["As in the files", "Repaired"]
    assert viewer.notes == (
        "As in the files: axl_inference.nii.gz is not on the volume's voxels: drawn where it lies",
    )
    assert len(viewer.sheet.panes) == 6
    assert "As in the files: " in viewer.reading.text
    assert "; Repaired: " in viewer.reading.text


def test_two_sets_of_arrays_share_a_legend() -> None:
    viewer = two_masks(compare=[BIG], titles=("before", "after"), title="case 7")
    assert [(one.number, one.name) for one in viewer.classes] == [(1, "small"), (2, "big")]
    assert [overlay.title for overlay in viewer.overlays] == ["before", "after"]
    assert viewer.title == "case 7"


def test_a_mask_outside_of_the_volume_is_told() -> None:
    far = Grid(SHAPE, AFFINE + np.array([[0, 0, 0, 900.0]] + [[0] * 4] * 3))
    viewer = ViewerModel.of_arrays(volume(), GRID, [Mask("far", RED, box(slice(1, 3)), far)])
    assert viewer.notes == ("far lies outside the volume",)
    assert not viewer.find("far")
    assert viewer.position == (2, 3, 3)


def test_a_volume_without_masks_is_shown_from_its_middle() -> None:
    viewer = ViewerModel.of_arrays(volume(), GRID)
    assert (viewer.position, viewer.classes, viewer.notes) == ((2, 3, 3), (), ())
    assert Image.open(io.BytesIO(viewer.jpeg())).format == "JPEG"


def test_a_volume_needs_the_shape_of_its_grid_and_a_place() -> None:
    with pytest.raises(NiftiKitError, match="another shape than its grid"):
        ViewerModel.of_arrays(np.zeros((2, 2, 2)), GRID)
    with pytest.raises(NiftiKitError, match="gives it no place"):
        ViewerModel.of_arrays(volume(), Grid(SHAPE, np.diag([0.0, 1, 1, 1])))


def test_of_masks_on_one_another_the_smaller_is_on_top(viewer: ViewerModel) -> None:
    assert len(viewer.overlays[0].layers) == 2
    viewer.position = (2, 2, 2)
    assert viewer.reading.classes == (("", ("small", "big")),)


def test_values_without_an_object_are_background(by_plane: Path) -> None:
    plan = nk.plan(nk.scan(by_plane))
    image = RasImage.of_file("one", plan.items[0].volume)
    assert drawn(image.grid, [("", [])]).overlays[0].layers == ()
    viewer = ViewerModel(image, drawn(image.grid, []))
    assert viewer.reading.classes == ()


def test_a_folder_is_scanned_first(by_plane: Path) -> None:
    assert ViewerModel.of(by_plane).classes == ViewerModel.of(str(by_plane)).classes


def test_anything_else_is_refused() -> None:
    with pytest.raises(NiftiKitError) as refused:
        ViewerModel.of(12)
    assert str(refused.value) == (
        "there is nothing to view in this Found: int. "
        "Expected: a folder, a dataset, a plan or a target."
    )


# What is there


def test_the_reading_tells_value_class_place_and_both_indices(by_plane: Path) -> None:
    viewer = ViewerModel.of_item(nk.scan(by_plane))
    viewer.position = (4, 4, 2)  # LPS file: voxel 0, 1, 2
    assert viewer.reading.text == (
        f"value {volume()[0, 1, 2]} · Femur · R 0.0 mm, P 3.0 mm, S 10.0 mm · "
        "voxel 4, 4, 2 in RAS+ · 0, 1, 2 in the file"
    )
    assert viewer.reading.stored == (0, 1, 2)


def test_a_file_in_ras_order_has_one_index(viewer: ViewerModel) -> None:
    viewer.position = (0, 0, 0)
    assert viewer.reading.text == (
        "value 0 · no class · L 10.5 mm, A 4.2 mm, S 7.1 mm · voxel 0, 0, 0 in RAS+"
    )


def test_values_with_fractions_are_told_with_six_digits() -> None:
    viewer = ViewerModel.of_arrays(np.full(SHAPE, 1 / 3, np.float32), GRID)
    assert viewer.reading.text.startswith("value 0.333333 · ")


def test_the_description_tells_all_of_the_picture(viewer: ViewerModel) -> None:
    viewer.position = (2, 2, 2)
    viewer.show("big", on=False)
    assert viewer.description == (
        "volume: axial slice 2 (0 to 6), coronal slice 2 (0 to 5), sagittal slice 2 (0 to 4). "
        "At the crosshair: value 100 · small, big · L 6.5 mm, A 10.2 mm, S 17.1 mm · "
        "voxel 2, 2, 2 in RAS+. Percentiles 1 to 99 (centre 104.5, width 204.82). "
        "1 of 2 classes shown."
    )


# The crosshair


def test_slices_stop_at_the_ends(viewer: ViewerModel) -> None:
    viewer.go("axl", 99)
    assert (viewer.position[2], viewer.active) == (6, "axl")
    viewer.step("cor", -99)
    assert (viewer.position[1], viewer.active) == (0, "cor")
    viewer.step("sag", 1)
    assert viewer.position[0] == 3


@pytest.mark.parametrize("position", [(-1, 0, 0), (0, 6, 0), (0, 0, 7)])
def test_a_slice_that_is_not_there_is_refused(viewer: ViewerModel, position) -> None:
    with pytest.raises(NiftiKitError, match=r"there is no such slice .* below \(5, 6, 7\)"):
        viewer.position = position


def test_a_click_puts_the_crosshair_there_and_hovering_only_reads(viewer: ViewerModel) -> None:
    viewer.position = (2, 2, 2)
    coronal = viewer.sheet.panes[1]
    x, y = coronal.left + 1, coronal.top + 1
    assert viewer.picked(x, y) == ("cor", (4, 2, 6))
    viewer.hover(x, y)
    assert (viewer.position, viewer.reading.index) == ((2, 2, 2), (4, 2, 6))
    viewer.leave()
    assert viewer.reading.index == (2, 2, 2)
    viewer.pick(x, y)
    assert (viewer.position, viewer.active) == ((4, 2, 6), "cor")


@pytest.mark.parametrize("how", ["step", "go", "position"])
def test_the_reading_under_the_pointer_follows_the_slice(viewer: ViewerModel, how: str) -> None:
    viewer.position = (2, 3, 0)
    axial = viewer.sheet.panes[0]
    x, y = axial.pixel((2, 3, 0))
    viewer.hover(axial.left + x, axial.top + y)
    assert (viewer.hovered, viewer.reading.classes) == ((2, 3, 0), (("", ()),))
    if how == "step":
        viewer.step("axl", 3)
    elif how == "go":
        viewer.go("axl", 3)
    else:
        viewer.position = (2, 3, 3)
    assert (viewer.hovered, viewer.reading.classes) == ((2, 3, 3), (("", ("small", "big")),))
    viewer.leave()
    viewer.step("axl", -1)
    assert viewer.hovered is None


def test_beside_the_panes_nothing_is_picked(viewer: ViewerModel) -> None:
    before = viewer.position
    viewer.pick(0, 0)
    viewer.hover(0, 0)
    assert (viewer.picked(0, 0), viewer.position, viewer.hovered) == (None, before, None)


def test_a_drag_that_leaves_its_pane_stays_at_its_edge(viewer: ViewerModel) -> None:
    viewer.pick(0, 10_000, "axl")
    assert viewer.position[:2] == (4, 0)


def test_a_drag_in_the_second_row_stays_in_its_plane() -> None:
    viewer = two_masks(compare=[BIG])
    pane = viewer.sheet.panes[5]
    viewer.pick(pane.left + 2, pane.top + 2, "sag")
    assert (viewer.position[1:], viewer.active) == ((5, 6), "sag")


def test_the_crosshair_moves_as_it_is_seen(viewer: ViewerModel) -> None:
    viewer.position = (2, 2, 2)
    viewer.nudge(1, 0)  # to the right of an axial picture: to the patient's left
    assert viewer.position == (1, 2, 2)
    viewer.active = "sag"
    viewer.nudge(-1, 1)
    assert viewer.position == (1, 3, 3)
    viewer.nudge(0, 99)
    assert viewer.position == (1, 3, 6)


def test_zoom_keeps_its_place_until_the_crosshair_would_leave_it(viewer: ViewerModel) -> None:
    viewer.position = (2, 2, 3)
    viewer.magnify(2)
    shown = viewer.sheet
    viewer.position = (2, 3, 3)
    assert viewer.sheet == shown
    viewer.position = (2, 5, 3)
    assert viewer.sheet != shown
    viewer.magnify(100)
    assert viewer.zoom == 16
    viewer.magnify(0)
    assert viewer.zoom == 1


def test_zoom_at_a_pixel_keeps_what_is_there_and_scrolling_does_not_move_it() -> None:
    viewer = ViewerModel.of_arrays(np.zeros((60, 50, 40), np.uint8), Grid((60, 50, 40), np.eye(4)))
    viewer.position = (5, 5, 5)
    pane = viewer.sheet.panes[0]
    x, y = pane.pixel((40, 30, 5))
    at = pane.left + x, pane.top + y
    for times in (2, 2, 0.5):
        viewer.zoom_at(times, *at)
        assert viewer.picked(*at) == ("axl", (40, 30, 5))
    seen = viewer.sheet.panes[0]
    viewer.step("axl", 1)  # the crosshair is out of sight in this plane, and stays so
    assert viewer.sheet.panes[0] == seen
    viewer.zoom_at(1e9, 0, 0)  # between the panes
    assert viewer.zoom == 2
    viewer.pick(*at)
    viewer.position = (2, 30, 6)
    assert viewer.sheet.panes[0].across.low == 0


def test_panning_moves_the_image_with_the_pointer_and_stops_at_its_faces() -> None:
    viewer = ViewerModel.of_arrays(np.zeros((60, 50, 40), np.uint8), Grid((60, 50, 40), np.eye(4)))
    viewer.magnify(4)
    pane = viewer.sheet.panes[0]
    x, y = pane.left + 50, pane.top + 40
    before = viewer.picked(x, y)
    viewer.pan(30, 20, "axl")
    assert viewer.picked(x + 30, y + 20) == before
    viewer.pan(1e6, 1e6, "axl")
    pane = viewer.sheet.panes[0]
    assert (pane.across.high, pane.up.high) == (60, 50)
    viewer.pan(-1, 0, "axl")  # at once: nothing has to be taken back first
    assert viewer.sheet.panes[0].across.high < 60
    viewer.reset()
    assert viewer.sheet.panes[0].across.length == 60


def test_one_plane_is_larger_than_each_of_three_and_back(viewer: ViewerModel) -> None:
    three = viewer.sheet.panes
    viewer.turn()
    (alone,) = viewer.sheet.panes
    assert alone.height > three[0].height
    viewer.active = "cor"
    assert viewer.sheet.panes[0].plane.title == "Coronal"
    viewer.turn()
    assert viewer.sheet.panes == three


def test_slices_that_are_played_begin_again_after_the_last(viewer: ViewerModel) -> None:
    viewer.go("axl", 5)
    seen = []
    for _ in range(3):
        viewer.advance()
        seen.append(viewer.position[2])
    assert seen == [6, 0, 1]


def test_the_top_class_is_hidden_first_and_hidden_ones_come_back(viewer: ViewerModel) -> None:
    viewer.position = (2, 3, 3)
    hidden = []
    for _ in range(3):
        viewer.toggle()
        hidden.append(set(viewer.hidden))
    assert hidden == [{"small"}, {"small", "big"}, set()]
    viewer.position = (0, 0, 0)
    viewer.toggle()
    assert viewer.hidden == frozenset()


def test_a_snapshot_is_the_picture_and_never_over_a_file(viewer: ViewerModel, tmp_path) -> None:
    viewer.title = "../a/b c"
    paths = [viewer.snapshot(tmp_path / "new") for _ in range(2)]
    at = "_".join(map(str, viewer.position))
    assert [path.name for path in paths] == [f"_a_b_c_{at}.png", f"_a_b_c_{at}_2.png"]
    assert {path.parent for path in paths} == {tmp_path / "new"}
    with Image.open(paths[0]) as picture:
        assert picture.size == (viewer.sheet.width, viewer.sheet.height)
    with pytest.raises(NiftiKitError, match="cannot be saved here"):
        viewer.snapshot(paths[0])


def test_a_class_is_found_and_shown_in_the_middle_of_its_largest_slice(viewer: ViewerModel) -> None:
    viewer.show_none()
    assert viewer.find("small")
    assert (viewer.position, viewer.hidden) == ((2, 2, 2), frozenset({"big"}))
    assert viewer.find("big")
    assert viewer.position in {(2, 2, 1), (2, 3, 1)}


# The window


def test_presets_begin_with_what_the_values_are() -> None:
    air = np.array([[[-1000, 0, 200]]], np.int16)
    assert list(presets_of(air)) == [*CT, "Percentiles 1 to 99", "All values"]
    assert list(presets_of(air + 1000)) == ["Percentiles 1 to 99", "All values", *CT]
    assert presets_of(air)["All values"] == Window(-400, 1200)
    assert CT["CT lung"].limits == (-1350, 150)


def test_an_image_of_one_value_or_none_has_a_window() -> None:
    for values in (np.zeros((2, 2, 2)), np.full((2, 2, 2), np.nan)):
        assert presets_of(values)["All values"] == Window(0, 1)


def test_a_preset_is_chosen_and_any_other_window_is_custom(viewer: ViewerModel) -> None:
    assert viewer.preset == "Percentiles 1 to 99"
    viewer.choose_window("CT lung")
    assert (viewer.window, viewer.preset) == ((-600, 1500), "CT lung")
    viewer.window = (1.0, 2.0)
    assert viewer.preset == CUSTOM
    viewer.choose_window(CUSTOM)
    assert viewer.window == (1.0, 2.0)


def test_a_window_needs_a_width(viewer: ViewerModel) -> None:
    with pytest.raises(NiftiKitError, match=r"a window needs a width above 0 Found: width 0\."):
        viewer.window = (40.0, 0.0)


def test_dragging_widens_to_the_right_and_brightens_downward(viewer: ViewerModel) -> None:
    viewer.window = (40.0, 600.0)
    viewer.drag_window(10, 5)
    assert viewer.window == (30.0, 620.0)
    viewer.drag_window(-9999, 0)
    assert viewer.window == (30.0, 1.0)


def test_dragging_takes_fine_steps_where_values_have_fractions() -> None:
    viewer = ViewerModel.of_arrays(volume().astype(np.float32) / 209, GRID)
    viewer.window = (0.5, 0.3)
    viewer.drag_window(1, 1)
    assert viewer.window == (0.499, 0.301)


# The legend


def test_classes_are_shown_hidden_and_shown_alone(viewer: ViewerModel) -> None:
    viewer.show("big", on=False)
    assert viewer.hidden == {"big"}
    viewer.show("big")
    assert viewer.hidden == set()
    viewer.show_only("small")
    assert viewer.hidden == {"big"}
    viewer.show_none()
    assert viewer.look.hidden == {1, 2}
    viewer.show_all()
    assert viewer.hidden == set()


def test_all_and_none_mean_what_was_found(viewer: ViewerModel) -> None:
    viewer.search = " BI"
    assert [one.name for one in viewer.matching()] == ["big"]
    viewer.show_none()
    assert viewer.hidden == {"big"}
    viewer.search = "nothing"
    viewer.show_all()
    assert viewer.hidden == {"big"}


def test_a_class_that_is_not_there_cannot_be_hidden(viewer: ViewerModel) -> None:
    with pytest.raises(NiftiKitError, match="there is no such class Found: 'spleen'"):
        viewer.hidden = frozenset({"spleen"})


# The picture


def test_whatever_changes_the_picture_counts_as_a_revision(viewer: ViewerModel) -> None:
    viewer.position = (2, 2, 2)
    changes = {
        "position": (1, 1, 1),
        "window": (9.0, 9.0),
        "opacity": 0.9,
        "mode": "outline",
        "hidden": frozenset({"big"}),
        "zoom": 2.0,
        "active": "cor",
    }
    for name, value in changes.items():
        before, picture = viewer.revision, viewer.jpeg()
        setattr(viewer, name, value)
        assert viewer.revision > before
        assert viewer.jpeg() != picture
    before = viewer.revision
    viewer.hovered, viewer.search = (1, 1, 1), "b"
    assert viewer.revision == before


def test_a_sample_is_shown_with_all_its_classes() -> None:
    viewer = ViewerModel.of(nk.scan(SAMPLES / "by_volume"))
    assert [one.name for one in viewer.classes][:3] == ["aorta", "autochthon", "gallbladder"]
    assert (len(viewer.classes), len(viewer.overlays[0].layers)) == (11, 1)
    assert viewer.notes == ()


def test_a_scaled_volume_is_shown_by_its_values(tmp_path: Path) -> None:
    image = nib.Nifti1Image(volume(), AFFINE)
    image.header.set_slope_inter(0.5, 3)
    nib.save(image, tmp_path / "case.nii.gz")
    viewer = ViewerModel.of(nk.scan(tmp_path))
    viewer.position = (1, 1, 1)
    stored = nib.load(tmp_path / "case.nii.gz").get_fdata()[1, 1, 1]
    assert viewer.reading.value == pytest.approx(stored, abs=1e-3)


# Side by side: the active plane of each overlay


@pytest.fixture
def beside() -> ViewerModel:
    found = ViewerModel.of_arrays(volume(), GRID, [BIG], compare=[SMALL], titles=("a", "b"))
    found.arrangement = "beside"
    return found


def test_side_by_side_the_active_plane_of_each_overlay_is_shown(beside: ViewerModel) -> None:
    assert [(pane.plane.title, pane.row) for pane in beside.sheet.panes] == [
        ("Axial", 0),
        ("Axial", 1),
    ]
    before = beside.jpeg()
    beside.active = "sag"
    assert {pane.plane.title for pane in beside.sheet.panes} == {"Sagittal"}
    assert beside.jpeg() != before


def test_a_click_on_either_side_moves_both(beside: ViewerModel) -> None:
    for pane in beside.sheet.panes:
        beside.position = (0, 0, 0)
        x, y = pane.pixel((3, 4, 0))
        beside.pick(pane.left + x, pane.top + y)
        assert beside.position[:2] == (3, 4)
        beside.pick(pane.left + x, pane.top + y, "axl")  # while it is dragged
        assert beside.position[:2] == (3, 4)


def test_other_masks_take_the_place_of_a_row(beside: ViewerModel) -> None:
    before, revision = beside.jpeg(), beside.revision
    beside.replace(1, beside.overlays[0], {"small": 0})
    assert beside.overlays[0] is beside.overlays[1]
    assert [(found.name, found.voxels) for found in beside.classes] == [("big", 60), ("small", 0)]
    assert beside.revision > revision
    assert beside.jpeg() != before
