"""Who lands the items of an upload: this thread, threads, or workers of an executor."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
)
from typing import Any

from nifti_kit.core.parallel import together
from nifti_kit.errors import TargetError
from nifti_kit.targets.target import ItemJob, Target
from nifti_kit.transfer.progress import Reporter

__all__ = ["executor_of", "written"]

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
) -> Generator[ItemJob]:
    """Yield jobs as they have landed; ``begin`` is called before each.

    Where it ends early, nothing is written any more once it is over. No more items are begun than
    there are workers, and a few in reserve: these are waited for.
    """
    if executor is not None:
        yield from _by(executor, None, jobs, target, begin, report)
        return
    width = min(target.side_by_side, len(jobs))
    if width > 1:
        with ThreadPoolExecutor(width) as pool:
            yield from _by(pool, width, jobs, target, begin, report)
        return
    for job in jobs:
        begin(job)
        yield target.write(job, tell=report.within(job))


def _by(
    executor: Executor,
    width: int | None,
    jobs: Sequence[ItemJob],
    target: Target,
    begin: Callable[[ItemJob], None],
    report: Reporter,
) -> Generator[ItemJob]:
    # Workers may be other processes: a function that tells could not be sent there.
    told = isinstance(executor, ThreadPoolExecutor)

    def submit(job: ItemJob) -> Future[ItemJob]:
        begin(job)
        more: dict[str, Any] = {"tell": report.within(job)} if told else {}
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
