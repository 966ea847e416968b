"""Figures: an image with its masks in three planes, as planned and as read back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.errors import NiftiKitError
from nifti_kit.geometry import Grid
from nifti_kit.labels import Box, read_labels
from nifti_kit.plans import Plan, PlannedItem
from nifti_kit.plots.pictures import Picture, three_planes
from nifti_kit.ras import open_volume
from nifti_kit.scenes import Color, Mask
from nifti_kit.targets.base import ObjectRef, Target, VolumeRef

__all__ = ["Mask", "Picture", "landed", "planned", "three_planes"]


def planned(
    plan: Plan,
    item: PlannedItem | str | int = 0,
    *,
    at: Sequence[int | None] | None = None,
    window: tuple[float, float] | None = None,
) -> Picture:
    """Return an item of a plan in three planes, from its source files.

    Parameters
    ----------
    plan
        What :func:`nifti_kit.plan` returned; it may have blockers.
    item
        One of ``plan.items``, its name, or its place in them (from 0).
    at, window
        As :func:`three_planes` has them.

    Raises
    ------
    NiftiKitError
        If there is no such item, its volume is not among the source files, or one is damaged.
    """
    chosen = _chosen_item(plan, item)
    if chosen.volume is None:
        raise NiftiKitError(
            f"the volume of {chosen.name!r} is on the target, not in the source",
            remedy=f"Upload, then plots.landed(target, {chosen.volume_id}).",
        )
    volume = open_volume(chosen.volume)
    title = f"{chosen.name} as planned, from {chosen.volume.relative}"
    masks = _planned_masks(chosen)
    return three_planes(volume.array(), volume.grid, masks, at=at, window=window, title=title)


def landed(
    target: Target,
    volume: VolumeRef | str | int,
    *,
    at: Sequence[int | None] | None = None,
    window: tuple[float, float] | None = None,
) -> Picture:
    """Return a volume of a target in three planes, read back with its objects.

    Parameters
    ----------
    target
        Such as :class:`nifti_kit.ProjectFolder`.
    volume
        One of ``target.volumes()``, its id, or its name.
    at, window
        As :func:`three_planes` has them.

    Raises
    ------
    NiftiKitError
        If there is no such volume, or several of that name.
    """
    ref = _chosen_volume(target, volume)
    colors = {found.name: found.color for found in target.classes()}
    voxels = np.stack([page.copy() for page in target.iter_volume(ref.id)], axis=2)
    masks = (
        _landed_mask(target, found, colors[found.class_name])
        for found in target.objects(ref.id)
        if found.figure_key  # an object without a 3D figure has nothing to draw
    )
    title = f"{ref.name} as landed, read back from dataset {ref.dataset}, volume {ref.id}"
    return three_planes(voxels, ref.grid, masks, at=at, window=window, title=title)


def _chosen_item(plan: Plan, item: PlannedItem | str | int) -> PlannedItem:
    if isinstance(item, PlannedItem):
        return item
    found = [there for at, there in enumerate(plan.items) if item in (at, there.name)]
    if found:
        return found[0]
    names = [f"{at} ({there.name})" for at, there in enumerate(plan.items)]
    raise NiftiKitError("the plan has no such item", found=repr(item), expected=_listed(names))


def _chosen_volume(target: Target, volume: VolumeRef | str | int) -> VolumeRef:
    if isinstance(volume, VolumeRef):
        return volume
    there = target.volumes()
    found = [ref for ref in there if volume in (ref.id, ref.name)]
    if len(found) == 1:
        return found[0]
    raise NiftiKitError(
        f"the target has {len(found) or 'no'} volumes of this id or name",
        found=repr(volume),
        expected=_listed([f"{ref.id} ({ref.dataset}/{ref.name})" for ref in there]),
        remedy="Give the id.",
    )


def _listed(names: Sequence[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more or "nothing, for there is none"


def _planned_masks(item: PlannedItem) -> Iterator[Mask]:
    """Yield an item's objects, cropped; one label map is in memory at a time."""
    for mask, objects in groupby(item.objects, key=lambda planned: planned.mask):
        voxels = read_labels(mask.image).voxels
        for planned in objects:
            box = planned.label.box
            inside = voxels[box] == planned.value
            yield Mask(planned.class_name, planned.color, inside, _cropped(mask.grid, box))


def _landed_mask(target: Target, found: ObjectRef, color: Color) -> Mask:
    """Return an object of a target, cropped."""
    inside = np.stack([page != 0 for page in target.iter_mask(found)], axis=2)
    box = (_extent(inside, 0), _extent(inside, 1), _extent(inside, 2))
    grid = _cropped(target.mask_grid(found), box)
    return Mask(found.class_name, color, inside[box].copy(), grid)


def _extent(inside: npt.NDArray[Any], axis: int) -> slice:
    others = tuple(other for other in range(3) if other != axis)
    at = np.flatnonzero(inside.any(axis=others))
    return slice(int(at[0]), int(at[-1]) + 1) if len(at) else slice(0, 0)


def _cropped(grid: Grid, box: Box) -> Grid:
    affine = grid.affine.copy()
    affine[:3, 3] = grid.world([part.start for part in box])
    return Grid(_lengths(box), affine)


def _lengths(box: Iterable[slice]) -> tuple[int, int, int]:
    i, j, k = (part.stop - part.start for part in box)
    return i, j, k
