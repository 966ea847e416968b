"""Linking: two viewers that look at the same place of the patient, whatever their voxels are."""

from __future__ import annotations

from typing import Any

import numpy as np

from nifti_kit.widgets.viewer.model import ViewerModel

SHARED = ("active", "arrangement", "zoom")
"""What is the same in both as it is; zoom is a factor of each image's own size."""

TOLD = 0.05
"""Crosshairs that are nearer (mm) are at the same place: 0.0 is all that would be told."""


class Link:
    """Two viewers: where one goes in mm, the other goes too.

    It holds until :meth:`cut`. At the beginning the second one comes to the first.

    Attributes
    ----------
    viewers
        The two.
    """

    def __init__(self, one: ViewerModel, other: ViewerModel) -> None:
        self.viewers = (one, other)
        self._is_led = False
        self._lead(one, other, {*SHARED, "position", "focus"})
        for viewer in self.viewers:
            viewer.observe(self._follow, [*SHARED, "position", "focus"])

    def cut(self) -> None:
        """Let each go its own way again."""
        for viewer in self.viewers:
            viewer.unobserve(self._follow, [*SHARED, "position", "focus"])

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
                    there = np.rint(_moved(leader, led, leader.position)).astype(int)
                    led.position = tuple(there.tolist())
                if names & {"focus", "zoom"}:
                    led.focus = tuple(_moved(leader, led, leader.focus).tolist())
        finally:
            self._is_led = False


def _moved(leader: ViewerModel, led: ViewerModel, indices: Any) -> Any:
    """Return RAS+ indices of one as those of the other at the same mm, within its image."""
    there = np.linalg.inv(led.image.grid.affine) @ np.append(leader.image.grid.world(indices), 1)
    return np.clip(there[:3], 0, np.subtract(led.image.grid.shape, 1))
