"""References: what a score table is held against: the masks' labels, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import frame_to_slice, plane_axis
from nifti_kit.datasets.dataset import Dataset, rescan
from nifti_kit.datasets.items import Item, TableFile
from nifti_kit.datasets.scanning import Mended
from nifti_kit.datasets.surveys import ItemSurvey, MaskSurvey, survey_item
from nifti_kit.formats.components import ShapeSurvey
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.formats.scores.cells import csv_text
from nifti_kit.widgets.viewer.images import chosen_item

__all__ = ["Reference", "reference_of"]

Shapes = Callable[[ImageFile], ShapeSurvey | None]
Target = tuple[int, int]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Reference:
    """What a score table is held against.

    Attributes
    ----------
    item, table
        Its item, and its file.
    survey
        What the item's files hold.
    targets
        For each value that a column may name: (position of the mask in the item, pixel value) of
        everything that it scores. Empty for a table without masks.
    voxels
        For each of these values its voxels on every frame; values whose masks cannot be read are
        not in it.
    slices
        For each frame of the file the RAS+ slice (from 0) that it becomes.
    names
        Class names by value.
    others
        For each value the frames that other tables of the item score.
    """

    item: Item
    table: TableFile
    survey: ItemSurvey
    targets: dict[int, list[Target]]
    voxels: dict[int, Counts]
    slices: tuple[int, ...]
    names: dict[int, str]
    others: dict[int, frozenset[int]]

    @property
    def count(self) -> int | None:
        """How many frames the masks have; None where nothing says it."""
        return len(self.slices) or None

    @property
    def has_masks(self) -> bool:
        """Whether there is a mask that says which labels there are."""
        return bool(self.targets)

    @property
    def by_class(self) -> bool:
        """Whether columns name the class index of annotation files, not a pixel value."""
        return any(found.code == "scores-by-class" for found in self._findings)

    @property
    def _findings(self) -> Iterable[Any]:
        path = str(self.table.relative)
        return (found for found in self.survey.score_findings if found.path == path)

    def slice_of(self, frame: int | None) -> int | None:
        """Return the RAS+ slice (from 0) of a frame (from 1); None where there is no such frame."""
        if frame is None or not 1 <= frame <= len(self.slices):
            return None
        return self.slices[frame - 1]

    def voxels_at(self, value: int, frame: int | None) -> int | None:
        """Return how many voxels a label has on a frame; None where that is not known."""
        if value not in self.voxels or frame is None or frame > len(self.voxels[value]):
            return None
        return int(self.voxels[value][frame - 1])


def reference_of(dataset: Dataset, item: Item, table: TableFile, shapes: Shapes) -> Reference:
    """Return what a table of an item is held against; its masks are read, each once.

    Parameters
    ----------
    shapes
        Gives the profiles of a label file; None where it cannot be read.
    """
    survey, targets = _targets(dataset, item, table)
    scored = {target for found in targets.values() for target in found}
    profiles = {target: _profile(survey, target, shapes) for target in sorted(scored)}
    masks = [survey.masks[at] for at in sorted({at for at, _ in scored})] or list(survey.masks)
    return Reference(
        item,
        table,
        survey,
        targets,
        _summed(targets, profiles),
        _slices(masks, item.plane),
        _names(dataset, survey, targets),
        _others(survey, table, targets),
    )


def _targets(
    dataset: Dataset, item: Item, table: TableFile
) -> tuple[ItemSurvey, dict[int, list[Target]]]:
    """Return the item's survey, and what a column of any value would score.

    It is asked with a table that has a column for every value there is, and no row: so the rule
    stands in one place.
    """
    survey = survey_item(dataset, item)
    values = {value for mask in survey.masks if mask.labels for value in mask.labels.values}
    values |= {mask.mask.index for mask in survey.masks if mask.mask.index is not None}
    if not values:
        return survey, {}
    header = csv_text([["Layer", *(f"Label-{value}" for value in sorted(values))]])
    anew = rescan(dataset, [Mended(table.relative, header.encode(), "asked for its columns")])
    again = next(found for found in anew.items if found.name == item.name)
    for found in survey_item(anew, again).tables:
        if found.table.relative == table.relative:
            return survey, {value: targets for value, targets in found.targets.items() if targets}
    return survey, {}


def _profile(survey: ItemSurvey, target: Target, shapes: Shapes) -> Counts | None:
    """Return the voxels of a label on each frame; None where they are not known."""
    position, pixel = target
    mask, plane = survey.masks[position], survey.item.plane
    found = shapes(mask.mask.image)
    if plane is None or mask.orientation is None or found is None or pixel not in found.profiles:
        return None
    return found.profiles[pixel][plane_axis(mask.mask.grid, plane, mask.orientation)[0]]


def _summed(
    targets: dict[int, list[Target]], profiles: dict[Target, Counts | None]
) -> dict[int, Counts]:
    summed = {}
    for value, found in targets.items():
        known = [profile for target in found if (profile := profiles[target]) is not None]
        if len(known) == len(found) and len({len(profile) for profile in known}) == 1:
            summed[value] = np.sum(known, axis=0)
    return summed


def _slices(masks: Iterable[MaskSurvey], plane: str | None) -> tuple[int, ...]:
    """Return the RAS+ slice of each frame; nothing where masks differ in it, or there is none."""
    found = set()
    for mask in masks:
        if mask.orientation is not None and plane is not None:
            grid = mask.mask.grid
            count = grid.shape[plane_axis(grid, plane, mask.orientation)[0]]
            frames = range(1, count + 1)
            found.add(tuple(frame_to_slice(grid, plane, f, mask.orientation) for f in frames))
    return found.pop() if len(found) == 1 else ()


def _names(
    dataset: Dataset, survey: ItemSurvey, targets: dict[int, list[Target]]
) -> dict[int, str]:
    """Return the class of each value, as it will land."""
    if not targets:
        return {}
    positions = {survey.masks[at].mask.relative: at for at in range(len(survey.masks))}
    planned = chosen_item(dataset, survey.item).objects
    classes = {(positions[one.mask.relative], one.value): one.class_name for one in planned}
    return {
        value: classes[target]
        for value, found in targets.items()
        for target in reversed(found)
        if target in classes
    }


def _others(
    survey: ItemSurvey, table: TableFile, targets: dict[int, list[Target]]
) -> dict[int, frozenset[int]]:
    """Return the frames that other tables of the item score, for each value of this one."""
    scored: dict[Target, set[int]] = {}
    for other in survey.tables:
        if other.table.relative == table.relative:
            continue
        for score in other.read:
            for target in other.targets.get(score.value, ()) if score.score is not None else ():
                scored.setdefault(target, set()).add(score.frame)
    return {
        value: frozenset().union(*(scored.get(target, set()) for target in found))
        for value, found in targets.items()
    }
