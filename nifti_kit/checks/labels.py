"""Rules about the values of label maps."""

from __future__ import annotations

import math
from collections.abc import Iterator

from nifti_kit.checks.rules import rule
from nifti_kit.core.findings import Finding, describe, file_fault, finding
from nifti_kit.core.text import counted, listed
from nifti_kit.datasets.items import Item
from nifti_kit.datasets.surveys import MaskSurvey
from nifti_kit.errors import BadLabels
from nifti_kit.formats.components import MAX_PIECES, SPECK_VOXELS, Part, ShapeSurvey
from nifti_kit.formats.labels import INTEGER_TOLERANCE, Label, labels_have_merged

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
