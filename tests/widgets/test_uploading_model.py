"""An upload step by step, without a browser: plan, judge, land, cancel, resume, prove."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.errors import NiftiKitError, PlanBlocked, TargetError
from nifti_kit.targets.records import ItemJob
from nifti_kit.widgets.parts import tasks
from nifti_kit.widgets.parts.tasks import Task
from nifti_kit.widgets.upload import model
from nifti_kit.widgets.upload.model import KEEP_OPEN, UploadModel
from tests.platform import Platform, running_platform
from tests.platform.faults import RESET_BEFORE
from tests.support.builders import SAMPLES, write_nifti, write_planes
from tests.support.landings import land, tree, write_annotations, write_scored_planes, write_volumes
from tests.support.uploads import api, facts, impatience, renumbered

PATIENCE_S = 30
"""How long a test waits for what another thread does before it fails."""

AGAIN = "Press Upload again: it goes on from there, nothing lands twice."

TWO = {"A": {"femur": (1, 2)}, "B": {"femur": (1,), "tibia": (3,)}}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two volumes with four objects."""
    return write_volumes(tmp_path / "source", TWO)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return tmp_path / "project"


@pytest.fixture
def app(source: Path, project: Path) -> UploadModel:
    return UploadModel(source, nk.ProjectFolder(project, "knees"))


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Platform]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with running_platform() as running:
        yield running
        assert running.unknown == []


class Slow(nk.ProjectFolder):
    """A project folder whose second volume waits until the test lets it go."""

    def __init__(self, path: Path, dataset: str) -> None:
        super().__init__(path, dataset)
        self.arrived, self.let_go = Event(), Event()
        self.written: list[str] = []

    def write(self, job: ItemJob, *options: Any, **more: Any) -> ItemJob:
        if self.written:
            self.arrived.set()
            assert self.let_go.wait(PATIENCE_S)
        self.written.append(job.item.name)
        return super().write(job, *options, **more)


class Broken(nk.ProjectFolder):
    """A project folder that refuses a volume."""

    full = True

    def write(self, job: ItemJob, *options: Any, **more: Any) -> ItemJob:
        if self.full and job.item.name == "B.nrrd":
            raise TargetError("the disk is full", path=self.path)
        return super().write(job, *options, **more)


def planned(app: UploadModel) -> UploadModel:
    app.plan().join(PATIENCE_S)
    return app


def landed(app: UploadModel) -> UploadModel:
    planned(app).upload().join(PATIENCE_S)
    return app


# What is missing


def test_an_empty_app_says_what_is_missing() -> None:
    app = UploadModel()
    (path, folder) = app.plan_blockers
    assert path == "Give the path of a folder, an archive or a NIfTI file."
    assert folder == "Name the project's folder."
    assert app.blockers == [path, folder, "Make the plan first."]
    assert app.verify_blockers == ["Nothing has been uploaded yet."]
    assert (app.summary, app.there, app.link, app.resumes) == ("", [], "", False)
    assert not app.is_annotations


def test_a_method_refuses_with_the_words_of_the_disabled_button(app: UploadModel) -> None:
    with pytest.raises(PlanBlocked) as caught:
        UploadModel().plan()
    assert str(caught.value) == (
        "no plan can be made Found: Give the path of a folder, an archive or a NIfTI file. "
        "Name the project's folder."
    )
    with pytest.raises(PlanBlocked, match="the upload cannot begin Found: Make the plan first"):
        app.upload()
    with pytest.raises(PlanBlocked, match="nothing can be verified"):
        app.verify()


def test_a_source_that_is_not_there_blocks_the_plan(tmp_path: Path, project: Path) -> None:
    app = UploadModel(tmp_path / "nowhere", nk.ProjectFolder(project, "knees"))
    (blocker,) = app.plan_blockers
    assert blocker.startswith(f"There is no such file or folder: {tmp_path / 'nowhere'}")


def test_a_source_that_cannot_be_read_fails_the_plan(tmp_path: Path, project: Path) -> None:
    archive = tmp_path / "broken.zip"
    archive.write_bytes(b"PK\x03\x04")
    app = UploadModel(archive, nk.ProjectFolder(project, "knees"))
    with pytest.raises(NiftiKitError):
        app.plan().join()
    assert app.planning.state == "failed"
    assert str(archive) in app.planning.text
    assert app.planned is None
    assert app.plan_blockers == []


# The plan


def test_the_plan_says_what_will_land(app: UploadModel) -> None:
    assert (app.plan_blockers, app.blockers) == ([], ["Make the plan first."])
    planned(app)
    assert app.summary == "2 volumes, 4 objects, 2 classes, 0 scores"
    assert [row.cells["name"] for row in app.plan_tables.items.rows] == ["A.nrrd", "B.nrrd"]
    assert (app.there, app.blockers, app.resumes) == ([], [], False)
    assert app.source.dataset.layout == "by_volume"


def test_a_source_that_was_read_is_not_read_again(app: UploadModel) -> None:
    app.source.scan()
    dataset = app.source.join()
    planned(app)
    assert app.source.dataset is dataset


def test_another_layout_reads_the_source_again(app: UploadModel) -> None:
    first = planned(app).source.dataset
    app.source.layout = "by_volume"
    assert app.is_stale
    assert planned(app).source.dataset is not first
    assert not app.is_stale


def test_a_dataset_can_be_the_source(source: Path, project: Path) -> None:
    dataset = nk.scan(source)
    app = UploadModel(dataset, nk.ProjectFolder(project, "knees"))
    assert app.source.path == str(source)
    assert planned(app).source.dataset is dataset


def test_a_plan_for_another_target_is_stale(app: UploadModel, tmp_path: Path) -> None:
    planned(app).target.folder.choose(tmp_path / "other", "knees")
    assert app.blockers == ["Make the plan again: source, target or mapping have changed since."]
    app.target.folder.choose("", "")
    assert app.blockers[0] == "Name the project's folder."
    app.target.folder.choose(tmp_path / "other", "knees")
    assert planned(app).blockers == []


def test_while_a_plan_is_made_nothing_else_begins(app: UploadModel) -> None:
    seen: list[Any] = []
    app.planning.observe(
        lambda _: seen.append((app.plan_blockers, app.blockers, app.verify_blockers)), "text"
    )
    planned(app)
    assert seen[-1] == (["The plan is being made."],) * 3


def test_while_the_source_is_read_no_plan_is_made(app: UploadModel) -> None:
    seen: list[Any] = []
    app.source.task.observe(lambda _: seen.append(app.plan_blockers), "text")
    app.source.scan()
    app.join()
    assert seen[-1] == ["The source is being read."]


def test_a_plan_can_be_cancelled(app: UploadModel) -> None:
    app.planning.observe(lambda _: app.cancel(), "text")
    app.plan().join(PATIENCE_S)
    assert (app.planning.state, app.planned) == ("cancelled", None)
    assert app.blockers == ["Make the plan first."]


def texts_of(task: Task, begin: Callable[[], Task], cancel_at: str) -> list[str]:
    """Begin a task, cancel it where it says a certain text; return all it said."""

    def cancel(change: Any) -> None:
        texts.append(change["new"])
        if change["new"] == cancel_at:
            task.cancel()

    texts: list[str] = []
    task.observe(cancel, "text")
    begin().join(PATIENCE_S)
    task.unobserve(cancel, "text")
    return texts


def test_a_plan_says_whose_masks_it_reads_and_can_be_cancelled_between_two(
    app: UploadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "SHOWN_EVERY_S", 0)
    said = [f"Reading the masks of {name}.nrrd: 0.0 of 0.0 MB ..." for name in "AB"]
    assert texts_of(app.planning, app.plan, said[1])[-4:] == [
        *said,
        "Ending at the next safe point ...",
        "Cancelled.",
    ]
    assert (app.planning.state, app.planned) == ("cancelled", None)
    app.plan().join(PATIENCE_S)
    assert len(app.planned.items) == 2


def test_a_proof_says_what_it_compares_and_can_be_cancelled_between_two_volumes(
    app: UploadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed(app)
    monkeypatch.setattr(tasks, "SHOWN_EVERY_S", 0)
    said = [f"Comparing {name}.nrrd with its source: 0.0 of 0.0 MB ..." for name in "AB"]
    assert texts_of(app.checking, app.verify, said[1])[-4:] == [
        *said,
        "Ending at the next safe point ...",
        "Cancelled.",
    ]
    assert (app.checking.state, app.proof) == ("cancelled", None)
    app.verify().join(PATIENCE_S)
    assert app.proof.ok


def test_a_plan_that_has_landed_is_proved_without_another_upload(
    app: UploadModel, source: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed(app)
    reads: list[Path] = []
    read = model.read_receipt
    monkeypatch.setattr(model, "read_receipt", lambda file: reads.append(file) or read(file))
    again = planned(UploadModel(source, nk.ProjectFolder(project, "knees")))
    assert again.going_on == [
        f"This plan has landed here before ({app.saved[0]}). Verify reads it back."
    ]
    again.existing = "skip"
    assert (reads, again.verify_blockers) == ([Path(app.saved[0])], [])
    assert again.verify().join(PATIENCE_S).ok
    assert (again.receipt, again.has_landed, len(again.saved)) == (None, False, 2)
    elsewhere = planned(UploadModel(source, nk.ProjectFolder(project, "hips")))
    assert (elsewhere.earlier, elsewhere.going_on) == (None, [])


# Findings


@pytest.fixture
def two_planes(tmp_path: Path, project: Path) -> UploadModel:
    """Two of three planes, which is an error that can be accepted."""
    source = write_planes(tmp_path / "planes", ("axl", "cor"))
    return planned(UploadModel(source, nk.ProjectFolder(project, "knees")))


def test_an_error_is_in_the_way_until_it_is_accepted(two_planes: UploadModel) -> None:
    app = two_planes
    (said,) = app.blockers
    assert said.startswith("planes-incomplete: 1 error in the way. no volume of plane sag (there ")
    assert said.endswith("nk.rescan(dataset, incomplete=folder).")
    with pytest.raises(PlanBlocked):
        app.upload()
    app.waive("planes-incomplete")
    assert app.blockers == []
    assert app.planned.waive == ("planes-incomplete",)
    app.take_back("planes-incomplete")
    assert len(app.blockers) == 1
    app.waive("planes-incomplete")
    app.upload().join()
    assert [found.code for found in app.receipt.findings.waived] == ["planes-incomplete"]


def test_what_was_accepted_beforehand_is_accepted(tmp_path: Path, project: Path) -> None:
    source = write_planes(tmp_path / "planes", ("axl", "cor"))
    target = nk.ProjectFolder(project, "knees")
    app = UploadModel(source, target, waive=["planes-incomplete"])
    assert planned(app).blockers == []


def test_a_code_can_be_accepted_before_there_is_a_plan(tmp_path: Path, project: Path) -> None:
    source = write_planes(tmp_path / "planes", ("axl", "cor"))
    app = UploadModel(source, nk.ProjectFolder(project, "knees"))
    app.waive("planes-incomplete")
    assert app.planned is None
    assert planned(app).blockers == []


def test_one_file_is_left_out_and_the_rest_lands(tmp_path: Path, project: Path) -> None:
    source = write_planes(tmp_path / "planes")
    write_nifti(source / "axl_inference.nii.gz", np.zeros((3, 4, 5, 2), np.uint8))
    app = planned(UploadModel(source, nk.ProjectFolder(project, "knees")))
    assert len(app.blockers) == 1
    pair = ("mask-frames", "axl_inference.nii.gz")
    app.waive(pair)
    assert (app.blockers, app.planned.waive) == ([], (pair,))
    assert app.summary.endswith("1 file left out")
    app.take_back(pair)
    assert len(app.blockers) == 1
    app.waive(pair)
    app.upload().join()
    assert [one.path for one in app.receipt.left_out] == ["axl_inference.nii.gz"]


def test_a_code_that_nobody_knows_is_refused(app: UploadModel) -> None:
    with pytest.raises(KeyError):
        app.waive("no-such-code")


def test_many_codes_in_the_way_are_counted(
    two_planes: UploadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nifti_kit.widgets.upload.model.SHOWN_CODES", 0)
    two_planes.waive("planes-incomplete")
    two_planes.take_back("planes-incomplete")
    assert two_planes.blockers == ["... and 1 more code"]


def test_files_in_the_way_are_named_and_what_is_no_source_says_the_way_on(
    tmp_path: Path, project: Path
) -> None:
    source = write_volumes(tmp_path / "source", TWO)
    for name in ("A", "B"):
        (source / f"{name}.nii.gz").write_bytes(b"\x1f\x8b cut")
    app = planned(UploadModel(source, nk.ProjectFolder(project, "knees")))
    said = "file-unreadable: 2 errors in the way. A.nii.gz, B.nii.gz. Mend the files, or accept "
    assert f"{said}code or file." in app.blockers
    with pytest.raises(PlanBlocked, match=r"A\.nii\.gz, B\.nii\.gz"):
        app.upload()
    (tmp_path / "empty").mkdir()
    app.source.path = str(tmp_path / "empty")
    assert planned(app).blockers[0] == (
        f"source-empty: 1 error in the way. {tmp_path / 'empty'}: no NIfTI file. "
        "Point scan() at the folder or archive that holds the .nii or .nii.gz files."
    )


def test_an_empty_plan_is_not_uploaded(tmp_path: Path, project: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "read.me").touch()
    app = planned(UploadModel(tmp_path / "notes", nk.ProjectFolder(project, "knees")))
    assert "The plan is empty: nothing would land." in app.blockers


def test_new_volumes_need_a_dataset(source: Path, project: Path) -> None:
    app = planned(UploadModel(source, nk.ProjectFolder(project)))
    assert app.blockers == ["New volumes need a dataset: name one at the target."]


# Upload, receipt, proof


def test_it_lands_is_proved_and_saved(app: UploadModel, project: Path, tmp_path: Path) -> None:
    landed(app)
    assert app.landing.state == "done"
    assert app.closing == "This page can be closed: all has landed, and the receipt is saved."
    assert (len(app.receipt.items), len(app.receipt.objects)) == (2, 4)
    assert app.target.folder.datasets == ("knees",)
    assert app.link == str(project)
    assert (app.progress.items_done, app.progress.objects_done) == (2, 4)
    assert app.blockers == ["This plan has landed. To upload once more, make the plan again."]
    assert not (tmp_path / "project.journals").exists()
    app.verify().join()
    assert app.proof.ok
    assert (len(app.proof.volumes), len(app.proof.objects)) == (2, 4)
    folder = tmp_path / "project.receipts"
    names = [
        f"{what}_{app.digest}{form}" for what in ("receipt", "proof") for form in (".json", ".html")
    ]
    assert app.saved == tuple(str(folder / name) for name in names)
    assert json.loads((folder / names[0]).read_text())["target"] == repr(app.target.target)
    assert json.loads((folder / names[2]).read_text())["ok"] is True
    assert app.outcome == []
    app.join()


def test_an_upload_tells_bytes_of_a_total(
    app: UploadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "SHOWN_EVERY_S", 0)
    planned(app)
    shares: list[float] = []
    app.landing.observe(lambda change: shares.append(change["new"]), "fraction")
    said = [text for text in texts_of(app.landing, app.upload, "none") if " volumes, " in text]
    assert said[0] == "0 of 2 volumes, 0 of 4 objects, 0.0 of 0.0 MB: A.nrrd ..."
    assert said[-1] == "2 of 2 volumes, 4 of 4 objects, 0.0 of 0.0 MB: B.nrrd ..."
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_receipts_go_where_they_are_wanted(app: UploadModel, tmp_path: Path) -> None:
    app.out = str(tmp_path / "kept")
    landed(app)
    assert [Path(path).parent for path in app.saved] == [tmp_path / "kept"] * 2


def test_a_receipt_that_cannot_be_saved_is_told_and_the_upload_stands(
    app: UploadModel, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    app.out = str(tmp_path / "file")
    landed(app)
    assert (app.landing.state, app.saved) == ("done", ())
    assert app.closing.endswith("save it before you close it.")
    assert app.outcome[0].startswith("The receipt was not saved: ")
    assert app.receipt is not None


def test_a_proof_that_fails_is_shown(app: UploadModel, project: Path) -> None:
    landed(app)
    mask = next((project / "knees" / "mask").glob("*/*.nrrd"))
    mask.unlink()
    app.verify().join()
    assert not app.proof.ok
    assert len(app.proof.failures) == 1


@pytest.mark.parametrize(
    ("existing", "objects"), [("skip", 4), ("replace", 4), ("append", 8), ("error", None)]
)
def test_what_is_there_is_told_and_met_as_chosen(
    source: Path, project: Path, existing: str, objects: int | None
) -> None:
    target = nk.ProjectFolder(project, "knees")
    land(source, target)
    app = planned(UploadModel(source, target, existing=existing))
    assert app.there[0] == (
        "On the target already: 2 volumes of the same name and 4 objects of the same classes."
    )
    assert app.there[1].startswith(f"{existing}: ")
    if objects is None:
        with pytest.raises(TargetError, match="has a volume 'A"):
            app.upload().join()
        assert app.outcome == [f"No volume has landed whole. {AGAIN}"]
        return
    app.upload().join()
    found = [ref for volume in target.volumes() for ref in target.objects(volume.id)]
    assert len(found) == objects
    assert (project.parent / "project.replaced").exists() == (existing == "replace")


def test_the_same_plan_again_finds_what_has_landed(app: UploadModel) -> None:
    landed(app)
    app.existing = "skip"
    assert len(planned(app).there) == 2
    app.upload().join()
    assert [found.added for found in app.receipt.objects] == [False] * 4


# Cancel and resume


def test_a_cancelled_upload_says_what_landed_and_goes_on(tmp_path: Path, project: Path) -> None:
    source = write_volumes(tmp_path / "three", {**TWO, "C": {"tibia": (1,)}})
    target = Slow(project, "knees")
    app = planned(UploadModel(source, target))
    task = app.upload()
    assert target.arrived.wait(PATIENCE_S)
    assert app.blockers == ["An upload is under way."]
    assert app.closing == KEEP_OPEN
    app.cancel()
    target.let_go.set()
    assert task.join(PATIENCE_S) is None
    assert task.state == "cancelled"
    assert app.receipt is None
    said = "1 of 3 volumes has landed whole, and stays."
    assert app.outcome == [f"{said} {AGAIN}"]
    assert (app.blockers, app.resumes) == ([], True)
    before = tree(project / "knees")
    app.upload().join(PATIENCE_S)
    after = tree(project / "knees")
    assert {name: after[name] for name in before} == before
    assert target.written == ["A.nrrd", "B.nrrd", "B.nrrd", "C.nrrd"]
    assert (len(app.receipt.objects), app.resumes) == (5, False)
    app.verify().join(PATIENCE_S)
    assert app.proof.ok


def test_a_failed_upload_goes_on_in_another_session(source: Path, project: Path) -> None:
    app = planned(UploadModel(source, Broken(project, "knees")))
    with pytest.raises(TargetError, match="the disk is full"):
        app.upload().join(PATIENCE_S)
    assert "the disk is full" in app.landing.text
    said = "1 of 2 volumes has landed whole, and stays."
    assert app.outcome == [f"{said} {AGAIN}"]
    later = Broken(project, "knees")
    later.full = False
    again = planned(UploadModel(source, later))
    assert again.resumes
    again.upload().join(PATIENCE_S)
    assert len(again.receipt.objects) == 4
    assert len(list((project / "knees" / "mask").glob("*/*.nrrd"))) == 4
    again.verify().join()
    assert again.proof.ok


def test_what_an_app_has_begun_the_same_call_in_code_ends(source: Path, project: Path) -> None:
    target = Broken(project, "knees")
    app = planned(UploadModel(source, target))
    with pytest.raises(TargetError, match="the disk is full"):
        app.upload().join(PATIENCE_S)
    assert app.resumes
    target.full = False
    receipt = land(source, target)
    assert [item.added for item in receipt.items] == [True, True]
    assert not app.resumes
    assert not project.with_name("project.journals").exists()


def test_while_it_is_verified_nothing_else_begins(app: UploadModel) -> None:
    landed(app)
    seen: list[Any] = []
    app.checking.observe(lambda _: seen.append((app.plan_blockers, app.blockers)), "text")
    app.verify().join()
    assert seen[-1] == (["What has landed is being read back."],) * 2


def test_a_failure_is_raised_by_join(source: Path, project: Path) -> None:
    app = planned(UploadModel(source, Broken(project, "knees")))
    app.upload()
    with pytest.raises(TargetError, match="the disk is full"):
        app.join()


# Annotations for volumes that are there


@pytest.fixture
def knees(project: Path, source: Path) -> nk.ProjectFolder:
    """A project with the volumes A (id 1) and B."""
    target = nk.ProjectFolder(project, "knees")
    land(source, target)
    return target


def test_annotations_land_by_the_mapping_of_the_source(
    knees: nk.ProjectFolder, tmp_path: Path
) -> None:
    (volume, _) = knees.volumes()
    source = write_annotations(tmp_path / "masks", volume.id)
    app = planned(UploadModel(source, knees, existing="replace"))
    assert app.is_annotations
    (row,) = app.plan_tables.items.rows
    assert row.cells["lands"] == "annotations"
    app.waive(*app.planned.blockers.by_code())
    app.upload().join()
    assert [item.volume.id for item in app.receipt.items] == [volume.id]
    assert app.verify().join().ok


def test_annotations_without_a_mapping_are_matched(project: Path) -> None:
    target = nk.ProjectFolder(project, "chest")
    land(SAMPLES / "by_plane_semantic", target)
    app = UploadModel(SAMPLES / "annotations_dataset", target)
    app.pairing = "match"
    planned(app)
    assert app.summary.startswith("0 volumes, ")
    assert {item.volume_id for item in app.planned.items} == {1, 2}
    app.pairing = "source"
    assert app.is_stale
    assert planned(app).planned.items[0].volume_id == 1


def test_annotations_without_a_file_are_matched_by_themselves(
    project: Path, tmp_path: Path
) -> None:
    target = nk.ProjectFolder(project, "chest")
    land(SAMPLES / "by_plane_semantic", target)
    shutil.copytree(SAMPLES / "annotations_dataset", tmp_path / "masks")
    (tmp_path / "masks" / "mapping.json").unlink()
    app = planned(UploadModel(tmp_path / "masks", target))
    assert {item.volume_id for item in app.planned.items} == {1, 2}


@pytest.mark.parametrize("as_path", [True, False])
def test_a_mapping_that_is_given_counts(
    knees: nk.ProjectFolder, tmp_path: Path, as_path: bool
) -> None:
    first, second = knees.volumes()
    source = write_annotations(tmp_path / "masks", first.id)
    path = tmp_path / "mapping.json"
    path.write_text(json.dumps({"axl_inference_1.nii.gz": second.id}))
    mapping: Any = path if as_path else nk.read_mapping(path, nk.scan(source))
    app = planned(UploadModel(source, knees, mapping=mapping))
    assert [item.volume_id for item in app.planned.items] == [second.id]


def test_a_score_table_alone_updates_what_is_there(project: Path, tmp_path: Path) -> None:
    target = nk.ProjectFolder(project, "knees")
    land(write_scored_planes(tmp_path / "source"), target)
    (tmp_path / "scores").mkdir()
    table = tmp_path / "scores" / "axl_score.csv"
    table.write_text("Layer,Label-1,Label-2\n3,0.50,0.90\n")
    (volume,) = [ref for ref in target.volumes() if ref.name == "axl_anatomic.nrrd"]
    (table.parent / "mapping.json").write_text(json.dumps({table.name: volume.id}))
    (table.parent / "cls_color_map.txt").write_text("1 Femur 255 0 0\n2 Tibia 0 255 0\n")
    app = UploadModel(table.parent, target, existing="replace")
    app.source.score_frames = "ras"
    planned(app)
    assert app.summary == "0 volumes, 0 objects, 0 classes, 0 scores, 2 score updates"
    (row,) = app.plan_tables.items.rows
    assert (row.cells["lands"], row.cells["scores"]) == ("scores alone", 2)
    assert any("0.80 -> 0.50" in line for line in app.there)
    app.upload().join()
    assert app.verify().join().ok
    assert len(app.proof.updates) == 2


# Nothing stale


def evidence(app: UploadModel) -> list[Any]:
    """Return what is on the page of what was planned and landed."""
    tables = app.plan_tables
    rows = [tables.items.rows, tables.objects.rows, tables.classes.rows, app.findings.findings]
    states = {app.planning.state, app.landing.state, app.checking.state} - {"idle", "done"}
    texts = [app.landing.text, app.checking.text]
    own = [app.planned, app.receipt, app.proof, app.progress, app.since.found, app.has_landed]
    return [
        one for one in (*own, *rows, *states, *texts, *app.saved, *app.outcome, app.link) if one
    ]


def another(app: UploadModel, what: str, tmp_path: Path) -> None:
    if what == "source":
        app.source.path = str(tmp_path)
    elif what == "layout":
        app.source.layout = "by_volume"
    elif what == "dataset":
        app.source.dataset = nk.scan(app.source.path)
    elif what == "target":
        app.target.folder.choose(tmp_path / "other", "knees")
    else:
        app.pairing = "match"


@pytest.mark.parametrize("what", ["source", "layout", "dataset", "target", "pairing"])
def test_what_is_of_another_choice_is_off_the_page_and_stays_on_disk(
    app: UploadModel, tmp_path: Path, what: str
) -> None:
    landed(app).verify().join(PATIENCE_S)
    app.show_changes_since().join(PATIENCE_S)
    saved = [Path(path) for path in app.saved]
    another(app, what, tmp_path)
    assert evidence(app) == []
    assert app.blockers[-1].startswith("Make the plan again")
    assert app.verify_blockers == ["Nothing has been uploaded yet."]
    assert len(saved) == 4
    assert all(path.exists() for path in saved)


def test_a_plan_comes_back_with_its_choices_and_no_receipt(app: UploadModel) -> None:
    landed(app)
    own = app.source.path
    app.source.path += "x"
    app.source.path = own
    assert not app.is_stale
    assert app.summary == "2 volumes, 4 objects, 2 classes, 0 scores"
    assert len(app.plan_tables.items.rows) == 2
    assert (app.receipt, app.has_landed) == (None, False)


def test_a_new_plan_takes_the_receipt_of_the_old_one_away(app: UploadModel) -> None:
    landed(app).verify().join(PATIENCE_S)
    app.plan()
    assert (app.receipt, app.proof, app.saved, app.link) == (None, None, (), "")
    app.join()


def test_an_upload_under_way_lands_where_it_began_and_shows_no_receipt_elsewhere(
    source: Path, project: Path, tmp_path: Path
) -> None:
    target = Slow(project, "knees")
    app = planned(UploadModel(source, target))
    app.upload()
    assert target.arrived.wait(PATIENCE_S)
    app.target.folder.choose(tmp_path / "other", "knees")
    app.target.kind = "folder"
    app.existing = "replace"
    target.let_go.set()
    app.landing.join(PATIENCE_S)
    assert (app.receipt, app.has_landed, app.landing.state) == (None, False, "idle")
    said, *saved = app.outcome
    assert said.startswith("Landed on ")
    assert said.endswith("those above have changed since.")
    receipts = sorted((tmp_path / "project.receipts").iterdir())
    assert saved == [f"Saved: {path}" for path in sorted(receipts, reverse=True)]
    assert len(target.volumes()) == 2
    assert not (tmp_path / "other").exists()


def test_a_proof_under_way_is_not_shown_under_another_source(
    app: UploadModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed(app)
    monkeypatch.setattr(tasks, "SHOWN_EVERY_S", 0)
    app.checking.observe(lambda _: setattr(app.source, "path", str(tmp_path)), "text")
    app.verify().join(PATIENCE_S)
    assert (app.proof, app.checking.state) == (None, "idle")
    assert app.outcome[0].startswith("Proof: verified")
    assert len(list((tmp_path / "project.receipts").glob("proof_*"))) == 2


def test_a_path_that_is_typed_while_another_is_read_has_no_plan(
    app: UploadModel, tmp_path: Path
) -> None:
    own = app.source.path
    app.source.task.observe(lambda _: setattr(app.source, "path", str(tmp_path)), "text")
    app.plan().join(PATIENCE_S)
    assert app.source.recent == (own,)
    assert not app.source.is_read
    assert evidence(app) == []
    assert app.is_stale


def test_why_a_plan_failed_goes_with_its_source(tmp_path: Path, project: Path) -> None:
    archive = tmp_path / "broken.zip"
    archive.write_bytes(b"PK\x03\x04")
    app = UploadModel(archive, nk.ProjectFolder(project, "knees"))
    with pytest.raises(NiftiKitError):
        app.plan().join(PATIENCE_S)
    assert app.source.error
    app.source.path = str(tmp_path)
    assert (app.planning.state, app.planning.text, app.source.error) == ("idle", "", "")


# A live instance


def test_on_an_instance_places_are_made_and_everything_is_proved(
    platform: Platform, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = UploadModel(source, api=lambda: api(platform))
    app.target.kind = "instance"
    assert app.plan_blockers == ["Connect to the instance."]
    app.target.connect()
    app.target.instance.make_project("knees")
    app.target.instance.make_dataset("2026/left")
    app.join()
    landed(app)
    app.verify().join()
    assert app.proof.ok
    project = app.target.instance.project
    assert app.link == f"{platform.address}/projects/{project}/datasets"
    assert [name for name, _ in facts(platform)["volumes"]] == ["left/A.nrrd", "left/B.nrrd"]
    assert [Path(path).parent.name for path in app.saved] == ["nifti_kit_receipts"] * 4
    assert platform.token not in "".join(Path(path).read_text() for path in app.saved)
    assert app.resumes is False


def test_on_an_instance_a_broken_upload_goes_on(
    platform: Platform, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    impatience(monkeypatch, 0.2)
    app = UploadModel(source, api=lambda: api(platform))
    app.target.connect()
    app.target.instance.make_project("knees")
    app.target.instance.make_dataset("left")
    app.target.instance.wait()
    platform.faults.on("figures.bulk.add", RESET_BEFORE, times=1000, skip=1)
    with pytest.raises(TargetError):
        planned(app).upload().join(PATIENCE_S)
    assert app.outcome[0].startswith("1 of 2 volumes has landed whole")
    assert platform.token not in app.landing.text
    platform.faults.clear()
    app.upload().join(PATIENCE_S)
    assert len(facts(platform)["figures"]) == 4
    app.verify().join()
    assert app.proof.ok


def test_annotations_land_all_over_a_project_of_an_instance(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ids = []
    for sample, dataset in (("by_plane_semantic", "chest"), ("scores", "scores")):
        app = UploadModel(SAMPLES / sample, api=lambda: api(platform))
        app.target.connect()
        app.target.instance.make_project("p")
        app.target.instance.make_dataset(dataset)
        app.target.instance.wait()
        ids += [item.volume.id for item in landed(app).receipt.items]
    source = renumbered(SAMPLES / "annotations_project", tmp_path / "masks", ids)
    app = UploadModel(source, api=lambda: api(platform))
    app.target.connect()
    app.target.instance.choose("project", "p")
    app.target.instance.choose("dataset", -1)
    app.target.instance.wait()
    landed(app).verify().join()
    assert app.proof.ok
    assert {item.volume.id for item in app.receipt.items} <= set(ids)
