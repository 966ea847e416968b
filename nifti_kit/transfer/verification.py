"""Verification: read back what landed, and compare it with the source files in world space.

The comparison goes through the affines, not through the reordering that made the files: for each
landed image the whole-voxel map to its source is worked out anew from both headers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import groupby
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import Cutout, Grid, Placement, placed_on
from nifti_kit.core.parallel import ahead, bounded, with_progress
from nifti_kit.errors import NiftiKitError, of_kind
from nifti_kit.formats.labels import Box, LabelParts, common_box
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.formats.volumes import open_volume
from nifti_kit.targets.records import ObjectRef, ScoreChange
from nifti_kit.targets.target import Target, a_target
from nifti_kit.transfer.proof import Proof, ProofRow
from nifti_kit.transfer.receipt import LandedItem, LandedObject, Receipt

AT_A_TIME = 4
"""Masks that are read back side by side."""

SOURCES, SOURCE_BYTES = 100, 2**25
"""Of the source label maps in memory: 32 MB, or one that is larger."""


def verify(
    receipt: Receipt,
    target: Any,
    *,
    on_item: Callable[[int, LandedItem], Any] | None = None,
) -> Proof:
    """Return the comparison of what is on the target with the source files, voxel by voxel.

    Volumes and masks are read back slice by slice, several masks side by side. Of the source, one
    volume is in memory at a time, or 32 MB of label maps (one, where it is larger). What cannot be
    read, or is missing, is a row with a problem.

    Parameters
    ----------
    receipt
        What :func:`nifti_kit.upload` returned.
    target
        Where it landed.
    on_item
        Called with the place (from 0) of each item and the item before it is read back; what it
        raises ends the work. A bar by default.

    Raises
    ------
    WrongArgument
        If ``receipt`` is no receipt, or ``target`` no target.
    """
    of_kind(receipt, Receipt, "nk.upload(...)")
    a_target(target)
    verifier = _Verifier(target)
    items = with_progress(receipt.items, on_item, "Verifying", "volume")
    rows = tuple(row for item in items for row in verifier.item(item))
    return Proof(rows, receipt.left_out)


class _Source:
    """The labels of some objects of one file, read anew when they are first asked for.

    They are read once, whichever thread asks.
    """

    def __init__(self, objects: Sequence[LandedObject]) -> None:
        self._image = objects[0].planned.mask.image
        self._labels = [landed.planned.label for landed in objects]
        self._lock = Lock()
        self._parts: LabelParts | NiftiKitError | None = None

    def __len__(self) -> int:
        """The bytes that their voxels take at most."""
        box = common_box(label.box for label in self._labels)
        voxels = math.prod(side.stop - side.start for side in box)
        return int(voxels) * np.dtype(np.uint16).itemsize

    def parts(self) -> LabelParts:
        """Return their voxels, and how many the whole file has of each.

        Raises
        ------
        NiftiKitError
            If the file cannot be read any more.
        """
        with self._lock:
            if self._parts is None:
                try:
                    self._parts = LabelParts(self._image, self._labels, counted=True)
                except NiftiKitError as error:
                    self._parts = error.with_traceback(None)
        if isinstance(self._parts, NiftiKitError):
            raise self._parts
        return self._parts


class _Verifier:
    def __init__(self, target: Target) -> None:
        self.target = target
        self.colors = {found.name: found.color for found in target.classes()}

    def item(self, item: LandedItem) -> Iterator[ProofRow]:
        if item.planned.volume is not None:
            yield self._volume(item)
        there: dict[tuple[str, str], ObjectRef] = {}
        problem = "it is not on the target"
        try:
            there = {(o.key, o.figure_key): o for o in self.target.objects(item.volume.id)}
        except NiftiKitError as error:
            problem = str(error)
        yield from self._objects(item, there, problem)
        for change in item.updates:
            known = there.get((change.ref.key, change.ref.figure_key))
            yield _update_row(item, change, known, problem)

    def _objects(
        self, item: LandedItem, there: Mapping[tuple[str, str], ObjectRef], problem: str
    ) -> Iterator[ProofRow]:
        """Yield the rows of an item's objects; several are read back side by side."""

        def row(pair: tuple[LandedObject, _Source]) -> ProofRow:
            landed, source = pair
            found = there.get((landed.ref.key, landed.ref.figure_key))
            if found is None:
                return _object_row(item, landed, problem)
            try:
                return self._object(item, landed, found, source)
            except NiftiKitError as error:
                return _object_row(item, landed, str(error))

        groups = groupby(item.objects, key=lambda landed: landed.planned.mask)
        sources = ((found, _Source(found)) for found in (list(group) for _, group in groups))
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            for batch in bounded(sources, count=SOURCES, size=SOURCE_BYTES):
                pairs = ((landed, source) for found, source in batch for landed in found)
                yield from ahead(pool, row, pairs, AT_A_TIME)

    def _volume(self, item: LandedItem) -> ProofRow:
        assert item.planned.volume is not None
        facts: tuple[int, int, float] = (0, 0, float("inf"))
        problem = ""
        try:
            facts = self._compare_volume(item.planned.volume, item.volume.id)
        except NiftiKitError as error:
            problem = str(error)
        name, source = item.volume.name, str(item.planned.volume.relative)
        return ProofRow("volume", name, "", None, source, *facts, True, True, problem)

    def _compare_volume(self, image: ImageFile, volume_id: int) -> tuple[int, int, float]:
        landed = self.target.volume_grid(volume_id)
        source = open_volume(image)
        place = _place(source.grid, landed, landed.shape)
        if place is None or place.shape != landed.shape:
            return 0, 0, float("inf")
        ordered = place.orientation.apply(source.array())
        pages = self.target.iter_volume(volume_id)
        compared, differing = _differences(ordered, pages)
        return compared, differing, place.mm

    def _object(
        self, item: LandedItem, landed: LandedObject, found: ObjectRef, source: _Source
    ) -> ProofRow:
        planned = landed.planned
        grid = planned.mask.grid
        place = _place(grid, self.target.mask_grid(found), planned.grid.shape)
        compared = differing = 0
        if place is not None:
            parts = source.parts()
            compared = math.prod(grid.shape)
            box = place.orientation.apply_box(planned.label.box, grid.shape)
            differing = _mask_differences(
                place.orientation.apply(parts[planned.label] == planned.value),
                self.target.iter_mask(found),
                Cutout(planned.grid.shape, place.first).moved(box),
                parts.counts[planned.value],
            )
        color = self.colors.get(planned.class_name)
        class_ok = found.class_name == planned.class_name and color is not None
        return replace(
            _object_row(item, landed),
            compared=compared,
            differing=differing,
            displacement_mm=float("inf") if place is None else place.mm,
            class_ok=class_ok and (color == planned.color or not planned.color_is_given),
            scores_ok=found.scores == planned.scores,
        )


def _object_row(item: LandedItem, landed: LandedObject, problem: str = "") -> ProofRow:
    """Return the row of an object of which nothing is compared yet."""
    planned = landed.planned
    return ProofRow(
        "object",
        item.volume.name,
        planned.class_name,
        planned.value,
        str(planned.mask.relative),
        problem=problem,
    )


def _update_row(
    item: LandedItem, change: ScoreChange, found: ObjectRef | None, problem: str
) -> ProofRow:
    """Return the row of the scores of a figure that was there; no voxel is compared."""
    update = change.update
    same = found is not None and found.scores.get(update.plane) == change.landed
    return ProofRow(
        "scores",
        item.volume.name,
        update.class_name,
        update.value,
        str(update.table.relative),
        displacement_mm=0.0,
        class_ok=found is not None and found.class_name == update.class_name,
        scores_ok=same,
        problem="" if found is not None else problem,
    )


def _place(source: Grid, landed: Grid, shape: tuple[int, ...]) -> Placement | None:
    """Return where the voxels of the source are in what landed, which has to have a shape."""
    place = placed_on(source, landed)
    fits = place is not None and landed.shape == shape and place.is_inside(shape)
    return place if fits else None


def _differences(source: npt.NDArray[Any], pages: Iterator[npt.NDArray[Any]]) -> tuple[int, int]:
    """Return how many voxels of a volume were compared, and how many differ."""
    differing = seen = 0
    for k, page in enumerate(pages):
        expected = source[:, :, k]
        same = page == expected
        if page.dtype.kind == "f":
            same |= np.isnan(page) & np.isnan(expected)
        differing += same.size - int(np.count_nonzero(same))
        seen += 1
    return source.size, differing + (source.shape[2] - seen) * source[:, :, 0].size


def _mask_differences(
    source: npt.NDArray[np.bool_], pages: Iterator[npt.NDArray[Any]], box: Box, total: int
) -> int:
    """Return how many voxels of a mask differ from those of a label map in a box.

    Only ``box`` is compared voxel by voxel. Outside of it every landed voxel is one too many, and
    every source voxel (``total`` is counted anew over the whole map) is one that is missing.
    """
    differing = seen = 0
    for k, page in enumerate(pages):
        landed = int(np.count_nonzero(page))
        if box[2].start <= k < box[2].stop:
            expected = source[:, :, k - box[2].start]
            inside = page[box[0], box[1]] != 0
            differing += int(np.count_nonzero(inside != expected))
            landed -= int(np.count_nonzero(inside))
            seen += int(np.count_nonzero(expected))
        differing += landed
    return differing + total - seen
