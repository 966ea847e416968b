"""Rules about whose a mask is: what its name and its voxels say against its volume."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice, takewhile
from pathlib import PurePosixPath

from nifti_kit.checks.rules import rule
from nifti_kit.core.findings import Finding, finding
from nifti_kit.core.text import listed
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item, MaskFile, TableFile
from nifti_kit.datasets.names import VOLUME, parse_name, speaks_of_annotation, stem, words_of
from nifti_kit.datasets.plain_names import numbers_of, plain_name
from nifti_kit.datasets.proposals import says_label
from nifti_kit.datasets.surveys import ItemSurvey
from nifti_kit.formats.labels import Label

_SIDES = {
    **dict.fromkeys(("left", "l", "lt", "li", "links"), "left"),
    **dict.fromkeys(("right", "r", "rt", "re", "rechts"), "right"),
    "baseline": "baseline",
    **dict.fromkeys(("followup", "fu"), "follow-up"),
}
_OTHER = {"left": "right", "right": "left", "baseline": "follow-up", "follow-up": "baseline"}
"""Words of which one speaks against the other."""

SHOWN = 3
"""Words or files that a message names before it counts the rest."""

_YEARS = re.compile(r"(19|20)\d\d")

_EXPLICIT = re.compile(
    r"(?<![^\W_])(?:p|pt|pat|patient|sub|subj|subject|case|id|s(?=0|\d{3}))[-_ ]?0*(\d{1,4})"
    r"(?![^\W_])"
)
"""The number of a case in the name of a class: L2, S1 and ``1`` are none there."""


def case_doubt(
    file: PurePosixPath,
    volume: PurePosixPath,
    others: Words | None = None,
    *,
    is_class: bool = False,
) -> str:
    """Return what the paths of a file and of its volume say against each other; or "".

    That is another number of the same kind (P02 beside P01, t2 beside t1), the other side, or a
    name that other volumes have.

    Parameters
    ----------
    others
        The words of all volumes.
    is_class
        Whether the file's name is its class, in which numbers and sides are parts of a body.

    Examples
    --------
    >>> case_doubt(PurePosixPath("P01/P02_axl_mask.nii"), PurePosixPath("P01/axl_anatomic.nii"))
    "'P02_axl_mask' says 2, its volume P01/axl_anatomic.nii 1"
    >>> case_doubt(PurePosixPath("P01/L2.nii"), PurePosixPath("P01.nii"), is_class=True)
    ''
    """
    own = file.parts[_shared(file, volume) :]
    theirs = _numbers(volume.parts)
    for part in own:
        is_named = is_class and part == file.name
        said = _of_class(part) if is_named else _numbers([part], is_index=part == file.name)
        for label in sorted({at for at, _ in said}):
            ours, there = ({n for at, n in found if at == label} for found in (said, theirs))
            if ours and there and not ours & there:
                first, second = (f"{label}{min(found)}" for found in (ours, there))
                return f"{stem(part)!r} says {first}, its volume {volume} {second}"
    return "" if is_class else _other_words(own, volume, others)


def _other_words(own: Sequence[str], volume: PurePosixPath, others: Words | None) -> str:
    """Return which words of a path are of another side, or of other volumes alone."""
    ours, theirs = _words(own), _words(volume.parts)
    sides = [{_SIDES[word] for word in found if word in _SIDES} for found in (ours, theirs)]
    for side in sorted(sides[0]):
        if _OTHER[side] in sides[1] - sides[0] and side not in sides[1]:
            return f"its name says {side}, its volume {volume} {_OTHER[side]}"
    if others is None or not others.telling(theirs - ours):
        return ""
    foreign = [word for word in sorted(ours - theirs) if word in others]
    said = listed(map(repr, foreign), SHOWN)
    return f"its name says {said}, as those of other volumes, not {volume}" if foreign else ""


_DATES = re.compile(r"(?<!\d)(?:19|20)\d\d(?:([-_]?)[01]\d\1[0-3]\d)?(?!\d)")
"""Years and days, as names of visits have them."""

_VISITS = frozenset(
    (*("v", "visit", "ses", "session", "tp", "timepoint", "exam", "scan"), "month", "week", "day")
)
"""Words before the number of a point in time."""


def name_doubt(file: str, volume: str, *, by_name: bool) -> str:
    """Return what the name of an annotation does not share with that of its volume; or "".

    For annotations alone: no folder says whose they are. That is another date; a side or a point
    in time that the volume's name does not have; and, if it was not matched ``by_name``, words of
    a case that are not those of the volume.

    Examples
    --------
    >>> name_doubt("axl_mask_P01_v2.nii", "axl_anatomic_P01.nrrd", by_name=True)
    "its name says 'v2', that of its volume axl_anatomic_P01.nrrd nothing of the kind"
    >>> name_doubt("axl_mask_P01.nii", "axl_anatomic_P01_left.nrrd", by_name=True)
    ''
    """
    ours, theirs = plain_name(file), plain_name(volume)
    dates = [{found[0] for found in _DATES.finditer(name)} for name in (file, volume)]
    if all(dates) and dates[0].isdisjoint(dates[1]):
        return f"its name says {min(dates[0])}, that of its volume {volume} {min(dates[1])}"
    there = {_SIDES[word] for word in theirs.case if word in _SIDES}
    times = [{pair for pair in name.numbers if pair[0] in _VISITS} for name in (ours, theirs)]
    missing = [w for w in sorted(ours.case & _SIDES.keys()) if there.isdisjoint(_kind(w))]
    missing += [] if times[1] else [f"{label}{number}" for label, number in sorted(times[0])]
    if missing:
        said = listed(map(repr, missing), SHOWN)
        return f"its name says {said}, that of its volume {volume} nothing of the kind"
    own = ours.case - theirs.case - _SIDES.keys()
    are_numbers = ours.numbered - _SIDES.keys() <= theirs.numbered
    if by_name or not own or are_numbers or (theirs.case and theirs.case <= ours.case):
        return ""
    said = listed(map(repr, sorted(own)), SHOWN)
    return f"its name says {said}, that of its volume {volume} does not"


def _kind(word: str) -> set[str]:
    return {_SIDES[word], _OTHER[_SIDES[word]]}


class Words:
    """The words in the paths of volumes, and how many volumes have them."""

    def __init__(self, volumes: Iterable[PurePosixPath]) -> None:
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._all = 0
        for volume in volumes:
            self._all += 1
            for word in _words(volume.parts):
                self._counts[word] += 1

    def __contains__(self, word: str) -> bool:
        return word in self._counts

    def telling(self, words: Iterable[str]) -> bool:
        """Say whether one of the words tells some volumes from the others."""
        return any(self._counts[word] < self._all for word in words if word in self)


def _shared(file: PurePosixPath, volume: PurePosixPath) -> int:
    """Return how many folders at the beginning two paths have in common."""
    pairs = zip(file.parent.parts, volume.parent.parts, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


@lru_cache(maxsize=4096)
def _numbers_in(part: str, is_index: bool) -> frozenset[tuple[str, str]]:
    name = plain_name(part)
    found = name.numbers if is_index else numbers_of(words_of(stem(part))) or name.own_numbers
    return frozenset(pair for pair in found if pair[0] or not _YEARS.fullmatch(pair[1]))


def _numbers(parts: Iterable[str], *, is_index: bool = False) -> frozenset[tuple[str, str]]:
    """Return the numbers in parts of a path, each with the word before it.

    Those at the end of a name that may be an index are none.
    """
    return frozenset().union(*(_numbers_in(part, is_index) for part in parts))


def _of_class(part: str) -> frozenset[tuple[str, str]]:
    return frozenset(("", number) for number in _EXPLICIT.findall(stem(part).casefold()))


def _words(parts: Iterable[str]) -> frozenset[str]:
    """Return the words of parts of a path that are no numbers, planes or roles."""
    words = (word for part in parts for word in plain_name(part).case)
    return frozenset(word for word in words if word.isalpha())


@rule("dataset")
def cases_differ(dataset: Dataset) -> Iterator[Finding]:
    """The name of each mask and score table speaks of the same case as its volume's."""
    volumes = [item.volume.relative for item in dataset.items if item.volume is not None]
    others = Words(volumes)
    given = dict(dataset.choices.volumes)
    seen: set[PurePosixPath] = set()
    gone = [PurePosixPath(file) for file in dataset.choices.left_out]
    apart = Counter(
        _apart(item.masks[0].relative, item.volume.relative)
        for item in dataset.items
        if item.volume is not None and item.masks
    )
    for item in dataset.items:
        if item.volume is None:
            continue
        files: Sequence[MaskFile | TableFile] = (*item.masks, *item.tables)
        for file in files:
            path, is_class = file.relative, file.class_name is not None
            own = PurePosixPath(path.name) if str(path) in given else path
            said = case_doubt(own, item.volume.relative, others, is_class=is_class)
            pair = _apart(path, item.volume.relative) if is_class else None
            if pair is not None and apart[pair] < MANY and own is path:
                said = said or f"its folder is in {pair[0]}, its volume {item.volume.relative}"
            if gone and own is path and item.plane is not None:
                said = said or _by_absence(path, item.volume.relative, gone)
            if said and path not in seen:
                seen.add(path)
                yield finding("case-differs", path, said)


def _by_absence(file: PurePosixPath, volume: PurePosixPath, gone: Iterable[PurePosixPath]) -> str:
    """Return which volumes could own a file too, and were left out; "" where its name says whose.

    By plane the files of a folder belong together.
    """
    own = parse_name(volume.name)
    if parse_name(file.name).case == own.case:
        return ""
    names = [(one, parse_name(one.name)) for one in gone if one.parent == volume.parent]
    rivals = [one for one, name in names if (name.role, name.plane) == (VOLUME, own.plane)]
    said = f"now that {listed(rivals, SHOWN)} is left out, it is of {volume}; its name says neither"
    return said if rivals else ""


MANY = 4
"""So many volumes of one folder with masks in one other are trees of images and of labels."""


def _apart(
    file: PurePosixPath, volume: PurePosixPath
) -> tuple[PurePosixPath, PurePosixPath] | None:
    """Return where the folder of a mask by volume is and where its volume; None if side by side.

    Whole trees of images and labels are such pairs too, but of many volumes, or so called.
    """
    ours, theirs = file.parent.parent, volume.parent
    is_beside = theirs in (ours, file.parent) or ours == PurePosixPath()
    is_tree = speaks_of_annotation(file.parent) or says_label(file.parent)
    return None if is_beside or is_tree else (ours, theirs)


MOST_ALIKE = 100
"""Masks that each of a group is held against: of thousands alike no more are looked at."""


@rule("surveys")
def masks_alike(surveys: Iterable[ItemSurvey]) -> Iterator[Finding]:
    """No mask has, label by label, as many voxels in the same box as the mask of another case."""
    groups: defaultdict[tuple[object, ...], dict[PurePosixPath, Item]] = defaultdict(dict)
    for survey in surveys:
        for mask in survey.masks:
            if mask.labels is not None and mask.labels.labels:
                key = (mask.mask.image.shape, *map(_of_label, mask.labels.labels))
                groups[key].setdefault(mask.mask.relative, survey.item)
    for group in groups.values():
        for path, item in group.items() if len(group) > 1 else ():
            some = islice(group.items(), MOST_ALIKE)
            if alike := [other for other, own in some if is_another(item, own)]:
                message = (
                    f"its labels have the number and place of voxels of {listed(alike, SHOWN)}"
                )
                yield finding("masks-alike", path, message)


def _of_label(label: Label) -> tuple[int, ...]:
    return (label.voxels, *(end for side in label.box for end in (side.start, side.stop)))


def is_another(item: Item, other: Item) -> bool:
    """Say whether two volumes are of two cases: of two folders, or of two numbers (no T1, T2)."""
    if item.volume is None or other.volume is None or item is other:
        return False
    if item.folder != other.folder:
        return True
    ours, theirs = (
        {number for at, number in _numbers([own.volume.relative.name]) if not at}
        for own in (item, other)
        if own.volume is not None
    )
    return bool(ours and theirs) and ours.isdisjoint(theirs)
