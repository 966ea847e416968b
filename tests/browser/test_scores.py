"""The score editor by mouse and keyboard, as a notebook and as an app."""

from __future__ import annotations

import re
import shutil
from fnmatch import fnmatchcase

import numpy as np
import pytest

from tests.support.builders import write_nifti

from .access import contrast, focus_order, images_without_alt
from .hostile import MARKUP, OTHER_MARKUP, hostile_dataset
from .opened import SAMPLES, expect, notebook_of

GRID = ".nk-scoring >> nth=0 >> .nk-heat"

APP = """
from nifti_kit import widgets
editor = widgets.ScoreEditor({source!r}, table={table!r}, out="../out/mended")
editor.model.join()
editor
"""


def faulty_copy(folder):
    """Return a copy of the sample whose axial table has a text in a cell and a Layer 0."""
    copy = shutil.copytree(SAMPLES / "scores", folder / "faulty")
    table = copy / "axl_score.csv"
    text = table.read_text().replace("3, 0.74, 0.92", "3, n/a, 0.92")
    table.write_text(text.replace("\n1, , 0.96", "\n0, , 0.96"))
    return copy


def shown(place, request, notebook, **given):
    server = request.getfixturevalue(place)
    opened = server.open(notebook, **given)
    if place == "lab":
        opened.run_all()
    return opened


def app_of(place, request, source, table="", **given):
    notebook = notebook_of(APP.format(source=str(source), table=table))
    return shown(place, request, notebook, **given)


def wait_for_focus(opened, pattern):
    """Wait until what is read aloud of the focus fits the pattern (``*`` is any text)."""
    opened.wait_for(lambda: fnmatchcase(focused(opened), pattern), f"focus on {pattern!r}")


def focused(opened):
    """What has the keyboard's focus, as it is read aloud."""
    return opened.page.evaluate("() => document.activeElement.getAttribute('aria-label') ?? ''")


def quiet(opened):
    assert opened.alerts == []
    assert opened.requests_elsewhere == []
    assert opened.console_errors == []
    assert opened.kernel_errors == []


@pytest.mark.parametrize("place", ["lab", "voila"])
def test_faulty_cells_are_found_corrected_and_saved_by_keyboard(place, request, tmp_path):
    opened = shown(place, request, "03_scores.ipynb", SOURCE=faulty_copy(tmp_path))
    page, grid = opened.page, opened.find(GRID)
    saved = opened.out / "03_scores" / "axl_score.csv"
    assert not saved.exists()  # it has faults
    save = opened.find(".nk-scoring >> nth=0 >> button.nk-save")
    expect(save).to_be_disabled()
    grid.locator("[tabindex='0']").focus()
    page.keyboard.press("Control+Home")
    wait_for_focus(opened, "Layer 0; error: Layer 0, but layers count from 1")
    page.keyboard.type("1")
    page.keyboard.press("Enter")
    wait_for_focus(opened, "Layer 1")
    page.keyboard.press("F8")
    wait_for_focus(opened, "Label-2: n/a; label here; error: 'n/a' is no number*")
    page.keyboard.press("F2")
    page.keyboard.type("0.740")
    page.keyboard.press("Enter")
    wait_for_focus(opened, "Label-2: 0.740; label here")
    expect(save).to_be_enabled()
    save.focus()
    page.keyboard.press("Enter")
    opened.wait_for(saved.exists, "the saved table")
    lines = saved.read_text().splitlines()
    assert lines[:4] == ["Layer,Label-2,Label-4", "1,,0.96", "2,0.61,0.67", "3,0.740,0.92"]
    assert len(lines) == 15
    assert "n/a" in (tmp_path / "faulty" / "axl_score.csv").read_text()
    opened.screenshot(f"03_scores_{place}")
    quiet(opened)


@pytest.mark.parametrize("place", ["voila"])
def test_a_click_shows_the_slice_of_a_cell_with_its_label(place, request):
    opened = app_of(place, request, SAMPLES / "scores", "cor_score.csv")
    opened.find(".nk-first-slice img").wait_for()  # before anybody asked
    assert opened.find(".nk-score-slice .nk-viewer-stage img").count() == 0
    opened.find(".nk-heat tr[data-key='L20'] td[data-column='3']").click()
    opened.page.wait_for_selector(".nk-score-slice .nk-viewer-stage img")
    told = opened.find(".nk-place")
    opened.wait_for_text(told, "0.92")
    assert told.inner_text().splitlines() == [
        "Layer 20 = frame 20 of the file (from 1) = RAS slice 6 of plane coronal (0-1-0)",
        "Label-4 (Segment_4): 0.92; 378 voxels of the label here",
    ]
    picture = opened.find(".nk-score-slice .nk-viewer-stage img")
    expect(picture).to_have_attribute("alt", re.compile(re.escape("coronal slice 6 (0 to 25)")))
    assert images_without_alt(opened.page, ".nk-scoring") == []
    quiet(opened)


def test_what_is_refused_is_said_and_undo_takes_back(lab):
    opened = lab.open(notebook_of(APP.format(source=str(SAMPLES / "scores"), table="")))
    opened.run_all()
    page = opened.page
    opened.find(".nk-heat tr[data-key='L2'] td[data-column='2']").dblclick()
    page.keyboard.type("good")
    page.keyboard.press("Enter")
    page.wait_for_selector(".nk-refused >> text=the score is no number")
    wait_for_focus(opened, "Label-2: 0.61; label here")
    page.keyboard.press("F2")
    page.keyboard.type("0.99")
    page.keyboard.press("Escape")
    wait_for_focus(opened, "Label-2: 0.61; label here")
    page.keyboard.press("Delete")
    wait_for_focus(opened, "Label-2: no score; label here*")
    page.keyboard.press("Control+z")
    wait_for_focus(opened, "Label-2: 0.61; label here")
    expect(opened.find(".nk-refused")).to_be_hidden()
    assert len(opened.cells()) == 1  # no key was a shortcut of JupyterLab
    quiet(opened)


def test_the_list_of_what_is_wrong_leads_to_its_cell_and_repairs_it(lab, tmp_path):
    opened = lab.open(notebook_of(APP.format(source=str(faulty_copy(tmp_path)), table="")))
    opened.run_all()
    row = opened.find(
        ".nk-remarks tr[data-key]",
    ).filter(has_text="'n/a' is no number")
    row.focus()
    opened.page.keyboard.press("Enter")
    wait_for_focus(opened, "Label-2: n/a*")
    row.locator("button").click()
    expect(row).to_have_count(0)
    opened.find(".nk-countings input").nth(1).check()
    opened.page.wait_for_selector(".nk-heat th[aria-label='Layer 0']")
    assert opened.run_cell("print(editor.model.open.draft.base)") == "0\n"
    quiet(opened)


def test_a_large_table_draws_what_is_in_view(lab, tmp_path):
    frames, labels = 300, 20
    array = np.zeros((labels, 4, frames), np.uint8)
    array[:, 1] = np.arange(1, labels + 1)[:, None]
    write_nifti(tmp_path / "axl_anatomic.nii.gz", np.ones(array.shape, np.int16))
    write_nifti(tmp_path / "axl_inference.nii.gz", array)
    header = ",".join(["Layer", *(f"Label-{value}" for value in range(1, labels + 1))])
    rows = [",".join([str(layer), *["0.5"] * labels]) for layer in range(1, frames + 1)]
    (tmp_path / "axl_score.csv").write_text("\n".join([header, *rows]))
    opened = lab.open(notebook_of(APP.format(source=str(tmp_path), table="")))
    opened.run_all()
    grid = opened.find(".nk-heat table")
    expect(grid).to_have_attribute("aria-rowcount", "301")
    assert opened.find(".nk-heat tr[data-key]").count() < 60
    opened.find(".nk-heat [tabindex='0']").focus()
    opened.page.keyboard.press("Control+End")
    wait_for_focus(opened, "Label-20: 0.5; label here")
    expect(opened.find(".nk-heat tr[data-key='L300']")).to_have_count(1)
    assert opened.find(".nk-heat tr[data-key]").count() < 60
    opened.page.keyboard.type("0.75")
    opened.page.keyboard.press("Enter")
    wait_for_focus(opened, "Label-20: 0.75; label here")
    assert opened.run_cell("print(editor.model.open.changes)") == (
        "[\"Layer 300, Label-20: '0.5' is now '0.75'\"]\n"
    )
    quiet(opened)


@pytest.mark.parametrize("place", ["lab"])
def test_markup_in_a_table_is_shown_as_text(place, request, tmp_path):
    folder = hostile_dataset(tmp_path)
    table = folder / f"{MARKUP}_axl_score.csv"
    table.write_text(
        f"Layer,Label-2,Label-1,{MARKUP},Comment-1\n3,{MARKUP},0.5,{MARKUP},{OTHER_MARKUP}\n"
        f"{MARKUP},0.5,,,\n"
    )
    opened = app_of(place, request, folder, table.name)
    for row, column in (("L3", 3), ("L3", 2), ("L3", 4), ("R3", 0)):
        opened.find(f".nk-heat tr[data-key='{row}'] [data-column='{column}']").click()
        opened.page.keyboard.press("F2")
        opened.page.keyboard.press("Escape")
    opened.find(".nk-heat thead [data-column='4']").click()
    opened.page.wait_for_selector(f".nk-place >> text=Column {MARKUP}")
    opened.wait_for_text(".nk-heat thead", OTHER_MARKUP)
    assert opened.find('img[src="x"], svg[onload]').count() == 0
    quiet(opened)


def test_it_can_be_read_and_reached_in_both_themes(lab, tmp_path):
    opened = lab.open(notebook_of(APP.format(source=str(faulty_copy(tmp_path)), table="")))
    opened.run_all()
    order = focus_order(opened.page, ".nk-scoring")
    roles = [stop.partition(":")[0] for stop in order]
    assert "gridcell" in roles or "rowheader" in roles
    names = "\n".join(order)
    for earlier, later in (("Table", "Layer 0"), ("Layer 0", "Search"), ("Search", "Leave")):
        assert names.index(earlier) < names.index(later)
    for theme in ("light", "dark"):
        opened.use_theme(theme)
        for part in ("tbody th", "thead th", "td", ".nk-heat-legend", ".nk-heat-help"):
            assert contrast(opened.page, f".nk-heat {part}") >= 4.5, (theme, part)
        opened.screenshot(f"scores_{theme}")
