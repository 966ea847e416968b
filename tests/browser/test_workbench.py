"""The workbench: ten messy patients to a right project by mouse, without code or accepting."""

from __future__ import annotations

import pytest

from tests.support.messy import NEW_CLASS, unlike, write_delivery
from tests.support.oracle import read_project

from .access import contrast, images_without_alt
from .opened import expect

NOTEBOOK = "08_workbench.ipynb"
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


def land(opened):
    """Plan, upload and verify by the buttons."""
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
    opened.wait_for_text(f"{APP} .nk-onward-said", f"{left} error" if left else "make the plan")


def test_ten_messy_patients_become_the_right_project_and_so_does_the_next_delivery(
    open_app, tmp_path
):
    truth = write_delivery(tmp_path / "first")
    opened = open_app(SOURCE=tmp_path / "first", PROJECT=tmp_path / "p1", DATASET="d")
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
    opened.screenshot("08_workbench-mend")
    assert contrast(opened.page, f"{APP} .nk-mending") >= 4.5
    opened.find(f"{APP} .nk-take").click()
    expect(opened.find(f"{APP} .nk-steps-table tbody tr")).to_have_count(9)
    opened.find(f"{APP} .nk-steps .nk-save").click()
    opened.wait_for_text(f"{APP} .nk-steps .nk-good", "Saved: ")
    opened.find(f"{APP} .nk-onward").click()
    land(opened)
    opened.screenshot("08_workbench-upload")
    all_well(opened)
    assert unlike(truth, read_project(tmp_path / "p1", "d")) == []

    truth = write_delivery(tmp_path / "second", 2)
    steps = opened.out / "08_workbench" / "steps.json"
    again = open_app(
        SOURCE=tmp_path / "second", PROJECT=tmp_path / "p2", DATASET="d", TAB="mend", OUT=tmp_path
    )
    again.find(f"{APP} .nk-replay").click()
    again.find(f"{APP} .nk-steps .nk-path input").fill(str(steps))
    again.find(f"{APP} .nk-steps .nk-load").click()
    again.wait_for_text(f"{APP} .nk-counts", "0 errors")
    turn(again, "Upload")
    land(again)
    all_well(again)
    assert unlike(truth, read_project(tmp_path / "p2", "d")) == []
