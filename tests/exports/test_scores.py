"""Scores and comments: layers from 1 in the frames of the file, and nothing lost without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from tests.exports.test_others import A, B, C, Project


def project(folder: Path, custom: dict[str, Any], name: str = "cor_anatomic.nrrd") -> Any:
    made = Project(folder)
    made.classes("bone", "rib")
    made.volume("d", name)
    made.mask("d", name, "bone", A, custom=custom)
    made.mask("d", name, "bone", C, custom={})
    made.mask("d", name, "rib", B, custom=custom)
    return made.write()


SCORES = {
    "0-1-0": {
        "0": {"score": "0.80", "comment": None},
        "1": {"score": "0.123456", "comment": '=1+1, or "so"\nand on'},
        "4": {"score": None, "comment": "only said"},
    }
}


def test_scores_and_comments_come_back(tmp_path: Path) -> None:
    export = nk.export(
        project(tmp_path / "project", SCORES), tmp_path / "export", layout="by_plane"
    )
    assert export.ok
    table = (tmp_path / "export" / "d" / "cor_score_1.csv").read_text().splitlines()
    assert table[0] == "Layer, Label-1, Comment-1"
    assert table[1] == "1,0.80,"
    plan = nk.plan(nk.scan(export.folder), waive="planes-incomplete")
    assert not plan.blockers
    assert sorted(str(one.scores) for one in plan.objects) == sorted(["{}", *[str(SCORES)] * 2])


@pytest.mark.parametrize(
    ("custom", "why"),
    [
        ({"0-0-1": {"1": {"score": "0.5", "comment": None}}}, "another plane"),
        ({"0-1-0": {"9": {"score": "0.5", "comment": None}}}, "slice"),
        ({"0-1-0": {"1": {"score": "good", "comment": None}}}, "as it is written"),
        ({"0-1-0": {"1": {"score": "0.50", "comment": " x "}}}, "as it is written"),
        ({"0-1-0": {"1": {"score": "0.50", "reader": "X"}}}, "neither a score"),
        ({"reader": {"1": {"name": "X"}}}, "no score"),
        ({"reader": "X"}, "no score"),
        ({"0-1-0": [1, 2]}, "no score"),
        ({"0-1-0": {"1": "0.5"}}, "no score"),
    ],
)
def test_what_a_table_cannot_hold_is_named(custom: Any, why: str, tmp_path: Path) -> None:
    export = nk.export(
        project(tmp_path / "project", custom), tmp_path / "export", layout="by_plane"
    )
    assert len(export.not_exported) == 2
    assert all(why in one.why for one in export.not_exported)
    plan = nk.plan(nk.scan(export.folder), waive="planes-incomplete")
    assert not plan.blockers
    assert len(plan.objects) == 3


def test_the_same_number_in_other_digits_is_told(tmp_path: Path) -> None:
    custom = {"0-1-0": {"1": {"score": "0.5", "comment": "x"}}}
    target = project(tmp_path / "project", custom)
    export = nk.export(target, tmp_path / "export", layout="by_plane")
    assert export.ok
    tables = [one.remark for one in export.entries if one.what == "scores"]
    assert tables == ["1 score in other digits: two decimals at least"] * 2


def test_by_volume_scores_are_named(tmp_path: Path) -> None:
    export = nk.export(project(tmp_path / "project", SCORES, "v.nrrd"), tmp_path / "export")
    assert {one.what for one in export.not_exported} == {"scores"}
    assert "by_plane" in export.not_exported[0].why
    assert export.not_exported[0].content == SCORES
