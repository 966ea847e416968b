"""Time and memory of the whole job on a large case; each run is a process of its own.

Measure with ``python -m pytest tests/benchmarks --benchmark-enable -s``; without that flag the
same code runs once on a small case, as a test.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

LARGE, SMALL = (512, 512, 300), (96, 96, 40)
LABELS = 104
MEMORY_FACTOR = 3
"""Peak memory may be this many times the decoded size of the volume."""

INTERPRETER_MB = 150
"""What Python takes with the libraries loaded, before any voxel: it dominates small cases."""

# ru_maxrss of a child begins at its parent's: VmHWM is that of the process itself.
JOB = """
import json, sys, time
import nifti_kit as nk
source, out, verify = sys.argv[1], sys.argv[2], sys.argv[3] == "verify"
times = {}
def timed(name, call):
    start = time.perf_counter()
    value = call()
    times[name] = round(time.perf_counter() - start, 2)
    return value
dataset = timed("scan", lambda: nk.scan(source))
plan = timed("plan", lambda: nk.plan(dataset, waive="planes-incomplete"))
target = nk.ProjectFolder(out, dataset="ct")
receipt = timed("upload", lambda: nk.upload(plan, target, on_progress=lambda _: None))
ok = timed("verify", lambda: nk.verify(receipt, target).ok) if verify else None
status = open("/proc/self/status").read()
peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
print(json.dumps({"objects": sum(1 for _ in receipt.objects), "ok": ok, "peak_mb": peak, **times}))
"""


def write_ct(folder: Path, shape: tuple[int, int, int]) -> float:
    """Write an int16 volume and a label map of 104 organs; return the decoded size in MB."""
    folder.mkdir()
    affine = np.diag([-0.8, -0.8, 1.5, 1.0])
    random = np.random.default_rng(7)
    smooth = random.normal(0, 40, shape).cumsum(axis=2)
    volume = np.clip(smooth, -1024, 3071).astype(np.int16)
    nib.save(nib.Nifti1Image(volume, affine, dtype=np.int16), folder / "axl_anatomic.nii.gz")
    labels = np.zeros(shape, dtype=np.uint8)
    size = [max(3, n // 8) for n in shape]
    for value in range(1, LABELS + 1):
        start = [int(random.integers(0, n - s)) for n, s in zip(shape, size, strict=True)]
        box = tuple(slice(a, a + s) for a, s in zip(start, size, strict=True))
        labels[box] = value
    for value in range(1, LABELS + 1):  # none may be covered whole by the others
        labels[value % shape[0], (7 * value) % shape[1], value % shape[2]] = value
    nib.save(nib.Nifti1Image(labels, affine, dtype=np.uint8), folder / "axl_inference.nii.gz")
    return math.prod(shape) * 2 / 2**20


def run_job(source: Path, out: Path, verify: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", JOB, str(source), str(out), verify],
        capture_output=True,
        text=True,
        check=True,
    )
    result: dict = json.loads(done.stdout)
    return result


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read there")
@pytest.mark.parametrize("verify", ["upload", "verify"])
def test_memory_stays_under_three_times_the_decoded_volume(
    benchmark, tmp_path: Path, verify: str
) -> None:
    shape = LARGE if benchmark.enabled else SMALL
    decoded_mb = write_ct(tmp_path / "ct", shape)
    runs: list[dict] = []

    def job() -> None:
        runs.append(run_job(tmp_path / "ct", tmp_path / f"out{len(runs)}", verify))

    benchmark.pedantic(job, rounds=3 if benchmark.enabled else 1)
    benchmark.extra_info.update(runs[-1], decoded_mb=decoded_mb)
    if benchmark.enabled:
        print(f"\n{shape}: decoded {decoded_mb:.0f} MB, {runs[-1]}")
    assert runs[-1]["objects"] == LABELS
    assert runs[-1]["ok"] in (None, True)
    base_mb = 0 if shape == LARGE else INTERPRETER_MB
    assert runs[-1]["peak_mb"] < base_mb + MEMORY_FACTOR * decoded_mb
