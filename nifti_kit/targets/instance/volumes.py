"""How a volume lands on an instance: its file by its hash, the volume, its slices."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.errors import TargetError
from nifti_kit.images import ImageFile
from nifti_kit.nrrd import page_bytes, write_slices
from nifti_kit.ras import RasVolume, open_volume
from nifti_kit.targets import annotation_json as ann
from nifti_kit.targets.instance.asking import TRIES, batched, once, remove
from nifti_kit.targets.instance.connection import AnswerLost, Connection, hash_of
from nifti_kit.targets.instance.forms import FormFile
from nifti_kit.targets.pipeline import ahead

__all__ = ["Files", "add_volume", "remove_volume"]

SLICES_AT_ONCE = 100
"""Slices of one request; the SDK sends 50. A slice of a CT is some 100 kB."""

WORKERS = 4
"""Batches of slices encoded and sent at a time."""

_NORMALS = {0: (1, 0, 0), 1: (0, 1, 0), 2: (0, 0, 1)}
"""Sagittal, coronal, axial: the RAS+ axis that is the plane's normal."""


class Files:
    """The files of one volume on an instance, by their hashes: none is sent twice.

    The instance is asked which ones it has, until it has none of those asked about: the volume is
    new then, or so is the rest of it, and a file that is there all the same does no harm.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._asks = True
        self._asking = Lock()
        self._there: set[str] = set()

    def send(self, files: Sequence[bytes]) -> list[str]:
        """Send the files that the instance does not have yet; return the hashes of all."""
        names = [hash_of(content) for content in files]
        by_hash = dict(zip(names, files, strict=True))
        missing = self._missing(list(by_hash))
        if missing:
            self._send(missing, by_hash)
        return names

    def _missing(self, names: Sequence[str]) -> list[str]:
        """Return which files the instance does not have, as far as is known."""
        with self._asking:  # who comes at the same time has the answer to this question too
            missing = [name for name in names if name not in self._there]
            if self._asks and missing:
                there = set(self.connection.post("images.internal.hashes.list", missing))
                self._there |= there
                self._asks = bool(there)
                missing = [name for name in missing if name not in there]
            return missing

    def _send(self, missing: Sequence[str], by_hash: dict[str, bytes]) -> None:
        forms = [
            FormFile(f"{at}-file", str(at), by_hash[name], "image/*")
            for at, name in enumerate(missing)
        ]
        answer = self.connection.send("images.bulk.upload", forms)
        arrived = {row.get("hash") for row in answer}
        if arrived != set(missing):
            raise TargetError(
                "files arrived damaged on the instance",
                path=self.connection.address,
                found=f"{len(set(missing) - arrived)} of {len(missing)} with another hash",
                remedy="Try again; check what lies between here and the instance.",
            )
        with self._asking:
            self._there |= arrived


def add_volume(
    connection: Connection,
    dataset_id: int,
    name: str,
    image: ImageFile,
    landed: Callable[[], None],
) -> dict[str, Any]:
    """Land a volume with the slices of its three planes; return it as the instance has it.

    ``landed`` is called, in this thread, after each batch of slices and after the file.

    Files are known by their hashes, so that all of them are encoded and sent side by side before
    there is a volume. The SDK's ``upload_np`` is not used: it passes over batches of slices that
    are refused. A volume whose slices cannot be known to be complete is removed and made again:
    the instance does not say which slices it has.
    """
    opened = open_volume(image)
    files = Files(connection)
    with ThreadPoolExecutor(WORKERS) as pool:
        whole = pool.submit(_send_whole, files, opened)
        slices: list[dict[str, Any]] = []
        for batch in _send_slices(files, opened.array(), pool):
            slices += batch
            landed()
        name_of_file, lowest, highest = whole.result()
    landed()
    meta = ann.volume_meta(opened.grid, lowest, highest)
    entry = {"name": name, "hash": name_of_file, "meta": meta}
    for _ in range(TRIES):
        row = _made(connection, dataset_id, entry)
        try:
            _add_slices(connection, int(row["id"]), slices)
        except AnswerLost:
            remove_volume(connection, dataset_id, int(row["id"]))
        else:
            return row
    raise TargetError(
        f"the slices of {name!r} cannot be sent: answers are lost each time",
        path=connection.address,
        remedy="Check the network; the same call goes on where this one ended.",
    )


def _send_whole(files: Files, opened: RasVolume) -> tuple[str, float, float]:
    """Send a volume's file; return its hash, and its lowest and highest value."""
    content, lowest, highest = _encoded(opened)
    (name,) = files.send([content])
    return name, lowest, highest


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


def _send_slices(
    files: Files, voxels: npt.NDArray[Any], pool: ThreadPoolExecutor
) -> Iterator[list[dict[str, Any]]]:
    """Send the files of the slices of the three planes; yield what is told of each batch.

    Batches are encoded while others are on the wire.
    """
    places = [(axis, index) for axis in range(3) for index in range(voxels.shape[axis])]

    def land(batch: list[tuple[int, int]]) -> list[dict[str, Any]]:
        # Views: np.take would copy the whole volume for each slice where it is in file order.
        names = files.send(
            [page_bytes(np.moveaxis(voxels, axis, 0)[index]) for axis, index in batch]
        )
        return [
            {
                "hash": name,
                "sliceIndex": index,
                "normal": dict(zip("xyz", _NORMALS[axis], strict=True)),
            }
            for (axis, index), name in zip(batch, names, strict=True)
        ]

    return ahead(pool, land, batched(places, SLICES_AT_ONCE), WORKERS)


def _add_slices(connection: Connection, volume_id: int, slices: Sequence[dict[str, Any]]) -> None:
    """Give a volume its slices, whose files are there."""

    def add(batch: list[dict[str, Any]]) -> None:
        data = {"volumeId": volume_id, "volumeSlices": batch}
        connection.post("volumes.slices.bulk.add", data, repeatable=False)

    with ThreadPoolExecutor(WORKERS) as pool:
        for _ in ahead(pool, add, batched(slices, SLICES_AT_ONCE), WORKERS):
            pass


def remove_volume(connection: Connection, dataset_id: int, volume_id: int) -> None:
    """Remove a volume with all that is on it."""

    def ask() -> list[int]:
        rows = connection.entities("volumes.list", {"datasetId": dataset_id})
        return [int(row["id"]) for row in rows]

    remove(connection, "images.bulk.remove", [volume_id], lambda ids: {"imageIds": ids}, ask)
