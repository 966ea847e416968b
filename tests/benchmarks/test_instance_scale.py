"""Time, memory and requests of uploads to an instance, beside the SDK's own importer.

Twenty volumes with twenty classes each, and 20 ms for every request. Measure with
``python -m pytest tests/benchmarks --benchmark-enable -s``; without that flag the same code runs
once on two small volumes, as a test. Each upload is a process of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from instance import Platform, running_platform
from instance.endpoints import call
from uploads import new_dataset, new_project

VOLUMES, CLASSES, SHAPE = (20, 2), (20, 3), ((128, 128, 96), (24, 20, 16))
"""Measured, and as a test."""

LATENCY_S = 0.02

PEAK = """
import json, os, sys, time
def told(start, **more):
    status = open("/proc/self/status").read()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps({"seconds": time.perf_counter() - start, "peak_mb": peak, **more}))
source, dataset_id, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
"""

OURS = (
    PEAK
    + """
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
import nifti_kit as nk
nk.Instance, nk.plan, nk.scan, nk.upload  # loaded now: the time of imports does not count
api = SimpleNamespace(server_address=os.environ["SERVER_ADDRESS"], token=os.environ["API_TOKEN"])
start = time.perf_counter()
plan = nk.plan(nk.scan(source))
planned = time.perf_counter() - start
target = nk.Instance(api, dataset_id)
pool = ThreadPoolExecutor(workers) if workers else None
nk.upload(plan, target, on_progress=lambda _: None, executor=pool)
told(start, planned=planned)
"""
)

# The SDK's importer as its application runs it.
THEIRS = (
    PEAK
    + """
import supervisely as sly
from supervisely.convert.converter import ImportManager
start = time.perf_counter()
ImportManager(source, sly.ProjectType.VOLUMES).upload_dataset(dataset_id)
told(start)
"""
)

PROGRAMS = {"ours": (OURS, 0), "ours, 4 workers": (OURS, 4), "the SDK's": (THEIRS, 0)}

results: dict[str, dict[str, Any]] = {}

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peak memory is read there"
)


def write_source(folder: Path, volumes: int, classes: int, shape: tuple[int, int, int]) -> Path:
    """Write volumes with a folder of masks each, in the layout that the importer does best."""
    affine = np.diag([0.8, 0.8, 1.5, 1.0])
    random = np.random.default_rng(11)
    size = [max(3, n // 6) for n in shape]
    for number in range(volumes):
        name = f"Case{number:02}"
        (folder / name).mkdir(parents=True)
        voxels = np.clip(random.normal(0, 40, shape).cumsum(axis=2), -1024, 3071)
        image = nib.Nifti1Image(voxels.astype(np.int16), affine, dtype=np.int16)
        nib.save(image, folder / f"{name}.nii.gz")
        for kind in range(classes):
            mask = np.zeros(shape, np.uint8)
            first = [int(random.integers(0, n - s)) for n, s in zip(shape, size, strict=True)]
            mask[tuple(slice(a, a + s) for a, s in zip(first, size, strict=True))] = 1
            image = nib.Nifti1Image(mask, affine, dtype=np.uint8)
            # The importer takes file names for planes that have cor, sag or axl in them.
            nib.save(image, folder / name / f"organ{kind:02}.nii.gz")
    return folder


@pytest.fixture(scope="module")
def sources() -> Iterator[dict[bool, Path]]:
    """The source by whether it is measured; written when it is first asked for."""
    yield (found := {})
    for folder in found.values():
        shutil.rmtree(folder.parent)
    if len(results) == len(PROGRAMS):
        told_together()


def source_of(sources: dict[bool, Path], measured: bool, factory: Any) -> Path:
    if measured not in sources:
        one = 0 if measured else 1
        folder = factory.mktemp("scale") / "in"
        sources[measured] = write_source(folder, VOLUMES[one], CLASSES[one], SHAPE[one])
    return sources[measured]


def run(program: str, source: Path, platform: Platform, scratch: Path) -> dict[str, Any]:
    """Upload in a process of its own; return its time, its peak memory and its requests."""
    code, workers = PROGRAMS[program]
    dataset = new_dataset(platform, new_project(platform))
    for folder in ("data", "state"):
        (scratch / folder).mkdir()
    env = {
        **os.environ,
        "SERVER_ADDRESS": platform.address,
        "API_TOKEN": platform.token,
        "SLY_APP_DATA_DIR": str(scratch / "data"),
        "TEAM_ID": str(platform.state.team["id"]),
        "XDG_STATE_HOME": str(scratch / "state"),
        "HOME": str(scratch),
    }
    before = len(platform.requests)
    done = subprocess.run(
        [sys.executable, "-c", code, str(source), str(dataset), str(workers)],
        capture_output=True,
        text=True,
        check=False,
        env=env,
        cwd=scratch,
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    requests = platform.requests[before:]
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    sent = sum(one.size for one in requests) / 2**20
    kinds = Counter(one.method for one in requests)
    return {**result, "requests": len(requests), "sent_mb": sent, "methods": kinds}


@pytest.mark.parametrize("program", PROGRAMS)
def test_volumes_with_many_classes_land(
    benchmark: Any,
    tmp_path: Path,
    program: str,
    sources: dict[bool, Path],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> None:
    if program == "the SDK's":
        request.getfixturevalue("sly")
    source = source_of(sources, benchmark.enabled, tmp_path_factory)
    one = 0 if benchmark.enabled else 1
    with running_platform(latency=LATENCY_S if benchmark.enabled else 0.0) as platform:
        found = benchmark.pedantic(
            lambda: run(program, source, platform, tmp_path), rounds=1, iterations=1
        )
        state = platform.state
        assert platform.unknown == []
        assert len(state.volumes) == VOLUMES[one]
        assert len(state.figures) == VOLUMES[one] * CLASSES[one]
        assert set(state.geometries) == set(state.figures.rows)
        assert len(state.slices) == VOLUMES[one] * sum(SHAPE[one])
        assert call(state, "projects.list", {})["total"] == 1
    results[program] = found
    benchmark.extra_info.update(found)


def told_together() -> None:
    """Print the figures of all programs, and how ours compare."""
    theirs = results["the SDK's"]
    for program, found in results.items():
        print(
            f"\n{program}: {found['seconds']:.1f} s, peak {found['peak_mb']:.0f} MB, "
            f"{found['requests']} requests, {found['sent_mb']:.0f} MB sent; "
            f"{theirs['seconds'] / found['seconds']:.2f} times as fast as the SDK's, "
            f"with {found['peak_mb'] / theirs['peak_mb']:.2f} of its memory"
        )
        print(f"  {found['methods'].most_common(8)}")
