"""Label maps that would land as volumes: told by their voxels, with the pairs that take them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from nifti_kit.core.findings import Finding, finding
from nifti_kit.core.geometry import compare_grids
from nifti_kit.core.text import counted, listed
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.layouts.pairs import path_words
from nifti_kit.datasets.names import natural_key, speaks_of_annotation, stem
from nifti_kit.datasets.proposals import Proposal, one_or_many, says_label
from nifti_kit.errors import NiftiKitError
from nifti_kit.formats.labels import INTEGER_TOLERANCE, MAX_LABEL
from nifti_kit.formats.nifti import ImageFile, iter_blocks

MOST_VALUES = 2048
"""Atlases of the brain have up to about 1,000 regions; a CT has more numbers in one slice."""

FEW_VALUES = 16
"""No scan has so few grey values: up to here areas of one value need not be shown."""

ALIKE = 0.3
"""Of the neighbours of a voxel so many have its own label in areas of 2 x 2 pixels, more in larger
ones. In 8-bit scans it is one in twenty, but for black and white, where a window cuts off."""

COMPARED = 10_000
"""Voxels with a neighbour after which a picture is told from a label map."""

COMPARED_FRAMES = 32
"""Frames whose neighbours are compared, spread over the file: that takes longer than reading."""

MOSTLY = 0.5
"""Share of background from which a file without a telling name may be a label map."""

LARGE_BYTES = 2**20
PACKS_TO = 1 / 8
"""A large label map packs to a few percent, a scan to a third or more: that need not be read."""

NEAR_STEPS = 2
"""Folders between neighbours: a folder and its sibling are 2 apart, a folder and its parent 1."""

SHOWN = 3
"""Values or files that a message names before it counts the rest."""

MOST_PAIRS = 20
"""Pairs that a remedy writes out; of more it shows its own."""

WAIVE = "If it is an image: waive='volume-label-map'."


@dataclass(frozen=True)
class Look:
    """What the voxels of a label map look like: its values other than 0, and its background."""

    values: tuple[int, ...]  # the whole numbers that it holds, without 0, in rising order
    background: float  # the share of voxels that are 0

    @property
    def is_telling(self) -> bool:
        """Whether it may be a label map though no name says so: labels on mostly background."""
        return bool(self.values) and self.background >= MOSTLY


def look_at(image: ImageFile) -> Look | None:
    """Return what a file looks like whose voxels are those of a label map; None of another.

    Whole numbers, few of them, none below -1 (what some tools write for "ignore"), and areas of
    one value. Reading ends at the first frame that says no, which of a scan is an early one.
    """
    looker = _Looker(image.shape[2])
    try:
        for block in iter_blocks(image):
            if not looker.add(block, image):
                return None
    except NiftiKitError:  # that it is damaged is found where its voxels are checked
        return None
    return looker.result()


class _Looker:
    """Collects values, background, and how often neighbours of a value have the same, by block."""

    def __init__(self, frames: int) -> None:
        self._step = max(1, frames // COMPARED_FRAMES)
        self._frame = self._due = 0
        self._values: set[int] = set()
        self._zeros = self._total = 0
        self._alike: defaultdict[int, int] = defaultdict(int)
        self._pairs: defaultdict[int, int] = defaultdict(int)

    def add(self, block: npt.NDArray[Any], image: ImageFile) -> bool:
        """Take a block; say whether the file may still be a label map."""
        whole = _whole(block, image)
        if whole is None or whole.min(initial=0) < -1:
            return False
        self._total += whole.size
        self._zeros += whole.size - int(np.count_nonzero(whole))
        across = (whole != 0).any(axis=2)
        rows, columns = np.flatnonzero(across.any(axis=1)), np.flatnonzero(across.any(axis=0))
        if rows.size:
            self._take(whole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
        self._frame += whole.shape[2]
        return len(self._values) <= MOST_VALUES and not (
            sum(self._pairs.values()) > COMPARED and self._is_picture()
        )

    def _take(self, part: npt.NDArray[Any]) -> None:
        values, codes = _coded(part)
        present = np.flatnonzero(np.bincount(codes.ravel(order="K"), minlength=len(values)))
        self._values.update(values[present].tolist())
        if self._frame < self._due or len(self._values) > MOST_VALUES:
            return
        self._due = self._frame + self._step
        zero = int(np.searchsorted(values, 0))
        for one, other in ((codes[1:], codes[:-1]), (codes[:, 1:], codes[:, :-1])):
            both = (one != zero) & (other != zero)
            alike = np.bincount(one[both & (one == other)], minlength=len(values)) * 2
            pairs = np.bincount(one[both], minlength=len(values))
            pairs += np.bincount(other[both], minlength=len(values))
            for at in np.flatnonzero(pairs).tolist():
                self._alike[int(values[at])] += int(alike[at])
                self._pairs[int(values[at])] += int(pairs[at])

    def _is_picture(self) -> bool:
        """Say whether most of many values are seldom next to themselves, as in a scan."""
        if len(self._values) <= FEW_VALUES or not self._pairs:
            return False
        shares = [self._alike[value] / pairs for value, pairs in self._pairs.items()]
        return float(np.median(shares)) < ALIKE

    def result(self) -> Look | None:
        if self._is_picture():
            return None
        values = tuple(sorted(self._values - {0}))
        return Look(values, self._zeros / self._total if self._total else 1.0)


def _coded(part: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.intp]]:
    """Return values in rising order, 0 among them, and each voxel as a place in these."""
    low, high = min(0, int(part.min())), max(0, int(part.max()))
    if high - low <= MAX_LABEL:
        return np.arange(low, high + 1), part.astype(np.intp) - low
    values, codes = np.unique(np.append(part.ravel(order="K"), 0), return_inverse=True)
    return values.astype(np.int64), codes[:-1].reshape(part.shape, order="F")


def _whole(block: npt.NDArray[Any], image: ImageFile) -> npt.NDArray[Any] | None:
    """Return a block's values as whole numbers; None where they are none."""
    if not image.is_scaled and block.dtype.kind in "iu":
        return block
    with np.errstate(over="ignore", invalid="ignore"):
        values = block.astype(np.float64) * image.slope + image.intercept
    if not np.isfinite(values).all():
        return None
    whole = np.rint(values)
    return whole if np.abs(values - whole).max(initial=0.0) <= INTEGER_TOLERANCE else None


# The rule


def volumes_of_labels(dataset: Dataset) -> Iterator[Finding]:
    """No file lands as a volume whose voxels are those of a label map.

    That is known where its name says so, or where it is on the grid of a neighbour that is none.
    Where there is nothing but label maps, and no name says so, it is doubtful (a warning).
    """
    rule = _Rule(dataset)
    found = {volume.relative: why for volume in rule.bare if (why := rule.why(volume))}
    if found:
        remedies = _Remedies(dataset, rule, sorted(found, key=natural_key))
        for relative, why in found.items():
            yield finding("volume-label-map", relative, why, remedy=remedies.of(relative))
    elif rule.is_nothing_else():
        count = counted(len(rule.bare), "file")
        message = f"it lands as a volume, though all of the {count} look like label maps"
        yield finding("volume-named-mask", rule.bare[0].relative, message)


class _Rule:
    """Looks at the volumes without masks of a dataset, at each once, and only where it must."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        items = [item for item in dataset.items if item.volume and not item.plane]
        self.bare = [item.volume for item in items if item.volume and not item.masks]
        self._hinted = {image.relative for image in self.bare if self._says(image)}
        self._volumes = [item.volume for item in dataset.items if item.volume]
        self._words = {volume.relative: path_words([volume.relative]) for volume in self._volumes}
        self._by_size: defaultdict[tuple[int, ...], list[ImageFile]] = defaultdict(list)
        for volume in self._volumes:
            self._by_size[tuple(sorted(volume.shape))].append(volume)

    def _says(self, image: ImageFile) -> bool:
        """Say whether a file's name, or a folder's, or the source's own, says label map."""
        names = [image.relative]
        if image.relative.parent == PurePosixPath():
            names.append(self.dataset.source.given.resolve().name / image.relative)
        return any(speaks_of_annotation(name) or says_label(name) for name in names)

    def why(self, image: ImageFile) -> str:
        """Return why a file is a label map; empty where it is none, or that is not known."""
        hinted = image.relative in self._hinted
        if not hinted and next(self._nearby(image), None) is None:
            return ""
        look = self.look(image)
        if look is None or not (hinted or look.is_telling):
            return ""
        neighbours = self.images_of(image)
        if not neighbours and not (hinted and look.values):
            return ""
        return _told(look, neighbours)

    def look(self, image: ImageFile) -> Look | None:
        """Return what a file looks like, if it is a label map."""
        key = ("look", image)
        if key not in self.dataset.memory:
            known = image.relative not in self._hinted and _packs_badly(image)
            self.dataset.memory[key] = None if known else look_at(image)
        found: Look | None = self.dataset.memory[key]
        return found

    def images_of(self, image: ImageFile) -> list[PurePosixPath]:
        """Return the neighbours on whose grid a file is, and which are no label maps.

        Of several those whose paths share most words with its own.
        """
        words, found = self._words[image.relative], list[PurePosixPath]()
        nearby = [(len(words & self._words[o.relative]), o) for o in self._nearby(image)]
        nearby.sort(key=lambda one: -one[0])
        most = 0
        for shared, other in nearby:
            if found and shared < most:
                break
            if self._carries(image, other):
                most = shared
                found.append(other.relative)
        return sorted(found, key=natural_key)

    def _carries(self, image: ImageFile, other: ImageFile) -> bool:
        lands = image.grid == other.grid or compare_grids(image.grid, other.grid).lands
        return lands and self.look(other) is None

    def _nearby(self, image: ImageFile) -> Iterator[ImageFile]:
        """Yield the other volumes of the size, in folders nearby."""
        for other in self._by_size[tuple(sorted(image.shape))]:
            if other is not image and _is_near(other.relative, image.relative):
                yield other

    def is_nothing_else(self) -> bool:
        """Say whether several volumes, and nothing but such, look like label maps."""
        several = len(self.bare) > 1 and len(self.bare) == len(self._volumes)
        looks = map(self.look, self.bare)
        return several and all(look is not None and look.is_telling for look in looks)


def _packs_badly(image: ImageFile) -> bool:
    """Say whether a large gzip file is so large that it is no label map."""
    if not image.is_packed or image.nbytes < LARGE_BYTES:
        return False
    size = image.path.stat().st_size if image.content is None else len(image.content)
    return size > PACKS_TO * image.nbytes


def _is_near(one: PurePosixPath, other: PurePosixPath) -> bool:
    """Say whether files are neighbours: in folders next to each other, or of the same name."""
    first, second = one.parent.parts, other.parent.parts
    shared = 0
    for a, b in zip(first, second, strict=False):
        if a != b:
            break
        shared += 1
    if len(first) + len(second) - 2 * shared <= NEAR_STEPS:
        return True
    names = [{*parts[shared:], stem(f.name)} for parts, f in ((first, one), (second, other))]
    return bool(names[0] & names[1])


def _told(look: Look, neighbours: Sequence[PurePosixPath]) -> str:
    values = f"values {listed(look.values, SHOWN)}" if look.values else "nothing but 0"
    said = f"it would land as a volume, but it holds whole numbers only ({values}"
    said += f"; {look.background:.0%} are 0)"
    if neighbours:
        said += f" and is on the grid of {listed(neighbours, SHOWN)}"
    else:
        said += " and its name, or its folder's, says label map"
    return said


# The remedy: the pairs that would take label maps as masks, ready to be used


class _Remedies:
    """Says for each label map how it is taken as a mask."""

    def __init__(self, dataset: Dataset, rule: _Rule, masks: Sequence[PurePosixPath]) -> None:
        self._source = repr(str(dataset.source.given))
        self._proposal: Proposal | None = dataset.proposal
        images = {image.relative: image for image in rule.bare}
        owned = {mask: rule.images_of(images[mask]) for mask in masks}
        self._pairs = {str(mask): one_or_many(own) for mask, own in owned.items() if own}

    def of(self, mask: PurePosixPath) -> str:
        """Return the remedy for one of them."""
        name = str(mask)
        if self._proposal is not None and name in self._proposal.pairs:
            own = {name: self._proposal.pairs[name]}
            return (
                f"{self._proposal.name}: nk.scan({self._source}, layout='pairs') takes all of its "
                f"pairs (dataset.proposal shows them), this one as {own}. {WAIVE}"
            )
        if name in self._pairs:
            whole = len(self._pairs) <= MOST_PAIRS
            pairs = self._pairs if whole else {name: self._pairs[name]}
            more = "" if whole else f", and so on for all {len(self._pairs)}"
            if any(isinstance(own, list) for own in pairs.values()):
                more += "; of several images keep those that it belongs to"
            return f"nk.scan({self._source}, pairs={pairs}){more}. {WAIVE}"
        return (
            "Scan the folder that holds its image too, and say which: nk.scan(folder, "
            f"pairs={{{name!r}: 'path of its image'}}). If the image is on the platform already: "
            f"nk.scan({self._source}, layout='annotations'). {WAIVE}"
        )
