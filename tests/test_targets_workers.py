"""Executors that land items: how many at a time, how they end, and how they get lost."""

from __future__ import annotations

from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import SimpleNamespace

import pytest
from landings import land, quiet, write_volumes

import nifti_kit as nk
from nifti_kit.errors import NiftiKitError, TargetError
from nifti_kit.targets import workers

NAMES = "ABCDEFGH"


class Scheduler(Executor):
    """As Dask's: a future says that it is cancelled at once, while its worker goes on."""

    __module__ = "distributed.cfexecutor"

    def __init__(self, threads):
        self._pool, self.begun = ThreadPoolExecutor(threads), 0
        self._client = SimpleNamespace(nthreads=lambda: {"one": 1, "other": threads - 1})

    def submit(self, function, *args, **options):
        self.begun += 1
        told = Future()

        def work():
            try:
                result = function(*args, **options)
            except NiftiKitError as error:
                told.set_exception(error)
            else:
                if not told.cancelled():
                    told.set_result(result)

        self._pool.submit(work)
        return told


class Losing(Executor):
    def __init__(self, error):
        self.error = error

    def submit(self, function, *args, **options):
        del function, args, options
        future = Future()
        future.set_exception(self.error)
        return future


class KilledWorker(Exception):
    __module__ = "distributed.scheduler"


@pytest.fixture
def source(tmp_path):
    return write_volumes(tmp_path / "in", {name: {"liver": (1,)} for name in NAMES})


def upload(source, target, executor, on_progress=quiet, **options):
    plan = nk.plan(nk.scan(source))
    return nk.upload(plan, target, on_progress=on_progress, executor=executor, **options)


def test_nothing_is_written_after_a_cancelled_upload_even_if_futures_say_so_too_soon(
    source, tmp_path
):
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    executor = Scheduler(2)

    def cancelled(progress):
        if progress.items_done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upload(source, target, executor, cancelled, journal=tmp_path / "j")
    left = sorted(path for path in target.path.rglob("*") if path.is_file())
    executor._pool.shutdown()
    assert sorted(path for path in target.path.rglob("*") if path.is_file()) == left
    assert executor.begun <= 1 + 2 + workers.IN_RESERVE
    receipt = upload(source, target, Scheduler(2), journal=tmp_path / "j")
    assert [item.added for item in receipt.items] == [True] * len(NAMES)
    assert nk.verify(receipt, target).ok


@pytest.mark.parametrize(
    "error",
    [CancelledError(), BrokenProcessPool("a child died"), KilledWorker("write", "worker-1")],
    ids=lambda error: type(error).__name__,
)
def test_lost_workers_are_told_in_words(source, tmp_path, error):
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    with pytest.raises(TargetError, match="the workers are gone") as told:
        upload(source, target, Losing(error), journal=tmp_path / "j")
    assert type(error).__name__ in str(told.value)
    assert "goes on from there" in str(told.value)
    receipt = land(source, target, journal=tmp_path / "j")
    assert nk.verify(receipt, target).ok


def test_an_error_of_an_item_is_its_own(source, tmp_path):
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    with pytest.raises(ZeroDivisionError):
        upload(source, target, Losing(ZeroDivisionError()), journal=tmp_path / "j")
