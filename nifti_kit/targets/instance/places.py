"""Where things may land on an instance: teams, workspaces, projects, datasets."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from nifti_kit.errors import TargetError, visible
from nifti_kit.targets.instance.asking import TRIES, lost_each_time
from nifti_kit.targets.instance.client import AnswerLost, Connection
from nifti_kit.targets.instance.wire import Asked, field, of_shape


class Place(NamedTuple):
    """A team, workspace, project or dataset: its id and name; a nested dataset's has ``/``."""

    id: int
    name: str


class Places:
    """The places of an instance, to choose from and to make.

    ``api``: a ``supervisely.Api``; its address and token are taken, nothing else.
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
        return self._places("teams.list", {})

    def workspaces(self, team_id: int) -> tuple[Place, ...]:
        """Return the workspaces of a team."""
        return self._places("workspaces.list", {"teamId": team_id})

    def projects(self, workspace_id: int) -> tuple[Place, ...]:
        """Return the projects of a workspace that are for volumes."""
        rows = self.connection.entities("projects.list", {"workspaceId": workspace_id})
        asked = self.connection.asked("projects.list")
        return tuple(_place(row, asked) for row in rows if row.get("type") == "volumes")

    def datasets(self, project_id: int) -> tuple[Place, ...]:
        """Return the datasets of a project, nested ones too."""
        paths = dataset_paths(self.connection, project_id)
        return tuple(Place(number, path) for number, path in paths.items())

    def make_project(self, workspace_id: int, name: str) -> Place:
        """Return the volume project of this name; it is made where there is none.

        Raises TargetError if a project of another type has the name.
        """
        there = self._named(workspace_id, name)
        if there is not None:
            return there
        data = {"workspaceId": workspace_id, "name": name, "type": "volumes", "description": ""}
        return self._made("projects.add", data, lambda: self._named(workspace_id, name))

    def _named(self, workspace_id: int, name: str) -> Place | None:
        """Return the volume project of this name, where there is one."""
        rows = self.connection.entities("projects.list", {"workspaceId": workspace_id})
        row = next((row for row in rows if row.get("name") == name), None)
        if row is not None and row.get("type") != "volumes":
            raise TargetError(
                f"the project {name!r} is not for volumes",
                path=self.connection.address,
                found=visible(row.get("type")),
                expected="volumes",
                remedy="Choose another name.",
            )
        return None if row is None else _place(row, self.connection.asked("projects.list"))

    def make_dataset(self, project_id: int, name: str) -> Place:
        """Return the dataset of this name (nested: with ``/``); what is missing of it is made."""
        parent: int | None = None
        path = ""
        for part in name.split("/"):
            path = f"{path}/{part}" if path else part
            data = {"projectId": project_id, "name": part, "description": "", "parentId": parent}

            def find(path: str = path) -> Place | None:
                return next((one for one in self.datasets(project_id) if one.name == path), None)

            parent = (find() or self._made("datasets.add", data, find)).id
        assert parent is not None  # a split text has a part
        return Place(parent, path)

    def _places(self, method: str, data: dict[str, Any]) -> tuple[Place, ...]:
        asked = self.connection.asked(method)
        return tuple(_place(row, asked) for row in self.connection.entities(method, data))

    def _made(self, method: str, data: dict[str, Any], find: Callable[[], Place | None]) -> Place:
        """Make a place, never twice: where the answer is lost, look whether it is there."""
        for _ in range(TRIES):
            try:
                row = self.connection.post(method, data, repeatable=False)
            except AnswerLost:
                if there := find():
                    return there
            else:
                return _place(row, self.connection.asked(method))
        raise lost_each_time(self.connection, method)


def _place(row: Any, asked: Asked) -> Place:
    return Place(field(row, "id", int, asked), field(row, "name", str, asked))


def dataset_paths(connection: Connection, project_id: int) -> dict[int, str]:
    """Return the names of a project's datasets by id; nested ones with ``/``."""
    asked = connection.asked("datasets.list")
    data = {"projectId": project_id, "recursive": True}
    above = {
        _place(row, asked): of_shape(row.get("parentId") or 0, int, asked, "parentId")
        for row in connection.entities("datasets.list", data)
    }
    names = {place.id: place.name for place in above}
    parents = {place.id: parent for place, parent in above.items()}

    def path(number: int) -> str:
        parts: list[str] = []
        while number in names:
            parts.insert(0, names[number])
            number = parents[number]
            if len(parts) > len(names):
                raise asked.odd("datasets that lie in one another", "datasets in a tree")
        return "/".join(parts)

    return {number: path(number) for number in names}


def api_from_env() -> Any:
    """Return the SDK's own client for the address and token of the environment.

    Raises TargetError if they are not set, or the SDK or its system libraries are missing.
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
    with suppress(KeyError, ValueError, OSError):
        return sly.Api.from_env()
    raise TargetError(  # here, where no function below holds the token
        "the address or the token of the instance is not set",
        expected="SERVER_ADDRESS and API_TOKEN, in the environment or in ~/supervisely.env",
        remedy="Set both; the token is on the page of your account.",
    )
