"""Alignment of single masks: the specification's two options as one function."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nifti_kit.checks.geometry import share_text
from nifti_kit.core.files import refuse_special, write_bytes
from nifti_kit.core.geometry import Alignment, Grid, compare_grids, ras_orientation
from nifti_kit.datasets.names import is_nifti
from nifti_kit.errors import BadLabels, NiftiKitError, RepairRefused, UnreadableFile
from nifti_kit.formats.labels import INTEGER_TOLERANCE, labels_have_merged, read_labels
from nifti_kit.formats.nifti import GZIP_MAGIC, ImageFile, read_header
from nifti_kit.formats.nrrd import box_bytes, grid_from_header, header_of, read_grid
from nifti_kit.targets.records import VolumeRef


class AlignedMask(NamedTuple):
    """A mask in RAS+ order with the header that puts it in its place.

    It unpacks as ``mask, header``, as ``sly.Mask3D(mask, volume_header=header)`` takes them; but
    ``Mask3D`` rounds the origin to whole millimetres, which :meth:`to_bytes` does not.

    Attributes
    ----------
    mask
        (i, j, k) bool, in RAS+ order.
    header
        NRRD fields: ``space`` right-anterior-superior, ``space directions`` (3, 3) with one row
        per axis (mm), ``space origin`` (RAS+ mm), at full precision.
    """

    mask: npt.NDArray[np.bool_]
    header: dict[str, Any]

    @property
    def grid(self) -> Grid:
        """Where the voxels are (RAS+ mm)."""
        return grid_from_header(self.header, "the mask")

    def to_bytes(self) -> bytes:
        """Return the geometry as the platform keeps it: a NRRD file, uint8, 0 and 1."""
        whole = tuple(slice(0, size) for size in self.mask.shape)
        return box_bytes(self.grid, whole, self.mask)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the geometry as a NRRD file."""
        write_bytes(Path(path), self.to_bytes())


def align_mask(
    mask: npt.ArrayLike | str | os.PathLike[str],
    volume: Any = None,
    *,
    value: int | None = None,
) -> AlignedMask:
    """Return a mask in RAS+ order, each voxel at its own place in world space.

    Option 1 of the specification: an array in the voxel order of a volume, and that volume.
    Option 2: a NIfTI mask by its own header, always; a ``volume`` is not needed, and if it is
    given the mask must lie on its voxels.

    Parameters
    ----------
    mask
        (i, j, k) array, or a ``.nii`` / ``.nii.gz`` file.
    volume
        For an array: the volume's NRRD header (``nrrd.read_header``), a ``.nrrd`` or NIfTI file,
        or a 4 x 4 affine to RAS+ mm. Its axes may be in any order and direction. For a file: the
        same, to be compared with the file's own header in world space. A mask that is a flip or
        permutation of the volume's grid fits, and one that covers a part of it, around which zeros
        are put; the result is by the mask's header all the same.
    value
        The label to take; every value but 0 by default.

    Raises
    ------
    NiftiKitError
        If the array has no volume, or another shape than it; or if a file does not lie on the
        voxels of the volume that was given with it.
    UnreadableFile
        If a file is damaged.
    BadLabels
        If the mask has no voxel of the value, or holds fractions or NaN: a probability map.
    """
    if isinstance(mask, (str, os.PathLike)):
        voxels, grid = _from_file(Path(mask))
    else:
        voxels = _whole(np.asarray(mask))
        grid = grid_of(volume, voxels.shape)
    _check(voxels, grid)
    orientation, cutout = ras_orientation(grid), None
    if isinstance(mask, (str, os.PathLike)) and volume is not None:
        there = grid_of(volume, voxels.shape)
        alignment = _aligned(Path(mask), grid, there)
        orientation, cutout = alignment.into_ras(there), alignment.cutout(there)
    inside = voxels != 0 if value is None else voxels == value
    if not inside.any():
        raise BadLabels(
            "the mask has no voxel" + ("" if value is None else f" of the value {value}"),
            path=str(mask) if isinstance(mask, (str, os.PathLike)) else None,
            remedy="Choose another value, or leave the mask out.",
        )
    ordered, landed = orientation.apply(inside), grid.reoriented(orientation)
    if cutout is not None:
        whole = np.zeros(cutout.shape, dtype=bool)
        whole[cutout.moved([slice(0, size) for size in landed.shape])] = ordered
        ordered, landed = whole, landed.uncropped(cutout)
    return AlignedMask(np.ascontiguousarray(ordered), header_of(landed))


def _from_file(path: Path) -> tuple[npt.NDArray[Any], Grid]:
    image = read_header(path)
    voxels = read_labels(image).voxels
    refuse_merged(image, "give them as an array, with the volume")
    return voxels, image.grid


def refuse_merged(image: ImageFile, remedy: str = "") -> None:
    """Refuse a label map whose labels may have merged: as plain integers nothing tells it."""
    if labels_have_merged(image):
        if not remedy:
            name = str(image.relative)
            remedy = f"say so of each first: nk.repairs.relabel(dataset, {name!r}, {{10: 10, ...}})"
        raise RepairRefused(
            "labels nearer than a step became one when it was saved, if there were any",
            path=str(image.relative),
            found=f"scl_slope {image.slope:g}",
            expected="plain integers (scl_slope 1, scl_inter 0)",
            remedy="Where it was made, save it again as plain integers. Only if its values are its "
            f"labels, {remedy}.",
        )


def _whole(voxels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return floats as whole numbers, by the rule for files: a fraction is no label, nor is NaN."""
    if voxels.dtype.kind != "f":
        return voxels
    whole: npt.NDArray[Any] = np.rint(voxels)
    finite = np.isfinite(voxels).all()
    if not finite or np.abs(voxels - whole).max(initial=0.0) > INTEGER_TOLERANCE:
        raise BadLabels(
            "the mask holds values that are no labels",
            found="fractions" if finite else "values that are not finite (NaN or infinite)",
            expected="integers",
            remedy="Apply a threshold first: mask > 0.5.",
        )
    return whole


def grid_of(volume: Any, shape: tuple[int, ...]) -> Grid:
    """Return the grid of whatever describes the volume."""
    if isinstance(volume, (str, os.PathLike)):
        return _grid_of_file(Path(volume))
    if isinstance(volume, Mapping):
        return grid_from_header({"sizes": shape, **volume}, "the volume's header")
    if isinstance(volume, (ImageFile, VolumeRef)):
        return volume.grid
    if isinstance(volume, Grid):
        return volume
    affine = np.asarray(volume, dtype=object)
    if affine.shape == (4, 4) and len(shape) == len("ijk"):
        return Grid(shape, affine.astype(np.float64))  # type: ignore[arg-type]
    raise NiftiKitError(
        "an array needs the volume that it belongs to",
        found=type(volume).__name__,
        expected="a NRRD header, a .nrrd or NIfTI file, or a 4 x 4 affine",
        remedy="Give it as the second argument, or give the mask's NIfTI file.",
    )


def _grid_of_file(path: Path) -> Grid:
    try:
        refuse_special(path)
        with path.open("rb") as stream:
            start = stream.read(4)
    except OSError as error:
        raise UnreadableFile(f"the file cannot be read: {error}", path=path) from error
    if is_nifti(path.name) or start[:2] == GZIP_MAGIC:
        return read_header(path).grid
    return read_grid(path)


def _aligned(path: Path, mask: Grid, volume: Grid) -> Alignment:
    """Return how a mask file lies on its volume; refused where not on its voxels, in mm."""
    alignment = compare_grids(mask, volume)
    if alignment.lands:
        return alignment
    if volume.problem:
        raise NiftiKitError(
            "the volume's header gives it no place in space",
            found=volume.problem,
            remedy="Write the volume's header again, or leave the volume out.",
        )
    sizes = f"{_size(mask)} voxels on {_size(volume)}"
    if math.isfinite(alignment.displacement_mm):
        sizes = (
            f"corners up to {alignment.displacement_mm:.4g} mm "
            f"({alignment.displacement_voxels:.3g} voxels) away"
        )
    share = f"{share_text(alignment.overlap)} of its field of view is in the volume's"
    raise NiftiKitError(
        "the mask does not lie on the voxels of its volume",
        path=path,
        found=f"{alignment.verdict}: {sizes}; {share}",
        expected="the volume's grid, in any order of axes",
        remedy=_REMEDIES.get(alignment.verdict, _BY_OWN_HEADER),
    )


def _size(grid: Grid) -> str:
    return " x ".join(map(str, grid.shape))


_BY_OWN_HEADER = "To place the mask by its own header all the same, leave the volume out."

_BY_VOLUME = (
    "If its voxels are in the volume's order, give them as an array with the volume: "
    "align_mask(nibabel.load(file).get_fdata(), volume). "
)

_REMEDIES = {
    "axes exchanged": "Give its voxels as an array with its axes in the volume's order "
    "(numpy.transpose): align_mask(array, volume). " + _BY_OWN_HEADER,
    "header lost": _BY_VOLUME + _BY_OWN_HEADER,
    "translated": _BY_VOLUME + _BY_OWN_HEADER,
    "resampled": "Resample the mask onto the volume's grid (nk.repairs.resample). "
    + _BY_OWN_HEADER,
    "apart": "Give the volume that the mask was made on. " + _BY_OWN_HEADER,
}


def _check(voxels: npt.NDArray[Any], grid: Grid) -> None:
    if voxels.shape != grid.shape:
        raise NiftiKitError(
            "the mask has another shape than its volume",
            found=voxels.shape,
            expected=grid.shape,
            remedy="Give the volume that the mask was made on, or resample the mask onto it.",
        )
    if grid.problem or grid.is_sheared:
        raise NiftiKitError(
            "the grid cannot be used",
            found=grid.problem or f"a shear of {grid.shear_degrees:.2f} degrees",
            remedy="Write the volume's header again, or resample the image.",
        )
