"""Standings: what is known of every annotation file and its volume, kept up to date row by row."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain

from nifti_kit.checks.mapping import shared_ids
from nifti_kit.core.findings import Finding, Findings
from nifti_kit.datasets.dataset import Dataset
from nifti_kit.errors import BadMapping
from nifti_kit.formats.mappings import Mapping as FileMapping
from nifti_kit.formats.mappings import MappingRow
from nifti_kit.plans.matching import match
from nifti_kit.widgets.mapping.candidates import Annotation, Volumes
from nifti_kit.widgets.mapping.decisions import Decision, RowHistory
from nifti_kit.widgets.mapping.mapping_rows import UNMATCHED, Standing, row_findings, table_row
from nifti_kit.widgets.parts.table import Row

__all__ = ["MappingRows"]


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
            ids = likely.candidates if likely else ()
            row = mapping.row_of(one.file.relative) or MappingRow(one.file.relative, None)
            why = row.why or ("" if row.volume else "the mapping has no volume for it")
            rows.append(replace(row, candidates=ids or row.candidates, why=why))
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
