"""Pictures: a scene as a matplotlib figure.

Nothing here touches pyplot: no global state, and no figure that stays open.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.textpath import TextToPath

from nifti_kit.geometry import Grid
from nifti_kit.scenes import (
    AXIAL,
    CORONAL,
    DIRECTIONS,
    SAGITTAL,
    Color,
    Mask,
    Plane,
    Scene,
    SceneClass,
    Section,
)

__all__ = ["Picture", "three_planes"]

BACKGROUND, INK, FAINT = "#15171a", "#f0f0f0", "#a0a0a0"
"""A dark sheet, as viewers have it: it goes with the light and the dark theme of a notebook."""

UNSEEN = (21, 23, 26)
"""The sheet's own colour, for a line of the legend that is no class."""

OPACITY = 0.4
"""Of a mask's colour over the image: the grey values stay visible under it."""

DARK = 0.3
"""A colour of less luminance (0 to 1) gets a white edge, others a black one."""

MAX_ENTRIES = 30
"""Legend entries; with more the legend would be larger than the pictures."""

MAX_NAME = 40
"""Letters of a name in the legend; a longer one is cut in its middle: its ends tell it apart."""

OBLIQUE_DEGREES = 0.1
"""Above this the letters and millimetres are said to be approximate."""

WIDEST, TALLEST = 7.6, 5.3
"""What the three pictures together may take (inches), without what is written around them."""

NARROWEST = 1.7
"""What a caption needs (inches): a narrower picture stands in a cell of this width."""

SHEET = (8.6, 11.0)
"""The sheet's least and largest width (inches)."""

MARGIN, GAP, LINE, ROW = 0.2, 0.55, 0.2, 0.178
"""Around the sheet, between two pictures, a line of text, and one of the legend (inches)."""

HINTING = 1.05
"""How much longer a text gets, at most, when its letters are moved to whole dots."""

THIN = 0.06
"""Half the height of a number's digits (inches): in a thinner section it stands beside."""

SCREEN_DPI, PNG_DPI = 96, 144
"""Dots per inch that a picture is shown with, and that it has: sharp on dense screens."""

_PLAIN: dict[str, Any] = {"parse_math": False, "usetex": False}
"""For all text: names such as ``cost$^$`` are no formulas."""

_TITLE: dict[str, Any] = {"size": 11, "weight": "bold"}
_ENTRY: dict[str, Any] = {"size": 9}
_FOOTER: dict[str, Any] = {"size": 8}


class Picture(Figure):
    """A matplotlib figure that shows itself in a notebook, once, without pyplot.

    Attributes
    ----------
    description
        What it shows, in words; also its ``repr``, for terminals.
    """

    description = ""

    def __repr__(self) -> str:
        return f"<Picture: {self.description}>"

    __str__ = __repr__

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        out = io.BytesIO()
        with rc_context({"savefig.bbox": "standard"}):  # a person's own setting may cut it
            self.savefig(out, format="png", dpi=PNG_DPI, facecolor=self.get_facecolor())
        width, height = (round(inches * SCREEN_DPI) for inches in self.get_size_inches())
        return out.getvalue(), {"width": width, "height": height, "alt": self.description}


def three_planes(
    volume: npt.NDArray[Any],
    grid: Grid,
    masks: Iterable[Mask] = (),
    *,
    at: Sequence[int | None] | None = None,
    window: tuple[float, float] | None = None,
    title: str = "",
) -> Picture:
    """Return the coronal, sagittal and axial slice through one point, with masks and legend.

    The three pictures have one scale in mm, and stand so that what they share is in line; dashed
    lines show where the other two cut. The convention is the radiological one, with letters at
    the edges. A class has a colour, an outline and a number, which is that in the legend.

    Parameters
    ----------
    volume
        (i, j, k) grey values, axes in any order.
    grid
        Where they are (RAS+ mm).
    masks
        The objects, each on its own grid: they are drawn where their affines put them.
    at
        RAS+ slice indices from 0: sagittal, coronal, axial; None for those to be chosen. By
        default the point in a mask from which most classes are seen well, or the middle.
    window
        Grey values as (centre, width); by default those between the percentiles 1 and 99.
    title
        A line above the pictures.

    Raises
    ------
    NiftiKitError
        If a shape is not that of its grid, there is no such slice, or a window has no width.
    """
    scene = Scene.of(volume, grid, masks, at, window)
    legend = _entries(scene)
    footer = _footer(scene, legend)
    sheet = _Sheet.of(scene, legend, len(footer))
    figure = Picture(figsize=(sheet.width, sheet.height), facecolor=BACKGROUND)
    figure.set_layout_engine("none")  # the places are ours, whatever a person has set
    _write(figure, MARGIN, MARGIN, _fitted(title, sheet.width - 2 * MARGIN), **_TITLE)
    for plane, box in sheet.boxes.items():
        _draw(_panel(figure, sheet, box), scene, plane, sheet.scale)
    _draw_legend(figure, sheet, legend)
    look = {"color": FAINT, "linespacing": 1.5, **_FOOTER}
    _write(figure, MARGIN, sheet.footer_top, "\n".join(footer), **look)
    figure.description = _description(scene, title)
    return figure


class _Entry(NamedTuple):
    """A line of the legend; ``visible`` where one of the three slices cuts the class."""

    text: str
    color: Color
    visible: bool


def _entries(scene: Scene) -> list[_Entry]:
    """Return the legend, in the order of the classes; where it is cut, visible ones stay."""
    entries = [_entry(scene, found) for found in scene.classes]
    if len(entries) <= MAX_ENTRIES:
        return entries
    by_visibility = sorted(range(len(entries)), key=lambda at: not entries[at].visible)
    kept = sorted(by_visibility[: MAX_ENTRIES - 1])
    more = f"and {_count(len(entries) - len(kept), 'more class')}"
    return [entries[at] for at in kept] + [_Entry(more, UNSEEN, True)]


def _entry(scene: Scene, found: SceneClass) -> _Entry:
    # A figure space is as wide as a digit.
    number = str(found.number).rjust(len(str(len(scene.classes))), "\N{FIGURE SPACE}")
    objects = f", {_count(len(found.masks), 'object')}" if len(found.masks) > 1 else ""
    outside = ", outside the volume" if found.is_outside else ""
    text = f"{number}  {_shortened(found.name)}{objects}, {_count(found.voxels, 'voxel')}{outside}"
    return _Entry(text, found.color, scene.is_cut(found))


def _count(number: int, word: str) -> str:
    ending = "" if number == 1 else "es" if word.endswith("s") else "s"
    return f"{number:,} {word}{ending}"


def _shortened(name: str, most: int = MAX_NAME) -> str:
    """Return a name on one line, cut in its middle where it is long."""
    plain = " ".join(name.split())
    half = (most - 1) // 2
    return plain if len(plain) <= most else f"{plain[:half]}…{plain[-half:]}"


def _width(text: str, **font: Any) -> float:
    """Return how long a text on one line is (inches)."""
    points = TextToPath().get_text_width_height_descent(text, FontProperties(**font), ismath=False)
    return HINTING * float(points[0]) / 72


def _fitted(title: str, room: float) -> str:
    """Return a title that is cut in its middle until it fits (inches)."""
    text, most = _shortened(title, len(title)), len(title)
    while most > MAX_NAME and _width(text, **_TITLE) > room:
        most -= max(1, most // 20)
        text = _shortened(title, most)
    return text


class _Box(NamedTuple):
    """A picture's place on the sheet: inches from the left and from the top."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class _Sheet:
    """Where things stand, in inches from the left and from the top.

    Coronal and sagittal stand side by side, the axial picture under the coronal one, the legend
    in the corner that is left.
    """

    width: float
    height: float
    scale: float
    boxes: dict[Plane, _Box]
    key: _Key
    footer_top: float

    @classmethod
    def of(cls, scene: Scene, legend: Sequence[_Entry], footer_lines: int) -> _Sheet:
        right, anterior, superior = np.multiply(scene.grid.shape, scene.grid.voxel_size).tolist()
        scale = min(WIDEST / (right + anterior), TALLEST / (superior + anterior))
        r, a, s = (scale * length for length in (right, anterior, superior))
        first, above = MARGIN + LINE, MARGIN + 5 * LINE  # title, caption of two lines, a letter
        second = first + max(r, NARROWEST) + GAP
        below = above + s + 4.8 * LINE  # a letter, a gap, a caption of two lines, a letter
        inset = max(0.0, NARROWEST - r) / 2
        boxes = {
            CORONAL: _Box(first + inset, above, r, s),
            SAGITTAL: _Box(second + max(0.0, NARROWEST - a) / 2, above, a, s),
            AXIAL: _Box(first + inset, below, r, a),
        }
        key = _Key.of(legend, (second, below - 3.2 * LINE), below + a)
        width = max(second + max(a, NARROWEST) + LINE, key.left + key.width) + MARGIN
        footer_top = max(below + a, key.top + key.height) + 1.6 * LINE
        height = footer_top + footer_lines * LINE + MARGIN
        return cls(float(np.clip(width, *SHEET)), height, scale, boxes, key, footer_top)


@dataclass(frozen=True)
class _Key:
    """The legend's place: inches from the left and from the top."""

    left: float
    top: float
    width: float
    height: float
    columns: int

    @classmethod
    def of(cls, legend: Sequence[_Entry], corner: tuple[float, float], bottom: float) -> _Key:
        """Return the place in a corner that ends at ``bottom``, or below it if that is too narrow.

        In the corner there are as few columns as its height allows.
        """
        entry = max((_width(found.text, **_ENTRY) for found in legend), default=0.0) + 0.5
        (left, top), fewest = corner, math.ceil(len(legend) * ROW / (bottom - corner[1]))
        if entry > SHEET[1] - MARGIN - left:
            left, top, fewest = MARGIN, bottom + 2 * LINE, len(legend)
        columns = max(1, min(fewest, int((SHEET[1] - MARGIN - left) / entry)))
        rows = math.ceil(len(legend) / columns)
        return cls(left, top, columns * entry if legend else 0.0, rows * ROW, columns)


def _write(figure: Figure, left: float, top: float, text: str, **style: Any) -> None:
    width, height = figure.get_size_inches()
    look = {"color": INK, "va": "top", **style, **_PLAIN}
    figure.text(left / width, 1 - top / height, text, **look)


def _panel(figure: Figure, sheet: _Sheet, box: _Box) -> Axes:
    left, bottom = box.left / sheet.width, 1 - (box.top + box.height) / sheet.height
    place = (left, bottom, box.width / sheet.width, box.height / sheet.height)
    axes = figure.add_axes(place, facecolor="black")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_color("#555555")
    return axes


def _draw(axes: Axes, scene: Scene, plane: Plane, scale: float) -> None:
    """Draw one plane; coordinates are mm from the lower left corner."""
    across, up = scene.pixel_size(plane)
    # The across axis grows to the left of the picture: to R, or to A.
    colored = np.repeat(scene.grey(plane)[::-1, :, None], 3, axis=2)
    for found in scene.classes:
        inside = scene.section(found, plane)[::-1]
        if inside.any():
            tint = np.array(found.color) / 255
            colored[inside] = (1 - OPACITY) * colored[inside] + OPACITY * tint
            _outline(axes, inside, (across, up), found.color)
            _number(axes, inside, (across, up), found.number, scale)
    axes.imshow(
        colored.transpose(1, 0, 2),
        extent=(0.0, colored.shape[0] * across, 0.0, colored.shape[1] * up),
        origin="lower",
        aspect="equal",
        interpolation="antialiased",
    )
    _cross(axes, scene, plane)
    _letters(axes, plane)
    caption = f"{plane.title}, {scene.place(plane.normal)}\n{_slice(scene, plane)}"
    axes.set_title(caption, fontsize=9, color=INK, pad=20, linespacing=1.35, **_PLAIN)


def _slice(scene: Scene, plane: Plane) -> str:
    return f"slice {scene.position[plane.normal]} (0 to {scene.grid.shape[plane.normal] - 1})"


def _outline(axes: Axes, inside: Section, size: tuple[float, float], color: Color) -> None:
    """Draw the edges between voxels inside and outside: exact, not smoothed."""
    padded = np.pad(inside, 1).astype(np.int8)
    x, y = np.nonzero(np.diff(padded, axis=0)[:, 1:-1])
    upright = np.stack([np.stack([x, y], -1), np.stack([x, y + 1], -1)], axis=1)
    x, y = np.nonzero(np.diff(padded, axis=1)[1:-1])
    level = np.stack([np.stack([x, y], -1), np.stack([x + 1, y], -1)], axis=1)
    segments = np.concatenate([upright, level]) * np.array(size)
    rgb = np.array(color) / 255
    edge = "white" if rgb @ (0.299, 0.587, 0.114) < DARK else "black"
    for width, tone in ((1.7, edge), (0.9, tuple(rgb))):
        lines = LineCollection(segments, colors=[tone], linewidths=width, capstyle="projecting")
        axes.add_collection(lines, autolim=False)


def _number(
    axes: Axes, inside: Section, size: tuple[float, float], number: int, scale: float
) -> None:
    """Write a class's number where its section is thickest; beside it where that is too thin."""
    x, y, depth = _thickest(inside, size)
    beside = (9 if 2 * x < inside.shape[0] else -9, 9 if 2 * y < inside.shape[1] else -9)
    fits = depth * scale > THIN
    axes.annotate(
        str(number),
        ((x + 0.5) * size[0], (y + 0.5) * size[1]),
        xytext=(0, 0) if fits else beside,
        textcoords="offset points",
        arrowprops=None if fits else {"arrowstyle": "-", "color": INK, "lw": 0.8, "shrinkB": 0},
        ha="center",
        va="center",
        fontsize=8,
        fontweight="bold",
        color="white",
        path_effects=[withStroke(linewidth=2, foreground="black")],
    )


def _thickest(inside: Section, size: tuple[float, float]) -> tuple[int, int, float]:
    """Return the pixel (x, y) that is deepest inside, and how far it is from outside (mm)."""
    from scipy.ndimage import distance_transform_edt, find_objects

    box = find_objects(inside.astype(np.uint8))[0]
    depth = distance_transform_edt(np.pad(inside[box], 1), sampling=size)[1:-1, 1:-1]
    x, y = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(box[0].start + x), int(box[1].start + y), float(depth.max())


def _cross(axes: Axes, scene: Scene, plane: Plane) -> None:
    across, up = scene.pixel_size(plane)
    from_left = scene.grid.shape[plane.across] - scene.position[plane.across] - 0.5
    style: dict[str, Any] = {"color": "white", "lw": 0.7, "alpha": 0.55, "ls": (0, (4, 4))}
    axes.axvline(from_left * across, **style)
    axes.axhline((scene.position[plane.up] + 0.5) * up, **style)


def _letters(axes: Axes, plane: Plane) -> None:
    """Write outside of each edge which side of the patient it is nearest to."""
    (left, right), (top, bottom) = DIRECTIONS[plane.across], DIRECTIONS[plane.up]
    places = ((left, -1, 0), (right, 1, 0), (top, 0, 1), (bottom, 0, -1))
    for letter, x, y in places:
        axes.annotate(
            letter,
            ((1 + x) / 2, (1 + y) / 2),
            xycoords="axes fraction",
            xytext=(10 * x, 10 * y),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=10,
            fontweight="bold",
            color="#ffe680",
        )


def _draw_legend(figure: Figure, sheet: _Sheet, legend: Sequence[_Entry]) -> None:
    """Draw the legend; classes that no slice cuts are faint, and their colour is an outline."""
    if not legend:
        return
    handles = []
    for entry in legend:
        red, green, blue = (channel / 255 for channel in entry.color)
        face = (red, green, blue, 0.8 if entry.visible else 0.0)
        handles.append(Patch(facecolor=face, edgecolor=(red, green, blue), label=entry.text))
    drawn = figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(sheet.key.left / sheet.width, 1 - sheet.key.top / sheet.height),
        ncols=sheet.key.columns,
        prop=_ENTRY,
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        labelspacing=0.4,
        handlelength=1.3,
        columnspacing=1.5,
    )
    for text, entry in zip(drawn.get_texts(), legend, strict=True):
        text.set(color=INK if entry.visible else FAINT, **_PLAIN)


def _footer(scene: Scene, legend: Sequence[_Entry]) -> list[str]:
    """Return lines, as long as the narrowest sheet allows, that say how to read the picture."""
    low, high = scene.limits
    sizes = " x ".join(f"{mm:.3g}" for mm in scene.grid.voxel_size)
    facts = [
        f"{' x '.join(map(str, scene.grid.shape))} voxels of {sizes} mm (RAS+)",
        f"grey values {low:.4g} to {high:.4g}",
    ]
    if scene.oblique_degrees > OBLIQUE_DEGREES:
        turned = f"oblique by {scene.oblique_degrees:.1f} degrees"
        facts.append(f"{turned}: letters are the nearest directions, mm those of the cross")
    if not all(entry.visible for entry in legend):
        facts.append("faint: not on these slices")
    lines = ["Radiological view: the patient's right is on the left, in the sagittal anterior"]
    for fact in facts:
        longer = f"{lines[-1]}; {fact}"
        if len(lines) > 1 and _width(longer, **_FOOTER) < SHEET[0] - 2 * MARGIN:
            lines[-1] = longer
        else:
            lines.append(fact)
    return lines


def _description(scene: Scene, title: str) -> str:
    planes = ", ".join(
        f"{plane.title.lower()} {_slice(scene, plane)} at {scene.place(plane.normal)}"
        for plane in (SAGITTAL, CORONAL, AXIAL)
    )
    what = " ".join(title.split()) or "three planes"
    return f"{what}; {planes}; {_count(len(scene.classes), 'class')}"
