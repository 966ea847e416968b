"""Sections: the parts of a data set's page, as HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from nifti_kit.core import html
from nifti_kit.core.html import Illustration, Markup
from nifti_kit.core.text import and_more, counted, listed
from nifti_kit.pages.contents import ClassContent, ItemContent, by, kinds
from nifti_kit.pages.drawings import Axis, scale, short, span, strip

UNFOLDED = 25
"""Rows of a table, or lines of a list, that stand openly; the rest is folded."""

MOST_KINDS = 8
"""Different shapes (voxel sizes, ...) that are listed before the rest is counted."""

LACKING = 10
"""Items without a class that a row names before it counts the rest."""

STYLE = """
body { max-width: 76rem; }
.kinds { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: .8rem; }
.kinds section { margin: 0; } .kinds table { width: 100%; }
.kinds td:last-child, .kinds th:last-child { text-align: right !important; padding: 0 !important; }
.wide { overflow-x: auto; overflow-wrap: normal; } .wide table { width: 100%; }
.wide th, .wide td { border-bottom: 1px solid var(--line); }
.wide td:first-child { min-width: 13rem; max-width: 20rem; overflow-wrap: anywhere; }
.name { display: flex; align-items: baseline; } .name > :first-child { flex: none; }
.lacking { width: 16rem; overflow-wrap: anywhere; font-size: .9em; }
@media (max-width: 40rem) { .wide td:first-child { min-width: 7.5rem; max-width: 9rem; } }
th { color: var(--faint); font-weight: 500; font-size: .85em; white-space: nowrap; }
.strip { display: block; } .nowrap { white-space: nowrap; font-variant-numeric: tabular-nums; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .8rem; }
.tiles figure { width: auto; } .tiles img { width: 100%; height: 9rem; object-fit: contain; }
.tiles figcaption { line-height: 1.3; margin-top: .2rem; }
@media print { body { max-width: none; padding: 0; } section, figure, tr { break-inside: avoid; }
  details::details-content { content-visibility: visible; display: block; }
  .wide { overflow: visible; } }
"""


def overview(items: Sequence[ItemContent]) -> Markup:
    """Return how many items have which shape, voxel size, axes and type."""
    cards = [_kind(name, counts) for name, counts in kinds(items).items() if counts]
    return html.element("div", *cards, kind="kinds")


def _kind(name: str, counts: Counter[str]) -> Markup:
    rows = [(value, f"{count:,}") for value, count in counts.most_common(MOST_KINDS)]
    parts = [html.table((name, "items"), rows)]
    if len(counts) > MOST_KINDS:
        others = sum(counts.values()) - sum(n for _, n in counts.most_common(MOST_KINDS))
        said = f"and {len(counts) - MOST_KINDS:,} more, in {counted(others, 'item')}"
        parts.append(html.element("p", said, kind="faint"))
    return html.element("section", *parts)


def classes_table(
    classes: Sequence[ClassContent], items: Sequence[ItemContent], most: int
) -> list[Markup]:
    """Return a row for each class: in how many items, how much, drawn on one axis for all."""
    if not classes:
        return [html.element("p", "No item has a label.")]
    axis = Axis.decades(amount for one in classes for amount in one.amounts.values())
    annotated = [one.item.name for one in items if one.item.masks]
    head = ("class", scale(axis, "ml"), "median (ml)", "range (ml)", "items", "not in", "value")
    rows = [_class_row(found, axis, annotated) for found in classes[:most]]
    rest = and_more(len(classes) - most, "class", "to_json()")
    note = "Dots: items. Thick line: median. Box: quartiles. One logarithmic axis for all classes."
    return [*_folding(head, rows, "class"), *_faint([note, *rest])]


def _class_row(found: ClassContent, axis: Axis, annotated: Sequence[str]) -> list[object]:
    amounts = list(found.amounts.values())
    lacking = [name for name in annotated if name not in found.amounts]
    mark = html.swatch(found.color) if found.color else Markup("")
    low_high = f"{short3(min(amounts))} to {short3(max(amounts))}" if len(amounts) > 1 else ""
    median = "" if found.median is None else short3(found.median)
    said = f"{found.name}: {counted(len(amounts), 'item')}, median {median} ml, {low_high}"
    return [
        html.element("span", mark, found.name, kind="name"),
        strip(axis, amounts, found.color, said),
        _tight(median),
        _tight(low_high),
        _tight(f"{len(amounts):,} of {len(annotated):,}"),
        _lacking(lacking),
        found.value,
    ]


def _lacking(found: Sequence[str]) -> Markup:
    """Return how many items a class is not in, and which unfold; some names are very long."""
    if not found:
        return Markup("")
    named = html.element("div", listed(found, LACKING), kind="lacking")
    return html.details(counted(len(found), "item"), named)


def items_table(items: Sequence[ItemContent], most: int) -> list[Markup]:
    """Return a row for each item: what its header says, and its grey values on one axis."""
    ends = [(one.greys.low, one.greys.high) for one in items if one.greys is not None]
    axis = Axis.linear(number for pair in ends for number in pair)
    grey = scale(axis, "grey values") if ends else ""
    head = (
        *("item", "shape", "voxel size (mm)", "axes", "type", "masks", "objects"),
        *("percentiles 1, 50, 99", grey),
    )
    rows = [_item_row(one, axis) for one in items[:most]]
    rest = and_more(len(items) - most, "item", "to_frame()")
    note = "Bar: percentiles 1 to 99 of the grey values. Mark: median. One axis for all volumes."
    return [*_folding(head, rows, "item"), *_faint([*[note] * bool(ends), *rest])]


def _item_row(one: ItemContent, axis: Axis) -> list[object]:
    image, greys = one.image, one.greys
    cells: list[object] = [html.element("span", one.item.name, kind="file")]
    if image is None:
        cells += [""] * 4
    else:
        size = by(image.grid.voxel_size)
        cells += [_tight(by(image.shape)), _tight(size), one.axes, image.dtype.name]
    cells += [len(one.item.masks), one.objects]
    if greys is None:
        return [*cells, "", ""]
    three = (greys.low, greys.middle, greys.high)
    said = ", ".join(map(short3, three))
    odd = f"; {counted(greys.undefined, 'voxel')} NaN or infinite" * bool(greys.undefined)
    return [*cells, _tight(said + odd), span(axis, three, f"{one.item.name}: {said}")]


def tiles(pictures: Mapping[str, Illustration], items: Sequence[ItemContent]) -> list[Markup]:
    """Return a picture of each item that was drawn, and how many were not."""
    shown = [
        html.figure(pictures[one.item.name], html.element("div", one.item.name, kind="file"))
        for one in items
        if one.item.name in pictures
    ]
    left = len(items) - len(shown)
    lines = [f"{counted(left, 'item')} not drawn: the first ones are."] * (left > 0)
    lines.insert(0, "The slice that shows most classes; the patient's right is on the left.")
    return [html.element("div", *shown, kind="tiles"), *_faint(lines)]


def names(heading: str, found: Sequence[object]) -> Markup:
    """Return a heading with how many there are, and their names, folded where they are many."""
    title = html.element("h3", f"{heading}: {len(found):,}")
    entries = [html.element("li", html.element("span", one, kind="file")) for one in found]
    parts = [title, html.element("ul", *entries[:UNFOLDED])] if found else [title]
    if len(entries) > UNFOLDED:
        rest = html.element("ul", *entries[UNFOLDED:])
        parts.append(html.details(f"and {len(entries) - UNFOLDED:,} more", rest))
    return html.element("section", *parts)


def _folding(
    head: Sequence[object], rows: Sequence[Sequence[object]], word: str
) -> Iterable[Markup]:
    """Yield a table whose first rows stand openly, and one with the rest that unfolds."""
    yield html.element("div", html.table(head, rows[:UNFOLDED]), kind="wide")
    if len(rows) > UNFOLDED:
        rest = html.element("div", html.table(head, rows[UNFOLDED:]), kind="wide")
        yield html.details(f"and {counted(len(rows) - UNFOLDED, f'more {word}')}", rest)


def _faint(lines: Iterable[str]) -> list[Markup]:
    return [html.element("p", line, kind="faint") for line in lines]


def _tight(said: str) -> Markup:
    """Return a text that is not broken into lines."""
    return html.element("span", said, kind="nowrap")


def short3(number: float) -> str:
    """Return a number to three digits, such as 0.0123, 1.5 or 1,480."""
    rounded = float(f"{number:.3g}")
    return short(rounded)
