"""Receipts of uploads that were interrupted: they say what those of undisturbed ones say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import nifti_kit as nk
from nifti_kit.core import files
from nifti_kit.targets.instance import Instance
from nifti_kit.transfer.journal import Journal
from tests.platform import State, running_platform
from tests.platform.endpoints import call
from tests.support import uploads
from tests.support.builders import labels, write_nifti
from tests.support.landings import land, write_annotations, write_volumes
from tests.support.targets import set_scores
from tests.support.uploads import Killed, api, copy_of, digest, killed, new_dataset, new_project

Told = dict[str, Any]


def told(receipt: Any) -> Told:
    """Return what a receipt says, without ids, and which masks were kept of what was replaced.

    What an interrupted try had left is kept as well, in folders of its own.
    """
    kept = [] if receipt.backup is None else list(receipt.backup.rglob("*.nrrd"))
    kept = [path for path in kept if "/left-" not in path.as_posix()]
    return {
        "added": [[landed.added for landed in item.objects] for item in receipt.items],
        "volumes": [item.added for item in receipt.items],
        "replaced": [item.replaced for item in receipt.items],
        "backup": receipt.backup is not None,
        "kept": sorted(digest(path.read_bytes()) for path in kept if path.is_file()),
        "title": receipt.title().partition(": ")[2].replace(str(receipt.backup), "there"),
    }


EXPECTED = {
    "replace": [2, 2],
    "skip": [0, 0],
}
"""What each of the two items replaces."""

ADDED = {
    "replace": [[True, True], [True, True]],
    "skip": [[False, True], [False, False]],
}


def write_again(source: Path) -> None:
    """Move the second object of the first annotation: it is no longer identical."""
    changed = labels()
    changed[changed == 2] = 0
    changed[4, 4:6, 1] = 2
    write_nifti(source / "axl_inference_1.nii.gz", changed)


def prepared(target: Any, folder: Path) -> Path:
    """Land two volumes with two objects each; return annotations for them, one of them changed."""
    for name in ("axl_anatomic", "cor_anatomic"):
        land(write_volumes(folder / name, {name: {}}), target, waive="planes-incomplete")
    source = write_annotations(folder / "again", *(ref.id for ref in target.volumes()))
    land(source, target)
    write_again(source)
    return source


# A live instance


@pytest.fixture
def occupied(tmp_path: Path) -> tuple[Path, State, int]:
    """Annotations, and the state of a platform on whose volumes they are to land."""
    with running_platform() as platform:
        number = new_dataset(platform, new_project(platform))
        source = prepared(nk.Instance(api(platform), number), tmp_path)
        return source, platform.state, number


@pytest.mark.parametrize("heard", [True, False])
@pytest.mark.parametrize("existing", EXPECTED)
def test_the_receipt_of_a_resumed_run_on_an_instance_is_that_of_an_undisturbed_one(
    existing: str,
    heard: bool,
    occupied: tuple[Path, State, int],
    tmp_path: Path,
) -> None:
    source, state, dataset = occupied

    def landing(target: Instance, number: int) -> Callable[[], Any]:
        journal = tmp_path / f"{number}.jsonl"
        return lambda: land(source, target, existing=existing, journal=journal)

    with running_platform(state=copy_of(state)) as platform:
        wanted = told(landing(nk.Instance(api(platform), dataset), 0)())
    assert wanted["replaced"] == EXPECTED[existing]
    assert wanted["added"] == ADDED[existing]
    assert wanted["backup"] is (existing == "replace")
    assert len(wanted["kept"]) == sum(EXPECTED[existing])
    for number in range(1, 100):
        with running_platform(state=copy_of(state)) as platform:
            target = nk.Instance(api(platform), dataset)
            run = landing(target, number)
            if not killed(run, number, heard=heard):
                break
            receipt = run()
            assert told(receipt) == wanted, number
            assert told(run()) == wanted, number
            assert len(platform.state.objects) == (4 if existing == "replace" else 5)
            assert set(platform.state.geometries) == set(platform.state.figures.rows)
            assert nk.verify(receipt, target).ok
    assert number > 12


def test_a_server_that_dies_at_any_request_of_a_replacement_changes_no_receipt(
    occupied: tuple[Path, State, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads.impatience(monkeypatch, patience=0.05)
    source, state, dataset = occupied
    with running_platform(state=copy_of(state)) as platform:
        target = nk.Instance(api(platform), dataset)
        first = len(platform.requests)
        wanted = told(land(source, target, existing="replace"))
        total = len(platform.requests)
    for number in range(first + 1, total + 1):
        with running_platform(state=copy_of(state)) as platform:
            target = nk.Instance(api(platform), dataset)
            journal = tmp_path / f"{number}.jsonl"
            platform.faults.at(number, "death")
            with pytest.raises(nk.errors.TargetError, match="does not answer"):
                land(source, target, existing="replace", journal=journal)
            platform.faults.clear()
            platform.restart()
            receipt = land(source, target, existing="replace", journal=journal)
            assert told(receipt) == wanted, number
            assert nk.verify(receipt, target).ok


def test_a_journal_that_does_not_say_what_was_replaced_is_taken(
    occupied: tuple[Path, State, int], tmp_path: Path
) -> None:
    source, state, dataset = occupied
    journal = tmp_path / "journal"
    with running_platform(state=copy_of(state)) as platform:
        target = nk.Instance(api(platform), dataset)
        land(source, target, existing="replace", journal=journal)
        lines = [json.loads(line) for line in journal.read_text().splitlines() if line]
        for line in lines:
            line.get("record", {}).pop("replaced", None)
        journal.write_text("\n".join(map(json.dumps, lines)))
        before = set(platform.state.objects.rows)
        receipt = land(source, target, existing="replace", journal=journal)
        assert set(platform.state.objects.rows) == before
        assert told(receipt)["replaced"] == [0, 0]
        assert nk.verify(receipt, target).ok


def test_what_a_replacement_keeps_has_its_scores(
    occupied: tuple[Path, State, int], tmp_path: Path
) -> None:
    source, state, dataset = occupied
    with running_platform(state=copy_of(state)) as platform:
        target = nk.Instance(api(platform), dataset)
        volume = target.volumes()[0]
        (scored, _) = target.objects(volume.id)
        scores = {"0-0-1": {"2": {"score": "0.80", "comment": None}}}
        set_scores(target, scored, scores)
        receipt = land(source, target, existing="replace", journal=tmp_path / "journal")
    assert receipt.backup is not None
    (path,) = receipt.backup.rglob(f"{volume.name}.json")
    figures = json.loads(path.read_text())["spatialFigures"]
    assert {f["id"]: f["customData"] for f in figures}[scored.figure_id] == scores


@pytest.mark.parametrize("existing", ["replace", "append"])
def test_of_what_had_landed_only_what_was_removed_since_is_made_again(
    existing: str, occupied: tuple[Path, State, int], tmp_path: Path, state_home: Path
) -> None:
    source, state, dataset = occupied
    with running_platform(state=copy_of(state)) as platform:
        target = nk.Instance(api(platform), dataset)
        options = {"existing": existing, "journal": tmp_path / "journal"}
        first = land(source, target, **options)
        objects = set(platform.state.objects.rows)
        removed, left = (landed.ref for landed in first.items[0].objects)
        call(platform.state, "annotation-objects.bulk.remove", [removed.id])
        receipt = land(source, target, **options)
        there = set(platform.state.objects.rows)
        assert left in [landed.ref for landed in receipt.objects]
        assert objects - there == {removed.id}
        assert len(there - objects) == 1
        assert receipt.backup == first.backup
        assert nk.verify(receipt, target).ok
    assert not list(state_home.rglob(f"{left.figure_id}.nrrd"))


def test_what_an_earlier_try_has_replaced_is_named_also_where_nothing_is_replaced_any_more(
    occupied: tuple[Path, State, int], tmp_path: Path
) -> None:
    source, state, dataset = occupied
    with running_platform(state=copy_of(state)) as platform:
        target = nk.Instance(api(platform), dataset)
        options = {"existing": "replace", "journal": tmp_path / "journal"}
        first = land(source, target, **options)
        assert first.backup is not None
        call(platform.state, "annotation-objects.bulk.remove", [*platform.state.objects.rows])
        receipt = land(source, target, **options)
        assert [item.replaced for item in receipt.items] == [0, 0]
        assert receipt.backup == first.backup
        assert nk.verify(receipt, target).ok


# A project folder


@contextmanager
def killed_writing(number: int, *, after: bool) -> Iterator[list[str]]:
    """End the caller at the file with a number that it writes, journals among them."""
    written: list[str] = []

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def write(*args: Any, **options: Any) -> None:
            written.append(str(args[0]))
            if len(written) >= number and not after:
                raise Killed
            real(*args, **options)
            if len(written) >= number:
                raise Killed

        return write

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "write_bytes", dying(files.write_bytes))
        patch.setattr(Journal, "_append", dying(Journal._append))
        patch.setattr(shutil, "copy2", dying(shutil.copy2))
        yield written


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("existing", EXPECTED)
def test_the_receipt_of_a_resumed_run_on_a_folder_is_that_of_an_undisturbed_one(
    existing: str, after: bool, tmp_path: Path
) -> None:
    source = prepared(nk.ProjectFolder(tmp_path / "base", dataset="d"), tmp_path)

    def landing(number: int) -> tuple[Any, Callable[[], Any]]:
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "base", folder / "p")
        target = nk.ProjectFolder(folder / "p", dataset="d")
        journal = folder / "journal"
        return target, lambda: land(source, target, existing=existing, journal=journal)

    wanted = told(landing(0)[1]())
    assert wanted["replaced"] == EXPECTED[existing]
    assert wanted["added"] == ADDED[existing]
    for number in range(1, 100):
        target, run = landing(number)
        with killed_writing(number, after=after):
            try:
                run()
            except Killed:
                pass
            else:
                break
        receipt = run()
        assert told(receipt) == wanted, number
        assert told(run()) == wanted, number
        counts = [len(target.objects(ref.id)) for ref in target.volumes()]
        assert counts == ([2, 2] if existing == "replace" else [3, 2])
        assert nk.verify(receipt, target).ok
    assert number > 8
