"""How many requests are on their way at a time, as the instance can bear."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from nifti_kit.errors import TargetError
from nifti_kit.targets.instance import client
from nifti_kit.targets.instance.client import Connection, retry_after
from nifti_kit.targets.instance.wire import FIRST, MOST, SLOWER_S, Limit
from tests.platform import Platform, running_platform
from tests.support.landings import land, write_volumes
from tests.support.uploads import facts, new_target


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limit(clock: Clock) -> Limit:
    return Limit(clock)


def answered(limit: Limit, clock: Clock, seconds: float = 0.1, size: int = 10) -> None:
    """Have as many answers at once as may be on their way, each after some seconds."""
    under_way = [limit.turn("a", size, 5) for _ in range(int(limit.width))]
    turns = [one.__enter__() for one in under_way]
    clock.now += seconds
    for turn in turns:
        turn.answered()
    for one in under_way:
        one.__exit__(None, None, None)


def test_it_widens_while_all_goes_well_up_to_the_most(limit: Limit, clock: Clock) -> None:
    answered(limit, clock)
    assert limit.width == pytest.approx(FIRST + 1, abs=0.1)
    for _ in range(MOST):
        answered(limit, clock)
    assert limit.width == MOST


def test_it_does_not_widen_where_fewer_are_on_their_way(limit: Limit) -> None:
    for _ in range(50):
        with limit.turn("a", 1, 5) as turn:
            turn.answered()
    assert limit.width == FIRST


def test_refusals_of_requests_that_went_together_halve_it_once(limit: Limit, clock: Clock) -> None:
    with limit.turn("a", 1, 5) as one, limit.turn("a", 1, 5) as other:
        clock.now += 1
        one.refused(0)
        clock.now += 1
        other.refused(0)
    assert limit.width == FIRST / 2
    for _ in range(9):
        clock.now += 1
        with limit.turn("a", 1, 5) as turn:
            turn.refused(0)
    assert limit.width == 1


def test_answers_that_take_long_make_it_narrower(limit: Limit, clock: Clock) -> None:
    answered(limit, clock, 0.1)
    before = limit.width
    answered(limit, clock, 3 * 0.1 + SLOWER_S - 0.01)
    assert limit.width > before
    before = limit.width
    answered(limit, clock, 3 * 0.1 + SLOWER_S + 0.1)
    # Only the first of them says something new.
    assert limit.width == pytest.approx(0.75 * before, rel=0.05)


def test_large_bodies_may_take_longer_than_small_ones(limit: Limit, clock: Clock) -> None:
    answered(limit, clock, 0.1, size=100)
    before = limit.width
    answered(limit, clock, 20, size=1_000_000)
    assert limit.width > before


def test_nobody_asks_while_the_instance_wants_a_pause(limit: Limit, clock: Clock) -> None:
    with limit.turn("a", 1, 5) as turn:
        turn.refused(0.2)
    done = []

    def ask() -> None:
        with limit.turn("a", 1, 5):
            done.append(clock.now)

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.05)
    assert not done
    clock.now += 0.3
    thread.join(5)
    assert done == [clock.now]


def test_who_gets_no_turn_while_nothing_is_answered_gives_up() -> None:
    limit = Limit()
    limit.width = 1.0
    with limit.turn("a", 1, 5), pytest.raises(TimeoutError), limit.turn("a", 1, 0.05):
        pass
    assert limit.width == 1.0
    with limit.turn("a", 1, 0.05):
        pass


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(client, "LONGEST_WAIT_S", 0.05)


@pytest.fixture
def narrow(platform: Platform) -> Platform:
    """Gives a platform that takes two requests at a time."""
    platform.capacity, platform.latency = 2, 0.01
    return platform


@pytest.mark.usefixtures("quick")
def test_an_upload_finds_out_how_much_an_instance_bears(narrow: Platform, tmp_path) -> None:
    source = write_volumes(tmp_path / "in", {name: {"liver": (1,)} for name in "ABCDEFGHIJKL"})
    with running_platform() as calm:
        land(source, new_target(calm))
        wanted, needed = facts(calm), len(calm.requests)
    target = new_target(narrow)
    land(source, target)
    assert facts(narrow) == wanted
    refused = sum(one.status == 429 for one in narrow.requests)
    assert 0 < refused < needed / 2
    assert target.connection._limit.width < FIRST


def test_a_dead_server_is_clear_to_those_who_wait_for_a_turn_too(platform: Platform) -> None:
    line = Connection(platform.address, platform.token, patience=0.4)
    line._limit.width = 1.0
    platform.faults.on("teams.list", "death")

    def ask(_: int) -> str:
        with pytest.raises(TargetError) as caught:
            line.post("teams.list", {})
        return caught.value.message

    begun = time.monotonic()
    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(ask, range(6))) == {"the instance does not answer"}
    assert time.monotonic() - begun < 6 * 0.4
    platform.restart()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, 0.0),
        ("3", 3.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("3600", 30.0),
        ("inf", 30.0),
        ("nan", 0.0),
        ("soon", 0.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0),
    ],
)
def test_what_the_instance_asks_to_wait_is_followed_within_our_patience(text, seconds):
    answer = requests.Response()
    if text is not None:
        answer.headers["Retry-After"] = text
    assert retry_after(answer, 30.0) == seconds
