"""Scanning reads headers only, however many files there are."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

import nifti_kit as nk
from tests.support.builders import SAMPLES, labels, write_nifti

MANY = 300


@pytest.fixture
def bytes_read(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Count what is read of NIfTI files, through ``Path.open``."""
    counts: dict[str, int] = {}
    opened = Path.open

    def counting(path: Path, *args: Any, **kwargs: Any) -> Any:
        stream = opened(path, *args, **kwargs)
        if ".nii" not in path.name:
            return stream
        counts.setdefault(path.name, 0)

        class Counted(io.BufferedReader):
            def read(self, size: int | None = -1) -> bytes:
                found = super().read(size)
                counts[path.name] += len(found)
                return found

        return Counted(stream.detach())

    monkeypatch.setattr(Path, "open", counting)
    return counts


def test_scanning_reads_at_most_four_kilobytes_of_each_file(
    tmp_path: Path, bytes_read: dict[str, int]
) -> None:
    noise = np.random.default_rng(0).integers(-1000, 1000, (64, 64, 32)).astype(np.int16)
    for number in range(5):
        write_nifti(tmp_path / f"scan_{number}.nii.gz", noise)
        write_nifti(tmp_path / f"raw_{number}.nii", noise)
    assert len(nk.scan(tmp_path).items) == 10
    assert len(bytes_read) == 10
    assert max(bytes_read.values()) <= 4096 < min(p.stat().st_size for p in tmp_path.iterdir())


def test_voxels_that_cannot_be_read_do_not_disturb_a_scan(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(-1000, 1000, (24, 24, 24)).astype(np.int16)
    for number in range(MANY):
        folder = tmp_path / f"item_{number}"
        path = write_nifti(folder / "scan.nii.gz", noise)
        if number % 3 == 0:  # the gzip stream breaks after the header
            content = path.read_bytes()
            path.write_bytes(content[:-8] + b"\0" * 8)
    dataset = nk.scan(tmp_path)
    assert len(dataset.items) == MANY
    assert {item.volume.shape for item in dataset.items if item.volume} == {(24, 24, 24)}
    damaged = nk.check(dataset).errors
    assert {finding.code for finding in damaged} == {"file-unreadable"}
    assert len(damaged) == MANY / 3


def test_one_nifti_file_is_a_dataset_of_one_item(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "CTChest.nii.gz")
    write_nifti(tmp_path / "other.nii.gz")
    dataset = nk.scan(path)
    assert [item.name for item in dataset.items] == ["CTChest.nrrd"]
    assert not dataset.unused


@pytest.mark.parametrize("kind", ["zip", "tar", "gztar"])
def test_every_archive_is_read_like_its_folder(kind: str, tmp_path: Path) -> None:
    import shutil

    archive = shutil.make_archive(str(tmp_path / "set"), kind, SAMPLES / "by_plane_instance")
    dataset = nk.scan(archive)
    folder = nk.scan(SAMPLES / "by_plane_instance")
    assert repr(dataset.items) == repr(folder.items)
    assert dataset.classes == folder.classes
    assert dataset.root != folder.root


def test_a_tgz_is_an_archive_and_its_files_go_with_the_dataset(tmp_path: Path) -> None:
    import gc
    import tarfile

    with tarfile.open(tmp_path / "set.tgz", "w:gz") as archive:
        archive.add(SAMPLES / "by_plane_semantic", "set")
    dataset = nk.scan(tmp_path / "set.tgz")
    root = dataset.root
    plan = nk.plan(dataset)
    del dataset
    gc.collect()
    assert root.is_dir()  # the plan still needs the files
    assert len(list(plan.objects)) == 39
    del plan
    gc.collect()
    assert not root.exists()


def test_labels_and_their_volume_may_differ_in_type_and_byte_order(tmp_path: Path) -> None:
    write_nifti(tmp_path / "a.nii.gz", np.ones((5, 6, 7), dtype=">f4"))
    write_nifti(tmp_path / "a" / "organ.nii.gz", labels().astype(">i4"))
    plan = nk.plan(nk.scan(tmp_path))
    values = {o.value: o.voxels for o in plan.objects}
    data = np.asanyarray(nib.load(tmp_path / "a" / "organ.nii.gz").dataobj)
    assert values == {1: int((data == 1).sum()), 2: int((data == 2).sum())}
