"""Reports: text, HTML, frame, JSON and files of one set of rows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

import nifti_kit as nk
from nifti_kit.core import html
from nifti_kit.core.findings import Findings, finding
from nifti_kit.core.report import Report, Row
from nifti_kit.core.text import REPR_ROWS
from nifti_kit.errors import NiftiKitError, visible
from tests.support.landings import quiet, write_scored_planes


class Hills(Report):
    word, row_word, columns = "hills", "hill", ("name", "height")

    def __init__(self, rows: list[Row], lines: list[str] | None = None) -> None:
        self._given, self._lines = rows, lines or []

    def title(self) -> str:
        return f"Hills: {len(self._given)}"

    def rows(self) -> Iterable[Row]:
        return self._given

    def lines(self) -> list[str]:
        return self._lines


def test_a_text_names_each_cell_by_its_column_and_leaves_out_what_is_not_known() -> None:
    text = repr(Hills([("Beacon\u202e", 12.34567), ("Low", None)], ["one is low"]))
    assert text == ("Hills: 2\n  name Beacon\\u202e, height 12.35\n  name Low\n  one is low")


def test_a_repr_counts_what_it_does_not_show_and_a_page_has_all_of_it(tmp_path: Path) -> None:
    hills = Hills([(f"hill {n}", 1.0) for n in range(REPR_ROWS + 7)])
    assert "7 more hills; all are in to_frame()" in hills._repr_html_()
    assert f"... and {REPR_ROWS - 13} more hills" in repr(hills)
    hills.save(tmp_path / "a.html")
    assert f"hill {REPR_ROWS + 6}<" in (tmp_path / "a.html").read_text()
    assert len(hills.to_frame()) == REPR_ROWS + 7


def test_names_are_escaped_in_html_and_guarded_in_tables(tmp_path: Path) -> None:
    hills = Hills([("<b>=1+1", 1.0), ("=1+1", 2.0)])
    assert "<b>=" not in hills._repr_html_()
    hills.save(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text().splitlines() == [
        "name,height",
        "<b>=1+1,1.0",
        "'=1+1,2.0",
    ]


def test_json_has_null_for_what_is_no_number() -> None:
    hills = Hills([("a", float("inf")), ("b", float("nan"))])
    assert json.loads(hills.to_json())["rows"] == [
        {"name": "a", "height": None},
        {"name": "b", "height": None},
    ]


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NiftiKitError, match=r"hills\.html"):
        Hills([]).save(tmp_path / "a.xls")


def test_a_result_with_records_of_its_own_gives_their_cells(tmp_path: Path) -> None:
    """Findings are a sequence, and their JSON is an array."""
    found = Findings([finding("mask-empty", "=a.nii", "it is empty")])
    assert found.to_frame()["path"].tolist() == ["=a.nii"]
    assert [one["code"] for one in json.loads(found.to_json())] == ["mask-empty"]
    found.save(tmp_path / "a.csv")
    assert ",'=a.nii," in (tmp_path / "a.csv").read_text()


def test_what_every_result_can_be_asked_is_the_same(tmp_path: Path) -> None:
    """Text, page, frame, JSON and file of each have the same rows."""
    dataset = nk.scan(write_scored_planes(tmp_path / "in"))
    plan = nk.plan(dataset)
    target = nk.ProjectFolder(tmp_path / "p", "d")
    receipt = nk.upload(plan, target, on_progress=quiet)
    proof = nk.verify(receipt, target)
    for result in (dataset, nk.check(dataset), plan, receipt, proof, nk.kept(tmp_path / "p")):
        text = visible(result.title())
        assert repr(result).splitlines()[0] == text
        assert f"<b>{html.text(result.title())}</b>" in result._repr_html_()
        frame = result.to_frame()
        assert list(frame.columns) == list(result.columns)
        assert len(frame) == sum(1 for _ in result.cells())
        json.loads(result.to_json())
        for ending in (".json", ".html", ".csv"):
            result.save(tmp_path / f"{result.word}{ending}")
        page = (tmp_path / f"{result.word}.html").read_text("utf-8")
        assert result.word == "findings" or f"<b>{html.text(result.title())}</b>" in page
