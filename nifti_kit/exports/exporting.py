"""Export: a project, or some of its volumes, as NIfTI files that read back as what is there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from nifti_kit.core.files import inside, json_bytes, land_beside, land_bytes, land_copy
from nifti_kit.core.geometry import Grid
from nifti_kit.core.locks import held, lock_of
from nifti_kit.core.parallel import in_order, with_progress
from nifti_kit.core.text import counted
from nifti_kit.errors import (
    NiftiKitError,
    TargetError,
    UnreadableFile,
    a_path,
    visible,
    wrong_argument,
)
from nifti_kit.exports.classes import ClassNumbers, class_map_file
from nifti_kit.exports.jobs import Part, VolumeJob
from nifti_kit.exports.layouts import ByPlane, ByVolume, Layout, Places
from nifti_kit.exports.ledger import Ledger, Written
from nifti_kit.exports.likeness import LikeOriginals
from nifti_kit.exports.masks import Homeless, MaskWriter, Overlap, WrittenMask
from nifti_kit.exports.names import dataset_folders, volume_stems
from nifti_kit.exports.originals import Originals, keeps_maps, originals_of
from nifti_kit.exports.result import Export, ExportedFile, NotExported
from nifti_kit.exports.tables import Cells, WrongCell, cells_of, frames_of, table_of, wrong_cells
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.formats.nifti_output import is_packed, volume_pieces
from nifti_kit.formats.scores.reading import read_scores
from nifti_kit.targets.comparing import is_same_volume
from nifti_kit.targets.leavings import NO_FIGURE, leavings
from nifti_kit.targets.reading import chosen_volume
from nifti_kit.targets.records import ObjectRef, VolumeRef
from nifti_kit.targets.target import ReadBack, Target, a_target

LAYOUTS: dict[str, Callable[[Places, ClassNumbers], Layout]] = {
    "by_volume": ByVolume,
    "by_plane": ByPlane,
}

NO_FORM = "a NIfTI file has no form for it"

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
        beside. Volumes that are not among the files go by ``layout``, which a note says. A receipt
        knows no annotation file without an object.
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
    >>> import tempfile, nifti_kit as nk
    >>> out = tempfile.mkdtemp()
    >>> plan = nk.plan(nk.scan("data_samples/scores"))
    >>> target = nk.ProjectFolder(f"{out}/project", dataset="knee")
    >>> receipt = nk.upload(plan, target)
    >>> nk.export(target, f"{out}/nifti", layout="by_plane").ok
    True
    >>> len(nk.plan(nk.scan(f"{out}/nifti")).objects) == len(plan.objects)
    True
    >>> nk.export(target, f"{out}/as_it_was", like=receipt).ok
    True
    """
    a_target(target)
    a_path(folder)
    if layout not in LAYOUTS:
        raise wrong_argument("there is no such layout", layout, " or ".join(map(repr, LAYOUTS)))
    path = Path(folder).expanduser()
    originals = None
    chosen = _chosen(target, volumes)
    if like is not None:
        originals = originals_of(like, target, chosen)
    for place in filter(None, (target.path, originals and originals.root)):
        _refuse_within(path, place)
    exporter = _Exporter(target, path, layout, chosen, originals)
    with held(lock_of(path), "an export to this folder"):
        return exporter.run(on_volume)


def _chosen(
    target: Target, volumes: Iterable[VolumeRef | str | int] | None
) -> tuple[VolumeRef, ...]:
    """Return the volumes that are exported, each once, in the order of the target."""
    there = _Listed(tuple(target.volumes()))
    if volumes is None:
        return there.refs
    wanted = [volumes] if isinstance(volumes, str | int | VolumeRef) else list(volumes)
    asked = [one.id if isinstance(one, VolumeRef) else one for one in wanted]
    ids = {chosen_volume(there, one).id for one in asked}
    return tuple(ref for ref in there.refs if ref.id in ids)


@dataclass(frozen=True)
class _Listed:
    """The volumes of a target, which are listed once."""

    refs: tuple[VolumeRef, ...]

    def volumes(self) -> Sequence[VolumeRef]:
        return self.refs


def _refuse_within(folder: Path, place: Path) -> None:
    """Refuse to write into the project, or into the original files."""
    if folder.resolve().is_relative_to(place.resolve()):
        raise TargetError(
            "an export does not go into what it is made of",
            path=folder,
            found=f"a folder within {visible(place)}",
            remedy="Choose a folder elsewhere.",
        )


class _Exporter:
    def __init__(
        self,
        target: Target,
        folder: Path,
        layout: str,
        volumes: Sequence[VolumeRef],
        originals: Originals | None,
    ) -> None:
        self._target, self._folder, self._volumes = target, folder, volumes
        self._originals = originals
        self._objects = _objects(target, volumes)
        used = {one.class_name for own in self._objects.values() for one in own}
        classes = target.classes()
        given = {} if originals is None else originals.numbers
        self._numbers = ClassNumbers(classes, given, used)
        stems = volume_stems(volumes)
        folders = {ref.dataset: "" for ref in volumes}
        if not target.has_dataset:
            folders = dataset_folders(volumes, stems)
        places, make = Places(volumes, stems, folders), LAYOUTS[layout]
        self._layout: Layout = (
            make(places, self._numbers)
            if originals is None
            else LikeOriginals(originals, places, self._numbers, target, make)
        )
        known = None if originals is None else originals.name
        facts = [target.where, layout, [[v.id, v.name] for v in volumes], repr(classes), known]
        self._call = json.dumps(facts)

    def run(self, on_volume: Callable[[int, VolumeRef], Any] | None) -> Export:
        ledger = Ledger(self._folder, self._call)
        parts = self._layout.parts(self._objects)
        reading = [ReadBack(job.volume, True, job.objects) for part in parts for job in part.jobs]
        made: list[Written] = []
        volumes = [job.volume for part in parts for job in part.jobs]
        with self._target.reading_back(reading) as there:
            told = with_progress(volumes, on_volume, "Exporting", "volume")
            for part in parts:
                done = ledger.done(part.key, part.state)
                for _ in part.jobs:
                    next(told)
                if done is None:
                    done = _PartWriter(there, self._folder, self._layout, ledger).write(part)
                    ledger.end(part.key, part.state, done)
                made.append(done)
            for _ in told:  # there is none: its bar goes
                pass
        return self._finish(made, ledger)

    def _finish(self, made: Sequence[Written], ledger: Ledger) -> Export:
        """Write what is of the whole export, and return the report."""
        files = [one for written in made for one in written.files]
        left = [one for written in made for one in written.left]
        notes = [
            *self._numbers.made_up,
            *self._layout.notes(),
            *(note for written in made for note in written.notes),
        ]
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
        elif any(one.what == "mask" for one in files):
            # A mapping that names volumes alone would make annotations of them.
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


def _objects(target: Target, volumes: Sequence[VolumeRef]) -> dict[int, tuple[ObjectRef, ...]]:
    """Return the objects of each volume that have a figure, by the volume's id."""
    listed = in_order(lambda ref: tuple(target.objects(ref.id)), volumes)
    return {
        ref.id: tuple(one for one in own if one.has_figure)
        for ref, own in zip(volumes, listed, strict=True)
    }


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
        yield from writer.write(jobs, grid, strict=strict)

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
        custom = {one.figure_key: one.scores for one in job.objects}
        for left in leavings(content, custom):
            why = left.text if left.text == NO_FIGURE else f"{left.text}: {NO_FORM}"
            self._leave(job, left.what, left.name or job.volume.name, why, left.content)
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
        names = {one.value: one.ref.class_name for one in scored}
        text = table_of(cells, sorted({value for _, value in cells.cells}), str(path))
        remark = self._compare(job, path, wrong_cells(cells, text, str(path)), names)
        self._ledger.begin(str(path))
        land_bytes(inside(self._folder, *path.parts), self._table_bytes(path, cells, text))
        classes = tuple(dict.fromkeys(names.values()))
        table = ExportedFile(str(path), "scores", job.volume.id, job.name, classes, remark=remark)
        self._note(job, table)

    def _compare(
        self,
        job: VolumeJob,
        path: PurePosixPath,
        wrong: Iterable[WrongCell],
        names: Mapping[int, str],
    ) -> str:
        """Name the cells that a table does not hold; return what is to be known of the others."""
        digits = 0
        for cell in wrong:
            digits += cell.is_same_number
            if not cell.is_same_number:
                why = f"frame {cell.frame} of {path.name} does not hold it as it is written"
                self._leave(job, "scores", names[cell.value], why, list(cell.entry))
        return f"{counted(digits, 'score')} in other digits: two decimals at least" * bool(digits)


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
