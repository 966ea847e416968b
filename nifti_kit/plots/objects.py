"""The objects of a planned item as masks to draw."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from nifti_kit.formats.label_parts import LabelParts
from nifti_kit.plans.plan import PlannedItem
from nifti_kit.render.scene import Mask

__all__ = ["planned_masks"]


def planned_masks(item: PlannedItem) -> Iterator[Mask]:
    """Yield an item's objects, cropped; one label map is in memory at a time.

    Raises
    ------
    NiftiKitError
        If a file is damaged.
    """
    for mask, group in groupby(item.objects, key=lambda planned: planned.mask):
        objects = list(group)
        parts = LabelParts(mask.image, [planned.label for planned in objects])
        for planned in objects:
            inside = parts[planned.label] == planned.value
            grid = mask.grid.cropped(planned.label.box)
            yield Mask(planned.class_name, planned.color, inside, grid)
