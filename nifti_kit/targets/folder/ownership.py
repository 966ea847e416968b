"""What of an item is of an interrupted run, and still as that run has left it.

Keys prove nothing: a colleague's upload of the same folder gives the same ones. The run's journal
has the sizes and times of the files that it wrote; another upload writes them anew, and a person
who edits an annotation, or draws an object of their own, does not touch them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nifti_kit.targets.folder.keys import KeyIds, derived_key
from nifti_kit.targets.folder.project import ProjectReader
from nifti_kit.targets.records import Begun, ItemJob, ObjectRef, PlannedItem, VolumeRef
from nifti_kit.targets.target import Gone

VOLUME, ANNOTATION, MASK = "volume", "annotation", "mask "
"""In a journal: size and time of the file of a volume, of its annotation (and its content), of a
mask (behind the key of its object)."""

ADDED, KEPT, REPLACED = "added", "kept", "replaced"
"""In a journal: the places of planned objects with the keys that they got; those of objects that
were there; and what went for them."""

Stamp = list[Any]
"""A file's size (bytes) and the time when it was written (ns)."""


def stamp_of(path: Path) -> Stamp | None:
    """Return a file's size and time; None where there is no file."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return [found.st_size, found.st_mtime_ns]


def figure_key_of(key: str) -> str:
    """Return the key of the figure of an object that we add."""
    return derived_key(key, "figure")


def proof_of(path: Path, content: bytes) -> Stamp:
    """Return what shows later that an annotation is the one that was written."""
    return [*(stamp_of(path) or ()), hashlib.sha256(content).hexdigest()]


def facts_of(job: ItemJob) -> dict[str, Any]:
    """Return what a journal keeps of a job to complete it, beside the proofs of its files."""
    return {
        ADDED: [[at, ref.key] for at, ref in job.add],
        KEPT: [[at, ref.key, ref.figure_key] for at, ref in job.kept],
        REPLACED: [
            [ref.id, ref.key, ref.figure_id, ref.figure_key, ref.class_name] for ref in job.replaced
        ],
    }


@dataclass(frozen=True)
class Own:
    """An item that an interrupted run had landed, before it could say so."""

    volume: VolumeRef  # its volume
    content: dict[str, Any]  # the volume's annotation as it is now
    without_voxels: bool  # whether the file of its volume is not there any more
    # The keys of the objects that the run has added, by their places in the item.
    added: Mapping[int, str]
    # The keys of objects and figures that it has kept, in the same way.
    kept: Mapping[int, tuple[str, str]]
    replaced: tuple[ObjectRef, ...]  # what it has replaced, without what somebody has put back
    facts: Mapping[str, Any]  # what the journal has of its files

    def is_as_written(self, folder: ProjectReader, key: str) -> bool:
        """Say whether the mask of an object that the run has added is as it was written."""
        return _has_own_mask(folder, self.volume, key, self.facts)


def own_item(folder: ProjectReader, item: PlannedItem, begun: Begun | None) -> Own | None:
    """Return what an interrupted run has landed of an item; None where nothing is proved to be.

    What it had not landed whole is made anew, as what was never begun.
    """
    if begun is None or begun.changed or ANNOTATION not in begun.facts:
        return None
    facts = begun.facts
    volume = _volume(folder, item, may_be_bare=VOLUME in facts)
    if volume is None:
        return None
    content = folder.annotation(volume)
    there = {one["key"] for one in content["objects"]}
    added = dict(_added(facts, item))
    if not _is_own(folder, volume, facts, [key for key in added.values() if key in there]):
        return None
    replaced = tuple(ref for ref in _replaced(facts, volume) if ref.key not in there)
    bare = stamp_of(folder.volume_path(volume)) is None
    return Own(volume, content, bare, added, dict(_kept(facts, item)), replaced, facts)


def is_own_volume(path: Path, begun: Begun | None) -> bool:
    """Say whether the file of a volume is the one that an interrupted run has written."""
    return begun is not None and _is_noted(begun.facts.get(VOLUME), path)


def _volume(folder: ProjectReader, item: PlannedItem, *, may_be_bare: bool) -> VolumeRef | None:
    """Return an item's volume, where it has an annotation; ``may_be_bare``: without its file."""
    if item.volume is None:
        assert item.volume_id is not None
        return folder.volume(item.volume_id)
    if folder.dataset is None or not folder.annotation_at(folder.dataset, item.name).exists():
        return None
    if stamp_of(folder.volume_at(folder.dataset, item.name)) is not None or not may_be_bare:
        return folder.find(item.name)
    return folder.volume_on(folder.dataset, item.name, item.volume.grid.to_ras())


def _is_own(
    folder: ProjectReader, volume: VolumeRef, facts: Mapping[str, Any], there: list[str]
) -> bool:
    """Say whether an annotation, in which there are objects of our keys, is of the run.

    It is if it is as the run wrote it; or if another has written it since, but the volume or the
    mask of an object in it are as the run wrote them.
    """
    path = folder.annotation_path(volume)
    if proof_of(path, path.read_bytes()) == facts[ANNOTATION]:
        return True
    own_volume = _is_noted(facts.get(VOLUME), folder.volume_path(volume))
    if not there:
        return own_volume and not facts.get(ADDED)
    return own_volume or any(_has_own_mask(folder, volume, key, facts) for key in there)


def _has_own_mask(
    folder: ProjectReader, volume: VolumeRef, key: str, facts: Mapping[str, Any]
) -> bool:
    noted = facts.get(MASK + key)
    return _is_noted(noted, folder.mask_path(volume, figure_key_of(key)))


def _is_noted(noted: Any, path: Path) -> bool:
    return noted is not None and stamp_of(path) == noted


def recalled(
    folder: ProjectReader, item: PlannedItem, record: Mapping[str, Any], backup: Path
) -> ItemJob:
    """Return the finished job of an item by its ``ItemJob.record``.

    Raises Gone if an object, or a file, was removed since.
    """
    volume = _volume(folder, item, may_be_bare=True)
    if volume is None or volume.id != record.get("volume"):
        raise Gone(f"{item.name!r} was removed since it landed", path=folder.path)
    there = {(ref.id, ref.figure_id): ref for ref in folder.objects_of(volume)}
    found = {at: there[pair] for at, pair in _landed(record, item) if pair in there}
    files = [folder.volume_path(volume)] * (item.volume is not None)
    files += [folder.mask_path(volume, r.figure_key) for r in found.values() if r.figure_key]
    if len(found) < len(item.objects) or None in map(stamp_of, files):
        raise Gone(f"a part of {item.name!r} was removed since it landed", path=folder.path)
    used = {ref.key for ref in there.values()}
    replaced = tuple(_replaced_in(record, volume, folder.ids(), used))
    kept = _rows(record, "kept")
    return ItemJob(
        item,
        volume,
        False,
        tuple(pair for pair in found.items() if pair[0] not in kept),
        tuple(pair for pair in found.items() if pair[0] in kept),
        replaced,
        backup if replaced else None,
    )


# What a journal has, read with care: it is a file that anybody can write


def _added(facts: Mapping[str, Any], item: PlannedItem) -> Iterator[tuple[int, str]]:
    for one in _rows(facts, ADDED):
        match one:
            case [int(at), str(key)] if 0 <= at < len(item.objects):
                yield at, key


def _kept(facts: Mapping[str, Any], item: PlannedItem) -> Iterator[tuple[int, tuple[str, str]]]:
    for one in _rows(facts, KEPT):
        match one:
            case [int(at), str(key), str(figure_key)] if 0 <= at < len(item.objects):
                yield at, (key, figure_key)


def _replaced(facts: Mapping[str, Any], volume: VolumeRef) -> Iterator[ObjectRef]:
    for one in _rows(facts, REPLACED):
        match one:
            case [int(number), str(key), int(figure), str(figure_key), str(title)]:
                yield ObjectRef(number, key, figure, figure_key, title, volume.id, {})


def _rows(facts: Mapping[str, Any], name: str) -> list[Any]:
    found = facts.get(name)
    return found if isinstance(found, list) else []


def _landed(record: Mapping[str, Any], item: PlannedItem) -> Iterator[tuple[int, tuple[int, int]]]:
    for one in _rows(record, "objects"):
        match one:
            case [int(at), int(number), int(figure)] if 0 <= at < len(item.objects):
                yield at, (number, figure)


def _replaced_in(
    record: Mapping[str, Any], volume: VolumeRef, ids: KeyIds, used: Collection[str]
) -> Iterator[ObjectRef]:
    """Yield what an item has replaced; without its keys where another object has them by now."""
    for one in _rows(record, "replaced"):
        match one:
            case [int(number), int(figure), str(title)]:
                keys = ids.key_of("objects", number), ids.key_of("figures", figure)
                key, figure_key = ("", "") if keys[0] in used else keys
                yield ObjectRef(number, key, figure, figure_key, title, volume.id, {})
