"""How one item lands on an instance: files by hash, the volume, its slices, objects, figures."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, islice
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from nifti_kit.errors import TargetError
from nifti_kit.images import ImageFile
from nifti_kit.labels import read_labels
from nifti_kit.nrrd import page_bytes, write_slices
from nifti_kit.plans import PlannedObject
from nifti_kit.ras import RasVolume, mask_bytes, open_volume
from nifti_kit.targets import annotation_json as ann
from nifti_kit.targets.instance.connection import AnswerLost, Connection, FormFile, hash_of

__all__ = [
    "add_figures",
    "add_objects",
    "add_volume",
    "remove_objects",
    "remove_volume",
    "upload_masks",
]

SLICES_AT_ONCE = 100
"""Slices of one request; the SDK sends 50. A slice of a CT is some 100 kB."""

HASHES_AT_ONCE = 1000
"""Hashes of one question; the platform has no limit that we know of."""

FIGURES_AT_ONCE = 100
"""As the SDK has it."""

REMOVED_AT_ONCE = 100
"""Objects of one request."""

WORKERS = 4
"""Files encoded and sent at a time; each takes the memory of one."""

_NORMALS = {0: (1, 0, 0), 1: (0, 1, 0), 2: (0, 0, 1)}
"""Sagittal, coronal, axial: the RAS+ axis that is the plane's normal."""

T = TypeVar("T")


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of at most ``size``."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def add_volume(
    connection: Connection, dataset_id: int, name: str, image: ImageFile
) -> dict[str, Any]:
    """Land a volume with the slices of its three planes; return it as the instance has it.

    The SDK's ``upload_np`` is not used: it passes over batches of slices that are refused.
    A volume whose slices cannot be known to be complete is removed and made again: the instance
    does not say which slices it has.
    """
    opened = open_volume(image)
    content, lowest, highest = _encoded(opened)
    send_files(connection, [content])
    meta = ann.volume_meta(opened.grid, lowest, highest)
    entry = {"name": name, "hash": hash_of(content), "meta": meta}
    del content
    for _ in range(_TRIES):
        row = _made(connection, dataset_id, entry)
        try:
            _add_slices(connection, int(row["id"]), opened.array())
        except AnswerLost:
            remove_volume(connection, dataset_id, int(row["id"]))
        else:
            return row
    raise TargetError(
        f"the slices of {name!r} cannot be sent: answers are lost each time",
        path=connection.address,
        remedy="Check the network; the same call goes on where this one ended.",
    )


_TRIES = 5
"""How often a step is begun anew whose answer was lost."""


def _encoded(opened: RasVolume) -> tuple[bytes, float, float]:
    """Return a volume's NRRD file, and its lowest and highest finite value."""
    lowest, highest = math.inf, -math.inf

    def measured() -> Iterator[npt.NDArray[Any]]:
        nonlocal lowest, highest
        for piece in opened.slices():
            finite = piece[np.isfinite(piece)] if piece.dtype.kind == "f" else piece
            if finite.size:
                lowest = min(lowest, float(finite.min()))
                highest = max(highest, float(finite.max()))
            yield piece

    out = io.BytesIO()
    write_slices(out, opened.grid, opened.dtype, measured())
    if lowest > highest:  # no voxel has a finite value
        lowest = highest = 0.0
    return out.getvalue(), lowest, highest


def _made(connection: Connection, dataset_id: int, entry: dict[str, Any]) -> dict[str, Any]:
    """Make a volume of a file that is there; where the answer is lost, look for it by its name."""
    data = {"datasetId": dataset_id, "volumes": [entry]}

    def ask() -> list[dict[str, Any]]:
        rows = connection.entities("volumes.list", {"datasetId": dataset_id})
        return [row for row in rows if row["name"] == entry["name"]]

    return once(connection, "volumes.bulk.add", data, ask, expected=1)[0]


def once(
    connection: Connection,
    method: str,
    data: Any,
    ask: Callable[[], list[dict[str, Any]]],
    *,
    expected: int,
) -> list[dict[str, Any]]:
    """Return what a method made, which is never made twice.

    Where the answer is lost, ``ask`` says what is there: all of it, or nothing, and only then the
    request is sent again.
    """
    for _ in range(_TRIES):
        try:
            answer: list[dict[str, Any]] = connection.post(method, data, repeatable=False)
        except AnswerLost:
            answer = ask()
            if not answer:
                continue
        if len(answer) != expected:
            raise TargetError(
                f"the instance made another number of entries at {method}",
                path=connection.address,
                found=len(answer),
                expected=expected,
                remedy="Look at the volume on the instance; existing='replace' makes it anew.",
            )
        return answer
    raise _lost_each_time(connection, method)


def _add_slices(connection: Connection, volume_id: int, voxels: npt.NDArray[Any]) -> None:
    """Send the slices of the three planes; batches are encoded while others are on the wire."""
    places = [(axis, index) for axis in range(3) for index in range(voxels.shape[axis])]

    def land(batch: list[tuple[int, int]]) -> None:
        # Views: np.take would copy the whole volume for each slice where it is in file order.
        files = [page_bytes(np.moveaxis(voxels, axis, 0)[index]) for axis, index in batch]
        send_files(connection, files)
        slices = [
            {
                "hash": hash_of(content),
                "sliceIndex": index,
                "normal": dict(zip("xyz", _NORMALS[axis], strict=True)),
            }
            for (axis, index), content in zip(batch, files, strict=True)
        ]
        data = {"volumeId": volume_id, "volumeSlices": slices}
        connection.post("volumes.slices.bulk.add", data, repeatable=False)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(land, batched(places, SLICES_AT_ONCE)))


def remove_volume(connection: Connection, dataset_id: int, volume_id: int) -> None:
    """Remove a volume with all that is on it."""

    def ask() -> list[int]:
        rows = connection.entities("volumes.list", {"datasetId": dataset_id})
        return [int(row["id"]) for row in rows]

    _remove(connection, "images.bulk.remove", [volume_id], lambda ids: {"imageIds": ids}, ask)


def remove_objects(
    connection: Connection, dataset_id: int, volume_id: int, object_ids: Sequence[int]
) -> None:
    """Remove objects of a volume with their figures."""

    def ask() -> list[int]:
        return [int(row["id"]) for row in objects_of(connection, dataset_id, volume_id)]

    for batch in batched(object_ids, REMOVED_AT_ONCE):
        _remove(connection, "annotation-objects.bulk.remove", batch, lambda ids: ids, ask)


def _remove(
    connection: Connection,
    method: str,
    ids: Sequence[int],
    body: Callable[[list[int]], Any],
    ask: Callable[[], list[int]],
) -> None:
    """Remove what has these ids.

    The instance refuses to remove what is gone, so that a request whose answer is lost is not
    sent again before ``ask`` has said what is still there.
    """
    left = list(ids)
    for _ in range(_TRIES):
        try:
            connection.post(method, body(left), repeatable=False)
            return
        except AnswerLost:
            there = set(ask())
            left = [number for number in left if number in there]
            if not left:
                return
    raise _lost_each_time(connection, method)


def _lost_each_time(connection: Connection, method: str) -> TargetError:
    return TargetError(
        f"the answer to {method} is lost each time",
        path=connection.address,
        remedy="Check the network; the same call goes on where this one ended.",
    )


def send_files(connection: Connection, files: Sequence[bytes]) -> None:
    """Send the files that the instance does not have yet, by their hashes."""
    by_hash = {hash_of(content): content for content in files}
    for hashes in batched(by_hash, HASHES_AT_ONCE):
        there = set(connection.post("images.internal.hashes.list", hashes))
        missing = [name for name in hashes if name not in there]
        if missing:
            forms = [
                FormFile(f"{at}-file", str(at), by_hash[name], "image/*")
                for at, name in enumerate(missing)
            ]
            answer = connection.send("images.bulk.upload", {}, forms)
            arrived = {row.get("hash") for row in answer}
            if arrived != set(missing):
                raise TargetError(
                    "files arrived damaged on the instance",
                    path=connection.address,
                    found=f"{len(set(missing) - arrived)} of {len(missing)} with another hash",
                    remedy="Try again; check what lies between here and the instance.",
                )


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
            data = {"datasetId": dataset_id, "fields": ["id", "entityId", "objectId"]}
            rows = connection.entities("figures.list", data)
            found = {row["objectId"]: row for row in rows}
            return [found[number] for number in wanted if number in found]

        data = {"entityId": volume_id, "figures": figures}
        rows = once(connection, "figures.bulk.add", data, ask, expected=len(figures))
        made += [int(row["id"]) for row in rows]
    return made


def upload_masks(connection: Connection, pairs: Sequence[tuple[int, PlannedObject]]) -> None:
    """Send the geometry of each figure: our own NRRD, at full precision.

    (The SDK's ``Mask3D`` rounds its origin to whole millimetres, and sends one after the other.)
    One label map is in memory at a time.
    """
    for mask, group in groupby(pairs, key=lambda pair: pair[1].mask):
        voxels = read_labels(mask.image).voxels

        def land(pair: tuple[int, PlannedObject], voxels: Any = voxels) -> None:
            number, planned = pair
            content = mask_bytes(voxels, planned.mask.grid, planned.label, planned.orientation)
            form = FormFile("geometry", str(number), content, "application/sla")
            connection.send("figures.bulk.upload.geometry", {"figureId": str(number)}, [form])

        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(land, group))
