"""A place on a live instance, chosen step by step: team, workspace, project, dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from traitlets import Any as AnyTrait
from traitlets import HasTraits, Int, Tuple, Unicode
from traitlets import Instance as InstanceTrait

from nifti_kit.core.escapes import visible
from nifti_kit.errors import TargetError
from nifti_kit.widgets.parts.tasks import Task, Ticket

if TYPE_CHECKING:
    from nifti_kit.targets.instance import Place

__all__ = ["WHOLE_PROJECT", "InstancePlace"]

WHOLE_PROJECT = -1
"""In place of a dataset's id: annotations whose folders are dataset names land all over a
project."""

PATIENCE_S = 10.0
"""How long a list of places is tried for; a person who waits for a list gives up sooner than an
upload may."""

LOADING = "Loading the SDK of Supervisely: 5 to 8 s the first time."

_STEPS = ("team", "workspace", "project", "dataset")


def _api_from_env() -> Any:
    from nifti_kit.targets.instance.places import api_from_env

    return api_from_env()


class InstancePlace(HasTraits):
    """Where on a live instance things land.

    Nothing is asked of the network before :meth:`connect`. Address and token come from the
    environment or from ``~/supervisely.env``; the token is in no trait and no text.

    Attributes
    ----------
    address
        The instance's address, once it has answered.
    teams, workspaces, projects, datasets
        What can be chosen, each a ``Place`` with id and name; empty until what is above is chosen.
    team, workspace, project, dataset
        The ids that are chosen; 0 where nothing is, ``WHOLE_PROJECT`` for a project without a
        dataset.
    target
        The chosen :class:`nifti_kit.Instance`; None until a dataset is chosen.
    task
        The requests: one at a time, in a thread.
    """

    address = Unicode()
    teams = Tuple()
    workspaces = Tuple()
    projects = Tuple()
    datasets = Tuple()
    team = Int()
    workspace = Int()
    project = Int()
    dataset = Int()
    target = AnyTrait()
    task = InstanceTrait(Task, ())

    def __init__(self, api: Callable[[], Any] = _api_from_env) -> None:
        """``api`` returns a ``supervisely.Api`` when a person connects."""
        super().__init__()
        self._api_from = api
        self._api: Any = None
        self._places: Any = None

    @property
    def blockers(self) -> list[str]:
        """Say what is missing before there is a target."""
        if self.task.is_running:
            return ["The instance is being asked."]
        if self._places is None:
            return ["Connect to the instance."]
        for step in _STEPS:
            if not getattr(self, step):
                return [f"Choose a {step}."]
        return [] if self.target is not None else ["Choose the dataset again."]

    def connect(self) -> None:
        """Ask the instance for its teams; a single team and its single workspace are taken."""
        self._ask(LOADING, self._connect)

    def choose_team(self, team: int | str) -> None:
        """Take a team, by id or name, and list its workspaces."""
        self.wait()
        number = _id_in(self.teams, team, "team")
        self._ask("Asking for workspaces.", lambda: self._take_team(number))

    def choose_workspace(self, workspace: int | str) -> None:
        """Take a workspace, by id or name, and list its projects."""
        self.wait()
        number = _id_in(self.workspaces, workspace, "workspace")
        self._ask("Asking for projects.", lambda: self._take_workspace(number))

    def choose_project(self, project: int | str) -> None:
        """Take a project, by id or name, and list its datasets."""
        self.wait()
        number = _id_in(self.projects, project, "project")
        self._ask("Asking for datasets.", lambda: self._take_project(number))

    def choose_dataset(self, dataset: int | str) -> None:
        """Take a dataset, by id or name, or ``WHOLE_PROJECT``: there is a target then."""
        self.wait()
        whole = dataset == WHOLE_PROJECT
        number = WHOLE_PROJECT if whole else _id_in(self.datasets, dataset, "dataset")
        self._ask("Asking for the dataset.", lambda: self._take_dataset(number))

    def make_project(self, name: str) -> None:
        """Make a project for volumes in the workspace, and take it; one of the name is taken."""
        self.wait()
        self._ask("Making the project.", lambda: self._make_project(name.strip()))

    def make_dataset(self, name: str) -> None:
        """Make a dataset in the project (nested: with ``/``), and take it."""
        self.wait()
        self._ask("Making the dataset.", lambda: self._make_dataset(name.strip()))

    def make_blockers(self, step: str, name: str) -> list[str]:
        """Say why no project, or dataset, of this name can be made now."""
        above = "workspace" if step == "project" else "project"
        if self.task.is_running:
            return ["The instance is being asked."]
        if not getattr(self, above):
            return [f"Choose a {above} first."]
        if not all(part.strip() for part in name.split("/")):
            return [f"Write the new {step}'s name."]
        return []

    def wait(self) -> None:
        """Wait for the request that is under way; raise what it raises."""
        if self.task.is_running:
            self.task.join()

    def _ask(self, said: str, work: Callable[[], None]) -> None:
        def ask(ticket: Ticket) -> None:
            ticket.tell(0.0, said)
            work()

        self.task.start(ask)

    def _connect(self) -> None:
        from nifti_kit.targets.instance import Places

        self._reset(0)
        self.teams, self._places = (), None
        api = self._api_from()
        places = Places(api)
        places.connection.patience = PATIENCE_S
        teams = places.teams()
        self._api, self._places = api, places
        self.address = places.connection.address
        self.teams = teams
        if len(teams) == 1:  # there is nothing to choose
            self._take_team(teams[0].id)

    def _take_team(self, number: int) -> None:
        self._reset(0)
        self.team = number
        found: tuple[Place, ...] = self._places.workspaces(number) if number else ()
        self.workspaces = found
        if len(found) == 1:
            self._take_workspace(found[0].id)

    def _take_workspace(self, number: int) -> None:
        self._reset(1)
        self.workspace = number
        self.projects = self._places.projects(number) if number else ()

    def _take_project(self, number: int) -> None:
        self._reset(2)
        self.project = number
        self.datasets = self._places.datasets(number) if number else ()

    def _take_dataset(self, number: int) -> None:
        from nifti_kit.targets.instance import Instance

        self.target = None
        self.dataset = number
        if number == WHOLE_PROJECT:
            self.target = Instance(self._api, project_id=self.project)
        elif number:
            self.target = Instance(self._api, number)

    def _make_project(self, name: str) -> None:
        made = self._places.make_project(self.workspace, name)
        self.projects = self._places.projects(self.workspace)
        self._take_project(made.id)

    def _make_dataset(self, name: str) -> None:
        made = self._places.make_dataset(self.project, name)
        self.datasets = self._places.datasets(self.project)
        self._take_dataset(made.id)

    def _reset(self, depth: int) -> None:
        """Forget what was chosen at a step and below it."""
        self.target = None
        for step in reversed(_STEPS[depth:]):
            setattr(self, step, 0)
        for step in reversed(_STEPS[depth + 1 :]):
            setattr(self, f"{step}s", ())


def _id_in(places: Sequence[Place], wanted: int | str, step: str) -> int:
    """Return the id of a place that is listed, by its id or name; 0 takes the choice back."""
    found = [place.id for place in places if wanted in (place.id, place.name)]
    if len(found) != 1 and wanted != 0:
        listed = ", ".join(f"{place.id} ({visible(place.name)})" for place in places)
        raise TargetError(
            f"there is no such {step}, or more than one",
            found=repr(wanted),
            expected=listed or f"a {step} of the instance",
            remedy="Choose one of these, by id.",
        )
    return found[0] if wanted else 0
