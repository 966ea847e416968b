"""Decisions: the rows of a mapping, what a person made of them, and the way back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from nifti_kit.core.findings import Finding
from nifti_kit.formats.mappings import MappingRow

__all__ = ["ACCEPTED", "CHOSEN", "LEFT_OUT", "Decision", "RowHistory"]

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
