"""Records: what is to land, and what is there, as plain data that every room above may know."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from nifti_kit.core.files import digest
from nifti_kit.core.geometry import Cutout, Grid, Orientation
from nifti_kit.core.text import counted, listed
from nifti_kit.datasets.items import MaskFile, TableFile
from nifti_kit.errors import visible
from nifti_kit.formats.class_maps import Color
from nifti_kit.formats.fingerprint import Fingerprint
from nifti_kit.formats.labels import Box, Label
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.formats.volumes import voxel_bytes

CustomData = dict[str, dict[str, dict[str, "str | None"]]]
"""A figure's scores by plane and RAS+ slice (from 0)."""

MASK_SHAPES = ("mask_3d", "any")
"""The shapes of a class that can hold a mask."""

PIXEL_VALUE = "Mask pixel value: "
"""What the platform's exporter looks for in a class's description: a line with it and a number."""

_PIXEL_VALUE = re.compile(re.escape(PIXEL_VALUE.rstrip()) + r"\s*([0-9]{1,9})\b")


def pixel_value(description: str) -> int | None:
    """Return the pixel value that a class's description names, or None."""
    found = _PIXEL_VALUE.search(description or "")
    return int(found[1]) if found else None


SOURCE_VALUE = "Value in the source: "
"""In a line of its own: what the value was before a repair; the line above must end in a number."""


@dataclass(frozen=True)
class PlannedClass:
    """A class as it will be on the platform."""

    # Its name, and RGB of 0 to 255.
    name: str
    color: Color
    value: int
    color_is_given: bool  # whether the class map chose the colour
    was: str = ""  # the value in the source, where a repair changed it; else empty

    @property
    def description(self) -> str:
        """``Mask pixel value: N``, which the platform's exporter reads back.

        In a second line stands what the value was in the source, where a repair changed it.
        """
        source = f"\n{SOURCE_VALUE}{self.was}" if self.was else ""
        return f"{PIXEL_VALUE}{self.value}{source}"


@dataclass(frozen=True, eq=False, slots=True)
class PlannedObject:
    """An object (with its one figure) as it will land."""

    # Its class; whether the class map chose the colour.
    class_name: str
    color: Color
    color_is_given: bool
    mask: MaskFile  # the source mask
    label: Label  # value, count and box in file order
    orientation: Orientation  # the exact reordering of the file's axes into RAS+
    # The figure's custom data: ``{"0-0-1": {"2": {"score": "0.80", "comment": None}}}``, with RAS+
    # slice indices from 0.
    scores: CustomData
    # For a mask that covers a part of its volume: where it lies in it (RAS+ order).
    cutout: Cutout | None = None

    @property
    def grid(self) -> Grid:
        """The grid of its geometry: that of the mask's file in RAS+ order, at the volume's size.

        The platform holds a mask against its volume voxel by voxel: zeros are put around a part.
        """
        grid = self.mask.grid.reoriented(self.orientation)
        return grid if self.cutout is None else grid.uncropped(self.cutout)

    @property
    def box(self) -> Box:
        """The box that holds it, in that grid."""
        box: Box = self.orientation.apply_box(self.label.box, self.mask.grid.shape)
        return box if self.cutout is None else self.cutout.moved(box)

    @property
    def value(self) -> int:
        """The pixel value in the source mask."""
        return self.label.value

    @property
    def value_text(self) -> str:
        """Its pixel value, and what it was in the source where a repair changed it."""
        origin = self.mask.origins.get(self.value)
        was = f" ({origin.text} in the source)" if origin and origin.was else ""
        return f"{self.value}{was}"

    @property
    def voxels(self) -> int:
        """How many voxels it has."""
        return self.label.voxels

    @property
    def mm3(self) -> float:
        """Its volume."""
        return self.voxels * abs(float(np.linalg.det(self.mask.grid.affine[:3, :3])))

    @property
    def score_count(self) -> int:
        """How many slices carry a score or a comment."""
        return sum(len(slices) for slices in self.scores.values())

    def __repr__(self) -> str:
        scores = f", {self.score_count} scores" if self.scores else ""
        return f"<{self.class_name}: {self.voxels} voxels{scores}, {self.mask.relative.name}>"


@dataclass(frozen=True, eq=False)
class PlannedItem:
    """A volume with its objects, or the objects for a volume that is on the target."""

    name: str  # the volume's name on the target
    volume: ImageFile | None  # the image to land; None where the volume is there
    volume_id: int | None  # the id of the volume that is there; None where it is to be made
    objects: tuple[PlannedObject, ...]  # what will land on it
    updates: tuple[ScoreUpdate, ...] = ()  # scores for figures that are there
    # The objects of the same classes that are on its volume already, as far as the plan knows the
    # target.
    there: tuple[ThereObject, ...] = ()
    # For a volume to land: the id of the one of its name that is in the dataset already.
    volume_there: int | None = None
    # What its files held when the plan was made, by their relative paths.
    fingerprints: Mapping[str, Fingerprint] = field(default_factory=dict)

    @property
    def images(self) -> tuple[ImageFile, ...]:
        """The files that land, each once: the volume first."""
        images = [self.volume, *(planned.mask.image for planned in self.objects)]
        return tuple(dict.fromkeys(image for image in images if image is not None))

    @property
    def identity(self) -> str:
        """A text that is the same for the same content, whenever its files were written."""
        known = [(str(i.relative), self.fingerprints.get(str(i.relative))) for i in self.images]
        facts = [
            [(name, found and found.sha256) for name, found in known],
            [
                [o.class_name, o.value, o.voxels, str(o.mask.relative), o.scores]
                for o in self.objects
            ],
            [update.facts for update in self.updates],
        ]
        return digest(json.dumps(facts, sort_keys=True))

    def changed_files(self) -> list[str]:
        """Return its files, by their relative paths, that do not hold any more what was planned."""
        return [
            str(image.relative)
            for image in self.images
            if (known := self.fingerprints.get(str(image.relative))) and not known.is_of(image)
        ]

    def __repr__(self) -> str:
        where = self.name if self.volume_id is None else f"volume {self.volume_id}"
        return f"<{where}: {len(self.objects)} objects{updates_text(self.updates)}>"


SliceScores = dict[str, dict[str, "str | None"]]
"""RAS+ slice index (from 0) to score and comment: ``{"2": {"score": "0.80", "comment": None}}``."""


SHOWN_IDS = 8
"""Ids of objects of a class that a text lists before it counts the rest."""

SHOWN_CLASSES = 8
"""Classes that such a text names with their ids; of an atlas of 104 nobody reads each."""


@dataclass(frozen=True)
class ThereObject:
    """An object that is on the target, of a class of which another one is to land beside it."""

    id: int
    class_name: str
    score_count: int = 0  # how many slices of its figures carry a score or a comment


def there_text(objects: Iterable[ThereObject]) -> str:
    """Return objects in words, by class: ``2 objects of femur (ids 14, 15; 3 scores)``.

    Of many classes their number: ``104 objects of 104 classes``.
    """
    by_class: dict[str, list[ThereObject]] = {}
    for found in objects:
        by_class.setdefault(found.class_name, []).append(found)
    if len(by_class) > SHOWN_CLASSES:
        count = sum(map(len, by_class.values()))
        scores = sum(found.score_count for own in by_class.values() for found in own)
        scored = f" ({counted(scores, 'score')})" if scores else ""
        return f"{counted(count, 'object')} of {counted(len(by_class), 'class')}{scored}"
    return ", ".join(_class_text(name, own) for name, own in by_class.items())


def _class_text(name: str, objects: Sequence[ThereObject]) -> str:
    ids = listed((found.id for found in objects), SHOWN_IDS)
    scores = sum(found.score_count for found in objects)
    scored = f"; {counted(scores, 'score')}" if scores else ""
    word = "id" if len(objects) == 1 else "ids"
    return f"{counted(len(objects), 'object')} of {visible(name)} ({word} {ids}{scored})"


@dataclass(frozen=True, eq=False)
class ScoreUpdate:
    """The scores of one plane for a figure that is on the target."""

    volume_id: int
    object_id: int
    object_key: str
    figure_id: int
    figure_key: str
    # Its class, and the pixel value by which the table names it.
    class_name: str
    value: int
    plane: str  # ``0-0-1`` (axial), ``0-1-0`` (coronal) or ``1-0-0`` (sagittal)
    # What the figure has on that plane, and what the table says: by RAS+ slice, from 0.
    old: SliceScores
    new: SliceScores
    table: TableFile  # the score table

    def __repr__(self) -> str:
        return f"<scores of {self.text}>"

    @property
    def facts(self) -> list[Any]:
        """What it is, without what is there: after a crash that is another."""
        figure = [self.object_id, self.object_key, self.figure_id, self.figure_key]
        return [*figure, self.class_name, self.plane, self.new]

    @property
    def overwritten(self) -> dict[str, tuple[dict[str, str | None], dict[str, str | None]]]:
        """The slices that have another score or comment: what is there, and what the table says."""
        both = {
            index: (old, self.new[index]) for index, old in self.old.items() if index in self.new
        }
        return {index: (old, new) for index, (old, new) in both.items() if old != new}

    @property
    def only_there(self) -> SliceScores:
        """What the figure has on slices of the plane of which the table says nothing."""
        return {index: old for index, old in self.old.items() if index not in self.new}

    @property
    def text(self) -> str:
        """What is updated, in words."""
        old = f", {len(self.old)} there" if self.old else ""
        return (
            f"{self.class_name} (object {self.object_id}): {counted(len(self.new), 'score')} on "
            f"plane {self.plane}{old} <- {self.table.relative}"
        )


def updates_text(updates: Sequence[ScoreUpdate]) -> str:
    """Return how many updates there are, to stand behind other numbers; empty for none."""
    return f", {counted(len(updates), 'score update')}" if updates else ""


@dataclass(frozen=True, slots=True)
class VolumeRef:
    """A volume on a target."""

    # Its number and its key (32 hex digits).
    id: int
    key: str
    name: str  # ends in ``.nrrd``
    dataset: str  # the dataset's name; nested ones with ``/``
    grid: Grid  # where its voxels are, in RAS+ order (mm)


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
    """What becomes of the scores of a figure that is there."""

    update: ScoreUpdate  # what was planned
    ref: ObjectRef  # the object with the scores that it is to have, those of all planes
    before: SliceScores  # the scores that the figure had on the plane
    # Those that it had when this run began: an interrupted one may have given it some.
    seen: SliceScores

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


class Note(Protocol):
    """Takes facts that show later what a run has made: ids that a server gave, times of files."""

    def __call__(self, facts: dict[str, Any], /) -> Any:
        """Keep facts."""


class Notes(Note, Protocol):
    """Notes of one job, in whatever process it lands."""

    @property
    def is_repeated(self) -> bool:
        """Whether its job may be given to another worker when one is killed, without a word."""

    def facts(self) -> dict[str, Any]:
        """Return what was noted of the job since it began."""


@dataclass(frozen=True)
class Begun:
    """What a journal knows of an item that an earlier run of the same call has begun."""

    session: str  # the run's name, which nobody else has
    marks: tuple[str, ...] = ()  # what ``ItemJob.marks`` was when it began
    # What was noted since, the last of each name: proofs that something is of that run.
    facts: Mapping[str, Any] = field(default_factory=dict)
    changed: bool = False  # whether the item's files held something else then


@dataclass(frozen=True, eq=False, slots=True)
class ItemJob:
    """A planned item with the keys and ids that it will have."""

    item: PlannedItem  # what lands
    # Id, key, name and dataset of its volume; the grid is that of the landed volume.
    volume: VolumeRef
    new_volume: bool  # whether the volume's voxels are to be written
    # For each object that is to be added: its place in ``item.objects``, and what it becomes.
    add: tuple[tuple[int, ObjectRef], ...]
    kept: tuple[tuple[int, ObjectRef], ...] = ()  # the same for objects that are there already
    replaced: tuple[ObjectRef, ...] = ()  # the objects that go
    backup: Path | None = None  # where what goes is kept; None where nothing goes
    # What a journal keeps to know the job again; the keys of what is added by default.
    memo: tuple[str, ...] | None = None
    session: str = ""  # the run that lands it
    # Takes what will show later, as ``Begun.facts``, that something was made by this run: as soon
    # as it is known. It is called in the process that lands the job.
    note: Notes | None = None
    # What is known of an interrupted run that had begun it, and with which it goes on.
    begun: Begun | None = None
    # The id of a volume that such a run had made, without all of its slices: it goes, and the
    # volume is made anew.
    stale: int | None = None
    updates: tuple[ScoreChange, ...] = ()  # the scores of figures that are there
    sent: int = 0  # how many bytes were written to disk or sent for it; 0 before it has landed

    @property
    def name(self) -> str:
        """What the journal calls it."""
        return job_name(self.item)

    @property
    def voxel_bytes(self) -> int:
        """The bytes of the voxels that are to be written of its volume, unpacked."""
        image = self.item.volume
        return voxel_bytes(image) if self.new_volume and image is not None else 0

    @property
    def mask_bytes(self) -> int:
        """The voxels of the boxes of the masks that are to be added, a byte each."""
        boxes = (self.item.objects[at].label.box for at, _ in self.add)
        return sum(math.prod(side.stop - side.start for side in box) for box in boxes)

    def noted(self) -> dict[str, Any]:
        """Return what another worker has noted that landed it and was killed."""
        return self.note.facts() if self.note is not None and self.note.is_repeated else {}

    @property
    def resumed(self) -> bool:
        """Whether it goes on with what an interrupted run had begun."""
        return self.begun is not None

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
