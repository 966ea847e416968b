"""The inspect notebook: slices, classes, findings, the board and its CSV, by mouse and keyboard."""

from __future__ import annotations

import numpy as np
import pytest
from builders import labels, write_nifti, write_planes

from .access import contrast, focus_order, images_without_alt
from .hostile import MARKUP, OTHER_MARKUP, hostile_dataset

NOTEBOOK = "01_inspect.ipynb"

APP = ".nk-inspect"

FIRST, SECOND, THIRD = (f"item_1_{plane}_anatomic.nrrd" for plane in ("axl", "cor", "sag"))


@pytest.fixture(params=["lab", "voila"])
def place(request):
    return request.param


@pytest.fixture
def server(place, request):
    return request.getfixturevalue(place)


def opened_in(place, server, **parameters):
    page = server.open(NOTEBOOK, **parameters)
    if place == "lab":
        page.run_all()
    page.page.locator(f"{APP} .nk-items tbody tr").first.wait_for()
    return page


@pytest.fixture
def opened(place, server):
    return opened_in(place, server)


def part(opened, name):
    """Turn to a part of the app."""
    opened.find(
        f"{APP} .nk-parts .lm-TabBar-tab",
    ).filter(has_text=name).click()


def wait_for_text(opened, selector, text):
    found = opened.find(selector).first
    opened.wait_for(lambda: text in found.inner_text(), f"{text!r} in {selector}")


def faulty(folder):
    """Two planes of three, the axial mask without its header."""
    write_planes(folder, ("axl", "cor"))
    write_nifti(folder / "axl_inference.nii.gz", labels(), np.eye(4))
    return folder


def is_quiet(opened):
    """No script ran, nothing was asked for elsewhere, and nothing went wrong unseen."""
    seen = (opened.alerts, opened.requests_elsewhere, opened.kernel_errors, opened.console_errors)
    return seen == ([], [], [], [])


def test_slices_move_by_keyboard_and_a_class_is_hidden(opened):
    axial = opened.find(f"{APP} .nk-slice input").first
    before = int(axial.input_value())
    stage = opened.find(f"{APP} .nk-stage").first
    stage.focus()
    opened.page.keyboard.press("ArrowUp")
    opened.wait_for(lambda: axial.input_value() == str(before + 1), "the next slice")
    opened.page.keyboard.press("End")
    opened.wait_for(lambda: axial.input_value() == "18", "the last slice")
    picture = opened.find(f"{APP} .nk-stage-picture").first
    drawn = picture.get_attribute("src")
    legend = opened.find(f"{APP} .nk-legend-row").filter(has_text="Femurs").first
    legend.locator("input").uncheck()
    wait_for_text(opened, f"{APP} .nk-viewer", "5 of 6 classes shown")
    opened.wait_for(lambda: picture.get_attribute("src") != drawn, "another picture")
    assert is_quiet(opened)


def test_an_item_is_chosen_by_arrow_keys_and_letters_do_not_edit_the_notebook(opened, place):
    rows = opened.find(f"{APP} .nk-items tbody tr")
    assert rows.count() == 9
    rows.first.focus()
    for key in ("ArrowDown", "ArrowDown", "Enter"):
        opened.page.keyboard.press(key)
    wait_for_text(opened, f"{APP} .nk-chosen", THIRD)
    opened.find(f'{APP} .nk-items tr[data-key="{THIRD}"][aria-selected="true"]').wait_for()
    cells = len(opened.cells()) if place == "lab" else 0
    for key in "xddbm":  # cut, delete, new cell, markdown: JupyterLab's keys
        opened.page.keyboard.press(key)
    opened.find(f"{APP} .nk-read").focus()
    for key in "xddbm":
        opened.page.keyboard.press(key)
    assert (len(opened.cells()) if place == "lab" else 0) == cells
    shown = opened.find(f"{APP} .nk-file option:checked").first
    opened.wait_for(lambda: shown.inner_text().endswith("sag_anatomic.nii.gz"), "its header")


def test_findings_are_filtered_accepted_and_lead_to_their_item(place, server, tmp_path):
    opened = opened_in(place, server, SOURCE=faulty(tmp_path))
    part(opened, "Findings")
    wait_for_text(opened, f"{APP} .nk-counts", "2 errors")
    opened.find(f'{APP} .nk-list select[data-column="severity"]').select_option("error")
    wait_for_text(opened, f"{APP} .nk-list .nk-count", "2 of ")
    opened.find(f"{APP} .nk-list .nk-search").fill("header lost")
    wait_for_text(opened, f"{APP} .nk-list .nk-count", "1 of ")
    opened.find(f"{APP} .nk-list tbody tr").first.click()
    wait_for_text(
        opened, f"{APP} .nk-detail", "What to do: If the voxels are in the volume's order"
    )
    picture = opened.find(f"{APP} .nk-detail img")
    assert "Cyan, dashed: where it would be" in picture.get_attribute("alt")

    box = opened.find(f'{APP} .nk-codes tr[data-key="mask-header-lost"] input[type="checkbox"]')
    assert box.get_attribute("aria-label") == "Accept: mask-header-lost"
    box.focus()
    opened.page.keyboard.press("Space")
    wait_for_text(opened, f"{APP} .nk-counts", "1 error, ")
    wait_for_text(opened, f"{APP} .nk-counts", "1 accepted")
    opened.find(f'{APP} .nk-list select[data-column="severity"]').select_option("")
    wait_for_text(opened, f"{APP} .nk-list tbody", "error (accepted)")

    opened.find(f"{APP} .nk-list tbody tr").filter(has_text="header lost").click()
    opened.find(f"{APP} .nk-jump").click()
    opened.find(f"{APP} .nk-items tbody tr").first.wait_for()
    wait_for_text(opened, f"{APP} .nk-alignments", "header lost")
    assert is_quiet(opened)


def test_items_are_marked_by_key_and_mouse_and_the_marks_are_on_disk(opened):
    part(opened, "Board")
    cards = opened.find(f"{APP} .nk-card")
    opened.find(f"{APP} .nk-card img").nth(8).wait_for()
    assert opened.find(f"{APP} .nk-card img").first.get_attribute("alt") == (
        f"{FIRST}: Axial slice 1 (0 to 18) with "
        "Hip bones, Femurs, Sacrum, Urinary bladder, Gluteal muscles, Prostate."
    )
    cards.first.focus()
    opened.page.keyboard.press("p")
    wait_for_text(opened, f"{APP} .nk-board .nk-count", "1 pass, 0 fail")
    opened.page.keyboard.press("ArrowRight")
    opened.page.keyboard.press("f")
    wait_for_text(opened, f"{APP} .nk-board .nk-count", "1 pass, 1 fail")
    cards.nth(2).locator('input[value="?"]').check()
    wait_for_text(opened, f"{APP} .nk-board .nk-count", "1 pass, 1 fail, 1 unsure, 6 unmarked")
    opened.find(f"{APP} .nk-board-view .nk-save").click()
    wait_for_text(opened, f"{APP} .nk-board-view .nk-good", "Saved: ")
    saved = (opened.out / "01_inspect" / "marks.csv").read_text("utf-8").splitlines()
    assert saved[:5] == [
        "item,mark",
        f"{FIRST},pass",
        f"{SECOND},fail",
        f"{THIRD},?",
        "item_2_axl_anatomic.nrrd,",
    ]
    assert is_quiet(opened)


def test_the_marks_of_an_earlier_run_are_shown_again(place, server):
    folder = server.runs.new()
    marks = folder / "out" / "01_inspect" / "marks.csv"
    marks.parent.mkdir(parents=True)
    marks.write_text(f"item,mark\n{SECOND},fail\ngone.nrrd,pass\n")
    opened = server.open(NOTEBOOK, folder=folder)
    if place == "lab":
        opened.run_all()
    part(opened, "Board")
    wait_for_text(opened, f"{APP} .nk-board .nk-count", "0 pass, 1 fail")
    assert opened.find(f'{APP} .nk-card[data-item="{SECOND}"]').get_attribute("data-mark") == "fail"
    assert marks.read_text("utf-8").endswith("gone.nrrd,pass\n")


def test_classes_are_listed_with_voxels_and_volumes(opened):
    part(opened, "Classes")
    row = opened.find(f'{APP} .nk-classes tr[data-key="Prostate"] td')
    row.first.wait_for()
    assert row.all_inner_texts() == ["6", "Prostate", "#E682C8", "471", "38151", "3"]


def test_another_source_is_read_after_a_wrong_path_was_told(opened):
    path = opened.find(f"{APP} .nk-source .nk-path input")
    path.fill("../data_samples/none")
    wait_for_text(
        opened, f"{APP} .nk-source", "There is no such file or folder: ../data_samples/none"
    )
    assert opened.find(f"{APP} .nk-read").is_disabled()
    opened.find(f"{APP} .nk-samples select").select_option("sample by_volume")
    opened.wait_for(lambda: opened.find(f"{APP} .nk-read").is_enabled(), "Read is enabled")
    opened.find(f"{APP} .nk-read").press("Enter")
    wait_for_text(opened, f"{APP} .nk-summary", "Layout by_volume: 3 items")
    wait_for_text(opened, f"{APP} .nk-summary", "headers read, no voxel yet")
    part(opened, "Classes")
    wait_for_text(opened, f"{APP} .nk-no-classes", "Read every voxel to count them.")
    opened.find(f"{APP} .nk-look").click()
    wait_for_text(opened, f"{APP} .nk-summary", "every voxel read")
    wait_for_text(opened, f"{APP} .nk-classes", "gallbladder")
    assert is_quiet(opened)


def test_names_with_markup_run_no_script_in_any_part(place, server, tmp_path):
    opened = opened_in(place, server, SOURCE=hostile_dataset(tmp_path))
    for name in ("Findings", "Classes", "Board", "Items"):
        part(opened, name)
        if name == "Findings":
            opened.find(f"{APP} .nk-list tbody tr").first.click()
            wait_for_text(opened, f"{APP} .nk-detail", "What to do:")
        if name == "Classes":
            wait_for_text(opened, f"{APP} .nk-classes", OTHER_MARKUP)
        if name == "Board":
            opened.find(f"{APP} .nk-card img").nth(2).wait_for()
            assert MARKUP in opened.find(f"{APP} .nk-card").first.inner_text()
            opened.find(f"{APP} .nk-save").last.click()
            wait_for_text(opened, f"{APP} .nk-board-view .nk-good", "Saved: ")
    assert opened.find(f'{APP} img[src="x"], {APP} svg[onload]').count() == 0
    assert is_quiet(opened)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_can_be_read_and_used_without_eyes_or_mouse(place, server, theme):
    opened = server.open(NOTEBOOK, theme=theme)
    if place == "lab":
        opened.run_all()
    for name, seen in (
        ("Items", ".nk-items td"),
        ("Findings", ".nk-list td span"),
        ("Classes", ".nk-classes td"),
        ("Board", ".nk-card legend"),
    ):
        part(opened, name)
        opened.find(f"{APP} {seen}").first.wait_for()
        if name == "Board":  # each picture that arrives makes the cards anew
            opened.find(f"{APP} .nk-card img").nth(8).wait_for()
        assert contrast(opened.page, f"{APP} {seen}") >= 4.5
        assert images_without_alt(opened.page, APP) == []
        opened.screenshot(f"01_inspect-{place}-{theme}-{name.lower()}")
    stops = focus_order(opened.page, APP)
    assert [stop for stop in stops if stop.endswith(": ")] == []
    wanted = ["textbox: Source:", "button: Read", "combobox: Show", "button: Load"]
    assert [stop for stop in stops if stop in wanted] == wanted
