"""Measures: volume, place and parts of each class of each item, and which of them stand far out.

What is measured comes from the runs that a closer look has of each mask: no file is read again. All
is in mm, RAS+, so that voxel sizes, orientations and the place in the scanner do not count.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nifti_kit.checks.outliers import (
    MIN_ITEMS,
    Displaced,
    Outlier,
    Places,
    middle,
    part_outliers,
    place_outliers,
    volume_outliers,
)
from nifti_kit.core.findings import Finding, finding
from nifti_kit.core.geometry import PLANES, Grid
from nifti_kit.core.text import counted, listed
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.header_names import classes_of
from nifti_kit.datasets.items import Item
from nifti_kit.datasets.reading import Looks
from nifti_kit.datasets.surveys import ItemSurvey, MaskSurvey, class_is_name
from nifti_kit.formats.components import Part, ShapeSurvey
from nifti_kit.formats.labels import Label
from nifti_kit.formats.nifti import ImageFile

SLICED = 2.0
"""Voxels so many times longer than wide are slices: what is cut along one plane is compared."""

SMALL_PART = 0.01
"""Smaller parts, by their share of the class, are specks: other rules speak of them."""

FAR = 0.25
"""Parts further apart than this share of the class's diameter are far apart."""

SHOWN = 3
"""Classes that a message names before it counts the rest."""

WAYS = (("left", "right"), ("posterior", "anterior"), ("inferior", "superior"))
"""In which direction each RAS+ axis falls and grows."""

ML = 1000.0
"""Volumes from here on (mm3) are told in ml."""

CODES = {"volume": "outlier-volume", "place": "outlier-place", "parts": "outlier-parts"}
CUT = "outlier-cut"
"""The codes of findings: by what stands out, and of a class that the edge of its image may cut."""

RIGHT = "If the mask is right: nothing."

OUTLIERS = "outliers"
"""The key of a dataset's memory: what stands out, by code and path of the finding."""

TOLD = "findings of a closer look"
"""Another: what a check of every voxel said that a plan tells too."""

TOO = frozenset(
    (
        *(*CODES.values(), CUT, "volumes-alike"),
        *("scores-base-suspect", "scores-reversed-suspect", "scores-slice-empty"),
    )
)
"""What only a closer look finds, and may say of a thing that lands that it is wrong."""


class _Measure(NamedTuple):
    """Numbers of a class in an item: of a thousand items with a hundred classes each 10 MB.

    ``position`` is that of its mask in the item, ``value`` its pixel value; ``x``, ``y``, ``z`` are
    its centroid (RAS+ mm), ``astray`` the share of its voxels in parts far from the largest one,
    ``at_edge`` whether it reaches the edge of its image, and ``i``, ``j``, ``k`` a voxel of what is
    astray.
    """

    position: float
    value: float
    mm3: float
    x: float
    y: float
    z: float
    astray: float
    at_edge: float
    i: float
    j: float
    k: float


@dataclass(frozen=True, eq=False)
class ClassOutlier:
    """A class of an item that stands out of the same class in other items."""

    item: str  # the name of the item
    path: str  # the file that it is in, relative to the source
    name: str  # the class; empty for all classes together
    value: int  # the pixel value that it has in the file; 0 for all classes together
    # What stands out: a volume (mm3), a place (mm) or a share of voxels (0 to 1), of all items.
    number: Outlier

    def told(self, number: float) -> str:
        """Return a number of this kind in words: ``1,480 ml``, ``58 mm right``, ``30%``."""
        if self.number.measure == "place":
            return f"{_short(abs(number))} mm {WAYS[self.number.axis][number > 0]}"
        if self.number.measure == "parts":
            return f"{number:.0%}"
        is_large = np.median(self.number.others) >= ML
        return f"{_short(number / ML)} ml" if is_large else f"{_short(number)} mm³"

    @property
    def reach(self) -> str:
        """The range of the other items in words: ``1,100 to 1,900 ml``."""
        low, high = (self.told(float(number)) for number in self.number.others[[0, -1]])
        unit = low[low.find(" ") :] if " " in low else "%"
        return f"{low.removesuffix(unit) if high.endswith(unit) else low} to {high}"

    @property
    def message(self) -> str:
        """What stands out, with this item's number, the median and range of the others, and z."""
        number, own = self.number, self.told(self.number.value)
        where = {"classes": "its other classes", "image": "the middle of its image"}
        where_from = where.get(number.beside, "")
        lies = f"{self.name} lies" if self.name else "its classes together lie"
        said = {
            "volume": f"{self.name} has {own}",
            "place": f"{lies} {own} of {where_from}",
            "parts": f"{own} of {self.name} lies far from its largest part",
        }[number.measure]
        by = f" beside {where_from}" * (number.measure == "volume" and bool(where_from))
        others = counted(len(number.others), "other item")
        median = f"the median is {self.told(number.median)} ({self.reach})"
        return f"{said}; in {others} {median}, z {number.z:.1f}{by}"


def _short(number: float) -> str:
    """Return a number with three digits, and all of those before the point."""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"  # noqa: PLR2004


def keep_told(dataset: Dataset, found: Iterable[Finding]) -> None:
    """Keep what a check of every voxel of a dataset found that a plan does not find itself."""
    dataset.memory[TOLD] = tuple(one for one in found if one.code in TOO)


def told_before(dataset: Dataset) -> tuple[Finding, ...] | None:
    """Return what the last check of every voxel found, and a plan does not; None without one."""
    found: tuple[Finding, ...] | None = dataset.memory.get(TOLD)
    return found


def outliers_behind(dataset: Dataset, found: Finding) -> tuple[ClassOutlier, ...]:
    """Return what a finding of a dataset says to stand out; nothing for another finding."""
    known: dict[tuple[str, str], tuple[ClassOutlier, ...]] = dataset.memory.get(OUTLIERS, {})
    return known.get((found.code, found.path), ())


# Measuring


class Measured:
    """Collects the measures of items, and finds the outliers among those of a kind.

    What stands out is kept with the dataset (:func:`outliers_behind`).
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._kinds: defaultdict[str, _Kind] = defaultdict(_Kind)
        self._seen: set[ImageFile] = set()

    def add(self, survey: ItemSurvey, looks: Looks) -> None:
        """Measure the classes of an item; a mask of several images counts once."""
        if len(self._dataset.items) < MIN_ITEMS:
            return
        masks = [
            (position, mask)
            for position, mask in enumerate(survey.masks)
            if mask.mask.image in looks.keys() - self._seen and _is_placed(mask)
        ]
        if not masks:
            return
        self._seen |= {mask.mask.image for _, mask in masks}
        found: defaultdict[str, list[_Measure]] = defaultdict(list)
        for position, mask in masks:
            shapes = looks[mask.mask.image].shapes
            for name, label in _structures(self._dataset, survey.item, mask):
                found[name] += _measures(mask, label, shapes, position)
        grid = masks[0][1].mask.grid
        kind = self._kinds[_plane_of(survey.item, grid)]
        # Several objects of one class are no one structure.
        kind.add(survey.item, grid, {name: own[0] for name, own in found.items() if len(own) == 1})

    def findings(self) -> tuple[Finding, ...]:
        """Return what stands out; a finding for each file and code."""
        found: defaultdict[tuple[str, str], list[_Found]] = defaultdict(list)
        for kind in self._kinds.values():
            for one in kind.outliers():
                found[one.code, one.outlier.path].append(one)
        self._dataset.memory[OUTLIERS] = {
            key: tuple(one.outlier for one in some) for key, some in found.items()
        }
        return tuple(_told(found))


def _told(found: Mapping[tuple[str, str], list[_Found]]) -> Iterator[Finding]:
    for (code, path), some in found.items():
        hints = dict.fromkeys(hint for one in some for hint in one.hints)
        said = listed([one.outlier.message for one in some], SHOWN, "; and ")
        if code == CUT:
            said += "; it reaches the edge of the image, which may cut it off"
        message = "; ".join([said, *(hint.message for hint in hints)])
        remedy = " ".join([*(hint.remedy for hint in hints), RIGHT] if hints else [])
        yield finding(code, path, message, remedy=remedy, voxel=some[0].voxel)


def _is_placed(mask: MaskSurvey) -> bool:
    """Say whether a mask lies where it should, as far as its header tells: others are errors."""
    is_there = mask.alignment is None or mask.alignment.lands
    return mask.labels is not None and not mask.mask.grid.problem and is_there


def _plane_of(item: Item, grid: Grid) -> str:
    """Return the plane that an item is cut along: those of a kind show the same part of a body."""
    if item.plane is not None:
        return item.plane
    (thin, thick), axis = np.sort(grid.to_ras().voxel_size)[1:], np.argmax(grid.to_ras().voxel_size)
    sliced = next(plane for plane, normal in PLANES.items() if normal == axis)
    return sliced if thick >= SLICED * thin and sliced != "axl" else ""


def _structures(dataset: Dataset, item: Item, mask: MaskSurvey) -> Iterator[tuple[str, Label]]:
    """Yield the labels of a mask with the names of their classes."""
    own = classes_of(dataset, item, mask.mask)
    for label in mask.labels.labels if mask.labels else ():
        number, origin = mask.mask.class_number(label.value), mask.mask.origins.get(label.value)
        if mask.mask.class_name is not None and class_is_name(dataset, item, mask):
            yield mask.mask.class_name, label
        elif item.segmentation == "semantic" and origin is not None and origin.name:
            yield origin.name, label
        else:
            number = number if item.segmentation == "semantic" else mask.mask.index or 1
            entry = own.by_value(number)
            yield entry.name if entry else f"Segment_{number}", label


def _measures(mask: MaskSurvey, label: Label, shapes: ShapeSurvey, position: int) -> list[_Measure]:
    """Return the measure of a label, or none where its profiles were not kept."""
    profiles = shapes.profiles.get(label.value)
    if profiles is None:
        return []
    grid = mask.mask.grid
    centre = [float(counts @ np.arange(len(counts))) / label.voxels for counts in profiles]
    mm3 = label.voxels * abs(float(np.linalg.det(grid.affine[:3, :3])))
    parts = shapes.parts.get(label.value, ())
    far = _far_parts(parts, grid, (6 * mm3 / np.pi) ** (1 / 3))
    astray = sum(part.voxels for part in far) / label.voxels if parts else np.nan
    seed = far[0].seed if far else (-1, -1, -1)
    at_edge = _is_at_edge(mask, label)
    x, y, z = grid.world(centre).tolist()
    return [_Measure(position, label.value, mm3, x, y, z, astray, at_edge, *seed)]


def _far_parts(parts: Sequence[Part], grid: Grid, diameter: float) -> list[Part]:
    """Return the parts of a class that lie far from its largest one."""
    total = sum(part.voxels for part in parts)
    large = [part for part in parts if part.voxels >= SMALL_PART * total]
    return [part for part in large if _gap(part, parts[0], grid) > FAR * diameter]


def _gap(part: Part, other: Part, grid: Grid) -> float:
    """Return how far the boxes of two parts are from each other (mm)."""
    between = [max(0, a.start - b.stop, b.start - a.stop) for a, b in zip(part.box, other.box)]  # noqa: B905
    return float(np.linalg.norm(np.multiply(between, grid.voxel_size)))


def _is_at_edge(mask: MaskSurvey, label: Label) -> bool:
    """Say whether a label reaches the edge of its volume, which may cut it off."""
    box, shape = label.box, mask.mask.grid.shape
    if mask.cutout is not None and mask.orientation is not None:
        box = mask.cutout.moved(mask.orientation.apply_box(box, shape))
        shape = mask.cutout.shape
    sides = zip(box, shape, strict=True)
    return any(size > 1 and (side.start == 0 or side.stop == size) for side, size in sides)


# Comparing


class _Hint(NamedTuple):
    """What would bring the classes of an item to where they are in the others."""

    message: str
    remedy: str


class _Found(NamedTuple):
    """An outlier with its code, what would mend it, and a voxel to look at."""

    outlier: ClassOutlier
    code: str
    hints: tuple[_Hint, ...]
    voxel: tuple[int, int, int] | None


class _Kind:
    """The measures of items that are cut along one plane."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._grids: list[Grid] = []
        self._names: dict[str, int] = {}
        self._numbers = array("d")

    def add(self, item: Item, grid: Grid, measures: Mapping[str, _Measure]) -> None:
        """Keep the measures of an item's classes; ``grid`` is that of its masks."""
        row = len(self._items)
        self._items.append(item)
        self._grids.append(grid)
        for name, measure in measures.items():
            self._numbers.extend((row, self._names.setdefault(name, len(self._names)), *measure))

    def outliers(self) -> Iterator[_Found]:
        """Yield what stands out of the classes that are in enough items."""
        self._arrange()
        if not self._named:
            return
        volumes, astray = self._table("mm3"), self._table("astray")
        apart = list(part_outliers(astray))
        yield from map(self._found, (*volume_outliers(volumes), *apart))
        # The centroid of a class in far parts is in neither of them: that is told already.
        told = {(one.row, one.column) for one in apart}
        for displaced in place_outliers(self._places(volumes)):
            hints = tuple(self._hints(displaced))
            for one in displaced.outliers:
                if (one.row, one.column) not in told:
                    yield self._found(one, hints)

    def _arrange(self) -> None:
        """Make a table of the measures: (items, classes, numbers), NaN where there is none."""
        numbers = np.frombuffer(self._numbers).reshape(-1, 2 + len(_Measure._fields))
        rows, columns = (numbers[:, at].astype(np.intp) for at in (0, 1))
        enough = np.bincount(columns, minlength=len(self._names)) >= MIN_ITEMS
        self._named = [name for name, column in self._names.items() if enough[column]]
        place = np.cumsum(enough) - 1
        kept = enough[columns]
        shape = (len(self._items), len(self._named), len(_Measure._fields))
        self._measures = np.full(shape, np.nan)
        self._measures[rows[kept], place[columns[kept]]] = numbers[kept, 2:]

    def _table(self, *names: str) -> npt.NDArray[np.float64]:
        found = self._measures[..., [_Measure._fields.index(name) for name in names]]
        return found[..., 0] if len(names) == 1 else found

    def _places(self, volumes: npt.NDArray[np.float64]) -> Places:
        images = [None if item.volume is None else item.volume.grid for item in self._items]
        fields = [_field(grid) for grid in images]
        return Places(
            self._table("x", "y", "z"),
            np.array([centre for centre, _ in fields]),
            np.array([lengths for _, lengths in fields]),
            np.array([grid.directions.T for grid in self._grids]),
            (6 * middle(volumes) / np.pi) ** (1 / 3),
            float(np.median([max(grid.voxel_size) for grid in self._grids])),
        )

    def _measure(self, row: int, column: int) -> _Measure:
        return _Measure(*self._measures[row, column].tolist())

    def _found(self, number: Outlier, hints: tuple[_Hint, ...] = ()) -> _Found:
        item, is_one = self._items[number.row], number.column < len(self._named)
        columns = [number.column] if is_one else range(len(self._named))
        own = [self._measure(number.row, column) for column in columns]
        own = [measure for measure in own if not np.isnan(measure.mm3)]
        name, value = (self._named[number.column], int(own[0].value)) if is_one else ("", 0)
        path = str(item.masks[int(own[0].position)].relative)
        at_edge = any(measure.at_edge for measure in own)
        code = CUT if at_edge and not hints else CODES[number.measure]
        i, j, k = map(int, own[0][-3:])
        voxel = (i, j, k) if number.measure == "parts" else None
        return _Found(ClassOutlier(item.name, path, name, value, number), code, hints, voxel)

    def _hints(self, displaced: Displaced) -> Iterator[_Hint]:
        """Yield what would bring the classes of an item to where they are in the others."""
        row = displaced.outliers[0].row
        item = self._items[row]
        if displaced.exchanged:
            yield self._exchanged(item, row, displaced.exchanged)
        if displaced.mirrored is not None:
            yield _mirrored(item, self._grids[row], displaced.mirrored)

    def _exchanged(self, item: Item, row: int, columns: tuple[int, ...]) -> _Hint:
        names = " and ".join(self._named[column] for column in columns)
        own = [self._measure(row, column) for column in columns]
        files = [item.masks[int(measure.position)] for measure in own]
        one, other = (int(measure.value) for measure in own)
        if files[0] is files[1]:
            remedy = (
                f"If they are: exchange the values {one} and {other} where {files[0].relative} was "
                "made, and save it again."
            )
        else:
            paths = " and ".join(str(file.relative) for file in files)
            remedy = f"If they are: exchange the names of {paths}."
        return _Hint(f"they lie as in the other items if {names} are exchanged", remedy)


def _field(grid: Grid | None) -> tuple[list[float], list[float]]:
    """Return the middle of an image, and its lengths along R, A and S (mm)."""
    if grid is None or grid.problem:
        return [np.nan] * 3, [np.nan] * 3
    first, edges = grid.field_of_view()
    return (first + edges.sum(axis=1) / 2).tolist(), np.abs(edges).sum(axis=1).tolist()


_OTHER_END = dict(zip("RLAPSI", "LRPAIS", strict=True))


def _mirrored(item: Item, grid: Grid, axis: int) -> _Hint:
    """Return what is said of masks that fit the other way round along an axis of their grid."""
    codes = grid.axis_codes
    order = codes[:axis] + _OTHER_END[codes[axis]] + codes[axis + 1 :]
    message = (
        f"they lie as in the other items if the voxels run the other way along {'ijk'[axis]} "
        f"({order} in place of {codes})"
    )
    if item.volume is None or item.volume.grid.shape != grid.shape:
        return _Hint(message, "If they do: save the mask again where it was made.")
    paths = [str(mask.relative) for mask in item.masks]
    files = repr(paths[0] if len(paths) == 1 else paths)
    remedy = (
        f"If they do: nk.repairs.take_header(dataset, {files}, order={order!r}) turns them round."
    )
    return _Hint(message, remedy)
