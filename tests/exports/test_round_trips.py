"""Files to a target and back: zero voxels, classes, scores differ, or it is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from tests.platform import Platform
from tests.support import round_trips
from tests.support.builders import SAMPLES
from tests.support.landings import land, quiet
from tests.support.uploads import new_target

LAYOUTS = {
    "by_volume": "by_volume",
    "by_plane_semantic": "by_plane",
    "by_plane_instance": "by_plane",
    "multi_item": "by_plane",
    "scores": "by_plane",
}


def target_of(kind: str, folder: Path, platform: Platform) -> Any:
    if kind == "instance":
        return new_target(platform)
    return nk.ProjectFolder(folder / "project", dataset="d")


def scanned(export: Any, **choices: Any) -> Any:
    """Return the plan of an export; nothing of it blocks."""
    plan = nk.plan(nk.scan(export.folder, **choices), waive="planes-incomplete")
    assert not plan.blockers, plan
    return plan


def again(export: Any, folder: Path, **choices: Any) -> round_trips.Content:
    """Return what a project holds that an export was uploaded to."""
    target = nk.ProjectFolder(folder, dataset="d")
    receipt = nk.upload(scanned(export, **choices), target, on_progress=quiet)
    assert nk.verify(receipt, target).ok
    return round_trips.of_project(folder)


@pytest.mark.parametrize("kind", ["folder", "instance"])
@pytest.mark.parametrize("sample", LAYOUTS)
def test_a_sample_comes_back(sample: str, kind: str, tmp_path: Path, platform: Platform) -> None:
    target = target_of(kind, tmp_path, platform)
    land(SAMPLES / sample, target)
    export = nk.export(target, tmp_path / "out", layout=LAYOUTS[sample])
    assert export.ok
    before, after = (round_trips.of_files(one) for one in (SAMPLES / sample, tmp_path / "out"))
    assert len(before.objects) > 10
    assert round_trips.differences(before, after, empty_classes=False) == []
    there = again(export, tmp_path / "again")
    assert round_trips.differences(after, there) == []
