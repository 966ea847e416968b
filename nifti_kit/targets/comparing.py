"""What a plan and a target have in common: the same volume, the same mask, classes that fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.files import inside, land_json, read_json, short_name
from nifti_kit.core.geometry import SAME_MM, Grid
from nifti_kit.core.parallel import T
from nifti_kit.core.text import listed
from nifti_kit.datasets.items import MaskFile
from nifti_kit.errors import TargetError, UnreadableFile, visible
from nifti_kit.formats.labels import read_labels
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.formats.volumes import open_volume
from nifti_kit.targets.annotation import MASK_3D
from nifti_kit.targets.records import (
    CustomData,
    ItemJob,
    ObjectRef,
    PlannedClass,
    PlannedItem,
    PlannedObject,
    ScoreChange,
    ScoreUpdate,
    SliceScores,
    VolumeRef,
)
from nifti_kit.targets.target import Masks, NoMask, Target

CHOICES = (
    "Choose existing='skip' (keep what is identical), 'replace' (of the same classes) or 'append'."
)


def is_same_grid(ours: Grid, theirs: Grid) -> bool:
    """Say whether two grids have the same voxels in the same places, to 1e-4 mm."""
    if ours.shape != theirs.shape:
        return False
    corners = ours.corners()
    moved = np.linalg.norm(ours.world(corners) - theirs.world(corners), axis=1)
    return bool(moved.max() <= SAME_MM)


def is_same_volume(image: ImageFile, grid: Grid, pages: Iterable[npt.NDArray[Any]]) -> bool:
    """Say whether a volume of a target, slice by slice in the order of k, is that of a file."""
    opened = open_volume(image)
    return is_same_grid(opened.grid, grid) and all(
        ours is not None and theirs is not None and np.array_equal(ours, theirs, equal_nan=True)
        for ours, theirs in zip_longest(opened.slices(), pages)
    )


class Comparison:
    """Holds the objects of an item against those of a target; one label map is in memory."""

    def __init__(self, target: Masks, item: PlannedItem) -> None:
        self.target, self.item = target, item
        self._read: tuple[MaskFile, npt.NDArray[Any]] | None = None

    def identical(self, there: Sequence[ObjectRef]) -> dict[int, ObjectRef]:
        """Return which planned objects are there already, voxel for voxel, each once."""
        kept: dict[int, ObjectRef] = {}
        free = list(there)
        for at, planned in enumerate(self.item.objects):
            for ref in free:
                if ref.class_name == planned.class_name and self.is_same(planned, ref):
                    kept[at] = ref
                    free.remove(ref)
                    break
        return kept

    def is_same(self, planned: PlannedObject, ref: ObjectRef) -> bool:
        """Say whether an object that is there has the scores and the voxels of a planned one.

        One whose voxels are not there, or are no mask, has not.
        """
        if not ref.has_figure or planned.scores != ref.scores:
            return False
        labels = self._labels(planned.mask)
        inside = planned.orientation.apply(labels[planned.label.box]) == planned.value
        try:
            return is_same_grid(planned.grid, self.target.mask_grid(ref)) and self._is_drawn(
                planned, inside, self.target.iter_mask(ref)
            )
        except (UnreadableFile, NoMask):
            return False

    def _labels(self, mask: MaskFile) -> npt.NDArray[Any]:
        if self._read is None or self._read[0] is not mask:
            self._read = None  # one label map in memory at a time
            self._read = (mask, read_labels(mask.image).voxels)
        return self._read[1]

    def _is_drawn(
        self,
        planned: PlannedObject,
        inside: npt.NDArray[np.bool_],
        pages: Iterable[npt.NDArray[Any]],
    ) -> bool:
        i, j, through = planned.box
        expected = np.zeros(planned.grid.shape[:2], dtype=bool)
        for k, page in enumerate(pages):
            within = through.start <= k < through.stop
            expected[i, j] = inside[:, :, k - through.start] if within else False
            if not np.array_equal(expected, page != 0):
                return False
        return True


def name_taken(dataset: str, name: str, path: Any) -> TargetError:
    """Return the error for a volume of a name that is there; ``dataset`` is where, in words."""
    return TargetError(f"{dataset} has a volume {name!r} already", path=path, remedy=CHOICES)


def other_volume(dataset: str, name: str, path: Any) -> TargetError:
    """Return the error for a volume of a name that is there with another content."""
    return TargetError(
        f"{dataset} has another volume of the name {name!r}",
        path=path,
        found="other voxels, or another place in space",
        remedy="Rename the file, or choose another dataset.",
    )


def occupied(volume: VolumeRef, clashes: Sequence[ObjectRef], path: Any) -> TargetError:
    """Return the error for objects of the same classes that are there, and were not expected."""
    return TargetError(
        f"the volume {volume.name!r} has objects of these classes already",
        path=path,
        found=", ".join(sorted({ref.class_name for ref in clashes})),
        remedy=CHOICES,
    )


def refuse_other_shapes(
    classes: Sequence[PlannedClass], known: Iterable[dict[str, Any]], path: Any
) -> None:
    """Refuse classes that are in a project's meta with a shape that cannot hold a mask."""
    shapes = {found["title"]: found.get("shape", MASK_3D) for found in known}
    for planned in classes:
        shape = shapes.get(planned.name, MASK_3D)
        if shape not in (MASK_3D, "any"):
            raise TargetError(
                f"the class {planned.name!r} is there with another shape",
                path=path,
                found=shape,
                expected=MASK_3D,
                remedy="Plan with the target, plan(..., target=target), which renames the class; "
                "or rename it yourself.",
            )


# Scores for figures that are there: what they become, and what is kept of what goes

SHOWN_SLICES = 8
"""Slices that an error lists before it counts the rest."""

_Figure = tuple[str, str]


def with_scores(job: ItemJob, target: Target, existing: str, session: str) -> ItemJob:
    """Return a job with the scores that its figures get.

    What an interrupted run of the same session kept is what was there before.

    Raises TargetError if a figure is gone, or has other scores and ``existing`` does not allow for
    that.
    """
    if not job.item.updates:
        return job
    there = {(o.key, o.figure_key): o for o in target.objects(job.volume.id)}
    backup = target.kept_in(session)
    aside = _kept_scores(backup, job.volume)
    earlier = read_kept(aside, _scores_in) if aside.exists() else {}
    changes: list[ScoreChange] = []
    for update in job.item.updates:
        figure = (update.object_key, update.figure_key)
        if figure not in there:
            raise _gone(job.volume, update)
        change = _change(update, there[figure], existing, job.volume)
        there[figure] = change.ref
        kept = earlier.get((update.figure_key, update.plane))
        changes.append(change if kept is None else replace(change, before=kept))
    lost = any(change.lost for change in changes)
    return replace(job, updates=tuple(changes), backup=backup if lost else job.backup)


def _change(update: ScoreUpdate, ref: ObjectRef, existing: str, volume: VolumeRef) -> ScoreChange:
    before = ref.scores.get(update.plane, {})
    clashes = [k for k, new in update.new.items() if k in before and before[k] != new]
    if clashes and existing == "error":
        raise _scored(volume, update, clashes)
    return changed_scores(update, ref, existing)


def changed_scores(update: ScoreUpdate, ref: ObjectRef, existing: str = "append") -> ScoreChange:
    """Return what becomes of a figure's scores; by default the table's slices are among them."""
    before = dict(ref.scores.get(update.plane, {}))
    slices = _slices(before, update.new, existing)
    ordered = {index: slices[index] for index in sorted(slices, key=_number)}
    scores: CustomData = {**ref.scores, update.plane: ordered}
    return ScoreChange(update, replace(ref, scores=scores), before, before)


def _slices(before: SliceScores, new: SliceScores, existing: str) -> SliceScores:
    """Return the scores of a plane: what was there and what the table says, as chosen."""
    if existing == "skip":
        return {**new, **before}
    if existing == "replace":
        return new
    # What the table leaves blank stays: comments are written on the platform.
    merged = {
        index: {**before.get(index, {}), **{k: v for k, v in entry.items() if v is not None}}
        for index, entry in new.items()
        if index in before
    }
    return {**before, **new, **merged}


def _number(index: str) -> tuple[int, str]:
    return (int(index) if index.isdecimal() else -1, index)


def _scored(volume: VolumeRef, update: ScoreUpdate, clashes: list[str]) -> TargetError:
    return TargetError(
        f"{update.class_name} (object {update.object_id}) of the volume {volume.name!r} has other "
        "scores already",
        found=f"on slices {listed(clashes, SHOWN_SLICES)} of plane {update.plane}",
        expected=f"none, or those of {update.table.relative}",
        remedy="Choose existing='skip' (keep what is there), 'replace' (the plane's scores become "
        "those of the table) or 'append' (the table's slices win).",
    )


def _gone(volume: VolumeRef, update: ScoreUpdate) -> TargetError:
    return TargetError(
        f"the object {update.object_id} ({update.class_name}) is no longer on the volume "
        f"{volume.name!r}",
        expected=f"the object that {update.table.relative} scores",
        remedy="Plan again: plan(..., target=target).",
    )


def _kept_scores(backup: Path, volume: VolumeRef) -> Path:
    return inside(backup, "scores", *_folders(volume), short_name(volume.name, ".json"))


def _scores_in(content: Any) -> dict[_Figure, SliceScores]:
    found: dict[_Figure, SliceScores] = {}
    for row in content:
        match row:
            case {"figure_key": str(key), "plane": str(plane), "scores": dict(scores)}:
                found[key, plane] = scores
            case _:
                raise ValueError(f"{visible(row)} in it")
    return found


def keep_scores(job: ItemJob) -> None:
    """Keep what a job's scores replace, as JSON, before they are written.

    Where a file holds just that, an earlier try of the same job kept it; what somebody has changed
    since is kept beside it.
    """
    if job.backup is None or not any(change.lost for change in job.updates):
        return
    rows = list(_rows(job))
    for path in places_of(_kept_scores(job.backup, job.volume)):
        if not path.exists():
            land_json(path, rows, private=True)
            return
        if read_kept(path, list) == rows:
            return


def _rows(job: ItemJob) -> Iterator[dict[str, Any]]:
    for change in job.updates:
        has_landed = change.seen == change.landed
        yield {
            "object": change.ref.id,
            "figure": change.ref.figure_id,
            "figure_key": change.ref.figure_key,
            "class": change.ref.class_name,
            "plane": change.update.plane,
            "scores": change.before if has_landed else change.seen,
        }


def is_scored(now: SliceScores, change: ScoreChange, path: Any) -> bool:
    """Say whether a figure has the scores of a change already; ``now`` are those of its plane.

    Raises TargetError if somebody has changed them since they were looked at.
    """
    if now in (change.landed, change.seen):
        return now == change.landed
    raise TargetError(
        f"the scores of {change.update.class_name} (object {change.ref.id}) were changed meanwhile",
        path=path,
        found=f"others on plane {change.update.plane} than when the upload began",
        remedy="Make the same call again: existing= decides about them.",
    )


def read_kept(path: Path, parse: Callable[[Any], T]) -> T:
    """Return what an earlier try of an upload has kept in a JSON file.

    Raises TargetError if the file was damaged, or holds something else.
    """
    try:
        return parse(read_json(path))
    except (TargetError, AttributeError, KeyError, TypeError, ValueError) as error:
        found = error.found if isinstance(error, TargetError) else error
        raise TargetError(
            "what an earlier try of this upload has kept cannot be read",
            path=path,
            found=found,
            remedy="Move the file away, then make the same call again.",
        ) from error


def places_of(first: Path) -> Iterator[Path]:
    """Yield where something is kept: the first place; then others, for what has changed since."""
    yield first
    for number in count(2):
        yield first.parent / f"kept-{number}" / first.name


def backup_of(backup: Path, volume: VolumeRef) -> Path:
    """Return where the annotation of a volume is kept, with the masks that go, before they go.

    Raises TargetError if the name of the volume, or of its dataset, would lead elsewhere.
    """
    folder = inside(backup, *_folders(volume), short_name(volume.name))
    return inside(folder, short_name(volume.name, ".json"))


def _folders(volume: VolumeRef) -> list[str]:
    return [short_name(name) for name in volume.dataset.split("/")]
