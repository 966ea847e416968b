"""Encoding: the file of a volume with its meta, the files of masks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.parallel import T
from nifti_kit.formats.labels import LabelParts
from nifti_kit.formats.nrrd import volume_pieces
from nifti_kit.formats.volumes import RasVolume, mask_bytes
from nifti_kit.targets import annotation as ann
from nifti_kit.targets.records import PlannedObject


class VolumeFile:
    """A volume's NRRD file in pieces, in RAS+ order; each voxel is read once.

    Its meta, with the range of finite values, is there when all pieces were taken. ``comment`` is a
    line for its header.
    """

    def __init__(self, opened: RasVolume, comment: str = "") -> None:
        self._opened, self._comment = opened, comment
        self._lowest, self._highest = math.inf, -math.inf

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
            yield piece


# The files of the masks that a label map holds


class MaskFiles:
    """The NRRD files of objects of one label map, which is read once, within their boxes.

    Raises as :func:`nifti_kit.formats.labels.survey_labels`.
    """

    def __init__(self, objects: Sequence[PlannedObject]) -> None:
        self._parts = LabelParts(objects[0].mask.image, [planned.label for planned in objects])

    def file_of(self, planned: PlannedObject) -> bytes:
        """Return the file of one of the objects; see ``formats.volumes.mask_bytes``."""
        part = self._parts[planned.label]
        grid, label, cutout = planned.mask.grid, planned.label, planned.cutout
        return mask_bytes(part, grid, label, planned.orientation, cutout)


def by_source(pairs: Iterable[tuple[T, PlannedObject]]) -> Iterator[list[tuple[T, PlannedObject]]]:
    """Yield pairs in their order, those that follow each other and are of one mask file at once."""
    for _, group in groupby(pairs, key=lambda pair: pair[1].mask):
        yield list(group)
