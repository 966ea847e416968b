"""The files that volumes and objects of a target were made of, by a data set or a receipt."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from nifti_kit.core.text import listed
from nifti_kit.datasets.dataset import Dataset, scan
from nifti_kit.datasets.items import Item, MaskFile, TableFile
from nifti_kit.errors import NiftiKitError, wrong_argument
from nifti_kit.formats.class_maps import ClassEntry, ClassMap
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.plans.plan import Plan, plan
from nifti_kit.targets.records import PlannedItem, PlannedObject, VolumeRef
from nifti_kit.targets.target import Target
from nifti_kit.transfer.receipt import Receipt

SHOWN = 5
"""Volumes that an error names before it counts the rest."""

Figure = tuple[str, str]
"""The keys of an object and of its figure."""


@dataclass(eq=False)
class Original:
    """What a volume of a target was made of."""

    volume: ImageFile | None  # its file; None where only masks are known
    masks: list[MaskFile]  # its annotation files, also those without an object
    objects: list[PlannedObject]  # what is in them
    tables: tuple[TableFile, ...] = ()  # its score tables
    # What is known of what the objects became: by figure, what it was made of.
    landed: dict[Figure, PlannedObject] = field(default_factory=dict)


@dataclass(eq=False)
class Originals:
    """What the volumes of a target were made of, by the volumes' ids."""

    of: dict[int, Original]  # what is known of each volume
    classes: ClassMap  # the class map of the files; empty where they have none
    # The files that it was read from: (where it is, its path below the source).
    maps: tuple[tuple[Path, PurePosixPath], ...]
    name: str  # what it is, as a text, to be known again
    root: Path | None = None  # the folder of the files; None where it is not known
    # What the files are there with: an unpacked archive goes with its data set.
    keeps: Any = field(default=None, repr=False)

    @property
    def numbers(self) -> dict[str, int]:
        """The number of each class in the files: pixel value, or index of a file.

        Of a class that a file is named by it is not known.
        """
        found: dict[str, int] = {}
        for one in (planned for original in self.of.values() for planned in original.objects):
            number = one.mask.index or one.mask.class_number(one.value)
            if one.mask.class_name is None and number not in found.values():
                found.setdefault(one.class_name, number)
        return found


def keeps_maps(originals: Originals, entries: Sequence[ClassEntry], used: Collection[str]) -> bool:
    """Say whether the class maps of the files still say what the classes in use are.

    ``entries`` are the numbers, names and colours of the project's classes.
    """
    named = {
        planned.mask.class_name is not None and planned.class_name
        for original in originals.of.values()
        for planned in original.objects
    }

    def is_said(entry: ClassEntry) -> bool:
        classes = originals.classes
        by_name = classes.by_name(entry.name)
        said = by_name if entry.name in named else classes.by_value(entry.value)
        return said is not None and (said.name, said.color) == (entry.name, entry.color)

    return bool(originals.maps) and all(is_said(one) for one in entries if one.name in used)


def originals_of(like: Any, target: Target, volumes: Sequence[VolumeRef]) -> Originals:
    """Return what volumes were made of, by a data set, a receipt, or a folder of files.

    Raises WrongArgument if it is none of these. Raises NiftiKitError if a file could be that of
    several volumes, or it is not said which mask belongs to which image. Raises BadSource if there
    is no such folder.
    """
    if isinstance(like, Receipt):
        return _of_receipt(like, volumes)
    if not isinstance(like, Dataset):
        try:
            like = scan(like)
        except TypeError as error:
            expected = "a dataset, a receipt, or the path of a folder"
            raise wrong_argument("like is nothing with original files", like, expected) from error
    return _of_dataset(like, target, volumes)


def _of_receipt(receipt: Receipt, volumes: Sequence[VolumeRef]) -> Originals:
    there = {ref.id: ref for ref in volumes}
    for item in receipt.items:
        ref = there.get(item.volume.id, item.volume)
        if ref.key != item.volume.key:
            raise NiftiKitError(
                "the receipt is of another project",
                path=f"{ref.dataset}/{ref.name}",
                found=f"the id of {item.volume.dataset}/{item.volume.name} in the receipt",
                expected="the volumes that landed",
                remedy="Give the receipt of an upload to this target; or its files: "
                "like=nk.scan(folder).",
            )
    changed = [path for item in receipt.items for path in item.planned.changed_files()]
    if changed:
        raise NiftiKitError(
            "files have changed, or are gone, since the upload of the receipt",
            found=listed(changed, SHOWN),
            expected="the files that landed",
            remedy="Restore them; or give what is there now: like=nk.scan(folder).",
        )
    found: dict[int, Original] = {}
    for item in receipt.items:
        landed = {(one.ref.key, one.ref.figure_key): one.planned for one in item.objects}
        objects = list(landed.values())
        found[item.volume.id] = Original(
            item.planned.volume, _masks(objects), objects, landed=landed
        )
    root = None if receipt.source is None else receipt.source.root
    return Originals(found, ClassMap(), (), receipt.to_json(), root, receipt)


def _masks(objects: Iterable[PlannedObject]) -> list[MaskFile]:
    return list(dict.fromkeys(one.mask for one in objects))


def _of_dataset(dataset: Dataset, target: Target, volumes: Sequence[VolumeRef]) -> Originals:
    _refuse_unpaired(dataset)
    planned = plan(dataset, target=target)
    items = {item.name: item for item in dataset.items}
    found = {
        volume.id: Original(
            item.volume,
            list(dict.fromkeys((*_every_mask(dataset, planned, item, items), *_masks(objects)))),
            objects,
            items[item.name].tables if item.name in items else (),
        )
        for volume, item in _pairs(planned, volumes)
        for objects in [list(item.objects)]
    }
    root = dataset.root
    maps = tuple((root / path, PurePosixPath(path)) for path in dataset.classes.paths)
    kept = tuple(
        (place, path) for place, path in maps if place.is_file() and ".." not in path.parts
    )
    name = repr([str(dataset.source.given), dataset.choices, planned.digest])
    return Originals(found, dataset.classes, kept, name, root, dataset)


def _refuse_unpaired(dataset: Dataset) -> None:
    """Refuse a tree of another tool while nobody has said which mask belongs to which image."""
    unpaired = dataset.layout != "pairs" and not any(item.masks for item in dataset.items)
    if unpaired and dataset.proposal is not None:
        raise NiftiKitError(
            "it is not said which mask belongs to which image",
            path=dataset.root,
            found=dataset.proposal.summary,
            expected="original files whose masks are known",
            remedy="Take these: like=nk.scan(folder, layout='pairs'); or say which: pairs={...}.",
        )


def _every_mask(
    dataset: Dataset, planned: Plan, item: PlannedItem, items: dict[str, Item]
) -> Iterator[MaskFile]:
    """Yield the annotation files of a volume in their order, also those without an object."""
    if item.volume is not None:
        yield from items[item.name].masks
        return
    for one in dataset.items:
        for mask in one.masks:
            if planned.mapping and planned.mapping.volume_of(mask.relative) == item.volume_id:
                yield mask


def _pairs(planned: Plan, volumes: Sequence[VolumeRef]) -> Iterator[tuple[VolumeRef, PlannedItem]]:
    """Yield each volume with the item of its files: by its id, else by its name."""
    by_id = {ref.id: ref for ref in volumes}
    for item in planned.items:
        if item.volume_id is not None:
            if item.volume_id in by_id:
                yield by_id[item.volume_id], item
            continue
        named = [ref for ref in volumes if ref.name == item.name]
        if len(named) > 1:
            raise NiftiKitError(
                "the files could be those of several volumes",
                path=str(item.volume.relative) if item.volume else None,
                found=listed((f"{ref.dataset}/{ref.name}" for ref in named), SHOWN),
                expected="one volume of that name",
                remedy="Export one dataset at a time, or give the receipt of the upload: "
                "like=receipt.",
            )
        if named:
            yield named[0], item
