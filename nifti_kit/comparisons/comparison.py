"""Comparisons: two annotation sets held against each other, volume by volume, object by object."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from nifti_kit.comparisons.differences import (
    FACTS,
    ONLY_A,
    ONLY_B,
    Difference,
    VolumePair,
    worst_first,
)
from nifti_kit.comparisons.pairing import Paired, paired
from nifti_kit.comparisons.sides import Facts, Side, side_of
from nifti_kit.comparisons.slices import TwoMasks, class_masks, pictures_of, two_masks_of
from nifti_kit.comparisons.volumes import compared
from nifti_kit.core import html
from nifti_kit.core.parallel import with_progress
from nifti_kit.core.report import Report, Row
from nifti_kit.core.text import counted, listed
from nifti_kit.errors import visible
from nifti_kit.formats.class_maps import color_text
from nifti_kit.render import Mask


@dataclass(eq=False, repr=False)
class Comparison(Report):
    """What differs between two annotation sets; a row for each difference, worst first.

    Attributes
    ----------
    a, b
        What was compared.
    pairs
        Which volume of ``a`` is which of ``b``.
    differences
        What is not the same, worst first.
    incomplete
        What could not be compared, in words: such a comparison is not ``ok``.
    notes
        What else is to be known, such as volumes of one grid and two names.
    """

    word: ClassVar[str] = "comparison"
    row_word: ClassVar[str] = "difference"
    columns: ClassVar[tuple[str, ...]] = (
        "volume", "class", "object a", "object b", "what differs", "voxels a", "voxels b",
        "mm3 a", "mm3 b", "Dice", "HD95 (mm)", "mean distance (mm)", "shift (mm)", "scores",
        "axis", "slice",
    )  # fmt: skip

    a: Any = field(repr=False)
    b: Any = field(repr=False)
    pairs: tuple[VolumePair, ...]
    differences: tuple[Difference, ...]
    incomplete: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    words: tuple[str, str] = ("", "")

    def masks(self, pair: VolumePair, class_name: str) -> tuple[list[Mask], list[Mask]]:
        """Return the objects of a class in ``a`` and in ``b``, to be drawn; read when called.

        Each has its name, colour, and ``inside`` (i, j, k) in the box that holds it, with the grid
        of that box (RAS+ mm).
        """
        ours, theirs = (class_masks(volume, class_name) for volume in (pair.a, pair.b))
        return ours, theirs

    def masks_of(self, difference: Difference) -> TwoMasks:
        """Return the object of a difference in ``a`` and in ``b``, as :meth:`masks` has them.

        None where there is none, or its voxels cannot be read.
        """
        return two_masks_of(difference)

    def pictures(self) -> Iterator[html.Markup]:
        """Yield pictures of the worst slices, the worst first; what is drawn is read then."""
        yield from pictures_of(self.differences, "ab")

    @property
    def ok(self) -> bool:
        """True where all was compared, and nothing differs; False where there was nothing."""
        return bool(self.pairs) and not self.differences and not self.incomplete

    def title(self) -> str:
        """Return the result in one line."""
        said = "identical" if self.ok else counted(len(self.differences), "difference")
        if self.incomplete:
            said += f", {counted(len(self.incomplete), 'thing')} not compared"
        if not self.pairs:
            said += ", nothing compared"
        return f"Comparison of {counted(len(self.pairs), 'volume')}: {said}"

    def rows(self) -> Iterator[Row]:
        """Yield a row for each difference, worst first."""
        for one in self.differences:
            yield (
                one.volume,
                one.class_name,
                *one.objects,
                one.what,
                *one.voxels,
                *one.mm3,
                one.dice,
                one.hd95_mm,
                one.mean_mm,
                one.shift_mm,
                len(one.scores) or None,
                None if one.axis is None else AXES[one.axis],
                one.slice_index,
            )

    def body(self, most_rows: int, most_lines: int) -> Iterator[html.Markup]:
        """Yield the table, in which a pair of numbers is one cell, and the lines below it."""
        shown = self.differences[:most_rows]
        if shown:
            yield html.table(_SHOWN, [_cells(one) for one in shown])
        for line in (*self._rest(len(shown)), *self._said(most_lines)):
            yield html.element("p", line)

    def lines(self) -> list[str]:
        """Return what was compared, what could not be, and what else is to be known."""
        sides = [f"{name} is {word}" for name, word in zip("ab", self.words, strict=True)]
        return [*sides, *(f"Not compared: {line}" for line in self.incomplete), *self.notes]

    def facts(self) -> dict[str, Any]:
        """Return whether it is ok, what was compared, and which volumes are one."""
        return {
            "ok": self.ok,
            "a": self.words[0],
            "b": self.words[1],
            "pairs": [{"a": p.a.name, "b": p.b.name, "rule": p.rule} for p in self.pairs],
            "incomplete": list(self.incomplete),
            "notes": list(self.notes),
        }


_SHOWN = (
    "volume", "class", "object (a | b)", "what differs", "voxels (a | b)", "mm³ (a | b)", "Dice",
    "HD95 (mm)", "mean distance (mm)", "shift (mm)", "worst slice",
)  # fmt: skip


def _cells(found: Difference) -> list[str]:
    """Return a difference as it is shown: two numbers in a cell."""
    measures = (found.hd95_mm, found.mean_mm, found.shift_mm)
    is_object = any(found.objects)
    return [
        found.volume,
        found.class_name,
        " | ".join(dict.fromkeys(one or "-" for one in found.objects)) if is_object else "",
        found.what,
        " | ".join(f"{count:,}" for count in found.voxels) if is_object else "",
        " | ".join(f"{volume:,.4g}" if volume < LARGE else f"{volume:,.0f}" for volume in found.mm3)
        if is_object
        else "",
        "" if found.dice is None else f"{found.dice:.3f}",
        *("" if one is None else f"{one:.3g}" for one in measures),
        "" if found.axis is None else f"{AXES[found.axis][:3]} {found.slice_index}",
    ]


LARGE = 1000.0
"""From here on a volume (mm³) is shown as a whole number."""

AXES = ("sagittal", "coronal", "axial")
"""What the slices along each RAS+ axis are called."""


def compare(
    a: Any,
    b: Any,
    *,
    classes: str | Iterable[str] | None = None,
    on_volume: Callable[[int, VolumePair], Any] | None = None,
) -> Comparison:
    """Return what differs between two annotation sets, object by object, worst first.

    Two identical sets give no row, and ``ok`` is True. Volumes are one where they alone have the
    same voxels in space (RAS+ mm, whatever their names, voxel order and headers); of several on
    one grid, those of one name are. Objects are one by their class; of several of a class those
    with the largest overlap, one to one. What cannot be paired or read is named, and ``ok`` is
    False.

    In memory are the labels of one volume of each set, whatever the number of volumes, files or
    labels; files are read twice: for their values and boxes, and for their voxels.

    Parameters
    ----------
    a, b
        What :func:`nifti_kit.scan` or :func:`nifti_kit.plan` returned, a target, or a folder: of
        NIfTI files, or a Supervisely project (with ``meta.json``).
    classes
        The names of the classes to compare; all by default.
    on_volume
        Called with the place (from 0) of each pair of volumes and the pair before it is compared;
        what it raises ends the work. A bar by default.

    Raises
    ------
    WrongArgument
        If something is neither of these.
    BadSource
        If a folder is neither of both.
    TargetError
        If a target cannot be read.

    Examples
    --------
    >>> compare("data_samples/by_volume", "data_samples/by_volume").ok
    True
    """
    sides = side_of(a), side_of(b)
    chosen = _chosen(classes)
    lost = [f"{w}, {line}" for w, side in zip("ab", sides, strict=True) for line in side.missing]
    found = paired(*(side.volumes() for side in sides))
    differences: list[Difference] = []
    missing: list[str] = []
    for pair in with_progress(found.pairs, on_volume, "Comparing", "volume"):
        result = compared(pair, chosen)
        differences += result.differences
        missing += result.missing
    differences += [*_alone(found), *_class_facts(*sides, chosen)]
    return Comparison(
        a,
        b,
        found.pairs,
        worst_first(differences),
        (*lost, *missing, *found.undecided, *_unknown(sides, chosen)),
        tuple(_renamed(found.pairs)),
        (sides[0].word, sides[1].word),
    )


def _chosen(classes: str | Iterable[str] | None) -> frozenset[str] | None:
    if classes is None:
        return None
    return frozenset((classes,) if isinstance(classes, str) else classes)


def _unknown(sides: Sequence[Side], chosen: Collection[str] | None) -> Iterator[str]:
    """Yield the classes that were asked for and that no set has."""
    there = sorted({name for side in sides for name in side.facts()})
    for name in sorted(set(chosen or ()) - set(there)):
        said = listed(map(visible, there), SHOWN) or "none"
        yield f"no set has a class {visible(name)!r}; there are: {said}"


SHOWN = 20
"""Classes that a line names before it counts the rest."""


def _alone(found: Paired) -> Iterator[Difference]:
    """Yield the volumes that are in one set only."""
    for kind, volumes in ((ONLY_A, found.only_a), (ONLY_B, found.only_b)):
        for one in volumes:
            yield Difference(one.name, "", ("", ""), (kind,), f"the volume is {kind}")


def _renamed(pairs: Iterable[VolumePair]) -> Iterator[str]:
    for pair in pairs:
        if pair.a.name != pair.b.name:
            yield f"{pair.a.name} of a is {pair.b.name} of b, by its {pair.rule}"


def _class_facts(a: Side, b: Side, chosen: Collection[str] | None) -> Iterator[Difference]:
    """Yield the classes of both sets whose colour or description is not the same."""
    ours, theirs = a.facts(), b.facts()
    for name, own in ours.items():
        if name in theirs and (chosen is None or name in chosen):
            said = list(_facts_text(own, theirs[name]))
            if said:
                yield Difference("", name, ("", ""), (FACTS,), "; ".join(said))


def _facts_text(own: Facts, other: Facts) -> Iterator[str]:
    if own.color and other.color and own.color != other.color:
        yield f"colour {color_text(own.color)} -> {color_text(other.color)}"
    if own.description and other.description and own.description != other.description:
        yield f"description {visible(own.description)!r} -> {visible(other.description)!r}"
