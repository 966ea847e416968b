"""A place on a live instance, chosen step by step: team, workspace, project, dataset."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from traitlets import Any as AnyTrait
from traitlets import HasTraits, Int, List, Tuple, Unicode
from traitlets import Instance as InstanceTrait

from nifti_kit.core.text import counted, listed
from nifti_kit.errors import NiftiKitError, TargetError, visible
from nifti_kit.targets.folder import ProjectFolder
from nifti_kit.targets.folder.reservation import UNSEEN_ENDINGS
from nifti_kit.widgets.parts.tasks import Task, Ticket

if TYPE_CHECKING:
    from nifti_kit.targets.instance import Place

WHOLE_PROJECT = -1
"""In place of a dataset's id: annotations whose folders are dataset names land all over a
project."""

PATIENCE_S = 10.0
"""How long a list of places is tried for; a person who waits for a list gives up sooner than an
upload may."""

LOADING = "Loading the SDK of Supervisely: 5 to 8 s the first time."

STEPS = ("team", "workspace", "project", "dataset")


def _api_from_env() -> Any:
    from nifti_kit.targets.instance.places import api_from_env

    return api_from_env()


class InstancePlace(HasTraits):
    """Where on a live instance things land.

    Nothing is asked of the network before :meth:`connect`. Address and token come from the
    environment or from ``~/supervisely.env``; the token is in no trait and no text.
    """

    address = Unicode()  # the instance's address, once it has answered
    # What can be chosen, each a ``Place`` with id and name; empty until what is above is chosen.
    teams = Tuple()
    workspaces = Tuple()
    projects = Tuple()
    datasets = Tuple()
    # The ids that are chosen; 0 where nothing is, ``WHOLE_PROJECT`` for a project without a
    # dataset.
    team = Int()
    workspace = Int()
    project = Int()
    dataset = Int()
    target = AnyTrait()  # the chosen :class:`nifti_kit.Instance`; None until a dataset is chosen
    task = InstanceTrait(Task, ())  # the requests: one at a time, in a thread

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
        for step in STEPS:
            if not getattr(self, step):
                return [f"Choose a {step}."]
        return [] if self.target is not None else ["Choose the dataset again."]

    def connect(self) -> None:
        """Ask the instance for its teams; a single team and its single workspace are taken."""
        self._ask(LOADING, self._connect)

    def choose(self, step: str, place: int | str) -> None:
        """Take a team, workspace, project or dataset, by id or name, and list what is below it.

        0 takes the choice back; with a dataset, or ``WHOLE_PROJECT``, there is a target.
        """
        self.wait()
        take, said = {
            "team": (self._take_team, "workspaces"),
            "workspace": (self._take_workspace, "projects"),
            "project": (self._take_project, "datasets"),
            "dataset": (self._take_dataset, "the dataset"),
        }[step]
        whole = step == "dataset" and place == WHOLE_PROJECT
        number = WHOLE_PROJECT if whole else _id_in(getattr(self, f"{step}s"), place, step)
        self._ask(f"Asking for {said}.", lambda: take(number))

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
        for step in reversed(STEPS[depth:]):
            setattr(self, step, 0)
        for step in reversed(STEPS[depth + 1 :]):
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


# Where things land: a project folder, or a place on a live instance

KINDS = ("folder", "instance", "given")
"""A project folder, a live instance, or a target that the code has given."""

SHOWN_DATASETS = 8
"""Datasets that a sentence lists before it counts the rest."""


class FolderPlace(HasTraits):
    """A project folder, and the dataset in it."""

    path = Unicode()  # the project's folder; it is made when something lands
    # The dataset's name, nested ones with ``/``; ``""`` for the whole project (annotations only).
    dataset = Unicode()
    datasets = Tuple()  # those that are in the folder already
    target = AnyTrait()  # the :class:`nifti_kit.ProjectFolder`; None while something is refused
    blockers = List(Unicode())  # what is missing or refused

    def __init__(
        self, path: str | os.PathLike[str] = "", dataset: str = "", *, reads: bool = False
    ) -> None:
        """With ``reads`` the project, and the dataset, are to be there already."""
        super().__init__()
        self.reads = reads
        self.observe(self.look, ["path", "dataset"])
        with self.hold_trait_notifications():
            self.path, self.dataset = os.fspath(path), dataset
        self.look()

    def choose(self, path: str | os.PathLike[str], dataset: str = "") -> None:
        """Take a folder and a dataset in it."""
        with self.hold_trait_notifications():
            self.path, self.dataset = os.fspath(path).strip(), dataset.strip()

    @property
    def said(self) -> str:
        """What the folder is: a new project, or one with datasets."""
        if self.blockers:
            return ""
        if not self.datasets:
            return "A new project will be made here."
        names = listed(self.datasets, SHOWN_DATASETS)
        if self.reads:
            return f"A project with {counted(len(self.datasets), 'dataset')}: {names}."
        what = "in it already; new volumes beside them are added"
        if self.dataset and self.dataset not in self.datasets:
            what = "in it already; the new one will be made"
        return f"A project with {counted(len(self.datasets), 'dataset')}: {names} ({what})."

    def look(self, _: Any = None) -> None:
        """Look at the folder anew: something may have landed in it."""
        target: ProjectFolder | None = None
        blockers: list[str] = []
        datasets: tuple[str, ...] = ()
        if not self.path:
            blockers.append("Name the project's folder.")
        else:
            try:
                project = ProjectFolder(self.path)
                project.check_place()
                datasets = tuple(project.dataset_names())
                target = ProjectFolder(self.path, self.dataset or None)
            except NiftiKitError as error:
                blockers.append(str(error))
            except OSError as error:
                blockers.append(f"The folder cannot be read: {error.strerror}.")
        blockers += _unseen(self.dataset)
        if self.reads and not blockers:
            blockers += _not_there(datasets, self.dataset)
        self.datasets = datasets
        target = None if blockers else target
        if repr(target) != repr(self.target):  # the same place stays the same target
            self.target = target
        self.blockers = blockers


class TargetPicker(HasTraits):
    """Where things land: at first where the code says, if it does; a person can change a folder.

    ``api`` returns a ``supervisely.Api`` when a person connects; by default the environment's.
    """

    kind = Unicode("folder")  # one of ``KINDS``
    # The two places; the one of ``kind`` counts.
    folder = InstanceTrait(FolderPlace, ())
    instance = InstanceTrait(InstancePlace)
    given = AnyTrait()
    target = AnyTrait()  # what was chosen; None while something is missing
    blockers = List(Unicode())  # what is missing

    def __init__(self, target: Any = None, *, api: Callable[[], Any] | None = None) -> None:
        super().__init__(instance=InstancePlace() if api is None else InstancePlace(api))
        if type(target) is ProjectFolder:
            self.folder.choose(target.path, target.dataset or "")
        elif target is not None:
            self.given, self.kind = target, "given"
        self.observe(self._refresh, ["kind", "given"])
        self.folder.observe(self._refresh, ["target", "blockers"])
        self.instance.observe(self._refresh, ["address", "target", *STEPS])
        self.instance.task.observe(self._refresh, "state")
        self._refresh()

    @property
    def task(self) -> Task:
        """The requests to the instance."""
        return self.instance.task

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return what can be chosen from."""
        return KINDS if self.given is not None else KINDS[:2]

    @property
    def link(self) -> str:
        """Where the project can be looked at: a web address, or the folder's path."""
        return "" if self.target is None else self.target.where

    def connect(self) -> None:
        """Take a live instance, and ask it for its teams."""
        self.kind = "instance"
        self.instance.connect()

    def _refresh(self, _: Any = None) -> None:
        place: Any = {"folder": self.folder, "instance": self.instance}.get(self.kind)
        target = self.given if place is None else place.target
        blockers = [] if place is None else list(place.blockers)
        self.blockers = blockers
        self.target = None if blockers else target


def _not_there(datasets: Sequence[str], dataset: str) -> list[str]:
    """Say that there is nothing to read."""
    if not datasets:
        return ["There is no project in this folder."]
    if dataset and dataset not in datasets:
        return [f"The project has no dataset {dataset!r}: {listed(datasets, SHOWN_DATASETS)}."]
    return []


def _unseen(dataset: str) -> list[str]:
    """Say which part of a dataset's name the SDK would take for a folder of its own."""
    return [
        f"Choose another name for the dataset: {name!r} ends in {ending!r}, and the SDK would not "
        f"see it. {name + '_1'!r} would do."
        for name in dataset.split("/")
        for ending in UNSEEN_ENDINGS
        if name.endswith(ending)
    ][:1]
