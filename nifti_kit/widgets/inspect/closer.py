"""A closer look at a dataset: every voxel read, item by item, so that it can be cancelled."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from nifti_kit.checks import check
from nifti_kit.core.findings import Findings
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.widgets.inspect.class_table import ClassCount, class_counts

__all__ = ["CloserLook", "look_closer"]

Tell = Callable[[float, str], None]

COUNTING = 0.3
"""About the share of counting labels in the work; the rest is volumes, parts and overlaps."""


class CloserLook(NamedTuple):
    """What the voxels say: the same findings as ``nk.check(dataset)``, and the classes."""

    findings: Findings
    classes: list[ClassCount]


def look_closer(dataset: Dataset, waive: Iterable[str], tell: Tell) -> CloserLook:
    """Return what the voxels of a dataset say.

    Parameters
    ----------
    dataset
        What was scanned.
    waive
        Codes of findings that a person accepts.
    tell
        Called before each item with how much is done (0 to 1), and a line about it; what it
        raises ends the work.
    """
    classes = class_counts(dataset, lambda done, text: tell(done * COUNTING, text))

    def told(at: int, item: Item) -> None:
        tell(COUNTING + (1 - COUNTING) * at / len(dataset.items), f"Checking {item.name}")

    return CloserLook(check(dataset, waive=waive, on_item=told), classes)
