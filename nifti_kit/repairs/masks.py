"""Repairs of masks: their header, their order, their grid, their values."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import Grid, Orientation, compare_grids, ras_orientation
from nifti_kit.core.text import counted
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item, MaskFile
from nifti_kit.datasets.scanning import Mended
from nifti_kit.errors import RepairRefused, visible
from nifti_kit.formats.components import SPECK_VOXELS, survey_shapes
from nifti_kit.formats.labels import INTEGER_TOLERANCE, MAX_LABEL, LabelSurvey, read_labels
from nifti_kit.formats.nifti import ImageFile, encode_image, iter_scaled_frames
from nifti_kit.repairs.align import grid_of
from nifti_kit.repairs.repair import Repair, masks_meant, measured, repaired


@dataclass(frozen=True)
class _Case:
    """A mask, and the grid that it is to fit."""

    mask: MaskFile
    volume: Grid
    name: str


def take_header(dataset: Dataset, files: Any, *, volume: Any = None) -> Repair:
    """Return the dataset with masks placed by their volume's header; no voxel changes.

    For masks that were saved without their header, or with a wrong one: the voxels must be in the
    volume's order already, which only a person can know.

    Parameters
    ----------
    dataset
        What :func:`nifti_kit.scan` returned.
    files
        The masks: paths, or findings about them.
    volume
        For annotations without a volume in the dataset: a volume of the target, a NIfTI or NRRD
        file, or a grid.

    Raises
    ------
    RepairRefused
        If a mask has another shape than its volume, or no volume.
    """
    mended = []
    for case in _cases(dataset, files, volume):
        if case.mask.grid.shape != case.volume.shape:
            raise RepairRefused(
                "the mask has another shape than its volume: its voxels are not the volume's",
                path=str(case.mask.relative),
                found=case.mask.grid.shape,
                expected=case.volume.shape,
                remedy="nk.repairs.resample goes by the mask's own header.",
            )
        voxels = read_labels(case.mask.image).voxels
        mended.append(
            _mended(case.mask.image, voxels, case.volume, f"took the header of {case.name}")
        )
    return repaired(dataset, mended)


def reorient(dataset: Dataset, files: Any, *, volume: Any = None) -> Repair:
    """Return the dataset with masks in the voxel order of their volume: exact, to the voxel.

    Every voxel stays where it is in world space. Masks that are a flip or permutation of their
    volume's grid need no repair to land; this makes them plain for other readers.

    Parameters and errors are those of :func:`take_header`, but for the shape.
    """
    mended = []
    for case in map(_usable, _cases(dataset, files, volume)):
        orientation = _order(case.mask.grid, case.volume)
        voxels = orientation.apply(read_labels(case.mask.image).voxels)
        grid = case.mask.grid.reoriented(orientation)
        alignment = compare_grids(grid, case.volume)
        target = case.volume if alignment.lands else grid
        what = f"put into the voxel order of {case.name} ({target.axis_codes})"
        mended.append(_mended(case.mask.image, voxels, target, what))
    return repaired(dataset, mended)


def _order(mask: Grid, volume: Grid) -> Orientation:
    """Return the reordering of a mask into its volume's order, exact where they share voxels."""
    exact = compare_grids(mask, volume).orientation
    if exact is not None:
        return exact
    into_ras = ras_orientation(volume)
    axes, flips = [0, 0, 0], [False, False, False]
    for ras, (axis, flip) in enumerate(zip(into_ras.axes, into_ras.flips, strict=True)):
        axes[axis], flips[axis] = ras, flip
    out_of_ras = Orientation(tuple(axes), tuple(flips))  # type: ignore[arg-type]
    return ras_orientation(mask).then(out_of_ras)


def resample(dataset: Dataset, files: Any, *, volume: Any = None) -> Repair:
    """Return the dataset with masks on their volume's grid, by nearest neighbours.

    Each voxel of the volume takes the value of the mask's voxel that holds its centre, by both
    headers; sheared masks too. (scipy's ``affine_transform``: ITK refuses sheared grids.)

    Parameters and errors are those of :func:`take_header`, but for the shape.

    Raises
    ------
    RepairRefused
        If nothing of the mask lies in its volume.
    """
    from scipy.ndimage import affine_transform

    mended = []
    for case in map(_usable, _cases(dataset, files, volume)):
        before = read_labels(case.mask.image)
        voxels = before.voxels
        matrix = np.linalg.inv(case.mask.grid.affine) @ case.volume.affine
        moved = affine_transform(
            voxels,
            matrix[:3, :3],
            matrix[:3, 3],
            output_shape=case.volume.shape,
            output=voxels.dtype,
            order=0,
            mode="grid-constant",  # a voxel reaches half its size beyond its centre
            prefilter=False,
        )
        if voxels.any() and not moved.any():
            raise RepairRefused(
                "nothing of the mask lies in its volume",
                path=str(case.mask.relative),
                found=f"{case.name} without a labelled voxel",
                remedy="Find the mask's own volume, or nk.repairs.take_header if shapes agree.",
            )
        what = f"resampled onto the grid of {case.name} by nearest neighbours"
        mended.append(
            _mended(case.mask.image, moved, case.volume, what + _lost(before.survey, moved))
        )
    return repaired(dataset, mended)


def round_labels(dataset: Dataset, files: Any, *, threshold: float | None = None) -> Repair:
    """Return the dataset with masks of whole numbers: each value goes to the nearest one.

    Parameters
    ----------
    dataset, files
        As for :func:`take_header`.
    threshold
        For a probability map: values of at least this become 1, all others 0.

    Raises
    ------
    RepairRefused
        If a value is not finite, negative or above 65535; a threshold takes all but NaN.
    """
    mended, before = [], {}
    for image in _images(dataset, files):
        before[image.relative] = measured(_whole_already(image), image.grid)
        voxels = np.stack(list(_rounded(image, threshold)), axis=2)
        how = "rounded to the nearest whole number" if threshold is None else ""
        what = how or f"made a mask of values of at least {threshold:g}"
        mended.append(_mended(image, voxels, image.grid, what))
    return repaired(dataset, mended, before)


def _whole_already(image: ImageFile) -> Iterator[npt.NDArray[Any]]:
    """Yield the frames with nothing but the values that are whole numbers as they stand."""
    for frame in iter_scaled_frames(image):
        whole = np.rint(frame)
        fine = np.abs(frame - whole) <= INTEGER_TOLERANCE  # not where NaN
        fine &= (whole > 0) & (whole <= MAX_LABEL)
        yield np.where(fine, whole, 0).astype(np.uint16)


def _rounded(image: ImageFile, threshold: float | None) -> Iterator[npt.NDArray[Any]]:
    for k, frame in enumerate(iter_scaled_frames(image)):
        if np.isnan(frame).any():
            raise _no_label(image, k, "NaN")
        if threshold is not None:
            yield (frame >= threshold).astype(np.uint8)
            continue
        whole = np.rint(frame)
        if whole.min() < 0 or whole.max() > MAX_LABEL:
            raise _no_label(image, k, f"values from {frame.min():g} to {frame.max():g}")
        yield whole.astype(np.uint16)


def _no_label(image: ImageFile, k: int, found: str) -> RepairRefused:
    return RepairRefused(
        "rounding does not make labels of these values",
        path=str(image.relative),
        found=f"{found} in frame {k + 1}",
        expected=f"numbers from 0 to {MAX_LABEL}",
        remedy="For a probability map give a threshold: round_labels(..., threshold=0.5).",
    )


def drop_specks(dataset: Dataset, files: Any, *, fewer_than: int = SPECK_VOXELS) -> Repair:
    """Return the dataset with masks without specks: parts of fewer voxels than ``fewer_than``.

    Parts hang together by faces, edges or corners (26 neighbours).

    Raises
    ------
    RepairRefused
        If a mask has no such part, or falls into too many pieces to tell them apart.
    """
    mended = []
    for image in _images(dataset, files):
        shapes = survey_shapes(image)
        found = read_labels(image)
        voxels, before = found.voxels, found.survey
        specks = [
            (value, part)
            for value, parts in shapes.parts.items()
            for part in parts
            if part.voxels < fewer_than
        ]
        if not specks:
            raise RepairRefused(
                f"the mask has no part of fewer than {fewer_than} voxels",
                path=str(image.relative),
                found=None if shapes.parts or not voxels.any() else "too many pieces to tell apart",
            )
        for value, part in specks:
            _clear(voxels, value, part)
        total = counted(sum(part.voxels for _, part in specks), "voxel")
        what = f"dropped {counted(len(specks), 'speck')} ({total}){_lost(before, voxels)}"
        mended.append(_mended(image, voxels, image.grid, what))
    return repaired(dataset, mended)


def _clear(voxels: npt.NDArray[Any], value: int, part: Any) -> None:
    """Set the voxels of one part to 0: within its box another part of the value may lie."""
    from scipy.ndimage import generate_binary_structure, label

    box = voxels[part.box]
    pieces, _ = label(box == value, generate_binary_structure(3, 3))
    seed = tuple(at - side.start for at, side in zip(part.seed, part.box, strict=True))
    box[pieces == pieces[seed]] = 0


def _lost(before: LabelSurvey, after: npt.NDArray[Any]) -> str:
    """Return which values are no more, in words."""
    left = set(np.flatnonzero(np.bincount(after.ravel(order="K"))).tolist())
    gone = [value for value in before.values if value not in left]
    return f"; no voxel is left of {', '.join(map(str, gone))}" if gone else ""


def _usable(case: _Case) -> _Case:
    """Return a case whose mask has a place in space."""
    if case.mask.grid.problem:
        raise RepairRefused(
            "the mask's own header gives it no place in space",
            path=str(case.mask.relative),
            found=case.mask.grid.problem,
            remedy="If its voxels are in the volume's order: nk.repairs.take_header.",
        )
    return case


def _cases(dataset: Dataset, files: Any, volume: Any) -> Iterator[_Case]:
    for item, mask in masks_meant(dataset, files):
        grid, name = _volume_of(item, mask, volume)
        if grid.problem:
            raise RepairRefused(
                "the volume's header gives it no place in space",
                path=name,
                found=grid.problem,
                remedy="Write the volume again with a right header.",
            )
        yield _Case(mask, grid, name)


def _volume_of(item: Item, mask: MaskFile, volume: Any) -> tuple[Grid, str]:
    if volume is not None:
        return grid_of(volume, mask.grid.shape), _name_of(volume)
    if item.volume is None:
        raise RepairRefused(
            "the mask has no volume in this dataset",
            path=str(mask.relative),
            remedy="Give the volume: volume=a file, or one of target.volumes().",
        )
    return item.volume.grid, str(item.volume.relative)


def _name_of(volume: Any) -> str:
    """Return how a volume that a person gave is named: a header or an affine has no name."""
    if isinstance(volume, (str, os.PathLike)):
        return visible(Path(volume).name)
    name = getattr(volume, "name", None) or getattr(volume, "relative", "")
    return visible(name) or "the given volume"


def _images(dataset: Dataset, files: Any) -> list[ImageFile]:
    return [mask.image for _, mask in masks_meant(dataset, files)]


def _mended(image: ImageFile, voxels: npt.NDArray[Any], grid: Grid, what: str) -> Mended:
    return Mended(image.relative, encode_image(voxels, grid), what)
