"""How one item lands in a project folder: volume, masks, then the annotation."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from nifti_kit.core.files import json_bytes, land_beside, land_bytes, private_folder, written
from nifti_kit.core.parallel import ahead, cores
from nifti_kit.errors import TargetError
from nifti_kit.formats.volumes import open_volume
from nifti_kit.targets import annotation as ann
from nifti_kit.targets.comparing import backup_of, is_scored, keep_scores, places_of
from nifti_kit.targets.encoding import MaskFiles, VolumeFile, mask_batches
from nifti_kit.targets.folder.ownership import (
    ANNOTATION,
    MASK,
    VOLUME,
    facts_of,
    proof_of,
    stamp_of,
)
from nifti_kit.targets.folder.project import ProjectReader
from nifti_kit.targets.folder.shape import scores_of
from nifti_kit.targets.records import CustomData, ItemJob, ObjectRef, PlannedObject, ScoreChange
from nifti_kit.targets.target import Tell

ENCODERS = min(4, cores())
"""Masks packed at a time; each takes one slice of memory beside its label map."""

TOLD_EVERY = 2**23
"""Bytes of voxels after which is told how far a volume is: some tenths of a second."""


class Landing:
    """One item on its way.

    ``tell``: takes the bytes and objects that have landed so far.
    """

    def __init__(self, folder: ProjectReader, job: ItemJob, tell: Tell | None) -> None:
        self.folder, self.job, self.tell = folder, job, tell
        self._annotation = folder.annotation_path(job.volume)
        self._proofs: dict[str, Any] = {}
        self._went: list[Path] = []

    def landed(self) -> ItemJob:
        """Land the job; return it with its bytes on disk.

        The journal knows what proves that the files are ours before the annotation takes its
        place: from then on others see the item, and work on it.
        """
        self._back_up()
        empty = self._write_volume() if self.job.new_volume else {}
        self._write_masks()
        self._back_up()  # what people have changed meanwhile goes too
        content = self._content() or empty or self.folder.annotation(self.job.volume)
        before = copy.deepcopy(content)
        self._went = self._masks_of(content, self.job.replaced) if self.job.replaced else []
        self._edit(content)
        if content is empty or content != before:
            whole = json_bytes(content)
            land_bytes(self._annotation, whole, lambda path: self._note(path, whole))
        else:
            self._note(self._annotation, self._annotation.read_bytes())
        self._drop_masks()
        return replace(self.job, sent=self._size())

    def _content(self) -> dict[str, Any]:
        """Return the annotation as it is now; empty where there is none."""
        return self.folder.annotation(self.job.volume) if self._annotation.exists() else {}

    def _note(self, path: Path, content: bytes) -> None:
        if self.job.note is not None:
            proof = {ANNOTATION: proof_of(path, content)}
            self.job.note({**proof, **facts_of(self.job), **self._proofs})

    def _told(self, size: int, objects: int, voxels: int = 0) -> None:
        if self.tell is not None:
            self.tell(size, objects, voxels)

    def _size(self) -> int:
        """Return how many bytes the job has on disk: volume, masks, annotation."""
        paths = [self._annotation, *(self._mask(ref) for _, ref in self.job.add)]
        paths += [self.folder.volume_path(self.job.volume)] * self.job.new_volume
        return sum(stamp[0] for stamp in map(stamp_of, paths) if stamp is not None)

    def _mask(self, ref: ObjectRef) -> Path:
        return self.folder.mask_path(self.job.volume, ref.figure_key)

    # The volume and the masks

    def _write_volume(self) -> dict[str, Any]:
        """Write the volume's voxels; return its annotation without objects."""
        volume, image = self.job.volume, self.job.item.volume
        assert image is not None
        content = VolumeFile(open_volume(image))
        size = told = 0
        with land_beside(self.folder.volume_path(volume), self._note_volume) as out:
            for piece in content:
                size += out.write(piece)
                if content.taken - told >= TOLD_EVERY:
                    told = content.taken
                    self._told(size, 0, told)
        self._told(size, 0, content.taken)
        return ann.volume_json(volume.key, volume.id, content.meta)

    def _note_volume(self, path: Path) -> None:
        if self.job.note is not None:
            self.job.note({VOLUME: stamp_of(path)})

    def _write_masks(self) -> None:
        """Write the masks that are to be added and are not there."""
        drawn = {one.get("key") for one in self._content().get("spatialFigures", ())}
        left = [
            (at, ref)
            for at, ref in self.job.add
            if ref.figure_key not in drawn or not self._mask(ref).exists()
        ]
        there = len(self.job.add) - len(left)
        size = self.folder.volume_path(self.job.volume).stat().st_size if self.job.new_volume else 0
        with closing(self._masks(left)) as sizes:  # closed, no thread of it goes on
            for objects, mask_size in enumerate(sizes, start=there + 1):
                size += mask_size
                self._told(size, objects)

    def _masks(self, left: list[tuple[int, ObjectRef]]) -> Generator[int]:
        """Write masks, and yield the bytes of each; some small label maps are in memory, or one."""
        added = [(ref, self.job.item.objects[at]) for at, ref in left]
        with ThreadPoolExecutor(ENCODERS) as pool:

            def land(one: tuple[ObjectRef, PlannedObject, MaskFiles]) -> int:
                ref, planned, files = one
                content = files.file_of(planned)
                land_bytes(self._mask(ref), content)
                self._proofs[MASK + ref.key] = stamp_of(self._mask(ref))
                return len(content)

            for batch in mask_batches(added):
                yield from ahead(pool, land, batch, ENCODERS)
                batch.clear()  # before the next ones are read

    # The annotation

    def _edit(self, content: dict[str, Any]) -> None:
        """Take the replaced objects out of an annotation, put those in that it does not have."""
        gone = {ref.key for ref in self.job.replaced}
        content["objects"] = [o for o in content["objects"] if o["key"] not in gone]
        figures = content["spatialFigures"]
        content["spatialFigures"] = [f for f in figures if f["objectKey"] not in gone]
        for plane in content["planes"]:
            for piece in plane["slices"]:
                piece["figures"] = [f for f in piece["figures"] if f.get("objectKey") not in gone]
        objects = {one["key"] for one in content["objects"]}
        drawn = {one.get("key") for one in content["spatialFigures"]}
        for _, ref in self.job.add:
            if ref.key not in objects:
                content["objects"].append(ann.object_json(ref.key, ref.id, ref.class_name))
            if ref.figure_key not in drawn:
                figure = ann.figure_json(ref.figure_key, ref.figure_id, ref.key, ref.scores)
                content["spatialFigures"].append(figure)
        for change in self.job.updates:
            score_plane(content, change, self._annotation)

    # What goes is kept

    def _back_up(self) -> None:
        """Keep what the job replaces beside the project, so that nothing is lost.

        The annotation is kept last: where it is, an earlier try of the same job kept everything.
        What was changed since is kept once more.
        """
        if self.job.backup is None:
            return
        with written(self.job.backup):  # others who may write here keep what they replace, too
            self.job.backup.parent.mkdir(parents=True, exist_ok=True)
        content = self._content() if self.job.replaced else {}
        keep_scores(self.job)
        there = {one["key"] for one in content.get("objects", ())}
        going = [ref for ref in self.job.replaced if ref.key in there]
        if not going:
            return
        masks = [path for path in self._masks_of(content, going) if path.exists()]
        annotation = self._annotation.read_bytes()
        for kept in self._places():
            if not kept.exists():
                self._keep(kept, annotation, masks)
                return
            if kept.read_bytes() == annotation and all(_is_kept(path, kept) for path in masks):
                return

    def _masks_of(self, content: dict[str, Any], refs: Sequence[ObjectRef]) -> list[Path]:
        """Return the files of all masks of objects: people may have drawn another one."""
        keys = {ref.key for ref in refs}
        figures = [f.get("key") for f in content["spatialFigures"] if f["objectKey"] in keys]
        known = {ref.figure_key for ref in refs} | set(figures)
        return [self.folder.mask_path(self.job.volume, key) for key in sorted(filter(None, known))]

    def _places(self) -> Iterator[Path]:
        """Yield where an annotation, with the masks that go, may be kept."""
        assert self.job.backup is not None
        return places_of(backup_of(self.job.backup, self.job.volume))

    def _keep(self, kept: Path, annotation: bytes, masks: list[Path]) -> None:
        private_folder(kept.parent)
        with written(kept):
            for mask in masks:
                shutil.copy2(mask, kept.parent / mask.name)
        land_bytes(kept, annotation, private=True)

    def _drop_masks(self) -> None:
        """Remove the masks of what was replaced; one that was drawn in since it was kept stays."""
        content = self._content() if self.job.replaced else {}
        going = self._went
        drawn = {f"{one.get('key')}.nrrd" for one in content.get("spatialFigures", ())}
        for path in going:
            if path.name not in drawn and path.exists() and self._was_kept(path):
                with written(path):
                    path.unlink(missing_ok=True)

    def _was_kept(self, mask: Path) -> bool:
        for kept in self._places():
            if not kept.exists():
                return False
            if _is_kept(mask, kept):
                return True
        return False


def _is_kept(mask: Path, kept: Path) -> bool:
    """Say whether a mask was kept as it is, with an annotation."""
    copied = kept.parent / mask.name
    return copied.exists() and copied.read_bytes() == mask.read_bytes()


def score_figure(content: dict[str, Any], ref: ObjectRef, scores: CustomData, path: Path) -> None:
    """Give a figure in an annotation its scores, those of all planes.

    What else is in its custom data stays.

    Raises TargetError if the figure is not in the annotation.
    """
    figures = [f for f in content["spatialFigures"] if f.get("key") == ref.figure_key]
    if not figures:
        raise TargetError(
            f"the figure {ref.figure_id} is not there",
            path=path,
            remedy="Plan again: plan(..., target=target).",
        )
    custom = figures[0].get("customData") or {}
    others = {name: what for name, what in custom.items() if name not in scores_of(custom)}
    figures[0]["customData"] = {**others, **scores}


def score_plane(content: dict[str, Any], change: ScoreChange, path: Path) -> None:
    """Give a figure in an annotation the scores of a plane; those of other planes stay.

    Raises TargetError if the figure is not there, or somebody has changed the plane since it was
    looked at.
    """
    plane = change.update.plane
    now = [f for f in content["spatialFigures"] if f.get("key") == change.ref.figure_key]
    there = scores_of(now[0].get("customData")) if now else {}
    if not now or not is_scored(there.get(plane, {}), change, path):
        score_figure(content, change.ref, {**there, plane: change.landed}, path)
