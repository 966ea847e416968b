"""The upload notebook: judge, land, cancel, go on and prove, by mouse and keyboard."""

from __future__ import annotations

import json
import shutil

import nbformat
import pytest

import nifti_kit as nk

from .access import contrast, focus_order, images_without_alt
from .hostile import MARKUP, OTHER_MARKUP, hostile_dataset
from .opened import SAMPLES, expect
from .serving import CHECKOUT

NOTEBOOK = "04_upload.ipynb"

APP = ".nk-uploader"

BENCH = ".nk-workbench"

SLOW_TARGET = '''
import time


class Slow(nk.ProjectFolder):
    """The second volume says that it has come, and waits until the test lets it go."""

    def write(self, job, *options, **more):
        come, go = self.path.with_name("come"), self.path.with_name("go")
        if (self.path / self.dataset / "ann").is_dir() and not go.exists():
            come.touch()
            while not go.exists():
                time.sleep(0.01)
        return super().write(job, *options, **more)


target = Slow(PROJECT, dataset=DATASET)
'''
"""Stands behind the notebook's target; it waits for a file: no test has to be quick."""


@pytest.fixture(params=["lab", "voila"])
def place(request):
    return request.param


@pytest.fixture
def open_app(place, request):
    """Open the notebook, or another, and run it without an upload."""

    def opened(notebook=NOTEBOOK, **parameters):
        page = request.getfixturevalue(place).open(notebook, START="no", **parameters)
        if place == "lab":
            page.run_all()
            page.page.keyboard.press("Escape")  # not typed into the notebook
        return page

    return opened


def open_tab(opened, at):
    opened.find(f"{APP} .nk-plan-parts .lm-TabBar-tab, {APP} .nk-plan-parts .p-TabBar-tab").nth(
        at
    ).click()


def all_well(opened):
    assert opened.alerts == []
    assert opened.requests_elsewhere == []
    assert opened.console_errors == []
    assert opened.kernel_errors == []


def objects_in(project, dataset):
    target = nk.ProjectFolder(project, dataset=dataset)
    return {volume.name: len(target.objects(volume.id)) for volume in target.volumes()}


def go_on(opened, tab):
    """Press the button of the line above the tabs, as soon as it leads there."""
    button = opened.find(f"{BENCH} .nk-onward")
    expect(button).to_have_text(f"Go to {tab}")
    expect(button).to_be_visible()
    button.press("Enter")


def accept_by_keyboard(opened):
    """Accept the one finding that is in the way, with a reason, and come back."""
    opened.wait_for_text(f"{BENCH} .nk-bench-tabs > .lm-TabBar", "Mend (1 to mend)")
    go_on(opened, "Mend")
    opened.find(f"{BENCH} .nk-list tbody tr:visible").first.press("Enter")
    opened.find(f"{BENCH} .nk-offers button").filter(has_text="Accept as it is").focus()
    opened.page.keyboard.press("Enter")
    opened.find(f"{BENCH} .nk-option input").fill("two planes were ordered")
    for name in ("nk-look-offer", "nk-take"):
        expect(opened.find(f"{BENCH} .{name}")).to_be_enabled()
        opened.find(f"{BENCH} .{name}").focus()
        opened.page.keyboard.press("Enter")
    go_on(opened, "Upload")
    expect(opened.find(".nk-upload")).to_be_enabled()


def plan_for(opened, dataset):
    """Type the name of another dataset, and make the plan again by the keyboard."""
    opened.find(".nk-dataset input").fill(dataset)
    opened.wait_for_text(".nk-upload-blockers", "Make the plan again")
    expect(opened.find(".nk-plan")).to_be_enabled()
    opened.find(".nk-plan").focus()
    opened.page.keyboard.press("Enter")
    expect(opened.find(".nk-upload")).to_be_enabled()


def verify_by_keyboard(opened):
    """Press Verify, and return the files of receipt and proof that the page names."""
    expect(opened.find(".nk-verify")).to_be_enabled()
    opened.find(".nk-verify").focus()
    opened.page.keyboard.press("Enter")
    opened.wait_for_text(".nk-evidence .nk-saved", "proof_")
    lines = opened.find(".nk-evidence .nk-saved li").all_inner_texts()
    paths = [opened.path.parent / line.removeprefix("Saved: ") for line in lines]
    return {path.name.split("_")[0]: path for path in paths if path.suffix == ".json"}


def test_a_finding_is_accepted_everything_lands_and_is_proved(open_app, place, tmp_path):
    source = tmp_path / "two_planes"
    shutil.copytree(SAMPLES / "scores", source, ignore=shutil.ignore_patterns("sag_*"))
    opened = open_app(SOURCE=source)
    project = opened.out / "04_upload" / "project"
    expect(opened.find(".nk-upload")).to_be_disabled()
    opened.wait_for_text(".nk-upload-blockers", "planes-incomplete: 1 error in the way.")
    accept_by_keyboard(opened)
    expect(opened.find(".nk-upload-blockers")).to_be_hidden()

    opened.find(".nk-target .nk-fold").click()
    opened.find(".nk-dataset input").fill("knees_mask")
    opened.wait_for_text(".nk-target .nk-notice", "the SDK would not see it")
    expect(opened.find(".nk-plan")).to_be_disabled()
    plan_for(opened, "knees")
    opened.wait_for_text(".nk-planning .nk-summary", "2 volumes, 8 objects, 4 classes, 40 scores.")
    open_tab(opened, 0)
    opened.wait_for_text(f"{APP} .nk-items tbody", "axl_anatomic.nrrd")
    assert not project.exists()

    opened.find(".nk-upload").click()
    opened.wait_for_text(".nk-landing", "done, 100%")
    assert objects_in(project, "knees") == {"axl_anatomic.nrrd": 4, "cor_anatomic.nrrd": 4}
    opened.wait_for_text(".nk-landed tbody", "Segment_4")
    files = verify_by_keyboard(opened)
    opened.wait_for_text(".nk-proof", "Proof: verified; 2 volumes and 8 objects")
    opened.wait_for_text(".nk-proved tbody", "as meant")
    opened.wait_for_text(".nk-link", str(project))
    assert json.loads(files["proof"].read_text())["ok"] is True
    landed = json.loads(files["receipt"].read_text())
    assert [found["waived"] for found in landed["findings"]] == [True]
    assert [one["reason"] for one in landed["waivers"]] == ["two planes were ordered"]
    assert images_without_alt(opened.page, APP) == []
    opened.screenshot(f"04_upload-{place}")
    all_well(opened)


@pytest.mark.parametrize("place", ["voila"])
def test_a_cancelled_upload_goes_on_where_it_ended(open_app, tmp_path):
    notebook = nbformat.read(CHECKOUT / "notebooks" / NOTEBOOK, as_version=4)
    (cell,) = (cell for cell in notebook.cells if "\napp = " in cell.source)
    cell.source = cell.source.replace("\napp = ", f"{SLOW_TARGET}\napp = ")
    opened = open_app(notebook, PROJECT=tmp_path / "project")
    expect(opened.find(".nk-target .nk-fold")).to_be_visible()
    opened.find(".nk-upload").click()
    opened.wait_for((tmp_path / "come").exists, "the second volume is on its way")
    expect(opened.find(".nk-upload")).to_be_disabled()
    expect(opened.find(".nk-plan")).to_be_disabled()
    opened.find(".nk-landing .nk-cancel").click()
    opened.wait_for_text(".nk-landing", "cancelling")
    (tmp_path / "go").touch()
    opened.wait_for_text(".nk-landing", "Cancelled.")
    opened.wait_for_text(".nk-outcome", "1 of 3 volumes has landed whole, and stays.")
    assert objects_in(tmp_path / "project", "chest") == {"axl_anatomic.nrrd": 13}
    assert len(list((tmp_path / "project.journals").iterdir())) == 1
    first = (tmp_path / "project" / "chest" / "volume" / "axl_anatomic.nrrd").stat().st_mtime_ns

    expect(opened.find(".nk-upload")).to_be_enabled()
    opened.find(".nk-upload").focus()
    opened.page.keyboard.press("Enter")
    opened.wait_for_text(".nk-landing", "done, 100%")
    names = [f"{plane}_anatomic.nrrd" for plane in ("axl", "cor", "sag")]
    assert objects_in(tmp_path / "project", "chest") == dict.fromkeys(names, 13)
    again = (tmp_path / "project" / "chest" / "volume" / "axl_anatomic.nrrd").stat().st_mtime_ns
    assert again == first
    assert not (tmp_path / "project.journals").exists()
    expect(opened.find(".nk-verify")).to_be_enabled()
    opened.find(".nk-verify").click()
    opened.wait_for_text(".nk-proof", "Proof: verified; 3 volumes and 39 objects")
    all_well(opened)


@pytest.mark.parametrize("place", ["voila"])
def test_what_is_there_is_met_as_the_person_chooses(open_app, tmp_path):
    plan = nk.plan(nk.scan(SAMPLES / "scores"))
    target = nk.ProjectFolder(tmp_path / "project", dataset="knee")
    nk.upload(plan, target, on_progress=str)
    opened = open_app(
        SOURCE=SAMPLES / "scores", PROJECT=target.path, DATASET="knee", EXISTING="error"
    )
    there = ".nk-there-already .nk-notice"
    opened.wait_for_text(there, "3 volumes of the same name and 12 objects of the same classes")
    opened.wait_for_text(there, "error: the upload will be refused")
    opened.find(".nk-existing label").filter(has_text="replace:").click()
    opened.wait_for_text(there, "replace: 12 objects will go, and be kept in a folder aside.")
    opened.wait_for_text(".nk-replacing", "What existing='replace' would change: none.")
    opened.find(".nk-upload").click()
    opened.wait_for_text(".nk-receipt", "12 replaced, kept in ")
    expect(opened.find(".nk-show-since")).to_be_enabled()
    opened.find(".nk-show-since").focus()
    opened.page.keyboard.press("Enter")
    opened.wait_for_text(".nk-since", "Changes since the upload: none.")
    assert sum(objects_in(target.path, "knee").values()) == 12
    kept = tmp_path / "project.replaced"
    assert len(list(kept.rglob("*.json"))) == 3
    all_well(opened)


@pytest.mark.parametrize("place", ["lab"])
def test_names_with_markup_run_no_script(open_app, tmp_path):
    opened = open_app(
        SOURCE=hostile_dataset(tmp_path), PROJECT=tmp_path / f"{MARKUP} p", DATASET=MARKUP
    )
    for at in range(4):
        open_tab(opened, at)
    expect(opened.find(".nk-upload")).to_be_enabled()
    opened.find(".nk-upload").click()
    opened.wait_for_text(".nk-landing", "done, 100%")
    expect(opened.find(".nk-verify")).to_be_enabled()
    opened.find(".nk-verify").click()
    opened.wait_for_text(".nk-proof", "; 3 volumes and 6 objects, ")
    opened.wait_for_text(".nk-link", MARKUP)
    opened.wait_for_text(".nk-landed tbody", OTHER_MARKUP)
    assert len(objects_in(tmp_path / f"{MARKUP} p", MARKUP)) == 3
    assert opened.find('img[src="x"], svg[onload]').count() == 0
    all_well(opened)


def test_texts_stand_out_and_controls_have_names(lab):
    opened = lab.open(NOTEBOOK)
    opened.run_all()
    stops = focus_order(opened.page, BENCH)
    # A row of a table is read by its cells.
    assert [stop for stop in stops if stop.endswith(": ")] == []
    order = ["button: Source: by_plane_semantic (change)", "button: Make the plan"]
    assert [stop for stop in stops if stop in order] == order
    parts = ("td", "th button", ".nk-table select", ".nk-action", ".nk-text div", "li", "label")
    for theme in ("light", "dark"):
        opened.use_theme(theme)
        for part in parts:
            assert contrast(opened.page, f"{APP} {part}:not(:disabled)") >= 4.5, (theme, part)
        opened.screenshot(f"04_upload-{theme}")
