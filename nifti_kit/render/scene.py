"""Planes and masks: which way slices are cut, and what is drawn on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy.typing as npt

from nifti_kit.core.geometry import PLANES, Grid

Color = tuple[int, int, int]

DIRECTIONS = (("R", "L"), ("A", "P"), ("S", "I"))
"""The letters of each RAS+ axis: where it grows to, and where it comes from."""


class Plane(NamedTuple):
    """A plane's RAS+ axes: its normal, the one drawn from right to left, the one drawn upward.

    This is the radiological convention: the patient's right is on the left of coronal and axial
    pictures, anterior on the left of sagittal ones.
    """

    title: str
    normal: int
    across: int
    up: int

    @property
    def code(self) -> str:
        """Its short name: ``axl``, ``cor`` or ``sag``."""
        return next(code for code, axis in PLANES.items() if axis == self.normal)


SAGITTAL, CORONAL, AXIAL = (
    Plane("Sagittal", 0, 1, 2),
    Plane("Coronal", 1, 0, 2),
    Plane("Axial", 2, 0, 1),
)
BY_NORMAL = (SAGITTAL, CORONAL, AXIAL)
"""By the RAS+ axis that is a plane's normal."""


@dataclass(frozen=True, eq=False)
class Mask:
    """The voxels of one object.

    Attributes
    ----------
    name, color
        Its class, and RGB of 0 to 255. Masks of the same name are one entry of the legend.
    inside
        (i, j, k), not zero where the object is; it may be cropped.
    grid
        Where the voxels of ``inside`` are (RAS+ mm).
    """

    name: str
    color: Color
    inside: npt.NDArray[Any]
    grid: Grid
