"""How objects land on an instance: the objects, a figure for each, and its geometry."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import closing
from functools import partial
from typing import Any

from nifti_kit.core.memory import give_back
from nifti_kit.core.parallel import ahead, batched, bounded
from nifti_kit.core.text import listed
from nifti_kit.errors import TargetError
from nifti_kit.targets import annotation as ann
from nifti_kit.targets.comparing import is_scored
from nifti_kit.targets.encoding import MaskFiles, mask_batches
from nifti_kit.targets.instance.asking import once, remove, settled
from nifti_kit.targets.instance.client import Connection, Refused
from nifti_kit.targets.instance.crew import ENCODERS, SENT_AHEAD, Encoders
from nifti_kit.targets.instance.reading import InstanceReader
from nifti_kit.targets.instance.wire import FormFile, FormText
from nifti_kit.targets.records import SHOWN_IDS, CustomData, PlannedObject, ScoreChange

FIGURES_AT_ONCE = 100
"""As the SDK has it, for figures and for geometries."""

GEOMETRY_BYTES_AT_ONCE = 4_000_000
"""Of one request; a larger geometry goes alone. Some seconds of a slow line: so often there is
something to tell, and so much is sent again after a fault."""

REMOVED_AT_ONCE = 100
"""Objects of one request."""


def remove_objects(
    reader: InstanceReader, volume_id: int, object_ids: Sequence[int], look: Callable[[], Any]
) -> None:
    """Remove objects of a volume with their figures.

    ``look`` is called before each request, and before one is sent again.
    """

    def ask() -> list[int]:
        return [row.id for row in reader.object_rows(volume_id)]

    for batch in batched(object_ids, REMOVED_AT_ONCE):
        method = "annotation-objects.bulk.remove"
        remove(reader.connection, method, batch, lambda ids: ids, ask, look)


def add_objects(
    reader: InstanceReader, volume_id: int, class_ids: Sequence[int], known: Collection[int]
) -> list[int]:
    """Make objects of classes on a volume, all or none; return their ids in order.

    ``known`` are the ids of objects that are there and are none of these.
    """
    if not class_ids:
        return []
    entries = [{"classId": number, "entityId": volume_id} for number in class_ids]
    ask = partial(unheard, reader, volume_id, class_ids, known)
    data = {"datasetId": reader.dataset_of(volume_id), "annotationObjects": entries}
    method = "annotation-objects.bulk.add"
    return once(reader.connection, method, data, ask, expected=len(entries))


def unheard(
    reader: InstanceReader, volume_id: int, class_ids: Sequence[int], known: Collection[int]
) -> list[int]:
    """Return the objects that a request has made whose answer was not heard; none if it made none.

    A request makes all of its objects or none, one after the other, and they have no figure yet:
    who draws makes both. They bear no mark, so that their classes in their order must tell.

    Raises TargetError if more than one row of objects could be they.
    """
    drawn = {row.object_id for row in reader.figure_rows(volume_id)}
    rows = [
        row
        for row in sorted(reader.object_rows(volume_id))
        if row.id not in known and row.id not in drawn and not row.has_tags
    ]
    count = len(class_ids)
    runs = [rows[at : at + count] for at in range(len(rows) - count + 1)]
    fitting = [run for run in runs if [row.class_id for row in run] == list(class_ids)]
    close = [run for run in fitting if run[-1].id - run[0].id == count - 1] or fitting
    if len(close) > 1:
        raise _two_readings(reader.connection, volume_id, [row.id for row in rows])
    return [row.id for row in close[0]] if close else []


def _two_readings(connection: Connection, volume_id: int, ids: Sequence[int]) -> TargetError:
    return TargetError(
        "it cannot be told which objects an interrupted upload has made",
        path=connection.address,
        found=f"objects without a figure on volume {volume_id}: {listed(ids, SHOWN_IDS)}",
        expected="only those of the upload",
        remedy="Remove these objects on the platform (they are empty), then make the same call "
        "again.",
    )


def add_figures(
    reader: InstanceReader,
    volume_id: int,
    pairs: Sequence[tuple[int, PlannedObject]],
    heard: Callable[[list[tuple[int, int]]], Any],
) -> None:
    """Make a figure, still without geometry, for each object.

    ``heard`` takes the ids of objects and their figures, as they become known.
    """
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

        def ask(wanted: list[int] = wanted) -> list[int]:
            found: dict[int, int] = {}
            for row in reader.figure_rows(volume_id):
                found.setdefault(row.object_id, row.id)
            return [found[number] for number in wanted if number in found]

        data = {"entityId": volume_id, "figures": figures}
        made = once(reader.connection, "figures.bulk.add", data, ask, expected=len(figures))
        heard(list(zip(wanted, made, strict=True)))


def score_planes(reader: InstanceReader, volume_id: int, changes: Sequence[ScoreChange]) -> None:
    """Give figures the scores of a plane; those of other planes stay, whoever has given them.

    Raises TargetError if somebody has changed the scores of the plane since they were looked at.
    """
    there = {row.id: row.scores for row in reader.figure_rows(volume_id)} if changes else {}
    for change in changes:
        figure, plane = change.ref.figure_id, change.update.plane

        def has_them(figure: int = figure, change: ScoreChange = change) -> bool:
            there.update({row.id: row.scores for row in reader.figure_rows(volume_id)})
            now = there.get(figure, {}).get(change.update.plane, {})
            return is_scored(now, change, reader.connection.address)

        def send(figure: int = figure, change: ScoreChange = change, plane: str = plane) -> None:
            now = there.get(figure, {})
            if not is_scored(now.get(plane, {}), change, reader.connection.address):
                _score(reader, figure, {**now, plane: change.landed})

        settled(reader.connection, SCORING, send, has_them)


SCORING = "figures.custom-data.update"


def _score(reader: InstanceReader, figure_id: int, scores: CustomData) -> None:
    data = {"id": figure_id, "customData": scores, "updateStrategy": "replace"}
    reader.connection.post(SCORING, data, repeatable=False)


def upload_masks(
    reader: InstanceReader,
    crew: Encoders,
    pairs: Sequence[tuple[int, PlannedObject]],
    sending: Callable[[dict[int, bytes]], Any],
    landed: Callable[[int], None],
) -> None:
    """Send the geometry of each figure, of which none has one: our own NRRD, at full precision.

    (The SDK's ``Mask3D`` rounds its origin to whole millimetres, and sends one after the other.)
    Geometries are sent in batches, whatever mask files they are of, while the next ones are
    encoded. One label map is in memory at a time, or some small ones, and a few batches.

    ``sending`` takes the geometries by figure before they are sent. ``landed`` is called, in this
    thread, after each request, with the number of its geometries.
    """

    def land(batch: list[tuple[int, bytes]]) -> int:
        sending(dict(batch))
        try:
            _send_geometries(reader, batch)
        except Refused:
            if len(batch) == 1:
                raise
            for one in batch:  # the SDK sends masks of volumes one by one: that must do
                _send_geometries(reader, [one])
        return len(batch)

    with closing(_geometries(crew, pairs)) as made:
        batches = bounded(made, count=FIGURES_AT_ONCE, size=GEOMETRY_BYTES_AT_ONCE)
        with closing(ahead(crew.senders, land, batches, SENT_AHEAD)) as counts:
            for count in counts:
                landed(count)


def _send_geometries(reader: InstanceReader, batch: Sequence[tuple[int, bytes]]) -> None:
    left = list(batch)

    def send() -> None:
        form: list[FormText | FormFile] = []
        for number, content in left:
            form.append(FormText("figureId", str(number)))
            form.append(FormFile("geometry", str(number), [content], "application/sla"))
        reader.connection.send("figures.bulk.upload.geometry", form, repeatable=False)

    def are_there() -> bool:
        left[:] = [pair for pair in left if reader.mask_of(pair[0]) is None]
        return not left

    settled(reader.connection, "figures.bulk.upload.geometry", send, are_there)


def _geometries(
    crew: Encoders, pairs: Sequence[tuple[int, PlannedObject]]
) -> Generator[tuple[int, bytes]]:
    """Yield the number and the geometry of each figure, in order."""

    def encode(one: tuple[int, PlannedObject, MaskFiles]) -> tuple[int, bytes]:
        number, planned, files = one
        return number, files.file_of(planned)

    for batch in mask_batches(pairs):
        size = math.prod(batch[0][1].mask.grid.shape)
        with crew.room.taken(sum(len(files) for files in {one[2] for one in batch})):
            yield from ahead(crew.encoders(size), encode, batch, ENCODERS)
        batch.clear()  # before the next ones are read
    give_back()
