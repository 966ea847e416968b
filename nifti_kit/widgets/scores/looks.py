"""Looks: where a viewer shows the label of a score best."""

from __future__ import annotations

import numpy as np

from nifti_kit.core.geometry import PLANES
from nifti_kit.render.panes import Layout
from nifti_kit.widgets.viewer.model import ViewerModel

__all__ = ["show_slice"]


def show_slice(viewer: ViewerModel, plane: str, index: int, name: str) -> None:
    """Show a slice (RAS+ index from 0), with one class alone where there is such.

    The crosshair goes to a voxel of the class near its middle on that slice; on the other axes it
    stays where it is if the class is not on that slice.
    """
    numbers = {found.name: found.number for found in viewer.classes}
    with viewer.hold_trait_notifications():
        viewer.search = ""
        viewer.show_all()
        if name in numbers:
            viewer.show_only(name)
            viewer.position = _middle(viewer, PLANES[plane], index, numbers[name])
        viewer.go(plane, index)


def _middle(viewer: ViewerModel, axis: int, index: int, number: int) -> tuple[int, int, int]:
    """Return where the class is on a slice, to the pixel of a picture; else the crosshair."""
    grid = viewer.image.grid
    pane = next(
        pane for pane in Layout.of(grid, 1, 1.0, viewer.position).panes if pane.plane.normal == axis
    )
    for overlay in viewer.overlays:
        for layer in overlay.layers:
            lines, columns = np.nonzero(layer.section(grid, pane, index) == number)
            if len(lines):
                away = np.abs(lines - lines.mean()) + np.abs(columns - columns.mean())
                x, y = int(columns[away.argmin()]), int(lines[away.argmin()])
                return pane.voxel(pane.left + x, pane.top + y, viewer.position)
    return viewer.position
