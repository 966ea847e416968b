"""Verification, and targets that are opened anew, on large cases; each run is a process of its own.

Measure with ``python -m pytest tests/benchmarks/test_verify_scale.py --benchmark-enable -s``;
without that flag the same code runs once on small cases, as a test. Ratios are of one run.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nifti_kit.core.geometry import Grid
from nifti_kit.formats.nifti import encode_image
from tests.benchmarks.organs import grid_of, write_organs
from tests.benchmarks.processes import PEAK, run
from tests.support.builders import write_nifti

LARGE, SMALL = (512, 512, 300), (48, 40, 36)
FILES, FEW_FILES = 117, 5
"""Mask files of one CT, as TotalSegmentator writes them; measured and as a test."""

ROUNDS = 2
"""The flow and its floor run so often."""

CELLS, CELLS_SHAPE = (10_000, 50), ((256, 256, 128), (32, 32, 24))
ITEMS = ((900, 1800, 3000), (4, 8))
SCALED = ((256, 256, 200), (32, 32, 24))

INTERPRETER = "import nifti_kit as nk; nk.scan, nk.plan, nk.upload, nk.verify, nk.ProjectFolder\n"

FLOW = (
    PEAK
    + INTERPRETER
    + """
source, out, layout = sys.argv[1:4]
clocks = {}
def timed(name, call):
    begun, cpu = time.perf_counter(), time.process_time()
    value = call()
    clocks[name + "_s"] = time.perf_counter() - begun
    clocks[name + "_cpu"] = time.process_time() - cpu
    return value
quiet = lambda *_: None
dataset = timed("scan", lambda: nk.scan(source, layout=layout))
if "check" in sys.argv:
    timed("check", lambda: nk.check(dataset))
plan = timed("plan", lambda: nk.plan(dataset, waive="planes-incomplete"))
start = time.perf_counter()
receipt = timed("upload", lambda: nk.upload(plan, nk.ProjectFolder(out, "d"), on_progress=quiet))
target = nk.ProjectFolder(out, "d")
proof = timed("verify", lambda: nk.verify(receipt, target, on_item=quiet))
told(start, ok=proof.ok, objects=len(proof.objects), **clocks)
"""
)

# What any proof must do: unpack the sources, and what landed.
READING = (
    PEAK
    + """
from pathlib import Path
from isal import igzip
buffer = memoryview(bytearray(2**17))
def read(path):
    with path.open("rb") as raw:
        if path.suffix == ".nrrd":
            while raw.readline().strip():
                pass
        stream = igzip.IGzipFile(fileobj=raw, mode="rb")
        while stream.readinto(buffer):
            pass
start, cpu = time.perf_counter(), time.process_time()
for folder in map(Path, sys.argv[1:]):
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in (".gz", ".nrrd"):
            read(path)
told(start, cpu=time.process_time() - cpu)
"""
)

AGAIN = (
    PEAK
    + INTERPRETER
    + """
source, out, anew = sys.argv[1], sys.argv[2], sys.argv[3] == "anew"
quiet = lambda *_: None
plan = nk.plan(nk.scan(source))
same = nk.ProjectFolder(out, "d")
target = lambda: nk.ProjectFolder(out, "d") if anew else same
receipt = nk.upload(plan, same, on_progress=quiet, journal=out + ".journal")
clocks = {}
def timed(name, call):
    cpu = time.process_time()
    value = call()
    clocks[name] = time.process_time() - cpu
    return value
start = time.perf_counter()
ok = timed("verify", lambda: nk.verify(receipt, target(), on_item=quiet).ok)
land = lambda **options: nk.upload(plan, target(), on_progress=quiet, **options)
timed("resume", lambda: land(journal=out + ".journal"))
timed("skip", lambda: land(existing="skip"))
timed("replace", lambda: land(existing="replace"))
told(start, ok=ok, clocks=clocks)
"""
)

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peak memory is read there"
)


def once(benchmark: Any, job: Any) -> Any:
    """Run a job under the benchmark's clock, and return what it tells."""
    return benchmark.pedantic(job, rounds=1, iterations=1)


def test_a_ct_of_many_mask_files(benchmark: Any, tmp_path: Path) -> None:
    """Verification beside reading all once (CPU), and the whole flow beside the same (wall)."""
    shape, count = (LARGE, FILES) if benchmark.enabled else (SMALL, FEW_FILES)
    source = tmp_path / "in"
    write_organs(source / "ct.nii.gz", source / "segmentations", shape, count)
    flows, floors = [], []
    for at in range(ROUNDS if benchmark.enabled else 1):  # in turns; the quickest of each counts
        out = tmp_path / f"out{at}"
        flows.append(run(FLOW, source, out, "pairs", "check"))
        floors.append(run(READING, source, out))
    once(benchmark, lambda: None)
    assert all(found["ok"] and found["objects"] == count for found in flows)
    found = min(flows, key=_whole)
    stages = [f"{name} {found[name + '_s']:.2f} s" for name in _STAGES]
    seconds, cpu = (min(floor[name] for floor in floors) for name in ("seconds", "cpu"))
    print(
        f"\n{count} mask files: verify / reading all once, CPU: "
        f"x {min(one['verify_cpu'] for one in flows) / cpu:.2f}; the whole flow / the same, wall: "
        f"x {_whole(found) / seconds:.2f} ({', '.join(stages)})"
    )


def _whole(found: dict[str, Any]) -> float:
    """Return the seconds of all stages."""
    return sum(float(found[f"{name}_s"]) for name in _STAGES)


_STAGES = ("scan", "check", "plan", "upload", "verify")


def write_cells(folder: Path, shape: tuple[int, int, int], count: int) -> Path:
    """Write a label map of many small blocks, and a volume."""
    folder.mkdir()
    cells, side = np.zeros(shape, np.uint16), math.ceil(count ** (1 / 3) * 1.3)
    steps = [size // side for size in shape]
    for number, corner in zip(range(1, count + 1), np.ndindex(side, side, side), strict=False):
        first = [at * step for at, step in zip(corner, steps, strict=True)]
        cells[tuple(slice(a, a + max(1, s - 1)) for a, s in zip(first, steps, strict=True))] = (
            number
        )
    noise = np.random.default_rng(1).integers(0, 300, shape).astype(np.int16)
    (folder / "axl_inference_1.nii.gz").write_bytes(encode_image(cells, grid_of(shape)))
    (folder / "axl_anatomic.nii.gz").write_bytes(encode_image(noise, grid_of(shape)))
    return folder


def test_many_objects_in_one_map(benchmark: Any, tmp_path: Path) -> None:
    at = 0 if benchmark.enabled else 1
    source = write_cells(tmp_path / "in", CELLS_SHAPE[at], CELLS[at])
    found = once(benchmark, lambda: run(FLOW, source, tmp_path / "out", "auto"))
    assert found["ok"]
    assert found["objects"] == CELLS[at]
    print(f"\n{CELLS[at]} objects in one map: verify {found['verify_s']:.2f} s")


def test_the_memory_of_a_scaled_volume(benchmark: Any, tmp_path: Path) -> None:
    """Beside the same flow of a volume of one voxel: what the program itself takes goes off."""
    shape, (source, small) = SCALED[0 if benchmark.enabled else 1], (tmp_path / "a", tmp_path / "b")
    noise = np.random.default_rng(1).integers(0, 300, shape).astype(np.int16)
    write_nifti(source / "A.nii", noise, slope=0.5)
    write_nifti(small / "A.nii", noise[:1, :1, :1], slope=0.5)
    found = once(benchmark, lambda: run(FLOW, source, tmp_path / "out", "auto"))
    base = run(FLOW, small, tmp_path / "out_small", "auto")
    assert found["ok"]
    landed_mb = math.prod(shape) * np.dtype(np.float32).itemsize / 2**20
    peak_mb = found["peak_mb"] - base["peak_mb"]
    print(f"\na scaled volume: peak of upload and verify / landed: x {peak_mb / landed_mb:.2f}")


def test_a_target_opened_anew_beside_the_same_object(benchmark: Any, tmp_path: Path) -> None:
    counts, before = ITEMS[0 if benchmark.enabled else 1], {}
    for count in counts:
        source = tmp_path / f"in{count}"
        voxels, grid = np.arange(512, dtype=np.int16).reshape(8, 8, 8), Grid((8, 8, 8), np.eye(4))
        for number in range(count):
            folder = source / f"A{number:05}"
            folder.mkdir(parents=True)
            (source / f"{folder.name}.nii.gz").write_bytes(encode_image(voxels, grid))
            mask = encode_image((voxels < 9).astype(np.uint8), grid)
            (folder / "liver.nii.gz").write_bytes(mask)
        same = run(AGAIN, source, tmp_path / f"same{count}", "same")
        anew = run(AGAIN, source, tmp_path / f"anew{count}", "anew")
        assert same["ok"]
        assert anew["ok"]
        for name, seconds in anew["clocks"].items():
            beside = seconds / same["clocks"][name]
            text = f"\n{count} items, {name}: anew / same object x {beside:.2f}"
            if before:
                text += f", x {seconds / before[name]:.2f} of the number of items before"
            print(text, end="")
        before = anew["clocks"]
    benchmark.pedantic(lambda: None, rounds=1)
