"""What every layout takes and gives: files in, items and leftovers out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from nifti_kit.core.findings import Finding, finding
from nifti_kit.datasets.items import Item
from nifti_kit.datasets.names import stem
from nifti_kit.formats.nifti import ImageFile

__all__ = ["Files", "Grouping", "folder_of", "note_prefixed_names"]


@dataclass(frozen=True)
class Files:
    """The files that a layout groups.

    Attributes
    ----------
    images
        The readable NIfTI files, in natural order.
    tables
        The CSV files as (path, relative path), in natural order.
    segmentation
        ``auto``, ``semantic`` or ``instance``.
    unreadable
        The NIfTI files that are no usable images: what belongs to them has no volume.
    """

    images: tuple[ImageFile, ...]
    tables: tuple[tuple[Path, PurePosixPath], ...]
    segmentation: str = "auto"
    unreadable: tuple[PurePosixPath, ...] = ()


@dataclass
class Grouping:
    """The items of a layout, and what found no place in it: relative path to reason."""

    items: list[Item] = field(default_factory=list)
    unused: dict[PurePosixPath, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def folder_of(relative: PurePosixPath) -> str:
    """Return a file's folder below the source; empty for the source itself."""
    return "" if relative.parent == PurePosixPath() else str(relative.parent)


def note_prefixed_names(
    images: Sequence[ImageFile], names: Sequence[str], grouping: Grouping
) -> None:
    """Name the volumes whose platform name is not their file's, because others are alike."""
    for image, name in zip(images, names, strict=True):
        if name != f"{stem(image.relative.name)}.nrrd":
            message = f"it is named {name}"
            grouping.findings.append(finding("name-prefixed", image.relative, message))
