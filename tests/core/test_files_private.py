"""What is kept of people's work is readable by its owner only."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nifti_kit.core import files
from nifti_kit.core.files import (
    land_beside,
    land_bytes,
    land_json,
    private_file,
    private_folder,
    state_folder,
    write_beside,
    write_bytes,
    write_json,
)
from nifti_kit.errors import TargetError

posix = pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """All are let in, unless something says otherwise."""
    before = os.umask(0o000)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def beside(write: Any) -> Callable[..., None]:
    def whole(path: Path, content: Any, **options: Any) -> None:
        with write(path, **options) as out:
            out.write(content)

    return whole


WRITERS = [beside(write_beside), beside(land_beside), write_bytes, land_bytes]


@posix
@pytest.mark.parametrize("write", [*WRITERS, write_json, land_json])
def test_a_private_file_and_the_folders_made_for_it_are_the_owners_alone(
    write: Any, tmp_path: Path
) -> None:
    content = b"x" if write not in (write_json, land_json) else "x"
    write(tmp_path / "a" / "b" / "file", content, private=True)
    assert mode(tmp_path / "a" / "b" / "file") == 0o600
    assert mode(tmp_path / "a") == mode(tmp_path / "a" / "b") == 0o700
    write(tmp_path / "open" / "file", content)
    assert (mode(tmp_path / "open"), mode(tmp_path / "open" / "file")) == (0o777, 0o666)


@posix
def test_a_private_file_is_never_open_not_even_while_it_is_written(tmp_path: Path) -> None:
    (tmp_path / f".file.{os.getpid()}.part").write_bytes(b"of a dead run")
    (tmp_path / "file").write_bytes(b"open")
    with write_beside(tmp_path / "file", private=True) as out:
        (part,) = tmp_path.glob(".file.*")
        assert mode(part) == 0o600
        out.write(b"new")
    assert mode(tmp_path / "file") == 0o600
    assert (tmp_path / "file").read_bytes() == b"new"


@posix
def test_folders_that_were_there_before_a_private_file_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    write_bytes(tmp_path / "mine" / "file", b"x", private=True)
    assert mode(tmp_path / "mine") == 0o777


@posix
def test_a_private_folder_is_made_or_closed_and_what_is_above_it_stays(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert private_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert mode(tmp_path / "a") == mode(tmp_path / "a" / "b") == 0o700
    (tmp_path / "a").chmod(0o2775)
    private_folder(tmp_path / "a")
    assert mode(tmp_path / "a") == 0o2700
    assert mode(tmp_path) == 0o755


@posix
def test_a_private_file_is_made_or_closed_and_keeps_what_it_holds(tmp_path: Path) -> None:
    path = private_file(tmp_path / "a" / "journal")
    assert (mode(path), mode(path.parent), path.read_bytes()) == (0o600, 0o700, b"")
    path.write_bytes(b"line")
    path.chmod(0o644)
    assert private_file(path).read_bytes() == b"line"
    assert mode(path) == 0o600


@posix
def test_a_folder_that_cannot_be_closed_is_said_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> None:
        raise PermissionError(1, "no")

    (tmp_path / "a").mkdir()
    monkeypatch.setattr(Path, "chmod", refused)
    with pytest.warns(UserWarning, match="a may be read by others: Operation not permitted"):
        private_folder(tmp_path / "a")


@pytest.mark.parametrize("make", [private_folder, private_file])
def test_what_cannot_be_made_is_told(make: Any, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(TargetError, match="the file cannot be written"):
        make(tmp_path / "a" / "b")


def test_the_state_folder_is_that_of_the_system_or_an_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_the_system = tmp_path / "Application Support" / "nifti_kit"  # as macOS has it
    monkeypatch.setattr(files, "user_state_path", lambda _: of_the_system)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME")
    assert state_folder() == of_the_system
    earlier = tmp_path / ".local" / "state" / "nifti_kit"
    earlier.mkdir(parents=True)
    assert state_folder() == earlier
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))  # a person has said where
    assert state_folder() == of_the_system
    monkeypatch.delenv("XDG_STATE_HOME")
    of_the_system.mkdir(parents=True)
    assert state_folder() == of_the_system
