"""The viewer: a volume with its masks in three linked planes, and what a person does with it.

Each thing that mouse, keyboard or a control can do is one method or trait of :class:`ViewerModel`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy.typing as npt

from nifti_kit.core.files import short_name
from nifti_kit.core.geometry import PLANES, Grid
from nifti_kit.datasets.dataset import Dataset, scan
from nifti_kit.datasets.items import Item
from nifti_kit.errors import NiftiKitError
from nifti_kit.plans.plan import Plan
from nifti_kit.render.panes import Pane, span_of
from nifti_kit.render.position import CUSTOM, position_of
from nifti_kit.render.scene import AXIAL, CORONAL, SAGITTAL, Mask
from nifti_kit.targets.reading import chosen_volume
from nifti_kit.targets.records import PlannedItem, VolumeRef
from nifti_kit.targets.target import Target
from nifti_kit.widgets.viewer.loading import Piece, RasImage, ViewClass, drawn, landed, of_mask
from nifti_kit.widgets.viewer.opening import TITLES, open_item
from nifti_kit.widgets.viewer.viewing import MOST_ZOOM, Viewing

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
        :meth:`of_item`. A viewer is returned as it is. Raises NiftiKitError if it is none of these,
        or has no such item or volume.
        """
        if isinstance(source, ViewerModel):
            return source
        if isinstance(source, (str, os.PathLike)):
            source = scan(source)
        if isinstance(source, (Plan, Dataset)):
            return cls.of_item(source, 0 if item is None else item, **choices)
        if isinstance(source, Target):
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

        Raises NiftiKitError if there is no such item or volume, or a file is damaged.

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
        """
        opened = open_item(
            source, item, target=target, volume=volume, compare=compare, titles=titles
        )
        return cls(*opened)

    @classmethod
    def of_target(cls, target: Target, volume: VolumeRef | str | int | None = None) -> ViewerModel:
        """Return the viewer of a volume as it landed, read back with its objects.

        The volume is given by its reference, id or name; the only one by default. Raises
        NiftiKitError if there is no such volume, or several of that name.
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

    def pick(self, x: float, y: float, plane: str | None = None) -> None:
        """Put the crosshair where a pixel of the picture is; with a plane, at its nearest voxel.

        The plane is given while the mouse is dragged, which may leave the pane.
        """
        pane = self._pane(x, y, plane)
        if pane is not None:
            with self.hold_trait_notifications():
                self.active = pane.plane.code
                self.position = pane.voxel(x, y, self.position)

    def hover(self, x: float, y: float) -> None:
        """Read what is under a pixel of the picture; the crosshair stays."""
        self._pointer = (x, y)
        self._point()

    def leave(self) -> None:
        """Read what is at the crosshair: the pointer is elsewhere."""
        self._pointer = self.hovered = None

    def _pane(self, x: float, y: float, plane: str | None) -> Pane | None:
        if plane is None:
            return self.sheet.pane_at(x, y)
        panes = [pane for pane in self.sheet.panes if pane.plane.code == plane]
        return min(panes, key=lambda pane: pane.distance(x, y))

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

    def toggle(self) -> None:
        """Hide the top class under the pointer; where all are hidden, show those that are there.

        Without a pointer it is the crosshair.
        """
        names = [name for _, found in self.reading.classes for name in found]
        shown = [name for name in names if name not in self.hidden]
        self.hidden = self.hidden | set(shown[:1]) if shown else self.hidden - set(names)

    def toggle_at(self, x: float, y: float) -> None:
        """Hide or show a class where a pixel of the picture is, as :meth:`toggle`."""
        self.hover(x, y)
        if self.hovered is not None:
            self.toggle()

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

    # What is seen of the image

    def turn(self) -> None:
        """Show one larger plane instead of three, or three instead of one."""
        self.arrangement = "planes" if self.arrangement == "beside" else "beside"

    def advance(self, slices: int = 1) -> None:
        """Show the slice so many further in the active plane; after the last one the first."""
        axis = PLANES[self.active]
        self.go(self.active, (self.position[axis] + slices) % self.image.grid.shape[axis])

    def magnify(self, times: float) -> None:
        """Zoom so much nearer to the crosshair, or away from it: 1 shows the whole image."""
        self.zoom = min(max(self.zoom * times, 1.0), MOST_ZOOM)

    def zoom_at(self, times: float, x: float, y: float) -> None:
        """Zoom so much nearer; what is under a pixel of the picture stays there."""
        pane = self.sheet.pane_at(x, y)
        if pane is None:
            return
        zoom = min(max(self.zoom * times, 1.0), MOST_ZOOM)
        share = self.zoom / zoom
        right, down = (x - pane.left) / pane.width, (y - pane.top) / pane.height
        focus = list(self.focus)
        for axis, seen, part in (
            (pane.plane.across, pane.across, right),
            (pane.plane.up, pane.up, down),
        ):
            middle, at = (seen.low + seen.high) / 2, seen.high - part * seen.length
            focus[axis] = at + (middle - at) * share - 0.5
        self._frame(zoom, focus)

    def pan(self, right: float, down: float, plane: str) -> None:
        """Move what a plane shows of the magnified image, by pixels of the picture."""
        pane = next((one for one in self.sheet.panes if one.plane.code == plane), None)
        if pane is None:
            return
        focus = list(self.focus)
        focus[pane.plane.across] += right * pane.across.length / pane.width
        focus[pane.plane.up] += down * pane.up.length / pane.height
        self._frame(self.zoom, focus)

    def reset(self) -> None:
        """Show the whole image, in its first window."""
        self.zoom = 1.0
        self.window = tuple(next(iter(self.presets.values())))

    def _frame(self, zoom: float, focus: Sequence[float]) -> None:
        """Show a part of the image; none beyond it, so that the way back begins at once."""
        spans = [span_of(n, zoom, at) for n, at in zip(self.image.grid.shape, focus, strict=True)]
        with self.hold_trait_notifications():
            self.zoom = zoom
            self.focus = tuple((span.low + span.high - 1) / 2 for span in spans)

    def snapshot(self, folder: str | os.PathLike[str]) -> Path:
        """Save the picture as it is now in a folder; return the new PNG file's path.

        It is named by what is shown. A file that is there is never written over: the next one gets
        a number. Raises NiftiKitError if it cannot be written.

        Examples
        --------
        >>> from tempfile import mkdtemp
        >>> viewer = ViewerModel.of(scan("data_samples/by_volume"))
        >>> viewer.snapshot(mkdtemp()).suffix
        '.png'
        """
        title = re.sub(r"[^\w.-]+", "_", self.title).lstrip(".")
        stem = "_".join([title, *map(str, self.position)])
        names = (short_name(stem, f"_{n}.png" if n > 1 else ".png") for n in count(1))
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            path = next(path for path in map(Path(folder).joinpath, names) if not path.exists())
            with path.open("xb") as file:
                file.write(self.png())
        except OSError as error:
            reason = error.strerror or type(error).__name__
            message = "the picture cannot be saved here"
            remedy = "Give a folder that you may write to."
            raise NiftiKitError(message, path=folder, found=reason, remedy=remedy) from error
        return path
