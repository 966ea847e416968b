"""Where things land: a project folder, or a place on a live instance."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import HasTraits, List, Tuple, Unicode
from traitlets import Instance as InstanceTrait

from nifti_kit.core.wording import counted
from nifti_kit.errors import NiftiKitError
from nifti_kit.targets.folder import ProjectFolder
from nifti_kit.targets.folder.reservation import UNSEEN_ENDINGS
from nifti_kit.widgets.parts.targets import InstancePlace
from nifti_kit.widgets.parts.tasks import Task

__all__ = ["KINDS", "FolderPlace", "TargetPicker"]

KINDS = ("folder", "instance", "given")
"""A project folder, a live instance, or a target that the code has given."""

SHOWN_DATASETS = 8
"""Datasets that a sentence lists before it counts the rest."""


class FolderPlace(HasTraits):
    """A project folder, and the dataset in it.

    Attributes
    ----------
    path
        The project's folder; it is made when something lands.
    dataset
        The dataset's name, nested ones with ``/``; ``""`` for the whole project (annotations
        only).
    datasets
        Those that are in the folder already.
    target
        The :class:`nifti_kit.ProjectFolder`; None while something is refused.
    blockers
        What is missing or refused.
    """

    path = Unicode()
    dataset = Unicode()
    datasets = Tuple()
    target = AnyTrait()
    blockers = List(Unicode())

    def __init__(self, path: str | os.PathLike[str] = "", dataset: str = "") -> None:
        super().__init__()
        self.observe(self._look, ["path", "dataset"])
        with self.hold_trait_notifications():
            self.path, self.dataset = os.fspath(path), dataset
        self._look()

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
        names = ", ".join(self.datasets[:SHOWN_DATASETS])
        more = len(self.datasets) - SHOWN_DATASETS
        rest = f" and {more} more" if more > 0 else ""
        what = "in it already; new volumes beside them are added"
        if self.dataset and self.dataset not in self.datasets:
            what = "in it already; the new one will be made"
        return f"A project with {counted(len(self.datasets), 'dataset')}: {names}{rest} ({what})."

    def look(self) -> None:
        """Look at the folder anew: something may have landed in it."""
        self._look()

    def _look(self, _: Any = None) -> None:
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
        self.datasets = datasets
        target = None if blockers else target
        if repr(target) != repr(self.target):  # the same place stays the same target
            self.target = target
        self.blockers = blockers


class TargetPicker(HasTraits):
    """Where things land.

    Parameters
    ----------
    target
        A target to begin with; a :class:`nifti_kit.ProjectFolder` can be changed in the view.
    api
        Returns a ``supervisely.Api`` when a person connects; that of the environment by default.

    Attributes
    ----------
    kind
        One of ``KINDS``.
    folder, instance
        The two places; the one of ``kind`` counts.
    target
        What was chosen; None while something is missing.
    blockers
        What is missing.
    """

    kind = Unicode("folder")
    folder = InstanceTrait(FolderPlace, ())
    instance = InstanceTrait(InstancePlace)
    given = AnyTrait()
    target = AnyTrait()
    blockers = List(Unicode())

    def __init__(self, target: Any = None, *, api: Callable[[], Any] | None = None) -> None:
        super().__init__(instance=InstancePlace() if api is None else InstancePlace(api))
        if type(target) is ProjectFolder:
            self.folder.choose(target.path, target.dataset or "")
        elif target is not None:
            self.given, self.kind = target, "given"
        self.observe(self._refresh, ["kind", "given"])
        self.folder.observe(self._refresh, ["target", "blockers"])
        self.instance.observe(self._refresh, ["address", "target", *_CHOICES])
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
        return link_to(self.target)

    def choose_folder(self, path: str | os.PathLike[str], dataset: str = "") -> None:
        """Take a project folder, and a dataset in it; none for the whole project."""
        self.kind = "folder"
        self.folder.choose(path, dataset)

    def choose_instance(self, target: Any) -> None:
        """Take a :class:`nifti_kit.Instance`, or any other target, that code has made."""
        self.given, self.kind = target, "given"

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


_CHOICES = ("team", "workspace", "project", "dataset")


def link_to(target: Any) -> str:
    """Return where a target's project can be looked at: a web address, or a folder's path."""
    path = getattr(target, "path", None)
    if path is not None:
        return str(path.resolve())
    address = getattr(getattr(target, "connection", None), "address", "")
    project = getattr(target, "project_id", None)
    if not address.startswith(("http://", "https://")) or project is None:
        return ""
    return f"{address}/projects/{project}/datasets"


def _unseen(dataset: str) -> list[str]:
    """Say which part of a dataset's name the SDK would take for a folder of its own."""
    return [
        f"Choose another name for the dataset: {name!r} ends in {ending!r}, and the SDK would not "
        f"see it. {name + '_1'!r} would do."
        for name in dataset.split("/")
        for ending in UNSEEN_ENDINGS
        if name.endswith(ending)
    ][:1]
