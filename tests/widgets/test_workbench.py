"""The workbench: what one tab does, the others see; another source takes all of it off."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit import widgets
from nifti_kit.errors import BadMapping, NiftiKitError
from nifti_kit.repairs.steps import Step
from nifti_kit.widgets.workbench.model import TABS, WorkbenchModel
from tests.flow.test_messy_delivery import mended
from tests.support.builders import SAMPLES, labels, volume, write_nifti, write_planes
from tests.support.messy import unlike, write_delivery
from tests.support.oracle import read_project


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of its own: receipts are saved below the current one."""
    monkeypatch.chdir(tmp_path)


def opened(source: Any, target: Any = None, **options: Any) -> WorkbenchModel:
    model = WorkbenchModel(source, target, **options)
    model.scan()
    model.join()
    return model


def lost(folder: Path) -> Path:
    write_nifti(folder / "CT.nii")
    write_nifti(folder / "CT" / "lung.nii", labels(values=(1,)), np.eye(4))
    return folder


def take(model: WorkbenchModel, **typed: Any) -> None:
    model.findings.select(next(f for f in model.findings.open if f.severity != "note"))
    model.mending.choose(0)
    for name, value in typed.items():
        model.mending.fill(name, value)
    model.mending.look().join()
    model.mending.take()
    model.join()


def test_a_mended_file_is_planned_and_lands(tmp_path: Path) -> None:
    model = opened(lost(tmp_path / "in"), nk.ProjectFolder(tmp_path / "p", "d"))
    assert model.next == ("1 error to mend.", "mend")
    assert model.open == {"mend": 1, "match": 0}
    take(model)
    assert model.open["mend"] == 0
    assert model.next[1] == "upload"
    model.upload.plan().join()
    model.upload.upload().join()
    model.upload.verify().join()
    assert model.upload.proof.ok
    assert [one.file for one in model.upload.receipt.provenance.repairs] == ["CT/lung.nii"]
    assert model.next == ("It has landed, and was read back: the proof says how.", "upload")


def test_nothing_lands_while_voxels_are_being_read(tmp_path: Path) -> None:
    model = opened(write_planes(tmp_path / "in"), nk.ProjectFolder(tmp_path / "p", "d"))
    model.upload.plan().join()
    assert not model.upload.blockers
    go_on = threading.Event()
    model.inspect.task.start(lambda _: go_on.wait(timeout=60))
    assert "Every voxel is being read" in model.upload.blockers[0]
    go_on.set()
    model.inspect.task.join()
    assert not model.upload.blockers


def test_what_is_accepted_reaches_the_plan_with_its_reason(tmp_path: Path) -> None:
    model = opened(write_planes(tmp_path / "in", ("axl", "cor")), tmp_path / "p")
    model.upload.plan().join()
    assert model.upload.planned.blockers
    model.findings.select(model.findings.findings.errors[0])
    model.mending.choose("Accept as it is")
    model.mending.fill("reason", "two planes were ordered")
    model.mending.look().join()
    model.mending.take()
    assert not model.upload.planned.blockers
    (waiver,) = model.upload.planned.provenance.facts()["waivers"]
    assert waiver["reason"] == "two planes were ordered"
    model.mending.undo()
    assert model.upload.planned.blockers


def test_a_corrected_table_is_handed_over_as_a_step(tmp_path: Path) -> None:
    model = opened(SAMPLES / "scores", tmp_path / "p", out=tmp_path / "out")
    model.turn("scores")
    model.scores.join()
    name = model.scores.table
    model.scores.put(4, "Label-2", "0.11")
    model.turn("upload")
    assert model.message == "1 corrected table handed over."
    assert [step.do for step in model.steps] == ["replace_table"]
    model.join()
    model.upload.plan().join()
    cells = [
        c for o in model.upload.planned.objects for c in str(o.scores).split("'") if "0.11" in c
    ]
    assert cells
    model.turn("scores")
    model.scores.join()
    assert model.scores.table == name
    model.turn("mend")
    assert len(model.steps) == 1
    model.mending.undo()
    assert model.dataset.mended == ()


def test_a_table_that_cannot_be_read_yet_is_said_and_stays_in_the_editor(tmp_path: Path) -> None:
    folder = write_planes(tmp_path / "in")
    (folder / "axl_score.csv").write_text("Layer,Label-1\n3,much\n4,0.5\n")
    model = opened(folder)
    model.turn("scores")
    model.scores.join()
    model.scores.put(4, "Label-1", "0.7")
    model.turn("mend")
    assert "not in the plan yet" in model.message
    assert len(model.steps) == 0
    assert model.scores.open.changes


def test_a_mapping_is_handed_over_to_the_plan(tmp_path: Path) -> None:
    target = nk.ProjectFolder(tmp_path / "p", "d")
    write_nifti(tmp_path / "volumes" / "knee_a.nii.gz")
    write_nifti(tmp_path / "volumes" / "knee_b.nii.gz", volume() + 1)
    nk.upload(nk.plan(nk.scan(tmp_path / "volumes")), target, on_progress=lambda _: None)
    write_nifti(tmp_path / "in" / "axl_inference_x.nii.gz", labels())
    model = opened(tmp_path / "in", target, layout="annotations")
    assert "there is nothing to match" not in str(model.match_blockers)
    model.turn("match")
    model.join()
    assert model.open["match"] == 1
    ids = {ref.name: ref.id for ref in target.volumes()}
    model.matching.choose("axl_inference_x.nii.gz", ids["knee_b.nrrd"])
    model.turn("upload")
    assert "Mapping handed over" in model.message
    model.upload.plan().join()
    assert [item.volume_id for item in model.upload.planned.items] == [ids["knee_b.nrrd"]]
    model.turn("match")
    model.matching.choose("axl_inference_x.nii.gz", ids["knee_a.nrrd"])
    model.turn("upload")
    assert model.upload.planned is None
    model.upload.plan().join()
    assert [item.volume_id for item in model.upload.planned.items] == [ids["knee_a.nrrd"]]


def project(folder: Path, *names: str) -> nk.ProjectFolder:
    """Land volumes of these names; their ids on the target are 1, 2, ... in each project."""
    target = nk.ProjectFolder(folder, "d")
    for at, name in enumerate(names):
        write_nifti(folder.with_suffix(".in") / f"{name}.nii.gz", volume() + at)
    nk.upload(nk.plan(nk.scan(folder.with_suffix(".in"))), target, on_progress=lambda _: None)
    return target


ANNOTATION = "axl_inference_x.nii.gz"


def matched(folder: Path, target: nk.ProjectFolder, **options: Any) -> WorkbenchModel:
    """Open annotations whose volume nothing but a person can tell, here the second one."""
    write_nifti(folder / ANNOTATION, labels())
    model = opened(folder, target, layout="annotations", **options)
    model.turn("match")
    model.join()
    model.matching.choose(ANNOTATION, 2)
    model.turn("upload")
    return model


def volumes_of(model: WorkbenchModel) -> list[int | None]:
    model.upload.plan().join()
    return [item.volume_id for item in model.upload.planned.items]


def test_a_mapping_of_another_target_is_not_used_and_comes_back_with_its_own(
    tmp_path: Path,
) -> None:
    first, second = (
        project(tmp_path / "p1", "knee_a", "knee_b"),
        project(tmp_path / "p2", "knee_b", "knee_c"),
    )
    model = matched(tmp_path / "in", first)
    assert volumes_of(model) == [2]
    model.target.target = second
    assert model.upload.mapping is None
    assert model.message == ""
    assert model.next == ("Match the annotations with the volumes of the project.", "match")
    model.upload.plan().join()
    assert model.upload.planned.blockers
    model.target.target = first
    model.turn("match")
    model.join()
    assert model.open["match"] == 0
    assert volumes_of(model) == [2]


def test_a_mapping_that_was_given_is_for_the_first_target_alone(tmp_path: Path) -> None:
    first, second = project(tmp_path / "p1", "a", "b"), project(tmp_path / "p2", "b", "c")
    given = matched(tmp_path / "in", first).upload.mapping
    given.save(tmp_path / "mapping.json")
    model = opened(tmp_path / "in", first, mapping=tmp_path / "mapping.json", layout="annotations")
    assert volumes_of(model) == [2]
    model.target.target = second
    model.turn("match")
    model.join()
    assert model.open["match"] == 1


def test_another_source_has_no_mapping_of_the_one_before(tmp_path: Path) -> None:
    model = matched(tmp_path / "in", project(tmp_path / "p", "knee_a", "knee_b"))
    write_nifti(tmp_path / "other" / ANNOTATION, labels())
    model.source.path = str(tmp_path / "other")
    model.scan()
    model.join()
    assert model.upload.mapping is None
    assert model.message == ""


def test_a_step_makes_no_other_path_read(tmp_path: Path) -> None:
    model = opened(write_planes(tmp_path / "in"), tmp_path / "p")
    model.source.path = str(write_planes(tmp_path / "other"))
    model.mending.add(Step("classes", values={1: "bone"}))
    assert not model.source.is_read
    model.upload.plan().join()
    assert model.dataset.root == tmp_path / "other"
    assert len(model.steps) == 0


def test_decisions_of_a_mapping_outlive_a_step(tmp_path: Path) -> None:
    model = matched(tmp_path / "in", project(tmp_path / "p", "knee_a", "knee_b"))
    model.mending.add(Step("classes", values={1: "bone"}))
    model.join()
    model.turn("match")
    model.join()
    assert model.open["match"] == 0
    assert volumes_of(model) == [2]


def test_a_look_at_the_mapping_leaves_the_plan(tmp_path: Path) -> None:
    model = matched(tmp_path / "in", project(tmp_path / "p", "knee_a", "knee_b"))
    volumes_of(model)
    model.turn("match")
    model.turn("upload")
    assert model.upload.planned is not None


def test_a_table_that_was_handed_over_is_not_called_gone(tmp_path: Path) -> None:
    model = opened(SAMPLES / "scores", tmp_path / "p")
    model.turn("scores")
    model.scores.join()
    model.scores.put(4, "Label-2", "0.11")
    model.turn("upload")
    model.join()
    assert len(model.steps) == 1
    assert model.scores.message == ""


def test_edits_that_are_not_handed_over_yet_outlive_a_step(tmp_path: Path) -> None:
    model = opened(SAMPLES / "scores", tmp_path / "p")
    model.turn("scores")
    model.scores.join()
    model.scores.put(4, "Label-2", "0.11")
    model.mending.add(Step("classes", values={1: "bone"}))
    model.join()
    assert len(model.scores.open.changes) == 1
    assert model.scores.message == ""
    model.scores.undo()
    assert not model.scores.open.is_changed
    model.scores.put(4, "Label-2", "0.12")
    model.scan()
    model.join()
    assert "is gone" in model.scores.message


def test_another_source_takes_everything_off(tmp_path: Path) -> None:
    model = opened(lost(tmp_path / "in"), nk.ProjectFolder(tmp_path / "p", "d"))
    take(model)
    model.upload.plan().join()
    model.upload.upload().join()
    model.source.path = str(write_planes(tmp_path / "other"))
    model.scan()
    model.join()
    assert len(model.steps) == 0
    assert (model.upload.planned, model.upload.receipt, model.upload.proof) == (None, None, None)
    assert model.message == ""
    assert "make the plan" in model.next[0]


def test_steps_of_a_delivery_are_done_on_the_next_one(tmp_path: Path) -> None:
    write_delivery(tmp_path / "first")
    steps, _ = mended(nk.scan(tmp_path / "first"))
    steps.save(tmp_path / "steps.json")
    truth = write_delivery(tmp_path / "second", 2)
    target = nk.ProjectFolder(tmp_path / "p", "d")
    second = opened(tmp_path / "second", target, steps=tmp_path / "steps.json")
    assert len(second.steps) == len(steps)
    second.upload.plan().join()
    second.upload.upload().join()
    second.upload.verify().join()
    assert second.upload.proof.ok
    assert unlike(truth, read_project(tmp_path / "p", "d")) == []


def test_tabs_are_made_when_they_are_opened() -> None:
    app = widgets.Workbench(SAMPLES / "scores", tab="upload")
    app.model.join()
    bench = next(child for child in app.children if "nk-bench-tabs" in child._dom_classes)
    assert [len(place.children) for place in bench.children] == [0, 0, 0, 0, 1]
    for at, tab in enumerate(TABS):
        app.model.turn(tab)
        assert bench.selected_index == at
    assert [len(place.children) for place in bench.children] == [1] * len(TABS)
    bench.selected_index = 1
    assert app.model.tab == "mend"
    app.model.join()


def test_of_an_empty_folder_nothing_is_to_mend(tmp_path: Path) -> None:
    model = opened(tmp_path, tmp_path.with_name("project"))
    said = "Nothing that could land was found: see why, or give another source."
    assert model.next == (said, "mend")


def test_mend_opens_at_the_first_finding(tmp_path: Path) -> None:
    app = widgets.Workbench(lost(tmp_path / "in"))
    app.model.join()
    assert app.model.findings.selected is None
    app.model.turn("mend")
    first = app.model.findings.findings[0]
    assert app.model.findings.selected == first
    app.model.findings.select(1)
    app.model.turn("inspect")
    app.model.turn("mend")
    assert app.model.findings.selected != first  # what a person chose stays chosen


@pytest.mark.parametrize("tab", TABS)
def test_an_empty_workbench_says_what_to_give(tab: str) -> None:
    app = widgets.Workbench(tab=tab)
    assert app.model.next == ("Give a folder, an archive or a NIfTI file, and press Read.", "")


def test_what_is_taken_back_is_taken_back_from_the_plan(tmp_path: Path) -> None:
    model = opened(lost(tmp_path / "in"), tmp_path / "p")
    model.findings.select(model.findings.findings.errors[0])
    model.mending.choose("Accept as it is")
    model.mending.fill("reason", "known")
    model.mending.look().join()
    model.mending.take()
    (accepted,) = model.upload.findings.waive
    model.findings.set_waived(accepted, False)
    assert model.upload.findings.waive == ()


def test_what_code_accepts_is_in_the_plan_with_its_reason_before_and_after_steps(
    tmp_path: Path,
) -> None:
    why = {"planes-incomplete": "two planes were ordered"}
    source = write_planes(tmp_path / "in", ("axl", "cor"))
    model = opened(source, tmp_path / "p", waive=why, existing="skip")
    assert model.open["mend"] == 0
    assert model.upload.existing == "skip"
    model.mending.add(Step("classes", values={1: "bone"}))
    model.mending.undo()
    model.join()
    model.upload.plan().join()
    assert not model.upload.planned.blockers
    (waiver,) = model.upload.planned.provenance.facts()["waivers"]
    assert waiver["reason"] == why["planes-incomplete"]
    model.findings.set_waived("planes-incomplete", False)
    assert model.upload.findings.waive == ()
    assert model.next[1] == "mend"


@pytest.mark.parametrize("given", [{"table": "cor_score.csv"}, {}])
def test_the_table_to_begin_with_is_given_by_name_or_as_the_source(given: Any) -> None:
    model = opened(SAMPLES / "scores" / ("" if given else "cor_score.csv"), **given)
    assert model.source.path.rstrip("/") == str(SAMPLES / "scores")
    model.turn("scores")
    model.scores.join()
    assert model.scores.table == "cor_score.csv"


def test_a_table_that_is_not_there_is_said_and_the_first_is_shown() -> None:
    model = opened(SAMPLES / "scores", table="none.csv")
    model.turn("scores")
    model.scores.join()
    assert model.scores.table == "axl_score.csv"
    assert "there is no such table" in model.scores.message


def test_voxels_are_read_when_a_person_asks_where_code_says_so(tmp_path: Path) -> None:
    model = opened(write_planes(tmp_path / "in"), tmp_path / "p", look=False)
    assert model.next == ("Read every voxel: headers alone do not tell all.", "inspect")
    model.inspect.look_closer()
    model.join()
    assert model.next[1] == "upload"


def test_a_plan_with_errors_of_its_own_is_not_called_ready(tmp_path: Path) -> None:
    target = project(tmp_path / "p", "a", "b")
    write_nifti(tmp_path / "in" / ANNOTATION, labels())
    model = opened(tmp_path / "in", target, layout="annotations")
    model.turn("match")
    model.join()
    model.matching.leave_out(ANNOTATION)
    model.turn("upload")
    model.upload.plan().join()
    assert model.next == ("1 error in the way of the plan: see its findings.", "upload")


def test_matching_begins_with_names_where_code_says_so_and_is_counted(tmp_path: Path) -> None:
    target = project(tmp_path / "p", "knee_a", "knee_b")
    write_nifti(tmp_path / "in" / ANNOTATION, labels())
    (tmp_path / "in" / "mapping.json").write_text(f'{{"{ANNOTATION}": 2}}')
    for pairing, left in (("match", 1), ("auto", 0)):
        app = widgets.Workbench(
            tmp_path / "in", target, tab="match", pairing=pairing, layout="annotations"
        )
        app.model.join()
        assert app.model.match().join() is not None
        assert app.model.open["match"] == left
        assert tabs_of(app).titles[3] == ("Match (1 open)" if left else "Match")
        if left:
            app.model.matching.choose(ANNOTATION, 1)
            assert tabs_of(app).titles[3] == "Match"


def tabs_of(app: Any) -> Any:
    return next(child for child in app.children if "nk-bench-tabs" in child._dom_classes)


def test_matching_what_needs_none_is_refused_in_a_sentence(tmp_path: Path) -> None:
    model = opened(write_planes(tmp_path / "in"), tmp_path / "p")
    with pytest.raises(BadMapping, match="there is nothing to match"):
        model.match()


def test_saved_steps_that_do_not_fit_are_said_in_every_tab(tmp_path: Path) -> None:
    steps = nk.Steps([Step("take_header", ("other/lung.nii",))])
    model = opened(write_planes(tmp_path / "in"), steps=steps)
    assert model.message == "1 saved step did not fit here: see Mend."


# What another notebook saved


def test_a_mapping_that_another_notebook_saved_is_picked(tmp_path: Path) -> None:
    target = project(tmp_path / "p", "knee_a", "knee_b")
    first = matched(tmp_path / "in", target, out=tmp_path / "out" / "02_mapping")
    first.matching.save()
    model = opened(tmp_path / "in", target, layout="annotations", out=tmp_path / "out" / "04")
    app = widgets.Workbench(
        tmp_path / "in", target, layout="annotations", out=tmp_path / "out" / "04", tab="upload"
    )
    app.model.join()
    (handed,) = [one for one in parts(app) if "nk-handed" in getattr(one, "_dom_classes", ())]
    (box,) = [one for one in parts(handed) if hasattr(one, "options")]
    (button,) = [one for one in parts(handed) if hasattr(one, "click")]
    assert box.options == model.found_files == ("out/02_mapping/mapping.json",)
    assert button.disabled
    box.value = box.options[0]
    button.click()
    assert app.model.message.startswith("Mapping out/02_mapping/mapping.json: 1 of 1 ")
    assert volumes_of(app.model) == [2]
    model.turn("match")
    model.join()
    assert box.value == ""
    model.take_file(box.options[0])
    assert model.open["match"] == 0
    assert volumes_of(model) == [2]
    model.matching.undo()
    assert model.open["match"] == 1


def parts(view: Any) -> Iterator[Any]:
    yield view
    for child in getattr(view, "children", ()):
        yield from parts(child)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"cor_inference_y.nii.gz": 1}', "the mapping is not for this source"),
        (f'{{"{ANNOTATION}": 2, "x_inference.nii": 1}}', "the mapping is not for this source"),
        ("{}", "the mapping is not for this source"),
        ("no JSON", "the mapping cannot be read"),
    ],
)
def test_a_mapping_of_another_source_is_refused_in_a_sentence(
    text: str, said: str, tmp_path: Path
) -> None:
    model = matched(tmp_path / "in", project(tmp_path / "p", "knee_a", "knee_b"))
    (tmp_path / "mapping.json").write_text(text)
    with pytest.raises(NiftiKitError, match=said):
        model.take_file(tmp_path / "mapping.json")
    assert volumes_of(model) == [2]
    other = opened(write_planes(tmp_path / "planes"))
    with pytest.raises(NiftiKitError, match="this source takes no mapping"):
        other.take_file(tmp_path / "mapping.json")


def test_a_corrected_table_that_another_notebook_saved_becomes_a_step(tmp_path: Path) -> None:
    saved = tmp_path / "out" / "03_scores" / "axl_score.csv"
    first = opened(SAMPLES / "scores", out=saved.parent)
    first.turn("scores")
    first.scores.join()
    first.scores.put(4, "Label-2", "0.11")
    first.scores.save()
    model = opened(SAMPLES / "scores", tmp_path / "p", out=tmp_path / "out" / "04_upload")
    assert model.found_files == ("out/03_scores/axl_score.csv",)
    assert model.take_blockers("none.csv")[0].startswith("There is no such file: none.csv (seen")
    assert model.take_blockers("") == ["Give a path, or pick one of 1."]
    assert model.take_blockers(f' "{saved}" ') == []
    model.take_file(f' "{saved}" ')
    assert "is in the place of axl_score.csv, as a step" in model.message
    assert [(step.do, step.files) for step in model.steps] == [
        ("replace_table", ("axl_score.csv",))
    ]
    with pytest.raises(NiftiKitError, match="it says what the table here says"):
        model.take_file(saved)
    model.join()
    model.upload.plan().join()
    assert any("0.11" in str(one.scores) for one in model.upload.planned.objects)
    model.mending.undo()
    assert model.dataset is not None
    assert model.dataset.mended == ()


def test_a_table_without_the_cell_that_could_not_be_read_is_another_one(tmp_path: Path) -> None:
    source = write_planes(tmp_path / "in", ("axl",))
    (source / "axl_score.csv").write_text("Layer,Label-1\n3,much\n4,0.5\n")
    (tmp_path / "axl_score.csv").write_text("Layer,Label-1\n4,0.5\n")
    model = opened(source)
    model.take_file("axl_score.csv")
    assert [step.do for step in model.steps] == ["replace_table"]


@pytest.mark.parametrize("name", ["b/axl_score.csv", "score.csv"])
def test_a_table_is_taken_only_for_the_one_table_that_it_is_named_like(
    name: str, tmp_path: Path
) -> None:
    for folder in ("", "b"):
        write_planes(tmp_path / "in" / folder, ("axl",))
        (tmp_path / "in" / folder / "axl_score.csv").write_text("Layer,Label-1\n3,0.5\n")
    model = opened(tmp_path / "in", out=tmp_path / "out" / "04")
    saved = tmp_path / "out" / "03" / name
    saved.parent.mkdir(parents=True)
    saved.write_text("Layer,Label-1\n3,0.7\n")
    with pytest.raises(NiftiKitError, match="named like"):
        model.take_file(saved)
    assert len(model.steps) == 0


def test_it_is_not_called_ready_before_the_voxels_of_a_mended_file_are_read(tmp_path: Path) -> None:
    model = opened(lost(tmp_path / "in"))
    said: list[str] = []
    model.findings.observe(lambda _: said.append(model.next[0]), "findings")
    take(model)
    assert said[0] == "Every voxel is being read ..."
    assert model.next[0] == "Choose where it lands."
