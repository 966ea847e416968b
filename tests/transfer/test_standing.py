"""A plan held against what stands on a target, whoever landed it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.errors import PlanBlocked
from tests.support.builders import labels, volume, write_nifti
from tests.support.landings import edit_json, land, write_scored_planes


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    write_scored_planes(folder)
    return folder


def plan_of(source: Path) -> nk.plan:
    return nk.plan(nk.scan(source))


def target_of(tmp_path: Path) -> nk.ProjectFolder:
    return nk.ProjectFolder(tmp_path / "p", "d")


def reasons(proof: nk.verify) -> list[str]:
    return [row.why for row in proof.failures]


def test_what_landed_is_proved_by_its_plan_alone(tmp_path: Path, source: Path) -> None:
    receipt = land(source, target_of(tmp_path))
    proof = nk.verify(plan_of(source), target_of(tmp_path), on_item=print)
    assert proof.ok
    assert len(proof.objects) == len(receipt.objects)
    assert not proof.extra


def test_nothing_on_the_target_is_all_missing(tmp_path: Path, source: Path) -> None:
    target_of(tmp_path)
    plan = plan_of(source)
    land_other = tmp_path / "other"
    write_nifti(land_other / "case.nii.gz", volume())
    land(land_other, target_of(tmp_path))
    proof = nk.verify(plan, target_of(tmp_path), on_item=print)
    assert len(proof.failures) == len(plan.items) + len(plan.objects)


def test_a_missing_object_another_score_and_another_voxel_are_each_told(
    tmp_path: Path, source: Path
) -> None:
    land(source, target_of(tmp_path))
    ann = tmp_path / "p" / "d" / "ann"
    first, second, third = sorted(ann.glob("*.json"))
    edit_json(second, lambda told: [told["objects"].clear(), told["spatialFigures"].clear()])
    edit_json(first, lambda told: told["spatialFigures"][0]["customData"].clear())
    changed = source / f"{third.name.partition('_')[0]}_inference.nii.gz"
    write_nifti(changed, np.roll(labels(), 1, axis=1))
    proof = nk.verify(plan_of(source), target_of(tmp_path), on_item=print)
    said = "\n".join(reasons(proof))
    assert "it is not on the target" in said
    assert "scores differ" in said
    assert "voxels differ" in said


def test_an_object_of_another_class_is_missing_and_is_named_as_one_of_others(
    tmp_path: Path, source: Path
) -> None:
    land(source, target_of(tmp_path))
    path = min((tmp_path / "p" / "d" / "ann").glob("*.json"))
    edit_json(path, lambda told: told["objects"][0].update(classTitle="Other"))
    proof = nk.verify(plan_of(source), target_of(tmp_path), on_item=print)
    assert "it is not on the target" in reasons(proof)
    assert [one.class_name for one in proof.extra] == ["Other"]


def test_two_objects_of_one_class_are_told_apart_by_their_voxels(tmp_path: Path) -> None:
    source = tmp_path / "in"
    write_nifti(source / "case.nii.gz", volume())
    write_nifti(source / "case" / "cyst.nii.gz", labels(values=(1, 2)))
    land(source, target_of(tmp_path))
    path = tmp_path / "p" / "d" / "ann" / "case.nrrd.json"
    edit_json(path, lambda told: told["objects"].reverse())
    edit_json(path, lambda told: told["spatialFigures"].reverse())
    assert nk.verify(plan_of(source), target_of(tmp_path), on_item=print).ok


def test_a_blocked_plan_is_not_held_against_anything(tmp_path: Path) -> None:
    write_nifti(tmp_path / "in" / "axl_anatomic.nii.gz", volume())
    with pytest.raises(PlanBlocked, match="1 error in the way"):
        nk.verify(plan_of(tmp_path / "in"), target_of(tmp_path))
