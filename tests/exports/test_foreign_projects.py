"""Projects that others made, by chance: what is there is in the files, or named beside them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import Phase, given, settings

import nifti_kit as nk
from tests.support import round_trips
from tests.support.foreign_projects import Figure, Project, Volume, projects, write_project
from tests.support.landings import quiet
from tests.support.properties import untimed

BOX = ((0, 2), (1, 3), (2, 5))

few = settings(untimed, max_examples=6, derandomize=True, phases=[Phase.generate])
"""Without shrinking: an example takes 0.1 s, and is small as it is."""


def hold(project: Project, layout: str, folder: Path) -> None:
    """See that a project comes back from its export, and that what does not is named.

    Names of volumes by plane are read by volume where it was told so.
    """
    path = write_project(project, folder / "project")
    before = round_trips.of_project(path, dict.fromkeys(one.dataset for one in project.volumes))
    out = folder / "out"
    export = nk.export(nk.ProjectFolder(path), out, layout=layout, on_volume=lambda *_: None)
    after = round_trips.of_files(out, by_volume=layout == "by_volume")
    found = round_trips.differences(before, after)
    assert round_trips.unnamed(found, out) == [], (found, round_trips.left_out(out))
    named = [(left.what, left.name) for left in export.not_exported]
    assert Counter(named) == Counter(
        (one["what"], one["class"]) for one in round_trips.left_out(out)
    )
    assert export.ok is not bool(named)
    plan = nk.plan(nk.scan(out, layout=layout), waive="planes-incomplete")
    assert not plan.blockers, plan
    target = nk.ProjectFolder(folder / "again", dataset="d")
    nk.upload(plan, target, on_progress=quiet)
    there = round_trips.of_project(folder / "again")
    found = round_trips.differences(after, there, empty_classes=False)
    assert found == [], found


@pytest.mark.parametrize(
    ("names", "layout"),
    [("by_volume", "by_volume"), ("by_plane", "by_plane"), ("by_plane", "by_volume")],
)
def test_any_project_comes_back_or_what_does_not_is_named(names: str, layout: str) -> None:
    @few
    @given(projects(names))
    def holds(project: Project) -> None:
        with TemporaryDirectory() as folder:
            hold(project, layout, Path(folder))

    holds()


def test_volumes_alone_come_back_as_volumes(tmp_path: Path) -> None:
    volumes = [Volume("d", "A.nrrd", 0.0, []), Volume("e", "B.nrrd", 0.0, [])]
    hold(Project([("Femur", "", "mask_3d")], volumes), "by_volume", tmp_path)


def test_a_dataset_that_is_named_like_its_volume_comes_back(tmp_path: Path) -> None:
    drawn = Volume("a b", "c.nrrd", 0.0, [Figure("Femur", BOX)])
    volumes = [Volume("a b", "a b.nrrd", 0.0, []), drawn]
    hold(Project([("Femur", "", "mask_3d")], volumes), "by_volume", tmp_path)
