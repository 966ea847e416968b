"""The accessibility helpers find faults, and find none where there are none."""

from __future__ import annotations

import pytest

from .access import contrast, focus_order, images_without_alt

CONTROLS = """
<button>Before</button>
<div id="app">
  <input aria-label="Slice"> <label>Class <select><option>Liver</option></select></label>
  <button disabled>Upload</button> <button>Save</button> <button></button>
  <span onclick="">not for the keyboard</span> <a href="#x">More</a> <p tabindex="0">Text</p>
</div>
<button>After</button>
"""


@pytest.fixture(scope="module")
def page(chrome):
    context = chrome.new_context()
    yield context.new_page()
    context.close()


def test_the_focus_order_has_all_stops_of_the_root_and_no_other(page):
    page.set_content(CONTROLS)
    expected = ["textbox: Slice", "combobox: Class", "button: Save", "button: ", "link: More"]
    assert focus_order(page, "#app") == [*expected, "paragraph: Text"]
    assert page.locator("#app").get_attribute("tabindex") is None


def test_the_focus_order_shows_a_positive_tabindex_as_it_is_reached(page):
    page.set_content("<div id=a><button>1</button><button tabindex=1>2</button></div>")
    assert focus_order(page, "#a") != ["button: 1", "button: 2"]


def test_a_keyboard_trap_is_an_error(page):
    page.set_content("""<div id=a><button onkeydown="event.preventDefault()">1</button></div>""")
    with pytest.raises(AssertionError, match="does not leave #a"):
        focus_order(page, "#a", most=5)


@pytest.mark.parametrize(
    ("style", "ratio"),
    [
        ("color: black; background: white", 21),
        ("color: white; background: white", 1),
        ("color: #767676; background: white", 4.54),
        ("color: #777; background: white", 4.48),
        ("color: rgb(0 0 0 / 50%); background: white", 4.0),
        ("color: black; background: white; opacity: 0.5", 3.98),
        ("color: black; background: rgb(0 0 0 / 50%)", 5.25),
        ("color: black", 21),
    ],
)
def test_the_contrast_is_that_of_wcag(page, style, ratio):
    page.set_content(f"<p style='{style}'>Text</p>")
    assert contrast(page, "p") == pytest.approx(ratio, abs=0.02)


def test_the_ground_is_that_of_what_lies_behind(page):
    page.set_content("<div style='background: #222'><p><b style='color: #fff'>Text</b></p></div>")
    assert contrast(page, "b") == pytest.approx(15.91, abs=0.01)


def test_the_lowest_contrast_counts_and_the_invisible_does_not(page):
    page.set_content("<p style='color: #777'>A</p><p>B</p><p style='color: #fff' hidden>C</p>")
    assert contrast(page, "p") == pytest.approx(4.48, abs=0.01)


def test_no_contrast_is_guessed(page):
    page.set_content("<p style='background: linear-gradient(red, blue)'>A</p>")
    with pytest.raises(ValueError, match="nothing to see on the page is h1"):
        contrast(page, "h1")
    with pytest.raises(ValueError, match="the ground of p is a background image"):
        contrast(page, "p")


def test_pictures_that_say_nothing_are_found(page):
    good = "<img alt='A slice'><canvas aria-label='B'></canvas><i aria-hidden=true><img></i>"
    page.set_content(f"<div id=a>{good}</div>")
    assert images_without_alt(page, "#a") == []
    bad = "<img src='data:,'><img alt=' '><canvas></canvas><svg role=img></svg>"
    page.set_content(f"<div id=a>{good}{bad}</div>")
    found = images_without_alt(page, "#a")
    assert [text.split()[0].split(">")[0] for text in found] == ["<img", "<img", "<canvas", "<svg"]
