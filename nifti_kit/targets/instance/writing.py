"""How objects land on an instance: the objects, a figure for each, and its geometry."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Any

from nifti_kit.core.memory import give_back
from nifti_kit.core.parallel import ahead, bounded
from nifti_kit.plans.plan import CustomData, PlannedObject
from nifti_kit.targets import annotation as ann
from nifti_kit.targets.instance.asking import batched, once, remove
from nifti_kit.targets.instance.client import Connection
from nifti_kit.targets.instance.crew import ENCODERS, SENT_AHEAD, Encoders
from nifti_kit.targets.instance.refusals import Refused
from nifti_kit.targets.instance.wire import FormFile, FormText
from nifti_kit.targets.mask_files import MaskFiles, by_source

__all__ = [
    "add_figures",
    "add_objects",
    "objects_of",
    "remove_objects",
    "score_figure",
    "upload_masks",
]

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
