"""Places of an instance: listed, chosen, and made where they are missing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.errors import TargetError
from nifti_kit.targets.instance import Place, Places
from tests.platform import Platform, running_platform
from tests.platform.endpoints import call
from tests.support.uploads import impatience


@pytest.fixture
def platform() -> Iterator[Platform]:
    with running_platform() as running:
        yield running
        assert running.unknown == []


@pytest.fixture
def api(platform: Platform) -> Any:
    return SimpleNamespace(server_address=platform.address, token=platform.token)


@pytest.fixture
def workspace(platform: Platform) -> int:
    return int(platform.state.workspace["id"])


def test_teams_workspaces_and_volume_projects_are_listed(
    api: Any, platform: Platform, workspace: int
) -> None:
    for name, kind in (("knees", "volumes"), ("photos", "images")):
        call(platform.state, "projects.add", {"workspaceId": workspace, "name": name, "type": kind})
    places = Places(api)
    (team,) = places.teams()
    assert [place.id for place in places.workspaces(team.id)] == [workspace]
    assert [place.name for place in places.projects(workspace)] == ["knees"]
    assert platform.token not in repr(places)


def test_what_is_missing_is_made_once(api: Any, workspace: int) -> None:
    places = Places(api)
    project = places.make_project(workspace, "knees")
    assert places.make_project(workspace, "knees") == project
    nested = places.make_dataset(project.id, "2026/left")
    assert places.make_dataset(project.id, "2026/left") == nested == Place(nested.id, "2026/left")
    assert [place.name for place in places.datasets(project.id)] == ["2026", "2026/left"]


def test_datasets_of_the_same_name_under_two_parents_are_told_apart(
    api: Any, workspace: int
) -> None:
    places = Places(api)
    project = places.make_project(workspace, "knees")
    first, second = (places.make_dataset(project.id, f"{year}/left") for year in (2025, 2026))
    assert first.id != second.id


@pytest.mark.parametrize("kind", ["500", "503", "reset after", "reset before"])
def test_a_place_whose_answer_is_lost_is_looked_for_before_it_is_made_again(
    kind: str, api: Any, platform: Platform, workspace: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatience(monkeypatch)
    for method in ("projects.add", "datasets.add"):
        platform.faults.on(method, kind)
    places = Places(api)
    project = places.make_project(workspace, "knees")
    dataset = places.make_dataset(project.id, "2026/left")
    assert len(platform.state.projects) == 1
    assert places.datasets(project.id) == (Place(dataset.id - 1, "2026"), dataset)
    made = {method: platform.count(method) for method in ("projects.add", "datasets.add")}
    again = kind != "reset after"
    assert made == {"projects.add": 1 + again, "datasets.add": 2 + again}


def test_a_place_that_can_never_be_made_ends_in_words(
    api: Any, platform: Platform, workspace: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatience(monkeypatch)
    platform.faults.on("projects.add", "500", times=1000)
    with pytest.raises(TargetError, match=r"the answer to projects\.add is lost each time"):
        Places(api).make_project(workspace, "knees")
    assert not len(platform.state.projects)


def test_a_target_is_made_by_names(api: Any, workspace: int) -> None:
    target = nk.Instance.create(api, workspace, project="knees", dataset="a/b")
    again = nk.Instance.create(api, workspace, project="knees", dataset="a/b")
    assert target.dataset_id == again.dataset_id
    assert target.volumes() == ()


def test_a_project_of_another_type_is_refused(api: Any, platform: Platform, workspace: int) -> None:
    data = {"workspaceId": workspace, "name": "photos", "type": "images"}
    call(platform.state, "projects.add", data)
    with pytest.raises(TargetError, match="not for volumes"):
        nk.Instance.create(api, workspace, project="photos", dataset="d")


def test_without_the_sdk_the_libraries_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervisely", None)
    with pytest.raises(TargetError, match="cannot be imported") as caught:
        Places.from_env()
    assert "libxcb1" in caught.value.remedy


@pytest.mark.usefixtures("sly")
def test_an_environment_without_address_and_token_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("SERVER_ADDRESS", "API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(TargetError, match="address or the token"):
        Places.from_env()
