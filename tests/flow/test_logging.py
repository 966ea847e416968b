"""What happens meanwhile is logged by name of room, and nowhere without being asked."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import nifti_kit as nk
from tests.platform import Platform
from tests.support.builders import write_nifti
from tests.support.landings import quiet, write_volumes
from tests.support.uploads import impatience, new_target


def said(caplog: pytest.LogCaptureFixture, room: str) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == f"nifti_kit.{room}"]


def test_a_library_says_nothing_by_itself():
    assert any(
        isinstance(one, logging.NullHandler) for one in logging.getLogger("nifti_kit").handlers
    )


def test_what_is_not_used_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    write_nifti(tmp_path / "a.nii.gz")
    (tmp_path / "notes.txt").write_text("hello")
    with caplog.at_level(logging.INFO, "nifti_kit"):
        nk.scan(tmp_path).unused  # noqa: B018  (names them)
    assert [line for line in said(caplog, "datasets") if line.startswith("notes.txt: not used")]


def test_retries_and_reuse_are_logged_without_the_token(
    tmp_path: Path,
    platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    impatience(monkeypatch)
    plan = nk.plan(nk.scan(write_volumes(tmp_path / "in", {"A": {"liver": [1]}})))
    target = new_target(platform)
    platform.faults.on("volumes.bulk.add", "429")
    with caplog.at_level(logging.INFO, "nifti_kit"):
        nk.upload(plan, target, on_progress=quiet)
        nk.upload(plan, target, on_progress=quiet, existing="skip")
    assert any("trying again" in line for line in said(caplog, "targets"))
    assert any("are there already" in line for line in said(caplog, "transfer"))
    assert platform.token not in caplog.text
