"""What an interrupted upload has made, and what others have made meanwhile, on a live instance."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.errors import TargetError
from nifti_kit.targets.instance import Instance
from tests.platform import Platform
from tests.platform.endpoints import call
from tests.support import livers, uploads, worlds
from tests.support.builders import labels, volume, write_nifti
from tests.support.landings import write_annotations, write_volumes
from tests.support.targets import set_scores
from tests.support.uploads import api, facts, killed, land

pytestmark = pytest.mark.usefixtures("one_at_a_time")

one_at_a_time = uploads.one_at_a_time


source, target = livers.source, livers.target


@pytest.fixture
def colleague(
    platform: Platform, target: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Uploads a source as another person does: from a machine with journals of its own."""

    def uploads(source: Path, **options: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setenv("XDG_STATE_HOME", str(tmp_path / "colleague"))
            return land(source, nk.Instance(api(platform), target.dataset_id), **options)

    return uploads


def content(platform: Platform) -> dict[str, Any]:
    """Return all volumes, objects, figures and geometries with their ids."""
    state = platform.state
    return {
        "volumes": {row["id"]: row["hash"] for row in state.volumes},
        "objects": {row["id"]: row["classId"] for row in state.objects},
        "figures": {row["id"]: row["customData"] for row in state.figures},
        "geometries": dict(state.geometries),
        "slices": {row["id"]: row["volumeId"] for row in state.slices},
    }


def is_left(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Say whether all that was there is there, unchanged."""
    return all(before[kind].items() <= after[kind].items() for kind in before)


def draw(platform: Platform, target: Instance, title: str = "liver") -> int:
    """Draw an object with its figure, as a person does; return its id."""
    (row,) = platform.state.volumes
    assert target.dataset_id is not None
    return worlds.draw(platform, target.dataset_id, row["id"], title, b"what a person has drawn")


@pytest.mark.parametrize("method", ["images.bulk.upload", "volumes.bulk.add"])
def test_a_volume_that_a_colleague_made_meanwhile_stays(
    method: str, source: Path, platform: Platform, target: Instance, colleague: Any
) -> None:
    assert killed(lambda: land(source, target), 1, method=method)
    assert not platform.state.volumes.rows
    theirs = colleague(source)
    before = content(platform)
    with pytest.raises(TargetError, match=r"has a volume 'A\.nrrd' already"):
        land(source, target)
    assert content(platform) == before
    receipt = land(source, target, existing="skip")
    assert content(platform) == before
    assert [landed.added for landed in receipt.objects] == [False, False]
    assert not receipt.items[0].added
    assert [one.ref for one in receipt.objects] == [one.ref for one in theirs.objects]


def test_a_colleague_who_was_quicker_is_named_at_once(
    source: Path, platform: Platform, target: Instance, colleague: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    strike, begun = platform.faults.strike, []

    def quicker(number: int, method: str) -> Any:
        if method == "volumes.bulk.add" and not begun:
            begun.append(method)
            colleague(source)
        return strike(number, method)

    monkeypatch.setattr(platform.faults, "strike", quicker)
    with pytest.raises(TargetError, match=r"has a volume 'A\.nrrd' already") as told:
        land(source, target)
    assert "existing='skip'" in told.value.remedy
    assert len(platform.state.volumes) == 1
    assert len(platform.state.geometries) == 2


def test_a_volume_of_an_interrupted_run_is_known_without_its_id(
    source: Path, platform: Platform, target: Instance
) -> None:
    assert killed(lambda: land(source, target), 1, method="volumes.bulk.add", heard=True)
    assert len(platform.state.volumes) == 1
    receipt = land(source, target)
    assert nk.verify(receipt, target).ok
    assert receipt.items[0].added
    assert len(platform.state.volumes) == 1
    assert max(facts(platform)["slices"].values()) == 1


@pytest.mark.parametrize("title", ["liver", "Bone"])
@pytest.mark.parametrize("existing", ["error", "skip", "replace", "append"])
@pytest.mark.parametrize("heard", [True, False])
@pytest.mark.parametrize(
    "method",
    ["annotation-objects.bulk.add", "figures.bulk.add", "figures.bulk.upload.geometry"],
)
def test_what_a_person_drew_on_a_volume_of_an_interrupted_run_stays(
    method: str,
    heard: bool,
    existing: str,
    title: str,
    source: Path,
    platform: Platform,
    target: Instance,
) -> None:
    def run() -> Any:
        return land(source, target, existing=existing)

    assert killed(run, 1, method=method, heard=heard)
    drawn = draw(platform, target, title)
    before = content(platform)
    receipt = run()
    assert is_left(before, content(platform))
    assert drawn in platform.state.objects.rows
    assert len(platform.state.objects) == len(platform.state.geometries) == 3
    assert nk.verify(receipt, target).ok
    assert all(landed.added for landed in receipt.objects)


def test_a_volume_without_all_slices_on_which_a_person_drew_is_refused_by_name(
    source: Path, platform: Platform, target: Instance
) -> None:
    assert killed(lambda: land(source, target), 1, method="volumes.slices.bulk.add", heard=True)
    draw(platform, target)
    before, sent = content(platform), platform.count("images.bulk.upload")
    with pytest.raises(TargetError, match="others have drawn on it") as told:
        land(source, target)
    assert content(platform) == before
    assert platform.count("images.bulk.upload") == sent
    (row,) = platform.state.volumes
    assert f"remove volume {row['id']}" in told.value.remedy
    call(platform.state, "images.bulk.remove", {"imageIds": [row["id"]]})
    assert nk.verify(land(source, target), target).ok


def test_a_volume_whose_slices_were_lost_while_a_person_drew_on_it_stays(
    source: Path, platform: Platform, target: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    strike = platform.faults.strike

    def drawing(number: int, method: str) -> Any:
        if method == "volumes.slices.bulk.add" and not platform.state.figures.rows:
            draw(platform, target)
        return strike(number, method)

    monkeypatch.setattr(platform.faults, "strike", drawing)
    platform.faults.on("volumes.slices.bulk.add", "reset after")
    with pytest.raises(TargetError, match="others have drawn on it"):
        land(source, target)
    assert len(platform.state.volumes) == len(platform.state.figures) == 1


def test_a_volume_of_an_interrupted_run_that_a_person_renamed_is_completed(
    source: Path, platform: Platform, target: Instance
) -> None:
    assert killed(lambda: land(source, target), 1, method="figures.bulk.add", heard=True)
    (row,) = platform.state.volumes
    call(platform.state, "images.editInfo", {"id": row["id"], "name": "knee.nrrd"})
    receipt = land(source, target)
    assert [item.volume.name for item in receipt.items] == ["knee.nrrd"]
    assert len(platform.state.volumes) == 1
    assert nk.verify(receipt, target).ok


def test_an_object_that_a_person_changed_is_not_changed_again(
    source: Path, platform: Platform, target: Instance
) -> None:
    method = "figures.bulk.upload.geometry"
    assert killed(lambda: land(source, target), 1, method=method, heard=True)
    edited = min(platform.state.geometries)
    platform.state.geometries[edited] = platform.state.geometries[max(platform.state.geometries)]
    before = content(platform)
    receipt = land(source, target)
    assert content(platform) == before
    assert not nk.verify(receipt, target).ok


def test_an_object_that_a_person_removed_from_an_unfinished_item_is_made_again(
    source: Path, platform: Platform, target: Instance
) -> None:
    assert killed(lambda: land(source, target), 1, method="figures.bulk.add", heard=True)
    call(platform.state, "annotation-objects.bulk.remove", [min(platform.state.objects.rows)])
    receipt = land(source, target)
    assert nk.verify(receipt, target).ok
    assert len(platform.state.objects) == len(platform.state.geometries) == 2


@pytest.fixture
def annotations(tmp_path: Path, target: Instance) -> Path:
    """Annotations for a volume that is there."""
    land(write_volumes(tmp_path / "base", {"axl_anatomic": {}}), target)
    (ref,) = target.volumes()
    return write_annotations(tmp_path / "again", ref.id)


def test_annotations_that_a_colleague_landed_meanwhile_are_refused_by_name(
    annotations: Path, platform: Platform, target: Instance, colleague: Any
) -> None:
    assert killed(lambda: land(annotations, target), 1, method="annotation-objects.bulk.add")
    colleague(annotations)
    before = content(platform)
    with pytest.raises(TargetError, match="has objects of these classes already"):
        land(annotations, target)
    assert content(platform) == before
    receipt = land(annotations, target, existing="skip")
    assert content(platform) == before
    assert nk.verify(receipt, target).ok


@pytest.mark.parametrize("existing", ["error", "append"])
def test_annotations_that_were_begun_are_completed_beside_those_of_a_colleague(
    existing: str, annotations: Path, platform: Platform, target: Instance, colleague: Any
) -> None:
    def run() -> Any:
        return land(annotations, target, existing=existing)

    assert killed(run, 1, method="figures.bulk.add", heard=True)
    colleague(annotations, existing="append")
    before = content(platform)
    receipt = run()
    assert is_left(before, content(platform))
    assert len(platform.state.objects) == len(platform.state.geometries) == 4
    assert nk.verify(receipt, target).ok


# A source that changed


def mend(source: Path) -> None:
    """Give a mask other voxels: as many, of the same values."""
    write_nifti(source / "A" / "liver.nii.gz", np.roll(labels(), 1, axis=0))


@pytest.mark.parametrize(
    "method",
    ["volumes.slices.bulk.add", "annotation-objects.bulk.add", "figures.bulk.add",
     "figures.bulk.upload.geometry"],
)  # fmt: skip
@pytest.mark.parametrize("heard", [True, False])
def test_what_was_begun_of_a_file_that_was_mended_since_is_made_anew(
    method: str, heard: bool, source: Path, platform: Platform, target: Instance
) -> None:
    assert killed(lambda: land(source, target), 1, method=method, heard=heard)
    mend(source)
    receipt = land(source, target)
    assert nk.verify(receipt, target).ok
    assert len(platform.state.volumes) == 1
    assert len(platform.state.objects) == len(platform.state.geometries) == 2
    assert max(facts(platform)["slices"].values()) == 1


def test_a_figure_that_a_person_drew_for_an_object_of_ours_stays_when_the_file_is_mended(
    source: Path, platform: Platform, target: Instance
) -> None:
    method = "figures.bulk.upload.geometry"
    assert killed(lambda: land(source, target), 1, method=method, heard=True)
    (row,) = platform.state.volumes
    figure = {"objectId": min(platform.state.objects.rows), "geometryType": "mask_3d"}
    data = {"entityId": row["id"], "figures": [{**figure, "entityId": row["id"]}]}
    (drawn,) = call(platform.state, "figures.bulk.add", data)
    platform.state.geometries[drawn["id"]] = b"what a person has drawn"
    mend(source)
    land(source, target)
    assert platform.state.geometries[drawn["id"]] == b"what a person has drawn"
    assert len(platform.state.objects) == 3


def test_a_volume_that_was_mended_since_is_made_anew(
    source: Path, platform: Platform, target: Instance
) -> None:
    method = "annotation-objects.bulk.add"
    assert killed(lambda: land(source, target), 1, method=method)
    affine = nk.scan(source).items[0].volume.grid.affine
    write_nifti(source / "A.nii.gz", volume() + 5, affine)
    receipt = land(source, target)
    assert nk.verify(receipt, target).ok
    assert len(platform.state.volumes) == 1


def test_an_item_that_had_landed_of_a_file_that_was_mended_since_is_left_to_the_choice(
    source: Path, platform: Platform, target: Instance, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    land(source, target, journal=journal)
    before = content(platform)
    mend(source)
    with pytest.raises(TargetError, match="already"):
        land(source, target, journal=journal)
    assert content(platform) == before
    receipt = land(source, target, journal=journal, existing="replace")
    assert nk.verify(receipt, target).ok
    assert len(platform.state.objects) == 2


def test_what_a_person_changed_after_it_was_kept_is_kept_too(
    annotations: Path, platform: Platform, target: Instance, state_home: Path
) -> None:
    first = land(annotations, target)

    def run() -> Any:
        return land(annotations, target, existing="replace")

    assert killed(run, 1, method="annotation-objects.bulk.remove")
    (old, _) = (landed.ref for landed in first.objects)
    scores = {"0-0-1": {"2": {"score": "0.70", "comment": "look again"}}}
    set_scores(target, old, scores)
    receipt = run()
    assert nk.verify(receipt, target).ok
    assert old.id not in platform.state.objects.rows
    kept = [
        figure["customData"]
        for path in state_home.rglob("*.nrrd.json")
        for figure in json.loads(path.read_text())["spatialFigures"]
        if figure["id"] == old.figure_id
    ]
    assert scores in kept


@pytest.mark.parametrize("what", ["scores", "tag", "class"])
def test_what_a_person_did_to_an_unfinished_object_stays_when_its_file_is_mended(
    what: str, source: Path, platform: Platform, target: Instance
) -> None:
    method = "figures.bulk.upload.geometry"
    assert killed(lambda: land(source, target), 1, method=method, heard=True)
    number = min(platform.state.objects.rows)
    row = next(one for one in platform.state.figures if one["objectId"] == number)
    if what == "scores":
        row["customData"] = {"0-0-1": {"1": {"score": "0.30", "comment": "a person's"}}}
    elif what == "tag":
        platform.state.object_tags.add(objectId=number, tagId=1, name="seen", value=None)
    else:
        drawn = draw(platform, target, "Bone")
        platform.state.objects.rows[number]["classId"] = platform.state.objects.rows[drawn][
            "classId"
        ]
    mend(source)
    land(source, target)
    assert number in platform.state.objects.rows
    assert row["id"] in platform.state.figures.rows


@pytest.mark.parametrize("content", ["", "[]", "5", '{"objects": 3}', '{"objects": [{"id": 1}]}'])
def test_a_damaged_file_of_what_was_kept_is_named_and_stays(
    content: str, annotations: Path, platform: Platform, target: Instance, state_home: Path
) -> None:
    land(annotations, target)

    def run() -> Any:
        return land(annotations, target, existing="replace")

    assert killed(run, 1, method="annotation-objects.bulk.remove")
    (kept,) = state_home.rglob("*.nrrd.json")
    whole = kept.read_bytes()
    kept.write_text(content)
    before = set(platform.state.objects.rows)
    with pytest.raises(TargetError, match="has kept cannot be read") as told:
        run()
    assert told.value.path == str(kept)
    assert kept.read_text() == content
    assert before == set(platform.state.objects.rows)
    kept.write_bytes(whole)
    assert nk.verify(run(), target).ok


def test_a_second_figure_and_every_change_of_an_object_that_goes_are_kept(
    annotations: Path, platform: Platform, target: Instance, state_home: Path
) -> None:
    first = land(annotations, target)
    old = first.objects[0].ref

    def run() -> Any:
        return land(annotations, target, existing="replace")

    said = ["one", "two"]
    for comment in said:
        assert killed(run, 1, method="annotation-objects.bulk.remove")
        set_scores(target, old, {"0-0-1": {"2": {"score": "0.70", "comment": comment}}})
    figure = {"objectId": old.id, "geometryType": "mask_3d", "entityId": old.volume_id}
    data = {"entityId": old.volume_id, "figures": [figure]}
    (drawn,) = call(platform.state, "figures.bulk.add", data)
    platform.state.geometries[drawn["id"]] = b"what a person has drawn"
    receipt = run()
    assert nk.verify(receipt, target).ok
    texts = [path.read_text() for path in state_home.rglob("*.nrrd.json")]
    assert all(any(comment in text for text in texts) for comment in said)
    (kept,) = state_home.rglob(f"{drawn['id']}.nrrd")
    assert kept.read_bytes() == b"what a person has drawn"


@pytest.mark.parametrize(
    "record",
    [
        {"kept": 5}, {"replaced": 5}, {"replaced": [[1]]}, {"volume": 1e400}, {"objects": []},
        {"objects": [[99, 1, 1]]}, {"objects": [[-1, 1, 1]]}, {"kept": [[1]]},
    ],
    ids=str,
)  # fmt: skip
def test_a_journal_whose_record_says_nothing_sound_is_no_traceback_and_changes_nothing(
    record: dict[str, Any], source: Path, platform: Platform, target: Instance, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    land(source, target, journal=journal)
    lines = [json.loads(line) for line in journal.read_text().splitlines() if line]
    for line in lines:
        line.get("record", {}).update(record)
    journal.write_text("\n".join(map(json.dumps, lines)))
    before = content(platform)
    assert nk.verify(land(source, target, journal=journal), target).ok
    assert content(platform) == before
