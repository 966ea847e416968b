"""Score tables: CSV files with a ``Layer`` column and a ``Label-N`` column for each pixel value.

``Layer`` is the frame number in the NIfTI file, counted from 1 (specification). The platform's
exporter counts from 0; that is read with ``base=0``.
"""

from __future__ import annotations

from nifti_kit.formats.scores.cells import in_ranges
from nifti_kit.formats.scores.reading import read_scores
from nifti_kit.formats.scores.sheet import ScoreSheet
from nifti_kit.formats.scores.table import Score, ScoreTable

__all__ = ["Score", "ScoreSheet", "ScoreTable", "in_ranges", "read_scores"]
