"""Samples: evenly spread voxels of an image, and its grey values, of one reading of its file."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import Grid
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.surveys import read_volume
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.labels import label_frames
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.render.position import finite_sample

MOST_ALONG = 192
"""Samples along an axis: as many as the pixels of a small picture; 14 MB of a CT."""

PERCENTILES = (1, 50, 99)
"""Single hot or dead voxels are in none of them."""


@dataclass(frozen=True)
class Greys:
    """The values of a volume, scaling included (for a CT: Hounsfield units).

    ``lowest``, ``highest``: of all voxels that have a number.
    """

    lowest: float
    # The percentiles 1, 50 and 99 of evenly spread voxels.
    low: float
    middle: float
    high: float
    highest: float
    undefined: int  # how many voxels are NaN or infinite


@dataclass(frozen=True, eq=False)
class Sample:
    """Evenly spread voxels of an image."""

    # (i, j, k) in file order: every so many voxels along each axis, from the first one on.
    voxels: npt.NDArray[Any]
    grid: Grid  # where they are (RAS+ mm)


class Sampling:
    """Takes every so many voxels out of blocks (i, j, n) that come in the order of k."""

    def __init__(self, grid: Grid, dtype: npt.DTypeLike) -> None:
        self._grid = grid
        self._steps = [max(1, math.ceil(size / MOST_ALONG)) for size in grid.shape]
        sizes = zip(grid.shape, self._steps, strict=True)
        self._voxels = np.zeros([math.ceil(n / step) for n, step in sizes], dtype, order="F")
        self._frames = 0

    def add(self, block: npt.NDArray[Any]) -> None:
        """Take the next block."""
        i, j, k = self._steps
        part = block[::i, ::j, -self._frames % k :: k]
        first = math.ceil(self._frames / k)
        self._voxels[:, :, first : first + part.shape[2]] = part
        self._frames += block.shape[2]

    def result(self) -> Sample:
        """Return what was taken."""
        affine = self._grid.affine.copy()
        affine[:3, :3] *= self._steps
        i, j, k = self._voxels.shape
        return Sample(self._voxels, Grid((i, j, k), affine))


class _Range:
    """The lowest and highest stored number of blocks, and how many are none."""

    def __init__(self) -> None:
        self.lowest, self.highest, self.undefined = math.inf, -math.inf, 0

    def add(self, block: npt.NDArray[Any]) -> None:
        if block.dtype.kind == "f":
            finite = np.isfinite(block)
            self.undefined += block.size - int(np.count_nonzero(finite))
            block = block if finite.all() else block[finite]
        if block.size:
            self.lowest = min(self.lowest, float(block.min()))
            self.highest = max(self.highest, float(block.max()))


def sample_volume(dataset: Dataset, image: ImageFile) -> tuple[Greys | None, Sample] | None:
    """Return the grey values of a volume and a sample of it; None where it cannot be read.

    The file is read once, to its end; that is remembered for checks and plans. There are no grey
    values where no voxel has a number.
    """
    found, taken = _Range(), Sampling(image.grid, image.dtype.newbyteorder("="))

    def take(block: npt.NDArray[Any]) -> None:
        found.add(block)
        taken.add(block)

    if read_volume(dataset, image, take) is not None:
        return None
    sample = taken.result()
    if image.is_scaled:
        values = sample.voxels.astype(np.float64) * image.slope + image.intercept
        sample = replace(sample, voxels=values)
    return _greys(found, sample, image), sample


def greys_of(dataset: Dataset, image: ImageFile) -> Greys | None:
    """Return the grey values of a volume as :func:`sample_volume`; the sample is not kept."""
    seen = sample_volume(dataset, image)
    return None if seen is None else seen[0]


def _greys(found: _Range, sample: Sample, image: ImageFile) -> Greys | None:
    values = finite_sample(sample.voxels)
    if not values.size:
        return None
    ends = [end * image.slope + image.intercept for end in (found.lowest, found.highest)]
    low, middle, high = (float(value) for value in np.percentile(values, PERCENTILES))
    return Greys(min(ends), low, middle, high, max(ends), found.undefined)


def sample_labels(image: ImageFile) -> Sample | None:
    """Return a sample of a label map; None where it cannot be used."""
    taken = Sampling(image.grid, np.uint16)
    try:
        for block in label_frames(image).blocks():
            taken.add(block)
    except NiftiKitError:  # the finding of the same file says why
        return None
    return taken.result()
