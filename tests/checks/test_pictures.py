"""Thumbnails: the right slice, the right way round, both places of a mask, and never a fault."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import nifti_kit as nk
from nifti_kit.checks import pictures
from nifti_kit.checks.pictures import ASSUMED, LONGEST, MARK, NARROWEST, OWN, Illustrator
from nifti_kit.core.findings import Finding, Findings, finding
from nifti_kit.core.html import Illustration
from nifti_kit.render import paint, position
from tests.support.builders import AFFINE, labels, write_nifti
from tests.support.handmade import write_array
from tests.support.properties import untimed

SIZE = (20, 20, 20)
UNIT = np.diag([2.0, 2.0, 2.0, 1.0])
UNIT[:3, 3] = (-10.0, 5.0, 30.0)
AXIAL_MIDDLE = "Axial slice at S 50.0 mm, in the middle."
BOTH = (
    "Red: where the mask's own header puts it. "
    "Cyan, dashed: where it would be with the volume's header."
)


def block(low: tuple[int, int, int], high: tuple[int, int, int], size: Any = SIZE) -> np.ndarray:
    """Return a label map with one box."""
    array = np.zeros(size, dtype=np.uint8)
    array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = 1
    return array


def shifted(*mm: float) -> np.ndarray:
    affine = UNIT.copy()
    affine[:3, 3] += mm
    return affine


def write_pair(
    folder: Path, mask: Any = None, mask_affine: Any = UNIT, array: Any = None, affine: Any = UNIT
) -> Illustrator:
    """Write ``V.nii`` with ``V/liver.nii``; return what draws their findings."""
    grey = np.zeros(SIZE, dtype=np.int16) if array is None else array
    write_nifti(folder / "V.nii", grey, affine)
    if mask is not None:
        write_nifti(folder / "V" / "liver.nii", mask, mask_affine)
    return Illustrator(nk.scan(folder))


def of_mask(code: str = "labels-scaled", voxel: Any = None) -> Finding:
    return finding(code, "V/liver.nii", "m", voxel=voxel)


def of_volume(voxel: Any = None) -> Finding:
    return finding("affine-missing", "V.nii", "m", voxel=voxel)


def pixels(picture: Illustration | None) -> np.ndarray:
    """Return rows, columns, RGB."""
    assert picture is not None
    array = np.array(Image.open(io.BytesIO(picture.png)).convert("RGB"))
    assert array.shape == (picture.height, picture.width, 3)
    return array


def extent(array: np.ndarray, color: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of a colour: as shares of 20 voxels, rounded."""
    rows, columns = np.nonzero((array == color).all(axis=-1))
    unit = array.shape[0] / 20
    return tuple(  # type: ignore[return-value]
        round(edge / unit)
        for edge in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    )


def test_a_volume_shows_its_middle_slice(tmp_path: Path) -> None:
    picture = write_pair(tmp_path)(of_volume())
    assert picture is not None
    assert picture.caption == AXIAL_MIDDLE
    assert (picture.width, picture.height) == (LONGEST, LONGEST)


def test_the_right_of_the_patient_is_left_and_anterior_is_up(tmp_path: Path) -> None:
    array = np.zeros(SIZE, dtype=np.int16)
    array[12:, 12:] = 1000  # right and anterior
    shown = pixels(write_pair(tmp_path, array=array)(of_volume()))
    assert shown[40, 40].tolist() == [255, 255, 255]
    assert shown[200, 200].tolist() == shown[40, 200].tolist() == shown[200, 40].tolist() == [0] * 3


@pytest.mark.parametrize("codes", ["LPS", "SAR", "PIL"])
def test_the_order_in_the_file_changes_nothing(tmp_path: Path, codes: str) -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(0, 1000, (8, 9, 10)).astype(np.int16)
    mask = block((2, 3, 6), (5, 7, 8), array.shape)
    turn = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(codes)
    )
    shown = []
    for name, ornt in (("ras", None), ("turned", turn)):
        images = [nib.Nifti1Image(voxels, AFFINE) for voxels in (array, mask)]
        images = [image.as_reoriented(ornt) if ornt is not None else image for image in images]
        (volume, own) = ((np.asarray(image.dataobj), image.affine) for image in images)
        illustrate = write_pair(tmp_path / name, own[0], own[1], *volume)
        shown += [illustrate(of_mask()), illustrate(of_volume())]
    assert shown[:2] == shown[2:]
    assert shown[0] is not None
    assert "S 42.1 mm" in shown[0].caption


def test_proportions_are_those_of_the_patient(tmp_path: Path) -> None:
    affine = np.diag([1.0, 3.0, 1.0, 1.0])
    picture = write_pair(tmp_path, array=np.zeros((40, 40, 3), np.int16), affine=affine)(
        of_volume()
    )
    assert picture is not None
    assert (picture.width, picture.height) == (80, LONGEST)


def test_a_mask_shows_the_slice_with_most_of_it(tmp_path: Path) -> None:
    mask = block((2, 4, 6), (5, 8, 7)) | block((2, 4, 7), (9, 11, 8))
    picture = write_pair(tmp_path, mask)(of_mask())
    assert picture is not None
    assert picture.caption == (
        "Axial slice at S 44.0 mm, where most voxels are labelled. Red: the mask."
    )
    # i 2 to 9 is drawn from the right, j 4 to 11 from below.
    assert extent(pixels(picture), OWN) == (11, 9, 18, 16)


def test_a_mask_is_filled_lightly(tmp_path: Path) -> None:
    shown = pixels(write_pair(tmp_path, block((2, 2, 2), (18, 18, 18)))(of_mask()))
    assert shown[60, 60].tolist() == [63, 14, 12]
    assert shown[5, 60].tolist() == [0, 0, 0]


def test_a_mask_that_covers_part_of_a_pixel_stays_in_view(tmp_path: Path) -> None:
    size = (480, 480, 3)
    line = block((101, 10, 1), (102, 470, 2), size)  # one of the two voxels that share a pixel
    shown = pixels(write_pair(tmp_path, line, array=np.zeros(size, np.int16))(of_mask()))
    assert (shown == OWN).all(axis=-1).any(axis=1).sum() == 230


def test_planes_of_a_layout_are_kept(tmp_path: Path) -> None:
    for plane in ("axl", "cor", "sag"):
        write_nifti(tmp_path / f"{plane}_anatomic.nii.gz")
        write_nifti(tmp_path / f"{plane}_inference.nii.gz", labels())
    (tmp_path / "sag_score.csv").write_text("Layer,Label-1\n1,0.5\n")
    illustrate = Illustrator(nk.scan(tmp_path))
    for path, title in (
        ("sag_anatomic.nii.gz", "Sagittal"),
        ("cor_inference.nii.gz", "Coronal"),
        ("sag_score.csv", "Sagittal"),
    ):
        picture = illustrate(finding("labels-scaled", path, "m"))
        assert picture is not None
        assert picture.caption.startswith(f"{title} slice at")
        assert ("the mask" in picture.caption) == ("anatomic" not in path)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (of_volume(voxel=(3, 4, 5)), "Axial slice at S 40.0 mm, through voxel 3, 4, 5"),
        (of_mask(voxel=(3, 4, 5)), "Axial slice at S 42.0 mm, through voxel 3, 4, 5"),
    ],
)
def test_a_voxel_is_marked_where_it_is_in_its_own_file(
    tmp_path: Path, found: Finding, text: str
) -> None:
    mask = block((0, 0, 0), (4, 4, 4))
    picture = write_pair(tmp_path, mask, shifted(0, 0, 2))(found)
    assert picture is not None
    assert picture.caption.startswith(f"{text} of the file (ring).")
    shown = pixels(picture)
    rows, columns = np.nonzero((shown == MARK).all(axis=-1))
    # Voxel (3, 4): 3.5 of 20 from the right, 4.5 from below, 12 pixels each.
    assert (columns.min() + columns.max()) / 2 == pytest.approx(240 - 3.5 * 12, abs=1)
    assert (rows.min() + rows.max()) / 2 == pytest.approx(240 - 4.5 * 12, abs=1)


def test_a_voxel_out_of_view_falls_back_to_the_fullest_slice(tmp_path: Path) -> None:
    picture = write_pair(tmp_path, block((2, 2, 2), (5, 5, 5)))(of_mask(voxel=(99, 0, 0)))
    assert picture is not None
    assert "where most voxels are labelled" in picture.caption


def test_a_shifted_mask_is_drawn_at_both_places(tmp_path: Path) -> None:
    mask = block((8, 8, 8), (12, 12, 12))
    picture = write_pair(tmp_path, mask, shifted(8, 0, 0))(of_mask("mask-translated"))
    assert picture is not None
    assert picture.caption == (f"Axial slice at S 50.0 mm, where most voxels are labelled. {BOTH}")
    shown = pixels(picture)
    assert extent(shown, OWN) == (4, 8, 8, 12)
    assert extent(shown, ASSUMED) == (8, 8, 12, 12)


def test_the_place_by_the_volumes_header_is_dashed_and_the_own_one_solid(tmp_path: Path) -> None:
    mask = block((8, 8, 8), (12, 12, 12))
    shown = pixels(write_pair(tmp_path, mask, shifted(8, 0, 0))(of_mask("mask-translated")))
    counts = [int((shown == color).all(axis=-1).sum()) for color in (OWN, ASSUMED)]
    outline = 4 * (48 - 1)
    assert counts == [outline, outline // 2]


def test_a_shift_along_the_normal_is_shown_from_the_side(tmp_path: Path) -> None:
    mask = block((8, 8, 4), (12, 12, 8))
    picture = write_pair(tmp_path, mask, shifted(2, 0, 12))(of_mask("mask-translated"))
    assert picture is not None
    assert picture.caption.startswith("Coronal slice at A 25.0 mm")
    shown = pixels(picture)
    assert extent(shown, OWN) == (7, 6, 11, 10)
    assert extent(shown, ASSUMED) == (8, 12, 12, 16)


def test_a_mask_that_lost_its_header_is_shown_where_it_belongs(tmp_path: Path) -> None:
    affine = shifted(500, 0, 0)
    mask = block((8, 8, 8), (12, 12, 12))
    picture = write_pair(tmp_path, mask, np.eye(4), affine=affine)(of_mask("mask-header-lost"))
    assert picture is not None
    # Faces of the volume at 489 mm, the last labelled voxel at 11 mm; 4 mm to 11 mm of anterior.
    away = np.linalg.norm([489 - 11, 0, 29 - 11])
    assert f"puts it, {away:,.1f} mm outside of the volume. Cyan, dashed" in picture.caption
    shown = pixels(picture)
    assert extent(shown, ASSUMED) == (8, 8, 12, 12)
    assert not (shown == OWN).all(axis=-1).any()


def test_a_mask_on_another_grid_lies_where_its_header_puts_it(tmp_path: Path) -> None:
    affine = UNIT @ np.diag([2.0, 2.0, 1.0, 1.0])
    affine[:3, 3] += (1.0, 1.0, 0.0)  # the corner of a voxel twice as wide
    mask = block((4, 4, 8), (6, 6, 12), (10, 10, 20))
    picture = write_pair(tmp_path, mask, affine)(of_mask("mask-resampled"))
    assert picture is not None
    assert picture.caption.endswith("Red: the mask.")
    assert extent(pixels(picture), OWN) == (8, 8, 12, 12)


def test_a_mask_in_another_order_covers_its_own_place(tmp_path: Path) -> None:
    mask = block((2, 8, 8), (6, 12, 12))
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    flip[0, 3] = SIZE[0] - 1
    picture = write_pair(tmp_path, mask[::-1], UNIT @ flip)(of_mask("mask-reoriented"))
    shown = pixels(picture)
    assert extent(shown, OWN) == (14, 8, 18, 12)
    assert extent(shown, ASSUMED) == (2, 8, 6, 12)


def test_fields_of_view_that_do_not_meet_are_drawn_from_outside(tmp_path: Path) -> None:
    mask = block((2, 2, 2), (4, 4, 4), (20, 20, 19))
    picture = write_pair(tmp_path, mask, shifted(0, 0, 100))(of_mask("mask-apart"))
    assert picture is not None
    assert picture.caption == (
        "Coronal view of where both lie, not of a slice: the mask's field of view (red) is "
        "60.0 mm from its volume (grey)."
    )
    shown = pixels(picture)
    red = np.nonzero((shown == OWN).all(axis=-1))[0]
    grey = np.nonzero((shown == pictures.BOX).all(axis=-1))[0]
    assert red.max() < grey.min()  # the mask is superior, which is up


def test_a_gap_from_right_to_left_and_far_away_is_seen_too(tmp_path: Path) -> None:
    mask = block((2, 2, 2), (4, 4, 4), (20, 20, 19))
    picture = write_pair(tmp_path, mask, shifted(1e6, 0, 0))(of_mask("mask-apart"))
    assert picture is not None
    assert picture.caption.startswith("Coronal view")
    assert "999,960.0 mm" in picture.caption
    shown = pixels(picture)
    red = np.nonzero((shown == OWN).all(axis=-1))[1]
    grey = np.nonzero((shown == pictures.BOX).all(axis=-1))[1]
    assert red.max() < grey.min()  # the patient's right is on the left


def test_labels_outside_of_the_volume_are_drawn_from_outside(tmp_path: Path) -> None:
    mask = block((0, 0, 38), (4, 4, 40), (20, 20, 40))
    picture = write_pair(tmp_path, mask)(of_mask())
    assert picture is not None
    assert (
        "what the mask labels (the inner red box) is 36.0 mm from its volume (grey)."
        in picture.caption
    )


def test_an_empty_mask_shows_the_middle(tmp_path: Path) -> None:
    picture = write_pair(tmp_path, np.zeros(SIZE, np.uint8))(of_mask("mask-empty"))
    assert picture is not None
    assert picture.caption == f"{AXIAL_MIDDLE} The mask has no labelled voxel."


def test_a_mask_without_a_volume_is_drawn_on_black(tmp_path: Path) -> None:
    write_nifti(tmp_path / "axl_inference.nii.gz", block((4, 4, 4), (8, 8, 8)), UNIT)
    illustrate = Illustrator(nk.scan(tmp_path))
    picture = illustrate(finding("mask-apart", "axl_inference.nii.gz", "m"))
    assert extent(pixels(picture), OWN) == (12, 12, 16, 16)


def test_labels_that_are_fractions_are_rounded_and_nan_is_none(tmp_path: Path) -> None:
    mask = block((8, 8, 8), (12, 12, 12)).astype(np.float32) * 0.9 + 0.1
    mask[0, 0, 10] = np.nan
    picture = write_pair(tmp_path, mask)(of_mask("labels-unusable"))
    assert extent(pixels(picture), OWN) == (8, 8, 12, 12)


def test_scaled_labels_are_those_that_are_meant(tmp_path: Path) -> None:
    stored = block((8, 8, 8), (12, 12, 12)) + 1
    write_nifti(tmp_path / "V.nii", np.zeros(SIZE, np.int16), UNIT)
    write_nifti(tmp_path / "V" / "liver.nii", stored, UNIT, slope=2.0, intercept=-2.0)
    picture = Illustrator(nk.scan(tmp_path))(of_mask())
    assert extent(pixels(picture), OWN) == (8, 8, 12, 12)


def test_very_large_masks_and_slices_are_sampled_and_stay_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "MAX_MASK_VOXELS", 1000)
    monkeypatch.setattr(pictures, "MAX_SIDE", 10)
    monkeypatch.setattr(position, "MAX_POINTS", 7)
    mask = block((8, 8, 8), (12, 12, 12))
    picture = write_pair(tmp_path, mask, shifted(8, 0, 0))(of_mask("mask-translated"))
    shown = pixels(picture)
    assert extent(shown, OWN) == (4, 8, 8, 12)
    assert extent(shown, ASSUMED) == (8, 8, 12, 12)


def test_a_volume_is_never_in_memory_whole(tmp_path: Path) -> None:
    array = np.zeros((64, 64, 400), dtype=np.int16)
    illustrate = write_pair(tmp_path, array=array)
    assert illustrate(of_volume()) is not None  # what is imported once is no part of it
    tracemalloc.start()
    illustrate(of_volume())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < array.nbytes / 2


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((1, 1, 1), (LONGEST, LONGEST)),
        ((1, 200, 3), (NARROWEST, LONGEST)),
        ((700, 2, 1), (LONGEST, NARROWEST)),
    ],
)
def test_volumes_of_any_shape_are_drawn(
    tmp_path: Path, shape: tuple[int, int, int], size: tuple[int, int]
) -> None:
    illustrate = write_pair(tmp_path, np.ones(shape, np.uint8), array=np.ones(shape, np.int16))
    for found in (of_volume(), of_mask(), of_mask("mask-translated"), of_volume((0, 0, 0))):
        picture = illustrate(found)
        assert picture is not None
        assert (picture.width, picture.height) == size


@pytest.mark.parametrize(
    "values", [[np.nan], [7.0], [np.inf, 1.0], [-1e308, 1e308], [np.nan, 0.0, 5.0]]
)
def test_values_of_any_kind_are_drawn(tmp_path: Path, values: list[float]) -> None:
    array = np.resize(np.array(values), SIZE)
    assert write_pair(tmp_path, array=array)(of_volume()) is not None


SIDES = st.tuples(*[st.integers(1, 6)] * 3)
GEOMETRIES = st.fixed_dictionaries(
    {
        "volume": SIDES,
        "mask": SIDES,
        "place": st.tuples(*[st.sampled_from([0.0, 0.4, -3.0, 1e5, 1e30])] * 3),
        "size": st.tuples(*[st.sampled_from([1e-12, 0.3, 1.0, 50.0, 1e12])] * 3),
        "angle": st.sampled_from([0.0, 0.3, np.pi / 4, np.pi]),
        "value": st.integers(0, 1),
    }
)


@untimed
@given(
    given_=GEOMETRIES,
    code=st.sampled_from([*sorted(pictures.MISALIGNED), "labels-scaled"]),
    voxel=st.none() | st.tuples(*[st.integers(-1, 6)] * 3),
)
def test_no_geometry_raises(
    tmp_path_factory: pytest.TempPathFactory, given_: dict[str, Any], code: str, voxel: Any
) -> None:
    turn, angle = np.eye(4), given_["angle"]
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine = turn @ np.diag([*given_["size"], 1.0])
    affine[:3, 3] = given_["place"]
    folder = tmp_path_factory.mktemp("any")
    mask = np.full(given_["mask"], given_["value"], np.uint8)
    illustrate = write_pair(folder, mask, affine, np.zeros(given_["volume"], np.int16))
    picture = illustrate(of_mask(code, voxel))
    grid = illustrate.dataset.items[0].masks[0].grid
    if max(given_["place"]) > 1e29 or grid.problem:
        assert picture is None
    if picture is not None:
        assert max(pixels(picture).shape) == LONGEST
    assert (picture is not None) or np.abs(affine).max() > 1e11 or bool(grid.problem)


@pytest.mark.parametrize("path", ["", "gone.nii", "readme.pdf"])
def test_what_is_no_file_of_an_item_has_no_picture(tmp_path: Path, path: str) -> None:
    assert write_pair(tmp_path)(finding("file-unused", path, "m")) is None


def test_damaged_files_have_no_picture_and_a_report_goes_on(tmp_path: Path) -> None:
    illustrate = write_pair(tmp_path, block((2, 2, 2), (5, 5, 5)))
    whole = (tmp_path / "V" / "liver.nii").read_bytes()
    (tmp_path / "V" / "liver.nii").write_bytes(whole[:1000])
    assert illustrate(of_mask()) is None
    (tmp_path / "V" / "liver.nii").unlink()
    assert illustrate(of_mask()) is None
    Findings([of_mask(), of_volume()], illustrate=illustrate).save(tmp_path / "out" / "a.html")
    assert (tmp_path / "out" / "a.html").read_text(encoding="utf-8").count("<img") == 1


@pytest.mark.parametrize("which", ["volume", "mask"])
def test_an_image_without_a_usable_place_has_no_picture(tmp_path: Path, which: str) -> None:
    flat = np.diag([1.0, 0.0, 1.0, 1.0])
    affines = {"volume": UNIT, "mask": UNIT, which: flat}
    mask = block((2, 2, 2), (5, 5, 5))
    write_array(tmp_path / "V.nii", np.zeros(SIZE, np.int16), affine=affines["volume"])
    write_array(tmp_path / "V" / "liver.nii", mask, affine=affines["mask"])
    illustrate = Illustrator(nk.scan(tmp_path))
    assert illustrate(of_mask()) is None
    assert (illustrate(of_volume()) is None) == (which == "volume")


def test_sides_of_the_patient_are_written_at_the_edges(tmp_path: Path) -> None:
    array = np.full(SIZE, 500, dtype=np.int16)
    array[0] = 0
    shown = pixels(write_pair(tmp_path, array=array)(of_volume()))
    for rows, columns in (
        (slice(105, 135), slice(0, 20)),
        (slice(105, 135), slice(205, 240)),
        (slice(0, 22), slice(105, 135)),
        (slice(218, 240), slice(105, 135)),
    ):
        assert (shown[rows, columns] == paint.EDGE).all(axis=-1).any()
        assert (shown[rows, columns] == paint.INK).all(axis=-1).any()
