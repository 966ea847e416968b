"""The annotations layout: annotation files and score tables whose volumes are on the target."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from nifti_kit.items import Item, MaskFile
from nifti_kit.layouts.grouping import Files, Grouping, folder_of
from nifti_kit.layouts.roles import (
    Link,
    NamedFile,
    is_instance,
    linked_masks,
    named_tables,
    sorted_by_role,
    table_files,
)
from nifti_kit.names import ANNOTATION, parse_name, unique_names

__all__ = ["group_annotations"]


def group_annotations(files: Files) -> Grouping:
    """Return one item, without a volume, for each folder, case and plane."""
    grouping = Grouping()
    volumes, annotations = sorted_by_role(files.images, grouping)
    annotations += _without_plane(files, grouping)
    for volume in volumes:
        grouping.unused[volume.relative] = "a volume among annotations"
    # Semantic files have no index: a number at the end is that of their volume.
    whole = files.segmentation == "semantic"
    groups: defaultdict[tuple[str, ...], list[Link]] = defaultdict(list)
    for file in annotations:
        groups[_group_key(file, whole)].append(_link(file))
    tables: defaultdict[tuple[str, ...], list[Link]] = defaultdict(list)
    for table in named_tables(files.tables, grouping):
        key = _group_key(table, whole)
        if key in groups:
            tables[key].append(_link(table))
        else:
            grouping.unused[table.relative] = "its folder has no annotation of its plane and case"
    names = unique_names([links[0].file.relative for links in groups.values()])
    for name, (key, links) in zip(names, groups.items(), strict=True):
        planes = (own for other, own in groups.items() if _case(other) == _case(key))
        by_index = is_instance(planes, files.segmentation)
        masks = linked_masks(links, (), instance=by_index, grouping=grouping)
        grouping.items.append(_item(name, links[0].file, masks, tables[key], by_index=by_index))
    return grouping


def _without_plane(files: Files, grouping: Grouping) -> Iterator[NamedFile]:
    """Yield the annotation files without a plane: for volumes without one (layout chosen)."""
    for image in files.images:
        name = parse_name(image.relative.name)
        if name.role == ANNOTATION and name.plane is None:
            del grouping.unused[image.relative]
            yield NamedFile(name, image.relative, image)


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


def _case(key: tuple[str, ...]) -> tuple[str, ...]:
    """Return folder, case and numbers: what the planes of one set share."""
    return key[:-1]


def _group_key(file: NamedFile, whole: bool) -> tuple[str, ...]:
    """Return folder, case, numbers (``whole``, or those before the index), plane."""
    numbers = "_".join(map(str, file.name.tail if whole else file.name.tail[:-1]))
    return (*file.set_key, numbers, file.name.plane or "")
