"""Rules about where voxels are.

One fact has one code. Without sform and qform: ``affine-missing``. Two forms that differ:
``affine-forms-disagree``, which also says who takes the qform. A pixdim that is none, or not the
affine's voxel size: ``voxel-size-odd``, which also says how far ITK goes astray with it. What is
left of nibabel and ITK placing voxels elsewhere: ``readers-disagree``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nifti_kit.checks.rules import rule
from nifti_kit.core.findings import Finding, finding
from nifti_kit.core.geometry import (
    LATTICE_VOXELS,
    ROUNDING_MM,
    Alignment,
    Grid,
    Orientation,
    axis_orders,
    compare_grids,
    is_bare,
)
from nifti_kit.datasets.items import Item
from nifti_kit.formats.nifti import ImageFile

NIBABEL_LAST_CODE = 5
"""nibabel knows the form codes 0 to 5, and takes any other for 0."""

ITK_TRUSTED_CODE = 1
"""The one sform_code (scanner) with which ITK takes the sform though there is a qform."""

ITK_SHEAR_COSINE = 1e-4
"""ITK takes no sform whose axes are less perpendicular (read at 8.7e-5, refused at 1.2e-4)."""


@dataclass(frozen=True)
class Reading:
    """Where a reader places the voxels."""

    reader: str  # ``nibabel`` or ``ITK``
    form: str  # what it goes by: ``sform``, ``qform`` or ``pixdim`` (neither)
    affine: npt.NDArray[np.float64]  # (4, 4), voxel indices to RAS+ mm, as it has them
    why: str = ""  # what it does otherwise than the standard, in plain words; may be empty


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


FORMS_DISAGREE_MM = 0.1
"""sform and qform further apart than this are two places, not two roundings (mm)."""

VOXEL_SIZE_TOLERANCE = 0.01
"""pixdim may be this part off the affine's voxel size: more than any rounding of decimals."""

_VERDICT_CODES = {
    "axes exchanged": "mask-axes-exchanged",
    "header lost": "mask-header-lost",
    "translated": "mask-translated",
    "resampled": "mask-resampled",
    "apart": "mask-apart",
}


@rule("item")
def grids(item: Item) -> Iterator[Finding]:
    """The header of each image gives a usable place in space, and only one."""
    for image in item.images:
        yield from _grid(item, image)


def _grid(item: Item, image: ImageFile) -> Iterator[Finding]:
    grid = image.grid
    if grid.problem:
        other = image.qform is not None and not Grid(image.shape, image.qform).problem
        remedy = _by_form(image, "qform") if other else ""
        yield finding("grid-unusable", image.relative, grid.problem, remedy=remedy)
        return
    if grid.is_sheared:
        message = f"its axes deviate from right angles by up to {grid.shear_degrees:.2f} degrees"
        yield finding("grid-sheared", image.relative, message, remedy=_straightened(item, image))
    if _forms_disagree(image):
        message = f"sform and qform place a corner {image.form_distance_mm:.2f} mm apart"
        read = readings(image)
        if others := [reading.reader for reading in read if reading.form == "qform"]:
            take = "takes" if len(others) == 1 else "take"
            message += f"; {' and '.join(others)} {take} the qform"
        yield finding("affine-forms-disagree", image.relative, message, remedy=_by_form(image))
    if image.sform is None and image.codes[0] > 0:
        message = (
            f"sform_code is {image.codes[0]}, but the sform is all zeros, which is no place: the "
            "qform is used, as by ITK; nibabel takes the zeros"
        )
        yield finding("affine-forms-disagree", image.relative, message, remedy=_by_form(image))
    if form_in_force(image) == "pixdim":
        message = "neither sform nor qform is set: voxel size only"
        if said := _said(image, readings(image)):
            message += f"; {said}"
        yield finding("affine-missing", image.relative, message)


def _by_form(image: ImageFile, form: str = "") -> str:
    """Return the remedy for a header with two places."""
    call = f"nk.repairs.use_form(dataset, {str(image.relative)!r}, {form or 'qform'!r})"
    if form:
        return f"Its {form} gives a place: {call}; masks with the same header go with a volume."
    used = "sform" if image.sform is not None else "qform"
    return (
        f"The {used} is used. If the qform is right: {call} (masks with the same header go with "
        "their volume, so that they stay on its voxels) makes both forms say it."
    )


def _straightened(item: Item, image: ImageFile) -> str:
    """Return the remedy for an image whose axes are not perpendicular."""
    volume, name = item.volume, str(image.relative)
    if volume is None:
        return f"nk.repairs.resample(dataset, {name!r}, volume=...) with the volume it belongs to."
    if volume.grid.problem or volume.grid.is_sheared:
        return (
            f"nk.repairs.straighten(dataset, {str(volume.relative)!r}): the volume and its masks "
            "on perpendicular axes, interpolated where slices do not move by whole voxels."
        )
    return f"nk.repairs.resample(dataset, {name!r}) puts it onto its volume's grid."


def _forms_disagree(image: ImageFile) -> bool:
    return image.form_distance_mm > FORMS_DISAGREE_MM


def _said(image: ImageFile, others: Iterable[Reading]) -> str:
    """Return which readers place a corner elsewhere, by how much; empty where none does."""
    parts = []
    for reading in others:
        away = distance_mm(image, reading.affine)
        if away > FORMS_DISAGREE_MM:
            why = f" ({reading.why})" if reading.why else ""
            parts.append(f"{reading.reader} places a corner {_length(away)} mm elsewhere{why}")
    return "; ".join(parts)


def _length(mm: float) -> str:
    """Return a length with four digits, and never as a power of ten."""
    return f"{mm:.4g}" if mm < _THOUSAND else f"{mm:,.0f}"


_THOUSAND = 1000


@rule("item")
def voxel_sizes(item: Item) -> Iterator[Finding]:
    """The pixdim of each image is a voxel size, and that of the affine in force."""
    for image in item.images:
        if image.grid.problem or not _is_odd(image):
            continue
        form = form_in_force(image)
        said = _sizes(size * image.unit_mm for size in image.pixdim)
        used = _sizes(image.grid.voxel_size)
        message = f"pixdim says {said}, but the {form} {used}, which are used"
        if form != "sform":
            message = f"pixdim says {said}: without the sign {used}, which are used"
        own = form if form != "pixdim" else ""  # without a form affine-missing says it
        by_itk = [r for r in readings(image) if r.reader == "ITK" and r.form == own]
        if moved := _said(image, by_itk):
            message += f"; {moved}"
        yield finding("voxel-size-odd", image.relative, message)


def _sizes(sizes: Iterable[float]) -> str:
    return f"{' x '.join(f'{size:.6g}' for size in sizes)} mm"


def _is_odd(image: ImageFile) -> bool:
    """Say whether pixdim is no voxel size, or another one than the affine's."""
    if any(not math.isfinite(size) or size <= 0 for size in image.pixdim):
        return True
    pairs = zip(image.pixdim, image.grid.voxel_size, strict=True)
    return any(
        abs(size * image.unit_mm - used) > VOXEL_SIZE_TOLERANCE * used for size, used in pairs
    )


@rule("item")
def reader_places(item: Item) -> Iterator[Finding]:
    """ITK and nibabel place the voxels of each image where the standard does."""
    for image in item.images:
        form = form_in_force(image)
        if image.grid.problem or form == "pixdim":
            continue
        others = list(readings(image))
        if _forms_disagree(image):
            others = [reading for reading in others if reading.form == form]
        if _is_odd(image):
            others = [reading for reading in others if reading.reader != "ITK"]
        if said := _said(image, others):
            yield finding("readers-disagree", image.relative, said)


@rule("item")
def mask_alignment(item: Item) -> Iterator[Finding]:
    """Each mask has voxels of its volume, in world space."""
    volume = item.volume
    if volume is None:
        return
    for mask in item.masks:
        alignment = mask.image.aligned_to(volume)
        yield from landing(alignment, mask.image, str(volume.relative), volume.grid)
        for found in misaligned(alignment, mask.image, str(volume.relative), volume.grid):
            yield _with_own_qform(found, mask.image, volume)


@rule("item")
def scores_of_cutouts(item: Item) -> Iterator[Finding]:
    """No score table belongs to a mask that covers a part of its volume."""
    if item.volume is None or not item.tables:
        return
    for mask in item.masks:
        if mask.image.aligned_to(item.volume).box is not None:
            message = f"its layers are read as the frames of {mask.relative.name}"
            yield finding("scores-of-cutout", item.tables[0].relative, message)


def landing(alignment: Alignment, mask: ImageFile, volume: str, grid: Grid) -> Iterator[Finding]:
    """Where a mask lands, what its place has of its own; ``volume`` has a name and a grid."""
    if not alignment.lands:
        return
    off = _off(alignment)
    if alignment.orientation != _AS_STORED:
        message = f"stored {mask.grid.axis_codes}, its volume {grid.axis_codes}"
        yield finding("mask-reoriented", mask.relative, message)
    if alignment.box is not None:
        first = ", ".join(str(side.start) for side in alignment.box)
        message = f"{_by(mask.shape)} of the {_by(grid.shape)} voxels of its volume {volume}"
        yield finding("mask-cropped", mask.relative, f"{message}, from its voxel {first} on")
    if alignment.verdict == "other form":
        message = f"on {volume} by its qform, which places a corner {off} from its sform"
        yield finding("mask-other-form", mask.relative, message)
    elif alignment.displacement_mm > ROUNDING_MM or alignment.displacement_voxels > LATTICE_VOXELS:
        message = f"rounding: up to {off} from its volume {volume}"
        yield finding("mask-rounded", mask.relative, message)


_AS_STORED = Orientation((0, 1, 2), (False, False, False))


def misaligned(
    alignment: Alignment, mask: ImageFile, volume: str, grid: Grid | None = None
) -> Iterator[Finding]:
    """A mask's alignment with its volume is one that lands without interpolation.

    ``volume`` is the name of a volume, ``grid`` what it has on disk or on the target.
    """
    if alignment.verdict not in _VERDICT_CODES:
        return
    message = f"{alignment.verdict}: up to {_off(alignment)} from its volume {volume}"
    if alignment.displacement_mm == float("inf"):
        message = f"{alignment.verdict}: {_by(mask.shape)} voxels, other than its volume {volume}"
    share = alignment.overlap
    if alignment.verdict == "resampled" and not share:
        share = _LEAST_SHARE
    message += f"; {share_text(share)} of its field of view is in the volume's"
    code = "mask-header-inexact" if alignment.is_near else _VERDICT_CODES[alignment.verdict]
    more, remedy = "", ""
    if grid is not None and (axes := mirrored_axes(mask.grid, grid)):
        code, message = "mask-mirrored", message.replace(alignment.verdict, "mirrored", 1)
        more = (
            f"; its header is its volume's with the signs of {axes} changed, as where LPS+ mm were "
            f"written for RAS+ mm; it says {mask.grid.axis_codes}, its volume's {grid.axis_codes}"
        )
    elif alignment.fits_other_form:
        more = "; by the volume's qform it lies on its voxels"
        remedy = _FITS_QFORM.format(volume=volume)
    elif grid is not None and mask.shape != grid.shape and alignment.verdict == "axes exchanged":
        orders = axis_orders(mask.shape, grid.shape)
        more = f"; it is {_by(grid.shape)} with axes={' or axes='.join(map(str, orders))}"
    elif is_bare(mask.grid) and (grid is None or mask.shape != grid.shape):
        more, remedy = "; its header is that of an array saved without one", _PART_WITHOUT_HEADER
    elif grid is not None and alignment.verdict == "header lost" and _is_left_handed(grid):
        codes = grid.axis_codes
        more = (
            f"; the volume's axes are left-handed ({codes}): tools that turn such images on "
            "reading (VTK) save them with the slices reversed"
        )
        remedy = _MAY_BE_REVERSED.format(order=codes[:2] + _OPPOSITE[codes[2]])
    elif grid is not None and _has_two_orders(mask.grid, grid, alignment.verdict):
        more = f"; its header says {mask.grid.axis_codes}, its volume's {grid.axis_codes}"
        remedy = _TWO_ORDERS
    yield finding(code, mask.relative, message + more, remedy=remedy)


MIRRORED_MM = 1e-2
"""Headers that differ by less are each other's mirror image (mm): rounding of two converters."""


def mirrored_axes(mask: Grid, volume: Grid) -> str:
    """Return along which world axes a mask's header is its volume's mirrored at 0; or nothing.

    So it is where positions in LPS+ mm (ITK, DICOM) were written into a header that has RAS+ mm.

    >>> volume = Grid((4, 5, 6), np.eye(4) + 7 * np.eye(4, k=3))
    >>> mirrored_axes(Grid((4, 5, 6), np.diag([-1.0, -1, 1, 1]) @ volume.affine), volume)
    'x and y'
    """
    if mask.shape != volume.shape or mask.problem or volume.problem:
        return ""
    for signs in itertools.product((-1.0, 1.0), repeat=3):
        moved = np.diag([*signs, 1.0]) @ volume.affine
        if min(signs) < 0 and np.abs(moved - mask.affine).max() < MIRRORED_MM:
            return " and ".join(n for n, sign in zip("xyz", signs, strict=True) if sign < 0)
    return ""


_FITS_QFORM = (
    "If the volume's qform is the right form: nk.repairs.use_form(dataset, '{volume}', 'qform'). "
    "If its sform is: nk.repairs.take_header(dataset, file) brings the mask along, voxel by voxel."
)

_PART_WITHOUT_HEADER = (
    "Export the mask again with its header: nobody can know where it lies. If its header is right "
    "all the same: nk.repairs.resample(dataset, file)."
)

_MAY_BE_REVERSED = (
    "repair = nk.repairs.take_header(dataset, file), then look whether it fits: "
    "nk.plots.planned(nk.plan(repair.dataset)). If its slices are reversed: "
    "nk.repairs.take_header(dataset, file, order='{order}')."
)

_TWO_ORDERS = (
    "If it was made on this volume: repair = nk.repairs.take_header(dataset, file) turns its "
    "voxels as its own header says; if they are stored as the volume's are, and only the signs "
    "in the header are wrong: nk.repairs.take_header(dataset, file, order='stored'). Look which "
    "one fits: nk.plots.planned(nk.plan(repair.dataset)). If its header is right: "
    "nk.repairs.resample."
)

_OWN_QFORM = (
    "If the mask's qform is the right form: nk.repairs.use_form(dataset, '{mask}', 'qform'). "
)

_OPPOSITE = dict(zip("RLAPSI", "LRPAIS", strict=True))


def _with_own_qform(found: Finding, mask: ImageFile, volume: ImageFile) -> Finding:
    """Return a finding that also says if a mask fits by the form that is not in force."""
    if mask.sform is None or mask.qform is None:
        return found
    if not compare_grids(Grid(mask.shape, mask.qform), volume.grid).lands:
        return found
    message = f"{found.message}; by its own qform it lies on the volume's voxels"
    remedy = _OWN_QFORM.format(mask=mask.relative) + found.remedy
    return replace(found, message=message, remedy=remedy)


def _has_two_orders(mask: Grid, volume: Grid, verdict: str) -> bool:
    """Say whether a mask that lies elsewhere may be in its own header's order, or its volume's."""
    elsewhere = verdict in ("translated", "apart") and mask.shape == volume.shape
    return elsewhere and not mask.problem and mask.axis_codes != volume.axis_codes


def _is_left_handed(grid: Grid) -> bool:
    return float(np.linalg.det(grid.directions)) < 0


def _off(alignment: Alignment) -> str:
    return f"{_length(alignment.displacement_mm)} mm ({alignment.displacement_voxels:.3g} voxels)"


def _by(shape: Iterable[int]) -> str:
    return " x ".join(map(str, shape))


_LEAST_SHARE = 1e-9
"""Fields of view that meet, but between the points that an overlap is counted on."""


def share_text(share: float) -> str:
    """Return a share in percent; neither a little nor nearly all of it is rounded away."""
    percent = round(100 * share)
    if share and not percent:
        return "under 1 %"
    if share < 1 and percent == 100:  # noqa: PLR2004
        return "over 99 %"
    return f"{percent} %"
