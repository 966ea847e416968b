"""Escaped HTML for notebook reprs and pages: string builders without knowledge of what they show.

Everything that comes from a file name, a class name or a table cell passes :func:`text`, because
a file may be named ``<img src=x onerror=...>.nii.gz``; :class:`Markup` is safe already.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import markupsafe

from nifti_kit.errors import visible

Markup = markupsafe.Markup
"""HTML that is already safe; any other string is escaped when it is put into a builder."""


def text(value: object) -> Markup:
    r"""Return a value as escaped HTML; :class:`Markup` passes unchanged.

    What cannot be seen, or turns the direction of writing, is an escape such as ``\u202e``: a name
    looks like what it is.
    """
    if hasattr(value, "__html__"):
        return markupsafe.escape(value)
    return markupsafe.escape(visible(value, keep="\n\t"))


_CELL = "text-align:left;padding:2px 10px 2px 0;vertical-align:top"


_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What a page may load: its own pictures and styles, nothing from the network, no script."""

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --faint: #5b6470; --sheet: #ffffff;
  --card: #f5f6f8; --line: #d5d9df; --error: #b3261e; --warning: #8a5a00; --note: #1f5fae; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaed; --faint: #a3abb6; --sheet: #15171a; --card: #1f2328; --line: #3a4048;
    --error: #ff8a80; --warning: #f2b84b; --note: #8ab8ff; } }
body { margin: 0 auto; padding: 1.5rem; max-width: 64rem; background: var(--sheet);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 0; } p { margin: .35rem 0; } a { color: inherit; }
code, .file { font-family: ui-monospace, monospace; font-size: .92em; unicode-bidi: isolate; }
table { border-collapse: collapse; } th { overflow-wrap: normal; }
td { min-width: 3.2rem; } td:first-child { min-width: 9rem; }
ul { margin: .5rem 0; padding-left: 1.2rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 6px;
  padding: .8rem 1rem; margin: .8rem 0; }
summary { cursor: pointer; } .faint { color: var(--faint); }
.error, .warning, .note { font-weight: 600; } .error { color: var(--error); }
.warning { color: var(--warning); } .note { color: var(--note); }
.pictures { display: flex; flex-wrap: wrap; gap: .8rem; margin: .6rem 0; }
figure { margin: 0; width: 15rem; } figcaption { font-size: .85em; color: var(--faint); }
img { display: block; max-width: 100%; height: auto; background: #000; }
"""


@dataclass(frozen=True)
class Illustration:
    """A picture with what it shows in words."""

    png: bytes = field(repr=False)  # the content of a PNG file, or of a WebP file
    caption: str  # what is seen, for a person who does not know the colours
    # Pixels.
    width: int
    height: int
    # For a slice its plane (``axl``, ``cor`` or ``sag``), and the place in it that a person looks
    # at (RAS+ mm); None where it is no slice, or nobody asks.
    at: tuple[str, tuple[float, float, float]] | None = None


TONES = {"good": "#2e7d32", "warning": "#b26a00", "error": "#c62828"}
"""The border beside a title that says how something stands, as apps have it."""


def title(value: object, tone: str = "") -> Markup:
    """Return a small heading; ``tone`` (of ``TONES``) marks what its words say."""
    side = f";border-left:4px solid {TONES[tone]};padding-left:8px" if tone else ""
    return Markup(f"<p style='margin:6px 0{side}'><b>{text(value)}</b></p>")


def swatch(color: Sequence[int]) -> Markup:
    """Return a coloured square for an RGB triple of 0 to 255."""
    red, green, blue = (int(channel) for channel in color)
    return Markup(
        "<span aria-hidden='true' style='display:inline-block;width:0.9em;height:0.9em;"
        "border:1px solid #888;margin-right:0.4em;"
        f"background:rgb({red},{green},{blue})'></span>"
    )


def table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> Markup:
    """Return a table; each cell is escaped unless it is :class:`Markup`."""
    head = "".join(f"<th scope='col' style='{_CELL}'>{text(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td style='{_CELL}'>{text(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return Markup(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def details(summary: object, content: Markup, *, unfolded: bool = False) -> Markup:
    """Return ``content`` under ``summary``, which folds and unfolds it."""
    state = " open" if unfolded else ""
    return Markup(f"<details{state}><summary>{text(summary)}</summary>{content}</details>")


def join(parts: Iterable[Markup]) -> Markup:
    """Return the parts, one after the other."""
    return Markup("".join(parts))


def element(name: str, *parts: object, kind: str = "", anchor: str = "") -> Markup:
    """Return an element with the parts in it; ``kind`` is its class, ``anchor`` its id."""
    attributes = "".join(
        f" {key}='{text(value)}'" for key, value in (("class", kind), ("id", anchor)) if value
    )
    return Markup(f"<{name}{attributes}>{join(map(text, parts))}</{name}>")


def image(picture: Illustration) -> Markup:
    """Return a picture, told in words to those who do not see it; its bytes are within the page."""
    kind = "webp" if picture.png.startswith(b"RIFF") else "png"
    source = f"data:image/{kind};base64,{base64.b64encode(picture.png).decode()}"
    return Markup(
        f"<img src='{source}' width='{picture.width}' height='{picture.height}' "
        f"alt='{text(picture.caption)}'>"
    )


def figure(picture: Illustration, *title_parts: object) -> Markup:
    """Return a picture with its caption."""
    caption = element("figcaption", *title_parts, element("div", picture.caption))
    return element("figure", image(picture), caption)


def page(heading: str, *parts: Markup, style: str = "") -> str:
    """Return a whole page that needs no network, no script and no other file.

    ``style`` is CSS of our own, for what only this kind of page has.
    """
    return (
        "<!DOCTYPE html>\n"
        "<html lang='en'><head><meta charset='utf-8'>"
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{text(heading)}</title><style>{_STYLE}{style}</style></head>\n"
        f"<body>{element('h1', heading)}\n{join(parts)}</body></html>\n"
    )
