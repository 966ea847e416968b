"""Work in threads whose results are taken in order, and batches bounded by count and bytes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from nifti_kit.core.parallel import MemoryBudget, ahead, bounded, together


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


def test_results_come_as_they_are_ready(pool):
    gate = threading.Event()

    def work(number):
        assert number or gate.wait(10)
        return number

    results = together([0, 1, 2], lambda n: pool.submit(work, n), width=2)
    assert [next(results), next(results)] == [1, 2]
    gate.set()
    assert list(results) == [0]


def test_no_more_is_asked_of_the_source_than_is_begun():
    asked = []

    def source():
        for number in range(5):
            asked.append(number)
            yield number

    with ThreadPoolExecutor(1) as pool:
        results = together(source(), lambda n: pool.submit(int, n), width=2)
        next(results)
        assert len(asked) == 2
        assert len(list(results)) == 4


@pytest.mark.parametrize("cancels", [True, False])
def test_an_error_ends_it_when_what_is_under_way_has_ended(cancels):
    gate, ended, stopped = threading.Event(), [], []

    def work(number):
        if not number:
            raise ZeroDivisionError
        assert gate.wait(10)
        ended.append(number)

    def stop():
        stopped.append(list(ended))
        gate.set()

    with ThreadPoolExecutor(2) as pool:
        results = together(
            [1, 0, 2], lambda n: pool.submit(work, n), width=3, stop=stop, cancels=cancels
        )
        with pytest.raises(ZeroDivisionError):
            list(results)
        assert stopped == [[]]
        assert 1 in ended
        if not cancels:
            assert sorted(ended) == [1, 2]


# Room


def entering(room, sizes):
    """Begin threads that take so much; return them, and in which order they were let in."""
    inside, leave = [], {size: threading.Event() for size in sizes}

    def take(size):
        with room.taken(size):
            inside.append(size)
            assert leave[size].wait(10)

    threads = []
    for size in sizes:
        threads.append(threading.Thread(target=take, args=(size,)))
        threads[-1].start()
        threads[-1].join(0.05)
    return threads, inside, leave


def test_a_room_lets_in_what_fits_and_something_larger_alone_in_the_order_of_coming():
    threads, inside, leave = entering(MemoryBudget(10), [4, 5, 30, 1])
    assert inside == [4, 5]  # 1 would fit, but 30 came before
    leave[4].set()
    threads[0].join()
    assert inside == [4, 5]
    leave[5].set()
    threads[1].join()
    threads[2].join(0.05)
    assert inside == [4, 5, 30]
    leave[30].set()
    threads[2].join()
    leave[1].set()
    threads[3].join()
    assert inside == [4, 5, 30, 1]


def test_who_fails_in_a_room_leaves_it():
    room = MemoryBudget(1)
    with pytest.raises(ZeroDivisionError), room.taken(5):
        raise ZeroDivisionError
    with room.taken(5):
        pass
