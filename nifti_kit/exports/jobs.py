"""What is to be written of a volume: its file, its masks, its score tables; plain records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from nifti_kit.core.geometry import Grid
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.targets.records import ObjectRef, VolumeRef


@dataclass(eq=False)
class MaskJob:
    """A label map that is to be written."""

    path: PurePosixPath  # below the export's folder
    grid: Grid  # where its voxels are (RAS+ mm), in the order of the file
    layers: list[tuple[ObjectRef, int]]  # the objects in it, each with its value
    # Gives the file for objects that overlap others of this one, with no objects yet; None where
    # there can be none.
    further: Callable[[], MaskJob] | None = None
    index: int | None = None  # the class index that its name ends with; None where it has none
    number: int = 1  # which file of its class it is, from 1
    # The file whose header, type and grid it keeps; None for a new one.
    original: ImageFile | None = None
    # The grid that it gets where an object has voxels beyond that of the original.
    fallback: Grid | None = None
    # Its name where the file is one of several volumes, and holds other labels of this one.
    alias: PurePosixPath | None = None
    remark: str = ""  # what is to be known of it

    @property
    def highest(self) -> int:
        """The highest value that is in it."""
        return max((value for _, value in self.layers), default=0)


Masks = tuple[list[MaskJob], list[tuple[ObjectRef, str]]]
"""The label maps of a volume; and the objects that have no place in any of them, and why."""


@dataclass(eq=False)
class VolumeJob:
    """A volume that is to be written, with what is on it."""

    volume: VolumeRef  # which one
    path: PurePosixPath | None  # its file, below the export's folder; None where it is not written
    objects: tuple[ObjectRef, ...]  # its objects that have a mask
    original: ImageFile | None = None  # the file that it was made of; None where it is not known
    remark: str = ""  # what is to be known of its file

    @property
    def name(self) -> str:
        """What people know it by."""
        return f"{self.volume.dataset}/{self.volume.name}".lstrip("/")


@dataclass(eq=False)
class Part:
    """Volumes that are written together: a set of planes is semantic or instance as a whole."""

    jobs: Sequence[VolumeJob]
    notes: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        """What the ledger calls it."""
        return ",".join(str(job.volume.id) for job in self.jobs)

    @property
    def state(self) -> str:
        """What is on its volumes, as a text; voxels are not in it."""
        facts = [
            [job.name, [(o.key, o.figure_key, o.class_name, o.scores) for o in job.objects]]
            for job in self.jobs
        ]
        return repr(facts)
