"""Uploads to a live instance that are killed, or meet faults, at sampled requests.

Each ends as one that nothing disturbed. ``NIFTI_KIT_FAULTS=10`` samples ten times as many
requests; ``-s`` shows how many faults were survived.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.errors import TargetError
from nifti_kit.targets.instance import Instance, client
from tests.platform import Platform, running_platform
from tests.platform.endpoints import call
from tests.support import uploads
from tests.support.landings import write_annotations, write_volumes
from tests.support.uploads import (
    ANNOTATION_SAMPLES,
    PROCESSES,
    VOLUME_SAMPLES,
    Elsewhere,
    Ready,
    api,
    facts,
    impatience,
    killed,
    land,
    new_dataset,
    new_project,
    new_target,
    ready,
)

SAMPLES = [*VOLUME_SAMPLES, *ANNOTATION_SAMPLES]

MORE = int(os.environ.get("NIFTI_KIT_FAULTS", "1"))
"""How many times as many requests are sampled."""

ENDS, BETWEEN = 1, 2
"""Requests at which a process is killed: so many of the first and the last, and between them."""

KINDS = {
    "500": {},
    "503": {},
    "429": {"retry_after": 0.05},
    "reset before": {},
    "reset after": {},
    "slow": {"seconds": 0.1},
}
"""What goes wrong with a request, besides the death of the server."""

STRIKES = 4
"""Requests of one upload that a kind of fault strikes."""

needs_processes = pytest.mark.skipif(PROCESSES is None, reason="processes are forked and killed")

survived: Counter[str] = Counter()

ran_here: list[str] = []
"""The tests that ran in this process: all of the file, but for a choice or other processes."""


@pytest.fixture(scope="module", autouse=True)
def told() -> Iterator[None]:
    """Tell at the end how many faults were survived."""
    yield
    print(f"\nsurvived {sum(survived.values())} faults: {dict(sorted(survived.items()))}")


@pytest.fixture(autouse=True)
def counted(request: pytest.FixtureRequest) -> None:
    """Remember that a test ran."""
    ran_here.append(request.node.nodeid)


one_at_a_time = uploads.one_at_a_time


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    impatience(monkeypatch, patience=5)


def spread(total: int, count: int) -> list[int]:
    """Return so many numbers from 1 to a total, evenly spread, without the very ends."""
    return sorted({1 + round(total * (k + 0.5) / count) for k in range(count)} & {*range(total)})


def sampled(total: int) -> list[int]:
    """Return the requests of an upload at which it is killed: first ones, last ones, and others."""
    ends = [*range(1, ENDS + 1), *range(total - ENDS + 1, total + 1)]
    return sorted({*ends, *spread(total, BETWEEN * MORE)})


# Every sample


class Calm:
    """A sample, what it leaves when nothing disturbs it, and how many requests that takes."""

    def __init__(self, sample: str, folder: Path) -> None:
        self.ready: Ready = ready(sample, folder)
        with self.ready.platform() as platform:
            target = self.ready.target(platform)
            assert nk.verify(land(self.ready.source, target), target).ok
            self.facts = facts(platform)
        with self.ready.platform() as platform:
            land(self.ready.source, self.ready.target(platform))
            self.requests = len(platform.requests)
            assert facts(platform) == self.facts


@pytest.fixture(scope="module", params=SAMPLES)
def calm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Calm:
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        return Calm(request.param, folder)


def finished_after(jobs: Elsewhere, number: int, total: int) -> bool:
    """Kill an upload at a request, finish it with another; return whether it was killed.

    The request at which it dies is carried out every second time.
    """
    ended = jobs.run(dies_at=number, carried_out=number % 2 == 0)
    if ended == 0:  # fewer requests: which item had a slice first changes what is asked
        assert total - 2 <= len(jobs.platform.requests) < number
        return False
    assert ended == -9
    assert jobs.run() == 0
    return True


@needs_processes
def test_a_process_that_is_killed_is_followed_by_one_that_finishes(
    calm: Calm, tmp_path: Path
) -> None:
    killed = 0
    for number in sampled(calm.requests):
        with calm.ready.platform() as platform:
            home = tmp_path / str(number)
            jobs = Elsewhere(platform, calm.ready.source, calm.ready.scope, home)
            killed += finished_after(jobs, number, calm.requests)
            assert facts(platform) == calm.facts, number
            assert not list(home.rglob("*.jsonl"))
    survived["killed process"] += killed
    assert killed >= 2 * ENDS + BETWEEN - 3


@pytest.mark.parametrize("kind", KINDS)
def test_faults_at_several_requests_of_one_upload_change_nothing(calm: Calm, kind: str) -> None:
    numbers = spread(calm.requests, STRIKES * MORE)
    with calm.ready.platform() as platform:
        for number in numbers:
            platform.faults.at(number, kind, **KINDS[kind])
        target = calm.ready.target(platform)
        receipt = land(calm.ready.source, target)
        assert facts(platform) == calm.facts
        struck = sum(one.fault is not None for one in platform.requests)
        assert struck == len(numbers)
        survived[kind] += struck
        platform.faults.clear()
        assert nk.verify(receipt, target).ok


def test_a_server_that_dies_and_comes_back_finds_the_same_call_going_on(
    calm: Calm, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatience(monkeypatch, patience=0.1)
    for number in spread(calm.requests, 2 * MORE):
        with calm.ready.platform() as platform:
            platform.faults.at(number, "death")
            with pytest.raises(TargetError, match="the instance does not answer"):
                land(calm.ready.source, calm.ready.target(platform))
            platform.faults.clear()
            platform.restart()
            land(calm.ready.source, calm.ready.target(platform))
            assert facts(platform) == calm.facts, number
            survived["death"] += 1


# States that are hard to go on from, on small sources


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A source of two volumes, one with two objects of one class."""
    return write_volumes(tmp_path / "in", {"A": {"liver": (1, 2)}, "B": {"lung": (1,)}})


@pytest.fixture
def undisturbed(two: Path) -> dict[str, Any]:
    with running_platform() as calm:
        land(two, new_target(calm))
        return facts(calm)


@pytest.mark.usefixtures("one_at_a_time")
def test_a_volume_that_was_removed_to_be_made_anew_is_made(
    two: Path, platform: Platform, undisturbed: dict[str, Any]
) -> None:
    target = new_target(platform)
    assert killed(lambda: land(two, target), 1, method="volumes.slices.bulk.add", heard=True)
    for heard in (True, False):
        assert killed(lambda: land(two, target), 1, method="images.bulk.remove", heard=heard)
        assert len(platform.state.volumes) == (0 if heard else 1)
        if heard:  # there is one to be removed again
            assert killed(lambda: land(two, target), 1, method="volumes.slices.bulk.add")
    land(two, target)
    assert facts(platform) == undisturbed


@pytest.mark.parametrize("kind", ["reset after", "500", "reset before"])
def test_a_removal_whose_answer_is_lost_is_a_removal(
    kind: str, two: Path, platform: Platform, undisturbed: dict[str, Any]
) -> None:
    target = new_target(platform)
    assert killed(lambda: land(two, target), 1, method="volumes.slices.bulk.add", heard=True)
    platform.faults.on("images.bulk.remove", kind)
    land(two, target)
    assert facts(platform) == undisturbed
    assert any(one.fault for one in platform.requests)


def test_slices_whose_answer_is_lost_and_then_the_removal_of_their_volume(
    two: Path, platform: Platform, undisturbed: dict[str, Any]
) -> None:
    platform.faults.on("volumes.slices.bulk.add", "reset after", times=2)
    platform.faults.on("images.bulk.remove", "reset after", times=2)
    land(two, new_target(platform))
    assert facts(platform) == undisturbed


def test_a_run_that_is_killed_again_and_again_gets_there(
    two: Path, platform: Platform, undisturbed: dict[str, Any]
) -> None:
    target = new_target(platform)
    kills = 0
    for number in range(3, 60):
        if not killed(lambda: land(two, target), number, heard=number % 2 == 0):
            break
        kills += 1
    assert facts(platform) == undisturbed
    assert kills > 5
    survived["killed again"] += kills


def test_a_resumed_run_survives_faults_too(
    two: Path, platform: Platform, undisturbed: dict[str, Any]
) -> None:
    for kind, how in KINDS.items():
        with running_platform() as one:
            target = new_target(one)
            assert killed(lambda target=target: land(two, target), 14, heard=True)
            first = len(one.requests)
            for number in range(first + 2, first + 30, 6):
                one.faults.at(number, kind, **how)
            land(two, target)
            assert facts(one) == undisturbed, kind
            survived["while resuming"] += sum(r.fault is not None for r in one.requests)
    assert not platform.requests


@pytest.mark.parametrize("number", [6, 8, 10, 12, 14, 16, 18])
def test_workers_that_are_killed_are_followed_by_workers_that_finish(
    number: int, two: Path, platform: Platform, undisturbed: dict[str, Any]
) -> None:
    target = new_target(platform)

    def run() -> None:
        with ThreadPoolExecutor(4) as pool:
            land(two, target, executor=pool)

    assert killed(run, number, heard=number % 2 == 0)
    run()
    assert facts(platform) == undisturbed


@needs_processes
def test_a_process_with_workers_that_is_killed_is_followed_by_one_that_finishes(
    tmp_path: Path,
) -> None:
    source = write_volumes(tmp_path / "in")
    with running_platform() as calm:
        land(source, new_target(calm))
        wanted, total = facts(calm), len(calm.requests)
    killed = 0
    for number in spread(total, 5 * MORE):
        with running_platform() as platform:
            scope = {"dataset_id": new_dataset(platform, new_project(platform))}
            jobs = Elsewhere(platform, source, scope, tmp_path / str(number), workers=4)
            killed += finished_after(jobs, number, total)
            assert facts(platform) == wanted, number
    survived["killed workers"] += killed
    assert killed >= 4


@pytest.fixture
def replaced(tmp_path: Path, platform: Platform) -> tuple[Path, Instance, dict[int, bytes]]:
    """Annotations for a volume that has objects of their classes, and the old geometries."""
    target = new_target(platform)
    land(write_volumes(tmp_path / "in", {"axl_anatomic": {}}), target)
    (ref,) = target.volumes()
    folder = write_annotations(tmp_path / "again", ref.id)
    land(folder, target)
    return folder, target, dict(platform.state.geometries)


@pytest.mark.parametrize("heard", [True, False])
@pytest.mark.parametrize(
    "method",
    ["annotation-objects.bulk.add", "figures.bulk.add", "annotation-objects.bulk.remove"],
)
def test_objects_that_are_replaced_are_kept_whenever_the_run_is_killed(
    method: str,
    heard: bool,
    replaced: tuple[Path, Instance, dict[int, bytes]],
    platform: Platform,
    state_home: Path,
) -> None:
    folder, target, old = replaced
    assert killed(lambda: land(folder, target, existing="replace"), 1, method=method, heard=heard)
    receipt = land(folder, target, existing="replace")
    assert len(platform.state.objects) == len(platform.state.figures) == 2
    assert not set(platform.state.figures.rows) & set(old)
    kept = {int(path.stem): path.read_bytes() for path in state_home.rglob("replaced/**/*.nrrd")
            if path.is_file()}  # fmt: skip
    assert kept == old
    assert nk.verify(receipt, target).ok


@pytest.mark.parametrize("kind", ["reset after", "reset before", "500"])
def test_a_removal_of_replaced_objects_whose_answer_is_lost_is_a_removal(
    kind: str, replaced: tuple[Path, Instance, dict[int, bytes]], platform: Platform
) -> None:
    folder, target, old = replaced
    platform.faults.on("annotation-objects.bulk.remove", kind)
    receipt = land(folder, target, existing="replace")
    assert len(platform.state.objects) == 2
    assert not set(platform.state.figures.rows) & set(old)
    assert receipt.items[0].replaced == 2
    assert nk.verify(receipt, target).ok


def test_an_answer_of_a_gateway_does_not_double_what_was_carried_out(
    two: Path, platform: Platform, undisturbed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = client.requests.Session.post
    left = Counter(
        {
            "volumes.bulk.add": 1,
            "volumes.slices.bulk.add": 1,
            "annotation-objects.bulk.add": 1,
            "figures.bulk.add": 1,
        }
    )

    def post(self: Any, url: str, **options: Any) -> Any:
        answer = real(self, url, **options)
        method = url.rsplit("/", 1)[1]
        if left[method]:
            left[method] -= 1
            answer.status_code = 504  # the server did it, and the proxy did not wait for it
        return answer

    monkeypatch.setattr(client.requests.Session, "post", post)
    land(two, new_target(platform))
    assert not +left
    assert facts(platform) == undisturbed


# Journals


def test_a_journal_of_ones_own_carries_over_a_kill_at_any_request(
    tmp_path: Path, two: Path, undisturbed: dict[str, Any]
) -> None:
    for number in range(4, 44, 4):
        with running_platform() as platform:
            target = new_target(platform)
            journal = tmp_path / f"{number}.jsonl"
            if not killed(lambda t=target, j=journal: land(two, t, journal=j), number, heard=True):
                break
            land(two, target, journal=journal)
            assert facts(platform) == undisturbed, number
            before = len(platform.state.objects), len(platform.state.volumes)
            receipt = land(two, target, journal=journal)  # all is there: nothing is done
            assert (len(platform.state.objects), len(platform.state.volumes)) == before
            assert nk.verify(receipt, target).ok
            survived["with a journal"] += 1


def emptied(platform: Platform) -> None:
    """Remove every volume by hand."""
    call(platform.state, "images.bulk.remove", {"imageIds": [*platform.state.volumes.rows]})


def test_what_was_removed_by_hand_since_a_finished_run_is_uploaded_again(
    tmp_path: Path, two: Path, platform: Platform, undisturbed: dict[str, Any]
) -> None:
    target, journal = new_target(platform), tmp_path / "journal.jsonl"
    land(two, target, journal=journal)
    emptied(platform)
    receipt = land(two, target, journal=journal)
    assert facts(platform) == undisturbed
    assert nk.verify(receipt, target).ok


def test_an_object_that_was_removed_by_hand_since_a_finished_run_is_made_again(
    tmp_path: Path, two: Path, platform: Platform, undisturbed: dict[str, Any]
) -> None:
    target, journal = new_target(platform), tmp_path / "journal.jsonl"
    land(two, target, journal=journal)
    removed = min(platform.state.objects.rows)
    call(platform.state, "annotation-objects.bulk.remove", [removed])
    left = set(platform.state.objects.rows)
    receipt = land(two, target, journal=journal)
    assert left <= platform.state.objects.rows.keys()
    assert facts(platform) == undisturbed
    assert nk.verify(receipt, target).ok


def test_an_emptied_dataset_after_a_killed_run_is_filled_from_the_start(
    two: Path, platform: Platform, undisturbed: dict[str, Any]
) -> None:
    target = new_target(platform)
    assert killed(lambda: land(two, target), 1, method="figures.bulk.upload.geometry", heard=True)
    emptied(platform)
    land(two, target)
    assert facts(platform) == undisturbed


def test_annotations_of_a_killed_run_leave_alone_what_a_person_drew_since(
    tmp_path: Path, platform: Platform, state_home: Path
) -> None:
    target = new_target(platform)
    land(write_volumes(tmp_path / "in", {"axl_anatomic": {}}), target)
    (ref,) = target.volumes()
    folder = write_annotations(tmp_path / "again", ref.id)
    assert killed(lambda: land(folder, target), 1, method="figures.bulk.add", heard=True)
    drawn = draw(platform, target, "Bone")
    receipt = land(folder, target)
    assert drawn in platform.state.objects.rows
    assert len(platform.state.objects) == 3
    assert nk.verify(receipt, target).ok
    assert not list(state_home.rglob("*.jsonl"))


def draw(platform: Platform, target: Instance, title: str) -> int:
    """Make an object as a person does: of a class of its own; return its id."""
    meta = target.meta()
    new = {"title": title, "shape": "mask_3d", "color": "#102030", "description": ""}
    data = {"id": target.project_id, "meta": {**meta, "classes": [*meta["classes"], new]}}
    rows = call(platform.state, "projects.meta.update", data)["classes"]
    kind = next(row["id"] for row in rows if row["title"] == title)
    (ref,) = target.volumes()
    one = {"classId": kind, "entityId": ref.id}
    data = {"datasetId": target.dataset_id, "annotationObjects": [one]}
    return int(call(platform.state, "annotation-objects.bulk.add", data)[0]["id"])


# Refusals, in words


def refusal(platform: Platform, name: str, source: Path) -> Callable[[], Any]:
    """Return what cannot work for a reason with this name."""
    project = new_project(platform, "Knees")
    dataset = new_dataset(platform, project, "visit 1")
    target = nk.Instance(api(platform), dataset)
    if name == "archived while open":
        call(platform.state, "projects.archive", {"id": project})
    elif name == "archived":
        call(platform.state, "projects.archive", {"id": project})
        return lambda: nk.Instance(api(platform), dataset)
    elif name == "archived project":
        call(platform.state, "projects.archive", {"id": project})
        return lambda: nk.Instance(api(platform), project_id=project)
    elif name == "token":
        return lambda: nk.Instance(api(platform, "wrong"), dataset)
    elif name == "dataset":
        return lambda: nk.Instance(api(platform), 987654)
    elif name == "network":
        platform.die()
    else:
        platform.faults.on("volumes.bulk.add", name)
    return lambda: land(source, target)


@pytest.mark.parametrize(
    ("name", "words", "remedy"),
    [
        ("token", "does not accept the token", "API_TOKEN"),
        ("dataset", "datasets.info (dataset 987654)", "Check the id"),
        ("archived", "datasets.info (dataset ", "archived"),
        ("archived project", "projects.info (project ", "archived"),
        ("archived while open", "datasets.list (project ", "archived"),
        ("network", "does not answer", "network"),
        ("403", "no permission", "Ask for access"),
        ("402", "quota", "Free some space"),
    ],
)
def test_what_cannot_work_is_one_error_with_a_remedy(
    name: str, words: str, remedy: str, two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatience(monkeypatch, patience=0.3)
    with running_platform() as platform:
        run = refusal(platform, name, two)
        with pytest.raises(TargetError) as caught:
            run()
        platform.restart()
    text = str(caught.value)
    assert words in text
    assert remedy in caught.value.remedy
    assert platform.token not in text
    assert caught.value.__cause__ is None


def test_enough_was_survived(request: pytest.FixtureRequest) -> None:
    """Runs last: the counts of the tests above."""
    if len(ran_here) < sum(item.path == request.path for item in request.session.items):
        pytest.skip("other processes have counts of their own: --dist loadfile keeps files whole")
    floors = {"killed process": 24, "reset after": 20, "death": 10, "killed workers": 4}
    if survived["killed process"]:  # not only some were chosen
        assert {kind: survived[kind] for kind in floors if survived[kind] < floors[kind]} == {}
