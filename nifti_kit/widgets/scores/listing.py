"""The list of what is wrong in a score table: a row for each remark, with its repair."""

from __future__ import annotations

from collections.abc import Iterable

from nifti_kit.widgets.parts.table import Column, Row
from nifti_kit.widgets.scores.drafts import Draft
from nifti_kit.widgets.scores.evidence import Remark
from nifti_kit.widgets.scores.fixes import fix_of

__all__ = ["COLUMNS", "key_of", "rows_of"]

COLUMNS = (
    Column("severity", "Severity", filtered=True),
    Column("where", "Where"),
    Column("message", "What was found"),
    Column("code", "Code", filtered=True),
    Column("fix", "Repair", "button"),
)


def key_of(remark: Remark) -> str:
    """Return what a remark is known by: it stays the same while the rest is edited."""
    return f"{remark.code}|{remark.row}|{remark.column}|{remark.message}"


def rows_of(remarks: Iterable[Remark], draft: Draft) -> tuple[Row, ...]:
    """Return the rows, in the order of the remarks."""
    return tuple(
        Row(
            key_of(remark),
            {
                "severity": remark.severity,
                "where": remark.where,
                "message": remark.message,
                "code": remark.code,
                "fix": fix_of(remark, draft),
            },
            tone=remark.severity,
            hints={"message": remark.remedy},
        )
        for remark in remarks
    )
