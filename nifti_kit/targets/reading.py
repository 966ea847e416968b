"""What is on a target, read back to be looked at: the volume that is meant, the masks on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from nifti_kit.core.memory import mapped_array
from nifti_kit.core.text import listed
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.labels import Box, common_box
from nifti_kit.formats.nrrd import Drawn
from nifti_kit.render.scene import Color, Mask
from nifti_kit.targets.records import ObjectRef, VolumeRef
from nifti_kit.targets.target import Target, Volumes

SHOWN = 10
"""Volumes that an error names before it counts the rest."""


def chosen_volume(target: Volumes, volume: VolumeRef | str | int | None) -> VolumeRef:
    """Return a volume of a target: itself, by its id, or by its name; None for the only one.

    Raises NiftiKitError if there is none, or several of that name.
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

    An object without a 3D figure has nothing to draw, and is passed over. One that cannot be read
    is an error, which names it: nobody sees in a figure what it lacks.
    """
    for _, read in drawings(target, objects):
        yield read()


def drawings(
    target: Target, objects: Iterable[ObjectRef]
) -> Iterator[tuple[ObjectRef, Callable[[], Mask]]]:
    """Yield each object that has a 3D figure, and what reads its mask; raises as the target."""
    colors = {found.name: found.color for found in target.classes()}
    for found in objects:
        if found.has_figure:
            yield found, partial(_drawing, target, found, colors[found.class_name])


def _drawing(target: Target, found: ObjectRef, color: Color) -> Mask:
    grid, pages = target.drawn(found)
    inside, box = boxed(pages)
    return Mask(found.class_name, color, inside, grid.cropped(box))


@dataclass(frozen=True)
class Page:
    """The part of a slice that is drawn on."""

    k: int  # the slice, from 0
    first: tuple[int, int]  # where the part begins along i and j, from 0
    inside: npt.NDArray[np.bool_]  # (i, j), true where the mask is

    @property
    def box(self) -> Box:
        """Where it lies among the voxels of the mask."""
        (i, j), (rows, columns) = self.first, self.inside.shape
        return slice(i, i + rows), slice(j, j + columns), slice(self.k, self.k + 1)


def pages_of(drawn: Drawn) -> Iterator[Page]:
    """Yield the parts of a mask's slices that are drawn on; those that are all zeros are not."""
    for k, page in drawn:
        # Along i, neighbours in memory, so that each row is gone through once.
        rows = np.flatnonzero(page.max(axis=0))
        if not len(rows):
            continue
        up = slice(int(rows[0]), int(rows[-1]) + 1)
        columns = np.flatnonzero(page[:, up].max(axis=1))
        across = slice(int(columns[0]), int(columns[-1]) + 1)
        yield Page(k, (across.start, up.start), page[across, up] != 0)


def boxed(drawn: Drawn) -> tuple[npt.NDArray[np.bool_], Box]:
    """Return a mask that is read slice by slice within the box that holds it; nothing for none."""
    boxes = [(page.box, page.inside) for page in pages_of(drawn)]
    if not boxes:
        return np.zeros((0, 0, 0), bool), (slice(0, 0),) * 3
    whole = common_box(box for box, _ in boxes)
    inside = mapped_array([side.stop - side.start for side in whole], bool)
    low, left, first = (side.start for side in whole)
    for (i, j, k), part in boxes:
        inside[i.start - low : i.stop - low, j.start - left : j.stop - left, k.start - first] = part
    return inside, whole
