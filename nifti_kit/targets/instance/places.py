"""Where things may land on an instance: teams, workspaces, projects, datasets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from nifti_kit.errors import TargetError
from nifti_kit.targets.instance.client import Connection


class Place(NamedTuple):
    """A team, workspace, project or dataset: its id and name; a nested dataset's has ``/``."""

    id: int
    name: str


class Places:
    """The places of an instance, to choose from and to make.

    Parameters
    ----------
    api
        A ``supervisely.Api``; its address and token are taken, nothing else.
    """

    def __init__(self, api: Any) -> None:
        self.connection = Connection(api.server_address, api.token)

    @classmethod
    def from_env(cls) -> Places:
        """Return the places of the instance that ``SERVER_ADDRESS`` and ``API_TOKEN`` name."""
        return cls(api_from_env())

    def __repr__(self) -> str:
        return f"Places({self.connection.address!r})"

    def teams(self) -> tuple[Place, ...]:
        """Return the teams of the token's owner."""
        return _places(self.connection.entities("teams.list", {}))

    def workspaces(self, team_id: int) -> tuple[Place, ...]:
        """Return the workspaces of a team."""
        return _places(self.connection.entities("workspaces.list", {"teamId": team_id}))

    def projects(self, workspace_id: int) -> tuple[Place, ...]:
        """Return the projects of a workspace that are for volumes."""
        rows = self.connection.entities("projects.list", {"workspaceId": workspace_id})
        return _places([row for row in rows if row.get("type") == "volumes"])

    def datasets(self, project_id: int) -> tuple[Place, ...]:
        """Return the datasets of a project, nested ones too."""
        paths = dataset_paths(self.connection, project_id)
        return tuple(Place(number, path) for number, path in paths.items())

    def make_project(self, workspace_id: int, name: str) -> Place:
        """Return the volume project of this name; it is made where there is none.

        Raises
        ------
        TargetError
            If a project of another type has the name.
        """
        rows = self.connection.entities("projects.list", {"workspaceId": workspace_id})
        there = [row for row in rows if row["name"] == name]
        if there and there[0].get("type") != "volumes":
            raise TargetError(
                f"the project {name!r} is not for volumes",
                path=self.connection.address,
                found=there[0].get("type"),
                expected="volumes",
                remedy="Choose another name.",
            )
        if not there:
            data = {"workspaceId": workspace_id, "name": name, "type": "volumes"}
            there = [self.connection.post("projects.add", {**data, "description": ""})]
        return _places(there)[0]

    def make_dataset(self, project_id: int, name: str) -> Place:
        """Return the dataset of this name (nested: with ``/``); what is missing of it is made."""
        parent: int | None = None
        path = ""
        for part in name.split("/"):
            path = f"{path}/{part}" if path else part
            known = {place.name: place.id for place in self.datasets(project_id)}
            if path not in known:
                data = {"projectId": project_id, "name": part, "description": ""}
                row = self.connection.post("datasets.add", {**data, "parentId": parent})
                known[path] = int(row["id"])
            parent = known[path]
        assert parent is not None  # a split text has a part
        return Place(parent, path)


def dataset_paths(connection: Connection, project_id: int) -> dict[int, str]:
    """Return the names of a project's datasets by id; nested ones with ``/``."""
    data = {"projectId": project_id, "recursive": True}
    rows = {int(row["id"]): row for row in connection.entities("datasets.list", data)}

    def path(row: dict[str, Any]) -> str:
        parent = rows.get(int(row.get("parentId") or 0))
        return f"{path(parent)}/{row['name']}" if parent else str(row["name"])

    return {number: path(row) for number, row in rows.items()}


def _places(rows: Sequence[dict[str, Any]]) -> tuple[Place, ...]:
    return tuple(Place(int(row["id"]), str(row["name"])) for row in rows)


def api_from_env() -> Any:
    """Return the SDK's own client for the address and token of the environment.

    Raises
    ------
    TargetError
        If they are not set, or the SDK or its system libraries are missing.
    """
    try:
        import supervisely as sly
    except (ImportError, OSError) as error:
        raise TargetError(
            "the SDK of Supervisely cannot be imported",
            found=error,
            expected="supervisely and the libraries libxcb1, libgl1, libglib2.0-0, libmagic1",
            remedy="apt install libxcb1 libgl1 libglib2.0-0 libmagic1",
        ) from error
    try:
        return sly.Api.from_env()
    except (KeyError, ValueError, OSError) as error:
        raise TargetError(
            "the address or the token of the instance is not set",
            expected="SERVER_ADDRESS and API_TOKEN, in the environment or in ~/supervisely.env",
            remedy="Set both; the token is on the page of your account.",
        ) from error
