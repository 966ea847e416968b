"""What a plan and a target have in common: the same volume, the same mask, classes that fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import SAME_MM, Grid
from nifti_kit.datasets.items import MaskFile
from nifti_kit.errors import TargetError
from nifti_kit.formats.labels import read_labels
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.formats.volumes import open_volume
from nifti_kit.plans.plan import PlannedClass, PlannedItem, PlannedObject
from nifti_kit.targets.annotation import MASK_3D
from nifti_kit.targets.target import Masks, ObjectRef, VolumeRef

__all__ = ["CHOICES", "Comparison", "is_same_volume", "occupied", "refuse_other_shapes"]

CHOICES = (
    "Choose existing='skip' (keep what is identical), 'replace' (of the same classes) or 'append'."
)


def is_same_grid(ours: Grid, theirs: Grid) -> bool:
    """Say whether two grids have the same voxels in the same places, to 1e-4 mm."""
    if ours.shape != theirs.shape:
        return False
    corners = ours.corners()
    moved = np.linalg.norm(ours.world(corners) - theirs.world(corners), axis=1)
    return bool(moved.max() <= SAME_MM)


def is_same_volume(image: ImageFile, grid: Grid, pages: Iterable[npt.NDArray[Any]]) -> bool:
    """Say whether a volume of a target, slice by slice in the order of k, is that of a file."""
    opened = open_volume(image)
    return is_same_grid(opened.grid, grid) and all(
        ours is not None and theirs is not None and np.array_equal(ours, theirs, equal_nan=True)
        for ours, theirs in zip_longest(opened.slices(), pages)
    )


class Comparison:
    """Holds the objects of an item against those of a target; one label map is in memory."""

    def __init__(self, target: Masks, item: PlannedItem) -> None:
        self.target, self.item = target, item
        self._read: tuple[MaskFile, npt.NDArray[Any]] | None = None

    def identical(self, there: Sequence[ObjectRef]) -> dict[int, ObjectRef]:
        """Return which planned objects are there already, voxel for voxel, each once."""
        kept: dict[int, ObjectRef] = {}
        free = list(there)
        for at, planned in enumerate(self.item.objects):
            for ref in free:
                if ref.class_name == planned.class_name and self._is_same(planned, ref):
                    kept[at] = ref
                    free.remove(ref)
                    break
        return kept

    def _is_same(self, planned: PlannedObject, ref: ObjectRef) -> bool:
        if not ref.has_figure or planned.scores != ref.scores:
            return False
        grid = planned.mask.grid.reoriented(planned.orientation)
        if not is_same_grid(grid, self.target.mask_grid(ref)):
            return False
        if self._read is None or self._read[0] is not planned.mask:
            self._read = None  # one label map in memory at a time
            self._read = (planned.mask, read_labels(planned.mask.image).voxels)
        voxels = planned.orientation.apply(self._read[1])
        return all(
            np.array_equal(voxels[:, :, k] == planned.value, page != 0)
            for k, page in enumerate(self.target.iter_mask(ref))
        )


def occupied(volume: VolumeRef, clashes: Sequence[ObjectRef], path: Any) -> TargetError:
    """Return the error for objects of the same classes that are there, and were not expected."""
    return TargetError(
        f"the volume {volume.name!r} has objects of these classes already",
        path=path,
        found=", ".join(sorted({ref.class_name for ref in clashes})),
        remedy=CHOICES,
    )


def refuse_other_shapes(
    classes: Sequence[PlannedClass], known: Iterable[dict[str, Any]], path: Any
) -> None:
    """Refuse classes that are in a project's meta with a shape that cannot hold a mask."""
    shapes = {found["title"]: found.get("shape", MASK_3D) for found in known}
    for planned in classes:
        shape = shapes.get(planned.name, MASK_3D)
        if shape not in (MASK_3D, "any"):
            raise TargetError(
                f"the class {planned.name!r} is there with another shape",
                path=path,
                found=shape,
                expected=MASK_3D,
                remedy="Plan with the target, plan(..., target=target), which renames the class; "
                "or rename it yourself.",
            )
