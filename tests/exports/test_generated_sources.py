"""Sources drawn by chance: files to a target and back, onto their originals and in RAS+ order."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import Phase, given, settings

import nifti_kit as nk
from tests.platform import running_platform
from tests.support import round_trips
from tests.support.generated_sources import Source, sources, write_source
from tests.support.landings import quiet
from tests.support.properties import untimed
from tests.support.uploads import new_target

few = settings(untimed, max_examples=3, derandomize=True, phases=[Phase.generate])
"""Without shrinking: an example takes a part of a second, and is small as it is."""


def hold(source: Source, target: Any, folder: Path) -> None:
    """See that a source comes back from a target, onto its originals and without them."""
    files = write_source(source, folder / "in")
    dataset = nk.scan(files)
    receipt = nk.upload(nk.plan(dataset), target, on_progress=quiet)
    before = round_trips.of_files(files)
    layout = "by_volume" if source.layout == "by_volume" else "by_plane"
    for name, like in (("ras", None), ("receipt", receipt), ("folder", files)):
        out = folder / name
        export = nk.export(target, out, layout=layout, like=like, on_volume=lambda *_: None)
        assert export.ok, export
        found = round_trips.differences(before, round_trips.of_files(out), empty_classes=False)
        assert found == [], (name, found)
        plan = nk.plan(nk.scan(out))
        assert not plan.blockers, plan
        assert sorted((one.class_name, one.voxels, str(one.scores)) for one in plan.objects) == (
            sorted((landed.class_name, landed.voxels, str(landed.scores))
                   for landed in nk.plan(dataset).objects)
        )  # fmt: skip
        if like is not None:
            for path in files.rglob("*.nii.gz"):
                found = round_trips.unlike(path, out / path.relative_to(files))
                assert found == [], (name, path, found)


@pytest.mark.parametrize("kind", ["folder", "instance"])
@pytest.mark.parametrize("layout", ["by_volume", "semantic", "instance"])
def test_any_source_comes_back(layout: str, kind: str) -> None:
    @few
    @given(sources(layout))
    def holds(source: Source) -> None:
        with TemporaryDirectory() as folder, running_platform() as platform:
            target: Any = nk.ProjectFolder(Path(folder) / "project", dataset="d")
            hold(source, new_target(platform) if kind == "instance" else target, Path(folder))

    holds()
