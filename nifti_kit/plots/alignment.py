"""One mask in two places: where one header puts it, and where another one does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from nifti_kit.checks.pictures import ASSUMED, OWN
from nifti_kit.core.geometry import PLANES, SAME_MM, Grid, displacements
from nifti_kit.errors import NiftiKitError
from nifti_kit.plots.figure import FAINT, INK, LINE, MARGIN, Picture, letters, shortened, write
from nifti_kit.render import Layer, Scene
from nifti_kit.render.paint import grey_pane
from nifti_kit.render.panes import Pane, Span
from nifti_kit.render.position import Points, best_slice, indices_in, labelled, telling_plane
from nifti_kit.render.scene import AXIAL, BY_NORMAL, Color, Mask, Plane

LONGEST, SHORTEST = 5.6, 2.8
"""Sides of the picture (inches): the longer one, and the least that the other one has."""

DOTS = 600
"""Points along the longer side that an outline is followed on: a tenth of a voxel is seen."""

AROUND = 0.12
"""Of what both masks take, is shown around them."""

AROUND_MM = 8.0
"""But so much at least (mm): a mask of three voxels needs its surroundings."""


def _telling_slice(
    scene: Scene, clouds: Sequence[Points], at: tuple[str, int | None] | None
) -> tuple[Scene, Plane]:
    """Return the scene cut where two places are seen best, or where a person says; its plane.

    ``clouds`` are the labelled voxels' indices in the scene's grid (n, 3), for each place.
    """
    name, index = at or (None, None)
    if name is not None and name not in PLANES:
        raise NiftiKitError("there is no such plane", found=repr(name), expected="axl, cor or sag")
    plane = BY_NORMAL[PLANES[name]] if name else telling_plane(AXIAL, scene.grid, clouds)
    count = scene.grid.shape[plane.normal]
    if index is None:
        along = [cloud[:, plane.normal] for cloud in clouds]  # also beside the volume
        areas = [np.histogram(at, count, (-0.5, count - 0.5))[0] for at in along]
        index = best_slice(areas, count)
    if not 0 <= index < count:
        found, expected = f"slice {index}", f"0 to {count - 1}"
        raise NiftiKitError("there is no such slice", found=found, expected=expected)
    position = list(scene.position)
    position[plane.normal] = index
    return replace(scene, position=(position[0], position[1], position[2])), plane


def _fine(
    scene: Scene, plane: Plane, clouds: Sequence[Points], zoom_mm: float | None
) -> tuple[Pane, tuple[float, float]]:
    """Return what is shown of two places, also beyond the volume, and its size (inches).

    The pane's pixels are near enough to each other to follow the edges of voxels.
    """
    low, high = _ends(clouds, scene, plane, zoom_mm)
    sides = np.maximum(high - low, (high - low).max() * SHORTEST / LONGEST)
    size, middle = np.array(scene.pixel_size(plane)), (low + high) / 2
    ends = np.stack([middle - sides / 2, middle + sides / 2], axis=1) / size[:, None] + 0.5
    width, height = np.ceil(sides / (sides.max() / DOTS)).astype(int).tolist()
    inches = (sides / sides.max() * LONGEST).tolist()
    spans = [Span(*side) for side in ends.tolist()]
    return Pane(plane, 0, 0, 0, width, height, *spans), (inches[0], inches[1])


def _ends(
    clouds: Sequence[Points], scene: Scene, plane: Plane, zoom_mm: float | None
) -> tuple[Points, Points]:
    """Return where both masks and what is around them begin and end, or a piece of an edge.

    Millimetres across (to R or A) and up, from the centre of the slice's first pixel.
    """
    axes, size = [plane.across, plane.up], np.array(scene.pixel_size(plane))
    if zoom_mm is not None:
        if not 0 < zoom_mm < float("inf"):
            raise NiftiKitError("a zoom needs a length above 0 mm", found=f"zoom_mm={zoom_mm}")
        middle = _edge(clouds[1], scene, plane)[axes] * size
        return middle - zoom_mm / 2, middle + zoom_mm / 2
    points = np.concatenate(clouds)[:, axes] * size
    low, high = points.min(axis=0) - size / 2, points.max(axis=0) + size / 2
    around = max(AROUND_MM, AROUND * float((high - low).max()))
    return low - around, high + around


def _edge(cloud: Points, scene: Scene, plane: Plane) -> Points:
    """Return the edge of a mask in the slice, or near to it, that is drawn leftmost."""
    away = np.abs(cloud[:, plane.normal] - scene.position[plane.normal])
    near = cloud[away <= away.min() + 0.5]
    edge: Points = near[near[:, plane.across].argmax()].copy()
    edge[plane.across] += 0.5
    return edge


NARROWEST = 5.6
"""What the words around the picture need (inches)."""

BAR = 0.3
"""A scale bar takes this part of the width at most."""


class _Look(NamedTuple):
    """How a place is drawn: told apart by colour and by dashes (points on, points off)."""

    color: Color
    words: str
    dashes: tuple[float, tuple[float, ...]]
    width: float


_LOOKS = (
    _Look(OWN, "Red, solid", (0, ()), 1.9),
    _Look(ASSUMED, "Cyan, dashed", (0, (4, 5)), 1.6),  # gaps through which a line under it is seen
)


def two_places(  # noqa: PLR0913 (each is one thing that a person may want to choose)
    volume: npt.NDArray[Any],
    grid: Grid,
    inside: npt.NDArray[Any],
    places: Mapping[str, Grid],
    *,
    at: tuple[str, int | None] | None = None,
    zoom_mm: float | None = None,
    window: tuple[float, float] | None = None,
    title: str = "",
) -> Picture:
    """Return one mask in two places over the volume's slice; the title says how far apart (mm).

    Outlines follow the voxels' edges exactly, however small the displacement is against a voxel.
    The first place is red and solid, the second cyan and dashed. The convention is the
    radiological one.

    Parameters
    ----------
    volume
        (i, j, k) grey values, axes in any order.
    grid
        Where they are (RAS+ mm).
    inside
        (i, j, k), not zero where the mask is.
    places
        Two grids of the mask's shape by what they are called, such as ``its own header`` and
        ``the volume's header``.
    at
        The plane (``axl``, ``cor`` or ``sag``) and the RAS+ slice index from 0, or None for the
        slice with most of both; by default the axial plane, or the one that shows the
        displacement if that runs through axial slices.
    zoom_mm
        How much is shown (mm), around the rightmost edge of the mask; by default all of it.
    window
        Grey values as (centre, width); by default those between the percentiles 1 and 99.
    title
        What stands before the displacement, such as the mask's name.

    Raises
    ------
    NiftiKitError
        If there are not two places, a shape is another one, no voxel is labelled, or there is no
        such plane or slice.
    """
    names, (first, second) = _two(places)
    apart = displacements(inside, first, second)
    scene = Scene.of(volume, grid, (), None, window)
    masks = [
        Mask(name, look.color, inside, place)
        for name, place, look in zip(names, (first, second), _LOOKS, strict=True)
    ]
    points, _ = labelled(masks[0])
    clouds = [indices_in(scene.grid, place.world(points)) for place in (first, second)]
    scene, plane = _telling_slice(scene, clouds, at)
    fine = _fine(scene, plane, clouds, zoom_mm)
    return _figure(scene, *fine, masks, shortened(title, len(title)), distance_text(apart))


def distance_text(apart: npt.NDArray[np.float64]) -> str:
    """Return how far apart voxels lie, in words: the mean too where it is not the same for all."""
    most, mean = float(apart.max()), float(apart.mean())
    if most < SAME_MM:
        return f"the same place (within {SAME_MM:g} mm)"
    if most - mean < most / 100:
        return f"{_mm(most)} apart"
    return f"up to {_mm(most)} apart, {_mm(mean)} on average"


def _mm(distance: float) -> str:
    """Return a distance with the digits that a person can use."""
    if distance < 0.01:  # noqa: PLR2004
        return f"{distance:.4f} mm"
    return f"{distance:.2f} mm" if distance < 10 else f"{distance:,.1f} mm"  # noqa: PLR2004


def _two(places: Mapping[str, Grid]) -> tuple[list[str], list[Grid]]:
    if len(places) != len(_LOOKS):
        raise NiftiKitError(
            "a mask is drawn in two places",
            found=f"{len(places)}: {', '.join(places)}",
            expected="two grids by name",
        )
    for name, place in places.items():
        if place.problem:
            raise NiftiKitError(f"the place {name!r} cannot be drawn", found=place.problem)
    return list(places), list(places.values())


def _figure(
    scene: Scene,
    fine: Pane,
    inches: tuple[float, float],
    masks: list[Mask],
    title: str,
    apart: str,
) -> Picture:
    width, height = inches
    sheet = max(width, NARROWEST) + 2 * (MARGIN + LINE)
    top = MARGIN + 2.6 * LINE
    below = top + height + 1.6 * LINE
    words = f"{title}: {apart}" if title else apart[0].upper() + apart[1:]
    figure = Picture.of(sheet, below + 3 * LINE + MARGIN, words)
    axes = figure.panel((sheet - width) / 2, top, width, height)
    _draw_slice(axes, scene, fine)
    lines = [_draw_mask(axes, scene, fine, mask, at) for at, mask in enumerate(masks)]
    _bar(axes)
    plane = fine.plane
    letters(axes, plane)
    figure.key(MARGIN, below, [line for line, _ in lines], handlelength=2.6)
    where = f"{plane.title} {scene.slice_text(plane)} at {scene.place(plane.normal)}"
    where += "; radiological view"
    write(figure, MARGIN, below + 2.2 * LINE, where, size=8, color=FAINT)
    figure.description = f"{words}; {'; '.join(text for _, text in lines)}; {where}"
    return figure


def _draw_slice(axes: Axes, scene: Scene, fine: Pane) -> None:
    """Draw the grey values; x runs to the left of the patient, or to the back."""
    plane, (across, up) = fine.plane, scene.pixel_size(fine.plane)
    whole = Pane.whole(scene.grid, plane)
    with np.errstate(all="ignore"):  # grey values may be anything
        grey = grey_pane(scene.volume, whole, scene.position[plane.normal], scene.limits)
    axes.imshow(
        grey[::-1],
        cmap="gray",
        vmin=0,
        vmax=255,
        extent=((0.5 - whole.width) * across, 0.5 * across, -0.5 * up, (whole.height - 0.5) * up),
        origin="lower",
        aspect="equal",
        interpolation="antialiased",
    )
    axes.set_xlim((0.5 - fine.across.high) * across, (0.5 - fine.across.low) * across)
    axes.set_ylim((fine.up.low - 0.5) * up, (fine.up.high - 0.5) * up)


def _draw_mask(axes: Axes, scene: Scene, fine: Pane, mask: Mask, at: int) -> tuple[Line2D, str]:
    """Draw an outline; return its line of the legend, and what it says."""
    red, green, blue = (channel / 255 for channel in mask.color)
    color = (red, green, blue)
    look = _LOOKS[at]
    section = Layer.of_mask(mask).section(scene.grid, fine, scene.position[fine.plane.normal])
    seen = bool(section.any())
    if seen:
        across, up = scene.pixel_size(fine.plane)
        x, y = -(fine.columns() - 0.5) * across, (fine.lines() - 0.5) * up
        lines = axes.contour(x, y, section, levels=[0.5], colors=[color], linewidths=look.width)
        lines.set(linestyle=[look.dashes])
        if at == 0:  # a black edge under the dashes would hide what they cross
            lines.set_path_effects([withStroke(linewidth=look.width + 1.4, foreground="black")])
    unseen = "" if seen else " (not on this slice)"
    text = f"{look.words}: {shortened(mask.name, 70)}{unseen}"
    line = Line2D([], [], color=color, linestyle=look.dashes, linewidth=look.width, label=text)
    return line, text


def _bar(axes: Axes) -> None:
    """Draw a scale bar of 1, 2 or 5 times a power of ten."""
    width = float(np.ptp(axes.get_xlim()))
    power = 10.0 ** math.floor(math.log10(BAR * width))
    length = max(step * power for step in (1, 2, 5) if step * power <= BAR * width)
    left, bottom = axes.get_xlim()[0] + 0.04 * width, axes.get_ylim()[0] + 0.04 * width
    under = [withStroke(linewidth=4, foreground="black")]
    axes.plot([left, left + length], [bottom] * 2, color=INK, linewidth=2, path_effects=under)
    axes.annotate(
        f"{length:g} mm",
        (left, bottom),
        xytext=(0, 5),
        textcoords="offset points",
        color=INK,
        fontsize=8,
        path_effects=[withStroke(linewidth=2, foreground="black")],
    )
