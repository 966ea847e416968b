"""Figures: images with their masks, scores, class sizes, boards, one mask in two places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nifti_kit.core.text import listed
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.volumes import open_volume
from nifti_kit.plans.plan import Plan, entry_text
from nifti_kit.plots.alignment import two_places
from nifti_kit.plots.boards import Tile, contact_sheet, planned_masks, planned_sheet, tile_of
from nifti_kit.plots.classes import ClassSize, class_sizes, class_volumes
from nifti_kit.plots.figure import Picture, noticed
from nifti_kit.plots.planes import masks_alone, three_planes
from nifti_kit.plots.scores import score_map, scored
from nifti_kit.render.scene import Mask
from nifti_kit.targets.reading import chosen_volume, landed_masks
from nifti_kit.targets.records import PlannedItem, VolumeRef, updates_text
from nifti_kit.targets.target import Target

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

SHOWN = 10
"""Items that an error names before it counts the rest."""


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
    ref = chosen_volume(target, volume)
    voxels = np.stack([page.copy() for page in target.iter_volume(ref.id)], axis=2)
    masks = landed_masks(target, target.objects(ref.id))
    title = f"{ref.name} as landed, read back from dataset {ref.dataset}, volume {ref.id}"
    return three_planes(voxels, ref.grid, masks, at=at, window=window, title=title)


def _chosen_item(plan: Plan, item: PlannedItem | str | int) -> PlannedItem:
    if isinstance(item, PlannedItem):
        return item
    found = [there for at, there in enumerate(plan.items) if item in (at, there.name)]
    if found:
        return found[0]
    names = [f"{at} ({there.name})" for at, there in enumerate(plan.items)]
    raise NiftiKitError(
        "the plan has no such item", found=repr(item), expected=listed(names, SHOWN)
    )
