"""What a target holds already where a plan is to land: asked for once, and only if it matters."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from nifti_kit.core.escapes import visible
from nifti_kit.core.geometry import Grid
from nifti_kit.core.wording import counted

__all__ = ["Holdings", "SliceScores", "ThereObject", "there_text"]

SliceScores = dict[str, dict[str, "str | None"]]
"""RAS+ slice index (from 0) to score and comment: ``{"2": {"score": "0.80", "comment": None}}``."""

SHOWN_IDS = 8
"""Ids of objects of a class that a text lists before it counts the rest."""


class VolumeThere(Protocol):
    """What is asked of a volume on the target; the grid is in RAS+ order."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def grid(self) -> Grid: ...


class ObjectThere(Protocol):
    """What is asked of an object on the target, with its one figure."""

    @property
    def id(self) -> int: ...
    @property
    def key(self) -> str: ...
    @property
    def figure_id(self) -> int: ...
    @property
    def figure_key(self) -> str: ...
    @property
    def class_name(self) -> str: ...
    @property
    def scores(self) -> dict[str, SliceScores]: ...
    @property
    def has_figure(self) -> bool: ...


class Place(Protocol):
    """What is asked of a target; one that has a dataset in scope says so (see ``named``)."""

    def volumes(self) -> Sequence[VolumeThere]:
        """Return the volumes in scope."""

    def objects(self, volume_id: int) -> Sequence[ObjectThere]:
        """Return the objects of a volume, one for each figure."""


@dataclass(frozen=True)
class ThereObject:
    """An object that is on the target, of a class of which another one is to land beside it.

    Attributes
    ----------
    id, class_name
        Its number on the target, and its class.
    score_count
        How many slices of its figures carry a score or a comment.
    """

    id: int
    class_name: str
    score_count: int = 0


class Holdings:
    """A target's volumes and their objects; each is asked for once, when it is first needed."""

    def __init__(self, target: Place) -> None:
        self._target = target
        self._volumes: dict[int, VolumeThere] | None = None
        self._named: dict[str, VolumeThere] | None = None
        self._objects: dict[int, Sequence[ObjectThere]] = {}

    def volume(self, volume_id: int) -> VolumeThere | None:
        """Return a volume in scope by its id, or None."""
        return self._by_id().get(volume_id)

    def named(self, name: str) -> VolumeThere | None:
        """Return the volume of a name in the dataset in scope, or None.

        None as well where the scope is a whole project: nothing lands there by its name.
        """
        scopes = (getattr(self._target, scope, None) for scope in ("dataset", "dataset_id"))
        if all(scope is None for scope in scopes):
            return None
        if self._named is None:
            self._named = {found.name: found for found in self._by_id().values()}
        return self._named.get(name)

    def objects(self, volume_id: int) -> Sequence[ObjectThere]:
        """Return the objects of a volume in scope, one for each figure."""
        if volume_id not in self._objects:
            self._objects[volume_id] = self._target.objects(volume_id)
        return self._objects[volume_id]

    def of_classes(self, volume_id: int, names: Collection[str]) -> tuple[ThereObject, ...]:
        """Return the objects of some classes on a volume; none where it is not in scope."""
        if not names or self.volume(volume_id) is None:
            return ()
        figures: dict[tuple[int, str], list[ObjectThere]] = {}
        for found in self.objects(volume_id):
            if found.class_name in names:
                figures.setdefault((found.id, found.key), []).append(found)
        return tuple(
            ThereObject(number, own[0].class_name, sum(map(_score_count, own)))
            for (number, _), own in figures.items()
        )

    def _by_id(self) -> dict[int, VolumeThere]:
        if self._volumes is None:
            self._volumes = {volume.id: volume for volume in self._target.volumes()}
        return self._volumes


def _score_count(found: ObjectThere) -> int:
    return sum(len(slices) for slices in found.scores.values())


def there_text(objects: Iterable[ThereObject]) -> str:
    """Return objects in words, by class: ``2 objects of femur (ids 14, 15; 3 scores)``."""
    by_class: dict[str, list[ThereObject]] = {}
    for found in objects:
        by_class.setdefault(found.class_name, []).append(found)
    return ", ".join(_class_text(name, own) for name, own in by_class.items())


def _class_text(name: str, objects: Sequence[ThereObject]) -> str:
    ids = ", ".join(str(found.id) for found in objects[:SHOWN_IDS])
    more = f" and {len(objects) - SHOWN_IDS} more" if len(objects) > SHOWN_IDS else ""
    scores = sum(found.score_count for found in objects)
    scored = f"; {counted(scores, 'score')}" if scores else ""
    word = "id" if len(objects) == 1 else "ids"
    return f"{counted(len(objects), 'object')} of {visible(name)} ({word} {ids}{more}{scored})"
