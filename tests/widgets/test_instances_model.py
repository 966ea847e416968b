"""A place on a live instance, chosen step by step; against the stand-in platform."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.errors import TargetError
from nifti_kit.widgets.parts import targets
from nifti_kit.widgets.parts.targets import WHOLE_PROJECT, InstancePlace
from tests.platform import Platform, running_platform
from tests.support.uploads import api, new_dataset, new_project


@pytest.fixture
def platform() -> Iterator[Platform]:
    with running_platform() as running:
        yield running
        assert running.unknown == []


@pytest.fixture
def place(platform: Platform) -> InstancePlace:
    return InstancePlace(lambda: api(platform))


@pytest.fixture
def connected(place: InstancePlace) -> InstancePlace:
    place.connect()
    place.task.join()
    return place


def names(places: Any) -> list[str]:
    return [found.name for found in places]


def test_nothing_is_asked_before_a_person_connects(
    place: InstancePlace, platform: Platform
) -> None:
    assert place.blockers == ["Connect to the instance."]
    assert place.make_blockers("project", "knees") == ["Choose a workspace first."]
    assert platform.requests == []


def test_a_single_team_and_workspace_are_taken(
    connected: InstancePlace, platform: Platform
) -> None:
    assert connected.address == platform.address
    assert connected.workspace == platform.state.workspace["id"]
    assert connected.team == connected.teams[0].id
    assert connected.projects == ()
    assert connected.blockers == ["Choose a project."]


def test_one_of_several_teams_and_workspaces_is_chosen_by_a_person(
    place: InstancePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nifti_kit.targets.instance import Place, Places

    monkeypatch.setattr(Places, "teams", lambda _: (Place(1, "a"), Place(2, "b")))
    spaces = {1: (Place(3, "c"), Place(4, "d")), 2: ()}
    monkeypatch.setattr(Places, "workspaces", lambda _, team: spaces[team])
    place.connect()
    place.task.join()
    assert (place.team, place.workspaces) == (0, ())
    assert place.blockers == ["Choose a team."]
    place.choose("team", "a")
    place.task.join()
    assert (place.team, place.workspace, names(place.workspaces)) == (1, 0, ["c", "d"])
    assert place.blockers == ["Choose a workspace."]
    place.choose("workspace", 4)
    place.task.join()
    assert place.workspace == 4
    assert place.blockers == ["Choose a project."]
    place.choose("team", "b")
    place.task.join()
    assert (place.team, place.workspace, place.workspaces) == (2, 0, ())
    place.choose("team", 0)
    place.task.join()
    assert (place.team, place.workspaces) == (0, ())


def test_what_is_there_is_chosen_without_waiting_in_between(
    place: InstancePlace, platform: Platform
) -> None:
    project = new_project(platform, "knees")
    number = new_dataset(platform, project, "left")
    place.connect()
    place.choose("project", "knees")
    place.choose("dataset", "left")
    place.wait()
    assert (place.project, place.dataset) == (project, number)
    assert isinstance(place.target, nk.Instance)
    assert place.target.dataset_id == number
    assert place.blockers == []


def test_a_choice_further_up_takes_back_what_is_below(connected: InstancePlace) -> None:
    connected.make_project("knees")
    connected.make_dataset("left")
    connected.wait()
    assert connected.target is not None
    connected.choose("dataset", 0)
    connected.wait()
    assert connected.target is None
    assert connected.blockers == ["Choose a dataset."]
    connected.choose("workspace", 0)
    connected.wait()
    facts = (connected.projects, connected.project, connected.datasets, connected.dataset)
    assert facts == ((), 0, (), 0)
    connected.choose("workspace", connected.workspaces[0].id)
    connected.choose("project", 0)
    connected.wait()
    assert names(connected.projects) == ["knees"]
    assert connected.datasets == ()


def test_project_and_dataset_are_made_and_taken(connected: InstancePlace) -> None:
    assert connected.make_blockers("dataset", "left") == ["Choose a project first."]
    assert connected.make_blockers("project", " ") == ["Write the new project's name."]
    assert connected.make_blockers("project", "knees") == []
    connected.make_project(" knees ")
    connected.wait()
    assert names(connected.projects) == ["knees"]
    assert connected.project == connected.projects[0].id
    assert connected.make_blockers("dataset", "2026/") == ["Write the new dataset's name."]
    connected.make_dataset("2026/left")
    connected.wait()
    assert names(connected.datasets) == ["2026", "2026/left"]
    assert connected.target.dataset_id == connected.dataset == connected.datasets[1].id


def test_a_whole_project_is_a_target_too(connected: InstancePlace) -> None:
    connected.make_project("knees")
    connected.choose("dataset", WHOLE_PROJECT)
    connected.wait()
    assert connected.target.dataset_id is None
    assert connected.target.project_id == connected.project
    assert connected.blockers == []


def test_a_name_that_is_not_there_is_refused(connected: InstancePlace) -> None:
    connected.make_project("knees")
    with pytest.raises(TargetError) as caught:
        connected.choose("project", "hips")
    assert str(caught.value) == (
        "there is no such project, or more than one Found: 'hips'. "
        f"Expected: {connected.project} (knees). Remedy: Choose one of these, by id."
    )
    with pytest.raises(TargetError, match="Expected: a dataset of the instance"):
        connected.choose("dataset", "left")


def test_a_dataset_that_is_gone_is_told_and_can_be_chosen_again(
    connected: InstancePlace, platform: Platform
) -> None:
    project = new_project(platform, "knees")
    number = new_dataset(platform, project, "left")
    connected.choose("workspace", connected.workspace)
    connected.choose("project", project)
    connected.wait()
    (row,) = [row for row in platform.state.datasets if row["id"] == number]
    platform.state.remove_dataset(row)
    connected.choose("dataset", number)
    with pytest.raises(TargetError, match="does not know what was asked for"):
        connected.task.join()
    assert connected.task.state == "failed"
    assert connected.blockers == ["Choose the dataset again."]


def test_while_the_instance_is_asked_nothing_else_can_be(connected: InstancePlace) -> None:
    seen: list[Any] = []

    def look(change: Any) -> None:
        if change["new"] == "running":
            seen.extend([connected.blockers, connected.make_blockers("project", "knees")])

    connected.task.observe(look, "state")
    connected.choose("workspace", connected.workspace)
    connected.wait()
    assert seen == [["The instance is being asked."]] * 2


def test_a_wrong_token_is_one_clear_sentence_without_the_token(platform: Platform) -> None:
    place = InstancePlace(lambda: api(platform, "planted-token"))
    place.connect()
    with pytest.raises(TargetError):
        place.task.join()
    assert place.task.text == (
        f"{platform.address}: the instance does not accept the token "
        "Found: status 403 to teams.list: API token is not valid "
        "{'message': 'API token is not valid'}. "
        "Remedy: Set API_TOKEN to a valid token."
    )
    assert place.blockers == ["Connect to the instance."]
    assert place.address == ""


def test_no_network_is_one_clear_sentence(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "PATIENCE_S", 0.01)
    place = InstancePlace(lambda: api(platform))
    platform.die()
    place.connect()
    with pytest.raises(TargetError):
        place.task.join()
    assert place.task.text.startswith(f"{platform.address}: the instance does not answer Found: ")
    assert place.blockers == ["Connect to the instance."]


def test_without_the_sdk_its_libraries_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervisely", None)
    place = InstancePlace()
    said: list[str] = []
    place.task.observe(lambda change: said.append(change["new"]), "text")
    place.connect()
    with pytest.raises(TargetError):
        place.task.join()
    assert said[0] == "Loading the SDK of Supervisely: 5 to 8 s the first time."
    assert "apt install libxcb1 libgl1 libglib2.0-0 libmagic1" in place.task.text


def test_the_token_is_in_no_trait_and_no_text(connected: InstancePlace, platform: Platform) -> None:
    connected.make_project("knees")
    connected.make_dataset("left")
    connected.wait()
    told = [repr(connected), repr(connected.task), connected.task.text]
    told += [repr(getattr(connected, name)) for name in connected.trait_names()]
    told += [json.dumps(connected.trait_defaults(), default=repr)]
    assert platform.token not in "\n".join(told)
    assert platform.address in "\n".join(told)
