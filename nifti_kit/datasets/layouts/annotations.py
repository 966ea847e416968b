"""The annotations layout: annotation files and score tables whose volumes are on the target."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from nifti_kit.datasets.items import Item, MaskFile
from nifti_kit.datasets.layouts.grouping import (
    Files,
    Grouping,
    Link,
    NamedFile,
    folder_of,
    is_instance,
    linked_masks,
    named_tables,
    sorted_by_role,
    table_files,
)
from nifti_kit.datasets.names import ANNOTATION, stem, unique_names


def group_annotations(files: Files) -> Grouping:
    """Return one item, without a volume, for each folder, case and plane.

    A score table without an annotation file of its plane and case is an item of its own.
    """
    grouping = Grouping()
    volumes, annotations, others = sorted_by_role(files, grouping)
    annotations += _without_role(files, others, grouping)
    for volume in volumes:
        grouping.unused[volume.relative] = "a volume among annotations"
    # Semantic files have no index: a number at the end is that of their volume.
    whole = files.segmentation == "semantic"
    groups: defaultdict[tuple[str, ...], list[Link]] = defaultdict(list)
    for file in annotations:
        groups[_group_key(file, whole)].append(_link(file))
    tables: defaultdict[tuple[str, ...], list[Link]] = defaultdict(list)
    unreadable = {_group_key(file, whole) for file in files.lost()}
    alone: list[Link] = []
    for table in named_tables(files.tables, grouping):
        key = _group_key(table, whole)
        if key in groups:
            tables[key].append(_link(table))
        elif key in unreadable:
            grouping.unused[table.relative] = "its annotation file cannot be read"
        else:
            alone.append(replace(_link(table), index=None) if whole else _link(table))
    firsts = [links[0] for links in groups.values()]
    names = unique_names([link.file.relative for link in (*firsts, *alone)])
    for name, link in zip(names[len(firsts) :], alone, strict=True):
        item = _scores_alone(name, link)
        grouping.items.append(replace(item, set_key=_case(_group_key(link.file, whole))))
    for name, (key, links) in zip(names, groups.items(), strict=False):
        planes = (own for other, own in groups.items() if _case(other) == _case(key))
        by_index = is_instance(planes, files.segmentation)
        masks = linked_masks(links, (), instance=by_index, grouping=grouping)
        item = _item(name, links[0].file, masks, tables[key], by_index=by_index)
        grouping.items.append(replace(item, set_key=_case(key)))
    return grouping


def _without_role(
    files: Files, others: Iterable[NamedFile], grouping: Grouping
) -> Iterator[NamedFile]:
    """Yield the annotation files whose names lack the plane or the role: a person says they are.

    A number at the end of a name without either is part of the name, no index. A volume of the
    by-volume layout (its masks are in the folder of its name) is none.
    """
    owners = {image.relative.parent for image in files.images}
    for file in others:
        name = file.name
        is_owner = file.relative.with_name(stem(file.relative.name)) in owners
        if is_owner or name.role not in (ANNOTATION, None):
            grouping.unused[file.relative] = "a volume among annotations"
        elif name.role is None and name.plane is None:
            words = "_".join(filter(None, (name.case, *map(str, name.tail))))
            yield replace(file, name=replace(name, case=words, tail=()))
        else:
            yield file


def _link(file: NamedFile) -> Link:
    number = file.name.tail
    return Link(file, number[-1] if number else None, extends=False)


def _item(
    name: str,
    first: NamedFile,
    masks: tuple[MaskFile, ...],
    tables: list[Link],
    *,
    by_index: bool,
) -> Item:
    return Item(
        name,
        None,
        masks,
        table_files(tables),
        first.name.plane,
        first.name.case,
        folder_of(first.relative),
        "instance" if by_index else "semantic",
    )


def _scores_alone(name: str, link: Link) -> Item:
    file = link.file
    return Item(
        name,
        None,
        (),
        table_files([link]),
        file.name.plane,
        file.name.case,
        folder_of(file.relative),
    )


def _case(key: tuple[str, ...]) -> tuple[str, ...]:
    """Return folder, case and numbers: what the planes of one set share."""
    return key[:-1]


def _group_key(file: NamedFile, whole: bool) -> tuple[str, ...]:
    """Return folder, case, numbers (``whole``, or those before the index), plane."""
    numbers = "_".join(map(str, file.name.tail if whole else file.name.tail[:-1]))
    return (*file.set_key, numbers, file.name.plane or "")
