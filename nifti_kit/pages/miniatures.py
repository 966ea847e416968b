"""Miniatures: a small picture of an item, with its masks in the colours that they land in."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

import numpy as np

from nifti_kit.core.geometry import PLANES, Grid, ras_orientation
from nifti_kit.core.html import Illustration
from nifti_kit.core.text import listed
from nifti_kit.datasets.items import Item
from nifti_kit.formats.labels import MAX_LABEL
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.pages.samples import Sample
from nifti_kit.render import Artist, Look, Stack, best_position, presets_of
from nifti_kit.render.miniature import illustration
from nifti_kit.render.miniature import miniature as drawn
from nifti_kit.render.scene import BY_NORMAL
from nifti_kit.targets.records import PlannedItem

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
