"""Names that others gave become paths only where they lead to one file within a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nifti_kit.core import files
from nifti_kit.core.files import inside, path_part, short_name, write_beside, write_bytes
from nifti_kit.errors import TargetError

NO_PARTS = ["", " ", ".", "..", "...", ". .", "a/b", "/etc", "../x", "a/", "a\0b", "\0"]

PARTS = ["a", "V.nrrd", "..a", "a..", "a b", "läsion", "a\\b", "C:x", "-x", "\udcff", "a\nb", "~"]


@pytest.mark.parametrize("name", NO_PARTS)
def test_a_name_that_leads_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    for use in (lambda: path_part(name), lambda: inside(tmp_path, "x", name, "y")):
        with pytest.raises(TargetError) as caught:
            use()
        assert caught.value.message == "a name cannot become that of a file or folder"
        assert caught.value.expected == "a name without '/' that is not '..'"
        assert "\0" not in str(caught.value)


@pytest.mark.parametrize("name", PARTS)
def test_other_names_are_taken_as_they_are(name: str, tmp_path: Path) -> None:
    assert path_part(name) == name
    assert inside(tmp_path, "x", name) == tmp_path / "x" / name


@pytest.mark.parametrize("name", ["a\\b", "..\\x", "C:x", "a/b"])
def test_where_a_backslash_parts_a_path_it_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "NOT_IN_A_NAME", files.not_in_a_name("nt"))
    with pytest.raises(TargetError, match="cannot become that of a file"):
        path_part(name)


@pytest.mark.parametrize(
    ("name", "ok"), [("x" * 255, True), ("x" * 256, False), ("ä" * 128, False)]
)
def test_a_name_is_measured_in_bytes(name: str, ok: bool) -> None:
    if ok:
        assert path_part(name) == name
        return
    with pytest.raises(TargetError, match=r"256 bytes.*at most 255 bytes") as caught:
        path_part(name)
    assert len(str(caught.value)) < 400


def test_a_name_of_half_letters_is_refused() -> None:
    with pytest.raises(TargetError, match=r"ud800.*letters that can be written"):
        path_part("a\ud800")


def test_a_link_that_leads_out_of_a_folder_is_refused_by_name(tmp_path: Path) -> None:
    folder, other = tmp_path / "folder", tmp_path / "other"
    (folder / "a").mkdir(parents=True)
    (other / "b").mkdir(parents=True)
    (folder / "a" / "out").symlink_to(other)
    (folder / "a" / "file").symlink_to(other / "b" / "x.nrrd")
    (folder / "a" / "in").symlink_to(folder / "a")
    for names in (("a", "out"), ("a", "out", "b"), ("a", "file"), ("a", "in", "out")):
        with pytest.raises(TargetError, match="a link leads out of the folder") as caught:
            inside(folder, *names)
        assert caught.value.path == str(folder.joinpath(*names))
        assert str(caught.value.found).startswith(str(other))
    assert inside(folder, "a", "in", "x") == folder / "a" / "in" / "x"


def test_a_folder_may_be_reached_by_a_link_itself(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert inside(tmp_path / "link", "a", "b") == tmp_path / "link" / "a" / "b"


def test_a_folder_whose_name_only_begins_the_same_is_another(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p.replaced").mkdir()
    (tmp_path / "p" / "x").symlink_to(tmp_path / "p.replaced")
    with pytest.raises(TargetError, match="leads out"):
        inside(tmp_path / "p", "x")


@pytest.mark.parametrize("ending", ["", ".json", ".nrrd.json"])
def test_a_long_name_gets_a_short_one_of_its_own(ending: str, tmp_path: Path) -> None:
    assert short_name("x" * (255 - len(ending)), ending) == "x" * (255 - len(ending)) + ending
    names = ["x" * 300, "x" * 299 + "y", "ä" * 200, "\udcff" * 300, "\ud800" * 300]
    short = [short_name(name, ending) for name in names]
    assert short == [short_name(name, ending) for name in names]
    assert len(set(short)) == len(names)
    for name, whole in zip(names, short, strict=True):
        assert len(os.fsencode(whole)) <= 255
        assert whole.endswith(ending)
        assert whole[:50] == name[:50] or not name.isprintable()
        (tmp_path / whole).touch()


def test_a_file_of_the_longest_name_is_written_beside_its_place_too(tmp_path: Path) -> None:
    paths = [tmp_path / ("x" * 255), tmp_path / ("x" * 254 + "y")]
    for path in paths:
        with write_beside(path) as out:
            (beside,) = {one.name for one in tmp_path.iterdir()} - {one.name for one in paths}
            assert (beside[0], beside[-5:]) == (".", ".part")
            out.write(path.name[-1].encode())
    assert [path.read_bytes() for path in paths] == [b"x", b"y"]
    assert len(list(tmp_path.iterdir())) == 2


def test_who_asks_for_it_sees_a_file_whole_before_it_takes_its_place(tmp_path: Path) -> None:
    seen = []
    write_bytes(
        tmp_path / "a", b"new", lambda path: seen.append((path.read_bytes(), path.stat().st_ino))
    )
    assert seen == [(b"new", (tmp_path / "a").stat().st_ino)]


def test_where_that_fails_the_old_file_stays(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def refuse(_: Path) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        write_bytes(tmp_path / "a", b"new", refuse)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]
