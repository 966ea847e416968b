"""Faults of a source: images that cannot be taken in, tables without a frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from nifti_kit.core.findings import Finding, describe, file_fault, finding
from nifti_kit.datasets.items import Item
from nifti_kit.errors import NiftiKitError, SeveralFrames


def image_fault(file: PurePosixPath, error: NiftiKitError, *, is_mask: bool) -> Finding:
    """Return the finding for an image that cannot be taken in: frames of a mask are their own."""
    if not isinstance(error, SeveralFrames) or not is_mask:
        return file_fault(file, error, is_mask=is_mask)
    name = str(file)
    remedy = (
        "To land each frame as the mask of a class (a channel each, overlaps kept): "
        f"nk.repairs.merge_frames(dataset, {name!r}), with threshold=0.5 where they are "
        "probabilities. Label maps of points in time belong to the frames of their volume: "
        f"nk.repairs.split_frames(dataset, [volume, {name!r}]). One frame alone: "
        f"nk.repairs.pick_frame(dataset, {name!r}, 1); the others are named then."
    )
    return finding("mask-frames", file, describe(error), remedy=remedy)


def frames_unknown(items: Iterable[Item]) -> Iterator[Finding]:
    """It is known in which direction the frames of each score table count on the volume."""
    for item in items:
        for table in item.tables if item.is_scores_alone else ():
            message = (
                "there is no annotation file of its plane and case, which would say in which "
                "direction its layers count on the volume"
            )
            yield finding("scores-frames-unknown", table.relative, message)
