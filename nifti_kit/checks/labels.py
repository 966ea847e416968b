"""Rules about the values of label maps."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from nifti_kit.checks.rules import rule
from nifti_kit.core.findings import Finding, describe, file_fault, finding
from nifti_kit.core.geometry import Cutout, Grid, Orientation, placed_on
from nifti_kit.core.text import counted, listed
from nifti_kit.datasets.items import Item
from nifti_kit.datasets.surveys import ItemSurvey, MaskSurvey
from nifti_kit.errors import BadLabels
from nifti_kit.formats.components import MAX_PIECES, SPECK_VOXELS, Part, ShapeSurvey
from nifti_kit.formats.labels import (
    INTEGER_TOLERANCE,
    Box,
    Label,
    label_frames,
    labels_have_merged,
)

SHOWN = 5
"""Labels that a message names before it counts the rest."""

MANY_VALUES = 20
"""Real label maps have this many values too, but then neighbours mostly have the same one."""

MOST = 0.5
"""The share of voxels, or of neighbours, from which on they are most of them."""

FEW_VALUES = 5
"""A mask that was resampled with interpolation still has most voxels in its few real values."""

PARTS_PER_RIM = 2
"""The values between the real ones lie as broken rims around them: in more parts than this."""


@rule("mask")
def label_values(survey: MaskSurvey) -> Iterator[Finding]:
    """A label map can be read, and holds integers from 0 to 65535."""
    error, relative = survey.error, survey.mask.relative
    if isinstance(error, BadLabels):
        yield finding("labels-unusable", relative, describe(error), remedy=error.remedy)
    elif error is not None:
        yield file_fault(relative, error)


@rule("mask")
def label_notes(survey: MaskSurvey) -> Iterator[Finding]:
    """A label map is not empty, and was stored as plain integers."""
    labels, relative = survey.labels, survey.mask.relative
    if labels is None:
        return
    if not labels.labels:
        yield finding("mask-empty", relative, "no voxel is labelled")
    by_steps = labels.off > INTEGER_TOLERANCE
    if labels.rounded and not by_steps:
        were = "was" if labels.rounded == 1 else "were"
        message = f"{counted(labels.rounded, 'voxel')} {were} rounded"
        yield finding("labels-rounded", relative, message)
    if labels.scaled:
        image = survey.mask.image
        message = f"scl_slope {image.slope:g}, scl_inter {image.intercept:g}"
        if by_steps:
            message += (
                f"; {counted(labels.rounded, 'voxel')} up to {labels.off:.3g} beside a whole "
                f"number, within half a step ({abs(image.slope) / 2:.3g}), were read as that number"
            )
        yield finding("labels-scaled", relative, message)


@rule("mask")
def labels_merged(survey: MaskSurvey) -> Iterator[Finding]:
    """A label map was not saved in steps that make one of several labels."""
    image, relative = survey.mask.image, survey.mask.relative
    if survey.labels is None or not labels_have_merged(image):
        return
    values = survey.labels.values
    message = (
        f"it is stored in steps of {abs(image.slope):g} (scl_slope), so labels that differ by less "
        "became one when it was saved, if there were any; found "
        f"{listed(values, SHOWN) or 'no label'}"
    )
    same = ", ".join(f"{value}: {value}" for value in values[:SHOWN])
    more = ", ..." if len(values) > SHOWN else ""
    remedy = (
        "Where it was made, save it again as plain integers (scl_slope 1, scl_inter 0). Only if "
        f"these are its labels: waive=[('labels-merged', {str(relative)!r})] lands them as they "
        "are"
    )
    if values:
        remedy += (
            f"; before another repair, nk.repairs.relabel(dataset, {str(relative)!r}, "
            f"{{{same}{more}}}) says so of each"
        )
    yield finding("labels-merged", relative, message, remedy=f"{remedy}.")


@rule("mask")
def mask_full(survey: MaskSurvey) -> Iterator[Finding]:
    """A label map has background: not every voxel is the same label."""
    total = math.prod(survey.mask.image.shape)
    for label in survey.labels.labels if survey.labels else ():
        if label.voxels == total:
            message = f"every one of its {counted(total, 'voxel')} is {label.value}"
            yield finding("mask-full", survey.mask.relative, message)


@rule("item")
def scaling_ignored(item: Item) -> Iterator[Finding]:
    """The scaling that a header gives is finite, so that it can be used."""
    for image in (item.volume, *(mask.image for mask in item.masks)):
        if image is not None and image.scaling_fault:
            message = f"{image.scaling_fault}; the stored numbers were used as they are"
            yield finding("scaling-ignored", image.relative, message)


@rule("mask", "parts")
def label_specks(survey: MaskSurvey, shapes: ShapeSurvey) -> Iterator[Finding]:
    """A label has more voxels than a slip of the brush."""
    labels = survey.labels.labels if survey.labels else ()
    specks = [label for label in labels if label.voxels < SPECK_VOXELS]
    if not specks or _looks_like(survey, shapes):
        return
    named = [f"value {label.value} ({counted(label.voxels, 'voxel')})" for label in specks]
    which = "its only label has"
    if len(labels) > 1:
        which = f"{len(specks)} of its {len(labels)} labels {'has' if len(specks) == 1 else 'have'}"
    message = f"{which} fewer than {SPECK_VOXELS} voxels: {listed(named, SHOWN, '; ')}"
    parts = shapes.parts.get(specks[0].value)
    voxel = parts[0].seed if parts else None
    yield finding("label-specks", survey.mask.relative, message, voxel=voxel)


@rule("item", "mask", "parts")
def label_disconnected(item: Item, survey: MaskSurvey, shapes: ShapeSurvey) -> Iterator[Finding]:
    """The voxels of a label hang together (by faces, edges or corners)."""
    if not survey.labels or not survey.labels.labels or _looks_like(survey, shapes):
        return
    if not shapes.parts:
        message = f"more than {MAX_PIECES:,} pieces in its frames: too many to join to parts"
        yield finding("label-disconnected", survey.mask.relative, message)
    several = {value: parts for value, parts in shapes.parts.items() if len(parts) > 1}
    if not several:
        return
    one = "an object" if item.segmentation == "instance" else "a label"
    many = "objects" if item.segmentation == "instance" else "labels"
    split = f"{one} splits" if len(several) == 1 else f"{len(several)} {many} split"
    named = [_split(value, parts) for value, parts in several.items()]
    first = next(iter(several.values()))
    message = f"{split} into parts: {listed(named, SHOWN, '; ')}"
    yield finding("label-disconnected", survey.mask.relative, message, voxel=first[1].seed)


def _split(value: int, parts: tuple[Part, ...]) -> str:
    specks = sum(part.voxels < SPECK_VOXELS for part in parts)
    tiny = f", {specks} of them under {SPECK_VOXELS} voxels" if specks else ""
    return f"value {value} has {len(parts)} (the largest {parts[0].voxels:,} voxels{tiny})"


@rule("mask", "parts")
def labels_gradient(survey: MaskSurvey, shapes: ShapeSurvey) -> Iterator[Finding]:
    """A label map has areas of one value, not the steps of a picture or of interpolation."""
    looks = _looks_like(survey, shapes)
    if looks:
        yield finding("labels-gradient", survey.mask.relative, f"it looks like {looks}")


def _looks_like(survey: MaskSurvey, shapes: ShapeSurvey) -> str:
    """Return what a label map looks like that is none, with the evidence; else nothing."""
    labels = survey.labels.labels if survey.labels else ()
    if len(labels) < MANY_VALUES:
        return ""
    by_size = sorted(labels, key=lambda label: -label.voxels)
    main = sum(label.voxels for label in by_size[:FEW_VALUES])
    total = sum(label.voxels for label in labels)
    differ = 1 - shapes.equal_neighbours
    if main > MOST * total and (differ > MOST or _are_rims(by_size[FEW_VALUES:], shapes)):
        return (
            f"a mask resampled with interpolation: {FEW_VALUES} of its {len(labels)} values hold "
            f"{main / total:.0%} of the labelled voxels, the others lie scattered between them"
        )
    if differ > MOST:
        return (
            f"a probability map or a picture: {len(labels)} values up to {labels[-1].value}, and "
            f"{differ:.0%} of neighbouring labelled voxels differ"
        )
    return ""


def _are_rims(labels: list[Label], shapes: ShapeSurvey) -> bool:
    """Say whether labels are broken into many parts, most of their voxels in specks."""
    parts = [part for label in labels for part in shapes.parts.get(label.value, ())]
    specks = sum(part.voxels for part in parts if part.voxels < SPECK_VOXELS)
    broken = len(parts) > PARTS_PER_RIM * len(labels)
    return broken and specks > MOST * sum(label.voxels for label in labels)


# Rules about several annotation files of one volume

OPEN_FILES = 100
"""Files read side by side: systems allow 256 or more at once, and each holds a frame."""

PIXELS_AT_ONCE = 1 << 14
"""Pixels counted in one product: a float32 counts exactly up to 2**24, and 100 files take 6 MB."""

AS_STORED = Orientation((0, 1, 2), (False, False, False))

Pair = tuple[int, int]
Mask = npt.NDArray[np.bool_]


@rule("masks")
def masks_overlap(survey: ItemSurvey) -> Iterator[Finding]:
    """No voxel is in two annotation files of one volume."""
    overlaps: dict[Pair, _Overlap] = {}
    for lattice in _lattices(survey):
        overlaps |= _overlaps(lattice)
    for (one, other), overlap in sorted(overlaps.items()):
        yield _overlapping(survey.masks[one], survey.masks[other], overlap)


@dataclass(frozen=True)
class _Placed:
    """A mask in the voxel order of its lattice.

    Attributes
    ----------
    position
        Which mask of the item it is.
    orientation
        From its own voxel order.
    cutout
        Where its voxels are in the common grid.
    """

    position: int
    survey: MaskSurvey
    orientation: Orientation
    cutout: Cutout

    @property
    def box(self) -> Box:
        """What holds all its labels, in the common order."""
        labels = self.survey.labels
        inner = _around([label.box for label in labels.labels] if labels else [])
        return self.cutout.moved(self.orientation.apply_box(inner, self.survey.mask.grid.shape))

    @property
    def is_streamed(self) -> bool:
        """True where its frames are those of the common grid."""
        whole = self.survey.mask.grid.shape == self.cutout.shape
        return whole and self.orientation == AS_STORED


@dataclass
class _Overlap:
    """The voxels of a pair of files, and the first of them in the second one's file order."""

    voxels: int
    first: tuple[int, int, int]


def _lattices(survey: ItemSurvey) -> list[list[_Placed]]:
    """Return the masks that have labels, grouped by the voxels that they share.

    The common grid is that of the first of them, or the volume's where that covers a part of it.
    """
    commons: list[Grid] = []
    lattices: list[list[_Placed]] = []
    for position, mask in enumerate(survey.masks):
        grid = mask.mask.grid
        if mask.labels is None or not mask.labels.labels or grid.problem:
            continue
        found = ((at, placed_on(grid, common)) for at, common in enumerate(commons))
        inside = [(at, p) for at, p in found if p is not None and p.is_inside(commons[at].shape)]
        if not inside:
            commons.append(_common(survey.item, mask))
            lattices.append([])
        at, place = inside[0] if inside else (len(commons) - 1, placed_on(grid, commons[-1]))
        assert place is not None  # it is the volume's, or the grid's own
        cutout = Cutout(commons[at].shape, place.first)
        lattices[at].append(_Placed(position, mask, place.orientation, cutout))
    return lattices


def _common(item: Item, mask: MaskSurvey) -> Grid:
    """Return the volume's grid for a part of it; else a mask's own."""
    is_part = item.volume is not None and mask.cutout is not None
    if item.volume is None or not is_part or placed_on(mask.mask.grid, item.volume.grid) is None:
        return mask.mask.grid
    return item.volume.grid


def _around(boxes: Sequence[Box]) -> Box:
    i, j, k = (
        slice(min(box[axis].start for box in boxes), max(box[axis].stop for box in boxes))
        for axis in range(3)
    )
    return (i, j, k)


def _meet(one: Box, other: Box) -> bool:
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(one, other, strict=True))


def _overlaps(lattice: Sequence[_Placed]) -> dict[Pair, _Overlap]:
    """Return the overlap of each pair of masks that share voxels."""
    open_pairs = {
        (a.position, b.position) for a, b in combinations(lattice, 2) if _meet(a.box, b.box)
    }
    found: dict[Pair, _Overlap] = {}
    for team in _teams(lattice) if open_pairs else ():
        positions = {placed.position for placed in team}
        now = {pair for pair in open_pairs if positions.issuperset(pair)}
        open_pairs -= now
        needed = {position for pair in now for position in pair}
        if needed:
            found |= _count([p for p in team if p.position in needed], now)
    return found


def _teams(lattice: Sequence[_Placed]) -> Iterator[list[_Placed]]:
    """Yield sets of masks to be read side by side, so that every pair is in one of them.

    Masks in the common order are streamed. Of those in another one at most two are held at once.
    """
    streamed = [placed for placed in lattice if placed.is_streamed]
    held = [placed for placed in lattice if not placed.is_streamed]
    if len(streamed) <= OPEN_FILES:
        yield streamed
    else:
        blocks = _blocks(streamed, OPEN_FILES // 2)
        yield from (a + b for a, b in combinations(blocks, 2))
    for number, placed in enumerate(held):
        yield from ([*block, placed] for block in _blocks(streamed, OPEN_FILES - 1))
        yield from ([placed, other] for other in held[number + 1 :])


def _blocks(placed: list[_Placed], size: int) -> list[list[_Placed]]:
    return [placed[at : at + size] for at in range(0, len(placed), size)]


def _count(team: Sequence[_Placed], pairs: set[Pair]) -> dict[Pair, _Overlap]:
    """Return the overlaps of the given pairs, frame by frame in the common order."""
    team = sorted(team, key=lambda placed: placed.position)
    shape = team[0].cutout.shape
    end = max(placed.box[2].stop for placed in team)
    found: dict[Pair, _Overlap] = {}
    with ExitStack() as stack:
        sources = [stack.enter_context(closing(_frames(placed, shape))) for placed in team]
        for k, frames in zip(range(end), zip(*sources, strict=True), strict=False):
            pixels = np.flatnonzero(sum(frame.view(np.uint8) for frame in frames) > 1)
            shared = np.stack([frame[pixels] for frame in frames])
            for row, other in np.argwhere(np.triu(together := _together(shared), 1)).tolist():
                pair = (team[row].position, team[other].position)
                if pair not in pairs:
                    continue
                if pair not in found:
                    pixel = int(pixels[int((shared[row] & shared[other]).argmax())])
                    voxel = (pixel % shape[0], pixel // shape[0], k)
                    found[pair] = _Overlap(0, _in_file(team[other], voxel))
                found[pair].voxels += int(together[row, other])
    return found


def _together(masks: Mask) -> npt.NDArray[np.int64]:
    """Return in how many pixels (columns) each two of the masks (rows) are both set."""
    counts = np.zeros((len(masks), len(masks)), dtype=np.int64)
    for at in range(0, masks.shape[1], PIXELS_AT_ONCE):
        some = masks[:, at : at + PIXELS_AT_ONCE].astype(np.float32)
        counts += (some @ some.T).astype(np.int64)
    return counts


def _frames(placed: _Placed, shape: tuple[int, int, int]) -> Generator[Mask, None, None]:
    """Yield where a mask has labels, frame by frame in the common order; i runs fastest."""
    image = placed.survey.mask.image
    if placed.is_streamed:
        for labels in label_frames(image):
            yield labels.ravel(order="F") > 0
        return
    i, j, depth = placed.box
    inside = _held(placed)
    for k in range(shape[2]):
        frame = np.zeros(shape[:2], dtype=bool, order="F")
        if depth.start <= k < depth.stop:
            frame[i, j] = inside[:, :, k - depth.start]
        yield frame.ravel(order="F")


def _held(placed: _Placed) -> Mask:
    """Return where a mask has labels, within its box, in the common order."""
    labels = placed.survey.labels
    i, j, depth = _around([label.box for label in labels.labels] if labels else [])
    inside = np.zeros((i.stop - i.start, j.stop - j.start, depth.stop - depth.start), dtype=bool)
    for k, frame in enumerate(label_frames(placed.survey.mask.image)):
        if depth.start <= k < depth.stop:
            inside[:, :, k - depth.start] = frame[i, j] > 0
    return placed.orientation.apply(inside)


def _in_file(placed: _Placed, voxel: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return a voxel's indices in a mask's own file order."""
    to_file = placed.orientation.index_map(placed.survey.mask.grid.shape)
    own = np.subtract(voxel, placed.cutout.first)
    i, j, k = (to_file @ [*own, 1])[:3].astype(int).tolist()
    return (i, j, k)


def _overlapping(one: MaskSurvey, other: MaskSurvey, overlap: _Overlap) -> Finding:
    sizes = {
        survey.mask.relative.name: sum(label.voxels for label in survey.labels.labels)
        for survey in (other, one)
        if survey.labels
    }
    inner = [name for name, voxels in sizes.items() if voxels == overlap.voxels]
    whole = f", all of {inner[0]}" if inner else ""
    verb = "is" if overlap.voxels == 1 else "are"
    message = (
        f"{_named(one)} and {_named(other)}: {counted(overlap.voxels, 'voxel')} {verb} in both"
        f"{whole}"
    )
    return finding("masks-overlap", other.mask.relative, message, voxel=overlap.first)


def _named(survey: MaskSurvey) -> str:
    """Return a mask's file name and class: by its file name, or by its index."""
    mask = survey.mask
    if mask.class_name is not None:
        return f"{mask.relative.name} ({mask.class_name})"
    return f"{mask.relative.name} (index {mask.index})" if mask.index else mask.relative.name
