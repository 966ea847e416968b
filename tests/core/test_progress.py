"""Long work says how far it is, can be ended, and does not wait for a slow disk file by file."""

from __future__ import annotations

import threading
import time

import pytest

import nifti_kit as nk
from nifti_kit.core import parallel as module
from nifti_kit.core.parallel import AT_A_TIME, TRIED, in_order, with_progress
from tests.support.builders import write_nifti
from tests.support.landings import land, write_volumes

THREE = {"A": {"femur": (1,)}, "B": {"femur": (1,)}, "C": {"femur": (1, 2)}}

TOLD = [(0, "A.nrrd"), (1, "B.nrrd"), (2, "C.nrrd")]
"""The place and the name of each item."""


class Enough(Exception):
    """A person wants it to end."""


def enough(*_):
    raise Enough


class Clock:
    """Time that passes only as a test wants it: computing, and waiting."""

    def __init__(self):
        self.computed = self.waited = 0.0

    def perf_counter(self):
        return self.computed + self.waited

    def thread_time(self):
        return self.computed


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


class Threads:
    """Remembers which threads called it."""

    def __init__(self, seconds=0.0):
        self.seconds, self.seen, self.done = seconds, set(), []

    def __call__(self, thing):
        time.sleep(self.seconds)
        self.seen.add(threading.current_thread())
        self.done.append(thing)
        return thing * 10


def test_each_thing_is_told_of_before_it_is_worked_on():
    steps = []
    things = with_progress("ab", lambda at, thing: steps.append((at, thing)), "Working", "thing")
    for thing in things:
        steps.append(thing)  # noqa: PERF402  (the order of both is what matters)
    assert steps == [(0, "a"), "a", (1, "b"), "b"]


def test_no_bar_is_made_for_what_is_done_soon(monkeypatch):
    """In a notebook it would be eleven widgets, in its file too, that nobody sees."""
    monkeypatch.setattr("tqdm.auto.tqdm", None)
    assert list(with_progress(["<img>"] * 3, None, "Working", "thing")) == ["<img>"] * 3


def test_a_bar_is_shown_where_nobody_is_told_and_it_takes_long(monkeypatch, capsys):
    monkeypatch.setattr(module, "BAR_AFTER_S", 0)
    assert list(with_progress(["<img>"] * 3, None, "Working", "thing")) == ["<img>"] * 3
    shown = capsys.readouterr().err
    assert "Working" in shown
    assert "0/3" in shown
    assert "<img>" not in shown


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("count", [0, 1, TRIED, TRIED + 50])
def test_quick_things_are_done_in_this_thread(count):
    work = Threads()
    assert list(in_order(work, range(count))) == [10 * n for n in range(count)]
    assert work.seen <= {threading.current_thread()}
    assert work.done == list(range(count))


def test_things_that_are_waited_for_are_done_side_by_side_and_stay_in_order():
    work = Threads(seconds=0.005)
    assert list(in_order(work, range(TRIED + 50))) == [10 * n for n in range(TRIED + 50)]
    assert 2 < len(work.seen) <= AT_A_TIME + 1


@pytest.mark.parametrize("kind", ["computed", "waited"])
def test_computing_is_not_waiting(clock, kind):
    def take_time(_):
        setattr(clock, kind, getattr(clock, kind) + 0.004)
        seen.add(threading.current_thread())

    seen: set[threading.Thread] = set()
    list(in_order(take_time, range(TRIED + 3)))
    assert (seen == {threading.current_thread()}) == (kind == "computed")


def test_what_has_not_begun_is_not_done_where_the_taker_ends():
    work = Threads(seconds=0.005)
    results = in_order(work, range(1000))
    for _ in range(TRIED + 1):
        next(results)
    results.close()
    assert len(work.done) < 100


def test_what_a_function_raises_in_a_thread_comes_out():
    def fails(thing):
        time.sleep(0.005)
        if thing == TRIED + 3:
            raise ValueError(thing)
        return thing

    taken = []
    with pytest.raises(ValueError, match=str(TRIED + 3)):
        taken += in_order(fails, range(TRIED + 20))
    results = in_order(fails, range(TRIED + 20))
    assert [next(results) for _ in range(TRIED + 3)] == list(range(TRIED + 3))


# The public functions


def test_a_scan_tells_how_many_headers_it_has_read_and_can_be_ended(tmp_path):
    for number in range(4):
        write_nifti(tmp_path / f"scan{number}.nii.gz")
    told = []
    nk.scan(tmp_path, on_file=lambda done, total: told.append((done, total)))
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4)]
    with pytest.raises(Enough):
        nk.scan(tmp_path, on_file=enough)


def test_a_slow_disk_gives_the_same_dataset(tmp_path, monkeypatch):
    from nifti_kit.datasets import scanning

    for number in range(TRIED + 20):
        write_nifti(tmp_path / f"scan{number}.nii.gz")
    (tmp_path / f"scan{TRIED + 5}.nii.gz").write_bytes(b"no gzip")
    quick = nk.scan(tmp_path)
    read = scanning.read_header

    def slow(*args):
        time.sleep(0.003)
        seen.add(threading.current_thread())
        return read(*args)

    seen: set[threading.Thread] = set()
    monkeypatch.setattr(scanning, "read_header", slow)
    found = nk.scan(tmp_path)
    assert len(seen) > 2
    assert [item.name for item in found.items] == [item.name for item in quick.items]
    assert found.findings == quick.findings
    assert [(one.code, str(one.path)) for one in found.findings] == [
        ("file-unreadable", f"scan{TRIED + 5}.nii.gz")
    ]
    assert found.unused == quick.unused


def telling(dataset, told):
    def tell(at, item):
        known = {one.name for one in dataset.items if one in dataset.memory}
        told.append((at, item.name, sorted(known)))

    return tell


@pytest.mark.parametrize("work", [nk.plan, nk.check])
def test_work_on_a_data_set_tells_of_each_item_before_it_reads_any_voxel_of_it(tmp_path, work):
    dataset = nk.scan(write_volumes(tmp_path / "in", THREE))
    told = []
    work(dataset, on_item=telling(dataset, told))
    assert [(at, name) for at, name, _ in told] == TOLD
    for _, name, known in told:  # the files of those before it may still be on their way
        assert name not in known
    with pytest.raises(Enough):
        work(dataset, on_item=enough)
    with pytest.raises(KeyError, match="no finding code 'all'"):  # before anything is read
        work(dataset, waive="all", on_item=enough)


def test_a_proof_tells_of_each_volume_and_can_be_ended(tmp_path):
    target = nk.ProjectFolder(tmp_path / "out", "d")
    receipt = land(write_volumes(tmp_path / "in", THREE), target)
    told = []
    proof = nk.verify(receipt, target, on_item=lambda at, item: told.append((at, item.volume.name)))
    assert [at for at, _ in told] == [0, 1, 2]
    assert [name for _, name in told] == [row.volume for row in proof.volumes]
    with pytest.raises(Enough):
        nk.verify(receipt, target, on_item=enough)
