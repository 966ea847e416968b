"""Findings table: rows, filters, accepting by code, items, pictures, files."""

from __future__ import annotations

import json

import numpy as np
import pytest

import nifti_kit as nk
from nifti_kit.core.findings import Finding, finding
from nifti_kit.errors import NiftiKitError
from nifti_kit.widgets.parts.findings import FindingsTable
from tests.support.builders import labels, write_nifti, write_planes

APART = finding("mask-apart", "b.nii", "far")
LOST = finding("mask-header-lost", "a.nii", "lost")
NOTE = finding("label-disconnected", "a.nii", "two parts")
UNKNOWN = Finding("no-such-code", "warning", "", "odd", "")


def test_each_finding_is_a_row_errors_first():
    table = FindingsTable([NOTE, UNKNOWN, LOST, APART])
    assert [list(row.cells.values()) for row in table.table.rows] == [
        ["error", "mask-apart", "b.nii", "far", ""],
        ["error", "mask-header-lost", "a.nii", "lost", ""],
        ["warning", "no-such-code", "the source as a whole", "odd", ""],
        ["note", "label-disconnected", "a.nii", "two parts", ""],
    ]
    assert [row.tone for row in table.table.rows] == ["error", "error", "warning", "note"]


def test_they_are_counted_by_severity():
    table = FindingsTable([NOTE, LOST, APART], waive=["mask-apart"])
    assert table.counts == {"error": 1, "warning": 0, "note": 1, "waived": 1}
    assert table.summary == "1 error, 1 note, 1 waived"


def test_no_findings_are_no_rows():
    table = FindingsTable()
    assert (table.table.rows, table.codes.rows, table.selected) == ((), (), None)
    assert table.summary == "nothing to report"


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        ({"severity": "error"}, [APART, LOST]),
        ({"code": "mask-apart"}, [APART]),
        ({"search": "a.nii"}, [LOST, NOTE]),
        ({"severity": "note", "search": "a.nii"}, [NOTE]),
        ({}, [APART, LOST, NOTE]),
    ],
)
def test_they_are_filtered_by_severity_code_and_words(chosen, left):
    table = FindingsTable([NOTE, LOST, APART])
    table.filter_by(severity="warning")
    table.filter_by(**chosen)
    assert table.found == left


def test_a_finding_is_chosen_by_itself_by_its_place_or_by_its_row():
    table = FindingsTable([NOTE, LOST, APART])
    table.select(LOST)
    assert table.selected == LOST
    table.select(0)
    assert table.selected == APART
    table.table.select("2")
    assert table.selected == NOTE


def test_each_code_is_a_row_with_its_meaning():
    table = FindingsTable([LOST, LOST, finding("mask-header-lost", "c.nii", "x"), UNKNOWN, NOTE])
    assert [list(row.cells.values()) for row in table.codes.rows] == [
        [
            "mask-header-lost",
            "error",
            2,
            2,
            "A mask has its volume's shape, but the affine of an array saved without a header.",
            0,
        ],
        ["no-such-code", "warning", 1, 0, "", 0],
        ["label-disconnected", "note", 1, 1, "A label falls into parts that do not touch.", 0],
    ]


def test_a_code_is_accepted_and_taken_back():
    table = FindingsTable([LOST, APART])
    table.select(LOST)
    table.set_waived("mask-header-lost", True)
    assert table.waive == ("mask-header-lost",)
    assert [found.path for found in table.findings.errors] == ["b.nii"]
    assert table.table.row("1").cells["severity"] == "error (accepted)"
    assert table.table.row("1").tone == ""
    assert table.selected.waived
    table.set_waived("mask-header-lost", False)
    assert table.waive == ()
    assert table.selected == LOST


def test_a_finding_is_found_again_after_it_was_accepted():
    table = FindingsTable([LOST, APART], waive=["mask-header-lost"])
    table.select(LOST)
    assert table.selected.code == "mask-header-lost"


def test_an_accepted_note_can_be_taken_back():
    table = FindingsTable([NOTE], waive=["label-disconnected"])
    assert table.codes.rows[0].cells["waived"] == 1
    assert table.table.rows[0].cells["waived"] == "accepted in code"


def test_accepting_twice_is_once():
    table = FindingsTable([LOST])
    table.set_waived("mask-header-lost", True)
    table.set_waived("mask-header-lost", True)
    assert table.waive == ("mask-header-lost",)


def test_one_code_may_be_given_as_a_text():
    assert FindingsTable([LOST], waive="mask-header-lost").waive == ("mask-header-lost",)


def test_a_code_that_there_is_not_cannot_be_accepted():
    with pytest.raises(KeyError, match="no finding code 'mask-lost'"):
        FindingsTable(waive=["mask-lost"])
    table = FindingsTable([LOST])
    with pytest.raises(KeyError, match="no finding code 'mask-lost'"):
        table.set_waived("mask-lost", True)
    assert table.waive == ()


def test_what_was_accepted_stays_so_for_other_findings():
    table = FindingsTable([LOST])
    table.set_waived("mask-header-lost", True)
    table.show([finding("mask-header-lost", "z.nii", "lost too"), APART])
    assert [(found.path, found.waived) for found in table.findings] == [
        ("b.nii", False),
        ("z.nii", True),
    ]


def test_what_a_plan_waived_for_another_reason_stays_waived():
    other = Finding("mapping-id", "error", "mapping.json", "x", "", waived=True)
    table = FindingsTable([other, LOST], waive=["mask-header-lost"])
    table.set_waived("mask-header-lost", False)
    assert {found.code: found.waived for found in table.findings} == {
        "mapping-id": True,
        "mask-header-lost": False,
    }


def write_lost(folder):
    """Three planes; the axial mask has lost its header, and there is a score table."""
    write_planes(folder)
    write_nifti(folder / "axl_inference.nii.gz", labels(), np.eye(4))
    (folder / "axl_score.csv").write_text("Layer,Label-1\n1,2.5\n")
    return nk.scan(folder)


@pytest.mark.parametrize(
    ("path", "item"),
    [
        ("axl_inference.nii.gz", "axl_anatomic.nrrd"),
        ("cor_anatomic.nii.gz", "cor_anatomic.nrrd"),
        ("axl_score.csv", "axl_anatomic.nrrd"),
        ("", None),
        ("color_map.txt", None),
    ],
)
def test_the_item_of_a_finding_is_that_of_its_file(path, item, tmp_path):
    dataset = write_lost(tmp_path)
    table = FindingsTable(nk.check(dataset), dataset)
    found = table.item_of(Finding("mask-apart", "error", path, "", ""))
    assert (found and found.name) == item


def test_without_a_dataset_there_are_no_items_and_no_pictures():
    table = FindingsTable([LOST])
    assert table.item_of(LOST) is None
    assert table.picture_of(LOST) is None


def test_a_picture_is_drawn_once_whether_or_not_it_is_accepted(tmp_path):
    dataset = write_lost(tmp_path)
    table = FindingsTable(nk.check(dataset), dataset)
    lost = table.findings.by_code()["mask-header-lost"][0]
    picture = table.picture_of(lost)
    assert picture.png.startswith(b"\x89PNG")
    assert "where the mask's own header puts it" in picture.caption
    table.set_waived("mask-header-lost", True)
    accepted = table.findings.by_code()["mask-header-lost"][0]
    assert table.picture_of(accepted) is picture


def test_they_are_saved_in_the_form_that_the_ending_asks_for(tmp_path):
    dataset = write_lost(tmp_path / "source")
    table = FindingsTable(nk.check(dataset), dataset, waive=["mask-header-lost"])
    table.save(tmp_path / "f.json")
    saved = json.loads((tmp_path / "f.json").read_text("utf-8"))
    assert {one["code"]: one["waived"] for one in saved}["mask-header-lost"] is True
    table.save(tmp_path / "f.html")
    report = (tmp_path / "f.html").read_text("utf-8")
    assert "<title>Findings: source</title>" in report
    assert "data:image/png;base64," in report
    with pytest.raises(NiftiKitError, match="cannot be saved as this kind of file"):
        table.save(tmp_path / "f.pdf")


def test_one_file_is_accepted_and_the_others_of_its_code_stay():
    other = finding("mask-apart", "c.nii", "far too")
    table = FindingsTable([APART, other])
    table.set_waived(("mask-apart", "b.nii"), True)
    assert table.waive == (("mask-apart", "b.nii"),)
    assert [(one.path, one.waived) for one in table.findings] == [("b.nii", True), ("c.nii", False)]
    assert [bool(row.cells["waived"]) for row in table.table.rows] == [True, False]
    assert table.codes.rows[0].cells["waived"] == 1
    table.set_waived(("mask-apart", "b.nii"), False)
    assert table.waive == ()


def test_one_file_of_an_accepted_code_is_taken_back_and_the_others_stay_accepted():
    other = finding("mask-apart", "c.nii", "far too")
    table = FindingsTable([APART, other, LOST], waive=["mask-apart", "mask-header-lost"])
    table.set_waived(("mask-apart", "b.nii"), False)
    assert table.waive == ("mask-header-lost", ("mask-apart", "c.nii"))
    assert [one.path for one in table.findings.errors] == ["b.nii"]
