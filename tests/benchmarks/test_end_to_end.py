"""The two whole jobs on a CT with a hundred organs: to an instance, and to a project folder.

Measure with ``python -m pytest tests/benchmarks/test_end_to_end.py --benchmark-enable -s``; without
that flag the same code runs once on small cases, as a test. Figures are printed as ratios of one
run: beside the SDK's own importer, and beside the floor (unpack the files, pack the same bytes).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import nrrd
import numpy as np
import pytest

from tests.benchmarks.organs import write_ct
from tests.benchmarks.processes import (
    FLOOR,
    OURS_TO_FOLDER,
    OURS_TO_INSTANCE,
    THEIRS_TO_INSTANCE,
    run,
    run_against,
)
from tests.platform import Platform, running_platform
from tests.support.uploads import new_dataset, new_project

LARGE, SMALL = (512, 512, 300), (48, 40, 36)
LABELS, FEW_LABELS = 104, 5
COUNTS = ((10, 50, 104), (2, 5))
"""Labels of one CT, measured and as a test."""

VOLUMES, VOLUME = ((1, 10, 50), (1, 2)), ((128, 128, 96), (24, 20, 16))
"""How many volumes, and of which size; each with ten labels."""

LATENCY_S = 0.02
"""Of each request where memory is compared: all that may be under way at a time is then."""

ROUNDS = 3

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peak memory is read there"
)

results: dict[str, dict[str, Any]] = {}


def best(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The quickest of several runs, with the largest of their peaks."""
    peak = max(one["peak_mb"] for one in found)
    return {**min(found, key=lambda one: one["seconds"]), "peak_mb": peak}


def measure(benchmark: Any, job: Callable[[int], dict[str, Any]], rounds: int) -> dict[str, Any]:
    """Run a job; keep its figures beside pytest-benchmark's own."""
    found: list[dict[str, Any]] = []
    rounds = rounds if benchmark.enabled else 1
    benchmark.pedantic(lambda: found.append(job(len(found))), rounds=rounds, iterations=1)
    told = best(found)
    benchmark.extra_info.update({k: v for k, v in told.items() if k != "methods"})
    return told


def tell(name: str, found: dict[str, Any], beside: str = "") -> None:
    """Keep figures, and print them beside others of the same run."""
    results[name] = found
    text = f"\n{name}: {found['seconds']:.2f} s, peak {found['peak_mb']:.0f} MB"
    if "requests" in found:
        text += f", {found['requests']} requests, {found['sent_mb']:.0f} MB sent"
    if beside in results:
        other = results[beside]
        text += (
            f"; time x {found['seconds'] / other['seconds']:.3f}, "
            f"memory x {found['peak_mb'] / other['peak_mb']:.3f} of {beside!r}"
        )
    print(text)


@pytest.fixture(scope="module")
def ct(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool, int], Path]:
    """Gives the folder of a CT with so many labels; it is written when first asked for."""
    folder = tmp_path_factory.mktemp("ct")

    def written(large: bool, count: int) -> Path:
        path = folder / f"{large}_{count}"
        return path if path.exists() else write_ct(path, LARGE if large else SMALL, count)

    return written


def differing(platform: Platform, source: Path) -> list[str]:
    """The labels whose landed voxels are not bit for bit those of the file, in RAS+ order."""
    state = platform.state
    image = nib.as_closest_canonical(nib.load(source / "axl_inference.nii.gz"))
    expected = np.asarray(image.dataobj)
    wrong = []
    for number, content in state.geometries.items():
        kind = state.objects.rows[state.figures.rows[number]["objectId"]]["classId"]
        name = state.classes.rows[kind]["name"]
        stream = io.BytesIO(content)
        landed = nrrd.read_data(nrrd.read_header(stream), stream)
        if not np.array_equal(landed, expected == int(name.removeprefix("Segment_"))):
            wrong.append(name)
    return wrong


@pytest.mark.parametrize("program", ["the SDK's", "ours"])
def test_a_ct_of_many_organs_lands_on_an_instance(
    benchmark: Any,
    tmp_path: Path,
    program: str,
    ct: Callable[[bool, int], Path],
    request: pytest.FixtureRequest,
) -> None:
    labels = LABELS if benchmark.enabled else FEW_LABELS
    source = ct(benchmark.enabled, labels)
    code, rounds = OURS_TO_INSTANCE, ROUNDS
    if program == "the SDK's":
        request.getfixturevalue("sly")
        code, rounds = THEIRS_TO_INSTANCE, 1

    def job(number: int) -> dict[str, Any]:
        with running_platform() as platform:
            dataset = new_dataset(platform, new_project(platform))
            found = run_against(platform, tmp_path / str(number), code, source, dataset, 0)
            assert len(platform.state.geometries) == labels
            assert differing(platform, source) == []
        return found

    found = measure(benchmark, job, rounds)
    tell(f"a CT to an instance, {program}", found, "a CT to an instance, the SDK's")


@pytest.mark.parametrize("program", ["the floor", "ours"])
def test_a_ct_of_many_organs_lands_in_a_folder(
    benchmark: Any, tmp_path: Path, program: str, ct: Callable[[bool, int], Path]
) -> None:
    labels = LABELS if benchmark.enabled else FEW_LABELS
    source = ct(benchmark.enabled, labels)
    code = FLOOR if program == "the floor" else OURS_TO_FOLDER
    found = measure(benchmark, lambda n: run(code, source, tmp_path / f"out{n}"), ROUNDS)
    written = sum(path.is_file() for path in (tmp_path / "out0").rglob("*.nrrd"))
    assert written == (0 if program == "the floor" else labels + 1)
    tell(f"a CT to a folder, {program}", found, "a CT to a folder, the floor")


@pytest.mark.parametrize("at", [0, 1, 2])
def test_time_and_memory_by_the_number_of_labels(
    benchmark: Any, tmp_path: Path, at: int, ct: Callable[[bool, int], Path]
) -> None:
    counts = COUNTS[0] if benchmark.enabled else COUNTS[1]
    if at >= len(counts):
        pytest.skip("only where it is measured")
    source = ct(benchmark.enabled, counts[at])
    found = measure(benchmark, lambda n: run(OURS_TO_FOLDER, source, tmp_path / f"out{n}"), ROUNDS)
    assert len(list((tmp_path / "out0").rglob("mask/*/*.nrrd"))) == counts[at]
    tell(f"{counts[at]} labels to a folder", found, f"{counts[0]} labels to a folder")


@pytest.mark.parametrize("where", ["a folder", "an instance"])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_time_and_memory_by_the_number_of_volumes(
    benchmark: Any, tmp_path: Path, at: int, where: str
) -> None:
    counts = VOLUMES[0] if benchmark.enabled else VOLUMES[1]
    if at >= len(counts):
        pytest.skip("only where it is measured")
    source, shape = tmp_path / "in", VOLUME[0] if benchmark.enabled else VOLUME[1]
    for number in range(counts[at]):
        write_ct(source / f"case{number:03}", shape, FEW_LABELS, seed=number)

    def job(number: int) -> dict[str, Any]:
        if where == "a folder":
            return run(OURS_TO_FOLDER, source, tmp_path / f"out{number}")
        with running_platform(latency=LATENCY_S if benchmark.enabled else 0.0) as platform:
            dataset = new_dataset(platform, new_project(platform))
            scratch = tmp_path / str(number)
            found = run_against(platform, scratch, OURS_TO_INSTANCE, source, dataset, 0)
            assert len(platform.state.geometries) == FEW_LABELS * counts[at]
            return found

    found = measure(benchmark, job, ROUNDS)
    tell(f"{counts[at]} volumes to {where}", found, f"{counts[0]} volumes to {where}")
