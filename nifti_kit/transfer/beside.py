"""What is on a target beside what a receipt has of it: too much of ours, or what others made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from nifti_kit.core.geometry import Grid
from nifti_kit.core.parallel import ahead
from nifti_kit.core.text import listed
from nifti_kit.errors import NiftiKitError, UnreadableFile
from nifti_kit.targets.comparing import is_same_grid
from nifti_kit.targets.records import ObjectRef, VolumeRef
from nifti_kit.targets.target import Masks, NoMask, Target
from nifti_kit.transfer.landed import LandedItem
from nifti_kit.transfer.proof import STAYED, ExtraObject, ProofRow

Figure = tuple[str, str]
"""The keys of an object and of its figure."""

Kind = tuple[str, str]
"""The class of an object, and its scores."""

SHOWN = 3
"""Volumes of one name or key that a row lists before it counts the rest."""

WITH_FIGURE, WITHOUT_FIGURE = "a 3D figure", "no 3D figure"
"""What an object of others has: one without is drawn on slices, or not at all."""


class Drawn(NamedTuple):
    """A mask, in short: its place in space, and a digest of its voxels."""

    grid: Grid
    digest: bytes


def drawn(target: Masks, ref: ObjectRef) -> Drawn:
    """Return an object's mask in short; it is read to its end."""
    digest = hashlib.sha256()
    grid, pages = target.drawn(ref)
    for k, page in pages:
        inside = page != 0
        if inside.any():
            digest.update(b"%d " % k + np.packbits(inside).tobytes())
    return Drawn(grid, digest.digest())


class Volumes:
    """The volumes that a target lists: whether one is there twice, or is no longer in scope.

    An instance refuses a second volume of a name in a dataset, and a folder has one file of a name:
    what is there twice all the same was made by others.
    """

    def __init__(self, target: Target) -> None:
        self.problem = ""
        self._by_id: dict[int, list[VolumeRef]] = {}
        self._by_name: dict[tuple[str, str], list[VolumeRef]] = {}
        self._are_listed = False
        try:
            for ref in target.volumes():
                self._by_id.setdefault(ref.id, []).append(ref)
                self._by_name.setdefault((ref.dataset, ref.name), []).append(ref)
            self._are_listed = True
        except NiftiKitError as error:
            if target.path is None:  # in a folder others' files may be damaged: ours are read
                self.problem = f"it cannot be seen whether a volume is there twice: {error}"

    def rows(self) -> Iterator[ProofRow]:
        """Yield a row if the volumes cannot be listed."""
        if self.problem:
            yield surplus("", "", self.problem)

    def lacks(self, volume: VolumeRef) -> bool:
        """Say whether a volume is known not to be in scope any more."""
        return self._are_listed and volume.id not in self._by_id

    def doubles(self, volume: VolumeRef) -> Iterator[ProofRow]:
        """Yield a row for other volumes of a volume's key, or of its name in its dataset."""
        same = self._by_id.get(volume.id, [])
        if len(same) > 1:
            names = listed((f"{ref.dataset}/{ref.name}" for ref in same), SHOWN)
            yield surplus(volume.name, "", f"twice: {names} have the same key")
        for ours in same[:1]:
            named = self._by_name[ours.dataset, ours.name]
            if len(named) > 1:
                ids = listed((ref.id for ref in named if ref is not ours), SHOWN)
                text = f"twice: the dataset has the name of volume {ours.id} again (id {ids})"
                yield surplus(volume.name, "", text)


class Beside:
    """What is on the volume of an item beside what the receipt has of it.

    ``item``: what the receipt has of it.
    ``there``: all objects that are on its volume now.
    """

    def __init__(self, target: Masks, item: LandedItem, there: Sequence[ObjectRef]) -> None:
        self.target, self.item = target, item
        landed = [*(one.ref for one in item.objects), *(one.ref for one in item.updates)]
        keys, figures = {ref.key for ref in landed}, {figure_of(ref) for ref in landed}
        # What is there of the receipt, by the keys of object and figure.
        self.found: dict[Figure, ObjectRef] = {}
        # The keys of the receipt's objects that have no figure any more.
        self.bare: set[str] = set()
        self._rest: list[ObjectRef] = []
        for ref in there:
            figure = figure_of(ref)
            if figure in figures and figure not in self.found:
                self.found[figure] = ref
            elif ref.key in keys and not ref.has_figure:
                self.bare.add(ref.key)
            else:
                self._rest.append(ref)
        added = [one.ref for one in item.objects if one.added]
        self._added = {ref.key for ref in added}
        self._owners = {ref.figure_key: ref.id for ref in added}
        # A volume may have thousands of objects: what is alike is looked up, not searched for.
        self._likes = {kind_of(ref) for ref in self._rest if ref.has_figure}
        self._masks: dict[Kind, dict[bytes, list[tuple[ObjectRef, Grid]]]] = {}

    def may_be_twice(self, ref: ObjectRef) -> bool:
        """Say whether there is more that is like an object that was added, but for the voxels."""
        return bool(self._likes) and ref.key in self._added and kind_of(ref) in self._likes

    def keep(self, ref: ObjectRef) -> None:
        """Keep the mask of an object of ours in short; one that cannot be read has no twin."""
        with suppress(NiftiKitError):
            mask = drawn(self.target, ref)
            alike = self._masks.setdefault(kind_of(ref), {})
            alike.setdefault(mask.digest, []).append((ref, mask.grid))

    def seen(self, width: int) -> Iterator[ProofRow | ExtraObject]:
        """Yield what is too much, and what is of others, once the masks of ours are kept.

        Several are looked at side by side, ``width`` at most. An object of others is one, however
        many figures it has.
        """
        if not self._rest:
            return
        named = {key for key, _ in self.found}
        before = {one.id for one in self.item.planned.there}
        with ThreadPoolExecutor(width) as pool:
            looks = ahead(pool, self._look_at, self._rest, width)
            for ref, (problem, what) in zip(self._rest, looks, strict=True):
                if problem:
                    yield surplus(self.item.volume.name, ref.class_name, problem)
                elif ref.key not in named:
                    named.add(ref.key)
                    stayed = STAYED if ref.id in before and what == WITH_FIGURE else ""
                    name = self.item.volume.name
                    yield ExtraObject(name, ref.id, ref.class_name, what + stayed)

    def _look_at(self, ref: ObjectRef) -> tuple[str, str]:
        """Return what is wrong with an object that nobody planned; else what it has."""
        problem = self._under_our_keys(ref)
        if problem or not ref.has_figure:
            return problem, WITHOUT_FIGURE
        try:
            twin = self._twin(ref)
        except NoMask:
            return f"the figure {ref.figure_id} of object {ref.id} has no geometry", ""
        except UnreadableFile:
            return "", WITH_FIGURE  # a surface, or what only its maker can read
        except NiftiKitError as error:
            return f"object {ref.id} of others cannot be read back: {error}", ""
        if twin is None:
            return "", WITH_FIGURE
        return "", f"the same as object {twin.id}"  # who uploads the same files makes the same

    def _under_our_keys(self, ref: ObjectRef) -> str:
        """Return what is wrong with what bears a key of ours, and is not what landed under it."""
        if figure_of(ref) in self.found:
            return f"twice: there is one more object or figure under the keys of object {ref.id}"
        if ref.key in self._added:
            return f"object {ref.id} has a figure ({ref.figure_id}) that nobody planned"
        if ref.figure_key in self._owners:
            owner = self._owners[ref.figure_key]
            return f"twice: object {ref.id} has the figure of object {owner}"
        return ""

    def _twin(self, ref: ObjectRef) -> ObjectRef | None:
        """Return the object of ours that one is the same as; only what is alike is read whole."""
        if not self.item.objects:
            return None  # scores alone leave no figures: those of others are not read for them
        alike = self._masks.get(kind_of(ref))
        if alike is None:
            self.target.mask_grid(ref)
            return None
        mask = drawn(self.target, ref)
        same = alike.get(mask.digest, ())
        return next((ours for ours, grid in same if is_same_grid(grid, mask.grid)), None)


def surplus(volume: str, class_name: str, problem: str) -> ProofRow:
    """Return the row of something that should not be there."""
    row = ProofRow("surplus", volume, class_name, None, "", problem=problem)
    return replace(row, displacement_mm=0.0, class_ok=True, scores_ok=True)


def figure_of(ref: ObjectRef) -> Figure:
    """Return by what an object's figure is known."""
    return (ref.key, ref.figure_key)


def kind_of(ref: ObjectRef) -> Kind:
    """Return an object's class, with its scores as a text: what is the same looks the same."""
    return (ref.class_name, json.dumps(ref.scores, sort_keys=True))
