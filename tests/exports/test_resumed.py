"""An export that ended goes on; one to a folder with something in it is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.exports import masks
from tests.support import disks
from tests.support.landings import land, tree, write_volumes
from tests.support.uploads import Killed


class Stopped(Exception):
    """What a person does who cancels."""


@pytest.fixture
def target(tmp_path: Path) -> nk.ProjectFolder:
    """A project with three volumes."""
    made = nk.ProjectFolder(tmp_path / "project", dataset="d")
    land(write_volumes(tmp_path / "source"), made)
    return made


def stop_at(number: int) -> Any:
    def told(at: int, _: Any) -> None:
        if at == number:
            raise Stopped

    return told


def test_a_cancelled_export_goes_on_and_what_is_whole_stays(
    target: nk.ProjectFolder, tmp_path: Path
) -> None:
    whole = nk.export(target, tmp_path / "whole")
    folder = tmp_path / "export"
    with pytest.raises(Stopped):
        nk.export(target, folder, on_volume=stop_at(1))
    first = {path.name: path.stat().st_mtime_ns for path in folder.rglob("*.nii.gz")}
    assert {"A.nii.gz", "liver.nii.gz"} <= set(first)
    export = nk.export(target, folder)
    assert tree(folder) == tree(tmp_path / "whole")
    assert repr(export).split("\n")[1:] == repr(whole).split("\n")[1:]
    assert (folder / "A.nii.gz").stat().st_mtime_ns == first["A.nii.gz"]


def test_an_export_that_is_killed_anywhere_goes_on_to_the_same_files(
    target: nk.ProjectFolder, tmp_path: Path
) -> None:
    nk.export(target, tmp_path / "whole")
    expected = tree(tmp_path / "whole")
    killed = 0
    for number in range(1, 40, 3):
        folder = tmp_path / f"export-{number}"
        try:
            with disks.watched(disks.killed_at((folder,), number)):
                nk.export(target, folder)
        except Killed:
            killed += 1
            whole = {name: content for name, content in tree(folder).items() if name in expected}
            assert whole == {name: expected[name] for name in whole}
            nk.export(target, folder)
        assert tree(folder) == expected
    assert killed > 5


def test_what_has_changed_since_is_written_anew(target: nk.ProjectFolder, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    with pytest.raises(Stopped):
        nk.export(target, folder, on_volume=stop_at(2))
    (folder / "A.nii.gz").write_bytes(b"cut")
    path = tmp_path / "project" / "d" / "ann" / "B.nrrd.json"
    content = json.loads(path.read_text())
    content["objects"], content["spatialFigures"] = [], []
    path.write_text(json.dumps(content))
    nk.export(target, folder)
    nk.export(target, tmp_path / "whole")
    assert tree(folder) == tree(tmp_path / "whole")
    assert not (folder / "B" / "liver.nii.gz").exists()


def test_files_that_a_killed_export_had_begun_go_where_they_are_no_longer(
    target: nk.ProjectFolder, tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    real = masks.MaskWriter.land

    def dies(self: Any, job: Any, labels: Any) -> None:
        real(self, job, labels)
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(masks.MaskWriter, "land", dies)
        with pytest.raises(Killed):
            nk.export(target, folder)
    assert list(folder.rglob("l*.nii.gz"))
    path = tmp_path / "project" / "d" / "ann" / "A.nrrd.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "objects": []}))
    nk.export(target, folder)
    assert not (folder / "A").exists() or not list((folder / "A").iterdir())
    assert len(nk.plan(nk.scan(folder)).objects) == 1


@pytest.mark.parametrize("there", ["a file", "a folder", "another export", "a whole export"])
def test_nothing_is_overwritten(there: str, target: nk.ProjectFolder, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    if there == "a file":
        folder.write_text("mine")
    elif there == "a folder":
        folder.mkdir()
        (folder / "notes.txt").write_text("mine")
    elif there == "another export":
        with pytest.raises(Stopped):
            nk.export(target, folder, on_volume=stop_at(1))
    else:
        nk.export(target, folder)
    before = tree(tmp_path)
    with pytest.raises(nk.errors.TargetError, match="overwrites nothing"):
        nk.export(target, folder, volumes=["A.nrrd"])
    assert {k: v for k, v in tree(tmp_path).items() if "state" not in k} == {
        k: v for k, v in before.items() if "state" not in k
    }


def test_a_write_that_fails_leaves_no_half_file(
    target: nk.ProjectFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> bytes:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(masks, "label_map_bytes", broken)
        with pytest.raises(nk.errors.TargetError, match="cannot be written"):
            nk.export(target, tmp_path / "export")
    assert not list((tmp_path / "export").rglob("liver*"))
    assert nk.export(target, tmp_path / "export").ok
    assert len(nk.plan(nk.scan(tmp_path / "export")).objects) == 4
