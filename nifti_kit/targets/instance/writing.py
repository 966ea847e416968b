"""How objects land on an instance: the objects, a figure for each, and its geometry."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from nifti_kit.core.files import land_bytes, land_json, read_json
from nifti_kit.core.memory import give_back
from nifti_kit.core.parallel import ahead, batched, bounded
from nifti_kit.targets import annotation as ann
from nifti_kit.targets.comparing import backup_of, keep_scores
from nifti_kit.targets.encoding import MaskFiles, by_source
from nifti_kit.targets.instance.client import Connection, Refused, once, remove
from nifti_kit.targets.instance.crew import ENCODERS, SENT_AHEAD, Encoders
from nifti_kit.targets.instance.reading import InstanceReader, object_ref
from nifti_kit.targets.instance.volumes import add_volume, remove_volume, send_files
from nifti_kit.targets.instance.wire import FormFile, FormText
from nifti_kit.targets.records import CustomData, ItemJob, ObjectRef, PlannedObject, VolumeRef
from nifti_kit.targets.target import Tell

FIGURES_AT_ONCE = 100
"""As the SDK has it, for figures and for geometries."""

GEOMETRY_BYTES_AT_ONCE = 4_000_000
"""Of one request; a larger geometry goes alone. Some seconds of a slow line: so often there is
something to tell, and so much is sent again after a fault."""

REMOVED_AT_ONCE = 100
"""Objects of one request."""


def remove_objects(
    connection: Connection, dataset_id: int, volume_id: int, object_ids: Sequence[int]
) -> None:
    """Remove objects of a volume with their figures."""

    def ask() -> list[int]:
        return [int(row["id"]) for row in objects_of(connection, dataset_id, volume_id)]

    for batch in batched(object_ids, REMOVED_AT_ONCE):
        remove(connection, "annotation-objects.bulk.remove", batch, lambda ids: ids, ask)


def add_objects(
    connection: Connection,
    dataset_id: int,
    volume_id: int,
    class_ids: Sequence[int],
    before: Sequence[int],
) -> list[int]:
    """Make objects of classes on a volume, all or none; return their ids in order.

    ``before`` are the ids of the objects that were there.
    """
    if not class_ids:
        return []
    entries = [{"classId": number, "entityId": volume_id} for number in class_ids]

    def ask() -> list[dict[str, Any]]:
        rows = objects_of(connection, dataset_id, volume_id)
        return sorted((row for row in rows if row["id"] not in before), key=lambda row: row["id"])

    data = {"datasetId": dataset_id, "annotationObjects": entries}
    rows = once(connection, "annotation-objects.bulk.add", data, ask, expected=len(entries))
    return [int(row["id"]) for row in rows]


def objects_of(connection: Connection, dataset_id: int, volume_id: int) -> list[dict[str, Any]]:
    """Return the objects of a volume."""
    data = {
        "datasetId": dataset_id,
        "filter": [{"field": "entityId", "operator": "=", "value": volume_id}],
    }
    rows = connection.entities("annotation-objects.list", data)
    return [row for row in rows if row["entityId"] == volume_id]


def add_figures(
    connection: Connection,
    dataset_id: int,
    volume_id: int,
    pairs: Sequence[tuple[int, PlannedObject]],
) -> list[int]:
    """Make a figure, still without geometry, for each object; return their ids in order."""
    made: list[int] = []
    for batch in batched(pairs, FIGURES_AT_ONCE):
        wanted = [number for number, _ in batch]
        figures = [
            {
                "objectId": number,
                "geometryType": ann.MASK_3D,
                "tool": ann.MASK_3D,
                "entityId": volume_id,
                "customData": planned.scores,
            }
            for number, planned in batch
        ]

        def ask(wanted: list[int] = wanted) -> list[dict[str, Any]]:
            data = {
                "datasetId": dataset_id,
                "filter": [{"field": "entityId", "operator": "=", "value": volume_id}],
                "fields": ["id", "entityId", "objectId"],
            }
            rows = connection.entities("figures.list", data)
            found = {row["objectId"]: row for row in rows}
            return [found[number] for number in wanted if number in found]

        data = {"entityId": volume_id, "figures": figures}
        rows = once(connection, "figures.bulk.add", data, ask, expected=len(figures))
        made += [int(row["id"]) for row in rows]
    return made


def score_figure(connection: Connection, figure_id: int, scores: CustomData) -> None:
    """Give a figure its scores, those of all planes: all custom data that it has."""
    data = {"id": figure_id, "customData": scores, "updateStrategy": "replace"}
    connection.post("figures.custom-data.update", data)


def upload_masks(
    connection: Connection,
    crew: Encoders,
    pairs: Sequence[tuple[int, PlannedObject]],
    landed: Callable[[int], None],
) -> None:
    """Send the geometry of each figure: our own NRRD, at full precision.

    (The SDK's ``Mask3D`` rounds its origin to whole millimetres, and sends one after the other.)
    Geometries are sent in batches, whatever mask files they are of, while the next ones are
    encoded. One label map is in memory at a time, and a few batches.

    ``landed`` is called, in this thread, after each request, with the number of its geometries.
    """

    def land(batch: list[tuple[int, bytes]]) -> int:
        try:
            _send_geometries(connection, batch)
        except Refused:
            if len(batch) == 1:
                raise
            for one in batch:  # the SDK sends masks of volumes one by one: that must do
                _send_geometries(connection, [one])
        return len(batch)

    with closing(_geometries(crew, pairs)) as made:
        batches = bounded(made, count=FIGURES_AT_ONCE, size=GEOMETRY_BYTES_AT_ONCE)
        with closing(ahead(crew.senders, land, batches, SENT_AHEAD)) as counts:
            for count in counts:
                landed(count)


def _send_geometries(connection: Connection, batch: Sequence[tuple[int, bytes]]) -> None:
    form: list[FormText | FormFile] = []
    for number, content in batch:
        form.append(FormText("figureId", str(number)))
        form.append(FormFile("geometry", str(number), [content], "application/sla"))
    connection.send("figures.bulk.upload.geometry", form)


def _geometries(
    crew: Encoders, pairs: Sequence[tuple[int, PlannedObject]]
) -> Generator[tuple[int, bytes]]:
    """Yield the number and the geometry of each figure, in order."""
    for group in by_source(pairs):
        objects = [planned for _, planned in group]
        size = math.prod(objects[0].mask.grid.shape)
        with crew.room.taken(size):
            pool = crew.encoders(size)
            files = pool.submit(MaskFiles, objects).result()

            def encode(
                pair: tuple[int, PlannedObject], files: MaskFiles = files
            ) -> tuple[int, bytes]:
                number, planned = pair
                return number, files.file_of(planned)

            # All of a file are encoded before the next one is read: its label map can go.
            yield from ahead(pool, encode, group, ENCODERS)
            del files, encode
    give_back()


# How one item lands on an instance, whatever an interrupted try of it has left

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
