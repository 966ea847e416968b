"""Repairs of label values: other numbers for the same voxels, with a table of which is which."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.memory import mapped_array
from nifti_kit.core.text import listed
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item, MaskFile, Origin, TableFile
from nifti_kit.datasets.scanning import Mended
from nifti_kit.datasets.surveys import survey_mask
from nifti_kit.errors import RepairRefused
from nifti_kit.formats.labels import FLOAT32_WHOLE, MAX_LABEL, as_whole, values_of
from nifti_kit.formats.nifti import ImageFile, encode_image, iter_frames
from nifti_kit.formats.scores import ScoreTable, read_scores
from nifti_kit.repairs.align import refuse_merged
from nifti_kit.repairs.repair import (
    Measure,
    Repair,
    masks_meant,
    measured,
    only_about,
    repaired,
    semantic_masks,
)

Value = int | float
"""A value of a file as it is: a whole number, or what is no label (NaN, infinity, a fraction)."""

SHOWN = 8
"""Values that a sentence names before it counts the rest; the table has them all."""

MOST_VALUES = 100_000
"""A file of more different values is a picture, and no map of ids."""


@dataclass(frozen=True)
class _Read:
    """A mask, its item, and what its voxels hold: each value but 0 with its measure."""

    item: Item
    mask: MaskFile
    found: dict[Value, Measure]

    @property
    def is_semantic(self) -> bool:
        return self.item.segmentation == "semantic"


def relabel(
    dataset: Dataset, files: Any, mapping: Mapping[int | float, int] | None = None
) -> Repair:
    """Return the dataset with masks whose values are other numbers; no voxel changes its label.

    With a mapping its values change, and all others stay. Without one all values but 0 are
    numbered 1, 2, ... in rising order, the same value alike in all files; a value that other
    semantic masks of the dataset have too keeps its number, and none gets a number of theirs.

    What each value was is kept: in ``Repair.table``, in the plan, in the description of its class.
    Classes of the class map go by the values as they were. Score tables of the masks are renamed.

    Parameters
    ----------
    dataset, files
        As for :func:`nifti_kit.repairs.take_header`.
    mapping
        Old value to new value, 0 to 65535; 0 is background, so ``{-1: 0}`` leaves a label out.
        ``float("nan")`` can be an old value. It is asked for by its new number in the class map,
        unless only the old number is there.

    Raises
    ------
    RepairRefused
        If values are left that are no labels, a value of the mapping is in no file, or it is not
        known which class of the class map is meant, or which column of a score table. Also if
        labels may have merged on saving (a scl_slope above 1), unless the mapping names each value.

    Examples
    --------
    >>> import nifti_kit as nk
    >>> dataset = nk.scan("data_samples/by_volume")
    >>> nk.repairs.relabel(dataset, "CTChest/lung.nii.gz", {1: 7}).table  # doctest: +SKIP
    """
    wanted = None if mapping is None else _checked(mapping)
    meant = masks_meant(dataset, only_about(files, "labels-unusable"))
    read = [_read(item, mask) for item, mask in meant]
    for one in read:
        if not set(one.found) <= set(wanted or ()):
            refuse_merged(one.mask.image)
    if wanted is None:
        new_of = _numbered(dataset, read)
    else:
        _refuse_absent(read, wanted)
        new_of = wanted
    mended: list[Mended] = []
    before: dict[PurePosixPath, dict[int, Measure]] = {}
    for one in read:
        numbers = {old: new_of.get(old, old) for old in one.found}
        _refuse_no_labels(one.mask, numbers)
        origins = _origins(dataset, one, numbers, chosen=wanted is not None)
        before[one.mask.relative] = _renamed(one.found, numbers)
        voxels = _relabelled(one.mask.image, numbers)
        content = encode_image(voxels, one.mask.grid, one.mask.relative)
        what = _what(one.mask.image, numbers)
        mended.append(Mended(one.mask.relative, content, what, origins=origins))
        mended += _tables(dataset, one, numbers)
    return repaired(dataset, mended, before)


def _checked(mapping: Any) -> dict[Value, int]:
    """Return a mapping with plain numbers."""
    if not isinstance(mapping, Mapping) or not mapping:
        raise RepairRefused(
            "that says not which value becomes which",
            found=type(mapping).__name__ if not isinstance(mapping, Mapping) else "no value",
            expected="a dictionary such as {255: 1, -1: 0}, or nothing to number all values",
        )
    found: dict[Value, int] = {}
    for old, new in mapping.items():
        whole = isinstance(new, int | np.integer) and 0 <= new <= MAX_LABEL and new is not True
        if not isinstance(old, Real) or not whole:
            raise RepairRefused(
                "that is no change of a label value",
                found=f"{old!r}: {new!r}",
                expected=f"a number: a whole number from 0 to {MAX_LABEL}",
            )
        value = int(old) if isinstance(old, Integral) else as_whole(float(old))
        found[value] = int(new)
    return found


def _read(item: Item, mask: MaskFile) -> _Read:
    """Return what the voxels of a mask hold, whether they are labels or not."""
    olds: dict[Value, int] = {0: 0}

    def coded() -> Iterator[npt.NDArray[Any]]:
        for frame in iter_frames(mask.image):
            values, which = _unique(frame, mask.image)
            codes = np.array([olds.setdefault(value, len(olds)) for value in values])
            if len(olds) > MOST_VALUES:
                raise RepairRefused(
                    "the file holds too many different values to be a map of ids",
                    path=str(mask.relative),
                    found=f"more than {MOST_VALUES:,}",
                    remedy="If it is a probability map: nk.repairs.round_labels(dataset, "
                    f"{str(mask.relative)!r}, threshold=0.5).",
                )
            yield codes[which].reshape(frame.shape)

    by_code = measured(coded(), mask.grid)
    return _Read(item, mask, {old: by_code[code] for old, code in olds.items() if code})


def _unique(frame: npt.NDArray[Any], image: ImageFile) -> tuple[list[Value], npt.NDArray[Any]]:
    values, which = np.unique(values_of(frame, image), return_inverse=True)
    return [as_whole(value) for value in values.tolist()], which


def _numbered(dataset: Dataset, read: Sequence[_Read]) -> dict[Value, int]:
    """Return a number for each value of some masks; those of other semantic masks stay theirs."""
    taken: set[int] = set()
    if any(one.is_semantic for one in read):
        chosen = {one.mask.relative for one in read}
        for item, mask in semantic_masks(dataset):
            labels = None
            if mask.relative not in chosen:
                labels = survey_mask(dataset, item, mask).labels
            taken |= set(labels.values) if labels else set()
    olds = sorted({old for one in read for old in one.found if math.isfinite(old)})
    kept: dict[Value, int] = {old: old for old in olds if old in taken and isinstance(old, int)}
    free = (number for number in range(1, MAX_LABEL + 1) if number not in taken)
    numbers = dict(kept)
    for old in olds:
        if isinstance(old, int) and old not in kept:
            number = next(free, None)
            if number is None:
                raise RepairRefused(
                    "there are more values than numbers",
                    path=str(read[0].mask.relative),
                    found=f"{len(olds):,} values",
                    expected=f"at most {MAX_LABEL:,}",
                )
            numbers[old] = number
    return numbers


def _refuse_absent(read: Sequence[_Read], wanted: Mapping[Value, int]) -> None:
    """Refuse a mapping with a value that no file has: it may be a slip."""
    there = {old for one in read for old in one.found}
    absent = [old for old in wanted if old not in there and old != 0]
    if wanted.get(0, 0):
        raise RepairRefused(
            "0 is background, and stays it", found=f"{{0: {wanted[0]}}}", remedy="Leave it out."
        )
    if absent:
        raise RepairRefused(
            "no voxel has a value that is to change",
            path=str(read[0].mask.relative) if len(read) == 1 else None,
            found=f"{_listed(there)}; none of {_listed(absent)}",
            remedy="Correct the mapping.",
        )


def _listed(values: Iterable[Value]) -> str:
    return listed(sorted(values, key=lambda v: (v != v, v)), SHOWN) or "nothing but 0"  # noqa: PLR0124


def _refuse_no_labels(mask: MaskFile, numbers: Mapping[Value, Value]) -> None:
    """Refuse values that would be left, and are no labels."""
    left = [
        old for old, new in numbers.items() if not isinstance(new, int) or not 0 <= new <= MAX_LABEL
    ]
    if not left:
        return
    fractions = [old for old in left if math.isfinite(old) and not isinstance(old, int)]
    small = [f"{old}: 0" if math.isfinite(old) else f"float('{old}'): 0" for old in left[:SHOWN]]
    name = str(mask.relative)
    remedy = (
        f"Give each of them a number: nk.repairs.relabel(dataset, {name!r}, "
        f"{{{', '.join(small)}{', ...' if len(left) > SHOWN else ''}}}) makes them background."
    )
    if fractions:
        remedy = (
            "Fractions are no ids. A probability map: nk.repairs.round_labels(dataset, "
            f"{name!r}, threshold=0.5)."
        )
    raise RepairRefused(
        "values would be left that are no labels",
        path=name,
        found=_listed(left),
        expected=f"whole numbers from 0 to {MAX_LABEL}",
        remedy=remedy,
    )


def _relabelled(image: ImageFile, numbers: Mapping[Value, Any]) -> npt.NDArray[Any]:
    """Return the voxels of a file with the new values, (i, j, k) in file order."""
    largest = max(numbers.values(), default=0)
    kind = np.uint8 if largest <= np.iinfo(np.uint8).max else np.uint16
    voxels = mapped_array(image.shape, kind)
    for k, frame in enumerate(iter_frames(image)):
        values, which = _unique(frame, image)
        new = np.array([numbers.get(value, 0) for value in values], dtype=kind)
        voxels[:, :, k] = new[which].reshape(frame.shape)
    return voxels


def _renamed(found: Mapping[Value, Measure], numbers: Mapping[Value, Any]) -> dict[int, Measure]:
    """Return the measures before, by what the values are called after; those left out by theirs."""
    together: dict[int, list[Measure]] = {}
    for old, measure in found.items():
        if numbers[old]:
            together.setdefault(numbers[old], []).append(measure)
    renamed = {value: _sum(measures) for value, measures in together.items()}
    gone = {old: m for old, m in found.items() if isinstance(old, int) and not numbers[old]}
    return {**gone, **renamed}


def _sum(measures: Sequence[Measure]) -> Measure:
    voxels = sum(one.voxels for one in measures)
    centres = np.array([one.centroid for one in measures])
    weights = np.array([one.voxels for one in measures]) / voxels
    centre = tuple((centres * weights[:, None]).sum(axis=0).tolist())
    return Measure(voxels, sum(one.mm3 for one in measures), centre)


def _what(image: ImageFile, numbers: Mapping[Value, Any]) -> str:
    changed = [f"{old} -> {new}" for old, new in numbers.items() if old != new]
    what = f"values renumbered: {listed(changed, SHOWN)}" if changed else "values as they were"
    counts: dict[int, int] = {}
    for new in numbers.values():
        counts[new] = counts.get(new, 0) + 1
    if merged := [new for new, count in counts.items() if count > 1 and new]:
        what += f"; several became one: {listed(sorted(merged), SHOWN)}"
    exact = image.dtype.newbyteorder("=") != np.float32
    if not exact and any(math.isfinite(old) and abs(old) > FLOAT32_WHOLE for old in numbers):
        what += "; as float32 ids above 16,777,216 may have become their neighbours before"
    return what


def _origins(
    dataset: Dataset, one: _Read, numbers: Mapping[Value, Any], *, chosen: bool
) -> dict[int, Origin]:
    """Return what the new values were, and by which number the class map is asked for each."""
    earlier = one.mask.origins
    olds: dict[int, list[Value]] = {}
    for old, new in numbers.items():
        olds.setdefault(new, []).append(old)
    origins = {}
    for new, values in olds.items():
        known = [
            earlier.get(old, Origin((old,), old))  # type: ignore[arg-type]
            for old in values
        ]
        was = tuple(value for origin in known for value in origin.was)
        own = next((k for old, k in zip(values, known, strict=True) if old == new), None)
        asked = own or known[0]
        if chosen and new and own is None and one.is_semantic:
            asked = _asked(dataset, one.mask, new, known)
        origins[new] = replace(asked, was=was)
    return origins


def _asked(dataset: Dataset, mask: MaskFile, new: int, known: Sequence[Origin]) -> Origin:
    """Return by which number the class map is to be asked for a value that a person gave."""
    by_new = dataset.classes.by_value(new)
    entries = [dataset.classes.by_value(origin.asked) for origin in known]
    names = {entry.name for entry in entries if entry} | {o.name for o in known if o.name}
    if by_new is not None and names - {by_new.name}:
        raise RepairRefused(
            "two classes are possible for a value",
            path=str(mask.relative),
            found=f"{new} is {by_new.name} in the class map, and what becomes {new} is "
            f"{' and '.join(sorted(names))}",
            remedy="Give it a number that the class map does not have, and it keeps its class; or "
            f"give the class by the new number: nk.scan(..., classes={{{new}: ...}}).",
        )
    if len(names) > 1:
        raise RepairRefused(
            "several classes would become one",
            path=str(mask.relative),
            found=f"{' and '.join(sorted(names))} become {new}",
            remedy=f"Say which: nk.scan(..., classes={{{new}: ...}}) with the new number.",
        )
    if names:
        return next(o for o, e in zip(known, entries, strict=True) if o.name or e is not None)
    return Origin((), new)


# Score tables of relabelled masks: Label-N is the value in the file as it was


def _tables(dataset: Dataset, one: _Read, numbers: Mapping[Value, Any]) -> Iterator[Mended]:
    """Yield the score tables that go by the values of a mask, with the new values."""
    for table in one.item.tables:
        own = [m for m in one.item.masks if table.index is None or m.index == table.index]
        if (own or list(one.item.masks)) != [one.mask]:
            continue  # a table of several masks goes by their indices
        base = dataset.score_base if table.content is None else 1
        path, content = table.path, table.content
        read = read_scores(path, base=base, relative=str(table.relative), content=content)
        anew = _recolumned(read, table, numbers)
        if anew.values != read.values:
            what = "columns named by the new values"
            yield Mended(table.relative, anew.to_csv().encode(), what)


def _recolumned(read: ScoreTable, table: TableFile, numbers: Mapping[Value, Any]) -> ScoreTable:
    """Return a table whose columns are named by the new values."""
    new_of = {value: numbers.get(value, value) or value for value in read.values}
    shared = sorted(v for v, new in new_of.items() if list(new_of.values()).count(new) > 1)
    there = {numbers[old] for old in numbers}
    strange = [v for v in read.values if v not in numbers and v in there]
    if shared or strange:
        raise RepairRefused(
            "columns of its score table would be mixed up",
            path=str(table.relative),
            found=f"columns Label-{', Label-'.join(map(str, shared or strange))}, whose values "
            + ("become one" if shared else "the mask does not have, but would have then"),
            remedy="Take the column out of the table, or choose other numbers.",
        )
    return replace(
        read,
        values=tuple(new_of[value] for value in read.values),
        scores=tuple(replace(cell, value=new_of[cell.value]) for cell in read.scores),
    )
