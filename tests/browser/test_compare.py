"""The compare notebook: rows, linked pictures, another side, a report, by mouse and keyboard."""

from __future__ import annotations

import json
import re

import pytest

from .access import contrast, focus_order, images_without_alt
from .opened import expect

NOTEBOOK = "07_compare.ipynb"

APP = ".nk-compare"

STAGE = f"{APP} .nk-stage"


@pytest.fixture(params=["lab", "voila"])
def place(request):
    return request.param


@pytest.fixture
def opened(place, request):
    page = request.getfixturevalue(place).open(NOTEBOOK)
    if place == "lab":
        page.run_all()
        page.page.keyboard.press("Escape")  # not typed into the notebook
    page.find(STAGE).wait_for()
    return page


def all_well(opened):
    assert opened.alerts == []
    assert opened.requests_elsewhere == []
    assert opened.console_errors == []
    assert opened.kernel_errors == []


@pytest.mark.parametrize("place", ["voila"])
def test_rows_are_gone_through_and_nothing_of_an_old_side_stays(opened):
    rows = opened.find(f"{APP} .nk-list tbody tr")
    expect(rows).to_have_count(5)
    picture = opened.find(f"{STAGE} img")
    before = picture.get_attribute("src")

    # By the keyboard: the last row is the least, the liver that moved.
    rows.first.focus()
    for _ in range(4):
        opened.page.keyboard.press("ArrowDown")
    opened.page.keyboard.press("Enter")
    opened.wait_for_text(f"{APP} .nk-detail", "the same in another place, 1 voxel to R")
    expect(picture).not_to_have_attribute("src", before)
    expect(picture).to_have_attribute("alt", re.compile("CTChest.nrrd: .*sagittal slice 101"))
    opened.find(STAGE).focus()
    opened.page.keyboard.press("ArrowUp")
    expect(picture).to_have_attribute("alt", re.compile("sagittal slice 102"))
    opened.page.keyboard.press("3")

    # By the mouse: the swapped labels, and both classes of them.
    rows.filter(has_text="spleen").first.click()
    opened.wait_for_text(f"{APP} .nk-detail", "all its voxels in a are stomach in b")
    opened.wait_for_text(f"{APP} .nk-legend", "4 of 14 classes shown")
    three = opened.find(f"{APP} .nk-viewer-arrangement button").filter(has_text="three planes")
    wide = picture.evaluate("image => image.naturalHeight")
    three.click()
    opened.wait_for(
        lambda: picture.evaluate("image => image.naturalHeight") > wide, "three rows of planes"
    )
    opened.find(f"{APP} .nk-saving .nk-path input").fill("../out/07_compare/rows.json")
    opened.find(f"{APP} .nk-saving .nk-save").click()
    opened.wait_for_text(f"{APP} .nk-saving .nk-good", "Saved: ")
    saved = json.loads((opened.out / "07_compare" / "rows.json").read_text())
    assert len(saved["rows"]) == 5

    # Another side: what was found of the old one is gone, and the same set gives no row.
    opened.find(f"{APP} .nk-side-b .nk-fold").first.click()
    opened.find(f"{APP} .nk-side-b .nk-source .nk-path input").fill("../data_samples/by_volume")
    expect(rows).to_have_count(0)
    expect(opened.find(STAGE)).to_have_count(0)
    opened.wait_for_text(f"{APP} .nk-summary", "Nothing is compared yet.")
    opened.find(f"{APP} .nk-run-compare").focus()
    opened.page.keyboard.press("Enter")
    opened.wait_for_text(f"{APP} .nk-summary", "Comparison of 3 volumes: identical.")
    all_well(opened)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_stand_out_and_controls_have_names(lab, theme):
    opened = lab.open(NOTEBOOK, theme=theme)
    opened.run_all()
    opened.find(STAGE).wait_for()
    for part in ("td span", "th button", ".nk-action", ".nk-text div", "label", ".nk-fields td"):
        assert contrast(opened.page, f"{APP} {part}:not(:disabled)") >= 4.5, part
    assert images_without_alt(opened.page, APP) == []
    opened.screenshot(f"07_compare-{theme}")
    if theme == "light":
        stops = focus_order(opened.page, APP)
        assert [stop for stop in stops if stop.endswith(": ")] == []
        assert opened.find(f"{APP} [role=group][aria-label='Side b']").count() == 1
        order = ["button: Compare", "application: Linked planes", "slider: Axial I", "button: Save"]
        assert [stop for stop in stops if stop in order] == order
