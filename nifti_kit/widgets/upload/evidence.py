"""Evidence: what landed, and how it compares with its source, as tables."""

from __future__ import annotations

from typing import Any

from nifti_kit.transfer.proof import Proof, ProofRow
from nifti_kit.transfer.receipt import Receipt
from nifti_kit.widgets.parts.table import Column, Row, Table

__all__ = ["ReceiptTables", "first_line"]

_LANDED = (
    Column("volume id", "Volume id", "number"),
    Column("volume", "Volume", filtered=True),
    Column("object id", "Object id", "number"),
    Column("class", "Class", filtered=True),
    Column("value", "Value", "number"),
    Column("voxels", "Voxels", "number"),
    Column("scores", "Scores", "number"),
    Column("from", "From"),
)
_PROVED = (
    Column("verdict", "Verdict", filtered=True),
    Column("kind", "What"),
    Column("volume", "Volume"),
    Column("name", "Class"),
    Column("compared", "Voxels compared", "number"),
    Column("differing", "Differ", "number"),
    Column("displacement", "Displacement, mm", "number"),
    Column("problem", "Problem"),
)


class ReceiptTables:
    """Receipt and proof as tables.

    Attributes
    ----------
    landed
        A row for each object and update of scores that landed.
    proved
        A row for each volume, object and update that was compared; what differs comes first.
    """

    def __init__(self) -> None:
        self.landed = Table(_LANDED)
        self.proved = Table(_PROVED)

    def show_receipt(self, receipt: Receipt | None) -> None:
        """Show what landed; None empties the table."""
        rows = [] if receipt is None else receipt.to_frame().to_dict("records")
        self.landed.rows = tuple(
            Row(str(at), {str(name): cell for name, cell in row.items()})
            for at, row in enumerate(rows)
        )

    def show_proof(self, proof: Proof | None) -> None:
        """Show how it compares; None empties the table."""
        rows = [] if proof is None else sorted(proof.rows, key=lambda row: row.ok)
        self.proved.rows = tuple(_proof_row(str(at), row) for at, row in enumerate(rows))


def first_line(result: Any) -> str:
    """Return the title of a receipt or a proof."""
    return "" if result is None else repr(result).split("\n", maxsplit=1)[0]


def _proof_row(key: str, row: ProofRow) -> Row:
    wrong = [row.problem] * bool(row.problem)
    if not row.problem:
        wrong += ["class or colour differ"] * (not row.class_ok)
        wrong += ["scores differ"] * (not row.scores_ok)
    cells = {
        "verdict": "as meant" if row.ok else "NOT as meant",
        "kind": row.kind,
        "volume": row.volume,
        "name": row.name if row.kind != "volume" else "",
        "compared": row.compared,
        "differing": row.differing,
        "displacement": row.displacement_mm,
        "problem": "; ".join(wrong),
    }
    return Row(key, cells, tone="good" if row.ok else "error")
