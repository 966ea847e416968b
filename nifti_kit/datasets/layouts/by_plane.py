"""The by-plane layout: volumes of three planes, with annotations and scores of the same name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from nifti_kit.core.findings import Finding, finding
from nifti_kit.datasets.items import Item
from nifti_kit.datasets.layouts.grouping import (
    Files,
    Grouping,
    Link,
    NamedFile,
    folder_of,
    is_instance,
    linked_masks,
    named_tables,
    note_prefixed_names,
    sorted_by_role,
    table_files,
)
from nifti_kit.datasets.names import PLANE_WORDS, unique_names


@dataclass
class _Set:
    """The volumes of one folder and case, with what belongs to each."""

    volumes: list[NamedFile] = field(default_factory=list)
    annotations: dict[PurePosixPath, list[Link]] = field(default_factory=lambda: defaultdict(list))
    tables: dict[PurePosixPath, list[Link]] = field(default_factory=lambda: defaultdict(list))


def group_by_plane(files: Files) -> Grouping:
    """Return one item for each volume, with the annotations and tables of its plane and case."""
    grouping = Grouping()
    volumes, annotations = sorted_by_role(files.images, grouping)
    sets: dict[tuple[str, ...], _Set] = defaultdict(_Set)
    by_key: defaultdict[tuple[str, str], list[NamedFile]] = defaultdict(list)
    for volume in volumes:
        by_key[volume.set_key].append(volume)
    keys = {v.relative: key for group in by_key.values() for v, key in _split_by_number(group)}
    for volume in volumes:
        sets[keys[volume.relative]].volumes.append(volume)
    for annotation in annotations:
        owner, link = _owner(annotation, by_key[annotation.set_key])
        if owner is None or link is None:
            grouping.findings.append(_ownerless(annotation, by_key[annotation.set_key]))
            grouping.unused[annotation.relative] = ""
        else:
            sets[keys[owner.relative]].annotations[owner.relative].append(link)
    for table in named_tables(files.tables, grouping):
        _attach_table(table, by_key[table.set_key], sets, keys, grouping)
    names = _volume_names(volumes, grouping)
    for key, found in sets.items():
        _check_planes(found, grouping)
        grouping.items += [
            _plane_item(volume, found, key, names[volume.relative], files, grouping)
            for volume in found.volumes
        ]
    return grouping


def _split_by_number(group: list[NamedFile]) -> list[tuple[NamedFile, tuple[str, ...]]]:
    """Return each volume with the key of its set.

    Several volumes of one plane in a folder and case are told apart by the number at their end
    (``axl_anatomic_1``, ``axl_anatomic_2``), which then is part of the case.
    """
    planes = defaultdict(list)
    for volume in group:
        planes[volume.name.plane].append(volume.name.tail)
    numbered = any(len(tails) > 1 for tails in planes.values())
    return [
        (volume, (*volume.set_key, *(map(str, volume.name.tail) if numbered else ())))
        for volume in group
    ]


def _owner(
    file: NamedFile, candidates: Sequence[NamedFile]
) -> tuple[NamedFile | None, Link | None]:
    """Return the one volume of a file's plane that its number fits, and the link to it."""
    same_plane = [volume for volume in candidates if volume.name.plane == file.name.plane]
    fits = [
        (volume, link)
        for volume in same_plane
        if (link := _link(file, volume, alone=len(same_plane) == 1)) is not None
    ]
    return fits[0] if len(fits) == 1 else (None, None)


def _link(file: NamedFile, volume: NamedFile, *, alone: bool) -> Link | None:
    """Return how a file's number continues its volume's, or None if it does not.

    ``axl_anatomic_1`` owns ``axl_inference_1`` (its own number) and ``axl_inference_1_2`` (index
    2 behind it); where it is the only one of its plane, also ``axl_inference_2`` (index 2).
    """
    own, number = volume.name.tail, file.name.tail
    if number == own:
        return Link(file, None, extends=False)
    if len(number) == len(own) + 1 and number[: len(own)] == own:
        return Link(file, number[-1], extends=bool(own))
    if alone and not number:
        return Link(file, None, extends=False)
    if alone and len(number) == 1:
        return Link(file, number[0], extends=False)
    return None


def _ownerless(annotation: NamedFile, candidates: Sequence[NamedFile]) -> Finding:
    planes = [v.relative.name for v in candidates if v.name.plane == annotation.name.plane]
    case = f"case {annotation.name.case!r}" if annotation.name.case else "no case"
    if planes:
        message = f"its number fits none, or several, of {', '.join(planes)}"
    else:
        message = f"its folder has no volume of plane {annotation.name.plane} and {case}"
    return finding("annotation-without-volume", annotation.relative, message)


def _attach_table(
    table: NamedFile,
    candidates: Sequence[NamedFile],
    sets: dict[tuple[str, ...], _Set],
    keys: dict[PurePosixPath, tuple[str, ...]],
    grouping: Grouping,
) -> None:
    owner, link = _owner(table, candidates)
    if owner is None or link is None:
        grouping.unused[table.relative] = "its folder has no volume of its plane and case"
        return
    found = sets[keys[owner.relative]]
    if not found.annotations[owner.relative]:
        grouping.unused[table.relative] = f"{owner.relative.name} has no annotation to score"
        return
    found.tables[owner.relative].append(link)


def _volume_names(volumes: Sequence[NamedFile], grouping: Grouping) -> dict[PurePosixPath, str]:
    names = unique_names([volume.relative for volume in volumes])
    note_prefixed_names([v.image for v in volumes if v.image is not None], names, grouping)
    return {volume.relative: name for volume, name in zip(volumes, names, strict=True)}


def _check_planes(found: _Set, grouping: Grouping) -> None:
    """Name a set that does not have exactly one volume for each plane (specification)."""
    planes = [volume.name.plane for volume in found.volumes]
    missing = [plane for plane in PLANE_WORDS if plane not in planes]
    repeated = [plane for plane in PLANE_WORDS if planes.count(plane) > 1]
    if not missing and not repeated:
        return
    first = found.volumes[0]
    faults = [f"case {first.name.case!r}"] * bool(first.name.case)
    faults += [f"no volume of plane {plane}" for plane in missing]
    faults += [f"several volumes of plane {plane}" for plane in repeated]
    has = ", ".join(volume.relative.name for volume in found.volumes)
    message = f"{'; '.join(faults)} (there are {has})"
    grouping.findings.append(finding("planes-incomplete", folder_of(first.relative), message))


def _plane_item(
    volume: NamedFile,
    found: _Set,
    key: tuple[str, ...],
    name: str,
    files: Files,
    grouping: Grouping,
) -> Item:
    links = found.annotations[volume.relative]
    instance = is_instance(found.annotations.values(), files.segmentation)
    # Where others extend the volume's number (axl_inference_5 beside axl_inference_5_2), in any
    # plane of the set, the number alone is no index.
    extended = any(link.extends for own in found.annotations.values() for link in own)
    number = () if extended else volume.name.tail
    masks = linked_masks(links, number, instance=instance, grouping=grouping)
    kind = ("instance" if instance else "semantic") if masks else None
    return Item(
        name,
        volume.image,
        masks,
        table_files(found.tables[volume.relative]),
        volume.name.plane,
        volume.name.case,
        folder_of(volume.relative),
        kind,
        key,
    )
