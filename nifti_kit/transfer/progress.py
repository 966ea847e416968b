"""How far an upload is: told after each item, and within an item as bytes and objects land."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nifti_kit.targets.target import ItemJob, Tell

__all__ = ["Ended", "OnProgress", "Progress", "Reporter", "progress_bar"]

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
