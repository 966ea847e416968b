"""Who lands the items of an upload: this thread, threads, or workers of an executor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
)
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from nifti_kit.core.parallel import together
from nifti_kit.errors import TargetError
from nifti_kit.targets.records import ItemJob, Notes
from nifti_kit.targets.target import Target, Tell

BYTES_PER_MB = 1_000_000
"""As networks and disks are measured."""


@dataclass(frozen=True)
class Progress:
    """How far an upload is: items and objects done, which item is concerned, and the bytes.

    ``items_done`` counts items that have landed whole. ``objects_done`` and ``bytes_done`` grow
    within an item too. ``bytes_done`` is what this call has written or sent; what landed in an
    earlier run is not in it.
    """

    items_done: int
    items_total: int
    objects_done: int
    objects_total: int
    item: str
    bytes_done: int = 0

    def __str__(self) -> str:
        return f"{self.items_done} of {self.items_total} volumes, {self.landed}: {self.item}"

    @property
    def landed(self) -> str:
        """The objects and megabytes, in words."""
        megabytes = self.bytes_done / BYTES_PER_MB
        return f"{self.objects_done} of {self.objects_total} objects, {megabytes:.1f} MB"


OnProgress = Callable[[Progress], Any]


class Ended(Exception):
    """The upload has ended while an item was on its way."""


class Reporter:
    """Tells how far an upload is: one call at a time, from whatever thread it comes.

    Parameters
    ----------
    on_progress
        The function that is told. What it raises ends the upload: the items that are on their way
        in other threads end with :class:`Ended` at their next step.
    jobs
        What is to land.
    """

    def __init__(self, on_progress: OnProgress, jobs: Sequence[ItemJob]) -> None:
        self.error: BaseException | None = None
        """What ``on_progress`` has raised."""
        self._on_progress = on_progress
        self._items_total = len(jobs)
        self._objects_total = sum(len(job.add) for job in jobs)
        self._items = self._objects = self._bytes = 0
        self._within: dict[str, tuple[int, int]] = {}
        self._over = False
        self._lock = threading.Lock()

    def landed(self, job: ItemJob) -> None:
        """Tell that an item has landed whole."""
        with self._lock:
            self._within.pop(job.name, None)
            self._items += 1
            self._objects += len(job.add)
            self._bytes += job.sent
            self._tell(job.name)

    def within(self, job: ItemJob) -> Tell:
        """Return what tells how far an item is."""

        def tell(size: int, objects: int) -> None:
            with self._lock:
                self._within[job.name] = (size, objects)
                self._tell(job.name)

        return tell

    def end(self) -> None:
        """End the items that are on their way, at their next step."""
        with self._lock:
            self._over = True

    def _tell(self, name: str) -> None:
        if self._over:
            raise Ended
        progress = Progress(
            self._items,
            self._items_total,
            self._objects + sum(objects for _, objects in self._within.values()),
            self._objects_total,
            name,
            self._bytes + sum(size for size, _ in self._within.values()),
        )
        try:
            self._on_progress(progress)
        except BaseException as error:
            self.error, self._over = error, True
            raise


@contextmanager
def progress_bar(total: int) -> Iterator[OnProgress]:
    """Give a function that shows the progress of so many volumes as a bar."""
    from tqdm.auto import tqdm

    bar = tqdm(total=total, desc="Uploading", unit="volume")
    shown = 0

    def show(progress: Progress) -> None:
        nonlocal shown
        bar.update(progress.items_done - shown)
        shown = progress.items_done
        # No name in the bar's text: notebooks show it as HTML.
        bar.set_postfix_str(progress.landed)

    try:
        yield show
    finally:
        bar.close()


IN_RESERVE = 2
"""Items that wait at an executor, so that no worker waits for us."""

UNKNOWN_WORKERS = 8
"""Of an executor that does not say how many it has."""


GOES_ON = (
    "What has landed stays: with the same journal, or existing='skip', the call goes on from there."
)


def executor_of(given: Any) -> Executor | None:
    """Return the executor that a person gave; of a Dask client its own.

    Raises
    ------
    TargetError
        If it is something else.
    """
    if _is_of_dask(given) and hasattr(given, "get_executor"):
        given = given.get_executor()
    if given is None or isinstance(given, Executor):
        return given
    raise TargetError(
        "executor is nothing that works on items",
        found=repr(given),
        expected="such as concurrent.futures.ProcessPoolExecutor(4), or a Dask client",
        remedy="Without it, threads land the items.",
    )


def written(
    jobs: Sequence[ItemJob],
    target: Target,
    executor: Executor | None,
    begin: Callable[[ItemJob], None],
    report: Reporter,
    noting: Callable[..., Notes],
) -> Generator[ItemJob]:
    """Yield jobs as they have landed; ``begin`` is called before each, ``noting`` for its name.

    Where it ends early, nothing is written any more once it is over. No more items are begun than
    there are workers, and a few in reserve: these are waited for.
    """
    if executor is not None:
        yield from _by(executor, None, jobs, target, begin, report, noting)
        return
    width = min(target.side_by_side, len(jobs))
    if width > 1:
        with ThreadPoolExecutor(width) as pool:
            yield from _by(pool, width, jobs, target, begin, report, noting)
        return
    for job in jobs:
        begin(job)
        yield target.write(replace(job, note=noting(job.name)), tell=report.within(job))


def _by(
    executor: Executor,
    width: int | None,
    jobs: Sequence[ItemJob],
    target: Target,
    begin: Callable[[ItemJob], None],
    report: Reporter,
    noting: Callable[..., Notes],
) -> Generator[ItemJob]:
    # Workers may be other processes: a function that tells could not be sent there.
    told = isinstance(executor, ThreadPoolExecutor)

    def submit(job: ItemJob) -> Future[ItemJob]:
        begin(job)
        more: dict[str, Any] = {"tell": report.within(job)} if told else {}
        job = replace(job, note=noting(job.name, is_repeated=not told))
        try:
            return executor.submit(target.write, job, **more)
        except BrokenExecutor:
            raise
        except RuntimeError as error:  # so says each kind that was shut down
            raise _over(str(error)) from None

    # A future of Dask says that it is cancelled while its worker goes on.
    cancels = not _is_of_dask(executor)
    try:
        if width is None:
            width = _workers(executor) + IN_RESERVE
        yield from together(jobs, submit, width=width, stop=report.end, cancels=cancels)
    except Exception as error:
        if not _is_loss(error):
            raise
        raise TargetError(
            "the workers are gone",
            found=f"{type(error).__name__}: {error}".removesuffix(": "),
            remedy="Look at their log (memory, network), and give each worker fewer threads or more"
            f" memory. {GOES_ON}",
        ) from None


def _workers(executor: Executor) -> int:
    """Return how many items an executor works on at a time; none says it in public."""
    if _is_of_dask(executor):
        client: Any = executor._client  # type: ignore[attr-defined]
        if client.status == "closed":
            raise _over("the client is closed")
        try:
            threads = client.nthreads().values()
        except OSError as error:  # no scheduler answers
            raise _over(str(error)) from None
        return max(1, sum(map(int, threads)))
    return int(getattr(executor, "_max_workers", UNKNOWN_WORKERS))


def _over(found: str) -> TargetError:
    return TargetError(
        "the executor takes no work any more",
        found=found,
        remedy=f"Make a new one. {GOES_ON}",
    )


def _is_loss(error: Exception) -> bool:
    """Say whether an executor has lost its workers; Dask's error of it is its own."""
    return _is_of_dask(error) or isinstance(error, CancelledError | BrokenExecutor)


def _is_of_dask(thing: object) -> bool:
    return type(thing).__module__.startswith("distributed.")
