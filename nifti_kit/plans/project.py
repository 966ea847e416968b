"""The project as it is: volumes, objects and classes that are there, asked for once."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

from nifti_kit.core.findings import Finding, finding
from nifti_kit.formats.class_maps import ClassEntry, ClassMap, Color
from nifti_kit.targets.records import (
    MASK_SHAPES,
    SOURCE_VALUE,
    ObjectRef,
    ThereObject,
    VolumeRef,
    pixel_value,
)
from nifti_kit.targets.target import Target


class ProjectContent:
    """A target's volumes and their objects; each is asked for once, when it is first needed."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._volumes: dict[int, VolumeRef] | None = None
        self._named: dict[str, VolumeRef] | None = None
        self._objects: dict[int, Sequence[ObjectRef]] = {}

    def volume(self, volume_id: int) -> VolumeRef | None:
        """Return a volume in scope by its id, or None."""
        return self._by_id().get(volume_id)

    def volumes(self) -> list[str]:
        """Return the volumes in scope in words: id, dataset and name of each."""
        return [f"{one.id} ({one.dataset}/{one.name})" for one in self._by_id().values()]

    def every_volume(self) -> list[VolumeRef]:
        """Return the volumes in scope."""
        return list(self._by_id().values())

    def paths(self) -> list[PurePosixPath]:
        """Return the volumes in scope, each as its dataset and name."""
        return [PurePosixPath(one.dataset, one.name) for one in self._by_id().values()]

    def named(self, name: str) -> VolumeRef | None:
        """Return the volume of a name in the dataset in scope, or None.

        None as well where the scope is a whole project: nothing lands there by its name.
        """
        if not self._target.has_dataset:
            return None
        if self._named is None:
            self._named = {found.name: found for found in self._by_id().values()}
        return self._named.get(name)

    def objects(self, volume_id: int) -> Sequence[ObjectRef]:
        """Return the objects of a volume in scope, one for each figure."""
        if volume_id not in self._objects:
            self._objects[volume_id] = self._target.objects(volume_id)
        return self._objects[volume_id]

    def of_classes(self, volume_id: int, names: Collection[str]) -> tuple[ThereObject, ...]:
        """Return the objects of some classes on a volume; none where it is not in scope."""
        if not names or self.volume(volume_id) is None:
            return ()
        figures: dict[tuple[int, str], list[ObjectRef]] = {}
        for found in self.objects(volume_id):
            if found.class_name in names:
                figures.setdefault((found.id, found.key), []).append(found)
        return tuple(
            ThereObject(number, own[0].class_name, sum(map(_score_count, own)))
            for (number, _), own in figures.items()
        )

    def _by_id(self) -> dict[int, VolumeRef]:
        if self._volumes is None:
            self._volumes = {volume.id: volume for volume in self._target.volumes()}
        return self._volumes


def _score_count(found: ObjectRef) -> int:
    return sum(len(slices) for slices in found.scores.values())


# The classes that a project has already: which one a pixel value takes, which are in the way

_SOURCE_VALUE = re.compile(re.escape(SOURCE_VALUE) + r"(-?[0-9]{1,20})\s*$", re.MULTILINE)


class ProjectClasses:
    """The classes of a project, beside the class map of a source; the class map goes first.

    ``found``: the project's classes: each with ``name``, ``color``, ``description`` and ``shape``.
    """

    def __init__(self, found: Iterable[Any], given: ClassMap) -> None:
        self.given = given
        self.findings: list[Finding] = []  # what was found of the classes that were asked for
        self._colors: dict[str, Color] = {}
        self._shapes: dict[str, str] = {}
        self._values: dict[str, int] = {}
        self._described: defaultdict[int, list[str]] = defaultdict(list)
        self._sources: defaultdict[int, list[str]] = defaultdict(list)
        for one in found:
            self._shapes[one.name] = one.shape
            self._colors[one.name] = one.color
            value = pixel_value(one.description)
            if value is not None and one.shape in MASK_SHAPES:
                self._values[one.name] = value
                self._described[value].append(one.name)
                source = _SOURCE_VALUE.search(one.description)
                self._sources[int(source[1]) if source else value].append(one.name)
        more = (
            ClassEntry(value, names[0], self._colors[names[0]])
            for value, names in self._described.items()
            if len(names) == 1 and given.by_value(value) is None
        )
        # The class map, with the project's classes for the values that it does not have.
        self.known = ClassMap((*given.entries, *more), given.path, given.faults)
        self._asked: set[int] = set()

    @property
    def colors(self) -> Collection[Color]:
        """The colours of the project's classes (RGB of 0 to 255)."""
        return self._colors.values()

    def by_value(self, value: int, own: ClassEntry | None = None) -> ClassEntry | None:
        """Return the class of a pixel value: of the class map, else the project's by description.

        ``own`` is what the class map in force for one mask says: its header may name its values.
        Where several of the project's classes have that value, none is taken.
        """
        entry, names = self.given.by_value(value) or own, self._described.get(value, ())
        if value not in self._asked:
            self._asked.add(value)
            if entry is not None:
                self._compare(entry, names)
            elif len(names) > 1:
                message = f"value {value}: {', '.join(names)}; none of them is taken"
                self.findings.append(finding("class-value-repeated", self.given.path, message))
        return entry or self.known.by_value(value)

    def by_origin(self, value: int) -> ClassEntry | None:
        """Return the class of a value that a repair has changed since, by what it was.

        Of the class map, else the project's only class that was described by that value.
        """
        entry, names = self.given.by_value(value), self._sources.get(value, ())
        if entry is not None or len(names) != 1:
            return entry
        return ClassEntry(value, names[0], self._colors[names[0]])

    def _compare(self, entry: ClassEntry, names: Sequence[str]) -> None:
        """Name what the project says otherwise of a value or a name of the class map."""
        said = []
        if names and entry.name not in names:
            said.append(f"value {entry.value} is {', '.join(names)}")
        if self._values.get(entry.name, entry.value) != entry.value:
            said.append(f"{entry.name} is value {self._values[entry.name]}")
        if said:
            message = (
                f"value {entry.value} is {entry.name} in the class map; in the project "
                f"{' and '.join(said)}"
            )
            self.findings.append(finding("class-differs", self.given.path, message))

    def landing_name(self, name: str, value: int, taken: Collection[str]) -> str:
        """Return the name under which a class lands.

        It is its own, unless the project has a class of that name that cannot hold a mask: then
        the first free one of ``name_1``, ``name_2``, ..., as the platform's own import does it.
        ``value`` is its pixel value; ``taken`` are the names of other classes that will land.
        """
        others = {entry.name for entry in self.given}
        others |= {found for found, its in self._values.items() if its != value}
        landing, number = name, 0
        while self._is_in_the_way(landing) or landing in taken or (number and landing in others):
            number += 1
            landing = f"{name}_{number}"
        if landing != name:
            shape = self._shapes.get(name)
            why = f"a class {name} is there as {shape}" if shape else f"another class is {name}"
            message = f"{why}: this one is named {landing}"
            self.findings.append(finding("class-renamed", self.given.path, message))
        return landing

    def _is_in_the_way(self, name: str) -> bool:
        return self._shapes.get(name, MASK_SHAPES[0]) not in MASK_SHAPES

    def color_of(self, name: str, given: Color | None) -> Color | None:
        """Return the colour of a class that is there: it keeps it, whatever the class map says."""
        color = self._colors.get(name)
        if color is not None and given is not None and color != given:
            message = f"{name} keeps its colour {color} of the project; the class map has {given}"
            self.findings.append(finding("class-differs", self.given.path, message))
        return color
