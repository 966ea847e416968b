"""Masks: objects are read side by side, put into label maps, and written one map at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from nifti_kit.core.files import inside, land_beside
from nifti_kit.core.geometry import Grid, placed_on
from nifti_kit.core.parallel import ahead, cores
from nifti_kit.errors import UnreadableFile
from nifti_kit.exports.drawings import OVERLAPS, Drawing, LabelMap, read_drawing
from nifti_kit.exports.jobs import MaskJob
from nifti_kit.exports.ledger import Ledger
from nifti_kit.formats import deflate
from nifti_kit.formats.labels import read_labels
from nifti_kit.formats.nifti import read_header
from nifti_kit.formats.nifti_output import (
    is_packed,
    label_map_bytes,
    relabelled_pieces,
    stored_number,
)
from nifti_kit.targets.records import ObjectRef
from nifti_kit.targets.target import NoMask, Target

AT_A_TIME = max(2, min(4, cores()))
"""Masks that are read side by side; more than there are processors get in each other's way."""

J = TypeVar("J")

SHARED = "it is the file of several volumes, and holds the same labels of each"
OWN = "its original is the file of several volumes, of which another one has other labels"

EMPTY = "its mask has no voxel"


class Overlap(Exception):
    """Two objects of one label map overlap, and another form has room for both."""


@dataclass(frozen=True)
class Placed:
    """An object that is in a file, with its value there."""

    ref: ObjectRef
    value: int


@dataclass(frozen=True)
class WrittenMask:
    """A label map that was written, and the objects in it."""

    job: MaskJob
    placed: tuple[Placed, ...]
    voxels: int
    off: str

    @property
    def remark(self) -> str:
        """What is to be known of it."""
        return "; ".join(filter(None, (self.job.remark, self.off)))


@dataclass(frozen=True)
class Homeless:
    """An object that no file has, and why; its voxels where they can be read."""

    ref: ObjectRef
    why: str
    drawing: Drawing | None = None


class MaskWriter:
    """Writes label maps of the objects of a target.

    ``ledger``: is told of each file before it is written.
    """

    def __init__(self, target: Target, folder: Path, ledger: Ledger) -> None:
        self._target, self._folder, self._ledger = target, folder, ledger
        self.begun: list[str] = []  # the paths of the files that were begun

    def write(
        self, jobs: Sequence[MaskJob], volume: Grid, *, strict: bool = False
    ) -> Iterator[WrittenMask | Homeless]:
        """Yield each label map that was written, and each object that is in none.

        ``volume`` is where the voxels of their volume are on the target (RAS+ mm). One map is
        filled while another one is written.

        Raises Overlap: where ``strict``, if two objects of one map overlap.
        """
        waiting = list(jobs)
        with ThreadPoolExecutor(AT_A_TIME) as pool, ThreadPoolExecutor(1) as writer:
            while waiting:
                maps = _Maps(self, writer, volume, strict=strict)
                pairs = [(job, *layer) for job in waiting for layer in job.layers]
                for job, value, read in ahead(pool, self._read, pairs, AT_A_TIME):
                    yield from maps.take(job, value, read)
                for job in waiting:
                    if not job.layers:  # all that was in it is gone: what is left is background
                        yield from maps.blank(job)
                yield from maps.finish()
                waiting = maps.again

    def _read(self, layer: tuple[J, ObjectRef, int]) -> tuple[J, int, Drawing | Homeless]:
        job, ref, value = layer
        try:
            drawing = read_drawing(self._target, ref)
        except (NoMask, UnreadableFile) as error:
            return job, value, Homeless(ref, f"its mask cannot be read: {error.message}")
        return job, value, drawing if drawing.pages else Homeless(ref, EMPTY)

    def homeless(self, ref: ObjectRef, why: str) -> Homeless:
        """Return an object that has no place in any file, with its voxels."""
        _, _, read = self._read((None, ref, 0))
        return Homeless(ref, why, read) if isinstance(read, Drawing) else read

    def land(self, job: MaskJob, labels: LabelMap) -> None:
        """Write a label map, whole or not at all.

        Where the file is there already, it is one of several volumes: it stays if it holds the
        same labels, and else this volume has a file of its own.
        """
        path = inside(self._folder, *job.path.parts)
        if path.exists():
            job.remark = SHARED
            if np.array_equal(read_labels(read_header(path)).voxels, labels.voxels):
                return
            job.remark, job.path = OWN, job.alias or job.path
            path = inside(self._folder, *job.path.parts)
        self.begun.append(str(job.path))
        self._ledger.begin(str(job.path))
        with land_beside(path) as out:
            if job.original is not None:
                out.writelines(relabelled_pieces(job.original, labels.voxels))
                return
            content = label_map_bytes(job.grid, labels.voxels, labels.box)
            out.write(content if is_packed(path) else deflate.unpack(content))


class _Maps:
    """The label maps of one pass over some objects: one is filled, one is written."""

    def __init__(
        self, owner: MaskWriter, writer: ThreadPoolExecutor, volume: Grid, *, strict: bool
    ) -> None:
        self._owner, self._writer, self._strict = owner, writer, strict
        self._volume = volume
        self.again: list[MaskJob] = []
        """What is written in another pass: further files, and maps that need another grid."""
        self._job: MaskJob | None = None
        self._labels: LabelMap | None = None
        self._placed: list[Placed] = []
        self._voxels = 0
        self._further: MaskJob | None = None
        self._under_way: tuple[Future[None], WrittenMask] | None = None

    def take(
        self, job: MaskJob, value: int, read: Drawing | Homeless
    ) -> Iterator[WrittenMask | Homeless]:
        """Put an object into its map; yield what is finished by then."""
        if job is not self._job:
            yield from self._close()
            self._open(job)
        if isinstance(read, Homeless):
            yield read
        elif self._labels is not None:
            yield from self._put(job, self._labels, value, read)

    def blank(self, job: MaskJob) -> Iterator[WrittenMask]:
        """Take a map without objects; yield what is finished by then."""
        yield from self._close()
        self._open(job)

    def _open(self, job: MaskJob) -> None:
        self._job, self._placed, self._voxels, self._further = job, [], 0, None
        self._labels = LabelMap(job.grid, job.highest, self._volume)
        values = [value for _, value in job.layers]
        if job.original is not None and placed_on(job.grid, self._volume) is None:
            self._move("its original is of another image")
        elif job.original is not None and any(
            stored_number(job.original, value) is None for value in (0, *values)
        ):
            self._move("the type of its original holds no such value: it has a new header")

    def _put(
        self, job: MaskJob, labels: LabelMap, value: int, drawing: Drawing
    ) -> Iterator[Homeless]:
        why = labels.add(drawing, value)
        if not why:
            self._placed.append(Placed(drawing.ref, value))
            self._voxels += drawing.voxels
        elif why == OVERLAPS and self._strict:
            raise Overlap
        elif why == OVERLAPS and job.further is not None:
            self._put_beside(job, drawing.ref)
        elif why != OVERLAPS and job.fallback is not None:
            self._move(f"{why[:2]} object of {drawing.ref.class_name!r}{why[2:]}")
        else:
            yield Homeless(drawing.ref, why, drawing)

    def _put_beside(self, job: MaskJob, ref: ObjectRef) -> None:
        if self._further is None:
            assert job.further is not None
            self._further = job.further()
            self.again.append(self._further)
        self._further.layers.append((ref, len(self._further.layers) + 1))

    def _move(self, why: str) -> None:
        """Write the map that is being filled in another pass, on its other grid."""
        job = self._job
        assert job is not None
        self.again = [one for one in self.again if one is not self._further]
        grid = job.fallback or job.grid
        moved = MaskJob(job.path, grid, job.layers, job.further, job.index, job.number, remark=why)
        self.again.append(moved)
        self._labels = None

    def _close(self) -> Iterator[WrittenMask]:
        """Begin to write the map that was filled, once the one before is written."""
        job, labels = self._job, self._labels
        self._job = self._labels = None
        yield from self._landed()
        if job is None or labels is None or not (self._placed or job.original):
            return
        off = ""
        if labels.off_mm:
            off = f"a mask's header is {labels.off_mm:.2g} mm off its volume's: taken by voxels"
        done = WrittenMask(job, tuple(self._placed), self._voxels, off)
        self._under_way = (self._writer.submit(self._owner.land, job, labels), done)

    def _landed(self) -> Iterator[WrittenMask]:
        if self._under_way is not None:
            future, done = self._under_way
            self._under_way = None
            future.result()
            yield done

    def finish(self) -> Iterator[WrittenMask]:
        """Yield the last maps."""
        yield from self._close()
        yield from self._landed()
