"""Rules about files as such."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from nifti_kit.core.faults import file_fault
from nifti_kit.core.findings import Finding, finding
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.datasets.names import pair_key, speaks_of_annotation, stem
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.nifti import iter_frames

__all__ = ["analyze_pairs", "file_packing", "volume_voxels", "volumes_named_masks"]


def volume_voxels(item: Item) -> Iterator[Finding]:
    """A volume can be read to its end, and its checksum fits."""
    if item.volume is None:
        return
    try:
        for _ in iter_frames(item.volume):
            pass
    except NiftiKitError as error:
        yield file_fault(item.volume.relative, error)


def volumes_named_masks(dataset: Dataset) -> Iterator[Finding]:
    """A volume without annotations is not itself one, by its name, its folder's or its place."""
    volumes = [item.volume.relative for item in dataset.items if item.volume and not item.plane]
    owners = {stem(relative.name).casefold(): relative for relative in volumes}
    for item in dataset.items:
        if item.volume is None or item.plane or item.masks:
            continue
        relative = item.volume.relative
        owner = owners.get(relative.parent.name.casefold(), relative)
        if owner != relative:
            message = f"it lands as a volume, though its folder is named like {owner}"
            yield finding("volume-named-mask", relative, message)
        elif speaks_of_annotation(relative):
            message = "it lands as a volume, though its name or folder says annotation"
            yield finding("volume-named-mask", relative, message)


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
