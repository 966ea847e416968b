"""Uploads by Dask's workers: processes that read their own files and have their own token."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
import requests

import nifti_kit as nk
from nifti_kit.errors import TargetError
from nifti_kit.targets.folder import ProjectFolder
from tests.platform import running_platform
from tests.support.landings import quiet, write_annotations, write_volumes
from tests.support.uploads import api, facts, new_dataset, new_project

distributed = pytest.importorskip("distributed")


pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:distributed", "ignore::ResourceWarning"
)


class Dying(ProjectFolder):
    """The worker that lands the first item is killed on the way, once."""

    def write(self, job, tell=None):
        mark = self.path.with_name("killed")
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().write(job, tell)


class DyingAfterwards(nk.Instance):
    """The worker that lands the first item is killed when all of it is there, once."""

    def write(self, job, tell=None):
        landed = super().write(job, tell)
        mark = Path(os.environ["MARK"])
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return landed


@pytest.fixture
def cluster():
    """Gives a client of two workers; they find what tests define by its value."""
    from distributed import Client, LocalCluster
    from distributed.protocol.pickle import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])

    clients = []

    def begun(dashboard=None):
        local = LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=dashboard, host="127.0.0.1"
        )
        clients.append(Client(local))
        return clients[-1]

    yield begun
    for client in clients:
        client.close()
        client.cluster.close()
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def tree(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def land(source, target, executor=None):
    return nk.upload(nk.plan(nk.scan(source)), target, on_progress=quiet, executor=executor)


def test_workers_make_the_same_project_to_the_byte_also_when_one_is_killed(tmp_path, cluster):
    source = write_volumes(tmp_path / "in")
    land(source, ProjectFolder(tmp_path / "local" / "p", dataset="d"))
    client = cluster()
    for kind, name in ((ProjectFolder, "dask"), (Dying, "dying")):
        target = kind(tmp_path / name / "p", dataset="d")
        receipt = land(source, target, client.get_executor())
        assert tree(tmp_path / name / "p") == tree(tmp_path / "local" / "p")
        assert nk.verify(receipt, ProjectFolder(tmp_path / name / "p", dataset="d")).ok
    assert (tmp_path / "dying" / "killed").exists()


def test_workers_upload_to_an_instance_with_the_token_of_their_own_environment(
    tmp_path, cluster, platform, monkeypatch
):
    source = write_volumes(tmp_path / "in")
    land(source, nk.Instance(api(platform), new_dataset(platform, new_project(platform))))
    with running_platform() as other:
        monkeypatch.setenv("SERVER_ADDRESS", other.address)
        monkeypatch.setenv("API_TOKEN", other.token)
        target = nk.Instance(api(other), new_dataset(other, new_project(other)))
        receipt = land(source, target, cluster().get_executor())
        assert facts(other) == facts(platform)
        assert nk.verify(receipt, target).ok


@pytest.mark.parametrize("kind", ["volumes", "annotations"])
def test_an_item_of_a_worker_that_was_killed_is_not_there_twice(
    kind, tmp_path, cluster, platform, monkeypatch
):
    monkeypatch.setenv("SERVER_ADDRESS", platform.address)
    monkeypatch.setenv("API_TOKEN", platform.token)
    monkeypatch.setenv("MARK", str(tmp_path / "killed"))
    dataset = new_dataset(platform, new_project(platform))
    source = write_volumes(tmp_path / "in")
    if kind == "annotations":
        there = land(
            write_volumes(tmp_path / "base", {"axl": {}}), nk.Instance(api(platform), dataset)
        )
        source = write_annotations(tmp_path / "again", there.items[0].volume.id)
    receipt = land(source, DyingAfterwards(api(platform), dataset), cluster().get_executor())
    assert (tmp_path / "killed").exists()
    assert nk.verify(receipt, nk.Instance(api(platform), dataset)).ok
    objects = sum(len(item.objects) for item in receipt.items)
    assert len(platform.state.objects) == len(platform.state.geometries) == objects
    assert max(facts(platform)["slices"].values()) == 1


def test_a_client_is_as_good_as_its_executor_until_it_is_closed(tmp_path, cluster):
    source = write_volumes(tmp_path / "in")
    client, target = cluster(), ProjectFolder(tmp_path / "p", dataset="d")
    assert nk.verify(land(source, target, client), target).ok
    assert client.run_on_scheduler(known_tasks)[0] == ["write"]
    executor = client.get_executor()
    client.close()
    for closed in (client, executor):
        with pytest.raises(TargetError, match="takes no work any more") as told:
            land(source, ProjectFolder(tmp_path / "q", dataset="d"), closed)
        assert told.value.found == "the client is closed"


def known_tasks(dask_scheduler):
    """What the scheduler knows: the names of tasks so far, and which ones are there now."""
    return list(dask_scheduler.task_prefixes), list(dask_scheduler.tasks)


def test_a_cancelled_upload_leaves_no_worker_writing_and_goes_on(tmp_path, cluster):
    source = write_volumes(tmp_path / "in", {name: {"liver": (1, 2)} for name in "ABCDEFGHIJ"})
    land(source, ProjectFolder(tmp_path / "local" / "p", dataset="d"))
    plan, target = nk.plan(nk.scan(source)), ProjectFolder(tmp_path / "dask" / "p", dataset="d")
    client = cluster()

    def interrupted(_):
        raise KeyboardInterrupt

    options = {"executor": client.get_executor(), "journal": tmp_path / "journal"}
    with pytest.raises(KeyboardInterrupt):
        nk.upload(plan, target, on_progress=interrupted, **options)
    left = tree(tmp_path / "dask")
    assert client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.total_occupancy) == 0
    assert tree(tmp_path / "dask") == left
    landed = sum(path.endswith(".nrrd") and "/volume/" in path for path in left)
    assert 1 <= landed <= 2 + 2 + 1  # two workers, two in reserve, and the one that was told
    receipt = nk.upload(plan, target, on_progress=quiet, **options)
    assert tree(tmp_path / "dask" / "p") == tree(tmp_path / "local" / "p")
    assert nk.verify(receipt, target).ok


def test_the_dashboard_shows_the_items(tmp_path, cluster):
    pytest.importorskip("bokeh")
    client = cluster("127.0.0.1:0")
    source = write_volumes(tmp_path / "in")
    land(source, ProjectFolder(tmp_path / "p", dataset="d"), client.get_executor())
    prefixes, _ = client.run_on_scheduler(known_tasks)
    assert "write" in prefixes
    page = requests.get(client.dashboard_link, timeout=30)
    assert page.status_code == 200, page.text
    assert "bokeh" in page.text.lower(), page.text[:500]
