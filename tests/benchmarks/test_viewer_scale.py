"""Time of a slider step in the viewer on a large case: draw the three planes anew, as a JPEG.

Measure with ``python -m pytest tests/benchmarks --benchmark-enable -s``; without that flag the
same code runs once on a small case, as a test.
"""

from __future__ import annotations

import io
from itertools import count

import numpy as np
import pytest
from PIL import Image

from nifti_kit.core.geometry import Grid, ras_orientation
from nifti_kit.widgets.viewer.loading import Named, Piece, RasImage, drawn
from nifti_kit.widgets.viewer.model import ViewerModel

LARGE, SMALL = (512, 512, 300), (96, 96, 40)
LABELS = 104
LIMIT_MS = 30
"""What a step may cost in the kernel on a quiet machine."""


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
    assert len(viewer.classes) == LABELS
    if benchmark.enabled:
        stats = benchmark.stats.stats
        benchmark.extra_info.update(limit_ms=LIMIT_MS)
        print(f"\n{plane}, {mode}: {1e3 * stats.median:.1f} ms, {1e3 * stats.max:.1f} at most")
