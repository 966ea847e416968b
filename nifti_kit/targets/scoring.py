"""Scores for figures that are there: what they become, and what is kept of what goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from nifti_kit.core.targets_files import land_json
from nifti_kit.errors import TargetError
from nifti_kit.plans.plan import CustomData
from nifti_kit.plans.score_updates import ScoreUpdate, SliceScores
from nifti_kit.targets.folder.keys import read_json
from nifti_kit.targets.target import ItemJob, ObjectRef, ScoreChange, Target, VolumeRef

__all__ = ["keep_scores", "with_scores"]

SHOWN_SLICES = 8
"""Slices that an error lists before it counts the rest."""

_Figure = tuple[str, str]


def with_scores(job: ItemJob, target: Target, existing: str, session: str) -> ItemJob:
    """Return a job with the scores that its figures get.

    What an interrupted run of the same session kept is what was there before.

    Raises
    ------
    TargetError
        If a figure is gone, or has other scores and ``existing`` does not allow for that.
    """
    if not job.item.updates:
        return job
    there = {(o.key, o.figure_key): o for o in target.objects(job.volume.id)}
    backup = target.kept_in(session)
    earlier = _kept_earlier(_kept_scores(backup, job.volume))
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
    before = dict(ref.scores.get(update.plane, {}))
    clashes = [k for k, new in update.new.items() if k in before and before[k] != new]
    if clashes and existing == "error":
        raise _scored(volume, update, clashes)
    slices = _slices(before, update.new, existing)
    ordered = {index: slices[index] for index in sorted(slices, key=_number)}
    scores: CustomData = {**ref.scores, update.plane: ordered}
    return ScoreChange(update, replace(ref, scores=scores), before)


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
    more = f" and {len(clashes) - SHOWN_SLICES} more" if len(clashes) > SHOWN_SLICES else ""
    return TargetError(
        f"{update.class_name} (object {update.object_id}) of the volume {volume.name!r} has other "
        "scores already",
        found=f"on slices {', '.join(clashes[:SHOWN_SLICES])}{more} of plane {update.plane}",
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
    return backup / "scores" / volume.dataset / f"{volume.name}.json"


def _kept_earlier(path: Path) -> dict[_Figure, SliceScores]:
    rows: list[dict[str, Any]] = read_json(path) if path.exists() else []
    return {(row["figure_key"], row["plane"]): row["scores"] for row in rows}


def keep_scores(job: ItemJob) -> None:
    """Keep what a job's scores replace, as JSON, before they are written.

    Where the file is there, an earlier try of the same job kept it.
    """
    if job.backup is None or not any(change.lost for change in job.updates):
        return
    path = _kept_scores(job.backup, job.volume)
    if not path.exists():
        land_json(path, list(_rows(job)))


def _rows(job: ItemJob) -> Iterator[dict[str, Any]]:
    for change in job.updates:
        yield {
            "object": change.ref.id,
            "figure": change.ref.figure_id,
            "figure_key": change.ref.figure_key,
            "class": change.ref.class_name,
            "plane": change.update.plane,
            "scores": change.before,
        }
