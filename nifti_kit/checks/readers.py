"""Where other readers place the voxels of a file: nibabel and ITK, as measured on their releases.

Measured with nibabel 5.4 and SimpleITK 2.4 (ITK 5.4) on files with each pair of form codes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import Grid
from nifti_kit.formats.nifti import ImageFile

__all__ = ["Reading", "distance_mm", "form_in_force", "readings"]

NIBABEL_LAST_CODE = 5
"""nibabel knows the form codes 0 to 5, and takes any other for 0."""

ITK_TRUSTED_CODE = 1
"""The one sform_code (scanner) with which ITK takes the sform though there is a qform."""

ITK_SHEAR_COSINE = 1e-4
"""ITK takes no sform whose axes are less perpendicular (read at 8.7e-5, refused at 1.2e-4)."""


@dataclass(frozen=True)
class Reading:
    """Where a reader places the voxels.

    Attributes
    ----------
    reader
        ``nibabel`` or ``ITK``.
    form
        What it goes by: ``sform``, ``qform`` or ``pixdim`` (neither).
    affine
        (4, 4), voxel indices to RAS+ mm, as it has them.
    why
        What it does otherwise than the standard, in plain words; may be empty.
    """

    reader: str
    form: str
    affine: npt.NDArray[np.float64]
    why: str = ""


def form_in_force(image: ImageFile) -> str:
    """Return what places the voxels by the standard: ``sform``, ``qform`` or ``pixdim``."""
    return "sform" if image.sform is not None else "qform" if image.qform is not None else "pixdim"


def readings(image: ImageFile) -> tuple[Reading, ...]:
    """Return where nibabel and ITK place the voxels of an image with a usable grid.

    ITK does not read NIfTI-2. A qform without length (pixdim 0) has no direction here.
    """
    by_nibabel = _by_nibabel(image)
    return (by_nibabel,) if image.version != 1 else (by_nibabel, _by_itk(image))


def distance_mm(image: ImageFile, affine: npt.NDArray[np.float64]) -> float:
    """Return how far an affine places a corner voxel from where the standard does (mm)."""
    corners = image.grid.corners()
    moved = Grid(image.shape, affine).world(corners) - image.grid.world(corners)
    return float(np.linalg.norm(moved, axis=1).max())


def _by_nibabel(image: ImageFile) -> Reading:
    """As nibabel: the sform, then the qform, each by a code that it knows; and no unit.

    Without either it centres the image on 0, with the first axis to the left.
    """
    why, unit = [], image.unit_mm
    if unit != 1:
        why.append(f"it does not read the unit, {unit:g} mm")
    to_file_units = np.diag([1 / unit, 1 / unit, 1 / unit, 1.0])
    for form, affine, code in zip(
        ("sform", "qform"), (image.sform, image.qform), image.codes, strict=True
    ):
        if affine is None:
            continue
        if code <= NIBABEL_LAST_CODE:
            return Reading("nibabel", form, to_file_units @ affine, "; ".join(why))
        why.append(f"it does not know {form}_code {code}")
    sizes = np.array([abs(size) or 1.0 for size in image.pixdim]) * [-1, 1, 1]
    centred = np.diag([*sizes, 1.0])
    centred[:3, 3] = -sizes * (np.array(image.shape) - 1) / 2
    return Reading("nibabel", "pixdim", centred, "; ".join(why))


def _by_itk(image: ImageFile) -> Reading:
    """As ITK: the qform unless sform_code is 1, and the voxel size from pixdim always.

    Without either form it has the axes to the left and to the back, from 0.
    """
    unit = image.unit_mm
    sizes = [size * unit if math.isfinite(size) and size else unit for size in image.pixdim]
    chosen = _form_of_itk(image)
    if chosen == "pixdim":
        return Reading("ITK", chosen, np.diag([-sizes[0], -sizes[1], sizes[2], 1.0]))
    form = image.sform if chosen == "sform" else image.qform
    assert form is not None  # it was chosen
    affine = np.array(form)
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    affine[:3, :3] *= np.array(sizes) / np.where(lengths > 0, lengths, 1.0)
    return Reading("ITK", chosen, affine, "it takes the voxel size from pixdim")


def _form_of_itk(image: ImageFile) -> str:
    if image.sform is None or image.qform is None:
        return form_in_force(image)
    unit = image.sform[:3, :3] / np.linalg.norm(image.sform[:3, :3], axis=0)
    sheared = np.abs((unit.T @ unit)[np.triu_indices(3, 1)]).max() > ITK_SHEAR_COSINE
    return "sform" if image.codes[0] == ITK_TRUSTED_CODE and not sheared else "qform"
