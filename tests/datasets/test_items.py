"""Items: a volume with its masks and tables."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from nifti_kit.datasets.items import Item, MaskFile, TableFile
from tests.support.layout_files import image

MASK = MaskFile(image("in/axl_mask.nii"), 2)
FIRST = TableFile(Path("/a/axl_score.csv"), PurePosixPath("axl_score.csv"))
SECOND = TableFile(Path("/a/axl_score_1.csv"), PurePosixPath("axl_score_1.csv"), 1)


def test_a_mask_has_the_path_and_grid_of_its_image() -> None:
    assert MASK.path == Path("/nowhere/in/axl_mask.nii")
    assert MASK.relative == PurePosixPath("in/axl_mask.nii")
    assert MASK.grid is MASK.image.grid
    assert (MASK.index, MASK.class_name) == (2, None)


def test_a_mask_shows_its_image() -> None:
    assert repr(MASK) == "<in/axl_mask.nii: 5 x 6 x 7, uint8, 2 x 3 x 5 mm, RAS>"


def test_the_scores_of_an_item_are_its_first_table() -> None:
    assert Item("a.nrrd", None, tables=(FIRST, SECOND)).scores == Path("/a/axl_score.csv")
    assert Item("a.nrrd", None).scores is None


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (Item("a.nrrd", image("a.nii")), "<Item a.nrrd: 0 mask files>"),
        (Item("a.nrrd", None, (MASK,)), "<Item a.nrrd: 1 mask file>"),
        (
            Item("a.nrrd", None, (MASK, MASK), (FIRST,), segmentation="semantic"),
            "<Item a.nrrd: 2 mask files, semantic, scores>",
        ),
    ],
    ids=["volume alone", "one mask", "everything"],
)
def test_an_item_shows_its_name_masks_kind_and_scores(item: Item, text: str) -> None:
    assert repr(item) == text


def test_items_and_masks_of_the_same_content_are_not_the_same() -> None:
    """Each is the key under which its survey is kept."""
    assert Item("a.nrrd", None) != Item("a.nrrd", None)
    assert MaskFile(MASK.image) != MaskFile(MASK.image)
