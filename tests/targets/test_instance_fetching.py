"""What is read back of an instance: in few requests, and the same as one by one."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.errors import TargetError
from nifti_kit.targets.instance import Instance, fetching
from nifti_kit.targets.target import ReadBack
from tests.platform import Platform
from tests.platform.endpoints import call
from tests.support.landings import write_volumes
from tests.support.uploads import api, impatience, land, new_target

MASKS = {"liver": (1, 2), "lung": (1,), "spleen": (1,)}
"""Of each volume: four objects."""

GEOMETRIES = "figures.bulk.download.geometry"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    impatience(monkeypatch, patience=0.5)


@pytest.fixture
def target(platform: Platform) -> Instance:
    return new_target(platform)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_volumes(tmp_path / "in", {f"V{number}": MASKS for number in range(6)})


@pytest.fixture
def receipt(source: Path, target: Instance) -> Any:
    return land(source, target)


def asked(platform: Platform, since: int) -> Counter[str]:
    """Return how often each method was asked."""
    return Counter(one.method for one in platform.requests[since:])


def verified(receipt: Any, target: Any) -> Any:
    return nk.verify(receipt, target, on_item=lambda *_: None)


class OneByOne:
    """A target that fetches nothing ahead."""

    def __init__(self, target: Instance) -> None:
        self.target = target

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target, name)

    def reading_back(self, _: Any) -> Any:
        return nullcontext(self.target)


def test_a_volume_takes_four_requests(platform: Platform, target: Instance, receipt: Any) -> None:
    since = len(platform.requests)
    assert verified(receipt, target).ok
    assert asked(platform, since) == {
        "datasets.list": 1, "volumes.list": 1, "projects.meta": 1, "volumes.download": 6,
        "volumes.annotations.bulk.info": 6, "figures.list": 6, GEOMETRIES: 6,
    }  # fmt: skip


def test_it_takes_as_many_where_the_whole_project_is_in_scope(
    platform: Platform, target: Instance, receipt: Any
) -> None:
    whole = nk.Instance(api(platform), project_id=target.project_id)
    since = len(platform.requests)
    assert verified(receipt, whole).ok
    assert sum(asked(platform, since).values()) == 3 + 4 * 6


@pytest.mark.parametrize("at_once", [2, 3])
def test_masks_come_in_batches(
    at_once: int,
    platform: Platform,
    target: Instance,
    receipt: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fetching, "GEOMETRIES_AT_ONCE", at_once)
    since = len(platform.requests)
    assert verified(receipt, target).ok
    assert asked(platform, since)[GEOMETRIES] == 6 * -(-4 // at_once)


def removed_figure(platform: Platform, receipt: Any) -> None:
    call(platform.state, "figures.bulk.remove", {"figureIds": [receipt.objects[5].ref.figure_id]})


def lost_geometry(platform: Platform, receipt: Any) -> None:
    del platform.state.geometries[receipt.objects[5].ref.figure_id]


def removed_volume(platform: Platform, receipt: Any) -> None:
    call(platform.state, "images.bulk.remove", {"imageIds": [receipt.items[2].volume.id]})


def exchanged_masks(platform: Platform, receipt: Any) -> None:
    geometries = platform.state.geometries
    one, other = (receipt.objects[at].ref.figure_id for at in (0, 7))
    geometries[one], geometries[other] = geometries[other], b"no NRRD"


def drawn_beside(platform: Platform, receipt: Any) -> None:
    state = platform.state
    ours = state.figures.rows[receipt.objects[9].ref.figure_id]
    entry = {"classId": ours["classId"], "entityId": ours["entityId"]}
    data = {"datasetId": ours["datasetId"], "annotationObjects": [entry]}
    (made,) = call(state, "annotation-objects.bulk.add", data)
    figure = {"objectId": made["id"], "geometryType": "mask_3d"}
    data = {"entityId": ours["entityId"], "figures": [figure]}
    (drawn,) = call(state, "figures.bulk.add", data)
    state.geometries[drawn["id"]] = state.geometries[ours["id"]]


@pytest.mark.parametrize(
    "change",
    [removed_figure, lost_geometry, removed_volume, exchanged_masks, drawn_beside, None],
)
@pytest.mark.parametrize("large", [False, True])
def test_the_proof_is_the_same_as_of_what_is_read_one_by_one(
    large: bool,
    change: Any,
    platform: Platform,
    target: Instance,
    receipt: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if large:
        monkeypatch.setattr(fetching, "VOXEL_BYTES", 1)
        monkeypatch.setattr(fetching, "GEOMETRIES_AT_ONCE", 2)
    if change is not None:
        change(platform, receipt)
    proof = verified(receipt, target)
    assert without_paths(proof) == without_paths(verified(receipt, OneByOne(target)))
    assert proof.ok == (change in (drawn_beside, None))


def without_paths(proof: Any) -> str:
    """Return a proof as text, without the names of files that were read back."""
    said = re.sub(r'"(begun|ended)": "[^"]*"', r'"\1": "a time"', proof.to_json())
    return re.sub(r"/[^\s\"]*nifti_kit-[^\s\"]*", "file", said)


def test_volumes_may_be_asked_for_in_any_order_and_again(target: Instance, receipt: Any) -> None:
    items = [ReadBack(i.volume, True, tuple(o.ref for o in i.objects)) for i in receipt.items]
    with target.reading_back(items) as there:
        for item in [*reversed(items), *items, *items]:
            number = item.volume.id
            assert there.objects(number) == target.objects(number)
            assert there.volume_file(number) == target.volume_file(number)
            for ref in item.masks:
                assert there.mask_of(ref.figure_id) == target.mask_of(ref.figure_id)


def test_a_file_that_was_given_is_not_kept(
    platform: Platform, target: Instance, receipt: Any
) -> None:
    volume, since = receipt.items[0].volume, len(platform.requests)
    with target.reading_back([ReadBack(volume, True, ())]) as there:
        assert there.volume_file(volume.id) == there.volume_file(volume.id)
    assert asked(platform, since)["volumes.download"] == 2


def test_no_more_than_a_few_small_volumes_are_on_their_way(
    target: Instance, receipt: Any, platform: Platform
) -> None:
    items = [ReadBack(item.volume, True, ()) for item in receipt.items]
    since = len(platform.requests)
    with target.reading_back(items) as there:
        there.volume_file(items[0].volume.id)
    assert asked(platform, since)["volumes.download"] <= 1 + fetching.AHEAD


def test_a_large_volume_waits_for_its_turn(
    target: Instance, receipt: Any, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "VOXEL_BYTES", 1)
    items = [ReadBack(item.volume, True, ()) for item in receipt.items]
    since = len(platform.requests)
    with target.reading_back(items) as there:
        there.volume_file(items[0].volume.id)
    assert asked(platform, since)["volumes.download"] == 1


def test_what_is_read_for_its_scores_alone_is_not_downloaded(
    target: Instance, receipt: Any, platform: Platform
) -> None:
    items = [ReadBack(item.volume, False, ()) for item in receipt.items]
    since = len(platform.requests)
    with target.reading_back(items) as there:
        for item in items:
            there.objects(item.volume.id)
    found = asked(platform, since)
    assert not found["volumes.download"] + found[GEOMETRIES]
    assert found["figures.list"] == len(items)


@pytest.fixture
def stopped(target: Instance, receipt: Any) -> list[int]:
    """The places of items at which a person stops, and is heard."""
    seen: list[int] = []

    def stop(at: int, _: Any) -> None:
        seen.append(at)
        if at == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nk.verify(receipt, target, on_item=stop)
    return seen


def test_a_person_who_stops_is_heard(stopped: list[int], platform: Platform) -> None:
    assert stopped == [0, 1]
    assert platform.errors == []


def test_a_list_that_cannot_be_had_is_a_row(
    target: Instance, receipt: Any, platform: Platform
) -> None:
    platform.faults.on("volumes.list", "403", times=10)
    proof = verified(receipt, target)
    assert [row.kind for row in proof.failures] == ["surplus"]
    assert "cannot be seen whether a volume is there twice" in proof.failures[0].problem


def test_an_instance_that_is_gone_is_told_of_each_mask(
    target: Instance, receipt: Any, platform: Platform
) -> None:
    platform.faults.on(GEOMETRIES, "500", times=10**6)
    proof = verified(receipt, target)
    assert len(proof.failures) == len(receipt.objects)
    assert all("does not answer" in row.problem for row in proof.failures)
    with pytest.raises(TargetError):
        target.geometry(receipt.objects[0].ref.figure_id)
