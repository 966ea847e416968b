"""Encoding: the file of a volume with its meta, the files of masks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.parallel import T, bounded
from nifti_kit.formats.labels import Label, LabelParts, common_box
from nifti_kit.formats.nrrd import volume_pieces
from nifti_kit.formats.volumes import RasVolume, mask_bytes
from nifti_kit.targets import annotation as ann
from nifti_kit.targets.records import PlannedObject


class VolumeFile:
    """A volume's NRRD file in pieces, in RAS+ order; each voxel is read once.

    Its meta, with the range of finite values, is there when all pieces were taken. ``comment`` is a
    line for its header. ``taken`` counts the bytes of voxels that were read.
    """

    def __init__(self, opened: RasVolume, comment: str = "") -> None:
        self._opened, self._comment = opened, comment
        self._lowest, self._highest = math.inf, -math.inf
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        opened = self._opened
        return volume_pieces(opened.grid, opened.dtype, self._measured(), self._comment)

    @property
    def meta(self) -> dict[str, Any]:
        """The volume's meta as the SDK computes it; 0 to 0 where no voxel has a finite value."""
        known = self._lowest <= self._highest
        ends = (self._lowest, self._highest) if known else (0.0, 0.0)
        return ann.volume_meta(self._opened.grid, *ends)

    def _measured(self) -> Iterator[npt.NDArray[Any]]:
        for piece in self._opened.slices():
            finite = piece[np.isfinite(piece)] if piece.dtype.kind == "f" else piece
            if finite.size:
                self._lowest = min(self._lowest, float(finite.min()))
                self._highest = max(self._highest, float(finite.max()))
            self.taken += piece.nbytes
            yield piece


# The files of the masks that a label map holds


SOURCES, SOURCE_BYTES = 100, 2**25
"""Of the label maps in memory: 32 MB, or one that is larger."""


class MaskFiles:
    """The NRRD files of objects of one label map, within their boxes.

    It is read once, when the first is asked for, whichever thread asks.
    """

    def __init__(self, objects: Sequence[PlannedObject]) -> None:
        self._image = objects[0].mask.image
        self._labels = [planned.label for planned in objects]
        self._lock = Lock()
        self._parts: LabelParts | None = None

    def __len__(self) -> int:
        """The bytes that their voxels take in memory at most."""
        return largest_size(self._labels)

    def file_of(self, planned: PlannedObject) -> bytes:
        """Return the file of one of the objects; see ``formats.volumes.mask_bytes``.

        Raises as :func:`nifti_kit.formats.labels.survey_labels`.
        """
        with self._lock:
            if self._parts is None:
                self._parts = LabelParts(self._image, self._labels)
        part = self._parts[planned.label]
        grid, label, cutout = planned.mask.grid, planned.label, planned.cutout
        return mask_bytes(part, grid, label, planned.orientation, cutout)


def largest_size(labels: Iterable[Label]) -> int:
    """Return the bytes that ``LabelParts`` of some labels take at most."""
    box = common_box(label.box for label in labels)
    voxels = math.prod(side.stop - side.start for side in box)
    return int(voxels) * np.dtype(np.uint16).itemsize


def mask_batches(
    pairs: Iterable[tuple[T, PlannedObject]],
) -> Iterator[list[tuple[T, PlannedObject, MaskFiles]]]:
    """Yield pairs in their order with what encodes them: those that can be worked on side by side.

    Once all of a batch are encoded and the next one is taken, its label maps can go.
    """
    groups = ((group, MaskFiles([planned for _, planned in group])) for group in by_source(pairs))
    for batch in bounded(groups, count=SOURCES, size=SOURCE_BYTES):
        yield [(key, planned, files) for group, files in batch for key, planned in group]


def by_source(pairs: Iterable[tuple[T, PlannedObject]]) -> Iterator[list[tuple[T, PlannedObject]]]:
    """Yield pairs in their order, those that follow each other and are of one mask file at once."""
    for _, group in groupby(pairs, key=lambda pair: pair[1].mask):
        yield list(group)
