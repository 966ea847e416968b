"""Where things land: a project folder or a place on an instance, without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.errors import TargetError
from nifti_kit.targets.instance import Instance
from nifti_kit.targets.instance.client import Connection
from nifti_kit.widgets.parts.targets import FolderPlace, TargetPicker
from tests.platform import Platform, running_platform
from tests.support.landings import land, write_volumes
from tests.support.uploads import api


@pytest.fixture
def platform() -> Iterator[Platform]:
    with running_platform() as running:
        yield running


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the datasets knees and knees/left."""
    source = write_volumes(tmp_path / "source")
    for dataset in ("knees", "knees/left"):
        land(source, nk.ProjectFolder(tmp_path / "project", dataset))
    return tmp_path / "project"


def test_without_a_path_the_folder_is_asked_for() -> None:
    place = FolderPlace()
    assert place.blockers == ["Name the project's folder."]
    assert (place.target, place.said) == (None, "")


def test_a_new_folder_is_a_target(tmp_path: Path) -> None:
    place = FolderPlace(tmp_path / "new", "knees")
    assert repr(place.target) == f"ProjectFolder({str(tmp_path / 'new')!r}, dataset='knees')"
    assert (place.blockers, place.datasets) == ([], ())
    assert place.said == "A new project will be made here."
    assert not (tmp_path / "new").exists()


def test_the_datasets_of_a_project_are_listed(project: Path) -> None:
    place = FolderPlace(project, "knees")
    assert place.datasets == ("knees", "knees/left")
    assert place.said == (
        "A project with 2 datasets: knees, knees/left (in it already; new volumes beside them "
        "are added)."
    )
    place.dataset = "hips"
    assert place.said == (
        "A project with 2 datasets: knees, knees/left (in it already; the new one will be made)."
    )


def test_a_place_that_is_read_is_there_already(project: Path, tmp_path: Path) -> None:
    place = FolderPlace(project, "knees", reads=True)
    assert place.said == "A project with 2 datasets: knees, knees/left."
    assert place.blockers == []
    place.dataset = "hips"
    assert place.target is None
    assert place.blockers == ["The project has no dataset 'hips': knees, knees/left."]
    place.choose(tmp_path / "new")
    assert place.blockers == ["There is no project in this folder."]


def test_many_datasets_are_counted(project: Path) -> None:
    for number in range(8):
        (project / f"d{number}" / "ann").mkdir(parents=True)
    assert "d6, d7 and 2 more (" in FolderPlace(project).said


def test_without_a_dataset_the_whole_project_is_meant(project: Path) -> None:
    place = FolderPlace(project)
    assert place.target.dataset is None


def test_the_same_place_stays_the_same_target(tmp_path: Path) -> None:
    place = FolderPlace(tmp_path / "new", "knees")
    first = place.target
    place.look()
    assert place.target is first
    place.choose(f" {tmp_path / 'new'} ", " knees ")
    assert place.target is first
    place.choose(tmp_path / "other", "knees")
    assert place.target.path == tmp_path / "other"


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        ("../up", "the dataset's name cannot be a folder"),
        ("a//b", "the dataset's name cannot be a folder"),
        ("scan", None),
        ("knees_mask", "'knees_mask' ends in 'mask', and the SDK would not see it."),
        ("a/metadata", "'metadata' ends in 'metadata', and the SDK"),
    ],
)
def test_a_dataset_name_that_is_refused_says_why(
    tmp_path: Path, dataset: str, said: str | None
) -> None:
    place = FolderPlace(tmp_path / "new", dataset)
    assert (place.target is None) == (said is not None)
    assert [said in blocker for blocker in place.blockers if said] == [True] * (said is not None)


def test_a_folder_with_other_files_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    for path in (tmp_path, tmp_path / "notes.txt"):
        (blocker,) = FolderPlace(path, "knees").blockers
        assert blocker.startswith(f"{path}: it is no Supervisely project Found: a ")


def test_a_folder_that_cannot_be_read_is_named(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert FolderPlace(project, "knees").blockers == [
        "The folder cannot be read: Permission denied."
    ]


def test_the_picker_begins_with_a_folder() -> None:
    picker = TargetPicker()
    assert (picker.kind, picker.kinds) == ("folder", ("folder", "instance"))
    assert picker.blockers == ["Name the project's folder."]
    assert (picker.target, picker.link) == (None, "")


def test_a_folder_that_is_given_can_be_changed(tmp_path: Path) -> None:
    picker = TargetPicker(nk.ProjectFolder(tmp_path / "a", "knees"))
    assert (picker.kind, picker.folder.dataset) == ("folder", "knees")
    assert picker.target.path == tmp_path / "a"
    picker.folder.choose(tmp_path / "b", "hips")
    assert (picker.target.path, picker.target.dataset) == (tmp_path / "b", "hips")
    assert picker.blockers == []
    assert picker.link == str((tmp_path / "b").resolve())
    assert TargetPicker(nk.ProjectFolder(tmp_path / "a")).target.dataset is None


def test_another_target_is_taken_as_it_is(tmp_path: Path) -> None:
    given = SimpleNamespace(where="")
    picker = TargetPicker(given)
    assert (picker.kind, picker.kinds) == ("given", ("folder", "instance", "given"))
    assert picker.target is given
    assert picker.link == ""
    picker.kind = "folder"
    picker.folder.choose(tmp_path / "b", "hips")
    assert picker.target.path == tmp_path / "b"
    picker.given, picker.kind = given, "given"
    assert picker.target is given


def test_a_place_on_an_instance_is_chosen(platform: Platform) -> None:
    picker = TargetPicker(api=lambda: api(platform))
    picker.kind = "instance"
    assert picker.blockers == ["Connect to the instance."]
    picker.connect()
    picker.instance.make_project("knees")
    assert picker.blockers in (["The instance is being asked."], ["Choose a dataset."])
    picker.instance.make_dataset("left")
    picker.task.join()
    assert picker.blockers == []
    assert picker.target is picker.instance.target
    assert picker.link == f"{platform.address}/projects/{picker.target.project_id}/datasets"
    picker.kind = "folder"
    picker.connect()
    picker.task.join()
    assert (picker.kind, picker.target) == ("instance", None)
    assert picker.blockers == ["Choose a project."]


def test_a_link_is_of_the_web_and_without_a_login() -> None:
    with pytest.raises(TargetError, match="no address of an instance"):
        Connection("javascript://alert(1)", "t")
    target = SimpleNamespace(connection=Connection("https://me:word@host", "t"), project_id=1)
    assert Instance.where.fget(target) == "https://host/projects/1/datasets"
