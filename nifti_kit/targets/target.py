"""The protocol of a target: volumes, classes, objects; what is there, and what lands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy.typing as npt

from nifti_kit.core.geometry import Grid
from nifti_kit.errors import TargetError, wrong_argument
from nifti_kit.formats.nrrd import Drawn
from nifti_kit.targets.records import (
    Begun,
    ClassRef,
    ItemJob,
    ObjectRef,
    PlannedClass,
    PlannedItem,
    VolumeRef,
)

EXISTING = ("error", "skip", "replace", "append")
"""What to do with a volume or class object that is there already."""


class Tell(Protocol):
    """Is told how far an item is."""

    def __call__(self, size: int, objects: int, voxels: int = 0, /) -> Any:
        """Take the bytes and the objects that have landed so far.

        ``voxels`` are the bytes of the volume's voxels, as they are in memory, that have landed;
        they need not be told once objects land.
        """


class Gone(TargetError):
    """What had landed in an earlier run was removed since."""


class NoMask(TargetError):
    """An object without voxels: its figure has no geometry, or its file is gone."""


@runtime_checkable
class Volumes(Protocol):
    """What has volumes, as each target does."""

    def volumes(self) -> Sequence[VolumeRef]:
        """Return the volumes in scope."""


class Masks(Protocol):
    """Where masks are read back."""

    def iter_mask(self, found: ObjectRef) -> Iterator[npt.NDArray[Any]]:
        """Yield a mask's slices (i, j) in the order of k."""

    def drawn(self, found: ObjectRef) -> tuple[Grid, Drawn]:
        """Return ``mask_grid``, and k and slice (i, j) of the slices that are not all zeros."""

    def mask_grid(self, found: ObjectRef) -> Grid:
        """Return where a mask's voxels are (RAS+ mm)."""


class ReadBack(NamedTuple):
    """What will be read back of a volume."""

    volume: VolumeRef  # which one
    has_voxels: bool  # whether its voxels are
    masks: tuple[ObjectRef, ...]  # the objects whose masks are, in their order


@runtime_checkable
class Target(Masks, Volumes, Protocol):
    """Where a plan lands, and where what landed is read back."""

    @property
    def side_by_side(self) -> int:
        """How many items land at a time where nobody gives an executor."""

    @property
    def path(self) -> Path | None:
        """The project's folder; None for a target that is none on disk."""

    @property
    def where(self) -> str:
        """Where a person can look at the project: a folder's path or a web address, or empty."""

    @property
    def has_dataset(self) -> bool:
        """Whether a dataset is in scope: only then new volumes can land."""

    @property
    def journals(self) -> Path | None:
        """The folder in which it remembers uploads that nobody gave a journal; None for none."""

    def classes(self) -> Sequence[ClassRef]:
        """Return the classes of the project."""

    def objects(self, volume_id: int) -> Sequence[ObjectRef]:
        """Return the objects of a volume."""

    def content(self, volume_id: int) -> dict[str, Any]:
        """Return a volume's annotation as it is there, without geometries: also what is no mask."""

    def iter_volume(self, volume_id: int) -> Iterator[npt.NDArray[Any]]:
        """Yield a volume's slices (i, j) in the order of k."""

    def volume_grid(self, volume_id: int) -> Grid:
        """Return where a volume's voxels are (RAS+ mm), read anew."""

    def remembering(self) -> AbstractContextManager[Target]:
        """Give the target for the time of one upload: it may list what is there only once."""

    def reading_back(self, items: Sequence[ReadBack]) -> AbstractContextManager[Target]:
        """Give the target for reading volumes back once, in an order: it may fetch ahead."""

    def add_classes(self, classes: Sequence[PlannedClass]) -> None:
        """Make the classes that are not there."""

    def reserve(
        self, item: PlannedItem, existing: str, session: str, begun: Begun | None = None
    ) -> ItemJob:
        """Return the job for an item: names, keys and ids, and what happens to what is there.

        ``session`` names the run (for what it replaces); ``begun`` is what a journal knows of the
        item, where an interrupted run of the same call had begun it. Only what that proves to be
        of this run, and unchanged since, may be completed or removed; all else is as what others
        made, and ``existing`` decides.
        """

    def recall(self, item: PlannedItem, record: dict[str, Any], session: str) -> ItemJob | None:
        """Return the job of an item that landed in an earlier run, by its ``ItemJob.record``.

        ``session`` names that run. None where ``reserve`` finds it again by its keys.

        Raises Gone if it was removed since, or a part of it: it is an item that was begun then.
        """

    def write(self, job: ItemJob, tell: Tell | None = None) -> ItemJob:
        """Land a job, and return it with the ids that it got; can be repeated.

        ``tell`` is called in the thread of the caller as bytes and objects land; an exception that
        it raises ends the job, which can be repeated.
        """

    def kept_in(self, session: str) -> Path:
        """Return the folder in which a run keeps what it replaces."""

    def commit(self, jobs: Sequence[ItemJob]) -> None:
        """Make the ids durable that were reserved, and forget those that landed jobs replaced."""


def a_target(given: object) -> None:
    """Raise WrongArgument where something is no target, such as the path of one."""
    if not isinstance(given, Volumes):
        expected = "such as nk.ProjectFolder('out/project', 'knee')"
        raise wrong_argument("this is no target", given, expected)
