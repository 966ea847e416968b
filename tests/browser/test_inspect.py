"""The inspect notebook and its app: slices, classes, findings, the board, by mouse and keyboard."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.support.builders import labels, write_nifti, write_planes

from .access import contrast, focus_order, images_without_alt
from .hostile import MARKUP, OTHER_MARKUP, hostile_dataset
from .opened import expect, notebook_of

NOTEBOOK = "01_inspect.ipynb"

APP = ".nk-workbench"

ALONE = (
    "from nifti_kit import widgets\napp = widgets.Inspect({!r})\napp.model.join()\n"
    "app.model.look_closer()\napp.model.join()\napp"
)
"""The app of one tab by itself, which has the findings too."""

FIRST, SECOND, THIRD = (f"item_1_{plane}_anatomic.nrrd" for plane in ("axl", "cor", "sag"))


@pytest.fixture(params=["lab", "voila"])
def place(request):
    return request.param


@pytest.fixture
def server(place, request):
    return request.getfixturevalue(place)


def opened_in(place, server, notebook=NOTEBOOK, **parameters):
    page = server.open(notebook, **parameters)
    if place == "lab":
        page.run_all()
    page.page.locator(".nk-app .nk-items tbody tr").first.wait_for()
    return page


@pytest.fixture
def opened(place, server):
    return opened_in(place, server)


def part(opened, name):
    """Turn to a part of the first tab, or of the app alone."""
    opened.find(".nk-app .nk-parts .lm-TabBar-tab").filter(has_text=name).click()


def turn(opened, name):
    """Turn to a tab of the workbench."""
    opened.find(f"{APP} .nk-bench-tabs > .lm-TabBar .lm-TabBar-tab").filter(has_text=name).click()


def faulty(folder):
    """Two planes of three, the axial mask without its header."""
    write_planes(folder, ("axl", "cor"))
    write_nifti(folder / "axl_inference.nii.gz", labels(), np.eye(4))
    return folder


def is_quiet(opened):
    """No script ran, nothing was asked for elsewhere, and nothing went wrong unseen."""
    seen = (opened.alerts, opened.requests_elsewhere, opened.kernel_errors, opened.console_errors)
    return seen == ([], [], [], [])


def look_by_mouse_and_keys(opened, picture):
    """Zoom, pan, play, hide, and one plane for three: as it is done in ITK-SNAP."""
    mouse, keyboard = opened.page.mouse, opened.page.keyboard
    zoom = opened.find(f"{APP} .nk-viewer-zoom .widget-readout").first
    opened.find(f"{APP} .nk-stage").first.focus()
    keyboard.down("Control")
    mouse.wheel(0, -300)
    keyboard.up("Control")
    expect(zoom).to_have_text("2.0")

    def changes(act):
        before = picture.get_attribute("src")
        act()
        expect(picture).not_to_have_attribute("src", before)

    def dragged(button, right, down):
        box = picture.bounding_box()
        at = box["x"] + 0.15 * box["width"], box["y"] + 0.5 * box["height"]
        mouse.move(*at)
        mouse.down(button=button)
        mouse.move(at[0] + right, at[1] + down, steps=3)
        mouse.up(button=button)

    changes(lambda: dragged("middle", 25, 15))
    dragged("right", 0, -30)
    expect(zoom).not_to_have_text("2.0")
    keyboard.press("r")
    expect(zoom).to_have_text("1.0")
    changes(lambda: keyboard.press("l"))
    one = opened.find(f"{APP} .nk-viewer-arrangement button.mod-active").first
    expect(one).to_have_text("one plane")
    opened.screenshot("inspect-one-plane")
    keyboard.press("l")
    expect(one).to_have_text("three planes")
    axial = opened.find(f"{APP} .nk-slice input").first
    before = axial.input_value()
    keyboard.press("c")
    expect(axial).not_to_have_value(before)
    keyboard.press("c")
    keyboard.press("1")


def test_slices_move_by_keyboard_and_a_class_is_hidden(opened):
    axial = opened.find(f"{APP} .nk-slice input").first
    before = int(axial.input_value())
    stage = opened.find(f"{APP} .nk-stage").first
    stage.focus()
    opened.page.keyboard.press("ArrowUp")
    expect(axial).to_have_value(str(before + 1))
    opened.page.keyboard.press("End")
    expect(axial).to_have_value("18")
    # The pointer stays where it is in the picture, and is told of the slice that is there now.
    stage.hover(position={"x": 150, "y": 150})
    reading = opened.find(f"{APP} .nk-stage-reading").first
    expect(reading).to_contain_text(re.compile(r", 18 in RAS\+"))
    opened.page.keyboard.press("ArrowDown")
    expect(reading).to_contain_text(re.compile(r", 17 in RAS\+"))
    picture = opened.find(f"{APP} .nk-stage-picture").first
    look_by_mouse_and_keys(opened, picture)
    drawn = picture.get_attribute("src")
    legend = opened.find(f"{APP} .nk-legend-row").filter(has_text="Femurs").first
    legend.locator("input").uncheck()
    opened.wait_for_text(f"{APP} .nk-viewer", "5 of 6 classes shown")
    expect(picture).not_to_have_attribute("src", drawn)
    assert is_quiet(opened)


def test_an_item_is_chosen_by_arrow_keys_and_letters_do_not_edit_the_notebook(opened, place):
    rows = opened.find(f"{APP} .nk-items tbody tr")
    expect(rows).to_have_count(9)
    rows.first.focus()
    for key in ("ArrowDown", "ArrowDown", "Enter"):
        opened.page.keyboard.press(key)
    opened.wait_for_text(f"{APP} .nk-chosen", THIRD)
    opened.find(f'{APP} .nk-items tr[data-key="{THIRD}"][aria-selected="true"]').wait_for()
    cells = len(opened.cells()) if place == "lab" else 0
    for key in "xddbm":  # cut, delete, new cell, markdown: JupyterLab's keys
        opened.page.keyboard.press(key)
    opened.find(f"{APP} .nk-read").focus()
    for key in "xddbm":
        opened.page.keyboard.press(key)
    assert (len(opened.cells()) if place == "lab" else 0) == cells
    shown = opened.find(f"{APP} .nk-file option:checked").first
    expect(shown).to_have_text(re.compile(r"sag_anatomic\.nii\.gz$"))


@pytest.mark.parametrize("place", ["voila"])
def test_findings_are_filtered_accepted_and_lead_to_their_item(place, server, tmp_path):
    opened = opened_in(place, server, notebook_of(ALONE.format(str(faulty(tmp_path)))))
    part(opened, "Findings")
    opened.wait_for_text(".nk-inspect .nk-counts", "2 errors")
    opened.find('.nk-inspect .nk-list select[data-column="severity"]').select_option("error")
    opened.wait_for_text(".nk-inspect .nk-list .nk-count", "2 of ")
    opened.find(".nk-inspect .nk-list .nk-search").fill("header lost")
    opened.wait_for_text(".nk-inspect .nk-list .nk-count", "1 of ")
    opened.find(".nk-inspect .nk-list tbody tr").first.click()
    opened.wait_for_text(
        ".nk-inspect .nk-detail", "What to do: If the voxels are in the volume's order"
    )
    picture = opened.find(".nk-inspect .nk-picture img")
    expect(picture).to_have_attribute("alt", re.compile("Cyan, dashed: where it would be"))

    accept = opened.find(".nk-inspect .nk-offers button").filter(has_text="Accept as it is")
    accept.focus()
    opened.page.keyboard.press("Enter")
    opened.wait_for_text(".nk-inspect .nk-mending", "Fill in: Why it is right as it is.")
    expect(opened.find(".nk-inspect .nk-take")).to_be_disabled()
    opened.find(".nk-inspect .nk-option input").fill("a phantom")
    for name in ("nk-look-offer", "nk-take"):
        expect(opened.find(f".nk-inspect .{name}")).to_be_enabled()
        opened.find(f".nk-inspect .{name}").focus()
        opened.page.keyboard.press("Enter")
    opened.wait_for_text(".nk-inspect .nk-counts", "1 error, ")
    opened.wait_for_text(".nk-inspect .nk-counts", "1 accepted")
    opened.find('.nk-inspect .nk-list select[data-column="severity"]').select_option("")
    opened.wait_for_text(".nk-inspect .nk-list tbody", "a phantom")

    opened.find(".nk-inspect .nk-list tbody tr").filter(has_text="header lost").click()
    opened.find(".nk-inspect .nk-jump").click()
    opened.find(".nk-inspect .nk-items tbody tr").first.wait_for()
    opened.wait_for_text(".nk-inspect .nk-alignments", "header lost")
    assert is_quiet(opened)


@pytest.mark.parametrize("place", ["voila"])
def test_items_are_marked_by_key_and_mouse_and_the_marks_are_on_disk(opened):
    part(opened, "Board")
    cards = opened.find(f"{APP} .nk-card")
    opened.find(f"{APP} .nk-card img").nth(8).wait_for()
    alt = (
        f"{FIRST}: Axial slice 1 (0 to 18) with "
        "Hip bones, Femurs, Sacrum, Urinary bladder, Gluteal muscles, Prostate."
    )
    expect(opened.find(f"{APP} .nk-card img").first).to_have_attribute("alt", alt)
    cards.first.focus()
    opened.page.keyboard.press("p")
    opened.wait_for_text(f"{APP} .nk-board .nk-count", "1 pass, 0 fail")
    opened.page.keyboard.press("ArrowRight")
    opened.page.keyboard.press("f")
    opened.wait_for_text(f"{APP} .nk-board .nk-count", "1 pass, 1 fail")
    cards.nth(2).locator('input[value="?"]').check()
    opened.wait_for_text(f"{APP} .nk-board .nk-count", "1 pass, 1 fail, 1 unsure, 6 unmarked")
    opened.find(f"{APP} .nk-board-view .nk-save").click()
    opened.wait_for_text(f"{APP} .nk-board-view .nk-good", "Saved: ")
    saved = (opened.out / "01_inspect" / "marks.csv").read_text("utf-8").splitlines()
    assert saved[:5] == [
        "item,mark",
        f"{FIRST},pass",
        f"{SECOND},fail",
        f"{THIRD},?",
        "item_2_axl_anatomic.nrrd,",
    ]
    assert is_quiet(opened)


@pytest.mark.parametrize("place", ["voila"])
def test_the_marks_of_an_earlier_run_are_shown_again(place, server):
    folder = server.runs.new()
    marks = folder / "out" / "01_inspect" / "marks.csv"
    marks.parent.mkdir(parents=True)
    marks.write_text(f"item,mark\n{SECOND},fail\ngone.nrrd,pass\n")
    opened = server.open(NOTEBOOK, folder=folder)
    if place == "lab":
        opened.run_all()
    part(opened, "Board")
    opened.wait_for_text(f"{APP} .nk-board .nk-count", "0 pass, 1 fail")
    card = opened.find(f'{APP} .nk-card[data-item="{SECOND}"]')
    expect(card).to_have_attribute("data-mark", "fail")
    assert marks.read_text("utf-8").endswith("gone.nrrd,pass\n")


@pytest.mark.parametrize("place", ["voila"])
def test_classes_are_listed_with_voxels_and_volumes(opened):
    part(opened, "Classes")
    row = opened.find(f'{APP} .nk-classes tr[data-key="Prostate"] td')
    expect(row).to_have_text(["6", "", "", "471", "38151", "3"])
    for at, given in ((1, "Prostate"), (2, "#E682C8")):
        expect(row.nth(at).locator("input")).to_have_value(given)


@pytest.mark.parametrize("place", ["voila"])
def test_another_source_is_read_after_a_wrong_path_was_told(place, server):
    opened = opened_in(place, server, START="no")
    expect(opened.find(f"{APP} .nk-source .nk-read")).to_be_hidden()
    opened.find(f"{APP} .nk-fold").filter(has_text="Source: multi_item (change)").press("Enter")
    path = opened.find(f"{APP} .nk-source .nk-path input")
    path.fill("../data_samples/none")
    opened.wait_for_text(
        f"{APP} .nk-source", "There is no such file or folder: ../data_samples/none"
    )
    expect(opened.find(f"{APP} .nk-read")).to_be_disabled()
    opened.find(f"{APP} .nk-samples select").select_option("sample by_volume")
    expect(opened.find(f"{APP} .nk-read")).to_be_enabled()
    opened.find(f"{APP} .nk-read").press("Enter")
    opened.wait_for_text(f"{APP} .nk-summary", "Layout by_volume: 3 items")
    opened.wait_for_text(f"{APP} .nk-summary", "headers read, no voxel yet")
    part(opened, "Classes")
    opened.wait_for_text(f"{APP} .nk-no-classes", "Read every voxel to count them.")
    opened.find(f"{APP} .nk-look").click()
    opened.wait_for_text(f"{APP} .nk-summary", "every voxel read")
    opened.wait_for_text(f"{APP} .nk-classes", "gallbladder")
    assert is_quiet(opened)


@pytest.mark.parametrize("place", ["lab"])
def test_names_with_markup_run_no_script_in_any_part(place, server, tmp_path):
    opened = opened_in(place, server, SOURCE=hostile_dataset(tmp_path))
    turn(opened, "Mend")
    opened.find(f"{APP} .nk-list tbody tr").first.click()
    opened.wait_for_text(f"{APP} .nk-detail", "What to do:")
    turn(opened, "Inspect")
    for name in ("Classes", "Board", "Items"):
        part(opened, name)
        if name == "Classes":
            names = opened.find(f"{APP} .nk-classes td:nth-child(2) input")
            expect(names.last).to_have_value(re.compile(re.escape(OTHER_MARKUP)))
        if name == "Board":
            opened.find(f"{APP} .nk-card img").nth(2).wait_for()
            opened.wait_for_text(f"{APP} .nk-card", MARKUP)
            opened.find(f"{APP} .nk-card").first.focus()
            opened.page.keyboard.press("p")
            opened.find(f"{APP} .nk-board-view .nk-save").click()
            opened.wait_for_text(f"{APP} .nk-board-view .nk-good", "Saved: ")
    assert opened.find(f'{APP} img[src="x"], {APP} svg[onload]').count() == 0
    assert is_quiet(opened)


@pytest.mark.parametrize(
    ("place", "themes"), [("lab", ("dark", "light")), ("voila", ("dark",))], ids=["lab", "voila"]
)
def test_it_can_be_read_and_used_without_eyes_or_mouse(place, server, themes):
    opened = server.open(NOTEBOOK, theme=themes[0])
    if place == "lab":
        opened.run_all()
    for theme in themes:
        if theme != themes[0]:
            opened.use_theme(theme)
        for name, seen in (
            ("Mend", ".nk-list td span"),
            ("Items", ".nk-items td"),
            ("Classes", ".nk-classes td"),
            ("Board", ".nk-card legend"),
        ):
            turn(opened, "Mend" if name == "Mend" else "Inspect")
            if name != "Mend":
                part(opened, name)
            opened.find(f"{APP} {seen}").first.wait_for()
            if name == "Board":  # each picture that arrives makes the cards anew
                opened.find(f"{APP} .nk-card img").nth(8).wait_for()
            assert contrast(opened.page, f"{APP} {seen}") >= 4.5, theme
            assert images_without_alt(opened.page, APP) == []
            opened.screenshot(f"01_inspect-{place}-{theme}-{name.lower()}")
    stops = focus_order(opened.page, APP)
    assert [stop for stop in stops if stop.endswith(": ")] == []
    wanted = ["button: Source: multi_item (change)", "combobox: Show", "button: Load"]
    assert [stop for stop in stops if stop in wanted] == wanted
