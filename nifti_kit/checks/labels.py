"""Rules about the values of label maps."""

from __future__ import annotations

from collections.abc import Iterator

from nifti_kit.datasets import describe, file_fault
from nifti_kit.errors import BadLabels
from nifti_kit.findings import Finding, finding
from nifti_kit.surveys import MaskSurvey

__all__ = ["label_notes", "label_values"]


def label_values(survey: MaskSurvey) -> Iterator[Finding]:
    """A label map can be read, and holds integers from 0 to 65535."""
    error, relative = survey.error, survey.mask.relative
    if isinstance(error, BadLabels):
        yield finding("labels-unusable", relative, describe(error), remedy=error.remedy)
    elif error is not None:
        yield file_fault(relative, error)


def label_notes(survey: MaskSurvey) -> Iterator[Finding]:
    """A label map is not empty, and was stored as plain integers."""
    labels, relative = survey.labels, survey.mask.relative
    if labels is None:
        return
    if not labels.labels:
        yield finding("mask-empty", relative, "no voxel is labelled")
    if labels.rounded:
        yield finding("labels-rounded", relative, f"{labels.rounded} voxels were rounded")
    if labels.scaled:
        image = survey.mask.image
        message = f"scl_slope {image.slope:g}, scl_inter {image.intercept:g}"
        yield finding("labels-scaled", relative, message)
