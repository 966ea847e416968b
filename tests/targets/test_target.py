"""What every target has."""

from __future__ import annotations

import dataclasses
import inspect

import pytest

from nifti_kit.core.geometry import Grid
from nifti_kit.targets.folder import ProjectFolder
from nifti_kit.targets.records import ClassRef, ItemJob, ObjectRef, VolumeRef
from nifti_kit.targets.target import EXISTING, Target
from tests.support.builders import AFFINE, SHAPE

METHODS = sorted(
    name
    for name, value in vars(Target).items()
    if inspect.isfunction(value) and not name.startswith("_")
)


def test_the_choices_for_what_is_there_are_those_of_the_design():
    assert EXISTING == ("error", "skip", "replace", "append")


@pytest.mark.parametrize("name", METHODS)
def test_a_project_folder_has_each_method_of_a_target(name):
    expected = inspect.signature(getattr(Target, name)).parameters
    assert list(inspect.signature(getattr(ProjectFolder, name)).parameters) == list(expected)
    assert inspect.getdoc(getattr(ProjectFolder, name))


@pytest.mark.parametrize(
    "record",
    [
        VolumeRef(1, "k", "a.nrrd", "d", Grid(SHAPE, AFFINE)),
        ObjectRef(1, "k", 2, "f", "Femur", 3, {}),
        ClassRef("Femur", (1, 2, 3), "", "mask_3d"),
    ],
    ids=["volume", "object", "class"],
)
def test_a_record_cannot_be_changed_and_equals_its_copy(record):
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.id = 5
    assert dataclasses.replace(record) == record


def test_a_job_without_more_keeps_and_replaces_nothing():
    volume = VolumeRef(1, "k", "a.nrrd", "d", Grid(SHAPE, AFFINE))
    job = ItemJob(None, volume, True, ())
    assert (job.kept, job.replaced, job.backup) == ((), (), None)
    assert job != ItemJob(None, volume, True, ())
