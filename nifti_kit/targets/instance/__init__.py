"""A live Supervisely instance as a target: volumes up, annotations up, everything read back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from nifti_kit.core.files import state_folder
from nifti_kit.errors import TargetError
from nifti_kit.targets import annotation as ann
from nifti_kit.targets.comparing import (
    Comparison,
    backup_of,
    is_same_volume,
    name_taken,
    occupied,
    other_volume,
    read_kept,
    refuse_other_shapes,
)
from nifti_kit.targets.instance.asking import TRIES, lost_each_time
from nifti_kit.targets.instance.client import AnswerLost, Connection, NotThere
from nifti_kit.targets.instance.crew import Encoders
from nifti_kit.targets.instance.fetching import Fetched
from nifti_kit.targets.instance.landing import REPLACED, Landing
from nifti_kit.targets.instance.ownership import MADE, has_slices, made_objects, own_volume
from nifti_kit.targets.instance.places import Place, Places, api_from_env
from nifti_kit.targets.instance.reading import (
    InstanceReader,
    class_ids_in,
    number_of,
    object_ref,
    objects_in,
)
from nifti_kit.targets.instance.volumes import half_made
from nifti_kit.targets.records import (
    Begun,
    ItemJob,
    ObjectRef,
    PlannedClass,
    PlannedItem,
    VolumeRef,
)
from nifti_kit.targets.target import Gone, ReadBack, Tell

__all__ = ["Instance", "Place", "Places"]


class Instance(InstanceReader):
    """A project, or one of its datasets, on a Supervisely instance: a target.

    Parameters
    ----------
    api
        A ``supervisely.Api``; its address and token are taken, nothing else.
    dataset_id
        The dataset that volumes and annotations land in: a number, or its text as in a notebook's
        parameter; an empty text is None.
    project_id
        For annotations whose folders are dataset names: the whole project. New volumes need a
        dataset.

    Raises
    ------
    TargetError
        If the instance is not there, refuses the token, or has no such volume project.
    """

    def __init__(
        self,
        api: Any,
        dataset_id: int | str | None = None,
        *,
        project_id: int | str | None = None,
    ) -> None:
        ids = number_of(project_id, "project_id"), number_of(dataset_id, "dataset_id")
        super().__init__(Connection(api.server_address, api.token), *ids)
        self.crew = Encoders()
        self.fetched: Fetched | None = None
        """What was asked for ahead, for the time in which volumes are read back."""

    @classmethod
    def from_env(
        cls, *, dataset_id: int | str | None = None, project_id: int | str | None = None
    ) -> Instance:
        """Return the instance that ``SERVER_ADDRESS`` and ``API_TOKEN`` name.

        They come from the environment, else from the SDK's own ``~/supervisely.env``.

        Raises
        ------
        TargetError
            If they are not set, an id is no number, or the SDK or its system libraries are missing.
        """
        ids = {"dataset_id": dataset_id, "project_id": project_id}
        numbers = {name: number_of(given, name) for name, given in ids.items()}
        return cls(api_from_env(), **numbers)

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

    side_by_side = 3  # while one item waits for an answer, others are encoded and sent

    path = None

    @property
    def journals(self) -> Path:
        """Where an upload is remembered until it is whole; it holds no token."""
        return state_folder()

    @contextmanager
    def remembering(self) -> Iterator[Instance]:
        """Give the same target with the list of volumes that are there now, for one upload.

        An upload asks where each item may land before it writes anything, and need not read the
        same list for each. Ids of classes and of the volumes' datasets do not change either.
        """
        other = copy(self)
        other.known = other.listing()
        other.class_ids = {}
        with other.crew:
            yield other

    @contextmanager
    def reading_back(self, items: Sequence[ReadBack]) -> Iterator[Instance]:
        """Give the same target for reading volumes back once: some are on their way meanwhile.

        The list of volumes is that of the beginning.
        """
        plain = copy(self)
        with suppress(TargetError):  # who asks for the list is told
            plain.known = plain.listing()
        other = copy(plain)
        with closing(Fetched(plain, items)) as other.fetched:
            yield other

    def objects(self, volume_id: int) -> tuple[ObjectRef, ...]:
        """Return the objects of a volume, one for each 3D figure; ids stand for keys."""
        if self.fetched is not None:
            return self.fetched.objects(volume_id)
        return super().objects(volume_id)

    def mask_of(self, figure_id: int) -> bytes | None:
        """Return the geometry of a figure, or None where it has none."""
        if self.fetched is not None:
            return self.fetched.mask_of(figure_id)
        return super().mask_of(figure_id)

    def volume_file(self, volume_id: int) -> bytes:
        """Return the file of a volume: NRRD."""
        if self.fetched is not None:
            return self.fetched.volume_file(volume_id)
        return super().volume_file(volume_id)

    def add_classes(self, classes: Sequence[PlannedClass]) -> None:
        """Make the classes that are not there; one that is there keeps its colour.

        Raises
        ------
        TargetError
            If a class is there with a shape that cannot hold a mask.
        """
        for _ in range(TRIES):
            meta = self.meta()
            refuse_other_shapes(classes, meta["classes"], self.connection.address)
            known = {found["title"] for found in meta["classes"]}
            new = [ann.class_json(planned) for planned in classes if planned.name not in known]
            if not new:  # they have their ids
                if self.class_ids is not None:
                    self.class_ids.update(class_ids_in(meta))
                return
            meta = {**meta, "classes": [*meta["classes"], *new]}
            data = {"id": self.project_id, "meta": meta}
            with suppress(AnswerLost):  # what is there is asked for next
                self.connection.post("projects.meta.update", data, repeatable=False)
        raise lost_each_time(self.connection, "projects.meta.update")

    def reserve(
        self, item: PlannedItem, existing: str, session: str, begun: Begun | None = None
    ) -> ItemJob:
        """Return the job for an item, and what happens to what is there.

        An item that an interrupted run had begun is completed, if that run's volume, or an object
        of it, is still there: what others have put beside them stays. Else it is an item like any
        other.
        """
        volume, stale, begun = self._reserved_volume(item, existing, begun)
        new_volume = volume.id == 0 or stale is not None
        there = () if new_volume else self.objects(volume.id)
        own: dict[int, int] = {}
        if begun is not None and not new_volume:
            own = made_objects(self, begun, volume.id, len(item.objects))
            begun = begun if own or MADE in begun.marks else None
        names = {planned.class_name for planned in item.objects}
        clashes = [ref for ref in there if ref.class_name in names and ref.id not in own.values()]
        if clashes and existing == "error" and begun is None:
            raise occupied(volume, clashes, self.connection.address)
        kept = Comparison(self, item).identical(clashes) if existing == "skip" else {}
        if begun is not None and not begun.changed:
            kept = {at: ref for at, ref in kept.items() if at not in own}
        add = tuple(
            (at, object_ref(0, 0, planned.class_name, volume.id, planned.scores))
            for at, planned in enumerate(item.objects)
            if at not in kept
        )
        replaced = self._replaced(volume, session, begun, clashes, names, existing)
        memo = tuple(str(ref.id) for ref in there) if begun is None else begun.marks
        if new_volume:
            memo = (MADE,)
        return ItemJob(
            item,
            volume,
            new_volume,
            add,
            tuple(kept.items()),
            replaced,
            backup=self.kept_in(session),
            memo=memo,
            session=session,
            begun=begun,
            stale=stale,
        )

    def _replaced(
        self,
        volume: VolumeRef,
        session: str,
        begun: Begun | None,
        clashes: Sequence[ObjectRef],
        names: Collection[str],
        existing: str,
    ) -> tuple[ObjectRef, ...]:
        """Return the objects that go: those that were there when the item was begun first."""
        if existing != "replace":
            return ()
        if begun is None:
            return tuple(clashes)
        before = [ref for ref in clashes if str(ref.id) in begun.marks]
        earlier = self._kept_earlier(volume, session, begun.marks)
        known = {ref.id: ref for ref in (*earlier, *before) if ref.class_name in names}
        return tuple(known.values())

    def _kept_earlier(
        self, volume: VolumeRef, session: str, marks: Collection[str]
    ) -> tuple[ObjectRef, ...]:
        """Return the objects that an interrupted run kept before it removed any."""
        kept = backup_of(self.kept_in(session) / REPLACED, volume)
        if not kept.exists():
            return ()
        there = read_kept(kept, lambda content: objects_in(content, volume.id))
        return tuple(ref for ref in there if str(ref.id) in marks)

    def kept_in(self, session: str) -> Path:
        """Return the folder in which a run keeps what it replaces, next to the journal."""
        return self.journals / "kept" / session

    def recall(self, item: PlannedItem, record: dict[str, Any], session: str) -> ItemJob | None:
        """Return the finished job of an item that landed in an earlier run, or raise ``Gone``."""
        try:
            volume = self.volume(int(record["volume"]))
            there = {(ref.id, ref.figure_id): ref for ref in self.objects(volume.id)}
            refs = [(int(at), there[int(o), int(f)]) for at, o, f in record["objects"]]
            was_there = set(record.get("kept", ()))  # journals of earlier releases do not say
            replaced = tuple(
                object_ref(int(number), int(figure), str(title), volume.id, {})
                for number, figure, title in record.get("replaced", ())
            )
        except (NotThere, KeyError, TypeError, ValueError, OverflowError):
            raise Gone(f"{item.name!r} was removed since it landed") from None
        if sorted(at for at, _ in refs) != list(range(len(item.objects))):
            raise Gone(f"a part of {item.name!r} was removed since it landed")
        return ItemJob(
            item,
            volume,
            False,
            tuple(pair for pair in refs if pair[0] not in was_there),
            tuple(pair for pair in refs if pair[0] in was_there),
            replaced,
            self.kept_in(session) if replaced else None,
        )

    def write(self, job: ItemJob, tell: Tell | None = None) -> ItemJob:
        """Land a job; return it with the ids that the instance gave.

        ``tell`` takes bytes and objects after each request that carries files, slices or
        geometries; ``job.note`` the ids that the instance gives. What an interrupted run of the
        same item, or a worker that was killed, has made, and nobody has changed since, is
        completed.
        """
        counting = copy(self)  # jobs are written side by side: each counts its own bytes
        counting.connection = self.connection.counting()
        with self.crew:
            return Landing(counting, self.crew, self._going_on(job), tell).landed()

    def _going_on(self, job: ItemJob) -> ItemJob:
        """Return a job with what a worker that was killed has noted of it since it began."""
        facts = job.noted() if job.begun is None else {}
        if not facts:
            return job
        begun = Begun(job.session, tuple(job.marks), facts)
        if not job.new_volume:
            return replace(job, begun=begun)
        anew = copy(self)
        anew.known = None  # what was there when the upload began is not all that is there now
        own = own_volume(anew, begun, job.item.name)
        if own is None:
            return job
        stale = anew._stale(job.item, own, begun)
        return replace(job, volume=own, new_volume=stale is not None, stale=stale, begun=begun)

    def commit(self, jobs: Sequence[ItemJob]) -> None:
        """Do nothing: the instance keeps its own ids."""

    def _reserved_volume(
        self, item: PlannedItem, existing: str, begun: Begun | None
    ) -> tuple[VolumeRef, int | None, Begun | None]:
        """Return an item's volume (of id 0 where it is to be made), and what goes for it.

        And what is known of an interrupted run, where its volume is there.
        """
        if item.volume is None:
            assert item.volume_id is not None
            return self.volume(item.volume_id), None, begun
        if self.dataset_id is None:
            raise TargetError(
                "new volumes need a dataset",
                path=self.connection.address,
                remedy="Name it: Instance(api, dataset_id=...).",
            )
        if begun is not None and MADE in begun.marks:
            own = own_volume(self, begun, item.name)
            if own is not None:
                return own, self._stale(item, own, begun), begun
        name, grid = item.name, item.volume.grid.to_ras()
        there = self.find(name)
        if there is None:
            names = self.dataset_names() if self.known is None else self.known.datasets
            return VolumeRef(0, "", name, names[self.dataset_id], grid), None, None
        if existing == "error":
            raise name_taken("the dataset", name, self.connection.address)
        if not is_same_volume(item.volume, there.grid, self.iter_volume(there.id)):
            raise other_volume("the dataset", name, self.connection.address)
        return there, None, begun if begun is not None and MADE not in begun.marks else None

    def _stale(self, item: PlannedItem, own: VolumeRef, begun: Begun) -> int | None:
        """Return the id of an interrupted run's volume if it is to be made anew; else None.

        Raises TargetError if it has to be, and others have drawn on it.
        """
        assert item.volume is not None
        assert self.dataset_id is not None
        whole = has_slices(begun)
        if whole and begun.changed:
            whole = is_same_volume(item.volume, own.grid, self.iter_volume(own.id))
        if whole:
            return None
        if not self.is_bare(own.id):
            raise half_made(self.connection, own.id, own.name, mended=has_slices(begun))
        return own.id
