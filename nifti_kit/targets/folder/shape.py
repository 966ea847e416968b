"""The three kinds of JSON files of a project: which fields they need, and of which kind each is.

What is not named here is of others: it is kept as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from nifti_kit.core.files import read_json
from nifti_kit.errors import TargetError, visible
from nifti_kit.targets.records import CustomData


@dataclass(frozen=True)
class Fault:
    """What is wrong with a field: where it stands, what is there, and what should be."""

    where: str
    found: str
    expected: str


class Shape(Protocol):
    """What a value must be."""

    def faults(self, value: Any, where: str) -> Iterator[Fault]:
        """Yield what is wrong with a value that stands at a place."""


@dataclass(frozen=True)
class Value:
    """A value of one of some kinds; a text may have to look like something too."""

    expected: str
    kinds: tuple[type, ...]
    pattern: str = "(?s).*"

    def faults(self, value: Any, where: str) -> Iterator[Fault]:
        """Yield a fault if the value is of another kind."""
        # For isinstance, True is a number.
        if type(value) not in self.kinds or not self._is_like(value):
            yield Fault(where, _said(value), self.expected)

    def _is_like(self, value: Any) -> bool:
        return not isinstance(value, str) or re.fullmatch(self.pattern, value) is not None


@dataclass(frozen=True)
class ListOf:
    """A list of things of one shape, no two of which have the same value in a field."""

    inner: Shape
    unique: str = ""

    def faults(self, value: Any, where: str) -> Iterator[Fault]:
        """Yield the faults of what is in the list."""
        if not isinstance(value, list):
            yield Fault(where, _said(value), "a list")
            return
        known: set[Any] = set()
        for number, one in enumerate(value):
            place = f"{where}[{number}]"
            yield from self.inner.faults(one, place)
            own = one.get(self.unique) if isinstance(one, dict) and self.unique else None
            if isinstance(own, str) and own in known:
                yield Fault(f"{place}.{self.unique}", _said(own), "one that no other has")
            known.add(own if isinstance(own, str) else None)


@dataclass(frozen=True)
class TableOf:
    """Names, each with a value of one shape."""

    inner: Shape

    def faults(self, value: Any, where: str) -> Iterator[Fault]:
        """Yield the faults of what is in the table."""
        if not isinstance(value, dict):
            yield Fault(where, _said(value), "an object")
            return
        for name, one in value.items():
            yield from self.inner.faults(one, f"{where}.{_short(name)}")


@dataclass(frozen=True)
class Fields:
    """An object with fields that it needs, and others that it may have."""

    needed: Mapping[str, Shape] = field(default_factory=dict)
    known: Mapping[str, Shape] = field(default_factory=dict)

    def faults(self, value: Any, where: str) -> Iterator[Fault]:
        """Yield the faults of the fields."""
        if not isinstance(value, dict):
            yield Fault(where or "the whole file", _said(value), "an object")
            return
        for name, shape in {**self.needed, **self.known}.items():
            place = f"{where}.{name}" if where else name
            if name in value:
                yield from shape.faults(value[name], place)
            elif name in self.needed:
                yield Fault(place, "nothing", _expected(shape))


def _expected(shape: Shape) -> str:
    if isinstance(shape, Value):
        return shape.expected
    return "a list" if isinstance(shape, ListOf) else "an object"


_SHOWN = 40
"""Characters of a value that an error shows."""

_KINDS = {dict: "an object", list: "a list", bool: "true or false", type(None): "null"}


def _said(value: Any) -> str:
    """Return what a value is, in words."""
    if isinstance(value, str):
        return f"the text '{_short(value)}'" if value else "an empty text"
    return _KINDS.get(type(value)) or f"the number {_short(repr(value))}"


def _short(text: str) -> str:
    return visible(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


SOME_TEXT = Value("a text that is not empty", (str,), r"(?s).+")
NUMBER_OR_NULL = Value("a whole number or null", (int, type(None)))
TEXT_OR_NULL = Value("a text or null", (str, type(None)))
OBJECT = Value("an object", (dict,))
OBJECT_OR_NULL = Value("an object or null", (dict, type(None)))
LIST = Value("a list", (list,))
COLOR = Value("a colour such as '#FF0000'", (str,), "#?[0-9A-Fa-f]{6}([0-9A-Fa-f]{2})?")
KEY = Value("a key, such as 32 hex digits", (str,), r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}")
"""It becomes the name of a mask's file: nothing in it leads elsewhere."""

META = Fields(
    {
        "classes": ListOf(
            Fields(
                {"title": SOME_TEXT, "shape": SOME_TEXT, "color": COLOR},
                {"description": TEXT_OR_NULL},
            ),
            unique="title",
        )
    },
    {"tags": LIST},
)
"""``meta.json``."""

IDS = Fields(
    {},
    dict.fromkeys(("tags", "objects", "figures", "videos"), TableOf(NUMBER_OR_NULL)),
)
"""``key_id_map.json``."""

_FIGURE = Fields({}, {"key": KEY, "objectKey": KEY, "id": NUMBER_OR_NULL})

ANNOTATION = Fields(
    {
        "key": KEY,
        "objects": ListOf(
            Fields({"key": KEY, "classTitle": SOME_TEXT}, {"id": NUMBER_OR_NULL, "tags": LIST}),
            unique="key",
        ),
        "spatialFigures": ListOf(
            Fields(
                {"objectKey": KEY},
                {"key": KEY, "id": NUMBER_OR_NULL, "customData": OBJECT_OR_NULL},
            ),
            unique="key",
        ),
        "planes": ListOf(Fields({"slices": ListOf(Fields({"figures": ListOf(_FIGURE)}))})),
    },
    {"volumeMeta": OBJECT, "volumeId": NUMBER_OR_NULL, "tags": LIST},
)
"""``ann/X.nrrd.json``."""


def read_shaped(path: Path, shape: Shape) -> dict[str, Any]:
    """Return the content of a JSON file of a project.

    Raises TargetError if it cannot be read, or a field is missing or of another kind.
    """
    content: dict[str, Any] = read_json(path)
    for fault in shape.faults(content, ""):
        raise TargetError(
            "a field of the project's file is not what its format says",
            path=path,
            found=f"{fault.where}: {fault.found}",
            expected=fault.expected,
            remedy="Mend the field or restore the file, or upload to a new project folder.",
        )
    return content


def scores_of(custom: Mapping[str, Any] | None) -> CustomData:
    """Return the scores in a figure's custom data: what is there by plane and slice.

    Other tools keep other things there too.
    """
    return {
        plane: slices
        for plane, slices in (custom or {}).items()
        if isinstance(slices, dict) and all(isinstance(one, dict) for one in slices.values())
    }
