"""Who lands the items of an upload: this thread, threads, or workers of an executor."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from nifti_kit.core.parallel import seconds_left, together
from nifti_kit.core.text import BYTES_PER_MB, left_text, size_text
from nifti_kit.errors import TargetError
from nifti_kit.targets.records import ItemJob, Notes
from nifti_kit.targets.target import Target, Tell


@dataclass(frozen=True)
class Progress:
    """How far an upload is: items and objects done, which item is concerned, and the bytes.

    ``items_done`` counts items that have landed whole. ``objects_done`` and ``bytes_done`` grow
    within an item too. ``bytes_done`` is what this call has written or sent; what landed in an
    earlier run is not in it. How much that will be is not known before it is packed: so
    ``size_done`` of ``size_total`` count the voxels that this call lands in bytes, unpacked.
    ``seconds_left`` is what the rest takes at the speed so far; None in the first second.
    """

    items_done: int
    items_total: int
    objects_done: int
    objects_total: int
    item: str
    bytes_done: int = 0
    size_done: int = field(default=0, compare=False)
    size_total: int = field(default=0, compare=False)
    seconds_left: float | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.items_done} of {self.items_total} volumes, {self.landed}: {self.item}"

    @property
    def counts(self) -> str:
        """The volumes and objects, in words."""
        volumes = f"{self.items_done} of {self.items_total} volumes"
        return f"{volumes}, {self.objects_done} of {self.objects_total} objects"

    @property
    def landed(self) -> str:
        """The objects, megabytes and time left, in words."""
        objects = f"{self.objects_done} of {self.objects_total} objects"
        if not self.size_total:
            return f"{objects}, {self.bytes_done / BYTES_PER_MB:.1f} MB"
        left = "" if self.seconds_left is None else f", {left_text(self.seconds_left)}"
        return f"{objects}, {size_text(self.size_done, self.size_total)}{left}"

    @property
    def share(self) -> float:
        """How much of the upload is done, 0 to 1."""
        if self.size_total:
            return self.size_done / self.size_total
        total = self.items_total + self.objects_total
        return (self.items_done + self.objects_done) / total if total else 1.0


OnProgress = Callable[[Progress], Any]


def size_of(jobs: Iterable[ItemJob]) -> int:
    """Return how much there is to land of jobs (bytes, unpacked); 1 at least for each."""
    return sum(1 + job.voxel_bytes + job.mask_bytes for job in jobs)


class Ended(Exception):
    """The upload has ended while an item was on its way."""


class Reporter:
    """Tells how far an upload is: one call at a time, from whatever thread it comes.

    ``on_progress``: the function that is told. What it raises ends the upload: the items that are
    on their way in other threads end with :class:`Ended` at their next step.
    """

    def __init__(self, on_progress: OnProgress, jobs: Sequence[ItemJob]) -> None:
        self.error: BaseException | None = None  # what ``on_progress`` has raised
        self._on_progress = on_progress
        self._items_total = len(jobs)
        self._planned = {job.name: job for job in jobs}  # as it landed, nothing is left to write
        self._objects_total = sum(len(job.add) for job in jobs)
        self._items = self._objects = self._bytes = self._size = 0
        self._size_total = size_of(jobs)
        self._within: dict[str, tuple[int, int, int]] = {}
        self._begun = time.monotonic()
        self._over = False
        self._lock = threading.Lock()

    def landed(self, job: ItemJob, *, earlier: bool = False) -> None:
        """Tell that an item has landed whole; ``earlier`` in a run before this."""
        with self._lock:
            self._within.pop(job.name, None)
            self._items += 1
            self._objects += len(job.add)
            self._bytes += job.sent
            if earlier:
                self._size_total -= size_of([job])
            else:
                self._size += size_of([self._planned.get(job.name, job)])
            self._tell(job.name)

    def within(self, job: ItemJob) -> Tell:
        """Return what tells how far an item is."""
        volume, masks = job.voxel_bytes, job.mask_bytes

        def tell(size: int, objects: int, voxels: int = 0, /) -> None:
            done = volume if objects else min(voxels, volume)
            done += masks * objects // max(1, len(job.add))
            with self._lock:
                self._within[job.name] = (size, objects, done)
                self._tell(job.name)

        return tell

    def end(self) -> None:
        """End the items that are on their way, at their next step."""
        with self._lock:
            self._over = True

    def _tell(self, name: str) -> None:
        if self._over:
            raise Ended
        done = self._size + sum(size for _, _, size in self._within.values())
        progress = Progress(
            self._items,
            self._items_total,
            self._objects + sum(objects for _, objects, _ in self._within.values()),
            self._objects_total,
            name,
            self._bytes + sum(size for size, _, _ in self._within.values()),
            done,
            self._size_total,
            seconds_left(done, self._size_total, time.monotonic() - self._begun),
        )
        try:
            self._on_progress(progress)
        except BaseException as error:
            self.error, self._over = error, True
            raise


@contextmanager
def progress_bar(total: int) -> Iterator[OnProgress]:
    """Give a function that shows the progress of so many bytes of voxels as a bar."""
    from tqdm.auto import tqdm

    bar = tqdm(total=total, desc="Uploading", unit="B", unit_scale=True)
    shown = 0

    def show(progress: Progress) -> None:
        nonlocal shown
        bar.total = progress.size_total
        bar.update(progress.size_done - shown)
        shown = progress.size_done
        # No name in the bar's text: notebooks show it as HTML.
        bar.set_postfix_str(progress.counts)

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

    Raises TargetError if it is something else.
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
