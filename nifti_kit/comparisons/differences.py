"""Differences: what two annotation sets do not have in common, object by object."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from nifti_kit.comparisons.sides import SideObject, SideVolume

VOXELS, SCORES, FACTS = "voxels", "scores", "class"
ONLY_A, ONLY_B = "only in a", "only in b"
MOVED, SPLIT, MERGED, OTHER_CLASS = "moved", "split", "merged", "other class"
NOT_COMPARABLE = "not comparable"


Match = tuple["int | None", "int | None"]
"""An object of ``a`` and one of ``b``, by their places (from 0); None where there is none."""


Sources = tuple["SideObject | None", "SideObject | None"]
"""The same, the objects themselves."""


@dataclass(frozen=True, eq=False)
class VolumePair:
    """A volume of ``a``, and which one of ``b`` it is."""

    # The two volumes; each has ``name``, ``grid`` (RAS+ mm) and ``image``, where its grey values
    # are (None where a set has masks alone).
    a: SideVolume
    b: SideVolume
    # Why they are one: ``grid`` (the only ones with these voxels), ``grid and name``, ``lattice``
    # (parts of one lattice that meet), or ``id``.
    rule: str

    @property
    def name(self) -> str:
        """What it is called: its name in ``a``."""
        return self.a.name


class ScoreDifference(NamedTuple):
    """A slice whose score or comment differs."""

    plane: str  # ``0-0-1`` (axial), ``0-1-0`` (coronal) or ``1-0-0`` (sagittal)
    slice_index: int  # the RAS+ slice (from 0) of the volume of ``a``
    # ``{"score": "0.80", "comment": None}`` each; None where there is none.
    a: dict[str, str | None] | None
    b: dict[str, str | None] | None


@dataclass(frozen=True)
class Difference:
    """An object, class or volume that is not the same in two annotation sets."""

    # The volume's name in ``a``, or in ``b`` where it is only there; empty for a class as such.
    volume: str
    class_name: str  # the class; empty for a volume as such
    # Which object it is in ``a`` and in ``b``: ``value 3`` of a file, ``id 14`` of a target; empty
    # where there is none.
    objects: tuple[str, str]
    # What differs: ``voxels``, ``moved``, ``only in a``, ``only in b``, ``split``, ``merged``,
    # ``other class``, ``scores``, ``class`` (its colour or description), ``tags``, ``figure``,
    # ``not comparable``.
    kinds: tuple[str, ...]
    what: str  # the same in words
    # How many voxels it has in ``a`` and in ``b``, and what they fill (mm³).
    voxels: tuple[int, int] = (0, 0)
    mm3: tuple[float, float] = (0.0, 0.0)
    # Dice's coefficient, ``2 |A & B| / (|A| + |B|)``: 0 to 1; None where nothing was compared.
    dice: float | None = None
    # The 95th percentile and the mean of the distances between the surfaces (mm); see
    # :func:`nifti_kit.comparisons.surfaces.measured`. None where it is in one only.
    hd95_mm: float | None = None
    mean_mm: float | None = None
    shift_mm: float | None = None  # how far apart the centroids are (mm)
    scores: tuple[ScoreDifference, ...] = ()  # the slices whose scores or comments differ
    # The worst place: the RAS+ axis (0 sagittal, 1 coronal, 2 axial slices) and the slice (from 0)
    # of the volume of ``a`` with the largest area that differs (mm²). None where no voxel was
    # compared, or differs.
    axis: int | None = None
    slice_index: int | None = None
    # The two volumes; None where there are not two.
    pair: VolumePair | None = field(default=None, repr=False, compare=False)
    # The objects of ``a`` and ``b``, from which masks are read to be drawn.
    sources: Sources = field(default=(None, None), repr=False, compare=False)


def worst_first(differences: Sequence[Difference]) -> tuple[Difference, ...]:
    """Return differences in order: what is not comparable, the lowest Dice, the farthest surface.

    Volumes and classes as such, which have no Dice, come first and last.
    """
    return tuple(sorted(differences, key=_badness))


def _badness(found: Difference) -> tuple[int, float, float, str, str]:
    last = 2 if found.kinds == (FACTS,) else 1
    rank = 0 if found.dice is None and last == 1 else last
    dice = 1.0 if found.dice is None else found.dice
    far = -math.inf if found.hd95_mm is None else -found.hd95_mm
    return rank, dice, far, found.volume, found.class_name
