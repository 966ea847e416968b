"""Rules about files as such."""

from __future__ import annotations

from collections.abc import Iterator

from nifti_kit.datasets import Dataset, file_fault
from nifti_kit.errors import NiftiKitError
from nifti_kit.findings import Finding, finding
from nifti_kit.images import iter_frames
from nifti_kit.items import Item
from nifti_kit.names import speaks_of_annotation, stem

__all__ = ["volume_voxels", "volumes_named_masks"]


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
