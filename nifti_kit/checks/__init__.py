"""Checks: one small function per rule; ``check`` runs them all."""

from __future__ import annotations

from collections.abc import Iterable

from nifti_kit.checks.classes import exported_instances, values_without_class
from nifti_kit.checks.files import volume_voxels, volumes_named_masks
from nifti_kit.checks.geometry import grids, mask_alignment
from nifti_kit.checks.labels import label_notes, label_values
from nifti_kit.datasets import Dataset
from nifti_kit.findings import Finding, Findings
from nifti_kit.surveys import survey_item

__all__ = ["check", "findings_of"]


def check(dataset: Dataset, *, voxels: bool = True, waive: Iterable[str] = ()) -> Findings:
    """Return what is wrong with a dataset, with remedies; errors block an upload.

    Parameters
    ----------
    dataset
        What :func:`nifti_kit.scan` returned.
    voxels
        False reads headers only; True also reads every volume and mask to its end.
    waive
        Codes of findings that a person accepts; they are kept, but do not block.

    Raises
    ------
    KeyError
        If ``waive`` has a code that the catalogue does not know.
    """
    found = findings_of(dataset, voxels=voxels)
    if voxels:
        for item in dataset.items:
            found += volume_voxels(item)
    return Findings(found, waive)


def findings_of(dataset: Dataset, *, voxels: bool) -> list[Finding]:
    """Return what scanning found and what masks, scores and headers show; no volume is read."""
    found = [*dataset.findings, *volumes_named_masks(dataset)]
    for item in dataset.items:
        found += grids(item)
        found += mask_alignment(item)
        found += exported_instances(dataset, item)
        if voxels:
            survey = survey_item(dataset, item)
            for mask in survey.masks:
                found += label_values(mask)
                found += label_notes(mask)
                found += values_without_class(dataset, item, mask)
            found += survey.score_findings
    return found
