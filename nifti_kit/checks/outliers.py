"""Outliers: which numbers stand far out of those of the same class in other items; numbers only.

Items are rows and classes columns; NaN stands where an item does not have a class. Deviations are
robust z-scores: from the median, in units of 1.4826 times the median absolute deviation (MAD),
which is the standard deviation of normal data (Iglewicz and Hoaglin, 1993), or of what four in
five of the numbers lie within, if that is larger; and of a floor, so that numbers which differ by a
rounding do not count.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

MIN_ITEMS = 6
"""Of five numbers or fewer nobody can say what is usual."""

NORMAL = 1.4826
"""The standard deviation of normal data is so many times its median absolute deviation."""

MOST = 0.8
MOST_NORMAL = 1.2816
"""So many of normal data lie within so many standard deviations. The MAD says nothing of the other
half: where a class is alike in most items, and another third varies, that is no outlier."""

LEAST_Z = 5.0
"""Nearer than this is no outlier: among normal numbers one in a million is as far."""

FEW = 15.0
NOT_FEW = 3.0
"""The spread of a few numbers is often much too small by chance: of n normal numbers about one in a
thousand is further out than ``NOT_FEW + FEW / (n - 3)``: 8 of 6 numbers, 5 from 11 on."""

VOLUME_SPREAD = 0.2
"""Floor of the standard deviation of the logarithm of a volume: organs of healthy adults vary by 15
to 25 percent. With ``LEAST_Z`` a volume is at least 2.7 times too large or too small."""

PLACE_SPREAD = 0.1
"""Floor of the standard deviation of a place, as a share of the class's diameter, and at least one
voxel: with ``LEAST_Z`` a class is displaced by half its size, or 5 voxels."""

IMAGE_SPREAD = 0.03
"""The same for all classes together, as a share of the image's length: patients lie elsewhere in
the image by a few percent of it; with ``LEAST_Z`` they are displaced by 15 percent."""

ASTRAY_SPREAD = 0.02
"""Floor of the standard deviation of the share of a class that lies apart: with ``LEAST_Z`` a tenth
of it does."""

RARE = 10
"""What more than two, and more than about one in ten, of the items have is a kind of its own."""

TWO_FROM = 8
"""Of fewer items one alone is an outlier to a side: two of seven are a kind of their own."""

MOST_REFERENCES = 16
"""Other classes that the place of a class is compared with: more of them tell no more."""

MOST_TRIED = 6
"""Classes of an item that are tried in the place of each other."""

BODY_SCALE = (0.35, 1.6)
"""Bodies are so much smaller or larger than the usual one: a newborn (50 cm) beside adults."""

MIN_DISTANCES = 3
"""Of fewer, those of two classes, nobody can say whether the body is small or a class astray."""

SAME_LENGTH = 0.15
"""Images whose lengths differ by more than this share do not show the same part of the body: the
middle of one is no reference for what lies in the other."""


@dataclass(frozen=True, eq=False)
class Outlier:
    """A number that stands far out."""

    # Which item and which class it is of; the column after the last class stands for all classes
    # together.
    row: int
    column: int
    measure: str  # ``volume`` (mm3), ``place`` (mm along ``axis``) or ``parts`` (a share, 0 to 1)
    # The number of each item, this one among them; NaN where an item does not have the class.
    values: Numbers
    z: float  # how far it is out, in standard deviations
    axis: int = 0  # of a place: 0, 1 or 2 for R, A, S
    # What it was compared with: ``classes`` of the same item, its ``image``, or nothing.
    beside: str = ""

    @property
    def value(self) -> float:
        """The number of this item."""
        return float(self.values[self.row])

    @property
    def median(self) -> float:
        """The median of the others."""
        return float(np.median(self.others))

    @cached_property
    def others(self) -> Numbers:
        """The numbers of the other items that have the class, in rising order."""
        others = np.delete(self.values, self.row)
        return np.sort(others[~np.isnan(others)])


class Usual(NamedTuple):
    """What is usual of some numbers: their median, their spread, and how far out an outlier is."""

    median: float
    spread: float
    far: float

    @classmethod
    def of(cls, values: Numbers, floor: float) -> Usual:
        """Return what is usual of numbers that vary by ``floor`` at least; NaN are left out."""
        count, median = int(np.count_nonzero(~np.isnan(values))), float(middle(values))
        spread = _spread(values - median)
        far = max(LEAST_Z * floor, limit(count) * spread) if count >= MIN_ITEMS else float("inf")
        return cls(median, max(spread, floor), far)

    def is_far(self, values: Numbers) -> Flags:
        """Say which numbers are outliers."""
        return np.asarray(np.abs(np.nan_to_num(values - self.median)) >= self.far)

    def z(self, value: float) -> float:
        """Return how many standard deviations a number is out."""
        return (value - self.median) / self.spread


def limit(count: int) -> float:
    """Return how many standard deviations one of so many numbers is out, to be an outlier.

    Examples
    --------
    >>> limit(6), limit(100)
    (8.0, 5.0)
    """
    return max(LEAST_Z, NOT_FEW + FEW / (count - 3))


def _spread(off: Numbers) -> float:
    """Return the robust standard deviation of numbers whose median is 0."""
    far = np.sort(np.abs(off[~np.isnan(off)]))
    if not len(far):
        return 0.0
    most = far[int((len(far) - 1) * MOST)]
    return max(NORMAL * float(np.median(far)), float(most) / MOST_NORMAL)


def middle(values: Numbers, axis: int = 0) -> Numbers:
    """Return the median along an axis, without NaN; NaN where there is nothing else."""
    if not values.shape[axis]:
        return np.full(np.delete(values.shape, axis), np.nan)
    count = np.count_nonzero(~np.isnan(values), axis=axis, keepdims=True)
    ordered = np.sort(values, axis=axis)  # NaN come last
    low, high = (np.maximum(at, 0) for at in ((count - 1) // 2, count // 2))
    below, above = (np.take_along_axis(ordered, at, axis) for at in (low, high))
    return np.asarray(((below + above) / 2).squeeze(axis))


def _rare(out: Flags, off: Numbers) -> Flags:
    """Return which are out to a side on which few are."""
    count = int(np.count_nonzero(~np.isnan(off)))
    sides = [out & (off < 0), out & (off > 0)]
    most = 1 + (count - TWO_FROM + RARE) // RARE
    kept = np.zeros_like(out)
    for side in sides:
        kept |= side & (np.count_nonzero(side) <= most)
    return kept


def _references(present: Flags, column: int) -> list[int]:
    """Return the other columns that enough rows have beside a column, most rows first."""
    together = np.count_nonzero(present & present[:, [column]], axis=0)
    order = [int(at) for at in np.argsort(-together, kind="stable") if at != column]
    return [at for at in order if together[at] >= MIN_ITEMS][:MOST_REFERENCES]


# Volumes


def volume_outliers(volumes: Numbers) -> Iterator[Outlier]:
    """Yield the classes that are far larger or smaller than in the other items.

    A class whose volume fits those of the other classes of its item is none: a child's organs are
    all small.

    ``volumes``: (items, classes), mm3.
    """
    logs = np.log(volumes)
    present = ~np.isnan(logs)
    for column in range(logs.shape[1]):
        differences = logs[:, [column]] - logs[:, _references(present, column)]
        beside = middle(differences - middle(differences), axis=1)
        alone = logs[:, column] - middle(logs[:, column])
        usual, by_body = Usual.of(alone, VOLUME_SPREAD), Usual.of(beside, VOLUME_SPREAD)
        fits = np.where(alone < 0, beside, -beside) > -LEAST_Z * VOLUME_SPREAD
        far = np.abs(np.nan_to_num(alone)) >= LEAST_Z * VOLUME_SPREAD
        out = (usual.is_far(alone) | by_body.is_far(beside)) & far & ~fits
        for row in np.flatnonzero(_rare(out, alone)).tolist():
            z, other = usual.z(alone[row]), by_body.z(beside[row])
            z, beside_what = (other, "classes") if abs(other) > abs(z) else (z, "")
            yield Outlier(row, column, "volume", volumes[:, column], z, beside=beside_what)


# Parts


def part_outliers(astray: Numbers) -> Iterator[Outlier]:
    """Yield the classes of which far more lies apart than in the other items.

    ``astray``: (items, classes): the share (0 to 1) of a class's voxels that lie far from its
    largest part.
    """
    for column in range(astray.shape[1]):
        values = astray[:, column]
        usual = Usual.of(values, ASTRAY_SPREAD)
        off = values - usual.median
        for row in np.flatnonzero(_rare(usual.is_far(values) & (off > 0), off)).tolist():
            yield Outlier(row, column, "parts", values, usual.z(values[row]))


# Places


@dataclass(frozen=True, eq=False)
class Places:
    """Where the classes of items lie."""

    centroids: Numbers  # (items, classes, 3), RAS+ mm
    centres: Numbers  # (items, 3): the middle of each item's image, RAS+ mm
    lengths: Numbers  # (items, 3): the lengths of the image along R, A and S (mm)
    # (items, 3, 3): the unit vectors of the three axes of the item's masks, a row each.
    directions: Numbers
    diameters: Numbers  # (classes,): of balls as large as the class usually is (mm)
    voxel: float  # the longest side of a voxel (mm)


@dataclass(frozen=True, eq=False)
class Displaced:
    """The classes of an item that lie elsewhere than usual, and what would bring them there."""

    outliers: tuple[Outlier, ...]  # the farthest first
    # Two columns: each class lies where the other usually does. Else empty.
    exchanged: tuple[int, ...] = ()
    # The axis of the masks' grid along which the item's masks would fit the other way round.
    mirrored: int | None = None


def place_outliers(places: Places) -> Iterator[Displaced]:
    """Yield the items of which classes lie far from where they lie in the other items."""
    return Constellation(places).displaced() if len(places.centroids) >= MIN_ITEMS else iter(())


class Constellation:
    """The places of classes to each other and to the image, as they usually are.

    The place of a class is worked out from each of its references: the other classes of its item,
    and the middle of the image, where that shows the same part of the body as usual
    (``SAME_LENGTH``). How far it is off is the median of what they say. So neither the place of the
    body in the scanner counts, nor one class that is astray itself. Distances are divided by the
    size of the body: the median of the distances of classes, beside the usual ones.
    """

    def __init__(self, places: Places) -> None:
        usual = middle(places.lengths)
        differs = np.abs(np.log(places.lengths / usual)) > SAME_LENGTH
        centres = np.where(differs, np.nan, places.centres)
        self.points = np.concatenate([places.centroids, centres[:, np.newaxis]], axis=1)
        self._places, self._image = places, self.points.shape[1] - 1
        self._scale = _scale(places.centroids)
        self._refer()
        classes = np.maximum(places.voxel, PLACE_SPREAD * places.diameters)
        image = max(places.voxel, IMAGE_SPREAD * float(np.nan_to_num(usual).max()))
        self._learn(np.append(classes, image))

    def _refer(self) -> None:
        """Find the references of each class, and where it usually lies from each (mm)."""
        present = ~np.isnan(self.points).all(axis=2)
        columns = self._image + 1
        self._references = np.full((columns, MOST_REFERENCES + 1), -1)
        self._usual = np.full((columns, MOST_REFERENCES + 1, 3), np.nan)
        for column in range(columns):
            found = _references(present, column)
            if column != self._image and self._image not in found:
                found += [self._image]  # it says nothing where too few items have it
            vectors = self.points[:, [column]] - self.points[:, found]
            vectors /= self._scale[:, np.newaxis, np.newaxis]
            known = np.count_nonzero(~np.isnan(vectors), axis=0) >= MIN_ITEMS
            self._references[column, : len(found)] = found
            self._usual[column, : len(found)] = np.where(known, middle(vectors), np.nan)

    def _learn(self, floors: Numbers) -> None:
        """Learn how far classes are usually off, and to which sides few are."""
        rows = range(len(self.points))
        self._off = np.stack([self._offset(row, self.points[row], []) for row in rows])
        shape = self._off.shape[1:]
        self._limits = np.empty((*shape, 3))
        self._few = np.zeros((*shape, 2), dtype=bool)
        for at in np.ndindex(shape):
            values = self._off[(slice(None), *at)]
            usual = Usual.of(values, float(floors[at[0]]))
            self._limits[at] = usual
            out, off = usual.is_far(values), values - usual.median
            kept = _rare(out, off)
            sides = [out & (off < 0), out & (off > 0)]
            self._few[at] = [not (side & ~kept).any() for side in sides]

    def _offset(self, row: int, points: Numbers, without: list[int]) -> Numbers:
        """Return how far each class of an item is off, (classes and image, 3), in usual mm."""
        vectors = (points[:, np.newaxis] - points[self._references]) / self._scale[row]
        off = vectors - self._usual
        off[(self._references < 0) | np.isin(self._references, without)] = np.nan
        # One class alone and the image are off together: that is told of the class.
        if np.count_nonzero(~np.isnan(off[self._image]).all(axis=1)) <= 1:
            off[self._image] = np.nan
        return middle(off, axis=1)

    def _astray(self, row: int, points: Numbers) -> list[tuple[int, int, float]]:
        """Return what is astray in an item: column, axis and how far it is off (usual mm).

        What is farthest off is no reference for the others: of two classes that are at odds one is
        astray.
        """
        found: list[tuple[int, int, float]] = []
        median, _, far = np.moveaxis(self._limits, 2, 0)
        while True:
            without = [column for column, _, _ in found]
            value = self._offset(row, points, without)
            off = np.nan_to_num(value - median)
            few = np.where(off < 0, self._few[..., 0], self._few[..., 1])
            distance = np.where((np.abs(off) >= far) & few, np.abs(off), 0.0)
            distance[without] = 0.0
            if not distance.any():
                return found
            column, axis = map(int, np.unravel_index(int(distance.argmax()), distance.shape))
            found.append((column, axis, float(value[column, axis])))

    def displaced(self) -> Iterator[Displaced]:
        """Yield the items in which something is astray."""
        for row, points in enumerate(self.points):
            astray = self._astray(row, points)
            if astray:
                outliers = tuple(self._outlier(row, *one) for one in astray)
                columns = [column for column, _, _ in astray]
                yield Displaced(outliers, self._exchanged(row, columns), self._mirrored(row))

    def _outlier(self, row: int, column: int, axis: int, off: float) -> Outlier:
        usual = self._usual[column, :, axis]
        others = self._references[column] != self._image
        beside = "classes" if not np.isnan(usual[others]).all() else "image"
        values = self._off[:, column, axis].copy()
        values[row] = off
        if column == self._image:
            # Told of the classes: where they lie in the image.
            values, usual, beside = -values, -usual, "image"
        _, spread, _ = self._limits[column, axis]
        z = (values[row] - middle(values)) / spread
        return Outlier(row, column, "place", values + middle(usual), float(z), axis, beside)

    def _exchanged(self, row: int, astray: list[int]) -> tuple[int, ...]:
        """Return two classes of an item that fit, if each is where the other is."""
        points = self.points[row]
        tried = [column for column in astray if column != self._image][:MOST_TRIED]
        if len(tried) == 1:  # of two classes that are at odds one is astray
            others = (at for at in range(self._image) if at not in tried)
            tried += itertools.islice(others, MOST_TRIED)
        for one, other in itertools.combinations(tried, 2):
            swapped = points.copy()
            swapped[[one, other]] = points[[other, one]]
            if not self._astray(row, swapped):
                return one, other
        return ()

    def _mirrored(self, row: int) -> int | None:
        """Return the axis of the grid along which an item's masks fit the other way round."""
        points = self.points[row]
        centre = np.nan_to_num(self._places.centres[row])
        for axis, direction in enumerate(self._places.directions[row]):
            along = (points - centre) @ direction
            turned = points - 2 * along[:, np.newaxis] * direction
            turned[self._image] = points[self._image]
            if not self._astray(row, turned):
                return axis
        return None


def _scale(centroids: Numbers) -> Numbers:
    """Return how large the body of each item is beside the usual one: 1 where nothing tells."""
    most = np.argsort(np.isnan(centroids[..., 0]).sum(axis=0), kind="stable")[:MOST_REFERENCES]
    one, other = np.triu_indices(len(most), 1)
    between = centroids[:, most[one]] - centroids[:, most[other]]
    distances = np.linalg.norm(between, axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):  # centroids that are usually the same
        ratios = distances / middle(distances)
    known = np.count_nonzero(np.isfinite(ratios), axis=1) >= MIN_DISTANCES
    return np.where(known, np.clip(middle(ratios, axis=1), *BODY_SCALE), 1.0)
