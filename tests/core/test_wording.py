"""Numbers in words."""

from __future__ import annotations

import pytest

from nifti_kit.core.text import counted


@pytest.mark.parametrize(
    ("count", "noun", "said"),
    [
        (0, "volume", "0 volumes"),
        (1, "volume", "1 volume"),
        (2, "class", "2 classes"),
        (1, "class", "1 class"),
        (15818166, "voxel", "15,818,166 voxels"),
    ],
)
def test_a_count_is_said_with_its_noun(count: int, noun: str, said: str) -> None:
    assert counted(count, noun) == said
