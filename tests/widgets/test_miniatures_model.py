"""Miniatures: the item's own plane, its masks, and a mask alone where there is no volume."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

import nifti_kit as nk
from nifti_kit.widgets.inspect import board
from nifti_kit.widgets.inspect.board import LONGEST, miniature
from tests.support.builders import SAMPLES, labels, write_nifti, write_planes


def test_a_picture_is_of_the_plane_of_its_item(tmp_path):
    dataset = nk.scan(write_planes(tmp_path))
    captions = [miniature(dataset, item).caption for item in dataset.items]
    assert [caption.split()[0] for caption in captions] == ["Axial", "Coronal", "Sagittal"]
    assert captions[0] == "Axial slice 2 (0 to 6) with Segment_1, Segment_2."


def test_a_picture_is_small_and_has_colours():
    dataset = nk.scan(SAMPLES / "by_volume")
    picture = miniature(dataset, dataset.items[0])
    pixels = Image.open(io.BytesIO(picture.png))
    assert pixels.size == (picture.width, picture.height)
    assert max(pixels.size) <= LONGEST
    red, green, blue = np.moveaxis(np.asarray(pixels.convert("RGB"), int), 2, 0)
    assert (np.abs(red - green) + np.abs(green - blue) > 60).mean() > 0.02
    assert picture.caption.endswith(" more.")


def test_a_volume_without_masks_is_drawn_too(tmp_path):
    write_nifti(tmp_path / "V.nii")
    dataset = nk.scan(tmp_path)
    caption = miniature(dataset, dataset.items[0]).caption
    assert caption == "Axial slice 3 (0 to 6) with no masks."


def test_a_mask_that_lies_elsewhere_is_said_to(tmp_path):
    write_nifti(tmp_path / "V.nii")
    write_nifti(
        tmp_path / "V" / "liver.nii", labels(), np.diag([1.0, 1, 1, 1]) + 500 * np.eye(4, k=3)
    )
    dataset = nk.scan(tmp_path)
    assert miniature(dataset, dataset.items[0]).caption.endswith(
        " with liver. V/liver.nii lies outside the volume."
    )


def test_masks_without_a_volume_are_drawn_alone():
    dataset = nk.scan(SAMPLES / "annotations_dataset")
    assert miniature(dataset, dataset.items[0]).caption.endswith("Red: the mask.")


def test_scores_alone_have_no_picture(tmp_path):
    (tmp_path / "axl_score.csv").write_text("Layer,Label-1\n1,0.5\n")
    dataset = nk.scan(tmp_path, score_frames="ras")
    assert miniature(dataset, dataset.items[0]) is None


def test_a_damaged_volume_has_no_picture(tmp_path):
    path = write_nifti(
        tmp_path / "V.nii.gz", np.random.default_rng(0).integers(0, 99, (9, 9, 9), np.int16)
    )
    content = path.read_bytes()
    dataset = nk.scan(tmp_path)
    path.write_bytes(content[: len(content) - 60])
    assert miniature(dataset, dataset.items[0]) is None


@pytest.mark.parametrize(
    ("most", "said"), [(1, "Segment_1 and 1 more."), (2, "Segment_1, Segment_2.")]
)
def test_a_caption_names_some_classes_and_counts_the_rest(most, said, tmp_path, monkeypatch):
    monkeypatch.setattr(board, "NAMED", most)
    dataset = nk.scan(write_planes(tmp_path))
    assert miniature(dataset, dataset.items[0]).caption.endswith(f" with {said}")
