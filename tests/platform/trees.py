"""Teams, workspaces, projects and datasets."""

from __future__ import annotations

from typing import Any

from tests.platform.refusals import need, wrong
from tests.platform.state import State, refuse_taken
from tests.platform.tables import Row, page

Data = dict[str, Any]

EDITABLE = ("name", "description", "readme", "customData")
"""Fields that ``editInfo`` replaces."""

USER = {"id": 1, "login": "tester", "role": "admin", "roleId": 1, "name": "Tester"}


def me(_state: State, _data: Data) -> Data:
    """Return whose token it is."""
    rest = dict.fromkeys(("email", "logins", "disabled", "lastLogin", "createdAt", "updatedAt"))
    return {**USER, **rest}


def version(state: State, _data: Data) -> Data:
    """Return the version of the platform."""
    return {"version": state.version}


def list_teams(state: State, data: Data) -> Data:
    return page(list(state.teams), data, state.page_size)


def team_info(state: State, data: Data) -> Row:
    return state.teams.asked(data.get("id"))


def list_workspaces(state: State, data: Data) -> Data:
    rows = state.workspaces.where(teamId=need(data, "teamId"))
    return page(rows, data, state.page_size)


def workspace_info(state: State, data: Data) -> Row:
    return state.workspaces.asked(data.get("id"))


def add_workspace(state: State, data: Data) -> Row:
    team = state.teams.named(need(data, "teamId"))
    name = need(data, "name", str)
    refuse_taken(state.workspaces.where(teamId=team["id"]), [name], "Workspace")
    description = data.get("description") or ""
    return state.workspaces.add(name=name, description=description, teamId=team["id"])


def project_json(state: State, row: Row) -> Row:
    """Return a project as the API shows it, with its counts."""
    items = len(state.volumes_of(row))
    datasets = len(state.datasets.where(projectId=row["id"]))
    counts = {"imagesCount": items, "itemsCount": items, "datasetsCount": datasets}
    return {**row, **counts, "size": "0", "referenceImageUrl": None, "createdBy": USER["id"]}


def list_projects(state: State, data: Data) -> Data:
    rows = list(state.projects)
    if "workspaceId" in data:
        rows = state.projects.where(workspaceId=data["workspaceId"])
    elif "groupId" in data:
        rows = state.projects.where(teamId=data["groupId"])
    return page([project_json(state, row) for row in rows], data, state.page_size)


def project_info(state: State, data: Data) -> Row:
    return project_json(state, state.projects.asked(data.get("id")))


def add_project(state: State, data: Data) -> Row:
    """Make a project; its name is unique in its workspace."""
    workspace = state.workspaces.named(need(data, "workspaceId"))
    name = need(data, "name", str)
    refuse_taken(state.projects.where(workspaceId=workspace["id"]), [name], "Project")
    row = state.projects.add(
        name=name,
        description=data.get("description") or "",
        readme=data.get("readme") or "",
        type=data.get("type", "images"),
        workspaceId=workspace["id"],
        teamId=workspace["teamId"],
        settings=data.get("settings") or {},
        customData=data.get("customData") or {},
    )
    return project_json(state, row)


def edit_project(state: State, data: Data) -> Row:
    """Replace fields of a project; custom data as a whole."""
    row = state.projects.named(need(data, "id"))
    row.update({key: data[key] for key in EDITABLE if key in data})
    return project_json(state, row)


def change_settings(state: State, data: Data) -> Data:
    row = state.projects.named(need(data, "id"))
    row["settings"] = {**row["settings"], **need(data, "settings", dict)}
    return {"success": True}


def remove_project(state: State, data: Data) -> Data:
    state.remove_project(state.projects.named(need(data, "id")))
    return {"success": True}


def remove_projects(state: State, data: Data) -> Data:
    for row in [state.projects.named(one["id"]) for one in need(data, "projects", list)]:
        state.remove_project(row)
    return {"success": True}


def dataset_json(state: State, row: Row) -> Row:
    """Return a dataset as the API shows it, with its counts."""
    project = state.project_of(row)
    items = len(state.volumes.where(datasetId=row["id"]))
    above = {"workspaceId": project["workspaceId"], "teamId": project["teamId"]}
    counts = {"imagesCount": items, "itemsCount": items}
    shown = {"size": "0", "referenceImageUrl": None, "createdBy": USER["id"]}
    return {**row, **counts, **above, **shown}


def list_datasets(state: State, data: Data) -> Data:
    """List the datasets of a project: the top ones, or all with ``recursive``."""
    project = state.projects.asked(need(data, "projectId"))
    rows = state.datasets.where(projectId=project["id"])
    if not data.get("recursive"):
        rows = [row for row in rows if row["parentId"] is None]
    shown = [dataset_json(state, row) for row in rows]
    answer = page(shown, data, state.page_size)
    if "customData" not in data.get("extraFields", []):
        for row in answer["entities"]:
            del row["customData"]
    return answer


def dataset_info(state: State, data: Data) -> Row:
    return dataset_json(state, state.datasets.asked(data.get("id")))


def add_dataset(state: State, data: Data) -> Row:
    """Make a dataset; its name is unique among its siblings."""
    project = state.projects.named(need(data, "projectId"))
    name, parent = need(data, "name", str), data.get("parentId")
    if parent is not None and state.datasets.named(parent)["projectId"] != project["id"]:
        raise wrong(f"dataset {parent} belongs to another project")
    siblings = state.datasets.where(projectId=project["id"], parentId=parent)
    refuse_taken(siblings, [name], "Dataset")
    row = state.datasets.add(
        name=name,
        description=data.get("description") or "",
        projectId=project["id"],
        parentId=parent,
        customData=data.get("customData") or {},
    )
    return dataset_json(state, row)


def edit_dataset(state: State, data: Data) -> Row:
    row = state.datasets.named(need(data, "id"))
    row.update({key: data[key] for key in EDITABLE if key in data})
    return dataset_json(state, row)


def remove_dataset(state: State, data: Data) -> Data:
    state.remove_dataset(state.datasets.named(need(data, "id")))
    return {"success": True}


def remove_datasets(state: State, data: Data) -> Data:
    for row in [state.datasets.named(one["id"]) for one in need(data, "datasets", list)]:
        if row["id"] in state.datasets:  # not gone with its parent
            state.remove_dataset(row)
    return {"success": True}
