"""Time, memory and requests of uploads to an instance, beside the SDK's own importer.

Twenty volumes with twenty classes each, and 20 ms for every request. Measure with
``python -m pytest tests/benchmarks --benchmark-enable -s``; without that flag the same code runs
once on two small volumes, as a test. Each upload is a process of its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from tests.benchmarks.processes import OURS_TO_INSTANCE, THEIRS_TO_INSTANCE, run_against
from tests.platform import Platform, running_platform
from tests.platform.endpoints import call
from tests.support.uploads import new_dataset, new_project

VOLUMES, CLASSES, SHAPE = (20, 2), (20, 3), ((128, 128, 96), (24, 20, 16))
"""Measured, and as a test."""

LATENCY_S = 0.02

PROGRAMS = {
    "ours": (OURS_TO_INSTANCE, 0),
    "ours, 4 workers": (OURS_TO_INSTANCE, 4),
    "the SDK's": (THEIRS_TO_INSTANCE, 0),
}

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


def upload(program: str, source: Path, platform: Platform, scratch: Path) -> dict[str, Any]:
    """Upload in a process of its own; return its time, its peak memory and its requests."""
    code, workers = PROGRAMS[program]
    dataset = new_dataset(platform, new_project(platform))
    return run_against(platform, scratch, code, source, dataset, workers)


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
            lambda: upload(program, source, platform, tmp_path), rounds=1, iterations=1
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
