"""What a plan leaves out: the files that a person accepted as faulty, and what goes with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from nifti_kit.core.findings import Finding
from nifti_kit.core.text import REPR_LINES, and_more, counted, listed
from nifti_kit.datasets.surveys import ItemSurvey, MaskSurvey
from nifti_kit.errors import visible

SHOWN = 3
"""Files that go with one that is left out, before the rest is counted."""

_NO_DATA = (".json", ".txt")
"""What says something of other files: a fault of it leaves no data out."""


@dataclass(frozen=True)
class LeftOut:
    """A file that does not land, though it is data, because a person accepted its fault."""

    path: str  # the file, relative to the source
    # The finding that was accepted.
    code: str
    message: str
    # What does not land with it: the annotation files and score tables of a volume.
    files: tuple[str, ...] = ()
    # How many objects and scores are known to be lost; None where the file cannot be read.
    objects: int | None = None
    scores: int = 0

    def __str__(self) -> str:
        lost = self._lost
        if self.objects is None:
            lost = "its objects cannot be counted" if not self.files else f"{lost}, not counted"
        return visible(f"{self.path} [{self.code}]: {self.message}; {lost}")

    @property
    def _lost(self) -> str:
        said = [listed(self.files, SHOWN)] * bool(self.files)
        said += [counted(self.objects or 0, "object")] * bool(self.objects)
        said += [counted(self.scores, "score")] * bool(self.scores)
        return f"with it {', '.join(said)}" if said else "no object goes with it"

    def facts(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {**self.__dict__, "files": list(self.files)}


def left_out_lines(left_out: Sequence[LeftOut], most: int = REPR_LINES) -> list[str]:
    """Return what does not land in lines of text: ``most`` files, and how many more there are."""
    lines = [f"Left out: {one}" for one in left_out[:most]]
    return lines + and_more(len(left_out) - most, "file", "left_out")


def of_volume(survey: ItemSurvey) -> LeftOut:
    """Return what does not land if the volume of an item does not; code and message are open."""
    item = survey.item
    assert item.volume is not None
    files = [mask.relative for mask in item.masks] + [table.relative for table in item.tables]
    objects = sum(map(_objects, survey.masks))
    scores = sum(map(len, survey.scores.values()))
    return LeftOut(str(item.volume.relative), "", "", tuple(map(str, files)), objects, scores)


def of_mask(survey: ItemSurvey, position: int) -> LeftOut:
    """Return what does not land if a mask of an item does not; code and message are open."""
    mask = survey.masks[position]
    scores = sum(len(own) for (at, _), own in survey.scores.items() if at == position)
    objects = None if mask.labels is None else _objects(mask)
    return LeftOut(str(mask.mask.relative), "", "", (), objects, scores)


def _objects(mask: MaskSurvey) -> int:
    return 0 if mask.labels is None else len(mask.labels.labels)


def left_out(
    findings: Iterable[Finding],
    files: Iterable[PurePosixPath],
    landing: set[str],
    losses: Mapping[str, LeftOut],
) -> tuple[LeftOut, ...]:
    """Return the files of a source that do not land, by the errors that a person accepted.

    ``landing``: the paths of what lands.
    ``losses``: what is known to go with a file that does not land.
    """
    data = {str(file) for file in files if file.suffix.casefold() not in _NO_DATA}
    found: dict[str, LeftOut] = {}
    along = {file for loss in losses.values() for file in loss.files}
    for one in findings:
        is_lost = one.path in data - along and one.path not in landing and one.path not in found
        if one.waived and one.severity == "error" and is_lost:
            known = losses.get(one.path, LeftOut(one.path, "", ""))
            found[one.path] = replace(known, code=one.code, message=one.message)
    return tuple(found.values())
