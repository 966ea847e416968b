"""Lookups: which files of a dataset are meant, by path, by finding, or by themselves."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, TypeVar

from nifti_kit.core.findings import Finding
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item, MaskFile, TableFile
from nifti_kit.errors import RepairRefused
from nifti_kit.formats.nifti import ImageFile

__all__ = ["located", "masks_meant", "tables_meant"]


class _File(Protocol):
    @property
    def relative(self) -> PurePosixPath: ...


F = TypeVar("F", bound=_File)


def masks_meant(dataset: Dataset, files: Any) -> list[tuple[Item, MaskFile]]:
    """Return the masks that are meant, each with its item; ``files`` are those of ``located``.

    Raises
    ------
    RepairRefused
        If there is no such file, or more than one, or it is no mask.
    """
    return _meant(dataset, files, "mask", "an annotation file of an item", lambda item: item.masks)


def tables_meant(dataset: Dataset, files: Any) -> list[tuple[Item, TableFile]]:
    """Return the score tables that are meant, each with its item; as ``masks_meant``."""
    return _meant(dataset, files, "score table", "a table of an item", lambda item: item.tables)


def _meant(
    dataset: Dataset,
    files: Any,
    kind: str,
    expected: str,
    files_of: Callable[[Item], Sequence[F]],
) -> list[tuple[Item, F]]:
    known = {file.relative: (item, file) for item in dataset.items for file in files_of(item)}
    meant = located(dataset, files)
    for relative in meant:
        if relative not in known:
            raise RepairRefused(
                f"it is no {kind} of this dataset",
                path=str(relative),
                expected=expected,
                remedy="The findings say why it is not used.",
            )
    return [known[relative] for relative in meant]


def located(dataset: Dataset, files: Any) -> list[PurePosixPath]:
    """Return the files that are meant, relative to the source, each once.

    Parameters
    ----------
    dataset
        Where they are.
    files
        A path (relative to the source, its end if that is unique, or absolute), a finding, a
        mask, image or table file, or any of these in a sequence, such as
        ``findings.by_code()["mask-apart"]``.

    Raises
    ------
    RepairRefused
        If there is no such file, or more than one.
    """
    found = [_located(dataset, name) for name in _names(files)]
    if not found:
        raise RepairRefused("no file was given to repair", remedy="Give a path or a finding.")
    return list(dict.fromkeys(found))


def _names(files: Any) -> Iterator[PurePosixPath | Path]:
    if isinstance(files, (MaskFile, ImageFile, TableFile)):
        yield files.relative
    elif isinstance(files, Finding):
        yield PurePosixPath(files.path)
    elif isinstance(files, (str, os.PathLike)):
        yield Path(files)
    elif isinstance(files, Iterable):
        for each in files:
            yield from _names(each)
    else:
        raise RepairRefused(
            "that is no file", found=type(files).__name__, expected="a path, a finding or several"
        )


def _located(dataset: Dataset, name: PurePosixPath | Path) -> PurePosixPath:
    wanted = PurePosixPath(name.as_posix())
    if wanted.is_absolute():
        for root in (dataset.root, dataset.root.resolve()):
            if Path(name).is_relative_to(root):
                wanted = PurePosixPath(Path(name).relative_to(root).as_posix())
    known = dataset.source.files
    if wanted in known:
        return wanted
    ends = [
        file for file in known if wanted.parts and file.parts[-len(wanted.parts) :] == wanted.parts
    ]
    if len(ends) == 1:
        return ends[0]
    raise RepairRefused(
        "there are several such files" if ends else "there is no such file in the source",
        path=str(name),
        found=", ".join(map(str, ends[:5])) or None,
        remedy="Give the path relative to the source.",
    )
