"""Miniatures: the right plane, the right way round, in the colours of the classes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

import nifti_kit as nk
from nifti_kit.pages import samples
from nifti_kit.pages.contents import LONGEST
from tests.support.builders import SAMPLES, write_nifti

RED, GREEN = (255, 0, 0), (0, 255, 0)
MAP = "1 right 255 0 0\n2 front 0 255 0\n"


def drawn(folder, name=None):
    page = nk.report(nk.scan(folder))
    picture = page.miniatures[name or page.items[0].item.name]
    pixels = np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB"), dtype=int)
    return picture, pixels


def middle(pixels, color):
    """Return where a colour stands in a picture: line and column, each 0 to 1."""
    tint = pixels - pixels.mean(axis=2, keepdims=True)
    there = tint @ (np.array(color) - np.mean(color)) > 2000
    return np.argwhere(there).mean(axis=0) / pixels.shape[:2]


@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, 1), (-1, -1, -1)])
@pytest.mark.parametrize("most", [192, 20])
def test_the_patients_right_is_on_the_left_whatever_the_order_of_the_file(
    tmp_path, monkeypatch, flips, most
):
    monkeypatch.setattr(samples, "MOST_ALONG", most)
    labels = np.zeros((40, 40, 12), dtype=np.uint8)
    labels[30:38, 16:24] = 1  # in RAS+ order: at the patient's right
    labels[16:24, 30:38] = 2  # and in front
    turned = labels[:: flips[0], :: flips[1], :: flips[2]]
    affine = np.diag([*flips, 1.0])
    affine[:3, 3] = [0 if way > 0 else n - 1 for way, n in zip(flips, labels.shape, strict=True)]
    grey = np.where(turned == 1, 1000, 0).astype(np.int16)
    write_nifti(tmp_path / "V_axl_anatomic.nii.gz", grey, affine)
    write_nifti(tmp_path / "V_axl_inference.nii.gz", np.ascontiguousarray(turned), affine)
    (tmp_path / "color_map.txt").write_text(MAP)
    picture, pixels = drawn(tmp_path)
    assert picture.caption == "Axial, right, front"
    # The patient's right is low in columns, the front low in lines.
    assert middle(pixels, RED) == pytest.approx((0.5, 6 / 40), abs=0.05)
    assert middle(pixels, GREEN) == pytest.approx((6 / 40, 0.5), abs=0.05)
    bright = np.argwhere(pixels.max(axis=2) > 240).mean(axis=0) / pixels.shape[:2]
    assert bright == pytest.approx((0.5, 6 / 40), abs=0.05)


def test_each_item_is_drawn_in_its_own_plane():
    page = nk.report(nk.scan(SAMPLES / "by_plane_semantic"))
    planes = [picture.caption.split(",")[0] for picture in page.miniatures.values()]
    assert planes == ["Axial", "Coronal", "Sagittal"]


def test_pixels_have_one_size_in_mm(tmp_path):
    write_nifti(tmp_path / "V.nii.gz", np.zeros((40, 20, 3), np.int16), np.diag([1, 4, 9, 1.0]))
    picture, _ = drawn(tmp_path)
    assert (picture.width, picture.height) == (LONGEST // 2, LONGEST)
    assert picture.caption == "Axial, no masks"


def test_masks_without_a_volume_are_drawn_on_black():
    picture, pixels = drawn(SAMPLES / "annotations_dataset")
    assert (pixels.sum(axis=2) == 0).mean() > 0.5
    assert picture.caption.startswith("Axial, ")
    assert (np.ptp(pixels, axis=2) > 60).any()


def test_what_cannot_be_read_or_placed_has_no_picture(tmp_path):
    noise = np.random.default_rng(0).integers(0, 9999, (20, 20, 20)).astype(np.int16)
    path = write_nifti(tmp_path / "cut.nii.gz", noise)
    path.write_bytes(path.read_bytes()[:-9])
    flat = bytearray(write_nifti(tmp_path / "flat.nii").read_bytes())
    flat[312:328] = bytes(16)  # srow_z: no direction
    (tmp_path / "flat.nii").write_bytes(flat)
    page = nk.report(nk.scan(tmp_path))
    assert len(page.items) == 2
    assert page.miniatures == {}
    assert not page.ok
