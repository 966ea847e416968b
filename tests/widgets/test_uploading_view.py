"""The app ``Uploader`` without a browser: its views show the model, its buttons call it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ipywidgets as w
import nbformat
import pytest
from nbclient import NotebookClient

import nifti_kit as nk
from nifti_kit import widgets
from nifti_kit.errors import TargetError
from tests.platform import Platform, running_platform
from tests.support.builders import SAMPLES, write_planes
from tests.support.landings import land, write_annotations, write_volumes
from tests.support.uploads import api, new_dataset, new_project

PATIENCE_S = 30
"""How long a test waits for what another thread does before it fails."""

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_volumes(tmp_path / "source", {"A": {"femur": (1, 2)}})


@pytest.fixture
def app(source: Path, tmp_path: Path) -> Any:
    return widgets.Uploader(source, nk.ProjectFolder(tmp_path / "project", "knees"))


@pytest.fixture
def platform() -> Iterator[Platform]:
    with running_platform() as running:
        yield running


def parts(view: Any) -> Iterator[Any]:
    yield view
    for child in getattr(view, "children", ()):
        yield from parts(child)


def part(view: Any, name: str) -> Any:
    """Return the first part with a class name."""
    return next(one for one in parts(view) if name in getattr(one, "_dom_classes", ()))


def text(view: Any) -> str:
    """Return the HTML that a view shows."""
    return "\n".join(one.value for one in parts(view) if isinstance(one, w.HTML))


def press(view: Any, name: str) -> None:
    button = part(view, name)
    assert not button.disabled
    button.click()


def is_shown(view: Any) -> bool:
    return view.layout.display != "none"


def holder(app: Any, inner: Any) -> Any:
    """Return what a part stands in."""
    return next(one for one in parts(app) if inner in getattr(one, "children", ()))


def everything(app: Any) -> str:
    """Return all that the front end is sent of any widget, and all traits of the models."""
    state = json.dumps(w.Widget.get_manager_state()["state"], default=repr)
    model = app.model
    models = (model, model.source, model.target, model.target.folder, model.target.instance)
    return state + "".join(
        repr([getattr(one, name) for name in one.trait_names()]) for one in models
    )


def test_the_steps_stand_in_their_order(app: Any) -> None:
    names = [name for one in parts(app) for name in getattr(one, "_dom_classes", ())]
    order = ["nk-source", "nk-target", "nk-plan", "nk-existing", "nk-upload", "nk-verify"]
    assert sorted(order, key=names.index) == order
    assert {"nk-app", "nk-uploader"} <= set(app._dom_classes)


def test_a_disabled_button_says_why(app: Any) -> None:
    assert part(app, "nk-upload").disabled
    assert "Make the plan first." in text(part(app, "nk-landing"))
    assert "Nothing has been uploaded yet." in text(part(app, "nk-evidence"))
    since = part(app, "nk-show-since")  # which would say it once more
    assert not is_shown(holder(app, since))
    assert not part(app, "nk-plan").disabled
    app.model.target.folder.choose("", "")
    assert part(app, "nk-plan").disabled
    assert "Name the project&#39;s folder." in text(part(app, "nk-planning"))


def test_from_plan_to_proof_by_buttons(app: Any, tmp_path: Path) -> None:
    tabs = part(app, "nk-plan-parts")
    assert not is_shown(tabs)
    press(app, "nk-plan")
    app.model.planning.join(PATIENCE_S)
    assert is_shown(tabs)
    assert tabs.titles == ("Volumes (1)", "Objects (2)", "Classes (1)", "Findings (0)")
    assert "1 volume, 2 objects, 1 class, 0 scores." in text(part(app, "nk-planning"))
    assert "Nothing of this was there when the plan was made" in text(part(app, "nk-there-already"))
    press(app, "nk-upload")
    app.model.landing.join(PATIENCE_S)
    assert "This plan has landed." in text(part(app, "nk-landing"))
    evidence = part(app, "nk-evidence")
    assert f"The project: <code>{tmp_path / 'project'}</code>" in text(evidence)
    assert len(part(app, "nk-landed").model.rows) == 2
    lists = [holder(app, part(app, name)) for name in ("nk-landed", "nk-proved")]
    assert [is_shown(one) for one in lists] == [True, False]
    press(app, "nk-verify")
    app.model.checking.join(PATIENCE_S)
    assert "Proof: verified; 1 volume and 2 objects" in text(evidence)
    assert len(part(app, "nk-proved").model.rows) == 3
    assert text(evidence).count("Saved: ") == 4


def test_a_finding_is_mended_in_the_list_and_the_plan_is_made_anew(tmp_path: Path) -> None:
    source = write_planes(tmp_path / "planes", ("axl", "cor"))
    app = widgets.Uploader(source, nk.ProjectFolder(tmp_path / "project", "knees"))
    app.model.plan().join(PATIENCE_S)
    assert part(app, "nk-plan-parts").titles[3] == "✖ Findings (1)"
    assert "1 error in the way: see Findings." in text(part(app, "nk-planning"))
    assert part(app, "nk-upload").disabled
    assert not [one for one in parts(app) if "nk-list" in getattr(one, "_dom_classes", ())]
    part(app, "nk-plan-parts").selected_index = 3
    app.model.findings.select(0)
    assert [button.description for button in part(app, "nk-offers").children] == [
        "Land the planes that are there",
        "Accept as it is",
    ]
    press(app, "nk-offer")  # shows before and after
    app.model.mending.task.join(PATIENCE_S)
    press(app, "nk-take")
    app.model.join()
    assert part(app, "nk-plan-parts").titles[3] == "Findings (1)"
    assert [found.code for found in app.model.planned.findings] == ["planes-fewer"]
    assert not part(app, "nk-upload").disabled


def test_a_proof_with_accepted_errors_is_marked_and_never_green(tmp_path: Path) -> None:
    source = write_planes(tmp_path / "planes", ("axl", "cor"))
    target = nk.ProjectFolder(tmp_path / "project", "knees")
    app = widgets.Uploader(source, target, waive=["planes-incomplete"])
    for begin in (app.model.plan, app.model.upload, app.model.verify):
        begin().join(PATIENCE_S)
    evidence = part(app, "nk-evidence")
    for name in ("nk-receipt", "nk-proof"):
        line = part(evidence, name)
        assert "nk-warning" in line._dom_classes
        assert "landed with accepted errors (planes-incomplete)" in line.value
    styles = [getattr(one, "bar_style", "") for one in parts(app)]
    assert "success" not in styles
    greens = [one for one in parts(app) if "nk-good" in getattr(one, "_dom_classes", ())]
    assert not any(is_shown(one) for one in greens)
    app.model.source.path = "elsewhere"
    assert part(evidence, "nk-proof")._dom_classes == ("nk-text", "nk-proof")


def test_the_choice_of_existing_is_linked_both_ways(app: Any) -> None:
    choice = part(app, "nk-existing")
    choice.value = "replace"
    assert app.model.existing == "replace"
    app.model.existing = "skip"
    assert choice.value == "skip"


def test_what_is_there_is_shown(source: Path, tmp_path: Path) -> None:
    target = nk.ProjectFolder(tmp_path / "project", "knees")
    land(source, target)
    app = widgets.Uploader(source, target)
    app.model.plan().join(PATIENCE_S)
    there = part(app, "nk-there-already")
    assert "error: the upload will be refused" in text(there)
    part(app, "nk-existing").value = "append"
    assert "append: 2 objects will stay beside the new ones." in text(there)


def test_a_plan_of_another_target_is_marked(app: Any, tmp_path: Path) -> None:
    app.model.plan().join(PATIENCE_S)
    app.model.target.folder.choose(tmp_path / "other", "knees")
    assert "The plan was for another choice: make it again." in text(part(app, "nk-planning"))
    assert part(app, "nk-plan-parts").layout.display == "none"


def test_an_upload_that_failed_goes_on(
    app: Any, monkeypatch: pytest.MonkeyPatch, source: Path
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise TargetError("the disk is full")

    app.model.plan().join(PATIENCE_S)
    with monkeypatch.context() as context:
        context.setattr(nk.ProjectFolder, "write", refuse)
        press(app, "nk-upload")
        with pytest.raises(TargetError):
            app.model.landing.join(PATIENCE_S)
    landing = part(app, "nk-landing")
    assert "the disk is full" in text(landing)
    assert "Press Upload again: it goes on from there" in text(landing)
    later = widgets.Uploader(source, app.model.target.target)
    assert " stopped at item 1 of 1: make the plan, then" in text(part(later, "nk-landing"))
    later.model.plan().join(PATIENCE_S)
    assert " stopped at item 1 of 1: Upload goes on" in text(part(later, "nk-landing"))
    press(later, "nk-upload")
    assert later.model.landing.join(PATIENCE_S) is not None


def test_annotations_ask_what_says_their_volume(tmp_path: Path, source: Path) -> None:
    target = nk.ProjectFolder(tmp_path / "project", "knees")
    receipt = land(source, target)
    masks = write_annotations(tmp_path / "masks", receipt.items[0].volume.id)
    app = widgets.Uploader(masks, target)
    pairing = part(app, "nk-pairing")
    row = next(one for one in parts(app) if pairing in getattr(one, "children", ()))
    assert not is_shown(row)
    app.model.plan().join(PATIENCE_S)
    assert is_shown(row)
    pairing.value = "match"
    assert app.model.pairing == "match"


def test_markup_in_names_is_shown_as_text(tmp_path: Path) -> None:
    source = write_volumes(tmp_path / f"s{EVIL}", {"A": {EVIL: (1,)}})
    target = nk.ProjectFolder(tmp_path / f"p{EVIL}", f"d{EVIL}")
    app = widgets.Uploader(source, target)
    app.model.plan().join(PATIENCE_S)
    app.model.upload().join(PATIENCE_S)
    app.model.verify().join(PATIENCE_S)
    assert "onerror" in text(app)
    assert "<img" not in text(app)


# The target


def test_the_folder_follows_what_is_typed(app: Any, tmp_path: Path) -> None:
    folder = part(app, "nk-folder")
    path, dataset = part(folder, "nk-path"), part(folder, "nk-dataset")
    assert (path.value, dataset.value) == (str(tmp_path / "project"), "knees")
    assert "A new project will be made here." in text(folder)
    path.value = f"{tmp_path / 'other'} "
    dataset.value = "knees_mask"
    assert app.model.target.folder.path == str(tmp_path / "other")
    assert path.value.endswith(" ")
    assert "the SDK would not see it" in text(part(app, "nk-target"))
    app.model.target.folder.choose(tmp_path / "third", "hips")
    assert (path.value, dataset.value) == (str(tmp_path / "third"), "hips")


def test_the_form_of_a_target_stays_open_while_it_is_filled_in(source: Path, app: Any) -> None:
    for one, is_open in ((widgets.Uploader(source), True), (app, False)):
        form = parts_of_form(one)
        part(one, "nk-folder").children[0].value = "/data/p"
        assert is_shown(form) == is_open


def parts_of_form(app: Any) -> Any:
    """Return what the line of a target folds away."""
    (folded,) = (one for one in parts(app) if part(app, "nk-kind") in grandchildren(one))
    return folded.children[1]


def grandchildren(view: Any) -> list[Any]:
    return [two for one in getattr(view, "children", ()) for two in getattr(one, "children", ())]


def test_datasets_that_are_there_are_offered(source: Path, tmp_path: Path) -> None:
    target = nk.ProjectFolder(tmp_path / "project", "knees")
    land(source, target)
    app = widgets.Uploader(source, target)
    assert part(app, "nk-dataset").options == ("knees",)


def test_the_kind_of_target_is_chosen(app: Any, source: Path) -> None:
    kind = part(app, "nk-kind")
    assert [value for _, value in kind.options] == ["folder", "instance"]
    kind.value = "instance"
    assert app.model.target.kind == "instance"
    assert is_shown(part(app, "nk-instance"))
    assert not is_shown(part(app, "nk-folder"))
    assert "Connect to the instance." in text(part(app, "nk-target"))
    given = widgets.Uploader(source, object())
    assert part(given, "nk-kind").value == "given"
    assert "&lt;object object at" in part(given, "nk-given").value
    app.model.target.given, app.model.target.kind = object(), "given"
    assert part(app, "nk-kind").value == "given"


def test_places_are_chosen_and_made_by_hand(source: Path, platform: Platform) -> None:
    app = widgets.Uploader(source, api=lambda: api(platform))
    task = app.model.target.task
    part(app, "nk-kind").value = "instance"
    assert platform.requests == []
    press(app, "nk-connect")
    task.join(PATIENCE_S)
    view = part(app, "nk-instance")
    assert f"Connected to {platform.address}" in text(view)
    assert part(view, "nk-connect").description == "Connect again"
    assert part(view, "nk-make-project").disabled
    assert "Write the new project&#39;s name." in text(view)
    part(view, "nk-new-project").value = EVIL
    press(view, "nk-make-project")
    task.join(PATIENCE_S)
    project = part(view, "nk-project")
    assert [label for label, _ in project.options] == ["choose ...", f"{EVIL} (id {project.value})"]
    part(view, "nk-new-dataset").value = "left"
    press(view, "nk-make-dataset")
    task.join(PATIENCE_S)
    made = app.model.target.target
    assert part(view, "nk-dataset").value == made.dataset_id
    part(view, "nk-dataset").value = -1
    task.join(PATIENCE_S)
    assert app.model.target.target.dataset_id is None
    project.value = 0
    task.join(PATIENCE_S)
    assert app.model.target.target is None
    assert part(view, "nk-dataset").options == (("choose ...", 0),)
    assert "<img" not in text(app)
    assert platform.token not in everything(app)


def test_a_wrong_token_is_told_in_the_view_and_never_shown(
    source: Path, platform: Platform
) -> None:
    app = widgets.Uploader(source, api=lambda: api(platform, "planted-token"))
    part(app, "nk-kind").value = "instance"
    press(app, "nk-connect")
    with pytest.raises(TargetError) as caught:
        app.model.target.task.join(PATIENCE_S)
    view = part(app, "nk-instance")
    assert "the instance does not accept the token" in text(view)
    assert not part(view, "nk-connect").disabled
    seen = everything(app) + repr(caught.value) + str(caught.value.__cause__)
    assert platform.address in seen
    assert "planted-token" not in seen


def test_on_an_instance_the_project_is_a_link(
    source: Path, platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    app = widgets.Uploader(source, api=lambda: api(platform), out=tmp_path / "out")
    place = app.model.target.instance
    app.model.target.connect()
    place.make_project("knees")
    place.make_dataset("left")
    place.wait()
    app.model.plan().join(PATIENCE_S)
    app.model.upload().join(PATIENCE_S)
    link = f"{platform.address}/projects/{place.project}/datasets"
    assert f"<a href='{link}' target='_blank' rel='noopener noreferrer'>{link}</a>" in text(app)
    assert platform.token not in everything(app)


@pytest.mark.sly
@pytest.mark.usefixtures("sly")
def test_the_notebook_lands_on_an_instance_and_keeps_no_token(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.token = "planted-token-of-a-person"
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    (tmp_path / "data_samples").symlink_to(SAMPLES)
    given = {
        "SERVER_ADDRESS": platform.address,
        "API_TOKEN": platform.token,
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "NIFTI_KIT_SOURCE": "../data_samples/scores",
        "NIFTI_KIT_DATASET_ID": str(new_dataset(platform, new_project(platform))),
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(SAMPLES.parent / "notebooks" / "04_upload.ipynb", as_version=4)
    resources = {"metadata": {"path": str(notebooks)}}
    NotebookClient(notebook, resources=resources, store_widget_state=True).execute()
    assert len(platform.state.volumes) == 3
    assert notebook.metadata.widgets
    kept = nbformat.writes(notebook)
    assert f"{platform.address}/projects/" in kept
    files = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
    kept += "".join(path.read_text("latin-1") for path in files if path.suffix != ".nrrd")
    assert platform.token not in kept
