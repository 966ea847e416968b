"""Previews: an annotation over a volume of the target, before a person accepts the pair."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import Grid
from nifti_kit.datasets.items import MaskFile
from nifti_kit.formats.labels import read_labels
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.render.scene import Color, Mask
from nifti_kit.targets.target import Target, VolumeRef
from nifti_kit.widgets.mapping.candidates import place_of
from nifti_kit.widgets.parts.tasks import Ticket
from nifti_kit.widgets.viewer.model import ViewerModel

__all__ = ["overlay"]

ORANGE: Color = (255, 159, 28)
"""It stands out of grey values in both themes."""

READING = 0.8
"""The share of the work that reading the volume is; the rest is making the viewer."""

PLACES = ("By its own header", "By the volume's header")
"""Where a misplaced annotation is shown."""


def overlay(target: Target, file: MaskFile, volume: VolumeRef, ticket: Ticket) -> ViewerModel:
    """Return a viewer of an annotation over a volume.

    The volume is read from the target (an instance sends it); one volume and one label map are in
    memory. Where the two do not fit, the annotation is also shown as it would be with the volume's
    header, if it has as many voxels.

    Raises
    ------
    NiftiKitError
        If one of the two cannot be read.
    Cancelled
        If a person cancelled it.
    """
    name = f"{volume.dataset}/{volume.name}"
    voxels = _volume(target, volume, ticket)
    ticket.tell(READING, f"Drawing {file.relative.name} over {name}")
    own, other = _masks(file.image, volume.grid)
    title = f"{file.relative} over {name}: {place_of(file.grid, volume.grid).text}"
    viewer = ViewerModel.of_arrays(
        voxels, volume.grid, [own], compare=other, titles=PLACES, title=title
    )
    ticket.check()
    return viewer


def _volume(target: Target, volume: VolumeRef, ticket: Ticket) -> npt.NDArray[Any]:
    pages = []
    count = volume.grid.shape[2]
    for k, page in enumerate(target.iter_volume(volume.id)):
        ticket.tell(READING * k / count, f"Reading {volume.dataset}/{volume.name}")
        pages.append(page.copy())  # the target uses its buffer again
    return np.stack(pages, axis=2)


def _masks(image: ImageFile, there: Grid) -> tuple[Mask, list[Mask] | None]:
    """Return the annotation where it lies and, if that is elsewhere, where it may belong."""
    name = image.relative.name
    inside = read_labels(image).voxels != 0
    own = Mask(name, ORANGE, inside, image.grid)
    if place_of(image.grid, there).lands or inside.shape != there.shape:
        return own, None
    return own, [Mask(name, ORANGE, inside, there)]
