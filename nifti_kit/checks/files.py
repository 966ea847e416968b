"""Rules about files as such."""

from __future__ import annotations

from collections.abc import Iterator

from nifti_kit.datasets import file_fault
from nifti_kit.errors import NiftiKitError
from nifti_kit.findings import Finding
from nifti_kit.images import iter_frames
from nifti_kit.items import Item

__all__ = ["volume_voxels"]


def volume_voxels(item: Item) -> Iterator[Finding]:
    """A volume can be read to its end, and its checksum fits."""
    if item.volume is None:
        return
    try:
        for _ in iter_frames(item.volume):
            pass
    except NiftiKitError as error:
        yield file_fault(item.volume.relative, error)
