"""What a check takes beside reading each file once, and beside nnU-Net's own check of a data set.

Measure with ``python -m pytest tests/benchmarks/test_check_once.py --benchmark-enable -s``; without
that flag the same code runs once on small cases, as a test. nnU-Net's is run by the Python that
``NNUNET_PYTHON`` names, by default this one, and left out where that has no nnunetv2.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.formats import nifti
from nifti_kit.formats.nifti import encode_image
from tests.benchmarks.organs import grey_values, grid_of, label_map, write_ct, write_organs
from tests.benchmarks.processes import run

LARGE, SMALL = (512, 512, 300), (48, 40, 36)
ORGANS, FEW_ORGANS = 117, 9
"""Mask files of TotalSegmentator."""

LABELS, FEW_LABELS = 104, 5
CASES, FEW_CASES = 100, 3
CASE, SMALL_CASE = (128, 128, 96), (24, 20, 16)
CASE_LABELS = 10
ROUNDS = 3

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peak memory is read there"
)

TOLD = """
import json, resource, sys, time
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
def told(start, used, **more):
    seconds, used = time.perf_counter() - start, cpu() - used
    peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps({"seconds": seconds, "cpu": used, "peak_mb": peak, **more}))
"""

CHECK = (
    TOLD
    + """
import scipy.ndimage, scipy.sparse.csgraph  # the time of imports does not count
import nifti_kit as nk
nk.check
dataset = nk.scan(sys.argv[1], layout=sys.argv[2])
start, used = time.perf_counter(), cpu()
found = nk.check(dataset, on_item=lambda *_: None)
told(start, used, codes=sorted({one.code for one in found}))
"""
)

# Each file is unpacked once, into a buffer that is used again.
READ = (
    TOLD
    + """
from pathlib import Path
from isal import igzip
buffer = bytearray(2**17)
start, used = time.perf_counter(), cpu()
for path in sorted(Path(sys.argv[1]).rglob("*.nii.gz")):
    with igzip.IGzipFile(filename=str(path), mode="rb") as stream:
        while stream.readinto(buffer):
            pass
told(start, used)
"""
)

NNUNET = (
    TOLD
    + """
from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity
if __name__ == "__main__":
    start, used = time.perf_counter(), cpu()
    verify_dataset_integrity(sys.argv[1], 2)
    told(start, used)
"""
)


def write_cases(folder: Path, shape: tuple[int, int, int], count: int) -> Path:
    """Write a data set as nnU-Net wants it; return its folder."""
    folder = folder / "Dataset001_Organs"
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True)
    grid = grid_of(shape)
    for case in range(count):
        labels = label_map(shape, CASE_LABELS, case)
        for name, voxels in (("labelsTr/case_{:03}", labels), ("imagesTr/case_{:03}_0000", None)):
            content = encode_image(grey_values(labels, case) if voxels is None else voxels, grid)
            (folder / f"{name.format(case)}.nii.gz").write_bytes(content)
    names = {"background": 0} | {f"organ {value}": value for value in range(1, CASE_LABELS + 1)}
    told = {"channel_names": {"0": "CT"}, "labels": names, "numTraining": count}
    (folder / "dataset.json").write_text(json.dumps({**told, "file_ending": ".nii.gz"}))
    return folder


def many_files(folder: Path, large: bool) -> Path:
    case, shape, count = folder / "s0001", *((LARGE, ORGANS) if large else (SMALL, FEW_ORGANS))
    write_organs(case / "ct.nii.gz", case / "segmentations", shape, count)
    return folder


def one_map(folder: Path, large: bool) -> Path:
    return write_ct(folder, LARGE if large else SMALL, LABELS if large else FEW_LABELS)


def many_cases(folder: Path, large: bool) -> Path:
    return write_cases(folder, CASE if large else SMALL_CASE, CASES if large else FEW_CASES)


LAYOUTS = {"a file for each organ": (many_files, "pairs"), "one map": (one_map, "by_plane")}
LAYOUTS["many cases"] = (many_cases, "pairs")


@pytest.mark.parametrize(("write", "layout"), LAYOUTS.values(), ids=list(LAYOUTS))
def test_a_check_beside_reading_each_file_once(
    benchmark: Any, tmp_path: Path, write: Callable[[Path, bool], Path], layout: str
) -> None:
    source = write(tmp_path / "source", benchmark.enabled)
    found: list[tuple[dict[str, Any], dict[str, Any]]] = []
    rounds = ROUNDS if benchmark.enabled else 1
    # In turn, so that both meet the same machine.
    benchmark.pedantic(
        lambda: found.append((run(CHECK, source, layout), run(READ, source))), rounds=rounds
    )
    (cpu, floor), (seconds, alone) = (
        (min(ours[what] for ours, _ in found), min(floor[what] for _, floor in found))
        for what in ("cpu", "seconds")
    )
    peak = max(ours["peak_mb"] for ours, _ in found)
    benchmark.extra_info.update(cpu=cpu / floor, seconds=seconds / alone, peak_mb=peak)
    print(
        f"\n{write.__name__}: check / reading each file once: CPU x {cpu / floor:.2f} ({cpu:.2f} s "
        f"/ {floor:.2f} s), wall x {seconds / alone:.2f} ({seconds:.2f} s); peak {peak:.0f} MB"
    )
    assert not {"file-unreadable", "labels-unusable"} & set(found[0][0]["codes"])


@pytest.mark.parametrize(("write", "layout"), LAYOUTS.values(), ids=list(LAYOUTS))
def test_each_file_is_unpacked_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[Path, bool], Path],
    layout: str,
) -> None:
    dataset = nk.scan(write(tmp_path / "source", False), layout=layout)
    opened: Counter[Path] = Counter()
    open_stream = nifti.open_stream

    def counted(path: Path, content: bytes | None = None) -> Any:
        opened[path] += 1
        return open_stream(path, content)

    monkeypatch.setattr(nifti, "open_stream", counted)
    monkeypatch.setattr("nifti_kit.checks.files.open_stream", counted)
    nk.check(dataset)
    nk.plan(dataset)
    images = {image.path for item in dataset.items for image in item.images}
    assert opened == dict.fromkeys(images, 1)


def test_a_check_beside_that_of_nnunet(benchmark: Any, tmp_path: Path) -> None:
    python = os.environ.get("NNUNET_PYTHON", sys.executable)
    known = subprocess.run([python, "-c", "import nnunetv2"], capture_output=True, check=False)
    if known.returncode:
        pytest.skip("nnunetv2 is not installed; NNUNET_PYTHON may name a Python that has it")
    source = many_cases(tmp_path, benchmark.enabled)
    program = tmp_path / "nnunet.py"  # its processes import the program
    program.write_text(NNUNET)
    scratch = {name: str(tmp_path) for name in ("preprocessed", "results", "raw")}
    env = {**os.environ, **{f"nnUNet_{name}": path for name, path in scratch.items()}}

    def theirs() -> dict[str, Any]:
        done = subprocess.run(
            [python, program, source], capture_output=True, text=True, check=True, env=env
        )
        told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return told

    found: list[tuple[float, float]] = []
    benchmark.pedantic(
        lambda: found.append((theirs()["seconds"], run(CHECK, source, "pairs")["seconds"])),
        rounds=ROUNDS if benchmark.enabled else 1,
    )
    nnunet, ours = (min(times) for times in zip(*found, strict=True))
    benchmark.extra_info.update(ratio=nnunet / ours)
    print(f"\nnnU-Net's check / ours, wall: x {nnunet / ours:.2f} ({nnunet:.2f} s / {ours:.2f} s)")
    assert ours > 0
