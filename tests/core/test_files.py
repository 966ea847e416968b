"""Files are written beside their place, then renamed: never half of one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nifti_kit.core.files import write_beside, write_bytes, write_json


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_bytes_take_the_place_of_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"a longer old content")
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["a.bin"]


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write_bytes(tmp_path / "x" / "y" / "a.bin", b"new")
    assert (tmp_path / "x" / "y" / "a.bin").read_bytes() == b"new"


def test_until_it_is_whole_the_file_lies_beside_its_place_and_is_hidden(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with write_beside(path) as out:
        out.write(b"new")
        assert path.read_bytes() == b"old"
        (beside,) = set(names(tmp_path)) - {"a.bin"}
        assert beside.startswith(".a.bin.")
        assert beside.endswith(".part")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["a.bin"]


def write_half(path: Path, stop: type[BaseException]) -> None:
    with write_beside(path) as out:
        out.write(b"half")
        raise stop


@pytest.mark.parametrize("stop", [RuntimeError, KeyboardInterrupt])
def test_after_a_fault_the_old_file_is_there_and_nothing_else(
    stop: type[BaseException], tmp_path: Path
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(stop):
        write_half(path, stop)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_json_is_utf_8_and_indented_by_four(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"name": "Fémur", "ids": [1]})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert text == '{\n    "name": "Fémur",\n    "ids": [\n        1\n    ]\n}'
    assert json.loads(text) == {"name": "Fémur", "ids": [1]}


def test_what_is_no_json_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"a": object()})
    assert names(tmp_path) == []
