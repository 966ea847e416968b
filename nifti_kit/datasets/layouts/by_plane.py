"""The by-plane layout: volumes of three planes in a folder, with their annotations and scores."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from nifti_kit.core.findings import finding
from nifti_kit.core.text import listed
from nifti_kit.datasets.items import Item, MaskFile
from nifti_kit.datasets.layouts.grouping import (
    NO_PLANE,
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
from nifti_kit.datasets.names import (
    ANNOTATION,
    PLANE_WORDS,
    VOLUME,
    planes_meant,
    spelled,
    unique_names,
)

# Files whose names lack a plane or a type word that is known


SHOWN = 4
"""Words that a message lists before it counts the rest."""

LIKELY_WORDS = frozenset(
    (
        *("pred", "preds", "prediction", "predictions", "predicted", "output", "result", "auto"),
        *("gt", "groundtruth", "truth", "manual", "consensus", "expert", "reader", "rater"),
        *("roi", "rois", "lesion", "lesions", "contour", "contours", "outline", "delineation"),
        *("lbl", "labeled", "labelled", "msk", "segm", "segmented", "annot", "annotated"),
    )
)
"""What others call an annotation: which word of several is shown as the type word."""


@dataclass(frozen=True)
class _Unplaced:
    """A file, the plane that its name means, the word for that, and what may be its type word."""

    file: NamedFile
    plane: str | None
    plane_word: str
    type_word: str | None
    others: tuple[str, ...]


def name_unplaced(
    files: Iterable[NamedFile], volumes: Collection[NamedFile], given: Files, grouping: Grouping
) -> None:
    """Name each file that has no plane, or no type word that is known, as an error."""
    found = [_unplaced(file, volumes) for file in files]
    likely = sorted({one.type_word for one in found if one.type_word in LIKELY_WORDS} - {None})
    for one in found:
        grouping.unused[one.file.relative] = ""
        shown = [*given.annotation_words, *(likely if one.type_word in LIKELY_WORDS else ())]
        shown += [one.type_word] if one.type_word else []
        code, message, remedy = _said(one, tuple(dict.fromkeys(shown)))
        grouping.findings.append(finding(code, one.file.relative, message, remedy=remedy))


def _unplaced(file: NamedFile, volumes: Collection[NamedFile]) -> _Unplaced:
    plane, plane_word, words = file.name.plane, "", list(file.name.words)
    if plane is None:
        plane, plane_word = planes_meant(file.name)
        words = [word for word in words if word != plane_word.casefold()]
        if plane is None:
            plane, plane_word, words = _glued(words)
    beside = [v for v in volumes if v.relative.parent == file.relative.parent]
    known = {word for v in beside if v.name.plane == plane for word in v.name.words}
    left = [word for word in words if word not in known and not word[0].isdigit()]
    others = tuple(word for word in left if "." not in word)
    likely = [word for word in others if word.rstrip("0123456789") in LIKELY_WORDS]
    chosen = likely[0].rstrip("0123456789") if likely else next(reversed(others), None)
    return _Unplaced(file, plane, plane_word, None if file.name.role else chosen, others)


def _glued(words: Sequence[str]) -> tuple[str | None, str, list[str]]:
    """Return the plane that stands within a word beside what may be a type word: ``axlpred``."""
    for at, word in enumerate(words):
        for plane in PLANE_WORDS:
            rest = word.removeprefix(plane) if word.startswith(plane) else word.removesuffix(plane)
            if rest != word and rest.rstrip("0123456789") in LIKELY_WORDS:
                return plane, plane, [*words[:at], rest, *words[at + 1 :]]
    return None, "", list(words)


def _said(one: _Unplaced, shown: tuple[str, ...]) -> tuple[str, str, str]:
    """Return code, message and remedy."""
    name = one.file.relative.name
    planes = [plane for plane in PLANE_WORDS if plane in one.file.name.case]
    if len(planes) > 1 and one.file.name.plane is None:
        return "plane-unknown", f"its name says several planes: {', '.join(planes)}", ""
    if one.plane is None:
        what = NO_PLANE if one.file.name.role else f"{NO_PLANE}, and no type word that is known"
        return "plane-unknown", what, ""
    words = ", ".join(f'"{word}"' for word in shown)
    further = f"scan(..., annotation_words=({words}{',' * (len(shown) == 1)}))"
    if one.plane_word and one.plane not in one.plane_word.casefold():
        what = f"its name says {one.plane_word!r}, which is no plane (axl, cor or sag)"
        remedy = f"Rename it with {one.plane}: {name.replace(one.plane_word, one.plane)}"
        if one.file.name.role is None and one.type_word:
            what += f", and {one.type_word!r} is no type word that is known"
            remedy += f", and if {one.type_word!r} says annotation: {further}"
        return "plane-unknown", what, f"{remedy}."
    what = f"its plane is {one.plane}, but no word of its name is a type word that is known"
    if one.type_word is None:
        return "type-word-unknown", what, ""
    what += f" ({listed(one.others, SHOWN)})"
    remedy = f"If {one.type_word!r} says that it is an annotation: {further}. "
    return "type-word-unknown", what, remedy + "If it is a volume, put 'anatomic' into its name."


# Classes by words, without an index


def class_names(
    annotations: Mapping[NamedFile, Sequence[Link]], grouping: Grouping
) -> dict[PurePosixPath, str]:
    """Return the class of each annotation file of a set whose files have words and no index.

    Its words are those that its volume does not have. They count only if each file has such, no
    two files of a volume have the same, and not all files of the set do; each is named in a
    finding. Else none has a class by its words.
    """
    links = [(volume, link) for volume, own in annotations.items() for link in own]
    if any(link.index is not None for _, link in links):
        return {}
    words = {link.file: _class_words(link.file, volume) for volume, link in links}
    alone = all(len({words[link.file] for link in own}) == len(own) for own in annotations.values())
    if not alone or not all(words.values()) or len(set(words.values())) == 1:
        return {}
    written: dict[tuple[str, ...], str] = {}
    for file, own in words.items():
        name = written.setdefault(own, spelled(file.name, own))
        if file.image is not None:
            message = f"it has no index: its class is read from its words, {name!r}"
            grouping.findings.append(finding("class-by-words", file.relative, message))
    return {file.relative: written[own] for file, own in words.items()}


def table_classes(
    tables: Iterable[Link], volume: NamedFile, masks: Iterable[MaskFile]
) -> dict[PurePosixPath, str]:
    """Return the class of each score table whose words are those of one of the volume's masks."""
    classes = {mask.class_name.casefold(): mask.class_name for mask in masks if mask.class_name}
    found = {}
    for link in tables:
        own = "_".join(_class_words(link.file, volume))
        if own in classes:
            found[link.file.relative] = classes[own]
    return found


def _class_words(file: NamedFile, volume: NamedFile) -> tuple[str, ...]:
    """Return the words of a file that its volume does not have and that may be a class."""
    words = (word for word in file.name.words if word not in volume.name.words)
    return tuple(word for word in words if not _NO_CLASS.fullmatch(word))


_NO_CLASS = re.compile(
    r"v?[0-9.]+|pred(iction|icted)?s?|gt|(ground)?truth|manual|auto|rater\w*|reader\w*|nnunet\w*"
)
"""Numbers, versions, and who or what drew a mask: two files that differ in these are of one class,
which is an error."""


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
