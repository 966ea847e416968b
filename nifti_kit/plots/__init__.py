"""Figures: images with their masks, scores, class sizes, boards, one mask in two places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.volumes import open_volume
from nifti_kit.plans.outlines import entry_text
from nifti_kit.plans.plan import Plan, PlannedItem
from nifti_kit.plans.score_updates import updates_text
from nifti_kit.plots.alignment import two_places
from nifti_kit.plots.boards import planned_sheet, tile_of
from nifti_kit.plots.classes import ClassSize, class_sizes, class_volumes
from nifti_kit.plots.item_scores import scored
from nifti_kit.plots.notices import noticed
from nifti_kit.plots.objects import planned_masks
from nifti_kit.plots.planes import Picture, masks_alone, three_planes
from nifti_kit.plots.scores import score_map
from nifti_kit.plots.sheet import Tile, contact_sheet
from nifti_kit.render.scene import Color, Mask
from nifti_kit.targets.target import ObjectRef, Target, VolumeRef

__all__ = [
    "ClassSize",
    "Mask",
    "Picture",
    "Tile",
    "class_sizes",
    "class_volumes",
    "contact_sheet",
    "landed",
    "planned",
    "planned_sheet",
    "score_map",
    "scored",
    "three_planes",
    "tile_of",
    "two_places",
]


def planned(
    plan: Plan,
    item: PlannedItem | str | int = 0,
    *,
    at: Sequence[int | None] | None = None,
    window: tuple[float, float] | None = None,
) -> Picture:
    """Return an item of a plan in three planes, from its source files.

    Annotations whose volume is on the target are shown without an image, on the grid of the first
    mask; what has no mask either, such as scores for figures that are there, is told in words.

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
        If there is no such item, or one of its files is damaged.
    """
    if not plan.items:
        return noticed("Nothing is planned", [*map(str, plan.blockers)] or ["There are no items."])
    chosen = _chosen_item(plan, item)
    masks = planned_masks(chosen)
    if chosen.volume is not None:
        volume = open_volume(chosen.volume)
        title = f"{chosen.name} as planned, from {chosen.volume.relative}"
        return three_planes(volume.array(), volume.grid, masks, at=at, window=window, title=title)
    where = f"the volume {chosen.volume_id} is on the target"
    if chosen.objects:
        more = f" (and{updates_text(chosen.updates)[1:]})" if chosen.updates else ""
        title = f"{chosen.name} as planned{more}; {where}"
        return masks_alone(chosen.objects[0].mask.grid, masks, at=at, title=title)
    if chosen.updates:
        return noticed(f"{chosen.name}: scores alone; {where}", _scores_told(chosen))
    return noticed(f"{chosen.name}: no object lands; {where}", ["The findings say why."])


def _scores_told(item: PlannedItem) -> list[str]:
    """Return the updates of an item in words: each slice with what is there and what comes."""
    told = []
    for update in item.updates:
        told.append(update.text)
        told += [
            f"    slice {index}: {entry_text(update.old.get(index))} -> {entry_text(new)}"
            for index, new in update.new.items()
        ]
        told += [
            f"    slice {index}: {entry_text(old)} there, not in the table"
            for index, old in update.only_there.items()
        ]
    return told


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
        if found.has_figure  # an object without a 3D figure has nothing to draw
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


def _landed_mask(target: Target, found: ObjectRef, color: Color) -> Mask:
    """Return an object of a target, cropped."""
    inside = np.stack([page != 0 for page in target.iter_mask(found)], axis=2)
    box = (_extent(inside, 0), _extent(inside, 1), _extent(inside, 2))
    grid = target.mask_grid(found).cropped(box)
    return Mask(found.class_name, color, inside[box].copy(), grid)


def _extent(inside: npt.NDArray[Any], axis: int) -> slice:
    others = tuple(other for other in range(3) if other != axis)
    at = np.flatnonzero(inside.any(axis=others))
    return slice(int(at[0]), int(at[-1]) + 1) if len(at) else slice(0, 0)
