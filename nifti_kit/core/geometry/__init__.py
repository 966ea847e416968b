"""Grids in space: where voxels are, how grids lie against each other, how far apart they are."""

from __future__ import annotations

from nifti_kit.core.geometry.alignment import (
    LATTICE_VOXELS,
    ROUNDING_MM,
    SAME_MM,
    Alignment,
    Placement,
    axis_orders,
    compare_grids,
    float32_step,
    is_bare,
    lattice_orientation,
    nearest_order,
    placed_on,
)
from nifti_kit.core.geometry.fields import fields_meet, gap_mm, share_inside
from nifti_kit.core.geometry.grids import (
    NORMALS,
    PLANES,
    SHEAR_COSINE,
    Affine,
    Cutout,
    Grid,
    Orientation,
    corner_displacement,
    displacements,
    frame_to_slice,
    plane_axis,
    ras_orientation,
)

__all__ = [
    "LATTICE_VOXELS",
    "NORMALS",
    "PLANES",
    "ROUNDING_MM",
    "SAME_MM",
    "SHEAR_COSINE",
    "Affine",
    "Alignment",
    "Cutout",
    "Grid",
    "Orientation",
    "Placement",
    "axis_orders",
    "compare_grids",
    "corner_displacement",
    "displacements",
    "fields_meet",
    "float32_step",
    "frame_to_slice",
    "gap_mm",
    "is_bare",
    "lattice_orientation",
    "nearest_order",
    "placed_on",
    "plane_axis",
    "ras_orientation",
    "share_inside",
]
