"""Which object of a target is which label of the original files."""

from __future__ import annotations

from collections.abc import Sequence

from nifti_kit.errors import UnreadableFile
from nifti_kit.exports.drawings import LabelMap, read_drawing
from nifti_kit.exports.layouts import by_class
from nifti_kit.exports.originals import Figure, Original
from nifti_kit.formats.labels import read_labels
from nifti_kit.targets.records import ObjectRef, PlannedObject
from nifti_kit.targets.target import NoMask, Target
from nifti_kit.transfer.beside import figure_of


def pair_objects(
    target: Target, original: Original, objects: Sequence[ObjectRef]
) -> dict[Figure, PlannedObject]:
    """Return what each object was made of; those that are new are not in it.

    What a receipt knows comes first. Of what is left an object is the only one of its class, or
    the one that shares the most voxels with it: one to one, the largest share first.
    """
    pairs = {
        figure_of(ref): known
        for ref in objects
        if (known := original.landed.get(figure_of(ref))) is not None
        and known.class_name == ref.class_name  # it has not changed since
    }
    used = {id(planned) for planned in pairs.values()}
    left = by_class([ref for ref in objects if figure_of(ref) not in pairs])
    for name, refs in left.items():
        free = [p for p in original.objects if p.class_name == name and id(p) not in used]
        if len(refs) == len(free) == 1:
            pairs[figure_of(refs[0])] = free[0]
        elif free:
            pairs |= _by_overlap(target, refs, free)
    return pairs


def _by_overlap(
    target: Target, refs: Sequence[ObjectRef], planned: Sequence[PlannedObject]
) -> dict[Figure, PlannedObject]:
    """Return pairs by shared voxels; one label map is in memory at a time."""
    drawings = []
    for ref in refs:
        try:
            drawings.append(read_drawing(target, ref))
        except (NoMask, UnreadableFile):  # it is named where it is to be written
            continue
    shares = []
    for mask in dict.fromkeys(one.mask for one in planned):
        labels = LabelMap.of(mask.grid, read_labels(mask.image).voxels)
        own = {one.value: one for one in planned if one.mask is mask}
        for at, drawing in enumerate(drawings):
            under = labels.values_under(drawing)
            shares += [(count, at, own[value]) for value, count in under.items() if value in own]
    pairs: dict[Figure, PlannedObject] = {}
    taken: set[int] = set()
    for _, at, one in sorted(shares, key=lambda share: (-share[0], share[1], share[2].value)):
        ref = drawings[at].ref
        if figure_of(ref) not in pairs and id(one) not in taken:
            pairs[figure_of(ref)] = one
            taken.add(id(one))
    return pairs
