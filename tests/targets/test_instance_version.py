"""The version of an instance: asked for where scores are to land, and said where it is too old."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import nifti_kit as nk
from tests.platform import Platform, running_platform
from tests.support.builders import write_planes
from tests.support.landings import quiet, write_scored_planes
from tests.support.uploads import new_target


@pytest.fixture
def platform() -> Iterator[Platform]:
    with running_platform() as running:
        yield running


@pytest.mark.parametrize(
    ("version", "notes"),
    [("6.13.7", 1), ("6.9.40", 1), ("5.99.0", 1), ("6.13.8", 0), ("6.14", 0), ("7.0.0-beta", 0)],
)
def test_scores_for_an_instance_that_is_too_old_are_noted(
    version: str, notes: int, platform: Platform, tmp_path: Path
) -> None:
    platform.state.version = version
    plan = nk.plan(nk.scan(write_scored_planes(tmp_path)), target=new_target(platform))
    found = [f for f in plan.findings if f.code == "scores-instance-old"]
    assert len(found) == notes
    assert not plan.blockers
    if found:
        assert version in found[0].message
        assert "6.13.8" in found[0].message


def test_without_scores_nothing_is_asked_or_said(platform: Platform, tmp_path: Path) -> None:
    platform.state.version = "6.0.0"
    plan = nk.plan(nk.scan(write_planes(tmp_path)), target=new_target(platform))
    assert "scores-instance-old" not in plan.findings.by_code()


def test_a_folder_has_no_version(tmp_path: Path) -> None:
    target = nk.ProjectFolder(tmp_path / "p", "d")
    plan = nk.plan(nk.scan(write_scored_planes(tmp_path / "in")), target=target)
    assert "scores-instance-old" not in plan.findings.by_code()
    nk.upload(plan, target, on_progress=quiet)
