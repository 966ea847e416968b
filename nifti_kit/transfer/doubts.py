"""Doubts: what says of a thing that landed that it may be wrong; it blocks nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nifti_kit.core.findings import Finding, Findings
from nifti_kit.core.text import counted
from nifti_kit.plans.left_out import LeftOut
from nifti_kit.transfer.accepted import counted_of

CODES = {
    "may be of another patient": (
        *("annotation-name-differs", "case-differs", "mapping-id-shared"),
        *("masks-alike", "outlier-place", "planes-apart", "volumes-alike"),
    ),
    "may have another class": (
        *("annotation-number-shared", "class-name-repeated", "class-table-zero"),
        *("class-value-repeated", "names-in-header-unused", "segmentation-ambiguous"),
    ),
    "may have scores on other slices": (
        *("scores-base-suspect", "scores-by-class", "scores-of-cutout", "scores-reversed-suspect"),
        "scores-slice-empty",
    ),
}
"""What may be wrong, and the findings that say so: by a name, a place, values or the content."""

_KNOWN = frozenset(code for codes in CODES.values() for code in codes)

Doubts = tuple[Finding, ...]


def doubts_of(findings: Findings, left_out: Iterable[LeftOut]) -> Doubts:
    """Return what was found that speaks against what landed, whether or not it was accepted."""
    gone = {path for one in left_out for path in (one.path, *one.files)}
    return tuple(one for one in findings if one.code in _KNOWN and one.path not in gone)


def doubts_text(doubts: Sequence[Finding], **sources: Iterable[str]) -> str:
    """Return what may be wrong, to stand in a title; empty where nothing may.

    ``sources`` are the source files of what landed, one for each, by what it is.
    """
    files = {noun: list(own) for noun, own in sources.items()}
    said = ""
    for what, known in CODES.items():
        if own := [one for one in doubts if one.code in known]:
            tables = {one.path for one in own if one.path.casefold().endswith(".csv")}
            landed, codes = counted_of(own, **files, **{"score table": tables})
            said += f"; {landed or counted(len(own), 'finding')} {what} ({codes})"
    return said


def doubt_lines(doubts: Sequence[Finding], most: int) -> list[str]:
    """Return so many of the doubts, a line each, and how many more there are."""
    lines = [f"Doubtful: {one.code}, {one.path or 'the source'}: {one.message}" for one in doubts]
    more = len(lines) - most
    return lines[:most] + [f"Doubtful: {counted(more, 'more finding')}"] * (more > 0)
