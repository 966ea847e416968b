"""Faults of a source: no NIfTI file, images that cannot be taken in, tables without a frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from nifti_kit.core.findings import Finding, describe, file_fault, finding
from nifti_kit.core.text import counted, listed
from nifti_kit.datasets.items import Item
from nifti_kit.datasets.sources import Source, is_archive
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


# A source without a NIfTI file


SHOWN = 4
"""Archives that a message names before it counts the rest."""

FOLDERS = ("volume", "ann")
"""The folders of a dataset in a Supervisely project."""


def empty(source: Source) -> Finding:
    """Return the finding for a source without a NIfTI file: an archive in it may hold some."""
    if set(FOLDERS) <= {file.parts[-2] for file in source.files if len(file.parts) > 1}:
        return _project(source)
    archives = [file for file in source.files if is_archive(file.name)]
    if not archives or len(archives) < len(source.files):
        return finding("source-empty", "", f"{source.given}: no NIfTI file")
    what = "one archive" if len(archives) == 1 else counted(len(archives), "archive")
    message = f"{source.given}: {what} and nothing else: {listed(archives, SHOWN)}"
    remedy = "Scan that archive" if len(archives) == 1 else "Scan an archive"
    remedy += f": scan({str(source.given / archives[0])!r})."
    if source.is_archive:
        remedy = (
            "An archive within an archive is not unpacked: unpack this one, and scan the inner."
        )
    return finding("source-empty", "", message, remedy=remedy)


def _project(source: Source) -> Finding:
    is_whole = any(file.name == "meta.json" and len(file.parts) == 1 for file in source.files)
    what = "a Supervisely project" if is_whole else "a dataset of a Supervisely project"
    place = source.given if is_whole else source.given.resolve().parent
    dataset = "" if is_whole else f", {source.given.resolve().name!r}"
    target = f"nk.ProjectFolder({str(place)!r}{dataset})"
    remedy = (
        f"To add to it, give it as the target: {target}. To have its volumes and masks as NIfTI "
        f"files: nk.export({target}, 'out/nifti'), and scan that folder."
    )
    if source.is_archive:
        remedy = "Unpack it. Then give it as the target, or export it: nk.export."
    return finding("source-empty", "", f"{source.given}: {what}, and no NIfTI file", remedy=remedy)
