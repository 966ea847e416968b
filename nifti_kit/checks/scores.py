"""Rules about whether the layers of score tables fit the labels: a closer look."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from nifti_kit.core.findings import Finding, finding
from nifti_kit.core.geometry import plane_axis
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.surveys import ItemSurvey, TableSurvey
from nifti_kit.formats.components import ShapeSurvey
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.formats.scores import in_ranges

SHOWN_LAYERS = 12
"""Layers and ranges of layers that a message lists before it counts the rest."""

MIN_MISSES = 2
"""One score beside its label may be a slip of the pen; two are worth another reading."""

MOST_LEFT = 0.25
"""Another reading explains the misses if it leaves a quarter of them at most."""

EXACT_FIT_SCORES = 3
"""So many scores on exactly the slices of their labels are no accident: then one miss is enough.
(A single label that is scored throughout and read one layer off has one miss.)"""

Shapes = Callable[[ImageFile], ShapeSurvey | None]
Target = tuple[int, int]


class _Column(NamedTuple):
    """A column of a table against its label; frames count from 1 along the slice axis."""

    value: int
    scored: frozenset[int]
    """Frames with a score other than 0: tables of the exporter are filled up with 0."""
    known: frozenset[int]
    """Frames with any score, in any table of the item."""
    present: frozenset[int]
    """Frames in which the label has a voxel."""
    frames: int


class _Reading(NamedTuple):
    """Another way to count the layers of a table."""

    code: str
    how: str
    place: Callable[[int, _Column], int]


def score_evidence(dataset: Dataset, survey: ItemSurvey, shapes: Shapes) -> Iterator[Finding]:
    """The scores of a table are on the slices of their labels, and on all of them.

    A score of 0 on a slice without its label says nothing wrong, and is no evidence.

    Parameters
    ----------
    survey
        The survey of an item of ``dataset``.
    shapes
        Gives the profiles of a label file; None where it cannot be read.
    """
    known = _scored_frames(survey)
    for table in survey.tables:
        columns = list(_columns(survey, table, shapes, known))
        for column in columns:
            yield from _empty_slices(table, column)
            yield from _missing_slices(table, column)
        yield from _other_readings(table, columns, dataset.score_base)


def _scored_frames(survey: ItemSurvey) -> dict[Target, set[int]]:
    """Return the frames with a score of everything that any table of the item scores."""
    frames: defaultdict[Target, set[int]] = defaultdict(set)
    for table in survey.tables:
        for score in table.read:
            if score.score is not None:
                for target in table.targets.get(score.value, ()):
                    frames[target].add(score.frame)
    return frames


def _columns(
    survey: ItemSurvey, table: TableSurvey, shapes: Shapes, known: dict[Target, set[int]]
) -> Iterator[_Column]:
    """Yield the columns that score something whose profile is known."""
    scored: defaultdict[int, set[int]] = defaultdict(set)
    for score in table.read:
        if score.score is not None and Decimal(score.score) != 0:
            scored[score.value].add(score.frame)
    for value, targets in table.targets.items():
        profiles = [_present(survey, target, shapes) for target in targets]
        seen = [profile for profile in profiles if profile is not None]
        if seen and len(seen) == len(profiles):
            present = frozenset[int]().union(*(frames for frames, _ in seen))
            every = frozenset[int]().union(*(known.get(target, ()) for target in targets))
            count = max(count for _, count in seen)
            yield _Column(value, frozenset(scored[value]), every, present, count)


def _present(
    survey: ItemSurvey, target: Target, shapes: Shapes
) -> tuple[frozenset[int], int] | None:
    """Return the frames (from 1) in which a label has voxels, and how many frames there are."""
    position, pixel = target
    mask, plane = survey.masks[position], survey.item.plane
    found = shapes(mask.mask.image)
    if plane is None or mask.orientation is None or found is None or pixel not in found.profiles:
        return None
    axis, _ = plane_axis(mask.mask.grid, plane, mask.orientation)
    profile = found.profiles[pixel][axis]
    return frozenset((np.flatnonzero(profile) + 1).tolist()), len(profile)


def _layers(table: TableSurvey, frames: frozenset[int]) -> str:
    return in_ranges((frame - 1 + table.read.base for frame in frames), SHOWN_LAYERS)


def _empty_slices(table: TableSurvey, column: _Column) -> Iterator[Finding]:
    """A label has voxels on every layer on which it is scored."""
    inside = frozenset(frame for frame in column.scored if frame <= column.frames)
    empty = inside - column.present
    if empty:
        message = (
            f"Label-{column.value}: {len(empty)} of {len(inside)} scored layers have no voxel of "
            f"it: {_layers(table, empty)}"
        )
        yield finding("scores-slice-empty", table.table.relative, message)


def _missing_slices(table: TableSurvey, column: _Column) -> Iterator[Finding]:
    """A label that is scored has a score on every layer on which it has voxels."""
    missing = column.present - column.known
    if missing and column.known:
        message = (
            f"Label-{column.value}: {len(missing)} of {len(column.present)} layers with voxels of "
            f"it have no score: {_layers(table, missing)}"
        )
        yield finding("scores-slice-missing", table.table.relative, message)


def _other_readings(table: TableSurvey, columns: list[_Column], base: int) -> Iterator[Finding]:
    """The layers of a table fit the labels no better when they are counted otherwise."""
    step = 1 if base == 1 else -1
    readings = (
        _Reading("scores-base-suspect", f"from {1 - base}", lambda frame, _: frame + step),
        _Reading(
            "scores-reversed-suspect",
            "from the last frame",
            lambda frame, column: column.frames + 1 - frame,
        ),
    )
    total = sum(len(column.scored) for column in columns)
    as_read = _misses(columns, lambda frame, _: frame)
    better = {
        reading: _misses(columns, reading.place)
        for reading in readings
        if _explains(columns, reading, as_read, total)
    }
    best = [reading for reading in better if better[reading] == min(better.values())]
    for reading in best:
        others = "".join(f"; as many if {r.how}" for r in best if r is not reading)
        message = (
            f"{as_read} of {total} scores are on slices without their label; if layers counted "
            f"{reading.how}: {better[reading]} of {total}{others}"
        )
        yield finding(reading.code, table.table.relative, message)


def _misses(columns: list[_Column], place: Callable[[int, _Column], int]) -> int:
    """Return how many scores are on slices without their label."""
    return sum(place(f, column) not in column.present for column in columns for f in column.scored)


def _explains(columns: list[_Column], reading: _Reading, as_read: int, total: int) -> bool:
    """Say whether another reading leaves few of the misses, or none and no slice without score."""
    left = _misses(columns, reading.place)
    if as_read >= MIN_MISSES and left <= as_read * MOST_LEFT:
        return True
    return (as_read > 0 and total >= EXACT_FIT_SCORES) and all(
        {reading.place(frame, column) for frame in column.scored} == column.present
        for column in columns
        if column.scored
    )
