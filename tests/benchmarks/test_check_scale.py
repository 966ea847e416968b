"""Time of a check that reads headers only: in proportion to the number of files.

Measure with ``python -m pytest tests/benchmarks --benchmark-enable -s``; without that flag the
same code runs once on a few files, as a test.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import nifti_kit as nk
from tests.support import handmade

LARGE, SMALL = (100, 300, 1000), (3, 4, 5)
MASKS = ("liver", "spleen")
FILES = 1 + len(MASKS)
SHAPE = (16, 16, 12)
MORE = 1.1
"""Sorting takes this much more work for each of twice as many files; it is no quadratic place."""


def write_items(folder: Path, count: int) -> None:
    """Write as many volumes, each with a folder of two masks."""
    header = handmade.header_bytes(SHAPE, sform_code=1, srow_x=[2, 0, 0, 0], srow_y=[0, 3, 0, 0])
    header = header[:312] + np.array([0, 0, 5, 0], "<f4").tobytes() + header[328:]
    random = np.random.default_rng(3)
    for number in range(count):
        case = f"case_{number:04}"
        (folder / case).mkdir(parents=True)
        for path in (f"{case}.nii.gz", *(f"{case}/{mask}.nii.gz" for mask in MASKS)):
            voxels = random.integers(0, 3, SHAPE, dtype=np.int16).tobytes()
            (folder / path).write_bytes(gzip.compress(header + voxels, 1))


@pytest.mark.parametrize("size", range(len(LARGE)))
def test_a_check_of_headers_takes_time_in_proportion(benchmark, tmp_path: Path, size: int) -> None:
    items = (LARGE if benchmark.enabled else SMALL)[size]
    write_items(tmp_path, items)
    dataset = nk.scan(tmp_path)

    findings = benchmark.pedantic(
        lambda: nk.check(dataset, voxels=False), rounds=3 if benchmark.enabled else 1
    )

    assert len(dataset.items) == items
    assert sum(len(item.images) for item in dataset.items) == FILES * items
    assert not findings
    if benchmark.enabled:
        per_file_ms = 1000 * benchmark.stats.stats.min / (FILES * items)
        benchmark.extra_info.update(per_file_ms=per_file_ms)
        print(f"\n{items} items: {per_file_ms:.3f} ms per file, {FILES * items} files")


def calls_of(job: Callable[[], object]) -> int:
    """Return how many functions a job calls: its work, on a machine of any speed."""
    calls = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        job()
    finally:
        sys.setprofile(before)
    return calls


def test_each_further_file_costs_the_same_work(tmp_path: Path) -> None:
    work = {"scan": [], "check": []}
    for count in (2, 20, 40, 80):  # the first one loads what is loaded once
        write_items(tmp_path / str(count), count)
        work["scan"].append(calls_of(lambda folder=tmp_path / str(count): nk.scan(folder)))
        dataset = nk.scan(tmp_path / str(count))
        work["check"].append(calls_of(lambda found=dataset: nk.check(found, voxels=False)))
    for _, first, second, third in work.values():
        assert third - second < 2 * MORE * (second - first)
