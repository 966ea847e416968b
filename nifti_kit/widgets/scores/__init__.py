"""Score tables held against their masks, corrected cell by cell, saved as new files."""

from nifti_kit.widgets.scores.model import ScoreModel

__all__ = ["ScoreModel"]
