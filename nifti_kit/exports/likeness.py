"""The layout of original files: each object goes where it came from, by its file and its value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from nifti_kit.core.geometry import Grid, placed_on
from nifti_kit.core.text import counted
from nifti_kit.datasets.items import MaskFile, TableFile
from nifti_kit.datasets.names import VOLUME, parse_name, stem
from nifti_kit.errors import UnreadableFile
from nifti_kit.exports.classes import ClassNumbers
from nifti_kit.exports.drawings import LabelMap, read_drawing
from nifti_kit.exports.jobs import MaskJob, Masks, Part, VolumeJob
from nifti_kit.exports.layouts import INSTANCE, Layout, Places, by_class, numbered
from nifti_kit.exports.names import ENDING, as_annotation, as_table
from nifti_kit.exports.originals import Figure, Original, Originals
from nifti_kit.formats.class_maps.stems import class_stems, further_stem
from nifti_kit.formats.labels import read_labels
from nifti_kit.targets.records import ObjectRef, PlannedObject
from nifti_kit.targets.target import NoMask, Target
from nifti_kit.transfer.beside import figure_of

# Which object of a target is which label of the original files


def pair_objects(
    target: Target, original: Original, objects: Sequence[ObjectRef]
) -> dict[Figure, PlannedObject]:
    """Return what each object was made of; those that are new are not in it.

    What a receipt knows comes first. Of what is left an object is the only one of its class, or
    the one that shares the most voxels with it: one to one, the largest share first.
    """
    pairs = {
        figure_of(ref): known
        for ref in objects
        if (known := original.landed.get(figure_of(ref))) is not None
        and known.class_name == ref.class_name  # it has not changed since
    }
    used = {id(planned) for planned in pairs.values()}
    left = by_class([ref for ref in objects if figure_of(ref) not in pairs])
    for name, refs in left.items():
        free = [p for p in original.objects if p.class_name == name and id(p) not in used]
        if len(refs) == len(free) == 1:
            pairs[figure_of(refs[0])] = free[0]
        elif free:
            pairs |= _by_overlap(target, refs, free)
    return pairs


def _by_overlap(
    target: Target, refs: Sequence[ObjectRef], planned: Sequence[PlannedObject]
) -> dict[Figure, PlannedObject]:
    """Return pairs by shared voxels; one label map is in memory at a time."""
    drawings = []
    for ref in refs:
        try:
            drawings.append(read_drawing(target, ref))
        except (NoMask, UnreadableFile):  # it is named where it is to be written
            continue
    shares = []
    for mask in dict.fromkeys(one.mask for one in planned):
        labels = LabelMap.of(mask.grid, read_labels(mask.image).voxels)
        own = {one.value: one for one in planned if one.mask is mask}
        for at, drawing in enumerate(drawings):
            under = labels.values_under(drawing)
            shares += [(count, at, own[value]) for value, count in under.items() if value in own]
    pairs: dict[Figure, PlannedObject] = {}
    taken: set[int] = set()
    for _, at, one in sorted(shares, key=lambda share: (-share[0], share[1], share[2].value)):
        ref = drawings[at].ref
        if figure_of(ref) not in pairs and id(one) not in taken:
            pairs[figure_of(ref)] = one
            taken.add(id(one))
    return pairs


TAKEN = "a semantic label map has one object a class, and the class is in it already"
NO_VALUE = "another class has its value in the label map"


class LikeOriginals:
    """Files as they were; volumes that no file is known of go by another layout.

    ``other``: makes the layout of the volumes that are not among the originals.
    """

    def __init__(
        self,
        originals: Originals,
        places: Places,
        numbers: ClassNumbers,
        target: Target,
        other: Callable[[Places, ClassNumbers], Layout],
    ) -> None:
        self._originals, self._places, self._numbers = originals, places, numbers
        self._target = target
        self._stems = class_stems(numbers.names)
        unknown = [ref for ref in places.volumes if ref.id not in originals.of]
        self._other = other(replace(places, volumes=unknown), numbers)
        self._new = unknown
        self.tables: dict[PurePosixPath, TableFile] = {}

    def parts(self, objects: Mapping[int, Sequence[ObjectRef]]) -> list[Part]:
        """Return each volume by itself, and the others as their layout has them."""
        found = [
            Part([self._job(ref.id, VolumeJob(ref, None, tuple(objects[ref.id])))])
            for ref in self._places.volumes
            if ref.id in self._originals.of
        ]
        return [*found, *self._other.parts(objects)]

    def _job(self, number: int, job: VolumeJob) -> VolumeJob:
        image = self._originals.of[number].volume
        job.original, job.path = image, None if image is None else image.relative
        return job

    def notes(self) -> Sequence[str]:
        """Say which volumes have no original."""
        bare = sum(one.volume is None for one in self._originals.of.values())
        said = []
        if bare:
            said.append(f"{counted(bare, 'volume')} not written: the originals are masks alone")
        if self._new:
            said.append(f"{counted(len(self._new), 'volume')} without an original: written anew")
            said += self._other.notes()
        return said

    def kinds(self, part: Part) -> Sequence[str]:
        """Return as it came."""
        known = part.jobs[0].volume.id in self._originals.of
        return (INSTANCE,) if known else self._other.kinds(part)

    def masks(self, job: VolumeJob, kind: str, grid: Grid) -> Masks:
        """Return the label maps of the original files, and those of what is new."""
        original = self._originals.of.get(job.volume.id)
        if original is None:
            return self._other.masks(job, kind, grid)
        own = grid if original.volume is None else original.volume.grid
        # Files of another image have no room for what lies on the volume that is there.
        fallback = grid if placed_on(own, grid) is None else own
        return _Filled(self, job, original, fallback).masks()

    def table(self, job: VolumeJob, mask: MaskJob) -> PurePosixPath | None:
        """Return where the scores of a label map's objects were, or would be."""
        original = self._originals.of.get(job.volume.id)
        if original is None:
            return self._other.table(job, mask)
        if self.plane(job) is None:
            return None
        for table in original.tables:
            alone = table.index is None and len(original.masks) == 1
            if table.index == mask.index or alone:
                self.tables[table.relative] = table
                return table.relative
        own = original.volume.relative if original.volume is not None else None
        if own is None or parse_name(own.name).role != VOLUME:
            return mask.path.with_name(as_table(stem(mask.path.name), None))
        return mask.path.with_name(as_table(stem(own.name), mask.index))

    def plane(self, job: VolumeJob) -> str | None:
        """Return the plane of a volume's original name."""
        original = self._originals.of.get(job.volume.id)
        if original is None:
            return self._other.plane(job)
        if original.volume is not None:
            said = parse_name(original.volume.relative.name)
            return said.plane if said.role == VOLUME else None
        return next((parse_name(m.relative.name).plane for m in original.masks), None)

    def number(self, name: str) -> int:
        """Return the number of a class."""
        return self._numbers[name]

    def further(self, path: PurePosixPath, grid: Grid, name: str, index: int | None) -> MaskJob:
        """Return a file beside one that has a class alone: of the same class, with no objects."""
        return self._beside(path, grid, name, index, 2)

    def _beside(
        self, path: PurePosixPath, grid: Grid, name: str, index: int | None, number: int
    ) -> MaskJob:
        new, own = path, index
        if number > 1 and index is None:
            new = path.with_name(further_stem(stem(path.name), number) + ENDING)
        elif number > 1:
            own = self._numbers.further(name, number)
            base = stem(path.name).removesuffix(f"_{index}")
            new = path.with_name(f"{base}_{own}{ENDING}")
        more = lambda: self._beside(path, grid, name, index, number + 1)  # noqa: E731
        return MaskJob(new, grid, [], more, own, number)

    def new_file(self, job: VolumeJob, original: Original, name: str, grid: Grid) -> MaskJob | None:
        """Return a file for a class that none of a volume's files has; None where it has no name.

        It is named like the others: by the class, or by its number.
        """
        if self.plane(job) is None:
            path = self._folder(job, original) / (self._stems[name] + ENDING)
            return self._beside(path, grid, name, None, 1)
        if original.volume is None:
            return None
        index = self._numbers[name]
        file = as_annotation(stem(original.volume.relative.name), index)
        return self._beside(original.volume.relative.with_name(file), grid, name, index, 1)

    def _folder(self, job: VolumeJob, original: Original) -> PurePosixPath:
        if original.masks:
            return original.masks[0].relative.parent
        assert job.path is not None
        return job.path.with_name(stem(job.path.name))


class _Filled:
    """The label maps of one volume's files, with the objects that are to be in them."""

    def __init__(
        self, layout: LikeOriginals, job: VolumeJob, original: Original, fallback: Grid
    ) -> None:
        self._layout, self._job, self._original, self._grid = layout, job, original, fallback
        self._maps = {mask: self._map(mask) for mask in original.masks}
        self._added: dict[str, MaskJob] = {}
        self._homeless: list[tuple[ObjectRef, str]] = []

    def _map(self, mask: MaskFile) -> MaskJob:
        path = mask.relative
        alias = path.with_name(f"{stem(path.name)}_{stem(self._job.volume.name)}{ENDING}")
        return MaskJob(
            path, mask.grid, [], index=mask.index, original=mask.image, fallback=self._grid,
            alias=alias,
        )  # fmt: skip

    def masks(self) -> Masks:
        pairs = pair_objects(self._layout._target, self._original, self._job.objects)
        new = []
        for ref in self._job.objects:
            planned = pairs.get((ref.key, ref.figure_key))
            if planned is None:
                new.append(ref)
            else:
                self._maps[planned.mask].layers.append((ref, planned.value))
        for name, own in by_class(new).items():
            self._add(name, own)
        for mask, made in self._maps.items():
            if _is_of_one_class(mask):
                names = {ref.class_name for ref, _ in made.layers} or {""}
                made.further = self._more(made, min(names), mask)
        return [*self._maps.values(), *self._added.values()], self._homeless

    def _more(self, made: MaskJob, name: str, mask: MaskFile) -> Callable[[], MaskJob]:
        return lambda: self._layout.further(made.path, mask.grid, name, mask.index)

    def _add(self, name: str, refs: Sequence[ObjectRef]) -> None:
        """Put objects of a class in that have no original: into its file, or into a new one."""
        mask = self._file_of(name)
        if mask is not None and _is_of_one_class(mask):
            known = [one.value for one in self._original.objects if one.mask is mask]
            first = max([0, *known, *(value for _, value in self._maps[mask].layers)]) + 1
            self._maps[mask].layers += [(ref, first + at) for at, ref in enumerate(refs)]
            return
        if mask is not None:
            self._into_map(mask, name, refs)
            return
        made = self._layout.new_file(self._job, self._original, name, self._grid)
        if made is None:
            self._homeless += [(ref, "none of the original files is of its class") for ref in refs]
            return
        made.layers = numbered(refs)
        self._added[name] = made

    def _file_of(self, name: str) -> MaskFile | None:
        """Return the file that a class belongs to: its own, or the one that holds all classes."""
        stems = self._layout._stems
        for mask in self._original.masks:
            own = {one.class_name for one in self._original.objects if one.mask is mask}
            if name in own or mask.class_name in (name, stems.get(name)):
                return mask
            if mask.index is not None and mask.index == self._layout.number(name):
                return mask
        return next((one for one in self._original.masks if not _is_of_one_class(one)), None)

    def _into_map(self, mask: MaskFile, name: str, refs: Sequence[ObjectRef]) -> None:
        """Put one object of a class into a semantic label map; others have no place there."""
        value, own = self._layout.number(name), self._maps[mask].layers
        known = {one.value: one.class_name for one in self._original.objects if one.mask is mask}
        value = next((number for number, title in known.items() if title == name), value)
        first, *rest = refs
        if any(ref.class_name == name for ref, _ in own):
            rest = list(refs)
        elif known.get(value, name) != name or value in {used for _, used in own}:
            self._homeless.append((first, NO_VALUE))
        else:
            own.append((first, value))
        self._homeless += [(ref, TAKEN) for ref in rest]


def _is_of_one_class(mask: MaskFile) -> bool:
    """Say whether each value of a file is an object of one class: by its name, or its index."""
    return mask.class_name is not None or mask.index is not None
