"""How a volume lands on an instance: its file by its hash, the volume, its slices."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from threading import Lock
from typing import Any, NamedTuple

from nifti_kit.core.memory import PageBuffer, give_back
from nifti_kit.core.parallel import ahead, batched, together
from nifti_kit.errors import TargetError
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.formats.nrrd import page_bytes
from nifti_kit.formats.volumes import open_volume, voxel_bytes
from nifti_kit.targets.comparing import name_taken
from nifti_kit.targets.encoding import VolumeFile
from nifti_kit.targets.instance.asking import TRIES, once, remove, settled
from nifti_kit.targets.instance.client import AnswerLost, Connection, Refused, hash_of
from nifti_kit.targets.instance.crew import ENCODERS, SENT_AHEAD, VOXEL_BYTES, Encoders
from nifti_kit.targets.instance.reading import InstanceReader
from nifti_kit.targets.instance.wire import Bytes, FormFile
from nifti_kit.targets.records import Note

FILES_AT_ONCE, FILE_BYTES_AT_ONCE = 100, 4 * VOXEL_BYTES
"""Files of slices of one request: a hundred (of a CT some 10 MB), or more where all of them have
not so many bytes before they are packed: a small volume and its three planes go together."""

SLICES_AT_ONCE, SLICES_OF_SDK = 500, 50
"""Slices of one request, of which it has only the hashes; and as many as the SDK sends, where an
instance refuses so many, or does not answer in time."""

_NORMALS = ({"x": 1, "y": 0, "z": 0}, {"x": 0, "y": 1, "z": 0}, {"x": 0, "y": 0, "z": 1})
"""Sagittal, coronal, axial: the RAS+ axis that is the plane's normal."""


class Files:
    """The files of one volume on an instance, by their hashes: none is sent twice.

    The instance is asked which ones it has, until it has none of those asked about: the volume is
    new then, or so is the rest of it, and a file that is there all the same does no harm.
    """

    def __init__(self, connection: Connection, *, asks: bool = True) -> None:
        self.connection, self.asks = connection, asks
        self._asking = Lock()
        self._there: set[str] = set()

    def send(self, files: Sequence[Sequence[Bytes]], *, are_new: bool = False) -> list[str]:
        """Send the files (in pieces) that the instance does not have; return the hashes of all.

        ``are_new`` says that it has none of them, without asking.
        """
        names = [hash_of(content) for content in files]
        by_hash = dict(zip(names, files, strict=True))
        missing = list(by_hash) if are_new else self._missing(list(by_hash))
        if missing:
            self._send(missing, by_hash)
        return names

    def _missing(self, names: Sequence[str]) -> list[str]:
        """Return which files the instance does not have, as far as is known."""
        with self._asking:  # who comes at the same time has the answer to this question too
            missing = [name for name in names if name not in self._there]
            if self.asks and missing:
                there = set(self.connection.post("images.internal.hashes.list", missing))
                self._there |= there
                self.asks = bool(there)
                missing = [name for name in missing if name not in there]
            return missing

    def _send(self, missing: Sequence[str], by_hash: dict[str, Sequence[Bytes]]) -> None:
        left = list(missing)

        def send() -> None:
            forms = [
                FormFile(f"{at}-file", str(at), by_hash[name], "image/*")
                for at, name in enumerate(left)
            ]
            answer = self.connection.send("images.bulk.upload", forms, repeatable=False)
            self._refuse_damaged(left, {row.get("hash") for row in answer})

        def have_arrived() -> bool:
            there = set(self.connection.post("images.internal.hashes.list", left))
            left[:] = [name for name in left if name not in there]
            return not left

        settled(self.connection, "images.bulk.upload", send, have_arrived)
        with self._asking:
            self._there.update(missing)

    def _refuse_damaged(self, sent: Sequence[str], arrived: set[str]) -> None:
        if arrived != set(sent):
            raise TargetError(
                "files arrived damaged on the instance",
                path=self.connection.address,
                found=f"{len(set(sent) - arrived)} of {len(sent)} with another hash",
                remedy="Try again; check what lies between here and the instance.",
            )


@dataclass(frozen=True)
class Sent:
    """The files of a volume that are on the instance."""

    entry: dict[str, Any]  # the volume's file by its hash, and the volume's meta
    slices: list[dict[str, Any]]  # the slices of the three planes: hash, plane and index of each


def send_files(
    connection: Connection,
    crew: Encoders,
    image: ImageFile,
    comment: str,
    landed: Callable[[int], None],
) -> Sent:
    """Send the file of a volume and those of the slices of its three planes.

    ``comment`` is a line for the file's header. ``landed`` is called, in this thread, after each
    request, with its share of the volume's bytes. Files are known by their hashes, so that all of
    them are encoded and sent side by side before there is a volume. The SDK's ``upload_np`` is not
    used: it passes over batches of slices that are refused.
    """
    # To ask takes as long as to send a small volume: what is true of one is taken for the others.
    is_small = _goes_together(image)
    files = Files(connection, asks=crew.asks or not is_small)
    meta: dict[str, Any] = {}
    named: dict[SliceKey, str] = {}

    def send(encoded: _Encoded) -> int:
        meta.update(encoded.meta)
        own = encoded.places == [WHOLE]  # with this run's comment: nobody has sent it
        named.update(zip(encoded.places, files.send(encoded.files, are_new=own), strict=True))
        return _share(image, encoded.places)

    with closing(_encoded(crew, image, comment)) as batches:
        sends = together(batches, lambda one: crew.senders.submit(send, one), width=SENT_AHEAD)
        with closing(sends):
            for share in sends:
                landed(share)
    if is_small:
        crew.asks &= files.asks
    whole = named.pop(WHOLE)
    slices = [
        {"hash": name, "sliceIndex": index, "normal": _NORMALS[axis]}
        for (axis, index), name in sorted(named.items())
    ]
    return Sent({"hash": whole, "meta": meta}, slices)


def add_volume(
    reader: InstanceReader,
    crew: Encoders,
    dataset_id: int,
    name: str,
    sent: Sent,
    note: Note,
) -> int:
    """Make a volume of its files, with its slices; return its id.

    A volume whose slices cannot be known to be complete is removed and made again: the instance
    does not say which slices it has. ``note`` is told its id at once, and when it is whole.

    Raises TargetError if it would have to be made again, and others have drawn on it meanwhile.
    """
    at_once = SLICES_AT_ONCE
    for _ in range(TRIES):
        number = _made(reader.connection, dataset_id, {"name": name, **sent.entry})
        note({VOLUME: number, SLICES: False})
        try:
            _add_slices(reader.connection, crew, number, sent.slices, at_once)
        except AnswerLost:
            remove_bare(reader, dataset_id, number, name)
            at_once = SLICES_OF_SDK  # it may have taken too long
        else:
            note({SLICES: True})
            return number
    raise TargetError(
        f"the slices of {name!r} cannot be sent: answers are lost each time",
        path=reader.connection.address,
        remedy="Check the network; the same call goes on where this one ended.",
    )


VOLUME, SLICES = "volume", "slices"
"""In a journal: the id of the volume that a run made, and whether it has all of its slices."""


SliceKey = tuple[int, int]
"""Which file: the axis (0 to 2) and the index (from 0) of a slice."""

WHOLE: SliceKey = (-1, -1)
"""The file of the volume itself."""


class _Encoded(NamedTuple):
    """Files that are sent together, in pieces; with the volume's own, its meta."""

    places: list[SliceKey]
    files: list[list[memoryview]]
    meta: dict[str, Any]


def _encoded(crew: Encoders, image: ImageFile, comment: str) -> Generator[_Encoded]:
    """Yield the files of a volume and of its slices as they are encoded."""
    with crew.room.taken(image.nbytes):
        yield from _encoded_by(crew.encoders(image.nbytes), image, comment)
    give_back()


def _encoded_by(pool: ThreadPoolExecutor, image: ImageFile, comment: str) -> Iterator[_Encoded]:
    opened = pool.submit(open_volume, image).result()

    def encode(places: list[SliceKey]) -> _Encoded:
        shelf = PageBuffer()
        files: list[list[memoryview]] = []
        meta: dict[str, Any] = {}
        for axis, group in groupby(places, key=lambda place: place[0]):
            if axis == WHOLE[0]:
                whole = VolumeFile(opened, comment)
                files.append([shelf.keep(piece) for piece in whole])
                meta = whole.meta
            else:
                pages = opened.pages(axis, *_range_of(group))
                files += [[shelf.keep(page_bytes(page))] for page in pages]
        return _Encoded(places, files, meta)

    # The volume's own file takes longest, and begins first; what is ready goes on its way.
    yield from together(_batches(image), lambda places: pool.submit(encode, places), width=ENCODERS)


def _batches(image: ImageFile) -> list[list[SliceKey]]:
    """Return which files of a volume go together."""
    i, j, k = image.grid.to_ras().shape
    slices = [(axis, at) for axis, size in enumerate((i, j, k)) for at in range(size)]
    if _goes_together(image):
        return [[WHOLE, *slices]]
    mean = 3 * voxel_bytes(image) // len(slices)
    return [[WHOLE], *batched(slices, max(FILES_AT_ONCE, FILE_BYTES_AT_ONCE // mean))]


def _goes_together(image: ImageFile) -> bool:
    """Say whether the files of a volume and of the slices of its three planes go at once."""
    return 4 * voxel_bytes(image) <= FILE_BYTES_AT_ONCE


def _share(image: ImageFile, places: Sequence[SliceKey]) -> int:
    """Return how much of a volume's bytes some of its files are: it goes whole, and in 3 planes."""
    sides = image.grid.to_ras().shape
    parts = (1.0 if axis == WHOLE[0] else 1 / sides[axis] for axis, _ in places)
    return round(sum(parts) / 4 * voxel_bytes(image))


def _range_of(places: Iterable[SliceKey]) -> tuple[int, int]:
    """Return the first index of places that follow each other, and the one behind the last."""
    indices = [index for _, index in places]
    return indices[0], indices[-1] + 1


def _made(connection: Connection, dataset_id: int, entry: dict[str, Any]) -> int:
    """Make a volume of a file that is there, and return its id.

    Where the answer is lost, it is known again by its file, which no other run has: others may
    have made one of the same name.
    """
    data = {"datasetId": dataset_id, "volumes": [entry]}

    def ask() -> list[int]:
        ours = entry["name"], entry["hash"]
        rows = _rows(connection, dataset_id)
        return [int(row["id"]) for row in rows if (row.get("name"), row.get("hash")) == ours]

    try:
        return once(connection, "volumes.bulk.add", data, ask, expected=1)[0]
    except Refused:
        rows = _rows(connection, dataset_id)
        if any(row.get("name") == entry["name"] for row in rows):  # somebody was quicker
            raise name_taken("the dataset", entry["name"], connection.address) from None
        raise


def _rows(connection: Connection, dataset_id: int) -> list[dict[str, Any]]:
    return connection.entities("volumes.list", {"datasetId": dataset_id})


def _add_slices(
    connection: Connection,
    crew: Encoders,
    volume_id: int,
    slices: Sequence[dict[str, Any]],
    at_once: int,
) -> None:
    """Give a volume its slices, whose files are there."""

    def add(batch: list[dict[str, Any]]) -> None:
        data = {"volumeId": volume_id, "volumeSlices": batch}
        try:
            connection.post("volumes.slices.bulk.add", data, repeatable=False)
        except Refused:
            if len(batch) <= SLICES_OF_SDK:
                raise
            for some in batched(batch, SLICES_OF_SDK):  # so many the SDK sends: that must do
                add(some)

    for _ in ahead(crew.senders, add, batched(slices, at_once), SENT_AHEAD):
        pass


def remove_bare(reader: InstanceReader, dataset_id: int, volume_id: int, name: str) -> None:
    """Remove a volume that an upload has made and not finished, if nothing is on it.

    Raises TargetError if something is on it, which is not of that upload.
    """
    connection = reader.connection

    def look() -> None:
        if not reader.is_bare(volume_id):
            raise half_made(connection, volume_id, name)

    def ask() -> list[int]:
        return [int(row["id"]) for row in _rows(connection, dataset_id)]

    method = "images.bulk.remove"
    remove(connection, method, [volume_id], lambda ids: {"imageIds": ids}, ask, look)


def half_made(
    connection: Connection, volume_id: int, name: str, *, mended: bool = False
) -> TargetError:
    """Return the error for a volume that has to be made anew, and on which there is something.

    ``mended`` says that its file holds something else by now; else some of its slices are missing.
    """
    said = f"the volume {name!r} was left without some of its slices, and others have drawn on it"
    if mended:
        said = f"the file of the volume {name!r} was mended since it landed, and objects are on it"
    return TargetError(
        said,
        path=connection.address,
        found=f"volume {volume_id}, with objects or tags",
        expected="a volume that can be removed and made anew",
        remedy=f"Save what people drew (download the volume), remove volume {volume_id} on the "
        "platform, then make the same call again.",
    )
