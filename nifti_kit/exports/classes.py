"""The classes of a project in an export: their numbers, and the class map."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from nifti_kit.errors import BadClassMap, visible
from nifti_kit.exports.result import NotExported
from nifti_kit.formats.class_maps.entries import ClassEntry, Color, free_color
from nifti_kit.formats.class_maps.reading import class_map_of
from nifti_kit.formats.labels import MAX_LABEL
from nifti_kit.targets.records import MASK_SHAPES, ClassRef, pixel_value

MAP_NAME = "cls_color_map"
"""The specification's; ``scan`` looks for a ``.txt`` of it one level above a dataset's folder."""


class ClassNumbers:
    """The number of each class: pixel value, or index of a file.

    It is that of its description (``Mask pixel value: N``), else the next free one.

    ``classes``: the classes of the project; those that cannot hold a mask have no number.
    ``given``: numbers that classes have in the files that are exported to; they come first.
    ``used``: the classes of the objects; one that the project does not have gets a colour.
    """

    def __init__(
        self,
        classes: Iterable[ClassRef],
        given: Mapping[str, int] = MappingProxyType({}),
        used: Iterable[str] = (),
    ) -> None:
        there = {found.name: found for found in classes}
        self._unknown = sorted(set(used) - there.keys())
        colors = {found.color for found in there.values()}
        for name in self._unknown:
            there[name] = ClassRef(name, free_color(colors), "", MASK_SHAPES[0])
            colors.add(there[name].color)
        known = [one for one in there.values() if one.shape in MASK_SHAPES or one.name in used]
        # The colour of each class (RGB).
        self.colors: dict[str, Color] = {found.name: found.color for found in known}
        # Classes whose description has a number that another class has too, or that no label can
        # be.
        self.taken: list[str] = []
        self._numbers = {one.name: given[one.name] for one in known if one.name in given}
        for found in known:
            if found.name in given:
                continue
            value = pixel_value(found.description)
            if value is not None and 0 < value <= MAX_LABEL and value not in self._values():
                self._numbers[found.name] = value
            elif value is not None:
                self.taken.append(found.name)
        free = (number for number in range(1, MAX_LABEL + 1) if number not in self._values())
        for found in known:
            if found.name not in self._numbers:
                self._numbers[found.name] = next(free)
        self._order = [found.name for found in known]

    @property
    def made_up(self) -> list[str]:
        """Which colours are not those of the project, in words."""
        return [
            f"class {name!r} is not in the project: a colour was chosen" for name in self._unknown
        ]

    @property
    def moved(self) -> list[str]:
        """Which numbers are not those of the descriptions, in words."""
        return [
            f"class {name!r} has a number that another class has, or that no label can have: "
            f"it is {self._numbers[name]} in the files"
            for name in self.taken
        ]

    def _values(self) -> set[int]:
        return set(self._numbers.values())

    @property
    def names(self) -> tuple[str, ...]:
        """The classes, in the order of the project."""
        return tuple(self._order)

    def __getitem__(self, name: str) -> int:
        return self._numbers[name]

    @property
    def most(self) -> int:
        """The highest number; 0 without classes."""
        return max(self._values(), default=0)

    def further(self, name: str, number: int) -> int:
        """Return the number of a further file (from 2) of a class: the same each time."""
        return self.most + (number - 2) * len(self._order) + self._order.index(name) + 1

    def entries(self, further: Iterable[tuple[str, int]]) -> Iterator[ClassEntry]:
        """Yield the lines of the class map, by their numbers; ``further`` are files beside."""
        numbers = {number: name for name, number in self._numbers.items()}
        numbers |= {self.further(name, number): name for name, number in further}
        for number in sorted(numbers):
            yield ClassEntry(number, numbers[number], self.colors[numbers[number]])


def class_map_file(
    entries: Sequence[ClassEntry],
) -> tuple[str, bytes, list[NotExported]]:
    """Return the name and the bytes of a class map, and the classes that it does not say right.

    It is the specification's table where that reads back as these classes; else a table whose
    first line names its columns (names that end in numbers, or differ in case only).
    """
    lines = [f"{e.value} {visible(e.name)} {' '.join(map(str, e.color or ()))}\n" for e in entries]
    name, text = f"{MAP_NAME}.txt", "".join(lines)
    wrong = _wrong(entries, text)
    if wrong:
        name, text = f"{MAP_NAME}.tsv", _headed(entries)
        wrong = _wrong(entries, text)
    left = [NotExported(None, "", "class", one.name, _WRONG, _facts(one)) for one in wrong]
    return name, text.encode("utf-8", "backslashreplace"), left


_WRONG = "no class map can hold its name: it reads back as another"


def _facts(entry: ClassEntry) -> dict[str, object]:
    return {"value": entry.value, "name": entry.name, "color": entry.color}


def _wrong(entries: Sequence[ClassEntry], text: str) -> list[ClassEntry]:
    read = _read_back(text)
    return [one for one in entries if (one.value, one.name, one.color) not in read]


def _read_back(text: str) -> set[tuple[int, str, Color | None]]:
    try:
        found = class_map_of(text, MAP_NAME)
    except BadClassMap:
        return set()
    if any(fault.severity == "error" for fault in found.faults):
        return set()
    return {(entry.value, entry.name, entry.color) for entry in found}


def _headed(entries: Iterable[ClassEntry]) -> str:
    out = io.StringIO()
    table = csv.writer(out, delimiter="\t", lineterminator="\n")
    table.writerow(["index", "name", "color"])
    for entry in entries:
        color = "#{:02x}{:02x}{:02x}".format(*(entry.color or (0, 0, 0)))
        table.writerow([entry.value, visible(entry.name), color])
    return out.getvalue()
