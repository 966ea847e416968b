"""Comparisons of two label maps, beside reading them once and beside SimpleITK's filters.

Measure with ``python -m pytest tests/benchmarks/test_compare.py --benchmark-enable -s``; without
that flag the same code runs once on small maps, as a test. Ratios are of one run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nifti_kit.formats.nifti import encode_image
from tests.benchmarks.organs import grid_of, label_map
from tests.benchmarks.processes import PEAK, run

CASES = (((512, 512, 300), 104), ((48, 40, 36), 6))
"""Shape of the maps and how many labels they have: measured, and as a test."""

CHANGED = 5
"""Labels that a second reader has drawn otherwise."""

ROUNDS = 2
"""Each program runs so often, in turns; the fastest counts."""

READING = (
    PEAK
    + """
import nifti_kit as nk
from nifti_kit.formats.labels import read_labels
images = [nk.scan(folder).items[0].masks[0].image for folder in sys.argv[1:3]]
start, cpu = time.perf_counter(), time.process_time()
for image in images:
    read_labels(image)
told(start, cpu=time.process_time() - cpu)
"""
)

OURS = (
    PEAK
    + """
import nifti_kit as nk
import scipy.spatial, nibabel.orientations
nk.compare, nk.scan
start, cpu = time.perf_counter(), time.process_time()
found = nk.compare(*sys.argv[1:3], on_volume=lambda *_: None)
cpu = time.process_time() - cpu
rows = {one.objects[0]: (one.dice, one.hd95_mm, one.mean_mm) for one in found.differences}
told(start, cpu=cpu, ok=found.ok, rows=rows)
"""
)

# What people do with SimpleITK: all labels at once for Dice, and for the distances, label by label
# in the box of both masks, a distance map of either contour.
THEIRS = (
    PEAK
    + """
import numpy as np, SimpleITK as sitk
sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(len(os.sched_getaffinity(0)))
start, cpu = time.perf_counter(), time.process_time()
images = [sitk.ReadImage(folder + "/axl_inference.nii.gz") for folder in sys.argv[1:3]]
overlap = sitk.LabelOverlapMeasuresImageFilter()
overlap.Execute(*images)
shapes = [sitk.LabelShapeStatisticsImageFilter() for _ in images]
for shape, image in zip(shapes, images):
    shape.Execute(image)
rows = {}
for label in shapes[0].GetLabels():
    boxes = np.array([shape.GetBoundingBox(label) for shape in shapes])
    low, high = boxes[:, :3].min(axis=0), (boxes[:, :3] + boxes[:, 3:]).max(axis=0)
    size, at = [int(n) for n in high - low], [int(n) for n in low]
    masks = [sitk.RegionOfInterest(image, size, at) == label for image in images]
    edges = [sitk.LabelContour(sitk.ConstantPad(mask, [1] * 3, [1] * 3)) for mask in masks]
    away = [
        sitk.Abs(sitk.SignedMaurerDistanceMap(e, squaredDistance=False, useImageSpacing=True))
        for e in edges
    ]
    inside = [sitk.GetArrayViewFromImage(edge) > 0 for edge in edges]
    maps = [sitk.GetArrayViewFromImage(one) for one in away]
    both = np.concatenate([maps[1][inside[0]], maps[0][inside[1]]]).astype(float)
    dice = overlap.GetDiceCoefficient(label)
    rows[f"value {label}"] = (dice, np.percentile(both, 95), both.mean())
told(start, cpu=time.process_time() - cpu, rows=rows)
"""
)

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peak memory is read there"
)


@pytest.fixture
def maps(benchmark: Any, tmp_path: Path) -> dict[str, Path]:
    """Two folders with the same map, one with some labels moved, one with all of them."""
    shape, count = CASES[0 if benchmark.enabled else 1]
    labels = label_map(shape, count, seed=7)
    moved = np.roll(labels, 2, axis=0)
    some = np.where((labels <= CHANGED) & (labels > 0), 0, labels)
    some = np.where((moved <= CHANGED) & (moved > 0) & (some == 0), moved, some)
    versions = {"a": labels, "same": labels, "some": some, "all": moved}
    for name, version in versions.items():
        (tmp_path / name).mkdir()
        content = encode_image(version.astype(np.uint8), grid_of(shape))
        (tmp_path / name / "axl_inference.nii.gz").write_bytes(content)
    return {name: tmp_path / name for name in versions}


def fastest(benchmark: Any, *programs: tuple[str, Path, Path]) -> list[dict[str, Any]]:
    """Return what programs tell, each its fastest run; they take turns."""
    count = ROUNDS if benchmark.enabled else 1
    rounds = [[run(*program) for program in programs] for _ in range(count)]
    return [min(told, key=lambda one: float(one["cpu"])) for told in zip(*rounds, strict=True)]


def test_two_maps_beside_reading_both_once(benchmark: Any, maps: dict[str, Path]) -> None:
    a = maps["a"]
    floor, same, some = fastest(
        benchmark, (READING, a, maps["same"]), (OURS, a, maps["same"]), (OURS, a, maps["some"])
    )
    assert same["ok"]
    assert len(some["rows"]) >= CHANGED
    benchmark.pedantic(lambda: None, rounds=1)
    said = [
        f"{name}: x {one['cpu'] / floor['cpu']:.2f} (CPU), x "
        f"{one['seconds'] / floor['seconds']:.2f} (wall), peak + "
        f"{one['peak_mb'] - floor['peak_mb']:.0f} MB"
        for name, one in (("the same", same), (f"{len(some['rows'])} labels differ", some))
    ]
    print("\ntwo label maps / reading both once: " + "; ".join(said))


def test_two_maps_beside_the_filters_of_simpleitk(benchmark: Any, maps: dict[str, Path]) -> None:
    pytest.importorskip("SimpleITK")
    ours, theirs = fastest(
        benchmark, (OURS, maps["a"], maps["all"]), (THEIRS, maps["a"], maps["all"])
    )
    assert ours["rows"].keys() == theirs["rows"].keys()
    for name, row in ours["rows"].items():
        assert row == pytest.approx(theirs["rows"][name], abs=1e-4)  # they are float32
    benchmark.pedantic(lambda: None, rounds=1)
    print(
        f"\n{len(ours['rows'])} labels that all differ: SimpleITK / ours: x "
        f"{theirs['cpu'] / ours['cpu']:.1f} (CPU), x {theirs['seconds'] / ours['seconds']:.1f} "
        f"(wall), peak x {theirs['peak_mb'] / ours['peak_mb']:.1f}"
    )
