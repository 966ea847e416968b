"""Rules about several annotation files of one volume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import nifti_kit as nk
from nifti_kit.checks import overlaps
from nifti_kit.checks.overlaps import masks_overlap
from nifti_kit.core.findings import Finding
from nifti_kit.datasets import reading
from tests.support.builders import AFFINE, SHAPE, labels, write_nifti, write_planes
from tests.support.handmade import write_array
from tests.support.properties import untimed

FLIPPED = AFFINE @ np.array([[-1, 0, 0, 4], [0, 1, 0, 0], [0, 0, -1, 6], [0, 0, 0, 1]])
"""The voxels of AFFINE with i and k running backwards."""
PERMUTED = AFFINE @ np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
"""The voxels of AFFINE stored as (j, k, i)."""


def filled(*box: slice) -> np.ndarray:
    array = np.zeros(SHAPE, dtype=np.uint8)
    array[box] = 1
    return array


def found(folder: Path, masks: dict[str, np.ndarray], affines: dict[str, np.ndarray]) -> list:
    write_nifti(folder / "CT.nii")
    for name, array in masks.items():
        write_nifti(folder / "CT" / f"{name}.nii", array, affines.get(name, AFFINE))
    return found_in(folder)


def found_in(folder: Path) -> list[Finding]:
    dataset = nk.scan(folder)
    looked = reading.look_at_items(dataset, dataset.items)
    return [f for survey, looks in looked for f in masks_overlap(looks, survey)]


LUNG = filled(slice(0, 3), slice(1, 5), slice(2, 6))
TUMOR = filled(slice(2, 5), slice(4, 6), slice(5, 7))
STORED = {
    "as the other one": (TUMOR, AFFINE, (2, 4, 5)),
    "flipped": (TUMOR[::-1, :, ::-1], FLIPPED, (2, 4, 1)),
    "permuted": (TUMOR.transpose(1, 2, 0), PERMUTED, (4, 5, 2)),
}


@pytest.mark.parametrize("stored", STORED.values(), ids=list(STORED))
def test_the_voxels_that_two_files_share_are_counted_in_any_voxel_order(tmp_path, stored):
    array, affine, voxel = stored
    (one,) = found(tmp_path, {"lung": LUNG, "tumor": array}, {"tumor": affine})
    assert (one.code, one.severity, one.path) == ("masks-overlap", "warning", "CT/tumor.nii")
    assert one.message == "lung.nii (lung) and tumor.nii (tumor): 1 voxel is in both"
    assert one.voxel == voxel
    assert array[one.voxel] == 1


def test_what_is_kept_is_compared_with_what_finds_no_room_and_has_another_order(
    tmp_path, monkeypatch
):
    """The runs of the lung take 32 bytes, those of the trunk 84."""
    monkeypatch.setattr(reading, "MARKS_BYTES", 40)
    body = np.ones(SHAPE, dtype=np.uint8)
    (one,) = found(tmp_path, {"lung": LUNG, "trunk": body}, {"trunk": FLIPPED})
    assert one.message.endswith(": 48 voxels are in both, all of lung.nii")


def test_a_file_that_lies_in_another_one_is_said_to(tmp_path):
    inner = filled(slice(1, 3), slice(2, 4), slice(3, 5))
    (one,) = found(tmp_path, {"lung": LUNG, "tumor": inner}, {})
    assert one.message == (
        "lung.nii (lung) and tumor.nii (tumor): 8 voxels are in both, all of tumor.nii"
    )


def test_boxes_that_meet_are_no_overlap(tmp_path):
    one, other = (np.zeros(SHAPE, dtype=np.uint8) for _ in range(2))
    one[0, 0, 0] = one[4, 5, 6] = other[2, 3, 3] = 1
    assert found(tmp_path, {"a": one, "b": other}, {}) == []


def test_files_in_planes_are_named_by_their_index(tmp_path):
    write_planes(tmp_path)
    for plane in ("axl", "cor", "sag"):
        (tmp_path / f"{plane}_inference.nii.gz").unlink()
    write_nifti(tmp_path / "axl_inference_1.nii", labels())
    write_nifti(tmp_path / "axl_inference_2.nii", labels())
    assert [f.message for f in found_in(tmp_path)] == [
        (
            "axl_inference_1.nii (index 1) and axl_inference_2.nii (index 2): "
            "10 voxels are in both, all of axl_inference_2.nii"
        )
    ]


def test_annotations_without_a_volume_are_compared_too(tmp_path):
    write_nifti(tmp_path / "axl_inference_1.nii", labels())
    write_nifti(tmp_path / "axl_inference_2.nii", labels()[::-1, :, ::-1], FLIPPED)
    assert [f.path for f in found_in(tmp_path)] == ["axl_inference_2.nii"]


def test_files_on_other_grids_empty_ones_and_unusable_ones_are_not_compared(tmp_path):
    half = LUNG.astype(np.float32) / 2
    beside = AFFINE + np.array([[0, 0, 0, 0.9], [0] * 4, [0] * 4, [0] * 4])
    write_array(tmp_path / "CT" / "e.nii", LUNG, affine=AFFINE * [[np.nan], [1], [1], [1]])
    masks = {"a": LUNG, "b": LUNG, "c": LUNG * 0, "d": half}
    assert found(tmp_path, masks, {"b": beside}) == []


ORDERS = [(lambda a: a, AFFINE), (lambda a: a[::-1, :, ::-1], FLIPPED)]
ORDERS.append((lambda a: a.transpose(1, 2, 0), PERMUTED))
PART = (slice(1, 5), slice(0, 5), slice(2, 7))
ORDERS.append(
    (lambda a: a[PART], AFFINE @ [[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 2], [0, 0, 0, 1]])
)
MASKS = st.lists(
    st.tuples(
        arrays(np.uint8, SHAPE, elements=st.sampled_from([0, 0, 0, 1, 3])), st.integers(0, 3)
    ),
    min_size=2,
    max_size=5,
)


@untimed
@given(
    masks=MASKS, open_files=st.sampled_from([2, 3, 4, 100]), kept=st.sampled_from([0, 400, 2**20])
)
def test_every_pair_is_counted_once_whatever_is_kept_and_read_at_once(
    tmp_path_factory, masks, open_files, kept
):
    folder = tmp_path_factory.mktemp("overlaps")
    for array, order in masks:
        if order == len(ORDERS) - 1:  # it holds a part: there is nothing beside it
            array[filled(*PART) == 0] = 0
    write_nifti(folder / "CT.nii")
    for name, (array, order) in zip("abcde", masks, strict=False):
        reorder, affine = ORDERS[order]
        write_nifti(folder / "CT" / f"{name}.nii", reorder(array), affine)
    expected = {
        (one, other): int(np.count_nonzero(masks[one][0].astype(bool) & (masks[other][0] > 0)))
        for other in range(len(masks))
        for one in range(other)
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlaps, "OPEN_FILES", open_files)
        patch.setattr(overlaps, "PIECES_AT_ONCE", 4)
        patch.setattr(overlaps, "MARKS_BYTES", kept)
        patch.setattr(reading, "MARKS_BYTES", kept)
        seen = found_in(folder)
    names = [("abcde".index(f.message[0]), "abcde".index(f.path[3])) for f in seen]
    counts = [int(f.message.split(": ")[1].split(" ")[0]) for f in seen]
    assert len(set(names)) == len(names)
    assert dict(zip(names, counts, strict=True)) == {k: v for k, v in expected.items() if v}
    for (_, other), one in zip(names, seen, strict=True):
        reorder, _ = ORDERS[masks[other][1]]
        assert reorder(masks[other][0])[one.voxel] > 0
