"""Images for a viewer: grey values in RAS+ order, from a file, a target or an array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import Grid, Orientation, ras_orientation
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.formats.volumes import open_volume
from nifti_kit.plans.plan import Plan
from nifti_kit.plans.planner import ItemPlanner
from nifti_kit.plans.reuse import ProjectClasses
from nifti_kit.targets.records import PlannedItem
from nifti_kit.targets.target import Target, VolumeRef

__all__ = ["RasImage", "chosen_item", "chosen_volume"]


@dataclass(frozen=True, eq=False)
class RasImage:
    """Grey values in RAS+ order.

    Attributes
    ----------
    name
        What it is called.
    voxels
        (i, j, k).
    grid
        Where they are (RAS+ mm).
    orientation, stored_shape
        How the stored axes became RAS+, and how many voxels there were along them.
    """

    name: str
    voxels: npt.NDArray[Any]
    grid: Grid
    orientation: Orientation
    stored_shape: tuple[int, int, int]

    @classmethod
    def of_array(cls, name: str, voxels: npt.NDArray[Any], grid: Grid) -> RasImage:
        """Return an array whose axes may be in any order.

        Raises
        ------
        NiftiKitError
            If its shape is not that of the grid, or the grid gives it no place.
        """
        if voxels.shape != grid.shape:
            message = "the volume has another shape than its grid"
            raise NiftiKitError(message, found=voxels.shape, expected=grid.shape)
        _usable(name, grid)
        orientation = ras_orientation(grid)
        ordered = orientation.apply(voxels)
        return cls(name, ordered, grid.reoriented(orientation), orientation, grid.shape)

    @classmethod
    def of_file(cls, name: str, image: ImageFile) -> RasImage:
        """Return a volume, read from its file.

        Raises
        ------
        UnreadableFile
            If the file is cut short or damaged.
        """
        _usable(str(image.relative), image.grid)
        opened = open_volume(image)
        return cls(name, opened.array(), opened.grid, ras_orientation(image.grid), image.shape)

    @classmethod
    def of_target(cls, target: Target, ref: VolumeRef) -> RasImage:
        """Return a volume, read back from where it landed."""
        voxels = np.stack([page.copy() for page in target.iter_volume(ref.id)], axis=2)
        return cls.of_array(ref.name, voxels, ref.grid)

    def stored(self, indices: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return the indices in the stored order for those in RAS+ order, from 0."""
        there = self.orientation.index_map(self.stored_shape) @ (*indices, 1)
        i, j, k = (int(index) for index in there[:3])
        return i, j, k


def _usable(name: str, grid: Grid) -> None:
    if grid.problem:
        raise NiftiKitError("the volume's header gives it no place", path=name, found=grid.problem)


def chosen_item(source: Plan | Dataset, item: PlannedItem | Item | str | int) -> PlannedItem:
    """Return an item of a plan or dataset: itself, by its name, or by its place (from 0).

    For an item of a dataset only its own masks are read: classes that the class map gives no
    colour may get another one than in a plan of the whole dataset.

    Raises
    ------
    NiftiKitError
        If there is no such item.
    """
    found: PlannedItem | Item
    if isinstance(item, (PlannedItem, Item)):
        found = item
    else:
        there: tuple[PlannedItem | Item, ...] = source.items
        among = [one for at, one in enumerate(there) if item in (at, one.name)]
        if not among:
            names = ", ".join(repr(one.name) for one in there[:10]) or "no item"
            raise NiftiKitError("there is no such item", found=repr(item), expected=names)
        found = among[0]
    if isinstance(found, PlannedItem):
        return found
    if not isinstance(source, Dataset):
        message = "an item of a dataset is looked up in a dataset"
        raise NiftiKitError(message, found=type(source).__name__, expected="Dataset")
    return ItemPlanner(source, None, ProjectClasses((), source.classes), None).volume(found)


def chosen_volume(target: Target, volume: VolumeRef | str | int | None) -> VolumeRef:
    """Return a volume of a target: itself, by its id, or by its name; None for the only one.

    Raises
    ------
    NiftiKitError
        If there is none, or several of that name.
    """
    if isinstance(volume, VolumeRef):
        return volume
    there = target.volumes()
    found = [ref for ref in there if volume is None or volume in (ref.id, ref.name)]
    if len(found) == 1:
        return found[0]
    which = "" if volume is None else " of this id or name"
    raise NiftiKitError(
        f"the target has {len(found) or 'no'} volumes{which}",
        found=None if volume is None else repr(volume),
        expected=", ".join(f"{ref.id} ({ref.dataset}/{ref.name})" for ref in there[:10]),
        remedy="Give the id.",
    )
