"""Class maps: which name and colour a pixel value (or a file's index) stands for."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from nifti_kit.core.findings import Finding
from nifti_kit.core.text import listed
from nifti_kit.errors import visible

Color = tuple[int, int, int]

SHOWN = 20
"""Classes that a repr lists before it counts the rest: a FreeSurfer table has 1,265."""


@dataclass(frozen=True)
class ClassEntry:
    """One line of a class map."""

    value: int  # the pixel value, or for instance segmentation the index of the annotation file
    name: str  # the class name on the platform
    color: Color | None  # RGB of 0 to 255, or None where the map gives none
    line: int = 0  # where it stands in the file, from 1; 0 when it came from code


class ClassMap:
    """The entries of a class map, by value and by name.

    Attributes
    ----------
    path
        The file they are from; empty where they came from code.
    faults
        What is wrong with it, and what a person has to know of it.
    dialect
        How it was read, a key of :data:`DIALECTS`; empty where it came from code.
    others
        The same file by other numbers that it has too: the codes of an AAL table.
    paths
        The files that it was put together from, ``path`` the first of them.
    """

    def __init__(
        self,
        entries: tuple[ClassEntry, ...] = (),
        path: str = "",
        faults: tuple[Finding, ...] = (),
        dialect: str = "",
        others: tuple[ClassMap, ...] = (),
    ) -> None:
        self.entries = entries
        self.path = path
        self.faults = faults
        self.dialect = dialect
        self.others = others
        self.paths = (path,) if path else ()
        self._by_value = {entry.value: entry for entry in entries}
        self._by_name = {plain_name(entry.name): entry for entry in reversed(entries)}
        self._exact = {entry.name: entry for entry in reversed(entries)}

    def by_value(self, value: int) -> ClassEntry | None:
        """Return the entry of a pixel value or file index, or None."""
        return self._by_value.get(value)

    def by_name(self, name: str) -> ClassEntry | None:
        """Return the entry of a class name, whatever its case, ``_`` or spaces; or None.

        Of several that are alike so, the one that is written just so comes first.
        """
        return self._exact.get(name) or self._by_name.get(plain_name(name))

    def __getitem__(self, value: int) -> ClassEntry:
        return self._by_value[value]

    def __iter__(self) -> Iterator[ClassEntry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ClassMap):
            return NotImplemented
        ours, theirs = ({(e.value, e.name, e.color) for e in m} for m in (self, other))
        return ours == theirs

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        names = listed((f"{entry.value} {entry.name}" for entry in self.entries), SHOWN)
        dialect = f" ({self.dialect})" if self.dialect not in ("", "specification") else ""
        return visible(f"<ClassMap {self.path or 'from code'}{dialect}: {names or 'no entries'}>")

    def agrees_with(self, other: ClassMap) -> bool:
        """Say whether two maps have a value in common, and say the same of each of these.

        A colour that one of them does not give is no difference; one name of two values is one.
        """
        both = [(entry, other._by_value.get(entry.value)) for entry in self]
        shared = [(ours, theirs) for ours, theirs in both if theirs is not None]
        alike = all(
            ours.name == theirs.name
            and (ours.color or theirs.color) == (theirs.color or ours.color)
            for ours, theirs in shared
        )
        values = {entry.name: entry.value for entry in (*self, *other)}
        once = all(values[entry.name] == entry.value for entry in (*self, *other))
        return bool(shared) and alike and once

    def overlaid(self, other: ClassMap) -> ClassMap:
        """Return this map with the entries of another one beside it, or in the place of its own."""
        kept = [entry for entry in self if other.by_value(entry.value) is None]
        found = ClassMap((*kept, *other), self.path, self.faults, self.dialect, self.others)
        found.paths = self.paths
        return found

    def joined(self, other: ClassMap) -> ClassMap:
        """Return this map with what another one has besides: further values, colours."""
        entries = []
        for entry in self:
            theirs = other.by_value(entry.value)
            color = entry.color or (theirs.color if theirs else None)
            entries.append(replace(entry, color=color))
        entries += [entry for entry in other if self.by_value(entry.value) is None]
        faults = (*self.faults, *other.faults)
        found = ClassMap(tuple(entries), self.path, faults, self.dialect, self.others)
        found.paths = (*self.paths, *other.paths)
        return found


def plain_name(name: str) -> str:
    """Return a name as it is looked up: without case, with blanks for ``_``."""
    return " ".join(re.split(r"[\s_]+", name.strip().casefold()))


def free_color(taken: set[Color]) -> Color:
    """Return a colour that is not taken: hues a golden angle apart, always in the same order."""
    number = len(taken)
    while True:
        hue = (number * 0.618033988749895) % 1.0
        value = (0.95, 0.75, 0.6)[number % 3]
        red, green, blue = (round(255 * c) for c in colorsys.hsv_to_rgb(hue, 0.75, value))
        if (red, green, blue) not in taken:
            return (red, green, blue)
        number += 1


def color_text(color: Color) -> str:
    """Return a colour as the platform writes it.

    >>> color_text((255, 128, 0))
    '#FF8000'
    """
    return "#{:02X}{:02X}{:02X}".format(*color)


def map_text(entries: Iterable[ClassEntry]) -> str:
    """Return a class map as the specification has it: value, name and colour in each line.

    >>> print(map_text([ClassEntry(1, "Hip bones", (255, 128, 0)), ClassEntry(2, "Tibia", None)]))
    1 Hip bones 255 128 0
    2 Tibia
    <BLANKLINE>
    """
    lines = (f"{e.value} {e.name} {' '.join(map(str, e.color or ()))}".rstrip() for e in entries)
    return "".join(f"{line}\n" for line in lines)
