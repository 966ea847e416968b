"""HTML is escaped wherever it comes from a file, a class or a table."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nifti_kit.core import html
from nifti_kit.core.html import Illustration, Markup
from nifti_kit.errors import visible
from tests.support.properties import untimed

HOSTILE = "<img src=x onerror=alert(1)>&\"'"
ESCAPED = "&lt;img src=x onerror=alert(1)&gt;&amp;&#34;&#39;"


class Seen(HTMLParser):
    """What a browser sees: tags and texts."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not any(name.startswith("on") for name, _ in attrs)
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_details_are_folded_unless_told_otherwise() -> None:
    content = html.text("<b>")
    assert html.details("a<b", content) == ("<details><summary>a&lt;b</summary>&lt;b&gt;</details>")
    assert html.details("a", content, unfolded=True).startswith("<details open><summary>a<")


def test_text_escapes_markup_and_quotes() -> None:
    assert html.text(HOSTILE) == ESCAPED
    assert isinstance(html.text("a"), Markup)


def test_text_takes_any_value() -> None:
    assert html.text(3) == "3"
    assert html.text(None) == "None"


def test_what_cannot_be_seen_is_an_escape_and_lines_stay() -> None:
    assert html.text("a\u202eb\u200b<\n\t") == "a\\u202eb\\u200b&lt;\n\t"
    assert html.text("caf\udce9") == r"caf\udce9"
    assert html.element("p", Markup("a&#8203;"), "\u2066") == r"<p>a&#8203;\u2066</p>"
    assert html.table(["\u202e"], [["\u202e"]]).count(r"\u202e") == 2


def test_markup_passes_unchanged() -> None:
    markup = Markup("<b>a</b>")
    assert html.text(markup) == markup


def test_a_title_is_a_bold_line() -> None:
    assert html.title("a & b") == "<p style='margin:6px 0'><b>a &amp; b</b></p>"


def test_details_fold_their_content_under_an_escaped_summary() -> None:
    assert html.details("a<b", Markup("<i>c</i>")) == (
        "<details><summary>a&lt;b</summary><i>c</i></details>"
    )


def test_join_puts_parts_one_after_the_other() -> None:
    joined = html.join([Markup("<b>a</b>"), html.text("<")])
    assert joined == "<b>a</b>&lt;"
    assert isinstance(joined, Markup)


def test_a_swatch_has_the_colour() -> None:
    assert "background:rgb(255,0,128)'" in html.swatch((255, 0, 128))


def test_a_swatch_takes_nothing_but_numbers() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        html.swatch(("255", "0", "0);x:url(y"))  # type: ignore[arg-type]


def test_a_table_has_a_head_and_a_row_for_each_row() -> None:
    seen = Seen(html.table(["a", "b"], [[1, Markup("<b>2</b>")], ["<3>", ""]]))
    assert seen.tags == [
        *("table", "thead", "tr", "th", "th", "tbody"),
        *("tr", "td", "td", "b"),
        *("tr", "td", "td"),
    ]
    assert seen.texts == ["a", "b", "1", "2", "<3>"]


def test_a_table_without_rows_has_an_empty_body() -> None:
    assert html.table(["a"], []).endswith("</thead><tbody></tbody></table>")


def test_an_element_has_its_class_and_id() -> None:
    assert html.element("p", "a<", Markup("<b>c</b>"), kind="x'", anchor="y") == (
        "<p class='x&#39;' id='y'>a&lt;<b>c</b></p>"
    )
    assert html.element("p") == "<p></p>"


def test_a_figure_holds_its_bytes_and_an_escaped_caption() -> None:
    shown = html.figure(Illustration(b"\0\1", "a 'b' <c>", 2, 3), html.text("<d>"))
    assert shown == (
        "<figure><img src='data:image/png;base64,AAE=' width='2' height='3' "
        "alt='a &#39;b&#39; &lt;c&gt;'>"
        "<figcaption>&lt;d&gt;<div>a &#39;b&#39; &lt;c&gt;</div></figcaption></figure>"
    )


def test_a_page_is_whole_and_may_load_nothing() -> None:
    page = html.page(HOSTILE, html.title("x"))
    assert page.startswith("<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>")
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page
    assert "prefers-color-scheme: dark" in page
    assert "://" not in page
    assert f"<title>{ESCAPED}</title>" in page
    assert f"<body><h1>{ESCAPED}</h1>\n{html.title('x')}</body></html>\n" in page
    assert not {"script", "link", "img"} & set(Seen(page).tags)


BUILDERS: dict[str, tuple[Callable[[str], Markup], list[str]]] = {
    "text": (html.text, []),
    "title": (html.title, ["p", "b"]),
    "details": (lambda value: html.details(value, Markup("")), ["details", "summary"]),
    "cell": (
        lambda value: html.table([], [[value]]),
        ["table", "thead", "tr", "tbody", "tr", "td"],
    ),
    "element": (lambda value: html.element("p", value), ["p"]),
    "head": (lambda value: html.table([value], []), ["table", "thead", "tr", "th", "tbody"]),
}


@pytest.mark.parametrize("name", BUILDERS)
@untimed
@given(value=st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_whatever_the_text_is_a_browser_sees_the_text_and_no_other_tag(
    name: str, value: str
) -> None:
    build, tags = BUILDERS[name]
    seen = Seen(build(value))
    assert seen.tags == tags
    assert "".join(seen.texts) == visible(value)


@untimed
@given(value=st.text(st.sampled_from("<>&\"'/=abon ")))
def test_no_angle_bracket_or_quote_of_a_text_is_left(value: str) -> None:
    assert not set(html.text(value)) & set("<>\"'")
