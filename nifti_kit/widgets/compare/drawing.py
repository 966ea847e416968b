"""A difference in pictures: a volume with the masks of both sides, and the worst place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from nifti_kit.checks.pictures import ASSUMED, OWN
from nifti_kit.comparisons import Comparison, Difference, VolumePair
from nifti_kit.comparisons.sides import SideVolume
from nifti_kit.core.geometry import PLANES, Grid, ras_orientation
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.render.layers import Layer
from nifti_kit.render.scene import Color, Mask
from nifti_kit.targets.records import ObjectRef, PlannedObject, VolumeRef
from nifti_kit.widgets.viewer.loading import (
    Named,
    Overlay,
    Piece,
    RasImage,
    drawn,
    landed,
    of_planned,
)
from nifti_kit.widgets.viewer.model import ViewerModel
from nifti_kit.widgets.viewer.viewing import reading_at

TITLES = ("a", "b", "both: a red, b cyan")
"""Of the three pictures that stand side by side."""

BOTH = 2
"""The place of the picture with both."""

CHOSEN = ("the row's object in a", "the row's object in b")
"""What the two objects of a difference are called in the legend."""

COLORS: tuple[Color, Color] = (OWN, ASSUMED)
"""Red and cyan, as on the page that is saved: people tell them apart who do not see red."""

BLACK = "masks alone, on black: neither side has the volume itself"

_CORNER = (slice(0, 1), slice(0, 1), slice(0, 1))


def opened(pair: VolumePair) -> ViewerModel:
    """Return the viewer of a pair of volumes: ``a``, ``b``, and a picture for one of its rows.

    The grey values are those of ``a``, or of ``b`` where only that has them; without any the masks
    stand on black. In memory are one volume and the masks of both.
    """
    image = _image(pair)
    blank = [_blank(side, image.grid) for side in (0, 1)]
    sets = [(TITLES[0], _pieces(pair.a)), (TITLES[1], _pieces(pair.b)), (TITLES[BOTH], blank)]
    is_seen = pair.a.image is not None or pair.b.image is not None
    title = pair.name if is_seen else f"{pair.name} ({BLACK})"
    viewer = ViewerModel(image, drawn(image.grid, sets, is_whole=True), title)
    viewer.arrangement, viewer.mode, viewer.opacity = "beside", "outline", 1.0
    return viewer


def show(viewer: ViewerModel, comparison: Comparison, found: Difference) -> None:
    """Show a difference in the viewer of its pair: both objects, their class, the worst place.

    Raises NiftiKitError if the voxels cannot be read, or not any more.
    """
    numbers = {one.name: one.number for one in viewer.classes}
    masks = comparison.masks_of(found)
    for word, name, mask in zip("ab", found.objects, masks, strict=True):
        if name and mask is None:
            raise NiftiKitError(
                f"the voxels of {name} in {word} cannot be read",
                path=found.volume,
                remedy="Press Compare again: what is there may have changed.",
            )
    layers = [_layer(mask, numbers[name]) for mask, name in zip(masks, CHOSEN, strict=True)]
    voxels = [0 if one is None else int(np.count_nonzero(one.numbers)) for one in layers]
    there = tuple(one for one in layers if one is not None)
    position = worst_place(found, there, viewer.image.grid)
    with viewer.hold_trait_notifications():
        viewer.replace(
            BOTH, Overlay(TITLES[BOTH], there, ()), dict(zip(CHOSEN, voxels, strict=True))
        )
        if position is not None:
            viewer.position = position
        if found.axis is not None:
            viewer.active = next(code for code, axis in PLANES.items() if axis == found.axis)
        viewer.hidden = frozenset(numbers) - {found.class_name, *CHOSEN, *_met(viewer)}


def _met(viewer: ViewerModel) -> Iterator[str]:
    """Yield the classes at the crosshair: what an object of another class is."""
    here = reading_at(viewer.image, viewer.overlays, viewer.classes, viewer.position)
    for _, names in here.classes:
        yield from names


def worst_place(
    found: Difference, layers: Sequence[Layer], image: Grid
) -> tuple[int, int, int] | None:
    """Return a voxel (RAS+ indices from 0) of what differs in the worst slice; None if unknown."""
    if found.pair is None or found.axis is None:
        return None
    points = np.concatenate([_in_slice(found, layer, image) for layer in layers])
    if not len(points):
        return None
    once, counts = np.unique(points, axis=0, return_counts=True)
    differing = once[counts == 1] if (counts == 1).any() else once
    away = np.abs(differing - differing.mean(axis=0)).sum(axis=1)
    i, j, k = (int(at) for at in differing[away.argmin()])
    return i, j, k


def _in_slice(found: Difference, layer: Layer, image: Grid) -> npt.NDArray[np.int64]:
    """Return which voxels (n, 3) of the image a layer has in the worst slice."""
    assert found.pair is not None
    points, _ = layer.points(image)
    there = np.linalg.inv(found.pair.a.grid.affine) @ image.affine
    along = points @ there[found.axis, :3] + there[found.axis, 3]
    return np.asarray(points[np.rint(along) == found.slice_index])


def _image(pair: VolumePair) -> RasImage:
    for volume in (pair.a, pair.b):
        if isinstance(volume.image, ImageFile):
            return RasImage.of_file(volume.name, volume.image)
        if isinstance(volume.image, VolumeRef) and volume.side.target is not None:
            return RasImage.of_target(volume.side.target, volume.image)
    grid = pair.a.grid
    return RasImage.of_array(pair.name, np.zeros(grid.shape, np.uint8), grid)


def _pieces(volume: SideVolume) -> list[Piece]:
    """Return the masks of a side's volume; they are read when they are drawn."""
    sources = [one.source for one in volume.content().objects]
    if volume.side.target is not None:
        return landed(volume.side.target, [one for one in sources if isinstance(one, ObjectRef)])
    return of_planned(one for one in sources if isinstance(one, PlannedObject))


def _layer(mask: Mask | None, number: int) -> Layer | None:
    """Return a mask as a layer, within its box."""
    if mask is None:
        return None
    orientation = ras_orientation(mask.grid)
    inside = orientation.apply(np.asarray(mask.inside != 0))
    dtype = np.min_scalar_type(number)
    return Layer(inside * dtype.type(number), mask.grid.reoriented(orientation))


def _blank(side: int, image: Grid) -> Piece:
    """Return a place in the legend for what the rows show."""
    part = Named(CHOSEN[side], COLORS[side], 0)
    none = np.zeros((1, 1, 1), np.uint8)
    return Piece(CHOSEN[side], {1: part}, image.cropped(_CORNER), none.copy)
