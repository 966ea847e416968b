"""Label maps: one pass gives every value, its voxel count and its bounding box.

The file is read frame by frame and kept as uint8 or uint16, whatever it was stored as, so that
a float64 label map of a large CT never takes more memory than two bytes a voxel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.memory import mapped_array
from nifti_kit.core.text import counted, listed
from nifti_kit.errors import BadLabels
from nifti_kit.formats.nifti import ImageFile, iter_blocks, iter_frames
from nifti_kit.formats.runs import Runs, Table, joined, runs_of, stacked

MAX_LABEL = 65535
"""Label values above this are refused: they would be an index of 64-bit ids, not classes."""

INTEGER_TOLERANCE = 1e-3
"""A float this near to an integer is that integer with rounding: 1.0000001, 7014.9999."""

MOST_SHOWN = 1e15
"""Above this a float's digits say nothing: it is shown as 1e+30."""

MOST = 0.5
"""Inside a resampled mask most voxels keep their label; a probability map has few whole values."""

NEARLY_ALL = 0.99
"""A probability map lies between 0 and 1, but for a few odd voxels."""

FLOAT32_WHOLE = 2**24
"""Above this float32 has no longer every whole number: ids fall onto their neighbours."""

FLOAT64_WHOLE = 2**53
"""Above this float64 has no longer every whole number."""

ASKED_SINGLY = 5
"""Values that are no labels, to be decided on one by one; more of them are ids."""

MOST_COLLECTED = 1000
"""Different values that are no labels after which a file is a picture, and no more are sought."""

REMEDY = "Save the label map with integers; a probability map needs a threshold first."
REMEDY_PROBABILITY = (
    "Choose a threshold: nk.repairs.round_labels(dataset, {file!r}, threshold=0.5), or save the "
    "mask anew."
)
REMEDY_RESAMPLED = (
    "Resample the original mask with nearest neighbours (nk.repairs.resample). A mask of one "
    "label can be rounded: nk.repairs.round_labels(dataset, {file!r}); of several, that makes "
    "labels between them."
)
REMEDY_MERGED = (
    "Where it was made, save the label map again as plain integers (scl_slope 1, scl_inter 0): "
    "what has merged cannot be had back. Only if it is a picture of probabilities: "
    "nk.repairs.round_labels(dataset, {file!r}, threshold=...) with a threshold in its own units."
)
REMEDY_FEW = (
    "If {values} means 'not annotated': nk.repairs.relabel(dataset, {file!r}, {{{zeros}}}). If it "
    "is a class: nk.repairs.relabel(dataset, {file!r}) numbers all values of the file from 1, "
    "and keeps a table of which is which; or give a number of your own in place of 0."
)
REMEDY_IDS = (
    "If the values are ids of classes: nk.repairs.relabel(dataset, {file!r}) numbers them from 1, "
    "and keeps a table of which is which."
)
REMEDY_NAN = (
    "If NaN means background: nk.repairs.relabel(dataset, {file!r}, {{float('nan'): 0}}). Of a "
    "probability map: save it again with numbers everywhere."
)

Box = tuple[slice, slice, slice]

RUNS_AT_ONCE = 2**14
"""Runs worked on together: work on each frame by itself would take longer than reading it, and
more of them are more new pages of memory each time."""


@dataclass(frozen=True, slots=True)
class Label:
    """One value of a label map."""

    value: int  # the pixel value, 1 to 65535
    voxels: int  # how many voxels have it
    box: Box  # the smallest box that holds them: a slice for each file axis


@dataclass(frozen=True, slots=True)
class LabelSurvey:
    """What a label file holds, without its voxels."""

    labels: tuple[Label, ...]  # every value but 0, in rising order
    rounded: int  # how many voxels were stored as a float next to an integer
    scaled: bool  # whether ``scl_slope`` or ``scl_inter`` changed the stored numbers
    off: float = 0.0  # how far a voxel's value was at most from the label that it is read as

    @property
    def values(self) -> tuple[int, ...]:
        """Every value but 0, in rising order."""
        return tuple(label.value for label in self.labels)


@dataclass(frozen=True, eq=False)
class LabelMap:
    """A label file with its voxels."""

    # (i, j, k) in file order, uint8 or uint16.
    voxels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
    rounded: int  # how many voxels were stored as a float next to an integer
    scaled: bool  # whether ``scl_slope`` or ``scl_inter`` changed the stored numbers
    off: float = 0.0  # how far a voxel's value was at most from the label that it is read as

    @cached_property
    def survey(self) -> LabelSurvey:
        """Every value, its count and box; worked out when it is first asked for."""
        found = _Survey()
        for k in range(self.voxels.shape[2]):
            found.add(self.voxels[:, :, k : k + 1])
        return found.result(self.rounded, self.scaled, self.off)


def survey_labels(image: ImageFile, take: Callable[[Runs], object] | None = None) -> LabelSurvey:
    """Return every value of a label file, its count and box; the voxels are not kept.

    ``take`` gets the runs of the same reading, of many whole frames at a time, in their order.

    Raises BadLabels if a value is no integer from 0 to 65535. Raises UnreadableFile if the file is
    damaged.
    """
    survey, frames = _Survey(take), label_frames(image)
    for block in frames.blocks():
        survey.add(block)
    return survey.result(frames.rounded, image.is_scaled, frames.off)


def read_labels(image: ImageFile) -> LabelMap:
    """Return a label file with its voxels. Raises as :func:`survey_labels`."""
    frames = label_frames(image)
    i, j, k = image.shape
    voxels = _read(frames, (slice(0, i), slice(0, j), slice(0, k)))
    return LabelMap(voxels, frames.rounded, image.is_scaled, frames.off)


def read_box(
    image: ImageFile, box: Box, counts: npt.NDArray[np.int64] | None = None
) -> npt.NDArray[Any]:
    """Return the voxels of a label file within a box, (i, j, k) in file order, uint8 or uint16.

    The file is read to its end. To ``counts``, of 65,536 numbers, is added how many voxels of the
    whole file have each value. Raises as :func:`survey_labels`.
    """
    return _read(label_frames(image), box, counts)


def _read(
    frames: LabelFrames, box: Box, counts: npt.NDArray[np.int64] | None = None
) -> npt.NDArray[Any]:
    i, j, k = box
    voxels = mapped_array([side.stop - side.start for side in box], np.uint8)
    done = 0
    for block in frames.blocks():
        if counts is not None:
            add_counts(block, counts)
        if block.dtype == np.uint16 and voxels.dtype == np.uint8:
            voxels = voxels.astype(np.uint16, order="F")
        first, last = max(k.start, done), min(k.stop, done + block.shape[2])
        if first < last:
            voxels[:, :, first - k.start : last - k.start] = block[i, j, first - done : last - done]
        done += block.shape[2]
    return voxels


def add_counts(block: npt.NDArray[Any], counts: npt.NDArray[np.int64]) -> None:
    """Add to ``counts`` how many voxels of a block, (i, j, n), have each value.

    Only those of the box around the labels are gone through one by one: a number looked up for each
    voxel takes a hundred times as long as the largest of them all.
    """
    counts[0] += block.size
    if not block.max(initial=0):
        return
    across = block.max(axis=2) if block.shape[2] > 1 else block[:, :, 0]
    rows, columns = (np.flatnonzero(across.max(axis=n)) for n in (1, 0))
    part = block[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    found = np.bincount(part.ravel(order="K"))
    counts[: len(found)] += found
    counts[0] -= part.size


class _Survey:
    """Collects counts and boxes over blocks (i, j, n) that come in the order of k.

    ``take`` gets the runs too, of many frames at a time.
    """

    def __init__(self, take: Callable[[Runs], object] | None = None) -> None:
        self._take = take
        self._frames = self._count = 0
        self._waiting: list[Runs] = []
        self._table: Table | None = None

    def add(self, block: npt.NDArray[Any]) -> None:
        runs = runs_of(block, self._frames)
        self._frames += block.shape[2]
        if runs is not None:
            self._waiting.append(runs)
            self._count += runs.total
        if self._count >= RUNS_AT_ONCE:
            self._work()

    def _work(self) -> None:
        runs = joined(self._waiting)
        self._waiting, self._count = [], 0
        found = runs.table().by_value()
        self._table = stacked([self._table, found]).by_value() if self._table else found
        if self._take is not None:
            self._take(runs)

    def result(self, rounded: int, scaled: bool, off: float) -> LabelSurvey:
        if self._waiting:
            self._work()
        if self._table is None:
            return LabelSurvey((), rounded, scaled, off)
        values, voxels = self._table.value.tolist(), self._table.voxels.tolist()
        labels = [
            Label(value, count, self._table.box(row))
            for row, (value, count) in enumerate(zip(values, voxels, strict=True))
        ]
        return LabelSurvey(tuple(labels), rounded, scaled, off)


def label_frames(image: ImageFile) -> LabelFrames:
    """Return the frames of a label file, to be gone through once or several times."""
    return LabelFrames(image)


class LabelFrames:
    """The frames of a label file in the order of k: (i, j), uint8, or uint16 where needed.

    The same buffer may be filled again for each frame. Going through them raises as
    :func:`survey_labels`.

    """

    def __init__(self, image: ImageFile) -> None:
        self.image = image  # the file
        # How many voxels were stored as a float next to an integer, in the frames so far.
        self.rounded, self.off = 0, 0.0

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        for block in self.blocks():
            yield from np.moveaxis(block, 2, 0)

    def blocks(self) -> Iterator[npt.NDArray[Any]]:
        """Yield the same in blocks of whole frames, (i, j, n)."""
        self.rounded, self.off, first = 0, 0.0, 0
        for block in iter_blocks(self.image):
            yield self._labels(block, first)
            first += block.shape[2]

    def _labels(self, block: npt.NDArray[Any], first: int) -> npt.NDArray[Any]:
        """Return what stored numbers mean; ``first`` is the block's first frame (from 0)."""
        computed = self.image.is_scaled or block.dtype.kind == "f"
        try:
            return _narrow(self._rounded(block, first) if computed else block, self.image, first)
        except BadLabels:
            if block.shape[2] > 1:  # which frame of these it is
                for at in range(block.shape[2]):
                    self._labels(block[:, :, at : at + 1], first + at)
            raise

    def _rounded(self, block: npt.NDArray[Any], k: int) -> npt.NDArray[np.float64]:
        values = _scaled(block, self.image)
        if not np.isfinite(values).all():
            remedy = _remedy(REMEDY_NAN, self.image) if np.isnan(values).any() else REMEDY
            found = "values that are not finite (NaN or infinite)"
            raise _refused(self.image, k, found, remedy=remedy)
        whole = np.rint(values)
        distance = np.abs(values - whole)
        worst = float(distance.max(initial=0.0))
        if worst > label_tolerance(self.image):
            # Of several frames the one is looked for first: what it looks like takes a reading.
            error = _fractions if block.shape[2] == 1 else _refused
            value = float(values.flat[int(distance.argmax())])
            raise error(self.image, k, f"the value {value:.6g}")
        self.rounded += int(np.count_nonzero(distance))
        self.off = max(self.off, worst)
        return whole


def label_tolerance(image: ImageFile) -> float:
    """Return how far from a whole number a value of a label map may be, to be that label.

    Saving whole numbers as scaled integers moves each by half a step (``scl_slope``) at most. With
    steps below 1 no two of them meet, and the nearest whole number is the label that was saved.
    """
    step = abs(image.slope)
    if not _has_steps(image) or step >= 1:
        return INTEGER_TOLERANCE
    return max(INTEGER_TOLERANCE, step / 2 * (1 + INTEGER_TOLERANCE))


def labels_have_merged(image: ImageFile) -> bool:
    """Say whether labels that were saved as an image's scaled integers may have become one."""
    return _has_steps(image) and abs(image.slope) > 1


def _has_steps(image: ImageFile) -> bool:
    return image.is_scaled and image.dtype.kind in "iu"


def _scaled(block: npt.NDArray[Any], image: ImageFile) -> npt.NDArray[np.float64]:
    """Return the values; what is too large for a number is infinite, without a warning."""
    with np.errstate(over="ignore", invalid="ignore"):
        values: npt.NDArray[np.float64] = block.astype(np.float64)
        return values * image.slope + image.intercept if image.is_scaled else values


def _narrow(block: npt.NDArray[Any], image: ImageFile, k: int) -> npt.NDArray[Any]:
    if block.dtype in (np.uint8, np.uint16):
        return block
    low, high = block.min(), block.max()
    if low < 0 or high > MAX_LABEL:
        found = f"the negative value {_shown(low)}" if low < 0 else f"the value {_shown(high)}"
        # Of several frames the one is looked for first: which others there are takes a reading.
        raise (_outside if block.shape[2] == 1 else _refused)(image, k, found)
    return block.astype(np.uint8 if high <= np.iinfo(np.uint8).max else np.uint16)


def _shown(value: np.generic) -> str:
    """Return a whole number in digits, or as 1e+30 where a float is too large for that."""
    number = value.item()
    large = isinstance(number, float) and abs(number) >= MOST_SHOWN
    return f"{number:.6g}" if large else str(int(number))


def _refused(
    image: ImageFile, k: int, found: str, guess: str = "", remedy: str = REMEDY
) -> BadLabels:
    what = "the file holds values that are no labels"
    return BadLabels(
        f"{what}: {guess}" if guess else what,
        path=str(image.relative),
        found=f"{found} in frame {k + 1} of {image.shape[2]}",
        expected=f"integers from 0 to {MAX_LABEL}",
        remedy=remedy,
    )


def _remedy(text: str, image: ImageFile, **facts: str) -> str:
    return text.format(file=str(image.relative), **facts)


def values_of(frame: npt.NDArray[Any], image: ImageFile) -> npt.NDArray[Any]:
    """Return what the stored numbers of a frame mean: integers exactly, all else as float64.

    What is within the tolerance of a whole number is that number.
    """
    if frame.dtype.kind in "iu" and not image.is_scaled:
        return frame
    values = _scaled(frame, image)
    with np.errstate(invalid="ignore"):
        whole = np.rint(values)
        near = np.abs(values - whole) <= label_tolerance(image)
    return np.where(near, whole, values)


def as_whole(value: float) -> int | float:
    """Return a value as a whole number where it is one; NaN as always the same object."""
    if math.isnan(value):
        return math.nan
    return int(value) if abs(value) <= FLOAT64_WHOLE and value == int(value) else value


def _outside(image: ImageFile, k: int, found: str) -> BadLabels:
    """Return the error for whole numbers that are no labels, and name them all; it reads anew."""
    outside: set[int | float] = set()
    for frame in iter_frames(image):
        values = values_of(frame, image)
        values = values[np.isfinite(values) & ((values < 0) | (values > MAX_LABEL))]
        outside |= {as_whole(value) for value in np.unique(values).tolist()}
        if len(outside) > MOST_COLLECTED:
            break
    guess = ""
    if image.dtype.newbyteorder("=") == np.float32 and max(outside) > FLOAT32_WHOLE:
        guess = "float32 holds no odd numbers above 16,777,216: ids there may have become others"
    remedy = (
        _remedy(REMEDY_IDS, image) if all(isinstance(value, int) for value in outside) else REMEDY
    )
    if len(outside) <= ASKED_SINGLY and max(outside) < 0:
        named = listed(sorted(outside), ASKED_SINGLY)
        zeros = ", ".join(f"{value}: 0" for value in sorted(outside))
        remedy = _remedy(REMEDY_FEW, image, values=named, zeros=zeros)
    return _refused(image, k, found, guess, remedy)


def _fractions(image: ImageFile, k: int, found: str) -> BadLabels:
    """Return the error for fractions, with what the file looks like; it is read once more."""
    if _has_steps(image) and abs(image.slope) >= 1:
        guess = (
            f"they are stored in steps of {abs(image.slope):g} (scl_slope), so labels that differ "
            "by less became one when the file was saved: rounding does not bring them back"
        )
        return _refused(image, k, found, guess, _remedy(REMEDY_MERGED, image))
    labelled = within = whole = 0
    for frame in iter_frames(image):
        values = _scaled(frame, image)
        values = values[np.isfinite(values) & (values != 0)]
        labelled += values.size
        within += int(np.count_nonzero((values > 0) & (values <= 1)))
        whole += int(np.count_nonzero(np.abs(values - np.rint(values)) <= INTEGER_TOLERANCE))
    looks, remedy = "neither a mask nor a probability map", REMEDY
    if whole >= MOST * labelled:
        looks, remedy = "a mask resampled with interpolation", _remedy(REMEDY_RESAMPLED, image)
    elif within >= NEARLY_ALL * labelled:
        looks, remedy = "a probability map", _remedy(REMEDY_PROBABILITY, image)
    shares = f"{_share(within, labelled)} lie between 0 and 1, {_share(whole, labelled)} are whole"
    guess = f"it looks like {looks} (of its {counted(labelled, 'value')} other than 0, {shares})"
    return _refused(image, k, found, guess, remedy)


def _share(count: int, total: int) -> str:
    """Return a share in percent that says neither none nor all where it is not exactly that."""
    tenths = round(1000 * count / total)
    tenths = min(max(tenths, 1), 999) if 0 < count < total else tenths
    return f"{tenths / 10:g}%"


# Some labels of a label map, read within the box around them all


class LabelParts:
    """The voxels around each of some labels of one file, which is read once, to its end.

    ``labels`` are such as it was surveyed to have, at least one. With ``counted`` the voxels that
    have their values are counted anew, over the whole file. Raises as :func:`survey_labels`.
    """

    def __init__(self, image: ImageFile, labels: Sequence[Label], *, counted: bool = False) -> None:
        counts = np.zeros(MAX_LABEL + 1, dtype=np.int64) if counted else None
        self._box = common_box(label.box for label in labels)
        self._voxels = read_box(image, self._box, counts)
        # By value, how many voxels of the whole file have it; empty where they are not counted.
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
