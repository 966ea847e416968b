"""How many requests an upload to an instance makes: none that says nothing new."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.errors import TargetError
from nifti_kit.targets.instance import Instance, volumes
from tests.platform import Platform, running_platform
from tests.support.landings import write_volumes
from tests.support.uploads import api, facts, land, new_dataset, new_target

THREE_MASKS = {"liver": (1,), "lung": (1,), "spleen": (1,)}

SHAPE = (20, 24, 28)
"""More slices than the SDK sends at once."""

SLICES = "volumes.slices.bulk.add"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A volume with three mask files."""
    return write_volumes(tmp_path / "in", {"A": THREE_MASKS}, SHAPE)


@pytest.fixture
def target(platform: Platform) -> Instance:
    return new_target(platform)


def asked(platform: Platform, since: int = 0) -> Counter[str]:
    """Return how often each method was asked."""
    return Counter(one.method for one in platform.requests[since:])


@pytest.mark.parametrize("count", [1, 7])
def test_a_new_volume_takes_one_request_of_each_kind(
    count: int, tmp_path: Path, platform: Platform, target: Instance
) -> None:
    source = write_volumes(tmp_path / "in", {f"V{n}": THREE_MASKS for n in range(count)}, SHAPE)
    land(source, target)
    found = asked(platform)
    assert found.pop("images.internal.hashes.list") <= Instance.side_by_side
    each = ("images.bulk.upload", "volumes.bulk.add", SLICES, "annotation-objects.bulk.add",
            "figures.bulk.add", "figures.bulk.upload.geometry")  # fmt: skip
    assert [found.pop(method) for method in each] == [count] * len(each)
    assert found == {
        "datasets.info": 1, "projects.info": 1, "datasets.list": 1, "volumes.list": 1,
        "projects.meta": 2, "projects.meta.update": 1,
    }  # fmt: skip


def test_slices_that_are_there_are_not_sent_again_however_many_volumes(
    tmp_path: Path, platform: Platform, target: Instance
) -> None:
    source = write_volumes(tmp_path / "in", {f"V{n}": {} for n in range(7)}, SHAPE)
    land(source, target)
    before, since = sum(one.size for one in platform.requests), len(platform.requests)
    blobs = len(platform.state.blobs)
    beside = beside_it(platform)
    receipt = land(source, beside)
    found = asked(platform, since)
    assert found["images.internal.hashes.list"] == found["images.bulk.upload"] == 7
    assert len(platform.state.blobs) == blobs + 7  # the files of the volumes bear the run's name
    assert sum(one.size for one in platform.requests[since:]) < before / 2
    assert nk.verify(receipt, beside).ok


def beside_it(platform: Platform) -> Instance:
    """Return a target with another dataset of the same project."""
    (project,) = platform.state.projects
    return nk.Instance(api(platform), new_dataset(platform, project["id"], "other"))


def test_the_files_of_a_large_volume_are_asked_for_and_sent_in_parts(
    source: Path, platform: Platform, target: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volumes, "FILE_BYTES_AT_ONCE", 1000)
    monkeypatch.setattr(volumes, "FILES_AT_ONCE", 30)
    with running_platform() as calm:
        land(source, new_target(calm))
        sent_once = asked(calm)
        undisturbed = facts(calm)
    land(source, target)
    assert facts(platform) == undisturbed
    assert sent_once["images.bulk.upload"] == 1 + 3  # 72 slices, 30 at a time, and the volume
    assert asked(platform)["images.internal.hashes.list"] == 1


def test_an_instance_that_refuses_many_slices_is_sent_fewer(
    source: Path, platform: Platform, target: Instance
) -> None:
    platform.faults.on(SLICES, "400")
    receipt = land(source, target)
    assert asked(platform)[SLICES] == 1 + 2  # 72 slices, 50 at a time
    assert len(platform.state.slices) == sum(SHAPE)
    assert nk.verify(receipt, target).ok


def test_an_instance_that_refuses_few_slices_too_is_not_asked_again(
    source: Path, platform: Platform, target: Instance
) -> None:
    platform.faults.on(SLICES, "400", times=9)
    with pytest.raises(TargetError, match="the instance refuses a request"):
        land(source, target)
    assert asked(platform)[SLICES] == 2


@pytest.mark.parametrize("kind", ["reset after", "reset before"])
def test_after_a_lost_answer_fewer_slices_are_sent_at_once(
    kind: str, source: Path, platform: Platform, target: Instance
) -> None:
    platform.faults.on(SLICES, kind)
    receipt = land(source, target)
    assert asked(platform)[SLICES] == 1 + 2
    assert len(platform.state.volumes) == 1
    assert len(platform.state.slices) == sum(SHAPE)
    assert nk.verify(receipt, target).ok


def test_many_mask_files_land_as_one_after_the_other(tmp_path: Path, platform: Platform) -> None:
    masks: dict[str, Any] = {f"organ{n:02}": (1, 2) for n in range(23)}
    receipt = land(write_volumes(tmp_path / "in", {"A": masks}), target := new_target(platform))
    assert len(receipt.objects) == 46
    assert nk.verify(receipt, target).ok
