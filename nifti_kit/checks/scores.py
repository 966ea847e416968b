"""Rules about whether the layers of score tables fit the labels: a closer look."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nifti_kit.checks.classes import is_below_exported_map
from nifti_kit.checks.rules import rule
from nifti_kit.core.findings import Finding, finding
from nifti_kit.core.geometry import plane_axis
from nifti_kit.core.text import counted, listed
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.surveys import ItemSurvey, TableSurvey
from nifti_kit.formats.components import Profiles, ShapeSurvey
from nifti_kit.formats.labels import Label
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

FROM_ZERO = "read as counting from 0"
"""What :func:`nifti_kit.repairs.rebase_layers` says of a table that it did so with."""

FILLED = "0.0"
"""What the platform's exporter writes where there is no score."""

Shapes = Callable[[ImageFile], ShapeSurvey | None]
Target = tuple[int, int]
Profile = npt.NDArray[np.int64]


class LabelScores(NamedTuple):
    """A column of a table against its label; frames count from 1 along the slice axis."""

    value: int  # what the column names
    # Frames with a score other than 0: tables of the exporter are filled up with 0.
    scored: frozenset[int]
    known: frozenset[int]  # frames with any score, in any table of the item
    voxels: Profile  # how many voxels the label has on each frame

    @property
    def present(self) -> frozenset[int]:
        """Frames in which the label has a voxel."""
        return frozenset((np.flatnonzero(self.voxels) + 1).tolist())

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return len(self.voxels)

    @property
    def empty(self) -> frozenset[int]:
        """Frames that are scored and have no voxel of the label."""
        return frozenset(f for f in self.scored if f <= self.frames) - self.present

    @property
    def missing(self) -> frozenset[int]:
        """Frames with voxels of the label and no score; none where nothing is scored."""
        return self.present - self.known if self.known else frozenset()


class _Reading(NamedTuple):
    """Another way to count the layers of a table."""

    code: str
    how: str
    place: Callable[[int, LabelScores], int]


def score_evidence(survey: ItemSurvey, shapes: Shapes) -> Iterator[Finding]:
    """The scores of a table are on the slices of their labels, and on all of them.

    A score of 0 on a slice without its label says nothing wrong, and is no evidence.

    ``shapes``: gives the profiles of a label file; None where it cannot be read.
    """
    for table in survey.tables:
        columns = list(label_scores(survey, table, shapes))
        for column in columns:
            yield from _empty_slices(table, column)
            yield from _missing_slices(table, column)
        yield from other_readings(table, columns)


def boxed_evidence(survey: ItemSurvey) -> Iterator[Finding]:
    """Yield what :func:`score_evidence` would where each label fills its box: nothing is read."""
    if survey.tables:
        yield from score_evidence(survey, _boxes(survey))


def _boxes(survey: ItemSurvey) -> Shapes:
    """Return what gives the profiles of a label file whose labels fill their boxes."""

    def boxed(image: ImageFile) -> ShapeSurvey | None:
        own = next((one.labels for one in survey.masks if one.mask.image == image), None)
        if own is None:
            return None
        return ShapeSurvey({one.value: _boxed(one, image.shape) for one in own.labels}, {}, 1.0)

    return boxed


@rule("dataset", "surveys")
def bases_mixed(dataset: Dataset, surveys: Sequence[ItemSurvey]) -> Iterator[Finding]:
    """Where layers of some tables count from 0, those of the others are known to count from 1.

    A table whose scores are on their labels either way says nothing of it.
    """
    anew = {one.relative for one in dataset.mended if FROM_ZERO in one.what}
    tables = [(survey, table) for survey in surveys for table in survey.tables]
    zero = {table.table.relative for survey, table in tables if _has_zero(survey, table)} | anew
    for survey, table in tables if zero else ():
        columns = list(label_scores(survey, table, _boxes(survey)))
        step = 1 if table.read.base == 1 else -1
        frames = [(one, frame) for one in columns for frame in one.scored]
        fit = all({frame, frame + step} <= one.present for one, frame in frames)
        if frames and fit and table.table.relative not in zero:
            base = table.read.base
            message = (
                f"layers of {listed(sorted(zero), 1)} count from 0; these are read as counting "
                f"from {base}, and fit their labels as well from {1 - base}"
            )
            yield finding("scores-base-suspect", table.table.relative, message)


def _has_zero(survey: ItemSurvey, table: TableSurvey) -> bool:
    """Say whether a table has a Layer 0, which no table has that counts from 1."""
    path = str(table.table.relative)
    found = any((f.code, f.path) == ("scores-layer-zero", path) for f in survey.score_findings)
    return found or (table.read.base == 0 and any(score.frame == 1 for score in table.read))


def _boxed(label: Label, shape: tuple[int, ...]) -> Profiles:
    i, j, k = (np.zeros(length, np.int64) for length in shape)
    for line, side in zip((i, j, k), label.box, strict=True):
        line[side] = 1
    return i, j, k


def _scored_frames(survey: ItemSurvey) -> dict[Target, set[int]]:
    """Return the frames with a score of everything that any table of the item scores."""
    frames: defaultdict[Target, set[int]] = defaultdict(set)
    for table in survey.tables:
        for score in table.read:
            if score.score is not None:
                for target in table.targets.get(score.value, ()):
                    frames[target].add(score.frame)
    return frames


def label_scores(survey: ItemSurvey, table: TableSurvey, shapes: Shapes) -> Iterator[LabelScores]:
    """Yield the columns of a table that score something whose profile is known.

    ``shapes``: gives the profiles of a label file; None where it cannot be read.
    """
    known = _scored_frames(survey)
    scored: defaultdict[int, set[int]] = defaultdict(set)
    for score in table.read:
        if score.score is not None and Decimal(score.score) != 0:
            scored[score.value].add(score.frame)
    for value, targets in table.targets.items():
        voxels = label_profile(survey, targets, shapes)
        if voxels is not None:
            every = frozenset[int]().union(*(known.get(target, ()) for target in targets))
            yield LabelScores(value, frozenset(scored[value]), every, voxels)


def label_profile(survey: ItemSurvey, targets: Sequence[Target], shapes: Shapes) -> Profile | None:
    """Return the voxels on each frame of all that a column scores; None where not all are known.

    ``targets``: (position of the mask in the item, pixel value), as ``targets_of`` gives them.
    ``shapes``: gives the profiles of a label file; None where it cannot be read.
    """
    plane, profiles = survey.item.plane, []
    for position, pixel in targets:
        mask = survey.masks[position]
        found = shapes(mask.mask.image)
        usable = plane is not None and mask.orientation is not None
        if not usable or found is None or pixel not in found.profiles:
            return None
        assert plane is not None
        axis, _ = plane_axis(mask.mask.grid, plane, mask.orientation)
        profiles.append(found.profiles[pixel][axis])
    if len({len(profile) for profile in profiles}) != 1:
        return None
    summed: Profile = np.sum(profiles, axis=0)
    return summed


def _layers(table: TableSurvey, frames: frozenset[int]) -> str:
    return in_ranges((frame - 1 + table.read.base for frame in frames), SHOWN_LAYERS)


def _empty_slices(table: TableSurvey, column: LabelScores) -> Iterator[Finding]:
    """A label has voxels on every layer on which it is scored."""
    if column.empty:
        inside = sum(frame <= column.frames for frame in column.scored)
        message = (
            f"Label-{column.value}: {len(column.empty)} of {inside} scored layers have no voxel of "
            f"it: {_layers(table, column.empty)}"
        )
        yield finding("scores-slice-empty", table.table.relative, message)


def _missing_slices(table: TableSurvey, column: LabelScores) -> Iterator[Finding]:
    """A label that is scored has a score on every layer on which it has voxels."""
    if column.missing:
        message = (
            f"Label-{column.value}: {len(column.missing)} of {len(column.present)} layers with "
            f"voxels of it have no score: {_layers(table, column.missing)}"
        )
        yield finding("scores-slice-missing", table.table.relative, message)


def other_readings(table: TableSurvey, columns: list[LabelScores]) -> Iterator[Finding]:
    """The layers of a table fit the labels no better when they are counted otherwise."""
    base = table.read.base
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


def _misses(columns: list[LabelScores], place: Callable[[int, LabelScores], int]) -> int:
    """Return how many scores are on slices without their label."""
    return sum(place(f, column) not in column.present for column in columns for f in column.scored)


def _explains(columns: list[LabelScores], reading: _Reading, as_read: int, total: int) -> bool:
    """Say whether another reading leaves few of the misses, or none and no slice without score."""
    left = _misses(columns, reading.place)
    if as_read >= MIN_MISSES and left <= as_read * MOST_LEFT:
        return True
    return (as_read > 0 and total >= EXACT_FIT_SCORES) and all(
        {reading.place(frame, column) for frame in column.scored} == column.present
        for column in columns
        if column.scored
    )


# Tables of the platform's exporter, whose layers count from 0


@rule("dataset", "survey")
def base_unsaid(dataset: Dataset, survey: ItemSurvey) -> Iterator[Finding]:
    """A table that may be one of the exporter is read with the base that a person said.

    It may be one where it has the exporter's form (``ScoreTable.exported``) and something else of
    it: a Layer 0, blanks filled with 0.0, or the exporter's class map above its folder. Where its
    scores are on their labels only if layers count from 1, it is none; where they are on them
    only if layers count from 0, the form is enough.
    """
    if dataset.choices.score_base is not None:
        return
    for table in survey.tables:
        if table.table.content is not None:  # what a repair wrote counts from 1
            continue
        zero = any(fault.code == "scores-layer-zero" for fault in table.read.faults)
        extents = dict(_extents(survey, table))
        from_1, from_0 = (_beside(table, extents, step) for step in (0, 1))
        is_filled = any(score.written == FILLED for score in table.read)
        signed = is_filled or _has_map_above(dataset, survey, table)
        exported = signed and from_1 >= from_0
        fits_0 = from_0 == 0 and from_1 >= MIN_MISSES
        if table.read.exported and (zero or exported or fits_0):
            form = "it is written as by the platform's exporter" + ", with a Layer 0" * zero
            total = counted(sum(score.value in extents for score in table.read), "score")
            message = (
                f"{form}, which counts from 0: of {total}, {from_0} would be beside their "
                f"label if layers count from 0, {from_1} if from 1"
            )
            yield finding("scores-base-unsaid", table.table.relative, message)


def _has_map_above(dataset: Dataset, survey: ItemSurvey, table: TableSurvey) -> bool:
    """Say whether a table lies as the exporter lays it: below its class map, beside RAS masks."""
    if not is_below_exported_map(dataset, table.table.relative):
        return False
    grids = [mask.mask.grid for mask in survey.masks]
    return all(not grid.problem and grid.axis_codes == "RAS" for grid in grids)


def _extents(survey: ItemSurvey, table: TableSurvey) -> Iterator[tuple[int, list[range]]]:
    """Yield the frames from the first to the last of what each column scores."""
    for value, targets in table.targets.items():
        found = [_extent(survey, target) for target in targets]
        known = [frames for frames in found if frames is not None]
        if known and len(known) == len(found):
            yield value, known


def _extent(survey: ItemSurvey, target: Target) -> range | None:
    mask, plane = survey.masks[target[0]], survey.item.plane
    if plane is None or mask.orientation is None or mask.labels is None:
        return None
    axis, _ = plane_axis(mask.mask.grid, plane, mask.orientation)
    box = next(label.box for label in mask.labels.labels if label.value == target[1])
    return range(box[axis].start + 1, box[axis].stop + 1)


def _beside(table: TableSurvey, extents: dict[int, list[range]], step: int) -> int:
    """Return how many scores are beside their label, if each frame is ``step`` more."""
    return sum(
        not any(score.frame + step in frames for frames in extents[score.value])
        for score in table.read
        if score.score is not None and Decimal(score.score) != 0 and score.value in extents
    )
