"""Volumes: the objects of a pair of volumes, each held against its counterpart."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

import numpy as np

from nifti_kit.comparisons.differences import (
    MERGED,
    MOVED,
    NOT_COMPARABLE,
    ONLY_A,
    ONLY_B,
    OTHER_CLASS,
    SCORES,
    SPLIT,
    VOXELS,
    Difference,
    Match,
    ScoreDifference,
    VolumePair,
)
from nifti_kit.comparisons.maps import Drawn, Numbered, common_grid, drawn, shared
from nifti_kit.comparisons.pairing import matched
from nifti_kit.comparisons.sides import Content, SideObject, SideVolume
from nifti_kit.comparisons.surfaces import largest_slice, measured
from nifti_kit.core.geometry import NORMALS, PLANES, Grid, placed_on
from nifti_kit.core.parallel import ahead, cores
from nifti_kit.core.text import counted, listed
from nifti_kit.errors import NiftiKitError, visible
from nifti_kit.formats.labels import MAX_LABEL, Box, common_box
from nifti_kit.plans.plan import entry_text
from nifti_kit.render.layers import blocks
from nifti_kit.render.scene import DIRECTIONS

SHOWN = 4
"""Objects, or slices, that a difference names before it counts the rest."""

MOSTLY = 0.5
"""An object of which more lies in another is a part of that."""

Matching = Callable[[Sequence[SideObject], Sequence[SideObject]], "list[Match]"]
"""Says which objects of a class are one, where that is known before."""


Said = tuple[str, str]
"""What differs: its kind, and words."""


class Compared(NamedTuple):
    """What differs in a pair of volumes, and what of it could not be compared."""

    differences: tuple[Difference, ...]
    missing: tuple[str, ...]


def compared(
    pair: VolumePair,
    classes: Collection[str] | None = None,
    known: Matching | None = None,
    words: tuple[str, str] = ("a", "b"),
) -> Compared:
    """Return what differs between the objects of two volumes that are one.

    In memory are the labels of both, as one number a voxel each.

    ``classes``: the classes to compare; None for all.
    ``known``: which objects are one, where that is known; by their overlap else.
    ``words``: what the two sets are called in words.
    """
    contents = _contents(pair)
    objects = [
        [one for one in content.objects if classes is None or one.class_name in classes]
        for content in contents
    ]
    missing = [
        f"{word}, {line}"
        for word, content in zip(words, contents, strict=True)
        for line in content.missing
    ]
    if not any(objects):
        return Compared((), tuple(missing))
    found = _Volume(pair, (objects[0], objects[1]), known, words)
    return Compared(tuple(found.differences()), tuple(missing))


class _Volume:
    """The objects of both sides of a pair, by their places, and what they share."""

    def __init__(
        self,
        pair: VolumePair,
        objects: tuple[Sequence[SideObject], Sequence[SideObject]],
        known: Matching | None,
        words: tuple[str, str],
    ) -> None:
        self.pair, self.objects, self.known, self.words = pair, objects, known, words
        numbered = _numbered(*objects)
        self.numbers = tuple([one.number for one in side] for side in numbered)
        count = max((number for side in self.numbers for number in side), default=0)
        if count > MAX_LABEL:
            raise NiftiKitError(
                "there are more objects than can be told apart at once",
                path=pair.name,
                found=f"{count:,} objects",
                expected=f"at most {MAX_LABEL:,}",
                remedy="Compare some classes at a time: classes=[...].",
            )
        self.box = common_grid(pair.a.grid, numbered)
        self.grid = pair.a.grid.cropped(self.box)
        self.drawn = _both_drawn(pair, numbered, self.grid, count)
        places = [{number: at for at, number in enumerate(side)} for side in self.numbers]
        common = shared(*self.drawn).items()
        self.shared = {(places[0][n], places[1][m]): count for (n, m), count in common}
        # By an object of each side: those of the other that it shares voxels with, and how many.
        self.across = defaultdict[int, dict[int, int]](dict), defaultdict[int, dict[int, int]](dict)
        for (a, b), voxels in self.shared.items():
            self.across[0][a][b] = self.across[1][b][a] = voxels

    def matches(self) -> Iterator[Match]:
        """Yield which objects are one, class by class."""
        if self.known is not None:
            yield from self.known(*self.objects)
            return
        by_class: dict[str, tuple[list[int], list[int]]] = {}
        for side, objects in enumerate(self.objects):
            for at, one in enumerate(objects):
                by_class.setdefault(one.class_name, ([], []))[side].append(at)
        for ours, theirs in by_class.values():
            yield from matched(ours, theirs, self.shared)

    def differences(self) -> Iterator[Difference]:
        """Yield what differs; objects are measured side by side."""
        with ThreadPoolExecutor(cores()) as pool:
            for found in ahead(pool, self._difference, self.matches(), 2 * cores()):
                if found is not None:
                    yield found

    def _difference(self, match: Match) -> Difference | None:
        """Return how an object differs from its counterpart; None where it is the same."""
        a, b = match
        if faults := self._faults(match):
            return self._told(match, [(NOT_COMPARABLE, fault) for fault in faults])
        if a is None or b is None:
            return self._alone(match)
        said, numbers = self._voxels(a, b)
        one, other = self.objects[0][a], self.objects[1][b]
        if one.class_name != other.class_name:
            said.append((OTHER_CLASS, f"it is {visible(other.class_name)} in {self.words[1]}"))
        scores = tuple(score_differences(one, other, self.pair.a.grid))
        if scores:
            said.append((SCORES, scores_text(scores)))
        if other_custom_data(one.scores) != other_custom_data(other.scores):
            said.append((SCORES, "what else is kept with it (custom data) differs"))
        if not said:
            return None
        return replace(self._told(match, said), scores=scores, **numbers)

    def _told(self, match: Match, said: Sequence[Said]) -> Difference:
        """Return a difference in words, with what is known of the objects without measuring."""
        objects = [
            None if at is None else side[at] for at, side in zip(match, self.objects, strict=True)
        ]
        voxels = [0 if at is None else self._count(side, at) for side, at in enumerate(match)]
        mm3 = [
            0.0 if one is None else count * float(abs(np.linalg.det(one.grid.affine[:3, :3])))
            for one, count in zip(objects, voxels, strict=True)
        ]
        return Difference(
            self.pair.a.name,
            next(one.class_name for one in objects if one is not None),
            (objects[0].name if objects[0] else "", objects[1].name if objects[1] else ""),
            tuple(dict.fromkeys(kind for kind, _ in said)),
            "; ".join(text for _, text in said),
            (voxels[0], voxels[1]),
            (mm3[0], mm3[1]),
            pair=self.pair,
            sources=(objects[0], objects[1]),
        )

    def _count(self, side: int, place: int) -> int:
        """Return how many voxels an object has, also one that was not drawn, where it is known."""
        known = self.drawn[side].voxels.get(self.numbers[side][place])
        source = self.objects[side][place].source
        return known if known is not None else getattr(source, "voxels", 0)

    def _faults(self, match: Match) -> list[str]:
        """Return why an object, or its counterpart, cannot be compared."""
        return [
            f"in {word}: {self.drawn[side].faults[self.numbers[side][at]]}"
            for side, (word, at) in enumerate(zip(self.words, match, strict=True))
            if at is not None and self.numbers[side][at] in self.drawn[side].faults
        ]

    def _voxels(self, a: int, b: int) -> tuple[list[Said], dict[str, Any]]:
        """Return what differs between the voxels of two objects, in words and in numbers."""
        counts = self._count(0, a), self._count(1, b)
        common = self.shared.get((a, b), 0)
        if counts == (common, common):
            return [], {"dice": 1.0}
        if 0 in counts:
            return [(VOXELS, f"it has no voxel in {self.words[counts.index(0)]}")], {"dice": 0.0}
        numbers = self.numbers[0][a], self.numbers[1][b]
        boxes = [drawn.boxes[number] for drawn, number in zip(self.drawn, numbers, strict=True)]
        box = common_box(boxes)
        maps = [drawn.map_of(n)[box] for drawn, n in zip(self.drawn, numbers, strict=True)]
        found = measured(maps[0], maps[1], self.grid.cropped(box), numbers)
        said = [(VOXELS, f"{found.differing:,} of {sum(counts) - common:,} voxels differ")]
        said += self._moved(boxes, numbers)
        said += self._parts(0, a, b) + self._parts(1, b, a)
        said += self._elsewhere(0, a) + self._elsewhere(1, b)
        return said, {
            "dice": found.dice,
            "hd95_mm": found.hd95_mm,
            "mean_mm": found.mean_mm,
            "shift_mm": found.shift_mm,
            "axis": found.axis,
            "slice_index": self._slice(box, found.axis, found.position),
        }

    def _slice(self, box: Box, axis: int, index: int) -> int:
        """Return an index in a box of the grid as a slice of the volume of ``a``."""
        return int(self.box[axis].start + box[axis].start + index)

    def _alone(self, match: Match) -> Difference:
        """Return the difference of an object that is in one set only."""
        side = 0 if match[0] is not None else 1
        place = match[side]
        assert place is not None
        said: list[Said] = [((ONLY_A, ONLY_B)[side], (ONLY_A, ONLY_B)[side])]
        own = self.objects[side][place]
        for at, count in self.across[side].get(place, {}).items():
            other = self.objects[1 - side][at]
            is_part = count > MOSTLY * self._count(side, place)
            if is_part and other.class_name == own.class_name:
                said.append((said[0][0], f"a part of {other.name} of {self.words[1 - side]}"))
        said += self._elsewhere(side, place)
        found = replace(self._told(match, said), dice=0.0)
        number = self.numbers[side][place]
        box = self.drawn[side].boxes[number]
        if not self.drawn[side].voxels[number]:
            return found
        part = self.drawn[side].map_of(number)[box]
        axis, index = largest_slice(part, number, self.grid.cropped(box))
        return replace(found, axis=axis, slice_index=self._slice(box, axis, index))

    def _moved(self, boxes: Sequence[Box], numbers: tuple[int, int]) -> list[Said]:
        """Say by how many voxels an object has moved, where it is the same elsewhere."""
        shapes = [[side.stop - side.start for side in box] for box in boxes]
        if shapes[0] != shapes[1]:
            return []
        maps = [
            drawn.map_of(number)[box]
            for drawn, number, box in zip(self.drawn, numbers, boxes, strict=True)
        ]
        same = all(
            np.array_equal(one == numbers[0], other == numbers[1]) for one, other in blocks(*maps)
        )
        if not same:
            return []
        steps = [b.start - a.start for a, b in zip(*boxes, strict=True)]
        words = [
            f"{counted(abs(step), 'voxel')} to {DIRECTIONS[axis][step < 0]}"
            for axis, step in enumerate(steps)
            if step
        ]
        return [(MOVED, f"the same in another place, {', '.join(words)}")]

    def _parts(self, side: int, place: int, match: int) -> list[Said]:
        """Say which other objects of the other set are parts of one: it was split, or merged."""
        own, others = self.objects[side][place], self.objects[1 - side]
        found = [
            others[at].name
            for at, count in self.across[side].get(place, {}).items()
            if at != match
            and others[at].class_name == own.class_name
            and count > MOSTLY * self._count(1 - side, at)
        ]
        if not found:
            return []
        names = listed([others[match].name, *found], SHOWN)
        count, word = len(found) + 1, self.words[1 - side]
        if side == 0:
            return [(SPLIT, f"split into {count} in {word}: {names}")]
        return [(MERGED, f"merged of {count} in {word}: {names}")]

    def _elsewhere(self, side: int, place: int) -> list[Said]:
        """Say which class all voxels of an object are in the other set, where that is another."""
        own, others = self.objects[side][place], self.objects[1 - side]
        one, two = self.words[side], self.words[1 - side]
        by_class: dict[str, int] = {}
        for at, count in self.across[side].get(place, {}).items():
            name = others[at].class_name
            by_class[name] = by_class.get(name, 0) + count
        return [
            (OTHER_CLASS, f"all its voxels in {one} are {visible(name)} in {two}")
            for name, count in by_class.items()
            if name != own.class_name and count == self._count(side, place)
        ]


def _contents(pair: VolumePair) -> tuple[Content, Content]:
    """Return what both volumes hold; files are surveyed side by side."""
    sides = [pair.a, pair.b]
    with ThreadPoolExecutor(2 if all(one.side.target is None for one in sides) else 1) as pool:
        a, b = pool.map(SideVolume.content, sides)
    return a, b


def _numbered(
    ours: Sequence[SideObject], theirs: Sequence[SideObject]
) -> tuple[list[Numbered], list[Numbered]]:
    """Return the objects with numbers: one for the first of a class of each set, and so on.

    Objects of one number are most often the same, and what is the same needs no counting.
    """
    numbers: dict[tuple[str, int], int] = {}
    found: tuple[list[Numbered], list[Numbered]] = ([], [])
    for side, objects in zip(found, (ours, theirs), strict=True):
        met: Counter[str] = Counter()
        for place, one in enumerate(objects):
            key = (one.class_name, met[one.class_name])
            met[one.class_name] += 1
            side.append(Numbered(place, numbers.setdefault(key, len(numbers) + 1), one))
    return found


def _both_drawn(
    pair: VolumePair, sides: Sequence[Sequence[Numbered]], grid: Grid, count: int
) -> tuple[Drawn, Drawn]:
    """Return the objects of both sets on a grid; they are read side by side."""
    with ThreadPoolExecutor(2) as pool:
        ours, theirs = (
            pool.submit(drawn, objects, grid, count, volume.side.target)
            for objects, volume in zip(sides, (pair.a, pair.b), strict=True)
        )
        return ours.result(), theirs.result()


# Scores, slice by slice

_PLANES = {normal: PLANES[plane] for plane, normal in NORMALS.items()}
"""The RAS+ axis of each plane, by the platform's name of it."""

Entry = dict[str, "str | None"]


def score_differences(a: SideObject, b: SideObject, whole: Grid) -> Iterator[ScoreDifference]:
    """Yield the slices whose scores or comments differ, as slices of a grid in RAS+ order."""
    ours, theirs = (_placed_scores(one, whole) for one in (a, b))
    for plane, index in sorted(ours.keys() | theirs.keys()):
        own, other = ours.get((plane, index)), theirs.get((plane, index))
        if plain_score(own) != plain_score(other):
            yield ScoreDifference(plane, index, own, other)


def _entries(scores: Mapping[str, Any]) -> Iterator[tuple[str, str, Entry]]:
    """Yield plane, slice and entry of what is a score; others keep other things there too."""
    for plane, slices in scores.items():
        if plane in _PLANES and isinstance(slices, dict):
            for text, entry in slices.items():
                if text.isdecimal() and isinstance(entry, dict):
                    yield plane, text, entry


def other_custom_data(scores: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    """Return what of a figure's custom data is the score of no slice, by its keys."""
    own = {(plane, text) for plane, text, _ in _entries(scores)}
    return {
        (name, key): what
        for name, kept in scores.items()
        for key, what in (kept.items() if isinstance(kept, dict) else [("", kept)])
        if (name, key) not in own
    }


def _placed_scores(found: SideObject, whole: Grid) -> dict[tuple[str, int], Entry]:
    """Return scores by plane and slice of a grid; those of another lattice stay as they are."""
    place = placed_on(found.grid, whole) if found.scores else None
    placed: dict[tuple[str, int], Entry] = {}
    for plane, text, entry in _entries(found.scores):
        index, name = int(text), plane
        if place is not None:
            new = place.orientation.axes.index(_PLANES[plane])
            if place.orientation.flips[new]:
                index = place.shape[new] - 1 - index
            index += place.first[new]
            name = next(one for one, at in _PLANES.items() if at == new)
        placed[name, index] = entry
    return placed


def plain_score(entry: Entry | None) -> tuple[object, ...]:
    """Return what an entry says: 0.8 and 0.80 are one score, and nothing is no entry."""
    if entry is None:
        return None, None, {}
    others = {name: what for name, what in entry.items() if name not in ("score", "comment")}
    return _number(entry.get("score")), entry.get("comment") or None, others


def _number(score: object) -> object:
    """Return a score as a number; what is none stays as it is, NaN too, which equals nothing."""
    try:
        number = Decimal(str(score))
    except InvalidOperation:
        return score
    return number if number.is_finite() else str(score)


def scores_text(scores: Sequence[ScoreDifference]) -> str:
    """Return which slices have other scores, in words."""
    names = {normal: plane for plane, normal in NORMALS.items()}
    shown = [
        f"{names.get(one.plane, one.plane)} slice {one.slice_index}: "
        f"{entry_text(one.a)} -> {entry_text(one.b)}"
        for one in scores[:SHOWN]
    ]
    return f"scores differ on {counted(len(scores), 'slice')}: " + listed(
        shown, SHOWN, count=len(scores)
    )
