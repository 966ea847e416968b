"""Uploads that are cancelled, within an item too: the same call finishes them, on every target."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.targets.instance import volumes, writing
from nifti_kit.transfer.workers import Progress
from tests.platform import running_platform
from tests.support import uploads
from tests.support.builders import SHAPE
from tests.support.landings import land, tree, write_volumes
from tests.support.uploads import facts, new_target

one_at_a_time = uploads.one_at_a_time

SOURCE: dict[str, Any] = {"A": {"liver": (1, 2), "lung": (1,)}, "B": {"liver": (3,)}}
"""Two volumes, four objects."""


class Stop(BaseException):
    """What a person's button raises."""


class Place:
    """A target that is empty at first, and what is on it."""

    def __init__(self, target: Any, content: Callable[[], Any], count: Callable[[], int]) -> None:
        self.target, self.content, self.count = target, content, count


@contextmanager
def instance(folder: Path) -> Iterator[Place]:
    del folder
    with running_platform() as platform:
        yield Place(new_target(platform), lambda: facts(platform), lambda: len(platform.requests))


@contextmanager
def project(folder: Path) -> Iterator[Place]:
    path = folder / "p"
    target = nk.ProjectFolder(path, dataset="d")
    yield Place(target, lambda: tree(path), lambda: len(tree(path)))


@pytest.fixture(params=[instance, project])
def new(request: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make a place; on an instance each geometry goes alone, so that there is more to tell."""
    monkeypatch.setattr(writing, "FIGURES_AT_ONCE", 1)
    return request.param


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_volumes(tmp_path / "in", SOURCE)


def stopping(number: int) -> tuple[Callable[[Any], None], list[Progress]]:
    """Return what raises at its call with a number, and what it has seen."""
    seen: list[Progress] = []

    def told(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == number:
            raise Stop

    return told, seen


def counts(seen: list[Progress]) -> list[tuple[str, int, int]]:
    """Return what does not depend on which of several requests is answered first."""
    return [(progress.item, progress.items_done, progress.objects_done) for progress in seen]


def pool_threads() -> set[str]:
    return {one.name for one in threading.enumerate() if one.name.startswith("ThreadPoolExecutor")}


@pytest.mark.usefixtures("one_at_a_time")
def test_an_upload_that_is_cancelled_at_any_call_is_finished_by_the_same_call(
    new: Any, source: Path, tmp_path: Path
) -> None:
    calls: list[Progress] = []
    with new(tmp_path / "calm") as place:
        land(source, place.target, on_progress=calls.append)
        wanted = place.content()
    assert len({progress.items_done for progress in calls}) == 3
    for number in range(1, len(calls) + 1):
        folder = tmp_path / str(number)
        journal = folder / "journal"
        with new(folder) as place:
            told, seen = stopping(number)
            with pytest.raises(Stop):
                land(source, place.target, on_progress=told, journal=journal)
            assert not pool_threads()
            assert counts(seen) == counts(calls[:number])
            receipt = land(source, place.target, journal=journal)
            assert place.content() == wanted, number
            assert [item.added for item in receipt.items] == [True, True]
            assert nk.verify(receipt, place.target).ok


@pytest.mark.parametrize("number", [1, 2, 3, 5, 7])
def test_an_upload_by_threads_that_is_cancelled_is_finished_by_the_same_call(
    new: Any, number: int, source: Path, tmp_path: Path
) -> None:
    with new(tmp_path / "calm") as place:
        land(source, place.target)
        wanted = place.content()
    journal = tmp_path / "journal"
    with new(tmp_path) as place, ThreadPoolExecutor(3) as pool:
        told, seen = stopping(number)
        with pytest.raises(Stop):
            land(source, place.target, on_progress=told, executor=pool, journal=journal)
        assert len(seen) == number
        left = place.count()
        pool.submit(int).result()
        assert place.count() == left
        land(source, place.target, executor=pool, journal=journal)
        assert place.content() == wanted


def test_a_cancelled_item_ends_soon(
    new: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "SENT_AHEAD", 2)
    source = write_volumes(tmp_path / "in", {"A": {"many": tuple(range(1, 61))}}, (40, 41, 42))
    with new(tmp_path / "calm") as place:
        land(source, place.target)
        whole = place.count()
    with new(tmp_path) as place:
        told, _ = stopping(6)
        with pytest.raises(Stop):
            land(source, place.target, on_progress=told, journal=tmp_path / "journal")
        assert place.count() < whole - 30


# What is told


def test_calls_come_one_at_a_time_and_end_with_the_same_totals(
    new: Any, source: Path, tmp_path: Path
) -> None:
    calm: list[Progress] = []
    with new(tmp_path / "calm") as place:
        land(source, place.target, on_progress=calm.append)
    seen: list[Progress] = []
    busy = threading.Lock()

    def told(progress: Progress) -> None:
        assert busy.acquire(blocking=False)
        seen.append(progress)
        busy.release()

    with new(tmp_path) as place, ThreadPoolExecutor(3) as pool:
        land(source, place.target, on_progress=told, executor=pool)
    assert len(seen) == len(calm)
    numbers = [(p.items_done, p.objects_done, p.bytes_done) for p in seen]
    for column in zip(*numbers, strict=True):
        assert list(column) == sorted(column)
    assert (seen[-1].items_done, seen[-1].objects_done) == (2, 4)
    # Which files the instance is asked about depends on which of a volume comes first.
    assert abs(seen[-1].bytes_done - calm[-1].bytes_done) < 5000


@pytest.mark.usefixtures("one_at_a_time")
def test_within_an_item_bytes_and_objects_grow(new: Any, source: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    with new(tmp_path) as place:
        land(source, place.target, on_progress=seen.append)
    first = [progress for progress in seen if progress.item == "A.nrrd"]
    assert [p.items_done for p in first] == [0] * (len(first) - 1) + [1]
    counts = [p.objects_done for p in first]
    assert counts == sorted(counts)
    assert {1, 2, 3} <= set(counts)
    (total,) = {p.size_total for p in seen}
    voxels = [p.size_done for p in seen]
    assert voxels == sorted(voxels)
    assert 0 < voxels[0] < voxels[-1] == total
    sizes = [p.bytes_done for p in first]
    assert 0 < sizes[0] < sizes[-2] <= sizes[-1]
    assert {p.objects_total for p in seen} == {4}


def test_workers_that_are_other_processes_tell_whole_items(tmp_path: Path, source: Path) -> None:
    seen: list[Progress] = []
    context = multiprocessing.get_context("spawn")
    with project(tmp_path) as place, ProcessPoolExecutor(1, mp_context=context) as pool:
        land(source, place.target, on_progress=seen.append, executor=pool)
    assert [progress.items_done for progress in seen] == [1, 2]


def test_a_volume_with_many_slices_is_told_after_each_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volumes, "FILE_BYTES_AT_ONCE", 1000)  # else all of it goes at once
    seen: list[Progress] = []
    source = write_volumes(tmp_path / "in", {"A": {}}, (150, 30, *SHAPE[2:]))
    with instance(tmp_path) as place:
        land(source, place.target, on_progress=seen.append)
    assert [progress.items_done for progress in seen] == [0, 0, 0, 1]
    sizes = [progress.bytes_done for progress in seen]
    assert sizes == sorted(sizes)
    assert 0 < sizes[0] < sizes[-1]
