"""Windows: which grey values become black and white, by centre and width."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nifti_kit.render.scene import PERCENTILES

__all__ = ["CUSTOM", "Window", "presets_of"]

CUSTOM = "Custom"
"""What a window is called that is no preset."""

MAX_SAMPLES = 1_000_000
"""Voxels from which percentiles are worked out, evenly spread."""

AIR_HU = -900
"""A volume with values this low holds Hounsfield units: air is -1000, and MR has none below 0."""


class Window(NamedTuple):
    """The middle and the distance of the values that become black and white."""

    centre: float
    width: float

    @property
    def limits(self) -> tuple[float, float]:
        """The values that become black and white."""
        return self.centre - self.width / 2, self.centre + self.width / 2


CT = {
    "CT soft tissue": Window(40, 400),
    "CT bone": Window(400, 1800),
    "CT lung": Window(-600, 1500),
    "CT brain": Window(40, 80),
}
"""What radiology departments use, in Hounsfield units."""


def presets_of(volume: npt.NDArray[Any]) -> dict[str, Window]:
    """Return the windows to choose from, by name; the first one is shown at the beginning.

    For a volume that holds Hounsfield units that is soft tissue, for any other its percentiles.
    """
    values = _sampled(volume)
    low, high = PERCENTILES
    of_volume = {
        f"Percentiles {low} to {high}": _between(*np.percentile(values, PERCENTILES)),
        "All values": _between(values.min(), values.max()),
    }
    is_ct = volume.dtype.kind in "if" and float(values.min()) <= AIR_HU
    return {**CT, **of_volume} if is_ct else {**of_volume, **CT}


def _sampled(volume: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    # The same step along each axis: a step through the flat array could meet one column only.
    step = max(1, int(np.ceil((volume.size / MAX_SAMPLES) ** (1 / 3))))
    values = volume[::step, ::step, ::step].astype(np.float64)
    values = values[np.isfinite(values)]
    return values if values.size else np.zeros(1)


def _between(low: Any, high: Any) -> Window:
    """Return the window from one value to another; where they are the same, of width 1."""
    low, high = float(low), float(high)
    width = high - low if high > low else 1.0
    return Window((low + high) / 2, width)
