"""Verification: read back what landed, and compare it with the source files in world space.

The comparison goes through the affines, not through the reordering that made the files: for each
landed image the whole-voxel map to its source is worked out anew from both headers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import groupby
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.geometry import Cutout, Grid, Placement, placed_on
from nifti_kit.core.parallel import ahead, bounded, cores, with_progress
from nifti_kit.core.text import counted
from nifti_kit.errors import NiftiKitError, of_kind
from nifti_kit.formats.fingerprint import Fingerprint
from nifti_kit.formats.labels import Box, LabelParts
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.formats.nrrd import Drawn
from nifti_kit.formats.volumes import RasVolume, open_volume
from nifti_kit.plans.plan import Plan
from nifti_kit.plans.provenance import now, versions
from nifti_kit.targets.encoding import SOURCE_BYTES, SOURCES, largest_size
from nifti_kit.targets.records import ObjectRef, PlannedObject, ScoreChange
from nifti_kit.targets.target import ReadBack, Target, a_target
from nifti_kit.transfer.beside import Beside, Volumes, figure_of, surplus
from nifti_kit.transfer.landed import LandedItem, LandedObject
from nifti_kit.transfer.proof import ExtraObject, Proof, ProofRow
from nifti_kit.transfer.receipt import Receipt
from nifti_kit.transfer.standing import ABSENT, standing

AT_A_TIME = max(2, min(4, cores()))
"""Masks that are read back side by side; more than there are processors get in each other's way."""

CHANGED, GONE = "the source has changed since the plan was made", "the source is gone"
MISSING, WITHOUT_FIGURE = "it is not on the target", "it is on the target without its figure"
OUT_OF_SCOPE = "the target does not list it any more: it was removed, or moved"


def verify(
    receipt: Receipt | Plan,
    target: Any,
    *,
    on_item: Callable[[int, Any], Any] | None = None,
    on_voxels: Callable[[int], Any] | None = None,
) -> Proof:
    """Return the comparison of what is on the target with the source files, voxel by voxel.

    Volumes and masks are read back slice by slice, several masks side by side. Of the source, one
    volume is in memory at a time, and 32 MB of label maps (one, where it is larger). What cannot be
    read, or is missing, is a row with a problem. So is a source that has changed since the plan was
    made: the row says how many voxels were planned, and whether as many landed.

    What is too much is a row too: a figure without geometry on a volume of the receipt; what bears
    a key of an object that landed, and did not land; another volume of the same key, or of the same
    name in its dataset. All else on these volumes is of others, for people work there at the same
    time: it is named in :attr:`Proof.extra`, also where it is the same as one that landed, and is
    no fault.

    Slices that an instance has twice cannot be seen: it has no list of them, nor their number.

    Parameters
    ----------
    receipt
        What :func:`nifti_kit.upload` returned; or a plan, as :func:`nifti_kit.plan` returned it,
        where there is no receipt: of what is on the target, a volume is held against that of its
        name, an object against one of its class (the same one, where it is there). What has no
        partner is a row with a problem.
    target
        Where it landed.
    on_item
        Called with the place (from 0) of each item and the item before it is read back; of a plan
        also before it is looked for. What it raises ends the work. A bar by default.
    on_voxels
        Called, in a thread of its own, with the bytes of each slice of a volume that was compared;
        what it raises ends the work, too.

    Raises
    ------
    PlanBlocked
        If a plan has errors that nobody waived, or one of its files has changed since.
    TargetError
        If a plan's target does not answer, or has several volumes of a name and a grid.
    WrongArgument
        If ``receipt`` is neither a receipt nor a plan, or ``target`` no target.

    Examples
    --------
    >>> import tempfile, nifti_kit as nk
    >>> plan = nk.plan(nk.scan("data_samples/scores"))
    >>> target = nk.ProjectFolder(f"{tempfile.mkdtemp()}/project", dataset="knee")
    >>> nk.verify(plan, target).ok
    False
    >>> nk.verify(nk.upload(plan, target), target).ok
    True
    >>> nk.verify(plan, target).ok
    True
    """
    if isinstance(receipt, Plan):
        receipt = standing(receipt, target, on_item=on_item)
    of_kind(receipt, Receipt, "nk.upload(...) or nk.plan(...)")
    a_target(target)
    begun = now()
    expected = [_read_back(item) for item in receipt.items if item.volume.id != ABSENT]
    with target.reading_back(expected) as there:
        verifier = _Verifier(there, on_voxels)
        items = with_progress(receipt.items, on_item, "Verifying", "volume")
        seen = [one for item in items for one in verifier.item(item)]
    rows = [*verifier.volumes.rows(), *(one for one in seen if isinstance(one, ProofRow))]
    extra = tuple(one for one in seen if isinstance(one, ExtraObject))
    made_of = replace(receipt.provenance, versions=versions(), begun=begun, ended=now())
    return Proof(tuple(rows), receipt.left_out, extra, receipt.accepted, made_of, receipt.doubts)


def _read_back(item: LandedItem) -> ReadBack:
    masks = tuple(landed.ref for landed in item.objects)
    return ReadBack(item.volume, item.planned.volume is not None, masks)


class _Source:
    """The labels of some objects of one file, read anew when they are first asked for.

    They are read once, whichever thread asks.
    """

    def __init__(self, objects: Sequence[LandedObject], known: Fingerprint | None) -> None:
        self.image = objects[0].planned.mask.image
        self._labels = [landed.planned.label for landed in objects]
        self._known = known
        self._lock = Lock()
        self._parts: LabelParts | NiftiKitError | None = None
        self._fate: str | None = None

    def __len__(self) -> int:
        """The bytes that their voxels take at most."""
        return largest_size(self._labels)

    def parts(self) -> LabelParts:
        """Return their voxels, and how many the whole file has of each.

        Raises NiftiKitError if the file cannot be read any more.
        """
        with self._lock:
            if self._parts is None:
                try:
                    self._parts = LabelParts(self.image, self._labels, counted=True)
                except NiftiKitError as error:
                    self._parts = error.with_traceback(None)
        if isinstance(self._parts, NiftiKitError):
            raise self._parts
        return self._parts

    def change(self, planned: PlannedObject) -> str:
        """Return what has become of an object's voxels since the plan was made, or nothing."""
        with self._lock:
            if self._fate is None:
                self._fate = _fate(self.image, self._known)
        try:
            present = self.parts().counts[planned.value]
        except NiftiKitError:
            return self._fate
        if not self._fate and present == planned.voxels:
            return ""
        return f"{CHANGED}: {counted(planned.voxels, 'voxel')} planned, {present:,} in it now"


class _Verifier:
    def __init__(self, target: Target, on_voxels: Callable[[int], Any] | None) -> None:
        self.target, self.on_voxels = target, on_voxels
        self.colors = {found.name: found.color for found in target.classes()}
        self.volumes = Volumes(target)

    def item(self, item: LandedItem) -> Iterator[ProofRow | ExtraObject]:
        """Yield the rows of an item; its volume is read back beside its masks."""
        if item.volume.id == ABSENT:
            yield from _absent_rows(item)
            return
        has_row = item.planned.volume is not None or self.volumes.lacks(item.volume)
        with ThreadPoolExecutor(1) as pool:
            volume = pool.submit(self._volume, item) if has_row else None
            masks = list(self._masks(item))
            if volume is not None:
                yield volume.result()
        yield from masks

    def _masks(self, item: LandedItem) -> Iterator[ProofRow | ExtraObject]:
        yield from self.volumes.doubles(item.volume)
        there: Sequence[ObjectRef] = ()
        problem = MISSING
        try:
            there = self.target.objects(item.volume.id)
        except NiftiKitError as error:
            problem = str(error)
            if not (item.objects or item.updates):
                yield surplus(item.volume.name, "", f"what else is on it cannot be seen: {error}")
        beside = Beside(self.target, item, there)
        yield from self._objects(item, beside, problem)
        for change in item.updates:
            yield _update_row(item, change, beside.found.get(figure_of(change.ref)), problem)
        yield from beside.seen(AT_A_TIME)

    def _objects(self, item: LandedItem, beside: Beside, problem: str) -> Iterator[ProofRow]:
        """Yield the rows of an item's objects; several are read back side by side."""

        def row(pair: tuple[LandedObject, _Source]) -> ProofRow:
            landed, source = pair
            found = beside.found.get(figure_of(landed.ref))
            if found is None:
                bare = landed.ref.key in beside.bare
                return _object_row(item, landed, WITHOUT_FIGURE if bare else problem)
            checked = self._checked(item, landed, found, source)
            if beside.may_be_twice(found):
                beside.keep(found)
            return checked

        groups = [
            list(group)
            for _, group in groupby(item.objects, key=lambda landed: landed.planned.mask)
        ]
        sources = ((group, _source(item, group)) for group in groups)
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            for batch in bounded(sources, count=SOURCES, size=SOURCE_BYTES):
                pairs = ((landed, source) for found, source in batch for landed in found)
                yield from ahead(pool, row, pairs, AT_A_TIME)

    def _volume(self, item: LandedItem) -> ProofRow:
        image, volume = item.planned.volume, item.volume
        facts: tuple[int, int, float] = (0, 0, float("inf"))
        problem = OUT_OF_SCOPE if self.volumes.lacks(volume) else ""
        if image is None:
            return ProofRow("volume", volume.name, "", None, "", *facts, True, True, problem)
        try:
            facts = self._compare_volume(image, volume.id)
        except NiftiKitError as error:
            problem = str(error)
        source = str(image.relative)
        fate = _fate(image, item.planned.fingerprints.get(source))
        problem = "; ".join(filter(None, (fate, problem)))
        return ProofRow("volume", volume.name, "", None, source, *facts, True, True, problem)

    def _compare_volume(self, image: ImageFile, volume_id: int) -> tuple[int, int, float]:
        landed = self.target.volume_grid(volume_id)
        source = open_volume(image)
        place = _place(source.grid, landed, landed.shape)
        if place is None or place.shape != landed.shape:
            return 0, 0, float("inf")
        ordered = source.reordered(place.orientation)
        differing = _differences(ordered, self._told(self.target.iter_volume(volume_id)))
        return math.prod(ordered.grid.shape), differing, place.mm

    def _told(self, pages: Iterator[npt.NDArray[Any]]) -> Iterator[npt.NDArray[Any]]:
        """Yield slices, and tell of each when it was compared."""
        for page in pages:
            yield page
            if self.on_voxels is not None:
                self.on_voxels(page.nbytes)

    def _checked(
        self, item: LandedItem, landed: LandedObject, found: ObjectRef, source: _Source
    ) -> ProofRow:
        """Return the row of an object: how it compares with its source, and that with the plan."""
        try:
            row = self._object(item, landed, found, source)
        except NiftiKitError as error:
            row = _object_row(item, landed, str(error))
        change = source.change(landed.planned)
        if not change:
            return row
        said = [change, row.problem, self._as_planned(found, landed.planned)]
        return replace(row, problem="; ".join(filter(None, said)))

    def _as_planned(self, found: ObjectRef, planned: PlannedObject) -> str:
        """Return how what landed compares with the plan; empty where it cannot be read."""
        try:
            landed = sum(int(np.count_nonzero(page)) for _, page in self.target.drawn(found)[1])
        except NiftiKitError:
            return ""
        if landed == planned.voxels:
            return "as many as planned have landed"
        return f"{landed:,} have landed"

    def _object(
        self, item: LandedItem, landed: LandedObject, found: ObjectRef, source: _Source
    ) -> ProofRow:
        planned = landed.planned
        grid = planned.mask.grid
        landed_grid, drawn = self.target.drawn(found)
        place = _place(grid, landed_grid, planned.grid.shape)
        compared = differing = 0
        if place is not None:
            parts = source.parts()
            compared = math.prod(grid.shape)
            box = place.orientation.apply_box(planned.label.box, grid.shape)
            differing = _mask_differences(
                place.orientation.apply(parts[planned.label] == planned.value),
                drawn,
                Cutout(planned.grid.shape, place.first).moved(box),
                parts.counts[planned.value],
            )
        color = self.colors.get(planned.class_name)
        class_ok = found.class_name == planned.class_name and color is not None
        return replace(
            _object_row(item, landed),
            compared=compared,
            differing=differing,
            displacement_mm=float("inf") if place is None else place.mm,
            class_ok=class_ok and (color == planned.color or not planned.color_is_given),
            scores_ok=found.scores == planned.scores,
        )


def _absent_rows(item: LandedItem) -> Iterator[ProofRow]:
    """Yield the rows of an item whose volume is not there: nothing is asked of the target."""
    image = item.planned.volume
    source = "" if image is None else str(image.relative)
    nothing = (0, 0, float("inf"))
    yield ProofRow("volume", item.volume.name, "", None, source, *nothing, True, True, MISSING)
    for landed in item.objects:
        yield _object_row(item, landed, MISSING)
    for change in item.updates:
        yield _update_row(item, change, None, MISSING)


def _source(item: LandedItem, objects: Sequence[LandedObject]) -> _Source:
    relative = str(objects[0].planned.mask.image.relative)
    return _Source(objects, item.planned.fingerprints.get(relative))


def _fate(image: ImageFile, known: Fingerprint | None) -> str:
    """Return what has become of a file since the plan was made; empty where nothing is known."""
    if known is None or image.content is not None or known.is_of(image):
        return ""  # what is in memory stays as it was planned
    return CHANGED if image.path.exists() else GONE


def _object_row(item: LandedItem, landed: LandedObject, problem: str = "") -> ProofRow:
    """Return the row of an object of which nothing is compared yet."""
    planned = landed.planned
    return ProofRow(
        "object",
        item.volume.name,
        planned.class_name,
        planned.value,
        str(planned.mask.relative),
        problem=problem,
    )


def _update_row(
    item: LandedItem, change: ScoreChange, found: ObjectRef | None, problem: str
) -> ProofRow:
    """Return the row of the scores of a figure that was there; no voxel is compared."""
    update = change.update
    same = found is not None and found.scores.get(update.plane) == change.landed
    return ProofRow(
        "scores",
        item.volume.name,
        update.class_name,
        update.value,
        str(update.table.relative),
        displacement_mm=0.0,
        class_ok=found is not None and found.class_name == update.class_name,
        scores_ok=same,
        problem="" if found is not None else problem,
    )


def _place(source: Grid, landed: Grid, shape: tuple[int, ...]) -> Placement | None:
    """Return where the voxels of the source are in what landed, which has to have a shape."""
    place = placed_on(source, landed)
    fits = place is not None and landed.shape == shape and place.is_inside(shape)
    return place if fits else None


def _differences(source: RasVolume, pages: Iterator[npt.NDArray[Any]]) -> int:
    """Return how many voxels of a volume differ; those of slices that are not there do."""
    same_voxels = 0
    # What landed first: it is read to its end, where its checksum is compared.
    for page, expected in zip(pages, source.slices(), strict=False):
        same = page == expected
        if page.dtype.kind == "f":
            same |= np.isnan(page) & np.isnan(expected)
        same_voxels += int(np.count_nonzero(same))
    return math.prod(source.grid.shape) - same_voxels


def _mask_differences(
    source: npt.NDArray[np.bool_],
    drawn: Drawn,
    box: Box,
    total: int,
) -> int:
    """Return how many voxels of a mask differ from those of a label map in a box.

    Only ``box`` is compared voxel by voxel. Outside of it every landed voxel is one too many, and
    every source voxel (``total`` is counted anew over the whole map) is one that is missing.
    """
    landed = both = 0
    for k, page in drawn:
        landed += int(np.count_nonzero(page))
        if box[2].start <= k < box[2].stop:
            expected = source[:, :, k - box[2].start]
            both += int(np.count_nonzero(expected & (page[box[0], box[1]] != 0)))
    return landed + total - 2 * both
