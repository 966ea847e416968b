"""Image files by name alone: the layouts group by names and folders, and read nothing."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np

from nifti_kit.core.geometry import Grid
from nifti_kit.datasets.items import Item
from nifti_kit.datasets.layouts import Files, Grouping
from nifti_kit.formats.nifti import ImageFile
from tests.support.builders import AFFINE, SHAPE


def image(relative: str) -> ImageFile:
    """Return an image whose file is nowhere."""
    path = PurePosixPath(relative)
    grid = Grid(SHAPE, AFFINE)
    return ImageFile(
        Path("/nowhere") / path, path, grid, np.dtype("u1"), 1.0, 0.0, AFFINE, None, 352, 1
    )


def files(*names: str, segmentation: str = "auto", words: tuple[str, ...] = ()) -> Files:
    """Return the files of a source in the given order; what ends in .csv is a table.

    ``words`` are further type words of annotations.
    """
    images = tuple(image(name) for name in names if not name.endswith(".csv"))
    tables = tuple(
        (Path("/nowhere") / name, PurePosixPath(name)) for name in names if name.endswith(".csv")
    )
    return Files(images, tables, segmentation, annotation_words=words)


def masks(item: Item) -> list[tuple[str, int | str | None]]:
    """Return (file, class index or class name) of an item's masks."""
    return [(str(mask.relative), mask.class_name or mask.index) for mask in item.masks]


def tables(item: Item) -> list[tuple[str, int | None]]:
    """Return (file, index) of an item's tables."""
    return [(str(table.relative), table.index) for table in item.tables]


def owned(grouping: Grouping) -> dict[str, list[tuple[str, int | str | None]]]:
    """Return the masks by the name of their item."""
    return {item.name: masks(item) for item in grouping.items}


def codes(grouping: Grouping) -> list[tuple[str, str]]:
    """Return (code, path) of what was found."""
    return [(found.code, found.path) for found in grouping.findings]


def unused(grouping: Grouping) -> dict[str, str]:
    """Return file to reason."""
    return {str(path): reason for path, reason in grouping.unused.items()}


def places(grouping: Grouping) -> list[str]:
    """Return every file of a grouping as often as it has a place: used, or named as unused."""
    found = [str(path) for path in grouping.unused]
    for item in grouping.items:
        found += [str(item.volume.relative)] if item.volume else []
        found += [str(mask.relative) for mask in item.masks]
        found += [str(table.relative) for table in item.tables]
    return sorted(found)
