"""Time of a slider step in the viewer on a large case: draw the three planes anew, as a JPEG.

It is told as a ratio to a floor of the same run: the plain slices, windowed and coloured, each
pixel by its nearest voxel, as a JPEG of the same size.

Measure with ``python -m pytest tests/benchmarks --benchmark-enable -s``; without that flag the
same code runs once on a small case, as a test.
"""

from __future__ import annotations

import io
import time
from itertools import count
from statistics import median

import numpy as np
import pytest
from PIL import Image

from nifti_kit.core.geometry import Grid, ras_orientation
from nifti_kit.render.picture import FULL_COLOR, QUALITY
from nifti_kit.render.position import Window
from nifti_kit.widgets.viewer.loading import Named, Piece, RasImage, drawn
from nifti_kit.widgets.viewer.model import ViewerModel

LARGE, SMALL = (512, 512, 300), (96, 96, 40)
LABELS = 104
ROUNDS = 25
"""Of the floor, of which the one in the middle counts."""


def large_viewer(shape: tuple[int, int, int]) -> ViewerModel:
    """Return a CT-like volume in LPS file order with 104 box-shaped organs."""
    random = np.random.default_rng(7)
    grid = Grid(shape, np.diag([-0.8, -0.8, 1.5, 1.0]))
    smooth = random.normal(0, 40, shape).cumsum(axis=2)
    volume = np.asfortranarray(np.clip(smooth, -1024, 3071).astype(np.int16))
    labels = np.zeros(shape, dtype=np.uint8, order="F")
    size = [max(3, n // 8) for n in shape]
    for value in range(1, LABELS + 1):
        start = [int(random.integers(0, n - s)) for n, s in zip(shape, size, strict=True)]
        labels[tuple(slice(a, a + s) for a, s in zip(start, size, strict=True))] = value
    counts = np.bincount(labels.ravel(order="K"), minlength=LABELS + 1)
    parts = {
        value: Named(
            f"organ_{value}", tuple(random.integers(0, 256, 3).tolist()), int(counts[value])
        )
        for value in range(1, LABELS + 1)
    }
    orientation = ras_orientation(grid)
    ordered = orientation.apply(volume)
    image = RasImage("ct", ordered, grid.reoriented(orientation), orientation, shape)
    piece = Piece("labels", parts, grid, lambda: labels)
    return ViewerModel(image, drawn(image.grid, [("", [piece])]))


def floor(viewer: ViewerModel) -> bytes:
    """Return a JPEG of the planes with no more than any viewer has to do for it."""
    sheet, (low, high) = viewer.sheet, Window(*viewer.window).limits
    picture = np.zeros((sheet.height, sheet.width, 3), np.uint8)
    (layer,) = viewer.overlays[0].layers
    colors = np.array([(0, 0, 0), *(found.color for found in viewer.classes)], np.float32)
    for pane in sheet.panes:
        axis = pane.plane.normal
        lines, columns = (
            np.linspace(viewer.image.grid.shape[side] - 1, 0, length).astype(int)
            for side, length in ((pane.plane.up, pane.height), (pane.plane.across, pane.width))
        )
        grey, numbers = (
            np.take(array, viewer.position[axis], axis)[np.ix_(columns, lines)].T
            for array in (viewer.image.voxels, layer.numbers)
        )
        shade = np.clip((grey - low) * (255 / (high - low)), 0, 255).astype(np.float32)
        part = np.repeat(shade[..., None], 3, axis=2)
        inside = numbers != 0
        part[inside] += (colors[numbers[inside]] - part[inside]) * viewer.opacity
        picture[pane.top : pane.top + pane.height, pane.left : pane.left + pane.width] = part
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=QUALITY, subsampling=FULL_COLOR)
    return out.getvalue()


def timed_floor(viewer: ViewerModel) -> float:
    """Return the seconds that the floor takes."""
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        floor(viewer)
        seconds.append(time.perf_counter() - start)
    return median(seconds)


@pytest.fixture(scope="module")
def viewer(request: pytest.FixtureRequest) -> ViewerModel:
    measured = request.config.getoption("--benchmark-enable")
    return large_viewer(LARGE if measured else SMALL)


@pytest.mark.parametrize("mode", ["fill", "outline"])
@pytest.mark.parametrize("plane", ["axl", "cor", "sag"])
def test_a_slider_step_draws_the_three_planes(benchmark, viewer, plane: str, mode: str) -> None:
    viewer.mode = mode
    size = viewer.image.grid.shape[{"sag": 0, "cor": 1, "axl": 2}[plane]]
    slices = count(size // 3)

    def step() -> bytes:
        viewer.go(plane, next(slices) % size)
        return viewer.jpeg()

    picture = benchmark(step)

    assert Image.open(io.BytesIO(picture)).size == (viewer.sheet.width, viewer.sheet.height)
    assert Image.open(io.BytesIO(floor(viewer))).size == Image.open(io.BytesIO(picture)).size
    assert len(viewer.classes) == LABELS
    if benchmark.enabled:
        stats, least = benchmark.stats.stats, timed_floor(viewer)
        benchmark.extra_info.update(ratio=stats.median / least)
        print(f"\n{plane}, {mode}: {stats.median / least:.2f} x ({1e3 * stats.median:.1f} ms)")
