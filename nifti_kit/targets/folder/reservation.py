"""Jobs for a project folder: which keys and ids an item gets, and what goes for it."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nifti_kit.core.files import MOST_OF_A_NAME, name_size, path_part
from nifti_kit.errors import TargetError, UnreadableFile, visible
from nifti_kit.formats.nrrd import iter_slices, read_grid
from nifti_kit.targets.comparing import (
    Comparison,
    is_same_volume,
    name_taken,
    occupied,
    other_volume,
)
from nifti_kit.targets.folder.keys import derived_key
from nifti_kit.targets.folder.ownership import Own, figure_key_of, is_own_volume, own_item
from nifti_kit.targets.folder.project import ProjectReader
from nifti_kit.targets.records import (
    Begun,
    ItemJob,
    ObjectRef,
    PlannedItem,
    PlannedObject,
    VolumeRef,
)

UNSEEN_ENDINGS = (
    "ann",
    "blob",
    "datasets",
    "interpolation",
    "mask",
    "meta",
    "metadata",
    "video_info",
    "volume",
)
"""The SDK (6.74) takes a folder whose name *ends* so for one of its own, and passes a dataset of
that name over without a word when it opens a project."""


class _Taken:
    """The keys that a new object may not get.

    Those of objects that are there; and those of masks of which no annotation tells any more,
    unless an interrupted run of this very call (``begun``) was about to write them. Where
    ``begun`` is None, there is no annotation yet: such masks are of runs that were interrupted.
    """

    def __init__(
        self,
        folder: ProjectReader,
        volume: VolumeRef,
        keys: Collection[str],
        begun: Collection[str] | None,
    ) -> None:
        self._folder, self._volume, self._begun = folder, volume, begun
        self.keys = set(keys)

    def __contains__(self, key: object) -> bool:
        if key in self.keys or self._begun is None:
            return key in self.keys
        return key not in self._begun and self.has_mask(str(key))

    def has_mask(self, key: str) -> bool:
        """Say whether there is a file for the mask of an object that we would add."""
        return self._folder.mask_path(self._volume, figure_key_of(key)).exists()


class Reservation:
    """Works out one job: names, keys and ids, and what becomes of what is there."""

    def __init__(
        self, folder: ProjectReader, item: PlannedItem, existing: str, backup: Path
    ) -> None:
        self.folder, self.item, self.existing, self.backup = folder, item, existing, backup

    def job(self, begun: Begun | None = None) -> ItemJob:
        """Return the job; ``begun`` is what is known of an interrupted run that had begun it."""
        if self.item.volume is not None:
            self._check_names()
        own = own_item(self.folder, self.item, begun)
        return self._anew(begun) if own is None else self._completed(own, begun)

    def _check_names(self) -> None:
        """Refuse names that the SDK or a file system would not take."""
        dataset, name = self.folder.dataset, self.item.name
        if dataset is None:
            raise TargetError(
                "new volumes need a dataset",
                path=self.folder.path,
                remedy="Name it: ProjectFolder(path, dataset='name').",
            )
        _refuse_unseen(dataset)
        if name_size(name) > MOST_OF_A_NAME:
            raise TargetError(
                "the name of a volume is longer than file systems take",
                path=self.folder.path,
                found=f"{visible(name)} ({name_size(name)} bytes)",
                expected=f"at most {MOST_OF_A_NAME}",
                remedy="Give its file, or the folder whose name stands in front, a shorter name.",
            )
        path_part(name)

    # An item that is made, or completes what others made

    def _anew(self, begun: Begun | None) -> ItemJob:
        volume, new_volume = self._volume(begun)
        there = () if new_volume else self.folder.objects(volume.id)
        own = {planned.class_name for planned in self.item.objects}
        clashes = [ref for ref in there if ref.class_name in own]
        if clashes and self.existing == "error":
            raise occupied(volume, clashes, self.folder.path)
        kept: dict[int, ObjectRef] = {}
        if self.existing == "skip":
            kept = Comparison(self.folder, self.item).identical(clashes)
        # What goes keeps its keys, and so its files, until the annotation without it is written.
        marks = () if begun is None else begun.marks
        keys = {ref.key for ref in there}
        taken = _Taken(self.folder, volume, keys, None if new_volume else marks)
        left = [at for at in range(len(self.item.objects)) if at not in kept]
        add = {at: self._fresh_key(at, volume, taken) for at in left}
        replaced = clashes if self.existing == "replace" else ()
        return replace(self._assembled(volume, add, kept, replaced), new_volume=new_volume)

    def _volume(self, begun: Begun | None) -> tuple[VolumeRef, bool]:
        """Return the volume, and whether its voxels are to be written."""
        if self.item.volume is None:
            assert self.item.volume_id is not None
            return self.folder.volume(self.item.volume_id), False
        dataset = self.folder.dataset
        assert dataset is not None
        there = self.folder.find(self.item.name)
        if there is None:
            self._refuse_leftover(dataset, begun)
            key, grid = derived_key(dataset, self.item.name), self.item.volume.grid.to_ras()
            number = self.folder.ids().reserve("videos", key)
            return VolumeRef(number, key, self.item.name, dataset, grid), True
        if self.existing == "error":
            raise name_taken(f"the dataset {dataset!r}", self.item.name, self.folder.path)
        if not is_same_volume(self.item.volume, there.grid, self.folder.iter_volume(there.id)):
            raise other_volume(f"the dataset {dataset!r}", self.item.name, self.folder.path)
        return there, False

    def _refuse_leftover(self, dataset: str, begun: Begun | None) -> None:
        """Refuse a volume file without an annotation that is not what an upload was about to make.

        It may be all that somebody has of it.
        """
        path = self.folder.volume_at(dataset, self.item.name)
        assert self.item.volume is not None
        if not path.exists() or is_own_volume(path, begun):
            return
        try:
            if is_same_volume(self.item.volume, read_grid(path), iter_slices(path)):
                return
        except UnreadableFile as error:
            if error.path != os.fspath(path):  # else it is none that an upload makes
                raise
        raise TargetError(
            f"the dataset {dataset!r} has a file {self.item.name!r} without an annotation",
            path=path,
            found="other voxels, or another place in space",
            remedy="Move the file away, rename yours, or choose another dataset.",
        )

    # An item that an interrupted run has landed

    def _completed(self, own: Own, begun: Begun | None) -> ItemJob:
        """Return the job that brings back what is missing of it; what else is there stays."""
        there = {(r.key, r.figure_key): r for r in self.folder.objects_in(own.volume, own.content)}
        kept = {at: there[pair] for at, pair in own.kept.items() if pair in there}
        add = {at: key for at, key in own.added.items() if (key, figure_key_of(key)) in there}
        missing = [at for at in range(len(self.item.objects)) if at not in add and at not in kept]
        if self.existing == "skip" and missing:
            mine = {*add.values()}
            kept |= self._identical(missing, [r for r in there.values() if r.key not in mine])
        taken = _Taken(self.folder, own.volume, {one["key"] for one in own.content["objects"]}, ())
        for at in missing:
            if at not in kept:
                add[at] = self._key_again(at, own, taken)
        job = self._assembled(own.volume, dict(sorted(add.items())), kept, own.replaced)
        return replace(job, new_volume=own.without_voxels, begun=begun)

    def _identical(self, places: Sequence[int], there: Sequence[ObjectRef]) -> dict[int, ObjectRef]:
        """Return which objects, at some places of the item, are there already."""
        some = replace(self.item, objects=tuple(self.item.objects[at] for at in places))
        found = Comparison(self.folder, some).identical(there)
        return {places[at]: ref for at, ref in found.items()}

    def _key_again(self, at: int, own: Own, taken: _Taken) -> str:
        """Return the key of an object that somebody has removed.

        It is the one that it had, unless somebody has drawn in its mask: that stays.
        """
        key = own.added.get(at)
        if key is None or (taken.has_mask(key) and not own.is_as_written(self.folder, key)):
            return self._fresh_key(at, own.volume, taken)
        taken.keys.add(key)
        return key

    # Both

    def _assembled(
        self,
        volume: VolumeRef,
        add: Mapping[int, str],
        kept: Mapping[int, ObjectRef],
        replaced: Sequence[ObjectRef],
    ) -> ItemJob:
        objects = self.item.objects
        added = [(at, self._object_ref(key, objects[at], volume.id)) for at, key in add.items()]
        for ref in (*replaced, *(ref for _, ref in added)):
            if ref.figure_key:  # refused now, before anything is written
                self.folder.mask_path(volume, ref.figure_key)
        return ItemJob(
            self.item,
            volume,
            False,
            tuple(added),
            tuple(sorted(kept.items(), key=lambda pair: pair[0])),
            tuple(replaced),
            self.backup if replaced else None,
        )

    def _object_ref(self, key: str, planned: PlannedObject, volume_id: int) -> ObjectRef:
        """Return the object that a planned one becomes; its ids are reserved."""
        ids, figure_key = self.folder.ids(), figure_key_of(key)
        return ObjectRef(
            ids.reserve("objects", key),
            key,
            ids.reserve("figures", figure_key),
            figure_key,
            planned.class_name,
            volume_id,
            planned.scores,
        )

    def _fresh_key(self, at: int, volume: VolumeRef, taken: _Taken) -> str:
        planned = self.item.objects[at]
        name, value = planned.mask.relative, planned.value
        key = derived_key(volume.key, name, value, planned.class_name, taken=taken)
        taken.keys.add(key)
        return key


def _refuse_unseen(dataset: str) -> None:
    for name in dataset.split("/"):
        ending = next((end for end in UNSEEN_ENDINGS if name.endswith(end)), None)
        if ending is not None:
            raise TargetError(
                "the SDK would not see a dataset of this name",
                found=f"{name!r} ends in {ending!r}, the name of a folder inside each dataset",
                expected="another ending",
                remedy=f"Choose another name, such as {name + '_1'!r}.",
            )
