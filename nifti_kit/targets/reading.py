"""What is on a target, read back to be looked at: the volume that is meant, the masks on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.text import listed
from nifti_kit.errors import NiftiKitError
from nifti_kit.render.scene import Mask
from nifti_kit.targets.records import ObjectRef, VolumeRef
from nifti_kit.targets.target import Target, Volumes

SHOWN = 10
"""Volumes that an error names before it counts the rest."""


def chosen_volume(target: Volumes, volume: VolumeRef | str | int | None) -> VolumeRef:
    """Return a volume of a target: itself, by its id, or by its name; None for the only one.

    Raises
    ------
    NiftiKitError
        If there is none, or several of that name.
    """
    if isinstance(volume, VolumeRef):
        return volume
    there = target.volumes()
    found = [ref for ref in there if volume is None or volume in (ref.id, ref.name)]
    if len(found) == 1:
        return found[0]
    which = "" if volume is None else " of this id or name"
    names = listed((f"{ref.id} ({ref.dataset}/{ref.name})" for ref in there), SHOWN)
    raise NiftiKitError(
        f"the target has {len(found) or 'no'} volumes{which}",
        found=None if volume is None else repr(volume),
        expected=names or "nothing, for there is none",
        remedy="Give the id.",
    )


def landed_masks(target: Target, objects: Iterable[ObjectRef]) -> Iterator[Mask]:
    """Yield the masks of objects, read back; only the voxels around each are kept.

    An object without a 3D figure has nothing to draw, and is passed over.
    """
    colors = {found.name: found.color for found in target.classes()}
    for found in objects:
        if found.has_figure:
            inside = np.stack([page != 0 for page in target.iter_mask(found)], axis=2)
            box = (_extent(inside, 0), _extent(inside, 1), _extent(inside, 2))
            grid = target.mask_grid(found).cropped(box)
            yield Mask(found.class_name, colors[found.class_name], inside[box].copy(), grid)


def _extent(inside: npt.NDArray[Any], axis: int) -> slice:
    others = tuple(other for other in range(3) if other != axis)
    at = np.flatnonzero(inside.any(axis=others))
    return slice(int(at[0]), int(at[-1]) + 1) if len(at) else slice(0, 0)
