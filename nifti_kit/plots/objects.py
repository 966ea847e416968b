"""The objects of a planned item as masks to draw."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from nifti_kit.labels import read_labels
from nifti_kit.plans import PlannedItem
from nifti_kit.scenes import Mask

__all__ = ["planned_masks"]


def planned_masks(item: PlannedItem) -> Iterator[Mask]:
    """Yield an item's objects, cropped; one label map is in memory at a time.

    Raises
    ------
    NiftiKitError
        If a file is damaged.
    """
    for mask, objects in groupby(item.objects, key=lambda planned: planned.mask):
        voxels = read_labels(mask.image).voxels
        for planned in objects:
            box = planned.label.box
            inside = voxels[box] == planned.value
            yield Mask(planned.class_name, planned.color, inside, mask.grid.cropped(box))
