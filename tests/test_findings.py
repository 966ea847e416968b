"""Findings: order, waiving, counts, and their text, table, JSON and HTML forms."""

from __future__ import annotations

import json

import pytest

from nifti_kit.catalog import lookup
from nifti_kit.findings import Finding, Findings, finding

ERROR = Finding("mask-apart", "error", "b.nii", "apart", "Look.")
ERROR_2 = Finding("mask-apart", "error", "a.nii", "apart", "Look.")
ERROR_3 = Finding("file-unreadable", "error", "z.nii", "cut", "Copy it.")
WARNING = Finding("file-unused", "warning", "c.pdf", "no use", "")
NOTE = Finding("file-hidden", "note", "", "hidden", "Nothing.")
EVERY = (NOTE, WARNING, ERROR, ERROR_2, ERROR_3)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (ERROR, "ERROR [mask-apart] b.nii: apart -> Look."),
        (WARNING, "WARNING [file-unused] c.pdf: no use"),
        (NOTE, "NOTE [file-hidden] hidden -> Nothing."),
        (
            Finding("mask-apart", "error", "b.nii", "apart", "Look.", waived=True),
            "ERROR (waived) [mask-apart] b.nii: apart",
        ),
    ],
    ids=["all parts", "no remedy", "no path", "waived"],
)
def test_a_finding_reads_as_one_line(found: Finding, text: str) -> None:
    assert str(found) == text


def test_severity_and_remedy_come_from_the_catalogue() -> None:
    entry = lookup("file-unused")
    assert finding("file-unused", "a.pdf", "no use") == Finding(
        "file-unused", "warning", "a.pdf", "no use", entry.remedy
    )


def test_a_remedy_of_its_own_goes_before_that_of_the_catalogue() -> None:
    assert finding("file-unused", None, "no use", remedy="Burn it.") == Finding(
        "file-unused", "warning", "", "no use", "Burn it."
    )


def test_a_code_that_is_not_in_the_catalogue_raises() -> None:
    with pytest.raises(KeyError, match="Did you mean file-unused"):
        finding("file-unusd", "a.pdf", "no use")


def test_errors_come_first_then_by_code_then_by_path() -> None:
    assert list(Findings(EVERY)) == [ERROR_3, ERROR_2, ERROR, WARNING, NOTE]


def test_the_same_finding_counts_once() -> None:
    assert list(Findings([ERROR, WARNING, ERROR])) == [ERROR, WARNING]


def test_findings_are_sorted_by_severity() -> None:
    found = Findings(EVERY)
    assert list(found.errors) == [ERROR_3, ERROR_2, ERROR]
    assert list(found.warnings) == [WARNING]
    assert list(found.notes) == [NOTE]
    assert list(found.waived) == []
    assert not found.ok


def test_warnings_and_notes_do_not_block() -> None:
    assert Findings([WARNING, NOTE]).ok
    assert Findings().ok


@pytest.mark.parametrize("waive", ["mask-apart", ["mask-apart"], ("mask-apart", "file-unused")])
def test_waived_findings_are_kept_and_do_not_block(waive: str | list[str]) -> None:
    found = Findings([ERROR, ERROR_2, NOTE], waive)
    assert found.ok
    assert [f.path for f in found.waived] == ["a.nii", "b.nii"]
    assert all(f.waived for f in found.waived)
    assert list(found.notes) == [NOTE]
    assert len(found) == 3


def test_a_waived_warning_or_note_is_not_counted_as_such() -> None:
    found = Findings([WARNING, NOTE], ["file-unused", "file-hidden"])
    assert not found.warnings
    assert not found.notes
    assert len(found.waived) == 2


def test_a_code_that_was_not_waived_still_blocks() -> None:
    assert list(Findings([ERROR, ERROR_3], "mask-apart").errors) == [ERROR_3]


@pytest.mark.parametrize("waive", ["mask-aprat", ["mask-apart", "mask-aprat"]])
def test_waiving_an_unknown_code_raises(waive: str | list[str]) -> None:
    with pytest.raises(KeyError, match="Did you mean mask-apart"):
        Findings([ERROR], waive)


def test_a_slice_is_findings_too() -> None:
    found = Findings(EVERY)
    assert found[0] == ERROR_3
    assert found[-1] == NOTE
    assert found[1:3] == Findings([ERROR, ERROR_2])
    assert isinstance(found[1:3], Findings)


def test_findings_are_equal_by_content() -> None:
    assert Findings([ERROR, NOTE]) == Findings([NOTE, ERROR])
    assert hash(Findings([ERROR, NOTE])) == hash(Findings([NOTE, ERROR]))
    assert Findings([ERROR]) != Findings([ERROR], "mask-apart")
    assert Findings([ERROR]) != [ERROR]


def test_findings_are_grouped_by_their_code() -> None:
    groups = Findings(EVERY).by_code()
    assert list(groups) == ["file-unreadable", "mask-apart", "file-unused", "file-hidden"]
    assert list(groups["mask-apart"]) == [ERROR_2, ERROR]


def test_the_table_has_a_row_for_each_finding() -> None:
    frame = Findings([WARNING, ERROR]).to_frame()
    columns = ["code", "severity", "path", "message", "remedy", "waived", "voxel"]
    assert list(frame.columns) == columns
    assert frame.to_numpy().tolist() == [
        ["mask-apart", "error", "b.nii", "apart", "Look.", False, None],
        ["file-unused", "warning", "c.pdf", "no use", "", False, None],
    ]


def test_an_empty_table_has_its_columns() -> None:
    frame = Findings().to_frame()
    assert frame.shape == (0, 7)
    assert "code" in frame.columns


def test_json_has_an_object_for_each_finding() -> None:
    assert json.loads(Findings([ERROR], "mask-apart").to_json()) == [
        {
            "code": "mask-apart",
            "severity": "error",
            "path": "b.nii",
            "message": "apart",
            "remedy": "Look.",
            "waived": True,
            "voxel": None,
        }
    ]


def test_json_keeps_letters_as_they_are() -> None:
    assert "Fémur" in Findings([Finding("a", "note", "Fémur.nii", "", "")]).to_json()


@pytest.mark.parametrize(
    ("found", "waive", "text"),
    [
        ((), (), "nothing to report"),
        ((ERROR,), (), "1 error"),
        ((ERROR, ERROR_2, WARNING), (), "2 errors, 1 warning"),
        ((WARNING, NOTE), (), "1 warning, 1 note"),
        (EVERY, "mask-apart", "1 error, 1 warning, 1 note, 2 waived"),
        ((ERROR,), "mask-apart", "1 waived"),
    ],
)
def test_the_summary_counts(
    found: tuple[Finding, ...], waive: str | tuple[str, ...], text: str
) -> None:
    assert Findings(found, waive).summary() == text


def repeated(count: int) -> Findings:
    return Findings(Finding("mask-apart", "error", f"{n}.nii", "m", "r") for n in range(count))


def test_the_text_form_has_a_line_for_each_finding() -> None:
    assert repr(Findings([NOTE, ERROR])) == (
        "Findings: 1 error, 1 note\n"
        "  ERROR [mask-apart] b.nii: apart -> Look.\n"
        "  NOTE [file-hidden] hidden -> Nothing."
    )


def test_five_findings_of_one_code_are_all_shown() -> None:
    assert len(repr(repeated(5)).splitlines()) == 6
    assert repeated(5)._repr_html_().count("<tr>") == 6


def test_more_than_five_findings_of_one_code_are_counted() -> None:
    lines = repr(repeated(8)).splitlines()
    assert len(lines) == 7
    assert lines[-1] == "  ... and 3 more [mask-apart]"
    markup = repeated(8)._repr_html_()
    assert markup.count("<tr>") == 7
    assert "... and 3 more" in markup


def test_the_html_form_escapes_names_and_messages() -> None:
    hostile = Finding("mask-apart", "error", "<img src=x>.nii", "<script>", "<b>")
    markup = Findings([hostile])._repr_html_()
    assert "&lt;img src=x&gt;.nii" in markup
    assert "&lt;script&gt;" in markup
    assert "&lt;b&gt;" in markup
    assert "<img" not in markup
    assert "<script" not in markup


def test_a_waived_finding_asks_for_nothing_more() -> None:
    waived = Finding("mask-apart", "error", "a.nii", "apart", "Look.", waived=True)
    markup = Findings([waived])._repr_html_()
    assert "error (waived)" in markup
    assert "Look." not in markup


def test_no_findings_have_no_table() -> None:
    assert Findings()._repr_html_() == (
        "<p style='margin:6px 0'><b>Findings: nothing to report</b></p>"
    )
