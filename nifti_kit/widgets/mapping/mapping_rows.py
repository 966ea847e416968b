"""Rows of the mapping table: what is known of a file and its volume, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from nifti_kit.checks.geometry import misaligned
from nifti_kit.core.findings import Finding, finding
from nifti_kit.datasets.items import MaskFile
from nifti_kit.plans.matching import CASE, EXACT, ONLY
from nifti_kit.widgets.mapping.candidates import (
    NO_SUCH_VOLUME,
    Annotation,
    Choices,
    Fit,
    Volumes,
    alignment_of,
)
from nifti_kit.widgets.mapping.decisions import ACCEPTED, CHOSEN, Decision
from nifti_kit.widgets.parts.table import Column, Row, Tone

__all__ = ["COLUMNS", "DOUBTFUL", "MATCHED", "UNMATCHED", "Standing", "row_findings", "table_row"]

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
            said.append(
                f"the volume is also that of {_listed(sorted(rivals))}, of another plane or case"
            )
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


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
