"""Text files in the encodings that people save them in."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nifti_kit.core import text
from nifti_kit.core.text import read_text
from nifti_kit.errors import UnreadableFile
from tests.support.properties import untimed

READABLE = {
    "empty": (b"", ""),
    "ascii": (b"1 Femur", "1 Femur"),
    "utf-8": ("1 Fémur".encode(), "1 Fémur"),
    "utf-8 with BOM": (b"\xef\xbb\xbf1 Femur", "1 Femur"),
    "utf-16 little": ("1 Fémur".encode("utf-16"), "1 Fémur"),
    "utf-16 big": (b"\xfe\xff\x00\x31\x00\x20\x00\x41", "1 A"),
    "windows-1252": (b"1 F\xe9mur", "1 Fémur"),
    "line ends are kept": (b"1 a\r\n2 b\r", "1 a\r\n2 b\r"),
}

UNREADABLE = {
    "zero bytes": (b"1 Fe\0mur", "zero bytes"),
    "undefined in windows-1252": (b"1 F\x81mur", "bytes that are no text"),
    "half a utf-16 character": (b"\xff\xfe\x31", "bytes that are no text"),
}


@pytest.mark.parametrize(("content", "text"), READABLE.values(), ids=list(READABLE))
def test_a_text_is_read(content: bytes, text: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    assert read_text(tmp_path / "a.txt") == text
    assert read_text(str(tmp_path / "a.txt")) == text


@pytest.mark.parametrize(("content", "found"), UNREADABLE.values(), ids=list(UNREADABLE))
def test_what_is_no_text_is_refused(content: bytes, found: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile) as caught:
        read_text(path)
    assert str(caught.value) == (
        f"{path}: the text file cannot be read Found: {found}. Expected: UTF-8 text. "
        "Remedy: Save it as UTF-8."
    )


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="No such file"):
        read_text(tmp_path / "a.txt")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="Is a directory"):
        read_text(tmp_path)


def test_a_file_above_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "MAX_TEXT_BYTES", 4)
    (tmp_path / "a.txt").write_text("1234")
    assert read_text(tmp_path / "a.txt") == "1234"
    (tmp_path / "a.txt").write_text("12345")
    with pytest.raises(UnreadableFile, match="Found: 5 bytes"):
        read_text(tmp_path / "a.txt")


def test_a_kind_of_file_may_have_a_limit_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("12345")
    assert read_text(path, most=5) == "12345"
    with pytest.raises(UnreadableFile) as caught:
        read_text(path, most=4, what="class map")
    assert str(caught.value) == (
        f"{path}: the class map is larger than any is Found: 5 bytes. Expected: at most 4 bytes. "
        "Remedy: Give the right file; or write one that holds only what belongs to these data."
    )


def test_what_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("12345")
    asked: list[int] = []

    class Counted(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            asked.append(-1 if size is None else size)
            return super().read(size)

    monkeypatch.setattr(Path, "open", lambda *_: Counted(b"12345"))
    with pytest.raises(UnreadableFile):
        read_text(tmp_path / "a.txt", most=4)
    assert asked == []
    assert read_text(tmp_path / "a.txt", most=5) == "12345"
    assert asked == [6]


def test_a_file_that_grows_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("1234")
    monkeypatch.setattr(Path, "open", lambda *_: io.BytesIO(b"12345"))
    with pytest.raises(UnreadableFile, match="Found: 5 bytes"):
        read_text(tmp_path / "a.txt", most=4)


@untimed
@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_saved_as_utf_8_with_bom_comes_back(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_text(path) == text


def text_or_error(path: Path) -> str | UnreadableFile:
    try:
        return read_text(path)
    except UnreadableFile as error:
        return error


@untimed
@given(content=st.binary(max_size=64))
def test_any_bytes_are_a_text_or_refused(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.bin"
    path.write_bytes(content)
    read = text_or_error(path)
    if isinstance(read, UnreadableFile):
        assert read.found in ("zero bytes", "bytes that are no text")
    elif content.isascii():
        assert read == content.decode("ascii")
