"""Scenes: an item before and after a repair, to be looked through slice by slice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import Item
from nifti_kit.errors import NiftiKitError
from nifti_kit.repairs.repair import Repair
from nifti_kit.widgets.viewer.linking import put
from nifti_kit.widgets.viewer.loading import RasImage
from nifti_kit.widgets.viewer.model import ViewerModel
from nifti_kit.widgets.viewer.opening import open_item
from nifti_kit.widgets.viewer.reading import Stamp, stamp_of

NO_VOLUME = "The volume is on the target, not among these files."
LEFT_OUT = "What is left out is not there afterwards: there is nothing to compare."
UNSEEN = "It changes nothing that a picture shows."

At = tuple[str, tuple[float, float, float]]
"""A plane (``axl``, ``cor`` or ``sag``) and a place (RAS+ mm)."""


class Scenes(NamedTuple):
    """An item before and after a repair; a sentence in the place of a side that is not shown."""

    before: ViewerModel | str
    after: ViewerModel | str

    @property
    def viewers(self) -> tuple[ViewerModel, ...]:
        """Those that can be shown: two, or one."""
        return tuple(side for side in self if isinstance(side, ViewerModel))


def changed_items(dataset: Dataset, done: Repair) -> tuple[str, ...]:
    """Return the names of the items whose picture a repair changes, as they are after it."""
    return tuple(dict.fromkeys(item.name for item in _changed(dataset, done) if item.volume))


def unseen_because(dataset: Dataset, done: Repair) -> str:
    """Return why a repair has nothing to look through; empty where it has."""
    if changed_items(dataset, done):
        return ""
    if any(_changed(dataset, done)):
        return NO_VOLUME
    before, after = _by_file(dataset), _by_file(done.dataset)
    gone = [one.file for one in done.files if one.file in before and one.file not in after]
    return LEFT_OUT if gone else UNSEEN


def _changed(dataset: Dataset, done: Repair) -> Iterator[Item]:
    """Yield the items, as they are after a repair, of the images that it is about."""
    anew = done.dataset
    if anew is dataset:
        return
    after = _by_file(anew)
    yield from (after[one.file] for one in done.files if one.file in after)
    said = [(one.classes, one.choices.segmentation) for one in (dataset, anew)]
    if not done.files and said[0] != said[1]:
        yield from (item for item in anew.items if item.masks)


def _by_file(dataset: Dataset) -> dict[str, Item]:
    return {str(image.relative): item for item in dataset.items for image in item.images}


def before_and_after(dataset: Dataset, done: Repair, item: str, at: At | None = None) -> Scenes:
    """Return the viewers of an item before and after a repair, at the same place.

    In code they are shown side by side by ``nk.Viewer.linked(*scenes.viewers)``. Where both have
    the same volume, it is in memory once. They begin at a place, by default at the slices that show
    most after the repair. Where neither can be shown, the error says why the one after cannot.

    Examples
    --------
    >>> import nifti_kit as nk
    >>> dataset = nk.scan("data_samples/by_plane_semantic")
    >>> done = nk.repairs.drop_specks(dataset, "axl_inference.nii.gz", fewer_than=10_000)
    >>> scenes = before_and_after(dataset, done, *changed_items(dataset, done))
    >>> [viewer.position == scenes.after.position for viewer in scenes.viewers]
    [True, True]
    """
    later = next(one for one in done.dataset.items if one.name == item)
    earlier = _earlier(dataset, done, later)
    first = _side(dataset, earlier, "Before", notes=_unusable(dataset, done, later))
    is_same = earlier is not None and _stamp(earlier) == _stamp(later) is not None
    known = first.image if is_same and isinstance(first, ViewerModel) else None
    found = Scenes(first, _side(done.dataset, later, "After", known))
    if not found.viewers:
        raise NiftiKitError(str(found.after), path=item)
    leader = found.viewers[-1]
    mm = leader.image.grid.world(leader.position) if at is None else np.array(at[1])
    for viewer in found.viewers:
        viewer.arrangement = "beside"  # one plane, as in the picture, and large in half a page
        put(viewer, mm)
        viewer.active = viewer.active if at is None else at[0]
    return found


def _earlier(dataset: Dataset, done: Repair, later: Item) -> Item | None:
    """Return what an item was before: the one that had its mended file, its name or its volume."""
    before, named = _by_file(dataset), {item.name: item for item in dataset.items}
    own = {str(image.relative) for image in later.images}
    files = [one.file for one in done.files if one.file in own]
    found = [before[file] for file in files if file in before]
    assert later.volume is not None  # it is one of the changed items
    return next(iter(found), named.get(later.name, before.get(str(later.volume.relative))))


def _unusable(dataset: Dataset, done: Repair, later: Item) -> tuple[str, ...]:
    """Return a note for each file of an item, or that became it, that was no part of any before."""
    before, own = _by_file(dataset), {str(image.relative) for image in later.images}
    stood = {one.file: one.before for one in done.files}
    there = {str(file) for file in dataset.source.files}
    new = [one for one in done.files if one.file in own and one.file not in before]
    # A new file is made of another one: "channel 2 of organs.nii.gz".
    names = [one.file if one.file in there else one.what.rpartition(" of ")[2] for one in new]
    return tuple(
        f"{name} is not shown: it was {stood[name]}"
        for name in dict.fromkeys(names)
        if name in stood
    )


def _side(
    dataset: Dataset,
    item: Item | None,
    word: str,
    known: RasImage | None = None,
    notes: tuple[str, ...] = (),
) -> ViewerModel | str:
    """Return the viewer of a side, or why it cannot be shown; ``known`` is its volume, if read."""
    if item is None or item.volume is None:
        return f"{word}: there was no volume to show it on. " + ". ".join(notes)
    try:
        image, drawing = open_item(dataset, item, is_kept=False, known=known)
    except NiftiKitError as error:
        return f"{word}: {error}"
    overlays = tuple(replace(one, notes=(*notes, *one.notes)) for one in drawing.overlays)
    return ViewerModel(image, drawing._replace(overlays=overlays), f"{word}: {item.name}")


def _stamp(item: Item) -> Stamp | None:
    return None if item.volume is None else stamp_of(item.volume)
