"""One upload at a time to a project folder; what one that was killed has left; its own journal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

import nifti_kit as nk
from nifti_kit.errors import TargetError
from tests.support.landings import land, quiet, tree, write_volumes

PATIENCE_S = 60
"""How long a test waits for another process or thread before it fails."""


@pytest.fixture
def source(tmp_path):
    return write_volumes(tmp_path / "in", {"A": {"liver": (1, 2)}, "B": {"liver": (3,)}})


@pytest.fixture
def other(tmp_path):
    return write_volumes(tmp_path / "other", {"C": {"lung": (1,)}})


def project(tmp_path, dataset="d"):
    return nk.ProjectFolder(tmp_path / "p", dataset=dataset)


def beside(tmp_path):
    """What lies beside the project: its locks and journals, and what was kept."""
    return {path.name for path in tmp_path.iterdir() if path.name.startswith(("p.", ".p."))}


def ends_as_an_undisturbed_one(tmp_path, source):
    """Make the same call to its end: it is as if nothing had interrupted it."""
    receipt = land(source, project(tmp_path))
    assert [item.added for item in receipt.items] == [True, True]
    assert nk.verify(receipt, project(tmp_path)).ok
    land(source, nk.ProjectFolder(tmp_path / "undisturbed", dataset="d"))
    assert tree(tmp_path / "p") == tree(tmp_path / "undisturbed")
    assert beside(tmp_path) == set()


class Stop(Exception):
    """What a person's function raises."""


def stopping(at):
    def told(progress):
        if progress.objects_done >= at:
            raise Stop

    return told


# Its own journal


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_the_same_call_goes_on_without_a_journal_of_ones_own(tmp_path, source, at):
    with pytest.raises(Stop):
        land(source, project(tmp_path), on_progress=stopping(at))
    (journal,) = (tmp_path / "p.journals").iterdir()
    assert journal.suffix == ".jsonl"
    ends_as_an_undisturbed_one(tmp_path, source)


def test_after_the_end_it_is_a_first_call_again(tmp_path, source):
    land(source, project(tmp_path))
    assert beside(tmp_path) == set()
    with pytest.raises(TargetError, match=r"has a volume 'A\.nrrd' already"):
        land(source, project(tmp_path))
    assert beside(tmp_path) == set()


def test_the_journals_of_other_uploads_stay(tmp_path, source, other):
    with pytest.raises(Stop):
        land(source, project(tmp_path), on_progress=stopping(1))
    before = tree(tmp_path / "p.journals")
    land(other, project(tmp_path))
    land(source, project(tmp_path, "e"))
    assert tree(tmp_path / "p.journals") == before
    land(source, project(tmp_path))
    assert beside(tmp_path) == set()


@pytest.mark.skipif(os.name != "posix", reason="there are no such modes")
def test_what_lies_beside_a_project_is_ones_own_but_others_may_add_theirs(tmp_path, source):
    land(source, project(tmp_path))
    before = os.umask(0o002)
    try:
        with pytest.raises(Stop):
            land(source, project(tmp_path), existing="replace", on_progress=stopping(3))
    finally:
        os.umask(before)
    (journal,), (session,) = (
        (tmp_path / f"p.{what}").iterdir() for what in ("journals", "replaced")
    )
    modes = [
        path.stat().st_mode & 0o777 for path in (journal.parent, journal, session.parent, session)
    ]
    assert modes == [0o775, 0o600, 0o775, 0o700]
    assert nk.verify(land(source, project(tmp_path), existing="replace"), project(tmp_path)).ok


def test_a_journal_that_is_given_is_used_and_stays(tmp_path, source):
    land(source, project(tmp_path), journal=tmp_path / "journal")
    assert beside(tmp_path) == set()
    assert (tmp_path / "journal").exists()


def test_a_project_without_a_name_of_its_own_lies_beside_the_folder_that_it_is(
    tmp_path, source, monkeypatch
):
    (tmp_path / "p").mkdir()
    monkeypatch.chdir(tmp_path / "p")
    target = nk.ProjectFolder(".", dataset="d")
    assert target.journals == tmp_path / "p.journals"
    with pytest.raises(Stop):
        land(source, target, on_progress=stopping(1))
    assert beside(tmp_path) == {"p.journals"}
    receipt = land(source, target)
    assert nk.verify(receipt, target).ok
    land(source, target, existing="replace")
    assert beside(tmp_path) == {"p.replaced"}


def test_the_root_of_all_folders_is_no_project(source):
    with pytest.raises(TargetError, match=r"it is no Supervisely project.*the root of all folders"):
        land(source, nk.ProjectFolder("/", dataset="d"))


# One at a time

UPLOAD = """
import sys
import nifti_kit as nk

source, project, dataset = sys.argv[1:]

def told(progress):
    print(progress.objects_done, flush=True)
    if not sys.stdin.readline():
        raise SystemExit

plan = nk.plan(nk.scan(source, on_file=lambda *_: None), on_item=lambda *_: None)
nk.upload(plan, nk.ProjectFolder(project, dataset=dataset), on_progress=told)
print("landed", flush=True)
"""


@contextmanager
def another_process(source, path, dataset):
    """Give a process whose upload waits for a line at each step; it is under way."""
    command = [sys.executable, "-c", UPLOAD, str(source), str(path), dataset]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        try:
            assert process.stdout.readline() == "0\n"
            yield process
        finally:
            process.kill()


def let_go(process):
    said, _ = process.communicate("\n" * 100, timeout=PATIENCE_S)
    assert said.endswith("landed\n")
    assert process.returncode == 0


@pytest.mark.parametrize("dataset", ["d", "e"])
def test_an_upload_of_another_process_is_told_by_name_and_both_land(
    tmp_path, source, other, dataset
):
    (tmp_path / "link").symlink_to(tmp_path / "p")
    with another_process(source, tmp_path / "p", "d") as process:
        before = tree(tmp_path / "p")
        for path in (tmp_path / "p", tmp_path / "link", tmp_path / "in" / ".." / "p"):
            for what in (other, source):
                with pytest.raises(TargetError) as caught:
                    land(what, nk.ProjectFolder(path, dataset=dataset))
                assert caught.value.remedy == (
                    "Wait until it has ended, then make the same call again."
                )
                assert f"process {process.pid} of " in caught.value.found
                assert caught.value.expected == "one at a time"
                assert "is under way already" in caught.value.message
        assert tree(tmp_path / "p") == before
        assert beside(tmp_path) == {".p.nifti_kit.lock", "p.journals"}
        let_go(process)
    receipt = land(other, project(tmp_path, dataset))
    assert nk.verify(receipt, project(tmp_path, dataset)).ok
    ids = json.loads((tmp_path / "p" / "key_id_map.json").read_bytes())
    assert sorted(ids["videos"].values()) == [1, 2, 3]
    assert sorted(ids["objects"].values()) == sorted(ids["figures"].values()) == [1, 2, 3, 4]
    assert beside(tmp_path) == set()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there are no such kills")
@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_process_that_was_killed_holds_nothing_any_more(tmp_path, source, other, steps):
    with another_process(source, tmp_path / "p", "d") as process:
        for _ in range(steps):
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        process.wait(PATIENCE_S)
    assert ".p.nifti_kit.lock" in beside(tmp_path)
    receipts = [land(other, project(tmp_path)), land(source, project(tmp_path))]
    assert all(nk.verify(receipt, project(tmp_path)).ok for receipt in receipts)
    assert [item.added for item in receipts[1].items] == [True, True]
    ids = json.loads((tmp_path / "p" / "key_id_map.json").read_bytes())
    assert all(len(set(table.values())) == len(table) for table in ids.values())
    assert beside(tmp_path) == set()


def test_two_threads_of_a_process_do_not_upload_side_by_side(tmp_path, source, other):
    arrived, go_on = threading.Event(), threading.Event()
    receipts = []

    def told(_):
        arrived.set()
        assert go_on.wait(PATIENCE_S)

    def upload():
        receipts.append(land(source, project(tmp_path), on_progress=told))

    thread = threading.Thread(target=upload)
    thread.start()
    try:
        assert arrived.wait(PATIENCE_S)
        with pytest.raises(TargetError) as caught:
            land(other, project(tmp_path, "e"))
        assert caught.value.message == "an upload to this project is under way already"
        assert caught.value.found == "this process"
    finally:
        go_on.set()
        thread.join(PATIENCE_S)
    receipts.append(land(other, project(tmp_path, "e")))
    assert all(
        nk.verify(receipt, project(tmp_path, dataset)).ok
        for receipt, dataset in zip(receipts, "de", strict=True)
    )


def test_an_id_that_another_process_gave_is_not_given_again(tmp_path, source, other):
    """This target has read the map of ids before; the other one was killed before it wrote it."""
    target = project(tmp_path, "e")
    land(other, target)
    before = (tmp_path / "p" / "key_id_map.json").read_bytes(), target.stamp()
    land(source, project(tmp_path))
    (tmp_path / "p" / "key_id_map.json").write_bytes(before[0])
    os.utime(tmp_path / "p" / "key_id_map.json", ns=(before[1], before[1]))
    more = write_volumes(tmp_path / "more", {"E": {"spine": (5,)}})
    receipt = land(more, target)
    assert [item.volume.id for item in receipt.items] == [4]
    assert [landed.ref.id for landed in receipt.objects] == [5]


# What a killed run has left half written

KILLED = """
import os, sys
import nifti_kit as nk
from contextlib import contextmanager
from itertools import count
from nifti_kit.core import files
from nifti_kit.targets.folder import landing

root, number = sys.argv[1:]
real, begun = files.write_beside, count(1)

@contextmanager
def dying(*given, **options):
    mine = next(begun)
    with real(*given, **options) as out:
        if mine == int(number):
            out.write(b"half")
            out.flush()
            os._exit(9)
        yield out

files.write_beside = landing.land_beside = dying
landing.ENCODERS = 1  # else masks are written side by side, and two are half
plan = nk.plan(nk.scan(f"{root}/in", on_file=lambda *_: None), on_item=lambda *_: None)
nk.upload(plan, nk.ProjectFolder(f"{root}/p", dataset="d"), on_progress=lambda _: None)
"""


@pytest.mark.parametrize("number", range(1, 10))
def test_what_a_killed_process_left_half_written_goes_and_the_same_call_goes_on(
    tmp_path, source, number
):
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(number)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert (done.returncode, done.stderr) == (9, "")
    (half,) = tmp_path.rglob("*.part")
    assert half.read_bytes() == b"half"
    if number == 1:
        assert half.name.startswith(".meta.json.")
        assert set(tree(tmp_path / "p")) == {half.name}
    ends_as_an_undisturbed_one(tmp_path, source)


OURS = [
    "p/.meta.json.12.part",
    "p/.key_id_map.json.12.part",
    "p/d/ann/.A.nrrd.json.12.part",
    "p/d/volume/.A.nrrd.12.part",
    "p/d/mask/A.nrrd/.0af.nrrd.12.part",
    "p/d/datasets/e/mask/B.nrrd/.0af.nrrd.7654321.part",
    "p/d/ann/.0123456789abcdef.12.part",
    "p.replaced/20260101-000000-abc/d/A.nrrd/.A.nrrd.json.12.part",
]

OTHERS = [
    "p/.notes.txt.12.part",
    "p/.A.nrrd.12.part",
    "p/A.part",
    "p/d/.A.nrrd.12.part",
    "p/d/ann/.A.nrrd.json.part",
    "p/d/ann/.A.nrrd.12.part",
    "p/d/ann/A.nrrd.json.12.part",
    "p/d/mask/.A.nrrd.12.part",
    "p/d/mask/A.nrrd/.0af.12.part",
    "p/d/notes/.A.nrrd.json.12.part",
    "p.replaced/mine/.A.nrrd.12.part",
    "q/.meta.json.12.part",
]


def test_only_what_an_upload_was_about_to_write_is_removed(tmp_path, source):
    land(source, project(tmp_path))
    for name in (*OURS, *OTHERS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / "p" / "d" / "ann" / ".C.nrrd.json.12.part").mkdir()
    link = tmp_path / "p" / "d" / "ann" / ".D.nrrd.json.12.part"
    link.symlink_to(tmp_path / "q" / ".meta.json.12.part")
    receipt = land(source, project(tmp_path), existing="skip")
    assert nk.verify(receipt, project(tmp_path)).ok
    assert [name for name in OURS if (tmp_path / name).exists()] == []
    assert [name for name in OTHERS if not (tmp_path / name).exists()] == []
    assert (tmp_path / "p" / "d" / "ann" / ".C.nrrd.json.12.part").is_dir()
    assert link.is_symlink()


@pytest.mark.parametrize("name", [".notes.txt.12.part", ".A.nrrd.12.part", "meta.json.12.part"])
def test_other_half_written_files_make_no_project_of_a_folder(tmp_path, source, name):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / name).touch()
    (tmp_path / "p" / ".meta.json.12.part").touch()
    with pytest.raises(TargetError, match="a folder with other files"):
        land(source, project(tmp_path))
    assert set(tree(tmp_path / "p")) == {name, ".meta.json.12.part"}
    with pytest.raises(TargetError, match="a folder with other files"):
        project(tmp_path).add_classes([])


def test_an_upload_that_is_refused_leaves_nothing_beside(tmp_path, source):
    Path(tmp_path / "p").write_text("a file")
    with pytest.raises(TargetError, match="it is no Supervisely project Found: a file"):
        land(source, project(tmp_path), on_progress=quiet)
    assert beside(tmp_path) == set()
