"""Candidates: an annotation file with a volume of a target, and what speaks for and against them.

Names are compared by their words, grids in world space (RAS+ mm).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from nifti_kit.checks.geometry import share_text
from nifti_kit.core.geometry import Grid, compare_grids, gap_mm
from nifti_kit.core.geometry.lattices import Lattices
from nifti_kit.datasets.items import Item, MaskFile, TableFile
from nifti_kit.datasets.names import natural_key, parse_name, planes_meant
from nifti_kit.datasets.plain_names import PlainName, plain_name
from nifti_kit.formats.labels import read_labels
from nifti_kit.formats.nifti import ImageFile
from nifti_kit.render.scene import Color, Mask
from nifti_kit.targets.records import VolumeRef
from nifti_kit.targets.target import Target
from nifti_kit.widgets.parts.table import Column, Row, Table
from nifti_kit.widgets.parts.tasks import Ticket
from nifti_kit.widgets.viewer.model import ViewerModel

CHOICES = 60
"""Volumes that the select box of a row has at most: 25 boxes of thousands would stall the page."""

THOUSAND_MM = 1000.0
"""Longer lengths are written without decimals (mm)."""

NOT_MATCHED = "not matched"
"""The choice of no volume."""


@dataclass(frozen=True)
class Fit:
    """How an annotation lies against a volume."""

    text: str  # in words, with the displacement (mm and voxels) where there is one
    lands: bool  # whether each of its voxels is one of the volume's


A_TABLE = Fit("a score table has no place", True)

NO_SUCH_VOLUME = Fit("the target has no such volume", False)

NOT_COMPARED = Fit("elsewhere, or another grid", False)


alignment_of = lru_cache(maxsize=8192)(compare_grids)
"""As ``compare_grids``; the same pairs are asked for often."""


_PLAIN = {
    "same": "same grid",
    "flipped": "flipped: lands exactly",
    "permuted": "axes in another order: lands exactly",
    "cropped": "a part of its voxels: lands exactly",
    "axes exchanged": "its axes are exchanged",
}


def place_of(mask: Grid, volume: Grid) -> Fit:
    """Return how a mask's grid lies against a volume's, in words."""
    found = alignment_of(mask, volume)
    off = f"{_length(found.displacement_mm)} mm ({found.displacement_voxels:.3g} voxels)"
    match found.verdict:
        case plain if plain in _PLAIN:
            text = _PLAIN[plain]
        case "rounding":
            text = f"same grid, rounded by {found.displacement_mm:.2g} mm"
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


@dataclass(frozen=True, eq=False)
class Annotation:
    """An annotation file, or a score table that stands alone, that needs a volume."""

    key: str  # its path below the source
    item: Item  # the item that it is of
    file: MaskFile | TableFile  # what scanning found of it
    name: PlainName  # its name as it is compared
    # Its case words, in which numbers are numbers, and its plane; also one that the specification
    # has no word for (``axial``).
    case: frozenset[str]
    plane: str | None

    @classmethod
    def all_of(cls, items: Iterable[Item]) -> Iterator[Annotation]:
        """Yield the files of an annotations dataset that need a volume, in order."""
        for item in items:
            for file in item.tables if item.is_scores_alone else item.masks:
                name = plain_name(file.relative.name)
                yield cls(str(file.relative), item, file, name, *_case_of(file.relative.name))

    def place_on(self, volume: VolumeRef) -> Fit:
        """Return how it lies against a volume."""
        return (
            A_TABLE if isinstance(self.file, TableFile) else place_of(self.file.grid, volume.grid)
        )

    def words_with(self, volume: PlainName) -> tuple[str, str]:
        """Return the words that both names have, and those that one of them alone has.

        Words of one number (P02, patient2) are in both.
        """
        own, others = dict.fromkeys(self.name.words), dict.fromkeys(volume.words)
        same = {n for _, n in self.name.numbers} & {n for _, n in volume.own_numbers}
        both = [word for word in own if word in others or _number(word) in same]
        apart = [word for word in (*own, *others) if (word in own) != (word in others)]
        return " ".join(both), " ".join(word for word in apart if _number(word) not in same)


def _number(word: str) -> str:
    """Return the number at the end of a word, without zeros in front."""
    digits = word[len(word.rstrip("0123456789")) :]
    return digits.lstrip("0") or digits[:1]


def _case_of(name: str) -> tuple[frozenset[str], str | None]:
    """Return the case words of a file's name, and the plane that it means, in whatever words."""
    plain = plain_name(name)
    if plain.plane is not None:
        return plain.numbered, plain.plane
    plane, written = planes_meant(parse_name(name))
    return plain.numbered - {written.casefold()}, plane


class Volumes:
    """The volumes of a target, as a person chooses among them."""

    def __init__(self, found: Iterable[VolumeRef]) -> None:
        ordered = sorted(found, key=lambda ref: natural_key(f"{ref.dataset}/{ref.name}"))
        self._refs = {ref.id: ref for ref in ordered}
        self._names = {ref.id: plain_name(ref.name) for ref in ordered}
        self._labels = {ref.id: f"{ref.dataset}/{ref.name} (id {ref.id})" for ref in ordered}
        self._ids = {label: number for number, label in self._labels.items()}
        self._cases = {ref.id: _case_of(ref.name) for ref in ordered}
        self._numbers = {
            number: frozenset(n for _, n in name.own_numbers)
            for number, name in self._names.items()
        }
        self.ids = self._refs.keys()

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

    def case_of(self, volume: VolumeRef) -> frozenset[str]:
        """Return a volume's case words, in which numbers are numbers."""
        return self._cases[volume.id][0]

    def plane_of(self, volume: VolumeRef) -> str | None:
        """Return the plane that a volume's name means."""
        return self._cases[volume.id][1]

    @cached_property
    def _sets(self) -> dict[tuple[str, frozenset[str]], list[VolumeRef]]:
        sets: defaultdict[tuple[str, frozenset[str]], list[VolumeRef]] = defaultdict(list)
        for ref in self:
            sets[ref.dataset, self.case_of(ref)].append(ref)
        return dict(sets)

    def of_case(self, volume: VolumeRef) -> Sequence[VolumeRef]:
        """Return the volumes of one case: those of a dataset whose names differ by their plane."""
        return self._sets[volume.dataset, self.case_of(volume)]

    @cached_property
    def _lattices(self) -> Lattices:
        return Lattices([ref.grid for ref in self])

    def under(self, annotation: Annotation) -> list[VolumeRef]:
        """Return the volumes on which a file lands, of its plane or of none; a table on none."""
        if isinstance(annotation.file, TableFile):
            return []
        lands = self._lattices.same_as(annotation.file.grid)
        landing = [ref for ref, is_there in zip(self, lands.tolist(), strict=True) if is_there]
        planes = (annotation.plane, None)
        return [r for r in landing if annotation.plane is None or self.plane_of(r) in planes]

    def label(self, volume_id: int | None) -> str:
        """Return what a person reads of a volume; it is different for each."""
        if volume_id is None:
            return NOT_MATCHED
        return self._labels.get(volume_id, f"id {volume_id}, not on the target")

    def id_of(self, label: str) -> int | None:
        """Return the id of a label; None for that of no volume."""
        return self._ids.get(label)

    def ranked(self, annotation: Annotation, candidates: Sequence[int]) -> list[VolumeRef]:
        """Return all volumes, the likeliest first: candidates in their order, then by name.

        Where names say nothing of the others, those on which the file lands come first.
        """
        first = [self._refs[number] for number in candidates if number in self._refs]
        taken = {ref.id for ref in first}
        lands = {ref.id for ref in self.under(annotation)}
        numbers = {*(n for _, n in annotation.name.numbers), *map(str, annotation.name.tail)}

        def unlike(ref: VolumeRef) -> tuple[object, ...]:
            case, plane = self._cases[ref.id]
            alike = len(case & annotation.case) + (not numbers.isdisjoint(self._numbers[ref.id]))
            return plane != annotation.plane, -alike, ref.id not in lands

        # They are in the order of their names, and a sort keeps that among equals.
        return first + sorted((ref for ref in self if ref.id not in taken), key=unlike)

    def places(self, annotation: Annotation, ranked: Iterable[VolumeRef]) -> Iterator[Fit]:
        """Yield how volumes fit, the likeliest first; the far ones are not measured in full."""
        lands = {ref.id for ref in self.under(annotation)}
        for at, ref in enumerate(ranked):
            is_near = at < CHOICES or ref.id in lands or isinstance(annotation.file, TableFile)
            yield annotation.place_on(ref) if is_near else NOT_COMPARED


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


# Candidates: the volumes of a target for one annotation file, the likeliest first

COLUMNS = (
    Column("volume", "Volume"),
    Column("both", "Words in both"),
    Column("one", "In one alone"),
    Column("place", "Place"),
    Column("now", "Now"),
    Column("choose", "Choose", "button"),
)


ROWS = 8
"""Of a page: the picture below stays in sight, and the likeliest come first."""


class Candidates(Table):
    """A row for each volume, with a button that chooses it."""

    def __init__(self, volumes: Volumes, choose: Callable[[int], None]) -> None:
        self._volumes = volumes
        self._about: tuple[str, Sequence[int]] = ("", ())
        self._now: int | None = None
        super().__init__(COLUMNS, on_press=lambda key, _: choose(int(key)), page_size=ROWS)

    def show(self, annotation: Annotation | None, likely: Sequence[int], now: int | None) -> None:
        """List the volumes for a file, those in ``likely`` first; for no file nothing.

        ``now`` is the volume that it has.
        """
        before, self._now = self._now, now
        about = (annotation.key if annotation else "", likely)
        if about == self._about:
            # Of thousands of rows two differ: the volume that it had, and the one that it has.
            concerned = {str(before), str(now)}
            self.rows = tuple(
                _with_now(row, now) if row.key in concerned else row for row in self.rows
            )
            return
        self._about = about
        ranked = self._volumes.ranked(annotation, likely) if annotation else ()
        self.search, self.page = "", 0
        if annotation is None:
            self.rows = ()
            return
        places = self._volumes.places(annotation, ranked)
        self.rows = tuple(
            _with_now(self._row(annotation, ref, place), now)
            for ref, place in zip(ranked, places, strict=True)
        )

    def _row(self, annotation: Annotation, ref: VolumeRef, place: Fit) -> Row:
        both, one = annotation.words_with(self._volumes.name_of(ref))
        cells = {
            "volume": self._volumes.label(ref.id),
            "both": both,
            "one": one,
            "place": place.text,
        }
        is_good = place.lands and isinstance(annotation.file, MaskFile)
        return Row(str(ref.id), cells, tone="good" if is_good else "")


def _with_now(row: Row, now: int | None) -> Row:
    """Return a row that says whether its volume is the one that the file has."""
    is_now = row.key == str(now)
    said = {"now": "its volume" if is_now else "", "choose": "" if is_now else "Choose"}
    return replace(row, cells={**row.cells, **said})


# Previews: an annotation over a volume of the target, before a person accepts the pair

ORANGE: Color = (255, 159, 28)
"""It stands out of grey values in both themes."""

READING = 0.8
"""The share of the work that reading the volume is; the rest is making the viewer."""

PLACES = ("By its own header", "By the volume's header")
"""Where a misplaced annotation is shown."""


def overlay(target: Target, file: MaskFile, volume: VolumeRef, ticket: Ticket) -> ViewerModel:
    """Return a viewer of an annotation over a volume, which the target sends.

    One volume and one label map are in memory. Where the two do not fit, the annotation is also
    shown as it would be with the volume's header, if it has as many voxels.
    """
    name = f"{volume.dataset}/{volume.name}"
    voxels = _volume(target, volume, ticket)
    ticket.tell(READING, f"Drawing {file.relative.name} over {name}")
    own, other = _masks(file.image, volume.grid)
    title = f"{file.relative} over {name}: {place_of(file.grid, volume.grid).text}"
    viewer = ViewerModel.of_arrays(
        voxels, volume.grid, [own], compare=other, titles=PLACES, title=title
    )
    ticket.check()
    return viewer


def _volume(target: Target, volume: VolumeRef, ticket: Ticket) -> npt.NDArray[Any]:
    pages = []
    count = volume.grid.shape[2]
    for k, page in enumerate(target.iter_volume(volume.id)):
        ticket.tell(READING * k / count, f"Reading {volume.dataset}/{volume.name}")
        pages.append(page.copy())  # the target uses its buffer again
    return np.stack(pages, axis=2)


def _masks(image: ImageFile, there: Grid) -> tuple[Mask, list[Mask] | None]:
    """Return the annotation where it lies and, if that is elsewhere, where it may belong."""
    name = image.relative.name
    inside = read_labels(image).voxels != 0
    own = Mask(name, ORANGE, inside, image.grid)
    if place_of(image.grid, there).lands or inside.shape != there.shape:
        return own, None
    return own, [Mask(name, ORANGE, inside, there)]
