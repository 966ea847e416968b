"""Classes by words: ``axl_inference_femur`` beside ``axl_inference_tibia``, without an index."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from nifti_kit.core.findings import finding
from nifti_kit.datasets.items import MaskFile
from nifti_kit.datasets.layouts.grouping import Grouping, Link, NamedFile
from nifti_kit.datasets.names import spelled


def class_names(
    annotations: Mapping[NamedFile, Sequence[Link]], grouping: Grouping
) -> dict[PurePosixPath, str]:
    """Return the class of each annotation file of a set whose files have words and no index.

    Its words are those that its volume does not have. They count only if each file has such, no
    two files of a volume have the same, and not all files of the set do; each is named in a
    finding. Else none has a class by its words.
    """
    links = [(volume, link) for volume, own in annotations.items() for link in own]
    if any(link.index is not None for _, link in links):
        return {}
    words = {link.file: _class_words(link.file, volume) for volume, link in links}
    alone = all(len({words[link.file] for link in own}) == len(own) for own in annotations.values())
    if not alone or not all(words.values()) or len(set(words.values())) == 1:
        return {}
    written: dict[tuple[str, ...], str] = {}
    for file, own in words.items():
        name = written.setdefault(own, spelled(file.name, own))
        if file.image is not None:
            message = f"it has no index: its class is read from its words, {name!r}"
            grouping.findings.append(finding("class-by-words", file.relative, message))
    return {file.relative: written[own] for file, own in words.items()}


def table_classes(
    tables: Iterable[Link], volume: NamedFile, masks: Iterable[MaskFile]
) -> dict[PurePosixPath, str]:
    """Return the class of each score table whose words are those of one of the volume's masks."""
    classes = {mask.class_name.casefold(): mask.class_name for mask in masks if mask.class_name}
    found = {}
    for link in tables:
        own = "_".join(_class_words(link.file, volume))
        if own in classes:
            found[link.file.relative] = classes[own]
    return found


def _class_words(file: NamedFile, volume: NamedFile) -> tuple[str, ...]:
    """Return the words of a file that its volume does not have and that may be a class."""
    words = (word for word in file.name.words if word not in volume.name.words)
    return tuple(word for word in words if not _NO_CLASS.fullmatch(word))


_NO_CLASS = re.compile(
    r"v?[0-9.]+|pred(iction|icted)?s?|gt|(ground)?truth|manual|auto|rater\w*|reader\w*|nnunet\w*"
)
"""Numbers, versions, and who or what drew a mask: two files that differ in these are of one class,
which is an error."""
