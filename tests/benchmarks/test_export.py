"""Export of a CT with a hundred organs beside its floor; each run is a process of its own.

The floor reads the project once and writes the files once: it unpacks every file of the project,
and packs the volume and the masks. Measure with ``python -m pytest
tests/benchmarks/test_export.py --benchmark-enable -s``; without that flag the same code runs once
on small cases, as a test. Ratios are of one run.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from tests.benchmarks.organs import write_ct, write_organs
from tests.benchmarks.processes import PEAK, run
from tests.support.landings import quiet

LARGE, SMALL = (512, 512, 300), (48, 40, 36)
LABELS, FEW_LABELS = 104, 5
COUNTS = ((10, 104), (2, 5))

EXPORT = (
    PEAK
    + """
import nifti_kit as nk
nk.ProjectFolder, nk.export, nk.scan
project, out, layout, like = sys.argv[1:5]
target = nk.ProjectFolder(project, "ct")
if like == "empty":
    told(time.perf_counter())
    sys.exit()
start = time.perf_counter()
export = nk.export(target, out, layout=layout, like=like or None, on_volume=lambda *_: None)
told(start, ok=export.ok, objects=sum(one.objects for one in export.entries))
"""
)

FLOOR = (
    PEAK
    + """
from pathlib import Path
from isal import igzip
project, files, out = map(Path, sys.argv[1:4])
buffer = memoryview(bytearray(2**17))
out.mkdir()
contents = {path.name: igzip.decompress(path.read_bytes()) for path in files.rglob("*.nii.gz")}
start = time.perf_counter()
for path in sorted(p for p in project.rglob("*.nrrd") if p.is_file()):
    with path.open("rb") as raw:
        while raw.readline().strip():
            pass
        stream = igzip.IGzipFile(fileobj=raw, mode="rb")
        while stream.readinto(buffer):
            pass
for name, content in contents.items():
    (out / name).write_bytes(igzip.compress(content, 1))
told(start)
"""
)

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peak memory is read there"
)


def landed(source: Path, project: Path, **choices: Any) -> None:
    plan = nk.plan(nk.scan(source, **choices), waive="planes-incomplete")
    nk.upload(plan, nk.ProjectFolder(project, "ct"), on_progress=quiet)


@pytest.mark.parametrize("form", ["by_plane", "like", "by_volume"])
def test_a_ct_of_many_labels(form: str, benchmark: Any, tmp_path: Path) -> None:
    shape, count = (LARGE, LABELS) if benchmark.enabled else (SMALL, FEW_LABELS)
    source, project = tmp_path / "in", tmp_path / "project"
    if form == "by_volume":
        write_organs(source / "ct.nii.gz", source / "ct", shape, count)
    else:
        write_ct(source, shape, count)
    landed(source, project)
    layout, like = ("by_plane", source) if form == "like" else (form, "")
    out = tmp_path / "out"
    job = lambda: run(EXPORT, project, out, layout, like)  # noqa: E731
    found = benchmark.pedantic(job, rounds=1, iterations=1)
    floor = run(FLOOR, project, source, tmp_path / "floor")
    assert found["ok"]
    assert found["objects"] == count
    print(
        f"\n{count} labels, {form}: export {found['seconds']:.2f} s, / floor "
        f"x {found['seconds'] / floor['seconds']:.2f}"
    )


def test_the_memory_is_that_of_one_volume_and_its_map(benchmark: Any, tmp_path: Path) -> None:
    """Beside the program without any work: whatever the number of labels."""
    at = 0 if benchmark.enabled else 1
    shape = (LARGE, SMALL)[at]
    one_mb = math.prod(shape) * np.dtype(np.int16).itemsize / 2**20
    for count in COUNTS[at]:
        source, project = tmp_path / f"in{count}", tmp_path / f"project{count}"
        write_ct(source, shape, count)
        landed(source, project)
        base = run(EXPORT, project, tmp_path / "none", "by_plane", "empty")
        for like in ("", source):
            out = tmp_path / f"out{count}{bool(like)}"
            found = run(EXPORT, project, out, "by_plane", like)
            peak_mb = found["peak_mb"] - base["peak_mb"]
            print(
                f"\n{count} labels{', like' * bool(like)}: peak / volume x {peak_mb / one_mb:.2f}"
            )
            if benchmark.enabled:
                assert peak_mb < 2 * one_mb
    benchmark.pedantic(lambda: None, rounds=1)
