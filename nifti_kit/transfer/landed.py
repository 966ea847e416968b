"""What landed: objects and volumes as they are on the target, with what they were made of."""

from __future__ import annotations

from dataclasses import dataclass

from nifti_kit.targets.records import ObjectRef, PlannedItem, PlannedObject, ScoreChange, VolumeRef


@dataclass(frozen=True, eq=False)
class LandedObject:
    """An object on the target, and what it was made of; ``added`` is False if it was there."""

    planned: PlannedObject
    ref: ObjectRef
    added: bool


@dataclass(frozen=True, eq=False)
class LandedItem:
    """A volume on the target with its objects; ``added`` is False if the volume was there."""

    planned: PlannedItem
    volume: VolumeRef
    added: bool
    objects: tuple[LandedObject, ...]
    replaced: int = 0
    updates: tuple[ScoreChange, ...] = ()  # the scores of figures that were there
