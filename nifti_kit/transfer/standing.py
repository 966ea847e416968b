"""Standing: what is on a target of a plan, whoever landed it, so that it can be verified."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from nifti_kit.core.findings import Findings
from nifti_kit.plans.plan import Plan
from nifti_kit.targets.comparing import Comparison
from nifti_kit.targets.records import (
    ObjectRef,
    PlannedItem,
    PlannedObject,
    ScoreChange,
    ScoreUpdate,
    VolumeRef,
)
from nifti_kit.targets.target import Target
from nifti_kit.transfer.landed import LandedItem, LandedObject
from nifti_kit.transfer.receipt import Receipt
from nifti_kit.transfer.upload import placed, refuse_blocked

NO_ID = 0
"""The id of what is not there: targets count from 1."""


def standing(plan: Plan, target: Target) -> Receipt:
    """Return the receipt that a plan would have, of what is on a target now; nothing is written.

    A volume is the one with the id of the mapping, or with its name. An object is one of its class
    on the volume, each one once: those with the same voxels and scores first, then the others in
    their order. What is not there has an id of 0, and its proof says so.

    Raises
    ------
    PlanBlocked
        If the plan has errors that nobody waived, or a mask does not fit its volume.
    TargetError
        If the target cannot be read, or lacks a volume that the mapping names.
    """
    refuse_blocked(plan.blockers)
    items, findings = placed(plan, target)
    refuse_blocked(findings.errors)
    by_id = {ref.id: ref for ref in target.volumes()}
    by_name = {ref.name: ref for ref in reversed(by_id.values())}
    landed = tuple(_landed(item, _volume(item, by_id, by_name), target) for item in items)
    made_of = replace(plan.provenance, target=repr(target))
    found = Findings(findings)
    return Receipt(repr(target), landed, found, None, plan.source, plan.left_out, made_of)


def _volume(
    item: PlannedItem, by_id: dict[int, VolumeRef], by_name: dict[str, VolumeRef]
) -> VolumeRef | None:
    return by_name.get(item.name) if item.volume_id is None else by_id[item.volume_id]


def _landed(item: PlannedItem, volume: VolumeRef | None, target: Target) -> LandedItem:
    there = [] if volume is None else list(target.objects(volume.id))
    objects = tuple(
        LandedObject(planned, ref, added=False)
        for planned, ref in zip(item.objects, _objects(item, there, target), strict=True)
    )
    updates = tuple(_update(update, there) for update in item.updates)
    if volume is None:
        assert item.volume is not None  # only volumes to land may be missing
        volume = VolumeRef(NO_ID, "", item.name, "", item.volume.grid.to_ras())
    return LandedItem(item, volume, added=False, objects=objects, updates=updates)


def _objects(item: PlannedItem, there: Sequence[ObjectRef], target: Target) -> Iterator[ObjectRef]:
    """Yield what each planned object is on the target."""
    drawn = [ref for ref in there if ref.has_figure]
    same = Comparison(target, item).identical(drawn)
    taken = {id(ref) for ref in same.values()}
    left = [ref for ref in drawn if id(ref) not in taken]
    for at, planned in enumerate(item.objects):
        ref = same.get(at) or next((r for r in left if r.class_name == planned.class_name), None)
        if ref in left:
            left.remove(ref)
        yield ref or _missing(planned, at)


def _missing(planned: PlannedObject, at: int) -> ObjectRef:
    return ObjectRef(NO_ID, f"missing {at}", NO_ID, "", planned.class_name, NO_ID, planned.scores)


def _update(update: ScoreUpdate, there: Sequence[ObjectRef]) -> ScoreChange:
    """Return scores for a figure: those of the table, and what else the figure has."""
    found = next((ref for ref in there if ref.id == update.object_id), None)
    known = {} if found is None else found.scores.get(update.plane, {})
    scores = {update.plane: {**known, **update.new}}
    ids = (update.object_id, update.object_key, update.figure_id, update.figure_key)
    ref = ObjectRef(*ids, update.class_name, update.volume_id, scores)
    return ScoreChange(update, ref, update.old, known)
