"""Contents: what the items of a data set have, and how much of each class."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import NamedTuple

import numpy as np

from nifti_kit.core.geometry import PLANES, Grid, ras_orientation
from nifti_kit.core.html import Illustration
from nifti_kit.core.text import listed
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.datasets.reading import Asked, Found, side_by_side
from nifti_kit.formats.class_maps import Color
from nifti_kit.formats.labels import MAX_LABEL
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.pages.samples import Greys, Sample, greys_of, sample_labels, sample_volume
from nifti_kit.plans.planner import ItemPlanner
from nifti_kit.render import Artist, Look, Stack, best_position, presets_of
from nifti_kit.render.miniature import illustration
from nifti_kit.render.miniature import miniature as drawn
from nifti_kit.render.scene import BY_NORMAL
from nifti_kit.targets.records import PlannedItem

# A small picture of an item, with its masks in the colours that they land in


LONGEST = 200
"""The longer side (pixels): two stand side by side on a phone."""

NAMED = 4
"""Classes that a caption names before it counts the rest."""


def miniature(
    item: Item, planned: PlannedItem, samples: Mapping[ImageFile, Sample]
) -> Illustration | None:
    """Return the slice of an item that shows most of its classes; None where nothing can be seen.

    The slice is of the item's own plane, axial where it has none; the patient's right is on the
    left (radiological convention). Where there is no volume, the masks are drawn on black.
    """
    base = item.images[0] if item.images else None
    if base is None or base not in samples or base.grid.problem:
        return None
    sample = samples[base]
    ras = sample.grid.to_ras()
    greys = ras_orientation(sample.grid).apply(sample.voxels)
    if item.volume is None:
        greys = np.zeros_like(greys)
    colors = {found.class_name: found.color for found in planned.objects}
    layers = _stack(planned, samples, ras, list(colors)).layers
    position = best_position(ras, layers)
    plane = BY_NORMAL[PLANES[item.plane or "axl"]]
    with np.errstate(all="ignore"):  # grey values may be anything
        window = next(iter(presets_of(greys).values()))
    limits = (0.0, 1.0) if item.volume is None else window.limits
    artist = Artist(greys, ras, [("", layers)], list(colors.values()))
    pixels = drawn(artist, plane, Look(position, limits), LONGEST)
    return illustration(pixels, f"{plane.title}, {listed(colors, NAMED) or 'no masks'}")


def _stack(
    planned: PlannedItem, samples: Mapping[ImageFile, Sample], ras: Grid, names: list[str]
) -> Stack:
    """Return the samples of an item's masks with the numbers of its classes, from 1."""
    stack = Stack(ras, len(names))
    for mask, objects in groupby(planned.objects, key=lambda found: found.mask):
        if (sample := samples.get(mask.image)) is None:
            continue
        numbers = np.zeros(MAX_LABEL + 1, dtype=stack.dtype)
        for found in objects:
            numbers[found.value] = names.index(found.class_name) + 1
        stack.add(numbers[sample.voxels], sample.grid)
    return stack


MM3_PER_ML = 1000.0

PICTURES = 48
"""Items that are drawn: about 1 MB of a page, and half a minute of large volumes."""


@dataclass(frozen=True, eq=False)
class ItemContent:
    """What an item has."""

    item: Item  # the item
    greys: Greys | None  # the values of its volume; None where there is none that can be read
    objects: int  # how many objects its masks hold
    amounts: dict[str, float]  # by the name of a class, how much there is of it (ml)

    @property
    def image(self) -> ImageFile | None:
        """The file whose shape and place stand for the item: the volume, else the first mask."""
        return self.item.images[0] if self.item.images else None

    @property
    def axes(self) -> str:
        """Where its axes point to, such as ``RAS``; ``?`` where its header does not say."""
        if self.image is None:
            return ""
        return "?" if self.image.grid.problem else self.image.grid.axis_codes


@dataclass(eq=False)
class ClassContent:
    """How much there is of a class in each item that has it."""

    value: int  # its pixel value, or the index of its files where each file is a class
    # As they will land; RGB of 0 to 255. The colour is None for a class that does not occur, and to
    # which the class map gives none.
    name: str
    color: Color | None
    amounts: dict[str, float] = field(default_factory=dict)  # by the name of an item (ml)

    @property
    def median(self) -> float | None:
        """The median of its amounts (ml); None where it does not occur."""
        return statistics.median(self.amounts.values()) if self.amounts else None


class Seen(NamedTuple):
    """What one reading of the volumes gives: their grey values and pictures, by item."""

    greys: dict[str, Greys | None]
    pictures: dict[str, Illustration]


class Contents(NamedTuple):
    """Items and classes, in the order of the data set and by value."""

    items: tuple[ItemContent, ...]
    classes: tuple[ClassContent, ...]


def look_through(dataset: Dataset, items: Iterable[Item]) -> Seen:
    """Read the volumes of items once, side by side; draw the first :data:`PICTURES` items."""
    drawn = set(dataset.items[:PICTURES])

    def asked(item: Item) -> Asked:
        if item not in drawn:
            images = [] if item.volume is None else [item.volume]
            return {("greys", image): partial(greys_of, dataset, image) for image in images}
        masks: Asked = {
            ("labels", mask.image): partial(sample_labels, mask.image) for mask in item.masks
        }
        if item.volume is None:
            return masks
        return {("volume", item.volume): partial(sample_volume, dataset, item.volume)} | masks

    seen, planner = Seen({}, {}), ItemPlanner(dataset)
    for item, found in side_by_side(items, asked):
        seen.greys[item.name] = _greys_in(item, found)
        if item in drawn:
            samples = dict(_samples_in(found))
            picture = miniature(item, planner.volume(item), samples)
            seen.pictures.update({item.name: picture} if picture is not None else {})
    return seen


def _greys_in(item: Item, found: Found) -> Greys | None:
    if item.volume is None:
        return None
    if ("greys", item.volume) in found:
        greys: Greys | None = found["greys", item.volume].result()
        return greys
    sampled = found["volume", item.volume].result()
    return None if sampled is None else sampled[0]


def _samples_in(found: Found) -> Iterator[tuple[ImageFile, Sample]]:
    for (what, image), future in found.items():
        result = future.result()
        if result is not None:
            yield image, result[1] if what == "volume" else result


def contents_of(dataset: Dataset, seen: Seen) -> Contents:
    """Return what each item has; masks that were checked are not read again."""
    planner, classes = ItemPlanner(dataset), dict[str, ClassContent]()
    items = []
    for item in dataset.items:
        amounts: dict[str, float] = {}
        objects = planner.volume(item).objects
        for planned in objects:
            voxel = abs(float(np.linalg.det(planned.mask.grid.affine[:3, :3]))) / MM3_PER_ML
            name = planned.class_name
            amounts[name] = amounts.get(name, 0.0) + planned.voxels * voxel
            classes.setdefault(name, ClassContent(planned.value, name, planned.color))
        for name, amount in amounts.items():
            classes[name].amounts[item.name] = amount
        items.append(ItemContent(item, seen.greys.get(item.name), len(objects), amounts))
    for known in planner.classes():
        classes[known.name].value = known.value
    for entry in dataset.classes:
        classes.setdefault(entry.name, ClassContent(entry.value, entry.name, entry.color))
    ordered = sorted(classes.values(), key=lambda found: (found.value, found.name))
    return Contents(tuple(items), tuple(ordered))


def kinds(items: Sequence[ItemContent]) -> dict[str, Counter[str]]:
    """Return what of headers is the same in how many items: shapes, voxel sizes, axes, types."""
    images = [(one, one.image) for one in items if one.image is not None]
    return {
        "Shape": Counter(by(image.shape) for _, image in images),
        "Voxel size (mm)": Counter(by(image.grid.voxel_size) for _, image in images),
        "Axes": Counter(one.axes for one, _ in images),
        "Type": Counter(image.dtype.name for _, image in images),
    }


def by(numbers: Iterable[float]) -> str:
    """Return numbers as ``0.7 x 0.7 x 3``."""
    return " x ".join(f"{number:.4g}" for number in numbers)
