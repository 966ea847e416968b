"""Executors that land items: how many at a time, how they end, and how they get lost."""

from __future__ import annotations

from concurrent.futures import (
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from concurrent.futures.process import BrokenProcessPool
from types import SimpleNamespace

import pytest

import nifti_kit as nk
from nifti_kit.errors import NiftiKitError, TargetError
from nifti_kit.transfer import workers
from tests.support.landings import land, quiet, write_volumes

NAMES = "ABCDEFGH"


class Scheduler(Executor):
    """As Dask's: a future says that it is cancelled at once, while its worker goes on."""

    __module__ = "distributed.cfexecutor"

    def __init__(self, threads):
        self._pool, self.begun = ThreadPoolExecutor(threads), 0
        self._client = SimpleNamespace(
            status="running", nthreads=lambda: {"one": 1, "other": threads - 1}
        )

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


@pytest.mark.parametrize("given", [4, "dask", ThreadPoolExecutor, SimpleNamespace(submit=print)])
def test_what_is_no_executor_is_refused_before_anything_is_written(source, tmp_path, given):
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    with pytest.raises(TargetError, match="executor is nothing that works on items") as told:
        upload(source, target, given)
    assert told.value.found == repr(given)
    assert not target.path.exists()


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_an_executor_that_was_shut_down_is_told_in_words_and_the_call_goes_on(
    source, tmp_path, kind
):
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    executor = kind(1)
    executor.shutdown()
    with pytest.raises(TargetError, match="takes no work any more") as told:
        upload(source, target, executor, journal=tmp_path / "j")
    assert "after shutdown" in str(told.value)
    assert "goes on from there" in str(told.value)
    receipt = land(source, target, journal=tmp_path / "j")
    assert nk.verify(receipt, target).ok


def test_an_executor_that_breaks_before_an_item_is_taken_is_lost(source, tmp_path):
    class Broken(Losing):
        def submit(self, function, *args, **options):
            del function, args, options
            raise self.error

    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    with pytest.raises(TargetError, match="the workers are gone"):
        upload(source, target, Broken(BrokenProcessPool("a child died")))


def test_a_scheduler_that_does_not_answer_is_told_in_words(source, tmp_path):
    def silent():
        raise OSError("Timed out trying to connect")

    executor = Scheduler(2)
    executor._client.nthreads = silent
    with pytest.raises(TargetError, match="takes no work any more") as told:
        upload(source, nk.ProjectFolder(tmp_path / "p", dataset="d"), executor)
    assert told.value.found == "Timed out trying to connect"
