"""Reading: label maps, each unpacked once for its survey and for its drawing."""

from __future__ import annotations

import math
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.memory import mapped_array
from nifti_kit.core.parallel import ahead, going_on
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.surveys import fingerprint_of
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.labels import Box, Label, LabelMap, LabelSurvey, common_box, label_frames
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.widgets.parts.tasks import Cancelled

Stamp = tuple[object, ...]
"""What a file was when it was read: another stamp, another file. Its voxels are not looked at."""

SURVEYED = "labels", "fingerprint"
"""What a dataset remembers of a label map: keys of its memory are (one of these, image)."""

NOWHERE: Box = (slice(0, 0), slice(0, 0), slice(0, 0))


def stamp_of(image: ImageFile) -> Stamp | None:
    """Return what an image's file and its header are now; None where the file is gone."""
    header = (image.grid, image.dtype.str, image.slope, image.intercept, image.offset)
    if image.content is not None:
        return (image.content, *header)
    try:
        found = image.path.stat()
    except OSError:
        return None
    file = (image.path.absolute(), found.st_ino, found.st_size, found.st_mtime_ns)
    return (*file, *header)


@dataclass(eq=False)
class KeptLabels:
    """The voxels of a label map that was read, all or within the box that holds its labels.

    They are (i, j, k); those of one value are bits, along i first; None once they were taken.
    """

    survey: LabelSurvey
    box: Box
    shape: tuple[int, int, int]
    voxels: npt.NDArray[Any] | None
    is_bits: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether all of the map is there."""
        return self.voxels is not None and self.voxels.shape == self.shape

    def taken(self, box: Box) -> npt.NDArray[Any] | None:
        """Return the voxels of a box, as an array of the caller's own; None where they are gone."""
        if self.voxels is None:
            return None
        voxels = self.voxels
        if self.is_bits:
            sizes = [side.stop - side.start for side in self.box]
            bits = np.unpackbits(voxels, count=math.prod(sizes))
            voxels = bits.reshape(sizes, order="F") * self._value
        else:
            self.voxels = None
        i, j, k = (
            slice(side.start - around.start, side.stop - around.start)
            for side, around in zip(box, self.box, strict=True)
        )
        return voxels[i, j, k]

    @property
    def _value(self) -> np.integer[Any]:
        value = self.survey.values[0]
        return np.uint8(value) if value <= np.iinfo(np.uint8).max else np.uint16(value)


def read_masks(
    dataset: Dataset, images: Iterable[ImageFile], width: int
) -> dict[ImageFile, KeptLabels]:
    """Return the voxels of label maps that a dataset has no survey of; it has one afterwards.

    ``width`` of them are read side by side. What is kept of several takes no more memory than the
    largest of them has voxels; the rest is read again. A map that cannot be read is not among
    them: its survey says why; nor one whose reading is cancelled: it has no survey.
    """
    fresh = [image for image in dict.fromkeys(images) if not is_surveyed(dataset, image)]
    room = max((math.prod(image.shape) for image in fresh), default=0)
    read = partial(_surveyed, dataset, is_alone=len(fresh) == 1)
    kept: dict[ImageFile, KeptLabels] = {}
    with ThreadPoolExecutor(width) as pool:
        for image, found in zip(fresh, ahead(pool, read, fresh, width), strict=True):
            if found is None or found.voxels is None:
                continue
            if len(fresh) == 1 or found.voxels.nbytes <= room:
                room -= found.voxels.nbytes
                kept[image] = found
    return kept


def is_surveyed(dataset: Dataset, image: ImageFile) -> bool:
    """Say whether a dataset knows what labels a map has, or why it cannot be read."""
    return (SURVEYED[0], image) in dataset.memory


def _surveyed(dataset: Dataset, image: ImageFile, *, is_alone: bool) -> KeptLabels | None:
    try:
        going_on(image.relative)
        fingerprint_of(dataset, image)
        found = read_kept(image, is_alone=is_alone)
    except Cancelled:
        return None
    except NiftiKitError as fault:
        # Without its traceback, which would hold the buffers of the reading.
        dataset.memory[SURVEYED[0], image] = (None, fault.with_traceback(None))
        return None
    dataset.memory[SURVEYED[0], image] = (found.survey, None)
    return found


def read_kept(image: ImageFile, *, is_alone: bool = True) -> KeptLabels:
    """Return a label map's survey and voxels, from one reading.

    One that is alone, and fills half of its grid or more, is kept whole: it can be drawn in its
    own place. Raises as :func:`nifti_kit.formats.labels.survey_labels`.
    """
    frames = label_frames(image)
    # Pages without a label are never written, so that they take no memory.
    whole, boxes, done = mapped_array(image.shape, np.uint8), [], 0
    for block in frames.blocks():
        if block.max(initial=0):
            box = _box_of(block, done)
            if block.dtype == np.uint16 and whole.dtype == np.uint8:
                whole = whole.astype(np.uint16, order="F")
            i, j, k = box
            whole[box] = block[i, j, k.start - done : k.stop - done]
            boxes.append(box)
        done += block.shape[2]
    around = common_box(boxes) if boxes else NOWHERE
    inside = whole[around]
    found = LabelMap(inside, frames.rounded, image.is_scaled, frames.off).survey
    labels = tuple(_moved(label, around) for label in found.labels)
    return _kept(whole, around, replace(found, labels=labels), is_alone=is_alone)


def _box_of(block: npt.NDArray[Any], first: int) -> Box:
    """Return whole frames' rows and columns that have labels; ``first`` is the first frame."""
    across = block[:, :, 0] if block.shape[2] == 1 else block.max(axis=2)
    rows, columns = (np.flatnonzero(across.max(axis=axis)) for axis in (1, 0))
    return (
        slice(int(rows[0]), int(rows[-1]) + 1),
        slice(int(columns[0]), int(columns[-1]) + 1),
        slice(first, first + block.shape[2]),
    )


def _moved(label: Label, box: Box) -> Label:
    i, j, k = (
        slice(side.start + around.start, side.stop + around.start)
        for side, around in zip(label.box, box, strict=True)
    )
    return Label(label.value, label.voxels, (i, j, k))


def _kept(whole: npt.NDArray[Any], box: Box, survey: LabelSurvey, *, is_alone: bool) -> KeptLabels:
    i, j, k = whole.shape
    shape, inside = (i, j, k), whole[box]
    if is_alone and 2 * inside.size >= whole.size:
        return KeptLabels(survey, (slice(0, i), slice(0, j), slice(0, k)), shape, whole)
    if len(survey.labels) == 1:
        bits = np.packbits((inside != 0).ravel(order="F"))
        return KeptLabels(survey, box, shape, bits, is_bits=True)
    voxels = mapped_array(inside.shape, whole.dtype)
    voxels[...] = inside
    return KeptLabels(survey, box, shape, voxels)
