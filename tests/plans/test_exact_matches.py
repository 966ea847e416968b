"""Annotations alone with a target and no mapping: exact names are taken and shown, nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

import nifti_kit as nk
from nifti_kit.plans.plan import Plan
from tests.support.builders import labels, volume, write_nifti
from tests.support.landings import quiet


def target_with(folder: Path, *names: str) -> nk.ProjectFolder:
    """A project whose volumes have the ids 1, 2, ... in the order of their names."""
    for number, name in enumerate(names):
        write_nifti(folder / "volumes" / f"{name}.nii.gz", volume() + number)
    target = nk.ProjectFolder(folder / "p", "d")
    plan = nk.plan(nk.scan(folder / "volumes"), waive=["planes-incomplete", "volume-named-mask"])
    nk.upload(plan, target, on_progress=quiet)
    return target


def annotations(folder: Path, *names: str) -> Path:
    for name in names:
        write_nifti(folder / "labelsTr" / f"{name}.nii.gz", labels())
    return folder / "labelsTr"


def blockers(plan: Plan) -> list[tuple[str, str]]:
    return [(f.code, f.path) for f in plan.blockers]


@pytest.mark.parametrize("segmentation", ["auto", "semantic"])
@pytest.mark.parametrize(
    "names",
    [
        ("hippocampus_001", "hippocampus_002"),
        ("BRATS_1", "BRATS_2"),
        ("la_003", "la_004"),
        ("a.b_1", "a.b_2"),
        ("case1", "case2"),
        ("20240131", "20240201"),
    ],
    ids=str,
)
def test_labels_of_the_names_of_their_volumes_land_on_them(
    names: tuple[str, ...], segmentation: str, tmp_path: Path
) -> None:
    target = target_with(tmp_path, *names)
    dataset = nk.scan(
        annotations(tmp_path, *names), layout="annotations", segmentation=segmentation
    )
    plan = nk.plan(dataset, target=target)
    assert blockers(plan) == []
    assert [(item.volume_id, len(item.objects)) for item in plan.items] == [(1, 2), (2, 2)]
    notes = plan.findings.by_code()["annotation-matched"]
    assert [(f.path, f.message) for f in notes] == [
        (f"{name}.nii.gz", f"exact name: volume {number} (d/{name}.nrrd)")
        for number, name in enumerate(names, start=1)
    ]
    assert "exact name: volume 1" in repr(plan)
    assert plan.mapping is not None
    proof = nk.verify(nk.upload(plan, target, on_progress=quiet), target)
    assert (proof.ok, len(proof.objects)) == (True, 4)


def test_what_another_rule_says_is_a_blocker_that_says_so(tmp_path: Path) -> None:
    target = target_with(tmp_path, "anna_knee_axl_anatomic")
    write_nifti(tmp_path / "in" / "anna_axl_mask.nii.gz", labels())
    dataset = nk.scan(tmp_path / "in")
    plan = nk.plan(dataset, target=target)
    (blocker,) = plan.blockers
    assert (blocker.code, blocker.path) == ("annotation-unmatched", "anna_axl_mask.nii.gz")
    assert blocker.message == (
        "it may be for volume 1 (d/anna_knee_axl_anatomic.nrrd), by case identifiers; only exact "
        "names are taken unasked"
    )
    assert "with_volume('anna_axl_mask.nii.gz', 1)" in blocker.remedy
    assert plan.mapping is not None
    mapping = plan.mapping.with_volume("anna_axl_mask.nii.gz", 1)
    assert blockers(nk.plan(dataset, target=target, mapping=mapping)) == []
    assert blockers(nk.plan(dataset, mapping=nk.match(dataset, target.volumes()))) == []


def test_labels_that_fit_nothing_block_and_never_end_green(tmp_path: Path) -> None:
    target = target_with(tmp_path, "knee_001")
    dataset = nk.scan(annotations(tmp_path, "hip_001"), layout="annotations")
    plan = nk.plan(dataset, target=target)
    assert blockers(plan) == [("annotation-unmatched", "hip_001.nii.gz")]
    plan = nk.plan(dataset, target=target, waive=blockers(plan))
    assert blockers(plan) == [("plan-empty", "")]
    assert [one.path for one in plan.left_out] == ["hip_001.nii.gz"]


def test_without_a_target_and_a_mapping_the_remedy_names_the_file(tmp_path: Path) -> None:
    dataset = nk.scan(annotations(tmp_path, "hip_001"), layout="annotations")
    (blocker,) = nk.plan(dataset).blockers
    assert "mapping={'hip_001.nii.gz': volume id}" in blocker.remedy


def test_an_id_that_the_target_lacks_blocks_and_can_be_left_out_by_its_file(tmp_path: Path) -> None:
    target = target_with(tmp_path, "knee_001")
    dataset = nk.scan(annotations(tmp_path, "a", "b"), layout="annotations")
    given = {"a.nii.gz": 1, "b.nii.gz": 77}
    plan = nk.plan(dataset, mapping=given, target=target)
    (blocker,) = plan.blockers
    assert (blocker.code, blocker.path) == ("mapping-id-unknown", "b.nii.gz")
    assert blocker.message == "the target has no volume 77; there are: 1 (d/knee_001.nrrd)"
    waive = [("mapping-id-unknown", "b.nii.gz")]
    assert nk.check(dataset, waive=waive)  # which does not know the target lets it pass
    plan = nk.plan(dataset, mapping=given, target=target, waive=waive)
    assert [(one.path, one.objects) for one in plan.left_out] == [("b.nii.gz", 2)]
    receipt = nk.upload(plan, target, on_progress=quiet)
    assert nk.verify(receipt, target).ok
    assert len(receipt.objects) == 2


def test_a_mask_that_does_not_lie_on_its_volume_is_seen_when_planning(tmp_path: Path) -> None:
    target = target_with(tmp_path, "knee_001")
    write_nifti(
        tmp_path / "in" / "knee_001.nii.gz",
        labels(),
        [[2, 0, 0, 5], [0, 3, 0, 0], [0, 0, 4, 0], [0, 0, 0, 1]],
    )
    dataset = nk.scan(tmp_path / "in", layout="annotations")
    plan = nk.plan(dataset, mapping={"knee_001.nii.gz": 1}, target=target)
    (blocker,) = plan.blockers
    accepted = nk.plan(
        dataset, mapping={"knee_001.nii.gz": 1}, target=target, waive=[(blocker.code, blocker.path)]
    )
    receipt = nk.upload(accepted, target, on_progress=quiet)
    assert len(receipt.objects) == 2
    blind = nk.plan(dataset, mapping={"knee_001.nii.gz": 1}, waive=[(blocker.code, blocker.path)])
    assert blind.blockers.ok
