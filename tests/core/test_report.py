"""Reports: text, HTML, frame, JSON and files of one set of rows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from nifti_kit.core.report import Report, Row
from nifti_kit.core.text import REPR_ROWS
from nifti_kit.errors import NiftiKitError


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
