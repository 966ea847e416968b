"""Reading: the files of items side by side, each unpacked once for all that is asked of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from nifti_kit.core.parallel import cores
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.datasets.surveys import ItemSurvey, labels_of, look_at, survey_item, volume_fault
from nifti_kit.formats.components import CloserLook
from nifti_kit.formats.marks import Room
from nifti_kit.formats.nifti import ImageFile

MARKS_BYTES = 2**27
"""Memory for where the masks of one item have labels: the hundred organs of a CT take 10 MB. Files
beyond it are read again to be compared."""

MOST_THREADS = 8
"""Python's lock lets no more of them work side by side."""

Looks = dict[ImageFile, CloserLook]

Asked = dict[tuple[str, ImageFile], Callable[[], Any]]
"""What is to be found out, by what it is and of which image."""

Found = dict[tuple[str, ImageFile], "Future[Any]"]


def read_items(dataset: Dataset, items: Iterable[Item]) -> Generator[ItemSurvey]:
    """Yield the surveys of items, in order; volumes are read to their end, to the checksum.

    Items are taken ahead of what is yielded, as long as there are threads for their files.
    """

    def asked(item: Item) -> Asked:
        masks: Asked = {
            ("labels", mask.image): partial(labels_of, dataset, mask.image) for mask in item.masks
        }
        return _volume(dataset, item) | masks

    for item, _ in side_by_side(items, asked):
        yield survey_item(dataset, item)


def look_at_items(dataset: Dataset, items: Iterable[Item]) -> Generator[tuple[ItemSurvey, Looks]]:
    """Yield the surveys of items as :func:`read_items`, each with a closer look at its masks.

    A mask that cannot be read has no look. The looks are of the same reading as the surveys, but
    for masks that were surveyed before. They are not kept with the dataset: those of a thousand
    masks would fill memory.
    """

    def asked(item: Item) -> Asked:
        room = Room(MARKS_BYTES if len(item.masks) > 1 else 0)
        masks: Asked = {
            ("look", mask.image): partial(look_at, dataset, mask.image, room) for mask in item.masks
        }
        return _volume(dataset, item) | masks

    for item, found in side_by_side(items, asked):
        looks = {
            image: future.result()
            for (what, image), future in found.items()
            if what == "look" and future.result() is not None
        }
        yield survey_item(dataset, item), looks


def _volume(dataset: Dataset, item: Item) -> Asked:
    if item.volume is None:
        return {}
    return {("volume", item.volume): partial(volume_fault, dataset, item.volume)}


def side_by_side(
    items: Iterable[Item], asked: Callable[[Item], Asked]
) -> Generator[tuple[Item, Found]]:
    """Yield items with what was found of their images, in order, while the next ones are read.

    What was found for the item before is not asked again: a mask of several images is one file.
    """
    width = min(cores(), MOST_THREADS)
    waiting: deque[tuple[Item, Found]] = deque()
    found: Found = {}
    pool = ThreadPoolExecutor(width)
    try:
        for item in items:
            tasks = asked(item)
            found = {
                key: found[key] if key in found else pool.submit(task)
                for key, task in tasks.items()
            }
            waiting.append((item, found))
            while len(waiting) > width or _unfinished(waiting) > width:
                yield _ended(*waiting.popleft())
        while waiting:
            yield _ended(*waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _ended(item: Item, found: Found) -> tuple[Item, Found]:
    """Wait for what is found of an item; raise what a thread raised."""
    for future in found.values():
        future.result()
    return item, found


def _unfinished(waiting: Iterable[tuple[Item, Found]]) -> int:
    return sum(not future.done() for _, found in waiting for future in found.values())
