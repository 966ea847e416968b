"""Tasks: work in a thread that tells, ends, fails and is waited for."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from nifti_kit.errors import NiftiKitError
from nifti_kit.widgets.parts import tasks, views
from nifti_kit.widgets.parts.tasks import BySize, Cancelled, Task, Ticket

SECONDS = 20


def states(task):
    seen = []
    task.observe(lambda change: seen.append(change["new"]), "state")
    return seen


def test_work_is_done_in_another_thread_and_its_result_kept():
    task = Task()
    seen = states(task)
    kept = []
    task.start(lambda _: threading.current_thread().name, then=kept.append)
    assert task.join(SECONDS) == "nifti_kit task"
    assert kept == ["nifti_kit task"]
    assert seen == ["running", "done"]
    assert (task.fraction, task.is_running) == (1.0, False)


def test_work_tells_how_far_it_is():
    task, told = Task(), []
    task.observe(lambda change: told.append(change["new"]), "fraction")

    def work(ticket):
        ticket.tell(0.5, "half")  # the first is shown; the next comes too soon
        ticket.tell(0.6, "more")
        ticket.tell(2.0)

    task.start(work)
    task.join(SECONDS)
    assert told == [0.5, 1.0]
    assert task.text == "half"


def test_work_tells_how_long_it_takes_by_its_speed(monkeypatch):
    monkeypatch.setattr(tasks.time, "monotonic", iter([100.0, 100.0, 104.0, 106.0]).__next__)
    task, left = Task(), []

    def work(ticket):
        ticket.tell(0.25)
        left.extend([task.left, task.left])

    assert task.left == ""
    task.start(work)
    task.join(SECONDS)
    assert left == ["about 10 s left", "about 20 s left"]
    assert task.left == ""


def test_bytes_are_told_before_each_thing():
    told = []
    ticket = Ticket(lambda *said: told.append(said))
    tell = BySize(ticket, [30_000_000, 10_000_000], lambda thing: f"Reading {thing}")
    steps = [lambda: tell(0, "a"), lambda: tell.more(10_000_000), lambda: tell.more(90_000_000)]
    for step in (*steps, lambda: tell(1, "b")):
        ticket._shown = 0.0
        step()
    assert told == [
        (0.0, "Reading a: 0 of 40 MB ..."),
        (0.25, "Reading a: 10 of 40 MB ..."),
        (0.75, "Reading a: 30 of 40 MB ..."),
        (0.75, "Reading b: 30 of 40 MB ..."),
    ]


def test_what_was_said_of_ended_work_is_let_go_of_and_running_work_goes_on():
    task, go = Task(), threading.Event()
    task.start(lambda _: go.wait(SECONDS))
    task.forget()
    assert task.state == "running"
    go.set()
    assert task.join(SECONDS)
    task.forget()
    assert (task.state, task.text, task.fraction, task.result) == ("idle", "", 0.0, None)


def test_a_second_start_while_work_is_under_way_does_nothing():
    task, go = Task(), threading.Event()
    task.start(lambda _: go.wait(SECONDS) and "first")
    task.start(lambda _: "second")
    go.set()
    assert task.join(SECONDS) == "first"


def test_cancelled_work_ends_where_it_tells():
    task, begun, go = Task(), threading.Event(), threading.Event()
    seen = states(task)

    def work(ticket):
        begun.set()
        go.wait(SECONDS)
        ticket.tell(0.5)
        return "never"

    task.start(work)
    assert begun.wait(SECONDS)
    task.cancel()
    assert task.text == "Ending at the next safe point ..."
    assert task.is_running
    task.cancel()  # once more changes nothing
    go.set()
    assert task.join(SECONDS) is None
    assert seen == ["running", "cancelling", "cancelled"]
    assert task.text == "Cancelled."


def test_work_that_ends_before_it_learns_of_the_cancelling_is_done():
    task, begun, go = Task(), threading.Event(), threading.Event()
    task.start(lambda _: begun.set() or (go.wait(SECONDS) and "result"))
    assert begun.wait(SECONDS)
    task.cancel()
    go.set()
    assert task.join(SECONDS) == "result"
    assert (task.state, task.text) == ("done", "Done.")


def test_there_is_nothing_to_cancel_before_the_start():
    task = Task()
    task.cancel()
    assert task.state == "idle"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (NiftiKitError("the file is cut short", path="a.nii"), "a.nii: the file is cut short"),
        (KeyError("fault"), "KeyError: 'fault'"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_a_failure_is_told_kept_and_raised_by_who_waits(error, text):
    task = Task()

    def work(_):
        raise error

    task.start(work)
    with pytest.raises(type(error)) as caught:
        task.join(SECONDS)
    assert caught.value is error
    assert (task.state, task.text, task.error) == ("failed", text, error)


def test_a_failure_in_what_follows_fails_the_task():
    task = Task()
    task.start(lambda _: 1, then=lambda _: {}["missing"])
    with pytest.raises(KeyError):
        task.join(SECONDS)
    assert task.state == "failed"


def test_a_task_can_be_started_again_after_a_failure():
    task = Task()
    task.start(lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        task.join(SECONDS)
    task.start(lambda _: "well")
    assert task.join(SECONDS) == "well"
    assert task.error is None


def test_nobody_waits_for_ever():
    task, go = Task(), threading.Event()
    task.start(lambda _: go.wait(SECONDS))
    with pytest.raises(TimeoutError, match=r"the work is not over after 0\.01 s"):
        task.join(0.01)
    go.set()
    task.join(SECONDS)


def test_a_task_that_was_never_started_has_no_result():
    assert Task().join() is None


def test_a_ticket_without_a_task_ends_work_as_well():
    shown = []
    ticket = Ticket(lambda *args: shown.append(args))
    ticket.tell(1.0, "all")
    ticket.cancel()
    with pytest.raises(Cancelled):
        ticket.check()
    with pytest.raises(Cancelled):
        ticket.tell(1.0)
    assert shown == [(1.0, "all")]


@pytest.fixture
def page(monkeypatch):
    """A page of Voilà that is not there yet."""
    page = threading.Event()
    monkeypatch.setattr(tasks, "PAGE", page)
    return page


def test_work_begins_when_the_page_can_take_its_widgets(page):
    task, begun = Task(), threading.Event()
    task.start(lambda _: begun.set())
    assert not begun.wait(0.1)
    page.set()
    assert begun.wait(SECONDS)
    task.join(SECONDS)


@pytest.mark.usefixtures("page")
def test_who_waits_for_work_is_not_kept_from_it_by_a_page():
    task = Task()
    task.start(lambda _: "well")
    assert task.join(SECONDS) == "well"


@pytest.mark.usefixtures("page")
def test_a_page_that_never_tells_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(tasks, "PAGE_SECONDS", 0.01)
    task, begun = Task(), threading.Event()
    task.start(lambda _: begun.set())
    assert begun.wait(SECONDS)
    task.join(SECONDS)


@pytest.mark.usefixtures("page")
def test_work_that_waits_for_a_page_can_be_cancelled():
    task, done = Task(), []
    task.start(done.append)
    task.cancel()
    task.join(SECONDS)
    assert (task.state, done) == ("cancelled", [])


@pytest.mark.parametrize(("server", "is_there"), [("voila/0.5.8", False), ("jupyter/2", True)])
def test_only_a_page_of_voila_has_to_tell_that_it_is_there(server, is_there):
    code = "from nifti_kit.widgets.parts.tasks import PAGE; print(PAGE.is_set())"
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "SERVER_SOFTWARE": server},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == str(is_there)


def test_what_the_page_sends_when_it_is_there_is_heard(monkeypatch):
    page = threading.Event()
    monkeypatch.setattr(views, "PAGE", page)
    views._Front()._handle_custom_msg({"kind": "there"}, [])
    assert page.is_set()
