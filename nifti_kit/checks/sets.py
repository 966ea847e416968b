"""Rules about files that belong together, or look as if they did."""

from __future__ import annotations

import hashlib
import itertools
import os
import zlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from pathlib import PurePosixPath

from nifti_kit.checks.geometry import share_text
from nifti_kit.core.findings import Finding, finding
from nifti_kit.core.geometry import Grid, gap_mm, share_inside
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item, MaskFile
from nifti_kit.datasets.names import natural_key, parse_name, stem
from nifti_kit.datasets.surveys import survey_mask
from nifti_kit.formats.nifti import ImageFile, open_stream
from nifti_kit.formats.streams import CHUNK, STREAM_FAULTS

__all__ = ["content_repeated", "names_alike", "planes_apart"]

PLANES_OVERLAP = 0.25
"""Planes of one region share more of the smaller field of view than this; slabs may share half."""

SHOWN = 3
"""Other files of the same content that a message names."""

_TRAILER_BYTES = 8
"""What a gzip file ends in: CRC-32 and length of the content, little-endian."""

_LENGTHS = 2**32
"""A gzip file keeps the length of its content modulo this."""


def planes_apart(dataset: Dataset) -> Iterator[Finding]:
    """The volumes of a set of planes cover the same region in world space."""
    for items in _sets(dataset):
        images = [item.volume for item in items if item.volume and not item.volume.grid.problem]
        faults = [
            f"{first.relative.name} and {second.relative.name}: {fault}"
            for first, second in itertools.combinations(images, 2)
            if (fault := _apart(first.grid, second.grid))
        ]
        if faults:
            yield finding("planes-apart", items[0].folder, "; ".join(faults))


def _sets(dataset: Dataset) -> Iterator[list[Item]]:
    """Yield the items of each folder and case; the number too, where a plane is there twice."""
    groups: defaultdict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in dataset.items:
        if item.plane and item.volume:
            groups[item.folder, item.case].append(item)
    for group in groups.values():
        if len({item.plane for item in group}) == len(group):
            yield group
            continue
        numbered: defaultdict[tuple[int, ...], list[Item]] = defaultdict(list)
        for item in group:
            assert item.volume is not None  # of the groups above
            numbered[parse_name(item.volume.relative.name).tail].append(item)
        yield from numbered.values()


def _apart(first: Grid, second: Grid) -> str:
    """Return how far two fields of view are from one region; empty where they cover one."""
    smaller, larger = sorted((first, second), key=_size)
    share = share_inside(smaller, larger)
    if share >= PLANES_OVERLAP:
        return ""
    if gap := gap_mm(first, second):
        return f"{gap:.4g} mm between them"
    return f"{share_text(share) if share else 'under 1 %'} of the smaller lies in the other"


def _size(grid: Grid) -> float:
    """Return the volume of a field of view (mm3)."""
    sizes = [count * mm for count, mm in zip(grid.shape, grid.voxel_size, strict=True)]
    return sizes[0] * sizes[1] * sizes[2]


def names_alike(dataset: Dataset) -> Iterator[Finding]:
    """The names of a folder's volumes differ in more than case and packing; so do its masks'.

    Masks that claim the same class by such names have ``annotation-repeated`` already.
    """
    named = {found.path for found in dataset.findings if found.code == "annotation-repeated"}
    volumes = [item.volume for item in dataset.items if item.volume]
    masks = [mask.image for item in dataset.items for mask in item.masks]
    for images in (volumes, [mask for mask in masks if str(mask.relative) not in named]):
        for group in _alike(images, _plain_name):
            others = ", ".join(image.relative.name for image in group[1:])
            message = f"its name is that of {others}, but for case and packing"
            yield finding("names-alike", group[0].relative, message)


def _plain_name(image: ImageFile) -> tuple[PurePosixPath, str]:
    return image.relative.parent, stem(image.relative.name).casefold()


def content_repeated(dataset: Dataset) -> Iterator[Finding]:
    """No two NIfTI files have the same content, packed or not; empty label maps may.

    Only files whose content is of one length and checksum are compared by all of it.
    """
    owners = {mask.image: (item, mask) for item in dataset.items for mask in item.masks}
    images = [image for item in dataset.items for image in item.images]
    groups = [images]
    for key in (_length, _checksum, _digest):
        groups = [alike for group in groups for alike in _alike(group, key)]
    for group in groups:
        kept = [image for image in group if not _is_empty(dataset, owners.get(image))]
        kept.sort(key=lambda image: natural_key(image.relative))
        if len(kept) > 1:
            others = ", ".join(str(image.relative) for image in kept[1 : SHOWN + 1])
            more = f" and {len(kept) - SHOWN - 1} more" if len(kept) > SHOWN + 1 else ""
            message = f"it has the same content as {others}{more}"
            yield finding("content-repeated", kept[0].relative, message)


def _alike(
    images: Iterable[ImageFile], key: Callable[[ImageFile], Hashable]
) -> list[list[ImageFile]]:
    """Return the groups of images of one key; those alone with theirs, or without one, are out."""
    groups: defaultdict[Hashable, list[ImageFile]] = defaultdict(list)
    for image in images:
        if (found := key(image)) is not None:
            groups[found].append(image)
    return [group for group in groups.values() if len(group) > 1]


def _is_empty(dataset: Dataset, owner: tuple[Item, MaskFile] | None) -> bool:
    """Say whether a file is a label map without a label."""
    if owner is None:
        return False
    labels = survey_mask(dataset, *owner).labels
    return labels is not None and not labels.labels


def _length(image: ImageFile) -> int | None:
    """Return the length of an image's content, as gzip counts it; None if it cannot be read."""
    try:
        if image.is_packed:
            return int.from_bytes(_trailer(image)[4:], "little")
        size = image.path.stat().st_size if image.content is None else len(image.content)
    except OSError:
        return None
    return size % _LENGTHS


def _checksum(image: ImageFile) -> int | None:
    """Return the CRC-32 of an image's content: of a gzip file as it says, else counted."""
    total = 0
    try:
        if image.is_packed:
            return int.from_bytes(_trailer(image)[:4], "little")
        for piece in _pieces(image):
            total = zlib.crc32(piece, total)
    except STREAM_FAULTS:
        return None
    return total


def _digest(image: ImageFile) -> bytes | None:
    """Return the SHA-256 of an image's content; None if it cannot be read to its end."""
    total = hashlib.sha256()
    try:
        for piece in _pieces(image):
            total.update(piece)
    except STREAM_FAULTS:
        return None  # that it is damaged is found where its voxels are read
    return total.digest()


def _pieces(image: ImageFile) -> Iterator[bytes]:
    with open_stream(image.path, image.content) as stream:
        while piece := stream.read(CHUNK):
            yield piece


def _trailer(image: ImageFile) -> bytes:
    if image.content is not None:
        return image.content[-_TRAILER_BYTES:]
    with image.path.open("rb") as stream:
        stream.seek(-_TRAILER_BYTES, os.SEEK_END)
        return stream.read()
