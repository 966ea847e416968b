"""Sources that people give by mistake, and what is said of them."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import pytest

import nifti_kit as nk
from nifti_kit.core.findings import Finding
from nifti_kit.errors import BadSource, PlanBlocked
from tests.support.builders import volume, write_nifti, write_planes
from tests.support.landings import land, quiet, write_volumes

ADDRESSES = ("s3://bucket/ct", "gs://b/a.zip", "https://host/a.nii.gz", "hdfs://x", "az://c/x.nii")


@pytest.mark.parametrize("make", [str, Path], ids=["text", "path"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_refused_since_paths_are_local(address: str, make: type) -> None:
    with pytest.raises(BadSource, match="only local files are read") as caught:
        nk.scan(make(address))
    assert caught.value.found == f"{address.split(':', maxsplit=1)[0]}://"
    assert "local folder" in caught.value.remedy


def test_a_file_address_is_given_without_its_scheme(tmp_path: Path) -> None:
    write_nifti(tmp_path / "CT.nii", volume())
    with pytest.raises(BadSource) as caught:
        nk.scan(f"file://{tmp_path}")
    assert "Leave 'file://' off" in caught.value.remedy
    assert len(nk.scan(f"file://{tmp_path}".removeprefix("file://")).items) == 1


def test_a_folder_that_has_a_colon_in_its_name_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_nifti(tmp_path / "s3:" / "ct" / "CT.nii", volume())
    monkeypatch.chdir(tmp_path)
    assert len(nk.scan("s3:/ct").items) == 1


def packed(folder: Path, name: str = "data.zip") -> Path:
    write_planes(folder / "in")
    path = folder / "out" / name
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for file in (folder / "in").iterdir():
            archive.write(file, file.name)
    return path.parent


def empty(folder: Path) -> Finding:
    (found,) = [f for f in nk.scan(folder).findings if f.code == "source-empty"]
    return found


def test_a_folder_with_one_archive_and_nothing_else_says_to_scan_it(tmp_path: Path) -> None:
    folder = packed(tmp_path)
    (folder / ".DS_Store").write_bytes(b"")
    found = empty(folder)
    assert "one archive and nothing else: data.zip" in found.message
    assert found.remedy == f"Scan that archive: scan({str(folder / 'data.zip')!r})."
    assert len(nk.scan(folder / "data.zip").items) == 3


@pytest.mark.parametrize("part", ["", "knee"])
def test_a_supervisely_project_is_named_and_its_way_on_is_one(
    tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    target = nk.ProjectFolder("project", "knee")
    land(write_volumes(tmp_path / "in", {"A": {"femur": (1, 2)}}), target)
    found = empty(tmp_path / "project" / part)
    what = "a dataset of a Supervisely project" if part else "a Supervisely project"
    assert found.message == f"{tmp_path / 'project' / part}: {what}, and no NIfTI file"
    _, _, code = found.remedy.partition("as NIfTI files: ")
    eval(code.partition(", and scan")[0], {"nk": nk})
    assert len(nk.scan("out/nifti").items) == 1
    _, _, code = found.remedy.partition("as the target: ")
    place = eval(code.partition(". To have")[0], {"nk": nk})
    assert [ref.name for ref in place.volumes()] == ["A.nrrd"]
    with pytest.raises(PlanBlocked) as caught:
        nk.upload(nk.plan(nk.scan(tmp_path / "project" / part)), nk.ProjectFolder("other", "d"))
    assert caught.value.remedy == found.remedy
    shutil.make_archive("packed", "zip", tmp_path / "project")
    assert empty(tmp_path / "packed.zip").remedy.startswith("Unpack it. ")


@pytest.mark.parametrize("form", ["{} ", '"{}"', " '{}' ", "`{}`", "\t{}\n"])
def test_what_is_pasted_along_with_a_path_is_no_part_of_it(tmp_path: Path, form: str) -> None:
    write_planes(tmp_path / "my knees")
    dataset = nk.scan(form.format(tmp_path / "my knees"))
    assert dataset.source.given == tmp_path / "my knees"


def test_a_name_with_blanks_and_quotes_that_is_there_is_taken_as_it_is(tmp_path: Path) -> None:
    write_planes(tmp_path / "'knees' ")
    assert len(nk.scan(f"{tmp_path}/'knees' ").items) == 3


def test_several_archives_are_listed_and_other_files_change_what_is_said(tmp_path: Path) -> None:
    packed(tmp_path)
    folder = packed(tmp_path, "more.zip")
    assert "2 archives and nothing else: data.zip, more.zip" in empty(folder).message
    (folder / "README.md").write_text("about")
    assert "no NIfTI file" in empty(folder).message


def test_an_archive_in_an_archive_is_to_be_unpacked(tmp_path: Path) -> None:
    inner = packed(tmp_path) / "data.zip"
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.write(inner, "data.zip")
    assert "unpack this one" in empty(tmp_path / "outer.zip").remedy


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["a/CT.nii", "a//CT.nii", "a\\CT.nii"])
def test_a_member_of_a_zip_that_is_there_twice_is_named(second: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a/CT.nii", b"one")
        archive.writestr(second, b"two")
    with pytest.raises(BadSource, match="a member twice") as caught:
        nk.scan(tmp_path / "a.zip")
    assert "CT.nii" in str(caught.value.found)


LONGEST = 245
"""Bytes of a volume's name without its ending that a project folder can hold."""


@pytest.mark.parametrize("name", ["a" * LONGEST, "é" * (LONGEST // 2) + "a"])
def test_the_longest_name_lands_and_one_more_byte_is_found(name: str, tmp_path: Path) -> None:
    write_nifti(tmp_path / "in" / f"{name}.nii", volume())
    dataset = nk.scan(tmp_path / "in")
    assert nk.check(dataset).ok
    target = nk.ProjectFolder(tmp_path / "p", "d")
    assert nk.verify(nk.upload(nk.plan(dataset), target, on_progress=quiet), target).ok
    os.rename(tmp_path / "in" / f"{name}.nii", tmp_path / "in" / f"{name}b.nii")  # noqa: PTH104
    dataset = nk.scan(tmp_path / "in")
    assert [f.code for f in nk.check(dataset).errors] == ["name-long"]
    assert [f.code for f in nk.plan(dataset).blockers] == ["name-long"]


def test_folders_in_front_count(tmp_path: Path) -> None:
    for folder in ("x" * 120, "y" * 120):
        write_nifti(tmp_path / folder / f"{'a' * 130}.nii", volume())
    assert len(nk.check(nk.scan(tmp_path)).by_code()["name-long"]) == 2


def test_a_score_table_without_its_mask_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    write_planes(tmp_path)
    (tmp_path / "axl_inference.nii.gz").unlink()
    (tmp_path / "axl_score.csv").write_text("Layer,Label-1\n1,0.5\n")
    (found,) = nk.check(nk.scan(tmp_path)).by_code()["file-unused"]
    assert found.path == "axl_score.csv"
    assert "no annotation" in found.message
    assert "put its annotation file" in found.remedy
