"""Comparisons: what differs between two annotation sets, and what people have changed."""

from __future__ import annotations

from nifti_kit.comparisons.comparison import Comparison, compare
from nifti_kit.comparisons.differences import Difference, ScoreDifference, VolumePair
from nifti_kit.comparisons.edits import Change, Changes, changes

__all__ = [
    "Change",
    "Changes",
    "Comparison",
    "Difference",
    "ScoreDifference",
    "VolumePair",
    "changes",
    "compare",
]
