"""Sources: folders, archives and single files are listed; hostile archives are refused."""

from __future__ import annotations

import gc
import gzip
import io
import os
import random
import shutil
import socket
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nifti_kit.core.findings import Findings
from nifti_kit.datasets import sources
from nifti_kit.datasets.sources import Source, open_source
from nifti_kit.errors import BadSource
from tests.support.properties import untimed

MEMBERS = {"set/axl.nii": b"axial", "set/deep/cor.nii.gz": b"coronal", "map.txt": b"1 Femur"}
LISTED = ["map.txt", "set/axl.nii", "set/deep/cor.nii.gz"]


def write(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(os.fsencode(name))
    return folder


def listed(source: Source) -> list[str]:
    return [str(file) for file in source.files]


def passed_over(source: Source) -> list[tuple[str, str, str]]:
    return [(found.code, found.path, found.message) for found in source.findings]


# Folders and files.


def test_a_folder_lists_its_files_at_any_depth(tmp_path: Path) -> None:
    source = open_source(write(tmp_path, *MEMBERS))
    assert listed(source) == LISTED
    assert source.root == source.given == tmp_path
    assert not source.is_archive
    assert source.findings == ()


def test_the_order_does_not_depend_on_upper_and_lower_case(tmp_path: Path) -> None:
    source = open_source(write(tmp_path, "b.nii", "C.nii", "A.nii", "a.csv"))
    assert listed(source) == ["a.csv", "A.nii", "b.nii", "C.nii"]


def test_a_file_alone_is_a_source_of_one_file(tmp_path: Path) -> None:
    write(tmp_path, "axl.nii", "cor.nii")
    source = open_source(str(tmp_path / "axl.nii"))
    assert listed(source) == ["axl.nii"]
    assert source.root == tmp_path


def test_an_empty_folder_has_no_files(tmp_path: Path) -> None:
    assert listed(open_source(tmp_path)) == []


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert listed(open_source(write(tmp_path, "in/axl.nii") and "~/in")) == ["axl.nii"]


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSource) as caught:
        open_source(tmp_path / "nowhere")
    assert str(caught.value) == (
        f"{tmp_path}/nowhere: there is no such file or folder "
        f"Remedy: Check the path; the current folder is {Path.cwd()}."
    )


def test_hidden_files_and_folders_are_named_and_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "axl.nii", "._axl.nii", "set/.DS_Store", ".git/a.nii", "__MACOSX/._b.nii")
    source = open_source(tmp_path)
    assert listed(source) == ["axl.nii"]
    assert passed_over(source) == [
        ("file-hidden", path, "hidden, passed over")
        for path in ("._axl.nii", ".git", "__MACOSX", "set/.DS_Store")
    ]


# Links and special files.


def outside(path: str, kind: str, target: Path) -> tuple[str, str, str]:
    message = f"a link to the {kind} {target}, outside the source; it is not followed"
    return "link-outside", path, message


def test_links_out_of_the_source_are_errors_and_not_followed(tmp_path: Path) -> None:
    write(tmp_path, "store/axl.nii", "in/cor.nii")
    (tmp_path / "in" / "axl.nii").symlink_to("../store/axl.nii")
    (tmp_path / "in" / "set").symlink_to("../store")
    source = open_source(tmp_path / "in")
    assert listed(source) == ["cor.nii"]
    assert passed_over(source) == [
        outside("axl.nii", "file", tmp_path / "store" / "axl.nii"),
        outside("set", "folder", tmp_path / "store"),
    ]
    assert {found.severity for found in source.findings} == {"error"}


def test_the_disk_is_not_listed_through_a_link(tmp_path: Path) -> None:
    write(tmp_path, "in/cor.nii", "store/in/axl.nii")
    (tmp_path / "in" / "above").symlink_to(tmp_path)
    (tmp_path / "in" / "disk").symlink_to(Path(tmp_path.anchor))
    source = open_source(tmp_path / "in")
    assert listed(source) == ["cor.nii"]
    assert [(found.code, found.path) for found in source.findings] == [
        ("link-outside", "above"),
        ("link-outside", "disk"),
    ]


def test_the_remedies_of_a_link_out_of_the_source_end_right(tmp_path: Path) -> None:
    write(tmp_path, "store/axl.nii", "store/sag.nii", "in/cor.nii")
    (tmp_path / "in" / "axl.nii").symlink_to("../store/axl.nii")
    (tmp_path / "in" / "set").symlink_to("../store")
    file, folder = open_source(tmp_path / "in").findings
    place, link = tmp_path / "store", tmp_path / "in"
    assert file.remedy == (
        f"Put the file itself in place of the link (a copy of {place}/axl.nii). "
        "If it is no data: remove the link, or waive=[('link-outside', 'axl.nii')]."
    )
    assert f"(a copy of {place}); or scan it on its own: scan('{place}')." in folder.remedy
    assert listed(open_source(place)) == ["axl.nii", "sag.nii"]
    for copy in ("axl.nii", "set"):
        (link / copy).unlink()
    shutil.copy(place / "axl.nii", link / "axl.nii")
    shutil.copytree(place, link / "set")
    source = open_source(link)
    assert listed(source) == ["axl.nii", "cor.nii", "set/axl.nii", "set/sag.nii"]
    assert source.findings == ()


def test_links_that_stay_inside_are_followed_into_hidden_folders_too(tmp_path: Path) -> None:
    write(tmp_path, "cor.nii", ".store/axl.nii", "set/sag.nii")
    (tmp_path / "again.nii").symlink_to("cor.nii")
    (tmp_path / "axl.nii").symlink_to(".store/axl.nii")
    (tmp_path / "other").symlink_to(tmp_path / "set")
    source = open_source(tmp_path)
    assert listed(source) == ["again.nii", "axl.nii", "cor.nii", "other/sag.nii", "set/sag.nii"]
    assert [found.code for found in source.findings] == ["file-hidden"]


STORE = ".git/annex/objects"


def annexed(repository: Path, *names: str) -> Path:
    """Keep files as git-annex does: their content by checksum, a link at their place."""
    for number, name in enumerate(names):
        content = f"{STORE}/xx/yy/SHA256E-s1--{number}.nii/SHA256E-s1--{number}.nii"
        write(repository, content)
        place = repository / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(os.path.relpath(repository / content, place.parent))
    return repository


@pytest.mark.parametrize("below", ["", "sub-01", "sub-01/anat"])
def test_a_repository_of_git_annex_is_read_and_so_is_a_folder_of_it(
    below: str, tmp_path: Path
) -> None:
    names = ("sub-01/anat/T1w.nii", "sub-01/anat/T2w.nii")
    source = open_source(annexed(tmp_path, *names) / below)
    assert listed(source) == [os.path.relpath(name, below or ".") for name in names]
    assert [found.path for found in source.findings] == [".git"] * (not below)


def test_what_git_annex_has_not_brought_yet_is_to_be_got(tmp_path: Path) -> None:
    annexed(tmp_path, "sub-01/T1w.nii", "sub-01/T2w.nii")
    os.unlink(os.path.realpath(tmp_path / "sub-01/T1w.nii"))  # noqa: PTH108
    (tmp_path / "sub-01" / "other.nii").symlink_to("nowhere.nii")
    source = open_source(tmp_path / "sub-01")
    assert listed(source) == ["T2w.nii"]
    got, other = source.findings
    assert (got.path, got.message) == ("T1w.nii", "a broken link")
    assert "datalad get" in got.remedy
    assert "datalad" not in other.remedy


def test_of_another_repository_nothing_is_read_nor_a_folder_of_the_store(tmp_path: Path) -> None:
    annexed(tmp_path / "other", "T1w.nii")
    annexed(tmp_path / "mine", "sub-01/T1w.nii")
    (tmp_path / "mine" / "sub-01" / "T2w.nii").symlink_to(tmp_path / "other" / "T1w.nii")
    (tmp_path / "mine" / "sub-01" / "all").symlink_to(tmp_path / "mine" / STORE / "xx")
    source = open_source(tmp_path / "mine" / "sub-01")
    assert listed(source) == ["T1w.nii"]
    assert [(found.code, found.path) for found in source.findings] == [
        ("link-outside", "T2w.nii"),
        ("link-outside", "all"),
    ]


def test_a_folder_whose_name_begins_like_the_sources_is_outside(tmp_path: Path) -> None:
    write(tmp_path, "in/cor.nii", "inner/axl.nii")
    (tmp_path / "in" / "axl.nii").symlink_to("../inner/axl.nii")
    assert [found.code for found in open_source(tmp_path / "in").findings] == ["link-outside"]


def test_folders_full_of_links_to_each_other_are_listed_once_each(tmp_path: Path) -> None:
    names = [f"f{number}" for number in range(12)]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "axl.nii").write_bytes(b"")
        for other in names:
            if other != name:
                (tmp_path / name / other).symlink_to(tmp_path / other)
    source = open_source(tmp_path)
    assert len(source.files) == 2 * len(names)
    assert {found.code for found in source.findings} == {"file-unused"}


def test_the_source_itself_may_be_a_link(tmp_path: Path) -> None:
    write(tmp_path, "store/axl.nii")
    (tmp_path / "in").symlink_to("store")
    assert listed(open_source(tmp_path / "in")) == ["axl.nii"]


def test_a_broken_link_is_named_and_the_rest_is_listed(tmp_path: Path) -> None:
    write(tmp_path, "z.nii")
    (tmp_path / "axl.nii").symlink_to("nowhere.nii")
    source = open_source(tmp_path)
    assert listed(source) == ["z.nii"]
    assert passed_over(source) == [("file-unreadable", "axl.nii", "a broken link")]


def test_links_that_point_at_each_other_are_named_and_the_rest_is_listed(tmp_path: Path) -> None:
    write(tmp_path, "z.nii")
    (tmp_path / "a.nii").symlink_to("b.nii")
    (tmp_path / "b.nii").symlink_to("a.nii")
    (tmp_path / "self").symlink_to("self")
    source = open_source(tmp_path)
    assert listed(source) == ["z.nii"]
    assert passed_over(source) == [
        ("file-unreadable", name, "a broken link") for name in ("a.nii", "b.nii", "self")
    ]


def test_a_link_back_into_the_tree_is_named_and_not_followed(tmp_path: Path) -> None:
    write(tmp_path, "set/axl.nii")
    (tmp_path / "set" / "again").symlink_to("..")
    (tmp_path / "set" / "here").symlink_to(".")
    source = open_source(tmp_path)
    assert listed(source) == ["set/axl.nii"]
    assert passed_over(source) == [
        ("file-unused", f"set/{name}", "a link back into this tree") for name in ("again", "here")
    ]


def test_two_folders_that_link_to_each_other_end(tmp_path: Path) -> None:
    write(tmp_path, "a/x.nii", "b/y.nii")
    (tmp_path / "a" / "to_b").symlink_to("../b")
    (tmp_path / "b" / "to_a").symlink_to("../a")
    source = open_source(tmp_path)
    assert listed(source) == ["a/to_b/y.nii", "a/x.nii", "b/to_a/x.nii", "b/y.nii"]
    assert [found.path for found in source.findings] == ["a/to_b/to_a", "b/to_a/to_b"]


def test_pipes_sockets_and_devices_are_named_and_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "axl.nii")
    (tmp_path / "cor.nii").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(os.fspath(tmp_path / "sag.nii"))
        source = open_source(tmp_path)
    assert listed(source) == []
    assert passed_over(source) == [
        ("file-unreadable", "axl.nii", "a named pipe: it is not opened"),
        ("file-unreadable", "cor.nii", "a device: it is not opened"),
        ("file-unreadable", "sag.nii", "a socket: it is not opened"),
    ]
    assert "Save its data as a file" in source.findings[0].remedy


@pytest.mark.parametrize("name", ["axl.nii", "all.zip"])
def test_a_device_is_no_source(name: str, tmp_path: Path) -> None:
    (tmp_path / name).symlink_to(os.devnull)
    with pytest.raises(BadSource, match="no regular file") as caught:
        open_source(tmp_path / name)
    assert caught.value.found == "a device"


def test_a_source_of_more_entries_than_any_data_set_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MAX_ENTRIES", 6)
    write(tmp_path, "a/1.nii", "a/2.nii", "b/3.nii", ".hidden")
    assert len(open_source(tmp_path).files) == 3
    write(tmp_path, "b/4.nii")
    with pytest.raises(BadSource, match="more files and folders than any data set") as caught:
        open_source(tmp_path)
    assert caught.value.found == "more than 6"
    assert caught.value.expected == "at most 6 (nifti_kit.datasets.sources.MAX_ENTRIES)"
    assert len(open_source(tmp_path / "b").files) == 2


def test_of_a_flooded_folder_no_more_is_listed_than_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MAX_ENTRIES", 3)
    write(tmp_path, *(f"{number}.nii" for number in range(9)))
    taken = []
    scandir = os.scandir

    class Counted:
        def __init__(self, path: Path) -> None:
            self._entries = scandir(path)

        def __enter__(self) -> Counted:
            return self

        def __exit__(self, *exc: object) -> None:
            self._entries.close()

        def __iter__(self) -> Iterator[os.DirEntry[str]]:
            for entry in self._entries:
                taken.append(entry.name)
                yield entry

    monkeypatch.setattr(sources.os, "scandir", Counted)
    with pytest.raises(BadSource, match="more files and folders"):
        open_source(tmp_path)
    assert len(taken) == 4


def test_a_folder_that_cannot_be_listed_is_named_and_the_rest_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "closed/axl.nii", "open/axl.nii")
    scandir = os.scandir

    def closed(path: Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(sources.os, "scandir", closed)
    source = open_source(tmp_path)
    assert listed(source) == ["open/axl.nii"]
    assert passed_over(source) == [
        ("file-unreadable", "closed", "the folder cannot be listed: Permission denied")
    ]


# Names that cannot be written down.

BAD_NAMES = {
    "Latin-1": (b"caf\xe9.nii", r"caf\xe9.nii", "its name is not UTF-8"),
    "line end": (b"a\nb.nii", r"a\nb.nii", "its name has control characters or line ends"),
    "escape": (b"\x1b[31m.nii", r"\x1b[31m.nii", "its name has control characters or line ends"),
    "line separator": (
        "a\u2028b.nii".encode(),
        r"a\u2028b.nii",
        "its name has control characters or line ends",
    ),
}


@pytest.mark.parametrize(("name", "shown", "fault"), BAD_NAMES.values(), ids=list(BAD_NAMES))
def test_a_name_that_cannot_be_written_is_an_error_and_left_out(
    name: bytes, shown: str, fault: str, tmp_path: Path
) -> None:
    write(tmp_path, "good.nii")
    (tmp_path / os.fsdecode(name)).write_bytes(b"a")
    source = open_source(tmp_path)
    assert listed(source) == ["good.nii"]
    assert passed_over(source) == [("file-name", shown, fault)]
    assert source.findings[0].severity == "error"
    Findings(source.findings).to_json().encode()


@pytest.mark.parametrize(("name", "shown", "fault"), BAD_NAMES.values(), ids=list(BAD_NAMES))
def test_such_a_file_alone_is_an_error_too(
    name: bytes, shown: str, fault: str, tmp_path: Path
) -> None:
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(b"a")
    if b"\xe9" in name:
        with pytest.raises(BadSource, match=r"caf\\xe9\.nii: the path is not UTF-8"):
            open_source(path)
        return
    source = open_source(path)
    assert listed(source) == []
    assert passed_over(source) == [("file-name", shown, fault)]


def test_nothing_in_a_folder_of_such_a_name_is_taken_and_a_hidden_one_stays_hidden(
    tmp_path: Path,
) -> None:
    write(tmp_path, os.fsdecode(b"Universit\xe4t/axl.nii"), os.fsdecode(b".caf\xe9"))
    source = open_source(tmp_path)
    assert listed(source) == []
    assert passed_over(source) == [
        ("file-hidden", r".caf\xe9", "hidden, passed over"),
        (
            *("file-name", r"Universit\xe4t"),
            "its name is not UTF-8; nothing in this folder is taken",
        ),
    ]


@pytest.mark.parametrize("name", ["Zoë Ünal 脳.nii", "a b\u00a0c.nii", "👩‍⚕️.nii"])
def test_any_letter_that_can_be_written_is_a_good_name(name: str, tmp_path: Path) -> None:
    assert listed(open_source(write(tmp_path, name))) == [name]


def test_a_link_to_such_a_place_is_named_with_escapes(tmp_path: Path) -> None:
    write(tmp_path, os.fsdecode(b"caf\xe9/axl.nii"), "in/cor.nii")
    (tmp_path / "in" / "axl.nii").symlink_to(tmp_path / os.fsdecode(b"caf\xe9") / "axl.nii")
    (note,) = open_source(tmp_path / "in").findings
    assert r"caf\xe9/axl.nii, outside the source" in note.message


@settings(untimed, max_examples=60)
@given(name=st.binary(min_size=1, max_size=40).filter(lambda name: not {0, 47} & set(name)))
def test_any_name_is_listed_or_named_in_a_finding_that_can_be_written(
    name: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("names")
    if name in (b".", b".."):
        return
    (folder / os.fsdecode(name)).write_bytes(b"a")
    source = open_source(folder)
    assert len(source.files) + len(source.findings) == 1
    text = "".join([*listed(source), Findings(source.findings).to_json()])
    text.encode()
    assert len(repr(Findings(source.findings)).splitlines()) == 1 + len(source.findings)


def test_folders_may_be_deeper_than_python_can_recurse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    depth = 1200
    for _ in range(depth):
        Path("d").mkdir()
        os.chdir("d")
    Path("axl.nii").write_bytes(b"a")
    source = open_source(tmp_path / "in")
    assert listed(source) == ["d/" * depth + "axl.nii"]
    Path("axl.nii").unlink()
    for _ in range(depth):  # what pytest would remove recurses
        os.chdir("..")
        Path("d").rmdir()


# Archives.


def make_zip(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def make_tar(path: Path, members: dict[str, bytes], compression: str = "") -> Path:
    with tarfile.open(path, f"w:{compression}") as archive:
        for name, content in members.items():
            add(archive, name, content)
    return path


def add(archive: tarfile.TarFile, name: str, content: bytes = b"", **fields: object) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for field, value in fields.items():
        setattr(member, field, value)
    archive.addfile(member, io.BytesIO(content))


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which archives are unpacked."""
    folder = tmp_path / "temp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


MAKERS: dict[str, Callable[[Path], Path]] = {
    "a.zip": lambda path: make_zip(path, MEMBERS),
    "deflated.ZIP": lambda path: make_zip(path, MEMBERS, zipfile.ZIP_DEFLATED),
    "lzma.zip": lambda path: make_zip(path, MEMBERS, zipfile.ZIP_LZMA),
    "a.tar": lambda path: make_tar(path, MEMBERS),
    "a.tar.gz": lambda path: make_tar(path, MEMBERS, "gz"),
    "a.TGZ": lambda path: make_tar(path, MEMBERS, "gz"),
    "xz.tar": lambda path: make_tar(path, MEMBERS, "xz"),
    "bz2.tar": lambda path: make_tar(path, MEMBERS, "bz2"),
    "a tar by content.zip": lambda path: make_tar(path, MEMBERS),
    "a zip by content.tar": lambda path: make_zip(path, MEMBERS),
}


@pytest.mark.parametrize("name", MAKERS)
def test_an_archive_is_listed_as_its_folder(name: str, tmp_path: Path, temp: Path) -> None:
    source = open_source(MAKERS[name](tmp_path / name))
    assert listed(source) == LISTED
    assert source.is_archive
    assert source.root.parent == temp
    assert {file: (source.root / file).read_bytes() for file in LISTED} == MEMBERS


def test_the_unpacked_files_go_with_the_source(tmp_path: Path, temp: Path) -> None:
    source = open_source(make_zip(tmp_path / "a.zip", MEMBERS))
    root = source.root
    assert root.is_dir()
    del source
    gc.collect()
    assert not root.exists()
    assert list(temp.iterdir()) == []


def test_hidden_members_are_named_and_passed_over(tmp_path: Path) -> None:
    members = {"axl.nii": b"a", "__MACOSX/._axl.nii": b"b", "._axl.nii": b"c"}
    source = open_source(make_zip(tmp_path / "a.zip", members))
    assert listed(source) == ["axl.nii"]
    assert [found.path for found in source.findings] == ["._axl.nii", "__MACOSX"]


@pytest.mark.parametrize("ending", ["zip", "tar"])
def test_folders_of_an_archive_need_no_entries_and_may_have_some(
    ending: str, tmp_path: Path
) -> None:
    path = tmp_path / f"a.{ending}"
    if ending == "zip":
        make_zip(path, {"set/": b"", "set/axl.nii": b"a", "empty/": b""})
    else:
        with tarfile.open(path, "w") as archive:
            add(archive, "set", type=tarfile.DIRTYPE)
            add(archive, "set/axl.nii", b"a")
            add(archive, "empty", type=tarfile.DIRTYPE)
    assert listed(open_source(path)) == ["set/axl.nii"]


def test_backslashes_in_a_zip_are_folders(tmp_path: Path) -> None:
    assert listed(open_source(make_zip(tmp_path / "a.zip", {"set\\axl.nii": b"a"}))) == [
        "set/axl.nii"
    ]


@pytest.mark.parametrize("compression", ["", "gz"])
def test_a_zip_at_the_end_of_a_tar_is_one_of_its_files(compression: str, tmp_path: Path) -> None:
    inner = make_zip(tmp_path / "inner.zip", {"b.nii": b"b"})
    members = {"axl.nii": b"a", "inner.zip": inner.read_bytes()}
    assert listed(open_source(make_tar(tmp_path / "a.tar", members, compression))) == [
        *("axl.nii", "inner.zip")
    ]


@pytest.mark.parametrize("make", [make_zip, make_tar], ids=["zip", "tar"])
def test_an_empty_archive_has_no_files(
    make: Callable[[Path, dict[str, bytes]], Path], tmp_path: Path
) -> None:
    ending = make.__name__.removeprefix("make_")
    assert listed(open_source(make(tmp_path / f"a.{ending}", {}))) == []


# Hostile archives.


def refused(path: Path, temp: Path) -> BadSource:
    """Return the error of an archive; nothing that was unpacked is left."""
    before = sorted(path.parent.rglob("*"))
    with pytest.raises(BadSource) as caught:
        open_source(path)
    assert list(temp.iterdir()) == []
    assert sorted(path.parent.rglob("*")) == before
    assert caught.value.path == str(path)
    return caught.value


OUTSIDE = [
    *("../x.nii", "a/../../x.nii", "a/../x.nii", "..", "/etc/x.nii", "//x.nii"),
    *("..\\x.nii", "C:\\x.nii", "C:x.nii", "\\x.nii"),
]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("ending", ["zip", "tar"])
def test_a_member_whose_path_leaves_the_archive_is_refused(
    name: str, ending: str, tmp_path: Path, temp: Path
) -> None:
    path = tmp_path / f"a.{ending}"
    if ending == "zip":
        make_zip(path, {"good.nii": b"good", name: b"bad"})
    else:
        make_tar(path, {"good.nii": b"good", name: b"bad"})
    error = refused(path, temp)
    assert error.message == "the archive has a member that must not be unpacked"
    assert error.found == f"a path that leaves the archive: {name!r}"
    assert error.expected == "plain files with relative paths"
    assert error.remedy == "Make the archive again from plain files."


def test_a_link_in_a_zip_is_refused(tmp_path: Path, temp: Path) -> None:
    link = zipfile.ZipInfo("axl.nii")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert refused(tmp_path / "a.zip", temp).found == "a link: 'axl.nii'"


SPECIAL = {
    "symbolic link": tarfile.SYMTYPE,
    "hard link": tarfile.LNKTYPE,
    "pipe": tarfile.FIFOTYPE,
    "character device": tarfile.CHRTYPE,
    "block device": tarfile.BLKTYPE,
}


@pytest.mark.parametrize("kind", SPECIAL.values(), ids=list(SPECIAL))
def test_links_and_special_files_in_a_tar_are_refused(
    kind: bytes, tmp_path: Path, temp: Path
) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        add(archive, "good.nii", b"good")
        add(archive, "axl.nii", type=kind, linkname="/etc/passwd")
    assert refused(tmp_path / "a.tar", temp).found == "a link or a special file: 'axl.nii'"


ZEROS = {"zeros.nii": bytes(100_000)}


@pytest.fixture
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MIN_UNPACKED_BYTES", 99_999)
    monkeypatch.setattr(sources, "MAX_UNPACK_RATIO", 2)
    monkeypatch.setattr(sources, "MAX_MEMBERS", 3)


BOMBS: dict[str, Callable[[Path], Path]] = {
    "a.zip": lambda path: make_zip(path, ZEROS, zipfile.ZIP_DEFLATED),
    "a.tar.gz": lambda path: make_tar(path, ZEROS, "gz"),
}


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.usefixtures("low_limits")
def test_an_archive_that_unpacks_to_far_more_than_its_size_is_refused(
    name: str, tmp_path: Path, temp: Path
) -> None:
    error = refused(BOMBS[name](tmp_path / name), temp)
    assert error.message == "the archive unpacks to far more than its size"
    assert error.found == "more than 99999 bytes of content"
    assert error.expected == "at most 99999 bytes"
    assert error.remedy == "If it is yours, unpack it yourself and scan the folder."


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.usefixtures("low_limits")
def test_an_archive_may_unpack_to_the_limit(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MIN_UNPACKED_BYTES", 100_000)
    assert listed(open_source(BOMBS[name](tmp_path / name))) == ["zeros.nii"]


@pytest.mark.usefixtures("low_limits")
def test_the_limit_grows_with_the_size_of_the_archive(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", ZEROS)  # stored: twice its size is enough
    assert listed(open_source(path)) == ["zeros.nii"]


@pytest.mark.usefixtures("low_limits")
def test_many_small_files_count_together(tmp_path: Path, temp: Path) -> None:
    members = {f"{n}.nii": bytes(40_000) for n in range(3)}
    path = make_zip(tmp_path / "a.zip", members, zipfile.ZIP_DEFLATED)
    assert refused(path, temp).found == "more than 99999 bytes of content"


@pytest.mark.parametrize("make", [make_zip, make_tar], ids=["zip", "tar"])
@pytest.mark.usefixtures("low_limits")
def test_an_archive_of_too_many_members_is_refused(
    make: Callable[[Path, dict[str, bytes]], Path], tmp_path: Path, temp: Path
) -> None:
    ending = make.__name__.removeprefix("make_")
    three = {f"{n}.nii": b"a" for n in range(3)}
    assert len(listed(open_source(make(tmp_path / f"3.{ending}", three)))) == 3
    gc.collect()
    path = make(tmp_path / f"4.{ending}", {**three, "3.nii": b"a"})
    assert refused(path, temp).found == "over 3 members"


def test_a_name_that_is_not_utf8_in_a_tar_is_an_error_and_left_out(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        add(archive, os.fsdecode(b"caf\xe9.nii"), b"a")
        add(archive, "good.nii", b"b")
    source = open_source(tmp_path / "a.tar")
    assert listed(source) == ["good.nii"]
    assert passed_over(source) == [("file-name", r"caf\xe9.nii", "its name is not UTF-8")]


def test_a_sparse_member_that_claims_a_terabyte_is_refused_unread(
    tmp_path: Path, temp: Path
) -> None:
    member = tarfile.TarInfo("axl.nii")
    member.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "axl.nii",
        "GNU.sparse.realsize": str(10**12),
    }
    content = f"1\n{10**12}\n0\n".encode().ljust(tarfile.BLOCKSIZE, b"\0")
    member.size = len(content)
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(member, io.BytesIO(content))
    assert refused(tmp_path / "a.tar", temp).found == "more than 268435456 bytes of content"


def test_a_zip_that_claims_a_terabyte_is_refused_unread(tmp_path: Path, temp: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"axl.nii": b"a"})
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = (2**32 - 2).to_bytes(4, "little")
    path.write_bytes(bytes(content))
    assert refused(path, temp).found == "more than 268435456 bytes of content"


def test_a_zip_that_claims_less_than_it_holds_is_refused(tmp_path: Path, temp: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"axl.nii": bytes(9999)}, zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = (5).to_bytes(4, "little")
    path.write_bytes(bytes(content))
    assert "Bad CRC-32" in str(refused(path, temp).found)


def test_a_tar_header_that_would_fill_the_memory_is_refused(tmp_path: Path, temp: Path) -> None:
    size = sources.MAX_NAME_BYTES + 1
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        add(archive, "long", bytes(size), type=tarfile.GNUTYPE_LONGNAME)
        add(archive, "axl.nii", b"a")
    assert f"a header extension of {size} bytes" in str(refused(tmp_path / "a.tar.gz", temp).found)


@pytest.mark.usefixtures("low_limits")
def test_zeros_behind_the_end_of_a_tar_count_too(tmp_path: Path, temp: Path) -> None:
    tar = make_tar(tmp_path / "inner", {"axl.nii": b"a"})
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(tar.read_bytes() + bytes(200_000)))
    assert refused(path, temp).found == "more than 99999 bytes of content"


@pytest.mark.parametrize("make", [make_zip, make_tar], ids=["zip", "tar"])
@pytest.mark.parametrize("name", ["a" * 300 + ".nii", "."], ids=["long", "dot"])
def test_a_name_that_no_file_can_have_is_our_error(
    make: Callable[[Path, dict[str, bytes]], Path], name: str, tmp_path: Path, temp: Path
) -> None:
    path = make(tmp_path / f"a.{make.__name__.removeprefix('make_')}", {name: b"a"})
    assert refused(path, temp).message == "the archive cannot be unpacked"


def test_a_zip_member_without_a_name_is_our_error(tmp_path: Path, temp: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"x": b"a"})
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 28], content[at + 30] = 0, 1  # the name becomes an extra field
    path.write_bytes(bytes(content))
    assert refused(path, temp).message == "the archive cannot be unpacked"


@pytest.mark.parametrize("make", [make_zip, make_tar], ids=["zip", "tar"])
def test_folders_nested_without_end_are_refused(
    make: Callable[[Path, dict[str, bytes]], Path], tmp_path: Path, temp: Path
) -> None:
    ending = make.__name__.removeprefix("make_")
    deepest = "d/" * (sources.MAX_DEPTH - 1) + "a.nii"
    assert listed(open_source(make(tmp_path / f"100.{ending}", {deepest: b"a"}))) == [deepest]
    gc.collect()
    error = refused(make(tmp_path / f"101.{ending}", {f"d/{deepest}": b"a"}), temp)
    assert error.found == f"a path of 101 folders: {'d/' * 30 + '...'!r}"


@pytest.mark.parametrize("make", [make_zip, make_tar], ids=["zip", "tar"])
def test_an_archive_of_folders_without_end_is_refused(
    make: Callable[[Path, dict[str, bytes]], Path],
    tmp_path: Path,
    temp: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sources, "MAX_MEMBERS", 5)  # with the folder that it is unpacked in
    ending = make.__name__.removeprefix("make_")
    members = {"a/b/1.nii": b"1", "a/b/2.nii": b"2", "c/d/3.nii": b"3"}
    assert len(open_source(make(tmp_path / f"4.{ending}", members)).files) == 3
    gc.collect()
    error = refused(make(tmp_path / f"5.{ending}", members | {"c/e/4.nii": b"4"}), temp)
    assert error.found == "over 5 folders"


# Damaged archives.

DAMAGED_REMEDY = "Unpack it yourself and scan the folder, or make the archive again."
NOISE = random.Random(7).randbytes(99_999)
LONG = {"axl.nii": bytes(range(256)) * 40, "cor.nii": b"c" * 5000, "sag.nii": b"s" * 5000}


def cut(path: Path, size: int) -> Path:
    path.write_bytes(path.read_bytes()[:size])
    return path


def flip(path: Path, position: int, mask: int = 0xFF) -> Path:
    content = bytearray(path.read_bytes())
    content[position] ^= mask
    path.write_bytes(bytes(content))
    return path


def flags(path: Path, offset_local: int, offset_central: int, value: int) -> Path:
    """Set a byte in the local and the central header of a zip of one member."""
    content = bytearray(path.read_bytes())
    content[offset_local] = value
    content[content.index(b"PK\x01\x02") + offset_central] = value
    path.write_bytes(bytes(content))
    return path


BLOCK = tarfile.BLOCKSIZE
SECOND = BLOCK + 10240  # where the second member of LONG has its header

DAMAGED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "cut.zip": (lambda p: cut(make_zip(p, LONG), 9000), "BadZipFile: File is not a zip file"),
    "flipped.zip": (lambda p: flip(make_zip(p, LONG), 5000), "BadZipFile: Bad CRC-32"),
    "encrypted.zip": (
        lambda p: flags(make_zip(p, {"a.nii": b"a"}), 6, 8, 1),
        "is encrypted, password required",
    ),
    "unknown.zip": (
        lambda p: flags(make_zip(p, {"a.nii": b"a"}), 8, 10, 99),
        "NotImplementedError: That compression method is not supported",
    ),
    "flipped deflate.zip": (
        lambda p: flip(make_zip(p, {"a.nii": NOISE}, zipfile.ZIP_DEFLATED), 35),
        "error: Error -3 while decompressing data",
    ),
    "text.zip": (lambda p: p.write_text("no archive") and p, "ReadError"),
    "empty.zip": (lambda p: p.write_bytes(b"") or p, "ReadError"),
    "empty.tar": (lambda p: p.write_bytes(b"") or p, "ReadError"),
    "cut in a member.tar": (lambda p: cut(make_tar(p, LONG), 6000), "unexpected end of data"),
    "cut before a member.tar": (
        lambda p: cut(make_tar(p, LONG), SECOND),
        f"no member and no end of the archive at byte {SECOND}",
    ),
    "cut in a header.tar": (
        lambda p: cut(make_tar(p, LONG), SECOND + 100),
        f"no member and no end of the archive at byte {SECOND}",
    ),
    "damaged header.tar": (
        lambda p: flip(make_tar(p, LONG), SECOND + 3),
        f"no member and no end of the archive at byte {SECOND}",
    ),
    "cut.tar.gz": (
        lambda p: cut(make_tar(p, {"a.nii": NOISE}, "gz"), 50_000),
        "EOFError: Compressed file ended before the end-of-stream marker",
    ),
    "checksum.tar.gz": (
        lambda p: flip(make_tar(p, LONG, "gz"), -8),
        "BadGzipFile: CRC check failed",
    ),
    "damaged xz.tar": (
        lambda p: flip(make_tar(p, {"a.nii": NOISE}, "xz"), 50_000),
        "LZMAError: Corrupt input data",
    ),
    "a file is a folder too.tar": (
        lambda p: make_tar(p, {"a": b"a", "a/b.nii": b"b"}),
        "FileExistsError",
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_archive_is_refused_as_a_whole(name: str, tmp_path: Path, temp: Path) -> None:
    make, found = DAMAGED[name]
    error = refused(make(tmp_path / name), temp)
    assert error.message == "the archive cannot be unpacked"
    assert found in str(error.found)
    assert error.expected == "an undamaged .zip, .tar, .tar.gz or .tgz without a password"
    assert error.remedy == DAMAGED_REMEDY


def test_a_member_that_is_there_twice_is_refused(tmp_path: Path, temp: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        add(archive, "axl.nii", b"old")
        add(archive, "axl.nii", b"new")
    error = refused(tmp_path / "a.tar", temp)
    assert "a member twice" in error.message
    assert error.found == "'axl.nii'"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("sound")
    members = {"axl.nii": bytes(range(256)), "set/cor.nii": b"coronal" * 20}
    return {
        "zip": make_zip(folder / "a.zip", members, zipfile.ZIP_DEFLATED).read_bytes(),
        "tar": make_tar(folder / "a.tar", members).read_bytes(),
        "tar.gz": make_tar(folder / "a.tar.gz", members, "gz").read_bytes(),
    }


def opened_or_refused(path: Path) -> Source | BadSource:
    try:
        return open_source(path)
    except BadSource as error:
        return error


@pytest.mark.parametrize("ending", ["zip", "tar", "tar.gz"])
@settings(untimed, max_examples=150)
@given(data=st.data())
def test_a_damaged_byte_ends_in_a_listing_or_in_our_error(
    ending: str,
    sound: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
) -> None:
    content = bytearray(sound[ending])
    position = data.draw(st.integers(0, min(len(content), 2048) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.getbasetemp() / f"damaged.{ending}"
    path.write_bytes(bytes(content))
    source = opened_or_refused(path)
    if isinstance(source, BadSource):
        assert source.path == str(path)
    elif ending == "tar.gz":  # the checksum is over everything
        assert listed(source) == ["axl.nii", "set/cor.nii"]
        assert (source.root / "axl.nii").read_bytes() == bytes(range(256))
    else:
        assert len(source.files) + len(source.findings) <= 2
