"""What is on an instance: classes, volumes with their grids, objects with their figures."""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import Grid
from nifti_kit.errors import TargetError, visible
from nifti_kit.formats.nrrd import Drawn, comments_of, iter_slices, read_drawn, read_grid
from nifti_kit.targets import annotation as ann
from nifti_kit.targets.instance.client import Connection, NotThere
from nifti_kit.targets.instance.places import dataset_paths
from nifti_kit.targets.instance.wire import Asked, field, of_shape, records
from nifti_kit.targets.records import ClassRef, CustomData, ObjectRef, VolumeRef
from nifti_kit.targets.target import NoMask


def number_of(given: int | str | None, name: str) -> int | None:
    """Return an id; None for nothing, or for an empty text.

    >>> number_of("12", "dataset_id"), number_of("", "dataset_id")
    (12, None)
    """
    text = "" if given is None else str(given).strip()
    if text and not (text.isascii() and text.isdecimal()):
        raise TargetError(
            f"{name} is no number of an instance",
            found=visible(text),
            expected="a number such as 12",
            remedy="take it from the address of the dataset's or project's page.",
        )
    return int(text) if text else None


@dataclass(frozen=True)
class Listing:
    """Which volumes are in scope, and where."""

    datasets: dict[int, str]  # the names of the project's datasets by id; nested ones with ``/``
    volumes: dict[int, VolumeRef]  # the volumes in scope by id
    dataset_ids: dict[int, int]  # the dataset of each volume, by the volume's id

    @cached_property
    def by_name(self) -> dict[str, VolumeRef]:
        """The volumes by name; of several the first."""
        return {ref.name: ref for ref in reversed(self.volumes.values())}


class FigureRow(NamedTuple):
    """A figure in a list of the instance: ``updated`` is when it was changed last, where told."""

    id: int
    object_id: int
    scores: CustomData
    updated: Any


class ObjectRow(NamedTuple):
    """An object in a list of the instance."""

    id: int
    class_id: int
    has_tags: bool


def volume_ref(row: dict[str, Any], dataset: str, asked: Asked) -> VolumeRef:
    """Return a volume from its row in an answer; the dataset is given by its name.

    Raises TargetError if a field is missing or of another kind.
    """
    meta, number = field(row, "meta", dict, asked), field(row, "id", int, asked)
    size = field(meta, "dimensionsIJK", dict, asked)
    i, j, k = (field(size, axis, int, asked) for axis in "xyz")
    grid = Grid((i, j, k), _affine(meta, asked))
    return VolumeRef(number, str(number), field(row, "name", str, asked), dataset, grid)


def _affine(meta: dict[str, Any], asked: Asked) -> npt.NDArray[np.float64]:
    if meta.get("IJK2WorldMatrix") is not None:
        return _numbers(meta, "IJK2WorldMatrix", 16, asked).reshape(4, 4)
    affine = np.eye(4)
    directions = _numbers(meta, "directions", 9, asked).reshape(3, 3)
    affine[:3, :3] = directions * _numbers(meta, "spacing", 3, asked)
    affine[:3, 3] = _numbers(meta, "origin", 3, asked)
    return affine


def _numbers(meta: dict[str, Any], name: str, count: int, asked: Asked) -> npt.NDArray[np.float64]:
    """Return a field that holds so many numbers."""
    values = field(meta, name, list, asked)
    if len(values) != count or not all(type(value) in (int, float) for value in values):
        raise asked.odd(f"{len(values)} values in {name!r}", f"{count} numbers in {name!r}")
    return np.array(values, dtype=np.float64)


# Files that were read back from an instance, for as long as they are looked at


class _Last:
    """The file that a thread fetched last; it goes with this object: at the latest, the thread."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path = name, path
        weakref.finalize(self, path.unlink, missing_ok=True)


class Scratch:
    """A folder for files that were read back; each thread keeps its last one, for its life.

    It goes with this object. What arrives in another process has a folder of its own.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="nifti_kit-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._last = threading.local()
        self._numbers = count()

    def __reduce__(self) -> tuple[Any, ...]:
        return (Scratch, ())

    def file(self, name: str, fetch: Callable[[], bytes]) -> Path:
        """Return the file of a name, fetched where it is not this thread's last; that one goes."""
        last: _Last | None = getattr(self._last, "file", None)
        if last is not None and last.name == name:
            return last.path
        self._last.file = last = None
        content = fetch()
        last = _Last(name, self._folder / f"{next(self._numbers)}-{name}.nrrd")
        last.path.write_bytes(content)
        self._last.file = last
        return last.path


class InstanceReader:
    """The content of a volume project on an instance, or of one of its datasets."""

    def __init__(
        self, connection: Connection, project_id: int | None, dataset_id: int | None
    ) -> None:
        self.connection = connection
        self.dataset_id = dataset_id
        if (project_id is None) == (dataset_id is None):
            raise TargetError(
                "a project or a dataset is needed, not both",
                remedy="Instance(api, dataset_id=...) or Instance(api, project_id=...).",
            )
        if dataset_id is not None:
            info = connection.post("datasets.info", {"id": dataset_id})
            project_id = field(info, "projectId", int, connection.asked("datasets.info"))
        assert project_id is not None
        self.project_id = project_id
        self._check_project()
        self.scratch = Scratch()
        self.known: Listing | None = None  # what was there when an upload began, for the time of it
        self.class_ids: dict[str, int] | None = None
        """The ids of the project's classes, for the time of an upload."""

    def __repr__(self) -> str:
        scope = f"dataset_id={self.dataset_id}"
        if self.dataset_id is None:
            scope = f"project_id={self.project_id}"
        return f"Instance({self.connection.address!r}, {scope})"

    def _check_project(self) -> None:
        info = self.connection.record("projects.info", {"id": self.project_id})
        if info.get("type") != "volumes":
            raise TargetError(
                f"the project {info.get('name')!r} is not for volumes",
                path=self.connection.address,
                found=visible(info.get("type")),
                expected="volumes",
                remedy="Choose a project of the type volumes, or make one.",
            )

    @property
    def where(self) -> str:
        """The web address of the project."""
        return f"{self.connection.site}/projects/{self.project_id}/datasets"

    @property
    def version(self) -> str:
        """The version of the instance, such as ``6.13.8``; empty where it does not tell it."""
        try:
            answer = self.connection.record("instance.version", {})
        except NotThere:
            return ""
        return visible(answer.get("version") or "")

    @property
    def has_dataset(self) -> bool:
        """Whether a dataset is in scope: only then new volumes can land."""
        return self.dataset_id is not None

    def dataset_names(self) -> dict[int, str]:
        """Return the names of the project's datasets by id; nested ones with ``/``."""
        return dataset_paths(self.connection, self.project_id)

    def volumes(self) -> tuple[VolumeRef, ...]:
        """Return the volumes in scope, with id, name, dataset and grid (RAS+ mm)."""
        return tuple((self.known or self.listing()).volumes.values())

    def listing(self) -> Listing:
        """Return which volumes are there now."""
        names = self.dataset_names()
        scope = names if self.dataset_id is None else [self.dataset_id]
        asked = self.connection.asked("volumes.list")
        found = [
            (number, volume_ref(row, names.get(number, ""), asked))
            for number in scope
            for row in self.connection.entities("volumes.list", {"datasetId": number})
        ]
        dataset_ids = {ref.id: number for number, ref in found}
        return Listing(names, {ref.id: ref for _, ref in found}, dataset_ids)

    def volume(self, volume_id: int) -> VolumeRef:
        """Return a volume in scope by its id; raises TargetError if there is none."""
        if self.known is not None and volume_id in self.known.volumes:
            return self.known.volumes[volume_id]
        asked = self.connection.asked("volumes.info")
        row = self.connection.record("volumes.info", {"id": volume_id})
        number, names = field(row, "datasetId", int, asked), self.dataset_names()
        if number not in names or self.dataset_id not in (None, number):
            raise NotThere(
                f"the volume {volume_id} lies elsewhere",
                path=self.connection.address,
                found=f"in dataset {number}",
                expected=repr(self),
                remedy="Correct the id in the mapping, or choose the right project and dataset.",
            )
        return volume_ref(row, names[number], asked)

    def find(self, name: str) -> VolumeRef | None:
        """Return the volume of a name in the dataset in scope, or None."""
        if self.dataset_id is None:
            return None
        return (self.known or self.listing()).by_name.get(name)

    def meta(self) -> dict[str, Any]:
        """Return the project's meta; its classes have a title each."""
        asked = self.connection.asked(META.method)
        meta = self.connection.record(asked.method, {"id": self.project_id})
        for found in records(meta, asked, "classes"):
            field(found, "title", str, asked)
        return meta

    def classes(self) -> tuple[ClassRef, ...]:
        """Return the classes of the project."""
        asked = self.connection.asked(META.method)
        return tuple(_class_ref(found, asked) for found in self.meta()["classes"])

    def ids_of_classes(self, names: set[str]) -> dict[str, int]:
        """Return the ids of classes by name; for the time of an upload they are asked for once."""
        known = {} if self.class_ids is None else self.class_ids
        if not names <= known.keys():
            known.update(class_ids_in(self.meta()))
        return known

    def objects(self, volume_id: int) -> tuple[ObjectRef, ...]:
        """Return the objects of a volume, one for each 3D figure; ids stand for keys."""
        content = self.annotation(volume_id)
        rows = self.figure_rows(volume_id) if content["spatialFigures"] else []
        scores = {row.id: row.scores for row in rows}
        asked = self.connection.asked(ANNOTATION.method)
        for figure in content["spatialFigures"]:
            figure["customData"] = scores.get(_id_of(figure, asked), {})
        return objects_in(content, volume_id, asked)

    def annotation(self, volume_id: int) -> dict[str, Any]:
        """Return a volume's annotation as the instance has it, without geometries."""
        data = {"datasetId": self.dataset_of(volume_id), "volumeIds": [volume_id]}
        asked = self.connection.asked(ANNOTATION.method)
        found = records(self.connection.post(asked.method, data), asked)
        if len(found) != 1:
            raise asked.odd(f"{len(found)} annotations", "one annotation")
        for name in ("objects", "spatialFigures"):
            records(found[0], asked, name)
        return found[0]

    def content(self, volume_id: int) -> dict[str, Any]:
        """Return a volume's annotation as the instance has it, without geometries and scores."""
        return self.annotation(volume_id)

    def dataset_of(self, volume_id: int) -> int:
        """Return the id of a volume's dataset."""
        if self.dataset_id is not None:
            return self.dataset_id
        if self.known is not None and volume_id in self.known.dataset_ids:
            return self.known.dataset_ids[volume_id]
        row = self.connection.post("volumes.info", {"id": volume_id})
        return field(row, "datasetId", int, self.connection.asked("volumes.info"))

    def figure_rows(self, volume_id: int) -> list[FigureRow]:
        """Return the figures of a volume: annotations have no scores."""
        asked = self.connection.asked("figures.list")
        fields = ["id", "entityId", "objectId", "customData", "updatedAt"]
        return [
            FigureRow(
                field(row, "id", int, asked),
                field(row, "objectId", int, asked),
                _custom_data(row, asked),
                row.get("updatedAt"),
            )
            for row in self._rows_on(volume_id, asked, fields=fields)
        ]

    def object_rows(self, volume_id: int) -> list[ObjectRow]:
        """Return the objects of a volume, with or without figures."""
        asked = self.connection.asked("annotation-objects.list")
        return [
            ObjectRow(
                field(row, "id", int, asked),
                field(row, "classId", int, asked),
                bool(row.get("tags")),
            )
            for row in self._rows_on(volume_id, asked)
        ]

    def _rows_on(self, volume_id: int, asked: Asked, **more: Any) -> list[dict[str, Any]]:
        data = {
            "datasetId": self.dataset_of(volume_id),
            "filter": [{"field": "entityId", "operator": "=", "value": volume_id}],
            **more,
        }
        rows = self.connection.entities(asked.method, data)
        return [row for row in rows if field(row, "entityId", int, asked) == volume_id]

    def is_bare(self, volume_id: int) -> bool:
        """Say whether a volume has no object, figure or tag."""
        content = self.annotation(volume_id)
        asked = self.connection.asked(ANNOTATION.method)
        planes = records(content.get("planes") or [], asked)
        drawn = any(plane.get("slices") for plane in planes)
        named = ("objects", "spatialFigures", "tags")
        return not (drawn or any(content.get(name) for name in named))

    def iter_volume(self, volume_id: int) -> Iterator[npt.NDArray[Any]]:
        """Yield a volume's slices (i, j) in the order of k; the buffer is used again."""
        return iter_slices(self._volume_file(volume_id))

    def volume_grid(self, volume_id: int) -> Grid:
        """Return where a volume's voxels are (RAS+ mm), read anew from its file."""
        return read_grid(self._volume_file(volume_id))

    def volume_comments(self, volume_id: int) -> list[str]:
        """Return the comments in the header of a volume's file."""
        return comments_of(self._volume_file(volume_id))

    def iter_mask(self, found: ObjectRef) -> Iterator[npt.NDArray[Any]]:
        """Yield a mask's slices (i, j) in the order of k; the buffer is used again."""
        return iter_slices(self._mask_file(found.figure_id))

    def drawn(self, found: ObjectRef) -> tuple[Grid, Drawn]:
        """Return ``mask_grid``, and k and slice (i, j) of the slices that are not all zeros."""
        return read_drawn(self._mask_file(found.figure_id))

    def mask_grid(self, found: ObjectRef) -> Grid:
        """Return where a mask's voxels are (RAS+ mm), read anew from its geometry."""
        return read_grid(self._mask_file(found.figure_id))

    def geometry(self, figure_id: int) -> bytes:
        """Return the geometry of a figure: an NRRD file."""
        content = self.mask_of(figure_id)
        if content is None:
            raise NoMask(
                f"the figure {figure_id} has no geometry",
                path=self.connection.address,
                remedy="Upload the annotation again with existing='replace'.",
            )
        return content

    def mask_of(self, figure_id: int) -> bytes | None:
        """Return the geometry of a figure, or None where it has none."""
        try:
            return self.masks_of([figure_id]).get(figure_id)
        except NotThere:
            return None

    def masks_of(self, figure_ids: list[int]) -> dict[int, bytes]:
        """Return the geometries of figures; raises NotThere if one of them has none."""
        parts = self.connection.parts_of("figures.bulk.download.geometry", {"ids": figure_ids})
        return {number: parts[str(number)] for number in figure_ids if str(number) in parts}

    def volume_file(self, volume_id: int) -> bytes:
        """Return the file of a volume: NRRD."""
        return self.connection.bytes_of("volumes.download", {"id": volume_id})

    def _volume_file(self, volume_id: int) -> Path:
        return self.scratch.file(f"volume-{volume_id}", lambda: self.volume_file(volume_id))

    def _mask_file(self, figure_id: int) -> Path:
        return self.scratch.file(f"figure-{figure_id}", lambda: self.geometry(figure_id))


def object_ref(
    object_id: int, figure_id: int, class_name: str, volume_id: int, scores: Any
) -> ObjectRef:
    """Return an object of an instance: its ids are its keys; 0 is no figure and has no key."""
    figure_key = str(figure_id) if figure_id else ""
    return ObjectRef(
        object_id, str(object_id), figure_id, figure_key, class_name, volume_id, scores
    )


META, ANNOTATION = Asked("projects.meta"), Asked("volumes.annotations.bulk.info")
"""Where a meta and an annotation come from, where nothing else is said."""


def class_ids_in(meta: dict[str, Any], asked: Asked = META) -> dict[str, int]:
    """Return the ids of a project's classes by name."""
    return {
        field(found, "title", str, asked): field(found, "id", int, asked)
        for found in records(meta, asked, "classes")
    }


def _class_ref(found: dict[str, Any], asked: Asked) -> ClassRef:
    color = field(found, "color", str, asked)
    if not _COLOR.fullmatch(color):
        raise asked.odd("another text in 'color'", "#RRGGBB in 'color'")
    return ClassRef(
        field(found, "title", str, asked),
        ann.color_of(color),
        of_shape(found.get("description") or "", str, asked, "description"),
        field(found, "shape", str, asked),
    )


_COLOR = re.compile("#?[0-9A-Fa-f]{6,}")
"""Red, green and blue; opacity may follow."""


def objects_in(
    content: dict[str, Any], volume_id: int, asked: Asked = ANNOTATION
) -> tuple[ObjectRef, ...]:
    """Return the objects of an annotation, one for each 3D figure; scores are its custom data.

    ``asked`` says in an error where the annotation comes from.
    """
    figures: dict[int, list[dict[str, Any]]] = {}
    for figure in records(content, asked, "spatialFigures"):
        owner = field(figure, "objectId", int, asked)
        if figure.get("geometryType", ann.MASK_3D) == ann.MASK_3D:  # others have no mask
            figures.setdefault(owner, []).append(figure)
    return tuple(
        object_ref(
            field(found, "id", int, asked),
            _id_of(figure, asked),
            field(found, "classTitle", str, asked),
            volume_id,
            _custom_data(figure, asked),
        )
        for found in records(content, asked, "objects")
        for figure in figures.get(field(found, "id", int, asked), [{}])
    )


def _id_of(figure: dict[str, Any], asked: Asked) -> int:
    """Return the id of a figure; 0 where it has none."""
    return of_shape(figure.get("id", 0), int, asked, "id")


def _custom_data(figure: dict[str, Any], asked: Asked) -> dict[str, Any]:
    return of_shape(figure.get("customData") or {}, dict, asked, "customData")
