"""Proofs: how what landed compares with what was meant, row by row, to be read and to be kept."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass
from typing import Any

from nifti_kit.core import html
from nifti_kit.core.geometry import SAME_MM
from nifti_kit.core.report import Result, Row
from nifti_kit.core.text import counted
from nifti_kit.plans.left_out import LeftOut, left_out_lines
from nifti_kit.plans.provenance import Provenance
from nifti_kit.transfer.accepted import (
    Accepted,
    accepted_facts,
    accepted_lines,
    accepted_text,
    placed_lines,
    placed_text,
)
from nifti_kit.transfer.doubts import Doubts, doubt_lines, doubts_text


@dataclass(frozen=True)
class ProofRow:
    """One volume or object, compared; or something that should not be there."""

    # ``volume``, ``object``, ``scores`` of a figure that was there; or ``surplus``: a figure
    # without geometry, or what is there once more (nothing of it is compared).
    kind: str
    # The volume's name; for an object its class and its pixel value in the source.
    volume: str
    name: str
    value: int | None
    source: str  # the source file
    # Voxels compared, and how many of them differ.
    compared: int = 0
    differing: int = 0
    # The largest distance between a landed corner voxel and its source (mm, world space); infinite
    # where the grids have no voxels in common.
    displacement_mm: float = float("inf")
    # Whether class and colour, and the scores, are those of the plan.
    class_ok: bool = False
    scores_ok: bool = False
    # What could not be compared, is missing, is too much, or is not what was planned; empty where
    # all is well.
    problem: str = ""

    @property
    def ok(self) -> bool:
        """True when nothing differs and nothing moved by more than 1e-4 mm."""
        moved = self.displacement_mm > SAME_MM
        return not (self.problem or self.differing or moved) and self.class_ok and self.scores_ok

    @property
    def why(self) -> str:
        """What is not as meant, in words; empty where all is well."""
        reasons = [self.problem] * bool(self.problem)
        if self.problem and not self.compared:  # nothing else is known
            return self.problem
        if self.differing:
            reasons.append(f"{self.differing} of {self.compared} voxels differ")
        if self.displacement_mm == float("inf"):
            reasons.append("it has no voxel in common with its source")
        elif self.displacement_mm > SAME_MM:
            reasons.append(f"displaced by {self.displacement_mm:.4g} mm")
        reasons += ["class or colour differ"] * (not self.class_ok)
        reasons += ["scores differ"] * (not self.scores_ok)
        return "; ".join(reasons)


STAYED = ", which was there before and stayed"
"""What is said of an object of a class that landed: it may be of another patient, or an old one."""


@dataclass(frozen=True)
class ExtraObject:
    """An object on a volume of a receipt that is not in it: others drew it, before or since."""

    volume: str  # the volume's name
    object_id: int
    class_name: str
    # ``a 3D figure`` (and whether it was there before); ``no 3D figure`` of one that is drawn on
    # slices, or not at all; or which object it is the same as, on a volume that was there before.
    what: str

    def __str__(self) -> str:
        return f"{self.volume}: object {self.object_id} of {self.class_name}, {self.what}"


SCHEMA, VERSION = "urn:nifti-kit:proof:1", 1
"""The form of a proof's JSON (``schemas/proof-1.json``): keys are only added to it."""

UNKNOWN = Provenance()
"""That of a comparison of which nothing else is known."""


class Proof(Result):
    """The comparison of everything that landed with its source.

    Attributes
    ----------
    rows
        One for each volume, object and update of scores; and for each thing that is too much.
    left_out
        The files that did not land, because a person accepted their faults: nothing is compared.
    extra
        The objects of others on the volumes of the receipt: people work there too, and nothing is
        wrong with that.
    accepted
        The errors that a person accepted of what landed: it is where it was meant to be, not right.
    doubts
        What says of something that landed that it may be wrong: its case, class or slices.
    provenance
        What landed was made of: see :attr:`Receipt.provenance`; begin and end are those of the
        comparison.
    """

    word, columns = "proof", tuple(ProofRow.__dataclass_fields__)
    head = ("volume", "object", "from", "what differs")

    def __init__(
        self,
        rows: tuple[ProofRow, ...],
        left_out: tuple[LeftOut, ...] = (),
        extra: tuple[ExtraObject, ...] = (),
        accepted: Accepted = (),
        provenance: Provenance = UNKNOWN,
        doubts: Doubts = (),
    ) -> None:
        self.rows, self.left_out, self.extra = rows, left_out, extra
        self.accepted, self.provenance, self.doubts = accepted, provenance, doubts

    @property
    def ok(self) -> bool:
        """True when every volume and object is what was meant, where it was meant, and once.

        False where nothing was compared. Objects of others do not count.
        """
        return bool(self.rows) and all(row.ok for row in self.rows)

    @property
    def tone(self) -> str:
        """``good`` where all is as meant; ``warning`` where a person answers for some of it.

        That is where errors were accepted, where something may be wrong (``doubts``), or lies
        where a person put it; and where an object of a class that landed stayed beside it.
        """
        if not self.ok:
            return "error"
        doubtful = self.accepted or self.doubts or self._stayed
        return "warning" if doubtful or self._placed_text() else "good"

    @property
    def _stayed(self) -> int:
        """How many objects stayed beside those of their class that landed."""
        return sum(one.what.endswith(STAYED) for one in self.extra)

    @property
    def objects(self) -> tuple[ProofRow, ...]:
        """The rows of objects."""
        return tuple(row for row in self.rows if row.kind == "object")

    @property
    def volumes(self) -> tuple[ProofRow, ...]:
        """The rows of volumes."""
        return tuple(row for row in self.rows if row.kind == "volume")

    @property
    def updates(self) -> tuple[ProofRow, ...]:
        """The rows of scores for figures that were there."""
        return tuple(row for row in self.rows if row.kind == "scores")

    @property
    def failures(self) -> tuple[ProofRow, ...]:
        """The rows that are not as meant."""
        return tuple(row for row in self.rows if not row.ok)

    def cells(self) -> Iterator[Row]:
        """Yield one row for each of ``rows``."""
        return (astuple(row) for row in self.rows)

    def content(self) -> dict[str, Any]:
        """Return what JSON has."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "ok": self.ok,
            "rows": [{**asdict(row), "ok": row.ok} for row in self.rows],
            "left_out": [one.facts() for one in self.left_out],
            "extra": [asdict(one) for one in self.extra],
            "accepted": accepted_facts(self.accepted),
            "doubts": accepted_facts(self.doubts),
            **self.provenance.facts(),
        }

    def shown_rows(self) -> Iterator[Row]:
        """Yield one row for each that is not as meant."""
        return ((row.volume, row.name, row.source, row.why) for row in self.failures)

    def told(self) -> Iterator[str]:
        """Yield a line of text for each that is not as meant."""
        return (f"{_place(row)}: {row.why}" for row in self.failures)

    def _said(self, most: int) -> list[str]:
        """Return what was accepted, what did not land, and what is of others."""
        return [*self._beside(most), *self._others(most)]

    def _beside(self, most: int) -> list[str]:
        doubtful, placed = doubt_lines(self.doubts, most), placed_lines(self.provenance, most)
        out = left_out_lines(self.left_out, most)
        return [*accepted_lines(self.accepted, most), *doubtful, *placed, *out]

    def _others(self, most: int) -> list[str]:
        more = len(self.extra) - most
        lines = [f"Of others: {one}" for one in self.extra[:most]]
        return lines + [f"Of others: {counted(more, 'more object')}"] * (more > 0)

    def _notes(self, most: int) -> Iterator[html.Markup]:
        """Yield what was accepted, and what was not compared; the objects of others fold."""
        yield from (html.element("p", line) for line in self._beside(most))
        if self.extra:
            others = html.join(html.element("p", line) for line in self._others(most))
            yield html.details(f"{counted(len(self.extra), 'object')} of others", others)

    def _page(self) -> str:
        """Return the page that is saved: with every row."""
        head = [name.replace("_", " ") for name in self.columns]
        table = html.table(head, super().shown_rows())
        return html.page(
            "Proof", html.title(self.title(), self.tone), table, *self._notes(sys.maxsize)
        )

    def _sources(self) -> dict[str, list[str]]:
        volumes, objects = self.volumes, self.objects
        return {
            "volume": [row.source for row in volumes],
            "object": [row.source for row in objects],
        }

    def _placed_text(self) -> str:
        return placed_text(self.provenance, **self._sources())

    def title(self) -> str:
        """Return the verdict and what was compared in one line."""
        compared = sum(row.compared for row in self.rows)
        furthest = max((row.displacement_mm for row in self.rows), default=0.0)
        updates = f" and {counted(len(self.updates), 'score update')}" if self.updates else ""
        accepted = accepted_text(self.accepted, **self._sources())
        accepted += doubts_text(self.doubts, **self._sources())
        verdict = "verified" if self.ok else f"NOT as meant: {len(self.failures)}"
        if not self.rows:
            verdict = "NOT verified: nothing was compared"
        out = f"; {counted(len(self.left_out), 'file')} left out" if self.left_out else ""
        if self.extra:
            stayed = f" ({self._stayed} of a class that landed)" if self._stayed else ""
            out += f"; {counted(len(self.extra), 'object')} of others on these volumes{stayed}"
        return (
            f"Proof: {verdict}{accepted}{self._placed_text()}; "
            f"{counted(len(self.volumes), 'volume')} and "
            f"{counted(len(self.objects), 'object')}{updates}, "
            f"{counted(compared, 'voxel')} compared, "
            f"{sum(row.differing for row in self.rows):,} differ, "
            f"largest displacement {furthest:.2g} mm{out}"
        )


def _place(row: ProofRow) -> str:
    """Return which volume or object a row is of, and its source, as far as it has them."""
    where = " ".join(filter(None, (row.volume, row.name))) or "The target"
    return f"{where} <- {row.source}" if row.source else where
