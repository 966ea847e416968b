"""Slices: the worst place of each difference as a picture, both outlines over the volume."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.checks.pictures import two_masks
from nifti_kit.comparisons.differences import Difference, VolumePair
from nifti_kit.comparisons.maps import boxed_mask
from nifti_kit.comparisons.sides import SideObject, SideVolume
from nifti_kit.core import html
from nifti_kit.core.geometry import Grid, placed_on
from nifti_kit.core.html import Illustration
from nifti_kit.core.text import and_more
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.nifti import iter_frames
from nifti_kit.formats.volumes import read_slices, slice_box
from nifti_kit.render import Mask
from nifti_kit.targets.records import VolumeRef

MOST_PICTURES = 24
"""Pictures of a page: what people look at. Each takes some 50 KB of it, and a reading of a mask."""

TwoMasks = tuple["Mask | None", "Mask | None"]
"""An object of ``a`` and its counterpart of ``b``."""

Place = tuple[int, int]
"""A RAS+ axis, and a slice along it (from 0)."""

Slice = tuple[npt.NDArray[Any], Grid]
"""Grey values (i, j, k), one of them of length 1, and where they are (RAS+ mm)."""


def class_masks(volume: SideVolume, class_name: str) -> list[Mask]:
    """Return the masks of a class of a volume, each in the box that holds it; they are read."""
    objects = volume.content().objects
    target = volume.side.target
    return [boxed_mask(one, target) for one in objects if one.class_name == class_name]


def two_masks_of(found: Difference) -> TwoMasks:
    """Return the masks of a difference; None where there is none, or it cannot be read."""
    if found.pair is None:
        return None, None
    ours, theirs = found.sources
    return _mask(ours, found.pair.a), _mask(theirs, found.pair.b)


def _mask(found: SideObject | None, volume: SideVolume) -> Mask | None:
    if found is None:
        return None
    try:
        return boxed_mask(found, volume.side.target)
    except NiftiKitError:  # the difference itself says why
        return None


def pictures_of(found: Sequence[Difference], words: Sequence[str]) -> Iterator[html.Markup]:
    """Yield the pictures of differences, in their order, and how many more there are.

    ``found``: differences; those without a worst place are passed over.
    ``words``: what the two sets are called.
    """
    seen = [one for one in found if one.axis is not None and one.pair is not None]
    figures = []
    slices = _slices(seen[:MOST_PICTURES])
    for one in seen[:MOST_PICTURES]:
        drawn = _illustration(one, slices, words)
        title = " ".join(filter(None, (one.volume, one.class_name, *one.objects[:1])))
        figures.append(html.figure(drawn, html.element("b", title), html.element("div", one.what)))
    if figures:
        yield html.element("h2", "The worst slices")
        yield html.element("div", *figures, kind="pictures")
    for line in and_more(len(seen) - len(figures), "difference", "the table"):
        yield html.element("p", line)


Key = tuple[VolumePair, int, int]


def _illustration(
    found: Difference, slices: dict[Key, Slice], words: Sequence[str]
) -> Illustration:
    assert found.pair is not None
    assert found.axis is not None
    assert found.slice_index is not None
    masks = two_masks_of(found)
    voxels, grid = slices[found.pair, found.axis, found.slice_index]
    drawn = two_masks(voxels, grid, found.axis, masks)
    said = [
        f"{color}: {word}."
        for color, word, mask in zip(("Red", "Cyan, dashed"), words, masks, strict=True)
        if mask is not None
    ]
    caption = f"{drawn.caption[:-1]} (slice {found.slice_index}). {' '.join(said)}"
    return Illustration(drawn.png, caption, drawn.width, drawn.height)


def _slices(found: Iterable[Difference]) -> dict[Key, Slice]:
    """Return the grey values at the worst places of differences; a volume is read once."""
    wanted: dict[VolumePair, dict[Place, None]] = {}
    for one in found:
        assert one.pair is not None
        wanted.setdefault(one.pair, {})[one.axis or 0, one.slice_index or 0] = None
    return {
        (pair, *place): drawn
        for pair, places in wanted.items()
        for place, drawn in zip(places, _of_pair(pair, list(places)), strict=True)
    }


def _of_pair(pair: VolumePair, places: Sequence[Place]) -> list[Slice]:
    """Return slices of a pair's volume, of ``b`` where ``a`` has none; black where none is seen."""
    shown = pair.a if pair.a.image is not None else pair.b
    blank = [_blank(pair.a.grid, place) for place in places]
    place = placed_on(pair.a.grid, shown.grid)
    if shown.image is None or place is None:
        return blank
    moved = [(axis, index + place.first[axis]) for axis, index in places]
    inside = [at for at, (axis, index) in enumerate(moved) if 0 <= index < shown.grid.shape[axis]]
    try:
        read = _read(shown, [moved[at] for at in inside])
    except NiftiKitError:  # grey values are a help: the outlines stand without them
        return blank
    for at, drawn in zip(inside, read, strict=True):
        blank[at] = drawn
    return blank


def _blank(grid: Grid, place: Place) -> Slice:
    own = grid.cropped(slice_box(grid, *place))
    return np.zeros(own.shape, np.uint8), own


def _read(volume: SideVolume, places: Sequence[Place]) -> Sequence[Slice]:
    """Return slices of a volume, which is gone through once; each is in the order of its file."""
    image = volume.image
    if isinstance(image, VolumeRef):
        assert volume.side.target is not None
        boxes = [slice_box(volume.grid, *place) for place in places]
        return read_slices(volume.side.target.iter_volume(image.id), volume.grid, boxes)
    assert image is not None
    boxes = [slice_box(image.grid, *place) for place in places]
    found = read_slices(iter_frames(image), image.grid, boxes)
    return [(values * image.slope + image.intercept, grid) for values, grid in found]
