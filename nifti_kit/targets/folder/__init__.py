"""A Supervisely volume project on disk, written without the SDK.

Every file is written beside its place and renamed; a volume's annotation is written last, so that
a volume without one was not finished.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nifti_kit.core.files import land_json, short_name, state_folder, written
from nifti_kit.core.locks import held, lock_of
from nifti_kit.errors import TargetError
from nifti_kit.targets import annotation as ann
from nifti_kit.targets.comparing import refuse_other_shapes
from nifti_kit.targets.folder.landing import Landing
from nifti_kit.targets.folder.leftovers import is_leftover, remove_leftovers
from nifti_kit.targets.folder.ownership import recalled
from nifti_kit.targets.folder.project import ProjectReader
from nifti_kit.targets.folder.reservation import Reservation
from nifti_kit.targets.records import (
    Begun,
    ItemJob,
    PlannedClass,
    PlannedItem,
)
from nifti_kit.targets.target import ReadBack, Tell

__all__ = ["ProjectFolder"]


class ProjectFolder(ProjectReader):
    """A Supervisely volume project in a folder: a target.

    Parameters
    ----------
    path
        The project's folder; it is made when something lands.
    dataset
        The dataset that volumes land in; nested ones with ``/``. Without it the scope is the
        whole project: annotations may land on any of its volumes, new volumes may not.
    """

    side_by_side = 1  # the threads of one item keep the processors busy

    @property
    def journals(self) -> Path:
        """Where uploads are remembered until they are whole: a folder beside the project.

        Where nothing can be written beside it, in the user's own state folder.
        """
        beside = self._beside("journals")
        return beside if _is_open(beside) else state_folder()

    def _beside(self, what: str) -> Path:
        """Return a place beside the project, however its path is written."""
        whole = self.path.resolve()
        if not whole.name:
            raise self._no_project("the root of all folders")
        return whole.with_name(short_name(whole.name, f".{what}"))

    @property
    def _lock(self) -> Path:
        """The file that one upload at a time holds: beside the project, under a name of ours."""
        beside = self._beside("nifti_kit.lock")
        hidden = beside.with_name(short_name(f".{beside.name}"))
        return hidden if _is_open(hidden) else lock_of(self.path)

    def add_classes(self, classes: Sequence[PlannedClass]) -> None:
        """Make the classes that are not there; one that is there keeps its colour.

        Raises
        ------
        TargetError
            If a class is there with a shape that cannot hold a mask.
        """
        self.check_place()
        meta = self.meta()
        known = {found["title"] for found in meta["classes"]}
        refuse_other_shapes(classes, meta["classes"], self.path / "meta.json")
        for planned in classes:
            if planned.name not in known:
                meta["classes"].append(ann.class_json(planned))
        land_json(self.path / "meta.json", meta)

    def reserve(
        self, item: PlannedItem, existing: str, session: str, begun: Begun | None = None
    ) -> ItemJob:
        """Return the job for an item: names, keys and ids, and what happens to what is there.

        What it replaces goes to a folder beside the project, named by the project and the session.

        Raises
        ------
        TargetError
            If something is there that ``existing`` does not allow for, or there is no such volume.
        """
        return Reservation(self, item, existing, self.kept_in(session)).job(begun)

    def kept_in(self, session: str) -> Path:
        """Return the folder in which a run keeps what it replaces, beside the project."""
        return self._beside("replaced") / session

    @contextmanager
    def reading_back(
        self,
        items: Sequence[ReadBack],  # noqa: ARG002 - it is the same for whatever is read
    ) -> Iterator[ProjectFolder]:
        """Give the target itself: there is nothing to wait for."""
        yield self

    @contextmanager
    def remembering(self) -> Iterator[ProjectFolder]:
        """Give the target itself, for one upload at a time: its files are read as they are needed.

        What other uploads have left half written when they were killed is removed.

        Raises
        ------
        TargetError
            If another upload to this project is under way, or no project can be there, or its
            files are damaged.
        """
        with held(self._lock, "an upload to this project"):
            self.check_place()
            self._ids, self._volumes = None, {}  # others may have written since
            self.meta()
            self.ids()
            remove_leftovers(self.path, self._beside("replaced"))
            with written(self.journals):  # others who may write here have their journals in it, too
                self.journals.mkdir(parents=True, exist_ok=True)
            try:
                yield self
            finally:
                with suppress(OSError):  # others' journals are in it, or none ever was
                    self.journals.rmdir()

    def recall(self, item: PlannedItem, record: dict[str, Any], session: str) -> ItemJob:
        """Return the finished job of an item that landed in an earlier run, or raise ``Gone``."""
        return recalled(self, item, record, self.kept_in(session))

    def write(self, job: ItemJob, tell: Tell | None = None) -> ItemJob:
        """Land a job: volume, masks, then the annotation. It can be repeated.

        What is in the annotation already, with its file, is not written again.

        ``tell`` takes bytes and objects after the volume and after each mask. The volume's voxels
        are gone before a label map is read: both together would be a third quicker with a
        large CT, and take half as much memory again.
        """
        return Landing(self, job, tell).landed()

    def commit(self, jobs: Sequence[ItemJob]) -> None:
        """Write the ids that were reserved to ``key_id_map.json``, without those that went."""
        ids = self.ids()
        for job in jobs:
            for ref in job.replaced:
                ids.forget("objects", ref.key)
                ids.forget("figures", ref.figure_key)
            self._volumes[job.volume.id] = job.volume
        with written(self.path / "key_id_map.json"):
            ids.save()
        self._ids_stamp = self.stamp()

    def check_place(self) -> None:
        """Refuse a file, or a folder of other things.

        Raises
        ------
        TargetError
            If a project cannot be there.
        """
        if self.path.exists() and not self.path.is_dir():
            raise self._no_project("a file")
        if not self.path.is_dir() or (self.path / "meta.json").exists():
            return
        if not all(map(is_leftover, self.path.iterdir())):
            raise self._no_project("a folder with other files")

    def _no_project(self, found: str) -> TargetError:
        return TargetError(
            "it is no Supervisely project",
            path=self.path,
            found=found,
            expected="an empty or new folder, or a project (with meta.json)",
            remedy="Choose another folder for the project.",
        )


def _is_open(path: Path) -> bool:
    """Say whether a file or folder is there, or can be made.

    A project may be a disk that is mounted, beside which nothing can be written.
    """
    there = next((one for one in path.parents if one.exists()), path.parent)
    return path.exists() or os.access(there, os.W_OK | os.X_OK)
