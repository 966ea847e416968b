"""Pipes, sockets and devices: whoever is given one says so, and does not open it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.core.files import read_json, refuse_special, special_kind
from nifti_kit.errors import NiftiKitError, TargetError, UnreadableFile
from nifti_kit.formats import iter_slices, read_grid
from tests.support.builders import labels, volume, write_nifti

PATIENCE = 20
"""Seconds after which a call waits for the pipe: that fails, instead of waiting for ever."""


@pytest.fixture(autouse=True)
def _never_waits() -> Iterator[None]:
    def waited(*_: object) -> None:
        raise AssertionError("the pipe was opened")

    before = signal.signal(signal.SIGALRM, waited)
    signal.alarm(PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


READERS: dict[str, Callable[[Path, Path], Any]] = {
    "the source": lambda pipe, _: nk.scan(pipe),
    "an archive": lambda pipe, _: nk.scan(pipe.rename(pipe.with_name("a.tar.gz"))),
    "its classes": lambda pipe, folder: nk.scan(folder, classes=pipe),
    "its pairs": lambda pipe, folder: nk.scan(folder, pairs=pipe),
    "read_scores": lambda pipe, _: nk.read_scores(pipe),
    "read_classes": lambda pipe, _: nk.read_classes(pipe),
    "read_mapping": lambda pipe, folder: nk.read_mapping(pipe, nk.scan(folder)),
    "a mapping of a plan": lambda pipe, folder: nk.plan(
        nk.scan(folder, layout="annotations"), mapping=pipe
    ),
    "a mask": lambda pipe, _: nk.align_mask(pipe),
    "the volume of a mask": lambda pipe, _: nk.align_mask(labels(), pipe),
    "the grid of an NRRD file": lambda pipe, _: read_grid(pipe),
    "the slices of an NRRD file": lambda pipe, _: list(iter_slices(pipe)),
    "a file of a project": lambda pipe, _: read_json(pipe),
}


def pipe_of(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def device_of(tmp_path: Path) -> Path:
    (tmp_path / "device").symlink_to(os.devnull)
    return tmp_path / "device"


@pytest.mark.parametrize("make", [pipe_of, device_of], ids=["a named pipe", "a device"])
@pytest.mark.parametrize("name", READERS)
def test_no_reader_opens_a_special_file(
    name: str, make: Callable[[Path], Path], tmp_path: Path
) -> None:
    write_nifti(tmp_path / "in" / "CT.nii", volume())
    special = make(tmp_path)
    with pytest.raises(NiftiKitError, match=special_kind(special)) as caught:
        READERS[name](special, tmp_path / "in")
    assert caught.value.found is not None


def test_files_and_folders_are_nothing_special(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "b").symlink_to("a")
    for path in (tmp_path, tmp_path / "a", tmp_path / "b"):
        assert special_kind(path) == ""
        refuse_special(path)
    with pytest.raises(FileNotFoundError):
        special_kind(tmp_path / "nowhere")


def test_what_is_refused_says_what_it_is_and_what_to_do(tmp_path: Path) -> None:
    pipe = pipe_of(tmp_path)
    with pytest.raises(UnreadableFile) as caught:
        refuse_special(pipe)
    assert str(caught.value) == (
        f"{pipe}: it is no regular file, and is not opened Found: a named pipe. "
        "Expected: a regular file. Remedy: Save the data as a file, and give the path of that."
    )


def test_a_pipe_in_a_project_is_a_fault_of_the_target(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="a named pipe"):
        read_json(pipe_of(tmp_path))


def test_a_pipe_among_the_files_blocks_and_the_others_are_read(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii", volume())
    os.mkfifo(tmp_path / "MR.nii")
    os.mkfifo(tmp_path / "mapping.json")
    os.mkfifo(tmp_path / "color_map.txt")
    dataset = nk.scan(tmp_path)
    assert [item.name for item in dataset.items] == ["CT.nrrd"]
    blocked = nk.plan(dataset).blockers.by_code()["file-unreadable"]
    assert [found.path for found in blocked] == ["MR.nii", "color_map.txt", "mapping.json"]
