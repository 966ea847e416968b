"""Uploads to the stand-in platform: what the tests of a live instance share."""

from __future__ import annotations

import copy
import hashlib
import json
import multiprocessing
import os
import re
import shutil
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import RLock
from types import SimpleNamespace
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.targets.instance import Instance, client
from tests.platform import Platform, State, running_platform
from tests.platform.endpoints import call
from tests.platform.faults import RESET_AFTER, RESET_BEFORE, Fault
from tests.platform.seeds import Seed
from tests.support.builders import SAMPLES
from tests.support.landings import quiet

VOLUME_SAMPLES = ["by_volume", "by_plane_semantic", "by_plane_instance", "multi_item", "scores"]

ANNOTATION_SAMPLES = {
    "annotations_dataset": ["by_plane_semantic"],
    "annotations_project": ["by_plane_semantic", "scores"],
}
"""What the volumes of their datasets come from, in the order in which ids are given."""

DATASETS = {"by_plane_semantic": "chest", "scores": "scores"}
"""Where those volumes are."""

IDLE_S = 10
"""A request that is longer under way than this hangs."""


class Killed(BaseException):
    """What a kill does to the caller: nothing below may handle it."""


# The platform, as it is used


def impatience(monkeypatch: pytest.MonkeyPatch, patience: float = 1.5) -> None:
    """Wait little between two tries, and give up early (s)."""
    monkeypatch.setattr(client, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(client, "LONGEST_WAIT_S", 0.05)
    monkeypatch.setattr(client.Connection.__init__, "__kwdefaults__", {"patience": patience})


def api(platform: Platform, token: str | None = None) -> Any:
    """Return what the target takes of an SDK's Api."""
    return SimpleNamespace(server_address=platform.address, token=token or platform.token)


def new_project(platform: Platform, name: str = "p", kind: str = "volumes") -> int:
    data = {"workspaceId": platform.state.workspace["id"], "name": name, "type": kind}
    return int(call(platform.state, "projects.add", data)["id"])


def new_dataset(
    platform: Platform, project: int, name: str = "d", parent: int | None = None
) -> int:
    data = {"projectId": project, "name": name, "parentId": parent}
    return int(call(platform.state, "datasets.add", data)["id"])


def new_target(platform: Platform) -> Instance:
    """Return a target with a project and a dataset of its own."""
    return nk.Instance(api(platform), new_dataset(platform, new_project(platform)))


def land(source: Path, target: Any, **options: Any) -> Any:
    """Plan a source, whatever planes it lacks, and upload it; return the receipt."""
    plan = nk.plan(nk.scan(source), waive="planes-incomplete")
    return nk.upload(plan, target, on_progress=quiet, **options)


def facts(platform: Platform) -> dict[str, Any]:
    """Return all that an upload leaves on the platform, without ids."""
    state = platform.state
    datasets = {row["id"]: row["name"] for row in state.datasets}
    volumes = {row["id"]: f"{datasets[row['datasetId']]}/{row['name']}" for row in state.volumes}
    classes = {row["id"]: row["name"] for row in state.classes}
    figures = [
        (
            volumes[row["entityId"]],
            classes[row["classId"]],
            json.dumps(row["customData"], sort_keys=True),
            digest(state.geometries.get(row["id"])),
        )
        for row in state.figures
    ]
    slices = Counter(
        (volumes[row["volumeId"]], row["axis"], row["sliceIndex"], digest(state.blobs[row["hash"]]))
        for row in state.slices
    )
    objects = Counter((volumes[row["entityId"]], classes[row["classId"]]) for row in state.objects)
    return {
        "volumes": sorted(
            (volumes[row["id"]], digest(state.blobs[row["hash"]])) for row in state.volumes
        ),
        "objects": objects,
        "figures": sorted(figures),
        "slices": slices,
        "classes": sorted(classes.values()),
    }


def digest(content: bytes | None) -> str:
    """Return a short text that is the same for the same NRRD file unpacked; empty for None.

    Packing the same slice twice can give other bytes, rarely: isal does not promise the same.
    """
    if content is None:
        return ""
    packed = hashlib.sha256(content).hexdigest()
    if packed not in _unpacked:
        head, _, data = content.partition(b"\n\n")
        head = re.sub(rb"# nifti_kit: [^\n]*\n", b"", head)  # who made it: another each time
        data = zlib.decompress(data, wbits=31)
        _unpacked[packed] = hashlib.sha256(head + data).hexdigest()[:16]
    return _unpacked[packed]


_unpacked: dict[str, str] = {}


def settle(platform: Platform) -> None:
    """Wait until nothing is under way: what a dead client had sent is carried out or not."""
    end = time.monotonic() + IDLE_S
    while platform._now:
        assert time.monotonic() < end, "a request hangs"
        time.sleep(0.002)


def copy_of(state: State) -> State:
    """Return the same state for another platform; ids go on from where they are."""
    ids = state.teams._ids
    return copy.deepcopy(state, {id(state.lock): RLock(), id(ids): count(next(ids))})


# Fixtures; those that all tests have are taken in by tests/conftest.py


@pytest.fixture(autouse=True)
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for what is kept of uploads: not the user's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Items land one after the other, so that requests come in one order."""
    monkeypatch.setattr(Instance, "side_by_side", 1)


@pytest.fixture
def platform() -> Iterator[Platform]:
    """A platform on which nothing is."""
    with running_platform() as running:
        yield running
        assert running.unknown == []


@pytest.fixture
def state() -> State:
    """What a platform is to hold, where a test uses it directly too."""
    return State()


@pytest.fixture
def platform_of_state(state: State) -> Iterator[Platform]:
    """A platform that holds that state."""
    with running_platform(state=state) as running:
        yield running


@pytest.fixture
def seed(state: State) -> Seed:
    """What the platform holds too, where a test uses both."""
    return Seed(state)


# Samples, each ready to land


@dataclass
class Ready:
    """A source, and the state of a platform on which it can land.

    ``scope`` is what the target is given: ``dataset_id`` or ``project_id``.
    """

    source: Path
    state: State
    scope: dict[str, int]
    made: list[str] = field(default_factory=list)

    @contextmanager
    def platform(self) -> Iterator[Platform]:
        """Run a platform of its own in that state."""
        with running_platform(state=copy_of(self.state)) as running:
            yield running
            assert running.unknown == []

    def target(self, platform: Platform) -> Instance:
        return nk.Instance(api(platform), **self.scope)


def ready(sample: str, folder: Path) -> Ready:
    """Return a sample that can land; for annotations their volumes are there."""
    with running_platform() as platform:
        project = new_project(platform)
        if sample not in ANNOTATION_SAMPLES:
            number = new_dataset(platform, project)
            return Ready(SAMPLES / sample, platform.state, {"dataset_id": number})
        ids = []
        for volumes in ANNOTATION_SAMPLES[sample]:
            number = new_dataset(platform, project, DATASETS[volumes])
            receipt = land(SAMPLES / volumes, nk.Instance(api(platform), number))
            ids += [item.volume.id for item in receipt.items]
        source = renumbered(SAMPLES / sample, folder / sample, ids)
        whole = sample == "annotations_project"
        scope = {"project_id": project} if whole else {"dataset_id": number}
        return Ready(source, platform.state, scope)


def renumbered(source: Path, folder: Path, ids: list[int]) -> Path:
    """Copy annotations; in the mapping, 1 becomes the first of these ids, and so on."""
    shutil.copytree(source, folder)
    path = folder / "mapping.json"
    mapping = json.loads(path.read_text())
    path.write_text(json.dumps({name: ids[number - 1] for name, number in mapping.items()}))
    return folder


# Uploads that end at a request


@contextmanager
def dying(number: int | None, *, method: str | None = None, heard: bool = False) -> Iterator[None]:
    """End the caller at a request, counted from 1 among those of a method; carried out or not."""
    real = client.Connection._answer
    count = 0

    def answer(self: Any, name: str, *args: Any, **body: Any) -> Any:
        nonlocal count
        count += method in (None, name)
        if number is not None and count >= number and not heard:
            raise Killed
        found = real(self, name, *args, **body)
        if number is not None and count >= number:
            raise Killed
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client.Connection, "_answer", answer)
        yield


def killed(run: Callable[[], Any], number: int, **how: Any) -> bool:
    """Run until the request with a number; say whether it came so far."""
    with dying(number, **how):
        try:
            run()
        except Killed:
            return True
    return False


# Processes that are killed


PROCESSES = multiprocessing.get_context("forkserver") if hasattr(os, "fork") else None
"""Makes processes that have loaded everything, and share nothing with the test."""

if PROCESSES is not None:
    # What they import; the folder of the tests is not on the server's path (before Python 3.12).
    PROCESSES.set_forkserver_preload(["nifti_kit.targets.instance", "nibabel", "nrrd", "pytest"])


def upload_elsewhere(job: dict[str, Any]) -> None:
    """Upload; what a process of its own runs."""
    os.environ["XDG_STATE_HOME"] = job["home"]
    client.FIRST_WAIT_S, client.LONGEST_WAIT_S = 0.01, 0.05
    target = nk.Instance(SimpleNamespace(**job["api"]), **job["scope"])
    workers = job.get("workers")
    if workers is None:
        land(Path(job["source"]), target, **job["options"])
        return
    with ThreadPoolExecutor(workers) as pool:
        land(Path(job["source"]), target, executor=pool, **job["options"])


@dataclass
class Elsewhere:
    """Uploads by processes, one at a time, each of which can be killed at one of its requests."""

    platform: Platform
    source: Path
    scope: dict[str, int]
    home: Path
    workers: int | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def run(self, dies_at: int | None = None, *, carried_out: bool = True) -> int:
        """Upload; return the exit code, -9 of one that was killed.

        Parameters
        ----------
        dies_at
            The request, counted from 1, at which the process is killed.
        carried_out
            Whether that request still is carried out.
        """
        assert PROCESSES is not None
        job = {
            "api": vars(api(self.platform)),
            "scope": self.scope,
            "source": str(self.source),
            "home": str(self.home),
            "workers": self.workers,
            "options": self.options,
        }
        process = PROCESSES.Process(target=upload_elsewhere, args=(job,))
        before = len(self.platform.requests)
        strike = self.platform.faults.strike

        def killing(number: int, method: str) -> Fault | None:
            if dies_at is None or number < before + dies_at:
                return strike(number, method)
            process.kill()
            last = number == before + dies_at and carried_out
            return Fault(RESET_AFTER if last else RESET_BEFORE)

        self.platform.faults.strike = killing  # type: ignore[method-assign]
        try:
            process.start()
            process.join()
            settle(self.platform)
        finally:
            self.platform.faults.strike = strike  # type: ignore[method-assign]
        assert process.exitcode is not None
        return process.exitcode
