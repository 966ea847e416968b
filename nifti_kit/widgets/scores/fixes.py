"""Fixes: what can be done by one press about what is wrong in a score table."""

from __future__ import annotations

from nifti_kit.errors import BadScores
from nifti_kit.widgets.scores import edits
from nifti_kit.widgets.scores.drafts import Draft
from nifti_kit.widgets.scores.edits import Edited
from nifti_kit.widgets.scores.evidence import Remark
from nifti_kit.widgets.scores.sheets import LAYER, value_of

__all__ = ["fix_of", "fixed"]

CLEAR, ROW, COLUMN = "Clear the cell", "Remove the row", "Remove the column"
BASE = "Count from {base}"
TURN = "Count from the last frame"

_CELLS = frozenset(("scores-cell", "scores-slice-empty", "scores-layer-repeated"))
_COLUMNS = frozenset(("scores-column", "scores-column-empty", "scores-without-value"))
_ROWS = frozenset(("scores-layer", "scores-layer-outside", "scores-layer-repeated"))
_BASES = frozenset(("scores-base-suspect", "scores-layer-zero"))


def fix_of(remark: Remark, draft: Draft) -> str:
    """Return what can be done about a remark by one press, in words; ``""`` for nothing."""
    code, column = remark.code, remark.column
    offers = {
        BASE.format(base=1 - draft.base): code in _BASES,
        TURN: code == "scores-reversed-suspect",
        CLEAR: code in _CELLS and value_of(column) is not None,
        ROW: code in _ROWS and column == LAYER,
        COLUMN: code in _COLUMNS and column in draft.sheet.columns,
    }
    return next((text for text, fits in offers.items() if fits), "")


def fixed(remark: Remark, draft: Draft) -> Edited:
    """Do what :func:`fix_of` says.

    Raises
    ------
    BadScores
        If nothing can be done by one press, or it cannot be done.
    """
    fix = fix_of(remark, draft)
    if fix == CLEAR:
        return edits.scored(draft, remark.row, remark.column, "")
    if fix == ROW:
        return edits.row_removed(draft, remark.row)
    if fix == COLUMN:
        return edits.column_removed(draft, remark.column)
    if fix == TURN:
        return edits.counted_anew(draft, draft.base, "reversed")
    if fix:
        return edits.counted_anew(draft, 1 - draft.base, draft.frames)
    raise BadScores("nothing can be done about it by one press", found=remark.message)
