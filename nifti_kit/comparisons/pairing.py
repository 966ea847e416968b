"""Pairing: which volume of one set is which of another, and which object is which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from nifti_kit.comparisons.differences import Match, VolumePair
from nifti_kit.comparisons.sides import SideVolume
from nifti_kit.core.geometry import Grid, lattice_orientation, placed_on
from nifti_kit.core.text import listed
from nifti_kit.datasets.names import stem
from nifti_kit.targets.records import VolumeRef

SHOWN = 4
"""Volumes that a line names before it counts the rest."""

RESAMPLE = (
    "nk.repairs.resample brings a mask onto the grid of its volume; which of the two grids is "
    "right, only a person can say"
)


class Paired(NamedTuple):
    """Which volumes are one, which are in one set only, and what could not be decided."""

    pairs: tuple[VolumePair, ...]
    only_a: tuple[SideVolume, ...]
    only_b: tuple[SideVolume, ...]
    undecided: tuple[str, ...]


def paired(ours: Sequence[SideVolume], theirs: Sequence[SideVolume]) -> Paired:
    """Return which volumes of two sets are one: by their voxels in space, then by name.

    Those that alone have their grid in both sets are one, whatever they are called. Of several on
    one grid those of one name are. What is left may be a part of another: on the same lattice, and
    meeting it. All else is undecided, and said in words.
    """
    found = _Pairing(ours, theirs)
    found.by_grid()
    found.by_lattice()
    return found.result()


class _Pairing:
    def __init__(self, ours: Sequence[SideVolume], theirs: Sequence[SideVolume]) -> None:
        self.free = (list(ours), list(theirs))
        self.pairs: list[VolumePair] = []
        self.undecided: list[str] = []

    def result(self) -> Paired:
        only_a, only_b = (tuple(free) for free in self.free)
        return Paired(tuple(self.pairs), only_a, only_b, tuple(self.undecided))

    def _take(self, a: SideVolume, b: SideVolume, rule: str) -> None:
        self.pairs.append(VolumePair(a, b, rule))
        self.free[0].remove(a)
        self.free[1].remove(b)

    def _leave(self, some: Sequence[SideVolume], others: Sequence[SideVolume], why: str) -> None:
        names = [listed((repr(one.name) for one in group), SHOWN) for group in (some, others)]
        self.undecided.append(f"{names[0]} of a, {names[1]} of b: {why}")
        for free, group in zip(self.free, (some, others), strict=True):
            free[:] = [one for one in free if one not in group]

    def by_grid(self) -> None:
        """Pair what has the same voxels in space."""
        for ours, theirs in _groups(*self.free):
            if len(ours) == len(theirs) == 1:
                self._take(ours[0], theirs[0], "grid")
                continue
            for name in (_full, _bare):
                for a, b in _same_names(ours, theirs, name):
                    ours.remove(a)
                    theirs.remove(b)
                    self._take(a, b, "grid and name")
            if ours and theirs:
                self._leave(ours, theirs, "they have one grid and other names")

    def by_lattice(self) -> None:
        """Pair what is a part of the other; a name that both sets have decides first."""
        named = [pair for name in (_full, _bare) for pair in _same_names(*self.free, name)]
        for a, b in dict.fromkeys(named):
            if _meet(a.grid, b.grid):
                self._take(a, b, "lattice")
            else:
                self._leave([a], [b], f"one name on two grids that cannot be compared; {RESAMPLE}")
        near = {a: [b for b in self.free[1] if _meet(a.grid, b.grid)] for a in self.free[0]}
        wanted = Counter(b for found in near.values() for b in found)
        for a, found in near.items():
            if len(found) == 1 and wanted[found[0]] == 1:
                self._take(a, found[0], "lattice")
            elif found:
                there = [b for b in found if b in self.free[1]]
                self._leave(
                    [a], there or found, "parts of one lattice, and it is not clear of which"
                )


Naming = Callable[[SideVolume], str]


def _same_names(
    ours: Sequence[SideVolume], theirs: Sequence[SideVolume], naming: Naming
) -> list[tuple[SideVolume, SideVolume]]:
    """Return the volumes whose name each of two sets has once."""
    named = [_once(group, naming) for group in (ours, theirs)]
    return [(a, named[1][name]) for name, a in named[0].items() if name in named[1]]


def _once(volumes: Iterable[SideVolume], naming: Naming) -> dict[str, SideVolume]:
    found = list(volumes)
    counts = Counter(map(naming, found))
    return {naming(one): one for one in found if counts[naming(one)] == 1}


def _bare(volume: SideVolume) -> str:
    """Return a volume's name without the ending of its file."""
    return stem(volume.name)


def _full(volume: SideVolume) -> str:
    """Return the same behind the name of its dataset: two datasets may have one name."""
    dataset = volume.source.dataset if isinstance(volume.source, VolumeRef) else ""
    return f"{dataset}/{_bare(volume)}"


def _groups(
    ours: Iterable[SideVolume], theirs: Iterable[SideVolume]
) -> list[tuple[list[SideVolume], list[SideVolume]]]:
    """Return the volumes that have the same voxels in space, of two sets."""
    groups: list[tuple[Grid, tuple[list[SideVolume], list[SideVolume]]]] = []
    near: dict[tuple[int, ...], list[int]] = {}
    for number, volumes in enumerate((ours, theirs)):
        for one in volumes:
            cell = _cell(one.grid)
            beside = product(*((at - 1, at, at + 1) for at in cell))
            seen = {at for other in beside for at in near.get(other, ())}
            same = (n for n in sorted(seen) if lattice_orientation(one.grid, groups[n][0]))
            at = next(same, len(groups))
            if at == len(groups):
                groups.append((one.grid, ([], [])))
                near.setdefault(cell, []).append(at)
            groups[at][1][number].append(one)
    return [found for _, found in groups]


def _cell(grid: Grid) -> tuple[int, ...]:
    """Return where the middle of a grid is, in whole voxels of its shortest side."""
    middle = grid.world((np.array(grid.shape) - 1) / 2)
    i, j, k = (int(at) for at in np.floor(middle))
    return i, j, k


def _meet(grid: Grid, other: Grid) -> bool:
    """Say whether two grids are of one lattice, and have a voxel in common."""
    place = placed_on(grid, other)
    if place is None:
        return False
    sides = zip(place.first, place.shape, other.shape, strict=True)
    return all(at < size and at + length > 0 for at, length, size in sides)


# Objects of one volume: one to one, by the voxels that they have in common

Overlaps = Mapping[tuple[int, int], int]
"""How many voxels an object of ``a`` and one of ``b`` have in common, by their places (from 0)."""


def matched(ours: Sequence[int], theirs: Sequence[int], overlaps: Overlaps) -> list[Match]:
    """Return which objects of a class are one: the largest overlap first, each once.

    Where each set has one object of the class it is that, wherever it lies.
    """
    if len(ours) == len(theirs) == 1:
        return [(ours[0], theirs[0])]
    among = ((a, b) for a in ours for b in theirs if overlaps.get((a, b)))
    ordered = sorted(among, key=lambda pair: (-overlaps[pair], pair))
    taken: dict[int, int] = {}
    gone: set[int] = set()
    for a, b in ordered:
        if a not in taken and b not in gone:
            taken[a] = b
            gone.add(b)
    found: list[Match] = [(a, taken.get(a)) for a in ours]
    return found + [(None, b) for b in theirs if b not in gone]
