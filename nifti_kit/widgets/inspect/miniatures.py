"""Miniatures: one small picture of an item, with its masks in the colours they will have."""

from __future__ import annotations

import io

from nifti_kit.checks.pictures import Illustrator
from nifti_kit.core.findings import Finding
from nifti_kit.core.geometry import PLANES
from nifti_kit.core.html import Illustration
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.errors import NiftiKitError
from nifti_kit.targets.records import PlannedItem
from nifti_kit.widgets.viewer.model import ViewerModel

__all__ = ["miniature"]

LONGEST = 240
"""The longer side (pixels), as pictures of findings have it."""

NAMED = 6
"""Classes that a caption names before it counts the rest."""


def miniature(dataset: Dataset, item: Item | PlannedItem) -> Illustration | None:
    """Return the slice of an item that shows most of its classes; None where nothing can be seen.

    The slice is of the item's own plane, axial where it has none. One volume is in memory.
    Where the volume is not there, the first mask is drawn alone.
    """
    item_of = {found.name: found for found in dataset.items}
    source = item_of[item.name]
    if source.volume is None:
        alone = [str(mask.relative) for mask in source.masks]
        return Illustrator(dataset)(Finding("", "note", alone[0], "", "")) if alone else None
    try:
        viewer = ViewerModel.of_item(dataset, item)
    except NiftiKitError:
        return None  # a finding says what is wrong with the file
    return _cut_out(viewer, source.plane or "axl")


def _cut_out(viewer: ViewerModel, plane: str) -> Illustration:
    """Return one pane of the viewer's picture."""
    from PIL import Image

    axis = PLANES[plane]
    pane = next(pane for pane in viewer.sheet.panes if pane.plane.normal == axis)
    whole = Image.open(io.BytesIO(viewer.jpeg()))
    picture = whole.crop(
        (pane.left, pane.top, pane.left + pane.width, pane.top + pane.height)
    ).convert("RGB")
    picture.thumbnail((LONGEST, LONGEST))
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    names = [found.name for found in viewer.classes]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    caption = (
        f"{pane.plane.title} slice {viewer.position[axis]} "
        f"(0 to {viewer.image.grid.shape[axis] - 1}) with "
        f"{', '.join(names[:NAMED]) + more if names else 'no masks'}."
    )
    caption = " ".join([caption, *(f"{note}." for note in viewer.notes)])
    return Illustration(out.getvalue(), caption, *picture.size)
