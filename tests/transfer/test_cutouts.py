"""Masks that cover a part of their volume: they land where they were, with zeros around them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.errors import PlanBlocked
from tests.support.builders import AFFINE, SHAPE, labels, write_nifti
from tests.support.landings import land, quiet, write_annotations, write_foreign
from tests.support.uploads import api, new_dataset, new_project

BOX = (slice(0, 3), slice(1, 4), slice(2, 6))
"""What holds all labels of the builders, and more; it begins beyond 0 along j and k."""


def part(array: np.ndarray, affine: np.ndarray = AFFINE, box: tuple = BOX) -> tuple:
    """Return what is in a box, and the affine of its place."""
    moved = np.array(affine)
    moved[:3, 3] = (affine @ [*(side.start for side in box), 1])[:3]
    return array[box], moved


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    for plane in ("axl", "cor", "sag"):
        write_nifti(folder / f"{plane}_anatomic.nii.gz")
        write_nifti(folder / f"{plane}_inference.nii.gz", *part(labels()))
        (folder / f"{plane}_score.csv").write_text("Layer,Label-1\n1,0.25\n")
    return folder


@pytest.fixture(params=["folder", pytest.param("instance", marks=pytest.mark.sly)])
def target(request: pytest.FixtureRequest, tmp_path: Path, platform: Any) -> Any:
    if request.param == "folder":
        return nk.ProjectFolder(tmp_path / "p", dataset="d")
    return nk.Instance(api(platform), new_dataset(platform, new_project(platform)))


SLICES = {"axl": ("0-0-1", "2"), "cor": ("0-1-0", "1"), "sag": ("1-0-0", "0")}
"""Where frame 1 of the part lies in the volume, by plane: where the box begins."""


def test_a_part_lands_at_the_size_of_its_volume_with_its_scores(source: Path, target: Any) -> None:
    receipt = land(source, target)
    for landed in receipt.objects:
        mask = np.stack([page != 0 for page in target.iter_mask(landed.ref)], axis=2)
        np.testing.assert_array_equal(mask, labels() == landed.planned.value)
        grid = target.mask_grid(landed.ref)
        assert grid.shape == SHAPE
        np.testing.assert_allclose(grid.affine, AFFINE, atol=1e-9)
        plane = landed.planned.mask.relative.name[:3]
        normal, at = SLICES[plane]
        expected = {normal: {at: {"score": "0.25", "comment": None}}}
        assert landed.planned.scores == (expected if landed.planned.value == 1 else {})
    proof = nk.verify(receipt, target)
    assert proof.ok
    assert {row.compared for row in proof.objects} == {3 * 3 * 4}


def test_the_scores_of_a_part_are_a_warning_that_says_how_they_are_read(source: Path) -> None:
    found = nk.check(nk.scan(source)).by_code()
    assert len(found["scores-of-cutout"]) == 3
    assert found["mask-cropped"][0].message == (
        "3 x 3 x 4 of the 5 x 6 x 7 voxels of its volume axl_anatomic.nii.gz, "
        "from its voxel 0, 1, 2 on"
    )


def test_a_part_that_was_resampled_first_has_its_scores_on_the_volumes_frames(source: Path) -> None:
    dataset = nk.scan(source)
    cropped = nk.check(dataset, voxels=False).by_code()["mask-cropped"]
    repair = nk.repairs.resample(dataset, cropped)
    assert "scores-of-cutout" not in nk.check(repair.dataset).by_code()
    plan = nk.plan(repair.dataset)
    scored = [planned.scores for planned in plan.objects if planned.scores]
    assert [list(next(iter(one.values()))) for one in scored] == [["0"]] * 3
    assert not repair.lost


def test_the_same_part_is_kept_and_another_is_not(source: Path, tmp_path: Path) -> None:
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    land(source, target)
    again = land(source, target, existing="skip")
    assert not any(landed.added for landed in again.objects)
    changed = labels()
    changed[0, 1, 2] = 0
    write_nifti(source / "axl_inference.nii.gz", *part(changed))
    receipt = land(source, target, existing="replace")
    assert nk.verify(receipt, target).ok


def test_a_landed_part_in_another_place_is_found_by_the_proof(source: Path, tmp_path: Path) -> None:
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    receipt = land(source, target)
    row = receipt.objects[0]
    path = next((tmp_path / "p").rglob(f"mask/*/{row.ref.figure_key}.nrrd"))
    content = path.read_bytes()
    assert content.count(b"space origin: (-10.5,") == 1
    path.write_bytes(content.replace(b"space origin: (-10.5,", b"space origin: (-12.5,"))
    (bad,) = (found for found in nk.verify(receipt, target).objects if not found.ok)
    assert bad.differing > 0


@pytest.mark.parametrize("volume_id", [1, 3], ids=["RAS", "LPS"])
@pytest.mark.parametrize("flip", [False, True])
def test_a_part_lands_on_a_volume_of_the_target_with_its_scores(
    volume_id: int, flip: bool, tmp_path: Path
) -> None:
    path = write_foreign(tmp_path / "p")
    source = write_annotations(tmp_path / "in", volume_id)
    affine = AFFINE
    array = labels()
    if flip:
        mirror = np.diag([1.0, 1, -1, 1])
        mirror[2, 3] = SHAPE[2] - 1
        array, affine = array[:, :, ::-1], AFFINE @ mirror
    box = (slice(0, 4), slice(1, 5), slice(1, 6))
    write_nifti(source / "axl_inference_1.nii.gz", *part(array, affine, box))
    (source / "axl_score_1.csv").write_text("Layer,Label-1\n2,0.5\n")
    target = nk.ProjectFolder(path)
    receipt = land(source, target)
    assert nk.verify(receipt, target).ok
    assert "mask-cropped" in receipt.findings.by_code()
    for landed, value in zip(receipt.objects, (1, 2), strict=True):
        mask, grid = target.mask(landed.ref)
        assert grid == target.volume(volume_id).grid
        places = {tuple(row) for row in grid.world(np.argwhere(mask)).round(3).tolist()}
        world = (np.argwhere(array == value) @ affine[:3, :3].T + affine[:3, 3]).round(3)
        assert places == {tuple(row) for row in world.tolist()}
    frame = 1 + 1  # frame 2 of the part, in the file's order
    at = SHAPE[2] - 1 - frame if flip else frame
    scores = [landed.planned.scores for landed in receipt.objects if landed.planned.scores]
    assert [list(one["0-0-1"]) for one in scores] == [[str(at)]] * len(scores)
    assert scores


def test_a_part_for_another_volume_still_blocks(tmp_path: Path) -> None:
    path = write_foreign(tmp_path / "p")
    array, affine = part(labels())
    source = write_annotations(tmp_path / "in", 1)
    write_nifti(source / "axl_inference_1.nii.gz", array, affine + 0.4 * np.eye(4, k=3))
    with pytest.raises(PlanBlocked, match="mask-resampled"):
        land(source, nk.ProjectFolder(path))


def test_a_part_matches_the_volume_that_its_name_means(source: Path, tmp_path: Path) -> None:
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    land(source, target)
    again = tmp_path / "again"
    write_nifti(again / "axl_inference.nii.gz", *part(labels()))
    dataset = nk.scan(again)
    mapping = nk.match(dataset, target.volumes())
    (row,) = mapping
    assert row.volume is not None
    receipt = nk.upload(
        nk.plan(dataset, mapping=mapping), target, existing="replace", on_progress=quiet
    )
    assert nk.verify(receipt, target).ok
    assert json.loads((tmp_path / "p" / "meta.json").read_text())["classes"]
