"""Each stage of an upload by itself, beside the SDK's own code for it on the same files.

Measure with ``python -m pytest tests/benchmarks/test_stages.py --benchmark-enable``: each stage is
a group of the table, whose ratios are of one run. Without the flag the same code runs once on a
small case. Results are compared either way.
"""

from __future__ import annotations

import io
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nibabel as nib
import nrrd
import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.core.geometry import ras_orientation
from nifti_kit.formats.labels import read_labels, survey_labels
from nifti_kit.formats.nifti import encode_image, read_header, read_voxels
from nifti_kit.formats.nrrd import page_bytes, volume_pieces
from nifti_kit.formats.volumes import iter_pages, mask_bytes, open_volume
from tests.benchmarks.organs import grid_of, write_ct

LARGE, SMALL = (512, 512, 300), (40, 36, 32)
LABELS, FEW_LABELS = 10, 3
"""The SDK takes a second for each label of a large CT."""

FILES = (10_000, 20)
"""Gzip files to scan, measured and as a test."""


@pytest.fixture(scope="module")
def cases() -> dict[bool, Path]:
    """The folders that were written, by whether they are measured."""
    return {}


@pytest.fixture
def ct(benchmark: Any, cases: dict[bool, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a CT with some organs: large where it is measured."""
    large = benchmark.enabled
    if large not in cases:
        folder = tmp_path_factory.mktemp("ct") / "ct"
        shape, labels = (LARGE, LABELS) if large else (SMALL, FEW_LABELS)
        cases[large] = write_ct(folder, shape, labels)
    return cases[large]


def volume_of(ct: Path) -> Path:
    return ct / "axl_anatomic.nii.gz"


def masks_of(ct: Path) -> Path:
    return ct / "axl_inference.nii.gz"


def voxels_in(content: bytes) -> Any:
    stream = io.BytesIO(content)
    return nrrd.read_data(nrrd.read_header(stream), stream)


# Each returns voxels, or files whose voxels are compared.


def nifti_read_by_us(ct: Path) -> Any:
    return read_voxels(read_header(volume_of(ct)))


def nifti_read_by_nibabel(ct: Path) -> Any:
    return np.asarray(nib.load(volume_of(ct)).dataobj)


def volume_by_us(ct: Path) -> list[bytes]:
    opened = open_volume(read_header(volume_of(ct)))
    return [b"".join(volume_pieces(opened.grid, opened.dtype, opened.slices()))]


def volume_by_sdk(ct: Path) -> list[bytes]:
    from supervisely.convert.volume.nii.nii_volume_helper import nifti_to_nrrd

    return [Path(nifti_to_nrrd(str(volume_of(ct)), str(ct / "sdk"))).read_bytes()]


def pages(voxels: Any) -> list[Any]:
    return [page for axis in range(3) for page in np.moveaxis(voxels, axis, 0)]


def slices_by_us(ct: Path) -> list[bytes]:
    voxels = open_volume(read_header(volume_of(ct))).array()
    return [
        page_bytes(page)
        for axis, count in enumerate(voxels.shape)
        for page in iter_pages(voxels, axis, 0, count)
    ]


def slices_by_sdk(ct: Path) -> list[bytes]:
    from supervisely.volume.nrrd_encoder import encode

    voxels = np.asarray(nib.as_closest_canonical(nib.load(volume_of(ct))).dataobj)
    header = {"encoding": "gzip"}
    return [encode(page, header=header, compression_level=1) for page in pages(voxels)]


def masks_by_us(ct: Path) -> list[bytes]:
    image = read_header(masks_of(ct))
    survey, orientation = survey_labels(image), ras_orientation(image.grid)
    voxels = read_labels(image).voxels
    return [
        mask_bytes(voxels[label.box], image.grid, label, orientation) for label in survey.labels
    ]


def masks_by_sdk(ct: Path) -> list[bytes]:
    from supervisely.convert.volume.nii.nii_volume_helper import get_annotation_from_nii
    from supervisely.volume.nrrd_encoder import encode

    found = get_annotation_from_nii(str(masks_of(ct)))
    return [encode(mask.data.astype(np.uint8), compression_level=1) for mask, _ in found]


STAGES = {
    ("read a volume", "ours"): nifti_read_by_us,
    ("read a volume", "nibabel's"): nifti_read_by_nibabel,
    ("a volume's file", "ours"): volume_by_us,
    ("a volume's file", "the SDK's"): volume_by_sdk,
    ("slices of three planes, one thread", "ours"): slices_by_us,
    ("slices of three planes, one thread", "the SDK's"): slices_by_sdk,
    ("masks of a label map, one thread", "ours"): masks_by_us,
    ("masks of a label map, one thread", "the SDK's"): masks_by_sdk,
}


def expected_of(stage: str, ct: Path) -> list[Any]:
    volume = np.asarray(nib.as_closest_canonical(nib.load(volume_of(ct))).dataobj)
    if stage.startswith("masks"):
        labels = np.asarray(nib.as_closest_canonical(nib.load(masks_of(ct))).dataobj)
        return [labels == value for value in np.unique(labels)[1:]]
    return pages(volume) if stage.startswith("slices") else [volume]


@pytest.mark.parametrize(
    ("stage", "whose"), STAGES, ids=[f"{stage}: {whose}" for stage, whose in STAGES]
)
def test_stage(
    benchmark: Any, ct: Path, stage: str, whose: str, request: pytest.FixtureRequest
) -> None:
    if whose == "the SDK's":
        request.getfixturevalue("sly")
    benchmark.group = stage
    rounds, warm = (3, 1) if benchmark.enabled else (1, 0)
    job = STAGES[stage, whose]
    found = benchmark.pedantic(lambda: job(ct), rounds=rounds, warmup_rounds=warm)
    if stage == "read a volume":
        assert np.array_equal(found, np.asarray(nib.load(volume_of(ct)).dataobj))
        return
    for content, expected in zip(found, expected_of(stage, ct), strict=True):
        assert np.array_equal(voxels_in(content), expected)


def test_scanning_many_gzip_files(benchmark: Any, tmp_path: Path) -> None:
    """One processor; the files were just written, so that they are in memory."""
    count = FILES[0] if benchmark.enabled else FILES[1]
    image = encode_image(np.ones((8, 8, 8), np.int16), grid_of((8, 8, 8)))
    for number in range(count):
        folder = tmp_path / f"{number // 100:03}"
        folder.mkdir(exist_ok=True)
        (folder / f"case{number:05}.nii.gz").write_bytes(image)
    rounds = 3 if benchmark.enabled else 1
    dataset = benchmark.pedantic(lambda: nk.scan(tmp_path), rounds=rounds)
    assert len(dataset.items) == count
    if benchmark.enabled:
        benchmark.extra_info["ms_per_file"] = 1000 * benchmark.stats["min"] / count
        print(f"\n{count} files: {benchmark.extra_info['ms_per_file']:.2f} ms each")


def test_importing_the_package(benchmark: Any) -> None:
    """A process of its own each time, beside one that imports nothing."""

    def imported(what: str) -> None:
        subprocess.run([sys.executable, "-c", f"import {what}"], check=True)

    rounds = 5 if benchmark.enabled else 1
    benchmark.pedantic(imported, ("nifti_kit",), rounds=rounds)
    if benchmark.enabled:
        begun = time.perf_counter()
        imported("sys")
        bare = time.perf_counter() - begun
        print(f"\nimport nifti_kit: {benchmark.stats['min'] - bare:.2f} s")
