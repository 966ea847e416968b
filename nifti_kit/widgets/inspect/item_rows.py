"""Item rows: what a table says of each item, with its worst finding."""

from __future__ import annotations

from collections import Counter
from typing import Any

from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.widgets.parts.findings import SEVERITIES, FindingsTable
from nifti_kit.widgets.parts.table import Column, Row

__all__ = ["ITEM_COLUMNS", "item_rows"]

ITEM_COLUMNS = (
    Column("name", "Item"),
    Column("plane", "Plane", filtered=True),
    Column("shape", "Shape"),
    Column("voxel_size", "Voxel size (mm)"),
    Column("axes", "Axes"),
    Column("masks", "Masks", "number"),
    Column("scores", "Scores"),
    Column("findings", "Findings", "number"),
)


def item_rows(dataset: Dataset, findings: FindingsTable) -> tuple[Row, ...]:
    """Return a row for each item; its tone is the worst of its findings that is not accepted."""
    about: dict[str, Counter[str]] = {item.name: Counter() for item in dataset.items}
    for found in findings.findings:
        item = None if found.waived else findings.item_of(found)
        if item is not None:
            about[item.name][found.severity] += 1
    return tuple(_row(item, about[item.name]) for item in dataset.items)


def _row(item: Item, severities: Counter[str]) -> Row:
    image = item.images[0] if item.images else None
    cells = {
        "name": item.name,
        "plane": item.plane or "",
        "shape": " x ".join(map(str, image.shape)) if image else "",
        "voxel_size": " x ".join(f"{mm:.4g}" for mm in image.grid.voxel_size) if image else "",
        "axes": ("?" if image.grid.problem else image.grid.axis_codes) if image else "",
        "masks": len(item.masks),
        "scores": ", ".join(table.relative.name for table in item.tables),
        "findings": severities.total(),
    }
    tone: Any = next((severity for severity in SEVERITIES if severities[severity]), "")
    return Row(item.name, cells, tone=tone)
