"""Few requests for an item: geometries in batches, one list of what is there, few questions."""

from __future__ import annotations

import weakref
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.errors import TargetError
from nifti_kit.targets import encoding
from nifti_kit.targets.instance import writing
from tests.platform import Platform, running_platform
from tests.support.landings import write_annotations, write_volumes
from tests.support.uploads import api, facts, impatience, land, new_dataset, new_project, new_target

GEOMETRY = "figures.bulk.upload.geometry"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    impatience(monkeypatch)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """One volume with six objects in three mask files."""
    masks = {f"organ{number}": (1, 2) for number in range(3)}
    return write_volumes(tmp_path / "in", {"A": masks})


@pytest.fixture
def alone(source: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What an upload leaves that sends each geometry alone."""
    with monkeypatch.context() as patch, running_platform() as platform:
        patch.setattr(writing, "GEOMETRY_BYTES_AT_ONCE", 1)
        land(source, new_target(platform))
        assert platform.count(GEOMETRY) == 6
        return facts(platform)


# Geometries


def test_geometries_of_several_mask_files_go_in_one_request(
    source: Path, platform: Platform, alone: dict[str, Any]
) -> None:
    target = new_target(platform)
    receipt = land(source, target)
    assert platform.count(GEOMETRY) == 1
    assert facts(platform) == alone
    assert nk.verify(receipt, target).ok


def test_a_request_has_so_many_geometries_at_most(
    source: Path, platform: Platform, alone: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "FIGURES_AT_ONCE", 4)
    land(source, new_target(platform))
    assert platform.count(GEOMETRY) == 2
    assert facts(platform) == alone


def test_a_request_has_so_many_bytes_of_geometries_at_most(
    source: Path, platform: Platform, alone: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_platform() as one:
        land(source, new_target(one))
        largest = max(len(content) for content in one.state.geometries.values())
    monkeypatch.setattr(writing, "GEOMETRY_BYTES_AT_ONCE", 2 * largest)
    land(source, new_target(platform))
    assert platform.count(GEOMETRY) == 3
    assert facts(platform) == alone


@pytest.mark.parametrize("kind", ["500", "reset before", "reset after"])
def test_a_batch_is_sent_again_whole(
    kind: str, source: Path, platform: Platform, alone: dict[str, Any]
) -> None:
    platform.faults.on(GEOMETRY, kind, times=2)
    land(source, new_target(platform))
    carried_out = kind == "reset after"  # and not sent again
    assert platform.count(GEOMETRY) == (1 if carried_out else 3)
    assert facts(platform) == alone


@pytest.mark.parametrize("status", ["400", "413"])
def test_a_batch_that_is_refused_goes_one_by_one(
    status: str, source: Path, platform: Platform, alone: dict[str, Any]
) -> None:
    platform.faults.on(GEOMETRY, status)
    land(source, new_target(platform))
    assert platform.count(GEOMETRY) == 1 + 6
    assert facts(platform) == alone


def test_a_geometry_that_is_refused_alone_ends_the_upload(source: Path, platform: Platform) -> None:
    platform.faults.on(GEOMETRY, "413", times=2)
    with pytest.raises(TargetError, match="refuses a body of this size"):
        land(source, new_target(platform))
    assert platform.count(GEOMETRY) == 2


def test_one_large_label_map_is_in_memory_at_a_time(
    source: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = encoding.LabelParts
    living: list[list[bool]] = []
    maps: list[weakref.ref[Any]] = []

    def read(*args: Any) -> Any:
        living.append([one() is not None for one in maps])
        found = real(*args)
        maps.append(weakref.ref(found[args[1][0]].base))
        return found

    monkeypatch.setattr(encoding, "LabelParts", read)
    monkeypatch.setattr(encoding, "SOURCE_BYTES", 1)
    land(source, new_target(platform))
    assert living == [[], [False], [False, False]]


# Other requests


ONCE = {"datasets.list": 1, "volumes.list": 1, "projects.meta": 2, "projects.meta.update": 1}

EACH = {
    "images.bulk.upload": 1,
    "volumes.bulk.add": 1,
    "volumes.slices.bulk.add": 1,
    "annotation-objects.bulk.add": 1,
    "figures.bulk.add": 1,
    GEOMETRY: 1,
}
"""For a small volume, which goes with its slices."""


@pytest.mark.parametrize("count", [1, 4])
def test_the_requests_of_an_upload_are_these(
    count: int, tmp_path: Path, platform: Platform
) -> None:
    target = new_target(platform)
    before = len(platform.requests)
    masks = {f"organ{number}": (1, 2) for number in range(3)}
    land(write_volumes(tmp_path / "in", dict.fromkeys("ABCD"[:count], masks)), target)
    found = Counter(one.method for one in platform.requests[before:])
    # Until the instance has none; who finds that a file is there, of a volume that lands at the
    # same time, asks once more.
    assert 1 <= found.pop("images.internal.hashes.list") <= 2 * count
    assert found == {**ONCE, **{method: count * each for method, each in EACH.items()}}


def test_annotations_for_a_whole_project_ask_once_where_their_volumes_are(
    tmp_path: Path, platform: Platform
) -> None:
    project = new_project(platform)
    one = nk.Instance(api(platform), new_dataset(platform, project))
    for name in "ABC":
        land(write_volumes(tmp_path / name, {name: {}}), one)
    whole = nk.Instance(api(platform), project_id=project)
    folder = write_annotations(tmp_path / "again", *(ref.id for ref in one.volumes()))
    before = len(platform.requests)
    land(folder, whole)
    found = Counter(request.method for request in platform.requests[before:])
    assert found["datasets.list"] == found["volumes.list"] == 1
    assert found["volumes.info"] == 0
    assert found["volumes.annotations.bulk.info"] == 3


def test_files_that_are_there_are_asked_about_and_not_sent_again(
    source: Path, platform: Platform
) -> None:
    project = new_project(platform)
    land(source, nk.Instance(api(platform), new_dataset(platform, project, "a")))
    sent = platform.count("images.bulk.upload")
    asked = platform.count("images.internal.hashes.list")
    land(source, nk.Instance(api(platform), new_dataset(platform, project, "b")))
    assert platform.count("images.bulk.upload") == sent + 1  # the volume's own, with its comment
    assert platform.count("images.internal.hashes.list") == asked + 1


def test_a_target_reads_anew_what_is_there_outside_of_an_upload(
    source: Path, tmp_path: Path, platform: Platform
) -> None:
    target = new_target(platform)
    land(source, target)
    assert [ref.name for ref in target.volumes()] == ["A.nrrd"]
    land(write_volumes(tmp_path / "more", {"B": {}}), nk.Instance(api(platform), target.dataset_id))
    assert [ref.name for ref in target.volumes()] == ["A.nrrd", "B.nrrd"]
    with pytest.raises(TargetError, match=r"a volume 'B\.nrrd' already"):
        land(tmp_path / "more", target)
