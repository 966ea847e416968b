"""How large each class is: bars in the colours that they land in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from nifti_kit.errors import NiftiKitError
from nifti_kit.plans.plan import Plan
from nifti_kit.plots.figure import (
    BACKGROUND,
    FAINT,
    INK,
    LINE,
    MARGIN,
    PLAIN,
    Picture,
    count,
    shortened,
    width_of,
    write,
)
from nifti_kit.render.scene import Color
from nifti_kit.targets.records import PlannedItem

Unit = Literal["mm3", "voxels"]

UNITS = {"mm3": "mm³", "voxels": "voxels"}

ROWS = 35
"""Bars below each other; with more there is another column of them."""

ROW_HIGH, BAR_WIDE, NUMBER_WIDE = 0.2, 2.2, 0.85
"""A bar's height, the longest bar, and the number at its end (inches)."""

WIDE_APART = 50.0
"""The largest over the smallest: beyond it, small classes are seen on a logarithmic axis only."""

LONGEST_NAME = 34
"""Letters of a class's name."""

NARROWEST = 4.6
"""What the title and the line below need (inches)."""

_SMALL: dict[str, Any] = {"size": 8}


class ClassSize(NamedTuple):
    """A class with its colour (RGB of 0 to 255) and how much there is of it."""

    name: str
    color: Color
    amount: float


def class_sizes(
    plan: Plan, item: PlannedItem | None = None, *, unit: Unit = "mm3"
) -> list[ClassSize]:
    """Return how much of each class lands: of all items of a plan, or of one.

    Classes are in the plan's order; one without a voxel has the amount 0.

    Parameters
    ----------
    plan
        What :func:`nifti_kit.plan` returned.
    item
        One of ``plan.items``; all by default.
    unit
        ``mm3`` or ``voxels``.
    """
    _check_unit(unit)
    amounts = dict.fromkeys((found.name for found in plan.classes), 0.0)
    for planned in plan.objects if item is None else item.objects:
        voxel = math.prod(planned.mask.grid.voxel_size) if unit == "mm3" else 1.0
        amounts[planned.class_name] += planned.voxels * voxel
    return [ClassSize(found.name, found.color, amounts[found.name]) for found in plan.classes]


def class_volumes(
    classes: Iterable[ClassSize | tuple[str, Color, float]],
    *,
    unit: Unit = "mm3",
    log: bool | None = None,
    title: str = "",
) -> Picture:
    """Return a bar for each class, with its number, in the order given.

    Parameters
    ----------
    classes
        Name, colour (RGB of 0 to 255) and amount of each.
    unit
        What is counted: ``mm3`` or ``voxels``.
    log
        Whether the axis is logarithmic; by default where the largest class is more than 50 times
        the smallest one.
    title
        A line above it.

    Raises
    ------
    NiftiKitError
        If there is no class, an amount is no number of 0 or more, or there is no such unit.
    """
    _check_unit(unit)
    sizes = [ClassSize(*found) for found in classes]
    if not sizes:
        raise NiftiKitError("there is no class to draw", remedy="nk.check names what is missing.")
    for found in sizes:
        if not 0 <= found.amount < math.inf:
            message = f"the class {found.name!r} has no size"
            raise NiftiKitError(message, found=found.amount, expected="0 or more")
    present = [found.amount for found in sizes if found.amount]
    wide_apart = bool(present) and max(present) > WIDE_APART * min(present)
    is_log = bool(present) and (wide_apart if log is None else log)
    words = " ".join(title.split()) or "Classes by size"
    figure = _figure(sizes, unit, words, is_log=is_log)
    none = len(sizes) - len(present)
    figure.description = (
        f"{words}; {count(len(sizes), 'class')} in {unit}, {none} of them without a voxel; "
        f"{'logarithmic' if is_log else 'linear'} axis"
    )
    return figure


def _check_unit(unit: str) -> None:
    if unit not in UNITS:
        raise NiftiKitError("there is no such unit", found=repr(unit), expected="mm3 or voxels")


def _figure(sizes: Sequence[ClassSize], unit: Unit, title: str, *, is_log: bool) -> Picture:
    columns = math.ceil(len(sizes) / ROWS)
    rows = math.ceil(len(sizes) / columns)
    named = max(width_of(_named(found), **_SMALL) for found in sizes) + 0.15
    column = named + BAR_WIDE + NUMBER_WIDE
    sheet = max(columns * column + 2 * MARGIN, NARROWEST)
    top = MARGIN + 1.9 * LINE
    tall = top + rows * ROW_HIGH + 3 * LINE + MARGIN
    figure = Picture.of(sheet, tall, title)
    limits = _limits(sizes, is_log=is_log)
    for at in range(columns):
        part = sizes[at * rows : (at + 1) * rows]
        left = MARGIN + at * column + named
        axes = figure.axes_at(left, top, BAR_WIDE, rows * ROW_HIGH)
        axes.set(xscale="log" if is_log else "linear", xlim=limits, ylim=(rows - 0.5, -0.5))
        _draw(axes, part, is_log=is_log)
    axis = "logarithmic axis" if is_log else "linear axis"
    text = f"{UNITS[unit]} of each class; {axis}"
    write(figure, MARGIN, top + rows * ROW_HIGH + 1.9 * LINE, text, color=FAINT, **_SMALL)
    return figure


def _named(found: ClassSize) -> str:
    return shortened(found.name, LONGEST_NAME)


def _limits(sizes: Sequence[ClassSize], *, is_log: bool) -> tuple[float, float]:
    present = [found.amount for found in sizes if found.amount]
    if not present:
        return 0.0, 1.0
    if not is_log:
        return 0.0, max(present)
    # A decade of its own for the smallest: its bar has a length too.
    return 10.0 ** math.floor(math.log10(min(present)) - 0.5), max(present)


def _draw(axes: Axes, part: Sequence[ClassSize], *, is_log: bool) -> None:
    low, high = axes.get_xlim()
    for row, found in enumerate(part):
        color = tuple(channel / 255 for channel in found.color)
        if found.amount:
            axes.barh(row, found.amount - low, 0.72, left=low, color=color, edgecolor=FAINT, lw=0.4)
        axes.annotate(
            _number(found.amount),
            (max(found.amount, low), row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center_baseline",
            color=INK if found.amount else FAINT,
            annotation_clip=False,
            **_SMALL,
        )
    look: dict[str, Any] = {"color": INK, **_SMALL, **PLAIN}
    axes.set_yticks(range(len(part)), [_named(found) for found in part], **look)
    axes.xaxis.set_major_formatter(FuncFormatter(_tick))
    axes.xaxis.set_minor_formatter("")
    if not is_log:
        axes.set_xticks([0, high])
    axes.tick_params(axis="x", colors=FAINT, labelsize=7)
    axes.tick_params(axis="y", length=0)
    axes.set_facecolor(BACKGROUND)
    axes.spines[:].set_visible(False)
    axes.spines["left"].set(visible=True, color=FAINT)


def _number(amount: float) -> str:
    return f"{amount:,.0f}" if amount >= _TEN or amount == int(amount) else f"{amount:.2g}"


_TEN = 10


def _tick(amount: float, _: int) -> str:
    """Return a number in few letters: 20, 3k, 4M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if amount >= size:
            return f"{amount / size:.3g}{letter}"
    return f"{amount:.3g}"
