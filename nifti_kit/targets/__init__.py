"""Where it lands: one protocol, a project folder or a live instance, and plain records.

The targets themselves are in ``targets.folder`` and ``targets.instance``.
"""

from __future__ import annotations

from nifti_kit.targets.records import (
    ClassRef,
    ItemJob,
    ObjectRef,
    PlannedClass,
    PlannedItem,
    PlannedObject,
    ScoreUpdate,
    VolumeRef,
)
from nifti_kit.targets.target import Target

__all__ = [
    "ClassRef",
    "ItemJob",
    "ObjectRef",
    "PlannedClass",
    "PlannedItem",
    "PlannedObject",
    "ScoreUpdate",
    "Target",
    "VolumeRef",
]
