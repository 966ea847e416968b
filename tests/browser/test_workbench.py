"""The workbench: ten messy patients to a right project by mouse, without code or accepting."""

from __future__ import annotations

import shutil

import pytest

from tests.support.messy import NEW_CLASS, unlike, write_delivery
from tests.support.oracle import read_project

from .access import contrast, images_without_alt
from .opened import SAMPLES, expect

NOTEBOOK = "01_inspect.ipynb"
APP = ".nk-workbench"


@pytest.fixture(params=["lab", "voila"])
def open_app(request):
    """Open the notebook, and wait until every voxel was read."""

    def opened(**parameters):
        page = request.getfixturevalue(request.param).open(NOTEBOOK, **parameters)
        if request.param == "lab":
            page.run_all()
            page.page.keyboard.press("Escape")
        page.wait_for_text(f"{APP} .nk-onward-said", "8 errors to mend.")
        return page

    return opened


def turn(opened, tab):
    opened.find(f"{APP} .nk-bench-tabs > .lm-TabBar .lm-TabBar-tab").filter(has_text=tab).click()


def land(opened, project):
    """Choose a project, plan, upload and verify by the buttons."""
    opened.find(f"{APP} .nk-folder .nk-path input").fill(str(project))
    opened.find(f"{APP} .nk-folder .nk-dataset input").fill("d")
    expect(opened.find(f"{APP} .nk-plan")).to_be_enabled()
    opened.find(f"{APP} .nk-plan").click()
    expect(opened.find(f"{APP} .nk-upload")).to_be_enabled()
    opened.find(f"{APP} .nk-upload").click()
    expect(opened.find(f"{APP} .nk-verify")).to_be_enabled()
    opened.find(f"{APP} .nk-verify").click()
    opened.wait_for_text(f"{APP} .nk-proof", "Proof: verified")


def all_well(opened):
    seen = (opened.alerts, opened.requests_elsewhere, opened.console_errors, opened.kernel_errors)
    assert seen == ([], [], [], [])


def mend(opened, left):
    """Take the first thing that is offered for the finding that is chosen."""
    offer = opened.find(f"{APP} .nk-offers button").first
    expect(offer).not_to_have_text("Accept as it is")
    offer.click()
    take = opened.find(f"{APP} .nk-take")
    expect(take).to_be_enabled()
    take.click()
    said = f"{left} error" if left else "Choose where it lands."
    opened.wait_for_text(f"{APP} .nk-onward-said", said)


def test_ten_messy_patients_become_the_right_project_and_so_does_the_next_delivery(
    open_app, tmp_path
):
    truth = write_delivery(tmp_path / "first")
    opened = open_app(SOURCE=tmp_path / "first")
    opened.find(f"{APP} .nk-onward").click()
    opened.find(f"{APP} .nk-list tbody tr").first.click()
    for left in range(7, -1, -1):
        mend(opened, left)
    opened.find(f"{APP} .nk-list tbody tr").filter(has_text="value-without-class").click()
    opened.find(f"{APP} .nk-offers button").filter(has_text="Name the class").click()
    opened.find(f"{APP} .nk-option input").fill(NEW_CLASS)
    opened.find(f"{APP} .nk-look-offer").click()
    assert images_without_alt(opened.page, APP) == []
    expect(opened.find(f"{APP} .nk-take")).to_be_enabled()
    opened.screenshot("workbench-mend")
    assert contrast(opened.page, f"{APP} .nk-mending") >= 4.5
    opened.find(f"{APP} .nk-take").click()
    expect(opened.find(f"{APP} .nk-steps-table tbody tr")).to_have_count(9)
    opened.find(f"{APP} .nk-steps .nk-save").click()
    opened.wait_for_text(f"{APP} .nk-steps .nk-good", "Saved: ")
    opened.find(f"{APP} .nk-onward").click()
    land(opened, tmp_path / "p1")
    opened.screenshot("workbench-upload")
    all_well(opened)
    assert unlike(truth, read_project(tmp_path / "p1", "d")) == []

    truth = write_delivery(tmp_path / "second", 2)
    steps = opened.out / "01_inspect" / "steps.json"
    again = open_app(SOURCE=tmp_path / "second", OUT=tmp_path)
    turn(again, "Mend")
    again.find(f"{APP} .nk-replay").click()
    again.find(f"{APP} .nk-steps .nk-path input").fill(str(steps))
    again.find(f"{APP} .nk-steps .nk-load").click()
    again.wait_for_text(f"{APP} .nk-counts", "0 errors")
    turn(again, "Upload")
    land(again, tmp_path / "p2")
    all_well(again)
    assert unlike(truth, read_project(tmp_path / "p2", "d")) == []


def test_a_cell_corrected_on_the_way_through_the_five_tabs_lands(voila, tmp_path):
    source = shutil.copytree(SAMPLES / "scores", tmp_path / "in")
    table = source / "axl_score.csv"
    table.write_text(table.read_text().replace("3, 0.74, 0.92", "3, n/a, 0.92"))
    opened = voila.open(NOTEBOOK, SOURCE=source)
    opened.wait_for_text(f"{APP} .nk-onward-said", "1 error to mend.")
    opened.wait_for_text(f"{APP} .nk-bench-tabs > .lm-TabBar", "Mend (1 to mend)")
    opened.find(f"{APP} .nk-onward").click()
    opened.wait_for_text(f"{APP} .nk-list tbody", "n/a")
    turn(opened, "Scores")
    opened.find(f"{APP} .nk-heat tr[data-key='L3'] td[data-column='2']").dblclick()
    opened.page.keyboard.press("Control+a")
    opened.page.keyboard.type("0.11")
    opened.page.keyboard.press("Enter")
    opened.wait_for_text(f"{APP} .nk-scoring", "1 change.")
    turn(opened, "Match")
    opened.wait_for_text(f"{APP} > .nk-notice", "1 corrected table handed over.")
    opened.wait_for_text(f"{APP} .nk-bench-tabs", "there is nothing to match")
    opened.wait_for_text(f"{APP} .nk-onward-said", "Choose where it lands.")
    opened.find(f"{APP} .nk-onward").click()
    land(opened, tmp_path / "p")
    all_well(opened)
    scores = [str(one.custom_data) for one in read_project(tmp_path / "p", "d").objects]
    assert sum("0.11" in one for one in scores) == 1
    assert "n/a" in table.read_text()
