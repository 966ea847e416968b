"""Source and target of a mapping, given or picked."""

from __future__ import annotations

from pathlib import Path

import pytest

import nifti_kit as nk
from nifti_kit.errors import BadMapping, BadSource
from nifti_kit.widgets.mapping.model import MappingStart
from tests.widgets.test_mapping_model import KNEES, OPEN, SURE, target, written


def test_given_ones_are_matched_at_once(tmp_path: Path) -> None:
    source, there = written(tmp_path / "in", OPEN, SURE), target(*KNEES)
    start = MappingStart(source, there, path=tmp_path / "m.json")
    assert start.matching.mapping.to_dict() == {SURE: 3}
    assert start.matching.path == str(tmp_path / "m.json")
    assert (start.source.path, start.target.target) == (str(source), there)
    assert start.begin_blockers == []
    read = MappingStart(nk.scan(source), there, path="m.json")
    assert read.matching.mapping.to_dict() == {SURE: 3}


def test_a_project_folder_may_be_given_by_its_path(tmp_path: Path) -> None:
    start = MappingStart(written(tmp_path / "in", OPEN), tmp_path / "project", path="m.json")
    assert isinstance(start.target.target, nk.ProjectFolder)
    assert start.matching.mapping.to_dict() == {}


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    start = MappingStart(path="m.json")
    assert start.matching is None
    assert start.begin_blockers == ["Read the source first."]
    with pytest.raises(BadMapping, match="matching is not possible: Read the source first"):
        start.begin()
    start.source.path = str(written(tmp_path / "in", OPEN, SURE))
    start.source.scan()
    start.source.join()
    assert start.begin_blockers == ["Name the project's folder."]
    start.target.kind = "given"
    assert start.begin_blockers == ["Choose a target first."]


def test_what_was_picked_is_matched_in_a_task(tmp_path: Path) -> None:
    start = MappingStart(written(tmp_path / "in", OPEN, SURE), path=tmp_path / "m.json")
    assert start.matching is None
    start.source.scan()
    start.source.join()
    start.target.given, start.target.kind = target(*KNEES), "given"
    start.begin()
    start.task.join()
    assert start.matching.mapping.to_dict() == {SURE: 3}
    start.task.state = "running"
    assert start.begin_blockers == ["Matching is under way."]


def test_a_source_that_is_none_of_annotations_fails_with_its_reason(tmp_path: Path) -> None:
    nk.scan(written(tmp_path / "in", "CT.nii"))
    start = MappingStart(tmp_path / "in", path="m.json")
    start.source.scan()
    start.source.join()
    start.target.given, start.target.kind = target(), "given"
    start.begin()
    with pytest.raises(BadSource):
        start.task.join()
    assert "only annotations without their volumes are matched" in start.task.text
    assert start.matching is None


def test_a_matching_is_shown_for_its_source_and_target_alone(tmp_path: Path) -> None:
    start = MappingStart(written(tmp_path / "in", OPEN), tmp_path / "project", path="m.json")
    made = start.matching
    start.target.folder.choose(tmp_path / "other")
    assert start.matching is None
    start.target.folder.choose(tmp_path / "project")
    assert start.matching is made
    start.source.path = str(written(tmp_path / "more", OPEN, SURE))
    start.source.scan()
    start.source.join()
    assert start.matching is None


def test_a_matching_of_a_source_that_is_gone_is_not_shown(tmp_path: Path) -> None:
    start = MappingStart(written(tmp_path / "in", OPEN, SURE), path=tmp_path / "m.json")
    start.source.scan()
    start.source.join()
    start.target.given, start.target.kind = target(*KNEES), "given"
    start.target.folder.choose(tmp_path / "other")
    start.task.observe(lambda _: setattr(start.target, "kind", "folder"), "text")
    start.begin()
    start.task.join()
    assert start.matching is None
