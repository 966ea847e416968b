"""Inspection: what a person does in the app, one method call each, without a browser."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.core.findings import finding
from nifti_kit.errors import BadSource, NiftiKitError
from nifti_kit.widgets.inspect import model as module
from nifti_kit.widgets.inspect.model import NO_VOLUME, InspectModel
from tests.support.builders import SAMPLES, labels, write_nifti, write_planes

EVIL = "<img src=x onerror=alert(1)>"


def read(source, **more):
    """An inspection whose source is read."""
    found = InspectModel(source, **more)
    found.scan()
    found.join()
    return found


def faulty(folder):
    """Three planes; the axial mask has lost its header."""
    write_planes(folder)
    write_nifti(folder / "axl_inference.nii.gz", labels(), np.eye(4))
    return folder


def test_nothing_is_read_before_it_is_asked_for(tmp_path):
    found = InspectModel(write_planes(tmp_path))
    assert found.dataset is None
    assert found.summary == "Nothing is read yet."
    assert found.look_blockers == ["Read a source first."]
    assert found.item_table().empty
    found.look_closer()
    assert found.task.state == "idle"


def test_reading_gives_items_findings_and_the_first_item_in_the_viewer(tmp_path):
    found = read(faulty(tmp_path))
    assert found.item_table()["name"].to_list() == [
        "axl_anatomic.nrrd",
        "cor_anatomic.nrrd",
        "sag_anatomic.nrrd",
    ]
    assert found.item == "axl_anatomic.nrrd"
    assert found.viewer.title == "axl_anatomic.nrrd"
    assert found.header.file == "axl_anatomic.nii.gz"
    assert found.board.names == tuple(found.item_table()["name"])
    assert found.summary == (
        "Layout by_plane: 3 items, 0 files unused. Findings (headers read, no voxel yet): 1 error."
    )
    assert found.items.rows[0].tone == "error"


def test_the_findings_by_headers_are_those_of_check(tmp_path):
    found = read(faulty(tmp_path), waive=["mask-header-lost"])
    assert found.findings.findings == nk.check(
        nk.scan(tmp_path), voxels=False, waive=["mask-header-lost"]
    )


def test_a_closer_look_gives_all_findings_and_the_classes(tmp_path):
    found = read(faulty(tmp_path))
    frame = found.class_table()
    assert frame.empty
    assert list(frame) == ["value", "class", "color", "voxels", "mm3", "items"]
    found.look_closer()
    found.join()
    assert found.findings.findings == nk.check(nk.scan(tmp_path))
    assert found.class_table()["class"].to_list() == ["Segment_1", "Segment_2"]
    assert [row.key for row in found.classes.rows] == ["Segment_1", "Segment_2"]
    assert "Findings (every voxel read): " in found.summary
    assert found.look_blockers == ["Every voxel is read."]


def test_a_closer_look_can_be_cancelled_and_begun_again(tmp_path, monkeypatch):
    begun, go = threading.Event(), threading.Event()
    look = module.look_closer

    def slow(dataset, waive, tell):
        begun.set()
        assert go.wait(20)
        return look(dataset, waive, tell)

    monkeypatch.setattr(module, "look_closer", slow)
    found = read(write_planes(tmp_path))
    found.look_closer()
    assert begun.wait(20)
    assert found.look_blockers == ["The voxels are being read."]
    found.task.cancel()
    go.set()
    found.join()
    assert found.task.state == "cancelled"
    assert found.class_table().empty
    assert found.look_blockers == []
    found.look_closer()
    found.join()
    assert len(found.class_table()) == 2


def test_a_closer_look_at_a_source_that_is_gone_is_not_shown(tmp_path, monkeypatch):
    begun, go = threading.Event(), threading.Event()
    look = module.look_closer

    def slow(dataset, waive, _):
        begun.set()
        assert go.wait(20)
        return look(dataset, waive, lambda *_: None)  # it never learns that it is cancelled

    monkeypatch.setattr(module, "look_closer", slow)
    found = read(write_planes(tmp_path / "a"))
    found.look_closer()
    assert begun.wait(20)
    found.source.path = str(write_planes(tmp_path / "b", ("axl",)))
    found.scan()
    found.source.join()
    go.set()
    found.join()
    assert found.class_table().empty
    assert len(found.item_table()) == 1


def test_an_item_is_chosen_by_name_place_itself_or_row(tmp_path):
    found = read(write_planes(tmp_path))
    for choice, name in (
        ("cor_anatomic.nrrd", "cor_anatomic.nrrd"),
        (2, "sag_anatomic.nrrd"),
        (found.dataset.items[0], "axl_anatomic.nrrd"),
    ):
        found.choose(choice)
        found.join()
        assert found.item == found.viewer.title == found.board.selected == name
    found.items.select("cor_anatomic.nrrd")
    found.join()
    assert found.viewer.title == "cor_anatomic.nrrd"
    assert found.header.file == "cor_anatomic.nii.gz"


def test_a_picture_on_the_board_chooses_its_item(tmp_path):
    found = read(write_planes(tmp_path))
    found.board.selected = "sag_anatomic.nrrd"
    found.join()
    assert found.items.selected == found.viewer.title == "sag_anatomic.nrrd"


def test_of_several_choices_the_last_one_is_opened(tmp_path, monkeypatch):
    begun, go, opened = threading.Event(), threading.Event(), []
    of_item = module.ViewerModel.of_item

    def slow(dataset, item):
        opened.append(item.name)
        begun.set()
        assert go.wait(20)
        return of_item(dataset, item)

    monkeypatch.setattr(module.ViewerModel, "of_item", slow)
    found = InspectModel(write_planes(tmp_path))
    found.scan()
    found.source.join()
    assert begun.wait(20)
    found.choose(1)
    found.choose(2)
    go.set()
    found.join()
    assert opened == ["axl_anatomic.nrrd", "sag_anatomic.nrrd"]
    assert found.viewer.title == "sag_anatomic.nrrd"


def test_an_item_that_is_chosen_at_the_very_end_of_opening_is_opened_too(tmp_path):
    found = InspectModel(write_planes(tmp_path))
    chosen = []

    def choose_once(change):
        if change["new"] == 1.0 and not chosen:
            chosen.append(True)
            found.choose(1)

    found.opening.observe(choose_once, "fraction")
    found.scan()
    found.join()
    assert found.viewer.title == "cor_anatomic.nrrd"


def test_cancelled_while_masks_are_read_the_volume_is_shown_with_what_is_not(tmp_path, monkeypatch):
    found, of_item = InspectModel(write_planes(tmp_path)), module.ViewerModel.of_item

    def cancelled(*given):
        if given[1].name.startswith("axl"):
            found.opening.cancel()
        return of_item(*given)

    monkeypatch.setattr(module.ViewerModel, "of_item", cancelled)
    found.scan()
    found.join()
    note = "axl_inference.nii.gz is not shown: its reading was cancelled"
    assert (found.viewer.title, found.viewer.notes) == ("axl_anatomic.nrrd", (note,))
    found.choose(1)
    found.join()
    assert (found.viewer.title, found.viewer.notes) == ("cor_anatomic.nrrd", ())
    found.choose(0)
    found.choose(2)  # while the one before is cancelled
    found.join()
    assert found.viewer.title == "sag_anatomic.nrrd"


@pytest.mark.parametrize("choice", ["d.nrrd", 3])
def test_an_item_that_there_is_not_is_named(choice, tmp_path):
    found = read(write_planes(tmp_path))
    with pytest.raises(NiftiKitError) as caught:
        found.choose(choice)
    assert str(caught.value) == (
        f"there is no such item Found: {choice!r}. "
        "Expected: 'axl_anatomic.nrrd', 'cor_anatomic.nrrd', 'sag_anatomic.nrrd'."
    )


def test_an_empty_folder_has_no_items_and_says_so(tmp_path):
    found = read(tmp_path)
    assert (found.item, found.viewer, len(found.items.rows)) == ("", None, 0)
    assert list(found.findings.findings.by_code()) == ["source-empty"]
    with pytest.raises(NiftiKitError, match="The source has no items: its findings say why"):
        found.choose(0)


def test_a_source_that_is_not_there_fails_who_waits(tmp_path):
    found = InspectModel(tmp_path / "none")
    found.scan()
    with pytest.raises(BadSource, match="there is no such file or folder"):
        found.join()
    assert found.dataset is None


def test_annotations_without_volumes_say_why_there_is_no_viewer():
    found = read(SAMPLES / "annotations_dataset")
    assert (found.viewer, found.viewer_error) == (None, NO_VOLUME)


def test_a_damaged_volume_says_why_there_is_no_viewer(tmp_path):
    found = read(write_planes(tmp_path))
    path = tmp_path / "cor_anatomic.nii.gz"
    path.write_bytes(path.read_bytes()[:-60])
    found.choose(1)
    found.join()
    assert found.viewer is None
    assert found.viewer_error.startswith("cor_anatomic.nii.gz: its voxels cannot be read")
    found.choose(2)
    found.join()
    assert found.viewer_error == ""
    assert found.viewer.title == "sag_anatomic.nrrd"


def test_a_finding_leads_to_its_item(tmp_path):
    found = read(write_planes(tmp_path))
    found.part = "findings"
    found.jump(finding("mask-apart", "sag_inference.nii.gz", "far"))
    found.join()
    assert (found.item, found.part) == ("sag_anatomic.nrrd", "items")


def test_a_finding_of_the_whole_source_leads_nowhere(tmp_path):
    found = read(write_planes(tmp_path))
    found.part = "findings"
    found.jump(finding("planes-incomplete", "", "one is missing"))
    assert (found.item, found.part) == ("axl_anatomic.nrrd", "findings")


def test_codes_are_waived_and_taken_back(tmp_path):
    found = read(faulty(tmp_path))
    found.waive("mask-header-lost")
    assert found.findings.findings.ok
    assert found.items.rows[0].tone == ""
    found.waive("mask-header-lost", False)
    assert not found.findings.findings.ok
    assert found.items.rows[0].tone == "error"


def test_what_was_waived_stays_so_after_the_closer_look(tmp_path):
    found = read(faulty(tmp_path))
    found.waive("mask-header-lost")
    found.look_closer()
    found.join()
    assert found.findings.findings.ok
    assert found.findings.findings == nk.check(nk.scan(tmp_path), waive=["mask-header-lost"])


def test_marks_are_saved_and_loaded(tmp_path):
    found = read(write_planes(tmp_path / "source"))
    found.mark(0, "pass")
    found.mark("cor_anatomic.nrrd", "fail")
    found.mark(found.dataset.items[2], "?")
    found.mark(2, "")
    found.save_marks(tmp_path / "marks.csv")
    again = read(tmp_path / "source")
    assert again.load_marks(tmp_path / "marks.csv") == ()
    assert again.board.marks == {"axl_anatomic.nrrd": "pass", "cor_anatomic.nrrd": "fail"}


def test_findings_are_saved(tmp_path):
    found = read(faulty(tmp_path / "source"))
    found.save_findings(tmp_path / "findings.csv")
    lines = (tmp_path / "findings.csv").read_text("utf-8").splitlines()
    assert lines[1].startswith("mask-header-lost,error,axl_inference.nii.gz,")


def test_the_board_is_drawn_with_the_masks(tmp_path):
    found = read(write_planes(tmp_path))
    found.board.draw()
    found.join()
    assert [picture.caption.split(" with ")[1] for picture in found.board.pictures.values()] == [
        "Segment_1, Segment_2."
    ] * 3


def test_a_picture_of_a_source_that_is_gone_is_none(tmp_path):
    found = InspectModel(tmp_path)
    assert found._miniature("axl_anatomic.nrrd") is None


def test_another_source_takes_the_place_of_the_first(tmp_path):
    found = read(write_planes(tmp_path / "a"))
    found.mark(0, "pass")
    found.look_closer()
    found.join()
    found.source.path = str(SAMPLES / "by_volume")
    found.scan()
    found.join()
    assert found.dataset.layout == "by_volume"
    assert found.board.marks == {}
    assert found.classes.rows == ()
    assert found.look_blockers == []
    assert found.viewer.title == found.item == found.dataset.items[0].name


def test_the_same_source_read_again_is_opened_again(tmp_path):
    found = read(write_planes(tmp_path))
    before = found.viewer
    found.scan()
    found.join()
    assert found.viewer is not before
    assert found.viewer.title == "axl_anatomic.nrrd"


def test_markup_in_names_is_plain_text_to_the_model(tmp_path):
    write_nifti(tmp_path / f"{EVIL}.nii")
    found = read(tmp_path)
    assert found.item == f"{EVIL}.nrrd"
    assert found.item_table()["name"].to_list() == [f"{EVIL}.nrrd"]


def test_a_volume_of_the_source_before_is_never_shown_under_the_same_name(tmp_path, monkeypatch):
    begun, go, shown = threading.Event(), threading.Event(), []
    of_item = module.ViewerModel.of_item

    def slow(dataset, item):
        begun.set()
        assert go.wait(20)
        return of_item(dataset, item)

    monkeypatch.setattr(module.ViewerModel, "of_item", slow)
    found = InspectModel(write_planes(tmp_path / "a"))
    found.observe(lambda change: change["new"] and shown.append(found.viewer), "viewer")
    found.scan()
    found.source.join()
    assert begun.wait(20)
    found.source.path = str(write_planes(tmp_path / "b"))
    found.scan()
    found.source.join()
    go.set()
    found.join()
    assert len(shown) == 1
    assert found.viewer.title == "axl_anatomic.nrrd"
