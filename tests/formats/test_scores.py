"""Score tables: every cell lands as it was written, or is named."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nifti_kit.errors import BadScores, NiftiKitError, TargetError, UnreadableFile
from nifti_kit.formats.scores import Score, ScoreTable, in_ranges, read_scores
from tests.support.properties import untimed

SPECIFICATION = """\
Layer, Label-2, Label-4
3, 0.8, 0.9
7, 0.7, 0.6
8, 0.4, 0.3
"""

Cell = tuple[int, int, "str | None"]


def read(folder: Path, text: str | bytes, base: int = 1) -> ScoreTable:
    path = folder / "axl_score.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_scores(path, base=base, relative="axl_score.csv")


def cells(table: ScoreTable) -> list[Cell]:
    """Return (frame, value, score) of every score."""
    return [(score.frame, score.value, score.score) for score in table]


def faults(table: ScoreTable) -> list[tuple[str, str]]:
    assert all(fault.path == "axl_score.csv" for fault in table.faults)
    return [(fault.code, fault.message) for fault in table.faults]


def test_the_table_of_the_specification_is_read(tmp_path: Path) -> None:
    table = read(tmp_path, SPECIFICATION)
    assert table.scores == (
        Score(frame=3, value=2, score="0.80", comment=None, row=2, column=2),
        Score(frame=3, value=4, score="0.90", comment=None, row=2, column=3),
        Score(frame=7, value=2, score="0.70", comment=None, row=3, column=2),
        Score(frame=7, value=4, score="0.60", comment=None, row=3, column=3),
        Score(frame=8, value=2, score="0.40", comment=None, row=4, column=2),
        Score(frame=8, value=4, score="0.30", comment=None, row=4, column=3),
    )
    assert (table.path, table.base, table.values, table.faults) == ("axl_score.csv", 1, (2, 4), ())
    assert len(table) == 6


TWO: list[Cell] = [(1, 1, "0.80"), (2, 1, "0.50")]

FINE: dict[str, tuple[str | bytes, list[Cell]]] = {
    "no spaces": ("Layer,Label-1\n1,0.8\n2,0.5\n", TWO),
    "spaces around": ("  Layer ,  Label-1 \n 1 , 0.8 \n2  ,0.5  \n", TWO),
    "BOM": (b"\xef\xbb\xbfLayer,Label-1\n1,0.8\n2,0.5", TWO),
    "utf-16": ("Layer,Label-1\n1,0.8\n2,0.5".encode("utf-16"), TWO),
    "CRLF": ("Layer,Label-1\r\n1,0.8\r\n2,0.5\r\n", TWO),
    "semicolons and decimal commas": ("Layer;Label-1\n1;0,8\n2;0,5\n", TWO),
    "semicolons and decimal points": ("Layer; Label-1\n1; 0.8\n2; 0.5\n", TWO),
    "tabs": ("Layer\tLabel-1\n1\t0.8\n2\t0,5\n", TWO),
    "quotes": ('"Layer","Label-1"\n"1","0.8"\n2, "0.5"\n', TWO),
    "a decimal comma in quotes": ('Layer,Label-1\n1,"0,8"\n2,0.5\n', TWO),
    "blank lines": ("\nLayer,Label-1\n\n1,0.8\n,\n2,0.5\n\n", TWO),
    "blank cells": ("Layer,Label-1,Label-2\n1,0.8,\n2,,0.5\n3,,\n4\n", [TWO[0], (2, 2, "0.50")]),
    "upper and lower case": ("LAYER,label-1\n1,0.8\n2,0.5", TWO),
    "other dashes": ("layer,Label_1,Label 2\n1,0.8,\n2,,0.5", [TWO[0], (2, 2, "0.50")]),
    "no dash": ("Layer,Label1\n1,0.8\n2,0.5", TWO),
    "columns in any order": ("Label-1,Layer\n0.8,1\n0.5,2", TWO),
    "rows in any order": ("Layer,Label-1\n2,0.5\n1,0.8", [TWO[1], TWO[0]]),
    "layers with a fraction of 0": ("Layer,Label-1\n1.0,0.8\n2.00,0.5", TWO),
    "label with leading zeros": ("Layer,Label-01\n1,0.8\n2,0.5", TWO),
    "a byte order mark and CRLF and semicolons and blank cells": (
        b"\xef\xbb\xbfLayer; Label-1; Label-2\r\n1; 0,8; \r\n2; ; 0,5\r\n",
        [TWO[0], (2, 2, "0.50")],
    ),
}


@pytest.mark.parametrize(("text", "expected"), FINE.values(), ids=list(FINE))
def test_a_table_is_read_as_people_write_it(
    text: str | bytes, expected: list[Cell], tmp_path: Path
) -> None:
    table = read(tmp_path, text)
    assert cells(table) == expected
    assert faults(table) == []


WRITTEN = {
    "0.8": "0.80",
    "0.80": "0.80",
    "0.8000": "0.8000",
    "0.123456789012345678901234567890": "0.123456789012345678901234567890",
    "1": "1.00",
    "0": "0.00",
    "1.0": "1.00",
    ".5": "0.50",
    "0.": "0.00",
    "1e-3": "0.001",
    "8E-1": "0.80",
    "+0.25": "0.25",
}


@pytest.mark.parametrize(("text", "score"), WRITTEN.items())
def test_a_score_is_kept_as_written_with_at_least_two_decimals(
    text: str, score: str, tmp_path: Path
) -> None:
    table = read(tmp_path, f"Layer,Label-1\n1,{text}\n")
    assert cells(table) == [(1, 1, score)]
    assert faults(table) == []


@untimed
@given(
    whole=st.integers(0, 1000),
    decimals=st.text("0123456789", max_size=20),
    comma=st.booleans(),
)
def test_the_digits_of_a_score_are_never_changed(
    whole: int, decimals: str, comma: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "digits.csv"
    written = f"{whole}{',' if comma else '.'}{decimals}"
    path.write_text(f"Layer;Label-1\n1;{written}\n")
    (score,) = read_scores(path)
    assert score.score == f"{whole}.{decimals.ljust(2, '0')}"


@pytest.mark.parametrize("text", ["1.01", "-0.1", "80", "1e300"])
def test_a_score_outside_0_to_1_lands_and_is_named(text: str, tmp_path: Path) -> None:
    table = read(tmp_path, f"Layer,Label-3\n1,{text}\n")
    assert [Decimal(score.score or "") for score in table] == [Decimal(text)]
    assert faults(table) == [
        ("scores-range", f"row 2, column 2 (Label-3): {text} is outside 0 to 1")
    ]
    assert table.faults[0].severity == "warning"


@pytest.mark.parametrize(
    "text",
    ["nan", "inf", "-inf", "high", "80%", "0.8.1", "0_1", "1e400", "1e-99999", "0.8 0.9", "-"],
)
def test_a_cell_that_is_no_number_is_named_and_the_others_are_kept(
    text: str, tmp_path: Path
) -> None:
    table = read(tmp_path, f"Layer,Label-1,Label-2\n1,{text},0.9\n2,0.5,0.6\n")
    assert cells(table) == [(1, 2, "0.90"), (2, 1, "0.50"), (2, 2, "0.60")]
    code = "scores-cell" if text in ("nan", "-") else "scores-cell-text"
    assert faults(table) == [(code, f"row 2, column 2 (Label-1): {text!r} is no number")]
    assert table.faults[0].severity == "error"
    assert table.faults[0].cell == (2, 2)


LAYERS = {
    "zero": ("0", "scores-layer-zero", "row 3: Layer 0, but layers count from 1"),
    "negative": ("-1", "scores-layer-outside", "row 3: Layer -1 is below 1"),
    "a fraction": ("1.5", "scores-layer", "row 3, column Layer: '1.5' is no whole number"),
    "text": ("one", "scores-layer", "row 3, column Layer: 'one' is no whole number"),
    "blank": ("", "scores-layer", "row 3, column Layer: '' is no whole number"),
    "not finite": ("inf", "scores-layer", "row 3, column Layer: 'inf' is no whole number"),
}


@pytest.mark.parametrize(("layer", "code", "message"), LAYERS.values(), ids=list(LAYERS))
def test_a_row_without_a_layer_is_named_and_the_others_are_kept(
    layer: str, code: str, message: str, tmp_path: Path
) -> None:
    table = read(tmp_path, f"Layer,Label-1\n4,0.8\n{layer},0.9\n5,0.7\n")
    assert cells(table) == [(4, 1, "0.80"), (5, 1, "0.70")]
    assert faults(table) == [(code, message)]
    assert table.faults[0].severity == "error"


def test_the_layer_zero_fault_offers_the_other_base(tmp_path: Path) -> None:
    (fault,) = read(tmp_path, "Layer,Label-1\n0,0.8\n").faults
    assert fault.remedy == (
        "If the table counts from 0, as the platform's exporter writes it: scan(..., score_base=0)."
    )


def test_a_table_of_the_exporter_counts_from_0(tmp_path: Path) -> None:
    table = read(tmp_path, "Layer,Label-1,Label-2\n0,0.80,0.0\n6,0.5,0.90\n", base=0)
    assert table.base == 0
    assert cells(table) == [
        (1, 1, "0.80"),
        (1, 2, "0.00"),
        (7, 1, "0.50"),
        (7, 2, "0.90"),
    ]
    assert faults(table) == []


def test_counted_from_0_a_negative_layer_is_outside(tmp_path: Path) -> None:
    table = read(tmp_path, "Layer,Label-1\n-1,0.8\n", base=0)
    assert faults(table) == [("scores-layer-outside", "row 2: Layer -1 is below 0")]


def test_of_a_repeated_layer_no_row_lands(tmp_path: Path) -> None:
    table = read(tmp_path, "Layer,Label-1\n3,0.8\n4,0.7\n3.0,0.9\n")
    assert cells(table) == [(4, 1, "0.70")]
    assert faults(table) == [
        ("scores-layer-repeated", "row 2: Layer 3 stands twice"),
        ("scores-layer-repeated", "row 4: Layer 3 stands twice"),
    ]


def test_a_layer_may_be_repeated_more_than_once(tmp_path: Path) -> None:
    table = read(tmp_path, "Layer,Label-1\n3,0.8\n3,0.7\n3,0.9\n")
    assert faults(table)[0] == ("scores-layer-repeated", "row 2: Layer 3 stands 3 times")
    assert len(table.faults) == 3


def test_the_same_text_in_many_cells_of_a_column_is_named_once_with_its_rows(
    tmp_path: Path,
) -> None:
    rows = "".join(f"{layer},n/a,{0.5 if layer != 4 else 'x'}\n" for layer in range(1, 6))
    table = read(tmp_path, f"Layer,Label-1,Label-2\n{rows}")
    assert faults(table) == [
        ("scores-cell", "rows 2-6, column 2 (Label-1): 'n/a' is no number"),
        ("scores-cell-text", "row 5, column 3 (Label-2): 'x' is no number"),
    ]


def test_scores_in_percent_are_named_once_for_each_column(tmp_path: Path) -> None:
    rows = "".join(f"{layer},{layer}0,0.5\n" for layer in range(1, 8))
    table = read(tmp_path, f"Layer,Label-1,Label-2\n{rows}9,0.5,1.5\n")
    assert len(table) == 16
    assert faults(table) == [
        (
            "scores-range",
            (
                "column 2 (Label-1): 7 scores are outside 0 to 1: "
                "10 in row 2, 20 in row 3, 30 in row 4, 40 in row 5, 50 in row 6 and 2 more"
            ),
        ),
        ("scores-range", "row 9, column 3 (Label-2): 1.5 is outside 0 to 1"),
    ]


def test_columns_without_any_score_are_named_in_one_note(tmp_path: Path) -> None:
    table = read(tmp_path, "Layer,Label-1,Label-2,Label-7\n1,0.5,,\n2,,, \n")
    assert faults(table) == [("scores-column-empty", "no score in Label-2, Label-7")]
    assert table.faults[0].severity == "note"
    assert table.values == (1, 2, 7)


def test_a_column_of_text_is_not_without_scores(tmp_path: Path) -> None:
    table = read(tmp_path, "Layer,Label-1\n1,x\n")
    assert [code for code, _ in faults(table)] == ["scores-cell-text"]


def test_columns_of_no_use_are_named(tmp_path: Path) -> None:
    text = "Layer,Label-1,Score,Label-1,Layer,Label-x\n1,0.8,0.1,0.2,0.3,0.4\n"
    table = read(tmp_path, text)
    assert cells(table) == [(1, 1, "0.80")]
    assert faults(table) == [
        ("scores-column", "column 3: 'Score' is not used"),
        ("scores-column", "column 4: 'Label-1' is not used"),
        ("scores-column", "column 5: 'Layer' is not used"),
        ("scores-column", "column 6: 'Label-x' is not used"),
    ]
    assert table.values == (1,)


def test_thousands_of_columns_of_one_name_are_told_apart_in_a_few_letters(tmp_path: Path) -> None:
    more = 3000
    names = ["Layer", "Label-1", *["x"] * more]
    table = read(tmp_path, f"{','.join(names)}\n1,0.8\n")
    assert cells(table) == [(1, 1, "0.80")]
    assert len(table.heads) == len(names)
    assert max(map(len, table.heads)) < len("x (again 30000)")
    told = [message for _, message in faults(table)]
    assert told == [f"column {at + 3}: 'x' is not used" for at in range(more)]


@pytest.mark.parametrize(
    ("header", "row", "beyond"),
    [
        ("Layer,Label-1", "1,0.8,0.9,,0.7", "0.9, 0.7"),
        ("Layer,,Label-1", "1,0.9,0.8", "0.9"),
        ("Layer,Label-1,", "1,0.8,0.9", "0.9"),
    ],
    ids=["behind the header", "between columns", "below a blank"],
)
def test_a_cell_without_a_header_is_named(
    header: str, row: str, beyond: str, tmp_path: Path
) -> None:
    table = read(tmp_path, f"{header}\n{row}\n")
    assert cells(table) == [(1, 1, "0.80")]
    assert faults(table) == [("scores-cell-unheaded", f"row 2: cells without a header: {beyond}")]


def test_comments_go_with_the_score_of_their_value(tmp_path: Path) -> None:
    text = (
        'Layer,Label-1,Comment-1,comment_2,Label-2\n1,0.8,"good, sharp",,0.7\n2,,unclear,bad,x\n3\n'
    )
    table = read(tmp_path, text)
    assert [(s.frame, s.value, s.score, s.comment) for s in table] == [
        (1, 1, "0.80", "good, sharp"),
        (1, 2, "0.70", None),
        (2, 1, None, "unclear"),
        (2, 2, None, "bad"),
    ]
    assert faults(table) == [("scores-cell-text", "row 3, column 5 (Label-2): 'x' is no number")]


def test_a_comment_column_without_a_score_column_is_named(tmp_path: Path) -> None:
    table = read(tmp_path, "Layer,Label-1,Comment-5\n1,0.8,lost\n")
    assert cells(table) == [(1, 1, "0.80")]
    assert faults(table) == [("scores-column", "column 3: Comment-5 has no Label-5 beside it")]


def test_a_comment_may_have_several_lines(tmp_path: Path) -> None:
    table = read(tmp_path, 'Layer,Label-1,Comment-1\n1,0.8,"two\nlines"\n2,0.5,\n')
    assert cells(table) == TWO
    assert [score.comment for score in table] == ["two\nlines", None]


REFUSED = {
    "no layer": ("Frame,Label-1\n1,0.8", "the table has no 'Layer' column", "Frame, Label-1"),
    "no label": ("Layer,Score\n1,0.8", "no column is a label", "Layer, Score"),
    "empty": ("", "the table has no 'Layer' column", "an empty file"),
    "blank": ("\n \n", "the table has no 'Layer' column", "an empty file"),
    "a number that is far too long": (
        f"Layer,Label-{'9' * 5000}",
        "no column is a label",
        f"Layer, Label-{'9' * 5000}",
    ),
}


@pytest.mark.parametrize(("text", "message", "found"), REFUSED.values(), ids=list(REFUSED))
def test_a_table_without_layers_or_labels_is_refused(
    text: str, message: str, found: str, tmp_path: Path
) -> None:
    with pytest.raises(BadScores) as caught:
        read(tmp_path, text)
    assert str(caught.value) == (
        f"axl_score.csv: {message} Found: {found}. "
        "Expected: a header such as 'Layer, Label-1, Label-2'. Remedy: Correct the header line."
    )


def test_a_quote_that_is_never_closed_is_refused_and_takes_no_rows_with_it(
    tmp_path: Path,
) -> None:
    with pytest.raises(BadScores, match="the table cannot be read Found: unexpected end of data"):
        read(tmp_path, 'Layer,Label-1,Comment-1\n1,0.8,"open\n2,0.9,x\n')


@pytest.mark.parametrize("base", [2, -1])
def test_another_base_than_0_or_1_is_refused(base: int, tmp_path: Path) -> None:
    with pytest.raises(BadScores, match=re.escape("layers count from 0 or from 1 Found: ")):
        read(tmp_path, SPECIFICATION, base)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="zero bytes"):
        read(tmp_path, b"Layer,Label-1\0")


def test_a_zero_byte_in_a_wide_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadScores, match="the table cannot be read Found: a zero byte"):
        read(tmp_path, "Layer,Label-1,Comment-1\n1,0.5,a\0b\n".encode("utf-16"))


def test_bytes_in_memory_stand_for_the_file(tmp_path: Path) -> None:
    table = read_scores(tmp_path / "gone.csv", content=b"Layer,Label-1\n1,0.8\n2,0.5\n")
    assert cells(table) == TWO


def test_the_path_stands_in_faults_where_no_other_name_is_given(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Layer,Label-1\n0,1")
    assert read_scores(str(path)).faults[0].path == str(path)


def table_or_error(path: Path) -> ScoreTable | NiftiKitError:
    try:
        return read_scores(path)
    except NiftiKitError as error:
        return error


PIECES = st.sampled_from(
    [
        *("Layer", "Label-1", "Label-2", "Comment-1", ",", ",", ";", "\t", "\n", "\n", '"', " "),
        *("0.8", "1", "2", "x", "nan", "1e999999", "-", "\r", "\x1c", "\ufeff", "٣"),
    ]
)


@untimed
@given(content=st.binary())
def test_any_bytes_are_a_table_or_refused(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.csv"
    path.write_bytes(b"Layer,Label-1\n" + content)
    found = table_or_error(path)
    assert isinstance(found, ScoreTable | BadScores | UnreadableFile)


@untimed
@given(text=st.one_of(st.text(), st.lists(PIECES).map("".join)), header=st.booleans())
def test_any_text_is_a_table_or_refused(
    text: str, header: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    text = f"Layer,Label-1\n{text}" if header else text
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    table = table_or_error(path)
    if isinstance(table, ScoreTable):
        assert all(score.frame >= 1 and score.value in table.values for score in table)
        assert all(re.fullmatch(r"-?\d+\.\d{2,}", s.score) for s in table if s.score is not None)


def numbers(ranges: str) -> list[int]:
    """Return the numbers of ``2, 4-6``."""
    ends = [list(map(int, piece.split("-"))) for piece in ranges.split(", ")]
    return [number for end in ends for number in range(end[0], end[-1] + 1)]


GOOD = st.sampled_from(["0.8", "1", ".25", "0.123"])
BAD = st.sampled_from(["x", "nan", "0,5,1"])
ROWS = st.lists(st.lists(st.one_of(GOOD, BAD, st.just("")), min_size=3, max_size=5), max_size=8)


@untimed
@given(table=ROWS)
def test_every_cell_lands_or_is_named(
    table: list[list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "cells.csv"
    lines = ["Layer;Label-1;;Label-7"]
    lines += [";".join([str(layer), *row]) for layer, row in enumerate(table, start=1)]
    path.write_text("\n".join(lines))
    found = read_scores(path)
    named = " ".join(fault.message for fault in found.faults)
    unread = {
        (row, int(column), text)
        for rows, column, text in re.findall(r"rows? ([\d, -]+), column (\d) [^']*'(.*?)'", named)
        for row in numbers(rows)
    }
    landed = {(score.frame, score.column) for score in found}
    for frame, row in enumerate(table, start=1):
        for column, text in enumerate(row, start=2):
            if column in (2, 4) and text in ("0.8", "1", ".25", "0.123"):
                assert (frame, column) in landed
            elif column in (2, 4) and text:
                assert (frame + 1, column, text) in unread
            elif text:
                assert f"row {frame + 1}: cells without a header: " in named
    assert len(landed) == len(found)


# Mending and writing.

MIXED = "Layer,Label-1,Label-2,Comment-2\n3,0.8,0.9,\n7,0.70,,unclear\n"


def mixed(folder: Path, base: int = 1) -> ScoreTable:
    return read(folder, MIXED, base)


def test_a_table_is_written_with_its_layers_from_1(tmp_path: Path) -> None:
    mixed(tmp_path, base=0).save(tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == (
        b"Layer,Label-1,Label-2,Comment-2\n4,0.80,0.90,\n8,0.70,,unclear\n"
    )


def test_rows_are_written_by_frame_and_texts_in_quotes_where_they_need_them(
    tmp_path: Path,
) -> None:
    text = 'Label-9;Layer;Comment-9\n0,5;7;"a ""b"", c"\n;2;"two\nlines"\n0,125;1;\n'
    read(tmp_path, text).save(tmp_path / "new" / "out.csv")
    assert (tmp_path / "new" / "out.csv").read_text() == (
        'Layer,Label-9,Comment-9\n1,0.125,\n2,,"two\nlines"\n7,0.50,"a ""b"", c"\n'
    )


COMMENTS = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
    st.text(' ,;"\n\r\tx\ufeff', max_size=8),
    st.text("'=+-@1a ", max_size=8),
)
NUMBERS = st.one_of(
    st.none(), st.decimals(allow_nan=False, allow_infinity=False, places=4), st.floats(0, 1)
)


@untimed
@given(
    entries=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 4), NUMBERS, COMMENTS), min_size=1)
)
def test_what_is_written_is_read_alike(
    entries: list[tuple[int, int, Any, str | None]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.csv"
    table = ScoreTable("made.csv", 1, (), (), ())
    for entry in entries:
        table = table.with_score(*entry)
    table.save(path, overwrite=True)
    again = read_scores(path)
    assert again.cells == table.cells
    assert again.values == table.values
    told = {"scores-range", "scores-column-empty", "scores-comment-formula"}
    assert {fault.code for fault in again.faults} <= told
    again.save(path, overwrite=True)
    assert read_scores(path) == again


FORMULAS = {
    "=SUM(A1)": "'=SUM(A1)",
    "+49 30 1234": "'+49 30 1234",
    "-slice is blurred": "'-slice is blurred",
    "@home": "'@home",
    "'=1+1": "''=1+1",
    "''-a": "'''-a",
}
NO_FORMULAS = ("-1", "+0.5", "-1.5", "-2e3", "-50%", "-", "--", "=", "'", "'x'", "'-1", "a=b", "é")


@pytest.mark.parametrize("comment", [*FORMULAS, *NO_FORMULAS])
def test_before_a_comment_that_is_a_formula_stands_an_apostrophe_which_is_no_part_of_it(
    comment: str, tmp_path: Path
) -> None:
    table = ScoreTable("made.csv", 1, (), (), ()).with_score(3, 1, 0.8, comment)
    table.save(tmp_path / "out.csv")
    cell = (tmp_path / "out.csv").read_text().splitlines()[1].split(",")[2]
    assert cell == FORMULAS.get(comment, comment)
    again = read_scores(tmp_path / "out.csv")
    assert again.cells == table.cells
    assert again.to_csv() == table.to_csv()
    told = [fault for fault in again.faults if fault.code == "scores-comment-formula"]
    assert [fault.severity for fault in told] == ["note"] * (comment in FORMULAS)


def test_comments_that_are_formulas_are_told_by_label_or_each(tmp_path: Path) -> None:
    text = "Layer,Label-1,Comment-1\n1,0.5,=a\n2,0.5,fine\n3,,+b\n"
    table = read(tmp_path, text)
    assert faults(table) == [
        ("scores-comment-formula", "row 2, row 4, Comment-1: begins like a formula: '=a'")
    ]
    assert [(fault.message, fault.cell) for fault in table.each_fault] == [
        ("row 2, Comment-1: begins like a formula: '=a'", (2, 2)),
        ("row 4, Comment-1: begins like a formula: '+b'", (4, 2)),
    ]
    mended = table.with_score(1, 1, 0.5, "a").with_score(3, 1, None, "@c")
    assert [(fault.message, fault.cell) for fault in mended.faults] == [
        ("frame 3, Comment-1: begins like a formula: '@c'", None)
    ]


@untimed
@given(text=st.lists(PIECES).map("".join), base=st.sampled_from([0, 1]))
def test_any_table_that_is_read_is_written_and_read_alike(
    text: str, base: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any_written.csv"
    path.write_bytes(f"Layer,Label-1,Comment-1,Label-2\n{text}".encode())
    try:
        table = read_scores(path, base=base)
    except BadScores:
        return
    table.save(path, overwrite=True, drop_faulty=True)
    assert read_scores(path).cells == table.cells


def test_a_file_that_is_there_is_kept_unless_asked(tmp_path: Path) -> None:
    table = mixed(tmp_path)
    before = (tmp_path / "axl_score.csv").read_bytes()
    with pytest.raises(TargetError, match=r"there is such a file already Remedy: Choose another"):
        table.save(tmp_path / "axl_score.csv")
    assert (tmp_path / "axl_score.csv").read_bytes() == before
    table.save(tmp_path / "axl_score.csv", overwrite=True)
    assert read_scores(tmp_path / "axl_score.csv").cells == table.cells
    assert [path.name for path in tmp_path.iterdir()] == ["axl_score.csv"]


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    table = mixed(tmp_path)
    with pytest.raises(TargetError, match="the table cannot be written"):
        table.save(tmp_path / "axl_score.csv" / "out.csv")


def test_a_table_with_faults_is_not_written_without_saying_so(tmp_path: Path) -> None:
    table = read(tmp_path, "Layer,Label-1\n0,0.5\n1,x\n2,0.7\n")
    with pytest.raises(BadScores) as caught:
        table.save(tmp_path / "out.csv")
    assert str(caught.value) == (
        "axl_score.csv: 2 faults of the table would be missing in the saved file Found: "
        "row 2: Layer 0, but layers count from 1; row 3, column 2 (Label-1): 'x' is no number. "
        "Remedy: Correct the table, or leave them out: save(..., drop_faulty=True)."
    )
    assert not (tmp_path / "out.csv").exists()
    table.save(tmp_path / "out.csv", drop_faulty=True)
    assert (tmp_path / "out.csv").read_text() == "Layer,Label-1\n2,0.70\n"


def test_of_many_faults_the_first_few_are_said(tmp_path: Path) -> None:
    rows = "".join(f"{layer},x{layer}\n" for layer in range(1, 8))
    with pytest.raises(BadScores, match=r"'x5' is no number; and 2 more\."):
        read(tmp_path, f"Layer,Label-1\n{rows}").to_csv()


def test_warnings_do_not_hold_a_table_back(tmp_path: Path) -> None:
    table = read(tmp_path, "Layer,Label-1,Reader\n1,80,me\n")
    assert table.to_csv() == "Layer,Label-1\n1,80.00\n"


def test_frames_are_moved(tmp_path: Path) -> None:
    table = mixed(tmp_path).moved(-2)
    assert cells(table) == [(1, 1, "0.80"), (1, 2, "0.90"), (5, 1, "0.70"), (5, 2, None)]
    assert table.scores[3].comment == "unclear"
    assert mixed(tmp_path).moved(-2).moved(2) == mixed(tmp_path)


def test_frames_are_not_moved_out_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(BadScores) as caught:
        mixed(tmp_path).moved(-7)
    assert str(caught.value) == (
        "axl_score.csv: a table moved by -7 has frames below 1 "
        "Found: frames 3, 7 as read. Expected: frames from 1."
    )


def test_frames_are_counted_from_the_other_end(tmp_path: Path) -> None:
    table = mixed(tmp_path).reversed(7)
    assert cells(table) == [(5, 1, "0.80"), (5, 2, "0.90"), (1, 1, "0.70"), (1, 2, None)]
    assert table.reversed(7) == mixed(tmp_path)
    with pytest.raises(BadScores, match="a table reversed in 6 frames has frames below 1"):
        mixed(tmp_path).reversed(6)


@pytest.mark.parametrize(
    ("score", "text"),
    [
        (0.1 + 0.2, "0.30000000000000004"),
        ("0,8", "0.80"),
        (1, "1.00"),
        (Decimal("0.500"), "0.500"),
        (np.float32(0.8), "0.80"),
        (np.float64(0.25), "0.25"),
    ],
)
def test_a_score_is_set(score: Any, text: str, tmp_path: Path) -> None:
    table = mixed(tmp_path).with_score(np.int64(7), 2, score, " sure ")
    assert table.cells == {**mixed(tmp_path).cells, (7, 2): (text, "sure")}
    assert table.faults == ()


def test_a_score_is_removed_and_its_column_stays(tmp_path: Path) -> None:
    table = mixed(tmp_path).with_score(3, 2, None).with_score(7, 2, None)
    assert table.cells == {(3, 1): ("0.80", None), (7, 1): ("0.70", None)}
    assert table.values == (1, 2)
    assert mixed(tmp_path).with_score(99, 1, None) == mixed(tmp_path)


def test_a_score_of_a_new_value_gets_a_column(tmp_path: Path) -> None:
    table = mixed(tmp_path).with_score(1, 5, "0.5")
    assert table.to_csv() == (
        "Layer,Label-1,Label-2,Label-5,Comment-2\n1,,,0.50,\n3,0.80,0.90,,\n7,0.70,,,unclear\n"
    )


def test_a_comment_may_stand_without_a_score(tmp_path: Path) -> None:
    table = mixed(tmp_path).with_score(3, 1, None, "blurred")
    assert table.cells[3, 1] == (None, "blurred")


def test_a_cell_that_was_no_number_is_mended(tmp_path: Path) -> None:
    table = read(tmp_path, "Layer,Label-1,Label-2\n1,x,80\n2,x,\n")
    assert [message for _, message in faults(table)] == [
        "rows 2, 3, column 2 (Label-1): 'x' is no number",
        "row 2, column 3 (Label-2): 80 is outside 0 to 1",
    ]
    mended = table.with_score(1, 1, 0.5)
    assert [message for _, message in faults(mended)] == [
        "row 3, column 2 (Label-1): 'x' is no number",
        "row 2, column 3 (Label-2): 80 is outside 0 to 1",
    ]
    mended = mended.with_score(2, 1, None).with_score(1, 2, 0.8)
    assert mended.faults == ()
    assert mended.to_csv() == "Layer,Label-1,Label-2\n1,0.50,0.80\n"


def test_a_cell_is_mended_after_its_frame_moved(tmp_path: Path) -> None:
    table = read(tmp_path, "Layer,Label-1\n1,x\n2,0.5\n").moved(3)
    assert len(table.with_score(1, 1, 0.5).faults) == 1
    assert table.with_score(4, 1, 0.5).faults == ()


def test_a_score_that_is_set_outside_0_to_1_is_named(tmp_path: Path) -> None:
    table = mixed(tmp_path).with_score(4, 1, 80).with_score(5, 1, "-1")
    assert faults(table) == [
        ("scores-range", "Label-1: 2 scores are outside 0 to 1: 80 in frame 4, -1 in frame 5")
    ]
    (one,) = mixed(tmp_path).with_score(4, 1, 80).faults
    assert one.message == "frame 4, Label-1: 80 is outside 0 to 1"


def test_a_column_that_gets_a_score_is_no_longer_empty(tmp_path: Path) -> None:
    table = read(tmp_path, "Layer,Label-1,Label-2\n")
    assert table.with_score(1, 1, None, "x").faults == table.faults
    (fault,) = table.with_score(1, 1, 0.5).faults
    assert fault.message == "no score in Label-2"


REFUSED_CELLS = {
    "frame 0": ((0, 1, 0.5), "there is no such frame", "0", "a whole number from 1"),
    "a frame and a half": ((1.5, 1, 0.5), "there is no such frame", "1.5", "a whole number from 1"),
    "true": ((True, 1, 0.5), "there is no such frame", "True", "a whole number from 1"),
    "a negative value": (
        (1, -1, 0.5),
        "there is no such value",
        "-1",
        "a whole number from 0 to 999999999",
    ),
    "a large value": (
        (1, 10**9, 0.5),
        "there is no such value",
        "1000000000",
        "a whole number from 0 to 999999999",
    ),
    "NaN": ((1, 1, float("nan")), "the score is no number", "nan", NUMBER := "a number, "),
    "text": ((1, 1, "high"), "the score is no number", "'high'", NUMBER),
    "no text": ((1, 1, ""), "the score is no number", "''", NUMBER),
    "a truth value": ((1, 1, True), "the score is no number", "True", NUMBER),
    "a zero byte": ((1, 1, 1, "a\0"), "a file cannot hold the comment", "'a\\x00'", "a text"),
    "half a letter": ((1, 1, 1, "\ud800"), "a file cannot hold the comment", "'\\ud800'", "a text"),
    "too long": ((1, 1, 1, "x" * 131_073), "a file cannot hold the comment", "'xxx", "a text"),
    "a number": ((1, 1, 1, 5), "a file cannot hold the comment", "5", "a text"),
}


@pytest.mark.parametrize(
    ("cell", "message", "found", "expected"), REFUSED_CELLS.values(), ids=list(REFUSED_CELLS)
)
def test_what_is_no_cell_is_refused(
    cell: tuple[Any, ...], message: str, found: str, expected: str, tmp_path: Path
) -> None:
    with pytest.raises(BadScores) as caught:
        mixed(tmp_path).with_score(*cell)
    assert (caught.value.message, caught.value.path) == (message, "axl_score.csv")
    assert str(caught.value.found).startswith(found)
    assert str(caught.value.expected).startswith(expected)


def test_whole_numbers_are_said_in_ranges() -> None:
    assert in_ranges([7, 3, 1, 2, 2]) == "1-3, 7"
    assert in_ranges([4, 5, 9]) == "4, 5, 9"
    assert in_ranges([]) == ""
    assert in_ranges([1, 3, 5, 6, 10, 11, 12, 13], most=2) == "1, 3 and 6 more"
    assert in_ranges([1, 2, 3, 5], most=2) == "1-3, 5"


# What stands around a table.


PASSED: dict[str, tuple[str | bytes, list[Cell], list[str]]] = {
    "Excel's line": ("sep=;\r\nLayer;Label-1\r\n1;0,8\r\n2;0,5\r\n", TWO, ["line 1: 'sep=;'"]),
    "Excel's line, BOM": (
        b"\xef\xbb\xbfSEP=,\nLayer,Label-1\n1,0.8\n2,0.5",
        TWO,
        ["line 1: 'SEP=,'"],
    ),
    "Excel's line in quotes": (
        '"sep=;"\nLayer;Label-1\n1;0,8\n2;0,5',
        TWO,
        ["line 1: '\"sep=;\"'"],
    ),
    "Excel's line, saved again": ("sep=,,\nLayer,Label-1\n1,0.8\n2,0.5", TWO, ["line 1: 'sep=,,'"]),
    "Excel's line for tabs": ("sep=\t\nLayer\tLabel-1\n1\t0.8\n2\t0,5", TWO, ["line 1: 'sep='"]),
    "tabs, in letters": ("sep=\\t\nLayer\tLabel-1\n1\t0.8\n2\t0,5", TWO, [r"line 1: 'sep=\\t'"]),
    "another sign": ("sep=|\nLayer|Label-1\n1|0.8\n2|0.5", TWO, ["line 1: 'sep=|'"]),
    "blank lines before": ("\n\nsep=;\nLayer;Label-1\n1;0,8\n2;0,5", TWO, ["line 3: 'sep=;'"]),
    "a title": (
        "Knee scores\nLayer,Label-1\n1,0.8\n2,0.5",
        TWO,
        ["line 1: 'Knee scores', above the header"],
    ),
    "a title with commas above semicolons": (
        "Knee, reader 2, 2024\nLayer;Label-1\n1;0,8\n2;0,5",
        TWO,
        ["line 1: 'Knee, reader 2, 2024', above the header"],
    ),
    "two lines and a blank one": (
        "# made by a tool\n# 2024\n\nLayer,Label-1\n1,0.8\n2,0.5",
        TWO,
        ["line 1: '# made by a tool', above the header", "line 2: '# 2024', above the header"],
    ),
    "a row index": (
        ",Layer,Label-1\n0,1,0.8\n1,2,0.5",
        TWO,
        ["column 1: a row index without a name"],
    ),
    "a row index, read again": (
        "Unnamed: 0,Layer,Label-1\n0,1,0.8\n7,2,0.5",
        TWO,
        ["column 1: a row index without a name"],
    ),
    "two row indices": (
        "Unnamed: 0.1,Unnamed: 0,Layer,Label-1\n0,0,1,0.8\n1,1,2,0.5",
        TWO,
        ["column 1: a row index without a name", "column 2: a row index without a name"],
    ),
    "all at once": (
        "sep=;\nKnee\n;Layer;Label-1 (Femur)\n0;1;0,8\n1;2;0,5",
        TWO,
        [
            "line 1: 'sep=;'",
            "line 2: 'Knee', above the header",
            "column 1: a row index without a name",
            "column 3: the words of 'Label-1 (Femur)'",
        ],
    ),
} | {
    f"words: {name}": (
        f'Layer,"{name}"\n1,0.8\n2,0.5',
        TWO,
        [f"column 2: the words of {name!r}"],
    )
    for name in (
        "Label-1 (Femur)",
        "label 1 [Femur]",
        "Label-1: Femur",
        "Label_1_femoral cartilage",
        "Label-1 - Femur",
        "Label-01 Fémur",
        "Label-1 (L1, left)",
    )
}


@pytest.mark.parametrize(("text", "expected", "passed"), PASSED.values(), ids=list(PASSED))
def test_what_stands_around_a_table_is_passed_over_and_named(
    text: str | bytes, expected: list[Cell], passed: list[str], tmp_path: Path
) -> None:
    table = read(tmp_path, text)
    assert cells(table) == expected
    assert faults(table) == [("scores-passed", said) for said in passed]
    assert table.exported is False


def test_cells_are_named_where_they_stand_in_the_file(tmp_path: Path) -> None:
    text = "sep=;\nKnee\n\n;Layer;Label-1 (Femur);Label-3;x\n0;1;80%;n/a;\n1;2;1,5;;\n2;;0,5;;\n"
    places = {fault.code: fault.cell for fault in read(tmp_path, text).faults if fault.cell}
    assert places == {
        "scores-cell-text": (5, 3),
        "scores-cell": (5, 4),
        "scores-range": (6, 3),
        "scores-layer": (7, 2),
        "scores-column": (4, 5),
    }


NOT_CERTAIN = {
    "another sign than the line says": (
        "sep=;\nLayer,Label-1\n1,0.8",
        "the table has no 'Layer' column",
        "Remove the line 'sep=;'",
    ),
    "a row above the header": (
        "1,0.8\nLayer,Label-1\n2,0.5",
        "a line above the header may be a row of scores",
        "Move the line below the header",
    ),
    "a first column without a name that is no index": (
        ",Layer,Label-1\n0.5,1,0.8\n0.7,2,0.5",
        "the table's first column has no name",
        "index=False",
    ),
    "names as row index": (
        ",Layer,Label-1\nann,1,0.8\nbob,2,0.5",
        "the table's first column has no name",
        "index=False",
    ),
    "a row index that the header does not count": (
        "Layer,Label-1,Label-2\n0,6,0.8,0.9\n1,7,0.7,\n2,8,0.4,0.3\n",
        "every row has one cell more than the header names",
        "index=False",
    ),
    "the same of one row": (
        "Layer,Label-1\n1,6,0.8\n",
        "every row has one cell more than the header names",
        "row.names=FALSE",
    ),
    "two columns for one label": (
        "Layer,Label-1 (mean),Label-1 (SD)\n1,0.8,0.1\n",
        "two columns name one label",
        "Rename the one",
    ),
}


@pytest.mark.parametrize(("text", "message", "remedy"), NOT_CERTAIN.values(), ids=list(NOT_CERTAIN))
def test_where_it_is_not_certain_one_error_says_what_it_is_and_what_to_do(
    text: str, message: str, remedy: str, tmp_path: Path
) -> None:
    with pytest.raises(BadScores) as caught:
        read(tmp_path, text)
    assert caught.value.message.startswith(message)
    assert remedy in str(caught.value.remedy)


@pytest.mark.parametrize(
    "name", ["Label-1.1", "Label-1 (2)", "Label-1-2", "Label-1 comment", "Label-1 (remark)"]
)
def test_a_header_that_only_begins_like_a_label_is_not_read(name: str, tmp_path: Path) -> None:
    table = read(tmp_path, f"Layer,Label-1,{name}\n1,0.8,0.1\n2,0.5,0.2\n")
    assert cells(table) == TWO
    assert faults(table) == [("scores-column", f"column 3: {name!r} is not used")]


def test_of_two_headers_of_a_label_the_plain_one_counts(tmp_path: Path) -> None:
    table = read(tmp_path, "Layer,Label-1 (SD),Label-1\n1,0.1,0.8\n2,0.2,0.5\n")
    assert cells(table) == TWO
    assert faults(table) == [("scores-column", "column 2: 'Label-1 (SD)' is not used")]


@pytest.mark.parametrize(
    ("text", "exported"),
    [
        ("Layer,Label-1,Label-3\n0,0.80,0.0\n", True),
        ("Layer,Label-1\n1,0.8\n", True),
        (SPECIFICATION, False),
        ("Layer,Label-3,Label-1\n1,0.80,0.0\n", False),
        ("Layer,Label-1,Label-3\n1,0.80,\n", False),
        ("Layer;Label-1\n1;0,8\n", False),
        ("Layer,Label-1,Comment-1\n1,0.8,x\n", False),
        ("layer,Label-1\n1,0.8\n", False),
        ("Layer,Label-1,x\n1,0.8,1\n", False),
    ],
)
def test_the_form_of_the_exporter_is_known(text: str, exported: bool, tmp_path: Path) -> None:
    assert read(tmp_path, text).exported is exported


def test_each_cell_has_a_fault_of_its_own_where_that_is_asked(tmp_path: Path) -> None:
    table = read(tmp_path, "Layer,Label-1,Label-2,Label-3,y\n1,x,9,,\n2,x,7,,\n0,1,1,,\n")
    assert [(fault.code, fault.cell) for fault in table.each_fault] == [
        ("scores-column", (1, 5)),
        ("scores-layer-zero", (4, 1)),
        ("scores-cell-text", (2, 2)),
        ("scores-cell-text", (3, 2)),
        ("scores-range", (2, 3)),
        ("scores-range", (3, 3)),
        ("scores-column-empty", (1, 4)),
    ]
    assert table.each_fault[2].message == "row 2, column 2 (Label-1): 'x' is no number"


def test_scores_beyond_the_frames_there_are_are_left_out(tmp_path: Path) -> None:
    table = read(tmp_path, "Layer,Label-1\n1,0.8\n2,0.5\n3,0.4\n4,x\n").within(2)
    assert (cells(table), table.unread) == (TWO, ())
