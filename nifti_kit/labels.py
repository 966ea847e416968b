"""Label maps: one pass gives every value, its voxel count and its bounding box.

The file is read frame by frame and kept as uint8 or uint16, whatever it was stored as, so that
a float64 label map of a large CT never takes more memory than two bytes a voxel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.errors import BadLabels
from nifti_kit.images import ImageFile, iter_frames, iter_scaled_frames

__all__ = ["MAX_LABEL", "Label", "LabelMap", "LabelSurvey", "read_labels", "survey_labels"]

MAX_LABEL = 65535
"""Label values above this are refused: they would be an index of 64-bit ids, not classes."""

INTEGER_TOLERANCE = 1e-3
"""A float this near to an integer is that integer with rounding: 1.0000001, 7014.9999."""

Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Label:
    """One value of a label map.

    Attributes
    ----------
    value
        The pixel value, 1 to 65535.
    voxels
        How many voxels have it.
    box
        The smallest box that holds them: a slice for each file axis.
    """

    value: int
    voxels: int
    box: Box


@dataclass(frozen=True)
class LabelSurvey:
    """What a label file holds, without its voxels.

    Attributes
    ----------
    labels
        Every value but 0, in rising order.
    rounded
        How many voxels were stored as a float next to an integer.
    scaled
        Whether ``scl_slope`` or ``scl_inter`` changed the stored numbers.
    """

    labels: tuple[Label, ...]
    rounded: int
    scaled: bool

    @property
    def values(self) -> tuple[int, ...]:
        """Every value but 0, in rising order."""
        return tuple(label.value for label in self.labels)


@dataclass(frozen=True, eq=False)
class LabelMap:
    """A label file with its voxels: (i, j, k) in file order, uint8 or uint16."""

    voxels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
    survey: LabelSurvey


def survey_labels(image: ImageFile) -> LabelSurvey:
    """Return every value of a label file, its count and box; the voxels are not kept.

    Raises
    ------
    BadLabels
        If a value is no integer from 0 to 65535.
    UnreadableFile
        If the file is damaged.
    """
    survey = _Survey(image)
    for frame in _label_frames(image, survey):
        survey.add(frame)
    return survey.result()


def read_labels(image: ImageFile) -> LabelMap:
    """Return a label file's voxels with their survey. Raises as :func:`survey_labels`."""
    survey = _Survey(image)
    voxels: npt.NDArray[Any] = np.empty(image.shape, dtype=np.uint8, order="F")
    for k, frame in enumerate(_label_frames(image, survey)):
        if frame.dtype == np.uint16 and voxels.dtype == np.uint8:
            voxels = voxels.astype(np.uint16, order="F")
        voxels[:, :, k] = frame
        survey.add(frame)
    return LabelMap(voxels, survey.result())


class _Survey:
    """Collects counts and boxes over frames that come in the order of k."""

    def __init__(self, image: ImageFile) -> None:
        self.image = image
        self.rounded = 0
        self._frame = 0
        self._counts: dict[int, int] = {}
        self._boxes: dict[int, list[int]] = {}

    def add(self, frame: npt.NDArray[Any]) -> None:
        from scipy.ndimage import find_objects

        counts = np.bincount(frame.ravel(order="K"))
        values = np.flatnonzero(counts)
        if len(values) > 1 or (len(values) == 1 and values[0]):
            boxes = find_objects(frame)
            for value in values[values > 0].tolist():
                self._counts[value] = self._counts.get(value, 0) + int(counts[value])
                self._extend(value, boxes[value - 1])
        self._frame += 1

    def _extend(self, value: int, flat: tuple[slice, slice]) -> None:
        i, j = flat
        box = self._boxes.setdefault(value, [i.start, i.stop, j.start, j.stop, self._frame, 0])
        box[0], box[1] = min(box[0], i.start), max(box[1], i.stop)
        box[2], box[3] = min(box[2], j.start), max(box[3], j.stop)
        box[5] = self._frame + 1

    def result(self) -> LabelSurvey:
        labels = [
            Label(value, self._counts[value], (slice(a, b), slice(c, d), slice(e, f)))
            for value, (a, b, c, d, e, f) in sorted(self._boxes.items())
        ]
        return LabelSurvey(tuple(labels), self.rounded, self.image.is_scaled)


def _label_frames(image: ImageFile, survey: _Survey) -> Iterator[npt.NDArray[Any]]:
    """Yield the frames as uint8, or uint16 where a value needs it."""
    if image.is_scaled or image.dtype.kind == "f":
        for k, values in enumerate(iter_scaled_frames(image)):
            yield _narrow(_rounded(values, image, k, survey), image, k)
    else:
        for k, frame in enumerate(iter_frames(image)):
            yield _narrow(frame, image, k)


def _rounded(
    values: npt.NDArray[np.float64], image: ImageFile, k: int, survey: _Survey
) -> npt.NDArray[np.float64]:
    if not np.isfinite(values).all():
        raise _refused(image, k, "values that are not finite (NaN or infinite)")
    whole = np.rint(values)
    distance = np.abs(values - whole)
    if distance.max(initial=0.0) > INTEGER_TOLERANCE:
        worst = values.flat[int(distance.argmax())]
        raise _refused(
            image, k, f"the value {float(worst):.6g}", "a probability map or a resampled mask?"
        )
    survey.rounded += int(np.count_nonzero(distance))
    return whole


def _narrow(frame: npt.NDArray[Any], image: ImageFile, k: int) -> npt.NDArray[Any]:
    if frame.dtype in (np.uint8, np.uint16):
        return frame
    low, high = frame.min(), frame.max()
    if low < 0:
        raise _refused(image, k, f"the negative value {int(low)}")
    if high > MAX_LABEL:
        raise _refused(image, k, f"the value {int(high)}")
    return frame.astype(np.uint8 if high <= np.iinfo(np.uint8).max else np.uint16)


def _refused(image: ImageFile, k: int, found: str, guess: str = "") -> BadLabels:
    what = "the file holds values that are no labels"
    return BadLabels(
        f"{what}: {guess}" if guess else what,
        path=str(image.relative),
        found=f"{found} in frame {k + 1} of {image.shape[2]}",
        expected=f"integers from 0 to {MAX_LABEL}",
        remedy="Save the label map with integers; a probability map needs a threshold first.",
    )
