"""The items of a plan on a board of small pictures."""

from __future__ import annotations

import math

import numpy as np

from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.volumes import open_volume
from nifti_kit.plans.plan import Plan, PlannedItem
from nifti_kit.plots.figure import Picture, count
from nifti_kit.plots.objects import planned_masks
from nifti_kit.plots.sheet import Tile, contact_sheet

__all__ = ["planned_sheet", "tile_of"]

PER_PAGE = 25
"""Items of a page: a board is looked at as a whole."""


def planned_sheet(
    plan: Plan,
    *,
    page: int = 1,
    per_page: int = PER_PAGE,
    window: tuple[float, float] | None = None,
) -> Picture:
    """Return a page of the items of a plan as small pictures; one volume is in memory at a time.

    Parameters
    ----------
    plan
        What :func:`nifti_kit.plan` returned.
    page
        Which page, from 1.
    per_page
        How many items a page has.
    window
        Grey values as (centre, width); by default those between the percentiles 1 and 99.

    Raises
    ------
    NiftiKitError
        If the plan has no items, or there is no such page.
    """
    pages = math.ceil(len(plan.items) / max(1, per_page))
    if not plan.items:
        raise NiftiKitError("the plan has no items to draw", remedy="plan.findings says why.")
    if not 1 <= page <= pages or per_page < 1:
        found = f"page {page} of {per_page} each"
        raise NiftiKitError("there is no such page", found=found, expected=f"1 to {pages}")
    items = plan.items[(page - 1) * per_page : page * per_page]
    title = f"{count(len(plan.items), 'item')}, page {page} of {pages}"
    return contact_sheet((tile_of(item, window=window) for item in items), title=title)


def tile_of(item: PlannedItem, *, window: tuple[float, float] | None = None) -> Tile:
    """Return an item's slice with its masks; where a file is damaged, its fault in words.

    A volume that is on the target is black; its masks are on their own grid.
    """
    try:
        if item.volume is not None:
            volume = open_volume(item.volume)
            return Tile.of(
                item.name, volume.array(), volume.grid, planned_masks(item), window=window
            )
        if not item.objects:
            return Tile(item.name, "no object lands")
        grid = item.objects[0].mask.grid
        nothing = np.broadcast_to(np.uint8(0), grid.shape)  # takes no memory
        return Tile.of(item.name, nothing, grid, planned_masks(item))
    except NiftiKitError as fault:
        return Tile(item.name, fault.message)
