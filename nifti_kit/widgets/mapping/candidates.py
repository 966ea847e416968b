"""Pairs: an annotation file with a volume of a target, and what speaks for and against them.

Names are compared by their words, grids in world space (RAS+ mm).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import overload

from nifti_kit.checks.geometry import share_text
from nifti_kit.core.geometry import Grid, compare_grids, gap_mm
from nifti_kit.datasets.items import Item, MaskFile, TableFile
from nifti_kit.datasets.names import natural_key
from nifti_kit.plans.name_rules import PlainName, plain_name
from nifti_kit.targets.target import VolumeRef

__all__ = [
    "NO_SUCH_VOLUME",
    "Annotation",
    "Choices",
    "Fit",
    "Volumes",
    "alignment_of",
    "place_of",
]

CHOICES = 60
"""Volumes that the select box of a row has at most: 25 boxes of thousands would stall the page."""

THOUSAND_MM = 1000.0
"""Longer lengths are written without decimals (mm)."""

SAME_CENTRE_MM = 0.01
"""Grids of the same voxels, in whatever order, have one centre; headers round less (mm)."""

NOT_MATCHED = "not matched"
"""The choice of no volume."""


@dataclass(frozen=True)
class Fit:
    """How an annotation lies against a volume.

    Attributes
    ----------
    text
        In words, with the displacement (mm and voxels) where there is one.
    lands
        Whether each of its voxels is one of the volume's.
    """

    text: str
    lands: bool


A_TABLE = Fit("a score table has no place", True)

NO_SUCH_VOLUME = Fit("the target has no such volume", False)

NOT_COMPARED = Fit("elsewhere, or another grid", False)


alignment_of = lru_cache(maxsize=8192)(compare_grids)
"""As ``compare_grids``; the same pairs are asked for often."""


def place_of(mask: Grid, volume: Grid) -> Fit:
    """Return how a mask's grid lies against a volume's, in words."""
    found = alignment_of(mask, volume)
    off = f"{_length(found.displacement_mm)} mm ({found.displacement_voxels:.3g} voxels)"
    match found.verdict:
        case "same":
            text = "same grid"
        case "rounding":
            text = f"same grid, rounded by {found.displacement_mm:.2g} mm"
        case "flipped":
            text = "flipped: lands exactly"
        case "permuted":
            text = "axes in another order: lands exactly"
        case "header lost":
            text = f"header lost: {off} away"
        case "translated":
            text = f"translated by {off}"
        case "resampled":
            text = f"another grid: {share_text(found.overlap)} of it inside the volume"
        case "apart":
            text = f"apart: {_length(gap_mm(mask, volume))} mm between them"
        case _:
            text = "no usable place in the header"
    return Fit(text, found.lands)


def _length(mm: float) -> str:
    return f"{mm:.3g}" if mm < THOUSAND_MM else f"{mm:,.0f}"


def _lands(mask: Grid, volume: Grid) -> bool:
    """Say whether a mask lands; where it does not, at a small part of the cost of the place."""
    if mask.problem or volume.problem:
        return False
    apart = max(abs(x - y) for x, y in zip(_centre(mask), _centre(volume), strict=True))
    return apart < SAME_CENTRE_MM and place_of(mask, volume).lands


@lru_cache(maxsize=8192)
def _centre(grid: Grid) -> tuple[float, ...]:
    """Return the middle of a usable grid (RAS+ mm)."""
    return tuple(map(float, grid.world([(size - 1) / 2 for size in grid.shape])))


@dataclass(frozen=True, eq=False)
class Annotation:
    """An annotation file, or a score table that stands alone, that needs a volume.

    Attributes
    ----------
    key
        Its path below the source.
    item
        The item that it is of.
    file
        What scanning found of it.
    name
        Its name as it is compared.
    """

    key: str
    item: Item
    file: MaskFile | TableFile
    name: PlainName

    @classmethod
    def all_of(cls, items: Iterable[Item]) -> Iterator[Annotation]:
        """Yield the files of an annotations dataset that need a volume, in order."""
        for item in items:
            for file in item.tables if item.is_scores_alone else item.masks:
                yield cls(str(file.relative), item, file, plain_name(file.relative.name))

    def place_on(self, volume: VolumeRef) -> Fit:
        """Return how it lies against a volume."""
        return (
            A_TABLE if isinstance(self.file, TableFile) else place_of(self.file.grid, volume.grid)
        )

    def words_with(self, volume: PlainName) -> tuple[str, str]:
        """Return the words that both names have, and those that one of them alone has."""
        own, others = dict.fromkeys(self.name.words), dict.fromkeys(volume.words)
        both = [word for word in own if word in others]
        apart = [word for word in own if word not in others]
        apart += [word for word in others if word not in own]
        return " ".join(both), " ".join(apart)


class Volumes:
    """The volumes of a target, as a person chooses among them."""

    def __init__(self, found: Iterable[VolumeRef]) -> None:
        ordered = sorted(found, key=lambda ref: natural_key(f"{ref.dataset}/{ref.name}"))
        self._refs = {ref.id: ref for ref in ordered}
        self._names = {ref.id: plain_name(ref.name) for ref in ordered}
        self._labels = {ref.id: f"{ref.dataset}/{ref.name} (id {ref.id})" for ref in ordered}
        self._ids = {label: number for number, label in self._labels.items()}

    def __iter__(self) -> Iterator[VolumeRef]:
        return iter(self._refs.values())

    def __len__(self) -> int:
        return len(self._refs)

    def get(self, volume_id: int | None) -> VolumeRef | None:
        """Return the volume of an id, or None."""
        return None if volume_id is None else self._refs.get(volume_id)

    def name_of(self, volume: VolumeRef) -> PlainName:
        """Return a volume's name as it is compared."""
        return self._names[volume.id]

    def label(self, volume_id: int | None) -> str:
        """Return what a person reads of a volume; it is different for each."""
        if volume_id is None:
            return NOT_MATCHED
        return self._labels.get(volume_id, f"id {volume_id}, not on the target")

    def id_of(self, label: str) -> int | None:
        """Return the id of a label; None for that of no volume."""
        return self._ids.get(label)

    def ranked(self, annotation: Annotation, candidates: Sequence[int]) -> list[VolumeRef]:
        """Return all volumes, the likeliest first: candidates in their order, then by name."""
        first = [self._refs[number] for number in candidates if number in self._refs]
        taken = {ref.id for ref in first}
        case, plane = annotation.name.case, annotation.name.plane
        others = [ref for ref in self if ref.id not in taken]
        # They are in the order of their names, and a sort keeps that among equals.
        others.sort(
            key=lambda ref: (
                self._names[ref.id].plane != plane,
                -len(case & self._names[ref.id].case),
            )
        )
        return first + others

    def placed(self, annotation: Annotation, volume: VolumeRef, at: int) -> Fit:
        """Return how a volume at a rank (from 0) fits; the far ones are not measured in full."""
        if at < CHOICES or isinstance(annotation.file, TableFile):
            return annotation.place_on(volume)
        grid = annotation.file.grid
        return annotation.place_on(volume) if _lands(grid, volume.grid) else NOT_COMPARED


class Choices(Sequence[str]):
    """What can be chosen in a row, worked out when it is shown: most rows never are."""

    def __init__(
        self, volumes: Volumes, annotation: Annotation, candidates: Sequence[int], now: int | None
    ) -> None:
        self._made_of = (volumes, annotation, candidates, now)
        self._labels: list[str] = []

    def _known(self) -> list[str]:
        if not self._labels:
            volumes, annotation, candidates, now = self._made_of
            ids = [ref.id for ref in volumes.ranked(annotation, candidates)[:CHOICES]]
            ids += [now] if now is not None and now not in ids else []
            self._labels = [NOT_MATCHED, *map(volumes.label, ids)]
        return self._labels

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        return self._known()[at]

    def __len__(self) -> int:
        return len(self._known())
