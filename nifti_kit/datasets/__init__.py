"""What lies in a source, and what belongs together: files to items, read once each."""

from __future__ import annotations

from nifti_kit.datasets.dataset import Dataset, scan
from nifti_kit.datasets.items import Item, MaskFile, TableFile
from nifti_kit.datasets.proposals import Proposal
from nifti_kit.datasets.surveys import ItemSurvey, survey_item

__all__ = [
    "Dataset",
    "Item",
    "ItemSurvey",
    "MaskFile",
    "Proposal",
    "TableFile",
    "scan",
    "survey_item",
]
