"""A Supervisely volume project on disk, written without the SDK.

Every file is written beside its place and renamed; a volume's annotation is written last, so that
a volume without one was not finished.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from nifti_kit.core.files import land_beside, land_bytes, land_json, read_json, written
from nifti_kit.core.parallel import ahead
from nifti_kit.errors import TargetError
from nifti_kit.formats.volumes import open_volume
from nifti_kit.targets import annotation as ann
from nifti_kit.targets.comparing import backup_of, keep_scores, refuse_other_shapes
from nifti_kit.targets.encoding import MaskFiles, VolumeFile, by_source
from nifti_kit.targets.folder.project import ProjectReader
from nifti_kit.targets.folder.reservation import Reservation
from nifti_kit.targets.records import (
    Begun,
    CustomData,
    ItemJob,
    ObjectRef,
    PlannedClass,
    PlannedItem,
    PlannedObject,
    VolumeRef,
)
from nifti_kit.targets.target import Tell

__all__ = ["ProjectFolder"]

ENCODERS = min(4, os.cpu_count() or 1)
"""Masks packed at a time; each takes one slice of memory beside its label map."""


class ProjectFolder(ProjectReader):
    """A Supervisely volume project in a folder: a target.

    Parameters
    ----------
    path
        The project's folder; it is made when something lands.
    dataset
        The dataset that volumes land in; nested ones with ``/``. Without it the scope is the
        whole project: annotations may land on any of its volumes, new volumes may not.
    """

    side_by_side = 1
    """The threads of one item keep the processors busy."""

    journals = None

    def add_classes(self, classes: Sequence[PlannedClass]) -> None:
        """Make the classes that are not there; one that is there keeps its colour.

        Raises
        ------
        TargetError
            If a class is there with a shape that cannot hold a mask.
        """
        self.check_place()
        meta = self.meta()
        known = {found["title"] for found in meta["classes"]}
        refuse_other_shapes(classes, meta["classes"], self.path / "meta.json")
        for planned in classes:
            if planned.name not in known:
                meta["classes"].append(ann.class_json(planned))
        land_json(self.path / "meta.json", meta)

    def reserve(
        self, item: PlannedItem, existing: str, session: str, begun: Begun | None = None
    ) -> ItemJob:
        """Return the job for an item: names, keys and ids, and what happens to what is there.

        What it replaces goes to a folder beside the project, named by the project and the session.

        Raises
        ------
        TargetError
            If something is there that ``existing`` does not allow for, or there is no such volume.
        """
        return Reservation(self, item, existing, self.kept_in(session)).job(
            None if begun is None else begun.marks
        )

    def kept_in(self, session: str) -> Path:
        """Return the folder in which a run keeps what it replaces, beside the project."""
        return self.path.with_name(f"{self.path.name}.replaced") / session

    @contextmanager
    def remembering(self) -> Iterator[ProjectFolder]:
        """Give the target itself: its files are read as they are needed."""
        yield self

    def recall(
        self,
        item: PlannedItem,  # noqa: ARG002
        record: dict[str, Any],  # noqa: ARG002
        session: str,  # noqa: ARG002
    ) -> ItemJob | None:
        """Return None: what landed is found again by its keys."""
        return None

    def write(self, job: ItemJob, tell: Tell | None = None) -> ItemJob:
        """Land a job: volume, masks, then the annotation. It can be repeated.

        ``tell`` takes bytes and objects after the volume and after each mask. The volume's voxels
        are gone before a label map is read: both together would be a third quicker with a
        large CT, and take half as much memory again.
        """
        volume, size = job.volume, 0
        self._back_up(job)
        if job.new_volume:
            content = self._write_volume(job)
            size = self.volume_path(volume).stat().st_size
            _told(tell, size, 0)
        else:
            content = read_json(self.annotation_path(volume))
        with closing(self._write_masks(job)) as sizes:  # closed, no thread of it goes on
            for objects, mask_size in enumerate(sizes, start=1):
                size += mask_size
                _told(tell, size, objects)
        self._edit(content, job)
        land_json(self.annotation_path(volume), content)
        self._drop_masks(job)
        return replace(job, sent=self._written(job))

    def _written(self, job: ItemJob) -> int:
        """Return how many bytes a job has on disk: volume, masks, annotation."""
        paths = [self.annotation_path(job.volume)]
        paths += [self.volume_path(job.volume)] * job.new_volume
        paths += [self.mask_path(job.volume, ref.figure_key) for _, ref in job.add]
        return sum(path.stat().st_size for path in paths)

    def set_scores(self, ref: ObjectRef, scores: CustomData) -> None:
        """Give a figure its scores, those of all planes.

        Raises
        ------
        TargetError
            If the figure is not in the project.
        """
        volume = self.volume(ref.volume_id)
        content = read_json(self.annotation_path(volume))
        self._score(content, volume, ref, scores)
        land_json(self.annotation_path(volume), content)

    def _score(
        self, content: dict[str, Any], volume: VolumeRef, ref: ObjectRef, scores: CustomData
    ) -> None:
        figures = [f for f in content["spatialFigures"] if f.get("key") == ref.figure_key]
        if not figures:
            raise TargetError(
                f"the figure {ref.figure_id} is not there",
                path=self.annotation_path(volume),
                remedy="Plan again: plan(..., target=target).",
            )
        figures[0]["customData"] = scores

    def commit(self, jobs: Sequence[ItemJob]) -> None:
        """Write the ids that were reserved to ``key_id_map.json``, without those that went."""
        ids = self.ids()
        for job in jobs:
            for ref in job.replaced:
                ids.forget("objects", ref.key)
                ids.forget("figures", ref.figure_key)
            self._volumes[job.volume.id] = job.volume
        with written(self.path / "key_id_map.json"):
            ids.save()
        self._ids_stamp = self.stamp()

    def check_place(self) -> None:
        """Refuse a file, or a folder of other things.

        Raises
        ------
        TargetError
            If a project cannot be there.
        """
        if self.path.exists() and not self.path.is_dir():
            raise self._no_project("a file")
        meta = self.path / "meta.json"
        if self.path.is_dir() and not meta.exists() and any(self.path.iterdir()):
            raise self._no_project("a folder with other files")

    def _no_project(self, found: str) -> TargetError:
        return TargetError(
            "it is no Supervisely project",
            path=self.path,
            found=found,
            expected="an empty or new folder, or a project (with meta.json)",
            remedy="Choose another folder for the project.",
        )

    def _write_volume(self, job: ItemJob) -> dict[str, Any]:
        """Write a volume's voxels; return its annotation without objects."""
        assert job.item.volume is not None
        content = VolumeFile(open_volume(job.item.volume))
        with land_beside(self.volume_path(job.volume)) as out:
            out.writelines(content)
        return ann.volume_json(job.volume.key, job.volume.id, content.meta)

    def _write_masks(self, job: ItemJob) -> Generator[int]:
        """Write the masks that are to be added, and yield the bytes of each.

        One label map is in memory at a time.
        """
        added = [(ref, job.item.objects[at]) for at, ref in job.add]
        with ThreadPoolExecutor(ENCODERS) as pool:
            for group in by_source(added):
                files = MaskFiles([planned for _, planned in group])

                def land(pair: tuple[ObjectRef, PlannedObject], files: MaskFiles = files) -> int:
                    ref, planned = pair
                    content = files.file_of(planned)
                    land_bytes(self.mask_path(job.volume, ref.figure_key), content)
                    return len(content)

                # All of a file are written before the next one is read: its label map can go.
                yield from ahead(pool, land, group, ENCODERS)
                del files, land

    def _edit(self, content: dict[str, Any], job: ItemJob) -> None:
        """Take the removed objects out of an annotation and put the added ones in."""
        gone = {ref.key for ref in (*job.replaced, *(ref for _, ref in job.add))}
        content["objects"] = [o for o in content["objects"] if o["key"] not in gone]
        figures = content["spatialFigures"]
        content["spatialFigures"] = [f for f in figures if f["objectKey"] not in gone]
        for plane in content["planes"]:
            for piece in plane["slices"]:
                piece["figures"] = [f for f in piece["figures"] if f.get("objectKey") not in gone]
        for _, ref in job.add:
            content["objects"].append(ann.object_json(ref.key, ref.id, ref.class_name))
            figure = ann.figure_json(ref.figure_key, ref.figure_id, ref.key, ref.scores)
            content["spatialFigures"].append(figure)
        for change in job.updates:
            self._score(content, job.volume, change.ref, change.ref.scores)

    def _back_up(self, job: ItemJob) -> None:
        """Keep what a job replaces beside the project, so that nothing is lost.

        The annotation is kept last: where it is, an earlier try of the same job kept everything.
        """
        keep_scores(job)
        if job.backup is None or not job.replaced:
            return
        kept = backup_of(job.backup, job.volume)
        if kept.exists():
            return
        with written(kept):
            kept.parent.mkdir(parents=True, exist_ok=True)
            for ref in job.replaced:
                mask = self.mask_path(job.volume, ref.figure_key)
                if mask.exists():
                    shutil.copy2(mask, kept.parent / mask.name)
        land_bytes(kept, self.annotation_path(job.volume).read_bytes())

    def _drop_masks(self, job: ItemJob) -> None:
        for ref in job.replaced:
            path = self.mask_path(job.volume, ref.figure_key)
            with written(path):
                path.unlink(missing_ok=True)


def _told(tell: Tell | None, size: int, objects: int) -> None:
    if tell is not None:
        tell(size, objects)
