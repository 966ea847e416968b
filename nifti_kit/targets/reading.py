"""What is on a target, read back to be looked at: the volume that is meant, the masks on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from nifti_kit.core.memory import mapped_array
from nifti_kit.core.text import listed
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.labels import Box, common_box
from nifti_kit.formats.nrrd import Drawn
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
            grid, pages = target.drawn(found)
            inside, box = boxed(pages)
            yield Mask(found.class_name, colors[found.class_name], inside, grid.cropped(box))


def boxed(pages: Drawn) -> tuple[npt.NDArray[np.bool_], Box]:
    """Return a mask that is read slice by slice within the box that holds it; nothing for none."""
    parts: list[tuple[int, int, int, npt.NDArray[np.bool_]]] = []
    for k, page in pages:
        inside = page != 0
        rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
        if len(rows):
            part = inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
            parts.append((int(rows[0]), int(columns[0]), k, part))
    if not parts:
        return np.zeros((0, 0, 0), bool), (slice(0, 0),) * 3
    box = common_box(
        (slice(i, i + part.shape[0]), slice(j, j + part.shape[1]), slice(k, k + 1))
        for i, j, k, part in parts
    )
    whole = mapped_array([side.stop - side.start for side in box], bool)
    for i, j, k, part in parts:
        low, left = i - box[0].start, j - box[1].start
        whole[low : low + part.shape[0], left : left + part.shape[1], k - box[2].start] = part
    return whole, box
