"""Work in threads whose results are taken in order, and batches bounded by count and bytes."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from nifti_kit.targets.pipeline import ahead, bounded, together


@pytest.fixture
def pool():
    with ThreadPoolExecutor(3) as running:
        yield running


def test_results_come_in_order_whichever_is_ready_first(pool):
    first = threading.Event()

    def work(item):
        if item == 0:
            assert first.wait(10)
        if item == 1:
            first.set()
        return item * 10

    assert list(ahead(pool, work, range(7), 2)) == [0, 10, 20, 30, 40, 50, 60]


@pytest.mark.parametrize("width", [1, 2, 5])
def test_no_more_are_begun_than_the_width_beyond_what_was_taken(pool, width):
    begun = []

    def items():
        for item in range(10):
            begun.append(item)
            yield item

    results = ahead(pool, str, items(), width)
    for taken in range(1, 11):
        assert next(results) == str(taken - 1)
        assert len(begun) == min(taken + width - 1, 10)


def test_an_error_comes_in_its_place(pool):
    results = ahead(pool, lambda item: 1 // item, [1, 1, 0, 1], 2)
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


@pytest.mark.parametrize(
    ("sizes", "batches"),
    [
        ([], []),
        ([1], [[1]]),
        ([4, 4, 4], [[4, 4], [4]]),
        ([5, 5, 5], [[5, 5], [5]]),
        ([6, 5, 5], [[6], [5, 5]]),
        ([1, 1, 1, 1], [[1, 1, 1], [1]]),
        ([99, 1, 1], [[99], [1, 1]]),
        ([1, 99, 1], [[1], [99], [1]]),
        ([0, 0, 0, 0], [[0, 0, 0], [0]]),
    ],
)
def test_batches_have_three_at_most_and_ten_bytes_or_one_that_is_larger(sizes, batches):
    pairs = [(number, bytes(size)) for number, size in enumerate(sizes)]
    found = list(bounded(pairs, count=3, size=10))
    assert [[len(content) for _, content in batch] for batch in found] == batches
    assert [pair for batch in found for pair in batch] == pairs


def under_way(sizes, width, size):
    """Work on things of some sizes; return the sizes that were under way when each began."""
    out, seen = [], []

    def submit(number):
        out.append(number)
        seen.append([sizes[other] for other in out])
        future = Future()
        future.set_result(number)
        return future

    for number in together(range(len(sizes)), submit, sizes.__getitem__, width=width, size=size):
        out.remove(number)
    return seen


def test_small_things_are_under_way_together_and_a_large_one_alone():
    assert under_way([1, 1, 2, 1], width=2, size=4) == [[1], [1, 1], [2], [2, 1]]
    assert under_way([9, 1, 1, 9], width=4, size=4) == [[9], [1], [1, 1], [9]]
    assert under_way([3, 1, 1], width=4, size=4) == [[3], [3, 1], [1]]


def test_an_error_of_one_ends_it():
    with ThreadPoolExecutor(2) as pool:
        results = together(
            [1, 0], lambda n: pool.submit(lambda: 1 / n), lambda _: 1, width=2, size=9
        )
        with pytest.raises(ZeroDivisionError):
            list(results)
