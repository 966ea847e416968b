"""Classes by file: what a person says of single annotation files in ``scan(classes=)``."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath, PurePosixPath
from typing import Any

from nifti_kit.core.text import listed
from nifti_kit.datasets.items import Item, MaskFile
from nifti_kit.errors import BadClassMap
from nifti_kit.formats.class_maps import ClassMap
from nifti_kit.formats.class_maps.stems import class_of_stem

SHOWN = 5
"""Files that an error names before it counts the rest."""

FileClasses = tuple[tuple[str, str], ...]
"""Keys as they were given, with the name of the class."""


def split_classes(classes: Any) -> tuple[Any, FileClasses]:
    """Return the classes by value (or what else was given), and those by file.

    Raises BadClassMap if a file's class is no name.
    """
    if not isinstance(classes, Mapping):
        return classes, ()
    files = {key: given for key, given in classes.items() if _is_file(key, given)}
    for key, given in files.items():
        if not isinstance(given, str) or not given.strip():
            raise BadClassMap(
                "the class of a file is no name",
                path=str(key),
                found=repr(given),
                expected="a text, such as 'Tibia'",
                remedy="Give the name; its colour is that of the class map.",
            )
    rest = {key: given for key, given in classes.items() if key not in files}
    pairs = tuple((os.fspath(key), str(given).strip()) for key, given in files.items())
    return (rest if rest or not files else None), pairs


def _is_file(key: Any, given: Any) -> bool:
    """Say whether a key of ``classes`` is meant for a file: a text that is no number."""
    named = isinstance(key, str) and not key.strip().isdecimal() and not isinstance(given, int)
    return named or isinstance(key, PurePath)


def with_file_classes(items: Sequence[Item], given: FileClasses) -> list[Item]:
    """Return items whose annotation files have the classes that were given.

    Where a file of a set of planes got one, the whole set is read as instance.

    Raises BadClassMap if a key names no annotation file, or several; the text shows the nearest.
    """
    if not given:
        return list(items)
    files = [mask.relative for item in items for mask in item.masks]
    names = {_file_of(key, files): name for key, name in given}
    sets = {_set_of(item) for item in items for mask in item.masks if mask.relative in names}
    return [_named(item, names) if _set_of(item) in sets else item for item in items]


def with_written_names(items: Iterable[Item], classes: ClassMap) -> list[Item]:
    """Return items whose masks by volume have the class that the name of their file stands for.

    Of a class whose name no file can have, it is that name in another form (``T1%2FT2``); a
    further file of a class (``Femur~2``) is of that class.
    """

    def written(mask: MaskFile) -> MaskFile:
        name = None if mask.class_name is None else class_of_stem(mask.class_name, classes)
        return mask if name is None else replace(mask, class_name=name)

    return [
        item if item.plane else replace(item, masks=tuple(map(written, item.masks)))
        for item in items
    ]


def _set_of(item: Item) -> tuple[str, ...]:
    """Return what an item shares with those that are read alike; by volume nothing is shared."""
    return item.set_key if item.plane is not None else (item.folder, item.name)


def _named(item: Item, names: Mapping[PurePosixPath, str]) -> Item:
    masks = [
        replace(mask, class_name=names.get(mask.relative, mask.class_name)) for mask in item.masks
    ]
    return replace(item, masks=tuple(masks), segmentation="instance" if masks else None)


def _file_of(key: str, files: Sequence[PurePosixPath]) -> PurePosixPath:
    """Return the annotation file that a key names: by its path, or by its name alone."""
    meant = PurePosixPath(key.strip().replace("\\", "/"))
    found = [file for file in files if file == meant]
    found = found or [file for file in files if file.name == str(meant)]
    if len(found) == 1:
        return found[0]
    near = [str(file) for file in found]
    if not near:
        every = {str(file): str(file) for file in files} | {file.name: str(file) for file in files}
        close = difflib.get_close_matches(str(meant), every, n=3, cutoff=0.0)
        near = list(dict.fromkeys(every[name] for name in close))
    raise BadClassMap(
        "several annotation files have that name" if found else "there is no such annotation file",
        found=repr(key),
        expected=listed(near, SHOWN) or "no annotation file is there",
        remedy="Write the file's path below the source, such as 'ds/cor_inference.nii.gz'.",
    )
