"""A side of a comparison: a folder of files, a project folder, a place on an instance."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Enum, HasTraits, Int, List, Unicode

from nifti_kit.datasets.dataset import Dataset
from nifti_kit.targets.folder import ProjectFolder
from nifti_kit.widgets.parts.sources import CHOICES, SourcePicker
from nifti_kit.widgets.parts.targets import FolderPlace, InstancePlace
from nifti_kit.widgets.parts.tasks import Task, Ticket

KINDS = ("source", "folder", "instance", "given")
"""Files, a project folder, a live instance, or what the code has given: a plan, another target."""

META = "meta.json"
"""A folder with this file is a Supervisely project."""


class SidePicker(HasTraits):
    """What is compared.

    A path that is given is a source, unless a ``meta.json`` in it makes it a Supervisely project.
    """

    kind = Enum(KINDS, "source")  # one of ``KINDS``
    given = AnyTrait()  # what the code has given; None where a person chooses
    blockers = List(Unicode())  # why it cannot be compared now
    revision = Int()  # counts the changes of what is chosen

    def __init__(self, given: Any = "", *, api: Callable[[], Any] | None = None) -> None:
        super().__init__()
        # The parts that make choices; the one of ``kind`` counts.
        self.source, self.folder = SourcePicker(), FolderPlace(reads=True)
        self.instance = InstancePlace() if api is None else InstancePlace(api)
        self._read: tuple[Any, ...] = ()
        self._forgotten = 0
        self._take(given)
        self._basis = self._basis_now()
        self._watch()
        self._refresh()

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return what can be chosen from."""
        return KINDS if self.given is not None else KINDS[:3]

    @property
    def tasks(self) -> tuple[Task, Task]:
        """The reading of files, and the requests to the instance."""
        return self.source.task, self.instance.task

    @property
    def name(self) -> str:
        """What is compared, in words."""
        if self.kind == "source":
            return self.source.path
        return f"{self._place!r}"

    def choose(self, given: Any) -> None:
        """Take something else: what a new picker would take."""
        with self.hold_trait_notifications():
            self._take(given)

    def taken(self, ticket: Ticket) -> Any:
        """Return what :func:`nifti_kit.compare` takes; files are read where they were not."""
        if self.kind != "source":
            return self._place
        if self.source.dataset is None:
            ticket.tell(0.0, f"Reading names and headers of {self.source.path} ...")
            self.source.scan()
            self.source.join()
        ticket.check()
        return self.source.dataset

    def _take(self, given: Any) -> None:
        if isinstance(given, Dataset):
            self.kind, self.source.path = "source", os.fspath(given.source.given)
            self.source.dataset, self._read = given, self._choices
        elif type(given) is ProjectFolder:
            self.kind = "folder"
            self.folder.choose(given.path, given.dataset or "")
        elif not isinstance(given, str | os.PathLike):
            self.given, self.kind = given, "given"
        elif _is_project(os.fspath(given)):
            self.kind = "folder"
            self.folder.choose(given)
        else:
            self.kind, self.source.path = "source", os.fspath(given)

    def _watch(self) -> None:
        self.observe(self._refresh, ["kind", "given"])
        self.source.observe(self._refresh, ["path", *CHOICES])
        self.source.observe(self._note_read, "dataset")
        self.folder.observe(self._refresh, ["target", "blockers"])
        self.instance.observe(self._refresh, ["target"])
        for task in self.tasks:
            task.observe(self._refresh, "state")

    def _note_read(self, change: Any) -> None:
        self._read = () if change["new"] is None else self._choices
        self._forgotten += change["new"] is None  # read again: the files may be others
        self._refresh()

    def _refresh(self, _: Any = None) -> None:
        if self.source.dataset is not None and self._read != self._choices:
            self.source.dataset = None
        self.blockers = self._blockers_now()
        now = self._basis_now()
        if now != self._basis:
            self._basis = now
            self.revision += 1

    @property
    def _place(self) -> Any:
        places = {"folder": self.folder.target, "instance": self.instance.target}
        return places.get(self.kind, self.given)

    @property
    def _choices(self) -> tuple[Any, ...]:
        return self.source.path, *(getattr(self.source, name) for name in CHOICES)

    def _basis_now(self) -> tuple[Any, ...]:
        """Return all that the choice depends on."""
        if self.kind == "source":
            return self.kind, self._forgotten, *self._choices
        return self.kind, self._place

    def _blockers_now(self) -> list[str]:
        if self.kind == "folder":
            return list(self.folder.blockers)
        if self.kind == "instance":
            return list(self.instance.blockers)
        if self.kind == "given":
            return []
        if _is_project(self.source.path):
            return ["This is a Supervisely project: choose 'a project folder on disk'."]
        return [] if self.source.dataset is not None else self.source.scan_blockers


def _is_project(path: str) -> bool:
    return os.path.isfile(os.path.join(os.path.expanduser(path.strip()), META))  # noqa: PTH111, PTH113, PTH118  (they never raise)
