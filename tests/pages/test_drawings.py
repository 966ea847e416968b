"""Drawings: numbers stand where they belong."""

from __future__ import annotations

import re

import pytest

from nifti_kit.pages.drawings import INSET, MOST_DOTS, WIDTH, Axis, scale, short, span, strip

END = WIDTH - INSET


def test_decades_are_whole_and_one_at_least():
    assert Axis.decades([0.0, 0.03, 210]) == Axis(0.01, 1000, is_log=True)
    assert Axis.decades([10.0]) == Axis(10, 100, is_log=True)
    assert Axis.decades([]) == Axis(1, 10, is_log=True)


@pytest.mark.parametrize(
    ("axis", "number", "place"),
    [
        (Axis(1, 100, is_log=True), 10, WIDTH / 2),
        (Axis(1, 100, is_log=True), 0, INSET),
        (Axis(-1000, 1000), -1000, INSET),
        (Axis(-1000, 1000), 500, INSET + 0.75 * (END - INSET)),
        (Axis(-1000, 1000), 5000, END),
        (Axis(-1.7e308, 1.7e308), 0.0, WIDTH / 2),
    ],
)
def test_a_number_stands_at_its_share_of_the_axis(axis, number, place):
    assert axis.at(number) == pytest.approx(place)


def test_few_numbers_are_dots_and_many_are_a_box():
    axis = Axis(1, 1000, is_log=True)
    few, many = (strip(axis, [10.0] * n, (255, 0, 9), "") for n in (3, MOST_DOTS + 1))
    assert (few.count("<circle"), few.count("<rect")) == (3, 0)
    assert (many.count("<circle"), many.count("<rect")) == (0, 1)
    assert "rgb(255,0,9)" in few


def test_quartiles_median_and_ends_are_where_they_are():
    drawn = strip(Axis(0, 100), [0, 10, 20, 30, 100], None, "")
    places = [Axis(0, 100).at(number) for number in (10, 30, 20, 0, 100)]
    first, third, middle, low, high = (f"{place:.1f}" for place in places)
    width = f"{places[1] - places[0]:.1f}"
    assert f"<rect x='{first}' y='3' width='{width}'" in drawn
    assert f"M{middle} 1.0V19.0' stroke='currentColor' stroke-width='2'" in drawn
    assert f"M{low} 10.0H{high}" in drawn
    assert third


def test_a_label_is_escaped():
    hostile = "<script>'\u202e"
    axis = Axis(0, 1)
    for drawn in (strip(axis, [0.5], None, hostile), span(axis, (0, 0.5, 1), hostile)):
        assert "<script" not in drawn
        assert "aria-label='&lt;script&gt;&#39;\\u202e'" in drawn


def test_a_scale_has_few_ticks_and_names_them():
    drawn = scale(Axis(1e-6, 1e6, is_log=True), "ml")
    letters = re.findall(r">([^<]+)</text>", drawn)
    assert letters == ["1e-06", "0.001", "1", "1,000", "1,000,000"]
    assert "aria-label='Axis: 1e-06, 0.001, 1, 1,000, 1,000,000 ml'" in drawn


def test_numbers_are_short():
    said = [short(n) for n in (0, -1024, 0.01234, 1e7, 2.5)]
    assert said == ["0", "-1,024", "0.0123", "1e+07", "2.5"]
