"""Linking: two viewers that look at the same place of the patient, whatever their voxels are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.render.position import indices_in
from nifti_kit.widgets.viewer.model import ViewerModel

SHARED = ("active", "arrangement", "zoom", "mode", "opacity")
"""What is the same in both as it is; zoom is a factor of each image's own size."""

FOLLOWED = (*SHARED, "position", "focus", "window", "hidden")
"""What moves both; the window where both have the same grey values, and classes of one name."""

TOLD = 0.05
"""Crosshairs that are nearer (mm) are at the same place: 0.0 is all that would be told."""


class Link:
    """Two viewers: where one goes in mm, the other goes too, and is drawn alike.

    It holds until :meth:`cut`. At the beginning the second one comes to the first.
    """

    def __init__(self, one: ViewerModel, other: ViewerModel) -> None:
        self.viewers = (one, other)
        self._is_led = False
        self._lead(one, other, set(FOLLOWED))
        for viewer in self.viewers:
            viewer.observe(self._follow, list(FOLLOWED))

    def cut(self) -> None:
        """Let each go its own way again."""
        for viewer in self.viewers:
            viewer.unobserve(self._follow, list(FOLLOWED))

    @property
    def apart(self) -> float:
        """How far the crosshairs are from each other (mm).

        Up to half a voxel where their voxels are others, and more where one of the images ends.
        """
        one, other = (viewer.image.grid.world(viewer.position) for viewer in self.viewers)
        return float(np.linalg.norm(one - other))

    @property
    def note(self) -> str:
        """What a person should know of the two places; empty where they are the same."""
        if self.apart < TOLD:
            return ""
        return f"The crosshairs are {self.apart:.1f} mm apart: no voxel of the other is nearer."

    def _follow(self, change: Any) -> None:
        if not self._is_led:
            one, other = self.viewers
            leader, led = (one, other) if change["owner"] is one else (other, one)
            self._lead(leader, led, {change["name"]})

    def _lead(self, leader: ViewerModel, led: ViewerModel, names: set[str]) -> None:
        # What the other one answers is no wish of its own: it would round the first one's place.
        self._is_led = True
        try:
            with led.hold_trait_notifications():
                for name in names.intersection(SHARED):
                    setattr(led, name, getattr(leader, name))
                if "position" in names:
                    put(led, leader.image.grid.world(leader.position))
                if names & {"focus", "zoom"}:
                    mm = leader.image.grid.world(leader.focus)
                    led.focus = tuple(_indices(led, mm).tolist())
                if "window" in names and leader.presets == led.presets:
                    led.window = leader.window
                if "hidden" in names:
                    led.hidden = _hidden(leader, led)
        finally:
            self._is_led = False


def put(viewer: ViewerModel, mm: npt.ArrayLike) -> None:
    """Put a viewer's crosshair at the voxel that is nearest to a place (RAS+ mm)."""
    viewer.position = tuple(np.rint(_indices(viewer, mm)).astype(int).tolist())


def _indices(viewer: ViewerModel, mm: npt.ArrayLike) -> Any:
    """Return a place (RAS+ mm) as indices of an image, not rounded; the nearest ones in it."""
    there = indices_in(viewer.image.grid, np.asarray(mm))
    return np.clip(there, 0, np.subtract(viewer.image.grid.shape, 1))


def _hidden(leader: ViewerModel, led: ViewerModel) -> frozenset[str]:
    """Return what one hides of the classes that both have, and the other of its own."""
    mine, others = ({found.name for found in one.classes} for one in (led, leader))
    return (leader.hidden & mine) | (led.hidden - others)
