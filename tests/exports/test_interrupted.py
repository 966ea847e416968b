"""Exports that end in their middle: the same call then ends as an undisturbed one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.errors import TargetError
from tests.platform import Platform
from tests.platform.faults import Fault
from tests.support import disks, round_trips
from tests.support.builders import AFFINE, labels
from tests.support.handmade import write_array
from tests.support.landings import land, write_scored_planes, write_volumes
from tests.support.uploads import Killed, dying, impatience, new_target


class Stopped(Exception):
    """What a person does who cancels."""


def told(export: Any) -> list[str]:
    """Return the rows of a report."""
    return repr(export).split("\n")[1:]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Planes with scores and a class map; the first mask has a type and a byte order of its own."""
    folder = write_scored_planes(tmp_path / "source")
    mask = labels().astype("u2")
    write_array(folder / "axl_inference.nii.gz", mask, order=">", affine=AFFINE, packed=True)
    return folder


@pytest.mark.parametrize("trouble", ["killed", "full"])
def test_an_export_onto_originals_goes_on_after_any_file(
    trouble: str, source: Path, tmp_path: Path
) -> None:
    target = nk.ProjectFolder(tmp_path / "project", dataset="d")
    land(source, target)
    options: dict[str, Any] = {"layout": "by_plane", "like": source}
    undisturbed = nk.export(target, tmp_path / "whole", **options)
    expected = round_trips.files_in(tmp_path / "whole")
    ended = 0
    for number in range(1, 60, 4):
        out = tmp_path / f"out-{number}"
        watch = disks.killed_at((out,), number)
        if trouble == "full":
            watch = disks.full_at((out,), number, 3)
        with disks.watched(watch), suppress(Killed, TargetError):
            nk.export(target, out, **options)
        left = {n: found for n, found in round_trips.files_in(out).items() if n in expected}
        assert left == {name: expected[name] for name in left}
        if watch.seen < number:
            break
        ended += 1
        assert told(nk.export(target, out, **options)) == told(undisturbed)
        assert round_trips.files_in(out) == expected
    assert ended > 5


def test_an_export_that_is_cancelled_at_each_volume_goes_on(source: Path, tmp_path: Path) -> None:
    target = nk.ProjectFolder(tmp_path / "project", dataset="d")
    land(source, target)
    undisturbed = nk.export(target, tmp_path / "whole", layout="by_plane")
    out = tmp_path / "out"

    for number in range(3):

        def stop(at: int, _: Any, last: int = number) -> None:
            if at == last:
                raise Stopped

        with pytest.raises(Stopped):
            nk.export(target, out, layout="by_plane", on_volume=stop)
    assert told(nk.export(target, out, layout="by_plane")) == told(undisturbed)
    assert round_trips.files_in(out) == round_trips.files_in(tmp_path / "whole")


@pytest.mark.parametrize("how", ["cut", "gone", "none"])
def test_a_damaged_mask_is_named_and_all_others_come_back(how: str, tmp_path: Path) -> None:
    path = tmp_path / "project"
    target = nk.ProjectFolder(path, dataset="d")
    land(write_volumes(tmp_path / "source"), target)
    before = round_trips.of_project(path)
    mask = min((path / "d" / "mask" / "A.nrrd").iterdir())
    content = mask.read_bytes()
    if how == "gone":
        mask.unlink()
    else:
        mask.write_bytes(content[: len(content) // 2] if how == "cut" else b"")
    export = nk.export(target, tmp_path / "out")
    assert not export.ok
    (left,) = export.not_exported
    assert (left.what, left.volume_id) == ("object", target.find("A.nrrd").id)
    found = round_trips.differences(before, round_trips.of_files(tmp_path / "out"))
    assert len(found) == 1
    assert round_trips.unnamed(found, tmp_path / "out") == []


def test_a_damaged_volume_is_named_and_its_masks_come_back(tmp_path: Path) -> None:
    path = tmp_path / "project"
    target = nk.ProjectFolder(path, dataset="d")
    land(write_volumes(tmp_path / "source"), target)
    file = path / "d" / "volume" / "A.nrrd"
    file.write_bytes(file.read_bytes()[:-40])
    export = nk.export(target, tmp_path / "out")
    assert [(one.what, one.name) for one in export.not_exported] == [("volume", "A.nrrd")]
    assert not (tmp_path / "out" / "A.nii.gz").exists()
    masks = {path.name for path in (tmp_path / "out" / "A").iterdir()}
    assert masks == {"liver.nii.gz", "lung.nii.gz"}
    assert not list((tmp_path / "out").rglob(".*"))


@contextmanager
def refusing(platform: Platform, number: int) -> Iterator[None]:
    """Answer 500 from a request on, counted from 1."""
    last = len(platform.requests) + number

    def strike(at: int, _: str) -> Fault | None:
        return Fault("500") if at >= last else None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(platform.faults, "strike", strike)
        yield


@pytest.mark.parametrize("trouble", ["killed", "refused"])
def test_an_instance_that_fails_in_the_middle_is_gone_on_with(
    trouble: str, source: Path, tmp_path: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatience(monkeypatch, 0.05)
    target = new_target(platform)
    land(source, target)
    first = len(platform.requests)
    undisturbed = nk.export(target, tmp_path / "whole", layout="by_plane")
    expected = round_trips.files_in(tmp_path / "whole")
    assert undisturbed.ok
    count = len(platform.requests) - first
    assert count > 5
    for number in range(1, count + 1, 2):
        out = tmp_path / f"out-{number}"
        trouble_at = dying(number) if trouble == "killed" else refusing(platform, number)
        with trouble_at, pytest.raises((Killed, TargetError)):
            nk.export(target, out, layout="by_plane")
        left = {n: found for n, found in round_trips.files_in(out).items() if n in expected}
        assert left == {name: expected[name] for name in left}
        assert told(nk.export(target, out, layout="by_plane")) == told(undisturbed)
        assert round_trips.files_in(out) == expected
