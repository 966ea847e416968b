"""The score table of an item against its masks."""

from __future__ import annotations

from nifti_kit.core.geometry import frame_to_slice, plane_axis
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.datasets.surveys import ItemSurvey, survey_item
from nifti_kit.errors import NiftiKitError
from nifti_kit.plots.figure import Picture, count
from nifti_kit.plots.scores import score_map

__all__ = ["scored"]


def scored(dataset: Dataset, item: Item | str, table: int = 0) -> Picture:
    """Return a score table of an item as :func:`score_map`, against the item's masks.

    Parameters
    ----------
    dataset
        What :func:`nifti_kit.scan` returned.
    item
        One of ``dataset.items``, or its name.
    table
        Which of its tables, from 0, of those that can be read.

    Raises
    ------
    NiftiKitError
        If there is no such item or table, or no cell that could be drawn.
    """
    chosen = next((there for there in dataset.items if item in (there, there.name)), None)
    if chosen is None:
        known = ", ".join(there.name for there in dataset.items)
        raise NiftiKitError("the dataset has no such item", found=repr(item), expected=known)
    survey = survey_item(dataset, chosen)
    if not 0 <= table < len(survey.tables):
        raise NiftiKitError(
            f"{chosen.name} has no such score table",
            found=f"table {table}",
            expected=f"{count(len(survey.tables), 'table')}, counted from 0",
            remedy="nk.check names the tables that cannot be read.",
        )
    found = survey.tables[table]
    unmatched = [value for value in found.read.values if not found.targets.get(value)]
    if chosen.is_scores_alone:
        unmatched = []  # what they score is on the target
    entries = [dataset.classes.by_value(value) for value in found.read.values]
    names = {entry.value: entry.name for entry in entries if entry is not None}
    return score_map(
        found.read,
        slices=_slices(survey),
        names=names if chosen.segmentation == "semantic" else None,
        unmatched=unmatched,
        title=str(found.table.relative),
    )


def _slices(survey: ItemSurvey) -> dict[int, int] | None:
    """Return the RAS+ slice (from 0) of each frame (from 1); None where no mask tells it."""
    plane = survey.item.plane
    for mask in survey.masks:
        if plane is not None and mask.orientation is not None:
            grid = mask.mask.grid
            frames = grid.shape[plane_axis(grid, plane, mask.orientation)[0]]
            return {
                frame: frame_to_slice(grid, plane, frame, mask.orientation)
                for frame in range(1, frames + 1)
            }
    return None
