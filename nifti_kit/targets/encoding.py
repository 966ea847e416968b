"""The file of a volume, with its meta."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.formats.nrrd import volume_pieces
from nifti_kit.formats.volumes import RasVolume
from nifti_kit.targets import annotation as ann

__all__ = ["VolumeFile"]


class VolumeFile:
    """A volume's NRRD file in pieces, in RAS+ order; each voxel is read once.

    Its meta, with the range of finite values, is there when all pieces were taken.
    """

    def __init__(self, opened: RasVolume) -> None:
        self._opened = opened
        self._lowest, self._highest = math.inf, -math.inf

    def __iter__(self) -> Iterator[bytes]:
        return volume_pieces(self._opened.grid, self._opened.dtype, self._measured())

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
