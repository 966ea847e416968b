"""Rules about where voxels are."""

from __future__ import annotations

from collections.abc import Iterator

from nifti_kit.findings import Finding, finding
from nifti_kit.geometry import Alignment, compare_grids
from nifti_kit.images import ImageFile
from nifti_kit.items import Item

__all__ = ["grids", "mask_alignment", "misaligned"]

FORMS_DISAGREE_MM = 0.1
"""sform and qform further apart than this are two places, not two roundings (mm)."""

_VERDICT_CODES = {
    "header lost": "mask-header-lost",
    "translated": "mask-translated",
    "resampled": "mask-resampled",
    "apart": "mask-apart",
}


def grids(item: Item) -> Iterator[Finding]:
    """The header of each image gives a usable place in space, and only one."""
    for image in (item.volume, *(mask.image for mask in item.masks)):
        if image is not None:
            yield from _grid(image)


def _grid(image: ImageFile) -> Iterator[Finding]:
    grid = image.grid
    if grid.problem:
        yield finding("grid-unusable", image.relative, grid.problem)
        return
    if grid.is_sheared:
        message = f"its axes deviate from right angles by up to {grid.shear_degrees:.2f} degrees"
        yield finding("grid-sheared", image.relative, message)
    if image.form_distance_mm > FORMS_DISAGREE_MM:
        message = f"sform and qform place a corner {image.form_distance_mm:.2f} mm apart"
        yield finding("affine-forms-disagree", image.relative, message)
    if image.sform is None and image.qform is None:
        message = "neither sform nor qform is set: voxel size only"
        yield finding("affine-missing", image.relative, message)


def mask_alignment(item: Item) -> Iterator[Finding]:
    """Each mask has the voxels of its volume, in world space."""
    if item.volume is None:
        return
    for mask in item.masks:
        alignment = compare_grids(mask.grid, item.volume.grid)
        yield from misaligned(alignment, mask.image, str(item.volume.relative))
        if alignment.verdict in ("flipped", "permuted"):
            message = f"stored {mask.grid.axis_codes}, its volume {item.volume.grid.axis_codes}"
            yield finding("mask-reoriented", mask.relative, message)


def misaligned(alignment: Alignment, mask: ImageFile, volume: str) -> Iterator[Finding]:
    """A mask's alignment with its volume is one that lands without interpolation."""
    if alignment.verdict not in _VERDICT_CODES:
        return
    message = (
        f"{alignment.verdict}: up to {alignment.displacement_mm:.4g} mm "
        f"({alignment.displacement_voxels:.3g} voxels) from its volume {volume}"
    )
    if alignment.displacement_mm == float("inf"):
        shape = " x ".join(map(str, mask.shape))
        message = f"{alignment.verdict}: {shape} voxels, other than its volume {volume}"
    yield finding(_VERDICT_CODES[alignment.verdict], mask.relative, message)
