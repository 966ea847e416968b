"""Repairs of masks: their header, their order, their grid, their values."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import (
    Grid,
    Orientation,
    axis_orders,
    compare_grids,
    is_bare,
    lattice_orientation,
    nearest_order,
    ras_orientation,
    share_inside,
)
from nifti_kit.core.geometry.lattices import Lattices
from nifti_kit.core.text import counted
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item, MaskFile
from nifti_kit.datasets.scanning import Mended
from nifti_kit.errors import RepairRefused, a_number, visible
from nifti_kit.formats.components import SPECK_VOXELS, survey_shapes
from nifti_kit.formats.labels import (
    INTEGER_TOLERANCE,
    MAX_LABEL,
    LabelSurvey,
    labels_have_merged,
    read_labels,
)
from nifti_kit.formats.nifti import ImageFile, encode_image, iter_scaled_frames
from nifti_kit.repairs.align import grid_of, refuse_merged
from nifti_kit.repairs.repair import Repair, masks_meant, measured, repaired


@dataclass(frozen=True)
class _Case:
    """A mask, and the grid that it is to fit; also by the form of its header not in force."""

    mask: MaskFile
    volume: Grid
    name: str
    other_form: Grid | None = None


def take_header(
    dataset: Dataset, files: Any, *, volume: Any = None, order: str = "header"
) -> Repair:
    """Return the dataset with masks placed by their volume's header: voxel by voxel, by index.

    For masks whose header is lost or wrong. No label gets or loses a voxel. A mask that has a
    header of its own is first brought into the volume's voxel order by it, exactly.

    Parameters
    ----------
    dataset
        What :func:`nifti_kit.scan` returned.
    files
        The masks: paths, or findings about them.
    volume
        For annotations without a volume in the dataset: a volume of the target, a NIfTI or NRRD
        file, or a grid.
    order
        In what order a mask's voxels are: ``header`` (as its own header says; where it has none,
        the volume's), ``stored`` (the volume's, whatever the header says), or the directions in
        which its three axes grow, such as ``"LPS"``.

    Raises
    ------
    RepairRefused
        If a mask has another shape than its volume, or no volume; or if nobody can know the order
        of its voxels: it is turned against the volume, or one of the two headers is no proof.

    Examples
    --------
    >>> import nifti_kit as nk
    >>> dataset = nk.scan("data_samples/by_plane_semantic")
    >>> nk.repairs.take_header(dataset, "axl_inference.nii.gz").files[0].what
    'took the header of axl_anatomic.nii.gz'
    """
    mended = []
    for case in _cases(dataset, files, volume):
        orientation = _stated_order(case, order)
        voxels = orientation.apply(read_labels(case.mask.image).voxels)
        if voxels.shape != case.volume.shape:
            raise _other_shape(case, voxels.shape)
        first = "" if orientation == _AS_STORED else f"put into the voxel order of {case.name}; "
        what = f"{first}took the header of {case.name}"
        mended.append(_mended(case.mask.image, voxels, case.volume, what, placed="take_header"))
    return repaired(dataset, mended)


_AS_STORED = Orientation((0, 1, 2), (False, False, False))


def _stated_order(case: _Case, order: str) -> Orientation:
    """Return the reordering into the volume's voxel order that a person asked for."""
    if order == "header":
        return _own_order(case)
    if order == "stored":
        return _AS_STORED
    if sorted(_AXES.get(letter, "") for letter in str(order)) != sorted("RAS"):
        raise RepairRefused(
            "order has no such choice",
            found=repr(order),
            expected="'header', 'stored', or three directions such as 'LPS'",
        )
    stated = Grid(case.mask.grid.shape, _affine_of(order))
    return _clear_order(stated, Grid(case.volume.shape, _affine_of(case.volume.axis_codes)))


_AXES = dict(zip("RLAPSI", "RRAASS", strict=True))


def _affine_of(codes: str) -> npt.NDArray[np.float64]:
    """Return the affine of 1 mm voxels whose axes grow in the directions of the letters."""
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for axis, letter in enumerate(codes):
        affine["RAS".index(_AXES[letter]), axis] = 1 if letter in "RAS" else -1
    return affine


def _clear_order(grid: Grid, reference: Grid) -> Orientation:
    """Return the reordering into a reference whose axes run along the grid's."""
    orientation = nearest_order(grid, reference)
    assert orientation is not None  # both have axes along R, A and S
    return orientation


def _own_order(case: _Case) -> Orientation:
    """Return the reordering into the volume's voxel order by the mask's own header, if it has one.

    Raises RepairRefused if it cannot be known.
    """
    image = case.mask.image
    forms = (Grid(image.shape, form) for form in (image.sform, image.qform) if form is not None)
    grids = [grid for grid in forms if not grid.problem and not is_bare(grid)]
    if not grids:
        return _AS_STORED
    volumes = [case.volume, *([] if case.other_form is None else [case.other_form])]
    for grid, volume in itertools.product(grids, volumes):
        if (exact := lattice_orientation(grid, volume)) is not None:
            return exact
    found = {nearest_order(grid, volume) for grid, volume in itertools.product(grids, volumes)}
    orientation = found.pop()
    why = ""
    if found:
        why = "the forms of the two headers say different things of their axes"
    elif orientation is None:
        why = "it is turned against its volume, not only moved"
    elif orientation != _AS_STORED and is_bare(case.volume):
        why = f"{case.name} has the header of an array that was saved without one"
    if orientation is None or why:
        raise RepairRefused(
            f"nobody can know the order of the mask's voxels: {why}",
            path=str(case.mask.relative),
            found=f"{grids[0].axis_codes}, its volume {case.volume.axis_codes}",
            remedy=(
                "If its voxels are in the volume's order as they are stored: "
                "take_header(..., order='stored'); if in another one: order='LPS' (the directions "
                "in which its axes grow). If its header is right: nk.repairs.resample."
            ),
        )
    return orientation


def _other_shape(case: _Case, shape: tuple[int, ...]) -> RepairRefused:
    """Return the error for a mask whose voxels are not the volume's by number."""
    verdict = compare_grids(case.mask.grid, case.volume).verdict
    remedies = {
        "axes exchanged": "nk.repairs.reorder_axes puts its axes in the volume's order.",
        "cropped": "Nothing: it lands as it is, in the part of the volume that it covers.",
    }
    return RepairRefused(
        "the mask has another shape than its volume: its voxels are not the volume's",
        path=str(case.mask.relative),
        found=shape,
        expected=case.volume.shape,
        remedy=remedies.get(verdict, "nk.repairs.resample goes by the mask's own header."),
    )


def reorder_axes(
    dataset: Dataset,
    files: Any,
    *,
    axes: tuple[int, int, int] | None = None,
    volume: Any = None,
) -> Repair:
    """Return the dataset with the axes of masks in the order of their volume's, at its place.

    For an array that was saved with its axes exchanged, such as in z, y, x, under a header that
    does not know of it. Every label keeps its voxels; they move, to where the volume's are.

    Parameters
    ----------
    dataset, files, volume
        As for :func:`take_header`.
    axes
        Which axis of the mask (0 to 2) becomes the first, second and third, as
        :func:`numpy.transpose` has them; needed where several orders fit the volume's shape.

    Raises
    ------
    RepairRefused
        If no order of the axes fits, or several do, or the shape is the volume's as it stands; or
        if the given one does not fit.

    Examples
    --------
    >>> import nifti_kit as nk
    >>> dataset = nk.scan("data_samples/by_plane_semantic")
    >>> volume = nk.geometry.Grid((37, 87, 117), dataset.items[0].volume.grid.affine)
    >>> repair = nk.repairs.reorder_axes(dataset, "axl_inference.nii.gz", volume=volume)
    >>> repair.files[0].what
    'axes put in the order (2, 1, 0); took the header of the given volume'
    """
    mended = []
    for case in _cases(dataset, files, volume):
        chosen = _chosen_axes(case, axes)
        voxels = read_labels(case.mask.image).voxels.transpose(chosen)
        what = f"axes put in the order {chosen}; took the header of {case.name}"
        mended.append(_mended(case.mask.image, voxels, case.volume, what, placed="reorder_axes"))
    return repaired(dataset, mended)


def _chosen_axes(case: _Case, axes: Sequence[int] | None) -> tuple[int, int, int]:
    """Return the order of a mask's axes that gives the volume's shape, if it is the only one."""
    shape, wanted = case.mask.grid.shape, case.volume.shape
    fitting = [order for order in axis_orders(shape, wanted) if order != _AS_STORED.axes]
    chosen = [order for order in fitting if axes is None or order == tuple(axes)]
    if len(chosen) == 1 and (axes is not None or shape != wanted):
        return chosen[0]
    orders = " or ".join(f"axes={order}" for order in fitting)
    message = "no order of the mask's axes gives its volume's shape"
    remedy = "Find the mask's own volume."
    if fitting:
        message = "several orders of the mask's axes give its volume's shape"
        remedy = f"See which one fits, with nk.plots.planned(nk.plan(repair.dataset)): {orders}."
    if axes is not None:
        message = "not this order of the mask's axes gives its volume's shape"
    elif shape == wanted:
        message = "the mask has its volume's shape: its axes may be in order"
        remedy = f"If they are exchanged: {orders}." if fitting else "nk.check says how it lies."
    raise RepairRefused(
        message,
        path=str(case.mask.relative),
        found=f"{shape}, its volume {wanted}" + ("" if axes is None else f", axes={axes}"),
        expected=orders or None,
        remedy=remedy,
    )


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
        what = f"put into the voxel order of {case.name} ({grid.axis_codes})"
        mended.append(_mended(case.mask.image, voxels, grid, what))
    return repaired(dataset, mended)


def _order(mask: Grid, volume: Grid) -> Orientation:
    """Return the reordering of a mask into its volume's order; through RAS where it is turned."""
    nearest = nearest_order(mask, volume)
    if nearest is not None:
        return nearest
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
        If nothing of the mask lies in its volume; or if its axes are exchanged, so that its header
        is not that of its voxels.
    """
    from scipy.ndimage import affine_transform

    mended = []
    others = of_another(dataset, [str(image.relative) for image in _images(dataset, files)])
    for case in map(_usable, _cases(dataset, files, volume)):
        _refuse_exchanged(case)
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
        is_word = str(case.mask.relative) in others or _is_beside(case.mask.grid, case.volume)
        placed = "resample" if is_word else ""
        what += _lost(before.survey, moved)
        mended.append(_mended(case.mask.image, moved, case.volume, what, placed=placed))
    return repaired(dataset, mended)


def of_another(dataset: Dataset, files: Iterable[str]) -> dict[str, str]:
    """Return the masks that lie on another volume by their own headers, each with that volume."""
    wanted, found = set(files), {}
    owners = [item.volume for item in dataset.items if item.volume is not None]
    lattices = Lattices([volume.grid for volume in owners])
    for item in dataset.items:
        for mask in item.masks:
            path = str(mask.relative)
            if path not in wanted or mask.grid.problem:
                continue
            there = np.flatnonzero(lattices.same_as(mask.grid)).tolist()
            others = [owners[at] for at in there if owners[at] is not item.volume]
            if others and len(others) == len(there):  # not on its own
                found[path] = str(others[0].relative)
    return found


NESTED = 0.9
"""The share of a field of view that lies in one that holds it: converters move it by half a voxel
along each axis, a tenth of it where there are few."""


def _is_beside(mask: Grid, volume: Grid) -> bool:
    """Say whether neither field of view holds the other: that the two belong together is a word."""
    return max(share_inside(mask, volume), share_inside(volume, mask)) < NESTED


def _refuse_exchanged(case: _Case) -> None:
    """Refuse a mask whose shape is its volume's in another order under a header not its own."""
    mask, volume = case.mask.grid, case.volume
    copied = is_bare(mask) or np.allclose(mask.affine, volume.affine)
    if copied and compare_grids(mask, volume).verdict == "axes exchanged":
        raise RepairRefused(
            "the mask's axes are exchanged: its header does not place its voxels",
            path=str(case.mask.relative),
            found=f"{mask.shape}, its volume {volume.shape}",
            remedy="nk.repairs.reorder_axes(dataset, file).",
        )


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
        If a value is not finite, negative or above 65535; a threshold takes all but NaN. Without
        a threshold also scaled integers with a slope above 1: their labels have merged.
    """
    if threshold is not None:
        a_number(threshold, "threshold")
    mended, before = [], {}
    for image in _images(dataset, files):
        if threshold is None and labels_have_merged(image):
            read_labels(image)  # fractions say why not
            refuse_merged(image)
        before[image.relative] = measured(_whole_already(image), image.grid)
        voxels = np.stack(list(_rounded(image, threshold)), axis=2)
        how = "rounded to the nearest whole number" if threshold is None else ""
        what = how or f"made a mask of values of at least {threshold:g}"
        content = encode_image(voxels, image.grid, image.relative)
        mended.append(Mended(image.relative, content, what, placed="round_labels"))
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
        remedy="For a probability map give a threshold: round_labels(..., threshold=0.5). Values "
        "for 'not annotated', and ids: nk.repairs.relabel.",
    )


def drop_specks(dataset: Dataset, files: Any, *, fewer_than: int = SPECK_VOXELS) -> Repair:
    """Return the dataset with masks without specks: parts of fewer voxels than ``fewer_than``.

    Parts hang together by faces, edges or corners (26 neighbours).

    Raises
    ------
    RepairRefused
        If a mask has no such part, or falls into too many pieces to tell them apart.
    """
    a_number(fewer_than, "fewer_than")
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
        held = item.volume if volume is None else None
        qform = None if held is None or held.sform is None else held.qform
        other = None if qform is None else Grid(grid.shape, qform)
        yield _Case(mask, grid, name, None if other is None or other.problem else other)


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


def _mended(
    image: ImageFile, voxels: npt.NDArray[Any], grid: Grid, what: str, *, placed: str = ""
) -> Mended:
    refuse_merged(image)
    content = encode_image(voxels, grid, image.relative)
    return Mended(image.relative, content, what, placed=placed)
