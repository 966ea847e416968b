"""Images with their affines, cut, reordered and relabelled by whole voxels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
from contents import (
    ALIGNED,
    BRIGHT_LEVEL,
    BRIGHT_TISSUE,
    HEAD,
    HEAD_LEVEL,
    OBLIQUE_AXIS,
    OBLIQUE_DEGREES,
    OBLIQUE_ORIGIN,
    Box,
    Codes,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

NORMAL_AXIS = {"sag": 0, "cor": 1, "axl": 2}
"""Axis of an RAS+ array that a plane's slices are stacked along."""


@dataclass(frozen=True)
class Picture:
    """Voxels and the affine that takes a voxel index to RAS+ millimetres."""

    data: NDArray[Any]
    affine: NDArray[np.float64]


@dataclass(frozen=True)
class Study:
    """An image and its label map on one grid, both stored RAS+."""

    image: Picture
    labels: Picture


@dataclass(frozen=True)
class Acquisition:
    """How one plane of a study is stored: its axes on disk and its slices' thickness."""

    plane: str
    axes: str
    thickness: int
    """Number of slices of 3 mm in one slice; odd, so that the middle one is its centre."""
    codes: Codes = ALIGNED


# --- reading -------------------------------------------------------------------------------


def read_picture(path: Path) -> Picture:
    """Read a NIfTI file with its sform affine and its values as stored."""
    image = nib.Nifti1Image.from_filename(path)
    return Picture(np.asanyarray(image.dataobj), np.asarray(image.affine, dtype=np.float64))


def read_ct(source: Path) -> Study:
    """Read the CT as int16 (Hounsfield units fit easily) and its label map as uint8."""
    image = read_picture(source / "ct_61_labels" / "axl_anatomic.nii.gz")
    labels = read_picture(source / "ct_61_labels" / "axl_inference.nii.gz")
    image = replace(image, data=image.data.astype(np.int16))
    return Study(image, replace(labels, data=labels.data.astype(np.uint8)))


# --- changing a picture exactly ------------------------------------------------------------


def crop(picture: Picture, box: Box) -> Picture:
    """Cut a box out; the affine's origin moves to the first voxel kept."""
    data = picture.data[tuple(slice(first, last) for first, last in box)]
    affine = picture.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [first for first, _ in box]
    return Picture(data, affine)


def thicken(picture: Picture, axis: int, count: int, *, labels: bool) -> Picture:
    """Join ``count`` slices along ``axis`` into one, whose centre is the middle slice's.

    An image takes the slices' mean, a label map the middle slice, so that no new value arises.
    """
    if count % 2 == 0:
        raise ValueError(f"{count} slices have no middle one; use an odd number")
    whole = picture.data.shape[axis] // count * count
    slices = np.moveaxis(picture.data, axis, 0)[:whole]
    groups = slices.reshape(whole // count, count, *slices.shape[1:])
    joined = groups[:, count // 2] if labels else np.rint(groups.mean(axis=1))
    affine = picture.affine.copy()
    affine[:3, 3] += affine[:3, axis] * ((count - 1) / 2)
    affine[:3, axis] *= count
    return Picture(np.moveaxis(joined, 0, axis).astype(picture.data.dtype), affine)


def reorient(picture: Picture, axes: str) -> Picture:
    """Store the same lattice in another axis order, such as ``LSP``; no voxel is changed."""
    now = nib.io_orientation(picture.affine)
    turn = nib.orientations.ornt_transform(now, nib.orientations.axcodes2ornt(axes))
    data = nib.apply_orientation(picture.data, turn)
    affine = picture.affine @ nib.orientations.inv_ornt_aff(turn, picture.data.shape)
    return Picture(data, affine + 0.0)  # + 0.0 turns -0.0 into 0.0


def tilt(picture: Picture) -> Picture:
    """Give the picture an oblique affine with a fractional origin; the voxels stay."""
    affine = np.eye(4)
    turn = rotation(OBLIQUE_AXIS, math.radians(OBLIQUE_DEGREES))
    affine[:3, :3] = turn @ picture.affine[:3, :3]
    affine[:3, 3] = OBLIQUE_ORIGIN
    return replace(picture, affine=affine)


def rotation(axis: Sequence[float], angle: float) -> NDArray[np.float64]:
    """Rotation matrix about ``axis`` by ``angle`` radians (Rodrigues' formula)."""
    x, y, z = np.asarray(axis) / np.linalg.norm(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    turn: NDArray[np.float64] = math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
    return np.eye(3) + turn


def acquire(picture: Picture, how: Acquisition, *, labels: bool) -> Picture:
    """Reformat an RAS+ picture as one plane's acquisition with its slice axis last on disk."""
    thick = thicken(picture, NORMAL_AXIS[how.plane], how.thickness, labels=labels)
    return reorient(thick, how.axes)


# --- label maps ----------------------------------------------------------------------------


def relabel(picture: Picture, groups: Mapping[int, Iterable[int]]) -> Picture:
    """Give every value of a group the group's number; all other values become background."""
    table = np.zeros(256, dtype=np.uint8)
    for number, values in groups.items():
        table[list(values)] = number
    return replace(picture, data=table[picture.data])


def objects(picture: Picture, values: Sequence[int]) -> Picture:
    """Make a mask whose objects 1, 2, ... are ``values`` in their order."""
    return relabel(picture, {number: (value,) for number, value in enumerate(values, start=1)})


def present(picture: Picture, values: Sequence[int]) -> list[int]:
    """Keep those ``values`` that have voxels, so that objects are numbered without gaps."""
    return [value for value in values if np.any(picture.data == value)]


def choose(groups: Mapping[int, tuple[int, ...]], keep: Iterable[int]) -> dict[int, Sequence[int]]:
    """Keep some groups of a label map, under their own numbers."""
    return {number: groups[number] for number in keep}


def box_mean(data: NDArray[Any]) -> NDArray[np.float64]:
    """Mean over the 3 x 3 x 3 voxels around each voxel, the border repeated."""
    mean = data.astype(np.float64)
    for axis in range(data.ndim):
        wide = np.pad(mean, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
        parts = [np.take(wide, range(s, s + data.shape[axis]), axis) for s in range(3)]
        mean = (parts[0] + parts[1] + parts[2]) / 3
    return mean


def grow(seed: NDArray[np.bool_], inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Grow ``seed`` through face neighbours as far as ``inside`` allows."""
    region = seed & inside
    while True:
        wide = np.pad(region, 1)
        near = wide.copy()
        for axis in range(3):
            near |= np.roll(wide, 1, axis) | np.roll(wide, -1, axis)
        grown = near[1:-1, 1:-1, 1:-1] & inside
        if np.array_equal(grown, region):
            return region
        region = grown


def head_labels(picture: Picture) -> Picture:
    """Label a head by two plain thresholds: a demonstration, not an anatomical truth.

    Head is the region above ``HEAD_LEVEL`` that is connected with the largest bright part.
    """
    smooth = box_mean(picture.data)
    bright = np.percentile(smooth, 98)
    seed = smooth >= np.percentile(smooth, 95)
    core = grow(largest_seed(seed), smooth > HEAD_LEVEL * bright)
    data = np.where(core, HEAD, 0).astype(np.uint8)
    data[core & (smooth > BRIGHT_LEVEL * np.median(smooth[core]))] = BRIGHT_TISSUE
    return replace(picture, data=data)


def largest_seed(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Largest connected region of ``mask``."""
    left, largest = mask.copy(), np.zeros_like(mask)
    while left.any():
        seed = np.zeros_like(mask)
        seed[tuple(np.argwhere(left)[0])] = True
        region = grow(seed, left)
        left &= ~region
        if region.sum() > largest.sum():
            largest = region
    return largest


# --- writing -------------------------------------------------------------------------------
