"""Findings: order, waiving, counts, and their text, table, JSON and HTML forms."""

from __future__ import annotations

import csv
import json
import os
import pickle
from html.parser import HTMLParser
from pathlib import Path

import pytest

from nifti_kit.core import findings as module
from nifti_kit.core.catalog import lookup
from nifti_kit.core.findings import Finding, Findings, finding
from nifti_kit.core.html import Illustration
from nifti_kit.errors import NiftiKitError, PlanBlocked

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
    columns = ["code", "severity", "path", "message", "remedy", "waived", "voxel", "cell"]
    assert list(frame.columns) == columns
    assert frame.to_numpy().tolist() == [
        ["mask-apart", "error", "b.nii", "apart", "Look.", False, None, None],
        ["file-unused", "warning", "c.pdf", "no use", "", False, None, None],
    ]


def test_an_empty_table_has_its_columns() -> None:
    frame = Findings().to_frame()
    assert frame.shape == (0, 8)
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
            "cell": None,
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
    assert lines[-1] == "  ... and 3 other files [mask-apart]"
    markup = repeated(8)._repr_html_()
    assert markup.count("<tr>") == 7
    assert "... and 3 other files" in markup


@pytest.mark.parametrize(
    ("paths", "text"),
    [
        ("abcdef", "1 other file"),
        ("aaaaaaaa", "3 more findings"),
        ("aaaaaa", "1 more finding"),
        ("abcdeff", "1 other file (2 more findings)"),
        ("aaaaaabc", "2 other files (3 more findings)"),
        (["", "", "", "", "", "", ""], "2 more findings"),
    ],
)
def test_what_is_not_shown_is_counted_by_files(paths: str | list[str], text: str) -> None:
    some = Findings(
        Finding("mask-apart", "error", path, f"{n}", "") for n, path in enumerate(paths)
    )
    assert repr(some).splitlines()[-1] == f"  ... and {text} [mask-apart]"
    assert (
        f"<td style='text-align:left;padding:2px 10px 2px 0;vertical-align:top'>... and {text}"
        in (some._repr_html_())
    )


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


PNG = b"\x89PNG"
HOSTILE_NAME = "<img src=x onerror=alert(1)>.nii.gz"


class Drawer:
    """Draws everything but what it was told not to, and keeps book."""

    def __init__(self, *unseen: str) -> None:
        self.unseen, self.asked = unseen, []

    def __call__(self, found: Finding) -> Illustration | None:
        self.asked.append(found.path)
        if found.path in self.unseen:
            return None
        return Illustration(PNG, f"picture of {found.path}", 240, 120)


class Report(HTMLParser):
    """What a browser sees of a report: tags with attributes, and the text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(path.read_bytes().decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, wanted: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == wanted]


def saved(found: Findings, folder: Path) -> Report:
    found.save(folder / "report.html")
    return Report(folder / "report.html")


def test_a_report_says_everything_of_every_finding(tmp_path: Path) -> None:
    odd = finding("mask-apart", "d.nii", "far", remedy="Ask the site.", voxel=(1, 2, 3))
    every = Findings([*EVERY, odd], ["file-unused"], source="knee")
    text = saved(every, tmp_path).text
    assert "Findings: knee" in text
    assert "4 errors, 1 note, 1 waived; in 5 files" in text
    assert "An upload is blocked." in text
    for found in every:
        assert found.path in text
        assert found.message in text
        assert lookup(found.code).meaning in text
    assert "d.nii: far (voxel 1, 2, 3 from 0) What to do: Ask the site." in text
    assert f"What to do: {lookup('mask-apart').remedy}" in text
    assert "the source: hidden" in text


def test_a_report_puts_waived_findings_last_and_asks_nothing_of_them(tmp_path: Path) -> None:
    text = saved(Findings([ERROR, NOTE], "mask-apart"), tmp_path).text
    notes, waived = text.split("Waived: accepted by a person")
    assert "b.nii: apart" in waived
    assert "b.nii: apart" not in notes
    assert "What to do" in notes
    assert "What to do" not in waived
    assert "Nothing blocks an upload." in text


def test_a_report_of_nothing_says_so(tmp_path: Path) -> None:
    report = saved(Findings(), tmp_path)
    assert "nothing to report" in report.text
    assert not report.of("table")


def test_a_report_runs_nothing_and_loads_nothing(tmp_path: Path) -> None:
    hostile = Finding("mask-apart", "error", HOSTILE_NAME, "<script>a</script>", "'\"><b>")
    report = saved(Findings([hostile], illustrate=Drawer(), source="<script>x</script>"), tmp_path)
    assert HOSTILE_NAME in report.text
    assert "<script>x</script>" in report.text
    images = report.of("img")
    assert [image["src"] for image in images] == ["data:image/png;base64,iVBORw=="]
    assert images[0]["alt"] == f"picture of {HOSTILE_NAME}"
    assert not report.of("script")
    assert not any(name.startswith("on") for _, found in report.tags for name in found)
    assert [link["href"] for link in report.of("a")] == ["#mask-apart"]
    assert "mask-apart" in [section["id"] for section in report.of("section")]


def test_a_report_folds_what_is_beyond_twenty_and_leaves_nothing_out(tmp_path: Path) -> None:
    found = repeated(45)
    report = saved(found, tmp_path)
    assert len(report.of("li")) == 45
    assert len(report.of("details")) == 1
    open_part, folded = report.text.split("and 25 more findings")
    listed = [f"{one.path}: m" for one in found]
    assert all(line in open_part for line in listed[:20])
    assert all(line in folded for line in listed[20:])
    assert not saved(repeated(20), tmp_path).of("details")


def test_the_same_findings_give_the_same_report(tmp_path: Path) -> None:
    Findings(EVERY, illustrate=Drawer()).save(tmp_path / "a.html")
    Findings(reversed(EVERY), illustrate=Drawer()).save(tmp_path / "b.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_three_files_of_a_code_have_pictures(tmp_path: Path) -> None:
    report = saved(Findings(repeated(8), illustrate=Drawer("1.nii")), tmp_path)
    seen = [image["alt"] for image in report.of("img")]
    assert seen == ["picture of 0.nii", "picture of 2.nii", "picture of 3.nii"]
    assert report.of("img")[0]["width"] == "240"


def test_a_file_has_one_picture_of_a_code(tmp_path: Path) -> None:
    same = [Finding("mask-apart", "error", "a.nii", f"{n}", "") for n in range(5)]
    assert len(saved(Findings(same, illustrate=Drawer()), tmp_path).of("img")) == 1


def test_no_more_than_six_files_of_a_code_are_tried(tmp_path: Path) -> None:
    drawer = Drawer(*(f"{n}.nii" for n in range(50)))
    assert not saved(Findings(repeated(50), illustrate=drawer), tmp_path).of("img")
    assert drawer.asked == [f"{n}.nii" for n in (0, 1, 10, 11, 12, 13)]


def test_every_code_has_a_picture_before_one_has_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PICTURES", 3)
    some = [*repeated(3), WARNING]
    seen = [
        image["alt"] for image in saved(Findings(some, illustrate=Drawer()), tmp_path).of("img")
    ]
    assert seen == ["picture of 0.nii", "picture of 1.nii", "picture of c.pdf"]


def test_a_report_has_twenty_four_pictures_at_most(tmp_path: Path) -> None:
    many = [Finding(f"code-{n}", "note", f"{m}", "", "") for n in range(30) for m in range(4)]
    drawer = Drawer()
    assert len(saved(Findings(many, illustrate=drawer), tmp_path).of("img")) == 24
    assert len(drawer.asked) == 24


def test_parts_keep_what_draws_them(tmp_path: Path) -> None:
    every = Findings(EVERY, illustrate=Drawer(), source="knee")
    for part in (every[:2], every.errors, every.by_code()["mask-apart"]):
        report = saved(part, tmp_path)
        assert report.of("img")
        assert "Findings: knee" in report.text


def test_what_draws_is_no_part_of_the_content() -> None:
    drawn = Findings([ERROR], illustrate=Drawer(), source="knee")
    assert drawn == Findings([ERROR])
    assert hash(drawn) == hash(Findings([ERROR]))


def test_findings_can_be_pickled_without_what_draws_them(tmp_path: Path) -> None:
    found = Findings(EVERY, "mask-apart", illustrate=lambda _: None, source="knee")
    copy = pickle.loads(pickle.dumps(found))
    assert copy == found
    assert "Findings: knee" in saved(copy, tmp_path).text


@pytest.mark.parametrize("name", ["a.json", "a.JSON"])
def test_findings_are_saved_as_json(tmp_path: Path, name: str) -> None:
    found = Findings([ERROR, NOTE])
    found.save(tmp_path / name)
    assert (tmp_path / name).read_text(encoding="utf-8") == found.to_json()


def test_findings_are_saved_as_a_table(tmp_path: Path) -> None:
    Findings([finding("mask-apart", 'a,"b".nii', "x", voxel=(1, 2, 3))]).save(tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["code", "severity", "path", "message", "remedy", "waived", "voxel", "cell"],
        [
            *("mask-apart", "error", 'a,"b".nii', "x"),
            *(lookup("mask-apart").remedy, "False", "(1, 2, 3)", ""),
        ],
    ]


def test_in_a_table_of_findings_nothing_is_a_formula(tmp_path: Path) -> None:
    found = finding("mask-apart", "=a.nii", "+b", remedy="@c")
    Findings([found]).save(tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["path"], row["message"], row["remedy"]) == ("'=a.nii", "'+b", "'@c")
    assert (found.path, Findings([found]).to_frame()["path"][0]) == ("=a.nii", "=a.nii")
    Findings([]).save(tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_text().startswith("code,severity,path")


@pytest.mark.parametrize("name", ["a.html", "a.json", "a.csv"])
def test_a_name_with_bytes_that_are_no_letters_is_saved(tmp_path: Path, name: str) -> None:
    Findings([finding("mask-apart", os.fsdecode(b"a\xff.nii"), "x")]).save(tmp_path / name)
    assert "a\\udcff.nii" in (tmp_path / name).read_text(encoding="utf-8")


def test_a_report_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    for found in (Findings(EVERY), Findings()):
        found.save(str(tmp_path / "report.html"))
    assert "nothing to report" in Report(tmp_path / "report.html").text
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("name", ["report.pdf", "report"])
def test_other_endings_are_refused_by_naming_the_choices(tmp_path: Path, name: str) -> None:
    with pytest.raises(NiftiKitError) as caught:
        Findings().save(tmp_path / name)
    assert str(caught.value) == (
        f"{tmp_path / name}: findings cannot be saved as this kind of file "
        f"Found: '{Path(name).suffix}'. Expected: .html or .json or .csv. "
        "Remedy: Give the name one of these endings, such as findings.html."
    )
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.html").mkdir()
    with pytest.raises(NiftiKitError, match=r"a\.html: the file cannot be written Found: Is a dir"):
        Findings().save(tmp_path / "a.html")


@pytest.mark.parametrize(
    ("severity", "most"), [("never", "error"), ("error", "warning"), ("warning", "note")]
)
def test_a_run_does_not_fail_on_what_is_less_than_was_said(severity, most):
    findings = Findings(EVERY)
    {"error": findings, "warning": findings.warnings, "note": findings.notes}[most].fail_on(
        severity
    )


@pytest.mark.parametrize("severity", ["error", "warning", "note"])
def test_a_run_fails_on_what_was_said_and_on_what_is_worse(severity):
    with pytest.raises(PlanBlocked, match=r"finding.* in the way") as failed:
        Findings(EVERY).fail_on(severity)
    assert "z.nii" in str(failed.value)
    assert ("c.pdf" in str(failed.value)) == (severity != "error")


def test_a_run_does_not_fail_on_what_a_person_accepted():
    Findings([ERROR, ERROR_2], waive=["mask-apart"]).fail_on("note")


def test_a_word_that_is_no_severity_is_refused_though_nothing_was_found():
    with pytest.raises(NiftiKitError, match=r"'errors'.*never, error, warning"):
        Findings().fail_on("errors")
