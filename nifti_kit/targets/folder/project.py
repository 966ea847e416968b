"""A Supervisely volume project on disk, read without the SDK.

``meta.json``, ``key_id_map.json``, and for each dataset ``volume/X.nrrd``, ``ann/X.nrrd.json``
and ``mask/X.nrrd/<figure key>.nrrd``; nested datasets stand under ``<dataset>/datasets``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.files import inside
from nifti_kit.core.geometry import Grid
from nifti_kit.errors import TargetError, visible
from nifti_kit.formats.nrrd import Drawn, iter_slices, read_drawn, read_grid
from nifti_kit.targets import annotation as ann
from nifti_kit.targets.folder.keys import KeyIds
from nifti_kit.targets.folder.shape import ANNOTATION, META, read_shaped, scores_of
from nifti_kit.targets.records import ClassRef, ObjectRef, VolumeRef
from nifti_kit.targets.target import NoMask

_NESTED = "datasets"


class ProjectReader:
    """The content of a project in a folder.

    ``dataset``: the dataset in scope; nested ones with ``/``. Without it the scope is the whole
    project.
    """

    def __init__(self, path: str | os.PathLike[str], dataset: str | None = None) -> None:
        if "\0" in os.fspath(path):
            raise TargetError(
                "this is no path", found=visible(path), remedy="Choose another folder."
            )
        self.path = Path(path).expanduser()
        self.dataset = _checked_name(dataset) if dataset is not None else None
        self._ids: KeyIds | None = None
        self._ids_stamp: int | None = None
        self._volumes: dict[int, VolumeRef] = {}

    def __repr__(self) -> str:
        scope = f", dataset={self.dataset!r}" if self.dataset else ""
        return f"{type(self).__name__}({str(self.path)!r}{scope})"

    @property
    def where(self) -> str:
        """The project's folder, in full."""
        return str(self.path.resolve())

    @property
    def has_dataset(self) -> bool:
        """Whether a dataset is in scope: only then new volumes can land."""
        return self.dataset is not None

    def volumes(self) -> tuple[VolumeRef, ...]:
        """Return the volumes in scope, with id, name, dataset and grid (RAS+ mm)."""
        found = tuple(self._volume_ref(dataset, name) for dataset, name in self._names())
        self._volumes.update({ref.id: ref for ref in found})
        return found

    def _names(self) -> Iterator[tuple[str, str]]:
        """Yield dataset and name of the volumes in scope: those that have an annotation."""
        datasets = [self.dataset] if self.dataset is not None else list(self.dataset_names())
        for dataset in datasets:
            for path in self._annotations(dataset):
                yield dataset, path.name.removesuffix(".json")

    def _annotations(self, dataset: str) -> list[Path]:
        """Return the annotation files of a dataset; hidden ones are other programs'."""
        found = self._place(dataset, "ann").glob("*.json")
        return sorted(path for path in found if not path.name.startswith("."))

    def volume(self, volume_id: int) -> VolumeRef:
        """Return a volume in scope by its id; raises TargetError if there is none."""
        known = self._volumes.get(volume_id)
        if known is not None and self.annotation_path(known).exists():
            return known
        there = {self._id_of(dataset, name): (dataset, name) for dataset, name in self._names()}
        if volume_id in there:
            self._volumes[volume_id] = self._volume_ref(*there[volume_id])
            return self._volumes[volume_id]
        raise TargetError(
            f"there is no volume with id {volume_id}",
            path=self.path,
            found=f"ids {sorted(there)}",
            remedy="Correct the id in the mapping, or choose the right project and dataset.",
        )

    def find(self, name: str) -> VolumeRef | None:
        """Return the volume of a name in the dataset in scope, or None."""
        if self.dataset is None or not self.annotation_at(self.dataset, name).exists():
            return None
        found = self._volume_ref(self.dataset, name)
        self._volumes[found.id] = found  # else it is looked for among all, by its id
        return found

    def classes(self) -> tuple[ClassRef, ...]:
        """Return the classes of the project."""
        return tuple(
            ClassRef(
                found["title"],
                ann.color_of(found["color"]),
                found.get("description", ""),
                found["shape"],
            )
            for found in self.meta()["classes"]
        )

    def objects(self, volume_id: int) -> tuple[ObjectRef, ...]:
        """Return the objects of a volume, one for each 3D figure."""
        return self.objects_of(self.volume(volume_id))

    def objects_of(self, volume: VolumeRef) -> tuple[ObjectRef, ...]:
        """Return the objects of a volume that is known, one for each 3D figure."""
        return self.objects_in(volume, self.annotation(volume))

    def content(self, volume_id: int) -> dict[str, Any]:
        """Return the annotation of a volume as it is written."""
        return self.annotation(self.volume(volume_id))

    def annotation(self, volume: VolumeRef) -> dict[str, Any]:
        """Return the annotation of a volume as it is written."""
        return read_shaped(self.annotation_path(volume), ANNOTATION)

    def objects_in(self, volume: VolumeRef, content: dict[str, Any]) -> tuple[ObjectRef, ...]:
        """Return the objects of a volume's annotation, one for each 3D mask."""
        ids = self.ids()
        figures: dict[str, list[dict[str, Any]]] = {}
        for figure in content["spatialFigures"]:
            if figure.get("geometryType", ann.MASK_3D) == ann.MASK_3D:  # others have no mask
                figures.setdefault(figure["objectKey"], []).append(figure)
        return tuple(
            ObjectRef(
                ids.id_of("objects", found["key"]),
                found["key"],
                ids.id_of("figures", figure.get("key", "")),
                figure.get("key", ""),
                found["classTitle"],
                volume.id,
                scores_of(figure.get("customData")),
            )
            for found in content["objects"]
            for figure in figures.get(found["key"], [{}])
        )

    def iter_volume(self, volume_id: int) -> Iterator[npt.NDArray[Any]]:
        """Yield a volume's slices (i, j) in the order of k; the buffer is used again."""
        return iter_slices(self._voxels_of(self.volume(volume_id)))

    def volume_grid(self, volume_id: int) -> Grid:
        """Return where a volume's voxels are (RAS+ mm), read anew from its file."""
        return read_grid(self._voxels_of(self.volume(volume_id)))

    def iter_mask(self, found: ObjectRef) -> Iterator[npt.NDArray[Any]]:
        """Yield a mask's slices (i, j) in the order of k; the buffer is used again.

        Raises NoMask if the object has none, or its file is gone.
        """
        return iter_slices(self._mask_of(found))

    def drawn(self, found: ObjectRef) -> tuple[Grid, Drawn]:
        """Return ``mask_grid``, and k and slice (i, j) of the slices that are not all zeros.

        The buffer is used again; raises as ``iter_mask``.
        """
        return read_drawn(self._mask_of(found))

    def mask_grid(self, found: ObjectRef) -> Grid:
        """Return where a mask's voxels are (RAS+ mm); raises as ``iter_mask``."""
        return read_grid(self._mask_of(found))

    def _mask_of(self, found: ObjectRef) -> Path:
        """Return the file of an object's mask; refuse one that is not there."""
        volume = self.volume(found.volume_id)
        path = self.mask_path(volume, found.figure_key) if found.figure_key else None
        if path is not None and path.is_file():
            return path
        raise NoMask(
            f"the object {found.id} ({found.class_name}) of the volume {volume.name!r} has no mask",
            path=path or self.annotation_path(volume),
            found="no such file" if path is not None else "no figure",
            expected="a file that the annotation names",
            remedy="Restore the file, or upload its source with existing='replace'.",
        )

    def _voxels_of(self, volume: VolumeRef) -> Path:
        return self._voxels_at(volume.dataset, volume.name)

    def _voxels_at(self, dataset: str, name: str) -> Path:
        """Return the file of a volume that has an annotation; refuse one that is not there."""
        path = self.volume_at(dataset, name)
        if not path.is_file():
            raise TargetError(
                f"the volume {name!r} is annotated, but its file is not there",
                path=path,
                remedy="Restore the file; or move its annotation and the folder of its masks away, "
                f"{self.annotation_at(dataset, name)} and mask/{name}, and upload the volume anew.",
            )
        return path

    def mask(self, found: ObjectRef) -> tuple[npt.NDArray[np.bool_], Grid]:
        """Return a mask whole, (i, j, k), with its grid (RAS+ mm)."""
        pages = [page != 0 for page in self.iter_mask(found)]
        return np.stack(pages, axis=2), self.mask_grid(found)

    def ids(self) -> KeyIds:
        """Return the keys and ids of the project, read again where another wrote the file."""
        stamp = self.stamp()
        if self._ids is None or stamp != self._ids_stamp:
            annotations = [
                read_shaped(path, ANNOTATION)
                for dataset in self.dataset_names()
                for path in self._annotations(dataset)
            ]
            self._ids = KeyIds(self.path / "key_id_map.json", annotations)
            self._ids_stamp = stamp
        return self._ids

    def stamp(self) -> int | None:
        """Return when ``key_id_map.json`` was written; None where there is none."""
        try:
            return (self.path / "key_id_map.json").stat().st_mtime_ns
        except (FileNotFoundError, NotADirectoryError):
            return None

    def meta(self) -> dict[str, Any]:
        """Return the project's ``meta.json``; that of an empty project where there is none."""
        path = self.path / "meta.json"
        return read_shaped(path, META) if path.exists() else ann.empty_meta()

    def dataset_names(self) -> Iterator[str]:
        """Yield the names of the datasets, nested ones as ``parent/child``."""
        if self.path.is_dir():
            yield from self._below(self.path, "")

    def _below(self, folder: Path, prefix: str) -> Iterator[str]:
        for child in sorted(folder.iterdir()):
            if child.is_dir() and not child.name.startswith("."):
                inside(self.path, *child.relative_to(self.path).parts)  # no link leads out of it
                if (child / "ann").is_dir():
                    yield prefix + child.name
                if (child / _NESTED).is_dir():
                    yield from self._below(child / _NESTED, f"{prefix}{child.name}/")

    def _place(self, dataset: str, *names: str) -> Path:
        """Return a path within a dataset's folder.

        Raises TargetError if a name is none of a file, or a link leads out of the project.
        """
        first, *rest = dataset.split("/")
        nested = [part for name in rest for part in (_NESTED, name)]
        return inside(self.path, first, *nested, *names)

    def _volume_ref(self, dataset: str, name: str) -> VolumeRef:
        return self.volume_on(dataset, name, read_grid(self._voxels_at(dataset, name)))

    def volume_on(self, dataset: str, name: str, grid: Grid) -> VolumeRef:
        """Return a volume by its annotation, with a grid that is known otherwise."""
        key = self._key_of(dataset, name)
        return VolumeRef(self.ids().id_of("videos", key), key, name, dataset, grid)

    def _key_of(self, dataset: str, name: str) -> str:
        key: str = read_shaped(self.annotation_at(dataset, name), ANNOTATION)["key"]
        return key

    def _id_of(self, dataset: str, name: str) -> int:
        return self.ids().id_of("videos", self._key_of(dataset, name))

    def volume_path(self, volume: VolumeRef) -> Path:
        """Return the file of a volume."""
        return self.volume_at(volume.dataset, volume.name)

    def volume_at(self, dataset: str, name: str) -> Path:
        """Return the file of a volume by its dataset and name."""
        return self._place(dataset, "volume", name)

    def annotation_path(self, volume: VolumeRef) -> Path:
        """Return the annotation file of a volume."""
        return self.annotation_at(volume.dataset, volume.name)

    def annotation_at(self, dataset: str, name: str) -> Path:
        """Return the annotation file of a volume by its dataset and name."""
        return self._place(dataset, "ann", f"{name}.json")

    def mask_path(self, volume: VolumeRef, figure_key: str) -> Path:
        """Return the geometry file of a figure."""
        return self._place(volume.dataset, "mask", volume.name, f"{figure_key}.nrrd")


def _checked_name(name: str) -> str:
    parts = name.split("/")
    if any(part.strip() in ("", ".", "..") or part.startswith(".") for part in parts):
        raise TargetError(
            "the dataset's name cannot be a folder",
            found=repr(name),
            expected="a name such as 'knee', or 'parent/child' for a nested dataset",
            remedy="Choose another name.",
        )
    return name
