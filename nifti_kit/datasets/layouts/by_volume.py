"""The by-volume layout: a volume, and beside it a folder of its name with a file per class."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Mapping, Sequence
from pathlib import PurePosixPath

from nifti_kit.core.findings import finding
from nifti_kit.datasets.items import Item, MaskFile
from nifti_kit.datasets.layouts.grouping import Files, Grouping, folder_of, note_prefixed_names
from nifti_kit.datasets.names import stem, unique_names
from nifti_kit.formats.nifti import ImageFile


def group_by_volume(files: Files) -> Grouping:
    """Return one item for each volume, with the files of its annotation folder."""
    grouping = Grouping()
    for _, relative in files.tables:
        grouping.unused[relative] = "score tables belong to volumes by plane"
    owners = _annotation_folders(files.images, grouping)
    images = _with_volume(files, owners, grouping)
    masks: defaultdict[PurePosixPath, list[MaskFile]] = defaultdict(list)
    volumes: list[ImageFile] = []
    for image in images:
        folder = next((f for f in image.relative.parents if f in owners), None)
        if folder is None or owners[folder] == image.relative:
            volumes.append(image)
        elif image.relative.parent == folder:
            masks[owners[folder]].append(MaskFile(image, None, stem(image.relative.name)))
        else:
            grouping.unused[image.relative] = (
                f"it lies below the annotation folder {folder}, not directly in it"
            )
    _name_masks_of_masks(masks, {image.relative for image in volumes}, grouping)
    names = unique_names([image.relative for image in volumes])
    for name, image in zip(names, volumes, strict=True):
        own = tuple(masks[image.relative])
        kind = files.segmentation if files.segmentation != "auto" else "instance"
        folder_name = folder_of(image.relative)
        item = Item(
            name,
            image,
            own,
            folder=folder_name,
            segmentation=kind if own else None,
            set_key=(folder_name, name),
        )
        grouping.items.append(item)
        _name_repeated_classes(own, grouping)
    note_prefixed_names(volumes, names, grouping)
    return grouping


def _with_volume(
    files: Files, owners: Container[PurePosixPath], grouping: Grouping
) -> list[ImageFile]:
    """Return the images but those in the folder of a volume that cannot be read; name these."""
    lost = {file.parent / stem(file.name): file for file in files.unreadable}
    kept = []
    for image in files.images:
        parents = image.relative.parents
        folder = next((f for f in parents if f in lost and f not in owners), None)
        if folder is None:
            kept.append(image)
            continue
        message = f"its volume {lost[folder]} cannot be used"
        grouping.findings.append(finding("annotation-without-volume", image.relative, message))
        grouping.unused[image.relative] = ""
    return kept


def _annotation_folders(
    images: Sequence[ImageFile], grouping: Grouping
) -> dict[PurePosixPath, PurePosixPath]:
    """Return annotation folder to volume file.

    A volume's folder is its sibling of the same name. One elsewhere in the tree counts only if
    it is the only one, and the volume's name is too. A folder that holds its own volume
    (``sub01/sub01.nii.gz``) counts as elsewhere.
    """
    sizes = Counter(image.relative.parent for image in images)
    owners = _sibling_folders(images, sizes, grouping)
    free = [image for image in images if not _below(image.relative, owners)]
    stems = Counter(stem(image.relative.name) for image in free)
    named: defaultdict[str, list[PurePosixPath]] = defaultdict(list)
    for folder in sizes:
        if folder not in owners:
            named[folder.name].append(folder)
    with_sibling = set(owners.values())
    for image in free:
        name = stem(image.relative.name)
        elsewhere = named.get(name, [])
        if image.relative in with_sibling or len(elsewhere) != 1 or stems[name] != 1:
            continue
        if sizes[elsewhere[0]] > (elsewhere[0] == image.relative.parent):
            owners[elsewhere[0]] = image.relative
            message = f"its annotations are taken from {elsewhere[0]}"
            grouping.findings.append(finding("annotation-elsewhere", image.relative, message))
    return owners


def _sibling_folders(
    images: Sequence[ImageFile], folders: Container[PurePosixPath], grouping: Grouping
) -> dict[PurePosixPath, PurePosixPath]:
    """Return annotation folder to volume file, where the folder is the volume's sibling."""
    owners: dict[PurePosixPath, PurePosixPath] = {}
    for image in images:
        sibling = image.relative.parent / stem(image.relative.name)
        if sibling in folders:
            if sibling in owners:
                message = f"{owners[sibling].name} has the same annotation folder"
                grouping.findings.append(finding("annotation-repeated", image.relative, message))
            owners.setdefault(sibling, image.relative)
    return owners


def _below(path: PurePosixPath, owners: dict[PurePosixPath, PurePosixPath]) -> bool:
    return any(folder in owners and owners[folder] != path for folder in path.parents)


def _name_masks_of_masks(
    masks: Mapping[PurePosixPath, Sequence[MaskFile]],
    volumes: Container[PurePosixPath],
    grouping: Grouping,
) -> None:
    """Name the masks whose volume lies in an annotation folder itself: they have no volume."""
    for owner, own in masks.items():
        if owner not in volumes:
            reason = f"its volume {owner} is itself in an annotation folder"
            grouping.unused.update((mask.relative, reason) for mask in own)


def _name_repeated_classes(masks: Sequence[MaskFile], grouping: Grouping) -> None:
    seen: dict[str, PurePosixPath] = {}
    for mask in masks:
        key = (mask.class_name or "").casefold()
        if key in seen:
            message = f"{seen[key].name} has the same class"
            grouping.findings.append(finding("annotation-repeated", mask.relative, message))
        seen.setdefault(key, mask.relative)
