"""Rules about files as such."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from pathlib import PurePosixPath

from nifti_kit.checks.cases import is_another
from nifti_kit.checks.geometry import share_text
from nifti_kit.checks.rules import rule
from nifti_kit.core.files import MOST_OF_A_NAME, name_size
from nifti_kit.core.findings import Finding, Findings, Waiver, file_fault, finding
from nifti_kit.core.geometry import Grid, gap_mm, share_inside
from nifti_kit.core.text import listed
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item, MaskFile
from nifti_kit.datasets.layouts.grouping import folder_of
from nifti_kit.datasets.names import (
    PLANE_WORDS,
    VOLUME,
    natural_key,
    pair_key,
    parse_name,
    speaks_of_annotation,
    stem,
)
from nifti_kit.datasets.surveys import fingerprint_of, survey_mask, volume_fault
from nifti_kit.formats import mappings
from nifti_kit.formats.deflate import CHUNK, STREAM_FAULTS, checksum
from nifti_kit.formats.nifti import ImageFile, open_stream


@rule("dataset", "volume")
def volume_voxels(dataset: Dataset, item: Item) -> Iterator[Finding]:
    """A volume can be read to its end, and its checksum fits."""
    fault = None if item.volume is None else volume_fault(dataset, item.volume)
    if item.volume is not None and fault is not None:
        yield file_fault(item.volume.relative, fault)


@rule("dataset")
def names_long(dataset: Dataset) -> Iterator[Finding]:
    """The names of volumes are not longer than a file system takes."""
    for item in dataset.items:
        size = name_size(item.name)
        if item.volume is not None and size > MOST_OF_A_NAME:
            message = f"it lands as a name of {size} bytes, at most {MOST_OF_A_NAME} are taken"
            yield finding("name-long", item.volume.relative, message)


PROPOSED = "If it is a mask: scan(..., layout='pairs') takes the pairs that dataset.proposal shows."
"""The remedy for a file whose image is known."""


@rule("dataset")
def volumes_named_masks(dataset: Dataset) -> Iterator[Finding]:
    """A volume without annotations is not itself one, by its name, its folder's or its place."""
    volumes = [item.volume.relative for item in dataset.items if item.volume and not item.plane]
    owners = {stem(relative.name).casefold(): relative for relative in volumes}
    for item in dataset.items:
        if item.volume is None or item.plane or item.masks:
            continue
        relative = item.volume.relative
        owner = owners.get(relative.parent.name.casefold(), relative)
        proposal = dataset.proposal
        is_paired = proposal is not None and str(relative) in proposal.pairs
        remedy = PROPOSED if is_paired else ""
        if owner != relative:
            message = f"it lands as a volume, though its folder is named like {owner}"
            yield finding("volume-named-mask", relative, message, remedy=remedy)
        elif speaks_of_annotation(relative) or is_paired:
            message = "it lands as a volume, though its name or folder says annotation"
            yield finding("volume-named-mask", relative, message, remedy=remedy)


@rule("dataset")
def analyze_pairs(dataset: Dataset) -> Iterator[Finding]:
    """No image of the source is in two files (.hdr and .img)."""
    halves: dict[str, dict[str, PurePosixPath]] = {}
    for file in dataset.source.files:
        if key := pair_key(file):
            halves.setdefault(key[0], {})[key[1]] = file
    for pair in halves.values():
        if len(pair) > 1:
            message = f"an image in two files: {pair['hdr'].name} and {pair['img'].name}"
            yield finding("analyze-pair", pair["hdr"], message)


@rule("item")
def file_packing(item: Item) -> Iterator[Finding]:
    """The name of each image says whether its bytes are gzip."""
    for image in item.images:
        named = image.relative.name.casefold().endswith(".gz")
        if image.is_packed and not named:
            message = "its bytes are gzip, but its name ends in .nii: nibabel and ITK refuse it"
            yield finding("file-name-packing", image.relative, message)
        elif named and not image.is_packed:
            message = "its name ends in .gz, but its bytes are not gzip: nibabel refuses it"
            yield finding("file-name-packing", image.relative, message)


# Rules about files that belong together, or look as if they did

PLANES_OVERLAP = 0.25
"""Planes of one region share more of the smaller field of view than this; slabs may share half."""

SHOWN = 3
"""Other files of the same content that a message names."""

_TRAILER_BYTES = 8
"""What a gzip file ends in: CRC-32 and length of the content, little-endian."""

_LENGTHS = 2**32
"""A gzip file keeps the length of its content modulo this."""


@rule("dataset")
def planes_apart(dataset: Dataset) -> Iterator[Finding]:
    """The volumes of a set of planes cover the same region in world space."""
    sets: defaultdict[tuple[str, ...], list[Item]] = defaultdict(list)
    for item in dataset.items:
        if item.plane and item.volume:
            sets[item.set_key].append(item)
    for items in sets.values():
        images = [item.volume for item in items if item.volume and not item.volume.grid.problem]
        faults = [
            f"{first.relative.name} and {second.relative.name}: {fault}"
            for first, second in itertools.combinations(images, 2)
            if (fault := _apart(first.grid, second.grid))
        ]
        if faults:
            yield finding("planes-apart", items[0].folder, "; ".join(faults))


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


@rule("dataset")
def names_alike(dataset: Dataset) -> Iterator[Finding]:
    """The names of a folder's volumes differ in more than case and packing; so do its masks'.

    Masks that claim the same class by such names have ``annotation-repeated`` already.
    """
    named = {found.path for found in dataset.findings if found.code == "annotation-repeated"}
    volumes = [item.volume for item in dataset.items if item.volume]
    masks = list(dict.fromkeys(mask.image for item in dataset.items for mask in item.masks))
    for images in (volumes, [mask for mask in masks if str(mask.relative) not in named]):
        for group in _alike(
            images, lambda one: (one.relative.parent, stem(one.relative.name).casefold())
        ):
            others = ", ".join(image.relative.name for image in group[1:])
            message = f"its name is that of {others}, but for case and packing"
            yield finding("names-alike", group[0].relative, message)


def content_repeated(dataset: Dataset) -> Iterator[Finding]:
    """No two NIfTI files have the same content, packed or not; empty label maps may.

    Only files whose content is of one length and checksum are compared by all of it.
    """
    owners = {mask.image: (item, mask) for item in dataset.items for mask in item.masks}
    volumes = {item.volume: item for item in dataset.items if item.volume is not None}
    # A mask of several images is one file.
    images = list(dict.fromkeys(image for item in dataset.items for image in item.images))
    kept = [image for image in images if not _is_empty(dataset, owners.get(image))]
    groups = [alike for group in _alike(kept, _length) for alike in _of_one_checksum(group)]
    for group in groups:
        for same in _alike(group, _Digests(dataset)):
            same.sort(key=lambda image: natural_key(image.relative))
            others = listed((image.relative for image in same[1:]), SHOWN)
            message = f"it has the same content as {others}"
            items = [volumes[image] for image in same if image in volumes]
            is_copy = any(is_another(items[0], other) for other in items[1:])
            code = "volumes-alike" if is_copy else "content-repeated"
            yield finding(code, same[0].relative, message)


def _of_one_checksum(images: list[ImageFile]) -> list[list[ImageFile]]:
    """Return groups that may have one content."""
    # Gzip files say their checksum, others have to be read for it; where none is packed, what is
    # known of their bytes tells as much.
    return _alike(images, _checksum) if any(image.is_packed for image in images) else [images]


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
            total = checksum(piece, total)
    except STREAM_FAULTS:
        return None
    return total


class _Digests:
    """Gives the SHA-256 of images' content; None if it cannot be read to its end.

    That of the stored bytes is known since they were read. Files of the same bytes are unpacked
    once.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._known: dict[str, str | None] = {}

    def __call__(self, image: ImageFile) -> str | None:
        found = fingerprint_of(self._dataset, image)
        if found is None or not image.is_packed:
            return None if found is None else found.sha256
        if found.sha256 not in self._known:
            self._known[found.sha256] = _digest(image)
        return self._known[found.sha256]


def _digest(image: ImageFile) -> str | None:
    total = hashlib.sha256()
    try:
        for piece in _pieces(image):
            total.update(piece)
    except STREAM_FAULTS:
        return None  # that it is damaged is found where its voxels are read
    return total.hexdigest()


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


def going_along(
    dataset: Dataset, waive: Iterable[Waiver], findings: Iterable[Finding]
) -> tuple[dict[str, list[str]], list[Waiver]]:
    """Return what goes with the volumes that a person accepts as lost.

    The annotation files of each volume by its path: those without a volume in the folder of its
    name, or of its plane in its folder. And all that is accepted with it: that these files do not
    land, and that the set of planes is incomplete without it.
    """
    found = Findings(findings, waive)
    lost = [PurePosixPath(one.path) for one in found.waived if one.code in _LOST]
    alone = [PurePosixPath(f.path) for f in found if f.code == "annotation-without-volume"]
    planes: defaultdict[str, list[str | None]] = defaultdict(list)
    for item in dataset.items:
        planes[item.folder] += [item.plane] * (item.volume is not None)
    missing = {(folder_of(path), _volume_plane(path)) for path in lost}
    along: dict[str, list[str]] = {}
    for path in dict.fromkeys(lost):
        folder, plane = path.parent / stem(path.name), _volume_plane(path)
        bare = plane is not None and plane not in planes[folder_of(path)]
        for mask in alone:
            beside = mask.parent == path.parent and parse_name(mask.name).plane == plane
            if folder in mask.parents or (bare and beside):
                along.setdefault(str(path), []).append(str(mask))
    accepted: list[Waiver] = [
        ("annotation-without-volume", mask) for own in along.values() for mask in own
    ]
    for where in {where for where, plane in missing if plane}:
        whole = [*planes[where], *(plane for own, plane in missing if own == where)]
        if sorted(map(str, whole)) == sorted(PLANE_WORDS):
            accepted.append(("planes-incomplete", where))
    return along, [*waive, *accepted]


def _volume_plane(path: PurePosixPath) -> str | None:
    name = parse_name(path.name)
    return name.plane if name.role == VOLUME else None


_LOST = ("file-unreadable", "image-unsupported")
"""An image with one of these does not land."""


# Rules about which volume an annotation file belongs to

SHOWN_SETS = 4
"""Sets of files that a message lists before it counts the rest."""


def unmatched(dataset: Dataset) -> Iterator[Finding]:
    """Each annotation file has a volume in the mapping, where the source has one."""
    mapping = dataset.mapping
    if mapping is None:
        return
    for relative in dataset.annotation_paths:
        if mapping.volume_of(relative) is None:
            message = "the mapping has no volume for it"
            remedy = mappings.unmatched_remedy(mapping, relative)
            yield finding("annotation-unmatched", relative, message, remedy=remedy)


@rule("dataset")
def shared_ids(dataset: Dataset, mapping: mappings.Mapping | None = None) -> Iterator[Finding]:
    """The files of one volume are of one plane and case.

    (Several instance files of one plane belong to one volume.) ``mapping`` is the source's own
    by default.
    """
    mapping = dataset.mapping if mapping is None else mapping
    if mapping is None:
        return
    sets: defaultdict[int, dict[Item, str]] = defaultdict(dict)
    for item in dataset.items:
        for relative in item.annotation_paths:
            volume = mapping.volume_of(relative)
            if volume is not None:
                sets[volume].setdefault(item, f"{relative} ({item.plane})")
    for volume, files in sets.items():
        if len(files) > 1:
            shown = listed(files.values(), SHOWN_SETS)
            message = f"volume {volume} is given to {len(files)} planes or cases: {shown}"
            yield finding("mapping-id-shared", mapping.path, message)
