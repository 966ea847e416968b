"""Export: a project, or some of its volumes, as NIfTI files that read back as what is there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from nifti_kit.core.files import inside, json_bytes, land_beside, land_bytes, land_copy
from nifti_kit.core.geometry import Grid
from nifti_kit.core.locks import held, lock_of
from nifti_kit.core.parallel import in_order, with_progress
from nifti_kit.errors import NiftiKitError, UnreadableFile, a_path, wrong_argument
from nifti_kit.exports.classes import ClassNumbers, class_map_file
from nifti_kit.exports.jobs import Part, VolumeJob
from nifti_kit.exports.layouts import ByPlane, ByVolume, Layout, Places
from nifti_kit.exports.leavings import leavings
from nifti_kit.exports.ledger import Ledger, Written
from nifti_kit.exports.likeness import LikeOriginals
from nifti_kit.exports.masks import Homeless, MaskWriter, Overlap, WrittenMask
from nifti_kit.exports.names import dataset_folders, volume_stems
from nifti_kit.exports.originals import keeps_maps, originals_of
from nifti_kit.exports.result import Export, ExportedFile, NotExported
from nifti_kit.exports.tables import Cells, cells_of, frames_of, table_of, wrong_cells
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.formats.nifti_output import is_packed, volume_pieces
from nifti_kit.formats.scores.reading import read_scores
from nifti_kit.targets.comparing import is_same_volume
from nifti_kit.targets.reading import chosen_volume
from nifti_kit.targets.records import ObjectRef, VolumeRef
from nifti_kit.targets.target import ReadBack, Target, a_target

LAYOUTS: dict[str, Callable[[Places, ClassNumbers], Layout]] = {
    "by_volume": ByVolume,
    "by_plane": ByPlane,
}

MAPPING, LEFT = "mapping.json", "not_exported.json"


def export(
    target: Any,
    folder: str | os.PathLike[str],
    *,
    layout: str = "by_volume",
    like: Any = None,
    volumes: Iterable[VolumeRef | str | int] | None = None,
    on_volume: Callable[[int, VolumeRef], Any] | None = None,
) -> Export:
    """Return what a project became: NIfTI volumes and masks in a folder, classes and scores.

    :func:`nifti_kit.scan` reads the folder, and the plan of that equals what is on the target.
    Volumes and masks are in RAS+ order, each at its place (sform and qform, mm); a volume keeps its
    type and values. ``cls_color_map.txt`` has the classes, ``mapping.json`` the id of each
    annotation's volume, ``not_exported.json`` what has no NIfTI form.

    Parameters
    ----------
    target
        A :class:`nifti_kit.ProjectFolder` or :class:`nifti_kit.Instance`, whoever made the
        project. With the scope of a project each dataset is a folder.
    folder
        A new or empty folder. The same call goes on where an earlier one was killed: what is whole
        there stays, if what was exported has not changed since (objects, classes and scores;
        voxels that were drawn since on a volume that is whole are not seen).
    like
        The files that the project was made of: a dataset, the receipt of an upload, or a folder.
        Each object goes to the file and the value that it came from, in the grid, the voxel order
        and the type of that, under its name; header and extensions stay byte for byte, and so does
        a volume that is the same. What is new goes into the file of its class, or into a new one
        beside. Volumes that are not among the files go by ``layout``.
    layout
        ``by_volume``: ``X.nii.gz``, and ``X/<class>.nii.gz`` with a value (1, 2, ...) for each
        object; there are no scores in it. ``by_plane``: volumes whose names have ``axl``, ``cor``
        or ``sag``; a set of planes is one label map a volume where no class has two objects and
        none overlap (the values are those of the class map), else a file for each class, with its
        number at the end. ``axl_score.csv`` counts layers from 1 in the frames of the mask's file.
    volumes
        Which ones, by id or name; all in scope by default.
    on_volume
        Called with the place (from 0) of each volume and the volume before it is read; what it
        raises ends the work. A bar by default.

    Returns
    -------
    Export
        A row a file; ``.not_exported`` has what no file has, ``.ok`` is false then.

    Raises
    ------
    WrongArgument
        If ``target`` is no target, ``folder`` no path, or there is no such layout.
    NiftiKitError
        If a volume of ``volumes`` is not there, or by plane the name of one has no plane.
    TargetError
        If there is something in the folder already, it cannot be written to, or the target does
        not answer.

    Examples
    --------
    >>> import nifti_kit as nk
    >>> target = nk.ProjectFolder("out/knee", dataset="knee")
    >>> nk.export(target, "out/knee_nifti", layout="by_plane")  # doctest: +SKIP
    >>> nk.plan(nk.scan("out/knee_nifti"))  # doctest: +SKIP
    """
    a_target(target)
    a_path(folder)
    if layout not in LAYOUTS:
        raise wrong_argument("there is no such layout", layout, " or ".join(map(repr, LAYOUTS)))
    path = Path(folder).expanduser()
    exporter = _Exporter(target, path, layout, _chosen(target, volumes), like)
    with held(lock_of(path), "an export to this folder"):
        return exporter.run(on_volume)


def _chosen(
    target: Target, volumes: Iterable[VolumeRef | str | int] | None
) -> tuple[VolumeRef, ...]:
    """Return the volumes that are exported, each once, in the order of the target."""
    if volumes is None:
        return tuple(target.volumes())
    wanted = [volumes] if isinstance(volumes, str | int | VolumeRef) else list(volumes)
    ids = {chosen_volume(target, one).id for one in wanted}
    return tuple(ref for ref in target.volumes() if ref.id in ids)


class _Exporter:
    def __init__(
        self, target: Target, folder: Path, layout: str, volumes: Sequence[VolumeRef], like: Any
    ) -> None:
        self._target, self._folder, self._volumes = target, folder, volumes
        classes = target.classes()
        self._originals = None if like is None else originals_of(like, target, volumes)
        given = {} if self._originals is None else self._originals.numbers
        self._numbers = ClassNumbers(classes, given)
        stems = volume_stems(volumes)
        folders = {ref.dataset: "" for ref in volumes}
        if not target.has_dataset:
            folders = dataset_folders(volumes, stems)
        places, make = Places(volumes, stems, folders), LAYOUTS[layout]
        self._layout: Layout = (
            make(places, self._numbers)
            if self._originals is None
            else LikeOriginals(self._originals, places, self._numbers, target, make)
        )
        known = None if self._originals is None else self._originals.name
        facts = [target.where, layout, [[v.id, v.name] for v in volumes], repr(classes), known]
        self._call = json.dumps(facts)

    def run(self, on_volume: Callable[[int, VolumeRef], Any] | None) -> Export:
        ledger = Ledger(self._folder, self._call)
        listed = in_order(lambda ref: tuple(self._target.objects(ref.id)), self._volumes)
        objects = {
            ref.id: tuple(one for one in own if one.has_figure)
            for ref, own in zip(self._volumes, listed, strict=True)
        }
        parts = self._layout.parts(objects)
        reading = [ReadBack(job.volume, True, job.objects) for part in parts for job in part.jobs]
        made: list[Written] = []
        volumes = [job.volume for part in parts for job in part.jobs]
        with self._target.reading_back(reading) as there:
            told = with_progress(volumes, on_volume, "Exporting", "volume")
            for part in parts:
                done = ledger.done(part.key, part.state)
                steps = [next(told) for _ in part.jobs]
                if done is None:
                    done = _PartWriter(there, self._folder, self._layout, ledger).write(part)
                    ledger.end(part.key, part.state, done)
                assert len(steps) == len(part.jobs)
                made.append(done)
        return self._finish(made, ledger)

    def _finish(self, made: Sequence[Written], ledger: Ledger) -> Export:
        """Write what is of the whole export, and return the report."""
        files = [one for written in made for one in written.files]
        left = [one for written in made for one in written.left]
        notes = [*self._layout.notes(), *(note for written in made for note in written.notes)]
        own: list[ExportedFile] = []
        further = {pair for one in made for pair in one.further}
        used = {name for one in files for name in one.classes}
        entries = list(self._numbers.entries(further))
        if self._originals is not None and keeps_maps(self._originals, entries, used):
            for place, path in self._originals.maps:
                own.append(self._whole(str(path), "class map", place.read_bytes(), ledger))
        elif entries:
            name, content, wrong = class_map_file(entries)
            left += wrong
            own.append(self._whole(name, "class map", content, ledger))
        pairs = [pair for one in made for pair in one.mapped.items()]
        mapped = dict(pairs)
        if len(mapped) < len(set(pairs)):
            notes.append(f"no {MAPPING}: a file of masks is that of several volumes")
        elif mapped:
            own.append(self._whole(MAPPING, "mapping", json_bytes(mapped), ledger))
        if left:
            content = json_bytes([_left_json(one) for one in left])
            own.append(self._whole(LEFT, "not exported", content, ledger))
        ledger.close()
        entries_of = (*files, *own)
        return Export(self._folder, repr(self._target), entries_of, tuple(left), tuple(notes))

    def _whole(self, name: str, what: str, content: bytes, ledger: Ledger) -> ExportedFile:
        ledger.begin(name)
        land_bytes(inside(self._folder, *PurePosixPath(name).parts), content)
        return ExportedFile(name, what)


def _left_json(one: NotExported) -> dict[str, Any]:
    return {
        "volume": one.volume_id,
        "name": one.volume,
        "what": one.what,
        "class": one.name,
        "why": one.why,
        "content": one.content,
    }


class _PartWriter:
    """Writes the files of some volumes that belong together."""

    def __init__(self, target: Target, folder: Path, layout: Layout, ledger: Ledger) -> None:
        self._target, self._folder, self._layout = target, folder, layout
        self._ledger = ledger
        self._made = Written()
        self._grids: dict[int, Future[Grid]] = {}

    def write(self, part: Part) -> Written:
        """Return what was written; a set that has no room for an overlap is written otherwise."""
        self._made.notes += part.notes
        self._grids = {job.volume.id: Future() for job in part.jobs}
        pool = ThreadPoolExecutor(1)
        try:
            volumes = [pool.submit(self._volume, job) for job in part.jobs]
            masks = self._masks(part)
            for job, own, volume in zip(part.jobs, masks, volumes, strict=True):
                self._take(job, own, volume.result())
        finally:
            pool.shutdown(cancel_futures=True)
        return self._made

    def _volume(self, job: VolumeJob) -> str:
        """Write a volume; return why it cannot be, or nothing."""
        grid = self._grids[job.volume.id]
        try:
            return "" if job.path is None else self._written(job, job.path, grid)
        finally:
            if not grid.done():  # of a file that cannot be read the list still tells the grid
                grid.set_result(job.volume.grid)

    def _written(self, job: VolumeJob, name: PurePosixPath, told: Future[Grid]) -> str:
        self._ledger.begin(str(name))
        path = inside(self._folder, *name.parts)
        try:
            grid = self._target.volume_grid(job.volume.id)
            told.set_result(grid)
            if job.original is not None and self._is_original(job, job.original, grid):
                land_copy(job.original.path, path, job.original.content)
                return ""
            slices = self._target.iter_volume(job.volume.id)
            first = next(slices)
            with land_beside(path) as out:
                whole = chain((first,), slices)
                out.writelines(volume_pieces(grid, first.dtype, whole, packed=is_packed(path)))
        except UnreadableFile as error:
            return f"its voxels cannot be read: {error.message}"
        return ""

    def _is_original(self, job: VolumeJob, original: ImageFile, grid: Grid) -> bool:
        """Say whether a volume is that of its original file; else name it as another."""
        if is_same_volume(original, grid, self._target.iter_volume(job.volume.id)):
            return True
        job.remark = "the volume on the target is not that of the original file: RAS+ order"
        return False

    def _masks(self, part: Part) -> list[list[WrittenMask | Homeless]]:
        *first, last = self._layout.kinds(part)
        for kind in first:
            writer = MaskWriter(self._target, self._folder, self._ledger)
            try:
                return [list(self._write(writer, job, kind, strict=True)) for job in part.jobs]
            except Overlap:
                for path in writer.begun:
                    (self._folder / path).unlink(missing_ok=True)
        writer = MaskWriter(self._target, self._folder, self._ledger)
        return [list(self._write(writer, job, last)) for job in part.jobs]

    def _write(
        self, writer: MaskWriter, job: VolumeJob, kind: str, *, strict: bool = False
    ) -> Iterator[WrittenMask | Homeless]:
        # The file of a volume of an instance comes once, and tells its grid as it is written.
        grid = self._grids[job.volume.id].result()
        jobs, homeless = self._layout.masks(job, kind, grid)
        for ref, why in homeless:
            yield writer.homeless(ref, why)
        yield from writer.write(jobs, strict=strict)

    def _take(self, job: VolumeJob, own: Sequence[WrittenMask | Homeless], fault: str) -> None:
        """Note what was written of a volume, and write its score tables."""
        if fault:
            self._leave(job, "volume", job.volume.name, fault)
        elif job.path is not None:
            entry = ExportedFile(
                str(job.path), "volume", job.volume.id, job.name, remark=job.remark
            )
            self._note(job, entry)
        for one in own:
            if isinstance(one, Homeless):
                facts = None if one.drawing is None else one.drawing.runs()
                self._leave(job, "object", one.ref.class_name, one.why, facts)
                if one.ref.scores:
                    why = "scores of an object that no file has"
                    self._leave(job, "scores", one.ref.class_name, why, one.ref.scores)
            else:
                self._note(job, _mask_entry(job, one))
                if one.job.index is not None and one.job.number > 1:
                    self._made.further.append((one.placed[0].ref.class_name, one.job.number))
                self._scores(job, one)
        content = self._target.content(job.volume.id)
        self._made.left += leavings(job.volume, job.name, content)
        self._made.left += _several_figures(job)

    def _table_bytes(self, path: PurePosixPath, cells: Cells, text: str) -> bytes:
        """Return the original table where it says the same, else the one that is made."""
        original = self._layout.tables.get(path)
        if original is None:
            return text.encode()
        content = original.content or original.path.read_bytes()
        try:
            same = read_scores(original.path, content=content).cells == cells.cells
        except NiftiKitError:
            same = False
        return content if same else text.encode()

    def _note(self, job: VolumeJob, entry: ExportedFile) -> None:
        self._made.files.append(entry)
        if entry.what != "scores":
            self._made.mapped[entry.path] = job.volume.id

    def _leave(self, job: VolumeJob, what: str, name: str, why: str, content: Any = None) -> None:
        self._made.left.append(NotExported(job.volume.id, job.name, what, name, why, content))

    def _scores(self, job: VolumeJob, mask: WrittenMask) -> None:
        """Write the table of a label map's objects, and name what it cannot hold."""
        scored = [one for one in mask.placed if one.ref.scores]
        path, plane = self._layout.table(job, mask.job), self._layout.plane(job)
        if path is None or plane is None:
            for one in scored:
                why = "there are no score tables by volume: layout='by_plane' has them"
                self._leave(job, "scores", one.ref.class_name, why, one.ref.scores)
            return
        volume = self._grids[job.volume.id].result()
        cells = cells_of(scored, plane, frames_of(mask.job.grid, volume, plane))
        for ref, why, entry in cells.left:
            self._leave(job, "scores", ref.class_name, why, entry)
        if not cells.cells:
            return
        values = sorted({value for _, value in cells.cells})
        text = table_of(cells, values, str(path))
        names = {one.value: one.ref.class_name for one in scored}
        for frame, value, cell in wrong_cells(cells, text, str(path)):
            why = f"frame {frame} of {path.name} does not hold it as it is written"
            self._leave(job, "scores", names[value], why, list(cell))
        self._ledger.begin(str(path))
        land_bytes(inside(self._folder, *path.parts), self._table_bytes(path, cells, text))
        classes = tuple(dict.fromkeys(names.values()))
        self._note(job, ExportedFile(str(path), "scores", job.volume.id, job.name, classes))


def _mask_entry(job: VolumeJob, mask: WrittenMask) -> ExportedFile:
    classes = tuple(dict.fromkeys(one.ref.class_name for one in mask.placed))
    return ExportedFile(
        str(mask.job.path),
        "mask",
        job.volume.id,
        job.name,
        classes,
        len(mask.placed),
        mask.voxels,
        mask.remark,
    )


def _several_figures(job: VolumeJob) -> Iterator[NotExported]:
    """Name the objects that have several masks: each mask is an object of its own then."""
    figures: dict[tuple[int, str], list[ObjectRef]] = {}
    for ref in job.objects:
        figures.setdefault((ref.id, ref.key), []).append(ref)
    for (number, _), own in figures.items():
        if len(own) > 1:
            why = f"it has {len(own)} masks: each of them is an object of its own in the files"
            facts = {"object": number, "figures": [one.figure_id for one in own]}
            yield NotExported(job.volume.id, job.name, "object", own[0].class_name, why, facts)


__all__ = ["export"]
