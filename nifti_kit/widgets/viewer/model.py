"""The viewer: a volume with its masks in three linked planes, and what a person does with it.

Each thing that mouse, keyboard or a control can do is one method or trait of :class:`ViewerModel`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy.typing as npt

from nifti_kit.core.geometry import PLANES, Grid
from nifti_kit.datasets.dataset import Dataset, scan
from nifti_kit.datasets.items import Item
from nifti_kit.errors import NiftiKitError
from nifti_kit.plans.plan import Plan
from nifti_kit.render.panes import Pane
from nifti_kit.render.places import position_of
from nifti_kit.render.position import CUSTOM
from nifti_kit.render.scene import AXIAL, CORONAL, SAGITTAL, Mask
from nifti_kit.targets.records import PlannedItem
from nifti_kit.targets.target import Target, VolumeRef
from nifti_kit.widgets.viewer.images import RasImage, chosen_item, chosen_volume
from nifti_kit.widgets.viewer.loading import Piece, ViewClass, drawn, landed, of_mask, planned
from nifti_kit.widgets.viewer.viewing import MOST_ZOOM, Position, Viewing

__all__ = ["ViewerModel"]

TITLES = ("As in the files", "Repaired")
"""Of two overlays that are shown one above the other, unless they are named."""

NARROWEST = 1e-4
"""Dragging changes a window by steps of this share of all values; it is no narrower."""

DRAG = 300
"""Pixels of dragging that change a window by its whole width."""


class ViewerModel(Viewing):
    """A volume with its masks, and what a person does to look at it.

    Its state and traits are those of :class:`nifti_kit.widgets.viewer.viewing.Viewing`.
    """

    @classmethod
    def of(cls, source: Any, item: Any = None, **choices: Any) -> ViewerModel:
        """Return the viewer of an item of a plan, dataset or folder, or of a target's volume.

        By default of the first item, or of the only volume; ``choices`` are those of
        :meth:`of_item`. A viewer is returned as it is.

        Raises
        ------
        NiftiKitError
            If it is none of these, or has no such item or volume.
        """
        if isinstance(source, ViewerModel):
            return source
        if isinstance(source, (str, os.PathLike)):
            source = scan(source)
        if isinstance(source, (Plan, Dataset)):
            return cls.of_item(source, 0 if item is None else item, **choices)
        if hasattr(source, "iter_volume"):
            return cls.of_target(source, item)
        raise NiftiKitError(
            "there is nothing to view in this",
            found=type(source).__name__,
            expected="a folder, a dataset, a plan or a target",
        )

    @classmethod
    def of_item(
        cls,
        source: Plan | Dataset,
        item: PlannedItem | Item | str | int = 0,
        *,
        target: Target | None = None,
        volume: VolumeRef | str | int | None = None,
        compare: Plan | Dataset | None = None,
        titles: tuple[str, str] = TITLES,
    ) -> ViewerModel:
        """Return the viewer of an item, from its source files.

        Parameters
        ----------
        source
            What :func:`nifti_kit.plan` or :func:`nifti_kit.scan` returned.
        item
            One of its items, its name, or its place (from 0).
        target, volume
            For annotations whose volume is on a target: that target and, where the plan does not
            name it, the volume (its reference, id or name).
        compare
            The same with other masks, such as ``repair.dataset``: they are shown below.
        titles
            Of the two rows.

        Raises
        ------
        NiftiKitError
            If there is no such item or volume, or a file is damaged.
        """
        chosen = chosen_item(source, item)
        image = _image_of(chosen, target, volume)
        if compare is None:
            return cls(image, drawn(image.grid, [("", planned(chosen))]))
        other = planned(chosen_item(compare, chosen.name))
        sets = list(zip(titles, (planned(chosen), other), strict=True))
        return cls(image, drawn(image.grid, sets))

    @classmethod
    def of_target(cls, target: Target, volume: VolumeRef | str | int | None = None) -> ViewerModel:
        """Return the viewer of a volume as it landed, read back with its objects.

        The volume is given by its reference, id or name; the only one by default.

        Raises
        ------
        NiftiKitError
            If there is no such volume, or several of that name.
        """
        ref = chosen_volume(target, volume)
        pieces = landed(target, target.objects(ref.id))
        image = RasImage.of_target(target, ref)
        return cls(image, drawn(image.grid, [("", pieces)]), f"{ref.name}, as it landed")

    @classmethod
    def of_arrays(
        cls,
        volume: npt.NDArray[Any],
        grid: Grid,
        masks: Iterable[Mask] = (),
        *,
        compare: Iterable[Mask] | None = None,
        titles: tuple[str, str] = TITLES,
        title: str = "",
    ) -> ViewerModel:
        """Return the viewer of an array (axes in any order) with masks on their own grids."""
        image = RasImage.of_array(title or "volume", volume, grid)
        pieces = [of_mask(mask) for mask in masks]
        sets: list[tuple[str, list[Piece]]] = [("", pieces)]
        if compare is not None:
            sets = [(titles[0], pieces), (titles[1], [of_mask(mask) for mask in compare])]
        return cls(image, drawn(image.grid, sets))

    # The crosshair

    def go(self, plane: str, index: int) -> None:
        """Show a slice (RAS+ index from 0) of ``axl``, ``cor`` or ``sag``; the nearest there is."""
        axis = PLANES[plane]
        position = list(self.position)
        position[axis] = min(max(index, 0), self.image.grid.shape[axis] - 1)
        with self.hold_trait_notifications():
            self.active = plane
            self.position = tuple(position)

    def step(self, plane: str, slices: int) -> None:
        """Show the slice so many further (RAS+); the last one at the end."""
        self.go(plane, self.position[PLANES[plane]] + slices)

    def nudge(self, right: int, up: int) -> None:
        """Move the crosshair by voxels within the active plane, as it is seen."""
        plane = (SAGITTAL, CORONAL, AXIAL)[PLANES[self.active]]
        position = list(self.position)
        for axis, by in ((plane.across, -right), (plane.up, up)):
            position[axis] = min(max(position[axis] + by, 0), self.image.grid.shape[axis] - 1)
        self.position = tuple(position)

    def picked(self, x: float, y: float) -> tuple[str, Position] | None:
        """Return the plane and the voxel (RAS+ indices) at a pixel of the picture, or None."""
        pane = self.sheet.pane_at(x, y)
        if pane is None:
            return None
        return self._code(pane), pane.voxel(x, y, self.position)

    def pick(self, x: float, y: float, plane: str | None = None) -> None:
        """Put the crosshair where a pixel of the picture is; with a plane, at its nearest voxel.

        The plane is given while the mouse is dragged, which may leave the pane.
        """
        pane = self._pane(x, y, plane)
        if pane is not None:
            with self.hold_trait_notifications():
                self.active = self._code(pane)
                self.position = pane.voxel(x, y, self.position)

    def hover(self, x: float, y: float) -> None:
        """Read what is under a pixel of the picture; the crosshair stays."""
        found = self.picked(x, y)
        self.hovered = None if found is None else found[1]

    def leave(self) -> None:
        """Read what is at the crosshair: the pointer is elsewhere."""
        self.hovered = None

    def _pane(self, x: float, y: float, plane: str | None) -> Pane | None:
        if plane is None:
            return self.sheet.pane_at(x, y)
        panes = [pane for pane in self.sheet.panes if self._code(pane) == plane]
        return min(panes, key=lambda pane: abs(pane.top + pane.height / 2 - y))

    @staticmethod
    def _code(pane: Pane) -> str:
        return next(code for code, axis in PLANES.items() if axis == pane.plane.normal)

    # The window

    def choose_window(self, name: str) -> None:
        """Take one of the presets; ``Custom`` keeps the window as it is."""
        if name != CUSTOM:
            self.window = tuple(self.presets[name])

    def drag_window(self, right: float, down: float) -> None:
        """Change the window by pixels of dragging: to the right widens, downward brightens."""
        least = NARROWEST * self.presets["All values"].width
        if self.image.voxels.dtype.kind in "iu":
            least = max(1.0, least)
        centre, width = self.window
        step = max(width, DRAG * least) / DRAG
        # Whole steps of what can be told apart: 470, not 470.7828.
        centre = round((centre - down * step) / least) * least
        width = max(1, round((width + right * step) / least)) * least
        self.window = (float(f"{centre:.6g}"), float(f"{width:.6g}"))

    # The legend

    def matching(self) -> tuple[ViewClass, ...]:
        """Return the classes whose name holds what is searched for, in any case."""
        wanted = self.search.strip().casefold()
        return tuple(found for found in self.classes if wanted in found.name.casefold())

    def show(self, name: str, *, on: bool = True) -> None:
        """Show a class, or hide it."""
        self.hidden = self.hidden - {name} if on else self.hidden | {name}

    def show_only(self, name: str) -> None:
        """Show one class, and hide all others."""
        self.hidden = frozenset(found.name for found in self.classes) - {name}

    def show_all(self) -> None:
        """Show the classes that the legend lists: all, unless it is searched."""
        self.hidden = self.hidden - {found.name for found in self.matching()}

    def show_none(self) -> None:
        """Hide the classes that the legend lists: all, unless it is searched."""
        self.hidden = self.hidden | {found.name for found in self.matching()}

    def magnify(self, times: float) -> None:
        """Zoom so much nearer, or away from it: 1 shows the whole image."""
        self.zoom = min(max(self.zoom * times, 1.0), MOST_ZOOM)

    def find(self, name: str) -> bool:
        """Show a class and go to its middle; say whether any of it lies in the volume."""
        self.show(name)
        number = {found.name: found.number for found in self.classes}[name]
        for overlay in self.overlays:
            position = position_of(self.image.grid, overlay.layers, number)
            if position is not None:
                self.position = position
                return True
        return False


def _image_of(
    item: PlannedItem, target: Target | None, volume: VolumeRef | str | int | None
) -> RasImage:
    """Return the volume of a planned item: its file, or what is on the target."""
    wanted = item.volume_id if volume is None else volume
    if target is not None and wanted is not None:
        return RasImage.of_target(target, chosen_volume(target, wanted))
    if item.volume is not None:
        return RasImage.of_file(item.name, item.volume)
    raise NiftiKitError(
        f"the volume of {item.name!r} is on the target, not in the source",
        remedy="Give the target, and the volume: of_item(..., target=target, volume=...).",
    )
