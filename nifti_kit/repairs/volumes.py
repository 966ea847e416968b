"""Repairs of where a volume is, its masks with it: perpendicular axes, the other form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import (
    ROUNDING_MM,
    SHEAR_COSINE,
    Alignment,
    Grid,
    compare_grids,
    corner_displacement,
)
from nifti_kit.core.memory import mapped_array
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item, MaskFile
from nifti_kit.datasets.scanning import Mended
from nifti_kit.errors import RepairRefused
from nifti_kit.formats.labels import read_labels
from nifti_kit.formats.nifti import (
    ImageFile,
    encode_image,
    iter_scaled_frames,
    read_voxels,
    with_form,
)
from nifti_kit.formats.volumes import value_dtype
from nifti_kit.repairs.align import refuse_merged
from nifti_kit.repairs.repair import Repair, located, only_about, repaired

WHOLE = 1e-6
"""A number this near to a whole one is that: of voxels, the rounding of a product of matrices."""

MOST_GROWN = 16
"""Times that a straight image may be larger than the sheared one: real tilts need 3 at most."""


def straighten(dataset: Dataset, files: Any) -> Repair:
    """Return the dataset with sheared volumes, and their masks, on perpendicular axes.

    Two axes of the volume stay as they are, those that are most nearly perpendicular; the third
    goes along their normal, so that slices stay in their planes. Voxel sizes and volumes (mm3)
    stay. Where each slice moves by whole voxels nothing is interpolated. Else the volume is, by
    linear interpolation, and masks take the nearest voxel; the proof says how far that is.
    What lies outside of the sheared volume has its lowest value.

    Parameters
    ----------
    dataset, files
        As for :func:`nifti_kit.repairs.take_header`: the volumes, or masks of them.

    Raises
    ------
    RepairRefused
        If a volume is not sheared, a mask has no volume that is, or a mask does not lie in it.
    UnreadableFile, BadLabels
        If a file is damaged, or a mask cannot be read.
    """
    mended: list[Mended] = []
    for item in _items(dataset, only_about(files, "grid-sheared")):
        volume = item.volume
        if volume is None or volume.grid.problem or not volume.grid.is_sheared:
            raise _not_sheared(item)
        grid = _straight(volume.grid)
        if np.prod(grid.shape) > MOST_GROWN * np.prod(volume.shape):
            raise RepairRefused(
                "the axes are too far from perpendicular",
                path=str(volume.relative),
                found=f"{volume.grid.shear_degrees:.1f} degrees; {grid.shape} voxels would be "
                "needed",
                remedy="Check the header: it is hardly that of a scan.",
            )
        mended.append(_straight_volume(volume, grid))
        for mask in item.masks:
            place = compare_grids(mask.grid, volume.grid)
            if not place.lands and place.verdict != "resampled":
                raise _misplaced(mask, place)
            if place.lands or (mask.grid.is_sheared and not mask.grid.problem):
                mended.append(_straight_mask(mask.image, grid))
    return repaired(dataset, mended)


def _items(dataset: Dataset, files: Any) -> Iterator[Item]:
    """Yield the items that some of their images are meant of, each once."""
    meant = set(located(dataset, files))
    for item in dataset.items:
        own = {image.relative for image in item.images}
        if own & meant:
            meant -= own
            yield item
    if meant:
        raise RepairRefused(
            "it is no image of this dataset",
            path=str(min(meant)),
            expected="a volume or a mask of an item",
            remedy="The findings say why it is not used.",
        )


def _misplaced(mask: MaskFile, place: Alignment) -> RepairRefused:
    """Return why a mask cannot go with its volume: straight, nobody would see where it lay."""
    name = str(mask.relative)
    remedy = f"nk.repairs.take_header(dataset, {name!r})"
    if place.verdict == "axes exchanged":
        remedy = f"nk.repairs.reorder_axes(dataset, {name!r})"
    return RepairRefused(
        "a mask does not lie in its volume by its header, which is to be decided first",
        path=name,
        found=place.verdict,
        expected="the volume's voxels, or a part of them",
        remedy=f"If it was made on this volume: {remedy}, then straighten. If its header is right: "
        f"nk.repairs.resample(dataset, {name!r}), then straighten.",
    )


def _not_sheared(item: Item) -> RepairRefused:
    image = item.images[0]
    remedy = "A sheared mask of a straight volume: nk.repairs.resample(dataset, mask)."
    if item.volume is None:
        remedy = "A sheared mask alone: nk.repairs.resample(dataset, mask, volume=...)."
    return RepairRefused(
        "it has no volume that is sheared" if item.volume is None else "its axes are perpendicular",
        path=str(image.relative),
        found=image.grid.problem or f"{image.grid.shear_degrees:.3f} degrees of shear",
        remedy=remedy,
    )


def _straight(sheared: Grid) -> Grid:
    """Return the grid on perpendicular axes that holds every voxel centre of a sheared one."""
    unit, sizes = sheared.directions, np.array(sheared.voxel_size)
    pairs = [(abs(unit[:, a] @ unit[:, b]), a, b) for a, b in ((0, 1), (0, 2), (1, 2))]
    _, first, second = min(pairs)
    slices = 3 - first - second
    affine = np.array(sheared.affine)
    across = unit[:, second] - (unit[:, second] @ unit[:, first]) * unit[:, first]
    height = float(np.linalg.norm(across))
    if height < 1 - SHEAR_COSINE**2 / 2:  # else it is perpendicular already, to the last digit
        affine[:3, second] = across * sizes[second]
    normal = np.cross(affine[:3, first], affine[:3, second])
    normal /= np.linalg.norm(normal)
    affine[:3, slices] = normal * (normal @ affine[:3, slices])
    ends = np.linalg.solve(affine[:3, :3], (sheared.world(sheared.corners()) - sheared.origin).T)
    low = np.floor(ends.min(axis=1) + 2 * WHOLE)
    high = np.ceil(ends.max(axis=1) - 2 * WHOLE)
    low, high = np.minimum(low, 0), np.maximum(high, 0)
    i, j, k = (int(size) for size in high - low + 1)
    affine[:3, 3] = sheared.origin + affine[:3, :3] @ low
    return Grid((i, j, k), affine)


@dataclass(frozen=True)
class _Way:
    """From voxels of a straight grid to those of the sheared one: ``matrix @ index + start``.

    It is exact where each voxel comes from a whole one.
    """

    matrix: npt.NDArray[np.float64]
    start: npt.NDArray[np.float64]
    exact: bool


def _way(straight: Grid, sheared: Grid) -> _Way:
    whole = np.linalg.inv(sheared.affine) @ straight.affine
    whole = np.where(np.abs(whole - np.rint(whole)) < WHOLE, np.rint(whole), whole)
    matrix, start = whole[:3, :3], whole[:3, 3]
    return _Way(matrix, start, _is_exact(straight, sheared, matrix, start))


def _is_exact(
    straight: Grid, sheared: Grid, matrix: npt.NDArray[Any], start: npt.NDArray[Any]
) -> bool:
    """Say whether voxel centres of one grid are those of the other, but for rounding (mm)."""
    # Along each axis the voxels that it leads to: all of them are whole if those of each axis are.
    steps = [np.outer(np.arange(size), matrix[:, a]) for a, size in enumerate(straight.shape)]
    off = [np.abs(step - np.rint(step)).max(axis=0) for step in (start[None], *steps)]
    return bool(np.linalg.norm(np.sum(off, axis=0) * sheared.voxel_size) <= ROUNDING_MM)


def _resampled(
    voxels: npt.NDArray[Any], straight: Grid, way: _Way, order: int, outside: float
) -> npt.NDArray[Any]:
    from scipy.ndimage import affine_transform

    return np.asarray(
        affine_transform(
            voxels,
            way.matrix,
            way.start,
            output_shape=straight.shape,
            output=voxels.dtype,
            order=0 if way.exact else order,
            mode="grid-constant",  # a voxel reaches half its size beyond its centre
            cval=outside,
            prefilter=False,
        )
    )


def _straight_volume(image: ImageFile, grid: Grid) -> Mended:
    values = _values(image)
    way = _way(grid, image.grid)
    lowest = [low for low in map(_lowest, np.moveaxis(values, 2, 0)) if low is not None]
    outside = min(lowest, default=0)
    whole = ", rounded to whole numbers" if values.dtype.kind in "iu" else ""
    straight = _resampled(values, grid, way, 1, outside)
    what = f"{_moved(image.grid, grid)}: {_how(way, f'linear interpolation{whole}')}"
    what += f"; what lay outside is {outside:g}"
    return Mended(image.relative, encode_image(straight, grid), what)


def _values(image: ImageFile) -> npt.NDArray[Any]:
    """Return the values of a volume in the smallest type that holds them, (i, j, k)."""
    if not image.is_scaled:
        return read_voxels(image)
    values = mapped_array(image.shape, value_dtype(image))
    for k, frame in enumerate(iter_scaled_frames(image)):
        values[:, :, k] = frame
    return values


def _lowest(frame: npt.NDArray[Any]) -> Any:
    """Return the lowest finite value of a frame; None where it has none."""
    finite = frame[np.isfinite(frame)]
    return finite.min().item() if finite.size else None


def _straight_mask(image: ImageFile, grid: Grid) -> Mended:
    refuse_merged(image)
    found = read_labels(image)
    way = _way(grid, image.grid)
    straight = _resampled(found.voxels, grid, way, 0, 0)
    what = f"{_moved(image.grid, grid)}: {_how(way, 'nearest neighbours')}"
    if not way.exact:
        what += f", from {_farthest(straight, image.grid, grid, way):.3g} mm away at most"
    counts = np.bincount(straight.ravel(order="K"))
    gone = [v for v in found.survey.values if v >= len(counts) or not counts[v]]
    if gone:
        what += f"; no voxel is left of {', '.join(map(str, gone))}"
    return Mended(image.relative, encode_image(straight, grid), what)


def _moved(sheared: Grid, straight: Grid) -> str:
    sizes = " -> ".join(" x ".join(map(str, grid.shape)) for grid in (sheared, straight))
    return f"put onto perpendicular axes (a shear of {sheared.shear_degrees:.2f} degrees; {sizes})"


def _how(way: _Way, interpolation: str) -> str:
    return "slices moved by whole voxels, nothing interpolated" if way.exact else interpolation


def _farthest(straight: npt.NDArray[Any], sheared: Grid, grid: Grid, way: _Way) -> float:
    """Return how far at most a labelled voxel lies from the voxel that it was taken from (mm)."""
    farthest = 0.0
    for k in range(straight.shape[2]):
        indices = np.argwhere(straight[:, :, k])
        if len(indices):
            at = np.column_stack([indices, np.full(len(indices), k)])
            source = np.floor(at @ way.matrix.T + way.start + 0.5)
            moved = np.linalg.norm(grid.world(at) - sheared.world(source), axis=1)
            farthest = max(farthest, float(moved.max()))
    return farthest


# Which of the two places of a header is meant

FORMS = ("sform", "qform")


def use_form(dataset: Dataset, files: Any, form: str | None = None) -> Repair:
    """Return the dataset with images placed by the form of their header that a person names.

    sform and qform then say the same; voxels stay bit for bit. With a volume its masks go whose
    header has the same forms: they stay on its voxels.

    Parameters
    ----------
    dataset, files
        As for :func:`nifti_kit.repairs.take_header`: volumes or masks.
    form
        ``sform`` or ``qform``. By default the only one that can be used, where that is so.

    Raises
    ------
    RepairRefused
        If a header does not have the form, or it gives no place; or both could be meant and none
        is named.
    UnreadableFile
        If a file is damaged.
    """
    if form is not None and form not in FORMS:
        raise RepairRefused("there is no such form", found=repr(form), expected=" or ".join(FORMS))
    files = only_about(files, "affine-forms-disagree", "grid-unusable")
    meant = set(located(dataset, files))
    mended = []
    for item in _items(dataset, files):
        volume = item.volume
        for image in item.images:
            follows = volume is not None and volume.relative in meant and _alike(image, volume)
            if image.relative in meant or follows:
                mended.append(_placed(image, form or _only_form(image)))
    return repaired(dataset, mended)


def _alike(image: ImageFile, volume: ImageFile) -> bool:
    """Say whether two headers have the same two forms, by which their voxels meet."""
    if image.shape != volume.shape:
        return False
    for one, other in ((image.sform, volume.sform), (image.qform, volume.qform)):
        if (one is None) != (other is None):
            return False
        if one is not None and other is not None and not np.allclose(one, other, atol=ROUNDING_MM):
            return False
    return True


def _usable_forms(image: ImageFile) -> dict[str, Grid]:
    """Return the forms of a header that give its voxels a place."""
    forms = {"sform": image.sform, "qform": image.qform}
    grids = {name: Grid(image.shape, form) for name, form in forms.items() if form is not None}
    return {name: grid for name, grid in grids.items() if not grid.problem}


def _only_form(image: ImageFile) -> str:
    usable = _usable_forms(image)
    if len(usable) == 1:
        return next(iter(usable))
    name = str(image.relative)
    raise RepairRefused(
        "it is not said which form is meant" if usable else "neither form gives a place in space",
        path=name,
        found=" and ".join(usable) or "no form that can be used",
        remedy=f"nk.repairs.use_form(dataset, {name!r}, 'qform'), or 'sform'."
        if usable
        else "A mask in its volume's voxel order: nk.repairs.take_header(dataset, mask).",
    )


def _placed(image: ImageFile, form: str) -> Mended:
    usable = _usable_forms(image)
    if form not in usable:
        raise RepairRefused(
            f"the header has no {form} that can be used",
            path=str(image.relative),
            found=f"sform_code {image.codes[0]}, qform_code {image.codes[1]}"
            + (f"; {image.grid.problem}" if image.grid.problem else ""),
            remedy=f"nk.repairs.use_form(dataset, {str(image.relative)!r}, {next(iter(usable))!r})."
            if usable
            else "",
        )
    grid = usable[form]
    what = f"placed by its {form}"
    if not image.grid.problem:
        moved = corner_displacement(image.grid, grid)
        what += f"; a corner moves by {moved:.4g} mm" if moved else ", as before"
    content = with_form(image, grid.affine, sheared=grid.is_sheared)
    return Mended(image.relative, content, what, placed="use_form")
