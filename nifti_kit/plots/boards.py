"""Boards: the items of a plan on a board of small pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import Grid
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.labels import LabelParts
from nifti_kit.formats.volumes import open_volume
from nifti_kit.plans.plan import Plan
from nifti_kit.plots.figure import FAINT, LINE, MARGIN, Picture, count, fitted, width_of, write
from nifti_kit.render import Look, Scene
from nifti_kit.render.miniature import miniature
from nifti_kit.render.panes import Pane
from nifti_kit.render.scene import AXIAL, BY_NORMAL, Mask, Plane
from nifti_kit.targets.records import PlannedItem

TILE, GUTTER = 1.9, 0.12
"""A small picture's side, and the gap between two (inches)."""

LONGEST = 274
"""The longer side of its slice (pixels): what the picture has there."""

ACROSS = 5
"""Small pictures beside each other: what fits a notebook."""

THICK = 1.05
"""Slices this much thicker than pixels are wide were taken that way; less is nearly isotropic."""

_NAME: dict[str, Any] = {"size": 8}
_NOTE: dict[str, Any] = {"size": 7}


@dataclass(frozen=True, eq=False)
class Tile:
    """One slice, ready to be drawn; the volume it was cut from is not kept.

    Attributes
    ----------
    name
        What is written above it.
    note
        What is written below it; a fault, where there is no picture.
    pixels
        (lines, columns, red-green-blue); None where there is no picture.
    """

    name: str
    note: str
    pixels: npt.NDArray[np.uint8] | None = None

    @classmethod
    def of(
        cls,
        name: str,
        volume: npt.NDArray[Any],
        grid: Grid,
        masks: Iterable[Mask] = (),
        *,
        window: tuple[float, float] | None = None,
    ) -> Tile:
        """Return the slice that shows most classes, in the plane in which the image was taken.

        Parameters
        ----------
        volume, grid, masks, window
            As :func:`nifti_kit.plots.three_planes` has them.

        Raises
        ------
        NiftiKitError
            If a shape is not that of its grid, or a window has no width.
        """
        scene = Scene.of(volume, grid, masks, None, window)
        artist, plane = scene.artist, _taken(scene.grid)
        pixels = miniature(artist, plane, Look(scene.position, scene.limits), LONGEST)
        index = scene.position[plane.normal]
        where = f"{plane.title.lower()} slice {index}"
        if scene.classes:
            found = artist.sections(Pane.whole(scene.grid, plane), index)
            seen = {number for section in found for number in np.unique(section) if number}
            where = f"{where}, {len(seen)} of {count(len(scene.classes), 'class')}"
        return cls(name, where, pixels)


def _taken(grid: Grid) -> Plane:
    """Return the plane across the thickest axis of a grid in RAS+ order; axial if there is none."""
    sizes = np.array(grid.voxel_size)
    thickest = int(sizes.argmax())
    others = np.delete(sizes, thickest)
    return BY_NORMAL[thickest] if sizes[thickest] > THICK * others.max() else AXIAL


def contact_sheet(tiles: Iterable[Tile], *, title: str = "") -> Picture:
    """Return small pictures beside and below each other, each with its name, masks and a note.

    The convention is the radiological one: letters at the edges say what is left and right.

    Parameters
    ----------
    tiles
        What :meth:`Tile.of` or :func:`tile_of` returned.
    title
        A line above them.

    Raises
    ------
    NiftiKitError
        If there is no tile.
    """
    found = list(tiles)
    if not found:
        raise NiftiKitError("there is no item to draw", remedy="nk.scan says what it found.")
    columns = min(ACROSS, len(found))
    rows = math.ceil(len(found) / columns)
    cell = TILE + 2.6 * LINE
    sheet = columns * (TILE + GUTTER) - GUTTER + 2 * MARGIN
    top = MARGIN + 1.8 * LINE
    tall = top + rows * cell + MARGIN
    words = " ".join(title.split()) or count(len(found), "item")
    figure = Picture.of(sheet, tall, words)
    for at, tile in enumerate(found):
        row, column = divmod(at, columns)
        _draw(figure, tile, MARGIN + column * (TILE + GUTTER), top + row * cell)
    without = sum(tile.pixels is None for tile in found)
    figure.description = (
        f"{words}; {count(len(found), 'item')}, {without} of them without a picture"
    )
    return figure


def _draw(figure: Picture, tile: Tile, left: float, top: float) -> None:
    """Draw a tile whose corner is so many inches from the left and from the top."""
    write(figure, left, top, fitted(tile.name, TILE, **_NAME), **_NAME)
    below = top + 1.2 * LINE + TILE + 0.05
    write(figure, left, below, _cut(tile.note), color=FAINT, **_NOTE)
    axes = figure.panel(left, top + 1.2 * LINE, TILE, TILE)
    if tile.pixels is None:
        return
    high, wide = tile.pixels.shape[:2]
    axes.imshow(tile.pixels, extent=(0.0, wide, 0.0, high), aspect="equal")
    side = max(wide, high)
    axes.set(
        xlim=((wide - side) / 2, (wide + side) / 2), ylim=((high - side) / 2, (high + side) / 2)
    )


def _cut(note: str) -> str:
    """Return a note that ends where the tile does."""
    short = note
    while width_of(short, **_NOTE) > TILE:
        short = f"{short[:-2].rstrip('…')}…"
    return short


# The objects of a planned item as masks to draw


def planned_masks(item: PlannedItem) -> Iterator[Mask]:
    """Yield an item's objects, cropped; one label map is in memory at a time.

    Raises NiftiKitError if a file is damaged.
    """
    for mask, group in groupby(item.objects, key=lambda planned: planned.mask):
        objects = list(group)
        parts = LabelParts(mask.image, [planned.label for planned in objects])
        for planned in objects:
            inside = parts[planned.label] == planned.value
            grid = mask.grid.cropped(planned.label.box)
            yield Mask(planned.class_name, planned.color, inside, grid)


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
