"""Which layout a source has, by the names of its NIfTI files."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from nifti_kit.datasets.layouts import LAYOUTS, detect_layout, group_files
from tests.support.layout_files import files

BY_PLANE = [
    ["axl_anatomic.nii", "cor_anatomic.nii", "sag_anatomic.nii"],
    ["axl_anatomic.nii", "notes.nii"],
    ["x/AXL-Anatomical.NII.GZ", "x/AXL-mask.NII.GZ"],
    ["kneeaxl_anatomic.nii"],
    ["CTChest.nii.gz", "CTChest/lung.nii.gz", "set/axl_anatomic.nii"],
]

ANNOTATIONS = [
    ["axl_inference_1.nii", "axl_inference_2.nii", "cor_inference_1.nii"],
    ["dataset_1/axl_inference_1.nii", "dataset_2/axl_inference_1.nii"],
    ["sag_mask.nii.gz"],
    ["kneecor_seg.nii"],
]

BY_VOLUME = [
    [],
    ["CTChest.nii.gz", "CTChest/lung.nii.gz", "Spine.nii.gz"],
    ["brain.nii.gz", "brain/cortex.nii.gz"],
    ["brain.nii.gz", "brain/corpus_callosum.nii.gz", "brain/sagittal_sinus.nii.gz"],
    ["brain.nii.gz", "brain/cortex_mask.nii.gz"],
    ["knee_score.nii.gz", "knee_score/record.nii.gz"],
    ["axl.nii", "cor.nii", "sag.nii"],
    ["knee_anatomic.nii", "knee_mask.nii"],
    ["axl_inference_1.nii", "CTChest.nii.gz"],
    ["axl_inference_1.nii", "knee_inference_1.nii"],
    ["axl_cor_anatomic.nii"],
    ["axl_anatomic_mask.nii"],
]


@pytest.mark.parametrize(
    ("names", "layout"),
    [
        *((names, "by_plane") for names in BY_PLANE),
        *((names, "annotations") for names in ANNOTATIONS),
        *((names, "by_volume") for names in BY_VOLUME),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, list) else value,
)
def test_the_names_say_the_layout(names: list[str], layout: str) -> None:
    assert detect_layout(map(PurePosixPath, names)) == layout


def test_there_are_three_layouts() -> None:
    assert LAYOUTS == ("by_volume", "by_plane", "annotations")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_items_come_in_natural_order(layout: str) -> None:
    word = "mask" if layout == "annotations" else "anatomic"
    names = [f"item_{n}/{plane}_{word}.nii" for n in (10, 9) for plane in ("sag", "axl")]
    grouping = group_files(layout, files(*names))
    assert [item.name for item in grouping.items] == [
        f"item_{n}_{plane}_{word}.nrrd" for n in (9, 10) for plane in ("axl", "sag")
    ]
