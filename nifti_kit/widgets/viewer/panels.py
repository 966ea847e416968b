"""The panel in three dimensions beside a viewer; only where ipyniivue is installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import Grid
from nifti_kit.formats.nifti import encode_image
from nifti_kit.render.greys import windowed
from nifti_kit.render.layers import Layer
from nifti_kit.render.position import Window
from nifti_kit.widgets.parts.views import classed
from nifti_kit.widgets.viewer.model import ViewerModel

__all__ = ["has_volume_panel", "volume_panel"]

MOST_VOXELS = 4_000_000
"""Of an image in the panel: graphics cards and the way to the browser are small."""

HEIGHT = 480
"""Of the panel (pixels)."""


def has_volume_panel() -> bool:
    """Say whether ipyniivue is installed (the extra ``viewer``)."""
    try:
        return find_spec("ipyniivue") is not None
    except ValueError:  # a module that was taken out of reach
        return False


def volume_panel(model: ViewerModel) -> Any | None:
    """Return the volume and its masks in three dimensions; None where ipyniivue is not installed.

    The voxels are those of the model, thinned out where they are many, and travel to the browser
    in memory; nothing is loaded from a network. Of two overlays it shows the second one. Classes
    are shown and hidden with the legend.
    """
    if not has_volume_panel():
        return None
    from ipyniivue import NiiVue, SliceType

    image = model.image
    limits = Window(*model.window).limits
    grey = windowed(np.ascontiguousarray(_thinned(image.voxels, image.voxels)), limits)
    volumes = [_volume("volume", grey, _thinned_grid(image.grid, image.voxels), colormap="gray")]
    layers = [layer for overlay in model.overlays[-1:] for layer in overlay.layers]
    volumes += [_volume(f"masks_{at}", *_labels(layer)) for at, layer in enumerate(layers)]
    panel = NiiVue(height=HEIGHT)
    panel.load_volumes(volumes)
    panel.set_slice_type(SliceType.RENDER)

    def color(_: Any = None) -> None:
        for volume in panel.volumes[1:]:
            volume.set_colormap_label(_colors(model))

    color()
    model.observe(color, ["hidden"])
    return classed(panel, "nk-volume-panel")


def _step(voxels: npt.NDArray[Any]) -> int:
    return max(1, int(np.ceil((voxels.size / MOST_VOXELS) ** (1 / 3))))


def _thinned(voxels: npt.NDArray[Any], like: npt.NDArray[Any]) -> npt.NDArray[Any]:
    step = _step(like)
    return voxels[::step, ::step, ::step]


def _thinned_grid(grid: Grid, voxels: npt.NDArray[Any]) -> Grid:
    step = _step(voxels)
    affine = grid.affine.copy()
    affine[:3, :3] *= step
    i, j, k = (-(-size // step) for size in grid.shape)
    return Grid((i, j, k), affine)


def _labels(layer: Layer) -> tuple[npt.NDArray[Any], Grid]:
    return _thinned(layer.numbers, layer.numbers), _thinned_grid(layer.grid, layer.numbers)


def _volume(name: str, voxels: npt.NDArray[Any], grid: Grid, **look: Any) -> dict[str, Any]:
    # The name is ours: the browser tells the format by its ending.
    return {"name": f"{name}.nii.gz", "data": encode_image(voxels, grid), **look}


def _colors(model: ViewerModel) -> dict[str, list[int]]:
    """Return the colour table of the class numbers; hidden ones cannot be seen."""
    colors = [(0, 0, 0), *(found.color for found in model.classes)]
    opaque = [0, *(255 * (found.name not in model.hidden) for found in model.classes)]
    red, green, blue = (list(channel) for channel in zip(*colors, strict=True))
    return {"R": red, "G": green, "B": blue, "A": opaque, "I": list(range(len(colors)))}
