"""Standing: a plan is held against what is on a target, whoever wrote or changed it."""

from __future__ import annotations

import json
import shutil

import nibabel as nib
import nrrd
import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.errors import PlanBlocked, TargetError, WrongArgument
from nifti_kit.transfer.standing import standing
from tests.support.builders import labels, write_nifti
from tests.support.landings import edit_json, land, tree, write_scored_planes, write_volumes
from tests.support.uploads import new_target
from tests.support.uploads import platform as platform  # noqa: PLC0414 (a fixture)


class Project:
    """Three scored planes on a target, and their plan; no receipt."""

    def __init__(self, path):
        self.source = write_scored_planes(path / "in")
        self.path = path / "p"
        land(self.source, self.target)
        self.plan = nk.plan(nk.scan(self.source))

    @property
    def target(self):
        return nk.ProjectFolder(self.path, dataset="d")

    @property
    def volume(self):
        return next(ref for ref in self.target.volumes() if ref.name == "axl_anatomic.nrrd")

    def ref(self, name):
        own = self.target.objects(self.volume.id)
        return next(ref for ref in own if ref.class_name == name)

    def mask(self, name):
        return self.target.mask_path(self.volume, self.ref(name).figure_key)

    def annotation(self, change):
        edit_json(self.target.annotation_path(self.volume), change)

    def failures(self):
        proof = nk.verify(self.plan, self.target)
        return [(row.volume, row.name, row.why) for row in proof.failures]


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


AXL = "axl_anatomic.nrrd"
ABSENT = "it is not on the target"


def test_what_landed_is_proved_without_a_receipt_and_nothing_is_written(project):
    before = tree(project.path.parent)
    proof = nk.verify(project.plan, project.target)
    assert proof.ok
    assert len(proof.volumes) == 3
    assert len(proof.objects) == 6
    assert proof.extra == ()
    assert tree(project.path.parent) == before


def test_a_voxel_that_was_drawn_is_found(project):
    path = project.mask("Femur")
    data, header = nrrd.read(str(path))
    data[0, 0, 0] = not data[0, 0, 0]
    nrrd.write(str(path), data, header)
    proof = nk.verify(project.plan, project.target)
    assert [(row.name, row.differing) for row in proof.failures] == [("Femur", 1)]


def test_a_missing_object_is_named(project):
    key = project.ref("Tibia").key

    def remove(content):
        content["objects"] = [o for o in content["objects"] if o["key"] != key]
        content["spatialFigures"] = [f for f in content["spatialFigures"] if f["objectKey"] != key]

    project.annotation(remove)
    ((volume, name, why),) = project.failures()
    assert (volume, name) == (AXL, "Tibia")
    assert ABSENT in why


def test_a_missing_volume_is_named_with_its_objects(project):
    for path in (
        project.target.volume_path(project.volume),
        project.target.annotation_path(project.volume),
    ):
        path.unlink()
    found = project.failures()
    assert [(volume, name) for volume, name, _ in found] == [
        (AXL, ""),
        (AXL, "Femur"),
        (AXL, "Tibia"),
    ]
    assert all(ABSENT in why for *_, why in found)


def test_another_class_is_a_missing_object_and_one_of_others(project):
    edit_json(
        project.path / "meta.json",
        lambda meta: meta["classes"].append({**meta["classes"][0], "title": "Bone", "id": 99}),
    )
    key = project.ref("Femur").key

    def rename(content):
        for one in content["objects"]:
            if one["key"] == key:
                one["classTitle"] = "Bone"

    project.annotation(rename)
    proof = nk.verify(project.plan, project.target)
    assert [(row.name, ABSENT in row.why) for row in proof.failures] == [("Femur", True)]
    assert [one.class_name for one in proof.extra] == ["Bone"]


def test_another_score_is_found(project):
    key = project.ref("Femur").figure_key

    def score(content):
        for figure in content["spatialFigures"]:
            if figure["key"] == key:
                figure["customData"]["0-0-1"]["2"]["score"] = "0.10"

    project.annotation(score)
    ((volume, name, why),) = project.failures()
    assert (volume, name) == (AXL, "Femur")
    assert "score" in why


def test_objects_of_one_class_are_those_that_are_the_same(tmp_path):
    """The second one is there first: in their order alone both would differ."""
    source = write_volumes(tmp_path / "in", {"A": {"liver": (1, 2, 3)}})
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    land(source, target)
    volume = target.volumes()[0]

    def turn(content):
        content["objects"].reverse()
        content["spatialFigures"].reverse()

    edit_json(target.annotation_path(volume), turn)
    plan = nk.plan(nk.scan(source))
    fresh = nk.ProjectFolder(tmp_path / "p", dataset="d")
    assert nk.verify(plan, fresh).ok
    for number, ref in enumerate(target.objects(volume.id)[:2], start=1):
        path = target.mask_path(volume, ref.figure_key)
        data, header = nrrd.read(str(path))
        nrrd.write(str(path), np.zeros_like(data), header)
        proof = nk.verify(plan, fresh)
        assert len(proof.failures) == number
        assert proof.extra == ()  # each there is held against one of ours


def test_a_volume_of_the_name_in_another_place_is_held_against_ours(project):
    path = project.source / "axl_anatomic.nii.gz"
    image = nib.load(path)
    data, affine = np.asanyarray(image.dataobj).copy(), image.affine.copy()
    affine[0, 3] += 1
    write_nifti(path, data, affine)
    mask = project.source / "axl_inference.nii.gz"
    write_nifti(mask, np.asanyarray(nib.load(mask).dataobj).copy(), affine)
    proof = nk.verify(nk.plan(nk.scan(project.source)), project.target)
    assert {row.volume for row in proof.failures} == {AXL}
    assert len(proof.failures) == 3


def test_of_two_volumes_of_a_name_in_a_project_one_has_to_be_chosen(project):
    land(project.source, nk.ProjectFolder(project.path, dataset="e"))
    with pytest.raises(TargetError, match="several volumes of the name"):
        nk.verify(project.plan, nk.ProjectFolder(project.path))
    assert project.failures() == []


def test_annotations_alone_are_held_against_the_volume_of_their_mapping(project, tmp_path):
    folder = tmp_path / "again"
    folder.mkdir()
    shutil.copy(project.source / "axl_inference.nii.gz", folder / "axl_inference.nii.gz")
    shutil.copy(project.source / "cls_color_map.txt", folder)
    (folder / "mapping.json").write_text(json.dumps({"axl_inference.nii.gz": project.volume.id}))
    plan = nk.plan(nk.scan(folder, segmentation="semantic"), target=project.target)
    assert not plan.blockers
    proof = nk.verify(plan, project.target)
    assert [row.scores_ok for row in proof.objects] == [False, False]  # ours have none
    assert [row.differing for row in proof.objects] == [0, 0]
    project.target.annotation_path(project.volume).unlink()
    gone = nk.verify(plan, project.target)
    assert [ABSENT in row.why for row in gone.failures] == [True] * 3


def test_score_tables_alone_are_held_against_the_figures(project, tmp_path):
    folder = tmp_path / "again"
    folder.mkdir()
    (folder / "axl_score.csv").write_text("Layer,Label-1,Label-2\n3,0.10,0.90\n")
    (folder / "mapping.json").write_text(json.dumps({"axl_score.csv": project.volume.id}))
    dataset = nk.scan(folder, score_frames="ras", score_base=1)
    plan = nk.plan(dataset, target=project.target)
    assert not plan.blockers, plan.blockers
    before = nk.verify(plan, project.target)
    assert [(row.name, row.why) for row in before.failures] == [("Femur", "scores differ")]
    nk.upload(plan, project.target, existing="append")
    assert nk.verify(plan, project.target).ok


def test_a_plan_with_blockers_is_refused_and_so_is_one_whose_files_have_changed(project):
    write_nifti(project.source / "axl_inference.nii.gz", labels(values=(1,)))
    with pytest.raises(PlanBlocked, match="changed since the plan was made"):
        nk.verify(project.plan, project.target)
    (project.source / "axl_inference.nii.gz").write_bytes(b"no image")
    with pytest.raises(PlanBlocked, match="in the way"):
        nk.verify(nk.plan(nk.scan(project.source)), project.target)


def test_an_instance_is_asked_the_same_way(tmp_path, platform):
    source = write_scored_planes(tmp_path / "in")
    target = new_target(platform)
    plan = nk.plan(nk.scan(source))
    missing = nk.verify(plan, target)
    assert len(missing.failures) == 9
    assert all(ABSENT in row.why for row in missing.failures)
    land(source, target)
    assert nk.verify(plan, target).ok


def test_what_is_no_plan_is_told_so(project):
    with pytest.raises(WrongArgument):
        standing(nk.scan(project.source), project.target)
    with pytest.raises(WrongArgument):
        nk.verify(project.plan, str(project.path))
