"""Mapping rows: what is known of every annotation file and its volume, kept up to date."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
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


@dataclass(frozen=True)
class Decision:
    """A row, and what a person made of it.

    Attributes
    ----------
    row
        File, volume, rule, candidates, and why there is no volume.
    by_person
        ``chosen`` (another volume than before), ``accepted`` (the one that was there),
        ``left out``, or empty while nobody looked at it.
    """

    row: MappingRow
    by_person: str = ""

    @classmethod
    def of(cls, row: MappingRow) -> Decision:
        """Return the decision that a row of a mapping tells of."""
        return cls(row, CHOSEN if row.rule == CHOSEN else "")

    def chosen(self, volume_id: int) -> Decision:
        """Return it with a volume that a person chose."""
        return Decision(replace(self.row, volume=volume_id, rule=CHOSEN, why=""), CHOSEN)

    def accepted(self) -> Decision:
        """Return it with the volume that it has, as a person accepts it."""
        return replace(self, by_person=ACCEPTED)

    def left_out(self) -> Decision:
        """Return it without a volume, as a person wants it."""
        row = replace(self.row, volume=None, rule="", why="you left it out")
        return Decision(row, LEFT_OUT)


@dataclass(frozen=True)
class _Step:
    """What an act was, and how rows and faults were before it."""

    what: str
    before: Mapping[str, Decision]
    faults: tuple[Finding, ...]


class RowHistory:
    """The decision on each file, by its path; every change can be undone.

    Parameters
    ----------
    rows
        Of a mapping, one for each file.
    faults
        What is wrong with the mapping as a whole, or doubtful in a file that nobody decided on.
    """

    def __init__(self, rows: Iterable[MappingRow], faults: Iterable[Finding] = ()) -> None:
        self._now: dict[str, Decision] = {}
        self._owners: defaultdict[int, set[str]] = defaultdict(set)
        self._past: list[_Step] = []
        self._faults: tuple[Finding, ...] = ()
        self._say(faults)
        self._put({str(row.annotation): Decision.of(row) for row in rows})

    def __getitem__(self, key: str) -> Decision:
        return self._now[key]

    @property
    def rows(self) -> Sequence[MappingRow]:
        """The rows as they are now, in order."""
        return [decision.row for decision in self._now.values()]

    @property
    def last(self) -> str:
        """What the last change was; empty where there is none to undo."""
        return self._past[-1].what if self._past else ""

    def sharing(self, key: str) -> frozenset[str]:
        """Return the other files that have the same volume."""
        volume = self._now[key].row.volume
        return frozenset() if volume is None else frozenset(self._owners[volume] - {key})

    @property
    def faults(self) -> list[Finding]:
        """What is wrong or doubtful, without the files that a person decided on."""
        return [
            found
            for found in self._faults
            if found.path not in self._now or not self._now[found.path].by_person
        ]

    def doubts(self, key: str) -> Sequence[Finding]:
        """Return what is doubtful in a file's row; nothing where a person decided on it."""
        return () if self._now[key].by_person else self._doubts[key]

    def change(
        self, what: str, after: Mapping[str, Decision], faults: Iterable[Finding] | None = None
    ) -> set[str]:
        """Make a change, and return the files whose rows it concerns.

        These are the files themselves, and those that have a volume together with one of them,
        before or after. ``faults`` are those that are in force from now on, if they change.
        """
        self._past.append(_Step(what, {key: self._now[key] for key in after}, self._faults))
        if faults is not None:
            self._say(faults)
        return self._put(after)

    def undo(self) -> set[str]:
        """Take the last change back, and return the files that it concerns."""
        step = self._past.pop()
        self._say(step.faults)
        return self._put(step.before)

    def _say(self, faults: Iterable[Finding]) -> None:
        self._faults = tuple(faults)
        self._doubts: defaultdict[str, list[Finding]] = defaultdict(list)
        for found in self._faults:
            self._doubts[found.path].append(found)

    def _put(self, after: Mapping[str, Decision]) -> set[str]:
        concerned = set(after)
        for key, decision in after.items():
            before = self._now.get(key)
            if before is not None and before.row.volume is not None:
                self._owners[before.row.volume].discard(key)
                concerned |= self._owners[before.row.volume]
            self._now[key] = decision
            if decision.row.volume is not None:
                concerned |= self._owners[decision.row.volume]
                self._owners[decision.row.volume].add(key)
        return concerned


# Rows of the mapping table: what is known of a file and its volume, in words

MATCHED, DOUBTFUL, UNMATCHED = "matched", "doubtful", "unmatched"

SHOWN = 3
"""Other files that a row names before it counts the rest."""

RULES = {
    EXACT: "exact name",
    CASE: "case words",
    ONLY: "only one of its plane",
    "mapping": "mapping file",
    "chosen": "your choice",
}
"""The rules of :func:`nifti_kit.match` and the others, as a table shows them."""

COLUMNS = (
    Column("file", "Annotation file"),
    Column("volume", "Volume", "choice"),
    Column("rule", "Matched by", filtered=True),
    Column("place", "Place"),
    Column("state", "State", filtered=True),
    Column("note", "To know"),
)


@dataclass(frozen=True)
class Standing:
    """What is known of a file and the volume that it has now.

    Attributes
    ----------
    annotation, decision
        The file, and what was decided on it.
    place
        How it lies against its volume; None without one.
    doubts
        What speaks against the two, in words.
    """

    annotation: Annotation
    decision: Decision
    place: Fit | None
    doubts: tuple[str, ...]

    @classmethod
    def of(
        cls,
        annotation: Annotation,
        decision: Decision,
        volumes: Volumes,
        others: Iterable[Annotation],
        doubts: Iterable[Finding],
    ) -> Standing:
        """Return the standing of a file; ``others`` are the files with the same volume."""
        if decision.row.volume is None:
            return cls(annotation, decision, None, ())
        volume = volumes.get(decision.row.volume)
        place = NO_SUCH_VOLUME if volume is None else annotation.place_on(volume)
        said = [] if place.lands else ["it does not lie on this volume"]
        if volume is None:
            said = [f"the target has no volume with id {decision.row.volume}"]
        rivals = [other.key for other in others if other.item is not annotation.item]
        if rivals:
            named = listed(sorted(rivals), SHOWN)
            said.append(f"the volume is also that of {named}, of another plane or case")
        said += [found.message for found in doubts]
        return cls(annotation, decision, place, tuple(said))

    @property
    def state(self) -> str:
        """``matched``, ``doubtful``, ``unmatched``; or ``chosen``, ``accepted``, ``left out``."""
        if self.place is None:
            return self.decision.by_person or UNMATCHED
        if self.decision.by_person == ACCEPTED:
            return ACCEPTED
        return DOUBTFUL if self.doubts else self.decision.by_person or MATCHED

    @property
    def is_sure(self) -> bool:
        """Whether it has one candidate, lands on it exactly, and nobody has decided on it yet.

        A score table has no place, so that nothing but its name speaks for it.
        """
        one = len(self.decision.row.candidates) == 1
        return self.state == MATCHED and one and isinstance(self.annotation.file, MaskFile)

    @property
    def tone(self) -> Tone:
        """What a row's colour says."""
        if self.place is not None and not self.place.lands:
            return "error"
        if self.state in (DOUBTFUL, UNMATCHED):
            return "warning"
        return "good" if self.state in (CHOSEN, ACCEPTED) else ""


def table_row(standing: Standing, volumes: Volumes) -> Row:
    """Return the row of a file."""
    row = standing.decision.row
    choices = Choices(volumes, standing.annotation, row.candidates, row.volume)
    place = standing.place
    return Row(
        standing.annotation.key,
        {
            "file": standing.annotation.key,
            "volume": volumes.label(row.volume),
            "rule": RULES.get(row.rule, row.rule) or "nothing",
            "place": place.text if place else "",
            "state": standing.state,
            "note": "; ".join(standing.doubts) if place else row.why,
        },
        choices={"volume": choices},
        tone=standing.tone,
    )


def row_findings(standing: Standing, volumes: Volumes) -> Iterator[Finding]:
    """A file has a volume of the target, and its voxels are voxels of it."""
    annotation, row = standing.annotation, standing.decision.row
    volume = volumes.get(row.volume)
    if row.volume is None:
        message = row.why or "the mapping has no volume for it"
        yield finding("annotation-unmatched", annotation.key, message)
    elif volume is None:
        yield finding("annotation-unmatched", annotation.key, standing.doubts[0])
    elif isinstance(annotation.file, MaskFile):
        alignment = alignment_of(annotation.file.grid, volume.grid)
        name = f"{volume.dataset}/{volume.name}"
        yield from misaligned(alignment, annotation.file.image, name)


# Mapping rows: what is known of every annotation file and its volume, kept up to date row by row


class MappingRows:
    """The files of a dataset with the volumes that they have.

    Parameters
    ----------
    dataset
        Of the ``annotations`` layout.
    volumes
        Those of the target.
    begin
        The mapping to begin with; by default what names and grids say.

    Attributes
    ----------
    annotations
        The files by their keys, in order.
    """

    def __init__(self, dataset: Dataset, volumes: Volumes, begin: FileMapping | None) -> None:
        self.dataset, self.volumes = dataset, volumes
        self.annotations = {one.key: one for one in Annotation.all_of(dataset.items)}
        matched = begin is not None and _is_matched(begin, volumes)
        self._suggested = begin if begin is not None and matched else match(dataset, volumes)
        begin = self._suggested if begin is None else begin
        self._decisions = RowHistory(self.rows_of(begin), begin.faults)
        self._known: dict[str, Standing] = {}
        self._rows: dict[str, Row] = {}
        self._found: dict[str, tuple[Finding, ...]] = {}
        self._renew(self.annotations)

    def rows_of(self, mapping: FileMapping) -> list[MappingRow]:
        """Return a row for each file, with the candidates that names and grids give."""
        rows = []
        for one in self.annotations.values():
            likely = self._suggested.row_of(one.file.relative)
            row = mapping.row_of(one.file.relative) or MappingRow(one.file.relative, None)
            why = row.why or ("" if row.volume else "the mapping has no volume for it")
            known = likely if likely and likely.candidates else row
            ids, further = known.candidates, known.further
            rows.append(replace(row, candidates=ids, why=why, further=further))
        return rows

    def __getitem__(self, key: str) -> Standing:
        return self._known[key]

    def get(self, key: str) -> Standing | None:
        """Return what is known of a file; None where there is no such file."""
        return self._known.get(key)

    def key_of(self, annotation: str | os.PathLike[str]) -> str:
        """Return the key of a file, given by its path or as much of its end as tells it apart.

        Raises
        ------
        BadMapping
            If no file, or more than one, is meant.
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
            self._decisions.rows,
            faults=self._decisions.faults,
            names={ref.id: f"{ref.dataset}/{ref.name}" for ref in self.volumes},
            project=self._suggested.project,
        )

    @property
    def findings(self) -> Findings:
        """What is wrong or doubtful: files without volumes, grids, volumes given twice."""
        found = [*self._decisions.faults, *shared_ids(self.dataset, self.mapping)]
        return Findings([*found, *chain.from_iterable(self._found.values())])

    @property
    def with_volume(self) -> int:
        """How many files have a volume."""
        return sum(standing.place is not None for standing in self._known.values())

    @property
    def sure(self) -> dict[str, Decision]:
        """The files that have one candidate, lie on it exactly, and wait for a decision."""
        return {key: one.decision for key, one in self._known.items() if one.is_sure}

    @property
    def rest(self) -> dict[str, Decision]:
        """What names and grids say of the files that are unmatched."""
        rows = {str(row.annotation): row for row in self._suggested.rows if row.volume}
        open_ = (key for key in rows if self._known[key].state == UNMATCHED)
        return {key: Decision.of(rows[key]) for key in open_}

    @property
    def last(self) -> str:
        """What the last change was; empty where there is none to undo."""
        return self._decisions.last

    def count(self, *states: str) -> int:
        """Return how many files are in one of these states."""
        return sum(standing.state in states for standing in self._known.values())

    @property
    def summary(self) -> str:
        """How many files have a volume, and how many are in which state."""
        states = [standing.state for standing in self._known.values()]
        said = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
        found = f"Annotation files with a volume: {self.with_volume} of {len(states)}"
        return f"{found} ({said})." if said else f"{found}."

    def change(
        self, what: str, after: Mapping[str, Decision], faults: Iterable[Finding] | None = None
    ) -> None:
        """Make a change; ``faults`` are those in force from now on, if they change."""
        self._renew(self._decisions.change(what, after, faults))

    def undo(self) -> None:
        """Take the last change back."""
        self._renew(self._decisions.undo())

    def _renew(self, concerned: Iterable[str]) -> None:
        """Work out what is known of some files, and of no others."""
        for key in concerned:
            decision = self._decisions[key]
            others = [self.annotations[other] for other in self._decisions.sharing(key)]
            doubts = self._decisions.doubts(key)
            standing = Standing.of(self.annotations[key], decision, self.volumes, others, doubts)
            self._known[key] = standing
            self._rows[key] = table_row(standing, self.volumes)
            self._found[key] = tuple(row_findings(standing, self.volumes))


def _is_matched(mapping: FileMapping, volumes: Volumes) -> bool:
    """Say whether a mapping is one that was matched with these volumes: seconds for thousands."""
    return bool(mapping.names) and set(mapping.names) == {ref.id for ref in volumes}
