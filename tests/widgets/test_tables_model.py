"""Tables: search, filters, order, pages, the chosen row, and edits that are refused."""

from __future__ import annotations

import pytest

from nifti_kit.widgets.parts.table import Column, Row, Table

COLUMNS = (
    Column("name", "Name"),
    Column("size", "Size", "number", filtered=True),
    Column("kind", "Kind", "choice"),
    Column("note", "Note", "edit"),
    Column("open", "Open", "button"),
)


def row(name, size=None, kind="a"):
    cells = {"name": name, "size": size, "kind": kind, "note": "", "open": "Open"}
    return Row(name, cells, {"kind": ("a", "b")})


def table(*rows, **more):
    return Table(COLUMNS, rows, **more)


def names(found):
    return [one.key for one in found.found]


@pytest.mark.parametrize(
    ("search", "left"),
    [
        ("", ["Liver left", "liver right", "Lung"]),
        ("LIVER", ["Liver left", "liver right"]),
        ("right liver", ["liver right"]),
        ("7", ["Lung"]),
        ("none of them", []),
    ],
)
def test_a_row_is_found_by_words_in_any_of_its_cells(search, left):
    found = table(row("Liver left"), row("liver right"), row("Lung", 7))
    found.search = search
    assert names(found) == left


def test_a_filter_shows_one_value_and_nothing_shows_all_again():
    found = table(row("a", 2), row("b", 10), row("c", 2))
    found.filter_by("size", "2")
    assert names(found) == ["a", "c"]
    found.filter_by("size", "")
    assert names(found) == ["a", "b", "c"]
    assert found.filters == {}


def test_filters_can_be_taken_from_a_dictionary_with_empty_ones():
    found = table(row("a", 2), row("b", 10))
    found.filters = {"size": "10", "name": ""}
    assert names(found) == ["b"]


def test_values_to_filter_by_are_ordered_as_numbers_and_nothing_is_none():
    found = table(row("a", 10), row("b", 9), row("c"), row("d", 10))
    assert found.values_of("size") == ["9", "10"]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("", ["b", "A", "c", "d"]),
        ("name", ["A", "b", "c", "d"]),
        ("size", ["b", "A", "c", "d"]),
        ("-size", ["A", "b", "c", "d"]),
        ("no such column", ["b", "A", "c", "d"]),
    ],
)
def test_rows_are_ordered_by_a_column_and_empty_cells_come_last_both_ways(sort, order):
    found = table(row("b", 9), row("A", 10), row("c", float("nan")), row("d", None))
    found.sort = sort
    assert names(found) == order


def test_numbers_come_before_texts():
    found = table(row("a", "other shape"), row("b", 3))
    found.sort = "size"
    assert names(found) == ["b", "a"]


def test_a_column_is_sorted_up_then_down_then_not():
    found = table(row("a"))
    orders = []
    for _ in range(3):
        found.sort_by("name")
        orders.append(found.sort)
    assert orders == ["name", "-name", ""]
    found.sort_by("size")
    assert found.sort == "size"


def test_pages_end_where_the_rows_end():
    found = table(*(row(f"r{at:02}") for at in range(60)))
    assert found.page_count == 3
    found.turn(1)
    assert [one.key for one in found.shown][::24] == ["r25", "r49"]
    found.turn(5)
    assert found.page == 2
    assert len(found.shown) == 10
    found.turn(-9)
    assert found.page == 0


def test_an_empty_table_has_one_page():
    assert (table().page_count, table().shown) == (1, [])


@pytest.mark.parametrize(
    "narrow",
    [
        lambda found: setattr(found, "search", "r0"),
        lambda found: found.filter_by("name", "r01"),
        lambda found: found.sort_by("name"),
    ],
)
def test_what_changes_the_rows_begins_on_the_first_page(narrow):
    found = table(*(row(f"r{at:02}") for at in range(60)))
    found.page = 2
    narrow(found)
    assert found.page == 0


def test_fewer_rows_leave_the_page_that_is_still_there():
    found = table(*(row(f"r{at:02}") for at in range(60)))
    found.page = 2
    found.rows = found.rows[:30]
    assert found.page == 1


def test_a_chosen_row_is_turned_to():
    found = table(*(row(f"r{at:02}") for at in range(60)))
    found.select("r40")
    assert (found.selected, found.page) == ("r40", 1)


def test_a_chosen_row_that_the_search_hides_is_chosen_on_the_page_that_is_shown():
    found = table(row("a"), row("b"))
    found.search = "a"
    found.select("b")
    assert (found.selected, found.page) == ("b", 0)


def test_no_row_is_chosen_by_a_key_that_there_is_not():
    found = table(row("a"))
    found.select("a")
    found.select("b")
    assert found.selected == ""


def test_a_row_that_is_gone_is_chosen_no_longer():
    found = table(row("a"), row("b"))
    found.select("b")
    found.rows = found.rows[:1]
    assert found.selected == ""


def test_edits_reach_who_asked_for_them():
    seen = []
    found = table(row("a"), on_edit=lambda *edit: seen.append(edit))
    found.edit("a", "kind", "b")
    found.edit("a", "note", "<b>")
    assert seen == [("a", "kind", "b"), ("a", "note", "<b>")]


@pytest.mark.parametrize(
    ("key", "column", "value"),
    [
        ("a", "kind", "no choice"),
        ("a", "name", "not editable"),
        ("a", "no column", 1),
        ("no row", "note", "x"),
    ],
)
def test_edits_that_cannot_be_are_passed_over(key, column, value):
    seen = []
    table(row("a"), on_edit=lambda *edit: seen.append(edit)).edit(key, column, value)
    assert seen == []


def test_a_table_that_nobody_listens_to_can_be_edited_and_pressed():
    found = table(row("a"))
    found.edit("a", "note", "x")
    found.press("a", "open")
    assert found.row("a").cells["note"] == ""


def test_a_button_is_pressed_where_there_is_one():
    seen = []
    found = table(row("a"), on_press=lambda *press: seen.append(press))
    found.press("a", "open")
    found.press("no row", "open")
    assert seen == [("a", "open")]
