"""A disk that is full, or a folder that may not be written to, is one error in words."""

from __future__ import annotations

import errno
import os
import shutil
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.core import files
from nifti_kit.core.files import land_bytes, written
from nifti_kit.errors import TargetError, UnreadableFile
from tests.support.landings import land, tree, write_annotations, write_volumes

REMEDY = (
    "Free some space or get the right to write there, or choose another folder. "
    "With a journal the same call goes on where this one ended."
)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT])
def test_what_the_system_says_stands_in_the_error(number: int) -> None:
    with pytest.raises(TargetError) as caught, written(Path("p/x.nrrd")):
        raise OSError(number, os.strerror(number))
    assert str(caught.value) == (
        f"p/x.nrrd: the file cannot be written Found: {os.strerror(number)}. Remedy: {REMEDY}"
    )


def test_an_error_without_a_number_has_its_kind() -> None:
    with pytest.raises(TargetError, match="Found: TimeoutError"), written(Path("x")):
        raise TimeoutError


@pytest.mark.parametrize("error", [TargetError("gone"), UnreadableFile("damaged"), KeyError("k")])
def test_other_errors_go_through(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, written(Path("x")):
        raise error
    assert caught.value is error


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(TargetError, match="a/x: the file cannot be written Found: "):
        land_bytes(tmp_path / "a" / "x", b"")


def full_at(patch: pytest.MonkeyPatch, number: int) -> None:
    """Let the disk be full from the file with this number on."""
    tried = count(1)

    def full(real: Any) -> Any:
        def write(*args: Any, **options: Any) -> Any:
            if next(tried) >= number:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*args, **options)

        return write

    patch.setattr(files, "write_beside", full(files.write_beside))
    patch.setattr(shutil, "copy2", full(shutil.copy2))


def test_a_disk_that_is_full_at_any_file_ends_in_words_and_the_same_call_goes_on(
    tmp_path: Path,
) -> None:
    source = write_volumes(tmp_path / "in", {"B": {}, "C": {"organ": (1,)}})
    annotations = write_annotations(tmp_path / "again", 1)
    runs = [(source, "error"), (annotations, "error"), (annotations, "replace")]
    wanted: dict[str, bytes] | None = None
    errors: list[TargetError] = []
    for number in range(1, 100):
        folder = tmp_path / str(number)
        target = nk.ProjectFolder(folder / "p", dataset="d")
        before = len(errors)
        for step, (one, existing) in enumerate(runs):
            options = {"existing": existing, "journal": folder / f"journal{step}"}
            with pytest.MonkeyPatch.context() as patch:
                full_at(patch, number)
                try:
                    land(one, target, **options)
                except TargetError as error:
                    errors.append(error)
            land(one, target, **options)
        assert wanted in (None, wanted := tree(folder / "p")), number
        if len(errors) == before:
            break
    assert number > 6
    assert {error.message for error in errors} == {"the file cannot be written"}
    assert {error.found for error in errors} == {"No space left on device"}
    names = {Path(error.path).suffixes[-1] for error in errors}
    assert names == {".nrrd", ".json"}
    assert all(Path(error.path).parent.name not in ("", ".") for error in errors)


def test_a_disk_that_is_full_for_the_journal_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    source = write_volumes(tmp_path / "in", {"A": {}})
    target = nk.ProjectFolder(tmp_path / "p", dataset="d")
    with pytest.raises(TargetError) as caught:
        land(source, target, journal=tmp_path / "journal")
    assert caught.value.path == str(tmp_path / "journal")
    assert caught.value.found == "No space left on device"
