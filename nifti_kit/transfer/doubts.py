"""Doubts: what says of a thing that landed that it may be of another patient; it blocks nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nifti_kit.core.findings import Finding, Findings
from nifti_kit.core.text import counted
from nifti_kit.plans.left_out import LeftOut
from nifti_kit.transfer.accepted import counted_of

CODES = frozenset(
    (
        "annotation-name-differs",
        "case-differs",
        "mapping-id-shared",
        "masks-alike",
        "outlier-place",
        "planes-apart",
    )
)
"""The findings that speak of another patient, side or visit, by a name, a place or the content."""

Doubts = tuple[Finding, ...]


def doubts_of(findings: Findings, left_out: Iterable[LeftOut]) -> Doubts:
    """Return what was found that speaks against what landed, whether or not it was accepted."""
    gone = {path for one in left_out for path in (one.path, *one.files)}
    return tuple(one for one in findings if one.code in CODES and one.path not in gone)


def doubts_text(doubts: Sequence[Finding], **sources: Iterable[str]) -> str:
    """Return what may be of another patient, to stand in a title; empty where nothing may.

    ``sources`` are the source files of what landed, one for each, by what it is.
    """
    if not doubts:
        return ""
    what, codes = counted_of(doubts, **sources)
    return f"; {what or counted(len(doubts), 'finding')} may be of another patient ({codes})"


def doubt_lines(doubts: Sequence[Finding], most: int) -> list[str]:
    """Return so many of the doubts, a line each, and how many more there are."""
    lines = [f"Doubtful: {one.code}, {one.path or 'the source'}: {one.message}" for one in doubts]
    more = len(lines) - most
    return lines[:most] + [f"Doubtful: {counted(more, 'more finding')}"] * (more > 0)
