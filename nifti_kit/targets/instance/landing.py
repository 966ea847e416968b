"""How one item lands on an instance: all of it, or what an interrupted run of it has left to do."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import Any

from nifti_kit.core.files import land_bytes, land_json
from nifti_kit.targets.comparing import backup_of, keep_scores, places_of, read_kept
from nifti_kit.targets.instance.crew import Encoders
from nifti_kit.targets.instance.ownership import (
    FIGURES,
    KINDS,
    MADE,
    MAKING,
    OBJECTS,
    SENT,
    Own,
    digest,
    mark_of,
    own_objects,
)
from nifti_kit.targets.instance.reading import InstanceReader, object_ref
from nifti_kit.targets.instance.volumes import add_volume, remove_bare, send_files
from nifti_kit.targets.instance.writing import (
    add_figures,
    add_objects,
    remove_objects,
    score_planes,
    upload_masks,
)
from nifti_kit.targets.records import CustomData, ItemJob, Note, ObjectRef, VolumeRef
from nifti_kit.targets.target import Tell

REPLACED = "replaced"
"""Where what jobs replace is kept."""


class Landing:
    """One item on its way.

    ``reader``: the instance; its connection counts the bytes of this item alone.
    ``tell``: takes the bytes and objects that have landed so far.
    """

    def __init__(
        self,
        reader: InstanceReader,
        crew: Encoders,
        job: ItemJob,
        tell: Tell | None,
    ) -> None:
        self.reader, self.crew, self.job, self.tell = reader, crew, job, tell
        self.note: Note = job.note or (lambda _: None)
        self.connection = reader.connection
        self._objects = self._voxels = 0
        self._scores: dict[int, CustomData] = {}

    def _step(self, objects: int = 0, voxels: int = 0) -> None:
        self._objects += objects
        self._voxels += voxels
        if self.tell is not None:
            self.tell(self.connection.sent, self._objects, self._voxels)

    def landed(self) -> ItemJob:
        """Land the job; return it with the ids that the instance gave, and the bytes sent."""
        job, volume = self.job, self.job.volume
        self._back_up()
        if job.new_volume:
            volume = self._write_volume()
        own = own_objects(self.reader, job)
        if job.begun is not None and job.begun.changed:
            own = self._made_anew(own, volume)
        refs = self._write_objects(own, volume)
        self._remove_replaced()
        score_planes(self.reader, volume.id, job.updates)
        return replace(job, volume=volume, add=refs, sent=self.connection.sent)

    def _write_volume(self) -> VolumeRef:
        job, dataset_id = self.job, self.reader.dataset_id
        assert job.item.volume is not None
        assert dataset_id is not None
        if job.stale is not None:
            remove_bare(self.reader, dataset_id, job.stale, job.item.name)
        mark = mark_of(job.session)
        landed = partial(self._step, 0)
        sent = send_files(self.connection, self.crew, job.item.volume, mark, landed)
        number = add_volume(self.reader, self.crew, dataset_id, job.item.name, sent, self.note)
        return replace(job.volume, id=number, key=str(number))

    def _made_anew(self, own: Own, volume: VolumeRef) -> Own:
        """Remove what was made of files that hold something else by now; people's changes stay."""
        gone = [number for at, number in own.objects.items() if at not in own.changed]
        remove_objects(self.reader, volume.id, gone, look=lambda: None)
        return Own()

    def _write_objects(self, own: Own, volume: VolumeRef) -> tuple[tuple[int, ObjectRef], ...]:
        """Complete the objects; return what each planned one became."""
        self._make_objects(own, volume)
        self._make_figures(own, volume)
        planned = self.job.item.objects
        left = [(own.figures[at], planned[at]) for at, _ in self.job.add if at not in own.whole]
        self._objects = len(self.job.add) - len(left)
        self._scores = {figure: one.scores for figure, one in left}
        upload_masks(self.reader, self.crew, left, sending=self._note_sent, landed=self._step)
        return tuple(
            (at, object_ref(own.objects[at], own.figures[at], r.class_name, volume.id, r.scores))
            for at, r in self.job.add
        )

    def _make_objects(self, own: Own, volume: VolumeRef) -> None:
        planned = self.job.item.objects
        left = [at for at, _ in self.job.add if at not in own.objects]
        if own.objects:  # some may have been found without their ids in the journal
            self.note({OBJECTS: [list(pair) for pair in own.objects.items()]})
        if not left:
            return
        class_ids = self.reader.ids_of_classes({planned[at].class_name for at in left})
        kinds = [class_ids[planned[at].class_name] for at in left]
        known = {int(mark) for mark in self.job.memo or () if mark != MADE}
        known |= set(own.objects.values())
        self.note({MAKING: [list(pair) for pair in zip(left, kinds, strict=True)]})
        ids = add_objects(self.reader, volume.id, kinds, known)
        own.objects |= dict(zip(left, ids, strict=True))
        own.kinds |= dict(zip(ids, kinds, strict=True))
        self.note(
            {
                OBJECTS: [list(pair) for pair in own.objects.items()],
                KINDS: [list(pair) for pair in own.kinds.items()],
            }
        )

    def _make_figures(self, own: Own, volume: VolumeRef) -> None:
        planned = self.job.item.objects
        if own.figures:  # as the objects: before they have a geometry, as a person's have
            pairs = [[own.objects[at], figure] for at, figure in own.figures.items()]
            self.note({f"{FIGURES}earlier": pairs})
        left = [at for at, _ in self.job.add if at not in own.figures]
        places = {own.objects[at]: at for at in left}

        def heard(pairs: list[tuple[int, int]]) -> None:
            self.note({f"{FIGURES}{pairs[0][0]}": [list(pair) for pair in pairs]})
            own.figures.update({places[number]: figure for number, figure in pairs})

        wanted = [(own.objects[at], planned[at]) for at in left]
        add_figures(self.reader, volume.id, wanted, heard)

    def _note_sent(self, masks: dict[int, bytes]) -> None:
        """Note what figures are sent, before: what is there later, and differs, is a person's."""
        sent = {str(f): digest(mask, self._scores[f]) for f, mask in masks.items()}
        self.note({f"{SENT}{min(masks)}": sent})

    def _remove_replaced(self) -> None:
        """Remove what is replaced; an interrupted try may have removed it, or a part of it."""
        volume_id = self.job.volume.id
        if not self.job.replaced:
            return
        there = {row.id for row in self.reader.object_rows(volume_id)}
        old = list(dict.fromkeys(ref.id for ref in self.job.replaced if ref.id in there))
        remove_objects(self.reader, volume_id, old, look=lambda: self._keep(old))

    def _back_up(self) -> None:
        """Keep what a job replaces, annotation and masks, next to the journal."""
        keep_scores(self.job)
        if self.job.replaced:
            self._keep([ref.id for ref in self.job.replaced])

    def _keep(self, ids: Collection[int]) -> None:
        """Save objects of the job's volume that are there: all masks, then the annotation.

        What was kept as it is now is not kept again; what differs has a place of its own.
        """
        content = self.reader.annotation(self.job.volume.id)  # with the times of last changes
        scores = {row.id: row.scores for row in self.reader.figure_rows(self.job.volume.id)}
        for figure in content["spatialFigures"]:  # the instance's own annotations have no scores
            figure["customData"] = scores.get(int(figure["id"]), {})
        now = _going(content, ids)
        assert self.job.backup is not None
        for kept in places_of(backup_of(self.job.backup / REPLACED, self.job.volume)):
            if not kept.exists():
                break
            if now.items() <= read_kept(kept, lambda content: _going(content, ids)).items():
                return
        for figure in content["spatialFigures"]:
            if int(figure["objectId"]) in ids:
                mask = self.reader.mask_of(int(figure["id"]))
                if mask is not None:
                    land_bytes(kept.parent / f"{int(figure['id'])}.nrrd", mask, private=True)
        land_json(kept, content, private=True)


def _going(content: dict[str, Any], ids: Collection[int]) -> dict[str, Any]:
    """Return the objects of an annotation that go, with their tags and figures, to compare them."""
    objects = {
        f"object {one['id']}": [one.get("classTitle"), one.get("tags") or []]
        for one in content["objects"]
        if int(one["id"]) in ids
    }
    figures = {
        f"figure {one['id']}": [one.get("updatedAt"), one.get("customData") or {}]
        for one in content["spatialFigures"]
        if int(one["objectId"]) in ids
    }
    return {**objects, **figures}
