"""The by-plane layout: volumes of three planes in a folder, with their annotations and scores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from nifti_kit.core.findings import finding
from nifti_kit.datasets.items import Item
from nifti_kit.datasets.layouts.class_words import class_names, table_classes
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
from nifti_kit.datasets.layouts.sets import PlaneFolder, PlaneTree, SetKey, differing_words
from nifti_kit.datasets.layouts.unplaced import name_unplaced
from nifti_kit.datasets.names import ANNOTATION, PLANE_WORDS, VOLUME, unique_names


@dataclass
class _Set:
    """The volumes of one set, with what belongs to each."""

    volumes: list[NamedFile] = field(default_factory=list)
    annotations: dict[NamedFile, list[Link]] = field(default_factory=lambda: defaultdict(list))
    tables: dict[NamedFile, list[Link]] = field(default_factory=lambda: defaultdict(list))


def group_by_plane(files: Files) -> Grouping:
    """Return one item for each volume, with the annotations and tables of its folder and plane."""
    grouping = Grouping()
    volumes, annotations, others = sorted_by_role(files, grouping)
    lost = [file for file in files.lost() if file.name.plane]
    known = [*volumes, *(file for file in lost if file.name.role == VOLUME)]
    tree = PlaneTree(known)
    folders = _folders(known, tree)
    keys = {volume: key for folder in folders.values() for volume, key in folder.keys().items()}
    sets: dict[SetKey, _Set] = defaultdict(_Set)
    for volume in known:
        sets[keys[volume]].volumes.append(volume)
    finder = _Finder(folders, tree, grouping)
    lost_annotations = [file for file in lost if file.name.role == ANNOTATION]
    for annotation in [*annotations, *lost_annotations]:
        if found := finder.owner(annotation):
            sets[keys[found[0]]].annotations[found[0]].append(found[1])
    for table in named_tables(files.tables, grouping):
        if found := finder.owner(table):
            _attach_table(*found, sets[keys[found[0]]], grouping)
    name_unplaced(others, known, files, grouping)
    names = _volume_names(volumes, grouping)
    for key, one in sets.items():
        _check_planes(one, grouping)
        grouping.items += _plane_items(one, key, names, files, grouping)
    return grouping


def _folders(volumes: Iterable[NamedFile], tree: PlaneTree) -> dict[PurePosixPath, PlaneFolder]:
    by_folder: defaultdict[PurePosixPath, list[NamedFile]] = defaultdict(list)
    for volume in volumes:
        by_folder[volume.relative.parent].append(volume)
    return {folder: PlaneFolder(own, tree) for folder, own in by_folder.items()}


class _Finder:
    """Finds the volume of each file, and names the files that have none."""

    def __init__(
        self, folders: Mapping[PurePosixPath, PlaneFolder], tree: PlaneTree, grouping: Grouping
    ) -> None:
        self.folders, self.tree, self.grouping = folders, tree, grouping

    def owner(self, file: NamedFile) -> tuple[NamedFile, Link] | None:
        folder = self.folders.get(file.relative.parent)
        found = folder.owner(file) if folder else self.tree.no_volume(file, ())
        is_there = file.image is not None or file.path is not None
        if isinstance(found, str):
            if is_there:
                fault = finding("annotation-without-volume", file.relative, found)
                self.grouping.findings.append(fault)
                self.grouping.unused[file.relative] = ""
            return None
        words = differing_words(file, found[0])
        if words and is_there:
            message = f"it belongs to {found[0].relative.name} of its folder; {words}"
            self.grouping.findings.append(finding("words-differ", file.relative, message))
        return found


def _attach_table(owner: NamedFile, link: Link, found: _Set, grouping: Grouping) -> None:
    if any(known.file.image for known in found.annotations[owner]):
        found.tables[owner].append(link)
    else:
        why = f"{owner.relative.name} has no annotation to score"
        grouping.unused[link.file.relative] = why


def _volume_names(volumes: Sequence[NamedFile], grouping: Grouping) -> dict[NamedFile, str]:
    names = unique_names([volume.relative for volume in volumes])
    note_prefixed_names([v.image for v in volumes if v.image is not None], names, grouping)
    return dict(zip(volumes, names, strict=True))


def _check_planes(found: _Set, grouping: Grouping) -> None:
    """Name a set that does not have exactly one volume for each plane (specification)."""
    there = [volume for volume in found.volumes if volume.image is not None]
    planes = [volume.name.plane for volume in there]
    missing = [plane for plane in PLANE_WORDS if plane not in planes]
    repeated = [plane for plane in PLANE_WORDS if planes.count(plane) > 1]
    if not missing and not repeated:
        return
    first = found.volumes[0]
    case = {volume.name.case for volume in found.volumes}
    faults = [f"case {first.name.case!r}"] * (len(case) == 1 and bool(first.name.case))
    faults += [f"no volume of plane {plane}" for plane in missing]
    faults += [f"several volumes of plane {plane}" for plane in repeated]
    lost = [v.relative.name for v in found.volumes if v.image is None]
    faults += [f"{name} cannot be used" for name in lost]
    has = ", ".join(volume.relative.name for volume in there) or "none"
    message = f"{'; '.join(faults)} (there are {has})"
    grouping.findings.append(finding("planes-incomplete", folder_of(first.relative), message))


def _plane_items(
    found: _Set, key: SetKey, names: Mapping[NamedFile, str], files: Files, grouping: Grouping
) -> Iterable[Item]:
    instance = is_instance(found.annotations.values(), files.segmentation)
    classes = class_names(found.annotations, grouping) if instance else {}
    # Where others extend the volume's number (axl_inference_5 beside axl_inference_5_2), in any
    # plane of the set, the number alone is no index.
    extended = any(link.extends for own in found.annotations.values() for link in own)
    for volume in found.volumes:
        if volume.image is None:
            continue
        number = () if extended else volume.name.tail
        links, tables = found.annotations[volume], found.tables[volume]
        masks = linked_masks(links, number, instance=instance, grouping=grouping, names=classes)
        yield Item(
            names[volume],
            volume.image,
            masks,
            table_files(tables, table_classes(tables, volume, masks)),
            volume.name.plane,
            volume.name.case,
            folder_of(volume.relative),
            ("instance" if instance else "semantic") if masks else None,
            key,
        )
