"""The mapping notebook: a row is fixed by mouse and keyboard, and the JSON is saved."""

from __future__ import annotations

import json
import re

import pytest

import nifti_kit as nk
from tests.support.landings import quiet
from tests.support.loosely_named import truth, write_annotations, write_project

from .access import contrast, images_without_alt
from .hostile import MARKUP, hostile_dataset
from .opened import SAMPLES, expect, notebook_of

NOTEBOOK = "02_mapping.ipynb"

SURE = "axl_inference_1.nii.gz"

FIRST, SECOND = "cor_inference_1.nii.gz", "cor_inference_3.nii.gz"

NAMES = ("axl_anatomic.nrrd", "before_cor_anatomic.nrrd", "after_cor_anatomic.nrrd")


@pytest.fixture(params=["lab", "voila"])
def opened(request):
    page = request.getfixturevalue(request.param).open(NOTEBOOK)
    if request.param == "lab":
        page.run_all()
    return page


def row(opened, file):
    return opened.find(f'.nk-files tr[data-key="{file}"]')


def cell(opened, file, column):
    return row(opened, file).locator(f'td[data-column="{column}"]')


def saved(opened):
    return json.loads((opened.out / "02_mapping" / "mapping.json").read_text())


def test_the_open_files_are_decided_on_and_saved(opened):
    target = nk.ProjectFolder(opened.out / "02_mapping" / "project", dataset="chest")
    ids = {ref.name: ref.id for ref in target.volumes()}
    axl, before = (ids[name] for name in NAMES[:2])
    files = ["axl_inference_1.nii.gz", "axl_inference_2.nii.gz", FIRST, SECOND]
    assert saved(opened) == dict.fromkeys(files[:2], axl)
    opened.find('.nk-files select[data-column="state"]').select_option("unmatched")
    opened.wait_for_text(opened.find(".nk-files .nk-count"), "2 of 4 rows")
    expect(cell(opened, FIRST, "note")).to_have_text(re.compile("^2 volumes fit by its plane: "))

    # The first one by the keyboard, in its select box: the second volume of the list.
    opened.find('.nk-files select[data-column="state"]').select_option("")
    opened.wait_for_text(opened.find(".nk-files .nk-count"), "4 rows")
    box = cell(opened, FIRST, "volume").locator("select")
    expect(box).to_have_attribute("aria-label", f"Volume: {FIRST}")
    box.focus()
    for name in ("after", "before"):
        opened.page.keyboard.press("ArrowDown")
        expect(box).to_have_value(re.compile(f"/{name}_cor"))
    opened.page.keyboard.press("Tab")
    opened.wait_for_text(opened.find(".nk-matching .nk-good").first, f"(id {before}) chosen.")
    expect(cell(opened, FIRST, "state")).to_have_text("chosen")
    opened.wait_for_text(cell(opened, FIRST, "place"), "axes in another order: lands exactly")

    # The other one by its candidates: Enter opens them, a button chooses.
    row(opened, SECOND).focus()
    opened.page.keyboard.press("Enter")
    candidate = opened.find(f'.nk-candidates tr[data-key="{axl}"]')
    candidate.wait_for()
    opened.wait_for_text(candidate, "another grid: 100 % of it inside the volume")
    candidate.get_by_role("button", name="Choose").click()
    opened.wait_for_text(cell(opened, SECOND, "state"), "chosen")
    opened.wait_for_text(cell(opened, SECOND, "note"), "it does not lie on this volume")
    candidate = opened.find(f'.nk-candidates tr[data-key="{before}"]')
    candidate.get_by_role("button", name="Choose").click()
    opened.wait_for_text(cell(opened, SECOND, "note"), "")
    opened.wait_for_text(opened.find(".nk-matching .nk-good").first, f"(id {before}) chosen.")

    opened.find(".nk-save").click()
    opened.wait_for(lambda: saved(opened).get(SECOND) == before, "the mapping on disk")
    assert saved(opened) == dict(zip(files, [axl, axl, before, before], strict=True))
    kept = json.loads((opened.out / "02_mapping" / "mapping.1.json").read_text())
    assert kept == dict.fromkeys(files[:2], axl)
    opened.wait_for_text(opened.find(".nk-matching"), "What was there is kept as mapping.1.json.")
    seen = (opened.requests_elsewhere, opened.console_errors, opened.kernel_errors)
    assert seen == ([], [], [])


def test_a_pair_is_looked_at_before_it_is_taken(opened):
    row(opened, SECOND).click()
    opened.find(".nk-candidates tr[data-key]").filter(has_text="after_cor").click()
    picture = opened.find(".nk-picture")
    opened.wait_for_text(picture, f"{SECOND} over chest/after_cor_anatomic.nrrd: same grid")
    assert images_without_alt(opened.page, ".nk-workbench") == []
    opened.find(".nk-take").click()
    opened.wait_for_text(".nk-matching .nk-summary", "1 chosen")
    opened.wait_for_text(".nk-suggestion", "1 more file of the same case")
    assert opened.screenshot("02_mapping").stat().st_size > 0
    assert opened.kernel_errors == []


def test_source_and_target_can_be_picked_in_the_app(voila, tmp_path):
    cells = ["from nifti_kit import widgets\nwidgets.MappingEditor()"]
    app = notebook_of(*cells)
    target = nk.ProjectFolder(tmp_path / "project", dataset="chest")
    nk.upload(nk.plan(nk.scan(SAMPLES / "by_plane_semantic")), target, on_progress=quiet)
    opened = voila.open(app)
    opened.find(".nk-source .nk-path input").fill("../data_samples/annotations_dataset")
    opened.find(".nk-folder .nk-path input").fill(str(tmp_path / "project"))
    opened.find(".nk-folder .nk-dataset input").fill("chest")
    opened.find(".nk-read").click()
    expect(opened.find(".nk-begin")).to_be_enabled()
    opened.find(".nk-begin").click()
    opened.wait_for_text(opened.find(".nk-files .nk-count"), "4 rows")
    assert opened.kernel_errors == []


def test_thirty_annotations_are_mapped_and_uploaded_by_keyboard_alone(voila, tmp_path):
    target = write_project(tmp_path)
    source, out = str(write_annotations(tmp_path / "in")), str(tmp_path / "out")
    saved_to = tmp_path / "out" / "mapping.json"
    opened = voila.open(
        notebook_of(
            "import nifti_kit as nk\nfrom nifti_kit import widgets\n"
            f"target = nk.ProjectFolder({str(target.path)!r}, dataset='study')\n"
            f"app = widgets.Workbench({source!r}, target, tab='match', existing='append',"
            f" out={out!r}, layout='annotations')\napp.model.join()\napp"
        )
    )
    press(opened, ".nk-by-place")
    wait_for_focus(opened, ".nk-take-suggestion")
    opened.wait_for_text(".nk-suggestion", "6 files whose voxels are those of one volume alone")
    opened.page.keyboard.press("Enter")
    opened.wait_for_text(".nk-matching .nk-summary", "(6 accepted, 18 matched, 6 unmatched)")
    wait_for_focus(opened, ".nk-take")
    opened.wait_for_text(".nk-selected", "Marked: study/P03_axl_anatomic.nrrd")
    opened.wait_for_text(".nk-picture", "over study/P03_axl_anatomic.nrrd: same grid")
    opened.page.keyboard.press("Enter")
    opened.wait_for_text(".nk-suggestion", "5 more files of the same case")
    press(opened, ".nk-take-suggestion", "Shift+Tab")
    opened.wait_for_text(".nk-matching .nk-summary", "30 of 30")
    press(opened, ".nk-matching .nk-save")
    opened.wait_for(saved_to.exists, "the mapping on disk")
    assert json.loads(saved_to.read_text()) == truth(target)
    expect(opened.find(".nk-onward")).to_have_text("Go to Upload")
    for name in ("onward", "plan", "upload", "verify"):
        press(opened, f".nk-workbench .nk-{name}")
    opened.wait_for_text(".nk-evidence .nk-saved", "proof_")
    assert sum(len(target.objects(ref.id)) for ref in target.volumes()) == 30
    assert (opened.console_errors, opened.kernel_errors) == ([], [])


HAS_FOCUS = "place => Boolean(document.activeElement?.closest(place))"


def wait_for_focus(opened, place):
    opened.wait_for(lambda: opened.page.evaluate(HAS_FOCUS, place), f"the focus on {place}")


def press(opened, place, key="Tab"):
    """Go to a button by the keyboard as soon as it can be pressed, and press it."""
    expect(opened.find(place)).to_be_enabled()
    for _ in range(300):
        if opened.page.evaluate(HAS_FOCUS, place):
            opened.page.keyboard.press("Enter")
            return
        opened.page.keyboard.press(key)
    raise AssertionError(f"{place} is not reached by {key}")


def test_texts_stand_out_in_both_themes(lab):
    opened = lab.open(NOTEBOOK)
    opened.run_all()
    for theme in ("light", "dark"):
        opened.use_theme(theme)
        for part in ("td", "th button", ".nk-action", ".nk-text div", ".nk-findings b"):
            found = contrast(opened.page, f".nk-workbench {part}:not(:disabled)")
            assert found >= 4.5, (theme, part)
        opened.screenshot(f"02_mapping-{theme}")


@pytest.mark.parametrize("place", ["lab"])
def test_names_with_markup_are_shown_as_text(place, request, tmp_path):
    source = hostile_dataset(tmp_path)
    project = tmp_path / f"{MARKUP}_project"
    nk.upload(
        nk.plan(nk.scan(source)), nk.ProjectFolder(project, dataset=MARKUP), on_progress=quiet
    )
    for path in source.glob("*anatomic*"):
        path.unlink()
    opened = request.getfixturevalue(place).open(
        NOTEBOOK, SOURCE=source, PROJECT=project, DATASET=MARKUP
    )
    if place == "lab":
        opened.run_all()
    file = f"{MARKUP}_cor_inference.nii.gz"
    opened.wait_for_text(opened.find(".nk-files"), file)
    opened.find(".nk-files td[data-column=file]").filter(has_text="cor_inference").click()
    opened.wait_for_text(opened.find(".nk-candidates"), MARKUP)
    opened.find(".nk-preview").click()
    opened.find(".nk-picture .nk-viewer").wait_for()
    opened.find(".nk-leave").click()
    opened.wait_for_text(opened.find(".nk-findings"), MARKUP)
    opened.find(".nk-save").click()
    opened.wait_for(lambda: len(saved(opened)) == 2, "the mapping on disk")
    assert opened.find('img[src="x"], svg[onload]').count() == 0
    assert opened.alerts == []
    assert MARKUP in opened.text()
    assert opened.requests_elsewhere == []
