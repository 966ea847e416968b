"""What of an item is of an interrupted run, and still as that run has left it.

The run's journal has the ids that the instance gave it; its volume's file bears its name. Where it
ended before it heard an answer, what a request of its has made is known by what it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nifti_kit.errors import NiftiKitError
from nifti_kit.targets.comparing import Comparison
from nifti_kit.targets.instance.reading import FigureRow, InstanceReader, object_ref
from nifti_kit.targets.instance.volumes import SLICES, VOLUME
from nifti_kit.targets.instance.writing import unheard
from nifti_kit.targets.records import Begun, CustomData, ItemJob, VolumeRef

MADE = "made"
"""In a journal: the item's volume is made by the run itself."""

MAKING, OBJECTS, KINDS = "making", "objects", "kinds"
"""In a journal: the places of planned objects and their classes' ids, before they are made; then
places and ids of the objects, and the ids of their classes."""

FIGURES, SENT = "figures of ", "sent to "
"""In a journal, followed by which: objects and their figures; figures and what they are sent."""


def mark_of(session: str) -> str:
    """Return the comment that a run leaves in the files of volumes that it makes."""
    return f"nifti_kit: {session}"


def digest(content: bytes, scores: CustomData) -> str:
    """Return a text for a geometry and the scores of its figure, to know them again."""
    told = json.dumps(scores, sort_keys=True).encode()
    return hashlib.sha256(content + told).hexdigest()[:32]


def own_volume(reader: InstanceReader, begun: Begun, name: str) -> VolumeRef | None:
    """Return the volume that an interrupted run has made for an item, or None.

    Its id is in the journal. Where the run ended before it knew it, the volume's file bears its
    name: someone else's volume of the same name, and of the same voxels, does not.
    """
    listing = reader.known or reader.listing()
    noted = listing.volumes.get(_number(begun.facts.get(VOLUME)))
    if noted is not None and listing.dataset_ids[noted.id] == reader.dataset_id:
        return noted
    named = listing.by_name.get(name)
    if named is not None and mark_of(begun.session) in reader.volume_comments(named.id):
        return named
    return None


def has_slices(begun: Begun) -> bool:
    """Say whether a run has given its volume all slices."""
    return begun.facts.get(SLICES) is True


@dataclass
class Own:
    """What of an item's objects is of an interrupted run, by their places in the item."""

    # The ids of those that are there.
    objects: dict[int, int] = field(default_factory=dict)
    figures: dict[int, int] = field(default_factory=dict)
    # Those whose geometry has landed, and is as it was sent, or as a person has changed it since.
    whole: set[int] = field(default_factory=set)
    # Those that a person has changed, has drawn on, or has given a tag or another class.
    changed: set[int] = field(default_factory=set)
    # The ids of the classes that objects were made of, where they are known.
    kinds: dict[int, int] = field(default_factory=dict)


def made_objects(
    reader: InstanceReader, begun: Begun, volume_id: int, count: int
) -> dict[int, int]:
    """Return the objects that a run has made and that are there, by their places in the item.

    ``count`` is how many objects the item has.

    Raises TargetError if it cannot be told which objects it has made.
    """
    noted = dict(_pairs(begun.facts.get(OBJECTS)))
    making = {at: kind for at, kind in _pairs(begun.facts.get(MAKING)) if at not in noted}
    if not begun.changed:  # else places are those of another item
        noted = {at: number for at, number in noted.items() if 0 <= at < count}
        making = {at: kind for at, kind in making.items() if 0 <= at < count}
    if not noted and not making:
        return {}
    if making:
        known = {int(mark) for mark in begun.marks if mark != MADE} | {*noted.values()}
        kinds = [*making.values()]
        noted |= zip(making, unheard(reader, volume_id, kinds, known), strict=False)
    there = {row.id for row in reader.object_rows(volume_id)}
    return {at: number for at, number in noted.items() if number in there}


def own_objects(reader: InstanceReader, job: ItemJob) -> Own:
    """Return what an interrupted run has made of a job's objects, and how far it came.

    Raises TargetError if it cannot be told which objects it has made.
    """
    begun = job.begun
    if begun is None or job.new_volume:
        return Own()
    return _Search(reader, job, begun).found()


class _Search:
    """Looks for what a run has made of a job's objects."""

    def __init__(self, reader: InstanceReader, job: ItemJob, begun: Begun) -> None:
        self.reader, self.job, self.begun = reader, job, begun
        self._same = Comparison(reader, job.item)
        self._figures: dict[int, list[FigureRow]] = {}
        for row in reader.figure_rows(job.volume.id):
            self._figures.setdefault(row.object_id, []).append(row)
        self._sent = {
            figure: sent
            for name, facts in begun.facts.items()
            if name.startswith(SENT) and isinstance(facts, Mapping)
            for figure, sent in facts.items()
        }

    def found(self) -> Own:
        volume_id, count = self.job.volume.id, len(self.job.item.objects)
        own = Own(made_objects(self.reader, self.begun, volume_id, count))
        own.kinds = dict(_pairs(self.begun.facts.get(KINDS)))
        self._look_at_objects(own)
        heard: dict[int, set[int]] = {}
        for name, pairs in self.begun.facts.items():
            for number, figure in _pairs(pairs) if name.startswith(FIGURES) else ():
                heard.setdefault(number, set()).add(figure)
        for at, number in own.objects.items():
            for row in self._figures.get(number, ()):
                self._look_at(own, at, row, heard.get(number, set()))
        return own

    def _look_at_objects(self, own: Own) -> None:
        """Find which objects a person has given a tag, or another class."""
        rows = {row.id: row for row in self.reader.object_rows(self.job.volume.id)}
        for at, number in own.objects.items():
            row = rows.get(number)
            if row is None or row.has_tags or row.class_id != own.kinds.get(number, row.class_id):
                own.changed.add(at)

    def _look_at(self, own: Own, at: int, row: FigureRow, heard: set[int]) -> None:
        """Take a figure of an object for its own, or for one that a person has drawn.

        Those of the run get their geometry after their ids are noted.
        """
        mask = self.reader.mask_of(row.id)
        if at in own.figures or (row.id not in heard and (heard or mask is not None)):
            own.changed.add(at)
            return
        own.figures[at] = row.id
        if mask is not None:
            own.whole.add(at)
            if not self._is_as_sent(at, row, mask):
                own.changed.add(at)

    def _is_as_sent(self, at: int, row: FigureRow, mask: bytes) -> bool:
        sent = self._sent.get(str(row.id))
        if self.begun.changed:  # what it was to be is not known any more
            return digest(mask, row.scores) == sent
        planned, volume_id = self.job.item.objects[at], self.job.volume.id
        if row.scores != planned.scores:
            return False
        if digest(mask, planned.scores) == sent:
            return True
        ref = object_ref(row.object_id, row.id, planned.class_name, volume_id, planned.scores)
        try:  # an instance may give back other bytes for the same voxels
            return self._same.is_same(planned, ref)
        except NiftiKitError:
            return False


def _pairs(facts: Any) -> Iterator[tuple[int, int]]:
    """Yield pairs of numbers from a journal; what is none is passed over."""
    for one in facts if isinstance(facts, list) else ():
        match one:
            case [int(first), int(second)]:
                yield first, second


def _number(given: Any) -> int:
    return given if isinstance(given, int) and not isinstance(given, bool) else 0
