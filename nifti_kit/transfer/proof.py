"""Proofs: how what landed compares with what was meant, row by row, to be read and to be kept."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from nifti_kit.core import html
from nifti_kit.core.files import save_as
from nifti_kit.core.geometry import SAME_MM
from nifti_kit.core.text import counted
from nifti_kit.plans.left_out import LeftOut

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ProofRow:
    """One volume or object, compared.

    Attributes
    ----------
    kind
        ``volume``, ``object``, or ``scores`` of a figure that was there.
    volume, name, value
        The volume's name; for an object its class and its pixel value in the source.
    source
        The source file.
    compared, differing
        Voxels compared, and how many of them differ.
    displacement_mm
        The largest distance between a landed corner voxel and its source (mm, world space);
        infinite where the grids have no voxels in common.
    class_ok, scores_ok
        Whether class and colour, and the scores, are those of the plan.
    problem
        What could not be compared, or is missing; empty where all is well.
    """

    kind: str
    volume: str
    name: str
    value: int | None
    source: str
    compared: int = 0
    differing: int = 0
    displacement_mm: float = float("inf")
    class_ok: bool = False
    scores_ok: bool = False
    problem: str = ""

    @property
    def ok(self) -> bool:
        """True when nothing differs and nothing moved by more than 1e-4 mm."""
        moved = self.displacement_mm > SAME_MM
        return not (self.problem or self.differing or moved) and self.class_ok and self.scores_ok


class Proof:
    """The comparison of everything that landed with its source.

    Attributes
    ----------
    rows
        One for each volume, object and update of scores.
    left_out
        The files that did not land, because a person accepted their faults: nothing is compared.
    """

    def __init__(self, rows: tuple[ProofRow, ...], left_out: tuple[LeftOut, ...] = ()) -> None:
        self.rows, self.left_out = rows, left_out

    @property
    def ok(self) -> bool:
        """True when every volume and object is what was meant, where it was meant.

        False where nothing was compared.
        """
        return bool(self.rows) and all(row.ok for row in self.rows)

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

    def to_frame(self) -> pd.DataFrame:
        """Return a :class:`pandas.DataFrame`, one row per volume and object."""
        import pandas as pd

        return pd.DataFrame([asdict(row) for row in self.rows], columns=_FIELDS)

    def to_json(self) -> str:
        """Return the proof as JSON."""
        rows = [{**asdict(row), "ok": row.ok} for row in self.rows]
        for row in rows:
            if row["displacement_mm"] == float("inf"):
                row["displacement_mm"] = None
        out = [one.facts() for one in self.left_out]
        content = {"ok": self.ok, "rows": rows, "left_out": out}
        return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the proof to a file: ``.json``, or ``.html`` as a page with every row.

        Raises
        ------
        NiftiKitError
            If the name has another ending, or the file cannot be written.
        """
        save_as(path, "proof", {".json": self.to_json, ".html": self._page})

    def _page(self) -> str:
        head = [name.replace("_", " ") for name in _FIELDS]
        rows = [tuple(asdict(row).values()) for row in self.rows]
        title = html.title(self._title())
        return html.page("Proof", title, html.table(head, rows), *self._out_markup())

    def _out_markup(self) -> list[html.Markup]:
        return [html.element("p", f"Left out: {one}") for one in self.left_out]

    def _title(self) -> str:
        compared = sum(row.compared for row in self.rows)
        furthest = max((row.displacement_mm for row in self.rows), default=0.0)
        updates = f" and {counted(len(self.updates), 'score update')}" if self.updates else ""
        verdict = "verified" if self.ok else f"NOT as meant: {len(self.failures)}"
        if not self.rows:
            verdict = "NOT verified: nothing was compared"
        out = f"; {counted(len(self.left_out), 'file')} left out" if self.left_out else ""
        return (
            f"Proof: {verdict}; {counted(len(self.volumes), 'volume')} and "
            f"{counted(len(self.objects), 'object')}{updates}, "
            f"{counted(compared, 'voxel')} compared, "
            f"{sum(row.differing for row in self.rows):,} differ, "
            f"largest displacement {furthest:.2g} mm{out}"
        )

    def __repr__(self) -> str:
        lines = [self._title()]
        lines += [
            f"  {row.volume} {row.name} <- {row.source}: {_why(row)}"
            for row in self.failures[:_SHOWN]
        ]
        lines += [f"  Left out: {one}" for one in self.left_out]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        out = html.join(self._out_markup())
        if self.ok or not self.rows:
            return html.title(self._title()) + out
        head = ("volume", "object", "from", "what differs")
        rows = [(row.volume, row.name, row.source, _why(row)) for row in self.failures[:_SHOWN]]
        return html.title(self._title()) + html.table(head, rows) + out


_SHOWN = 20
"""Failures that a repr shows; ``failures`` has them all."""

_FIELDS = list(ProofRow.__dataclass_fields__)


def _why(row: ProofRow) -> str:
    if row.problem:  # nothing else was compared
        return row.problem
    reasons = []
    if row.differing:
        reasons.append(f"{row.differing} of {row.compared} voxels differ")
    if row.displacement_mm == float("inf"):
        reasons.append("it has no voxel in common with its source")
    elif row.displacement_mm > SAME_MM:
        reasons.append(f"displaced by {row.displacement_mm:.4g} mm")
    reasons += ["class or colour differ"] * (not row.class_ok)
    reasons += ["scores differ"] * (not row.scores_ok)
    return "; ".join(reasons)
