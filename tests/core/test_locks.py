"""Locks: one process and one thread at a time; what is dead holds nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nifti_kit.core import locks
from nifti_kit.core.locks import held
from nifti_kit.errors import TargetError

HOLDING = """
import os, sys, time
from pathlib import Path
from nifti_kit.core import locks
from nifti_kit.core.locks import held
with held(Path(sys.argv[1]), "an upload"):
    if sys.argv[2:]:  # a worker, forked with all that is open
        child = os.fork()
        if not child:
            time.sleep(30)
            os._exit(0)
        print(child, flush=True)
    else:
        print("held", flush=True)
    time.sleep(30)
"""

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="only this process is guarded")


@contextmanager
def holder(path: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run another process that holds a lock; give it, and what it says then."""
    command = [sys.executable, "-c", HOLDING, str(path), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        try:
            yield process, said
        finally:
            process.kill()


@needs_posix
def test_another_process_is_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "lock"
    with holder(path) as (process, said):
        assert said == "held"
        second = held(path, "an upload")
        with pytest.raises(TargetError, match="an upload is under way already") as told, second:
            pass
        assert str(told.value.found).startswith(f"process {process.pid} of ")
        assert told.value.remedy.startswith("Wait until it has ended")


@needs_posix
def test_a_process_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path) as (process, _):
        process.kill()
        process.wait()
        assert path.exists()
        with held(path, "an upload"):
            pass
    assert not path.exists()


@needs_posix
def test_who_may_write_to_the_folder_may_use_what_a_killed_process_has_left(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o2775)
    before = os.umask(0o077)
    try:
        with held(folder / "lock", "an upload"):
            mode = (folder / "lock").stat().st_mode
    finally:
        os.umask(before)
    assert mode & 0o777 == 0o664


def test_a_lock_of_another_user_that_cannot_be_opened_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lock"
    path.touch()

    def refuse(path: str, _: int) -> int:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(locks, "_itself", refuse)
    second = held(path, "an upload")
    with pytest.raises(TargetError, match="an upload is under way already") as told, second:
        pass
    assert told.value.found == "a file of another user"
    path.unlink()
    with pytest.raises(TargetError, match="cannot be written"), held(path, "an upload"):
        pass


@needs_posix
def test_a_worker_of_a_process_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path, "forks") as (process, worker):
        process.kill()
        process.wait()
        os.kill(int(worker), 0)  # it is there
        try:
            with held(path, "an upload"):
                pass
        finally:
            os.kill(int(worker), signal.SIGKILL)


def test_a_thread_is_told_too_and_the_lock_is_free_afterwards(tmp_path: Path) -> None:
    path, told = tmp_path / "lock", []

    def second() -> None:
        with pytest.raises(TargetError) as error, held(path, "an upload"):
            pass
        told.append(error.value.found)

    with held(path, "an upload"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert told == ["this process"]
    with held(path, "an upload"):
        assert path.exists()
    assert not path.exists()


def test_what_ends_in_an_error_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(KeyError), held(path, "an upload"):
        raise KeyError
    with held(path, "an upload"):
        pass
