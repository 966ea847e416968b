"""Jobs for a project folder: which keys and ids an item gets, and what goes for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nifti_kit.core.files import read_json
from nifti_kit.errors import TargetError
from nifti_kit.targets.comparing import CHOICES, Comparison, backup_of, is_same_volume, occupied
from nifti_kit.targets.folder.keys import derived_key
from nifti_kit.targets.folder.project import ProjectReader
from nifti_kit.targets.records import ItemJob, ObjectRef, PlannedItem, PlannedObject, VolumeRef

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


class Reservation:
    """Works out one job: names, keys and ids, and what becomes of what is there."""

    def __init__(
        self, folder: ProjectReader, item: PlannedItem, existing: str, backup: Path
    ) -> None:
        self.folder, self.item, self.existing, self.backup = folder, item, existing, backup

    def job(self, mine: Sequence[str] | None = None) -> ItemJob:
        """Return the job.

        Parameters
        ----------
        mine
            Keys that an interrupted run of the same plan gave to this item's objects; None where
            there was no such run.
        """
        self.resumed = mine is not None
        mine = mine or ()
        volume, new_volume, was_there = self._volume()
        there = self.folder.objects(volume.id) if was_there else ()
        others = [ref for ref in there if ref.key not in mine]
        clashes = [ref for ref in others if ref.class_name in self._class_names()]
        kept: dict[int, ObjectRef] = {}
        replaced: list[ObjectRef] = []
        if clashes and self.existing == "error":
            raise occupied(volume, clashes, self.folder.path)
        if self.existing == "skip":
            kept = Comparison(self.folder, self.item).identical(clashes)
        elif self.existing == "replace":
            earlier = self._replaced_earlier(volume) if self.resumed else None
            replaced = clashes if earlier is None else earlier
        return self._assembled(volume, new_volume, others, kept, replaced, mine)

    def _replaced_earlier(self, volume: VolumeRef) -> list[ObjectRef] | None:
        """Return what an interrupted run replaces, by what it kept; None if it kept nothing yet."""
        kept = backup_of(self.backup, volume)
        if not kept.exists():
            return None
        names = self._class_names()
        objects = self.folder.objects_in(volume, read_json(kept))
        return [ref for ref in objects if ref.class_name in names]

    def _class_names(self) -> set[str]:
        return {planned.class_name for planned in self.item.objects}

    def _volume(self) -> tuple[VolumeRef, bool, bool]:
        """Return the volume, whether its voxels are to be written, and whether it was there."""
        if self.item.volume is None:
            assert self.item.volume_id is not None
            return self.folder.volume(self.item.volume_id), False, True
        dataset = self.folder.dataset
        if dataset is None:
            raise TargetError(
                "new volumes need a dataset",
                path=self.folder.path,
                remedy="Name it: ProjectFolder(path, dataset='name').",
            )
        _refuse_unseen(dataset)
        grid = self.item.volume.grid.to_ras()
        there = self.folder.find(self.item.name)
        if there is None:
            key = derived_key(dataset, self.item.name)
            number = self.folder.ids().reserve("videos", key)
            return VolumeRef(number, key, self.item.name, dataset, grid), True, False
        if self.resumed and there.key == derived_key(dataset, self.item.name):
            # It has an annotation, which is written last: the voxels are there.
            return there, False, True
        if self.existing == "error":
            raise TargetError(
                f"the dataset {dataset!r} has a volume {self.item.name!r} already",
                path=self.folder.path,
                remedy=CHOICES,
            )
        pages = self.folder.iter_volume(there.id)
        if not is_same_volume(self.item.volume, there.grid, pages):
            raise TargetError(
                f"the dataset {dataset!r} has another volume of the name {self.item.name!r}",
                path=self.folder.path,
                found="other voxels, or another place in space",
                remedy="Rename the file, or choose another dataset.",
            )
        return there, False, True

    def _assembled(
        self,
        volume: VolumeRef,
        new_volume: bool,
        others: Sequence[ObjectRef],
        kept: dict[int, ObjectRef],
        replaced: Sequence[ObjectRef],
        mine: Sequence[str],
    ) -> ItemJob:
        # What goes keeps its keys, and so its files, until the annotation without it is written.
        taken = {ref.key for ref in others}
        add: list[tuple[int, ObjectRef]] = []
        for at, planned in enumerate(self.item.objects):
            if at in kept:
                continue
            known = len(add) < len(mine)
            key = mine[len(add)] if known else self._object_key(volume, planned, taken)
            taken.add(key)
            add.append((at, self._object_ref(key, planned, volume.id)))
        return ItemJob(
            self.item,
            volume,
            new_volume,
            tuple(add),
            tuple(kept.items()),
            tuple(replaced),
            self.backup if replaced else None,
        )

    def _object_ref(self, key: str, planned: PlannedObject, volume_id: int) -> ObjectRef:
        """Return the object that a planned one becomes; its ids are reserved."""
        ids, figure_key = self.folder.ids(), derived_key(key, "figure")
        return ObjectRef(
            ids.reserve("objects", key),
            key,
            ids.reserve("figures", figure_key),
            figure_key,
            planned.class_name,
            volume_id,
            planned.scores,
        )

    def _object_key(self, volume: VolumeRef, planned: PlannedObject, taken: set[str]) -> str:
        name, value = planned.mask.relative, planned.value
        return derived_key(volume.key, name, value, planned.class_name, taken=taken)


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
