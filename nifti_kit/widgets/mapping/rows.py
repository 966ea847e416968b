"""Mapping rows: what is known of every annotation file and its volume, kept up to date."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

from nifti_kit.checks.files import shared_ids
from nifti_kit.checks.geometry import misaligned
from nifti_kit.core.findings import Finding, Findings, finding
from nifti_kit.core.text import counted, listed
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import MaskFile, TableFile
from nifti_kit.datasets.plain_names import numbers_apart
from nifti_kit.errors import BadMapping
from nifti_kit.formats.mappings import Mapping as FileMapping
from nifti_kit.formats.mappings import MappingRow
from nifti_kit.plans.matching import ONLY, match
from nifti_kit.plans.name_rules import CASE, EXACT
from nifti_kit.widgets.mapping.candidates import (
    NO_SUCH_VOLUME,
    Annotation,
    Choices,
    Fit,
    Volumes,
    alignment_of,
)
from nifti_kit.widgets.parts.table import Column, Row, Tone

CHOSEN, ACCEPTED, LEFT_OUT = "chosen", "accepted", "left out"

MATCHED, DOUBTFUL, UNMATCHED = "matched", "doubtful", "unmatched"

PLACE, FILE = "place", "mapping"

SHOWN = 3
"""Other files that a row names before it counts the rest."""

RULES = {
    EXACT: "exact name",
    CASE: "case words",
    ONLY: "only one of its plane",
    PLACE: "by place",
    FILE: "mapping file",
    CHOSEN: "your choice",
}
"""The rules of :func:`nifti_kit.match` and the others, as a table shows them."""

COLUMNS = (
    Column("file", "Annotation file"),
    Column("pick", "Pick", "check"),
    Column("volume", "Volume", "choice"),
    Column("rule", "Matched by", filtered=True),
    Column("place", "Place"),
    Column("state", "State", filtered=True),
    Column("note", "To know"),
)


@dataclass(frozen=True, eq=False)
class Pair:
    """An annotation file and the volume that it has now, with what is known of the two."""

    annotation: Annotation
    row: MappingRow
    volumes: Volumes
    rule: str = ""  # what matched the two, in words
    place: Fit | None = None  # how the file lies against its volume; None without one
    doubts: tuple[str, ...] = ()  # what speaks against the two, in words

    @property
    def state(self) -> str:
        """``matched``, ``doubtful``, ``unmatched``; or ``chosen``, ``accepted``, ``left out``.

        What a person decided is no doubt any more, unless the volume is not there.
        """
        if self.place is NO_SUCH_VOLUME:
            return DOUBTFUL
        undecided = UNMATCHED if self.place is None else DOUBTFUL if self.doubts else MATCHED
        return self.row.by_person or undecided

    @property
    def is_open(self) -> bool:
        """Whether it waits for a person."""
        return self.state in (DOUBTFUL, UNMATCHED)

    @property
    def is_sure(self) -> bool:
        """Whether it has one candidate, lands on it exactly, and nobody has decided on it yet.

        A score table has no place, so that nothing but its name speaks for it.
        """
        one = len(self.row.candidates) == 1
        return self.state == MATCHED and one and isinstance(self.annotation.file, MaskFile)

    @property
    def tone(self) -> Tone:
        """What a row's colour says."""
        if self.place is not None and not self.place.lands:
            return "error"
        if self.is_open or self.doubts:
            return "warning"
        return "good" if self.state in (CHOSEN, ACCEPTED) else ""

    def left_out(self) -> MappingRow:
        """Return the row without a volume, as a person wants it."""
        return replace(self.row, volume=None, rule="", why="you left it out", by_person=LEFT_OUT)

    def accepted(self) -> MappingRow:
        """Return the row with the volume that it has, as a person accepts it."""
        return replace(self.row, by_person=ACCEPTED)

    @cached_property
    def table_row(self) -> Row:
        """The row of a table, not picked."""
        row, key = self.row, self.annotation.key
        cells = {
            "pick": False,
            "file": key,
            "volume": self.volumes.label(row.volume),
            "rule": self.rule,
            "place": self.place.text if self.place else "",
            "state": self.state,
            "note": "; ".join(self.doubts) if self.place else row.why,
        }
        choices = Choices(self.volumes, self.annotation, row.candidates, row.volume)
        return Row(key, cells, choices={"volume": choices}, tone=self.tone)

    @cached_property
    def picked_row(self) -> Row:
        """The row, picked."""
        return replace(self.table_row, cells={**self.table_row.cells, "pick": True})

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong: no volume of the target, or voxels that are none of its volume."""
        file, volume = self.annotation.file, self.volumes.get(self.row.volume)
        if volume is None:
            said = [self.row.why or "the mapping has no volume for it", *self.doubts][-1]
            return (finding("annotation-unmatched", self.annotation.key, said),)
        if isinstance(file, TableFile):
            return ()
        name = f"{volume.dataset}/{volume.name}"
        return tuple(misaligned(alignment_of(file.grid, volume.grid), file.image, name))


class MappingRows:
    """The files of a dataset with the volumes that they have; every change can be undone.

    ``begin``: the mapping to begin with; by default what names and grids say.
    """

    def __init__(self, dataset: Dataset, volumes: Volumes, begin: FileMapping | None) -> None:
        self.dataset, self.volumes = dataset, volumes
        self.annotations = {one.key: one for one in Annotation.all_of(dataset.items)}
        self.picked: set[str] = set()  # the keys of the files that a person has picked
        self._cases: defaultdict[tuple[object, ...], list[str]] = defaultdict(list)
        for key, one in self.annotations.items():
            self._cases[one.file.relative.parent, one.case].append(key)
        # To match thousands takes seconds: a mapping that was matched with these volumes will do.
        matched = begin is not None and bool(begin.names) and begin.names.keys() == volumes.ids
        self._suggested = begin if begin is not None and matched else match(dataset, volumes)
        self._past: list[tuple[str, dict[str, MappingRow], tuple[Finding, ...]]] = []
        self._owners: defaultdict[int, set[str]] = defaultdict(set)
        self._pairs: dict[str, Pair] = {}
        begin = self._suggested if begin is None else begin
        self._put(self.rows_of(begin), begin.faults)

    def rows_of(self, mapping: FileMapping) -> dict[str, MappingRow]:
        """Return a row for each file, with the candidates that names and grids give.

        Where a mapping says of a file what is so already, the row stays as it was decided.
        """
        rows = {}
        for key, one in self.annotations.items():
            row = mapping.row_of(one.file.relative) or MappingRow(one.file.relative, None)
            likely, now = self._suggested.row_of(one.file.relative), self.get(key)
            if row.rule == FILE and now is not None and now.row.volume == row.volume:
                rows[key] = now.row
                continue
            why = row.why or ("" if row.volume else "the mapping has no volume for it")
            known = likely if likely and likely.candidates else row
            by_person = row.by_person or (CHOSEN if row.rule == CHOSEN else "")
            rows[key] = replace(
                row,
                candidates=known.candidates,
                further=known.further,
                why=why,
                by_person=by_person,
            )
        return rows

    def __getitem__(self, key: str) -> Pair:
        return self._pairs[key]

    def __iter__(self) -> Iterator[Pair]:
        return iter(self._pairs.values())

    def get(self, key: str) -> Pair | None:
        """Return what is known of a file; None where there is no such file."""
        return self._pairs.get(key)

    def key_of(self, annotation: str | os.PathLike[str]) -> str:
        """Return the key of a file, given by its path or as much of its end as tells it apart.

        Raises BadMapping if no file, or more than one, is meant.
        """
        text = os.fspath(annotation)
        if text in self.annotations:
            return text
        meant = [key for key in self.annotations if key.endswith(f"/{text}")]
        if len(meant) == 1:
            return meant[0]
        raise BadMapping(
            "no annotation file, or more than one, is meant",
            found=repr(text),
            expected=", ".join(meant) or None,
            remedy="Give the file's path below the source.",
        )

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows of the table, in order."""
        return tuple(
            pair.picked_row if key in self.picked else pair.table_row
            for key, pair in self._pairs.items()
        )

    @property
    def mapping(self) -> FileMapping:
        """The mapping as it is now."""
        return FileMapping(
            (pair.row for pair in self),
            faults=[found for found in self._faults if self._stands(found)],
            names={ref.id: f"{ref.dataset}/{ref.name}" for ref in self.volumes},
            project=self._suggested.project,
        )

    def _stands(self, found: Finding) -> bool:
        """Say whether a doubt is of the volume that its file has: a plan names it all the same."""
        pair = self.get(found.path)
        if pair is None or not pair.row.by_person:
            return True
        likely = self._suggested.row_of(pair.row.annotation)
        return likely is not None and likely.volume == pair.row.volume

    @property
    def faults(self) -> list[Finding]:
        """What is wrong or doubtful, without the files that a person decided on."""
        return [
            found
            for found in self._faults
            if (pair := self.get(found.path)) is None or not pair.row.by_person
        ]

    @property
    def findings(self) -> Findings:
        """What is wrong or doubtful: files without volumes, grids, volumes given twice."""
        found = [*self.faults, *shared_ids(self.dataset, self.mapping)]
        return Findings([*found, *chain.from_iterable(pair.findings for pair in self)])

    @property
    def with_volume(self) -> int:
        """How many files have a volume."""
        return sum(pair.place is not None for pair in self)

    @property
    def rest(self) -> dict[str, MappingRow]:
        """What names and grids say of the files that are unmatched."""
        rows = {str(row.annotation): row for row in self._suggested.rows if row.volume}
        return {key: row for key, row in rows.items() if self._pairs[key].state == UNMATCHED}

    @property
    def last(self) -> str:
        """What the last change was; empty where there is none to undo."""
        return self._past[-1][0] if self._past else ""

    def sharing(self, volume_id: int) -> Collection[str]:
        """Return the files that have a volume."""
        return self._owners[volume_id]

    def of_case(self, annotation: Annotation) -> list[Pair]:
        """Return the files of a folder whose names differ by plane and index alone."""
        keys = self._cases[annotation.file.relative.parent, annotation.case]
        return [self._pairs[key] for key in keys]

    def count(self, *states: str) -> int:
        """Return how many files are in one of these states."""
        return sum(pair.state in states for pair in self)

    @property
    def summary(self) -> str:
        """How many files have a volume, and how many are in which state."""
        states = Counter(pair.state for pair in self)
        said = ", ".join(f"{states[state]} {state}" for state in sorted(states))
        found = f"Annotation files with a volume: {self.with_volume} of {len(self._pairs)}"
        return f"{found} ({said})." if said else f"{found}."

    def change(
        self, what: str, after: Mapping[str, MappingRow], faults: Iterable[Finding] | None = None
    ) -> None:
        """Make a change; ``faults`` are those in force from now on, if they change."""
        self._past.append((what, {key: self[key].row for key in after}, self._faults))
        self._put(after, self._faults if faults is None else faults)

    def undo(self) -> None:
        """Take the last change back."""
        _, before, faults = self._past.pop()
        self._put(before, faults)

    def pick(self, keys: Collection[str], on: bool) -> None:
        """Pick files, or take them out again."""
        self.picked = self.picked | set(keys) if on else self.picked.difference(keys)

    def _put(self, after: Mapping[str, MappingRow], faults: Iterable[Finding]) -> None:
        """Put rows in, and work out what is known of them and of those that share a volume."""
        self._faults = tuple(faults)
        self._doubts: defaultdict[str, list[str]] = defaultdict(list)
        for found in self._faults:
            self._doubts[found.path].append(found.message)
        concerned = set(after)
        for key, row in after.items():
            now = self.get(key)
            before = now.row.volume if now else None
            for volume in (before, row.volume):
                concerned |= self._owners[volume] if volume is not None else set()
            if before is not None:
                self._owners[before].discard(key)
            if row.volume is not None:
                self._owners[row.volume].add(key)
        for key in self.annotations if len(concerned) == len(self.annotations) else concerned:
            row = after[key] if key in after else self[key].row
            self._pairs[key] = self._pair(self.annotations[key], row)

    def _pair(self, annotation: Annotation, row: MappingRow) -> Pair:
        if row.volume is None:
            return Pair(annotation, row, self.volumes, "nothing")
        volume = self.volumes.get(row.volume)
        place = NO_SUCH_VOLUME if volume is None else annotation.place_on(volume)
        said = [] if place.lands else ["it does not lie on this volume"]
        if volume is None:
            said = [f"the target has no volume with id {row.volume}"]
        others = (self.annotations[other] for other in self._owners[row.volume])
        rivals = [other.key for other in others if other.item is not annotation.item]
        if rivals:
            named = listed(sorted(rivals), SHOWN)
            said.append(f"the volume is also that of {named}, of another plane or case")
        said += () if row.by_person else self._doubts[annotation.key]
        return Pair(annotation, row, self.volumes, self._rule(annotation, row), place, tuple(said))

    def _rule(self, annotation: Annotation, row: MappingRow) -> str:
        """Return what matched a file; of a mapping file also what else speaks for it."""
        text = RULES.get(row.rule, row.rule)
        volume = self.volumes.get(row.volume)
        if row.rule != FILE or volume is None:
            return text
        likely = self._suggested.row_of(annotation.file.relative)
        if likely is not None and likely.volume == row.volume and likely.rule != FILE:
            return f"{text}, {RULES.get(likely.rule, likely.rule)}"
        if annotation.case & self.volumes.case_of(volume):
            return f"{text}, words in common"
        return f"{text}, {RULES[PLACE] if annotation.place_on(volume).lands else 'nothing else'}"


# Suggestions: rows that would change together, offered to a person and never made silently


@dataclass(frozen=True)
class Suggestion:
    """What several rows would become."""

    title: str  # what speaks for it
    rows: Mapping[str, MappingRow]  # the rows, by the keys of their files


def same_case(rows: MappingRows, key: str) -> Suggestion | None:
    """Return what the choice for a file says of the other files of its case; None for nothing.

    Those are files of its folder whose names differ by plane and index alone, and that nobody
    has decided on; each goes to the volume of its plane of the same case, if there is one, and if
    its voxels are voxels of that.
    """
    pair, volumes = rows[key], rows.volumes
    chosen = volumes.get(pair.row.volume)
    if chosen is None:
        return None
    own = pair.annotation
    found = {}
    for other in rows.of_case(own):
        file = other.annotation
        if other.row.by_person:
            continue
        alike = [chosen]
        if file.plane != own.plane:
            alike = [ref for ref in volumes.of_case(chosen) if volumes.plane_of(ref) == file.plane]
        if len(alike) == 1 and alike[0].id != other.row.volume and file.place_on(alike[0]).lands:
            found[file.key] = other.row.chosen(alike[0].id)
    what = counted(len(found), "more file")
    title = f"{what} of the same case as {key}, for the volumes of {volumes.label(chosen.id)}"
    return Suggestion(title, found) if found else None


def by_place(rows: MappingRows) -> Suggestion | None:
    """Return unmatched files that lie on one volume of their plane alone; None where none does.

    Not those whose numbers say that they are of another case, nor two files of different planes
    or cases for one volume.
    """
    meant: defaultdict[int, list[Pair]] = defaultdict(list)
    for pair in rows:
        under = rows.volumes.under(pair.annotation) if pair.state == UNMATCHED else ()
        if len(under) == 1:
            name = rows.volumes.name_of(under[0])
            if numbers_apart(pair.annotation.name, name, alone=False) is None:
                meant[under[0].id].append(pair)
    found = {}
    for volume_id, pairs in meant.items():
        there = [rows[key] for key in rows.sharing(volume_id)]
        if len({id(pair.annotation.item) for pair in (*pairs, *there)}) == 1:
            for pair in pairs:
                row = replace(pair.row, volume=volume_id, rule=PLACE, why="", by_person=ACCEPTED)
                found[pair.annotation.key] = row
    title = f"{counted(len(found), 'file')} whose voxels are those of one volume alone"
    return Suggestion(title, found) if found else None
