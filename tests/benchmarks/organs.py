"""A CT with a hundred organs, made by rule: blobs with the volumes that real organs have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from nifti_kit.core.geometry import Grid
from nifti_kit.formats.nifti import encode_image

ORGANS_ML = (
    1.8, 2.1, 2.2, 2.7, 3.5, 3.8, 4.2, 4.4, 4.5, 5.0, 5.1, 5.3, 5.4, 5.7, 6.2, 7.2, 14.8, 17.5,
    18.8, 19.8, 29.3, 31.1, 34.0, 35.6, 35.9, 41.9, 48.5, 49.4, 49.6, 59.9, 60.4, 61.2, 62.6, 62.8,
    65.9, 66.0, 67.7, 68.9, 69.9, 71.5, 118.7, 121.2, 130.6, 137.4, 158.9, 192.6, 239.2, 240.8,
    261.0, 266.8, 277.7, 322.8, 352.3, 355.5, 368.7, 408.9, 419.6, 479.4, 532.4, 1125.7, 1619.1,
)  # fmt: skip
"""Volumes of the 61 labels of a real CT of the trunk (ml): the sample of TotalSegmentator."""

EXTENT_MM = (400.0, 400.0, 450.0)
"""Field of view of a CT of the trunk."""

AIR, TISSUE, NOISE, TISSUE_SPREAD = -1000, 40, 12.0, 60.0
"""Grey values in Hounsfield units, the noise of a scanner, and how organs differ."""


def grid_of(shape: tuple[int, int, int]) -> Grid:
    """Return a grid with the field of view of a CT of the trunk, in scanner order (LPS)."""
    size = [extent / n for extent, n in zip(EXTENT_MM, shape, strict=True)]
    affine = np.diag([-size[0], -size[1], size[2], 1.0])
    affine[:3, 3] = (200.0, 180.0, -900.0)
    return Grid(shape, affine)


def label_map(shape: tuple[int, int, int], count: int, seed: int) -> npt.NDArray[np.uint8]:
    """Return ellipsoids of values 1 to ``count``, largest first, so that small ones stay whole."""
    random = np.random.default_rng(seed)
    volumes = np.quantile(ORGANS_ML, np.linspace(0, 1, count))[::-1]
    labels = np.zeros(shape, np.uint8)
    values = random.permutation(np.arange(1, count + 1, dtype=np.uint8))
    for value, volume in zip(values, volumes, strict=True):
        stretch = np.exp(random.normal(0, 0.3, 3))
        radius_mm = (volume * 1000 * 3 / (4 * np.pi)) ** (1 / 3) * stretch / np.cbrt(stretch.prod())
        radii = np.maximum(radius_mm / EXTENT_MM * shape, 0.6)
        middle = [random.uniform(0.25, 0.75) * n for n in shape]
        _fill(labels, middle, radii, value)
    for value in range(1, count + 1):  # none may be covered whole by smaller ones
        labels[value % shape[0], (7 * value) % shape[1], value % shape[2]] = value
    return labels


def _fill(labels: npt.NDArray[np.uint8], middle: list[float], radii: object, value: int) -> None:
    box, away = [], np.zeros((1, 1, 1))
    for axis, (centre, radius) in enumerate(zip(middle, np.asarray(radii), strict=True)):
        first = max(0, int(np.floor(centre - radius)))
        last = min(labels.shape[axis], int(np.ceil(centre + radius)) + 1)
        box.append(slice(first, last))
        shape = [1, 1, 1]
        shape[axis] = last - first
        away = away + (((np.arange(first, last) - centre) / radius) ** 2).reshape(shape)
    labels[tuple(box)][away <= 1] = value


def grey_values(labels: npt.NDArray[np.uint8], seed: int) -> npt.NDArray[np.int16]:
    """Return a CT of the organs in a body: smooth tissue, the scanner's noise, air around."""
    random = np.random.default_rng(seed)
    shape = labels.shape
    tone = np.concatenate([[TISSUE], random.normal(TISSUE, TISSUE_SPREAD, 255)])
    i, j = np.meshgrid(
        np.linspace(-1.1, 1.1, shape[0]), np.linspace(-1.4, 1.4, shape[1]), indexing="ij"
    )
    body = i**2 + j**2 < 1
    grey = np.empty(shape, np.int16)
    for k in range(shape[2]):
        noise = gaussian_filter(random.standard_normal(shape[:2], np.float32), 0.7) * 2 * NOISE
        page = np.where(body | (labels[:, :, k] > 0), tone[labels[:, :, k]], AIR) + noise
        grey[:, :, k] = np.clip(np.rint(page), -1024, 3071)
    return grey


def write_ct(folder: Path, shape: tuple[int, int, int], count: int, *, seed: int = 7) -> Path:
    """Write one CT with its label map in the by-plane layout; return the folder."""
    folder.mkdir(parents=True)
    labels, grid = label_map(shape, count, seed), grid_of(shape)
    (folder / "axl_inference.nii.gz").write_bytes(encode_image(labels, grid))
    volume = encode_image(grey_values(labels, seed), grid)
    (folder / "axl_anatomic.nii.gz").write_bytes(volume)
    return folder


def write_organs(
    volume: Path, masks: Path, shape: tuple[int, int, int], count: int, *, seed: int = 7
) -> None:
    """Write one CT, and a folder with a mask file for each of its organs."""
    masks.mkdir(parents=True)
    labels, grid = label_map(shape, count, seed), grid_of(shape)
    volume.write_bytes(encode_image(grey_values(labels, seed), grid))
    for value in range(1, count + 1):
        mask = encode_image((labels == value).view(np.uint8), grid)
        (masks / f"organ_{value:03}.nii.gz").write_bytes(mask)
