"""Sides: what is compared (a data set, a plan, a target) as volumes that have objects."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from nifti_kit.core.findings import Finding, describe
from nifti_kit.core.geometry import Grid
from nifti_kit.datasets.dataset import Dataset, scan
from nifti_kit.datasets.items import Item
from nifti_kit.datasets.surveys import fingerprint_of, survey_item
from nifti_kit.errors import BadSource, wrong_argument
from nifti_kit.formats.class_maps import Color
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.plans.plan import Plan
from nifti_kit.plans.planner import ItemPlanner
from nifti_kit.targets.folder import ProjectFolder
from nifti_kit.targets.records import (
    CustomData,
    ObjectRef,
    PlannedClass,
    PlannedItem,
    PlannedObject,
    VolumeRef,
)
from nifti_kit.targets.target import Target

PROJECT, SOURCE = "a Supervisely project folder", "a source folder"
"""What a path is taken for."""


class Facts(NamedTuple):
    """What is said of a class: its colour and its description; None where nobody has said it."""

    color: Color | None
    description: str | None


@dataclass(frozen=True, eq=False)
class SideObject:
    """An object of an annotation set."""

    name: str  # which one it is: ``value 3`` of its file, or ``id 14`` of a target
    # Its class; RGB of 0 to 255.
    class_name: str
    color: Color
    scores: CustomData  # its custom data, by slices (from 0) of its grid
    grid: Grid  # that of its volume, or of its file where there is none, in RAS+ order (mm)
    source: PlannedObject | ObjectRef  # what its voxels are read from

    @property
    def file(self) -> str:
        """The file that it stands in; empty for one of a target."""
        return str(self.source.mask.relative) if isinstance(self.source, PlannedObject) else ""


class Content(NamedTuple):
    """The objects of a volume, and what of it cannot be compared, in words."""

    objects: tuple[SideObject, ...]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class SideVolume:
    """A volume of an annotation set."""

    name: str  # its name
    grid: Grid  # where its voxels are, in RAS+ order (mm); that of a mask where there is no volume
    # Where its grey values are: a file, or a volume of a target; None for masks alone.
    image: ImageFile | VolumeRef | None
    side: Side = field(repr=False)
    id: int | None = None  # its number on a target; None where it is on none, or nobody said which
    source: Any = field(default=None, repr=False)

    def content(self) -> Content:
        """Return its objects; files are surveyed, and a target is asked, when it is called."""
        return self.side.content_of(self)


class Side(ABC):
    """An annotation set: its volumes, what it says of classes, and what of it is missing."""

    word: str  # what it is, in words
    missing: tuple[str, ...] = ()  # what cannot be compared, in words
    target: Target | None = None  # where masks are read back from; None for files

    @abstractmethod
    def volumes(self) -> Sequence[SideVolume]:
        """Return its volumes; headers are read, no voxels."""

    @abstractmethod
    def content_of(self, volume: SideVolume) -> Content:
        """Return the objects of one of its volumes."""

    @abstractmethod
    def facts(self) -> dict[str, Facts]:
        """Return what it says of its classes, of those that were met so far."""


class DatasetSide(Side):
    """A data set: its masks as a plan would take them."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset, self.word = dataset, f"the data set {dataset.source.given}"
        self._planner = ItemPlanner(dataset)
        self._named: set[str] = set()
        used = {image.relative for item in dataset.items for image in item.images}
        self.missing = tuple(_lost(dataset.findings, set(dataset.source.files) - used))

    def volumes(self) -> list[SideVolume]:
        """Return its volumes; headers are read, no voxels."""
        found = [(item, _usable(item.images)) for item in self.dataset.items]
        self.missing += tuple(
            f"{item.name}: nothing in it has a place in space" for item, image in found if not image
        )
        return [
            SideVolume(item.name, image.grid.to_ras(), item.volume, self, source=item)
            for item, image in found
            if image is not None
        ]

    def content_of(self, volume: SideVolume) -> Content:
        """Return the objects of one of its volumes."""
        item: Item = volume.source
        survey = survey_item(self.dataset, item)
        missing = [
            f"{mask.mask.relative}: "
            + (describe(mask.error) if mask.error else mask.mask.grid.problem)
            for mask in survey.masks
            if mask.labels is None or mask.orientation is None
        ]
        missing += _lost(survey.score_findings, [table.relative for table in item.tables])
        for image in (mask.image for mask in item.masks):
            known = fingerprint_of(self.dataset, image)
            if known is not None and not known.is_of(image):
                missing.append(f"{image.relative}: it has changed since it was scanned; scan again")
        objects = self._planner.objects(item)
        self._named |= set(_named_by_files(objects))
        return Content(of_planned(objects), tuple(missing))

    def facts(self) -> dict[str, Facts]:
        """Return what it says of the classes that were met so far."""
        return _planned_facts(self._planner.classes(), self._named)


class PlanSide(Side):
    """A plan: what will land."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.word = plan, f"the plan of {plan.source.given}"
        used = {one.mask.relative for one in plan.objects}
        used |= {item.volume.relative for item in plan.items if item.volume is not None}
        self.missing = tuple(_lost(plan.blockers, set(plan.source.files) - used))
        self.missing += tuple(f"{one.path}: it is left out" for one in plan.left_out)

    def volumes(self) -> list[SideVolume]:
        """Return its volumes; headers are read, no voxels."""
        return [found for item in self.plan.items if (found := self._volume(item)) is not None]

    def _volume(self, item: PlannedItem) -> SideVolume | None:
        if item.volume is not None:
            grid = item.volume.grid.to_ras()
        elif item.objects:
            grid = item.objects[0].grid
        else:
            self.missing += (f"{item.name}: scores alone have no place in space",)
            return None
        return SideVolume(item.name, grid, item.volume, self, item.volume_id, item)

    def content_of(self, volume: SideVolume) -> Content:
        """Return the objects of one of its volumes."""
        item: PlannedItem = volume.source
        changed = (f"{file}: it has changed since the plan" for file in item.changed_files())
        return Content(of_planned(item.objects), tuple(changed))

    def facts(self) -> dict[str, Facts]:
        """Return what it says of the classes that were met so far."""
        return _planned_facts(self.plan.classes, set(_named_by_files(self.plan.objects)))


class TargetSide(Side):
    """A target: what is on it."""

    def __init__(self, target: Target) -> None:
        self.target, self.word = target, f"the target {target!r}"
        self._facts = {
            one.name: Facts(one.color, one.description or None) for one in target.classes()
        }

    def volumes(self) -> list[SideVolume]:
        """Return its volumes; headers are read, no voxels."""
        assert self.target is not None
        return [
            SideVolume(ref.name, ref.grid, ref, self, ref.id, ref) for ref in self.target.volumes()
        ]

    def content_of(self, volume: SideVolume) -> Content:
        """Return the objects of one of its volumes."""
        assert self.target is not None
        refs = self.target.objects(volume.source.id)
        bare = (
            f"{volume.name}: object {ref.id} ({ref.class_name}) has no mask in three dimensions"
            for ref in refs
            if not ref.has_figure
        )
        colors = {name: facts.color for name, facts in self._facts.items()}
        drawn = (ref for ref in refs if ref.has_figure)
        return Content(of_landed(drawn, volume.grid, colors), tuple(bare))

    def facts(self) -> dict[str, Facts]:
        """Return what it says of the classes that were met so far."""
        return self._facts


def of_planned(objects: Iterable[PlannedObject]) -> tuple[SideObject, ...]:
    """Return planned objects as those of a side."""
    return tuple(
        SideObject(f"value {one.value}", one.class_name, one.color, one.scores, one.grid, one)
        for one in objects
    )


UNKNOWN: Color = (128, 128, 128)
"""The colour of an object whose class its project does not list."""


def of_landed(
    refs: Iterable[ObjectRef], grid: Grid, colors: Mapping[str, Color | None]
) -> tuple[SideObject, ...]:
    """Return objects of a target as those of a side.

    ``refs``: objects of one volume, with their masks.
    """
    return tuple(
        SideObject(
            f"id {ref.id}",
            ref.class_name,
            colors.get(ref.class_name) or UNKNOWN,
            ref.scores,
            grid,
            ref,
        )
        for ref in refs
    )


def side_of(given: Any) -> Side:
    """Return what is compared as a side.

    Raises WrongArgument if it is neither a data set, a plan, a target nor a path. Raises BadSource
    if the path is of a folder without NIfTI files that is no project.
    """
    if isinstance(given, Dataset):
        return DatasetSide(given)
    if isinstance(given, Plan):
        return PlanSide(given)
    if isinstance(given, Target):
        return TargetSide(given)
    if not isinstance(given, str | os.PathLike):
        expected = "a dataset, a plan, a target, or the path of a folder"
        raise wrong_argument("this cannot be compared", given, expected)
    return _of_folder(Path(given))


def _of_folder(path: Path) -> Side:
    """Return a folder as what it is: a project has a ``meta.json`` with its classes."""
    if (path / "meta.json").is_file():
        side: Side = TargetSide(ProjectFolder(path))
        side.word = f"{PROJECT}, {path}"
        return side
    dataset = scan(path)
    if not dataset.items:
        raise BadSource(
            "there is nothing to compare in it",
            path=path,
            found=f"no NIfTI image, and no meta.json: {len(dataset.source.files)} other files",
            expected="a folder of NIfTI files, or a Supervisely project folder (with meta.json)",
            remedy="Give the folder itself, not one above or below it.",
        )
    side = DatasetSide(dataset)
    side.word = f"{SOURCE}, {path}"
    return side


def _lost(findings: Iterable[Finding], files: Iterable[PurePosixPath]) -> Iterator[str]:
    """Yield the errors about files that are not compared, in words."""
    names = set(map(str, files))
    for found in findings:
        if found.severity == "error" and found.path in names:
            yield f"{found.path}: {found.message}"


def _usable(images: Iterable[ImageFile]) -> ImageFile | None:
    """Return the volume, or else the largest mask; None where none has a place in space."""
    return next((image for image in images if not image.grid.problem), None)


def _named_by_files(objects: Iterable[PlannedObject]) -> Iterator[str]:
    """Yield the classes that their files are named by: they have no pixel value of their own."""
    return (one.class_name for one in objects if one.mask.class_name is not None)


def _planned_facts(classes: Iterable[PlannedClass], named: Collection[str]) -> dict[str, Facts]:
    """Return what a class map says; a colour that was only chosen for it is none.

    Of the classes that files are ``named`` by, the pixel value (and so the description) is none.
    """
    return {
        one.name: Facts(one.color, None if one.name in named else one.description)
        if one.color_is_given
        else Facts(None, None)
        for one in classes
    }
