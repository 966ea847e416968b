"""The files of the masks that a label map holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeVar

from nifti_kit.formats.label_parts import LabelParts
from nifti_kit.formats.volumes import mask_bytes
from nifti_kit.targets.records import PlannedObject

__all__ = ["MaskFiles", "by_source"]

T = TypeVar("T")


class MaskFiles:
    """The NRRD files of objects of one label map, which is read once, within their boxes.

    Raises as :func:`nifti_kit.formats.labels.survey_labels`.
    """

    def __init__(self, objects: Sequence[PlannedObject]) -> None:
        self._parts = LabelParts(objects[0].mask.image, [planned.label for planned in objects])

    def file_of(self, planned: PlannedObject) -> bytes:
        """Return the file of one of the objects; see ``formats.volumes.mask_bytes``."""
        part = self._parts[planned.label]
        return mask_bytes(part, planned.mask.grid, planned.label, planned.orientation)


def by_source(pairs: Iterable[tuple[T, PlannedObject]]) -> Iterator[list[tuple[T, PlannedObject]]]:
    """Yield pairs in their order, those that follow each other and are of one mask file at once."""
    for _, group in groupby(pairs, key=lambda pair: pair[1].mask):
        yield list(group)
