"""Standing: what of a plan is on a target by now, whoever wrote it; nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nifti_kit.core.geometry import Grid
from nifti_kit.core.parallel import with_progress
from nifti_kit.errors import NiftiKitError, TargetError, of_kind
from nifti_kit.formats.volumes import open_volume
from nifti_kit.plans.plan import Plan
from nifti_kit.targets.comparing import Comparison, changed_scores, is_same_grid
from nifti_kit.targets.records import (
    ObjectRef,
    PlannedItem,
    PlannedObject,
    ScoreChange,
    ScoreUpdate,
    VolumeRef,
)
from nifti_kit.targets.target import Target, a_target
from nifti_kit.transfer.landed import LandedItem, LandedObject
from nifti_kit.transfer.receipt import Receipt
from nifti_kit.transfer.upload import placed, refuse_blocked, refuse_changed, target_text

ABSENT = -1
"""The id of what has no partner on the target: numbers there are from 0."""

NO_KEY = "not on the target"
"""Its key, which is none that a target gives: those are hex digits, or numbers."""


def standing(
    plan: Plan, target: Any, *, on_item: Callable[[int, PlannedItem], Any] | None = None
) -> Receipt:
    """Return a receipt of what is on a target of a plan, as :func:`nifti_kit.verify` takes it.

    A volume is that of its name in the dataset; of several of one name the one of its grid. An
    object is one of its class on that volume: first those that are the same voxel for voxel, with
    the same scores, then the others in their order. What has no partner is in the receipt all the
    same, with the id ``ABSENT``. Nothing is written, and no journal is asked.

    ``plan``: what :func:`nifti_kit.plan` returned; without blockers.
    ``on_item``: called with the place (from 0) of each item and the item before it is looked for;
    what it raises ends the work. A bar by default.
    Raises PlanBlocked if the plan has errors that nobody waived, or a file has changed since it was
    made. Raises TargetError if the target does not answer, or has several volumes of a name and a
    grid. Raises WrongArgument if ``plan`` is no plan, or ``target`` no target.
    """
    of_kind(plan, Plan, "nk.plan(...)")
    a_target(target)
    refuse_blocked(plan.blockers)
    there = tuple(target.volumes())
    ids = {ref.id for ref in there}
    gone = [one for one in plan.items if one.volume_id is not None and one.volume_id not in ids]
    rest = tuple(item for item in plan.items if item not in gone)
    found, findings = placed(replace(plan, items=rest), target)
    refuse_blocked(findings.errors)
    refuse_changed(found)
    items = with_progress([*found, *gone], on_item, "Looking for", "volume")
    landed = tuple(_standing_item(item, _volume_of(item, there), target) for item in items)
    made_of = replace(plan.provenance, target=target_text(target))
    return Receipt(repr(target), landed, findings, None, plan.source, plan.left_out, made_of)


def _volume_of(item: PlannedItem, there: Sequence[VolumeRef]) -> VolumeRef | None:
    if item.volume is None:
        return next((ref for ref in there if ref.id == item.volume_id), None)
    named = [ref for ref in there if ref.name == item.name]
    if len(named) > 1:
        grid = open_volume(item.volume).grid
        named = [ref for ref in named if is_same_grid(grid, ref.grid)] or named
    if len(named) > 1:
        raise TargetError(
            f"the target has several volumes of the name {item.name!r}",
            path=item.volume.relative,
            found=", ".join(f"{ref.dataset}/{ref.name} (id {ref.id})" for ref in named),
            expected="one",
            remedy="Choose the dataset, such as nk.ProjectFolder(path, dataset='knee').",
        )
    return named[0] if named else None


def _standing_item(item: PlannedItem, volume: VolumeRef | None, target: Target) -> LandedItem:
    there: Sequence[ObjectRef] = ()
    if volume is not None:
        try:
            there = [ref for ref in target.objects(volume.id) if ref.has_figure]
        except NiftiKitError:
            there = ()  # who reads it back says why, at each of its objects
    partners = _partners(item, there, target)
    objects = tuple(
        LandedObject(planned, partners.get(at) or _absent(planned), added=False)
        for at, planned in enumerate(item.objects)
    )
    updates = tuple(_changes(item.updates, there))
    place = volume or _nowhere(item)
    return LandedItem(item, place, added=False, objects=objects, updates=updates)


def _partners(
    item: PlannedItem, there: Sequence[ObjectRef], target: Target
) -> dict[int, ObjectRef]:
    """Return which planned objects, by their places, are which ones there: the same ones first."""
    found = Comparison(target, item).identical(there) if there else {}
    taken = {id(ref) for ref in found.values()}
    free = [ref for ref in there if id(ref) not in taken]
    for at, planned in enumerate(item.objects):
        if at not in found:
            partner = next((ref for ref in free if ref.class_name == planned.class_name), None)
            if partner is not None:
                found[at] = partner
                free.remove(partner)
    return found


def _absent(planned: PlannedObject) -> ObjectRef:
    return ObjectRef(ABSENT, NO_KEY, ABSENT, NO_KEY, planned.class_name, ABSENT, planned.scores)


def _nowhere(item: PlannedItem) -> VolumeRef:
    """Return the place of a volume that is not there: it has no voxels."""
    return VolumeRef(ABSENT, NO_KEY, item.name, "", Grid((0, 0, 0), np.eye(4)))


def _changes(updates: Iterable[ScoreUpdate], there: Iterable[ObjectRef]) -> Iterator[ScoreChange]:
    """Yield what is to be of figures that are there: what the table says is among their scores."""
    known = {(ref.key, ref.figure_key): ref for ref in there}
    for update in updates:
        ref = known.get((update.object_key, update.figure_key))
        yield changed_scores(update, ref or _gone(update))


def _gone(update: ScoreUpdate) -> ObjectRef:
    return ObjectRef(
        update.object_id,
        update.object_key,
        update.figure_id,
        update.figure_key,
        update.class_name,
        update.volume_id,
        {},
    )
