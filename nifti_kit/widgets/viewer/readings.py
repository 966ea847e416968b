"""Readings: what there is at one voxel, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nifti_kit.render.layers import Layer
from nifti_kit.render.scene import DIRECTIONS
from nifti_kit.widgets.viewer.images import RasImage
from nifti_kit.widgets.viewer.loading import Overlay, ViewClass

__all__ = ["Reading", "reading_at"]

DIGITS = 6
"""Of a grey value with fractions."""


@dataclass(frozen=True)
class Reading:
    """What there is at a voxel.

    Attributes
    ----------
    index
        RAS+ indices from 0.
    stored
        Indices from 0 in the order of the file.
    world
        RAS+ mm.
    value
        The grey value.
    classes
        For each overlay: title, and names of the classes there, the top one first.
    """

    index: tuple[int, int, int]
    stored: tuple[int, int, int]
    world: tuple[float, float, float]
    value: float
    classes: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def place(self) -> str:
        """Where it is, such as ``L 12.3 mm, A 4.0 mm, S 100.2 mm``."""
        return ", ".join(
            f"{letters[mm < 0]} {abs(mm):.1f} mm"
            for letters, mm in zip(DIRECTIONS, self.world, strict=True)
        )

    @property
    def text(self) -> str:
        """All of it on one line."""
        parts = [f"value {self.value:.{DIGITS}g}", self._named, self.place]
        parts.append(f"voxel {_listed(self.index)} in RAS+")
        if self.stored != self.index:
            parts.append(f"{_listed(self.stored)} in the file")
        return " · ".join(parts)

    @property
    def _named(self) -> str:
        return "; ".join(
            f"{title}: {', '.join(names) or 'no class'}"
            if title
            else ", ".join(names) or "no class"
            for title, names in self.classes
        )


def _listed(indices: tuple[int, int, int]) -> str:
    return ", ".join(map(str, indices))


def reading_at(
    image: RasImage,
    overlays: Sequence[Overlay],
    classes: Sequence[ViewClass],
    index: tuple[int, int, int],
) -> Reading:
    """Return what there is at a voxel (RAS+ indices from 0), hidden classes too."""
    x, y, z = (float(mm) for mm in image.grid.world(index))
    names = [(overlay.title, _names(image, overlay.layers, classes, index)) for overlay in overlays]
    value: Any = np.asarray(image.voxels[index]).item()
    return Reading(index, image.stored(index), (x, y, z), value, tuple(names))


def _names(
    image: RasImage,
    layers: Sequence[Layer],
    classes: Sequence[ViewClass],
    index: tuple[int, int, int],
) -> tuple[str, ...]:
    numbers = [layer.at(image.grid, index) for layer in reversed(layers)]
    return tuple(dict.fromkeys(classes[number - 1].name for number in numbers if number))
