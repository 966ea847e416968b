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
    """A label map that is to be written.

    Attributes
    ----------
    path
        Below the export's folder.
    grid
        Where its voxels are (RAS+ mm), in the order of the file.
    layers
        The objects in it, each with its value.
    further
        Gives the file for objects that overlap others of this one, with no objects yet; None
        where there can be none.
    index
        The class index that its name ends with; None where it has none.
    number
        Which file of its class it is, from 1.
    original
        The file whose header, type and grid it keeps; None for a new one.
    fallback
        The grid that it gets where an object has voxels beyond that of the original.
    alias
        Its name where the file is one of several volumes, and holds other labels of this one.
    remark
        What is to be known of it.
    """

    path: PurePosixPath
    grid: Grid
    layers: list[tuple[ObjectRef, int]]
    further: Callable[[], MaskJob] | None = None
    index: int | None = None
    number: int = 1
    original: ImageFile | None = None
    fallback: Grid | None = None
    alias: PurePosixPath | None = None
    remark: str = ""

    @property
    def highest(self) -> int:
        """The highest value that is in it."""
        return max((value for _, value in self.layers), default=0)


Masks = tuple[list[MaskJob], list[tuple[ObjectRef, str]]]
"""The label maps of a volume; and the objects that have no place in any of them, and why."""


@dataclass(eq=False)
class VolumeJob:
    """A volume that is to be written, with what is on it.

    Attributes
    ----------
    volume
        Which one.
    path
        Its file, below the export's folder; None where it is not written.
    objects
        Its objects that have a mask.
    original
        The file that it was made of; None where it is not known.
    remark
        What is to be known of its file.
    """

    volume: VolumeRef
    path: PurePosixPath | None
    objects: tuple[ObjectRef, ...]
    original: ImageFile | None = None
    remark: str = ""

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
