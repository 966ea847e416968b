"""What is read back of an instance, and comes before somebody looks at it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock

from nifti_kit.core.parallel import batched
from nifti_kit.targets.instance.client import Refused
from nifti_kit.targets.instance.crew import VOXEL_BYTES
from nifti_kit.targets.instance.reading import InstanceReader
from nifti_kit.targets.records import ObjectRef
from nifti_kit.targets.target import ReadBack

AHEAD = 3
"""Small volumes that are on their way while one is looked at. A large one comes when its turn has
come: not to wait for answers saves little there, and its file is in memory until it is on disk."""

GEOMETRIES_AT_ONCE = 50
"""Of one request, as the SDK has it; while they are looked at, so many more come."""

FETCHERS = 8
"""Requests under way at a time."""

COMMON_VOXEL_BYTES = 2
"""What a voxel of a volume takes as a rule (int16)."""


@dataclass
class _Coming:
    """What of a volume is on its way, or has come and was not taken yet."""

    volume: Future[bytes] | None
    objects: Future[tuple[ObjectRef, ...]] | None
    masks: dict[int, Future[dict[int, bytes]]] = field(default_factory=dict)
    """Geometries, by the batch that they are of."""


class Fetched:
    """Volumes, their objects and masks, fetched in the order in which they will be asked for.

    What was asked for and given is not kept. What is not there, because it came in another order or
    is asked for once more, is fetched then: nothing depends on the order but the time. Of each
    volume there are three requests, and one for fifty masks.

    ``items``: what will be asked for, volume by volume.
    """

    def __init__(self, reader: InstanceReader, items: Sequence[ReadBack]) -> None:
        self._reader, self._items = reader, items
        self._pool = ThreadPoolExecutor(FETCHERS)
        self._coming: dict[int, _Coming] = {}
        self._begun = 0
        self._lock = Lock()
        self._places = {item.volume.id: at for at, item in reversed([*enumerate(items)])}
        self._batches = [
            list(
                batched([ref.figure_id for ref in item.masks if ref.figure_id], GEOMETRIES_AT_ONCE)
            )
            for item in items
        ]
        self._batch_of = {
            figure: (at, number)
            for at, batches in enumerate(self._batches)
            for number, batch in enumerate(batches)
            for figure in batch
        }

    def close(self) -> None:
        """Ask for nothing more, and wait for what is under way."""
        self._pool.shutdown(cancel_futures=True)

    def volume_file(self, volume_id: int) -> bytes:
        """Return the file of a volume."""
        with self._lock:
            coming = self._at(self._places.get(volume_id))
            future, coming.volume = coming.volume, None
        return self._reader.volume_file(volume_id) if future is None else future.result()

    def objects(self, volume_id: int) -> tuple[ObjectRef, ...]:
        """Return the objects of a volume."""
        with self._lock:
            coming = self._at(self._places.get(volume_id))
            future, coming.objects = coming.objects, None
        return self._reader.objects(volume_id) if future is None else future.result()

    def mask_of(self, figure_id: int) -> bytes | None:
        """Return the geometry of a figure, or None where it has none."""
        at, number = self._batch_of.get(figure_id, (None, 0))
        with self._lock:
            coming = self._at(at)
            if at is not None:
                self._ask_for_masks(coming, at, number + 1)
            future = coming.masks.get(number)
        content = None if future is None else future.result().pop(figure_id, None)
        return self._reader.mask_of(figure_id) if content is None else content

    def _at(self, at: int | None) -> _Coming:
        """Return what is on its way of an item, and begin with it and those that follow it."""
        if at is None:
            return _Coming(None, None)
        while self._begun < len(self._items) and self._may_begin(self._begun, at):
            self._coming[self._begun] = self._begin(self._begun)
            self._begun += 1
        for old in [one for one in self._coming if one < at - AHEAD]:
            del self._coming[old]
        return self._coming.get(at) or _Coming(None, None)

    def _may_begin(self, number: int, at: int) -> bool:
        """Say whether to begin with an item while another one is looked at."""
        voxels = math.prod(self._items[number].volume.grid.shape)
        is_small = voxels * COMMON_VOXEL_BYTES <= VOXEL_BYTES
        return number <= at or (is_small and number <= at + AHEAD)

    def _begin(self, at: int) -> _Coming:
        item, submit = self._items[at], self._pool.submit
        number = item.volume.id
        coming = _Coming(
            submit(self._reader.volume_file, number) if item.has_voxels else None,
            submit(self._reader.objects, number),
        )
        self._ask_for_masks(coming, at, 0)
        return coming

    def _ask_for_masks(self, coming: _Coming, at: int, number: int) -> None:
        """Have a batch of masks come; those that were looked at before the last one can go."""
        if number < len(self._batches[at]) and number not in coming.masks:
            batch = self._batches[at][number]
            coming.masks[number] = self._pool.submit(self._masks_of, batch)
            coming.masks.pop(number - 3, None)

    def _masks_of(self, figure_ids: list[int]) -> dict[int, bytes]:
        """Return geometries; none where one of them is refused: each is asked for by itself."""
        try:
            return self._reader.masks_of(figure_ids)
        except Refused:
            return {}
