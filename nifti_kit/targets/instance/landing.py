"""How one item lands on an instance, whatever an interrupted try of it has left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nifti_kit.core.targets_files import land_bytes, land_json
from nifti_kit.targets.folder.keys import read_json
from nifti_kit.targets.folder.reservation import backup_of
from nifti_kit.targets.instance.crew import Encoders
from nifti_kit.targets.instance.reading import InstanceReader, object_ref
from nifti_kit.targets.instance.volumes import add_volume, remove_volume, send_files
from nifti_kit.targets.instance.writing import (
    add_figures,
    add_objects,
    objects_of,
    remove_objects,
    score_figure,
    upload_masks,
)
from nifti_kit.targets.scoring import keep_scores
from nifti_kit.targets.target import ItemJob, ObjectRef, Tell, VolumeRef

__all__ = ["MADE", "REPLACED", "Landing"]

MADE = "made"
"""In a journal: the item's volume is made by the run itself."""

REPLACED = "replaced"
"""Where what jobs replace is kept."""


class Landing:
    """One item on its way.

    Parameters
    ----------
    reader
        The instance; its connection counts the bytes of this item alone.
    crew
        What encodes and sends for all items.
    job
        What lands.
    tell
        Takes the bytes and objects that have landed so far.
    """

    def __init__(
        self, reader: InstanceReader, crew: Encoders, job: ItemJob, tell: Tell | None
    ) -> None:
        self.reader, self.crew, self.job, self.tell = reader, crew, job, tell
        self.connection = reader.connection
        self._objects = 0

    def _step(self, objects: int = 0) -> None:
        self._objects += objects
        if self.tell is not None:
            self.tell(self.connection.sent, self._objects)

    def landed(self) -> ItemJob:
        """Land the job; return it with the ids that the instance gave, and the bytes sent."""
        job, volume = self.job, self.job.volume
        self._back_up()
        if job.new_volume:
            volume = self._write_volume()
        dataset_id = self.reader.dataset_of(volume.id)
        before = [int(mark) for mark in job.memo or () if mark != MADE]
        if job.resumed and not job.new_volume:
            self._clear(dataset_id, before)
        refs = self._write_objects(volume, dataset_id, before)
        self._remove_replaced(dataset_id)
        for change in job.updates:
            score_figure(self.connection, change.ref.figure_id, change.ref.scores)
        return replace(job, volume=volume, add=refs, sent=self.connection.sent)

    def _write_volume(self) -> VolumeRef:
        job, dataset_id = self.job, self.reader.dataset_id
        assert job.item.volume is not None
        assert dataset_id is not None
        left = self.reader.listing().by_name.get(job.item.name) if job.resumed else None
        if left is not None:  # an interrupted try of this very item made it
            remove_volume(self.connection, dataset_id, left.id)
        entry = send_files(self.connection, self.crew, job.item.volume, landed=self._step)
        row = add_volume(self.connection, self.crew, dataset_id, job.item.name, entry)
        return replace(job.volume, id=int(row["id"]), key=str(row["id"]))

    def _clear(self, dataset_id: int, before: Sequence[int]) -> None:
        """Remove what an interrupted try left of the item's classes on its volume.

        It is kept next to the journal, because a person may have added to it since.
        """
        volume_id = self.job.volume.id
        names = {planned.class_name for planned in self.job.item.objects}
        there = self.reader.objects(volume_id)
        left = [ref for ref in there if ref.id not in before and ref.class_name in names]
        if left:
            self._keep(left, f"left-{max(ref.id for ref in left)}")
            remove_objects(self.connection, dataset_id, volume_id, [ref.id for ref in left])

    def _write_objects(
        self, volume: VolumeRef, dataset_id: int, before: Sequence[int]
    ) -> tuple[tuple[int, ObjectRef], ...]:
        added = [(at, self.job.item.objects[at]) for at, _ in self.job.add]
        class_ids = self.reader.ids_of_classes({planned.class_name for _, planned in added})
        object_ids = add_objects(
            self.connection,
            dataset_id,
            volume.id,
            [class_ids[planned.class_name] for _, planned in added],
            before,
        )
        pairs = [(number, p) for number, (_, p) in zip(object_ids, added, strict=True)]
        figure_ids = add_figures(self.connection, dataset_id, volume.id, pairs)
        masks = [(number, p) for number, (_, p) in zip(figure_ids, added, strict=True)]
        upload_masks(self.connection, self.crew, masks, landed=self._step)
        return tuple(
            (at, object_ref(number, figure, planned.class_name, volume.id, planned.scores))
            for (at, planned), number, figure in zip(added, object_ids, figure_ids, strict=True)
        )

    def _remove_replaced(self, dataset_id: int) -> None:
        """Remove what is replaced; an interrupted try may have removed it, or a part of it."""
        volume_id = self.job.volume.id
        old = [ref.id for ref in self.job.replaced]
        if old and self.job.resumed:
            rows = objects_of(self.connection, dataset_id, volume_id)
            there = {int(row["id"]) for row in rows}
            old = [number for number in old if number in there]
        remove_objects(self.connection, dataset_id, volume_id, old)

    def _back_up(self) -> None:
        """Keep what a job replaces, annotation and masks, next to the journal."""
        keep_scores(self.job)
        if self.job.replaced:
            self._keep(self.job.replaced, REPLACED)

    def _keep(self, refs: Sequence[ObjectRef], why: str) -> None:
        """Save objects of a job's volume: the mask of each, then the annotation with scores."""
        assert self.job.backup is not None
        kept = backup_of(self.job.backup / why, self.job.volume)
        if kept.exists():
            there = {int(found["id"]) for found in read_json(kept)["objects"]}
            if there.issuperset(ref.id for ref in refs):
                return
            # The item had landed, a part of it was removed, and the rest is replaced now.
            kept = kept.parent / f"after-{max(there, default=0)}" / kept.name
        for ref in refs:
            if ref.figure_id and (mask := self.reader.mask_of(ref.figure_id)) is not None:
                land_bytes(kept.parent / f"{ref.figure_id}.nrrd", mask)
        content = self.reader.annotation(self.job.volume.id)
        scores = {ref.figure_id: ref.scores for ref in refs}
        for figure in content["spatialFigures"]:  # the instance's own annotations have no scores
            if int(figure["id"]) in scores:
                figure["customData"] = scores[int(figure["id"])]
        land_json(kept, content)
