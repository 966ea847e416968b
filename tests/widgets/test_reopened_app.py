"""A notebook that is opened again after its kernel was killed in the middle of an upload."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.core.locks import held
from nifti_kit.transfer import journal
from nifti_kit.transfer.upload import own_journal
from nifti_kit.widgets.upload.model import UploadModel
from tests.platform import running_platform
from tests.support.landings import tree, write_volumes
from tests.support.uploads import PROCESSES, api, facts, new_dataset, new_project, settle

PATIENCE_S = 60

THREE = {"A": {"femur": (1, 2)}, "B": {"femur": (1,), "tibia": (3,)}, "C": {"tibia": (1,)}}

UNDISTURBED: dict[Any, Any] = {}
"""What an upload leaves that is not interrupted, by the kind of target."""

MOMENTS = ("before", "within", "after")
"""Before the first byte of an item, within one, between upload and verification."""


def target_of(job: dict[str, Any]) -> Any:
    if "api" not in job:
        return nk.ProjectFolder(job["project"], "knees")
    return nk.Instance(SimpleNamespace(**job["api"]), job["dataset"])


def app_of(job: dict[str, Any]) -> UploadModel:
    return UploadModel(job["source"], target_of(job), out=job["out"])


def dying(kind: Any, moment: str) -> None:
    """Let the process die at a moment of the second item, with no handler run."""
    real = kind.write

    def write(self: Any, job: Any, tell: Any = None) -> Any:
        if job.item.name != "B.nrrd":
            return real(self, job, tell)
        if moment == "before":
            os._exit(9)

        def last(*told: int) -> None:
            if told[1]:
                os._exit(9)

        return real(self, job, last)

    kind.write = write


def upload_and_die(job: dict[str, Any]) -> None:
    os.environ["XDG_STATE_HOME"] = job["home"]
    app = app_of(job)
    if job["moment"] != "after":
        kind = type(app.target.target)
        kind.side_by_side = 1
        dying(kind, job["moment"])
    app.plan().join()
    app.upload().join()
    os._exit(9)


def proved(app: UploadModel) -> UploadModel:
    """Do what a person does: plan, upload where something is left, prove."""
    app.plan().join(PATIENCE_S)
    if app.earlier is None:
        app.upload().join(PATIENCE_S)
    app.verify().join(PATIENCE_S)
    return app


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    source = write_volumes(tmp_path / "source", THREE)
    return {
        "source": str(source),
        "out": str(tmp_path / "out"),
        "home": str(tmp_path / "state"),
        "project": str(tmp_path / "project"),
    }


Place = tuple[dict[str, Any], Callable[[], Any]]


@pytest.fixture(params=["project", "instance"])
def places(request: Any, job: dict[str, Any], tmp_path: Path) -> Iterator[tuple[Place, Place]]:
    """Two places of a kind, the same: with what lies there. The second is not disturbed."""
    if request.param == "project":
        calm = {**job, "project": str(tmp_path / "calm"), "out": str(tmp_path / "calm_out")}
        yield (
            (job, lambda: tree(tmp_path / "project")),
            (calm, lambda: tree(tmp_path / "calm")),
        )
        return
    with running_platform() as one, running_platform() as other:
        found: list[Place] = []
        for platform, out in ((one, "out"), (other, "calm_out")):
            number = new_dataset(platform, new_project(platform))
            more = {"api": vars(api(platform)), "dataset": number, "out": str(tmp_path / out)}

            def left(platform: Any = platform) -> Any:
                settle(platform)
                return facts(platform)

            found.append(({**job, **more}, left))
        yield found[0], found[1]


@pytest.mark.skipif(PROCESSES is None, reason="there are no such processes")
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_upload_ends_as_if_it_had_never_been_interrupted(
    places: tuple[Place, Place], moment: str
) -> None:
    (job, found), (calm, wanted) = places
    kind = type(target_of(job))
    if kind not in UNDISTURBED:
        proved(app_of(calm))
        UNDISTURBED[kind] = wanted()
    assert PROCESSES is not None
    process = PROCESSES.Process(target=upload_and_die, args=({**job, "moment": moment},))
    process.start()
    process.join(PATIENCE_S)
    assert process.exitcode == 9
    app = app_of(job)
    if moment == "after":
        assert (app.unfinished, app.going_on) == (None, [])
        app.plan().join(PATIENCE_S)
        assert app.going_on[0].startswith("This plan has landed here before (")
        assert app.verify_blockers == []
    else:
        (said,) = app.going_on
        assert " stopped at item 2 of 3: make the plan, then Upload goes on from there" in said
        assert app.unfinished is not None
        assert not app.unfinished.is_running
    proved(app)
    assert app.proof.ok
    assert len(app.proof.objects) == 5
    assert found() == UNDISTURBED[kind]
    assert (app.unfinished, app.resumes) == (None, False)


def test_an_upload_that_is_under_way_is_waited_for(job: dict[str, Any]) -> None:
    target = target_of(job)
    app = app_of(job)
    app.plan().join(PATIENCE_S)
    path = own_journal(target, app.planned.origin)
    assert path is not None
    notes = journal.Journal(path, app.planned.origin, repr(target))
    notes.expect(3)
    notes.begin("A.nrrd", [])
    notes.done("A.nrrd")
    notes.begin("B.nrrd", [])
    with notes.held():
        app._refresh()
        (said,) = app.blockers
        assert said.endswith(
            " is at item 2 of 3, in this or another notebook: wait until it has ended."
        )
    app._refresh()
    assert app.blockers == []
    assert str(app.unfinished).endswith(" stopped at item 2 of 3")


def test_a_lock_of_a_process_that_is_gone_is_not_held(tmp_path: Path) -> None:
    from nifti_kit.core import locks

    path = tmp_path / "lock"
    assert not locks.is_held(path)
    with held(path, "this"):
        assert locks.is_held(path)
    path.write_text(f"process {2**22 + 1} of {locks._node()}")
    assert not locks.is_held(path)
    path.write_text(f"process {os.getppid()} of {locks._node()}")
    assert locks.is_held(path)
    path.write_text(f"process {os.getppid()} of elsewhere")
    assert not locks.is_held(path)


def test_what_a_journal_does_not_say_is_not_told(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    assert journal.unfinished(path) is None
    path.write_text("{}")
    assert journal.unfinished(path) is None
    path.write_text('{"session": "20200102-030405-abc"}\n{"begin": "A"}\n{"done": "A"}\n{"begin"')
    found = journal.unfinished(path)
    assert found is not None
    assert (found.done, found.total) == (1, None)
    here = datetime.fromisoformat("2020-01-02T03:04:05+00:00").astimezone()
    assert str(found) == f"An upload of {here:%Y-%m-%d %H:%M} stopped at item 2"
    path.write_text('{"session": "20200102-030405-abc", "items": 1}\n{"done": "A"}')
    assert str(journal.unfinished(path)).endswith("stopped at its end: all items have landed")
