"""Rules about which volume an annotation file belongs to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from nifti_kit.core.findings import Finding, finding
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.formats.mappings import Mapping

__all__ = ["shared_ids", "unmatched"]

SHOWN_SETS = 4
"""Sets of files that a message lists before it counts the rest."""


def unmatched(dataset: Dataset) -> Iterator[Finding]:
    """Each annotation file has a volume in the mapping, where the source has one."""
    mapping = dataset.mapping
    if mapping is None:
        return
    for relative in dataset.annotation_paths:
        if mapping.volume_of(relative) is None:
            message = "the mapping has no volume for it"
            yield finding("annotation-unmatched", relative, message)


def shared_ids(dataset: Dataset, mapping: Mapping | None = None) -> Iterator[Finding]:
    """The files of one volume are of one plane and case.

    (Several instance files of one plane belong to one volume.) ``mapping`` is the source's own
    by default.
    """
    mapping = dataset.mapping if mapping is None else mapping
    if mapping is None:
        return
    sets: defaultdict[int, dict[Item, str]] = defaultdict(dict)
    for item in dataset.items:
        for relative in item.annotation_paths:
            volume = mapping.volume_of(relative)
            if volume is not None:
                sets[volume].setdefault(item, f"{relative} ({item.plane})")
    for volume, files in sets.items():
        if len(files) > 1:
            shown = ", ".join(list(files.values())[:SHOWN_SETS])
            more = f" and {len(files) - SHOWN_SETS} more" if len(files) > SHOWN_SETS else ""
            message = f"volume {volume} is given to {len(files)} planes or cases: {shown}{more}"
            yield finding("mapping-id-shared", mapping.path, message)
