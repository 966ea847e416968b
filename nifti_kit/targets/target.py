"""What every target has: volumes, classes, objects; and the records that name them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from nifti_kit.core.geometry import Grid
from nifti_kit.errors import TargetError
from nifti_kit.plans.plan import CustomData, PlannedClass, PlannedItem
from nifti_kit.plans.score_updates import ScoreUpdate, SliceScores

__all__ = [
    "EXISTING",
    "ClassRef",
    "Gone",
    "ItemJob",
    "Masks",
    "ObjectRef",
    "ScoreChange",
    "Target",
    "Tell",
    "VolumeRef",
    "job_name",
]

EXISTING = ("error", "skip", "replace", "append")
"""What to do with a volume or class object that is there already."""


Tell = Callable[[int, int], Any]
"""Takes how many bytes, and how many objects, of an item have landed so far."""


class Gone(TargetError):
    """What had landed in an earlier run was removed since."""


@dataclass(frozen=True, slots=True)
class VolumeRef:
    """A volume on a target.

    Attributes
    ----------
    id, key
        Its number and its key (32 hex digits).
    name
        Ends in ``.nrrd``.
    dataset
        The dataset's name; nested ones with ``/``.
    grid
        Where its voxels are, in RAS+ order (mm).
    """

    id: int
    key: str
    name: str
    dataset: str
    grid: Grid


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """An object on a target, with its one figure."""

    id: int
    key: str
    figure_id: int
    figure_key: str
    class_name: str
    volume_id: int
    scores: CustomData

    @property
    def has_figure(self) -> bool:
        """Say whether it has a mask: some objects of others have none."""
        return bool(self.figure_id or self.figure_key)


@dataclass(frozen=True)
class ClassRef:
    """A class on a target."""

    name: str
    color: tuple[int, int, int]
    description: str
    shape: str


@dataclass(frozen=True, eq=False)
class ScoreChange:
    """What becomes of the scores of a figure that is there.

    Attributes
    ----------
    update
        What was planned.
    ref
        The object with the scores that it is to have, those of all planes.
    before
        The scores that the figure had on the plane.
    """

    update: ScoreUpdate
    ref: ObjectRef
    before: SliceScores

    @property
    def landed(self) -> SliceScores:
        """The scores that the figure is to have on the plane."""
        return self.ref.scores[self.update.plane]

    @property
    def lost(self) -> SliceScores:
        """What goes: slices that are to have other scores, or none."""
        return {k: old for k, old in self.before.items() if self.landed.get(k) != old}


def job_name(item: PlannedItem) -> str:
    """Return what the journal calls an item: its name, or the id of the volume that it is for."""
    return item.name if item.volume_id is None else f"volume {item.volume_id}"


@dataclass(frozen=True, eq=False, slots=True)
class ItemJob:
    """A planned item with the keys and ids that it will have.

    Attributes
    ----------
    item
        What lands.
    volume
        Id, key, name and dataset of its volume; the grid is that of the landed volume.
    new_volume
        Whether the volume's voxels are to be written.
    add
        For each object that is to be added: its place in ``item.objects``, and what it becomes.
    kept
        The same for objects that are there already.
    replaced
        The objects that go.
    backup
        Where what goes is kept; None where nothing goes.
    memo
        What a journal keeps to know the job again; the keys of what is added by default.
    resumed
        Whether an interrupted run had begun it.
    updates
        The scores of figures that are there.
    sent
        How many bytes were written to disk or sent for it; 0 before it has landed.
    """

    item: PlannedItem
    volume: VolumeRef
    new_volume: bool
    add: tuple[tuple[int, ObjectRef], ...]
    kept: tuple[tuple[int, ObjectRef], ...] = ()
    replaced: tuple[ObjectRef, ...] = ()
    backup: Path | None = None
    memo: tuple[str, ...] | None = None
    resumed: bool = False
    updates: tuple[ScoreChange, ...] = ()
    sent: int = 0

    @property
    def name(self) -> str:
        """What the journal calls it."""
        return job_name(self.item)

    @property
    def marks(self) -> list[str]:
        """What the journal keeps when the job begins."""
        keys = tuple(ref.key for _, ref in self.add)
        return list(keys if self.memo is None else self.memo)

    @property
    def record(self) -> dict[str, Any]:
        """What the journal keeps when the job is done: ids of volume, objects and figures.

        And which of these objects were there already, and what they replaced.
        """
        refs = (*self.add, *self.kept)
        record: dict[str, Any] = {
            "volume": self.volume.id,
            "objects": [[at, ref.id, ref.figure_id] for at, ref in refs],
        }
        if self.kept:
            record["kept"] = [at for at, _ in self.kept]
        if self.replaced:
            record["replaced"] = [[ref.id, ref.figure_id, ref.class_name] for ref in self.replaced]
        return record


class Masks(Protocol):
    """Where masks are read back."""

    def iter_mask(self, found: ObjectRef) -> Iterator[npt.NDArray[Any]]:
        """Yield a mask's slices (i, j) in the order of k."""

    def mask_grid(self, found: ObjectRef) -> Grid:
        """Return where a mask's voxels are (RAS+ mm)."""


class Target(Masks, Protocol):
    """Where a plan lands, and where what landed is read back."""

    @property
    def side_by_side(self) -> int:
        """How many items land at a time where nobody gives an executor."""

    def volumes(self) -> Sequence[VolumeRef]:
        """Return the volumes in scope."""

    def classes(self) -> Sequence[ClassRef]:
        """Return the classes of the project."""

    def objects(self, volume_id: int) -> Sequence[ObjectRef]:
        """Return the objects of a volume."""

    def iter_volume(self, volume_id: int) -> Iterator[npt.NDArray[Any]]:
        """Yield a volume's slices (i, j) in the order of k."""

    def volume_grid(self, volume_id: int) -> Grid:
        """Return where a volume's voxels are (RAS+ mm), read anew."""

    def remembering(self) -> AbstractContextManager[Target]:
        """Give the target for the time of one upload: it may list what is there only once."""

    def add_classes(self, classes: Sequence[PlannedClass]) -> None:
        """Make the classes that are not there."""

    def reserve(
        self, item: PlannedItem, existing: str, session: str, mine: Sequence[str] | None = None
    ) -> ItemJob:
        """Return the job for an item: names, keys and ids, and what happens to what is there.

        ``session`` names the run (for what it replaces); ``mine`` are the marks of the item's job
        in an interrupted run (``ItemJob.marks``).
        """

    def recall(self, item: PlannedItem, record: dict[str, Any], session: str) -> ItemJob | None:
        """Return the job of an item that landed in an earlier run, by its ``ItemJob.record``.

        ``session`` names that run. None where ``reserve`` finds it again by its keys.

        Raises
        ------
        Gone
            If it was removed since, or a part of it: it is an item like any other then.
        """

    def write(self, job: ItemJob, tell: Tell | None = None) -> ItemJob:
        """Land a job, and return it with the ids that it got; can be repeated.

        ``tell`` is called in the thread of the caller as bytes and objects land; an exception that
        it raises ends the job, which can be repeated.
        """

    def set_scores(self, ref: ObjectRef, scores: CustomData) -> None:
        """Give a figure its scores, those of all planes; can be repeated."""

    def kept_in(self, session: str) -> Path:
        """Return the folder in which a run keeps what it replaces."""

    def commit(self, jobs: Sequence[ItemJob]) -> None:
        """Make the ids durable that were reserved, and forget those that landed jobs replaced."""
