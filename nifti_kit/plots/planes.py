"""Planes: a scene as a matplotlib figure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from nifti_kit.core.geometry import Grid
from nifti_kit.plots.figure import (
    FAINT,
    GAP,
    INK,
    LINE,
    MARGIN,
    PLAIN,
    ROW,
    Picture,
    count,
    letters,
    outline,
    shortened,
    width_of,
    write,
)
from nifti_kit.render import Artist, Look, Scene
from nifti_kit.render.panes import Pane
from nifti_kit.render.scene import AXIAL, BY_NORMAL, CORONAL, SAGITTAL, Color, Mask, Plane

UNSEEN = (21, 23, 26)
"""The sheet's own colour, for a line of the legend that is no class."""

OPACITY = 0.4
"""Of a mask's colour over the image: the grey values stay visible under it."""

MAX_ENTRIES = 30
"""Legend entries; with more the legend would be larger than the pictures."""

OBLIQUE_DEGREES = 0.1
"""Above this the letters and millimetres are said to be approximate."""

WIDEST, TALLEST = 7.6, 5.3
"""What the three pictures together may take (inches), without what is written around them."""

NARROWEST = 1.7
"""What a caption needs (inches): a narrower picture stands in a cell of this width."""

SHEET = (8.6, 11.0)
"""The sheet's least and largest width (inches)."""

THIN = 0.06
"""Half the height of a number's digits (inches): in a thinner section it stands beside."""

NO_IMAGE = "no image: the masks alone, on their own grid"
"""Said where black is no grey value."""

_ENTRY: dict[str, Any] = {"size": 9}
_FOOTER: dict[str, Any] = {"size": 8}


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
        default those that show most classes well, or the middle.
    window
        Grey values as (centre, width); by default those between the percentiles 1 and 99.
    title
        A line above the pictures.

    Raises
    ------
    NiftiKitError
        If a shape is not that of its grid, there is no such slice, or a window has no width.
    """
    return _drawn(Scene.of(volume, grid, masks, at, window), title)


def masks_alone(
    grid: Grid,
    masks: Iterable[Mask],
    *,
    at: Sequence[int | None] | None = None,
    title: str = "",
) -> Picture:
    """Return masks in three planes without an image: black where none is, which the figure says.

    ``grid``: the slices that are shown (RAS+ mm), such as those of the first mask's own file.
    ``masks``, ``at``, ``title``: as :func:`three_planes` has them.
    """
    nothing = np.broadcast_to(np.uint8(0), grid.shape)  # takes no memory
    return _drawn(Scene.of(nothing, grid, masks, at, None), title, has_image=False)


def _drawn(scene: Scene, title: str, *, has_image: bool = True) -> Picture:
    artist = scene.artist
    sections = {plane: _sections(artist, scene, plane) for plane in BY_NORMAL}
    seen = {number for section in sections.values() for number in section}
    legend = _entries(scene, seen)
    footer = _footer(scene, legend, has_image)
    sheet = _layout(scene, legend, len(footer))
    figure = Picture.of(sheet.width, sheet.height, title)
    for plane, box in sheet.boxes.items():
        axes = figure.panel(*box)
        _draw(axes, artist, scene, plane)
        for number, inside in sections[plane].items():
            size, color = scene.pixel_size(plane), scene.classes[number - 1].color
            outline(axes, inside, size, color)
            _number(axes, inside, size, number, sheet.scale)
    _draw_legend(figure, sheet, legend)
    look = {"color": FAINT, "linespacing": 1.5, **_FOOTER}
    write(figure, MARGIN, sheet.footer_top, "\n".join(footer), **look)
    figure.description = _description(scene, title) + ("" if has_image else f"; {NO_IMAGE}")
    return figure


def _sections(artist: Artist, scene: Scene, plane: Plane) -> dict[int, npt.NDArray[np.bool_]]:
    """Return which pixels (to the right, up) each class has that a slice cuts, by its number."""
    index = scene.position[plane.normal]
    layers = artist.sections(Pane.whole(scene.grid, plane), index)
    numbers = np.unique([number for found in layers for number in np.unique(found)]).tolist()
    return {
        int(n): np.any([found == n for found in layers], axis=0)[::-1].T for n in numbers if n > 0
    }


class _LegendRow(NamedTuple):
    """A line of the legend; ``visible`` where one of the three slices cuts the class."""

    text: str
    color: Color
    visible: bool


def _entries(scene: Scene, seen: Collection[int]) -> list[_LegendRow]:
    """Return the legend, in the order of the classes; where it is cut, visible ones stay."""
    entries = [_entry(scene, number, number in seen) for number in range(1, len(scene.classes) + 1)]
    if len(entries) <= MAX_ENTRIES:
        return entries
    by_visibility = sorted(range(len(entries)), key=lambda at: not entries[at].visible)
    kept = sorted(by_visibility[: MAX_ENTRIES - 1])
    more = f"and {count(len(entries) - len(kept), 'more class')}"
    return [entries[at] for at in kept] + [_LegendRow(more, UNSEEN, True)]


def _entry(scene: Scene, number: int, visible: bool) -> _LegendRow:
    found = scene.classes[number - 1]
    # A figure space is as wide as a digit.
    place = str(number).rjust(len(str(len(scene.classes))), "\N{FIGURE SPACE}")
    objects = f", {count(found.objects, 'object')}" if found.objects > 1 else ""
    outside = ", outside the volume" if found.is_outside else ""
    text = f"{place}  {shortened(found.name)}{objects}, {count(found.voxels, 'voxel')}{outside}"
    return _LegendRow(text, found.color, visible)


class _Key(NamedTuple):
    """The legend's place: inches from the left and from the top."""

    left: float
    top: float
    width: float
    height: float
    columns: int


class _Layout(NamedTuple):
    """Where things stand, in inches from the left and from the top.

    Coronal and sagittal stand side by side, the axial picture under the coronal one, the legend
    in the corner that is left. ``boxes`` are left, top, width and height of each picture.
    """

    width: float
    height: float
    scale: float
    boxes: dict[Plane, tuple[float, float, float, float]]
    key: _Key
    footer_top: float


def _layout(scene: Scene, legend: Sequence[_LegendRow], footer_lines: int) -> _Layout:
    right, anterior, superior = np.multiply(scene.grid.shape, scene.grid.voxel_size).tolist()
    scale = min(WIDEST / (right + anterior), TALLEST / (superior + anterior))
    r, a, s = (scale * length for length in (right, anterior, superior))
    first, above = MARGIN + LINE, MARGIN + 5 * LINE  # title, caption of two lines, a letter
    second = first + max(r, NARROWEST) + GAP
    below = above + s + 4.8 * LINE  # a letter, a gap, a caption of two lines, a letter
    inset = max(0.0, NARROWEST - r) / 2
    boxes = {
        CORONAL: (first + inset, above, r, s),
        SAGITTAL: (second + max(0.0, NARROWEST - a) / 2, above, a, s),
        AXIAL: (first + inset, below, r, a),
    }
    key = _key(legend, (second, below - 3.2 * LINE), below + a)
    width = max(second + max(a, NARROWEST) + LINE, key.left + key.width) + MARGIN
    footer_top = max(below + a, key.top + key.height) + 1.6 * LINE
    height = footer_top + footer_lines * LINE + MARGIN
    return _Layout(float(np.clip(width, *SHEET)), height, scale, boxes, key, footer_top)


def _key(legend: Sequence[_LegendRow], corner: tuple[float, float], bottom: float) -> _Key:
    """Return the place in a corner that ends at ``bottom``, or below it if that is too narrow.

    In the corner there are as few columns as its height allows.
    """
    entry = max((width_of(found.text, **_ENTRY) for found in legend), default=0.0) + 0.5
    (left, top), fewest = corner, math.ceil(len(legend) * ROW / (bottom - corner[1]))
    if entry > SHEET[1] - MARGIN - left:
        left, top, fewest = MARGIN, bottom + 2 * LINE, len(legend)
    columns = max(1, min(fewest, int((SHEET[1] - MARGIN - left) / entry)))
    rows = math.ceil(len(legend) / columns)
    return _Key(left, top, columns * entry if legend else 0.0, rows * ROW, columns)


def _draw(axes: Axes, artist: Artist, scene: Scene, plane: Plane) -> None:
    """Draw one plane; coordinates are mm from the lower left corner."""
    look = Look(scene.position, scene.limits, OPACITY, firmer=0.0)
    with np.errstate(all="ignore"):  # grey values may be anything
        pixels = artist.pane(Pane.whole(scene.grid, plane), look)[::-1, :, :3]
    (across, up), (high, wide) = scene.pixel_size(plane), pixels.shape[:2]
    axes.imshow(
        pixels,
        extent=(0.0, wide * across, 0.0, high * up),
        origin="lower",
        aspect="equal",
        interpolation="antialiased",
    )
    style: dict[str, Any] = {"color": "white", "lw": 0.7, "alpha": 0.55, "ls": (0, (4, 4))}
    axes.axvline((wide - scene.position[plane.across] - 0.5) * across, **style)
    axes.axhline((scene.position[plane.up] + 0.5) * up, **style)
    letters(axes, plane)
    caption = f"{plane.title}, {scene.place(plane.normal)}\n{scene.slice_text(plane)}"
    axes.set_title(caption, fontsize=9, color=INK, pad=20, linespacing=1.35, **PLAIN)


def _number(
    axes: Axes,
    inside: npt.NDArray[np.bool_],
    size: tuple[float, float],
    number: int,
    scale: float,
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


def _thickest(inside: npt.NDArray[np.bool_], size: tuple[float, float]) -> tuple[int, int, float]:
    """Return the pixel (x, y) that is deepest inside, and how far it is from outside (mm)."""
    from scipy.ndimage import distance_transform_edt, find_objects

    box = find_objects(inside.astype(np.uint8))[0]
    depth = distance_transform_edt(np.pad(inside[box], 1), sampling=size)[1:-1, 1:-1]
    x, y = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(box[0].start + x), int(box[1].start + y), float(depth.max())


def _draw_legend(figure: Picture, sheet: _Layout, legend: Sequence[_LegendRow]) -> None:
    """Draw the legend; classes that no slice cuts are faint, and their colour is an outline."""
    if not legend:
        return
    handles = []
    for entry in legend:
        red, green, blue = (channel / 255 for channel in entry.color)
        face = (red, green, blue, 0.8 if entry.visible else 0.0)
        handles.append(Patch(facecolor=face, edgecolor=(red, green, blue), label=entry.text))
    look = {"ncols": sheet.key.columns, "handlelength": 1.3, "columnspacing": 1.5}
    texts = figure.key(sheet.key.left, sheet.key.top, handles, **look)
    for text, entry in zip(texts, legend, strict=True):
        text.set_color(INK if entry.visible else FAINT)


def _footer(scene: Scene, legend: Sequence[_LegendRow], has_image: bool) -> list[str]:
    """Return lines, as long as the narrowest sheet allows, that say how to read the picture."""
    low, high = scene.limits
    sizes = " x ".join(f"{mm:.3g}" for mm in scene.grid.voxel_size)
    facts = [
        f"{' x '.join(map(str, scene.grid.shape))} voxels of {sizes} mm (RAS+)",
        f"grey values {low:.4g} to {high:.4g}" if has_image else NO_IMAGE,
    ]
    if scene.oblique_degrees > OBLIQUE_DEGREES:
        turned = f"oblique by {scene.oblique_degrees:.1f} degrees"
        facts.append(f"{turned}: letters are the nearest directions, mm those of the cross")
    if not all(entry.visible for entry in legend):
        facts.append("faint: not on these slices")
    lines = ["Radiological view: the patient's right is on the left, in the sagittal anterior"]
    for fact in facts:
        longer = f"{lines[-1]}; {fact}"
        if len(lines) > 1 and width_of(longer, **_FOOTER) < SHEET[0] - 2 * MARGIN:
            lines[-1] = longer
        else:
            lines.append(fact)
    return lines


def _description(scene: Scene, title: str) -> str:
    planes = ", ".join(
        f"{plane.title.lower()} {scene.slice_text(plane)} at {scene.place(plane.normal)}"
        for plane in BY_NORMAL
    )
    what = " ".join(title.split()) or "three planes"
    return f"{what}; {planes}; {count(len(scene.classes), 'class')}"
