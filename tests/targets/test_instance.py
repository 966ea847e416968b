"""A live instance as a target: everything lands, is read back, and survives faults.

The instance is the stand-in of ``tests/platform``; here no SDK is needed.
"""

from __future__ import annotations

import json
import pickle
import shutil
import threading
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.errors import TargetError
from nifti_kit.targets.instance import Instance, client, crew, volumes
from nifti_kit.targets.instance.client import Connection
from nifti_kit.targets.records import ItemJob
from nifti_kit.widgets.viewer.model import ViewerModel
from tests.platform import Platform, running_platform
from tests.platform.endpoints import call
from tests.support.builders import AFFINE, SAMPLES, labels, write_nifti
from tests.support.landings import write_annotations, write_scored_planes, write_volumes
from tests.support.uploads import (
    VOLUME_SAMPLES,
    Killed,
    api,
    facts,
    impatience,
    land,
    new_dataset,
    new_project,
)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait little between two tries."""
    impatience(monkeypatch)


@pytest.fixture
def project(platform: Platform) -> int:
    return new_project(platform)


@pytest.fixture
def target(platform: Platform, project: int) -> Instance:
    return nk.Instance(api(platform), new_dataset(platform, project))


# What lands


@pytest.mark.parametrize("sample", VOLUME_SAMPLES)
def test_every_sample_lands_and_verifies(sample: str, target: Instance, platform: Platform) -> None:
    receipt = land(SAMPLES / sample, target)
    proof = nk.verify(receipt, target)
    assert proof.ok, proof
    assert len(proof.objects) == len(receipt.objects) == len(platform.state.figures.rows)
    assert proof.volumes
    assert set(platform.state.geometries) == set(platform.state.figures.rows)


def test_every_slice_of_the_three_planes_is_there_once(
    tmp_path: Path, target: Instance, platform: Platform
) -> None:
    land(write_volumes(tmp_path / "in", {"A": {}}), target)
    places = Counter(
        (row["axis"], row["sliceIndex"]) for row in platform.state.slices.rows.values()
    )
    expected = [(axis, k) for axis, n in zip("xyz", (5, 6, 7), strict=True) for k in range(n)]
    assert places == Counter(expected)


def test_an_oblique_volume_and_its_mask_are_where_their_files_put_them(
    tmp_path: Path, target: Instance
) -> None:
    turn = np.radians(25)
    affine = np.array(AFFINE)
    affine[:2, :2] = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * 2
    write_nifti(tmp_path / "in" / "CT.nii.gz", affine=affine)
    write_nifti(tmp_path / "in" / "CT" / "organ.nii.gz", labels(), affine)
    proof = nk.verify(land(tmp_path / "in", target), target)
    assert proof.ok
    (ref,) = target.volumes()
    source = nk.scan(tmp_path / "in").items[0].volume
    assert source is not None
    corners = source.grid.to_ras().world(source.grid.corners())
    np.testing.assert_allclose(ref.grid.world(ref.grid.corners()), corners, atol=1e-4)


def test_volumes_have_id_name_dataset_and_grid(tmp_path: Path, target: Instance) -> None:
    land(write_volumes(tmp_path / "in", {"A": {}, "B": {}}), target)
    refs = target.volumes()
    assert sorted((ref.name, ref.dataset) for ref in refs) == [("A.nrrd", "d"), ("B.nrrd", "d")]
    assert all(str(ref.id) == ref.key for ref in refs)
    assert refs[0].grid.shape == (5, 6, 7)


def test_classes_keep_colour_and_pixel_value(tmp_path: Path, target: Instance) -> None:
    land(write_scored_planes(tmp_path / "in"), target)
    found = {ref.name: (ref.color, ref.description) for ref in target.classes()}
    assert found == {
        "Femur": ((255, 0, 0), "Mask pixel value: 1"),
        "Tibia": ((0, 255, 0), "Mask pixel value: 2"),
    }


def test_classes_that_are_there_stay(tmp_path: Path, target: Instance, platform: Platform) -> None:
    bone = {"title": "bone", "shape": "mask_3d", "color": "#0000FF", "description": "mine"}
    data = {"id": target.project_id, "meta": {"classes": [bone], "tags": []}}
    before = call(platform.state, "projects.meta.update", data)["classes"][0]["id"]
    land(write_scored_planes(tmp_path / "in"), target)
    kept = {row["title"]: row["id"] for row in target.meta()["classes"]}
    assert kept["bone"] == before
    assert set(kept) == {"bone", "Femur", "Tibia"}


def test_a_class_of_another_shape_is_refused(
    tmp_path: Path, target: Instance, platform: Platform
) -> None:
    outline = {"title": "Femur", "shape": "polygon", "color": "#0000FF"}
    data = {"id": target.project_id, "meta": {"classes": [outline], "tags": []}}
    call(platform.state, "projects.meta.update", data)
    with pytest.raises(TargetError, match="another shape"):
        land(write_scored_planes(tmp_path / "in"), target)
    assert not platform.state.volumes.rows


# Annotations on their own


def test_annotations_land_on_volumes_that_are_there(tmp_path: Path, target: Instance) -> None:
    land(write_volumes(tmp_path / "in", {"axl_anatomic": {}}), target)
    (ref,) = target.volumes()
    receipt = land(write_annotations(tmp_path / "again", ref.id), target)
    assert nk.verify(receipt, target).ok
    assert [item.added for item in receipt.items] == [False]
    assert len(target.objects(ref.id)) == 2


def test_a_project_has_the_volumes_of_all_its_datasets_nested_ones_too(
    tmp_path: Path, platform: Platform, project: int
) -> None:
    first = new_dataset(platform, project, "a")
    second = new_dataset(platform, project, "b", parent=first)
    for number in (first, second):
        land(write_volumes(tmp_path / str(number), {"axl": {}}), nk.Instance(api(platform), number))
    whole = nk.Instance(api(platform), project_id=project)
    refs = whole.volumes()
    assert sorted(ref.dataset for ref in refs) == ["a", "a/b"]
    receipt = land(write_annotations(tmp_path / "again", *(ref.id for ref in refs)), whole)
    assert nk.verify(receipt, whole).ok
    with pytest.raises(TargetError, match="new volumes need a dataset"):
        land(write_volumes(tmp_path / "more", {"C": {}}), whole)


def test_a_volume_of_another_dataset_is_out_of_scope(
    tmp_path: Path, target: Instance, platform: Platform, project: int
) -> None:
    other = nk.Instance(api(platform), new_dataset(platform, project, "other"))
    land(write_volumes(tmp_path / "in", {"axl": {}}), other)
    (ref,) = other.volumes()
    with pytest.raises(TargetError, match="no volume with id"):
        land(write_annotations(tmp_path / "again", ref.id), target)
    with pytest.raises(TargetError, match="lies elsewhere"):
        target.volume(ref.id)


# What is there already


@pytest.fixture
def annotated(tmp_path: Path, target: Instance) -> tuple[Path, Any]:
    """A volume with two objects of two classes, and the folder that they came from."""
    land(write_volumes(tmp_path / "in", {"axl_anatomic": {}}), target)
    (ref,) = target.volumes()
    folder = write_annotations(tmp_path / "again", ref.id)
    land(folder, target)
    return folder, ref


def test_what_is_there_is_an_error_by_default(annotated: Any, target: Instance) -> None:
    folder, ref = annotated
    before = target.objects(ref.id)
    with pytest.raises(TargetError, match="objects of these classes already"):
        land(folder, target)
    with pytest.raises(TargetError, match=r"a volume 'axl_anatomic\.nrrd' already"):
        land(folder.parent / "in", target)
    assert target.objects(ref.id) == before


def test_skip_keeps_what_is_identical(annotated: Any, target: Instance) -> None:
    folder, ref = annotated
    before = target.objects(ref.id)
    receipt = land(folder, target, existing="skip")
    assert target.objects(ref.id) == before
    assert not any(landed.added for landed in receipt.objects)
    assert nk.verify(receipt, target).ok
    again = land(folder.parent / "in", target, existing="skip")
    assert [item.added for item in again.items] == [False]


def test_skip_adds_what_is_not(annotated: Any, target: Instance) -> None:
    folder, ref = annotated
    changed = labels()
    changed[changed == 2] = 0
    changed[4, 4:6, 1] = 2
    write_nifti(folder / "axl_inference_1.nii.gz", changed)
    receipt = land(folder, target, existing="skip")
    assert [landed.added for landed in receipt.objects] == [False, True]
    assert len(target.objects(ref.id)) == 3


@pytest.fixture
def without_figure(annotated: Any, target: Instance, platform: Platform) -> int:
    """Add an object without a figure, as a person leaves it who deletes the figure; its id."""
    _, ref = annotated
    kind = target.ids_of_classes({"Segment_1"})["Segment_1"]
    one = {"classId": kind, "entityId": ref.id}
    data = {"datasetId": target.dataset_id, "annotationObjects": [one]}
    return int(call(platform.state, "annotation-objects.bulk.add", data)[0]["id"])


def test_an_object_without_a_figure_has_no_key_of_one(
    annotated: Any, target: Instance, without_figure: int
) -> None:
    _, ref = annotated
    figures = {found.id: found.figure_key for found in target.objects(ref.id)}
    assert figures.pop(without_figure) == ""
    assert all(int(key) > 0 for key in figures.values())


@pytest.mark.usefixtures("without_figure")
def test_the_others_are_drawn_beside_an_object_without_a_figure(
    annotated: Any, target: Instance
) -> None:
    _, ref = annotated
    viewer = ViewerModel.of_target(target, ref)
    assert [entry.name for entry in viewer.classes] == ["Segment_1"]
    figure = nk.plots.landed(target, ref)
    assert figure.axes


def test_skip_compares_the_others_beside_an_object_without_a_figure(
    annotated: Any, target: Instance, without_figure: int
) -> None:
    folder, ref = annotated
    changed = labels()
    changed[changed == 1] = 0
    changed[4, 4:6, 1] = 1
    write_nifti(folder / "axl_inference_1.nii.gz", changed)
    receipt = land(folder, target, existing="skip")
    assert [landed.added for landed in receipt.objects] == [True, False]
    assert without_figure in {found.id for found in target.objects(ref.id)}


def test_append_adds_beside_what_is_there(annotated: Any, target: Instance) -> None:
    folder, ref = annotated
    receipt = land(folder, target, existing="append")
    assert len(target.objects(ref.id)) == 4
    assert nk.verify(receipt, target).ok


def test_replace_exchanges_objects_of_the_same_classes_and_keeps_the_old(
    annotated: Any, target: Instance, platform: Platform
) -> None:
    folder, ref = annotated
    old = {
        found.figure_id: platform.state.geometries[found.figure_id]
        for found in target.objects(ref.id)
    }
    receipt = land(folder, target, existing="replace")
    new = target.objects(ref.id)
    assert len(new) == 2
    assert not {found.figure_id for found in new} & set(old)
    assert receipt.items[0].replaced == 2
    assert receipt.backup is not None
    kept = {int(p.stem): p.read_bytes() for p in receipt.backup.rglob("*.nrrd") if p.is_file()}
    assert kept == old
    (annotation,) = receipt.backup.rglob("*.json")
    assert len(json.loads(annotation.read_text())["objects"]) == 2
    assert nk.verify(receipt, target).ok


def test_another_volume_of_the_name_is_refused(tmp_path: Path, target: Instance) -> None:
    land(write_volumes(tmp_path / "in", {"A": {}}), target)
    write_nifti(tmp_path / "in" / "A.nii.gz", np.zeros((5, 6, 7), np.int16))
    with pytest.raises(TargetError, match="another volume of the name"):
        land(tmp_path / "in", target, existing="skip")


# Faults

RETRIED = ["500", "503", "429", "reset before"]
STEPS = [
    "images.internal.hashes.list",
    "images.bulk.upload",
    "volumes.bulk.add",
    "volumes.slices.bulk.add",
    "projects.meta.update",
    "annotation-objects.bulk.add",
    "figures.bulk.add",
    "figures.bulk.upload.geometry",
]


@pytest.fixture
def undisturbed(tmp_path: Path) -> dict[str, Any]:
    with running_platform() as calm:
        number = new_dataset(calm, new_project(calm))
        land(write_volumes(tmp_path / "in"), nk.Instance(api(calm), number))
        return facts(calm)


@pytest.mark.parametrize("method", STEPS)
@pytest.mark.parametrize("kind", [*RETRIED, "reset after"])
def test_a_fault_is_outlived_and_nothing_is_there_twice(
    kind: str,
    method: str,
    tmp_path: Path,
    target: Instance,
    platform: Platform,
    undisturbed: dict[str, Any],
) -> None:
    platform.faults.on(method, kind, times=1)
    receipt = land(tmp_path / "in", target)
    assert facts(platform) == undisturbed
    assert any(one.fault for one in platform.requests)
    assert nk.verify(receipt, target).ok


def test_retry_after_is_respected(
    tmp_path: Path, target: Instance, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(client.time, "sleep", slept.append)
    platform.faults.on("volumes.bulk.add", "429", retry_after=1)
    land(write_volumes(tmp_path / "in", {"A": {}}), target)
    assert slept == [1.0]


def test_an_upload_that_is_killed_at_any_request_is_finished_by_the_same_call(
    tmp_path: Path, undisturbed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = client.Connection._answer
    survived = 0
    for number in range(1, 200):
        with running_platform() as platform:
            dataset = new_dataset(platform, new_project(platform, f"p{number}"))
            target = nk.Instance(api(platform), dataset)
            count = 0

            def dying(self: Any, *args: Any, number: int = number, **body: Any) -> Any:
                nonlocal count
                count += 1
                answer = real(self, *args, **body)
                if count >= number:  # carried out, but nobody hears of it
                    raise Killed
                return answer

            monkeypatch.setattr(client.Connection, "_answer", dying)
            try:
                land(tmp_path / "in", target)
            except Killed:
                pass
            else:
                break
            finally:
                monkeypatch.setattr(client.Connection, "_answer", real)
            receipt = land(tmp_path / "in", nk.Instance(api(platform), dataset))
            assert facts(platform) == undisturbed, number
            assert nk.verify(receipt, target).ok
            survived += 1
    print(f"survived a kill at each of {survived} requests")
    assert survived > 20


@pytest.mark.parametrize("existing", ["append", "replace"])
def test_annotations_that_are_killed_at_any_request_are_finished_by_the_same_call(
    existing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = client.Connection._answer
    survived = 0
    for number in range(1, 100):
        with running_platform() as platform:
            target = nk.Instance(api(platform), new_dataset(platform, new_project(platform)))
            root = tmp_path / str(number)
            land(write_volumes(root / "in", {"axl_anatomic": {}}), target)
            (ref,) = target.volumes()
            folder = write_annotations(root / "again", ref.id)
            land(folder, target)
            count = 0

            def dying(self: Any, *args: Any, number: int = number, **body: Any) -> Any:
                nonlocal count
                count += 1
                answer = real(self, *args, **body)
                if count >= number:
                    raise Killed
                return answer

            monkeypatch.setattr(client.Connection, "_answer", dying)
            try:
                land(folder, target, existing=existing)
            except Killed:
                pass
            else:
                break
            finally:
                monkeypatch.setattr(client.Connection, "_answer", real)
            receipt = land(folder, target, existing=existing)
            assert len(target.objects(ref.id)) == (2 if existing == "replace" else 4), number
            assert set(platform.state.geometries) == set(platform.state.figures.rows)
            assert nk.verify(receipt, target).ok
            survived += 1
    print(f"survived a kill at each of {survived} requests")
    assert survived > 6


def test_a_dead_server_ends_in_words_and_the_same_call_goes_on(
    tmp_path: Path, target: Instance, platform: Platform, undisturbed: dict[str, Any]
) -> None:
    platform.faults.at(len(platform.requests) + 12, "death")
    with pytest.raises(TargetError, match="the instance does not answer") as caught:
        land(tmp_path / "in", target)
    assert "the same call goes on from there" in caught.value.remedy
    platform.faults.clear()
    platform.restart()
    land(tmp_path / "in", target)
    assert facts(platform) == undisturbed


def test_the_journal_goes_when_all_has_landed(
    tmp_path: Path, target: Instance, state_home: Path
) -> None:
    land(write_volumes(tmp_path / "in", {"A": {"liver": (1,)}}), target)
    assert not list(state_home.rglob("*.jsonl"))


# Refusals


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: nk.Instance(api(p, "wrong"), 1), "does not accept the token"),
        (lambda p: nk.Instance(api(p), 999), "does not know what was asked for"),
        (lambda p: nk.Instance(api(p), project_id=999), "does not know what was asked for"),
        (lambda p: nk.Instance(api(p)), "a project or a dataset is needed"),
        (lambda p: nk.Instance(api(p), 1, project_id=1), "a project or a dataset is needed"),
        (
            lambda p: nk.Instance(api(p), project_id=new_project(p, kind="images")),
            "is not for volumes",
        ),
        (
            lambda _: nk.Instance(
                SimpleNamespace(server_address="http://127.0.0.1:9", token="secret-token"), 1
            ),
            "the instance does not answer",
        ),
    ],
)
def test_what_cannot_work_is_said_in_one_error(
    change: Any, message: str, platform: Platform
) -> None:
    with pytest.raises(TargetError, match=message) as caught:
        change(platform)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("status", "message"),
    [("403", "no permission"), ("402", "quota"), ("413", "a body of this size")],
)
def test_a_refusal_while_landing_is_said_in_one_error(
    status: str, message: str, tmp_path: Path, target: Instance, platform: Platform
) -> None:
    platform.faults.on("volumes.bulk.add", status)
    with pytest.raises(TargetError, match=message):
        land(write_volumes(tmp_path / "in", {"A": {}}), target)


# Secrets


def test_the_token_is_nowhere(
    tmp_path: Path, target: Instance, platform: Platform, state_home: Path, caplog: Any
) -> None:
    texts = [repr(target), repr(target.connection), repr(vars(target))]
    platform.faults.on("volumes.slices.bulk.add", "400")
    caplog.set_level("DEBUG")
    with pytest.raises(TargetError) as caught:
        land(write_volumes(tmp_path / "in"), target)
    texts += [str(caught.value), repr(caught.value), repr(vars(caught.value)), caplog.text]
    journals = [path.read_text() for path in state_home.rglob("*") if path.is_file()]
    assert journals
    receipt = land(tmp_path / "in", target)
    texts += [*journals, repr(receipt), receipt.to_json(), receipt._repr_html_()]
    assert not any(platform.token in text for text in texts)
    assert platform.token.encode() not in pickle.dumps(target)


def test_a_worker_takes_its_token_from_its_own_environment(
    target: Instance, platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("API_TOKEN", raising=False)
    monkeypatch.delenv("SERVER_ADDRESS", raising=False)
    sent = pickle.loads(pickle.dumps(target))
    with pytest.raises(TargetError, match="tokens are not sent to workers") as caught:
        sent.volumes()
    assert caught.value.found == "no SERVER_ADDRESS"
    (tmp_path / "supervisely.env").write_text(
        f"SERVER_ADDRESS={platform.address}/\nAPI_TOKEN={platform.token}\n"
    )
    monkeypatch.setenv("SERVER_ADDRESS", "http://elsewhere")
    with pytest.raises(TargetError, match="http://elsewhere"):
        sent.volumes()  # the environment goes before the file
    monkeypatch.delenv("SERVER_ADDRESS")
    assert sent.volumes() == target.volumes()


def test_a_refusal_that_repeats_the_token_is_shown_without_it(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_said", lambda _: f"bad token {platform.token}")
    other = Connection(platform.address, platform.token)
    with pytest.raises(TargetError) as caught:
        other.post("projects.info", {"id": 12345})
    assert platform.token not in str(caught.value)
    assert "bad token ***" in str(caught.value)


# From the environment


@pytest.mark.usefixtures("sly")
def test_the_environment_names_the_instance(
    platform: Platform, project: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_ADDRESS", platform.address)
    monkeypatch.setenv("API_TOKEN", platform.token)
    found = nk.Instance.from_env(dataset_id="", project_id=f" {project} ")
    assert repr(found) == f"Instance('{platform.address}', project_id={project})"


@pytest.mark.parametrize("given", ["x", "12.5", "-3", True, "١٢"])
def test_an_id_that_is_no_number_is_told_in_words(given: Any) -> None:
    with pytest.raises(TargetError, match=f"dataset_id is no number.*Found: {given}"):
        nk.Instance.from_env(dataset_id=given)


@pytest.mark.parametrize("sample", ["by_plane_instance", "scores"])
def test_the_sdk_downloads_what_landed(
    sample: str, sly: Any, tmp_path: Path, target: Instance, platform: Platform
) -> None:
    receipt = land(SAMPLES / sample, target)
    client = sly.Api(platform.address, platform.token, retry_count=1)
    out = tmp_path / "down"
    sly.download_volume_project(client, target.project_id, str(out), log_progress=False)
    client.httpx_client.close() if getattr(client, "httpx_client", None) else None
    folder = nk.ProjectFolder(out, dataset="d")
    by_name = {ref.name: ref for ref in folder.volumes()}
    for item in receipt.items:
        ours, theirs = target.objects(item.volume.id), folder.objects(by_name[item.volume.name].id)
        assert Counter(o.class_name for o in ours) == Counter(o.class_name for o in theirs)
        for one in ours:
            grids = [folder.mask_grid(o) for o in theirs if o.class_name == one.class_name]
            assert any(
                np.allclose(g.affine, target.mask_grid(one).affine, atol=1e-4) for g in grids
            )
    shutil.rmtree(out)


# Several items at a time


def most_at_a_time(target: Instance, source: Path, wait_for: int) -> int:
    """Upload; return how many items were on their way together. The first ones wait for others."""
    write, lock = target.write, threading.Lock()
    together = threading.Barrier(wait_for)
    running = most = begun = 0

    def counting(job: ItemJob, **options: Any) -> ItemJob:
        nonlocal running, most, begun
        with lock:
            running, begun = running + 1, begun + 1
            most, waits = max(most, running), begun <= wait_for
        if waits:
            together.wait(30)
        landed = write(job, **options)
        with lock:
            running -= 1
        return landed

    target.write = counting  # type: ignore[method-assign]
    target.remembering = lambda: nullcontext(target)  # type: ignore[method-assign]
    target.known, target.class_ids = target.listing(), {}
    land(source, target)
    return most


def test_small_items_land_side_by_side(target: Instance, tmp_path: Path) -> None:
    source = write_volumes(tmp_path / "in", {name: {} for name in "ABCDEF"})
    width = Instance.side_by_side
    assert most_at_a_time(target, source, wait_for=width) == width


def read_at_a_time(target: Instance, source: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Upload; return of how many volumes there were voxels in memory together."""
    encode, lock = volumes._encoded_by, threading.Lock()
    running = most = 0

    def counting(pool: Any, image: Any, comment: str) -> Any:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.05)  # the others come meanwhile
        yield from encode(pool, image, comment)
        with lock:
            running -= 1

    monkeypatch.setattr(volumes, "_encoded_by", counting)
    land(source, target)
    return most


@pytest.mark.parametrize(("room", "expected"), [(2**22, Instance.side_by_side), (100, 1)])
def test_voxels_in_memory_are_bounded_however_many_items_land(
    target: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, expected: int
) -> None:
    monkeypatch.setattr(crew, "VOXEL_BYTES", room)
    source = write_volumes(tmp_path / "in", {name: {} for name in "ABCDEF"})
    assert read_at_a_time(target, source, monkeypatch) == expected
