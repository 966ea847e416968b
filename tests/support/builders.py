"""Small NIfTI files, volumes and masks for the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

SAMPLES = Path(__file__).parents[2] / "data_samples"

AFFINE = np.array([[2.0, 0, 0, -10.5], [0, 3.0, 0, 4.25], [0, 0, 5.0, 7.125], [0, 0, 0, 1]])
"""RAS+, with unequal voxel sizes and a fractional origin."""

SHAPE = (5, 6, 7)


def write_nifti(
    path: Path,
    array: Any = None,
    affine: Any = AFFINE,
    *,
    sform: int = 2,
    qform: int = 0,
    slope: float | None = None,
    intercept: float = 0.0,
    image_class: Any = nib.Nifti1Image,
) -> Path:
    """Write an array (a ramp by default) as NIfTI with the given form codes; return the path."""
    array = volume() if array is None else np.asarray(array)
    image = image_class(array, affine, dtype=array.dtype)
    image.set_sform(affine, code=sform)
    image.set_qform(affine, code=qform)
    if slope is not None:
        image.header.set_slope_inter(slope, intercept)
        # nibabel would divide by the slope: store the array as it is.
        image = image_class(array, affine, image.header, dtype=array.dtype)
        image.header.set_slope_inter(slope, intercept)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)
    if slope is not None:
        _patch_scaling(path, slope, intercept)
    return path


def _patch_scaling(path: Path, slope: float, intercept: float) -> None:
    """Set scl_slope and scl_inter of an uncompressed NIfTI-1 file: nibabel resets them."""
    content = bytearray(path.read_bytes())
    content[112:120] = np.array([slope, intercept], dtype="<f4").tobytes()
    path.write_bytes(bytes(content))


def volume(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Return an int16 ramp: every voxel has its own value."""
    return np.arange(np.prod(shape), dtype=np.int16).reshape(shape)


def labels(shape: tuple[int, ...] = SHAPE, values: tuple[int, ...] = (1, 2)) -> np.ndarray:
    """Return a uint8 label map without symmetry: one L-shaped piece for each value."""
    array = np.zeros(shape, dtype=np.uint8)
    for number, value in enumerate(values):
        array[number % shape[0], 1:4, 2] = value
        array[number % shape[0], 1, 2:5] = value
    return array


def write_planes(folder: Path, planes: tuple[str, ...] = ("axl", "cor", "sag")) -> Path:
    """Write a semantic by-plane set: ``<plane>_anatomic.nii.gz``, ``<plane>_inference.nii.gz``."""
    for plane in planes:
        write_nifti(folder / f"{plane}_anatomic.nii.gz")
        write_nifti(folder / f"{plane}_inference.nii.gz", labels())
    return folder
