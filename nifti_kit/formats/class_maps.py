"""Class maps: which name and colour a pixel value (or a file's index) stands for."""

from __future__ import annotations

import colorsys
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nifti_kit.core.findings import Finding, finding
from nifti_kit.core.text import read_text
from nifti_kit.errors import BadClassMap

Color = tuple[int, int, int]

_HEX_COLOR = re.compile(r"#([0-9a-fA-F]{6})")
_COMMENT = re.compile(r"^\s*(#|//).*$|\s(#|//)\s.*$")
_ITK_SNAP = re.compile(r"(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+[\d.]+\s+[01]\s+[01]\s+\"(.*)\"")
"""A line of an ITK-SNAP label file: value, colour, opacity, visibility twice, name in quotes."""
_MAP_NAME = re.compile(
    r"(colou?r|cls|class|label)[\W_]*(colou?r)?[\W_]*(map|lut|table|names?)", re.IGNORECASE
)


@dataclass(frozen=True)
class ClassEntry:
    """One line of a class map.

    Attributes
    ----------
    value
        The pixel value, or for instance segmentation the index of the annotation file.
    name
        The class name on the platform.
    color
        RGB of 0 to 255, or None where the map gives none.
    line
        Where it stands in the file, from 1; 0 when it came from code.
    """

    value: int
    name: str
    color: Color | None
    line: int = 0


class ClassMap:
    """The entries of a class map, by value and by name."""

    def __init__(
        self,
        entries: tuple[ClassEntry, ...] = (),
        path: str = "",
        faults: tuple[Finding, ...] = (),
    ) -> None:
        self.entries = entries
        self.path = path
        self.faults = faults
        self._by_value = {entry.value: entry for entry in entries}
        self._by_name = {_plain(entry.name): entry for entry in entries}

    def by_value(self, value: int) -> ClassEntry | None:
        """Return the entry of a pixel value or file index, or None."""
        return self._by_value.get(value)

    def by_name(self, name: str) -> ClassEntry | None:
        """Return the entry of a class name, whatever its case, ``_`` or spaces; or None."""
        return self._by_name.get(_plain(name))

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
        names = ", ".join(f"{entry.value} {entry.name}" for entry in self.entries)
        return f"<ClassMap {self.path or 'from code'}: {names or 'no entries'}>"


def _plain(name: str) -> str:
    return " ".join(re.split(r"[\s_]+", name.strip().casefold()))


def read_classes(path: str | os.PathLike[str], *, relative: str = "") -> ClassMap:
    """Return a class map; faulty lines are named in its ``faults``.

    A line is ``value name`` or ``value name red green blue`` (or ``#rrggbb``); names may hold
    spaces. Blank lines, comments (``#``, ``//``), tabs, a byte order mark and any line ends are
    fine. ``0`` is background and is passed over.

    Raises
    ------
    BadClassMap
        If no line of the file is an entry.
    UnreadableFile
        If the file is no text.
    """
    shown = relative or str(path)
    entries, faults = _parse(read_text(path), shown)
    if not entries:
        raise BadClassMap(
            "no line is a class",
            path=shown,
            expected="lines such as '1 Femur 255 0 0'",
            remedy="Give the right file.",
        )
    return ClassMap(tuple(entries), shown, tuple(faults))


def looks_like_class_map(path: Path, *, relative: str = "") -> ClassMap | None:
    """Return the class map that a ``.txt`` file is, or None if it is some other text.

    It is one when it has words, and more of its lines are entries than are not; a file named like
    a class map needs one entry only, so that its faulty lines are named.
    """
    try:
        found = read_classes(path, relative=relative)
    except ValueError:
        return None
    named = _MAP_NAME.search(path.stem) is not None
    words = any(character.isalpha() for entry in found for character in entry.name)
    mostly = words and len(found.entries) > len(found.faults)
    return found if named or mostly else None


def is_named_class_map(name: str) -> bool:
    """Say whether a file's name claims that it is a class map."""
    return _MAP_NAME.search(name) is not None


def _parse(text: str, shown: str) -> tuple[list[ClassEntry], list[Finding]]:
    entries: dict[int, ClassEntry] = {}
    names: dict[str, int] = {}
    faults: list[Finding] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = _COMMENT.sub("", raw).strip()
        if not line:
            continue
        fault, entry = _parse_line(line, number)
        if entry is not None and entry.value in entries:
            fault = f"the value {entry.value} stands in line {entries[entry.value].line} too"
        elif entry is not None and _plain(entry.name) in names:
            fault = f"the name {entry.name!r} stands in line {names[_plain(entry.name)]} too"
        if fault:
            faults.append(finding("class-map-line", shown, f"line {number}: {fault}: {raw!r}"))
        elif entry is not None:
            entries[entry.value] = entry
            names[_plain(entry.name)] = number
    return list(entries.values()), faults


def _parse_line(line: str, number: int) -> tuple[str, ClassEntry | None]:
    """Return what is wrong with a line (or nothing), and its entry (or None)."""
    if match := _ITK_SNAP.fullmatch(line):
        line = " ".join(match.group(1, 5, 2, 3, 4))
    tokens = line.split()
    if not re.fullmatch(r"\+?\d{1,9}", tokens[0]):
        return "it does not begin with a pixel value", None
    value = int(tokens[0])
    name_tokens, color, fault = _split_color(tokens[1:])
    if value == 0:
        return "", None
    if fault:
        return fault, None
    if not name_tokens:
        return "it has no class name", None
    return "", ClassEntry(value, " ".join(name_tokens), color, number)


def _split_color(tokens: list[str]) -> tuple[list[str], Color | None, str]:
    """Return the name's words, the colour behind them (or None), and what is wrong with it."""
    if tokens and (match := _HEX_COLOR.fullmatch(tokens[-1])):
        red, green, blue = bytes.fromhex(match.group(1))
        return tokens[:-1], (red, green, blue), ""
    last = tokens[-3:]
    if len(last) == len("rgb") and all(re.fullmatch(r"[+-]?\d{1,9}", token) for token in last):
        red, green, blue = (int(token) for token in last)
        if not all(0 <= channel <= 255 for channel in (red, green, blue)):  # noqa: PLR2004
            return tokens[:-3], None, "a colour is outside 0 to 255"
        return tokens[:-3], (red, green, blue), ""
    return tokens, None, ""


def as_class_map(classes: Any) -> ClassMap:
    """Return a class map from a path, a :class:`ClassMap` or ``{value: name}``.

    In a mapping, a class may also be ``(name, (red, green, blue))``.

    Raises
    ------
    BadClassMap
        If it is none of these, or holds no whole numbers and names.
    """
    if isinstance(classes, ClassMap):
        return classes
    if isinstance(classes, (str, os.PathLike)):
        return read_classes(classes)
    if isinstance(classes, Mapping):
        return ClassMap(tuple(_entry(value, given) for value, given in classes.items()))
    raise BadClassMap(
        "the classes are in no known form",
        found=type(classes).__name__,
        expected="a path, or a mapping such as {1: 'Femur'} or {1: ('Femur', (255, 0, 0))}",
        remedy="Give one of these.",
    )


def _entry(value: Any, given: Any) -> ClassEntry:
    name, color = given if isinstance(given, tuple) else (given, None)
    channels = () if color is None else tuple(color)
    fine = isinstance(value, int) and value > 0 and isinstance(name, str) and bool(name.strip())
    if color is not None:
        fine &= len(channels) == len("rgb") and all(c in range(256) for c in channels)
    if not fine:
        raise BadClassMap(
            "a class is in no known form",
            found=f"{value!r}: {given!r}",
            expected="1: 'Femur' or 1: ('Femur', (255, 0, 0))",
            remedy="Give a whole number above 0, a name, and a colour of 0 to 255 or none.",
        )
    return ClassEntry(value, name.strip(), channels or None)


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
