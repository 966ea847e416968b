"""Opening an item: the first picture beside unpacking its files once, again, and at its peak.

Measure with ``python -m pytest tests/benchmarks/test_viewer_opening.py --benchmark-enable -s``;
without that flag the same code runs once on a small case, as a test. Each is a process of its own;
ratios are of one process.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from isal import igzip

from nifti_kit.core.geometry import Grid
from nifti_kit.formats.nifti import encode_image
from tests.benchmarks.organs import grid_of, label_map, write_ct, write_organs
from tests.benchmarks.processes import PEAK, run

LARGE, SMALL = (512, 512, 300), (48, 40, 32)
VERY_LARGE = (1024, 1024, 1000)
LABELS, FILES = 104, 117
MIB = 2**20

OPENED = (
    PEAK
    + """
from pathlib import Path
from isal import igzip
import nifti_kit as nk
from nifti_kit.formats import nifti
from nifti_kit.widgets.viewer.model import ViewerModel
import scipy.ndimage  # loaded now: the time of imports does not count
source, buffer, unpacked = Path(sys.argv[1]), bytearray(2**20), []
class Reader(nifti._Reader):
    def __enter__(self):
        unpacked.append(self._image.relative)
        return super().__enter__()
nifti._Reader = Reader
def timed(job):
    wall, cpu = time.perf_counter(), time.process_time()
    made = job()
    return made, time.perf_counter() - wall, time.process_time() - cpu
def floor():
    for path in source.rglob("*.nii.gz"):
        with igzip.open(path) as file:
            while file.readinto(buffer):
                pass
def opened():
    viewer = ViewerModel.of_item(dataset)
    return viewer, viewer.jpeg()
tell = dict(zip(("_", "floor", "floor_cpu"), timed(floor)))
dataset = nk.scan(source)
start = time.perf_counter()
(viewer, first), wall, cpu = timed(opened)
decodes = len(unpacked)
(_, picture), again, _ = timed(opened)
name = viewer.classes[len(viewer.classes) // 2].name
viewer.step("sag", 5)
clicks = {
    "slice": timed(lambda: (viewer.step("axl", 3), viewer.jpeg()))[1],
    "hide": timed(lambda: (viewer.show(name, on=False), viewer.jpeg()))[1],
    "find": timed(lambda: (viewer.find(name), viewer.jpeg()))[1],
}
told(start, floor=tell["floor"], floor_cpu=tell["floor_cpu"], first=wall, first_cpu=cpu,
     again=again, decodes=decodes, more=len(unpacked) - decodes, same=picture == first,
     files=len(list(source.rglob("*.nii.gz"))), **clicks)
"""
)


def write_pages(path: Path, grid: Grid, pages: Iterator[npt.NDArray[Any]], like: Any) -> None:
    """Write a NIfTI-1 file frame by frame: of a very large one no more is in memory."""
    start = bytearray(igzip.decompress(encode_image(np.zeros((1, 1, 1), like), grid))[:352])
    start[40:56] = struct.pack("<8h", 3, *grid.shape, 1, 1, 1, 1)
    with igzip.open(path, "wb", compresslevel=1) as file:
        file.write(bytes(start))
        for page in pages:
            file.write(page.tobytes(order="F"))


def write_very_large(folder: Path, shape: tuple[int, int, int]) -> Path:
    """Write a CT and its label map in the by-plane layout, with few greys: it is about memory."""
    folder.mkdir(parents=True)
    labels, grid = label_map(shape, LABELS, 7), grid_of(shape)
    pages = [labels[:, :, k] for k in range(shape[2])]
    write_pages(folder / "axl_inference.nii.gz", grid, iter(pages), np.uint8)
    greys = (page.astype(np.int16) * 10 - 1000 for page in pages)
    write_pages(folder / "axl_anatomic.nii.gz", grid, greys, np.int16)
    return folder


@pytest.mark.parametrize("layout", ["one map", "a file per class"])
def test_the_first_picture(benchmark: Any, tmp_path: Path, layout: str) -> None:
    shape = LARGE if benchmark.enabled else SMALL
    if layout == "one map":
        folder = write_ct(tmp_path / "ct", shape, LABELS)
    else:
        folder, count = tmp_path / "in", FILES if benchmark.enabled else 5
        write_organs(folder / "ct.nii.gz", folder / "ct", shape, count)
    rounds = 3 if benchmark.enabled else 1
    runs = [run(OPENED, folder) for _ in range(rounds)]
    told = benchmark.pedantic(lambda: min(runs, key=lambda one: one["first"] / one["floor"]))
    assert told["same"]
    assert (told["decodes"], told["more"]) == (told["files"], 0)
    if benchmark.enabled:
        print(
            f"\n{layout}: first picture {told['first']:.2f} s, "
            f"{told['first'] / told['floor']:.1f} x of reading its files once "
            f"(CPU {told['first_cpu'] / told['floor_cpu']:.1f} x), again {told['again']:.3f} s; "
            + ", ".join(
                f"{click} {1e3 * told[click]:.0f} ms" for click in ("slice", "hide", "find")
            )
        )


def test_the_peak_of_a_very_large_item(benchmark: Any, tmp_path: Path) -> None:
    shape = VERY_LARGE if benchmark.enabled else SMALL
    folder = write_very_large(tmp_path / "ct", shape)
    told = benchmark.pedantic(lambda: run(OPENED, folder))
    assert (told["decodes"], told["more"]) == (2, 0)
    if benchmark.enabled:
        need = 3 * np.prod(shape) / MIB
        print(
            f"\n{' x '.join(map(str, shape))}: peak {told['peak_mb']:.0f} MB, "
            f"{told['peak_mb'] / need:.2f} x of volume and labels"
        )
