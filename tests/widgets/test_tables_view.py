"""The view of a table: plain data to the script, messages back, nothing as markup."""

from __future__ import annotations

import pytest

from nifti_kit.widgets.parts.table import Column, Row, Table
from nifti_kit.widgets.parts.table_view import TableView

EVIL = "<img src=x onerror=alert(1)>"

COLUMNS = (
    Column("name", "Name"),
    Column("size", "Size", "number", filtered=True),
    Column("kind", "Kind", "choice"),
    Column("done", "Done", "check"),
    Column("open", "Open", "button"),
)


def row(key, **cells):
    every = {"name": key, "size": 1, "kind": "a", "done": False, "open": "Open", **cells}
    return Row(key, every, {"kind": ("a", "b")}, tone="error", colors={"name": (1, 2, 3)})


def view(*rows, **more):
    return TableView(Table(COLUMNS, rows or (row("r"),), **more), "Rows")


def send(shown, **message):
    """What the browser sends."""
    shown._handle_custom_msg(message, [])


def cells(shown, at=0):
    return [cell["value"] for cell in shown.shown["rows"][at]["cells"]]


def test_the_page_is_sent_as_plain_data():
    shown = view(row(EVIL, size=1234567.891)).shown
    assert shown["rows"] == [
        {
            "key": EVIL,
            "tone": "error",
            "cells": [
                {"value": EVIL, "color": [1, 2, 3]},
                {"value": "1234568"},
                {"value": "a", "choices": ["a", "b"], "edited": True},
                {"value": False, "edited": True},
                {"value": "Open"},
            ],
        }
    ]
    assert shown["columns"][1] == {
        "name": "size",
        "title": "Size",
        "kind": "number",
        "minor": False,
        "filter": "",
        "values": ["1234567.891"],
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (0.1234567, "0.123457"), (3, "3"), (99999.5, "99999.5"), (-123456.7, "-123457")],
)
def test_numbers_are_shown_without_needless_digits(value, text):
    assert cells(view(row("r", size=value)))[1] == text


def test_a_cell_of_nothing_has_no_box_to_edit():
    shown = view(row("r", done=None, kind=None)).shown
    assert not [cell for cell in shown["rows"][0]["cells"] if "edited" in cell]


def test_a_person_goes_to_any_page():
    shown = view(*(row(f"{at:04}") for at in range(2000)))
    for turned, page in ((41, 41), (-2, 39), (999, 79), (-999, 0), ("5", 0), (None, 0)):
        send(shown, do="turn", value=turned)
        assert shown.shown["page"] == page


def test_only_the_rows_of_the_page_are_sent():
    shown = view(*(row(f"{at:03}") for at in range(60)))
    send(shown, do="turn", value=1)
    assert [one["key"] for one in shown.shown["rows"]][::24] == ["025", "049"]
    assert (shown.shown["page"], shown.shown["pages"], shown.shown["total"]) == (1, 3, 60)
    send(shown, do="turn", value=-1)
    assert shown.shown["page"] == 0


def test_a_person_searches_filters_sorts_and_chooses():
    shown = view(row("b", size=2), row("a", size=2), row("c", size=3))
    send(shown, do="search", value="3 C")
    assert (shown.shown["found"], shown.shown["search"]) == (1, "3 C")
    send(shown, do="search", value="")
    send(shown, do="filter", column="size", value="2")
    assert shown.shown["found"] == 2
    send(shown, do="sort", column="name")
    assert [one["key"] for one in shown.shown["rows"]] == ["a", "b"]
    send(shown, do="select", key="b")
    assert shown.shown["selected"] == shown.model.selected == "b"


def test_a_filter_that_no_row_has_any_longer_can_still_be_taken_away():
    shown = view(row("b", size=2), row("a", size=3))
    send(shown, do="filter", column="size", value="2")
    shown.model.rows = (row("a", size=3),)
    assert shown.shown["columns"][1]["values"] == ["3", "2"]


def test_edits_and_presses_reach_the_model():
    seen = []
    shown = view(
        on_edit=lambda *edit: seen.append(edit), on_press=lambda *press: seen.append(press)
    )
    send(shown, do="edit", key="r", column="done", value=True)
    send(shown, do="press", key="r", column="open")
    assert seen == [("r", "done", True), ("r", "open")]


def test_an_edit_that_was_refused_is_drawn_as_it_was():
    shown = view()
    before = shown.shown
    send(shown, do="edit", key="r", column="kind", value="no choice")
    # Something differs, or the browser would keep what was chosen.
    assert shown.shown != before
    assert shown.shown["rows"] == before["rows"]


@pytest.mark.parametrize("message", ["text", None, {}, {"do": "format the disk"}, {"do": "select"}])
def test_messages_of_another_form_are_passed_over(message):
    shown = view()
    before = shown.shown
    shown._handle_custom_msg(message, [])
    assert shown.shown == before


def test_the_script_sets_text_and_never_markup():
    script = view()._esm
    assert "textContent" in str(script)
    assert "innerHTML" not in str(script)
    assert "insertAdjacentHTML" not in str(script)
