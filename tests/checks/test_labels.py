"""Rules about the values of label maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.checks.labels import (
    label_disconnected,
    label_specks,
    labels_gradient,
    mask_full,
    scaling_ignored,
)
from nifti_kit.core.findings import Finding
from nifti_kit.datasets.surveys import survey_item
from nifti_kit.formats import components
from nifti_kit.formats.components import survey_shapes
from tests.support.builders import SHAPE, labels, write_nifti
from tests.support.handmade import write_array

ONE_FRAME = (
    "the file holds values that are no labels; found {} in frame 4 of 7; "
    "expected integers from 0 to 65535"
)
FRACTION = (
    "the file holds values that are no labels: it looks like a probability map (of its 1 value "
    "other than 0, 100% lie between 0 and 1, 0% are whole); "
    "found the value {} in frame 4 of 7; expected integers from 0 to 65535"
)


def with_value(value: Any, dtype: str) -> np.ndarray:
    """Return a map of one odd value in the fourth frame."""
    array = np.zeros(SHAPE, dtype)
    array[1, 2, 3] = value
    return array


OWN = {"labels-unusable", "labels-rounded", "labels-scaled", "mask-empty"}


class Case(NamedTuple):
    """A label map and what is found."""

    array: np.ndarray
    code: str = ""
    severity: str = ""
    message: str = ""
    slope: float | None = None


CASES = {
    "integers": Case(labels()),
    "floats that are integers": Case(labels().astype("f4")),
    "the largest label": Case(with_value(65535, "u2")),
    "a fraction": Case(
        with_value(0.9882, "f4"), "labels-unusable", "error", FRACTION.format("0.9882")
    ),
    "NaN": Case(
        with_value(np.nan, "f4"),
        "labels-unusable",
        "error",
        ONE_FRAME.format("values that are not finite (NaN or infinite)"),
    ),
    "negative": Case(
        with_value(-1, "i2"), "labels-unusable", "error", ONE_FRAME.format("the negative value -1")
    ),
    "too large": Case(
        with_value(65536, "i4"), "labels-unusable", "error", ONE_FRAME.format("the value 65536")
    ),
    "rounded": Case(with_value(2.0004, "f4"), "labels-rounded", "note", "1 voxel was rounded"),
    "scaled in steps below 1": Case(
        labels(values=(1, 3, 4)),
        "labels-scaled",
        "note",
        "scl_slope 0.714286, scl_inter 0; 15 voxels up to 0.286 beside a whole number, within "
        "half a step (0.357), were read as that number",
        5 / 7,
    ),
    "empty": Case(np.zeros(SHAPE, "u1"), "mask-empty", "warning", "no voxel is labelled"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_the_values_of_a_label_map_are_checked(case: Case, tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii")
    write_nifti(tmp_path / "CT" / "lung.nii", case.array, slope=case.slope)
    dataset = nk.scan(tmp_path)
    found = nk.check(dataset)
    expected = [(case.code, case.severity, "CT/lung.nii", case.message)] if case.code else []
    ours = [f for f in found if f.code in OWN]
    assert [(f.code, f.severity, f.path, f.message) for f in ours] == expected
    assert not nk.check(nk.scan(tmp_path), voxels=False).by_code().keys() & OWN


def test_a_probability_map_is_an_error_and_asks_for_a_threshold(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii")
    write_nifti(tmp_path / "CT" / "lung.nii", np.linspace(0, 1, 210, dtype="f4").reshape(SHAPE))
    (error,) = nk.check(nk.scan(tmp_path)).errors
    assert error.code == "labels-unusable"
    assert error.message == (
        "the file holds values that are no labels: it looks like a probability map (of its 209 "
        "values other than 0, 100% lie between 0 and 1, 0.5% are whole); found the value 0.502392 "
        "in frame 1 of 7; expected integers from 0 to 65535"
    )
    assert error.remedy == (
        "Choose a threshold: nk.repairs.round_labels(dataset, 'CT/lung.nii', threshold=0.5), or "
        "save the mask anew."
    )


def test_a_mask_that_is_cut_short_is_an_error(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii")
    noise = np.random.default_rng(7).integers(0, 5, (40, 40, 40)).astype("u1")
    path = write_nifti(tmp_path / "CT" / "lung.nii.gz", noise)
    path.write_bytes(path.read_bytes()[:-20])
    found = nk.check(nk.scan(tmp_path)).by_code()["file-unreadable"]
    assert [(f.severity, f.path) for f in found] == [("error", "CT/lung.nii.gz")]
    assert found[0].message.startswith("its voxels cannot be read to the end; found ")


def looked_at(folder: Path, array: np.ndarray, **choices: Any) -> list[Finding]:
    """Return what the rules of the closer look find in one mask."""
    write_nifti(folder / "CT.nii")
    write_nifti(folder / "CT" / "lung.nii", array)
    dataset = nk.scan(folder, **choices)
    (item,) = dataset.items
    (mask,) = survey_item(dataset, item).masks
    surveyed = survey_shapes(mask.mask.image)
    return [
        *mask_full(mask),
        *label_specks(mask, surveyed),
        *label_disconnected(item, mask, surveyed),
        *labels_gradient(mask, surveyed),
    ]


def said(found: list[Finding]) -> list[tuple[str, str, Any]]:
    assert {f.path for f in found} <= {"CT/lung.nii"}
    return [(f.code, f.message, f.voxel) for f in found]


def test_a_mask_without_background_is_named(tmp_path: Path) -> None:
    message = "every one of its 210 voxels is 3"
    assert said(looked_at(tmp_path, np.full(SHAPE, 3, "u1"))) == [("mask-full", message, None)]


def test_a_parcellation_without_background_is_no_full_mask(tmp_path: Path) -> None:
    halves = np.ones(SHAPE, "u1")
    halves[:2] = 2
    assert looked_at(tmp_path, halves) == []


def test_an_only_voxel_is_full_and_a_speck(tmp_path: Path) -> None:
    assert said(looked_at(tmp_path, np.ones((1, 1, 1), "u1"))) == [
        ("mask-full", "every one of its 1 voxel is 1", None),
        ("label-specks", "its only label has fewer than 10 voxels: value 1 (1 voxel)", (0, 0, 0)),
    ]


def blocks(sizes: dict[int, int]) -> np.ndarray:
    """Return values as rods of the given lengths along i, apart from each other."""
    array = np.zeros((20, 2 * len(sizes), 1), "u2")
    for row, (value, length) in enumerate(sizes.items()):
        array[1 : 1 + length, 2 * row, 0] = value
    return array


def test_labels_of_few_voxels_are_listed_with_a_place(tmp_path: Path) -> None:
    assert said(looked_at(tmp_path, blocks({1: 10, 2: 9, 300: 1}))) == [
        (
            "label-specks",
            "2 of its 3 labels have fewer than 10 voxels: value 2 (9 voxels); value 300 (1 voxel)",
            (1, 2, 0),
        )
    ]


def test_one_speck_among_labels_is_said_to_be_one(tmp_path: Path) -> None:
    (found,) = looked_at(tmp_path, blocks({1: 10, 2: 9}))
    assert found.message == "1 of its 2 labels has fewer than 10 voxels: value 2 (9 voxels)"


def test_many_specks_are_counted(tmp_path: Path) -> None:
    (found,) = looked_at(tmp_path, blocks(dict.fromkeys(range(1, 9), 2)))
    assert found.message.startswith("8 of its 8 labels have fewer than 10 voxels: value 1 (2 vox")
    assert found.message.endswith("; value 5 (2 voxels); and 3 more")


def parted() -> np.ndarray:
    array = blocks({1: 12, 2: 15, 3: 12})
    array[15, 0, 0] = array[17, 0, 0] = 1
    array[4, 4, 0] = 0
    return array


@pytest.mark.parametrize(
    ("segmentation", "kind"), [("instance", "2 objects"), ("semantic", "2 labels")]
)
def test_labels_in_parts_are_listed_with_the_place_of_the_second_part(
    segmentation: str, kind: str, tmp_path: Path
) -> None:
    assert said(looked_at(tmp_path, parted(), segmentation=segmentation)) == [
        (
            "label-disconnected",
            (
                f"{kind} split into parts: value 1 has 3 (the largest 12 voxels, 2 of them under "
                "10 voxels); value 3 has 2 (the largest 8 voxels, 2 of them under 10 voxels)"
            ),
            (15, 0, 0),
        )
    ]


def test_one_label_in_two_large_parts_has_no_specks(tmp_path: Path) -> None:
    array = np.zeros((5, 4, 4), "u1")
    array[0], array[2] = 1, 1
    (found,) = looked_at(tmp_path, array)
    message = "an object splits into parts: value 1 has 2 (the largest 16 voxels)"
    assert found.message == message


def test_too_many_parts_to_be_told_apart_are_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(components, "MAX_PIECES", 2)
    assert said(looked_at(tmp_path, blocks({1: 12, 2: 12, 3: 12}))) == [
        (
            "label-disconnected",
            "more than 250,000 pieces in its frames: too many to join to parts",
            None,
        )
    ]


def test_a_ramp_is_no_label_map_and_its_specks_are_not_listed(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.arange(30, dtype="u1")[:, None, None], (30, 6, 3))
    step = np.add.outer(np.arange(30), 7 * np.arange(6))[:, :, None] % 60
    assert said(looked_at(tmp_path / "steps", (step * np.ones(3)).astype("u1"))) == [
        (
            "labels-gradient",
            (
                "it looks like a probability map or a picture: 59 values up to 59, and 100% of "
                "neighbouring labelled voxels differ"
            ),
            None,
        )
    ]
    assert [f.code for f in looked_at(tmp_path / "ramp", ramp)] == ["labels-gradient"]


def resampled() -> np.ndarray:
    """Return a ball of 255 whose rim has the values between, scattered."""
    at = np.indices((31, 31, 31)) - 15
    distance = np.sqrt((at**2).sum(axis=0))
    return np.rint(255 * np.clip(13.5 - distance, 0, 1)).astype("u1")


def test_a_mask_that_was_resampled_with_interpolation_is_no_label_map(tmp_path: Path) -> None:
    array = resampled()
    (found,) = looked_at(tmp_path, array)
    counts = np.sort(np.bincount(array[array > 0]))[::-1]
    share = counts[:5].sum() / counts.sum()
    assert (found.code, found.message) == (
        "labels-gradient",
        (
            "it looks like a mask resampled with interpolation: 5 of its "
            f"{np.count_nonzero(counts)} values hold {share:.0%} of the labelled voxels, "
            "the others lie scattered between them"
        ),
    )


def test_an_atlas_of_many_labels_is_a_label_map(tmp_path: Path) -> None:
    cells = np.indices((40, 40, 6)) // np.array([8, 8, 6])[:, None, None, None]
    atlas = (1 + cells[0] + 5 * cells[1]).astype("u1")
    assert looked_at(tmp_path, atlas) == []


def test_tiny_objects_beside_large_ones_are_specks_not_rims(tmp_path: Path) -> None:
    sizes = {1: 18, 2: 18, 3: 18, 4: 18, 5: 18, **dict.fromkeys(range(6, 25), 2)}
    assert [f.code for f in looked_at(tmp_path, blocks(sizes))] == ["label-specks"]


def test_an_empty_mask_and_one_that_cannot_be_used_pass_the_closer_look(tmp_path: Path) -> None:
    assert looked_at(tmp_path, np.zeros(SHAPE, "u1")) == []


@pytest.mark.parametrize("of", ["CT.nii", "CT/lung.nii"])
def test_a_scaling_that_is_not_finite_is_named(of: str, tmp_path: Path) -> None:
    for name in ("CT.nii", "CT/lung.nii"):
        fields = {"scl_slope": np.inf, "scl_inter": 2} if name == of else {}
        write_array(tmp_path / name, labels(), **fields)
    (item,) = nk.scan(tmp_path).items
    assert [(f.code, f.severity, f.path, f.message) for f in scaling_ignored(item)] == [
        (
            "scaling-ignored",
            "warning",
            of,
            "scl_slope inf with scl_inter 2; the stored numbers were used as they are",
        )
    ]
