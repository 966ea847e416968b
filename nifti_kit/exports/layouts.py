"""Layouts of an export: which object goes to which file, by volume or by plane."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import PurePosixPath
from typing import Protocol

from nifti_kit.core.geometry import Grid
from nifti_kit.core.text import listed
from nifti_kit.datasets.items import TableFile
from nifti_kit.datasets.names import PLANE_WORDS, VOLUME, free_name, parse_name
from nifti_kit.errors import NiftiKitError
from nifti_kit.exports.classes import ClassNumbers
from nifti_kit.exports.jobs import MaskJob, Masks, Part, VolumeJob
from nifti_kit.exports.names import ENDING, as_annotation, as_table, as_volume, read_back_as
from nifti_kit.formats.class_maps.stems import class_stems, further_stem
from nifti_kit.targets.records import ObjectRef, VolumeRef

SHOWN = 5
"""Volumes that an error names before it counts the rest."""

SEMANTIC, INSTANCE = "semantic", "instance"


class Layout(Protocol):
    """Decides where volumes and objects go."""

    # The original score tables of the paths that :meth:`table` has given.
    tables: dict[PurePosixPath, TableFile]

    def parts(self, objects: Mapping[int, Sequence[ObjectRef]]) -> list[Part]:
        """Return what is written together; ``objects`` has those with a mask by volume id."""

    def notes(self) -> Sequence[str]:
        """Return what is to be known when the export is read."""

    def kinds(self, part: Part) -> Sequence[str]:
        """Return in which ways a part may be written; the next where one has no room for it."""

    def masks(self, job: VolumeJob, kind: str, grid: Grid) -> Masks:
        """Return a volume's label maps; ``grid`` is that of its file (RAS+ mm)."""

    def table(self, job: VolumeJob, mask: MaskJob) -> PurePosixPath | None:
        """Return where the scores of a label map's objects go; None where they have no table."""

    def plane(self, job: VolumeJob) -> str | None:
        """Return the plane along whose normal a volume's scores count; None by volume."""


@dataclass(frozen=True)
class Places:
    """Where volumes go: the chosen ones, their files' names, the folders of their datasets."""

    volumes: Sequence[VolumeRef]
    stems: Mapping[int, str]
    folders: Mapping[str, str]

    def folder(self, volume: VolumeRef) -> PurePosixPath:
        """Return the folder of a volume's dataset."""
        return PurePosixPath(self.folders[volume.dataset])


class ByVolume:
    """``X.nii.gz``, and ``X/<class>.nii.gz`` with a value for each object."""

    def __init__(self, places: Places, numbers: ClassNumbers) -> None:
        self._places = places
        self._stems = class_stems(numbers.names)
        self.tables: dict[PurePosixPath, TableFile] = {}

    def parts(self, objects: Mapping[int, Sequence[ObjectRef]]) -> list[Part]:
        """Return each volume by itself."""
        return [Part([self._job(ref, objects[ref.id])]) for ref in self._places.volumes]

    def notes(self) -> Sequence[str]:
        """Say how the export is read where the names of its volumes speak of planes."""
        said = [parse_name(self._places.stems[ref.id] + ENDING) for ref in self._places.volumes]
        by_plane = any(one.plane and one.role == VOLUME for one in said)
        return ["names of volumes have planes: nk.scan(folder, layout='by_volume')"] * by_plane

    def _job(self, ref: VolumeRef, objects: Sequence[ObjectRef]) -> VolumeJob:
        stem = self._places.stems[ref.id]
        path = self._places.folder(ref) / (stem + ENDING)
        return VolumeJob(ref, path, tuple(objects), remark=read_back_as(ref.name, stem))

    def kinds(self, part: Part) -> Sequence[str]:  # noqa: ARG002
        """Return the only one."""
        return (INSTANCE,)

    def masks(self, job: VolumeJob, kind: str, grid: Grid) -> Masks:  # noqa: ARG002
        """Return a label map for each class."""
        by_name = by_class(job.objects)
        return [self._mask(job, grid, name, own) for name, own in by_name.items()], []

    def _mask(
        self, job: VolumeJob, grid: Grid, name: str, own: Sequence[ObjectRef], number: int = 1
    ) -> MaskJob:
        assert job.path is not None
        folder = job.path.with_name(job.path.name.removesuffix(ENDING))
        path = folder / (further_stem(self._stems[name], number) + ENDING)
        return MaskJob(
            path,
            grid,
            numbered(own),
            lambda: self._mask(job, grid, name, (), number + 1),
            number=number,
        )

    def table(self, job: VolumeJob, mask: MaskJob) -> PurePosixPath | None:  # noqa: ARG002
        """Return None: score tables belong to volumes by plane."""
        return None

    def plane(self, job: VolumeJob) -> str | None:  # noqa: ARG002
        """Return None."""
        return None


class ByPlane:
    """Names with plane and role; a set of planes is semantic where it can be, else instance.

    Raises NiftiKitError if the name of a volume has no plane.
    """

    def __init__(self, places: Places, numbers: ClassNumbers) -> None:
        self._places, self._numbers = places, numbers
        self._names = _plane_names(places)
        self.tables: dict[PurePosixPath, TableFile] = {}

    def parts(self, objects: Mapping[int, Sequence[ObjectRef]]) -> list[Part]:
        """Return the volumes of each set; a set that shares its dataset has a folder of its own."""
        found = []
        for folder, own in self._sets():
            jobs = [self._job(folder, ref, objects[ref.id]) for ref in own]
            there = [parse_name(self._names[ref.id] + ENDING).plane for ref in own]
            lacks = [plane for plane in PLANE_WORDS if plane not in there]
            said = f"{jobs[0].name}: its set has no volume of plane {', '.join(lacks)}"
            remedy = "read it with nk.plan(..., waive='planes-incomplete')"
            found.append(Part(jobs, [f"{said}; {remedy}"] if lacks else []))
        return found

    def _job(
        self, folder: PurePosixPath, ref: VolumeRef, objects: Sequence[ObjectRef]
    ) -> VolumeJob:
        name = self._names[ref.id]
        remark = read_back_as(ref.name, name)
        return VolumeJob(ref, folder / (name + ENDING), tuple(objects), remark=remark)

    def notes(self) -> Sequence[str]:
        """Say which classes have another number than that of their description."""
        return self._numbers.moved

    def _sets(self) -> Iterator[tuple[PurePosixPath, list[VolumeRef]]]:
        by_dataset: defaultdict[str, dict[tuple[object, ...], dict[str, VolumeRef]]] = defaultdict(
            dict
        )
        for ref in self._places.volumes:
            said = parse_name(self._names[ref.id] + ENDING)
            assert said.plane is not None
            known = by_dataset[ref.dataset]
            for again in count():
                own = known.setdefault((said.case, said.tail, again), {})
                if said.plane not in own:
                    own[said.plane] = ref
                    break
        for dataset, sets in by_dataset.items():
            folder, taken = PurePosixPath(self._places.folders[dataset]), set[str]()
            for (case, tail, _), own in sets.items():
                words = "_".join([*filter(None, [str(case)]), *map(str, tail)])  # type: ignore[call-overload]
                name = free_name(words or "set", taken)
                taken.add(name.casefold())
                yield (folder / name if len(sets) > 1 else folder), list(own.values())

    def kinds(self, part: Part) -> Sequence[str]:
        """Return semantic, where each class has one object a volume, and instance."""
        single = all(len(own) == 1 for job in part.jobs for own in by_class(job.objects).values())
        return (SEMANTIC, INSTANCE) if single else (INSTANCE,)

    def masks(self, job: VolumeJob, kind: str, grid: Grid) -> Masks:
        """Return one label map, or one for each class."""
        if not job.objects:
            return [], []
        if kind == SEMANTIC:
            layers = [(ref, self._numbers[ref.class_name]) for ref in job.objects]
            return [MaskJob(self._path(job, None), grid, layers)], []
        by_name = by_class(job.objects)
        return [self._mask(job, grid, name, own) for name, own in by_name.items()], []

    def _mask(
        self, job: VolumeJob, grid: Grid, name: str, own: Sequence[ObjectRef], number: int = 1
    ) -> MaskJob:
        index = self._numbers[name]
        if number > 1:
            index = self._numbers.further(name, number)
        further: Callable[[], MaskJob] = lambda: self._mask(job, grid, name, (), number + 1)  # noqa: E731
        return MaskJob(self._path(job, index), grid, numbered(own), further, index, number)

    def _path(self, job: VolumeJob, index: int | None) -> PurePosixPath:
        assert job.path is not None
        return job.path.with_name(as_annotation(self._names[job.volume.id], index))

    def table(self, job: VolumeJob, mask: MaskJob) -> PurePosixPath | None:
        """Return the table of a label map: with its index, where it has one."""
        return mask.path.with_name(as_table(self._names[job.volume.id], mask.index))

    def plane(self, job: VolumeJob) -> str | None:
        """Return the plane of a volume's name."""
        return parse_name(self._names[job.volume.id] + ENDING).plane


def _plane_names(places: Places) -> dict[int, str]:
    """Return the volumes' names by plane; refuse volumes that have none."""
    names = {ref.id: as_volume(places.stems[ref.id]) for ref in places.volumes}
    bare = [f"{ref.name} ({ref.id})" for ref in places.volumes if names[ref.id] is None]
    if bare:
        raise NiftiKitError(
            "by plane a volume needs one plane in its name, and no annotation word",
            found=listed(bare, SHOWN),
            expected="names such as axl_anatomic.nrrd",
            remedy="Export by volume: layout='by_volume'; or choose volumes: volumes=[...].",
        )
    return {number: name for number, name in names.items() if name is not None}


def by_class(objects: Sequence[ObjectRef]) -> dict[str, list[ObjectRef]]:
    """Return objects by their class, in their order."""
    found: dict[str, list[ObjectRef]] = {}
    for ref in objects:
        found.setdefault(ref.class_name, []).append(ref)
    return found


def numbered(objects: Sequence[ObjectRef]) -> list[tuple[ObjectRef, int]]:
    """Return objects with values from 1."""
    return [(ref, value) for value, ref in enumerate(objects, start=1)]
