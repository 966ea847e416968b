"""Comparisons: what differs between two annotation sets, and what people have changed."""

from __future__ import annotations

from nifti_kit.comparisons.comparison import Comparison, compare
from nifti_kit.comparisons.differences import Difference, ScoreDifference, VolumePair

__all__ = ["Comparison", "Difference", "ScoreDifference", "VolumePair", "compare"]
