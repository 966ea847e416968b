"""Suggestions: rows that would change together, offered to a person and never made silently."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from nifti_kit.core.text import counted
from nifti_kit.formats.mappings import MappingRow
from nifti_kit.plans.name_rules import numbers_apart
from nifti_kit.targets.records import VolumeRef
from nifti_kit.widgets.mapping.candidates import Annotation, Volumes
from nifti_kit.widgets.mapping.rows import ACCEPTED, PLACE, UNMATCHED, MappingRows, Pair


@dataclass(frozen=True)
class Suggestion:
    """What several rows would become."""

    title: str  # what speaks for it
    rows: Mapping[str, MappingRow]  # the rows, by the keys of their files


def same_case(rows: MappingRows, key: str) -> Suggestion | None:
    """Return what the choice for a file says of the other files of its case; None for nothing.

    Those are files of its folder whose names differ by plane and index alone, and that nobody
    has decided on; each goes to the volume of its plane of the same case, if there is one, and if
    its voxels are voxels of that.
    """
    pair, volumes = rows[key], rows.volumes
    chosen = volumes.get(pair.row.volume)
    if chosen is None:
        return None
    own = pair.annotation
    found = {}
    for other in rows.of_case(own):
        file = other.annotation
        if other.row.by_person:
            continue
        alike = [chosen] if file.plane == own.plane else _of_plane(volumes, chosen, file.plane)
        if len(alike) == 1 and alike[0].id != other.row.volume and file.place_on(alike[0]).lands:
            found[file.key] = other.row.chosen(alike[0].id)
    what = counted(len(found), "more file")
    title = f"{what} of the same case as {key}, for the volumes of {volumes.label(chosen.id)}"
    return Suggestion(title, found) if found else None


def _of_plane(volumes: Volumes, chosen: VolumeRef, plane: str | None) -> list[VolumeRef]:
    return [ref for ref in volumes.of_case(chosen) if volumes.plane_of(ref) == plane]


def by_place(rows: MappingRows) -> Suggestion | None:
    """Return unmatched files that lie on one volume of their plane alone; None where none does.

    Not those whose numbers say that they are of another case, nor two files of different planes
    or cases for one volume.
    """
    meant: defaultdict[int, list[Pair]] = defaultdict(list)
    for pair in rows:
        under = rows.volumes.under(pair.annotation) if pair.state == UNMATCHED else ()
        if len(under) == 1 and not _apart(pair.annotation, rows.volumes, under[0]):
            meant[under[0].id].append(pair)
    found = {}
    for volume_id, pairs in meant.items():
        there = [rows[key] for key in rows.sharing(volume_id)]
        if _is_one([*pairs, *there]):
            for pair in pairs:
                row = replace(pair.row, volume=volume_id, rule=PLACE, why="", by_person=ACCEPTED)
                found[pair.annotation.key] = row
    title = f"{counted(len(found), 'file')} whose voxels are those of one volume alone"
    return Suggestion(title, found) if found else None


def _apart(file: Annotation, volumes: Volumes, volume: VolumeRef) -> bool:
    return numbers_apart(file.name, volumes.name_of(volume), alone=False) is not None


def _is_one(pairs: Iterable[Pair]) -> bool:
    return len({id(pair.annotation.item) for pair in pairs}) == 1
