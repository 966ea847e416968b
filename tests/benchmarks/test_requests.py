"""Requests to an instance, beside the least that would do; and what a large CT takes.

Measure with ``python -m pytest tests/benchmarks/test_requests.py --benchmark-enable -s``; without
that flag the same code runs once on small cases, as a test. Each upload of a CT is a process of its
own.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

import nifti_kit as nk
from tests.benchmarks.organs import grey_values, grid_of, write_organs
from tests.benchmarks.processes import OURS_TO_INSTANCE, THEIRS_TO_INSTANCE, run_against
from tests.platform import Platform, running_platform
from tests.support.landings import quiet
from tests.support.uploads import new_dataset, new_project, new_target

VOLUMES, MASKS = (1, 5, 20), 3
SHAPE, SMALL = (128, 128, 96), (24, 20, 16)

LATENCY_S = 0.1
"""Of each request: an instance on another continent."""

CT, FILES = ((512, 512, 300), (36, 32, 24)), (117, 3)
"""TotalSegmentator's layout, measured and as a test."""

SLOPE = 0.5

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peak memory is read there"
)

results: dict[str, dict[str, Any]] = {}


def write_mask_files(folder: Path, shape: tuple[int, int, int], volumes: int, masks: int) -> Path:
    """Write volumes with a mask file for each class of each; return the folder."""
    for number in range(volumes):
        name = f"Case{number:02}"
        volume = folder / f"{name}.nii.gz"
        write_organs(volume, folder / name, shape, masks, seed=number)
    return folder


@pytest.mark.parametrize("count", VOLUMES)
def test_requests_of_an_upload_and_of_its_verification(
    benchmark: Any, tmp_path: Path, count: int
) -> None:
    shape, latency = (SHAPE, LATENCY_S) if benchmark.enabled else (SMALL, 0.0)
    plan = nk.plan(nk.scan(write_mask_files(tmp_path / "in", shape, count, MASKS)))
    with running_platform(latency=latency) as platform:
        begun = time.perf_counter()
        target = new_target(platform)
        receipt = nk.upload(plan, target, on_progress=quiet)
        upload_s, uploaded = time.perf_counter() - begun, len(platform.requests)
        begun = time.perf_counter()
        proof = benchmark.pedantic(
            lambda: nk.verify(receipt, target, on_item=lambda *_: None), rounds=1, iterations=1
        )
        verify_s = time.perf_counter() - begun
        verified = len(platform.requests) - uploaded
    assert proof.ok
    assert len(proof.objects) == count * MASKS
    assert uploaded <= 1.6 * (4 * count + 8)
    assert verified == 4 * count + 3
    print(
        f"\n{count} volumes: {uploaded} requests of an upload, x {uploaded / (4 * count + 8):.2f} "
        f"of the least; {verified} of a verify, x {verified / (4 * count):.2f} of 4 a volume; "
        f"its time x {verify_s / upload_s:.2f} of the upload's"
    )


@pytest.mark.parametrize("program", ["the SDK's", "ours"])
def test_a_ct_with_a_file_for_each_organ_lands_on_an_instance(
    benchmark: Any, tmp_path: Path, program: str, request: pytest.FixtureRequest
) -> None:
    at = 0 if benchmark.enabled else 1
    code = OURS_TO_INSTANCE
    if program == "the SDK's":
        request.getfixturevalue("sly")
        code = THEIRS_TO_INSTANCE
    source = write_mask_files(tmp_path / "in", CT[at], 1, FILES[at])
    rounds = 3 if benchmark.enabled and program == "ours" else 1
    found: list[dict[str, Any]] = []

    def job() -> None:
        with running_platform() as platform:
            dataset = new_dataset(platform, new_project(platform))
            scratch = tmp_path / f"run{len(found)}"
            found.append(run_against(platform, scratch, code, source, dataset, 0))
            assert len(platform.state.geometries) == FILES[at]

    benchmark.pedantic(job, rounds=rounds, iterations=1)
    results[program] = best = min(found, key=lambda one: one["seconds"])
    print(f"\n{FILES[at]} mask files, {program}: {best['seconds']:.1f} s, {best['peak_mb']:.0f} MB")
    if len(results) > 1:
        theirs = results["the SDK's"]
        print(
            f"the SDK's / ours: time {theirs['seconds'] / best['seconds']:.1f}, "
            f"memory {theirs['peak_mb'] / best['peak_mb']:.1f}"
        )


def write_scaled(folder: Path, shape: tuple[int, int, int]) -> Path:
    """Write a volume of int16 with a slope; return the folder."""
    folder.mkdir(parents=True)
    labels = np.zeros(shape, np.uint8)
    image = nib.Nifti1Image(grey_values(labels, 1), grid_of(shape).affine)
    image.header.set_slope_inter(SLOPE, 1)
    image.header.set_data_dtype(np.int16)
    path = folder / "V.nii.gz"
    nib.save(image, path)
    return folder


def peak_of(platform: Platform, scratch: Path, source: Path) -> float:
    """Return the peak (MB) of an upload of a source."""
    dataset = new_dataset(platform, new_project(platform, scratch.name))
    return float(run_against(platform, scratch, OURS_TO_INSTANCE, source, dataset, 0)["peak_mb"])


def test_memory_of_an_upload_of_a_scaled_volume(benchmark: Any, tmp_path: Path) -> None:
    shape = CT[0] if benchmark.enabled else CT[1]
    with running_platform() as platform:
        bare = peak_of(platform, tmp_path / "a", write_scaled(tmp_path / "small", CT[1]))
        source = write_scaled(tmp_path / "large", shape)
        peak = benchmark.pedantic(
            lambda: peak_of(platform, tmp_path / "b", source), rounds=1, iterations=1
        )
        assert len(platform.state.volumes) == 2
    landed = np.prod(shape) * np.dtype(np.float32).itemsize / 2**20
    print(f"\na scaled volume: peak x {(peak - bare) / landed:.2f} of the landed volume")
