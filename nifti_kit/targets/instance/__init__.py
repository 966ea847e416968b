"""A live Supervisely instance as a target: volumes up, annotations up, everything read back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from nifti_kit.errors import TargetError
from nifti_kit.files import write_bytes, write_json
from nifti_kit.plans import CustomData, PlannedClass, PlannedItem
from nifti_kit.targets import annotation_json as ann
from nifti_kit.targets.base import Gone, ItemJob, ObjectRef, VolumeRef
from nifti_kit.targets.comparing import (
    CHOICES,
    Comparison,
    is_same_volume,
    occupied,
    refuse_other_shapes,
)
from nifti_kit.targets.instance.connection import Connection, NotThere
from nifti_kit.targets.instance.landing import (
    add_figures,
    add_objects,
    add_volume,
    remove_objects,
    remove_volume,
    upload_masks,
)
from nifti_kit.targets.instance.places import Place, Places, api_from_env
from nifti_kit.targets.instance.reading import InstanceReader, object_ref
from nifti_kit.targets.jobs import backup_of
from nifti_kit.targets.scoring import keep_scores

__all__ = ["Instance", "Place", "Places"]

MADE = "made"
"""In a journal: the item's volume is made by the run itself."""


class Instance(InstanceReader):
    """A project, or one of its datasets, on a Supervisely instance: a target.

    Parameters
    ----------
    api
        A ``supervisely.Api``; its address and token are taken, nothing else.
    dataset_id
        The dataset that volumes and annotations land in.
    project_id
        For annotations whose folders are dataset names: the whole project. New volumes need a
        dataset.

    Raises
    ------
    TargetError
        If the instance is not there, refuses the token, or has no such volume project.
    """

    def __init__(
        self, api: Any, dataset_id: int | None = None, *, project_id: int | None = None
    ) -> None:
        super().__init__(Connection(api.server_address, api.token), project_id, dataset_id)

    @classmethod
    def from_env(cls, *, dataset_id: int | None = None, project_id: int | None = None) -> Instance:
        """Return the instance that ``SERVER_ADDRESS`` and ``API_TOKEN`` name.

        They come from the environment, else from the SDK's own ``~/supervisely.env``.

        Raises
        ------
        TargetError
            If they are not set, or the SDK or its system libraries are missing.
        """
        return cls(api_from_env(), dataset_id, project_id=project_id)

    @classmethod
    def create(cls, api: Any, workspace_id: int, *, project: str, dataset: str) -> Instance:
        """Return a dataset by the names of its project and itself; what is missing is made.

        Parameters
        ----------
        api
            A ``supervisely.Api``.
        workspace_id
            Where the project is; ``Places(api)`` lists teams and workspaces.
        project
            The name of a project for volumes.
        dataset
            The name of the dataset; nested ones with ``/``.
        """
        places = Places(api)
        found = places.make_project(workspace_id, project)
        return cls(api, places.make_dataset(found.id, dataset).id)

    @property
    def journals(self) -> Path:
        """Where an upload is remembered until it is whole; it holds no token."""
        state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
        return Path(state).expanduser() / "nifti_kit"

    def add_classes(self, classes: Sequence[PlannedClass]) -> None:
        """Make the classes that are not there; one that is there keeps its colour.

        Raises
        ------
        TargetError
            If a class is there with a shape that cannot hold a mask.
        """
        meta = self.meta()
        refuse_other_shapes(classes, meta["classes"], self.connection.address)
        known = {found["title"] for found in meta["classes"]}
        new = [ann.class_json(planned) for planned in classes if planned.name not in known]
        if new:
            meta = {**meta, "classes": [*meta["classes"], *new]}
            self.connection.post("projects.meta.update", {"id": self.project_id, "meta": meta})

    def reserve(
        self, item: PlannedItem, existing: str, session: str, mine: Sequence[str] | None = None
    ) -> ItemJob:
        """Return the job for an item, and what happens to what is there.

        ``mine`` are the ids of the objects that were there when an interrupted run began the
        item: what else is there of its classes is a part of that run, and is made anew.
        """
        volume, new_volume = self._reserved_volume(item, existing, mine)
        there = () if new_volume else self.objects(volume.id)
        if mine is not None:
            there = tuple(ref for ref in there if str(ref.id) in mine)
        names = {planned.class_name for planned in item.objects}
        clashes = [ref for ref in there if ref.class_name in names]
        if clashes and existing == "error":
            raise occupied(volume, clashes, self.connection.address)
        kept = Comparison(self, item).identical(clashes) if existing == "skip" else {}
        replaced = tuple(clashes) if existing == "replace" else ()
        add = tuple(
            (at, object_ref(0, 0, planned.class_name, volume.id, planned.scores))
            for at, planned in enumerate(item.objects)
            if at not in kept
        )
        before = [MADE] if new_volume else [str(ref.id) for ref in there]
        memo = tuple(before if mine is None else mine)
        backup, resumed = self.kept_in(session), mine is not None
        return ItemJob(
            item, volume, new_volume, add, tuple(kept.items()), replaced, backup, memo, resumed
        )

    def kept_in(self, session: str) -> Path:
        """Return the folder in which a run keeps what it replaces, next to the journal."""
        return self.journals / "kept" / session

    def recall(self, item: PlannedItem, record: dict[str, Any]) -> ItemJob | None:
        """Return the finished job of an item that landed in an earlier run, or raise ``Gone``."""
        try:
            volume = self.volume(int(record["volume"]))
            there = {(ref.id, ref.figure_id): ref for ref in self.objects(volume.id)}
            refs = [(int(at), there[int(o), int(f)]) for at, o, f in record["objects"]]
        except (NotThere, KeyError):
            raise Gone(f"{item.name!r} was removed since it landed") from None
        return ItemJob(item, volume, False, tuple(refs))

    def write(self, job: ItemJob) -> ItemJob:
        """Land a job; return it with the ids that the instance gave.

        Whatever an interrupted try of the same item left is taken away first: a volume that it
        made, or the objects that were not there before.
        """
        counting = copy(self)  # jobs are written side by side: each counts its own bytes
        counting.connection = self.connection.counting()
        landed = counting._write(job)
        return replace(landed, sent=counting.connection.sent)

    def _write(self, job: ItemJob) -> ItemJob:
        volume = job.volume
        self._back_up(job)
        if job.new_volume:
            volume = self._write_volume(job)
        before = [int(mark) for mark in job.memo or () if mark != MADE]
        dataset_id = self._dataset_of(volume.id)
        if job.resumed and not job.new_volume:
            self._clear(job, volume, dataset_id, before)
        refs = self._write_objects(job, volume, dataset_id, before)
        old = [ref.id for ref in job.replaced]
        remove_objects(self.connection, dataset_id, volume.id, old)
        for change in job.updates:
            self.set_scores(change.ref, change.ref.scores)
        return replace(job, volume=volume, add=refs)

    def set_scores(self, ref: ObjectRef, scores: CustomData) -> None:
        """Give a figure its scores, those of all planes: all custom data that it has."""
        data = {"id": ref.figure_id, "customData": scores, "updateStrategy": "replace"}
        self.connection.post("figures.custom-data.update", data)

    def commit(self, jobs: Sequence[ItemJob]) -> None:
        """Do nothing: the instance keeps its own ids."""

    def _reserved_volume(
        self, item: PlannedItem, existing: str, mine: Sequence[str] | None
    ) -> tuple[VolumeRef, bool]:
        """Return an item's volume, and whether it is to be made."""
        if item.volume is None:
            assert item.volume_id is not None
            return self.volume(item.volume_id), False
        if self.dataset_id is None:
            raise TargetError(
                "new volumes need a dataset",
                path=self.connection.address,
                remedy="Name it: Instance(api, dataset_id=...).",
            )
        name, grid = item.name, item.volume.grid.to_ras()
        there = self.find(name)
        new = VolumeRef(0, "", name, self.dataset_names()[self.dataset_id], grid)
        if there is None or MADE in (mine or ()):
            return new, True
        if existing == "error" and mine is None:
            raise TargetError(
                f"the dataset has a volume {name!r} already",
                path=self.connection.address,
                remedy=CHOICES,
            )
        if not is_same_volume(item.volume, there.grid, self.iter_volume(there.id)):
            raise TargetError(
                f"the dataset has another volume of the name {name!r}",
                path=self.connection.address,
                found="other voxels, or another place in space",
                remedy="Rename the file, or choose another dataset.",
            )
        return there, False

    def _write_volume(self, job: ItemJob) -> VolumeRef:
        assert job.item.volume is not None
        assert self.dataset_id is not None
        left = self.find(job.item.name) if job.resumed else None
        if left is not None:  # an interrupted try of this very item made it
            remove_volume(self.connection, self.dataset_id, left.id)
        row = add_volume(self.connection, self.dataset_id, job.item.name, job.item.volume)
        return replace(job.volume, id=int(row["id"]), key=str(row["id"]))

    def _clear(
        self, job: ItemJob, volume: VolumeRef, dataset_id: int, before: Sequence[int]
    ) -> None:
        """Remove what an interrupted try left of the item's classes on its volume.

        It is kept next to the journal, because a person may have added to it since.
        """
        names = {planned.class_name for planned in job.item.objects}
        there = self.objects(volume.id)
        left = [ref for ref in there if ref.id not in before and ref.class_name in names]
        if left:
            self._keep(job, left, f"left-{max(ref.id for ref in left)}")
            remove_objects(self.connection, dataset_id, volume.id, [ref.id for ref in left])

    def _write_objects(
        self, job: ItemJob, volume: VolumeRef, dataset_id: int, before: Sequence[int]
    ) -> tuple[tuple[int, ObjectRef], ...]:
        added = [(at, job.item.objects[at]) for at, _ in job.add]
        class_ids = self._class_ids() if added else {}
        object_ids = add_objects(
            self.connection,
            dataset_id,
            volume.id,
            [class_ids[planned.class_name] for _, planned in added],
            before,
        )
        pairs = [(number, p) for number, (_, p) in zip(object_ids, added, strict=True)]
        figure_ids = add_figures(self.connection, dataset_id, volume.id, pairs)
        masks = [(number, p) for number, (_, p) in zip(figure_ids, added, strict=True)]
        upload_masks(self.connection, masks)
        return tuple(
            (at, object_ref(number, figure, planned.class_name, volume.id, planned.scores))
            for (at, planned), number, figure in zip(added, object_ids, figure_ids, strict=True)
        )

    def _class_ids(self) -> dict[str, int]:
        return {found["title"]: int(found["id"]) for found in self.meta()["classes"]}

    def _back_up(self, job: ItemJob) -> None:
        """Keep what a job replaces, annotation and masks, next to the journal."""
        keep_scores(job)
        if job.replaced:
            self._keep(job, job.replaced, "replaced")

    def _keep(self, job: ItemJob, refs: Sequence[ObjectRef], why: str) -> None:
        """Save objects of a job's volume: the annotation, and the mask of each."""
        assert job.backup is not None
        kept = backup_of(job.backup / why, job.volume)
        if kept.exists():
            return
        for ref in refs:
            if ref.figure_id and (mask := self.mask_of(ref.figure_id)) is not None:
                write_bytes(kept.parent / f"{ref.figure_id}.nrrd", mask)
        write_json(kept, self.annotation(job.volume.id))
