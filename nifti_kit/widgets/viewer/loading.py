"""Loading: the masks of plans, datasets, targets and arrays as layers of class numbers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import Grid, Orientation, fields_meet, placed_on, ras_orientation
from nifti_kit.core.memory import mapped_array
from nifti_kit.core.parallel import ahead, going_on
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.datasets.surveys import labels_of
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.labels import Box, common_box, read_box
from nifti_kit.formats.nifti import ImageFile, iter_blocks
from nifti_kit.formats.volumes import RasVolume, open_volume, value_dtype
from nifti_kit.plans.plan import Plan
from nifti_kit.plans.planner import ItemPlanner
from nifti_kit.render.layers import Layer, Stack, renumbered
from nifti_kit.render.paint import mark_of
from nifti_kit.render.position import Position, Window, best_position, presets_of
from nifti_kit.render.scene import Color, Mask
from nifti_kit.targets.reading import drawings
from nifti_kit.targets.records import ObjectRef, PlannedItem, PlannedObject, VolumeRef
from nifti_kit.targets.target import Target
from nifti_kit.widgets.parts.tasks import Cancelled
from nifti_kit.widgets.viewer.reading import KeptLabels, Stamp, is_surveyed, stamp_of

CANCELLED = "its reading was cancelled"
"""Why a mask is not shown that a person did not wait for."""

READERS = 2
"""Label maps that are read side by side, and so are in memory together: beyond it Python's lock
leaves little to gain."""


@dataclass(frozen=True)
class ViewClass:
    """A class of a legend: its number is its place there, from 1, and what layers hold.

    The mark is the letter that stands for it on outlines; voxels are counted in its own files.
    """

    number: int
    name: str
    color: Color
    mark: str
    voxels: int


@dataclass(frozen=True, eq=False)
class Overlay:
    """Masks that are drawn together: a title, layers from the bottom to the top, and notes."""

    title: str
    layers: tuple[Layer, ...]
    notes: tuple[str, ...]


class Named(NamedTuple):
    """A mask's part in the legend: class, colour, voxels."""

    name: str
    color: Color
    voxels: int


@dataclass(frozen=True, eq=False)
class Piece:
    """A label map that is about to be drawn: its file or class, its classes by value, its place.

    ``read`` gives the values as an array of the caller's own. ``source`` is what they are read
    from: the same voxels where it is equal, None where that is not known.
    """

    origin: str
    parts: dict[int, Named]
    grid: Grid
    read: Callable[[], npt.NDArray[Any]]
    source: Hashable = None

    @property
    def voxels(self) -> int:
        """How many have a class."""
        return sum(part.voxels for part in self.parts.values())


_NOWHERE = Grid((1, 1, 1), np.eye(4))
"""The grid of what is not drawn."""


class Drawing(NamedTuple):
    """The legend, the overlays that it speaks of, and the position that shows most of them."""

    classes: tuple[ViewClass, ...]
    overlays: tuple[Overlay, ...]
    position: Position


def drawn(
    image: Grid, sets: Sequence[tuple[str, Sequence[Piece]]], *, is_whole: bool = False
) -> Drawing:
    """Return the legend and layers of sets of label maps, each with a title.

    Of label maps that lie on one another the one with fewer voxels is on top: a lesion stays
    visible on its organ. Besides the layers, as many label maps are in memory as are read side by
    side; one that has the image's voxels becomes a layer itself. Classes of one name are one.

    With ``is_whole``, as where sets are compared, one that cannot be read is an error, else a note.
    """
    classes = _legend(sets)
    numbers = {found.name: found.number for found in classes}
    overlays = [_overlay(image, title, pieces, numbers, is_whole) for title, pieces in sets]
    every = [layer for overlay in overlays for layer in overlay.layers]
    return Drawing(classes, tuple(overlays), best_position(image, every))


def _legend(sets: Sequence[tuple[str, Sequence[Piece]]]) -> tuple[ViewClass, ...]:
    """Return the classes in the order in which they are met; the first set counts the voxels."""
    colors: dict[str, Color] = {}
    voxels: dict[str, int] = {}
    for _, pieces in sets:
        counts: dict[str, int] = {}
        for part in (part for piece in pieces for part in piece.parts.values()):
            colors.setdefault(part.name, part.color)
            counts[part.name] = counts.get(part.name, 0) + part.voxels
        voxels = {**counts, **voxels}
    return tuple(
        ViewClass(number, name, color, mark_of(number), voxels[name])
        for number, (name, color) in enumerate(colors.items(), start=1)
    )


def _overlay(
    image: Grid, title: str, pieces: Sequence[Piece], numbers: dict[str, int], is_whole: bool
) -> Overlay:
    stack, notes = Stack(image, len(numbers)), []
    ordered = sorted(pieces, key=lambda piece: -piece.voxels)
    with ThreadPoolExecutor(READERS) as pool:
        read = ahead(pool, lambda piece: _numbered(piece, numbers, stack.dtype), ordered, READERS)
        for piece, found in zip(ordered, read, strict=True):
            if isinstance(found, NiftiKitError | Cancelled):
                if is_whole:
                    raise found
                why = CANCELLED if isinstance(found, Cancelled) else found.message
                notes.append(f"{piece.origin} is not shown: {why}")
                continue
            fits = stack.add(found, piece.grid)
            if not fields_meet(piece.grid, image):
                notes.append(f"{piece.origin} lies outside the volume")
            elif not fits:
                notes.append(f"{piece.origin} is not on the volume's voxels: drawn where it lies")
    return Overlay(title, stack.layers, tuple(notes))


def _numbered(
    piece: Piece, numbers: Mapping[str, int], dtype: np.dtype[Any]
) -> npt.NDArray[Any] | NiftiKitError | Cancelled:
    """Return a label map with the numbers of its classes in place of its values, or its fault."""
    try:
        values = piece.read()
    except (NiftiKitError, Cancelled) as error:
        return error.with_traceback(None)  # which would hold the buffers of the reading
    # Values without a class are background.
    most = max((int(values.max(initial=0)), *piece.parts))
    table = np.zeros(most + 1, dtype=dtype)
    for value, part in piece.parts.items():
        table[value] = numbers[part.name]
    return renumbered(values, table)


def of_planned(
    objects: Iterable[PlannedObject],
    volume: ImageFile | None = None,
    kept: Mapping[ImageFile, KeptLabels] | None = None,
    stamps: Mapping[ImageFile, Stamp] | None = None,
) -> list[Piece]:
    """Return the label maps of planned objects; they are read when they are drawn.

    ``kept`` are those that were read already, ``stamps`` what the files were then.
    """
    pieces = []
    for mask, group in groupby(objects, key=lambda planned: planned.mask):
        found, image = list(group), mask.image
        parts = {one.value: Named(one.class_name, one.color, one.voxels) for one in found}
        box = common_box(one.label.box for one in found)
        stamp = (stamps or {}).get(image)
        source = None if stamp is None else (stamp, box)
        known = (kept or {}).get(image)
        if known is not None and known.is_whole and _covers(image.grid, volume):
            box = known.box

        def read(
            image: ImageFile = image, box: Box = box, known: KeptLabels | None = known
        ) -> npt.NDArray[Any]:
            voxels = None if known is None else known.taken(box)
            return read_box(image, box) if voxels is None else voxels

        pieces.append(Piece(str(mask.relative), parts, mask.grid.cropped(box), read, source))
    return pieces


def unseen(dataset: Dataset, item: Item) -> list[Piece]:
    """Return the label maps of an item that have nothing to draw, or no survey, with the reason."""
    pieces = []
    for mask in item.masks:
        origin = str(mask.relative)
        if not is_surveyed(dataset, mask.image):
            pieces.append(_failing(origin, Cancelled()))
            continue
        labels, error = labels_of(dataset, mask.image)
        if labels is not None and not labels.labels:
            error = NiftiKitError("it holds no label", path=origin)
        if error is not None:
            pieces.append(_failing(origin, error, stamp_of(mask.image)))
    return pieces


def _failing(origin: str, error: Exception, source: Hashable = None) -> Piece:
    """Return a label map that there is, and that cannot be drawn because of an error."""

    def read() -> npt.NDArray[Any]:
        raise error

    return Piece(origin, {}, _NOWHERE, read, source)


def _covers(grid: Grid, volume: ImageFile | None) -> bool:
    """Say whether a label map has all voxels of a volume, and no others."""
    if volume is None:
        return False
    whole = volume.grid.to_ras()
    place = placed_on(grid, whole)
    return place is not None and (place.first, place.shape) == ((0, 0, 0), whole.shape)


def landed(target: Target, objects: Iterable[ObjectRef]) -> list[Piece]:
    """Return the masks of a target's objects, read back; only the voxels around each are kept.

    One that cannot be read, or is not waited for, has nothing to draw, with the reason.
    """
    pieces = []
    for found, read in drawings(target, objects):
        try:
            going_on(found.class_name)
            pieces.append(of_mask(read()))
        except (NiftiKitError, Cancelled) as error:
            origin = f"{found.class_name} (object {found.id or found.key})"
            pieces.append(_failing(origin, error.with_traceback(None)))
    return pieces


def of_mask(mask: Mask) -> Piece:
    """Return a mask of one class as a piece."""

    def read() -> npt.NDArray[Any]:
        return np.asarray(mask.inside != 0).view(np.uint8)

    part = Named(mask.name, mask.color, int(np.count_nonzero(mask.inside)))
    return Piece(mask.name, {1: part}, mask.grid, read)


# Images for a viewer: grey values in RAS+ order, from a file, a target or an array


@dataclass(frozen=True, eq=False)
class RasImage:
    """Grey values (i, j, k) in RAS+ order, their grid (mm), and how stored axes became RAS+."""

    name: str
    voxels: npt.NDArray[Any]
    grid: Grid
    orientation: Orientation
    stored_shape: tuple[int, int, int]

    @classmethod
    def of_array(cls, name: str, voxels: npt.NDArray[Any], grid: Grid) -> RasImage:
        """Return an array whose axes may be in any order; refuse one without shape or place."""
        if voxels.shape != grid.shape:
            message = "the volume has another shape than its grid"
            raise NiftiKitError(message, found=voxels.shape, expected=grid.shape)
        _usable(name, grid)
        orientation = ras_orientation(grid)
        ordered = orientation.apply(voxels)
        return cls(name, ordered, grid.reoriented(orientation), orientation, grid.shape)

    @classmethod
    def of_file(cls, name: str, image: ImageFile) -> RasImage:
        """Return a volume, read from its file; one that is damaged is unreadable."""
        _usable(str(image.relative), image.grid)
        orientation, grid = ras_orientation(image.grid), image.grid.to_ras()
        voxels = (
            orientation.apply(_scaled(image)) if image.is_scaled else open_volume(image).array()
        )
        return cls(name, voxels, grid, orientation, image.shape)

    @classmethod
    def of_target(cls, target: Target, ref: VolumeRef) -> RasImage:
        """Return a volume, read back from where it landed."""
        voxels = np.stack([page.copy() for page in target.iter_volume(ref.id)], axis=2)
        return cls.of_array(ref.name, voxels, ref.grid)

    @cached_property
    def presets(self) -> dict[str, Window]:
        """The windows to choose from, by name; the first one is shown at the beginning."""
        return presets_of(self.voxels)

    def stored(self, indices: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return the indices in the stored order for those in RAS+ order, from 0."""
        there = self.orientation.index_map(self.stored_shape) @ (*indices, 1)
        i, j, k = (int(index) for index in there[:3])
        return i, j, k


def _scaled(image: ImageFile) -> npt.NDArray[Any]:
    """Return the values of a scaled volume in file order; stored numbers are there in blocks."""
    values, done = mapped_array(image.shape, value_dtype(image)), 0
    for block in iter_blocks(image):
        count = block.shape[2]
        part = RasVolume(
            Grid((*image.shape[:2], count), image.grid.affine), values.dtype, block, image
        )
        values[:, :, done : done + count] = part.array()
        done += count
    return values


def _usable(name: str, grid: Grid) -> None:
    if grid.problem:
        raise NiftiKitError("the volume's header gives it no place", path=name, found=grid.problem)


def chosen_item(source: Plan | Dataset, item: PlannedItem | Item | str | int) -> PlannedItem:
    """Return an item of a plan or dataset: itself, by its name, or by its place (from 0).

    For an item of a dataset only its own masks are read: classes that the class map gives no colour
    may get another one than in a plan of the whole dataset.
    """
    found = found_item(source, item)
    if isinstance(found, PlannedItem):
        return found
    assert isinstance(source, Dataset)
    return ItemPlanner(source).volume(found)


def found_item(source: Plan | Dataset, item: PlannedItem | Item | str | int) -> PlannedItem | Item:
    """Return an item as its source has it; nothing is read."""
    if isinstance(item, (PlannedItem, Item)):
        found: PlannedItem | Item = item
    else:
        there: tuple[PlannedItem | Item, ...] = source.items
        among = [one for at, one in enumerate(there) if item in (at, one.name)]
        if not among:
            names = ", ".join(repr(one.name) for one in there[:10]) or "no item"
            raise NiftiKitError("there is no such item", found=repr(item), expected=names)
        found = among[0]
    if isinstance(found, Item) and not isinstance(source, Dataset):
        message = "an item of a dataset is looked up in a dataset"
        raise NiftiKitError(message, found=type(source).__name__, expected="Dataset")
    return found
