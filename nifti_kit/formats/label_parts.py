"""Some labels of a label map, read within the box around them all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.formats.labels import MAX_LABEL, Box, Label, read_box
from nifti_kit.formats.nifti import ImageFile

__all__ = ["LabelParts", "common_box"]


class LabelParts:
    """The voxels around each of some labels of one file, which is read once, to its end.

    Parameters
    ----------
    image
        The file.
    labels
        Labels of it, as surveyed; at least one.
    counted
        Whether the voxels that have the labels' values are counted anew, over the whole file.

    Attributes
    ----------
    counts
        By value, how many voxels of the whole file have it; empty where they are not counted.

    Raises as :func:`nifti_kit.formats.labels.survey_labels`.
    """

    def __init__(self, image: ImageFile, labels: Sequence[Label], *, counted: bool = False) -> None:
        counts = np.zeros(MAX_LABEL + 1, dtype=np.int64) if counted else None
        self._box = common_box(label.box for label in labels)
        self._voxels = read_box(image, self._box, counts)
        self.counts: dict[int, int] = {}
        if counts is not None:
            self.counts = {label.value: int(counts[label.value]) for label in labels}

    def __getitem__(self, label: Label) -> npt.NDArray[Any]:
        """Return the voxels in a label's box, of all labels, (i, j, k) in file order."""
        i, j, k = (
            slice(side.start - around.start, side.stop - around.start)
            for side, around in zip(label.box, self._box, strict=True)
        )
        return self._voxels[i, j, k]


def common_box(boxes: Iterable[Box]) -> Box:
    """Return the smallest box that holds all of some boxes; there is at least one."""
    i, j, k = (
        slice(min(side.start for side in sides), max(side.stop for side in sides))
        for sides in zip(*boxes, strict=True)
    )
    return i, j, k
