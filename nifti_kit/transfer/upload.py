"""Upload: a plan onto a target, item by item, with progress, a journal and a receipt."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import closing, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from nifti_kit.checks.geometry import landing, misaligned
from nifti_kit.core.files import digest
from nifti_kit.core.findings import Finding, Findings
from nifti_kit.core.geometry import NORMALS, PLANES, Cutout, compare_grids
from nifti_kit.core.memory import give_back
from nifti_kit.core.text import counted, listed
from nifti_kit.errors import PlanBlocked, TargetError, of_kind
from nifti_kit.plans.plan import Plan
from nifti_kit.plans.provenance import now
from nifti_kit.targets.comparing import with_scores
from nifti_kit.targets.records import (
    CustomData,
    ItemJob,
    PlannedItem,
    PlannedObject,
    VolumeRef,
    job_name,
)
from nifti_kit.targets.target import EXISTING, Gone, Target, a_target
from nifti_kit.transfer.journal import Journal
from nifti_kit.transfer.landed import LandedItem, LandedObject
from nifti_kit.transfer.receipt import Receipt
from nifti_kit.transfer.workers import (
    Ended,
    OnProgress,
    Reporter,
    executor_of,
    progress_bar,
    size_of,
    written,
)

_LOG = logging.getLogger("nifti_kit.transfer")


def upload(
    plan: Plan,
    target: Any,
    *,
    existing: str = "error",
    on_progress: OnProgress | None = None,
    executor: Executor | Any = None,
    journal: str | os.PathLike[str] | None = None,
) -> Receipt:
    """Land a plan on a target and return the receipt.

    Nothing is written before every item was found to fit what is on the target. The same call goes
    on where an earlier one ended, whatever ended it: it completes what its journal proves to be its
    own and unchanged. What others drew, changed or uploaded meanwhile stays, and ``existing``
    decides as in a first call; a file that was mended meanwhile is seen.

    Parameters
    ----------
    plan
        What :func:`nifti_kit.plan` returned; without blockers.
    target
        Such as :class:`nifti_kit.ProjectFolder`.
    existing
        What to do with volumes and objects of the same classes that are there: ``error``,
        ``skip`` (keep what is identical), ``replace`` (objects of the same classes; what goes is
        kept beside the project), ``append``. For score tables without masks: ``error`` if a
        slice has another score, ``skip`` (add to slices without a score), ``replace`` (the
        plane's scores become those of the table), ``append`` (merge; the table's slices win).
    on_progress
        Called with a :class:`Progress` after each item, and within an item as voxels, slices and
        masks land; a bar by default. An exception that it raises ends the upload soon, within an
        item too: the same call with the same journal goes on from there. Calls come one at a
        time, from the thread of the item. With an executor of another kind,
        whose workers may be other processes, only whole items are told.
    executor
        Lands items in parallel: a :class:`concurrent.futures.Executor`, or a Dask ``Client``, whose
        executor is taken. Each worker takes the memory of one volume and its label map. By
        default threads: for an instance a few small items at a time, else one item at a time,
        whose parts are worked on side by side.
    journal
        A file that remembers what has landed, and stays when all has. By default the target has one
        of its own, for the source's path and the target, until all has landed. One call at a time
        uses it.

    Raises
    ------
    PlanBlocked
        If the plan is empty, has errors that nobody waived, a mask does not fit the volume it is
        for, or a file holds something else than when the plan was made.
    TargetError
        If the target refuses, ``existing`` does not allow for what is there, the same upload is
        under way already, or the workers of ``executor`` are gone.
    UnreadableFile
        If a volume turns out to be damaged; what landed before stays, and is in the journal.
    WrongArgument
        If ``plan`` is no plan, or ``target`` no target.
    """
    of_kind(plan, Plan, "nk.plan(...)")
    a_target(target)
    if existing not in EXISTING:
        raise TargetError("existing has no such choice", found=existing, expected=str(EXISTING))
    executor = executor_of(executor)
    refuse_blocked(plan.blockers)
    _refuse_own_source(plan, "project", target.path)
    _refuse_own_source(plan, "journal", journal)
    own = own_journal(target, plan.origin) if journal is None else None
    notes = Journal(journal if own is None else own, plan.origin, repr(target))
    # A project folder lets one upload at a time write to it, whatever its plan, and says so first.
    is_guarded = own is not None and target.path is not None
    outer, inner = (nullcontext(), notes.held()) if is_guarded else (notes.held(), nullcontext())
    with outer, target.remembering() as landing, inner:
        notes.read()
        receipt = _landed_plan(plan, landing, existing, notes, executor, on_progress)
        if own is not None:
            notes.close()
    return receipt


def _landed_plan(
    plan: Plan,
    target: Target,
    existing: str,
    notes: Journal,
    executor: Executor | None,
    on_progress: OnProgress | None,
) -> Receipt:
    begun = now()
    items, findings = placed(plan, target)
    refuse_blocked(findings.errors)
    refuse_changed(items)
    jobs = [_reserved(item, target, existing, notes) for item in items]
    target.add_classes(plan.classes)
    target.commit(())  # the ids are durable before anything that bears them
    notes.expect(len(jobs))
    bar = progress_bar(size_of(jobs)) if on_progress is None else nullcontext(on_progress)
    with bar as told:
        jobs = _run(jobs, target, notes, executor, Reporter(told, jobs))
    landed = tuple(_landed(job, notes) for job in jobs)
    kept = target.kept_in(notes.session)  # also by an earlier try, which did not come to say so
    backup = kept if kept.exists() else None
    made_of = replace(
        plan.provenance,
        choices={**plan.provenance.choices, "existing": existing},
        target=target_text(target),
        session=notes.session,
        begun=begun,
        ended=now(),
    )
    return Receipt(repr(target), landed, findings, backup, plan.source, plan.left_out, made_of)


def target_text(target: Target) -> str:
    """Return a target in words that can be published: of a folder its name."""
    return repr(target) if target.path is None else f"the project {target.path.resolve().name}"


def refuse_changed(items: Sequence[PlannedItem]) -> None:
    """Refuse a plan whose files hold something else by now: its counts and boxes are not theirs."""
    changed = [name for item in items for name in item.changed_files()]
    if changed:
        raise PlanBlocked(
            f"{counted(len(changed), 'file')} changed since the plan was made",
            found=listed(changed, SHOWN),
            remedy="Scan and plan again: nk.plan(nk.scan(...)); then the same call.",
        )


SHOWN = 8
"""Files that an error names before it counts the rest."""


def refuse_blocked(blockers: Findings) -> None:
    """Refuse a plan while anything stands in its way."""
    if not blockers:
        return
    raise PlanBlocked(
        f"{counted(len(blockers), 'error')} in the way",
        found="\n" + repr(blockers),
        remedy=_way_through(blockers),
    )


def _way_through(blockers: Findings) -> str:
    """Return how blockers can be accepted: each by its file, or all of a code."""
    pairs = [(found.code, found.path) for found in blockers]
    if {code for code, _ in pairs} <= {"plan-empty", "source-empty"}:  # to accept it lands nothing
        return blockers[0].remedy
    one = f"plan(dataset, waive=[{pairs[0]!r}])"
    every = f"plan(dataset, waive={tuple(blockers.by_code())!r})"
    return (
        f"Mend the files, or accept a finding: of one file, {one}; all of a code, by its code: "
        f"{every}. What cannot land is left out, and named."
    )


def _refuse_own_source(plan: Plan, what: str, path: str | os.PathLike[str] | None) -> None:
    """Input folders are never written to: project and journal may not lie inside the source."""
    if path is not None and plan.source.holds(path):
        raise TargetError(
            f"the {what} would be written into its own source",
            path=path,
            expected=f"a folder outside {plan.source.given.resolve()}",
            remedy=f"Choose another folder for the {what}.",
        )


def placed(plan: Plan, target: Target) -> tuple[list[PlannedItem], Findings]:
    """Return the items with annotations turned into the order of their volumes on the target.

    Each mask's grid is compared with that of the volume it is meant for, in world space, so that
    a wrong match is found before anything is written.
    """
    is_asked = any(item.volume_id is not None for item in plan.items)
    there = {found.id: found for found in target.volumes()} if is_asked else {}
    found: list[Finding] = []
    items = []
    for item in plan.items:
        if item.volume_id is None:
            items.append(item)
        elif item.volume_id not in there:
            raise _no_volume(item, there)
        else:
            objects = [_fitted(o, there[item.volume_id], found) for o in item.objects]
            items.append(replace(item, objects=tuple(objects)))
    return items, Findings([*plan.findings, *found], plan.waive)


def _no_volume(item: PlannedItem, there: dict[int, VolumeRef]) -> TargetError:
    names = ", ".join(f"{ref.id} ({ref.dataset}/{ref.name})" for ref in there.values())
    return TargetError(
        f"the target has no volume with id {item.volume_id}",
        found=names or "no volumes",
        expected=f"a volume for {item.objects[0].mask.relative}" if item.objects else None,
        remedy="Correct the id in the mapping, or choose the right project and dataset.",
    )


def _fitted(planned: PlannedObject, volume: VolumeRef, found: list[Finding]) -> PlannedObject:
    if volume.grid.problem:
        raise TargetError(
            f"the volume {volume.id} ({volume.dataset}/{volume.name}) has no usable place in space",
            found=volume.grid.problem,
            remedy="Write the volume again with its orientation.",
        )
    alignment = compare_grids(planned.mask.grid, volume.grid)
    name = f"{volume.dataset}/{volume.name}"
    found += misaligned(alignment, planned.mask.image, name, volume.grid)
    if alignment.orientation is None:
        return planned
    in_ras = alignment.cutout(volume.grid)
    if alignment.box is None or in_ras is None:
        return replace(planned, orientation=alignment.orientation)
    found += landing(alignment, planned.mask.image, name, volume.grid)
    i, j, k = (side.start for side in alignment.box)
    cutout = Cutout(volume.grid.shape, (i, j, k))  # in the volume's order, as the orientation
    scores = _moved(planned.scores, in_ras)
    return replace(planned, orientation=alignment.orientation, cutout=cutout, scores=scores)


def _moved(scores: CustomData, cutout: Cutout) -> CustomData:
    """Return scores on the slices (RAS+) of the volume that a mask was cut out of."""
    first = {NORMALS[plane]: cutout.first[axis] for plane, axis in PLANES.items()}
    return {
        normal: {str(int(at) + first[normal]): cell for at, cell in slices.items()}
        for normal, slices in scores.items()
    }


def _reserved(item: PlannedItem, target: Target, existing: str, notes: Journal) -> ItemJob:
    """Return an item's job; one that landed in an earlier run keeps the keys it got there."""
    name, recalled = job_name(item), None
    if notes.is_done(name, item.identity):
        try:
            recalled = target.recall(item, notes.record_of(name), notes.session)
        except Gone:
            _LOG.info("%s: removed since it landed, or a part of it", name)
            notes.reopen(name)
    elif notes.is_done(name):
        _LOG.info("%s: its files have changed since it landed; it lands anew", name)
        notes.forget(name)
    begun = notes.begun(name, item.identity)
    job = recalled or target.reserve(item, existing, notes.session, begun)
    if recalled is None and not job.resumed:
        notes.forget(name)  # nothing of an earlier run is there any more
    if recalled or job.resumed:
        _LOG.info("%s: %s", name, "landed in an earlier run" if recalled else "goes on")
    elif job.kept:
        _LOG.info("%s: %d objects are there already and are kept", name, len(job.kept))
    return with_scores(job, target, existing, notes.session)


def own_journal(target: Target, origin: str) -> Path | None:
    """Return the journal that a target keeps of uploads of a source; None for none."""
    if target.journals is None:
        return None
    return target.journals / f"{digest(f'{target!r} {origin}')}.jsonl"


def _run(
    jobs: list[ItemJob],
    target: Target,
    notes: Journal,
    executor: Executor | None,
    report: Reporter,
) -> list[ItemJob]:
    """Write what has not landed yet; return the jobs in their order, as they landed."""

    def begin(job: ItemJob) -> None:
        notes.begin(job.name, job.marks, made=job.new_volume, source=job.item.identity)

    landed = {job.name: job for job in jobs if notes.is_done(job.name)}
    left = [job for job in jobs if job.name not in landed]
    try:
        for job in list(landed.values()):
            report.landed(job, earlier=True)
        with closing(written(left, target, executor, begin, report, notes.noting)) as jobs_done:
            for job in jobs_done:
                landed[job.name] = job
                notes.done(job.name, job.record)
                report.landed(job)
                give_back()
    except BaseException as error:
        with suppress(TargetError):  # what went wrong first is told; annotations have the ids too
            target.commit(list(landed.values()))
        if isinstance(error, Ended) and report.error is not None:
            raise report.error from None
        raise
    target.commit(list(landed.values()))
    return [landed[job.name] for job in jobs]


def _landed(job: ItemJob, notes: Journal) -> LandedItem:
    refs = {at: LandedObject(job.item.objects[at], ref, True) for at, ref in job.add}
    refs |= {at: LandedObject(job.item.objects[at], ref, False) for at, ref in job.kept}
    objects = tuple(refs[at] for at in sorted(refs))
    added = job.new_volume or notes.made(job.name)
    return LandedItem(job.item, job.volume, added, objects, len(job.replaced), job.updates)
