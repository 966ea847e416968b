"""Mapping rows: what is known of every annotation file and its volume, kept up to date."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain

from nifti_kit.checks.files import shared_ids
from nifti_kit.checks.geometry import misaligned
from nifti_kit.core.findings import Finding, Findings, finding
from nifti_kit.core.text import listed
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.datasets.items import MaskFile
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


@dataclass(frozen=True)
class Pair:
    """An annotation file and the volume that it has now, with what is known of the two."""

    # The file; and its volume, rule, candidates, and what a person decided.
    annotation: Annotation
    row: MappingRow
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


def table_row(pair: Pair, volumes: Volumes, is_picked: bool) -> Row:
    """Return the row of a file."""
    row, key = pair.row, pair.annotation.key
    return Row(
        key,
        {
            "pick": is_picked,
            "file": key,
            "volume": volumes.label(row.volume),
            "rule": pair.rule,
            "place": pair.place.text if pair.place else "",
            "state": pair.state,
            "note": "; ".join(pair.doubts) if pair.place else row.why,
        },
        choices={"volume": Choices(volumes, pair.annotation, row.candidates, row.volume)},
        tone=pair.tone,
    )


def pair_findings(pair: Pair, volumes: Volumes) -> Iterator[Finding]:
    """A file has a volume of the target, and its voxels are voxels of it."""
    annotation, volume = pair.annotation, volumes.get(pair.row.volume)
    if volume is None:
        said = [pair.row.why or "the mapping has no volume for it", *pair.doubts][-1]
        yield finding("annotation-unmatched", annotation.key, said)
    elif isinstance(annotation.file, MaskFile):
        alignment = alignment_of(annotation.file.grid, volume.grid)
        name = f"{volume.dataset}/{volume.name}"
        yield from misaligned(alignment, annotation.file.image, name)


class MappingRows:
    """The files of a dataset with the volumes that they have; every change can be undone.

    ``dataset``: of the ``annotations`` layout.
    ``volumes``: those of the target.
    ``begin``: the mapping to begin with; by default what names and grids say.
    """

    def __init__(self, dataset: Dataset, volumes: Volumes, begin: FileMapping | None) -> None:
        self.dataset, self.volumes = dataset, volumes
        # The files by their keys, in order.
        self.annotations = {one.key: one for one in Annotation.all_of(dataset.items)}
        self.picked: set[str] = set()  # the keys of the files that a person has picked
        self._cases: defaultdict[tuple[object, ...], list[str]] = defaultdict(list)
        for key, one in self.annotations.items():
            self._cases[one.file.relative.parent, one.case].append(key)
        # To match thousands takes seconds: a mapping that was matched with these volumes will do.
        matched = begin is not None and bool(begin.names) and begin.names.keys() == volumes.ids
        self._suggested = begin if begin is not None and matched else match(dataset, volumes)
        self._now: dict[str, MappingRow] = {}
        self._past: list[tuple[str, dict[str, MappingRow], tuple[Finding, ...]]] = []
        self._owners: defaultdict[int, set[str]] = defaultdict(set)
        self._pairs: dict[str, Pair] = {}
        self._rows: dict[str, Row] = {}
        self._found: dict[str, tuple[Finding, ...]] = {}
        begin = self._suggested if begin is None else begin
        self._put(self.rows_of(begin), begin.faults)

    def rows_of(self, mapping: FileMapping) -> dict[str, MappingRow]:
        """Return a row for each file, with the candidates that names and grids give.

        Where a mapping says of a file what is so already, the row stays as it was decided.
        """
        rows = {}
        for key, one in self.annotations.items():
            row = mapping.row_of(one.file.relative) or MappingRow(one.file.relative, None)
            likely, now = self._suggested.row_of(one.file.relative), self._now.get(key)
            if row.rule == FILE and now is not None and now.volume == row.volume:
                rows[key] = now
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
        return tuple(self._rows[key] for key in self.annotations)

    @property
    def mapping(self) -> FileMapping:
        """The mapping as it is now."""
        return FileMapping(
            self._now.values(),
            faults=self.faults,
            names={ref.id: f"{ref.dataset}/{ref.name}" for ref in self.volumes},
            project=self._suggested.project,
        )

    @property
    def faults(self) -> list[Finding]:
        """What is wrong or doubtful, without the files that a person decided on."""
        return [
            found
            for found in self._faults
            if found.path not in self._now or not self._now[found.path].by_person
        ]

    @property
    def findings(self) -> Findings:
        """What is wrong or doubtful: files without volumes, grids, volumes given twice."""
        found = [*self.faults, *shared_ids(self.dataset, self.mapping)]
        return Findings([*found, *chain.from_iterable(self._found.values())])

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
        self._past.append((what, {key: self._now[key] for key in after}, self._faults))
        self._put(after, self._faults if faults is None else faults)

    def undo(self) -> None:
        """Take the last change back."""
        _, before, faults = self._past.pop()
        self._put(before, faults)

    def pick(self, keys: Collection[str], on: bool) -> None:
        """Pick files, or take them out again."""
        self.picked = self.picked | set(keys) if on else self.picked.difference(keys)
        for key in keys:
            self._rows[key] = table_row(self._pairs[key], self.volumes, key in self.picked)

    def _put(self, after: Mapping[str, MappingRow], faults: Iterable[Finding]) -> None:
        """Put rows in, and work out what is known of them and of those that share a volume."""
        self._faults = tuple(faults)
        self._doubts: defaultdict[str, list[str]] = defaultdict(list)
        for found in self._faults:
            self._doubts[found.path].append(found.message)
        concerned = set(after)
        for key, row in after.items():
            before = self._now.get(key)
            for one in (before, row):
                if one is not None and one.volume is not None:
                    concerned |= self._owners[one.volume]
            if before is not None and before.volume is not None:
                self._owners[before.volume].discard(key)
            if row.volume is not None:
                self._owners[row.volume].add(key)
            self._now[key] = row
        for key in self.annotations if len(concerned) == len(self.annotations) else concerned:
            self._pairs[key] = pair = self._pair(key)
            self._rows[key] = table_row(pair, self.volumes, key in self.picked)
            self._found[key] = tuple(pair_findings(pair, self.volumes))

    def _pair(self, key: str) -> Pair:
        annotation, row = self.annotations[key], self._now[key]
        if row.volume is None:
            return Pair(annotation, row, "nothing")
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
        said += () if row.by_person else self._doubts[key]
        return Pair(annotation, row, self._rule(annotation, row), place, tuple(said))

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
