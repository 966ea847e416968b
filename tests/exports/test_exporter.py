"""What the platform's own exporter wrote is brought to the form of an export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from tests.exports.test_originals import assert_same_files
from tests.exports.test_read_back import objects
from tests.support.builders import SAMPLES
from tests.support.exporter import export
from tests.support.landings import land, quiet

CLASSES = {1: ("Lung lobe", (230, 90, 60)), 2: ("Vertebra", (90, 200, 90)), 3: ("Rib", (9, 9, 200))}


@pytest.mark.parametrize(
    ("sample", "kind", "layout", "choices"),
    [
        ("by_plane_semantic", "semantic", "by_plane", {}),
        ("by_plane_instance", "instance", "by_plane", {"classes": CLASSES}),
        ("by_volume", "instance", "by_volume", {}),
        ("scores", "semantic", "by_plane", {"score_base": 0}),
    ],
)
def test_it_becomes_the_same_form_and_goes_back_onto_the_originals(
    sample: str, kind: str, layout: str, choices: dict[str, Any], tmp_path: Path
) -> None:
    source = SAMPLES / sample
    land(source, nk.ProjectFolder(tmp_path / "first", dataset="d"))
    theirs = export(tmp_path / "first", "d", tmp_path / "theirs", kind)
    plan = nk.plan(nk.scan(theirs, **choices))
    target = nk.ProjectFolder(tmp_path / "again", dataset="d")
    nk.upload(plan, target, on_progress=quiet)
    ours = nk.export(target, tmp_path / "ours", layout=layout)
    assert ours.ok
    again = nk.plan(nk.scan(ours.folder))
    assert not again.blockers
    assert objects(again) == objects(plan)
    like = nk.export(target, tmp_path / "like", like=nk.scan(source, **_classes(choices)))
    assert like.ok
    assert_same_files(source, tmp_path / "like")


def _classes(choices: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in choices.items() if key == "classes"}
