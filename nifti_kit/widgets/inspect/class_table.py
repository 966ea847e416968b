"""Class table: every class of a dataset with its value, colour, voxels, volume and items."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nifti_kit.datasets.dataset import Dataset
from nifti_kit.formats.class_maps import Color
from nifti_kit.plans.planner import ItemPlanner
from nifti_kit.plans.reuse import ProjectClasses
from nifti_kit.targets.records import PlannedObject
from nifti_kit.widgets.parts.table import Column, Row

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CLASS_COLUMNS", "ClassCount", "class_counts", "class_frame", "class_rows"]

CLASS_COLUMNS = (
    Column("value", "Value", "number"),
    Column("class", "Class"),
    Column("color", "Colour"),
    Column("voxels", "Voxels", "number"),
    Column("mm3", "Volume (mm³)", "number"),
    Column("items", "Items", "number"),
)


@dataclass
class ClassCount:
    """A class, and how much of it there is in all items together.

    Attributes
    ----------
    value
        Its pixel value, or the index of its files where each file is a class.
    name, color
        As they will land; RGB of 0 to 255. The colour is None for a class that does not occur,
        and to which the class map gives none.
    voxels
        In all masks; an organ that is in three planes counts in each.
    mm3
        Their volume.
    items
        The names of the items that have it.
    """

    value: int
    name: str
    color: Color | None
    voxels: int = 0
    mm3: float = 0.0
    items: list[str] = field(default_factory=list)


def class_counts(
    dataset: Dataset, tell: Callable[[float, str], None] = lambda _, __: None
) -> list[ClassCount]:
    """Return the classes, sorted by value; each mask is read once in a dataset's life.

    Parameters
    ----------
    dataset
        What was scanned.
    tell
        Called before each item with how much is done (0 to 1), and a line about it.
    """
    planner = ItemPlanner(dataset, None, ProjectClasses((), dataset.classes), None)
    counts: dict[str, ClassCount] = {}
    for at, item in enumerate(dataset.items):
        tell(at / len(dataset.items), f"Counting {item.name}")
        for planned in planner.volume(item).objects:
            _add(counts, planned, item.name)
    for known in planner.classes():
        counts[known.name].value = known.value
    for entry in dataset.classes:
        if entry.name not in counts:
            counts[entry.name] = ClassCount(entry.value, entry.name, entry.color)
    return sorted(counts.values(), key=lambda found: (found.value, found.name))


def _add(counts: dict[str, ClassCount], planned: PlannedObject, item: str) -> None:
    name = planned.class_name
    found = counts.setdefault(name, ClassCount(planned.value, name, planned.color))
    found.voxels += planned.voxels
    found.mm3 += planned.voxels * abs(float(np.linalg.det(planned.mask.grid.affine[:3, :3])))
    if item not in found.items:
        found.items.append(item)


def class_rows(counts: Iterable[ClassCount]) -> tuple[Row, ...]:
    """Return rows for a table, in which a class has a patch of its colour."""
    return tuple(
        Row(
            found.name,
            _cells(found),
            tone="" if found.voxels else "note",
            colors={"class": found.color} if found.color else {},
            hints={"items": ", ".join(found.items) or "no voxel of any item has this class"},
        )
        for found in counts
    )


def class_frame(counts: Iterable[ClassCount]) -> pd.DataFrame:
    """Return a :class:`pandas.DataFrame`, one row per class."""
    import pandas as pd

    return pd.DataFrame(map(_cells, counts), columns=[column.name for column in CLASS_COLUMNS])


def _cells(found: ClassCount) -> dict[str, object]:
    return {
        "value": found.value,
        "class": found.name,
        "color": "#{:02X}{:02X}{:02X}".format(*found.color) if found.color else "",
        "voxels": found.voxels,
        "mm3": round(found.mm3, 1),
        "items": len(found.items),
    }
